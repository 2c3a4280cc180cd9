//! Pictures and their time in, verdicts out; pure, so that a simulated night takes a second.
//!
//! A small picture is compared with the one about 200 ms before it (no ghosts after something left) and with a slow background
//! (what stands still is still there). A pixel has changed when the difference is beyond its own noise. Changed pixels are put
//! into cells of 2x2, cells that touch are one thing, and the largest thing counts. A change of the whole picture in one direction
//! is light, not motion (sign-balance gate). Figures: `docs/design/0006-camera-worker.md`.

use std::collections::VecDeque;

use super::MotionSettings;
use super::scale::Small;

/// The age of the picture that is compared with.
const LAG_US: i64 = 180_000;
/// Pictures kept for that.
const MAX_HISTORY: usize = 16;
/// The background takes a change over in about this time.
const BACKGROUND_US: i64 = 20_000_000;
/// What stands out for so long has become part of the scene: a parked car.
const ABSORB_US: i64 = 60_000_000;
/// A pixel's noise is averaged over about this time.
const NOISE_US: i64 = 8_000_000;
/// No verdict before the background knows something.
const WARM_UP_US: i64 = 1_000_000;
/// After a light change the camera's exposure still moves.
const LIGHT_US: i64 = 1_000_000;
/// Active until so long after the last motion.
const HOLD_US: i64 = 2_000_000;
/// What stands still keeps a clip going for so long at most.
const LOITER_US: i64 = 20_000_000;
/// More than this part of the picture, nearly all in one direction, is light.
const LIGHT_AREA: f32 = 0.25;
const LIGHT_BALANCE: f32 = 0.75;
/// More than this part of the picture in whatever direction is the camera itself: moved, or switched to infrared.
const UPHEAVAL_AREA: f32 = 0.7;
/// Of three pictures, so many must show motion.
const ONSET: u32 = 2;
/// Fixed point: levels times this.
const ONE: i32 = 256;

/// What the detector says of one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Square root of the largest moving thing's part of the picture.
    pub score: f32,
    /// Part of the picture that moves.
    pub area: f32,
    /// With hysteresis: something moves.
    pub active: bool,
    /// The light changed; nothing is said about motion.
    pub light: bool,
}

/// Finds motion in a run of small pictures.
#[derive(Debug)]
pub struct Detector {
    threshold: i32,
    min_cells: u32,
    size: (usize, usize),
    history: VecDeque<(i64, Vec<u8>)>,
    /// Background level of each pixel, fixed point.
    background: Vec<i32>,
    /// Mean absolute difference of each pixel from picture to picture, fixed point.
    noise: Vec<i32>,
    cells: Cells,
    /// Since when each cell stands out from the background.
    standing: Vec<Option<i64>>,
    started_us: i64,
    light_until_us: i64,
    /// The last three pictures, newest in the lowest bit.
    onset: u32,
    active: bool,
    last_motion_us: i64,
    last_fast_us: i64,
}

impl Detector {
    /// A detector that knows nothing yet.
    pub fn new(settings: &MotionSettings) -> Self {
        let step = f32::from(settings.sensitivity.clamp(1, 10)) - 5.0;
        Self {
            threshold: (14.0 * 1.12_f32.powf(-step) * ONE as f32) as i32,
            min_cells: (4.0 * 2.0_f32.powf(-step / 2.0)).round().max(2.0) as u32,
            size: (0, 0),
            history: VecDeque::new(),
            background: Vec::new(),
            noise: Vec::new(),
            cells: Cells::default(),
            standing: Vec::new(),
            started_us: 0,
            light_until_us: i64::MIN,
            onset: 0,
            active: false,
            last_motion_us: i64::MIN / 2,
            last_fast_us: i64::MIN / 2,
        }
    }

    /// Looks at the next picture. Time must not go back; if it does, or the size changes, everything starts anew.
    pub fn look(&mut self, picture: &Small, pts_us: i64) -> Verdict {
        let went_back = self.history.back().is_some_and(|(last, _)| pts_us <= *last);
        if self.size != (picture.width, picture.height) || went_back {
            self.begin(picture, pts_us);
            return Verdict::default();
        }
        if picture.pixels.is_empty() {
            return Verdict::default();
        }
        let before = self.history.iter().rev().find(|(at, _)| pts_us - at >= LAG_US).or(self.history.front());
        let Some((before_us, before)) = before else { return Verdict::default() };
        let passed = pts_us - self.history.back().map_or(*before_us, |(last, _)| *last);
        let changes = self.cells.fill(
            picture,
            &Compared { before, background: &self.background, noise: &self.noise, threshold: self.threshold },
        );
        let pixels = picture.pixels.len() as f32;
        let area = changes.total() as f32 / pixels;
        let light = (area > LIGHT_AREA && changes.balance() > LIGHT_BALANCE) || area > UPHEAVAL_AREA;
        let before = before.clone();
        let verdict = if light {
            self.light_until_us = pts_us + LIGHT_US;
            self.forget_levels(picture);
            self.onset = 0;
            Verdict { light, active: self.is_active(pts_us, 0, 0), ..Verdict::default() }
        } else if pts_us < self.light_until_us || pts_us - self.started_us < WARM_UP_US {
            self.cells.marks.fill(0);
            self.learn(picture, &before, pts_us, passed.min(200_000) * 8);
            Verdict { active: self.is_active(pts_us, 0, 0), ..Verdict::default() }
        } else {
            let (fast, slow) = (self.cells.largest(FAST), self.cells.largest(FAST | SLOW));
            self.learn(picture, &before, pts_us, passed);
            let fast = if fast >= self.min_cells { fast } else { 0 };
            let slow = if slow >= self.min_cells * 2 { slow } else { 0 };
            let active = self.is_active(pts_us, fast, slow);
            let part = |cells: u32| (cells as f32 * CELL_PIXELS / pixels).min(1.0);
            let shown = if active { fast.max(slow) } else { fast };
            Verdict { score: part(shown).sqrt(), area: if shown == 0 { 0.0 } else { area.min(1.0) }, active, light }
        };
        self.remember(picture, pts_us);
        verdict
    }

    fn begin(&mut self, picture: &Small, pts_us: i64) {
        self.size = (picture.width, picture.height);
        self.history.clear();
        self.noise.clear();
        self.noise.resize(picture.pixels.len(), 2 * ONE);
        self.forget_levels(picture);
        self.started_us = pts_us;
        self.light_until_us = i64::MIN;
        self.onset = 0;
        self.active = false;
        self.remember(picture, pts_us);
    }

    /// The background is what there is now.
    fn forget_levels(&mut self, picture: &Small) {
        self.background.clear();
        self.background.extend(picture.pixels.iter().map(|&p| i32::from(p) * ONE));
        self.standing.clear();
        self.standing.resize(picture.width.div_ceil(2) * picture.height.div_ceil(2), None);
    }

    fn remember(&mut self, picture: &Small, pts_us: i64) {
        let mut kept = if self.history.len() >= MAX_HISTORY {
            self.history.pop_front().map(|(_, pixels)| pixels).unwrap_or_default()
        } else {
            Vec::new()
        };
        picture.pixels.clone_into(&mut kept);
        self.history.push_back((pts_us, kept));
        while self.history.get(1).is_some_and(|(at, _)| pts_us - at >= LAG_US) {
            self.history.pop_front();
        }
    }

    /// Background and noise move towards the picture, by the time that passed. What stands out is left alone, or it would leave a
    /// ghost when it goes; until it has stood so long that it belongs there.
    fn learn(&mut self, picture: &Small, before: &[u8], pts_us: i64, passed_us: i64) {
        let rate = |over: i64| i32::try_from(passed_us * 65_536 / over).unwrap_or(65_536).clamp(16, 32_768);
        let (background_rate, noise_rate) = (rate(BACKGROUND_US), rate(NOISE_US));
        let towards =
            |from: &mut i32, to: i32, rate: i32| *from += ((i64::from(to - *from) * i64::from(rate)) >> 16) as i32;
        for (mark, since) in self.cells.marks.iter().zip(&mut self.standing) {
            *since = if mark & SLOW == 0 { None } else { since.or(Some(pts_us)) };
        }
        let levels = self.background.iter_mut().zip(&mut self.noise);
        for (i, ((level, noise), (&now, &then))) in levels.zip(picture.pixels.iter().zip(before)).enumerate() {
            let cell = i / picture.width / 2 * self.cells.wide + i % picture.width / 2;
            let (mark, since) = (self.cells.marks[cell], self.standing[cell]);
            let now = i32::from(now) * ONE;
            match since {
                None if mark & FAST == 0 => towards(level, now, background_rate),
                Some(since) if pts_us - since > ABSORB_US => *level = now,
                _ => {}
            }
            if mark & FAST == 0 {
                towards(noise, (now - i32::from(then) * ONE).abs(), noise_rate);
            }
        }
    }

    /// Hysteresis: motion in two of three pictures starts it; motion, or something that stands where nothing stood, keeps it.
    fn is_active(&mut self, pts_us: i64, fast: u32, slow: u32) -> bool {
        self.onset = (self.onset << 1 | u32::from(fast > 0)) & 0b111;
        if fast > 0 {
            self.last_fast_us = pts_us;
        }
        let stays = self.active && slow > 0 && pts_us - self.last_fast_us < LOITER_US;
        if fast > 0 || stays {
            self.last_motion_us = pts_us;
        }
        self.active =
            if self.active { pts_us - self.last_motion_us < HOLD_US } else { self.onset.count_ones() >= ONSET };
        self.active
    }
}

struct Compared<'a> {
    before: &'a [u8],
    background: &'a [i32],
    noise: &'a [i32],
    threshold: i32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Changes {
    brighter: u32,
    darker: u32,
}

impl Changes {
    fn total(self) -> u32 {
        self.brighter + self.darker
    }

    fn balance(self) -> f32 {
        self.brighter.abs_diff(self.darker) as f32 / self.total().max(1) as f32
    }
}

const FAST: u8 = 1;
const SLOW: u8 = 2;
const SEEN: u8 = 4;
const CELL_PIXELS: f32 = 4.0;

/// Cells of 2x2 pixels.
#[derive(Debug, Default)]
struct Cells {
    wide: usize,
    high: usize,
    marks: Vec<u8>,
    stack: Vec<usize>,
}

impl Cells {
    /// Marks the cells of which at least half has changed.
    fn fill(&mut self, picture: &Small, compared: &Compared<'_>) -> Changes {
        (self.wide, self.high) = (picture.width.div_ceil(2), picture.height.div_ceil(2));
        self.marks.clear();
        self.marks.resize(self.wide * self.high, 0);
        // A slow change of exposure moves all levels alike.
        let drift =
            mean_shift(picture.pixels.iter().zip(compared.before).map(|(&n, &b)| (i32::from(n) - i32::from(b)) * ONE));
        let slow_drift =
            mean_shift(picture.pixels.iter().zip(compared.background).map(|(&n, &b)| i32::from(n) * ONE - b));
        let mut changes = Changes::default();
        for (i, &now) in picture.pixels.iter().enumerate() {
            let now = i32::from(now) * ONE;
            let bar = compared.threshold.max(compared.noise[i] * 5);
            let raw = now - i32::from(compared.before[i]) * ONE;
            if raw > bar {
                changes.brighter += 1;
            } else if raw < -bar {
                changes.darker += 1;
            }
            let fast = (raw - drift).abs() > bar;
            let slow = (now - compared.background[i] - slow_drift).abs() > bar + bar / 4;
            if fast || slow {
                // Two counters of three bits in one byte.
                let cell = i / picture.width / 2 * self.wide + i % picture.width / 2;
                self.marks[cell] += u8::from(fast) | u8::from(slow) << 4;
            }
        }
        for mark in &mut self.marks {
            *mark = if *mark & 0xf >= 2 { FAST } else { 0 } | if *mark >> 4 >= 2 { SLOW } else { 0 };
        }
        changes
    }

    /// Cells of the largest thing made of cells with one of these marks; with [`SLOW`], only things that stand out slowly count.
    fn largest(&mut self, marks: u8) -> u32 {
        let mut largest = 0;
        for start in 0..self.marks.len() {
            if self.marks[start] & marks == 0 || self.marks[start] & SEEN != 0 {
                continue;
            }
            let mut size = 0;
            self.marks[start] |= SEEN;
            self.stack.push(start);
            while let Some(cell) = self.stack.pop() {
                size += 1;
                let (x, y) = (cell % self.wide, cell / self.wide);
                for ny in y.saturating_sub(1)..(y + 2).min(self.high) {
                    for nx in x.saturating_sub(1)..(x + 2).min(self.wide) {
                        let next = ny * self.wide + nx;
                        if self.marks[next] & marks != 0 && self.marks[next] & SEEN == 0 {
                            self.marks[next] |= SEEN;
                            self.stack.push(next);
                        }
                    }
                }
            }
            largest = largest.max(size);
        }
        for mark in &mut self.marks {
            *mark &= !SEEN;
        }
        largest
    }
}

/// The change that the whole picture shares; single large changes count little.
fn mean_shift(differences: impl ExactSizeIterator<Item = i32>) -> i32 {
    let count = differences.len().max(1) as i64;
    let sum: i64 = differences.map(|difference| i64::from(difference.clamp(-12 * ONE, 12 * ONE))).sum();
    i32::try_from(sum / count).unwrap_or(0)
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
