//! The relay keys of phones: which there are, and how a phone moves from one to the next after somebody was removed.

use privet_protocol::id::DeviceId;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Batch;

use super::HubHome;
use super::state::{MemberState, State};
use super::work::Work;
use crate::error::HomeError;
use crate::record::signing_key;

/// Keys left behind that may wait to be revoked: a phone that changes its key more often keeps the last one for a while.
const LEFT_BEHIND: usize = 64;

impl HubHome {
    /// The relay keys of all phones, and then those that phones are about to move to: each may have a phone's rights, no other may.
    pub fn capabilities(&self) -> Vec<CapabilityKey> {
        let now = self.state.phones().map(|phone| phone.capability);
        now.chain(self.next_capabilities()).collect()
    }

    /// The relay keys that phones are about to move to. Each may do at the relay what the phone may; where there is no room for it, the
    /// phone stays with the key it has.
    pub fn next_capabilities(&self) -> impl Iterator<Item = CapabilityKey> {
        self.state.phones().filter_map(|phone| phone.next_capability)
    }

    /// The relay key of a phone; nothing for a device that is none.
    pub fn capability_of(&self, device: &DeviceId) -> Option<CapabilityKey> {
        self.state.phones().find(|phone| &phone.member.device == device).map(|phone| phone.capability)
    }

    /// Relay keys that phones moved away from and that were not reported [`Self::forget_left_behind`] yet: revoke them, a moment
    /// after the phone said so. What was sent to wake it under the old key then has reached it.
    pub fn left_behind(&self) -> Vec<CapabilityKey> {
        self.state.left_behind.clone()
    }

    /// The relay has revoked this key, which a phone left behind.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn forget_left_behind(&mut self, key: &CapabilityKey) -> Result<(), HomeError> {
        let mut state = self.state.clone();
        state.left_behind.retain(|left| left != key);
        self.keep(state, Batch::new())
    }
}

impl State {
    fn phones(&self) -> impl Iterator<Item = &MemberState> {
        self.members.iter().chain(&self.absent)
    }

    /// Whether a phone may take this key: it is nobody else's, and nobody's who left.
    fn is_free(&self, device: DeviceId, key: &CapabilityKey) -> Result<bool, HomeError> {
        let owner = CapabilityKey(signing_key(&self.capability, "the relay key")?.public());
        let others = self.phones().filter(|phone| phone.member.device != device);
        let mut taken = others.flat_map(|phone| [Some(phone.capability), phone.next_capability]).flatten();
        let gone = self.left_behind.contains(key)
            || self.revocations.iter().any(|(_, revoked)| revoked == key)
            || self.farewells.iter().any(|farewell| &farewell.capability == key);
        Ok(*key != owner && !gone && !taken.any(|other| &other == key))
    }
}

impl Work<'_> {
    /// A phone made another key.
    pub(super) fn offer_key(&mut self, device: DeviceId, key: CapabilityKey) -> Result<(), HomeError> {
        if self.state.left_behind.len() >= LEFT_BEHIND || !self.state.is_free(device, &key)? {
            return Ok(());
        }
        let Some(phone) = self.state.member_mut(&device) else { return Ok(()) };
        if phone.capability == key {
            return Ok(());
        }
        let before = phone.next_capability.replace(key);
        self.state.left_behind.extend(before.filter(|before| *before != key));
        Ok(())
    }

    /// A phone moved to a key: the one it made before, or one that a hub which came back from a backup does not know.
    pub(super) fn move_key(&mut self, device: DeviceId, key: CapabilityKey) -> Result<(), HomeError> {
        if self.state.left_behind.len() >= LEFT_BEHIND || !self.state.is_free(device, &key)? {
            return Ok(());
        }
        let Some(phone) = self.state.member_mut(&device) else { return Ok(()) };
        let before = [Some(phone.capability), phone.next_capability.take()];
        phone.capability = key;
        self.state.left_behind.extend(before.into_iter().flatten().filter(|before| *before != key));
        Ok(())
    }
}
