//! When the hub has been silent for too long, and when only its clock is another. Pure: time comes in.
//!
//! The hub makes a log entry at least once in its heartbeat, and each heartbeat says how long that is; a phone takes
//! [`HEARTBEAT`] until it has heard one. A phone that is connected and hears nothing for three of them, or that comes and finds
//! the log's end older than that, can't tell a dead hub from a relay that withholds; it says so.
//!
//! How old an entry is, is not only what the hub's clock says: an entry that was not there when the log was last read to its end
//! came after that, by this phone's own clock. When entries come but are old by the hub's clock, the clocks differ (or the
//! entries were held back), and that is said instead. Either is said once until it is over, and a difference once more when it
//! has grown: who holds entries back a little longer each time would otherwise do so without end. What was said is kept
//! ([`Signs`], with the notes), so that processes that live for a second don't each say it anew.

use std::time::Duration;

use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::events::TrustAlert;

/// How often the hub makes an entry, unless it says otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);
/// How far the clocks of hub and phone may differ.
const CLOCKS: Duration = Duration::from_secs(60);
/// So many missed ones are told.
const MISSED: u32 = 3;

/// What is kept of the hub's signs of life; all times by this phone's clock.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signs {
    /// When the log was last read to its end.
    read: Option<Timestamp>,
    /// When the newest entry came at the earliest.
    came: Option<Timestamp>,
    /// What was told and is not over.
    pub(crate) told: Option<Told>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    Silent,
    /// And by how much the hub's clock was said to be behind, or is if that is less by now: only so much is its clock's fault.
    Clocks(Duration),
}

impl Signs {
    /// The hub just let this phone in.
    pub(crate) fn at_joining(now: Timestamp) -> Self {
        Self { read: Some(now), came: Some(now), told: None }
    }
}

/// The watch over one connection. Times that are durations count from its beginning.
pub(crate) struct Silence {
    pub(crate) signs: Signs,
    heartbeat: Duration,
    heard: Duration,
    /// All there was has been read: what comes now is new.
    live: bool,
    /// Since when all that comes is old by the hub's clock.
    old_since: Option<Duration>,
}

impl Silence {
    /// With what earlier connections left.
    pub(crate) fn new(signs: Signs, heartbeat: Option<Duration>, now: Timestamp) -> Self {
        // This phone's own clock may have been set back.
        let sane = |at: Option<Timestamp>| at.map(|at| at.min(now));
        let signs = Signs { read: sane(signs.read), came: sane(signs.came), ..signs };
        Self { signs, heartbeat: heartbeat.unwrap_or(HEARTBEAT), heard: Duration::ZERO, live: false, old_since: None }
    }

    /// The hub said how often it makes an entry.
    pub(crate) fn rhythm(&mut self, heartbeat: Duration) {
        self.heartbeat = heartbeat;
    }

    /// A new entry was taken; `made` is when, by the hub's clock, the newest one that says so was.
    pub(crate) fn heard(&mut self, elapsed: Duration, made: Timestamp, now: Timestamp) {
        self.heard = elapsed;
        if !self.live {
            self.signs.came = self.signs.came.max(self.signs.read);
            return;
        }
        self.signs.came = Some(now);
        if self.signs.told == Some(Told::Silent) {
            self.signs.told = None;
        }
        if now.since(made) > self.limit() {
            // A hub that was offline sends what waited, so one old entry says nothing yet.
            self.old_since.get_or_insert(elapsed);
        } else {
            self.old_since = None;
            self.signs.told = None;
        }
    }

    /// Everything there is was read, and the newest of it was made at `made` by the hub's clock.
    pub(crate) fn all_read(&mut self, made: Timestamp, now: Timestamp) -> Option<TrustAlert> {
        self.live = true;
        self.signs.read = Some(now);
        if made.0 <= 0 {
            return None;
        }
        let behind = match self.signs.told {
            Some(Told::Clocks(behind)) => behind.min(now.since(made)),
            _ => Duration::ZERO,
        };
        let sign = self.signs.came.map_or(made, |came| came.max(made)).max(made.after(behind));
        if now.since(sign) > self.limit() {
            return self.tell_silent(now.since(sign));
        }
        if now.since(made) > self.limit() {
            return self.tell_clocks(sign.since(made));
        }
        self.signs.told = None;
        None
    }

    /// What is to be told now; asked from time to time.
    pub(crate) fn check(&mut self, elapsed: Duration, made: Timestamp, now: Timestamp) -> Option<TrustAlert> {
        let silent = elapsed.saturating_sub(self.heard);
        if silent > self.patience() {
            return self.tell_silent(silent);
        }
        if self.live {
            self.signs.read = Some(now);
        }
        if elapsed.saturating_sub(self.old_since?) > self.patience() {
            return self.tell_clocks(now.since(made));
        }
        None
    }

    fn tell_silent(&mut self, silent: Duration) -> Option<TrustAlert> {
        let told = self.signs.told.replace(Told::Silent);
        (told != Some(Told::Silent)).then_some(TrustAlert::Withheld { silent_s: silent.as_secs() })
    }

    fn tell_clocks(&mut self, behind: Duration) -> Option<TrustAlert> {
        if let Some(Told::Clocks(told)) = self.signs.told
            && behind <= told + self.limit()
        {
            self.signs.told = Some(Told::Clocks(told.min(behind)));
            return None;
        }
        self.signs.told = Some(Told::Clocks(behind));
        Some(TrustAlert::ClocksDiffer { by_s: behind.as_secs() })
    }

    fn patience(&self) -> Duration {
        self.heartbeat.saturating_mul(MISSED)
    }

    fn limit(&self) -> Duration {
        self.patience() + CLOCKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_000_000_000 + seconds * 1000)
    }

    fn silent(seconds: u64) -> Option<TrustAlert> {
        Some(TrustAlert::Withheld { silent_s: seconds })
    }

    fn clocks(seconds: u64) -> Option<TrustAlert> {
        Some(TrustAlert::ClocksDiffer { by_s: seconds })
    }

    #[test]
    fn a_silence_is_told_once_and_a_new_one_again() {
        let mut silence = Silence::new(Signs::default(), None, at(0));
        assert_eq!(silence.all_read(at(0), at(0)), None);
        assert_eq!(silence.check(s(180), at(0), at(180)), None);
        assert_eq!(silence.check(s(181), at(0), at(181)), silent(181));
        assert_eq!(silence.check(s(300), at(0), at(300)), None);
        silence.heard(s(310), at(310), at(310));
        assert_eq!(silence.check(s(490), at(310), at(490)), None);
        assert_eq!(silence.check(s(491), at(310), at(491)), silent(181));
    }

    #[test]
    fn patience_is_three_of_what_the_hub_says() {
        let mut silence = Silence::new(Signs::default(), None, at(0));
        silence.rhythm(s(10));
        assert_eq!(silence.check(s(30), at(0), at(30)), None);
        assert_eq!(silence.check(s(31), at(0), at(31)), silent(31));
    }

    #[test]
    fn an_old_end_of_the_log_is_told_by_one_of_those_who_come_until_it_is_over() {
        let come = |signs, made, now| {
            let mut silence = Silence::new(signs, Some(s(10)), at(now));
            (silence.all_read(at(made), at(now)), silence.signs)
        };
        let (told, signs) = come(Signs::default(), 0, 90);
        assert_eq!(told, None);
        let (told, signs) = come(signs, 0, 91);
        assert_eq!(told, silent(91));
        let (told, signs) = come(signs, 0, 3000);
        assert_eq!(told, None, "once");
        // It is over, and begins again.
        let mut silence = Silence::new(signs, Some(s(10)), at(4000));
        silence.heard(s(0), at(3999), at(4000));
        assert_eq!(silence.all_read(at(3999), at(4000)), None);
        assert_eq!(come(silence.signs, 3999, 4100).0, silent(101));
    }

    #[test]
    fn entries_that_come_but_are_old_by_the_hubs_clock_tell_of_the_clocks_and_once() {
        // Processes that live for a second, each finding what the hub made since the one before.
        let mut signs = Signs::at_joining(at(0));
        let mut told = Vec::new();
        for now in (5..500).step_by(5) {
            let mut silence = Silence::new(signs, Some(s(2)), at(now));
            let made = at(now - 1 - HOUR);
            silence.heard(s(0), made, at(now));
            told.extend(silence.all_read(made, at(now)));
            signs = silence.signs;
        }
        assert!(matches!(told[..], [TrustAlert::ClocksDiffer { by_s: 3590..=3600 }]), "{told:?}");
        // One that comes after a day and finds the newest entry a moment old, if the clocks still differ as they did.
        let day = 86_400;
        let mut silence = Silence::new(signs, Some(s(2)), at(day));
        silence.heard(s(0), at(day - 5 - HOUR), at(day));
        assert_eq!(silence.all_read(at(day - 5 - HOUR), at(day)), None);
        // And one that finds nothing new after a further hour: that is silence, whatever the clocks do.
        let mut silence = Silence::new(silence.signs, Some(s(2)), at(day + HOUR));
        assert!(matches!(silence.all_read(at(day - 5 - HOUR), at(day + HOUR)), Some(TrustAlert::Withheld { .. })));
    }

    #[test]
    fn who_stays_connected_waits_whether_old_entries_are_only_the_rest_of_an_outage() {
        let mut silence = Silence::new(Signs::at_joining(at(0)), Some(s(2)), at(0));
        assert_eq!(silence.all_read(at(0), at(0)), None);
        // The hub sends what waited, then what is new.
        silence.heard(s(5), at(-HOUR), at(5));
        assert_eq!(silence.check(s(6), at(-HOUR), at(6)), None);
        silence.heard(s(7), at(7), at(7));
        assert_eq!(silence.check(s(12), at(7), at(12)), None);
        // Its clock is set back, put right, and set back again.
        for (begin, expected) in [(20, clocks(3600)), (60, clocks(3600))] {
            let mut told = Vec::new();
            for now in begin..begin + 20 {
                silence.heard(s(now), at(now as i64 - HOUR), at(now as i64));
                told.push(silence.check(s(now), at(now as i64 - HOUR), at(now as i64)));
            }
            assert_eq!(told.into_iter().flatten().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
            silence.heard(s(begin + 20), at(begin as i64 + 20), at(begin as i64 + 20));
        }
    }

    #[test]
    fn a_delay_that_grows_in_small_steps_is_told_again_and_again() {
        // Heartbeats of 2 s: 66 s are passed over, and then told in steps of no less.
        let expected = |told: &[TrustAlert]| {
            let by: Vec<u64> = told
                .iter()
                .map(|alert| match alert {
                    TrustAlert::ClocksDiffer { by_s } => *by_s,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(by.len() >= 10 && by.windows(2).all(|two| (67..=80).contains(&(two[1] - two[0]))), "{by:?}");
        };
        // To processes that live for a second each, every one a second later than the one before.
        let mut signs = Signs::at_joining(at(0));
        let mut told = Vec::new();
        for step in 1..1000 {
            let now = step * 5;
            let mut silence = Silence::new(signs, Some(s(2)), at(now));
            let made = at(now - step);
            silence.heard(s(0), made, at(now));
            told.extend(silence.all_read(made, at(now)));
            signs = silence.signs;
        }
        expected(&told);
        // And to one that stays.
        let mut silence = Silence::new(Signs::at_joining(at(0)), Some(s(2)), at(0));
        assert_eq!(silence.all_read(at(0), at(0)), None);
        let mut told = Vec::new();
        for step in 1..1000 {
            let made = at(step as i64);
            silence.heard(s(step * 2), made, at(step as i64 * 2));
            told.extend(silence.check(s(step * 2), made, at(step as i64 * 2)));
        }
        expected(&told);
    }

    #[test]
    fn a_difference_that_got_smaller_hides_no_silence() {
        let come = |signs, made: i64, now| {
            let mut silence = Silence::new(signs, Some(s(2)), at(now));
            (silence.all_read(at(made), at(now)), silence.signs)
        };
        let mut silence = Silence::new(Signs::at_joining(at(0)), Some(s(2)), at(5));
        silence.heard(s(0), at(5 - 2 * HOUR), at(5));
        assert_eq!(silence.all_read(at(5 - 2 * HOUR), at(5)), clocks(7195));
        // Its clock is put on by an hour; then nothing comes any more.
        let mut silence = Silence::new(silence.signs, Some(s(2)), at(10));
        silence.heard(s(0), at(10 - HOUR), at(10));
        assert_eq!(silence.all_read(at(10 - HOUR), at(10)), None);
        let (told, signs) = come(silence.signs, 10 - HOUR, 76);
        assert_eq!(told, None);
        assert_eq!(come(signs, 10 - HOUR, 77).0, silent(67));
    }
}
