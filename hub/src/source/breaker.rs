//! Whether a camera's worker may decode. Pure; time is passed in.
//!
//! A stream on which the decoder dies or hangs takes the worker with it, and with the worker the recording. After [`TRIPS`] such ends
//! within [`WITHIN`] workers are started without a decoder for a while, which records without motion; then one may try again. If
//! that fails, the next while is twice as long. A good hour closes the breaker.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Ends of a worker that decodes that open the breaker.
const TRIPS: usize = 3;
/// Within so long.
const WITHIN: Duration = Duration::from_secs(3600);
/// Decoding for so long without such an end closes it.
const GOOD: Duration = Duration::from_secs(3600);

/// One camera's.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    first: Duration,
    longest: Duration,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Workers decode. When the latest of them came to a bad end.
    Closed(VecDeque<Instant>),
    /// They do not.
    Open { until: Instant, pause: Duration },
    /// One tries, and has done well for so long.
    Trial { good: Duration, pause: Duration },
}

impl Breaker {
    /// Closed. `first` is the first while without decoding, `longest` the longest.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), state: State::Closed(VecDeque::new()) }
    }

    /// Whether the worker that starts now may decode.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        if let State::Open { until, pause } = self.state {
            if now < until {
                return false;
            }
            self.state = State::Trial { good: Duration::ZERO, pause };
        }
        true
    }

    /// When a worker that does not decode has to make way for one that does, and how long the whole while is.
    pub(super) fn open(&self) -> Option<(Instant, Duration)> {
        match self.state {
            State::Open { until, pause } => Some((until, pause)),
            State::Closed(_) | State::Trial { .. } => None,
        }
    }

    /// A worker that decoded ended after video for `good`; `bad` when the decoder may be why. True when that opens the breaker.
    pub(super) fn ended(&mut self, bad: bool, good: Duration, now: Instant) -> bool {
        if let State::Trial { good: before, .. } = &mut self.state {
            *before = before.saturating_add(good);
            if *before >= GOOD {
                self.state = State::Closed(VecDeque::new());
            }
        }
        if !bad {
            return false;
        }
        let pause = match &mut self.state {
            State::Closed(ends) => {
                ends.push_back(now);
                while ends.front().is_some_and(|end| now.saturating_duration_since(*end) > WITHIN) {
                    ends.pop_front();
                }
                if ends.len() < TRIPS {
                    return false;
                }
                self.first
            }
            State::Trial { pause, .. } => pause.saturating_mul(2).min(self.longest),
            // Whoever decodes was allowed to.
            State::Open { .. } => return false,
        };
        self.state = State::Open { until: now + pause, pause };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const SHORT: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(600 * S, 24 * 3600 * S);
        assert!(!breaker.ended(true, SHORT, now));
        assert!(!breaker.ended(true, SHORT, now));
        assert!(breaker.allows(now) && breaker.ended(true, SHORT, now));
        breaker
    }

    #[test]
    fn three_bad_ends_within_an_hour_open_it_and_three_over_longer_do_not() {
        let start = Instant::now();
        let mut breaker = Breaker::new(600 * S, 24 * 3600 * S);
        for minute in [0, 31, 62, 93] {
            assert!(!breaker.ended(true, SHORT, start + minute * 60 * S), "minute {minute}");
            assert!(!breaker.ended(false, SHORT, start + minute * 60 * S), "the camera's own faults do not count");
        }
        assert!(breaker.allows(start + 94 * 60 * S));
        assert!(breaker.ended(true, SHORT, start + 94 * 60 * S), "minutes 62, 93 and 94");
        assert!(!breaker.allows(start + 95 * 60 * S));
        assert_eq!(breaker.open(), Some((start + 104 * 60 * S, 600 * S)));
    }

    #[test]
    fn one_tries_after_a_while_that_doubles_up_to_a_day() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut whiles = Vec::new();
        for _ in 0..10 {
            let (until, pause) = breaker.open().unwrap_or((now, Duration::ZERO));
            assert!(!breaker.allows(until - S));
            assert!(breaker.allows(until) && breaker.open().is_none());
            now = until + SHORT;
            assert!(breaker.ended(true, SHORT, now), "one bad end is enough");
            whiles.push(pause.as_secs() / 600);
        }
        assert_eq!(whiles, [1, 2, 4, 8, 16, 32, 64, 128, 144, 144]);
    }

    #[test]
    fn a_good_hour_closes_it_even_in_pieces() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        now += 600 * S;
        assert!(breaker.allows(now));
        for _ in 0..2 {
            now += 1800 * S;
            assert!(!breaker.ended(false, 1800 * S, now), "the camera was restarted");
        }
        assert!(!breaker.ended(true, SHORT, now) && !breaker.ended(true, SHORT, now), "as if nothing had been");
        assert!(breaker.ended(true, SHORT, now));
        assert_eq!(breaker.open().map(|(_, pause)| pause), Some(600 * S), "and the first while again");
    }
}
