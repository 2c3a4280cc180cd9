//! A pairing request at the hub and an answer at the phone: anything but the genuine one is a typed error, and changes nothing.
#![no_main]
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use privet_home::{AdmitError, Env, HubHome, JoinAttempt, JoinError, Offer, PhoneHome, RelayAddress};
use privet_protocol::id::PairingId;
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;

struct World {
    hub: HubHome,
    attempt: JoinAttempt,
    relay: RelayAddress,
}

static RANDOM: LazyLock<SeededRandom> = LazyLock::new(|| SeededRandom::new(b"fuzz"));
const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn env() -> Env<'static> {
    Env::new(NOW, &*RANDOM)
}

fn invite(hub: &mut HubHome, relay: &RelayAddress) -> (PairingId, String) {
    let invitation = hub.invite(relay, Duration::from_secs(600), env()).unwrap();
    (invitation.pairing, invitation.qr_text)
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let relay = RelayAddress { host: "relay".into(), port: 1, pin: None };
    let mut hub = HubHome::create(Arc::new(MemoryStore::new()), "Hub", env()).unwrap();
    let (_, text) = invite(&mut hub, &relay);
    let offer = Offer::parse(&text, NOW).unwrap();
    let (attempt, _) = PhoneHome::begin(&offer, "Phone", Arc::new(MemoryStore::new()), env()).unwrap();
    Mutex::new(World { hub, attempt, relay })
});

fuzz_target!(|bytes: &[u8]| {
    let World { hub, attempt, relay } = &mut *WORLD.lock().unwrap();
    let (pairing, _) = invite(hub, relay);
    let refused = hub.admit(pairing, bytes, &[], env()).unwrap_err();
    assert!(matches!(refused, AdmitError::Forged { attempts_left: 4 }));
    hub.cancel(pairing).unwrap();
    let refused = attempt.complete(bytes, env()).map(drop).unwrap_err();
    assert!(matches!(refused, JoinError::Forged(_) | JoinError::Version(_)));
});
