//! A relay in this process, and clients of it; the stores that relays share.

pub mod postgres;
pub mod s3;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ciborium::Value;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, Principal, Retention, Rights};
use privet_protocol::time::{Clock, Timestamp};
use privet_relay::config::StorageKind;
use privet_relay::{Config, Machine, Server};
use privet_relay_client::{
    ClientError, ClientKey, Connection, LogItem, LogReader, RelayTarget, SegmentReader, Trust, connect,
};
use tempfile::TempDir;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// A relay, its directory and one home.
pub struct House {
    pub dir: TempDir,
    pub server: Server,
    pub home: HomeId,
    pub owner: ClientKey,
}

pub fn config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.listen = ([127, 0, 0, 1], 0).into();
    config.data = dir.to_owned();
    config.limits.free_bytes = 0;
    config.limits.connects_per_s = 1000;
    config.limits.requests_per_s = 10_000;
    if is_shared() {
        share(&mut config, &std::env::var("PRIVET_TEST_POSTGRES").expect("PRIVET_TEST_POSTGRES"));
    }
    config
}

/// Whether relays keep things in PostgreSQL and an object store in this run of the tests (`./dev test` does both).
pub fn is_shared() -> bool {
    match std::env::var("PRIVET_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("embedded") | Err(_) => false,
        Ok(other) => panic!("PRIVET_TEST_STORE is {other:?}; it may be embedded or postgres"),
    }
}

/// Whether relays keep things on this machine's disk in this run, where a test can look at files. Where they do not, what stays untested is
/// said once, past the test runner's capture of what tests print: nobody shall take it for tested.
pub fn on_disk(test: &'static str, untested: &'static str) -> bool {
    static SAID: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());
    let shared = is_shared();
    if shared && SAID.lock().unwrap().insert((test, untested)) {
        let line = format!("NOT TESTED on PostgreSQL: {test}: {untested}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    !shared
}

/// Connections of one relay to PostgreSQL; each is a task.
pub const POSTGRES_CONNECTIONS: u32 = 8;

/// Keeps things in the PostgreSQL that is reached like this, in a schema of this relay's data directory, and bodies in a directory.
pub fn share(config: &mut Config, reached: &str) {
    let mut hasher = DefaultHasher::new();
    config.data.hash(&mut hasher);
    let schema = format!("t_{:016x}", hasher.finish());
    let create = format!("SET client_min_messages = warning; CREATE SCHEMA IF NOT EXISTS {schema}");
    let made = Command::new("psql").args(["-q", "-d", reached, "-c", &create]).output().expect("psql");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    config.storage.kind = StorageKind::Postgres;
    config.storage.postgres = Some(format!("{reached} options='-c search_path={schema}'"));
    config.storage.postgres_connections = POSTGRES_CONNECTIONS;
    config.storage.objects = Some(format!("file://{}", config.data.join("objects").display()));
}

/// What PostgreSQL answers about the store of this configuration, a row a line.
pub fn ask(config: &Config, sql: &str) -> Vec<String> {
    let reached = config.storage.postgres.as_deref().expect("a store in PostgreSQL");
    let answer = Command::new("psql").args(["-qAt", "-d", reached, "-c", sql]).output().expect("psql");
    assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
    String::from_utf8(answer.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The files in a folder and all below it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

impl House {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Machine::this(), change).await
    }

    /// Time passes as this clock says.
    pub async fn with_clock(change: impl FnOnce(&mut Config), clock: Arc<dyn Clock>) -> Self {
        Self::on(machine(clock), change).await
    }

    pub async fn on(machine: Machine, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        change(&mut config);
        let server = Server::start_on(config, machine).await.unwrap();
        Self { dir, server, home: HomeId::generate(&SystemRandom), owner: key(1) }
    }

    pub async fn restart(self) -> Self {
        let Self { dir, server, home, owner } = self;
        server.shutdown().await;
        let server = Server::start(config(dir.path())).await.unwrap();
        Self { dir, server, home, owner }
    }

    pub fn target(&self) -> RelayTarget {
        target(&self.server)
    }

    pub async fn hub(&self) -> Connection {
        let principal = Principal::Founder { home: self.home, invite: None };
        connect(&self.target(), principal, &self.owner, PATIENCE).await.unwrap()
    }

    pub async fn try_phone(&self, number: u8) -> Result<Connection, ClientError> {
        connect(&self.target(), Principal::Member { home: self.home }, &key(number), PATIENCE).await
    }

    /// A phone with a phone's rights.
    pub async fn phone(&self, hub: &Connection, number: u8) -> Connection {
        hub.grant(key(number).public(), Rights::PHONE).await.unwrap();
        self.try_phone(number).await.unwrap()
    }
}

/// A machine on which time passes as this clock says, and nobody sets the clock.
pub fn machine(clock: Arc<dyn Clock>) -> Machine {
    let mut machine = Machine::this();
    machine.clock = Arc::clone(&clock);
    machine.uptime = Arc::new(move || Duration::from_millis(clock.now().0.unsigned_abs()));
    machine
}

pub fn target(server: &Server) -> RelayTarget {
    RelayTarget { host: "127.0.0.1".into(), port: server.address().port(), trust: Trust::Pin(server.pin()) }
}

pub fn key(number: u8) -> ClientKey {
    ClientKey::from_seed(&[number; 32]).unwrap()
}

pub fn stream() -> StreamId {
    StreamId::generate(&SystemRandom)
}

pub fn keep() -> Retention {
    Retention::Keep { until: Timestamp::from(std::time::SystemTime::now()).after(Duration::from_secs(3600)) }
}

/// Bytes that differ from place to place.
pub fn body(seed: u64, length: usize) -> Bytes {
    (0..length as u64).map(|i| (i.wrapping_mul(31).wrapping_add(seed * 7) >> 3) as u8).collect()
}

/// A record of the relay's index with another value in this field, or without it.
pub fn with_field(record: &[u8], field: &str, value: Option<Value>) -> Vec<u8> {
    let Value::Map(mut fields) = ciborium::from_reader::<Value, _>(record).unwrap() else { panic!("no record") };
    let there = fields.len();
    fields.retain(|(name, _)| name.as_text() != Some(field));
    assert_eq!(fields.len() + 1, there, "it has no {field}");
    fields.extend(value.map(|value| (Value::Text(field.to_owned()), value)));
    let mut changed = Vec::new();
    ciborium::into_writer(&Value::Map(fields), &mut changed).unwrap();
    changed
}

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

pub async fn read_all(reader: &mut SegmentReader) -> Result<Vec<u8>, ClientError> {
    let mut all = Vec::new();
    while let Some(bytes) = in_time(reader.read()).await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

pub async fn put(hub: &Connection, stream: StreamId, index: u64, retention: Retention, bytes: Bytes) -> u64 {
    let mut writer = hub.put(stream, index, retention, false).await.unwrap();
    writer.write(bytes).await.unwrap();
    in_time(writer.finish()).await.unwrap()
}

/// Puts segments with these bytes, from this number on, until one has become no file but a part of the index: its number. That takes that
/// its end comes with its first bytes. `data` is the relay's data directory.
pub async fn put_small(
    data: &Path,
    hub: &Connection,
    stream: StreamId,
    from: u64,
    retention: Retention,
    bytes: Bytes,
) -> u64 {
    assert!(!is_shared(), "PostgreSQL has no bodies");
    for index in from..from + 50 {
        assert_eq!(put(hub, stream, index, retention, bytes.clone()).await, bytes.len() as u64);
        if !is_file(data, stream, index) {
            return index;
        }
    }
    panic!("none of them came at once");
}

/// Whether this segment has a file, whole or not.
pub fn is_file(data: &Path, stream: StreamId, index: u64) -> bool {
    let end = format!("{stream}-{index:016x}");
    let folders = std::fs::read_dir(data.join("bodies")).unwrap().map(|folder| folder.unwrap().path());
    let mut files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.any(|file| file.unwrap().file_name().to_str().unwrap().ends_with(&end))
}

pub async fn entry(reader: &mut LogReader) -> (u64, Vec<u8>) {
    loop {
        match in_time(reader.next()).await.unwrap().expect("the log ended") {
            LogItem::Entry { seq, bytes } => return (seq, bytes),
            LogItem::CaughtUp { .. } => {}
        }
    }
}

pub async fn entries(mut reader: LogReader) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(item) = in_time(reader.next()).await.unwrap() {
        if let LogItem::Entry { seq, bytes } = item {
            found.push((seq, bytes));
        }
    }
    found
}

/// Asks until `done`, for what comes a moment after its cause.
pub async fn until<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    in_time(async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub fn code<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> Code {
    outcome.unwrap_err().refusal().expect("not a refusal")
}
