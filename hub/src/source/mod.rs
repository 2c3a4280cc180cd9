//! Where video comes in: one sandboxed worker process per camera, and the events it turns into.
//!
//! A camera is an untrusted peer. Its bytes are parsed and decoded in a [`worker`] process that holds no keys, opens no files and
//! has one network connection, made by the hub and handed over. The worker speaks to the hub in bounded [`frames`] over a socket
//! pair; the supervisor checks every one of them, restarts a worker that dies, hangs or grows, and never gives up.
//!
//! What the rest of the hub sees is a channel of [`SourceEvent`]: `Online`, then units and motion samples, then `Offline` with a
//! typed reason and the time of the next attempt, and again. Page: `docs/reference/worker.md`.

use std::fmt;

use bytes::Bytes;
use privet_protocol::id::CameraId;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

pub mod frames;
pub mod worker;

mod attempt;
mod backoff;
mod breaker;
mod connect;
mod probe;
mod process;
mod reason;
mod sights;
mod substream;
mod supervisor;

pub use attempt::prove_sandbox;
pub use probe::{ProbeError, ProbeReport, probe};
pub use reason::{Fault, OfflineReason, Phase};
pub use sights::{HEAT_FIELDS, MAX_JPEG, MAX_SMALL_JPEG, MotionSample, Picture, Tamper};
pub use supervisor::{Prompt, SourceHandle, SubUnits, WorkerOptions, spawn};

use crate::motion::MotionSettings;

/// The largest access unit that is accepted from a camera.
pub const MAX_ACCESS_UNIT: usize = 4 << 20;

/// What happens at a camera, in order. After `Offline` nothing but `Online` (or another `Offline`) follows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceEvent {
    /// Connected; the next video unit is a key frame.
    Online {
        /// What the camera sends.
        format: Format,
    },
    /// The camera changed its parameters; the next video unit is a key frame in this format.
    Format(Format),
    /// One access unit, in decode order.
    Unit(AccessUnit),
    /// The detector looked at one picture.
    Motion(MotionSample),
    /// Somebody or something took the camera's view away. Said once, and again only after the view was good in between.
    Tampered {
        /// What was done.
        how: Tamper,
    },
    /// A picture of an activity.
    Picture(Picture),
    /// Motion should be looked for on this connection and is not, because the decoder ended the worker again and again. Holds,
    /// over connections too, until the next `Motion`. Comes right after `Online`.
    Blind {
        /// How long workers are started without a decoder before one tries again.
        pause: std::time::Duration,
    },
    /// The connection is gone, or an attempt to make one failed.
    Offline {
        /// Why, and what the owner could do.
        reason: OfflineReason,
        /// The time until the next attempt.
        retry_in: std::time::Duration,
    },
    /// How the worker is doing; about once a second while there is one.
    Health(Health),
    /// Of the camera's substream, while its units are wanted (see [`SubUnits`]).
    Substream(SubstreamEvent),
}

/// What the substream's units are and when they end. Its times are those of the main stream; its frame numbers are its own, and begin anew
/// with each connection to the main stream.
#[derive(Clone, Debug)]
pub enum SubstreamEvent {
    /// The next unit is a key frame in this format.
    Format(Format),
    /// One access unit, in decode order; always a picture.
    Unit(AccessUnit),
    /// None follows without another format.
    Ended,
}

/// What a camera sends, as a player needs to know it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// RFC 6381 name, `avc1.640028` or `hvc1...`.
    pub codec: String,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// The complete `avc1` (or `hvc1`) box.
    pub video_sample_entry: Bytes,
    /// The `avcC` (or `hvcC`) record alone: what a decoder takes as "codec data".
    pub avcc: Bytes,
    /// The sound, if the camera sends AAC and sound is wanted.
    pub audio: Option<AudioFormat>,
    /// Pictures per second in thousandths, if the camera says so.
    pub nominal_millifps: Option<u32>,
}

impl Format {
    /// Pictures per second, if the camera says so.
    pub fn nominal_fps(&self) -> Option<f32> {
        self.nominal_millifps.map(|milli| milli as f32 / 1000.0)
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({} {}x{}", self.codec, self.width, self.height)?;
        if let Some(audio) = &self.audio {
            write!(f, ", {} {} Hz x{}", audio.codec, audio.sample_rate, audio.channels)?;
        }
        f.write_str(")")
    }
}

/// The sound track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// RFC 6381 name, `mp4a.40.2`.
    pub codec: String,
    /// The complete `mp4a` box.
    pub sample_entry: Bytes,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u16,
}

/// Which of a camera's tracks a unit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// One access unit: a coded picture, or one AAC frame.
#[derive(Clone)]
pub struct AccessUnit {
    /// Picture or sound.
    pub track: Track,
    /// The decoder can start here. Always true for sound.
    pub key: bool,
    /// Presentation time in microseconds since the connection's first unit; continuous whatever the camera's clock does. Units
    /// come in decode order, so with B-frames this goes back and forth.
    pub pts_us: i64,
    /// When the last packet of it came from the camera, by the wall clock. While units may gather (see [`Prompt`]), to about one
    /// picture.
    pub received: Timestamp,
    /// The same instant in microseconds of CLOCK_MONOTONIC.
    pub received_mono_us: u64,
    /// Video: counts up by one with every unit of the camera, over reconnects too; a hole says that units were dropped on the
    /// way from the worker. Sound: the number of the last video unit.
    pub frame: u64,
    /// The unit as an MP4 sample: NAL units with 4-byte lengths (parameter sets are in the [`Format`]), or raw AAC.
    pub data: Bytes,
    /// RTP packets that were lost before or in this unit.
    pub loss: u16,
}

impl fmt::Debug for AccessUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key { " key" } else { "" };
        write!(f, "{:?}{key} #{} pts {} us, {} bytes", self.track, self.frame, self.pts_us, self.data.len())
    }
}

/// How a camera's worker is doing.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// RTP packets lost since the connection was made.
    pub lost_packets: u64,
    /// Video units dropped because the hub did not take them in time.
    pub dropped_units: u64,
    /// Times the camera's clock jumped and was re-anchored.
    pub clock_jumps: u64,
    /// Pictures that the motion decoder did not get or could not use.
    pub undecoded: u64,
    /// Memory of the worker process in bytes.
    pub memory: u64,
    /// What an owner should know, in words: sound that can't be passed on, missing kernel protection, a very long GOP.
    pub notes: Vec<String>,
}

/// A camera as configured. Holds the password; says so little in `Debug` that it can be logged.
#[derive(Clone)]
#[non_exhaustive]
pub struct CameraSettings {
    /// The camera's id.
    pub id: CameraId,
    /// What its owner calls it.
    pub name: String,
    /// `rtsp://host[:port]/path`, without user and password.
    pub url: String,
    /// The camera's smaller stream, with the same user and password: where motion is found, if it is looked for, and what phones with
    /// slow links can watch meanwhile.
    pub sub_url: Option<String>,
    /// User name at the camera.
    pub username: Option<String>,
    /// Password at the camera.
    pub password: Option<Zeroizing<String>>,
    /// Pass the sound on.
    pub audio: bool,
    /// Look for motion; `None` needs no decoder and next to no CPU.
    pub motion: Option<MotionSettings>,
}

impl CameraSettings {
    /// A camera without credentials, with sound, without motion detection.
    pub fn new(id: CameraId, name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            url: url.into(),
            sub_url: None,
            username: None,
            password: None,
            audio: true,
            motion: None,
        }
    }
}

impl fmt::Debug for CameraSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraSettings")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("audio", &self.audio)
            .field("motion", &self.motion)
            .finish_non_exhaustive()
    }
}

impl Drop for CameraSettings {
    fn drop(&mut self) {
        self.username.zeroize();
    }
}
