//! The list of nodes that all of them share, and its copy in this process's memory for tests without a database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use super::ring::{Node, NodeId};

/// Why the list can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The database is away, or failed.
    #[error("the list of nodes: {0}")]
    Away(String),
    /// A node that is there has other key files.
    #[error(
        "another node of this relay has another {0}: all nodes need the same files, so that a client meets the same relay everywhere"
    )]
    Differs(&'static str),
}

/// What all nodes must agree on, as fingerprints. Two relays with different ones behind one name would turn each other's clients away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprints {
    /// Of the identity that clients pin.
    pub identity: [u8; 32],
    /// Of the key that push targets are sealed to.
    pub push_key: [u8; 32],
}

/// The list of nodes.
#[async_trait]
pub trait NodeTable: Send + Sync + 'static {
    /// Says that this node is there, and what it has; gives every node that said so within `lifetime`, this one among them. The others
    /// are told when it is new.
    ///
    /// # Errors
    /// [`TableError::Differs`] when a living node has other fingerprints: nothing is written then.
    async fn beat(&self, node: &Node, fingerprints: &Fingerprints, lifetime: Duration)
    -> Result<Vec<Node>, TableError>;

    /// Takes this node off the list, and tells the others.
    ///
    /// # Errors
    /// [`TableError`] when the database is away; the others find out when the node's lifetime is over.
    async fn leave(&self, id: NodeId) -> Result<(), TableError>;

    /// Resolves when the list may have changed since the last time. May be dropped and called again.
    async fn changed(&self);
}

/// A list in memory, shared by the relays of one process. For tests.
#[derive(Debug, Clone)]
pub struct MemoryTable {
    rows: Arc<Mutex<BTreeMap<NodeId, Row>>>,
    changes: watch::Sender<u64>,
    seen: Arc<tokio::sync::Mutex<watch::Receiver<u64>>>,
    away: Arc<watch::Sender<bool>>,
}

#[derive(Debug)]
struct Row {
    node: Node,
    fingerprints: Fingerprints,
    heard: Instant,
}

impl Default for MemoryTable {
    fn default() -> Self {
        let changes = watch::Sender::new(0);
        let seen = Arc::new(tokio::sync::Mutex::new(changes.subscribe()));
        Self { rows: Arc::default(), changes, seen, away: Arc::new(watch::Sender::new(false)) }
    }
}

impl MemoryTable {
    /// The same list, as another node sees it.
    #[must_use]
    pub fn for_another(&self) -> Self {
        let seen = Arc::new(tokio::sync::Mutex::new(self.changes.subscribe()));
        Self { seen, ..self.clone() }
    }

    /// Whether the list can't be reached from now on, by any node.
    pub fn set_away(&self, away: bool) {
        self.away.send_replace(away);
    }

    /// Forgets a node as if it had not been heard of for too long.
    pub fn forget(&self, id: NodeId) {
        self.rows().remove(&id);
        self.tell();
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<NodeId, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn reach(&self) -> Result<(), TableError> {
        if *self.away.borrow() { Err(TableError::Away("it was taken away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl NodeTable for MemoryTable {
    async fn beat(
        &self,
        node: &Node,
        fingerprints: &Fingerprints,
        lifetime: Duration,
    ) -> Result<Vec<Node>, TableError> {
        self.reach()?;
        let (nodes, new) = {
            let mut rows = self.rows();
            rows.retain(|id, row| *id == node.id || row.heard.elapsed() < lifetime);
            for row in rows.values() {
                row.fingerprints.agree(fingerprints)?;
            }
            let row = Row { node: *node, fingerprints: *fingerprints, heard: Instant::now() };
            let new = rows.insert(node.id, row).is_none();
            (rows.values().map(|row| row.node).collect(), new)
        };
        if new {
            self.tell();
        }
        Ok(nodes)
    }

    async fn leave(&self, id: NodeId) -> Result<(), TableError> {
        self.reach()?;
        self.forget(id);
        Ok(())
    }

    async fn changed(&self) {
        if self.seen.lock().await.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Fingerprints {
    /// Sees whether these are the same.
    ///
    /// # Errors
    /// [`TableError::Differs`] names what differs.
    pub fn agree(&self, other: &Self) -> Result<(), TableError> {
        if self.identity != other.identity {
            return Err(TableError::Differs("identity (identity.pem, or [certificate])"));
        }
        if self.push_key != other.push_key {
            return Err(TableError::Differs("push key (push.key)"));
        }
        Ok(())
    }
}
