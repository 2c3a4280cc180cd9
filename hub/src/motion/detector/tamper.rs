//! Covered, defocused, moved: the edges of the picture against the edges it has had for a long time.
//!
//! Light makes edges weaker or stronger, but leaves them where they are. Something over the lens takes them away and leaves
//! nothing; a lens out of focus takes the sharp ones away and leaves the coarse picture; a camera that was turned has other ones.

use crate::source::Tamper;

/// Between two looks.
const EVERY_US: i64 = 1_000_000;
/// The view is known after so long.
const KNOWN_US: i64 = 10_000_000;
/// The view's edges are averaged over about this time.
const VIEW_US: i64 = 300_000_000;
/// Steeper than noise, in levels.
const NOISE_EDGE: u8 = 6;
/// Mean edge per pixel, fixed point, below which a scene has nothing to tell by: a white wall, a dark room.
const FEATURELESS: u64 = 64;
/// So long it must stay so.
const COVERED_US: i64 = 4_000_000;
const DEFOCUSED_US: i64 = 6_000_000;
const MOVED_US: i64 = 8_000_000;
/// In the dark: it may be the night, or a lamp that was switched off before the camera's infrared came on.
const DARK_US: i64 = 60_000_000;
const DARK: u32 = 24;
/// A view that stays other for so long is the view.
const NEW_VIEW_US: i64 = 600_000_000;
const FIELDS: usize = 256;
const ONE: u32 = 64;

/// Watches over the view.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// Usual edge of each pixel, fixed point.
    view: Vec<u16>,
    edges: Vec<u8>,
    /// Usual brightness of 16 x 16 fields.
    coarse: Vec<f32>,
    began_us: i64,
    last_us: i64,
    suspicion: Option<(Tamper, i64)>,
    /// Said, and not good since.
    told: Option<i64>,
}

impl Watch {
    /// Another picture size, or time went back.
    pub(super) fn begin(&mut self, pts_us: i64) {
        *self = Self { began_us: pts_us, last_us: pts_us, ..Self::default() };
    }

    /// Looks about once a second. Something that is near and moves hides the view too, so `moving` makes it wait.
    pub(super) fn look(&mut self, picture: &[u8], width: usize, pts_us: i64, moving: bool) -> Option<Tamper> {
        if pts_us - self.last_us < EVERY_US || width == 0 || picture.is_empty() {
            return None;
        }
        let passed_us = pts_us - self.last_us;
        self.last_us = pts_us;
        edges(picture, width, &mut self.edges);
        let coarse = coarse(picture, width);
        if self.view.len() != picture.len() {
            self.view = self.edges.iter().map(|&edge| u16::from(edge) * ONE as u16).collect();
            self.coarse = coarse;
            return None;
        }
        if pts_us - self.began_us < KNOWN_US {
            self.learn(&coarse, passed_us, 4_000_000);
            return None;
        }
        let found = self.compare(&coarse, picture);
        let Some((how, least_us)) = found else {
            self.suspicion = None;
            self.told = None;
            if !moving {
                self.learn(&coarse, passed_us, VIEW_US);
            }
            return None;
        };
        if let Some(told_us) = self.told {
            if pts_us - told_us > NEW_VIEW_US {
                self.begin(pts_us);
            }
            return None;
        }
        let since = match self.suspicion {
            // Whatever hides the view may pass through several of these on its way.
            Some((before, since)) if before == how && !(moving && how == Tamper::Moved) => since,
            _ => pts_us,
        };
        self.suspicion = Some((how, since));
        if pts_us - since < least_us {
            return None;
        }
        self.told = Some(pts_us);
        Some(how)
    }

    fn learn(&mut self, coarse: &[f32], passed_us: i64, over_us: i64) {
        let part = (passed_us as f32 / over_us as f32).min(0.5);
        let rate = ((part * 65_536.0) as i32).max(64);
        for (usual, &edge) in self.view.iter_mut().zip(&self.edges) {
            let from = i32::from(*usual);
            *usual = (from + (((i32::from(edge) * ONE as i32 - from) * rate) >> 16)) as u16;
        }
        for (usual, now) in self.coarse.iter_mut().zip(coarse) {
            *usual += (now - *usual) * part;
        }
    }

    fn compare(&self, coarse: &[f32], picture: &[u8]) -> Option<(Tamper, i64)> {
        let count = self.view.len() as u64;
        let usual: u64 = self.view.iter().map(|&edge| u64::from(edge)).sum();
        let now: u64 = self.edges.iter().map(|&edge| u64::from(edge) * u64::from(ONE)).sum();
        if usual / count < FEATURELESS {
            return None;
        }
        let ratio = now as f32 / usual as f32;
        let alike = likeness(self.view.iter().map(|&e| f32::from(e)).zip(self.edges.iter().map(|&e| f32::from(e))));
        let coarse_alike = likeness(self.coarse.iter().copied().zip(coarse.iter().copied()));
        let mean = picture.iter().map(|&p| u32::from(p)).sum::<u32>() / picture.len().max(1) as u32;
        if ratio < 0.45 && coarse_alike > 0.75 && flatness(coarse) > 4.0 {
            return Some((Tamper::Defocused, DEFOCUSED_US));
        }
        if ratio < 0.2 && alike < 0.4 {
            return Some((Tamper::Covered, if mean < DARK { DARK_US } else { COVERED_US }));
        }
        if alike < 0.3 && coarse_alike < 0.5 && ratio > 0.2 {
            return Some((Tamper::Moved, MOVED_US));
        }
        None
    }
}

/// How steep the picture is at each pixel, beyond noise.
fn edges(picture: &[u8], width: usize, edges: &mut Vec<u8>) {
    edges.clear();
    edges.resize(picture.len(), 0);
    let right = picture.get(1..).unwrap_or_default();
    let below = picture.get(width..).unwrap_or_default();
    for ((edge, &here), (&right, &below)) in edges.iter_mut().zip(picture).zip(right.iter().zip(below)) {
        let steep = here.abs_diff(right).saturating_add(here.abs_diff(below));
        *edge = steep.saturating_sub(NOISE_EDGE);
    }
    // The pixel right of a row's last is the next row's first.
    for last in edges.iter_mut().skip(width - 1).step_by(width) {
        *last = 0;
    }
}

/// Mean brightness of 16 x 16 fields.
fn coarse(picture: &[u8], width: usize) -> Vec<f32> {
    let height = picture.len() / width;
    let (mut sums, mut counts) = (vec![0u32; FIELDS], vec![0u32; FIELDS]);
    for (y, row) in picture.chunks(width).take(height).enumerate() {
        let line = y * 16 / height * 16;
        for (x, &pixel) in row.iter().enumerate() {
            let field = line + x * 16 / width;
            sums[field] += u32::from(pixel);
            counts[field] += 1;
        }
    }
    sums.iter().zip(counts).map(|(&sum, count)| sum as f32 / count.max(1) as f32).collect()
}

/// Standard deviation.
fn flatness(values: &[f32]) -> f32 {
    let count = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / count;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count).sqrt()
}

/// Correlation: 1 the same up to brightness and contrast, 0 nothing in common.
fn likeness(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut count, mut a, mut b, mut aa, mut bb, mut ab) = (0f32, 0f64, 0f64, 0f64, 0f64, 0f64);
    for (x, y) in pairs {
        let (x, y) = (f64::from(x), f64::from(y));
        count += 1.0;
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let count = f64::from(count.max(1.0));
    let spread = (aa - a * a / count) * (bb - b * b / count);
    if spread <= 0.0 { 0.0 } else { ((ab - a * b / count) / spread.sqrt()) as f32 }
}
