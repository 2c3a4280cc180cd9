//! What is worth a clip. `eyes` decode in the camera's worker process, a [`scale`]d-down picture goes to the [`Detector`].
//!
//! Decoding and detection never stop the video: they sit on another thread behind a short queue that drops.

pub mod detector;
pub mod ration;
pub mod scale;
pub mod thumbnail;

mod eyes;
mod polygon;
mod settings;
mod unfiltered;
mod watchdog;
mod watcher;

pub use detector::{Detector, Verdict};
pub use eyes::EyesError;
pub(crate) use eyes::{Eyes, Sight, Trouble};
pub use polygon::{MAX_POINTS, MIN_POINTS, Polygon, PolygonError};
pub(crate) use ration::Portion;
pub use settings::{Decode, Expert, MAX_MASKS, MAX_ZONES, MotionSettings, Sensitivity, Zone};
pub use unfiltered::Unfiltered;
