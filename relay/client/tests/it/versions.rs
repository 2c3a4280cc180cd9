//! This client against relays that are older or newer than it: each is told by a typed error, with what to do.

use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{ALPN, Hello, HelloAnswer, VERSIONS, frame};
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, ClientKey, Code, Connection, Principal, Refusal, RelayTarget, connect};
use quinn::VarInt;
use rcgen::KeyPair;
use serde::Serialize;

use crate::played::{door, welcome};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a relay does after it has answered a hello.
#[derive(Clone, Copy)]
enum Then {
    /// Closes with the code of a refused hello.
    Refuses,
    /// Goes on until the client leaves.
    Stays,
    /// Closes with a code that this version does not know.
    Closes,
}

/// A relay that speaks `alpn`, answers every hello with `answer`, and checks nothing.
fn relay(alpn: &[u8], answer: Vec<u8>, then: Then) -> (RelayTarget, tokio::task::JoinHandle<Option<Hello>>) {
    let (endpoint, target) = door(alpn, &KeyPair::generate().unwrap());
    let served = tokio::spawn(async move {
        let connection = endpoint.accept().await.unwrap().await.ok()?;
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        let said = receive.read_to_end(1 << 16).await.unwrap();
        send.write_all(&answer).await.unwrap();
        send.finish().unwrap();
        let _ = send.stopped().await;
        match then {
            Then::Refuses => connection.close(VarInt::from_u32(1), b""),
            Then::Stays => drop(connection.closed().await),
            Then::Closes => {
                // Once the client goes on to its first request.
                let _request = connection.accept_bi().await;
                connection.close(VarInt::from_u32(4711), "come to the\nother house".as_bytes());
            }
        }
        endpoint.wait_idle().await;
        Some(cbor::decode(&said[4..], 1 << 16).unwrap())
    });
    (target, served)
}

async fn comes_to(target: &RelayTarget) -> Result<Connection, ClientError> {
    let key = ClientKey::from_seed(&[3; 32]).unwrap();
    connect(target, Principal::Member { home: HomeId::from_bytes([1; 16]) }, &key, PATIENCE).await
}

#[tokio::test]
async fn every_version_that_is_spoken_is_offered_and_only_such_a_one_is_taken() {
    let newest = *VERSIONS.iter().max().unwrap();
    for (chosen, update) in [(newest + 1, "update this program"), (0, "update the relay")] {
        let (target, served) = relay(ALPN, frame(&welcome(chosen)), Then::Stays);
        let error = comes_to(&target).await.unwrap_err();
        assert_eq!(error, ClientError::Version { chosen });
        assert!(error.to_string().ends_with(update), "{error}");
        assert!(!error.is_retryable(), "not before somebody has done something");
        assert_eq!(served.await.unwrap().unwrap().versions, VERSIONS);
    }
}

#[tokio::test]
async fn a_relay_that_has_no_version_in_common_says_who_is_to_be_updated() {
    for reason in ["this relay speaks [9, 8] of the protocol, and none of them was offered; update Privet", ""] {
        let refused = HelloAnswer::Refused(Refusal::new(Code::Version, reason));
        let (target, served) = relay(ALPN, frame(&refused), Then::Refuses);
        let error = comes_to(&target).await.unwrap_err();
        assert_eq!(error.refusal(), Some(Code::Version));
        assert!(
            error.to_string().contains("no protocol version in common") && error.to_string().contains(reason),
            "{error}"
        );
        assert!(!error.is_retryable());
        served.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_newer_relay_adds_to_its_welcome_does_no_harm() {
    #[derive(Serialize)]
    enum Newer {
        Welcome { version: u16, limits: More, now: Timestamp, region: &'static str },
    }
    #[derive(Serialize)]
    struct More {
        streams: u32,
        segment_bytes: u64,
        stored_bytes: u64,
        retention_s: u64,
        pictures: u8,
    }
    let limits = More { streams: 16, segment_bytes: 1 << 20, stored_bytes: 1 << 30, retention_s: 3600, pictures: 3 };
    let newer = Newer::Welcome { version: 1, limits, now: Timestamp(1_795_000_000_000), region: "north" };
    let (target, served) = relay(ALPN, frame(&newer), Then::Stays);
    let connection = comes_to(&target).await.unwrap();
    assert_eq!(connection.limits().segment_bytes, 1 << 20);
    connection.leave().await;
    served.await.unwrap();
}

#[tokio::test]
async fn a_reason_to_close_that_is_not_known_yet_is_told_in_the_relays_words() {
    let (target, served) = relay(ALPN, frame(&welcome(1)), Then::Closes);
    let connection = comes_to(&target).await.unwrap();
    assert!(connection.usage().await.is_err());
    let error = tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
    let words = "the relay closed it: come to theother house (code 4711)";
    assert_eq!(error, ClientError::Closed { reason: words.into(), revoked: false });
    assert!(error.is_retryable());
    drop(connection);
    served.await.unwrap();
}

#[tokio::test]
async fn a_server_of_another_protocol_is_named_as_that() {
    for alpn in [b"privet/2".as_slice(), b"h3"] {
        let (target, served) = relay(alpn, Vec::new(), Then::Stays);
        let error = comes_to(&target).await.unwrap_err();
        assert_eq!(error, ClientError::OtherProtocol { host: target.to_string() });
        assert!(!error.is_retryable() && error.to_string().contains("does not speak privet/1"), "{error}");
        assert!(served.await.unwrap().is_none());
    }
}
