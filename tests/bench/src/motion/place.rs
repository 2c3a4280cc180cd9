//! The places where the scenes are: two from films, one painted.

use privet_demo::Trouble;

use super::random::Random;

/// Where a scene is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// From a film: a wall, a floor, a table.
    Room,
    /// From a film: a road from above.
    Road,
    /// Painted: a sky, a hedge, a lawn, a shed, and a tree that [`LEAVES`] describes.
    Garden,
}

/// The garden's tree, in parts of the picture: left, top, right, bottom.
pub const LEAVES: [f32; 4] = [0.62, 0.03, 0.97, 0.52];

/// Brightness, a value for each pixel.
#[derive(Clone, Debug)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Plane {
    /// Bilinear.
    pub fn scaled(&self, width: usize, height: usize) -> Self {
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            let (y0, y1, fy) = between(y, height, self.height);
            for x in 0..width {
                let (x0, x1, fx) = between(x, width, self.width);
                let at = |x: usize, y: usize| f32::from(self.pixels[y * self.width + x]);
                let upper = at(x0, y0) * (1.0 - fx) + at(x1, y0) * fx;
                let lower = at(x0, y1) * (1.0 - fx) + at(x1, y1) * fx;
                pixels.push((upper * (1.0 - fy) + lower * fy).round() as u8);
            }
        }
        Self { width, height, pixels }
    }

    /// Three box filters: near to a Gaussian.
    pub fn blurred(&self, radius: usize) -> Self {
        let mut blurred = self.clone();
        for _ in 0..3 {
            let mut across = vec![0; blurred.pixels.len()];
            for (from, to) in blurred.pixels.chunks(self.width).zip(across.chunks_mut(self.width)) {
                box_filter(from, 1, self.width, radius, to);
            }
            for x in 0..self.width {
                box_filter(&across[x..], self.width, self.height, radius, &mut blurred.pixels[x..]);
            }
        }
        blurred
    }
}

fn box_filter(from: &[u8], step: usize, count: usize, radius: usize, to: &mut [u8]) {
    let at = |i: isize| u32::from(from[i.clamp(0, count as isize - 1) as usize * step]);
    let radius = radius as isize;
    let mut sum: u32 = (-radius..=radius).map(at).sum();
    for i in 0..count {
        to[i * step] = (sum / (2 * radius as u32 + 1)) as u8;
        sum = sum + at(i as isize + radius + 1) - at(i as isize - radius);
    }
}

fn between(at: usize, count: usize, from: usize) -> (usize, usize, f32) {
    let exact = ((at as f32 + 0.5) * from as f32 / count as f32 - 0.5).max(0.0);
    let low = (exact as usize).min(from - 1);
    (low, (low + 1).min(from - 1), exact - low as f32)
}

impl Place {
    /// The empty place at this size, with a fine texture that no film of 768 pixels has any more.
    ///
    /// # Errors
    /// [`Trouble`] when a cut can't be read.
    pub fn plane(self, width: usize, height: usize) -> Result<Plane, Trouble> {
        let film = |name: &str, jpeg: &[u8]| -> Result<Plane, Trouble> {
            let film = image::load_from_memory(jpeg).map_err(|e| Trouble::new(format!("{name}: {e}")))?.to_luma8();
            Ok(Plane { width: film.width() as usize, height: film.height() as usize, pixels: film.into_raw() })
        };
        let mut plane = match self {
            Self::Room => film("room.jpg", include_bytes!("../../clips/room.jpg"))?.scaled(width, height),
            Self::Road => film("road.jpg", include_bytes!("../../clips/road.jpg"))?.scaled(width, height),
            Self::Garden => garden().scaled(width, height),
        };
        let mut random = Random::new(77);
        for pixel in &mut plane.pixels {
            let grain = random.between(-2.5, 2.5);
            *pixel = (f32::from(*pixel) + grain).clamp(0.0, 255.0) as u8;
        }
        Ok(plane)
    }
}

fn garden() -> Plane {
    let (width, height) = (768usize, 432usize);
    let texture = Texture::new(5);
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let (fine, coarse) = (texture.at(u * 160.0, v * 90.0), texture.at(u * 12.0, v * 7.0));
            let mut level = match v {
                v if v < 0.28 => 205.0 - v * 60.0 + coarse * 12.0,
                v if v < 0.46 => 62.0 + fine * 30.0 + texture.at(u * 60.0, v * 34.0) * 26.0,
                v => 105.0 + fine * 16.0 + coarse * 22.0 + (v - 0.46) * 40.0,
            };
            if (0.06..0.26).contains(&u) && (0.16..0.52).contains(&v) {
                level = if ((u * 90.0) as usize).is_multiple_of(3) { 118.0 } else { 150.0 };
                if (0.12..0.18).contains(&u) && v > 0.3 {
                    level = 70.0;
                }
            }
            let [left, top, right, bottom] = LEAVES;
            if (left..right).contains(&u) && (top..bottom).contains(&v) {
                let leaf = texture.at(u * 70.0, v * 40.0) + 0.5 * fine;
                level = 78.0 + leaf * 62.0;
            }
            pixels.push(level.clamp(0.0, 255.0) as u8);
        }
    }
    Plane { width, height, pixels }
}

/// Value noise: random values on a grid, smooth between, from -0.5 to 0.5.
pub struct Texture {
    seed: u64,
}

impl Texture {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let corner = |dx: f32, dy: f32| {
            let (x, y) = ((left + dx) as i64 as u64, (top + dy) as i64 as u64);
            let key = x.wrapping_mul(0x8DA6_B343).wrapping_add(y.wrapping_mul(0xD816_3841)).wrapping_add(self.seed);
            Random::new(key).part() - 0.5
        };
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (smooth(x - left), smooth(y - top));
        let upper = corner(0.0, 0.0) * (1.0 - fx) + corner(1.0, 0.0) * fx;
        let lower = corner(0.0, 1.0) * (1.0 - fx) + corner(1.0, 1.0) * fx;
        upper * (1.0 - fy) + lower * fy
    }
}
