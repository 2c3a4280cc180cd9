//! Whatever the relay or a stranger does to the bytes, the answer is a typed error, nothing changes, and the genuine message
//! still works afterwards.

use std::sync::Arc;

use privet_home::{
    AdmitError, Env, HomeError, HubHome, HubMessage, JoinAttempt, JoinError, LogError, Offer, OfferError, PhoneHome,
    PhoneMessage, ReceiveError,
};
use privet_protocol::id::PairingId;
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;
use proptest::prelude::*;

use crate::common::*;

/// One thing that can happen to bytes.
#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, u8),
    Truncate(usize),
    Extend(Vec<u8>),
    Swap(usize, usize),
    Duplicate(usize, usize),
    Replace(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<usize>(), 1..=255u8).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        2 => any::<usize>().prop_map(Harm::Truncate),
        1 => proptest::collection::vec(any::<u8>(), 1..40).prop_map(Harm::Extend),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Harm::Swap(a, b)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Harm::Duplicate(a, b)),
        1 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(Harm::Replace),
    ]
}

/// The bytes after the harm; `None` when it changed nothing.
fn harmed(bytes: &[u8], harm: &Harm) -> Option<Vec<u8>> {
    let mut out = bytes.to_vec();
    let n = bytes.len();
    match harm {
        Harm::Flip(at, bits) => out[at % n] ^= bits,
        Harm::Truncate(at) => out.truncate(at % n),
        Harm::Extend(more) => out.extend_from_slice(more),
        Harm::Swap(a, b) => out.swap(a % n, b % n),
        Harm::Duplicate(a, b) => {
            let (from, to) = ((a % n).min(b % n), (a % n).max(b % n));
            out.splice(to..to, bytes[from..to].iter().copied());
        }
        Harm::Replace(other) => out.clone_from(other),
    }
    (out != bytes).then_some(out)
}

/// A home whose log has every kind of entry, and a phone that has read the first two.
fn eventful() -> (World, Phone) {
    let mut world = World::new("eventful");
    let mut ann = world.pair("Ann");
    let store = ann.store.backup();
    let start = Phone { home: PhoneHome::load(Arc::new(store.clone())).unwrap().unwrap(), store };
    world.say(&note("first"));
    let mut ben = world.pair("Ben");
    world.read(&mut ann);
    world.update(&mut ben);
    world.say(&note("second"));
    world.rejoin(&mut ben);
    world.read(&mut ann);
    world.remove(ben.home.device());
    world.say(&note("last"));
    (world, start)
}

fn copy(phone: &Phone) -> Phone {
    let store = phone.store.backup();
    Phone { home: PhoneHome::load(Arc::new(store.clone())).unwrap().unwrap(), store }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn harmed_log_entries_are_refused_and_the_genuine_ones_still_taken(harms in proptest::collection::vec(harm(), 14)) {
        let (world, start) = eventful();
        let mut phone = copy(&start);
        let first = phone.home.position().seq as usize;
        for (entry, harm) in world.log[first..].iter().zip(harms.iter().cycle()) {
            if let Some(bytes) = harmed(&entry.bytes, harm) {
                let before = phone.home.position();
                let result = phone.home.receive(entry.seq, &bytes, |_| Batch::new(), world.env());
                prop_assert!(
                    matches!(result, Err(LogError::Forged { .. } | LogError::Refused { .. })),
                    "entry {}: {result:?}", entry.seq
                );
                prop_assert_eq!(phone.home.position(), before);
            }
            let result = phone.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), world.env());
            prop_assert!(result.is_ok(), "entry {}: {:?}", entry.seq, result);
        }
        prop_assert_eq!(phone.home.position(), world.hub.head());
    }

    /// The relay answers any number with any entry it has, however often.
    #[test]
    fn a_relay_that_shuffles_repeats_and_withholds_is_noticed(
        picks in proptest::collection::vec((any::<usize>(), any::<usize>()), 1..60)
    ) {
        let (world, start) = eventful();
        let mut phone = copy(&start);
        let n = world.log.len();
        for (number, content) in picks {
            let (number, content) = (number % n, content % n);
            let before = phone.home.position();
            let honest = number == content && world.log[number].seq == before.seq + 1;
            let result =
                phone.home.receive(number as u64 + 1, &world.log[content].bytes, |_| Batch::new(), world.env());
            prop_assert_eq!(result.is_ok(), honest, "{} as {}: {:?}", content + 1, number + 1, result);
            if !honest {
                prop_assert_eq!(phone.home.position(), before);
            }
        }
        prop_assert!(world.read_errors(&mut phone).iter().all(Result::is_ok));
        prop_assert_eq!(phone.home.position(), world.hub.head());
    }

    #[test]
    fn harmed_pairing_messages_are_refused_and_the_genuine_ones_still_taken(
        requests in proptest::collection::vec(harm(), 4), answers in proptest::collection::vec(harm(), 8)
    ) {
        let mut world = World::new("harmed pairing");
        world.pair("Ben");
        let (invitation, mut attempt, store) = world.begin("Ann");
        let request = attempt.request().to_vec();
        let head = world.hub.head();
        for bytes in requests.iter().filter_map(|harm| harmed(&request, harm)) {
            let env = Env::new(world.now, &world.random);
            let result = world.hub.admit(invitation.pairing, &bytes, &[], env);
            prop_assert!(matches!(result, Err(AdmitError::Forged { .. })), "{result:?}");
            prop_assert_eq!(world.hub.head(), head);
        }
        let admitted = world.admit(&invitation, &request);
        for bytes in answers.iter().filter_map(|harm| harmed(&admitted.answer, harm)) {
            let result = attempt.complete(&bytes, world.env()).map(drop);
            prop_assert!(matches!(result, Err(JoinError::Forged(_) | JoinError::Version(_))), "{result:?}");
            attempt = JoinAttempt::load(Arc::new(store.clone())).unwrap().expect("the attempt still stands");
        }
        let home = attempt.complete(&admitted.answer, world.env()).unwrap();
        let mut ann = Phone { home, store };
        world.say(&note("in"));
        prop_assert!(heard(&world.read(&mut ann), &note("in")));
    }

    #[test]
    fn harmed_inbox_messages_are_refused_and_the_genuine_ones_still_taken(
        harms in proptest::collection::vec(harm(), 12)
    ) {
        let mut world = World::new("harmed inbox");
        let mut ann = world.pair("Ann");
        ann.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
        ann.home.propose_update(world.env()).unwrap();
        for outgoing in ann.home.outbox().unwrap() {
            let head = world.hub.head();
            for bytes in harms.iter().filter_map(|harm| harmed(&outgoing.bytes, harm)) {
                let env = Env::new(world.now, &world.random);
                let result = world.hub.receive(&bytes, Batch::new(), env);
                prop_assert!(
                    matches!(
                        result,
                        Err(ReceiveError::Forged(_) | ReceiveError::Malformed(_) | ReceiveError::Refused(_)
                            | ReceiveError::Stale)
                    ),
                    "{result:?}"
                );
                prop_assert_eq!(world.hub.head(), head);
            }
            let env = Env::new(world.now, &world.random);
            prop_assert!(world.hub.receive(&outgoing.bytes, Batch::new(), env).is_ok());
        }
    }

    #[test]
    fn harmed_qr_texts_are_refused(harm in harm()) {
        let mut world = World::new("qr");
        let (invitation, ..) = world.begin("Ann");
        let text = invitation.qr_text.as_bytes();
        if let Some(Ok(harmed)) = harmed(text, &harm).map(String::from_utf8)
            && harmed.trim() != invitation.qr_text
        {
            prop_assert!(matches!(
                Offer::parse(&harmed, world.now),
                Err(OfferError::NotPrivet | OfferError::Damaged | OfferError::Version(_))
            ));
        }
    }

    #[test]
    fn any_text_is_parsed_without_panic(text in "\\PC{0,300}", now in any::<i64>()) {
        let _ = Offer::parse(&text, Timestamp(now));
        let _ = Offer::parse(&format!("PRIVET1:{text}"), Timestamp(now));
    }
}

#[test]
fn every_single_bit_of_every_entry_matters() {
    let (world, start) = eventful();
    let mut phone = copy(&start);
    let first = phone.home.position().seq as usize;
    for entry in &world.log[first..] {
        // Every bit of the first 160 bytes (framing and signature) and a sample of the rest.
        let head = entry.bytes.len().min(160);
        for at in (0..head).chain((head..entry.bytes.len()).step_by(97)) {
            for bit in if at < head { 0..8 } else { 3..4 } {
                let mut bytes = entry.bytes.clone();
                bytes[at] ^= 1 << bit;
                let result = phone.home.receive(entry.seq, &bytes, |_| Batch::new(), world.env());
                assert!(
                    matches!(result, Err(LogError::Forged { .. } | LogError::Refused { .. })),
                    "entry {} byte {at} bit {bit}: {result:?}",
                    entry.seq
                );
            }
        }
        phone.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), world.env()).unwrap();
    }
}

#[test]
fn a_code_is_good_once_for_ten_minutes_and_five_attempts() {
    let mut world = World::new("limits");
    let offer_of = |invitation: &privet_home::Invitation, now| Offer::parse(&invitation.qr_text, now);
    let request = |offer: &Offer, world: &World| {
        PhoneHome::begin(offer, "Ann", Arc::new(MemoryStore::new()), world.env()).map(|(_, request)| request)
    };

    // Expired, on both sides.
    let env = Env::new(world.now, &world.random);
    let invitation = world.hub.invite(&relay(), TEN_MINUTES, env).unwrap();
    let offer = offer_of(&invitation, world.now).unwrap();
    let asked = request(&offer, &world).unwrap();
    assert_eq!(world.hub.rendezvous(world.now).unwrap().len(), 1);
    world.pass(TEN_MINUTES);
    assert_eq!(offer_of(&invitation, world.now).unwrap_err(), OfferError::Expired { until: invitation.until });
    assert_eq!(request(&offer, &world).unwrap_err(), JoinError::Expired);
    let admit = |world: &mut World, pairing, bytes: &[u8]| {
        let env = Env::new(world.now, &world.random);
        world.hub.admit(pairing, bytes, &[], env)
    };
    assert_eq!(admit(&mut world, invitation.pairing, &asked).unwrap_err(), AdmitError::Expired);
    assert!(world.hub.rendezvous(world.now).unwrap().is_empty());

    // Used: the same phone may ask again, another may not.
    let (invitation, attempt, _) = world.begin("Ann");
    let offer = offer_of(&invitation, world.now).unwrap();
    let second = request(&offer, &world).unwrap();
    let first = admit(&mut world, invitation.pairing, attempt.request()).unwrap();
    // A hub that was killed before it answered finds the mailbox again.
    assert!(world.hub.rendezvous(world.now).unwrap().iter().any(|r| r.mailbox == offer.mailbox()));
    let again = admit(&mut world, invitation.pairing, attempt.request()).unwrap();
    assert_eq!(first.answer, again.answer);
    assert_eq!(first.member, again.member);
    assert!(again.entries.is_empty());
    assert_eq!(admit(&mut world, invitation.pairing, &second).unwrap_err(), AdmitError::Used);

    // Five attempts, counted across a restart.
    let (invitation, attempt, _) = world.begin("Ben");
    for left in (0..5).rev() {
        let error = admit(&mut world, invitation.pairing, b"\x01guess").unwrap_err();
        assert_eq!(error, AdmitError::Forged { attempts_left: left });
        world.restart_hub();
    }
    assert_eq!(admit(&mut world, invitation.pairing, attempt.request()).unwrap_err(), AdmitError::TooManyAttempts);

    // Unknown, and cancelled.
    let nobody = PairingId::from_bytes([1; 16]);
    assert_eq!(admit(&mut world, nobody, b"x").unwrap_err(), AdmitError::Unknown(nobody));
    let (invitation, attempt, _) = world.begin("Cyd");
    world.hub.cancel(invitation.pairing).unwrap();
    assert_eq!(
        admit(&mut world, invitation.pairing, attempt.request()).unwrap_err(),
        AdmitError::Unknown(invitation.pairing)
    );
}

#[test]
fn the_answer_of_another_hub_or_another_pairing_is_refused() {
    let mut world = World::new("one");
    let mut other = World::new("two");
    let (_, mut attempt, _) = world.begin("Ann");
    let (invitation, their_attempt, _) = other.begin("Ben");
    let theirs = other.admit(&invitation, their_attempt.request());
    assert!(matches!(attempt.complete(&theirs.answer, world.env()).map(drop), Err(JoinError::Forged(_))));

    // A hub that has the code but not the identity behind it.
    let (invitation, mut attempt, _) = world.begin("Cyd");
    let thief_random = SeededRandom::new(b"thief");
    let thief_store = MemoryStore::new();
    let mut thief = HubHome::create(Arc::new(thief_store.clone()), "Hub", Env::new(world.now, &thief_random)).unwrap();
    let mut stolen = Batch::new();
    let record = [b"home/hub/pairing/".as_slice(), invitation.pairing.as_bytes()].concat();
    use privet_protocol::storage::Store as _;
    stolen.put(record.clone(), world.hub_store.get(&record).unwrap().unwrap());
    thief_store.commit(stolen).unwrap();
    let answer =
        thief.admit(invitation.pairing, attempt.request(), &[], Env::new(world.now, &thief_random)).unwrap().answer;
    assert_eq!(attempt.complete(&answer, world.env()).map(drop).unwrap_err(), JoinError::WrongHub);
    let genuine = world.admit(&invitation, attempt.request());
    attempt.complete(&genuine.answer, world.env()).unwrap();
}

#[test]
fn bad_names_and_addresses_are_refused() {
    let mut world = World::new("names");
    let random = SeededRandom::new(b"n");
    let env = Env::new(world.now, &random);
    for name in ["", &"x".repeat(65)] {
        let result = HubHome::create(Arc::new(MemoryStore::new()), name, env).map(drop);
        assert!(matches!(result, Err(HomeError::BadName { .. })));
    }
    for host in ["", "a b", "ä.example", &"x".repeat(256)] {
        let bad = privet_home::RelayAddress { host: host.into(), port: 1, pin: None };
        assert_eq!(world.hub.invite(&bad, TEN_MINUTES, env).map(drop).unwrap_err(), HomeError::BadAddress(host.into()));
    }
    let long = privet_home::RelayAddress { host: "x".repeat(255), port: 1, pin: None };
    let invitation = world.hub.invite(&long, TEN_MINUTES, env).unwrap();
    assert_eq!(Offer::parse(&invitation.qr_text, world.now).unwrap().relay(), &long);
    let long = HubMessage::CameraState {
        camera: privet_protocol::id::CameraId::from_bytes([0; 16]),
        state: privet_home::CameraState::Offline { reason: "x".repeat(200_000) },
    };
    let head = world.hub.head();
    assert!(matches!(world.hub.append(&[long], Batch::new(), env), Err(HomeError::TooLong { .. })));
    assert_eq!(world.hub.head(), head);
}
