//! A phone's side of the home: follows the log and speaks to the hub.
//!
//! Each verb runs on a copy of the state and on the overlay, and ends in one durable commit, as at the hub. A state that no
//! longer fits the group (a restored backup, lost MLS state) is not an end: the identity is enough to rejoin.

mod join;
mod receive;
mod relay_key;
mod send;
mod state;

use std::sync::Arc;
use std::time::Duration;

use openmls::prelude::MlsGroup;
use privet_protocol::cbor;
use privet_protocol::id::{DeviceId, HomeId};
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use self::state::{STATE, State};
use crate::crypto::SigningKey;
use crate::error::HomeError;
use crate::group;
use crate::log::LogPosition;
use crate::message::Member;
use crate::overlay::{Overlay, OverlayError};
use crate::pairing::RelayAddress;
use crate::policy::Met;
use crate::provider::Provider;
use crate::safety::SafetyNumber;

pub use self::join::JoinAttempt;
pub use self::receive::{MemberChange, Received};
pub use self::send::Outgoing;

/// How old this phone's keys in the group may become.
pub const UPDATE_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How long a proposed renewal may take before it is proposed again.
pub const UPDATE_PATIENCE: Duration = Duration::from_secs(600);

/// A phone's side of the home. One owner; every verb blocks for as long as the store's commit takes.
pub struct PhoneHome {
    store: Arc<dyn Store>,
    provider: Provider,
    state: State,
    /// Absent when it was removed or lost, and after a failure until it is read again.
    group: Option<MlsGroup>,
    met: Met,
}

/// A step under way: everything it changes, until it is durable as a whole or dropped as a whole.
struct Work<'a> {
    store: &'a dyn Store,
    provider: &'a Provider,
    met: &'a mut Met,
    group: Option<MlsGroup>,
    state: State,
    batch: Batch,
    /// The MLS state is another group's from now on: what was kept before is deleted.
    fresh: bool,
    now: Timestamp,
}

impl PhoneHome {
    /// The home in this store, if there is one.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be read.
    pub fn load(store: Arc<dyn Store>) -> Result<Option<Self>, HomeError> {
        let Some(state) = State::load(&store)? else { return Ok(None) };
        let provider = Provider::new(Overlay::new(store.clone()));
        let mut home = Self { store, provider, state, group: None, met: Met::default() };
        home.reload()?;
        Ok(Some(home))
    }

    /// The home's id at the relay.
    pub fn home_id(&self) -> HomeId {
        self.state.home
    }

    /// The home's generation that this phone follows.
    pub fn generation(&self) -> u32 {
        self.state.generation
    }

    /// This phone's device id.
    pub fn device(&self) -> DeviceId {
        self.state.device
    }

    /// The hub's name.
    pub fn hub_name(&self) -> &str {
        &self.state.hub.name
    }

    /// The hub's identity key, as it was pinned.
    pub fn hub_identity(&self) -> [u8; 32] {
        self.state.hub.identity
    }

    /// The phones of the home, this one among them.
    pub fn members(&self) -> Vec<Member> {
        self.state.members.clone()
    }

    /// Where the relay is.
    pub fn relay(&self) -> &RelayAddress {
        &self.state.relay
    }

    /// The seed of this phone's relay key (Ed25519).
    pub fn capability(&self) -> Zeroizing<[u8; 32]> {
        self.state.capability.key().unwrap_or_default()
    }

    /// The last entry taken: acknowledge up to it, read on after it.
    pub fn position(&self) -> LogPosition {
        self.state.position
    }

    /// When the hub made the last message that was taken: how fresh what this phone knows is.
    pub fn hub_time(&self) -> Timestamp {
        self.state.hub_time
    }

    /// The number to compare with the hub's.
    pub fn safety_number(&self) -> SafetyNumber {
        let own = SigningKey::from_seed(&self.state.identity).map(|key| key.public()).unwrap_or_default();
        SafetyNumber::between(&own, &self.state.hub.identity)
    }

    /// Whether this phone was removed.
    pub fn is_removed(&self) -> bool {
        self.state.removed
    }

    /// Whether nothing can be read until a rejoin: call [`Self::rejoin`], unless [`Self::is_rejoining`].
    pub fn needs_rejoin(&self) -> bool {
        !self.state.removed && (self.state.lost || self.group.is_none())
    }

    /// Whether a rejoin was asked for and not answered yet. Asking again replaces the request.
    pub fn is_rejoining(&self) -> bool {
        self.state.rejoining.is_some()
    }

    /// What an insider with a phone would hold, for tests of the rules that the others enforce.
    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    pub(crate) fn raw(&mut self) -> crate::attack::Raw<'_> {
        crate::attack::Raw {
            provider: &self.provider,
            group: self.group.as_mut().unwrap(),
            leaf: self.state.leaf_key().unwrap(),
            identity: self.state.identity_key().unwrap(),
        }
    }

    /// Runs a step and makes it durable. `Ok` means it is.
    fn step<T, E: From<HomeError>>(
        &mut self,
        now: Timestamp,
        verb: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.group.is_none() {
            self.reload()?;
        }
        let mut work = Work {
            store: &self.store,
            provider: &self.provider,
            met: &mut self.met,
            group: self.group.take(),
            state: self.state.clone(),
            batch: Batch::new(),
            fresh: false,
            now,
        };
        let result = verb(&mut work);
        let Work { group, state, mut batch, fresh, .. } = work;
        let committed = result.and_then(|value| {
            let overlay = &self.provider.overlay;
            let mls = if fresh { overlay.take_fresh().map_err(HomeError::from)? } else { overlay.take() };
            batch.merge(mls);
            batch.put(STATE, cbor::encode(&state));
            self.store.commit(batch).map_err(HomeError::from)?;
            Ok(value)
        });
        match committed {
            Ok(value) => {
                self.state = state;
                self.group = group;
                Ok(value)
            }
            Err(error) => {
                // Reads the truth again; when that fails too, the next step tries once more.
                self.provider.overlay.discard();
                self.group = None;
                let _ = self.reload();
                Err(error)
            }
        }
    }

    fn reload(&mut self) -> Result<(), HomeError> {
        self.provider.overlay.discard();
        self.group = None;
        self.state = State::load(&self.store)?.ok_or_else(|| HomeError::Damaged("it is gone".into()))?;
        if self.state.removed {
            return Ok(());
        }
        self.group = match group::load(&self.provider, &self.state.group) {
            Ok(group) => group,
            // The identity is intact, so this phone can still rejoin.
            Err(OverlayError::Damaged(_)) => None,
            Err(OverlayError::Store(error)) => return Err(error.into()),
        };
        Ok(())
    }
}
