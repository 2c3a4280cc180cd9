//! A whole house in one process, but for the camera's worker: a real relay, a real RTSP camera, the hub, and a phone made of
//! the same parts as any other. Pairing by QR text, live, clips through an outage of the relay, removal.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use privet_home::{
    Env, Feed, HubMessage, Offer, PhoneHome, PhoneMessage, Received, StreamEnded, StreamKind, StreamStarted,
};
use privet_hub::config::Config;
use privet_hub::hub::Hub;
use privet_hub::source::WorkerOptions;
use privet_hub::time::wall;
use privet_hub::uplink::pairing::PairingEvent;
use privet_protocol::id::StreamId;
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_raw_camera::{Clip, Options, RawCamera};
use privet_relay_client::{
    ClientKey, Connection, FollowEvent, From, LogItem, LogReader, Principal, RelayTarget, Side, Trust, connect,
};
use privet_segment::{EvidencePublicKey, Header, KnownCameras, StoredSegment, StreamKey, StreamSecret};
use tokio::time::timeout;

use crate::common;

/// Long enough for a loaded machine; never waited for when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn relay(folder: &Path, listen: SocketAddr) -> privet_relay::Server {
    let mut config = privet_relay::Config::default();
    config.listen = listen;
    config.data = folder.join("relay");
    config.limits.free_bytes = 1 << 20;
    privet_relay::Server::start(config).await.unwrap()
}

fn config(folder: &Path, relay: SocketAddr, pin: [u8; 32], camera: &str) -> Config {
    let text = format!(
        "name = \"Test\"\ndata_dir = {:?}\nheartbeat_s = 1\n[relay]\nhost = \"127.0.0.1\"\nport = {}\npin = \"{}\"\n\
         [recording]\npre_roll_s = 2\npost_roll_s = 1\nmax_clip_s = 10\nfree_space_floor_mib = 16\n\
         [[camera]]\nname = \"Door\"\nurl = \"{camera}\"\n",
        folder.join("hub"),
        relay.port(),
        data_encoding::HEXLOWER.encode(&pin),
    );
    Config::parse(Path::new("hub.toml"), &text).unwrap()
}

fn workers() -> WorkerOptions {
    let mut options = WorkerOptions::default();
    options.executable = PathBuf::from(env!("CARGO_BIN_EXE_privet-hub"));
    options
}

/// A phone: the home's state, the relay, and what the log told.
struct Phone {
    home: PhoneHome,
    connection: Connection,
    log: LogReader,
    started: BTreeMap<StreamId, StreamStarted>,
    ended: BTreeMap<StreamId, StreamEnded>,
    trust: KnownCameras,
    camera: Option<privet_home::CameraInfo>,
    removed: bool,
}

impl Phone {
    async fn pair(qr: &str, name: &str) -> Self {
        let offer = Offer::parse(qr, wall()).unwrap();
        let store = Arc::new(MemoryStore::new());
        let env = Env::new(wall(), &SystemRandom);
        let (mut attempt, request) = PhoneHome::begin(&offer, name, store, env).unwrap();
        let address = offer.relay().clone();
        let target = RelayTarget { host: address.host, port: address.port, trust: Trust::Pin(address.pin.unwrap()) };
        let key = ClientKey::from_seed(&offer.mailbox_key()).unwrap();
        let mailbox = offer.mailbox();
        let meeting = connect(&target, Principal::Mailbox { mailbox }, &key, PATIENCE).await.unwrap();
        meeting.post(mailbox, Side::Hub, request).await.unwrap();
        let mut answers = meeting.collect(mailbox, Side::Phone, 1).await.unwrap();
        let answer = loop {
            match within("the hub's answer", answers.next()).await.unwrap().unwrap() {
                LogItem::Entry { bytes, .. } => break bytes,
                LogItem::CaughtUp { .. } => {}
            }
        };
        let home = attempt.complete(&answer, env).unwrap();
        let key = ClientKey::from_seed(&home.capability()).unwrap();
        let connection = connect(&target, Principal::Member { home: home.home_id() }, &key, PATIENCE).await.unwrap();
        let log = connection.read_log(home.position().seq + 1, true).await.unwrap();
        let mut phone = Self {
            home,
            connection,
            log,
            started: BTreeMap::new(),
            ended: BTreeMap::new(),
            trust: KnownCameras::default(),
            camera: None,
            removed: false,
        };
        phone.say(&PhoneMessage::Paired).await;
        phone
    }

    async fn say(&mut self, message: &PhoneMessage) {
        let outgoing = self.home.send(message, Batch::new(), Env::new(wall(), &SystemRandom)).unwrap();
        self.connection.send(outgoing.bytes).await.unwrap();
        self.home.sent(outgoing.number).unwrap();
    }

    /// Takes log entries until `enough`.
    async fn listen(&mut self, what: &str, mut enough: impl FnMut(&Self) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !enough(self) {
            let item = tokio::time::timeout_at(deadline, self.log.next()).await;
            let Some(LogItem::Entry { seq, bytes }) =
                item.unwrap_or_else(|_| panic!("waited in vain: {what}")).unwrap()
            else {
                continue;
            };
            let env = Env::new(wall(), &SystemRandom);
            match self.home.receive(seq, &bytes, |_| Batch::new(), env).unwrap() {
                Received::Message { message: HubMessage::StreamStarted(started), .. } => {
                    self.started.insert(started.stream, started);
                }
                Received::Message { message: HubMessage::StreamEnded(ended), .. } => {
                    self.ended.insert(ended.stream, ended);
                }
                Received::Message { message: HubMessage::Cameras(cameras), .. } => {
                    for camera in cameras {
                        let keys = camera.evidence.iter().map(|k| EvidencePublicKey::from_bytes(k).unwrap()).collect();
                        self.trust.set(camera.id, keys);
                        self.camera = Some(camera);
                    }
                }
                Received::Removed => self.removed = true,
                _ => {}
            }
        }
    }

    fn key(&self, stream: StreamId, index: u64) -> StreamKey {
        let secret = StreamSecret::from_bytes(self.started[&stream].secret.expose()).unwrap();
        let mut key = StreamKey::from_secret(&secret);
        key.advance_to(index).unwrap();
        key
    }

    /// Frames of a whole segment, after everything in it was verified.
    fn verify(&self, stream: StreamId, index: u64, bytes: &[u8]) -> u64 {
        let segment =
            StoredSegment::open(bytes, &self.key(stream, index), Header { stream, index }, &self.trust).unwrap();
        segment.check().unwrap();
        segment.statement().frames
    }

    fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        self.started.values().filter(|s| s.kind == kind).map(|s| s.stream).collect()
    }

    /// Follows a live stream and verifies so many segments.
    async fn follow(&self, stream: StreamId, segments: usize) -> u64 {
        let mut frames = 0;
        let mut follower = self.connection.follow(stream, From::Newest).await.unwrap();
        let mut seen = 0;
        while seen < segments {
            match within("a live segment", follower.next()).await.unwrap().unwrap() {
                FollowEvent::Segment(mut reader) => {
                    let mut bytes = Vec::new();
                    while let Some(piece) = within("live bytes", reader.read()).await.unwrap() {
                        bytes.extend_from_slice(&piece);
                    }
                    frames += self.verify(stream, reader.index(), &bytes);
                    seen += 1;
                }
                FollowEvent::Skipped { .. } => {}
                FollowEvent::Ended { segments } => panic!("ended after {segments} segments"),
            }
        }
        frames
    }

    /// Fetches and verifies a whole clip.
    async fn fetch(&self, stream: StreamId) -> u64 {
        let mut frames = 0;
        for index in 0..self.ended[&stream].segments {
            let bytes = within("a clip's segment", async {
                loop {
                    let Ok(mut reader) = self.connection.get(stream, index, 0).await else {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    let mut bytes = Vec::new();
                    while let Some(piece) = reader.read().await.unwrap() {
                        bytes.extend_from_slice(&piece);
                    }
                    return bytes;
                }
            })
            .await;
            frames += self.verify(stream, index, &bytes);
        }
        frames
    }
}

async fn pair(hub: &Hub, name: &str) -> Phone {
    let view = hub.view();
    let ttl = Duration::from_secs(60);
    let (invitation, mut events) = view.pairings().open(view.home(), view.relay_address(), ttl).await.unwrap().unwrap();
    assert_eq!(within("the mailbox", events.recv()).await, Some(PairingEvent::Ready));
    let phone = Phone::pair(&invitation.qr_text, name).await;
    let joined = within("the phone", events.recv()).await.unwrap();
    let expected = phone.home.safety_number().to_string();
    assert!(matches!(joined, PairingEvent::Joined { safety_number: Some(number), .. } if number == expected));
    let arrived = within("the phone's word", events.recv()).await.unwrap();
    assert_eq!(arrived, PairingEvent::Arrived { device: phone.home.device() });
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_pairs_watches_and_reads_nothing_after_its_removal() {
    let folder = tempfile::tempdir().unwrap();
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let relay = relay(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
    let hub = Hub::start(config(folder.path(), relay.address(), relay.pin(), &camera.url()), workers()).await.unwrap();
    let mut one = pair(&hub, "one").await;
    let mut two = pair(&hub, "two").await;
    one.listen("the camera", |p| p.camera.as_ref().is_some_and(|c| c.online)).await;
    two.listen("the camera", |p| p.camera.as_ref().is_some_and(|c| c.online)).await;

    let id = one.camera.as_ref().unwrap().id;
    one.say(&PhoneMessage::Watch { camera: id, lease_ms: 120_000, feed: Feed::Main }).await;
    two.say(&PhoneMessage::Watch { camera: id, lease_ms: 120_000, feed: Feed::Main }).await;
    one.listen("a live stream", |p| !p.streams(StreamKind::Live).is_empty()).await;
    two.listen("a live stream", |p| !p.streams(StreamKind::Live).is_empty()).await;
    let first = one.streams(StreamKind::Live)[0];
    assert!(one.follow(first, 3).await >= 30);
    assert!(two.follow(first, 1).await >= 10);
    let status = hub.view().status().await.unwrap();
    assert_eq!((status.phones, status.cameras[0].viewers, status.relay.state.as_str()), (2, 2, "connected"));
    assert!(status.delay.count > 30, "{:?}", status.delay);
    eprintln!("camera to QUIC: {:?}", status.delay);

    assert_eq!(hub.view().remove(one.home.device()).await.unwrap(), Some(true));
    within("the relay to close the door", one.connection.closed()).await;
    two.listen("a stream under a new key", |p| p.streams(StreamKind::Live).len() == 2).await;
    let second = *two.streams(StreamKind::Live).iter().find(|s| **s != first).unwrap();
    assert!(two.follow(second, 2).await >= 20);
    two.listen("the end of the old one", |p| p.ended.contains_key(&first)).await;
    assert_eq!(hub.view().status().await.unwrap().cameras[0].viewers, 1);
    hub.stop().await;
    two.listen("the end", |p| p.ended.contains_key(&second)).await;
    relay.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_made_while_the_relay_is_away_and_over_a_restart_of_the_hub_arrive_whole() {
    let Some(clips) = common::clip::clips() else { return };
    let folder = tempfile::tempdir().unwrap();
    let film = Clip::open(&clips.join("car-detection.mp4"), 12).unwrap();
    let camera = RawCamera::start(Options::new(film)).unwrap();
    let first = relay(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
    let (address, pin) = (first.address(), first.pin());
    let config = || config(folder.path(), address, pin, &camera.url());
    let hub = Hub::start(config(), workers()).await.unwrap();
    let mut phone = pair(&hub, "one").await;
    phone.listen("a clip", |p| !p.streams(StreamKind::Clip).is_empty()).await;

    first.shutdown().await;
    until("segments to wait", async || hub.view().status().await.unwrap().outbox.segments >= 4).await;
    let status = hub.view().status().await.unwrap();
    assert_ne!(status.relay.state, "connected");
    let recorded = status.outbox.segments;
    hub.stop().await;

    let hub = Hub::start(config(), workers()).await.unwrap();
    assert!(hub.view().status().await.unwrap().outbox.segments >= recorded, "nothing is lost over a restart");
    let again = relay(folder.path(), address).await;
    until("the outbox to be empty", async || {
        let status = hub.view().status().await.unwrap();
        status.outbox.segments == 0 && status.relay.state == "connected" && status.log_waiting == 0
    })
    .await;
    let key = ClientKey::from_seed(&phone.home.capability()).unwrap();
    let target = RelayTarget { host: "127.0.0.1".into(), port: address.port(), trust: Trust::Pin(pin) };
    let principal = Principal::Member { home: phone.home.home_id() };
    phone.connection = connect(&target, principal, &key, PATIENCE).await.unwrap();
    phone.log = phone.connection.read_log(phone.home.position().seq + 1, true).await.unwrap();
    phone.listen("ended clips", |p| p.ended.values().filter(|e| e.segments > 0).count() >= 2).await;
    let whole: Vec<StreamId> = phone.ended.values().filter(|e| e.segments > 0).map(|e| e.stream).collect();
    for stream in whole {
        let frames = phone.fetch(stream).await;
        assert!(frames > 0);
    }
    assert_eq!(hub.view().status().await.unwrap().outbox.given_up, 0);
    hub.stop().await;
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_recording_with_an_alarm_while_live_and_pairing_work() {
    let Some(clips) = common::clip::clips() else { return };
    let folder = tempfile::tempdir().unwrap();
    let film = Clip::open(&clips.join("car-detection.mp4"), 12).unwrap();
    let camera = RawCamera::start(Options::new(film)).unwrap();
    let relay = relay(folder.path(), "127.0.0.1:0".parse().unwrap()).await;
    let mut config = config(folder.path(), relay.address(), relay.pin(), &camera.url());
    config.recording.free_space_floor_mib = 1 << 30;
    let hub = Hub::start(config, workers()).await.unwrap();
    until("the alarm", async || {
        let status = hub.view().status().await.unwrap();
        status.alarms.iter().any(|alarm| alarm.kind == "no-room")
    })
    .await;
    let mut phone = pair(&hub, "one").await;
    phone.listen("the camera", |p| p.camera.as_ref().is_some_and(|c| c.online)).await;
    let camera = phone.camera.as_ref().unwrap().id;
    phone.say(&PhoneMessage::Watch { camera, lease_ms: 60_000, feed: Feed::Main }).await;
    phone.listen("a live stream", |p| !p.streams(StreamKind::Live).is_empty()).await;
    let stream = phone.streams(StreamKind::Live)[0];
    assert!(phone.follow(stream, 2).await > 0);
    until("motion", async || hub.view().status().await.unwrap().cameras[0].moving).await;
    // A clip may be begun before its recorder has heard that there is no room; nothing of it is kept.
    until("no recording", async || !hub.view().status().await.unwrap().cameras[0].recording).await;
    assert_eq!(hub.view().status().await.unwrap().outbox.segments, 0);
    hub.stop().await;
    relay.shutdown().await;
}
