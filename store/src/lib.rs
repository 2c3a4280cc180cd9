//! The storage seam on real disks (`docs/design/0003-storage.md`).
//!
//! * [`DiskStore`]: [`privet_protocol::storage::Store`] on redb, one file.
//! * [`SealedStore`]: any store whose values are encrypted under a key the caller holds.
//! * [`Blobs`]: media as files, each made durable whole, under its name.
//! * [`Disk`]: the file system under both; [`MemoryDisk`] is one whose power a test can cut.

#![forbid(unsafe_code)]

mod blobs;
mod disk;
mod disk_store;
mod memory_disk;
mod sealed;
mod shared_sync;

pub use blobs::{BlobInfo, BlobName, BlobNameError, BlobWriter, Blobs, OpenedFile};
pub use disk::{Access, Disk, DiskFile, Kind, Listed, SystemDisk, create_directory, free_bytes};
pub use disk_store::DiskStore;
pub use memory_disk::MemoryDisk;
pub use sealed::SealedStore;
