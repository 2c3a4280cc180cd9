//! Log entries at a phone and inbox messages at the hub: whatever the relay makes up is a typed error and changes nothing. The
//! first byte chooses between made-up bytes and genuine ones with harm done to them.
#![no_main]
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use privet_home::{Env, HubHome, HubMessage, Offer, PhoneHome, PhoneMessage, RelayAddress};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;

struct World {
    hub: HubHome,
    phone: PhoneHome,
    entry: Vec<u8>,
    message: Vec<u8>,
}

static RANDOM: LazyLock<SeededRandom> = LazyLock::new(|| SeededRandom::new(b"fuzz"));
const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn env() -> Env<'static> {
    Env::new(NOW, &*RANDOM)
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let relay = RelayAddress { host: "relay".into(), port: 1, pin: None };
    let mut hub = HubHome::create(Arc::new(MemoryStore::new()), "Hub", env()).unwrap();
    let invitation = hub.invite(&relay, Duration::from_secs(600), env()).unwrap();
    let offer = Offer::parse(&invitation.qr_text, NOW).unwrap();
    let (mut attempt, request) = PhoneHome::begin(&offer, "Phone", Arc::new(MemoryStore::new()), env()).unwrap();
    let admitted = hub.admit(invitation.pairing, &request, &[], env()).unwrap();
    let mut phone = attempt.complete(&admitted.answer, env()).unwrap();
    for entry in hub.outbox(phone.position().seq + 1, 99).unwrap() {
        phone.receive(entry.seq, &entry.bytes, |_| Batch::new(), env()).unwrap();
    }
    let entry = hub.append(&[HubMessage::Heartbeat { every_s: 60 }], Batch::new(), env()).unwrap().remove(0).bytes;
    let message = phone.send(&PhoneMessage::Paired, Batch::new(), env()).unwrap().bytes;
    Mutex::new(World { hub, phone, entry, message })
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let World { hub, phone, entry, message } = &mut *WORLD.lock().unwrap();
    let made = |genuine: &[u8]| {
        let mut made = genuine.to_vec();
        for harm in bytes.chunks_exact(3) {
            let at = usize::from(u16::from_be_bytes([harm[0], harm[1]])) % made.len();
            made[at] ^= harm[2];
        }
        made
    };
    let (one, other) = if choice & 1 == 0 { (bytes.to_vec(), bytes.to_vec()) } else { (made(entry), made(message)) };
    let (position, head) = (phone.position(), hub.head());
    if one != *entry {
        assert!(phone.receive(position.seq + 1, &one, |_| Batch::new(), env()).is_err());
        assert_eq!(phone.position(), position);
    }
    if other != *message {
        assert!(hub.receive(&other, Batch::new(), env()).is_err());
        assert_eq!(hub.head(), head);
    }
});
