//! A disk in memory whose power can be cut, for tests. What was synced survives; of everything done later any part may: each
//! page of a file on its own, in any of the states it went through, each name of a directory on its own, each file's length.
//! That is harsher than any file system, and all that this program may rely on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privet_protocol::random::Random;
use privet_protocol::storage::StoreError;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::disk::{Access, Disk, DiskFile, Kind, Listed};

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    nodes: BTreeMap<u64, Node>,
    changes: u64,
    /// The change at which the power goes.
    last: Option<u64>,
    off: bool,
    free_bytes: u64,
}

#[derive(Debug)]
enum Node {
    File(Contents),
    Directory(Names),
}

#[derive(Debug, Default)]
struct Contents {
    now: Vec<u8>,
    kept: Vec<u8>,
    /// What stood in each page since the last sync, oldest first.
    later: BTreeMap<usize, Vec<Vec<u8>>>,
}

#[derive(Debug, Default)]
struct Names {
    now: BTreeMap<OsString, u64>,
    kept: BTreeMap<OsString, u64>,
}

const ROOT: u64 = 0;
const PAGE: usize = 4096;
/// What it says is free, as long as nobody says something else.
const FREE: u64 = 1 << 40;

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::with(BTreeMap::from([(ROOT, Node::Directory(Names::default()))]))
    }

    fn with(nodes: BTreeMap<u64, Node>) -> Self {
        Self { state: Arc::new(Mutex::new(State { nodes, changes: 0, last: None, off: false, free_bytes: FREE })) }
    }

    /// Lets the power go in the middle of the change (or sync) after the next `changes` ones; from then on everything fails.
    pub fn cut_after(&self, changes: u64) {
        let mut state = self.state();
        state.last = Some(state.changes + changes);
    }

    /// Whether the power is gone.
    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// Says from now on that so many bytes are free. What is written all the same finds room.
    pub fn set_free_bytes(&self, free: u64) {
        self.state().free_bytes = free;
    }

    /// Changes and syncs so far.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Lets the power go, if it has not yet: what the next start finds.
    pub fn power_cut(&self, random: &dyn Random) -> Self {
        let mut state = self.state();
        state.off = true;
        let below = |limit: usize| {
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            usize::try_from(u64::from_be_bytes(bytes) % limit.max(1) as u64).unwrap_or(0)
        };
        // How much of what was not synced made it: nothing, everything, or any share.
        let share = [0, 0, 100, 10, 50, 90][below(6)];
        let survives = || below(100) < share;
        let nodes = state.nodes.iter().map(|(id, node)| {
            let node = match node {
                Node::File(file) => Node::File(Contents::settled(file.image(&survives, &below))),
                Node::Directory(names) => {
                    let image = names.image(&survives);
                    Node::Directory(Names { now: image.clone(), kept: image })
                }
            };
            (*id, node)
        });
        Self::with(nodes.collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self, path: &Path) -> io::Result<MemoryFile> {
        let file = self.state().open(path, Access::Write)?;
        Ok(MemoryFile { disk: self.clone(), file })
    }
}

impl Default for MemoryDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Contents {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { now: bytes.clone(), kept: bytes, later: BTreeMap::new() }
    }

    fn image(&self, survives: &dyn Fn() -> bool, below: &dyn Fn(usize) -> usize) -> Vec<u8> {
        let mut image = self.kept.clone();
        if survives() {
            image.resize(self.now.len(), 0);
        }
        for (page, versions) in &self.later {
            if survives()
                && let Some(version) = versions.get(below(versions.len()))
            {
                let start = page * PAGE;
                // A page without its file's new length is beyond the end.
                let end = (start + version.len()).min(image.len());
                if start < end {
                    image[start..end].copy_from_slice(&version[..end - start]);
                }
            }
        }
        image
    }

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        for page in offset / PAGE..end.div_ceil(PAGE) {
            let whole = page * PAGE..((page + 1) * PAGE).min(self.now.len());
            let versions = self.later.entry(page).or_default();
            // A file that is appended to a few bytes at a time would remember every one of them.
            if versions.len() == 4 {
                versions.remove(1);
            }
            versions.push(self.now[whole].to_vec());
        }
    }
}

impl Names {
    fn image(&self, survives: &dyn Fn() -> bool) -> BTreeMap<OsString, u64> {
        let mut image = self.kept.clone();
        for name in self.kept.keys().chain(self.now.keys()) {
            let now = self.now.get(name);
            if now != self.kept.get(name) && survives() {
                match now {
                    Some(id) => image.insert(name.clone(), *id),
                    None => image.remove(name),
                };
            }
        }
        image
    }
}

impl State {
    fn powered(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// Counts a change: whether it still happens, and whether its doer hears of it.
    fn change<T>(&mut self, sync: bool, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        self.powered()?;
        self.off = self.last.is_some_and(|last| self.changes >= last);
        self.changes += 1;
        // A write may be on its way to the platter when the power goes, a sync has not come to its end.
        let outcome = if self.off && sync { Err(io::Error::other("the power went")) } else { work(self) };
        self.powered()?;
        outcome
    }

    fn directory(&mut self, path: &Path) -> io::Result<&mut Names> {
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Some(Node::Directory(names)) = self.nodes.get(&at) else { return Err(ErrorKind::NotADirectory.into()) };
            at = *names.now.get(name).ok_or(ErrorKind::NotFound)?;
        }
        match self.nodes.get_mut(&at) {
            Some(Node::Directory(names)) => Ok(names),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory that holds `path`, and the name there.
    fn holder<'a>(&mut self, path: &'a Path) -> io::Result<(&mut Names, &'a OsStr)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.directory(path.parent().ok_or(ErrorKind::InvalidInput)?)?, name))
    }

    fn open(&mut self, path: &Path, access: Access) -> io::Result<u64> {
        self.powered()?;
        let (names, name) = self.holder(path)?;
        if let Some(id) = names.now.get(name).copied() {
            return match self.nodes.get(&id) {
                Some(Node::File(_)) => Ok(id),
                _ => Err(ErrorKind::IsADirectory.into()),
            };
        }
        match access {
            Access::Read => Err(ErrorKind::NotFound.into()),
            Access::Write => self.change(false, |state| state.add(path, Node::File(Contents::default()))),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<u64> {
        let id = self.nodes.last_key_value().map_or(ROOT, |(last, _)| last + 1);
        let (names, name) = self.holder(path)?;
        names.now.insert(name.to_owned(), id);
        self.nodes.insert(id, node);
        Ok(id)
    }

    fn file(&mut self, id: u64) -> io::Result<&mut Contents> {
        self.powered()?;
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.state().open(path, access)?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), file }))
    }

    fn open_database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        let file = self.backend(path).map_err(redb::StorageError::Io)?;
        builder.create_with_backend(file)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (names, name) = state.holder(path)?;
        if names.now.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.change(false, |state| state.add(path, Node::Directory(Names::default())).map(drop))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.state().change(true, |state| {
            let names = state.directory(path)?;
            names.kept.clone_from(&names.now);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().change(false, |state| {
            let (names, name) = state.holder(from)?;
            let id = names.now.remove(name).ok_or(ErrorKind::NotFound)?;
            let (names, name) = state.holder(to)?;
            names.now.insert(name.to_owned(), id);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (names, name) = state.holder(path)?;
        if !names.now.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        state.change(false, |state| {
            let (names, name) = state.holder(path)?;
            names.now.remove(name);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let mut state = self.state();
        state.powered()?;
        let names = state.directory(path)?.now.clone();
        let kind = |id| match state.nodes.get(id) {
            Some(Node::File(file)) => Kind::File(file.now.len() as u64),
            _ => Kind::Directory,
        };
        Ok(names.iter().map(|(name, id)| Listed { name: name.clone(), kind: kind(id) }).collect())
    }

    fn free_bytes(&self, _: &Path) -> Result<u64, StoreError> {
        Ok(self.state().free_bytes)
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    file: u64,
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().file(self.file)?.now.len() as u64)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let bytes = &state.file(self.file)?.now;
        let rest = bytes.get(place(offset)?..).unwrap_or_default();
        let read = rest.len().min(out.len());
        out[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = place(offset)?;
        self.disk.state().change(false, |state| {
            // Not through `powered`: this very write may be the one in which the power goes.
            if let Some(Node::File(file)) = state.nodes.get_mut(&self.file) {
                file.write(bytes, offset);
            }
            Ok(())
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = place(length)?;
        self.disk.state().change(false, |state| {
            if let Some(Node::File(file)) = state.nodes.get_mut(&self.file) {
                file.now.resize(length, 0);
                // What was cut off is not what a page may turn into again.
                file.later.retain(|page, _| page * PAGE < length);
            }
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().change(true, |state| {
            let file = state.file(self.file)?;
            file.kept.clone_from(&file.now);
            file.later.clear();
            Ok(())
        })
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.set_length(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
}

fn place(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::random::SeededRandom;

    use super::*;

    /// What is there after cuts of many seeds: whether it was there always, sometimes or never.
    fn after_cuts(prepare: impl Fn(&MemoryDisk), found: impl Fn(&MemoryDisk) -> bool) -> (bool, bool) {
        let outcomes: Vec<bool> = (0..60_u8)
            .map(|seed| {
                let disk = MemoryDisk::new();
                prepare(&disk);
                let after = disk.power_cut(&SeededRandom::new(&[seed]));
                assert!(disk.is_off() && disk.open(Path::new("/a"), Access::Write).is_err());
                found(&after)
            })
            .collect();
        (outcomes.iter().any(|found| *found), outcomes.iter().all(|found| *found))
    }

    fn holds(disk: &MemoryDisk, path: &str, bytes: &[u8]) -> bool {
        let Ok(file) = disk.open(Path::new(path), Access::Read) else { return false };
        let mut out = vec![0; bytes.len()];
        file.read_exact_at(&mut out, 0).is_ok() && out == bytes
    }

    #[test]
    fn only_what_was_synced_is_sure_to_survive() {
        let write = |disk: &MemoryDisk, sync: bool| {
            let file = disk.open(Path::new("/a"), Access::Write).unwrap();
            file.write_all_at(&[7; 10_000], 0).unwrap();
            if sync {
                file.sync().unwrap();
            }
        };
        let found = |disk: &MemoryDisk| holds(disk, "/a", &[7; 10_000]);
        let named = |disk: &MemoryDisk| disk.sync_directory(Path::new("/")).unwrap();
        assert_eq!(after_cuts(|disk| write(disk, true), found), (true, false), "a name that was not synced");
        let unsynced = |disk: &MemoryDisk| {
            write(disk, false);
            named(disk);
        };
        assert_eq!(after_cuts(unsynced, found), (true, false), "bytes that were not synced");
        let both = |disk: &MemoryDisk| {
            write(disk, true);
            named(disk);
        };
        assert_eq!(after_cuts(both, found), (true, true));
        let moved = |disk: &MemoryDisk| {
            both(disk);
            disk.rename(Path::new("/a"), Path::new("/b")).unwrap();
        };
        assert_eq!(after_cuts(moved, |disk| holds(disk, "/b", &[7; 10_000])), (true, false), "a move not synced");
    }

    #[test]
    fn the_power_goes_at_the_change_it_was_told() {
        let disk = MemoryDisk::new();
        let file = disk.open(Path::new("/a"), Access::Write).unwrap();
        disk.cut_after(1);
        file.write_all_at(b"one", 0).unwrap();
        assert!(file.write_all_at(b"two", 3).is_err() && disk.is_off());
        assert!(file.length().is_err() && disk.list(Path::new("/")).is_err());
    }
}
