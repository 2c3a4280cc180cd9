//! The inbox: messages from the home's members to its owner, each sender bounded on its own.

use privet_protocol::cbor;
use privet_protocol::relay::{CapabilityKey, Code, Response};
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::home::{Home, PAGE};
use super::log::{check_size, send_entries};
use super::records::{EntryRecord, Span, decode, home_key, inbox_key, key};
use super::wire::{Answers, Failure};

pub(crate) async fn send(
    home: &Home,
    from: CapabilityKey,
    message: Vec<u8>,
    now: Timestamp,
) -> Result<Response, Failure> {
    check_size(&message)?;
    let mut book = home.book.lock().await;
    if book.waiting.get(&from).copied().unwrap_or(0) >= home.limits().inbox_messages {
        let text = format!("{} messages of this key wait already", home.limits().inbox_messages);
        return Err(Failure::refuse(Code::Quota, text));
    }
    let seq = book.record.inbox.head + 1;
    let mut record = book.record.clone();
    record.inbox.head = seq;
    let mut batch = Batch::new();
    let value = cbor::encode(&EntryRecord { at: now, from: Some(from), bytes: message });
    let bytes = value.len() as u64;
    batch.put(inbox_key(home.id, seq), value);
    batch.put(home_key(home.id), cbor::encode(&record));
    home.storage.commit(batch).await?;
    // Counted, but never refused for it: the phones of a home that is full have to reach its hub. What bounds it is `inbox_messages`.
    home.count(bytes);
    book.record = record;
    *book.waiting.entry(from).or_insert(0) += 1;
    home.inbox_head.send_replace(book.record.inbox);
    Ok(Response::Appended { seq })
}

/// Only the owner forgets messages, so that what is gone is no surprise to it: reading starts at what there is.
pub(crate) async fn read(home: &Home, from: u64, follow: bool, answers: &mut Answers) -> Result<(), Failure> {
    let heads = home.inbox_head.subscribe();
    let from = from.max(heads.borrow().first);
    send_entries(home, key(b"i/", &[home.id.as_bytes()]), from..=u64::MAX, heads, follow, answers).await
}

pub(crate) async fn acknowledge(home: &Home, upto: u64) -> Result<Response, Failure> {
    let mut book = home.book.lock().await;
    while book.record.inbox.first <= upto.min(book.record.inbox.head) {
        let first = book.record.inbox.first;
        let last = upto.min(book.record.inbox.head).min(first + PAGE as u64 - 1);
        let mut batch = Batch::new();
        let (mut senders, mut bytes) = (Vec::new(), 0);
        for seq in first..=last {
            let name = inbox_key(home.id, seq);
            if let Some(value) = home.storage.get(name.clone()).await? {
                senders.extend(decode::<EntryRecord>(&value)?.from);
                bytes += value.len() as u64;
            }
            batch.delete(name);
        }
        let mut record = book.record.clone();
        record.inbox = Span { first: last + 1, head: record.inbox.head };
        batch.put(home_key(home.id), cbor::encode(&record));
        home.storage.commit(batch).await?;
        home.give_back(bytes);
        book.record = record;
        for sender in senders {
            if let Some(count) = book.waiting.get_mut(&sender) {
                *count = count.saturating_sub(1);
            }
        }
        book.waiting.retain(|_, count| *count > 0);
        home.inbox_head.send_replace(book.record.inbox);
    }
    Ok(Response::Done)
}
