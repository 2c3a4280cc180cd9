//! The relay's own time, by which all that it stores grows old. The wall clock may leap, and what a wrong clock deleted does not come
//! back. So:
//!
//! 1. While the machine runs, own time goes on with the machine's uptime, which nobody sets, whether the relay runs or not. Whatever
//!    the wall clock does meanwhile counts nothing.
//! 2. While the machine was off, only the wall clock knows for how long. It is believed up to [`BELIEVED`]. More than that may be a leap,
//!    and less than nothing is one: no time is counted then.
//!
//! Own time begins at what the wall clock shows at the first start and never needs to meet it again: where it stays behind, things
//! are kept longer, and clients, who know the wall clock only, have their dates taken over as lengths of time ([`Dates`]).

use std::time::Duration;

use privet_protocol::time::Timestamp;

use super::records::TimeRecord;

/// As long as this the machine may have been off by the wall clock's word alone: a clock that is wrong by more deletes nothing early,
/// and one that is right makes things stay longer by what it was off.
const BELIEVED: Duration = Duration::from_secs(2 * 24 * 3600);
/// A smaller step of the wall clock is no news: time servers make them.
const STEP: Duration = Duration::from_secs(2);
/// Written down at least so often.
const NOTED: Duration = Duration::from_secs(600);

/// What the machine's clocks show at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Names the run of the machine.
    pub(crate) boot: Vec<u8>,
    /// How long this run has lasted.
    pub(crate) uptime: Duration,
    pub(crate) wall: Timestamp,
}

/// Own time during one run of the relay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lived {
    began: Timestamp,
    /// Of the machine, when it was that time.
    uptime: Duration,
}

/// What came of the time between two runs of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// It counts.
    Counted,
    /// The wall clock can't be right, so it does not count.
    Disbelieved,
}

impl Lived {
    /// Goes on where `noted` was written; at the wall clock where nothing was.
    pub(crate) fn resume(noted: Option<&TimeRecord>, now: &Reading) -> (Self, Pause) {
        let from = |began| Self { began, uptime: now.uptime };
        let Some(noted) = noted else { return (from(now.wall), Pause::Counted) };
        let uptime = Duration::from_millis(noted.uptime_ms);
        // A machine that does not count on within one run does not know its uptime.
        if noted.boot == now.boot && now.uptime >= uptime {
            return (from(noted.own.after(now.uptime - uptime)), Pause::Counted);
        }
        let off = now.wall.since(noted.wall);
        if now.wall < noted.wall || off > BELIEVED {
            return (from(noted.own), Pause::Disbelieved);
        }
        (from(noted.own.after(off)), Pause::Counted)
    }

    /// Own time when the machine has run for so long.
    pub(crate) fn at(self, uptime: Duration) -> Timestamp {
        self.began.after(uptime.saturating_sub(self.uptime))
    }

    /// What the next run of the relay has to know.
    pub(crate) fn note(self, now: &Reading) -> TimeRecord {
        let uptime_ms = u64::try_from(now.uptime.as_millis()).unwrap_or(u64::MAX);
        TimeRecord { own: self.at(now.uptime), wall: now.wall, uptime_ms, boot: now.boot.clone() }
    }

    /// By how much the wall clock was set since this was written; `None` when it was not.
    pub(crate) fn step(self, noted: &TimeRecord, now: &Reading) -> Option<Duration> {
        let ahead = |wall: Timestamp, own: Timestamp| wall.0.saturating_sub(own.0);
        let by = ahead(now.wall, self.at(now.uptime)).abs_diff(ahead(noted.wall, noted.own));
        Some(Duration::from_millis(by)).filter(|by| *by > STEP)
    }

    /// Whether enough has happened since this was written to write it anew. A step must not be taken for time when the machine was off.
    pub(crate) fn is_due(self, noted: &TimeRecord, now: &Reading) -> bool {
        self.step(noted, now).is_some() || self.at(now.uptime).since(noted.own) >= NOTED
    }
}

/// A client's dates. It goes by the time that it was told at its hello, and counts on from there, whatever the wall clock does then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dates {
    /// The wall clock at its hello.
    pub(crate) told: Timestamp,
    /// Own time at its hello.
    pub(crate) own: Timestamp,
}

impl Dates {
    /// A date of the client, by own time.
    pub(crate) fn own(self, date: Timestamp) -> Timestamp {
        Timestamp(self.own.0.saturating_add(date.0.saturating_sub(self.told.0)))
    }
}

#[cfg(test)]
#[path = "lived_tests.rs"]
mod tests;
