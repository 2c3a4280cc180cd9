//! Files that are whole once they are finished.

use privet_protocol::storage::StoreError;
use privet_store::{BlobName, Blobs, free_bytes};

fn name(text: &str) -> BlobName {
    text.parse().unwrap()
}

#[test]
fn a_blob_is_there_whole_or_not_at_all_and_a_broken_off_one_can_be_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path(), 0).unwrap();
    let one = name("one");
    let mut writer = blobs.write(&one).unwrap();
    writer.append(b"first ").unwrap();
    writer.sync().unwrap();
    assert_eq!(blobs.read(&one).unwrap(), None);
    drop(writer);

    let blobs = Blobs::open(dir.path(), 0).unwrap();
    let listed = blobs.list().unwrap();
    assert_eq!((listed.len(), listed[0].length, listed[0].partial), (1, 6, true));
    let mut writer = blobs.write(&one).unwrap();
    assert_eq!(writer.length(), 6);
    writer.append(b"second").unwrap();
    assert_eq!(writer.finish().unwrap(), 12);
    assert_eq!(blobs.read(&one).unwrap().unwrap(), b"first second");
    assert!(!blobs.list().unwrap()[0].partial);

    let mut writer = blobs.write(&name("two")).unwrap();
    writer.append(b"123456").unwrap();
    writer.truncate(2).unwrap();
    writer.append(b"x").unwrap();
    writer.finish().unwrap();
    assert_eq!(blobs.read(&name("two")).unwrap().unwrap(), b"12x");

    blobs.remove(&one).unwrap();
    blobs.remove(&one).unwrap();
    blobs.sync_removals(&one).unwrap();
    assert_eq!(blobs.read(&one).unwrap(), None);
    blobs.write(&name("three")).unwrap().discard().unwrap();
    assert_eq!(blobs.list().unwrap().len(), 1);
}

#[test]
fn names_lead_nowhere_else() {
    for wrong in ["", ".", "..", ".hidden", "a/b", "../a", "A", "ä", "a\0", &"x".repeat(121)] {
        assert!(wrong.parse::<BlobName>().is_err(), "{wrong}");
    }
    for good in ["a", "0123456789abcdef-1.seg", &"x".repeat(120)] {
        assert_eq!(name(good).as_str(), good);
    }
}

#[test]
fn below_the_floor_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path(), u64::MAX).unwrap();
    assert!(matches!(blobs.write(&name("one")), Err(StoreError::Full(_))));
    // A floor one mebibyte below what is free: it is reached soon.
    let floor = free_bytes(dir.path()).unwrap() - (1 << 20);
    let blobs = Blobs::open(dir.path(), floor).unwrap();
    let Ok(mut writer) = blobs.write(&name("two")) else { return };
    let mut length = 0;
    let full = (0..64).find_map(|_| {
        let outcome = writer.append(&[7; 256 * 1024]);
        if outcome.is_ok() {
            length += 256 * 1024;
        }
        outcome.err()
    });
    assert!(matches!(full, Some(StoreError::Full(_))), "{full:?}");
    assert_eq!(writer.length(), length, "what failed left nothing");
}
