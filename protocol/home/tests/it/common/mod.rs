//! A home in one thread: a hub, phones, and a relay that is a vector. Time stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use privet_home::{
    Admitted, Env, HubHome, HubMessage, JoinAttempt, LogEntry, LogError, Offer, PhoneHome, PhoneMessage, Received,
    RelayAddress,
};
use privet_protocol::id::DeviceId;
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;

pub const TEN_MINUTES: Duration = Duration::from_secs(600);
pub const START: Timestamp = Timestamp(1_795_000_000_000);

pub struct World {
    pub hub: HubHome,
    pub hub_store: MemoryStore,
    /// What the relay has of the log; entry `n` stands at `n - 1`.
    pub log: Vec<LogEntry>,
    pub now: Timestamp,
    pub random: SeededRandom,
}

pub struct Phone {
    pub home: PhoneHome,
    pub store: MemoryStore,
}

pub fn relay() -> RelayAddress {
    RelayAddress { host: "relay.example.org".into(), port: 4433, pin: Some([7; 32]) }
}

impl World {
    pub fn new(seed: &str) -> Self {
        let hub_store = MemoryStore::new();
        let random = SeededRandom::new(seed.as_bytes());
        let hub = HubHome::create(Arc::new(hub_store.clone()), "Hub", Env::new(START, &random)).unwrap();
        Self { hub, hub_store, log: Vec::new(), now: START, random }
    }

    pub fn env(&self) -> Env<'_> {
        Env::new(self.now, &self.random)
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Uploads what is in the hub's outbox.
    pub fn upload(&mut self) {
        let from = self.log.len() as u64 + 1;
        for entry in self.hub.outbox(from, usize::MAX).unwrap() {
            assert_eq!(entry.seq, self.log.len() as u64 + 1, "the outbox has no holes");
            self.log.push(entry);
        }
        self.hub.sent(self.log.len() as u64).unwrap();
    }

    pub fn say(&mut self, message: &HubMessage) {
        let env = Env::new(self.now, &self.random);
        self.hub.append(std::slice::from_ref(message), Batch::new(), env).unwrap();
        self.upload();
    }

    pub fn begin(&mut self, name: &str) -> (privet_home::Invitation, JoinAttempt, MemoryStore) {
        let env = Env::new(self.now, &self.random);
        let invitation = self.hub.invite(&relay(), TEN_MINUTES, env).unwrap();
        let offer = Offer::parse(&invitation.qr_text, self.now).unwrap();
        let store = MemoryStore::new();
        let (attempt, _) = PhoneHome::begin(&offer, name, Arc::new(store.clone()), self.env()).unwrap();
        (invitation, attempt, store)
    }

    pub fn admit(&mut self, invitation: &privet_home::Invitation, request: &[u8]) -> Admitted {
        let env = Env::new(self.now, &self.random);
        let admitted = self.hub.admit(invitation.pairing, request, &[HubMessage::Cameras(Vec::new())], env).unwrap();
        self.upload();
        admitted
    }

    pub fn pair(&mut self, name: &str) -> Phone {
        let (invitation, mut attempt, store) = self.begin(name);
        let admitted = self.admit(&invitation, attempt.request());
        let home = attempt.complete(&admitted.answer, self.env()).unwrap();
        let mut phone = Phone { home, store };
        self.read(&mut phone);
        phone
    }

    /// Lets the phone read all it has not read.
    pub fn read(&self, phone: &mut Phone) -> Vec<Received> {
        let mut all = Vec::new();
        for entry in &self.log[phone.home.position().seq as usize..] {
            let received = phone.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), self.env()).unwrap();
            let stop = received == Received::Removed;
            all.push(received);
            if stop {
                break;
            }
        }
        all
    }

    /// Lets the phone try all it has not read, whatever comes of it.
    pub fn read_errors(&self, phone: &mut Phone) -> Vec<Result<Received, LogError>> {
        self.log[phone.home.position().seq as usize..]
            .iter()
            .map(|entry| phone.home.receive(entry.seq, &entry.bytes, |_| Batch::new(), self.env()))
            .collect()
    }

    /// Takes everything from the phone's outbox to the hub.
    pub fn deliver(&mut self, phone: &mut Phone) -> Vec<Option<PhoneMessage>> {
        let mut heard = Vec::new();
        for outgoing in phone.home.outbox().unwrap() {
            let env = Env::new(self.now, &self.random);
            heard.push(self.hub.receive(&outgoing.bytes, Batch::new(), env).unwrap().message);
            phone.home.sent(outgoing.number).unwrap();
        }
        self.upload();
        heard
    }

    pub fn update(&mut self, phone: &mut Phone) {
        let env = Env::new(self.now, &self.random);
        phone.home.propose_update(env).unwrap();
        self.deliver(phone);
        self.read(phone);
    }

    pub fn rejoin(&mut self, phone: &mut Phone) {
        let env = Env::new(self.now, &self.random);
        phone.home.rejoin(env).unwrap();
        self.deliver(phone);
        self.read(phone);
    }

    pub fn remove(&mut self, device: DeviceId) {
        let env = Env::new(self.now, &self.random);
        self.hub.remove(device, None, Batch::new(), env).unwrap();
        self.upload();
    }

    pub fn restart_hub(&mut self) {
        self.hub = HubHome::load(Arc::new(self.hub_store.clone())).unwrap().expect("the home is never lost");
    }
}

impl Phone {
    pub fn restart(&mut self) {
        self.home = PhoneHome::load(Arc::new(self.store.clone())).unwrap().expect("the home is never lost");
    }
}

pub fn heard(received: &[Received], message: &HubMessage) -> bool {
    received.iter().any(|r| matches!(r, Received::Message { message: m, .. } if m == message))
}

pub fn note(text: &str) -> HubMessage {
    HubMessage::CameraState {
        camera: privet_protocol::id::CameraId::from_bytes([9; 16]),
        state: privet_home::CameraState::Offline { reason: text.into() },
    }
}
