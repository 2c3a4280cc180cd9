//! The numbered, hash-chained log from the hub to its phones. Layout: `docs/reference/home.md`.
//!
//! Every entry is authentic in its place before anything is merged or shown:
//! * a *message* is an MLS application message whose signed and encrypted content repeats its number and the hash of all
//!   entries before it;
//! * a *commit*, a *proposal* and a *welcome* carry the hub's identity signature over number, hash and bytes, because MLS offers no
//!   encrypted place for them (authenticated data travels in clear and stays empty).
//!
//! So the relay can repeat, withhold, swap or change nothing without the first such entry being refused, and refusing leaves
//! the reader where it was.

use std::fmt;

use privet_protocol::cbor;
use privet_protocol::id::{DeviceId, HomeId};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{SIGNATURE, SecretBytes, SigningKey, verify};

/// An entry: its number, from 1, and its bytes as the relay keeps them.
#[derive(Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number.
    pub seq: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogEntry({}, {} bytes)", self.seq, self.bytes.len())
    }
}

/// A place in the log: an entry's number and the hash over everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The entry's number; 0 before the first.
    pub seq: u64,
    /// The hash.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
}

impl LogPosition {
    /// The place before entry `seq + 1`, where the log of this home's generation begins.
    pub fn start(home: &HomeId, generation: u32, seq: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(START_CONTEXT);
        hasher.update(home.as_bytes());
        hasher.update(&generation.to_be_bytes());
        hasher.update(&seq.to_be_bytes());
        Self { seq, hash: *hasher.finalize().as_bytes() }
    }

    /// The place after the next entry, whose bytes are `entry`.
    pub fn after(&self, entry: &[u8]) -> Self {
        let seq = self.seq + 1;
        let mut hasher = blake3::Hasher::new_derive_key(CHAIN_CONTEXT);
        hasher.update(&self.hash);
        hasher.update(&seq.to_be_bytes());
        hasher.update(entry);
        Self { seq, hash: *hasher.finalize().as_bytes() }
    }
}

/// An entry taken apart; every field still untrusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// An MLS application message.
    Message(&'a [u8]),
    /// An MLS commit.
    Commit {
        /// The hub's signature over its place.
        signature: &'a [u8; SIGNATURE],
        /// The commit.
        mls: &'a [u8],
    },
    /// A phone's MLS proposal to renew its own keys, passed on by the hub because the next commit refers to it.
    Proposal {
        /// The hub's signature over its place.
        signature: &'a [u8; SIGNATURE],
        /// The proposal.
        mls: &'a [u8],
    },
    /// A Welcome for one device, sealed under the key it shares with the hub.
    Welcome {
        /// For whom.
        device: DeviceId,
        /// The hub's signature over its place.
        signature: &'a [u8; SIGNATURE],
        /// The Welcome, sealed.
        sealed: &'a [u8],
    },
    /// The group was made anew; all phones must rejoin.
    Renewal {
        /// The new generation.
        generation: u32,
        /// The hub's signature over its place.
        signature: &'a [u8; SIGNATURE],
    },
}

impl<'a> Envelope<'a> {
    /// Takes `bytes` apart; `None` when they are no entry of this version. There is one encoding for each entry.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([version, kind], rest) = bytes.split_first_chunk()?;
        if *version != ENTRY_VERSION {
            return None;
        }
        match *kind {
            KIND_MESSAGE => Some(Self::Message(rest)),
            KIND_COMMIT => {
                let (signature, mls) = rest.split_first_chunk()?;
                Some(Self::Commit { signature, mls })
            }
            KIND_PROPOSAL => {
                let (signature, mls) = rest.split_first_chunk()?;
                Some(Self::Proposal { signature, mls })
            }
            KIND_WELCOME => {
                let (device, rest) = rest.split_first_chunk()?;
                let (signature, sealed) = rest.split_first_chunk()?;
                Some(Self::Welcome { device: DeviceId::from_bytes(*device), signature, sealed })
            }
            KIND_RENEWAL => {
                let (generation, rest) = rest.split_first_chunk()?;
                let signature = rest.try_into().ok()?;
                Some(Self::Renewal { generation: u32::from_be_bytes(*generation), signature })
            }
            _ => None,
        }
    }
}

/// The content of a message entry: signed by MLS, encrypted, and bound to its place.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) generation: u32,
    pub(crate) seq: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) prev: [u8; 32],
    pub(crate) at: Timestamp,
    pub(crate) body: SecretBytes,
    /// Zeros, where entries shall all have one size.
    #[serde(default, skip_serializing_if = "padding_is_empty", with = "serde_bytes")]
    pub(crate) pad: Vec<u8>,
}

fn padding_is_empty(pad: &[u8]) -> bool {
    pad.is_empty()
}

impl Payload {
    /// The payload's bytes; with a `step` so many that the entry has the size of every other that takes as many steps. A step is a
    /// multiple of 256, to which MLS pads as well: the payload ends [`MLS_ROOM`] before the border, or two bytes more, where CBOR has
    /// no padding of just this length, and MLS fills up the rest.
    pub(crate) fn encode(&mut self, step: Option<usize>) -> Zeroizing<Vec<u8>> {
        let bytes = Zeroizing::new(cbor::encode(&*self));
        let Some(step) = step else { return bytes };
        let least = bytes.len() + PAD_NAME + 6;
        let room = (least + MLS_ROOM).next_multiple_of(step) - MLS_ROOM - bytes.len() - PAD_NAME;
        self.pad = vec![0; (0..3).find_map(|less| byte_string(room - less)).unwrap_or_default()];
        Zeroizing::new(cbor::encode(&*self))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, cbor::DecodeError> {
        cbor::decode(bytes, crate::message::MAX_MESSAGE + 256 + MAX_STEP)
    }
}

/// How long a byte string is that takes so many bytes of CBOR together with its head; for some lengths there is none.
fn byte_string(whole: usize) -> Option<usize> {
    let heads = [(1, 0..24), (2, 24..256), (3, 256..65_536), (5, 65_536..usize::MAX)];
    heads.into_iter().find_map(|(head, lengths)| whole.checked_sub(head).filter(|length| lengths.contains(length)))
}

/// What the hub's identity signs: a kind of entry, its place and its content.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) home: &'a HomeId,
    pub(crate) generation: u32,
    /// The position before the entry.
    pub(crate) before: &'a LogPosition,
}

impl Place<'_> {
    fn signing_input(&self, kind: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut input = Vec::with_capacity(128 + parts.iter().map(|p| p.len()).sum::<usize>());
        input.extend_from_slice(PLACE_LABEL);
        input.push(kind);
        input.extend_from_slice(self.home.as_bytes());
        input.extend_from_slice(&self.generation.to_be_bytes());
        input.extend_from_slice(&(self.before.seq + 1).to_be_bytes());
        input.extend_from_slice(&self.before.hash);
        for part in parts {
            input.extend_from_slice(part);
        }
        input
    }

    pub(crate) fn message(mls: &[u8]) -> Vec<u8> {
        [&[ENTRY_VERSION, KIND_MESSAGE], mls].concat()
    }

    pub(crate) fn commit(&self, identity: &SigningKey, mls: &[u8]) -> Vec<u8> {
        let signature = identity.sign(&self.signing_input(KIND_COMMIT, &[mls]));
        [&[ENTRY_VERSION, KIND_COMMIT], signature.as_slice(), mls].concat()
    }

    pub(crate) fn proposal(&self, identity: &SigningKey, mls: &[u8]) -> Vec<u8> {
        let signature = identity.sign(&self.signing_input(KIND_PROPOSAL, &[mls]));
        [&[ENTRY_VERSION, KIND_PROPOSAL], signature.as_slice(), mls].concat()
    }

    pub(crate) fn welcome(&self, identity: &SigningKey, device: &DeviceId, sealed: &[u8]) -> Vec<u8> {
        let signature = identity.sign(&self.signing_input(KIND_WELCOME, &[device.as_bytes(), sealed]));
        [&[ENTRY_VERSION, KIND_WELCOME], device.as_bytes().as_slice(), &signature, sealed].concat()
    }

    /// A renewal says its own generation; it stands at a place of the generation it begins.
    pub(crate) fn renewal(&self, identity: &SigningKey) -> Vec<u8> {
        let signature = identity.sign(&self.signing_input(KIND_RENEWAL, &[]));
        [&[ENTRY_VERSION, KIND_RENEWAL], self.generation.to_be_bytes().as_slice(), &signature].concat()
    }

    /// Whether `hub` signed this entry for this place. A message is not signed here, but inside.
    pub(crate) fn holds(&self, hub: &[u8; 32], entry: &Envelope<'_>) -> bool {
        match entry {
            Envelope::Message(_) => true,
            Envelope::Commit { signature, mls } => verify(hub, &self.signing_input(KIND_COMMIT, &[mls]), *signature),
            Envelope::Proposal { signature, mls } => {
                verify(hub, &self.signing_input(KIND_PROPOSAL, &[mls]), *signature)
            }
            Envelope::Welcome { device, signature, sealed } => {
                verify(hub, &self.signing_input(KIND_WELCOME, &[device.as_bytes(), sealed]), *signature)
            }
            Envelope::Renewal { signature, .. } => verify(hub, &self.signing_input(KIND_RENEWAL, &[]), *signature),
        }
    }
}

/// Bytes of the padding's name in CBOR.
const PAD_NAME: usize = 4;
/// Bytes that a padded payload leaves of its last 256, for what MLS adds.
const MLS_ROOM: usize = 128;

/// The largest step of sizes.
pub(crate) const MAX_STEP: usize = 24 * 1024;
const ENTRY_VERSION: u8 = 1;
const KIND_MESSAGE: u8 = 1;
const KIND_COMMIT: u8 = 2;
const KIND_WELCOME: u8 = 3;
const KIND_RENEWAL: u8 = 4;
const KIND_PROPOSAL: u8 = 5;

const START_CONTEXT: &str = "privet 2026-11 home log start v1";
const CHAIN_CONTEXT: &str = "privet 2026-11 home log chain v1";
const PLACE_LABEL: &[u8] = b"privet log place v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_payloads_end_right_before_a_border_whatever_they_hold() {
        for step in [256, 4096] {
            for length in (0..9000).chain(65_000..66_000) {
                let body = SecretBytes::new(vec![7; length]);
                let at = Timestamp(1);
                let mut payload = Payload { generation: 1, seq: 1, prev: [0; 32], at, body, pad: Vec::new() };
                let plain = payload.encode(None).len();
                let padded = payload.encode(Some(step));
                let short = padded.len().next_multiple_of(256) - padded.len();
                assert!((MLS_ROOM..=MLS_ROOM + 2).contains(&short), "{length}: {} bytes", padded.len());
                assert_eq!((padded.len() + MLS_ROOM).next_multiple_of(256) % step, 0);
                assert!(padded.len() > plain && padded.len() < plain + step + 256);
                assert_eq!(Payload::decode(&padded).map(|read| read.body == payload.body), Ok(true));
            }
        }
    }
}
