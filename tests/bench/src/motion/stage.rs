//! Draws a scene, frame by frame, at the size of a stream. Brightness only: the detector sees nothing else.

use privet_demo::Trouble;

use super::cutout::Cutout;
use super::place::{LEAVES, Plane, Texture};
use super::random::Random;
use super::scene::{Actor, Air, FPS, Lens, Light, Moment, Scene};

/// Blurred plates between which going out of focus moves.
const BLURS: usize = 4;
/// Values of noise; each row of each frame begins somewhere else in it.
const GRAIN: usize = 1 << 16;
/// A blotch's side in a picture of 1920 pixels.
const BLOTCH: usize = 12;

/// A scene that is being drawn.
pub struct Stage<'a> {
    scene: &'a Scene,
    cast: &'a [Cutout],
    width: usize,
    height: usize,
    plates: Vec<Plane>,
    infrared: Option<Plane>,
    /// How much of the lamp's light falls where, 0 to 255.
    lamp: Vec<u8>,
    /// Phase of each leaf's sway, and whether there is one.
    leaves: Vec<u8>,
    grain: Vec<i8>,
    blotches: Vec<f32>,
    random: Random,
    still: Vec<u8>,
}

impl<'a> Stage<'a> {
    /// Everything that is the same in all frames.
    ///
    /// # Errors
    /// [`Trouble`] when a cut can't be read.
    pub fn new(scene: &'a Scene, cast: &'a [Cutout], width: usize, height: usize) -> Result<Self, Trouble> {
        let plate = scene.place.plane(width, height)?;
        let mut plates = vec![plate];
        if matches!(scene.lens, Lens::Defocused(_)) {
            for step in 1..=BLURS {
                let blurred = plates[0].blurred(step * width / 220);
                plates.push(blurred);
            }
        }
        let infrared = matches!(scene.light, Light::Infrared { .. }).then(|| infrared(&plates[0]));
        let lamp = match scene.light {
            // In the middle of the ceiling, and nowhere dark.
            Light::Switch { .. } => shine(width, height, 0.5, 0.1, 0.9),
            Light::Lamp { .. } => shine(width, height, 0.24, 0.42, 0.2),
            _ => Vec::new(),
        };
        let mut random = Random::new(scene.seed ^ width as u64);
        // What a camera averages for its substream has less noise.
        let noise = scene.noise * if width < 1_000 { 0.5 } else { 1.0 };
        let grain = (0..GRAIN + width).map(|_| (random.normal() * noise).round().clamp(-120.0, 120.0) as i8).collect();
        let leaves = if matches!(scene.air, Air::Wind(_)) { leaves(width, height) } else { Vec::new() };
        let still = vec![0; width * height];
        let blotches = Vec::new();
        Ok(Self { scene, cast, width, height, plates, infrared, lamp, leaves, grain, blotches, random, still })
    }

    /// Draws the `n`-th frame.
    pub fn draw(&mut self, n: usize, frame: &mut [u8]) {
        let t = n as f32 / FPS as f32;
        let moment = self.scene.at(t);
        let mut still = std::mem::take(&mut self.still);
        self.draw_place(&moment, t, &mut still);
        for actor in &self.scene.actors {
            self.draw_actor(actor, t, &mut still);
        }
        self.light(&moment, &mut still);
        if let Air::Rain(streaks) = self.scene.air {
            self.rain(streaks, &mut still);
        }
        self.cover(moment.cover, &mut still);
        self.shift(&moment, &still, frame);
        self.still = still;
        self.blotch(frame);
        for row in frame.chunks_mut(self.width) {
            let start = self.random.below(GRAIN);
            for (pixel, &grain) in row.iter_mut().zip(&self.grain[start..]) {
                *pixel = (i16::from(*pixel) + i16::from(grain)).clamp(0, 255) as u8;
            }
        }
    }

    fn draw_place(&self, moment: &Moment, t: f32, still: &mut [u8]) {
        let plate = match &self.infrared {
            Some(infrared) if moment.infrared => infrared,
            _ => &self.plates[0],
        };
        if moment.blur > 0.0 && self.plates.len() > 1 {
            let step = (moment.blur * BLURS as f32).min(BLURS as f32 - 0.01);
            let part = (step.fract() * 256.0) as u16;
            let (sharper, softer) = (&self.plates[step as usize].pixels, &self.plates[step as usize + 1].pixels);
            for ((to, &a), &b) in still.iter_mut().zip(sharper).zip(softer) {
                *to = ((u16::from(a) * (256 - part) + u16::from(b) * part) >> 8) as u8;
            }
            return;
        }
        still.copy_from_slice(&plate.pixels);
        if moment.wind > 0.0 && !self.leaves.is_empty() {
            self.sway(plate, moment.wind * self.width as f32, t, still);
        }
    }

    /// Leaves are shown as they are some pixels further; each twig sways by itself.
    fn sway(&self, plate: &Plane, amplitude: f32, t: f32, still: &mut [u8]) {
        let mut across = [0i32; 256];
        let mut along = [0i32; 256];
        for phase in 0..256 {
            let (angle, pace) = (phase as f32 / 255.0 * 19.0, 5.0 + (phase % 7) as f32 * 0.6);
            across[phase] = (amplitude * (t * pace + angle).sin()).round() as i32;
            along[phase] = (amplitude * 0.5 * (t * pace * 1.3 + angle * 2.0).sin()).round() as i32;
        }
        let [left, top, right, bottom] = LEAVES;
        let columns = (left * self.width as f32) as usize..(right * self.width as f32) as usize;
        for y in (top * self.height as f32) as usize..(bottom * self.height as f32) as usize {
            for x in columns.clone() {
                let at = y * self.width + x;
                let phase = self.leaves[at] as usize;
                let from_x = (x as i32 + across[phase]).clamp(0, self.width as i32 - 1) as usize;
                let from_y = (y as i32 + along[phase]).clamp(0, self.height as i32 - 1) as usize;
                still[at] = plate.pixels[from_y * self.width + from_x];
            }
        }
    }

    fn draw_actor(&self, actor: &Actor, t: f32, still: &mut [u8]) {
        let Some((x, y)) = actor.position(t) else { return };
        let pictures = &self.cast[actor.who].pictures;
        let picture = &pictures[actor.step(t, pictures.len())];
        let scale = actor.height * self.height as f32 / picture.height as f32;
        let left = x * self.width as f32 - picture.width as f32 * scale / 2.0;
        let top = (y - actor.height) * self.height as f32;
        let rows = top.max(0.0) as usize..((top + picture.height as f32 * scale).max(0.0) as usize).min(self.height);
        let right = ((left + picture.width as f32 * scale).max(0.0) as usize).min(self.width);
        for row in rows {
            let from_y = (((row as f32 + 0.5 - top) / scale) as usize).min(picture.height - 1);
            for column in left.max(0.0) as usize..right {
                let mut from_x = (((column as f32 + 0.5 - left) / scale) as usize).min(picture.width - 1);
                if actor.mirrored {
                    from_x = picture.width - 1 - from_x;
                }
                let from = from_y * picture.width + from_x;
                let (alpha, to) = (u32::from(picture.alpha[from]), &mut still[row * self.width + column]);
                let level = (f32::from(picture.luma[from]) + actor.paler).min(255.0) as u32;
                *to = ((level * alpha + u32::from(*to) * (255 - alpha)) / 255) as u8;
            }
        }
    }

    fn light(&self, moment: &Moment, still: &mut [u8]) {
        if moment.lamp > 0.0 && !self.lamp.is_empty() {
            let (gain, lamp) = ((moment.gain * 256.0) as u32, (moment.lamp * 256.0) as u32);
            for (pixel, &shine) in still.iter_mut().zip(&self.lamp) {
                *pixel = ((u32::from(*pixel) * (gain + ((lamp * u32::from(shine)) >> 8))) >> 8).min(255) as u8;
            }
        } else if moment.gain != 1.0 {
            let mut table = [0u8; 256];
            for (level, to) in table.iter_mut().enumerate() {
                *to = (level as f32 * moment.gain).min(255.0) as u8;
            }
            still.iter_mut().for_each(|pixel| *pixel = table[*pixel as usize]);
        }
    }

    fn rain(&mut self, streaks: usize, still: &mut [u8]) {
        for _ in 0..streaks {
            // Most drops are far and thin, some are near and wide.
            let near = self.random.part().powi(4);
            let long = (self.height as f32 * (0.03 + 0.12 * near)) as usize;
            let wide = ((self.width as f32 * (0.0006 + 0.004 * near)) as usize).max(1);
            let (x, y) = (self.random.below(self.width - wide), self.random.below(self.height));
            let light = 20 + (30.0 * near) as u8;
            for (row, lean) in (y..(y + long).min(self.height)).zip(0..) {
                let start = row * self.width + (x + lean / 9).min(self.width - wide);
                still[start..start + wide].iter_mut().for_each(|pixel| *pixel = pixel.saturating_add(light));
            }
        }
    }

    /// A cloth that comes down from above.
    fn cover(&self, part: f32, still: &mut [u8]) {
        let rows = (part * self.height as f32) as usize;
        for (at, pixel) in still[..rows * self.width].iter_mut().enumerate() {
            *pixel = 14 + (at % self.width * 10 / self.width) as u8;
        }
    }

    fn shift(&self, moment: &Moment, still: &[u8], frame: &mut [u8]) {
        let across = (moment.shift.0 * self.width as f32).round() as isize;
        let along = (moment.shift.1 * self.width as f32).round() as isize;
        for (y, to) in frame.chunks_mut(self.width).enumerate() {
            let row = (y as isize + along).clamp(0, self.height as isize - 1) as usize;
            let from = &still[row * self.width..(row + 1) * self.width];
            let count = self.width - across.unsigned_abs();
            if across >= 0 {
                to[..count].copy_from_slice(&from[self.width - count..]);
                to[count..].fill(from[self.width - 1]);
            } else {
                to[self.width - count..].copy_from_slice(&from[..count]);
                to[..self.width - count].fill(from[0]);
            }
        }
    }

    /// Noise in coarse grains that stays for some frames, as a camera's own noise filter leaves it.
    fn blotch(&mut self, frame: &mut [u8]) {
        if self.scene.blotches == 0.0 {
            return;
        }
        let side = (BLOTCH * self.width / 1920).max(2);
        let (wide, high) = (self.width / side + 2, self.height / side + 1);
        if self.blotches.is_empty() {
            self.blotches = (0..wide * high).map(|_| self.random.normal() * self.scene.blotches).collect();
        }
        for value in &mut self.blotches {
            *value = 0.7 * *value + 0.714 * self.random.normal() * self.scene.blotches;
        }
        let mut line = vec![0i16; self.width];
        for (y, row) in frame.chunks_mut(self.width).enumerate() {
            if y % side == 0 {
                let values = &self.blotches[y / side * wide..];
                for (x, to) in line.iter_mut().enumerate() {
                    let part = (x % side) as f32 / side as f32;
                    *to = (values[x / side] * (1.0 - part) + values[x / side + 1] * part).round() as i16;
                }
            }
            for (pixel, &value) in row.iter_mut().zip(&line) {
                *pixel = (i16::from(*pixel) + value).clamp(0, 255) as u8;
            }
        }
    }
}

/// What infrared shows: leaves and grass bright, the sky dark, other contrast.
fn infrared(plate: &Plane) -> Plane {
    let mut pixels = Vec::with_capacity(plate.pixels.len());
    for (at, &level) in plate.pixels.iter().enumerate() {
        let down = at as f32 / plate.pixels.len() as f32;
        let level = f32::from(level);
        let to = if down < 0.28 { level * 0.35 } else { 60.0 + (level - 60.0) * 0.7 + 70.0 * (1.0 - down) };
        pixels.push(to.clamp(0.0, 255.0) as u8);
    }
    Plane { pixels, ..*plate }
}

fn shine(width: usize, height: usize, x: f32, y: f32, reach: f32) -> Vec<u8> {
    let mut shine = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let across = column as f32 / width as f32 - x;
            let along = (row as f32 / height as f32 - y) * 9.0 / 16.0;
            let far = across.hypot(along) / reach;
            shine.push((255.0 * (-2.5 * far * far).exp()) as u8);
        }
    }
    shine
}

fn leaves(width: usize, height: usize) -> Vec<u8> {
    let texture = Texture::new(9);
    let mut phases = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            phases.push(((texture.at(u * 36.0, v * 20.0) + 0.5) * 255.0) as u8);
        }
    }
    phases
}
