//! Wakes through push gateways: a real relay, set up by its configuration file alone, real clients, and gateways in this process
//! that speak the real protocols (those that test `privet-push`). Time is moved by hand.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use privet_protocol::id::HomeId;
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::relay::{Code, Principal, Rights, Urgency};
use privet_protocol::time::Timestamp;
use privet_push::{PushKey, PushTarget};
use privet_relay::{Config, Server};
use privet_relay_client::{Connection, RelayTarget, Trust, connect};

use crate::common::{House, PATIENCE, code, config, entries, entry, in_time, key, machine, until};
use crate::gateway::subscriber::Subscriber;
use crate::gateway::{Reply, Seen, Server as Gateway, p256, service_account, status};

const START: i64 = 1_800_000_000_000;
const SENT: &str = r#"{"name":"projects/test-project/messages/0:1"}"#;
const TOKEN: &str = r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#;
const DEVICE: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

/// A gateway of each kind at one address, and a relay with a hub and a clock.
struct Town {
    gateway: Gateway,
    house: House,
    hub: Connection,
    file: PathBuf,
    now: Arc<AtomicI64>,
}

/// Everything works.
fn good(seen: &Seen) -> Reply {
    match seen.path.as_str() {
        "/token" => status(200, TOKEN),
        path if path.starts_with("/v1/") => status(200, SENT),
        path if path.starts_with("/up/") => status(201, ""),
        _ => status(200, ""),
    }
}

/// Tokens are given, messages answered like this.
fn but(reply: Reply) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| if seen.path == "/token" { status(200, TOKEN) } else { reply.clone() }
}

fn write_config(dir: &Path, gateway: &Gateway) -> PathBuf {
    let (account, _) = service_account(gateway);
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (authority, account) = (file("authority.pem", &gateway.authority_pem), file("account.json", &account));
    let (apns, url) = (file("apns.p8", &p256().0), gateway.url(""));
    let text = format!(
        "[push]\nauthorities = {authority:?}\npatience_ms = 1000\n\
         [push.fcm]\nservice_account = {account:?}\nendpoint = {url:?}\n\
         [push.web_push]\nsubject = 'mailto:ops@relay.example'\nallow_private = true\n\
         [push.apns]\nkey = {apns:?}\nkey_id = 'ABC123DEFG'\nteam_id = 'DEF123GHIJ'\nendpoint = {url:?}\nsandbox_endpoint = {url:?}\n"
    );
    file("relay.toml", &text)
}

impl Town {
    async fn new() -> Self {
        let gateway = Gateway::start(&["h2", "http/1.1"], good).await;
        let now = Arc::new(AtomicI64::new(START));
        let mut at = None;
        let house = House::with_clock(
            |config| {
                let file = write_config(&config.data, &gateway);
                config.push = Config::read(&file).unwrap().push;
                at = Some(file);
            },
            Self::clock(&now),
        )
        .await;
        let hub = house.hub().await;
        Self { gateway, house, hub, file: at.unwrap(), now }
    }

    fn clock(now: &Arc<AtomicI64>) -> Arc<dyn privet_protocol::time::Clock> {
        let now = Arc::clone(now);
        Arc::new(move || Timestamp(now.load(Ordering::Relaxed)))
    }

    async fn restart(self) -> Self {
        let Self { gateway, house, file, now, .. } = self;
        let House { dir, server, home, owner } = house;
        server.shutdown().await;
        let mut config = config(dir.path());
        config.push = Config::read(&file).unwrap().push;
        let server = Server::start_on(config, machine(Self::clock(&now))).await.unwrap();
        let house = House { dir, server, home, owner };
        let hub = house.hub().await;
        Self { gateway, house, hub, file, now }
    }

    /// A phone that is woken there, and away.
    async fn asleep(&self, number: u8, target: &PushTarget) {
        let phone = self.house.phone(&self.hub, number).await;
        self.set(&phone, number, target).await;
        phone.close();
    }

    async fn set(&self, phone: &Connection, number: u8, target: &PushTarget) {
        let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
        phone.set_push(relay.seal(target, &key(number).public()).unwrap()).await.unwrap();
    }

    async fn wake(&self, phone: u8, id: u8, payload: &[u8]) {
        let until = Timestamp(START).after(Duration::from_secs(24 * 3600));
        self.hub.wake(key(phone).public(), [id; 16], payload.to_vec(), Urgency::High, until).await.unwrap();
    }

    async fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::Relaxed);
        self.house.server.sweep().await;
    }

    /// The messages that the gateway got, once there are so many.
    async fn messages(&self, count: usize) -> Vec<Seen> {
        let mut all = Vec::new();
        in_time(async {
            while all.len() < count {
                all.extend(self.gateway.seen().into_iter().filter(|seen| seen.path != "/token"));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(all.len(), count);
        all
    }

    async fn settled(&self, waiting: u64) {
        until(|| async { self.house.server.wakes().waiting == waiting }).await;
    }
}

fn fcm() -> PushTarget {
    PushTarget::Fcm { token: "hunter2:APA91b".into() }
}

fn apns() -> PushTarget {
    PushTarget::Apns { token: DEVICE.into(), topic: "org.example.privet".into(), sandbox: false }
}

fn carried(seen: &Seen) -> Vec<u8> {
    let json = seen.json();
    let text = if seen.path.starts_with("/v1/") { &json["message"]["data"]["b"] } else { &json["b"] };
    BASE64.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_goes_through_each_gateway_by_configuration_alone() {
    let town = Town::new().await;
    let subscriber = Subscriber::new(town.gateway.url("/up/hunter2"));
    for (number, target) in [(2, &fcm()), (3, &apns()), (4, &subscriber.target)] {
        town.asleep(number, target).await;
    }
    let payload = [0, 255, 7, 9];
    for number in [2, 3, 4] {
        town.wake(number, 1, &payload).await;
    }
    for seen in town.messages(3).await {
        let got = if seen.path.starts_with("/up/") { subscriber.decrypt(&seen.body) } else { carried(&seen) };
        assert_eq!(got, payload, "{}", seen.path);
    }
    town.settled(0).await;
    let counts = town.house.server.wakes();
    assert_eq!((counts.accepted, counts.delivered, counts.fetched), (3, 3, 0));
    // Delivered is remembered: neither the same id nor a restart brings it again.
    let town = town.restart().await;
    town.wake(2, 1, &payload).await;
    town.pass(600).await;
    town.wake(2, 2, b"next").await;
    assert_eq!(carried(&town.messages(1).await[0]), b"next");
    let vapid = town.house.phone(&town.hub, 2).await.push_key().await.unwrap().vapid.unwrap();
    assert_eq!((vapid.len(), vapid[0]), (65, 4), "the relay's own key, made at its first start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_for_an_hour_loses_nothing() {
    let town = Town::new().await;
    town.asleep(2, &fcm()).await;
    town.gateway.answer(but(status(503, "")));
    for id in 1..=20 {
        town.wake(2, id, &[id]).await;
    }
    for _ in 0..12 {
        let tried = town.house.server.wakes().delayed;
        town.pass(450).await;
        until(|| async { town.house.server.wakes().delayed > tried }).await;
    }
    let tries = town.messages_so_far();
    assert!(tries < 30, "{tries} tries in an hour for one phone");
    assert_eq!(town.house.server.wakes().waiting, 20);
    // The relay is away, too, in between.
    let town = town.restart().await;
    town.gateway.answer(good);
    town.pass(450).await;
    let mut got: Vec<_> = town.good_ones(20).await;
    got.sort();
    assert_eq!(got, (1..=20).map(|id| vec![id]).collect::<Vec<_>>(), "each once");
    town.settled(0).await;
}

impl Town {
    fn messages_so_far(&self) -> usize {
        self.gateway.seen().into_iter().filter(|seen| seen.path != "/token").count()
    }

    /// What was carried, until the relay has counted so many deliveries.
    async fn good_ones(&self, count: u64) -> Vec<Vec<u8>> {
        until(|| async { self.house.server.wakes().delivered >= count }).await;
        let delivered = self.gateway.seen();
        // Tries that were refused before the gateway was back are not among them: their number is known.
        let all: Vec<_> = delivered.iter().filter(|seen| seen.path != "/token").map(carried).collect();
        let failed = usize::try_from(self.house.server.wakes().delayed).unwrap();
        all[failed..].to_vec()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_gateway_answers_the_wake_is_kept_and_tried_in_its_time() {
    let redirect = Reply::Status(307, vec![("location", "https://elsewhere.example/".into())], String::new());
    let later = Reply::Status(429, vec![("retry-after", "1200".into())], String::new());
    for (name, reply, wait) in [
        ("500", status(500, "nonsense"), 2),
        ("429 with Retry-After", later, 1200),
        ("a redirect", redirect, 2),
        ("a hang", Reply::Hang, 2),
        ("200 without sense", status(200, "<html>"), 2),
        ("200 and then an endless body", Reply::Endless(200), 2),
        ("401", status(401, ""), 90),
        ("403", status(403, ""), 90),
        ("404 of a wrong endpoint", status(404, "not here"), 90),
    ] {
        let town = Town::new().await;
        town.asleep(2, &fcm()).await;
        town.gateway.answer(but(reply));
        town.wake(2, 1, b"payload").await;
        until(|| async { town.house.server.wakes().delayed + town.house.server.wakes().misconfigured == 1 }).await;
        town.messages_so_far();
        town.gateway.answer(good);
        if wait > 2 {
            // Not before its time: another wake changes nothing of that.
            town.pass(wait / 2).await;
            town.wake(2, 2, b"second").await;
            assert_eq!((town.messages_so_far(), town.house.server.wakes().waiting), (0, 2), "{name}");
        }
        town.pass(wait).await;
        until(|| async { town.house.server.wakes().waiting == 0 }).await;
        let got: Vec<_> = town.gateway.seen().iter().filter(|seen| seen.path != "/token").map(carried).collect();
        assert_eq!(got[0], b"payload", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_is_dropped_and_what_waits_goes_to_the_next_one() {
    let town = Town::new().await;
    let subscriber = Subscriber::new(town.gateway.url("/up/hunter2"));
    town.asleep(2, &subscriber.target).await;
    town.gateway.answer(|_| status(410, ""));
    town.wake(2, 1, b"one").await;
    until(|| async { town.house.server.wakes().targets_gone == 1 }).await;
    town.messages(1).await;
    town.gateway.answer(good);
    town.wake(2, 2, b"two").await;
    town.pass(3600).await;
    let town = town.restart().await;
    town.pass(3600).await;
    assert_eq!(town.messages_so_far(), 0, "nobody is there");
    let phone = town.house.try_phone(2).await.unwrap();
    assert_eq!(entries(phone.read_wakes(1, false).await.unwrap()).await.len(), 2);
    town.set(&phone, 2, &fcm()).await;
    let got: Vec<_> = town.messages(2).await.iter().map(carried).collect();
    assert_eq!(got, [b"one", b"two"]);
    town.settled(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_says_a_target_again_that_is_gone_is_told_so() {
    let town = Town::new().await;
    let subscriber = Subscriber::new(town.gateway.url("/up/hunter2"));
    let phone = town.house.phone(&town.hub, 2).await;
    let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
    let seal = |target: &PushTarget| relay.seal(target, &key(2).public()).unwrap();
    phone.set_push(seal(&subscriber.target)).await.unwrap();
    town.gateway.answer(|_| status(410, ""));
    town.wake(2, 1, b"one").await;
    until(|| async { town.house.server.wakes().targets_gone == 1 }).await;
    // It is said before it is written down.
    until(|| async {
        let said = phone.set_push(seal(&subscriber.target)).await;
        said.is_err_and(|error| error.refusal() == Some(Code::Gone) && error.to_string().contains("subscribe anew"))
    })
    .await;
    assert_eq!(town.messages(1).await.len(), 1, "nobody is asked again");
    town.gateway.answer(good);
    town.set(&phone, 2, &fcm()).await;
    assert_eq!(carried(&town.messages(1).await[0]), b"one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_refuses_waits_for_the_phone_or_for_another_target() {
    let town = Town::new().await;
    town.asleep(2, &fcm()).await;
    town.gateway.answer(but(status(400, r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#)));
    town.wake(2, 1, b"one").await;
    until(|| async { town.house.server.wakes().rejected == 1 }).await;
    town.messages(1).await;
    let town = town.restart().await;
    town.pass(3600).await;
    assert_eq!(town.messages_so_far(), 0, "it is not tried again");
    town.gateway.answer(good);
    let phone = town.house.try_phone(2).await.unwrap();
    assert_eq!(entries(phone.read_wakes(1, false).await.unwrap()).await, [(1, b"one".to_vec())]);
    town.set(&phone, 2, &fcm()).await;
    assert_eq!(town.messages_so_far(), 0, "the same target");
    town.set(&phone, 2, &apns()).await;
    assert_eq!(carried(&town.messages(1).await[0]), b"one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_follows_gets_it_first_and_the_gateway_only_when_it_does_not_acknowledge() {
    let town = Town::new().await;
    let phone = town.house.phone(&town.hub, 2).await;
    town.set(&phone, 2, &fcm()).await;
    let mut follower = phone.read_wakes(1, true).await.unwrap();
    in_time(follower.next()).await.unwrap().expect("that it has come as far as there is");
    town.wake(2, 1, b"acknowledged").await;
    assert_eq!(entry(&mut follower).await, (1, b"acknowledged".to_vec()));
    phone.ack_wakes(1).await.unwrap();
    town.pass(600).await;
    town.wake(2, 2, b"not acknowledged").await;
    assert_eq!(entry(&mut follower).await.0, 2);
    town.pass(2).await;
    assert_eq!(town.messages_so_far(), 0, "it has three seconds");
    town.pass(1).await;
    assert_eq!(carried(&town.messages(1).await[0]), b"not acknowledged");
    town.settled(0).await;
    // Without a follower there is nothing to wait for.
    town.wake(2, 3, b"cut off").await;
    assert_eq!(entry(&mut follower).await.0, 3);
    drop(follower);
    assert_eq!(carried(&town.messages(1).await[0]), b"cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_too_long_calls_the_phone_to_fetch_it() {
    let town = Town::new().await;
    town.asleep(2, &fcm()).await;
    town.wake(2, 1, &[1; 3500]).await;
    assert!(carried(&town.messages(1).await[0]).is_empty());
    until(|| async { town.house.server.wakes().called == 1 }).await;
    let town = town.restart().await;
    town.pass(3600).await;
    assert_eq!(town.messages_so_far(), 0, "it was called already");
    let phone = town.house.try_phone(2).await.unwrap();
    assert_eq!(entries(phone.read_wakes(1, false).await.unwrap()).await, [(1, vec![1; 3500])]);
    phone.ack_wakes(1).await.unwrap();
    town.settled(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_phone_is_not_woken_and_its_target_is_gone() {
    let town = Town::new().await;
    town.asleep(2, &fcm()).await;
    town.gateway.answer(but(status(503, "")));
    town.wake(2, 1, b"one").await;
    until(|| async { town.house.server.wakes().delayed == 1 }).await;
    town.messages_so_far();
    town.hub.revoke(key(2).public()).await.unwrap();
    town.gateway.answer(good);
    town.pass(3600).await;
    let phone = town.house.phone(&town.hub, 2).await;
    town.wake(2, 1, b"two").await;
    let town = town.restart().await;
    town.pass(3600).await;
    assert_eq!(town.messages_so_far(), 0);
    drop(phone);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_for_another_one_or_where_there_is_no_gateway() {
    let town = Town::new().await;
    let (phone, other) = (town.house.phone(&town.hub, 2).await, town.house.phone(&town.hub, 3).await);
    let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
    let sealed = relay.seal(&fcm(), &key(2).public()).unwrap();
    assert_eq!(code(other.set_push(sealed.clone()).await), Code::Malformed);
    assert_eq!(code(town.hub.set_push(sealed.clone()).await), Code::Denied, "the owner is no phone");
    phone.set_push(sealed).await.unwrap();
    town.wake(3, 1, b"not here").await;
    town.wake(2, 1, b"here").await;
    assert_eq!(carried(&town.messages(1).await[0]), b"here");

    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
    let refused = phone.set_push(relay.seal(&fcm(), &key(2).public()).unwrap()).await;
    let text = refused.as_ref().unwrap_err().to_string();
    assert!(text.contains("[push.fcm]"), "{text}");
    assert_eq!(code(refused), Code::NotFound);
}

/// The program, with what it says in a file.
fn run(config: &Path, port: u16, log: &Path) -> (std::process::Child, RelayTarget, u16) {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_privet-relay"))
        .args(["run", "--config", config.to_str().unwrap(), "--listen", &format!("127.0.0.1:{port}")])
        .env("RUST_LOG", "info,privet_relay=debug,privet_push=debug")
        .stdout(std::process::Stdio::piped())
        .stderr(std::fs::File::options().create(true).append(true).open(log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let pin = HEXLOWER.decode(ready["pin"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    (child, RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) }, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_brings_what_it_accepted_and_repeats_at_most_what_was_under_way() {
    const ROUNDS: usize = 8;
    let gateway = Gateway::start(&["h2", "http/1.1"], good).await;
    let dir = tempfile::tempdir().unwrap();
    let file = write_config(dir.path(), &gateway);
    let top = format!(
        "data = {:?}\n[limits]\nfree_bytes = 0\nconnects_per_s = 1000\nrequests_per_s = 10000\nwakes_per_s = 10000\nwakes_per_h = 1000000\n",
        dir.path().join("data").to_str().unwrap()
    );
    std::fs::write(&file, top + &std::fs::read_to_string(&file).unwrap()).unwrap();
    let (log, home) = (dir.path().join("log"), HomeId::generate(&SystemRandom));
    let founder = Principal::Founder { home, invite: None };
    let until = Timestamp::from(std::time::SystemTime::now()).after(Duration::from_secs(3600));
    let (mut next, mut port) = (0_u64, 0);
    for round in 0..=ROUNDS {
        let (mut child, target, listening) = run(&file, port, &log);
        port = listening;
        let hub = connect(&target, founder.clone(), &key(1), PATIENCE).await.unwrap();
        if round == 0 {
            hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
            let phone = connect(&target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
            let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
            phone.set_push(relay.seal(&fcm(), &key(2).public()).unwrap()).await.unwrap();
            phone.close();
        }
        let wake = async |number: u64| {
            let id = [&number.to_be_bytes()[..], &[0; 8]].concat().try_into().unwrap();
            hub.wake(key(2).public(), id, number.to_be_bytes().to_vec(), Urgency::High, until).await
        };
        if round == ROUNDS {
            // One whose answer was lost is said again.
            wake(next).await.unwrap();
            in_time(async {
                while brought(&gateway).len() <= usize::try_from(next).unwrap() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
            child.kill().unwrap();
            child.wait().unwrap();
            break;
        }
        let mut byte = [0];
        SystemRandom.fill(&mut byte);
        let killer = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(50 + u64::from(byte[0])));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        let work = async {
            while wake(next).await.is_ok() {
                next += 1;
            }
        };
        tokio::select! {
            () = work => {}
            killed = killer => killed.unwrap(),
        }
    }
    let all: Vec<_> = gateway.seen().iter().filter(|seen| seen.path != "/token").map(carried).collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    println!("{} wakes, {} brought twice", distinct.len(), all.len() - distinct.len());
    assert_eq!(distinct.len() as u64, next + 1, "every one that was accepted");
    assert!(all.len() - distinct.len() <= ROUNDS, "one at most for each kill");
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("fcm") && !said.contains("hunter2") && !said.contains("ya29"), "{said}");
}

/// The different payloads that a gateway has got so far.
fn brought(gateway: &Gateway) -> BTreeSet<Vec<u8>> {
    gateway.look(|seen| seen.iter().filter(|seen| seen.path != "/token").map(carried).collect())
}
