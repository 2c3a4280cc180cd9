//! The plain values, as records and enums of the languages. Meaning: `privet_app_core`.
#![expect(missing_docs, reason = "the fields are those of privet_app_core, documented there")]

use privet_app_core as core;

use crate::wishes::{ClipNotes, EventInfo, Notification};

#[derive(Debug, Clone, uniffi::Record)]
pub struct Config {
    pub storage_dir: String,
    pub device_name: String,
    pub cache_limit_mib: u32,
    pub app_version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Trust {
    Verified { signer: String, lease_until_ms: Option<i64> },
    Pending,
    Broken { why: String },
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct Camera {
    pub id: String,
    pub name: String,
    pub online: bool,
    pub width: u32,
    pub height: u32,
    pub codec: String,
    pub signer: String,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub this_device: bool,
    pub added_ms: i64,
    pub last_seen_ms: Option<i64>,
    pub fingerprint: String,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct ClipInfo {
    pub id: String,
    pub camera_id: String,
    pub start_ms: i64,
    pub duration_ms: u64,
    pub bytes: u64,
    pub first_segment: u64,
    pub finished: bool,
    pub local: bool,
    pub trust: Trust,
    pub notes: Option<ClipNotes>,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct Page {
    pub clips: Vec<ClipInfo>,
    pub next: Option<String>,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct VerifyReport {
    pub ok: bool,
    pub signer: String,
    pub signer_known: bool,
    pub chain: Vec<String>,
    pub segments: u64,
    pub first_segment: u64,
    pub frames_checked: u64,
    pub gaps: Vec<Outage>,
    pub clock_set_back: u32,
    pub time_claim_ms: i64,
    pub time_end_ms: i64,
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Outage {
    pub from_ms: i64,
    pub until_ms: i64,
    pub reason: OutageReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum OutageReason {
    HubOff,
    CameraLost,
    Damaged,
    StorageFull,
    NotRecorded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LinkState {
    Offline,
    Connecting,
    Relay,
    Refused,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct Alert {
    pub at_ms: i64,
    pub what: String,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct Status {
    pub paired: bool,
    pub removed: bool,
    pub hub_name: String,
    pub relay: String,
    pub link: LinkState,
    pub link_reason: Option<String>,
    pub caught_up: bool,
    pub position: u64,
    pub relay_head: u64,
    pub hub_seen_ms: Option<i64>,
    pub outbox: u64,
    pub alerts: Vec<Alert>,
    pub cache_bytes: u64,
    pub notifications: Option<String>,
}

#[derive(Debug, Clone, uniffi::Enum)]
pub enum Event {
    ClipStarted {
        clip_id: String,
        camera_id: String,
        at_ms: i64,
        trust: Trust,
    },
    ClipReady {
        clip_id: String,
        camera_id: String,
    },
    Happened {
        event: EventInfo,
    },
    ClipNotes {
        clip_id: String,
        camera_id: String,
    },
    ClipsForgotten {
        clip_ids: Vec<String>,
    },
    WishesChanged,
    /// Not `Notification`: in Kotlin it would hide the record of that name.
    Notified {
        notification: Notification,
    },
    Link {
        state: LinkState,
        why: Option<String>,
    },
    CameraState {
        camera_id: String,
        online: bool,
    },
    CamerasChanged,
    DevicesChanged {
        what: String,
    },
    TrustAlert {
        what: String,
    },
    Rejoined,
    Removed,
    Missed {
        count: u64,
    },
    /// A newer kind, in words.
    Other {
        what: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LiveFormat {
    Fmp4,
    AccessUnits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum GapReason {
    NewStream,
    SlowViewer,
    CameraRestart,
    NetworkLoss,
    FailedVerification,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Track {
    Video,
    Audio,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct LiveStats {
    pub queued: u64,
    pub received: u64,
    pub dropped: u64,
    pub lost: u64,
    pub verified: u64,
    pub broken: u64,
    pub latency_ms: u32,
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct FetchProgress {
    pub ready: u64,
    pub segments: u64,
    pub fetched_bytes: u64,
    pub total_bytes: u64,
}

/// Conversions between enums whose variants have the same names.
macro_rules! same {
    ($from:ty => $to:ty { $($variant:ident),+ }) => {
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                match value {
                    $(<$from>::$variant => Self::$variant,)+
                }
            }
        }
    };
}

/// Conversions between records whose fields have the same names.
macro_rules! fields {
    ($from:ty => $to:ty { $($field:ident),+ }) => {
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                Self { $($field: value.$field.into(),)+ }
            }
        }
    };
}

pub(crate) use {fields, same};

same!(core::LinkState => LinkState { Offline, Connecting, Relay, Refused });
same!(core::OutageReason => OutageReason { HubOff, CameraLost, Damaged, StorageFull, NotRecorded });
same!(LiveFormat => core::LiveFormat { Fmp4, AccessUnits });
same!(core::GapReason => GapReason { NewStream, SlowViewer, CameraRestart, NetworkLoss, FailedVerification });
same!(core::Track => Track { Video, Audio });
fields!(Config => core::Config { storage_dir, device_name, cache_limit_mib, app_version });
fields!(core::Camera => Camera { id, name, online, width, height, codec, signer });
fields!(core::Device => Device { id, name, this_device, added_ms, last_seen_ms, fingerprint });
fields!(core::Outage => Outage { from_ms, until_ms, reason });
fields!(core::LiveStats => LiveStats { queued, received, dropped, lost, verified, broken, latency_ms });
fields!(core::FetchProgress => FetchProgress { ready, segments, fetched_bytes, total_bytes });

impl From<core::Trust> for Trust {
    fn from(trust: core::Trust) -> Self {
        match trust {
            core::Trust::Verified { signer, lease_until_ms } => Self::Verified { signer, lease_until_ms },
            core::Trust::Pending => Self::Pending,
            core::Trust::Broken { why } => Self::Broken { why },
        }
    }
}

impl From<core::VerifyReport> for VerifyReport {
    fn from(report: core::VerifyReport) -> Self {
        Self {
            ok: report.ok,
            signer: report.signer,
            signer_known: report.signer_known,
            chain: report.chain,
            segments: report.segments,
            first_segment: report.first_segment,
            frames_checked: report.frames_checked,
            gaps: report.gaps.into_iter().map(Into::into).collect(),
            clock_set_back: report.clock_set_back,
            time_claim_ms: report.time_claim_ms,
            time_end_ms: report.time_end_ms,
            problems: report.problems,
        }
    }
}

impl From<core::ClipInfo> for ClipInfo {
    fn from(clip: core::ClipInfo) -> Self {
        Self {
            id: clip.id,
            camera_id: clip.camera_id,
            start_ms: clip.start_ms,
            duration_ms: clip.duration_ms,
            bytes: clip.bytes,
            first_segment: clip.first_segment,
            finished: clip.finished,
            local: clip.local,
            trust: clip.trust.into(),
            notes: clip.notes.map(Into::into),
        }
    }
}

impl From<core::Page> for Page {
    fn from(page: core::Page) -> Self {
        Self { clips: page.clips.into_iter().map(Into::into).collect(), next: page.next }
    }
}

impl From<core::Status> for Status {
    fn from(status: core::Status) -> Self {
        Self {
            paired: status.paired,
            removed: status.removed,
            hub_name: status.hub_name,
            relay: status.relay,
            link: status.link.into(),
            link_reason: status.link_reason,
            caught_up: status.caught_up,
            position: status.position,
            relay_head: status.relay_head,
            hub_seen_ms: status.hub_seen_ms,
            outbox: status.outbox,
            alerts: status.alerts.into_iter().map(|(at_ms, what)| Alert { at_ms, what: what.to_string() }).collect(),
            cache_bytes: status.cache_bytes,
            notifications: status.notifications,
        }
    }
}

impl From<core::Event> for Event {
    fn from(event: core::Event) -> Self {
        match event {
            core::Event::ClipStarted { clip_id, camera_id, at_ms, trust } => {
                Self::ClipStarted { clip_id, camera_id, at_ms, trust: trust.into() }
            }
            core::Event::ClipReady { clip_id, camera_id } => Self::ClipReady { clip_id, camera_id },
            core::Event::Happened(event) => Self::Happened { event: (*event).into() },
            core::Event::ClipNotes { clip_id, camera_id } => Self::ClipNotes { clip_id, camera_id },
            core::Event::ClipsForgotten { clip_ids } => Self::ClipsForgotten { clip_ids },
            core::Event::WishesChanged => Self::WishesChanged,
            core::Event::Notification(notification) => Self::Notified { notification: (*notification).into() },
            core::Event::Link { state, reason } => Self::Link { state: state.into(), why: reason },
            core::Event::CameraState { camera_id, online } => Self::CameraState { camera_id, online },
            core::Event::CamerasChanged => Self::CamerasChanged,
            core::Event::DevicesChanged { what } => Self::DevicesChanged { what },
            core::Event::TrustAlert(alert) => Self::TrustAlert { what: alert.to_string() },
            core::Event::Rejoined => Self::Rejoined,
            core::Event::Removed => Self::Removed,
            core::Event::Missed { count } => Self::Missed { count },
            other => Self::Other { what: format!("{other:?}") },
        }
    }
}
