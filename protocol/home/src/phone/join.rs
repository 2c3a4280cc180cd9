//! Joining by QR code.

use std::sync::Arc;

use openmls::prelude::{MlsGroup, StagedWelcome};
use privet_protocol::cbor;
use privet_protocol::id::DeviceId;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;

use super::PhoneHome;
use super::state::{ATTEMPT, Attempt, Founding, Hub, STATE, State, outbox, outbox_key};
use crate::Env;
use crate::crypto::SecretBytes;
use crate::error::{HomeError, JoinError};
use crate::group::{self, PHONE_PAST_EPOCHS};
use crate::hub::check_name;
use crate::identity::{Credential, Fingerprint, Role};
use crate::message::Member;
use crate::overlay::Overlay;
use crate::pairing::{Answer, AnswerError, Keys, Offer, Request, open_answer, seal_request};
use crate::policy::{self, Met, PolicyError};
use crate::provider::Provider;
use crate::record::signing_key;

/// A phone that asked to join and waits for the answer. Survives a restart.
pub struct JoinAttempt {
    store: Arc<dyn Store>,
    attempt: Attempt,
}

impl PhoneHome {
    /// Asks to join: makes this phone's keys and the request for the hub, and keeps them. An earlier attempt in this store is
    /// given up.
    ///
    /// # Errors
    /// [`HomeError::Exists`] when the store holds a home that this phone was not removed from.
    pub fn begin(
        offer: &Offer,
        name: &str,
        store: Arc<dyn Store>,
        env: Env<'_>,
    ) -> Result<(JoinAttempt, Vec<u8>), JoinError> {
        check_name(name)?;
        if env.now >= offer.until() {
            return Err(JoinError::Expired);
        }
        if State::load(&store)?.is_some_and(|state| !state.removed) {
            return Err(HomeError::Exists.into());
        }
        let provider = Provider::new(Overlay::new(store.clone()));
        let device = DeviceId::generate(env.random);
        let [identity, capability, leaf] = [(); 3].map(|()| SecretBytes::generate(env.random));
        let identity_key = signing_key(&identity, "a key")?;
        let leaf_key = signing_key(&leaf, "a key")?;
        let credential = Credential::sign(Role::Phone, device, name, &identity_key, &leaf_key.public());
        let package = group::key_package(&provider, &leaf_key, &credential)?;
        let relay_key = CapabilityKey(signing_key(&capability, "a key")?.public());
        let request = Request::sign(&offer.pairing(), device, name, &identity_key, relay_key, package);
        let request = seal_request(&offer.keys(), &offer.pairing(), &request, env.random);

        let attempt = Attempt::new(offer, device, name, identity, capability, leaf, request.clone());
        let mut batch = provider.overlay.take_fresh()?;
        batch.put(ATTEMPT, cbor::encode(&attempt));
        store.commit(batch)?;
        Ok((JoinAttempt { store, attempt }, request))
    }
}

impl JoinAttempt {
    /// The attempt that waits in this store, if any.
    ///
    /// # Errors
    /// [`HomeError`] when it can't be read.
    pub fn load(store: Arc<dyn Store>) -> Result<Option<Self>, HomeError> {
        Ok(Attempt::load(&store)?.map(|attempt| Self { store, attempt }))
    }

    /// The request: goes into the mailbox's hub side, as often as need be; the hub answers it once and for all.
    pub fn request(&self) -> &[u8] {
        &self.attempt.request
    }

    /// What is needed to find the mailbox again after a restart: relay, mailbox id and the seed of its key.
    pub fn rendezvous(&self) -> Result<(&crate::pairing::RelayAddress, Keys), HomeError> {
        Ok((&self.attempt.relay, self.keys()?))
    }

    /// Until when the hub takes the request.
    pub fn until(&self) -> Timestamp {
        self.attempt.until
    }

    /// Gives the attempt up.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn cancel(self) -> Result<(), HomeError> {
        let mut batch = Overlay::new(self.store.clone()).take_fresh()?;
        batch.delete(ATTEMPT);
        Ok(self.store.commit(batch)?)
    }

    /// Joins with the hub's answer. After an error the attempt still stands, in the store and here: a genuine answer can
    /// still come after a forged one.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn complete(&mut self, answer: &[u8], env: Env<'_>) -> Result<PhoneHome, JoinError> {
        // A commit that was written but reported failed has joined already.
        if let Some(home) = self.completed_before()? {
            return Ok(home);
        }
        let keys = self.keys()?;
        let answer = open_answer(&keys, &self.attempt.pairing, answer).map_err(|error| match error {
            AnswerError::Version(version) => JoinError::Version(version),
            AnswerError::Forged => JoinError::Forged("it is not sealed under this pairing's key".into()),
            AnswerError::Unreadable(cause) => JoinError::Forged(cause),
        })?;
        if Fingerprint::of(&answer.hub_identity).as_bytes() != &self.attempt.hub {
            return Err(JoinError::WrongHub);
        }
        // The overlay keeps the KeyPackage safe: openmls takes it out of the storage before it has read the Welcome.
        let provider = Provider::new(Overlay::new(self.store.clone()));
        let (state, group) = self.join(&provider, &keys, answer, env)?;
        let mut batch = provider.overlay.take_fresh()?;
        batch.delete(ATTEMPT);
        batch.merge(forget_outbox(&self.store)?);
        batch.put(STATE, cbor::encode(&state));
        self.store.commit(batch)?;
        Ok(PhoneHome { store: self.store.clone(), provider, state, group: Some(group), met: Met::default() })
    }

    fn join(
        &self,
        provider: &Provider,
        keys: &Keys,
        answer: Answer,
        env: Env<'_>,
    ) -> Result<(State, MlsGroup), JoinError> {
        let attempt = &self.attempt;
        group::keep_psk(provider, attempt.pairing.as_bytes(), keys.mls.as_ref())?;
        let leaf = signing_key(&attempt.leaf, "a key")?;
        let own = Credential::sign(
            Role::Phone,
            attempt.device,
            &attempt.name,
            &signing_key(&attempt.identity, "a key")?,
            &leaf.public(),
        );
        let (group, credentials) =
            enter(provider, &answer.welcome, &answer.hub_identity, &own).map_err(|error| error.into_join())?;
        group::forget_psk(provider, attempt.pairing.as_bytes())?;
        let founding = Founding {
            home: answer.home,
            generation: answer.generation,
            hub: Hub { device: answer.hub, name: answer.hub_name, identity: answer.hub_identity },
            rejoin_key: answer.rejoin_key,
            group: group_id(&group)?,
            position: answer.position,
            members: members(&credentials, &answer.members)?,
            now: env.now,
        };
        Ok((State::new(attempt, founding), group))
    }

    fn completed_before(&self) -> Result<Option<PhoneHome>, JoinError> {
        if Attempt::load(&self.store)?.is_some() {
            return Ok(None);
        }
        let home = PhoneHome::load(self.store.clone())?;
        Ok(home.filter(|home| home.device() == self.attempt.device))
    }

    fn keys(&self) -> Result<Keys, HomeError> {
        let psk = self.attempt.psk.key().ok_or_else(|| HomeError::Damaged("the pairing's key".into()))?;
        Ok(Keys::derive(&self.attempt.pairing, &psk))
    }
}

/// Why a Welcome did not lead into a group.
pub(super) enum EnterError {
    Welcome(String),
    Policy(PolicyError),
    Home(HomeError),
}

impl EnterError {
    fn into_join(self) -> JoinError {
        match self {
            Self::Welcome(cause) => JoinError::Forged(cause),
            Self::Policy(error) => error.into(),
            Self::Home(error) => error.into(),
        }
    }
}

/// Enters the group that a Welcome leads to, if it is one this phone may enter. The private keys of its KeyPackage must be
/// in the overlay; lifetimes are not checked, because leaves here do not expire.
pub(super) fn enter(
    provider: &Provider,
    welcome: &[u8],
    hub: &[u8; 32],
    own: &Credential,
) -> Result<(MlsGroup, Vec<Credential>), EnterError> {
    let welcome = group::read_welcome(welcome).ok_or_else(|| EnterError::Welcome("it holds no welcome".into()))?;
    let staged = StagedWelcome::build_from_welcome(provider, &group::join_config(PHONE_PAST_EPOCHS), welcome)
        .and_then(|join| join.skip_lifetime_validation().replace_old_group().build())
        .map_err(|error| EnterError::Welcome(error.to_string()))?;
    let credentials = policy::welcome(&staged, hub, own).map_err(EnterError::Policy)?;
    let group = staged.into_group(provider).map_err(|error| EnterError::Home(group::refused(error)))?;
    Ok((group, credentials))
}

/// The phones in the tree, with what the hub says about them. The tree decides who is a member.
pub(super) fn members(credentials: &[Credential], told: &[Member]) -> Result<Vec<Member>, PolicyError> {
    credentials
        .iter()
        .filter(|credential| credential.role == Role::Phone)
        .map(|credential| {
            told.iter()
                .find(|member| member.device == credential.device && member.identity == credential.identity)
                .cloned()
                .ok_or(PolicyError::Credential("a member the hub does not tell of"))
        })
        .collect()
}

pub(super) fn group_id(group: &MlsGroup) -> Result<[u8; 16], PolicyError> {
    group.group_id().as_slice().try_into().map_err(|_| PolicyError::Group("its id"))
}

/// Messages of an earlier membership are of no use in a new one.
pub(super) fn forget_outbox(store: &dyn Store) -> Result<Batch, HomeError> {
    let mut batch = Batch::new();
    for (number, _) in outbox(store)? {
        batch.delete(outbox_key(number));
    }
    Ok(batch)
}
