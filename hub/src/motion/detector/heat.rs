//! Where in the picture it moves: 16 rows of 16 fields.

use super::cells::Cells;
use super::levels::FAST;
use crate::source::HEAT_FIELDS;

const SIDE: usize = 16;

/// Of each field, the part of its cells that moves: 0 none to 255 all.
pub(super) fn heat(cells: &Cells, of_cell: impl Fn(usize) -> bool) -> Box<[u8; HEAT_FIELDS]> {
    let mut moving = [0u32; HEAT_FIELDS];
    let mut all = [0u32; HEAT_FIELDS];
    for (y, row) in cells.marks.chunks(cells.wide.max(1)).enumerate() {
        let line = y * SIDE / cells.high.max(1) * SIDE;
        for (x, mark) in row.iter().enumerate() {
            let field = line + x * SIDE / cells.wide;
            all[field] += 1;
            moving[field] += u32::from(mark & FAST != 0 && of_cell(y * cells.wide + x));
        }
    }
    let mut heat = Box::new([0; HEAT_FIELDS]);
    for ((heat, moving), all) in heat.iter_mut().zip(moving).zip(all) {
        *heat = (moving * 255).div_ceil(all.max(1)).min(255) as u8;
    }
    heat
}

/// The part of the picture's fields in which something moves.
pub(super) fn touched(heat: &[u8; HEAT_FIELDS]) -> f32 {
    heat.iter().filter(|&&field| field >= 24).count() as f32 / HEAT_FIELDS as f32
}
