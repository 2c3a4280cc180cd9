//! Keys at rest: one random 32-byte store key, which the platform wraps. Android Keystore, Secure Enclave or (here) a file.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use privet_protocol::random::{Random, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{CoreError, Result};

/// What the platform supplies. Called off the main thread, with 32-byte secrets only; may ask the user and may fail.
#[async_trait]
pub trait KeyWrapper: Send + Sync {
    /// The secret in a form that only this device can turn back.
    ///
    /// # Errors
    /// [`CoreError::Keystore`] as the platform reports.
    async fn wrap(&self, label: String, secret: Vec<u8>) -> Result<Vec<u8>>;

    /// The secret that was wrapped.
    ///
    /// # Errors
    /// [`CoreError::Keystore`] as the platform reports.
    async fn unwrap(&self, label: String, blob: Vec<u8>) -> Result<Vec<u8>>;
}

/// A wrapper for machines without a keystore: AES-256-GCM under a key in a file that only its owner can read. It protects
/// a backup of the storage folder that does not contain the key file, and nothing else.
#[derive(Debug, Clone)]
pub struct FileKeys {
    path: PathBuf,
}

impl FileKeys {
    /// The wrapper whose key is in `path`; made at the first wrap.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn key(&self) -> Result<Zeroizing<Vec<u8>>> {
        match std::fs::read(&self.path) {
            Ok(bytes) if bytes.len() == 32 => Ok(Zeroizing::new(bytes)),
            Ok(bytes) => Err(lost(&self.path, format!("holds {} bytes instead of 32", bytes.len()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(lost(&self.path, e)),
            Err(e) => Err(keystore(&self.path, e)),
        }
    }

    fn key_or_new(&self) -> Result<Zeroizing<Vec<u8>>> {
        if self.path.exists() {
            return self.key();
        }
        let mut key = Zeroizing::new(vec![0; 32]);
        SystemRandom.fill(&mut key);
        write_private(&self.path, &key).map_err(|e| keystore(&self.path, e))?;
        Ok(key)
    }
}

#[async_trait]
impl KeyWrapper for FileKeys {
    async fn wrap(&self, label: String, secret: Vec<u8>) -> Result<Vec<u8>> {
        let secret = Zeroizing::new(secret);
        let key = self.key_or_new()?;
        seal::wrap(&key, &label, &secret).ok_or_else(|| keystore(&self.path, "could not encrypt"))
    }

    async fn unwrap(&self, label: String, blob: Vec<u8>) -> Result<Vec<u8>> {
        let key = self.key()?;
        seal::unwrap(&key, &label, &blob)
            .ok_or_else(|| lost(&self.path, "does not open the store's key: another key file?"))
    }
}

fn lost(path: &Path, reason: impl std::fmt::Display) -> CoreError {
    CoreError::KeyLost { reason: format!("{}: {reason}", path.display()) }
}

fn keystore(path: &Path, reason: impl std::fmt::Display) -> CoreError {
    CoreError::Keystore { reason: format!("{}: {reason}", path.display()), user_cancelled: false }
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let partial = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        // Of a bare name, which lies in the working directory, it is empty.
        let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

mod seal {
    //! AES-256-GCM with a random nonce and the label as associated data.
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, RandomizedNonceKey, UnboundKey};

    pub(super) fn wrap(key: &[u8], label: &str, secret: &[u8]) -> Option<Vec<u8>> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
        let mut sealed = secret.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(label.as_bytes()), &mut sealed).ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    pub(super) fn unwrap(key: &[u8], label: &str, blob: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = blob.split_at_checked(12)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let length = key.open_in_place(nonce, Aad::from(label.as_bytes()), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_wrapped_secret_opens_under_its_label_only() {
        let dir = tempfile::tempdir().unwrap();
        let keys = FileKeys::new(dir.path().join("key"));
        let blob = keys.wrap("store".into(), vec![7; 32]).await.unwrap();
        assert!(!blob.windows(8).any(|w| w == [7; 8]));
        assert_eq!(keys.unwrap("store".into(), blob.clone()).await.unwrap(), vec![7; 32]);
        keys.unwrap("other".into(), blob.clone()).await.unwrap_err();
        FileKeys::new(dir.path().join("none")).unwrap("store".into(), blob).await.unwrap_err();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(dir.path().join("key")).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
