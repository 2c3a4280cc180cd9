//! A relay that is told things while it runs: a new certificate, new limits, to end. The program itself, with real clients.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, Principal};
use privet_relay::Identity;
use privet_relay_client::{ClientError, Connection, RelayTarget, Trust, connect};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::{self, PATIENCE, body, code, in_time, keep, key, read_all, stream, until};
use crate::pages;

/// The program, its file, and what it says.
struct Relay {
    child: Child,
    dir: tempfile::TempDir,
    home: HomeId,
    port: u16,
}

impl Relay {
    /// With these lines in its configuration, and a certificate.
    fn start(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        pages::certificate(dir.path(), 4000);
        write(dir.path(), lines);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let (child, port) = run(dir.path(), 0, log);
        Self { child, dir, home: HomeId::generate(&SystemRandom), port }
    }

    fn target(&self) -> RelayTarget {
        let (chain, key) = (self.dir.path().join("chain.pem"), self.dir.path().join("key.pem"));
        let files = privet_relay::config::CertificateFiles { chain, key };
        let pin = Identity::read(&files).unwrap().pin();
        RelayTarget { host: "127.0.0.1".into(), port: self.port, trust: Trust::Pin(pin) }
    }

    async fn try_hub(&self, target: &RelayTarget) -> Result<Connection, ClientError> {
        connect(target, Principal::Founder { home: self.home, invite: None }, &key(1), PATIENCE).await
    }

    async fn hub(&self) -> Connection {
        self.try_hub(&self.target()).await.unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap(), signal).unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Waits until so many lines of the log hold these words.
    async fn says(&self, words: &str, times: usize) {
        until(|| async { self.log().matches(words).count() >= times }).await;
    }

    /// Where its pages are.
    async fn pages(&self) -> SocketAddr {
        self.says("metrics are served", 1).await;
        let log = self.log();
        let line = log.lines().find(|line| line.contains("metrics are served")).unwrap();
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fields"]["address"].as_str().unwrap().parse().unwrap()
    }

    /// Waits until it has ended by itself.
    async fn ended(mut self) -> (ExitStatus, Self) {
        tokio::task::spawn_blocking(move || (self.child.wait().unwrap(), self)).await.unwrap()
    }
}

fn run(dir: &Path, port: u16, log: fs::File) -> (Child, u16) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_privet-relay"))
        .args(["run", "--listen", &format!("127.0.0.1:{port}"), "--config"])
        .arg(dir.join("relay.toml"))
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    (child, port)
}

fn write(dir: &Path, lines: &str) -> PathBuf {
    let file = dir.join("relay.toml");
    let text = format!(
        "data = {:?}\n[certificate]\nchain = {:?}\nkey = {:?}\n[log]\nformat = 'json'\n[metrics]\nlisten = '127.0.0.1:0'\n\
         [limits]\nfree_bytes = 0\n{lines}",
        dir.join("data"),
        dir.join("chain.pem"),
        dir.join("key.pem"),
    );
    fs::write(&file, text).unwrap();
    file
}

const READ: &str = "certificate and limits were read again";

#[tokio::test]
async fn a_renewed_certificate_meets_newcomers_and_nobody_is_thrown_out() {
    let relay = Relay::start("");
    let old = relay.target();
    let hub = relay.hub().await;
    hub.append(1, b"one".to_vec()).await.unwrap();
    pages::certificate(relay.dir.path(), 3000);
    let new = relay.target();
    assert_ne!(old, new);
    relay.try_hub(&old).await.expect("nothing changes before it is told to");
    relay.signal(Signal::HUP);
    relay.says(READ, 1).await;
    let refused = relay.try_hub(&old).await.unwrap_err();
    assert!(matches!(refused, ClientError::WrongIdentity { .. }), "{refused}");
    let again = relay.try_hub(&new).await.unwrap();
    again.append(2, b"two".to_vec()).await.unwrap();
    hub.append(3, b"who was there is there still".to_vec()).await.unwrap();
    let page = pages::page(relay.pages().await, "/metrics").await.1;
    let line = page.lines().find(|line| line.starts_with("privet_relay_certificate_expiry")).unwrap();
    let until: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    // The last day of the year 3000.
    assert!((32_535_129_600.0..=32_535_216_000.0).contains(&until), "{until}");
    relay.signal(Signal::TERM);
    assert!(relay.ended().await.0.success());
}

#[tokio::test]
async fn new_limits_count_at_once_and_what_needs_a_restart_is_named() {
    let relay = Relay::start("log_entries = 16\nsegment_bytes = 65536\n");
    let hub = relay.hub().await;
    for seq in 1..=16 {
        hub.append(seq, vec![1]).await.unwrap();
    }
    assert_eq!(code(hub.append(17, vec![1]).await), Code::Quota);
    write(relay.dir.path(), "log_entries = 17\nsegment_bytes = 131072\n[homes]\nmost = 5\n");
    relay.signal(Signal::HUP);
    relay.says("these were changed too and count after a restart only", 1).await;
    let log = relay.log();
    let line = log.lines().find(|line| line.contains("these were changed too")).unwrap();
    assert!(line.contains("homes") && !line.contains("limits"), "{line}");
    // For a home that is in memory, on a connection that was there before.
    hub.append(17, vec![1]).await.unwrap();
    assert_eq!(code(hub.append(18, vec![1]).await), Code::Quota);
    assert_eq!(hub.limits().segment_bytes, 65536, "what it was told at its hello");
    assert_eq!(relay.hub().await.limits().segment_bytes, 131_072);
}

#[tokio::test]
async fn a_file_that_cant_be_used_changes_nothing() {
    let relay = Relay::start("log_entries = 16\n");
    let hub = relay.hub().await;
    let refused = "all goes on with the one from before";
    let file = write(relay.dir.path(), "log_entries = 1\n");
    relay.signal(Signal::HUP);
    relay.says(refused, 1).await;
    assert!(relay.log().contains("limits.log_entries is 1; allowed: a whole number from 16"), "{}", relay.log());
    // A good limit beside a certificate without its key: neither is taken.
    let target = relay.target();
    let key_file = relay.dir.path().join("key.pem");
    let good_key = fs::read(&key_file).unwrap();
    write(relay.dir.path(), "log_entries = 100\n");
    fs::write(&key_file, "no key").unwrap();
    relay.signal(Signal::HUP);
    relay.says(refused, 2).await;
    assert!(relay.log().contains("certificate.key is "), "{}", relay.log());
    fs::remove_file(&file).unwrap();
    relay.signal(Signal::HUP);
    relay.says(refused, 3).await;
    for seq in 1..=16 {
        hub.append(seq, vec![1]).await.unwrap();
    }
    assert_eq!(code(hub.append(17, vec![1]).await), Code::Quota);
    relay.try_hub(&target).await.unwrap();
    // Mended, it is taken.
    fs::write(&key_file, good_key).unwrap();
    write(relay.dir.path(), "log_entries = 100\n");
    relay.signal(Signal::HUP);
    relay.says(READ, 1).await;
    hub.append(17, vec![1]).await.unwrap();
}

#[tokio::test]
async fn who_asks_is_told_first_then_what_was_begun_is_ended_and_clients_come_again() {
    let relay = Relay::start("drain_s = 3600\n");
    let pages = relay.pages().await;
    assert_eq!(pages::page(pages, "/ready").await.0, 200);
    let hub = relay.hub().await;
    hub.append(1, b"before".to_vec()).await.unwrap();
    relay.signal(Signal::TERM);
    until(|| async { pages::page(pages, "/ready").await.0 == 503 }).await;
    // It serves on: whoever watches it has time to send clients elsewhere.
    assert_eq!(pages::page(pages, "/health").await.0, 200);
    hub.append(2, b"while it leaves".to_vec()).await.unwrap();
    relay.hub().await.usage().await.unwrap();
    // A segment is on its way when time is up, and a reader follows the log.
    let mut log = hub.read_log(1, true).await.unwrap();
    common::entry(&mut log).await;
    let id = stream();
    let mut writer = hub.put(id, 0, keep(), true).await.unwrap();
    writer.write(body(1, 30_000)).await.unwrap();
    relay.signal(Signal::TERM);
    relay.says("shutting down", 1).await;
    writer.write(body(2, 10_000)).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), 40_000);
    let ended = in_time(hub.closed()).await;
    assert!(ended.to_string().contains("shuts down") && ended.is_retryable(), "{ended}");
    let (status, mut relay) = relay.ended().await;
    assert!(status.success(), "{status}");

    let log = fs::File::create(relay.dir.path().join("log")).unwrap();
    relay.child = run(relay.dir.path(), relay.port, log).0;
    let hub = relay.hub().await;
    assert_eq!(hub.append(2, b"while it leaves".to_vec()).await.unwrap(), 2);
    assert_eq!(read_all(&mut hub.get(id, 0, 0).await.unwrap()).await.unwrap().len(), 40_000);
}

#[tokio::test]
async fn who_never_ends_a_request_holds_up_nothing() {
    let relay = Relay::start("");
    let hub = relay.hub().await;
    let mut writer = hub.put(stream(), 0, keep(), true).await.unwrap();
    writer.write(body(1, 30_000)).await.unwrap();
    relay.signal(Signal::TERM);
    let ended = in_time(hub.closed()).await;
    assert!(ended.to_string().contains("shuts down"), "{ended}");
    assert!(relay.ended().await.0.success());
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
