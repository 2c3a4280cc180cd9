//! Many write at the same time, and the power goes at any step once the store is there: in the middle of a write, a rename, a sync
//! that several share. Whatever was acknowledged is there, whole.
//!
//! `PRIVET_POWER_CUTS=5000` lets it go at that many steps (at every one, when there are fewer).

use std::path::Path;
use std::sync::Arc;

use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_store::{BlobName, Blobs, Disk, DiskStore, MemoryDisk};

const WRITERS: usize = 6;
const EACH: usize = 8;

fn name(writer: usize, number: usize) -> BlobName {
    format!("{writer}-{number}").parse().unwrap()
}

fn bytes(writer: usize, number: usize) -> Vec<u8> {
    vec![u8::try_from(writer * EACH + number).unwrap(); 3000 + 2000 * number]
}

fn open(disk: &MemoryDisk) -> Result<(DiskStore, Blobs), StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let store = DiskStore::open_in(Arc::clone(&disk), Path::new("/index"))?;
    Ok((store, Blobs::open_on(disk, "/blobs", 0)?))
}

/// A blob, then a line in the index that promises it.
fn put(store: &DiskStore, blobs: &Blobs, writer: usize, number: usize) -> Result<(), StoreError> {
    let mut blob = blobs.write(&name(writer, number))?;
    for piece in bytes(writer, number).chunks(4000) {
        blob.append(piece)?;
    }
    blob.finish()?;
    let mut batch = Batch::new();
    batch.put(format!("{writer}/{number}"), "");
    batch.put("newest", format!("{writer}/{number}"));
    store.commit(batch)
}

/// All writers write until they are done or the power is gone: how many of each were acknowledged.
fn write(disk: &MemoryDisk) -> Vec<usize> {
    let Ok((store, blobs)) = open(disk) else { return vec![0; WRITERS] };
    std::thread::scope(|scope| {
        let (store, blobs) = (&store, &blobs);
        let begun: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope
                    .spawn(move || (0..EACH).find(|number| put(store, blobs, writer, *number).is_err()).unwrap_or(EACH))
            })
            .collect();
        begun.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

fn verify(disk: &MemoryDisk, acknowledged: &[usize]) -> Result<(), String> {
    let (store, blobs) = open(disk).map_err(|e| format!("does not open: {e}"))?;
    let has = |key: &[u8]| store.get(key).map(|found| found.is_some()).map_err(|e| e.to_string());
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        for number in 0..EACH {
            if !has(format!("{writer}/{number}").as_bytes())? {
                if number < *acknowledged {
                    return Err(format!("{writer}/{number} was acknowledged"));
                }
            } else if number > *acknowledged {
                return Err(format!("{writer}/{number} is there, {acknowledged} were acknowledged"));
            } else if blobs.read(&name(writer, number)).map_err(|e| e.to_string())? != Some(bytes(writer, number)) {
                return Err(format!("{writer}/{number} is promised, and is not as it was"));
            }
        }
    }
    match store.get(b"newest").map_err(|e| e.to_string())? {
        Some(newest) if !has(&newest)? => Err("half of the newest batch is there".into()),
        _ => Ok(()),
    }
}

#[test]
fn what_many_wrote_at_once_survives_a_power_cut_at_any_step() {
    let cuts = std::env::var("PRIVET_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(60_u64);
    // Not while the store is made: redb does not open a file whose first bytes never came to the disk.
    let disk = MemoryDisk::new();
    let opened = open(&disk).unwrap();
    let begun = disk.changes();
    drop(opened);
    let disk = MemoryDisk::new();
    assert_eq!(write(&disk), [EACH; WRITERS]);
    verify(&disk, &[EACH; WRITERS]).unwrap();
    let all = disk.changes();
    let mut promised = 0;
    for step in (begun..all).step_by(usize::try_from(((all - begun) / cuts).max(1)).unwrap()) {
        let disk = MemoryDisk::new();
        disk.cut_after(step);
        let acknowledged = write(&disk);
        promised += acknowledged.iter().sum::<usize>();
        let left = disk.power_cut(&SeededRandom::new(&step.to_be_bytes()));
        if let Err(error) = verify(&left, &acknowledged) {
            panic!("the power went at step {step} of {all}: {error}");
        }
    }
    assert!(promised > EACH, "nothing was at stake");
}
