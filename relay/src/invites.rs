//! Invites that `privet-relay invite` makes: each good for one home, until its day. A file each in the data directory, under the
//! hash of the invite, so that they can be made, listed and taken back while the relay runs, and nobody who reads them can use
//! them. That one was used stands in the index, in the same commit as its home; the file says it for the list.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::write_new;

/// Why invites can't be made, read or taken back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// A file can't be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no data directory to keep them in.
    #[error("{}: there is no such directory; start the relay once, which makes it, or name the relay's with --data", .0.display())]
    NoDirectory(PathBuf),
    /// No invite begins like this.
    #[error("no invite has the id '{0}'; `privet-relay invite list` shows them")]
    Unknown(String),
    /// More than one begins like this.
    #[error("'{0}' stands for more than one invite; give more of the id")]
    Ambiguous(String),
    /// Its home is there already.
    #[error("invite {0} was used; its home stays")]
    Used(String),
}

/// An invite, without the words that open the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Invite {
    /// Names it in commands: the beginning of its hash, in hexadecimal.
    pub id: String,
    /// For whom it is, as its maker wrote.
    pub note: String,
    /// When it was made, in milliseconds since 1970.
    pub made: Timestamp,
    /// When it ends, in milliseconds since 1970.
    pub until: Timestamp,
    /// What became of it.
    pub state: InviteState,
}

/// What became of an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviteState {
    /// A home can be made with it.
    Open,
    /// A home was made with it.
    Used,
    /// Its time is over.
    Ended,
}

/// The invites of a data directory.
#[derive(Debug, Clone)]
pub struct Invites {
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
/// Digits of the hash that name an invite.
const ID: usize = 12;

impl Invites {
    /// Those of this data directory.
    pub fn of(data: &Path) -> Self {
        Self { data: data.to_owned() }
    }

    /// Makes one that ends after `lasts`: its words, which are kept nowhere, and what is known of it.
    ///
    /// # Errors
    /// [`InviteError::NoDirectory`] before the relay's first start, [`InviteError::File`] when it can't be written.
    pub fn make(
        &self,
        note: &str,
        lasts: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(String, Invite), InviteError> {
        let mut secret = [0; 16];
        random.fill(&mut secret);
        let words = BASE32_NOPAD.encode(&secret).to_lowercase();
        let file = InviteFile { note: note.to_owned(), made: now, until: now.after(lasts), used: None };
        let hash = hash(&words);
        self.there()?;
        self.write(&hash, &file)?;
        Ok((words, known(&hash, file, now)))
    }

    /// All there are, the oldest first.
    ///
    /// # Errors
    /// [`InviteError::NoDirectory`] before the relay's first start, [`InviteError::File`] when one can't be read.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Invite>, InviteError> {
        let mut invites = Vec::new();
        for hash in self.hashes()? {
            invites.extend(self.read(&hash)?.map(|file| known(&hash, file, now)));
        }
        invites.sort_by_key(|invite| invite.made);
        Ok(invites)
    }

    /// Takes one back that was not used, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`InviteError`] says which of them it is not.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<Invite, InviteError> {
        let mut hashes = self.hashes()?;
        hashes.retain(|hash| !id.is_empty() && hash.starts_with(id));
        let [hash] = &hashes[..] else {
            let id = id.to_owned();
            return Err(if hashes.is_empty() { InviteError::Unknown(id) } else { InviteError::Ambiguous(id) });
        };
        let file = self.read(hash)?.ok_or_else(|| InviteError::Unknown(id.to_owned()))?;
        let invite = known(hash, file, now);
        if invite.state == InviteState::Used {
            return Err(InviteError::Used(invite.id));
        }
        let path = self.path(hash);
        std::fs::remove_file(&path)
            .and_then(|()| std::fs::File::open(self.directory())?.sync_all())
            .map_err(|e| failed(&path, &e))?;
        Ok(invite)
    }

    /// What became of the invite with these words; `None` when there is none.
    pub(crate) fn state(&self, words: &str, now: Timestamp) -> Result<Option<InviteState>, InviteError> {
        let hash = hash(words);
        Ok(self.read(&hash)?.map(|file| known(&hash, file, now).state))
    }

    /// Notes for the list that a home was made with it.
    pub(crate) fn mark_used(&self, hash: &[u8; 32], now: Timestamp) -> Result<(), InviteError> {
        let hash = HEXLOWER.encode(hash);
        match self.read(&hash)? {
            Some(file) if file.used.is_none() => self.write(&hash, &InviteFile { used: Some(now), ..file }),
            _ => Ok(()),
        }
    }

    /// The hashes of those that no home is known of.
    pub(crate) fn unused(&self) -> Result<Vec<[u8; 32]>, InviteError> {
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

fn known(hash: &str, file: InviteFile, now: Timestamp) -> Invite {
    let state = match file.used {
        Some(_) => InviteState::Used,
        None if file.until <= now => InviteState::Ended,
        None => InviteState::Open,
    };
    let id = hash.chars().take(ID).collect();
    Invite { id, note: file.note, made: file.made, until: file.until, state }
}

fn hash(words: &str) -> String {
    blake3::hash(words.as_bytes()).to_hex().to_string()
}

fn failed(path: &Path, error: &std::io::Error) -> InviteError {
    InviteError::File { path: path.to_owned(), cause: error.to_string() }
}
