//! When the hub has been silent for too long. Pure: time comes in.
//!
//! The hub makes a log entry at least once in its heartbeat, which its owner may set; a phone learns it from the heartbeats'
//! own times and takes [`HEARTBEAT`] until then. A phone that is connected and hears nothing for three of them can't tell a
//! dead hub from a relay that withholds; it says so, once for each silence.

use std::time::Duration;

use privet_protocol::time::Timestamp;

/// How often the hub makes an entry, unless it shows otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);
/// What can be learned: from this to a day.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);
/// So many missed ones are told.
const MISSED: u32 = 3;

/// The state of one connection.
pub(crate) struct Silence {
    heard: Duration,
    told: bool,
    last_beat: Option<Timestamp>,
    learned: Option<Duration>,
}

impl Silence {
    /// Counts from `now` on.
    pub(crate) fn new(now: Duration) -> Self {
        Self { heard: now, told: false, last_beat: None, learned: None }
    }

    /// An entry came.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.told = false;
    }

    /// The entry was a heartbeat that the hub made at `at`.
    pub(crate) fn beat(&mut self, at: Timestamp) {
        let between = self.last_beat.replace(at).map(|last| at.since(last));
        if let Some(between) = between.filter(|between| *between >= SHORTEST) {
            // Other entries may stand in a heartbeat's place, so the shortest time between two is the truest.
            self.learned = Some(self.learned.map_or(between, |known| known.min(between)).min(LONGEST));
        }
    }

    /// How long the hub has been silent, when that is to be told now.
    pub(crate) fn check(&mut self, now: Duration) -> Option<Duration> {
        let silent = now.saturating_sub(self.heard);
        if self.told || silent <= self.learned.unwrap_or(HEARTBEAT) * MISSED {
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
        let mut silence = Silence::new(s(0));
        assert_eq!(silence.check(s(180)), None);
        assert_eq!(silence.check(s(181)), Some(s(181)));
        assert_eq!(silence.check(s(300)), None);
        silence.heard(s(310));
        assert_eq!(silence.check(s(490)), None);
        assert_eq!(silence.check(s(491)), Some(s(181)));
    }

    #[test]
    fn the_heartbeat_is_learned_from_the_hub() {
        let mut silence = Silence::new(s(0));
        for at in [0, 50_000, 60_000, 60_100] {
            silence.heard(s(1));
            silence.beat(Timestamp(at));
        }
        assert_eq!(silence.check(s(31)), None);
        assert_eq!(silence.check(s(32)), Some(s(31)));
    }
}
