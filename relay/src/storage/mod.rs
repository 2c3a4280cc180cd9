//! Where a relay keeps things: an index with an atomic commit, and bodies. Everything above this seam is the same for both stores:
//!
//! * [`Embedded`]: on the disk of this machine, for one relay.
//! * [`Shared`]: in PostgreSQL and an object store, for any number of relays, of which one at a time writes what is a home's
//!   (`docs/design/0015-relay-shared-store.md`).

mod embedded;
mod shared;
mod small;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, Entry, StoreError};
use privet_store::{BlobInfo, BlobName};
use tokio_util::sync::CancellationToken;

pub use embedded::Embedded;
pub(crate) use embedded::{BODIES, INDEX};
pub use shared::Shared;
pub(crate) use shared::{APPLICATION, Act, Cause, probe, tls};

/// Where the relay keeps things.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The value of `key` in the index.
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError>;
    /// Up to `limit` entries with this prefix, not below `from`, in key order.
    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError>;
    /// Makes the batch durable, whole. After an error nothing of it is there; where that is not known, the error is
    /// [`StoreError::Moved`], and this handle commits nothing any more.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;
    /// The same with one entry more, which has to be new: `false`, and nothing is done, where it is there already. Of all who make the same
    /// entry at once one does, whichever relay he asks.
    async fn commit_new(&self, key: Vec<u8>, value: Vec<u8>, batch: Batch) -> Result<bool, StoreError>;
    /// Goes on writing a body, or begins one. One writer a name.
    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError>;
    /// The length in bytes up to which [`Storage::keep_small`] takes a body now; `None` where every body is to be written.
    fn small_bodies(&self) -> Option<usize>;
    /// Makes a body whole and durable together with the batch, and neither without the other. It is not among [`Storage::bodies`], and
    /// goes with what [`Storage::forget_small`] adds to a batch. After an error nothing of both is there.
    async fn keep_small(&self, name: BlobName, bytes: Bytes, batch: Batch) -> Result<(), StoreError>;
    /// Adds to a batch that the small body of this name and length goes.
    fn forget_small(&self, name: &BlobName, length: u64, batch: &mut Batch);
    /// A whole body, small or not.
    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError>;
    /// Forgets a body that was written, whole or partial.
    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError>;
    /// Forgets what was written of a body that is not whole.
    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError>;
    /// Every body that was written whose name begins with `prefix`. With an empty one a store that can tell looks whether the bytes are
    /// there, too: a body's length is what can be read of it.
    async fn bodies(&self, prefix: String) -> Result<Vec<BlobInfo>, StoreError>;
    /// A handle for this home's records whose commits fail with [`StoreError::Moved`] once another node has taken the home over.
    /// What others committed for the home before, they have committed when this returns; so its records are read after it.
    async fn take_over(&self, home: HomeId) -> Result<Arc<dyn Storage>, StoreError>;
    /// Cancelled once this handle knows that its commits fail with [`StoreError::Moved`]: what was read through it may be old, and
    /// the home has to be read anew through another handle.
    fn moved(&self) -> CancellationToken;
    /// The name of this relay among those that use the store at the same time; `None` for a store of one relay only.
    fn node(&self) -> Option<&str>;
}

/// A body being written. Dropped, it stays partial.
#[async_trait]
pub trait BodyWriter: Send {
    /// Bytes written so far, by earlier writers too.
    fn length(&self) -> u64;
    /// Reads what is written, also by later writers of this body, until it is begun anew.
    fn reader(&self) -> Arc<dyn Body>;
    /// Appends bytes. After an error the body is as long as before.
    async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError>;
    /// Starts anew.
    async fn clear(&mut self) -> Result<(), StoreError>;
    /// Lets the body be, partial: where other relays may go on with it, they find all of it.
    async fn leave(self: Box<Self>) -> Result<(), StoreError>;
    /// Makes the body whole and durable: its length.
    async fn finish(self: Box<Self>) -> Result<u64, StoreError>;
}

/// A body's bytes.
#[async_trait]
pub trait Body: Send + Sync {
    /// Up to `most` bytes from `offset` on; none at its end.
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError>;
}

fn broken_off() -> StoreError {
    StoreError::Io("an earlier write to this body was broken off".into())
}
