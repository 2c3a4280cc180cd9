//! Zones: which cells are theirs, and for how long something has moved there.

use crate::motion::{MAX_ZONES, MotionSettings, Zone};

/// Zones that are kept apart.
pub(super) const MAX: usize = MAX_ZONES;
/// However small a zone: fewer cells are noise.
const FEWEST_CELLS: f32 = 2.0;

/// Which cells belong to which zones.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneMap {
    /// Bit `n`: belongs to the `n`-th zone.
    pub(super) of_cell: Vec<u32>,
    /// Cells that a thing must have, for each zone.
    pub(super) least: Vec<u32>,
}

impl ZoneMap {
    pub(super) fn new(zones: &[Zone], area: f32, wide: usize, high: usize) -> Self {
        let least = |cells: usize| (area * cells as f32).max(FEWEST_CELLS).round() as u32;
        if zones.is_empty() {
            return Self { of_cell: vec![1; wide * high], least: vec![least(wide * high)] };
        }
        let mut map = Self { of_cell: vec![0; wide * high], least: Vec::new() };
        for (place, zone) in zones.iter().take(MAX).enumerate() {
            let fields = zone.outline.fields(wide, high);
            for (of, held) in map.of_cell.iter_mut().zip(&fields) {
                *of |= u32::from(*held) << place;
            }
            map.least.push(least(fields.iter().filter(|&&held| held).count()));
        }
        map
    }
}

/// 255 for each pixel that no mask covers, 0 elsewhere.
pub(super) fn open_pixels(masks: &[Zone], width: usize, height: usize) -> Vec<u8> {
    let mut open = vec![255; width * height];
    for mask in masks {
        for (open, held) in open.iter_mut().zip(mask.outline.fields(width, height)) {
            *open &= u8::from(!held).wrapping_neg();
        }
    }
    open
}

/// How long motion is held, and how much of it is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) hold_us: i64,
    pub(super) loiter_us: i64,
    /// Of three pictures.
    pub(super) onset: u32,
}

impl Patience {
    pub(super) fn of(settings: &MotionSettings) -> Self {
        let expert = &settings.expert;
        Self {
            hold_us: expert.hold_us(),
            loiter_us: i64::from(expert.loiter_s.unwrap_or(20)) * 1_000_000,
            onset: u32::from(expert.onset.unwrap_or(2).clamp(1, 3)),
        }
    }
}

/// Hysteresis of one zone: motion in some of three pictures starts it; motion, or something that stands where nothing stood,
/// keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) active: bool,
    /// The last three pictures, newest in the lowest bit.
    recent: u32,
    last_motion_us: i64,
    last_fast_us: i64,
}

impl Default for Hold {
    fn default() -> Self {
        Self { active: false, recent: 0, last_motion_us: i64::MIN / 2, last_fast_us: i64::MIN / 2 }
    }
}

impl Hold {
    /// `plain`: so large that one picture is enough.
    pub(super) fn see(&mut self, pts_us: i64, fast: bool, slow: bool, plain: bool, patience: Patience) {
        self.recent = (self.recent << 1 | u32::from(fast)) & 0b111;
        if fast {
            self.last_fast_us = pts_us;
        }
        let stays = self.active && slow && pts_us - self.last_fast_us < patience.loiter_us;
        if fast || stays {
            self.last_motion_us = pts_us;
        }
        self.active = if self.active {
            pts_us - self.last_motion_us < patience.hold_us
        } else {
            plain || self.recent.count_ones() >= patience.onset
        };
    }

    /// The picture of this time showed motion that counts.
    pub(super) fn moved_at(&self, pts_us: i64) -> bool {
        self.active && self.last_motion_us == pts_us
    }

    /// Nothing of what was begun counts.
    pub(super) fn interrupt(&mut self, pts_us: i64, patience: Patience) {
        self.recent = 0;
        self.active &= pts_us - self.last_motion_us < patience.hold_us;
    }
}
