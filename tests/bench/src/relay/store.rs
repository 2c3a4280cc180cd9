//! Clips made durable as fast as hubs can put them, beside two limits in the same folder, in the same run: files of the same size that are
//! written and synced by as many threads, which is what the disk gives; and a bare QUIC [`receiver`] that as many hubs send
//! the same clips to, which is what is left of it behind the transport, and what of that when a clip must outlive a power cut.
//!
//! Each hub is a home with a connection of its own and has one clip on its way, as a hub does; the next goes when the relay has
//! answered that the last one is on the disk. Hubs and server share the processor, the threads that write files have it alone.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use privet_demo::Trouble;
use privet_protocol::random::{Random as _, SystemRandom};

use super::receiver::Keeping;
use super::rounds::{self, Budget, Hub, SECONDS, Speed};
use super::{BENCH, Meter, Relay, Used, receiver, runtime, trouble};
use crate::figure::{Figure, Goal};

const HUBS: [usize; 3] = [1, 8, 64];
/// Of clips.
pub const SIZES: [(&str, usize); 2] = [("5 MiB", 5 << 20), ("64 KiB", 64 << 10)];

/// All figures of this part.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    must_be_a_disk(folder)?;
    let mut figures = Vec::new();
    for (size, length) in SIZES {
        let body = clip(length);
        for hubs in HUBS {
            let plural = if hubs == 1 { "" } else { "s" };
            let case = format!("clips of {size} from {hubs} hub{plural}");
            eprintln!("{BENCH}: {case}: at most {} s ...", 4 * SECONDS);
            let files = alone(&folder.join("files"), hubs, &body).map_err(|e| e.during(&case))?;
            let transport = bare(&folder.join("bare"), Keeping::Files, hubs, &body).map_err(|e| e.during(&case))?;
            let durable = bare(&folder.join("durable"), Keeping::Durable, hubs, &body).map_err(|e| e.during(&case))?;
            let relay = relay(&folder.join("store"), hubs, &body).map_err(|e| e.during(&case))?;
            let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
            figures.extend([
                known("rate", relay.megabytes_per_second(length), "MB/s"),
                known("clips", relay.speed.per_second(), "per s"),
                known("files written and synced, without the relay", files.per_second(), "per s"),
                known("clips against files", relay.speed.per_second() / files.per_second(), "x")
                    .with_goal(Goal::AtLeast(0.7)),
                known("processor", relay.ms_per_mib(length), "ms per MiB").with_goal(Goal::AtMost(2.0)),
                known("a bare QUIC receiver: rate", transport.megabytes_per_second(length), "MB/s"),
                known("a bare QUIC receiver: clips", transport.speed.per_second(), "per s"),
                known("a bare QUIC receiver: processor", transport.ms_per_mib(length), "ms per MiB"),
                known(
                    "a bare QUIC receiver: clips against files",
                    transport.speed.per_second() / files.per_second(),
                    "x",
                ),
                known("a bare QUIC receiver, durable: clips", durable.speed.per_second(), "per s"),
                known("a bare QUIC receiver, durable: processor", durable.ms_per_mib(length), "ms per MiB"),
                known(
                    "a bare QUIC receiver, durable: clips against files",
                    durable.speed.per_second() / files.per_second(),
                    "x",
                ),
                known(
                    "clips against a bare QUIC receiver",
                    relay.speed.per_second() / transport.speed.per_second(),
                    "x",
                ),
                known(
                    "clips against a bare QUIC receiver, durable",
                    relay.speed.per_second() / durable.speed.per_second(),
                    "x",
                ),
                known(
                    "processor against a bare QUIC receiver",
                    relay.ms_per_mib(length) / transport.ms_per_mib(length),
                    "x",
                ),
            ]);
        }
    }
    Ok(figures)
}

/// A clip of so many bytes.
pub fn clip(length: usize) -> Bytes {
    let mut body = vec![0_u8; length];
    SystemRandom.fill(&mut body);
    body.into()
}

/// In memory a sync costs nothing, and nothing would be measured.
pub fn must_be_a_disk(folder: &Path) -> Result<(), Trouble> {
    // tmpfs and ramfs.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let kind = rustix::fs::statfs(folder).map_err(trouble)?.f_type;
    if u64::try_from(kind).is_ok_and(|kind| IN_MEMORY.contains(&kind)) {
        let folder = folder.display();
        return Err(Trouble::new(format!("{folder} is in memory; name a folder on a disk with TMPDIR")));
    }
    Ok(())
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
    let speed = Speed { rounds: written?, lasted: began.elapsed() };
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

/// How fast clips went, and what their server took of the processor.
#[derive(Clone, Copy, Debug)]
struct Taken {
    speed: Speed,
    used: Used,
}

impl Taken {
    fn megabytes_per_second(self, length: usize) -> f64 {
        self.speed.per_second() * length as f64 / 1e6
    }

    fn ms_per_mib(self, length: usize) -> f64 {
        let mib = self.speed.rounds as f64 * length as f64 / f64::from(1 << 20);
        self.used.cpu.as_secs_f64() * 1000.0 / mib
    }
}

/// The relay, with so many hubs. The folder is made and is gone afterwards.
fn relay(folder: &Path, hubs: usize, clip: &Bytes) -> Result<Taken, Trouble> {
    let relay = Relay::start(folder)?;
    let taken = runtime()?.block_on(async {
        let mut ready = Vec::new();
        for _ in 0..hubs {
            ready.push(Hub::connect(&relay.target, clip.clone()).await?);
        }
        let (speed, meter) = rounds::all(ready, clip.len(), || Meter::start(relay.id)).await?;
        Ok::<_, Trouble>(Taken { speed, used: meter.stop()? })
    })?;
    drop(relay);
    fs::remove_dir_all(folder).map_err(trouble)?;
    Ok(taken)
}

/// The same with a bare receiver.
fn bare(folder: &Path, keeping: Keeping, hubs: usize, clip: &Bytes) -> Result<Taken, Trouble> {
    let receiver = receiver::start(folder, keeping)?;
    let taken = runtime()?.block_on(async {
        let mut ready = Vec::new();
        for _ in 0..hubs {
            ready.push(receiver::Hub::connect(receiver.port(), clip.clone()).await?);
        }
        let (speed, meter) = rounds::all(ready, clip.len(), || Meter::start(receiver.id())).await?;
        Ok::<_, Trouble>(Taken { speed, used: meter.stop()? })
    })?;
    drop(receiver);
    fs::remove_dir_all(folder).map_err(trouble)?;
    Ok(taken)
}
