//! What a relay sees of a pairing, its mailbox, leads neither to a home nor to another pairing: nothing of a home goes into it, and all
//! of it is new each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use privet_home::{Env, HubHome, Invitation};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::MemoryStore;

use crate::common::{START, TEN_MINUTES, World, relay};

fn invite(hub: &mut HubHome, chance: &str) -> Invitation {
    let random = SeededRandom::new(chance.as_bytes());
    hub.invite(&relay(), TEN_MINUTES, Env::new(START, &random)).unwrap()
}

#[test]
fn nothing_of_a_home_goes_into_a_mailbox() {
    // Two homes with all keys different, and the same chance at the moment of the invitation: the same mailbox.
    let (mut one, mut other) = (World::new("one"), World::new("other"));
    let _member = one.pair("Ann");
    assert_ne!(one.hub.home_id(), other.hub.home_id());
    let (first, second) = (invite(&mut one.hub, "chance"), invite(&mut other.hub, "chance"));
    assert_eq!((first.mailbox, *first.mailbox_key), (second.mailbox, *second.mailbox_key));
}

#[test]
fn every_pairing_has_a_mailbox_and_a_key_of_its_own() {
    let mut world = World::new("many");
    let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..200 {
        let invitation = invite(&mut world.hub, &format!("chance {number}"));
        ids.insert(invitation.mailbox);
        keys.insert(*invitation.mailbox_key);
        let mailbox = invitation.mailbox.as_bytes();
        for known in [world.hub.home_id().as_bytes(), world.hub.device().as_bytes(), invitation.pairing.as_bytes()] {
            assert_ne!(known, mailbox);
        }
    }
    assert_eq!((ids.len(), keys.len()), (200, 200));
}

#[test]
fn a_hub_that_came_back_from_a_backup_does_not_open_the_same_mailboxes_again() {
    let world = World::new("backup");
    let mut twins: Vec<_> = (0..2)
        .map(|_| {
            let copy: MemoryStore = world.hub_store.backup();
            HubHome::load(Arc::new(copy)).unwrap().unwrap()
        })
        .collect();
    let [first, second] = [0, 1].map(|number| invite(&mut twins[number], &format!("chance {number}")));
    assert_ne!(first.mailbox, second.mailbox);
    assert_ne!(*first.mailbox_key, *second.mailbox_key);
}
