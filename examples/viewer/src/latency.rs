//! How old pictures are when they arrive.
//!
//! On one machine the hub's monotonic clock is ours and measures to the microsecond; across machines only the wall clocks are
//! left, and their difference is in every figure. Test cameras also stamp their pictures (`examples/raw-camera`,
//! `examples/fake-camera`: a user-data-unregistered SEI), which measures from the camera on.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Figures of one kind, in microseconds.
#[derive(Default)]
pub struct Latencies(Vec<i64>);

/// What they come to.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Summary {
    /// How many pictures.
    pub count: usize,
    /// Half of them were no older, in milliseconds.
    pub p50: f64,
    /// All but one in a hundred were no older.
    pub p99: f64,
    /// The oldest.
    pub max: f64,
}

impl Latencies {
    /// Another picture.
    pub fn add(&mut self, microseconds: i64) {
        self.0.push(microseconds);
    }

    /// What they come to; nothing when there were none.
    pub fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let rank = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).map(|us| *us as f64 / 1000.0)
        };
        Some(Summary { count: sorted.len(), p50: at(0.5)?, p99: at(0.99)?, max: at(1.0)? })
    }
}

/// The monotonic clock in microseconds.
pub fn monotonic_us() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}

/// The wall clock in microseconds.
pub fn wall_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

/// The age of a picture that the hub got at `mono_us` of its monotonic clock and `wall_ms` of its wall clock; the flag says
/// whether the monotonic clock was good for it.
pub fn age_us(mono_us: u64, wall_ms: i64) -> (i64, bool) {
    let wall = wall_us() - wall_ms * 1000;
    let mono = monotonic_us() - i64::try_from(mono_us).unwrap_or(0);
    // Another machine's monotonic clock has nothing to do with ours: then both ages disagree.
    let same_machine = mono_us > 0 && mono >= 0 && (mono - wall).abs() < 2_000_000;
    if same_machine { (mono, true) } else { (wall, false) }
}
