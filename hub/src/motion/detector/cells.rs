//! Cells of 2x2 pixels, and the things that touching cells are.

use super::levels::{FAST, SLOW};
use super::zones::{MAX, ZoneMap};

const SEEN: u8 = 0x04;
/// Pixels of a cell.
pub(super) const CELL_PIXELS: f32 = 4.0;

/// Which cells have changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    pub(super) wide: usize,
    pub(super) high: usize,
    /// [`FAST`] and [`SLOW`] of each cell.
    pub(super) marks: Vec<u8>,
    stack: Vec<usize>,
}

/// Blocks of cells in which things are counted as scattered: so many across, so many down.
const BLOCKS: (usize, usize) = (6, 4);
/// In more blocks than this nobody is at once; rain and leaves are.
const SCATTERED: usize = 5;

/// The largest thing in each zone, in cells of that zone; and the largest of all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Largest {
    pub(super) of_zone: [u32; MAX],
    pub(super) whole: u32,
    /// In how many blocks of the picture there are things.
    pub(super) blocks: usize,
    /// The size that things have all over the picture at once, the sixth largest of its blocks' largest: rain, not somebody.
    pub(super) scattered: u32,
}

impl Cells {
    pub(super) fn begin(&mut self, width: usize, height: usize) {
        (self.wide, self.high) = (width.div_ceil(2), height.div_ceil(2));
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.marks.resize(self.wide * self.high, 0);
    }

    /// Marks the cells of which at least half has changed, from the pixels' flags.
    pub(super) fn fill(&mut self, flags: &[u8], width: usize) {
        self.clear();
        for (rows, marks) in flags.chunks(width.max(1) * 2).zip(self.marks.chunks_mut(self.wide.max(1))) {
            let (upper, lower) = rows.split_at(width.min(rows.len()));
            for (mark, pair) in marks.iter_mut().zip(upper.chunks(2)) {
                *mark = pair.iter().sum();
            }
            for (mark, pair) in marks.iter_mut().zip(lower.chunks(2)) {
                *mark += pair.iter().sum::<u8>();
            }
            // Two counts from 0 to 4 in one byte.
            for mark in marks {
                *mark = u8::from(*mark & 0xf >= 2) | u8::from(*mark >> 4 >= 2) << 4;
            }
        }
    }

    /// For each pixel the mark of its cell.
    pub(super) fn spread(&self, width: usize, height: usize, held: &mut Vec<u8>) {
        held.clear();
        held.reserve(width * height);
        for (row, marks) in self.marks.chunks(self.wide.max(1)).enumerate() {
            let start = held.len();
            held.extend(marks.iter().flat_map(|&mark| [mark, mark]).take(width));
            if row * 2 + 1 < height {
                held.extend_from_within(start..);
            }
        }
    }

    /// How many cells have this mark.
    pub(super) fn count(&self, mark: u8) -> u32 {
        self.marks.iter().map(|&m| u32::from(m & mark != 0)).sum()
    }

    /// The largest thing made of cells with one of these marks, for each zone. A thing may reach beyond the zone; only its cells
    /// within count.
    pub(super) fn largest(&mut self, marks: u8, zones: &ZoneMap) -> Largest {
        let mut largest = Largest::default();
        let mut blocks = [0u32; BLOCKS.0 * BLOCKS.1];
        for start in 0..self.marks.len() {
            if self.marks[start] & marks == 0 || self.marks[start] & SEEN != 0 {
                continue;
            }
            let mut size = [0u32; MAX];
            let mut whole = 0;
            self.marks[start] |= SEEN;
            self.stack.push(start);
            while let Some(cell) = self.stack.pop() {
                whole += 1;
                let mut of = zones.of_cell.get(cell).copied().unwrap_or(0);
                while of != 0 {
                    size[of.trailing_zeros() as usize % MAX] += 1;
                    of &= of - 1;
                }
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
            for (most, size) in largest.of_zone.iter_mut().zip(size) {
                *most = (*most).max(size);
            }
            largest.whole = largest.whole.max(whole);
            let (x, y) = (start % self.wide * BLOCKS.0 / self.wide, start / self.wide * BLOCKS.1 / self.high);
            let block = &mut blocks[y * BLOCKS.0 + x];
            *block = whole.max(*block);
        }
        largest.blocks = blocks.iter().filter(|&&size| size > 0).count();
        blocks.sort_unstable();
        largest.scattered = blocks[blocks.len() - 1 - SCATTERED];
        for mark in &mut self.marks {
            *mark &= FAST | SLOW;
        }
        largest
    }
}
