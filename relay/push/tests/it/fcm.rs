//! Firebase Cloud Messaging against a server that speaks like Google's: HTTPS, HTTP/2, the token exchange and every error.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use data_encoding::BASE64;
use hyper::Version;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use privet_push::{Fcm, FcmSettings, Gateway as _, HttpSettings, Message, Outcome, PushTarget};

use crate::common::{Reply, Seen, Server, service_account, status, verified_rs256};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SENT: &str = r#"{"name":"projects/test-project/messages/0:1"}"#;

fn target() -> PushTarget {
    PushTarget::Fcm { token: "hunter2:APA91b".into() }
}

fn message(payload: &[u8]) -> Message<'_> {
    Message { payload, urgency: Urgency::High, until: NOW.after(Duration::from_secs(90)), name: "bmFtZQ" }
}

fn http(server: &Server) -> HttpSettings {
    HttpSettings {
        authorities: vec![server.authority.clone()],
        patience: Duration::from_secs(2),
        ..HttpSettings::default()
    }
}

fn gateway(server: &Server, file: &str) -> Fcm {
    let settings = FcmSettings { service_account: file.as_bytes().to_vec().into(), endpoint: server.url("") };
    Fcm::new(&settings, &http(server)).unwrap()
}

/// A gateway whose token endpoint works and that answers messages with `reply`; tokens are numbered.
async fn google(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> (Server, Fcm) {
    let issued = AtomicUsize::new(0);
    let handler = move |seen: &Seen| match seen.path.as_str() {
        "/token" => {
            let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
            status(200, &format!(r#"{{"access_token":"ya29.{number}","expires_in":3599,"token_type":"Bearer"}}"#))
        }
        _ => reply(seen),
    };
    let server = Server::start(&["h2", "http/1.1"], handler).await;
    let (file, _) = service_account(&server);
    let fcm = gateway(&server, &file);
    (server, fcm)
}

async fn outcome(reply: Reply) -> Outcome {
    let (_server, fcm) = google(move |_| reply.clone()).await;
    fcm.push(&target(), &message(b"x"), NOW).await
}

fn paths(server: &Server) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.path).collect()
}

#[tokio::test]
async fn a_message_goes_out_under_a_token_that_is_kept_and_renewed_in_time() {
    let server = Server::start(&["h2", "http/1.1"], |seen| match seen.path.as_str() {
        "/token" => status(200, r#"{"access_token":"ya29.first","expires_in":3599,"token_type":"Bearer"}"#),
        _ => status(200, SENT),
    })
    .await;
    let (file, public) = service_account(&server);
    let fcm = gateway(&server, &file);
    let payload = [0, 255, 7, 9];
    assert_eq!(fcm.push(&target(), &message(&payload), NOW).await, Outcome::Delivered);
    let [token, sent] = <[Seen; 2]>::try_from(server.seen()).unwrap();

    assert_eq!((token.version, token.header("content-type")), (Version::HTTP_2, "application/x-www-form-urlencoded"));
    let form: String = String::from_utf8(token.body.to_vec()).unwrap();
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .expect("the form of RFC 7523");
    let (header, claims) = verified_rs256(assertion, &public);
    assert_eq!((&header["typ"], &header["kid"]), (&"JWT".into(), &"key-7".into()));
    assert_eq!(claims["iss"], "relay@test-project.iam.gserviceaccount.com");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/firebase.messaging");
    assert_eq!(claims["aud"], server.url("/token"));
    assert_eq!((&claims["iat"], &claims["exp"]), (&1_800_000_000_u64.into(), &1_800_003_600_u64.into()));

    assert_eq!((sent.version, sent.path.as_str()), (Version::HTTP_2, "/v1/projects/test-project/messages:send"));
    assert_eq!(sent.header("authorization"), "Bearer ya29.first");
    let expected = serde_json::json!({ "message": {
        "token": "hunter2:APA91b",
        "data": { "b": BASE64.encode(&payload) },
        "android": { "priority": "HIGH", "ttl": "90s" },
    } });
    assert_eq!(sent.json(), expected);

    for minutes in [1, 30, 54] {
        let now = NOW.after(Duration::from_secs(minutes * 60));
        assert_eq!(fcm.push(&target(), &message(b"x"), now).await, Outcome::Delivered);
    }
    assert!(!paths(&server).contains(&"/token".into()), "the token is kept");
    let late = NOW.after(Duration::from_secs(56 * 60));
    assert_eq!(fcm.push(&target(), &message(b"x"), late).await, Outcome::Delivered);
    assert_eq!(paths(&server)[0], "/token", "five minutes before its end it is renewed");
    let late = Message { urgency: Urgency::Normal, ..message(b"") };
    assert_eq!(fcm.push(&target(), &late, NOW.after(Duration::from_secs(100))).await, Outcome::Delivered);
    let android = server.seen().pop().unwrap().json()["message"]["android"].clone();
    assert_eq!(android, serde_json::json!({ "priority": "NORMAL", "ttl": "0s", "collapse_key": "wake" }));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let (server, fcm) = google(|seen| match seen.header("authorization") {
        "Bearer ya29.1" => status(401, r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#),
        _ => status(200, SENT),
    })
    .await;
    let send = "/v1/projects/test-project/messages:send";
    assert_eq!(fcm.push(&target(), &message(b"x"), NOW).await, Outcome::Delivered);
    assert_eq!(paths(&server), ["/token", send, "/token", send]);
    assert_eq!(fcm.push(&target(), &message(b"x"), NOW).await, Outcome::Delivered);
    assert_eq!(paths(&server), [send]);

    let (server, fcm) = google(|_| status(401, "")).await;
    assert!(matches!(fcm.push(&target(), &message(b"x"), NOW).await, Outcome::Misconfigured(_)));
    assert_eq!(paths(&server), ["/token", send, "/token", send], "once, not for ever");
}

#[tokio::test]
async fn phones_that_are_gone_are_told_from_everything_else() {
    let error = |code: &str, status: &str| {
        format!(
            r#"{{"error":{{"code":1,"status":"{status}","message":"hunter2","details":[
            {{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"{code}"}}]}}}}"#
        )
    };
    assert_eq!(outcome(status(404, &error("UNREGISTERED", "NOT_FOUND"))).await, Outcome::TargetGone);
    let bad_token = r#"{"error":{"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations":[{"field":"message.token","description":"Invalid registration token"}]}]}}"#;
    assert_eq!(outcome(status(400, bad_token)).await, Outcome::TargetGone);
    assert_eq!(outcome(status(410, "")).await, Outcome::TargetGone);
    let wrong = outcome(status(404, "<html>no such page</html>")).await;
    assert!(matches!(wrong, Outcome::Misconfigured(_)), "a wrong endpoint forgets no phone: {wrong:?}");
    for (code, name) in [(400, "INVALID_ARGUMENT"), (413, "TOO_LARGE")] {
        let Outcome::Rejected(why) = outcome(status(code, &error("X", name))).await else { panic!("{code}") };
        assert!(why.contains(name) && !why.contains("hunter2"), "{why}");
    }
    // One token's matter: neither the operator's, nor a reason to forget every phone when the operator mistook the project.
    let Outcome::Rejected(why) = outcome(status(403, &error("SENDER_ID_MISMATCH", "PERMISSION_DENIED"))).await else {
        panic!("403")
    };
    assert!(why.contains("SENDER_ID_MISMATCH"), "{why}");
    let Outcome::Misconfigured(why) = outcome(status(403, &error("X", "PERMISSION_DENIED"))).await else { panic!() };
    assert!(why.contains("403"), "{why}");
    let answer = status(401, &error("THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED"));
    let (server, fcm) = google(move |_| answer.clone()).await;
    let Outcome::Rejected(why) = fcm.push(&target(), &message(b"x"), NOW).await else { panic!("401") };
    assert!(why.contains("THIRD_PARTY_AUTH_ERROR"), "{why}");
    assert_eq!(paths(&server), ["/token", "/v1/projects/test-project/messages:send"], "the relay's own token is good");
}

#[tokio::test]
async fn what_passes_is_tried_again_when_the_gateway_says() {
    let busy =
        Reply::Status(429, vec![("retry-after", "37".into())], r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#.into());
    let Outcome::RetryAfter(after, why) = outcome(busy).await else { panic!() };
    assert_eq!((after, why.contains("429")), (Duration::from_secs(37), true));
    let for_ever = Reply::Status(503, vec![("retry-after", "999999999".into())], String::new());
    assert!(matches!(outcome(for_ever).await, Outcome::RetryAfter(after, _) if after == Duration::from_secs(3600)));
    for code in [500, 502, 503, 504] {
        assert!(matches!(outcome(status(code, "")).await, Outcome::RetryAfter(Duration::ZERO, _)), "{code}");
    }
}

#[tokio::test]
async fn a_gateway_that_misbehaves_is_bounded_and_tried_again() {
    for reply in [
        Reply::Hang,
        Reply::HangAfter(200),
        Reply::Endless(200),
        Reply::Endless(500),
        status(200, "<html>welcome to the hotel's network</html>"),
        status(200, "[[[[[[[["),
        status(204, ""),
    ] {
        let said = outcome(reply.clone()).await;
        assert!(matches!(said, Outcome::RetryAfter(Duration::ZERO, _)), "{reply:?}: {said:?}");
    }
    let (server, fcm) =
        google(|_| Reply::Status(307, vec![("location", "https://elsewhere.example/".into())], String::new())).await;
    let Outcome::RetryAfter(_, why) = fcm.push(&target(), &message(b"x"), NOW).await else { panic!() };
    assert!(why.contains("redirects"), "{why}");
    assert_eq!(server.count(), 2, "the token and one message: nothing was followed");

    let (server, fcm) = google(|_| status(200, SENT)).await;
    server.talk_nonsense();
    assert!(matches!(fcm.push(&target(), &message(b"x"), NOW).await, Outcome::RetryAfter(..)));
    drop(server);
    let now = NOW.after(Duration::from_secs(60));
    assert!(matches!(fcm.push(&target(), &message(b"x"), now).await, Outcome::RetryAfter(..)));
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_not_asked_at_once_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let server = Server::start(&["h2"], move |seen| match seen.path.as_str() {
        "/token" => {
            counter.fetch_add(1, Ordering::Relaxed);
            status(400, r#"{"error":"invalid_grant","error_description":"hunter2"}"#)
        }
        _ => panic!("no message goes out without a token"),
    })
    .await;
    let (file, _) = service_account(&server);
    let fcm = gateway(&server, &file);
    for _ in 0..5 {
        let Outcome::Misconfigured(why) = fcm.push(&target(), &message(b"x"), NOW).await else { panic!() };
        assert!(why.contains("invalid_grant") && !why.contains("hunter2"), "{why}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    for (reply, seconds) in [
        (status(503, ""), 20),
        (Reply::Hang, 40),
        (Reply::Endless(200), 60),
        (status(200, "{}"), 80),
        (status(200, r#"{"access_token":"a\nb","expires_in":5}"#), 100),
    ] {
        server.answer(move |_| reply.clone());
        let now = NOW.after(Duration::from_secs(seconds));
        assert!(matches!(fcm.push(&target(), &message(b"x"), now).await, Outcome::RetryAfter(..)));
    }
}

#[tokio::test]
async fn the_room_is_what_google_takes() {
    let (server, fcm) = google(|_| status(200, SENT)).await;
    let full = vec![7; fcm.room()];
    assert_eq!(fcm.push(&target(), &message(&full), NOW).await, Outcome::Delivered);
    let data = server.seen().pop().unwrap().json()["message"]["data"]["b"].as_str().unwrap().len() + 1;
    assert!((4090..=4096).contains(&data), "{data}");
    let more = vec![7; fcm.room() + 1];
    assert!(matches!(fcm.push(&target(), &message(&more), NOW).await, Outcome::Rejected(_)));
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_without_their_text() {
    let server = Server::start(&["h2"], |_| status(500, "")).await;
    let (file, _) = service_account(&server);
    let check = |file: &str, endpoint: &str, said: &str| {
        let settings = FcmSettings { service_account: file.as_bytes().to_vec().into(), endpoint: endpoint.into() };
        let error = Fcm::new(&settings, &http(&server)).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
    };
    let good = "https://fcm.googleapis.com";
    check("hunter2", good, "service_account is no service account key");
    check(r#"{"type":"hunter2"}"#, good, "with project_id, client_email, private_key and token_uri");
    check(&file.replace("BEGIN PRIVATE", "BEGIN hunter2"), good, "holds no private key");
    check(&file.replace("test-project\"", "../hunter2\""), good, "has no project id");
    check(&file.replace("https://", "http://"), good, "is not an https address");
    check(&file, "http://fcm.googleapis.com", "endpoint is not an https address");
    check(&file, "https://me:hunter2@fcm.googleapis.com", "endpoint is not an https address");
    let fcm = gateway(&server, &file);
    let settings = FcmSettings { service_account: file.clone().into_bytes().into(), endpoint: good.into() };
    let shown = format!("{fcm:?} {settings:?} {:?} {:?}", target(), message(b"hunter2"));
    assert!(!shown.contains("hunter2") && !shown.contains("PRIVATE"), "{shown}");
}
