//! One CMAF chunk: `moof` + `mdat` with a single access unit. ISO/IEC 23000-19 section 7.3.2.

use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry, TrunSamples};

use super::MediaError;

/// Sample flags of a picture that starts without others (ISO/IEC 14496-12 section 8.8.3.1: depends on none).
const KEY: u32 = 0x0200_0000;
/// Sample flags of a picture that needs others (depends on others, is a non-sync sample).
const DEPENDENT: u32 = 0x0101_0000;
/// The `mdat` box's own length and name.
const MDAT_HEADER: usize = 8;

/// The one sample of a chunk, in ticks of its track's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The track's number.
    pub track: u32,
    /// The chunk's number within its stream, from 1.
    pub sequence: u32,
    /// When it is decoded.
    pub dts: u64,
    /// When it is shown, relative to when it is decoded; negative where B-frames follow.
    pub composition_offset: i32,
    /// How long it is expected to last.
    pub duration: u32,
    /// Whether decoding can start here.
    pub key: bool,
}

/// Appends the chunk for `data` to `out` and returns how many bytes stand before the data.
///
/// # Errors
/// [`MediaError::TooLarge`] when the data does not fit an `mdat` box of 32 bits.
pub fn write_chunk(sample: &Sample, data: &[u8], out: &mut Vec<u8>) -> Result<usize, MediaError> {
    let too_large = || MediaError::TooLarge(data.len());
    let size = u32::try_from(data.len()).map_err(|_| too_large())?;
    let mdat = u32::try_from(MDAT_HEADER + data.len()).map_err(|_| too_large())?;
    let start = out.len();
    // The data's distance from the box's start is a field of fixed width inside the box, so a first try tells the box's length.
    moof(sample, size, 0, out)?;
    let header = out.len() - start + MDAT_HEADER;
    out.truncate(start);
    moof(sample, size, i32::try_from(header).map_err(|_| too_large())?, out)?;
    out.reserve(MDAT_HEADER + data.len());
    out.extend_from_slice(&mdat.to_be_bytes());
    out.extend_from_slice(b"mdat");
    out.extend_from_slice(data);
    Ok(header)
}

fn moof(sample: &Sample, size: u32, data_offset: i32, out: &mut Vec<u8>) -> Result<(), MediaError> {
    let entry = TrunEntry {
        duration: Some(sample.duration),
        size: Some(size),
        flags: Some(if sample.key { KEY } else { DEPENDENT }),
        cts: (sample.composition_offset != 0).then(|| i64::from(sample.composition_offset)),
    };
    let moof = Moof {
        mfhd: Mfhd { sequence_number: sample.sequence },
        traf: vec![Traf {
            tfhd: Tfhd { track_id: sample.track, default_base_is_moof: true, ..Tfhd::default() },
            tfdt: Some(Tfdt { base_media_decode_time: sample.dts }),
            trun: vec![Trun { data_offset: Some(data_offset), samples: TrunSamples::Explicit(vec![entry]) }],
            ..Traf::default()
        }],
    };
    moof.encode(out).map_err(|e| MediaError::Write(e.to_string()))
}
