//! The log: numbered entries from the owner to its readers, kept until every reader acknowledged them.

use std::ops::RangeInclusive;

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{CapabilityKey, Code, MAX_ENTRY, Response};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use tokio::sync::watch;

use super::home::{Home, PAGE, over_quota, scan_all};
use super::records::{
    EntryRecord, GrantRecord, HomeRecord, Span, check_number, decode, grant_key, home_key, key, last_number, log_key,
};
use super::told::told;
use super::wire::{Answers, Failure};
use crate::storage::Storage;

/// What the log of a home counts as. Where its record does not say, every entry is read, once: the record says it from then on.
pub(crate) async fn bytes(home: HomeId, record: &mut HomeRecord, storage: &dyn Storage) -> Result<u64, StoreError> {
    if let Some(bytes) = record.log_bytes {
        return Ok(bytes);
    }
    let mut bytes = 0;
    scan_all(storage, key(b"l/", &[home.as_bytes()]), |(_, value)| {
        bytes += value.len() as u64;
        Ok(())
    })
    .await?;
    record.log_bytes = Some(bytes);
    let mut batch = Batch::new();
    batch.put(home_key(home), cbor::encode(&*record));
    if let Err(error) = storage.commit(batch).await {
        // A home whose disk is full is read all the same: the next change of its record says it too.
        tracing::debug!(error = told(&error), "what a log counts as was not written down");
    }
    Ok(bytes)
}

pub(crate) fn check_size(entry: &[u8]) -> Result<(), Failure> {
    if entry.len() > MAX_ENTRY {
        let text = format!("an entry of {} bytes, {MAX_ENTRY} are allowed", entry.len());
        return Err(Failure::refuse(Code::TooLarge, text));
    }
    Ok(())
}

pub(crate) async fn append(home: &Home, seq: u64, entry: Vec<u8>, now: Timestamp) -> Result<Response, Failure> {
    check_size(&entry)?;
    check_number(seq)?;
    let mut book = home.book.lock().await;
    let span = book.record.log;
    if seq != 0 && seq <= span.head {
        return match home.storage.get(log_key(home.id, seq)).await? {
            Some(there) if decode::<EntryRecord>(&there)?.bytes != entry => {
                Err(Failure::refuse(Code::Conflict, format!("another entry has the number {seq}")))
            }
            // The same one, or one that every reader has already.
            _ => Ok(Response::Appended { seq }),
        };
    }
    // A log may begin anywhere: its home may have been at another relay before.
    let begins = span == Span::EMPTY && seq != 0;
    if seq != span.head + 1 && !begins {
        return Err(Failure::refuse(Code::Conflict, format!("the head is {}, {seq} does not follow it", span.head)));
    }
    if span.count() >= home.limits().log_entries {
        return Err(over_quota(format!("{} entries in its log", home.limits().log_entries), "log_entries"));
    }
    let value = cbor::encode(&EntryRecord { at: now, from: None, bytes: entry });
    let bytes = value.len() as u64;
    home.reserve(bytes)?;
    let mut record = book.record.clone();
    record.log = Span { first: if begins { seq } else { span.first }, head: seq };
    record.log_bytes = record.log_bytes.map(|sum| sum.saturating_add(bytes));
    let mut batch = Batch::new();
    batch.put(log_key(home.id, seq), value);
    batch.put(home_key(home.id), cbor::encode(&record));
    if let Err(error) = home.storage.commit(batch).await {
        home.give_back(bytes);
        return Err(error.into());
    }
    book.record = record;
    home.tally.log_entries.rise(1);
    home.log_head.send_replace(book.record.log);
    Ok(Response::Appended { seq })
}

/// Entries from `from` on, up to `upto` where the reader's right ends.
pub(crate) async fn read(
    home: &Home,
    from: u64,
    upto: Option<u64>,
    follow: bool,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let heads = home.log_head.subscribe();
    let first = heads.borrow().first;
    match upto {
        None if from < first => return Err(Failure::refuse(Code::Gone, format!("the log starts at {first} now"))),
        // Where the log begins now says how far it has come: beyond its end a reader finds nothing, gone or not.
        Some(end) if from < first && from <= end => {
            return Err(Failure::refuse(Code::Gone, "the log starts later now"));
        }
        _ => {}
    }
    let wanted = from..=upto.unwrap_or(u64::MAX);
    send_entries(home, key(b"l/", &[home.id.as_bytes()]), wanted, heads, follow, answers).await
}

/// Sends the entries that are wanted, and with `follow` those that come. Entries are read in pages and never held as a whole.
pub(crate) async fn send_entries(
    home: &Home,
    prefix: Vec<u8>,
    wanted: RangeInclusive<u64>,
    mut heads: watch::Receiver<Span>,
    follow: bool,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let mut next = *wanted.start();
    let mut told = false;
    loop {
        let mut head = heads.borrow_and_update().head.min(*wanted.end());
        'pages: loop {
            let mut start = prefix.clone();
            start.extend_from_slice(&next.to_be_bytes());
            // Entries may be large: few are held at once.
            let page = home.storage.scan(prefix.clone(), start, 8).await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let seq = last_number(&key)?;
                if seq > *wanted.end() {
                    break 'pages;
                }
                answers.send(&Response::Entry { seq, entry: decode::<EntryRecord>(&value)?.bytes }).await?;
                next = seq + 1;
                // An entry may be durable a moment before its head is told: what was sent is there.
                head = head.max(seq);
            }
        }
        if !told {
            told = true;
            answers.send(&Response::CaughtUp { head }).await?;
        }
        if !follow {
            return Ok(());
        }
        let stopped = answers.stopped();
        tokio::select! {
            changed = heads.changed() => changed.map_err(|_| Failure::Lost)?,
            () = stopped => return Err(Failure::Lost),
        }
    }
}

pub(crate) async fn acknowledge(home: &Home, who: &CapabilityKey, upto: u64) -> Result<Response, Failure> {
    let mut book = home.book.lock().await;
    let upto = upto.min(book.record.log.head);
    let grant = {
        let grants = home.grants();
        // The owner reads its own log at will and holds nothing back.
        let Some(grant) = grants.get(who) else { return Ok(Response::Done) };
        let mut grant = *grant;
        let upto = upto.min(grant.rights.log_upto.unwrap_or(u64::MAX));
        grant.acknowledged = grant.acknowledged.max(upto);
        grant
    };
    let mut batch = Batch::new();
    batch.put(grant_key(home.id, who), cbor::encode(&grant));
    home.storage.commit(batch).await?;
    home.grants().insert(*who, grant);
    forget_read(home, &mut book).await?;
    Ok(Response::Done)
}

/// Forgets what every reader acknowledged. Without readers nothing is forgotten: the first one may come soon. A reader whose log
/// ends holds back nothing beyond that end, and is none there.
pub(crate) async fn forget_read(home: &Home, book: &mut super::home::Book) -> Result<(), Failure> {
    let read = {
        let grants = home.grants();
        let readers = || grants.values().filter(|grant| grant.rights.log);
        let reads_on = |grant: &&GrantRecord| grant.rights.log_upto.is_none_or(|end| grant.acknowledged < end);
        let slowest = readers().filter(reads_on).map(|grant| grant.acknowledged).min();
        slowest.or_else(|| readers().filter_map(|grant| grant.rights.log_upto).max())
    };
    match read {
        Some(upto) => forget_upto(home, book, upto).await,
        None => Ok(()),
    }
}

pub(crate) async fn forget_upto(home: &Home, book: &mut super::home::Book, upto: u64) -> Result<(), Failure> {
    while book.record.log.first <= upto.min(book.record.log.head) {
        let first = book.record.log.first;
        let last = upto.min(book.record.log.head).min(first + PAGE as u64 - 1);
        let mut batch = Batch::new();
        let mut bytes = 0;
        for seq in first..=last {
            let name = log_key(home.id, seq);
            bytes += home.storage.get(name.clone()).await?.map_or(0, |value| value.len() as u64);
            batch.delete(name);
        }
        let mut record = book.record.clone();
        record.log.first = last + 1;
        record.log_bytes = record.log_bytes.map(|sum| sum.saturating_sub(bytes));
        batch.put(home_key(home.id), cbor::encode(&record));
        home.storage.commit(batch).await?;
        home.give_back(bytes);
        home.tally.log_entries.fall(last + 1 - first);
        book.record = record;
        home.log_head.send_replace(book.record.log);
    }
    Ok(())
}
