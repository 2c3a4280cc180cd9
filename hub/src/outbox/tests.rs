//! A crash between any two writes, a full disk, a relay that answers twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod archive;

use privet_home::SecretBytes;
use privet_protocol::storage::{Fault, MemoryStore};

use super::*;

const CAMERA: CameraId = CameraId::from_bytes([1; 16]);
const STREAM: StreamId = StreamId::from_bytes([2; 16]);
const NOW: Timestamp = Timestamp(1_000);
const KEEP: Duration = Duration::from_secs(8);
/// The relay's clock is another one.
const KEPT: Option<AtRelay> =
    Some(AtRelay { since: Timestamp(500_000), until: Timestamp(508_000), lacks: false, put: None });
const AT: Moment = Moment { wall: NOW, mono_us: 1_000_000 };

fn started(kind: StreamKind) -> StreamStarted {
    StreamStarted { stream: STREAM, camera: CAMERA, kind, secret: SecretBytes::new([0; 40]), started: Timestamp(7) }
}

fn segment(index: u64) -> ClipSegment {
    let byte = u8::try_from(index).unwrap();
    let chain = Chain {
        recorded: index + 1,
        previous: [byte; 32],
        recorded_until: Some(Timestamp(100 + i64::from(byte))),
        ..Chain::default()
    };
    ClipSegment { stream: STREAM, index, bytes: Bytes::from(vec![byte; 100]), chain }
}

struct Disk {
    store: MemoryStore,
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { store: MemoryStore::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// What the next start finds.
    fn outbox(&self) -> Outbox {
        self.store.heal();
        Outbox::open(Arc::new(self.store.clone()), Blobs::open(self.folder.path(), 0).unwrap()).unwrap()
    }

    fn files(&self) -> usize {
        Blobs::open(self.folder.path(), 0).unwrap().list().unwrap().len()
    }
}

/// Announces as the keeper does: the record in the commit of the log entry.
fn announce(outbox: &Outbox, kind: StreamKind) -> Result<(), StoreError> {
    outbox.store.commit(outbox.announce(&started(kind)))?;
    outbox.announced(&started(kind));
    Ok(())
}

fn end(outbox: &Outbox) -> Result<Option<StreamEnded>, StoreError> {
    let Some((ended, batch)) = outbox.end(STREAM, EndReason::Finished, None) else { return Ok(None) };
    outbox.store.commit(batch)?;
    outbox.ended(STREAM, false);
    Ok(Some(ended))
}

/// The whole life of a clip; stops at the first failure, as a dead process does. Gives how many segments were acknowledged to
/// the recorder and whether the end was.
fn live_once(outbox: &Outbox) -> (u64, bool) {
    if announce(outbox, StreamKind::Clip).is_err() {
        return (0, false);
    }
    for index in 0..3 {
        if outbox.keep(&segment(index), KEEP, AT).is_err() {
            return (index, false);
        }
    }
    (3, end(outbox).is_ok())
}

#[test]
fn a_crash_between_any_two_writes_loses_nothing_acknowledged_and_says_nothing_false() {
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        for crash in 0..6 {
            let disk = Disk::new();
            let outbox = disk.outbox();
            disk.store.fail_after(crash, fault);
            let (acknowledged, ended) = live_once(&outbox);
            drop(outbox);

            let outbox = disk.outbox();
            let waiting = outbox.waiting().segments;
            assert!(waiting >= acknowledged, "{fault:?} at {crash}: {acknowledged} acknowledged, {waiting} there");
            assert!(waiting <= acknowledged + 1);
            assert_eq!(disk.files() as u64, waiting, "{fault:?} at {crash}: files without index are swept");
            // The stream is either still open and can be ended with what is there, or its end was said with exactly that.
            let told = match outbox.open_streams().as_slice() {
                [] => outbox.finishes().first().map_or(waiting, |(_, n)| n.unwrap_or(0)),
                [(stream, open)] => {
                    assert!(!ended);
                    assert_eq!((*stream, open.segments), (STREAM, waiting));
                    let said = end(&outbox).unwrap().unwrap();
                    assert_eq!(
                        said.last_statement,
                        if waiting == 0 { [0; 32] } else { segment(waiting - 1).chain.previous }
                    );
                    said.segments
                }
                more => panic!("{more:?}"),
            };
            assert!(told == waiting || waiting == 0, "{fault:?} at {crash}: {told} told, {waiting} there");
            assert_eq!(outbox.chain(CAMERA).unwrap().recorded, waiting);
            for index in 0..waiting {
                let (_, pending) = outbox.claim().unwrap();
                assert_eq!((pending.index, pending.keep_ms), (index, 8_000));
                assert_eq!(
                    outbox.read(&pending).unwrap(),
                    segment(index).bytes,
                    "the bytes under a number never change"
                );
            }
        }
    }
}

#[test]
fn a_crash_while_the_relay_answers_sends_again_or_forgets_but_never_loses() {
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        let disk = Disk::new();
        let outbox = disk.outbox();
        assert_eq!(live_once(&outbox), (3, true));
        let (number, pending) = outbox.claim().unwrap();
        disk.store.fail_after(0, fault);
        outbox.stored(number, KEPT).unwrap_err();
        drop(outbox);
        let outbox = disk.outbox();
        let left = outbox.waiting().segments;
        assert_eq!(left, if fault == Fault::Refuse { 3 } else { 2 });
        assert_eq!(disk.files(), 3, "the clip stays here");
        if fault == Fault::Refuse {
            assert_eq!(outbox.claim().unwrap().1, pending);
        }
    }
}

#[test]
fn the_end_is_told_to_the_relay_only_after_all_segments_and_then_nothing_is_left() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    live_once(&outbox);
    while let Some((number, _)) = outbox.claim() {
        assert!(outbox.finishes().is_empty());
        outbox.stored(number, KEPT).unwrap();
    }
    assert_eq!(outbox.finishes(), [(STREAM, Some(3))]);
    outbox.finished(STREAM).unwrap();
    let outbox = disk.outbox();
    assert!(outbox.finishes().is_empty() && outbox.claim().is_none());
    assert_eq!(disk.files(), 3, "the clip stays here until it is forgotten");
    let (_, batch) = outbox.forgetting(&[STREAM]);
    outbox.store.commit(batch).unwrap();
    outbox.sweep(outbox.forgotten(&[STREAM])).unwrap();
    outbox.dropped(STREAM).unwrap();
    assert_eq!(disk.files(), 0);
    let outbox = disk.outbox();
    assert!(outbox.clips(AT).is_empty() && outbox.drops().is_empty());
    assert_eq!(outbox.chain(CAMERA).unwrap().recorded, 3, "the chain outlives the clip");
}

#[test]
fn a_claimed_segment_is_sent_by_one_and_given_back_when_that_fails() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    live_once(&outbox);
    let (first, _) = outbox.claim().unwrap();
    let (second, _) = outbox.claim().unwrap();
    assert_ne!(first, second);
    outbox.release(first);
    assert_eq!(outbox.claim().unwrap().0, first, "the oldest goes first");
}

#[test]
fn a_full_disk_refuses_a_segment_whole() {
    let disk = Disk::new();
    let floor = privet_store::free_bytes(disk.folder.path()).unwrap() * 2;
    let full = Outbox::open(Arc::new(disk.store.clone()), Blobs::open(disk.folder.path(), floor).unwrap()).unwrap();
    announce(&full, StreamKind::Clip).unwrap();
    assert!(matches!(full.keep(&segment(0), KEEP, AT), Err(StoreError::Full(_))));
    assert_eq!(full.waiting().segments, 0);
    assert_eq!(full.room().unwrap(), 0);
    let ended = end(&full).unwrap().unwrap();
    assert_eq!(ended.segments, 0);
    assert_eq!(disk.files(), 0);
    assert!(full.finishes().is_empty(), "the relay never heard of it");
}

#[test]
fn two_segments_at_one_place_of_the_chain_are_not_both_kept() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    announce(&outbox, StreamKind::Clip).unwrap();
    outbox.keep(&segment(0), KEEP, AT).unwrap();
    let again = ClipSegment { index: 1, ..segment(0) };
    assert!(outbox.keep(&again, KEEP, AT).unwrap_err().to_string().contains("does not follow"));
    outbox.keep(&segment(2), KEEP, AT).unwrap_err();
    outbox.keep(&segment(1), KEEP, AT).unwrap();
    assert_eq!(outbox.chain(CAMERA).unwrap().recorded, 2);
}

#[test]
fn a_live_stream_cut_off_by_a_crash_is_ended_at_the_relay_where_the_relay_has_it() {
    let disk = Disk::new();
    announce(&disk.outbox(), StreamKind::Live).unwrap();
    let outbox = disk.outbox();
    let (ended, batch) = outbox.end(STREAM, EndReason::HubStopped, None).unwrap();
    assert_eq!(ended.reason, EndReason::HubStopped);
    outbox.store.commit(batch).unwrap();
    outbox.ended(STREAM, true);
    assert_eq!(outbox.finishes(), [(STREAM, None)]);
    assert_eq!(disk.outbox().finishes(), [(STREAM, None)]);
}

#[test]
fn reserved_numbers_are_never_given_out_twice() {
    let disk = Disk::new();
    let first = disk.outbox().reserve(CAMERA, None).unwrap();
    let second = disk.outbox().reserve(CAMERA, None).unwrap();
    assert!(second.frames_reserved > first.frames_reserved && second.live_reserved > first.live_reserved);
    disk.store.fail_after(0, Fault::Refuse);
    let outbox = Outbox::open(Arc::new(disk.store.clone()), Blobs::open(disk.folder.path(), 0).unwrap()).unwrap();
    outbox.reserve(CAMERA, None).unwrap_err();
}
