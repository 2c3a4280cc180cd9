//! Whole simulated days: who hears of what, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privet_home::{CameraWish, Happening, Profile, QuietHours, Tamper, Wishes};
use privet_notify::{Before, Book, Grace, Household, Silence, decide, quiet};
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;

use crate::common::{ANN, BEN, GATE, YARD, at, event, happened, motion, set_push, set_wishes, setup, waits};

const MINUTE: i64 = 60_000;
const NIGHT: QuietHours = QuietHours { days: 127, from_min: 22 * 60, to_min: 6 * 60 };

fn wish(wish: CameraWish) -> Wishes {
    Wishes { cameras: BTreeMap::from([(GATE, wish)]), time_zone: "Europe/Berlin".into(), ..Wishes::default() }
}

fn all(profile: Profile) -> Household {
    Household { profile, snoozed_until: None }
}

fn verdict(wishes: &Wishes, profile: Profile, before: Before, now: Timestamp) -> Result<(), Silence> {
    decide(&motion(1, GATE, now), wishes, all(profile), before, now)
}

#[test]
fn the_night_has_nine_hours_in_october_and_seven_in_march() {
    let zone = quiet::zone("Europe/Berlin").unwrap();
    for (noon, hours) in [("2026-10-24T12:00:00Z", 9), ("2026-03-28T12:00:00Z", 7), ("2026-11-20T12:00:00Z", 8)] {
        let noon = at(noon);
        let minutes = (0..24 * 60).filter(|m| quiet::is_quiet(&[NIGHT], &zone, Timestamp(noon.0 + m * MINUTE)));
        assert_eq!(minutes.count(), hours * 60, "{noon:?}");
    }
    // To the minute, on both sides of the change: 22:00 is summer time still, 06:00 is winter time.
    let quiet_at = |text| quiet::is_quiet(&[NIGHT], &zone, at(text));
    assert!(!quiet_at("2026-10-24T19:59:59Z") && quiet_at("2026-10-24T20:00:00Z"));
    assert!(quiet_at("2026-10-25T04:59:59Z") && !quiet_at("2026-10-25T05:00:00Z"));
}

#[test]
fn hours_over_midnight_belong_to_the_day_they_began_on() {
    let friday = QuietHours { days: 1 << 4, ..NIGHT };
    let zone = quiet::zone("").unwrap();
    let quiet_at = |text| quiet::is_quiet(&[friday], &zone, at(text));
    assert!(quiet_at("2026-11-20T23:00:00Z") && quiet_at("2026-11-21T05:00:00Z"), "Friday night");
    assert!(!quiet_at("2026-11-20T05:00:00Z") && !quiet_at("2026-11-21T23:00:00Z"), "the nights beside it");
    let day = [QuietHours { days: 127, from_min: 0, to_min: 1440 }];
    assert!((0..48).all(|half| quiet::is_quiet(&day, &zone, Timestamp(half * 30 * MINUTE))));
    assert!(quiet::zone("Europe/Atlantis").is_none());
}

#[test]
fn each_wish_silences_for_its_own_reason() {
    let now = at("2026-11-20T12:00:00Z");
    let (home, away, before) = (Profile::Home, Profile::Away, Before::default());
    assert_eq!(verdict(&Wishes::default(), home, before, now), Ok(()));
    let off = wish(CameraWish { notify: false, ..CameraWish::default() });
    assert_eq!(verdict(&off, home, before, now), Err(Silence::Off));
    let snoozed = wish(CameraWish { snooze_until: Some(now.after(Duration::from_secs(1))), ..CameraWish::default() });
    assert_eq!(verdict(&snoozed, home, before, now), Err(Silence::Snoozed));
    assert_eq!(verdict(&snoozed, home, before, now.after(Duration::from_secs(1))), Ok(()));
    let away_only = Wishes { away_only: true, ..Wishes::default() };
    assert_eq!(verdict(&away_only, home, before, now), Err(Silence::AtHome));
    assert_eq!(verdict(&away_only, away, before, now), Ok(()));
    let cooldown = wish(CameraWish { cooldown_s: 60, ..CameraWish::default() });
    let told = |ago_ms| Before { motion: Some(Timestamp(now.0 - ago_ms)), away: false };
    assert_eq!(verdict(&cooldown, home, told(59_999), now), Err(Silence::Cooldown));
    assert_eq!(verdict(&cooldown, home, told(60_000), now), Ok(()));
    assert_eq!(verdict(&cooldown, home, told(-60_000), now), Ok(()), "the clock was set back");
    let zones = wish(CameraWish { zones: vec!["door".into()], ..CameraWish::default() });
    assert_eq!(verdict(&zones, home, before, now), Err(Silence::OtherZone));
    let mut at_the_door = motion(1, GATE, now);
    at_the_door.zones = vec!["path".into(), "door".into()];
    assert_eq!(decide(&at_the_door, &zones, all(home), before, now), Ok(()));
}

#[test]
fn tampering_and_outages_wait_for_nobodys_sleep() {
    let now = at("2026-11-20T23:30:00Z");
    let asleep = Wishes { quiet: vec![NIGHT], away_only: true, ..wish(CameraWish::default()) };
    let tampered = event(1, Some(GATE), Happening::Tampered { how: Tamper::Covered }, now);
    assert_eq!(verdict(&asleep, Profile::Away, Before::default(), now), Err(Silence::Quiet));
    assert_eq!(decide(&tampered, &asleep, all(Profile::Home), Before::default(), now), Ok(()));
    let no_health = wish(CameraWish { health: false, ..CameraWish::default() });
    assert_eq!(decide(&tampered, &no_health, all(Profile::Home), Before::default(), now), Err(Silence::Off));
    let disk = event(2, None, Happening::DiskNearlyFull { free_mib: 5 }, now);
    assert_eq!(decide(&disk, &asleep, all(Profile::Home), Before::default(), now), Ok(()));
}

#[test]
fn a_camera_that_blinks_is_not_told_and_one_that_stays_away_once() {
    let mut grace = Grace::new(Duration::from_secs(30), BTreeSet::new());
    let start = at("2026-11-20T12:00:00Z");
    let later = |s| start.after(Duration::from_secs(s));
    grace.lost(Some(GATE), "no route", start);
    assert_eq!(grace.next(), Some(later(30)));
    assert_eq!(grace.due(later(29)), []);
    assert_eq!(grace.found(Some(GATE)), None, "it blinked");
    assert_eq!(grace.due(later(60)), []);

    grace.lost(Some(GATE), "no route", later(60));
    grace.lost(Some(GATE), "refused", later(80));
    let offline = Happening::CameraOffline { reason: "refused".into() };
    assert_eq!(grace.due(later(90)), [(Some(GATE), offline)]);
    assert_eq!((grace.due(later(900)), grace.next()), (Vec::new(), None));
    // The hub starts anew meanwhile; what it had told, it knows.
    let mut grace = Grace::new(Duration::from_secs(30), BTreeSet::from([Some(GATE)]));
    grace.lost(Some(GATE), "connecting", later(1000));
    grace.lost(None, "no answer", later(1000));
    let relay = Happening::RelayUnreachable { since: later(1000) };
    assert_eq!(grace.due(later(2000)), [(None, relay)]);
    assert_eq!(grace.found(Some(GATE)), Some(Happening::CameraOnline));
    assert_eq!(grace.found(Some(GATE)), None);
    assert_eq!(grace.found(None), Some(Happening::RelayBack));
    let long = "\u{e4}".repeat(600);
    grace.lost(Some(YARD), &long, later(3000));
    let due = grace.due(later(4000));
    let [(_, Happening::CameraOffline { reason })] = &due[..] else { panic!("due") };
    assert_eq!(reason.len(), 512);
}

/// A motion at the gate every five minutes from Friday noon to Saturday noon. Ann sleeps at night and wants one an hour at most;
/// Ben is told only when nobody is at home, which is so from 14:00 to 16:00, and snoozes the gate at 15:00.
#[test]
fn a_day_of_a_family() {
    let mut book = Book::open(Arc::new(MemoryStore::new())).unwrap();
    let noon = at("2026-10-24T10:00:00Z");
    let hours = |h: i64| Timestamp(noon.0 + h * 60 * MINUTE);
    for device in [ANN, BEN] {
        set_push(&mut book, device, setup(1)).unwrap();
    }
    let hourly = CameraWish { cooldown_s: 3600, ..CameraWish::default() };
    set_wishes(&mut book, ANN, Wishes { quiet: vec![NIGHT], ..wish(hourly) }, noon).unwrap();
    let every = CameraWish { cooldown_s: 0, ..CameraWish::default() };
    let bens = Wishes { away_only: true, ..wish(every.clone()) };
    set_wishes(&mut book, BEN, bens.clone(), noon).unwrap();
    for n in 0..24 * 12 {
        let now = Timestamp(noon.0 + i64::from(n) * 5 * MINUTE);
        if now == hours(2) {
            // Ann says for all that nobody is at home, and keeps her own wishes.
            let mut wishes = book.wishes(&ANN).wishes;
            wishes.profile = Some(Profile::Away);
            let told = set_wishes(&mut book, ANN, wishes, now).unwrap();
            assert_eq!(told.wishes.profile, Some(Profile::Away));
        }
        if now == hours(3) {
            let snooze = CameraWish { snooze_until: Some(hours(24)), ..every.clone() };
            set_wishes(&mut book, BEN, Wishes { cameras: BTreeMap::from([(GATE, snooze)]), ..bens.clone() }, now)
                .unwrap();
        }
        if now == hours(4) {
            let home = Wishes { profile: Some(Profile::Home), ..book.wishes(&ANN).wishes };
            set_wishes(&mut book, ANN, home, now).unwrap();
        }
        happened(&mut book, &motion(n, GATE, now), now).unwrap();
    }
    // Noon is 12:00 in summer; quiet from 22:00 (ten hours on) for nine hours, because the clocks go back.
    let awake: Vec<u32> = (0..10).chain(19..24).map(|hour| hour * 12).collect();
    assert_eq!(waits(&book, ANN), awake);
    assert_eq!(waits(&book, BEN), (24..36).collect::<Vec<_>>());
}

#[test]
fn only_who_heard_that_it_was_away_hears_that_it_is_back() {
    let mut book = Book::open(Arc::new(MemoryStore::new())).unwrap();
    let now = at("2026-11-20T12:00:00Z");
    for device in [ANN, BEN] {
        set_push(&mut book, device, setup(1)).unwrap();
    }
    set_wishes(&mut book, BEN, wish(CameraWish { health: false, ..CameraWish::default() }), now).unwrap();
    let offline = Happening::CameraOffline { reason: "no route".into() };
    assert_eq!(happened(&mut book, &event(1, Some(GATE), offline, now), now), Ok(1));
    assert_eq!(book.away(), BTreeSet::from([Some(GATE)]));
    // Ben wants to hear of it now, and Ann no more; but she was worried, and he was not.
    set_wishes(&mut book, BEN, Wishes::default(), now).unwrap();
    set_wishes(&mut book, ANN, wish(CameraWish { health: false, ..CameraWish::default() }), now).unwrap();
    assert_eq!(happened(&mut book, &event(2, Some(GATE), Happening::CameraOnline, now), now), Ok(1));
    assert_eq!((waits(&book, ANN), waits(&book, BEN)), (vec![1, 2], vec![]));
    assert_eq!(book.away(), BTreeSet::new());
}
