//! Segments: written by the owner, kept on disk (`keep`) or passing through memory, and forgotten when every reader has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::relay::{CapabilityKey, Code, Response, Retention, reset};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use quinn::VarInt;

use super::growing::{Cursor, Growing, Piece, READ_SIZE, State};
use super::home::Home;
use super::keep::keep;
use super::pace::{self, Lane};
use super::priority;
use super::received::Received;
use super::records::{SegmentRecord, body_name, check_number, counts_as, segment_key, stream_key};
use super::stream::{Contents, Gone, Stream};
use super::upload::dropped;
use super::wire::{Answers, Failure};

/// A segment to be written.
pub(crate) struct Put {
    pub(crate) stream: StreamId,
    pub(crate) index: u64,
    pub(crate) retention: Retention,
    pub(crate) resume: bool,
}

pub(crate) async fn put(
    home: &Home,
    put: Put,
    body: &mut Received,
    answers: &mut Answers,
    now: Timestamp,
) -> Result<(), Failure> {
    check_number(put.index)?;
    let stream = home.stream_or_begin(put.stream, now)?;
    {
        let contents = stream.contents();
        if contents.finished.is_some_and(|segments| put.index >= segments) {
            return Err(Failure::refuse(Code::Conflict, "the stream is finished and has no such segment"));
        }
        if contents.is_gone(put.index) {
            return Err(Failure::refuse(Code::Gone, "this segment was here and is not any more"));
        }
    }
    let outcome = match put.retention {
        Retention::Keep { until } => keep(home, &stream, &put, until, body, answers, now).await,
        Retention::Pass => pass(home, &stream, &put, body, now).await,
    };
    let length = match outcome {
        Ok(length) => length,
        Err(failure) => {
            body.stop(VarInt::from_u32(reset::ANSWERED));
            return Err(failure);
        }
    };
    answers.send(&Response::Stored { length }).await
}

async fn pass(home: &Home, stream: &Stream, put: &Put, body: &mut Received, now: Timestamp) -> Result<u64, Failure> {
    if put.resume {
        return Err(Failure::refuse(Code::Malformed, "only kept segments can be resumed"));
    }
    let segment = Growing::in_memory(put.index, home.next_priority(), Arc::clone(&home.budget));
    stream.change(|contents| {
        if contents.dropped {
            return Err(dropped());
        }
        if contents.newest().is_some_and(|newest| put.index < newest) {
            return Err(Failure::refuse(Code::Conflict, "a newer segment has begun already"));
        }
        contents.touched = now;
        contents.pass(Arc::clone(&segment));
        Ok(())
    })?;
    let outcome = pass_body(home, &segment, body).await;
    if outcome.is_err() {
        stream.change(|contents| contents.passing.retain(|other| !Arc::ptr_eq(other, &segment)));
        segment.end(State::Broken);
    }
    outcome
}

async fn pass_body(home: &Home, segment: &Growing, body: &mut Received) -> Result<u64, Failure> {
    loop {
        match pace::receive_live(home, body).await {
            Ok(Some(bytes)) => {
                let length = segment.progress().length + bytes.len() as u64;
                check_length(home, length)?;
                if !segment.push(&bytes) {
                    return Err(Failure::refuse(Code::Busy, "the relay has no memory left for passing segments"));
                }
            }
            Ok(None) => {
                segment.end(State::Whole);
                return Ok(segment.progress().length);
            }
            Err(_) => return Err(Failure::Lost),
        }
    }
}

/// Notes which uploads of a stream are under way, and when their last byte came. Under the home's book.
pub(crate) async fn note(home: &Home, stream: &Stream) -> Result<(), Failure> {
    let record = {
        let contents = stream.contents();
        if contents.dropped {
            return Ok(());
        }
        contents.record()
    };
    let mut batch = Batch::new();
    batch.put(stream_key(home.id, stream.id), cbor::encode(&record));
    home.storage.commit(batch).await?;
    let mut contents = stream.contents();
    contents.recorded = true;
    contents.noted = Some(record);
    Ok(())
}

pub(crate) fn check_length(home: &Home, length: u64) -> Result<(), Failure> {
    let limit = home.limits().segment_bytes;
    if length > limit {
        return Err(Failure::refuse(Code::TooLarge, format!("a segment may have {limit} bytes")));
    }
    Ok(())
}

pub(crate) async fn get(
    home: &Home,
    stream: StreamId,
    index: u64,
    offset: u64,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let not_found = || Failure::refuse(Code::NotFound, "there is no such segment");
    let stream = home.stream(stream).ok_or_else(not_found)?;
    let (kept, live) = {
        let contents = stream.contents();
        if contents.dropped || contents.is_gone(index) {
            return Err(Failure::refuse(Code::Gone, "this segment was here and is not any more"));
        }
        (contents.kept.get(&index).copied(), contents.live(index).map(|(segment, _)| Arc::clone(segment)))
    };
    // Bulk gives way to what is live.
    answers.set_priority(priority::BULK);
    if let Some(record) = kept {
        check_offset(offset, record.length)?;
        answers.send(&Response::Body { length: Some(record.length) }).await?;
        let mut at = offset;
        return Ok(send_kept(home, &stream, index, &mut at, record.length, answers).await?);
    }
    let segment = live.ok_or_else(not_found)?;
    let progress = segment.progress();
    check_offset(offset, progress.length)?;
    let length = (progress.state == State::Whole).then_some(progress.length);
    answers.send(&Response::Body { length }).await?;
    let mut cursor = Cursor::new(segment, offset);
    let stopped = answers.stopped();
    tokio::pin!(stopped);
    loop {
        let piece = tokio::select! {
            piece = cursor.next() => piece.map_err(|_| Failure::Reset(reset::STORAGE))?,
            () = &mut stopped => return Err(Failure::Lost),
        };
        match piece {
            Piece::Bytes(bytes) => pace::send(home, answers, bytes, Lane::Kept).await?,
            Piece::End => return Ok(()),
            Piece::Broken => return Err(Failure::Reset(reset::BROKEN_OFF)),
        }
    }
}

fn check_offset(offset: u64, length: u64) -> Result<(), Failure> {
    if offset > length {
        return Err(Failure::refuse(Code::NotFound, format!("there are {length} bytes, not {offset}")));
    }
    Ok(())
}

/// Why a kept segment was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// It is not there, or not all of it.
    Gone,
    /// The storage could not say: it may be there the next moment.
    Away(StoreError),
    /// Whoever wanted it does not.
    Unwanted(Failure),
}

impl From<StoreError> for Unsent {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(_) => Self::Gone,
            away => Self::Away(away),
        }
    }
}

impl From<Unsent> for Failure {
    fn from(unsent: Unsent) -> Self {
        match unsent {
            Unsent::Gone | Unsent::Away(_) => Self::Reset(reset::STORAGE),
            Unsent::Unwanted(failure) => failure,
        }
    }
}

/// Sends a kept segment's bytes from where they are, from `at` on, which is where the next one is when this fails.
pub(crate) async fn send_kept(
    home: &Home,
    stream: &Stream,
    index: u64,
    at: &mut u64,
    length: u64,
    out: &mut Answers,
) -> Result<(), Unsent> {
    let name = body_name(home.id, stream.id, index)?;
    let body = home.storage.body(name).await?.ok_or(Unsent::Gone)?;
    while *at < length {
        let most = usize::try_from(length - *at).unwrap_or(usize::MAX).min(READ_SIZE);
        let bytes = body.read(*at, most).await?;
        if bytes.is_empty() {
            return Err(Unsent::Gone);
        }
        *at += bytes.len() as u64;
        pace::send(home, out, bytes, Lane::Kept).await.map_err(Unsent::Unwanted)?;
    }
    Ok(())
}

pub(crate) async fn finish(home: &Home, stream: StreamId, segments: u64, now: Timestamp) -> Result<Response, Failure> {
    let book = home.book.lock().await;
    let stream = home.stream_or_begin(stream, now)?;
    let record = {
        let contents = stream.contents();
        if contents.dropped {
            return Err(dropped());
        }
        if contents.finished.is_some_and(|before| before != segments) || contents.next() > segments {
            return Err(Failure::refuse(Code::Conflict, "the stream has another number of segments"));
        }
        let mut record = contents.record();
        record.finished = Some(segments);
        // Passing streams leave no trace on disk.
        (contents.recorded || !contents.kept.is_empty() || contents.has_unfinished()).then_some(record)
    };
    if let Some(record) = record {
        let mut batch = Batch::new();
        batch.put(stream_key(home.id, stream.id), cbor::encode(&record));
        home.storage.commit(batch).await?;
        stream.contents().recorded = true;
    }
    stream.change(|contents| {
        contents.finished = Some(segments);
        contents.touched = now;
    });
    let forgotten = forget_if_read(home, &stream).await?;
    drop(book);
    remove(home, forgotten).await?;
    Ok(Response::Done)
}

pub(crate) fn stat(home: &Home, stream: StreamId) -> Result<Response, Failure> {
    let stream = home.stream(stream).ok_or_else(|| Failure::refuse(Code::NotFound, "there is no such stream"))?;
    let state = stream.contents().state();
    Ok(Response::Stream(state))
}

pub(crate) async fn acknowledge(home: &Home, who: CapabilityKey, stream: StreamId) -> Result<Response, Failure> {
    let book = home.book.lock().await;
    // What is not here needs no acknowledgement; and the owner is no reader.
    let is_here = |stream: &Arc<Stream>| who != home.owner && !stream.contents().dropped;
    let Some(stream) = home.stream(stream).filter(is_here) else { return Ok(Response::Done) };
    let record = {
        let contents = stream.contents();
        let mut record = contents.record();
        if !record.acknowledged.contains(&who) {
            record.acknowledged.push(who);
        }
        contents.recorded.then_some(record)
    };
    if let Some(record) = record {
        let mut batch = Batch::new();
        batch.put(stream_key(home.id, stream.id), cbor::encode(&record));
        home.storage.commit(batch).await?;
    }
    stream.contents().acknowledged.insert(who);
    let forgotten = forget_if_read(home, &stream).await?;
    drop(book);
    remove(home, forgotten).await?;
    Ok(Response::Done)
}

pub(crate) async fn drop_stream(home: &Home, stream: StreamId) -> Result<Response, Failure> {
    let book = home.book.lock().await;
    let Some(stream) = home.stream(stream) else { return Ok(Response::Done) };
    let forgotten = forget(home, &stream).await?;
    drop(book);
    remove(home, [forgotten]).await?;
    Ok(Response::Done)
}

/// Forgets every stream that all readers acknowledged, as far as that can be done: those, and what went wrong first. Under the home's book.
pub(crate) async fn forget_read(home: &Home) -> (Vec<Forgotten>, Result<(), Failure>) {
    let streams: Vec<_> = home.streams().values().cloned().collect();
    let (mut all, mut outcome) = (Vec::new(), Ok(()));
    for stream in streams {
        match forget_if_read(home, &stream).await {
            Ok(forgotten) => all.extend(forgotten),
            Err(failure) => outcome = outcome.and(Err(failure)),
        }
    }
    (all, outcome)
}

async fn forget_if_read(home: &Home, stream: &Arc<Stream>) -> Result<Option<Forgotten>, Failure> {
    let all_read = {
        let grants = home.grants();
        let contents = stream.contents();
        let mut readers = grants.iter().filter(|(_, grant)| grant.rights.segments).peekable();
        contents.finished.is_some()
            && readers.peek().is_some()
            && readers.all(|(reader, _)| contents.acknowledged.contains(reader))
    };
    if all_read { forget(home, stream).await.map(Some) } else { Ok(None) }
}

/// A stream that is forgotten, but for its files. As long as they are there it is not begun anew: their names would be the same.
#[must_use = "its files stay, and nobody can begin it anew"]
pub(crate) enum Forgotten {
    Now {
        stream: Arc<Stream>,
        /// Of what there is of it, the segments that the index does not have any more.
        known: BTreeMap<u64, SegmentRecord>,
        gone: Gone,
    },
    /// Somebody else is at its files.
    Before(Arc<Stream>),
}

/// Forgets a stream and its segments. Under the home's book, which is needed no longer after that: who [`remove`]s the files waits for
/// those who write them.
async fn forget(home: &Home, stream: &Arc<Stream>) -> Result<Forgotten, Failure> {
    let known = {
        let contents = stream.contents();
        if contents.dropped {
            return Ok(Forgotten::Before(Arc::clone(stream)));
        }
        contents.kept.clone()
    };
    let mut batch = Batch::new();
    batch.delete(stream_key(home.id, stream.id));
    for (index, record) in &known {
        delete(home, stream.id, *index, *record, &mut batch)?;
    }
    home.storage.commit(batch).await?;
    let gone = stream.change(Contents::drop_all);
    Ok(Forgotten::Now { stream: Arc::clone(stream), known, gone })
}

/// Removes the files of streams that were forgotten, each once nobody writes it any more. Not under the home's book.
pub(crate) async fn remove(home: &Home, forgotten: impl IntoIterator<Item = Forgotten>) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for one in forgotten {
        match one {
            Forgotten::Now { stream, known, gone } => {
                outcome = outcome.and(remove_files(home, &stream, known, gone).await);
                home.streams().remove(&stream.id);
                stream.removed.cancel();
            }
            Forgotten::Before(stream) => stream.removed.cancelled().await,
        }
    }
    outcome
}

async fn remove_files(
    home: &Home,
    stream: &Stream,
    known: BTreeMap<u64, SegmentRecord>,
    Gone { kept, growing, left }: Gone,
) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for segment in growing.values() {
        // Its writer lets go first: then nothing more is written, counted or renamed.
        let (_writing, _) = segment.become_writer().await;
        segment.closed().await;
        home.give_back(segment.take_counted());
        home.end_upload();
        outcome = outcome.and(remove_file(home, stream.id, segment.index).await);
    }
    for index in left {
        home.end_upload();
        outcome = outcome.and(remove_file(home, stream.id, index).await);
    }
    let (known, late): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(index, _)| known.contains_key(index));
    for (index, record) in known {
        home.give_back(counts_as(record.length));
        outcome = outcome.and(remove_kept(home, stream.id, index, record).await);
    }
    if !late.is_empty() {
        // They became whole in the meantime.
        outcome = outcome.and(forget_segments(home, stream.id, late).await);
    }
    outcome
}

/// Adds to a batch that all goes which the index has of a kept segment.
fn delete(
    home: &Home,
    stream: StreamId,
    index: u64,
    record: SegmentRecord,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    batch.delete(segment_key(home.id, stream, index));
    if record.small {
        home.storage.forget_small(&body_name(home.id, stream, index)?, record.length, batch);
    }
    Ok(())
}

/// Removes a kept segment's file, where it has one.
async fn remove_kept(home: &Home, stream: StreamId, index: u64, record: SegmentRecord) -> Result<(), Failure> {
    if record.small { Ok(()) } else { remove_file(home, stream, index).await }
}

async fn remove_file(home: &Home, stream: StreamId, index: u64) -> Result<(), Failure> {
    Ok(home.storage.remove_body(body_name(home.id, stream, index)?).await?)
}

/// Forgets some kept segments of a stream.
pub(crate) async fn forget_segments(
    home: &Home,
    stream: StreamId,
    segments: Vec<(u64, SegmentRecord)>,
) -> Result<(), Failure> {
    let mut batch = Batch::new();
    for (index, record) in &segments {
        delete(home, stream, *index, *record, &mut batch)?;
    }
    home.storage.commit(batch).await?;
    let mut outcome = Ok(());
    for (index, record) in segments {
        home.give_back(counts_as(record.length));
        outcome = outcome.and(remove_kept(home, stream, index, record).await);
    }
    outcome
}
