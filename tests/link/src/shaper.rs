//! What becomes of a packet: it is lost, finds the queue full, or arrives at a time. No jitter: packets never overtake each other.

use std::time::Duration;

/// What one direction of a link is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// From one end to the other, for a packet that waits for no other.
    pub delay: Duration,
    /// Packets lost on the way.
    pub loss: Loss,
    /// Bits a second; unlimited if not said.
    pub rate: Option<Rate>,
}

/// Packets lost on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// None.
    None,
    /// Each packet with this probability, whatever became of the others.
    Each(f64),
    /// In bursts (Gilbert-Elliott: a good state that loses nothing, a bad one that loses everything).
    Bursts {
        /// The share of packets lost in the long run.
        share: f64,
        /// The mean length of a burst, in packets; at least 1.
        length: f64,
    },
}

/// A bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bits a second; at least 1.
    pub bits_per_s: u64,
    /// Bytes that may wait before it. A packet that does not fit is dropped.
    pub queue_bytes: u64,
}

impl Rate {
    /// A bottleneck before which packets wait for 200 ms at most, and at least sixteen of 1500 bytes find room.
    pub fn mbit(megabits_per_s: f64) -> Self {
        let bits_per_s = (megabits_per_s * 1e6) as u64;
        Self { bits_per_s, queue_bytes: (bits_per_s / 8 / 5).max(16 * 1500) }
    }

    fn time_of(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.bits_per_s.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Conditions {
    /// A link on which nothing happens but time.
    pub const fn delay(delay: Duration) -> Self {
        Self { delay, loss: Loss::None, rate: None }
    }

    /// The same with loss.
    #[must_use]
    pub const fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// The same with a bottleneck.
    #[must_use]
    pub const fn with_rate(self, rate: Option<Rate>) -> Self {
        Self { rate, ..self }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is there at this time.
    Arrives(Duration),
    /// It is lost on the way; what time it took on the line is taken.
    Lost,
    /// The queue before the bottleneck was full.
    NoRoom,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Shaper {
    conditions: Conditions,
    /// When the line is free again.
    free: Duration,
    /// When the last packet arrives.
    last: Duration,
    bad: bool,
}

impl Shaper {
    /// A direction that nothing went through yet.
    pub fn new(conditions: Conditions) -> Self {
        Self { conditions, free: Duration::ZERO, last: Duration::ZERO, bad: false }
    }

    /// From now on the link is like this; what is under way arrives as it was told.
    pub fn change(&mut self, conditions: Conditions) {
        self.conditions = conditions;
        self.free = Duration::ZERO;
        self.bad = false;
    }

    /// What becomes of a packet of so many bytes that is sent now. `chance` gives numbers from 0 to 1, 1 excluded.
    ///
    /// Times are since whatever moment the caller chose, and never go back.
    pub fn send(&mut self, now: Duration, bytes: usize, mut chance: impl FnMut() -> f64) -> Fate {
        let mut gone = now;
        if let Some(rate) = self.conditions.rate {
            let bytes = bytes as u64;
            let waiting = self.free.saturating_sub(now);
            if waiting + rate.time_of(bytes) > rate.time_of(rate.queue_bytes.max(bytes)) {
                return Fate::NoRoom;
            }
            gone = self.free.max(now) + rate.time_of(bytes);
            self.free = gone;
        }
        if self.loses(&mut chance) {
            return Fate::Lost;
        }
        // A link that got shorter lets nobody overtake.
        self.last = self.last.max(gone + self.conditions.delay);
        Fate::Arrives(self.last)
    }

    fn loses(&mut self, chance: &mut impl FnMut() -> f64) -> bool {
        match self.conditions.loss {
            Loss::None => false,
            Loss::Each(share) => chance() < share,
            Loss::Bursts { share, length } => {
                let length = length.max(1.0);
                // Of the long run: share = P(to bad) / (P(to bad) + P(to good)), and a burst is 1 / P(to good) long.
                let to_bad = share / (1.0 - share).max(f64::EPSILON) / length;
                let stays = if self.bad { 1.0 - 1.0 / length } else { to_bad };
                self.bad = chance() < stays;
                self.bad
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(20);
    const MS: Duration = Duration::from_millis(1);

    fn fates(conditions: Conditions, packets: u32, seed: u64) -> Vec<Fate> {
        let (mut shaper, mut random) = (Shaper::new(conditions), fastrand::Rng::with_seed(seed));
        (0..packets).map(|n| shaper.send(MS * n, 1200, || random.f64())).collect()
    }

    fn lost(fates: &[Fate]) -> f64 {
        fates.iter().filter(|fate| **fate == Fate::Lost).count() as f64 / fates.len() as f64
    }

    #[test]
    fn a_good_link_takes_its_time_and_nothing_else() {
        let fates = fates(Conditions::delay(DELAY), 100, 1);
        let wanted: Vec<Fate> = (0..100).map(|n| Fate::Arrives(MS * n + DELAY)).collect();
        assert_eq!(fates, wanted);
    }

    #[test]
    fn the_share_that_was_asked_for_is_lost() {
        for share in [0.0, 0.02, 0.1, 1.0] {
            let fates = fates(Conditions::delay(DELAY).with_loss(Loss::Each(share)), 100_000, 2);
            assert!((lost(&fates) - share).abs() < 0.005, "{share}: {}", lost(&fates));
        }
    }

    #[test]
    fn bursts_have_the_share_and_the_length_that_were_asked_for() {
        let bursts = Loss::Bursts { share: 0.05, length: 4.0 };
        let fates = fates(Conditions::delay(DELAY).with_loss(bursts), 200_000, 3);
        assert!((lost(&fates) - 0.05).abs() < 0.005, "{}", lost(&fates));
        let ends = fates.windows(2).filter(|two| two[0] == Fate::Lost && two[1] != Fate::Lost).count();
        let length = lost(&fates) * fates.len() as f64 / ends as f64;
        assert!((length - 4.0).abs() < 0.3, "{length}");
    }

    #[test]
    fn a_bottleneck_lets_through_what_it_can_and_its_queue_is_bounded() {
        // 1.2 Mb/s are 150 bytes a millisecond: one packet of 1200 in 8 ms. Eight packets wait.
        let rate = Rate { bits_per_s: 1_200_000, queue_bytes: 8 * 1200 };
        let conditions = Conditions::delay(DELAY).with_rate(Some(rate));
        let fates = fates(conditions, 8000, 4);
        let arrived: Vec<Duration> =
            fates.iter().filter_map(|f| if let Fate::Arrives(at) = f { Some(*at) } else { None }).collect();
        // A thousand in eight seconds, and those that wait at the end.
        assert!((1000..=1008).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.windows(2).all(|two| two[1] - two[0] == MS * 8));
        for (n, fate) in (0..).zip(&fates) {
            if let Fate::Arrives(at) = fate {
                assert!(*at - MS * n <= DELAY + MS * 64, "packet {n} waits for {:?}", *at - MS * n);
            }
        }
        assert!(fates.contains(&Fate::NoRoom));
    }

    #[test]
    fn a_line_that_was_idle_is_free_at_once() {
        let mut shaper = Shaper::new(Conditions::delay(DELAY).with_rate(Some(Rate::mbit(1.0))));
        let mut never = || 1.0;
        shaper.send(Duration::ZERO, 1250, &mut never);
        let later = Duration::from_secs(5);
        assert_eq!(shaper.send(later, 1250, &mut never), Fate::Arrives(later + MS * 10 + DELAY));
    }

    #[test]
    fn a_lost_packet_takes_its_time_on_the_line() {
        let rate = Some(Rate::mbit(1.0));
        let mut shaper = Shaper::new(Conditions::delay(DELAY).with_rate(rate).with_loss(Loss::Each(0.5)));
        assert_eq!(shaper.send(Duration::ZERO, 1250, || 0.4), Fate::Lost);
        assert_eq!(shaper.send(Duration::ZERO, 1250, || 0.6), Fate::Arrives(MS * 20 + DELAY));
    }

    #[test]
    fn nobody_overtakes_on_a_link_that_gets_shorter() {
        let mut shaper = Shaper::new(Conditions::delay(DELAY));
        assert_eq!(shaper.send(MS, 100, || 1.0), Fate::Arrives(MS + DELAY));
        shaper.change(Conditions::delay(MS));
        assert_eq!(shaper.send(MS * 2, 100, || 1.0), Fate::Arrives(MS + DELAY));
    }
}
