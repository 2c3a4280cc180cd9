//! Who walks and drives through the scenes: cut out of strips from real films. The strip's first picture is the empty place; what
//! differs from it is the figure.

use image::GrayImage;
use privet_demo::Trouble;

/// Pictures of one figure, one step each.
#[derive(Clone, Debug)]
pub struct Cutout {
    pub pictures: Vec<Picture>,
}

/// A figure, cropped to itself.
#[derive(Clone, Debug)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub luma: Vec<u8>,
    /// 0 not the figure to 255 the figure.
    pub alpha: Vec<u8>,
}

/// Levels by which a pixel differs from the empty place.
const DIFFERS: f32 = 20.0;

impl Cutout {
    /// From a strip of pictures of one width, the first of which is empty.
    ///
    /// # Errors
    /// [`Trouble`] when the file is no JPEG, or nobody is in it.
    pub fn from_strip(name: &str, jpeg: &[u8], count: usize) -> Result<Self, Trouble> {
        let strip = image::load_from_memory(jpeg).map_err(|e| Trouble::new(format!("{name}: {e}")))?.to_luma8();
        let width = strip.width() as usize / count;
        let tile = |index: usize| -> GrayImage {
            image::imageops::crop_imm(&strip, (index * width) as u32, 0, width as u32, strip.height()).to_image()
        };
        let empty = tile(0);
        let pictures: Vec<_> = (1..count).filter_map(|index| cut(&tile(index), &empty)).collect();
        if pictures.is_empty() {
            return Err(Trouble::new(format!("{name}: nobody is in this strip")));
        }
        Ok(Self { pictures })
    }
}

fn cut(with: &GrayImage, empty: &GrayImage) -> Option<Picture> {
    let (width, height) = (with.width() as usize, with.height() as usize);
    // The film's exposure differs between the two: most of the picture is the place itself and tells by how much.
    let mut ratios: Vec<f32> =
        with.iter().zip(empty.iter()).map(|(&now, &then)| f32::from(now.max(1)) / f32::from(then.max(1))).collect();
    ratios.sort_by(f32::total_cmp);
    let gain = ratios[ratios.len() * 2 / 5];
    let raw: Vec<bool> = with
        .iter()
        .zip(empty.iter())
        .map(|(&now, &then)| (f32::from(now) - gain * f32::from(then)).abs() > DIFFERS)
        .collect();
    let whole = fill_holes(&largest(&majority(&raw, width, height), width, height), width, height);
    let inside: Vec<usize> = (0..whole.len()).filter(|&at| whole[at]).collect();
    let (top, bottom) = (inside.first()? / width, inside.last()? / width);
    let left = inside.iter().map(|at| at % width).min()?;
    let right = inside.iter().map(|at| at % width).max()?;
    let (cut_width, cut_height) = (right + 1 - left, bottom + 1 - top);
    let mut picture = Picture { width: cut_width, height: cut_height, luma: Vec::new(), alpha: Vec::new() };
    for y in top..=bottom {
        for x in left..=right {
            picture.luma.push(with.as_raw()[y * width + x]);
            // A soft outline: the part of the neighbourhood that is the figure.
            let near = neighbours(x, y, width, height).filter(|&at| whole[at]).count();
            picture.alpha.push((near * 255 / 9) as u8);
        }
    }
    Some(picture)
}

fn neighbours(x: usize, y: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    (y.saturating_sub(1)..(y + 2).min(height))
        .flat_map(move |y| (x.saturating_sub(1)..(x + 2).min(width)).map(move |x| y * width + x))
}

fn majority(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    (0..mask.len())
        .map(|at| neighbours(at % width, at / width, width, height).filter(|&n| mask[n]).count() >= 4)
        .collect()
}

/// Marks what is reached from each start.
fn flood(from: usize, open: impl Fn(usize) -> bool, seen: &mut [bool], width: usize, height: usize) -> Vec<usize> {
    let (mut found, mut stack) = (Vec::new(), vec![from]);
    seen[from] = true;
    while let Some(at) = stack.pop() {
        found.push(at);
        for next in neighbours(at % width, at / width, width, height) {
            if open(next) && !seen[next] {
                seen[next] = true;
                stack.push(next);
            }
        }
    }
    found
}

fn largest(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    let mut seen = vec![false; mask.len()];
    let mut best = Vec::new();
    for start in 0..mask.len() {
        if mask[start] && !seen[start] {
            let found = flood(start, |at| mask[at], &mut seen, width, height);
            if found.len() > best.len() {
                best = found;
            }
        }
    }
    let mut kept = vec![false; mask.len()];
    best.into_iter().for_each(|at| kept[at] = true);
    kept
}

/// What the picture's border does not reach is inside.
fn fill_holes(mask: &[bool], width: usize, height: usize) -> Vec<bool> {
    let mut outside = vec![false; mask.len()];
    for at in 0..mask.len() {
        let (x, y) = (at % width, at / width);
        let border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        if border && !mask[at] && !outside[at] {
            flood(at, |at| !mask[at], &mut outside, width, height);
        }
    }
    outside.into_iter().map(|outside| !outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_cut_out_whole_and_the_place_is_left() {
        let place = |x: u32, y: u32| (100 + (x * 7 + y * 3) % 20) as u8;
        let empty = GrayImage::from_fn(60, 80, |x, y| image::Luma([place(x, y)]));
        let with = GrayImage::from_fn(60, 80, |x, y| {
            let (inside, hole) = ((20..30).contains(&x) && (10..50).contains(&y), x == 25 && y == 30);
            // Darker all over: the camera's exposure went down.
            image::Luma([if inside && !hole { 220 } else { (f32::from(place(x, y)) * 0.7) as u8 }])
        });
        let cut =
            cut(&with, &empty).map(|cut| (cut.width, cut.height, cut.alpha.iter().filter(|&&a| a == 255).count()));
        assert!(matches!(cut, Some((10, 40, 304..=400))), "{cut:?}");
        assert!(super::cut(&empty, &empty).is_none());
    }
}
