//! The relay's configuration: one TOML file, defaults that work, errors that name file, line, key and what is allowed.
//! Page: `docs/reference/relay-config.md`.

mod drain;
mod nodes;
mod push;
mod storage;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use privet_config::ConfigError;
use privet_config::{Fault, Form, Number};
use privet_protocol::relay::{Farewell, MAX_WORK_BITS};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::gateways::Gateways;
use crate::identity::Identity;
use crate::nodes::ClusterSecret;
use crate::tokens::Tokens;
pub use drain::Drain;
pub use nodes::Nodes;
pub use push::{ApnsFiles, FcmFiles, Push, WebPushFiles};
pub(crate) use storage::ObjectsPlace;
pub use storage::{Storage, StorageKind};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// The UDP address to listen on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The directory for state, bodies and the identity.
    pub data: PathBuf,
    /// Where state and bodies are, if not there.
    pub storage: Storage,
    /// What makes it one of many; alone without the table.
    pub nodes: Option<Nodes>,
    /// A certificate of a public authority instead of the relay's own identity.
    pub certificate: Option<CertificateFiles>,
    /// Who may create homes.
    pub homes: Homes,
    /// What bounds everything.
    pub limits: Limits,
    /// Where clients go when the relay ends.
    pub drain: Drain,
    /// How phones that are not connected are woken.
    pub push: Push,
    /// What is written to the log.
    pub log: Log,
    /// Where others read how the relay is. Nowhere without the table.
    pub metrics: Option<Metrics>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv6Addr::UNSPECIFIED, 4433).into(),
            data: "/var/lib/privet-relay".into(),
            storage: Storage::default(),
            nodes: None,
            certificate: None,
            homes: Homes::default(),
            limits: Limits::default(),
            drain: Drain::default(),
            push: Push::default(),
            log: Log::default(),
            metrics: None,
        }
    }
}

/// PEM files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain, the relay's own certificate first.
    pub chain: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
}

/// Who may create homes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Homes {
    /// Anyone, or whoever brings an invite or a token, or has worked for it.
    pub policy: Policy,
    /// Invites that stand here, each good for one home. `privet-relay invite` makes others.
    pub invites: Vec<String>,
    /// A file of tokens, a line each, with the number of homes it is good for where that has a bound.
    pub token_file: Option<PathBuf>,
    /// How much work founding a home takes where work is asked for: each bit doubles it.
    pub work_bits: u32,
    /// How many homes there may be.
    pub most: u64,
}

impl std::fmt::Debug for Homes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // How many invites, not which.
        let invites = self.invites.len();
        f.debug_struct("Homes")
            .field("policy", &self.policy)
            .field("invites", &invites)
            .field("token_file", &self.token_file)
            .field("work_bits", &self.work_bits)
            .field("most", &self.most)
            .finish()
    }
}

impl Default for Homes {
    fn default() -> Self {
        Self { policy: Policy::Open, invites: Vec::new(), token_file: None, work_bits: 22, most: 10_000 }
    }
}

/// Who may create homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Anyone.
    Open,
    /// Whoever brings an invite.
    Invite,
    /// Whoever brings a token of the operator's file.
    Token,
    /// Whoever lets a machine work for it.
    ProofOfWork,
}

/// What bounds everything. Times are in seconds unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes a home may keep stored.
    pub stored_bytes: u64,
    /// Bytes of one segment.
    pub segment_bytes: u64,
    /// Bytes left free on the disk.
    pub free_bytes: u64,
    /// Bytes of memory for segments that only pass, of all homes together.
    pub memory_bytes: u64,
    /// Bytes of segments a second that a home may send to the relay, over time; two seconds' worth may come at once, of passing ones three.
    pub received_bytes_per_s: u32,
    /// Bytes of segments a second that the relay sends to a home's readers, over time; two seconds' worth may go at once, of passing ones three.
    pub sent_bytes_per_s: u32,
    /// The longest time anything is kept.
    pub retention_s: u64,
    /// Entries of a home's log.
    pub log_entries: u64,
    /// Messages of one phone that wait in the inbox.
    pub inbox_messages: u64,
    /// Wakes of one phone that wait.
    pub wakes: u64,
    /// Wakes a second of one home, over time; ten times as many may come at once.
    pub wakes_per_s: u32,
    /// Wakes of one home within an hour.
    pub wakes_per_h: u64,
    /// How long a phone that follows its wakes may take to acknowledge one before a gateway gets it.
    pub wake_patience_ms: u64,
    /// Keys a home may grant rights to.
    pub keys: u64,
    /// Streams a home may have.
    pub streams: u64,
    /// Streams of a home that are followed at the same time, each as often as it is followed.
    pub followers: u64,
    /// Rendezvous mailboxes a home may have open.
    pub mailboxes: u64,
    /// Messages on one side of a mailbox.
    pub mailbox_messages: u64,
    /// The longest time a mailbox stays.
    pub mailbox_s: u64,
    /// Homes founded within an hour, where no word of the operator is asked for.
    pub homes_per_h: u64,
    /// Connections of all clients together.
    pub connections: u64,
    /// Connections of one address (an IPv6 /64 counts as one); an eighth of them may be without a hello.
    pub network_connections: u64,
    /// Connections of one home.
    pub home_connections: u64,
    /// Connections of one key; one more replaces the oldest.
    pub key_connections: u64,
    /// New connections a second from one address (an IPv6 /64 counts as one).
    pub connects_per_s: u32,
    /// Requests a second on one connection, over time; ten times as many may come at once.
    pub requests_per_s: u32,
    /// How long a client may take for its hello.
    pub hello_ms: u64,
    /// How long a client waits for its home where that has to be read first.
    pub home_ms: u64,
    /// How long a follower of passing segments may take to finish a segment once a newer one has begun; each has up to half as long again.
    pub patience_ms: u64,
    /// How often what has expired is looked for.
    pub sweep_s: u64,
    /// How long the relay serves on after it was asked to end and says so on the page `/ready`.
    pub drain_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stored_bytes: 4 << 30,
            segment_bytes: 32 << 20,
            free_bytes: 512 << 20,
            memory_bytes: 256 << 20,
            received_bytes_per_s: 16 << 20,
            sent_bytes_per_s: 64 << 20,
            retention_s: 30 * 24 * 3600,
            log_entries: 100_000,
            inbox_messages: 256,
            wakes: 512,
            wakes_per_s: 10,
            wakes_per_h: 600,
            wake_patience_ms: 3000,
            keys: 64,
            streams: 20_000,
            followers: 256,
            mailboxes: 8,
            mailbox_messages: 16,
            mailbox_s: 3600,
            homes_per_h: 1000,
            connections: 10_000,
            network_connections: 1024,
            home_connections: 128,
            key_connections: 4,
            connects_per_s: 20,
            requests_per_s: 50,
            hello_ms: 3000,
            home_ms: 5000,
            patience_ms: 300,
            sweep_s: 60,
            drain_s: 0,
        }
    }
}

impl Limits {
    /// How long a client may take for its hello.
    pub fn hello(&self) -> Duration {
        Duration::from_millis(self.hello_ms)
    }

    /// How long a client waits for its home.
    pub fn home(&self) -> Duration {
        Duration::from_millis(self.home_ms)
    }

    /// How long a phone that follows its wakes may take to acknowledge one.
    pub fn wake_patience(&self) -> Duration {
        Duration::from_millis(self.wake_patience_ms)
    }

    /// How long the relay serves on after it was asked to end.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_s)
    }

    /// How long a follower may take to finish an old segment.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }
}

/// What is written to the log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A filter such as `info` or `privet_relay=debug`.
    pub filter: String,
    /// Text for people or JSON for programs.
    pub format: LogFormat,
    /// Whether addresses of clients are written. They say who lives where: leave it off.
    pub addresses: bool,
    /// A folder for a copy of every byte that clients send, a file a stream, to see for oneself what a relay sees. It is never
    /// tidied up: leave it off.
    pub received: Option<PathBuf>,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text, addresses: false, received: None }
    }
}

/// Numbers for Prometheus, and whether the relay is well.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Metrics {
    /// The TCP address they are read at.
    pub listen: SocketAddr,
}

impl Default for Metrics {
    fn default() -> Self {
        // Beside the hub's, for those who run both on one machine.
        Self { listen: (Ipv4Addr::LOCALHOST, 9465).into() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Keys and what may stand there; those with bounds are in [`RANGES`].
const KEYS: &[(&str, &str)] = &[
    ("listen", "an IP address and a UDP port in quotes, such as \"[::]:4433\" or \"0.0.0.0:4433\""),
    ("data", "a directory, in quotes"),
    ("certificate", "a table, `[certificate]`, with chain and key"),
    ("certificate.chain", "a PEM file in quotes: the relay's certificate, then those that vouch for it"),
    ("certificate.key", "a PEM file in quotes: the private key of the first certificate in chain"),
    ("homes", "a table, `[homes]`"),
    ("homes.policy", "\"open\", \"invite\", \"token\" with homes.token_file, or \"proof-of-work\""),
    ("homes.invites", "a list of texts of at least 16 characters each"),
    (
        "homes.token_file",
        "a file in quotes: a token of at least 32 characters a line, and for how many homes it is good",
    ),
    ("homes.most", "a whole number from 0 to 9223372036854775807"),
    ("limits", "a table, `[limits]`"),
    ("log", "a table, `[log]`"),
    ("log.filter", "error, warn, info, debug, trace, or directives such as privet_relay=debug, in quotes"),
    ("log.format", "\"text\" or \"json\""),
    ("log.addresses", "true or false"),
    ("log.received", "a directory, in quotes"),
    ("metrics", "a table, `[metrics]`"),
    ("metrics.listen", "an address with a port in quotes, such as \"127.0.0.1:9465\""),
];

/// The largest whole number that TOML has, and that a key of 32 bits takes.
const MAX: u64 = i64::MAX as u64;
const MAX_U32: u64 = u32::MAX as u64;

/// The numbers, each with what it may be.
const RANGES: &[Number<Config>] = &[
    ("limits.stored_bytes", |c| c.limits.stored_bytes, 1 << 20..=MAX),
    ("limits.segment_bytes", |c| c.limits.segment_bytes, 64 << 10..=MAX),
    ("limits.free_bytes", |c| c.limits.free_bytes, 0..=MAX),
    ("limits.memory_bytes", |c| c.limits.memory_bytes, 1 << 20..=MAX),
    ("limits.received_bytes_per_s", |c| c.limits.received_bytes_per_s.into(), 64 << 10..=MAX_U32),
    ("limits.sent_bytes_per_s", |c| c.limits.sent_bytes_per_s.into(), 64 << 10..=MAX_U32),
    ("limits.retention_s", |c| c.limits.retention_s, 60..=MAX),
    ("limits.log_entries", |c| c.limits.log_entries, 16..=MAX),
    ("limits.inbox_messages", |c| c.limits.inbox_messages, 1..=MAX),
    ("limits.wakes", |c| c.limits.wakes, 1..=MAX),
    ("limits.wakes_per_s", |c| c.limits.wakes_per_s.into(), 1..=MAX_U32),
    ("limits.wakes_per_h", |c| c.limits.wakes_per_h, 1..=MAX),
    ("limits.wake_patience_ms", |c| c.limits.wake_patience_ms, 0..=60_000),
    ("limits.keys", |c| c.limits.keys, 1..=MAX),
    ("limits.streams", |c| c.limits.streams, 1..=MAX),
    ("limits.followers", |c| c.limits.followers, 1..=MAX),
    ("limits.mailboxes", |c| c.limits.mailboxes, 1..=MAX),
    ("limits.mailbox_messages", |c| c.limits.mailbox_messages, 1..=MAX),
    ("limits.mailbox_s", |c| c.limits.mailbox_s, 60..=MAX),
    ("limits.homes_per_h", |c| c.limits.homes_per_h, 1..=MAX),
    ("limits.connections", |c| c.limits.connections, 1..=MAX),
    ("limits.network_connections", |c| c.limits.network_connections, 1..=MAX),
    ("limits.home_connections", |c| c.limits.home_connections, 1..=MAX),
    ("limits.key_connections", |c| c.limits.key_connections, 1..=MAX),
    ("limits.connects_per_s", |c| c.limits.connects_per_s.into(), 1..=MAX_U32),
    ("limits.requests_per_s", |c| c.limits.requests_per_s.into(), 1..=MAX_U32),
    ("limits.hello_ms", |c| c.limits.hello_ms, 100..=MAX),
    ("limits.home_ms", |c| c.limits.home_ms, 100..=MAX),
    ("limits.patience_ms", |c| c.limits.patience_ms, 0..=MAX),
    ("limits.sweep_s", |c| c.limits.sweep_s, 1..=MAX),
    ("limits.drain_s", |c| c.limits.drain_s, 0..=3600),
    ("drain.after_ms", |c| c.drain.after_ms, 0..=Farewell::MAX_AFTER_MS),
    ("homes.work_bits", |c| c.homes.work_bits.into(), 1..=MAX_WORK_BITS as u64),
    ("storage.postgres_connections", |c| c.storage.postgres_connections.into(), 2..=1000),
    ("push.patience_ms", |c| c.push.patience_ms, 100..=60_000),
];

/// Keys whose values no error repeats, nor those of what holds them.
const SECRETS: &[&str] = &["homes", "homes.invites", "storage", "storage.postgres"];

const FORM: Form<Config> = Form {
    named_with: "--config or PRIVET_RELAY_CONFIG",
    keys: &[KEYS, drain::KEYS, nodes::KEYS, push::KEYS, storage::KEYS],
    numbers: RANGES,
    lists: &[],
    named: &[],
    secrets: SECRETS,
};

impl Config {
    /// Reads a file, and sees whether the certificate and the keys it names can be used.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key and what is allowed there.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = FORM.read(path)?;
        let config = FORM.parse(path, &text, Self::fault)?;
        if let Some(files) = &config.certificate {
            Identity::read(files).map_err(|e| {
                let key = if e.path() == files.key { "certificate.key" } else { "certificate.chain" };
                let found = format!("{} ({})", e.path().display(), e.cause());
                FORM.refused(path, &text, Fault::new(key, found))
            })?;
        }
        if let Some(file) = &config.homes.token_file {
            let found = |cause: String| format!("{} ({cause})", file.display());
            Tokens::read(file).map_err(|e| FORM.refused(path, &text, Fault::new("homes.token_file", found(e))))?;
        }
        if let Some(fault) = config.storage.fault_of_files() {
            return Err(FORM.refused(path, &text, fault));
        }
        if let Some(nodes) = &config.nodes {
            ClusterSecret::read(&nodes.secret_file).map_err(|found| {
                let found = format!("{}, which {found}", nodes.secret_file.display());
                FORM.refused(path, &text, Fault::new("nodes.secret_file", found))
            })?;
        }
        Gateways::check(&config.push).map_err(|e| FORM.refused(path, &text, Fault::new(&e.key, e.found)))?;
        Ok(config)
    }

    /// Reads the text of the file called `file`, without looking at any other file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line, the key and what is allowed there.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        FORM.parse(Path::new(file), text, Self::fault)
    }

    /// What differs between this configuration, which runs, and `new`, and is taken only at a start.
    pub(crate) fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let differs = [
            ("listen", self.listen != new.listen),
            ("data", self.data != new.data),
            ("storage", self.storage != new.storage),
            ("nodes", self.nodes != new.nodes),
            ("homes", self.homes != new.homes),
            ("limits.free_bytes", self.limits.free_bytes != new.limits.free_bytes),
            ("push", self.push != new.push),
            ("log", self.log != new.log),
            ("metrics", self.metrics != new.metrics),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, found: &str| Some(Fault::new(key, found));
        if self.data.as_os_str().is_empty() {
            return fault("data", "empty");
        }
        if let Some(short) = self.homes.invites.iter().map(|invite| invite.chars().count()).find(|count| *count < 16) {
            return fault("homes.invites", &format!("a list with a text of {short} characters"));
        }
        if self.homes.policy == Policy::Token && self.homes.token_file.is_none() {
            return fault("homes.policy", "\"token\", and no file of tokens is named");
        }
        if self.log.filter.is_empty() || EnvFilter::try_new(&self.log.filter).is_err() {
            return fault("log.filter", &format!("{:?}", self.log.filter));
        }
        if self.log.received.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            return fault("log.received", "empty");
        }
        if let Some(fault) = self.drain.fault().or_else(|| self.storage.fault()) {
            return Some(fault);
        }
        if let Some(nodes) = &self.nodes {
            if self.storage.kind != StorageKind::Postgres {
                return fault("nodes", "there, with a store of one relay only");
            }
            if let Some(fault) = nodes.fault() {
                return Some(fault);
            }
        }
        FORM.number_out_of_bounds(self)
    }
}

#[cfg(test)]
mod tests;
