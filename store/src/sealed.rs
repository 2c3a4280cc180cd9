//! A store whose values mean nothing without a key: AES-256-GCM, one random nonce a value, the entry's name authenticated with
//! it, so that no value can be put under another name. Names stay readable and ordered.
//!
//! A value on disk: version (1 byte, 1) | nonce (12) | ciphertext | tag (16). Put back as a whole, an older value is not
//! noticed: that is the business of whoever holds the state.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::storage::{Batch, Entry, Store, StoreError};

/// A store around `S` that seals every value.
pub struct SealedStore<S> {
    store: S,
    key: LessSafeKey,
}

const VERSION: u8 = 1;

impl<S: Store> SealedStore<S> {
    /// Seals the values of `store` under `key`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the cryptographic library refuses the key.
    pub fn new(store: S, key: &[u8; 32]) -> Result<Self, StoreError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Io("the key is not usable".into()))?;
        Ok(Self { store, key: LessSafeKey::new(key) })
    }

    /// The store inside, whose values are sealed.
    pub fn into_inner(self) -> S {
        self.store
    }

    fn seal(&self, name: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + value.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let body = 1 + NONCE_LEN;
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(name), &mut sealed[body..])
            .map_err(|_| StoreError::Io("the value can't be sealed".into()))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    fn open(&self, name: &[u8], sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let damaged = || StoreError::Damaged("a sealed value is not authentic: wrong key, or changed on disk".into());
        let (version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(StoreError::Damaged(format!("a sealed value has the unknown version {version}")));
        }
        let mut body = body.to_vec();
        let length = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(name), &mut body)
            .map_err(|_| damaged())?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

impl<S: Store> Store for SealedStore<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)?.map(|sealed| self.open(key, sealed)).transpose()
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store
            .scan(prefix, from, limit)?
            .into_iter()
            .map(|(key, sealed)| self.open(&key, sealed).map(|value| (key, value)))
            .collect()
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut sealed = Batch::new();
        for (key, value) in batch.writes() {
            match value {
                Some(value) => sealed.put(key, self.seal(key, value)?),
                None => sealed.delete(key),
            }
        }
        self.store.commit(sealed)
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for SealedStore<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedStore").field("store", &self.store).finish_non_exhaustive()
    }
}
