//! Where segments lie that came at a constant rate: in cells of a carrier, which is a stream of its own at the relay
//! (`docs/design/0018-constant-rate.md`).

use privet_protocol::id::StreamId;
use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::crypto::SecretBytes;

/// Segments that one message tells of at most.
pub const MAX_PLACED: usize = 24;

/// Segments in a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The carrier: its stream at the relay, whose segments are its cells.
    pub carrier: StreamId,
    /// Its key, opaque here: 32 bytes.
    pub key: SecretBytes,
    /// Bytes that a cell holds. What all cells hold, one after the other, is what places are counted in.
    pub cell: u32,
    /// What lies where; at most [`MAX_PLACED`].
    #[serde(deserialize_with = "bounded::list::<_, _, MAX_PLACED>")]
    pub placed: Vec<Placed>,
}

/// A segment's place in a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The clip.
    pub stream: StreamId,
    /// The segment's number in it.
    pub index: u64,
    /// Its first byte.
    pub at: u64,
    /// Its bytes.
    pub length: u64,
}
