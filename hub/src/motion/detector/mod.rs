//! Pictures and their time in, verdicts out; pure, so that a simulated night takes a second.
//!
//! A small picture is compared with the one about 200 ms before it (no ghosts after something left) and with a slow background
//! (what stands still is still there). A pixel has changed when the difference is beyond its own noise (`levels`). Changed pixels
//! are put into `cells` of 2x2, cells that touch are one thing, and the largest thing in each of the `zones` counts. A change of
//! the whole picture is light or the camera, not motion (`gates`). Page: `docs/design/0009-motion.md`.

use std::collections::VecDeque;

use super::MotionSettings;
use super::ration::Motion;
use super::scale::Small;
use crate::source::{HEAT_FIELDS, Tamper};

mod cells;
mod gates;
mod heat;
mod levels;
mod standing;
mod tamper;
mod zones;

use cells::{CELL_PIXELS, Cells, Largest};
use gates::Neighbourhood;
use levels::{Bar, Before, FAST, Levels, ONE, SLOW};
use standing::Standing;
use zones::{Hold, Patience, ZoneMap};

/// The age of the picture that is compared with.
const LAG_US: i64 = 180_000;
/// Pictures kept for that.
const MAX_HISTORY: usize = 16;
/// No verdict before the background knows something.
const WARM_UP_US: i64 = 1_000_000;
/// After a light change the camera's exposure still moves.
const LIGHT_US: i64 = 1_000_000;
/// A thing so many times as large as the least needs no second picture.
const PLAIN: u32 = 4;
/// A thing is so many times as large as what is scattered all over the picture, or it belongs to it ...
const BESIDE_SCATTERED: f32 = 3.5;
/// ... unless it is so many times as large as the least.
const MOST_SCATTERED: u32 = 10;
/// What was scattered is forgotten over this time.
const SCATTER_US: f32 = 10_000_000.0;
/// A thing over this part of the picture may be about to cover the lens.
const SWEEP_AREA: f32 = 0.25;
/// A camera that shook may still sway.
const SHAKE_US: i64 = 1_000_000;

/// What the detector says of one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Square root of the largest moving thing's part of the picture.
    pub score: f32,
    /// Part of the picture that moves.
    pub area: f32,
    /// With hysteresis: something moves in one of the zones.
    pub active: bool,
    /// It is active only because something moved a moment ago; this picture shows nothing.
    pub held: bool,
    /// The light changed; nothing is said about motion.
    pub light: bool,
    /// The camera shakes; only what a shake does not explain counts.
    pub shaken: bool,
    /// Zones in which something moves, with hysteresis: bit `n` is the `n`-th; without zones the whole frame is bit 0.
    pub zones: u32,
    /// Where it moves; only while something does.
    pub heat: Option<Box<[u8; HEAT_FIELDS]>>,
    /// The view was taken away: said once.
    pub tamper: Option<Tamper>,
}

impl Verdict {
    /// What decoding is told of it.
    pub fn motion(&self) -> Motion {
        match (self.active, self.held) {
            (true, false) => Motion::Seen,
            (true, true) => Motion::Held,
            (false, _) => Motion::None,
        }
    }

    /// Whether one picture alone gives reason to look at those before and after it: something moves, or the picture changed as a
    /// whole, which pictures closer to each other tell apart.
    pub fn is_suspicious(&self) -> bool {
        self.light || (!self.held && (self.active || self.score > 0.0))
    }
}

/// Finds motion in a run of small pictures.
#[derive(Clone, Debug)]
pub struct Detector {
    settings: MotionSettings,
    bar: Bar,
    patience: Patience,
    size: (usize, usize),
    history: VecDeque<(i64, Vec<u8>)>,
    levels: Levels,
    cells: Cells,
    zones: ZoneMap,
    /// 0 where a mask lies, 255 elsewhere.
    open: Vec<u8>,
    open_pixels: f32,
    holds: Vec<Hold>,
    neighbourhood: Neighbourhood,
    held: Vec<u8>,
    standing: Standing,
    /// The size of what is scattered all over the picture, in cells.
    scattered: f32,
    watch: tamper::Watch,
    started_us: i64,
    light_until_us: i64,
    shake_until_us: i64,
}

impl Detector {
    /// A detector that knows nothing yet.
    pub fn new(settings: &MotionSettings) -> Self {
        let expert = &settings.expert;
        let threshold = expert.threshold.unwrap_or(settings.sensitivity.threshold()).clamp(1.0, 255.0);
        let noise_factor = expert.noise_factor.unwrap_or(5.0).clamp(1.0, 50.0);
        Self {
            bar: Bar { threshold: (threshold * ONE as f32) as i32, noise_factor: (noise_factor * 16.0) as i32 },
            patience: Patience::of(settings),
            settings: settings.clone(),
            size: (0, 0),
            history: VecDeque::new(),
            levels: Levels::default(),
            cells: Cells::default(),
            zones: ZoneMap::default(),
            open: Vec::new(),
            open_pixels: 1.0,
            holds: Vec::new(),
            neighbourhood: Neighbourhood::default(),
            held: Vec::new(),
            standing: Standing::default(),
            scattered: 0.0,
            watch: tamper::Watch::default(),
            started_us: 0,
            light_until_us: i64::MIN,
            shake_until_us: i64::MIN,
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
        let index = self.history.iter().rposition(|(at, _)| pts_us - at >= LAG_US).unwrap_or(0);
        let Some((before_us, before)) = self.history.get_mut(index).map(|(at, before)| (*at, std::mem::take(before)))
        else {
            return Verdict::default();
        };
        let passed = pts_us - self.history.back().map_or(before_us, |(last, _)| *last);
        let mut verdict = self.judge(picture, &before, pts_us, passed);
        if let Some((_, place)) = self.history.get_mut(index) {
            *place = before;
        }
        verdict.tamper = self.tampered(picture, pts_us, verdict.active);
        self.remember(picture, pts_us);
        verdict
    }

    fn judge(&mut self, picture: &Small, before: &[u8], pts_us: i64, passed_us: i64) -> Verdict {
        let as_it_was = Before { low: before, high: before };
        let changes = self.levels.compare(&picture.pixels, as_it_was, &self.open, self.bar);
        self.cells.fill(&self.levels.flags, picture.width);
        let area = changes.total() as f32 / self.open_pixels;
        let moving = self.cells.count(FAST);
        let spread = if area > 0.02 { heat::touched(&heat::heat(&self.cells, |_| true)) } else { 0.0 };
        let hidden = || gates::is_hidden(&picture.pixels, before, &self.levels.flags);
        if gates::is_light(changes, area, spread, hidden) {
            self.light_until_us = pts_us + LIGHT_US;
            self.forget_levels(picture);
            let (active, zones) = self.interrupted(pts_us);
            return Verdict { light: true, active, zones, ..Verdict::default() };
        }
        if pts_us < self.light_until_us || pts_us - self.started_us < WARM_UP_US {
            self.cells.clear();
            self.learn(picture, before, passed_us.min(200_000) * 8);
            let (active, zones) = self.interrupted(pts_us);
            return Verdict { active, zones, ..Verdict::default() };
        }
        let mut fast = self.cells.largest(FAST, &self.zones);
        let everywhere = spread > gates::SHAKE_SPREAD;
        let suspected = everywhere || fast.blocks >= gates::SHAKE_BLOCKS;
        let as_marked = self.cells.marks.clone();
        let shaken = self.shake(picture, before, pts_us, suspected, moving);
        if shaken {
            let left = self.cells.largest(FAST, &self.zones);
            // What a small shake would explain may be rain as well.
            let scattered = if everywhere { left.scattered } else { fast.scattered };
            fast = Largest { scattered, ..left };
        }
        let slow = self.cells.largest(FAST | SLOW, &self.zones);
        if shaken && !everywhere {
            // Somebody's slow steps may look like a small shake: the background does not learn them.
            self.cells.marks = as_marked;
        }
        self.standing.see(&picture.pixels, picture.width, &self.cells, &mut self.levels, passed_us);
        self.learn(picture, before, passed_us);
        if slow.whole as f32 >= self.cells.marks.len() as f32 * SWEEP_AREA {
            self.watch.swept(pts_us);
        }
        let scattered = self.scatter(fast.scattered, passed_us);
        let least = self.zones.least.iter().min().map_or(u32::MAX, |least| least * PLAIN);
        let waits = self.holds.iter().any(|hold| !hold.active);
        let plain = waits && !shaken && fast.whole >= least && !self.is_explained(picture, before);
        let (mut zones, mut any_fast) = (0, false);
        for (place, (hold, &least)) in self.holds.iter_mut().zip(&self.zones.least).enumerate() {
            let bar = least.max(scattered.min(least * MOST_SCATTERED));
            let (is_fast, is_slow) = (fast.of_zone[place] >= bar, slow.of_zone[place] >= bar * 2);
            let is_plain = plain && scattered < least && fast.of_zone[place] >= least * PLAIN;
            hold.see(pts_us, is_fast, is_slow, is_plain, self.patience);
            any_fast |= is_fast;
            zones |= u32::from(hold.active) << place;
        }
        let active = zones != 0;
        let held = active && !any_fast && !self.holds.iter().any(|hold| hold.moved_at(pts_us));
        let shown = match (any_fast, active) {
            (true, true) => fast.whole.max(slow.whole),
            (true, false) => fast.whole,
            (false, true) => slow.whole,
            (false, false) => 0,
        };
        let pixels = picture.pixels.len() as f32;
        let score = (shown as f32 * CELL_PIXELS / pixels).min(1.0).sqrt();
        let zone_of = &self.zones.of_cell;
        let heat = active.then(|| heat::heat(&self.cells, |cell| zone_of.get(cell).is_some_and(|&of| of != 0)));
        let area = if shown == 0 { 0.0 } else { area.min(1.0) };
        Verdict { score, area, active, held, light: false, shaken, zones, heat, tamper: None }
    }

    /// When it moves in many places at once (`suspected`), or did a moment ago: if most of that is explained by each pixel having
    /// come from nearby, the camera shook, and only the rest stays marked.
    fn shake(&mut self, picture: &Small, before: &[u8], pts_us: i64, suspected: bool, moving: u32) -> bool {
        if !suspected && pts_us >= self.shake_until_us {
            return false;
        }
        self.neighbourhood.of(before, picture.width);
        let nearby = Before { low: &self.neighbourhood.low, high: &self.neighbourhood.high };
        self.levels.compare(&picture.pixels, nearby, &self.open, self.bar);
        let as_marked = std::mem::take(&mut self.cells.marks);
        self.cells.fill(&self.levels.flags, picture.width);
        let left = self.cells.count(FAST);
        if left as f32 <= moving as f32 * gates::SHAKE_LEFT {
            if suspected {
                self.shake_until_us = pts_us + SHAKE_US;
            }
            return true;
        }
        self.cells.marks = as_marked;
        false
    }

    /// Whether light, or a camera that moved by a pixel or two, may be why something seems to have come: a second picture tells.
    /// Leaves the marks as they were.
    fn is_explained(&mut self, picture: &Small, before: &[u8]) -> bool {
        if !gates::is_new(&picture.pixels, before, &self.cells, picture.width) {
            return true;
        }
        let moving = self.cells.count(FAST) as f32;
        self.neighbourhood.of(before, picture.width);
        let nearby = Before { low: &self.neighbourhood.low, high: &self.neighbourhood.high };
        self.levels.compare(&picture.pixels, nearby, &self.open, self.bar);
        let as_marked = std::mem::take(&mut self.cells.marks);
        self.cells.fill(&self.levels.flags, picture.width);
        let left = self.cells.count(FAST) as f32;
        self.cells.marks = as_marked;
        left <= moving * gates::SHAKE_LEFT
    }

    /// The size that a thing must have beside what is scattered all over the picture: rain.
    fn scatter(&mut self, now: u32, passed_us: i64) -> u32 {
        let fades = self.scattered * (1.0 - passed_us as f32 / SCATTER_US).max(0.0);
        self.scattered = fades.max(now as f32);
        (self.scattered * BESIDE_SCATTERED) as u32
    }

    fn interrupted(&mut self, pts_us: i64) -> (bool, u32) {
        let mut zones = 0;
        for (place, hold) in self.holds.iter_mut().enumerate() {
            hold.interrupt(pts_us, self.patience);
            zones |= u32::from(hold.active) << place;
        }
        (zones != 0, zones)
    }

    fn tampered(&mut self, picture: &Small, pts_us: i64, moving: bool) -> Option<Tamper> {
        if self.settings.expert.tamper == Some(false) {
            return None;
        }
        self.watch.look(&picture.pixels, picture.width, pts_us, moving)
    }

    fn begin(&mut self, picture: &Small, pts_us: i64) {
        let (width, height) = (picture.width, picture.height);
        self.size = (width, height);
        self.history.clear();
        self.levels.begin(&picture.pixels);
        self.cells.begin(width, height);
        let area = self.settings.expert.area.unwrap_or(self.settings.sensitivity.area());
        self.zones = ZoneMap::new(&self.settings.zones, area, self.cells.wide, self.cells.high);
        self.open = zones::open_pixels(&self.settings.masks, width, height);
        self.open_pixels = self.open.iter().map(|&open| u32::from(open & 1)).sum::<u32>().max(1) as f32;
        self.holds.clear();
        self.holds.resize(self.zones.least.len(), Hold::default());
        self.forget_levels(picture);
        self.scattered = 0.0;
        self.watch.begin(pts_us);
        self.started_us = pts_us;
        self.light_until_us = i64::MIN;
        self.shake_until_us = i64::MIN;
        self.remember(picture, pts_us);
    }

    /// The background is what there is now.
    fn forget_levels(&mut self, picture: &Small) {
        self.levels.forget(&picture.pixels);
        self.standing.forget(&self.cells);
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

    /// Background and noise move towards the picture, but for what is marked.
    fn learn(&mut self, picture: &Small, before: &[u8], passed_us: i64) {
        self.cells.spread(picture.width, picture.height, &mut self.held);
        self.levels.learn(&picture.pixels, before, &self.held, passed_us);
    }
}

#[cfg(test)]
mod tests;
