//! What is burned into every frame: its number, for machines and for people.
//!
//! For machines, a row of [`CELLS`] square cells along the top edge, black or white: four that mark the row (white, black,
//! white, black), the number's 24 bits from the highest, and four check bits. For people, a name in large digits and the number in
//! small ones.
//!
//! A counter that runs all the time must not look like motion. So every cell lies alone in the middle of a block of 1/89 by 1/50 of the
//! picture, a black block between it and the next: whatever flips, no two changed places touch, and none is larger than a motion
//! detector's grain. The same goes for the small digits. Pictures must be at least 640 wide to be read back.

/// Cells in the row: 4 marks, 24 bits, 4 check bits.
pub const CELLS: usize = 32;
/// The number that a row can show is below this.
pub const NUMBERS: u64 = 1 << 24;

const BLACK: u8 = 24;
const WHITE: u8 = 232;
const MARKS: u32 = 0b1010;

/// A plane of luma samples.
pub struct Luma<'a> {
    /// The samples, row by row.
    pub samples: &'a mut [u8],
    /// Samples from one row to the next.
    pub stride: usize,
    /// Width in samples.
    pub width: usize,
    /// Height in samples.
    pub height: usize,
}

impl Luma<'_> {
    /// Fills a rectangle; what lies outside the plane is left out.
    pub fn fill(&mut self, left: usize, top: usize, width: usize, height: usize, value: u8) {
        let right = (left + width).min(self.width);
        for y in top..(top + height).min(self.height) {
            if left < right
                && let Some(row) = self.samples.get_mut(y * self.stride + left..y * self.stride + right)
            {
                row.fill(value);
            }
        }
    }
}

/// Where the cells of a picture of this width lie.
struct Grid {
    block: f32,
    cell: usize,
}

impl Grid {
    fn of(width: usize) -> Self {
        let block = width as f32 / 89.0;
        Self { block, cell: ((block * 0.75) as usize).max(2) }
    }

    /// The left and upper corner of cell `i`.
    fn corner(&self, i: usize) -> (usize, usize) {
        let margin = (self.block - self.cell as f32) / 2.0;
        (((2 * i + 2) as f32 * self.block + margin).round() as usize, margin.round() as usize)
    }

    /// The height of the row.
    fn height(&self) -> usize {
        self.block.ceil() as usize
    }
}

/// Burns `frame` (its lowest 24 bits) and `caption` into the plane.
pub fn burn(luma: &mut Luma<'_>, frame: u64, caption: &str) {
    let grid = Grid::of(luma.width);
    luma.fill(0, 0, luma.width, grid.height(), BLACK);
    for (i, white) in bits(frame).enumerate() {
        let (left, top) = grid.corner(i);
        luma.fill(left, top, grid.cell, grid.cell, if white { WHITE } else { BLACK });
    }
    let dot = (luma.width / 320).max(1);
    let below = write(luma, caption, grid.height(), dot * 2);
    write(luma, &format!("{:07}", frame % NUMBERS), below, dot.div_ceil(2));
}

/// Writes a line of text in dots of this size; returns where the next line goes.
fn write(luma: &mut Luma<'_>, text: &str, top: usize, dot: usize) -> usize {
    luma.fill(0, top, (text.chars().count() * 6 + 1) * dot, 9 * dot, BLACK);
    for (i, c) in text.chars().enumerate() {
        for (y, row) in glyph(c).iter().enumerate() {
            for x in (0..5).filter(|x| row >> (4 - x) & 1 == 1) {
                luma.fill((i * 6 + x + 1) * dot, top + (y + 1) * dot, dot, dot, WHITE);
            }
        }
    }
    top + 9 * dot
}

/// The number that is burned into the plane, if one is to be read without doubt.
pub fn read(samples: &[u8], stride: usize, width: usize) -> Option<u64> {
    let grid = Grid::of(width);
    let mut word: u32 = 0;
    for i in 0..CELLS {
        // The inner half of the cell: its edges are blurred by the codec.
        let ((left, top), edge) = (grid.corner(i), grid.cell / 4);
        let (mut sum, mut count) = (0_u32, 0_u32);
        for y in top + edge..top + grid.cell - edge {
            for x in left + edge..left + grid.cell - edge {
                sum += u32::from(*samples.get(y * stride + x)?);
                count += 1;
            }
        }
        let mean = sum.checked_div(count)?;
        word = word << 1
            | match mean {
                0..=95 => 0,
                160.. => 1,
                _ => return None,
            };
    }
    let number = u64::from(word >> 4 & 0xFF_FFFF);
    (word >> 28 == MARKS && word & 15 == check(number)).then_some(number)
}

fn bits(frame: u64) -> impl Iterator<Item = bool> {
    let number = frame % NUMBERS;
    let word = u64::from(MARKS) << 28 | number << 4 | u64::from(check(number));
    (0..CELLS).rev().map(move |i| word >> i & 1 == 1)
}

/// The exclusive-or of the number's nibbles, turned so that an all-black row is no number.
fn check(number: u64) -> u32 {
    let folded = (0..6).fold(0, |sum, i| sum ^ (number >> (4 * i) & 15));
    (folded as u32) ^ 0b0110
}

/// Five columns by seven rows; what has no picture is a blank.
fn glyph(c: char) -> [u8; 7] {
    match c.to_ascii_uppercase() {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 6, 8, 16, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        'A' => [14, 17, 17, 31, 17, 17, 17],
        'B' => [30, 17, 17, 30, 17, 17, 30],
        'C' => [14, 17, 16, 16, 16, 17, 14],
        'D' => [28, 18, 17, 17, 17, 18, 28],
        'E' => [31, 16, 16, 30, 16, 16, 31],
        'F' => [31, 16, 16, 30, 16, 16, 16],
        'G' => [14, 17, 16, 23, 17, 17, 15],
        'H' => [17, 17, 17, 31, 17, 17, 17],
        'I' => [14, 4, 4, 4, 4, 4, 14],
        'J' => [7, 2, 2, 2, 2, 18, 12],
        'K' => [17, 18, 20, 24, 20, 18, 17],
        'L' => [16, 16, 16, 16, 16, 16, 31],
        'M' => [17, 27, 21, 21, 17, 17, 17],
        'N' => [17, 17, 25, 21, 19, 17, 17],
        'O' => [14, 17, 17, 17, 17, 17, 14],
        'P' => [30, 17, 17, 30, 16, 16, 16],
        'Q' => [14, 17, 17, 17, 21, 18, 13],
        'R' => [30, 17, 17, 30, 20, 18, 17],
        'S' => [15, 16, 16, 14, 1, 1, 30],
        'T' => [31, 4, 4, 4, 4, 4, 4],
        'U' => [17, 17, 17, 17, 17, 17, 14],
        'V' => [17, 17, 17, 17, 17, 10, 4],
        'W' => [17, 17, 17, 21, 21, 27, 17],
        'X' => [17, 17, 10, 4, 10, 17, 17],
        'Y' => [17, 17, 10, 4, 4, 4, 4],
        'Z' => [31, 1, 2, 4, 8, 16, 31],
        '-' => [0, 0, 0, 31, 0, 0, 0],
        ':' => [0, 4, 0, 0, 0, 4, 0],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_number_is_read_back() {
        let (width, height) = (640, 360);
        for frame in [0, 1, 2, 255, 65_535, 123_456, NUMBERS - 1] {
            let mut samples = vec![128; width * height];
            burn(&mut Luma { samples: &mut samples, stride: width, width, height }, frame, "GARDEN");
            assert_eq!(read(&samples, width, width), Some(frame));
        }
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        let (width, height) = (640, 360);
        for value in [0, 16, 128, 255] {
            assert_eq!(read(&vec![value; width * height], width, width), None);
        }
        let mut samples = vec![128; width * height];
        burn(&mut Luma { samples: &mut samples, stride: width, width, height }, 77, "GARDEN");
        let (left, top) = Grid::of(width).corner(10);
        Luma { samples: &mut samples, stride: width, width, height }.fill(left, top, 5, 5, WHITE);
        assert_eq!(read(&samples, width, width), None);
        assert_eq!(read(&samples[..100], width, width), None);
    }
}
