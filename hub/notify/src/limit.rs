//! How often one phone may change its settings: so many times within a stretch of time, then not until it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_protocol::id::DeviceId;
use privet_protocol::time::Timestamp;

/// Changes by phone since the beginning of its stretch.
#[derive(Debug)]
pub(crate) struct Limit {
    most: u32,
    within: Duration,
    counts: BTreeMap<DeviceId, (Timestamp, u32)>,
}

impl Limit {
    pub(crate) fn new(most: u32, within: Duration) -> Self {
        Self { most, within, counts: BTreeMap::new() }
    }

    /// Whether this phone may now; if so, it is counted.
    pub(crate) fn take(&mut self, device: DeviceId, now: Timestamp) -> bool {
        let (since, count) = self.running(&device, now).unwrap_or((now, 0));
        if count < self.most {
            self.counts.insert(device, (since, count + 1));
        }
        count < self.most
    }

    /// Whether it may not now.
    pub(crate) fn is_over(&self, device: &DeviceId, now: Timestamp) -> bool {
        self.running(device, now).is_some_and(|(_, count)| count >= self.most)
    }

    pub(crate) fn forget(&mut self, device: &DeviceId) {
        self.counts.remove(device);
    }

    fn running(&self, device: &DeviceId, now: Timestamp) -> Option<(Timestamp, u32)> {
        let (since, count) = self.counts.get(device).copied()?;
        // A clock that was set back begins anew.
        (since <= now && now < since.after(self.within)).then_some((since, count))
    }
}
