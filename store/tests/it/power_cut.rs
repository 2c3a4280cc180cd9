//! The power goes at any moment. What the disk was told to keep is there; of everything written later, any set of 4 KiB pages may
//! have made it, each as one of the versions written since. Whatever [`Store::commit`] acknowledged must be there, whole; the
//! commit that was under way is there whole or not at all. (The program in `sled-power-cut/` does the same to sled.)

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use privet_protocol::random::{Random, SeededRandom};
use privet_protocol::storage::{Batch, Store};
use privet_store::DiskStore;
use redb::StorageBackend;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;
const PAGE: u64 = 4096;

/// A disk that remembers what it was told to keep, and every version of every page written since.
#[derive(Debug, Default, Clone)]
struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    kept: Vec<u8>,
    now: Vec<u8>,
    later: BTreeMap<u64, Vec<Vec<u8>>>,
    cutter: Option<Cutter>,
}

#[derive(Debug)]
struct Cutter {
    dice: Dice,
    acknowledged: Model,
    pending: Model,
    /// One write in so many is followed by a look at what a power cut would leave.
    one_in: usize,
    images: usize,
    failure: Option<String>,
}

#[derive(Debug)]
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % limit as u64).unwrap()
    }
}

impl Platter {
    fn page(&self, number: u64) -> Vec<u8> {
        let start = usize::try_from(number * PAGE).unwrap().min(self.now.len());
        let end = (start + PAGE as usize).min(self.now.len());
        self.now[start..end].to_vec()
    }

    /// What may be found after the power went now.
    fn image(&self, dice: &Dice) -> Vec<u8> {
        // How many of the later pages made it: none, all, or any share of them.
        let share = [0, 100, 10, 50, 90, 97][dice.below(6)];
        let mut image = self.kept.clone();
        if dice.below(100) < share {
            image.resize(self.now.len(), 0);
        }
        for (number, versions) in &self.later {
            if dice.below(100) < share {
                let version = &versions[versions.len() - 1 - dice.below(versions.len().min(3))];
                let start = usize::try_from(number * PAGE).unwrap();
                if start + version.len() > image.len() {
                    image.resize(start + version.len(), 0);
                }
                image[start..start + version.len()].copy_from_slice(version);
            }
        }
        image
    }

    fn maybe_cut(&mut self) {
        let Some(mut cutter) = self.cutter.take() else { return };
        if cutter.failure.is_none() && cutter.dice.below(cutter.one_in) == 0 {
            let image = self.image(&cutter.dice);
            cutter.images += 1;
            cutter.failure = check(image, &cutter.acknowledged, &cutter.pending).err();
        }
        self.cutter = Some(cutter);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = platter.now.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().now.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.maybe_cut();
        platter.kept = platter.now.clone();
        platter.later.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        platter.now.get_mut(start..start + data.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        for number in offset / PAGE..=(offset + data.len().max(1) as u64 - 1) / PAGE {
            let page = platter.page(number);
            platter.later.entry(number).or_default().push(page);
        }
        platter.maybe_cut();
        Ok(())
    }
}

fn check(image: Vec<u8>, acknowledged: &Model, pending: &Model) -> Result<(), String> {
    let platter = Platter { kept: image.clone(), now: image, ..Platter::default() };
    let store = DiskStore::open_on(Disk(Arc::new(Mutex::new(platter)))).map_err(|e| format!("does not open: {e}"))?;
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
    /// Before the disk was asked to keep it. The control: the test must notice.
    WhenWritten,
}

fn cut(seed: &str, commits: usize, largest: usize, when: Acknowledge) -> (usize, Option<String>) {
    let disk = Disk::default();
    let dice = Dice(SeededRandom::new(seed.as_bytes()));
    let store = DiskStore::open_on(disk.clone()).unwrap();
    disk.0.lock().unwrap().cutter = Some(Cutter {
        dice: Dice(SeededRandom::new(format!("pages {seed}").as_bytes())),
        acknowledged: Model::new(),
        pending: Model::new(),
        one_in: 8,
        images: 0,
        failure: None,
    });
    let with = |work: &mut dyn FnMut(&mut Cutter)| work(disk.0.lock().unwrap().cutter.as_mut().unwrap());
    let mut model = Model::new();
    for _ in 0..commits {
        let mut batch = Batch::new();
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
        with(&mut |cutter| {
            cutter.pending = model.clone();
            if when == Acknowledge::WhenWritten {
                cutter.acknowledged = model.clone();
            }
        });
        store.commit(batch).unwrap();
        let mut failed = false;
        with(&mut |cutter| {
            cutter.acknowledged = model.clone();
            failed = cutter.failure.is_some();
        });
        if failed {
            break;
        }
    }
    drop(store);
    let platter = disk.0.lock().unwrap();
    let cutter = platter.cutter.as_ref().unwrap();
    (cutter.images, cutter.failure.clone())
}

/// Each run has its own seed; `PRIVET_POWER_CUT_RUNS=50` looks longer.
fn survives(name: &str, commits: usize, largest: usize) {
    let runs = std::env::var("PRIVET_POWER_CUT_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for run in 0..runs {
        let seed = format!("{name} {run}");
        let (images, failure) = cut(&seed, commits, largest, Acknowledge::WhenSynced);
        assert_eq!(failure, None, "'{seed}' after {images} power cuts");
        assert!(images > 20, "only {images} power cuts");
    }
}

#[test]
fn small_values_survive() {
    survives("small", 200, 600);
}

#[test]
fn entries_of_a_log_survive() {
    survives("log", 100, 30_000);
}

#[test]
fn large_values_survive() {
    survives("large", 40, 300_000);
}

#[test]
fn what_was_only_written_does_not_survive() {
    let (_, failure) = cut("control", 60, 600, Acknowledge::WhenWritten);
    assert!(failure.is_some(), "nothing is lost without a sync: this test sees nothing");
}
