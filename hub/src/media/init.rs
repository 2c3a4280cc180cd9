//! The init segment: what a player must know before the first chunk. ISO/IEC 23000-19 (CMAF) section 7.3.1.

use mp4_atom::{
    Codec, Decode, Dinf, Dref, Encode, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Smhd, Stbl, Stco, Stsd, Tkhd,
    Trak, Trex, Url, Vmhd,
};

use super::{AUDIO_TRACK, MediaError, VIDEO_TIMESCALE, VIDEO_TRACK};

/// What the init segment is made of.
#[derive(Clone, Copy, Debug)]
pub struct Tracks<'a> {
    /// The video track's sample entry: a whole `avc1` (or `hvc1`) box.
    pub video: &'a [u8],
    /// The picture's width in pixels.
    pub width: u32,
    /// The picture's height in pixels.
    pub height: u32,
    /// The audio track, where there is one that players understand.
    pub audio: Option<AudioTrack<'a>>,
}

/// An audio track.
#[derive(Clone, Copy, Debug)]
pub struct AudioTrack<'a> {
    /// Its sample entry: a whole `mp4a` box.
    pub sample_entry: &'a [u8],
    /// Samples in a second; the track's clock.
    pub sample_rate: u32,
}

/// The bytes of `ftyp` and `moov`.
///
/// # Errors
/// [`MediaError::Parameters`] when a sample entry is not one, or of a kind that does not belong here.
pub fn init_segment(tracks: &Tracks<'_>) -> Result<Vec<u8>, MediaError> {
    let video = sample_entry("video", tracks.video)?;
    if video.visual().is_none() {
        return Err(MediaError::Parameters { track: "video", cause: "the sample entry is not a video codec's".into() });
    }
    let mut trak = vec![video_trak(video, tracks.width, tracks.height)];
    let mut trex = vec![Trex { track_id: VIDEO_TRACK, default_sample_description_index: 1, ..Trex::default() }];
    if let Some(audio) = tracks.audio {
        let entry = sample_entry("audio", audio.sample_entry)?;
        if entry.audio().is_none() || audio.sample_rate == 0 {
            return Err(MediaError::Parameters {
                track: "audio",
                cause: "the sample entry is not an audio codec's".into(),
            });
        }
        trak.push(audio_trak(entry, audio.sample_rate));
        trex.push(Trex { track_id: AUDIO_TRACK, default_sample_description_index: 1, ..Trex::default() });
    }
    let next_track_id = AUDIO_TRACK + 1;
    let moov = Moov {
        mvhd: Mvhd { timescale: 1000, rate: 1.into(), volume: 1.into(), next_track_id, ..Mvhd::default() },
        mvex: Some(Mvex { trex, ..Mvex::default() }),
        trak,
        ..Moov::default()
    };
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"cmfc".into(), b"mp41".into()],
    };
    let mut out = Vec::with_capacity(1280);
    write(&ftyp, &mut out)?;
    write(&moov, &mut out)?;
    Ok(out)
}

fn sample_entry(track: &'static str, mut bytes: &[u8]) -> Result<Codec, MediaError> {
    let refused = |cause: String| MediaError::Parameters { track, cause };
    let codec = Codec::decode(&mut bytes).map_err(|e| refused(e.to_string()))?;
    match codec {
        Codec::Unknown(kind, _) => Err(refused(format!("sample entry '{kind}' is not known"))),
        _ if !bytes.is_empty() => Err(refused(format!("{} bytes follow the sample entry", bytes.len()))),
        codec => Ok(codec),
    }
}

fn video_trak(codec: Codec, width: u32, height: u32) -> Trak {
    // A track header holds 16 bits of pixels; no camera has more.
    let pixels = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
    Trak {
        tkhd: Tkhd {
            track_id: VIDEO_TRACK,
            enabled: true,
            in_movie: true,
            width: pixels(width).into(),
            height: pixels(height).into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: mdhd(VIDEO_TIMESCALE),
            hdlr: Hdlr { handler: b"vide".into(), name: "Privet video".into() },
            minf: Minf { vmhd: Some(Vmhd::default()), dinf: dinf(), stbl: stbl(codec), ..Minf::default() },
        },
        ..Trak::default()
    }
}

fn audio_trak(codec: Codec, sample_rate: u32) -> Trak {
    Trak {
        tkhd: Tkhd {
            track_id: AUDIO_TRACK,
            alternate_group: 1,
            enabled: true,
            in_movie: true,
            volume: 1.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: mdhd(sample_rate),
            hdlr: Hdlr { handler: b"soun".into(), name: "Privet audio".into() },
            minf: Minf { smhd: Some(Smhd::default()), dinf: dinf(), stbl: stbl(codec), ..Minf::default() },
        },
        ..Trak::default()
    }
}

fn mdhd(timescale: u32) -> Mdhd {
    Mdhd { timescale, language: "und".into(), ..Mdhd::default() }
}

fn dinf() -> Dinf {
    Dinf { dref: Dref { entries: vec![Url { location: String::new() }.into()] } }
}

fn stbl(codec: Codec) -> Stbl {
    Stbl { stsd: Stsd { codecs: vec![codec] }, stco: Some(Stco::default()), ..Stbl::default() }
}

fn write(atom: &impl Encode, out: &mut Vec<u8>) -> Result<(), MediaError> {
    atom.encode(out).map_err(|e| MediaError::Write(e.to_string()))
}
