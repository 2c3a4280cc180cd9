//! What changes the picture and is no motion: light, the camera's switch to infrared, a camera that shakes.

use super::cells::Cells;
use super::levels::{Changes, FAST};

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
/// Where there are few edges, a shake moves little, but in so many blocks of the picture as nobody is in at once.
pub(super) const SHAKE_BLOCKS: usize = 5;
/// It was, if so little of the change is left when each pixel may come from a place nearby.
pub(super) const SHAKE_LEFT: f32 = 0.35;

/// Mean square of the steps from pixel to pixel, in levels, from which a place has texture to tell by.
const TEXTURE: f32 = 12.0;
/// Light leaves the texture where it was: as a correlation of the steps before and after.
const KEPT: f32 = 0.25;
/// A picture that is as dark as this went dark as a whole: nothing can be told by its texture.
const BLACK: f32 = 24.0;

/// Whether the picture changed as a whole. `area` and `spread` are parts of the picture; `hidden` says whether the change hides what
/// was there.
pub(super) fn is_light(changes: Changes, area: f32, spread: f32, hidden: impl FnOnce() -> bool) -> bool {
    area > UPHEAVAL_AREA
        || (area > WIDE_AREA && spread > WIDE_SPREAD)
        || (area > LIGHT_AREA && changes.balance() > LIGHT_BALANCE && !hidden())
}

/// Whether where it changed (`flags`) the texture that was there is gone: something large is in front of it. Light and shade only make
/// it weaker or stronger.
pub(super) fn is_hidden(now: &[u8], before: &[u8], flags: &[u8]) -> bool {
    let mean = now.iter().map(|&level| u64::from(level)).sum::<u64>() as f32 / now.len().max(1) as f32;
    if mean < BLACK {
        return false;
    }
    let (mut count, mut was, mut is, mut both) = (0u32, 0i64, 0i64, 0i64);
    let pairs = now.windows(2).zip(before.windows(2)).zip(flags.windows(2));
    for ((now, before), _) in pairs.filter(|(_, flags)| flags[0] & flags[1] & FAST != 0) {
        let step = |pair: &[u8]| i64::from(pair[1]) - i64::from(pair[0]);
        let (now, before) = (step(now), step(before));
        count += 1;
        was += before * before;
        is += now * now;
        both += now * before;
    }
    let kept = both as f32 / ((was as f32) * (is as f32)).sqrt().max(1.0);
    was as f32 > TEXTURE * count.max(1) as f32 && kept < KEPT
}

/// Light explains more than this part of the steps from pixel to pixel where it changed, or there are none.
const EXPLAINED: f32 = 0.5;

/// Whether there are steps from pixel to pixel, where it changed and at the outline, that were not there before, not even weaker or
/// stronger. A lamp's light has a soft outline and leaves the texture; a thing brings its own.
pub(super) fn is_new(now: &[u8], before: &[u8], cells: &Cells, width: usize) -> bool {
    let (mut count, mut was, mut is, mut both) = (0u32, 0i64, 0i64, 0i64);
    let rows = now.chunks_exact(width.max(1)).zip(before.chunks_exact(width.max(1)));
    for ((now, before), marks) in rows.step_by(2).zip(cells.marks.chunks(cells.wide.max(1))) {
        for (pair, _) in marks.windows(2).enumerate().filter(|(_, marks)| (marks[0] | marks[1]) & FAST != 0) {
            let at = pair * 2;
            for at in at..(at + 3).min(width - 1) {
                let (now, before) =
                    (i64::from(now[at + 1]) - i64::from(now[at]), i64::from(before[at + 1]) - i64::from(before[at]));
                count += 1;
                was += before * before;
                is += now * now;
                both += now * before;
            }
        }
    }
    // What is left when the earlier steps, times what fits best, are taken away.
    let left = is as f32 - (both as f32).powi(2) / (was as f32).max(1.0);
    left > TEXTURE * count.max(1) as f32 && left > (1.0 - EXPLAINED) * is as f32
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
