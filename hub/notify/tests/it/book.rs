//! The book keeps what it took, once, whatever the store does between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use privet_home::{CameraWish, Happening, HomeEvent, Profile, PushSetup, QuietHours, Wishes};
use privet_notify::book::{CHANGES, MAX_WAITING};
use privet_notify::{Book, BookError, Taken, Wished};
use privet_protocol::id::CameraId;
use privet_protocol::storage::{Batch, Fault, MemoryStore, Store as _};
use privet_protocol::time::Timestamp;
use serde_bytes::ByteBuf;

use crate::common::{ANN, BEN, GATE, YARD, at, event, happened, motion, set_push, set_wishes, setup, waits};

fn open(store: &MemoryStore) -> Book {
    Book::open(Arc::new(store.clone())).unwrap()
}

/// Wishes, two phones, three events, and the carrier takes what waits: (phone, event) pairs in `carried`.
fn live(book: &mut Book, carried: &mut Vec<(u8, u8)>) -> Result<(), BookError> {
    let now = at("2026-11-20T12:00:00Z");
    let quiet = vec![QuietHours { days: 127, from_min: 0, to_min: 60 }];
    set_wishes(book, ANN, Wishes { quiet, time_zone: "Europe/Berlin".into(), ..Wishes::default() }, now)?;
    for device in [ANN, BEN] {
        set_push(book, device, setup(1))?;
    }
    for event in events(now) {
        happened(book, &event, now)?;
        for (number, waiting) in book.waiting()? {
            // The carrier knows phone and event: the same again is no second one.
            let notice = (waiting.device.as_bytes()[0], waiting.event.id.as_bytes()[3]);
            if !carried.contains(&notice) {
                carried.push(notice);
            }
            let step = book.done(&[number])?;
            book.commit(step)?;
        }
    }
    Ok(())
}

fn events(now: Timestamp) -> [HomeEvent; 3] {
    let offline = Happening::CameraOffline { reason: "no route".into() };
    [motion(1, GATE, now), event(2, Some(GATE), offline, now), event(3, Some(GATE), Happening::CameraOnline, now)]
}

#[test]
fn a_crash_at_any_write_loses_nothing_and_doubles_nothing() {
    let whole = MemoryStore::new();
    live(&mut open(&whole), &mut Vec::new()).unwrap();
    let commits = whole.commits();
    assert!(commits >= 12, "{commits}");
    for point in 0..commits {
        for fault in [Fault::Refuse, Fault::WrittenButFailed] {
            // With the process ending there, and with one that goes on and tries again.
            for restarts in [true, false] {
                let store = MemoryStore::new();
                let (mut book, mut carried) = (open(&store), Vec::new());
                store.fail_after(point, fault);
                assert!(live(&mut book, &mut carried).is_err());
                store.heal();
                if restarts {
                    book = open(&store);
                }
                live(&mut book, &mut carried).unwrap();
                carried.sort_unstable();
                let expected = [(11, 1), (11, 2), (11, 3), (12, 1), (12, 2), (12, 3)];
                assert_eq!(carried, expected, "{fault:?} at {point}, restarts: {restarts}");
                assert_eq!(book.waiting().unwrap(), []);
                assert_eq!(book.away(), BTreeSet::new());
                assert_eq!(open(&store).wishes(&ANN), book.wishes(&ANN));
            }
        }
    }
}

#[test]
fn a_notice_of_an_event_is_put_once_and_numbered_for_its_phone() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    set_push(&mut book, ANN, setup(1)).unwrap();
    assert_eq!(happened(&mut book, &motion(1, GATE, now), now), Ok(1));
    assert_eq!(happened(&mut book, &motion(1, GATE, now), now), Ok(0));
    let mut book = open(&store);
    assert_eq!(happened(&mut book, &motion(1, GATE, now), now), Ok(0));
    let later = Timestamp(now.0 + 3_600_000);
    assert_eq!(happened(&mut book, &motion(2, GATE, later), later), Ok(1));
    let waiting = book.waiting().unwrap();
    assert_eq!(waiting.iter().map(|(_, waiting)| waiting.counter).collect::<Vec<_>>(), [1, 2]);
    // The first is sealed an hour after it happened, the second at once.
    let late: Vec<bool> = waiting.iter().map(|(_, w)| w.notice("Home", "Gate", later).late).collect();
    assert_eq!(late, [true, false]);
}

#[test]
fn the_longest_notice_that_can_wait_can_be_sealed() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    set_push(&mut book, ANN, setup(1)).unwrap();
    let reason = Happening::CameraOffline { reason: "\u{20ac}".repeat(170) };
    let zones = vec!["z".repeat(64); 32];
    happened(&mut book, &HomeEvent { zones, ..event(1, Some(GATE), reason, now) }, now).unwrap();
    let (_, waiting) = book.waiting().unwrap().remove(0);
    let notice = waiting.notice(&"h".repeat(64), &"c".repeat(64), now);
    assert!(privet_notice::seal(&notice, &book.key(&ANN).unwrap(), |_| [0; 64]).is_ok());
}

#[test]
fn impossible_wishes_change_nothing() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    let good = Wishes { away_only: true, time_zone: "Asia/Tokyo".into(), ..Wishes::default() };
    set_wishes(&mut book, ANN, good, now).unwrap();
    let kept = book.wishes(&ANN);
    assert_eq!(kept.wishes.profile, Some(Profile::Home));
    let nowhere = Wishes { time_zone: "Europe/Atlantis".into(), ..Wishes::default() };
    assert_eq!(set_wishes(&mut book, ANN, nowhere, now), Err(BookError::TimeZone("Europe/Atlantis".into())));
    let mut long = Wishes::default();
    long.cameras.insert(GATE, CameraWish { cooldown_s: u32::MAX, ..CameraWish::default() });
    assert!(matches!(set_wishes(&mut book, ANN, long, now), Err(BookError::Wishes(_))));
    // A camera that the hub does not have, a snooze in another unit of time, and more than an answer holds.
    let of = |camera, wish| Wishes { cameras: BTreeMap::from([(camera, wish)]), ..Wishes::default() };
    let nowhere = CameraId::from_bytes([9; 16]);
    assert_eq!(set_wishes(&mut book, ANN, of(nowhere, CameraWish::default()), now), Err(BookError::Camera(nowhere)));
    let micros = CameraWish { snooze_until: Some(Timestamp(now.0 * 1000)), ..CameraWish::default() };
    assert_eq!(set_wishes(&mut book, ANN, of(GATE, micros), now), Err(BookError::Snooze));
    let zones = CameraWish { zones: vec!["z".repeat(64); 32], ..CameraWish::default() };
    let many: BTreeSet<CameraId> = (0..100).map(|n| CameraId::from_bytes([n; 16])).collect();
    let large = Wishes { cameras: many.iter().map(|id| (*id, zones.clone())).collect(), ..Wishes::default() };
    assert!(matches!(book.wish(ANN, large, &many, now), Err(BookError::TooLarge(_))));
    assert_eq!(book.wishes(&ANN), kept);
    // One that was taken out of the configuration may stand in wishes that named it before.
    set_wishes(&mut book, ANN, of(GATE, CameraWish::default()), now).unwrap();
    assert!(matches!(book.wish(ANN, of(GATE, CameraWish::default()), &BTreeSet::new(), now), Ok(Wished::Kept(..))));
}

#[test]
fn of_a_flood_of_wishes_the_last_are_kept_or_refused_and_the_others_cost_nothing() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    let cameras = BTreeSet::from([GATE]);
    let cooldown = |cooldown_s| {
        let wish = CameraWish { cooldown_s, ..CameraWish::default() };
        Wishes { cameras: BTreeMap::from([(GATE, wish)]), ..Wishes::default() }
    };
    for n in 0..CHANGES {
        assert!(matches!(book.wish(ANN, cooldown(n), &cameras, now), Ok(Wished::Kept(..))));
        set_wishes(&mut book, BEN, cooldown(n), now).unwrap();
    }
    for n in 100..200 {
        let Ok(Wished::Later(step)) = book.wish(ANN, cooldown(n), &cameras, now) else { panic!("{n} was kept") };
        book.commit(step).unwrap();
    }
    assert_eq!(book.overdue(Timestamp(now.0 + 59_999)), None);
    let minute = Timestamp(now.0 + 60_000);
    assert_eq!(book.overdue(minute), Some(ANN));
    // A hub that starts anew meanwhile knows of them, and not of the limit.
    let mut book = open(&store);
    assert_eq!(book.overdue(now), Some(ANN));
    let (step, told, refused) = book.look_again(ANN, &cameras, minute).unwrap();
    book.commit(step).unwrap();
    assert_eq!((told.wishes.camera(&GATE).cooldown_s, refused), (199, None));
    assert_eq!((book.overdue(minute), book.wishes(&ANN)), (None, told.clone()));

    // The last ones are impossible: what is kept is told again.
    for _ in 1..CHANGES {
        set_wishes(&mut book, ANN, told.wishes.clone(), minute).unwrap();
    }
    let nowhere = Wishes { time_zone: "Europe/Atlantis".into(), ..Wishes::default() };
    let Ok(Wished::Later(step)) = book.wish(ANN, nowhere, &cameras, minute) else { panic!("looked at too soon") };
    book.commit(step).unwrap();
    // A clock that was set back locks nobody out.
    let back = Timestamp(now.0 - 3_600_000);
    assert_eq!(book.overdue(back), Some(ANN));
    let (step, again, refused) = book.look_again(ANN, &cameras, back).unwrap();
    book.commit(step).unwrap();
    assert_eq!((again, refused), (told, Some(BookError::TimeZone("Europe/Atlantis".into()))));
    assert_eq!(book.overdue(back), None);
}

#[test]
fn an_event_that_reaches_further_zones_is_told_to_who_did_not_hear_of_it() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    for device in [ANN, BEN] {
        set_push(&mut book, device, setup(1)).unwrap();
    }
    let wish = CameraWish { zones: vec!["door".into()], ..CameraWish::default() };
    let cameras = BTreeMap::from([(GATE, wish)]);
    set_wishes(&mut book, BEN, Wishes { cameras, ..Wishes::default() }, now).unwrap();
    let zones =
        |names: &[&str]| HomeEvent { zones: names.iter().map(|&name| name.into()).collect(), ..motion(1, GATE, now) };
    assert!(matches!(book.happened(&zones(&["path"]), None, now), Ok(Taken::New(step)) if step.told() == 1));
    assert_eq!(happened(&mut book, &zones(&["path"]), now), Ok(1));
    assert_eq!((waits(&book, ANN), waits(&book, BEN)), (vec![1], vec![]));
    assert!(matches!(book.happened(&zones(&["path"]), None, now), Ok(Taken::Known)));
    let mut book = open(&store);
    assert!(matches!(book.happened(&zones(&["path", "door"]), None, now), Ok(Taken::Further(_))));
    assert_eq!(happened(&mut book, &zones(&["path", "door"]), now), Ok(1));
    assert_eq!((waits(&book, ANN), waits(&book, BEN)), (vec![1], vec![1]));
    assert!(matches!(book.happened(&zones(&["door", "path"]), None, now), Ok(Taken::Known)));
    assert_eq!(happened(&mut book, &zones(&["path", "door", "lawn"]), now), Ok(0), "both heard of it");
}

#[test]
fn a_snooze_of_the_home_silences_its_camera_for_all_until_it_ends() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    for device in [ANN, BEN] {
        set_push(&mut book, device, setup(1)).unwrap();
    }
    let until = Timestamp(now.0 + 600_000);
    let step = book.snooze(GATE, Some(until), now).unwrap();
    book.commit(step).unwrap();
    let mut book = open(&store);
    assert_eq!(book.snoozed().get(&GATE), Some(&until));
    assert_eq!(happened(&mut book, &motion(1, GATE, now), now), Ok(0));
    assert_eq!(happened(&mut book, &motion(2, YARD, now), now), Ok(2), "another camera");
    assert_eq!(happened(&mut book, &motion(3, GATE, until), until), Ok(2), "it is over");
    let step = book.snooze(GATE, None, now).unwrap();
    book.commit(step).unwrap();
    assert!(open(&store).snoozed().is_empty());
    assert_eq!(book.snooze(GATE, Some(Timestamp(i64::MAX)), now).err(), Some(BookError::Snooze));
}

#[test]
fn a_full_disk_is_known_to_be_told_until_it_has_room() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    happened(&mut book, &event(1, None, Happening::DiskNearlyFull { free_mib: 5 }, now), now).unwrap();
    let mut book = open(&store);
    assert!(book.disk_told());
    let step = book.disk_recovered().unwrap();
    book.commit(step).unwrap();
    assert!(!open(&store).disk_told());
    // So is a relay that is full.
    happened(&mut book, &event(2, None, Happening::RelayNearlyFull { free_mib: 5 }, now), now).unwrap();
    let mut book = open(&store);
    assert!(book.relay_room_told() && !book.disk_told());
    let step = book.relay_room_recovered().unwrap();
    book.commit(step).unwrap();
    assert!(!open(&store).relay_room_told());
}

#[test]
fn a_phone_without_a_key_is_not_woken_and_an_old_key_replaces_none() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    assert_eq!(happened(&mut book, &motion(1, GATE, now), now), Ok(0));
    set_push(&mut book, ANN, setup(2)).unwrap();
    let none = |counter| PushSetup { notification_key: ByteBuf::new(), counter };
    set_push(&mut book, ANN, none(1)).unwrap();
    assert!(book.key(&ANN).is_some(), "an old setup came late");
    set_push(&mut book, ANN, none(3)).unwrap();
    assert!(book.key(&ANN).is_none());
    assert_eq!(happened(&mut book, &motion(2, GATE, now), now), Ok(0));
    let short = PushSetup { notification_key: ByteBuf::from([1; 32]), counter: 4 };
    assert_eq!(set_push(&mut book, ANN, short), Err(BookError::Key));
}

#[test]
fn what_waits_is_bounded_and_goes_with_its_phone() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    for device in [ANN, BEN] {
        set_push(&mut book, device, setup(1)).unwrap();
    }
    let count = u32::try_from(MAX_WAITING).unwrap() + 5;
    for n in 0..count {
        let disk = event(n, None, Happening::DiskNearlyFull { free_mib: 1 }, now);
        happened(&mut book, &disk, now).unwrap();
    }
    assert_eq!(waits(&book, ANN), (5..count).collect::<Vec<_>>(), "the oldest went");
    let step = book.forget(&ANN).unwrap();
    book.commit(step).unwrap();
    assert!(waits(&open(&store), ANN).is_empty());
    assert_eq!(waits(&book, BEN).len(), MAX_WAITING);
    assert!(open(&store).key(&ANN).is_none());
}

#[test]
fn a_notice_that_is_not_there_any_more_or_can_t_be_read_holds_up_no_other() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    set_push(&mut book, ANN, setup(1)).unwrap();
    for n in 1..=3 {
        happened(&mut book, &event(n, None, Happening::DiskNearlyFull { free_mib: 1 }, now), now).unwrap();
    }
    let numbers: Vec<u64> = book.waiting().unwrap().into_iter().map(|(number, _)| number).collect();
    // That the first is gone was written, and nobody knows.
    let step = book.done(&numbers[..1]).unwrap();
    store.fail_after(0, Fault::WrittenButFailed);
    assert!(book.commit(step).is_err());
    store.heal();
    assert_eq!(book.expected(), BTreeSet::from([ANN]));
    let left = |book: &mut Book| -> Vec<u64> {
        book.waiting_of(&ANN, 8).unwrap().into_iter().map(|(number, _)| number).collect()
    };
    assert_eq!((left(&mut book), book.unfit()), (numbers[1..].to_vec(), vec![]));

    // The second was written by a version that knows more. The book opens, and what can't be read goes.
    let mut batch = Batch::new();
    batch.put([b"notify/out/".as_slice(), &numbers[1].to_be_bytes()].concat(), b"what?".to_vec());
    store.commit(batch).unwrap();
    for mut book in [book, open(&store)] {
        assert_eq!((left(&mut book), book.unfit()), (numbers[2..].to_vec(), vec![numbers[1]]));
    }
    let mut book = open(&store);
    let step = book.done(&numbers[1..2]).unwrap();
    book.commit(step).unwrap();
    assert!(book.unfit().is_empty() && open(&store).unfit().is_empty());
}

#[test]
fn of_too_many_notices_those_of_tampering_go_first() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    set_push(&mut book, ANN, setup(1)).unwrap();
    let tampered = || Happening::Tampered { how: privet_home::Tamper::Covered };
    let disk = || Happening::DiskNearlyFull { free_mib: 1 };
    happened(&mut book, &event(0, None, disk(), now), now).unwrap();
    let most = u32::try_from(MAX_WAITING).unwrap();
    for n in 1..most + 2 {
        happened(&mut book, &event(n, Some(GATE), tampered(), now), now).unwrap();
    }
    let waiting = waits(&book, ANN);
    assert_eq!((waiting.len(), waiting[..2].to_vec()), (MAX_WAITING, vec![0, 3]), "the visitor's notice stays");
}
