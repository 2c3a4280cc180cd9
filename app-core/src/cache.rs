//! Sealed segments on this phone's disk: fetched once, resumed where a fetch broke off, bounded, longest unused first out.
//!
//! What lies here is ciphertext as the relay had it; it is verified whenever it is opened, so a damaged file is a miss, not
//! a danger. A segment is durable before anyone tells the relay that it is no longer needed there.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use privet_protocol::id::StreamId;

use crate::error::{CoreError, Result};

/// The cache.
pub(crate) struct Cache {
    dir: PathBuf,
    limit: u64,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    segments: HashMap<(StreamId, u64), Held>,
    bytes: u64,
    uses: u64,
}

struct Held {
    bytes: u64,
    used: u64,
}

impl Cache {
    /// The cache in `dir`, with what is there.
    pub(crate) fn open(dir: &Path, limit: u64) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| CoreError::file(dir, &e))?;
        let mut found = Vec::new();
        for stream in fs::read_dir(dir).map_err(|e| CoreError::file(dir, &e))?.flatten() {
            let Some(id) = stream.file_name().to_str().and_then(|name| name.parse::<StreamId>().ok()) else { continue };
            let Ok(files) = fs::read_dir(stream.path()) else { continue };
            for file in files.flatten() {
                let name = file.file_name();
                let Some(index) = name.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse().ok())
                else {
                    continue;
                };
                if let Ok(about) = file.metadata() {
                    found.push((about.modified().ok(), (id, index), about.len()));
                }
            }
        }
        found.sort_unstable();
        let mut index = Index::default();
        for (_, key, bytes) in found {
            index.add(key, bytes);
        }
        let cache = Self { dir: dir.to_owned(), limit, index: Mutex::new(index) };
        cache.evict(None);
        Ok(cache)
    }

    /// Whether the segment is here.
    #[cfg(test)]
    pub(crate) fn has(&self, stream: &StreamId, segment: u64) -> bool {
        self.lock().segments.contains_key(&(*stream, segment))
    }

    /// Whether all of `segments` are here.
    pub(crate) fn has_all(&self, stream: &StreamId, mut segments: Range<u64>) -> bool {
        let index = self.lock();
        segments.all(|segment| index.segments.contains_key(&(*stream, segment)))
    }

    /// The segment's sealed bytes.
    pub(crate) fn read(&self, stream: &StreamId, segment: u64) -> Option<Bytes> {
        {
            let mut index = self.lock();
            let used = index.tick();
            index.segments.get_mut(&(*stream, segment))?.used = used;
        }
        match fs::read(self.path(stream, segment)) {
            Ok(bytes) => Some(bytes.into()),
            Err(_) => {
                self.lock().remove(&(*stream, segment));
                None
            }
        }
    }

    /// How much of an unfinished fetch is here.
    pub(crate) fn partial(&self, stream: &StreamId, segment: u64) -> u64 {
        fs::metadata(self.partial_path(stream, segment)).map_or(0, |about| about.len())
    }

    /// Adds to an unfinished fetch.
    pub(crate) fn partial_file(&self, stream: &StreamId, segment: u64) -> Result<PartialFile> {
        let dir = self.stream_dir(stream);
        fs::create_dir_all(&dir).map_err(|e| CoreError::file(&dir, &e))?;
        let path = self.partial_path(stream, segment);
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(|e| CoreError::file(&path, &e))?;
        Ok(PartialFile { file, path })
    }

    /// Forgets an unfinished fetch.
    pub(crate) fn drop_partial(&self, stream: &StreamId, segment: u64) {
        let _ = fs::remove_file(self.partial_path(stream, segment));
    }

    /// A fetch is whole: durable from here on, and counted.
    pub(crate) fn finish(&self, stream: &StreamId, segment: u64, partial: PartialFile) -> Result<()> {
        let failed = |e: std::io::Error| CoreError::file(&partial.path, &e);
        partial.file.sync_all().map_err(failed)?;
        let bytes = partial.file.metadata().map_err(failed)?.len();
        fs::rename(&partial.path, self.path(stream, segment)).map_err(failed)?;
        #[cfg(unix)]
        for dir in [&self.stream_dir(stream), &self.dir] {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| CoreError::file(dir, &e))?;
        }
        self.lock().add((*stream, segment), bytes);
        self.evict(Some((*stream, segment)));
        Ok(())
    }

    /// Forgets a segment.
    pub(crate) fn remove(&self, stream: &StreamId, segment: u64) {
        let _ = fs::remove_file(self.path(stream, segment));
        self.lock().remove(&(*stream, segment));
    }

    /// Forgets a whole stream.
    pub(crate) fn forget(&self, stream: &StreamId) {
        let mut index = self.lock();
        let held: Vec<_> = index.segments.keys().filter(|(of, _)| of == stream).copied().collect();
        for key in held {
            index.remove(&key);
        }
        let _ = fs::remove_dir_all(self.stream_dir(stream));
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Forgets everything.
    pub(crate) fn wipe(&self) {
        let mut index = self.lock();
        *index = Index::default();
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::create_dir_all(&self.dir);
    }

    /// Makes room, but keeps the segment that was just fetched for its reader.
    fn evict(&self, keep: Option<(StreamId, u64)>) {
        let mut index = self.lock();
        while index.bytes > self.limit {
            let oldest = index.segments.iter().filter(|(key, _)| Some(**key) != keep).min_by_key(|(_, held)| held.used);
            let Some(key) = oldest.map(|(key, _)| *key) else { return };
            let _ = fs::remove_file(self.path(&key.0, key.1));
            index.remove(&key);
            // Succeeds only once it is empty.
            let _ = fs::remove_dir(self.stream_dir(&key.0));
        }
    }

    fn stream_dir(&self, stream: &StreamId) -> PathBuf {
        self.dir.join(stream.to_string())
    }

    fn path(&self, stream: &StreamId, segment: u64) -> PathBuf {
        self.stream_dir(stream).join(format!("{segment}.seg"))
    }

    fn partial_path(&self, stream: &StreamId, segment: u64) -> PathBuf {
        self.stream_dir(stream).join(format!("{segment}.part"))
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn tick(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    fn add(&mut self, key: (StreamId, u64), bytes: u64) {
        self.remove(&key);
        let used = self.tick();
        self.bytes += bytes;
        self.segments.insert(key, Held { bytes, used });
    }

    fn remove(&mut self, key: &(StreamId, u64)) {
        if let Some(held) = self.segments.remove(key) {
            self.bytes -= held.bytes;
        }
    }
}

/// An unfinished fetch.
pub(crate) struct PartialFile {
    file: File,
    path: PathBuf,
}

impl PartialFile {
    /// Adds `bytes`.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| CoreError::file(&self.path, &e))
    }

    /// Everything so far.
    pub(crate) fn contents(&self) -> Result<Bytes> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|e| CoreError::file(&self.path, &e))?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream(n: u8) -> StreamId {
        StreamId::from_bytes([n; 16])
    }

    fn put(cache: &Cache, n: u8, segment: u64, bytes: usize) {
        let mut partial = cache.partial_file(&stream(n), segment).unwrap();
        partial.append(&vec![n; bytes]).unwrap();
        cache.finish(&stream(n), segment, partial).unwrap();
    }

    #[test]
    fn the_longest_unused_goes_first_and_the_bound_holds() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 250).unwrap();
        put(&cache, 1, 0, 100);
        put(&cache, 1, 1, 100);
        assert!(cache.read(&stream(1), 0).is_some());
        put(&cache, 2, 0, 100);
        assert!(cache.has(&stream(1), 0) && cache.has(&stream(2), 0) && !cache.has(&stream(1), 1));
        assert_eq!(cache.bytes(), 200);
        assert!(!cache.has_all(&stream(1), 0..2) && cache.has_all(&stream(2), 0..1));
        drop(cache);
        let cache = Cache::open(dir.path(), 150).unwrap();
        assert_eq!(cache.bytes(), 100);
        cache.wipe();
        assert_eq!(cache.bytes(), 0);
        assert_eq!(cache.read(&stream(2), 0), None);
    }

    #[test]
    fn an_unfinished_fetch_survives_and_does_not_count_as_held() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 1000).unwrap();
        cache.partial_file(&stream(1), 7).unwrap().append(b"half").unwrap();
        drop(cache);
        let cache = Cache::open(dir.path(), 1000).unwrap();
        assert_eq!(cache.partial(&stream(1), 7), 4);
        assert!(!cache.has(&stream(1), 7));
        let mut partial = cache.partial_file(&stream(1), 7).unwrap();
        partial.append(b"whole").unwrap();
        assert_eq!(&partial.contents().unwrap()[..], b"halfwhole");
        cache.finish(&stream(1), 7, partial).unwrap();
        assert_eq!(&cache.read(&stream(1), 7).unwrap()[..], b"halfwhole");
        assert_eq!(cache.partial(&stream(1), 7), 0);
    }
}
