//! H.264 key frames for a decoder that is to leave the deblocking filter out, which is a good part of what decoding them costs.
//! Pure: units in, units out.
//!
//! The decoder takes no such order from outside, but the stream can give it: each slice's header says whether its edges are filtered
//! (`disable_deblocking_filter_idc`, ITU-T H.264, 7.3.3 and 7.4.3). Here it is set to 1.
//!
//! Only what nothing is built on may go this way: in pictures that refer to an unfiltered one, what is missing adds up until the next
//! key frame and falls back there, which looks like motion. The [`ration`](super::ration) tells such key frames from others; and only
//! I slices are understood here. Nothing else in the stream is touched, and nothing that the decoder keeps: where a camera's slices
//! have no such field, these refer to a parameter set of their own, which comes with them ([`sets`]).
//!
//! A unit in which anything can't be read goes through as it came.

use std::ops::Range;

use bytes::Bytes;

mod bits;
mod sets;

use bits::{Reader, Writer, escaped, unescaped, up_to_stop_bit};
use sets::{Order, PPS, Pps, SPS, Sets};

/// Bytes of the length before a NAL unit.
const LENGTH: usize = 4;
/// `nal_unit_type` of a slice.
const SLICE: u8 = 1;
/// And of one of an IDR picture.
const IDR: u8 = 5;
/// Bytes in which a slice's header ends, or it is not understood.
const HEADER: usize = 128;
/// By about so much a unit gets longer.
const LONGER: usize = 64;

/// Takes the filter out of key frames; knows their stream's parameter sets.
#[derive(Debug, Default)]
pub struct Unfiltered {
    sets: Sets,
}

impl Unfiltered {
    /// For a stream with this configuration record (ISO/IEC 14496-15, 5.3.3.1). Nothing if it can't be read. The default is for a
    /// stream whose units hold the parameter sets.
    pub fn new(avcc: &[u8]) -> Option<Self> {
        let (head, rest) = avcc.split_first_chunk::<6>()?;
        // Its version, and how long lengths are.
        if head[0] != 1 || usize::from(head[4] & 3) + 1 != LENGTH {
            return None;
        }
        let mut sets = Sets::default();
        let rest = learn(&mut sets, head[5] & 31, rest)?;
        let (count, rest) = rest.split_first()?;
        learn(&mut sets, *count, rest)?;
        Some(Self { sets })
    }

    /// The same access unit, its NAL units with 4-byte lengths, with slices that ask for no filter; or as it is, when it is no key
    /// frame or can't be read.
    pub fn unit(&mut self, unit: &Bytes) -> Bytes {
        self.rewritten(unit).map_or_else(|| unit.clone(), Bytes::from)
    }

    fn rewritten(&mut self, unit: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(unit.len() + LONGER);
        let (mut rest, mut slices, mut changed, mut referred_to) = (unit, 0, false, None);
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<LENGTH>()?;
            let (nal, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            rest = after;
            match nal.first()? & 31 {
                SLICE | IDR => {
                    let (head, _) = unescaped(nal.get(1..)?, HEADER)?;
                    let header = Header::read(*nal.first()?, &head, &self.sets)?;
                    if let Some(own) = &header.pps.substitute
                        && referred_to != Some(own.id)
                    {
                        // Between a picture's slices it would begin another picture; and the camera's own sets stay what they are.
                        if slices > 0 || self.sets.has(own.id) {
                            return None;
                        }
                        push(&mut out, &own.nal)?;
                        referred_to = Some(own.id);
                    }
                    if header.is_unfiltered {
                        push(&mut out, nal)?;
                    } else {
                        push(&mut out, &header.unfiltered(nal, &head)?)?;
                        changed = true;
                    }
                    slices += 1;
                }
                SPS | PPS => {
                    self.sets.learn(nal)?;
                    push(&mut out, nal)?;
                }
                // A slice in parts, an auxiliary picture, another view: half a picture without the filter is of no use.
                2..=4 | 19..=21 => return None,
                _ => push(&mut out, nal)?,
            }
        }
        changed.then_some(out)
    }
}

/// Takes in so many parameter sets, each with a length of two bytes; says what follows them.
fn learn<'a>(sets: &mut Sets, count: u8, mut rest: &'a [u8]) -> Option<&'a [u8]> {
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (nal, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        sets.learn(nal)?;
        rest = after;
    }
    Some(rest)
}

fn push(out: &mut Vec<u8>, nal: &[u8]) -> Option<()> {
    out.extend_from_slice(&u32::try_from(nal.len()).ok()?.to_be_bytes());
    out.extend_from_slice(nal);
    Some(())
}

/// What an I slice's header says, and where, in bits.
struct Header<'a> {
    pps: &'a Pps,
    /// The parameter set's id.
    id: Range<usize>,
    /// The filter's fields, with which the header ends; none where the parameter set leaves them out.
    filter: Range<usize>,
    /// There is nothing to do.
    is_unfiltered: bool,
}

impl<'a> Header<'a> {
    /// Reads (7.3.3) what a NAL unit with this first byte says. What only other kinds of slices have (references, weights, where the
    /// arithmetic coding begins) is not here.
    fn read(first: u8, said: &[u8], sets: &'a Sets) -> Option<Self> {
        let (is_idr, is_reference) = (first & 31 == IDR, first >> 5 & 3 != 0);
        let mut bits = Reader::new(said);
        // The first macroblock.
        bits.ue()?;
        // I, or I as all of the picture.
        if !matches!(bits.ue()?, 2 | 7) {
            return None;
        }
        let id_at = bits.at();
        let id = u8::try_from(bits.ue()?).ok()?;
        let after_id = bits.at();
        let (pps, sps) = sets.of(id)?;
        if sps.separate_planes {
            bits.bits(2)?;
        }
        // `frame_num`.
        bits.bits(sps.frame_num_bits)?;
        let is_field = !sps.frames_only && bits.bit()?;
        if is_field {
            // Which.
            bits.bit()?;
        }
        if is_idr {
            // `idr_pic_id`.
            bits.ue()?;
        }
        let tells_bottom = pps.bottom_order && !is_field;
        match sps.order {
            Order::Lsb { bits: count } => {
                bits.bits(count)?;
                if tells_bottom {
                    bits.se()?;
                }
            }
            Order::Deltas => {
                bits.se()?;
                if tells_bottom {
                    bits.se()?;
                }
            }
            Order::Unsaid => {}
        }
        if pps.redundant {
            bits.ue()?;
        }
        if is_reference {
            marking(&mut bits, is_idr)?;
        }
        // The quantizer.
        bits.se()?;
        let filter_at = bits.at();
        let mut is_unfiltered = false;
        if pps.substitute.is_none() {
            match bits.ue()? {
                0 | 2 => {
                    // The filter's two offsets.
                    for _ in 0..2 {
                        (-6..=6).contains(&bits.se()?).then_some(())?;
                    }
                }
                1 => is_unfiltered = true,
                _ => return None,
            }
        }
        Some(Self { pps, id: id_at..after_id, filter: filter_at..bits.at(), is_unfiltered })
    }

    /// The slice that this header begins, with another one. `head` is the beginning of what it says.
    fn unfiltered(&self, nal: &[u8], head: &[u8]) -> Option<Vec<u8>> {
        let (first, rest) = nal.split_first()?;
        let mut bits = Writer::default();
        bits.copy(head, 0..self.id.start)?;
        match &self.pps.substitute {
            Some(own) => bits.ue(own.id),
            None => bits.copy(head, self.id.clone())?,
        }
        bits.copy(head, self.id.end..self.filter.start)?;
        // 1 as `ue(v)`. The two offsets that follow another value are not there.
        for bit in [false, true, false] {
            bits.bit(bit);
        }
        if !self.pps.cabac {
            // The data follows at once, so all of it is moved by some bits, up to the stop bit.
            let (said, _) = unescaped(rest, usize::MAX)?;
            bits.copy(&said, self.filter.end..up_to_stop_bit(&said)?)?;
            return Some(escaped(*first, &bits.into_bytes()));
        }
        // The data begins at the next whole byte, after ones (`cabac_alignment_one_bit`), and stays byte for byte what it is, with what
        // keeps start codes out of it: that depends on zeros before it only, and neither header ends with a byte of zeros.
        let header = self.filter.end.div_ceil(8);
        if head.get(..header)?.last().is_none_or(|last| *last == 0) {
            return None;
        }
        while !bits.is_whole() {
            bits.bit(true);
        }
        let (_, taken) = unescaped(rest, header)?;
        let mut slice = escaped(*first, &bits.into_bytes());
        slice.extend_from_slice(rest.get(taken..)?);
        Some(slice)
    }
}

/// Goes over what becomes of pictures that are referred to (`dec_ref_pic_marking`, 7.3.3.3).
fn marking(bits: &mut Reader<'_>, is_idr: bool) -> Option<()> {
    if is_idr {
        bits.bits(2)?;
        return Some(());
    }
    if bits.bit()? {
        loop {
            match bits.ue()? {
                0 => break,
                1 | 2 | 4 | 6 => {
                    bits.ue()?;
                }
                3 => {
                    bits.ue()?;
                    bits.ue()?;
                }
                5 => {}
                _ => return None,
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
