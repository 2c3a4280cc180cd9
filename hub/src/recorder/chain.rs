//! What a camera's statements are numbered and chained with, kept over restarts.
//!
//! Frame numbers and live sequence numbers are reserved in blocks: after a crash the next block is used, so that no number is
//! ever used twice and nothing is written for every frame. The recorded chain moves in the same batch that makes a
//! segment durable.

use privet_protocol::cbor::{self, DecodeError};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Frame and live sequence numbers reserved at once: some hours.
pub const BLOCK: u64 = 1 << 20;

/// A camera's numbers as they stand in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Frame numbers below this one may be in use.
    pub frames_reserved: u64,
    /// Live sequence numbers below this one may be in use.
    pub live_reserved: u64,
    /// The next recorded statement's sequence number.
    pub recorded: u64,
    /// Digest of the last recorded statement.
    #[serde(with = "serde_bytes")]
    pub previous: [u8; 32],
    /// When the last recorded segment ended.
    pub recorded_until: Option<Timestamp>,
}

impl Chain {
    /// The chain after its last reservation: what follows may be used once this is durable.
    #[must_use]
    pub fn reserve(&self) -> Self {
        Self {
            frames_reserved: self.frames_reserved.saturating_add(BLOCK),
            live_reserved: self.live_reserved.saturating_add(BLOCK),
            ..self.clone()
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The chain in these bytes.
    ///
    /// # Errors
    /// [`DecodeError`] when they hold none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes, 1024)
    }
}
