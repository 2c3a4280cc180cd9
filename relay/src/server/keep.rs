//! Keeping a segment: all of it is durable before it is acknowledged.
//!
//! What is small and comes at once, its end with its first bytes, goes into the index in the commit that records it: one sync. Everything
//! else is written to a file as it comes, followed by readers, and can be gone on with where it broke off: its bytes, its name and its
//! record are a sync each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use privet_protocol::cbor;
use privet_protocol::relay::{Response, reset};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use quinn::VarInt;
use tokio_util::sync::CancellationToken;

use super::growing::{Growing, State};
use super::home::Home;
use super::pace;
use super::received::{Gathered, Received};
use super::records::{SegmentRecord, body_name, segment_key, stream_key};
use super::segments::{Put, check_length, forget_segments, note};
use super::stream::Stream;
use super::upload::{begin, book, count, dropped, give_up, open, taken};
use super::wire::{Answers, Failure};
use crate::storage::BodyWriter;

/// Takes a segment in, or what is missing of it, and acknowledges it when all of it is durable.
pub(crate) async fn keep(
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
        let segment = match known {
            Some(segment) => segment,
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
        let blank = segment.is_blank();
        let mut first = None;
        if let Some(most) = home.storage.small_bodies().filter(|_| blank) {
            if let Err(failure) = count(home, &segment, 0) {
                give_up(home, stream, &segment).await;
                return Err(failure);
            }
            let came = receive_first(home, stream, put, body, answers, &replaced).await?;
            if came.ended && came.bytes.len() <= most {
                return keep_small(home, stream, put, until, &segment, came.bytes).await;
            }
            first = Some(came);
        }
        // Readers share the file until this ends.
        let (mut writer, _file) = match open(home, &segment).await {
            Ok(opened) => opened,
            Err(failure) => {
                if blank {
                    give_up(home, stream, &segment).await;
                }
                return Err(failure);
            }
        };
        if first.is_some() && writer.length() > 0 {
            // Left of one that was given up and could not be removed: who begins now knows nothing of it.
            give_up(home, stream, &segment).await;
            return Err(StoreError::Io("a file is in the way that could not be removed".into()).into());
        }
        if !put.resume && writer.length() > 0 {
            let name = body_name(home.id, put.stream, put.index)?;
            let anew = Growing::on_disk(put.index, name, Arc::clone(&home.storage), false);
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
        if put.resume && first.is_none() {
            tell_offset(stream, writer.length(), answers, &replaced).await?;
        }
        if let Err(failure) = fill(home, stream, &segment, &mut *writer, first, body, &replaced).await {
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
        return keep_whole(home, stream, put, &segment, SegmentRecord { length, until, small: false }, None).await;
    }
}

/// The first bytes of an upload that has no file, once its hub was told to begin.
async fn receive_first(
    home: &Home,
    stream: &Stream,
    put: &Put,
    body: &mut Received,
    answers: &mut Answers,
    replaced: &CancellationToken,
) -> Result<Gathered, Failure> {
    if put.resume {
        tell_offset(stream, 0, answers, replaced).await?;
    }
    receive(home, stream, body, replaced).await
}

/// Tells a hub from which byte on the rest is wanted.
async fn tell_offset(
    stream: &Stream,
    offset: u64,
    answers: &mut Answers,
    replaced: &CancellationToken,
) -> Result<(), Failure> {
    let offset = Response::Resume { offset };
    tokio::select! {
        () = replaced.cancelled() => Err(taken(stream)),
        sent = answers.send(&offset) => sent,
    }
}

/// What comes next of an upload, as long as it is this one's.
async fn receive(
    home: &Home,
    stream: &Stream,
    body: &mut Received,
    replaced: &CancellationToken,
) -> Result<Gathered, Failure> {
    tokio::select! {
        () = replaced.cancelled() => Err(taken(stream)),
        came = pace::receive_many(home, body) => came.map_err(|_| Failure::Lost),
    }
}

/// Writes what comes to a segment's body, after what has come already, until its end.
async fn fill(
    home: &Home,
    stream: &Stream,
    segment: &Growing,
    writer: &mut dyn BodyWriter,
    mut first: Option<Gathered>,
    body: &mut Received,
    replaced: &CancellationToken,
) -> Result<(), Failure> {
    loop {
        let Gathered { bytes, ended } = match first.take() {
            Some(first) => first,
            None => receive(home, stream, body, replaced).await?,
        };
        if !bytes.is_empty() {
            let length = bytes.len() as u64;
            check_length(home, writer.length() + length)?;
            // When they came, not when the disk has taken them.
            stream.contents().touched = home.now();
            count(home, segment, writer.length() + length)?;
            if let Err(error) = writer.append(bytes).await {
                let _ = count(home, segment, writer.length());
                return Err(error.into());
            }
            segment.grew_to(writer.length());
        }
        if ended {
            return Ok(());
        }
    }
}

/// Keeps a segment of which all has come before there was a file of it.
async fn keep_small(
    home: &Home,
    stream: &Stream,
    put: &Put,
    until: Timestamp,
    segment: &Growing,
    bytes: Bytes,
) -> Result<u64, Failure> {
    let length = bytes.len() as u64;
    check_length(home, length)?;
    count(home, segment, length)?;
    stream.contents().touched = home.now();
    keep_whole(home, stream, put, segment, SegmentRecord { length, until, small: true }, Some(bytes)).await
}

/// Records a segment that is whole: its file is durable, or these bytes become so with the record. From then on it is kept.
async fn keep_whole(
    home: &Home,
    stream: &Stream,
    put: &Put,
    segment: &Growing,
    record: SegmentRecord,
    small: Option<Bytes>,
) -> Result<u64, Failure> {
    let mut batch = Batch::new();
    batch.put(segment_key(home.id, put.stream, put.index), cbor::encode(&record));
    // Whoever writes the stream's record has the book: it says what was acknowledged until then. One that is there already stays.
    let recorded = stream.contents().recorded;
    let _book = if recorded { None } else { Some(book(home, segment).await?) };
    {
        let contents = stream.contents();
        if contents.dropped {
            return Err(dropped());
        }
        if !contents.recorded {
            batch.put(stream_key(home.id, put.stream), cbor::encode(&contents.record()));
        }
    }
    let committed = match small {
        Some(bytes) => home.storage.keep_small(body_name(home.id, put.stream, put.index)?, bytes, batch).await,
        None => home.storage.commit(batch).await,
    };
    match committed {
        Ok(()) => {}
        // Surely not in the index: at most a whole file that nobody was promised.
        Err(error @ StoreError::Full(_)) => {
            give_up(home, stream, segment).await;
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
    segment.whole(record.length);
    // From now on they are the kept segment's.
    segment.take_counted();
    if gone {
        // Dropped while it was made durable: what was just written goes too.
        forget_segments(home, put.stream, vec![(put.index, record)]).await?;
        return Err(dropped());
    }
    Ok(record.length)
}
