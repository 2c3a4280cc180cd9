//! Whether the wall clock may be believed when it says that clips are old. Pure.
//!
//! A clock that is set years ahead, by a wrong hand or a broken battery, must not make the hub forget everything that it was to
//! keep for a month. So a leap forward is not acted on until the clock has gone on evenly for a day: by then somebody has seen
//! it, or it is right.

use std::time::Duration;

use privet_protocol::time::Timestamp;

use crate::recorder::Moment;

/// A running clock that gains more than this between two looks was set.
const LEAP: Duration = Duration::from_secs(3_600);
/// A hub may have been switched off for so long before it wonders whether it is really so late.
const PAUSE: Duration = Duration::from_secs(2 * 86_400);
/// For so long a clock that was set has to go on evenly.
const TRIAL: Duration = Duration::from_secs(86_400);

/// What is known of the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar {
    last: Option<Moment>,
    doubted_until_us: u64,
}

impl Calendar {
    /// Takes the clocks as they are now; `newest` is when the newest clip ended. Says whether clips may go because of their age.
    pub fn believes(&mut self, now: Moment, newest: Option<Timestamp>) -> bool {
        let (due, most) = match self.last {
            Some(last) => {
                let passed = Duration::from_micros(now.mono_us.saturating_sub(last.mono_us));
                (last.wall.after(passed), LEAP)
            }
            None => (newest.unwrap_or(now.wall), PAUSE),
        };
        if now.wall.since(due) > most {
            let trial = u64::try_from(TRIAL.as_micros()).unwrap_or(u64::MAX);
            self.doubted_until_us = now.mono_us.saturating_add(trial);
            tracing::warn!(
                by_s = now.wall.since(due).as_secs(),
                "the clock leapt ahead: no clip goes because of its age for a day; is the date right?"
            );
        }
        self.last = Some(now);
        now.mono_us >= self.doubted_until_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn at(wall_ms: i64, mono_s: u64) -> Moment {
        Moment { wall: Timestamp(wall_ms), mono_us: mono_s * 1_000_000 }
    }

    #[test]
    fn a_clock_that_is_set_years_ahead_is_not_believed_before_a_day_has_passed() {
        let mut calendar = Calendar::default();
        assert!(calendar.believes(at(0, 100), Some(Timestamp(-1_000))));
        assert!(calendar.believes(at(60_000, 160), None), "a minute is a minute");
        assert!(calendar.believes(at(120_000 + 3_000_000, 220), None), "corrected by less than an hour");
        let later = 900 * DAY_MS;
        assert!(!calendar.believes(at(later, 280), None));
        assert!(!calendar.believes(at(later + DAY_MS - 1_000, 280 + 86_399), None));
        assert!(calendar.believes(at(later + DAY_MS, 280 + 86_400), None));
        // Set right again: what lies in the past is no leap, and nothing is old by it.
        assert!(calendar.believes(at(DAY_MS, 280 + 86_460), None));
    }

    #[test]
    fn a_hub_that_starts_in_another_year_waits_and_one_that_was_off_overnight_does_not() {
        let overnight = Calendar::default().believes(at(DAY_MS, 5), Some(Timestamp(0)));
        let years = Calendar::default().believes(at(900 * DAY_MS, 5), Some(Timestamp(0)));
        let empty = Calendar::default().believes(at(900 * DAY_MS, 5), None);
        assert_eq!((overnight, years, empty), (true, false, true));
    }
}
