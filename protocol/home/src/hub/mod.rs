//! The hub's side of the home.

use std::sync::Arc;
use std::time::Duration;

use privet_protocol::id::{DeviceId, HomeId, PairingId};
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use crate::error::{AdmitError, HomeError, ReceiveError};
use crate::identity::Fingerprint;
use crate::log::{LogEntry, LogPosition};
use crate::message::{HubMessage, Member, PhoneMessage};
use crate::pairing::{Invitation, RelayAddress};
use crate::safety::SafetyNumber;
use crate::Env;

/// The hub's side of the home. One owner; every verb blocks for as long as the store's commit takes.
pub struct HubHome {
    _store: Arc<dyn Store>,
}

/// A phone became a member.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Goes into the mailbox's phone side, once the capability is granted.
    pub answer: Vec<u8>,
    /// The new member.
    pub member: Member,
    /// The phone's relay key: grant it a phone's rights before the answer is posted.
    pub capability: CapabilityKey,
    /// Log entries to append at the relay.
    pub entries: Vec<LogEntry>,
}

/// A device was removed.
#[derive(Debug, Clone)]
pub struct Removed {
    /// Its relay key: revoke it.
    pub capability: CapabilityKey,
    /// Log entries to append at the relay.
    pub entries: Vec<LogEntry>,
}

/// What an inbox message held.
#[derive(Debug, Clone)]
pub struct FromPhone {
    /// Who sent it.
    pub device: DeviceId,
    /// What it says; absent for messages that concern the group alone.
    pub message: Option<PhoneMessage>,
    /// Log entries to append at the relay.
    pub entries: Vec<LogEntry>,
}

/// How the relay's log relates to the hub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadCheck {
    /// The relay has everything.
    InStep,
    /// The relay lacks the entries from this one on: append them from the outbox.
    RelayBehind {
        /// The first one it lacks.
        from: u64,
    },
    /// The relay has entries that this hub does not know: the hub's state is an old copy and must not be used.
    RolledBack {
        /// The relay's head.
        relay_head: u64,
        /// The hub's.
        hub_head: u64,
    },
}

impl HubHome {
    /// Founds a home in an empty store.
    ///
    /// # Errors
    /// [`HomeError::Exists`] when the store holds a home.
    pub fn create(_store: Arc<dyn Store>, _hub_name: &str, _env: Env<'_>) -> Result<Self, HomeError> {
        unimplemented!()
    }

    /// The home in this store, if there is one.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be read.
    pub fn load(_store: Arc<dyn Store>) -> Result<Option<Self>, HomeError> {
        unimplemented!()
    }

    /// The home's id at the relay.
    pub fn home_id(&self) -> HomeId {
        unimplemented!()
    }

    /// The hub's device id.
    pub fn device(&self) -> DeviceId {
        unimplemented!()
    }

    /// The hub's name.
    pub fn name(&self) -> &str {
        unimplemented!()
    }

    /// How often the group was made anew.
    pub fn generation(&self) -> u32 {
        unimplemented!()
    }

    /// The hash of the hub's identity key.
    pub fn identity_fingerprint(&self) -> Fingerprint {
        unimplemented!()
    }

    /// The phones of the home.
    pub fn members(&self) -> Vec<Member> {
        unimplemented!()
    }

    /// The log's head.
    pub fn head(&self) -> LogPosition {
        unimplemented!()
    }

    /// The seed of the key that owns the home at the relay (Ed25519).
    pub fn capability(&self) -> Zeroizing<[u8; 32]> {
        unimplemented!()
    }

    /// The relay keys of all phones: each may have a phone's rights.
    pub fn capabilities(&self) -> Vec<CapabilityKey> {
        unimplemented!()
    }

    /// Relay keys of removed phones that were not reported revoked yet.
    pub fn revocations(&self) -> Vec<CapabilityKey> {
        unimplemented!()
    }

    /// The relay has revoked this key.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn revoked(&mut self, _key: &CapabilityKey) -> Result<(), HomeError> {
        unimplemented!()
    }

    /// Appends messages to the log.
    ///
    /// # Errors
    /// [`HomeError`]; then nothing was appended.
    pub fn append(
        &mut self,
        _messages: &[HubMessage],
        _extra: Batch,
        _env: Env<'_>,
    ) -> Result<Vec<LogEntry>, HomeError> {
        unimplemented!()
    }

    /// Entries that the relay did not acknowledge yet.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn outbox(&self, _from: u64, _limit: usize) -> Result<Vec<LogEntry>, HomeError> {
        unimplemented!()
    }

    /// The relay acknowledged everything up to and including `upto`.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn sent(&mut self, _upto: u64) -> Result<(), HomeError> {
        unimplemented!()
    }

    /// Opens a pairing.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn invite(
        &mut self,
        _relay: &RelayAddress,
        _ttl: Duration,
        _env: Env<'_>,
    ) -> Result<Invitation, HomeError> {
        unimplemented!()
    }

    /// The pairings that are open.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn invitations(&self, _now: Timestamp) -> Result<Vec<Invitation>, HomeError> {
        unimplemented!()
    }

    /// Closes a pairing.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn cancel(&mut self, _pairing: PairingId) -> Result<(), HomeError> {
        unimplemented!()
    }

    /// Admits the phone that made this request, and tells it and everyone else `snapshot`.
    ///
    /// # Errors
    /// [`AdmitError`].
    pub fn admit(
        &mut self,
        _pairing: PairingId,
        _request: &[u8],
        _snapshot: &[HubMessage],
        _env: Env<'_>,
    ) -> Result<Admitted, AdmitError> {
        unimplemented!()
    }

    /// Takes a message from the inbox.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub fn receive(
        &mut self,
        _message: &[u8],
        _extra: Batch,
        _env: Env<'_>,
    ) -> Result<FromPhone, ReceiveError> {
        unimplemented!()
    }

    /// Removes a phone; `by` is the phone that asked for it, if one did.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn remove(
        &mut self,
        _device: DeviceId,
        _by: Option<DeviceId>,
        _extra: Batch,
        _env: Env<'_>,
    ) -> Result<Removed, HomeError> {
        unimplemented!()
    }

    /// Renews the group's keys when that is due.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn refresh(&mut self, _env: Env<'_>) -> Result<Vec<LogEntry>, HomeError> {
        unimplemented!()
    }

    /// Compares the relay's head with the hub's.
    pub fn check_head(&self, _relay_head: u64) -> HeadCheck {
        unimplemented!()
    }

    /// The number to compare with a phone's.
    pub fn safety_number(&self, _device: DeviceId) -> Option<SafetyNumber> {
        unimplemented!()
    }
}
