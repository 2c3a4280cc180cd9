//! A histogram of delays that costs one atomic addition: how long a frame takes from the camera to QUIC.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Steps within each power of two: an error of at most 1/16.
const STEPS: usize = 16;
/// Powers of two of microseconds: up to 71 minutes.
const POWERS: usize = 32;

/// Counts of delays, in steps that grow with the delay.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; STEPS * POWERS],
}

/// What a histogram says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Delays counted.
    pub count: u64,
    /// Half of them were not longer, in microseconds.
    pub p50_us: u64,
    /// 99 of 100 were not longer.
    pub p99_us: u64,
    /// None was longer.
    pub max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Histogram {
    /// Counts a delay.
    pub fn record(&self, us: u64) {
        self.counts[place(us)].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn summary(&self) -> Summary {
        let counts: Vec<u64> = self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return Summary::default();
        }
        let reached = |share_of_1000: u64| {
            let wanted = (count * share_of_1000).div_ceil(1000).max(1);
            let mut seen = 0;
            let found = counts.iter().position(|c| {
                seen += c;
                seen >= wanted
            });
            found.map_or(0, highest)
        };
        Summary { count, p50_us: reached(500), p99_us: reached(990), max_us: reached(1000) }
    }
}

fn place(us: u64) -> usize {
    let us = usize::try_from(us).unwrap_or(usize::MAX);
    if us < STEPS {
        return us;
    }
    let power = us.ilog2() as usize;
    let step = (us >> (power - STEPS.ilog2() as usize)) - STEPS;
    ((power - STEPS.ilog2() as usize + 1) * STEPS + step).min(STEPS * POWERS - 1)
}

/// The longest delay that is counted at this place.
fn highest(place: usize) -> u64 {
    if place < STEPS {
        return place as u64;
    }
    let shift = place / STEPS - 1;
    (((STEPS + place % STEPS + 1) as u64) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_delay_is_counted_within_a_sixteenth() {
        for us in (0..5_000).chain([65_535, 65_536, 1 << 30]) {
            let top = highest(place(us));
            assert!(top >= us && top - us <= us / 16 + 1, "{us} counted as {top}");
        }
    }

    #[test]
    fn percentiles_are_read_from_the_counts() {
        let histogram = Histogram::default();
        assert_eq!(histogram.summary(), Summary::default());
        for us in 1..=1000 {
            histogram.record(us);
        }
        let summary = histogram.summary();
        assert_eq!(summary.count, 1000);
        assert!((500..=532).contains(&summary.p50_us), "{summary:?}");
        assert!((990..=1055).contains(&summary.p99_us), "{summary:?}");
        assert!((1000..=1063).contains(&summary.max_us), "{summary:?}");
    }
}
