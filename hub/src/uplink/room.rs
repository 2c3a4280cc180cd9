//! The room that the home has at the relay, for bytes, log entries and wakes: asked for every so often, and when the relay has refused
//! something. [`RelayRooms`] says how long it will last. Pure, but for the task.

use std::collections::VecDeque;
use std::time::Duration;

use privet_relay_client::{ClientError, Connection};
use serde::{Deserialize, Serialize};

use super::{Uplink, UplinkError};
use crate::time::mono_us;

/// How often the relay is asked.
const ASK: Duration = Duration::from_secs(600);
/// Not more often, whatever is refused.
const PAUSE: Duration = Duration::from_secs(30);

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: f64 = 86_400_000.0;
/// What the rate is taken of.
const WINDOW_MS: u64 = 3 * 24 * HOUR_MS;
/// With less than this at the present rate, the room is nearly full; with twice as much, it is not any more.
const SHORT_DAYS: f64 = 3.0;

/// The home's room at the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayRoom {
    /// Bytes that are stored.
    pub stored_bytes: u64,
    /// Bytes that may be.
    pub limit_bytes: u64,
    /// Days until it is full, if it goes on like in the last three days; absent when it does not grow, and before there was an hour.
    pub full_in_days: Option<f64>,
    /// The log; absent with a relay that does not say what it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogRoom>,
    /// Wakes; absent with a relay that does not say how many it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes: Option<WakeRoom>,
}

/// The home's log at the relay: what waits there for its phones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogRoom {
    /// Entries that not every phone has yet.
    pub entries: u64,
    /// Entries that there may be; with as many, the hub can tell its phones nothing more.
    pub limit: u64,
    /// As with the bytes.
    pub full_in_days: Option<f64>,
}

/// How often the relay still wakes the home's phones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeRoom {
    /// Wakes that it takes now.
    pub left: u64,
    /// Wakes that it takes within an hour.
    pub limit: u64,
}

impl RelayRoom {
    /// Whether somebody should see to it: the room is used up, or will be within three days.
    pub fn is_short(&self) -> bool {
        is_short(self.stored_bytes, self.limit_bytes, self.full_in_days)
    }

    /// Whether there is so much room again that being short of it would be news.
    pub fn is_ample(&self) -> bool {
        is_ample(self.stored_bytes, self.limit_bytes, self.full_in_days)
    }

    /// What is left, in MiB.
    pub fn free_mib(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.stored_bytes) >> 20
    }
}

impl LogRoom {
    /// Whether somebody should see to it: as with the bytes.
    pub fn is_short(&self) -> bool {
        is_short(self.entries, self.limit, self.full_in_days)
    }

    /// Whether there is so much room again that being short of it would be news.
    pub fn is_ample(&self) -> bool {
        is_ample(self.entries, self.limit, self.full_in_days)
    }

    /// Entries that are left.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.entries)
    }
}

fn is_short(used: u64, limit: u64, full_in_days: Option<f64>) -> bool {
    used >= part(limit, 99) || full_in_days.is_some_and(|days| days < SHORT_DAYS)
}

fn is_ample(used: u64, limit: u64, full_in_days: Option<f64>) -> bool {
    used < part(limit, 95) && full_in_days.is_none_or(|days| days >= 2.0 * SHORT_DAYS)
}

/// Of less than a hundred everything.
fn part(of: u64, percent: u64) -> u64 {
    of - of / 100 * (100 - percent)
}

/// What the relay says that the home uses, and may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Bytes that are stored.
    pub stored_bytes: u64,
    /// Bytes that may be.
    pub limit_bytes: u64,
    /// Entries of the log.
    pub log_entries: u64,
    /// Entries that there may be.
    pub log_limit: Option<u64>,
    /// Wakes that it takes now, and within an hour.
    pub wakes: Option<WakeRoom>,
}

/// What the relay said over the last days, thinned to one word an hour.
#[derive(Clone, Debug, Default)]
pub struct RelayRooms(VecDeque<(u64, Said)>);

impl RelayRooms {
    /// The relay said so, at this time of a clock that nobody sets.
    pub fn said(&mut self, at_ms: u64, what: Said) {
        let said = &mut self.0;
        // The newest always stays; of the others each is an hour after the one before it.
        let count = said.len();
        if count >= 2 && said[count - 1].0.saturating_sub(said[count - 2].0) < HOUR_MS {
            said.pop_back();
        }
        said.push_back((at_ms, what));
        while said.len() > 2 && said.front().is_some_and(|(first, _)| at_ms.saturating_sub(*first) > WINDOW_MS) {
            said.pop_front();
        }
    }

    /// The room now, and how long it lasts; nothing before the relay said anything.
    pub fn room(&self) -> Option<RelayRoom> {
        let ((from_ms, first), (to_ms, last)) = (self.0.front()?, self.0.back()?);
        let passed_ms = to_ms.saturating_sub(*from_ms);
        let log = last.log_limit.map(|limit| LogRoom {
            entries: last.log_entries,
            limit,
            full_in_days: full_in_days(first.log_entries, last.log_entries, limit, passed_ms),
        });
        Some(RelayRoom {
            stored_bytes: last.stored_bytes,
            limit_bytes: last.limit_bytes,
            full_in_days: full_in_days(first.stored_bytes, last.stored_bytes, last.limit_bytes, passed_ms),
            log,
            wakes: last.wakes,
        })
    }
}

/// Days until the limit is reached, when so much was used `passed_ms` ago and so much is now.
fn full_in_days(before: u64, now: u64, limit: u64, passed_ms: u64) -> Option<f64> {
    let (grew, left) = (now.saturating_sub(before), limit.saturating_sub(now));
    (passed_ms >= HOUR_MS && grew > 0).then(|| left as f64 / grew as f64 * passed_ms as f64 / DAY_MS)
}

/// Asks the relay.
pub(super) async fn watch(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        match connection.usage().await {
            Ok(usage) => {
                let wakes = usage.wakes_left.zip(usage.wakes_limit).map(|(left, limit)| WakeRoom { left, limit });
                let said = Said {
                    stored_bytes: usage.stored_bytes,
                    // Older relays say it at the hello only.
                    limit_bytes: usage.stored_limit.unwrap_or(connection.limits().stored_bytes),
                    log_entries: usage.log_entries(),
                    log_limit: usage.log_limit,
                    wakes,
                };
                uplink.board.relay_said(mono_us() / 1000, said);
            }
            Err(ClientError::Refused(refusal)) => {
                tracing::debug!(%refusal, "the relay does not say how much room is left")
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(PAUSE).await;
        let _ = tokio::time::timeout(ASK - PAUSE, uplink.board.relay_refused_wait()).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn after(said: &[(u64, u64)]) -> RelayRoom {
        let mut rooms = RelayRooms::default();
        for (minutes, stored_bytes) in said {
            let said = Said { stored_bytes: *stored_bytes, limit_bytes: 10 * GB, ..Said::default() };
            rooms.said(minutes * 60_000, said);
        }
        rooms.room().unwrap()
    }

    #[test]
    fn the_rate_of_the_last_days_says_when_it_is_full() {
        assert_eq!(RelayRooms::default().room(), None);
        assert_eq!(after(&[(0, GB)]).full_in_days, None);
        assert_eq!(after(&[(0, GB), (59, 2 * GB)]).full_in_days, None, "less than an hour says nothing");
        let day = 24 * 60;
        let days = |said: &[(u64, u64)]| after(said).full_in_days.map(|days| (days * 10.0).round() / 10.0);
        assert_eq!(days(&[(0, GB), (day, 2 * GB)]), Some(8.0));
        assert_eq!(days(&[(0, 2 * GB), (day, 2 * GB)]), None);
        assert_eq!(days(&[(0, 3 * GB), (day, 2 * GB)]), None, "phones fetch more than comes");
        assert_eq!(days(&[(0, GB), (day, 10 * GB)]), Some(0.0));
        // What was long ago does not count: a gigabyte a day, then a tenth of it.
        let slower: Vec<_> = (0..=10).map(|n| (n * day, if n < 5 { n * GB } else { 5 * GB + n * GB / 10 })).collect();
        assert_eq!(days(&slower), Some(40.0));
    }

    #[test]
    fn the_log_has_a_forecast_of_its_own_and_wakes_are_as_they_were_said_last() {
        let mut rooms = RelayRooms::default();
        let said = |log_entries, left| Said {
            log_entries,
            log_limit: Some(100_000),
            wakes: Some(WakeRoom { left, limit: 600 }),
            ..Said::default()
        };
        rooms.said(0, said(1000, 600));
        rooms.said(24 * HOUR_MS, said(2000, 7));
        let room = rooms.room().unwrap();
        assert_eq!(room.log, Some(LogRoom { entries: 2000, limit: 100_000, full_in_days: Some(98.0) }));
        assert_eq!((room.wakes, room.full_in_days), (Some(WakeRoom { left: 7, limit: 600 }), None));
        // A relay that was set up anew says less.
        rooms.said(25 * HOUR_MS, Said { log_entries: 5, ..Said::default() });
        let room = rooms.room().unwrap();
        assert_eq!((room.log, room.wakes), (None, None));
    }

    #[test]
    fn short_and_ample_have_a_gap_between_them() {
        let room = |stored_bytes, full_in_days| RelayRoom {
            stored_bytes,
            limit_bytes: 100 * GB,
            full_in_days,
            ..RelayRoom::default()
        };
        for (room, short, ample) in [
            (room(10 * GB, None), false, true),
            (room(10 * GB, Some(2.9)), true, false),
            (room(10 * GB, Some(3.1)), false, false),
            (room(10 * GB, Some(6.0)), false, true),
            (room(96 * GB, None), false, false),
            (room(99 * GB, None), true, false),
            (room(200 * GB, None), true, false),
        ] {
            assert_eq!((room.is_short(), room.is_ample()), (short, ample), "{room:?}");
            let (entries, limit) = (room.stored_bytes / GB, room.limit_bytes / GB);
            let log = LogRoom { entries, limit, full_in_days: room.full_in_days };
            assert_eq!((log.is_short(), log.is_ample()), (short, ample), "{log:?}");
            assert_eq!(log.free(), 100_u64.saturating_sub(entries));
        }
        let few = |entries| LogRoom { entries, limit: 8, full_in_days: None };
        assert!(few(7).is_ample() && few(8).is_short());
        assert_eq!(room(100 * GB - (5 << 20), None).free_mib(), 5);
        assert_eq!(room(101 * GB, None).free_mib(), 0);
    }

    proptest! {
        #[test]
        fn whatever_a_relay_says_is_bounded_and_never_a_nonsense(
            said in prop::collection::vec(
                (0..10_000_000_u64, any::<(u64, u64)>(), any::<(u64, Option<u64>)>()),
                1..300,
            ),
        ) {
            let mut rooms = RelayRooms::default();
            let mut now = 0;
            for (later, (stored_bytes, limit_bytes), (log_entries, log_limit)) in said {
                now += later;
                rooms.said(now, Said { stored_bytes, limit_bytes, log_entries, log_limit, wakes: None });
                let room = rooms.room().unwrap();
                prop_assert_eq!((room.stored_bytes, room.limit_bytes), (stored_bytes, limit_bytes));
                prop_assert!(room.full_in_days.is_none_or(|days| days.is_finite() && days >= 0.0));
                prop_assert!(!(room.is_short() && room.is_ample()));
                let log = room.log.unwrap_or_default();
                prop_assert_eq!(room.log.map(|log| (log.entries, log.limit)), log_limit.map(|limit| (log_entries, limit)));
                prop_assert!(log.full_in_days.is_none_or(|days| days.is_finite() && days >= 0.0));
                prop_assert!(!(log.is_short() && log.is_ample()));
                prop_assert!(rooms.0.len() <= 75, "{}", rooms.0.len());
            }
        }
    }
}
