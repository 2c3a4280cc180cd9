//! Pixels: what each one usually shows, how much it flickers, and which differ now.

/// Fixed point: levels times this.
pub(super) const ONE: i32 = 256;
/// The background takes a change over in about this time.
const BACKGROUND_US: i64 = 20_000_000;
/// A pixel's noise is averaged over about this time.
const NOISE_US: i64 = 8_000_000;
/// So much slower is noise learnt where something moves: a tree in the wind falls silent in half a minute, a person who crosses
/// leaves no trace.
const SLOWER_IN_MOTION: i32 = 6;
/// No single change counts for more noise than this.
const MOST_NOISE: i32 = 60 * ONE;

/// A pixel differs from the picture just before.
pub(super) const FAST: u8 = 0x01;
/// A pixel differs from the background.
pub(super) const SLOW: u8 = 0x10;

/// What is known of each pixel.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    /// Usual level, fixed point.
    background: Vec<u16>,
    /// Mean absolute difference from picture to picture, fixed point.
    noise: Vec<u16>,
    /// [`FAST`] and [`SLOW`] of each pixel.
    pub(super) flags: Vec<u8>,
}

/// What a picture is compared with.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    /// Lowest level that each pixel may have had; with [`Self::high`] the same, unless the camera shakes.
    pub(super) low: &'a [u8],
    /// And the highest.
    pub(super) high: &'a [u8],
}

/// How a comparison is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// Fixed point.
    pub(super) threshold: i32,
    /// In sixteenths.
    pub(super) noise_factor: i32,
}

/// How many pixels became brighter and darker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changes {
    pub(super) brighter: u32,
    pub(super) darker: u32,
}

impl Changes {
    pub(super) fn total(self) -> u32 {
        self.brighter + self.darker
    }

    /// 0 for as many up as down, 1 for all in one direction.
    pub(super) fn balance(self) -> f32 {
        self.brighter.abs_diff(self.darker) as f32 / self.total().max(1) as f32
    }
}

impl Levels {
    pub(super) fn begin(&mut self, picture: &[u8]) {
        self.noise.clear();
        self.noise.resize(picture.len(), (2 * ONE) as u16);
        self.forget(picture);
    }

    /// The background is what there is now.
    pub(super) fn forget(&mut self, picture: &[u8]) {
        self.background.clear();
        self.background.extend(picture.iter().map(|&p| u16::from(p) << 8));
    }

    /// Marks the pixels that differ. `open` is 0 where a mask lies and 255 elsewhere.
    pub(super) fn compare(&mut self, now: &[u8], before: Before<'_>, open: &[u8], bar: Bar) -> Changes {
        // A slow change of exposure moves all levels alike.
        let (drift, slow_drift) = (self.drift(now, before), self.slow_drift(now));
        self.flags.clear();
        self.flags.resize(now.len(), 0);
        let (mut brighter, mut darker) = (0u32, 0u32);
        let known = self.background.iter().zip(&self.noise);
        let seen = now.iter().zip(before.low.iter().zip(before.high)).zip(open);
        for ((flag, (&level, &noise)), ((&now, (&low, &high)), &open)) in self.flags.iter_mut().zip(known).zip(seen) {
            let bar = bar.threshold.max((i32::from(noise) * bar.noise_factor) >> 4);
            let (now, low, high) = (i32::from(now) * ONE, i32::from(low) * ONE, i32::from(high) * ONE);
            let open = i32::from(open) & 1;
            brighter += (i32::from(now - high > bar) & open) as u32;
            darker += (i32::from(low - now > bar) & open) as u32;
            let fast = i32::from(now - drift - high > bar) | i32::from(low - now + drift > bar);
            let slow = (now - i32::from(level) - slow_drift).abs() > bar + bar / 4 + (high - low);
            *flag = ((fast | i32::from(slow) << 4) & (open * 0x11)) as u8;
        }
        Changes { brighter, darker }
    }

    /// The change from the picture before that the whole picture shares; single large changes count little.
    fn drift(&self, now: &[u8], before: Before<'_>) -> i32 {
        let sum: i32 = now
            .iter()
            .zip(before.low.iter().zip(before.high))
            .map(|(&now, (&low, &high))| {
                let (now, low, high) = (i16::from(now), i16::from(low), i16::from(high));
                i32::from(((now - high).max(0) + (now - low).min(0)).clamp(-12, 12))
            })
            .sum();
        i32::try_from(i64::from(sum) * i64::from(ONE) / now.len().max(1) as i64).unwrap_or(0)
    }

    fn slow_drift(&self, now: &[u8]) -> i32 {
        let sum: i32 = now
            .iter()
            .zip(&self.background)
            .map(|(&now, &level)| ((i32::from(now) * ONE - i32::from(level)) >> 4).clamp(-12 * 16, 12 * 16))
            .sum();
        i32::try_from(i64::from(sum) * 16 / now.len().max(1) as i64).unwrap_or(0)
    }

    /// Background and noise move towards the picture, by the time that passed. `held` says for each pixel whether it belongs to
    /// something that moves ([`FAST`]) or stands out ([`SLOW`]): that is left alone, or it would leave a ghost when it goes.
    pub(super) fn learn(&mut self, now: &[u8], before: &[u8], held: &[u8], passed_us: i64) {
        let rate = |over: i64| i32::try_from(passed_us * 65_536 / over).unwrap_or(65_536).clamp(16, 32_767);
        let (background_rate, noise_rate) = (rate(BACKGROUND_US), rate(NOISE_US));
        let rates = [noise_rate, noise_rate / SLOWER_IN_MOTION];
        let known = self.background.iter_mut().zip(&mut self.noise);
        for (((level, noise), &held), (&now, &before)) in known.zip(held).zip(now.iter().zip(before)) {
            let (now, before) = (i32::from(now) * ONE, i32::from(before) * ONE);
            let free = i32::from(held == 0);
            let from = i32::from(*level);
            *level = (from + ((((now - from) * background_rate) >> 16) * free)) as u16;
            let moving = i32::from(held & FAST);
            let rate = rates[0] * (1 - moving) + rates[1] * moving;
            let from = i32::from(*noise);
            *noise = (from + ((((now - before).abs().min(MOST_NOISE) - from) * rate) >> 16)) as u16;
        }
    }

    /// What this pixel usually shows, fixed point.
    pub(super) fn usual(&self, pixel: usize) -> Option<i32> {
        self.background.get(pixel).map(|&level| i32::from(level))
    }

    /// What this pixel shows now is its background.
    pub(super) fn absorb(&mut self, pixel: usize, now: u8) {
        if let Some(level) = self.background.get_mut(pixel) {
            *level = u16::from(now) << 8;
        }
    }
}
