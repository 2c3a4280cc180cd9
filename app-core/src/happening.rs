//! What happened, in words: the same for the list of events and for notifications.

use privet_home::{Happening, HomeEvent, Severity, Tamper};

use crate::types::Trust;

/// Something that happened at the home, from the hub's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    /// Its id: the same in the notification about it.
    pub id: String,
    /// `motion`, `camera-offline`, `camera-online`, `tampered`, `disk-nearly-full`, `relay-unreachable`, `relay-back`, or the name of
    /// a kind that this version does not know.
    pub kind: String,
    /// `info`, `warning` or `alarm`.
    pub severity: String,
    /// What happened, in a few English words.
    pub title: String,
    /// More about it, in English; may be empty.
    pub body: String,
    /// The camera it happened at; absent when it concerns the hub itself.
    pub camera_id: Option<String>,
    /// Its name; empty without a camera, or when the camera is not known any more.
    pub camera: String,
    /// The clip that shows it.
    pub clip_id: Option<String>,
    /// The camera's zones it happened in.
    pub zones: Vec<String>,
    /// When it began, by the hub's clock.
    pub at_ms: i64,
    /// `Pending`: said by the hub, in the authenticated log. The clip's own trust says what its pictures prove.
    pub trust: Trust,
}

impl EventInfo {
    /// `event`, at the camera of this name.
    pub(crate) fn new(event: &HomeEvent, camera: &str) -> Self {
        let Words { kind, title, body } = words(event, camera);
        Self {
            id: event.id.to_string(),
            kind,
            severity: severity(event).into(),
            title,
            body,
            camera_id: event.camera.map(|id| id.to_string()),
            camera: camera.into(),
            clip_id: event.clip.map(|id| id.to_string()),
            zones: event.zones.clone(),
            at_ms: event.at.0,
            trust: Trust::Pending,
        }
    }
}

/// A page of events, the one told last first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventInfo>,
    /// Pass it to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// An event for programs and for people.
pub(crate) struct Words {
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) body: String,
}

/// How much `event` matters.
pub(crate) fn severity(event: &HomeEvent) -> &'static str {
    match event.severity() {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Alarm => "alarm",
    }
}

/// `event` at the camera of this name, which may be empty.
pub(crate) fn words(event: &HomeEvent, camera: &str) -> Words {
    let camera = if camera.is_empty() { "a camera" } else { camera };
    let (kind, title, body) = match &event.what {
        Happening::Motion => ("motion", format!("{camera}: motion"), within(&event.zones)),
        Happening::CameraOffline { reason } => ("camera-offline", format!("{camera} is offline"), reason.clone()),
        Happening::CameraOnline => ("camera-online", format!("{camera} is online again"), String::new()),
        Happening::Tampered { how } => {
            let (title, body) = match how {
                Tamper::Covered => ("is covered", "something blocks its view"),
                Tamper::Defocused => ("is out of focus", "its picture is blurred"),
                Tamper::Moved => ("looks somewhere else", "it was turned or moved"),
                _ => ("was tampered with", ""),
            };
            ("tampered", format!("{camera} {title}"), body.into())
        }
        Happening::DiskNearlyFull { free_mib } => {
            ("disk-nearly-full", "the hub's disk is nearly full".into(), format!("{free_mib} MiB are left"))
        }
        Happening::RelayNearlyFull { free_mib } => (
            "relay-nearly-full",
            "the home's room at the relay is nearly full".into(),
            format!("{free_mib} MiB are left"),
        ),
        Happening::RelayUnreachable { .. } => (
            "relay-unreachable",
            "the hub can't reach its relay".into(),
            "what happens meanwhile is told when it is there again".into(),
        ),
        Happening::RelayBack => ("relay-back", "the hub reaches its relay again".into(), String::new()),
        Happening::Unknown { kind } if event.camera.is_none() => (kind.as_str(), kind.clone(), String::new()),
        Happening::Unknown { kind } => (kind.as_str(), format!("{camera}: {kind}"), String::new()),
        _ => ("unknown", format!("{camera}: something happened"), String::new()),
    };
    Words { kind: kind.into(), title, body }
}

/// The zones as people list them.
fn within(zones: &[String]) -> String {
    match zones {
        [] => String::new(),
        [one] => format!("in {one}"),
        [first @ .., last] => format!("in {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use privet_protocol::id::{CameraId, EventId};
    use privet_protocol::time::Timestamp;

    use super::*;

    #[test]
    fn every_kind_has_a_title_that_names_its_camera() {
        let event = |what, zones: &[&str]| HomeEvent {
            id: EventId::from_bytes([1; 16]),
            at: Timestamp(5),
            camera: Some(CameraId::from_bytes([2; 16])),
            what,
            clip: None,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        let said = |event: &HomeEvent| {
            let said = EventInfo::new(event, "Gate");
            format!("{} {} {} | {}", said.kind, said.severity, said.title, said.body)
        };
        assert_eq!(said(&event(Happening::Motion, &[])), "motion info Gate: motion | ");
        let zones = ["path", "drive", "door"];
        assert_eq!(said(&event(Happening::Motion, &zones)), "motion info Gate: motion | in path, drive and door");
        let offline = Happening::CameraOffline { reason: "no answer".into() };
        assert_eq!(said(&event(offline, &[])), "camera-offline warning Gate is offline | no answer");
        let moved = Happening::Tampered { how: Tamper::Moved };
        assert_eq!(said(&event(moved, &[])), "tampered alarm Gate looks somewhere else | it was turned or moved");
        let newer = Happening::Unknown { kind: "Parcel".into() };
        assert_eq!(said(&event(newer, &[])), "Parcel info Gate: Parcel | ");
        let hub = HomeEvent { camera: None, ..event(Happening::DiskNearlyFull { free_mib: 7 }, &[]) };
        assert_eq!(EventInfo::new(&hub, "").body, "7 MiB are left");
    }
}
