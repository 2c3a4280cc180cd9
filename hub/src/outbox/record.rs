//! What stands in the store for the outbox, and under which keys.

use privet_home::{EndReason, StreamEnded, StreamKind, StreamStarted};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

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
/// Statement chains by camera.
const CHAIN: &[u8] = b"hub/chain/";
const MAX_RECORD: usize = 1024;

/// A segment that waits for the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in it.
    pub index: u64,
    /// Its bytes.
    pub length: u64,
    /// Until when the relay shall keep it.
    pub until: Timestamp,
    /// When it was put here.
    pub kept: Timestamp,
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
        }
    }

    pub(super) fn add(&mut self, segment: &ClipSegment) {
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
}

/// The relay has a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRelay {
    /// Since when.
    pub since: Timestamp,
    /// Until when it keeps it.
    pub until: Timestamp,
}

impl OpenStream {
    pub(super) fn clip(&self) -> Clip {
        Clip {
            camera: self.camera,
            started: self.started,
            ended: self.ended,
            segments: self.segments,
            bytes: self.bytes,
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
