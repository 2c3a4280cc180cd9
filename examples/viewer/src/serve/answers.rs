//! What the page is told: app-core's values as JSON, under app-core's names, and why something is refused.
//!
//! The shapes are the table in `docs/design/0019-viewer-page.md`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use privet_app_core::{
    Camera, CameraSettings, ClipInfo, ClipNotes, CoreError, Device, EventInfo, Gap, GapReason, LinkState, LiveStats,
    Notification, PairingOffer, Profile, QuietHours, SegmentSeen, Settings, SettingsState, Status, Trust, VerifyReport,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::outages;
use crate::run::Failure;

/// What a request is answered with.
pub type Answer = Result<Json<Value>, Refusal>;

/// Why a request is not answered, by the classes of the command line.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    failure: Failure,
}

impl Refusal {
    /// A request that is wrong in this way.
    pub fn wrong(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, failure: Failure::Arguments(why.into()) }
    }

    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        CoreError::NotFound { what: what.into() }.into()
    }
}

impl<T: Into<Failure>> From<T> for Refusal {
    fn from(error: T) -> Self {
        let failure = error.into();
        let status = match failure.class() {
            "arguments" | "pairing" => StatusCode::BAD_REQUEST,
            "not-paired" => StatusCode::CONFLICT,
            "not-found" => StatusCode::NOT_FOUND,
            "not-verified" => StatusCode::UNPROCESSABLE_ENTITY,
            "offline" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, failure }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({"error": self.failure.to_string(), "class": self.failure.class()});
        if let Failure::Core(CoreError::Network { retry_after_ms: Some(ms), .. }) = &self.failure {
            body["retry_after_ms"] = json!(ms);
        }
        (self.status, Json(body)).into_response()
    }
}

/// It was done, and there is nothing to say about it.
pub fn done() -> Json<Value> {
    Json(json!({}))
}

/// What is known about who made something.
pub fn trust(trust: &Trust) -> Value {
    match trust {
        Trust::Verified { signer, lease_until_ms } => {
            json!({"state": "verified", "signer": signer, "lease_until_ms": lease_until_ms})
        }
        Trust::Pending => json!({"state": "pending"}),
        Trust::Broken { why } => json!({"state": "broken", "why": why}),
    }
}

/// This device and its connection; the safety number when it is in a home.
pub fn state(status: &Status, device_name: &str, safety_number: Option<&str>) -> Value {
    let alerts: Vec<_> =
        status.alerts.iter().map(|(at_ms, alert)| json!({"at_ms": at_ms, "what": alert.to_string()})).collect();
    json!({"version": env!("CARGO_PKG_VERSION"), "device_name": device_name, "paired": status.paired,
        "removed": status.removed, "hub_name": status.hub_name, "relay": status.relay, "link": link(status.link),
        "link_reason": status.link_reason, "caught_up": status.caught_up, "hub_seen_ms": status.hub_seen_ms,
        "outbox": status.outbox, "alerts": alerts, "cache_bytes": status.cache_bytes,
        "notifications": status.notifications, "safety_number": safety_number})
}

/// How this device reaches its home.
pub fn link(state: LinkState) -> &'static str {
    match state {
        LinkState::Offline => "offline",
        LinkState::Connecting => "connecting",
        LinkState::Relay => "relay",
        LinkState::Refused => "refused",
    }
}

/// What a pairing code says.
pub fn offer(offer: &PairingOffer) -> Value {
    json!({"relay": offer.relay(), "hub_fingerprint": offer.hub_fingerprint(), "expires_ms": offer.expires_ms()})
}

/// A camera.
pub fn camera(camera: &Camera) -> Value {
    json!({"id": camera.id, "name": camera.name, "online": camera.online, "width": camera.width,
        "height": camera.height, "codec": camera.codec, "signer": camera.signer})
}

/// A member of the home.
pub fn device(device: &Device) -> Value {
    json!({"id": device.id, "name": device.name, "this_device": device.this_device, "added_ms": device.added_ms,
        "last_seen_ms": device.last_seen_ms, "fingerprint": device.fingerprint})
}

/// Something that happened.
pub fn event(event: &EventInfo) -> Value {
    json!({"id": event.id, "kind": event.kind, "severity": event.severity, "title": event.title, "body": event.body,
        "camera_id": event.camera_id, "camera": event.camera, "clip_id": event.clip_id, "zones": event.zones,
        "at_ms": event.at_ms, "trust": trust(&event.trust)})
}

/// What this device is to be told of.
pub fn notification(told: &Notification) -> Value {
    let picture = told.picture.as_ref().map(|picture| data_encoding::BASE64.encode(picture));
    json!({"event_id": told.event_id, "title": told.title, "body": told.body, "text": told.text, "kind": told.kind,
        "severity": told.severity, "home": told.home, "camera": told.camera, "camera_id": told.camera_id,
        "clip_id": told.clip_id, "zones": told.zones, "at_ms": told.at_ms, "late": told.late, "stale": told.stale,
        "counter": told.counter, "picture": picture})
}

/// A clip.
pub fn clip(clip: &ClipInfo) -> Value {
    json!({"id": clip.id, "camera_id": clip.camera_id, "start_ms": clip.start_ms, "duration_ms": clip.duration_ms,
        "bytes": clip.bytes, "first_segment": clip.first_segment, "finished": clip.finished, "local": clip.local,
        "trust": trust(&clip.trust), "notes": clip.notes.as_ref().map(notes)})
}

fn notes(notes: &ClipNotes) -> Value {
    json!({"heat": notes.heat, "peak_ms": notes.peak_ms, "zones": notes.zones, "pinned": notes.pinned,
        "thumbnail": notes.thumbnail})
}

/// What the check of a clip found.
pub fn report(report: &VerifyReport) -> Value {
    json!({"ok": report.ok, "signer": report.signer, "signer_known": report.signer_known, "chain": report.chain,
        "segments": report.segments, "first_segment": report.first_segment, "frames_checked": report.frames_checked,
        "gaps": outages::items(&report.gaps), "clock_set_back": report.clock_set_back, "time_claim_ms": report.time_claim_ms,
        "time_end_ms": report.time_end_ms, "problems": report.problems})
}

/// The verdict on a segment of a live view.
pub fn segment(seen: &SegmentSeen) -> Value {
    json!({"type": "segment", "stream": seen.stream, "index": seen.index, "first_frame": seen.first_frame,
        "last_frame": seen.last_frame, "trust": trust(&seen.trust)})
}

/// What a live view did not show.
pub fn gap(gap: &Gap) -> Value {
    let reason = match gap.reason {
        GapReason::SlowViewer => "slow-viewer",
        GapReason::NewStream => "new-stream",
        GapReason::CameraRestart => "camera-restart",
        GapReason::NetworkLoss => "network-loss",
        GapReason::FailedVerification => "failed-verification",
    };
    json!({"type": "gap", "from_seq": gap.from_seq, "to_seq": gap.to_seq, "reason": reason})
}

/// How a live view goes.
pub fn stats(stats: &LiveStats) -> Value {
    json!({"type": "stats", "received": stats.received, "dropped": stats.dropped, "lost": stats.lost,
        "verified": stats.verified, "broken": stats.broken, "latency_ms": stats.latency_ms})
}

/// The settings as they stand.
pub fn settings(state: &SettingsState) -> Value {
    json!({"kept": SettingsShape::from(&state.kept), "known": state.known,
        "pending": state.pending.as_ref().map(SettingsShape::from)})
}

/// [`Settings`], both ways.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsShape {
    cameras: Vec<CameraShape>,
    away_only: bool,
    quiet: Vec<QuietShape>,
    time_zone: String,
    profile: Option<ProfileShape>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraShape {
    camera_id: String,
    notify: bool,
    snooze_until_ms: Option<i64>,
    cooldown_s: u32,
    zones: Vec<String>,
    health: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuietShape {
    days: u8,
    from_min: u16,
    to_min: u16,
}

/// [`Profile`], both ways.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileShape {
    /// Somebody is there.
    Home,
    /// Nobody is.
    Away,
}

impl From<ProfileShape> for Profile {
    fn from(shape: ProfileShape) -> Self {
        match shape {
            ProfileShape::Home => Self::Home,
            ProfileShape::Away => Self::Away,
        }
    }
}

impl From<&Settings> for SettingsShape {
    fn from(settings: &Settings) -> Self {
        let camera = |camera: &CameraSettings| CameraShape {
            camera_id: camera.camera_id.clone(),
            notify: camera.notify,
            snooze_until_ms: camera.snooze_until_ms,
            cooldown_s: camera.cooldown_s,
            zones: camera.zones.clone(),
            health: camera.health,
        };
        let quiet =
            |hours: &QuietHours| QuietShape { days: hours.days, from_min: hours.from_min, to_min: hours.to_min };
        Self {
            cameras: settings.cameras.iter().map(camera).collect(),
            away_only: settings.away_only,
            quiet: settings.quiet.iter().map(quiet).collect(),
            time_zone: settings.time_zone.clone(),
            profile: settings.profile.map(|profile| match profile {
                Profile::Home => ProfileShape::Home,
                Profile::Away => ProfileShape::Away,
            }),
        }
    }
}

impl From<SettingsShape> for Settings {
    fn from(shape: SettingsShape) -> Self {
        let camera = |camera: CameraShape| CameraSettings {
            camera_id: camera.camera_id,
            notify: camera.notify,
            snooze_until_ms: camera.snooze_until_ms,
            cooldown_s: camera.cooldown_s,
            zones: camera.zones,
            health: camera.health,
        };
        let quiet = |hours: QuietShape| QuietHours { days: hours.days, from_min: hours.from_min, to_min: hours.to_min };
        Self {
            cameras: shape.cameras.into_iter().map(camera).collect(),
            away_only: shape.away_only,
            quiet: shape.quiet.into_iter().map(quiet).collect(),
            time_zone: shape.time_zone,
            profile: shape.profile.map(Profile::from),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn settings_come_back_as_they_went() {
        let mut camera = CameraSettings::default_for("aa");
        (camera.snooze_until_ms, camera.zones) = (Some(7), vec!["path".into()]);
        let kept = Settings {
            cameras: vec![camera],
            away_only: true,
            quiet: vec![QuietHours { days: 127, from_min: 1320, to_min: 360 }],
            time_zone: "Europe/Berlin".into(),
            profile: Some(Profile::Away),
        };
        let state = settings(&SettingsState { kept: kept.clone(), known: true, pending: None });
        assert_eq!((&state["kept"]["profile"], &state["pending"]), (&json!("away"), &Value::Null));
        let back: SettingsShape = serde_json::from_value(state["kept"].clone()).unwrap();
        assert_eq!(Settings::from(back), kept);
        let mut more = state["kept"].clone();
        more["away_olny"] = json!(false);
        serde_json::from_value::<SettingsShape>(more).unwrap_err();
    }

    #[test]
    fn each_class_has_its_status_and_a_retry_is_told() {
        let network = |retry_after_ms| CoreError::Network { reason: "no route".into(), retry_after_ms };
        let classes = [
            (CoreError::Invalid { reason: "x".into() }, 400),
            (CoreError::Pairing(privet_app_core::PairingFailure::NotPrivet), 400),
            (CoreError::NotPaired, 409),
            (CoreError::Revoked, 409),
            (CoreError::NotFound { what: "x".into() }, 404),
            (CoreError::Tampered { reason: "x".into() }, 422),
            (network(Some(5)), 503),
            (CoreError::Timeout { what: "x".into() }, 503),
            (CoreError::Busy, 500),
            (CoreError::Stopped, 500),
        ];
        for (error, status) in classes {
            let text = error.to_string();
            assert_eq!(Refusal::from(error).status.as_u16(), status, "{text}");
        }
        assert_eq!(Refusal::from(network(None)).into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
