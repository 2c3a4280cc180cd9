//! The relay's configuration: one TOML file, defaults that work, errors with file, line and column.
//! Page: `docs/reference/relay-config.md`.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// The UDP address to listen on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The directory for state, bodies and the identity.
    pub data: PathBuf,
    /// A certificate of a public authority instead of the relay's own identity.
    pub certificate: Option<CertificateFiles>,
    /// Who may create homes.
    pub homes: Homes,
    /// What bounds everything.
    pub limits: Limits,
    /// What is written to the log.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv6Addr::UNSPECIFIED, 4433).into(),
            data: "/var/lib/privet-relay".into(),
            certificate: None,
            homes: Homes::default(),
            limits: Limits::default(),
            log: Log::default(),
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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Homes {
    /// Anyone, or whoever brings an invite.
    pub policy: Policy,
    /// The invites, each good for one home.
    pub invites: Vec<String>,
    /// How many homes there may be.
    pub most: u64,
}

impl Default for Homes {
    fn default() -> Self {
        Self { policy: Policy::Open, invites: Vec::new(), most: 10_000 }
    }
}

/// Who may create homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Anyone.
    Open,
    /// Whoever brings one of the invites.
    Invite,
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
    /// The longest time anything is kept.
    pub retention_s: u64,
    /// Entries of a home's log.
    pub log_entries: u64,
    /// Messages of one phone that wait in the inbox.
    pub inbox_messages: u64,
    /// Keys a home may grant rights to.
    pub keys: u64,
    /// Streams a home may have.
    pub streams: u64,
    /// Rendezvous mailboxes a home may have open.
    pub mailboxes: u64,
    /// Messages on one side of a mailbox.
    pub mailbox_messages: u64,
    /// The longest time a mailbox stays.
    pub mailbox_s: u64,
    /// Connections of all clients together.
    pub connections: u64,
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
    /// How long a follower of passing segments may take to finish a segment once a newer one has begun.
    pub patience_ms: u64,
    /// How often what has expired is looked for.
    pub sweep_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stored_bytes: 4 << 30,
            segment_bytes: 32 << 20,
            free_bytes: 512 << 20,
            memory_bytes: 256 << 20,
            retention_s: 30 * 24 * 3600,
            log_entries: 100_000,
            inbox_messages: 256,
            keys: 64,
            streams: 20_000,
            mailboxes: 8,
            mailbox_messages: 16,
            mailbox_s: 3600,
            connections: 10_000,
            home_connections: 128,
            key_connections: 4,
            connects_per_s: 20,
            requests_per_s: 50,
            hello_ms: 3000,
            patience_ms: 300,
            sweep_s: 60,
        }
    }
}

impl Limits {
    /// How long a client may take for its hello.
    pub fn hello(&self) -> Duration {
        Duration::from_millis(self.hello_ms)
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

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why a configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// A key, a type or the syntax is wrong.
    #[error("{path}:{line}:{column}: {message}")]
    Wrong {
        /// The file.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// A value is out of its range.
    #[error("{path}: {key} = {value}: {allowed}")]
    OutOfRange {
        /// The file.
        path: String,
        /// The key with its table.
        key: &'static str,
        /// The value found.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the place and what is allowed there.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::Unreadable { path: name.clone(), cause: e.to_string() })?;
        Self::parse(&name, &text)
    }

    /// Reads the text of the file called `path`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the place and what is allowed there.
    pub fn parse(path: &str, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| {
            let before = &text[..e.span().map_or(0, |span| span.start).min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
            ConfigError::Wrong { path: path.into(), line, column, message: e.message().to_owned() }
        })?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &str) -> Result<(), ConfigError> {
        let wrong =
            |key, value: String, allowed| Err(ConfigError::OutOfRange { path: path.into(), key, value, allowed });
        if self.homes.policy == Policy::Invite && self.homes.invites.is_empty() {
            return wrong("homes.invites", "[]".into(), "the policy 'invite' needs at least one invite");
        }
        if let Some(short) = self.homes.invites.iter().find(|invite| invite.len() < 16) {
            return wrong(
                "homes.invites",
                format!("{} characters", short.len()),
                "an invite has at least 16 characters",
            );
        }
        let l = &self.limits;
        for (key, value, least) in [
            ("limits.stored_bytes", l.stored_bytes, 1 << 20),
            ("limits.segment_bytes", l.segment_bytes, 64 << 10),
            ("limits.memory_bytes", l.memory_bytes, 1 << 20),
            ("limits.retention_s", l.retention_s, 60),
            ("limits.log_entries", l.log_entries, 16),
            ("limits.inbox_messages", l.inbox_messages, 1),
            ("limits.keys", l.keys, 1),
            ("limits.streams", l.streams, 1),
            ("limits.mailboxes", l.mailboxes, 1),
            ("limits.mailbox_messages", l.mailbox_messages, 1),
            ("limits.mailbox_s", l.mailbox_s, 60),
            ("limits.connections", l.connections, 1),
            ("limits.home_connections", l.home_connections, 1),
            ("limits.key_connections", l.key_connections, 1),
            ("limits.connects_per_s", l.connects_per_s.into(), 1),
            ("limits.requests_per_s", l.requests_per_s.into(), 1),
            ("limits.hello_ms", l.hello_ms, 100),
            ("limits.sweep_s", l.sweep_s, 1),
        ] {
            if value < least {
                return wrong(key, value.to_string(), "too little; docs/reference/relay-config.md names the least");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(Config::parse("relay.toml", "").unwrap(), Config::default());
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let error = Config::parse("relay.toml", "data = \"/tmp\"\n[limits]\n  stored = 3\n").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("relay.toml:3:3: unknown field `stored`"), "{text}");
        let text = Config::parse("relay.toml", "listen = 5").unwrap_err().to_string();
        assert!(text.starts_with("relay.toml:1:10: "), "{text}");
        let text = Config::parse("relay.toml", "[limits]\nhello_ms = 1").unwrap_err().to_string();
        assert!(text.contains("limits.hello_ms = 1"), "{text}");
        let text = Config::parse("relay.toml", "[homes]\npolicy = 'invite'").unwrap_err().to_string();
        assert!(text.contains("homes.invites"), "{text}");
    }
}
