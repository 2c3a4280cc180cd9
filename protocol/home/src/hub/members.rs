//! Removing a phone, renewing the group's keys, and making the group anew.

use openmls::prelude::{LeafNodeIndex, MlsGroup};
use privet_protocol::cbor;
use privet_protocol::id::DeviceId;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::state::{Farewell, STATE, State, hash_prefix, outbox_prefix};
use super::work::Work;
use super::{Change, FAREWELL, FAREWELLS, HubHome, REFRESH_AFTER, new_group};
use crate::Env;
use crate::error::HomeError;
use crate::log::{LogEntry, LogPosition};
use crate::message::HubMessage;
use crate::policy::member_credential;
use crate::record::scan_all;

/// A device was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Which.
    pub device: DeviceId,
    /// Its relay key: take it all rights but those of its [`HubHome::farewell`], revoke it afterwards, then call
    /// [`HubHome::revoked`]. It also stands in [`HubHome::revocations`] until then.
    pub capability: CapabilityKey,
    /// Log entries to append at the relay.
    pub entries: Vec<LogEntry>,
}

impl HubHome {
    /// Removes a phone; `by` is the phone that asked for it, if one did. Afterwards nothing new can be read by it; end every
    /// open stream and start it again under a new key. A phone that was removed, but whose relay key is not yet reported
    /// revoked, is given again, without entries: what was left undone by a crash can be done now.
    ///
    /// # Errors
    /// [`HomeError::NotAMember`] when there is no such phone.
    pub fn remove(
        &mut self,
        device: DeviceId,
        by: Option<DeviceId>,
        extra: Batch,
        env: Env<'_>,
    ) -> Result<Removed, HomeError> {
        if let Some((_, capability)) = self.state.revocations.iter().find(|(removed, _)| *removed == device) {
            let removed = Removed { device, capability: *capability, entries: Vec::new() };
            self.keep(self.state.clone(), extra)?;
            return Ok(removed);
        }
        let (capability, entries) = self.step(extra, env.now, |work| work.remove(device, by))?;
        Ok(Removed { device, capability, entries })
    }

    /// Whether [`Self::refresh`] would do something now.
    pub fn refresh_due(&self, now: Timestamp) -> bool {
        !self.refreshed || (self.state.dirty && now.since(self.state.last_commit) >= REFRESH_AFTER)
    }

    /// Renews the group's keys when that is due: once after the program started, and six hours after the last time when
    /// something was sent since.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn refresh(&mut self, env: Env<'_>) -> Result<Vec<LogEntry>, HomeError> {
        if !self.refresh_due(env.now) {
            return Ok(Vec::new());
        }
        let ((), entries) = self.step(Batch::new(), env.now, |work: &mut Work<'_>| {
            work.commit(Change::default())?;
            Ok::<_, HomeError>(())
        })?;
        self.refreshed = true;
        Ok(entries)
    }

    /// Makes the group anew, because this hub's state is an old copy, or the log was lost, or the suite changes: generation
    /// plus one, a fresh group with the hub alone, a log that goes on after `relay_head`. Phones see it and ask to be let in
    /// again under the identity they are pinned with; until then they are members that read nothing. A removed phone whose
    /// removal the relay lost has no [`Self::farewell`] any more: its key is to be revoked.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn renew(&mut self, relay_head: u64, env: Env<'_>) -> Result<Vec<LogEntry>, HomeError> {
        let mut state = self.state.clone();
        state.generation += 1;
        let members = std::mem::take(&mut state.members);
        state.absent.extend(members);
        // The numbers that the relay lost are given anew: a farewell up to one of them would open what is said from now on.
        state.farewells.retain(|one| one.last <= relay_head);
        state.sent = relay_head;
        state.head = LogPosition::start(&state.home, state.generation, relay_head);
        state.last_commit = env.now;
        state.dirty = false;
        self.provider.overlay.discard();
        self.group = None;
        let built = self.build_renewed(state, env);
        if built.is_err() {
            self.recover();
        }
        built
    }

    fn build_renewed(&mut self, mut state: State, env: Env<'_>) -> Result<Vec<LogEntry>, HomeError> {
        let mut batch = Batch::new();
        for prefix in [outbox_prefix(), hash_prefix()] {
            for (key, _) in scan_all(&self.store, prefix)? {
                batch.delete(key);
            }
        }
        let group = new_group(&self.provider, &mut state, env.random)?;
        let (now, step) = (env.now, self.step);
        let mut work = Work { provider: &self.provider, group, state, batch, entries: Vec::new(), now, step };
        work.renewal()?;
        let Work { group, state, mut batch, entries, .. } = work;
        batch.merge(self.provider.overlay.take_fresh()?);
        batch.put(STATE, cbor::encode(&state));
        self.store.commit(batch)?;
        self.state = state;
        self.group = Some(group);
        self.refreshed = true;
        Ok(entries)
    }
}

impl Work<'_> {
    /// Removes a phone; gives its relay key.
    pub(super) fn remove(&mut self, device: DeviceId, by: Option<DeviceId>) -> Result<CapabilityKey, HomeError> {
        if device == self.state.device {
            return Err(HomeError::NotRemovable);
        }
        let State { members, absent, .. } = &mut self.state;
        let gone = if let Some(index) = members.iter().position(|m| m.member.device == device) {
            let gone = members.remove(index);
            let leaf = leaf_of(&self.group, &device)?.ok_or(HomeError::NotAMember(device))?;
            self.commit(Change { remove: Some(leaf), ..Change::default() })?;
            let farewells = &mut self.state.farewells;
            let last = self.state.head.seq;
            // It may have moved to its next key already, and not have said so.
            for capability in [gone.next_capability, Some(gone.capability)].into_iter().flatten() {
                farewells.push(Farewell { capability, until: self.now.after(FAREWELL), last });
            }
            // Each is a key more at the relay, which has a limit.
            let over = farewells.len().saturating_sub(FAREWELLS);
            farewells.drain(..over);
            gone
        } else {
            // It has no leaf since the group was made anew.
            let index = absent.iter().position(|m| m.member.device == device);
            absent.remove(index.ok_or(HomeError::NotAMember(device))?)
        };
        let keys = [Some(gone.capability), gone.next_capability].into_iter().flatten();
        self.state.revocations.extend(keys.map(|key| (device, key)));
        self.say(&HubMessage::Left { device, name: gone.member.name, by })?;
        Ok(gone.capability)
    }
}

/// The leaf of this device.
pub(super) fn leaf_of(group: &MlsGroup, device: &DeviceId) -> Result<Option<LeafNodeIndex>, HomeError> {
    for member in group.members() {
        let credential = member_credential(&member).map_err(|e| HomeError::Damaged(e.to_string()))?;
        if &credential.device == device {
            return Ok(Some(member.index));
        }
    }
    Ok(None)
}
