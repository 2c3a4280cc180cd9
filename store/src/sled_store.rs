//! [`Store`] on sled 0.34, and what sled does not do by itself.
//!
//! * sled's `flush` hands pages to the disk but never asks the disk to keep them; [`SledStore`] syncs sled's files before it
//!   acknowledges (`tests/power_cut.rs` shows that what was acknowledged survives).
//! * One commit is one `apply_batch`: there whole or not at all.
//! * Commits that wait at the same time share one sync.
//! * After a failed sync nobody knows what is on the disk: the store refuses everything until it is opened again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::storage::{Batch, Entry, Store, StoreError};

use crate::disk::{classify, create_directory, free_bytes, sync_directory};

/// A durable ordered map in a directory of its own. Clones share it.
#[derive(Clone)]
pub struct SledStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: sled::Db,
    directory: PathBuf,
    file: File,
    state: Mutex<State>,
    synced: Condvar,
    observer: Option<Box<dyn SyncObserver>>,
}

#[derive(Default)]
struct State {
    /// Commits written to sled, and how many of them are durable.
    applied: u64,
    durable: u64,
    syncing: bool,
    failed: Option<StoreError>,
    /// sled's files for large values that were synced already.
    known_blobs: BTreeSet<std::ffi::OsString>,
}

/// Sees the files before and after each sync: how the power-cut test knows what a disk must have kept.
pub trait SyncObserver: Send + Sync {
    /// sled has written its files; nothing since the last sync is sure to survive.
    fn before_sync(&self, directory: &Path);
    /// Everything in the directory survives.
    fn after_sync(&self, directory: &Path);
}

/// Left free on the disk, so that a commit never breaks off in the middle.
const FREE_FLOOR: u64 = 8 * 1024 * 1024;
/// A closed store keeps its lock for a moment: another thread of sled's holds it.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

impl SledStore {
    /// Opens the store in `directory`, or makes one there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process has it open, [`StoreError::Damaged`] when it can't be read.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_observed(directory.as_ref(), None)
    }

    /// Opens the store and shows `observer` every sync. For tests.
    ///
    /// # Errors
    /// Those of [`SledStore::open`].
    #[doc(hidden)]
    pub fn open_observed(directory: &Path, observer: Option<Box<dyn SyncObserver>>) -> Result<Self, StoreError> {
        create_directory(directory).map_err(|e| classify(directory, &e))?;
        let config = sled::Config::new().path(directory).flush_every_ms(None).cache_capacity(CACHE_BYTES);
        let started = Instant::now();
        let db = loop {
            // sled panics on some damaged files instead of returning an error.
            let opened = std::panic::catch_unwind(AssertUnwindSafe(|| config.open()))
                .map_err(|_| StoreError::Damaged(format!("{}: sled can't read it", directory.display())))?;
            match opened {
                Ok(db) => break db,
                Err(error) if is_locked(&error) => {
                    if started.elapsed() > LOCK_PATIENCE {
                        return Err(StoreError::Busy(directory.display().to_string()));
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(store_error(directory, &error)),
            }
        };
        let file = File::open(directory.join("db")).map_err(|e| classify(directory, &e))?;
        let inner = Inner {
            db,
            directory: directory.to_owned(),
            file,
            state: Mutex::new(State::default()),
            synced: Condvar::new(),
            observer,
        };
        // What opening wrote (a new store, a repaired tail) is durable before anybody builds on it.
        inner.sync().map_err(|e| store_error(directory, &e))?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.usable()?;
        let value = self.inner.db.get(key).map_err(|e| store_error(&self.inner.directory, &e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.usable()?;
        let start = if from > prefix { from } else { prefix };
        let mut entries = Vec::new();
        for entry in self.inner.db.range(start..).take(limit) {
            let (key, value) = entry.map_err(|e| store_error(&self.inner.directory, &e))?;
            if !key.starts_with(prefix) {
                break;
            }
            entries.push((key.to_vec(), value.to_vec()));
        }
        Ok(entries)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner.usable()?;
        if batch.is_empty() {
            return Ok(());
        }
        self.inner.room_for(&batch)?;
        self.inner.commit(&batch)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.lock().failed.clone().map_or(Ok(()), Err)
    }

    fn room_for(&self, batch: &Batch) -> Result<(), StoreError> {
        let bytes: usize = batch.writes().map(|(k, v)| k.len() + v.map_or(0, <[u8]>::len)).sum();
        // sled writes whole pages round a changed value: four times is ample.
        let wanted = FREE_FLOOR.saturating_add((bytes as u64).saturating_mul(4));
        let free = free_bytes(&self.directory)?;
        if free < wanted {
            return Err(StoreError::Full(format!(
                "{}: {free} bytes are free, {wanted} are needed",
                self.directory.display()
            )));
        }
        Ok(())
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for (key, value) in batch.writes() {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        let mut state = self.lock();
        if let Some(failed) = &state.failed {
            return Err(failed.clone());
        }
        if let Err(error) = self.db.apply_batch(writes) {
            let error = store_error(&self.directory, &error);
            state.failed = Some(error.clone());
            return Err(error);
        }
        state.applied += 1;
        let mine = state.applied;
        while state.durable < mine {
            if let Some(failed) = &state.failed {
                return Err(failed.clone());
            }
            if state.syncing {
                state = self.synced.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.syncing = true;
            let covers = state.applied;
            drop(state);
            let outcome = self.sync();
            state = self.lock();
            state.syncing = false;
            match outcome {
                Ok(()) => state.durable = covers,
                Err(error) => state.failed = Some(store_error(&self.directory, &error)),
            }
            self.synced.notify_all();
        }
        Ok(())
    }

    /// Everything applied so far survives a power cut when this returns.
    fn sync(&self) -> Result<(), sled::Error> {
        self.db.flush()?;
        if let Some(observer) = &self.observer {
            observer.before_sync(&self.directory);
        }
        // Values above a quarter of sled's segment go to files of their own, before the log points to them.
        self.sync_large_values()?;
        self.file.sync_data()?;
        // Snapshots are renamed into place without a sync of their directory.
        sync_directory(&self.directory)?;
        if let Some(observer) = &self.observer {
            observer.after_sync(&self.directory);
        }
        Ok(())
    }

    fn sync_large_values(&self) -> io::Result<()> {
        let directory = self.directory.join("blobs");
        let mut present = BTreeSet::new();
        for entry in std::fs::read_dir(&directory)? {
            present.insert(entry?.file_name());
        }
        let new: Vec<_> = present.difference(&self.lock().known_blobs).cloned().collect();
        for name in &new {
            match File::open(directory.join(name)) {
                Ok(file) => file.sync_all()?,
                // sled removed it again in the meantime.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        if !new.is_empty() {
            sync_directory(&directory)?;
        }
        self.lock().known_blobs = present;
        Ok(())
    }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(e)
        if e.kind() == io::ErrorKind::WouldBlock || e.to_string().contains("could not acquire lock"))
}

fn store_error(directory: &Path, error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Io(e) => classify(directory, e),
        sled::Error::Corruption { .. } => StoreError::Damaged(format!("{}: {error}", directory.display())),
        other => StoreError::Io(format!("{}: {other}", directory.display())),
    }
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}
