//! The room that the home has at the relay: asked for every so often, and when the relay has refused something. [`RelayRooms`] says how
//! long it will last. Pure, but for the task.

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
}

impl RelayRoom {
    /// Whether somebody should see to it: the room is used up, or will be within three days.
    pub fn is_short(&self) -> bool {
        self.stored_bytes >= part(self.limit_bytes, 99) || self.full_in_days.is_some_and(|days| days < SHORT_DAYS)
    }

    /// Whether there is so much room again that being short of it would be news.
    pub fn is_ample(&self) -> bool {
        self.stored_bytes < part(self.limit_bytes, 95) && self.full_in_days.is_none_or(|days| days >= 2.0 * SHORT_DAYS)
    }

    /// What is left, in MiB.
    pub fn free_mib(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.stored_bytes) >> 20
    }
}

fn part(of: u64, percent: u64) -> u64 {
    of / 100 * percent
}

/// What the relay said over the last days, thinned to one word an hour.
#[derive(Clone, Debug, Default)]
pub struct RelayRooms(VecDeque<Said>);

#[derive(Clone, Copy, Debug)]
struct Said {
    at_ms: u64,
    stored: u64,
    limit: u64,
}

impl RelayRooms {
    /// The relay said so, at this time of a clock that nobody sets.
    pub fn said(&mut self, at_ms: u64, stored: u64, limit: u64) {
        let said = &mut self.0;
        // The newest always stays; of the others each is an hour after the one before it.
        let count = said.len();
        if count >= 2 && said[count - 1].at_ms.saturating_sub(said[count - 2].at_ms) < HOUR_MS {
            said.pop_back();
        }
        said.push_back(Said { at_ms, stored, limit });
        while said.len() > 2 && said.front().is_some_and(|first| at_ms.saturating_sub(first.at_ms) > WINDOW_MS) {
            said.pop_front();
        }
    }

    /// The room now, and how long it lasts; nothing before the relay said anything.
    pub fn room(&self) -> Option<RelayRoom> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let (passed, grew) = (last.at_ms.saturating_sub(first.at_ms), last.stored.saturating_sub(first.stored));
        let left = last.limit.saturating_sub(last.stored);
        let full_in_days = (passed >= HOUR_MS && grew > 0).then(|| left as f64 / grew as f64 * passed as f64 / DAY_MS);
        Some(RelayRoom { stored_bytes: last.stored, limit_bytes: last.limit, full_in_days })
    }
}

/// Asks the relay.
pub(super) async fn watch(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        match connection.usage().await {
            Ok(usage) => {
                // Older relays say it at the hello only.
                let limit = usage.stored_limit.unwrap_or(connection.limits().stored_bytes);
                uplink.board.relay_said(mono_us() / 1000, usage.stored_bytes, limit);
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
        for (minutes, stored) in said {
            rooms.said(minutes * 60_000, *stored, 10 * GB);
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
    fn short_and_ample_have_a_gap_between_them() {
        let room = |stored_bytes, full_in_days| RelayRoom { stored_bytes, limit_bytes: 100 * GB, full_in_days };
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
        }
        assert_eq!(room(100 * GB - (5 << 20), None).free_mib(), 5);
        assert_eq!(room(101 * GB, None).free_mib(), 0);
    }

    proptest! {
        #[test]
        fn whatever_a_relay_says_is_bounded_and_never_a_nonsense(
            said in prop::collection::vec((0..10_000_000_u64, any::<u64>(), any::<u64>()), 1..300),
        ) {
            let mut rooms = RelayRooms::default();
            let mut now = 0;
            for (later, stored, limit) in said {
                now += later;
                rooms.said(now, stored, limit);
                let room = rooms.room().unwrap();
                prop_assert_eq!((room.stored_bytes, room.limit_bytes), (stored, limit));
                prop_assert!(room.full_in_days.is_none_or(|days| days.is_finite() && days >= 0.0));
                prop_assert!(!(room.is_short() && room.is_ample()));
                prop_assert!(rooms.0.len() <= 75, "{}", rooms.0.len());
            }
        }
    }
}
