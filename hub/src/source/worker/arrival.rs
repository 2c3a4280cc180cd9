//! When a unit came, where it waited to be read. Pure.
//!
//! What waits in the kernel has no time of its own. But a camera sends steadily: a unit came as long after its presentation time as
//! the fastest of its like did lately, at the latest when it was read, and at the earliest when nothing waited.

/// The fastest one is looked for among those of the last one to two spans of so long: a camera's clock runs away from ours by 0.5 ms
/// in it at the most.
const SPAN_US: u64 = 5_000_000;

/// The arrivals of one track's units.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// The span's start, and the smallest of what time of reading less presentation time was in it.
    span: Option<(u64, i64)>,
    /// The same of the span before.
    before: Option<i64>,
    last_us: u64,
}

impl Arrivals {
    /// When a unit of this presentation time came, in microseconds of the clock that `read_us` is of: when it was read, or, if what
    /// waited has been gathering since `gathering_us`, some time between. Never before the unit before it.
    pub(super) fn place(&mut self, pts_us: i64, read_us: u64, gathering_us: Option<u64>) -> u64 {
        let delay = i64::try_from(read_us).unwrap_or(i64::MAX).saturating_sub(pts_us);
        let fastest = self.fastest(delay, read_us);
        let came_us = match gathering_us {
            None => read_us,
            Some(since_us) => {
                let came_us = u64::try_from(pts_us.saturating_add(fastest)).unwrap_or(0);
                came_us.max(since_us).max(self.last_us).min(read_us)
            }
        };
        self.last_us = came_us;
        came_us
    }

    fn fastest(&mut self, delay: i64, read_us: u64) -> i64 {
        match &mut self.span {
            Some((start_us, least)) if read_us.saturating_sub(*start_us) < SPAN_US => *least = delay.min(*least),
            span => {
                self.before = span.map(|(_, least)| least);
                *span = Some((read_us, delay));
            }
        }
        let least = self.span.map_or(delay, |(_, least)| least);
        self.before.map_or(least, |before| before.min(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units a fifteenth of a second apart, each 7 ms under way, read every 200 ms; the time each is said to have come less the
    /// time it came.
    fn errors(units: u64, drift_us_per_s: i64) -> Vec<i64> {
        let mut arrivals = Arrivals::default();
        (0..units)
            .map(|i| {
                let came_us = 1_000_000 + i * 1_000_000 / 15;
                let read_us = came_us.next_multiple_of(200_000) + 3_000;
                let pts_us = (i * 1_000_000 / 15) as i64 * (1_000_000 + drift_us_per_s) / 1_000_000;
                let since = read_us - 200_000;
                arrivals.place(pts_us, read_us, Some(since)) as i64 - came_us as i64
            })
            .collect()
    }

    #[test]
    fn what_waited_gets_the_time_at_which_it_came_to_a_picture() {
        for drift in [-100, 0, 100] {
            let errors = errors(15 * 60, drift);
            assert!(errors[15..].iter().all(|error| (-2_000..=70_000).contains(error)), "{drift}: {errors:?}");
        }
    }

    #[test]
    fn what_is_read_at_once_came_when_it_was_read() {
        let mut arrivals = Arrivals::default();
        for (pts_us, read_us) in [(0, 500), (66_667, 80_000), (133_333, 130_000)] {
            assert_eq!(arrivals.place(pts_us, read_us, None), read_us);
        }
        // The fastest came 3.3 ms before its presentation time.
        assert_eq!(arrivals.place(200_000, 400_000, Some(150_000)), 196_667);
        assert_eq!(arrivals.place(266_667, 900_000, Some(700_000)), 700_000, "before that nothing waited");
        assert_eq!(arrivals.place(100_000, 900_000, Some(100_000)), 700_000, "not before the one before");
        assert_eq!(arrivals.place(2_000_000, 950_000, Some(900_000)), 950_000, "not before it was read");
    }

    #[test]
    fn wild_times_do_not_overflow() {
        let mut arrivals = Arrivals::default();
        for (pts_us, read_us) in [(i64::MIN, 0), (i64::MAX, u64::MAX), (0, 0), (i64::MAX, 5), (i64::MIN, u64::MAX)] {
            for since in [None, Some(0), Some(u64::MAX)] {
                assert!(arrivals.place(pts_us, read_us, since) <= read_us);
            }
        }
    }
}
