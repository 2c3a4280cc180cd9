//! Who watches a camera live, and until when. A phone that vanishes stops watching when its lease runs out.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_protocol::id::DeviceId;

/// The longest lease a phone can have without another word.
const MAX_LEASE: Duration = Duration::from_secs(120);
/// The shortest one.
const MIN_LEASE: Duration = Duration::from_secs(5);

/// The viewers of one camera.
#[derive(Debug, Default)]
pub struct Leases(BTreeMap<DeviceId, u64>);

impl Leases {
    /// The viewer watches for `lease` from now on.
    pub fn renew(&mut self, viewer: DeviceId, lease: Duration, now_us: u64) {
        let lease = u64::try_from(lease.clamp(MIN_LEASE, MAX_LEASE).as_micros()).unwrap_or(u64::MAX);
        self.0.insert(viewer, now_us.saturating_add(lease));
    }

    /// The viewer does not watch any more.
    pub fn end(&mut self, viewer: DeviceId) {
        self.0.remove(&viewer);
    }

    /// Forgets leases that ran out.
    pub fn expire(&mut self, now_us: u64) {
        self.0.retain(|_, until| *until > now_us);
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_run_out_each_for_itself_and_are_bounded() {
        let (a, b) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let mut leases = Leases::default();
        leases.renew(a, Duration::from_secs(30), 0);
        leases.renew(b, Duration::from_secs(86_400), 0);
        leases.expire(30_000_000);
        assert_eq!(leases.viewers(), 1);
        leases.expire(120_000_000);
        assert_eq!(leases.viewers(), 0);
        leases.renew(a, Duration::from_secs(30), 0);
        leases.renew(a, Duration::from_secs(30), 20_000_000);
        leases.expire(40_000_000);
        assert_eq!(leases.viewers(), 1);
        leases.end(a);
        assert_eq!(leases.viewers(), 0);
    }
}
