//! Records in the store: CBOR, read whole or not at all.

use privet_protocol::cbor;
use privet_protocol::storage::{Entry, Store, StoreError};
use serde::de::DeserializeOwned;

use crate::error::HomeError;

/// The record under `key`.
pub(crate) fn load_record<T: DeserializeOwned>(store: &dyn Store, key: &[u8]) -> Result<Option<T>, HomeError> {
    store.get(key)?.map(|value| decode(&value)).transpose()
}

/// The record in `bytes`.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HomeError> {
    cbor::decode(bytes, usize::MAX).map_err(|e| HomeError::Damaged(e.to_string()))
}

/// Every entry under `prefix`.
pub(crate) fn scan_all(store: &dyn Store, prefix: &[u8]) -> Result<Vec<Entry>, StoreError> {
    let mut all = store.scan(prefix, prefix, PAGE)?;
    let mut page = all.len();
    while page == PAGE {
        // The next key after the last one there was.
        let Some((last, _)) = all.last() else { break };
        let next = [last.as_slice(), &[0]].concat();
        let more = store.scan(prefix, &next, PAGE)?;
        page = more.len();
        all.extend(more);
    }
    Ok(all)
}

const PAGE: usize = 256;
