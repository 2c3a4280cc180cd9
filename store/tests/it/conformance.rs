//! One suite for every implementation of the storage seam.

use std::collections::BTreeMap;
use std::sync::Arc;

use privet_protocol::random::{Random, SeededRandom};
use privet_protocol::storage::{Batch, MemoryStore, Store, StoreError};
use privet_store::{DiskStore, SealedStore};

fn number(random: &SeededRandom, below: u32) -> u32 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    u32::from_be_bytes(bytes) % below
}

/// Random batches against a model: after each one every read must agree.
fn agrees_with_a_map(store: &dyn Store, seed: &[u8]) {
    let random = SeededRandom::new(seed);
    let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for _ in 0..60 {
        let mut batch = Batch::new();
        for _ in 0..number(&random, 8) {
            let key = format!("{}/{:02}", number(&random, 3), number(&random, 30)).into_bytes();
            if number(&random, 4) == 0 {
                batch.delete(key);
            } else {
                let mut value = vec![0; number(&random, 2000) as usize];
                random.fill(&mut value);
                batch.put(key, value);
            }
        }
        for (key, value) in batch.writes() {
            match value {
                Some(value) => model.insert(key.to_vec(), value.to_vec()),
                None => model.remove(key),
            };
        }
        store.commit(batch).unwrap();
        for prefix in ["", "0/", "1/", "2/", "1/1", "nothing"] {
            for from in ["", "1/05", "2/"] {
                for limit in [0, 3, 1000] {
                    let expected: Vec<_> = model
                        .iter()
                        .filter(|(k, _)| k.starts_with(prefix.as_bytes()) && k.as_slice() >= from.as_bytes())
                        .take(limit)
                        .map(|(k, v)| (k.clone(), v.clone()))
                        .collect();
                    assert_eq!(store.scan(prefix.as_bytes(), from.as_bytes(), limit).unwrap(), expected);
                }
            }
        }
        for (key, value) in &model {
            assert_eq!(store.get(key).unwrap().as_ref(), Some(value));
        }
        assert_eq!(store.get(b"0/99").unwrap(), None);
    }
}

fn large_values_come_back(store: &dyn Store) {
    for (number, size) in [0, 1, 4096, 100_000, 200_000, 700_000].into_iter().enumerate() {
        let mut batch = Batch::new();
        batch.put(format!("large/{number}"), vec![number as u8; size]);
        store.commit(batch).unwrap();
    }
    for (number, size) in [0, 1, 4096, 100_000, 200_000, 700_000].into_iter().enumerate() {
        let value = store.get(format!("large/{number}").as_bytes()).unwrap().unwrap();
        assert_eq!(value, vec![number as u8; size]);
    }
}

fn committers_do_not_disturb_each_other(store: Arc<dyn Store>) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                for round in 0..25 {
                    let mut batch = Batch::new();
                    batch.put(format!("threads/{thread}/{round:02}/a"), "1");
                    batch.put(format!("threads/{thread}/{round:02}/b"), "2");
                    store.commit(batch).unwrap();
                }
            });
        }
    });
    assert_eq!(store.scan(b"threads/", b"", 1000).unwrap().len(), 8 * 25 * 2);
}

fn conforms(store: Arc<dyn Store>) {
    agrees_with_a_map(&*store, b"conformance");
    large_values_come_back(&*store);
    committers_do_not_disturb_each_other(store);
}

#[test]
fn memory() {
    conforms(Arc::new(MemoryStore::new()));
}

#[test]
fn disk() {
    let dir = tempfile::tempdir().unwrap();
    conforms(Arc::new(DiskStore::open(dir.path()).unwrap()));
}

#[test]
fn sealed_memory() {
    conforms(Arc::new(SealedStore::new(MemoryStore::new(), &[7; 32]).unwrap()));
}

#[test]
fn sealed_disk() {
    let dir = tempfile::tempdir().unwrap();
    conforms(Arc::new(SealedStore::new(DiskStore::open(dir.path()).unwrap(), &[7; 32]).unwrap()));
}

#[test]
fn it_opens_again_right_after_it_was_closed_and_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0_u8..20 {
        let store = DiskStore::open(dir.path()).unwrap();
        assert_eq!(store.scan(b"", b"", 100).unwrap().len(), usize::from(round));
        let mut batch = Batch::new();
        batch.put([round], [round]);
        store.commit(batch).unwrap();
    }
}

#[test]
fn a_store_in_use_is_busy() {
    let dir = tempfile::tempdir().unwrap();
    let _first = DiskStore::open(dir.path()).unwrap();
    assert!(matches!(DiskStore::open(dir.path()), Err(StoreError::Busy(_))));
}

#[test]
fn a_sealed_value_is_bound_to_its_name_and_key() {
    let inner = MemoryStore::new();
    let store = SealedStore::new(inner.clone(), &[1; 32]).unwrap();
    let mut batch = Batch::new();
    batch.put("one", "the secret");
    batch.put("two", "another");
    store.commit(batch).unwrap();
    let sealed = inner.get(b"one").unwrap().unwrap();
    assert!(!sealed.windows(6).any(|w| w == b"secret"));

    let mut swap = Batch::new();
    swap.put("two", sealed.clone());
    inner.commit(swap).unwrap();
    assert!(matches!(store.get(b"two"), Err(StoreError::Damaged(_))));
    assert!(matches!(store.scan(b"", b"", 9), Err(StoreError::Damaged(_))));

    let other = SealedStore::new(inner.clone(), &[2; 32]).unwrap();
    assert!(matches!(other.get(b"one"), Err(StoreError::Damaged(_))));

    for position in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[position] ^= 1;
        let mut batch = Batch::new();
        batch.put("one", flipped);
        inner.commit(batch).unwrap();
        assert!(store.get(b"one").is_err(), "byte {position}");
    }
    for length in 0..sealed.len() {
        let mut batch = Batch::new();
        batch.put("one", &sealed[..length]);
        inner.commit(batch).unwrap();
        assert!(store.get(b"one").is_err(), "length {length}");
    }
}
