//! What all gateways have in common.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;

use crate::target::PushTarget;

/// What is brought to a phone.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// What the phone gets, opaque to everybody between. Empty: only woken, to come and fetch.
    pub payload: &'a [u8],
    /// How soon.
    pub urgency: Urgency,
    /// When it is worth nothing any more.
    pub until: Timestamp,
    /// Names this message to the gateway, so that a second one of the same name takes the first one's place: at most 32
    /// characters of base64url. It must say nothing and be the same for no two phones.
    pub name: &'a str,
}

impl Message<'_> {
    /// Seconds left at `now`, at most four weeks: no gateway keeps anything longer.
    pub(crate) fn seconds_left(&self, now: Timestamp) -> u64 {
        self.until.since(now).as_secs().min(28 * 24 * 3600)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes, {:?})", self.payload.len(), self.urgency)
    }
}

/// What became of a message. No text in it names a target or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway has it.
    Delivered,
    /// The phone is not there any more: forget the target.
    TargetGone,
    /// Not now: again after this time at the earliest (zero: the gateway did not say), for this reason.
    RetryAfter(Duration, String),
    /// This message, or this target, will never be taken.
    Rejected(String),
    /// Nothing will be taken until the relay's operator has changed something.
    Misconfigured(String),
}

/// Why a gateway can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {cause}")]
pub struct SetupError {
    /// The setting.
    pub what: &'static str,
    /// What is wrong with it; never its secret text.
    pub cause: String,
}

impl SetupError {
    pub(crate) fn new(what: &'static str, cause: impl Into<String>) -> Self {
        Self { what, cause: cause.into() }
    }
}

/// Carries messages to phones of one kind.
#[async_trait]
pub trait Gateway: Send + Sync + fmt::Debug {
    /// Whether it is the one for this target.
    fn takes(&self, target: &PushTarget) -> bool;

    /// The longest payload that it carries whole. For a longer one, send an empty payload, and the phone comes to fetch it.
    fn room(&self) -> usize;

    /// The server that this target is at, where phones choose servers; nothing where all targets are at the gateway's own.
    fn origin(&self, _target: &PushTarget) -> Option<String> {
        None
    }

    /// Brings one message to one phone. It ends within the patience of [`HttpSettings`](crate::HttpSettings), a renewed token
    /// included twice that; dropped, the message may or may not have been brought.
    async fn push(&self, target: &PushTarget, message: &Message<'_>, now: Timestamp) -> Outcome;
}
