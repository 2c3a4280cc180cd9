//! What is worth a clip. `eyes` decode in the camera's worker process, a [`scale`]d-down picture goes to the [`Detector`].
//!
//! Decoding and detection never stop the video: they sit on another thread behind a short queue that drops.

use serde::{Deserialize, Serialize};

pub mod detector;
pub mod scale;

mod eyes;

pub use detector::{Detector, Verdict};
pub(crate) use eyes::Eyes;
pub use eyes::EyesError;

/// What the detector is told about a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MotionSettings {
    /// From 1 (a lorry before the window) to 10 (a cat at the end of the garden).
    pub sensitivity: u8,
    /// Pictures looked at per second.
    pub pictures_per_second: f32,
}

impl Default for MotionSettings {
    fn default() -> Self {
        Self { sensitivity: 5, pictures_per_second: 5.0 }
    }
}
