//! What is durable only when PostgreSQL says so: log entries, wakes and clips, from clients that come to one node after the other.

use std::fs;
use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use privet_protocol::id::HomeId;
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::relay::Urgency;
use privet_relay_client::{CapabilityKey, Connection, LogItem, LogReader, Principal, RelayTarget, Rights, connect};

use super::cluster::{Cluster, NODES};
use crate::figure::Figure;
use crate::relay::rounds::{self, Client, Hub, SECONDS, Speed};
use crate::relay::store::{SIZES, clip};
use crate::relay::{BENCH, Meter, PATIENCE, Used, key, runtime, trouble};

/// Homes at the same time.
const HOMES: usize = 64;
/// Bytes of a log entry, and of a wake's payload.
const ENTRY: usize = 256;
/// Nothing has to be swept meanwhile.
const SWEEP_S: u64 = 86_400;

/// All figures of it.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    let case = format!("{NODES} nodes, log entries of {HOMES} hubs");
    let mut figures = measure(folder, &case, 0, Writer::connect)?.figures(&case).to_vec();
    let case = format!("{NODES} nodes, wakes of {HOMES} phones, each taken and acknowledged");
    figures.extend(measure(folder, &case, 0, Waker::connect)?.figures(&case));
    for (size, length) in SIZES {
        let case = format!("{NODES} nodes, clips of {size} from {HOMES} hubs");
        let body = clip(length);
        let connect = async |cluster: &Cluster, number| Hub::connect(cluster.target(number), body.clone()).await;
        let taken = measure(folder, &case, length, connect)?;
        figures.extend(taken.figures(&case));
        figures.extend(taken.of_clips(&case, length));
    }
    Ok(figures)
}

/// How fast it went, and what both sides took of the processor.
struct Taken {
    speed: Speed,
    nodes: Used,
    postgres: Used,
}

impl Taken {
    fn figures(&self, case: &str) -> [Figure; 3] {
        let known = |metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
        let us_each = |used: Used| used.cpu.as_secs_f64() * 1e6 / self.speed.rounds as f64;
        [
            known("rate", self.speed.per_second(), "per s"),
            known("processor of the nodes for each", us_each(self.nodes), "us"),
            known("processor of PostgreSQL for each", us_each(self.postgres), "us"),
        ]
    }

    fn of_clips(&self, case: &str, length: usize) -> [Figure; 2] {
        let known = |metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
        let mib = self.speed.rounds as f64 * length as f64 / f64::from(1 << 20);
        [
            known("bytes", self.speed.per_second() * length as f64 / 1e6, "MB/s"),
            known("processor of the nodes", self.nodes.cpu.as_secs_f64() * 1000.0 / mib, "ms per MiB"),
        ]
    }
}

/// Everything anew for each, so that none has what another left.
fn measure<C: Client>(
    folder: &Path,
    case: &str,
    bytes: usize,
    connect: impl AsyncFn(&Cluster, usize) -> Result<C, Trouble>,
) -> Result<Taken, Trouble> {
    eprintln!("{BENCH}: {case}: about {} s ...", SECONDS + 8);
    let folder = folder.join("commits");
    let cluster = Cluster::start(&folder, SWEEP_S).map_err(|e| e.during(case))?;
    let taken = runtime()?.block_on(async {
        cluster.settle().await?;
        let mut clients = Vec::new();
        for number in 0..HOMES {
            clients.push(connect(&cluster, number).await?);
        }
        let start = || (Meter::all(&cluster.ids()), Meter::start(cluster.postgres.id));
        let (speed, (nodes, postgres)) = rounds::all(clients, bytes, start).await?;
        Ok::<_, Trouble>(Taken { speed, nodes: nodes.stop()?, postgres: postgres.stop()? })
    });
    drop(cluster);
    fs::remove_dir_all(&folder).map_err(trouble)?;
    taken.map_err(|e| e.during(case))
}

async fn owner(target: &RelayTarget, home: HomeId) -> Result<Connection, Trouble> {
    let founder = Principal::Founder { home, invite: None };
    connect(target, founder, &key(1)?, PATIENCE).await.map_err(trouble)
}

/// A hub that appends to its log.
struct Writer {
    hub: Connection,
    head: u64,
}

impl Writer {
    async fn connect(cluster: &Cluster, number: usize) -> Result<Self, Trouble> {
        let hub = owner(cluster.target(number), HomeId::generate(&SystemRandom)).await?;
        Ok(Self { hub, head: 0 })
    }
}

impl Client for Writer {
    async fn round(&mut self) -> Result<(), Trouble> {
        self.head = self.hub.append(self.head + 1, vec![0x55; ENTRY]).await.map_err(trouble)?;
        Ok(())
    }
}

/// A hub that wakes its phone, and the phone, which is connected to another node.
struct Waker {
    hub: Connection,
    phone: Connection,
    key: CapabilityKey,
    wakes: LogReader,
}

impl Waker {
    async fn connect(cluster: &Cluster, number: usize) -> Result<Self, Trouble> {
        let (home, phone) = (HomeId::generate(&SystemRandom), key(2)?);
        let hub = owner(cluster.target(number), home).await?;
        hub.grant(phone.public(), Rights::PHONE).await.map_err(trouble)?;
        let (member, key) = (Principal::Member { home }, phone.public());
        let phone = connect(cluster.target(number + 1), member, &phone, PATIENCE).await.map_err(trouble)?;
        let wakes = phone.read_wakes(1, true).await.map_err(trouble)?;
        Ok(Self { hub, phone, key, wakes })
    }
}

impl Client for Waker {
    async fn round(&mut self) -> Result<(), Trouble> {
        let mut id = [0; 16];
        SystemRandom.fill(&mut id);
        let until = self.hub.server_time().after(Duration::from_secs(3600));
        let woken = self.hub.wake(self.key, id, vec![0x55; ENTRY], Urgency::High, until);
        woken.await.map_err(trouble)?;
        loop {
            match self.wakes.next().await.map_err(trouble)? {
                Some(LogItem::Entry { seq, .. }) => return self.phone.ack_wakes(seq).await.map_err(trouble),
                Some(LogItem::CaughtUp { .. }) => {}
                None => return Err(Trouble::new("the relay tells a phone of no more wakes")),
            }
        }
    }
}
