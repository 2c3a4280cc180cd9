//! What a push service delivers: whatever comes, opening it is a typed error or the notice that the hub sealed, as often as it
//! comes. The first byte chooses between made-up bytes, a genuine notification with harm done to it, and contents that the hub
//! itself signed and sealed though they are made up.
#![no_main]
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use privet_app_core::{NotificationKeys, open_notification};
use privet_home::{Env, Happening, HomeEvent, HubHome};
use privet_notice::{Notice, NotificationSecret};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, EventId};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

struct World {
    hub: HubHome,
    keys: NotificationKeys,
    genuine: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let random = SeededRandom::new(b"fuzz");
    let hub = HubHome::create(Arc::new(MemoryStore::new()), "Hub", Env::new(NOW, &random)).unwrap();
    let keys = NotificationKeys { secret: vec![3; 32], hub: hub.identity().to_vec() };
    let event = HomeEvent {
        id: EventId::from_bytes([1; 16]),
        at: NOW,
        camera: Some(CameraId::from_bytes([2; 16])),
        what: Happening::Motion,
        clip: None,
        zones: vec!["path".into()],
    };
    let genuine = seal(
        &hub,
        &Notice {
            event,
            home: "Home".into(),
            camera: "Gate".into(),
            counter: 1,
            sealed_at: NOW,
            late: false,
            picture: None,
        },
    );
    World { hub, keys, genuine: genuine.unwrap() }
});

fn seal(hub: &HubHome, notice: &Notice) -> Option<Vec<u8>> {
    let key = NotificationSecret::from_bytes([3; 32]).public().unwrap();
    privet_notice::seal(notice, &key, |message| hub.sign_notice(message)).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let World { hub, keys, genuine } = &*WORLD;
    match choice % 3 {
        0 => {
            assert!(open_notification(keys, bytes, NOW.0).is_err());
        }
        1 => {
            let mut made = genuine.clone();
            for harm in bytes.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([harm[0], harm[1]])) % made.len();
                made[at] ^= harm[2];
            }
            assert_eq!(open_notification(keys, &made, NOW.0).is_ok(), made == *genuine);
        }
        _ => {
            let Ok(notice) = cbor::decode::<Notice>(bytes, 4096) else { return };
            if let Some(sealed) = seal(hub, &notice) {
                let opened = open_notification(keys, &sealed, NOW.0).unwrap();
                assert_eq!(opened.event_id, notice.event.id.to_string());
                let age = i128::from(NOW.0) - i128::from(notice.sealed_at.0);
                assert_eq!(opened.stale, age > 25 * 3_600_000);
                assert_eq!(open_notification(keys, &sealed, NOW.0), Ok(opened));
            }
        }
    }
});
