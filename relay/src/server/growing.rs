//! A segment while it is written: one writer, any number of readers, each at its own place, none ever waits for another.
//!
//! Bytes of a passing segment stay in memory, shared by all readers; those of a kept one are read from its file, which is open only
//! while somebody writes or reads it: an upload that broke off costs no file descriptor. What is small and comes at once never has one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use privet_protocol::storage::StoreError;
use privet_store::BlobName;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Holder};
use super::priority;
use crate::storage::{Body, BodyWriter, Storage};

pub(crate) struct Growing {
    pub(crate) index: u64,
    /// Of the streams that carry it to followers.
    pub(crate) priority: i32,
    body: Kind,
    progress: watch::Sender<Progress>,
    /// Tells the writer that another one takes its place, and that one when it is gone.
    writer: tokio::sync::Mutex<()>,
    takeover: Mutex<CancellationToken>,
}

enum Kind {
    Memory(Memory),
    Disk(Upload),
}

struct Upload {
    name: BlobName,
    storage: Arc<dyn Storage>,
    /// Nothing is there of it: its file was never opened.
    blank: AtomicBool,
    /// Held while it is opened.
    file: tokio::sync::Mutex<Option<Weak<dyn Body>>>,
    /// Bytes of its home's that it takes.
    counted: AtomicU64,
}

struct Memory {
    held: Mutex<Chunks>,
    budget: Arc<Budget>,
}

/// A passing segment's bytes, in memory of the relay's own: what comes from the network is part of the datagrams that it came in, and holds
/// all of them, however little of them it is.
#[derive(Default)]
struct Chunks {
    /// Each with its offset. Of two neighbours at least one is half a chunk long, so that what a chunk costs beside its bytes is little.
    chunks: Vec<(u64, Bytes)>,
    length: u64,
    /// Another home needed the memory.
    lost: bool,
}

/// What comes is added to the last chunk as long as both together are not longer than this.
const CHUNK: usize = 2048;

impl Chunks {
    fn push(&mut self, bytes: &[u8]) {
        match self.chunks.last_mut() {
            Some((_, last)) if last.len() + bytes.len() <= CHUNK => *last = [&last[..], bytes].concat().into(),
            _ => self.chunks.push((self.length, Bytes::copy_from_slice(bytes))),
        }
        self.length += bytes.len() as u64;
    }

    /// What there is at an offset, to the end of its chunk; nothing at the end.
    fn at(&self, offset: u64) -> Bytes {
        let next = self.chunks.partition_point(|(begins, _)| *begins <= offset);
        let Some((begins, chunk)) = next.checked_sub(1).and_then(|at| self.chunks.get(at)) else { return Bytes::new() };
        let into = usize::try_from(offset - begins).unwrap_or(usize::MAX).min(chunk.len());
        // A small part of a chunk would hold all of it where it is sent, also when the chunk has made way for a longer one.
        match chunk.len() - into {
            rest if rest < chunk.len() / 2 => Bytes::copy_from_slice(&chunk[into..]),
            _ => chunk.slice(into..),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) length: u64,
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Growing,
    Whole,
    /// What was written so far leads nowhere: it is started anew, or was dropped.
    Broken,
}

impl Growing {
    pub(crate) fn in_memory(index: u64, priority: i32, budget: Arc<Budget>) -> Arc<Self> {
        let memory = Memory { held: Mutex::default(), budget: Arc::clone(&budget) };
        let segment = Self::new(index, priority, Kind::Memory(memory));
        budget.add(&segment);
        segment
    }

    /// An upload to the body of this name, which is opened when somebody writes or reads it. A blank one has no file until then.
    pub(crate) fn on_disk(index: u64, name: BlobName, storage: Arc<dyn Storage>, blank: bool) -> Arc<Self> {
        let (file, counted) = (tokio::sync::Mutex::default(), AtomicU64::new(0));
        let upload = Upload { name, storage, blank: blank.into(), file, counted };
        Self::new(index, priority::KEPT, Kind::Disk(upload))
    }

    fn new(index: u64, priority: i32, body: Kind) -> Arc<Self> {
        Arc::new(Self {
            index,
            priority,
            body,
            progress: watch::Sender::new(Progress { length: 0, state: State::Growing }),
            writer: tokio::sync::Mutex::new(()),
            takeover: Mutex::default(),
        })
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Becomes the writer once the one before has let go, which it is asked to. The token says when to let go.
    pub(crate) async fn become_writer(&self) -> (tokio::sync::MutexGuard<'_, ()>, CancellationToken) {
        let token = CancellationToken::new();
        std::mem::replace(&mut *self.takeover(), token.clone()).cancel();
        (self.writer.lock().await, token)
    }

    /// Takes the writer's place, so that nobody writes; `None` when somebody does.
    pub(crate) fn hold(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        self.writer.try_lock().ok()
    }

    /// Whether its file was never opened. Asked by who has the writer's place.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(&self.body, Kind::Disk(upload) if upload.blank.load(Ordering::Relaxed))
    }

    /// Opens its file, for who has the writer's place. Readers share it as long as the second one is held.
    pub(crate) async fn open(&self) -> Result<(Box<dyn BodyWriter>, Arc<dyn Body>), StoreError> {
        let Kind::Disk(upload) = &self.body else { return Err(StoreError::Io("what passes has no file".into())) };
        let mut file = upload.file.lock().await;
        upload.blank.store(false, Ordering::Relaxed);
        let writer = upload.storage.write_body(upload.name.clone()).await?;
        let body = writer.reader();
        *file = Some(Arc::downgrade(&body));
        self.grew_to(writer.length());
        Ok((writer, body))
    }

    /// Its file for a reader; `None` when there is none any more.
    async fn file(&self, upload: &Upload) -> Result<Option<Arc<dyn Body>>, StoreError> {
        let mut file = upload.file.lock().await;
        // Looked at under the lock: who takes the file away ends the segment first, and waits for this.
        let state = self.progress().state;
        if state == State::Broken {
            return Ok(None);
        }
        if let Some(body) = file.as_ref().and_then(Weak::upgrade) {
            return Ok(Some(body));
        }
        let body = match state {
            // Nobody writes: opened as a writer would, and nothing is written.
            State::Growing => Some(upload.storage.write_body(upload.name.clone()).await?.reader()),
            State::Whole | State::Broken => upload.storage.body(upload.name.clone()).await?,
        };
        *file = body.as_ref().map(Arc::downgrade);
        Ok(body)
    }

    /// Resolves when nobody is about to open the file of a segment that was ended, so that none is made anew.
    pub(crate) async fn closed(&self) {
        if let Kind::Disk(upload) = &self.body {
            drop(upload.file.lock().await);
        }
    }

    /// Resolves when it leads nowhere any more.
    pub(crate) async fn broken(&self) {
        let _ = self.progress.subscribe().wait_for(|progress| progress.state == State::Broken).await;
    }

    /// Bytes of its home's that an upload takes. Whoever has the writer's place changes it.
    pub(crate) fn counted(&self) -> u64 {
        self.count().map_or(0, |counted| counted.load(Ordering::Relaxed))
    }

    pub(crate) fn set_counted(&self, bytes: u64) {
        if let Some(counted) = self.count() {
            counted.store(bytes, Ordering::Relaxed);
        }
    }

    /// Takes them off the upload, once: to give them back, or because they are another's from now on.
    pub(crate) fn take_counted(&self) -> u64 {
        self.count().map_or(0, |counted| counted.swap(0, Ordering::Relaxed))
    }

    fn count(&self) -> Option<&AtomicU64> {
        match &self.body {
            Kind::Disk(upload) => Some(&upload.counted),
            Kind::Memory(_) => None,
        }
    }

    /// Keeps a copy of these bytes for the readers; `false` when there is no memory left for it.
    pub(crate) fn push(&self, bytes: &[u8]) -> bool {
        let Kind::Memory(memory) = &self.body else { return false };
        let length = bytes.len() as u64;
        if !memory.budget.take(length) {
            return false;
        }
        let mut held = memory.held();
        if held.lost {
            drop(held);
            memory.budget.give_back(length);
            return false;
        }
        held.push(bytes);
        drop(held);
        self.progress.send_modify(|p| p.length += length);
        true
    }

    /// Readers may read up to here.
    pub(crate) fn grew_to(&self, length: u64) {
        self.progress.send_modify(|p| p.length = length);
    }

    /// It is whole, with so many bytes. Both at once: readers of one that is small must not look for its file before.
    pub(crate) fn whole(&self, length: u64) {
        self.progress.send_modify(|p| {
            if p.state == State::Growing {
                *p = Progress { length, state: State::Whole };
            }
        });
    }

    pub(crate) fn end(&self, state: State) {
        self.progress.send_modify(|p| {
            if p.state == State::Growing {
                p.state = state;
            }
        });
    }

    fn takeover(&self) -> MutexGuard<'_, CancellationToken> {
        self.takeover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder for Growing {
    /// Gives all its memory back, whole or not.
    fn lose(&self) -> bool {
        let Kind::Memory(memory) = &self.body else { return false };
        let lost = {
            let mut held = memory.held();
            if held.length == 0 {
                return false;
            }
            std::mem::replace(&mut *held, Chunks { lost: true, ..Chunks::default() }).length
        };
        self.progress.send_modify(|p| p.state = State::Broken);
        memory.budget.give_back(lost);
        true
    }
}

impl Memory {
    fn held(&self) -> MutexGuard<'_, Chunks> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.give_back(self.held().length);
    }
}

/// A reader's place.
pub(crate) struct Cursor {
    segment: Arc<Growing>,
    progress: watch::Receiver<Progress>,
    offset: u64,
    /// For segments on disk: open from the first read on.
    file: Option<Arc<dyn Body>>,
}

pub(crate) enum Piece {
    Bytes(Bytes),
    End,
    Broken,
}

/// How much is read from a file at once.
pub(crate) const READ_SIZE: usize = 64 * 1024;

impl Cursor {
    pub(crate) fn new(segment: Arc<Growing>, offset: u64) -> Self {
        let progress = segment.progress.subscribe();
        Self { segment, progress, offset, file: None }
    }

    /// What comes next, waiting for the writer where needed. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Piece, StoreError> {
        loop {
            let progress = *self.progress.borrow_and_update();
            if progress.state == State::Broken {
                return Ok(Piece::Broken);
            }
            if self.offset < progress.length {
                let bytes = self.read(progress.length).await?;
                if !bytes.is_empty() {
                    self.offset += bytes.len() as u64;
                    return Ok(Piece::Bytes(bytes));
                }
                return Ok(Piece::Broken);
            }
            if progress.state == State::Whole {
                return Ok(Piece::End);
            }
            if self.progress.changed().await.is_err() {
                return Ok(Piece::Broken);
            }
        }
    }

    async fn read(&mut self, length: u64) -> Result<Bytes, StoreError> {
        match &self.segment.body {
            Kind::Memory(memory) => Ok(memory.held().at(self.offset)),
            Kind::Disk(upload) => {
                let file = match &self.file {
                    Some(file) => Arc::clone(file),
                    None => {
                        let Some(file) = self.segment.file(upload).await? else { return Ok(Bytes::new()) };
                        Arc::clone(self.file.insert(file))
                    }
                };
                let most = usize::try_from(length - self.offset).unwrap_or(usize::MAX).min(READ_SIZE);
                file.read(self.offset, most).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn of_a_datagram_is_held_what_is_counted_and_in_few_chunks() {
        const BYTES: usize = 10_000;
        let budget = Budget::new(BYTES as u64);
        let segment = Growing::in_memory(0, 1, Arc::clone(&budget));
        let mut reader = Cursor::new(Arc::clone(&segment), 0);
        let mut read = Vec::new();
        for number in 0..BYTES {
            let datagram = Bytes::from(vec![number as u8; 1200]);
            assert!(segment.push(&datagram.slice(..1)));
            if number % 7 == 0 {
                let Piece::Bytes(bytes) = reader.next().await.unwrap() else { panic!("no bytes") };
                read.extend_from_slice(&bytes);
            }
            assert!(datagram.is_unique(), "the datagram is held");
        }
        let Kind::Memory(memory) = &segment.body else { panic!("not in memory") };
        let chunks = memory.held().chunks.len();
        assert!(chunks <= BYTES.div_ceil(CHUNK / 2), "{chunks} chunks");
        assert!(!segment.push(&[1]), "there is no more memory");
        segment.end(State::Whole);
        let whole: Vec<u8> = (0..BYTES).map(|number| number as u8).collect();
        for (mut reader, mut read) in [(reader, read), (Cursor::new(Arc::clone(&segment), 0), Vec::new())] {
            while let Piece::Bytes(bytes) = reader.next().await.unwrap() {
                read.extend_from_slice(&bytes);
            }
            assert!(read == whole);
        }
        for offset in [1, 2047, 2048, 2049, 9_999] {
            let Piece::Bytes(bytes) = Cursor::new(Arc::clone(&segment), offset as u64).next().await.unwrap() else {
                panic!("nothing at {offset}");
            };
            assert_eq!(bytes, whole[offset..offset + bytes.len()]);
        }
        drop(segment);
        assert_eq!(budget.used(), 0);
    }
}
