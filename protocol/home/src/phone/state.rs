//! What a phone keeps beside the MLS group: one record, written with every step.

use privet_protocol::id::{DeviceId, HomeId, PairingId};
use privet_protocol::storage::Store;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::{SecretBytes, SigningKey};
use crate::error::HomeError;
use crate::inbox::Payload;
use crate::log::{LogPosition, Place};
use crate::message::Member;
use crate::pairing::RelayAddress;
use crate::record::{check_version, decode, load_record, number, numbered, scan_all, signing_key};

/// Where the record stands.
pub(super) const STATE: &[u8] = b"home/phone/state";
/// Where a join that waits for its answer stands.
pub(super) const ATTEMPT: &[u8] = b"home/phone/join";
const OUTBOX: &[u8] = b"home/phone/outbox/";
const VERSION: u8 = 1;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct State {
    version: u8,
    pub(super) home: HomeId,
    pub(super) generation: u32,
    pub(super) device: DeviceId,
    pub(super) hub: Hub,
    pub(super) relay: RelayAddress,
    pub(super) identity: SecretBytes,
    pub(super) capability: SecretBytes,
    /// The relay key that the hub was asked to let in, until this phone moves to it.
    #[serde(default)]
    pub(super) next_capability: Option<SecretBytes>,
    /// Whether it moved before: a hub that came back from a backup may know an older key.
    #[serde(default)]
    pub(super) moved: bool,
    pub(super) rejoin_key: SecretBytes,
    /// The seed of the leaf's signature key; another one after each rejoin.
    pub(super) leaf: SecretBytes,
    #[serde(with = "serde_bytes")]
    pub(super) group: [u8; 16],
    pub(super) position: LogPosition,
    /// The time of the last message of the hub.
    pub(super) hub_time: Timestamp,
    pub(super) members: Vec<Member>,
    /// Pairings whose MLS key was announced and not yet used.
    pub(super) announced: Vec<PairingId>,
    /// The number of the last message made, within this membership.
    pub(super) said: u64,
    /// The number of the last outbox record.
    pub(super) queued: u64,
    /// When this phone's keys were last renewed.
    pub(super) updated: Option<Timestamp>,
    /// The renewal that is under way: its epoch and when it was proposed.
    pub(super) updating: Option<(u64, Timestamp)>,
    pub(super) rejoining: Option<Rejoining>,
    /// The home's generation is a later one, or the state does not fit: nothing can be read until a rejoin.
    pub(super) lost: bool,
    pub(super) removed: bool,
}

/// The hub as it was pinned.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Hub {
    pub(super) device: DeviceId,
    pub(super) name: String,
    #[serde(with = "serde_bytes")]
    pub(super) identity: [u8; 32],
}

/// A rejoin that waits for its answer.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rejoining {
    #[serde(with = "serde_bytes")]
    pub(super) nonce: [u8; 16],
    pub(super) leaf: SecretBytes,
    pub(super) name: String,
}

/// A join that waits for its answer.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Attempt {
    version: u8,
    pub(super) pairing: PairingId,
    pub(super) psk: SecretBytes,
    #[serde(with = "serde_bytes")]
    pub(super) hub: [u8; 32],
    pub(super) until: Timestamp,
    pub(super) relay: RelayAddress,
    pub(super) device: DeviceId,
    pub(super) name: String,
    pub(super) identity: SecretBytes,
    pub(super) capability: SecretBytes,
    pub(super) leaf: SecretBytes,
    #[serde(with = "serde_bytes")]
    pub(super) request: Vec<u8>,
}

/// What of a new member's state is not derived.
pub(super) struct Founding {
    pub(super) home: HomeId,
    pub(super) generation: u32,
    pub(super) hub: Hub,
    pub(super) rejoin_key: SecretBytes,
    pub(super) group: [u8; 16],
    pub(super) position: LogPosition,
    pub(super) members: Vec<Member>,
    pub(super) now: Timestamp,
}

impl State {
    pub(super) fn new(attempt: &Attempt, founding: Founding) -> Self {
        Self {
            version: VERSION,
            home: founding.home,
            generation: founding.generation,
            device: attempt.device,
            hub: founding.hub,
            relay: attempt.relay.clone(),
            identity: attempt.identity.clone(),
            capability: attempt.capability.clone(),
            next_capability: None,
            moved: false,
            rejoin_key: founding.rejoin_key,
            leaf: attempt.leaf.clone(),
            group: founding.group,
            position: founding.position,
            hub_time: founding.now,
            members: founding.members,
            announced: Vec::new(),
            said: 0,
            queued: 0,
            updated: None,
            updating: None,
            rejoining: None,
            lost: false,
            removed: false,
        }
    }

    pub(super) fn load(store: &dyn Store) -> Result<Option<Self>, HomeError> {
        let Some(state) = load_record::<Self>(store, STATE)? else { return Ok(None) };
        check_version(state.version, VERSION)?;
        Ok(Some(state))
    }

    pub(super) fn identity_key(&self) -> Result<SigningKey, HomeError> {
        signing_key(&self.identity, "the identity key")
    }

    pub(super) fn leaf_key(&self) -> Result<SigningKey, HomeError> {
        signing_key(&self.leaf, "the leaf key")
    }

    /// The place of the next log entry.
    pub(super) fn place(&self) -> Place<'_> {
        Place { home: &self.home, generation: self.generation, before: &self.position }
    }

    /// This device's name.
    pub(super) fn name(&self) -> &str {
        self.members.iter().find(|m| m.device == self.device).map_or("", |m| &m.name)
    }
}

impl Attempt {
    pub(super) fn new(
        offer: &crate::pairing::Offer,
        device: DeviceId,
        name: &str,
        identity: SecretBytes,
        capability: SecretBytes,
        leaf: SecretBytes,
        request: Vec<u8>,
    ) -> Self {
        Self {
            version: VERSION,
            pairing: offer.pairing(),
            psk: SecretBytes::new(offer.psk.to_vec()),
            hub: *offer.hub_fingerprint().as_bytes(),
            until: offer.until(),
            relay: offer.relay().clone(),
            device,
            name: name.to_owned(),
            identity,
            capability,
            leaf,
            request,
        }
    }

    pub(super) fn load(store: &dyn Store) -> Result<Option<Self>, HomeError> {
        let Some(attempt) = load_record::<Self>(store, ATTEMPT)? else { return Ok(None) };
        check_version(attempt.version, VERSION)?;
        Ok(Some(attempt))
    }
}

/// A message in the outbox: its bytes, and what is needed to make it anew when the group has moved on.
#[derive(Serialize, Deserialize)]
pub(super) struct Queued {
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
    pub(super) content: Content,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Content {
    /// A message: encrypted again after each commit, under the same number, so that the hub takes it once.
    Message(Payload),
    /// A renewal of keys: worthless after the next commit.
    Update,
    /// A request to be let in again: good until it is answered, or asked anew.
    Rejoin,
}

/// All that was not reported sent, oldest first.
pub(super) fn outbox(store: &dyn Store) -> Result<Vec<(u64, Queued)>, HomeError> {
    scan_all(store, OUTBOX)?
        .into_iter()
        .filter_map(|(key, value)| Some((number(OUTBOX, &key)?, value)))
        .map(|(number, value)| Ok((number, decode(&value)?)))
        .collect()
}

pub(super) fn outbox_key(number: u64) -> Vec<u8> {
    numbered(OUTBOX, number)
}
