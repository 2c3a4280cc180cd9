//! Who watches a camera live, which of its streams, and until when. A phone that vanishes stops watching when its lease runs out; one that says it stops
//! keeps the stream for a moment, as it may be back at once.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_home::Feed;
use privet_protocol::id::DeviceId;

/// The longest lease a phone can have without another word.
const MAX_LEASE: Duration = Duration::from_secs(120);
/// The shortest one.
const MIN_LEASE: Duration = Duration::from_secs(5);

/// How long the stream goes on for who stopped watching. People go from one view of a camera to another, and phones close the first before they open the
/// second: another stream would begin with pictures that were seen already, and its key would have to be told first.
const LINGER: Duration = Duration::from_secs(3);

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
pub struct Leases {
    of: BTreeMap<DeviceId, Lease>,
    /// What was to be shown while somebody watched.
    last: Feed,
}

#[derive(Debug)]
struct Lease {
    until_us: u64,
    feed: Feed,
    /// The viewer said it stops.
    left: bool,
}

impl Leases {
    /// The viewer watches for `lease` from now on, and wants to see `feed`.
    pub fn renew(&mut self, viewer: DeviceId, lease: Duration, feed: Feed, now_us: u64) {
        let until_us = after(now_us, lease.clamp(MIN_LEASE, MAX_LEASE));
        self.of.insert(viewer, Lease { until_us, feed, left: false });
        self.last = self.feed();
    }

    /// The viewer does not watch any more.
    pub fn end(&mut self, viewer: DeviceId, now_us: u64) {
        if let Some(lease) = self.of.get_mut(&viewer) {
            lease.until_us = lease.until_us.min(after(now_us, LINGER));
            lease.left = true;
        }
        self.last = self.feed();
    }

    /// The viewer may not watch any more.
    pub fn remove(&mut self, viewer: DeviceId) {
        self.of.remove(&viewer);
        self.last = self.feed();
    }

    /// Forgets leases that ran out.
    pub fn expire(&mut self, now_us: u64) {
        self.of.retain(|_, lease| lease.until_us > now_us);
        self.last = self.feed();
    }

    /// How many watch.
    pub fn viewers(&self) -> usize {
        self.watching().count()
    }

    /// How many of them want the substream.
    pub fn want_substream(&self) -> usize {
        self.watching().filter(|lease| lease.feed == Feed::Substream).count()
    }

    /// Whether a live stream is kept: somebody watches, or did a moment ago.
    pub fn keep_stream(&self) -> bool {
        !self.of.is_empty()
    }

    /// What is to be shown: they share one live stream, so the main stream as long as anybody wants it. When nobody watches any more it stays what it was.
    pub fn feed(&self) -> Feed {
        let wish = |one: Feed, other: Feed| if one == other { one } else { Feed::Main };
        self.watching().map(|lease| lease.feed).reduce(wish).unwrap_or(self.last)
    }

    fn watching(&self) -> impl Iterator<Item = &Lease> {
        self.of.values().filter(|lease| !lease.left)
    }
}

fn after(now_us: u64, time: Duration) -> u64 {
    now_us.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
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
        leases.remove(a);
        assert!(leases.viewers() == 0 && !leases.keep_stream());
    }

    #[test]
    fn who_stops_keeps_the_stream_for_a_moment_and_counts_no_more() {
        let (a, b) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let mut leases = Leases::default();
        leases.end(a, 0);
        assert!(!leases.keep_stream(), "it never watched");
        leases.renew(a, Duration::from_secs(30), Feed::Substream, 0);
        leases.end(a, 10_000_000);
        leases.expire(12_999_999);
        assert_eq!((leases.viewers(), leases.keep_stream(), leases.feed()), (0, true, Feed::Substream));
        leases.renew(b, Duration::from_secs(30), Feed::Main, 12_000_000);
        assert_eq!((leases.viewers(), leases.want_substream(), leases.feed()), (1, 0, Feed::Main));
        leases.end(b, 12_000_000);
        leases.renew(a, Duration::from_secs(30), Feed::Substream, 12_000_000);
        assert_eq!((leases.viewers(), leases.feed()), (1, Feed::Substream), "back at once");
        leases.expire(40_000_000);
        leases.end(a, 41_000_000);
        leases.expire(42_000_000);
        assert!(!leases.keep_stream(), "no lease gets longer so");
        leases.renew(a, Duration::from_secs(30), Feed::Substream, 0);
        leases.renew(b, Duration::from_secs(30), Feed::Main, 0);
        leases.end(b, 1_000_000);
        leases.end(a, 2_000_000);
        assert_eq!(leases.feed(), Feed::Substream, "as the last one saw it");
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
        leases.end(a, 10_000_000);
        assert_eq!(leases.feed(), Feed::Substream);
    }
}
