//! What the camera looks at: a quiet garden in which a box crosses the picture at known times, or the frames of a file.

use std::time::Duration;

use crate::pattern::Luma;

/// When the box moves: for the first `moving` of every `every`, or of each that chance picks.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    /// The length of one crossing.
    pub moving: Duration,
    /// From the start of one crossing to the start of the next.
    pub every: Duration,
    /// The quiet before the first crossing.
    pub quiet: Duration,
    /// Half of the crossings are left out, others for every number; none if there is none.
    pub seed: Option<u64>,
}

impl Motion {
    /// How far the box has come (0..1) at this time since the start; nothing while all is quiet.
    pub fn progress(&self, at: Duration) -> Option<f32> {
        let every = self.every.as_secs_f32();
        let since = at.checked_sub(self.quiet)?.as_secs_f32();
        let into = if every > 0.0 { since % every } else { since };
        let number = if every > 0.0 { (since / every) as u64 } else { 0 };
        let moving = self.moving.as_secs_f32();
        (moving > 0.0 && into < moving && self.happens(number)).then(|| into / moving)
    }

    /// When crossings begin, since the start.
    pub fn begins(&self) -> impl Iterator<Item = Duration> + use<> {
        let Self { moving, every, quiet, .. } = *self;
        let motion = *self;
        let count = match (moving.is_zero(), every.is_zero()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => u32::MAX,
        };
        let picked = (0..count).filter(move |n| motion.happens((*n).into()));
        picked.map_while(move |n| every.checked_mul(n)?.checked_add(quiet))
    }

    /// Whether the box crosses at its `number`-th time.
    fn happens(&self, number: u64) -> bool {
        let Some(seed) = self.seed else { return true };
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut z = seed.wrapping_add((number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) & 1 == 1
    }
}

/// The garden: made once, copied into every frame.
pub struct Garden {
    background: Vec<u8>,
    width: usize,
    height: usize,
    noise: u8,
    motion: Motion,
    seed: u32,
}

impl Garden {
    /// A garden of this size whose sensor adds up to `noise` levels to every sample.
    pub fn new(width: usize, height: usize, noise: u8, motion: Motion) -> Self {
        let mut background = Vec::with_capacity(width * height);
        let mut seed = 0x9E37_79B9;
        for y in 0..height {
            for x in 0..width {
                // Sky above, hedge below, with leaves of a few samples.
                let leaf = hash((x as u32 / 6) << 16 | (y as u32 / 6)) % 40;
                let base = if y < height / 3 { 150 + (y * 40 / height) as u32 } else { 70 + leaf };
                background.push((base + next(&mut seed) % 4) as u8);
            }
        }
        Self { background, width, height, noise, motion, seed }
    }

    /// Draws the garden as it looks at this time since the start.
    pub fn draw(&mut self, luma: &mut Luma<'_>, at: Duration) {
        for (y, row) in self.background.chunks_exact(self.width).enumerate() {
            let start = y * luma.stride;
            if let Some(out) = luma.samples.get_mut(start..start + self.width) {
                out.copy_from_slice(row);
                if self.noise > 0 {
                    add_noise(out, self.noise, &mut self.seed);
                }
            }
        }
        if let Some(progress) = self.motion.progress(at) {
            let (w, h) = (self.width / 10, self.height / 4);
            let left = (progress * (self.width - w) as f32) as usize;
            let top = self.height / 2;
            luma.fill(left, top, w, h, 210);
            luma.fill(left + w / 4, top + h / 8, w / 2, h / 4, 60);
        }
    }
}

fn add_noise(row: &mut [u8], noise: u8, seed: &mut u32) {
    for samples in row.chunks_mut(4) {
        let random = next(seed).to_le_bytes();
        for (sample, r) in samples.iter_mut().zip(random) {
            *sample = sample.saturating_add(r % (noise + 1));
        }
    }
}

fn hash(value: u32) -> u32 {
    let mut x = value.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^ x >> 16
}

fn next(seed: &mut u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MOTION: Motion = Motion {
        moving: Duration::from_secs(4),
        every: Duration::from_secs(20),
        quiet: Duration::from_secs(5),
        seed: None,
    };

    #[test]
    fn the_box_moves_when_it_should() {
        let at = |seconds| MOTION.progress(Duration::from_secs_f32(seconds));
        assert_eq!(at(0.0), None);
        assert_eq!(at(4.9), None);
        assert_eq!(at(5.0), Some(0.0));
        assert!((at(7.0).unwrap() - 0.5).abs() < 1e-3);
        assert_eq!(at(9.5), None);
        assert!(at(26.0).is_some());
        for begin in MOTION.begins().take(3) {
            assert!(MOTION.progress(begin).is_some_and(|way| way < 1e-3));
            assert_eq!(MOTION.progress(begin - Duration::from_millis(1)), None);
        }
        assert_eq!(Motion { moving: Duration::ZERO, ..MOTION }.begins().count(), 0);
        assert_eq!(Motion { every: Duration::ZERO, ..MOTION }.begins().count(), 1);
    }

    #[test]
    fn chance_leaves_out_about_half_the_same_for_the_same_number() {
        let motion = |seed| Motion { seed: Some(seed), ..MOTION };
        let begins = |seed| motion(seed).begins().take_while(|at| at.as_secs() < 20_000).collect::<Vec<_>>();
        assert!((400..600).contains(&begins(7).len()));
        assert_eq!(begins(7), begins(7));
        assert_ne!(begins(7), begins(8));
        for begin in begins(7).into_iter().take(20) {
            assert!(motion(7).progress(begin + Duration::from_secs(1)).is_some());
        }
        let moved = (0..1000).filter(|n| motion(7).progress(Duration::from_secs(n * 20 + 6)).is_some());
        assert_eq!(moved.count(), begins(7).len());
    }

    #[test]
    fn quiet_frames_differ_by_noise_only_and_moving_ones_by_more() {
        let (width, height) = (320, 180);
        let mut garden = Garden::new(width, height, 2, MOTION);
        let mut draw = |seconds| {
            let mut samples = vec![0; width * height];
            let mut luma = Luma { samples: &mut samples, stride: width, width, height };
            garden.draw(&mut luma, Duration::from_secs(seconds));
            samples
        };
        let (quiet, again, moving) = (draw(1), draw(2), draw(7));
        let far = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) > 20).count();
        assert_eq!(far(&quiet, &again), 0);
        assert!(far(&quiet, &moving) > width * height / 100);
    }
}
