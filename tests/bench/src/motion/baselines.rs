//! Two detectors to compare with, built after what their projects publish.

use privet_hub::motion::scale::Plane;

/// Frigate's (`frigate/motion/improved_motion.py`): nearest pixels down to 100 rows, contrast stretched to the 4th and 96th percentile (its mean over 50
/// pictures), 3x3 Gaussian of deviation 1, difference to a running average (0.01 a picture, 0.2 while it calibrates, held still for
/// the first ten pictures of motion), threshold 30, dilated once, contours above 10 pixels. More than 0.8 of the picture is
/// lightning: nothing is said, and it calibrates anew.
#[derive(Default)]
pub struct RunningAverage {
    average: Vec<f32>,
    contrast: Vec<(f32, f32)>,
    calibrates: bool,
    moving: u32,
}

const HEIGHT: usize = 100;
const STRETCHED_OVER: usize = 50;
const ALPHA: f32 = 0.01;
const ALPHA_CALIBRATES: f32 = 0.2;
const THRESHOLD: f32 = 30.0;
const CONTOUR_AREA: f32 = 10.0;
const LIGHTNING: f32 = 0.8;

impl RunningAverage {
    /// Whether it moves.
    pub fn look(&mut self, plane: Plane<'_>) -> bool {
        let width = plane.width * HEIGHT / plane.height;
        let small = self.stretched(nearest(plane, width, HEIGHT));
        let small = gauss(&small, width);
        if self.average.len() != small.len() {
            self.average = small;
            self.calibrates = true;
            return false;
        }
        let changed: Vec<bool> =
            small.iter().zip(&self.average).map(|(now, usual)| (now - usual).abs() > THRESHOLD).collect();
        let contours = contours(&dilated(&changed, width), width);
        let boxes = contours.iter().filter(|&&area| area > CONTOUR_AREA).count();
        let part = contours.iter().sum::<f32>() / small.len() as f32;
        // As long as much moves in many places it does not know the scene yet.
        self.calibrates = (self.calibrates && (part > 0.05 || boxes > 4)) || part > LIGHTNING;
        self.moving = if boxes > 0 { self.moving + 1 } else { 0 };
        if boxes == 0 || self.moving >= 10 || self.calibrates {
            let alpha = if self.calibrates { ALPHA_CALIBRATES } else { ALPHA };
            self.average.iter_mut().zip(&small).for_each(|(usual, now)| *usual += (now - *usual) * alpha);
        }
        boxes > 0 && !self.calibrates
    }

    fn stretched(&mut self, pixels: Vec<u8>) -> Vec<f32> {
        let mut sorted = pixels.clone();
        sorted.sort_unstable();
        let at = |percent: usize| f32::from(sorted[(sorted.len() - 1) * percent / 100]);
        self.contrast.push((at(4), at(96)));
        if self.contrast.len() > STRETCHED_OVER {
            self.contrast.remove(0);
        }
        let count = self.contrast.len() as f32;
        let low = self.contrast.iter().map(|c| c.0).sum::<f32>() / count;
        let high = self.contrast.iter().map(|c| c.1).sum::<f32>() / count;
        let gain = if high > low { 255.0 / (high - low) } else { 1.0 };
        pixels.iter().map(|&p| ((f32::from(p) - low) * gain).clamp(0.0, 255.0)).collect()
    }
}

/// Three-frame difference on key frames (Kerberos, `machinery/src/computervision/main.go`): pixels of 640 columns that differ by
/// more than 60 from the key frame before and the one before that, more than 150 of them.
#[derive(Default)]
pub struct ThreeFrames {
    before: Vec<Vec<u8>>,
}

const COLUMNS: usize = 640;
const DIFFERS: u8 = 60;
const COUNT: usize = 150;

impl ThreeFrames {
    /// Whether it moves, from the third key frame on.
    pub fn look(&mut self, plane: Plane<'_>) -> bool {
        let now = nearest(plane, COLUMNS, plane.height * COLUMNS / plane.width);
        let moves = match self.before.as_slice() {
            [first, second] => {
                let pixels = now.iter().zip(first.iter().zip(second));
                let differs = |(&now, (&first, &second)): (&u8, (&u8, &u8))| {
                    now.abs_diff(first) > DIFFERS && now.abs_diff(second) > DIFFERS
                };
                pixels.filter(|&pixel| differs(pixel)).count() > COUNT
            }
            _ => false,
        };
        if self.before.len() == 2 {
            self.before.remove(0);
        }
        self.before.push(now);
        moves
    }
}

fn nearest(plane: Plane<'_>, width: usize, height: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = &plane.data[y * plane.height / height * plane.stride..];
        pixels.extend((0..width).map(|x| row[x * plane.width / width]));
    }
    pixels
}

/// The 3x3 kernel of deviation 1.
fn gauss(pixels: &[f32], width: usize) -> Vec<f32> {
    let height = pixels.len() / width;
    let blend = |a: f32, b: f32, c: f32| 0.274 * a + 0.452 * b + 0.274 * c;
    let across: Vec<f32> = (0..pixels.len())
        .map(|at| {
            let x = at % width;
            let left = if x == 0 { at } else { at - 1 };
            let right = if x + 1 == width { at } else { at + 1 };
            blend(pixels[left], pixels[at], pixels[right])
        })
        .collect();
    (0..pixels.len())
        .map(|at| {
            let y = at / width;
            let above = if y == 0 { at } else { at - width };
            let below = if y + 1 == height { at } else { at + width };
            blend(across[above], across[at], across[below])
        })
        .collect()
}

fn dilated(changed: &[bool], width: usize) -> Vec<bool> {
    (0..changed.len()).map(|at| neighbours(at, width, changed.len()).any(|near| changed[near])).collect()
}

fn neighbours(at: usize, width: usize, count: usize) -> impl Iterator<Item = usize> {
    let (x, y, height) = (at % width, at / width, count / width);
    (y.saturating_sub(1)..(y + 2).min(height))
        .flat_map(move |y| (x.saturating_sub(1)..(x + 2).min(width)).map(move |x| y * width + x))
}

/// Areas within the outlines of all things. An outline runs through the middle of its pixels, so by Pick's theorem its area is the
/// pixels inside, half of those on it, less one.
fn contours(changed: &[bool], width: usize) -> Vec<f32> {
    let mut seen = vec![false; changed.len()];
    let mut areas = Vec::new();
    let mut stack = Vec::new();
    for start in 0..changed.len() {
        if !changed[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        stack.push(start);
        let (mut inside, mut outline) = (0u32, 0u32);
        while let Some(at) = stack.pop() {
            let mut whole = 0;
            for near in neighbours(at, width, changed.len()).filter(|&near| changed[near]) {
                whole += 1;
                if !seen[near] {
                    seen[near] = true;
                    stack.push(near);
                }
            }
            if whole == 9 { inside += 1 } else { outline += 1 }
        }
        areas.push((inside as f32 + outline as f32 / 2.0 - 1.0).max(0.0));
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(pixels: &[u8], width: usize) -> Plane<'_> {
        Plane { data: pixels, stride: width, width, height: pixels.len() / width }
    }

    fn picture(width: usize, height: usize, block: Option<usize>) -> Vec<u8> {
        let inside =
            |x: usize, y: usize| block.is_some_and(|left| (left..left + 60).contains(&x) && (80..200).contains(&y));
        let level = |at: usize| {
            let (x, y) = (at % width, at / width);
            if inside(x, y) { 240 } else { 40 + ((x / 40 + y / 40) % 4 * 30) as u8 }
        };
        (0..width * height).map(level).collect()
    }

    #[test]
    fn the_running_average_finds_a_block_and_leaves_lightning_out() {
        let mut frigate = RunningAverage::default();
        let empty = picture(640, 360, None);
        for _ in 0..10 {
            assert!(!frigate.look(plane(&empty, 640)));
        }
        assert!(frigate.look(plane(&picture(640, 360, Some(200)), 640)));
        let bright: Vec<_> = empty.iter().map(|&p| 255 - p).collect();
        let mut frigate = RunningAverage::default();
        for _ in 0..10 {
            frigate.look(plane(&empty, 640));
        }
        assert!(!frigate.look(plane(&bright, 640)));
    }

    #[test]
    fn a_contour_is_counted_as_its_polygon() {
        let block = |wide: usize, high: usize| -> Vec<bool> {
            (0..400).map(|at| (2..2 + wide).contains(&(at % 20)) && (2..2 + high).contains(&(at / 20))).collect()
        };
        assert_eq!(contours(&block(5, 4), 20), [12.0]);
        assert_eq!(contours(&block(1, 1), 20), [0.0]);
    }

    #[test]
    fn three_key_frames_must_differ_from_each_other() {
        let mut three = ThreeFrames::default();
        let shown = |three: &mut ThreeFrames, block| three.look(plane(&picture(640, 360, block), 640));
        assert!(!shown(&mut three, None) && !shown(&mut three, None));
        assert!(shown(&mut three, Some(100)));
        assert!(!shown(&mut three, Some(100)), "who stands is not seen");
        assert!(shown(&mut three, Some(300)));
    }
}
