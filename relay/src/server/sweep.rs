//! What goes by itself: everything whose time is over.

use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::MailboxId;
use privet_protocol::relay::Side;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::home::{Home, messages_prefix, scan_all};
use super::records::{EntryRecord, MailboxRecord, decode, id_at, key, last_number, stream_key};
use super::segments;
use super::wire::Failure;
use crate::storage::Storage;

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
