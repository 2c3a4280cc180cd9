//! Log, inbox, capabilities, rendezvous and hello, over loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use privet_protocol::id::{HomeId, MailboxId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, MAX_ENTRY, Principal, Rights, Side};
use privet_protocol::time::Timestamp;
use privet_relay::Server;
use privet_relay::config::Policy;
use privet_relay_client::{ClientError, LogItem, Trust, connect};

use crate::common::{self, House, PATIENCE, code, config, entries, entry, in_time, key, target};

#[tokio::test]
async fn the_log_is_numbered_followed_and_forgotten_when_read() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mut follower = phone.read_log(1, true).await.unwrap();
    assert_eq!(in_time(follower.next()).await.unwrap(), Some(LogItem::CaughtUp { head: 0 }));

    for seq in 1..=20 {
        assert_eq!(hub.append(seq, vec![seq as u8; 100]).await.unwrap(), seq);
        assert_eq!(entry(&mut follower).await, (seq, vec![seq as u8; 100]));
    }
    assert_eq!(hub.append(7, vec![7; 100]).await.unwrap(), 7, "the same again is harmless");
    assert_eq!(code(hub.append(7, b"another".to_vec()).await), Code::Conflict);
    assert_eq!(code(hub.append(22, b"a hole".to_vec()).await), Code::Conflict);
    assert_eq!(code(hub.append(21, vec![0; MAX_ENTRY + 1]).await), Code::TooLarge);
    assert_eq!(hub.append(21, vec![1; MAX_ENTRY]).await.unwrap(), 21);
    assert_eq!(entry(&mut follower).await.1.len(), MAX_ENTRY);

    let late = house.phone(&hub, 3).await;
    assert_eq!(entries(late.read_log(1, false).await.unwrap()).await.len(), 21);
    phone.ack_log(10).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().log_first, 1, "one reader has not read yet");
    late.ack_log(12).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().log_first, 11);
    let mut gone = phone.read_log(5, false).await.unwrap();
    assert_eq!(code(gone.next().await), Code::Gone);
    assert_eq!(entries(phone.read_log(11, false).await.unwrap()).await.first().unwrap().0, 11);
    hub.revoke(key(2).public()).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().log_first, 13, "who is gone holds nothing back");
}

#[tokio::test]
async fn an_owner_can_not_lock_itself_out() {
    let house = House::new().await;
    let hub = house.hub().await;
    assert_eq!(code(hub.revoke(key(1).public()).await), Code::Conflict);
    assert_eq!(code(hub.grant(key(1).public(), Rights::default()).await), Code::Conflict);
    assert_eq!(hub.append(1, b"still here".to_vec()).await.unwrap(), 1);
    house.hub().await.usage().await.unwrap();
}

#[tokio::test]
async fn a_log_may_begin_where_another_relay_left_off() {
    let house = House::new().await;
    let hub = house.hub().await;
    assert_eq!(hub.append(57, b"moved".to_vec()).await.unwrap(), 57);
    assert_eq!(hub.usage().await.unwrap().log_first, 57);
    assert_eq!(hub.append(58, b"on".to_vec()).await.unwrap(), 58);
}

#[tokio::test]
async fn the_inbox_takes_a_bounded_number_from_each_phone() {
    let house = House::with(|config| config.limits.inbox_messages = 3).await;
    let hub = house.hub().await;
    let (one, two) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    let mut inbox = hub.read_inbox(1, true).await.unwrap();
    for number in 1..=3 {
        assert_eq!(one.send(vec![number]).await.unwrap(), u64::from(number));
        assert_eq!(entry(&mut inbox).await, (number.into(), vec![number]));
    }
    assert_eq!(code(one.send(vec![4]).await), Code::Quota);
    assert_eq!(two.send(vec![5]).await.unwrap(), 4);
    hub.ack_inbox(3).await.unwrap();
    assert_eq!(one.send(vec![6]).await.unwrap(), 5);
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, [(4, vec![5]), (5, vec![6])]);
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_restart() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mailbox = MailboxId::generate(&SystemRandom);
    for seq in 1..=5 {
        hub.append(seq, vec![seq as u8]).await.unwrap();
    }
    phone.send(b"hello".to_vec()).await.unwrap();
    phone.ack_log(2).await.unwrap();
    let until = hub.server_time().after(Duration::from_secs(600));
    hub.open_mailbox(mailbox, key(9).public(), until).await.unwrap();
    hub.post(mailbox, Side::Phone, b"answer".to_vec()).await.unwrap();
    let pin = house.server.pin();

    let house = house.restart().await;
    assert_eq!(house.server.pin(), pin, "the identity stays");
    assert!(matches!(phone.closed().await, ClientError::Closed { revoked: false, .. }));
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    assert_eq!(entries(phone.read_log(3, false).await.unwrap()).await.len(), 3);
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, [(1, b"hello".to_vec())]);
    let guest = connect(&house.target(), Principal::Mailbox { mailbox }, &key(9), PATIENCE).await.unwrap();
    assert_eq!(entry(&mut guest.collect(mailbox, Side::Phone, 1).await.unwrap()).await.1, b"answer");
    assert_eq!(hub.append(6, vec![6]).await.unwrap(), 6);
}

#[tokio::test]
async fn rights_are_what_the_owner_granted_and_end_at_once() {
    let house = House::new().await;
    let hub = house.hub().await;
    assert_eq!(code(house.try_phone(2).await), Code::Denied);
    hub.grant(key(2).public(), Rights { log: true, ..Rights::default() }).await.unwrap();
    let phone = house.try_phone(2).await.unwrap();
    assert_eq!(code(phone.send(b"x".to_vec()).await), Code::Denied);
    assert_eq!(code(phone.stat(common::stream()).await), Code::Denied);
    assert_eq!(code(phone.append(1, b"x".to_vec()).await), Code::Denied);
    assert_eq!(code(phone.grant(key(3).public(), Rights::PHONE).await), Code::Denied);
    assert_eq!(code(phone.revoke(key(2).public()).await), Code::Denied);
    phone.usage().await.unwrap();
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    phone.send(b"x".to_vec()).await.unwrap();

    let mut follower = phone.read_log(1, true).await.unwrap();
    hub.revoke(key(2).public()).await.unwrap();
    assert!(matches!(in_time(phone.closed()).await, ClientError::Closed { revoked: true, .. }));
    while let Ok(Some(_)) = in_time(follower.next()).await {}
    assert!(!phone.closed().await.is_retryable());
    assert_eq!(code(house.try_phone(2).await), Code::Denied);
    hub.usage().await.unwrap();
}

#[tokio::test]
async fn a_reader_whose_log_ends_learns_nothing_of_what_comes_after() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    for seq in 1..=3 {
        hub.append(seq, vec![seq as u8]).await.unwrap();
    }
    hub.grant(key(2).public(), Rights::farewell(2)).await.unwrap();
    // What it followed it would follow on.
    assert!(matches!(in_time(phone.closed()).await, ClientError::Closed { revoked: false, .. }));
    let phone = house.try_phone(2).await.unwrap();
    let mut log = phone.read_log(1, true).await.unwrap();
    assert_eq!(entry(&mut log).await, (1, vec![1]));
    assert_eq!(entry(&mut log).await, (2, vec![2]));
    hub.append(4, vec![4]).await.unwrap();
    assert!(matches!(in_time(log.next()).await.unwrap(), Some(LogItem::CaughtUp { head: 2 })));
    assert!(entries(phone.read_log(3, false).await.unwrap()).await.is_empty());

    // Nor by saying that it has read everything, and asking again for what is gone.
    let other = house.phone(&hub, 3).await;
    other.ack_log(4).await.unwrap();
    phone.ack_log(u64::MAX).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().log_first, 5);
    let mut refusals = Vec::new();
    for seq in 5..=6 {
        refusals.push(phone.read_log(1, false).await.unwrap().next().await.unwrap_err());
        assert!(entries(phone.read_log(3, false).await.unwrap()).await.is_empty(), "as before it was gone");
        hub.append(seq, vec![seq as u8]).await.unwrap();
        other.ack_log(seq).await.unwrap();
    }
    assert_eq!((refusals[0].refusal(), &refusals[0]), (Some(Code::Gone), &refusals[1]));
    assert_eq!(code(phone.usage().await), Code::Denied);
    assert_eq!(code(phone.send(b"x".to_vec()).await), Code::Denied);
    assert_eq!(code(phone.stat(common::stream()).await), Code::Denied);
}

#[tokio::test]
async fn a_reader_whose_log_ends_acknowledges_nothing_beyond_its_end() {
    let house = House::new().await;
    let hub = house.hub().await;
    hub.grant(key(2).public(), Rights::farewell(2)).await.unwrap();
    let (one, two) = (house.try_phone(2).await.unwrap(), house.phone(&hub, 3).await);
    for seq in 1..=4 {
        hub.append(seq, vec![seq as u8]).await.unwrap();
    }
    one.ack_log(u64::MAX).await.unwrap();
    // Should it be let in again, what it never read is there.
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    two.ack_log(4).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().log_first, 3);
}

#[tokio::test]
async fn a_reader_whose_log_ends_holds_back_nothing_beyond_its_end() {
    let house = House::new().await;
    let hub = house.hub().await;
    let (one, two) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    for seq in 1..=6 {
        hub.append(seq, vec![seq as u8]).await.unwrap();
    }
    two.ack_log(6).await.unwrap();
    one.ack_log(1).await.unwrap();
    let first = async || hub.usage().await.unwrap().log_first;
    hub.grant(key(2).public(), Rights::farewell(4)).await.unwrap();
    assert_eq!(first().await, 2, "what it may still read waits for it");
    let one = house.try_phone(2).await.unwrap();
    one.ack_log(4).await.unwrap();
    assert_eq!(first().await, 7, "what it may not read does not");

    // Removed when it had read everything it may.
    let late = house.phone(&hub, 4).await;
    hub.append(7, vec![7]).await.unwrap();
    hub.append(8, vec![8]).await.unwrap();
    two.ack_log(8).await.unwrap();
    late.ack_log(7).await.unwrap();
    assert_eq!(first().await, 8);
    hub.grant(key(4).public(), Rights::farewell(7)).await.unwrap();
    assert_eq!(first().await, 9, "the grant itself lets go");

    // Nobody reads on: what none of them may read stays for the next one.
    hub.append(9, vec![9]).await.unwrap();
    hub.revoke(key(3).public()).await.unwrap();
    assert_eq!(first().await, 9);
}

#[tokio::test]
async fn a_mailbox_serves_one_pairing_and_stays_as_a_tombstone() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let hands = Arc::clone(&clock);
    let house = House::with_clock(
        |config| config.limits.mailboxes = 1,
        Arc::new(move || Timestamp(hands.load(Ordering::Relaxed))),
    )
    .await;
    let hub = house.hub().await;
    let mailbox = MailboxId::generate(&SystemRandom);
    let guest = |number| {
        let target = house.target();
        async move { connect(&target, Principal::Mailbox { mailbox }, &key(number), PATIENCE).await }
    };
    assert_eq!(code(guest(9).await), Code::Denied);
    let until = hub.server_time().after(Duration::from_secs(600));
    hub.open_mailbox(mailbox, key(9).public(), until).await.unwrap();
    let second = MailboxId::generate(&SystemRandom);
    assert_eq!(code(hub.open_mailbox(second, key(9).public(), until).await), Code::Quota);
    assert_eq!(code(guest(8).await), Code::Denied);

    let phone = guest(9).await.unwrap();
    let mut for_hub = hub.collect(mailbox, Side::Hub, 1).await.unwrap();
    let mut for_phone = phone.collect(mailbox, Side::Phone, 1).await.unwrap();
    assert_eq!(phone.post(mailbox, Side::Hub, b"request".to_vec()).await.unwrap(), 1);
    assert_eq!(entry(&mut for_hub).await, (1, b"request".to_vec()));
    hub.post(mailbox, Side::Phone, b"answer".to_vec()).await.unwrap();
    assert_eq!(entry(&mut for_phone).await, (1, b"answer".to_vec()));
    assert_eq!(code(phone.usage().await), Code::Denied);
    assert_eq!(code(phone.post(second, Side::Hub, vec![]).await), Code::Denied);
    for _ in 0..15 {
        phone.post(mailbox, Side::Hub, vec![]).await.unwrap();
    }
    assert_eq!(code(phone.post(mailbox, Side::Hub, vec![]).await), Code::Quota);

    hub.close_mailbox(mailbox).await.unwrap();
    assert_eq!(code(guest(9).await), Code::Gone);
    assert_eq!(code(phone.post(mailbox, Side::Hub, vec![]).await), Code::Gone);
    let ended = async {
        loop {
            if let Err(error) = for_phone.next().await {
                return error;
            }
        }
    };
    assert_eq!(in_time(ended).await.refusal(), Some(Code::Gone));
    hub.open_mailbox(second, key(9).public(), until).await.unwrap();
    assert_eq!(code(hub.open_mailbox(mailbox, key(9).public(), until).await), Code::Conflict);

    clock.fetch_add(700_000, Ordering::Relaxed);
    house.server.sweep().await;
    assert_eq!(code(guest(9).await), Code::Denied);
}

#[tokio::test]
async fn the_log_and_inbox_expire() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let hands = Arc::clone(&clock);
    let house = House::with_clock(
        |config| config.limits.retention_s = 100,
        Arc::new(move || Timestamp(hands.load(Ordering::Relaxed))),
    )
    .await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    hub.append(1, b"old".to_vec()).await.unwrap();
    phone.send(b"old".to_vec()).await.unwrap();
    clock.fetch_add(99_000, Ordering::Relaxed);
    hub.append(2, b"new".to_vec()).await.unwrap();
    clock.fetch_add(2_000, Ordering::Relaxed);
    house.server.sweep().await;
    assert_eq!(hub.usage().await.unwrap().log_first, 2);
    assert_eq!(entries(phone.read_log(2, false).await.unwrap()).await, [(2, b"new".to_vec())]);
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, []);
}

#[tokio::test]
async fn a_relay_with_another_key_is_noticed() {
    let house = House::new().await;
    let mut target = house.target();
    target.trust = Trust::Pin([5; 32]);
    let principal = Principal::Founder { home: house.home, invite: None };
    let error = connect(&target, principal.clone(), &house.owner, PATIENCE).await.unwrap_err();
    assert_eq!(error, ClientError::WrongIdentity { expected: [5; 32], found: house.server.pin() });
    assert!(!error.is_retryable());
    target.trust = Trust::WebPki;
    let error = connect(&target, principal.clone(), &house.owner, PATIENCE).await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted { .. }), "{error:?}");

    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    target.port = nobody.local_addr().unwrap().port();
    let error = connect(&target, principal, &house.owner, Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error, ClientError::Timeout);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn homes_need_an_invite_where_the_operator_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.homes.policy = Policy::Invite;
    config.homes.invites = vec!["sixteen letters!".into()];
    let server = Server::start(config).await.unwrap();
    let found = |home: HomeId, number, invite: Option<&str>| {
        let (target, invite) = (target(&server), invite.map(str::to_owned));
        async move { connect(&target, Principal::Founder { home, invite }, &key(number), PATIENCE).await }
    };
    let (one, two) = (HomeId::generate(&SystemRandom), HomeId::generate(&SystemRandom));
    assert_eq!(code(found(one, 1, None).await), Code::Denied);
    assert_eq!(code(found(one, 1, Some("guessed guessed")).await), Code::Denied);
    found(one, 1, Some("sixteen letters!")).await.unwrap();
    found(one, 1, None).await.unwrap();
    assert_eq!(code(found(one, 2, Some("sixteen letters!")).await), Code::Denied);
    assert_eq!(code(found(two, 2, Some("sixteen letters!")).await), Code::Denied);
}
