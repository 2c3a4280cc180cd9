//! How fast a home's segments come and go. What is over the home's bytes a second waits for its turn: nothing is refused, lost or
//! overtaken, and whoever sends or wants too much feels it as a slow link. Nothing is locked while somebody waits.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{Chunk, ReadError};

use super::growing::READ_SIZE;
use super::home::Home;
use super::quota::TokenBucket;
use super::received::Received;
use super::tally::Direction;
use super::wire::{Answers, Failure};
use crate::config::Limits;

/// How many seconds' worth may come or go at once.
const AT_ONCE_S: u32 = 2;

/// A home's bytes a second.
pub(crate) struct Pace {
    received: Mutex<TokenBucket>,
    sent: Mutex<TokenBucket>,
}

impl Pace {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        let bucket = |rate: u32| Mutex::new(TokenBucket::new(rate, rate.saturating_mul(AT_ONCE_S), now));
        Self { received: bucket(limits.received_bytes_per_s), sent: bucket(limits.sent_bytes_per_s) }
    }

    /// How long these bytes have to wait.
    fn draw(&self, direction: Direction, bytes: usize, limits: &Limits) -> Duration {
        let (bucket, rate) = match direction {
            Direction::Received => (&self.received, limits.received_bytes_per_s),
            Direction::Sent => (&self.sent, limits.sent_bytes_per_s),
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.set_rate(rate, rate.saturating_mul(AT_ONCE_S));
        bucket.draw(bytes, Instant::now())
    }
}

/// The next bytes of a segment from the hub, when it is their turn. Meanwhile nothing more is read: QUIC holds the hub back.
pub(crate) async fn receive(home: &Home, body: &mut Received) -> Result<Option<Chunk>, ReadError> {
    let chunk = body.read_chunk(READ_SIZE).await?;
    if let Some(chunk) = &chunk {
        turn(home, Direction::Received, chunk.bytes.len()).await;
    }
    Ok(chunk)
}

/// The same, as many bytes as have come: for a disk, which takes a few large pieces sooner than many small ones.
pub(crate) async fn receive_many(home: &Home, body: &mut Received) -> Result<Option<Bytes>, ReadError> {
    let bytes = body.read_many().await?;
    if let Some(bytes) = &bytes {
        turn(home, Direction::Received, bytes.len()).await;
    }
    Ok(bytes)
}

/// Sends bytes of a segment to a reader when it is their turn.
pub(crate) async fn send(home: &Home, out: &mut Answers, bytes: Bytes) -> Result<(), Failure> {
    turn(home, Direction::Sent, bytes.len()).await;
    out.bytes(bytes).await
}

async fn turn(home: &Home, direction: Direction, bytes: usize) {
    let wait = home.pace.draw(direction, bytes, &home.limits());
    if !wait.is_zero() {
        home.tally.slowed.add(direction);
        tokio::time::sleep(wait).await;
    }
}
