//! A follower behind a link slower than the video. Needs root for the link (`privet-link`); skipped without, and says so.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use privet_link::{CENTRE, Centre, Conditions, Link, Rate};
use privet_protocol::id::StreamId;
use privet_protocol::relay::{From, Principal, Retention, Rights};
use privet_relay::Config;
use privet_relay_client::{ClientKey, Connection, FollowEvent, Follower, RelayTarget, Trust, connect};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::common::{House, PATIENCE, body, entry, in_time, key, put, stream};

/// On a thread of the runtime: sockets have to be opened there.
fn on<T: Send + 'static>(runtime: &Runtime, what: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(what)).unwrap()
}

/// A relay in the centre, a phone at the end of a slow link, and what each of them runs on.
struct Scene {
    here: Runtime,
    there: Runtime,
    hub: Connection,
    phone: Connection,
    _house: House,
    link: Link,
    _centre: Centre,
}

impl Scene {
    fn or_skip(test: &str, mbit: f64, change: impl FnOnce(&mut Config) + Send + 'static) -> Option<Self> {
        let mut centre = Centre::or_skip(test)?;
        let slow = Conditions::delay(Duration::from_millis(10)).with_rate(Some(Rate::mbit(mbit)));
        let link = centre.link(slow, slow, 1).unwrap();
        let (here, there) = (centre.namespace().runtime().unwrap(), link.namespace().runtime().unwrap());
        let set_up = |config: &mut Config| {
            config.listen = (CENTRE, 0).into();
            change(config);
        };
        let house = on(&here, House::with(set_up));
        let port = house.server.address().port();
        let target = RelayTarget { host: CENTRE.to_string(), port, trust: Trust::Pin(house.server.pin()) };
        let home = house.home;
        let connection = |runtime: &Runtime, principal: Principal, key: ClientKey| {
            let target = target.clone();
            on(runtime, async move { connect(&target, principal, &key, PATIENCE).await.unwrap() })
        };
        let hub = connection(&here, Principal::Founder { home, invite: None }, key(1));
        let owner = hub.clone();
        on(&here, async move { owner.grant(key(2).public(), Rights::PHONE).await.unwrap() });
        let phone = connection(&there, Principal::Member { home }, key(2));
        Some(Self { here, there, hub, phone, _house: house, link, _centre: centre })
    }
}

/// Films 3.2 Mb/s, a segment a second, until told to stop: how many segments.
async fn film(hub: Connection, id: StreamId, stop: CancellationToken) -> u64 {
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    let mut index = 0;
    while !stop.is_cancelled() {
        let mut writer = hub.put(id, index, Retention::Pass, false).await.unwrap();
        for _ in 0..10 {
            beat.tick().await;
            in_time(writer.write(body(index, 40_000))).await.unwrap();
        }
        in_time(writer.finish()).await.unwrap();
        index += 1;
    }
    hub.finish_stream(id, index).await.unwrap();
    index
}

/// What a follower was told of the segments of a stream, by its end.
#[derive(Debug, Default)]
struct Told {
    begun: BTreeSet<u64>,
    whole: BTreeSet<u64>,
    /// Begun, and given up by the relay.
    given_up: BTreeSet<u64>,
    skipped: BTreeSet<u64>,
    ended: u64,
}

async fn follow(mut follower: Follower) -> Told {
    let mut told = Told::default();
    let mut readers = tokio::task::JoinSet::new();
    loop {
        match follower.next().await.unwrap().unwrap() {
            FollowEvent::Segment(mut reader) => {
                told.begun.insert(reader.index());
                readers.spawn(async move {
                    loop {
                        match reader.read().await {
                            Ok(Some(_)) => {}
                            Ok(None) => return (reader.index(), true),
                            Err(error) => {
                                assert!(error.to_string().contains("too slow"), "{error}");
                                return (reader.index(), false);
                            }
                        }
                    }
                });
            }
            FollowEvent::Skipped { from, to } => told.skipped.extend(from..to),
            FollowEvent::Ended { segments } => {
                told.ended = segments;
                break;
            }
        }
    }
    while let Some(read) = readers.join_next().await {
        let (index, whole) = read.unwrap();
        if whole { &mut told.whole } else { &mut told.given_up }.insert(index);
    }
    told
}

/// The numbers of a stream's segments, in the order in which they have come whole.
async fn arrivals(mut follower: Follower) -> Vec<u64> {
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let mut readers = tokio::task::JoinSet::new();
    loop {
        match follower.next().await.unwrap().unwrap() {
            FollowEvent::Segment(mut reader) => {
                let arrived = Arc::clone(&arrived);
                readers.spawn(async move {
                    while reader.read().await.unwrap().is_some() {}
                    arrived.lock().unwrap().push(reader.index());
                });
            }
            FollowEvent::Skipped { from, to } => panic!("{from} to {to} were skipped"),
            FollowEvent::Ended { .. } => break,
        }
    }
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    let arrived = arrived.lock().unwrap();
    arrived.clone()
}

#[test]
fn a_newer_segment_overtakes_what_is_left_of_the_older_one() {
    // Both fit into what may wait in the relay's connection for the link (64 KiB): what is put there later is limited by what has arrived.
    const OLDER: usize = 50_000;
    const NEWER: usize = 8_000;
    const ENTRIES: u64 = 8;
    // The older one is not given up for the newer one.
    let patient = |config: &mut Config| config.limits.patience_ms = 60_000;
    let Some(scene) = Scene::or_skip("a newer segment behind a slow link", 0.5, patient) else { return };
    let Scene { here, there, hub, phone, link, .. } = &scene;
    // By these the relay learns how slow the link is. Before it has, all goes out at once.
    let mut log = on(there, {
        let phone = phone.clone();
        async move { phone.read_log(1, true).await.unwrap() }
    });
    for seq in 1..=ENTRIES {
        let hub = hub.clone();
        on(here, async move { in_time(hub.append(seq, vec![7; 30_000])).await.unwrap() });
        let (got, back) = on(there, async move { (entry(&mut log).await, log) });
        log = back;
        assert_eq!(got.0, seq);
    }
    let id = stream();
    let follower = on(there, {
        let phone = phone.clone();
        async move { phone.follow(id, From::Index(0)).await.unwrap() }
    });
    let following = there.spawn(arrivals(follower));
    on(here, {
        let hub = hub.clone();
        async move {
            for (index, length) in [(0, OLDER), (1, NEWER)] {
                put(&hub, id, index, Retention::Pass, body(index, length)).await;
            }
            hub.finish_stream(id, 2).await.unwrap();
        }
    });
    let arrived = on(here, async move { in_time(following).await.unwrap() });
    println!("the link: {:?}", link.down());
    assert_eq!(arrived, [1, 0]);
}

#[test]
fn the_end_of_an_overtaken_segment_does_not_come_late() {
    // The first one is in the relay's connection whole, which holds 64 KiB at first, when the one after it begins. Its turn there would come after
    // that one, but for what finds room in between; and had it the link for itself, it would take 2.4 s, which is longer than it is waited for.
    const MBIT: f64 = 0.2;
    const OLDER: usize = 60_000;
    const NEWER: usize = 120_000;
    let Some(scene) = Scene::or_skip("the end of a segment behind a slow link", MBIT, |_| {}) else { return };
    let Scene { here, there, hub, phone, link, .. } = &scene;
    let id = stream();
    let follower = on(there, {
        let phone = phone.clone();
        async move { phone.follow(id, From::Index(0)).await.unwrap() }
    });
    let following = there.spawn(follow(follower));
    on(here, {
        let hub = hub.clone();
        async move {
            for (index, length) in [(0, OLDER), (1, NEWER)] {
                put(&hub, id, index, Retention::Pass, body(index, length)).await;
            }
            hub.finish_stream(id, 2).await.unwrap();
        }
    });
    let told = on(here, async move { in_time(following).await.unwrap() });
    println!("{told:?}; the link: {:?}", link.down());
    assert!(told.given_up.contains(&0) && !told.skipped.contains(&0), "its end was given up after it was sent whole");
    assert!(told.whole.contains(&1), "the newest has come");
}

#[test]
fn log_entries_overtake_video_and_every_segment_that_does_not_come_is_told() {
    const ENTRIES: u64 = 20;
    let Some(scene) = Scene::or_skip("a follower behind a slow link", 0.5, |_| {}) else { return };
    let Scene { here, there, hub, phone, link, .. } = &scene;
    let id = stream();
    let follower = on(there, {
        let phone = phone.clone();
        async move { phone.follow(id, From::Index(0)).await.unwrap() }
    });
    let mut log = on(there, {
        let phone = phone.clone();
        async move { phone.read_log(1, true).await.unwrap() }
    });
    let stop = CancellationToken::new();
    let following = there.spawn(follow(follower));
    let filming = here.spawn(film(hub.clone(), id, stop.clone()));
    for seq in 1..=ENTRIES {
        let hub = hub.clone();
        on(here, async move {
            tokio::time::sleep(Duration::from_millis(400)).await;
            in_time(hub.append(seq, vec![7; 2000])).await.unwrap();
        });
        let (got, back) = on(there, async move { (entry(&mut log).await, log) });
        log = back;
        assert_eq!(got, (seq, vec![7; 2000]));
    }
    stop.cancel();
    let (filmed, told) = on(here, async move { (in_time(filming).await.unwrap(), in_time(following).await.unwrap()) });
    println!("{filmed} segments filmed; {told:?}; the link: {:?}", link.down());
    assert_eq!(told.ended, filmed);
    let without = &(&told.skipped | &told.given_up) - &told.whole;
    assert_eq!(&told.whole | &without, (0..filmed).collect(), "each is whole, or told as skipped or given up");
    assert!(without.len() as u64 > filmed / 2, "the link is far too slow for more");
    assert!(told.begun.len() > without.len() / 2, "and yet it goes on with a new one again and again");
}
