//! The relay as a whole. A datagram goes down one file after another: `endpoint` (strangers), `connection` (hello, rights),
//! then `log`, `inbox`, `segments`, `follow`, `mailbox`, `wake` or `capability`, all on a `home`, and from there into the storage.
//! Where many relays are one, `edge` leads to the node that serves the home, where `behalf` takes over; `moving` is for when that changes.

mod behalf;
mod budget;
mod capability;
mod connection;
mod door;
mod edge;
mod endpoint;
mod farewell;
mod follow;
mod founding;
mod growing;
mod home;
mod homes;
mod inbox;
mod keep;
mod last_hour;
mod limits;
mod lived;
mod loaded;
mod log;
mod mailbox;
mod metrics;
mod moving;
mod own_time;
mod pace;
mod pipe;
mod priority;
mod pull;
mod quota;
mod ready;
mod received;
pub(crate) mod records;
mod resting;
mod role;
mod segments;
mod stream;
mod sweep;
mod tally;
mod told;
mod upload;
mod wake;
mod wasted;
mod watched;
mod window;
mod wire;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_numbers::Endpoint as MetricsEndpoint;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::close;
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;
use privet_store::Disk;
use quinn::{Endpoint, VarInt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Drain, StorageKind};
use crate::data::{InOrder, SegmentPlace, put_in_order};
use crate::gateways::{Gateways, PushError};
use crate::identity::{Identity, IdentityError, Validity};
use crate::invites::Invites;
use crate::machine::Machine;
use crate::nodes::{Fingerprints, NodeId, Nodes, NodesError, PostgresTable, Settings};
use crate::storage::{Embedded, Shared, Storage};
use budget::Budget;
use edge::Guests;
pub(crate) use endpoint::SOCKET_BUFFER;
use founding::Founding;
use home::Home;
pub(crate) use home::scan_all;
use limits::Live;
use lived::Dates;
use loaded::Loaded;
use own_time::{Clocks, OwnTime};
use pull::Pulls;
use quota::Networks;
use resting::Resting;
use tally::Tally;
use told::told;
use wake::Carriers;
pub use wake::WakeCounts;
use watched::Watched;
pub(crate) use window::SEND_WINDOW;

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Its identity can't be read or made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its push gateways can't be set up.
    #[error("push: {0}")]
    Push(#[from] PushError),
    /// Its storage can't be used.
    #[error("storage in {directory}: {cause}")]
    Storage {
        /// The data directory.
        directory: String,
        /// What is wrong with it.
        cause: StoreError,
    },
    /// It can't be one of many.
    #[error("nodes: {0}")]
    Nodes(#[from] NodesError),
    /// Its address can't be listened on.
    #[error("listening on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: String,
    },
}

/// A running relay. Dropped, it stops at once; [`Server::shutdown`] stops it in order.
#[derive(Debug)]
pub struct Server {
    relay: Arc<Relay>,
    endpoint: Endpoint,
    address: SocketAddr,
    pin: [u8; 32],
    metrics: Option<MetricsEndpoint>,
}

pub(crate) struct Relay {
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    /// The other nodes, where there are any.
    pub(crate) nodes: Option<Arc<Nodes>>,
    pub(crate) pulls: Pulls,
    pub(crate) tasks: TaskTracker,
    /// Those of them that serve a connection.
    pub(crate) serving: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// Nobody new is let in, and what is under way is ended.
    pub(crate) draining: CancellationToken,
    pub(crate) limits: Arc<Live>,
    pub(crate) tally: Arc<Tally>,
    invites: Invites,
    founding: Founding,
    time: Arc<OwnTime>,
    budget: Arc<Budget>,
    /// Memory for requests of which not everything has come.
    half_sent: Arc<Budget>,
    /// The shares of it of homes that other nodes serve, for their clients here.
    pub(crate) guests: Guests,
    /// Memory for hellos of which not everything has come.
    hellos: Arc<Budget>,
    carriers: Arc<Carriers>,
    homes: Arc<Loaded<Home>>,
    resting: Resting,
    /// Held while a home is founded: so many there may be.
    founder: tokio::sync::Mutex<()>,
    home_count: AtomicU64,
    /// Uploads that an earlier run left, of homes that are not in memory yet.
    unfinished: Mutex<Vec<SegmentPlace>>,
    networks: Mutex<Networks>,
    handshakes: Arc<AtomicUsize>,
    validity: Mutex<Option<Validity>>,
    leaving: AtomicBool,
    drain: Mutex<Drain>,
    began: Instant,
    /// What the last look at the storage found.
    probed: tokio::sync::Mutex<Option<metrics::Probe>>,
}

/// Bytes that may have come of all requests that are not whole; one home may have a quarter of them.
const HALF_SENT: u64 = 64 << 20;
/// The same of hellos, which are nobody's so far: no home's requests keep newcomers out. Each has a share of its own, so that the longest
/// make way for a new one.
const HELLOS: u64 = 16 << 20;
/// What is of no home is looked after by the node that would serve this one.
const HOUSEKEEPING: HomeId = HomeId::from_bytes([0; 16]);
/// For how long the relay stays to send what it said last.
const LAST_PACKETS: Duration = Duration::from_millis(300);

impl Server {
    /// Starts a relay: opens its storage, puts it in order, and listens.
    ///
    /// # Errors
    /// [`ServerError`] names what can't be used.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        Self::start_on(config, Machine::this()).await
    }

    /// Starts a relay on this machine.
    ///
    /// # Errors
    /// Those of [`Server::start`].
    pub async fn start_on(config: Config, machine: Machine) -> Result<Self, ServerError> {
        let fail = |cause| ServerError::Storage { directory: place(&config), cause };
        let storage = Box::pin(open_storage(&config, Arc::clone(&machine.disk))).await.map_err(fail)?;
        let nodes = match &config.nodes {
            Some(nodes) => {
                Some(Settings::of(nodes, Arc::new(PostgresTable::open(&config.storage).map_err(NodesError::from)?))?)
            }
            None => None,
        };
        // A start is long, and happens once: nobody who waits for it carries its state.
        Box::pin(Self::start_with(config, machine, storage, nodes)).await
    }

    /// Starts a relay that keeps things in this storage; with `nodes`, as one of many that share it.
    ///
    /// # Errors
    /// Those of [`Server::start`].
    pub async fn start_with(
        config: Config,
        machine: Machine,
        storage: Arc<dyn Storage>,
        nodes: Option<Settings>,
    ) -> Result<Self, ServerError> {
        let Machine { clock: wall, boot, uptime, .. } = machine;
        let fail = |cause| ServerError::Storage { directory: place(&config), cause };
        let tally = Arc::new(Tally::default());
        let storage: Arc<dyn Storage> = Arc::new(Watched { inner: storage, tally: Arc::clone(&tally) });
        let identity = match &config.certificate {
            Some(files) => Identity::read(files)?,
            None => Identity::open(&config.data)?,
        };
        let (pin, validity) = (identity.pin(), identity.validity());
        let (push, data) = (config.push.clone(), config.data.clone());
        let gateways = tokio::task::spawn_blocking(move || Gateways::open(&push, &data))
            .await
            .map_err(|e| fail(StoreError::Io(e.to_string())))??;
        tracing::info!(gateways = ?gateways.kinds(), "phones that are not connected are woken through these");
        let InOrder { homes, unfinished } = put_in_order(&storage, &boot).await.map_err(fail)?;
        let time = OwnTime::resume(Clocks { boot, uptime, wall }, &*storage).await.map_err(fail)?;
        let time = Arc::new(time);
        let invites = match storage.node() {
            Some(_) => Invites::in_store(Arc::clone(&storage)),
            None => Invites::of(&config.data),
        };
        if let Err(error) = invites.mark_all_used(&*storage, time.wall()).await {
            tracing::warn!(%error, "the list of invites may show some as open that were used");
        }

        let endpoint = endpoint::bind(config.listen, identity)?;
        let address =
            endpoint.local_addr().map_err(|e| ServerError::Listen { address: config.listen, cause: e.to_string() })?;
        let nodes = match nodes {
            Some(settings) => {
                let push_key = *blake3::hash(gateways.secret().public().as_bytes()).as_bytes();
                // A certificate of a public authority is known by its name, and is renewed on one node after the other.
                let identity = if config.certificate.is_some() { [0; 32] } else { pin };
                Some(Nodes::open(settings, Fingerprints { identity, push_key }, address.port())?)
            }
            None => None,
        };
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let limits = Live::new(config.limits.clone());
        let carriers = Arc::new(Carriers {
            gateways,
            counts: wake::Counts::default(),
            time: Arc::clone(&time),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            limits: Arc::clone(&limits),
        });
        let relay = Arc::new(Relay {
            carriers,
            budget: Budget::new(config.limits.memory_bytes),
            half_sent: Budget::new(HALF_SENT),
            guests: Guests::default(),
            hellos: Budget::new(HELLOS),
            networks: Mutex::new(Networks::new(config.limits.connects_per_s, config.limits.network_connections)),
            homes: Arc::default(),
            resting: Resting::default(),
            founder: tokio::sync::Mutex::default(),
            unfinished: Mutex::new(unfinished),
            home_count: AtomicU64::new(homes),
            handshakes: Arc::default(),
            validity: Mutex::new(validity),
            leaving: AtomicBool::new(false),
            drain: Mutex::new(config.drain.clone()),
            began: Instant::now(),
            probed: tokio::sync::Mutex::default(),
            draining: CancellationToken::new(),
            limits,
            tally,
            tasks,
            serving: TaskTracker::new(),
            shutdown,
            storage,
            nodes,
            pulls: Pulls::default(),
            invites,
            founding: Founding::new(&SystemRandom, time.now()),
            time,
            config,
        });
        if let Some(nodes) = &relay.nodes {
            relay.tasks.spawn(behalf::run(Arc::clone(&relay), Arc::clone(nodes)));
            if let Err(error) = nodes.join().await {
                relay.shutdown.cancel();
                nodes.endpoint.close(VarInt::from_u32(close::SHUTDOWN), b"");
                return Err(NodesError::from(error).into());
            }
            relay.tasks.spawn(Arc::clone(nodes).run(relay.shutdown.clone()));
        }
        relay.tasks.spawn(moving::follow(Arc::clone(&relay)));
        relay.tasks.spawn(endpoint::run(Arc::clone(&relay), endpoint.clone()));
        relay.tasks.spawn(moving::resume_wakes(Arc::clone(&relay)));
        relay.tasks.spawn(sweep_for_ever(Arc::clone(&relay)));
        let metrics = relay.config.metrics.as_ref().map(|metrics| metrics::listen(metrics.listen, &relay));
        Ok(Self { relay, endpoint, address, pin, metrics })
    }

    /// Where it listens; with the real port when the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients pin.
    pub fn pin(&self) -> [u8; 32] {
        self.pin
    }

    /// Where its metrics are read; `None` without `[metrics]`, and while their address can't be listened at.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(MetricsEndpoint::address)
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// What became of wakes since the start.
    pub fn wakes(&self) -> WakeCounts {
        self.relay.carriers.counts.now()
    }

    /// Forgets now what has expired, and looks what is due by own time, as happens by itself every `limits.sweep_s`.
    pub async fn sweep(&self) {
        self.relay.sweep().await;
    }

    /// Takes the certificate and the limits of `config` from now on, and where it sends clients at the end. Those who are connected stay;
    /// newcomers meet the new certificate. The keys where `config` differs in what takes a restart come back. When it fails, all goes on as
    /// before.
    ///
    /// # Errors
    /// [`ServerError`] when the identity can't be used.
    pub fn reload(&mut self, config: &Config) -> Result<Vec<&'static str>, ServerError> {
        let relay = &self.relay;
        let identity = match &config.certificate {
            Some(files) => Identity::read(files)?,
            None => Identity::open(&relay.config.data)?,
        };
        let (pin, validity) = (identity.pin(), identity.validity());
        let server =
            endpoint::server_config(identity).map_err(|cause| ServerError::Listen { address: self.address, cause })?;
        self.endpoint.set_server_config(Some(server));
        self.pin = pin;
        *relay.validity() = validity;
        relay.networks().set_limits(config.limits.connects_per_s, config.limits.network_connections);
        relay.budget.set_limit(config.limits.memory_bytes);
        if relay.limits.now().retention_s != config.limits.retention_s {
            relay.resting.end_all();
        }
        relay.limits.set(config.limits.clone());
        *relay.drain() = config.drain.clone();
        Ok(relay.config.needs_restart(config))
    }

    /// Says on the page `/ready` that clients should go elsewhere, and serves on: where there are other nodes, they take the homes over,
    /// and who still comes here is led to them.
    pub fn leave(&self) {
        self.relay.leaving.store(true, Ordering::Relaxed);
        if let Some(nodes) = self.relay.nodes.clone() {
            self.relay.tasks.spawn(async move { nodes.leave().await });
        }
    }

    /// Where other nodes reach it; `None` when it is not one of many.
    pub fn node_address(&self) -> Option<SocketAddr> {
        self.relay.nodes.as_ref().map(|nodes| nodes.me.address)
    }

    /// Which of many it is; `None` when it is not one of them.
    pub fn node_id(&self) -> Option<NodeId> {
        self.relay.nodes.as_ref().map(|nodes| nodes.me.id)
    }

    /// Whether this relay serves a home; one that is alone serves all.
    pub fn serves(&self, home: HomeId) -> bool {
        self.relay.is_mine(home)
    }

    /// Stops: no newcomers, requests under way are ended, clients are told to come again, what was begun on disk is ended.
    pub async fn shutdown(self) {
        self.relay.leaving.store(true, Ordering::Relaxed);
        let patience = Duration::from_secs(5);
        if let Some(nodes) = &self.relay.nodes {
            // First, so that who is told to come again is led elsewhere.
            let _ = tokio::time::timeout(patience, nodes.leave()).await;
        }
        self.relay.draining.cancel();
        // Each connection closes itself when what was asked on it is answered.
        self.relay.serving.close();
        let _ = tokio::time::timeout(patience, self.relay.serving.wait()).await;
        self.relay.shutdown.cancel();
        self.endpoint.close(VarInt::from_u32(close::SHUTDOWN), close::words(close::SHUTDOWN).as_bytes());
        if let Some(nodes) = &self.relay.nodes {
            nodes.endpoint.close(VarInt::from_u32(close::SHUTDOWN), close::words(close::SHUTDOWN).as_bytes());
        }
        // The last packets go out. Whether they arrive is not waited for: a client that is gone would hold the relay up for three
        // of its timeouts, and one that did not hear asks the next relay, which knows nothing of it and says so.
        let _ = tokio::time::timeout(LAST_PACKETS, self.endpoint.wait_idle()).await;
        self.relay.tasks.close();
        if tokio::time::timeout(patience, self.relay.tasks.wait()).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
        self.relay.note_time().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.relay.shutdown.cancel();
        self.endpoint.close(VarInt::from_u32(close::SHUTDOWN), close::words(close::SHUTDOWN).as_bytes());
        if let Some(nodes) = &self.relay.nodes {
            nodes.endpoint.close(VarInt::from_u32(close::SHUTDOWN), close::words(close::SHUTDOWN).as_bytes());
        }
    }
}

impl Relay {
    /// Own time.
    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// The time of day.
    pub(crate) fn wall(&self) -> Timestamp {
        self.time.wall()
    }

    /// Whether it is about to end.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// For a client that comes now.
    pub(crate) fn dates(&self) -> Dates {
        self.time.dates()
    }

    fn validity(&self) -> MutexGuard<'_, Option<Validity>> {
        self.validity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn networks(&self) -> MutexGuard<'_, Networks> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handshakes under way, and those that wait for their turn.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Counts as a handshake under way until dropped.
    pub(crate) fn handshake(&self) -> Handshake {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        Handshake(Arc::clone(&self.handshakes))
    }

    async fn sweep(self: &Arc<Self>) {
        self.note_time().await;
        let now = self.now();
        for home in self.homes.all() {
            // It was read when the nodes changed.
            if !self.is_mine(home.id) {
                self.let_go(&home);
            }
        }
        // Homes that nobody visits expire too: each is read when something of it does.
        let (mut ids, mut count) = (Vec::new(), 0);
        let scanned = scan_all(&*self.storage, b"h/".to_vec(), |(key, _)| {
            let id = HomeId::from_bytes(records::id_at(&key, 2)?);
            count += 1;
            // Those of other nodes are swept there.
            if self.is_mine(id) {
                ids.push(id);
            }
            Ok(())
        })
        .await;
        if let Err(error) = scanned {
            tracing::error!(error = told(&error), "what has expired can't be looked for");
            return;
        }
        if self.nodes.is_some() {
            self.home_count.store(count, Ordering::Relaxed);
        }
        for id in ids {
            if self.shutdown.is_cancelled() {
                return;
            }
            if !self.is_mine(id) || self.resting.rests(id, now) {
                continue;
            }
            let known = self.homes.is_known(id);
            let swept = match self.home(id).await {
                Ok(Some(home)) => {
                    if !known {
                        home.note_no_use();
                    }
                    let woken = wake::sweep(&home, now).await;
                    let swept = sweep::home(&home, now).await.and(woken);
                    self.let_rest(home, now).await;
                    swept
                }
                Ok(None) => Ok(()),
                Err(failure) => Err(failure),
            };
            if swept.is_err() && self.is_mine(id) {
                tracing::error!("a home can't be rid of what has expired");
            }
        }
        if self.is_mine(HOUSEKEEPING)
            && let Err(error) = sweep::mailboxes(&*self.storage, now).await
        {
            tracing::error!(error = told(&error), "mailboxes can't be rid of what has expired");
        }
        self.carriers.counts.tell();
    }

    async fn note_time(&self) {
        if let Err(error) = self.time.note(&*self.storage).await {
            tracing::error!(error = told(&error), "how much time has passed can't be written down");
        }
    }
}

/// Where this configuration keeps things, for errors.
fn place(config: &Config) -> String {
    match config.storage.kind {
        StorageKind::Embedded => config.data.display().to_string(),
        StorageKind::Postgres => "PostgreSQL".into(),
    }
}

async fn open_storage(config: &Config, disk: Arc<dyn Disk>) -> Result<Arc<dyn Storage>, StoreError> {
    if config.storage.kind == StorageKind::Postgres {
        return Ok(Arc::new(Shared::open(&config.storage).await?));
    }
    let (data, free_bytes) = (config.data.clone(), config.limits.free_bytes);
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&disk, &data, free_bytes)).await;
    Ok(Arc::new(opened.map_err(|e| StoreError::Io(e.to_string()))??))
}

async fn sweep_for_ever(relay: Arc<Relay>) {
    loop {
        let every = Duration::from_secs(relay.limits.now().sweep_s);
        tokio::select! {
            () = relay.shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => relay.sweep().await,
        }
    }
}

pub(crate) struct Handshake(Arc<AtomicUsize>);

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("config", &self.config).finish_non_exhaustive()
    }
}
