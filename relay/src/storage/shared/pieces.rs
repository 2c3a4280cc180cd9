//! A body that is made of objects, and its writer. What is appended gathers in memory until it is worth an object; the last of it
//! becomes one when the writer leaves or finishes. Where much gathers, less is worth one.

use std::sync::atomic::{AtomicUsize, Ordering};
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
/// So many bytes may gather of a home's bodies, and so many of all. From half of it on a quarter of [`CHUNK`] becomes an object, at the
/// bound whatever there is.
const OF_HOME: usize = 16 << 20;
const OF_ALL: usize = 256 << 20;

/// Bytes that gather: of the bodies that are written through one handle, and of all.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    here: AtomicUsize,
    all: Arc<AtomicUsize>,
}

impl Gathering {
    /// For another handle of those that gather so much together.
    pub(super) fn of(all: &Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self { here: AtomicUsize::new(0), all: Arc::clone(all) })
    }

    fn grew(&self, bytes: usize) {
        self.here.fetch_add(bytes, Ordering::Relaxed);
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    fn shrank(&self, bytes: usize) {
        self.here.fetch_sub(bytes, Ordering::Relaxed);
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How much of a body becomes an object now.
    fn worth(&self) -> usize {
        let (here, all) = (self.here.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        if here >= OF_HOME || all >= OF_ALL {
            1
        } else if here >= OF_HOME / 2 || all >= OF_ALL / 2 {
            CHUNK / 4
        } else {
            CHUNK
        }
    }
}

/// The bytes of a body: readers of what is whole, and readers and writer of what grows, share one.
pub(super) struct Pieces {
    name: BlobName,
    objects: Objects,
    state: Mutex<State>,
    cache: Mutex<Vec<(String, Bytes)>>,
    gathering: Arc<Gathering>,
}

#[derive(Default)]
struct State {
    chunks: Vec<Chunk>,
    /// What is about to be one after them. Readers have it meanwhile.
    leaving: Bytes,
    /// What gathers after that.
    tail: Vec<u8>,
    /// It was removed: nothing is added any more.
    gone: bool,
}

impl State {
    /// Where the chunks end.
    fn durable(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.start + chunk.length)
    }

    /// Bytes in memory.
    fn gathered(&self) -> usize {
        self.leaving.len() + self.tail.len()
    }

    /// All that is in memory, in one piece, which is about to be a chunk. Nothing is copied, unless an earlier try broke off.
    fn send_off(&mut self) -> Bytes {
        self.take_back();
        self.leaving = Bytes::from(std::mem::take(&mut self.tail));
        self.leaving.clone()
    }

    /// It is a chunk now.
    fn sent_off(&mut self, chunk: Chunk) {
        self.leaving = Bytes::new();
        self.chunks.push(chunk);
    }

    /// It is none, and gathers on.
    fn take_back(&mut self) {
        if !self.leaving.is_empty() {
            let mut all = Vec::from(std::mem::take(&mut self.leaving));
            all.append(&mut self.tail);
            self.tail = all;
        }
    }
}

/// Where bytes are.
enum Place {
    Nowhere,
    Here(Bytes),
    There(Chunk),
}

impl Pieces {
    pub(super) fn new(name: BlobName, objects: Objects, chunks: Vec<Chunk>, gathering: &Arc<Gathering>) -> Arc<Self> {
        let state = Mutex::new(State { chunks, ..State::default() });
        Arc::new(Self { name, objects, state, cache: Mutex::default(), gathering: Arc::clone(gathering) })
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
        state.durable() + state.gathered() as u64
    }

    fn gather(&self, bytes: &[u8]) {
        let mut state = self.state();
        // No more than that: it is counted by what is in it.
        state.tail.reserve_exact(bytes.len());
        state.tail.extend_from_slice(bytes);
        self.gathering.grew(bytes.len());
    }

    /// As before these last bytes came.
    fn forget_last(&self, bytes: usize) {
        let mut state = self.state();
        let left = state.tail.len().saturating_sub(bytes);
        state.tail.truncate(left);
        self.gathering.shrank(bytes);
    }

    fn place(&self, offset: u64, most: usize) -> Place {
        let state = self.state();
        let durable = state.durable();
        if offset >= durable {
            let behind = usize::try_from(offset - durable).unwrap_or(usize::MAX);
            let (bytes, from) = match behind.checked_sub(state.leaving.len()) {
                None => (&state.leaving[..], behind),
                Some(behind) => (&state.tail[..], behind.min(state.tail.len())),
            };
            let to = from.saturating_add(most).min(bytes.len());
            return if from == to { Place::Nowhere } else { Place::Here(Bytes::copy_from_slice(&bytes[from..to])) };
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

impl Drop for Pieces {
    fn drop(&mut self) {
        self.gathering.shrank(self.state().gathered());
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
        if outcome.is_err() {
            self.pieces.state().take_back();
        }
        outcome
    }

    async fn try_flush(&mut self, whole: bool) -> Result<(), StoreError> {
        let (start, bytes) = {
            let mut state = self.pieces.state();
            if state.gone {
                return Err(StoreError::Io("the body was removed while it was written".into()));
            }
            (state.durable(), state.send_off())
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
        if let Some(chunk) = chunk {
            let mut state = self.pieces.state();
            self.pieces.gathering.shrank(state.leaving.len());
            state.sent_off(chunk);
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
        let gathered = self.pieces.state().gathered();
        // Before the bytes are added: when this fails, it is as long as before.
        if gathered > 0 && gathered + bytes.len() > CHUNK {
            self.flush(false).await?;
        }
        self.pieces.gather(&bytes);
        let (worth, gathered) = (self.pieces.gathering.worth(), self.pieces.state().gathered());
        // What is more than memory has room for waits for the objects, and who sends it with it.
        if worth < CHUNK && gathered >= worth {
            let flushed = self.flush(false).await;
            if flushed.is_err() {
                self.pieces.forget_last(bytes.len());
            }
            return flushed;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(start: u64, length: u64) -> Chunk {
        Chunk { start, length, object: String::new() }
    }

    #[test]
    fn what_becomes_an_object_is_copied_nowhere_and_gathers_on_when_it_did_not() {
        let mut state = State { tail: vec![7; 1000], ..State::default() };
        let place = state.tail.as_ptr();
        let leaving = state.send_off();
        assert_eq!((leaving.as_ptr(), leaving.len(), state.gathered()), (place, 1000, 1000));
        state.tail.extend_from_slice(&[8; 10]);
        drop(leaving);
        state.take_back();
        assert_eq!((state.tail.len(), state.leaving.len(), state.durable()), (1010, 0, 0));
        // A try that was dropped half-way is made again with all there is.
        state.send_off();
        state.tail.extend_from_slice(&[9; 5]);
        let all = state.send_off();
        assert_eq!(all, [&[7; 1000][..], &[8; 10], &[9; 5]].concat());
        state.sent_off(chunk(0, 1015));
        assert_eq!((state.gathered(), state.durable()), (0, 1015));
    }

    #[test]
    fn where_much_gathers_less_is_worth_an_object() {
        let all = Arc::default();
        let (one, other) = (Gathering::of(&all), Gathering::of(&all));
        assert_eq!(one.worth(), CHUNK);
        one.grew(OF_HOME / 2);
        assert_eq!((one.worth(), other.worth()), (CHUNK / 4, CHUNK));
        one.grew(OF_HOME / 2);
        assert_eq!((one.worth(), other.worth()), (1, CHUNK), "a home's uploads are no other one's trouble");
        let many: Vec<_> = (0..OF_ALL / OF_HOME).map(|_| Gathering::of(&all)).collect();
        many.iter().take(many.len() / 2).for_each(|home| home.grew(OF_HOME));
        assert_eq!(other.worth(), CHUNK / 4);
        many.iter().skip(many.len() / 2).for_each(|home| home.grew(OF_HOME));
        assert_eq!(other.worth(), 1);
        one.shrank(OF_HOME);
        many.iter().for_each(|home| home.shrank(OF_HOME));
        assert_eq!((one.worth(), other.worth()), (CHUNK, CHUNK));
    }
}
