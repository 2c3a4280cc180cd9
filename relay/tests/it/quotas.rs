//! What one home may take of a relay: each bound is told in words that help, holds for this home only, and what is slowed comes all.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, From, Principal, Retention, Rights, Urgency};
use privet_protocol::time::Timestamp;
use privet_relay::Config;
use privet_relay_client::{ClientError, Connection, FollowEvent, Follower, SegmentReader, connect};

use crate::common::{self, House, PATIENCE, body, config, in_time, keep, key, put, read_all, stream, until};
use crate::openmetrics::{parse, value};
use crate::pages;

const START: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

/// A relay and where its numbers are.
async fn house(change: impl FnOnce(&mut Config)) -> (House, SocketAddr) {
    let house = House::with(|config| {
        config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
        change(config);
    })
    .await;
    until(|| async { house.server.metrics().is_some() }).await;
    let address = house.server.metrics().unwrap();
    (house, address)
}

/// The hub of another home.
async fn other_hub(house: &House) -> Connection {
    let principal = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    connect(&house.target(), principal, &key(50), PATIENCE).await.unwrap()
}

/// How many pieces of segments waited so far.
async fn slowed(address: SocketAddr, direction: &str) -> f64 {
    let samples = parse(&pages::page(address, "/metrics").await.1);
    value(&samples, "privet_relay_slowed_pieces_total", &[("direction", direction)])
}

fn refusal<T: Debug>(outcome: Result<T, ClientError>) -> (Code, String) {
    match outcome.unwrap_err() {
        ClientError::Refused(refusal) => (refusal.code, refusal.reason),
        other => panic!("not a refusal: {other}"),
    }
}

fn over_quota(what: &str, key: &str) -> (Code, String) {
    (Code::Quota, format!("the home may have {what}; for more the relay's operator raises limits.{key}"))
}

async fn segment(follower: &mut Follower) -> SegmentReader {
    match in_time(follower.next()).await.unwrap().expect("it ended") {
        FollowEvent::Segment(segment) => segment,
        other => panic!("not a segment: {other:?}"),
    }
}

const PACE: u32 = 64 << 10;

/// So many bytes took as long as they must at this pace: two seconds' worth come at once, live video one more, and of each the last piece.
fn took_its_time(began: Instant, bytes: u32) {
    let waited = bytes - 3 * PACE - 2 * (64 << 10);
    let least = Duration::from_secs_f64(f64::from(waited) / f64::from(PACE));
    assert!(began.elapsed() >= least, "{bytes} bytes took {:?}, which is less than {least:?}", began.elapsed());
}

async fn wake(hub: &Connection, id: u8) -> Result<(), ClientError> {
    let tomorrow = Timestamp(START + 24 * 60 * MINUTE);
    hub.wake(key(2).public(), [id; 16], vec![id], Urgency::High, tomorrow).await
}

#[tokio::test]
async fn wakes_of_an_hour_run_out_for_one_home_and_come_back_by_the_clock() {
    let now = Arc::new(AtomicI64::new(START));
    let clock = Arc::clone(&now);
    let clock = move || Timestamp(clock.load(Ordering::Relaxed));
    let house = House::with_clock(|config| config.limits.wakes_per_h = 3, Arc::new(clock)).await;
    let (hub, other) = (house.hub().await, other_hub(&house).await);
    for owner in [&hub, &other] {
        owner.grant(key(2).public(), Rights::PHONE).await.unwrap();
    }
    let in_minutes = |minutes: u64| {
        let had = "3 wakes within an hour, and had them";
        over_quota(&format!("{had}: the next one is possible in {minutes} min at most"), "wakes_per_h")
    };
    for id in 1..=3 {
        wake(&hub, id).await.unwrap();
    }
    assert_eq!(refusal(wake(&hub, 4).await), in_minutes(60));
    wake(&hub, 3).await.expect("what was accepted once is answered again");
    let left = async |hub: Connection| hub.usage().await.unwrap().wakes_left;
    assert_eq!((left(hub.clone()).await, left(other.clone()).await), (Some(0), Some(3)));
    wake(&other, 4).await.expect("another home's wakes are its own");

    now.fetch_add(59 * MINUTE, Ordering::Relaxed);
    assert_eq!(refusal(wake(&hub, 4).await), in_minutes(1));
    now.fetch_add(MINUTE, Ordering::Relaxed);
    assert_eq!(left(hub.clone()).await, Some(3));
    for id in 4..=6 {
        wake(&hub, id).await.unwrap();
    }
    assert_eq!(refusal(wake(&hub, 7).await), in_minutes(60));
}

#[tokio::test]
async fn messages_of_phones_count_as_stored_until_the_hub_has_them_and_reach_a_home_that_is_full() {
    let house = House::with(|config| config.limits.stored_bytes = 1 << 20).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let stored = async |hub: &Connection| hub.usage().await.unwrap().stored_bytes;
    for _ in 0..11 {
        phone.send(vec![7; 100_000]).await.unwrap();
    }
    let full = stored(&hub).await;
    assert!((1_100_000..1_102_000).contains(&full), "{full}");
    assert_eq!(refusal(hub.append(1, vec![1]).await).0, Code::Quota);
    let House { dir, server, home, owner } = house;
    server.shutdown().await;
    let mut config = config(dir.path());
    config.limits.stored_bytes = 1 << 20;
    let house = House { server: privet_relay::Server::start(config).await.unwrap(), dir, home, owner };
    let hub = house.hub().await;
    assert_eq!(stored(&hub).await, full, "counted anew at the start");
    hub.ack_inbox(11).await.unwrap();
    assert_eq!(stored(&hub).await, 0);
    hub.append(1, vec![1]).await.unwrap();
}

#[tokio::test]
async fn one_home_can_follow_so_many_streams_and_no_more() {
    let house = House::with(|config| config.limits.followers = 2).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let other = other_hub(&house).await;
    let (one, two) = (stream(), stream());
    let first = phone.follow(one, From::Newest).await.unwrap();
    let _second = hub.follow(one, From::Newest).await.unwrap();
    let refused = phone.follow(two, From::Newest).await;
    assert_eq!(refusal(refused), over_quota("2 followed streams at the same time", "followers"));
    let _another_home = other.follow(stream(), From::Newest).await.unwrap();
    drop(first);
    until(|| async { phone.follow(two, From::Newest).await.is_ok() }).await;
}

/// How many uploads of this process' relay are open files now.
fn open_uploads(house: &House) -> usize {
    let uploads = house.dir.path().join("bodies/partial");
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter(|file| std::fs::read_link(file.as_ref().unwrap().path()).is_ok_and(|to| to.starts_with(&uploads)))
        .count()
}

#[tokio::test]
async fn uploads_that_break_off_keep_no_file_open_and_are_so_many_and_no_more() {
    const MOST: u64 = 64;
    let house = House::new().await;
    let mut hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (one, two) = (stream(), stream());
    for index in 0..MOST {
        if index % 16 == 0 {
            // More uploads that break off would come at a pace only (`held_back.rs`).
            hub = house.hub().await;
        }
        let id = if index % 2 == 0 { one } else { two };
        let mut writer = in_time(hub.put(id, index, keep(), true)).await.unwrap();
        writer.write(body(index, 20_000)).await.unwrap();
        until(|| async { hub.usage().await.unwrap().stored_bytes == (index + 1) * 20_000 }).await;
    }
    until(|| async { open_uploads(&house) == 0 }).await;
    let many = "64 uploads of the home are unfinished; go on with one, or drop its stream";
    assert_eq!(refusal(in_time(hub.put(one, MOST, keep(), true)).await), (Code::Quota, many.to_owned()));
    assert_eq!(hub.usage().await.unwrap().stored_bytes, MOST * 20_000);
    let other = other_hub(&house).await;
    put(&other, stream(), 0, keep(), body(1, 20_000)).await;

    // What is there can be read, and the file is open as long as somebody does.
    let mut reader = phone.get(one, 0, 0).await.unwrap();
    let mut got = 0;
    while got < 20_000 {
        got += in_time(reader.read()).await.unwrap().unwrap().len();
    }
    const TEST: &str = "uploads_that_break_off_keep_no_file_open_and_are_so_many_and_no_more";
    if common::on_disk(TEST, "that a file is open while somebody reads; its uploads are no files") {
        assert_eq!(open_uploads(&house), 1);
    }
    drop(reader);
    until(|| async { open_uploads(&house) == 0 }).await;

    // One that is gone on with, or dropped, makes room.
    let mut writer = in_time(hub.put(one, 0, keep(), true)).await.unwrap();
    assert_eq!(writer.offset(), 20_000);
    writer.write(body(0, 20_001).slice(20_000..)).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), 20_001);
    assert_eq!(read_all(&mut phone.get(one, 0, 0).await.unwrap()).await.unwrap(), body(0, 20_001));
    put(&hub, one, MOST, keep(), body(2, 20_000)).await;
    hub.drop_stream(two).await.unwrap();
    for index in 0..MOST / 2 {
        drop(in_time(hub.put(stream(), index, keep(), true)).await.unwrap());
    }
    hub.drop_stream(one).await.unwrap();
}

#[tokio::test]
async fn a_hub_can_ask_how_full_its_home_is_and_new_limits_count_at_once() {
    let change = |config: &mut Config| {
        config.limits.stored_bytes = 1 << 20;
        config.limits.log_entries = 16;
        config.limits.wakes_per_h = 5;
    };
    let mut house = House::with(change).await;
    let hub = house.hub().await;
    for seq in 1..=16 {
        hub.append(seq, vec![1; 10]).await.unwrap();
    }
    let usage = hub.usage().await.unwrap();
    assert_eq!((usage.log_entries(), usage.log_limit), (16, Some(16)));
    assert_eq!((usage.stored_limit, usage.wakes_limit, usage.wakes_left), (Some(1 << 20), Some(5), Some(5)));
    assert_eq!(refusal(hub.append(17, vec![1]).await), over_quota("16 entries in its log", "log_entries"));
    let large = stream();
    let mut writer = hub.put(large, 0, keep(), false).await.unwrap();
    let written = writer.write(body(1, 1 << 20)).await;
    let refused = match written {
        Ok(()) => in_time(writer.finish()).await.map(|_| ()),
        refused => refused,
    };
    assert_eq!(refusal(refused), over_quota("1048576 bytes at this relay", "stored_bytes"));
    hub.drop_stream(large).await.unwrap();

    let mut larger = config(house.dir.path());
    change(&mut larger);
    larger.limits.log_entries = 17;
    larger.limits.wakes_per_h = 7;
    house.server.reload(&larger).unwrap();
    hub.append(17, vec![1]).await.unwrap();
    let usage = hub.usage().await.unwrap();
    assert_eq!((usage.log_entries(), usage.log_limit, usage.wakes_left), (17, Some(17), Some(7)));
}

#[tokio::test]
async fn a_hub_that_sends_too_fast_is_slowed_and_nothing_is_lost_or_overtaken() {
    let (house, address) = house(|config| config.limits.received_bytes_per_s = PACE).await;
    let (hub, other) = (house.hub().await, other_hub(&house).await);
    let phone = house.phone(&hub, 2).await;
    put(&other, stream(), 0, keep(), body(1, 100_000)).await;
    assert_eq!(slowed(address, "received").await, 0.0, "two seconds' worth may come at once");

    let (kept, live) = (stream(), stream());
    let began = Instant::now();
    let puts: Vec<_> = (0..3)
        .map(|index| {
            let hub = hub.clone();
            tokio::spawn(async move { put(&hub, kept, index, keep(), body(index, 90_000)).await })
        })
        .collect();
    let mut follower = phone.follow(live, From::Index(0)).await.unwrap();
    for index in 0..4 {
        put(&hub, live, index, Retention::Pass, body(10 + index, 30_000)).await;
        let mut passing = segment(&mut follower).await;
        assert_eq!(passing.index(), index);
        assert_eq!(read_all(&mut passing).await.unwrap(), body(10 + index, 30_000));
    }
    for put in puts {
        assert_eq!(put.await.unwrap(), 90_000);
    }
    took_its_time(began, 3 * 90_000 + 4 * 30_000);
    for index in 0..3 {
        let mut reader = phone.get(kept, index, 0).await.unwrap();
        assert_eq!(read_all(&mut reader).await.unwrap(), body(index, 90_000));
    }
    let waited = slowed(address, "received").await;
    assert!(waited > 0.0);
    put(&other, stream(), 0, keep(), body(2, 10_000)).await;
    assert_eq!(slowed(address, "received").await, waited, "another home has its own");
    assert_eq!(slowed(address, "sent").await, 0.0);
}

#[tokio::test]
async fn of_uploads_that_wait_for_their_turn_the_relay_takes_a_packet_each() {
    const UPLOADS: u64 = 12;
    const PACKET: u64 = 2048;
    // A machine that takes longer for this than what is owed lasts is given another try.
    until(|| async {
        let began = Instant::now();
        let (house, address) = house(|config| config.limits.received_bytes_per_s = PACE).await;
        let hub = house.hub().await;
        let id = stream();
        // More than two seconds' worth: for more than a second nothing of the next comes to its turn.
        put(&hub, id, 0, keep(), body(0, 250_000)).await;
        let received = async || {
            let samples = parse(&pages::page(address, "/metrics").await.1);
            value(&samples, "privet_relay_received_bytes_total", &[])
        };
        let before = received().await;
        let mut uploads = Vec::new();
        for index in 1..=UPLOADS {
            let mut upload = hub.put(id, index, keep(), false).await.unwrap();
            upload.write(body(index, 100_000)).await.unwrap();
            uploads.push(upload);
        }
        // All of it has had the time to come.
        for _ in 0..30 {
            hub.usage().await.unwrap();
        }
        let taken = received().await - before;
        if began.elapsed() > Duration::from_secs(1) {
            return false;
        }
        assert!(taken <= (UPLOADS * PACKET + 10_000) as f64, "{taken} bytes of {UPLOADS} uploads that wait");
        true
    })
    .await;
}

#[tokio::test]
async fn readers_that_want_too_much_are_slowed_and_get_all_of_it() {
    let (house, address) = house(|config| config.limits.sent_bytes_per_s = PACE).await;
    let (hub, other) = (house.hub().await, other_hub(&house).await);
    let phone = house.phone(&hub, 2).await;
    let (kept, others) = (stream(), stream());
    for index in 0..3 {
        put(&hub, kept, index, keep(), body(index, 130_000)).await;
    }
    put(&other, others, 0, keep(), body(9, 80_000)).await;

    let began = Instant::now();
    let mut follower = phone.follow(kept, From::Index(2)).await.unwrap();
    let gets: Vec<_> = (0..2)
        .map(|index| {
            let phone = phone.clone();
            tokio::spawn(async move { read_all(&mut phone.get(kept, index, 0).await.unwrap()).await.unwrap() })
        })
        .collect();
    let mut followed = segment(&mut follower).await;
    assert_eq!(read_all(&mut followed).await.unwrap(), body(2, 130_000));
    for (index, get) in (0..).zip(gets) {
        assert_eq!(get.await.unwrap(), body(index, 130_000));
    }
    took_its_time(began, 3 * 130_000);
    let waited = slowed(address, "sent").await;
    assert!(waited > 0.0);
    assert_eq!(read_all(&mut other.get(others, 0, 0).await.unwrap()).await.unwrap(), body(9, 80_000));
    assert_eq!(slowed(address, "sent").await, waited, "another home has its own");
}

#[tokio::test]
async fn live_video_of_a_home_that_is_sent_too_much_skips_whole_segments_and_says_so() {
    const SEGMENTS: u64 = 6;
    let house = House::with(|config| {
        config.limits.sent_bytes_per_s = PACE;
        config.limits.patience_ms = 0;
    })
    .await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    let mut follower = phone.follow(id, From::Index(0)).await.unwrap();
    for index in 0..SEGMENTS {
        put(&hub, id, index, Retention::Pass, body(index, 100_000)).await;
    }
    hub.finish_stream(id, SEGMENTS).await.unwrap();
    let (mut whole, mut skipped) = (BTreeSet::new(), BTreeSet::new());
    loop {
        match in_time(follower.next()).await.unwrap().expect("its end is told") {
            FollowEvent::Segment(mut reader) => match read_all(&mut reader).await {
                Ok(bytes) => {
                    assert_eq!(bytes, body(reader.index(), 100_000));
                    whole.insert(reader.index());
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            },
            FollowEvent::Skipped { from, to } => skipped.extend(from..to),
            FollowEvent::Ended { segments } => {
                assert_eq!(segments, SEGMENTS);
                break;
            }
        }
    }
    assert!(whole.contains(&(SEGMENTS - 1)), "nothing newer came after the last one");
    let all: BTreeSet<_> = whole.union(&skipped).copied().collect();
    assert_eq!(all, (0..SEGMENTS).collect::<BTreeSet<_>>(), "each came whole or is told as skipped");
    assert!(!skipped.is_empty(), "it was not slowed");
}

#[tokio::test]
async fn live_video_goes_on_while_clips_are_fetched_at_the_limit() {
    let (house, address) = house(|config| config.limits.sent_bytes_per_s = PACE).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (kept, live) = (stream(), stream());
    put(&hub, kept, 0, keep(), body(1, 1 << 20)).await;
    let mut follower = phone.follow(live, From::Index(0)).await.unwrap();
    let gets: Vec<_> = (0..2)
        .map(|_| {
            let phone = phone.clone();
            tokio::spawn(async move { read_all(&mut phone.get(kept, 0, 0).await.unwrap()).await })
        })
        .collect();
    until(|| async { slowed(address, "sent").await > 0.0 }).await;
    for index in 0..12 {
        put(&hub, live, index, Retention::Pass, body(index, 5000)).await;
        let mut passing = segment(&mut follower).await;
        assert_eq!(passing.index(), index);
        assert_eq!(read_all(&mut passing).await.unwrap(), body(index, 5000));
    }
    assert!(gets.iter().all(|get| !get.is_finished()), "the clips went first");
    gets.iter().for_each(tokio::task::JoinHandle::abort);
}
