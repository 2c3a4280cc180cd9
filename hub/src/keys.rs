//! Secrets at rest: the key that seals the hub's store, and what stands in it for each camera.
//!
//! The key comes from systemd (`$CREDENTIALS_DIRECTORY/privet-hub-key`, which a TPM can protect) or from `hub.key` in the data
//! directory: 32 random bytes, readable by its owner alone. Everything else secret is inside the sealed store.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use privet_protocol::cbor;
use privet_protocol::id::CameraId;
use privet_protocol::random::{Random, secret};
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_segment::{EvidenceKey, SegmentError};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// The credential's name.
const CREDENTIAL: &str = "privet-hub-key";
/// The key file's name.
const FILE: &str = "hub.key";
const MAX_RECORD: usize = 4096;

/// Why a key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the hub's key {} can't be used: {cause}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Others can read it.
    #[error("the hub's key {} can be read by others (mode {mode:03o}); run: chmod 600 {}", file.display(), file.display())]
    Open {
        /// Which file.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It has the wrong length.
    #[error("the hub's key {} has {length} bytes, not 32; restore it, without it the data directory can't be read", file.display())]
    Length {
        /// Which file.
        file: PathBuf,
        /// Its bytes.
        length: usize,
    },
    /// A camera's key is damaged.
    #[error("the key of camera '{camera}' is damaged: {cause}")]
    Camera {
        /// The camera's name.
        camera: String,
        /// What is wrong.
        cause: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key that seals the store in this data directory; made at the first start.
///
/// # Errors
/// [`KeyError`].
pub fn hub_key(
    data_dir: &Path,
    credentials: Option<&Path>,
    random: &dyn Random,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if let Some(file) = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.exists()) {
        return read(&file);
    }
    let file = data_dir.join(FILE);
    match std::fs::metadata(&file) {
        Ok(there) if there.mode() & 0o077 != 0 => Err(KeyError::Open { file, mode: there.mode() & 0o777 }),
        Ok(_) => read(&file),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => make(data_dir, file, random),
        Err(e) => Err(failed(&file, &e)),
    }
}

fn read(file: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    File::open(file).and_then(|f| f.take(64).read_to_end(&mut bytes)).map_err(|e| failed(file, &e))?;
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(KeyError::Length { file: file.to_owned(), length: bytes.len() });
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Written whole under another name and synced first: a crash leaves no half key behind.
fn make(data_dir: &Path, file: PathBuf, random: &dyn Random) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let key = secret(random);
    let partial = data_dir.join("hub.key.partial");
    let write = || {
        let _ = std::fs::remove_file(&partial);
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        out.write_all(key.as_ref())?;
        out.sync_all()?;
        std::fs::rename(&partial, &file)?;
        File::open(data_dir)?.sync_all()
    };
    write().map_err(|e| failed(&file, &e))?;
    Ok(key)
}

fn failed(file: &Path, error: &std::io::Error) -> KeyError {
    KeyError::File { file: file.to_owned(), cause: error.to_string() }
}

/// A camera's id and the key its statements are vouched for with.
pub struct CameraIdentity {
    /// The id.
    pub id: CameraId,
    /// The key.
    pub evidence: EvidenceKey,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: CameraId,
    #[serde(with = "serde_bytes")]
    evidence: Vec<u8>,
}

impl Drop for Record {
    fn drop(&mut self) {
        self.evidence.zeroize();
    }
}

/// The identity of the camera with this name; made when it is new.
///
/// # Errors
/// [`KeyError`].
pub fn camera_identity(store: &dyn Store, name: &str, random: &dyn Random) -> Result<CameraIdentity, KeyError> {
    let key = [b"hub/camera/", name.as_bytes()].concat();
    let damaged = |cause: String| KeyError::Camera { camera: name.to_owned(), cause };
    let broken = |e: SegmentError| damaged(e.to_string());
    if let Some(bytes) = store.get(&key)?.map(Zeroizing::new) {
        let record: Record = cbor::decode(&bytes, MAX_RECORD).map_err(|e| damaged(e.to_string()))?;
        return Ok(CameraIdentity {
            id: record.id,
            evidence: EvidenceKey::from_pkcs8(&record.evidence).map_err(broken)?,
        });
    }
    let evidence = EvidenceKey::generate(random).map_err(broken)?;
    let record = Record { id: CameraId::generate(random), evidence: evidence.to_pkcs8().map_err(broken)?.to_vec() };
    let mut batch = Batch::new();
    batch.put(key, cbor::encode(&record));
    store.commit(batch)?;
    Ok(CameraIdentity { id: record.id, evidence })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use privet_protocol::random::SystemRandom;
    use privet_protocol::storage::MemoryStore;

    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone_and_refused_when_others_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = hub_key(folder.path(), None, &SystemRandom).unwrap();
        assert_eq!(*hub_key(folder.path(), None, &SystemRandom).unwrap(), *key);
        let file = folder.path().join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(hub_key(folder.path(), None, &SystemRandom).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_credential_of_the_service_manager_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = tempfile::tempdir().unwrap();
        std::fs::write(credentials.path().join(CREDENTIAL), [7; 32]).unwrap();
        assert_eq!(*hub_key(folder.path(), Some(credentials.path()), &SystemRandom).unwrap(), [7; 32]);
        assert!(!folder.path().join(FILE).exists());
        std::fs::write(credentials.path().join(CREDENTIAL), [7; 31]).unwrap();
        hub_key(folder.path(), Some(credentials.path()), &SystemRandom).unwrap_err();
    }

    #[test]
    fn a_camera_keeps_its_identity_by_its_name() {
        let store = MemoryStore::new();
        let one = camera_identity(&store, "Door", &SystemRandom).unwrap();
        let again = camera_identity(&store, "Door", &SystemRandom).unwrap();
        let other = camera_identity(&store, "Garden", &SystemRandom).unwrap();
        assert_eq!(one.id, again.id);
        assert_eq!(one.evidence.public().unwrap(), again.evidence.public().unwrap());
        assert_ne!(one.id, other.id);
    }
}
