//! The hub's side of the home: the only committer of the group and the only writer of the log.
//!
//! Each verb runs on a copy of the state and on the overlay, and ends in one durable commit. When it fails, or the store does,
//! copy and overlay are dropped and everything is read again from the store, so that memory and disk never disagree.

mod admit;
mod members;
mod receive;
mod relay_keys;
mod state;
mod work;

use std::sync::Arc;
use std::time::Duration;

use openmls::prelude::MlsGroup;
use privet_protocol::cbor;
use privet_protocol::id::{DeviceId, EventId, HomeId};
use privet_protocol::random::Random;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use self::state::{STATE, State, hash_key, outbox_key, outbox_prefix, outbox_seq};
use self::work::{Change, Work};
use crate::Env;
use crate::crypto::{SecretBytes, SigningKey};
use crate::error::HomeError;
use crate::group;
use crate::identity::{Credential, Fingerprint, MAX_NAME, Role};
use crate::log::{LogEntry, LogPosition, MAX_STEP};
use crate::message::{HubMessage, Member};
use crate::overlay::Overlay;
use crate::provider::Provider;
use crate::safety::SafetyNumber;

pub use self::admit::{Admitted, MAX_PHONES};
pub use self::members::Removed;
pub use self::receive::{Also, FromPhone};

/// How long after something was sent the group's keys are renewed at the latest.
pub const REFRESH_AFTER: Duration = Duration::from_secs(6 * 3600);
/// How long a removed phone may look for its removal in the log.
pub const FAREWELL: Duration = Duration::from_secs(7 * 86_400);
/// How many may at once.
const FAREWELLS: usize = 8;
const WAKE_ID: &str = "privet 2026-11 wake id v1";

/// The hub's side of the home. One owner; every verb blocks for as long as the store's commit takes.
pub struct HubHome {
    store: Arc<dyn Store>,
    provider: Provider,
    state: State,
    /// Absent after a failure, until it is read again.
    group: Option<MlsGroup>,
    /// Whether the keys were renewed since the program started.
    refreshed: bool,
    /// What messages are padded to in this run.
    step: Option<usize>,
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
    /// The relay lost entries that it had acknowledged and this hub no longer has: call [`HubHome::renew`].
    RelayLost {
        /// The relay's head.
        relay_head: u64,
        /// The last entry it acknowledged.
        acknowledged: u64,
    },
    /// The relay has entries that this hub does not know: the hub's state is an old copy. Append nothing; call
    /// [`HubHome::renew`].
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
    pub fn create(store: Arc<dyn Store>, hub_name: &str, env: Env<'_>) -> Result<Self, HomeError> {
        check_name(hub_name)?;
        if store.get(STATE)?.is_some() {
            return Err(HomeError::Exists);
        }
        let home = HomeId::generate(env.random);
        let device = DeviceId::generate(env.random);
        let secrets = [(); 3].map(|()| SecretBytes::generate(env.random));
        let mut state = State::new(home, device, hub_name, env.now, secrets);
        let provider = Provider::new(Overlay::new(store.clone()));
        let group = new_group(&provider, &mut state, env.random)?;
        let mut batch = provider.overlay.take();
        batch.put(STATE, cbor::encode(&state));
        store.commit(batch)?;
        Ok(Self { store, provider, state, group: Some(group), refreshed: true, step: None })
    }

    /// The home in this store, if there is one.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be read.
    pub fn load(store: Arc<dyn Store>) -> Result<Option<Self>, HomeError> {
        let Some(state) = State::load(&store)? else { return Ok(None) };
        let provider = Provider::new(Overlay::new(store.clone()));
        let mut home = Self { store, provider, state, group: None, refreshed: false, step: None };
        home.reload()?;
        Ok(Some(home))
    }

    /// The home's id at the relay.
    pub fn home_id(&self) -> HomeId {
        self.state.home
    }

    /// The hub's device id.
    pub fn device(&self) -> DeviceId {
        self.state.device
    }

    /// The hub's name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// How often the group was made: 1, and one more for each [`Self::renew`].
    pub fn generation(&self) -> u32 {
        self.state.generation
    }

    /// The hub's identity key.
    pub fn identity(&self) -> [u8; 32] {
        // A seed that is no seed can't be loaded; `reload` checks it.
        SigningKey::from_seed(&self.state.identity).map(|key| key.public()).unwrap_or_default()
    }

    /// The identity key's signature over [`NOTICE_LABEL`](crate::identity::NOTICE_LABEL) and `message`: for notifications,
    /// which no log carries.
    pub fn sign_notice(&self, message: &[u8]) -> [u8; 64] {
        let signed = [crate::identity::NOTICE_LABEL, message].concat();
        // The key was read when the home was loaded.
        SigningKey::from_seed(&self.state.identity).map_or([0; 64], |key| key.sign(&signed))
    }

    /// The hash of the hub's identity key.
    pub fn identity_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.identity())
    }

    /// The phones of the home. Phones that have not come back since [`Self::renew`] are among them.
    pub fn members(&self) -> Vec<Member> {
        self.state.members.iter().chain(&self.state.absent).map(|m| m.member.clone()).collect()
    }

    /// The log's head.
    pub fn head(&self) -> LogPosition {
        self.state.head
    }

    /// The seed of the key that owns the home at the relay (Ed25519).
    pub fn capability(&self) -> Zeroizing<[u8; 32]> {
        self.state.capability.key().unwrap_or_default()
    }

    /// The name under which the relay is asked to wake `device` for `event`: the same every time, and nothing that the relay could
    /// tell another one's event or a clip by.
    pub fn wake_id(&self, event: &EventId, device: &DeviceId) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_derive_key(WAKE_ID);
        hasher.update(self.state.capability.expose()).update(event.as_bytes()).update(device.as_bytes());
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        id
    }

    /// Relay keys of removed phones that were not reported revoked yet.
    pub fn revocations(&self) -> Vec<CapabilityKey> {
        self.state.revocations.iter().map(|(_, key)| *key).collect()
    }

    /// Up to which entry the phone that this key was of may still read the log, and nothing else: so one that was away finds the
    /// commit that removed it. Until [`FAREWELL`] is over, or the key is reported [`Self::revoked`].
    pub fn farewell(&self, key: &CapabilityKey, now: Timestamp) -> Option<u64> {
        // A clock that was set back makes none longer.
        let lasts = |until: Timestamp| now < until && until.since(now) <= FAREWELL;
        self.state.farewells.iter().find(|one| &one.capability == key && lasts(one.until)).map(|one| one.last)
    }

    /// The relay has revoked this key.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn revoked(&mut self, key: &CapabilityKey) -> Result<(), HomeError> {
        let mut state = self.state.clone();
        state.revocations.retain(|(_, revoked)| revoked != key);
        state.farewells.retain(|one| &one.capability != key);
        self.keep(state, Batch::new())
    }

    /// The number to compare with a phone's.
    pub fn safety_number(&self, device: DeviceId) -> Option<SafetyNumber> {
        let member = self.state.members.iter().chain(&self.state.absent).find(|m| m.member.device == device)?;
        Some(SafetyNumber::between(&self.identity(), &member.member.identity))
    }

    /// From now on the entries of all messages have one size, or a multiple of it: `step` and what MLS adds. In bytes, rounded to
    /// a multiple of 256 from 512 to 24 KiB. Commits, proposals and welcomes keep their sizes: they come when members do.
    pub fn pad_messages(&mut self, step: usize) {
        self.step = Some((step / 256 * 256).clamp(512, MAX_STEP));
    }

    /// Appends messages to the log.
    ///
    /// # Errors
    /// [`HomeError`]; then nothing was appended.
    pub fn append(&mut self, messages: &[HubMessage], extra: Batch, env: Env<'_>) -> Result<Vec<LogEntry>, HomeError> {
        self.step(extra, env.now, |work| {
            messages.iter().try_for_each(|message| work.say(message))?;
            Ok(())
        })
        .map(|((), entries)| entries)
    }

    /// Entries that the relay did not acknowledge yet, from number `from` on.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn outbox(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, HomeError> {
        let entries = self.store.scan(outbox_prefix(), &outbox_key(from), limit)?;
        Ok(entries.into_iter().filter_map(|(key, bytes)| Some(LogEntry { seq: outbox_seq(&key)?, bytes })).collect())
    }

    /// The relay acknowledged everything up to and including `upto`: it leaves the outbox.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn sent(&mut self, upto: u64) -> Result<(), HomeError> {
        let upto = upto.min(self.state.head.seq);
        let mut batch = Batch::new();
        for seq in self.state.sent + 1..=upto {
            batch.delete(outbox_key(seq));
        }
        let mut state = self.state.clone();
        state.sent = state.sent.max(upto);
        self.keep(state, batch)
    }

    /// Compares the relay's head with the hub's. Do it after every connect, before anything is appended.
    pub fn check_head(&self, relay_head: u64) -> HeadCheck {
        if relay_head > self.state.head.seq {
            HeadCheck::RolledBack { relay_head, hub_head: self.state.head.seq }
        } else if relay_head < self.state.sent {
            HeadCheck::RelayLost { relay_head, acknowledged: self.state.sent }
        } else if relay_head < self.state.head.seq {
            HeadCheck::RelayBehind { from: relay_head + 1 }
        } else {
            HeadCheck::InStep
        }
    }

    /// The hash of the log up to this entry, while it is kept (the last 4096 are).
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn hash_at(&self, seq: u64) -> Result<Option<[u8; 32]>, HomeError> {
        Ok(self.store.get(&hash_key(seq))?.and_then(|hash| hash.try_into().ok()))
    }

    /// What an insider at the hub would hold, for tests of the rules that phones enforce.
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
        extra: Batch,
        now: Timestamp,
        verb: impl FnOnce(&mut Work<'_>) -> Result<T, E>,
    ) -> Result<(T, Vec<LogEntry>), E> {
        if self.group.is_none() {
            self.reload()?;
        }
        let Some(group) = self.group.take() else {
            return Err(HomeError::Damaged("the group is missing".into()).into());
        };
        let (state, step) = (self.state.clone(), self.step);
        let mut work = Work { provider: &self.provider, group, state, batch: extra, entries: Vec::new(), now, step };
        let result = verb(&mut work);
        let Work { group, state, mut batch, entries, .. } = work;
        let value = match result {
            Ok(value) => value,
            Err(error) => {
                self.recover();
                return Err(error);
            }
        };
        batch.merge(self.provider.overlay.take());
        batch.put(STATE, cbor::encode(&state));
        if let Err(error) = self.store.commit(batch) {
            self.recover();
            return Err(HomeError::from(error).into());
        }
        self.state = state;
        self.group = Some(group);
        Ok((value, entries))
    }

    /// Keeps a changed record; the group is not touched.
    fn keep(&mut self, state: State, mut batch: Batch) -> Result<(), HomeError> {
        batch.put(STATE, cbor::encode(&state));
        match self.store.commit(batch) {
            Ok(()) => {
                self.state = state;
                Ok(())
            }
            Err(error) => {
                self.recover();
                Err(error.into())
            }
        }
    }

    /// After a failure: what is in memory may be half a step ahead of the disk, or (when the store wrote but could not say
    /// so) behind it. Reads the truth again; when that fails too, the next step tries once more.
    fn recover(&mut self) {
        self.provider.overlay.discard();
        self.group = None;
        let _ = self.reload();
    }

    fn reload(&mut self) -> Result<(), HomeError> {
        self.provider.overlay.discard();
        self.group = None;
        let state = State::load(&self.store)?.ok_or_else(|| HomeError::Damaged("it is gone".into()))?;
        state.identity_key()?;
        let group = group::load(&self.provider, &state.group)?
            .ok_or_else(|| HomeError::Damaged("the group is missing".into()))?;
        self.state = state;
        self.group = Some(group);
        Ok(())
    }
}

/// A group of this home's next generation, with the hub alone in it.
fn new_group(provider: &Provider, state: &mut State, random: &dyn Random) -> Result<MlsGroup, HomeError> {
    random.fill(&mut state.group);
    state.leaf = SecretBytes::generate(random);
    let identity = state.identity_key()?;
    let leaf = state.leaf_key()?;
    let credential = Credential::sign(Role::Hub, state.device, &state.name, &identity, &leaf.public());
    group::create(provider, &leaf, &credential, &state.group)
}

/// A device's name is there, and not too long.
///
/// # Errors
/// [`HomeError::BadName`] with what is allowed.
pub fn check_name(name: &str) -> Result<(), HomeError> {
    if name.len() > MAX_NAME || name.is_empty() {
        return Err(HomeError::BadName { length: name.len(), limit: MAX_NAME });
    }
    Ok(())
}
