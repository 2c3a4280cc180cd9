//! What changes the picture and is no motion: light, the camera's switch to infrared, a camera that shakes.

use super::levels::Changes;

/// More than this part of the picture, nearly all in one direction, is light.
const LIGHT_AREA: f32 = 0.25;
const LIGHT_BALANCE: f32 = 0.75;
/// More than this part of the picture in whatever direction is the camera itself: moved, or switched to infrared.
const UPHEAVAL_AREA: f32 = 0.7;
/// So does less of it, spread over so much of the picture.
const WIDE_AREA: f32 = 0.4;
const WIDE_SPREAD: f32 = 0.85;
/// Things do not move in so many places at once: the camera may be shaking.
pub(super) const SHAKE_SPREAD: f32 = 0.2;
/// It was, if so little of the change is left when each pixel may come from a place nearby.
pub(super) const SHAKE_LEFT: f32 = 0.35;

/// Whether the picture changed as a whole. `area` and `spread` are parts of the picture.
pub(super) fn is_light(changes: Changes, area: f32, spread: f32) -> bool {
    (area > LIGHT_AREA && changes.balance() > LIGHT_BALANCE)
        || area > UPHEAVAL_AREA
        || (area > WIDE_AREA && spread > WIDE_SPREAD)
}

/// Lowest and highest level within two pixels of each pixel: what it may show when the camera shakes.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbourhood {
    pub(super) low: Vec<u8>,
    pub(super) high: Vec<u8>,
    spare: Vec<u8>,
}

impl Neighbourhood {
    pub(super) fn of(&mut self, pixels: &[u8], width: usize) {
        pixels.clone_into(&mut self.low);
        pixels.clone_into(&mut self.high);
        for _ in 0..2 {
            widen(&mut self.low, &mut self.spare, width, u8::min);
            widen(&mut self.high, &mut self.spare, width, u8::max);
        }
    }
}

/// Each pixel takes the extreme of itself and its eight neighbours.
fn widen(pixels: &mut Vec<u8>, spare: &mut Vec<u8>, width: usize, extreme: fn(u8, u8) -> u8) {
    if width == 0 {
        return;
    }
    pixels.clone_into(spare);
    for (to, from) in pixels.chunks_mut(width).zip(spare.chunks(width)) {
        for (to, &next) in to.iter_mut().zip(from.get(1..).unwrap_or_default()) {
            *to = extreme(*to, next);
        }
        for (to, &last) in to.iter_mut().skip(1).zip(from) {
            *to = extreme(*to, last);
        }
    }
    pixels.clone_into(spare);
    for (to, &below) in pixels.iter_mut().zip(spare.get(width..).unwrap_or_default()) {
        *to = extreme(*to, below);
    }
    for (to, &above) in pixels.iter_mut().skip(width).zip(spare.iter()) {
        *to = extreme(*to, above);
    }
}
