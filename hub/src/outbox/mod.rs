//! Clips on their way to the relay: sealed segments wait on disk until the relay has said that they are durable there.
//!
//! The order that makes `kill -9` harmless (`docs/design/0007-recorder-and-outbox.md`):
//!
//! 1. `StreamStarted` is appended to the log in one commit with the stream's record here.
//! 2. A segment's file is written, renamed and synced; then one commit indexes it, counts it in the stream's record and moves the
//!    camera's statement chain. A file without index is nobody's and swept at the next start.
//! 3. `StreamEnded`, which counts only what is durable, is appended in one commit that takes the stream's record away.
//! 4. After the relay's answer one commit takes the segment off the list. A number and a stream id are never used twice, and the
//!    bytes under them never change.
//! 5. `ClipNotes` go into the log once a clip, after `StreamEnded`. What a crash takes of them is said to be unknown at the next start.
//! 6. The file stays until its clip is forgotten, or makes way while the relay has it: first one commit says so, then it is removed.
//!
//! [`Outbox`] is the state on disk, [`archive`] what becomes of whole clips, [`retention`] which of them go and [`calendar`] how old
//! they are; [`keeper`] is the task that writes into it and watches the room on the disk.

pub mod archive;
pub mod calendar;
pub mod keeper;
mod record;
pub mod retention;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use privet_home::{EndReason, StreamEnded, StreamKind, StreamStarted};
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_protocol::time::Timestamp;
use privet_store::{BlobName, Blobs};

pub use self::archive::Mended;
use self::calendar::{Calendar, Count, HouseTime};
pub use self::record::{AtRelay, Clip, OpenStream, Pending};
use crate::recorder::chain::Chain;
use crate::recorder::{ClipSegment, Moment};

/// Entries read from the store at once.
const PAGE: usize = 512;

/// What waits for the relay. Clones share it; every verb may block for as long as the disk takes.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn Store>,
    blobs: Blobs,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Pending>,
    claimed: BTreeMap<u64, StreamId>,
    open: BTreeMap<StreamId, OpenStream>,
    finish: BTreeMap<StreamId, Option<u64>>,
    clips: BTreeMap<StreamId, Clip>,
    noted: BTreeSet<StreamId>,
    pinned: BTreeSet<StreamId>,
    at_relay: BTreeMap<StreamId, AtRelay>,
    thinned: BTreeSet<StreamId>,
    drops: BTreeSet<StreamId>,
    /// Streams that the relay had otherwise than they were sent, and that were put on the list once more since the start.
    mended: BTreeSet<StreamId>,
    lost: u64,
    calendar: Calendar,
}

/// What waits, in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Waiting {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest was kept, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Segments that could not be delivered and were given up, since the start.
    pub given_up: u64,
}

impl Outbox {
    /// The outbox as the last run left it: files without index are removed, indexed segments wait again.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn open(store: Arc<dyn Store>, blobs: Blobs) -> Result<Self, StoreError> {
        let mut state = State::default();
        let mut names = HashSet::new();
        let mut there = HashSet::new();
        let listing = blobs.list()?;
        there.extend(listing.iter().filter(|b| !b.partial).map(|b| b.name.as_str().to_owned()));
        let mut dangling = Batch::new();
        scan(&*store, record::SEGMENTS, |key, value| {
            let number = record::number_of(key)?;
            let pending = Pending::from_bytes(value)?;
            let name = record::file(pending.stream, pending.index);
            if there.contains(&name) {
                names.insert(name);
                state.waiting.insert(number, pending);
            } else {
                // Can't come from a crash; a file that somebody removed can't be sent.
                tracing::error!(stream = %pending.stream, index = pending.index, "a clip's segment is gone from the disk");
                state.lost += 1;
                dangling.delete(key);
            }
            state.next = state.next.max(number + 1);
            Ok(())
        })?;
        scan(&*store, record::OPEN, |key, value| {
            state.open.insert(record::stream_of(record::OPEN, key)?, OpenStream::from_bytes(value)?);
            Ok(())
        })?;
        scan(&*store, record::FINISH, |key, value| {
            state.finish.insert(record::stream_of(record::FINISH, key)?, record::finish_from(value)?);
            Ok(())
        })?;
        scan(&*store, record::CLIPS, |key, value| {
            state.clips.insert(record::stream_of(record::CLIPS, key)?, record::value("a clip's record", value)?);
            Ok(())
        })?;
        scan(&*store, record::AT_RELAY, |key, value| {
            let kept = record::value("a clip's time at the relay", value)?;
            state.at_relay.insert(record::stream_of(record::AT_RELAY, key)?, kept);
            Ok(())
        })?;
        for (prefix, set) in [
            (record::NOTES, &mut state.noted),
            (record::PINS, &mut state.pinned),
            (record::THINNED, &mut state.thinned),
            (record::DROPS, &mut state.drops),
        ] {
            scan(&*store, prefix, |key, _| {
                set.insert(record::stream_of(prefix, key)?);
                Ok(())
            })?;
        }
        let count: Option<Count> = store.get(record::CLOCK)?.map(|v| record::value("the clock", &v)).transpose()?;
        state.calendar = Calendar::new(count, state.newest(), state.clips.values().map(|clip| clip.ended).max());
        state.settle(&there, &mut names, &mut dangling);
        if !dangling.is_empty() {
            store.commit(dangling)?;
        }
        for blob in listing.iter().filter(|b| b.partial || !names.contains(b.name.as_str())) {
            blobs.remove(&blob.name)?;
        }
        Ok(Self { store, blobs, state: Arc::new(Mutex::new(state)) })
    }

    // --- time ---

    /// House time: what the age of clips is counted in.
    pub fn pass(&self, now: Moment) -> HouseTime {
        self.lock().calendar.pass(now)
    }

    /// The relay's clock, as heard on a connection.
    pub fn heard(&self, relay: Timestamp, now: Moment) {
        self.lock().calendar.heard(relay, now);
    }

    /// Makes the count of house time durable, when it is time.
    ///
    /// # Errors
    /// [`StoreError`]; then it is still due.
    pub fn keep_count(&self) -> Result<(), StoreError> {
        let Some(count) = self.lock().calendar.due() else { return Ok(()) };
        let mut batch = Batch::new();
        batch.put(record::CLOCK, privet_protocol::cbor::encode(&count));
        self.store.commit(batch)?;
        self.lock().calendar.saved(&count);
        Ok(())
    }

    // --- streams ---

    /// What is to be committed together with the announcement of a stream.
    pub fn announce(&self, started: &StreamStarted) -> Batch {
        let open = OpenStream::new(started);
        let mut batch = Batch::new();
        batch.put(record::open_key(started.stream), open.to_bytes());
        batch
    }

    /// The announcement is durable.
    pub fn announced(&self, started: &StreamStarted) {
        self.lock().open.insert(started.stream, OpenStream::new(started));
    }

    /// Streams that are announced and not ended: after a restart, those that a crash cut off.
    pub fn open_streams(&self) -> Vec<(StreamId, OpenStream)> {
        self.lock().open.iter().map(|(stream, open)| (*stream, open.clone())).collect()
    }

    /// The end of a stream as far as it is durable, and what is to be committed together with saying so; `None` when the stream is
    /// not open. `told` is what the recorder says about a live stream, of which nothing is kept here.
    pub fn end(&self, stream: StreamId, reason: EndReason, told: Option<&StreamEnded>) -> Option<(StreamEnded, Batch)> {
        let open = self.lock().open.get(&stream).cloned()?;
        let mut batch = Batch::new();
        batch.delete(record::open_key(stream));
        let ended = match (open.kind, told) {
            (StreamKind::Live, Some(told)) => told.clone(),
            _ => open.ended(stream, reason),
        };
        match open.kind {
            StreamKind::Clip if open.segments > 0 => {
                batch.put(record::finish_key(stream), record::finish_bytes(Some(open.segments)));
                batch.put(record::key(record::CLIPS, stream), privet_protocol::cbor::encode(&open.clip()));
            }
            // A crash cut it off: nobody knows how far it got, the relay does.
            StreamKind::Live if told.is_none() => {
                batch.put(record::finish_key(stream), record::finish_bytes(None));
            }
            _ => {}
        }
        Some((ended, batch))
    }

    /// The end is durable.
    pub fn ended(&self, stream: StreamId, after_crash: bool) {
        let mut state = self.lock();
        let Some(open) = state.open.remove(&stream) else { return };
        match open.kind {
            StreamKind::Clip if open.segments > 0 => {
                state.finish.insert(stream, Some(open.segments));
                state.clips.insert(stream, open.clip());
            }
            StreamKind::Live if after_crash => drop(state.finish.insert(stream, None)),
            _ => {}
        }
    }

    // --- segments in ---

    /// Makes a segment durable, with the stream's count and the camera's chain. The relay is to keep it for `keep` from when it has it.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::Full`] among them; then the stream must be given up, because a later segment must not
    /// stand without this one.
    pub fn keep(&self, segment: &ClipSegment, keep: Duration, now: Moment) -> Result<(), StoreError> {
        let Some(mut open) = self.lock().open.get(&segment.stream).cloned() else {
            return Err(StoreError::Io("the stream is not open".into()));
        };
        // Two statements at one place would look like forgery to every phone.
        let durable = self.chain(open.camera)?.recorded;
        if segment.chain.recorded != durable.saturating_add(1) {
            let cause = format!("statement {} after {durable} that are durable", segment.chain.recorded);
            return Err(StoreError::Io(format!("the segment does not follow what is recorded: {cause}")));
        }
        let pending = Pending {
            stream: segment.stream,
            index: segment.index,
            length: segment.bytes.len() as u64,
            keep_ms: millis(keep),
            kept: now.wall,
        };
        let name = file_name(pending.stream, pending.index)?;
        let written = self.blobs.write(&name).and_then(|mut writer| {
            writer.truncate(0)?;
            writer.append(&segment.bytes)?;
            writer.finish()
        });
        if let Err(error) = written {
            let _ = self.blobs.remove(&name);
            return Err(error);
        }
        let (number, kept) = {
            let mut state = self.lock();
            (state.take_number(), state.calendar.pass(now))
        };
        open.add(segment, kept);
        let mut batch = Batch::new();
        batch.put(record::segment_key(number), pending.to_bytes());
        batch.put(record::open_key(segment.stream), open.to_bytes());
        batch.put(record::chain_key(open.camera), segment.chain.to_bytes());
        // When this fails, the commit may still have been written: the file stays, and the next start sorts it out.
        self.store.commit(batch)?;
        let mut state = self.lock();
        state.waiting.insert(number, pending);
        state.open.insert(segment.stream, open);
        Ok(())
    }

    /// The camera's chain as it is durable.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub fn chain(&self, camera: CameraId) -> Result<Chain, StoreError> {
        match self.store.get(&record::chain_key(camera))? {
            None => Ok(Chain::default()),
            Some(bytes) => {
                Chain::from_bytes(&bytes).map_err(|e| StoreError::Damaged(format!("chain of {camera}: {e}")))
            }
        }
    }

    /// Reserves the next numbers of a camera, leaving its recorded chain as it is durable.
    ///
    /// # Errors
    /// [`StoreError`]; then they must not be used.
    pub fn reserve(&self, camera: CameraId, wanted: Option<&Chain>) -> Result<Chain, StoreError> {
        let durable = self.chain(camera)?;
        let next = durable.reserve();
        let next = Chain {
            frames_reserved: wanted.map_or(next.frames_reserved, |w| w.frames_reserved.max(durable.frames_reserved)),
            live_reserved: wanted.map_or(next.live_reserved, |w| w.live_reserved.max(durable.live_reserved)),
            ..durable
        };
        let mut batch = Batch::new();
        batch.put(record::chain_key(camera), next.to_bytes());
        self.store.commit(batch)?;
        Ok(next)
    }

    // --- segments out ---

    /// The oldest segment that nobody is sending, for the caller to send.
    pub fn claim(&self) -> Option<(u64, Pending)> {
        let mut state = self.lock();
        // What the relay is to forget first is put again only afterwards.
        let may = |n: &u64, p: &Pending| !state.claimed.contains_key(n) && !state.drops.contains(&p.stream);
        let (number, pending) = state.waiting.iter().find(|(n, p)| may(n, p)).map(|(n, p)| (*n, p.clone()))?;
        state.claimed.insert(number, pending.stream);
        Some((number, pending))
    }

    /// The segment could not be sent now.
    pub fn release(&self, number: u64) {
        self.lock().claimed.remove(&number);
    }

    /// The segment's bytes.
    ///
    /// # Errors
    /// [`StoreError`] when they can't be read.
    pub fn read(&self, pending: &Pending) -> Result<Bytes, StoreError> {
        let name = file_name(pending.stream, pending.index)?;
        let bytes = self.blobs.read(&name)?;
        let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("the file of {name} is gone")))?;
        if bytes.len() as u64 != pending.length {
            let (has, had) = (bytes.len(), pending.length);
            return Err(StoreError::Damaged(format!("the file of {name} has {has} bytes, and had {had}")));
        }
        Ok(Bytes::from(bytes))
    }

    /// The relay has the segment, durably, and keeps it for this time; or (`None`) will never take it.
    ///
    /// # Errors
    /// [`StoreError`]; then it will be sent again, which is harmless.
    pub fn stored(&self, number: u64, kept: Option<AtRelay>) -> Result<(), StoreError> {
        let Some((pending, known, put)) = ({
            let state = self.lock();
            let put = state.calendar.latest();
            state.waiting.get(&number).map(|p| (p.clone(), state.at_relay.get(&p.stream).copied(), put))
        }) else {
            // Forgotten while it was sent; the relay is told next.
            self.release(number);
            return Ok(());
        };
        let at_relay = known.unwrap_or_default().with(kept.map(|kept| AtRelay { put, ..kept }));
        let mut batch = Batch::new();
        batch.delete(record::segment_key(number));
        batch.put(record::key(record::AT_RELAY, pending.stream), privet_protocol::cbor::encode(&at_relay));
        self.store.commit(batch)?;
        let mut state = self.lock();
        state.claimed.remove(&number);
        state.lost += u64::from(kept.is_none());
        if state.waiting.remove(&number).is_none() {
            return Ok(());
        }
        state.at_relay.insert(pending.stream, at_relay);
        // A clip of this hub stays on its disk; nobody else's does.
        let stays = state.open.contains_key(&pending.stream) || state.clips.contains_key(&pending.stream);
        drop(state);
        if stays { Ok(()) } else { self.blobs.remove(&file_name(pending.stream, pending.index)?) }
    }

    /// Streams whose end the relay can be told, because it has all their segments.
    pub fn finishes(&self) -> Vec<(StreamId, Option<u64>)> {
        let state = self.lock();
        let busy = state.busy();
        state.finish.iter().filter(|(stream, _)| !busy.contains(stream)).map(|(s, n)| (*s, *n)).collect()
    }

    /// The relay knows the stream's end.
    ///
    /// # Errors
    /// [`StoreError`]; then it will be told again, which is harmless.
    pub fn finished(&self, stream: StreamId) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.delete(record::finish_key(stream));
        self.store.commit(batch)?;
        self.lock().finish.remove(&stream);
        Ok(())
    }

    /// What waits.
    pub fn waiting(&self) -> Waiting {
        let state = self.lock();
        Waiting {
            segments: state.waiting.len() as u64,
            bytes: state.waiting.values().map(|p| p.length).sum(),
            oldest_ms: state.waiting.values().next().map(|p| p.kept.0),
            given_up: state.lost,
        }
    }

    /// Bytes that clips may still take on this disk.
    ///
    /// # Errors
    /// [`StoreError`] when the system does not say.
    pub fn room(&self) -> Result<u64, StoreError> {
        self.blobs.room()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Streams of which the relay does not have everything.
    fn busy(&self) -> HashSet<StreamId> {
        self.waiting.values().map(|p| p.stream).collect()
    }

    /// What is dated last in house time.
    fn newest(&self) -> Option<HouseTime> {
        let clips = self.clips.values().filter_map(|clip| clip.kept);
        clips.chain(self.open.values().filter_map(|open| open.kept)).max()
    }

    /// Brings the records of a start together with the files that are `there`: a clip that lacks one is thinned, and what is said
    /// of clips that are no more goes. Adds the files that are somebody's to `names`.
    fn settle(&mut self, there: &HashSet<String>, names: &mut HashSet<String>, batch: &mut Batch) {
        for (stream, open) in self.open.iter().filter(|(_, open)| open.kind == StreamKind::Clip) {
            names.extend((0..open.segments).map(|index| record::file(*stream, index)));
        }
        for (stream, clip) in &self.clips {
            let files = || (0..clip.segments).map(|index| record::file(*stream, index));
            if !self.thinned.contains(stream) && !files().all(|name| there.contains(&name)) {
                tracing::error!(%stream, "a clip is gone from the disk; the relay keeps what it has of it");
                batch.put(record::key(record::THINNED, *stream), Vec::new());
                self.thinned.insert(*stream);
            }
            if !self.thinned.contains(stream) {
                names.extend(files());
            }
        }
        let (clips, open) = (&self.clips, &self.open);
        let is_one = |stream: &StreamId| clips.contains_key(stream) || open.contains_key(stream);
        for (prefix, set) in
            [(record::NOTES, &mut self.noted), (record::PINS, &mut self.pinned), (record::THINNED, &mut self.thinned)]
        {
            for stream in set.extract_if(.., |stream| !is_one(stream)) {
                batch.delete(record::key(prefix, stream));
            }
        }
        for (stream, _) in self.at_relay.extract_if(.., |stream, _| !is_one(stream)) {
            batch.delete(record::key(record::AT_RELAY, stream));
        }
    }

    fn take_number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn file_name(stream: StreamId, index: u64) -> Result<BlobName, StoreError> {
    record::file(stream, index).parse().map_err(|e| StoreError::Damaged(format!("{e}")))
}

fn scan(
    store: &dyn Store,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = prefix.to_vec();
    loop {
        let page = store.scan(prefix, &from, PAGE)?;
        for (key, value) in &page {
            each(key, value)?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => {
                from.clone_from(last);
                from.push(0);
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
