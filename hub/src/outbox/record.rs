//! What stands in the store for the outbox, and under which keys.

use std::time::Duration;

use privet_home::{EndReason, StreamEnded, StreamKind, StreamStarted};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::HouseTime;
use super::retention::Elsewhere;
use crate::recorder::ClipSegment;

/// Segments by number.
pub(super) const SEGMENTS: &[u8] = b"hub/segment/";
/// Open streams by id.
pub(super) const OPEN: &[u8] = b"hub/open/";
/// Streams whose end the relay is to be told, by id.
pub(super) const FINISH: &[u8] = b"hub/finish/";
/// Whole clips by id: the facts, written once.
pub(super) const CLIPS: &[u8] = b"hub/clip/";
/// What their phones were told of them, by id.
pub(super) const NOTES: &[u8] = b"hub/notes/";
/// Clips that somebody wants kept, by id.
pub(super) const PINS: &[u8] = b"hub/pin/";
/// How long the relay keeps clips that it has, by id.
pub(super) const AT_RELAY: &[u8] = b"hub/at-relay/";
/// Clips whose files made way, by id.
pub(super) const THINNED: &[u8] = b"hub/thinned/";
/// Streams that the relay is to forget, by id.
pub(super) const DROPS: &[u8] = b"hub/drop/";
/// How house time is counted.
pub(super) const CLOCK: &[u8] = b"hub/clock";
/// Statement chains by camera.
const CHAIN: &[u8] = b"hub/chain/";
const MAX_RECORD: usize = 1024;
/// A pinned clip is not put again sooner than this after it was put, however short the relay keeps things.
const AGAIN_PAUSE: Duration = Duration::from_secs(12 * 3_600);

/// A segment that waits for the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in it.
    pub index: u64,
    /// Its bytes.
    pub length: u64,
    /// How long the relay shall keep it from when it has it, in milliseconds: no time of day, as this machine's clock may be wrong.
    #[serde(default = "as_long_as_it_does")]
    pub keep_ms: u64,
    /// When it was put here, by the wall clock.
    pub kept: Timestamp,
}

fn as_long_as_it_does() -> u64 {
    u64::MAX
}

impl Pending {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        cbor::decode(bytes, MAX_RECORD).map_err(|e| StoreError::Damaged(format!("a segment's record: {e}")))
    }
}

/// A stream that was announced and not ended, and how much of it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStream {
    /// Its camera.
    pub camera: CameraId,
    /// Live or clip.
    pub kind: StreamKind,
    /// When its first picture came.
    pub started: Timestamp,
    /// When its last durable segment ended.
    pub ended: Timestamp,
    /// Its durable segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Digest of the last one's statement.
    #[serde(with = "serde_bytes")]
    pub last_statement: [u8; 32],
    /// When the last one became durable.
    #[serde(default)]
    pub kept: Option<HouseTime>,
}

impl OpenStream {
    pub(crate) fn new(started: &StreamStarted) -> Self {
        Self {
            camera: started.camera,
            kind: started.kind,
            started: started.started,
            ended: started.started,
            segments: 0,
            bytes: 0,
            last_statement: [0; 32],
            kept: None,
        }
    }

    pub(super) fn add(&mut self, segment: &ClipSegment, kept: HouseTime) {
        self.kept = Some(kept);
        self.segments = segment.index + 1;
        self.bytes += segment.bytes.len() as u64;
        self.last_statement = segment.chain.previous;
        self.ended = segment.chain.recorded_until.unwrap_or(self.ended);
    }

    pub(super) fn ended(&self, stream: StreamId, reason: EndReason) -> StreamEnded {
        StreamEnded {
            stream,
            segments: self.segments,
            started: self.started,
            ended: self.ended,
            reason,
            last_statement: self.last_statement,
            bytes: self.bytes,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        cbor::decode(bytes, MAX_RECORD).map_err(|e| StoreError::Damaged(format!("a stream's record: {e}")))
    }
}

/// A whole clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// Its camera.
    pub camera: CameraId,
    /// When its first picture came.
    pub started: Timestamp,
    /// When its last segment ended.
    pub ended: Timestamp,
    /// Its segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last one became durable: from then on the clip's age counts. Older records have none.
    #[serde(default)]
    pub kept: Option<HouseTime>,
}

impl Clip {
    /// When its age began to count; for an older record the wall clock has to do.
    pub(super) fn kept(&self) -> HouseTime {
        self.kept.unwrap_or(HouseTime(self.ended.0))
    }
}

/// What the relay has of a clip. Its times are by the relay's clock, and compared with no other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRelay {
    /// Since when.
    pub since: Timestamp,
    /// Until when it keeps it; not after `since` when it has nothing.
    pub until: Timestamp,
    /// It does not have all of it: some was given up.
    #[serde(default)]
    pub lacks: bool,
    /// When that was, in house time.
    #[serde(default)]
    pub put: Option<HouseTime>,
}

impl AtRelay {
    /// With all of it from `since` until `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> Self {
        Self { since, until, ..Self::default() }
    }

    /// With one segment more, or (`None`) one that it will never have: the first that goes says when the clip goes.
    pub(super) fn with(self, kept: Option<Self>) -> Self {
        let has = |kept: &Self| kept.until > kept.since;
        let first = [Some(self), kept].into_iter().flatten().filter(has).min_by_key(|kept| kept.until);
        Self { lacks: self.lacks || kept.is_none(), ..first.unwrap_or(self) }
    }

    /// Whether nine tenths of the time are over that the relay keeps it, by the relay's clock.
    pub(super) fn is_due(&self, relay: Timestamp) -> bool {
        let whole = self.until.since(self.since);
        !whole.is_zero() && relay >= self.since.after((whole / 10 * 9).max(AGAIN_PAUSE))
    }

    /// Whether the relay has the whole clip, by its own clock, as far as that was heard. `age` is of what is dated in house time.
    pub(super) fn elsewhere(&self, relay: Option<Timestamp>, age: impl Fn(HouseTime) -> Duration) -> Elsewhere {
        let whole = self.until.since(self.since);
        if self.lacks || whole.is_zero() {
            return Elsewhere::Nowhere;
        }
        match relay {
            Some(relay) if relay < self.until => Elsewhere::Relay,
            Some(_) => Elsewhere::Nowhere,
            // Ages may fall a bit short while nobody was heard who knows of a pause.
            None if self.put.is_some_and(|put| age(put) < whole / 10 * 9) => Elsewhere::Relay,
            None => Elsewhere::Unknown,
        }
    }
}

impl OpenStream {
    pub(super) fn clip(&self) -> Clip {
        Clip {
            camera: self.camera,
            started: self.started,
            ended: self.ended,
            segments: self.segments,
            bytes: self.bytes,
            kept: self.kept,
        }
    }
}

/// A value of one of the small records.
pub(super) fn value<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    cbor::decode(bytes, MAX_RECORD).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
}

/// The name of a segment's file.
pub(super) fn file(stream: StreamId, index: u64) -> String {
    format!("{stream}-{index}")
}

/// The key of a stream's record of one kind.
pub(super) fn key(prefix: &[u8], stream: StreamId) -> Vec<u8> {
    [prefix, stream.as_bytes()].concat()
}

pub(super) fn segment_key(number: u64) -> Vec<u8> {
    [SEGMENTS, &number.to_be_bytes()].concat()
}

pub(super) fn open_key(stream: StreamId) -> Vec<u8> {
    key(OPEN, stream)
}

pub(super) fn finish_key(stream: StreamId) -> Vec<u8> {
    key(FINISH, stream)
}

pub(super) fn chain_key(camera: CameraId) -> Vec<u8> {
    [CHAIN, camera.as_bytes()].concat()
}

pub(super) fn number_of(key: &[u8]) -> Result<u64, StoreError> {
    key.strip_prefix(SEGMENTS)
        .and_then(|rest| rest.try_into().ok())
        .map(u64::from_be_bytes)
        .ok_or_else(|| StoreError::Damaged("a segment's number".into()))
}

pub(super) fn stream_of(prefix: &[u8], key: &[u8]) -> Result<StreamId, StoreError> {
    key.strip_prefix(prefix)
        .and_then(|rest| rest.try_into().ok())
        .map(StreamId::from_bytes)
        .ok_or_else(|| StoreError::Damaged("a stream's key".into()))
}

pub(super) fn finish_bytes(segments: Option<u64>) -> Vec<u8> {
    cbor::encode(&segments)
}

pub(super) fn finish_from(bytes: &[u8]) -> Result<Option<u64>, StoreError> {
    cbor::decode(bytes, MAX_RECORD).map_err(|e| StoreError::Damaged(format!("a stream's end: {e}")))
}
