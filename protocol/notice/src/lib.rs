//! A notification from the hub to one phone, as bytes for a push service. Page: `docs/reference/notice.md`.
//!
//! 1. The phone makes a [`NotificationSecret`] and tells the hub its public half in the group.
//! 2. The hub signs what it has to say ([`Notice`]) for that key with its identity key, pads it to one of three sizes and
//!    seals it (HPKE, RFC 9180, over X-Wing: ML-KEM-768 with X25519): [`seal`].
//! 3. The phone's notification extension [`open`]s it with the secret and the hub's pinned identity, and nothing else: no
//!    store, no network, no order among notices.
//!
//! A notice that comes twice opens twice: its event's id, which is the same every time, tells. Encapsulation takes its
//! randomness from the system, inside the HPKE library.

#![forbid(unsafe_code)]

mod key;
mod sealed;

use privet_home::{HomeEvent, Thumbnail};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::key::{NotificationKey, NotificationSecret};
pub use crate::sealed::{MAX_SEALED, SIZES, open, seal};

/// What a phone shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What happened; the log has it under the same id.
    pub event: HomeEvent,
    /// The home's name.
    pub home: String,
    /// The camera's name; empty when the event is none of a camera's.
    #[serde(default)]
    pub camera: String,
    /// Rises with every notice to this phone.
    pub counter: u64,
    /// When the hub sealed it.
    pub sealed_at: Timestamp,
    /// Whether it is told later than it should have been.
    #[serde(default)]
    pub late: bool,
    /// A very small picture, if there was room for it.
    #[serde(default)]
    pub picture: Option<Thumbnail>,
}

/// Why bytes are no notice for this phone, or a notice can't be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// Another version's.
    #[error("the notification has version {0}, this app knows version 1: update it")]
    Version(u8),
    /// No notice has this length.
    #[error("a notification has {SIZES:?} bytes, this one has {0}: it was cut or is none")]
    Length(usize),
    /// Sealed to another phone's key, or changed on the way.
    #[error(
        "the notification was not sealed to this phone's key, or was changed on the way; open the app to renew the key"
    )]
    NotForThisPhone,
    /// Whoever sealed it is not this home's hub.
    #[error("the notification was not made by this home's hub")]
    Forged,
    /// The hub signed something that is no notice.
    #[error("the notification is malformed: {0}")]
    Malformed(String),
    /// It does not fit, even without its picture.
    #[error("the notification's text has {length} bytes, {limit} are possible; shorten names and zones")]
    TooLong {
        /// Its length.
        length: usize,
        /// What is possible.
        limit: usize,
    },
    /// The key is none.
    #[error("the phone's notification key is none; let the phone send it again")]
    Key,
}
