//! An event is told once, whatever commit fails and whenever the hub dies. A real home with a phone that reads its log.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use privet_home::{Happening, Offer, PhoneHome, PhoneMessage, PushSetup, Received, RelayAddress, Wishes};
use privet_notice::NotificationSecret;
use privet_notify::Taken;
use privet_protocol::id::EventId;
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, Fault, MemoryStore, Store};
use privet_segment::EvidenceKey;
use serde_bytes::ByteBuf;
use tokio::sync::watch as channel;

use super::task::{Feeds, Task};
use super::watch::Patience;
use super::*;
use crate::recorder::Sighting;
use crate::time::wall;
use privet_store::Blobs;

const GATE: CameraId = CameraId::from_bytes([1; 16]);
const PATIENCE: Duration = Duration::from_secs(30);

/// The state of a hub and of one of its phones, on disks that can be copied and fail.
pub(crate) struct House {
    pub(crate) hub: MemoryStore,
    pub(crate) phone: MemoryStore,
    pub(crate) secret: NotificationSecret,
}

fn env() -> Env<'static> {
    Env::new(wall(), &SystemRandom)
}

impl House {
    fn new() -> Self {
        let (hub, phone) = (MemoryStore::new(), MemoryStore::new());
        let mut home = HubHome::create(Arc::new(hub.clone()), "Cottage", env()).unwrap();
        let relay = RelayAddress { host: "127.0.0.1".into(), port: 1, pin: None };
        let invitation = home.invite(&relay, Duration::from_secs(600), env()).unwrap();
        let offer = Offer::parse(&invitation.qr_text, wall()).unwrap();
        let (mut attempt, request) = PhoneHome::begin(&offer, "Ann", Arc::new(phone.clone()), env()).unwrap();
        let admitted = home.admit(invitation.pairing, &request, &[], env()).unwrap();
        let ann = attempt.complete(&admitted.answer, env()).unwrap();
        let secret = NotificationSecret::generate(&SystemRandom);
        let mut book = Book::open(Arc::new(hub.clone())).unwrap();
        let step = book.set_push(ann.device(), setup(&secret)).unwrap().unwrap();
        book.commit(step).unwrap();
        Self { hub, phone, secret }
    }

    fn copy(&self) -> Self {
        Self { hub: self.hub.backup(), phone: self.phone.backup(), secret: self.secret.clone() }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.hub.clone())
    }

    /// A hub that starts.
    fn start(&self) -> (HubHome, Book) {
        self.hub.heal();
        (HubHome::load(self.store()).unwrap().unwrap(), Book::open(self.store()).unwrap())
    }

    /// What the log told the phone.
    fn log(&self) -> Vec<HubMessage> {
        let mut phone = PhoneHome::load(Arc::new(self.phone.clone())).unwrap().unwrap();
        let home = HubHome::load(self.store()).unwrap().unwrap();
        let mut said = Vec::new();
        for entry in home.outbox(phone.position().seq + 1, 1000).unwrap() {
            if let Received::Message { message, .. } =
                phone.receive(entry.seq, &entry.bytes, |_| Batch::new(), env()).unwrap()
            {
                said.push(message);
            }
        }
        said
    }

    fn events(&self) -> Vec<HomeEvent> {
        self.log()
            .into_iter()
            .filter_map(|m| if let HubMessage::Event(event) = m { Some(event) } else { None })
            .collect()
    }

    fn waiting(&self) -> Vec<EventId> {
        Book::open(self.store()).unwrap().waiting().unwrap().into_iter().map(|(_, waiting)| waiting.event.id).collect()
    }

    fn said_by_phone(&self, message: &PhoneMessage) -> Vec<u8> {
        let mut phone = PhoneHome::load(Arc::new(self.phone.clone())).unwrap().unwrap();
        phone.send(message, Batch::new(), env()).unwrap().bytes
    }

    fn handle(&self) -> (NoticesHandle, mpsc::UnboundedReceiver<(HomeEvent, Option<Bytes>)>) {
        let (home, book) = self.start();
        let board = Board::new();
        board.add_camera(GATE, "Gate", EvidenceKey::generate(&SystemRandom).unwrap().public().unwrap());
        NoticesHandle::new(HomeHandle::spawn(home).unwrap(), book, board)
    }
}

pub(crate) fn setup(secret: &NotificationSecret) -> PushSetup {
    PushSetup { notification_key: ByteBuf::from(secret.public().unwrap().as_bytes().to_vec()), counter: 1 }
}

fn motion(number: u8) -> HomeEvent {
    let id = EventId::from_bytes([number; 16]);
    HomeEvent { id, at: wall(), camera: Some(GATE), what: Happening::Motion, clip: None, zones: Vec::new() }
}

#[test]
fn an_event_is_logged_once_and_waits_once_whatever_commit_fails() {
    let house = House::new();
    let event = motion(7);
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        for restarts in [true, false] {
            let house = house.copy();
            let (mut home, mut book) = house.start();
            house.hub.fail_after(0, fault);
            assert!(tell(&mut home, env(), &mut book, &event, None).is_err());
            house.hub.heal();
            if restarts {
                (home, book) = house.start();
            }
            tell(&mut home, env(), &mut book, &event, None).unwrap();
            assert_eq!(house.events(), std::slice::from_ref(&event), "{fault:?}, restarts: {restarts}");
            assert_eq!(house.waiting(), [event.id], "{fault:?}, restarts: {restarts}");
        }
    }
    // Log and notices are one commit: there is no point between them.
    let (mut home, mut book) = house.start();
    let before = house.hub.commits();
    tell(&mut home, env(), &mut book, &event, None).unwrap();
    assert_eq!(house.hub.commits(), before + 1);
    // Further zones wake nobody who knows, and the log says it no second time.
    let further = HomeEvent { zones: vec!["door".into()], ..event.clone() };
    assert_eq!(tell(&mut home, env(), &mut book, &further, None), Ok(0));
    assert_eq!((house.events(), house.waiting()), (vec![event.clone()], vec![event.id]));
}

#[test]
fn wishes_and_keys_are_kept_in_the_commit_that_takes_their_message() {
    let house = House::new();
    let wishes = Wishes { away_only: true, time_zone: "Asia/Tokyo".into(), ..Wishes::default() };
    let message = house.said_by_phone(&PhoneMessage::SetWishes(wishes.clone()));
    let device = PhoneHome::load(Arc::new(house.phone.clone())).unwrap().unwrap().device();
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        let house = house.copy();
        // The hub dies in the commit, starts anew, and the relay gives it the message again.
        for last in [false, true] {
            let (mut home, _) = house.start();
            let (notices, _events) = house.handle();
            if !last {
                house.hub.fail_after(0, fault);
            }
            let mut desk = notices.desk();
            let taken = home.receive_with(&message, env(), |from| desk.answer(from, &[], wall()));
            desk.settle(taken.is_ok());
            assert_eq!(taken.is_ok(), last && fault == Fault::Refuse, "{fault:?}: the second time it was taken");
        }
        assert_eq!(Book::open(house.store()).unwrap().wishes(&device).wishes.time_zone, "Asia/Tokyo");
        let told: Vec<_> = house.log().into_iter().filter(|m| matches!(m, HubMessage::Wishes(_))).collect();
        let [HubMessage::Wishes(told)] = &told[..] else { panic!("{fault:?}: {told:?}") };
        assert!(told.device == device && told.wishes.away_only);
    }
}

#[test]
fn impossible_wishes_are_answered_with_those_that_are_kept() {
    let house = House::new();
    let (mut home, _) = house.start();
    let (notices, _events) = house.handle();
    let unknown = CameraId::from_bytes([9; 16]);
    let of_unknown = Wishes { cameras: [(unknown, Default::default())].into(), ..Wishes::default() };
    for impossible in [of_unknown, Wishes { time_zone: "Europe/Atlantis".into(), ..Wishes::default() }] {
        let message = house.said_by_phone(&PhoneMessage::SetWishes(impossible));
        let mut desk = notices.desk();
        let taken = home.receive_with(&message, env(), |from| desk.answer(from, &[], wall()));
        desk.settle(taken.is_ok());
        taken.unwrap();
    }
    // A phone that has just come in is told as well.
    let message = house.said_by_phone(&PhoneMessage::Paired);
    let mut desk = notices.desk();
    let taken = home.receive_with(&message, env(), |from| desk.answer(from, &[], wall()));
    desk.settle(taken.is_ok());
    taken.unwrap();
    let told =
        house.log().into_iter().filter_map(|m| if let HubMessage::Wishes(w) = m { Some(w.wishes) } else { None });
    let kept = Wishes { profile: Some(privet_home::Profile::Home), ..Wishes::default() };
    assert_eq!(told.collect::<Vec<_>>(), [kept.clone(), kept.clone(), kept]);
}

#[tokio::test]
async fn of_a_flood_of_wishes_the_log_has_thirty_and_the_last() {
    let house = House::new();
    let (notices, _events) = house.handle();
    for cooldown_s in 0..40 {
        let wish = privet_home::CameraWish { cooldown_s, ..Default::default() };
        let wishes = Wishes { cameras: [(GATE, wish)].into(), ..Wishes::default() };
        let message = house.said_by_phone(&PhoneMessage::SetWishes(wishes));
        let of = notices.clone();
        let take = move |home: &mut HubHome, env: Env<'_>| {
            let mut desk = of.desk();
            let taken = home.receive_with(&message, env, |from| desk.answer(from, &[], env.now));
            desk.settle(taken.is_ok());
            taken.map(drop)
        };
        notices.0.home.call(take).await.unwrap().unwrap();
    }
    let told = || -> Vec<u32> {
        let wishes = house.log().into_iter().filter_map(|m| if let HubMessage::Wishes(w) = m { Some(w) } else { None });
        wishes.map(|w| w.wishes.camera(&GATE).cooldown_s).collect()
    };
    assert_eq!(house.copy().log().len(), 1 + 30, "the phone's coming in, and its wishes");
    // A hub that starts anew does not remember who was quick, and looks at what waits at once.
    drop(notices);
    let (notices, _events) = house.handle();
    notices.look_again().await.unwrap();
    notices.look_again().await.unwrap();
    assert_eq!(told(), (0..30).chain([39]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_snooze_of_the_home_is_kept_and_heeded() {
    let house = House::new();
    let (notices, _events) = house.handle();
    let until = wall().after(Duration::from_secs(3600));
    notices.set_snooze(GATE, Some(until)).await.unwrap();
    let unknown = CameraId::from_bytes([9; 16]);
    assert!(matches!(notices.set_snooze(unknown, Some(until)).await, Err(NoticesError::Book(BookError::Camera(_)))));
    drop(notices);
    let (notices, _events) = house.handle();
    assert_eq!(notices.snoozed(GATE), Some(until));
    notices.tell(motion(1), None).await.unwrap();
    notices.set_snooze(GATE, None).await.unwrap();
    assert_eq!(notices.snoozed(GATE), None);
    notices.tell(motion(2), None).await.unwrap();
    assert_eq!(house.events().len(), 2, "the log has what nobody is woken for");
    assert_eq!(house.waiting(), [motion(2).id]);
}

#[tokio::test]
async fn what_waits_is_sealed_to_its_phone_with_its_picture_and_gone_when_the_relay_has_it() {
    let house = House::new();
    let (notices, _events) = house.handle();
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 20)
        .encode(&[9; 48 * 27 * 3], 48, 27, image::ExtendedColorType::Rgb8)
        .unwrap();
    let old = HomeEvent { at: Timestamp(wall().0 - 3_600_000), ..motion(1) };
    notices.tell(old, Some(jpeg.clone().into())).await.unwrap();
    // Into another life of the hub: the picture is kept with the notice.
    drop(notices);
    let (notices, _events) = house.handle();
    let phone = PhoneHome::load(Arc::new(house.phone.clone())).unwrap().unwrap();
    assert_eq!(notices.expected().await.unwrap(), BTreeSet::from([phone.device()]));
    let sealed = notices.seal(phone.device(), 8).await.unwrap();
    let again = notices.seal(phone.device(), 8).await.unwrap();
    assert_eq!((sealed.len(), sealed[0].id), (1, again[0].id), "the relay knows a repetition by its name");
    assert_eq!(sealed[0].urgency, Urgency::High);
    let notice = privet_notice::open(&house.secret, &phone.hub_identity(), &sealed[0].payload).unwrap();
    assert_eq!((notice.home.as_str(), notice.camera.as_str(), notice.late), ("Cottage", "Gate", true));
    assert_eq!(notice.picture.unwrap().bytes.as_slice(), jpeg.as_slice());
    assert_eq!(notices.figures().await.unwrap().waiting, 1);
    notices.done(vec![sealed[0].number]).await.unwrap();
    assert_eq!(notices.figures().await.unwrap(), Figures::default());
}

#[tokio::test]
async fn notices_for_a_phone_that_left_go_with_it() {
    let house = House::new();
    let (notices, _events) = house.handle();
    notices.tell(motion(1), None).await.unwrap();
    let device = PhoneHome::load(Arc::new(house.phone.clone())).unwrap().unwrap().device();
    let of = notices.clone();
    let remove = move |home: &mut HubHome, env: Env<'_>| {
        let mut desk = of.desk();
        let forgotten = desk.forget(&device).unwrap();
        let removed = home.remove(device, None, forgotten, env);
        desk.settle(removed.is_ok());
        removed.map(drop)
    };
    notices.0.home.call(remove).await.unwrap().unwrap();
    assert!(notices.expected().await.unwrap().is_empty());
    assert!(house.waiting().is_empty());
    assert!(Book::open(house.store()).unwrap().key(&device).is_none());
}

#[tokio::test]
async fn the_task_tells_what_it_hears_tries_again_when_the_disk_fails_and_the_rest_when_the_hub_stops() {
    let house = House::new();
    let (notices, happened) = house.handle();
    let folder = tempfile::tempdir().unwrap();
    let (sightings, seen) = mpsc::unbounded_channel();
    let (_connections, connection) = channel::channel(None);
    let task = Task {
        outbox: crate::outbox::Outbox::open(Arc::new(MemoryStore::new()), Blobs::open(folder.path(), 0).unwrap())
            .unwrap(),
        board: notices.0.board.clone(),
        patience: Patience {
            offline: Duration::from_millis(1),
            relay: Duration::from_millis(1),
            disk_margin: u64::MAX,
        },
        floor: 0,
        post_roll: Duration::from_secs(10),
        connection,
        random: Arc::new(SystemRandom),
        notices: notices.clone(),
    };
    let before = house.hub.commits();
    house.hub.fail_after(0, Fault::Refuse);
    let running = tokio::spawn(task::run(task, Feeds { sightings: seen, happened }));
    let event = EventId::from_bytes([3; 16]);
    let motion = Sighting::Motion { event, at: wall(), clip: None, zones: Vec::new(), small_jpeg: None };
    sightings.send((GATE, motion)).unwrap();
    sightings.send((GATE, Sighting::MotionOver { event, at: wall() })).unwrap();
    let failed = async {
        while house.hub.commits() < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
    house.hub.heal();
    let all = async {
        while notices.figures().await.unwrap().waiting < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    sightings.send((GATE, Sighting::Online { at: wall() })).unwrap();
    drop(sightings);
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    let mut told: Vec<String> = house.events().iter().map(|e| format!("{:?}", e.what)).collect();
    told.iter_mut().for_each(|what| *what = what.split(' ').next().unwrap().to_owned());
    assert_eq!(told.last().map(String::as_str), Some("CameraOnline"), "said before the end, told before the end");
    told.sort();
    assert_eq!(told, ["CameraOffline", "CameraOnline", "DiskNearlyFull", "Motion", "RelayUnreachable"]);
    assert!(notices.0.board.page("", Duration::ZERO, Default::default(), 0, 0).alarms.iter().any(|a| a.kind == "disk"));
    let later = Timestamp(wall().0 + 60_000);
    assert!(!Book::open(house.store()).unwrap().was_moving(&GATE, later));
}

#[test]
fn a_clip_that_a_crash_cut_off_is_told_unless_it_was_or_only_goes_on() {
    let house = House::new();
    let (_, mut book) = house.start();
    let stream = privet_protocol::id::StreamId::from_bytes([8; 16]);
    let started = privet_home::StreamStarted {
        stream,
        camera: GATE,
        kind: privet_home::StreamKind::Clip,
        secret: privet_home::SecretBytes::new(vec![1; 32]),
        started: Timestamp(100_000),
    };
    let mut clip = crate::outbox::OpenStream::new(&started);
    clip.ended = Timestamp(103_000);
    let event = recall::event_of(&book, stream, &clip, 5_000).unwrap();
    assert_eq!((event.id.as_bytes(), event.clip, event.at), (stream.as_bytes(), Some(stream), Timestamp(103_000)));

    // It was told while it ran, and its clip was continued in a new one.
    let Taken::New(step) = book.happened(&event, None, wall()).unwrap() else { panic!("unknown") };
    book.commit(step).unwrap();
    assert!(matches!(book.happened(&event, None, wall()), Ok(Taken::Known)));
    let next = privet_protocol::id::StreamId::from_bytes([9; 16]);
    let continued = |s: i64| crate::outbox::OpenStream { started: Timestamp(s * 1000), ..clip.clone() };
    assert_eq!(recall::event_of(&book, next, &continued(400), 5_000), None, "the motion goes on");
    let step = book.motion_over(Some(GATE), Timestamp(450_000)).unwrap();
    book.commit(step).unwrap();
    assert_eq!(recall::event_of(&book, next, &continued(449), 5_000), None, "it went on then");
    assert!(recall::event_of(&book, next, &continued(450), 5_000).is_some());
}
