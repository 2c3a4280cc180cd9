//! Evidence for strangers: a plain MP4 with the proof of what the hub signed, checkable with the camera's public key alone.
//!
//! The file is the MP4 of a run of segments (init segment, then all chunks; the init segment again only where it changes) and
//! then one `uuid` box, which players skip. The box holds, for each segment, statement, session certificate, list of leaves and
//! the heads of init segment and units: whatever a record held beside the MP4's bytes. So every leaf can be made again without a
//! stream key, and a changed byte is told with its record.

mod export;
mod format;
mod verify;

pub use export::Exporter;
pub use verify::{Failure, Missing, Signer, VerifyReport, verify_mp4};

/// A file of nothing but a proof's box with this content.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn boxed(content: &[u8]) -> Vec<u8> {
    format::boxed(content).unwrap_or_default()
}
