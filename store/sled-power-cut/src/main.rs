//! Why state is not kept in sled 0.34 (`docs/design/0003-storage.md`): cuts the power while sled writes, opens what a disk may
//! hold then, and prints what is wrong with it. sled is given every help: all its files are synced at every commit.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use privet_protocol::random::{Random, SeededRandom};

type Files = BTreeMap<PathBuf, Vec<u8>>;
type Model = BTreeMap<Vec<u8>, Vec<u8>>;
const PAGE: usize = 4096;

fn below(dice: &SeededRandom, limit: usize) -> usize {
    let mut bytes = [0; 8];
    dice.fill(&mut bytes);
    usize::try_from(u64::from_be_bytes(bytes) % limit as u64).unwrap()
}

fn open(directory: &Path) -> sled::Result<sled::Db> {
    sled::Config::new().path(directory).flush_every_ms(None).open()
}

fn files(directory: &Path) -> Files {
    let mut found = Files::new();
    for folder in [directory.to_owned(), directory.join("blobs")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(path.strip_prefix(directory).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn sync_all(directory: &Path) {
    for name in files(directory).keys() {
        File::open(directory.join(name)).unwrap().sync_all().unwrap();
    }
    File::open(directory.join("blobs")).unwrap().sync_all().unwrap();
    File::open(directory).unwrap().sync_all().unwrap();
}

/// What was synced, and a share of what happened since: pages, growth of files, new names, removed names.
fn image(dice: &SeededRandom, synced: &Files, now: &Files) -> Files {
    let share = [0, 100, 10, 50, 90, 97][below(dice, 6)];
    let lucky = || below(dice, 100) < share;
    let mut image = Files::new();
    for (name, new) in now {
        // sled syncs a snapshot before it renames it: it is there whole.
        if name.to_string_lossy().starts_with("snap.") {
            image.insert(name.clone(), new.clone());
            continue;
        }
        let old = synced.get(name);
        if old.is_none() && !lucky() {
            continue;
        }
        let mut bytes = old.cloned().unwrap_or_default();
        if lucky() {
            bytes.resize(new.len(), 0);
        }
        for start in (0..bytes.len()).step_by(PAGE) {
            let end = (start + PAGE).min(bytes.len()).min(new.len());
            if start < end && lucky() {
                bytes[start..end].copy_from_slice(&new[start..end]);
            }
        }
        image.insert(name.clone(), bytes);
    }
    for (name, old) in synced {
        if !now.contains_key(name) && !lucky() {
            image.insert(name.clone(), old.clone());
        }
    }
    image
}

fn check(image: &Files, before: &Model, after: &Model) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("blobs")).unwrap();
    for (name, bytes) in image {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let read = || -> sled::Result<Model> {
        open(dir.path())?.iter().map(|entry| entry.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect()
    };
    let found = std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| "it panics".to_owned())?;
    let found = found.map_err(|e| format!("it does not open: {e}"))?;
    if found == *before || found == *after {
        return Ok(());
    }
    let missing = before.iter().filter(|(k, _)| !found.contains_key(*k) && after.contains_key(*k)).count();
    if missing > 0 {
        Err(format!("{missing} of {} entries are missing", before.len()))
    } else {
        Err("half a batch".into())
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut cuts = 0;
    for run in 0..24 {
        let largest = [600, 30_000, 300_000][run % 3];
        let dice = SeededRandom::new(format!("sled {run}").as_bytes());
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path()).unwrap();
        let mut model = Model::new();
        sync_all(dir.path());
        for _ in 0..60 {
            let synced = files(dir.path());
            let before = model.clone();
            let mut batch = sled::Batch::default();
            for _ in 0..=below(&dice, 6) {
                let key = format!("key/{:03}", below(&dice, 150)).into_bytes();
                if below(&dice, 4) == 0 {
                    batch.remove(key.as_slice());
                    model.remove(&key);
                    continue;
                }
                let mut value = vec![0; below(&dice, largest)];
                dice.fill(&mut value);
                batch.insert(key.as_slice(), value.as_slice());
                model.insert(key, value);
            }
            db.apply_batch(batch).unwrap();
            db.flush().unwrap();
            let now = files(dir.path());
            for _ in 0..3 {
                cuts += 1;
                if let Err(what) = check(&image(&dice, &synced, &now), &before, &model) {
                    *found.entry(what).or_default() += 1;
                }
            }
            sync_all(dir.path());
        }
    }
    println!("{cuts} power cuts");
    for (what, times) in found {
        println!("{times:5} x {what}");
    }
}
