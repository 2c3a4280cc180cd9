//! The list of nodes as one of them sees it, who need not see all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use privet_relay::nodes::{Fingerprints, MemoryTable, Node, NodeId, NodeTable, TableError};

#[derive(Clone)]
pub struct Sight {
    table: MemoryTable,
    hidden: Arc<Mutex<HashSet<NodeId>>>,
}

impl Sight {
    pub fn of(table: MemoryTable) -> Self {
        Self { table, hidden: Arc::default() }
    }

    /// From its next look on, this node is not on the list.
    pub fn hide(&self, id: NodeId) {
        self.hidden.lock().unwrap().insert(id);
    }

    pub fn show_all(&self) {
        self.hidden.lock().unwrap().clear();
    }
}

#[async_trait]
impl NodeTable for Sight {
    async fn beat(
        &self,
        node: &Node,
        fingerprints: &Fingerprints,
        lifetime: Duration,
    ) -> Result<Vec<Node>, TableError> {
        let mut nodes = self.table.beat(node, fingerprints, lifetime).await?;
        let hidden = self.hidden.lock().unwrap();
        nodes.retain(|node| !hidden.contains(&node.id));
        Ok(nodes)
    }

    async fn leave(&self, id: NodeId) -> Result<(), TableError> {
        self.table.leave(id).await
    }

    async fn changed(&self) {
        self.table.changed().await;
    }
}
