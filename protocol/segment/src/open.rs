//! Opening as the bytes arrive.

use bytes::Bytes;

use crate::error::SegmentError;
use crate::evidence::EvidenceKeys;
use crate::header::Header;
use crate::media::{InitInfo, UnitHead};
use crate::ratchet::StreamKey;
use crate::statement::Statement;
use crate::verified::Verified;

/// A piece of an opened segment: authentic under the stream key, but who made it is known only at the end
/// ([`Opener::finish`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// How the video starts.
    Init {
        /// For the player.
        info: InitInfo,
        /// `ftyp` and `moov`.
        segment: Bytes,
    },
    /// One unit.
    Unit {
        /// What is known about it.
        head: UnitHead,
        /// `moof` and `mdat`.
        chunk: Bytes,
    },
}

/// Opens one segment from bytes in any pieces.
pub struct Opener {}

impl Opener {
    /// An opener for the segment that is expected: another one's bytes are refused.
    ///
    /// # Errors
    /// [`SegmentError::KeyErased`] when `key` starts after it.
    pub fn new(key: &StreamKey, expected: Header) -> Result<Self, SegmentError> {
        let _ = (key, expected);
        unimplemented!()
    }

    /// Takes the next bytes. Call [`Self::next`] until it has nothing more, then push again: so at most one unit is held.
    pub fn push(&mut self, bytes: &[u8]) {
        let _ = bytes;
        unimplemented!()
    }

    /// The next piece, `None` when more bytes are needed or the last record was read.
    ///
    /// # Errors
    /// [`SegmentError`] at the first record that is not as sealed; the same error from then on.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends at None; this goes on after the next push")]
    pub fn next(&mut self) -> Result<Option<Item>, SegmentError> {
        unimplemented!()
    }

    /// The last record was read: [`Self::finish`] can say who made the segment.
    pub fn ended(&self) -> bool {
        unimplemented!()
    }

    /// Checks the statement: certificate, signature, key commitment, hashes, counts.
    ///
    /// # Errors
    /// [`SegmentError::Truncated`] before the end; else what does not hold.
    pub fn finish(self, trust: &dyn EvidenceKeys) -> Result<Verified<Statement>, SegmentError> {
        let _ = trust;
        unimplemented!()
    }
}
