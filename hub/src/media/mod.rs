//! CMAF: the form in which video leaves the hub, made without touching the coded pictures.
//!
//! * [`timing`]: decode times for a camera that only tells presentation times (B-frames), pure and monotonic.
//! * [`init`]: the init segment (`ftyp` + `moov`) from the sample entries the camera's parameters gave.
//! * [`chunk`]: one `moof` + `mdat` per access unit, so that a frame can leave as soon as it exists.
//!
//! Every stream has a time line of its own that starts at zero: `tfdt` is exact, durations are nominal (the next frame's time
//! is not known yet), composition offsets are signed.

pub mod chunk;
pub mod init;
pub mod timing;

/// The video track's number in every init segment.
pub const VIDEO_TRACK: u32 = 1;
/// The audio track's number.
pub const AUDIO_TRACK: u32 = 2;
/// Ticks of the video track's clock in a second: microseconds, so that no time is rounded.
pub const VIDEO_TIMESCALE: u32 = 1_000_000;

/// Why a picture could not be put into CMAF.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The camera's parameters don't make a track.
    #[error(
        "the camera's {track} parameters can't be used: {cause}; check the camera's codec setting (H.264 and AAC work)"
    )]
    Parameters {
        /// Which track.
        track: &'static str,
        /// What the parser said.
        cause: String,
    },
    /// A box would not fit its own length field.
    #[error("an access unit of {0} bytes does not fit a CMAF chunk")]
    TooLarge(usize),
    /// The box writer failed.
    #[error("the CMAF chunk could not be written: {0}")]
    Write(String),
}
