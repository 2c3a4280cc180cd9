//! What goes by itself: at start, files without a record and records without a file; later, everything whose time is over.

use std::collections::HashSet;
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::Side;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::home::{Home, messages_prefix, scan_all};
use super::records::{EntryRecord, MailboxRecord, decode, id_at, key, last_number, parse_body_name, stream_key};
use super::segments;
use super::wire::Failure;
use crate::storage::Storage;

/// Where the id of the machine's run is kept: partial files of an earlier run may lack what the disk had not written.
pub(crate) const BOOT_KEY: &[u8] = b"boot";

/// Brings index and bodies together. Partial bodies stay, to be gone on with, unless the machine itself went down.
pub(crate) async fn scrub(storage: &dyn Storage, boot: &[u8]) -> Result<(), StoreError> {
    let same_run = storage.get(BOOT_KEY.to_vec()).await?.as_deref() == Some(boot);
    let mut whole = HashSet::new();
    let (mut removed, mut lost) = (0_u64, 0_u64);
    for body in storage.bodies().await? {
        let Some((home, stream, index)) = parse_body_name(&body.name) else { continue };
        let record = storage.get(super::records::segment_key(home, stream, index)).await?;
        if body.partial {
            let homeless = storage.get(super::records::home_key(home)).await?.is_none();
            if record.is_some() || homeless || !same_run {
                // A partial file beside a whole one can only be a leftover of its renaming.
                if record.is_none() {
                    storage.remove_body(body.name).await?;
                    removed += 1;
                }
            }
        } else if record.is_some() {
            whole.insert((home, stream, index));
        } else {
            storage.remove_body(body.name).await?;
            removed += 1;
        }
    }
    let mut batch = Batch::new();
    scan_all(storage, b"b/".to_vec(), |(key, _)| {
        let home = HomeId::from_bytes(id_at(&key, 2)?);
        let stream = StreamId::from_bytes(id_at(&key, 18)?);
        if !whole.contains(&(home, stream, last_number(&key)?)) {
            lost += 1;
            batch.delete(key);
        }
        Ok(())
    })
    .await?;
    batch.put(BOOT_KEY, boot);
    storage.commit(batch).await?;
    if lost > 0 {
        tracing::error!(lost, "segments had a record but no file: they were lost outside of this program");
    }
    tracing::info!(removed, "unfinished files that nobody was promised were removed");
    Ok(())
}

/// Forgets what has expired in a home.
pub(crate) async fn home(home: &Home, now: Timestamp) -> Result<(), Failure> {
    let oldest = Timestamp(now.0.saturating_sub_unsigned(home.limits().retention_s.saturating_mul(1000)));
    let streams: Vec<_> = home.streams().values().cloned().collect();
    for stream in streams {
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
            segments::forget_segments(home, stream.id, expired).await?;
        }
        let idle = {
            let contents = stream.contents();
            let quiet = now.since(contents.touched);
            let unwritten = contents.growing.values().all(|segment| !segment.has_writer());
            let whole = contents.kept.is_empty();
            // Passing segments have no use when nobody writes any more; unfinished ones may still be resumed.
            let patience = if contents.growing.is_empty() { PASSING_PATIENCE } else { RESUME_PATIENCE };
            let over = contents.finished.is_some() && contents.growing.is_empty();
            whole && unwritten && (quiet > patience || (over && quiet > FINISHED_PATIENCE))
        };
        if idle && stream.followers() == 0 {
            segments::forget(home, &stream).await?;
        }
    }

    let mut book = home.book.lock().await;
    let upto = expired_upto(home, key(b"l/", &[home.id.as_bytes()]), book.record.log.first, oldest).await?;
    super::log::forget_upto(home, &mut book, upto).await?;
    let upto = expired_upto(home, key(b"i/", &[home.id.as_bytes()]), book.record.inbox.first, oldest).await?;
    drop(book);
    super::inbox::acknowledge(home, upto).await?;
    Ok(())
}

const PASSING_PATIENCE: Duration = Duration::from_secs(300);
const FINISHED_PATIENCE: Duration = Duration::from_secs(60);
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
