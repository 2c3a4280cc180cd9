//! Whether the decoder still does its work. Pure: told how far it is and what time it is, it says what is wrong.
//!
//! Two things can be: units wait and nothing moves (it hangs, and then not even stopping it comes back), or units go in and no
//! picture that is wanted comes out (it lost its way, and starting it anew may help).

use std::time::{Duration, Instant};

/// Units wait, and nothing moved for so long: it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// The same for so long: do not wait for it.
const STALLS_AFTER: Duration = Duration::from_secs(2);
/// Looks within that time at least: a process that was stopped for a minute looks once, and the decoder had no chance.
const LOOKS: u32 = 50;
/// No wanted picture for so long, although so many were wanted: it lost its way.
const BLIND_AFTER: Duration = Duration::from_secs(15);
const BLIND_WISHES: u64 = 10;
/// Started anew so often without one picture: it gives up.
const RESTARTS: u32 = 3;

/// How far the decoder is; all but `waiting` only count up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Units before it.
    pub(super) waiting: u64,
    /// Units that it took and pictures that it gave.
    pub(super) done: u64,
    /// Pictures that were wanted of it.
    pub(super) wished: u64,
    /// Pictures that the detector could look at, or that say themselves why it can't.
    pub(super) looked: u64,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Well,
    /// Start it anew.
    LostItsWay,
    /// Starting it anew does not help.
    Useless,
    /// It hangs.
    Hangs,
}

/// Watches one decoder.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    done: u64,
    /// Since when nothing moves, and how often that was seen.
    still: Option<(Instant, u32)>,
    looked: u64,
    /// Since when no picture was looked at, what was wanted by then, and how often that was seen.
    blind: Option<(Instant, u64, u32)>,
    restarts: u32,
}

impl Watchdog {
    /// The decoder is so far by now; a few times a second.
    pub(super) fn look(&mut self, at: Progress, now: Instant) -> Finding {
        if at.done != self.done || at.waiting == 0 {
            (self.done, self.still) = (at.done, None);
        } else {
            let (since, looks) = self.still.get_or_insert((now, 0));
            *looks += 1;
            if now.duration_since(*since) >= HANGS_AFTER && *looks >= LOOKS {
                return Finding::Hangs;
            }
        }
        if at.looked != self.looked {
            (self.looked, self.blind, self.restarts) = (at.looked, None, 0);
        }
        let (since, wished, looks) = self.blind.get_or_insert((now, at.wished, 0));
        *looks += 1;
        if now.duration_since(*since) < BLIND_AFTER || at.wished - *wished < BLIND_WISHES || *looks < LOOKS {
            return Finding::Well;
        }
        self.blind = None;
        self.restarts += 1;
        if self.restarts > RESTARTS { Finding::Useless } else { Finding::LostItsWay }
    }

    /// It may hang: whoever waits for it now may wait for ever.
    pub(super) fn stalls(&self, now: Instant) -> bool {
        self.still.is_some_and(|(since, looks)| now.duration_since(since) >= STALLS_AFTER && looks >= LOOKS / 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);

    /// So many ticks, in each of which the decoder gets on by `step`; what was found that is not well.
    fn run(dog: &mut Watchdog, at: &mut Progress, now: &mut Instant, ticks: u32, step: Progress) -> Vec<Finding> {
        let mut found = Vec::new();
        for _ in 0..ticks {
            *now += TICK;
            at.waiting = step.waiting;
            at.done += step.done;
            at.wished += step.wished;
            at.looked += step.looked;
            found.extend(Some(dog.look(*at, *now)).filter(|finding| *finding != Finding::Well));
        }
        found
    }

    const NOTHING: [Finding; 0] = [];
    const WORKS: Progress = Progress { waiting: 3, done: 2, wished: 1, looked: 1 };
    const STILL: Progress = Progress { waiting: 3, done: 0, wished: 1, looked: 0 };
    const IDLE: Progress = Progress { waiting: 0, done: 0, wished: 0, looked: 0 };
    const BLIND: Progress = Progress { waiting: 3, done: 2, wished: 1, looked: 0 };

    #[test]
    fn a_decoder_that_works_or_has_nothing_to_do_is_well() {
        let (mut dog, mut at, mut now) = (Watchdog::default(), Progress::default(), Instant::now());
        for step in [WORKS, IDLE, WORKS] {
            assert_eq!(run(&mut dog, &mut at, &mut now, 1_000, step), NOTHING);
            assert!(!dog.stalls(now));
        }
    }

    #[test]
    fn units_that_wait_for_ten_seconds_are_a_decoder_that_hangs() {
        let (mut dog, mut at, mut now) = (Watchdog::default(), Progress::default(), Instant::now());
        run(&mut dog, &mut at, &mut now, 50, WORKS);
        assert_eq!(run(&mut dog, &mut at, &mut now, 100, STILL), NOTHING);
        assert!(dog.stalls(now));
        assert_eq!(run(&mut dog, &mut at, &mut now, 1, STILL), [Finding::Hangs]);
    }

    #[test]
    fn a_process_that_was_stopped_does_not_accuse_its_decoder() {
        let (mut dog, mut at, mut now) = (Watchdog::default(), Progress::default(), Instant::now());
        run(&mut dog, &mut at, &mut now, 5, STILL);
        now += Duration::from_secs(3600);
        assert_eq!(run(&mut dog, &mut at, &mut now, 5, STILL), NOTHING);
        assert_eq!(run(&mut dog, &mut at, &mut now, 5, WORKS), NOTHING);
    }

    #[test]
    fn pictures_that_nobody_can_look_at_start_it_anew_and_in_the_end_it_is_useless() {
        let (mut dog, mut at, mut now) = (Watchdog::default(), Progress::default(), Instant::now());
        run(&mut dog, &mut at, &mut now, 50, WORKS);
        let found = run(&mut dog, &mut at, &mut now, 4 * 152, BLIND);
        assert_eq!(found, [Finding::LostItsWay, Finding::LostItsWay, Finding::LostItsWay, Finding::Useless]);
        // One picture, and it has its chances again.
        run(&mut dog, &mut at, &mut now, 1, WORKS);
        assert_eq!(run(&mut dog, &mut at, &mut now, 152, BLIND), [Finding::LostItsWay]);
    }

    #[test]
    fn a_stream_of_few_key_frames_has_time() {
        let (mut dog, mut at, mut now) = (Watchdog::default(), Progress::default(), Instant::now());
        for _ in 0..9 {
            let wish = Progress { wished: 1, done: 1, ..IDLE };
            assert_eq!(run(&mut dog, &mut at, &mut now, 1, wish), NOTHING);
            assert_eq!(run(&mut dog, &mut at, &mut now, 40, IDLE), NOTHING);
        }
    }
}
