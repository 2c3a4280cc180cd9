//! What is sealed comes out again: whole, in pieces, at any place, and as an MP4 for strangers.

use privet_segment::proof::{Exporter, verify_mp4};
use privet_segment::{Chain, Link, SegmentError, StoredSegment, StreamKey};

use crate::common::World;

const SIZES: [&[usize]; 5] = [
    &[],
    &[1],
    &[3000, 200, 64, 65_486, 65_487, 100, 65_485],
    &[200_000, 100, 131_072, 5, 0],
    &[1_000_000, 70_000, 300, 65_532, 196_596],
];

#[test]
fn a_segment_opens_whole_and_in_pieces() {
    let world = World::new("roundtrip");
    for sizes in SIZES {
        let sealed = world.seal(3, [9; 32], sizes);
        assert_eq!(sealed.result.length, sealed.blob.len() as u64);
        for step in [1, 7, 1000, 65_536, usize::MAX] {
            if step < 1000 && sealed.blob.len() > 300_000 {
                continue;
            }
            let (items, end) = world.open(sealed.header, &sealed.blob, step);
            assert_eq!(items, sealed.media.items());
            let statement = end.unwrap();
            assert_eq!(statement.digest(), sealed.result.digest);
            assert_eq!((statement.sequence, statement.previous), (103, [9; 32]));
            assert_eq!(statement.mp4_length, sealed.media.mp4().len() as u64);
        }
    }
}

#[test]
fn the_length_is_padded_and_says_little() {
    let world = World::new("padding");
    let mut lengths: Vec<usize> =
        (0..200).map(|size| world.seal(0, [0; 32], &[30_000 + size * 40]).blob.len()).collect();
    lengths.dedup();
    assert!(lengths.len() < 8, "{lengths:?}");
    for size in [10, 65_000, 65_300, 300_000, 1 << 20, 4 << 20] {
        let length = world.seal(0, [0; 32], &[size]).blob.len();
        let significant = u64::BITS - (length as u64).leading_zeros() - (length as u64).trailing_zeros();
        assert!(significant <= 6, "{length} has {significant} significant bits");
    }
}

#[test]
fn a_stored_segment_reads_anywhere() {
    let world = World::new("stored");
    for sizes in SIZES {
        let sealed = world.seal(0, [0; 32], sizes);
        let stored = StoredSegment::open(&sealed.blob, &world.key(), sealed.header, &world.trust).unwrap();
        stored.check().unwrap();
        let mp4 = sealed.media.mp4();
        assert_eq!(stored.mp4_len(), mp4.len() as u64);
        assert_eq!(**stored.init_info(), sealed.media.info);
        for offset in [0, 1, 699, 700, 701, 65_000, mp4.len().saturating_sub(1), mp4.len(), mp4.len() + 1] {
            for length in [0, 1, 100, 70_000, mp4.len() + 10] {
                let mut buffer = vec![0; length];
                let read = stored.read_mp4(offset as u64, &mut buffer).unwrap();
                let expected = mp4.get(offset..).unwrap_or_default();
                assert_eq!(buffer[..read], expected[..expected.len().min(length)]);
            }
        }
        assert!(matches!(stored.record(stored.records()), Err(SegmentError::NotThere { .. })));
    }
}

#[test]
fn the_ratchet_only_goes_forward() {
    let world = World::new("ratchet");
    let blobs: Vec<_> = (0..4).map(|index| world.seal(index, [0; 32], &[100])).collect();
    let mut key = world.key();
    key.advance_to(2).unwrap();
    assert_eq!(key.advance_to(1), Err(SegmentError::KeyErased { index: 1, oldest: 2 }));
    let told = StreamKey::from_secret(&key.to_secret());
    for sealed in &blobs {
        let opened = StoredSegment::open(&sealed.blob, &told, sealed.header, &world.trust);
        assert_eq!(opened.is_ok(), sealed.header.index >= 2);
    }
}

#[test]
fn an_exported_clip_is_checked_by_a_stranger() {
    let world = World::new("export");
    let mut previous = [0; 32];
    let mut file = Vec::new();
    let mut mp4 = Vec::new();
    let mut exporter = Exporter::default();
    let mut chain = Chain::default();
    for index in 0..4 {
        let sealed = world.seal(index, previous, &[90_000, 400, 70]);
        previous = sealed.result.digest;
        let stored = StoredSegment::open(sealed.blob, &world.key(), sealed.header, &world.trust).unwrap();
        let link = chain.follow(stored.statement()).unwrap();
        assert_eq!(link, if index == 0 { Link::First } else { Link::Next });
        if index == 2 {
            continue;
        }
        exporter.add(&stored, &mut file).unwrap();
        let media = sealed.media.mp4();
        mp4.extend_from_slice(if index == 0 { &media } else { &media[700..] });
    }
    exporter.finish(&mut file).unwrap();
    assert_eq!(file[..mp4.len()], mp4, "the file starts with the plain MP4");
    let report = verify_mp4(&file, &world.trust).unwrap();
    assert!(report.is_authentic(), "{report:?}");
    assert_eq!((report.segments, report.frames, report.media_bytes), (3, 6, mp4.len() as u64));
    assert_eq!(
        report.gaps.len(),
        2,
        "98 frame numbers unused before the second, one segment left out before the third: {report:?}"
    );
    assert!(report.signers[0].trusted);
    let strangers = privet_segment::KnownCameras::default();
    let report = verify_mp4(&file, &strangers).unwrap();
    assert!(!report.is_authentic() && !report.signers[0].trusted);
}
