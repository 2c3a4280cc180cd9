//! Rendezvous mailboxes: two sides leave messages for each other while a phone is paired, then the mailbox is closed and stays
//! as a tombstone until its time is over.

use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::MailboxId;
use privet_protocol::relay::{CapabilityKey, Code, Response, Side};
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::home::{Home, messages_prefix, over_quota, scan_all};
use super::log::check_size;
use super::records::{EntryRecord, MailboxRecord, decode, key, last_number, mailbox_key, message_key};
use super::wire::{Answers, Failure};
use crate::storage::Storage;

/// The mailbox, if there is one and its time is not over.
pub(crate) async fn find(
    storage: &dyn Storage,
    mailbox: MailboxId,
    now: Timestamp,
) -> Result<Option<MailboxRecord>, Failure> {
    let Some(bytes) = storage.get(mailbox_key(mailbox)).await? else { return Ok(None) };
    let record: MailboxRecord = decode(&bytes)?;
    Ok((record.until > now).then_some(record))
}

pub(crate) async fn open(
    home: &Home,
    mailbox: MailboxId,
    who: CapabilityKey,
    until: Timestamp,
    now: Timestamp,
) -> Result<Response, Failure> {
    let _book = home.book.lock().await;
    let until = until.min(now.after(Duration::from_secs(home.limits().mailbox_s)));
    if until <= now {
        return Err(Failure::refuse(Code::Gone, "the mailbox's time is over already"));
    }
    if let Some(there) = find(&*home.storage, mailbox, now).await? {
        let same = there.home == home.id && there.key == who && !there.closed;
        return if same {
            Ok(Response::Done)
        } else {
            Err(Failure::refuse(Code::Conflict, "the mailbox's id is taken"))
        };
    }
    let mut open = 0;
    scan_all(&*home.storage, key(b"o/", &[home.id.as_bytes()]), |(_, value)| {
        let record: Timestamp = decode(&value)?;
        open += u64::from(record > now);
        Ok(())
    })
    .await?;
    if open >= home.limits().mailboxes {
        return Err(over_quota(format!("{} open mailboxes", home.limits().mailboxes), "mailboxes"));
    }
    let record = MailboxRecord { home: home.id, key: who, until, closed: false, hub: 0, phone: 0 };
    let mut batch = Batch::new();
    forget_messages(home, mailbox, &mut batch).await?;
    batch.put(mailbox_key(mailbox), cbor::encode(&record));
    batch.put(key(b"o/", &[home.id.as_bytes(), mailbox.as_bytes()]), cbor::encode(&until));
    home.storage.commit(batch).await?;
    Ok(Response::Done)
}

pub(crate) async fn close(home: &Home, mailbox: MailboxId, now: Timestamp) -> Result<Response, Failure> {
    let _book = home.book.lock().await;
    let Some(mut record) = find(&*home.storage, mailbox, now).await?.filter(|r| r.home == home.id) else {
        return Ok(Response::Done);
    };
    record.closed = true;
    let mut batch = Batch::new();
    forget_messages(home, mailbox, &mut batch).await?;
    batch.put(mailbox_key(mailbox), cbor::encode(&record));
    // The tombstone is no open mailbox any more.
    batch.delete(key(b"o/", &[home.id.as_bytes(), mailbox.as_bytes()]));
    home.storage.commit(batch).await?;
    home.mailboxes_changed.send_modify(|changes| *changes += 1);
    Ok(Response::Done)
}

async fn forget_messages(home: &Home, mailbox: MailboxId, batch: &mut Batch) -> Result<(), Failure> {
    for side in [Side::Hub, Side::Phone] {
        scan_all(&*home.storage, messages_prefix(mailbox, side), |(key, _)| {
            batch.delete(key);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// The mailbox for someone who may use it.
async fn usable(home: &Home, mailbox: MailboxId, now: Timestamp) -> Result<MailboxRecord, Failure> {
    let record = find(&*home.storage, mailbox, now).await?.filter(|r| r.home == home.id);
    let record = record.ok_or_else(|| Failure::refuse(Code::NotFound, "there is no such mailbox"))?;
    if record.closed {
        return Err(Failure::refuse(Code::Gone, "the mailbox was closed"));
    }
    Ok(record)
}

pub(crate) async fn post(
    home: &Home,
    mailbox: MailboxId,
    to: Side,
    message: Vec<u8>,
    now: Timestamp,
) -> Result<Response, Failure> {
    check_size(&message)?;
    let _book = home.book.lock().await;
    let mut record = usable(home, mailbox, now).await?;
    let head = match to {
        Side::Hub => &mut record.hub,
        Side::Phone => &mut record.phone,
    };
    if *head >= home.limits().mailbox_messages {
        return Err(Failure::refuse(
            Code::Quota,
            format!("a side may get {} messages", home.limits().mailbox_messages),
        ));
    }
    *head += 1;
    let seq = *head;
    let mut batch = Batch::new();
    batch.put(message_key(mailbox, to, seq), cbor::encode(&EntryRecord { at: now, from: None, bytes: message }));
    batch.put(mailbox_key(mailbox), cbor::encode(&record));
    home.storage.commit(batch).await?;
    home.mailboxes_changed.send_modify(|changes| *changes += 1);
    Ok(Response::Appended { seq })
}

pub(crate) async fn collect(
    home: &Home,
    mailbox: MailboxId,
    side: Side,
    from: u64,
    now: impl Fn() -> Timestamp,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let mut changes = home.mailboxes_changed.subscribe();
    let mut next = from.max(1);
    let mut told = false;
    loop {
        changes.borrow_and_update();
        let record = usable(home, mailbox, now()).await?;
        let mut start = messages_prefix(mailbox, side);
        start.extend_from_slice(&next.to_be_bytes());
        // Few enough to be held at once: `mailbox_messages` bounds them.
        for (key, value) in home.storage.scan(messages_prefix(mailbox, side), start, 8).await? {
            let seq = last_number(&key)?;
            answers.send(&Response::Entry { seq, entry: decode::<EntryRecord>(&value)?.bytes }).await?;
            next = seq + 1;
        }
        let head = match side {
            Side::Hub => record.hub,
            Side::Phone => record.phone,
        };
        if next <= head {
            continue;
        }
        if !told {
            told = true;
            answers.send(&Response::CaughtUp { head }).await?;
        }
        let stopped = answers.stopped();
        let over = tokio::time::sleep(record.until.since(now()) + Duration::from_millis(10));
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| Failure::Lost)?,
            () = over => {}
            () = stopped => return Err(Failure::Lost),
        }
    }
}
