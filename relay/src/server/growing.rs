//! A segment while it is written: one writer, any number of readers, each at its own place, none ever waits for another.
//!
//! Bytes of a passing segment stay in memory, shared by all readers; those of a kept one are read from its file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use privet_protocol::storage::StoreError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::priority;
use crate::storage::Body;

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
    Disk(Arc<dyn Body>),
}

struct Memory {
    chunks: Mutex<Vec<Bytes>>,
    budget: Arc<Budget>,
    reserved: AtomicU64,
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

/// Memory for passing segments, or for requests that are not whole: of all homes, or the share of it that one home may have.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    /// What this is a share of.
    whole: Option<Arc<Budget>>,
}

/// One home may have this part of the whole, so that none can take the others' live video away ...
const SHARE: u64 = 4;
/// ... but at least so much, in bytes, where the whole is small.
const LEAST_SHARE: u64 = 8 << 20;

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: limit.into(), used: AtomicU64::new(0), whole: None })
    }

    /// One home's share of this. What it takes is taken of the whole too.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { limit: 0.into(), used: AtomicU64::new(0), whole: Some(Arc::clone(self)) })
    }

    /// From now on as much; what is there stays.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes there now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn limit(&self) -> u64 {
        match &self.whole {
            None => self.limit.load(Ordering::Relaxed),
            Some(whole) => (whole.limit() / SHARE).max(LEAST_SHARE),
        }
    }

    fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .is_ok();
        if taken && self.whole.as_ref().is_some_and(|whole| !whole.take(bytes)) {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        taken
    }

    /// Nothing yet of this; what is taken is given back when it is dropped.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held { budget: Arc::clone(self), bytes: 0 }
    }

    fn give_back(&self, bytes: u64) {
        if let Some(whole) = &self.whole {
            whole.give_back(bytes);
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of a budget, until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Held {
    /// Takes more; `false` when there is not so much.
    pub(crate) fn more(&mut self, bytes: u64) -> bool {
        let taken = self.budget.take(bytes);
        self.bytes += if taken { bytes } else { 0 };
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// One home's shares of what all homes have together.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Of the memory for passing segments.
    pub(crate) passing: Arc<Budget>,
    /// Of that for requests of which not everything has come.
    pub(crate) half_sent: Arc<Budget>,
}

impl Growing {
    pub(crate) fn in_memory(index: u64, priority: i32, budget: Arc<Budget>) -> Arc<Self> {
        let memory = Memory { chunks: Mutex::default(), budget, reserved: AtomicU64::new(0) };
        Self::new(index, priority, Kind::Memory(memory), 0)
    }

    pub(crate) fn on_disk(index: u64, body: Arc<dyn Body>, length: u64) -> Arc<Self> {
        Self::new(index, priority::KEPT, Kind::Disk(body), length)
    }

    fn new(index: u64, priority: i32, body: Kind, length: u64) -> Arc<Self> {
        Arc::new(Self {
            index,
            priority,
            body,
            progress: watch::Sender::new(Progress { length, state: State::Growing }),
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

    /// Keeps a chunk for the readers; `false` when there is no memory left for it.
    pub(crate) fn push(&self, bytes: Bytes) -> bool {
        let Kind::Memory(memory) = &self.body else { return false };
        let length = bytes.len() as u64;
        if !memory.budget.take(length) {
            return false;
        }
        memory.reserved.fetch_add(length, Ordering::Relaxed);
        memory.chunks().push(bytes);
        self.progress.send_modify(|p| p.length += length);
        true
    }

    /// Readers may read up to here.
    pub(crate) fn grew_to(&self, length: u64) {
        self.progress.send_modify(|p| p.length = length);
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

impl Memory {
    fn chunks(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.give_back(self.reserved.load(Ordering::Relaxed));
    }
}

/// A reader's place.
pub(crate) struct Cursor {
    segment: Arc<Growing>,
    progress: watch::Receiver<Progress>,
    offset: u64,
    /// For segments in memory: the next chunk, and how much of it was read already.
    chunk: usize,
    into_chunk: usize,
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
        let mut cursor = Self { segment, progress, offset: 0, chunk: 0, into_chunk: 0 };
        cursor.seek(offset);
        cursor
    }

    fn seek(&mut self, offset: u64) {
        self.offset = offset;
        if let Kind::Memory(memory) = &self.segment.body {
            let mut left = offset;
            for chunk in memory.chunks().iter() {
                if left < chunk.len() as u64 {
                    break;
                }
                left -= chunk.len() as u64;
                self.chunk += 1;
            }
            self.into_chunk = usize::try_from(left).unwrap_or(usize::MAX);
        }
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
            Kind::Memory(memory) => {
                let chunks = memory.chunks();
                let Some(chunk) = chunks.get(self.chunk) else { return Ok(Bytes::new()) };
                let bytes = chunk.slice(self.into_chunk.min(chunk.len())..);
                self.chunk += 1;
                self.into_chunk = 0;
                Ok(bytes)
            }
            Kind::Disk(body) => {
                let most = usize::try_from(length - self.offset).unwrap_or(usize::MAX).min(READ_SIZE);
                body.read(self.offset, most).await
            }
        }
    }
}
