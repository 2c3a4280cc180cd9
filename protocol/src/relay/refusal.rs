//! What a peer is told when something is refused, closed or reset: for programs a code, for people words.

use serde::{Deserialize, Serialize};

use super::Challenge;

/// Why a request was refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {reason}")]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people.
    pub reason: String,
    /// With what work a home may be founded here, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

impl Refusal {
    /// A refusal with this code and reason.
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), challenge: None }
    }
}

/// Classes of refusal, by what the client can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Code {
    /// No version in common: update one side.
    #[error("no protocol version in common")]
    Version,
    /// The key, its signature or its rights are not enough. The same answer for what does not exist.
    #[error("not allowed")]
    Denied,
    /// There is no such thing here.
    #[error("not found")]
    NotFound,
    /// It was here and is not any more.
    #[error("gone")]
    Gone,
    /// Something else stands under this number.
    #[error("conflict")]
    Conflict,
    /// Longer than allowed.
    #[error("too large")]
    TooLarge,
    /// The home has used up what it may store or send.
    #[error("over quota")]
    Quota,
    /// Try again later.
    #[error("busy")]
    Busy,
    /// Not a message of this protocol, or not at this point.
    #[error("malformed")]
    Malformed,
    /// The relay can't store it now; nothing was changed.
    #[error("storage")]
    Storage,
}

/// Why a connection was closed: QUIC application error codes.
pub mod close {
    /// Nothing is left to do.
    pub const DONE: u32 = 0;
    /// The hello was refused; the reason stands in [`HelloAnswer`](crate::relay::HelloAnswer).
    pub const REFUSED: u32 = 1;
    /// The key lost its rights.
    pub const REVOKED: u32 = 2;
    /// The relay shuts down: come again, where a [`Farewell`](crate::relay::Farewell) says where, there.
    pub const SHUTDOWN: u32 = 3;
    /// No hello came in time.
    pub const LATE: u32 = 4;
    /// The peer breaks the protocol.
    pub const MALFORMED: u32 = 5;
    /// The same key has too many connections; the oldest one goes.
    pub const REPLACED: u32 = 6;
    /// The key has fewer rights than before: come again with what is left.
    pub const CURTAILED: u32 = 7;

    /// What a relay says with a code, in words for people: short, and the same for everybody. Empty for a code that is none of these.
    pub const fn words(code: u32) -> &'static str {
        match code {
            DONE => "nothing is left to do",
            REFUSED => "the hello was refused",
            REVOKED => "the key lost its rights",
            SHUTDOWN => "the relay ends: come again",
            LATE => "no hello came in time",
            MALFORMED => "not a message of this protocol, or not at this point",
            REPLACED => "a newer connection of the same key took its place",
            CURTAILED => "the key has fewer rights than before: come again",
            _ => "",
        }
    }
}

/// Why a stream was reset or stopped: QUIC application error codes.
pub mod reset {
    /// The one who asked wants no more.
    pub const CANCELLED: u32 = 0;
    /// The follower was too slow for this segment.
    pub const SKIPPED: u32 = 1;
    /// The writer broke off; a kept segment can be resumed.
    pub const BROKEN_OFF: u32 = 2;
    /// The answer is on the other direction.
    pub const ANSWERED: u32 = 3;
    /// The relay could not go on reading.
    pub const STORAGE: u32 = 4;
}
