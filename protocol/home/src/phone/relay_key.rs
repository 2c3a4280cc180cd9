//! A new key at the relay after somebody was removed. In two steps, so that at each moment there is a key that works and that wakes
//! reach: the hub lets the new one in beside the old one, and takes the old one away once this phone has moved.

use privet_protocol::relay::CapabilityKey;
use zeroize::Zeroizing;

use super::receive::{MemberChange, Received};
use super::send::Outgoing;
use super::{PhoneHome, Work};
use crate::Env;
use crate::crypto::SecretBytes;
use crate::error::HomeError;
use crate::message::PhoneMessage;
use crate::record::signing_key;

impl PhoneHome {
    /// The seed of the relay key that this phone is to move to, once the relay lets it in; a hub that is older than such keys never
    /// sees to that. Try it beside [`Self::capability`], which goes on.
    pub fn next_capability(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.state.next_capability.as_ref().and_then(SecretBytes::key)
    }

    /// The relay let the next key in, and everything that hangs on a key (where this phone is woken) hangs on that one too: from
    /// now on it is [`Self::capability`], and the hub hears of it. Nothing is sent when there is no next key.
    ///
    /// # Errors
    /// [`HomeError::Removed`], [`HomeError::NeedsRejoin`], or the store's.
    pub fn move_capability(&mut self, env: Env<'_>) -> Result<Option<Outgoing>, HomeError> {
        self.step(env.now, |work| {
            let Some(next) = work.state.next_capability.take() else { return Ok(None) };
            work.state.capability = next;
            work.state.moved = true;
            work.say_relay_key().map(Some)
        })
    }
}

impl Work<'_> {
    /// After an entry: somebody who left may have seen, with the relay's help, which keys belong together. One new key is enough
    /// for all who left before it is used.
    pub(super) fn leave_key_behind(&mut self, received: &Received, env: Env<'_>) -> Result<(), HomeError> {
        let Received::Members(changes) = received else { return Ok(()) };
        let left = changes.iter().any(|change| matches!(change, MemberChange::Left(_)));
        if !left || self.state.next_capability.is_some() {
            return Ok(());
        }
        let seed = SecretBytes::generate(env.random);
        let key = CapabilityKey(signing_key(&seed, "a key")?.public());
        self.state.next_capability = Some(seed);
        self.say(&PhoneMessage::NewRelayKey { key })?;
        Ok(())
    }

    /// Tells the hub which key this phone comes to the relay under.
    pub(super) fn say_relay_key(&mut self) -> Result<Outgoing, HomeError> {
        let key = CapabilityKey(signing_key(&self.state.capability, "the relay key")?.public());
        self.say(&PhoneMessage::UsesRelayKey { key })
    }
}
