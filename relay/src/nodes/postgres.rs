//! The list of nodes in PostgreSQL: a row for each, by the database's clock, and a word to all when one comes or goes.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::ring::{Node, NodeId, PublicAddresses};
use super::table::{Fingerprints, NodeTable, TableError};
use crate::config::Storage as Settings;
use crate::storage::{APPLICATION, tls};

/// Under a lock: two that make a table at once would fail. The column is looked for first, because even to find it there a change of
/// the table waits for all who read it, such as a backup.
const PREPARE: &str = "BEGIN; SELECT pg_advisory_xact_lock(5003411817); \
    CREATE TABLE IF NOT EXISTS node (\
        id BYTEA PRIMARY KEY, address TEXT NOT NULL, version TEXT NOT NULL, \
        identity BYTEA NOT NULL, push_key BYTEA NOT NULL, heard TIMESTAMPTZ NOT NULL); \
    DO $$ BEGIN \
        IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'node'::regclass AND attname = 'public_addresses') THEN \
            ALTER TABLE node ADD COLUMN public_addresses TEXT NOT NULL DEFAULT ''; \
        END IF; \
    END $$; \
    COMMIT; LISTEN privet_nodes";
const TELL: &str = "SELECT pg_notify('privet_nodes', '')";
/// Rows of those who have been silent for so many lifetimes are removed.
const FORGOTTEN: f64 = 100.0;
/// How long one look at the list may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The list in PostgreSQL.
pub struct PostgresTable {
    config: Config,
    tls: MakeRustlsConnect,
    /// The connection that listens, and that everything is asked over; made anew after it was lost.
    client: Mutex<Option<Client>>,
    changed: Arc<Notify>,
}

impl PostgresTable {
    /// The list in the database of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// [`TableError::Away`] when the settings can't be used.
    pub fn open(settings: &Settings) -> Result<Self, TableError> {
        let mut config = settings.connection().map_err(TableError::Away)?;
        config.connect_timeout(PATIENCE).application_name(APPLICATION);
        let tls = tls(&config, settings).map_err(|e| TableError::Away(e.to_string()))?;
        let changed = Arc::new(Notify::new());
        Ok(Self { config, tls: MakeRustlsConnect::new(tls), client: Mutex::default(), changed })
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        let changed = Arc::clone(&self.changed);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    changed.notify_one();
                }
            }
            // What was told meanwhile is lost: the next look finds it.
            changed.notify_one();
        });
        client.batch_execute(PREPARE).await?;
        Ok(client)
    }

    /// The connection that there is, or a new one. It goes back to its place when all went well: one that failed is not used again.
    async fn client(&self, place: &mut Option<Client>) -> Result<Client, tokio_postgres::Error> {
        match place.take().filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => self.connect().await,
        }
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, TableError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Trouble::Table(error))) => Err(error),
        Ok(Err(Trouble::Database(error))) => Err(TableError::Away(said(&error))),
        Err(_) => Err(TableError::Away("PostgreSQL does not answer".into())),
    }
}

enum Trouble {
    Table(TableError),
    Database(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<TableError> for Trouble {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("PostgreSQL: {} ({})", db.message(), db.code().code()),
        None => format!("PostgreSQL: {error}"),
    }
}

#[async_trait]
impl NodeTable for PostgresTable {
    async fn beat(
        &self,
        node: &Node,
        fingerprints: &Fingerprints,
        lifetime: Duration,
    ) -> Result<Vec<Node>, TableError> {
        in_time(async {
            let mut place = self.client.lock().await;
            let mut client = self.client(&mut place).await?;
            let nodes = beat(&mut client, node, fingerprints, lifetime).await?;
            *place = Some(client);
            Ok(nodes)
        })
        .await
    }

    async fn leave(&self, id: NodeId) -> Result<(), TableError> {
        in_time(async {
            let mut place = self.client.lock().await;
            let client = self.client(&mut place).await?;
            let id: &[u8] = id.as_bytes();
            client.execute_typed("DELETE FROM node WHERE id = $1", &[(&id, Type::BYTEA)]).await?;
            client.batch_execute(TELL).await?;
            *place = Some(client);
            Ok(())
        })
        .await
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

async fn beat(
    client: &mut Client,
    node: &Node,
    fingerprints: &Fingerprints,
    lifetime: Duration,
) -> Result<Vec<Node>, Trouble> {
    let transaction = client.transaction().await?;
    let lifetime = lifetime.as_secs_f64();
    let id: &[u8] = node.id.as_bytes();
    let sql = "SELECT id, address, identity, push_key, public_addresses FROM node \
        WHERE id <> $1 AND heard > clock_timestamp() - $2 * interval '1 second'";
    let mut nodes = vec![*node];
    for row in transaction.query_typed(sql, &[(&id, Type::BYTEA), (&lifetime, Type::FLOAT8)]).await? {
        let bytes = |place: usize| row.try_get::<_, Vec<u8>>(place);
        let damaged = || TableError::Away("a row of the table node can't be read".into());
        let address: SocketAddr = row.try_get::<_, String>(1)?.parse().map_err(|_| damaged())?;
        let id = NodeId::from_bytes(bytes(0)?.try_into().map_err(|_| damaged())?);
        let theirs = Fingerprints {
            identity: bytes(2)?.try_into().map_err(|_| damaged())?,
            push_key: bytes(3)?.try_into().map_err(|_| damaged())?,
        };
        theirs.agree(fingerprints)?;
        let public = PublicAddresses::parse(&row.try_get::<_, String>(4)?);
        nodes.push(Node { id, address, public });
    }
    let sql = "INSERT INTO node (id, address, version, identity, push_key, public_addresses, heard) \
        VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) \
        ON CONFLICT (id) DO UPDATE SET heard = clock_timestamp() RETURNING xmax::text = '0'";
    let (address, version) = (node.address.to_string(), env!("CARGO_PKG_VERSION"));
    let public = node.public.to_string();
    let (identity, push_key): (&[u8], &[u8]) = (&fingerprints.identity, &fingerprints.push_key);
    let row = transaction
        .query_typed_one(
            sql,
            &[
                (&id, Type::BYTEA),
                (&address, Type::TEXT),
                (&version, Type::TEXT),
                (&identity, Type::BYTEA),
                (&push_key, Type::BYTEA),
                (&public, Type::TEXT),
            ],
        )
        .await?;
    if row.try_get::<_, bool>(0)? {
        // Told when the row can be seen: with the commit.
        let sql = "DELETE FROM node WHERE heard < clock_timestamp() - $1 * interval '1 second'";
        transaction.execute_typed(sql, &[(&(lifetime * FORGOTTEN), Type::FLOAT8)]).await?;
        transaction.batch_execute(TELL).await?;
    }
    transaction.commit().await?;
    Ok(nodes)
}

/// A row of the list, as a doctor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) address: String,
    /// How long nothing was heard of it.
    pub(crate) silent: Duration,
}

/// The table.
pub(crate) const TABLE: &str = "node";

/// The list as it is, nodes that are gone among them, those that were heard of last first. Nothing is made or changed.
pub(crate) async fn listed(client: &Client) -> Result<Vec<Listed>, tokio_postgres::Error> {
    let made = client.query_typed_one("SELECT to_regclass('node') IS NOT NULL", &[]).await?;
    if !made.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let sql = "SELECT address, extract(epoch FROM clock_timestamp() - heard)::float8 FROM node ORDER BY heard DESC";
    let rows = client.query_typed(sql, &[]).await?;
    let listed = rows.iter().map(|row| {
        let silent = Duration::try_from_secs_f64(row.try_get::<_, f64>(1)?.max(0.0)).unwrap_or(Duration::MAX);
        Ok(Listed { address: row.try_get(0)?, silent })
    });
    listed.collect()
}

impl fmt::Debug for PostgresTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection string may hold a password.
        f.debug_struct("PostgresTable").finish_non_exhaustive()
    }
}
