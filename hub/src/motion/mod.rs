//! What is worth a clip: the detector and the decoder that feeds it. Both run in the camera's worker process.

use serde::{Deserialize, Serialize};

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
