//! Clips and live views.

use privet_app_core as core;

use crate::data::Data;
use crate::error::CoreError;
use crate::values::{ClipInfo, FetchProgress, GapReason, LiveStats, Track, Trust, VerifyReport};

/// A finished recording with random access to verified bytes.
#[derive(uniffi::Object)]
pub struct Clip(pub(crate) core::Clip);

#[uniffi::export]
#[expect(clippy::len_without_is_empty, reason = "players ask for a length, and a clip is never empty")]
impl Clip {
    /// What is known of it.
    pub fn info(&self) -> ClipInfo {
        self.0.info().into()
    }

    /// Its length in bytes, once all of it is here and verified.
    pub async fn len(&self) -> Result<u64, CoreError> {
        Ok(self.0.len().await?)
    }

    /// Always `video/mp4`.
    pub fn mime(&self) -> String {
        self.0.mime().into()
    }

    /// How far it was fetched.
    pub fn progress(&self) -> FetchProgress {
        self.0.progress().into()
    }

    /// Verified bytes; empty at the end.
    pub async fn read(&self, offset: u64, max: u32) -> Result<Data, CoreError> {
        Ok(self.0.read(offset, max).await?.into())
    }

    /// The blocking twin of `read`, for a player's loader thread.
    pub fn read_at(&self, offset: u64, max: u32) -> Result<Data, CoreError> {
        Ok(self.0.read_at(offset, max)?.into())
    }

    /// Waits until a range is here.
    pub async fn prefetch(&self, offset: u64, bytes: u64) -> Result<(), CoreError> {
        Ok(self.0.prefetch(offset, bytes).await?)
    }

    /// Checks every byte.
    pub async fn verify(&self) -> Result<VerifyReport, CoreError> {
        Ok(self.0.verify().await?.into())
    }

    /// Writes it as MP4, with or without the proof.
    pub async fn export_to(&self, path: String, with_evidence: bool) -> Result<(), CoreError> {
        Ok(self.0.export_to(path, with_evidence).await?)
    }

    /// Ends all fetching.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// An item of a live view.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum LiveItem {
    /// Comes first, and again when parameters change.
    Format {
        /// RFC 6381 codec.
        codec: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// RFC 6381 codec of the sound.
        audio_codec: Option<String>,
        /// The pictures are those of the camera's smaller stream: the link is too slow for the other.
        substream: bool,
        /// MP4 init segment, or decoder configuration record.
        header: Data,
    },
    /// A picture or a piece of sound.
    Media {
        /// Which of both.
        track: Track,
        /// When to present it.
        pts_us: i64,
        /// How long it lasts.
        duration_us: u32,
        /// When the hub received it.
        capture_ms: i64,
        /// The camera's frame counter.
        frame: u64,
        /// Whether decoding can start here.
        key: bool,
        /// Pending until its segment's end.
        trust: Trust,
        /// The bytes.
        data: Data,
    },
    /// What was not seen.
    Gap {
        /// The first frame.
        from_seq: u64,
        /// The next frame shown; the same one where none are missing by the count: the camera made no pictures for a while, or the hub's next stream
        /// repeats some.
        to_seq: u64,
        /// Why.
        reason: GapReason,
    },
    /// The verdict on a segment.
    Segment {
        /// Its stream.
        stream: String,
        /// Its number.
        index: u64,
        /// Its first frame.
        first_frame: u64,
        /// Its last frame.
        last_frame: u64,
        /// Verified or Broken.
        trust: Trust,
    },
    /// Nothing within the wait.
    Idle,
    /// Nothing more comes.
    End {
        /// Why.
        reason: String,
    },
}

impl From<core::LiveItem> for LiveItem {
    fn from(item: core::LiveItem) -> Self {
        match item {
            core::LiveItem::Format { codec, width, height, audio_codec, substream, header } => {
                Self::Format { codec, width, height, audio_codec, substream, header: header.into() }
            }
            core::LiveItem::Media { track, pts_us, duration_us, capture_ms, frame, key, trust, data, .. } => {
                Self::Media {
                    track: track.into(),
                    pts_us,
                    duration_us,
                    capture_ms,
                    frame,
                    key,
                    trust: trust.into(),
                    data: data.into(),
                }
            }
            core::LiveItem::Gap(gap) => {
                Self::Gap { from_seq: gap.from_seq, to_seq: gap.to_seq, reason: gap.reason.into() }
            }
            core::LiveItem::Segment(seen) => Self::Segment {
                stream: seen.stream,
                index: seen.index,
                first_frame: seen.first_frame,
                last_frame: seen.last_frame,
                trust: seen.trust.into(),
            },
            core::LiveItem::Idle => Self::Idle,
            core::LiveItem::End { reason } => Self::End { reason },
        }
    }
}

/// A live view.
#[derive(uniffi::Object)]
pub struct Live(pub(crate) core::Live);

#[uniffi::export]
impl Live {
    /// The next item, or `Idle`.
    pub async fn next(&self, wait_ms: u32) -> Result<LiveItem, CoreError> {
        Ok(self.0.next(wait_ms).await?.into())
    }

    /// The blocking twin of `next`, for decoder threads.
    pub fn next_blocking(&self, wait_ms: u32) -> Result<LiveItem, CoreError> {
        Ok(self.0.next_blocking(wait_ms)?.into())
    }

    /// How it goes.
    pub fn stats(&self) -> LiveStats {
        self.0.stats().into()
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.stop();
    }
}
