//! What the owner can see: one board that every part writes its state on, and the page read from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_home::CameraInfo;
use privet_protocol::id::CameraId;
use privet_segment::EvidencePublicKey;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::latency::{Histogram, Summary};
use crate::mqtt::MqttStatus;
use crate::outbox::Waiting;
use crate::outbox::retention::Forecast;
use crate::recorder::{CameraNews, Watching};
use crate::source::SourceEvent;
use crate::time::{mono_us, wall};
use crate::uplink::room::{RelayRoom, RelayRooms, Said};

mod alarm;
mod news;

pub use alarm::Alarm;
use news::Listeners;
pub use news::{News, Vital};

/// Where every part of the hub writes what it is doing. Clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// From receiving an access unit to QUIC having its record.
    delay: Histogram,
    /// Cameras came, went or changed: the members are to be told.
    news: Notify,
    /// The relay refused something: it may be full.
    refused: Notify,
    listeners: Listeners,
}

#[derive(Debug, Default)]
struct State {
    relay: RelayStatus,
    relay_rooms: RelayRooms,
    cameras: BTreeMap<CameraId, CameraStatus>,
    evidence: BTreeMap<CameraId, EvidencePublicKey>,
    alarms: BTreeMap<&'static str, AlarmStatus>,
    room: u64,
    clips: Forecast,
    live: LiveStatus,
    fresh: Vec<CameraId>,
    /// What the members were told of each camera last: whether it is online, its size and codec.
    told: BTreeMap<CameraId, (bool, u32, u32, String)>,
    renewed_us: Option<u64>,
    vitals: BTreeMap<CameraId, Vital>,
    /// Cameras at which motion can't be looked for.
    blind: BTreeSet<CameraId>,
}

impl State {
    fn connected(&self) -> bool {
        self.relay.state == "connected"
    }
}

/// The whole page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// What the home is called.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Seconds since the hub started.
    pub up_s: u64,
    /// Phones in the home.
    pub phones: u64,
    /// The connection to the relay.
    pub relay: RelayStatus,
    /// The home's room there, once the relay said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_room: Option<RelayRoom>,
    /// Clips that the relay does not have yet.
    pub outbox: Waiting,
    /// Log entries that the relay does not have yet.
    pub log_waiting: u64,
    /// Notifications that the relay does not have yet.
    #[serde(default)]
    pub notices: NoticesStatus,
    /// Bytes that clips may still take on the disk.
    pub room_bytes: u64,
    /// Whole clips, and how long the room for more lasts.
    pub clips: Forecast,
    /// The cameras.
    pub cameras: Vec<CameraStatus>,
    /// Live records.
    pub live: LiveStatus,
    /// From receiving an access unit to QUIC having its record.
    pub delay: Summary,
    /// What needs somebody's attention.
    pub alarms: Vec<AlarmStatus>,
    /// The MQTT broker, where the configuration names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<MqttStatus>,
    /// What the constant rate costs, where the configuration asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant_rate: Option<ConstantStatus>,
}

/// What a constant rate costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConstantStatus {
    /// Megabits a day from the hub to the relay.
    pub up_mbit_a_day: u64,
    /// Megabits a day from the relay to each phone that reads the log.
    pub phone_mbit_a_day: u64,
    /// Bytes kept at the relay.
    pub kept_bytes: u64,
}

/// Notifications that wait for the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticesStatus {
    /// How many.
    pub waiting: u64,
    /// When the event of the oldest happened, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
}

/// The connection to the relay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Host and port.
    pub address: String,
    /// `connecting`, `connected`, `waiting` for the next try, or `refused` (somebody must do something).
    pub state: String,
    /// Why it is not connected.
    pub why: Option<String>,
    /// What happens next.
    pub next: Option<String>,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// The round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

/// A camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraStatus {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether pictures come.
    pub online: bool,
    /// Why not.
    pub why: Option<String>,
    /// Seconds from then to the next try.
    pub retry_in_s: Option<u64>,
    /// Picture width.
    pub width: u32,
    /// Picture height.
    pub height: u32,
    /// Video codec.
    pub codec: String,
    /// Video units received since the start.
    pub frames: u64,
    /// Times that it went offline since the start.
    pub outages: u64,
    /// Whether something moves.
    pub moving: bool,
    /// Whether a clip is being recorded.
    pub recording: bool,
    /// Phones that watch it live.
    pub viewers: u64,
    /// Those of them that ask for the substream, because their link is too slow for the main stream.
    #[serde(default)]
    pub want_substream: u64,
    /// Whether its live stream shows the substream: when all who watch ask for it, and it comes.
    #[serde(default)]
    pub live_substream: bool,
    /// Bytes of pre-roll in memory.
    pub pre_roll_bytes: u64,
    /// Memory of its worker process.
    pub worker_bytes: u64,
    /// Packets lost on the way from it.
    pub lost_packets: u64,
    /// Fingerprint of its evidence key.
    pub evidence: String,
    /// What its owner should know.
    pub notes: Vec<String>,
}

/// Live records since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveStatus {
    /// Handed to QUIC.
    pub records: u64,
    /// Segments that were dropped because the link was too slow or away.
    pub dropped_segments: u64,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmStatus {
    /// For programs.
    pub kind: String,
    /// For people: the thing, the cause, the next step.
    pub text: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            delay: Histogram::default(),
            news: Notify::new(),
            refused: Notify::new(),
            listeners: Listeners::default(),
        }))
    }

    // --- writing ---

    /// A camera that is configured.
    pub fn add_camera(&self, id: CameraId, name: &str, evidence: EvidencePublicKey) {
        let mut state = self.lock();
        let camera = CameraStatus {
            id: id.to_string(),
            name: name.to_owned(),
            why: Some("connecting".into()),
            evidence: evidence.fingerprint(),
            ..CameraStatus::default()
        };
        state.cameras.insert(id, camera);
        state.evidence.insert(id, evidence);
    }

    /// What came from a camera's worker.
    pub fn source(&self, camera: CameraId, event: &SourceEvent) {
        match event {
            SourceEvent::Blind { .. } => self.blind(camera, true),
            SourceEvent::Motion(_) => self.blind(camera, false),
            _ => {}
        }
        let mut state = self.lock();
        match event {
            SourceEvent::Unit(unit) if unit.track == crate::source::Track::Video => Self::picture(&mut state, camera),
            SourceEvent::Offline { .. } => state.vitals.entry(camera).or_default().restarts += 1,
            _ => {}
        }
        let Some(camera) = state.cameras.get_mut(&camera) else { return };
        match event {
            SourceEvent::Unit(unit) if unit.track == crate::source::Track::Video => camera.frames += 1,
            SourceEvent::Motion(sample) => camera.moving = sample.active,
            SourceEvent::Offline { reason, retry_in } => {
                camera.outages += u64::from(camera.online);
                camera.online = false;
                camera.moving = false;
                camera.why = Some(reason.to_string());
                camera.retry_in_s = Some(retry_in.as_secs());
            }
            SourceEvent::Health(health) => {
                camera.worker_bytes = health.memory;
                camera.lost_packets = health.lost_packets;
                camera.notes.clone_from(&health.notes);
            }
            _ => {}
        }
    }

    /// Whether motion can't be looked for at a camera.
    fn blind(&self, camera: CameraId, is: bool) {
        let mut state = self.lock();
        let changed = if is { state.blind.insert(camera) } else { state.blind.remove(&camera) };
        if !changed {
            return;
        }
        let names: Vec<_> =
            state.blind.iter().filter_map(|id| state.cameras.get(id)).map(|camera| camera.name.as_str()).collect();
        let cameras = names.join(", ");
        drop(state);
        if cameras.is_empty() {
            self.clear("motion");
        } else {
            self.raise(Alarm::Motion { cameras });
        }
    }

    /// A camera came, went or changed.
    pub fn camera_news(&self, id: CameraId, news: CameraNews) {
        let mut state = self.lock();
        let Some(camera) = state.cameras.get_mut(&id) else { return };
        match news {
            CameraNews::Online { format } => {
                camera.online = true;
                camera.why = None;
                camera.retry_in_s = None;
                (camera.width, camera.height) = (format.width, format.height);
                camera.codec.clone_from(&format.codec);
            }
            CameraNews::Offline { reason } => {
                camera.online = false;
                camera.why = Some(reason);
            }
        }
        // Compared with what was told and not with what stands here: `source` may have noted an outage already.
        let now = (camera.online, camera.width, camera.height, camera.codec.clone());
        if state.told.insert(id, now.clone()) != Some(now) {
            state.fresh.push(id);
            drop(state);
            self.0.news.notify_one();
        }
    }

    /// What a camera's recorder does.
    pub fn recording(&self, camera: CameraId, recording: bool, watching: Watching, pre_roll: usize) {
        if let Some(camera) = self.lock().cameras.get_mut(&camera) {
            camera.recording = recording;
            camera.viewers = watching.viewers as u64;
            camera.want_substream = watching.want_substream as u64;
            camera.live_substream = watching.substream;
            camera.pre_roll_bytes = pre_roll as u64;
        }
    }

    /// A live record is with QUIC.
    pub fn handed_over(&self, received_mono_us: Option<u64>) {
        if let Some(received) = received_mono_us {
            self.0.delay.record(mono_us().saturating_sub(received));
        }
        self.lock().live.records += 1;
    }

    /// A live segment was dropped, whole or in part.
    pub fn dropped_segments(&self, count: u64) {
        self.lock().live.dropped_segments += count;
    }

    /// The relay connection is in this state.
    pub fn relay(&self, address: &str, state: &str, why: Option<String>, next: Option<String>) {
        let mut board = self.lock();
        let before = board.connected();
        let relay = &mut board.relay;
        let since_ms = if relay.state == state { relay.since_ms } else { wall().0 };
        *relay = RelayStatus { address: address.into(), state: state.into(), why, next, since_ms, round_trip_ms: None };
        let connected = board.connected();
        drop(board);
        if connected != before {
            self.0.listeners.tell(News::Relay(connected));
        }
    }

    /// The round trip to the relay.
    pub fn round_trip(&self, time: Duration) {
        self.lock().relay.round_trip_ms = Some(time.as_secs_f64() * 1000.0);
    }

    /// The relay said how much of the home's room is used, at this time of the clock that nobody sets, in milliseconds.
    pub fn relay_said(&self, at_ms: u64, said: Said) {
        self.lock().relay_rooms.said(at_ms, said);
    }

    /// The home's room at the relay, once the relay said it.
    pub fn relay_room(&self) -> Option<RelayRoom> {
        self.lock().relay_rooms.room()
    }

    /// The relay refused a clip.
    pub fn relay_refused(&self) {
        self.0.refused.notify_one();
    }

    /// Waits until the relay has refused something since the last call.
    pub async fn relay_refused_wait(&self) {
        self.0.refused.notified().await;
    }

    /// Raises an alarm, or says anew why it stands.
    pub fn raise(&self, alarm: Alarm) {
        let kind = alarm.kind();
        let mut state = self.lock();
        let since_ms = state.alarms.get(kind).map_or_else(|| wall().0, |a| a.since_ms);
        let first = state.alarms.is_empty();
        state.alarms.insert(kind, AlarmStatus { kind: kind.into(), text: alarm.text(), since_ms });
        drop(state);
        if first {
            self.0.listeners.tell(News::Problem(true));
        }
    }

    fn clear(&self, kind: &str) {
        let mut state = self.lock();
        let last = state.alarms.remove(kind).is_some() && state.alarms.is_empty();
        drop(state);
        if last {
            self.0.listeners.tell(News::Problem(false));
        }
    }

    /// Clips can be kept again.
    pub fn clear_room(&self) {
        self.clear("no-room");
    }

    /// The relay takes clips again.
    pub fn clear_relay(&self) {
        self.clear("relay");
    }

    /// The relay takes notifications again.
    pub fn clear_notices(&self) {
        self.clear("notices");
    }

    /// The disk has room again.
    pub fn clear_disk(&self) {
        self.clear("disk");
    }

    /// There is room at the relay again.
    pub fn clear_relay_room(&self) {
        self.clear("relay-room");
    }

    /// There is room in the log at the relay again.
    pub fn clear_relay_log(&self) {
        self.clear("relay-log");
    }

    /// Whether the group may be made anew now; if so, that it was is noted.
    pub fn may_renew(&self, pause: Duration) -> bool {
        let now = mono_us();
        let mut state = self.lock();
        let may = state.renewed_us.is_none_or(|last| now.saturating_sub(last) > pause.as_micros() as u64);
        if may {
            state.renewed_us = Some(now);
        }
        may
    }

    /// Bytes that clips may still take.
    pub fn set_room(&self, bytes: u64) {
        self.lock().room = bytes;
    }

    /// The clips, and how long the room lasts.
    pub fn set_clips(&self, clips: Forecast) {
        self.lock().clips = clips;
    }

    // --- reading ---

    /// Waits until cameras came, went or changed since the last call.
    pub async fn camera_news_wait(&self) {
        self.0.news.notified().await;
    }

    /// The cameras that changed since the last call.
    pub fn take_fresh(&self) -> Vec<CameraId> {
        std::mem::take(&mut self.lock().fresh)
    }

    /// All cameras, as members are told.
    pub fn cameras(&self) -> Vec<CameraInfo> {
        let state = self.lock();
        let info = |(id, camera): (&CameraId, &CameraStatus)| CameraInfo {
            id: *id,
            name: camera.name.clone(),
            online: camera.online,
            width: camera.width,
            height: camera.height,
            codec: camera.codec.clone(),
            evidence: state
                .evidence
                .get(id)
                .map(|k| serde_bytes::ByteBuf::from(k.as_bytes().to_vec()))
                .into_iter()
                .collect(),
        };
        state.cameras.iter().map(info).collect()
    }

    /// The page, with what is known elsewhere filled in by the caller.
    pub fn page(&self, name: &str, up: Duration, outbox: Waiting, phones: u64, log_waiting: u64) -> Status {
        let delay = self.0.delay.summary();
        let state = self.lock();
        Status {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            up_s: up.as_secs(),
            phones,
            relay: state.relay.clone(),
            relay_room: state.relay_rooms.room(),
            outbox,
            log_waiting,
            notices: NoticesStatus::default(),
            room_bytes: state.room,
            clips: state.clips,
            cameras: state.cameras.values().cloned().collect(),
            live: state.live,
            delay,
            alarms: state.alarms.values().cloned().collect(),
            mqtt: None,
            constant_rate: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}
