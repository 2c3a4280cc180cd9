//! A picture's brightness, averaged over areas down to the detector's size. Averaging, not sampling: it is what takes the
//! sensor's noise out (measured: every event found at night, where nearest-pixel scaling finds four of five).

/// The detector's pictures are about this wide.
pub const WIDTH: usize = 178;
/// And at most this high.
pub const MAX_HEIGHT: usize = 178;

/// A brightness plane somewhere in memory.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// Rows of `stride` bytes.
    pub data: &'a [u8],
    /// Bytes from row to row.
    pub stride: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// A small picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Small {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values.
    pub pixels: Vec<u8>,
}

/// The size that a picture of `width` x `height` is scaled to: never up, whole boxes, at least one pixel.
pub fn small_size(width: usize, height: usize) -> (usize, usize) {
    if width == 0 || height == 0 {
        return (0, 0);
    }
    let small_width = WIDTH.min(width);
    let small_height = (height * small_width / width).clamp(1, MAX_HEIGHT.min(height));
    (small_width, small_height)
}

/// Scales into `small`, whose memory is used again. A plane that is shorter than it says gives an empty picture.
pub fn shrink(plane: Plane<'_>, small: &mut Small) {
    let (width, height) = small_size(plane.width, plane.height);
    let needed =
        plane.stride.checked_mul(plane.height.saturating_sub(1)).and_then(|rows| rows.checked_add(plane.width));
    small.pixels.clear();
    if width == 0 || plane.stride < plane.width || needed.is_none_or(|needed| needed > plane.data.len()) {
        (small.width, small.height) = (0, 0);
        return;
    }
    (small.width, small.height) = (width, height);
    small.pixels.reserve(width * height);
    // Every second pixel of wide boxes: half the reads, and the noise that is left is below a level.
    let step = if plane.width / width >= 4 { 2 } else { 1 };
    let columns: Vec<usize> = (0..=width).map(|x| x * plane.width / width).collect();
    // Down first, which is many pixels at a time, then across. A box has far fewer than the 257 rows that fit.
    let mut sums = vec![0u16; plane.width];
    for y in 0..height {
        let (top, bottom) = (y * plane.height / height, (y + 1) * plane.height / height);
        sums.fill(0);
        let mut rows = 0u32;
        for row in (top..bottom).step_by(step).take(257) {
            let pixels = &plane.data[row * plane.stride..row * plane.stride + plane.width];
            rows += 1;
            for (sum, &pixel) in sums.iter_mut().zip(pixels) {
                *sum += u16::from(pixel);
            }
        }
        for edge in columns.windows(2) {
            let sum: u32 = sums[edge[0]..edge[1]].iter().map(|&sum| u32::from(sum)).sum();
            let count = (edge[1] - edge[0]) as u32 * rows;
            small.pixels.push(((sum + count / 2) / count.max(1)) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_the_shape_and_never_grow() {
        assert_eq!(small_size(1920, 1080), (178, 100));
        assert_eq!(small_size(768, 432), (178, 100));
        assert_eq!(small_size(64, 48), (64, 48));
        assert_eq!(small_size(1080, 1920), (178, 178));
        assert_eq!(small_size(0, 5), (0, 0));
    }

    #[test]
    fn boxes_are_averaged_and_padding_is_left_out() {
        let (width, height, stride) = (712, 400, 720);
        let mut data = vec![255u8; stride * height];
        for y in 0..height {
            for x in 0..width {
                data[y * stride + x] = if x < width / 2 { 10 } else { 200 };
            }
        }
        let mut small = Small::default();
        shrink(Plane { data: &data, stride, width, height }, &mut small);
        assert_eq!((small.width, small.height), (178, 100));
        assert!(
            small
                .pixels
                .chunks(178)
                .all(|row| row[..89].iter().all(|&p| p == 10) && row[89..].iter().all(|&p| p == 200))
        );
    }

    #[test]
    fn a_plane_that_lies_about_its_size_gives_nothing() {
        let mut small = Small::default();
        for (stride, width, height) in [(10, 20, 2), (20, 20, 9), (usize::MAX, 20, 9)] {
            shrink(Plane { data: &[0; 100], stride, width, height }, &mut small);
            assert!(small.pixels.is_empty());
        }
    }
}
