//! Why the book does not keep something.

use privet_home::WishError;
use privet_protocol::id::CameraId;
use privet_protocol::storage::StoreError;

/// Bytes of the largest wishes that are kept: they have to fit into a message back.
pub(crate) const MAX_WISHES: usize = 64 * 1024;

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The store failed; do the same again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("the stored {0} can't be read; wishes are asked of the phones again when it is removed")]
    Damaged(&'static str),
    /// The wishes are impossible.
    #[error(transparent)]
    Wishes(#[from] WishError),
    /// Nobody knows this time zone.
    #[error("there is no time zone '{0}'; use a name like Europe/Berlin")]
    TimeZone(String),
    /// The hub has no such camera.
    #[error("there is no camera {0}; leave it out, or take its id from the list of cameras")]
    Camera(CameraId),
    /// A snooze that no person means.
    #[error("a snooze ends within a year; to hear nothing of a camera, switch it off")]
    Snooze,
    /// More than fits into the answer.
    #[error("the wishes have {0} bytes, {MAX_WISHES} are possible; name fewer zones")]
    TooLarge(usize),
    /// A notification key that is none.
    #[error("the phone's notification key is none")]
    Key,
}
