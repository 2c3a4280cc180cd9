//! When the hub has been silent for too long. Pure: time comes in.
//!
//! The hub makes a log entry at least once in its heartbeat, and each heartbeat says how long that is; a phone takes
//! [`HEARTBEAT`] until it has heard one. A phone that is connected and hears nothing for three of them, or that comes and finds
//! the log's end older than that, can't tell a dead hub from a relay that withholds; it says so, once for each silence.

use std::time::Duration;

use privet_protocol::time::Timestamp;

/// How often the hub makes an entry, unless it says otherwise.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);
/// How far the clocks of hub and phone may differ.
const CLOCKS: Duration = Duration::from_secs(60);
/// So many missed ones are told.
const MISSED: u32 = 3;

/// The state of one connection.
pub(crate) struct Silence {
    heard: Duration,
    told: bool,
    heartbeat: Duration,
}

impl Silence {
    /// Counts from `now` on; `heartbeat` is what the hub said in an earlier session.
    pub(crate) fn new(now: Duration, heartbeat: Option<Duration>) -> Self {
        Self { heard: now, told: false, heartbeat: heartbeat.unwrap_or(HEARTBEAT) }
    }

    /// An entry came.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.told = false;
    }

    /// The hub said how often it makes an entry.
    pub(crate) fn rhythm(&mut self, heartbeat: Duration) {
        self.heartbeat = heartbeat;
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
        self.heartbeat.saturating_mul(MISSED)
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
    fn patience_is_three_of_what_the_hub_says() {
        let mut silence = Silence::new(s(0), None);
        silence.rhythm(s(10));
        assert_eq!(silence.check(s(30)), None);
        assert_eq!(silence.check(s(31)), Some(s(31)));
    }

    #[test]
    fn an_old_end_of_the_log_is_told_to_those_who_just_came() {
        let mut silence = Silence::new(s(0), Some(s(10)));
        assert_eq!(silence.stale(Timestamp(0), Timestamp(90_000)), None);
        assert_eq!(silence.stale(Timestamp(0), Timestamp(90_001)), Some(Duration::from_millis(90_001)));
        assert_eq!(silence.check(s(300)), None, "once");
    }
}
