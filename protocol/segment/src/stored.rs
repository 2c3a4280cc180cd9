//! Random access to a whole segment.

use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::header::Header;
use crate::media::InitInfo;
use crate::ratchet::StreamKey;
use crate::statement::Statement;
use crate::verified::Verified;

/// A whole segment whose statement was verified. Every byte read from it is checked against the statement.
pub struct StoredSegment<B> {
    blob: B,
}

impl<B: AsRef<[u8]>> StoredSegment<B> {
    /// Opens the segment: verifies trailer, signature and layout.
    ///
    /// # Errors
    /// [`SegmentError`] when it is not whole, not the expected one, or not signed by a trusted key.
    pub fn open(blob: B, key: &StreamKey, expected: Header, trust: &dyn EvidenceKeys) -> Result<Self, SegmentError> {
        let _ = (key, expected, trust);
        let _ = blob;
        unimplemented!()
    }

    /// The verified statement.
    pub fn statement(&self) -> &Verified<Statement> {
        let _ = &self.blob;
        unimplemented!()
    }

    /// The evidence key that signed it.
    pub fn signer(&self) -> EvidencePublicKey {
        unimplemented!()
    }

    /// What a player needs to know.
    ///
    /// # Errors
    /// [`SegmentError`] when its record is not as signed.
    pub fn init_info(&self) -> Result<Verified<InitInfo>, SegmentError> {
        unimplemented!()
    }

    /// How many media records it has.
    pub fn records(&self) -> u32 {
        unimplemented!()
    }

    /// The content of record `index`.
    ///
    /// # Errors
    /// [`SegmentError::Forged`] when it is not as signed, [`SegmentError::NotThere`].
    pub fn record(&self, index: u32) -> Result<Verified<Vec<u8>>, SegmentError> {
        let _ = index;
        unimplemented!()
    }

    /// Bytes of the MP4: init segment and chunks.
    pub fn mp4_len(&self) -> u64 {
        unimplemented!()
    }

    /// Reads the MP4 at `offset`; returns how much, 0 at its end. Only verified bytes get into `buffer`.
    ///
    /// # Errors
    /// [`SegmentError::Forged`] when a record is not as signed.
    pub fn read_mp4(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, SegmentError> {
        let _ = (offset, buffer);
        unimplemented!()
    }

    /// Checks every record and the hash of the access units.
    ///
    /// # Errors
    /// [`SegmentError`] at the first record that is not as signed.
    pub fn check(&self) -> Result<(), SegmentError> {
        unimplemented!()
    }
}
