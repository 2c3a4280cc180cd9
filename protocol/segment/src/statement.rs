//! The segment statement: what the hub signs about a segment, in words that a stranger can check.

use aws_lc_rs::digest;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::time::Timestamp;

/// How well the hub's clock was known when it stamped a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockSource {
    /// Nothing is known about the clock.
    Unknown,
    /// The machine's clock, not known to be synchronized.
    System,
    /// The machine's clock, synchronized over the network.
    Synchronized,
}

/// Why frames are missing before a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapReason {
    /// The hub was off or restarted.
    HubOff,
    /// The camera was unreachable or sent nothing.
    CameraLost,
    /// The camera's data was damaged or lost on the way to the hub.
    Damaged,
    /// The hub could not store more.
    StorageFull,
    /// Recording was not wanted then.
    NotRecorded,
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
    /// Number of its last video frame.
    pub last_frame: u64,
    /// Wall clock at its end.
    pub ended: Timestamp,
    /// The wall clock was set back while the segment was made.
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
    /// Number of its last video frame.
    pub last_frame: u64,
    /// Video frames in it; fewer than the numbers span when some were lost.
    pub frames: u64,
    /// Wall clock at its first frame.
    pub started: Timestamp,
    /// Wall clock at its end.
    pub ended: Timestamp,
    /// What that clock is worth.
    pub clock: ClockSource,
    /// The clock was set back in between.
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

impl Statement {
    /// SHA-256 of the statement's bytes: what the next one names as `previous`.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
