//! The numbered, hash-chained log from the hub to its phones.

use serde::{Deserialize, Serialize};

/// An entry: its number, from 1, and its bytes as the relay keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number.
    pub seq: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A place in the log: an entry's number and the hash over everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The entry's number; 0 before the first.
    pub seq: u64,
    /// The hash.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
}
