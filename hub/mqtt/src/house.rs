//! What is known of the home now, and what of it a connection has not said yet. State, not a queue: however long the broker is
//! away and whatever happens meanwhile, what waits for it is one value a thing.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_protocol::id::CameraId;
use privet_protocol::time::Timestamp;

use crate::discovery;
use crate::snooze;
use crate::topics::{CameraKey, Topics};

/// How long a tampering is shown: it is told once, and nobody tells when the view was set right.
const TAMPER_HOLD: Duration = Duration::from_secs(600);

/// News of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Whether something moves.
    Motion(bool),
    /// Whether pictures come.
    Online(bool),
    /// Somebody or something took its view away.
    Tampered,
}

/// News of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubNews {
    /// Whether the relay is connected.
    Relay(bool),
    /// Whether an alarm stands.
    Problem(bool),
}

/// What is said at the broker; all of it is retained there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

impl Message {
    pub(crate) fn new(topic: String, payload: impl Into<Vec<u8>>) -> Self {
        Self { topic, payload: payload.into() }
    }
}

/// A camera and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Camera {
    pub(crate) name: String,
    pub(crate) key: CameraKey,
    motion: bool,
    online: bool,
    tampered: Option<Timestamp>,
}

/// The home as the broker is to see it.
#[derive(Clone, Debug)]
pub struct House {
    pub(crate) topics: Topics,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) cameras: BTreeMap<CameraId, Camera>,
    relay: bool,
    problem: bool,
}

impl House {
    /// The home called `name` with these cameras, all of them offline until it is told otherwise; `version` is the hub's.
    pub fn new(
        topics: Topics,
        name: &str,
        version: &str,
        cameras: impl IntoIterator<Item = (CameraId, String)>,
    ) -> Self {
        let mut house = Self {
            topics,
            name: name.to_owned(),
            version: version.to_owned(),
            cameras: BTreeMap::new(),
            relay: false,
            problem: false,
        };
        for (id, name) in cameras {
            let key = CameraKey::new(id, &name, |key| house.cameras.values().any(|c| c.key.as_str() == key));
            house.cameras.insert(id, Camera { name, key, motion: false, online: false, tampered: None });
        }
        house
    }

    /// Where things stand at the broker.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// What is known changed; a camera that the house does not have is nobody.
    pub fn camera(&mut self, id: CameraId, news: News, now: Timestamp) {
        let Some(camera) = self.cameras.get_mut(&id) else { return };
        match news {
            News::Motion(motion) => camera.motion = motion,
            News::Tampered => camera.tampered = Some(now),
            News::Online(online) => {
                camera.online = online;
                // Nothing is seen to move without pictures.
                camera.motion &= online;
            }
        }
    }

    /// What is known of the hub changed.
    pub fn hub(&mut self, news: HubNews) {
        match news {
            HubNews::Relay(connected) => self.relay = connected,
            HubNews::Problem(stands) => self.problem = stands,
        }
    }

    /// Which camera's snooze a topic sets.
    pub fn snoozed(&self, topic: &str) -> Option<CameraId> {
        let key = self.topics.snoozed(topic)?;
        self.cameras.iter().find(|(_, camera)| camera.key.as_str() == key).map(|(id, _)| *id)
    }

    /// Who is there.
    pub fn announcements(&self) -> Vec<Message> {
        discovery::announcements(self)
    }

    fn states(&self, until: impl Fn(CameraId) -> Option<Timestamp>, now: Timestamp) -> Vec<Message> {
        let topics = &self.topics;
        let mut said = vec![
            Message::new(topics.availability(), "online"),
            Message::new(topics.hub("relay"), switch(self.relay)),
            Message::new(topics.hub("problem"), switch(self.problem)),
        ];
        for (id, camera) in &self.cameras {
            let at = |state: &str| topics.camera(&camera.key, state);
            let until = until(*id);
            said.push(Message::new(at("online"), switch(camera.online)));
            said.push(Message::new(at("motion"), switch(camera.motion)));
            said.push(Message::new(
                at("tamper"),
                switch(camera.tampered.is_some_and(|at| now.since(at) < TAMPER_HOLD)),
            ));
            said.push(Message::new(at("snooze"), snooze::minutes_left(until, now).to_string()));
            said.push(Message::new(at("snooze/until"), snooze::end(until, now)));
        }
        said
    }
}

fn switch(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

/// What one connection has said.
#[derive(Debug, Default)]
pub struct Said {
    announced: bool,
    states: BTreeMap<String, Vec<u8>>,
}

impl Said {
    /// What is to be said now: at first who is there, then the states; later only what changed.
    pub fn due(
        &mut self,
        house: &House,
        until: impl Fn(CameraId) -> Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<Message> {
        let mut due = Vec::new();
        if !self.announced {
            self.announced = true;
            due = house.announcements();
        }
        for message in house.states(until, now) {
            if self.states.get(&message.topic) != Some(&message.payload) {
                self.states.insert(message.topic.clone(), message.payload.clone());
                due.push(message);
            }
        }
        due
    }

    /// Home Assistant started: all of it is news to it.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Which snoozes have to be said again, so that a control in Home Assistant that was moved to something refused goes back.
    pub fn forget_snooze(&mut self, house: &House, camera: CameraId) {
        if let Some(camera) = house.cameras.get(&camera) {
            self.states.remove(&house.topics.camera(&camera.key, "snooze"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_250_000_000);

    fn house() -> (House, CameraId) {
        let door = CameraId::from_bytes([1; 16]);
        let topics = Topics::new("privet", "homeassistant", "Cottage", "0123456789abcdef");
        (House::new(topics, "Cottage", "0.1.0", [(door, "Door".to_owned())]), door)
    }

    fn text(messages: &[Message]) -> Vec<(String, String)> {
        messages.iter().map(|m| (m.topic.clone(), String::from_utf8(m.payload.clone()).unwrap())).collect()
    }

    #[test]
    fn everything_is_said_once_then_only_what_changed() {
        let (mut house, door) = house();
        let none = |_| None;
        let mut said = Said::default();
        let first = said.due(&house, none, NOW);
        let announced = first.iter().filter(|m| m.topic.ends_with("/config")).count();
        assert_eq!((announced, first.len()), (7, 7 + 3 + 5));
        assert!(said.due(&house, none, NOW).is_empty());
        house.camera(door, News::Online(true), NOW);
        house.camera(door, News::Motion(true), NOW);
        house.camera(CameraId::from_bytes([9; 16]), News::Motion(true), NOW);
        let changed = text(&said.due(&house, none, NOW));
        let at = |state: &str| format!("privet/door_01010101/{state}");
        assert_eq!(changed, [(at("online"), "ON".into()), (at("motion"), "ON".into())]);
        house.camera(door, News::Online(false), NOW);
        let changed = text(&said.due(&house, none, NOW));
        assert_eq!(
            changed,
            [(at("online"), "OFF".into()), (at("motion"), "OFF".into())],
            "motion ends with the pictures"
        );
        said.forget();
        assert_eq!(said.due(&house, none, NOW).len(), first.len());
    }

    #[test]
    fn a_snooze_counts_down_and_ends_by_itself() {
        let (house, door) = house();
        let until = |_| Some(NOW.after(Duration::from_secs(90)));
        let mut said = Said::default();
        said.due(&house, |_| None, NOW);
        let at = |state: &str| format!("privet/door_01010101/{state}");
        let first = text(&said.due(&house, until, NOW));
        assert_eq!(first, [(at("snooze"), "2".into()), (at("snooze/until"), "2026-11-21T08:34:50Z".into())]);
        assert_eq!(text(&said.due(&house, until, Timestamp(NOW.0 + 30_000))), [(at("snooze"), "1".into())]);
        let over = text(&said.due(&house, until, Timestamp(NOW.0 + 90_000)));
        assert_eq!(over, [(at("snooze"), "0".into()), (at("snooze/until"), "None".into())]);
        said.forget_snooze(&house, door);
        assert_eq!(text(&said.due(&house, |_| None, NOW)), [(at("snooze"), "0".into())]);
    }

    #[test]
    fn a_tampering_is_shown_for_ten_minutes() {
        let (mut house, door) = house();
        let mut said = Said::default();
        house.camera(door, News::Tampered, NOW);
        let at = |ms: i64| Timestamp(NOW.0 + ms);
        let tamper =
            |due: Vec<Message>| text(&due).into_iter().find(|(t, _)| t.ends_with("/tamper")).map(|(_, state)| state);
        assert_eq!(tamper(said.due(&house, |_| None, NOW)).as_deref(), Some("ON"));
        assert_eq!(tamper(said.due(&house, |_| None, at(599_999))), None);
        house.camera(door, News::Tampered, at(599_999));
        assert_eq!(tamper(said.due(&house, |_| None, at(600_000))), None, "again");
        assert_eq!(tamper(said.due(&house, |_| None, at(1_199_999))).as_deref(), Some("OFF"));
    }

    #[test]
    fn two_cameras_that_look_alike_keep_their_own_topics() {
        let (one, other) = (CameraId::from_bytes([1; 16]), {
            let mut bytes = [1; 16];
            bytes[15] = 2;
            CameraId::from_bytes(bytes)
        });
        let topics = Topics::new("privet", "homeassistant", "Cottage", "0123456789abcdef");
        let cameras = [(one, "Tür/1".to_owned()), (other, "T#r 1".to_owned())];
        let house = House::new(topics, "Cottage", "0.1.0", cameras);
        let mut said = Said::default();
        let mut topics: Vec<_> = said.due(&house, |_| None, NOW).into_iter().map(|m| m.topic).collect();
        assert!(topics.iter().all(|t| !t.contains(['+', '#']) && !t.contains(char::is_control)));
        let all = topics.len();
        topics.sort();
        topics.dedup();
        assert_eq!(topics.len(), all);
        for id in [one, other] {
            let set = house.topics.camera(&house.cameras[&id].key, "snooze/set");
            assert_eq!(house.snoozed(&set), Some(id));
        }
    }
}
