//! A disk whose steps a test comes in between: it refuses, delays or leaves out some; the others are those of the disk below.

use std::io;
use std::path::Path;
use std::sync::Arc;

use privet_protocol::storage::StoreError;
use privet_store::{Access, Disk, DiskFile, Listed};

/// What the test does before a step.
pub trait Between: std::fmt::Debug + Send + Sync + 'static {
    /// A file gets its name.
    fn rename(&self) -> io::Result<()> {
        Ok(())
    }

    /// A file is made durable.
    fn sync_file(&self) -> io::Result<()> {
        Ok(())
    }

    /// A directory is made durable, or, if this is false, only said to be.
    fn sync_directory(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    /// Bytes that are said to be free, whatever is.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// The disk.
#[derive(Debug)]
pub struct PlayedDisk<B> {
    below: Arc<dyn Disk>,
    between: Arc<B>,
}

impl<B: Between> PlayedDisk<B> {
    pub fn on(below: impl Disk + 'static, between: &Arc<B>) -> Arc<Self> {
        Arc::new(Self { below: Arc::new(below), between: Arc::clone(between) })
    }
}

impl<B: Between> Disk for PlayedDisk<B> {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.below.open(path, access)?;
        Ok(Arc::new(PlayedFile { file, between: Arc::clone(&self.between) }))
    }

    fn open_database(&self, builder: &redb::Builder, path: &Path) -> Result<redb::Database, redb::DatabaseError> {
        self.below.open_database(builder, path)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        self.below.make_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if self.between.sync_directory(path)? { self.below.sync_directory(path) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.between.rename()?;
        self.below.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.below.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        self.below.list(path)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, StoreError> {
        self.between.free_bytes().map_or_else(|| self.below.free_bytes(path), Ok)
    }
}

#[derive(Debug)]
struct PlayedFile<B> {
    file: Arc<dyn DiskFile>,
    between: Arc<B>,
}

impl<B: Between> DiskFile for PlayedFile<B> {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(out, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.between.sync_file()?;
        self.file.sync()
    }
}
