//! A relay that lies: whatever it does to the bytes is refused at the first record it touched, with a name for it, and no
//! wrong byte gets out before.

use std::ops::Range;
use std::sync::LazyLock;

use privet_protocol::id::StreamId;
use privet_segment::proof::{Exporter, verify_mp4};
use privet_segment::{Header, Item, Opener, Sealer, SegmentEnd, SegmentError, Statement, StoredSegment, Verified};
use proptest::prelude::*;

use crate::common::{self, Sealed, World};

/// Longest record on the wire.
const FULL: usize = 4 + 65_536 + 16;

struct Fixture {
    world: World,
    sealed: Sealed,
    /// Where each media record is.
    records: Vec<Range<usize>>,
    /// The record each item ends with.
    ends: Vec<usize>,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let world = World::new("refusals");
    let facts = world.facts(5, [1; 32]);
    let media = world.media(facts.first_frame, &[20_000, 150_000, 90, 3_000, 65_486, 700, 65_487]);
    let mut blob = Vec::new();
    let mut sealer = Sealer::begin(&mut world.key(), &world.session, facts.clone(), &mut blob).unwrap();
    let (mut records, mut ends) = (Vec::new(), Vec::new());
    let mut record = |from: usize, to: usize| {
        let starts: Vec<usize> = (from..to).step_by(FULL).collect();
        records.extend(starts.iter().map(|&start| start..(start + FULL).min(to)));
        ends.push(records.len() - 1);
    };
    let mut at = blob.len();
    sealer.init(&media.info, &media.init, &mut blob).unwrap();
    record(at, blob.len());
    for (head, chunk) in &media.units {
        at = blob.len();
        sealer.unit(head, chunk, common::sample(head, chunk), &mut blob).unwrap();
        record(at, blob.len());
    }
    let ended = facts.started;
    let result = sealer.finish(SegmentEnd { ended, clock_stepped_back: false }, &mut blob).unwrap();
    let header = Header { stream: facts.stream, index: facts.index };
    let fixture = Fixture { world, records, ends, sealed: Sealed { header, facts, media, blob, result } };
    assert_eq!(fixture.open(&fixture.sealed.blob).0.len(), 8);
    fixture
});

impl Fixture {
    fn open(&self, blob: &[u8]) -> (Vec<Item>, Result<Verified<Statement>, SegmentError>) {
        self.world.open(self.sealed.header, blob, 10_000)
    }

    /// The media record that holds byte `at`; those after the media count as one more.
    fn record_at(&self, at: usize) -> usize {
        self.records.iter().position(|range| at < range.end).unwrap_or(self.records.len())
    }

    /// The blob is refused, by both readers; what came out before record `first` is what was sealed, and no more came out.
    fn refuse(&self, blob: &[u8], first: usize) -> SegmentError {
        let (items, end) = self.open(blob);
        let whole = self.ends.iter().take_while(|&&end| end < first).count();
        assert_eq!(items, self.sealed.media.items()[..whole], "only what is before record {first} comes out");
        let error = end.expect_err("is refused");
        self.refuse_stored(blob);
        error
    }

    fn refuse_stored(&self, blob: &[u8]) {
        let opened = StoredSegment::open(blob, &self.world.key(), self.sealed.header, &self.world.trust);
        let Ok(stored) = opened else { return };
        // Trailer and padding are untouched, so some record must refuse; every byte that is given must be right.
        let mp4 = self.sealed.media.mp4();
        let mut refused = false;
        for offset in (0..mp4.len()).step_by(9_000) {
            let mut buffer = vec![0; 9_000];
            match stored.read_mp4(offset as u64, &mut buffer) {
                Ok(read) => assert_eq!(buffer[..read], mp4[offset..offset + read]),
                Err(error) => {
                    assert!(matches!(error, SegmentError::Forged { .. }), "{error:?}");
                    refused = true;
                }
            }
        }
        assert!(refused && stored.check().is_err());
    }
}

/// The record an error names.
fn named(error: &SegmentError) -> Option<usize> {
    match error {
        SegmentError::Truncated { record }
        | SegmentError::Forged { record }
        | SegmentError::Malformed { record, .. } => Some(*record as usize),
        _ => None,
    }
}

#[test]
fn header_flips_have_their_names() {
    let fixture = &*FIXTURE;
    for at in 0..Header::LENGTH {
        let mut blob = fixture.sealed.blob.clone();
        blob[at] ^= 0x10;
        let error = fixture.refuse(&blob, 0);
        match at {
            0 => assert!(matches!(error, SegmentError::Version { found: 0x11 })),
            1..17 => assert!(matches!(error, SegmentError::WrongStream { .. })),
            _ => assert!(matches!(error, SegmentError::WrongIndex { .. })),
        }
    }
}

#[test]
fn a_segment_under_another_header_is_forged_from_its_first_record() {
    let fixture = &*FIXTURE;
    let mut other = fixture.sealed.header;
    other.index = 6;
    let mut blob = fixture.sealed.blob.clone();
    blob[..25].copy_from_slice(&other.to_bytes());
    let (items, end) = fixture.world.open(other, &blob, 1000);
    assert!(items.is_empty());
    assert_eq!(end.unwrap_err(), SegmentError::Forged { record: 0 });
    other.stream = StreamId::from_bytes([3; 16]);
    blob[..25].copy_from_slice(&other.to_bytes());
    assert_eq!(fixture.world.open(other, &blob, 1000).1.unwrap_err(), SegmentError::Forged { record: 0 });
}

#[test]
fn bytes_after_the_end_are_refused() {
    let fixture = &*FIXTURE;
    for extra in [vec![0], vec![0xff; 100], fixture.sealed.blob.clone()] {
        let blob = [fixture.sealed.blob.clone(), extra].concat();
        assert_eq!(fixture.open(&blob).1.unwrap_err(), SegmentError::TrailingBytes);
        let stored = StoredSegment::open(&blob, &fixture.world.key(), fixture.sealed.header, &fixture.world.trust);
        assert_eq!(stored.unwrap_err(), SegmentError::TrailingBytes);
    }
}

#[test]
fn an_error_stays() {
    let fixture = &*FIXTURE;
    let mut opener = Opener::new(&fixture.world.key(), fixture.sealed.header).unwrap();
    opener.push(&[1; 4]);
    assert_eq!(opener.next(), Ok(None));
    opener.push(&[0; 100]);
    let error = opener.next().unwrap_err();
    opener.push(&fixture.sealed.blob);
    assert_eq!(opener.next().unwrap_err(), error);
    assert_eq!(opener.finish(&fixture.world.trust).unwrap_err(), error);
}

#[test]
fn every_byte_of_the_trailer_matters() {
    let fixture = &*FIXTURE;
    let first = fixture.records.last().unwrap().end;
    for at in (first..fixture.sealed.blob.len()).step_by(37) {
        let mut blob = fixture.sealed.blob.clone();
        blob[at] ^= 1;
        let error = fixture.refuse(&blob, usize::MAX);
        assert!(named(&error).is_some_and(|record| record >= fixture.records.len()), "{error:?}");
        assert!(StoredSegment::open(&blob, &fixture.world.key(), fixture.sealed.header, &fixture.world.trust).is_err());
    }
}

#[test]
fn unknown_and_other_cameras_are_not_believed() {
    let fixture = &*FIXTURE;
    let camera = fixture.world.camera;
    let mut trust = privet_segment::KnownCameras::default();
    let open = |trust: &privet_segment::KnownCameras| {
        StoredSegment::open(&fixture.sealed.blob, &fixture.world.key(), fixture.sealed.header, trust).unwrap_err()
    };
    assert_eq!(open(&trust), SegmentError::UnknownCamera { camera });
    let other = privet_segment::EvidenceKey::generate(&fixture.world.random).unwrap();
    trust.set(camera, vec![other.public().unwrap()]);
    assert_eq!(open(&trust), SegmentError::UnknownCamera { camera });
}

/// Three segments in one exported file.
static EXPORT: LazyLock<(World, Vec<u8>, usize)> = LazyLock::new(|| {
    let world = World::new("exported");
    let (mut file, mut previous, mut exporter) = (Vec::new(), [0; 32], Exporter::default());
    for index in 0..3 {
        let sealed = world.seal(index, previous, &[2_000, 70_000, 50, 900]);
        previous = sealed.result.digest;
        let stored = StoredSegment::open(sealed.blob, &world.key(), sealed.header, &world.trust).unwrap();
        exporter.add(&stored, &mut file).unwrap();
    }
    let media = file.len();
    exporter.finish(&mut file).unwrap();
    assert!(verify_mp4(&file, &world.trust).unwrap().is_authentic());
    (world, file, media)
});

#[test]
fn every_byte_of_a_proof_matters() {
    let (world, file, media) = &*EXPORT;
    for at in *media..file.len() {
        let mut file = file.clone();
        file[at] ^= 1u8 << (at % 8);
        if let Ok(report) = verify_mp4(&file, &world.trust) {
            assert!(!report.is_authentic(), "byte {} of the proof", at - media);
        }
    }
}

#[test]
fn a_damaged_file_tells_where() {
    let (world, file, _) = &*EXPORT;
    let mut damaged = file.clone();
    damaged[74_000] ^= 1;
    let report = verify_mp4(&damaged, &world.trust).unwrap();
    assert_eq!(report.failures.len(), 1, "{report:?}");
    assert_eq!((report.failures[0].segment, &report.failures[0].cause), (1, &SegmentError::Forged { record: 1 }));
    assert_eq!(report.frames, 8, "the other frames are still vouched for");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_flip_is_refused_where_it_is(at: prop::sample::Index, bit in 0..8) {
        let fixture = &*FIXTURE;
        let mut blob = fixture.sealed.blob.clone();
        let at = at.index(blob.len());
        blob[at] ^= 1u8 << bit;
        let record = fixture.record_at(at);
        let error = fixture.refuse(&blob, if record == fixture.records.len() { usize::MAX } else { record });
        if at >= Header::LENGTH && record < fixture.records.len() {
            prop_assert_eq!(named(&error), Some(record), "{:?}", error);
        }
    }

    #[test]
    fn any_cut_is_truncation_there(at: prop::sample::Index) {
        let fixture = &*FIXTURE;
        let at = at.index(fixture.sealed.blob.len());
        let record = fixture.record_at(at);
        let first = if record == fixture.records.len() { usize::MAX } else { record };
        let error = fixture.refuse(&fixture.sealed.blob[..at], first);
        prop_assert!(matches!(error, SegmentError::Truncated { .. }), "{:?}", error);
        if record < fixture.records.len() {
            prop_assert_eq!(named(&error), Some(record));
        }
    }

    #[test]
    fn swapped_repeated_and_dropped_records_are_forged(a: prop::sample::Index, b: prop::sample::Index, what in 0..3) {
        let fixture = &*FIXTURE;
        let count = fixture.records.len();
        let (a, b) = (a.index(count), b.index(count));
        prop_assume!(a < b);
        let part = |range: &Range<usize>| fixture.sealed.blob[range.clone()].to_vec();
        let mut parts: Vec<Vec<u8>> = fixture.records.iter().map(part).collect();
        match what {
            0 => parts.swap(a, b),
            1 => parts.insert(b, parts[a].clone()),
            _ => drop(parts.remove(a)),
        }
        let first = if what == 1 { b } else { a };
        let end = fixture.records[count - 1].end;
        let blob = [&fixture.sealed.blob[..25], &parts.concat(), &fixture.sealed.blob[end..]].concat();
        let error = fixture.refuse(&blob, first);
        prop_assert_eq!(named(&error), Some(first), "{:?}", error);
    }

    #[test]
    fn splices_are_forged(at: prop::sample::Index, index in 4u64..8, foreign: bool) {
        let fixture = &*FIXTURE;
        let mut world = World::new("refusals");
        if foreign {
            world.secret = World::new("foreign").secret;
        }
        prop_assume!(foreign || index != 5);
        // The same media under another key or index: only the seal differs.
        let mut facts = fixture.world.facts(5, [1; 32]);
        facts.index = index;
        let other = world.seal_media(facts, fixture.sealed.media.clone());
        let record = at.index(fixture.records.len());
        let at = fixture.records[record].clone();
        let blob = [&fixture.sealed.blob[..at.start], &other.blob[at.clone()], &fixture.sealed.blob[at.end..]].concat();
        let error = fixture.refuse(&blob, record);
        prop_assert_eq!(named(&error), Some(record), "{:?}", error);
        let tail = [&fixture.sealed.blob[..at.start], &other.blob[at.start..]].concat();
        prop_assert_eq!(named(&fixture.refuse(&tail, record)), Some(record));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes: Vec<u8>, real_header: bool) {
        let fixture = &*FIXTURE;
        let header = if real_header { fixture.sealed.header.to_bytes().to_vec() } else { Vec::new() };
        let blob = [header, bytes].concat();
        prop_assert!(fixture.open(&blob).1.is_err());
        let stored = StoredSegment::open(&blob, &fixture.world.key(), fixture.sealed.header, &fixture.world.trust);
        prop_assert!(stored.is_err());
        prop_assert!(verify_mp4(&blob, &fixture.world.trust).is_err());
    }

    #[test]
    fn any_flip_in_an_exported_file_is_found(at: prop::sample::Index, bit in 0..8) {
        let (world, file, _) = &*EXPORT;
        let mut file = file.clone();
        let at = at.index(file.len());
        file[at] ^= 1u8 << bit;
        if let Ok(report) = verify_mp4(&file, &world.trust) {
            prop_assert!(!report.is_authentic());
        }
    }

    #[test]
    fn media_added_or_taken_is_found(at: prop::sample::Index, add: bool) {
        let (world, file, media) = &*EXPORT;
        let mut file = file.clone();
        let at = at.index(media + 1);
        if add {
            file.insert(at, 0);
        } else {
            file.remove(at.min(media - 1));
        }
        let report = verify_mp4(&file, &world.trust).unwrap();
        prop_assert!(!report.is_authentic());
    }
}
