//! The memory of a connection on which nothing happens, with thousands of them, what they take of the processor, and how fast they came.
//!
//! The connections say the relay's hello and are kept alive as the relay's client does it, but share one socket, so that the sockets
//! of thousands of clients are not what is measured. They spread over homes, a hundred each: whoever comes is compared with those that
//! are there of the same home, of which the relay takes 128 unless it is told otherwise.
//! Every handshake is a whole one, with certificate, signature and hello.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use privet_demo::Trouble;
use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{
    ALPN, CapabilityKey, EXPORTER_LABEL, Hello, HelloAnswer, MAX_MESSAGE, Principal, Signature, VERSIONS, frame,
    hello_signing_input,
};
use quinn::{ClientConfig, Connecting, Connection, Endpoint};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{BENCH, Meter, PATIENCE, Relay, Used, key, memory_kib, peer, runtime, trouble};
use crate::figure::{Figure, Goal};

const CONNECTIONS: usize = 5_000;
const HOMES: usize = 50;
/// Handshakes under way. With more than 64 the relay asks newcomers to prove their address, which is another round trip.
const AT_ONCE: usize = 32;
/// Until nothing moves any more.
pub const SETTLE: Duration = Duration::from_secs(5);
/// Twice the time from one sign of life of a client to the next.
pub const QUIET: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    bytes_each: f64,
    /// While they came.
    used: Used,
    /// While nothing happened.
    quiet: Used,
}

/// Makes the connections and looks at the relay before and after.
pub fn measure(folder: &Path) -> Result<Measured, Trouble> {
    eprintln!("{BENCH}: {CONNECTIONS} connections: about 40 s ...");
    let relay = Relay::start(&folder.join("idle"))?;
    runtime()?.block_on(async {
        let newcomer = Newcomer::new(relay.target.port)?;
        // The first one brings code and tables into memory that all share.
        let _first = newcomer.connect(0).await?;
        sleep(SETTLE).await;
        let before_kib = memory_kib(relay.id)?;
        let meter = Meter::start(relay.id);
        let connections = newcomer.come(CONNECTIONS).await?;
        let used = meter.stop()?;
        sleep(SETTLE).await;
        let after_kib = memory_kib(relay.id)?;
        let meter = Meter::start(relay.id);
        sleep(QUIET).await;
        let quiet = meter.stop()?;
        if let Some(reason) = connections.iter().find_map(Connection::close_reason) {
            return Err(Trouble::new(format!("a connection did not stay: {reason}")));
        }
        let bytes = after_kib.saturating_sub(before_kib) as f64 * 1024.0;
        Ok(Measured { bytes_each: bytes / CONNECTIONS as f64, used, quiet })
    })
}

impl Measured {
    /// What a connection takes on which nothing happens.
    pub fn idle(&self) -> [Figure; 2] {
        let case = format!("{CONNECTIONS} idle connections");
        let processor_us = self.quiet.cpu.as_secs_f64() * 1e6 / self.quiet.lasted.as_secs_f64() / CONNECTIONS as f64;
        [
            Figure::known(BENCH, &*case, "memory each", self.bytes_each / 1000.0, "kB").with_goal(Goal::AtMost(40.0)),
            Figure::known(BENCH, &*case, "processor each", processor_us, "us per s"),
        ]
    }

    /// How fast they came.
    pub fn handshakes(&self) -> [Figure; 3] {
        let case = format!("{CONNECTIONS} handshakes, {AT_ONCE} at once");
        let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
        let count = CONNECTIONS as f64;
        [
            known("rate", count / self.used.lasted.as_secs_f64(), "per s"),
            known("processor", self.used.percent_of_a_core(), "% of a core"),
            known("processor each", self.used.cpu.as_secs_f64() * 1000.0 / count, "ms"),
        ]
    }
}

/// Makes connections by hand. Clones share the socket.
#[derive(Clone)]
pub struct Newcomer {
    endpoint: Endpoint,
    config: ClientConfig,
    port: u16,
    homes: Arc<[HomeId]>,
    key: Arc<Ed25519KeyPair>,
    public: CapabilityKey,
}

impl Newcomer {
    /// One at an address of its own, which founds homes. Must be called within a tokio runtime.
    pub fn new(port: u16) -> Result<Self, Trouble> {
        Self::of(port, HOMES)
    }

    /// The same with so many homes.
    pub fn of(port: u16, homes: usize) -> Result<Self, Trouble> {
        let seed = 1_u8;
        Ok(Self {
            endpoint: peer::endpoint(None)?,
            config: peer::client_config(ALPN)?,
            port,
            homes: (0..homes).map(|_| HomeId::generate(&SystemRandom)).collect(),
            key: Arc::new(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).map_err(trouble)?),
            public: key(seed)?.public(),
        })
    }

    /// The same with another socket.
    pub fn on(&self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self.clone() }
    }

    /// The same with another way of speaking QUIC.
    pub fn with(&self, config: ClientConfig) -> Self {
        Self { config, ..self.clone() }
    }

    /// The home that the connection of this number founds, or founded.
    pub fn home(&self, number: usize) -> HomeId {
        self.homes[number % self.homes.len()]
    }

    /// Begins a handshake.
    pub fn begin(&self) -> Result<Connecting, Trouble> {
        let address = ([127, 0, 0, 1], self.port).into();
        self.endpoint.connect_with(self.config.clone(), address, peer::NAME).map_err(trouble)
    }

    /// The connection of this number, with its hello answered.
    pub async fn connect(&self, number: usize) -> Result<Connection, Trouble> {
        timeout(PATIENCE, self.shake_hands(self.home(number))).await.map_err(trouble)?
    }

    /// So many connections, some under way at a time.
    pub async fn come(&self, count: usize) -> Result<Vec<Connection>, Trouble> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut coming = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (newcomer, next) = (self.clone(), Arc::clone(&next));
            coming.spawn(async move {
                let mut come = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok::<_, Trouble>(come);
                    }
                    come.push(newcomer.connect(number).await?);
                }
            });
        }
        let mut all = Vec::with_capacity(count);
        while let Some(come) = coming.join_next().await {
            all.extend(come.map_err(trouble)??);
        }
        Ok(all)
    }

    async fn shake_hands(&self, home: HomeId) -> Result<Connection, Trouble> {
        let connection = self.begin()?.await.map_err(trouble)?;
        let (mut send, mut receive) = connection.open_bi().await.map_err(trouble)?;
        send.write_all(&frame(&self.hello(&connection, home)?)).await.map_err(trouble)?;
        send.finish().map_err(trouble)?;
        let answer = receive.read_to_end(4 + MAX_MESSAGE).await.map_err(trouble)?;
        match cbor::decode::<HelloAnswer>(answer.get(4..).unwrap_or_default(), MAX_MESSAGE).map_err(trouble)? {
            HelloAnswer::Welcome { .. } => Ok(connection),
            HelloAnswer::Refused(refusal) => Err(Trouble::new(format!("the relay refused: {refusal}"))),
        }
    }

    /// As its home's founder: the first of them makes it.
    fn hello(&self, connection: &Connection, home: HomeId) -> Result<Hello, Trouble> {
        let principal = Principal::Founder { home, invite: None };
        let mut exporter = [0; 32];
        let exported = connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"");
        exported.map_err(|_| Trouble::new("the TLS library exports no keying material"))?;
        let input = hello_signing_input(&exporter, &principal, &self.public);
        let mut signature = [0; 64];
        signature.copy_from_slice(self.key.sign(&input).as_ref());
        Ok(Hello { versions: VERSIONS.to_vec(), principal, key: self.public, signature: Signature(signature) })
    }
}
