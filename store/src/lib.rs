//! The storage seam on real disks (`docs/design/0003-storage.md`).
//!
//! * [`SledStore`]: [`privet_protocol::storage::Store`] on sled, with the fsync that sled leaves out.
//! * [`SealedStore`]: any store whose values are encrypted under a key the caller holds.
//! * [`Blobs`]: media as files, written so that a name means a whole file.

#![forbid(unsafe_code)]

mod blobs;
mod disk;
mod sealed;
mod sled_store;

pub use blobs::{BlobInfo, BlobName, BlobNameError, BlobWriter, Blobs};
pub use disk::free_bytes;
pub use sealed::SealedStore;
pub use sled_store::{SledStore, SyncObserver};
