//! Peers that do not play by the rules: each is refused in words or cut off, and the relay serves the others on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod by_hand;
mod common;

use std::net::UdpSocket;
use std::time::Duration;

use by_hand::{answer, closed_with, raw, say, signed};
use common::{House, PATIENCE, body, code, entries, in_time, keep, key, put, read_all, stream};
use privet_protocol::random::{Random, SeededRandom};
use privet_protocol::relay::{
    ALPN, Code, From as Start, Hello, HelloAnswer, Principal, Refusal, Request, Response, Retention, close, frame,
};
use privet_relay_client::FollowEvent;

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
            |hello| hello.principal = Principal::Member { home: privet_protocol::id::HomeId::from_bytes([1; 16]) },
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
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    let request = frame(&Request::Append { seq: 1, entry: vec![1; 200] });
    for round in 0..300 {
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
        let answered = say(&connection, &bytes).await;
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
    in_time(hub.closed()).await;
    let phone = house.try_phone(2).await.unwrap();
    assert_eq!(code(house.try_phone(2).await), Code::Busy);
    for connection in [&second, &third, &phone] {
        connection.usage().await.unwrap();
    }
}

#[tokio::test]
async fn one_network_can_not_take_all_the_room() {
    let house = House::with(|config| config.limits.connects_per_s = 1).await;
    let mut refused = 0;
    for _ in 0..30 {
        let outcome = privet_relay_client::connect(
            &house.target(),
            Principal::Founder { home: house.home, invite: None },
            &house.owner,
            PATIENCE,
        )
        .await;
        refused += usize::from(outcome.is_err());
    }
    assert!(refused > 10, "only {refused} of 30");
    // A little patience and it goes again.
    common::until(async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.try_phone(3).await.is_err_and(|e| e.refusal() == Some(Code::Denied))
    })
    .await;
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
