//! What goes by itself: everything whose time is over.

use std::sync::Arc;
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::MailboxId;
use privet_protocol::relay::Side;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::growing::{Growing, State};
use super::home::{Home, messages_prefix, scan_all};
use super::records::{
    EntryRecord, MailboxRecord, body_name, decode, id_at, inbox_key, key, last_number, log_key, stream_key,
};
use super::stream::{Contents, Stream};
use super::upload::let_go;
use super::wire::Failure;
use super::{segments, wake};
use crate::storage::Storage;

/// Forgets what has expired in a home. What can't be forgotten holds nothing else up; the first failure is told at the end.
pub(crate) async fn home(home: &Home, now: Timestamp) -> Result<(), Failure> {
    let mut outcome = Ok(());
    let streams: Vec<_> = home.streams().values().cloned().collect();
    for stream in streams {
        outcome = outcome.and(kept(home, &stream, now).await).and(idle(home, stream, now).await);
    }
    outcome.and(entries(home, now).await).and(messages(home, now).await)
}

/// When something of a home expires, as far as can be said now.
pub(crate) async fn due(home: &Home, now: Timestamp) -> Result<Timestamp, Failure> {
    let mut due = Timestamp(i64::MAX);
    for stream in home.streams().values() {
        let contents = stream.contents();
        let first = contents.kept.values().map(|segment| segment.until).min();
        due = due.min(first.unwrap_or_else(|| contents.touched.after(PASSING_PATIENCE)));
    }
    due = due.min(wake::due(home));
    let (log, inbox) = {
        let book = home.book.lock().await;
        (book.record.log, book.record.inbox)
    };
    let stays = now.0.saturating_sub(oldest(home, now).0);
    for (span, first) in [(log, log_key(home.id, log.first)), (inbox, inbox_key(home.id, inbox.first))] {
        if span.count() == 0 {
            continue;
        }
        if let Some(value) = home.storage.get(first).await? {
            let at = decode::<EntryRecord>(&value)?.at;
            due = due.min(Timestamp(at.0.saturating_add(stays)));
        }
    }
    Ok(due)
}

/// Forgets what has expired of a stream.
async fn kept(home: &Home, stream: &Stream, now: Timestamp) -> Result<(), Failure> {
    let _book = home.book.lock().await;
    let (expired, record) = {
        let contents = stream.contents();
        let expired: Vec<_> =
            contents.kept.iter().filter(|(_, s)| s.until <= now).map(|(index, s)| (*index, *s)).collect();
        let mut record = contents.record();
        if let Some((last, _)) = expired.last() {
            record.gone_below = record.gone_below.max(last + 1);
        }
        (expired, record)
    };
    let mut outcome = Ok(());
    if !expired.is_empty() {
        let mut batch = Batch::new();
        batch.put(stream_key(home.id, stream.id), cbor::encode(&record));
        home.storage.commit(batch).await?;
        stream.change(|contents| {
            contents.gone_below = record.gone_below;
            for (index, _) in &expired {
                contents.kept.remove(index);
            }
        });
        outcome = segments::forget_segments(home, stream.id, expired).await;
    }
    outcome.and(uploads(home, stream, now).await)
}

/// Forgets a stream of which nothing is there, and that nobody writes or follows.
async fn idle(home: &Home, stream: Arc<Stream>, now: Timestamp) -> Result<(), Failure> {
    let is_idle = |contents: &Contents| {
        let quiet = now.since(contents.touched);
        // Passing segments have no use when nobody writes any more.
        let patience = if contents.finished.is_some() { FINISHED_PATIENCE } else { PASSING_PATIENCE };
        contents.kept.is_empty() && !contents.has_unfinished() && quiet > patience
    };
    // A new one of this id makes its record under the book, too.
    let _book = home.book.lock().await;
    if home.take_away(&stream, is_idle) && stream.contents().recorded {
        let mut batch = Batch::new();
        batch.delete(stream_key(home.id, stream.id));
        home.storage.commit(batch).await?;
    }
    Ok(())
}

/// The time before which nothing is kept.
fn oldest(home: &Home, now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub_unsigned(home.limits().retention_s.saturating_mul(1000)))
}

async fn entries(home: &Home, now: Timestamp) -> Result<(), Failure> {
    let mut book = home.book.lock().await;
    let first = book.record.log.first;
    let upto = expired_upto(home, key(b"l/", &[home.id.as_bytes()]), first, oldest(home, now)).await?;
    super::log::forget_upto(home, &mut book, upto).await
}

async fn messages(home: &Home, now: Timestamp) -> Result<(), Failure> {
    let first = home.book.lock().await.record.inbox.first;
    let upto = expired_upto(home, key(b"i/", &[home.id.as_bytes()]), first, oldest(home, now)).await?;
    super::inbox::acknowledge(home, upto).await.map(|_| ())
}

/// Forgets the uploads of a stream that nobody went on with for too long; notes of the others, for the next start, when their last
/// byte came. Under the home's book.
async fn uploads(home: &Home, stream: &Stream, now: Timestamp) -> Result<(), Failure> {
    let is_over = |contents: &Contents| now.since(contents.touched) > RESUME_PATIENCE;
    let over: Vec<_> = {
        let mut contents = stream.contents();
        match is_over(&contents) {
            true => {
                // Shown while their files go: who wants to go on with one waits, and begins anew.
                for index in std::mem::take(&mut contents.left) {
                    let name = body_name(home.id, stream.id, index)?;
                    let shown = Growing::on_disk(index, name, home.storage.clone(), false);
                    contents.growing.entry(index).or_insert(shown);
                }
                contents.growing.values().cloned().collect()
            }
            false => Vec::new(),
        }
    };
    let mut outcome = Ok(());
    for segment in over {
        let Some(_held) = segment.hold() else { continue };
        // It may have ended or gone on just now.
        if segment.progress().state != State::Growing || !is_over(&stream.contents()) {
            continue;
        }
        let name = body_name(home.id, stream.id, segment.index)?;
        outcome = outcome.and(let_go(home, stream, &segment, home.storage.remove_partial(name)).await);
    }
    outcome?;
    let is_news = {
        let contents = stream.contents();
        contents.has_unfinished() && contents.noted.as_ref() != Some(&contents.record())
    };
    if is_news { segments::note(home, stream).await } else { Ok(()) }
}

const PASSING_PATIENCE: Duration = Duration::from_secs(300);
const FINISHED_PATIENCE: Duration = Duration::from_secs(60);
/// An upload may be gone on with for so long after the last byte that came of its stream.
const RESUME_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The last of the entries at the beginning of a log that are older than `oldest`; 0 when there are none.
async fn expired_upto(home: &Home, prefix: Vec<u8>, first: u64, oldest: Timestamp) -> Result<u64, Failure> {
    let mut upto = 0;
    let mut next = first;
    loop {
        let mut start = prefix.clone();
        start.extend_from_slice(&next.to_be_bytes());
        let page = home.storage.scan(prefix.clone(), start, 16).await?;
        if page.is_empty() {
            return Ok(upto);
        }
        for (name, value) in page {
            if decode::<EntryRecord>(&value)?.at > oldest {
                return Ok(upto);
            }
            upto = last_number(&name)?;
            next = upto + 1;
        }
    }
}

/// Forgets mailboxes whose time is over, tombstones too.
pub(crate) async fn mailboxes(storage: &dyn Storage, now: Timestamp) -> Result<(), StoreError> {
    let mut over = Vec::new();
    scan_all(storage, b"m/".to_vec(), |(name, value)| {
        let record: MailboxRecord = decode(&value)?;
        if record.until <= now {
            over.push((MailboxId::from_bytes(id_at(&name, 2)?), record.home));
        }
        Ok(())
    })
    .await?;
    for (mailbox, home) in over {
        let mut batch = Batch::new();
        batch.delete(super::records::mailbox_key(mailbox));
        batch.delete(key(b"o/", &[home.as_bytes(), mailbox.as_bytes()]));
        for side in [Side::Hub, Side::Phone] {
            scan_all(storage, messages_prefix(mailbox, side), |(name, _)| {
                batch.delete(name);
                Ok(())
            })
            .await?;
        }
        storage.commit(batch).await?;
    }
    Ok(())
}
