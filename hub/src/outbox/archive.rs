//! What becomes of a clip after its end: its notes, its pin, its way to the relay and back, and its end for good.
//!
//! The hub keeps a clip's sealed segments on its own disk after the relay has them, until [`super::retention`] says otherwise.
//! Each fact about a clip is a record of its own, written by one verb, so that no two tasks write the same one. What goes into the
//! log together with such a record is given to the caller as message and batch; these verbs run where the log is written, one
//! after the other ([`crate::uplink::home`]), so a pin never meets a clip that is being forgotten.

use privet_home::{ClipNotes, Env, HomeError, HubHome, HubMessage};
use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::record::{self, AtRelay, Clip, Pending};
use super::retention::Whole;
use super::{Outbox, State};

/// Bytes of stored notes at most: a thumbnail of 20,000 and the rest.
const MAX_NOTES: usize = 32 * 1024;
/// A pinned clip is not put again sooner than this after it was put, in milliseconds, however short the relay keeps things.
const AGAIN_PAUSE_MS: i64 = 12 * 3_600_000;

impl Outbox {
    // --- notes ---

    /// What is to be said of a clip, and what is to be committed with it; `None` when that was done, or there is no such clip.
    pub fn note(&self, notes: ClipNotes) -> Option<(HubMessage, Batch)> {
        let state = self.lock();
        if !state.clips.contains_key(&notes.stream) || state.noted.contains(&notes.stream) {
            return None;
        }
        let pinned = state.pinned.contains(&notes.stream);
        let notes = ClipNotes { pinned, ..notes };
        let mut batch = Batch::new();
        batch.put(record::key(record::NOTES, notes.stream), cbor::encode(&notes));
        Some((HubMessage::ClipNotes(Box::new(notes)), batch))
    }

    /// The notes are durable.
    pub fn noted(&self, stream: StreamId) {
        self.lock().noted.insert(stream);
    }

    /// What can still be said of clips whose notes a crash took: that they are there.
    pub fn unnoted(&self) -> Vec<ClipNotes> {
        let state = self.lock();
        state.clips.iter().filter(|(stream, _)| !state.noted.contains(stream)).map(|(s, c)| blank(*s, c)).collect()
    }

    // --- pins ---

    /// Pins or unpins a clip, also one that is still being made: durable, and told to the phones, when this returns true. False when
    /// there is no such clip.
    ///
    /// # Errors
    /// [`HomeError`]; then it may or may not have been done, and can be asked for again.
    pub fn pin(&self, home: &mut HubHome, env: Env<'_>, stream: StreamId, pinned: bool) -> Result<bool, HomeError> {
        let Some((message, batch)) = self.pinning(stream, pinned)? else { return Ok(false) };
        match message {
            Some(message) => drop(home.append(&[message], batch, env)?),
            None => self.store.commit(batch)?,
        }
        self.set_pinned(stream, pinned);
        Ok(true)
    }

    /// What is to be said and committed so that a clip is pinned, or is not any more. Without notes so far nothing is said: they
    /// will. `None` when there is no such clip.
    ///
    /// # Errors
    /// [`StoreError`] when its notes can't be read.
    pub fn pinning(&self, stream: StreamId, pinned: bool) -> Result<Option<(Option<HubMessage>, Batch)>, StoreError> {
        {
            let state = self.lock();
            if !state.clips.contains_key(&stream) && !state.makes(stream) {
                return Ok(None);
            }
        }
        let mut batch = Batch::new();
        let key = record::key(record::PINS, stream);
        if pinned {
            batch.put(key, Vec::new());
        } else {
            batch.delete(key);
        }
        let notes = self.store.get(&record::key(record::NOTES, stream))?;
        let notes: Option<ClipNotes> = notes
            .map(|bytes| cbor::decode(&bytes, MAX_NOTES))
            .transpose()
            .map_err(|e| StoreError::Damaged(format!("notes of {stream}: {e}")))?;
        let message = notes.map(|notes| HubMessage::ClipNotes(Box::new(ClipNotes { pinned, ..notes })));
        Ok(Some((message, batch)))
    }

    /// The pin is durable.
    pub fn set_pinned(&self, stream: StreamId, pinned: bool) {
        let mut state = self.lock();
        if pinned {
            state.pinned.insert(stream);
        } else {
            state.pinned.remove(&stream);
        }
    }

    // --- retention ---

    /// Every whole clip.
    pub fn clips(&self) -> Vec<Whole> {
        let state = self.lock();
        let busy = state.busy();
        let whole = |(stream, clip): (&StreamId, &Clip)| Whole {
            stream: *stream,
            started: clip.started,
            ended: clip.ended,
            bytes: clip.bytes,
            pinned: state.pinned.contains(stream),
            here: !state.thinned.contains(stream),
            waiting: busy.contains(stream),
        };
        state.clips.iter().map(whole).collect()
    }

    /// Takes a clip's files off this disk, unless it was pinned meanwhile; the relay keeps what it has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn thin(&self, stream: StreamId) -> Result<(), StoreError> {
        let Some(clip) = ({
            let state = self.lock();
            state.clips.get(&stream).filter(|_| !state.pinned.contains(&stream)).copied()
        }) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        batch.put(record::key(record::THINNED, stream), Vec::new());
        self.store.commit(batch)?;
        self.lock().thinned.insert(stream);
        self.remove_files(stream, &clip)
    }

    /// Ends clips for good: those of `streams` that may go, told to the phones and noted for the relay in one commit, and then
    /// their files. Gives how many went.
    ///
    /// # Errors
    /// [`HomeError`]; then all of it is tried again.
    pub fn forget(&self, home: &mut HubHome, env: Env<'_>, streams: &[StreamId]) -> Result<usize, HomeError> {
        let (streams, batch) = self.forgetting(streams);
        if streams.is_empty() {
            return Ok(0);
        }
        home.append(&[HubMessage::Forgotten { streams: streams.clone() }], batch, env)?;
        self.forgotten(&streams)?;
        Ok(streams.len())
    }

    /// Those of `streams` that may be forgotten, and what is to be committed with saying so.
    pub fn forgetting(&self, streams: &[StreamId]) -> (Vec<StreamId>, Batch) {
        let state = self.lock();
        let may = |stream: &&StreamId| state.clips.contains_key(stream) && !state.pinned.contains(stream);
        let streams: Vec<StreamId> = streams.iter().filter(may).copied().collect();
        let mut batch = Batch::new();
        for stream in &streams {
            for prefix in
                [record::CLIPS, record::NOTES, record::PINS, record::AT_RELAY, record::THINNED, record::FINISH]
            {
                batch.delete(record::key(prefix, *stream));
            }
            batch.put(record::key(record::DROPS, *stream), Vec::new());
        }
        for (number, _) in state.waiting.iter().filter(|(_, pending)| streams.contains(&pending.stream)) {
            batch.delete(record::segment_key(*number));
        }
        (streams, batch)
    }

    /// That is durable.
    ///
    /// # Errors
    /// [`StoreError`] when a file can't be removed; the next start does it.
    pub fn forgotten(&self, streams: &[StreamId]) -> Result<(), StoreError> {
        for stream in streams {
            let Some(clip) = self.lock().forget(*stream) else { continue };
            self.remove_files(*stream, &clip)?;
        }
        Ok(())
    }

    fn remove_files(&self, stream: StreamId, clip: &Clip) -> Result<(), StoreError> {
        (0..clip.segments).try_for_each(|index| self.blobs.remove(&super::file_name(stream, index)?))
    }

    // --- at the relay ---

    /// Streams that the relay is to forget, and whose segments nobody is sending.
    pub fn drops(&self) -> Vec<StreamId> {
        let state = self.lock();
        state.drops.iter().filter(|stream| !state.claimed.values().any(|s| s == *stream)).copied().collect()
    }

    /// The relay has forgotten the stream.
    ///
    /// # Errors
    /// [`StoreError`]; then it will be told again, which is harmless: nothing of the stream is sent before.
    pub fn dropped(&self, stream: StreamId) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.delete(record::key(record::DROPS, stream));
        self.store.commit(batch)?;
        self.lock().drops.remove(&stream);
        Ok(())
    }

    /// Pinned clips that the relay keeps no longer, or not for long, and that are here to be put again.
    pub fn expiring(&self, now: Timestamp) -> Vec<StreamId> {
        let state = self.lock();
        let busy = state.busy();
        let due = |stream: &&StreamId| {
            let idle = !busy.contains(stream) && !state.drops.contains(stream) && !state.finish.contains_key(stream);
            let here = state.clips.contains_key(stream) && !state.thinned.contains(stream);
            idle && here && state.at_relay.get(stream).is_some_and(|kept| is_due(kept, now))
        };
        state.pinned.iter().filter(due).copied().collect()
    }

    /// Lets the relay forget a clip and puts it there again, to be kept until `until`: an upload can't be extended. For some seconds
    /// nobody can fetch it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_again(&self, stream: StreamId, until: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let Some(clip) = self.lock().clips.get(&stream).copied() else { return Ok(()) };
        let mut batch = Batch::new();
        let mut waiting = Vec::new();
        for index in 0..clip.segments {
            let name = super::file_name(stream, index)?;
            let Some((_, length)) = self.blobs.open_blob(&name)? else {
                return Err(StoreError::Damaged(format!("the file of {name} is gone")));
            };
            let pending = Pending { stream, index, length, until, kept: now };
            let number = self.lock().take_number();
            batch.put(record::segment_key(number), pending.to_bytes());
            waiting.push((number, pending));
        }
        batch.put(record::key(record::DROPS, stream), Vec::new());
        batch.put(record::finish_key(stream), record::finish_bytes(Some(clip.segments)));
        batch.delete(record::key(record::AT_RELAY, stream));
        self.store.commit(batch)?;
        let mut state = self.lock();
        state.drops.insert(stream);
        state.finish.insert(stream, Some(clip.segments));
        state.at_relay.remove(&stream);
        state.waiting.extend(waiting);
        Ok(())
    }
}

impl State {
    /// Whether a clip of this id is being made.
    fn makes(&self, stream: StreamId) -> bool {
        self.open.get(&stream).is_some_and(|open| open.kind == privet_home::StreamKind::Clip)
    }

    fn forget(&mut self, stream: StreamId) -> Option<Clip> {
        self.waiting.retain(|_, pending| pending.stream != stream);
        self.noted.remove(&stream);
        self.pinned.remove(&stream);
        self.at_relay.remove(&stream);
        self.thinned.remove(&stream);
        self.finish.remove(&stream);
        self.drops.insert(stream);
        self.clips.remove(&stream)
    }
}

/// Whether nine tenths of the time are over that the relay keeps it.
fn is_due(kept: &AtRelay, now: Timestamp) -> bool {
    let whole = kept.until.0.saturating_sub(kept.since.0).max(0);
    now.0 >= kept.since.0.saturating_add((whole / 10 * 9).max(AGAIN_PAUSE_MS))
}

/// The notes of a clip of which nothing more is known.
fn blank(stream: StreamId, clip: &Clip) -> ClipNotes {
    ClipNotes { stream, heat: [0; 256], thumbnail: None, peak: clip.started, zones: Vec::new(), pinned: false }
}
