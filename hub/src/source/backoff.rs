//! How long to wait before the next attempt: doubles from the shortest pause to the longest, with jitter, for ever.

use std::time::Duration;

/// Pure; randomness is passed in.
#[derive(Clone, Debug)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    good_after: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts with the shortest pause, and again after an attempt that gave video for `good_after`.
    pub fn new(shortest: Duration, longest: Duration, good_after: Duration) -> Self {
        Self { shortest, longest: longest.max(shortest), good_after, failures: 0 }
    }

    /// The pause after an attempt that gave video for `good`. `patient` asks for the longest at once: wrong credentials do not get
    /// better by themselves, and cameras lock accounts.
    pub fn pause(&mut self, good: Duration, patient: bool, random: u16) -> Duration {
        if good >= self.good_after {
            self.failures = 0;
        }
        let doubled = self.shortest.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let base = if patient { self.longest } else { doubled };
        // Between four fifths and all of it: many cameras behind one switch do not come back in step.
        base.mul_f64(0.8 + 0.2 * f64::from(random) / f64::from(u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_longest_and_stays() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(30));
        let pauses: Vec<_> = (0..9).map(|_| backoff.pause(Duration::ZERO, false, u16::MAX).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.pause(Duration::from_secs(29), false, u16::MAX).as_secs(), 60);
        assert_eq!(backoff.pause(Duration::from_secs(30), false, u16::MAX).as_secs(), 1, "good video resets it");
    }

    #[test]
    fn jitter_takes_a_fifth_at_most() {
        let mut backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(30));
        assert_eq!(backoff.pause(Duration::ZERO, false, 0), Duration::from_secs(8));
        assert_eq!(backoff.pause(Duration::ZERO, true, u16::MAX), Duration::from_secs(60));
    }
}
