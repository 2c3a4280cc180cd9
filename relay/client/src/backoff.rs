//! How long to wait before the next try: a pure state machine, one second to a minute, with jitter so that a restarted relay is not
//! stormed.

use std::time::Duration;

use privet_protocol::random::Random;

/// Waiting times that grow from `first` to `longest` and start anew after [`Backoff::reset`].
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Backoff {
    /// Waits `first`, then twice as long each time, at most `longest`.
    fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// How long to wait before the next try: between half and all of the current step.
    pub(crate) fn next(&mut self, random: &dyn Random) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.longest);
        step.mul_f64(0.5 + 0.5 * part(random))
    }

    /// It worked: the next failure starts from the beginning.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A number from 0 to 1.
pub(crate) fn part(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use privet_protocol::random::SeededRandom;

    use super::*;

    #[test]
    fn it_grows_to_its_longest_and_starts_anew_after_a_success() {
        let random = SeededRandom::new(b"backoff");
        let mut backoff = Backoff::default();
        let mut step = Duration::from_secs(1);
        for _ in 0..20 {
            let wait = backoff.next(&random);
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
            step = (step * 2).min(Duration::from_secs(60));
        }
        backoff.reset();
        assert!(backoff.next(&random) <= Duration::from_secs(1));
    }
}
