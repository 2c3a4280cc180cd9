//! Peers that do not play by the rules: each is refused in words or cut off, and the relay serves the others on.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use futures::FutureExt as _;
use privet_protocol::id::HomeId;
use privet_protocol::random::{Random, SeededRandom, SystemRandom};
use privet_protocol::relay::{
    ALPN, Code, From as Start, Hello, HelloAnswer, Principal, Refusal, Request, Response, Retention, close, frame,
    reset,
};
use privet_relay::Config;
use privet_relay_client::{FollowEvent, connect};
use quinn::WriteError;

use crate::by_hand::half_sent::{HALF, HalfSent};
use crate::by_hand::{self, answer, closed_with, raw, raw_with, say, signed};
use crate::common::{self, House, PATIENCE, body, code, entries, in_time, keep, key, put, read_all, stream};
use crate::openmetrics;
use crate::pages;

#[tokio::test]
async fn a_recorded_hello_is_worthless_on_another_connection() {
    let house = House::new().await;
    let (_one, first) = raw(&house, ALPN).await.unwrap();
    let hello = signed(&first, Principal::Founder { home: house.home, invite: None }, 1);
    let welcome: HelloAnswer = answer(&say(&first, &frame(&hello)).await);
    assert!(matches!(welcome, HelloAnswer::Welcome { version: 1, .. }));

    let (_two, second) = raw(&house, ALPN).await.unwrap();
    let refused: HelloAnswer = answer(&say(&second, &frame(&hello)).await);
    assert!(matches!(refused, HelloAnswer::Refused(Refusal { code: Code::Denied, .. })));
    assert_eq!(closed_with(&second).await, close::REFUSED);
}

#[tokio::test]
async fn a_newer_client_is_met_at_the_version_that_both_speak() {
    #[derive(serde::Serialize)]
    struct Newer {
        #[serde(flatten)]
        hello: Hello,
        /// What a later version may add.
        wishes: Vec<&'static str>,
    }
    let house = House::new().await;
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let mut hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    hello.versions = vec![3, 2, 1];
    let welcome = answer(&say(&connection, &frame(&Newer { hello, wishes: vec!["compression"] })).await);
    assert!(matches!(welcome, HelloAnswer::Welcome { version: 1, .. }), "{welcome:?}");

    for (offered, who) in [(vec![3, 2], "the relay"), (vec![0], "Privet"), (vec![], "Privet")] {
        let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
        let mut hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
        hello.versions = offered;
        let HelloAnswer::Refused(refusal) = answer(&say(&connection, &frame(&hello)).await) else {
            panic!("welcome without a common version");
        };
        assert_eq!(refusal.code, Code::Version);
        assert!(refusal.reason.ends_with(&format!("update {who}")), "{}", refusal.reason);
    }
}

#[tokio::test]
async fn wrong_hellos_are_refused_in_words() {
    let house = House::new().await;
    house.hub().await;
    let founder = || Principal::Founder { home: house.home, invite: None };
    type Spoil = fn(&mut Hello);
    let cases: [(&str, Spoil, Code); 4] = [
        ("version", |hello| hello.versions = vec![9, 7], Code::Version),
        ("signature", |hello| hello.signature.0[5] ^= 1, Code::Denied),
        ("another key", |hello| hello.key = key(2).public(), Code::Denied),
        (
            "another principal",
            |hello| hello.principal = Principal::Member { home: HomeId::from_bytes([1; 16]) },
            Code::Denied,
        ),
    ];
    for (name, spoil, expected) in cases {
        let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
        let mut hello = signed(&connection, founder(), 1);
        spoil(&mut hello);
        let HelloAnswer::Refused(refusal) = answer(&say(&connection, &frame(&hello)).await) else {
            panic!("{name} was welcome");
        };
        assert_eq!(refusal.code, expected, "{name}");
    }
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let stranger = signed(&connection, founder(), 7);
    let answered: HelloAnswer = answer(&say(&connection, &frame(&stranger)).await);
    assert!(matches!(answered, HelloAnswer::Refused(Refusal { code: Code::Denied, .. })), "not the owner");
    assert!(raw(&house, b"h3").await.is_err(), "another protocol");
}

#[tokio::test]
async fn who_says_no_hello_is_cut_off() {
    let house = House::with(|config| config.limits.hello_ms = 200).await;
    let (_one, silent) = raw(&house, ALPN).await.unwrap();
    assert_eq!(closed_with(&silent).await, close::LATE);
    let (_two, slow) = raw(&house, ALPN).await.unwrap();
    let (mut send, _receive) = slow.open_bi().await.unwrap();
    send.write_all(&[0, 0, 1]).await.unwrap();
    assert_eq!(closed_with(&slow).await, close::LATE);
    house.hub().await.usage().await.unwrap();
}

#[tokio::test]
async fn what_is_announced_too_large_is_refused_before_it_comes() {
    let house = House::new().await;
    let (_one, connection) = raw(&house, ALPN).await.unwrap();
    let refused: HelloAnswer = answer(&say(&connection, &u32::MAX.to_be_bytes()).await);
    assert!(matches!(refused, HelloAnswer::Refused(Refusal { code: Code::TooLarge, .. })));
    let (_two, connection) = raw(&house, ALPN).await.unwrap();
    let refused: HelloAnswer = answer(&say(&connection, &100_000_u32.to_be_bytes()).await);
    assert!(matches!(refused, HelloAnswer::Refused(Refusal { code: Code::TooLarge, .. })));

    let (_three, connection) = raw(&house, ALPN).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    let refused: Response = answer(&say(&connection, &u32::MAX.to_be_bytes()).await);
    assert!(matches!(refused, Response::Refused(Refusal { code: Code::TooLarge, .. })));
}

#[tokio::test]
async fn garbage_on_any_stream_is_answered_and_the_relay_serves_on() {
    let house = House::new().await;
    let random = SeededRandom::new(b"garbage");
    let request = frame(&Request::Append { seq: 1, entry: vec![1; 200] });
    let mut of_ours = Vec::new();
    for round in 0..300 {
        // More of it on one connection would be answered at a pace only (`held_back.rs`).
        if round % 30 == 0 {
            let (endpoint, connection) = raw(&house, ALPN).await.unwrap();
            let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
            say(&connection, &frame(&hello)).await;
            of_ours = vec![(endpoint, connection)];
        }
        let (_endpoint, connection) = &of_ours[0];
        let mut length = [0; 1];
        random.fill(&mut length);
        let mut bytes = vec![0; usize::from(length[0])];
        random.fill(&mut bytes);
        match round % 3 {
            // Noise, noise in a frame, and a request with one wrong byte or cut off.
            0 => {}
            1 => bytes = [u32::try_from(bytes.len()).unwrap().to_be_bytes().as_slice(), &bytes].concat(),
            _ => {
                let cut = usize::from(length[0]) % request.len();
                let mut spoiled = request.clone();
                spoiled[cut] ^= 0x55;
                bytes = if round % 2 == 0 { spoiled } else { request[..cut].to_vec() };
            }
        }
        let answered = say(connection, &bytes).await;
        let response: Response = answer(&answered);
        assert!(matches!(response, Response::Refused(_) | Response::Appended { .. }), "{response:?}");
        assert!(connection.close_reason().is_none());
    }

    // Not even QUIC.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in 0..1000 {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        socket.send_to(&bytes, house.server.address()).unwrap();
    }
    house.hub().await.usage().await.unwrap();
}

#[tokio::test]
async fn too_many_requests_and_connections_are_refused() {
    let house = House::with(|config| {
        config.limits.requests_per_s = 1;
        config.limits.key_connections = 2;
        config.limits.home_connections = 3;
    })
    .await;
    let hub = house.hub().await;
    hub.grant(key(2).public(), privet_protocol::relay::Rights::PHONE).await.unwrap();
    let mut refused = 0;
    for _ in 0..30 {
        if let Err(error) = hub.usage().await {
            assert_eq!(error.refusal(), Some(Code::Busy));
            assert!(error.is_retryable());
            refused += 1;
        }
    }
    assert!(refused > 0);

    let second = house.hub().await;
    let third = house.hub().await;
    let replaced = in_time(hub.closed()).await.to_string();
    assert!(replaced.contains("limits.key_connections is 2"), "{replaced}");
    let phone = house.try_phone(2).await.unwrap();
    let refused = house.try_phone(2).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Code::Busy));
    let told = "the home may have 3 connections at the same time; for more the relay's operator raises limits.home_connections";
    assert!(refused.to_string().contains(told), "{refused}");
    for connection in [&second, &third, &phone] {
        connection.usage().await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_closed_for_a_newcomer_that_is_refused() {
    let mut house = House::new().await;
    let hub = house.hub().await;
    let phones = [house.phone(&hub, 2).await, house.phone(&hub, 3).await];
    let mut smaller = common::config(house.dir.path());
    smaller.limits.key_connections = 1;
    smaller.limits.home_connections = 2;
    house.server.reload(&smaller).unwrap();
    let principal = Principal::Founder { home: house.home, invite: None };
    let refused = connect(&house.target(), principal, &house.owner, PATIENCE).await;
    assert_eq!(code(refused), Code::Busy);
    for connection in [&hub].into_iter().chain(&phones) {
        connection.usage().await.unwrap();
    }
}

#[tokio::test]
async fn one_network_can_not_take_all_the_room() {
    let house = House::with(|config| config.limits.connects_per_s = 1).await;
    let mut refused = 0;
    for _ in 0..30 {
        let outcome =
            connect(&house.target(), Principal::Founder { home: house.home, invite: None }, &house.owner, PATIENCE)
                .await;
        refused += usize::from(outcome.is_err());
    }
    assert!(refused > 10, "only {refused} of 30");
    // Others come all the while.
    for network in 2..12 {
        let (_endpoint, connection) = in_time(by_hand::raw_from([127, 0, 0, network], &house)).await.unwrap();
        let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
        let welcome: HelloAnswer = answer(&say(&connection, &frame(&hello)).await);
        assert!(matches!(welcome, HelloAnswer::Welcome { .. }), "{welcome:?}");
        connection.close(close::DONE.into(), b"");
    }
    // A little patience and it goes again.
    common::until(async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.try_phone(3).await.is_err_and(|e| e.refusal() == Some(Code::Denied))
    })
    .await;
}

#[tokio::test]
async fn nobody_uses_up_the_room_of_a_network_in_its_name() {
    let (house, metrics) = watched_with(|config| config.limits.connects_per_s = 1).await;
    // Whoever writes another's address on its packets does not hear what is answered.
    let forger = by_hand::deaf();
    let begin = || forger.connect_with(by_hand::config(ALPN), house.server.address(), "relay").unwrap();
    let forged: Vec<_> = (0..40).map(|_| begin()).collect();
    common::until(async || {
        let samples = openmetrics::parse(&pages::page(metrics, "/metrics").await.1);
        openmetrics::value(&samples, "privet_relay_newcomers_total", &[("outcome", "asked_again")]) >= 30.0
    })
    .await;
    let (_endpoint, connection) = in_time(raw(&house, ALPN)).await.expect("one of the network that was forged");
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    let welcome: HelloAnswer = answer(&say(&connection, &frame(&hello)).await);
    assert!(matches!(welcome, HelloAnswer::Welcome { .. }), "{welcome:?}");
    drop(forged);
}

#[tokio::test]
async fn a_network_has_so_many_connections_and_few_of_them_without_a_hello() {
    let house = House::with(|config| {
        config.limits.network_connections = 24;
        config.limits.hello_ms = 60_000;
        config.limits.key_connections = 100;
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(in_time(raw(&house, ALPN)).await.unwrap());
    }
    assert!(in_time(raw(&house, ALPN)).await.is_err(), "a fourth that says nothing");
    in_time(by_hand::raw_from([127, 0, 0, 2], &house)).await.expect("of another network");
    for (_endpoint, connection) in silent.drain(..) {
        connection.close(close::DONE.into(), b"");
    }
    common::until(async || raw(&house, ALPN).await.is_ok()).await;

    common::until(async || house.server.connections() == 0).await;
    let mut hubs = Vec::new();
    for _ in 0..24 {
        hubs.push(house.hub().await);
    }
    assert!(in_time(raw(&house, ALPN)).await.is_err(), "one more than it may have");
    in_time(by_hand::raw_from([127, 0, 0, 2], &house)).await.expect("of another network");
    hubs.pop().unwrap().close();
    common::until(async || raw(&house, ALPN).await.is_ok()).await;
}

#[tokio::test]
async fn all_of_many_who_come_at_once_get_their_turn() {
    let (house, metrics) = watched_with(|config| config.limits.hello_ms = 60_000).await;
    // More than are computed at a time on most machines, and fewer than a network may have without a hello.
    let crowd = (0..200).map(|number| by_hand::raw_from([127, 0, 0, 2 + number % 4], &house));
    let came: Vec<_> = in_time(futures::future::join_all(crowd)).await.into_iter().map(Result::unwrap).collect();
    common::until(async || newcomers(metrics, "connected").await == 200.0).await;
    assert_eq!((newcomers(metrics, "crowded").await, newcomers(metrics, "failed").await), (0.0, 0.0));
    common::until(async || number(metrics, "privet_relay_handshakes").await == 0.0).await;
    drop(came);
    house.hub().await.usage().await.unwrap();
}

#[tokio::test]
async fn a_relay_that_is_full_turns_newcomers_away_and_serves_the_others() {
    let (house, metrics) = watched_with(|config| config.limits.connections = 3).await;
    let mut hubs = Vec::new();
    for _ in 0..3 {
        hubs.push(house.hub().await);
    }
    assert!(in_time(raw(&house, ALPN)).await.is_err());
    let samples = openmetrics::parse(&pages::page(metrics, "/metrics").await.1);
    assert!(openmetrics::value(&samples, "privet_relay_newcomers_total", &[("outcome", "full")]) >= 1.0);
    for hub in &hubs {
        hub.usage().await.unwrap();
    }
    hubs.pop().unwrap().close();
    common::until(async || raw(&house, ALPN).await.is_ok()).await;
}

#[tokio::test]
async fn numbers_that_nothing_could_follow_are_refused() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let last = u64::MAX / 2;
    for beyond in [last + 1, u64::MAX] {
        assert_eq!(code(hub.append(beyond, vec![1]).await), Code::Malformed);
        for retention in [Retention::Pass, keep()] {
            let writer = hub.put(stream(), beyond, retention, false).await.unwrap();
            assert_eq!(code(in_time(writer.finish()).await), Code::Malformed);
        }
    }
    // The last one that may be is like any other: it is read, acknowledged and followed to its end.
    assert_eq!(hub.append(last, vec![1]).await.unwrap(), last);
    assert_eq!(entries(phone.read_log(last, false).await.unwrap()).await, [(last, vec![1])]);
    phone.ack_log(last).await.unwrap();
    assert_eq!(code(hub.append(0, vec![1]).await), Code::Conflict);
    let usage = hub.usage().await.unwrap();
    assert_eq!((usage.log_entries(), usage.log_head), (0, last));
    let id = stream();
    put(&hub, id, last, keep(), body(1, 100)).await;
    hub.finish_stream(id, last + 1).await.unwrap();
    let mut follower = phone.follow(id, Start::Index(last)).await.unwrap();
    let Some(FollowEvent::Segment(mut segment)) = in_time(follower.next()).await.unwrap() else {
        panic!("no segment");
    };
    assert_eq!(read_all(&mut segment).await.unwrap(), body(1, 100));
    assert!(matches!(in_time(follower.next()).await.unwrap(), Some(FollowEvent::Ended { .. })));
}

#[tokio::test]
async fn a_hello_that_trickles_in_is_cut_off_all_the_same() {
    let house = House::with(|config| config.limits.hello_ms = 300).await;
    let hub = house.hub().await;
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let hello = frame(&signed(&connection, Principal::Founder { home: house.home, invite: None }, 1));
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    let trickle = async {
        for byte in hello {
            if send.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (closed, ()) = in_time(async { tokio::join!(closed_with(&connection), trickle) }).await;
    assert_eq!(closed, close::LATE);
    hub.usage().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_streams_is_bounded_and_leaves_room_for_others() {
    let house = House::new().await;
    let hub = house.hub().await;
    // Streams that are begun and reset. More of them on one connection would come at a pace only (`held_back.rs`).
    let mut last = None;
    for _connection in 0..50 {
        let (endpoint, connection) = raw(&house, ALPN).await.unwrap();
        let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
        let HelloAnswer::Welcome { limits, .. } = answer(&say(&connection, &frame(&hello)).await) else {
            panic!("not welcome");
        };
        for round in 0..40_u32 {
            let (mut send, _receive) = in_time(connection.open_bi()).await.unwrap();
            send.write_all(&round.to_be_bytes()).await.unwrap();
            send.reset(0_u32.into()).unwrap();
        }
        last = Some((endpoint, connection, limits));
    }
    let (_endpoint, connection, limits) = last.unwrap();
    // Streams on which a giant message is announced that does not come. Of those that became free QUIC tells in steps of an eighth.
    let mut held = Vec::new();
    for _ in 0..limits.streams - limits.streams / 8 {
        let (mut send, receive) = in_time(connection.open_bi()).await.unwrap();
        send.write_all(&100_000_u32.to_be_bytes()).await.unwrap();
        held.push((send, receive));
    }
    while let Some(Ok(stream)) = connection.open_bi().now_or_never() {
        held.push(stream);
        assert!(held.len() <= limits.streams as usize, "more than {}", limits.streams);
    }
    hub.usage().await.unwrap();
    house.hub().await.usage().await.unwrap();
    // What is given up makes room again.
    held.clear();
    let answered: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
    assert!(matches!(answered, Response::Usage(_)), "{answered:?}");
}

#[tokio::test]
async fn requests_that_are_given_up_count_as_requests() {
    let house = House::with(|config| config.limits.requests_per_s = 1).await;
    // Ten may come at once. A machine that takes more than a second for them is given another try.
    common::until(async || {
        let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
        let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
        say(&connection, &frame(&hello)).await;
        for round in 0..12_u32 {
            let (mut send, _receive) = in_time(connection.open_bi()).await.unwrap();
            send.write_all(&round.to_be_bytes()).await.unwrap();
            send.reset(0_u32.into()).unwrap();
        }
        let answered: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
        matches!(answered, Response::Refused(Refusal { code: Code::Busy, .. }))
    })
    .await;
}

#[tokio::test]
async fn what_has_come_of_half_sent_requests_is_bounded_for_a_home() {
    let house = House::with(|config| config.limits.key_connections = 64).await;
    // More than a quarter of 64 MiB.
    let mut half_sent = HalfSent::begin(house.server.address(), house.home, 12).await;
    let (hub, large) = (house.hub().await, vec![1; HALF]);
    half_sent.fill(&hub).await;
    // What is small goes on, and so do other homes.
    hub.usage().await.unwrap();
    let other = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let other = connect(&house.target(), other, &key(7), PATIENCE).await.unwrap();
    other.append(1, large.clone()).await.unwrap();
    drop(half_sent);
    common::until(async || hub.append(1, large.clone()).await.is_ok()).await;
}

#[tokio::test]
async fn homes_that_half_send_all_there_may_be_keep_neither_newcomers_nor_other_homes_out() {
    let house = House::with(|config| config.limits.key_connections = 64).await;
    let founder = |home| Principal::Founder { home, invite: None };
    let mut greedy = Vec::new();
    // Each has its quarter, and together that is all.
    for _ in 0..4 {
        let home = HomeId::generate(&SystemRandom);
        let mut half_sent = HalfSent::begin(house.server.address(), home, 12).await;
        let hub = connect(&house.target(), founder(home), &key(1), PATIENCE).await.unwrap();
        half_sent.fill(&hub).await;
        greedy.push((hub, half_sent));
    }
    let hub = house.hub().await;
    for seq in 1..=5 {
        assert_eq!(in_time(hub.append(seq, vec![1; HALF])).await.unwrap(), seq);
        let newcomer = founder(HomeId::generate(&SystemRandom));
        let newcomer = connect(&house.target(), newcomer, &key(7), PATIENCE).await.unwrap();
        assert_eq!(in_time(newcomer.append(1, vec![1; HALF])).await.unwrap(), 1);
        // What was taken for them is filled again.
        for (hub, half_sent) in &mut greedy {
            half_sent.fill(hub).await;
        }
    }
}

#[tokio::test]
async fn followers_that_never_read_hold_a_segment_each_at_most_and_nobody_up() {
    const SEGMENT: usize = 500_000;
    const UNREAD: usize = 10;
    let (house, metrics) = watched().await;
    let hub = house.hub().await;
    let good = house.phone(&hub, 2).await;
    let id = stream();
    let (_endpoint, connection) = raw_with(&house, by_hand::narrow(ALPN)).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        let (mut send, receive) = in_time(connection.open_bi()).await.unwrap();
        send.write_all(&frame(&Request::Follow { stream: id, from: Start::Newest })).await.unwrap();
        send.finish().unwrap();
        unread.push(receive);
    }
    common::until(async || number(metrics, "privet_relay_followers").await == UNREAD as f64).await;
    let mut follower = good.follow(id, Start::Newest).await.unwrap();
    for index in 0..30 {
        put(&hub, id, index, Retention::Pass, body(index, SEGMENT)).await;
        // Who reads has each segment whole before the next begins.
        let Some(FollowEvent::Segment(mut segment)) = in_time(follower.next()).await.unwrap() else {
            panic!("segment {index} was skipped");
        };
        assert!(read_all(&mut segment).await.unwrap() == body(index, SEGMENT));
        let held = number(metrics, "privet_relay_passing_bytes").await;
        assert!(held <= ((2 + UNREAD) * SEGMENT) as f64, "{held} bytes after segment {index}");
    }
    // The two that the relay has for whoever comes late: who waits to be told of a skip keeps nothing of what was skipped.
    common::until(async || number(metrics, "privet_relay_passing_bytes").await <= (2 * SEGMENT) as f64).await;
    connection.close(close::DONE.into(), b"");
    common::until(async || number(metrics, "privet_relay_passing_bytes").await <= (2 * SEGMENT) as f64).await;
    common::until(async || number(metrics, "privet_relay_followers").await == 1.0).await;
}

#[tokio::test]
async fn what_comes_after_a_request_without_a_body_is_not_held() {
    let house = House::new().await;
    let hub = house.hub().await;
    hub.grant(key(2).public(), privet_protocol::relay::Rights::PHONE).await.unwrap();
    let owner = Principal::Founder { home: house.home, invite: None };
    for (seed, principal) in [(1, owner), (2, Principal::Member { home: house.home })] {
        let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
        say(&connection, &frame(&signed(&connection, principal, seed))).await;
        let mut following = Vec::new();
        for _ in 0..9 {
            let (mut send, receive) = in_time(connection.open_bi()).await.unwrap();
            send.write_all(&frame(&Request::Follow { stream: stream(), from: Start::Newest })).await.unwrap();
            let told = in_time(async {
                loop {
                    if let Err(error) = send.write_all(&[0; 4096]).await {
                        break error;
                    }
                }
            })
            .await;
            assert!(matches!(told, WriteError::Stopped(code) if code == reset::ANSWERED.into()), "{told:?}");
            following.push((send, receive));
        }
        // All that was sent and not wanted made room again.
        let answered: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
        assert!(matches!(answered, Response::Usage(_)), "{answered:?}");
        connection.close(close::DONE.into(), b"");
    }
}

#[tokio::test]
async fn handshakes_that_nobody_ends_are_bounded() {
    let (house, metrics) = watched().await;
    let deaf = by_hand::deaf();
    let begin = || deaf.connect_with(by_hand::config(ALPN), house.server.address(), "relay").unwrap();
    let first: Vec<_> = (0..100).map(|_| begin()).collect();
    common::until(async || number(metrics, "privet_relay_handshakes").await > 64.0).await;
    // Whoever comes now has to prove its address first, which who hears nothing can't.
    let more: Vec<_> = (0..100).map(|_| begin()).collect();
    common::until(async || {
        let samples = openmetrics::parse(&pages::page(metrics, "/metrics").await.1);
        let asked_again = [("outcome", "asked_again")];
        openmetrics::value(&samples, "privet_relay_newcomers_total", &asked_again) >= 100.0
    })
    .await;
    let under_way = number(metrics, "privet_relay_handshakes").await;
    assert!(under_way <= 100.0, "{under_way} handshakes");
    house.hub().await.usage().await.unwrap();
    drop((first, more));
    common::until(async || number(metrics, "privet_relay_handshakes").await == 0.0).await;
    house.hub().await.usage().await.unwrap();
}

/// A relay, and where its numbers are.
async fn watched() -> (House, SocketAddr) {
    watched_with(|_| {}).await
}

async fn watched_with(change: impl FnOnce(&mut Config)) -> (House, SocketAddr) {
    let house = House::with(|config| {
        config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
        change(config);
    })
    .await;
    common::until(async || house.server.metrics().is_some()).await;
    let metrics = house.server.metrics().unwrap();
    (house, metrics)
}

async fn newcomers(metrics: SocketAddr, outcome: &str) -> f64 {
    let samples = openmetrics::parse(&pages::page(metrics, "/metrics").await.1);
    openmetrics::value(&samples, "privet_relay_newcomers_total", &[("outcome", outcome)])
}

async fn number(metrics: SocketAddr, name: &str) -> f64 {
    openmetrics::value(&openmetrics::parse(&pages::page(metrics, "/metrics").await.1), name, &[])
}
