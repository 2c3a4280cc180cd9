//! `[notifications]`: how long something must be wrong before phones are told.

use std::time::Duration;

use serde::Deserialize;

/// Keys that are no numbers; their bounds are with the other numbers.
pub(super) const KEYS: &[(&str, &str)] = &[("notifications", "a table, `[notifications]`")];

/// When the hub tells of itself and its cameras.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Notifications {
    /// Seconds without pictures after which a camera is told to be offline.
    pub offline_grace_s: u64,
    /// Seconds without a relay after which that is told.
    pub relay_grace_s: u64,
    /// Mebibytes above the free-space floor below which the disk is told to be nearly full; 0: never.
    pub disk_margin_mib: u64,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { offline_grace_s: 60, relay_grace_s: 300, disk_margin_mib: 128 }
    }
}

impl Notifications {
    /// How long a camera may be away unnoticed.
    pub fn offline_grace(&self) -> Duration {
        Duration::from_secs(self.offline_grace_s)
    }

    /// How long the relay may be.
    pub fn relay_grace(&self) -> Duration {
        Duration::from_secs(self.relay_grace_s)
    }

    /// Bytes above the floor below which the disk is nearly full.
    pub fn disk_margin(&self) -> u64 {
        self.disk_margin_mib << 20
    }
}
