//! The home group: who belongs to a home, what the hub tells its phones, and how a phone joins by QR code.
//!
//! * [`HubHome`]: the hub's side: the only committer of one MLS group (RFC 9420) and the only writer of the home's log.
//! * [`PhoneHome`]: a phone's side: follows the log, checks every entry, sends messages to the hub.
//! * [`pairing`]: the QR text, the keys derived from it, and the two messages that make a phone a member.
//! * [`message`]: what hub and phones say to each other; [`happening`]: events; [`wishes`]: what people want to be woken for;
//!   [`clip_notes`]: what a clip shows; [`carried`]: where clips lie that came at a constant rate.
//! * [`log`]: the numbered, hash-chained log all of it travels in.
//! * [`safety`]: the sixty digits two people compare.
//!
//! Nothing here does I/O, reads a clock or asks the system for randomness (openmls' own key generation excepted): each verb
//! takes an [`Env`] and makes exactly one [`Store::commit`](privet_protocol::storage::Store::commit), in which the group's
//! state, the log's outbox and the caller's own writes become durable together, before it returns anything that may leave
//! the device. Pages: `docs/reference/home.md`, `docs/reference/pairing.md`, `docs/design/0004-home-group.md`.

#![forbid(unsafe_code)]

#[cfg(test)]
mod attack;
mod bounded;
pub mod carried;
pub mod clip_notes;
mod crypto;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod group;
pub mod happening;
mod hub;
pub mod identity;
pub mod inbox;
pub mod log;
pub mod message;
mod overlay;
pub mod pairing;
mod phone;
mod policy;
mod provider;
mod record;
mod rejoin;
pub mod safety;
pub mod wishes;

use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;

pub use crate::carried::{Carried, MAX_PLACED, Placed};
pub use crate::clip_notes::{ClipNotes, Thumbnail};
pub use crate::crypto::SecretBytes;
pub use crate::error::{AdmitError, HomeError, JoinError, LogError, ReceiveError};
pub use crate::happening::{Happening, HomeEvent, Severity, Tamper};
pub use crate::hub::{
    Admitted, Also, FAREWELL, FromPhone, HeadCheck, HubHome, MAX_PHONES, REFRESH_AFTER, Removed, check_name,
};
pub use crate::identity::Fingerprint;
pub use crate::log::{LogEntry, LogPosition};
pub use crate::message::{
    CameraInfo, CameraState, EndReason, Feed, HubMessage, Member, PhoneMessage, StreamEnded, StreamKind, StreamStarted,
};
pub use crate::pairing::{Invitation, Offer, OfferError, RelayAddress, Rendezvous};
pub use crate::phone::{JoinAttempt, MemberChange, Outgoing, PhoneHome, Received, UPDATE_AFTER};
pub use crate::policy::PolicyError;
pub use crate::safety::SafetyNumber;
pub use crate::wishes::{CameraWish, PhoneWishes, Profile, PushSetup, QuietHours, WishError, Wishes};

/// What a verb needs from the outside: the time, and randomness for what MLS does not make itself.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The time now.
    pub now: Timestamp,
    /// Where keys and nonces come from.
    pub random: &'a dyn Random,
}

impl<'a> Env<'a> {
    /// This time and this source of randomness.
    pub fn new(now: Timestamp, random: &'a dyn Random) -> Self {
        Self { now, random }
    }
}
