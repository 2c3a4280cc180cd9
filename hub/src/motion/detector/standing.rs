//! What stands out from the background and does not move.
//!
//! After a minute it is part of the scene: a parked car. At once it is when it is a ghost: the place of something that was there when
//! the background was learnt, and has left. A thing brings an outline into the picture; a ghost has its outline in the background,
//! and what is within it now goes on from what is around it. So only soon after the background was learnt anew, and only while nothing
//! moves, ghosts are looked for: of somebody who moves, parts keep still for a while and have a part's outline.

use super::cells::Cells;
use super::levels::{FAST, Levels, ONE, SLOW};

/// What stands out for so long has become part of the scene.
const ABSORB_US: i64 = 60_000_000;
/// Something that passes before it for a moment takes so many times that moment from it.
const HIDDEN: i64 = 8;
/// Nothing moved for so long: what stands out may be a ghost.
const STILL_US: i64 = 1_500_000;
/// A background that is older has none that would not be part of the scene by now.
const FRESH_US: i64 = 120_000_000;
/// Between two looks for ghosts.
const EVERY_US: i64 = 380_000;
/// No single step from picture to picture counts for more time than this.
const MOST_STEP_US: i64 = 1_000_000;
/// From -1, a thing in the picture, to 1, a ghost in the background.
const GHOST: f32 = 0.35;
/// Places along the outline, at least.
const PLACES: u32 = 6;

/// How long each cell has stood out.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    out_us: Vec<i64>,
    seen: Vec<bool>,
    stack: Vec<usize>,
    thing: Vec<usize>,
    since_look_us: i64,
    /// How old the background is.
    age_us: i64,
    /// For how long nothing moved anywhere.
    still_us: i64,
}

impl Standing {
    /// The background is what there is now: nothing stands out.
    pub(super) fn forget(&mut self, cells: &Cells) {
        self.out_us.clear();
        self.out_us.resize(cells.marks.len(), 0);
        (self.since_look_us, self.age_us, self.still_us) = (0, 0, 0);
    }

    /// The next picture, with its marks: what belongs to the scene becomes background.
    pub(super) fn see(&mut self, picture: &[u8], width: usize, cells: &Cells, levels: &mut Levels, passed_us: i64) {
        let passed_us = passed_us.min(MOST_STEP_US);
        let mut anything_moves = false;
        for (cell, (mark, out_us)) in cells.marks.iter().zip(&mut self.out_us).enumerate() {
            let (moves, stands_out) = (mark & FAST != 0, mark & SLOW != 0);
            anything_moves |= moves;
            *out_us = (*out_us + if stands_out { passed_us } else { -passed_us * HIDDEN }).max(0);
            // What passes before it just now does not belong there.
            if *out_us > ABSORB_US && stands_out && !moves {
                absorb(cell, picture, width, cells.wide, levels);
            }
        }
        self.age_us = self.age_us.saturating_add(passed_us);
        self.still_us = if anything_moves { 0 } else { self.still_us.saturating_add(passed_us) };
        self.since_look_us += passed_us;
        if self.since_look_us >= EVERY_US && self.still_us >= STILL_US && self.age_us <= FRESH_US {
            self.since_look_us = 0;
            self.look_for_ghosts(picture, width, cells, levels);
        }
    }

    fn look_for_ghosts(&mut self, picture: &[u8], width: usize, cells: &Cells, levels: &mut Levels) {
        self.seen.clear();
        self.seen.resize(cells.marks.len(), false);
        for start in 0..cells.marks.len() {
            if cells.marks[start] & SLOW == 0 || self.seen[start] {
                continue;
            }
            self.take_thing(start, cells);
            if is_ghost(&self.thing, picture, width, cells, levels) {
                for &cell in &self.thing {
                    absorb(cell, picture, width, cells.wide, levels);
                    self.out_us[cell] = 0;
                }
            }
        }
    }

    /// Gathers the cells that touch this one.
    fn take_thing(&mut self, start: usize, cells: &Cells) {
        self.thing.clear();
        self.seen[start] = true;
        self.stack.push(start);
        while let Some(cell) = self.stack.pop() {
            self.thing.push(cell);
            let (x, y) = (cell % cells.wide, cell / cells.wide);
            for ny in y.saturating_sub(1)..(y + 2).min(cells.high) {
                for nx in x.saturating_sub(1)..(x + 2).min(cells.wide) {
                    let next = ny * cells.wide + nx;
                    if cells.marks[next] != 0 && !self.seen[next] {
                        self.seen[next] = true;
                        self.stack.push(next);
                    }
                }
            }
        }
    }
}

/// Whether the outline of these cells is in the background and not in the picture.
///
/// Where the outline is, the steps across it are those of the place and, independent of them, the thing's: their squares add up. So
/// what the background's squares are more than the picture's, as a part of the squares of what changed, is 1 for a ghost and -1 for
/// a thing, however rough the place.
fn is_ghost(thing: &[usize], picture: &[u8], width: usize, cells: &Cells, levels: &Levels) -> bool {
    let now = |cell| of_cell(cell, width, cells.wide, |at| picture.get(at).map(|&level| i32::from(level) * ONE));
    let usual = |cell| of_cell(cell, width, cells.wide, |at| levels.usual(at));
    let (mut places, mut more, mut changed) = (0u32, 0f32, 0f32);
    for &cell in thing {
        let (x, y) = ((cell % cells.wide) as isize, (cell / cells.wide) as isize);
        for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
            let at = |steps: isize| -> Option<usize> {
                let (x, y) = (x + dx * steps, y + dy * steps);
                let within = (0..cells.wide as isize).contains(&x) && (0..cells.high as isize).contains(&y);
                within.then(|| y as usize * cells.wide + x as usize)
            };
            // The next cell is blurred by what is within; the one after it is not.
            let (Some(next), Some(outside)) = (at(1), at(2)) else { continue };
            if cells.marks[next] != 0 || cells.marks[outside] != 0 {
                continue;
            }
            let in_picture = (now(cell) - now(outside)) as f32;
            let in_background = (usual(cell) - usual(outside)) as f32;
            places += 1;
            more += in_background.powi(2) - in_picture.powi(2);
            changed += (in_background - in_picture).powi(2);
        }
    }
    places >= PLACES && more > changed * GHOST
}

/// The mean of a cell's pixels.
fn of_cell(cell: usize, width: usize, wide: usize, level: impl Fn(usize) -> Option<i32>) -> i32 {
    let (sum, count) = pixels(cell, width, wide).into_iter().filter_map(level).fold((0, 0), |(s, n), l| (s + l, n + 1));
    sum / count.max(1)
}

fn absorb(cell: usize, picture: &[u8], width: usize, wide: usize, levels: &mut Levels) {
    for pixel in pixels(cell, width, wide) {
        if let Some(&now) = picture.get(pixel) {
            levels.absorb(pixel, now);
        }
    }
}

/// The pixels of a cell. Where the picture ends within it, some are of the next row: near enough.
fn pixels(cell: usize, width: usize, wide: usize) -> [usize; 4] {
    let (x, y) = (cell % wide * 2, cell / wide * 2);
    [y * width + x, y * width + x + 1, (y + 1) * width + x, (y + 1) * width + x + 1]
}
