//! Whoever is cut off is told why: a code for programs, and words that say nothing about anybody else.

use privet_protocol::relay::{ALPN, Hello, Principal, Rights, close, frame};
use quinn::{Connection, Endpoint};

use crate::by_hand::{closed_in_words, raw, say, signed};
use crate::common::{House, key};

/// A connection that said this hello.
async fn greeted(house: &House, hello: impl Fn(Hello) -> Hello, seed: u8) -> (Endpoint, Connection) {
    let (endpoint, connection) = raw(house, ALPN).await.unwrap();
    let principal = match seed {
        1 => Principal::Founder { home: house.home, invite: None },
        _ => Principal::Member { home: house.home },
    };
    let hello = hello(signed(&connection, principal, seed));
    say(&connection, &frame(&hello)).await;
    (endpoint, connection)
}

#[tokio::test]
async fn a_refused_hello_is_closed_with_its_class() {
    let house = House::new().await;
    house.hub().await;
    let (_one, stranger) = greeted(&house, |hello| hello, 9).await;
    assert_eq!(closed_in_words(&stranger).await, (close::REFUSED, "not allowed".into()));
    let (_two, old) = greeted(&house, |hello| Hello { versions: vec![0], ..hello }, 1).await;
    assert_eq!(closed_in_words(&old).await, (close::REFUSED, "no protocol version in common".into()));
    let (_three, confused) = raw(&house, ALPN).await.unwrap();
    say(&confused, &[0, 0, 0, 1, 0xff]).await;
    assert_eq!(closed_in_words(&confused).await, (close::MALFORMED, "malformed".into()));
    let (_four, large) = raw(&house, ALPN).await.unwrap();
    say(&large, &u32::MAX.to_be_bytes()).await;
    assert_eq!(closed_in_words(&large).await, (close::REFUSED, "too large".into()));
    let hasty = House::with(|config| config.limits.hello_ms = 200).await;
    let (_five, silent) = raw(&hasty, ALPN).await.unwrap();
    assert_eq!(closed_in_words(&silent).await, (close::LATE, close::words(close::LATE).into()));
}

#[tokio::test]
async fn who_is_cut_off_later_is_told_why() {
    let house = House::with(|config| config.limits.key_connections = 1).await;
    let hub = house.hub().await;
    let mut endings = Vec::new();
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let (first, oldest) = greeted(&house, |hello| hello, 2).await;
    let (second, newer) = greeted(&house, |hello| hello, 2).await;
    let many = "a newer one came: limits.key_connections is 1".to_owned();
    assert_eq!(closed_in_words(&oldest).await, (close::REPLACED, many));
    hub.grant(key(2).public(), Rights::farewell(0)).await.unwrap();
    endings.push((newer, close::CURTAILED));
    let (third, farewell) = greeted(&house, |hello| hello, 2).await;
    hub.revoke(key(2).public()).await.unwrap();
    endings.push((farewell, close::REVOKED));
    hub.grant(key(3).public(), Rights::PHONE).await.unwrap();
    let (fourth, last) = greeted(&house, |hello| hello, 3).await;
    endings.push((last, close::SHUTDOWN));
    house.server.shutdown().await;
    for (connection, code) in endings {
        let words = close::words(code);
        assert!(!words.is_empty());
        assert_eq!(closed_in_words(&connection).await, (code, words.to_owned()));
    }
    drop((first, second, third, fourth));
}
