//! Invites that `privet-relay invite` makes: each good for one home, until its day. What is kept of one is kept under the hash of its
//! words, so that nobody who reads it can use it. That one was used stands in the index, in the same commit as its home.
//!
//! * `files`: of a relay that has its store for itself, which is open to nobody else while it runs.
//! * `records`: of relays that share a store. One that was made anywhere is good at each of them, and all of them together let one home in.

mod files;
mod records;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use privet_protocol::random::Random;
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;
use serde::Serialize;

use crate::config::{Config, StorageKind};
use crate::server::records::{InviteRecord, invite_key};
use crate::storage::{Shared, Storage};
use files::Files;

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
    /// The store that relays share can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// The invites of a relay, or of all relays that share a store.
#[derive(Clone)]
pub struct Invites(Place);

#[derive(Clone)]
enum Place {
    Files(Files),
    Records(Arc<dyn Storage>),
}

/// Digits of the hash that name an invite.
const ID: usize = 12;

impl Invites {
    /// Those in this data directory.
    pub fn of(data: &Path) -> Self {
        Self(Place::Files(Files::of(data)))
    }

    /// Those of the relays that are configured like this, also while they run.
    ///
    /// # Errors
    /// [`InviteError::Store`] when the store that they share can't be reached.
    pub async fn open(config: &Config) -> Result<Self, InviteError> {
        Ok(match config.storage.kind {
            StorageKind::Embedded => Self::of(&config.data),
            StorageKind::Postgres => Self::in_store(Arc::new(Shared::open_beside(&config.storage).await?)),
        })
    }

    /// Those in this store, that relays share.
    pub(crate) fn in_store(storage: Arc<dyn Storage>) -> Self {
        Self(Place::Records(storage))
    }

    /// Makes one that ends after `lasts`: its words, which are kept nowhere, and what is known of it.
    ///
    /// # Errors
    /// [`InviteError::NoDirectory`] before the relay's first start, [`InviteError::File`] and [`InviteError::Store`] when it can't be
    /// written.
    pub async fn make(
        &self,
        note: &str,
        lasts: Duration,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<(String, Invite), InviteError> {
        let mut secret = [0; 16];
        random.fill(&mut secret);
        let words = BASE32_NOPAD.encode(&secret).to_lowercase();
        let hash = hash(&words);
        let record = InviteRecord { note: note.to_owned(), made: now, until: now.after(lasts) };
        let invite = known(&HEXLOWER.encode(&hash), record.clone(), false, now);
        match &self.0 {
            Place::Files(files) => in_thread(files, move |files| files.make(&hash, record)).await?,
            Place::Records(storage) => records::make(&**storage, &hash, &record).await?,
        }
        Ok((words, invite))
    }

    /// All there are, the oldest first.
    ///
    /// # Errors
    /// [`InviteError::NoDirectory`] before the relay's first start, [`InviteError::File`] and [`InviteError::Store`] when one can't be
    /// read.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<Invite>, InviteError> {
        let mut invites = match &self.0 {
            Place::Files(files) => in_thread(files, move |files| files.list(now)).await?,
            Place::Records(storage) => records::list(&**storage, now).await?,
        };
        invites.sort_by_key(|invite| invite.made);
        Ok(invites)
    }

    /// Takes one back that was not used, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`InviteError`] says which of them it is not.
    pub async fn revoke(&self, id: &str, now: Timestamp) -> Result<Invite, InviteError> {
        let id = id.to_owned();
        match &self.0 {
            Place::Files(files) => in_thread(files, move |files| files.revoke(&id, now)).await,
            Place::Records(storage) => records::revoke(&**storage, &id, now).await,
        }
    }

    /// What became of the invite with these words; `None` when there is none.
    pub(crate) async fn state(&self, words: &str, now: Timestamp) -> Result<Option<InviteState>, InviteError> {
        let hash = hash(words);
        match &self.0 {
            Place::Files(files) => in_thread(files, move |files| files.state(&hash, now)).await,
            Place::Records(storage) => Ok(records::state(&**storage, &hash, now).await?),
        }
    }

    /// Notes for the list of files that a home was made with it. Where there are records, the home's commit says it.
    pub(crate) async fn mark_used(&self, hash: [u8; 32], now: Timestamp) -> Result<(), InviteError> {
        match &self.0 {
            Place::Files(files) => in_thread(files, move |files| files.mark_used(&hash, now)).await,
            Place::Records(_) => Ok(()),
        }
    }

    /// Notes the same of all that the index says were used: a crash may have come between a home's commit and the note.
    pub(crate) async fn mark_all_used(&self, index: &dyn Storage, now: Timestamp) -> Result<(), InviteError> {
        let Place::Files(files) = &self.0 else { return Ok(()) };
        for hash in in_thread(files, |files| files.unused()).await? {
            if let Ok(Some(_)) = index.get(invite_key(&hash)).await {
                self.mark_used(hash, now).await?;
            }
        }
        Ok(())
    }
}

async fn in_thread<T: Send + 'static>(
    files: &Files,
    work: impl FnOnce(&Files) -> Result<T, InviteError> + Send + 'static,
) -> Result<T, InviteError> {
    let files = files.clone();
    match tokio::task::spawn_blocking(move || work(&files)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(StoreError::Io(error.to_string()).into()),
    }
}

/// What is known of the invite with this hash, in hexadecimal.
fn known(hash: &str, record: InviteRecord, used: bool, now: Timestamp) -> Invite {
    let InviteRecord { note, made, until } = record;
    let state = match used {
        true => InviteState::Used,
        false if until <= now => InviteState::Ended,
        false => InviteState::Open,
    };
    Invite { id: hash.chars().take(ID).collect(), note, made, until, state }
}

fn hash(words: &str) -> [u8; 32] {
    *blake3::hash(words.as_bytes()).as_bytes()
}
