//! The phone's side of Privet as a library: pair, follow, open, verify, keep. Page: `docs/reference/app-core.md`.
//!
//! One [`Client`] is one phone in one home. Reading top-down:
//!
//! * [`Client`] opens the store (its key wrapped by the platform, [`KeyWrapper`]), pairs from a [`PairingOffer`] and keeps the
//!   background sync going, which follows the home's log and tells what happened as [`Event`]s.
//! * [`Clip`] is a finished recording with random access; [`Live`] is a camera now, pulled item by item.
//! * Every picture and event carries [`Trust`]: nothing unverified can be mistaken for more than it is.
//! * [`open_notification`] opens what a push service delivered, with two keys and nothing else.
//! * [`verify_file`] and [`verify_bytes`] judge an exported clip without any pairing.
//!
//! Rules that hold everywhere (`docs/design/0008-phone-core.md`): media is pulled, events are pushed; every wait is bounded
//! and can be stopped; asynchronous calls run on the library's own runtime, so a future that its caller drops leaves
//! nothing half done and no lock held.

#![forbid(unsafe_code)]

mod cache;
mod client;
mod clip;
mod clock;
mod error;
mod events;
mod keys;
mod library;
mod live;
mod mp4;
mod notes;
mod notification;
mod pairing;
mod runtime;
mod state;
mod sync;
mod types;
mod vault;
mod verify;

pub use client::Client;
pub use clip::{Clip, FetchProgress};
pub use error::{CoreError, PairingFailure, Result};
pub use events::{Event, EventListener, TrustAlert};
pub use keys::{FileKeys, KeyWrapper};
pub use live::{Gap, GapReason, Live, LiveFormat, LiveItem, LiveStats, SegmentSeen};
pub use notification::{Notification, NotificationKeys, open_notification};
pub use pairing::PairingOffer;
pub use runtime::settle;
pub use types::{Camera, ClipInfo, Config, Device, LinkState, Page, Status, Track, Trust, VerifyReport};
pub use verify::{verify_bytes, verify_file};

/// This library's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
