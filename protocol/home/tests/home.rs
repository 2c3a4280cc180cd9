//! A home's life: phones join, leave, fall behind, come back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::*;
use privet_home::{MemberChange, PhoneMessage, Received};
use privet_protocol::storage::Batch;

#[test]
fn a_phone_pairs_and_hears_the_hub_and_the_hub_hears_it() {
    let mut world = World::new("pair");
    let mut phone = world.pair("Ann's phone");
    assert_eq!(world.hub.members().len(), 1);
    assert_eq!(phone.home.members(), world.hub.members());
    assert_eq!(phone.home.home_id(), world.hub.home_id());
    assert_eq!(phone.home.hub_name(), "Hub");
    assert_eq!(phone.home.position(), world.hub.head());
    assert_eq!(phone.home.relay(), &relay());
    assert_eq!(
        Some(phone.home.safety_number()),
        world.hub.safety_number(phone.home.device()),
        "both sides see the same safety number"
    );

    world.say(&note("hello"));
    assert!(heard(&world.read(&mut phone), &note("hello")));

    phone.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
    assert_eq!(world.deliver(&mut phone), [Some(PhoneMessage::Paired)]);
}

#[test]
fn every_member_sees_every_join_and_three_phones_hear_the_same() {
    let mut world = World::new("three");
    let mut ann = world.pair("Ann");
    let mut ben = world.pair("Ben");
    let joined = world.read(&mut ann);
    let change = joined.iter().find_map(|r| match r {
        Received::Members(changes) => Some(changes.clone()),
        _ => None,
    });
    assert!(matches!(change.as_deref(), Some([MemberChange::Joined(m)]) if m.name == "Ben"));
    let mut cyd = world.pair("Cyd");
    world.say(&note("all"));
    for phone in [&mut ann, &mut ben, &mut cyd] {
        assert!(heard(&world.read(phone), &note("all")));
        assert_eq!(phone.home.position(), world.hub.head());
        let mut members = phone.home.members();
        members.sort_by_key(|m| m.device);
        let mut expected = world.hub.members();
        expected.sort_by_key(|m| m.device);
        assert_eq!(members, expected);
    }
}

#[test]
fn a_phone_renews_its_keys_and_the_others_follow() {
    let mut world = World::new("update");
    let mut ann = world.pair("Ann");
    let mut ben = world.pair("Ben");
    world.read(&mut ann);
    assert!(ann.home.update_due(world.now), "right after the join");
    world.update(&mut ann);
    assert!(!ann.home.update_due(world.now));
    world.read(&mut ben);
    world.update(&mut ben);
    world.say(&note("after"));
    assert!(heard(&world.read(&mut ann), &note("after")));
    assert!(heard(&world.read(&mut ben), &note("after")));
    world.pass(Duration::from_secs(25 * 3600));
    assert!(ann.home.update_due(world.now), "and daily");
}
