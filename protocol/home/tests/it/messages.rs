//! The messages about events and wishes: their bytes are those of the stored answers, every one comes back as it was, and
//! what is longer than its place allows is refused while it is read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use privet_home::MAX_PLACED;
use privet_home::clip_notes::MAX_THUMBNAIL;
use privet_home::{
    CameraWish, Carried, ClipNotes, Feed, Happening, HomeError, HomeEvent, HubHome, HubMessage, PhoneMessage,
    PhoneWishes, Placed, Profile, PushSetup, QuietHours, SecretBytes, Severity, Tamper, Thumbnail, WishError, Wishes,
};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, DeviceId, EventId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;
use proptest::prelude::*;
use serde_bytes::ByteBuf;

fn event(what: Happening) -> HomeEvent {
    HomeEvent {
        id: EventId::from_bytes([1; 16]),
        at: Timestamp(1_795_000_000_000),
        camera: Some(CameraId::from_bytes([2; 16])),
        what,
        clip: Some(StreamId::from_bytes([3; 16])),
        zones: vec!["gate".into()],
    }
}

fn notes(thumbnail: usize) -> ClipNotes {
    ClipNotes {
        stream: StreamId::from_bytes([3; 16]),
        heat: std::array::from_fn(|i| u8::try_from(i).unwrap()),
        thumbnail: Some(Thumbnail {
            mime: "image/jpeg".into(),
            width: 320,
            height: 180,
            bytes: ByteBuf::from(vec![0xff; thumbnail]),
        }),
        peak: Timestamp(1_795_000_003_000),
        zones: vec!["gate".into()],
        pinned: false,
    }
}

fn carried(segments: usize) -> Carried {
    let placed = Placed { stream: StreamId::from_bytes([3; 16]), index: 2, at: 64_000, length: 70_000 };
    let key = SecretBytes::new(vec![6; 32]);
    Carried { carrier: StreamId::from_bytes([5; 16]), key, cell: 63_984, placed: vec![placed; segments] }
}

fn wishes() -> Wishes {
    let camera = CameraWish {
        notify: true,
        snooze_until: Some(Timestamp(1_795_000_600_000)),
        cooldown_s: 30,
        zones: vec!["gate".into()],
        health: false,
    };
    Wishes {
        cameras: BTreeMap::from([(CameraId::from_bytes([2; 16]), camera)]),
        away_only: true,
        quiet: vec![QuietHours { days: 0b11111, from_min: 22 * 60, to_min: 6 * 60 }],
        time_zone: "Europe/Berlin".into(),
        profile: Some(Profile::Away),
    }
}

#[test]
fn the_bytes_are_the_stored_ones() {
    let hub = [
        ("event_motion", HubMessage::Event(event(Happening::Motion))),
        ("event_offline", HubMessage::Event(event(Happening::CameraOffline { reason: "no route".into() }))),
        ("event_tampered", HubMessage::Event(event(Happening::Tampered { how: Tamper::Covered }))),
        ("event_disk", HubMessage::Event(event(Happening::DiskNearlyFull { free_mib: 900 }))),
        ("event_relay", HubMessage::Event(event(Happening::RelayUnreachable { since: Timestamp(7) }))),
        ("event_relay_room", HubMessage::Event(event(Happening::RelayNearlyFull { free_mib: 900 }))),
        ("clip_notes", HubMessage::ClipNotes(Box::new(notes(4)))),
        ("wishes", HubMessage::Wishes(PhoneWishes { device: DeviceId::from_bytes([4; 16]), wishes: wishes() })),
        ("carried", HubMessage::Carried(Box::new(carried(1)))),
        ("forgotten", HubMessage::Forgotten { streams: vec![StreamId::from_bytes([3; 16])] }),
    ];
    let phone = [
        ("set_wishes", PhoneMessage::SetWishes(wishes())),
        ("set_push", PhoneMessage::SetPush(PushSetup { notification_key: ByteBuf::from([5; 8]), counter: 3 })),
        ("pin_clip", PhoneMessage::PinClip { stream: StreamId::from_bytes([3; 16]), pinned: true }),
        ("new_relay_key", PhoneMessage::NewRelayKey { key: CapabilityKey([6; 32]) }),
        ("uses_relay_key", PhoneMessage::UsesRelayKey { key: CapabilityKey([7; 32]) }),
    ];
    let mut text = String::new();
    for (name, message) in &hub {
        let bytes = cbor::encode(message);
        assert_eq!(&HubMessage::decode(&bytes).unwrap(), message);
        writeln!(text, "{name} = {}", HEXLOWER.encode(&bytes)).unwrap();
    }
    for (name, message) in &phone {
        let bytes = cbor::encode(message);
        assert_eq!(&PhoneMessage::decode(&bytes).unwrap(), message);
        writeln!(text, "{name} = {}", HEXLOWER.encode(&bytes)).unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/messages.txt");
    if std::env::var_os("PRIVET_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{}", path.display());
}

/// What a phone or hub from before the substream could be asked for knows of it.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Older {
    Watch { camera: CameraId, lease_ms: u32 },
}

#[test]
fn those_who_know_only_the_main_stream_understand_and_are_understood() {
    let camera = CameraId::from_bytes([2; 16]);
    let older = Older::Watch { camera, lease_ms: 30_000 };
    let of = |feed| PhoneMessage::Watch { camera, lease_ms: 30_000, feed };
    assert_eq!(cbor::encode(&of(Feed::Main)), cbor::encode(&older), "byte for byte");
    let sub = cbor::encode(&of(Feed::Substream));
    assert_eq!(PhoneMessage::decode(&sub).unwrap(), of(Feed::Substream));
    assert_eq!(cbor::decode::<Older>(&sub, 1000).unwrap(), older);
}

#[test]
fn a_happening_of_a_newer_hub_is_an_event_all_the_same() {
    let value = |what: ciborium::Value| {
        let mut event: ciborium::Value =
            cbor::decode(&cbor::encode(&HubMessage::Event(event(Happening::Motion))), 1000).unwrap();
        let fields = event.as_map_mut().unwrap()[0].1.as_map_mut().unwrap();
        fields.iter_mut().find(|(key, _)| key.as_text() == Some("what")).unwrap().1 = what;
        HubMessage::decode(&cbor::encode(&event))
    };
    let text = |text: &str| ciborium::Value::Text(text.into());
    let glass = HubMessage::Event(event(Happening::Unknown { kind: "GlassBroke".into() }));
    assert_eq!(value(text("GlassBroke")), Ok(glass.clone()));
    assert_eq!(value(ciborium::Value::Map(vec![(text("GlassBroke"), text("left"))])), Ok(glass.clone()));
    // It is kept, and read again.
    assert_eq!(HubMessage::decode(&cbor::encode(&glass)), Ok(glass));
    let how = ciborium::Value::Map(vec![(text("how"), text("Painted"))]);
    let painted = value(ciborium::Value::Map(vec![(text("Tampered"), how)]));
    assert_eq!(painted, Ok(HubMessage::Event(event(Happening::Unknown { kind: "Tampered".into() }))));
    assert!(value(text(&"x".repeat(65))).is_err());
    assert!(value(ciborium::Value::Null).is_err());
}

#[test]
fn what_is_too_long_is_refused_on_both_sides() {
    let ok = |message: &HubMessage| HubMessage::decode(&cbor::encode(message)).is_ok();
    assert!(ok(&HubMessage::ClipNotes(Box::new(notes(MAX_THUMBNAIL)))));
    assert!(ok(&HubMessage::Carried(Box::new(carried(MAX_PLACED)))));
    assert!(!ok(&HubMessage::Carried(Box::new(carried(MAX_PLACED + 1)))));
    let long = HubMessage::ClipNotes(Box::new(notes(MAX_THUMBNAIL + 1)));
    assert!(!ok(&long));
    let mut zones = event(Happening::Motion);
    zones.zones = vec!["z".repeat(65)];
    assert!(!ok(&HubMessage::Event(zones.clone())));
    zones.zones = vec!["z".into(); 33];
    assert!(!ok(&HubMessage::Event(zones)));

    // The hub does not put into the log what its phones could not read: their log would end there.
    let random = SeededRandom::new(b"messages");
    let env = privet_home::Env::new(Timestamp(1_795_000_000_000), &random);
    let mut hub = HubHome::create(std::sync::Arc::new(MemoryStore::new()), "Hub", env).unwrap();
    let before = hub.head();
    assert!(matches!(hub.append(&[long], Batch::new(), env), Err(HomeError::NotSayable(_))));
    assert_eq!(hub.head(), before);

    let push =
        |length| PhoneMessage::SetPush(PushSetup { notification_key: ByteBuf::from(vec![0; length]), counter: 1 });
    assert!(PhoneMessage::decode(&cbor::encode(&push(2048))).is_ok());
    assert!(PhoneMessage::decode(&cbor::encode(&push(2049))).is_err());
}

#[test]
fn impossible_wishes_are_refused_with_their_reason() {
    assert_eq!(wishes().check(), Ok(()));
    assert_eq!(Wishes::default().check(), Ok(()));
    let quiet = |days, from_min, to_min| {
        let quiet = vec![QuietHours { days, from_min, to_min }];
        Wishes { quiet, ..Wishes::default() }.check()
    };
    assert_eq!(quiet(127, 1439, 1440), Ok(()));
    for (days, from_min, to_min) in [(0, 0, 60), (128, 0, 60), (1, 1440, 60), (1, 0, 1441)] {
        assert_eq!(quiet(days, from_min, to_min), Err(WishError::QuietHours { days, from_min, to_min }));
    }
    let camera = |wish: CameraWish| {
        Wishes { cameras: BTreeMap::from([(CameraId::from_bytes([2; 16]), wish)]), ..Wishes::default() }.check()
    };
    let cooldown = CameraWish { cooldown_s: 86_401, ..CameraWish::default() };
    assert_eq!(camera(cooldown), Err(WishError::Cooldown(86_401)));
    assert!(camera(CameraWish { zones: vec![String::new()], ..CameraWish::default() }).is_err());
    let cameras = (0..129).map(|n| (CameraId::from_bytes([n; 16]), CameraWish::default())).collect();
    let many = Wishes { cameras, ..Wishes::default() };
    assert_eq!(many.check(), Err(WishError::TooMany { what: "cameras", count: 129, limit: 128 }));
}

#[test]
fn alarms_matter_more_than_warnings() {
    assert!(Severity::Alarm > Severity::Warning && Severity::Warning > Severity::Info);
    assert_eq!(event(Happening::Motion).severity(), Severity::Info);
    assert_eq!(event(Happening::DiskNearlyFull { free_mib: 1 }).severity(), Severity::Warning);
    assert_eq!(event(Happening::Tampered { how: Tamper::Moved }).severity(), Severity::Alarm);
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Motion),
        Just(Happening::CameraOnline),
        Just(Happening::RelayBack),
        "[a-z ]{0,512}".prop_map(|reason| Happening::CameraOffline { reason }),
        prop_oneof![Just(Tamper::Covered), Just(Tamper::Defocused), Just(Tamper::Moved)]
            .prop_map(|how| Happening::Tampered { how }),
        any::<u64>().prop_map(|free_mib| Happening::DiskNearlyFull { free_mib }),
        any::<u64>().prop_map(|free_mib| Happening::RelayNearlyFull { free_mib }),
        any::<i64>().prop_map(|since| Happening::RelayUnreachable { since: Timestamp(since) }),
    ]
}

proptest! {
    #[test]
    fn every_event_comes_back(
        id: [u8; 16], at: i64, camera: Option<[u8; 16]>, clip: Option<[u8; 16]>, what in happenings(),
        zones in prop::collection::vec("[a-z]{1,16}", 0..32),
    ) {
        let message = HubMessage::Event(HomeEvent {
            id: EventId::from_bytes(id), at: Timestamp(at), camera: camera.map(CameraId::from_bytes), what,
            clip: clip.map(StreamId::from_bytes), zones,
        });
        prop_assert_eq!(HubMessage::decode(&cbor::encode(&message)), Ok(message));
    }

    #[test]
    fn all_wishes_come_back(
        cameras in prop::collection::btree_map(any::<[u8; 16]>(), (any::<bool>(), any::<Option<i64>>(), any::<u32>(), any::<bool>()), 0..20),
        away_only: bool, quiet in prop::collection::vec((any::<u8>(), any::<u16>(), any::<u16>()), 0..16),
        profile in prop_oneof![Just(None), Just(Some(Profile::Home)), Just(Some(Profile::Away))],
    ) {
        let cameras = cameras.into_iter().map(|(id, (notify, snooze, cooldown_s, health))| {
            let wish = CameraWish { notify, snooze_until: snooze.map(Timestamp), cooldown_s, zones: vec!["a".into()], health };
            (CameraId::from_bytes(id), wish)
        }).collect();
        let quiet = quiet.into_iter().map(|(days, from_min, to_min)| QuietHours { days, from_min, to_min }).collect();
        let message = PhoneMessage::SetWishes(Wishes { cameras, away_only, quiet, time_zone: "UTC".into(), profile });
        prop_assert_eq!(PhoneMessage::decode(&cbor::encode(&message)), Ok(message));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = HubMessage::decode(&bytes);
        let _ = PhoneMessage::decode(&bytes);
    }
}
