//! Media as files. When [`BlobWriter::finish`] has returned, a blob is whole and durable under its name: bytes go to a partial file,
//! which is renamed into place; then the file is synced, and its directory. A partial file survives a crash up to its last sync and
//! can be gone on with.
//!
//! A name alone promises nothing: after a power cut it may stand for a file without its bytes. Whoever finishes a blob writes it
//! down elsewhere afterwards, and removes what was not written down. (The name comes before the bytes because a file system with a
//! journal then makes both durable in one go, and has little left to do for the directory.)
//!
//! Layout: `<root>/<two digits>/<name>` for whole blobs, `<root>/partial/<name>` for those being written. The two digits
//! spread the names over 256 directories.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use privet_protocol::storage::StoreError;

use crate::disk::{Access, Disk, DiskFile, Kind, SystemDisk, classify, create_directory};
use crate::shared_sync::SharedSyncs;

/// A file that was opened, and its length in bytes.
pub type OpenedFile = (Arc<dyn DiskFile>, u64);

/// A blob's name: 1 to 120 of `0-9 a-z _ -` and `.`, not starting with a dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobName(Arc<str>);

/// The text is not a blob's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no blob name: 1 to 120 of 0-9 a-z _ - . are allowed, not starting with a dot")]
pub struct BlobNameError(String);

impl FromStr for BlobName {
    type Err = BlobNameError;

    fn from_str(text: &str) -> Result<Self, BlobNameError> {
        let allowed = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > 120 || text.starts_with('.') || !text.bytes().all(allowed) {
            return Err(BlobNameError(text.chars().take(64).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl BlobName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A blob in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub name: BlobName,
    /// Its length in bytes.
    pub length: u64,
    /// Whether it is still being written, or was when its writer died.
    pub partial: bool,
}

/// A directory of blobs. Clones share it.
#[derive(Debug, Clone)]
pub struct Blobs {
    disk: Arc<dyn Disk>,
    root: Arc<PathBuf>,
    free_floor: u64,
    /// Directories whose names this process has synced. That one is there is not enough: who made it may not have come so far.
    synced: Arc<Mutex<BTreeSet<PathBuf>>>,
    syncs: Arc<SharedSyncs>,
}

impl Blobs {
    /// The blobs in `root`, which is made when it is not there. Writing is refused as [`StoreError::Full`] once it would leave
    /// less than `free_floor` bytes on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the directory can't be made or used.
    pub fn open(root: impl Into<PathBuf>, free_floor: u64) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(SystemDisk), root, free_floor)
    }

    /// The blobs in `root` on this disk.
    ///
    /// # Errors
    /// Those of [`Blobs::open`].
    pub fn open_on(disk: Arc<dyn Disk>, root: impl Into<PathBuf>, free_floor: u64) -> Result<Self, StoreError> {
        let root = root.into();
        create_directory(&*disk, &root).map_err(|e| classify(&root, &e))?;
        // One sync makes all names durable, where each first blob of a directory would need one. On a disk that is full each is
        // made when it is needed.
        let there = |directory: &PathBuf| match disk.make_directory(directory) {
            Err(error) => error.kind() == ErrorKind::AlreadyExists,
            Ok(()) => true,
        };
        let named: BTreeSet<_> = (0..=u8::MAX).map(|digits| root.join(two_digits(digits))).filter(there).collect();
        let partial = root.join(PARTIAL);
        create_directory(&*disk, &partial).map_err(|e| classify(&partial, &e))?;
        let synced = Arc::new(Mutex::new(named));
        Ok(Self { disk, root: Arc::new(root), free_floor, synced, syncs: Arc::default() })
    }

    /// Writes a blob, going on after what an earlier writer left: see [`BlobWriter::length`]. Only one writer may have a name
    /// at a time; that is the caller's business.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Full`] among them.
    pub fn write(&self, name: &BlobName) -> Result<BlobWriter, StoreError> {
        let path = self.partial_path(name);
        let (file, length) = self.opened(&path, Access::Write).map_err(|e| classify(&path, &e))?;
        let mut writer = BlobWriter { blobs: self.clone(), name: name.clone(), path, file, length, allowance: 0 };
        writer.ask_for_room(0)?;
        Ok(writer)
    }

    /// A whole blob's file and length; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be opened.
    pub fn open_blob(&self, name: &BlobName) -> Result<Option<OpenedFile>, StoreError> {
        let path = self.whole_path(name);
        match self.opened(&path, Access::Read) {
            Ok(opened) => Ok(Some(opened)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(classify(&path, &e)),
        }
    }

    /// A whole blob's bytes; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub fn read(&self, name: &BlobName) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((file, length)) = self.open_blob(name)? else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0).map_err(|e| classify(&self.whole_path(name), &e))?;
        Ok(Some(bytes))
    }

    /// Removes a blob, whole or partial. That it was there is of no matter; that it is gone is durable only after
    /// [`Blobs::sync_removals`].
    ///
    /// # Errors
    /// [`StoreError`] when it can't be removed.
    pub fn remove(&self, name: &BlobName) -> Result<(), StoreError> {
        for path in [self.whole_path(name), self.partial_path(name)] {
            self.remove_file(&path)?;
        }
        Ok(())
    }

    /// Removes what is there of a blob that is not whole, and leaves a whole one alone.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be removed.
    pub fn remove_partial(&self, name: &BlobName) -> Result<(), StoreError> {
        self.remove_file(&self.partial_path(name))
    }

    /// Makes the removal of `name` durable, for those who must not find it again.
    ///
    /// # Errors
    /// [`StoreError`] when the directory can't be synced.
    pub fn sync_removals(&self, name: &BlobName) -> Result<(), StoreError> {
        for path in [self.whole_path(name), self.partial_path(name)] {
            let Some(directory) = path.parent() else { continue };
            match self.sync_directory(directory) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(classify(directory, &e)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Every blob there is. Files with other names, or at other places, are left alone.
    ///
    /// # Errors
    /// [`StoreError`] when a directory can't be read.
    pub fn list(&self) -> Result<Vec<BlobInfo>, StoreError> {
        let mut found = Vec::new();
        let directories = self.disk.list(&self.root).map_err(|e| classify(&self.root, &e))?;
        for directory in directories.into_iter().filter(|listed| listed.kind == Kind::Directory) {
            let partial = directory.name == PARTIAL;
            let path = self.root.join(directory.name);
            for file in self.disk.list(&path).map_err(|e| classify(&path, &e))? {
                let Kind::File(length) = file.kind else { continue };
                let Some(name) = file.name.to_str().and_then(|n| n.parse::<BlobName>().ok()) else { continue };
                if partial || self.whole_path(&name).parent() == Some(&path) {
                    found.push(BlobInfo { name, length, partial });
                }
            }
        }
        Ok(found)
    }

    /// Bytes that may still be written here.
    ///
    /// # Errors
    /// [`StoreError`] when the system does not say.
    pub fn room(&self) -> Result<u64, StoreError> {
        Ok(self.disk.free_bytes(&self.root)?.saturating_sub(self.free_floor))
    }

    /// How many bytes may still be written here, unless they are fewer than `wanted`, or none.
    ///
    /// # Errors
    /// [`StoreError::Full`] where writing so much would leave less than the floor, others when the system does not say.
    pub fn ask_for_room(&self, wanted: u64) -> Result<u64, StoreError> {
        let room = self.room()?;
        if room < wanted.max(1) {
            let (root, floor) = (self.root.display(), self.free_floor);
            return Err(StoreError::Full(format!("{root}: less than {floor} bytes would stay free")));
        }
        Ok(room)
    }

    fn opened(&self, path: &Path, access: Access) -> io::Result<OpenedFile> {
        let file = self.disk.open(path, access)?;
        let length = file.length()?;
        Ok((file, length))
    }

    fn remove_file(&self, path: &Path) -> Result<(), StoreError> {
        match self.disk.remove(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(classify(path, &e)),
            _ => Ok(()),
        }
    }

    /// Makes the directory and its name durable, once a run.
    fn directory(&self, directory: &Path) -> io::Result<()> {
        let synced = || self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if !synced().contains(directory) {
            create_directory(&*self.disk, directory)?;
            synced().insert(directory.to_owned());
        }
        Ok(())
    }

    /// Makes what was changed in a directory durable, with one sync for all who wait for that.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.syncs.sync(directory, || self.disk.sync_directory(directory))
    }

    fn whole_path(&self, name: &BlobName) -> PathBuf {
        // FNV-1a: any even spread will do.
        let hash =
            name.0.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        let [.., digits, _, _, _, _] = hash.to_be_bytes();
        self.root.join(two_digits(digits)).join(&*name.0)
    }

    fn partial_path(&self, name: &BlobName) -> PathBuf {
        self.root.join(PARTIAL).join(&*name.0)
    }
}

fn two_digits(number: u8) -> String {
    format!("{number:02x}")
}

/// A blob being written. Dropped, it leaves a partial file that the next writer of the name goes on with.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Blobs,
    name: BlobName,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    length: u64,
    allowance: u64,
}

const PARTIAL: &str = "partial";
/// How much may be written before the free space is asked for again.
const ALLOWANCE: u64 = 4 * 1024 * 1024;

impl BlobWriter {
    /// Bytes written so far, those of earlier writers among them.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The partial file, for readers that follow the writer up to [`BlobWriter::length`].
    pub fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`StoreError::Full`] below the free-space floor; after any error the blob is as long as before.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let length = bytes.len() as u64;
        if self.allowance < length {
            self.ask_for_room(length)?;
        }
        if let Err(error) = self.file.write_all_at(bytes, self.length) {
            // Half a write is cut off; if even that fails, the next writer sees the true length.
            let _ = self.file.set_length(self.length);
            return Err(classify(&self.path, &error));
        }
        self.allowance = self.allowance.saturating_sub(length);
        self.length += length;
        Ok(())
    }

    /// Cuts the blob back to `length` bytes.
    ///
    /// # Errors
    /// [`StoreError`] when the file can't be cut.
    pub fn truncate(&mut self, length: u64) -> Result<(), StoreError> {
        if length < self.length {
            self.file.set_length(length).map_err(|e| classify(&self.path, &e))?;
            self.length = length;
        }
        Ok(())
    }

    /// Makes the bytes so far durable, as a partial blob.
    ///
    /// # Errors
    /// [`StoreError`] when the disk does not.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync().map_err(|e| classify(&self.path, &e))?;
        let directory = self.blobs.root.join(PARTIAL);
        self.blobs.sync_directory(&directory).map_err(|e| classify(&directory, &e))
    }

    /// Makes the blob whole and durable under its name: its length.
    ///
    /// # Errors
    /// [`StoreError`]; then nobody knows what the disk has of it, and it is to be removed.
    pub fn finish(self) -> Result<u64, StoreError> {
        let whole = self.blobs.whole_path(&self.name);
        let publish = || -> io::Result<()> {
            let directory = whole.parent().ok_or(ErrorKind::NotFound)?;
            self.blobs.directory(directory)?;
            self.blobs.disk.rename(&self.path, &whole)?;
            self.file.sync()?;
            self.blobs.sync_directory(directory)
        };
        publish().map_err(|e| classify(&whole, &e))?;
        Ok(self.length)
    }

    /// Removes the partial file.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be removed.
    pub fn discard(self) -> Result<(), StoreError> {
        self.blobs.disk.remove(&self.path).map_err(|e| classify(&self.path, &e))
    }

    fn ask_for_room(&mut self, wanted: u64) -> Result<(), StoreError> {
        let room = self.blobs.ask_for_room(wanted)?;
        self.allowance = wanted.max(ALLOWANCE.min(room));
        Ok(())
    }
}
