//! What becomes of a clip after its end: its notes, its pin, its way to the relay and back, and its end for good.
//!
//! The hub keeps a clip's sealed segments on its own disk after the relay has them, until [`super::retention`] says otherwise.
//! Each fact about a clip is a record of its own, written by one verb, so that no two tasks write the same one. What goes into the
//! log together with such a record is given to the caller as message and batch; these verbs run where the log is written, one
//! after the other ([`crate::uplink::home`]), so a pin never meets a clip that is being forgotten.

use std::time::Duration;

use privet_home::{ClipNotes, Env, HomeError, HubHome, HubMessage};
use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::record::{self, Clip, Pending};
use super::retention::Whole;
use super::{Outbox, State};
use crate::recorder::Moment;

/// Bytes of stored notes at most: a thumbnail of 20,000 and the rest.
const MAX_NOTES: usize = 32 * 1024;

/// Files that are no clip's any more, for [`Outbox::sweep`]. When they are not swept, the next start does it.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "the files stay on the disk until they are swept"]
pub struct Leftovers(Vec<(StreamId, u64)>);

impl Leftovers {
    /// How many clips they were.
    pub fn clips(&self) -> usize {
        self.0.len()
    }
}

/// What becomes of a stream of which the relay has a segment otherwise than it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// The relay is to forget it, and is then sent all of it again.
    Again,
    /// It grew meanwhile: to be asked for again.
    Later,
    /// That was done since the start, or not all of it is here: the relay will not have it whole.
    Never,
}

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
        let done = match message {
            Some(message) => home.append(&[message], batch, env).map(drop),
            None => self.store.commit(batch).map_err(HomeError::from),
        };
        match done {
            Ok(()) => self.set_pinned(stream, pinned),
            Err(error) => {
                self.refresh_pin(stream);
                return Err(error);
            }
        }
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

    /// The commit of a pin failed, and may have been written all the same: what is stored counts. A clip of which even that can't be
    /// known stays.
    pub fn refresh_pin(&self, stream: StreamId) {
        let stored = self.store.get(&record::key(record::PINS, stream));
        self.set_pinned(stream, stored.map_or(true, |pin| pin.is_some()));
    }

    // --- retention ---

    /// Every whole clip, as it is now.
    pub fn clips(&self, now: Moment) -> Vec<Whole> {
        let state = self.lock();
        let busy = state.busy();
        let calendar = &state.calendar;
        let relay = calendar.relay(now);
        let at_relay = |stream: &StreamId| state.at_relay.get(stream).copied().unwrap_or_default();
        let whole = |(stream, clip): (&StreamId, &Clip)| Whole {
            stream: *stream,
            started: clip.started,
            ended: clip.ended,
            kept: clip.kept(),
            age: calendar.age(clip.kept()),
            bytes: clip.bytes,
            pinned: state.pinned.contains(stream),
            here: !state.thinned.contains(stream),
            waiting: busy.contains(stream),
            elsewhere: at_relay(stream).elsewhere(relay, |put| calendar.age(put)),
        };
        state.clips.iter().map(whole).collect()
    }

    /// Gives up the hub's own copies of those of `streams` that may go; the relay keeps what it has. A verb of the home's thread, as
    /// pins are.
    ///
    /// # Errors
    /// [`StoreError`]; then they are still there.
    pub fn thin(&self, streams: &[StreamId]) -> Result<Leftovers, StoreError> {
        let (mut batch, mut leftovers) = (Batch::new(), Leftovers::default());
        {
            let state = self.lock();
            let may = |stream: &&StreamId| !state.pinned.contains(stream) && !state.thinned.contains(stream);
            for stream in streams.iter().filter(may) {
                let Some(clip) = state.clips.get(stream) else { continue };
                batch.put(record::key(record::THINNED, *stream), Vec::new());
                leftovers.0.push((*stream, clip.segments));
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
            self.lock().thinned.extend(leftovers.0.iter().map(|(stream, _)| *stream));
        }
        Ok(leftovers)
    }

    /// Ends clips for good: those of `streams` that may go, told to the phones and noted for the relay in one commit. Gives what
    /// is left of them on the disk.
    ///
    /// # Errors
    /// [`HomeError`]; then all of it is tried again.
    pub fn forget(&self, home: &mut HubHome, env: Env<'_>, streams: &[StreamId]) -> Result<Leftovers, HomeError> {
        let (streams, batch) = self.forgetting(streams);
        if streams.is_empty() {
            return Ok(Leftovers::default());
        }
        home.append(&[HubMessage::Forgotten { streams: streams.clone() }], batch, env)?;
        Ok(self.forgotten(&streams))
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
    pub fn forgotten(&self, streams: &[StreamId]) -> Leftovers {
        let mut state = self.lock();
        let gone = |stream: &StreamId| state.forget(*stream).map(|clip| (*stream, clip.segments));
        Leftovers(streams.iter().filter_map(gone).collect())
    }

    /// Removes files that are nobody's any more, which may take long.
    ///
    /// # Errors
    /// [`StoreError`] of the first that can't be removed, after all others; the next start does it.
    pub fn sweep(&self, leftovers: Leftovers) -> Result<(), StoreError> {
        let files =
            leftovers.0.into_iter().flat_map(|(stream, segments)| (0..segments).map(move |index| (stream, index)));
        let remove = |(stream, index)| self.blobs.remove(&super::file_name(stream, index)?);
        files.map(remove).fold(Ok(()), Result::and)
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

    /// Pinned clips that the relay keeps no longer, or not for long, at `relay` by its own clock, and that are here to be put again.
    pub fn expiring(&self, relay: Timestamp) -> Vec<StreamId> {
        let state = self.lock();
        let busy = state.busy();
        let due = |stream: &&StreamId| {
            let idle = !busy.contains(stream) && !state.drops.contains(stream) && !state.finish.contains_key(stream);
            let here = state.clips.contains_key(stream) && !state.thinned.contains(stream);
            idle && here && state.at_relay.get(stream).is_some_and(|kept| kept.is_due(relay))
        };
        state.pinned.iter().filter(due).copied().collect()
    }

    /// The lengths of a clip's files, also of one that is still being made, to [`Self::put_again`] or [`Self::send_again`]. `None`: not
    /// all are there; then the clip is not taken for one that is here any more.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn lengths(&self, stream: StreamId) -> Result<Option<Vec<u64>>, StoreError> {
        let segments = self.lock().segments(stream).unwrap_or(0);
        let mut lengths = Vec::new();
        for index in 0..segments {
            let Some((_, length)) = self.blobs.open_blob(&super::file_name(stream, index)?)? else {
                // Nothing of it is removed: what is left may still be read. The next start finds the same.
                self.lock().thinned.insert(stream);
                return Ok(None);
            };
            lengths.push(length);
        }
        Ok(Some(lengths))
    }

    /// Lets the relay forget a clip and puts it there again, to be kept for `keep`: an upload can't be extended. For some seconds
    /// nobody can fetch it. False when the clip was forgotten or let go meanwhile; a verb of the home's thread, as those are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_again(
        &self,
        stream: StreamId,
        lengths: &[u64],
        keep: Duration,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let mut batch = Batch::new();
        let mut waiting = Vec::new();
        let clip = {
            let mut state = self.lock();
            let clip = state.clips.get(&stream).copied().filter(|_| state.pinned.contains(&stream));
            let Some(clip) = clip.filter(|clip| clip.segments == lengths.len() as u64) else { return Ok(false) };
            for (index, length) in (0u64..).zip(lengths) {
                let (length, keep_ms) = (*length, super::millis(keep));
                let pending = Pending { stream, index, length, keep_ms, kept: now.wall };
                let number = state.take_number();
                batch.put(record::segment_key(number), pending.to_bytes());
                waiting.push((number, pending));
            }
            clip
        };
        batch.put(record::key(record::DROPS, stream), Vec::new());
        batch.put(record::finish_key(stream), record::finish_bytes(Some(clip.segments)));
        batch.delete(record::key(record::AT_RELAY, stream));
        self.store.commit(batch)?;
        let mut state = self.lock();
        state.drops.insert(stream);
        state.finish.insert(stream, Some(clip.segments));
        state.at_relay.remove(&stream);
        state.waiting.extend(waiting);
        Ok(true)
    }

    /// The relay has a segment of this stream otherwise than it was sent, and will not take another one in its place: lets it forget the
    /// stream and puts all of it there again, to be kept for `keep`. What it had as it should goes with the rest, so that is sent again,
    /// too. Once for each stream, or a relay that always does that would be sent it for ever. A verb of the home's thread, as forgetting
    /// and thinning are.
    ///
    /// # Errors
    /// [`StoreError`]; then it may be asked for again. What was written all the same is sent once more after the next start.
    pub fn send_again(
        &self,
        stream: StreamId,
        lengths: &[u64],
        keep: Duration,
        now: Moment,
    ) -> Result<Mended, StoreError> {
        let (old, waiting, finish) = {
            let mut state = self.lock();
            if state.drops.contains(&stream) {
                return Ok(Mended::Again);
            }
            let here = !state.mended.contains(&stream) && !state.thinned.contains(&stream);
            let Some(segments) = state.segments(stream).filter(|_| here) else { return Ok(Mended::Never) };
            if segments != lengths.len() as u64 {
                return Ok(Mended::Later);
            }
            // Under other numbers, all of them: what is taken off the list meanwhile is taken off under the old ones.
            let of_stream = state.waiting.iter().filter(|(_, pending)| pending.stream == stream);
            let old: Vec<(u64, Pending)> = of_stream.map(|(number, pending)| (*number, pending.clone())).collect();
            let mut waiting: Vec<(u64, Pending)> = Vec::new();
            for (index, length) in (0u64..).zip(lengths) {
                let known = old.iter().find(|(_, pending)| pending.index == index).map(|(_, pending)| pending.clone());
                let (length, keep_ms) = (*length, super::millis(keep));
                let pending = known.unwrap_or(Pending { stream, index, length, keep_ms, kept: now.wall });
                waiting.push((state.take_number(), pending));
            }
            (old, waiting, state.clips.get(&stream).map(|clip| clip.segments))
        };
        let mut batch = Batch::new();
        for (number, _) in &old {
            batch.delete(record::segment_key(*number));
        }
        for (number, pending) in &waiting {
            batch.put(record::segment_key(*number), pending.to_bytes());
        }
        if finish.is_some() {
            batch.put(record::finish_key(stream), record::finish_bytes(finish));
        }
        batch.put(record::key(record::DROPS, stream), Vec::new());
        batch.delete(record::key(record::AT_RELAY, stream));
        self.store.commit(batch)?;
        let mut state = self.lock();
        state.waiting.retain(|number, _| old.iter().all(|(gone, _)| gone != number));
        state.waiting.extend(waiting);
        if finish.is_some() {
            state.finish.insert(stream, finish);
        }
        state.at_relay.remove(&stream);
        state.drops.insert(stream);
        state.mended.insert(stream);
        Ok(Mended::Again)
    }
}

impl State {
    /// How many segments of a clip are durable, whole or still being made; `None` when there is no such clip.
    fn segments(&self, stream: StreamId) -> Option<u64> {
        let open = || self.open.get(&stream).filter(|open| open.kind == privet_home::StreamKind::Clip);
        self.clips.get(&stream).map(|clip| clip.segments).or_else(|| open().map(|open| open.segments))
    }

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
        self.mended.remove(&stream);
        self.drops.insert(stream);
        self.clips.remove(&stream)
    }
}

/// The notes of a clip of which nothing more is known.
fn blank(stream: StreamId, clip: &Clip) -> ClipNotes {
    ClipNotes { stream, heat: [0; 256], thumbnail: None, peak: clip.started, zones: Vec::new(), pinned: false }
}
