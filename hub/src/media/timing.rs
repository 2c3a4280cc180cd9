//! Decode times from presentation times.
//!
//! RTP carries when a picture is shown, in the order in which pictures are decoded. With B-frames the two orders differ, and a
//! container needs decode times that only grow. [`DecodeClock`] derives them as pictures arrive, without waiting for later
//! ones: the n-th picture of a group gets the n-th smallest presentation time, as far as it is known, less the time by which
//! the stream reorders. Promise: decode times grow strictly, are presentation times for streams without B-frames, and never
//! come after presentation once the stream has shown how far it reorders (some players shift a track otherwise, away from
//! its sound).

/// Longest plausible time between two pictures, in microseconds.
const MAX_STEP_US: i64 = 2_000_000;
/// What is assumed until the stream shows its rate: 15 pictures in a second.
const DEFAULT_STEP_US: i64 = 66_667;
/// H.264 holds back at most 16 pictures (`MaxDpbFrames`).
const MAX_REORDER: usize = 16;

/// When a picture is decoded and for how long it is expected to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Decode time in microseconds.
    pub dts_us: i64,
    /// Presentation time in microseconds.
    pub pts_us: i64,
    /// Nominal duration in microseconds.
    pub duration_us: u32,
}

/// Derives decode times; one for each video track.
#[derive(Clone, Debug)]
pub struct DecodeClock {
    last_dts: Option<i64>,
    /// Presentation times of the group's newest pictures, ascending, at most `MAX_REORDER + 1`.
    newest: Vec<i64>,
    /// The group's first presentation time and how many pictures it has had.
    group: Option<(i64, u32)>,
    /// The most pictures seen so far that are decoded before but shown after another one.
    reorder: usize,
    step_us: i64,
}

impl DecodeClock {
    /// A clock for a stream of about this many pictures in a second.
    pub fn new(nominal_fps: Option<f32>) -> Self {
        let step =
            nominal_fps.filter(|fps| fps.is_finite() && *fps >= 0.5 && *fps <= 1000.0).map_or(DEFAULT_STEP_US, |fps| {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "between 1000 and 2,000,000 as the bounds above say"
                )]
                let step = (1e6 / f64::from(fps)) as i64;
                step
            });
        Self { last_dts: None, newest: Vec::with_capacity(MAX_REORDER + 2), group: None, reorder: 0, step_us: step }
    }

    /// The camera connected anew: the rate is learned again, how far it reorders is remembered, decode times still only grow.
    pub fn reconnect(&mut self, nominal_fps: Option<f32>) {
        *self = Self { last_dts: self.last_dts, reorder: self.reorder, ..Self::new(nominal_fps) };
    }

    /// The timing of the next picture in decode order.
    pub fn next(&mut self, pts_us: i64, key: bool) -> Timing {
        if key {
            self.begin_group(pts_us);
        }
        let later = self.newest.iter().filter(|known| **known > pts_us).count();
        self.reorder = self.reorder.max(later).min(MAX_REORDER);
        let place = self.newest.partition_point(|known| *known <= pts_us);
        self.newest.insert(place, pts_us);
        if self.newest.len() > MAX_REORDER + 1 {
            self.newest.remove(0);
        }
        if let Some((_, pictures)) = &mut self.group {
            *pictures = pictures.saturating_add(1);
        }
        let dts_us = self.decode_time(pts_us, key);
        self.last_dts = Some(dts_us);
        Timing { dts_us, pts_us, duration_us: u32::try_from(self.step_us).unwrap_or(1) }
    }

    fn decode_time(&self, pts_us: i64, key: bool) -> i64 {
        let delay = i64::try_from(self.reorder).unwrap_or(0).saturating_mul(self.step_us);
        let Some(last) = self.last_dts else { return pts_us.saturating_sub(delay) };
        let after = last.saturating_add(1);
        if key || self.reorder == 0 {
            return pts_us.saturating_sub(delay).max(after);
        }
        // Later pictures can only lower the n-th smallest time: the largest known one bounds it from above. Those that were
        // overtaken by no more than `reorder` pictures are final: they bound it from below.
        let upper = self.newest.last().copied().unwrap_or(pts_us);
        let lower = self.newest.len().checked_sub(1 + self.reorder).map_or(i64::MIN, |i| self.newest[i]);
        let next = last.saturating_add(delay).saturating_add(self.step_us);
        let place = next.min(upper).max(lower.saturating_add(1));
        place.saturating_sub(delay).min(pts_us).max(after)
    }

    /// A key frame: everything before it is shown before it. What the last group took tells the rate.
    fn begin_group(&mut self, pts_us: i64) {
        if let Some((first, pictures @ 2..)) = self.group {
            let mean = pts_us.saturating_sub(first) / i64::from(pictures);
            if (1_000..=MAX_STEP_US).contains(&mean) {
                self.step_us = mean;
            }
        }
        self.group = Some((pts_us, 0));
        self.newest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 100_000;

    /// Runs groups given as presentation places in decode order, returns (dts, pts) in places relative to the first group.
    fn run(clock: &mut DecodeClock, groups: &[&[i64]]) -> Vec<Timing> {
        let mut out = Vec::new();
        let mut base = 0;
        for group in groups {
            for (i, place) in group.iter().enumerate() {
                out.push(clock.next((base + place) * STEP, i == 0));
            }
            base += i64::try_from(group.len()).unwrap_or(0);
        }
        out
    }

    fn strictly_grows(timings: &[Timing]) {
        for pair in timings.windows(2) {
            assert!(pair[1].dts_us > pair[0].dts_us, "{pair:?}");
        }
    }

    #[test]
    fn without_b_frames_decode_time_is_presentation_time_even_with_jitter_and_gaps() {
        let mut clock = DecodeClock::new(Some(10.0));
        for (i, pts) in [0, 101_000, 199_000, 900_000, 1_000_000, 1_090_000].into_iter().enumerate() {
            assert_eq!(clock.next(pts, i == 0 || i == 4).dts_us, pts);
        }
    }

    #[test]
    fn one_b_frame_level_gets_the_display_grid() {
        let mut clock = DecodeClock::new(Some(10.0));
        let group: &[i64] = &[0, 3, 1, 2, 6, 4, 5];
        let timings = run(&mut clock, &[group, group, group]);
        strictly_grows(&timings);
        // From the second group on the reordering is known: decode times are exactly the grid, one picture earlier.
        for (place, timing) in timings.iter().enumerate().skip(group.len()) {
            assert_eq!(timing.dts_us, (i64::try_from(place).unwrap_or(0) - 1) * STEP, "picture {place}");
            assert!(timing.pts_us >= timing.dts_us);
        }
    }

    #[test]
    fn a_b_pyramid_stays_monotonic_and_near_its_presentation() {
        let mut clock = DecodeClock::new(Some(10.0));
        let group: &[i64] = &[0, 4, 2, 1, 3, 8, 6, 5, 7];
        let timings = run(&mut clock, &[group, group, group, group]);
        strictly_grows(&timings);
        for (place, timing) in timings.iter().enumerate() {
            assert!((timing.pts_us - timing.dts_us).abs() <= 5 * STEP, "{timing:?}");
            assert!(place < group.len() || timing.pts_us >= timing.dts_us, "{timing:?}");
        }
    }

    #[test]
    fn a_hole_in_the_middle_of_a_reordered_group_heals_within_the_reordering_depth() {
        let mut clock = DecodeClock::new(Some(10.0));
        run(&mut clock, &[&[0, 2, 1, 4, 3]]);
        let mut last = None;
        for place in [5, 7, 6, 37, 36, 39, 38, 41, 40] {
            last = Some(clock.next(place * STEP, place == 5));
        }
        let offset = last.map_or(i64::MAX, |t| t.pts_us - t.dts_us);
        assert!((0..=2 * STEP).contains(&offset), "offset {offset} after the hole");
    }

    #[test]
    fn a_presentation_time_that_steps_back_at_a_key_frame_never_moves_decoding_back() {
        let mut clock = DecodeClock::new(None);
        let timings = run(&mut clock, &[&[0, 1, 2]]);
        let back = clock.next(STEP, true);
        assert!(back.dts_us > timings[2].dts_us);
    }

    #[test]
    fn the_rate_is_learned_from_the_last_group() {
        let mut clock = DecodeClock::new(Some(25.0));
        let timings = run(&mut clock, &[&[0, 1, 2, 3], &[0, 1, 2, 3]]);
        assert_eq!(timings[0].duration_us, 40_000);
        assert_eq!(timings[4].duration_us, 100_000);
    }

    #[test]
    fn absurd_input_neither_panics_nor_stops_the_clock() {
        let mut clock = DecodeClock::new(Some(f32::NAN));
        let mut last = i64::MIN;
        for (i, pts) in [0, i64::MAX, i64::MIN, 5, i64::MAX - 1, -7].into_iter().enumerate() {
            let timing = clock.next(pts, i % 3 == 0);
            assert!(timing.dts_us > last || timing.dts_us == i64::MAX);
            last = timing.dts_us;
        }
    }
}
