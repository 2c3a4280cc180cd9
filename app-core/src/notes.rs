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
/// Of notices that are not as they should be, one in this time is told: a relay can bring them without end.
const BAD_NOTICES_MS: i64 = 60_000;

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

    /// Adds an alert; false when it is known: the same as the last one, or a gap before the same clip. What has a beginning and
    /// an end ([`Signs`]) is told at each beginning.
    ///
    /// What a relay can bring about as often as it likes takes no more room for that: it would push out what it must not, a proof
    /// of a lie. Of silences, of clocks that differ and of forged or stale notices only the newest of each is remembered, and of
    /// such notices one a minute.
    pub(crate) fn add(&mut self, at_ms: i64, alert: TrustAlert) -> bool {
        use TrustAlert::{ClipMissing, ClocksDiffer, ForgedNotice, StaleNotice, Withheld};
        let of_its_kind =
            |(_, known): &(i64, TrustAlert)| std::mem::discriminant(known) == std::mem::discriminant(&alert);
        match &alert {
            // The relay can make up as many as it likes. A clock that was set back silences nothing.
            ForgedNotice { .. } | StaleNotice { .. }
                if self
                    .alerts
                    .iter()
                    .any(|known| of_its_kind(known) && (0..BAD_NOTICES_MS).contains(&(at_ms - known.0))) =>
            {
                return false;
            }
            Withheld { .. } | ClocksDiffer { .. } | ForgedNotice { .. } | StaleNotice { .. } => {
                self.alerts.retain(|known| !of_its_kind(known));
            }
            // Found anew whenever the clip is opened.
            ClipMissing { .. } if self.alerts.iter().any(|(_, known)| *known == alert) => return false,
            _ if self.alerts.last().is_some_and(|(_, last)| *last == alert) => return false,
            _ => {}
        }
        if self.alerts.len() >= ALERTS {
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

    #[test]
    fn of_bad_notices_one_a_minute_is_told() {
        let mut notes = Notes::default();
        let forged = |why: &str| TrustAlert::ForgedNotice { why: why.into() };
        assert!(notes.add(0, forged("cut")));
        assert!(!notes.add(59_999, forged("changed")));
        assert!(notes.add(59_999, TrustAlert::StaleNotice { by_s: 90_001 }));
        assert!(!notes.add(60_000, TrustAlert::StaleNotice { by_s: 90_002 }));
        assert!(notes.add(60_000, forged("changed")));
        // The phone's clock is set back.
        assert!(notes.add(5, forged("cut again")));
        assert_eq!(notes.alerts, [(59_999, TrustAlert::StaleNotice { by_s: 90_001 }), (5, forged("cut again"))]);
    }

    #[test]
    fn what_comes_again_and_again_pushes_nothing_out() {
        let mut notes = Notes::default();
        let forged = (0, TrustAlert::Forged { seq: 1, why: "signature".into() });
        assert!(notes.add(0, forged.1.clone()));
        let missing = |clip: &str| TrustAlert::ClipMissing { clip: clip.into(), camera: "garden".into() };
        assert!(notes.add(0, missing("a")) && notes.add(0, missing("b")));
        for at in 1..200 {
            // Each beginning is told.
            assert!(notes.add(at, TrustAlert::Withheld { silent_s: at.unsigned_abs() }));
            assert!(notes.add(at, TrustAlert::ClocksDiffer { by_s: at.unsigned_abs() }));
            assert!(!notes.add(at, missing("a")) && !notes.add(at, missing("b")));
        }
        let newest = [(199, TrustAlert::Withheld { silent_s: 199 }), (199, TrustAlert::ClocksDiffer { by_s: 199 })];
        let expected: Vec<_> = [forged, (0, missing("a")), (0, missing("b"))].into_iter().chain(newest).collect();
        assert_eq!(notes.alerts, expected);
    }
}
