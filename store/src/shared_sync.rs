//! Syncs of directories that many wait for. While one runs, newcomers gather, and the next one covers them all: each comes with its
//! change made, and goes when a sync that began afterwards has ended.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The directories that are synced now, or wait to be.
#[derive(Debug, Default)]
pub(crate) struct SharedSyncs {
    directories: Mutex<BTreeMap<PathBuf, Turns>>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    running: bool,
    /// The sync that begins next.
    next: Arc<Round>,
}

/// One sync: nothing until it has ended.
#[derive(Debug, Default)]
struct Round(OnceLock<Outcome>);

type Outcome = Result<(), (ErrorKind, String)>;

impl SharedSyncs {
    /// Returns when a sync of `directory` has ended that began after this call; `sync` makes one, for all who wait.
    ///
    /// # Errors
    /// Those of the sync, to everybody whom it was for, and to those who came while it ran: which of their changes it took with it
    /// nobody knows.
    pub(crate) fn sync(&self, directory: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut directories = self.directories();
        let mine = Arc::clone(&directories.entry(directory.to_owned()).or_default().next);
        loop {
            if let Some(outcome) = mine.0.get() {
                return told(outcome);
            }
            let turns = directories.entry(directory.to_owned()).or_default();
            if turns.running {
                directories = self.ended.wait(directories).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            turns.running = true;
            turns.next = Arc::default();
            drop(directories);
            let outcome = sync().map_err(|e| (e.kind(), e.to_string()));
            directories = self.directories();
            let turns = directories.entry(directory.to_owned()).or_default();
            turns.running = false;
            if outcome.is_err() {
                let _ = std::mem::take(&mut turns.next).0.set(outcome.clone());
            }
            // Nobody joins without the lock.
            if Arc::strong_count(&turns.next) == 1 {
                directories.remove(directory);
            }
            let _ = mine.0.set(outcome.clone());
            drop(directories);
            self.ended.notify_all();
            return told(&outcome);
        }
    }

    fn directories(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Turns>> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(outcome: &Outcome) -> io::Result<()> {
    outcome.clone().map_err(|(kind, text)| io::Error::new(kind, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    const PLACE: &str = "/a";

    impl SharedSyncs {
        /// How many wait for the sync that begins next.
        fn gathered(&self) -> usize {
            self.directories().get(Path::new(PLACE)).map_or(0, |turns| Arc::strong_count(&turns.next) - 1)
        }
    }

    fn wait_for(condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < deadline, "it does not come to that");
            std::thread::yield_now();
        }
    }

    /// One syncs, eight come meanwhile, then the first sync ends like `first`: how many of the eight went well, and how many syncs
    /// there were in all.
    fn eight_beside_one(first: fn() -> io::Result<()>) -> (usize, usize) {
        let (shared, syncs) = (SharedSyncs::default(), AtomicUsize::new(0));
        let (shared, syncs) = (&shared, &syncs);
        let (release, held) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let leader = scope.spawn(move || {
                shared.sync(Path::new(PLACE), || {
                    syncs.fetch_add(1, Ordering::SeqCst);
                    held.recv().unwrap();
                    first()
                })
            });
            wait_for(|| syncs.load(Ordering::SeqCst) == 1);
            let count = || {
                syncs.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            let others: Vec<_> =
                (0..8).map(|_| scope.spawn(move || shared.sync(Path::new(PLACE), count).is_ok())).collect();
            wait_for(|| shared.gathered() == 8);
            release.send(()).unwrap();
            assert_eq!(leader.join().unwrap().is_ok(), first().is_ok());
            let well = others.into_iter().map(|other| other.join().unwrap()).filter(|ok| *ok).count();
            assert!(shared.directories().is_empty(), "nothing is left of directories that nobody waits for");
            (well, syncs.load(Ordering::SeqCst))
        })
    }

    #[test]
    fn those_who_come_while_a_sync_runs_share_the_next_one() {
        assert_eq!(eight_beside_one(|| Ok(())), (8, 2));
    }

    #[test]
    fn a_sync_that_fails_fails_everybody_who_waits() {
        assert_eq!(eight_beside_one(|| Err(ErrorKind::StorageFull.into())), (0, 1));
        let shared = SharedSyncs::default();
        let error = shared.sync(Path::new(PLACE), || Err(ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        shared.sync(Path::new(PLACE), || Ok(())).unwrap();
    }
}
