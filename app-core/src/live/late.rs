//! When the rest of a segment is given up because its pictures come too late. Pure: time comes in.
//!
//! The relay drops what is late once a newer segment has begun, which takes as long as the camera makes it from one key frame to the
//! next. Here it does not: a view that falls behind by two seconds stands still until the next key frame. Old pictures that come
//! faster than they were made, as after a gap or at the beginning of a stream, catch up, and are shown.

use std::time::Duration;

/// A picture that comes so much later than the fastest one of the view is too late.
pub(super) const TOO_LATE_US: i64 = 2_000_000;
/// Whether pictures catch up is seen after so long,
const LOOK: Duration = Duration::from_millis(500);
/// by so much that they are less late.
const CAUGHT_UP_US: i64 = 100_000;

/// How late the segment is that is shown. Public for `tests/bench`, as [`super::Pace`].
#[derive(Debug, Default)]
pub struct Lateness {
    segment: Option<u64>,
    /// When it was looked at last, and how late its picture was then.
    looked: (Duration, i64),
}

impl Lateness {
    /// Whether this picture of the segment, and what follows it there, is given up. The first one never is.
    pub fn too_late(&mut self, segment: u64, now: Duration, late_us: i64) -> bool {
        let (at, before_us) = self.looked;
        let first = self.segment.replace(segment) != Some(segment);
        if !first && now.saturating_sub(at) < LOOK {
            return false;
        }
        self.looked = (now, late_us);
        !first && late_us > TOO_LATE_US && late_us > before_us.saturating_sub(CAUGHT_UP_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a segment whose pictures are 40 ms apart and come in so many thousandths of their pace, the first one so late: how late
    /// the last one was that was shown, and whether all were.
    fn show(first_late_us: i64, per_mille: i64, pictures: i64) -> (i64, bool) {
        let mut lateness = Lateness::default();
        let mut last = 0;
        for n in 0..pictures {
            let now_us = first_late_us + n * 40 * per_mille;
            let late_us = now_us - n * 40_000;
            if lateness.too_late(7, Duration::from_micros(now_us.unsigned_abs()), late_us) {
                return (last, false);
            }
            last = late_us;
        }
        (last, true)
    }

    #[test]
    fn a_segment_that_falls_behind_is_given_up_before_it_is_three_seconds_late() {
        for per_mille in [1100, 1500, 2500, 10_000] {
            let (last, all) = show(300_000, per_mille, 10_000);
            assert!(!all && (1_500_000..2_700_000).contains(&last), "{per_mille}: {last}");
        }
        assert!(!show(2_400_000, 1000, 100).1, "nor one that stays late");
    }

    #[test]
    fn a_segment_in_time_is_shown_whole_and_so_is_one_that_catches_up() {
        assert!(show(1_900_000, 1000, 10_000).1);
        assert!(show(8_000_000, 5, 200).1, "at once");
        assert!(show(8_000_000, 700, 600).1, "bit by bit");
    }

    #[test]
    fn another_segment_is_looked_at_by_itself() {
        let mut lateness = Lateness::default();
        let at = Duration::from_millis;
        assert!(!lateness.too_late(1, at(0), 0));
        assert!(lateness.too_late(1, at(3000), 2_500_000));
        assert!(!lateness.too_late(2, at(9000), 2_500_000), "its key frame was large");
        assert!(!lateness.too_late(2, at(9400), 2_600_000));
        assert!(lateness.too_late(2, at(9500), 2_600_000));
    }
}
