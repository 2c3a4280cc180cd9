//! A kept segment that is not whole: which file it has, if any, what it counts as, and how it comes to an end. Its bytes are counted and
//! given back by whoever has the writer's place, so that each is once.

use std::sync::Arc;

use privet_protocol::relay::Code;
use privet_protocol::storage::StoreError;
use tokio::sync::MutexGuard;

use super::growing::{Growing, State};
use super::home::{Book, Home};
use super::records::{body_name, counts_as};
use super::stream::Stream;
use super::told::told;
use super::wire::Failure;
use crate::storage::{Body, BodyWriter};

pub(crate) fn dropped() -> Failure {
    Failure::refuse(Code::Gone, "the stream was dropped")
}

/// Why a writer has to let go.
pub(crate) fn taken(stream: &Stream) -> Failure {
    match stream.contents().dropped {
        true => dropped(),
        false => Failure::refuse(Code::Conflict, "a newer put took its place"),
    }
}

/// Begins an upload, or takes up one that an earlier run of the relay left; `None` when somebody else was faster. It shows before its file
/// is opened, so that the file is opened for it only.
pub(crate) fn begin(home: &Home, stream: &Stream, index: u64) -> Result<Option<Arc<Growing>>, Failure> {
    let name = body_name(home.id, stream.id, index)?;
    let storage = Arc::clone(&home.storage);
    stream.change(|contents| {
        if contents.dropped {
            return Err(dropped());
        }
        if contents.kept.contains_key(&index) || contents.growing.contains_key(&index) {
            return Ok(None);
        }
        let left = contents.left.contains(&index);
        if !left {
            home.begin_upload()?;
        }
        let segment = Growing::on_disk(index, name, storage, !left);
        contents.left.remove(&index);
        contents.touched = home.now();
        contents.growing.insert(index, Arc::clone(&segment));
        Ok(Some(segment))
    })
}

/// Opens an upload's file. What an earlier run of the relay left counts from now on.
pub(crate) async fn open(home: &Home, segment: &Growing) -> Result<(Box<dyn BodyWriter>, Arc<dyn Body>), Failure> {
    let opened = segment.open().await?;
    count(home, segment, opened.0.length())?;
    Ok(opened)
}

/// Counts an upload as one of so many bytes. Under the writer's place, which is held by whoever gives them back, too.
pub(crate) fn count(home: &Home, segment: &Growing, length: u64) -> Result<(), Failure> {
    let (before, now) = (segment.counted(), counts_as(length));
    if now > before {
        home.reserve(now - before)?;
    } else {
        home.give_back(before - now);
    }
    segment.set_counted(now);
    Ok(())
}

/// Waits for the home's book, but not longer than the segment is of use: who drops its stream waits for its writers.
pub(crate) async fn book<'a>(home: &'a Home, segment: &Growing) -> Result<MutexGuard<'a, Book>, Failure> {
    tokio::select! {
        book = home.book.lock() => Ok(book),
        () = segment.broken() => Err(dropped()),
    }
}

/// Forgets a segment that could not be made durable; whoever wants to write it begins at its first byte.
pub(crate) async fn give_up(home: &Home, stream: &Stream, segment: &Growing) {
    let removed = match body_name(home.id, stream.id, segment.index) {
        Ok(name) => let_go(home, stream, segment, home.storage.remove_body(name)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(error = told(&error), "an unfinished segment can't be removed; the next start will");
    }
}

/// Forgets an upload and its file. Under the writer's place.
pub(crate) async fn let_go(
    home: &Home,
    stream: &Stream,
    segment: &Growing,
    removal: impl Future<Output = Result<(), StoreError>>,
) -> Result<(), StoreError> {
    segment.end(State::Broken);
    segment.closed().await;
    // The file first: once nobody knows the segment, another writer may make a new one.
    let removed = removal.await;
    stream.change(|contents| {
        if contents.growing.remove(&segment.index).is_some() {
            home.end_upload();
        }
    });
    home.give_back(segment.take_counted());
    removed
}
