//! Everything that can be wrong with a segment, each with its own name and, where there is one, the first record it affects.

use privet_protocol::id::{CameraId, StreamId};

/// Why a segment is refused, or could not be made. What was released before the error stays authentic; nothing after it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The header's version is none this program knows.
    #[error("segment version {found} is not known here; update the program")]
    Version {
        /// The version byte found.
        found: u8,
    },
    /// A segment of another stream.
    #[error("segment belongs to {found:?}, expected {expected:?}")]
    WrongStream {
        /// The stream asked for.
        expected: StreamId,
        /// The stream in the header or the statement.
        found: StreamId,
    },
    /// Another segment of the same stream.
    #[error("segment has index {found}, expected {expected}")]
    WrongIndex {
        /// The index asked for.
        expected: u64,
        /// The index in the header or the statement.
        found: u64,
    },
    /// The bytes end inside this record, or before the last one.
    #[error("segment is cut off at record {record}; fetch it again")]
    Truncated {
        /// The first record that is not whole.
        record: u32,
    },
    /// This record is not what the hub sealed at this place: flipped, swapped, repeated, or from elsewhere.
    #[error("record {record} is not what the hub sealed there")]
    Forged {
        /// The first record affected.
        record: u32,
    },
    /// The record is authentic but breaks the format: its maker is wrong, or its key is in wrong hands.
    #[error("record {record} breaks the format: {what}")]
    Malformed {
        /// The record.
        record: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Bytes follow the last record.
    #[error("bytes follow the segment's last record")]
    TrailingBytes,
    /// More than the format allows.
    #[error("{what} of {size} is more than the allowed {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The statement was signed for another key: two keys open this blob.
    #[error("the signed statement commits to another segment key")]
    KeyCommitment,
    /// A signature does not hold.
    #[error("the signature of the {what} does not hold")]
    BadSignature {
        /// Statement or session certificate.
        what: &'static str,
    },
    /// The session certificate does not cover this statement.
    #[error("the session certificate does not cover this statement: {why}")]
    Certificate {
        /// Camera, time or shape.
        why: &'static str,
    },
    /// A statement or certificate is not in its one allowed form.
    #[error("the {what} is not well-formed: {why}")]
    Statement {
        /// Statement, certificate, trailer or proof.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// No evidence key is known for this camera, or not this one.
    #[error("no trusted evidence key for {camera:?} signed this; the hub tells its cameras' keys after pairing")]
    UnknownCamera {
        /// The camera the statement names.
        camera: CameraId,
    },
    /// The content is not what was signed.
    #[error("the {what} differs from the signed statement")]
    HashMismatch {
        /// Which hash or count.
        what: &'static str,
    },
    /// This step of the ratchet was erased, or comes before the key that was told.
    #[error("the key of segment {index} is erased; this key starts at {oldest}")]
    KeyErased {
        /// The index asked for.
        index: u64,
        /// The oldest index that can still be opened.
        oldest: u64,
    },
    /// The stream is as long as a stream may be: start a new one.
    #[error("a stream has at most {limit} segments; start a new stream")]
    StreamExhausted {
        /// Segments a stream may have.
        limit: u64,
    },
    /// The session's certificate does not cover this time: certify a new session.
    #[error("the session certificate does not cover the time of this segment; certify a new session")]
    SessionExpired,
    /// The sealer or opener was called out of order.
    #[error("called out of order: {0}")]
    Order(&'static str),
    /// A statement that was already seen, or an older one.
    #[error("statement {sequence} was already seen")]
    Replayed {
        /// The sequence number of the statement.
        sequence: u64,
    },
    /// Two different statements claim the same place: the history was forked.
    #[error("statement {sequence} does not follow the one before it")]
    Forked {
        /// The sequence number of the statement.
        sequence: u64,
    },
    /// No such record or byte.
    #[error("there is no {what} {index} in this segment")]
    NotThere {
        /// Record or MP4 byte.
        what: &'static str,
        /// The index asked for.
        index: u64,
    },
    /// The key is not a P-256 key.
    #[error("the evidence key is not a P-256 key")]
    BadKey,
    /// The cryptographic library failed where it can't; nothing was made.
    #[error("the cryptographic library failed")]
    Crypto,
}
