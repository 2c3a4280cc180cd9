//! A copy of the data directory, made while no relay runs on it: the index and the files it names can't move apart meanwhile.
//! It appears under its name only once it is whole, synced, and was opened and compared like the original.
//!
//! To restore is to copy it back. What it does not have is the configuration, and uploads that were under way.

use std::fs::{self, DirBuilder, File};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{DataDirectory, DataError};
use crate::storage::BODIES;

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct BackedUp {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Added to the name of a copy until it is whole.
const UNFINISHED: &str = ".unfinished";

impl DataDirectory {
    /// Copies everything to `to`, which must not be there yet.
    ///
    /// # Errors
    /// [`DataError::Inconsistent`] when something acknowledged is missing; [`DataError::Copy`] names what can't be written.
    pub async fn back_up(&self, to: &Path) -> Result<BackedUp, DataError> {
        self.refuse_losses().await?;
        let unfinished = unfinished(&self.path, to)?;
        let (from, at) = (self.path.clone(), unfinished.clone());
        let copied = tokio::task::spawn_blocking(move || {
            let mut copied = BackedUp::default();
            copy(&from, &at, &from.join(BODIES).join("partial"), &mut copied)?;
            // Opening it writes to its index: before it is synced.
            Ok((copied, DataDirectory::open(&at)?))
        });
        let (copied, copy) = copied.await.map_err(|e| failed(&unfinished)(Error::other(e)))??;
        copy.refuse_losses().await?;
        drop(copy);
        let to = to.to_owned();
        let published = tokio::task::spawn_blocking(move || {
            sync(&unfinished)?;
            fs::rename(&unfinished, &to).map_err(failed(&to))?;
            sync_parent(&to)
        });
        published.await.map_err(|e| failed(&self.path)(Error::other(e)))??;
        Ok(copied)
    }

    async fn refuse_losses(&self) -> Result<(), DataError> {
        let found = self.check(false).await?.findings.iter().filter(|finding| finding.is_loss()).count();
        match found {
            0 => Ok(()),
            found => Err(DataError::Inconsistent { directory: self.path.clone(), found }),
        }
    }
}

/// Where the copy is made until it is whole.
fn unfinished(from: &Path, to: &Path) -> Result<PathBuf, DataError> {
    let refuse = |path: &Path, text: &str| Err(failed(path)(Error::new(ErrorKind::InvalidInput, text.to_owned())));
    if to.symlink_metadata().is_ok() {
        return refuse(to, "is there already; name a new directory for each backup");
    }
    let Some(name) = to.file_name() else { return refuse(to, "is no name for a directory") };
    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let inside = parent.canonicalize().map_err(failed(parent))?;
    if inside.starts_with(from.canonicalize().map_err(failed(from))?) {
        return refuse(to, "is inside the data directory; a backup belongs elsewhere, best on another machine");
    }
    let mut name = name.to_owned();
    name.push(UNFINISHED);
    let path = parent.join(name);
    if path.symlink_metadata().is_ok() {
        return refuse(&path, "is left of a backup that broke off; remove it and try again");
    }
    Ok(path)
}

/// Copies a directory with what is in it, modes too, but nothing of `except`.
fn copy(from: &Path, to: &Path, except: &Path, copied: &mut BackedUp) -> Result<(), DataError> {
    // For its owner only, like the key files in it.
    DirBuilder::new().mode(0o700).create(to).map_err(failed(to))?;
    if from == except {
        return Ok(());
    }
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed(&source))?;
        if kind.is_dir() {
            copy(&source, &target, except, copied)?;
        } else if kind.is_file() {
            copied.bytes += fs::copy(&source, &target).map_err(failed(&source))?;
            copied.files += 1;
        } else {
            let text = "is neither a file nor a directory, and not the relay's: move it away";
            return Err(failed(&source)(Error::new(ErrorKind::InvalidInput, text)));
        }
    }
    Ok(())
}

/// Makes a directory with all that is in it durable, but not its name.
fn sync(directory: &Path) -> Result<(), DataError> {
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed(&path))?;
        }
    }
    File::open(directory).and_then(|file| file.sync_all()).map_err(failed(directory))
}

fn sync_parent(path: &Path) -> Result<(), DataError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|file| file.sync_all()).map_err(failed(parent))
}

fn failed(path: &Path) -> impl Fn(Error) -> DataError + use<> {
    let path = path.to_owned();
    move |cause| DataError::Copy { path: path.clone(), cause }
}
