//! Segments: written by the owner, kept on disk or passing through memory, and forgotten when every reader has them.

use std::sync::Arc;
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::relay::{CapabilityKey, Code, Response, Retention, reset};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use quinn::VarInt;
use tokio_util::sync::CancellationToken;

use super::growing::{Cursor, Growing, Piece, READ_SIZE, State};
use super::home::Home;
use super::pace::{self, Lane};
use super::priority;
use super::received::Received;
use super::records::{SegmentRecord, body_name, check_number, counts_as, segment_key, stream_key};
use super::stream::{Contents, Gone, Stream};
use super::upload::{begin, book, count, dropped, give_up, open, taken};
use super::wire::{Answers, Failure};
use crate::storage::BodyWriter;

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

async fn keep(
    home: &Home,
    stream: &Stream,
    put: &Put,
    until: Timestamp,
    body: &mut Received,
    answers: &mut Answers,
    now: Timestamp,
) -> Result<u64, Failure> {
    let until = until.min(now.after(Duration::from_secs(home.limits().retention_s)));
    loop {
        let known = {
            let contents = stream.contents();
            if let Some(record) = contents.kept.get(&put.index) {
                body.stop(VarInt::from_u32(reset::ANSWERED));
                return Ok(record.length);
            }
            contents.growing.get(&put.index).cloned()
        };
        let (segment, begun) = match known {
            Some(segment) => (segment, false),
            None => match begin(home, stream, put.index)? {
                Some(begun) => begun,
                None => continue,
            },
        };
        // Whoever writes now is asked to let go: its connection is probably broken.
        let (_writing, replaced) = segment.become_writer().await;
        if segment.progress().state != State::Growing {
            continue;
        }
        // Readers share the file until this ends.
        let (mut writer, _file) = match open(home, &segment).await {
            Ok(opened) => opened,
            Err(failure) => {
                if begun {
                    give_up(home, stream, &segment).await;
                }
                return Err(failure);
            }
        };
        if !put.resume && writer.length() > 0 {
            let name = body_name(home.id, put.stream, put.index)?;
            let anew = Growing::on_disk(put.index, name, Arc::clone(&home.storage));
            // Where that fails, all is as it was.
            writer.clear().await?;
            // It starts anew: those who follow the old bytes are told, and begin again.
            segment.end(State::Broken);
            stream.change(|contents| {
                // Of a dropped stream the old one is given back.
                if !contents.dropped {
                    anew.set_counted(segment.take_counted());
                    contents.growing.insert(put.index, anew);
                }
            });
            continue;
        }
        if stream.contents().is_noted(put.index) {
            // After a crash the next start would count from when it broke off the last time.
            let _book = book(home, &segment).await?;
            stream.contents().touched = home.now();
            note(home, stream).await?;
        }
        if put.resume {
            let offset = Response::Resume { offset: writer.length() };
            tokio::select! {
                () = replaced.cancelled() => return Err(taken(stream)),
                sent = answers.send(&offset) => sent?,
            }
        }
        if let Err(failure) = fill(home, stream, &segment, &mut *writer, body, &replaced).await {
            // What has come stays, for whoever goes on with it. If that fails, it goes on a little earlier.
            if let Err(error) = writer.leave().await {
                tracing::debug!(error = super::told::told(&error), "an upload that broke off lost its last bytes");
            }
            return Err(failure);
        }
        let length = match writer.finish().await {
            Ok(length) => length,
            // After a failed sync nobody knows which bytes are on the disk, and a second one would not tell: it starts anew.
            Err(error) => {
                give_up(home, stream, &segment).await;
                return Err(error.into());
            }
        };
        let record = SegmentRecord { length, until };
        let mut batch = Batch::new();
        batch.put(segment_key(home.id, put.stream, put.index), cbor::encode(&record));
        // Whoever writes the stream's record has the book: it says what was acknowledged until then. One that is there already stays.
        let recorded = stream.contents().recorded;
        let _book = if recorded { None } else { Some(book(home, &segment).await?) };
        {
            let contents = stream.contents();
            if contents.dropped {
                return Err(dropped());
            }
            if !contents.recorded {
                batch.put(stream_key(home.id, put.stream), cbor::encode(&contents.record()));
            }
        }
        match home.storage.commit(batch).await {
            Ok(()) => {}
            // Surely not in the index: a whole file that nobody was promised.
            Err(error @ StoreError::Full(_)) => {
                give_up(home, stream, &segment).await;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        let gone = stream.change(|contents| {
            if contents.growing.remove(&put.index).is_some() {
                home.end_upload();
            }
            if !contents.dropped {
                contents.recorded = true;
                contents.kept.insert(put.index, record);
            }
            contents.dropped
        });
        segment.end(State::Whole);
        // From now on they are the kept segment's.
        segment.take_counted();
        if gone {
            // Dropped while it was made durable: what was just written goes too.
            forget_segments(home, put.stream, vec![(put.index, record)]).await?;
            return Err(dropped());
        }
        return Ok(length);
    }
}

/// Writes what comes to a segment's body, until its end.
async fn fill(
    home: &Home,
    stream: &Stream,
    segment: &Growing,
    writer: &mut dyn BodyWriter,
    body: &mut Received,
    replaced: &CancellationToken,
) -> Result<(), Failure> {
    loop {
        let bytes = tokio::select! {
            () = replaced.cancelled() => return Err(taken(stream)),
            bytes = pace::receive_many(home, body) => bytes,
        };
        match bytes {
            Ok(Some(bytes)) => {
                let length = bytes.len() as u64;
                check_length(home, writer.length() + length)?;
                count(home, segment, writer.length() + length)?;
                if let Err(error) = writer.append(bytes).await {
                    let _ = count(home, segment, writer.length());
                    return Err(error.into());
                }
                stream.contents().touched = home.now();
                segment.grew_to(writer.length());
            }
            Ok(None) => return Ok(()),
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

fn check_length(home: &Home, length: u64) -> Result<(), Failure> {
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

/// Sends a kept segment's bytes from its file, from `at` on, which is where the next one is when this fails.
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
    let _book = home.book.lock().await;
    let stream = home.stream_or_begin(stream, now)?;
    let record = {
        let contents = stream.contents();
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
    forget_if_read(home, &stream).await?;
    Ok(Response::Done)
}

pub(crate) fn stat(home: &Home, stream: StreamId) -> Result<Response, Failure> {
    let stream = home.stream(stream).ok_or_else(|| Failure::refuse(Code::NotFound, "there is no such stream"))?;
    let state = stream.contents().state();
    Ok(Response::Stream(state))
}

pub(crate) async fn acknowledge(home: &Home, who: CapabilityKey, stream: StreamId) -> Result<Response, Failure> {
    let _book = home.book.lock().await;
    // What is not here needs no acknowledgement; and the owner is no reader.
    let Some(stream) = home.stream(stream).filter(|_| who != home.owner) else { return Ok(Response::Done) };
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
    forget_if_read(home, &stream).await?;
    Ok(Response::Done)
}

pub(crate) async fn drop_stream(home: &Home, stream: StreamId) -> Result<Response, Failure> {
    let _book = home.book.lock().await;
    if let Some(stream) = home.stream(stream) {
        forget(home, &stream).await?;
    }
    Ok(Response::Done)
}

/// Forgets every stream that all readers acknowledged.
pub(crate) async fn forget_read(home: &Home) -> Result<(), Failure> {
    let streams: Vec<_> = home.streams().values().cloned().collect();
    for stream in streams {
        forget_if_read(home, &stream).await?;
    }
    Ok(())
}

async fn forget_if_read(home: &Home, stream: &Stream) -> Result<(), Failure> {
    let all_read = {
        let grants = home.grants();
        let contents = stream.contents();
        let mut readers = grants.iter().filter(|(_, grant)| grant.rights.segments).peekable();
        contents.finished.is_some()
            && readers.peek().is_some()
            && readers.all(|(reader, _)| contents.acknowledged.contains(reader))
    };
    if all_read { forget(home, stream).await } else { Ok(()) }
}

/// Forgets a stream, its segments and its files. Under the home's book.
pub(crate) async fn forget(home: &Home, stream: &Stream) -> Result<(), Failure> {
    let known = stream.contents().kept.clone();
    let mut batch = Batch::new();
    batch.delete(stream_key(home.id, stream.id));
    for index in known.keys() {
        batch.delete(segment_key(home.id, stream.id, *index));
    }
    home.storage.commit(batch).await?;
    let Gone { kept, growing, left } = stream.change(Contents::drop_all);
    let mut outcome = Ok(());
    // As long as files of it are there it is not begun anew: their names would be the same.
    for segment in growing.values() {
        // Its writer lets go first: then nothing more is written, counted or renamed.
        let (_writing, _) = segment.become_writer().await;
        segment.closed().await;
        home.give_back(segment.take_counted());
        home.end_upload();
        outcome = outcome.and(remove(home, stream.id, segment.index).await);
    }
    for index in left {
        home.end_upload();
        outcome = outcome.and(remove(home, stream.id, index).await);
    }
    let (known, late): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(index, _)| known.contains_key(index));
    for (index, record) in known {
        home.give_back(counts_as(record.length));
        outcome = outcome.and(remove(home, stream.id, index).await);
    }
    if !late.is_empty() {
        // They became whole in the meantime.
        outcome = outcome.and(forget_segments(home, stream.id, late).await);
    }
    home.streams().remove(&stream.id);
    outcome
}

async fn remove(home: &Home, stream: StreamId, index: u64) -> Result<(), Failure> {
    Ok(home.storage.remove_body(body_name(home.id, stream, index)?).await?)
}

/// Forgets some kept segments of a stream.
pub(crate) async fn forget_segments(
    home: &Home,
    stream: StreamId,
    segments: Vec<(u64, SegmentRecord)>,
) -> Result<(), Failure> {
    let mut batch = Batch::new();
    for (index, _) in &segments {
        batch.delete(segment_key(home.id, stream, *index));
    }
    home.storage.commit(batch).await?;
    let mut outcome = Ok(());
    for (index, record) in segments {
        home.give_back(counts_as(record.length));
        outcome = outcome.and(remove(home, stream, index).await);
    }
    outcome
}
