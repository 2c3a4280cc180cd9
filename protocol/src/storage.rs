//! The seam under every durable state (`docs/design/0003-storage.md`): get, scan, and one atomic, durable commit.
//!
//! What [`Store::commit`] acknowledged survives a crash and a power cut, whole; what it did not acknowledge is there whole or
//! not at all. Two implementations: redb in `privet-store`, and [`MemoryStore`] here, which can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room is left; nothing was written. Free space, then try again.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process has the store open.
    #[error("the store is in use by another process: {0}")]
    Busy(String),
    /// What is there can't be read.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Anything else the system reported; nothing was written.
    #[error("the store failed: {0}")]
    Io(String),
    /// What was to be written is not this process's to write any more, or not from what it has in memory; whether the last writes
    /// are there is known by reading anew. Begin anew from there, or leave it to whoever has it now.
    #[error("it is not written from here any more: {0}")]
    Moved(String),
}

/// Writes that become durable together or not at all. A later write to a key replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Batch {
    /// A batch without writes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.insert(key.into(), Some(value.into()));
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.writes.insert(key.into(), None);
    }

    /// Adds the writes of `other`; where both write a key, `other` wins.
    pub fn merge(&mut self, other: Self) {
        self.writes.extend(other.writes);
    }

    /// The writes in key order; `None` removes.
    pub fn writes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.writes.iter().map(|(k, v)| (k.as_slice(), v.as_deref()))
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// An ordered map of bytes that survives power cuts.
pub trait Store: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` entries whose keys start with `prefix` and are not below `from`, in key order.
    ///
    /// # Errors
    /// [`StoreError`] when they can't be read.
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Makes the batch durable, whole. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch is written, or (after a crash) all of it.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        (**self).scan(prefix, from, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        (**self).commit(batch)
    }
}

/// What [`MemoryStore`] does with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The commit fails and writes nothing.
    Refuse,
    /// The commit is written whole, but its caller is told that it failed: a crash between the write and its answer.
    WrittenButFailed,
}

/// A store in memory whose commits can be made to fail, for tests. Clones share the same contents: a clone taken before
/// a crash is the disk that the restarted process finds.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<MemoryState>>,
}

#[derive(Debug, Default)]
struct MemoryState {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    commits: u64,
    fault: Option<(u64, Fault)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the commit after the next `skip` ones, and every later one, meet `fault` (a dead process stays dead).
    pub fn fail_after(&self, skip: u64, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some((state.commits + skip, fault));
    }

    /// Lets commits succeed again.
    pub fn heal(&self) {
        self.lock().fault = None;
    }

    /// How many commits were asked for.
    pub fn commits(&self) -> u64 {
        self.lock().commits
    }

    /// A copy with contents of its own, as a backup would be.
    pub fn backup(&self) -> Self {
        let entries = self.lock().entries.clone();
        Self { state: Arc::new(Mutex::new(MemoryState { entries, ..MemoryState::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().entries.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        let start = if from > prefix { from } else { prefix };
        Ok(self
            .lock()
            .entries
            .range(start.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.lock();
        let number = state.commits;
        state.commits += 1;
        let fault = state.fault.filter(|(from, _)| number >= *from);
        match fault {
            Some((_, Fault::Refuse)) => return Err(StoreError::Io("told to fail".into())),
            // Only the very commit of the crash was written; a dead process writes no later ones.
            Some((from, Fault::WrittenButFailed)) if number > from => {
                return Err(StoreError::Io("told to fail".into()));
            }
            _ => {}
        }
        for (key, value) in batch.writes {
            match value {
                Some(value) => state.entries.insert(key, value),
                None => state.entries.remove(&key),
            };
        }
        if fault.is_some() { Err(StoreError::Io("told to fail after the write".into())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn put(store: &MemoryStore, key: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.put(key, "v");
        store.commit(batch)
    }

    #[test]
    fn scan_is_bounded_by_prefix_start_and_limit() {
        let store = MemoryStore::new();
        for key in ["a/1", "b/1", "b/2", "b/3", "c"] {
            put(&store, key).unwrap();
        }
        let keys = |from: &str, limit| -> Vec<String> {
            store
                .scan(b"b/", from.as_bytes(), limit)
                .unwrap()
                .into_iter()
                .map(|(k, _)| String::from_utf8(k).unwrap())
                .collect()
        };
        assert_eq!(keys("", 9), ["b/1", "b/2", "b/3"]);
        assert_eq!(keys("b/2", 9), ["b/2", "b/3"]);
        assert_eq!(keys("b/2", 1), ["b/2"]);
    }

    #[test]
    fn a_refused_commit_writes_nothing_and_a_crashed_one_all() {
        let store = MemoryStore::new();
        store.fail_after(1, Fault::Refuse);
        put(&store, "one").unwrap();
        put(&store, "two").unwrap_err();
        store.heal();
        assert_eq!(store.get(b"two").unwrap(), None);
        store.fail_after(0, Fault::WrittenButFailed);
        put(&store, "three").unwrap_err();
        put(&store, "four").unwrap_err();
        store.heal();
        assert!(store.get(b"three").unwrap().is_some());
        assert_eq!(store.get(b"four").unwrap(), None);
    }
}
