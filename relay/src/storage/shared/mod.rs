//! Index and records of bodies in PostgreSQL, the bytes of bodies in an object store: for any number of relays at the same time.
//!
//! What a commit confirms PostgreSQL has synced. A body is made of objects that never change; PostgreSQL knows which, so that a
//! whole body is one record, and an upload goes on at the byte on whichever node. Who may write what is a home's: `fence`.

mod fence;
mod manifest;
mod objects;
mod pieces;
mod pool;
pub(crate) mod probe;
mod schema;
mod waste;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, Entry, StoreError};
use privet_store::{BlobInfo, BlobName};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::Notify;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};
use tokio_util::sync::CancellationToken;

use super::{Body, BodyWriter, Storage};
use crate::config::Storage as Settings;
use fence::Fence;
use manifest::Chunk;
use objects::Objects;
pub(crate) use objects::{Act, Cause};
use pieces::{Gathering, Pieces, Writer};
pub(crate) use pool::APPLICATION;
use pool::{Pool, Trouble, patiently};

/// A store that relays share. Clones are the same handle.
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Inner>,
    /// With which home was taken over, for a handle of one home.
    fence: Option<Arc<Fence>>,
    /// Bodies that are being written through this handle.
    open: Arc<Mutex<HashMap<BlobName, Weak<Pieces>>>>,
    /// What of them is in memory.
    gathering: Arc<Gathering>,
}

struct Inner {
    pool: Pool,
    objects: Objects,
    node: String,
    /// Bytes of all bodies that gather in memory.
    gathered: Arc<AtomicUsize>,
    /// There is something to be removed.
    waste: Arc<Notify>,
    ended: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("node", &self.inner.node).field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// What a check calls itself to PostgreSQL.
const CHECK: &str = "privet-relay-check";
/// What other commands do.
const COMMAND: &str = "privet-relay-command";

impl Shared {
    /// Opens what `[storage]` of the configuration names; makes the tables where there are none.
    ///
    /// # Errors
    /// [`StoreError`] when PostgreSQL or the object store can't be reached or used.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let store = Self::open_as(APPLICATION, settings).await?;
        store.remove_waste();
        Ok(store)
    }

    /// The same for a command that looks something up or notes it, whether relays run or not.
    ///
    /// # Errors
    /// Those of [`Shared::open`].
    pub(crate) async fn open_beside(settings: &Settings) -> Result<Self, StoreError> {
        Self::open_as(COMMAND, settings).await
    }

    /// The same, for a look at everything.
    ///
    /// # Errors
    /// Those of [`Shared::open`], and [`StoreError::Busy`] while a relay uses it.
    pub async fn open_to_check(settings: &Settings) -> Result<Self, StoreError> {
        let store = Self::open_as(CHECK, settings).await?;
        if schema::is_used_by(&store.inner.pool, APPLICATION).await? {
            return Err(StoreError::Busy("a relay is connected to this database".into()));
        }
        store.remove_waste();
        Ok(store)
    }

    async fn open_as(application: &str, settings: &Settings) -> Result<Self, StoreError> {
        let mut config = settings.connection().map_err(StoreError::Io)?;
        config.application_name(application);
        let tls = tls(&config, settings)?;
        let most = usize::try_from(settings.postgres_connections).unwrap_or(usize::MAX);
        let pool = Pool::new(config, tls, most);
        schema::prepare(&pool).await?;
        let of = settings.clone();
        let opened = tokio::task::spawn_blocking(move || Objects::open(&of)).await;
        let objects = opened.map_err(|e| StoreError::Io(e.to_string()))??;
        let (waste, ended) = (Arc::new(Notify::new()), CancellationToken::new());
        let gathered = Arc::new(AtomicUsize::new(0));
        let gathering = Gathering::of(&gathered);
        let inner = Arc::new(Inner { pool, objects, node: settings.node_name(), gathered, waste, ended });
        Ok(Self { inner, fence: None, open: Arc::default(), gathering })
    }

    /// Removes objects that nobody needs, until the store is closed.
    fn remove_waste(&self) {
        let (waste, ended) = (Arc::clone(&self.inner.waste), self.inner.ended.clone());
        tokio::spawn(waste::remove_for_ever(Arc::downgrade(&self.inner), waste, ended));
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<BlobName, Weak<Pieces>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body that begins now.
    fn begin(&self, name: BlobName) -> Arc<Pieces> {
        let pieces = self.pieces(name.clone(), Vec::new());
        self.opened().insert(name, Arc::downgrade(&pieces));
        pieces
    }

    fn pieces(&self, name: BlobName, chunks: Vec<Chunk>) -> Arc<Pieces> {
        Pieces::new(name, self.inner.objects.clone(), chunks, &self.gathering)
    }

    /// Who writes this name from now on writes another body.
    fn close(&self, name: &BlobName) {
        self.opened().remove(name);
    }

    async fn forget(&self, name: &BlobName, whole_too: bool) -> Result<(), StoreError> {
        if let Some(pieces) = self.opened().remove(name).and_then(|pieces| pieces.upgrade()) {
            pieces.end();
        }
        manifest::remove(&self.inner.pool, self.fence.as_deref(), name, whole_too).await?;
        self.inner.waste.notify_one();
        Ok(())
    }

    async fn try_get(&self, key: &[u8]) -> Result<Option<Row>, Trouble> {
        let mut connected = self.inner.pool.get().await?;
        let sql = "SELECT value FROM entry WHERE key = $1";
        Ok(connected.client()?.query_typed_opt(sql, &[(&key, Type::BYTEA)]).await?)
    }

    async fn try_scan(&self, from: &[u8], end: Option<&[u8]>, limit: i64) -> Result<Vec<Row>, Trouble> {
        let mut connected = self.inner.pool.get().await?;
        let client = connected.client()?;
        Ok(match end {
            Some(end) => {
                let sql = "SELECT key, value FROM entry WHERE key >= $1 AND key < $3 ORDER BY key LIMIT $2";
                let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
                    [(&from, Type::BYTEA), (&limit, Type::INT8), (&end, Type::BYTEA)];
                client.query_typed(sql, &values).await?
            }
            None => {
                let sql = "SELECT key, value FROM entry WHERE key >= $1 ORDER BY key LIMIT $2";
                client.query_typed(sql, &[(&from, Type::BYTEA), (&limit, Type::INT8)]).await?
            }
        })
    }

    async fn try_commit(&self, batch: &Batch) -> Result<(), Trouble> {
        let mut connected = self.inner.pool.get().await?;
        let transaction = connected.client()?.transaction().await?;
        fence::hold(self.fence.as_deref(), &transaction).await?;
        write(&transaction, batch).await?;
        fence::commit(self.fence.as_deref(), transaction).await
    }

    async fn try_commit_new(&self, key: &[u8], value: &[u8], batch: &Batch) -> Result<bool, Trouble> {
        let mut connected = self.inner.pool.get().await?;
        let transaction = connected.client()?.transaction().await?;
        fence::hold(self.fence.as_deref(), &transaction).await?;
        // Whoever makes the same entry at this moment is waited for.
        let sql = "INSERT INTO entry (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        let made = transaction.execute_typed(sql, &[(&key, Type::BYTEA), (&value, Type::BYTEA)]).await?;
        if made == 0 {
            return Ok(false);
        }
        write(&transaction, batch).await?;
        fence::commit(self.fence.as_deref(), transaction).await?;
        Ok(true)
    }
}

/// Writes a batch in this transaction.
async fn write(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), Trouble> {
    let (mut gone, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in batch.writes() {
        match value {
            Some(value) => {
                keys.push(key);
                values.push(value);
            }
            None => gone.push(key),
        }
    }
    if !gone.is_empty() {
        let sql = "DELETE FROM entry WHERE key = ANY($1)";
        transaction.execute_typed(sql, &[(&gone, Type::BYTEA_ARRAY)]).await?;
    }
    if !keys.is_empty() {
        let sql = "INSERT INTO entry (key, value) SELECT key, value FROM unnest($1, $2) AS given (key, value) \
            ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value";
        let new: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&keys, Type::BYTEA_ARRAY), (&values, Type::BYTEA_ARRAY)];
        transaction.execute_typed(sql, &new).await?;
    }
    Ok(())
}

#[async_trait]
impl Storage for Shared {
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        let found = patiently!(self.try_get(&key))?;
        found.map(|row| bytes(&row, 0)).transpose()
    }

    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let end = after(&prefix);
        let from = from.max(prefix);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = patiently!(self.try_scan(&from, end.as_deref(), limit))?;
        rows.iter().map(|row| Ok((bytes(row, 0)?, bytes(row, 1)?))).collect()
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        patiently!(self.try_commit(&batch))
    }

    async fn commit_new(&self, key: Vec<u8>, value: Vec<u8>, batch: Batch) -> Result<bool, StoreError> {
        patiently!(self.try_commit_new(&key, &value, &batch))
    }

    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError> {
        let known = self.opened().get(&name).and_then(Weak::upgrade);
        let pieces = match known {
            Some(pieces) => pieces,
            None => {
                let chunks = manifest::chunks(&self.inner.pool, &name, false).await?.unwrap_or_default();
                let mut open = self.opened();
                // Another one may have been faster.
                match open.get(&name).and_then(Weak::upgrade) {
                    Some(pieces) => pieces,
                    None => {
                        let pieces = self.pieces(name.clone(), chunks);
                        open.retain(|_, pieces| pieces.strong_count() > 0);
                        open.insert(name, Arc::downgrade(&pieces));
                        pieces
                    }
                }
            }
        };
        Ok(Box::new(Writer { store: self.clone(), pieces, broken: false }))
    }

    /// All bytes of bodies are objects: PostgreSQL is for many relays, and its room and time are the dearer ones.
    fn small_bodies(&self) -> Option<usize> {
        None
    }

    async fn keep_small(&self, name: BlobName, _bytes: Bytes, _batch: Batch) -> Result<(), StoreError> {
        Err(StoreError::Io(format!("{name}: no body is kept in PostgreSQL")))
    }

    fn forget_small(&self, _name: &BlobName, _length: u64, _batch: &mut Batch) {}

    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError> {
        let found = manifest::chunks(&self.inner.pool, &name, true).await?;
        Ok(found.map(|chunks| self.pieces(name, chunks) as Arc<dyn Body>))
    }

    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError> {
        self.forget(&name, true).await
    }

    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError> {
        self.forget(&name, false).await
    }

    async fn bodies(&self, prefix: String) -> Result<Vec<BlobInfo>, StoreError> {
        let mut listed = manifest::list(&self.inner.pool, &prefix).await?;
        if prefix.is_empty() {
            let there = self.inner.objects.list().await?;
            for body in &mut listed {
                let whole = body.chunks.iter().take_while(|chunk| there.get(&chunk.object) == Some(&chunk.length));
                body.info.length = whole.map(|chunk| chunk.length).sum();
            }
        }
        Ok(listed.into_iter().map(|body| body.info).collect())
    }

    async fn take_over(&self, home: HomeId) -> Result<Arc<dyn Storage>, StoreError> {
        let fence = Fence::take_over(&self.inner.pool, home, &self.inner.node).await?;
        let gathering = Gathering::of(&self.inner.gathered);
        Ok(Arc::new(Self {
            inner: Arc::clone(&self.inner),
            fence: Some(Arc::new(fence)),
            open: Arc::default(),
            gathering,
        }))
    }

    fn moved(&self) -> CancellationToken {
        self.fence.as_ref().map_or_else(CancellationToken::new, |fence| fence.moved.clone())
    }

    fn node(&self) -> Option<&str> {
        Some(&self.inner.node)
    }
}

fn bytes(row: &Row, place: usize) -> Result<Vec<u8>, StoreError> {
    row.try_get(place).map_err(|e| StoreError::Damaged(format!("PostgreSQL: an entry of the index: {e}")))
}

/// The first key behind all that begin with `prefix`; `None` where there is none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// How PostgreSQL has to prove who it is, where it is reached over a network that asks for TLS.
pub(crate) fn tls(config: &tokio_postgres::Config, settings: &Settings) -> Result<rustls::ClientConfig, StoreError> {
    let failed = |cause: &dyn fmt::Display| StoreError::Io(format!("TLS to PostgreSQL: {cause}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(&e))?;
    let is_local = |host: &Host| matches!(host, Host::Unix(_));
    let hosts = config.get_hosts();
    if config.get_ssl_mode() == SslMode::Disable || (!hosts.is_empty() && hosts.iter().all(is_local)) {
        return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    }
    let mut authorities = Vec::new();
    if let Some(file) = &settings.postgres_authorities {
        let wrong = |e: rustls_pki_types::pem::Error| failed(&format!("{}: {e}", file.display()));
        for certificate in CertificateDer::pem_file_iter(file).map_err(wrong)? {
            authorities.push(certificate.map_err(wrong)?);
        }
    }
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(authorities, provider).map_err(|e| failed(&e))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn the_end_of_a_prefix_is_behind_all_that_begin_with_it() {
        assert_eq!(after(b"h/"), Some(b"h0".to_vec()));
        assert_eq!(after(b"h\xff\xff"), Some(b"i".to_vec()));
        assert_eq!(after(b"\xff"), None);
        assert_eq!(after(b""), None);
    }
}
