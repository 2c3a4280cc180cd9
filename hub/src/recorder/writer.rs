//! One stream being sealed: its key, its time line, its segments one after the other.
//!
//! The caller hands in units in order and gets sealed bytes back at once; what it does with them (send, collect) is its business.

use std::sync::Arc;

use privet_home::StreamKind;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;
use privet_segment::{
    ClockSource, Gap, InitInfo, Sealer, SegmentEnd, SegmentError, SegmentFacts, Session, StreamKey, StreamSecret,
    UnitHead,
};

use super::ring::TimedUnit;
use crate::media::chunk::{Sample, write_chunk};
use crate::media::init::{AudioTrack, Tracks, init_segment};
use crate::media::{AUDIO_TRACK, MediaError, VIDEO_TIMESCALE, VIDEO_TRACK};
use crate::source::{Format, Track};

/// Why a stream could not go on. It ends with the last whole segment.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The camera's pictures don't fit the container.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Sealing failed.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// What a segment starts with, besides what the stream itself knows.
#[derive(Clone, Debug)]
pub struct Beginning<'a> {
    /// Signs it.
    pub session: &'a Session,
    /// What the camera sends.
    pub format: &'a Arc<Format>,
    /// That is of the camera's substream.
    pub substream: bool,
    /// The statement's number.
    pub sequence: u64,
    /// Digest of the statement before.
    pub previous: [u8; 32],
    /// The outage that ends with it.
    pub gap: Option<Gap>,
    /// The wall clock was set back since the statement before.
    pub set_back: bool,
    /// Its first picture.
    pub first: &'a TimedUnit,
}

/// A whole segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its place in the stream.
    pub index: u64,
    /// Its statement's number.
    pub sequence: u64,
    /// Digest of its statement.
    pub digest: [u8; 32],
    /// Bytes, sealed.
    pub length: u64,
    /// Wall clock at its end.
    pub ended: Timestamp,
    /// How often that was set back until then.
    pub set_backs: u64,
}

/// A stream and its open segment.
pub struct StreamWriter {
    stream: StreamId,
    camera: CameraId,
    kind: StreamKind,
    key: StreamKey,
    next_index: u64,
    started: Timestamp,
    ended: Timestamp,
    origin_us: i64,
    chunks: u32,
    bytes: u64,
    last_statement: [u8; 32],
    chunk: Vec<u8>,
    open: Option<Open>,
}

struct Open {
    sealer: Sealer,
    sequence: u64,
    ended: Timestamp,
    set_back: bool,
    set_backs: u64,
    has_sound: Option<u32>,
}

impl StreamWriter {
    /// A new stream whose first picture is `first`.
    pub fn new(camera: CameraId, kind: StreamKind, first: &TimedUnit, random: &dyn Random) -> Self {
        Self {
            stream: StreamId::generate(random),
            camera,
            kind,
            key: StreamKey::generate(random),
            next_index: 0,
            started: first.unit.received,
            ended: first.unit.received,
            origin_us: first.timing.dts_us,
            chunks: 0,
            bytes: 0,
            last_statement: [0; 32],
            chunk: Vec::new(),
            open: None,
        }
    }

    /// The stream's id.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Live or clip.
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// When its first picture came.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// When its last whole segment ended.
    pub fn ended(&self) -> Timestamp {
        self.ended
    }

    /// Segments begun so far; the open one among them.
    pub fn segments(&self) -> u64 {
        self.next_index
    }

    /// Bytes of its whole segments.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Digest of its last statement; zeros before the first.
    pub fn last_statement(&self) -> [u8; 32] {
        self.last_statement
    }

    /// The key from the next segment on: what a member may be told now.
    pub fn secret(&self) -> StreamSecret {
        self.key.to_secret()
    }

    /// The number of the open segment.
    pub fn open_index(&self) -> Option<u64> {
        self.open.as_ref().map(|_| self.next_index - 1)
    }

    /// Opens the next segment and seals how its video starts. An open one must have been finished.
    ///
    /// # Errors
    /// [`SealError`]; then the stream is over.
    pub fn begin(&mut self, beginning: &Beginning<'_>, out: &mut Vec<u8>) -> Result<(), SealError> {
        let first = beginning.first;
        let facts = SegmentFacts {
            stream: self.stream,
            index: self.next_index,
            camera: self.camera,
            sequence: beginning.sequence,
            first_frame: first.frame,
            started: first.unit.received,
            clock: ClockSource::System,
            previous: beginning.previous,
            gap: beginning.gap,
            starts_with_key: first.unit.key,
        };
        let mut sealer = Sealer::begin(&mut self.key, beginning.session, facts, out)?;
        self.next_index += 1;
        let (info, init, has_sound) = init_of(beginning.format, beginning.substream)?;
        sealer.init(&info, &init, out)?;
        self.open = Some(Open {
            sealer,
            sequence: beginning.sequence,
            ended: first.unit.received,
            set_back: beginning.set_back,
            set_backs: first.set_backs,
            has_sound,
        });
        Ok(())
    }

    /// Seals one unit into the open segment. Sound from before the stream's first picture is left out.
    ///
    /// # Errors
    /// [`SealError`]; then the stream is over.
    pub fn unit(&mut self, unit: &TimedUnit, out: &mut Vec<u8>) -> Result<(), SealError> {
        let Some(open) = &mut self.open else {
            return Err(SegmentError::Order("a unit without an open segment").into());
        };
        let timing = unit.timing;
        let (track, sample) = match (unit.unit.track, open.has_sound) {
            (Track::Video, _) => {
                let offset = i32::try_from(timing.pts_us.saturating_sub(timing.dts_us)).unwrap_or(0);
                let dts = ticks(timing.dts_us.saturating_sub(self.origin_us), VIDEO_TIMESCALE);
                let sample = Sample {
                    track: VIDEO_TRACK,
                    sequence: self.chunks.wrapping_add(1),
                    dts: dts.unwrap_or(0),
                    composition_offset: offset,
                    duration: timing.duration_us,
                    key: unit.unit.key,
                };
                (privet_segment::Track::Video, sample)
            }
            (Track::Audio, Some(rate)) => {
                let Some(dts) = ticks(timing.pts_us.saturating_sub(self.origin_us), rate) else { return Ok(()) };
                let sample = Sample {
                    track: AUDIO_TRACK,
                    sequence: self.chunks.wrapping_add(1),
                    dts,
                    composition_offset: 0,
                    duration: AAC_FRAME,
                    key: true,
                };
                (privet_segment::Track::Audio, sample)
            }
            (Track::Audio, None) => return Ok(()),
        };
        let data = &unit.unit.data;
        self.chunk.clear();
        let header = write_chunk(&sample, data, &mut self.chunk)?;
        let too_large = || MediaError::TooLarge(data.len());
        let video = track == privet_segment::Track::Video;
        let head = UnitHead {
            track,
            key: unit.unit.key,
            frame: if video { unit.frame } else { 0 },
            pts_us: timing.pts_us.saturating_sub(self.origin_us),
            duration_us: timing.duration_us,
            captured: unit.unit.received,
            captured_us: unit.unit.received_mono_us,
            header_len: u32::try_from(header).map_err(|_| too_large())?,
            length: u32::try_from(self.chunk.len()).map_err(|_| too_large())?,
        };
        open.sealer.unit(&head, &self.chunk, if video { data } else { &[] }, out)?;
        self.chunks = self.chunks.wrapping_add(1);
        open.ended = unit.unit.received;
        open.set_back |= unit.set_backs != open.set_backs;
        open.set_backs = unit.set_backs;
        Ok(())
    }

    /// Ends the open segment with its signed statement; `None` when none is open.
    ///
    /// # Errors
    /// [`SealError`]; then the stream is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Option<Finished>, SealError> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let end = SegmentEnd { ended: open.ended, clock_stepped_back: open.set_back };
        let sealed = open.sealer.finish(end, out)?;
        self.bytes += sealed.length;
        self.ended = open.ended;
        self.last_statement = sealed.digest;
        Ok(Some(Finished {
            index: self.next_index - 1,
            sequence: open.sequence,
            digest: sealed.digest,
            length: sealed.length,
            ended: open.ended,
            set_backs: open.set_backs,
        }))
    }
}

/// Samples of an AAC frame.
const AAC_FRAME: u32 = 1024;

/// A time in ticks of a clock; `None` before zero.
fn ticks(us: i64, rate: u32) -> Option<u64> {
    let ticks = (i128::from(us) * i128::from(rate) + 500_000).div_euclid(1_000_000);
    u64::try_from(ticks).ok()
}

/// The init segment of a format, and the sound's clock where there is sound.
fn init_of(format: &Format, substream: bool) -> Result<(InitInfo, Vec<u8>, Option<u32>), MediaError> {
    let audio = format.audio.as_ref().map(|a| AudioTrack { sample_entry: &a.sample_entry, sample_rate: a.sample_rate });
    let tracks = Tracks { video: &format.video_sample_entry, width: format.width, height: format.height, audio };
    let init = init_segment(&tracks)?;
    let info = InitInfo {
        codec: format.codec.clone(),
        width: format.width,
        height: format.height,
        timescale: VIDEO_TIMESCALE,
        audio_codec: format.audio.as_ref().map(|a| a.codec.clone()),
        audio_timescale: format.audio.as_ref().map(|a| a.sample_rate),
        substream,
    };
    Ok((info, init, format.audio.as_ref().map(|a| a.sample_rate)))
}
