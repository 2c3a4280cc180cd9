//! What happens at the cameras and to the hub, for whoever wants to hear of it as it happens: home automation, metrics.

use std::collections::BTreeMap;

use privet_protocol::id::{CameraId, EventId};
use tokio::sync::broadcast;

use super::{Board, State};
use crate::recorder::Sighting;
use crate::time::mono_us;

/// News that a listener may be behind by; who is further behind reads [`Board::situation`].
const BEHIND: usize = 256;

/// Something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// An activity began, or is over.
    Motion {
        /// Where.
        camera: CameraId,
        /// Whether it goes on.
        on: bool,
    },
    /// Pictures come, or don't any more.
    Online {
        /// From where.
        camera: CameraId,
        /// Whether they come.
        on: bool,
    },
    /// Somebody or something took a camera's view away.
    Tampered {
        /// Whose.
        camera: CameraId,
    },
    /// The relay was connected to, or lost.
    Relay(bool),
    /// An alarm stands, or the last one is gone.
    Problem(bool),
}

/// What is counted of a camera since the hub's start, and what holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vital {
    /// Whether an activity goes on.
    pub active: bool,
    /// Activities.
    pub events: u64,
    /// Times that its view was taken away.
    pub tampered: u64,
    /// Connections that ended or failed; each is followed by another one with a new worker.
    pub restarts: u64,
    /// When its last picture came, in microseconds of the monotonic clock.
    pub picture_us: Option<u64>,
    event: Option<EventId>,
}

/// Who listens, and what they were told of the hub.
#[derive(Debug)]
pub(super) struct Listeners {
    sender: broadcast::Sender<News>,
}

impl Default for Listeners {
    fn default() -> Self {
        Self { sender: broadcast::channel(BEHIND).0 }
    }
}

impl Listeners {
    pub(super) fn tell(&self, news: News) {
        // An error means that nobody listens.
        let _ = self.sender.send(news);
    }
}

impl Board {
    /// Hears everything from now on. A listener that is too slow is told so by the channel and loses the oldest.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.0.listeners.sender.subscribe()
    }

    /// Something was seen at a camera.
    pub fn sighted(&self, camera: CameraId, sighting: &Sighting) {
        let mut state = self.lock();
        let vital = state.vitals.entry(camera).or_default();
        let news = match sighting {
            Sighting::Motion { event, .. } => {
                // The same event again has reached another zone.
                vital.events += u64::from(vital.event != Some(*event));
                vital.event = Some(*event);
                let known = std::mem::replace(&mut vital.active, true);
                if known {
                    return;
                }
                News::Motion { camera, on: true }
            }
            Sighting::MotionOver { .. } => {
                vital.active = false;
                News::Motion { camera, on: false }
            }
            Sighting::Tampered { .. } => {
                vital.tampered += 1;
                News::Tampered { camera }
            }
            Sighting::Online { .. } => News::Online { camera, on: true },
            Sighting::Offline { .. } => News::Online { camera, on: false },
        };
        drop(state);
        self.0.listeners.tell(news);
    }

    /// What was counted of the cameras.
    pub fn vitals(&self) -> BTreeMap<CameraId, Vital> {
        self.lock().vitals.clone()
    }

    /// How things stand, as the news that would lead there.
    pub fn situation(&self) -> Vec<News> {
        let state = self.lock();
        let mut situation = vec![News::Relay(state.connected()), News::Problem(!state.alarms.is_empty())];
        for (id, camera) in &state.cameras {
            let active = state.vitals.get(id).is_some_and(|vital| vital.active);
            situation.push(News::Online { camera: *id, on: camera.online });
            situation.push(News::Motion { camera: *id, on: active });
        }
        situation
    }

    /// A picture came from a camera.
    pub(super) fn picture(state: &mut State, camera: CameraId) {
        state.vitals.entry(camera).or_default().picture_us = Some(mono_us());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::time::Timestamp;
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;
    use crate::status::Alarm;

    fn motion(event: u8) -> Sighting {
        let event = EventId::from_bytes([event; 16]);
        Sighting::Motion { event, at: Timestamp(0), clip: None, zones: Vec::new(), small_jpeg: None }
    }

    fn over(event: u8) -> Sighting {
        Sighting::MotionOver { event: EventId::from_bytes([event; 16]), at: Timestamp(0) }
    }

    #[test]
    fn an_activity_is_told_once_and_once_when_it_is_over() {
        let (board, camera) = (Board::new(), CameraId::from_bytes([1; 16]));
        let mut news = board.news();
        for sighting in [motion(1), motion(1), over(1), motion(2), over(2)] {
            board.sighted(camera, &sighting);
        }
        for on in [true, false, true, false] {
            assert_eq!(news.try_recv().unwrap(), News::Motion { camera, on });
        }
        assert_eq!(news.try_recv(), Err(TryRecvError::Empty));
        assert_eq!((board.vitals()[&camera].events, board.vitals()[&camera].active), (2, false));
    }

    #[test]
    fn the_relay_and_the_alarms_are_told_when_they_change() {
        let board = Board::new();
        let mut news = board.news();
        for state in ["connecting", "connected", "connected", "waiting"] {
            board.relay("relay:4433", state, None, None);
        }
        board.raise(Alarm::NoRoom { cause: "full".into() });
        board.raise(Alarm::Relay { cause: "full too".into() });
        board.clear_relay();
        board.clear_room();
        board.clear_room();
        let expected = [News::Relay(true), News::Relay(false), News::Problem(true), News::Problem(false)];
        assert_eq!(std::array::from_fn::<_, 4, _>(|_| news.try_recv().unwrap()), expected);
        assert_eq!(news.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn cameras_at_which_motion_can_not_be_looked_for_are_an_alarm_until_the_first_verdict() {
        use crate::source::{MotionSample, SourceEvent};

        let board = Board::new();
        let cameras = [CameraId::from_bytes([1; 16]), CameraId::from_bytes([2; 16])];
        let evidence = privet_segment::EvidenceKey::generate(&privet_protocol::random::SystemRandom).unwrap();
        for (camera, name) in cameras.into_iter().zip(["garden", "door"]) {
            board.add_camera(camera, name, evidence.public().unwrap());
            board.source(camera, &SourceEvent::Blind { pause: std::time::Duration::from_secs(600) });
        }
        let alarms = || board.page("", std::time::Duration::ZERO, Default::default(), 0, 0).alarms;
        let text = || alarms().into_iter().map(|alarm| alarm.text).collect::<String>();
        assert!(text().contains("at garden, door:"), "{}", text());
        board.source(cameras[0], &SourceEvent::Motion(MotionSample::default()));
        assert!(text().contains("at door:"), "{}", text());
        board.source(cameras[1], &SourceEvent::Motion(MotionSample::default()));
        assert_eq!(text(), "");
    }

    #[test]
    fn who_is_too_slow_finds_how_things_stand() {
        let (board, camera) = (Board::new(), CameraId::from_bytes([1; 16]));
        let mut news = board.news();
        for n in 0..=BEHIND {
            board.sighted(camera, &if n % 2 == 0 { motion(1) } else { over(1) });
        }
        assert!(matches!(news.try_recv(), Err(TryRecvError::Lagged(_))));
        assert_eq!(board.situation(), [News::Relay(false), News::Problem(false)], "no camera is configured");
    }
}
