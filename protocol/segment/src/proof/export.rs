//! From verified segments to a file for strangers.

use super::format::{ProofWriter, SegmentProof};
use crate::error::SegmentError;
use crate::stored::StoredSegment;

/// Takes verified segments out as one MP4 with a proof at its end. Memory: one init segment and the proof so far.
#[derive(Debug, Default)]
pub struct Exporter {
    proof: ProofWriter,
    init: Vec<u8>,
}

impl Exporter {
    /// Appends the next segment's media to `out`, which may be drained to a file after each call.
    ///
    /// # Errors
    /// [`SegmentError`] when a record is not as signed; the file is to be thrown away then.
    pub fn add<B: AsRef<[u8]>>(&mut self, segment: &StoredSegment<B>, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let mut heads = Vec::new();
        let mut init = Vec::new();
        let first_unit = segment.first_unit();
        for record in 0..first_unit {
            let (head, media) = segment.parts(record)?;
            heads.extend_from_slice(&head);
            init.extend_from_slice(&media);
        }
        let new_init = init != self.init;
        if new_init {
            out.extend_from_slice(&init);
            self.init = init;
        }
        for record in first_unit..segment.records() {
            let (head, media) = segment.parts(record)?;
            heads.extend_from_slice(&head);
            out.extend_from_slice(&media);
        }
        let trailer = segment.trailer();
        self.proof.add(&SegmentProof {
            statement: &trailer.statement,
            certificate: &trailer.certificate,
            entries: trailer.entries.as_bytes(),
            heads: &heads,
            init: new_init,
        })
    }

    /// Appends the proof: the file is complete.
    ///
    /// # Errors
    /// [`SegmentError::TooLarge`] when the proof is beyond the format's limit.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        self.proof.finish(out)
    }
}
