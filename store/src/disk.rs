//! What both stores need from the file system: durable directories, free space, errors by class.

use std::fs::File;
use std::io;
use std::path::Path;

use privet_protocol::storage::StoreError;

/// Bytes that an unprivileged process may still write on the file system that holds `path`.
///
/// # Errors
/// [`StoreError::Io`] when the system does not say.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| StoreError::Io(format!("{}: {e}", path.display())))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes what was created, renamed or removed in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Creates `directory` and makes its name durable.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

/// The class of a system error on `path`.
pub(crate) fn classify(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy => StoreError::Busy(text),
        _ => StoreError::Io(text),
    }
}
