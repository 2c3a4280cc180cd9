//! How fast a home's segments come and go. What is over the home's bytes a second waits for its turn: nothing is refused, lost or
//! overtaken by its like, and whoever sends or wants too much feels it as a slow link. What passes goes before what is kept. Bytes are
//! paid for when they go, and whoever gives up its turn has paid nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::ReadError;

use super::home::Home;
use super::quota::TokenBucket;
use super::received::{Gathered, PIECE, Received};
use super::tally::Direction;
use super::wire::{Answers, Failure};
use crate::config::Limits;

/// How many seconds' worth may come or go at once.
const AT_ONCE_S: u32 = 2;
/// How many seconds' worth live video may go ahead of them, while the rest waits until that is paid for.
const AHEAD_S: u32 = 1;

/// Bytes of an upload that are in memory while it waits.
const PACKET: usize = 2048;

/// What waits, and for whom it makes way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Passing segments: of use now or never.
    Live,
    /// All that is on disk.
    Kept,
}

impl Lane {
    /// The lane of a segment that passes, or does not.
    pub(crate) fn of(passing: bool) -> Self {
        if passing { Self::Live } else { Self::Kept }
    }
}

/// A home's bytes a second.
pub(crate) struct Pace {
    received: Gate,
    sent: Gate,
}

/// One direction. A lane is held by whoever is next in it, the others wait for it in the order in which they came.
struct Gate {
    bucket: Mutex<TokenBucket>,
    live: Queue,
    kept: Queue,
}

/// Those of a lane who have to wait.
#[derive(Default)]
struct Queue {
    next: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

/// One who waits, until dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let gate = |rate: u32| {
            let bucket = TokenBucket::new(rate, rate.saturating_mul(AT_ONCE_S), now);
            Gate { bucket: Mutex::new(bucket), live: Queue::default(), kept: Queue::default() }
        };
        Self { received: gate(limits.received_bytes_per_s), sent: gate(limits.sent_bytes_per_s) }
    }

    fn gate(&self, direction: Direction, limits: &Limits) -> (&Gate, u32) {
        match direction {
            Direction::Received => (&self.received, limits.received_bytes_per_s),
            Direction::Sent => (&self.sent, limits.sent_bytes_per_s),
        }
    }
}

impl Gate {
    fn lane(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Live => &self.live,
            Lane::Kept => &self.kept,
        }
    }

    /// Lets these bytes go, or says after how long to ask again. For whoever is next in its lane.
    fn draw(&self, lane: Lane, bytes: usize, rate: u32, now: Instant) -> Result<(), Duration> {
        let ahead = match lane {
            Lane::Live => rate.saturating_mul(AHEAD_S),
            Lane::Kept => 0,
        };
        let mut bucket = self.bucket();
        bucket.set_rate(rate, rate.saturating_mul(AT_ONCE_S));
        bucket.draw(bytes, ahead, now)
    }

    fn bucket(&self) -> MutexGuard<'_, TokenBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next bytes of a kept segment from the hub, as many as have come, when it is their turn: a disk takes a few large pieces sooner than
/// many small ones. One packet says that there is something; while that waits, the rest is not taken, and QUIC holds the hub back.
pub(crate) async fn receive_many(home: &Home, body: &mut Received) -> Result<Gathered, ReadError> {
    let Some(first) = body.read_chunk(PACKET).await? else { return Ok(Gathered { bytes: Bytes::new(), ended: true }) };
    if let Some(aside) = Aside::set(home, Lane::Kept, PIECE) {
        let came = body.read_many(first.bytes).await;
        aside.used(came.bytes.len());
        return Ok(came);
    }
    let queue = home.pace.received.lane(Lane::Kept);
    let _waits = Waits::begin(&queue.waiting);
    let _next = queue.next.lock().await;
    paid(home, Direction::Received, Lane::Kept, 0).await;
    // Nobody else of this lane takes anything meanwhile.
    let came = body.read_many(first.bytes).await;
    home.pace.received.bucket().owe(came.bytes.len());
    Ok(came)
}

/// Bytes of a home that may come without waiting and have not all come, until dropped.
struct Aside<'a> {
    gate: &'a Gate,
    bytes: usize,
}

impl<'a> Aside<'a> {
    /// None where somebody waits, or they can't be paid at once.
    fn set(home: &'a Home, lane: Lane, bytes: usize) -> Option<Self> {
        let (gate, rate) = home.pace.gate(Direction::Received, &home.limits());
        let free = gate.lane(lane).waiting.load(Ordering::Relaxed) == 0;
        let mut bucket = gate.bucket();
        bucket.set_rate(rate, rate.saturating_mul(AT_ONCE_S));
        let set = free && bucket.set_aside(bytes, Instant::now());
        drop(bucket);
        set.then(|| Self { gate, bytes })
    }

    /// So many of them came, or a few more.
    fn used(mut self, bytes: usize) {
        match self.bytes.checked_sub(bytes) {
            Some(rest) => self.bytes = rest,
            None => {
                self.gate.bucket().owe(bytes - self.bytes);
                self.bytes = 0;
            }
        }
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.gate.bucket().give_back(self.bytes);
    }
}

/// The next bytes of a passing segment, when it is their turn.
pub(crate) async fn receive_live(home: &Home, body: &mut Received) -> Result<Option<Bytes>, ReadError> {
    let bytes = body.read_waiting().await?;
    if let Some(bytes) = &bytes {
        turn(home, Direction::Received, Lane::Live, bytes.len()).await;
    }
    Ok(bytes)
}

/// Sends bytes of a segment to a reader when it is their turn, unless it wants no more before.
pub(crate) async fn send(home: &Home, out: &mut Answers, bytes: Bytes, lane: Lane) -> Result<(), Failure> {
    if !goes_at_once(home, Direction::Sent, lane, bytes.len()) {
        let stopped = out.stopped();
        tokio::select! {
            biased;
            () = turn(home, Direction::Sent, lane, bytes.len()) => {}
            () = stopped => return Err(Failure::Lost),
        }
    }
    out.bytes(bytes).await
}

/// Lets these bytes go if nobody waits and there is room for them: what nearly always is, and costs next to nothing.
fn goes_at_once(home: &Home, direction: Direction, lane: Lane, bytes: usize) -> bool {
    let (gate, rate) = home.pace.gate(direction, &home.limits());
    gate.lane(lane).waiting.load(Ordering::Relaxed) == 0 && gate.draw(lane, bytes, rate, Instant::now()).is_ok()
}

/// Resolves when these bytes may go. Dropped before, it leaves its place to the next, and nothing is owed for it.
async fn turn(home: &Home, direction: Direction, lane: Lane, bytes: usize) {
    if goes_at_once(home, direction, lane, bytes) {
        return;
    }
    let limits = home.limits();
    let queue = home.pace.gate(direction, &limits).0.lane(lane);
    let _waits = Waits::begin(&queue.waiting);
    let _next = queue.next.lock().await;
    paid(home, direction, lane, bytes).await;
}

/// Resolves when what went before is paid for, and lets these bytes go. For whoever is next in its lane.
async fn paid(home: &Home, direction: Direction, lane: Lane, bytes: usize) {
    let mut waited = false;
    loop {
        // What counts now: the limit may be another one since it began to wait.
        let (gate, rate) = home.pace.gate(direction, &home.limits());
        let Err(wait) = gate.draw(lane, bytes, rate, Instant::now()) else { return };
        if !std::mem::replace(&mut waited, true) {
            home.tally.slowed.add(direction);
        }
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 1000;

    fn pace(start: Instant) -> Pace {
        let limits = Limits { sent_bytes_per_s: RATE, ..Limits::default() };
        Pace::new(&limits, start)
    }

    #[test]
    fn live_goes_on_while_what_is_kept_takes_all_there_is() {
        let start = Instant::now();
        let gate = pace(start).sent;
        let mut live = 0;
        // A download that asks all the time, and half of the rate live.
        for tenth in 0..100 {
            let now = start + Duration::from_millis(100 * tenth);
            while gate.draw(Lane::Kept, 50, RATE, now).is_ok() {}
            live += usize::from(gate.draw(Lane::Live, 50, RATE, now).is_ok());
        }
        assert_eq!(live, 100);
    }

    #[test]
    fn over_time_both_lanes_together_have_no_more_than_the_rate() {
        let start = Instant::now();
        let gate = pace(start).sent;
        let mut sent = 0;
        for tenth in 0..1000 {
            let now = start + Duration::from_millis(10 * tenth);
            for lane in [Lane::Live, Lane::Kept] {
                while gate.draw(lane, 70, RATE, now).is_ok() {
                    sent += 70;
                }
            }
        }
        // Ten seconds, two at once, one ahead, and the last piece.
        assert!((12_900..=13_070).contains(&sent), "{sent}");
    }

    #[test]
    fn who_is_told_to_wait_owes_nothing() {
        let start = Instant::now();
        let gate = pace(start).sent;
        assert_eq!(gate.draw(Lane::Kept, 3000, RATE, start), Ok(()));
        let wait = Duration::from_secs(1);
        for _ in 0..1000 {
            assert_eq!(gate.draw(Lane::Kept, 3000, RATE, start), Err(wait));
        }
        assert_eq!(gate.draw(Lane::Kept, 1, RATE, start + wait), Ok(()));
    }
}
