//! Invites of a relay that has its store for itself: a file each in the data directory, so that they can be made, listed and taken back while
//! the relay runs. The file says for the list that one was used.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Invite, InviteError, InviteState, known};
use crate::identity::write_new;
use crate::server::records::InviteRecord;

/// The invites of a data directory.
#[derive(Debug, Clone)]
pub(super) struct Files {
    data: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct InviteFile {
    note: String,
    made: Timestamp,
    until: Timestamp,
    used: Option<Timestamp>,
}

const DIRECTORY: &str = "invites";
const SUFFIX: &str = ".json";

impl InviteFile {
    /// What is known of it, by its hash.
    fn known(self, hash: &str, now: Timestamp) -> Invite {
        let Self { note, made, until, used } = self;
        known(hash, InviteRecord { note, made, until }, used.is_some(), now)
    }
}

impl Files {
    pub(super) fn of(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    pub(super) fn make(&self, hash: &[u8; 32], record: InviteRecord) -> Result<(), InviteError> {
        let InviteRecord { note, made, until } = record;
        self.there()?;
        self.write(&HEXLOWER.encode(hash), &InviteFile { note, made, until, used: None })
    }

    pub(super) fn list(&self, now: Timestamp) -> Result<Vec<Invite>, InviteError> {
        let mut invites = Vec::new();
        for hash in self.hashes()? {
            invites.extend(self.read(&hash)?.map(|file| file.known(&hash, now)));
        }
        Ok(invites)
    }

    pub(super) fn revoke(&self, id: &str, now: Timestamp) -> Result<Invite, InviteError> {
        let mut hashes = self.hashes()?;
        hashes.retain(|hash| !id.is_empty() && hash.starts_with(id));
        let [hash] = &hashes[..] else {
            let id = id.to_owned();
            return Err(if hashes.is_empty() { InviteError::Unknown(id) } else { InviteError::Ambiguous(id) });
        };
        let file = self.read(hash)?.ok_or_else(|| InviteError::Unknown(id.to_owned()))?;
        let invite = file.known(hash, now);
        if invite.state == InviteState::Used {
            return Err(InviteError::Used(invite.id));
        }
        let path = self.path(hash);
        std::fs::remove_file(&path)
            .and_then(|()| std::fs::File::open(self.directory())?.sync_all())
            .map_err(|e| failed(&path, &e))?;
        Ok(invite)
    }

    pub(super) fn state(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<InviteState>, InviteError> {
        let hash = HEXLOWER.encode(hash);
        Ok(self.read(&hash)?.map(|file| file.known(&hash, now).state))
    }

    /// Notes for the list that a home was made with it.
    pub(super) fn mark_used(&self, hash: &[u8; 32], now: Timestamp) -> Result<(), InviteError> {
        let hash = HEXLOWER.encode(hash);
        match self.read(&hash)? {
            Some(file) if file.used.is_none() => self.write(&hash, &InviteFile { used: Some(now), ..file }),
            _ => Ok(()),
        }
    }

    /// The hashes of those that no home is known of.
    pub(super) fn unused(&self) -> Result<Vec<[u8; 32]>, InviteError> {
        let mut unused = Vec::new();
        for hash in self.hashes()? {
            if self.read(&hash)?.is_some_and(|file| file.used.is_none()) {
                unused.extend(HEXLOWER.decode(hash.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()));
            }
        }
        Ok(unused)
    }

    /// Not made here: whoever runs the command may be root, and the directory has to be the relay's.
    fn there(&self) -> Result<(), InviteError> {
        if self.data.is_dir() { Ok(()) } else { Err(InviteError::NoDirectory(self.data.clone())) }
    }

    fn directory(&self) -> PathBuf {
        self.data.join(DIRECTORY)
    }

    fn path(&self, hash: &str) -> PathBuf {
        self.directory().join(format!("{hash}{SUFFIX}"))
    }

    fn hashes(&self) -> Result<Vec<String>, InviteError> {
        let directory = self.directory();
        let entries = match std::fs::read_dir(&directory) {
            Err(e) if e.kind() == ErrorKind::NotFound => return self.there().map(|()| Vec::new()),
            entries => entries.map_err(|e| failed(&directory, &e))?,
        };
        let mut hashes = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| failed(&directory, &e))?.file_name();
            let hash = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            hashes.extend(hash.filter(|hash| hash.len() == 64).map(str::to_owned));
        }
        Ok(hashes)
    }

    fn read(&self, hash: &str) -> Result<Option<InviteFile>, InviteError> {
        let path = self.path(hash);
        let text = match std::fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|e| failed(&path, &e))?,
        };
        let file = serde_json::from_slice(&text);
        file.map(Some).map_err(|e| InviteError::File { path, cause: e.to_string() })
    }

    fn write(&self, hash: &str, file: &InviteFile) -> Result<(), InviteError> {
        let directory = self.directory();
        let write = || -> std::io::Result<()> {
            match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                _ => std::fs::File::open(&self.data)?.sync_all()?,
            }
            write_new(&directory, &format!("{hash}{SUFFIX}"), &serde_json::to_vec(file)?)?;
            // Made by root, it has to be the relay's.
            let owner = std::fs::metadata(&self.data)?;
            for path in [&directory, &self.path(hash)] {
                let ours = std::fs::metadata(path)?;
                if (ours.uid(), ours.gid()) != (owner.uid(), owner.gid()) {
                    chown(path, Some(owner.uid()), Some(owner.gid()))?;
                }
            }
            Ok(())
        };
        write().map_err(|e| failed(&self.path(hash), &e))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> InviteError {
    InviteError::File { path: path.to_owned(), cause: error.to_string() }
}
