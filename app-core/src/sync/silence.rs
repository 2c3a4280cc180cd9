//! When the hub has been silent for too long. Pure: time comes in.
//!
//! The hub makes a log entry at least once in its heartbeat, which its owner may set; a phone learns it from the heartbeats'
//! own times and takes [`HEARTBEAT`] until then. A phone that is connected and hears nothing for three of them, or that comes
//! and finds the log's end older than that, can't tell a dead hub from a relay that withholds; it says so, once for each
//! silence.

use std::time::Duration;

use privet_protocol::time::Timestamp;

/// How often the hub makes an entry, unless it shows otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);
/// What can be learned: from this to a day.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);
/// How far the clocks of hub and phone may differ.
const CLOCKS: Duration = Duration::from_secs(60);
/// So many missed ones are told.
const MISSED: u32 = 3;

/// The state of one connection.
pub(crate) struct Silence {
    heard: Duration,
    told: bool,
    last_beat: Option<Timestamp>,
    learned: Option<Duration>,
    recent: [Option<Duration>; 3],
}

impl Silence {
    /// Counts from `now` on.
    pub(crate) fn new(now: Duration, learned: Option<Duration>) -> Self {
        Self { heard: now, told: false, last_beat: None, learned, recent: [None; 3] }
    }

    /// An entry came.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.told = false;
    }

    /// The entry was a heartbeat that the hub made at `at`.
    pub(crate) fn beat(&mut self, at: Timestamp) -> Option<Duration> {
        let between = self.last_beat.replace(at).map(|last| at.since(last));
        if let Some(between) = between.filter(|between| *between >= SHORTEST) {
            self.recent = [self.recent[1], self.recent[2], Some(between.min(LONGEST))];
            // A hub that reconnects beats at once, one that was away beats late: the middle of three is neither.
            self.learned = Some(match self.recent {
                [Some(a), Some(b), Some(c)] => a.max(b).min(a.min(b).max(c)),
                [None, Some(b), Some(c)] => b.max(c),
                _ => between.min(LONGEST) * 2,
            });
        }
        self.learned
    }

    /// Everything there is was read, and the newest of it was made at `made`: how long ago that was, when it is too long.
    pub(crate) fn stale(&mut self, made: Timestamp, now: Timestamp) -> Option<Duration> {
        let silent = now.since(made);
        if self.told || silent <= self.patience() + CLOCKS {
            return None;
        }
        self.told = true;
        Some(silent)
    }

    fn patience(&self) -> Duration {
        self.learned.unwrap_or(HEARTBEAT) * MISSED
    }

    /// How long the hub has been silent, when that is to be told now.
    pub(crate) fn check(&mut self, now: Duration) -> Option<Duration> {
        let silent = now.saturating_sub(self.heard);
        if self.told || silent <= self.patience() {
            return None;
        }
        self.told = true;
        Some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_silence_is_told_once_and_a_new_one_again() {
        let mut silence = Silence::new(s(0), None);
        assert_eq!(silence.check(s(180)), None);
        assert_eq!(silence.check(s(181)), Some(s(181)));
        assert_eq!(silence.check(s(300)), None);
        silence.heard(s(310));
        assert_eq!(silence.check(s(490)), None);
        assert_eq!(silence.check(s(491)), Some(s(181)));
    }

    #[test]
    fn the_heartbeat_is_learned_from_the_hub() {
        let mut silence = Silence::new(s(0), None);
        let learned: Vec<_> = [0, 10, 12, 22, 622, 632, 642]
            .into_iter()
            .map(|at| {
                silence.heard(s(1));
                silence.beat(Timestamp(at * 1000))
            })
            .collect();
        let expected = [None, Some(20), Some(10), Some(10), Some(10), Some(10), Some(10)];
        assert_eq!(learned, expected.map(|seconds| seconds.map(s)));
        assert_eq!(silence.check(s(31)), None);
        assert_eq!(silence.check(s(32)), Some(s(31)));
    }

    #[test]
    fn an_old_end_of_the_log_is_told_to_those_who_just_came() {
        let mut silence = Silence::new(s(0), Some(s(10)));
        assert_eq!(silence.stale(Timestamp(0), Timestamp(90_000)), None);
        assert_eq!(silence.stale(Timestamp(0), Timestamp(90_001)), Some(Duration::from_millis(90_001)));
        assert_eq!(silence.check(s(300)), None, "once");
    }
}
