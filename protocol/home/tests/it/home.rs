//! A home's life: phones join, leave, fall behind, come back.

use std::sync::Arc;
use std::time::Duration;

use privet_home::{
    Env, FAREWELL, Feed, HomeError, LogError, MAX_PHONES, Member, MemberChange, Offer, PhoneHome, PhoneMessage,
    PolicyError, ReceiveError, Received,
};
use privet_protocol::id::{CameraId, DeviceId};
use privet_protocol::random::SeededRandom;
use privet_protocol::relay::MAX_ENTRY;
use privet_protocol::storage::{Batch, MemoryStore, Store as _};

use crate::common::*;

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

#[test]
fn a_removed_phone_learns_it_and_reads_nothing_new_and_the_others_read_on() {
    let mut world = World::new("remove");
    let mut ann = world.pair("Ann");
    let mut ben = world.pair("Ben");
    let mut cyd = world.pair("Cyd");
    for phone in [&mut ann, &mut ben] {
        world.read(phone);
    }
    let lost = ben.home.device();
    let before_capability = world.hub.capabilities();
    let asked = ann.home.send(&PhoneMessage::RemoveDevice { device: lost }, Batch::new(), world.env()).unwrap();
    let taken = world.hub.receive(&asked.bytes, Batch::new(), Env::new(world.now, &world.random)).unwrap();
    let removed = taken.removed.expect("done in the same step");
    assert_eq!((removed.device, taken.device, taken.entries.len()), (lost, ann.home.device(), 2));
    world.upload();
    assert!(before_capability.contains(&removed.capability));
    assert!(!world.hub.capabilities().contains(&removed.capability));
    let again = world.hub.remove(lost, None, Batch::new(), Env::new(world.now, &world.random)).unwrap();
    assert_eq!((again.capability, again.entries.len()), (removed.capability, 0), "what is left to do can be asked for");
    assert_eq!(world.hub.revocations(), [removed.capability], "until the relay has revoked it");
    let later = |by| world.now.after(by);
    let farewell = |hub: &privet_home::HubHome, now| hub.farewell(&removed.capability, now);
    let commit = taken.entries.first().map(|entry| entry.seq);
    assert_eq!(farewell(&world.hub, world.now), commit, "it may look for its removal in the log, and no further");
    assert_eq!(farewell(&world.hub, later(FAREWELL)), None, "not for ever");
    assert_eq!(world.hub.farewell(&world.hub.capabilities()[0], world.now), None, "a member needs none");
    world.hub.revoked(&removed.capability).unwrap();
    assert!(world.hub.revocations().is_empty() && farewell(&world.hub, world.now).is_none());
    assert_eq!(
        world.hub.remove(lost, None, Batch::new(), Env::new(world.now, &world.random)).unwrap_err(),
        HomeError::NotAMember(lost)
    );

    world.say(&note("not for Ben"));
    for phone in [&mut ann, &mut cyd] {
        let received = world.read(phone);
        assert!(received.iter().any(|r| matches!(
            r,
            Received::Members(changes) if matches!(changes.as_slice(), [MemberChange::Left(m)] if m.device == lost)
        )));
        assert!(heard(&received, &note("not for Ben")));
        assert_eq!(phone.home.members().len(), 2);
    }
    let copy = ben.store.backup();
    assert_eq!(world.read(&mut ben).last(), Some(&Received::Removed));
    assert!(ben.home.is_removed());
    let secret = world.log.last().unwrap();
    assert_eq!(
        ben.home.receive(secret.seq, &secret.bytes, |_| Batch::new(), world.env()).unwrap_err(),
        LogError::Removed
    );
    ben.restart();
    assert!(ben.home.is_removed());
    assert_eq!(ben.home.rejoin(world.env()).unwrap_err(), HomeError::Removed);

    // Even with everything it ever knew, from before it learned of it, it is let in no more and reads nothing new.
    let mut thief = Phone { home: PhoneHome::load(Arc::new(copy.clone())).unwrap().unwrap(), store: copy };
    let removal = thief.home.position().seq;
    for entry in &world.log[removal as usize..] {
        let result = thief.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), world.env());
        assert!(!matches!(result, Ok(Received::Message { message, .. }) if message == note("not for Ben")));
    }
    let mut thief = Phone { home: PhoneHome::load(Arc::new(ben.store.backup())).unwrap().unwrap(), ..thief };
    assert!(thief.home.rejoin(world.env()).is_err());
    // A removed phone may pair again.
    let env = Env::new(world.now, &world.random);
    let invitation = world.hub.invite(&relay(), TEN_MINUTES, env).unwrap();
    let offer = Offer::parse(&invitation.qr_text, world.now).unwrap();
    let (mut attempt, request) = PhoneHome::begin(&offer, "Ben", Arc::new(ben.store.clone()), world.env()).unwrap();
    let admitted = world.admit(&invitation, &request);
    ben.home = attempt.complete(&admitted.answer, world.env()).unwrap();
    world.say(&note("again"));
    assert!(heard(&world.read(&mut ben), &note("again")));
}

#[test]
fn a_removed_phones_rejoin_request_is_refused() {
    let mut world = World::new("thief");
    let mut ann = world.pair("Ann");
    let asked = ann.home.rejoin(world.env()).unwrap();
    world.remove(ann.home.device());
    let env = Env::new(world.now, &world.random);
    assert_eq!(
        world.hub.receive(&asked.bytes, Batch::new(), env).unwrap_err(),
        ReceiveError::Refused(PolicyError::NotAMember)
    );
}

#[test]
fn a_phone_that_was_away_for_months_catches_up_in_order() {
    let mut world = World::new("away");
    let mut ann = world.pair("Ann");
    let mut ben = world.pair("Ben");
    world.read(&mut ann);
    world.update(&mut ann);
    world.read(&mut ben);
    world.update(&mut ben);
    world.read(&mut ann);
    let keys = |store: &MemoryStore| store.scan(b"home/mls/", b"", usize::MAX).unwrap().len();
    let (hub_keys, ben_keys) = (keys(&world.hub_store), keys(&ben.store));
    for day in 0..60 {
        for hour in 0..4 {
            world.say(&note(&format!("day {day} {hour}")));
            world.pass(Duration::from_secs(6 * 3600));
            let env = Env::new(world.now, &world.random);
            assert!(!world.hub.refresh(env).unwrap().is_empty());
            world.upload();
        }
        world.read(&mut ben);
        world.update(&mut ben);
    }
    let received = world.read(&mut ann);
    assert_eq!(received.len(), 600, "480 by the hub, 120 for the other phone");
    assert!(heard(&received, &note("day 59 3")));
    assert_eq!(ann.home.position(), world.hub.head());
    world.update(&mut ann);
    world.read(&mut ben);
    assert!(keys(&world.hub_store) <= hub_keys + 4, "old epochs leave nothing behind at the hub");
    assert!(keys(&ben.store) <= ben_keys + 4, "nor at a phone that renews its keys daily");
    assert!(keys(&ann.store) <= ben_keys + 4);
}

#[test]
fn a_phone_names_another_which_all_hear_and_a_name_for_nobody_changes_nothing() {
    let mut world = World::new("names");
    let (mut ann, mut ben) = (world.pair("Ann"), world.pair("Ben"));
    world.read(&mut ann);
    let rename = |device, name: &str| PhoneMessage::RenameDevice { device, name: name.into() };
    let names = |members: Vec<Member>| members.into_iter().map(|member| member.name).collect::<Vec<_>>();

    ann.home.send(&rename(ben.home.device(), "Ben's tablet"), Batch::new(), world.env()).unwrap();
    world.deliver(&mut ann);
    for phone in [&mut ann, &mut ben] {
        world.read(phone);
        assert_eq!(names(phone.home.members()), ["Ann", "Ben's tablet"]);
    }
    let head = world.hub.head().seq;
    let nobody = DeviceId::from_bytes([7; 16]);
    ann.home.send(&rename(nobody, "x"), Batch::new(), world.env()).unwrap();
    world.deliver(&mut ann);
    assert_eq!((names(world.hub.members()), world.hub.head().seq), (vec!["Ann".into(), "Ben's tablet".into()], head));
    // One that is none.
    let wrong = ann.home.send(&rename(ben.home.device(), ""), Batch::new(), world.env()).unwrap();
    let env = Env::new(world.now, &world.random);
    assert!(matches!(world.hub.receive(&wrong.bytes, Batch::new(), env), Err(ReceiveError::Malformed(_))));
}

#[test]
fn what_waits_in_the_outbox_is_made_anew_when_the_group_moves_on_and_is_heard_once() {
    let mut world = World::new("outbox");
    let mut ann = world.pair("Ann");
    let message = PhoneMessage::Rename { name: "Ann's new phone".into() };
    let first = ann.home.send(&message, Batch::new(), world.env()).unwrap();
    for _ in 0..5 {
        world.say(&note("x"));
        world.pass(Duration::from_secs(7 * 3600));
        let env = Env::new(world.now, &world.random);
        world.hub.refresh(env).unwrap();
    }
    world.upload();
    let stale = world.hub.receive(&first.bytes, Batch::new(), Env::new(world.now, &world.random)).unwrap_err();
    assert_eq!(stale, ReceiveError::Stale);
    world.read(&mut ann);
    ann.restart();
    let again = ann.home.outbox().unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!(world.deliver(&mut ann), [Some(message.clone())]);
    assert!(ann.home.outbox().unwrap().is_empty());
    assert_eq!(world.hub.members()[0].name, "Ann's new phone");
    world.read(&mut ann);
    assert_eq!(ann.home.members()[0].name, "Ann's new phone");
    let seen = world.hub.receive(&again[0].bytes, Batch::new(), Env::new(world.now, &world.random)).unwrap_err();
    assert_eq!(seen, ReceiveError::Seen);
}

#[test]
fn the_hub_reads_what_was_sent_up_to_two_commits_ago_and_no_older() {
    let mut world = World::new("past");
    let mut ann = world.pair("Ann");
    let messages: Vec<_> = (0..4)
        .map(|i| {
            let watch = PhoneMessage::Watch { camera: CameraId::from_bytes([i; 16]), lease_ms: 1, feed: Feed::Main };
            ann.home.send(&watch, Batch::new(), world.env()).unwrap()
        })
        .collect();
    for (commits, message) in messages.iter().enumerate() {
        let env = Env::new(world.now, &world.random);
        let result = world.hub.receive(&message.bytes, Batch::new(), env);
        if commits <= 2 {
            assert!(result.is_ok(), "{commits} commits: {result:?}");
        } else {
            assert_eq!(result.unwrap_err(), ReceiveError::Stale);
        }
        world.say(&note("x"));
        world.pass(Duration::from_secs(7 * 3600));
        let env = Env::new(world.now, &world.random);
        world.hub.refresh(env).unwrap();
    }
}

#[test]
fn messages_out_of_order_are_taken_once_each() {
    let mut world = World::new("order");
    let mut ann = world.pair("Ann");
    let mut messages: Vec<_> = (0..20u8)
        .map(|i| {
            let watch = PhoneMessage::Watch { camera: CameraId::from_bytes([i; 16]), lease_ms: 1, feed: Feed::Main };
            ann.home.send(&watch, Batch::new(), world.env()).unwrap()
        })
        .collect();
    messages.reverse();
    for message in &messages {
        let env = Env::new(world.now, &world.random);
        assert!(world.hub.receive(&message.bytes, Batch::new(), env).is_ok());
    }
    for message in &messages {
        let env = Env::new(world.now, &world.random);
        assert_eq!(world.hub.receive(&message.bytes, Batch::new(), env).unwrap_err(), ReceiveError::Seen);
    }
}

#[test]
fn a_receipt_of_another_history_is_noticed() {
    let mut world = World::new("receipt");
    let mut ann = world.pair("Ann");
    let mut receipt = |world: &mut World, seq, hash| {
        let sent = ann.home.send(&PhoneMessage::Receipt { seq, hash }, Batch::new(), world.env()).unwrap();
        world.hub.receive(&sent.bytes, Batch::new(), Env::new(world.now, &world.random)).unwrap().forked
    };
    let head = world.hub.head();
    assert_eq!(receipt(&mut world, head.seq, head.hash), None);
    assert_eq!(receipt(&mut world, head.seq, [0; 32]), Some(head.seq));
    assert_eq!(receipt(&mut world, head.seq + 1, head.hash), Some(head.seq + 1));
}

#[test]
fn keys_are_renewed_at_start_and_six_hours_after_something_was_sent() {
    let mut world = World::new("refresh");
    let env = |world: &World| Env::new(world.now, Box::leak(Box::new(SeededRandom::new(b"r"))));
    let refresh = |world: &mut World| world.hub.refresh(env(world)).unwrap().len();
    assert_eq!(refresh(&mut world), 0, "just founded");
    world.pass(Duration::from_secs(24 * 3600));
    assert_eq!(refresh(&mut world), 0, "nothing was sent");
    world.say(&note("x"));
    assert_eq!(refresh(&mut world), 1);
    world.say(&note("x"));
    world.pass(Duration::from_secs(6 * 3600 - 1));
    assert_eq!(refresh(&mut world), 0);
    world.pass(Duration::from_secs(1));
    assert_eq!(refresh(&mut world), 1);
    world.restart_hub();
    assert!(world.hub.refresh_due(world.now));
    assert_eq!(refresh(&mut world), 1);
    assert_eq!(refresh(&mut world), 0);
}

#[test]
fn a_home_of_thirty_two_phones_works_and_is_full() {
    let mut world = World::new("full");
    let mut ann = world.pair("Ann");
    for i in 1..MAX_PHONES {
        world.pair(&format!("Phone {i}"));
    }
    assert!(world.log.iter().all(|entry| entry.bytes.len() < MAX_ENTRY));
    world.read(&mut ann);
    world.update(&mut ann);
    world.rejoin(&mut ann);
    world.say(&note("many"));
    assert!(heard(&world.read(&mut ann), &note("many")));
    assert_eq!(ann.home.members().len(), MAX_PHONES);
    let env = Env::new(world.now, &world.random);
    let result = world.hub.invite(&relay(), TEN_MINUTES, env).map(drop);
    assert_eq!(result.unwrap_err(), HomeError::Full { limit: MAX_PHONES });
}

#[test]
fn both_sides_may_be_moved_between_threads() {
    fn threads<T: Send + Sync>() {}
    threads::<privet_home::HubHome>();
    threads::<PhoneHome>();
    threads::<privet_home::JoinAttempt>();
}
