//! The storage openmls sees: an in-memory layer over the [`Store`]. Reads fall through to the store; writes stay here until
//! they are taken as one batch, or dropped. So openmls never writes to the disk, and no crash can leave half of a step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privet_protocol::storage::{Batch, Store, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::record::scan_all;

/// Everything openmls keeps stands under this prefix.
pub(crate) const PREFIX: &[u8] = b"home/mls/";

/// Why the overlay could not serve openmls.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OverlayError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a stored value can't be read: {0}")]
    Damaged(String),
}

type Value = Zeroizing<Vec<u8>>;

/// The layer.
pub(crate) struct Overlay {
    store: Arc<dyn Store>,
    writes: Mutex<BTreeMap<Vec<u8>, Option<Value>>>,
}

impl Overlay {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, writes: Mutex::default() }
    }

    /// The writes since the last call, as a batch.
    pub(crate) fn take(&self) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in std::mem::take(&mut *self.lock()) {
            match value {
                Some(value) => batch.put(key, value.to_vec()),
                None => batch.delete(key),
            }
        }
        batch
    }

    /// Like [`Self::take`], for a new group: everything openmls kept before is deleted in the same batch.
    pub(crate) fn take_fresh(&self) -> Result<Batch, StoreError> {
        let mut batch = Batch::new();
        for (key, _) in scan_all(&self.store, PREFIX)? {
            batch.delete(key);
        }
        batch.merge(self.take());
        Ok(batch)
    }

    /// Forgets the writes since the last [`Self::take`].
    pub(crate) fn discard(&self) {
        self.lock().clear();
    }

    pub(crate) fn put<K: Serialize, V: Serialize>(&self, label: &str, key: &K, value: &V) -> Result<(), OverlayError> {
        self.lock().insert(name(label, key)?, Some(encode(value)?));
        Ok(())
    }

    pub(crate) fn get<K: Serialize, V: DeserializeOwned>(
        &self,
        label: &str,
        key: &K,
    ) -> Result<Option<V>, OverlayError> {
        self.read(&name(label, key)?)?.map(|value| decode(&value)).transpose()
    }

    pub(crate) fn delete<K: Serialize>(&self, label: &str, key: &K) -> Result<(), OverlayError> {
        self.lock().insert(name(label, key)?, None);
        Ok(())
    }

    /// The list under this key; none is an empty one.
    pub(crate) fn list<K: Serialize, V: DeserializeOwned>(&self, label: &str, key: &K) -> Result<Vec<V>, OverlayError> {
        self.raw_list(label, key)?.iter().map(|value| decode(value)).collect()
    }

    pub(crate) fn push<K: Serialize, V: Serialize>(&self, label: &str, key: &K, value: &V) -> Result<(), OverlayError> {
        let mut list = self.raw_list(label, key)?;
        list.push(serde_bytes::ByteBuf::from(encode(value)?.to_vec()));
        self.put(label, key, &list)
    }

    pub(crate) fn pull<K: Serialize, V: Serialize>(&self, label: &str, key: &K, value: &V) -> Result<(), OverlayError> {
        let mut list = self.raw_list(label, key)?;
        let value = encode(value)?;
        list.retain(|item| item.as_slice() != value.as_slice());
        self.put(label, key, &list)
    }

    fn raw_list<K: Serialize>(&self, label: &str, key: &K) -> Result<Vec<serde_bytes::ByteBuf>, OverlayError> {
        Ok(self.get(label, key)?.unwrap_or_default())
    }

    fn read(&self, name: &[u8]) -> Result<Option<Value>, OverlayError> {
        if let Some(written) = self.lock().get(name) {
            return Ok(written.clone());
        }
        Ok(self.store.get(name)?.map(Zeroizing::new))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Option<Value>>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key's name in the store: label and a hash, because some keys are public keys of more than a kilobyte.
fn name<K: Serialize>(label: &str, key: &K) -> Result<Vec<u8>, OverlayError> {
    let hash = blake3::hash(&encode(key)?);
    Ok([PREFIX, label.as_bytes(), b"/", &hash.as_bytes()[..16]].concat())
}

/// CBOR, because the codec must be self-describing (openmls changes its types) and maps have keys that are no strings.
fn encode<T: Serialize>(value: &T) -> Result<Value, OverlayError> {
    let mut out = Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *out).map_err(|e| OverlayError::Damaged(e.to_string()))?;
    Ok(out)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, OverlayError> {
    ciborium::from_reader(bytes).map_err(|e| OverlayError::Damaged(e.to_string()))
}
