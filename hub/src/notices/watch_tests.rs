//! What is an event, and what is none.
#![allow(clippy::unwrap_used)]

use privet_home::Tamper;
use privet_protocol::id::StreamId;
use privet_protocol::random::SystemRandom;

use super::*;

const GATE: CameraId = CameraId::from_bytes([1; 16]);
const MIB: u64 = 1 << 20;

/// So many seconds after the start.
fn at(s: u64) -> Moment {
    Moment { wall: Timestamp(1_000_000_000_000 + s as i64 * 1000), mono_us: (500 + s) * 1_000_000 }
}

fn patience() -> Patience {
    Patience { offline: Duration::from_secs(60), relay: Duration::from_secs(300), disk_margin: 256 * MIB }
}

fn watch(away: &[Subject]) -> Watch {
    Watch::new(patience(), away.iter().copied().collect(), false, [GATE], at(0))
}

fn offline(watch: &mut Watch, s: u64) {
    let sighting = Sighting::Offline { at: at(s).wall, reason: "no route".into() };
    assert_eq!(watch.sighted(GATE, sighting, at(s), &SystemRandom), None);
}

fn online(watch: &mut Watch, s: u64) -> Option<Happening> {
    let sighting = Sighting::Online { at: at(s).wall };
    watch.sighted(GATE, sighting, at(s), &SystemRandom).map(|(event, _)| event.what)
}

fn told(watch: &mut Watch, now: Moment) -> Vec<(Subject, Happening)> {
    watch.pass(now, &SystemRandom).into_iter().map(|(event, _)| (event.camera, event.what)).collect()
}

#[test]
fn motion_and_tampering_are_events_as_they_are_seen() {
    let (mut watch, stream) = (watch(&[]), StreamId::from_bytes([4; 16]));
    let (event, jpeg) = (EventId::from_bytes([5; 16]), Bytes::from_static(b"jpeg"));
    let sighting = Sighting::Motion {
        event,
        at: at(1).wall,
        clip: Some(stream),
        zones: vec!["path".into()],
        small_jpeg: Some(jpeg.clone()),
    };
    let motion = HomeEvent {
        id: event,
        at: at(1).wall,
        camera: Some(GATE),
        what: Happening::Motion,
        clip: Some(stream),
        zones: vec!["path".into()],
    };
    assert_eq!(watch.sighted(GATE, sighting, at(2), &SystemRandom), Some((motion, Some(jpeg))));
    assert_eq!(watch.sighted(GATE, Sighting::MotionOver { event, at: at(3).wall }, at(3), &SystemRandom), None);
    let tampered = Sighting::Tampered { event, at: at(4).wall, how: Tamper::Covered };
    let (told, _) = watch.sighted(GATE, tampered, at(4), &SystemRandom).unwrap();
    assert_eq!((told.id, told.what), (event, Happening::Tampered { how: Tamper::Covered }));
}

#[test]
fn a_camera_is_away_after_its_grace_and_back_only_when_that_was_told() {
    let mut watch = watch(&[]);
    assert_eq!(watch.due_in(at(0)), Some(Duration::from_secs(60)), "it was not heard of since the start");
    assert_eq!(online(&mut watch, 10), None, "nobody was told that it was away");
    offline(&mut watch, 20);
    assert_eq!(online(&mut watch, 79), None, "it blinked");
    assert!(told(&mut watch, at(200)).is_empty());
    offline(&mut watch, 200);
    assert!(told(&mut watch, at(259)).is_empty());
    assert_eq!(watch.due_in(at(259)), Some(Duration::from_secs(1)));
    let away = Happening::CameraOffline { reason: "no route".into() };
    assert_eq!(told(&mut watch, at(260)), [(Some(GATE), away)]);
    assert!(told(&mut watch, at(290)).is_empty(), "once");
    assert_eq!(online(&mut watch, 1000), Some(Happening::CameraOnline));
    assert_eq!(online(&mut watch, 1001), None);
}

#[test]
fn what_an_earlier_run_told_is_not_told_again_and_its_end_is() {
    let mut watch = watch(&[Some(GATE), None]);
    assert!(told(&mut watch, at(10_000)).is_empty());
    assert_eq!(online(&mut watch, 10_001), Some(Happening::CameraOnline));
    let (back, _) = watch.relay(true, at(10_002), &SystemRandom).unwrap();
    assert_eq!((back.camera, back.what), (None, Happening::RelayBack));
}

#[test]
fn the_relay_has_a_grace_of_its_own_that_no_set_clock_shortens() {
    let mut watch = watch(&[]);
    online(&mut watch, 1);
    assert_eq!(watch.relay(true, at(1), &SystemRandom), None);
    assert_eq!(watch.relay(false, at(100), &SystemRandom), None);
    // The clock is set by a year, as on a box without a clock of its own.
    let year = 365 * 86_400_000;
    let set = |s| Moment { wall: Timestamp(at(s).wall.0 + year), ..at(s) };
    assert!(told(&mut watch, set(399)).is_empty());
    let since = Timestamp(at(100).wall.0 + year);
    assert_eq!(told(&mut watch, set(400)), [(None, Happening::RelayUnreachable { since })]);
    assert_eq!(watch.relay(true, set(500), &SystemRandom).unwrap().0.what, Happening::RelayBack);
    assert_eq!(watch.relay(true, set(501), &SystemRandom), None);
}

#[test]
fn a_disk_that_runs_full_is_told_once_and_again_only_after_there_was_room() {
    let mut watch = watch(&[]);
    let floor = 512 * MIB;
    let mut look = |mib: u64| watch.room(mib * MIB, floor, at(1), &SystemRandom);
    assert_eq!(look(256), Room::Same);
    let Room::Low(event) = look(255) else { panic!("untold") };
    assert_eq!((event.camera, event.what), (None, Happening::DiskNearlyFull { free_mib: 767 }));
    assert_eq!([look(0), look(255), look(256), look(511)], [(); 4].map(|()| Room::Still), "room comes and goes");
    assert_eq!(look(512), Room::Recovered);
    assert!(matches!(look(100), Room::Low(_)));
    // What an earlier run told is known.
    let mut later = Watch::new(patience(), BTreeSet::new(), true, [], at(0));
    assert_eq!(later.room(0, floor, at(1), &SystemRandom), Room::Still, "its alarm has to stand in this run too");
    assert_eq!(later.room(512 * MIB, floor, at(2), &SystemRandom), Room::Recovered);
    assert_eq!(later.room(511 * MIB, floor, at(3), &SystemRandom), Room::Same);
    let never = Patience { disk_margin: 0, ..patience() };
    assert_eq!(Watch::new(never, BTreeSet::new(), false, [], at(0)).room(0, 0, at(1), &SystemRandom), Room::Same);
}

#[test]
fn a_relay_that_runs_full_is_told_once_and_again_only_after_there_was_room() {
    let mut watch = watch(&[]);
    let room = |mib: u64, full_in_days| RelayRoom {
        stored_bytes: mib * MIB,
        limit_bytes: 1000 * MIB,
        full_in_days,
        ..RelayRoom::default()
    };
    let mut look = |mib, days| watch.relay_room(&room(mib, days), at(1), &SystemRandom);
    assert_eq!(look(500, Some(4.0)), Room::Same);
    let Room::Low(event) = look(500, Some(2.0)) else { panic!("untold") };
    assert_eq!((event.camera, event.what), (None, Happening::RelayNearlyFull { free_mib: 500 }));
    assert_eq!([look(1000, Some(0.0)), look(500, Some(4.0)), look(970, None)], [(); 3].map(|()| Room::Still));
    assert_eq!(look(500, None), Room::Recovered);
    assert!(matches!(look(995, None), Room::Low(_)));
    // What an earlier run told is known.
    let mut later = Watch::new(patience(), BTreeSet::new(), false, [], at(0)).relay_room_told(true);
    assert_eq!(later.relay_room(&room(995, None), at(1), &SystemRandom), Room::Still);
    assert_eq!(later.relay_room(&room(5, None), at(2), &SystemRandom), Room::Recovered);
}

#[test]
fn a_view_that_is_taken_away_again_and_again_is_told_less_and_less_often() {
    let mut watch = watch(&[]);
    let mut tampered = |s: u64, how: Tamper| {
        let sighting = Sighting::Tampered { event: EventId::generate(&SystemRandom), at: at(s).wall, how };
        watch.sighted(GATE, sighting, at(s), &SystemRandom).is_some()
    };
    // Every minute for a day, as often as the camera's recorder says it.
    let told: Vec<u64> = (0..24 * 60).filter(|minute| tampered(minute * 60, Tamper::Covered)).collect();
    assert_eq!(told[..7], [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!(told.len(), 7 + 22, "at last every hour");
    let day = 24 * 3600;
    assert!(tampered(day, Tamper::Moved), "another way of doing it is told at once");
    assert!(!tampered(day + 60, Tamper::Covered));
    assert!(tampered(day + 60 + 3600, Tamper::Covered), "after an hour without any");
}
