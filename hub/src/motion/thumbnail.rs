//! Pictures of an activity: small JPEGs from the decoder's planes.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::scale::Plane;
use crate::source::{MAX_JPEG, MAX_SMALL_JPEG, Picture};

/// The larger picture's longer side.
const SIDE: usize = 320;
/// The smaller one's.
const SMALL_SIDES: [usize; 3] = [96, 64, 48];
/// The best that fits is taken.
const QUALITIES: [u8; 5] = [80, 65, 50, 35, 20];

/// A decoded picture: brightness, and colour where the decoder gives it in two planes.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<'a> {
    /// Brightness.
    pub luma: Plane<'a>,
    /// Blue and red difference, of any size.
    pub chroma: Option<[Plane<'a>; 2]>,
}

/// A picture scaled down, not yet encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Snapshot {
    /// Scales down, at most 320 pixels wide and high. `None` when a plane is shorter than it says.
    pub fn take(decoded: &Decoded<'_>) -> Option<Self> {
        let (width, height) = fit(decoded.luma.width, decoded.luma.height, SIDE)?;
        let luma = averaged(&decoded.luma, width, height)?;
        let chroma = match &decoded.chroma {
            Some([blue, red]) => Some((averaged(blue, width, height)?, averaged(red, width, height)?)),
            None => None,
        };
        let mut rgb = Vec::with_capacity(width * height * 3);
        for (i, &y) in luma.iter().enumerate() {
            let (blue, red) = chroma.as_ref().map_or((0, 0), |(b, r)| (i32::from(b[i]) - 128, i32::from(r[i]) - 128));
            // BT.601, the range from 16 to 235, as cameras send it.
            let y = (i32::from(y) - 16) * 298;
            let level = |sum: i32| ((sum + 128) >> 8).clamp(0, 255) as u8;
            rgb.extend_from_slice(&[level(y + 409 * red), level(y - 100 * blue - 208 * red), level(y + 516 * blue)]);
        }
        Some(Self { width, height, rgb })
    }

    /// Encodes both sizes. `None` when even the worst quality is too large, which no picture was in tests.
    pub fn encode(&self, pts_us: i64, last: bool) -> Option<Picture> {
        let jpeg = encode(&self.rgb, self.width, self.height, MAX_JPEG)?;
        let small = SMALL_SIDES.into_iter().find_map(|side| {
            let small = self.smaller(side)?;
            encode(&small.rgb, small.width, small.height, MAX_SMALL_JPEG)
        });
        Some(Picture {
            pts_us,
            last,
            width: u16::try_from(self.width).ok()?,
            height: u16::try_from(self.height).ok()?,
            jpeg: jpeg.into(),
            small_jpeg: small.unwrap_or_default().into(),
        })
    }

    fn smaller(&self, side: usize) -> Option<Self> {
        let (width, height) = fit(self.width, self.height, side)?;
        let colour = |offset: usize| {
            let data: Vec<u8> = self.rgb.iter().skip(offset).step_by(3).copied().collect();
            averaged(&Plane { data: &data, stride: self.width, width: self.width, height: self.height }, width, height)
        };
        let (red, green, blue) = (colour(0)?, colour(1)?, colour(2)?);
        let rgb = red.iter().zip(green).zip(blue).flat_map(|((&r, g), b)| [r, g, b]).collect();
        Some(Self { width, height, rgb })
    }
}

/// The size within `side` that keeps the shape and never grows.
fn fit(width: usize, height: usize, side: usize) -> Option<(usize, usize)> {
    let longer = width.max(height);
    if width == 0 || height == 0 {
        return None;
    }
    let to = side.min(longer);
    Some(((width * to / longer).max(1), (height * to / longer).max(1)))
}

/// The mean over the area of each pixel, or the pixel there when the plane is smaller.
fn averaged(plane: &Plane<'_>, width: usize, height: usize) -> Option<Vec<u8>> {
    let needed = plane.stride.checked_mul(plane.height.checked_sub(1)?)?.checked_add(plane.width)?;
    if plane.stride < plane.width || plane.width == 0 || needed > plane.data.len() {
        return None;
    }
    let edge = |i: usize, of: usize, size: usize| {
        let (from, to) = (i * size / of, (i + 1) * size / of);
        from..to.max(from + 1)
    };
    let columns: Vec<_> = (0..width).map(|x| edge(x, width, plane.width)).collect();
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let rows = edge(y, height, plane.height);
        for columns in &columns {
            let sum: u32 = rows
                .clone()
                .flat_map(|row| &plane.data[row * plane.stride..][columns.clone()])
                .map(|&pixel| u32::from(pixel))
                .sum();
            out.push((sum / (rows.len() * columns.len()) as u32) as u8);
        }
    }
    Some(out)
}

fn encode(rgb: &[u8], width: usize, height: usize, most: usize) -> Option<Vec<u8>> {
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    QUALITIES.iter().find_map(|&quality| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode(rgb, width, height, ExtendedColorType::Rgb8).ok()?;
        (jpeg.len() <= most).then_some(jpeg)
    })
}

/// Which picture of an activity is the one to keep.
#[derive(Debug, Default)]
pub struct Album {
    /// Strength, time and picture of the best so far, while something moves.
    best: Option<(f32, i64, Snapshot)>,
}

impl Album {
    /// Sees one picture's verdict; `take` is called only when the picture is worth keeping. Returns what is to be sent: the first
    /// picture of an activity, and the best when it has ended.
    pub fn see(
        &mut self,
        pts_us: i64,
        active: bool,
        score: f32,
        take: impl FnOnce() -> Option<Snapshot>,
    ) -> Option<Picture> {
        match &self.best {
            Some((_, at, best)) if !active => {
                let picture = best.encode(*at, true);
                self.best = None;
                picture
            }
            None if active => {
                let first = take()?;
                let picture = first.encode(pts_us, false);
                self.best = Some((score, pts_us, first));
                picture
            }
            // A little more is not worth the work.
            Some((most, ..)) if score > most * 1.1 => {
                self.best = take().map(|better| (score, pts_us, better)).or(self.best.take());
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decoded(width: usize, height: usize, data: &[u8]) -> Decoded<'_> {
        Decoded { luma: Plane { data, stride: width, width, height }, chroma: None }
    }

    #[test]
    fn even_pure_noise_fits_and_can_be_read_again() {
        let mut random = 7u32;
        let data: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        })
        .take(320 * 180)
        .collect();
        let picture = Snapshot::take(&decoded(320, 180, &data)).unwrap().encode(5, true).unwrap();
        assert!(picture.jpeg.len() <= MAX_JPEG && picture.small_jpeg.len() <= MAX_SMALL_JPEG);
        assert_eq!((picture.width, picture.height, picture.pts_us, picture.last), (320, 180, 5, true));
        let read = image::load_from_memory(&picture.jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (320, 180));
        let small = image::load_from_memory(&picture.small_jpeg).unwrap();
        assert!(SMALL_SIDES.contains(&(small.width() as usize)) && small.width() * 9 == small.height() * 16);
    }

    #[test]
    fn colours_come_out_right_from_smaller_planes() {
        let (luma, blue, red) = (vec![81; 640 * 360], vec![90; 320 * 180], vec![240; 320 * 180]);
        let plane = |data, width, height| Plane { data, stride: width, width, height };
        let chroma = Some([plane(&blue, 320, 180), plane(&red, 320, 180)]);
        let picture = Snapshot::take(&Decoded { luma: plane(&luma, 640, 360), chroma }).unwrap();
        assert_eq!((picture.width, picture.height), (320, 180));
        assert!(picture.rgb.chunks(3).all(|p| p[0] > 250 && p[1] < 5 && p[2] < 5), "{:?}", &picture.rgb[..3]);
    }

    #[test]
    fn a_plane_that_lies_gives_no_picture() {
        assert_eq!(Snapshot::take(&decoded(320, 181, &[0; 320 * 180])), None);
        assert_eq!(Snapshot::take(&decoded(0, 0, &[])), None);
    }

    #[test]
    fn the_first_picture_is_sent_at_once_and_the_strongest_at_the_end() {
        let level = |level: u8| move || Snapshot::take(&decoded(64, 36, &[level; 64 * 36]));
        let mut album = Album::default();
        assert_eq!(album.see(0, false, 0.0, || panic!("nothing moves")), None);
        let first = album.see(1, true, 0.1, level(30)).unwrap();
        assert_eq!((first.pts_us, first.last), (1, false));
        assert_eq!(album.see(2, true, 0.5, level(200)), None);
        assert_eq!(album.see(3, true, 0.4, || panic!("a weaker one is not looked at")), None);
        let best = album.see(4, false, 0.0, || panic!("it is over")).unwrap();
        assert_eq!((best.pts_us, best.last), (2, true));
        assert_ne!(first.jpeg, best.jpeg);
        assert_eq!(album.see(5, false, 0.0, || panic!("nothing moves")), None);
    }
}
