//! Web Push against a server that speaks RFC 8030 and decrypts with the subscriber's keys.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use privet_push::{Gateway as _, HttpSettings, Message, Outcome, WebPush, WebPushSettings};

use crate::common::subscriber::Subscriber;
use crate::common::{self, Reply, Server, p256, status, verified_es256};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn message(payload: &[u8]) -> Message<'_> {
    Message { payload, urgency: Urgency::High, until: NOW.after(Duration::from_secs(90)), name: "bmFtZQ" }
}

fn gateway(server: &Server, private_addresses: bool) -> (WebPush, Vec<u8>) {
    let (vapid_key, public) = p256();
    let settings =
        WebPushSettings { vapid_key: vapid_key.into_bytes().into(), subject: "mailto:ops@relay.example".into() };
    let http = HttpSettings {
        authorities: vec![server.authority.clone()],
        private_addresses,
        patience: Duration::from_secs(2),
    };
    (WebPush::new(&settings, &http).unwrap(), public)
}

async fn outcome(reply: Reply) -> Outcome {
    let server = Server::start(&["h2", "http/1.1"], move |_| reply.clone()).await;
    let (push, _) = gateway(&server, true);
    push.push(&Subscriber::new(server.url("/up/hunter2")).target, &message(b"x"), NOW).await
}

#[tokio::test]
async fn the_subscriber_decrypts_what_was_sent_and_the_server_sees_who_sent_it() {
    for alpn in ["h2", "http/1.1"] {
        let server = Server::start(&[alpn], |_| status(201, "")).await;
        let (push, public) = gateway(&server, true);
        assert_eq!(push.public_key(), public);
        let phone = Subscriber::new(server.url("/up/hunter2?x=1"));
        for payload in [vec![], b"opaque".to_vec(), vec![0; 50], vec![7; push.room()]] {
            assert_eq!(push.push(&phone.target, &message(&payload), NOW).await, Outcome::Delivered);
            let seen = server.seen().pop().unwrap();
            assert_eq!((seen.path.as_str(), seen.body.len()), ("/up/hunter2?x=1", 4096), "all have one size");
            assert_eq!(phone.decrypt(&seen.body), payload);
            let headers = ["content-encoding", "ttl", "urgency", "topic"].map(|name| seen.header(name));
            assert_eq!(headers, ["aes128gcm", "90", "high", "bmFtZQ"]);
            let vapid = seen.header("authorization").strip_prefix("vapid t=").unwrap();
            let (token, key) = vapid.split_once(", k=").unwrap();
            assert_eq!(BASE64URL_NOPAD.decode(key.as_bytes()).unwrap(), public);
            let (_, claims) = verified_es256(token, &public);
            assert_eq!((&claims["aud"], &claims["sub"]), (&server.url("").into(), &"mailto:ops@relay.example".into()));
            let ends = claims["exp"].as_i64().unwrap() - NOW.0 / 1000;
            assert!((3600..=24 * 3600).contains(&ends), "{ends}");
        }
        let more = vec![7; push.room() + 1];
        assert!(matches!(push.push(&phone.target, &message(&more), NOW).await, Outcome::Rejected(_)));
    }
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    for code in [200, 201, 202, 204] {
        assert_eq!(outcome(status(code, "")).await, Outcome::Delivered, "{code}");
    }
    for code in [404, 410] {
        assert_eq!(outcome(status(code, "")).await, Outcome::TargetGone, "{code}");
    }
    for code in [400, 401, 403, 413] {
        let Outcome::Rejected(why) = outcome(status(code, "hunter2")).await else { panic!("{code}") };
        assert!(why.contains(&code.to_string()) && !why.contains("hunter2"), "{why}");
    }
    let busy = Reply::Status(429, vec![("retry-after", " 61 ".into())], String::new());
    assert!(matches!(outcome(busy).await, Outcome::RetryAfter(after, _) if after.as_secs() == 61));
    for reply in [status(500, ""), status(503, ""), status(507, ""), Reply::Hang, Reply::Endless(500)] {
        let said = outcome(reply.clone()).await;
        assert!(matches!(said, Outcome::RetryAfter(Duration::ZERO, _)), "{reply:?}: {said:?}");
    }
    for reply in [Reply::HangAfter(201), Reply::Endless(201)] {
        assert_eq!(outcome(reply).await, Outcome::Delivered, "it was taken, whatever else is said");
    }
}

#[tokio::test]
async fn who_took_the_message_and_goes_on_talking_holds_nobody_up() {
    for reply in [Reply::HangAfter(201), Reply::Endless(201)] {
        let server = Server::start(&["h2", "http/1.1"], move |_| reply.clone()).await;
        let (vapid_key, _) = p256();
        let settings = WebPushSettings { vapid_key: vapid_key.into_bytes().into(), subject: "mailto:a@b".into() };
        let http = HttpSettings {
            authorities: vec![server.authority.clone()],
            private_addresses: true,
            patience: Duration::from_secs(3600),
        };
        let push = WebPush::new(&settings, &http).unwrap();
        let phone = Subscriber::new(server.url("/up/hunter2"));
        let (one, message) = (&phone.target, message(b"x"));
        let said = tokio::time::timeout(Duration::from_secs(30), push.push(one, &message, NOW)).await;
        assert_eq!(said.expect("an answer without its body"), Outcome::Delivered);
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_what_is_not_http_is_tried_again() {
    let server =
        Server::start(&["http/1.1"], |_| Reply::Status(308, vec![("location", "/elsewhere".into())], String::new()))
            .await;
    let (push, _) = gateway(&server, true);
    let phone = Subscriber::new(server.url("/up/hunter2"));
    assert!(matches!(push.push(&phone.target, &message(b"x"), NOW).await, Outcome::RetryAfter(..)));
    assert_eq!(server.count(), 1);
    let (push, _) = gateway(&server, true);
    server.talk_nonsense();
    let Outcome::RetryAfter(_, why) = push.push(&phone.target, &message(b"x"), NOW).await else { panic!() };
    assert!(!why.contains("hunter2"), "{why}");
}

#[tokio::test]
async fn phones_cannot_send_the_relay_into_its_own_network() {
    let server = Server::start(&["h2"], |_| status(201, "")).await;
    let (push, _) = gateway(&server, false);
    let literal = Subscriber::new(format!("https://127.0.0.1:{}/up/hunter2", server.address.port()));
    let Outcome::Rejected(why) = push.push(&literal.target, &message(b"x"), NOW).await else { panic!() };
    assert!(why.contains("not a public one"), "{why}");
    let name = Subscriber::new(server.url("/up/hunter2"));
    let Outcome::RetryAfter(_, why) = push.push(&name.target, &message(b"x"), NOW).await else { panic!() };
    assert!(why.contains("no public address") && !why.contains("hunter2"), "{why}");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_told_anything() {
    let (server, other) =
        (Server::start(&["h2"], |_| status(201, "")).await, Server::start(&["h2"], |_| status(201, "")).await);
    let (push, _) = gateway(&other, true);
    let phone = Subscriber::new(server.url("/up/hunter2"));
    let Outcome::RetryAfter(_, why) = push.push(&phone.target, &message(b"x"), NOW).await else { panic!() };
    assert_eq!(why, "its certificate is not accepted", "nothing that stands in it");
    assert_eq!(server.count(), 0);
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let (key, _) = p256();
    let check = |key: &str, subject: &str, said: &str| {
        let settings = WebPushSettings { vapid_key: key.as_bytes().to_vec().into(), subject: subject.into() };
        let error = WebPush::new(&settings, &HttpSettings::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    check("hunter2", "mailto:a@b", "vapid_key holds no private key");
    check(&common::pem(b"hunter2"), "mailto:a@b", "vapid_key is no key of the curve P-256");
    check(&key, "a@b", "subject is neither mailto: with an address nor https:");
}
