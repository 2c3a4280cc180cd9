//! Clocks as boxes have them, and years in milliseconds.
#![allow(clippy::unwrap_used)]

use privet_protocol::id::StreamId;
use proptest::prelude::*;

use super::*;
use crate::outbox::retention::{Elsewhere, Policy, Removal, Whole};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * DAY_MS;
/// 2026-11-21.
const TODAY_MS: i64 = 1_795_219_200_000;

/// A house in which the true time is known. The hub looks once a minute.
struct World {
    true_ms: i64,
    /// How far the wall clock is off.
    wrong_ms: i64,
    /// The relay answers.
    relay: bool,
    /// The relay runs on the same machine: it has the same clock.
    shared: bool,
    calendar: Calendar,
    boot_ms: i64,
    disk: Option<Count>,
    house: Option<HouseTime>,
}

impl World {
    fn new(wrong_ms: i64) -> Self {
        Self {
            true_ms: TODAY_MS,
            wrong_ms,
            relay: true,
            shared: false,
            calendar: Calendar::new(None, None, None),
            boot_ms: TODAY_MS,
            disk: None,
            house: None,
        }
    }

    fn now(&self) -> Moment {
        let mono_us = 1_000 * u64::try_from(self.true_ms - self.boot_ms).unwrap();
        Moment { wall: Timestamp(self.true_ms + self.wrong_ms), mono_us }
    }

    fn look(&mut self) -> HouseTime {
        let now = self.now();
        if self.relay {
            let wrong_ms = if self.shared { self.wrong_ms } else { 0 };
            self.calendar.heard(Timestamp(self.true_ms + wrong_ms), now);
        }
        let house = self.calendar.pass(now);
        assert!(self.house.is_none_or(|before| before <= house), "house time went back");
        self.house = Some(house);
        if let Some(count) = self.calendar.due() {
            self.calendar.saved(&count);
            self.disk = Some(count);
        }
        house
    }

    fn run(&mut self, ms: i64) -> HouseTime {
        let end = self.true_ms + ms;
        self.look();
        while self.true_ms < end {
            self.true_ms = end.min(self.true_ms + 10 * MINUTE_MS);
            self.look();
        }
        self.look()
    }

    /// Off for so long, and on again with a clock that is off by so much. What is dated last is on the disk.
    fn restart(&mut self, off_ms: i64, wrong_ms: i64) {
        (self.true_ms, self.wrong_ms) = (self.true_ms + off_ms, wrong_ms);
        self.boot_ms = self.true_ms;
        self.calendar = Calendar::new(self.disk.clone(), self.house, None);
    }

    /// How much was counted of the time since then.
    fn counted(&mut self, since: HouseTime) -> i64 {
        self.look();
        i64::try_from(self.calendar.age(since).as_millis()).unwrap()
    }
}

#[test]
fn a_box_without_a_battery_for_its_clock_ages_nothing_when_its_time_server_answers() {
    for boot in [-56 * YEAR_MS, -2 * YEAR_MS, -100 * DAY_MS] {
        // As new, and months later at every start.
        let mut world = World::new(boot);
        let began = world.look();
        world.run(3 * HOUR_MS);
        world.wrong_ms = 0;
        world.run(3 * HOUR_MS);
        assert_eq!(world.counted(began), 6 * HOUR_MS, "{boot}");
        for _ in 0..20 {
            let since = world.run(12 * HOUR_MS);
            world.run(HOUR_MS);
            world.restart(HOUR_MS, boot);
            world.run(5 * MINUTE_MS);
            world.wrong_ms = 0;
            world.run(2 * HOUR_MS);
            assert_eq!(world.counted(since), 4 * HOUR_MS + 5 * MINUTE_MS, "{boot}: the hour without power too");
        }
    }
}

#[test]
fn days_without_a_time_server_are_days() {
    let mut world = World::new(0);
    world.run(2 * DAY_MS);
    let since = world.look();
    world.run(HOUR_MS);
    world.restart(HOUR_MS, -56 * YEAR_MS);
    world.relay = false;
    world.run(5 * DAY_MS);
    world.restart(HOUR_MS, -56 * YEAR_MS);
    world.run(5 * DAY_MS);
    assert_eq!(world.counted(since), 10 * DAY_MS + HOUR_MS);
    (world.wrong_ms, world.relay) = (0, true);
    world.run(2 * HOUR_MS);
    assert_eq!(world.counted(since), 10 * DAY_MS + 5 * HOUR_MS, "the pauses are known now");
}

#[test]
fn a_wrong_hand_sets_the_year_and_nothing_is_the_older_for_it_however_long_it_stands() {
    for (shared, relay) in [(false, true), (false, false), (true, true)] {
        let mut world = World::new(0);
        (world.shared, world.relay) = (shared, relay);
        let since = world.run(2 * DAY_MS);
        world.wrong_ms = 64 * YEAR_MS;
        world.run(20 * DAY_MS);
        world.restart(0, 64 * YEAR_MS);
        world.run(20 * DAY_MS);
        world.wrong_ms = 0;
        world.run(2 * DAY_MS);
        assert_eq!(world.counted(since), 42 * DAY_MS, "shared: {shared}, relay: {relay}");
    }
}

#[test]
fn a_long_holiday_counts_when_the_relay_says_so_too_and_a_short_one_at_once() {
    let mut world = World::new(0);
    world.relay = false;
    let since = world.run(2 * HOUR_MS);
    world.run(HOUR_MS);
    world.restart(DAY_MS, 0);
    world.run(2 * HOUR_MS);
    assert_eq!(world.counted(since), DAY_MS + 3 * HOUR_MS, "a day without power");
    world.relay = true;
    world.run(DAY_MS);
    world.relay = false;
    let since = world.look();
    world.run(HOUR_MS);
    world.restart(21 * DAY_MS, 0);
    let after = world.look();
    world.run(3 * DAY_MS);
    assert_eq!(world.counted(since), 3 * DAY_MS + HOUR_MS, "the wall clock alone is not believed so much");
    world.relay = true;
    world.run(HOUR_MS);
    assert_eq!(world.counted(since), 24 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(world.counted(after), 3 * DAY_MS + HOUR_MS, "what was made since then is none the older for it");
}

#[test]
fn a_relay_that_lies_about_the_time_ages_nothing() {
    let mut world = World::new(0);
    let since = world.run(2 * DAY_MS);
    for lie in [YEAR_MS, -YEAR_MS, 100 * DAY_MS, i64::MAX / 2] {
        world.relay = false;
        for _ in 0..500 {
            let now = world.now();
            world.calendar.heard(Timestamp(now.wall.0 + lie), now);
            world.true_ms += 10 * MINUTE_MS;
            world.look();
        }
    }
    assert_eq!(world.counted(since), 2_000 * 10 * MINUTE_MS);
}

#[test]
fn a_clock_left_in_local_time_at_every_start_ages_nothing() {
    let mut world = World::new(0);
    let since = world.run(2 * HOUR_MS);
    for _ in 0..30 {
        world.restart(0, 12 * HOUR_MS);
        world.run(20 * MINUTE_MS);
        world.wrong_ms = 0;
        world.run(2 * HOUR_MS);
    }
    assert_eq!(world.counted(since), 30 * (2 * HOUR_MS + 20 * MINUTE_MS));
}

#[test]
fn the_first_count_does_not_begin_long_after_the_newest_clip() {
    let at = |wall| Moment { wall: Timestamp(wall), mono_us: 0 };
    let first = |ended, wall| Calendar::new(None, None, ended).pass(at(wall));
    assert_eq!(first(None, TODAY_MS), HouseTime(TODAY_MS));
    assert_eq!(first(Some(Timestamp(TODAY_MS - HOUR_MS)), TODAY_MS), HouseTime(TODAY_MS));
    assert_eq!(first(Some(Timestamp(TODAY_MS)), TODAY_MS + YEAR_MS), HouseTime(TODAY_MS + 2 * DAY_MS));
    assert_eq!(first(Some(Timestamp(TODAY_MS)), 0), HouseTime(0), "then nothing is old");
    let dated = Calendar::new(None, Some(HouseTime(TODAY_MS)), None).pass(at(0));
    assert_eq!(dated, HouseTime(TODAY_MS), "it never goes back behind what is dated");
}

#[test]
fn many_pauses_take_no_more_than_a_record_and_are_all_counted_for_what_is_oldest() {
    let mut world = World::new(0);
    let since = world.run(2 * HOUR_MS);
    world.run(HOUR_MS);
    for _ in 0..200 {
        world.restart(HOUR_MS, 0);
        world.run(2 * HOUR_MS);
    }
    assert_eq!(world.counted(since), 601 * HOUR_MS);
    let length = privet_protocol::cbor::encode(&world.disk.clone().unwrap()).len();
    assert!(length < 1_024, "{length} bytes");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Run(i64),
    Restart { off_ms: i64, wrong_ms: i64 },
    Set(i64),
    Relay(bool),
}

fn step(wrongs: &'static [i64]) -> impl Strategy<Value = Step> {
    let wrong = move || prop::sample::select(wrongs);
    prop_oneof![
        4 => (1..3 * DAY_MS).prop_map(Step::Run),
        2 => (0..30 * DAY_MS, wrong()).prop_map(|(off_ms, wrong_ms)| Step::Restart { off_ms, wrong_ms }),
        2 => wrong().prop_map(Step::Set),
        1 => any::<bool>().prop_map(Step::Relay),
    ]
}

/// Counted time is never more than what passed, whatever the clocks did; so no clip goes before its time, and of two the older one.
fn never_early(shared: bool, first: i64, steps: &[Step]) -> Result<(), TestCaseError> {
    let policy = Policy { keep: Duration::from_secs(30 * 86_400), keep_bytes: None, room: 0 };
    let (mut clips, mut made) = (Vec::new(), Vec::new());
    let mut world = World::new(first);
    world.shared = shared;
    let began = world.look();
    for (number, step) in (0u8..).zip(steps) {
        match *step {
            Step::Run(ms) => drop(world.run(ms)),
            Step::Restart { off_ms, wrong_ms } => world.restart(off_ms, wrong_ms),
            Step::Set(wrong_ms) => world.wrong_ms = wrong_ms,
            Step::Relay(relay) => world.relay = relay,
        }
        let (counted, passed) = (world.counted(began), world.true_ms - TODAY_MS);
        prop_assert!(counted <= passed, "{counted} of {passed} ms after {step:?}");

        let (house, wall) = (world.run(1_000), world.now().wall);
        let stream = StreamId::from_bytes([number; 16]);
        let (pinned, elsewhere) = (number % 4 == 0, Elsewhere::Nowhere);
        let (here, waiting) = (true, false);
        let (kept, age) = (house, Duration::ZERO);
        clips.push(Whole { stream, started: wall, ended: wall, kept, age, bytes: 1, pinned, here, waiting, elsewhere });
        made.push(world.true_ms);
        for (clip, made) in clips.iter_mut().zip(&made) {
            clip.age = world.calendar.age(clip.kept);
            let passed = Duration::from_millis(u64::try_from(world.true_ms - made).unwrap());
            prop_assert!(clip.age <= passed, "{clip:?} is {passed:?} old after {step:?}");
        }
        for removal in policy.removals(&clips, 0) {
            let Removal::Forget(stream) = removal else { panic!("{removal:?}") };
            let gone = usize::from(stream.as_bytes()[0]);
            prop_assert!(gone % 4 != 0, "a pinned clip");
            prop_assert!(world.true_ms - made[gone] >= 30 * DAY_MS, "clip {gone} after {step:?}");
        }
        let few = Policy { keep: Duration::MAX, keep_bytes: Some(3), ..policy };
        let gone = few.removals(&clips, 0);
        let oldest = (0..=number).filter(|n| n % 4 != 0).take(gone.len()).map(|n| StreamId::from_bytes([n; 16]));
        prop_assert!(gone.into_iter().eq(oldest.map(Removal::Forget)), "by number, which is by age");
    }
    Ok(())
}

/// As wrong as clocks are: without a battery, from an image, set by a wrong hand.
const WRONG: &[i64] = &[0, 0, 0, -56 * YEAR_MS, -2 * YEAR_MS, -100 * DAY_MS, 100 * DAY_MS, 4 * YEAR_MS, 64 * YEAR_MS];
/// Where no other machine's clock is there to compare.
const YEARS: &[i64] = &[0, 0, 0, -56 * YEAR_MS, -2 * YEAR_MS, 4 * YEAR_MS, 64 * YEAR_MS];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_clip_is_ever_taken_for_older_than_it_is(
        first in prop::sample::select(WRONG), steps in prop::collection::vec(step(WRONG), 1..30),
    ) {
        never_early(false, first, &steps)?;
    }

    #[test]
    fn nor_where_relay_and_hub_share_a_clock(
        first in prop::sample::select(YEARS), steps in prop::collection::vec(step(YEARS), 1..30),
    ) {
        never_early(true, first, &steps)?;
    }
}
