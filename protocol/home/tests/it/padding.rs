//! Where messages are padded, entries have one size, whatever they say; phones read them as ever.

use std::sync::Arc;

use privet_home::{Env, Happening, HomeEvent, HubHome, HubMessage};
use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;

#[test]
fn every_entry_of_a_padded_log_has_one_size() {
    let random = SeededRandom::new(b"padding");
    let env = || Env::new(Timestamp(1_795_000_000_000), &random);
    let mut home = HubHome::create(Arc::new(MemoryStore::new()), "Hub", env()).unwrap();
    let beat = HubMessage::Heartbeat { every_s: 30 };
    let event = HubMessage::Event(HomeEvent {
        id: EventId::from_bytes([1; 16]),
        at: Timestamp(1_795_000_000_000),
        camera: Some(CameraId::from_bytes([2; 16])),
        what: Happening::CameraOffline { reason: "x".repeat(500) },
        clip: Some(StreamId::from_bytes([3; 16])),
        zones: vec!["gate".into(); 8],
    });
    let gone = HubMessage::Forgotten { streams: vec![StreamId::from_bytes([3; 16]); 32] };
    let size = |home: &mut HubHome, message: &HubMessage| {
        home.append(std::slice::from_ref(message), Batch::new(), env()).unwrap()[0].bytes.len()
    };
    assert!(size(&mut home, &beat) < size(&mut home, &event));
    home.pad_messages(4096);
    let one = size(&mut home, &beat);
    assert!((4096..4096 + 512).contains(&one), "{one}");
    // Also when numbers get longer.
    for _ in 0..300 {
        assert_eq!((size(&mut home, &beat), size(&mut home, &event), size(&mut home, &gone)), (one, one, one));
    }
    let long = HubMessage::Forgotten { streams: vec![StreamId::from_bytes([3; 16]); 300] };
    assert_eq!(size(&mut home, &long), one + 4096);
}
