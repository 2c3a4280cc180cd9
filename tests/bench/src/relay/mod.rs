//! `bench relay`: what the relay makes of a machine, beside what the machine gives without it.
//!
//! - [`fanout`]: one stream to many followers, beside a [`trivial`] fan-out that does nothing else;
//! - [`store`]: clips made durable, beside a bare QUIC [`receiver`], and beside writing and syncing files of the same size;
//! - [`idle`]: the memory of a connection on which nothing happens, and how fast connections come;
//! - [`nodes`]: what many relays that are one take for what goes between them and their PostgreSQL.
//!
//! The relay is a process of its own, and only it is measured. Clients run in the bench and share the processor with it, so that
//! rates are those of a machine that does both; what the relay takes of the processor is counted for it alone.

mod bare;
pub mod fanout;
pub mod idle;
mod nodes;
pub mod numbers;
pub mod peer;
pub mod receiver;
pub mod records;
mod rounds;
mod store;
pub mod trivial;

use std::fmt::Display;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use privet_demo::Trouble;
use privet_demo::house::{House, Plan};
use privet_demo::process::{Process, cpu, pss_kib};
use privet_relay_client::{ClientKey, RelayTarget, Trust};
use quinn::{Runtime as _, TokioRuntime};
use tokio::runtime::{Builder, Runtime};

use crate::figure::{Figure, Goal};
use crate::folder;

const BENCH: &str = "relay";
const PARTS: [&str; 5] = ["fanout", "store", "idle", "handshakes", "nodes"];
/// For a handshake on a machine that is busy with others.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// What is measured is what the machine carries: none of these is to be reached. `connects_per_s` stands at 1000 in every house,
/// with ten times as many at once.
const LIMITS: &str = "stored_bytes = 1099511627776
memory_bytes = 1073741824
connections = 20000
network_connections = 20000
home_connections = 10000
key_connections = 10000
requests_per_s = 1000000
followers = 10000
received_bytes_per_s = 4000000000
sent_bytes_per_s = 4000000000";

/// All figures of this benchmark; those of one part, if its name contains `only`: fanout, store, idle, handshakes, nodes.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run(only: Option<&str>) -> Result<Vec<Figure>, Trouble> {
    let wanted = |part: &str| only.is_none_or(|only| part.contains(only));
    if !PARTS.into_iter().any(wanted) {
        return Err(Trouble::new(format!("there is no such part; there are: {}", PARTS.join(", "))));
    }
    let folder = folder(BENCH)?;
    let mut figures = udp()?.to_vec();
    if wanted("fanout") {
        figures.extend(fanout::run(&folder)?);
    }
    if wanted("store") {
        figures.extend(store::run(&folder)?);
    }
    // Connections that come are measured while those are made that are idle afterwards.
    let (idle, handshakes) = (wanted("idle"), wanted("handshakes"));
    if idle || handshakes {
        let measured = idle::measure(&folder)?;
        figures.extend(idle.then(|| measured.idle()).into_iter().flatten());
        figures.extend(handshakes.then(|| measured.handshakes()).into_iter().flatten());
    }
    if wanted("nodes") {
        figures.extend(nodes::run(&folder)?);
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(figures)
}

/// What the kernel gives the sockets of all: packets that go out together are most of what QUIC's speed is, so a kernel without them is
/// told from a relay that is slow.
fn udp() -> Result<[Figure; 2], Trouble> {
    let known = |metric, value: usize, unit| Figure::known(BENCH, "UDP of this kernel", metric, value as f64, unit);
    let socket = peer::socket(Ipv4Addr::LOCALHOST)?;
    let room = rustix::net::sockopt::socket_recv_buffer_size(&socket).map_err(trouble)?;
    let together = runtime()?.block_on(async {
        let wrapped = TokioRuntime.wrap_udp_socket(socket).map_err(trouble)?;
        Ok::<_, Trouble>(wrapped.max_transmit_segments())
    })?;
    Ok([
        known("packets that go out together, at most", together, "").with_goal(Goal::AtLeast(2.0)),
        known("room for what comes in, as the kernel counts it", room / 1024, "KiB"),
    ])
}

/// A relay process with an empty store. It ends when this is dropped.
pub struct Relay {
    _house: House,
    /// Its process id.
    pub id: u32,
    /// Where it is.
    pub target: RelayTarget,
}

impl Relay {
    fn start(folder: &Path) -> Result<Self, Trouble> {
        Self::start_with(folder, LIMITS)
    }

    /// Starts one with these lines in `[limits]`.
    pub fn start_with(folder: &Path, limits: &str) -> Result<Self, Trouble> {
        let mut house = House::build(folder, Plan { relay_limits: limits.into(), ..Plan::default() })?;
        let at = house.start_relay()?;
        let id = house.relay.as_ref().map(Process::id).ok_or_else(|| Trouble::new("the relay does not run"))?;
        let pin = HEXLOWER.decode(at.pin.as_bytes()).ok().and_then(|pin| pin.try_into().ok());
        let pin = pin.ok_or_else(|| Trouble::new(format!("'{}' is no pin", at.pin)))?;
        let target = RelayTarget { host: "127.0.0.1".into(), port: at.port, trust: Trust::Pin(pin) };
        Ok(Self { _house: house, id, target })
    }
}

/// Watches what processes take of the processor.
pub struct Meter {
    ids: Vec<u32>,
    before: Duration,
    since: Instant,
}

/// What they took.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Time of processors, of all cores together.
    pub cpu: Duration,
    /// Time that passed.
    pub lasted: Duration,
}

impl Meter {
    /// Of one process, from now on.
    pub fn start(id: u32) -> Self {
        Self::all(&[id])
    }

    /// Of these together.
    pub fn all(ids: &[u32]) -> Self {
        Self { ids: ids.to_vec(), before: spent(ids), since: Instant::now() }
    }

    /// Up to now. A process that is gone, or of which the kernel says nothing, is trouble: nothing would pass for little.
    pub fn stop(self) -> Result<Used, Trouble> {
        let (now, lasted) = (spent(&self.ids), self.since.elapsed());
        let gone = self.ids.iter().find(|id| cpu(**id).is_zero());
        if let Some(id) = gone {
            return Err(Trouble::new(format!("what process {id} takes of the processor can't be seen: has it ended?")));
        }
        Ok(Used { cpu: now.saturating_sub(self.before), lasted })
    }
}

/// What these processes and their children took so far, those of the children that have ended too.
fn spent(ids: &[u32]) -> Duration {
    ids.iter().map(|id| cpu(*id) + ended_children(*id)).sum()
}

fn ended_children(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Fields 16 and 17 of proc(5), in hundredths of a second.
    let ticks: u64 = [13, 14].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

impl Used {
    /// As a share of one core.
    pub fn percent_of_a_core(self) -> f64 {
        self.cpu.as_secs_f64() * 100.0 / self.lasted.as_secs_f64()
    }
}

/// The memory (PSS) of a process, in KiB. None at all is trouble, as in [`Meter::stop`].
pub fn memory_kib(id: u32) -> Result<u64, Trouble> {
    match pss_kib(id)? {
        0 => Err(Trouble::new(format!("the memory of process {id} can't be seen: has it ended?"))),
        kib => Ok(kib),
    }
}

/// What clients run on.
pub fn runtime() -> Result<Runtime, Trouble> {
    Builder::new_multi_thread().enable_all().build().map_err(trouble)
}

/// The key of this seed.
pub fn key(seed: u8) -> Result<ClientKey, Trouble> {
    ClientKey::from_seed(&[seed; 32]).map_err(trouble)
}

/// What went wrong, in its own words.
pub fn trouble(error: impl Display) -> Trouble {
    Trouble::new(error.to_string())
}
