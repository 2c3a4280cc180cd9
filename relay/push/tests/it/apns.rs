//! The Apple Push Notification service against a server that speaks HTTP/2 only, as Apple's does.

use std::time::Duration;

use data_encoding::BASE64;
use hyper::Version;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use privet_push::{Apns, ApnsSettings, Gateway as _, HttpSettings, Message, Outcome, PushTarget};

use crate::common::{Reply, Server, p256, status, verified_es256};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DEVICE: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

fn target(sandbox: bool) -> PushTarget {
    PushTarget::Apns { token: DEVICE.into(), topic: "org.example.privet".into(), sandbox }
}

fn message(payload: &[u8]) -> Message<'_> {
    Message { payload, urgency: Urgency::High, until: NOW.after(Duration::from_secs(90)), name: "bmFtZQ" }
}

fn gateway(server: &Server, sandbox: &Server) -> (Apns, Vec<u8>) {
    let (key, public) = p256();
    let settings = ApnsSettings {
        key: key.into_bytes().into(),
        key_id: "ABC123DEFG".into(),
        team_id: "DEF123GHIJ".into(),
        endpoint: server.url(""),
        sandbox_endpoint: sandbox.url(""),
    };
    let http = HttpSettings {
        authorities: vec![server.authority.clone(), sandbox.authority.clone()],
        patience: Duration::from_secs(2),
        ..HttpSettings::default()
    };
    (Apns::new(&settings, &http).unwrap(), public)
}

async fn outcome(reply: Reply) -> Outcome {
    let server = Server::start(&["h2"], move |_| reply.clone()).await;
    let (apns, _) = gateway(&server, &server);
    apns.push(&target(false), &message(b"x"), NOW).await
}

fn reason(code: u16, reason: &str) -> Reply {
    status(code, &format!(r#"{{"reason":"{reason}"}}"#))
}

#[tokio::test]
async fn a_message_goes_out_over_http_2_under_a_token_of_the_team() {
    let (server, sandbox) =
        (Server::start(&["h2"], |_| status(200, "")).await, Server::start(&["h2"], |_| status(200, "")).await);
    let (apns, public) = gateway(&server, &sandbox);
    assert_eq!(apns.push(&target(false), &message(b"opaque"), NOW).await, Outcome::Delivered);
    let seen = server.seen().pop().unwrap();
    assert_eq!((seen.version, seen.path.clone()), (Version::HTTP_2, format!("/3/device/{DEVICE}")));
    let names = ["apns-topic", "apns-push-type", "apns-priority", "apns-expiration", "apns-collapse-id"];
    let expected = ["org.example.privet", "alert", "10", "1800000090", "bmFtZQ"];
    assert_eq!(names.map(|name| seen.header(name)), expected);
    let json = seen.json();
    assert_eq!((&json["aps"]["mutable-content"], &json["b"]), (&1.into(), &BASE64.encode(b"opaque").into()));
    let (header, claims) = verified_es256(seen.header("authorization").strip_prefix("bearer ").unwrap(), &public);
    assert_eq!((&header["kid"], &claims["iss"]), (&"ABC123DEFG".into(), &"DEF123GHIJ".into()));
    assert_eq!(claims["iat"], 1_800_000_000_u64);

    assert_eq!(sandbox.count(), 0);
    let full = vec![7; apns.room()];
    assert_eq!(apns.push(&target(true), &message(&full), NOW).await, Outcome::Delivered);
    assert!(sandbox.seen().pop().unwrap().body.len() <= 4096);
    let more = vec![7; apns.room() + 1];
    assert!(matches!(apns.push(&target(true), &message(&more), NOW).await, Outcome::Rejected(_)));
    assert_eq!((server.count(), sandbox.count()), (0, 0));
}

#[tokio::test]
async fn the_token_is_signed_anew_every_forty_minutes_and_never_twice_in_twenty() {
    let server = Server::start(&["h2"], |_| status(200, "")).await;
    let (apns, public) = gateway(&server, &server);
    let mut issued = Vec::new();
    for minutes in [0, 1, 39, 41, 80, 82] {
        assert_eq!(
            apns.push(&target(false), &message(b"x"), NOW.after(Duration::from_secs(minutes * 60))).await,
            Outcome::Delivered
        );
        let seen = server.seen().pop().unwrap();
        let (_, claims) = verified_es256(seen.header("authorization").strip_prefix("bearer ").unwrap(), &public);
        issued.push((claims["iat"].as_i64().unwrap() - NOW.0 / 1000) / 60);
    }
    assert_eq!(issued, [0, 0, 0, 41, 41, 82]);

    let server = Server::start(&["h2"], |_| reason(403, "ExpiredProviderToken")).await;
    let (apns, _) = gateway(&server, &server);
    let Outcome::Misconfigured(why) = apns.push(&target(false), &message(b"x"), NOW).await else { panic!() };
    assert!(why.contains("ExpiredProviderToken"), "{why}");
    assert_eq!(server.seen().len(), 1, "a token of this minute is not signed again");
    let later = NOW.after(Duration::from_secs(21 * 60));
    assert!(matches!(apns.push(&target(false), &message(b"x"), later).await, Outcome::Misconfigured(_)));
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "an older one is, once");
    assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    for (code, why) in
        [(410, "Unregistered"), (410, "ExpiredToken"), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic")]
    {
        assert_eq!(outcome(reason(code, why)).await, Outcome::TargetGone, "{why}");
    }
    for (code, why) in [(400, "BadTopic"), (413, "PayloadTooLarge"), (403, "TopicDisallowed")] {
        assert!(matches!(outcome(reason(code, why)).await, Outcome::Rejected(said) if said.contains(why)), "{why}");
    }
    for (code, why) in [(401, "hunter2!"), (403, "InvalidProviderToken"), (404, "BadPath"), (405, "MethodNotAllowed")] {
        let Outcome::Misconfigured(said) = outcome(reason(code, why)).await else { panic!("{why}") };
        assert!(!said.contains("hunter2"), "{said}");
    }
    let busy = Reply::Status(429, vec![("retry-after", "5".into())], r#"{"reason":"TooManyRequests"}"#.into());
    assert!(matches!(outcome(busy).await, Outcome::RetryAfter(after, _) if after.as_secs() == 5));
    for reply in [
        reason(500, "InternalServerError"),
        reason(503, "Shutdown"),
        Reply::Hang,
        Reply::Endless(500),
        Reply::Status(301, vec![("location", "https://elsewhere.example/".into())], String::new()),
    ] {
        assert!(matches!(outcome(reply.clone()).await, Outcome::RetryAfter(..)), "{reply:?}");
    }
    for reply in [status(200, "nonsense"), Reply::HangAfter(200), Reply::Endless(200)] {
        assert_eq!(outcome(reply).await, Outcome::Delivered);
    }
    let server = Server::start(&["h2"], |_| status(200, "")).await;
    let (apns, _) = gateway(&server, &server);
    server.talk_nonsense();
    assert!(matches!(apns.push(&target(false), &message(b"x"), NOW).await, Outcome::RetryAfter(..)));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let (key, _) = p256();
    let good = ApnsSettings {
        key: key.into_bytes().into(),
        key_id: "ABC123DEFG".into(),
        team_id: "DEF123GHIJ".into(),
        endpoint: "https://api.push.apple.com".into(),
        sandbox_endpoint: "https://api.sandbox.push.apple.com".into(),
    };
    let check = |settings: ApnsSettings, said: &str| {
        let error = Apns::new(&settings, &HttpSettings::default()).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        assert!(!format!("{settings:?}").contains("hunter2"));
    };
    check(ApnsSettings { key: b"hunter2".to_vec().into(), ..good.clone() }, "key holds no private key");
    check(ApnsSettings { key_id: "hunter2".into(), ..good.clone() }, "key_id is not ten letters and digits");
    check(ApnsSettings { team_id: String::new(), ..good.clone() }, "team_id is not ten");
    check(ApnsSettings { endpoint: "http://api.push.apple.com".into(), ..good }, "endpoint is not an https address");
}
