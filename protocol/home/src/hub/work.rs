//! One step of the hub: everything it changes, until it is durable as a whole or dropped as a whole.

use openmls::prelude::{CommitMessageBundle, KeyPackage, LeafNodeIndex, MlsGroup, OpenMlsProvider as _, Proposal};
use openmls::prelude::{PreSharedKeyProposal, ProposalType};
use openmls::schedule::PreSharedKeyId;
use privet_protocol::cbor;
use privet_protocol::id::DeviceId;
use privet_protocol::relay::MAX_ENTRY;
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::state::{HASHES_KEPT, State, hash_key, outbox_key};
use crate::crypto::SecretBytes;
use crate::error::HomeError;
use crate::group::{refused, write};
use crate::log::{LogEntry, Payload, Place};
use crate::message::{HubMessage, MAX_MESSAGE};
use crate::provider::Provider;

/// A step under way.
pub(super) struct Work<'a> {
    pub(super) provider: &'a Provider,
    pub(super) group: MlsGroup,
    pub(super) state: State,
    pub(super) batch: Batch,
    pub(super) entries: Vec<LogEntry>,
    pub(super) now: Timestamp,
    /// What messages are padded to.
    pub(super) step: Option<usize>,
}

/// What a commit shall do; it always renews the hub's own path too.
#[derive(Default)]
pub(super) struct Change {
    pub(super) add: Option<KeyPackage>,
    pub(super) remove: Option<LeafNodeIndex>,
    pub(super) psk: Option<PreSharedKeyId>,
}

impl Work<'_> {
    /// Appends a message to the log.
    pub(super) fn say(&mut self, message: &HubMessage) -> Result<(), HomeError> {
        let body = SecretBytes::new(cbor::encode(message));
        let length = body.expose().len();
        if length > MAX_MESSAGE {
            return Err(HomeError::TooLong { what: "the message", length, limit: MAX_MESSAGE });
        }
        // What phones would refuse would end their log: it is not said.
        HubMessage::decode(body.expose()).map_err(|error| HomeError::NotSayable(error.to_string()))?;
        let mut payload = Payload {
            generation: self.state.generation,
            seq: self.state.head.seq + 1,
            prev: self.state.head.hash,
            at: self.now,
            body,
            pad: Vec::new(),
        };
        let payload = payload.encode(self.step);
        let message = self.group.create_message(self.provider, &self.state.leaf_key()?, &payload).map_err(refused)?;
        self.state.dirty = true;
        self.append(Place::message(&write(&message)?))
    }

    /// Commits the change and appends the commit; gives the Welcome, if there is one.
    pub(super) fn commit(&mut self, change: Change) -> Result<Option<Vec<u8>>, HomeError> {
        let psk = change.psk.map(|id| Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id))));
        let bundle: CommitMessageBundle = self
            .group
            .commit_builder()
            .propose_removals(change.remove)
            .propose_adds(change.add)
            .add_proposals(psk)
            .consume_proposal_store(true)
            .force_self_update(true)
            .load_psks(&self.provider.overlay)
            .map_err(refused)?
            // Only what `policy::proposal` let into the queue, and what stands above.
            .build(self.provider.rand(), self.provider.crypto(), &self.state.leaf_key()?, |queued| {
                queued.proposal().proposal_type() == ProposalType::Update
                    || queued.sender() == &openmls::prelude::Sender::Member(LeafNodeIndex::new(0))
            })
            .map_err(refused)?
            .stage_commit(self.provider)
            .map_err(refused)?;
        let (commit, welcome, _) = bundle.into_messages();
        self.group.merge_pending_commit(self.provider).map_err(refused)?;
        let identity = self.state.identity_key()?;
        let entry = self.state.place().commit(&identity, &write(&commit)?);
        self.append(entry)?;
        self.state.last_commit = self.now;
        self.state.dirty = false;
        welcome.as_ref().map(write).transpose()
    }

    /// Appends a phone's proposal, because the next commit refers to it and the others have not seen it.
    pub(super) fn pass_on(&mut self, proposal: &[u8]) -> Result<(), HomeError> {
        let entry = self.state.place().proposal(&self.state.identity_key()?, proposal);
        self.append(entry)
    }

    /// Appends a sealed Welcome for one device.
    pub(super) fn welcome(&mut self, device: &DeviceId, sealed: &[u8]) -> Result<(), HomeError> {
        let entry = self.state.place().welcome(&self.state.identity_key()?, device, sealed);
        self.append(entry)
    }

    /// Appends the entry that says that the group was made anew.
    pub(super) fn renewal(&mut self) -> Result<(), HomeError> {
        let entry = self.state.place().renewal(&self.state.identity_key()?);
        self.append(entry)
    }

    fn append(&mut self, bytes: Vec<u8>) -> Result<(), HomeError> {
        if bytes.len() > MAX_ENTRY {
            return Err(HomeError::TooLong { what: "the log entry", length: bytes.len(), limit: MAX_ENTRY });
        }
        let head = self.state.head.after(&bytes);
        self.batch.put(outbox_key(head.seq), bytes.clone());
        self.batch.put(hash_key(head.seq), head.hash);
        if let Some(old) = head.seq.checked_sub(HASHES_KEPT) {
            self.batch.delete(hash_key(old));
        }
        self.state.head = head;
        self.entries.push(LogEntry { seq: head.seq, bytes });
        Ok(())
    }
}
