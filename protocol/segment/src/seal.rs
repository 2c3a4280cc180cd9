//! Sealing.

use crate::error::SegmentError;
use crate::media::{InitInfo, UnitHead};
use crate::ratchet::StreamKey;
use crate::session::Session;
use crate::statement::{SegmentEnd, SegmentFacts};

/// Seals one segment, record by record; a unit's bytes can leave the device as soon as it was given.
pub struct Sealer {
    session: Session,
}

/// What a finished segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSegment {
    /// Digest of its statement: the next one's `previous`.
    pub digest: [u8; 32],
    /// Bytes of the whole sealed segment.
    pub length: u64,
    /// Video frames in it.
    pub frames: u64,
}

impl Sealer {
    /// Begins the segment of `facts`: writes its header to `out` and moves `key` past it, so that it can't be opened with
    /// what stays in memory.
    ///
    /// # Errors
    /// [`SegmentError::KeyErased`] when the key is past this index, [`SegmentError::SessionExpired`] when the session does not
    /// cover its start, [`SegmentError::StreamExhausted`] at the end of a stream.
    pub fn begin(key: &mut StreamKey, session: &Session, facts: SegmentFacts, out: &mut Vec<u8>) -> Result<Self, SegmentError> {
        let _ = (key, facts, out);
        let _ = session;
        unimplemented!()
    }

    /// Seals how the video starts: first of all, once.
    ///
    /// # Errors
    /// [`SegmentError::Order`] when called twice, [`SegmentError::TooLarge`].
    pub fn init(&mut self, info: &InitInfo, segment: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let _ = (info, segment, out, &self.session);
        unimplemented!()
    }

    /// Seals one unit. `chunk` is its `moof` and `mdat`; `access_unit` is the sample as the camera sent it, which must be what
    /// the chunk holds after `head.header_len` (empty for sound).
    ///
    /// # Errors
    /// [`SegmentError::Order`] before the init, [`SegmentError::TooLarge`], [`SegmentError::HashMismatch`] when chunk and
    /// access unit differ.
    pub fn unit(&mut self, head: &UnitHead, chunk: &[u8], access_unit: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let _ = (head, chunk, access_unit, out);
        unimplemented!()
    }

    /// Seals the end: padding and the signed statement.
    ///
    /// # Errors
    /// [`SegmentError::Order`] before the init, [`SegmentError::Crypto`] when the signature fails.
    pub fn finish(self, end: SegmentEnd, out: &mut Vec<u8>) -> Result<SealedSegment, SegmentError> {
        let _ = (end, out);
        unimplemented!()
    }
}
