//! Where the relay keeps things, and what may stand in `[storage]`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use privet_config::Fault;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Where state and bodies are.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Storage {
    /// On this machine's disk, or where other relays reach it too.
    pub kind: StorageKind,
    /// How PostgreSQL is reached: a connection string.
    pub postgres: Option<String>,
    /// A file with that string, for one that has a password.
    pub postgres_file: Option<PathBuf>,
    /// Certificates of authorities (PEM) that PostgreSQL may be vouched for by, besides those of the system.
    pub postgres_authorities: Option<PathBuf>,
    /// Connections to PostgreSQL at the same time.
    pub postgres_connections: u32,
    /// Where bodies are: `file:///directory` or `s3://bucket/prefix`.
    pub objects: Option<String>,
    /// Where the bucket's server is, unless it is Amazon's.
    pub s3_endpoint: Option<String>,
    /// The bucket's region.
    pub s3_region: Option<String>,
    /// A file of two lines: the id of an access key and its secret. Without one the environment counts.
    pub s3_keys: Option<PathBuf>,
    /// What this relay is called among those that share the store; the machine's name where nothing stands here.
    pub node: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: StorageKind::Embedded,
            postgres: None,
            postgres_file: None,
            postgres_authorities: None,
            postgres_connections: 16,
            objects: None,
            s3_endpoint: None,
            s3_region: None,
            s3_keys: None,
            node: None,
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A connection string may hold a password.
        f.debug_struct("Storage").field("kind", &self.kind).field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// What keeps state and bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// The data directory, for this relay only.
    Embedded,
    /// PostgreSQL, with an object store for the bodies.
    Postgres,
}

/// Where bodies are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectsPlace {
    Directory(PathBuf),
    Bucket { bucket: String, prefix: Option<String> },
}

/// Of a file that holds a secret, in bytes.
const MAX_FILE: u64 = 64 * 1024;

impl Storage {
    /// How PostgreSQL is reached.
    pub(crate) fn connection(&self) -> Result<tokio_postgres::Config, String> {
        let read;
        let text = match (&self.postgres, &self.postgres_file) {
            (Some(text), None) => text.as_str(),
            (None, Some(file)) => {
                read = secret(file)?;
                read.trim()
            }
            _ => return Err("neither or both of storage.postgres and storage.postgres_file are set".into()),
        };
        // What is wrong with it is not said: the error may quote a part of the password.
        tokio_postgres::Config::from_str(text).map_err(|_| "is no connection string".into())
    }

    pub(crate) fn objects_place(&self) -> Result<ObjectsPlace, String> {
        let text = self.objects.as_deref().unwrap_or_default();
        if let Some(directory) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
            return Ok(ObjectsPlace::Directory(directory.into()));
        }
        let Some(rest) = text.strip_prefix("s3://") else { return Err(format!("{text:?}")) };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("{text:?}"));
        }
        let prefix = Some(prefix.trim_matches('/').to_owned()).filter(|prefix| !prefix.is_empty());
        Ok(ObjectsPlace::Bucket { bucket: bucket.into(), prefix })
    }

    /// The id of the access key and its secret, where a file has them.
    pub(crate) fn s3_keys(&self) -> Result<Option<(String, Zeroizing<String>)>, String> {
        let Some(file) = &self.s3_keys else { return Ok(None) };
        let text = secret(file)?;
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines[..] {
            [id, secret] => Ok(Some((id.to_owned(), Zeroizing::new(secret.to_owned())))),
            _ => Err(format!("{}, which has {} lines", file.display(), lines.len())),
        }
    }

    /// What this relay is called among others.
    pub(crate) fn node_name(&self) -> String {
        self.node.clone().unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    /// Without looking at any file.
    pub(super) fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, found: String| Some(Fault::new(key, found));
        if self.kind == StorageKind::Embedded {
            let others = [
                ("storage.postgres", self.postgres.is_some()),
                ("storage.postgres_file", self.postgres_file.is_some()),
                ("storage.objects", self.objects.is_some()),
            ];
            let (key, _) = others.into_iter().find(|(_, is_set)| *is_set)?;
            return Some(Fault::new("storage.kind", "\"embedded\"").instead(&format!("\"postgres\", as {key} is set")));
        }
        if self.postgres.is_some() == self.postgres_file.is_some() {
            let found = if self.postgres.is_some() { "there beside postgres_file" } else { "missing" };
            return fault("storage.postgres", found.into());
        }
        if self.postgres.is_some() && self.connection().is_err() {
            return fault("storage.postgres", "no connection string".into());
        }
        if self.objects.is_none() {
            return fault("storage.objects", "missing".into());
        }
        if let Err(found) = self.objects_place() {
            return fault("storage.objects", found);
        }
        if let Some(endpoint) = &self.s3_endpoint
            && !(endpoint.starts_with("https://") || endpoint.starts_with("http://"))
        {
            return fault("storage.s3_endpoint", format!("{endpoint:?}"));
        }
        if self.node.as_ref().is_some_and(|node| node.is_empty() || node.len() > 64) {
            return fault("storage.node", "a text of another length".into());
        }
        None
    }

    /// Looks at the files that it names.
    pub(super) fn fault_of_files(&self) -> Option<Fault> {
        if self.kind == StorageKind::Embedded {
            return None;
        }
        if self.postgres_file.is_some()
            && let Err(found) = self.connection()
        {
            return Some(Fault::new("storage.postgres_file", found));
        }
        let found = self.s3_keys().err()?;
        Some(Fault::new("storage.s3_keys", found))
    }
}

fn secret(file: &Path) -> Result<Zeroizing<String>, String> {
    use std::io::Read as _;
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_FILE).read_to_string(&mut text))
        .map_err(|e| format!("{}, which can't be read: {e}", file.display()))?;
    Ok(text)
}

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("storage", "a table, `[storage]`"),
    ("storage.kind", "\"embedded\" or \"postgres\""),
    (
        "storage.postgres",
        "a connection string of PostgreSQL in quotes, such as \"host=/run/postgresql user=privet dbname=privet\"; with a password, postgres_file in its place",
    ),
    ("storage.postgres_file", "a file in quotes that holds a connection string of PostgreSQL"),
    ("storage.postgres_authorities", "a PEM file in quotes: certificates of authorities that vouch for PostgreSQL"),
    ("storage.objects", "\"file:///\" and a directory, or \"s3://\" and a bucket, with a prefix or without"),
    ("storage.s3_endpoint", "an http or https address in quotes"),
    ("storage.s3_region", "a region in quotes, such as \"eu-central-1\""),
    ("storage.s3_keys", "a file in quotes of two lines: the id of an access key and its secret"),
    ("storage.node", "a name of 1 to 64 characters in quotes, another one for each relay"),
];
