//! [`Store`] on redb, in one file (`docs/design/0003-storage.md` says why not on sled).
//!
//! * A commit is one redb transaction, synced before it is acknowledged: `tests/it/power_cut.rs`.
//! * Commits that wait at the same time share one transaction and one sync; readers see only what is durable.
//! * A disk that is nearly full refuses a commit before it is begun, so that the store goes on afterwards.
//! * After a failed write nobody knows what is on the disk: the store refuses everything until it is opened again.

use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::storage::{Batch, Entry, Store, StoreError};
use redb::{
    CommitError, Database, DatabaseError, ReadableDatabase as _, StorageBackend, StorageError, TableDefinition,
    TableError, TransactionError,
};

use crate::disk::{Access, Disk, SystemDisk, classify, create_directory};

/// A durable ordered map in a directory of its own. Clones share it.
#[derive(Clone)]
pub struct DiskStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    /// Where free space is asked for; absent in tests without a file.
    place: Option<(Arc<dyn Disk>, PathBuf)>,
    queue: Mutex<Queue>,
    settled: Condvar,
    /// Bytes of commits that have not ended: those that share a transaction need room together.
    under_way: AtomicU64,
}

/// Bytes of a commit, counted as under way until dropped.
struct UnderWay<'a> {
    all: &'a AtomicU64,
    bytes: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Commits that wait for the leader, the thread that writes for all.
#[derive(Default)]
struct Queue {
    waiting: Batch,
    next: u64,
    /// Commits below this number are durable.
    settled: u64,
    leading: bool,
    failed: Option<StoreError>,
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("privet");
const FILE: &str = "store.redb";
/// What [`FILE`] is called while it is made.
const NEW: &str = "store.new";
/// Left free on the disk, so that a commit never breaks off in the middle.
const FREE_FLOOR: u64 = 8 * 1024 * 1024;
/// What one batch may write. What it removes does not count: however much there is can be forgotten at once.
const LARGEST_BATCH: u64 = 64 * 1024 * 1024;
/// A store that was just closed may be held for a moment by a thread that has not ended yet.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const CACHE_BYTES: usize = 16 * 1024 * 1024;

impl DiskStore {
    /// Opens the store in `directory`, or makes one there.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another process has it open, [`StoreError::Damaged`] when it can't be read.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_in(Arc::new(SystemDisk), directory)
    }

    /// Opens the store in `directory` on this disk, or makes one there.
    ///
    /// # Errors
    /// Those of [`DiskStore::open`].
    pub fn open_in(disk: Arc<dyn Disk>, directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let directory = directory.as_ref();
        create_directory(&*disk, directory).map_err(|e| classify(directory, &e))?;
        let started = Instant::now();
        let database = loop {
            match open_or_make(&*disk, directory) {
                Err(StoreError::Busy(_)) if started.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                outcome => break outcome?,
            }
        };
        disk.sync_directory(directory).map_err(|e| classify(directory, &e))?;
        Self::with(database, Some((disk, directory.to_owned())))
    }

    /// Opens the store on something else than a file: how the power-cut test plays the disk.
    ///
    /// # Errors
    /// Those of [`DiskStore::open`].
    #[doc(hidden)]
    pub fn open_on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let database = opened(|| redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend))?;
        Self::with(database, None)
    }

    fn with(database: Database, place: Option<(Arc<dyn Disk>, PathBuf)>) -> Result<Self, StoreError> {
        let (queue, settled, under_way) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        let inner = Inner { database, place, queue, settled, under_way };
        // Reading a table that was never written is an error in redb.
        inner.write(&Batch::new())?;
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Store for DiskStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.usable()?;
        let table = self.inner.database.begin_read().map_err(transaction)?.open_table(TABLE).map_err(table)?;
        Ok(table.get(key).map_err(storage)?.map(|value| value.value().to_vec()))
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.usable()?;
        let start = if from > prefix { from } else { prefix };
        let table = self.inner.database.begin_read().map_err(transaction)?.open_table(TABLE).map_err(table)?;
        let mut entries = Vec::new();
        for entry in table.range(start..).map_err(storage)?.take(limit) {
            let (key, value) = entry.map_err(storage)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            entries.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(entries)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.inner.usable()?;
        if batch.is_empty() {
            return Ok(());
        }
        let _under_way = self.inner.room_for(&batch)?;
        self.inner.commit(batch)
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.queue().failed.clone().map_or(Ok(()), Err)
    }

    /// Refuses a batch for which, with all others that are under way, there is no room.
    fn room_for(&self, batch: &Batch) -> Result<UnderWay<'_>, StoreError> {
        let length = |(key, value): (&[u8], Option<&[u8]>)| (key.len() + value.map_or(0, <[u8]>::len)) as u64;
        let written: u64 = batch.writes().filter(|(_, value)| value.is_some()).map(length).sum();
        if written > LARGEST_BATCH {
            let text = format!("a batch of {written} bytes is larger than the allowed {LARGEST_BATCH}");
            return Err(StoreError::Io(text));
        }
        let bytes: u64 = batch.writes().map(length).sum();
        let all = self.under_way.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let under_way = UnderWay { all: &self.under_way, bytes };
        let Some((disk, directory)) = &self.place else { return Ok(under_way) };
        // Changed pages are written anew beside the old ones: four times is ample.
        let wanted = FREE_FLOOR + all * 4;
        let free = disk.free_bytes(directory)?;
        if free < wanted {
            let path = directory.display();
            return Err(StoreError::Full(format!("{path}: {free} bytes are free, {wanted} are needed")));
        }
        Ok(under_way)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut queue = self.queue();
        if let Some(failed) = &queue.failed {
            return Err(failed.clone());
        }
        let mine = queue.next;
        queue.next += 1;
        queue.waiting.merge(batch);
        while queue.settled <= mine {
            if let Some(failed) = &queue.failed {
                return Err(failed.clone());
            }
            if queue.leading {
                queue = self.settled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.leading = true;
            let batches = std::mem::take(&mut queue.waiting);
            let settles = queue.next;
            drop(queue);
            // A panic must not leave the others waiting for ever.
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| self.write(&batches)))
                .unwrap_or_else(|_| Err(StoreError::Damaged("the database gave up in the middle of a write".into())));
            queue = self.queue();
            queue.leading = false;
            match outcome {
                Ok(()) => queue.settled = settles,
                Err(error) => queue.failed = Some(error),
            }
            self.settled.notify_all();
        }
        Ok(())
    }

    /// One transaction, durable when this returns.
    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let transaction_ = self.database.begin_write().map_err(transaction)?;
        {
            let mut table = transaction_.open_table(TABLE).map_err(table)?;
            for (key, value) in batch.writes() {
                match value {
                    Some(value) => drop(table.insert(key, value).map_err(storage)?),
                    None => drop(table.remove(key).map_err(storage)?),
                }
            }
        }
        transaction_.commit().map_err(|e| match e {
            CommitError::Storage(e) => storage(e),
            other => StoreError::Io(other.to_string()),
        })
    }
}

/// The database of a store. A new one gets its name when all of it is there: redb can't open one whose making was broken off, by a full
/// disk or by the end of the process.
fn open_or_make(disk: &dyn Disk, directory: &Path) -> Result<Database, StoreError> {
    let path = directory.join(FILE);
    let open = |path: &Path| opened(|| disk.open_database(redb::Builder::new().set_cache_size(CACHE_BYTES), path));
    match disk.open(&path, Access::Read) {
        Ok(_) => return open(&path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(classify(&path, &error)),
    }
    let new = directory.join(NEW);
    let database = match open(&new) {
        // Nobody works on it, or its lock would have been held.
        Err(StoreError::Damaged(_)) => {
            disk.remove(&new).map_err(|e| classify(&new, &e))?;
            open(&new)?
        }
        outcome => outcome?,
    };
    match disk.rename(&new, &path) {
        Ok(()) => Ok(database),
        // Another process was faster, and has let go of it meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(StoreError::Busy("another process has just made it".into()))
        }
        Err(error) => Err(classify(&new, &error)),
    }
}

/// A damaged file must not take the program with it, however redb says so.
fn opened(open: impl FnOnce() -> Result<Database, DatabaseError>) -> Result<Database, StoreError> {
    match std::panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(StoreError::Busy("another process holds its lock".into())),
        Ok(Err(DatabaseError::Storage(error))) => Err(storage(error)),
        Ok(Err(other)) => Err(StoreError::Damaged(other.to_string())),
        Err(_) => Err(StoreError::Damaged("the file is not one of this store's".into())),
    }
}

fn storage(error: StorageError) -> StoreError {
    match error {
        StorageError::Io(e) if e.kind() == ErrorKind::InvalidData => StoreError::Damaged(e.to_string()),
        StorageError::Io(e) => classify(Path::new(FILE), &e),
        StorageError::Corrupted(text) => StoreError::Damaged(text),
        other => StoreError::Io(other.to_string()),
    }
}

fn transaction(error: TransactionError) -> StoreError {
    match error {
        TransactionError::Storage(e) => storage(e),
        other => StoreError::Io(other.to_string()),
    }
}

fn table(error: TableError) -> StoreError {
    match error {
        TableError::Storage(e) => storage(e),
        other => StoreError::Damaged(other.to_string()),
    }
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskStore").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io;

    use privet_protocol::random::SeededRandom;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::MemoryDisk;

    /// A disk whose syncs can be held up, and can fail.
    #[derive(Debug)]
    struct Slow {
        inner: InMemoryBackend,
        gate: Arc<Gate>,
    }

    #[derive(Debug, Default)]
    struct Gate {
        state: Mutex<GateState>,
        moved: Condvar,
    }

    #[derive(Debug, Default)]
    struct GateState {
        closed: bool,
        fails: bool,
        syncs: usize,
    }

    impl Gate {
        fn set(&self, closed: bool, fails: bool) {
            let mut state = self.state.lock().unwrap();
            (state.closed, state.fails) = (closed, fails);
            self.moved.notify_all();
        }

        fn syncs(&self) -> usize {
            self.state.lock().unwrap().syncs
        }
    }

    impl StorageBackend for Slow {
        fn len(&self) -> io::Result<u64> {
            self.inner.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.inner.read(offset, out)
        }

        fn set_len(&self, length: u64) -> io::Result<()> {
            self.inner.set_len(length)
        }

        fn sync_data(&self) -> io::Result<()> {
            let mut state = self.gate.state.lock().unwrap();
            state.syncs += 1;
            let state = self.gate.moved.wait_while(state, |state| state.closed).unwrap();
            if state.fails { Err(io::Error::other("broken")) } else { self.inner.sync_data() }
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.inner.write(offset, data)
        }
    }

    fn one(key: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, "value");
        batch
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < deadline, "it does not come to that");
            std::thread::yield_now();
        }
    }

    /// One commits, eight come while its sync is held up, which then goes on: the store, how many commits went well, how many syncs one
    /// commit takes, and how many these took.
    fn eight_beside_one(fails: bool) -> (DiskStore, usize, usize, usize) {
        let gate = Arc::new(Gate::default());
        let store = DiskStore::open_on(Slow { inner: InMemoryBackend::new(), gate: Arc::clone(&gate) }).unwrap();
        let before = gate.syncs();
        store.commit(one("first")).unwrap();
        let (each, before) = (gate.syncs() - before, gate.syncs());
        gate.set(true, false);
        let number = store.inner.queue().next;
        let well = std::thread::scope(|scope| {
            let store = &store;
            let leader = scope.spawn(move || store.commit(one("leader")));
            wait_for(|| gate.syncs() > before);
            let others: Vec<_> = (0..8).map(|n| scope.spawn(move || store.commit(one(&format!("{n}"))))).collect();
            wait_for(|| store.inner.queue().next == number + 9);
            gate.set(false, fails);
            [leader].into_iter().chain(others).map(|commit| commit.join().unwrap()).filter(Result::is_ok).count()
        });
        let took = gate.syncs() - before;
        (store, well, each, took)
    }

    #[test]
    fn commits_that_come_while_a_sync_runs_share_the_next_one() {
        let (store, well, each, took) = eight_beside_one(false);
        assert_eq!((well, store.scan(b"", b"", 100).unwrap().len()), (9, 10));
        assert!(took <= 3 * each, "{took} syncs for nine commits, where one takes {each}");
    }

    #[test]
    fn commits_that_wait_at_the_same_time_find_room_together_or_are_refused() {
        let (gate, disk) = (Arc::new(Gate::default()), MemoryDisk::new());
        let backend = Slow { inner: InMemoryBackend::new(), gate: Arc::clone(&gate) };
        let database = opened(|| redb::Builder::new().create_with_backend(backend)).unwrap();
        let place: (Arc<dyn Disk>, PathBuf) = (Arc::new(disk.clone()), "/".into());
        let store = DiskStore::with(database, Some(place)).unwrap();
        let large = |key: &str| {
            let mut batch = Batch::new();
            batch.put(key, vec![7_u8; 1 << 20]);
            batch
        };
        // Enough for either of them.
        disk.set_free_bytes(FREE_FLOOR + (6 << 20));
        gate.set(true, false);
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| store.commit(large("first")));
            wait_for(|| store.inner.under_way.load(Ordering::Relaxed) > 0);
            let second = store.commit(large("second"));
            gate.set(false, false);
            (first.join().unwrap(), second)
        });
        first.unwrap();
        assert!(matches!(second, Err(StoreError::Full(_))), "{second:?}");
        store.commit(large("second")).unwrap();
        assert_eq!(store.inner.under_way.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn whatever_there_is_can_be_removed_at_once() {
        const KEY: u64 = 64 * 1024;
        let store = DiskStore::open_on(InMemoryBackend::new()).unwrap();
        let key = |number: u64| [&number.to_be_bytes()[..], &[7_u8; KEY as usize - 8]].concat();
        let of = |numbers: std::ops::Range<u64>, change: &dyn Fn(&mut Batch, Vec<u8>)| {
            let mut batch = Batch::new();
            numbers.for_each(|number| change(&mut batch, key(number)));
            batch
        };
        let put = |batch: &mut Batch, key: Vec<u8>| batch.put(key, "");
        let all = 0..LARGEST_BATCH / KEY + 1;
        store.commit(of(0..10, &put)).unwrap();
        assert!(matches!(store.commit(of(all.clone(), &put)), Err(StoreError::Io(_))));
        store.commit(of(all, &|batch, key| batch.delete(key))).unwrap();
        assert!(store.scan(b"", b"", 1).unwrap().is_empty());
    }

    #[test]
    fn making_it_can_end_anywhere() {
        let place = Path::new("/store");
        let mut cuts = 0_u64;
        loop {
            let disk = MemoryDisk::new();
            disk.cut_after(cuts);
            let made = DiskStore::open_in(Arc::new(disk.clone()), place).and_then(|store| store.commit(one("there")));
            // All of what was not synced may have made it, or nothing, or a part.
            for seed in 0_u64..12 {
                let left = disk.power_cut(&SeededRandom::new(&[cuts.to_be_bytes(), seed.to_be_bytes()].concat()));
                let store = DiskStore::open_in(Arc::new(left), place)
                    .unwrap_or_else(|error| panic!("cut after {cuts} changes: {error}"));
                assert!(made.is_err() || store.get(b"there").unwrap().is_some(), "cut after {cuts} changes");
                store.commit(one("later")).unwrap();
            }
            if made.is_ok() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 10, "it was cut {cuts} times only");
    }

    #[test]
    fn a_sync_that_fails_fails_all_who_wait_and_the_store_says_nothing_more() {
        let (store, well, ..) = eight_beside_one(true);
        assert_eq!(well, 0);
        assert!(
            store.get(b"first").is_err() && store.scan(b"", b"", 1).is_err() && store.commit(one("later")).is_err()
        );
    }
}
