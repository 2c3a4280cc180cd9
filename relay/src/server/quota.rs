//! How often: token buckets, pure and bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets `rate` pass a second, and `burst` at once.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    pub(crate) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        Self { rate: rate.into(), burst: burst.into(), tokens: burst.into(), at: now }
    }

    /// From now on another rate, and another number at once; what has passed already counts.
    pub(crate) fn set_rate(&mut self, rate: u32, burst: u32) {
        let used = self.burst - self.tokens;
        (self.rate, self.burst) = (rate.into(), burst.into());
        // What is owed stays owed, neither more nor less.
        if self.tokens >= 0.0 {
            self.tokens = (self.burst - used).max(0.0);
        }
    }

    /// Whether one more may pass now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Lets `amount` pass, however much that is, unless more than `owed` is to be paid still for what passed before: then nothing
    /// passes, and it says after how long to ask again.
    pub(crate) fn draw(&mut self, amount: usize, owed: u32, now: Instant) -> Result<(), Duration> {
        self.fill(now);
        let short = -self.tokens - f64::from(owed);
        // Less than one is nothing: to wait for it could take no time at all.
        if short >= 1.0 {
            return Err(Duration::from_secs_f64(short / self.rate.max(1.0)));
        }
        self.tokens -= amount as f64;
        Ok(())
    }

    /// Lets `amount` pass for now, if that can be paid at once; what of it was not needed is given back.
    pub(crate) fn set_aside(&mut self, amount: usize, now: Instant) -> bool {
        self.fill(now);
        let there = self.tokens >= amount as f64;
        if there {
            self.tokens -= amount as f64;
        }
        there
    }

    /// What was set aside and not needed.
    pub(crate) fn give_back(&mut self, amount: usize) {
        self.tokens = (self.tokens + amount as f64).min(self.burst);
    }

    /// Lets `amount` pass in any case; it is to be paid before anything else passes.
    pub(crate) fn owe(&mut self, amount: usize) {
        self.tokens -= amount as f64;
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
    }

    fn is_full(&self, now: Instant) -> bool {
        self.tokens_at(now) >= self.burst
    }

    /// Whether less than half of what may pass at once is left.
    fn is_half_used(&self, now: Instant) -> bool {
        self.tokens_at(now) < self.burst / 2.0
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        self.tokens + now.saturating_duration_since(self.at).as_secs_f64() * self.rate
    }
}

/// What one connection may ask a second, and ten times as much at once.
#[derive(Debug)]
pub(crate) struct Requests(Mutex<TokenBucket>);

impl Requests {
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        Self(Mutex::new(TokenBucket::new(rate, rate.saturating_mul(BURST_S), now)))
    }

    /// Counts one that begins, and says whether it may, by the rate that counts now.
    pub(crate) fn may_ask(&self, rate: u32, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.set_rate(rate, rate.saturating_mul(BURST_S));
        bucket.take(now)
    }
}

/// What each network has that connects: an IPv4 address or an IPv6 /64.
///
/// Anybody can write another's address on a packet. So before an address is proven, half of what its network may have is there for all who say
/// that they are of it; the other half is for those who have shown that they are.
#[derive(Debug)]
pub(crate) struct Networks {
    rate: u32,
    /// Connections of one network.
    most: u64,
    buckets: HashMap<u64, TokenBucket>,
    open: HashMap<u64, Open>,
}

/// What becomes of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It may come, and counts until it leaves.
    Welcome,
    /// It has to prove its address first.
    AskAgain,
    /// Its network has as much as it may.
    TooMany,
}

/// Connections that are there.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    all: u64,
    /// Those that said no hello so far.
    strangers: u64,
}

/// Of the connections that a network may have, one of so many may be without a hello.
const STRANGERS: u64 = 8;

/// Beyond this many, buckets that are full again are forgotten; if none is, newcomers are refused.
const MOST_NETWORKS: usize = 16_384;
/// How many seconds' worth may come at once.
const BURST_S: u32 = 10;

impl Networks {
    pub(crate) fn new(rate: u32, most: u64) -> Self {
        Self { rate, most, buckets: HashMap::new(), open: HashMap::new() }
    }

    /// From now on another rate and number, also for those that have come already.
    pub(crate) fn set_limits(&mut self, rate: u32, most: u64) {
        (self.rate, self.most) = (rate, most);
        self.buckets.values_mut().for_each(|bucket| bucket.set_rate(rate, rate.saturating_mul(BURST_S)));
    }

    /// Whether one more connection of this address, which is proven or not, may come now.
    pub(crate) fn admit(&mut self, address: IpAddr, proven: bool, now: Instant) -> Entry {
        let network = network(address);
        let open = self.open.get(&network).copied().unwrap_or_default();
        let strangers = (self.most / STRANGERS).max(1);
        if !proven {
            let used = match self.buckets.get(&network) {
                Some(bucket) => bucket.is_half_used(now),
                None => self.buckets.len() >= MOST_NETWORKS,
            };
            if used || open.all > self.most / 2 || open.strangers > strangers / 2 {
                return Entry::AskAgain;
            }
        }
        if open.all >= self.most || open.strangers >= strangers || !self.take(network, now) {
            return Entry::TooMany;
        }
        let open = self.open.entry(network).or_default();
        open.all += 1;
        open.strangers += 1;
        Entry::Welcome
    }

    /// One that was let in said its hello.
    pub(crate) fn know(&mut self, address: IpAddr) {
        if let Some(open) = self.open.get_mut(&network(address)) {
            open.strangers = open.strangers.saturating_sub(1);
        }
    }

    /// One that was let in is gone.
    pub(crate) fn leave(&mut self, address: IpAddr, stranger: bool) {
        let network = network(address);
        if let Some(open) = self.open.get_mut(&network) {
            open.all = open.all.saturating_sub(1);
            open.strangers = open.strangers.saturating_sub(stranger.into());
            if open.all == 0 {
                self.open.remove(&network);
            }
        }
    }

    fn take(&mut self, network: u64, now: Instant) -> bool {
        if self.buckets.len() >= MOST_NETWORKS && !self.buckets.contains_key(&network) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= MOST_NETWORKS {
                return false;
            }
        }
        let rate = self.rate;
        let bucket =
            self.buckets.entry(network).or_insert_with(|| TokenBucket::new(rate, rate.saturating_mul(BURST_S), now));
        bucket.take(now)
    }
}

/// What counts as one: an IPv4 address or an IPv6 /64.
pub(crate) fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        // An IPv6 network never has its upper 32 bits zero and is so never taken for an IPv4 address.
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn a_bucket_lets_its_burst_pass_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(2, 5, start);
        assert_eq!((0..10).filter(|_| bucket.take(start)).count(), 5);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..10).filter(|_| bucket.take(later)).count(), 2);
        let much_later = start + Duration::from_secs(1000);
        assert_eq!((0..10).filter(|_| bucket.take(much_later)).count(), 5);
    }

    #[test]
    fn another_rate_gives_nothing_back_that_was_taken() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1, 10, start);
        assert_eq!((0..4).filter(|_| bucket.take(start)).count(), 4);
        bucket.set_rate(1, 6);
        assert_eq!((0..10).filter(|_| bucket.take(start)).count(), 2);
        bucket.set_rate(1, 20);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 14);
    }

    #[test]
    fn what_is_set_aside_was_paid_before_and_comes_back_as_far_as_it_was_not_needed() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100, 200, start);
        assert_eq!([150, 60, 50].map(|amount| bucket.set_aside(amount, start)), [true, false, true]);
        assert_eq!(bucket.draw(1, 0, start), Ok(()), "nothing is owed for it");
        bucket.give_back(150);
        bucket.owe(249);
        assert_eq!(bucket.draw(0, 0, start), Err(Duration::from_secs(1)));
        bucket.give_back(1_000);
        assert!(!bucket.set_aside(201, start), "no more at once than ever");
    }

    #[test]
    fn what_is_too_much_waits_for_what_came_before_it_and_is_paid_for() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100, 200, start);
        let seconds = Duration::from_secs;
        assert_eq!([150, 550].map(|amount| bucket.draw(amount, 0, start)), [Ok(()); 2]);
        assert_eq!([1, 1000].map(|amount| bucket.draw(amount, 0, start)), [Err(seconds(5)); 2], "and owes nothing");
        // Five seconds' worth is owed, whatever the rate is from now on.
        bucket.set_rate(100, 10);
        assert_eq!(bucket.draw(0, 0, start), Err(seconds(5)));
        bucket.set_rate(250, 500);
        assert_eq!(bucket.draw(0, 0, start), Err(seconds(2)));
        assert_eq!(bucket.draw(0, 250, start), Err(seconds(1)), "who may owe goes sooner");
        assert_eq!(bucket.draw(0, 500, start), Ok(()));
        assert_eq!(bucket.draw(250, 0, start + seconds(2)), Ok(()));
        assert_eq!(bucket.draw(1, 0, start + seconds(2)), Err(seconds(1)));
        assert_eq!(bucket.draw(500, 0, start + seconds(1000)), Ok(()));
        assert_eq!(bucket.draw(2, 0, start + seconds(1000)), Ok(()), "no more than the burst was saved");
        assert_eq!(bucket.draw(0, 0, start + seconds(1000)), Err(Duration::from_secs_f64(2.0 / 250.0)));
    }

    #[test]
    fn networks_do_not_disturb_each_other_and_memory_is_bounded() {
        let start = Instant::now();
        let mut networks = Networks::new(1, 1000);
        let noisy: IpAddr = [10, 0, 0, 1].into();
        let welcome =
            |networks: &mut Networks, address: IpAddr, at| networks.admit(address, true, at) == Entry::Welcome;
        assert_eq!((0..100).filter(|_| welcome(&mut networks, noisy, start)).count(), 10);
        assert!(welcome(&mut networks, [10, 0, 0, 2].into(), start));
        let many = |i: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001 << 112) | (i << 64)));
        for i in 0..40_000 {
            networks.admit(many(i), true, start);
        }
        assert!(networks.buckets.len() <= MOST_NETWORKS);
        assert_eq!(
            networks.admit(many(50_000), false, start),
            Entry::AskAgain,
            "no place is taken for what may be a lie"
        );
        let later = start + Duration::from_secs(60);
        assert!(welcome(&mut networks, [10, 0, 0, 3].into(), later));
        for i in 0..40_000 {
            networks.leave(many(i), true);
        }
        assert!(networks.open.len() <= 3, "who is gone takes no place");
    }

    #[test]
    fn who_writes_anothers_address_on_its_packets_takes_nothing_of_the_other_half() {
        let start = Instant::now();
        let victim: IpAddr = [10, 0, 0, 1].into();
        let mut networks = Networks::new(1, 800);
        let forged: Vec<_> = (0..100_000).map(|_| networks.admit(victim, false, start)).collect();
        assert_eq!(forged.iter().filter(|entry| **entry == Entry::Welcome).count(), 6);
        assert!(!forged.contains(&Entry::TooMany));
        assert_eq!(networks.admit(victim, true, start), Entry::Welcome);

        // With many a second it is the places that are taken.
        let mut networks = Networks::new(1000, 800);
        let forged = (0..100_000).filter(|_| networks.admit(victim, false, start) == Entry::Welcome).count();
        assert_eq!(forged, 51);
        assert_eq!((0..100).filter(|_| networks.admit(victim, true, start) == Entry::Welcome).count(), 49);
        assert_eq!(networks.admit(victim, true, start), Entry::TooMany);
        assert_eq!(networks.admit([10, 0, 0, 2].into(), false, start), Entry::Welcome);
    }

    #[test]
    fn a_network_has_so_many_connections_and_few_that_said_no_hello() {
        let start = Instant::now();
        let address: IpAddr = [10, 0, 0, 1].into();
        let mut networks = Networks::new(1000, 80);
        for _ in 0..80 {
            assert_eq!(networks.admit(address, true, start), Entry::Welcome);
            networks.know(address);
        }
        assert_eq!(networks.admit(address, true, start), Entry::TooMany);
        networks.leave(address, false);
        assert_eq!(networks.admit(address, true, start), Entry::Welcome);
        networks.leave(address, true);

        let other: IpAddr = [10, 0, 0, 2].into();
        assert_eq!((0..80).filter(|_| networks.admit(other, true, start) == Entry::Welcome).count(), 10);
        networks.know(other);
        assert_eq!(networks.admit(other, true, start), Entry::Welcome);
        networks.set_limits(1000, 800);
        assert_eq!(networks.admit(other, true, start), Entry::Welcome);
    }
}
