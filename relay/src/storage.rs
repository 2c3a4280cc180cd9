//! The seam to where the relay keeps things: a small index with atomic commits, and bodies.
//!
//! [`Embedded`] keeps both on this machine's disk. PostgreSQL with an object store fits behind the same trait: one node at a
//! time serves a home, so no call needs more than the atomic batch (`docs/design/0005-relay.md`).

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::storage::{Batch, Entry, Store, StoreError};
use privet_store::{BlobInfo, BlobName, BlobWriter, Blobs, Disk, DiskFile, DiskStore, create_directory};

/// Where the relay keeps things.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The value of `key` in the index.
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError>;
    /// Up to `limit` entries with this prefix, not below `from`, in key order.
    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError>;
    /// Makes the batch durable, whole.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;
    /// Goes on writing a body, or begins one. One writer a name.
    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError>;
    /// A whole body.
    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError>;
    /// Forgets a body, whole or partial.
    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError>;
    /// Forgets what was written of a body that is not whole.
    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError>;
    /// Every body there is.
    async fn bodies(&self) -> Result<Vec<BlobInfo>, StoreError>;
}

/// A body being written. Dropped, it stays partial.
#[async_trait]
pub trait BodyWriter: Send {
    /// Bytes written so far, by earlier writers too.
    fn length(&self) -> u64;
    /// Reads what is written.
    fn reader(&self) -> Arc<dyn Body>;
    /// Appends bytes.
    async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError>;
    /// Starts anew.
    async fn clear(&mut self) -> Result<(), StoreError>;
    /// Makes the body whole and durable: its length.
    async fn finish(self: Box<Self>) -> Result<u64, StoreError>;
}

/// A body's bytes.
#[async_trait]
pub trait Body: Send + Sync {
    /// Up to `most` bytes from `offset` on; none at its end.
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError>;
}

/// Where the index is in the data directory.
pub(crate) const INDEX: &str = "index";
/// Where the bodies are in the data directory.
pub(crate) const BODIES: &str = "bodies";

/// Index and bodies on one disk.
#[derive(Debug, Clone)]
pub struct Embedded {
    index: DiskStore,
    blobs: Blobs,
}

impl Embedded {
    /// Opens what is in `directory` of this disk, or begins there. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it is in use, damaged or not to be written.
    pub fn open(disk: &Arc<dyn Disk>, directory: &Path, free_bytes: u64) -> Result<Self, StoreError> {
        create_directory(&**disk, directory).map_err(|e| StoreError::Io(format!("{}: {e}", directory.display())))?;
        let index = DiskStore::open_in(Arc::clone(disk), directory.join(INDEX))?;
        let blobs = Blobs::open_on(Arc::clone(disk), directory.join(BODIES), free_bytes)?;
        Ok(Self { index, blobs })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Io(error.to_string())),
    }
}

#[async_trait]
impl Storage for Embedded {
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        let index = self.index.clone();
        blocking(move || index.get(&key)).await
    }

    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let index = self.index.clone();
        blocking(move || index.scan(&prefix, &from, limit)).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let index = self.index.clone();
        blocking(move || index.commit(batch)).await
    }

    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError> {
        let blobs = self.blobs.clone();
        let writer = blocking(move || blobs.write(&name)).await?;
        Ok(Box::new(FileWriter { length: writer.length(), file: writer.file(), writer: Some(writer) }))
    }

    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError> {
        let blobs = self.blobs.clone();
        let opened = blocking(move || blobs.open_blob(&name)).await?;
        Ok(opened.map(|(file, _)| Arc::new(FileBody(file)) as Arc<dyn Body>))
    }

    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.remove(&name)).await
    }

    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.remove_partial(&name)).await
    }

    async fn bodies(&self) -> Result<Vec<BlobInfo>, StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.list()).await
    }
}

struct FileWriter {
    length: u64,
    file: Arc<dyn DiskFile>,
    /// Away while a thread writes; a write that was dropped half-way leaves it away, and the writer useless.
    writer: Option<BlobWriter>,
}

impl FileWriter {
    async fn with(
        &mut self,
        work: impl FnOnce(&mut BlobWriter) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.take().ok_or_else(broken_off)?;
        let (writer, outcome) = blocking(move || {
            let outcome = work(&mut writer);
            Ok((writer, outcome))
        })
        .await?;
        self.length = writer.length();
        self.writer = Some(writer);
        outcome
    }
}

#[async_trait]
impl BodyWriter for FileWriter {
    fn length(&self) -> u64 {
        self.length
    }

    fn reader(&self) -> Arc<dyn Body> {
        Arc::new(FileBody(Arc::clone(&self.file)))
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.with(move |writer| writer.append(&bytes)).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.with(|writer| writer.truncate(0)).await
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        let writer = self.writer.take().ok_or_else(broken_off)?;
        blocking(move || writer.finish()).await
    }
}

fn broken_off() -> StoreError {
    StoreError::Io("an earlier write to this body was broken off".into())
}

struct FileBody(Arc<dyn DiskFile>);

#[async_trait]
impl Body for FileBody {
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError> {
        let file = Arc::clone(&self.0);
        blocking(move || {
            let mut bytes = vec![0; most];
            let read = file.read_at(&mut bytes, offset).map_err(|e| StoreError::Io(e.to_string()))?;
            bytes.truncate(read);
            Ok(bytes.into())
        })
        .await
    }
}
