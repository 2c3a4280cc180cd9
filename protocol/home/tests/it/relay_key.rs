//! A phone's key at the relay is replaced after a removal: at each moment there is one that the hub lets in, whatever is lost on the
//! way, and an older hub or phone goes on as it did.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use privet_home::{Env, HomeError, PhoneMessage};
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Batch;

use crate::common::*;

fn public(seed: &[u8; 32]) -> CapabilityKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    CapabilityKey(pair.public_key().as_ref().try_into().unwrap())
}

fn key(phone: &Phone) -> CapabilityKey {
    public(&phone.home.capability())
}

fn next(phone: &Phone) -> Option<CapabilityKey> {
    phone.home.next_capability().map(|seed| public(&seed))
}

fn moves(world: &World, phone: &mut Phone) {
    phone.home.move_capability(Env::new(world.now, &world.random)).unwrap().expect("somewhere to move to");
}

/// A home of three that one leaves, and the others have read it.
fn after_a_removal(seed: &str) -> (World, Phone, Phone, Phone) {
    let mut world = World::new(seed);
    let [mut ann, mut ben, mut cyd] = ["Ann", "Ben", "Cyd"].map(|name| world.pair(name));
    for phone in [&mut ann, &mut ben] {
        world.read(phone);
    }
    assert!([&ann, &ben, &cyd].iter().all(|phone| next(phone).is_none()), "who comes is no reason");
    world.remove(cyd.home.device());
    for phone in [&mut ann, &mut ben, &mut cyd] {
        world.read(phone);
    }
    (world, ann, ben, cyd)
}

#[test]
fn those_who_stay_move_to_new_keys_and_the_old_ones_go() {
    let (mut world, mut ann, mut ben, cyd) = after_a_removal("keys");
    assert!(cyd.home.is_removed() && next(&cyd).is_none());
    let old = [key(&ann), key(&ben)];
    for phone in [&mut ann, &mut ben] {
        let (device, old, new) = (phone.home.device(), key(phone), next(phone).expect("a key of its own"));
        assert_ne!(old, new);
        assert_eq!(world.deliver(phone), [Some(PhoneMessage::NewRelayKey { key: new })]);
        // Both may come in, and what wakes the phone goes where it is.
        assert!([old, new].iter().all(|key| world.hub.capabilities().contains(key)));
        assert_eq!(
            (world.hub.capability_of(&device), world.hub.next_capabilities().collect::<Vec<_>>()),
            (Some(old), vec![new])
        );
        moves(&world, phone);
        assert_eq!((key(phone), next(phone)), (new, None));
        assert!(world.hub.capabilities().contains(&new), "before the hub hears of it");
        assert_eq!(world.deliver(phone), [Some(PhoneMessage::UsesRelayKey { key: new })]);
        assert_eq!(world.hub.capability_of(&device), Some(new));
        assert_eq!(world.hub.next_capabilities().count(), 0);
    }
    assert_eq!(world.hub.left_behind(), old);
    assert!(old.iter().all(|old| !world.hub.capabilities().contains(old)));
    world.restart_hub();
    for old in &old {
        world.hub.forget_left_behind(old).unwrap();
    }
    world.restart_hub();
    assert!(world.hub.left_behind().is_empty());
    // Nothing in any key leads to another one.
    let all: std::collections::BTreeSet<_> = old.into_iter().chain(world.hub.capabilities()).collect();
    assert_eq!(all.len(), 4);
}

#[test]
fn one_new_key_serves_for_all_who_left_before_it_is_used() {
    let (mut world, mut ann, ben, _) = after_a_removal("once");
    let first = next(&ann).unwrap();
    ann.restart();
    assert_eq!(next(&ann), Some(first), "it outlives a restart");
    world.remove(ben.home.device());
    world.read(&mut ann);
    assert_eq!(next(&ann), Some(first));
    assert_eq!(world.deliver(&mut ann), [Some(PhoneMessage::NewRelayKey { key: first })], "said once");
    moves(&world, &mut ann);
    assert!(ann.home.move_capability(Env::new(world.now, &world.random)).unwrap().is_none(), "and used once");
    world.deliver(&mut ann);
    let dan = world.pair("Dan");
    world.read(&mut ann);
    world.remove(dan.home.device());
    world.read(&mut ann);
    assert!(next(&ann).is_some_and(|second| second != first), "the next one who leaves brings another");
}

#[test]
fn a_phone_that_is_removed_half_way_loses_both_keys() {
    let (mut world, mut ann, _, _) = after_a_removal("both");
    world.hub.revocations().iter().for_each(|gone| world.hub.revoked(gone).unwrap());
    world.deliver(&mut ann);
    let (old, new) = (key(&ann), next(&ann).unwrap());
    world.remove(ann.home.device());
    assert_eq!(world.hub.revocations(), [old, new]);
    assert!(
        [old, new].iter().all(|key| world.hub.farewell(key, world.now).is_some()),
        "it finds its removal under either"
    );
    assert!(![old, new].iter().any(|key| world.hub.capabilities().contains(key)));
    world.read(&mut ann);
    assert_eq!(ann.home.move_capability(Env::new(world.now, &world.random)).unwrap(), None);
    assert_eq!(ann.home.rejoin(Env::new(world.now, &world.random)).unwrap_err(), HomeError::Removed);
}

#[test]
fn nobody_takes_a_key_that_is_somebody_elses() {
    let (mut world, mut ann, ben, cyd) = after_a_removal("thief");
    let owner = public(&world.hub.capability());
    let before = world.hub.capabilities();
    let gone = world.hub.revocations()[0];
    let _ = cyd;
    for stolen in [key(&ben), owner, gone] {
        for message in [PhoneMessage::NewRelayKey { key: stolen }, PhoneMessage::UsesRelayKey { key: stolen }] {
            let sent = ann.home.send(&message, Batch::new(), Env::new(world.now, &world.random)).unwrap();
            world.hub.receive(&sent.bytes, Batch::new(), Env::new(world.now, &world.random)).unwrap();
            assert_eq!(world.hub.capabilities(), before, "{message:?}");
            assert!(world.hub.left_behind().is_empty());
        }
    }
}

#[test]
fn a_hub_that_came_back_from_a_backup_hears_the_key_again() {
    let (mut world, mut ann, _, _) = after_a_removal("backup");
    let backup = world.hub_store.backup();
    world.deliver(&mut ann);
    moves(&world, &mut ann);
    world.deliver(&mut ann);
    world.read(&mut ann);
    // The hub is as it was before it heard of any new key.
    world.hub_store = backup;
    world.restart_hub();
    let device = ann.home.device();
    assert_ne!(world.hub.capability_of(&device), Some(key(&ann)));
    let head = world.log.len() as u64;
    world.hub.renew(head, Env::new(world.now, &world.random)).unwrap();
    world.upload();
    world.read_errors(&mut ann);
    world.rejoin(&mut ann);
    world.deliver(&mut ann);
    assert_eq!(world.hub.capability_of(&device), Some(key(&ann)));
}
