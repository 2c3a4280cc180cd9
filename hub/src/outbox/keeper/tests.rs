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

const SLOW: CameraId = CameraId::from_bytes([1; 16]);
const OTHER: CameraId = CameraId::from_bytes([2; 16]);

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
        let (keeper, ..) = Keeper::new(outbox, home, recorders, Board::new(), Duration::from_secs(60), Some(reserve));
        Self { keeper, slow, other, _folder: folder }
    }

    async fn take(&mut self, what: Keep) {
        self.keeper.take(what).await.unwrap();
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
    let chain = Chain { recorded: 1, previous: [stream; 32], ..Chain::default() };
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
