//! Who watches a camera live, which of its streams, and until when. A phone that vanishes stops watching when its lease runs out.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_home::Feed;
use privet_protocol::id::DeviceId;

/// The longest lease a phone can have without another word.
const MAX_LEASE: Duration = Duration::from_secs(120);
/// The shortest one.
const MIN_LEASE: Duration = Duration::from_secs(5);

/// Who watches a camera live, and what they see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watching {
    /// How many watch.
    pub viewers: usize,
    /// How many of them want the substream.
    pub want_substream: usize,
    /// They see the substream.
    pub substream: bool,
}

/// The viewers of one camera.
#[derive(Debug, Default)]
pub struct Leases(BTreeMap<DeviceId, Lease>);

#[derive(Debug)]
struct Lease {
    until_us: u64,
    feed: Feed,
}

impl Leases {
    /// The viewer watches for `lease` from now on, and wants to see `feed`.
    pub fn renew(&mut self, viewer: DeviceId, lease: Duration, feed: Feed, now_us: u64) {
        let lease = u64::try_from(lease.clamp(MIN_LEASE, MAX_LEASE).as_micros()).unwrap_or(u64::MAX);
        self.0.insert(viewer, Lease { until_us: now_us.saturating_add(lease), feed });
    }

    /// The viewer does not watch any more.
    pub fn end(&mut self, viewer: DeviceId) {
        self.0.remove(&viewer);
    }

    /// Forgets leases that ran out.
    pub fn expire(&mut self, now_us: u64) {
        self.0.retain(|_, lease| lease.until_us > now_us);
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.0.len()
    }

    /// How many of them want the substream.
    pub fn want_substream(&self) -> usize {
        self.0.values().filter(|lease| lease.feed == Feed::Substream).count()
    }

    /// What is to be shown: they share one live stream, so the main stream as long as anybody wants it.
    pub fn feed(&self) -> Feed {
        let all = self.viewers() > 0 && self.want_substream() == self.viewers();
        if all { Feed::Substream } else { Feed::Main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_run_out_each_for_itself_and_are_bounded() {
        let (a, b) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let mut leases = Leases::default();
        leases.renew(a, Duration::from_secs(30), Feed::Main, 0);
        leases.renew(b, Duration::from_secs(86_400), Feed::Main, 0);
        leases.expire(30_000_000);
        assert_eq!(leases.viewers(), 1);
        leases.expire(120_000_000);
        assert_eq!(leases.viewers(), 0);
        leases.renew(a, Duration::from_secs(30), Feed::Main, 0);
        leases.renew(a, Duration::from_secs(30), Feed::Main, 20_000_000);
        leases.expire(40_000_000);
        assert_eq!(leases.viewers(), 1);
        leases.end(a);
        assert_eq!(leases.viewers(), 0);
    }

    #[test]
    fn the_substream_is_shown_only_while_all_want_it() {
        let (a, b) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let (mut leases, long) = (Leases::default(), Duration::from_secs(30));
        assert_eq!(leases.feed(), Feed::Main);
        leases.renew(a, long, Feed::Substream, 0);
        assert_eq!(leases.feed(), Feed::Substream);
        leases.renew(b, long, Feed::Main, 10_000_000);
        assert_eq!((leases.feed(), leases.want_substream()), (Feed::Main, 1));
        leases.renew(b, long, Feed::Substream, 10_000_000);
        assert_eq!(leases.feed(), Feed::Substream);
        leases.renew(a, long, Feed::Main, 10_000_000);
        leases.end(a);
        assert_eq!(leases.feed(), Feed::Substream);
    }
}
