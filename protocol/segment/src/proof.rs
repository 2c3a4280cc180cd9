//! Evidence for strangers: a plain MP4 with the proof of what the hub signed, checkable with the camera's public key alone.

use privet_protocol::id::CameraId;
use privet_protocol::time::Timestamp;

use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::statement::Gap;
use crate::stored::StoredSegment;

/// Takes verified segments out as one MP4 with a proof at its end.
#[derive(Debug, Default)]
pub struct Exporter {}

impl Exporter {
    /// Appends the next segment's media to `out`, which may be drained to a file after each call.
    ///
    /// # Errors
    /// [`SegmentError`] when a record is not as signed.
    pub fn add<B: AsRef<[u8]>>(&mut self, segment: &StoredSegment<B>, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let _ = (segment, out);
        unimplemented!()
    }

    /// Appends the proof: the file is complete.
    ///
    /// # Errors
    /// [`SegmentError::TooLarge`] when the proof is beyond the format's limit.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let _ = out;
        unimplemented!()
    }
}

/// What a check of an exported file found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Who signed.
    pub signers: Vec<Signer>,
    /// Segments in the file.
    pub segments: u32,
    /// Start of the first segment.
    pub from: Option<Timestamp>,
    /// End of the last one.
    pub until: Option<Timestamp>,
    /// Video frames whose bytes are what was signed.
    pub frames: u64,
    /// Bytes of media whose bytes are what was signed.
    pub media_bytes: u64,
    /// Where something is missing, honestly told or not.
    pub gaps: Vec<Missing>,
    /// Every check that failed.
    pub failures: Vec<Failure>,
}

impl VerifyReport {
    /// Everything in the file is what trusted keys signed. Gaps are possible: see [`Self::gaps`].
    pub fn is_authentic(&self) -> bool {
        self.failures.is_empty() && self.segments > 0
    }
}

/// One who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The camera.
    pub camera: CameraId,
    /// Its evidence key.
    pub key: EvidencePublicKey,
    /// The caller trusts this key for this camera.
    pub trusted: bool,
}

/// A place where something is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The hub told of an outage before this segment.
    Told {
        /// Position in the file.
        segment: u32,
        /// The outage.
        gap: Gap,
    },
    /// Segments between two of the file's are not in the file.
    LeftOut {
        /// Position in the file of the segment after the hole.
        segment: u32,
        /// How many.
        count: u64,
    },
    /// Frames inside a segment were lost before they were signed.
    Frames {
        /// Position in the file.
        segment: u32,
        /// How many.
        count: u64,
    },
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment}: {cause}")]
pub struct Failure {
    /// Position in the file.
    pub segment: u32,
    /// What failed.
    pub cause: SegmentError,
}

/// Checks an exported file. A key that `trust` does not know is reported as an untrusted signer and as a failure.
///
/// # Errors
/// [`SegmentError::Statement`] when the file has no readable proof.
pub fn verify_mp4(file: &[u8], trust: &dyn EvidenceKeys) -> Result<VerifyReport, SegmentError> {
    let _ = (file, trust);
    unimplemented!()
}
