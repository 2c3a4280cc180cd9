//! The phone's side of Privet as a library: pair, follow, open, verify, keep. Page: `docs/reference/app-core.md`.
//!
//! One [`Client`] is one phone in one home. Reading top-down:
//!
//! * [`Client`] opens the store (its key wrapped by the platform, [`KeyWrapper`]), pairs from a [`PairingOffer`] and keeps the
//!   background sync going, which follows the home's log and tells what happened as [`Event`]s.
//! * [`Clip`] is a finished recording with random access; [`Live`] is a camera now, pulled item by item.
//! * Every picture and event carries [`Trust`]: nothing unverified can be mistaken for more than it is.
//! * [`Client::events`] is what happened, [`Event::Notification`] what its owner wants to be disturbed for, by [`Settings`] that
//!   the hub keeps; [`Client::register_push`] says where the phone is woken while it is not connected.
//! * [`open_notification`] opens what a push service delivered, with two keys and nothing else.
//! * [`verify_file`] and [`verify_bytes`] judge an exported clip without any pairing.
//!
//! Rules that hold everywhere (`docs/design/0008-phone-core.md`): media is pulled, events are pushed; every wait is bounded
//! and can be stopped; asynchronous calls run on the library's own runtime, so a future that its caller drops leaves
//! nothing half done and no lock held.

#![forbid(unsafe_code)]

mod cache;
mod carried;
mod client;
mod clip;
mod clip_notes;
mod clock;
mod diary;
mod error;
mod events;
mod gathering;
mod happening;
mod keys;
mod library;
mod live;
mod log_sink;
mod mp4;
mod notes;
mod notification;
mod pairing;
mod push;
mod runtime;
mod settings;
mod state;
mod sync;
mod types;
mod vault;
mod verify;
mod waking;

pub use client::Client;
pub use clip::{Clip, FetchProgress};
pub use error::{CoreError, PairingFailure, Result};
pub use events::{Event, EventListener, TrustAlert};
pub use happening::{EventInfo, EventPage};
pub use keys::{FileKeys, KeyWrapper};
pub use live::{Gap, GapReason, Live, LiveFormat, LiveItem, LiveStats, SegmentSeen};
#[doc(hidden)]
pub use live::{Lateness, Pace};
pub use log_sink::{LogLevel, LogSink, set_log_sink};
pub use notification::{Notification, NotificationKeys, open_notification};
pub use pairing::PairingOffer;
pub use privet_home::{Profile, QuietHours};
pub use privet_push::PushTarget;
pub use push::PushInfo;
pub use runtime::settle;
pub use settings::{CameraSettings, Settings, SettingsState};
pub use types::{
    Camera, ClipInfo, ClipNotes, Config, Device, LinkState, Outage, OutageReason, Page, Status, Thumbnail, Track,
    Trust, VerifyReport,
};
pub use verify::{verify_bytes, verify_file};
pub use waking::start_over;

/// This library's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
