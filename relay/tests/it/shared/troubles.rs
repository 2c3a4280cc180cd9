//! What goes wrong with a store, as the test wants it; and what was asked of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, StoreError};
use tokio::sync::watch;

/// What a relay does with what is a home's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    Scan,
    Commit,
}

#[derive(Clone, Default)]
pub struct Troubles {
    held: watch::Sender<HashSet<(Deed, HomeId)>>,
    waiting: Arc<AtomicUsize>,
    scanned: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Since when bodies are away: so many reads after the test said so.
    away: Arc<Mutex<Option<usize>>>,
    failed: Arc<AtomicUsize>,
}

impl Troubles {
    /// From now on who does this waits.
    pub fn hold(&self, deed: Deed, home: HomeId) {
        self.held.send_modify(|held| {
            held.insert((deed, home));
        });
    }

    /// Nobody waits any more.
    pub fn release(&self) {
        self.held.send_modify(HashSet::clear);
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How often these records of a home were read, since the last time that was forgotten.
    pub fn scans(&self, kind: &[u8; 2], home: HomeId) -> usize {
        let prefix = [&kind[..], home.as_bytes()].concat();
        self.scanned.lock().unwrap().iter().filter(|scanned| **scanned == prefix).count()
    }

    pub fn forget_scans(&self) {
        self.scanned.lock().unwrap().clear();
    }

    /// After so many more reads of bodies every further one fails.
    pub fn go_away_after(&self, reads: usize) {
        *self.away.lock().unwrap() = Some(reads);
        self.failed.store(0, Ordering::Relaxed);
    }

    pub fn come_back(&self) {
        *self.away.lock().unwrap() = None;
    }

    /// Reads of bodies that failed since bodies went away.
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> Result<(), StoreError> {
        match &mut *self.away.lock().unwrap() {
            None => Ok(()),
            Some(0) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                Err(StoreError::Io("it is away, for a moment".into()))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    pub(super) async fn scan(&self, prefix: &[u8]) {
        self.scanned.lock().unwrap().push(prefix.to_vec());
        if let Some(home) = home_in(prefix) {
            self.pass(Deed::Scan, home).await;
        }
    }

    pub(super) async fn commit(&self, batch: &Batch) {
        let homes: HashSet<_> = batch.writes().filter_map(|(key, _)| home_in(key)).collect();
        for home in homes {
            self.pass(Deed::Commit, home).await;
        }
    }

    async fn pass(&self, deed: Deed, home: HomeId) {
        let this = (deed, home);
        let mut held = self.held.subscribe();
        if !held.borrow().contains(&this) {
            return;
        }
        let _one = Waiting::begin(&self.waiting);
        drop(held.wait_for(|held| !held.contains(&this)).await);
    }
}

/// Whose record has a key that begins like this.
fn home_in(key: &[u8]) -> Option<HomeId> {
    Some(HomeId::from_bytes(key.get(2..18)?.try_into().unwrap()))
}

/// One that waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
