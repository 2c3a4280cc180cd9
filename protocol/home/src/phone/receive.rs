//! Taking log entries: each is checked for its place, for its maker and against the rules before it changes anything.

use openmls::prelude::{ContentType, MergeCommitError, MlsGroup, ProcessedMessage, ProcessedMessageContent};
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::join::{EnterError, enter, group_id, members};
use super::state::{ATTEMPT, outbox, outbox_key};
use super::{PhoneHome, Work};
use crate::Env;
use crate::crypto::SecretBytes;
use crate::error::{HomeError, LogError};
use crate::group::{self, Unread};
use crate::identity::{Credential, Role};
use crate::log::{Envelope, LogPosition, Payload, Place};
use crate::message::{HubMessage, Member};
use crate::policy::{self, Changes, PolicyError};
use crate::record::signing_key;
use crate::rejoin::{Answer, Channel};

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
    /// The members changed: show it.
    Members(Vec<MemberChange>),
    /// This phone was removed. Its keys are wiped; it can pair again.
    Removed,
    /// This phone was let in again after it asked to. What it knew of streams is out of date; the hub tells it anew.
    Rejoined,
    /// The hub made the group anew: ask to [`PhoneHome::rejoin`].
    Renewed {
        /// The home's generation now.
        generation: u32,
    },
    /// This entry can't be read because the phone waits to be let in again; nothing was changed.
    Waiting,
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

impl PhoneHome {
    /// Takes a log entry; `extra_for` may add the caller's own writes to the same commit. Entries are taken in order; only
    /// the answer to a rejoin may come from further on.
    ///
    /// # Errors
    /// [`LogError`]; then nothing was changed, and the genuine entry can still be taken. [`LogError::needs_rejoin`] tells
    /// when [`Self::rejoin`] is the way on.
    pub fn receive(
        &mut self,
        entry_seq: u64,
        entry: &[u8],
        extra_for: impl FnOnce(&Received) -> Batch,
        env: Env<'_>,
    ) -> Result<Received, LogError> {
        if self.group.is_none() && !self.state.removed {
            self.reload()?;
        }
        let state = &self.state;
        if state.removed {
            return Err(LogError::Removed);
        }
        if entry_seq <= state.position.seq {
            return Err(LogError::Replayed { seq: entry_seq });
        }
        let waiting = state.rejoining.is_some();
        let lost = self.needs_rejoin();
        let forged = |cause: &str| LogError::Forged { seq: entry_seq, cause: cause.into() };
        let envelope = Envelope::parse(entry).ok_or_else(|| forged("it is no log entry"))?;
        match envelope {
            // Both may stand far beyond what this phone has read; they say so themselves, signed.
            Envelope::Welcome { device, sealed, .. } if waiting && device == state.device => {
                if let Some(answer) = self.answer(sealed) {
                    return self.step(env.now, |work| {
                        work.reenter(entry_seq, entry, &envelope, answer)?;
                        work.finish(Received::Rejoined, extra_for)
                    });
                }
            }
            Envelope::Renewal { generation, .. } if generation > state.generation => {
                return self.step(env.now, |work| {
                    work.renewed(entry_seq, entry, &envelope, generation)?;
                    work.finish(Received::Renewed { generation }, extra_for)
                });
            }
            _ => {}
        }
        if lost {
            return if waiting { Ok(Received::Waiting) } else { Err(LogError::OutOfStep { seq: entry_seq }) };
        }
        let expected = state.position.seq + 1;
        if entry_seq != expected {
            return if waiting { Ok(Received::Waiting) } else { Err(LogError::Missing { expected, found: entry_seq }) };
        }
        if !state.place().holds(&state.hub.identity, &envelope) {
            return Err(forged("the hub did not make it for this place"));
        }
        let result = self.step(env.now, |work| {
            let received = work.take(entry_seq, &envelope)?;
            work.state.position = work.state.position.after(entry);
            work.leave_key_behind(&received, env)?;
            work.finish(received, extra_for)
        });
        match result {
            Err(error) if waiting && error.needs_rejoin() => Ok(Received::Waiting),
            result => result,
        }
    }

    /// The answer to the rejoin that waits, if this is it.
    fn answer(&self, sealed: &[u8]) -> Option<Answer> {
        let state = &self.state;
        let channel = Channel { home: &state.home, device: &state.device, key: &state.rejoin_key };
        let answer = channel.answered(sealed)?;
        (answer.nonce == state.rejoining.as_ref()?.nonce).then_some(answer)
    }
}

impl Work<'_> {
    fn finish(&mut self, received: Received, extra_for: impl FnOnce(&Received) -> Batch) -> Result<Received, LogError> {
        let ours = std::mem::take(&mut self.batch);
        self.batch = extra_for(&received);
        self.batch.merge(ours);
        Ok(received)
    }

    /// An entry in its place.
    fn take(&mut self, seq: u64, entry: &Envelope<'_>) -> Result<Received, LogError> {
        match entry {
            Envelope::Message(mls) => self.hear(seq, mls),
            Envelope::Commit { mls, .. } => self.merge(seq, mls),
            Envelope::Proposal { mls, .. } => self.queue_proposal(seq, mls),
            Envelope::Welcome { .. } => Ok(Received::Other),
            Envelope::Renewal { generation, .. } => Err(LogError::Refused {
                seq,
                cause: PolicyError::Generation { known: self.state.generation, found: *generation },
            }),
        }
    }

    /// A message of the hub.
    fn hear(&mut self, seq: u64, mls: &[u8]) -> Result<Received, LogError> {
        let refused = |cause| LogError::Refused { seq, cause };
        let forged = |cause: String| LogError::Forged { seq, cause };
        let hub = self.state.hub.identity;
        let processed = self.process(mls, ContentType::Application, seq).map_err(|unread| match unread {
            Unreadable::Log(error) => error,
            Unreadable::Mls(Unread::Seen) => LogError::Replayed { seq },
            Unreadable::Mls(Unread::Past) => forged("it is of another time of the group".into()),
            Unreadable::Mls(Unread::Bad(cause)) => forged(cause),
            Unreadable::Mls(Unread::Store(error)) => error.into(),
        })?;
        let group = self.group.as_ref().ok_or(HomeError::NeedsRejoin)?;
        policy::from_hub(group, &processed, &hub, self.met).map_err(refused)?;
        let ProcessedMessageContent::ApplicationMessage(content) = processed.into_content() else {
            return Err(refused(PolicyError::Kind));
        };
        let content = zeroize::Zeroizing::new(content.into_bytes());
        let payload = Payload::decode(&content).map_err(|e| forged(e.to_string()))?;
        if payload.generation != self.state.generation {
            let cause = PolicyError::Generation { known: self.state.generation, found: payload.generation };
            return Err(refused(cause));
        }
        if payload.seq != seq {
            return Err(LogError::Swapped { expected: seq, found: payload.seq });
        }
        if payload.prev != self.state.position.hash {
            return Err(LogError::Forked { seq });
        }
        let message = HubMessage::decode(payload.body.expose()).map_err(|e| forged(e.to_string()))?;
        self.state.hub_time = payload.at;
        self.note(&message)?;
        if matches!(message, HubMessage::PskDelivery { .. }) {
            return Ok(Received::Other);
        }
        Ok(Received::Message { seq, at: payload.at, message })
    }

    /// What a message changes in this phone's own state.
    fn note(&mut self, message: &HubMessage) -> Result<(), HomeError> {
        let state = &mut self.state;
        match message {
            HubMessage::PskDelivery { pairing, key } => {
                group::keep_psk(self.provider, pairing.as_bytes(), key.expose())?;
                state.announced.push(*pairing);
            }
            // The tree decided who is a member; this says when it joined and what it is called.
            HubMessage::Joined(told) => {
                if let Some(member) =
                    state.members.iter_mut().find(|m| m.device == told.device && m.identity == told.identity)
                {
                    *member = told.clone();
                }
            }
            HubMessage::Renamed { device, name } => {
                if let Some(member) = state.members.iter_mut().find(|m| &m.device == device) {
                    member.name.clone_from(name);
                }
            }
            HubMessage::RelayMoved(relay) => state.relay = relay.clone(),
            _ => {}
        }
        Ok(())
    }

    /// A commit of the hub.
    fn merge(&mut self, seq: u64, mls: &[u8]) -> Result<Received, LogError> {
        let refused = |cause| LogError::Refused { seq, cause };
        let hub = self.state.hub.identity;
        // The hub's identity signed it for this place, so if MLS can't read it, it is this phone's state that is wrong.
        let processed = self.process(mls, ContentType::Commit, seq).map_err(|unread| match unread {
            Unreadable::Log(error) => error,
            Unreadable::Mls(Unread::Store(error)) => error.into(),
            Unreadable::Mls(_) => LogError::OutOfStep { seq },
        })?;
        let group = self.group.as_ref().ok_or(HomeError::NeedsRejoin)?;
        policy::from_hub(group, &processed, &hub, self.met).map_err(refused)?;
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(refused(PolicyError::Kind));
        };
        let changes = policy::commit(self.group()?, &staged, &hub, &self.state.announced).map_err(refused)?;
        let device = self.state.device;
        let out = staged.self_removed();
        let provider = self.provider;
        self.group_mut()?.merge_staged_commit(provider, *staged).map_err(|error| match error {
            MergeCommitError::StorageError(error) => LogError::Home(error.into()),
            _ => LogError::OutOfStep { seq },
        })?;
        if out {
            // Removed, or let in again through another Welcome than this leaf's.
            return if changes.added.iter().any(|added| added.device == device) {
                self.state.lost = true;
                self.fresh = self.state.rejoining.is_none();
                self.group = None;
                Ok(Received::Other)
            } else {
                self.removed()?;
                Ok(Received::Removed)
            };
        }
        for pairing in std::mem::take(&mut self.state.announced) {
            group::forget_psk(self.provider, pairing.as_bytes())?;
        }
        self.state.updating = None;
        if changes.updated.contains(&device) {
            self.state.updated = Some(self.now);
        }
        self.requeue(false)?;
        Ok(self.changed(changes))
    }

    /// Another phone's (or this one's own) proposal, which the next commit refers to.
    fn queue_proposal(&mut self, seq: u64, mls: &[u8]) -> Result<Received, LogError> {
        let processed = self.process(mls, ContentType::Proposal, seq).map_err(|unread| match unread {
            Unreadable::Log(error) => error,
            Unreadable::Mls(Unread::Store(error)) => error.into(),
            Unreadable::Mls(_) => LogError::OutOfStep { seq },
        })?;
        match processed.into_content() {
            ProcessedMessageContent::ProposalMessage(proposal) => {
                policy::proposal(self.group()?, &proposal).map_err(|cause| LogError::Refused { seq, cause })?;
                let overlay = &self.provider.overlay;
                let group = self.group.as_mut().ok_or(HomeError::NeedsRejoin)?;
                group.store_pending_proposal(overlay, *proposal).map_err(HomeError::from)?;
            }
            // This phone's own: it is queued since it was made.
            ProcessedMessageContent::OwnPrivateMessage => {}
            _ => return Err(LogError::Refused { seq, cause: PolicyError::Kind }),
        }
        Ok(Received::Other)
    }

    /// The members after a commit.
    fn changed(&mut self, changes: Changes) -> Received {
        let Changes { added, removed, .. } = changes;
        let mut told = Vec::new();
        for gone in &removed {
            let back = added.iter().any(|added| added.device == gone.device);
            if let Some(index) = self.state.members.iter().position(|m| m.device == gone.device) {
                if back {
                    told.push(MemberChange::Rejoined(self.state.members[index].clone()));
                } else {
                    told.push(MemberChange::Left(self.state.members.remove(index)));
                }
            }
        }
        for new in added {
            if removed.iter().any(|gone| gone.device == new.device) {
                continue;
            }
            let member = Member {
                device: new.device,
                name: new.name,
                identity: new.identity,
                joined: self.state.hub_time,
                last_seen: self.state.hub_time,
            };
            self.state.members.push(member.clone());
            told.push(MemberChange::Joined(member));
        }
        if told.is_empty() { Received::Other } else { Received::Members(told) }
    }

    /// Wipes what a removed phone has no use for.
    fn removed(&mut self) -> Result<(), HomeError> {
        let state = &mut self.state;
        for secret in [&mut state.identity, &mut state.capability, &mut state.rejoin_key, &mut state.leaf] {
            *secret = SecretBytes::new(Vec::new());
        }
        state.next_capability = None;
        for (number, _) in outbox(self.store)? {
            self.batch.delete(outbox_key(number));
        }
        self.batch.delete(ATTEMPT);
        state.rejoining = None;
        state.removed = true;
        self.provider.overlay.discard();
        self.fresh = true;
        self.group = None;
        Ok(())
    }

    /// The group was made anew.
    fn renewed(&mut self, seq: u64, entry: &[u8], envelope: &Envelope<'_>, generation: u32) -> Result<(), LogError> {
        let state = &mut self.state;
        let before = LogPosition::start(&state.home, generation, seq.saturating_sub(1));
        let place = Place { home: &state.home, generation, before: &before };
        if !place.holds(&state.hub.identity, envelope) {
            return Err(LogError::Forged { seq, cause: "the hub did not make it for this place".into() });
        }
        state.generation = generation;
        state.position = before.after(entry);
        state.lost = true;
        state.announced.clear();
        state.updating = None;
        // A request that is under way fits the new group as well; its private keys must stay.
        self.fresh = state.rejoining.is_none();
        self.group = None;
        Ok(())
    }

    /// The hub's answer to a rejoin.
    fn reenter(&mut self, seq: u64, entry: &[u8], envelope: &Envelope<'_>, answer: Answer) -> Result<(), LogError> {
        let forged = |cause: &str| LogError::Forged { seq, cause: cause.into() };
        let state = &mut self.state;
        let before = LogPosition { seq: seq.saturating_sub(1), hash: answer.prev };
        let place = Place { home: &state.home, generation: answer.generation, before: &before };
        if !place.holds(&state.hub.identity, envelope) {
            return Err(forged("the hub did not make it for this place"));
        }
        if answer.generation < state.generation {
            let cause = PolicyError::Generation { known: state.generation, found: answer.generation };
            return Err(LogError::Refused { seq, cause });
        }
        let Some(asked) = state.rejoining.take() else { return Err(forged("nothing was asked")) };
        let leaf = signing_key(&asked.leaf, "a key")?;
        let own = Credential::sign(Role::Phone, state.device, &asked.name, &state.identity_key()?, &leaf.public());
        let (group, credentials) =
            enter(self.provider, &answer.welcome, &state.hub.identity, &own).map_err(|error| match error {
                EnterError::Welcome(cause) => LogError::Forged { seq, cause },
                EnterError::Policy(cause) => LogError::Refused { seq, cause },
                EnterError::Home(error) => error.into(),
            })?;
        let refused = |cause| LogError::Refused { seq, cause };
        let known = std::mem::take(&mut state.members);
        state.members = members(&credentials, &answer.members).map_err(refused)?;
        pinned(&known, &state.members).map_err(refused)?;
        state.group = group_id(&group).map_err(refused)?;
        state.leaf = asked.leaf;
        state.hub.name = answer.hub_name;
        state.generation = answer.generation;
        state.position = before.after(entry);
        state.announced.clear();
        state.said = state.said.max(answer.heard);
        state.updated = None;
        state.updating = None;
        state.lost = false;
        self.group = Some(group);
        self.fresh = true;
        self.requeue(true)?;
        if self.state.moved {
            self.say_relay_key()?;
        }
        Ok(())
    }

    fn process(&mut self, mls: &[u8], kind: ContentType, seq: u64) -> Result<ProcessedMessage, Unreadable> {
        let message = group::read_message(mls, kind).map_err(|cause| match cause {
            PolicyError::ClearData => LogError::Refused { seq, cause },
            cause => LogError::Forged { seq, cause: cause.to_string() },
        })?;
        let provider = self.provider;
        let group = self.group.as_mut().ok_or(LogError::OutOfStep { seq })?;
        group.process_message(provider, message).map_err(|error| Unreadable::Mls(error.into()))
    }

    fn group(&self) -> Result<&MlsGroup, HomeError> {
        self.group.as_ref().ok_or(HomeError::NeedsRejoin)
    }

    fn group_mut(&mut self) -> Result<&mut MlsGroup, HomeError> {
        self.group.as_mut().ok_or(HomeError::NeedsRejoin)
    }
}

/// Devices known before keep the identity they were pinned with.
fn pinned(known: &[Member], now: &[Member]) -> Result<(), PolicyError> {
    let changed = |m: &Member| known.iter().any(|old| old.device == m.device && old.identity != m.identity);
    if now.iter().any(changed) { Err(PolicyError::Credential("another identity than before")) } else { Ok(()) }
}

enum Unreadable {
    Log(LogError),
    Mls(Unread),
}

impl From<LogError> for Unreadable {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
