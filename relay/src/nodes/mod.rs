//! Many relays that are one: which nodes there are, which of them serves a home, and a way to each other. What they do with it is in
//! `server`; decision: `docs/design/0016-relay-many-nodes.md`.
//!
//! * [`Ring`] says who serves a home, the same on every node that has the same list.
//! * [`NodeTable`] is that list; in PostgreSQL for relays, in memory for tests.
//! * [`ClusterSecret`] is how nodes know each other.
//! * [`Settings`] is what a node takes from its configuration.

pub(crate) mod link;
mod postgres;
mod ring;
mod secret;
mod table;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::id::HomeId;
use quinn::{
    ClientConfig, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use postgres::PostgresTable;
pub(crate) use postgres::{Listed, TABLE, listed};
pub use ring::{Node, NodeId, PublicAddresses, Ring};
pub use secret::ClusterSecret;
pub use table::{Fingerprints, MemoryTable, NodeTable, TableError};

use crate::config;

/// Bytes of one stream between nodes that may wait at its end: a slow client has to be felt where its video comes from.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Bytes of one connection between nodes that may wait at its end.
const WINDOW: u32 = 1024 * 1024;
/// Streams from the node that serves the home, as many as a client takes.
const SEGMENT_STREAMS: u32 = 32;
/// Two nodes are near each other: who is silent for so long is away.
const IDLE: Duration = Duration::from_secs(6);
/// How long a doctor waits for an answer.
const KNOCK: Duration = Duration::from_secs(3);

/// Why a relay can't be one of many.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodesError {
    /// The secret can't be used.
    #[error("nodes.secret_file: {0}")]
    Secret(String),
    /// Its address for other nodes can't be listened on.
    #[error("listening on {address} for other nodes: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: String,
    },
    /// The list of nodes can't be read or does not take this one.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// What makes a relay one of many.
#[derive(Clone)]
pub struct Settings {
    /// Where it listens for other nodes; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where they reach it; `None`: where it listens.
    pub address: Option<SocketAddr>,
    /// Where clients reach this node and no other, if they may be sent there; port 0 stands for the one that it listens on for clients.
    pub public_addresses: Vec<SocketAddr>,
    /// What all of them share.
    pub secret: ClusterSecret,
    /// The list of them.
    pub table: Arc<dyn NodeTable>,
    /// How often it says that it is there.
    pub heartbeat: Duration,
    /// How long after its last word it counts as there.
    pub lifetime: Duration,
}

impl Settings {
    /// What stands in the configuration, with this list.
    ///
    /// # Errors
    /// [`NodesError::Secret`] when the secret's file can't be used.
    pub fn of(config: &config::Nodes, table: Arc<dyn NodeTable>) -> Result<Self, NodesError> {
        let secret = ClusterSecret::read(&config.secret_file)
            .map_err(|found| NodesError::Secret(format!("{} {found}", config.secret_file.display())))?;
        Ok(Self {
            listen: config.listen,
            address: Some(config.address),
            public_addresses: config.public_addresses.clone(),
            secret,
            table,
            heartbeat: Duration::from_millis(config.heartbeat_ms),
            lifetime: Duration::from_millis(config.lifetime_ms),
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("listen", &self.listen).field("address", &self.address).finish_non_exhaustive()
    }
}

/// What a node knows of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) ring: Arc<Ring>,
    /// Counts the times when others may have taken this node for gone, and served its homes.
    pub(crate) doubts: u64,
}

/// This node among the others.
pub(crate) struct Nodes {
    pub(crate) me: Node,
    pub(crate) endpoint: Endpoint,
    pub(crate) secret: ClusterSecret,
    client: ClientConfig,
    table: Arc<dyn NodeTable>,
    fingerprints: Fingerprints,
    heartbeat: Duration,
    lifetime: Duration,
    view: watch::Sender<View>,
    heard: Mutex<Heard>,
    left: AtomicBool,
    /// Whether the others were told, or that was tried; held meanwhile.
    told: tokio::sync::Mutex<bool>,
}

/// When the list was read.
struct Heard {
    last: Instant,
    /// It could not be read the last time.
    away: bool,
    /// Until then those count as there who were, heard of or not: after the list was away nobody has had a chance to say so.
    lenient_until: Option<Instant>,
}

impl Nodes {
    /// Listens for other nodes; clients are listened to on `port`. Nobody knows of it before [`Nodes::join`].
    pub(crate) fn open(settings: Settings, fingerprints: Fingerprints, port: u16) -> Result<Arc<Self>, NodesError> {
        let Settings { listen, address, public_addresses, secret, table, heartbeat, lifetime } = settings;
        let failed = |cause: String| NodesError::Listen { address: listen, cause };
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(secret.server().map_err(NodesError::Secret)?));
        server.transport_config(Arc::new(transport()));
        let mut client = ClientConfig::new(Arc::new(secret.client().map_err(NodesError::Secret)?));
        client.transport_config(Arc::new(transport()));
        let socket = UdpSocket::bind(listen).map_err(|e| failed(e.to_string()))?;
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, crate::server::SOCKET_BUFFER);
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, crate::server::SOCKET_BUFFER);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(server), socket, Arc::new(TokioRuntime))
            .map_err(|e| failed(e.to_string()))?;
        let bound = endpoint.local_addr().map_err(|e| failed(e.to_string()))?;
        let public = PublicAddresses::new(public_addresses, port);
        let me = Node { id: NodeId::generate(), address: address.unwrap_or(bound), public };
        let heard = Heard { last: Instant::now(), away: false, lenient_until: None };
        Ok(Arc::new(Self {
            me,
            endpoint,
            secret,
            client,
            table,
            fingerprints,
            heartbeat,
            lifetime,
            view: watch::Sender::default(),
            heard: Mutex::new(heard),
            left: AtomicBool::new(false),
            told: tokio::sync::Mutex::default(),
        }))
    }

    /// Says that it is there, and finds out who else is.
    pub(crate) async fn join(&self) -> Result<(), TableError> {
        let nodes = self.table.beat(&self.me, &self.fingerprints, self.lifetime).await?;
        self.show(nodes, false);
        tracing::info!(nodes = self.count(), "one of many relays");
        Ok(())
    }

    /// Says that it is there until the relay ends or leaves.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.table.changed() => {}
                () = tokio::time::sleep(self.heartbeat) => {}
            }
            if self.has_left() {
                return;
            }
            self.beat().await;
        }
    }

    async fn beat(&self) {
        let outcome = self.table.beat(&self.me, &self.fingerprints, self.lifetime).await;
        let now = Instant::now();
        match outcome {
            Ok(mut nodes) => {
                let (doubt, lenient) = {
                    let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                    let doubt = now.duration_since(heard.last) > self.lifetime;
                    heard.last = now;
                    if std::mem::take(&mut heard.away) {
                        tracing::info!("the list of nodes can be read again");
                        heard.lenient_until = Some(now + self.lifetime);
                    }
                    (doubt, heard.lenient_until.is_some_and(|until| now < until))
                };
                if lenient {
                    nodes.extend(self.view.borrow().ring.nodes());
                }
                self.show(nodes, doubt);
            }
            Err(error) => {
                let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                if !std::mem::replace(&mut heard.away, true) {
                    tracing::error!(%error, "the list of nodes can't be read; those that were there count on");
                }
            }
        }
    }

    fn show(&self, nodes: Vec<Node>, doubt: bool) {
        // Left meanwhile: the list was read before that.
        let nodes = nodes.into_iter().filter(|node| node.id != self.me.id || !self.has_left()).collect();
        let ring = Arc::new(Ring::new(nodes));
        self.view.send_if_modified(|view| {
            let changed = view.ring != ring;
            if changed {
                view.ring = ring;
            }
            view.doubts += u64::from(doubt);
            changed || doubt
        });
    }

    /// Leaves, so that the others serve its homes; from now on none is its own. Whoever asks again waits until they were told.
    pub(crate) async fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
        let mut told = self.told.lock().await;
        if std::mem::replace(&mut *told, true) {
            return;
        }
        if let Err(error) = self.table.leave(self.me.id).await {
            tracing::warn!(%error, "the others are not told that this node leaves; they find out by its silence");
        }
        let rest = self.view.borrow().ring.nodes().to_vec();
        self.show(rest, false);
    }

    fn has_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Whether the list could be read the last time.
    pub(crate) fn is_connected(&self) -> bool {
        !self.heard.lock().unwrap_or_else(PoisonError::into_inner).away
    }

    /// Nodes there are.
    pub(crate) fn count(&self) -> usize {
        self.view.borrow().ring.nodes().len()
    }

    /// Which node serves this home; `None` when it is nobody's now.
    pub(crate) fn owner(&self, home: HomeId) -> Option<Node> {
        self.view.borrow().ring.owner(home)
    }

    pub(crate) fn is_mine(&self, home: HomeId) -> bool {
        self.owner(home).is_some_and(|node| node.id == self.me.id)
    }

    /// Where clients of this home reach the other nodes, first the one that serves it when this one is gone.
    pub(crate) fn public_addresses_after(&self, home: HomeId) -> Vec<SocketAddr> {
        let ring = Arc::clone(&self.view.borrow().ring);
        let others = ring.in_turn(home).into_iter().filter(|node| node.id != self.me.id);
        others.flat_map(|node| node.public.iter()).collect()
    }

    /// Changes of what is known of the others.
    pub(crate) fn views(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    /// A connection to another node, which is one: it has the secret.
    pub(crate) async fn connect(&self, node: &Node) -> Option<quinn::Connection> {
        self.endpoint.connect_with(self.client.clone(), node.address, secret::NAME).ok()?.await.ok()
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").field("me", &self.me).finish_non_exhaustive()
    }
}

/// Who is where a node should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// A node with the same secret.
    Node,
    /// Something else, or a node with another secret.
    Stranger,
    /// Nobody who answers.
    Nobody,
}

/// Looks who answers at an address, and asks for nothing.
pub(crate) async fn knock(address: SocketAddr, secret: &ClusterSecret) -> There {
    let Some(endpoint) = caller(address) else { return There::Nobody };
    let Ok(crypto) = secret.client() else { return There::Nobody };
    let mut client = ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport()));
    let Ok(connecting) = endpoint.connect_with(client, address, secret::NAME) else { return There::Nobody };
    match tokio::time::timeout(KNOCK, connecting).await {
        Ok(Ok(connection)) => {
            connection.close(VarInt::from_u32(0), b"");
            // So that the node there need not wait for what was to be asked.
            let _ = tokio::time::timeout(KNOCK, endpoint.wait_idle()).await;
            There::Node
        }
        Ok(Err(ConnectionError::TimedOut)) | Err(_) => There::Nobody,
        Ok(Err(_)) => There::Stranger,
    }
}

/// From where an address can be reached.
fn caller(address: SocketAddr) -> Option<Endpoint> {
    let any: SocketAddr =
        if address.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).ok()
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(IDLE / 3))
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        // One stream until it is known who asks.
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(SEGMENT_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(crate::server::SEND_WINDOW)
        .congestion_controller_factory(privet_congestion::congestion())
        .datagram_receive_buffer_size(None);
    transport
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_congestion::ForVideo;

    use super::*;

    #[tokio::test]
    async fn what_goes_between_nodes_is_sent_as_fast_as_what_goes_to_clients() {
        let open = || {
            let settings = Settings {
                listen: ([127, 0, 0, 1], 0).into(),
                address: None,
                public_addresses: Vec::new(),
                secret: ClusterSecret::from_bytes(&[7; 32]).unwrap(),
                table: Arc::new(MemoryTable::default()),
                heartbeat: Duration::from_secs(1),
                lifetime: Duration::from_secs(5),
            };
            Nodes::open(settings, Fingerprints { identity: [0; 32], push_key: [0; 32] }, 0).unwrap()
        };
        let (asking, asked) = (open(), open());
        let accepted = async { asked.endpoint.accept().await.unwrap().await.unwrap() };
        let (made, accepted) = tokio::join!(asking.connect(&asked.me), accepted);
        for link in [made.unwrap(), accepted] {
            assert!(link.congestion_state().into_any().downcast::<ForVideo>().is_ok());
        }
    }
}
