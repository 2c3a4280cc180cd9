//! What the detector is told about a camera.

use serde::{Deserialize, Serialize};

use super::Polygon;

/// Zones a camera has at most.
pub const MAX_ZONES: usize = 16;
/// Masks a camera has at most.
pub const MAX_MASKS: usize = 16;

/// What the detector is told about a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MotionSettings {
    /// The one knob.
    pub sensitivity: Sensitivity,
    /// Pictures looked at per second.
    pub pictures_per_second: f32,
    /// Where motion counts, sorted by name; none: the whole frame. Bit `n` of a verdict's zones is the `n`-th of these.
    pub zones: Vec<Zone>,
    /// Where nothing counts.
    pub masks: Vec<Zone>,
    /// For experts: in place of what the sensitivity says.
    pub expert: Expert,
}

impl Default for MotionSettings {
    fn default() -> Self {
        Self {
            sensitivity: Sensitivity::Medium,
            pictures_per_second: 5.0,
            zones: Vec::new(),
            masks: Vec::new(),
            expert: Expert::default(),
        }
    }
}

/// How small a thing counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// People and cars that are near.
    Low,
    /// A person at the end of a garden.
    #[default]
    Medium,
    /// A cat at the end of a garden.
    High,
}

impl Sensitivity {
    /// Levels of brightness, of 255, by which a pixel changes that counts.
    pub fn threshold(self) -> f32 {
        match self {
            Self::Low => 20.0,
            Self::Medium => 14.0,
            Self::High => 10.0,
        }
    }

    /// The part of its zone that a thing must take.
    pub fn area(self) -> f32 {
        match self {
            Self::Low => 0.0025,
            Self::Medium => 0.0009,
            Self::High => 0.000_45,
        }
    }
}

/// A named part of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// What the family calls it.
    pub name: String,
    /// Its outline.
    pub outline: Polygon,
}

/// Each key in place of what the sensitivity says; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Expert {
    /// Levels of brightness, of 255, by which a pixel changes that counts. 4 to 100.
    pub threshold: Option<f32>,
    /// The part of its zone that a thing must take. 0.0001 to 0.5.
    pub area: Option<f32>,
    /// Times its own noise that a pixel changes by to count. 2 to 20; 5 when left out.
    pub noise_factor: Option<f32>,
    /// Milliseconds for which motion is held after its last picture. 200 to 60000; 2000 when left out.
    pub hold_ms: Option<u32>,
    /// Seconds for which something that came and stands still keeps the motion going. 0 to 600; 20 when left out.
    pub loiter_s: Option<u32>,
    /// Pictures of three that must show motion before it counts. 1 to 3; 2 when left out.
    pub onset: Option<u8>,
    /// Tell when the camera is covered, out of focus or moved. On when left out.
    pub tamper: Option<bool>,
    /// Which pictures are decoded; when left out, all that others refer to of a substream, and of a main stream key frames, with
    /// more on suspicion.
    pub decode: Option<Decode>,
}

impl Expert {
    /// For how long motion is held after its last picture, in microseconds.
    pub(crate) fn hold_us(&self) -> i64 {
        i64::from(self.hold_ms.unwrap_or(2_000)) * 1_000
    }
}

/// Which pictures of a stream are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// All that others refer to.
    All,
    /// Key frames, and more on suspicion.
    KeyFrames,
}
