//! One continuous presentation time out of a camera's RTP timestamps, whatever the camera's clock does.
//!
//! Cameras step their clock with SNTP, start at rubbish (UniFi Protect, retina#64) or jump an hour. The recording must not: a jump
//! is replaced by the time that really passed. Small steps back are B-frames and stay.

/// A step back by more than this is a jump, not reordering: sixteen reordered pictures at 5 per second.
const MAX_REORDER_US: i64 = 3_000_000;
/// A step forward by this much more than the time that passed is a jump.
const MAX_LEAP_US: i64 = 5_000_000;
/// The camera's clock may run away from ours by so much before it is set right: 20 ppm need six weeks for it.
const MAX_DRIFT_US: i64 = 60_000_000;

/// Turns one track's RTP timestamps into presentation time. All tracks of a connection share its start instant, which is what
/// keeps sound and picture together.
#[derive(Debug)]
pub struct TimelineAnchor {
    ticks_per_second: i64,
    start_mono_us: u64,
    last: Option<Last>,
    jumps: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    ticks: i64,
    pts_us: i64,
    highest_us: i64,
    mono_us: u64,
    /// presentation time = ticks as time + this.
    offset_us: i64,
}

impl TimelineAnchor {
    /// An anchor for a track with this RTP clock, of a connection whose first packet came at `start_mono_us`.
    pub fn new(ticks_per_second: u32, start_mono_us: u64) -> Self {
        Self { ticks_per_second: i64::from(ticks_per_second.max(1)), start_mono_us, last: None, jumps: 0 }
    }

    /// The presentation time of a unit with this (unwrapped) RTP timestamp that arrived at `mono_us`.
    pub fn place(&mut self, ticks: i64, mono_us: u64) -> i64 {
        let arrival_us = i64::try_from(mono_us.saturating_sub(self.start_mono_us)).unwrap_or(i64::MAX / 4);
        let (pts_us, offset_us, highest_us) = match self.last {
            None => (arrival_us, arrival_us.saturating_sub(self.micros(ticks)), arrival_us),
            Some(last) => {
                let pts_us = self.micros(ticks).saturating_add(last.offset_us);
                let passed = i64::try_from(mono_us.saturating_sub(last.mono_us)).unwrap_or(i64::MAX / 4);
                let step = pts_us.saturating_sub(last.pts_us);
                let below_highest = last.highest_us.saturating_sub(pts_us);
                let jumped = below_highest > MAX_REORDER_US
                    || step > passed.saturating_add(MAX_LEAP_US)
                    || pts_us.saturating_sub(arrival_us).saturating_abs() > MAX_DRIFT_US;
                if jumped {
                    self.jumps += 1;
                    // Real time goes on from the latest picture shown; never back, never standing still.
                    let pts_us = last.highest_us.saturating_add(passed.clamp(1_000, MAX_DRIFT_US)).max(
                        // After a drift set right, return to the time of arrival if that is not back.
                        if arrival_us > last.highest_us { arrival_us } else { i64::MIN },
                    );
                    (pts_us, pts_us.saturating_sub(self.micros(ticks)), pts_us)
                } else {
                    (pts_us, last.offset_us, last.highest_us.max(pts_us))
                }
            }
        };
        self.last = Some(Last { ticks, pts_us, highest_us, mono_us, offset_us });
        pts_us
    }

    /// How often the clock jumped.
    pub fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The last timestamp placed.
    pub fn last_ticks(&self) -> Option<i64> {
        self.last.map(|last| last.ticks)
    }

    fn micros(&self, ticks: i64) -> i64 {
        let micros = i128::from(ticks) * 1_000_000 / i128::from(self.ticks_per_second);
        i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 90_000;

    fn regular(anchor: &mut TimelineAnchor, from_tick: i64, from_us: u64, frames: u64) -> Vec<i64> {
        (0..frames).map(|i| anchor.place(from_tick + i as i64 * 6_000, from_us + i * 66_667)).collect()
    }

    fn steps(pts: &[i64]) -> Vec<i64> {
        pts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn a_regular_clock_is_followed_to_the_tick() {
        let mut anchor = TimelineAnchor::new(90_000, 1_000_000);
        let pts = regular(&mut anchor, 123 * SECOND, 1_000_000, 50);
        assert_eq!(pts[0], 0);
        assert!(steps(&pts).iter().all(|step| (66_666..=66_667).contains(step)), "{pts:?}");
        assert_eq!(anchor.jumps(), 0);
    }

    #[test]
    fn a_jump_of_an_hour_either_way_is_bridged_with_the_time_that_passed() {
        for jump in [3600 * SECOND, -3600 * SECOND] {
            let mut anchor = TimelineAnchor::new(90_000, 0);
            let mut pts = regular(&mut anchor, 7000 * SECOND, 0, 20);
            pts.extend(regular(&mut anchor, 7000 * SECOND + 20 * 6_000 + jump, 20 * 66_667, 20));
            assert!(steps(&pts).iter().all(|step| (66_000..=67_400).contains(step)), "{pts:?}");
            assert_eq!(anchor.jumps(), 1);
        }
    }

    #[test]
    fn reordered_pictures_keep_their_order() {
        let mut anchor = TimelineAnchor::new(90_000, 0);
        // I B B P in decode order I P B B
        let shown = [0i64, 3, 1, 2, 6, 4, 5, 9, 7, 8];
        let pts: Vec<i64> =
            shown.iter().enumerate().map(|(i, slot)| anchor.place(1000 + slot * 9_000, i as u64 * 100_000)).collect();
        assert_eq!(pts, shown.map(|slot| slot * 100_000));
        assert_eq!(anchor.jumps(), 0);
    }

    #[test]
    fn a_stalled_network_is_not_a_jump() {
        let mut anchor = TimelineAnchor::new(90_000, 0);
        anchor.place(0, 0);
        // 3.5 s nothing, then everything at once
        let pts: Vec<i64> = (1..60).map(|i| anchor.place(i * 6_000, 3_500_000 + i as u64 * 10)).collect();
        assert_eq!(pts[0], 66_666);
        assert_eq!(anchor.jumps(), 0);
    }

    #[test]
    fn a_clock_at_twice_the_speed_is_set_right_now_and_then() {
        let mut anchor = TimelineAnchor::new(90_000, 0);
        let pts: Vec<i64> = (0..3000).map(|i| anchor.place(i * 12_000, i as u64 * 66_667)).collect();
        assert!(anchor.jumps() > 0);
        assert!(pts.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn sound_and_picture_share_a_start() {
        let mut video = TimelineAnchor::new(90_000, 500);
        let mut audio = TimelineAnchor::new(16_000, 500);
        assert_eq!(video.place(77 * SECOND, 500), 0);
        assert_eq!(audio.place(3, 40_500), 40_000);
    }

    #[test]
    fn wild_timestamps_never_overflow() {
        let mut anchor = TimelineAnchor::new(1, 0);
        for (i, ticks) in [0, i64::MAX, i64::MIN, 5, i64::MAX, -1].into_iter().enumerate() {
            let pts = anchor.place(ticks, i as u64 * 1000);
            assert!((0..1_000_000_000).contains(&pts), "{pts}");
        }
    }
}
