//! Room on the disk that is kept back for the home's state.
//!
//! The free-space floor keeps the hub's own clips from filling the disk. Against everybody else there is a file that only takes
//! room. When the disk is so full that the state can't be written, the file goes and leaves its room to the state: who
//! watches goes on watching, phones come in and out, and only recording has stopped. It is made anew once there is room.
//!
//! It goes as late as possible: whoever fills the disk would take its room too, and stops only when the disk has none left.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_protocol::storage::{Batch, Entry, Store, StoreError};
use privet_store::free_bytes;

/// How much is kept back: what the store leaves free in any case, and as much again for what it writes.
pub const RESERVE: u64 = 16 << 20;
/// With less free, whoever fills the disk is done.
const NOTHING: u64 = 512 << 10;
/// How long a write waits for that.
const PATIENCE: Duration = Duration::from_secs(2);

const FILE: &str = "reserve";

/// The file that takes the room. Clones share it.
#[derive(Clone, Debug)]
pub struct Reserve(Arc<PathBuf>);

impl Reserve {
    /// The reserve in the hub's data directory, as it is.
    pub fn at(folder: &Path) -> Self {
        Self(Arc::new(folder.join(FILE)))
    }

    /// Whether it is there.
    pub fn is_kept(&self) -> bool {
        self.0.metadata().is_ok_and(|about| about.len() >= RESERVE)
    }

    /// Takes the room, unless it is taken.
    ///
    /// # Errors
    /// [`StoreError`] when there is not so much.
    pub fn keep(&self) -> Result<(), StoreError> {
        if self.is_kept() {
            return Ok(());
        }
        let taken = File::create(&*self.0).and_then(take_room);
        taken.map_err(|error| {
            self.give();
            StoreError::Full(format!("{}: {error}", self.0.display()))
        })
    }

    /// Leaves the room to others; true when there was any.
    pub fn give(&self) -> bool {
        fs::remove_file(&*self.0).is_ok()
    }
}

/// Zeros are written where a file system can't set room aside by itself.
fn take_room(mut file: File) -> io::Result<()> {
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE).is_err() {
        let zeros = vec![0; 1 << 20];
        for _ in 0..RESERVE >> 20 {
            file.write_all(&zeros)?;
        }
    }
    file.sync_all()
}

/// A store that has the reserve to fall back on.
pub struct ReservedStore<S> {
    store: S,
    folder: PathBuf,
    reserve: Reserve,
}

impl<S: Store> ReservedStore<S> {
    /// `store`, whose file is on the disk of `folder`.
    pub fn new(store: S, folder: &Path, reserve: Reserve) -> Self {
        Self { store, folder: folder.into(), reserve }
    }
}

impl<S: Store> Store for ReservedStore<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.scan(prefix, from, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        loop {
            // Asked before: another thread may give it while this commit fails.
            let kept = self.reserve.is_kept();
            match self.store.commit(batch.clone()) {
                Err(StoreError::Full(_)) if kept && !self.reserve.is_kept() => {}
                Err(StoreError::Full(cause)) if kept => {
                    if free_bytes(&self.folder)? < NOTHING || began.elapsed() > PATIENCE {
                        tracing::error!(%cause, "the disk is full: the home's state goes on in the room that was kept back for it");
                        self.reserve.give();
                    } else {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use privet_protocol::storage::MemoryStore;

    use super::*;

    /// A disk that is full for as long as the reserve is there.
    struct Tight(MemoryStore, Reserve);

    impl Store for Tight {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.get(key)
        }

        fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
            self.0.scan(prefix, from, limit)
        }

        fn commit(&self, batch: Batch) -> Result<(), StoreError> {
            if self.1.is_kept() { Err(StoreError::Full("by others".into())) } else { self.0.commit(batch) }
        }
    }

    #[test]
    fn the_reserve_takes_its_room_and_leaves_it_to_the_state_when_there_is_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::at(folder.path());
        reserve.keep().unwrap();
        reserve.keep().unwrap();
        let file = folder.path().join(FILE).metadata().unwrap();
        assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= RESERVE);
        let store = ReservedStore::new(Tight(MemoryStore::new(), reserve.clone()), folder.path(), reserve.clone());
        let mut batch = Batch::new();
        batch.put("key", "value");
        store.commit(batch).unwrap();
        assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
        assert!(!reserve.is_kept());
    }
}
