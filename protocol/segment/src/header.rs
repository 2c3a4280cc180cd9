//! The clear header of a sealed segment: version, stream and index. It says which key opens the rest and is bound to
//! every byte after it, because the segment's secrets are derived with it.

use privet_protocol::id::StreamId;

use crate::error::SegmentError;

/// The version this program writes and reads.
pub const VERSION: u8 = 1;

/// The clear header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The stream.
    pub stream: StreamId,
    /// The segment's place in the stream, from 0.
    pub index: u64,
}

impl Header {
    /// Bytes of a header.
    pub const LENGTH: usize = 25;

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(self.stream.as_bytes());
        bytes[17..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    /// The header that `bytes` start with.
    ///
    /// # Errors
    /// [`SegmentError::Version`] for a version of the future, [`SegmentError::Truncated`] for fewer bytes than a header has.
    pub fn parse(bytes: &[u8]) -> Result<Self, SegmentError> {
        match bytes.first() {
            None => return Err(SegmentError::Truncated { record: 0 }),
            Some(&VERSION) => {}
            Some(&found) => return Err(SegmentError::Version { found }),
        }
        let (Some(stream), Some(index)) = (array::<16>(bytes, 1), array::<8>(bytes, 17)) else {
            return Err(SegmentError::Truncated { record: 0 });
        };
        Ok(Self { stream: StreamId::from_bytes(stream), index: u64::from_be_bytes(index) })
    }

    pub(crate) fn expect(self, expected: Self) -> Result<(), SegmentError> {
        if self.stream != expected.stream {
            return Err(SegmentError::WrongStream { expected: expected.stream, found: self.stream });
        }
        if self.index != expected.index {
            return Err(SegmentError::WrongIndex { expected: expected.index, found: self.index });
        }
        Ok(())
    }
}

pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
