//! Notices through a real relay: once, whatever ends between.

use privet_home::{Happening, HomeEvent, PushSetup};
use privet_notice::{Notice, NotificationSecret};
use privet_protocol::id::EventId;
use privet_protocol::storage::Fault;

use super::*;

fn event(number: u8) -> HomeEvent {
    let id = EventId::from_bytes([number; 16]);
    HomeEvent { id, at: wall(), camera: None, what: Happening::RelayBack, clip: None, zones: Vec::new() }
}

fn disk(number: u8) -> HomeEvent {
    HomeEvent { what: Happening::DiskNearlyFull { free_mib: 1 }, ..event(number) }
}

impl World {
    /// A member that has said through the inbox how it is woken.
    async fn woken(&self, connection: &Connection, seq: u64) -> (PhoneHome, NotificationSecret) {
        let (mut phone, secret) = (self.member().await, NotificationSecret::generate(&SystemRandom));
        let key = secret.public().unwrap().as_bytes().to_vec();
        let setup = PhoneMessage::SetPush(PushSetup { notification_key: key.into(), counter: 1 });
        let message = phone.send(&setup, Batch::new(), Env::new(wall(), &SystemRandom)).unwrap().bytes;
        inbox::take(&self.uplink, connection, seq, message).await.unwrap();
        (phone, secret)
    }

    fn sender(&self, connection: &Connection) -> tokio::task::JoinHandle<Result<(), UplinkError>> {
        tokio::spawn(crate::uplink::notices::send(self.uplink.clone(), connection.clone()))
    }

    async fn waiting(&self) -> u64 {
        self.uplink.notices.figures().await.unwrap().waiting
    }

    async fn until_waiting(&self, count: u64) {
        within("notices to be taken", async {
            while self.waiting().await != count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// All that waits for a phone at the relay.
    async fn wakes(&self, phone: &PhoneHome, secret: &NotificationSecret) -> Vec<Notice> {
        let principal = Principal::Member { home: phone.home_id() };
        let connection = connect(&self.uplink.target, principal, &client(phone), PATIENCE).await.unwrap();
        let mut reader = connection.read_wakes(1, false).await.unwrap();
        let mut wakes = Vec::new();
        while let Some(item) = within("wakes", reader.next()).await.unwrap() {
            if let LogItem::Entry { bytes, .. } = item {
                wakes.push(privet_notice::open(secret, &phone.hub_identity(), &bytes).unwrap());
            }
        }
        wakes
    }

    fn alarms(&self) -> Vec<String> {
        let page = self.uplink.board.page("", Duration::ZERO, Default::default(), 0, 0);
        page.alarms.into_iter().map(|alarm| alarm.kind).collect()
    }
}

#[tokio::test]
async fn a_notice_comes_once_though_the_hub_does_not_know_that_the_relay_has_it() {
    let world = World::new(64).await;
    let connection = world.connect().await;
    let (phone, secret) = world.woken(&connection, 1).await;
    world.uplink.put_right(&connection).await.unwrap();
    world.uplink.notices.tell(disk(1), None).await.unwrap();
    world.uplink.notices.tell(disk(2), None).await.unwrap();
    // The relay takes them; that they are gone from here can't be written, as when the hub is killed then.
    world.gate.store.fail_after(0, Fault::Refuse);
    let ended = within("the failure", world.sender(&connection)).await.unwrap();
    assert!(matches!(ended, Err(UplinkError::Notices(_))), "{ended:?}");
    world.gate.store.heal();
    assert_eq!(world.waiting().await, 2);
    let sender = world.sender(&connection);
    world.until_waiting(0).await;
    // What comes while the sender waits goes at once.
    world.uplink.notices.tell(disk(3), None).await.unwrap();
    world.until_waiting(0).await;
    let wakes = world.wakes(&phone, &secret).await;
    assert_eq!(wakes.iter().map(|notice| notice.event.id).collect::<Vec<_>>(), [1, 2, 3].map(|n| event(n).id));
    assert_eq!(wakes.iter().map(|notice| notice.counter).collect::<Vec<_>>(), [1, 2, 3]);
    sender.abort();
    world.end().await;
}

#[tokio::test]
async fn what_the_relay_refuses_waits_for_that_phone_alone_and_is_tried_again() {
    let world = World::new(64).await;
    let connection = world.connect().await;
    let (one, secret) = world.woken(&connection, 1).await;
    world.uplink.put_right(&connection).await.unwrap();
    // The relay knows nothing of this one yet.
    let (two, twos) = world.woken(&connection, 2).await;
    world.uplink.notices.tell(disk(1), None).await.unwrap();
    let sender = world.sender(&connection);
    world.until_waiting(1).await;
    within("the alarm", async {
        while world.alarms() != ["notices"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(world.wakes(&one, &secret).await.len(), 1);
    world.uplink.let_in(&connection, client(&two).public()).await.unwrap();
    world.until_waiting(0).await;
    assert_eq!(world.wakes(&two, &twos).await.len(), 1);
    within("the all-clear", async {
        while !world.alarms().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    sender.abort();
    world.end().await;
}
