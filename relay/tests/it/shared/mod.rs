//! Relays of this process that are one: a store and a list of nodes that all of them share, both in reach of the test.

pub mod sight;
pub mod troubles;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::Principal;
use privet_protocol::storage::{Batch, Entry, StoreError};
use privet_relay::nodes::{ClusterSecret, MemoryTable, Settings};
use privet_relay::storage::{Body, BodyWriter, Embedded, Storage};
use privet_relay::{Config, Machine, Server};
use privet_relay_client::{Connection, connect};
use privet_store::{BlobInfo, BlobName};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::sight::Sight;
use self::troubles::Troubles;
use crate::common::{PATIENCE, config, key, target, until};
use crate::openmetrics::{parse, value};
use crate::pages::page;

/// A store on this machine's disk that several relays share, with terms as PostgreSQL has them.
#[derive(Clone)]
pub struct SharedStore {
    inner: Embedded,
    name: String,
    terms: Arc<Mutex<HashMap<HomeId, u64>>>,
    held: Option<(HomeId, u64)>,
    moved: CancellationToken,
    pub troubles: Troubles,
}

impl SharedStore {
    pub fn open(dir: &Path) -> Self {
        let inner = Embedded::open(&Machine::this().disk, dir, 0).unwrap();
        let (terms, troubles) = (Arc::default(), Troubles::default());
        Self { inner, name: String::new(), terms, held: None, moved: CancellationToken::new(), troubles }
    }

    fn named(&self, name: String) -> Self {
        Self { name, ..self.clone() }
    }

    /// Fails when somebody else has taken the home over.
    fn lasts(&self) -> Result<(), StoreError> {
        if let Some((home, term)) = self.held
            && (self.moved.is_cancelled() || self.terms.lock().unwrap().get(&home) != Some(&term))
        {
            self.moved.cancel();
            return Err(StoreError::Moved("taken over".into()));
        }
        Ok(())
    }

    /// As a node does it that believes it serves the home.
    pub async fn take_over_by_another(&self, home: HomeId) -> Arc<dyn Storage> {
        self.take_over(home).await.unwrap()
    }
}

#[async_trait]
impl Storage for SharedStore {
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.troubles.scan(&prefix).await;
        self.inner.scan(prefix, from, limit).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.troubles.commit(&batch).await;
        self.lasts()?;
        self.inner.commit(batch).await
    }

    async fn commit_new(&self, key: Vec<u8>, value: Vec<u8>, batch: Batch) -> Result<bool, StoreError> {
        self.troubles.commit(&batch).await;
        self.lasts()?;
        self.inner.commit_new(key, value, batch).await
    }

    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError> {
        self.inner.write_body(name).await
    }

    fn small_bodies(&self) -> Option<usize> {
        self.inner.small_bodies()
    }

    async fn keep_small(&self, name: BlobName, bytes: Bytes, batch: Batch) -> Result<(), StoreError> {
        self.lasts()?;
        self.inner.keep_small(name, bytes, batch).await
    }

    fn forget_small(&self, name: &BlobName, length: u64, batch: &mut Batch) {
        self.inner.forget_small(name, length, batch);
    }

    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError> {
        self.troubles.read()?;
        let troubles = self.troubles.clone();
        let found = self.inner.body(name).await?;
        Ok(found.map(|inner| Arc::new(Unsteady { inner, troubles }) as Arc<dyn Body>))
    }

    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError> {
        self.inner.remove_body(name).await
    }

    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError> {
        self.inner.remove_partial(name).await
    }

    async fn bodies(&self, prefix: String) -> Result<Vec<BlobInfo>, StoreError> {
        self.inner.bodies(prefix).await
    }

    async fn take_over(&self, home: HomeId) -> Result<Arc<dyn Storage>, StoreError> {
        let term = {
            let mut terms = self.terms.lock().unwrap();
            let term = terms.entry(home).or_insert(0);
            *term += 1;
            *term
        };
        Ok(Arc::new(Self { held: Some((home, term)), moved: CancellationToken::new(), ..self.clone() }))
    }

    fn moved(&self) -> CancellationToken {
        self.moved.clone()
    }

    fn node(&self) -> Option<&str> {
        Some(&self.name)
    }
}

/// A body that is away when its store is.
struct Unsteady {
    inner: Arc<dyn Body>,
    troubles: Troubles,
}

#[async_trait]
impl Body for Unsteady {
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError> {
        self.troubles.read()?;
        self.inner.read(offset, most).await
    }
}

/// Relays that are one.
pub struct Nodes {
    pub servers: Vec<Server>,
    pub store: SharedStore,
    pub table: MemoryTable,
    /// What each relay sees of it.
    pub sights: Vec<Sight>,
    /// How long after its last word a relay counts as there.
    lifetime: Duration,
    dir: TempDir,
}

impl Nodes {
    pub async fn new(count: usize) -> Self {
        Self::with(count, |_| {}).await
    }

    pub async fn with(count: usize, change: impl Fn(&mut Config)) -> Self {
        Self::lasting(count, Duration::from_secs(5), change).await
    }

    pub async fn lasting(count: usize, lifetime: Duration, change: impl Fn(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SharedStore::open(&dir.path().join("store"));
        let (servers, sights) = (Vec::new(), Vec::new());
        let mut nodes = Self { servers, store, table: MemoryTable::default(), sights, lifetime, dir };
        for _ in 0..count {
            nodes.start(&change).await;
        }
        nodes.settle().await;
        nodes
    }

    /// One more, with the same key files.
    pub async fn start(&mut self, change: impl Fn(&mut Config)) {
        let mut config = config(&self.dir.path().join("data"));
        let metrics = "[metrics]\nlisten = '127.0.0.1:0'\n";
        config.metrics = Config::parse("relay.toml", metrics).unwrap().metrics;
        change(&mut config);
        let sight = Sight::of(self.table.for_another());
        self.sights.push(sight.clone());
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            address: None,
            public_addresses: vec![([127, 0, 0, 1], 0).into()],
            secret: ClusterSecret::from_bytes(&[7; 32]).unwrap(),
            table: Arc::new(sight),
            heartbeat: Duration::from_millis(100),
            lifetime: self.lifetime,
        };
        let store = Arc::new(self.store.named(format!("node-{}", self.servers.len())));
        let server = Server::start_with(config, Machine::this(), store, Some(settings)).await.unwrap();
        self.servers.push(server);
    }

    /// Until all know of all.
    pub async fn settle(&self) {
        for at in 0..self.servers.len() {
            until(|| async { self.number(at, "privet_relay_nodes").await == self.servers.len() as f64 }).await;
        }
    }

    /// A home that is not there yet and that the relay `at` will serve.
    pub fn home_of(&self, at: usize) -> (HomeId, usize) {
        loop {
            let home = HomeId::generate(&SystemRandom);
            if self.servers[at].serves(home) {
                return (home, at);
            }
        }
    }

    /// Where the store's files are.
    pub fn stored(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub async fn hub(&self, at: usize, home: HomeId) -> Connection {
        let principal = Principal::Founder { home, invite: None };
        connect(&target(&self.servers[at]), principal, &key(1), PATIENCE).await.unwrap()
    }

    pub async fn phone(&self, at: usize, home: HomeId, number: u8) -> Connection {
        connect(&target(&self.servers[at]), Principal::Member { home }, &key(number), PATIENCE).await.unwrap()
    }

    pub async fn number(&self, at: usize, name: &str) -> f64 {
        until(|| async { self.servers[at].metrics().is_some() }).await;
        let page = page(self.servers[at].metrics().unwrap(), "/metrics").await.1;
        value(&parse(&page), name, &[])
    }

    pub async fn ready(&self, at: usize) -> bool {
        page(self.servers[at].metrics().unwrap(), "/ready").await.0 == 200
    }
}
