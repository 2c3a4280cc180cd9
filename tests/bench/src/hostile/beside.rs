//! Beside the followers that were there before an attack: a good client that comes each second of it, and how many clients the relay
//! itself counts, so that an attack that was not there is not taken for one that did no harm.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use privet_demo::Trouble;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_relay_client::{Principal, RelayTarget, connect};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::relay::numbers::Numbers;
use crate::relay::{PATIENCE, key, trouble};

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// How long the slowest newcomer took until its first request was answered, in ms.
    pub slowest_ms: f64,
    /// Newcomers that were not let in.
    pub turned_away: u64,
    /// The most clients that were there at one time, as the relay counts: those in handshakes among them.
    pub there: u64,
}

/// Looks for so long.
pub async fn watch(target: &RelayTarget, metrics: SocketAddr, time: Duration) -> Result<Seen, Trouble> {
    let mut beat = interval(Duration::from_secs(1));
    let mut coming = JoinSet::new();
    let mut seen = Seen::default();
    let began = Instant::now();
    while began.elapsed() < time {
        beat.tick().await;
        coming.spawn(come(target.clone()));
        seen.there = seen.there.max(count(metrics).await?);
    }
    while let Some(came) = coming.join_next().await {
        match came.map_err(trouble)? {
            Ok(took) => seen.slowest_ms = seen.slowest_ms.max(took.as_secs_f64() * 1000.0),
            Err(why) => {
                eprintln!("a newcomer was turned away: {why}");
                seen.turned_away += 1;
            }
        }
    }
    Ok(seen)
}

/// Comes with a home of its own, asks something and goes.
async fn come(target: RelayTarget) -> Result<Duration, Trouble> {
    let began = Instant::now();
    let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let connection = connect(&target, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
    connection.usage().await.map_err(trouble)?;
    Ok(began.elapsed())
}

/// The clients that the relay counts.
async fn count(metrics: SocketAddr) -> Result<u64, Trouble> {
    let numbers = Numbers::read(metrics).await?;
    let clients = numbers.of("privet_relay_connections")? + numbers.of("privet_relay_handshakes")?;
    Ok(clients as u64)
}
