//! Many clients at the same time, each of which does the same thing again and again; how often, within some seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use privet_demo::Trouble;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_relay_client::{Connection, Principal, RelayTarget, Retention, connect};
use tokio::task::JoinSet;

use super::{PATIENCE, key, trouble};

/// A measurement ends with the first of these, so that a fast disk is not filled.
pub const SECONDS: u64 = 8;
const MOST_BYTES: u64 = 4 << 30;

/// Somebody who does something again and again.
pub trait Client: Send + 'static {
    /// Once. Returns when whatever it asked for is done, and durable where it has to be.
    fn round(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// How fast it went.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Rounds of all together.
    pub rounds: u64,
    /// Time that passed.
    pub lasted: Duration,
}

impl Speed {
    /// Rounds a second.
    pub fn per_second(self) -> f64 {
        self.rounds as f64 / self.lasted.as_secs_f64()
    }
}

/// How much more is to be done.
pub struct Budget {
    until: Instant,
    bytes: AtomicU64,
}

impl Budget {
    /// Begins now.
    pub fn start() -> Self {
        Self { until: Instant::now() + Duration::from_secs(SECONDS), bytes: AtomicU64::new(0) }
    }

    /// Whether there is time, and room, for so many bytes more.
    pub fn take(&self, length: usize) -> bool {
        Instant::now() < self.until && self.bytes.fetch_add(length as u64, Ordering::Relaxed) < MOST_BYTES
    }
}

/// All of them go on until the budget is used, each round of so many bytes on the disk. `start` begins what is to be measured, which
/// comes back.
pub async fn all<C: Client, M>(
    mut clients: Vec<C>,
    bytes: usize,
    start: impl FnOnce() -> M,
) -> Result<(Speed, M), Trouble> {
    for client in &mut clients {
        // Congestion control finds its pace, and everything is in memory, before anything is measured.
        client.round().await?;
    }
    let (budget, measured, began) = (Arc::new(Budget::start()), start(), Instant::now());
    let mut going = JoinSet::new();
    for client in clients {
        going.spawn(go_on(client, bytes, Arc::clone(&budget)));
    }
    let mut rounds = 0;
    while let Some(done) = going.join_next().await {
        rounds += done.map_err(trouble)??;
    }
    Ok((Speed { rounds, lasted: began.elapsed() }, measured))
}

async fn go_on<C: Client>(mut client: C, bytes: usize, budget: Arc<Budget>) -> Result<u64, Trouble> {
    let mut rounds = 0;
    while budget.take(bytes) {
        client.round().await?;
        rounds += 1;
    }
    Ok(rounds)
}

/// A hub that puts the same clip again and again, in a home of its own.
pub struct Hub {
    connection: Connection,
    stream: StreamId,
    next: u64,
    clip: Bytes,
}

impl Hub {
    /// Connects one.
    pub async fn connect(target: &RelayTarget, clip: Bytes) -> Result<Self, Trouble> {
        let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
        let connection = connect(target, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
        Ok(Self { connection, stream: StreamId::generate(&SystemRandom), next: 0, clip })
    }
}

impl Client for Hub {
    async fn round(&mut self) -> Result<(), Trouble> {
        let until = self.connection.server_time().after(Duration::from_secs(3600));
        let put = self.connection.put(self.stream, self.next, Retention::Keep { until }, false);
        let mut writer = put.await.map_err(trouble)?;
        self.next += 1;
        writer.write(self.clip.clone()).await.map_err(trouble)?;
        writer.finish().await.map_err(trouble)?;
        Ok(())
    }
}
