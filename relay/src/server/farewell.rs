//! What clients of a home are told when it is served here no longer: to come again, and where this relay ends, at which addresses.

use std::sync::{MutexGuard, PoisonError};

use privet_protocol::id::HomeId;
use privet_protocol::relay::{Farewell, close};

use super::Relay;
use crate::config::Drain;

impl Relay {
    /// What they are told when the relay ends: the addresses of its configuration, or else of the other nodes, first of the one that
    /// serves the home from now on.
    pub(crate) fn farewell(&self, home: HomeId) -> String {
        let Drain { to, after_ms } = self.drain().clone();
        let places = match &self.nodes {
            Some(nodes) if to.is_empty() => nodes.public_addresses_after(home),
            _ => to,
        };
        match Farewell::new(after_ms, places) {
            Some(farewell) => farewell.to_string(),
            None => close::words(close::SHUTDOWN).to_owned(),
        }
    }

    /// What they are told when the home is let go: another node serves it, or it has to be read anew.
    pub(crate) fn moved(&self, home: HomeId) -> String {
        if self.is_leaving() {
            return self.farewell(home);
        }
        "the home is read anew or at another relay now: come again".to_owned()
    }

    /// Where clients are sent, as the configuration that was read last says.
    pub(crate) fn drain(&self) -> MutexGuard<'_, Drain> {
        self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
