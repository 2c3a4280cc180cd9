//! A home's whole life, with a crash at every commit there is: of the hub's store and of a phone's, once with the commit
//! refused and once with it written but reported failed; once the process starts again, once it goes on. Each time the life
//! goes on to the same end: no group is lost, no number of the log ever has two contents, nothing is done twice.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use privet_home::inbox::Inbox;
use privet_home::{
    AdmitError, Env, HomeError, HubHome, HubMessage, JoinAttempt, JoinError, LogEntry, LogError, Offer, PhoneHome,
    PhoneMessage, PolicyError, ReceiveError, Received,
};
use privet_protocol::random::SeededRandom;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::{Batch, Fault, MemoryStore, Store};
use privet_protocol::time::Timestamp;

use crate::common::*;

/// Who crashes, at which of its commits, how, and whether the process ends with it.
#[derive(Clone, Copy, Debug)]
struct Crash {
    whom: Whom,
    at: u64,
    fault: Fault,
    restart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Whom {
    Hub,
    Ann,
}

struct Life {
    hub: Option<HubHome>,
    hub_store: MemoryStore,
    ann: Option<PhoneHome>,
    ann_store: MemoryStore,
    ben: Option<PhoneHome>,
    ben_store: MemoryStore,
    log: Vec<LogEntry>,
    /// The inbox at the relay, and how much of it the hub has taken.
    inbox: Vec<Vec<u8>>,
    heard: Vec<&'static str>,
    shown: Vec<String>,
    now: Timestamp,
    random: SeededRandom,
    crashes: u32,
    restart: bool,
}

const TAKEN: &[u8] = b"app/taken/";
const SHOWN: &[u8] = b"app/shown/";
/// Stands for a message that was taken, although it was reported failed.
const TAKEN_SOMEHOW: &str = "something";

/// The caller's own note that a step is done, in the step's own commit.
fn done(name: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put([b"app/done/", name.as_bytes()].concat(), b"1".as_slice());
    batch
}

fn is_done(store: &MemoryStore, name: &str) -> bool {
    store.get(&[b"app/done/", name.as_bytes()].concat()).unwrap().is_some()
}

impl Life {
    fn new(crash: Option<Crash>) -> Self {
        let life = Self {
            hub: None,
            hub_store: MemoryStore::new(),
            ann: None,
            ann_store: MemoryStore::new(),
            ben: None,
            ben_store: MemoryStore::new(),
            log: Vec::new(),
            inbox: Vec::new(),
            heard: Vec::new(),
            shown: Vec::new(),
            now: START,
            random: SeededRandom::new(b"life"),
            crashes: 0,
            restart: crash.is_some_and(|crash| crash.restart),
        };
        if let Some(crash) = crash {
            let store = if crash.whom == Whom::Hub { &life.hub_store } else { &life.ann_store };
            store.fail_after(crash.at, crash.fault);
        }
        life
    }

    /// After a step failed: the disk works again, and the process starts again or goes on.
    fn crashed(&mut self, why: &dyn std::fmt::Display) {
        self.crashes += 1;
        assert!(self.crashes <= 1, "one crash is planned, this is another failure: {why}");
        self.hub_store.heal();
        self.ann_store.heal();
        if self.restart {
            self.hub = HubHome::load(Arc::new(self.hub_store.clone())).unwrap();
            self.ann = PhoneHome::load(Arc::new(self.ann_store.clone())).unwrap();
        }
    }

    fn upload(&mut self) {
        for entry in self.hub.as_ref().unwrap().outbox(0, usize::MAX).unwrap() {
            match self.log.get(entry.seq as usize - 1) {
                Some(known) => assert_eq!(known, &entry, "a number never has two contents"),
                None => {
                    assert_eq!(entry.seq, self.log.len() as u64 + 1);
                    self.log.push(entry);
                }
            }
        }
        let head = self.log.len() as u64;
        loop {
            match self.hub.as_mut().unwrap().sent(head) {
                Ok(()) => return,
                Err(error) => self.crashed(&error),
            }
        }
    }

    /// Entries that a verb returned are the ones that stand in the outbox.
    fn returned(&self, entries: &[LogEntry]) {
        let outbox = self.hub.as_ref().unwrap().outbox(0, usize::MAX).unwrap();
        for entry in entries {
            assert!(outbox.contains(entry));
        }
    }

    fn found(&mut self) {
        loop {
            let env = Env::new(self.now, &self.random);
            match HubHome::create(Arc::new(self.hub_store.clone()), "Hub", env) {
                Ok(hub) => self.hub = Some(hub),
                Err(HomeError::Exists) => self.hub = HubHome::load(Arc::new(self.hub_store.clone())).unwrap(),
                Err(error) => {
                    self.crashed(&error);
                    continue;
                }
            }
            return;
        }
    }

    fn pair(&mut self, name: &str, store: MemoryStore) -> PhoneHome {
        let invitation = loop {
            let env = Env::new(self.now, &self.random);
            match self.hub.as_mut().unwrap().invite(&relay(), TEN_MINUTES, env) {
                Ok(invitation) => break invitation,
                Err(error) => self.crashed(&error),
            }
        };
        let offer = Offer::parse(&invitation.qr_text, self.now).unwrap();
        let mut attempt = loop {
            let env = Env::new(self.now, &self.random);
            match PhoneHome::begin(&offer, name, Arc::new(store.clone()), env) {
                Ok((attempt, _)) => break attempt,
                Err(error) => self.crashed(&error),
            }
        };
        let request = attempt.request().to_vec();
        let admitted = loop {
            let env = Env::new(self.now, &self.random);
            let cameras = [HubMessage::Cameras(Vec::new())];
            match self.hub.as_mut().unwrap().admit(invitation.pairing, &request, &cameras, env) {
                Ok(admitted) => break admitted,
                Err(AdmitError::Home(error)) => self.crashed(&error),
                Err(error) => panic!("{error}"),
            }
        };
        self.returned(&admitted.entries);
        self.upload();
        let phone = loop {
            let env = Env::new(self.now, &self.random);
            match attempt.complete(&admitted.answer, env) {
                Ok(phone) => break phone,
                Err(JoinError::Home(error)) => {
                    self.crashed(&error);
                    if self.restart {
                        match JoinAttempt::load(Arc::new(store.clone())).unwrap() {
                            Some(again) => attempt = again,
                            None => break PhoneHome::load(Arc::new(store.clone())).unwrap().unwrap(),
                        }
                    }
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(phone.device(), admitted.member.device);
        phone
    }

    fn say(&mut self, text: &str) {
        while !is_done(&self.hub_store, text) {
            let env = Env::new(self.now, &self.random);
            match self.hub.as_mut().unwrap().append(&[note(text)], done(text), env) {
                Ok(entries) => self.returned(&entries),
                Err(error) => self.crashed(&error),
            }
        }
        self.upload();
    }

    fn refresh(&mut self) {
        self.now = self.now.after(Duration::from_secs(7 * 3600));
        loop {
            let env = Env::new(self.now, &self.random);
            match self.hub.as_mut().unwrap().refresh(env) {
                Ok(entries) => break self.returned(&entries),
                Err(error) => self.crashed(&error),
            }
        }
        self.upload();
    }

    /// Ann reads all there is and writes down what she is shown, in the same commit.
    fn ann_reads(&mut self) {
        loop {
            let ann = self.ann.as_mut().unwrap();
            let Some(entry) = self.log.get(ann.position().seq as usize).cloned() else { break };
            let note_shown = |received: &Received| {
                let mut batch = Batch::new();
                if let Received::Message { seq, .. } = received {
                    batch.put([SHOWN, &seq.to_be_bytes()].concat(), cbor_text(received));
                }
                batch
            };
            let env = Env::new(self.now, &self.random);
            match ann.receive(entry.seq, &entry.bytes, note_shown, env) {
                Ok(_) => {}
                Err(LogError::Home(error)) => self.crashed(&error),
                Err(error) => panic!("entry {}: {error}", entry.seq),
            }
        }
        self.shown = self
            .ann_store
            .scan(SHOWN, b"", usize::MAX)
            .unwrap()
            .into_iter()
            .map(|(_, text)| String::from_utf8(text).unwrap())
            .collect();
    }

    fn ben_reads(&mut self) -> Vec<Received> {
        let ben = self.ben.as_mut().unwrap();
        let mut all = Vec::new();
        for entry in &self.log[ben.position().seq as usize..] {
            let env = Env::new(self.now, &self.random);
            all.push(ben.receive(entry.seq, &entry.bytes, |_| Batch::new(), env).unwrap());
        }
        all
    }

    /// Ann makes a message once, however often she must try; what she has in the outbox goes to the relay.
    fn ann_sends(&mut self, name: &str, verb: impl Fn(&mut PhoneHome, Batch, Env<'_>) -> Result<(), HomeError>) {
        while !is_done(&self.ann_store, name) {
            let env = Env::new(self.now, &self.random);
            if let Err(error) = verb(self.ann.as_mut().unwrap(), done(name), env) {
                self.crashed(&error);
            }
        }
        self.ann_uploads();
    }

    fn ann_uploads(&mut self) {
        let outgoing = self.ann.as_ref().unwrap().outbox().unwrap();
        for message in outgoing {
            if !self.inbox.contains(&message.bytes) {
                self.inbox.push(message.bytes);
            }
            loop {
                match self.ann.as_mut().unwrap().sent(message.number) {
                    Ok(()) => break,
                    Err(error) => self.crashed(&error),
                }
            }
        }
        self.hub_hears();
    }

    /// The hub takes the inbox from its cursor on, which it moves in the same commit.
    fn hub_hears(&mut self) {
        loop {
            let taken = self.hub_store.scan(TAKEN, b"", usize::MAX).unwrap().len();
            let Some(bytes) = self.inbox.get(taken).cloned() else { break };
            let mut cursor = Batch::new();
            cursor.put([TAKEN, &(taken as u64).to_be_bytes()].concat(), b"1".as_slice());
            let env = Env::new(self.now, &self.random);
            match self.hub.as_mut().unwrap().receive(&bytes, cursor.clone(), env) {
                Ok(from) => {
                    self.returned(&from.entries);
                    self.heard.extend(from.message.as_ref().map(kind));
                }
                Err(ReceiveError::Home(error)) => {
                    self.crashed(&error);
                    let taken_now = self.hub_store.scan(TAKEN, b"", usize::MAX).unwrap().len();
                    if taken_now > taken && matches!(Inbox::parse(&bytes), Some(Inbox::Message(_))) {
                        self.heard.push(TAKEN_SOMEHOW);
                    }
                }
                Err(ReceiveError::Seen | ReceiveError::Stale | ReceiveError::Refused(PolicyError::OldRejoin)) => {
                    panic!("nothing was taken without its cursor")
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.upload();
    }

    fn remove_ben(&mut self) {
        let device = self.ben.as_ref().unwrap().device();
        while !is_done(&self.hub_store, "remove") {
            let env = Env::new(self.now, &self.random);
            match self.hub.as_mut().unwrap().remove(device, None, done("remove"), env) {
                Ok(removed) => self.returned(&removed.entries),
                Err(error) => self.crashed(&error),
            }
        }
        let hub = self.hub.as_ref().unwrap();
        assert_eq!(hub.revocations().len(), 1, "the key to revoke is known whatever happened");
        self.upload();
        loop {
            let key = self.hub.as_ref().unwrap().revocations();
            let Some(key) = key.first() else { break };
            if let Err(error) = self.hub.as_mut().unwrap().revoked(key) {
                self.crashed(&error);
            }
        }
    }

    fn live(&mut self) {
        self.found();
        self.ann = Some(self.pair("Ann", self.ann_store.clone()));
        self.say("one");
        self.ann_reads();
        self.ben = Some(self.pair("Ben", self.ben_store.clone()));
        self.ann_reads();
        self.ann_sends("paired", |ann, extra, env| ann.send(&PhoneMessage::Paired, extra, env).map(drop));
        self.ann_updates();
        self.say("two");
        self.ben_reads();
        self.refresh();
        self.ann_reads();
        self.remove_ben();
        assert_eq!(self.ben_reads_until_removed(), Received::Removed);
        self.say("three");
        self.ann_reads();
        self.ann_moves();
        self.ann_rejoins();
        self.say("four");
        self.ann_reads();
        self.ann_sends("last", |ann, extra, env| ann.send(&PhoneMessage::Paired, extra, env).map(drop));
        self.ann_reads();
    }

    fn ben_reads_until_removed(&mut self) -> Received {
        let ben = self.ben.as_mut().unwrap();
        loop {
            let entry = &self.log[ben.position().seq as usize];
            let env = Env::new(self.now, &self.random);
            let received = ben.receive(entry.seq, &entry.bytes, |_| Batch::new(), env).unwrap();
            if received == Received::Removed {
                return received;
            }
        }
    }

    fn ann_updates(&mut self) {
        while self.ann.as_ref().unwrap().update_due(self.now) {
            let env = Env::new(self.now, &self.random);
            if let Err(error) = self.ann.as_mut().unwrap().propose_update(env) {
                self.crashed(&error);
            }
            self.ann_uploads();
            self.ann_reads();
        }
    }

    /// Ben left, so Ann has a new key for the relay.
    fn ann_moves(&mut self) {
        self.ann_uploads();
        self.ann_is_let_in();
        while self.ann.as_ref().unwrap().next_capability().is_some() {
            let env = Env::new(self.now, &self.random);
            if let Err(error) = self.ann.as_mut().unwrap().move_capability(env) {
                self.crashed(&error);
            }
            self.ann_is_let_in();
        }
        self.ann_uploads();
        self.ann_is_let_in();
    }

    /// The key under which Ann comes is one that the hub lets in.
    fn ann_is_let_in(&self) {
        let seed = self.ann.as_ref().unwrap().capability();
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).unwrap();
        let key = CapabilityKey(pair.public_key().as_ref().try_into().unwrap());
        assert!(self.hub.as_ref().unwrap().capabilities().contains(&key));
    }

    fn ann_rejoins(&mut self) {
        loop {
            let env = Env::new(self.now, &self.random);
            match self.ann.as_mut().unwrap().rejoin(env) {
                Ok(_) => break,
                Err(error) => {
                    self.crashed(&error);
                    if self.ann.as_ref().unwrap().is_rejoining() {
                        break;
                    }
                }
            }
        }
        self.ann_uploads();
        self.ann_reads();
        let ann = self.ann.as_ref().unwrap();
        assert!(!ann.needs_rejoin() && !ann.is_rejoining());
    }

    fn check(&self) {
        let hub = self.hub.as_ref().unwrap();
        let ann = self.ann.as_ref().unwrap();
        assert_eq!(ann.position(), hub.head());
        assert_eq!(hub.members().len(), 1);
        assert_eq!(ann.members().len(), 1);
        // After the rejoin the key is said again, should the hub have come back from a backup.
        let said = ["paired", "new key", "uses key", "uses key", "paired"];
        assert_eq!(self.heard.len(), said.len(), "each message once: {:?}", self.heard);
        assert!(
            self.heard.iter().zip(said).all(|(heard, said)| [said, TAKEN_SOMEHOW].contains(heard)),
            "{:?}",
            self.heard
        );
        self.ann_is_let_in();
        assert_eq!((hub.capabilities().len(), hub.left_behind().len()), (1, 1));
        for text in ["one", "two", "three", "four"] {
            assert_eq!(self.shown.iter().filter(|shown| shown.as_str() == text).count(), 1, "'{text}' once");
        }
        // And both are what they are on disk.
        let hub_again = HubHome::load(Arc::new(self.hub_store.clone())).unwrap().unwrap();
        assert_eq!(hub_again.head(), hub.head());
        assert_eq!(hub_again.members(), hub.members());
    }
}

fn kind(message: &PhoneMessage) -> &'static str {
    match message {
        PhoneMessage::Paired => "paired",
        PhoneMessage::NewRelayKey { .. } => "new key",
        PhoneMessage::UsesRelayKey { .. } => "uses key",
        _ => "another one",
    }
}

fn cbor_text(received: &Received) -> Vec<u8> {
    match received {
        Received::Message {
            message: HubMessage::CameraState { state: privet_home::CameraState::Offline { reason }, .. },
            ..
        } => reason.clone().into_bytes(),
        _ => Vec::new(),
    }
}

fn crash_everywhere(whom: Whom) {
    let mut calm = Life::new(None);
    calm.live();
    calm.check();
    let commits = if whom == Whom::Hub { calm.hub_store.commits() } else { calm.ann_store.commits() };
    assert!(commits > 15, "{commits} commits");
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        for restart in [true, false] {
            for at in 0..commits {
                let crash = Crash { whom, at, fault, restart };
                println!("{crash:?}");
                let mut life = Life::new(Some(crash));
                life.live();
                assert_eq!(life.crashes, 1);
                life.check();
            }
        }
    }
}

#[test]
fn the_hub_crashes_at_every_commit() {
    crash_everywhere(Whom::Hub);
}

#[test]
fn a_phone_crashes_at_every_commit() {
    crash_everywhere(Whom::Ann);
}

#[test]
fn the_hub_crashes_while_it_makes_the_group_anew() {
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        for restart in [true, false] {
            let mut world = World::new("renewal");
            let mut ann = world.pair("Ann");
            let head = world.log.len() as u64;
            world.hub_store.fail_after(0, fault);
            world.hub.renew(head, Env::new(world.now, &world.random)).unwrap_err();
            world.hub_store.heal();
            if restart {
                world.restart_hub();
            }
            let written = fault == Fault::WrittenButFailed;
            assert_eq!(world.hub.generation(), if written { 2 } else { 1 });
            if !written {
                assert_eq!(world.hub.head().seq, head, "as if nothing had been tried");
                world.say(&note("old life"));
                assert!(heard(&world.read(&mut ann), &note("old life")));
                let head = world.log.len() as u64;
                world.hub.renew(head, Env::new(world.now, &world.random)).unwrap();
            }
            world.upload();
            world.read_errors(&mut ann);
            world.rejoin(&mut ann);
            world.say(&note("new life"));
            assert!(heard(&world.read(&mut ann), &note("new life")));
            assert_eq!(world.hub.members().len(), 1);
        }
    }
}
