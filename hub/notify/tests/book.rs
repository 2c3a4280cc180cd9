//! The book keeps what it took, once, whatever the store does between.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{ANN, BEN, GATE, at, event, motion, setup, waits};
use privet_home::{CameraWish, Happening, HomeEvent, Profile, PushSetup, QuietHours, Wishes};
use privet_notify::book::{CHANGES, MAX_WAITING};
use privet_notify::{Book, BookError};
use privet_protocol::storage::{Fault, MemoryStore};
use privet_protocol::time::Timestamp;
use serde_bytes::ByteBuf;

fn open(store: &MemoryStore) -> Book {
    Book::open(Arc::new(store.clone())).unwrap()
}

/// Wishes, two phones, three events, and the carrier takes what waits: (phone, event) pairs in `carried`.
fn live(book: &mut Book, carried: &mut Vec<(u8, u8)>) -> Result<(), BookError> {
    let now = at("2026-11-20T12:00:00Z");
    let quiet = vec![QuietHours { days: 127, from_min: 0, to_min: 60 }];
    book.set_wishes(ANN, Wishes { quiet, time_zone: "Europe/Berlin".into(), ..Wishes::default() }, now)?;
    for device in [ANN, BEN] {
        book.set_push(device, setup(1))?;
    }
    for event in events(now) {
        book.happened(&event, now)?;
        for (number, waiting) in book.waiting()? {
            // The carrier knows phone and event: the same again is no second one.
            let notice = (waiting.device.as_bytes()[0], waiting.event.id.as_bytes()[3]);
            if !carried.contains(&notice) {
                carried.push(notice);
            }
            book.done(number)?;
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
    book.set_push(ANN, setup(1)).unwrap();
    assert_eq!(book.happened(&motion(1, GATE, now), now), Ok(1));
    assert_eq!(book.happened(&motion(1, GATE, now), now), Ok(0));
    let mut book = open(&store);
    assert_eq!(book.happened(&motion(1, GATE, now), now), Ok(0));
    let later = Timestamp(now.0 + 3_600_000);
    assert_eq!(book.happened(&motion(2, GATE, later), later), Ok(1));
    let waiting = book.waiting().unwrap();
    assert_eq!(waiting.iter().map(|(_, waiting)| waiting.counter).collect::<Vec<_>>(), [1, 2]);
    // The first is sealed an hour after it happened, the second at once.
    let late: Vec<bool> = waiting.iter().map(|(_, w)| w.notice("Home", "Gate", later).late).collect();
    assert_eq!(late, [true, false]);
}

#[test]
fn the_longest_notice_that_can_wait_can_be_sealed() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    book.set_push(ANN, setup(1)).unwrap();
    let reason = Happening::CameraOffline { reason: "\u{20ac}".repeat(170) };
    let zones = vec!["z".repeat(64); 32];
    book.happened(&HomeEvent { zones, ..event(1, Some(GATE), reason, now) }, now).unwrap();
    let (_, waiting) = book.waiting().unwrap().remove(0);
    let notice = waiting.notice(&"h".repeat(64), &"c".repeat(64), now);
    assert!(privet_notice::seal(&notice, &book.key(&ANN).unwrap(), |_| [0; 64]).is_ok());
}

#[test]
fn impossible_wishes_change_nothing() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    let good = Wishes { away_only: true, time_zone: "Asia/Tokyo".into(), ..Wishes::default() };
    book.set_wishes(ANN, good, now).unwrap();
    let kept = book.wishes(&ANN);
    assert_eq!(kept.wishes.profile, Some(Profile::Home));
    let nowhere = Wishes { time_zone: "Europe/Atlantis".into(), ..Wishes::default() };
    assert_eq!(book.set_wishes(ANN, nowhere, now), Err(BookError::TimeZone("Europe/Atlantis".into())));
    let mut long = Wishes::default();
    long.cameras.insert(GATE, CameraWish { cooldown_s: u32::MAX, ..CameraWish::default() });
    assert!(matches!(book.set_wishes(ANN, long, now), Err(BookError::Wishes(_))));
    assert_eq!(book.wishes(&ANN), kept);
}

#[test]
fn a_phone_that_floods_is_limited_and_the_others_are_not() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    for _ in 0..CHANGES {
        book.set_wishes(ANN, Wishes::default(), now).unwrap();
    }
    assert_eq!(book.set_wishes(ANN, Wishes::default(), now), Err(BookError::TooOften));
    book.set_wishes(BEN, Wishes::default(), now).unwrap();
    book.set_wishes(ANN, Wishes::default(), Timestamp(now.0 + 60_000)).unwrap();
    // A clock that was set back locks nobody out.
    book.set_wishes(ANN, Wishes::default(), Timestamp(now.0 - 3_600_000)).unwrap();
}

#[test]
fn a_phone_without_a_key_is_not_woken_and_an_old_key_replaces_none() {
    let (mut book, now) = (open(&MemoryStore::new()), at("2026-11-20T12:00:00Z"));
    assert_eq!(book.happened(&motion(1, GATE, now), now), Ok(0));
    book.set_push(ANN, setup(2)).unwrap();
    let none = |counter| PushSetup { notification_key: ByteBuf::new(), counter };
    book.set_push(ANN, none(1)).unwrap();
    assert!(book.key(&ANN).is_some(), "an old setup came late");
    book.set_push(ANN, none(3)).unwrap();
    assert!(book.key(&ANN).is_none());
    assert_eq!(book.happened(&motion(2, GATE, now), now), Ok(0));
    let short = PushSetup { notification_key: ByteBuf::from([1; 32]), counter: 4 };
    assert_eq!(book.set_push(ANN, short), Err(BookError::Key));
}

#[test]
fn what_waits_is_bounded_and_goes_with_its_phone() {
    let store = MemoryStore::new();
    let (mut book, now) = (open(&store), at("2026-11-20T12:00:00Z"));
    for device in [ANN, BEN] {
        book.set_push(device, setup(1)).unwrap();
    }
    let count = u32::try_from(MAX_WAITING).unwrap() + 5;
    for n in 0..count {
        let disk = event(n, None, Happening::DiskNearlyFull { free_mib: 1 }, now);
        book.happened(&disk, now).unwrap();
    }
    assert_eq!(waits(&book, ANN), (5..count).collect::<Vec<_>>(), "the oldest went");
    book.forget(&ANN).unwrap();
    assert!(waits(&open(&store), ANN).is_empty());
    assert_eq!(waits(&book, BEN).len(), MAX_WAITING);
    assert!(open(&store).key(&ANN).is_none());
}
