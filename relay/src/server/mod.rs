//! The relay as a whole. A datagram goes down one file after another: `endpoint` (strangers), `connection` (hello, rights),
//! then `log`, `inbox`, `segments`, `follow`, `mailbox`, `wake` or `capability`, all on a `home`, and from there into the storage.

mod capability;
mod connection;
mod endpoint;
mod follow;
mod growing;
mod home;
mod inbox;
mod last_hour;
mod limits;
mod lived;
mod log;
mod mailbox;
mod metrics;
mod own_time;
mod pace;
mod priority;
mod quota;
mod ready;
mod received;
pub(crate) mod records;
mod segments;
mod stream;
mod sweep;
mod tally;
mod told;
mod wake;
mod watched;
mod wire;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_numbers::Endpoint as MetricsEndpoint;
use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{CapabilityKey, Code, close};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use quinn::{Endpoint, VarInt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Policy};
use crate::data::{InOrder, SegmentPlace, put_in_order};
use crate::gateways::{Gateways, PushError};
use crate::identity::{Identity, IdentityError, Validity};
use crate::invites::{InviteError, InviteState, Invites};
use crate::machine::Machine;
use crate::storage::{Embedded, Storage};
pub(crate) use endpoint::SOCKET_BUFFER;
use growing::Budget;
use home::Home;
pub(crate) use home::scan_all;
use limits::Live;
use lived::Dates;
use own_time::{Clocks, OwnTime};
use quota::Networks;
use records::{HomeRecord, Span, decode, home_key, invite_key};
use tally::Tally;
use told::told;
use wake::Carriers;
pub use wake::WakeCounts;
use watched::Watched;
use wire::Failure;

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
    pub(crate) tasks: TaskTracker,
    /// Those of them that serve a connection.
    pub(crate) serving: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// Nobody new is let in, and what is under way is ended.
    pub(crate) draining: CancellationToken,
    pub(crate) limits: Arc<Live>,
    pub(crate) tally: Arc<Tally>,
    invites: Invites,
    time: Arc<OwnTime>,
    budget: Arc<Budget>,
    carriers: Arc<Carriers>,
    homes: tokio::sync::Mutex<HashMap<HomeId, Arc<Home>>>,
    home_count: AtomicU64,
    /// Uploads that an earlier run left, of homes that are not in memory yet.
    unfinished: Mutex<Vec<SegmentPlace>>,
    networks: Mutex<Networks>,
    handshakes: Arc<AtomicUsize>,
    validity: Mutex<Option<Validity>>,
    leaving: AtomicBool,
    began: Instant,
    /// What the last look at the storage found.
    probed: tokio::sync::Mutex<Option<metrics::Probe>>,
}

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
        let Machine { clock: wall, disk, boot, uptime } = machine;
        let fail = |cause| ServerError::Storage { directory: config.data.display().to_string(), cause };
        let (data, free_bytes) = (config.data.clone(), config.limits.free_bytes);
        let storage: Arc<dyn Storage> = tokio::task::spawn_blocking(move || Embedded::open(&disk, &data, free_bytes))
            .await
            .map_err(|e| fail(StoreError::Io(e.to_string())))
            .and_then(|opened| opened.map_err(fail))
            .map(Arc::new)?;
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
        let invites = Invites::of(&config.data);
        if let Err(error) = note_used(&invites, &*storage, time.wall()).await {
            tracing::warn!(%error, "the list of invites may show some as open that were used");
        }

        let endpoint = endpoint::bind(config.listen, identity)?;
        let address =
            endpoint.local_addr().map_err(|e| ServerError::Listen { address: config.listen, cause: e.to_string() })?;
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
            networks: Mutex::new(Networks::new(config.limits.connects_per_s)),
            homes: tokio::sync::Mutex::default(),
            unfinished: Mutex::new(unfinished),
            home_count: AtomicU64::new(homes),
            handshakes: Arc::default(),
            validity: Mutex::new(validity),
            leaving: AtomicBool::new(false),
            began: Instant::now(),
            probed: tokio::sync::Mutex::default(),
            draining: CancellationToken::new(),
            limits,
            tally,
            tasks,
            serving: TaskTracker::new(),
            shutdown,
            storage,
            invites,
            time,
            config,
        });
        relay.tasks.spawn(endpoint::run(Arc::clone(&relay), endpoint.clone()));
        relay.tasks.spawn(resume_wakes(Arc::clone(&relay)));
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

    /// Takes the certificate and the limits of `config` from now on. Those who are connected stay; newcomers meet the new certificate.
    /// The keys where `config` differs in what takes a restart come back. When it fails, all goes on as before.
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
        relay.networks().set_rate(config.limits.connects_per_s);
        relay.budget.set_limit(config.limits.memory_bytes);
        relay.limits.set(config.limits.clone());
        Ok(relay.config.needs_restart(config))
    }

    /// Says on the page `/ready` that clients should go elsewhere, and serves on.
    pub fn leave(&self) {
        self.relay.leaving.store(true, Ordering::Relaxed);
    }

    /// Stops: no newcomers, requests under way are ended, clients are told to come again, what was begun on disk is ended.
    pub async fn shutdown(self) {
        self.leave();
        self.relay.draining.cancel();
        let patience = Duration::from_secs(5);
        // Each connection closes itself when what was asked on it is answered.
        self.relay.serving.close();
        let _ = tokio::time::timeout(patience, self.relay.serving.wait()).await;
        self.relay.shutdown.cancel();
        self.endpoint.close(VarInt::from_u32(close::SHUTDOWN), close::words(close::SHUTDOWN).as_bytes());
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

    /// Handshakes under way.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Counts as a handshake under way until dropped.
    pub(crate) fn handshake(&self) -> Handshake {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        Handshake(Arc::clone(&self.handshakes))
    }

    /// A home that exists, in memory from now on.
    pub(crate) async fn home(&self, id: HomeId) -> Result<Option<Arc<Home>>, Failure> {
        let mut homes = self.homes.lock().await;
        self.home_locked(&mut homes, id).await
    }

    async fn home_locked(
        &self,
        homes: &mut HashMap<HomeId, Arc<Home>>,
        id: HomeId,
    ) -> Result<Option<Arc<Home>>, Failure> {
        if let Some(home) = homes.get(&id) {
            return Ok(Some(Arc::clone(home)));
        }
        let Some(record) = self.storage.get(home_key(id)).await? else { return Ok(None) };
        let home = self.load(id, decode(&record)?).await?;
        homes.insert(id, Arc::clone(&home));
        Ok(Some(home))
    }

    async fn load(&self, id: HomeId, record: HomeRecord) -> Result<Arc<Home>, Failure> {
        let storage = Arc::clone(&self.storage);
        let (limits, tally) = (Arc::clone(&self.limits), Arc::clone(&self.tally));
        let (budget, carriers) = (self.budget.share(), Arc::clone(&self.carriers));
        let home = Home::load(id, record, storage, limits, tally, budget, carriers).await?;
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.extract_if(.., |place| place.home == id).for_each(|place| home.take_in(place));
        drop(unfinished);
        wake::resume(&home);
        Ok(home)
    }

    /// The home, for its owner or one of its members. Homes that are not there answer like homes of others, and neither is
    /// read into memory for a stranger.
    pub(crate) async fn home_of(&self, id: HomeId, key: &CapabilityKey) -> Result<Arc<Home>, Failure> {
        let record = self.storage.get(home_key(id)).await?;
        let granted = self.storage.get(records::grant_key(id, key)).await?.is_some();
        let record: HomeRecord = decode(&record.ok_or_else(Failure::denied)?)?;
        if !granted && record.owner != *key {
            return Err(Failure::denied());
        }
        self.home(id).await?.ok_or_else(Failure::denied)
    }

    /// The home for its owner, created now if there is none and the operator allows it.
    pub(crate) async fn found(
        &self,
        id: HomeId,
        owner: CapabilityKey,
        invite: Option<String>,
    ) -> Result<Arc<Home>, Failure> {
        if self.storage.get(home_key(id)).await?.is_some() {
            let home = self.home_of(id, &owner).await?;
            return if home.owner == owner { Ok(home) } else { Err(Failure::denied()) };
        }
        let mut homes = self.homes.lock().await;
        if let Some(home) = self.home_locked(&mut homes, id).await? {
            return if home.owner == owner { Ok(home) } else { Err(Failure::denied()) };
        }
        let mut batch = Batch::new();
        let mut used = None;
        if self.config.homes.policy == Policy::Invite {
            let invite = self.admit(invite).await?;
            batch.put(invite_key(&invite), id.as_bytes().to_vec());
            used = Some(invite);
        }
        if self.home_count.load(Ordering::Relaxed) >= self.config.homes.most {
            return Err(connection::over_limit("homes"));
        }
        let record = HomeRecord { owner, created: self.now(), log: Span::EMPTY, inbox: Span::EMPTY };
        batch.put(home_key(id), cbor::encode(&record));
        self.storage.commit(batch).await?;
        self.home_count.fetch_add(1, Ordering::Relaxed);
        if let Some(invite) = used {
            self.note_used(invite).await;
        }
        let home = self.load(id, record).await?;
        homes.insert(id, Arc::clone(&home));
        tracing::info!(homes = self.home_count.load(Ordering::Relaxed), "a home was created");
        Ok(home)
    }

    /// The hash of an invite that lets one more home in.
    async fn admit(&self, words: Option<String>) -> Result<[u8; 32], Failure> {
        let refuse = |text| Err(Failure::refuse(Code::Denied, text));
        let unknown = "this relay takes new homes by invite; ask its operator for one";
        let Some(words) = words else { return refuse(unknown) };
        let hash = *blake3::hash(words.as_bytes()).as_bytes();
        // In the configuration or made by the command, used is used.
        let there = self.storage.get(invite_key(&hash)).await?.is_some();
        let configured = self.config.homes.invites.contains(&words);
        let (invites, now) = (self.invites.clone(), self.wall());
        let made = match tokio::task::spawn_blocking(move || invites.state(&words, now)).await {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => return Err(StoreError::Io(error.to_string()).into()),
            Err(error) => return Err(StoreError::Io(error.to_string()).into()),
        };
        match made {
            _ if there && (configured || made.is_some()) => {
                self.note_used(hash).await;
                refuse("this invite was used already; ask for another one")
            }
            _ if configured => Ok(hash),
            Some(InviteState::Open) => Ok(hash),
            Some(InviteState::Used) => refuse("this invite was used already; ask for another one"),
            Some(InviteState::Ended) => refuse("this invite has ended; ask for another one"),
            None => refuse(unknown),
        }
    }

    /// Notes for the operator's list that an invite was used; the index knows it in any case.
    async fn note_used(&self, invite: [u8; 32]) {
        let (invites, now) = (self.invites.clone(), self.wall());
        let noted = tokio::task::spawn_blocking(move || invites.mark_used(&invite, now)).await;
        if let Ok(Err(error)) = noted {
            tracing::warn!(%error, "the list of invites shows a used one as open until the next start");
        }
    }

    async fn sweep(&self) {
        self.note_time().await;
        let now = self.now();
        // Homes that nobody visits expire too: each is read when its turn comes.
        let mut ids = Vec::new();
        let scanned = scan_all(&*self.storage, b"h/".to_vec(), |(key, _)| {
            ids.push(HomeId::from_bytes(records::id_at(&key, 2)?));
            Ok(())
        })
        .await;
        if let Err(error) = scanned {
            tracing::error!(error = told(&error), "what has expired can't be looked for");
            return;
        }
        for id in ids {
            if self.shutdown.is_cancelled() {
                return;
            }
            let swept = match self.home(id).await {
                Ok(Some(home)) => match wake::sweep(&home, now).await {
                    Ok(()) => sweep::home(&home, now).await,
                    Err(failure) => Err(failure),
                },
                Ok(None) => Ok(()),
                Err(failure) => Err(failure),
            };
            if swept.is_err() {
                tracing::error!("a home can't be rid of what has expired");
            }
        }
        if let Err(error) = sweep::mailboxes(&*self.storage, now).await {
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

/// A crash may have come between a home's commit and the note that its invite was used.
async fn note_used(invites: &Invites, storage: &dyn Storage, now: Timestamp) -> Result<(), InviteError> {
    for invite in invites.unused()? {
        if let Ok(Some(_)) = storage.get(invite_key(&invite)).await {
            invites.mark_used(&invite, now)?;
        }
    }
    Ok(())
}

/// Wakes that waited when the relay ended go on, though nobody may come: their homes are read into memory.
async fn resume_wakes(relay: Arc<Relay>) {
    let mut waiting = BTreeSet::new();
    let scanned = scan_all(&*relay.storage, b"q/".to_vec(), |(key, _)| {
        waiting.insert(HomeId::from_bytes(records::id_at(&key, 2)?));
        Ok(())
    })
    .await;
    if let Err(error) = scanned {
        tracing::error!(error = told(&error), "wakes that waited can't be looked for");
    }
    for id in waiting {
        if !relay.shutdown.is_cancelled() && relay.home(id).await.is_err() {
            tracing::error!("a home whose wakes wait can't be read");
        }
    }
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
