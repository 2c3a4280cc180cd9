//! What a relay says of itself over HTTP: the page against its documentation, the numbers against real traffic, and no word of whose
//! traffic it was.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, HEXLOWER};
use privet_protocol::id::{HomeId, MailboxId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, Principal, Retention, Side, Urgency};
use privet_protocol::time::Timestamp;
use privet_relay::Config;
use privet_relay::config::Push;
use privet_relay_client::{From, connect};

use crate::common::{self, House, body, code, entry, in_time, keep, key, put, read_all, stream, until};
use crate::openmetrics::{Samples, parse, value};
use crate::pages::{self, ask, page};

async fn house(change: impl FnOnce(&mut Config)) -> (House, SocketAddr) {
    let house = House::with(|config| {
        let metrics = "[metrics]\nlisten = '127.0.0.1:0'\n";
        config.metrics = Config::parse("relay.toml", metrics).unwrap().metrics;
        change(config);
    })
    .await;
    until(|| async { house.server.metrics().is_some() }).await;
    let address = house.server.metrics().unwrap();
    (house, address)
}

async fn numbers(address: SocketAddr) -> Samples {
    parse(&page(address, "/metrics").await.1)
}

/// A gateway that is there and never asked.
fn web_push() -> Push {
    Config::parse("relay.toml", "[push.web_push]\nsubject = 'mailto:ops@relay.example'\n").unwrap().push
}

#[tokio::test]
async fn the_page_has_what_is_documented_and_nothing_else_and_names_nobody() {
    let (house, address) = house(|config| {
        config.push = web_push();
        let file = config.data.join("cert");
        std::fs::create_dir_all(&file).unwrap();
        config.certificate = Some(certificate(&file));
    })
    .await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    assert_eq!(hub.append(1, vec![7; 500]).await.unwrap(), 1);
    phone.send(vec![8; 300]).await.unwrap();
    let (kept, live) = (stream(), stream());
    put(&hub, kept, 0, keep(), body(1, 200_000)).await;
    assert_eq!(read_all(&mut phone.get(kept, 0, 0).await.unwrap()).await.unwrap().len(), 200_000);
    let mut follower = phone.follow(live, From::Index(0)).await.unwrap();
    put(&hub, live, 0, Retention::Pass, body(2, 20_000)).await;
    in_time(follower.next()).await.unwrap().unwrap();
    let soon = Timestamp::from(SystemTime::now()).after(Duration::from_secs(600));
    let mailbox = MailboxId::generate(&SystemRandom);
    hub.open_mailbox(mailbox, key(5).public(), soon).await.unwrap();
    let guest = connect(&house.target(), Principal::Mailbox { mailbox }, &key(5), common::PATIENCE).await.unwrap();
    guest.post(mailbox, Side::Hub, vec![9; 100]).await.unwrap();
    hub.wake(key(2).public(), [1; 16], vec![1; 64], Urgency::High, soon).await.unwrap();
    assert_eq!(code(phone.append(2, vec![1]).await), Code::Denied);
    let stranger = Principal::Member { home: HomeId::generate(&SystemRandom) };
    let stranger = connect(&house.target(), stranger, &key(9), common::PATIENCE).await;
    assert_eq!(code(stranger), Code::Denied);
    // Who is refused may close before the relay does.
    until(|| async {
        let samples = numbers(address).await;
        let closed = |reason| value(&samples, "privet_relay_closed_total", &[("reason", reason)]);
        closed("refused") + closed("client") == 1.0
    })
    .await;

    let text = page(address, "/metrics").await.1;
    let samples = parse(&text);
    let of = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    assert_eq!(of("privet_relay_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    for (kind, number) in [("owner", 1.0), ("member", 1.0), ("mailbox", 1.0)] {
        assert_eq!(of("privet_relay_connections", &[("kind", kind)]), number, "{kind}");
        assert_eq!(of("privet_relay_hellos_total", &[("kind", kind)]), number, "{kind}");
    }
    assert_eq!(of("privet_relay_newcomers_total", &[("outcome", "connected")]), 4.0);
    assert_eq!(of("privet_relay_refused_total", &[("code", "denied")]), 2.0);
    assert_eq!((of("privet_relay_homes", &[]), of("privet_relay_followers", &[])), (1.0, 1.0));
    assert_eq!((of("privet_relay_log_entries", &[]), of("privet_relay_passing_bytes", &[])), (1.0, 20_000.0));
    assert_eq!(of("privet_relay_stored_bytes", &[]), hub.usage().await.unwrap().stored_bytes as f64);
    assert!(of("privet_relay_received_bytes_total", &[]) > 220_000.0);
    assert!(of("privet_relay_sent_bytes_total", &[]) > 220_000.0);
    assert!(of("privet_relay_disk_seconds_count", &[("what", "commit")]) > 5.0);
    assert_eq!(of("privet_relay_disk_seconds_count", &[("what", "body")]), 1.0);
    assert_eq!(of("privet_relay_disk_failed_total", &[]), 0.0);
    assert_eq!(of("privet_relay_wakes_total", &[("outcome", "accepted")]), 1.0);
    assert_eq!(of("privet_relay_pushes_total", &[("gateway", "web_push"), ("outcome", "taken")]), 0.0);

    assert_eq!(on_page(&samples), documented());
    let ours = [house.home.as_bytes(), kept.as_bytes(), live.as_bytes(), mailbox.as_bytes()].map(|id| id.to_vec());
    let keys = [1, 2, 5, 9].map(|number| key(number).public().0.to_vec());
    for secret in ours.iter().chain(&keys) {
        for written in [HEXLOWER.encode(secret), BASE64.encode(secret)] {
            assert!(!text.to_lowercase().contains(&written.to_lowercase()), "{written} is on the page");
        }
    }
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn what_is_gone_is_not_counted_as_there() {
    let (house, address) = house(|_| {}).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    hub.append(1, vec![7; 500]).await.unwrap();
    put(&hub, id, 0, keep(), body(1, 50_000)).await;
    let mut log = phone.read_log(1, true).await.unwrap();
    entry(&mut log).await;
    phone.ack_log(1).await.unwrap();
    hub.drop_stream(id).await.unwrap();
    hub.revoke(key(2).public()).await.unwrap();
    until(|| async { value(&numbers(address).await, "privet_relay_connections", &[("kind", "member")]) == 0.0 }).await;
    let samples = numbers(address).await;
    let of = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    assert_eq!((of("privet_relay_stored_bytes", &[]), of("privet_relay_log_entries", &[])), (0.0, 0.0));
    assert_eq!(of("privet_relay_closed_total", &[("reason", "revoked")]), 1.0);
    assert_eq!(of("privet_relay_closed_total", &[("reason", "lost")]), 0.0);
    hub.close();
    until(|| async { value(&numbers(address).await, "privet_relay_closed_total", &[("reason", "client")]) == 1.0 })
        .await;
}

#[tokio::test]
async fn a_relay_that_runs_is_up_and_ready_only_when_it_can_keep_things() {
    let (good, address) = house(|_| {}).await;
    assert_eq!(page(address, "/health").await, (200, "up\n".into()));
    assert_eq!(page(address, "/ready").await, (200, "ready\n".into()));
    let elsewhere = ask(address, "GET / HTTP/1.1\r\nHost: relay\r\n\r\n").await;
    assert!(
        elsewhere.starts_with("HTTP/1.1 404 ") && elsewhere.ends_with("/metrics, /health, /ready\n"),
        "{elsewhere}"
    );
    let posted = ask(address, "POST /ready HTTP/1.1\r\nHost: relay\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
    good.server.leave();
    assert_eq!(page(address, "/ready").await, (503, "leaving: the relay is about to end\n".into()));
    assert_eq!(page(address, "/health").await.0, 200);
    good.hub().await.usage().await.unwrap();

    let (full, address) = house(|config| config.limits.free_bytes = i64::MAX as u64).await;
    assert_eq!(page(address, "/ready").await, (503, "storage: less than limits.free_bytes is free\n".into()));
    assert_eq!(page(address, "/health").await.0, 200);
    drop(full);

    let (expired, address) = house(|config| {
        let folder = config.data.join("cert");
        std::fs::create_dir_all(&folder).unwrap();
        config.certificate = Some(pages::certificate(&folder, 2001));
    })
    .await;
    assert_eq!(page(address, "/ready").await, (503, "certificate: it has expired\n".into()));
    drop(expired);
}

fn certificate(folder: &Path) -> privet_relay::config::CertificateFiles {
    pages::certificate(folder, 4000)
}

/// Metrics and their labels, as `name{label,label}`; of a histogram its name alone, without the bounds.
fn on_page(samples: &Samples) -> BTreeSet<String> {
    let plain = |name: &str| {
        let histogram = ["_sum", "_count", "_bucket"].iter().find_map(|end| name.strip_suffix(end));
        histogram.unwrap_or(name).to_owned()
    };
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (name, values) in samples {
        let labels = found.entry(plain(name)).or_default();
        labels.extend(values.keys().flatten().map(|(label, _)| label.as_str()).filter(|label| *label != "le"));
    }
    found.into_iter().map(|(name, labels)| named(&name, labels)).collect()
}

/// The same of the documentation, and that every word a label may have stands there.
fn documented() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/relay-metrics.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `privet_"));
    rows.map(|row| {
        let (name, labels) =
            row.split('`').next().unwrap().split_once('{').unwrap_or((row.split('`').next().unwrap(), ""));
        named(&format!("privet_{name}"), labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty()).collect())
    })
    .collect()
}

fn named(name: &str, labels: BTreeSet<&str>) -> String {
    format!("{name}{{{}}}", labels.into_iter().collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn every_word_a_label_has_is_documented() {
    let (_house, address) = house(|config| config.push = web_push()).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/relay-metrics.md");
    let text = std::fs::read_to_string(file).unwrap();
    for (name, values) in &numbers(address).await {
        let short = ["_sum", "_count", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let row =
            text.lines().find(|line| line.starts_with(&format!("| `{short}"))).unwrap_or_else(|| panic!("{name}"));
        for (label, word) in values.keys().flatten() {
            assert!(
                ["le", "version"].contains(&label.as_str()) || row.contains(&format!("`{word}`")),
                "{name}: {word}"
            );
        }
    }
}
