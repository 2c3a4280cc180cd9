//! Index and bodies on the disk of this machine, for one relay: bodies in files, small ones in the index.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, Entry, Store as _, StoreError};
use privet_store::{BlobInfo, BlobName, BlobWriter, Blobs, Disk, DiskFile, DiskStore, create_directory};
use tokio_util::sync::CancellationToken;

use super::{Body, BodyWriter, Storage, broken_off, small};
use crate::server::records::parse_body_name;

/// Where the index is in the data directory.
pub(crate) const INDEX: &str = "index";
/// Where the bodies are in the data directory.
pub(crate) const BODIES: &str = "bodies";

/// Index and bodies on one disk.
#[derive(Debug, Clone)]
pub struct Embedded {
    index: DiskStore,
    blobs: Blobs,
    /// Pieces of small bodies in the index.
    pieces: Arc<AtomicU64>,
    /// Held while it is looked whether an entry is new, until it is there.
    new: Arc<Mutex<()>>,
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
        let pieces = Arc::new(small::count(&index)?.into());
        Ok(Self { index, blobs, pieces, new: Arc::default() })
    }

    /// Blocks until the batch is durable, and counts what it changed.
    fn commit_now(&self, batch: Batch) -> Result<(), StoreError> {
        let (put, gone) = small::changes(&batch);
        self.index.commit(batch)?;
        let change = |there: u64| Some((there + put).saturating_sub(gone));
        let _ = self.pieces.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        Ok(())
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
        let this = self.clone();
        blocking(move || this.commit_now(batch)).await
    }

    async fn commit_new(&self, key: Vec<u8>, value: Vec<u8>, mut batch: Batch) -> Result<bool, StoreError> {
        let (index, new) = (self.index.clone(), Arc::clone(&self.new));
        blocking(move || {
            let _held = new.lock().unwrap_or_else(PoisonError::into_inner);
            if index.get(&key)?.is_some() {
                return Ok(false);
            }
            batch.put(key, value);
            index.commit(batch).map(|()| true)
        })
        .await
    }

    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError> {
        let blobs = self.blobs.clone();
        let writer = blocking(move || blobs.write(&name)).await?;
        Ok(Box::new(FileWriter { length: writer.length(), file: writer.file(), writer: Some(writer) }))
    }

    fn small_bodies(&self) -> Option<usize> {
        (self.pieces.load(Ordering::Relaxed) < small::MOST_PIECES).then_some(small::LONGEST)
    }

    async fn keep_small(&self, name: BlobName, bytes: Bytes, mut batch: Batch) -> Result<(), StoreError> {
        let Some(place) = parse_body_name(&name) else {
            return Err(StoreError::Io(format!("{name} is no segment's body")));
        };
        let this = self.clone();
        blocking(move || {
            this.blobs.ask_for_room(bytes.len() as u64)?;
            small::add(place, &bytes, &mut batch);
            // From here on the batch has them.
            drop(bytes);
            this.commit_now(batch)
        })
        .await
    }

    fn forget_small(&self, name: &BlobName, length: u64, batch: &mut Batch) {
        if let Some(place) = parse_body_name(name) {
            small::forget(place, length, batch);
        }
    }

    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError> {
        let this = self.clone();
        blocking(move || {
            // The index first: what is there is acknowledged, where a file may be one that could not be removed.
            let small = parse_body_name(&name).map(|place| small::read(&this.index, place)).transpose();
            let file = || {
                let opened = this.blobs.open_blob(&name)?;
                Ok::<_, StoreError>(opened.map(|(file, _)| Arc::new(FileBody(file)) as Arc<dyn Body>))
            };
            match small {
                Ok(Some(Some(bytes))) => Ok(Some(Arc::new(SmallBody(bytes)) as Arc<dyn Body>)),
                Ok(_) => file(),
                Err(error @ StoreError::Damaged(_)) => Err(error),
                // One that failed a write, as on a full disk, says nothing until it is opened again. Files are read all the same.
                Err(error) => file()?.map(Some).ok_or(error),
            }
        })
        .await
    }

    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.remove(&name)).await
    }

    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || blobs.remove_partial(&name)).await
    }

    async fn bodies(&self, prefix: String) -> Result<Vec<BlobInfo>, StoreError> {
        let blobs = self.blobs.clone();
        blocking(move || {
            let mut found = blobs.list()?;
            found.retain(|body| body.name.as_str().starts_with(&prefix));
            Ok(found)
        })
        .await
    }

    async fn take_over(&self, _home: HomeId) -> Result<Arc<dyn Storage>, StoreError> {
        Ok(Arc::new(self.clone()))
    }

    fn moved(&self) -> CancellationToken {
        CancellationToken::new()
    }

    fn node(&self) -> Option<&str> {
        None
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

    async fn leave(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        let writer = self.writer.take().ok_or_else(broken_off)?;
        blocking(move || writer.finish()).await
    }
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

struct SmallBody(Bytes);

#[async_trait]
impl Body for SmallBody {
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        Ok(self.0.slice(from..from.saturating_add(most).min(self.0.len())))
    }
}
