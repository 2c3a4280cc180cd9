//! What goes into a recorder and what comes out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use privet_home::{ClipNotes, Feed, StreamEnded, StreamKind, StreamStarted};
use privet_protocol::id::{DeviceId, StreamId};
use privet_protocol::time::Timestamp;

use super::chain::Chain;
use super::sighting::Sighting;
use crate::source::{Format, SourceEvent};

/// The time, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock.
    pub wall: Timestamp,
    /// CLOCK_MONOTONIC in microseconds.
    pub mono_us: u64,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Input {
    /// At the camera.
    Source(SourceEvent),
    /// A phone wants to see it live.
    Watch {
        /// Which phone.
        viewer: DeviceId,
        /// For how long without another word.
        lease: Duration,
        /// Which of the camera's streams it wants to see.
        feed: Feed,
    },
    /// It does not any more.
    Unwatch {
        /// Which phone.
        viewer: DeviceId,
    },
    /// Somebody left the home: all streams go on under new keys.
    Rekey {
        /// Who.
        removed: Option<DeviceId>,
    },
    /// Clips can be kept again.
    Room {
        /// What of the recorded chain is durable.
        chain: Chain,
    },
    /// Clips can't be kept now.
    NoRoom {
        /// What of the recorded chain is durable.
        chain: Chain,
    },
    /// Time passed.
    Tick,
    /// The hub stops: everything is brought to an end. Nothing is done afterwards.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Tell the members of a new stream. Comes before anything else of it.
    Started(StreamStarted),
    /// Send at once.
    Live(LiveRecord),
    /// Keep until the relay has it.
    Segment(ClipSegment),
    /// Tell the members that a stream is whole.
    Ended(StreamKind, StreamEnded),
    /// What a clip shows; after its end.
    Notes(Box<ClipNotes>),
    /// The camera came, went, or changed what it sends.
    Camera(CameraNews),
    /// Somebody may have to be told of something.
    Sighted(Sighting),
    /// More numbers are needed: make this durable soon.
    Reserve(Chain),
    /// The answer to [`Input::NoRoom`]: all clips that came before this are given up, and none comes until there is room.
    Stopped,
}

/// What became of a camera.
#[derive(Clone, Debug)]
pub enum CameraNews {
    /// It sends this.
    Online {
        /// What.
        format: Arc<Format>,
    },
    /// It sends nothing.
    Offline {
        /// Why, in words.
        reason: String,
    },
}

/// A piece of a live segment.
#[derive(Clone, Debug)]
pub struct LiveRecord {
    /// The stream.
    pub stream: StreamId,
    /// The segment.
    pub index: u64,
    /// Where in the segment it stands.
    pub part: LivePart,
    /// Sealed bytes.
    pub bytes: Bytes,
    /// When the access unit in it was received, where the delay from there is of interest.
    pub received_mono_us: Option<u64>,
}

/// Where in its segment a piece stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LivePart {
    /// The segment begins.
    Begin,
    /// It goes on.
    More,
    /// Its last bytes.
    End,
}

/// A whole segment of a clip.
#[derive(Clone)]
pub struct ClipSegment {
    /// The stream.
    pub stream: StreamId,
    /// Its place in it.
    pub index: u64,
    /// Sealed bytes.
    pub bytes: Bytes,
    /// The camera's chain once this segment is durable.
    pub chain: Chain,
}

impl std::fmt::Debug for ClipSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClipSegment({:?} #{}, {} bytes)", self.stream, self.index, self.bytes.len())
    }
}
