use super::*;

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;
const START: i64 = 1_800_000_000_000;

/// The same numbers at every run.
struct Dice(u64);

impl Dice {
    /// One of `from..to`.
    fn between(&mut self, from: i64, to: i64) -> i64 {
        // xorshift64: any even spread will do.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + (self.0 % to.abs_diff(from)) as i64
    }
}

/// Something that is stored.
struct Thing {
    stored: i64,
    lasts: i64,
    until: Timestamp,
}

/// A machine with a relay, and what really passes. Times are in milliseconds.
struct World {
    passed: i64,
    /// The wall clock's error.
    wrong: i64,
    /// When the machine was switched on.
    booted: i64,
    boots: u8,
    lived: Lived,
    noted: TimeRecord,
    things: Vec<Thing>,
    expired: usize,
}

impl World {
    fn new(wrong: i64) -> Self {
        let reading = Reading { boot: vec![0], uptime: Duration::ZERO, wall: Timestamp(START + wrong) };
        let (lived, _) = Lived::resume(None, &reading);
        let noted = lived.note(&reading);
        Self { passed: 0, wrong, booted: 0, boots: 0, lived, noted, things: Vec::new(), expired: 0 }
    }

    fn reading(&self) -> Reading {
        let uptime = Duration::from_millis((self.passed - self.booted).unsigned_abs());
        Reading { boot: vec![self.boots], uptime, wall: Timestamp(START + self.passed + self.wrong) }
    }

    fn own(&self) -> Timestamp {
        self.lived.at(self.reading().uptime)
    }

    fn store(&mut self, lasts: i64) {
        let until = self.own().after(Duration::from_millis(lasts.unsigned_abs()));
        self.things.push(Thing { stored: self.passed, lasts, until });
    }

    fn sweep(&mut self) {
        let (now, passed, before) = (self.own(), self.passed, self.things.len());
        self.things.retain(|thing| {
            let over = thing.until <= now;
            assert!(
                !over || passed - thing.stored >= thing.lasts,
                "early by {}",
                thing.lasts - (passed - thing.stored)
            );
            !over
        });
        self.expired += before - self.things.len();
        let reading = self.reading();
        if self.lived.is_due(&self.noted, &reading) {
            self.noted = self.lived.note(&reading);
        }
    }

    /// The relay ends, with or without a word, and begins again.
    fn restart(&mut self) -> Pause {
        let reading = self.reading();
        let (lived, pause) = Lived::resume(Some(&self.noted), &reading);
        self.lived = lived;
        self.noted = lived.note(&reading);
        pause
    }

    /// The machine ends, is off, its clock is set meanwhile, and begins again.
    fn reboot(&mut self, off: i64, set: i64) -> Pause {
        self.passed += off;
        self.wrong += set;
        self.booted = self.passed;
        self.boots = self.boots.wrapping_add(1);
        self.restart()
    }
}

#[test]
fn nothing_goes_before_its_time_has_passed_whatever_the_wall_clock_does() {
    for seed in 1..=300 {
        let mut dice = Dice(seed);
        let wrong = dice.between(-56 * YEAR, 10 * YEAR);
        let mut world = World::new(wrong);
        for _ in 0..400 {
            let off = dice.between(0, 5 * DAY);
            match dice.between(0, 12) {
                0 => {
                    world.wrong += dice.between(-10 * YEAR, 10 * YEAR);
                    world.sweep();
                }
                1 => {
                    world.wrong += dice.between(3 * SECOND, 2 * DAY);
                    world.sweep();
                }
                2 => {
                    world.passed += off;
                    // A wall clock that was set meanwhile, too: the uptime knows better.
                    world.wrong += dice.between(-YEAR, YEAR);
                    assert_eq!(world.restart(), Pause::Counted);
                }
                3 => {
                    world.reboot(off, 0);
                }
                4 => {
                    world.reboot(off, dice.between(-10 * YEAR, 0));
                }
                5 => {
                    let leap = dice.between(2 * DAY + SECOND, 10 * YEAR);
                    assert_eq!(world.reboot(off, leap), Pause::Disbelieved);
                }
                6..=8 => world.store(dice.between(SECOND, 30 * DAY)),
                _ => {
                    world.passed += dice.between(0, 6 * HOUR);
                    world.sweep();
                }
            }
        }
        // And nothing stays for good.
        for _ in 0..31 {
            world.passed += DAY;
            world.sweep();
        }
        assert!(world.things.is_empty() && world.expired > 0);
    }
}

#[test]
fn while_the_wall_clock_is_right_own_time_is_the_same_and_things_go_one_sweep_late_at_most() {
    const SWEEP: i64 = 60 * SECOND;
    for seed in 1..=50 {
        let mut dice = Dice(seed);
        let mut world = World::new(0);
        for _ in 0..2000 {
            match dice.between(0, 20) {
                0 => {
                    world.passed += dice.between(0, 10 * DAY);
                    assert_eq!(world.restart(), Pause::Counted);
                    world.sweep();
                }
                1 => {
                    // What was not written down before the machine ended looks like time that it was off.
                    assert_eq!(world.reboot(dice.between(0, DAY), 0), Pause::Counted);
                    world.sweep();
                }
                2..=5 => world.store(dice.between(SECOND, 2 * DAY)),
                _ => {
                    world.passed += SWEEP;
                    world.sweep();
                }
            }
            assert_eq!(world.own(), Timestamp(START + world.passed));
            assert!(world.things.iter().all(|thing| world.passed - thing.stored < thing.lasts));
        }
    }
}

#[test]
fn a_step_is_written_down_at_once_and_told_once() {
    let mut world = World::new(0);
    let seen = |world: &World| world.lived.step(&world.noted, &world.reading());
    world.passed += HOUR / 10;
    assert_eq!(seen(&world), None);
    assert!(!world.lived.is_due(&world.noted, &world.reading()));
    for by in [10 * YEAR, -20 * YEAR, 3 * SECOND] {
        world.wrong += by;
        assert_eq!(seen(&world), Some(Duration::from_millis(by.unsigned_abs())));
        world.sweep();
        assert_eq!(seen(&world), None);
    }
    world.wrong += SECOND;
    assert_eq!(seen(&world), None, "as time servers do");
    world.passed += HOUR;
    assert!(world.lived.is_due(&world.noted, &world.reading()));
    assert_eq!(world.own(), Timestamp(START + HOUR / 10 + HOUR));
}

#[test]
fn two_days_off_are_believed_and_no_more() {
    let after = |off| {
        let mut world = World::new(0);
        let pause = world.reboot(off, 0);
        (pause, world.own().0 - START)
    };
    assert_eq!(after(0), (Pause::Counted, 0));
    assert_eq!(after(2 * DAY), (Pause::Counted, 2 * DAY));
    assert_eq!(after(2 * DAY + 1), (Pause::Disbelieved, 0));
    assert_eq!(after(10 * YEAR), (Pause::Disbelieved, 0));
    let mut world = World::new(0);
    assert_eq!((world.reboot(DAY, -DAY - 1), world.own()), (Pause::Disbelieved, Timestamp(START)));
}

#[test]
fn an_uptime_that_began_anew_in_the_same_run_is_not_taken_for_one_that_went_on() {
    let mut world = World::new(0);
    world.passed += HOUR;
    world.sweep();
    world.passed += HOUR;
    world.booted = world.passed;
    assert_eq!((world.restart(), world.own()), (Pause::Counted, Timestamp(START + 2 * HOUR)));
}

#[test]
fn a_clients_dates_are_lengths_of_time() {
    let dates = Dates { told: Timestamp(START + 10 * YEAR), own: Timestamp(START) };
    assert_eq!(dates.own(Timestamp(START + 10 * YEAR + DAY)), Timestamp(START + DAY));
    assert_eq!(dates.own(Timestamp(START + 10 * YEAR - DAY)), Timestamp(START - DAY));
    for (date, own) in [(i64::MAX, START + (i64::MAX - START - 10 * YEAR)), (i64::MIN, START.saturating_add(i64::MIN))]
    {
        assert_eq!(dates.own(Timestamp(date)), Timestamp(own));
    }
}
