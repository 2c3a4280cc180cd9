//! Records in the store: CBOR, read whole or not at all; and what of them hub and phone read in the same way.

use privet_protocol::cbor;
use privet_protocol::storage::{Entry, Store, StoreError};
use serde::de::DeserializeOwned;

use crate::crypto::{SecretBytes, SigningKey};
use crate::error::HomeError;

/// The record under `key`.
pub(crate) fn load_record<T: DeserializeOwned>(store: &dyn Store, key: &[u8]) -> Result<Option<T>, HomeError> {
    store.get(key)?.map(|value| decode(&value)).transpose()
}

/// The record in `bytes`.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, HomeError> {
    cbor::decode(bytes, usize::MAX).map_err(|e| HomeError::Damaged(e.to_string()))
}

/// Whether a record says that it is of the version that this program reads.
pub(crate) fn check_version(found: u8, read: u8) -> Result<(), HomeError> {
    if found == read {
        Ok(())
    } else {
        Err(HomeError::Damaged(format!("it has version {found}, this program reads {read}")))
    }
}

/// The signing key of a seed that a record holds, or will hold; `what` names it, should the seed be none.
pub(crate) fn signing_key(seed: &SecretBytes, what: &str) -> Result<SigningKey, HomeError> {
    SigningKey::from_seed(seed).ok_or_else(|| HomeError::Damaged(what.into()))
}

/// The key of the record with this number under `prefix`: in the store's order, numbers are in theirs.
pub(crate) fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

/// The number in a key that [`numbered`] made.
pub(crate) fn number(prefix: &[u8], key: &[u8]) -> Option<u64> {
    key.strip_prefix(prefix)?.try_into().ok().map(u64::from_be_bytes)
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
