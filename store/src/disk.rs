//! The file system as both stores need it: [`Disk`] is the machine's ([`SystemDisk`]) or one in memory whose power can be cut
//! ([`crate::MemoryDisk`]). What is durable is only what was synced: a file's bytes by syncing the file, its name by syncing the
//! directory that holds it.

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use privet_protocol::storage::StoreError;
use redb::{Builder, Database, DatabaseError};

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system said; `NotFound` when there is none and it is only to be read.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a redb database in a file, made if it is not there, for this process alone.
    ///
    /// # Errors
    /// Those of redb.
    fn open_database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError>;

    /// Makes one directory.
    ///
    /// # Errors
    /// What the system said; `AlreadyExists` when it is there.
    fn make_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes what was created, renamed or removed in a directory durable.
    ///
    /// # Errors
    /// What the system said.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Moves a file, over the one that may be there.
    ///
    /// # Errors
    /// What the system said.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system said.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// What is in a directory, in no order.
    ///
    /// # Errors
    /// What the system said.
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>>;

    /// Bytes that may still be written to the file system that holds `path`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system does not say.
    fn free_bytes(&self, path: &Path) -> Result<u64, StoreError>;
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read.
    Read,
    /// To be read and written; made if it is not there.
    Write,
}

/// A file or directory in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the directory.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// An open file. Reads and writes name their place, so that many may share it.
pub trait DiskFile: Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the system said.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` on: how many bytes of `out` were filled, 0 at the end.
    ///
    /// # Errors
    /// What the system said.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the system said; then any part may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// What the system said.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Makes bytes and length durable (not the name).
    ///
    /// # Errors
    /// What the system said.
    fn sync(&self) -> io::Result<()>;

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// What the system said; `UnexpectedEof` when the file is too short.
    fn read_exact_at(&self, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !out.is_empty() {
            match self.read_at(out, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    out = out.get_mut(read..).unwrap_or_default();
                    offset += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = match access {
            Access::Read => File::open(path)?,
            Access::Write => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?,
        };
        Ok(Arc::new(file))
    }

    fn open_database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        builder.create(path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let kind = match (kind.is_dir(), kind.is_file()) {
                (true, _) => Kind::Directory,
                (_, true) => Kind::File(entry.metadata()?.len()),
                _ => Kind::Other,
            };
            listed.push(Listed { name: entry.file_name(), kind });
        }
        Ok(listed)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, StoreError> {
        free_bytes(path)
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, out, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Bytes that an unprivileged process may still write on the file system that holds `path`.
///
/// # Errors
/// [`StoreError::Io`] when the system does not say.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| StoreError::Io(format!("{}: {e}", path.display())))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes `directory`, and those above it, where they are not there, and its name durable in any case: whoever made it may have
/// died before syncing it.
///
/// # Errors
/// What the system said.
pub fn create_directory(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => return Ok(()),
    };
    let made = match disk.make_directory(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_directory(disk, parent)?;
            disk.make_directory(directory)
        }
        outcome => outcome,
    };
    match (made, disk.sync_directory(parent)) {
        (Ok(()), synced) => synced,
        // Where we may not even look, nothing of this directory's name is ours.
        (Err(error), Err(sync)) if error.kind() == ErrorKind::AlreadyExists => match sync.kind() {
            ErrorKind::PermissionDenied => Ok(()),
            _ => Err(sync),
        },
        (Err(error), Ok(())) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        (Err(error), _) => Err(error),
    }
}

/// The class of a system error on `path`.
pub(crate) fn classify(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(text),
        ErrorKind::WouldBlock | ErrorKind::ResourceBusy => StoreError::Busy(text),
        _ => StoreError::Io(text),
    }
}
