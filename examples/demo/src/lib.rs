//! A whole Privet on one machine, in real processes: what the demo, the whole-system tests and the benchmarks stand on.
//!
//! - [`process`]: starts a program, waits for what it says, ends it by its id;
//! - [`house`]: a relay, a hub, cameras and phones in a scratch folder;
//! - [`blind`]: searches what the relay got for what the camera sent;
//! - [`film`]: looks into the films that phones save.

#![forbid(unsafe_code)]

use std::fmt;

pub mod blind;
pub mod film;
pub mod house;
pub mod process;

/// Something did not go as it should: what, and what was seen.
#[derive(Debug)]
pub struct Trouble(String);

impl Trouble {
    /// Trouble, in words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The same trouble, and what was being done.
    pub fn during(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}
