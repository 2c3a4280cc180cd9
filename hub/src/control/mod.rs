//! How the command line talks to the running hub: a unix socket in the data directory that only its owner can open.
//!
//! One [`Request`] a connection, as a line of JSON; then one or more [`Answer`]s, a line each. The same lines are what `--json`
//! prints. Page: `docs/reference/hub-config.md`.

mod client;
mod server;

use std::path::{Path, PathBuf};

use privet_home::Member;
use privet_protocol::id::DeviceId;
use serde::{Deserialize, Serialize};

pub use self::client::{Client, ClientError};
pub use self::server::Control;
use crate::status::Status;

/// The longest request.
pub const MAX_REQUEST: usize = 4096;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state of everything.
    Status {},
    /// Who belongs to the home.
    Phones {},
    /// Remove a phone.
    RemovePhone {
        /// Its id.
        device: DeviceIdText,
    },
    /// Show a QR code.
    Pair {
        /// For how many seconds it is good.
        ttl_s: u64,
        /// Whether it stays good when the one who asked hangs up.
        #[serde(default)]
        detached: bool,
    },
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// The state of everything.
    Status(Box<Status>),
    /// Who belongs to the home.
    Phones {
        /// The phones.
        phones: Vec<Phone>,
    },
    /// The phone is removed.
    Removed {
        /// Its id.
        device: DeviceIdText,
        /// Whether the relay knows already; it is told as soon as it can be reached.
        relay_knows: bool,
    },
    /// A QR code.
    Code {
        /// Its text.
        code: String,
        /// When it ends, in milliseconds since 1970.
        until_ms: i64,
        /// The relay it names.
        relay: String,
    },
    /// The relay holds its mailbox: a phone can come.
    Ready {},
    /// Somebody tried and was refused.
    Refused {
        /// Why.
        cause: String,
        /// Whether it can't be tried again.
        over: bool,
    },
    /// A phone is a member.
    Joined {
        /// Its id.
        device: DeviceIdText,
        /// Its name.
        name: String,
        /// The number to compare with the one on the phone.
        safety_number: Option<String>,
    },
    /// The phone follows the log: pairing is done.
    Paired {
        /// Its id.
        device: DeviceIdText,
    },
    /// Nobody came in time.
    Expired {},
    /// It could not be done.
    Failed {
        /// What kind of failure.
        class: Class,
        /// The thing, the cause, the next step.
        text: String,
    },
}

/// A phone of the home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// Its id.
    pub id: DeviceIdText,
    /// Its name.
    pub name: String,
    /// When it joined, in milliseconds since 1970.
    pub joined_ms: i64,
    /// When it was last heard of, in milliseconds since 1970.
    pub last_seen_ms: i64,
    /// The number to compare with the one on the phone.
    pub safety_number: Option<String>,
}

impl Phone {
    /// A member as it is shown.
    pub fn new(member: &Member, safety_number: Option<String>) -> Self {
        Self {
            id: DeviceIdText::from(member.device),
            name: member.name.clone(),
            joined_ms: member.joined.0,
            last_seen_ms: member.last_seen.0,
            safety_number,
        }
    }
}

/// A device id as 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceIdText(pub String);

impl From<DeviceId> for DeviceIdText {
    fn from(id: DeviceId) -> Self {
        Self(id.to_string())
    }
}

/// Kinds of failure, each with an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The request makes no sense, or names something that is not there.
    Request,
    /// The hub's state.
    State,
    /// The relay.
    Relay,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It can't be made.
    #[error("the socket {} can't be made: {cause}", socket.display())]
    Socket {
        /// Which.
        socket: PathBuf,
        /// What the system said.
        cause: String,
    },
}

/// Where the socket of a data directory is.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
