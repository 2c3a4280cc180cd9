//! What must hold when a connection ends, or a phone is removed, between two steps. A real relay; no camera.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clips;
mod constant;

use std::sync::{Mutex, PoisonError, mpsc};

use privet_home::{Offer, PhoneHome, PhoneMessage, RelayAddress};
use privet_protocol::id::DeviceId;
use privet_protocol::storage::{Batch, Entry, MemoryStore, StoreError};
use privet_relay_client::{LogItem, Principal, Side, Trust, connect};
use privet_store::Blobs;

mod notices;

use super::pairing::PairingEvent;
use super::*;
use crate::recorder::task::RecorderHandle;
use crate::time::wall;

/// Long enough for a loaded machine; never waited for when all is well.
const PATIENCE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(600);

async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A store whose next commit can be held back: so a test knows that a verb is under way.
#[derive(Default)]
struct Gate {
    store: MemoryStore,
    hold: Mutex<Option<(tokio::sync::oneshot::Sender<()>, mpsc::Receiver<()>)>>,
}

impl Gate {
    /// Holds the next commit. Gives its beginning, and what lets it go on.
    fn hold(&self) -> (tokio::sync::oneshot::Receiver<()>, mpsc::Sender<()>) {
        let (begun, beginning) = tokio::sync::oneshot::channel();
        let (release, released) = mpsc::channel();
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, released));
        (beginning, release)
    }
}

impl Store for Gate {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.scan(prefix, from, limit)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let held = self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((begun, released)) = held {
            begun.send(()).unwrap();
            released.recv().unwrap();
        }
        self.store.commit(batch)
    }
}

struct World {
    folder: tempfile::TempDir,
    relay: privet_relay::Server,
    gate: Arc<Gate>,
    uplink: Uplink,
}

impl World {
    async fn new(keys: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = privet_relay::Config::default();
        config.listen = ([127, 0, 0, 1], 0).into();
        config.data = folder.path().join("relay");
        config.limits.free_bytes = 0;
        config.limits.keys = keys;
        let relay = privet_relay::Server::start(config).await.unwrap();
        let gate = Arc::new(Gate::default());
        let store: Arc<dyn Store> = gate.clone();
        let home = HubHome::create(store.clone(), "Hub", Env::new(wall(), &SystemRandom)).unwrap();
        let (home, board) = (HomeHandle::spawn(home).unwrap(), Board::new());
        let book = privet_notify::Book::open(store.clone()).unwrap();
        let (notices, _) = NoticesHandle::new(home.clone(), book, board.clone());
        let uplink = Uplink {
            target: RelayTarget {
                host: "127.0.0.1".into(),
                port: relay.address().port(),
                trust: Trust::Pin(relay.pin()),
            },
            invite: None,
            home,
            outbox: Outbox::open(store.clone(), Blobs::open(folder.path().join("blobs"), 0).unwrap()).unwrap(),
            store,
            recorders: Recorders::default(),
            notices,
            pairings: Pairings::default(),
            board,
            heartbeat: Duration::from_secs(60),
            relay_keeps: Duration::from_secs(2 * 86_400),
            constant: None,
        };
        Self { folder, relay, gate, uplink }
    }

    async fn connect(&self) -> Connection {
        let (home, seed) = self.uplink.home.call(|home, _| (home.home_id(), home.capability())).await.unwrap();
        let key = ClientKey::from_seed(&seed).unwrap();
        connect(&self.uplink.target, Principal::Founder { home, invite: None }, &key, PATIENCE).await.unwrap()
    }

    fn address(&self) -> RelayAddress {
        RelayAddress { host: "127.0.0.1".into(), port: self.relay.address().port(), pin: Some(self.relay.pin()) }
    }

    /// A member of the home, of which the relay does not know yet.
    async fn member(&self) -> PhoneHome {
        let address = self.address();
        let invite = move |home: &mut HubHome, env: Env<'_>| home.invite(&address, TTL, env).unwrap();
        let invitation = self.uplink.home.call(invite).await.unwrap();
        let offer = Offer::parse(&invitation.qr_text, wall()).unwrap();
        let (mut attempt, request) =
            PhoneHome::begin(&offer, "Phone", Arc::new(MemoryStore::new()), Env::new(wall(), &SystemRandom)).unwrap();
        let admit = move |home: &mut HubHome, env: Env<'_>| home.admit(invitation.pairing, &request, &[], env).unwrap();
        let admitted = self.uplink.home.call(admit).await.unwrap();
        attempt.complete(&admitted.answer, Env::new(wall(), &SystemRandom)).unwrap()
    }

    /// Removes a phone, without a word to the relay.
    async fn remove(&self, device: DeviceId) {
        let remove = move |home: &mut HubHome, env: Env<'_>| home.remove(device, None, Batch::new(), env).unwrap();
        self.uplink.home.call(remove).await.unwrap();
    }

    /// What the relay lets this phone do.
    async fn rights(&self, phone: &PhoneHome) -> Seen {
        self.rights_of(&client(phone), phone).await
    }

    /// What the relay lets this key do in the phone's home.
    async fn rights_of(&self, key: &ClientKey, phone: &PhoneHome) -> Seen {
        let principal = Principal::Member { home: phone.home_id() };
        let connection = match connect(&self.uplink.target, principal, key, PATIENCE).await {
            Ok(connection) => connection,
            Err(error) => {
                assert_eq!(error.refusal(), Some(Code::Denied));
                return Seen::Nothing;
            }
        };
        match connection.usage().await {
            Ok(_) => Seen::Everything,
            Err(error) => {
                assert_eq!(error.refusal(), Some(Code::Denied));
                Seen::Farewell
            }
        }
    }

    async fn revocations(&self) -> usize {
        self.uplink.home.call(|home, _| home.revocations().len()).await.unwrap()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Everything,
    Farewell,
    Nothing,
}

fn client(phone: &PhoneHome) -> ClientKey {
    ClientKey::from_seed(&phone.capability()).unwrap()
}

#[tokio::test]
async fn a_phone_removed_while_the_hub_connects_keeps_its_farewell_only() {
    let world = World::new(64).await;
    let (one, two) = (world.member().await, world.member().await);
    let connection = world.connect().await;
    world.uplink.put_right(&connection).await.unwrap();
    assert_eq!(world.rights(&one).await, Seen::Everything);
    // Whoever removed it had no connection yet.
    world.remove(one.device()).await;
    world.uplink.see_off(&connection).await.unwrap();
    assert_eq!(world.rights(&one).await, Seen::Farewell);

    // Removed between being let in and the grant.
    world.remove(two.device()).await;
    world.uplink.let_in(&connection, client(&two).public()).await.unwrap();
    assert_eq!(world.rights(&two).await, Seen::Farewell);
    world.uplink.see_off(&connection).await.unwrap();
    assert_eq!((world.rights(&one).await, world.revocations().await), (Seen::Farewell, 2), "again changes nothing");
    world.end().await;
}

#[tokio::test]
async fn where_keys_are_few_members_go_before_those_who_left() {
    let world = World::new(2).await;
    let [one, two, three] = [world.member().await, world.member().await, world.member().await];
    world.remove(one.device()).await;
    let connection = world.connect().await;
    world.uplink.put_right(&connection).await.unwrap();
    for (phone, rights) in [(&one, Seen::Nothing), (&two, Seen::Everything), (&three, Seen::Everything)] {
        assert_eq!(world.rights(phone).await, rights);
    }
    assert_eq!(world.revocations().await, 0);

    world.remove(two.device()).await;
    world.uplink.see_off(&connection).await.unwrap();
    assert_eq!(world.rights(&two).await, Seen::Farewell);
    let four = world.member().await;
    world.uplink.let_in(&connection, client(&four).public()).await.unwrap();
    assert_eq!((world.rights(&four).await, world.rights(&two).await), (Seen::Everything, Seen::Nothing));
    // What can't be made room for is an error, as ever.
    let five = world.member().await;
    let refused = world.uplink.let_in(&connection, client(&five).public()).await.unwrap_err();
    assert!(matches!(refused, UplinkError::Relay(error) if error.refusal() == Some(Code::Quota)));
    world.end().await;
}

#[tokio::test]
async fn a_new_key_is_let_in_before_the_old_one_goes_and_waits_where_keys_are_few() {
    let world = World::new(3).await;
    let (mut one, two) = (world.member().await, world.member().await);
    let connection = world.connect().await;
    world.uplink.put_right(&connection).await.unwrap();
    let (old, new) = (client(&one), ClientKey::from_seed(&[7; 32]).unwrap());
    let mut say =
        |message: PhoneMessage| one.send(&message, Batch::new(), Env::new(wall(), &SystemRandom)).unwrap().bytes;
    let (key, stolen) = (new.public(), client(&two).public());
    let said = [
        say(PhoneMessage::NewRelayKey { key }),
        say(PhoneMessage::UsesRelayKey { key: stolen }),
        say(PhoneMessage::UsesRelayKey { key }),
    ];
    let rights = async |old_key, new_key| {
        assert_eq!((world.rights_of(&old, &two).await, world.rights_of(&new, &two).await), (old_key, new_key));
    };
    for (seq, bytes) in (1..).zip(said.iter().take(2)) {
        inbox::take(&world.uplink, &connection, seq, bytes.clone()).await.unwrap();
        rights(Seen::Everything, Seen::Everything).await;
    }
    inbox::take(&world.uplink, &connection, 3, said[2].clone()).await.unwrap();
    rights(Seen::Everything, Seen::Everything).await;
    world.uplink.retire(&connection).await.unwrap();
    rights(Seen::Nothing, Seen::Everything).await;
    // A crash before the old one was gone, or a relay that lost all: the next connection puts it right.
    connection.revoke(key).await.unwrap();
    world.uplink.put_right(&connection).await.unwrap();
    rights(Seen::Nothing, Seen::Everything).await;

    // No room for another one: all stays as it is.
    let three = world.member().await;
    world.uplink.let_in(&connection, client(&three).public()).await.unwrap();
    let fourth = ClientKey::from_seed(&[8; 32]).unwrap();
    let message = PhoneMessage::NewRelayKey { key: fourth.public() };
    let bytes = one.send(&message, Batch::new(), Env::new(wall(), &SystemRandom)).unwrap().bytes;
    inbox::take(&world.uplink, &connection, 4, bytes).await.unwrap();
    world.uplink.put_right(&connection).await.unwrap();
    assert_eq!(world.rights_of(&fourth, &two).await, Seen::Nothing);
    rights(Seen::Nothing, Seen::Everything).await;
    world.end().await;
}

#[tokio::test]
async fn a_connection_lost_while_a_phone_is_let_in_leaves_no_member_without_an_answer() {
    let world = World::new(64).await;
    let pairings = &world.uplink.pairings;
    let (invitation, mut events) = pairings.open(&world.uplink.home, world.address(), TTL).await.unwrap().unwrap();
    let connection = world.connect().await;
    let meet = || {
        let (uplink, connection, rendezvous) = (world.uplink.clone(), connection.clone(), (&invitation).into());
        tokio::spawn(async move { pairing::meet(&uplink, &connection, &rendezvous).await })
    };
    let first = meet();
    assert_eq!(within("the mailbox", events.recv()).await, Some(PairingEvent::Ready));

    let offer = Offer::parse(&invitation.qr_text, wall()).unwrap();
    let (mut attempt, request) =
        PhoneHome::begin(&offer, "Phone", Arc::new(MemoryStore::new()), Env::new(wall(), &SystemRandom)).unwrap();
    let (mailbox, key) = (offer.mailbox(), ClientKey::from_seed(&offer.mailbox_key()).unwrap());
    let phone = connect(&world.uplink.target, Principal::Mailbox { mailbox }, &key, PATIENCE).await.unwrap();
    let (admitting, release) = world.gate.hold();
    phone.post(mailbox, Side::Hub, request).await.unwrap();
    within("the phone to be let in", admitting).await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();

    let log = tokio::spawn(log::send(world.uplink.clone(), connection.clone()));
    let second = meet();
    assert_eq!(within("the mailbox", events.recv()).await, Some(PairingEvent::Ready));
    let Some(PairingEvent::Joined { device, .. }) = within("the word of it", events.recv()).await else {
        panic!("the phone was not let in");
    };
    let mut answers = phone.collect(mailbox, Side::Phone, 1).await.unwrap();
    let answer = loop {
        if let Some(LogItem::Entry { bytes, .. }) = within("the answer", answers.next()).await.unwrap() {
            break bytes;
        }
    };
    let phone = attempt.complete(&answer, Env::new(wall(), &SystemRandom)).unwrap();
    assert_eq!((phone.device(), world.rights(&phone).await), (device, Seen::Everything));
    pairings.arrived(device);
    within("the end", second).await.unwrap().unwrap();
    log.abort();
    world.end().await;
}

#[tokio::test]
async fn streams_get_new_keys_even_when_the_connection_that_brought_a_removal_is_lost() {
    let world = World::new(64).await;
    let (lost, mut phone) = (world.member().await, world.member().await);
    let (recorder, mut inputs) = RecorderHandle::channel();
    world.uplink.recorders.add(privet_protocol::id::CameraId::generate(&SystemRandom), recorder);
    let connection = world.connect().await;
    let message = PhoneMessage::RemoveDevice { device: lost.device() };
    let message = phone.send(&message, Batch::new(), Env::new(wall(), &SystemRandom)).unwrap().bytes;
    let (removing, release) = world.gate.hold();
    let uplink = world.uplink.clone();
    let taking = tokio::spawn(async move { inbox::take(&uplink, &connection, 1, message).await });
    within("the removal", removing).await.unwrap();
    taking.abort();
    assert!(taking.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    let told = within("the new keys", inputs.recv()).await;
    assert!(matches!(told, Some(Input::Rekey { removed: Some(device) }) if device == lost.device()));
    world.end().await;
}

impl World {
    async fn end(self) {
        self.relay.shutdown().await;
        drop(self.folder);
    }
}
