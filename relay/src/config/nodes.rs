//! Many relays that are one, and what may stand in `[nodes]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use privet_config::Fault;
use serde::Deserialize;

use super::drain::fault_of;
use crate::nodes::PublicAddresses;

/// What makes a relay one of many. They share their store, their identity and their push key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Nodes {
    /// The UDP address to listen on for other nodes.
    pub listen: SocketAddr,
    /// Where the others reach it.
    pub address: SocketAddr,
    /// Where clients reach this node and no other, two at most; port 0 stands for the one that it listens on for clients.
    #[serde(default)]
    pub public_addresses: Vec<SocketAddr>,
    /// A file with what all of them know and nobody else: at least 32 bytes.
    pub secret_file: PathBuf,
    /// How often a node says that it is there.
    #[serde(default = "heartbeat_ms")]
    pub heartbeat_ms: u64,
    /// How long after its last word a node counts as there.
    #[serde(default = "lifetime_ms")]
    pub lifetime_ms: u64,
}

fn heartbeat_ms() -> u64 {
    1000
}

fn lifetime_ms() -> u64 {
    5000
}

impl Nodes {
    pub(super) fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, found: String| Some(Fault::new(key, found));
        if self.address.ip().is_unspecified() || self.address.port() == 0 {
            return fault("nodes.address", format!("\"{}\"", self.address));
        }
        let public = fault_of("nodes.public_addresses", &self.public_addresses, PublicAddresses::MOST);
        if public.is_some() {
            return public;
        }
        if !(100..=60_000).contains(&self.heartbeat_ms) {
            return fault("nodes.heartbeat_ms", self.heartbeat_ms.to_string());
        }
        // One word may be lost without harm.
        if !(self.heartbeat_ms * 3..=600_000).contains(&self.lifetime_ms) {
            return fault("nodes.lifetime_ms", self.lifetime_ms.to_string());
        }
        None
    }
}

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("nodes", "a table, `[nodes]`, with listen, address and secret_file; only with storage.kind = \"postgres\""),
    ("nodes.listen", "an IP address and a UDP port in quotes, such as \"10.0.0.1:4434\""),
    (
        "nodes.address",
        "the IP address and port that other nodes reach this one at, in quotes, such as \"10.0.0.1:4434\"",
    ),
    (
        "nodes.public_addresses",
        "a list of at most two IP addresses with ports in quotes, such as [\"203.0.113.7:4433\"], at which clients reach this node",
    ),
    ("nodes.secret_file", "a file in quotes that holds the same text of at least 32 bytes on all nodes"),
    ("nodes.heartbeat_ms", "a whole number from 100 to 60000"),
    ("nodes.lifetime_ms", "a whole number from three times heartbeat_ms to 600000"),
];
