//! Waking phones over their open connections: durable, once, and nobody else's; and what bounds a flood. Gateways are in `push.rs`.

use std::time::{Duration, SystemTime};

use privet_protocol::relay::{Code, MAX_WAKE, Rights, Urgency};
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, Connection};

use crate::common::{House, code, entries, entry, in_time, key, until};

fn soon() -> Timestamp {
    Timestamp::from(SystemTime::now()).after(Duration::from_secs(3600))
}

async fn wake(hub: &Connection, phone: u8, id: u8, payload: &[u8]) -> Result<(), ClientError> {
    hub.wake(key(phone).public(), [id; 16], payload.to_vec(), Urgency::High, soon()).await
}

async fn waiting(phone: &Connection) -> Vec<(u64, Vec<u8>)> {
    entries(phone.read_wakes(1, false).await.unwrap()).await
}

#[tokio::test]
async fn a_phone_that_follows_gets_each_wake_once_and_acknowledges_it() {
    let house = House::new().await;
    let hub = house.hub().await;
    let (phone, other) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    wake(&hub, 2, 1, b"before").await.unwrap();
    let mut follower = phone.read_wakes(1, true).await.unwrap();
    assert_eq!(entry(&mut follower).await, (1, b"before".to_vec()));
    wake(&hub, 2, 2, b"after").await.unwrap();
    wake(&hub, 2, 2, b"after").await.unwrap();
    wake(&hub, 3, 2, b"the other's").await.unwrap();
    wake(&hub, 2, 3, b"last").await.unwrap();
    assert_eq!(entry(&mut follower).await, (2, b"after".to_vec()));
    assert_eq!(entry(&mut follower).await, (3, b"last".to_vec()));
    phone.ack_wakes(2).await.unwrap();
    assert_eq!(waiting(&phone).await, [(3, b"last".to_vec())]);
    phone.ack_wakes(3).await.unwrap();
    wake(&hub, 2, 1, b"before").await.unwrap();
    assert_eq!(waiting(&phone).await, [], "an id is known after its wake was fetched");
    assert_eq!(waiting(&other).await, [(1, b"the other's".to_vec())]);
    let counts = house.server.wakes();
    assert_eq!((counts.accepted, counts.repeated, counts.fetched, counts.waiting), (4, 2, 3, 1));
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart_and_so_are_the_ids() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    for id in 1..=3 {
        wake(&hub, 2, id, &[id]).await.unwrap();
    }
    phone.ack_wakes(1).await.unwrap();
    let before = hub.usage().await.unwrap().stored_bytes;
    let house = house.restart().await;
    let hub = house.hub().await;
    let phone = house.try_phone(2).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().stored_bytes, before);
    assert_eq!(house.server.wakes().waiting, 2);
    for id in 1..=4 {
        wake(&hub, 2, id, &[id]).await.unwrap();
    }
    assert_eq!(waiting(&phone).await, [(2, vec![2]), (3, vec![3]), (4, vec![4])]);
    phone.ack_wakes(4).await.unwrap();
    let usage = hub.usage().await.unwrap().stored_bytes;
    assert_eq!((usage, house.server.wakes().waiting), (0, 0), "nothing is held for what was fetched");
}

#[tokio::test]
async fn only_the_owner_wakes_and_only_a_phone_reads_its_own() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let other = house.phone(&hub, 3).await;
    assert_eq!(code(wake(&other, 2, 1, b"not mine to send").await), Code::Denied);
    wake(&hub, 2, 1, b"for 2").await.unwrap();
    assert_eq!(waiting(&other).await, []);
    other.ack_wakes(u64::MAX).await.unwrap();
    assert_eq!(waiting(&phone).await, [(1, b"for 2".to_vec())], "another one's acknowledgement changes nothing");
    assert_eq!(code(hub.read_wakes(1, false).await.unwrap().next().await), Code::Denied, "the owner is no phone");
    assert_eq!(code(wake(&hub, 9, 1, b"x").await), Code::NotFound);
    assert_eq!(code(wake(&hub, 1, 1, b"x").await), Code::NotFound);
    assert_eq!(code(wake(&hub, 2, 2, &[0; MAX_WAKE + 1]).await), Code::TooLarge);
    wake(&hub, 2, 2, &[0; MAX_WAKE]).await.unwrap();
    assert_eq!(phone.push_key().await.unwrap().key.len(), 32);
    assert_eq!(phone.push_key().await.unwrap().vapid, None);
    // A key without rights, and one that reads the log's end only, are no phones.
    hub.grant(key(4).public(), Rights::default()).await.unwrap();
    let nobody = house.try_phone(4).await.unwrap();
    assert_eq!(code(nobody.push_key().await), Code::Denied);
    assert_eq!(code(nobody.read_wakes(1, false).await.unwrap().next().await), Code::Denied);
    assert_eq!(code(nobody.set_push(Vec::new()).await), Code::Denied);
    assert_eq!(code(wake(&hub, 4, 1, b"x").await), Code::NotFound);
}

#[tokio::test]
async fn a_revoked_phone_leaves_nothing_behind() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mut follower = phone.read_wakes(1, true).await.unwrap();
    wake(&hub, 2, 1, b"one").await.unwrap();
    entry(&mut follower).await;
    hub.revoke(key(2).public()).await.unwrap();
    let ended = async { while let Ok(Some(_)) = follower.next().await {} };
    in_time(ended).await;
    let usage = hub.usage().await.unwrap().stored_bytes;
    assert_eq!((usage, house.server.wakes().waiting), (0, 0));
    assert_eq!(code(wake(&hub, 2, 2, b"two").await), Code::NotFound);
    // The same key again is a new phone, and so is one that was a reader of the log's end in between.
    let phone = house.phone(&hub, 2).await;
    wake(&hub, 2, 1, b"new").await.unwrap();
    assert_eq!(waiting(&phone).await, [(1, b"new".to_vec())]);
    let removed = Rights { log_upto: Some(5), ..Rights::PHONE };
    hub.grant(key(2).public(), removed).await.unwrap();
    assert_eq!(house.server.wakes().waiting, 0);
    assert_eq!(code(wake(&hub, 2, 2, b"two").await), Code::NotFound);
    let house = house.restart().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    assert_eq!(waiting(&phone).await, []);
}

#[tokio::test]
async fn a_flood_is_bounded_for_each_phone_each_home_and_in_bytes() {
    let house = House::with(|config| {
        config.limits.wakes = 3;
        config.limits.stored_bytes = 1 << 20;
    })
    .await;
    let hub = house.hub().await;
    let (phone, other) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    for id in 1..=3 {
        wake(&hub, 2, id, b"x").await.unwrap();
    }
    assert_eq!(code(wake(&hub, 2, 4, b"x").await), Code::Quota);
    wake(&hub, 2, 3, b"x").await.unwrap();
    wake(&hub, 3, 4, b"x").await.unwrap();
    phone.ack_wakes(1).await.unwrap();
    wake(&hub, 2, 4, b"x").await.unwrap();
    // The home's bytes are full of other things.
    let free = (1 << 20) - hub.usage().await.unwrap().stored_bytes;
    let mut seq = 0;
    while hub.usage().await.unwrap().stored_bytes + 110_000 < 1 << 20 {
        seq = hub.append(seq + 1, vec![0; 100_000]).await.unwrap();
    }
    let left = (1 << 20) - hub.usage().await.unwrap().stored_bytes;
    let rest = usize::try_from(left - 100).unwrap();
    hub.append(seq + 1, vec![0; rest]).await.unwrap();
    assert!(free > left, "the log took room");
    assert_eq!(code(wake(&hub, 3, 5, &[0; 500]).await), Code::Quota);
    assert_eq!(waiting(&other).await.len(), 1);
}

#[tokio::test]
async fn a_hub_or_phone_that_hurries_is_told_to_slow_down() {
    let house = House::with(|config| config.limits.wakes_per_s = 1).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mut busy = 0;
    for id in 0..40 {
        match wake(&hub, 2, id, b"x").await {
            Ok(()) => {}
            refused => {
                assert_eq!(code(refused), Code::Busy);
                busy += 1;
            }
        }
    }
    assert!(busy > 0, "ten at once and one a second");
    assert_eq!(waiting(&phone).await.len(), 40 - busy, "what was accepted is there, what was not is not");
    // Repeating costs nothing.
    for _ in 0..40 {
        wake(&hub, 2, 0, b"x").await.unwrap();
    }
    let garbage = phone.set_push(vec![7; 1584]).await;
    assert_eq!(code(garbage), Code::Malformed);
    assert_eq!(code(phone.set_push(vec![7; 5000]).await), Code::TooLarge);
    phone.set_push(Vec::new()).await.unwrap();
}

#[tokio::test]
async fn what_is_worth_nothing_any_more_is_dropped_and_counted() {
    let now = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(1_800_000_000_000));
    let clock = std::sync::Arc::clone(&now);
    let clock = move || Timestamp(clock.load(std::sync::atomic::Ordering::Relaxed));
    let house = House::with_clock(|_| {}, std::sync::Arc::new(clock)).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let at = |seconds: i64| Timestamp(1_800_000_000_000 + seconds * 1000);
    let send = async |id: u8, seconds| {
        hub.wake(key(2).public(), [id; 16], vec![id], Urgency::Normal, at(seconds)).await.unwrap();
    };
    send(1, 0).await;
    send(2, 60).await;
    send(3, 7200).await;
    assert_eq!(waiting(&phone).await, [(1, vec![2]), (2, vec![3])]);
    now.fetch_add(60_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(waiting(&phone).await, [(2, vec![3])]);
    send(2, 60).await;
    assert_eq!(waiting(&phone).await, [(2, vec![3])]);
    now.fetch_add(7_200_000, std::sync::atomic::Ordering::Relaxed);
    house.server.sweep().await;
    until(|| async { house.server.wakes().waiting == 0 }).await;
    assert_eq!(house.server.wakes().expired, 3);
    send(3, 7200).await;
    assert_eq!(waiting(&phone).await, [], "its id was forgotten with its time, and its time is over still");
}
