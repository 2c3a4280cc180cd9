//! What a phone sends: messages, key updates, and requests to be let in again.

use openmls::prelude::{LeafNodeParameters, QueuedProposal};
use privet_protocol::cbor;
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;
use zeroize::Zeroizing;

use super::state::{Content, Queued, Rejoining, State, outbox, outbox_key};
use super::{PhoneHome, UPDATE_AFTER, UPDATE_PATIENCE, Work};
use crate::Env;
use crate::crypto::SecretBytes;
use crate::error::HomeError;
use crate::group::{self, refused, write};
use crate::identity::{Credential, Role};
use crate::inbox::{Inbox, Payload};
use crate::message::{MAX_MESSAGE, PhoneMessage};
use crate::record::signing_key;
use crate::rejoin::Channel;

/// A message on its way to the hub's inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number in this phone's outbox.
    pub number: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl PhoneHome {
    /// Makes a message for the hub; it stays in the outbox until it is reported sent.
    ///
    /// # Errors
    /// [`HomeError::Removed`], [`HomeError::NeedsRejoin`], or the store's.
    pub fn send(&mut self, message: &PhoneMessage, extra: Batch, env: Env<'_>) -> Result<Outgoing, HomeError> {
        self.step(env.now, |work| {
            work.batch.merge(extra);
            work.say(message)
        })
    }

    /// Messages that were not reported sent, oldest first. Ask anew after each entry received: when the group has moved on,
    /// they are made anew (the hub still takes each once).
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn outbox(&self) -> Result<Vec<Outgoing>, HomeError> {
        Ok(outbox(&self.store)?.into_iter().map(|(number, queued)| Outgoing { number, bytes: queued.bytes }).collect())
    }

    /// The relay has everything up to and including this number.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn sent(&mut self, number: u64) -> Result<(), HomeError> {
        let mut batch = Batch::new();
        for (queued, _) in outbox(&self.store)?.into_iter().take_while(|(queued, _)| *queued <= number) {
            batch.delete(outbox_key(queued));
        }
        Ok(self.store.commit(batch)?)
    }

    /// Whether this phone's keys in the group should be renewed: right after it joined, and daily.
    pub fn update_due(&self, now: Timestamp) -> bool {
        let Some(group) = &self.group else { return false };
        if self.state.removed || self.state.lost {
            return false;
        }
        let waiting = self
            .state
            .updating
            .is_some_and(|(epoch, proposed)| epoch == group.epoch().as_u64() && now.since(proposed) < UPDATE_PATIENCE);
        let old = self.state.updated.is_none_or(|updated| now.since(updated) >= UPDATE_AFTER);
        old && !waiting
    }

    /// Proposes new keys for this phone; the hub commits them, unless the group has changed in between.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn propose_update(&mut self, env: Env<'_>) -> Result<Outgoing, HomeError> {
        self.step(env.now, |work| {
            work.check()?;
            let leaf = work.state.leaf_key()?;
            let group = work.group.as_mut().ok_or(HomeError::NeedsRejoin)?;
            let (message, _) =
                group.propose_self_update(work.provider, &leaf, LeafNodeParameters::default()).map_err(refused)?;
            work.state.updating = Some((group.epoch().as_u64(), env.now));
            let mls = write(&message)?;
            Ok(work.queue(Inbox::Update(&mls).encode(), Content::Update))
        })
    }

    /// Asks the hub to be let in again with the same identity: for a phone whose state was lost or restored, that was away
    /// for longer than the relay keeps the log, or whose home was made anew.
    ///
    /// # Errors
    /// [`HomeError::Removed`], or the store's.
    pub fn rejoin(&mut self, env: Env<'_>) -> Result<Outgoing, HomeError> {
        self.step(env.now, |work| work.ask_again(env))
    }
}

impl Work<'_> {
    pub(super) fn say(&mut self, message: &PhoneMessage) -> Result<Outgoing, HomeError> {
        self.check()?;
        let body = SecretBytes::new(cbor::encode(message));
        let length = body.expose().len();
        if length > MAX_MESSAGE {
            return Err(HomeError::TooLong { what: "the message", length, limit: MAX_MESSAGE });
        }
        self.state.said += 1;
        let payload = Payload { number: self.state.said, at: self.now, body };
        let bytes = self.seal(&payload)?;
        Ok(self.queue(bytes, Content::Message(payload)))
    }

    fn seal(&mut self, payload: &Payload) -> Result<Vec<u8>, HomeError> {
        let payload = Zeroizing::new(cbor::encode(payload));
        let leaf = self.state.leaf_key()?;
        let group = self.group.as_mut().ok_or(HomeError::NeedsRejoin)?;
        // openmls sends nothing while proposals wait. They wait here for the hub's commit, which is not ours to make, so
        // they step aside for a moment.
        let waiting: Vec<QueuedProposal> = group.pending_proposals().cloned().collect();
        for proposal in &waiting {
            group
                .remove_pending_proposal(&self.provider.overlay, proposal.proposal_reference_ref())
                .map_err(refused)?;
        }
        let message = group.create_message(self.provider, &leaf, &payload).map_err(refused)?;
        for proposal in waiting {
            group.store_pending_proposal(&self.provider.overlay, proposal)?;
        }
        Ok(Inbox::Message(&write(&message)?).encode())
    }

    /// Makes the outbox fit the group after it moved on: the hub soon forgets the epoch it was made in.
    pub(super) fn requeue(&mut self, rejoined: bool) -> Result<(), HomeError> {
        for (number, queued) in outbox(self.store)? {
            match queued.content {
                Content::Message(mut payload) => {
                    if rejoined {
                        self.state.said += 1;
                        payload.number = self.state.said;
                    }
                    let bytes = self.seal(&payload)?;
                    let queued = Queued { bytes, content: Content::Message(payload) };
                    self.batch.put(outbox_key(number), cbor::encode(&queued));
                }
                Content::Rejoin if !rejoined => {}
                Content::Update | Content::Rejoin => self.batch.delete(outbox_key(number)),
            }
        }
        Ok(())
    }

    fn ask_again(&mut self, env: Env<'_>) -> Result<Outgoing, HomeError> {
        if self.state.removed {
            return Err(HomeError::Removed);
        }
        let state = &self.state;
        let seed = SecretBytes::generate(env.random);
        let leaf = signing_key(&seed, "a key")?;
        let identity = state.identity_key()?;
        let name = state.name().to_owned();
        let credential = Credential::sign(Role::Phone, state.device, &name, &identity, &leaf.public());
        let package = group::key_package(self.provider, &leaf, &credential)?;
        let mut nonce = [0; 16];
        env.random.fill(&mut nonce);
        let channel = Channel { home: &state.home, device: &state.device, key: &state.rejoin_key };
        let sealed = channel
            .ask(&identity, nonce, package, env.now, env.random)
            .ok_or_else(|| HomeError::Damaged("the key shared with the hub".into()))?;
        let message = Inbox::Rejoin { device: state.device, sealed: &sealed }.encode();
        self.state.rejoining = Some(Rejoining { nonce, leaf: seed, name });
        for (number, queued) in outbox(self.store)? {
            if matches!(queued.content, Content::Rejoin) {
                self.batch.delete(outbox_key(number));
            }
        }
        Ok(self.queue(message, Content::Rejoin))
    }

    /// Whether this phone is a member whose state can be used.
    fn check(&self) -> Result<(), HomeError> {
        match &self.state {
            State { removed: true, .. } => Err(HomeError::Removed),
            State { lost: true, .. } => Err(HomeError::NeedsRejoin),
            _ => Ok(()),
        }
    }

    fn queue(&mut self, bytes: Vec<u8>, content: Content) -> Outgoing {
        self.state.queued += 1;
        let number = self.state.queued;
        self.batch.put(outbox_key(number), cbor::encode(&Queued { bytes: bytes.clone(), content }));
        Outgoing { number, bytes }
    }
}
