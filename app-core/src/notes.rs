//! What the status remembers over restarts: the alerts, and how often the hub gives a sign of life. A short-lived process
//! (a push, a command) must not make people miss what it noticed.

use privet_protocol::cbor;
use privet_protocol::storage::{Batch, Store};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::events::TrustAlert;
use crate::sync::Signs;

const NOTES: &[u8] = b"core/notes";
const MAX_NOTES: usize = 256 * 1024;
/// How many alerts are remembered.
const ALERTS: usize = 64;

/// The notes.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Notes {
    pub(crate) alerts: Vec<(i64, TrustAlert)>,
    /// The hub's heartbeat as it was learned, in milliseconds.
    pub(crate) heartbeat_ms: Option<u64>,
    /// The hub's signs of life.
    #[serde(default)]
    pub(crate) signs: Signs,
    #[serde(skip)]
    pub(crate) removed: bool,
    #[serde(skip)]
    pub(crate) relay_head: u64,
    #[serde(skip)]
    pub(crate) hub_seen_ms: Option<i64>,
}

impl Notes {
    /// What the store holds; notes that can't be read (of a newer version, say) are none.
    pub(crate) fn load(store: &dyn Store) -> Result<Self> {
        Ok(store.get(NOTES)?.and_then(|bytes| cbor::decode(&bytes, MAX_NOTES).ok()).unwrap_or_default())
    }

    /// The writes that keep them.
    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        batch.put(NOTES, cbor::encode(self));
        batch
    }

    /// Adds an alert; false when it is the same as the last one. What has a beginning and an end ([`Signs`]) is told at each
    /// beginning.
    pub(crate) fn add(&mut self, at_ms: i64, alert: TrustAlert) -> bool {
        let begins = matches!(alert, TrustAlert::Withheld { .. } | TrustAlert::ClocksDiffer { .. });
        if !begins && self.alerts.last().is_some_and(|(_, last)| *last == alert) {
            return false;
        }
        if self.alerts.len() == ALERTS {
            self.alerts.remove(0);
        }
        self.alerts.push((at_ms, alert));
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::storage::MemoryStore;

    use super::*;

    #[test]
    fn alerts_are_bounded_told_once_and_survive() {
        let store = MemoryStore::new();
        let mut notes = Notes::load(&store).unwrap();
        for seq in 0..100 {
            assert!(notes.add(1, TrustAlert::Replayed { seq }));
            assert!(!notes.add(2, TrustAlert::Replayed { seq }));
        }
        store.commit(notes.batch()).unwrap();
        let again = Notes::load(&store).unwrap();
        assert_eq!(again.alerts.len(), ALERTS);
        assert_eq!(again.alerts.last(), Some(&(1, TrustAlert::Replayed { seq: 99 })));
    }
}
