//! Coming back after state was lost: a phone from a backup, a phone the log has left behind, a hub from a backup.

use std::sync::Arc;

use privet_home::{
    Env, HeadCheck, HomeError, HubHome, LogError, MemberChange, PhoneHome, PhoneMessage, PolicyError, ReceiveError,
    Received,
};
use privet_protocol::storage::{Batch, MemoryStore, Store};

use crate::common::*;

fn restore(backup: &MemoryStore) -> Phone {
    let store = backup.backup();
    Phone { home: PhoneHome::load(Arc::new(store.clone())).unwrap().unwrap(), store }
}

fn lose_mls_state(phone: &mut Phone) {
    let mut batch = Batch::new();
    for (key, _) in phone.store.scan(b"home/mls/", b"", usize::MAX).unwrap() {
        batch.delete(key);
    }
    phone.store.commit(batch).unwrap();
    phone.restart();
}

#[test]
fn a_phone_that_lost_its_group_is_let_in_again_and_the_others_see_it() {
    let mut world = World::new("lost");
    let mut ann = world.pair("Ann");
    let mut ben = world.pair("Ben");
    world.read(&mut ann);
    lose_mls_state(&mut ann);
    assert!(ann.home.needs_rejoin());
    world.say(&note("while lost"));
    let entry = world.log.last().unwrap();
    let error = ann.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), world.env()).unwrap_err();
    assert!(error.needs_rejoin(), "{error}");
    assert_eq!(ann.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap_err(), HomeError::NeedsRejoin);

    world.rejoin(&mut ann);
    assert!(!ann.home.needs_rejoin() && !ann.home.is_rejoining());
    assert_eq!(ann.home.position(), world.hub.head());
    world.say(&note("back"));
    assert!(heard(&world.read(&mut ann), &note("back")));
    let seen = world.read(&mut ben);
    assert!(seen.iter().any(|r| matches!(
        r, Received::Members(c) if matches!(c.as_slice(), [MemberChange::Rejoined(m)] if m.device == ann.home.device())
    )));
    assert!(heard(&seen, &note("back")));
    assert_eq!(world.hub.members().len(), 2);
    ann.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
    assert_eq!(world.deliver(&mut ann), [Some(PhoneMessage::Paired)]);
    world.update(&mut ann);
    assert!(ann.home.update_due(world.now.after(std::time::Duration::from_secs(90_000))));
}

#[test]
fn a_restored_backup_rejoins_and_the_copy_left_behind_is_locked_out() {
    let mut world = World::new("restored");
    let mut ann = world.pair("Ann");
    let backup = ann.store.backup();
    world.update(&mut ann);
    for i in 0..5 {
        world.say(&note(&i.to_string()));
        ann.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
        world.deliver(&mut ann);
    }
    world.read(&mut ann);
    let mut restored = restore(&backup);
    // It reads on until it meets the commit to keys that it does not have.
    let mut trouble = None;
    for entry in &world.log[restored.home.position().seq as usize..] {
        match restored.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), world.env()) {
            Ok(_) => {}
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    assert!(trouble.as_ref().is_some_and(LogError::needs_rejoin), "{trouble:?}");
    world.rejoin(&mut restored);
    world.say(&note("restored"));
    assert!(heard(&world.read(&mut restored), &note("restored")));
    // What it says is heard, although the copy said more than it remembers.
    restored.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
    assert_eq!(world.deliver(&mut restored), [Some(PhoneMessage::Paired)]);
    let left_behind = world.read_errors(&mut ann);
    assert!(left_behind.iter().all(|r| !matches!(r, Ok(Received::Message { .. }))), "{left_behind:?}");
    assert!(ann.home.needs_rejoin());
}

#[test]
fn a_phone_the_log_has_left_behind_jumps_to_the_answer() {
    let mut world = World::new("pruned");
    let mut ann = world.pair("Ann");
    for i in 0..30 {
        world.say(&note(&i.to_string()));
    }
    let asked = ann.home.rejoin(world.env()).unwrap();
    let env = Env::new(world.now, &world.random);
    let taken = world.hub.receive(&asked.bytes, Batch::new(), env).unwrap();
    assert!(taken.rejoined);
    world.upload();
    // The relay has only the last few entries.
    let from = world.log.len() - 6;
    let received: Vec<_> = world.log[from..]
        .iter()
        .map(|e| ann.home.receive(e.seq, &e.bytes, |_| Batch::new(), world.env()).unwrap())
        .collect();
    assert_eq!(&received[..4], &[Received::Waiting, Received::Waiting, Received::Waiting, Received::Waiting]);
    assert_eq!(received[4], Received::Rejoined);
    assert_eq!(ann.home.position(), world.hub.head());
}

#[test]
fn a_rejoin_request_is_taken_once_and_only_from_its_phone() {
    let mut world = World::new("replayed");
    let mut ann = world.pair("Ann");
    let ben = world.pair("Ben");
    world.read(&mut ann);
    let asked = ann.home.rejoin(world.env()).unwrap();
    let hub_receive = |world: &mut World, bytes: &[u8]| {
        let env = Env::new(world.now, &world.random);
        world.hub.receive(bytes, Batch::new(), env)
    };
    // Under another device's name.
    let mut stolen = asked.bytes.clone();
    stolen[2..18].copy_from_slice(ben.home.device().as_bytes());
    assert!(matches!(hub_receive(&mut world, &stolen), Err(ReceiveError::Forged(_))));
    for at in (0..asked.bytes.len()).step_by(37) {
        let mut changed = asked.bytes.clone();
        changed[at] ^= 1;
        let head = world.hub.head();
        assert!(hub_receive(&mut world, &changed).is_err());
        assert_eq!(world.hub.head(), head);
    }
    assert!(hub_receive(&mut world, &asked.bytes).unwrap().rejoined);
    assert_eq!(hub_receive(&mut world, &asked.bytes).unwrap_err(), ReceiveError::Refused(PolicyError::OldRejoin));
    world.upload();
    world.read(&mut ann);
    world.say(&note("in"));
    assert!(heard(&world.read(&mut ann), &note("in")));
}

#[test]
fn a_tampered_answer_to_a_rejoin_is_refused_and_the_genuine_one_still_works() {
    let mut world = World::new("welcome");
    let mut ann = world.pair("Ann");
    lose_mls_state(&mut ann);
    let asked = ann.home.rejoin(world.env()).unwrap();
    let env = Env::new(world.now, &world.random);
    world.hub.receive(&asked.bytes, Batch::new(), env).unwrap();
    world.upload();
    let welcome = world.log[world.log.len() - 2].clone();
    for at in (0..welcome.bytes.len()).step_by(131) {
        let mut changed = welcome.bytes.clone();
        changed[at] ^= 0x10;
        let result = ann.home.receive(welcome.seq, &changed, |_| Batch::new(), world.env());
        assert!(!matches!(result, Ok(Received::Rejoined)), "byte {at}");
    }
    // Nor at another place of the log.
    for seq in [welcome.seq - 1, welcome.seq + 1] {
        let result = ann.home.receive(seq, &welcome.bytes, |_| Batch::new(), world.env());
        assert!(matches!(result, Err(LogError::Forged { .. })), "{result:?}");
    }
    let result = ann.home.receive(welcome.seq, &welcome.bytes, |_| Batch::new(), world.env());
    assert_eq!(result, Ok(Received::Rejoined));
}

#[test]
fn the_hub_compares_its_head_with_the_relays() {
    let mut world = World::new("head");
    let mut ann = world.pair("Ann");
    let backup = world.hub_store.backup();
    world.say(&note("1"));
    let head = world.hub.head().seq;
    assert_eq!(world.hub.check_head(head), HeadCheck::InStep);
    assert_eq!(world.hub.check_head(head - 1), HeadCheck::RelayLost { relay_head: head - 1, acknowledged: head });
    let env = Env::new(world.now, &world.random);
    world.hub.append(&[note("2")], Batch::new(), env).unwrap();
    assert_eq!(world.hub.check_head(head), HeadCheck::RelayBehind { from: head + 1 });
    world.upload();
    world.read(&mut ann);

    // The hub comes back from a backup: it must not go on with the old state.
    let mut hub = HubHome::load(Arc::new(backup)).unwrap().unwrap();
    let relay_head = world.log.len() as u64;
    let hub_head = hub.head().seq;
    assert_eq!(hub.check_head(relay_head), HeadCheck::RolledBack { relay_head, hub_head });
    hub.renew(relay_head, Env::new(world.now, &world.random)).unwrap();
    assert_eq!(hub.check_head(relay_head), HeadCheck::RelayBehind { from: relay_head + 1 });
    assert_eq!(hub.generation(), 2);
    assert_eq!(hub.members().len(), 1);
    world.hub = hub;
    world.say(&note("nobody reads this yet"));

    // The phone sees it, asks, and is in again under the identity it is pinned with.
    let received = world.read_errors(&mut ann);
    assert!(received.contains(&Ok(Received::Renewed { generation: 2 })));
    assert!(ann.home.needs_rejoin());
    ann.restart();
    assert!(ann.home.needs_rejoin());
    world.rejoin(&mut ann);
    assert_eq!(ann.home.generation(), 2);
    world.say(&note("new life"));
    assert!(heard(&world.read(&mut ann), &note("new life")));
    assert_eq!(ann.home.position(), world.hub.head());
    ann.home.send(&PhoneMessage::Paired, Batch::new(), world.env()).unwrap();
    assert_eq!(world.deliver(&mut ann), [Some(PhoneMessage::Paired)]);
    let mut ben = world.pair("Ben");
    world.read(&mut ann);
    world.say(&note("both"));
    assert!(heard(&world.read(&mut ann), &note("both")) && heard(&world.read(&mut ben), &note("both")));
}

#[test]
fn a_farewell_ends_when_the_relay_loses_the_entry_that_removed_its_phone() {
    let mut world = World::new("lost farewell");
    let phones = [world.pair("Ann"), world.pair("Ben")];
    let keys = phones.map(|phone| {
        let env = Env::new(world.now, &world.random);
        world.hub.remove(phone.home.device(), None, Batch::new(), env).unwrap().capability
    });
    let [ann, ben] = keys.map(|key| world.hub.farewell(&key, world.now).unwrap());
    assert!(ann < ben);
    // The relay lost the second removal, and then everything.
    for (relay_head, expected) in [(ann, [Some(ann), None]), (0, [None, None])] {
        world.hub.renew(relay_head, Env::new(world.now, &world.random)).unwrap();
        assert_eq!(keys.map(|key| world.hub.farewell(&key, world.now)), expected);
        assert_eq!(world.hub.revocations(), keys, "both still have to go at the relay");
    }
}

#[test]
fn the_relay_can_not_renew_a_home() {
    let mut world = World::new("fake renewal");
    let mut ann = world.pair("Ann");
    let other = World::new("other");
    let mut stranger = other.hub;
    let head = ann.home.position().seq;
    let entries = stranger.renew(head, Env::new(world.now, &other.random)).unwrap();
    let result = ann.home.receive(head + 1, &entries[0].bytes, |_| Batch::new(), world.env());
    assert!(matches!(result, Err(LogError::Forged { .. })), "{result:?}");
    world.say(&note("still here"));
    assert!(heard(&world.read(&mut ann), &note("still here")));
}
