//! No room, and room again: what was made before is not taken for what comes after.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use bytes::Bytes;
use privet_home::{Env, HubHome, SecretBytes};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;
use privet_store::Blobs;

use super::*;
use crate::recorder::task::RecorderHandle;
use crate::time::wall;

const SLOW: CameraId = CameraId::from_bytes([1; 16]);
const OTHER: CameraId = CameraId::from_bytes([2; 16]);

fn policy() -> Policy {
    Policy { keep: Duration::from_secs(86_400), keep_bytes: None, room: 0 }
}

/// A keeper with two cameras whose recorders are the test.
struct House {
    keeper: Keeper,
    slow: mpsc::UnboundedReceiver<Input>,
    other: mpsc::UnboundedReceiver<Input>,
    _folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new());
        let home = HubHome::create(store.clone(), "Hub", Env::new(wall(), &SystemRandom)).unwrap();
        let outbox = Outbox::open(store, Blobs::open(folder.path().join("blobs"), 0).unwrap()).unwrap();
        let recorders = Recorders::default();
        let [slow, other] = [SLOW, OTHER].map(|camera| {
            let (handle, inputs) = RecorderHandle::channel();
            recorders.add(camera, handle);
            inputs
        });
        let reserve = Reserve::at(folder.path());
        let home = HomeHandle::spawn(home).unwrap();
        let (keeper, ..) =
            Keeper::new(outbox, home, recorders, Board::new(), Duration::from_secs(60), policy(), Some(reserve));
        Self { keeper, slow, other, _folder: folder }
    }

    async fn take(&mut self, what: Keep) {
        self.keeper.take(what).await.unwrap();
    }

    async fn head(&self) -> u64 {
        self.keeper.home.call(|home, _| home.head().seq).await.unwrap()
    }

    fn is_open(&self, stream: u8) -> bool {
        self.keeper.is_open(StreamId::from_bytes([stream; 16]))
    }
}

fn clip(camera: CameraId, stream: u8) -> Keep {
    Keep::Started(StreamStarted {
        stream: StreamId::from_bytes([stream; 16]),
        camera,
        kind: StreamKind::Clip,
        secret: SecretBytes::new([0; 40]),
        started: Timestamp(7),
    })
}

fn segment(stream: u8) -> Keep {
    let chain = Chain { recorded: 1, previous: [stream; 32], recorded_until: Some(wall()), ..Chain::default() };
    let stream = StreamId::from_bytes([stream; 16]);
    Keep::Segment(ClipSegment { stream, index: 0, bytes: Bytes::from_static(b"sealed"), chain })
}

#[tokio::test]
async fn a_clip_begun_before_its_recorder_heard_of_the_full_disk_is_not_taken_for_one_of_afterwards() {
    let mut house = House::new();
    house.take(clip(SLOW, 1)).await;
    house.take(Keep::Overrun(StreamId::from_bytes([1; 16]))).await;
    assert!(matches!(house.slow.try_recv(), Ok(Input::NoRoom { .. })));
    assert!(matches!(house.other.try_recv(), Ok(Input::NoRoom { .. })));
    // There is room; but what the other camera's recorder began before it heard of it is still in the queue.
    house.keeper.look().await.unwrap();
    house.take(clip(OTHER, 2)).await;
    house.take(segment(2)).await;
    assert!(!house.is_open(2) && house.slow.try_recv().is_err() && house.other.try_recv().is_err());

    house.take(Keep::Stopped(SLOW)).await;
    house.keeper.look().await.unwrap();
    assert!(house.slow.try_recv().is_err(), "one has not answered");
    house.take(Keep::Stopped(OTHER)).await;
    house.keeper.look().await.unwrap();
    assert!(matches!(house.slow.try_recv(), Ok(Input::Room { .. })));
    assert!(matches!(house.other.try_recv(), Ok(Input::Room { chain }) if chain.recorded == 0));
    house.take(clip(OTHER, 3)).await;
    assert!(house.is_open(3));
}

#[tokio::test]
async fn a_recorder_that_is_gone_does_not_keep_the_others_from_recording() {
    let mut house = House::new();
    house.take(clip(SLOW, 1)).await;
    house.take(Keep::Overrun(StreamId::from_bytes([1; 16]))).await;
    house.take(Keep::Stopped(OTHER)).await;
    house.slow.close();
    house.keeper.look().await.unwrap();
    assert!(matches!(house.other.try_recv(), Ok(Input::NoRoom { .. })));
    assert!(matches!(house.other.try_recv(), Ok(Input::Room { .. })));
}

/// A clip of camera `SLOW` with one segment, over and told.
async fn whole_clip(house: &mut House, stream: u8, recorded: u64) {
    house.take(clip(SLOW, stream)).await;
    let Keep::Segment(segment) = segment(stream) else { unreachable!() };
    let chain = Chain { recorded, ..segment.chain };
    house.take(Keep::Segment(ClipSegment { chain, ..segment })).await;
    house.keeper.end(id(stream), EndReason::Finished, None).await.unwrap();
}

fn id(stream: u8) -> StreamId {
    StreamId::from_bytes([stream; 16])
}

fn notes(stream: u8) -> ClipNotes {
    let peak = Timestamp(8);
    ClipNotes { stream: id(stream), heat: [1; 256], thumbnail: None, peak, zones: Vec::new(), pinned: false }
}

#[tokio::test]
async fn notes_are_told_once_and_not_before_the_end_of_their_clip() {
    let mut house = House::new();
    house.take(clip(SLOW, 1)).await;
    house.take(segment(1)).await;
    let head = house.head().await;
    house.take(Keep::Notes(Box::new(notes(1)))).await;
    assert_eq!(house.head().await, head, "its end could not be said yet");
    house.keeper.end(id(1), EndReason::Finished, None).await.unwrap();
    house.keeper.look().await.unwrap();
    assert_eq!(house.head().await, head + 2);
    house.take(Keep::Notes(Box::new(notes(1)))).await;
    house.take(Keep::Notes(Box::new(notes(9)))).await;
    assert_eq!(house.head().await, head + 2, "once, and of clips that there are");
}

#[tokio::test]
async fn the_oldest_clips_are_forgotten_in_one_message_but_no_pinned_one() {
    let mut house = House::new();
    for stream in 1..=4 {
        whole_clip(&mut house, stream, stream.into()).await;
    }
    let outbox = house.keeper.outbox.clone();
    let pinned = house.keeper.home.call(move |home, env| outbox.pin(home, env, id(1), true)).await.unwrap();
    assert!(pinned.unwrap());
    // Six bytes each: room for one that is not pinned.
    house.keeper.policy.keep_bytes = Some(6);
    let head = house.head().await;
    house.keeper.look().await.unwrap();
    assert_eq!(house.head().await, head + 1);
    let left = house.keeper.outbox.clips(moment());
    assert_eq!(left.iter().map(|clip| clip.stream).collect::<Vec<_>>(), [id(1), id(4)]);
    assert_eq!(house.keeper.outbox.waiting().segments, 2);
    let status = house.keeper.board.page("", Duration::ZERO, Default::default(), 0, 0);
    assert_eq!((status.clips.clips, status.clips.pinned, status.clips.bytes), (4, 1, 24), "as it was looked at");
    house.keeper.look().await.unwrap();
    assert_eq!(house.head().await, head + 1);
}
