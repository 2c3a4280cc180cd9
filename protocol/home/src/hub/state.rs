//! What the hub keeps beside the MLS group: one record, written with every step.

use privet_protocol::id::{DeviceId, HomeId, MailboxId, PairingId};
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Store;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::{SecretBytes, SigningKey};
use crate::error::HomeError;
use crate::log::{LogPosition, Place};
use crate::message::Member;
use crate::pairing::RelayAddress;
use crate::record::{check_version, decode, load_record, number, numbered, scan_all, signing_key};

/// Where the record stands.
pub(super) const STATE: &[u8] = b"home/hub/state";
const OUTBOX: &[u8] = b"home/hub/outbox/";
const HASHES: &[u8] = b"home/hub/hash/";
const PAIRINGS: &[u8] = b"home/hub/pairing/";
/// How many of the log's hashes are kept, to compare phones' receipts with.
pub(super) const HASHES_KEPT: u64 = 4096;
const VERSION: u8 = 1;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    version: u8,
    pub(super) home: HomeId,
    pub(super) generation: u32,
    pub(super) device: DeviceId,
    pub(super) name: String,
    pub(super) identity: SecretBytes,
    pub(super) capability: SecretBytes,
    /// The seed of the leaf's signature key; another one in each generation.
    pub(super) leaf: SecretBytes,
    #[serde(with = "serde_bytes")]
    pub(super) group: [u8; 16],
    pub(super) head: LogPosition,
    pub(super) sent: u64,
    pub(super) members: Vec<MemberState>,
    /// Phones that have not come back since the group was made anew.
    pub(super) absent: Vec<MemberState>,
    pub(super) last_commit: Timestamp,
    /// Whether anything was appended since then.
    pub(super) dirty: bool,
    /// Removed phones whose relay keys are still to be revoked.
    pub(super) revocations: Vec<(DeviceId, CapabilityKey)>,
    /// Until when such a phone may read the log, so that it finds its own removal there.
    #[serde(default)]
    pub(super) farewells: Vec<Farewell>,
    /// Relay keys that members left behind, still to be revoked.
    #[serde(default)]
    pub(super) left_behind: Vec<CapabilityKey>,
}

/// A removed phone that may not know it yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Farewell {
    pub(super) capability: CapabilityKey,
    pub(super) until: Timestamp,
    /// The entry that removed it.
    pub(super) last: u64,
}

impl State {
    pub(super) fn new(home: HomeId, device: DeviceId, name: &str, now: Timestamp, secrets: [SecretBytes; 3]) -> Self {
        let [identity, capability, leaf] = secrets;
        Self {
            version: VERSION,
            home,
            generation: 1,
            device,
            name: name.to_owned(),
            identity,
            capability,
            leaf,
            group: [0; 16],
            head: LogPosition::start(&home, 1, 0),
            sent: 0,
            members: Vec::new(),
            absent: Vec::new(),
            last_commit: now,
            dirty: false,
            revocations: Vec::new(),
            farewells: Vec::new(),
            left_behind: Vec::new(),
        }
    }

    pub(super) fn load(store: &dyn Store) -> Result<Option<Self>, HomeError> {
        let Some(state) = load_record::<Self>(store, STATE)? else { return Ok(None) };
        check_version(state.version, VERSION)?;
        Ok(Some(state))
    }

    pub(super) fn member(&self, device: &DeviceId) -> Option<&MemberState> {
        self.members.iter().find(|m| &m.member.device == device)
    }

    pub(super) fn member_mut(&mut self, device: &DeviceId) -> Option<&mut MemberState> {
        self.members.iter_mut().find(|m| &m.member.device == device)
    }

    pub(super) fn identity_key(&self) -> Result<SigningKey, HomeError> {
        signing_key(&self.identity, "the identity key")
    }

    pub(super) fn leaf_key(&self) -> Result<SigningKey, HomeError> {
        signing_key(&self.leaf, "the leaf key")
    }

    /// The place of the next log entry.
    pub(super) fn place(&self) -> Place<'_> {
        Place { home: &self.home, generation: self.generation, before: &self.head }
    }
}

/// A phone, as the hub knows it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct MemberState {
    pub(super) member: Member,
    pub(super) capability: CapabilityKey,
    /// The relay key that it is about to move to.
    #[serde(default)]
    pub(super) next_capability: Option<CapabilityKey>,
    pub(super) rejoin_key: SecretBytes,
    /// The first epoch of its present leaf: what claims to be older is not of this leaf.
    pub(super) since_epoch: u64,
    pub(super) window: Window,
    pub(super) rejoins: Rejoins,
}

/// Which of a phone's message numbers were seen: the highest, and the 64 below it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    highest: u64,
    below: u64,
}

impl Window {
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Takes `number` (from 1) unless it was taken before, or is too old to tell.
    pub(super) fn take(&mut self, number: u64) -> bool {
        if number > self.highest {
            let by = number - self.highest;
            self.below = if by > 64 {
                0
            } else {
                let below = if by == 64 { 0 } else { self.below << by };
                if self.highest == 0 { below } else { below | 1 << (by - 1) }
            };
            self.highest = number;
            return true;
        }
        let age = self.highest - number;
        if number == 0 || age == 0 || age > 64 || self.below & 1 << (age - 1) != 0 {
            return false;
        }
        self.below |= 1 << (age - 1);
        true
    }
}

/// The rejoin requests that were taken, so that none is taken twice.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Rejoins {
    seen: Vec<(serde_bytes::ByteBuf, Timestamp)>,
    floor: Option<Timestamp>,
}

impl Rejoins {
    const KEPT: usize = 64;

    /// Takes this nonce, made at that time, unless it was taken, or is older than those forgotten.
    pub(super) fn take(&mut self, nonce: &[u8; 16], at: Timestamp) -> bool {
        if self.floor.is_some_and(|floor| at <= floor) || self.seen.iter().any(|(seen, _)| seen.as_slice() == nonce) {
            return false;
        }
        self.seen.push((serde_bytes::ByteBuf::from(nonce.to_vec()), at));
        if self.seen.len() > Self::KEPT {
            let (_, forgotten) = self.seen.remove(0);
            self.floor = Some(self.floor.map_or(forgotten, |floor| floor.max(forgotten)));
        }
        true
    }
}

/// A pairing, kept until it is long over.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pairing {
    pub(super) id: PairingId,
    pub(super) mailbox: MailboxId,
    pub(super) relay: RelayAddress,
    pub(super) until: Timestamp,
    /// The seed of the mailbox's relay capability. It opens nothing that the mailbox holds.
    pub(super) mailbox_key: SecretBytes,
    pub(super) phase: Phase,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Nobody came yet.
    Open { psk: SecretBytes, attempts_left: u8 },
    /// A phone came with this request and got this answer; the same request gets the same answer.
    Used {
        #[serde(with = "serde_bytes")]
        request: [u8; 32],
        #[serde(with = "serde_bytes")]
        answer: Vec<u8>,
        device: DeviceId,
    },
    /// It was tried too often.
    Closed,
}

pub(super) fn outbox_key(seq: u64) -> Vec<u8> {
    numbered(OUTBOX, seq)
}

/// The number in an outbox key.
pub(super) fn outbox_seq(key: &[u8]) -> Option<u64> {
    number(OUTBOX, key)
}

pub(super) fn outbox_prefix() -> &'static [u8] {
    OUTBOX
}

pub(super) fn hash_key(seq: u64) -> Vec<u8> {
    numbered(HASHES, seq)
}

pub(super) fn hash_prefix() -> &'static [u8] {
    HASHES
}

pub(super) fn pairing_key(id: &PairingId) -> Vec<u8> {
    [PAIRINGS, id.as_bytes()].concat()
}

pub(super) fn pairings(store: &dyn Store) -> Result<Vec<Pairing>, HomeError> {
    scan_all(store, PAIRINGS)?.into_iter().map(|(_, value)| decode(&value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once_within_the_window() {
        let mut window = Window::default();
        let taken: Vec<u64> = [0, 1, 1, 3, 2, 2, 3, 70, 6, 5, 69, 70, 71, 6, 7, 8, 200, 136, 135]
            .into_iter()
            .filter(|n| window.take(*n))
            .collect();
        assert_eq!(taken, [1, 3, 2, 70, 6, 69, 71, 7, 8, 200, 136]);
        assert_eq!(window.highest(), 200);
        assert!(window.take(u64::MAX) && !window.take(u64::MAX) && window.take(u64::MAX - 64));
    }

    #[test]
    fn no_rejoin_is_taken_twice_even_when_forgotten() {
        let mut rejoins = Rejoins::default();
        let nonce = |i: u8| [i; 16];
        for i in 0..=200 {
            assert!(rejoins.take(&nonce(i), Timestamp(i64::from(i))));
        }
        for i in 0..=200 {
            assert!(!rejoins.take(&nonce(i), Timestamp(i64::from(i))));
        }
    }
}
