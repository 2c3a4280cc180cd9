//! The storage seam on real disks (`docs/design/0003-storage.md`).
//!
//! * [`DiskStore`]: [`privet_protocol::storage::Store`] on redb, one file.
//! * [`SealedStore`]: any store whose values are encrypted under a key the caller holds.
//! * [`Blobs`]: media as files, written so that a name means a whole file.

#![forbid(unsafe_code)]

mod blobs;
mod disk;
mod disk_store;
mod sealed;

pub use blobs::{BlobInfo, BlobName, BlobNameError, BlobWriter, Blobs};
pub use disk::free_bytes;
pub use disk_store::DiskStore;
pub use sealed::SealedStore;
