//! Opening the store: one process at a time, its values sealed under a key that only the platform can unwrap, and in a format that this
//! version knows.

use std::path::Path;
use std::sync::Arc;

use privet_protocol::random::{self, SystemRandom};
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_store::{DiskStore, SealedStore};
use zeroize::Zeroizing;

use crate::error::{CoreError, Result};
use crate::keys::{KeyWrapper, write_private};
use crate::runtime;

/// What the platform binds the wrapped key to.
const LABEL: &str = "privet store key v1";
const KEY_FILE: &str = "store.key";
const STORE_DIR: &str = "store";
/// Under this name stands the format of everything else in the store: one byte.
const FORMAT_KEY: &[u8] = b"core/format";
const FORMAT: u8 = 1;

/// What the store's values are sealed under.
pub(crate) type StoreKey = Arc<Zeroizing<[u8; 32]>>;

/// The store in `dir` and its key; both are made at the first time.
pub(crate) async fn open(dir: &Path, keys: Arc<dyn KeyWrapper>) -> Result<(Arc<dyn Store>, StoreKey)> {
    make_private_dir(dir)?;
    // First the lock, so that two processes can't both make a key.
    let path = dir.join(STORE_DIR);
    let store = runtime::blocking(move || Ok(DiskStore::open(path)?)).await?;
    let key_file = dir.join(KEY_FILE);
    let key = match std::fs::read(&key_file) {
        Ok(wrapped) => unwrap(&*keys, wrapped).await?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if !store.scan(b"", b"", 1)?.is_empty() {
                return Err(CoreError::KeyLost {
                    reason: format!("{}: the wrapped key of this store is gone", key_file.display()),
                });
            }
            let key = random::secret(&SystemRandom);
            let wrapped = keys.wrap(LABEL.into(), key.to_vec()).await?;
            write_private(&key_file, &wrapped).map_err(|e| CoreError::file(&key_file, &e))?;
            key
        }
        Err(e) => return Err(CoreError::file(&key_file, &e)),
    };
    let key = Arc::new(key);
    let store = runtime::blocking({
        let key = key.clone();
        move || sealed(store, &key)
    })
    .await?;
    Ok((store, key))
}

/// The store in `dir` once more, by the key that it was opened with.
pub(crate) fn reopen(dir: &Path, key: &StoreKey) -> Result<Arc<dyn Store>> {
    sealed(DiskStore::open(dir.join(STORE_DIR))?, key)
}

/// Removes everything of a phone in `dir`: its keys, its home, its clips.
///
/// # Errors
/// [`CoreError::Busy`] while a process has it open, [`CoreError::Storage`].
pub(crate) fn remove(dir: &Path) -> Result<()> {
    let store = dir.join(STORE_DIR);
    // Whoever has it open keeps it. One that can't be opened for what it holds is nobody's.
    let held = match DiskStore::open(&store) {
        Err(StoreError::Busy(_)) => return Err(CoreError::Busy),
        held => held,
    };
    // The key first: what is left by a crash after that can't be read by anybody.
    for path in [dir.join(KEY_FILE), store, dir.join("cache")] {
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(CoreError::file(&path, &e)),
            _ => {}
        }
    }
    drop(held);
    Ok(())
}

fn sealed(store: DiskStore, key: &StoreKey) -> Result<Arc<dyn Store>> {
    let store = SealedStore::new(store, key)?;
    match store.get(FORMAT_KEY)?.as_deref() {
        Some([FORMAT]) => {}
        Some([older]) if *older < FORMAT => {
            return Err(CoreError::Damaged {
                reason: format!("the store says it is of the format {older}, which never was"),
            });
        }
        Some(newer) => {
            let reason = format!("the store has the format {newer:?}, and this version knows {FORMAT}");
            return Err(CoreError::NewerStore { reason });
        }
        None => {
            let mut batch = Batch::new();
            batch.put(FORMAT_KEY, [FORMAT]);
            store.commit(batch)?;
        }
    }
    Ok(Arc::new(store))
}

async fn unwrap(keys: &dyn KeyWrapper, wrapped: Vec<u8>) -> Result<Zeroizing<[u8; 32]>> {
    let plain = Zeroizing::new(keys.unwrap(LABEL.into(), wrapped).await?);
    let key = plain.as_slice().try_into().map_err(|_| CoreError::KeyLost {
        reason: format!("the store's key came out of the keystore with {} bytes instead of 32", plain.len()),
    })?;
    Ok(Zeroizing::new(key))
}

fn make_private_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir).map_err(|e| CoreError::file(dir, &e))
}
