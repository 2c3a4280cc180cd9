//! A body that is made of objects, and its writer. What is appended gathers in memory until it is worth an object; the last of it
//! becomes one when the writer leaves or finishes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::storage::StoreError;
use privet_store::BlobName;

use super::Shared;
use super::manifest::{self, Chunk};
use super::objects::Objects;
use crate::storage::{Body, BodyWriter, broken_off};

/// So much of a body becomes an object, in bytes. Each one is a request that costs time and, at some, money; and what gathers is lost
/// with the process, and sent again.
pub(super) const CHUNK: usize = 1 << 20;
/// As many objects that were read last stay in memory, for each open body.
const CACHED: usize = 2;

/// The bytes of a body: readers of what is whole, and readers and writer of what grows, share one.
pub(super) struct Pieces {
    name: BlobName,
    objects: Objects,
    state: Mutex<State>,
    cache: Mutex<Vec<(String, Bytes)>>,
}

#[derive(Default)]
struct State {
    chunks: Vec<Chunk>,
    /// What gathers after them.
    tail: Vec<u8>,
    /// It was removed: nothing is added any more.
    gone: bool,
}

impl State {
    /// Where the chunks end.
    fn durable(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.start + chunk.length)
    }
}

/// Where bytes are.
enum Place {
    Nowhere,
    Here(Bytes),
    There(Chunk),
}

impl Pieces {
    pub(super) fn new(name: BlobName, objects: Objects, chunks: Vec<Chunk>) -> Arc<Self> {
        let state = Mutex::new(State { chunks, ..State::default() });
        Arc::new(Self { name, objects, state, cache: Mutex::default() })
    }

    /// Nothing is added to it any more.
    pub(super) fn end(&self) {
        self.state().gone = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn length(&self) -> u64 {
        let state = self.state();
        state.durable() + state.tail.len() as u64
    }

    fn place(&self, offset: u64, most: usize) -> Place {
        let state = self.state();
        let durable = state.durable();
        if offset >= durable {
            let from = usize::try_from(offset - durable).unwrap_or(usize::MAX).min(state.tail.len());
            let to = from.saturating_add(most).min(state.tail.len());
            return if from == to {
                Place::Nowhere
            } else {
                Place::Here(Bytes::copy_from_slice(&state.tail[from..to]))
            };
        }
        let after = state.chunks.partition_point(|chunk| chunk.start <= offset);
        match after.checked_sub(1).and_then(|place| state.chunks.get(place)) {
            Some(chunk) => Place::There(chunk.clone()),
            None => Place::Nowhere,
        }
    }

    async fn object(&self, chunk: &Chunk) -> Result<Bytes, StoreError> {
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = cache().iter().find(|(object, _)| *object == chunk.object) {
            return Ok(bytes.clone());
        }
        let bytes = self.objects.get(&chunk.object, chunk.length).await?;
        let mut cache = cache();
        cache.truncate(CACHED - 1);
        cache.insert(0, (chunk.object.clone(), bytes.clone()));
        Ok(bytes)
    }
}

#[async_trait]
impl Body for Pieces {
    async fn read(&self, offset: u64, most: usize) -> Result<Bytes, StoreError> {
        match self.place(offset, most) {
            Place::Nowhere => Ok(Bytes::new()),
            Place::Here(bytes) => Ok(bytes),
            Place::There(chunk) => {
                let bytes = self.object(&chunk).await?;
                let from = usize::try_from(offset - chunk.start).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(most).min(bytes.len());
                Ok(bytes.slice(from..to))
            }
        }
    }
}

/// Writes a body.
pub(super) struct Writer {
    pub(super) store: Shared,
    pub(super) pieces: Arc<Pieces>,
    /// A write is under way, or was dropped half-way: what PostgreSQL knows is not what is known here.
    pub(super) broken: bool,
}

impl Writer {
    /// Makes an object of what has gathered, and the body whole where that is all of it.
    async fn flush(&mut self, whole: bool) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.broken, true) {
            return Err(broken_off());
        }
        let outcome = self.try_flush(whole).await;
        // Where the outcome is not known, the next write finds what is there not to be what it goes on after.
        self.broken = false;
        outcome
    }

    async fn try_flush(&mut self, whole: bool) -> Result<(), StoreError> {
        let (start, bytes) = {
            let state = self.pieces.state();
            if state.gone {
                return Err(StoreError::Io("the body was removed while it was written".into()));
            }
            (state.durable(), Bytes::from(state.tail.clone()))
        };
        let (pool, objects) = (&self.store.inner.pool, &self.store.inner.objects);
        let mut chunk = None;
        if !bytes.is_empty() {
            let object = Objects::new_name();
            let length = bytes.len() as u64;
            manifest::announce(pool, &object).await?;
            objects.put(&object, bytes).await?;
            chunk = Some(Chunk { start, length, object });
        }
        if chunk.is_some() || whole {
            manifest::append(pool, self.store.fence.as_deref(), &self.pieces.name, chunk.as_ref(), whole).await?;
        }
        let mut state = self.pieces.state();
        if let Some(chunk) = chunk {
            state.chunks.push(chunk);
            state.tail = Vec::new();
        }
        Ok(())
    }
}

#[async_trait]
impl BodyWriter for Writer {
    fn length(&self) -> u64 {
        self.pieces.length()
    }

    fn reader(&self) -> Arc<dyn Body> {
        Arc::clone(&self.pieces) as Arc<dyn Body>
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.broken {
            return Err(broken_off());
        }
        let gathered = self.pieces.state().tail.len();
        // Before the bytes are added: when this fails, it is as long as before.
        if gathered > 0 && gathered + bytes.len() > CHUNK {
            self.flush(false).await?;
        }
        self.pieces.state().tail.extend_from_slice(&bytes);
        Ok(())
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        let name = self.pieces.name.clone();
        self.store.forget(&name, false).await?;
        // Whoever reads the old bytes must not meet the new ones.
        self.pieces = self.store.begin(name);
        self.broken = false;
        Ok(())
    }

    async fn leave(mut self: Box<Self>) -> Result<(), StoreError> {
        self.flush(false).await
    }

    async fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.flush(true).await?;
        self.store.close(&self.pieces.name);
        Ok(self.pieces.length())
    }
}
