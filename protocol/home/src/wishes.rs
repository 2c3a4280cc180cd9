//! What the owner of a phone wants to be woken for, and where the phone is reached.
//!
//! The phone sends its [`Wishes`] whole; the hub keeps them, decides by them and says back what it keeps as [`PhoneWishes`].

use std::collections::BTreeMap;

use privet_protocol::id::{CameraId, DeviceId};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::bounded::{self, NAME, ZONES};

/// Cameras that wishes may name.
pub const MAX_WISH_CAMERAS: usize = 128;
/// Quiet hours that wishes may hold.
pub const MAX_QUIET: usize = 16;
/// The longest cooldown: a day.
pub const MAX_COOLDOWN_S: u32 = 86_400;
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// The wishes of one phone. [`Wishes::default`] is what a phone gets that never said anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// By camera; one that is not here has [`CameraWish::default`].
    pub cameras: BTreeMap<CameraId, CameraWish>,
    /// Motion is told only while the home's profile is `Away`.
    pub away_only: bool,
    /// When motion is not told.
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_QUIET>")]
    pub quiet: Vec<QuietHours>,
    /// The zone of the quiet hours (IANA, as `Europe/Berlin`); empty means UTC.
    #[serde(deserialize_with = "bounded::text::<_, NAME>")]
    pub time_zone: String,
    /// Sets the home's profile, of which there is one: who said it last is heeded. Absent leaves it. Told back as it is.
    pub profile: Option<Profile>,
}

/// What is wished of one camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraWish {
    /// Whether motion is told.
    pub notify: bool,
    /// Until when nothing of this camera is told.
    pub snooze_until: Option<Timestamp>,
    /// Seconds after a motion that was told in which no other one is; at most a day.
    pub cooldown_s: u32,
    /// Motion is told only from these zones; empty: from everywhere.
    #[serde(deserialize_with = "bounded::zones")]
    pub zones: Vec<String>,
    /// Whether it is told that the camera is offline, back or tampered with.
    pub health: bool,
}

/// Hours in which motion is not told. Health and tampering are: they wait for nobody's sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The weekdays on which they begin: bit 0 is Monday, bit 6 Sunday.
    pub days: u8,
    /// Their first minute after midnight, 0 to 1439.
    pub from_min: u16,
    /// The minute that is no longer theirs, 0 to 1440. Not after `from_min`: they end on the next day.
    pub to_min: u16,
}

/// Whether somebody is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// Somebody is.
    Home,
    /// Nobody is.
    Away,
}

/// The wishes that the hub keeps for a phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneWishes {
    /// The phone.
    pub device: DeviceId,
    /// Its wishes, with the home's profile as it is now.
    pub wishes: Wishes,
}

/// How a phone is woken: notifications are sealed to this key. Where they are sent, only the relay learns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushSetup {
    /// The public half of the phone's notification key (`docs/reference/notice.md`); empty: it wants none.
    #[serde(deserialize_with = "bounded::bytes::<_, MAX_NOTIFICATION_KEY>")]
    pub notification_key: ByteBuf,
    /// Rises with every setup, so that an old one does not replace a newer one.
    pub counter: u64,
}

/// Bytes of a notification key at most.
pub const MAX_NOTIFICATION_KEY: usize = 2048;

/// Why wishes can't be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WishError {
    /// They name too many of something.
    #[error("wishes hold at most {limit} {what}, these hold {count}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Quiet hours that are none.
    #[error(
        "quiet hours {from_min} to {to_min} on days {days:#b} are impossible: give days 1 to 127, a start of 0 to 1439 and an end of 0 to 1440 minutes after midnight"
    )]
    QuietHours {
        /// The weekdays.
        days: u8,
        /// The start.
        from_min: u16,
        /// The end.
        to_min: u16,
    },
    /// A cooldown that is too long.
    #[error("a cooldown of {0} s is longer than a day ({MAX_COOLDOWN_S} s); to hear nothing, switch the camera off")]
    Cooldown(u32),
    /// A name that is none.
    #[error("'{0}' is no name of a {1}: it has 1 to {NAME} bytes")]
    Name(String, &'static str),
}

impl Wishes {
    /// Whether they can be kept.
    ///
    /// # Errors
    /// [`WishError`] with the first thing that is impossible.
    pub fn check(&self) -> Result<(), WishError> {
        at_most("cameras", self.cameras.len(), MAX_WISH_CAMERAS)?;
        at_most("quiet hours", self.quiet.len(), MAX_QUIET)?;
        if self.time_zone.len() > NAME {
            return Err(WishError::Name(self.time_zone.chars().take(NAME).collect(), "time zone"));
        }
        for QuietHours { days, from_min, to_min } in self.quiet.iter().copied() {
            if days == 0 || days > 0b111_1111 || from_min >= DAY || to_min > DAY {
                return Err(WishError::QuietHours { days, from_min, to_min });
            }
        }
        for wish in self.cameras.values() {
            at_most("zones of a camera", wish.zones.len(), ZONES)?;
            if let Some(name) = wish.zones.iter().find(|name| name.is_empty() || name.len() > NAME) {
                return Err(WishError::Name(name.chars().take(NAME).collect(), "zone"));
            }
            if wish.cooldown_s > MAX_COOLDOWN_S {
                return Err(WishError::Cooldown(wish.cooldown_s));
            }
        }
        Ok(())
    }

    /// What is wished of `camera`.
    pub fn camera(&self, camera: &CameraId) -> CameraWish {
        self.cameras.get(camera).cloned().unwrap_or_default()
    }
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), WishError> {
    if count <= limit { Ok(()) } else { Err(WishError::TooMany { what, count, limit }) }
}

impl Default for CameraWish {
    fn default() -> Self {
        Self { notify: true, snooze_until: None, cooldown_s: 60, zones: Vec::new(), health: true }
    }
}
