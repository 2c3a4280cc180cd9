//! Commits that may wait for each other. A phone that was away for a month takes thousands of log entries, each of which changes a few records, most of
//! them the same ones; gathered, each is written once for all.
//!
//! What was gathered is there for everybody who reads. It goes to the disk in one commit, whole and in order: with the next commit that does not
//! wait, at [`Gathering::settle`], and when much has gathered. A crash before that loses it, as if it had not come yet. So only what can
//! come again may be gathered, and it may be acknowledged only when it was settled.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use privet_protocol::storage::{Batch, Entry, Store, StoreError};
use zeroize::Zeroizing;

/// So many bytes of keys and values may wait.
const MOST: usize = 4 << 20;

/// A store in which commits can wait.
pub(crate) struct Gathering {
    store: Arc<dyn Store>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    writes: BTreeMap<Vec<u8>, Option<Zeroizing<Vec<u8>>>>,
    bytes: usize,
}

impl Waiting {
    /// As a batch of its own; it stays here until it is known to be written.
    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in &self.writes {
            match value {
                Some(value) => batch.put(key.clone(), value.to_vec()),
                None => batch.delete(key.clone()),
            }
        }
        batch
    }

    fn has_any(&self, prefix: &[u8]) -> bool {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.writes.range::<[u8], _>(from).next().is_some_and(|(key, _)| key.starts_with(prefix))
    }
}

impl Gathering {
    /// Over this store, with nothing gathered.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, waiting: Mutex::default() }
    }

    /// Makes durable what was gathered.
    ///
    /// # Errors
    /// [`StoreError`]; then it goes on waiting.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        self.write(&mut self.waiting(), Batch::new())
    }

    /// Tells when the store below is closed.
    pub(crate) fn below(&self) -> Weak<dyn Store> {
        Arc::downgrade(&self.store)
    }

    fn gather(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.bytes > MOST {
            self.write(&mut waiting, Batch::new())?;
        }
        for (key, value) in batch.writes() {
            waiting.bytes += key.len() + value.map_or(0, <[u8]>::len);
            waiting.writes.insert(key.to_vec(), value.map(|value| value.to_vec().into()));
        }
        Ok(())
    }

    /// Writes what waits, and `batch` over it.
    fn write(&self, waiting: &mut Waiting, batch: Batch) -> Result<(), StoreError> {
        if waiting.writes.is_empty() {
            return self.store.commit(batch);
        }
        let mut all = waiting.batch();
        all.merge(batch);
        self.store.commit(all)?;
        *waiting = Waiting::default();
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Gathering {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(value) = self.waiting().writes.get(key) {
            return Ok(value.as_ref().map(|value| value.to_vec()));
        }
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        {
            let mut waiting = self.waiting();
            if waiting.has_any(prefix) {
                self.write(&mut waiting, Batch::new())?;
            }
        }
        self.store.scan(prefix, from, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.writes.is_empty() {
            // Others may commit at the same time, and share a sync.
            drop(waiting);
            return self.store.commit(batch);
        }
        self.write(&mut waiting, batch)
    }
}

/// The same store for its one owner whose commits may wait.
pub(crate) struct Gatherer {
    all: Arc<Gathering>,
    next_waits: AtomicBool,
}

impl Gatherer {
    /// Over this store; nothing waits until it is told to.
    pub(crate) fn new(all: Arc<Gathering>) -> Self {
        Self { all, next_waits: AtomicBool::new(false) }
    }

    /// Whether this owner's next commit may wait.
    pub(crate) fn next_waits(&self, waits: bool) {
        self.next_waits.store(waits, Ordering::Release);
    }
}

impl Store for Gatherer {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.all.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.all.scan(prefix, from, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if self.next_waits.swap(false, Ordering::AcqRel) { self.all.gather(&batch) } else { self.all.commit(batch) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicUsize;

    use privet_protocol::storage::MemoryStore;
    use proptest::prelude::*;

    use super::*;

    /// Counts commits, and refuses them when told to.
    #[derive(Default)]
    struct Counting {
        store: MemoryStore,
        commits: AtomicUsize,
        full: AtomicBool,
    }

    impl Store for Counting {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            self.store.get(key)
        }

        fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
            self.store.scan(prefix, from, limit)
        }

        fn commit(&self, batch: Batch) -> Result<(), StoreError> {
            if self.full.load(Ordering::Relaxed) {
                return Err(StoreError::Full("no room".into()));
            }
            self.commits.fetch_add(1, Ordering::Relaxed);
            self.store.commit(batch)
        }
    }

    fn put(key: &str, value: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, value);
        batch
    }

    fn gathering() -> (Arc<Counting>, Arc<Gathering>, Gatherer) {
        let below = Arc::new(Counting::default());
        let all = Arc::new(Gathering::new(below.clone()));
        (below, all.clone(), Gatherer::new(all))
    }

    fn gather(owner: &Gatherer, batch: Batch) -> Result<(), StoreError> {
        owner.next_waits(true);
        owner.commit(batch)
    }

    #[test]
    fn what_was_gathered_is_read_by_all_and_written_once() {
        let (below, all, owner) = gathering();
        for number in 0..10 {
            gather(&owner, put("position", &number.to_string())).unwrap();
        }
        assert_eq!(all.get(b"position").unwrap().unwrap(), b"9");
        assert_eq!((below.commits.load(Ordering::Relaxed), below.get(b"position").unwrap()), (0, None));
        // Somebody else's commit does not wait, and does not come before what was there first.
        all.commit(put("wish", "away")).unwrap();
        assert_eq!(below.commits.load(Ordering::Relaxed), 1);
        assert_eq!(below.get(b"position").unwrap().unwrap(), b"9");
        all.settle().unwrap();
        // Only the next one waits.
        gather(&owner, put("position", "10")).unwrap();
        owner.commit(put("position", "11")).unwrap();
        assert_eq!(below.get(b"position").unwrap().unwrap(), b"11");
    }

    #[test]
    fn without_room_it_goes_on_waiting() {
        let (below, all, owner) = gathering();
        gather(&owner, put("position", "1")).unwrap();
        below.full.store(true, Ordering::Relaxed);
        assert!(matches!(all.settle(), Err(StoreError::Full(_))));
        assert!(matches!(all.commit(put("wish", "away")), Err(StoreError::Full(_))));
        assert_eq!(all.get(b"wish").unwrap(), None, "what failed is not there");
        assert_eq!(all.get(b"position").unwrap().unwrap(), b"1");
        below.full.store(false, Ordering::Relaxed);
        all.settle().unwrap();
        assert_eq!((below.get(b"position").unwrap().unwrap(), below.get(b"wish").unwrap()), (b"1".to_vec(), None));
    }

    #[test]
    fn much_does_not_wait() {
        let (below, _, owner) = gathering();
        let mut batch = Batch::new();
        batch.put("large", vec![0; MOST + 1]);
        gather(&owner, batch).unwrap();
        gather(&owner, put("small", "1")).unwrap();
        assert_eq!((below.commits.load(Ordering::Relaxed), below.get(b"small").unwrap()), (1, None));
    }

    proptest! {
        #[test]
        fn nobody_who_reads_can_tell_what_waits(
            steps in prop::collection::vec((0_u8..4, 0_u8..6, prop::option::of(0_u8..9)), 1..60)
        ) {
            let (_, all, owner) = gathering();
            let plain = MemoryStore::new();
            for (kind, key, value) in steps {
                let key = vec![b'k', key];
                let mut batch = Batch::new();
                match value {
                    Some(value) => batch.put(key.clone(), vec![value]),
                    None => batch.delete(key.clone()),
                }
                plain.commit(batch.clone()).unwrap();
                match kind {
                    0 | 1 => gather(&owner, batch).unwrap(),
                    2 => all.commit(batch).unwrap(),
                    _ => {
                        gather(&owner, batch).unwrap();
                        prop_assert_eq!(owner.scan(b"k", b"", 10).unwrap(), plain.scan(b"k", b"", 10).unwrap());
                    }
                }
                prop_assert_eq!(all.get(&key).unwrap(), plain.get(&key).unwrap());
            }
            all.settle().unwrap();
            prop_assert_eq!(all.store.scan(b"", b"", 10).unwrap(), plain.scan(b"", b"", 10).unwrap());
        }
    }
}
