//! The power goes at any moment. What the disk was told to keep is there; of everything written later, any set of 4 KiB pages,
//! new names and removed names may have made it. Whatever [`Store::commit`] acknowledged must be there, whole; the commit
//! that was under way is there whole or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use privet_protocol::random::{Random, SeededRandom};
use privet_protocol::storage::{Batch, Store};
use privet_store::{SledStore, SyncObserver};

type Files = BTreeMap<PathBuf, Vec<u8>>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;
const PAGE: usize = 4096;

fn read_files(directory: &Path) -> Files {
    fn walk(root: &Path, directory: &Path, files: &mut Files) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(root, &entry.path(), files);
            } else if let Ok(bytes) = std::fs::read(entry.path()) {
                files.insert(entry.path().strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    let mut files = Files::new();
    walk(directory, directory, &mut files);
    files
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % limit as u64).unwrap()
    }

    /// What the disk may hold when the power goes: `synced`, and some of what came after it.
    fn image(&self, synced: &Files, now: &Files) -> Files {
        // How many of the later pages made it: none, all, or any share of them.
        let share = [0, 100, 10, 50, 90, 97][self.below(6)];
        let lucky = || self.below(100) < share;
        let mut image = Files::new();
        for (name, new) in now {
            let old = synced.get(name);
            // sled syncs a snapshot before it renames it: it is there whole or not at all.
            let whole = name.to_string_lossy().starts_with("snap.");
            match old {
                None if !lucky() => {}
                None if whole => drop(image.insert(name.clone(), new.clone())),
                old => drop(image.insert(name.clone(), self.pages(old.map_or(&[], Vec::as_slice), new, &lucky))),
            }
        }
        for (name, old) in synced {
            if !now.contains_key(name) && !lucky() {
                image.insert(name.clone(), old.clone());
            }
        }
        image
    }

    fn pages(&self, old: &[u8], new: &[u8], lucky: &dyn Fn() -> bool) -> Vec<u8> {
        let length = if lucky() { new.len() } else { old.len() };
        let mut bytes = old.to_vec();
        bytes.resize(length, 0);
        for start in (0..length).step_by(PAGE) {
            let end = (start + PAGE).min(length).min(new.len());
            if start < end && lucky() {
                bytes[start..end].copy_from_slice(&new[start..end]);
            }
        }
        bytes
    }
}

#[derive(Default)]
struct World {
    synced: Files,
    acknowledged: Model,
    pending: Model,
    images: usize,
    /// What went wrong, if anything did.
    failure: Option<String>,
}

struct Cutter {
    world: Arc<Mutex<World>>,
    dice: Dice,
    images_per_sync: usize,
}

impl SyncObserver for Cutter {
    fn before_sync(&self, directory: &Path) {
        let mut world = self.world.lock().unwrap();
        let now = read_files(directory);
        for _ in 0..self.images_per_sync {
            if world.failure.is_some() {
                return;
            }
            let image = self.dice.image(&world.synced, &now);
            world.images += 1;
            world.failure = check(&image, &world.acknowledged, &world.pending).err();
        }
    }

    fn after_sync(&self, directory: &Path) {
        self.world.lock().unwrap().synced = read_files(directory);
    }
}

/// Opens what the disk held and compares.
fn check(image: &Files, acknowledged: &Model, pending: &Model) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("blobs")).unwrap();
    for (name, bytes) in image {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let store = SledStore::open(dir.path()).map_err(|e| format!("does not open: {e}"))?;
    let found: Model =
        store.scan(b"", b"", usize::MAX).map_err(|e| format!("does not read: {e}"))?.into_iter().collect();
    if found == *acknowledged || found == *pending {
        return Ok(());
    }
    let missing = acknowledged.keys().filter(|k| !found.contains_key(*k)).count();
    Err(format!("{} entries were acknowledged, {missing} are missing, {} are there", acknowledged.len(), found.len()))
}

#[derive(Clone, Copy, PartialEq)]
enum Acknowledge {
    WhenSynced,
    /// As sled alone would: after its flush. The control: the test must notice.
    WhenFlushed,
}

fn cut(
    seed: &str,
    commits: usize,
    images_per_sync: usize,
    largest: usize,
    when: Acknowledge,
) -> (usize, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let world = Arc::new(Mutex::new(World::default()));
    let cutter = Cutter {
        world: Arc::clone(&world),
        dice: Dice(SeededRandom::new(format!("pages {seed}").as_bytes())),
        images_per_sync,
    };
    let dice = Dice(SeededRandom::new(seed.as_bytes()));
    let store = SledStore::open_observed(dir.path(), Some(Box::new(cutter))).unwrap();
    for _ in 0..commits {
        let mut batch = Batch::new();
        let mut model = world.lock().unwrap().acknowledged.clone();
        for _ in 0..=dice.below(6) {
            let key = format!("key/{:03}", dice.below(150)).into_bytes();
            if dice.below(4) == 0 {
                model.remove(&key);
                batch.delete(key);
            } else {
                let mut value = vec![0; dice.below(largest)];
                dice.0.fill(&mut value);
                model.insert(key.clone(), value.clone());
                batch.put(key, value);
            }
        }
        if when == Acknowledge::WhenFlushed {
            world.lock().unwrap().acknowledged = model.clone();
        }
        world.lock().unwrap().pending = model.clone();
        store.commit(batch).unwrap();
        let mut world = world.lock().unwrap();
        world.acknowledged = model;
        if world.failure.is_some() {
            break;
        }
    }
    drop(store);
    let world = world.lock().unwrap();
    (world.images, world.failure.clone())
}

/// Each run has its own seed; `PRIVET_POWER_CUT_RUNS=50` looks longer.
fn survives(name: &str, commits: usize, largest: usize) {
    let runs = std::env::var("PRIVET_POWER_CUT_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for run in 0..runs {
        let seed = format!("{name} {run}");
        let (images, failure) = cut(&seed, commits, 3, largest, Acknowledge::WhenSynced);
        assert_eq!(failure, None, "'{seed}' after {images} power cuts");
    }
}

#[test]
fn small_values_survive() {
    survives("small", 150, 600);
}

#[test]
fn entries_of_a_log_survive() {
    survives("log", 60, 30_000);
}

#[test]
fn large_values_survive() {
    survives("large", 40, 300_000);
}

#[test]
fn what_sled_alone_acknowledges_does_not_survive() {
    let (_, failure) = cut("control", 60, 3, 600, Acknowledge::WhenFlushed);
    assert!(failure.is_some(), "sled's flush would do, and this store's own sync is not needed any more");
}
