//! A phone's side of the home.

use std::sync::Arc;

use privet_protocol::id::{DeviceId, HomeId};
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use crate::error::{HomeError, JoinError, LogError};
use crate::log::LogPosition;
use crate::message::{HubMessage, Member, PhoneMessage};
use crate::pairing::{Offer, RelayAddress};
use crate::safety::SafetyNumber;
use crate::Env;

/// A phone's side of the home. One owner; every verb blocks for as long as the store's commit takes.
pub struct PhoneHome {
    _store: Arc<dyn Store>,
}

/// A phone that asked to join and waits for the answer. Survives a restart.
pub struct JoinAttempt {
    _store: Arc<dyn Store>,
}

/// What a log entry held.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Received {
    /// A message of the hub.
    Message {
        /// Its number.
        seq: u64,
        /// When the hub made it.
        at: Timestamp,
        /// What it says.
        message: HubMessage,
    },
    /// The members changed.
    Members(Vec<MemberChange>),
    /// This phone was removed. Its state is gone but for what it needs to say so.
    Removed,
    /// This phone was let in again after it asked to.
    Rejoined,
    /// Nothing to show: keys were renewed, or the entry is for another device.
    Other,
}

/// How the members changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// One joined.
    Joined(Member),
    /// One was removed.
    Left(Member),
    /// One lost its state and was let in again.
    Rejoined(Member),
}

/// A message on its way to the hub's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number in this phone's outbox.
    pub number: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl JoinAttempt {
    /// The attempt that waits in this store, if any.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be read.
    pub fn load(_store: Arc<dyn Store>) -> Result<Option<Self>, HomeError> {
        unimplemented!()
    }

    /// The request: goes into the mailbox's hub side, as often as need be.
    pub fn request(&self) -> &[u8] {
        unimplemented!()
    }

    /// Joins with the hub's answer. After an error the attempt still stands, in the store and here.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn complete(&mut self, _answer: &[u8], _env: Env<'_>) -> Result<PhoneHome, JoinError> {
        unimplemented!()
    }
}

impl PhoneHome {
    /// Asks to join: makes this phone's keys and the request for the hub.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn begin(
        _offer: &Offer,
        _name: &str,
        _store: Arc<dyn Store>,
        _env: Env<'_>,
    ) -> Result<(JoinAttempt, Vec<u8>), JoinError> {
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

    /// This phone's device id.
    pub fn device(&self) -> DeviceId {
        unimplemented!()
    }

    /// The hub's name.
    pub fn hub_name(&self) -> &str {
        unimplemented!()
    }

    /// The phones of the home, this one among them.
    pub fn members(&self) -> Vec<Member> {
        unimplemented!()
    }

    /// Where the relay is.
    pub fn relay(&self) -> &RelayAddress {
        unimplemented!()
    }

    /// The seed of this phone's relay key (Ed25519).
    pub fn capability(&self) -> Zeroizing<[u8; 32]> {
        unimplemented!()
    }

    /// The last entry taken.
    pub fn position(&self) -> LogPosition {
        unimplemented!()
    }

    /// The number to compare with the hub's.
    pub fn safety_number(&self) -> SafetyNumber {
        unimplemented!()
    }

    /// Whether this phone was removed.
    pub fn is_removed(&self) -> bool {
        unimplemented!()
    }

    /// Takes a log entry; `extra_for` may add the caller's own writes to the same commit.
    ///
    /// # Errors
    /// [`LogError`]; then nothing was changed.
    pub fn receive(
        &mut self,
        _entry_seq: u64,
        _entry: &[u8],
        _extra_for: impl FnOnce(&Received) -> Batch,
        _env: Env<'_>,
    ) -> Result<Received, LogError> {
        unimplemented!()
    }

    /// Makes a message for the hub; it stays in the outbox until it is reported sent.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn send(
        &mut self,
        _message: &PhoneMessage,
        _extra: Batch,
        _env: Env<'_>,
    ) -> Result<Outgoing, HomeError> {
        unimplemented!()
    }

    /// Messages that were not reported sent.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn outbox(&self) -> Result<Vec<Outgoing>, HomeError> {
        unimplemented!()
    }

    /// The relay has everything up to and including this number.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn sent(&mut self, _number: u64) -> Result<(), HomeError> {
        unimplemented!()
    }

    /// Whether this phone's keys in the group should be renewed.
    pub fn update_due(&self, _now: Timestamp) -> bool {
        unimplemented!()
    }

    /// Proposes new keys for this phone; the hub commits them.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn propose_update(&mut self, _env: Env<'_>) -> Result<Outgoing, HomeError> {
        unimplemented!()
    }

    /// Asks the hub to be let in again with the same identity.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn rejoin(&mut self, _env: Env<'_>) -> Result<Outgoing, HomeError> {
        unimplemented!()
    }
}
