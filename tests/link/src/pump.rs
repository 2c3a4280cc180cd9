//! Carries packets between the two ends of a link, as its shapers say: a thread of its own, so that nothing of what is measured
//! holds it up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tun_rs::{AsyncDevice, SyncDevice};

use crate::namespace::LinkError;
use crate::shaper::{Conditions, Fate, Shaper};

/// No packet is longer.
const LONGEST: usize = 1500;

/// What became of the packets of one direction so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Arrived, or will.
    pub arrived: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Dropped before a full queue.
    pub no_room: u64,
}

/// One direction: its shaper, and what it did.
#[derive(Debug)]
pub(crate) struct Direction {
    shaper: Mutex<Shaper>,
    seed: u64,
    arrived: AtomicU64,
    lost: AtomicU64,
    no_room: AtomicU64,
}

impl Direction {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Arc<Self> {
        let shaper = Mutex::new(Shaper::new(conditions));
        Arc::new(Self { shaper, seed, arrived: 0.into(), lost: 0.into(), no_room: 0.into() })
    }

    pub(crate) fn change(&self, conditions: Conditions) {
        self.shaper().change(conditions);
    }

    pub(crate) fn counts(&self) -> Counts {
        let [arrived, lost, no_room] = [&self.arrived, &self.lost, &self.no_room].map(|count| count.load(Relaxed));
        Counts { arrived, lost, no_room }
    }

    fn send(&self, now: Duration, bytes: usize, random: &mut fastrand::Rng) -> Option<Duration> {
        let fate = self.shaper().send(now, bytes, || random.f64());
        let (count, arrives) = match fate {
            Fate::Arrives(at) => (&self.arrived, Some(at)),
            Fate::Lost => (&self.lost, None),
            Fate::NoRoom => (&self.no_room, None),
        };
        count.fetch_add(1, Relaxed);
        arrives
    }

    fn shaper(&self) -> MutexGuard<'_, Shaper> {
        self.shaper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries until it is dropped.
#[derive(Debug)]
pub(crate) struct Pump {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    /// Between these two devices: from the first to the second as `there` says, from the second to the first as `back` does.
    pub(crate) fn start(
        ends: (SyncDevice, SyncDevice),
        there: Arc<Direction>,
        back: Arc<Direction>,
    ) -> Result<Self, LinkError> {
        let failed = |e: std::io::Error| LinkError::NotAllowed { what: "the thread of a link", cause: e.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (near, far) = {
            let _inside = runtime.enter();
            let near = AsyncDevice::new(ends.0).map_err(failed)?;
            (Arc::new(near), Arc::new(AsyncDevice::new(ends.1).map_err(failed)?))
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("link".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = carry(&near, &far, &there) => {}
                    () = carry(&far, &near, &back) => {}
                }
            });
        });
        Ok(Self { stop, thread: Some(thread.map_err(failed)?) })
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // The devices are closed when it ends, and with them the link.
            let _ = thread.join();
        }
    }
}

/// Ends only with a device.
async fn carry(from: &AsyncDevice, to: &AsyncDevice, direction: &Direction) {
    let began = Instant::now();
    let mut random = fastrand::Rng::with_seed(direction.seed);
    // Bounded by the shaper: what waits here is on the line.
    let (on_the_line, mut arriving) = mpsc::unbounded_channel::<(Duration, Vec<u8>)>();
    let depart = async {
        let mut packet = [0; LONGEST];
        while let Ok(length) = from.recv(&mut packet).await {
            if let Some(at) = direction.send(began.elapsed(), length, &mut random)
                && on_the_line.send((at, packet[..length].to_vec())).is_err()
            {
                return;
            }
        }
    };
    let arrive = async {
        while let Some((at, packet)) = arriving.recv().await {
            tokio::time::sleep_until(began + at).await;
            // One that the other end does not take is lost like any other.
            let _ = to.send(&packet).await;
        }
    };
    tokio::select! {
        () = depart => {}
        () = arrive => {}
    }
}
