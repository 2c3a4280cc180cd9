//! Homes that nobody uses leave memory: what they keep is there again when somebody comes, and goes in time when nobody does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Retention, Urgency};
use privet_protocol::time::{Clock, Timestamp};
use privet_relay::{Config, Server};
use privet_relay_client::Connection;

use crate::common::{House, body, config, entries, key, machine, put, read_all, stream, until};
use crate::openmetrics::{Samples, parse, value};
use crate::pages::page;
use crate::shared::SharedStore;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A clock that is moved by hand.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        let time = Arc::clone(&self.0);
        Arc::new(move || Timestamp(time.load(Ordering::Relaxed)))
    }

    fn pass(&self, time: i64) {
        self.0.fetch_add(time, Ordering::Relaxed);
    }
}

fn watched(config: &mut Config) {
    config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
}

/// Where the house says how it is.
async fn address(house: &House) -> SocketAddr {
    until(|| async { house.server.metrics().is_some() }).await;
    house.server.metrics().unwrap()
}

async fn numbers(address: SocketAddr) -> Samples {
    parse(&page(address, "/metrics").await.1)
}

async fn in_memory(address: SocketAddr) -> f64 {
    value(&numbers(address).await, "privet_relay_homes_in_memory", &[])
}

/// Until nobody is connected any more.
async fn all_have_left(address: SocketAddr) {
    until(|| async {
        let samples = numbers(address).await;
        ["owner", "member"]
            .into_iter()
            .all(|kind| value(&samples, "privet_relay_connections", &[("kind", kind)]) == 0.0)
    })
    .await;
}

/// Until the home has left memory.
async fn rests(house: &House, address: SocketAddr) {
    until(|| async {
        house.server.sweep().await;
        in_memory(address).await == 0.0
    })
    .await;
}

fn keep(hub: &Connection, time: i64) -> Retention {
    Retention::Keep { until: hub.server_time().after(Duration::from_millis(time.unsigned_abs())) }
}

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_nobody_uses_leaves_memory_and_has_everything_when_somebody_comes() {
    let hands = Hands::new();
    let house = House::with_clock(watched, hands.clock()).await;
    let address = address(&house).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let film = stream();
    for index in 0..3 {
        put(&hub, film, index, keep(&hub, 48 * HOUR), body(index, 20_000)).await;
    }
    hub.finish_stream(film, 3).await.unwrap();
    for seq in 1..=4 {
        hub.append(seq, body(seq, 300).to_vec()).await.unwrap();
    }
    phone.ack_log(1).await.unwrap();
    phone.send(b"a message".to_vec()).await.unwrap();
    let soon = hub.server_time().after(Duration::from_secs(24 * 3600));
    hub.wake(key(2).public(), [1; 16], b"wake up".to_vec(), Urgency::High, soon).await.unwrap();
    let before = hub.usage().await.unwrap();
    drop((hub, phone));
    all_have_left(address).await;

    hands.pass(11 * MINUTE);
    house.server.sweep().await;
    assert_eq!(in_memory(address).await, 1.0, "its wakes within this hour are counted in memory only");
    hands.pass(HOUR);
    rests(&house, address).await;
    let counted = numbers(address).await;
    let of = |name: &str| value(&counted, &format!("privet_relay_{name}"), &[]);
    assert_eq!((of("stored_bytes"), of("log_entries")), (before.stored_bytes as f64, before.log_entries() as f64));
    assert_eq!((of("wakes_waiting"), of("homes")), (1.0, 1.0));

    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    let after = hub.usage().await.unwrap();
    let what = |usage: &privet_protocol::relay::Usage| {
        (usage.stored_bytes, usage.log_first, usage.log_head, usage.inbox_head, usage.streams)
    };
    assert_eq!(what(&after), what(&before));
    for index in 0..3 {
        let mut segment = phone.get(film, index, 0).await.unwrap();
        assert_eq!(read_all(&mut segment).await.unwrap(), body(index, 20_000));
    }
    assert_eq!(hub.stat(film).await.unwrap().finished, Some(3));
    assert_eq!(entries(phone.read_log(2, false).await.unwrap()).await.len(), 3);
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, [(1, b"a message".to_vec())]);
    assert_eq!(entries(phone.read_wakes(1, false).await.unwrap()).await, [(1, b"wake up".to_vec())]);
    let counted = numbers(address).await;
    assert_eq!(value(&counted, "privet_relay_stored_bytes", &[]), before.stored_bytes as f64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_while_its_home_rests_goes_in_time() {
    let hands = Hands::new();
    let house = House::with_clock(watched, hands.clock()).await;
    let address = address(&house).await;
    let hub = house.hub().await;
    // Too long for the index: each is a file.
    put(&hub, stream(), 0, keep(&hub, 3 * HOUR), body(1, 200_000)).await;
    put(&hub, stream(), 0, keep(&hub, 9 * HOUR), body(2, 200_000)).await;
    drop(hub);
    all_have_left(address).await;
    let bodies = house.dir.path().join("bodies");
    hands.pass(HOUR);
    rests(&house, address).await;
    assert_eq!(files(&bodies), 2);
    for left in [1, 0] {
        hands.pass(5 * HOUR);
        until(|| async {
            house.server.sweep().await;
            files(&bodies) == left
        })
        .await;
        rests(&house, address).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_not_whole_keeps_its_home_in_memory_and_goes_on() {
    let hands = Hands::new();
    let house = House::with_clock(watched, hands.clock()).await;
    let address = address(&house).await;
    let hub = house.hub().await;
    let film = stream();
    let mut begun = hub.put(film, 0, keep(&hub, 48 * HOUR), true).await.unwrap();
    begun.write(body(1, 50_000).slice(..20_000)).await.unwrap();
    until(|| async { hub.usage().await.unwrap().stored_bytes >= 20_000 }).await;
    let stored = hub.usage().await.unwrap().stored_bytes;
    drop((begun, hub));
    all_have_left(address).await;
    for _ in 0..3 {
        hands.pass(HOUR);
        house.server.sweep().await;
        assert_eq!(in_memory(address).await, 1.0);
    }
    let hub = house.hub().await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, stored);
    let mut begun = hub.put(film, 0, keep(&hub, 48 * HOUR), true).await.unwrap();
    assert_eq!(begun.offset(), 20_000);
    begun.write(body(1, 50_000).slice(20_000..)).await.unwrap();
    assert_eq!(begun.finish().await.unwrap(), 50_000);
    drop(hub);
    all_have_left(address).await;
    hands.pass(HOUR);
    rests(&house, address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_rests_is_not_read_before_something_of_it_expires() {
    let hands = Hands::new();
    let dir = tempfile::tempdir().unwrap();
    let store = SharedStore::open(&dir.path().join("store"));
    let mut config = config(dir.path());
    watched(&mut config);
    let server = Server::start_with(config, machine(hands.clock()), Arc::new(store.clone()), None).await.unwrap();
    let house = House { dir, server, home: HomeId::generate(&SystemRandom), owner: key(1) };
    let address = address(&house).await;
    let hub = house.hub().await;
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    put(&hub, stream(), 0, keep(&hub, 10 * HOUR), body(1, 20_000)).await;
    drop(hub);
    all_have_left(address).await;
    hands.pass(HOUR);
    rests(&house, address).await;

    store.troubles.forget_scans();
    for _ in 0..8 {
        hands.pass(HOUR);
        house.server.sweep().await;
    }
    assert_eq!(store.troubles.scans(b"b/", house.home), 0);
    hands.pass(2 * HOUR);
    rests(&house, address).await;
    assert!(store.troubles.scans(b"b/", house.home) > 0);
    let hub = house.hub().await;
    assert_eq!(entries(hub.read_log(1, false).await.unwrap()).await, [(1, b"an entry".to_vec())]);
    assert_eq!(hub.usage().await.unwrap().streams, 0);
}
