//! The records of the index among each other: who belongs to whom, and whether what is counted is there.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use privet_protocol::cbor;
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::Side;
use privet_protocol::storage::StoreError;

use super::check::{Depth, Examined, Finding, SegmentPlace};
use crate::server::records::{
    EntryRecord, GrantRecord, HomeRecord, INVITES_PREFIX, InviteRecord, MailboxRecord, PIECE_KEY, PhoneRecord,
    RememberedRecord, SegmentRecord, Span, StreamRecord, TIME_KEY, TimeRecord, WakeRecord, decode, home_key, id_at,
    key, last_number, mailbox_key, parse_piece_key, side_byte, stream_key,
};
use crate::server::scan_all;
use crate::storage::Storage;

/// What the index says there is.
#[derive(Default)]
pub(super) struct Found {
    /// Homes; without a record where it can't be read, and then nothing of theirs is touched.
    pub(super) homes: BTreeMap<HomeId, Option<HomeRecord>>,
    /// Kept segments.
    pub(super) segments: BTreeMap<SegmentPlace, SegmentRecord>,
    /// Bytes of small ones, where they were looked at.
    pub(super) small: Option<BTreeMap<SegmentPlace, Pieces>>,
}

/// What is there of a small segment's bytes, up to the first piece that is missing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pieces {
    pub(super) count: u16,
    pub(super) length: u64,
}

/// Kinds of records under a home, by their first byte.
const OF_HOMES: &[[u8; 2]] = &[*b"g/", *b"l/", *b"i/", *b"s/", *b"b/", *b"o/", *b"t/", *b"w/", *b"q/", *b"x/"];

/// Reads the index, as deep as asked.
pub(super) async fn read(storage: &dyn Storage, depth: Depth, out: &mut Examined) -> Result<Found, StoreError> {
    let mut found = Found::default();
    scan_all(storage, b"h/".to_vec(), |(name, value)| {
        let record = decode::<HomeRecord>(&value).ok();
        if record.is_none() {
            out.findings.push(Finding::Unreadable { key: HEXLOWER.encode(&name), repairable: false });
        }
        found.homes.insert(HomeId::from_bytes(id_at(&name, 2)?), record);
        Ok(())
    })
    .await?;
    strays(storage, &found, depth, out).await?;
    segments(storage, &mut found, out).await?;
    if depth == Depth::Everything {
        found.small = Some(pieces(storage, &found.segments, out).await?);
        readable::<TimeRecord>(storage, TIME_KEY, out).await?;
        readable::<InviteRecord>(storage, INVITES_PREFIX, out).await?;
        readable::<GrantRecord>(storage, b"g/", out).await?;
        for list in [List { kind: *b"l/", name: "log" }, List { kind: *b"i/", name: "inbox" }] {
            list.look(storage, &mut found, out).await?;
        }
        mailboxes(storage, out).await?;
        wakes(storage, out).await?;
    }
    Ok(found)
}

/// Keys of records, each with the number that it ends with.
type Numbered = Vec<(u64, Vec<u8>)>;

/// Records of homes that are not there.
async fn strays(storage: &dyn Storage, found: &Found, depth: Depth, out: &mut Examined) -> Result<(), StoreError> {
    let kinds = OF_HOMES.iter().filter(|kind| depth == Depth::Everything || [b"s/", b"b/"].contains(kind));
    for kind in kinds {
        scan_all(storage, kind.to_vec(), |(name, _)| {
            if !found.homes.contains_key(&HomeId::from_bytes(id_at(&name, 2)?)) {
                stray(name, out);
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn segments(storage: &dyn Storage, found: &mut Found, out: &mut Examined) -> Result<(), StoreError> {
    let mut streams = BTreeMap::new();
    scan_all(storage, b"s/".to_vec(), |(name, value)| {
        let place = (HomeId::from_bytes(id_at(&name, 2)?), StreamId::from_bytes(id_at(&name, 18)?));
        match decode::<StreamRecord>(&value) {
            Ok(record) => drop(streams.insert(place, record)),
            Err(_) => unreadable(name, out),
        }
        Ok(())
    })
    .await?;
    let mut mended = BTreeMap::new();
    scan_all(storage, b"b/".to_vec(), |(name, value)| {
        let (home, stream) = (HomeId::from_bytes(id_at(&name, 2)?), StreamId::from_bytes(id_at(&name, 18)?));
        let place = SegmentPlace { home, stream, index: last_number(&name)? };
        if !found.homes.contains_key(&home) {
            return Ok(());
        }
        let Ok(record) = decode::<SegmentRecord>(&value) else {
            unreadable(name, out);
            return Ok(());
        };
        match streams.get_mut(&(home, stream)) {
            Some(of) => {
                if let Some(segments) = of.finished.filter(|end| place.index >= *end) {
                    out.findings.push(Finding::BeyondEnd { segment: place, segments });
                    of.finished = Some(place.index + 1);
                    mended.insert((home, stream), of.clone());
                }
            }
            None => {
                out.findings.push(Finding::NoStream { segment: place });
                mended.insert((home, stream), StreamRecord::default());
            }
        }
        found.segments.insert(place, record);
        Ok(())
    })
    .await?;
    for ((home, stream), record) in mended {
        out.index.put(stream_key(home, stream), cbor::encode(&record));
    }
    Ok(())
}

/// The bytes of small segments. What is of none, or behind a piece that is missing, leads nowhere.
async fn pieces(
    storage: &dyn Storage,
    segments: &BTreeMap<SegmentPlace, SegmentRecord>,
    out: &mut Examined,
) -> Result<BTreeMap<SegmentPlace, Pieces>, StoreError> {
    let mut found: BTreeMap<SegmentPlace, Pieces> = BTreeMap::new();
    scan_all(storage, PIECE_KEY.to_vec(), |(name, value)| {
        let place =
            parse_piece_key(&name).map(|(home, stream, index, piece)| (SegmentPlace { home, stream, index }, piece));
        if let Some((place, piece)) = place
            && segments.get(&place).is_some_and(|record| record.small)
        {
            let there = found.entry(place).or_default();
            if there.count == piece {
                there.count = there.count.saturating_add(1);
                there.length += value.len() as u64;
                return Ok(());
            }
        }
        stray(name, out);
        Ok(())
    })
    .await?;
    found.retain(|_, pieces| pieces.count > 0);
    Ok(found)
}

/// A log or an inbox.
struct List {
    kind: [u8; 2],
    name: &'static str,
}

impl List {
    fn key(&self, home: HomeId, seq: u64) -> Vec<u8> {
        key(&self.kind, &[home.as_bytes(), &seq.to_be_bytes()])
    }

    async fn look(&self, storage: &dyn Storage, found: &mut Found, out: &mut Examined) -> Result<(), StoreError> {
        for (home, record) in &mut found.homes {
            let Some(record) = record else { continue };
            let span = match self.name {
                "log" => record.log,
                _ => record.inbox,
            };
            let (mut there, mut bytes) = (BTreeSet::new(), 0);
            scan_all(storage, key(&self.kind, &[home.as_bytes()]), |(name, value)| {
                match decode::<EntryRecord>(&value) {
                    Ok(_) => drop(there.insert(last_number(&name)?)),
                    Err(_) => unreadable(name, out),
                }
                bytes += value.len() as u64;
                Ok(())
            })
            .await?;
            let within = there.iter().filter(|seq| (span.first..=span.head).contains(seq)).count() as u64;
            if within == span.count() && there.len() as u64 == within {
                // Where the record does not say, it is counted when the home is read.
                if let Some(recorded) = record.log_bytes.filter(|sum| self.name == "log" && *sum != bytes) {
                    out.findings.push(Finding::WrongSum { home: *home, recorded, found: bytes });
                    record.log_bytes = Some(bytes);
                    out.index.put(home_key(*home), cbor::encode(record));
                }
                continue;
            }
            out.findings.push(Finding::BrokenList {
                home: *home,
                list: self.name,
                recorded: (span.first, span.head),
                found: there.len() as u64,
            });
            // Numbers are given once: the end stays where the furthest of both says.
            let head = span.head.max(there.last().copied().unwrap_or(0));
            match self.name {
                "log" => {
                    // A reader can't go over a hole: only what leads up to the end without one is of use.
                    let first = (1..=head).rev().take_while(|seq| there.contains(seq)).last().unwrap_or(head + 1);
                    for seq in there.range(..first) {
                        out.index.delete(self.key(*home, *seq));
                    }
                    record.log = Span { first, head };
                    record.log_bytes = None;
                }
                _ => {
                    // Messages stand for themselves: they close up.
                    let first = head + 1 - there.len() as u64;
                    let mut moved = Vec::new();
                    for (seq, to) in there.iter().zip(first..).filter(|(seq, to)| *seq != to) {
                        out.index.delete(self.key(*home, *seq));
                        moved.extend(storage.get(self.key(*home, *seq)).await?.map(|value| (to, value)));
                    }
                    for (to, value) in moved {
                        out.index.put(self.key(*home, to), value);
                    }
                    record.inbox = Span { first, head };
                }
            }
            out.index.put(home_key(*home), cbor::encode(record));
        }
        Ok(())
    }
}

async fn mailboxes(storage: &dyn Storage, out: &mut Examined) -> Result<(), StoreError> {
    let mut boxes = BTreeMap::new();
    scan_all(storage, b"m/".to_vec(), |(name, value)| {
        match decode::<MailboxRecord>(&value) {
            Ok(record) => drop(boxes.insert(MailboxId::from_bytes(id_at(&name, 2)?), record)),
            Err(_) => unreadable(name, out),
        }
        Ok(())
    })
    .await?;
    let mut messages: BTreeMap<(MailboxId, u8), Numbered> = BTreeMap::new();
    scan_all(storage, b"n/".to_vec(), |(name, value)| {
        let mailbox = MailboxId::from_bytes(id_at(&name, 2)?);
        match (boxes.get(&mailbox), name.get(18).copied()) {
            (Some(_), Some(side)) if decode::<EntryRecord>(&value).is_ok() => {
                messages.entry((mailbox, side)).or_default().push((last_number(&name)?, name));
            }
            (Some(_), Some(_)) => unreadable(name, out),
            _ => stray(name, out),
        }
        Ok(())
    })
    .await?;
    for (mailbox, record) in boxes {
        let listed = key(b"o/", &[record.home.as_bytes(), mailbox.as_bytes()]);
        let sides = [(Side::Hub, record.hub), (Side::Phone, record.phone)];
        let whole = sides.iter().all(|(side, head)| {
            let there = messages.get(&(mailbox, side_byte(*side))).map_or(&[][..], Vec::as_slice);
            // A closed one has none.
            let wanted = if record.closed { 0 } else { *head };
            there.iter().map(|(seq, _)| *seq).eq(1..=wanted)
        });
        let open = storage.get(listed.clone()).await?.is_some();
        if whole && open != record.closed {
            continue;
        }
        out.findings.push(Finding::BrokenMailbox { mailbox });
        out.index.delete(mailbox_key(mailbox));
        out.index.delete(listed);
        for side in [Side::Hub, Side::Phone] {
            for (_, name) in messages.remove(&(mailbox, side_byte(side))).unwrap_or_default() {
                out.index.delete(name);
            }
        }
    }
    let mut listed = Vec::new();
    scan_all(storage, b"o/".to_vec(), |(name, _)| {
        listed.push(name);
        Ok(())
    })
    .await?;
    for name in listed {
        if storage.get(mailbox_key(MailboxId::from_bytes(id_at(&name, 18)?))).await?.is_none() {
            stray(name, out);
        }
    }
    Ok(())
}

/// A wake is a payload and what is to be done with it, for a phone that has a record.
async fn wakes(storage: &dyn Storage, out: &mut Examined) -> Result<(), StoreError> {
    readable::<PhoneRecord>(storage, b"t/", out).await?;
    readable::<EntryRecord>(storage, b"w/", out).await?;
    readable::<WakeRecord>(storage, b"q/", out).await?;
    readable::<RememberedRecord>(storage, b"x/", out).await?;
    let phone = |name: &[u8]| name.get(2..50).unwrap_or_default().to_vec();
    let mut phones = BTreeSet::new();
    scan_all(storage, b"t/".to_vec(), |(name, _)| {
        phones.insert(phone(&name));
        Ok(())
    })
    .await?;
    let mut halves: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for kind in [b"w/", b"q/"] {
        scan_all(storage, kind.to_vec(), |(name, _)| {
            halves.entry(name.get(2..).unwrap_or_default().to_vec()).or_default().push(name);
            Ok(())
        })
        .await?;
    }
    for names in halves.into_values() {
        let homeless = names.first().is_some_and(|name| !phones.contains(&phone(name)));
        if homeless || names.len() != 2 {
            names.into_iter().for_each(|name| stray(name, out));
        }
    }
    scan_all(storage, b"x/".to_vec(), |(name, _)| {
        if !phones.contains(&phone(&name)) {
            stray(name, out);
        }
        Ok(())
    })
    .await
}

async fn readable<T: serde::de::DeserializeOwned>(
    storage: &dyn Storage,
    kind: &[u8; 2],
    out: &mut Examined,
) -> Result<(), StoreError> {
    scan_all(storage, kind.to_vec(), |(name, value)| {
        if decode::<T>(&value).is_err() {
            unreadable(name, out);
        }
        Ok(())
    })
    .await
}

fn unreadable(name: Vec<u8>, out: &mut Examined) {
    out.name(&name, Finding::Unreadable { key: HEXLOWER.encode(&name), repairable: true });
    out.index.delete(name);
}

fn stray(name: Vec<u8>, out: &mut Examined) {
    out.name(&name, Finding::StrayRecord { key: HEXLOWER.encode(&name) });
    out.index.delete(name);
}
