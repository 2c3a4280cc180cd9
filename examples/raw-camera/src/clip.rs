//! What the camera plays: access units with their times, out of an Annex B file, an MP4 file, or the synthetic encoder.

use std::io::Cursor;
use std::path::Path;

use mp4_atom::{Codec, Header, Moov, ReadAtom, ReadFrom, Stbl, StszSamples, Trak};

/// Ticks per second of all video times.
pub const VIDEO_CLOCK: u32 = 90_000;

/// A clip in memory.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Video parameter set; empty for H.264, and what makes the clip H.265.
    pub vps: Vec<u8>,
    /// Sequence parameter set.
    pub sps: Vec<u8>,
    /// Picture parameter set.
    pub pps: Vec<u8>,
    /// In decode order; the first is a key frame.
    pub pictures: Vec<Picture>,
    /// Ticks until it starts again.
    pub length: i64,
    /// AAC, if the file has it.
    pub audio: Option<Audio>,
}

/// One access unit.
#[derive(Clone, Debug)]
pub struct Picture {
    /// NAL units without start codes; no parameter sets.
    pub nals: Vec<Vec<u8>>,
    /// A decoder can start here.
    pub key: bool,
    /// When it is sent, in ticks.
    pub decode: i64,
    /// When it is shown, in ticks; what RTP carries.
    pub show: i64,
}

/// The sound track.
#[derive(Clone, Debug)]
pub struct Audio {
    /// Samples per second, which is also its RTP clock.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// AudioSpecificConfig.
    pub config: Vec<u8>,
    /// Frames and their time in samples.
    pub frames: Vec<(i64, Vec<u8>)>,
}

/// A file can't be played.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub struct ClipError {
    path: String,
    cause: String,
}

impl Clip {
    /// Reads an MP4 file with H.264 (`.mp4`, `.m4v`, `.mov`) or an Annex B file, which plays at `fps`; its name says whether it
    /// is of H.265 (`.h265`, `.hevc`).
    ///
    /// # Errors
    /// [`ClipError`] when the file can't be read or holds no such video.
    pub fn open(path: &Path, fps: u32) -> Result<Self, ClipError> {
        let error = |cause: String| ClipError { path: path.display().to_string(), cause };
        let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        let is_mp4 = bytes.get(4..8) == Some(b"ftyp");
        let is_h265 = path.extension().is_some_and(|ending| ending == "h265" || ending == "hevc");
        match () {
            () if is_mp4 => from_mp4(&bytes),
            () if is_h265 => from_h265(&bytes, fps),
            () => from_annex_b(&bytes, fps),
        }
        .map_err(error)
    }

    /// Whether it is of H.265.
    pub fn is_h265(&self) -> bool {
        !self.vps.is_empty()
    }

    /// Without B-frames' effect: does any picture show before one that was sent earlier?
    pub fn reorders(&self) -> bool {
        self.pictures.windows(2).any(|pair| pair[1].show < pair[0].show)
    }
}

fn from_annex_b(bytes: &[u8], fps: u32) -> Result<Clip, String> {
    let (mut sps, mut pps) = (Vec::new(), Vec::new());
    let mut pictures: Vec<Picture> = Vec::new();
    let tick = i64::from(VIDEO_CLOCK / fps.max(1));
    // NAL units before a picture that belong to it.
    let mut before: Vec<Vec<u8>> = Vec::new();
    for nal in annex_b(bytes) {
        let kind = nal[0] & 31;
        match kind {
            7 => sps = nal.to_vec(),
            8 => pps = nal.to_vec(),
            1..=5 => {
                // first_mb_in_slice is 0 when the bit after the header is set.
                let first = nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
                if first || pictures.is_empty() {
                    let time = pictures.len() as i64 * tick;
                    pictures.push(Picture {
                        nals: std::mem::take(&mut before),
                        key: kind == 5,
                        decode: time,
                        show: time,
                    });
                }
                if let Some(picture) = pictures.last_mut() {
                    picture.nals.push(nal.to_vec());
                }
            }
            9 => {}
            _ => before.push(nal.to_vec()),
        }
    }
    let length = pictures.len() as i64 * tick;
    finish(Clip { vps: Vec::new(), sps, pps, pictures, length, audio: None })
}

/// H.265 without reordering: pictures show in the order in which they stand.
fn from_h265(bytes: &[u8], fps: u32) -> Result<Clip, String> {
    let (mut vps, mut sps, mut pps) = (Vec::new(), Vec::new(), Vec::new());
    let mut pictures: Vec<Picture> = Vec::new();
    let tick = i64::from(VIDEO_CLOCK / fps.max(1));
    let mut before: Vec<Vec<u8>> = Vec::new();
    for nal in annex_b(bytes) {
        let kind = nal[0] >> 1 & 63;
        match kind {
            32 => vps = nal.to_vec(),
            33 => sps = nal.to_vec(),
            34 => pps = nal.to_vec(),
            0..=31 => {
                // first_slice_segment_in_pic_flag is the bit after the header.
                let first = nal.get(2).is_some_and(|byte| byte & 0x80 != 0);
                if first || pictures.is_empty() {
                    let time = pictures.len() as i64 * tick;
                    let nals = std::mem::take(&mut before);
                    pictures.push(Picture { nals, key: (16..=21).contains(&kind), decode: time, show: time });
                }
                if let Some(picture) = pictures.last_mut() {
                    picture.nals.push(nal.to_vec());
                }
            }
            39 => before.push(nal.to_vec()),
            _ => {}
        }
    }
    let length = pictures.len() as i64 * tick;
    if vps.is_empty() {
        return Err("it holds no H.265".into());
    }
    finish(Clip { vps, sps, pps, pictures, length, audio: None })
}

/// The NAL units of an Annex B stream.
pub fn annex_b(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    while at + 3 <= bytes.len() {
        if bytes[at..at + 3] == [0, 0, 1] {
            starts.push(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|start| start - 3).chain([bytes.len()]).collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let nal = &bytes[start..end];
        let zeros = nal.iter().rev().take_while(|&&byte| byte == 0).count();
        let nal = &nal[..nal.len() - zeros];
        (!nal.is_empty()).then_some(nal)
    })
}

fn from_mp4(bytes: &[u8]) -> Result<Clip, String> {
    let moov = moov(bytes)?;
    let (mut video, mut audio) = (None, None);
    for trak in &moov.trak {
        for codec in &trak.mdia.minf.stbl.stsd.codecs {
            match codec {
                Codec::Avc1(avc1) if video.is_none() => video = Some((trak, avc1)),
                Codec::Mp4a(mp4a) if audio.is_none() => audio = Some((trak, mp4a)),
                _ => {}
            }
        }
    }
    let (trak, avc1) = video.ok_or("it holds no H.264 track")?;
    let timescale = i64::from(trak.mdia.mdhd.timescale.max(1));
    let ticks = |time: i64| time * i64::from(VIDEO_CLOCK) / timescale;
    let length_size = usize::from(avc1.avcc.length_size);
    let mut pictures = Vec::new();
    let mut end = 0;
    // Composition offsets start above zero when there are B-frames; the first picture shows at zero.
    let samples = samples(trak, bytes)?;
    let first_show = samples.iter().map(|s| s.time + s.offset).min().unwrap_or(0);
    for sample in samples {
        let mut nals = Vec::new();
        let mut rest = sample.data;
        while rest.len() > length_size {
            let (length, after) = rest.split_at(length_size);
            let length = length.iter().fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
            let (nal, after) = after.split_at_checked(length).ok_or("a sample is torn")?;
            if let Some(first) = nal.first()
                && !matches!(first & 31, 7..=9)
            {
                nals.push(nal.to_vec());
            }
            rest = after;
        }
        let key = nals.iter().any(|nal| nal[0] & 31 == 5);
        let show = ticks(sample.time + sample.offset - first_show);
        pictures.push(Picture { nals, key, decode: ticks(sample.time), show });
        end = ticks(sample.time + sample.duration);
    }
    let sps = avc1.avcc.sequence_parameter_sets.first().cloned().unwrap_or_default();
    let pps = avc1.avcc.picture_parameter_sets.first().cloned().unwrap_or_default();
    let audio = match audio {
        None => None,
        Some((trak, mp4a)) => {
            let specific =
                mp4a.esds.es_desc.dec_config.dec_specific.as_ref().ok_or("the sound has no configuration")?;
            let (profile, frequency, channels) = (specific.profile, specific.freq_index, specific.chan_conf);
            let config = vec![profile << 3 | frequency >> 1, (frequency & 1) << 7 | channels << 3];
            let frames = self::samples(trak, bytes)?.into_iter().map(|s| (s.time, s.data.to_vec())).collect();
            Some(Audio { rate: trak.mdia.mdhd.timescale, channels: u16::from(channels.max(1)), config, frames })
        }
    };
    finish(Clip { vps: Vec::new(), sps, pps, pictures, length: end, audio })
}

fn finish(mut clip: Clip) -> Result<Clip, String> {
    let first = clip.pictures.iter().position(|picture| picture.key).ok_or("it holds no key frame")?;
    clip.pictures.drain(..first);
    if clip.sps.is_empty() || clip.pps.is_empty() {
        return Err("it holds no parameter sets".into());
    }
    Ok(clip)
}

fn moov(bytes: &[u8]) -> Result<Moov, String> {
    let mut cursor = Cursor::new(bytes);
    while (cursor.position() as usize) < bytes.len() {
        let header = Header::read_from(&mut cursor).map_err(|e| e.to_string())?;
        let size = header.size.unwrap_or(bytes.len() - cursor.position() as usize);
        if header.kind == <Moov as mp4_atom::Atom>::KIND {
            return Moov::read_atom(&header, &mut cursor).map_err(|e| e.to_string());
        }
        cursor.set_position(cursor.position().saturating_add(size as u64));
    }
    Err("it has no moov box".into())
}

struct Sample<'a> {
    time: i64,
    duration: i64,
    offset: i64,
    data: &'a [u8],
}

fn samples<'a>(trak: &Trak, bytes: &'a [u8]) -> Result<Vec<Sample<'a>>, String> {
    let Stbl { stts, ctts, stsc, stsz, stco, co64, .. } = &trak.mdia.minf.stbl;
    let sizes: Vec<usize> = match &stsz.samples {
        StszSamples::Identical { count, size } => vec![*size as usize; *count as usize],
        StszSamples::Different { sizes } => sizes.iter().map(|&size| size as usize).collect(),
    };
    let chunks: Vec<u64> = match (stco, co64) {
        (Some(stco), _) => stco.entries.iter().map(|&at| u64::from(at)).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        (None, None) => return Err("a track has no chunks".into()),
    };
    let mut durations =
        stts.entries.iter().flat_map(|e| std::iter::repeat_n(i64::from(e.sample_delta), e.sample_count as usize));
    let mut offsets = ctts
        .iter()
        .flat_map(|c| c.entries.iter())
        .flat_map(|e| std::iter::repeat_n(e.sample_offset, e.sample_count as usize));
    let mut out = Vec::with_capacity(sizes.len());
    let mut sizes = sizes.into_iter();
    let mut time = 0;
    for (index, &chunk) in chunks.iter().enumerate() {
        let number = index as u32 + 1;
        let per_chunk = stsc.entries.iter().rev().find(|e| e.first_chunk <= number).map_or(0, |e| e.samples_per_chunk);
        let mut at = usize::try_from(chunk).map_err(|e| e.to_string())?;
        for _ in 0..per_chunk {
            let Some(size) = sizes.next() else { break };
            let data = bytes.get(at..at.saturating_add(size)).ok_or("a sample lies outside the file")?;
            let duration = durations.next().unwrap_or(0);
            out.push(Sample { time, duration, offset: offsets.next().unwrap_or(0), data });
            time += duration;
            at += size;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shared(name: &str) -> Option<std::path::PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/video").join(name);
        let there = path.exists();
        if !there {
            eprintln!("SKIPPED: no clip {}", path.display());
        }
        there.then_some(path)
    }

    #[test]
    fn the_clip_with_b_frames_is_read_in_decode_order() {
        let Some(path) = shared("one-by-one-person-detection.mp4") else { return };
        let clip = Clip::open(&path, 0).unwrap();
        assert_eq!(clip.pictures.len(), 1394);
        assert!(clip.reorders() && clip.audio.is_none());
        assert_eq!(clip.pictures.iter().map(|p| p.show).min(), Some(0));
        assert!((clip.length - 139 * 90_000).abs() < 90_000, "{}", clip.length);
    }

    #[test]
    fn the_clip_with_sound_is_read_with_it() {
        let Some(path) = shared("car-detection.mp4") else { return };
        let clip = Clip::open(&path, 0).unwrap();
        assert_eq!((clip.pictures.len(), clip.reorders()), (377, false));
        let audio = clip.audio.unwrap();
        assert_eq!((audio.config.len(), audio.frames.len() > 100), (2, true));
    }

    #[test]
    fn annex_b_is_cut_into_pictures() {
        let clip = crate::synthetic::clip(4, 4, 10, 5, 12);
        let mut stream = Vec::new();
        for picture in &clip.pictures {
            for nal in [&clip.sps, &clip.pps].into_iter().filter(|_| picture.key).chain(&picture.nals) {
                stream.extend_from_slice(&[0, 0, 0, 1]);
                stream.extend_from_slice(nal);
            }
        }
        let again = from_annex_b(&stream, 10).unwrap();
        assert_eq!(
            again.pictures.iter().map(|p| p.key).collect::<Vec<_>>(),
            clip.pictures.iter().map(|p| p.key).collect::<Vec<_>>()
        );
        assert_eq!((again.sps, again.pictures[7].nals.clone()), (clip.sps, clip.pictures[7].nals.clone()));
        assert!(from_annex_b(b"no video", 10).is_err());
    }
}
