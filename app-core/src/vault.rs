//! Opening the store: one process at a time, its values sealed under a key that only the platform can unwrap.

use std::path::Path;
use std::sync::Arc;

use privet_protocol::random::{self, SystemRandom};
use privet_protocol::storage::Store;
use privet_store::{DiskStore, SealedStore};
use zeroize::Zeroizing;

use crate::error::{CoreError, Result};
use crate::keys::{KeyWrapper, write_private};
use crate::runtime;

/// What the platform binds the wrapped key to.
const LABEL: &str = "privet store key v1";
const KEY_FILE: &str = "store.key";
const STORE_DIR: &str = "store";

/// The store in `dir`; made at the first time.
pub(crate) async fn open(dir: &Path, keys: Arc<dyn KeyWrapper>) -> Result<Arc<dyn Store>> {
    make_private_dir(dir)?;
    // First the lock, so that two processes can't both make a key.
    let path = dir.join(STORE_DIR);
    let store = runtime::blocking(move || Ok(DiskStore::open(path)?)).await?;
    let key_file = dir.join(KEY_FILE);
    let key = match std::fs::read(&key_file) {
        Ok(wrapped) => unwrap(&*keys, wrapped).await?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            if !store.scan(b"", b"", 1)?.is_empty() {
                return Err(CoreError::Storage {
                    reason: format!(
                        "{}: the wrapped key of this store is gone; restore it or pair anew",
                        key_file.display()
                    ),
                });
            }
            let key = random::secret(&SystemRandom);
            let wrapped = keys.wrap(LABEL.into(), key.to_vec()).await?;
            write_private(&key_file, &wrapped).map_err(|e| CoreError::file(&key_file, &e))?;
            key
        }
        Err(e) => return Err(CoreError::file(&key_file, &e)),
    };
    Ok(Arc::new(SealedStore::new(store, &key)?))
}

async fn unwrap(keys: &dyn KeyWrapper, wrapped: Vec<u8>) -> Result<Zeroizing<[u8; 32]>> {
    let plain = Zeroizing::new(keys.unwrap(LABEL.into(), wrapped).await?);
    let key = plain.as_slice().try_into().map_err(|_| CoreError::Keystore {
        reason: format!("the store key has {} bytes instead of 32", plain.len()),
        user_cancelled: false,
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
