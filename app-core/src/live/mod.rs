//! A camera now: opened record by record as it arrives, pulled item by item.
//!
//! The story of a live view:
//! 1. [`open`] asks the hub to watch the camera (`Watch`, renewed while the view is open) and waits until the
//!    log tells the stream's key.
//! 2. `follow` follows that stream at the relay and opens each record as it arrives; pictures are [`Trust::Pending`].
//! 3. At a segment's end its signature is checked: [`LiveItem::Segment`] says Verified or Broken, and a broken one never
//!    yields further pictures.
//! 4. `pace` asks for the camera's substream while the link is too slow for the main one.
//! 5. `late` gives the rest of a segment up when its pictures come too late, and `stall` when none come any more and a newer segment is
//!    there: latency stays bounded whatever the link.
//! 6. `ring` holds what the viewer has not taken yet, bounded; what it can't hold is told as a [`Gap`].

mod follow;
mod late;
mod pace;
mod pump;
mod ring;
mod stall;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::ring::Ring;
use crate::error::{CoreError, Result};
use crate::runtime;
use crate::types::{Track, Trust};

pub(crate) use self::follow::open;
pub use self::late::Lateness;
pub use self::pace::Pace;
pub(crate) use self::views::Views;

/// What [`Live`] hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiveFormat {
    /// Fragmented MP4: an init segment, then one fragment per access unit. For players.
    Fmp4,
    /// The access units as length-prefixed NAL units, after the `avcC` (or `hvcC`) record. For decoders.
    AccessUnits,
}

/// An item of a live view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveItem {
    /// Comes first, and again when the camera's parameters change or the hub changes between the camera's streams.
    Format {
        /// RFC 6381 name of the video codec.
        codec: String,
        /// Picture width in pixels.
        width: u32,
        /// Picture height in pixels.
        height: u32,
        /// RFC 6381 name of the audio codec, where there is sound.
        audio_codec: Option<String>,
        /// The pictures are those of the camera's smaller stream, because the link is too slow for the other.
        substream: bool,
        /// MP4 init segment, or the decoder configuration record.
        header: Bytes,
    },
    /// A picture or a piece of sound.
    Media {
        /// Which of both.
        track: Track,
        /// When to present it, in the stream's own time.
        pts_us: i64,
        /// How long it lasts.
        duration_us: u32,
        /// When the hub received it from the camera.
        capture_ms: i64,
        /// The same on the hub's monotonic clock in microseconds, for latencies on one machine; 0 when not told.
        capture_us: u64,
        /// The camera's frame counter; 0 for sound.
        frame: u64,
        /// Whether decoding can start here.
        key: bool,
        /// Pending: its segment's signature is still to come.
        trust: Trust,
        /// The bytes.
        data: Bytes,
    },
    /// What the viewer did not see, and why.
    Gap(Gap),
    /// The verdict on a segment whose pictures were handed out before.
    Segment(SegmentSeen),
    /// Nothing within the wait; the view is still open.
    Idle,
    /// Nothing more comes.
    End {
        /// Why.
        reason: String,
    },
}

/// Frames that were not shown. By the count none are missing where `from_seq` is `to_seq`: the camera was away for more than a second, or the hub's next stream
/// begins with frames that were shown already, or counts otherwise. After any gap frames may have numbers again that had other pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// The first one.
    pub from_seq: u64,
    /// One more than the last one: the next frame shown.
    pub to_seq: u64,
    /// Why.
    pub reason: GapReason,
}

/// Why frames were not shown; the later in this list, the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GapReason {
    /// The hub began another stream: nobody had watched for a moment, or the home's members changed.
    NewStream,
    /// They were not taken in time.
    SlowViewer,
    /// The camera or the hub made none.
    CameraRestart,
    /// They did not arrive in time.
    NetworkLoss,
    /// They were not what the camera signed.
    FailedVerification,
}

/// The verdict on a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSeen {
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub index: u64,
    /// Its first frame; 0 for a broken one.
    pub first_frame: u64,
    /// Its last frame; 0 for a broken one.
    pub last_frame: u64,
    /// Verified or Broken.
    pub trust: Trust,
}

/// How a live view goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveStats {
    /// Media items that arrived.
    pub received: u64,
    /// Media items that were dropped here.
    pub dropped: u64,
    /// Times that the network lost something.
    pub lost: u64,
    /// Segments verified.
    pub verified: u64,
    /// Segments broken.
    pub broken: u64,
    /// Items waiting for the viewer.
    pub queued: u64,
    /// From the hub's reception of the newest picture to its arrival here, by both wall clocks.
    pub latency_ms: u32,
}

/// What the follower and the viewer share.
pub(crate) struct Shared {
    ring: Mutex<Ring>,
    arrived: Notify,
    started: Instant,
    stop: CancellationToken,
}

impl Shared {
    fn new(buffer: Duration, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self { ring: Mutex::new(Ring::new(buffer)), arrived: Notify::new(), started: Instant::now(), stop })
    }

    /// Changes the ring with the time of now, and wakes the viewer.
    fn with<T>(&self, change: impl FnOnce(&mut Ring, Duration) -> T) -> T {
        let out = change(&mut self.lock(), self.started.elapsed());
        self.arrived.notify_one();
        out
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there without waiting.
    fn ready(&self) -> Result<Option<LiveItem>> {
        // Stopped is stopped, whatever still waits.
        if self.stop.is_cancelled() {
            return Err(CoreError::Stopped);
        }
        let mut ring = self.lock();
        match ring.take() {
            None if ring.ended() => Err(CoreError::Stopped),
            item => Ok(item),
        }
    }

    async fn next(&self, wait: Duration) -> Result<LiveItem> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            if let Some(item) = self.ready()? {
                return Ok(item);
            }
            tokio::select! {
                () = arrived => {}
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(LiveItem::Idle),
            }
        }
    }
}

/// A live view. Dropping it stops it.
pub struct Live {
    shared: Arc<Shared>,
}

impl Live {
    /// The next item, or [`LiveItem::Idle`] after `wait_ms`.
    ///
    /// # Errors
    /// [`CoreError::Stopped`] after the end or [`Live::stop`].
    pub async fn next(&self, wait_ms: u32) -> Result<LiveItem> {
        runtime::here(self.shared.next(Duration::from_millis(wait_ms.into()))).await
    }

    /// The blocking twin of [`Live::next`], for decoder threads.
    ///
    /// # Errors
    /// [`CoreError::Stopped`] after the end or [`Live::stop`]; [`CoreError::Invalid`] on an async thread.
    pub fn next_blocking(&self, wait_ms: u32) -> Result<LiveItem> {
        runtime::block_on_unless(|| self.shared.ready(), || self.shared.next(Duration::from_millis(wait_ms.into())))
    }

    /// How it goes.
    pub fn stats(&self) -> LiveStats {
        self.shared.lock().stats()
    }

    /// Ends the view; waiting calls return at once.
    pub fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.arrived.notify_waiters();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}
