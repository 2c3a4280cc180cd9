//! Clips made durable as fast as hubs can put them, beside files of the same size that are written and synced by as many threads, in
//! the same folder, in the same run.
//!
//! Each hub is a home with a connection of its own and has one clip on its way, as a hub does; the next goes when the relay has
//! answered that the last one is on the disk. Hubs and relay share the processor, the threads that write files have it alone.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use privet_demo::Trouble;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::{Random as _, SystemRandom};
use privet_relay_client::{ClientError, Connection, Principal, RelayTarget, Retention, connect};
use tokio::task::JoinSet;

use super::{BENCH, Meter, PATIENCE, Relay, Used, key, runtime, trouble};
use crate::figure::{Figure, Goal};

const HUBS: [usize; 3] = [1, 8, 64];
const SIZES: [(&str, usize); 2] = [("5 MiB", 5 << 20), ("64 KiB", 64 << 10)];
/// A measurement ends with the first of these, so that a fast disk is not filled.
const SECONDS: u64 = 8;
const MOST_BYTES: u64 = 4 << 30;

/// All figures of this part.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    must_be_a_disk(folder)?;
    let mut figures = Vec::new();
    for (size, length) in SIZES {
        let mut body = vec![0_u8; length];
        SystemRandom.fill(&mut body);
        let body = Bytes::from(body);
        for hubs in HUBS {
            let plural = if hubs == 1 { "" } else { "s" };
            let case = format!("clips of {size} from {hubs} hub{plural}");
            eprintln!("{BENCH}: {case}: at most {} s ...", 2 * SECONDS);
            let files = alone(&folder.join("files"), hubs, &body).map_err(|e| e.during(&case))?;
            let (clips, used) = relay(&folder.join("store"), hubs, &body).map_err(|e| e.during(&case))?;
            let mib = clips.operations as f64 * length as f64 / f64::from(1 << 20);
            let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
            figures.extend([
                known("rate", clips.per_second() * length as f64 / 1e6, "MB/s"),
                known("clips", clips.per_second(), "per s"),
                known("files written and synced, without the relay", files.per_second(), "per s"),
                known("clips against files", clips.per_second() / files.per_second(), "x")
                    .with_goal(Goal::AtLeast(0.7)),
                known("processor", used.cpu.as_secs_f64() * 1000.0 / mib, "ms per MiB").with_goal(Goal::AtMost(2.0)),
            ]);
        }
    }
    Ok(figures)
}

/// In memory a sync costs nothing, and nothing would be measured.
fn must_be_a_disk(folder: &Path) -> Result<(), Trouble> {
    const TMPFS: u64 = 0x0102_1994;
    let kind = rustix::fs::statfs(folder).map_err(trouble)?.f_type;
    if u64::try_from(kind) == Ok(TMPFS) {
        let folder = folder.display();
        return Err(Trouble::new(format!("{folder} is in memory; name a folder on a disk with TMPDIR")));
    }
    Ok(())
}

/// How fast it went.
#[derive(Clone, Copy, Debug)]
struct Speed {
    operations: u64,
    lasted: Duration,
}

impl Speed {
    fn per_second(self) -> f64 {
        self.operations as f64 / self.lasted.as_secs_f64()
    }
}

/// How much more is to be written.
struct Budget {
    until: Instant,
    bytes: AtomicU64,
}

impl Budget {
    fn start() -> Self {
        Self { until: Instant::now() + Duration::from_secs(SECONDS), bytes: AtomicU64::new(0) }
    }

    fn take(&self, length: usize) -> bool {
        Instant::now() < self.until && self.bytes.fetch_add(length as u64, Ordering::Relaxed) < MOST_BYTES
    }
}

/// Files, by so many threads. The folder is made and is gone afterwards.
fn alone(folder: &Path, threads: usize, body: &[u8]) -> Result<Speed, Trouble> {
    fs::create_dir_all(folder).map_err(trouble)?;
    let (budget, began) = (Budget::start(), Instant::now());
    let written: Result<u64, Trouble> = thread::scope(|scope| {
        let budget = &budget;
        let writers: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || write_files(folder, number, body, budget).map_err(trouble)))
            .collect();
        let joined = writers.into_iter().map(|writer| writer.join());
        joined.map(|done| done.unwrap_or_else(|_| Err(Trouble::new("a writer panicked")))).sum()
    });
    let speed = Speed { operations: written?, lasted: began.elapsed() };
    fs::remove_dir_all(folder).map_err(trouble)?;
    Ok(speed)
}

fn write_files(folder: &Path, thread: usize, body: &[u8], budget: &Budget) -> io::Result<u64> {
    let mut written = 0;
    while budget.take(body.len()) {
        let mut file = File::create(folder.join(format!("{thread}-{written}")))?;
        file.write_all(body)?;
        file.sync_all()?;
        written += 1;
    }
    Ok(written)
}

/// Clips, by so many hubs, and what the relay took of the processor. The folder is made and is gone afterwards.
fn relay(folder: &Path, hubs: usize, body: &Bytes) -> Result<(Speed, Used), Trouble> {
    let relay = Relay::start(folder)?;
    let runtime = runtime()?;
    let measured = runtime.block_on(async {
        let mut ready = Vec::new();
        for _ in 0..hubs {
            let mut hub = Hub::connect(&relay.target).await.map_err(trouble)?;
            // Congestion control finds its pace before anything is measured.
            hub.put(body.clone()).await.map_err(trouble)?;
            ready.push(hub);
        }
        let (budget, meter) = (Arc::new(Budget::start()), Meter::start(relay.id));
        let mut putting = JoinSet::new();
        for hub in ready {
            putting.spawn(hub.put_on(body.clone(), Arc::clone(&budget)));
        }
        let mut operations = 0;
        while let Some(put) = putting.join_next().await {
            operations += put.map_err(trouble)?.map_err(trouble)?;
        }
        let used = meter.stop()?;
        Ok::<_, Trouble>((Speed { operations, lasted: used.lasted }, used))
    })?;
    drop(relay);
    fs::remove_dir_all(folder).map_err(trouble)?;
    Ok(measured)
}

struct Hub {
    connection: Connection,
    stream: StreamId,
    next: u64,
}

impl Hub {
    async fn connect(target: &RelayTarget) -> Result<Self, Trouble> {
        let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
        let connection = connect(target, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
        Ok(Self { connection, stream: StreamId::generate(&SystemRandom), next: 0 })
    }

    /// Until the budget is used: how many.
    async fn put_on(mut self, body: Bytes, budget: Arc<Budget>) -> Result<u64, ClientError> {
        let mut operations = 0;
        while budget.take(body.len()) {
            self.put(body.clone()).await?;
            operations += 1;
        }
        Ok(operations)
    }

    /// Returns when it is durable.
    async fn put(&mut self, body: Bytes) -> Result<(), ClientError> {
        let until = self.connection.server_time().after(Duration::from_secs(3600));
        let mut writer = self.connection.put(self.stream, self.next, Retention::Keep { until }, false).await?;
        self.next += 1;
        writer.write(body).await?;
        writer.finish().await?;
        Ok(())
    }
}
