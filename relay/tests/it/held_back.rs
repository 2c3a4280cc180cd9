//! Clients whose requests lead nowhere: each may make some, more than that at a pace only, and nobody else waits for it.

use std::time::{Duration, Instant};

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{ALPN, Principal, Request, Response, Retention, frame, reset};
use privet_relay::Config;
use quinn::{Connection, VarInt};

use crate::by_hand::{answer, raw, say, signed};
use crate::common::{House, in_time, keep, stream, until};
use crate::openmetrics;
use crate::pages;

/// As many lead nowhere before it is felt, and one in this time then.
const AT_ONCE: usize = 32;
const EVERY: Duration = Duration::from_millis(500);
/// Requests that a connection has under way at once.
const STREAMS: usize = 16;

async fn house() -> House {
    House::with(|config| {
        config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
        config.limits.requests_per_s = 1000;
    })
    .await
}

async fn held_back(house: &House) -> f64 {
    number(house, "privet_relay_held_back_requests_total").await
}

async fn number(house: &House, name: &str) -> f64 {
    let samples = openmetrics::parse(&pages::page(house.server.metrics().unwrap(), "/metrics").await.1);
    openmetrics::value(&samples, name, &[])
}

/// Begins a request and breaks it off.
async fn break_off(connection: &Connection, begun: &[u8]) {
    let (mut send, mut receive) = in_time(connection.open_bi()).await.unwrap();
    in_time(send.write_all(begun)).await.unwrap();
    let _ = send.reset(VarInt::from_u32(reset::CANCELLED));
    // Somebody has to take the end for QUIC to forget the stream.
    drop(tokio::spawn(async move { receive.read_to_end(1 << 16).await }));
}

#[tokio::test]
async fn a_flood_of_requests_that_lead_nowhere_is_slowed_and_nobody_else() {
    let house = house().await;
    let begun = [
        frame(&Request::Usage)[..5].to_vec(),
        [frame(&Request::Put { stream: stream(), index: 1, retention: keep(), resume: false }), vec![1]].concat(),
        [vec![0, 0, 0, 3], vec![0xff; 3]].concat(),
    ];
    for (number, begun) in begun.iter().enumerate() {
        let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
        let home = HomeId::generate(&SystemRandom);
        let hello = signed(&connection, Principal::Founder { home, invite: None }, 1);
        say(&connection, &frame(&hello)).await;
        let before = held_back(&house).await;
        let (flood, began) = (connection.clone(), Instant::now());
        let made = tokio::spawn({
            let begun = begun.clone();
            async move {
                let mut made = 0;
                while began.elapsed() < EVERY * 4 || made < AT_ONCE + 4 {
                    break_off(&flood, &begun).await;
                    made += 1;
                }
                (made, began.elapsed())
            }
        });
        until(async || held_back(&house).await >= before + 2.0).await;
        // Somebody else is served as before.
        house.hub().await.usage().await.unwrap();
        let (made, took) = made.await.unwrap();
        let paid = usize::try_from(took.as_millis() / EVERY.as_millis()).unwrap();
        assert!(made <= AT_ONCE + STREAMS + paid + 1, "flood {number}: {made} requests in {took:?}");
        // And it is served itself, in its turn.
        let usage: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
        assert!(matches!(usage, Response::Usage(_)), "flood {number}: {usage:?}");
    }
}

#[tokio::test]
async fn live_segments_of_many_cameras_may_be_broken_off() {
    let house = house().await;
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    for _second in 0..10 {
        let before = number(&house, "privet_relay_received_bytes_total").await;
        let (mut cameras, mut bytes) = (Vec::new(), 0);
        // Of places that became free QUIC tells in steps of an eighth.
        for _camera in 0..STREAMS - STREAMS / 8 {
            let request = Request::Put { stream: stream(), index: 0, retention: Retention::Pass, resume: false };
            let begun = [frame(&request), vec![1]].concat();
            let (mut send, receive) = in_time(connection.open_bi()).await.unwrap();
            in_time(send.write_all(&begun)).await.unwrap();
            bytes += begun.len();
            cameras.push((send, receive));
        }
        // As over a bad link: what is given up has begun.
        until(async || number(&house, "privet_relay_received_bytes_total").await >= before + bytes as f64).await;
        for (mut send, _receive) in cameras {
            send.reset(VarInt::from_u32(reset::CANCELLED)).unwrap();
        }
    }
    let usage: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
    assert!(matches!(usage, Response::Usage(_)), "{usage:?}");
    assert_eq!(held_back(&house).await, 0.0);
}
