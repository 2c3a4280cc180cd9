//! Taking messages from the inbox: what phones say, their key updates, and their requests to be let in again.

use openmls::prelude::{ContentType, ProcessedMessageContent, ProtocolMessage};
use privet_protocol::id::DeviceId;
use privet_protocol::storage::Batch;

use super::HubHome;
use super::members::{Removed, leaf_of};
use super::state::MemberState;
use super::work::{Change, Work};
use crate::Env;
use crate::error::{HomeError, ReceiveError};
use crate::group::{self, Unread};
use crate::identity::Role;
use crate::inbox::{Inbox, Payload};
use crate::log::LogEntry;
use crate::message::{HubMessage, PhoneMessage};
use crate::policy::{self, PolicyError};
use crate::rejoin::{Answer, Channel};

/// What an inbox message held.
#[derive(Debug, Clone, PartialEq)]
pub struct FromPhone {
    /// Who sent it.
    pub device: DeviceId,
    /// What it says; absent for messages that concern the group alone. `Rename`, `RenameDevice` and `RemoveDevice` are done already, in the
    /// same commit, so that no crash can lose them.
    pub message: Option<PhoneMessage>,
    /// Who was removed because the message asked for it: revoke its relay key, and start every open stream again under a new
    /// key. The removal's entries are among [`Self::entries`].
    pub removed: Option<Removed>,
    /// Whether the phone was let in again: it knows no camera and no open stream, so append the snapshot anew.
    pub rejoined: bool,
    /// A receipt whose hash is not this log's: the phone was shown another history from this entry or before.
    pub forked: Option<u64>,
    /// Log entries to append at the relay.
    pub entries: Vec<LogEntry>,
}

/// What a caller does about a message from the inbox in the commit that takes it, so that no crash comes between.
#[derive(Debug, Default)]
pub struct Also {
    /// What is said in the log about it.
    pub say: Vec<HubMessage>,
    /// The caller's own writes.
    pub extra: Batch,
}

impl FromPhone {
    fn from(device: DeviceId) -> Self {
        Self { device, message: None, removed: None, rejoined: false, forked: None, entries: Vec::new() }
    }

    fn with(
        self,
        work: &mut Work<'_>,
        also: impl FnOnce(&Self) -> Result<Also, HomeError>,
    ) -> Result<Self, ReceiveError> {
        let Also { say, extra } = also(&self)?;
        say.iter().try_for_each(|message| work.say(message))?;
        work.batch.merge(extra);
        Ok(self)
    }
}

impl HubHome {
    /// Takes a message from the inbox.
    ///
    /// # Errors
    /// [`ReceiveError`]; all but [`ReceiveError::Home`] are final: acknowledge the message and go on.
    pub fn receive(&mut self, message: &[u8], extra: Batch, env: Env<'_>) -> Result<FromPhone, ReceiveError> {
        self.receive_with(message, env, |_| Ok(Also { say: Vec::new(), extra }))
    }

    /// Takes a message from the inbox, and with it what `also` says once it is read. What `also` gives must be sayable, or the
    /// message can't be taken.
    ///
    /// # Errors
    /// Those of [`Self::receive`], and what `also` fails with: then nothing was taken.
    pub fn receive_with(
        &mut self,
        message: &[u8],
        env: Env<'_>,
        also: impl FnOnce(&FromPhone) -> Result<Also, HomeError>,
    ) -> Result<FromPhone, ReceiveError> {
        // What can be refused without the group is refused before the step, so that it costs nothing.
        let inbox = Inbox::parse(message).ok_or_else(|| ReceiveError::Malformed("it is no inbox message".into()))?;
        match inbox {
            Inbox::Message(mls) => {
                let mls = group::read_message(mls, ContentType::Application)?;
                let mut taken =
                    self.step(Batch::new(), env.now, |work| work.hear(mls)?.with(work, also)).map(finish)?;
                if let Some(PhoneMessage::Receipt { seq, hash }) = &taken.message {
                    let ours = self.hash_at(*seq)?;
                    taken.forked = (ours.is_some_and(|ours| ours != *hash) || *seq > self.head().seq).then_some(*seq);
                }
                Ok(taken)
            }
            Inbox::Update(mls) => {
                let parsed = group::read_message(mls, ContentType::Proposal)?;
                self.step(Batch::new(), env.now, |work| work.update(parsed, mls)?.with(work, also)).map(finish)
            }
            Inbox::Rejoin { device, sealed } => {
                self.step(Batch::new(), env.now, |work| work.rejoin(device, sealed, env)?.with(work, also)).map(finish)
            }
        }
    }
}

fn finish((mut taken, entries): (FromPhone, Vec<LogEntry>)) -> FromPhone {
    taken.entries = entries;
    taken
}

impl Work<'_> {
    /// An application message.
    fn hear(&mut self, message: ProtocolMessage) -> Result<FromPhone, ReceiveError> {
        let epoch = message.epoch().as_u64();
        let processed = self.group.process_message(self.provider, message).map_err(unread)?;
        let sender = policy::sender(&self.group, &processed)?;
        let ProcessedMessageContent::ApplicationMessage(content) = processed.into_content() else {
            return Err(PolicyError::Commit("change the group").into());
        };
        let content = zeroize::Zeroizing::new(content.into_bytes());
        let payload = Payload::decode(&content).map_err(|e| ReceiveError::Malformed(e.to_string()))?;
        let message =
            PhoneMessage::decode(payload.body.expose()).map_err(|e| ReceiveError::Malformed(e.to_string()))?;

        let member = self.member(&sender.device, &sender.identity, epoch)?;
        if !member.window.take(payload.number) {
            return Err(ReceiveError::Seen);
        }
        let mut taken = FromPhone::from(sender.device);
        match &message {
            PhoneMessage::Rename { name } => self.rename(sender.device, name)?,
            PhoneMessage::RenameDevice { device, name } => self.rename(*device, name)?,
            PhoneMessage::RemoveDevice { device } => match self.remove(*device, Some(sender.device)) {
                Ok(capability) => {
                    taken.removed = Some(Removed { device: *device, capability, entries: Vec::new() });
                }
                // Gone already, or never there: nothing to do.
                Err(HomeError::NotAMember(_) | HomeError::NotRemovable) => {}
                Err(error) => return Err(error.into()),
            },
            PhoneMessage::NewRelayKey { key } => self.offer_key(sender.device, *key)?,
            PhoneMessage::UsesRelayKey { key } => self.move_key(sender.device, *key)?,
            _ => {}
        }
        taken.message = Some(message);
        Ok(taken)
    }

    fn rename(&mut self, device: DeviceId, name: &str) -> Result<(), ReceiveError> {
        super::check_name(name).map_err(|e| ReceiveError::Malformed(e.to_string()))?;
        match self.state.member_mut(&device) {
            Some(member) => name.clone_into(&mut member.member.name),
            // Gone already, or never there: nothing to do.
            None => return Ok(()),
        }
        Ok(self.say(&HubMessage::Renamed { device, name: name.to_owned() })?)
    }

    /// A phone's proposal to renew its keys: committed at once.
    fn update(&mut self, message: ProtocolMessage, bytes: &[u8]) -> Result<FromPhone, ReceiveError> {
        let epoch = message.epoch().as_u64();
        let processed = self.group.process_message(self.provider, message).map_err(unread)?;
        let sender = policy::sender(&self.group, &processed)?;
        let ProcessedMessageContent::ProposalMessage(proposal) = processed.into_content() else {
            return Err(PolicyError::Commit("change the group").into());
        };
        policy::proposal(&self.group, &proposal)?;
        self.member(&sender.device, &sender.identity, epoch)?;
        self.group.store_pending_proposal(&self.provider.overlay, *proposal).map_err(HomeError::from)?;
        self.pass_on(bytes)?;
        self.commit(Change::default())?;
        Ok(FromPhone::from(sender.device))
    }

    /// A request to be let in again: one commit takes the old leaf out and the new one in.
    fn rejoin(&mut self, device: DeviceId, sealed: &[u8], env: Env<'_>) -> Result<FromPhone, ReceiveError> {
        let known = self.state.member(&device).or_else(|| self.state.absent.iter().find(|m| m.member.device == device));
        let mut member = known.cloned().ok_or(PolicyError::NotAMember)?;
        let home = self.state.home;
        let rejoin_key = member.rejoin_key.clone();
        let channel = Channel { home: &home, device: &device, key: &rejoin_key };
        let request = channel.asked(&member.member.identity, sealed).map_err(|e| ReceiveError::Forged(e.into()))?;
        if !member.rejoins.take(&request.nonce, request.at) {
            return Err(PolicyError::OldRejoin.into());
        }
        let (package, credential) =
            group::read_key_package(self.provider, &request.key_package).map_err(PolicyError::Credential)?;
        if credential.role != Role::Phone
            || credential.device != device
            || credential.identity != member.member.identity
        {
            return Err(PolicyError::Credential("another device's key package").into());
        }

        let remove = leaf_of(&self.group, &device)?;
        let change = Change { add: Some(package), remove, psk: None };
        let welcome = self.commit(change)?.ok_or_else(|| HomeError::Group("an add without a welcome".into()))?;

        member.since_epoch = self.group.epoch().as_u64();
        let heard = member.window.highest();
        member.member.last_seen = self.now;
        self.state.absent.retain(|m| m.member.device != device);
        self.state.members.retain(|m| m.member.device != device);
        self.state.members.push(member);
        let answer = Answer {
            nonce: request.nonce,
            generation: self.state.generation,
            prev: self.state.head.hash,
            hub_name: self.state.name.clone(),
            heard,
            members: self.state.members.iter().map(|m| m.member.clone()).collect(),
            welcome,
        };
        let sealed = channel
            .answer(&answer, env.random)
            .ok_or_else(|| HomeError::Damaged("the key shared with the device".into()))?;
        self.welcome(&device, &sealed)?;
        self.say(&HubMessage::Rejoined { device })?;
        Ok(FromPhone { rejoined: true, ..FromPhone::from(device) })
    }

    /// The member that sent a message of this epoch, if its present leaf can have.
    fn member(&mut self, device: &DeviceId, identity: &[u8; 32], epoch: u64) -> Result<&mut MemberState, PolicyError> {
        let now = self.now;
        let member = self.state.member_mut(device).ok_or(PolicyError::NotAMember)?;
        if &member.member.identity != identity || epoch < member.since_epoch {
            return Err(PolicyError::NotAMember);
        }
        member.member.last_seen = now;
        Ok(member)
    }
}

fn unread(error: openmls::prelude::ProcessMessageError<crate::overlay::OverlayError>) -> ReceiveError {
    match Unread::from(error) {
        Unread::Seen => ReceiveError::Seen,
        Unread::Past => ReceiveError::Stale,
        Unread::Bad(cause) => ReceiveError::Forged(cause),
        Unread::Store(error) => error.into(),
    }
}
