//! What stands in the way of a relay on this machine, looked at before or while it runs, and the next step for each. Nothing is changed:
//! a file is made in the data directory and removed again, an object where the bodies are, an address is taken for a moment.
//!
//! Here the machine is asked, and in `shared.rs` the store that relays share and the other relays; what the answers mean is decided in
//! `verdict.rs` and `shared_verdict.rs`.

mod shared;
mod shared_verdict;
mod verdict;

use std::fmt;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use privet_protocol::time::Timestamp;
use rustix::net::sockopt;
use rustix::process::{Resource, geteuid, getrlimit};

use crate::config::{Config, ConfigError, Limits, ObjectsPlace, StorageKind};
use crate::identity::Identity;
use crate::server::SOCKET_BUFFER;

/// Files in the data directory that nobody else may read.
const SECRETS: [&str; 3] = ["identity.pem", "push.key", "vapid.pem"];

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Ok,
    /// The relay runs, but worse than it could, or not for ever.
    Warn,
    /// The relay does not run, or not for clients.
    Fail,
}

impl Verdict {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about: one word.
    pub what: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found and, unless it is good, what to do next.
    pub words: String,
}

impl Finding {
    fn new(what: &'static str, verdict: Verdict, words: impl Into<String>) -> Self {
        Self { what, verdict, words: words.into() }
    }

    fn ok(what: &'static str, words: impl Into<String>) -> Self {
        Self::new(what, Verdict::Ok, words)
    }

    fn warn(what: &'static str, words: impl Into<String>) -> Self {
        Self::new(what, Verdict::Warn, words)
    }

    fn fail(what: &'static str, words: impl Into<String>) -> Self {
        Self::new(what, Verdict::Fail, words)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<5}{:<12}{}", self.verdict.word(), self.what, self.words)
    }
}

/// Looks at everything. Without a configuration that can be used, only at what does not depend on one.
pub async fn examine(config: &Result<Config, ConfigError>) -> Vec<Finding> {
    let now = Timestamp::from(SystemTime::now());
    let mut findings = Vec::new();
    match config {
        Ok(config) => {
            findings.push(Finding::ok("config", "it can be used"));
            findings.push(address(config));
            findings.extend(metrics(config));
            findings.push(certificate(config, now));
            findings.extend(data(&config.data));
            findings.extend(room(config));
            findings.push(verdict::clock(now, newest(&config.data)));
            if config.storage.kind == StorageKind::Postgres {
                findings.extend(Box::pin(shared::examine(config)).await);
            }
        }
        Err(error) => {
            findings.push(Finding::fail("config", error.to_string()));
            findings.push(verdict::clock(now, None));
        }
    }
    findings.push(verdict::open_files(getrlimit(Resource::Nofile).current));
    findings.push(buffers());
    findings
}

fn address(config: &Config) -> Finding {
    let listen = config.listen;
    match UdpSocket::bind(listen) {
        Ok(_) => Finding::ok("address", format!("UDP {listen} is free; the firewall has to let it in")),
        Err(error) => verdict::taken("address", "UDP", listen, error.kind(), &error.to_string()),
    }
}

fn metrics(config: &Config) -> Option<Finding> {
    let listen = config.metrics.as_ref()?.listen;
    Some(match TcpListener::bind(listen) {
        Ok(_) if !listen.ip().is_loopback() => Finding::warn(
            "metrics",
            format!(
                "whoever reaches {listen} reads them; listen at 127.0.0.1 and put a reverse proxy with a password before it"
            ),
        ),
        Ok(_) => Finding::ok("metrics", format!("TCP {listen} is free")),
        Err(error) => verdict::taken("metrics", "TCP", listen, error.kind(), &error.to_string()),
    })
}

fn certificate(config: &Config, now: Timestamp) -> Finding {
    let Some(files) = &config.certificate else {
        let key = config.data.join(SECRETS[0]);
        return match key.exists() {
            true => Finding::ok("identity", format!("the relay's own; keep a copy of {}", key.display())),
            false => Finding::ok("identity", "the relay makes its own at its first start"),
        };
    };
    match Identity::read(files).map(|identity| identity.validity()) {
        Ok(Some(validity)) => verdict::certificate(validity, now),
        Ok(None) => Finding::ok("certificate", "good"),
        Err(error) => Finding::fail("certificate", format!("{error}; mend the file, then `privet-relay config check`")),
    }
}

fn data(directory: &Path) -> Vec<Finding> {
    let shown = directory.display();
    let metadata = match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return vec![Finding::fail("data", format!("{shown} is no directory; name another one in `data`"))],
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![match writable(existing(directory)) {
                Ok(()) => {
                    Finding::ok("data", format!("{shown} is not there yet; the relay makes it at its first start"))
                }
                Err(error) => Finding::fail(
                    "data",
                    format!(
                        "{shown} is not there and can't be made ({error}); `sudo install -d -m 700 -o privet-relay {shown}`"
                    ),
                ),
            }];
        }
        Err(error) => return vec![Finding::fail("data", format!("{shown}: {error}; run this as the relay's user"))],
    };
    let mut findings = vec![match writable(directory) {
        Err(error) => Finding::fail(
            "data",
            format!("{shown} can't be written ({error}); run this as the relay's user, or give it the directory"),
        ),
        Ok(()) => verdict::owner(directory, metadata.uid(), geteuid().as_raw()),
    }];
    findings.push(verdict::private("rights", directory, metadata.permissions().mode(), Verdict::Warn));
    for name in SECRETS {
        let file = directory.join(name);
        if let Ok(metadata) = file.metadata() {
            findings.push(verdict::private("rights", &file, metadata.permissions().mode(), Verdict::Fail));
        }
    }
    findings
}

/// Whether a file can be made there.
fn writable(directory: &Path) -> std::io::Result<()> {
    let file = directory.join(format!(".doctor-{}", std::process::id()));
    std::fs::File::create_new(&file)?;
    std::fs::remove_file(&file)
}

/// The directory, or the first above it that is there.
fn existing(directory: &Path) -> &Path {
    directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"))
}

/// Room for bodies, where they are on a disk.
fn room(config: &Config) -> Option<Finding> {
    let (directory, limits) = match config.storage.kind {
        StorageKind::Embedded => (config.data.clone(), config.limits.clone()),
        // Nothing is left free there for others.
        StorageKind::Postgres => match config.storage.objects_place().ok()? {
            ObjectsPlace::Directory(directory) => (directory, Limits { free_bytes: 0, ..config.limits.clone() }),
            ObjectsPlace::Bucket { .. } => return None,
        },
    };
    Some(match privet_store::free_bytes(existing(&directory)) {
        Ok(free) => verdict::room(free, &limits),
        Err(error) => Finding::warn("room", format!("{error}; see `df`")),
    })
}

/// When something in the directory was last written.
fn newest(directory: &Path) -> Option<Timestamp> {
    let files = [PathBuf::from("index/store.redb"), SECRETS[0].into(), SECRETS[1].into()];
    let times = files.iter().filter_map(|file| directory.join(file).metadata().and_then(|file| file.modified()).ok());
    times.max().map(Timestamp::from)
}

fn buffers() -> Finding {
    let granted = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).ok().and_then(|socket| {
        sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER).ok()?;
        sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER).ok()?;
        // Linux says twice what it gives.
        let (receive, send) =
            (sockopt::socket_recv_buffer_size(&socket).ok()?, sockopt::socket_send_buffer_size(&socket).ok()?);
        Some(receive.min(send) / 2)
    });
    verdict::buffers(granted, SOCKET_BUFFER)
}
