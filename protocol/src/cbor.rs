//! CBOR (RFC 8949) for every message: structs are maps with short text keys, so a newer peer may add fields and an older one
//! ignores them. Decoding is strict about everything else: one item, no trailing bytes, bounded depth and size.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Nesting deeper than this is refused.
pub const MAX_DEPTH: usize = 24;

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than this kind of message may be.
    #[error("message of {length} bytes is longer than the allowed {limit}")]
    TooLong {
        /// Bytes received.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not CBOR, or not this message.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// A whole message, and then more.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// The message's bytes.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    #[expect(clippy::expect_used, reason = "our own types serialize, and a Vec takes every write")]
    ciborium::into_writer(message, &mut out).expect("a message of ours has a CBOR form");
    out
}

/// The message that `bytes` hold.
///
/// # Errors
/// [`DecodeError`] when they are longer than `limit`, not this message, or more than it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { length: bytes.len(), limit });
    }
    let mut rest = bytes;
    let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|e| DecodeError::Malformed(e.to_string()))?;
    if rest.is_empty() { Ok(message) } else { Err(DecodeError::Trailing(rest.len())) }
}
