//! Relays that are one, each a process, on a PostgreSQL that was started for them alone; bodies are in a folder. Nothing of it is left
//! when this is dropped, or when the bench is killed.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use privet_demo::Trouble;
use privet_demo::house::text;
use privet_demo::process::{Process, program, run};
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_relay_client::{Principal, RelayTarget, Trust, connect};
use tokio::time::sleep;

use crate::relay::numbers::{self, Numbers};
use crate::relay::{LIMITS, PATIENCE, key, trouble};

/// How many there are.
pub const NODES: usize = 3;
/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// Until all know of all.
const KNOWN: Duration = Duration::from_secs(20);
/// A home is one node's in so many tries, or there is something wrong.
const TRIES: usize = 200;
/// Besides those of a relay that is alone.
const MORE_LIMITS: &str = "connects_per_s = 1000000
homes_per_h = 1000000
wakes_per_s = 1000000
wakes_per_h = 1000000000
log_entries = 1000000000
free_bytes = 0";

/// The nodes and what they share.
pub struct Cluster {
    /// The nodes. They go before what they use.
    pub nodes: Vec<Node>,
    /// Their PostgreSQL.
    pub postgres: Postgres,
}

/// One of them.
pub struct Node {
    process: Process,
    /// Where it is.
    pub target: RelayTarget,
    numbers: SocketAddr,
    file: PathBuf,
    config: String,
}

impl Cluster {
    /// Starts all of them in a folder that is made; they look for what has expired every so many seconds.
    pub fn start(folder: &Path, sweep_s: u64) -> Result<Self, Trouble> {
        fs::create_dir_all(folder.join("objects")).map_err(trouble)?;
        fs::write(folder.join("secret"), "s".repeat(40)).map_err(trouble)?;
        let postgres = Postgres::start(&folder.join("postgres"))?;
        let nodes = (0..NODES).map(|number| Node::start(folder, number, &postgres.reached, sweep_s));
        let nodes = nodes.collect::<Result<_, _>>()?;
        Ok(Self { nodes, postgres })
    }

    /// Waits until all know of all.
    pub async fn settle(&self) -> Result<(), Trouble> {
        let until = Instant::now() + KNOWN;
        for node in &self.nodes {
            // A page that is not there yet says no number either.
            while node.number("privet_relay_nodes").await.unwrap_or(0.0) < NODES as f64 {
                if Instant::now() > until {
                    return Err(Trouble::new(format!("the nodes do not find each other within {KNOWN:?}")));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// The processes of all nodes.
    pub fn ids(&self) -> Vec<u32> {
        self.nodes.iter().map(Node::id).collect()
    }

    /// Where the client of this number comes: to one node after the other, as names and chance would have it.
    pub fn target(&self, number: usize) -> &RelayTarget {
        &self.nodes[number % NODES].target
    }

    /// From now on they look for what has expired every so many seconds; once more as before, though.
    pub fn sweep_every(&self, seconds: u64) -> Result<(), Trouble> {
        for node in &self.nodes {
            node.write(seconds)?;
            node.process.signal("HUP");
        }
        Ok(())
    }
}

impl Node {
    fn start(folder: &Path, number: usize, database: &str, sweep_s: u64) -> Result<Self, Trouble> {
        // Others are told where it is before it runs.
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).map_err(trouble)?;
        let address = socket.local_addr().map_err(trouble)?;
        drop(socket);
        let numbers = numbers::address()?;
        let [data, objects, secret] = ["data", "objects", "secret"].map(|name| folder.join(name));
        let config = format!(
            "listen = '127.0.0.1:0'\ndata = {data:?}\n\
             [limits]\n{LIMITS}\n{MORE_LIMITS}\n\
             [storage]\nkind = 'postgres'\npostgres = {database:?}\nobjects = 'file://{}'\nnode = 'node-{number}'\n\
             [nodes]\nlisten = '{address}'\naddress = '{address}'\nsecret_file = {secret:?}\n\
             [metrics]\nlisten = '{numbers}'\n",
            objects.display(),
        );
        let file = folder.join(format!("node-{number}.toml"));
        // Written again when the limits change.
        write(&file, &config, sweep_s)?;
        let words: [&OsStr; 3] = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
        let log = folder.join(format!("node-{number}.log"));
        let mut process = Process::start(&format!("node {number}"), &program("privet-relay")?, &words, &log)?;
        let ready = process.ready(READY)?;
        let (listening, pin) = (text(&ready, "listening")?, text(&ready, "pin")?);
        let port = listening.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| Trouble::new(format!("no port in '{listening}'")))?;
        let bytes = HEXLOWER.decode(pin.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let trust = Trust::Pin(bytes.ok_or_else(|| Trouble::new(format!("'{pin}' is no pin")))?);
        let target = RelayTarget { host: "127.0.0.1".into(), port, trust };
        Ok(Self { process, target, numbers, file, config })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A home that is served here, and nobody is connected for.
    pub async fn home(&self) -> Result<HomeId, Trouble> {
        const SERVED: &str = "privet_relay_hellos_total{kind=\"owner\"}";
        for _ in 0..TRIES {
            let home = HomeId::generate(&SystemRandom);
            let before = self.number(SERVED).await?;
            let founder = Principal::Founder { home, invite: None };
            let hub = connect(&self.target, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
            hub.leave().await;
            if self.number(SERVED).await? > before {
                return Ok(home);
            }
        }
        Err(Trouble::new(format!("of {TRIES} homes none is served by one of {NODES} nodes")))
    }

    async fn number(&self, name: &str) -> Result<f64, Trouble> {
        Numbers::read(self.numbers).await?.of(name)
    }

    fn write(&self, sweep_s: u64) -> Result<(), Trouble> {
        write(&self.file, &self.config, sweep_s)
    }
}

fn write(file: &Path, config: &str, sweep_s: u64) -> Result<(), Trouble> {
    let text = config.replacen("[limits]\n", &format!("[limits]\nsweep_s = {sweep_s}\n"), 1);
    fs::write(file, text).map_err(|e| trouble(format!("{}: {e}", file.display())))
}

/// A server of its own, in a folder that is made.
pub struct Postgres {
    folder: PathBuf,
    reached: String,
    /// The process that all its others are children of.
    pub id: u32,
    /// Stops it when the bench is killed.
    _guard: Process,
}

impl Postgres {
    fn start(folder: &Path) -> Result<Self, Trouble> {
        let script = script();
        let words: [&OsStr; 2] = ["start".as_ref(), folder.as_os_str()];
        let said = run(&script, &words, READY)?.ok().map_err(|e| e.during("PostgreSQL"))?;
        // Its end of this pipe closes with the bench, however that ends.
        let kill = "trap '' HUP INT TERM; cat >/dev/null; exec \"$0\" kill \"$1\"";
        let words: [&OsStr; 4] = ["-c".as_ref(), kill.as_ref(), script.as_os_str(), folder.as_os_str()];
        let log = folder.with_extension("log");
        let guard = Process::start("PostgreSQL's guard", Path::new("/bin/sh"), &words, &log)?;
        let file = folder.join("data/postmaster.pid");
        let text = fs::read_to_string(&file).map_err(|e| trouble(format!("{}: {e}", file.display())))?;
        let id = text.lines().next().and_then(|line| line.trim().parse().ok());
        let id = id.ok_or_else(|| Trouble::new(format!("{} names no process", file.display())))?;
        Ok(Self { folder: folder.into(), reached: said.out.trim().into(), id, _guard: guard })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let words: [&OsStr; 2] = ["kill".as_ref(), self.folder.as_os_str()];
        if let Err(trouble) = run(&script(), &words, READY).and_then(|said| said.ok()) {
            eprintln!("PostgreSQL in {} does not stop: {trouble}", self.folder.display());
        }
    }
}

/// The one that the relay's tests start theirs with.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../relay/tests/postgres.sh")
}
