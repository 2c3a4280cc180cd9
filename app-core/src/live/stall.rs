//! When a segment that stands still is left behind for the newer one that waits behind it. Pure: time comes in.

use std::time::Duration;

/// A segment that stands still for so long is left behind once a newer one is there.
const STALL: Duration = Duration::from_millis(300);

/// The segment that is shown, while it holds up a newer one, and when it is left behind.
#[derive(Debug, Default)]
pub(super) struct Stall(Option<(u64, Duration)>);

impl Stall {
    /// When the segment that is shown is left behind if nothing of it comes until then; never while no `newer` one waits. To be asked
    /// as often as one likes: what else happens meanwhile puts nothing off.
    pub(super) fn ends(&mut self, shown: Option<u64>, newer: bool, now: Duration) -> Option<Duration> {
        self.0 = shown.filter(|_| newer).map(|shown| match self.0 {
            Some((stalled, ends)) if stalled == shown => (shown, ends),
            _ => (shown, now + STALL),
        });
        self.0.map(|(_, ends)| ends)
    }

    /// Something of it came.
    pub(super) fn moves(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn segments_that_begin_fast_put_the_end_of_a_stall_off_no_further() {
        let mut stall = Stall::default();
        // The first newer segment, and others behind it every 50 ms.
        for ms in (1000..1300).step_by(50) {
            assert_eq!(stall.ends(Some(7), true, at(ms)), Some(at(1300)), "asked at {ms}");
        }
    }

    #[test]
    fn what_comes_of_the_segment_ends_its_stall_and_the_next_one_has_its_own() {
        let mut stall = Stall::default();
        assert_eq!(stall.ends(Some(7), true, at(1000)), Some(at(1300)));
        stall.moves();
        assert_eq!(stall.ends(Some(7), true, at(1200)), Some(at(1500)));
        assert_eq!(stall.ends(Some(8), true, at(1400)), Some(at(1700)), "the one behind it");
    }

    #[test]
    fn a_segment_that_holds_nothing_up_may_stand_still_for_ever() {
        let mut stall = Stall::default();
        assert_eq!(stall.ends(None, false, at(0)), None);
        assert_eq!(stall.ends(Some(7), false, at(0)), None);
        assert_eq!(stall.ends(Some(7), true, at(60_000)), Some(at(60_300)));
        // The newer one was taken away again.
        assert_eq!(stall.ends(Some(7), false, at(60_100)), None);
        assert_eq!(stall.ends(Some(7), true, at(60_200)), Some(at(60_500)));
    }
}
