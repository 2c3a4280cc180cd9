//! The substream's pictures on the main stream's time. Both have clocks of their own that start anywhere; what they share is the
//! moment at which a picture arrives. Pure.

use super::anchor::TimelineAnchor;

/// The substream may be so far behind before the two are brought together again: a network that stutters is not a clock that
/// jumped.
const MAX_BEHIND_US: i64 = 1_000_000;
/// For so long.
const PATIENCE_US: u64 = 3_000_000;
/// It may be so far ahead: no picture shows what is still to come, so the first one, which the rest hangs on, came late.
const MAX_AHEAD_US: i64 = 300_000;
/// For so long: when the main stream stuttered, it seems so for a moment.
const DOUBT_US: u64 = 1_000_000;

/// What the main stream shows now: its latest presentation time and when that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MainClock {
    latest: Option<(i64, u64)>,
}

impl MainClock {
    /// A unit of the main stream arrived at `mono_us`. With B-frames only those that show later than all before count.
    pub fn tick(&mut self, pts_us: i64, mono_us: u64) {
        if self.latest.is_none_or(|(latest, _)| pts_us > latest) {
            self.latest = Some((pts_us, mono_us));
        }
    }

    /// The presentation time that belongs to `mono_us`; `None` before the first unit.
    pub fn at(&self, mono_us: u64) -> Option<i64> {
        let (pts_us, at) = self.latest?;
        let passed = i64::try_from(mono_us).ok()?.checked_sub(i64::try_from(at).ok()?)?;
        Some(pts_us.saturating_add(passed))
    }
}

/// Places the substream's RTP timestamps on the main stream's presentation time.
#[derive(Debug, Default)]
pub struct Alignment {
    /// The anchor, and what its start is on the main stream's time.
    anchor: Option<(TimelineAnchor, i64)>,
    behind_since: Option<u64>,
    ahead_since: Option<u64>,
}

impl Alignment {
    /// The main stream's time of a picture with this (unwrapped) RTP timestamp that arrived at `mono_us`, when the main stream's
    /// time was `main_us`.
    pub fn place(&mut self, ticks: i64, mono_us: u64, main_us: i64) -> i64 {
        let pts_us = match &mut self.anchor {
            Some((anchor, start_us)) => anchor.place(ticks, mono_us).saturating_add(*start_us),
            None => return self.begin(ticks, mono_us, main_us),
        };
        let ahead_us = pts_us.saturating_sub(main_us);
        let behind = lasts(&mut self.behind_since, ahead_us < -MAX_BEHIND_US, mono_us, PATIENCE_US);
        let ahead = lasts(&mut self.ahead_since, ahead_us > MAX_AHEAD_US, mono_us, DOUBT_US);
        if behind || ahead { self.begin(ticks, mono_us, main_us) } else { pts_us }
    }

    fn begin(&mut self, ticks: i64, mono_us: u64, main_us: i64) -> i64 {
        (self.behind_since, self.ahead_since) = (None, None);
        let mut anchor = TimelineAnchor::new(90_000, mono_us);
        let pts_us = anchor.place(ticks, mono_us).saturating_add(main_us);
        self.anchor = Some((anchor, main_us));
        pts_us
    }
}

/// Whether it is so, and has been for longer than `long_us`.
fn lasts(since: &mut Option<u64>, is: bool, now_us: u64, long_us: u64) -> bool {
    if !is {
        *since = None;
        return false;
    }
    now_us.saturating_sub(*since.get_or_insert(now_us)) > long_us
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_streams_time_goes_on_between_its_units() {
        let mut clock = MainClock::default();
        assert_eq!(clock.at(5), None);
        clock.tick(1_000_000, 50_000_000);
        clock.tick(900_000, 50_010_000);
        assert_eq!(clock.at(50_040_000), Some(1_040_000), "a B-frame does not set it back");
        assert_eq!(clock.at(49_990_000), Some(990_000));
    }

    #[test]
    fn a_picture_gets_the_time_at_which_the_main_stream_showed_it_and_the_cameras_steps() {
        let mut alignment = Alignment::default();
        // 66.7 ms of camera time a picture, while arrival jitters by up to 30 ms.
        let placed: Vec<i64> = (0..30)
            .map(|i| {
                let jitter = (i * 7 % 30) * 1000;
                let mono = 9_000_000 + i * 66_667 + jitter;
                alignment.place(777 + i as i64 * 6_000, mono, 4_000_000 + (mono - 9_000_000) as i64)
            })
            .collect();
        assert_eq!(placed[0], 4_000_000);
        assert!(placed.windows(2).all(|pair| (66_666..=66_667).contains(&(pair[1] - pair[0]))), "{placed:?}");
    }

    #[test]
    fn a_clock_that_runs_away_is_brought_back_and_a_stutter_is_not() {
        let mut alignment = Alignment::default();
        let mut run = |from: i64, count: i64, ahead: i64| -> Vec<i64> {
            (from..from + count)
                .map(|i| {
                    let (ticks, mono) = (i * 6_000 + ahead * 90_000, 1_000_000 + i as u64 * 66_667);
                    alignment.place(ticks, mono, i * 66_667) - i * 66_667
                })
                .collect()
        };
        assert!(run(0, 30, 0).iter().all(|apart| apart.abs() < 100));
        let apart = run(30, 30, -2);
        assert!(
            apart.iter().all(|apart| (apart + 2_000_000).abs() < 1_000),
            "two seconds behind for two seconds: {apart:?}"
        );
        assert!(run(60, 10, 0).iter().all(|apart| apart.abs() < 1_000), "it was a stutter");
        let apart = run(70, 60, -2);
        assert!(apart.last().is_some_and(|apart| apart.abs() < 1_000), "brought together: {apart:?}");
    }

    #[test]
    fn no_picture_is_of_the_future_for_long_because_the_first_one_came_late() {
        let mut alignment = Alignment::default();
        // The first one is shown 500 ms after it was taken, all others at once.
        let ahead: Vec<i64> = (0..60)
            .map(|i| {
                let late = if i == 0 { 500_000 } else { 0 };
                let mono = 9_000_000 + i * 66_667 + late;
                let main = 4_000_000 + (mono - 9_000_000) as i64;
                alignment.place(777 + i as i64 * 6_000, mono, main) - main
            })
            .collect();
        assert!(ahead[1..10].iter().all(|ahead| (400_000..600_000).contains(ahead)), "not at once: {ahead:?}");
        assert!(ahead[25..].iter().all(|ahead| ahead.abs() < 1_000), "brought together: {ahead:?}");
    }

    #[test]
    fn a_main_stream_that_stutters_moves_nothing() {
        let mut alignment = Alignment::default();
        let ahead: Vec<i64> = (0..90)
            .map(|i| {
                // For 600 ms the main stream's clock is read two seconds too early.
                let stutter = if (30..39).contains(&i) { 2_000_000 } else { 0 };
                let main = i as i64 * 66_667;
                alignment.place(i as i64 * 6_000, 1_000_000 + i * 66_667, main - stutter) - main
            })
            .collect();
        assert!(ahead.iter().all(|ahead| ahead.abs() < 1_000), "{ahead:?}");
    }
}
