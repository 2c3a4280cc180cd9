//! The description of a clip: where and when something moved in it, and one picture of that moment.

use privet_protocol::id::StreamId;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::bounded;

/// Bytes of a thumbnail at most.
pub const MAX_THUMBNAIL: usize = 20_000;

/// What a clip shows. Told after its end, and again when something of it changes; the last one counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipNotes {
    /// The clip.
    pub stream: StreamId,
    /// Relative activity, 0 to 255, of 16 by 16 parts of the picture, row by row from the top left.
    #[serde(with = "serde_bytes")]
    pub heat: [u8; 256],
    /// A picture of the moment of most motion.
    #[serde(default)]
    pub thumbnail: Option<Thumbnail>,
    /// That moment.
    pub peak: Timestamp,
    /// The zones something moved in, by name; at most 32 names of 64 bytes.
    #[serde(default, deserialize_with = "bounded::zones")]
    pub zones: Vec<String>,
    /// Whether it is kept until somebody unpins it.
    #[serde(default)]
    pub pinned: bool,
}

/// A small picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// What it is: `image/jpeg`.
    #[serde(deserialize_with = "bounded::text::<_, 32>")]
    pub mime: String,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// The picture; at most [`MAX_THUMBNAIL`] bytes. Whoever shows it decodes bytes of the hub, which took them from a camera.
    #[serde(deserialize_with = "bounded::bytes::<_, MAX_THUMBNAIL>")]
    pub bytes: ByteBuf,
}
