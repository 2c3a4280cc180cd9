//! Events, notifications and settings, as records and enums of the languages. Meaning: `privet_app_core`.
#![expect(missing_docs, reason = "the fields are those of privet_app_core, documented there")]

use privet_app_core as core;

use crate::data::Data;
use crate::error::CoreError;
use crate::values::{Trust, fields, same};

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EventInfo {
    pub id: String,
    pub kind: String,
    pub severity: String,
    pub title: String,
    pub body: String,
    pub camera_id: Option<String>,
    pub camera: String,
    pub clip_id: Option<String>,
    pub zones: Vec<String>,
    pub at_ms: i64,
    pub trust: Trust,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct EventPage {
    pub events: Vec<EventInfo>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ClipNotes {
    pub heat: Vec<u8>,
    pub peak_ms: i64,
    pub zones: Vec<String>,
    pub pinned: bool,
    pub thumbnail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Thumbnail {
    pub mime: String,
    pub width: u16,
    pub height: u16,
    pub bytes: Data,
    pub trust: Trust,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Notification {
    pub event_id: String,
    pub title: String,
    pub body: String,
    pub text: String,
    pub kind: String,
    pub severity: String,
    pub home: String,
    pub camera: String,
    pub camera_id: Option<String>,
    pub clip_id: Option<String>,
    pub zones: Vec<String>,
    pub at_ms: i64,
    pub late: bool,
    pub stale: bool,
    pub counter: u64,
    pub picture: Option<Vec<u8>>,
}

/// Keep it like a password. Made by `Client.notification_keys`.
#[derive(Clone, uniffi::Record)]
pub struct NotificationKeys {
    pub secret: Vec<u8>,
    pub hub: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Profile {
    Home,
    Away,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct QuietHours {
    pub days: u8,
    pub from_min: u16,
    pub to_min: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CameraSettings {
    pub camera_id: String,
    pub notify: bool,
    pub snooze_until_ms: Option<i64>,
    pub cooldown_s: u32,
    pub zones: Vec<String>,
    pub health: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Settings {
    pub cameras: Vec<CameraSettings>,
    pub away_only: bool,
    pub quiet: Vec<QuietHours>,
    pub time_zone: String,
    pub profile: Option<Profile>,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SettingsState {
    pub kept: Settings,
    pub known: bool,
    pub pending: Option<Settings>,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PushInfo {
    pub vapid: Option<Vec<u8>>,
    pub target: Option<String>,
    pub registered: bool,
}

/// Where this phone is woken.
#[derive(Clone, uniffi::Enum)]
pub enum PushTarget {
    Fcm { token: String },
    WebPush { endpoint: String, p256dh: Vec<u8>, auth: Vec<u8> },
    Apns { token: String, topic: String, sandbox: bool },
}

same!(core::Profile => Profile { Home, Away });
same!(Profile => core::Profile { Home, Away });
fields!(core::EventInfo => EventInfo {
    id, kind, severity, title, body, camera_id, camera, clip_id, zones, at_ms, trust
});
fields!(core::ClipNotes => ClipNotes { heat, peak_ms, zones, pinned, thumbnail });
fields!(core::Thumbnail => Thumbnail { mime, width, height, bytes, trust });
fields!(core::Notification => Notification {
    event_id, title, body, text, kind, severity, home, camera, camera_id, clip_id, zones, at_ms, late, stale, counter, picture
});
fields!(core::NotificationKeys => NotificationKeys { secret, hub });
fields!(NotificationKeys => core::NotificationKeys { secret, hub });
fields!(core::QuietHours => QuietHours { days, from_min, to_min });
fields!(QuietHours => core::QuietHours { days, from_min, to_min });
fields!(core::CameraSettings => CameraSettings { camera_id, notify, snooze_until_ms, cooldown_s, zones, health });
fields!(CameraSettings => core::CameraSettings { camera_id, notify, snooze_until_ms, cooldown_s, zones, health });
fields!(core::PushInfo => PushInfo { vapid, target, registered });

impl From<core::EventPage> for EventPage {
    fn from(page: core::EventPage) -> Self {
        Self { events: all(page.events), next: page.next }
    }
}

impl From<core::Settings> for Settings {
    fn from(settings: core::Settings) -> Self {
        Self {
            cameras: all(settings.cameras),
            away_only: settings.away_only,
            quiet: all(settings.quiet),
            time_zone: settings.time_zone,
            profile: settings.profile.map(Into::into),
        }
    }
}

impl From<Settings> for core::Settings {
    fn from(settings: Settings) -> Self {
        Self {
            cameras: all(settings.cameras),
            away_only: settings.away_only,
            quiet: all(settings.quiet),
            time_zone: settings.time_zone,
            profile: settings.profile.map(Into::into),
        }
    }
}

impl From<core::SettingsState> for SettingsState {
    fn from(state: core::SettingsState) -> Self {
        Self { kept: state.kept.into(), known: state.known, pending: state.pending.map(Into::into) }
    }
}

impl From<PushTarget> for core::PushTarget {
    fn from(target: PushTarget) -> Self {
        match target {
            PushTarget::Fcm { token } => Self::Fcm { token },
            PushTarget::WebPush { endpoint, p256dh, auth } => Self::WebPush { endpoint, p256dh, auth },
            PushTarget::Apns { token, topic, sandbox } => Self::Apns { token, topic, sandbox },
        }
    }
}

/// Opens what a push service delivered. Needs neither a store nor a network; for a notification extension.
///
/// # Errors
/// [`CoreError::Tampered`] when it is not this home's hub's for this phone, [`CoreError::Invalid`].
#[uniffi::export]
#[expect(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]
pub fn open_notification(keys: NotificationKeys, payload: Vec<u8>, now_ms: i64) -> Result<Notification, CoreError> {
    Ok(core::open_notification(&keys.into(), &payload, now_ms)?.into())
}

fn all<A: Into<B>, B>(list: Vec<A>) -> Vec<B> {
    list.into_iter().map(Into::into).collect()
}
