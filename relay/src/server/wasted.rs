//! Requests that lead nowhere: broken off before they were whole, not to be understood, beyond what their client may have. Each costs
//! the relay as much as a good one, so whoever makes more of them than happens by itself gets the place of each back later: QUIC lets no
//! client have more streams open than it was given, so that it waits, and what it does not send costs nothing. Pure and bounded.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::relay::{Code, Retention};

use super::wire::Failure;

/// One a connection may make in this time, for ever.
const EVERY: Duration = Duration::from_millis(500);
/// So many at once are not felt: a hub that gives up all it has begun, twice over.
const AT_ONCE: u32 = 32;

/// What a request that led nowhere counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waste {
    /// A whole one.
    Request,
    /// A segment that passes, and comes too late to be sent to its end: over a bad link each camera breaks one off a second.
    Passing,
}

impl Waste {
    /// What a request counts as that failed, if it led nowhere. `put` says of what kind its segment is, where it brings one.
    pub(crate) fn of(failure: &Failure, was_read: bool, allowed: bool, put: Option<Retention>) -> Option<Self> {
        match failure {
            // Of what is answered nobody has to hear the end.
            Failure::Lost if was_read => put.map(|retention| match retention {
                Retention::Keep { .. } => Self::Request,
                Retention::Pass => Self::Passing,
            }),
            Failure::Lost => Some(Self::Request),
            Failure::Refused(_) if !allowed => Some(Self::Request),
            Failure::Refused(refusal) => {
                matches!(refusal.code, Code::Malformed | Code::TooLarge | Code::Quota).then_some(Self::Request)
            }
            Failure::Reset(_) => None,
        }
    }
}

/// What a connection has wasted so far.
#[derive(Debug)]
pub(crate) struct Wasted(Mutex<Instant>);

impl Wasted {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(now))
    }

    /// Counts one more, and says for how long its place is not free. Whoever comes while others wait waits behind them.
    pub(crate) fn add(&self, waste: Waste, now: Instant) -> Duration {
        let costs = match waste {
            Waste::Request => EVERY,
            Waste::Passing => EVERY / 16,
        };
        // When all so far would have been made at the rate that is allowed.
        let mut paid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *paid = now.max(*paid) + costs;
        paid.saturating_duration_since(now + EVERY * AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_by_itself_is_not_felt() {
        let start = Instant::now();
        let wasted = Wasted::new(start);
        for _ in 0..AT_ONCE {
            assert_eq!(wasted.add(Waste::Request, start), Duration::ZERO);
        }
        for number in 1..1000 {
            assert_eq!(wasted.add(Waste::Request, start + EVERY * number), Duration::ZERO);
        }
    }

    #[test]
    fn sixteen_cameras_over_a_bad_link_are_not_felt() {
        let start = Instant::now();
        let wasted = Wasted::new(start);
        for second in 0..10_000 {
            let now = start + Duration::from_secs(second);
            assert!((0..16).all(|_| wasted.add(Waste::Passing, now).is_zero()), "second {second}");
        }
    }

    #[test]
    fn a_flood_comes_to_the_rate_that_is_allowed() {
        let start = Instant::now();
        let wasted = Wasted::new(start);
        let mut now = start;
        let mut made = 0;
        // One place, and the next request as soon as it is free.
        while now < start + Duration::from_secs(100) {
            now += wasted.add(Waste::Request, now);
            made += 1;
        }
        assert!((AT_ONCE + 200..=AT_ONCE + 202).contains(&made), "{made}");
    }

    #[test]
    fn those_who_wait_get_their_places_back_one_after_the_other() {
        let start = Instant::now();
        let wasted = Wasted::new(start);
        for _ in 0..AT_ONCE {
            wasted.add(Waste::Request, start);
        }
        let waits: Vec<_> = (0..3).map(|_| wasted.add(Waste::Request, start)).collect();
        assert_eq!(waits, [EVERY, EVERY * 2, EVERY * 3]);
    }
}
