//! H.264 for a decoder that is to leave the deblocking filter out, which is a third of what decoding a small stream costs. Pure: units
//! in, units out.
//!
//! The decoder takes no such order from outside, but the stream can give it: each slice's header says whether its edges are filtered
//! (`disable_deblocking_filter_idc`, ITU-T H.264, 7.4.3). Here it is set to 1. Pictures that refer to unfiltered ones drift a little
//! from what the camera sent, until the next key frame; the detector, which sees the mean of many pixels, does not mind. Nobody else
//! sees these pictures.
//!
//! What can't be read, or whose header has no such field, goes through as it came.

use bytes::Bytes;
use h264_reader::Context;
use h264_reader::avcc::AvcDecoderConfigurationRecord;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::slice::SliceHeader;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::nal::{NalHeader, UnitType};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, Numeric, Primitive, decode_nal};

/// As the parser names the field.
const FIELD: &str = "disable_deblocking_filter_idc";
/// Bytes of the length before a NAL unit.
const LENGTH: usize = 4;

/// Takes the filter out of a stream; knows its parameter sets. The default is for one that carries them itself.
#[derive(Debug, Default)]
pub struct Unfiltered {
    sets: Context,
}

impl Unfiltered {
    /// For a stream with this configuration record (ISO/IEC 14496-15, 5.3.3.1); nothing if it can't be read.
    pub fn new(avcc: &[u8]) -> Option<Self> {
        let record = AvcDecoderConfigurationRecord::try_from(avcc).ok()?;
        if usize::from(record.length_size_minus_one()) + 1 != LENGTH {
            return None;
        }
        Some(Self { sets: record.create_context().ok()? })
    }

    /// The same access unit, its NAL units with 4-byte lengths, with slices that ask for no filter.
    pub fn unit(&mut self, unit: &Bytes) -> Bytes {
        self.rewritten(unit).map_or_else(|| unit.clone(), Bytes::from)
    }

    fn rewritten(&mut self, unit: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(unit.len() + 16);
        let mut rest = unit;
        let mut changed = false;
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<LENGTH>()?;
            let (nal, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            rest = after;
            let slice = self.slice(nal);
            changed |= slice.is_some();
            let nal = slice.as_deref().unwrap_or(nal);
            out.extend_from_slice(&u32::try_from(nal.len()).ok()?.to_be_bytes());
            out.extend_from_slice(nal);
        }
        changed.then_some(out)
    }

    /// The slice with another header, when it is one.
    fn slice(&mut self, nal: &[u8]) -> Option<Vec<u8>> {
        let header = NalHeader::new(*nal.first()?).ok()?;
        match header.nal_unit_type() {
            UnitType::SliceLayerWithoutPartitioningIdr | UnitType::SliceLayerWithoutPartitioningNonIdr => {}
            UnitType::SeqParameterSet => {
                let rbsp = decode_nal(nal).ok()?;
                self.sets.put_seq_param_set(SeqParameterSet::from_bits(BitReader::new(&*rbsp)).ok()?);
                return None;
            }
            UnitType::PicParameterSet => {
                let rbsp = decode_nal(nal).ok()?;
                let set = PicParameterSet::from_bits(&self.sets, BitReader::new(&*rbsp)).ok()?;
                self.sets.put_pic_param_set(set);
                return None;
            }
            _ => return None,
        }
        let rbsp = decode_nal(nal).ok()?;
        let mut bits = Counted { bits: BitReader::new(&*rbsp), at: 0, field: None };
        let (slice, _, set) = SliceHeader::from_bits(&self.sets, &mut bits, header).ok()?;
        // With slice groups more fields may follow.
        if slice.disable_deblocking_filter_idc == 1 || set.slice_groups.is_some() {
            return None;
        }
        let (field, end) = (bits.field?, bits.at);
        let mut out = Bits { bytes: Vec::with_capacity(rbsp.len() + 2), filled: 0 };
        out.copy(&rbsp, 0, field)?;
        // 1 as ue(v); the two offsets that follow another value are not there.
        for bit in [false, true, false] {
            out.push(bit);
        }
        if set.entropy_coding_mode_flag {
            // The data begins at the next whole byte, after ones (cabac_alignment_one_bit).
            while !out.is_whole() {
                out.push(true);
            }
            out.bytes.extend_from_slice(rbsp.get(end.div_ceil(8)..)?);
        } else {
            // Up to the stop bit, the last one that is set.
            let last = rbsp.iter().rposition(|byte| *byte != 0)?;
            let stop = last * 8 + 8 - usize::try_from(rbsp[last].trailing_zeros()).ok()?;
            out.copy(&rbsp, end, stop)?;
        }
        Some(escaped(nal[0], &out.bytes))
    }
}

/// A NAL unit of these bytes, with emulation prevention (ITU-T H.264, 7.4.1.1).
fn escaped(header: u8, rbsp: &[u8]) -> Vec<u8> {
    let mut nal = Vec::with_capacity(rbsp.len() + rbsp.len() / 64 + 8);
    nal.push(header);
    let mut zeros = 0;
    for byte in rbsp {
        if zeros == 2 && *byte <= 3 {
            nal.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        nal.push(*byte);
    }
    if zeros > 0 {
        nal.push(3);
    }
    nal
}

/// Bits, the most significant first.
struct Bits {
    bytes: Vec<u8>,
    /// Of the last byte; 0 is a whole one.
    filled: u32,
}

impl Bits {
    fn is_whole(&self) -> bool {
        self.filled == 0
    }

    fn push(&mut self, bit: bool) {
        if self.filled == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.filled);
        }
        self.filled = (self.filled + 1) % 8;
    }

    /// The bits from here to there.
    fn copy(&mut self, from: &[u8], begin: usize, end: usize) -> Option<()> {
        let mut at = begin;
        while at < end {
            let left = end - at;
            if left < 8 {
                self.push(from.get(at / 8)? >> (7 - at % 8) & 1 == 1);
                at += 1;
                continue;
            }
            // Eight bits at once, from two bytes into two.
            let shift = at % 8;
            let high = u16::from(*from.get(at / 8)?) << 8;
            let low = if shift == 0 { 0 } else { u16::from(*from.get(at / 8 + 1)?) };
            let [byte, _] = ((high | low) << shift).to_be_bytes();
            self.byte(byte);
            at += 8;
        }
        Some(())
    }

    fn byte(&mut self, byte: u8) {
        match self.bytes.last_mut() {
            Some(last) if self.filled > 0 => {
                *last |= byte >> self.filled;
                self.bytes.push(byte << (8 - self.filled));
            }
            _ => self.bytes.push(byte),
        }
    }
}

/// Counts what the parser reads, and notes where the field is.
struct Counted<R> {
    bits: R,
    at: usize,
    field: Option<usize>,
}

impl<R: BitRead> BitRead for Counted<R> {
    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        if name == FIELD {
            self.field = Some(self.at);
        }
        let value = self.bits.read_ue(name)?;
        self.at += golomb_length(u64::from(value));
        Ok(value)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        let value = self.bits.read_se(name)?;
        let twice = 2 * u64::from(value.unsigned_abs());
        self.at += golomb_length(if value > 0 { twice - 1 } else { twice });
        Ok(value)
    }

    fn read_bool(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.at += 1;
        self.bits.read_bool(name)
    }

    fn read<U: Numeric>(&mut self, bit_count: u32, name: &'static str) -> Result<U, BitReaderError> {
        self.at += bit_count as usize;
        self.bits.read(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.at += size_of::<V>() * 8;
        self.bits.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.at += bit_count as usize;
        self.bits.skip(bit_count, name)
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.bits.has_more_rbsp_data(name)
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        self.bits.finish_rbsp()
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        self.bits.finish_sei_payload()
    }
}

/// Bits of `ue(v)` (ITU-T H.264, 9.1).
fn golomb_length(value: u64) -> usize {
    2 * (value + 1).ilog2() as usize + 1
}

#[cfg(test)]
#[path = "unfiltered_tests.rs"]
mod tests;
