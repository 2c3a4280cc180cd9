//! The segment statement: what the hub signs about a segment, in words that a stranger can check.

use aws_lc_rs::digest;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::time::Timestamp;

use crate::cbor::{Reader, Writer};
use crate::header::Header;

/// How well the hub's clock was known when it stamped a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ClockSource {
    /// Nothing is known about the clock.
    Unknown = 0,
    /// The machine's clock, not known to be synchronized.
    System = 1,
    /// The machine's clock, synchronized over the network.
    Synchronized = 2,
}

/// Why frames are missing before a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum GapReason {
    /// The hub was off or restarted.
    HubOff = 0,
    /// The camera was unreachable or sent nothing.
    CameraLost = 1,
    /// The camera's data was damaged or lost on the way to the hub.
    Damaged = 2,
    /// The hub could not store more.
    StorageFull = 3,
    /// Recording was not wanted then.
    NotRecorded = 4,
}

/// An outage that ended with this segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Its cause.
    pub reason: GapReason,
}

/// What is known about a segment when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream, from 0.
    pub index: u64,
    /// Its camera.
    pub camera: CameraId,
    /// Number of this statement among all of this camera's statements of this kind of stream (live or recorded).
    pub sequence: u64,
    /// Number of its first video frame.
    pub first_frame: u64,
    /// Wall clock at its first frame.
    pub started: Timestamp,
    /// What that clock is worth.
    pub clock: ClockSource,
    /// Digest of the statement before this one; zeros for none.
    pub previous: [u8; 32],
    /// The outage that ended with it.
    pub gap: Option<Gap>,
    /// It starts with a key frame.
    pub starts_with_key: bool,
}

/// What is known about a segment when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEnd {
    /// Wall clock at its end.
    pub ended: Timestamp,
    /// The wall clock was set back since the statement before, or while the segment was made.
    pub clock_stepped_back: bool,
}

/// What the hub signed about a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub index: u64,
    /// Its camera.
    pub camera: CameraId,
    /// Number of this statement among the camera's.
    pub sequence: u64,
    /// Number of its first video frame.
    pub first_frame: u64,
    /// Number of its last video frame; of its first when it has none.
    pub last_frame: u64,
    /// Video frames in it; fewer than the numbers span when some were lost.
    pub frames: u64,
    /// Wall clock at its first frame.
    pub started: Timestamp,
    /// Wall clock at its end.
    pub ended: Timestamp,
    /// What that clock is worth.
    pub clock: ClockSource,
    /// The clock was set back since the statement before, or within the segment.
    pub clock_stepped_back: bool,
    /// It starts with a key frame.
    pub starts_with_key: bool,
    /// SHA-256 of the init segment: the codec's parameters.
    pub parameters: [u8; 32],
    /// Level 0: SHA-256 over the video access units as the camera sent them.
    pub access_units: [u8; 32],
    /// Level 1, made from level 0: BLAKE3 root over the records.
    pub root: [u8; 32],
    /// Records before padding and trailer.
    pub records: u32,
    /// Bytes of the MP4: init segment and chunks.
    pub mp4_length: u64,
    /// Commitment to the segment's key.
    pub commitment: [u8; 32],
    /// Digest of the statement before this one; zeros for none.
    pub previous: [u8; 32],
    /// The outage that ended with it.
    pub gap: Option<Gap>,
    pub(crate) digest: [u8; 32],
}

/// Version of the statement's fields.
const VERSION: u64 = 1;
const LEVEL_0: &str = "sha-256";
const LEVEL_1: &str = "blake3";

impl Statement {
    /// SHA-256 of the statement's bytes: what the next one names as `previous`.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(crate) const fn header(&self) -> Header {
        Header { stream: self.stream, index: self.index }
    }

    /// The bytes that are signed. Sets the digest.
    pub(crate) fn encode(&mut self) -> Vec<u8> {
        let mut map = Writer::default();
        map.map(19 + u64::from(self.gap.is_some()));
        map.key(1).uint(VERSION);
        map.key(2).bytes(self.stream.as_bytes());
        map.key(3).uint(self.index);
        map.key(4).bytes(self.camera.as_bytes());
        map.key(5).uint(self.sequence);
        map.key(6).uint(self.first_frame);
        map.key(7).uint(self.last_frame);
        map.key(8).uint(self.frames);
        map.key(9).int(self.started.0);
        map.key(10).int(self.ended.0);
        map.key(11).uint(self.clock as u64);
        map.key(12).bool(self.clock_stepped_back);
        map.key(13).bool(self.starts_with_key);
        map.key(14).bytes(&self.parameters);
        map.key(15).array(2);
        map.array(4).uint(0).text(LEVEL_0).bytes(&self.access_units).null();
        map.array(4).uint(1).text(LEVEL_1).bytes(&self.root).uint(0);
        map.key(16).uint(self.records.into());
        map.key(17).uint(self.mp4_length);
        map.key(18).bytes(&self.commitment);
        map.key(19).bytes(&self.previous);
        if let Some(gap) = self.gap {
            map.key(20).array(3).int(gap.from.0).int(gap.until.0).uint(gap.reason as u64);
        }
        let bytes = map.finish();
        self.digest = sha256(&bytes);
        bytes
    }

    /// The statement that `bytes` are, if they are one in its only form.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut map = Reader::new(bytes);
        let fields = map.map()?;
        if map.key(1)?.uint()? != VERSION {
            return None;
        }
        let statement = Self {
            stream: StreamId::from_bytes(map.key(2)?.array_of()?),
            index: map.key(3)?.uint()?,
            camera: CameraId::from_bytes(map.key(4)?.array_of()?),
            sequence: map.key(5)?.uint()?,
            first_frame: map.key(6)?.uint()?,
            last_frame: map.key(7)?.uint()?,
            frames: map.key(8)?.uint()?,
            started: Timestamp(map.key(9)?.int()?),
            ended: Timestamp(map.key(10)?.int()?),
            clock: ClockSource::from_code(map.key(11)?.uint()?)?,
            clock_stepped_back: map.key(12)?.bool()?,
            starts_with_key: map.key(13)?.bool()?,
            parameters: map.key(14)?.array_of()?,
            access_units: {
                (map.key(15)?.array()? == 2 && map.array()? == 4 && map.uint()? == 0).then_some(())?;
                let hash = (map.text(8)? == LEVEL_0).then(|| map.array_of())??;
                map.null()?;
                hash
            },
            root: {
                (map.array()? == 4 && map.uint()? == 1).then_some(())?;
                let hash = (map.text(8)? == LEVEL_1).then(|| map.array_of())??;
                (map.uint()? == 0).then_some(hash)?
            },
            records: u32::try_from(map.key(16)?.uint()?).ok()?,
            mp4_length: map.key(17)?.uint()?,
            commitment: map.key(18)?.array_of()?,
            previous: map.key(19)?.array_of()?,
            gap: match fields {
                19 => None,
                20 => Some(Gap {
                    from: {
                        (map.key(20)?.array()? == 3).then_some(())?;
                        Timestamp(map.int()?)
                    },
                    until: Timestamp(map.int()?),
                    reason: GapReason::from_code(map.uint()?)?,
                }),
                _ => return None,
            },
            digest: sha256(bytes),
        };
        map.is_empty().then_some(statement)
    }
}

impl ClockSource {
    const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::Unknown,
            1 => Self::System,
            2 => Self::Synchronized,
            _ => return None,
        })
    }
}

impl GapReason {
    const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0 => Self::HubOff,
            1 => Self::CameraLost,
            2 => Self::Damaged,
            3 => Self::StorageFull,
            4 => Self::NotRecorded,
            _ => return None,
        })
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    finish_sha256(digest::Context::new(&digest::SHA256), bytes)
}

pub(crate) fn finish_sha256(mut context: digest::Context, last: &[u8]) -> [u8; 32] {
    context.update(last);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
