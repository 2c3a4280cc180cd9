//! The power goes at any moment, on a disk that keeps only what it was told to sync ([`MemoryDisk`]). The relay itself runs on it:
//! clients append, send, put, acknowledge and drop, the power goes in the middle of some write or sync, another relay starts on what
//! survived. Everything acknowledged is there, byte for byte; what was not is there whole or not at all; what was forgotten stays so.
//!
//! `PRIVET_POWER_CUTS=500` lets it go as often; a round's number is its seed (the order of the clients' requests is not seeded).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::{Random, SeededRandom, SystemRandom};
use privet_protocol::relay::{Code, Principal, Rights};
use privet_relay::{Machine, Server};
use privet_relay_client::{ClientError, Connection, connect};
use privet_store::MemoryDisk;
use tempfile::TempDir;

use crate::common::{PATIENCE, body, config, entries, in_time, keep, key, read_all, stream, target};
use crate::played_disk::{Between, PlayedDisk};

/// How long bytes are waited for that may never come.
const BRIEF: Duration = Duration::from_millis(100);

/// A numbered list of which the first entries may be forgotten.
#[derive(Default, Clone, Copy)]
struct Numbered {
    /// The last one acknowledged; the one after it may have been under way.
    head: u64,
    /// Entries up to here were acknowledged as forgotten, and maybe up to the other.
    forgotten: u64,
    forgetting: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Put {
    Begun,
    Promised,
}

#[derive(Clone, Copy, PartialEq, Default)]
enum Dropped {
    #[default]
    No,
    Asked,
    Promised,
}

#[derive(Default)]
struct Film {
    segments: BTreeMap<u64, Put>,
    dropped: Dropped,
    /// Bytes of promised segments that were there before the writer came that ended them.
    resumed: u64,
}

/// What the relay acknowledged, and what it was asked for.
#[derive(Default)]
struct Promised {
    log: Numbered,
    inbox: Numbered,
    films: BTreeMap<StreamId, Film>,
}

struct World {
    dir: TempDir,
    home: HomeId,
    disk: MemoryDisk,
    boot: u8,
    lies: bool,
    promised: Promised,
}

fn below(dice: &dyn Random, limit: u64) -> u64 {
    let mut bytes = [0; 8];
    dice.fill(&mut bytes);
    u64::from_be_bytes(bytes) % limit
}

/// Every third one is too long for the index and a file.
fn length(index: u64) -> usize {
    let more = usize::try_from(index).unwrap() * 1319;
    if index % 3 == 1 { 140_000 + more } else { 1000 + more }
}

fn entry(seq: u64) -> Vec<u8> {
    body(seq, 300 + usize::try_from(seq % 50).unwrap() * 40).to_vec()
}

impl World {
    fn new(lies: bool) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            home: HomeId::generate(&SystemRandom),
            disk: MemoryDisk::new(),
            boot: 0,
            lies,
            promised: Promised::default(),
        }
    }

    async fn start(&mut self) -> Result<Server, String> {
        self.boot = self.boot.wrapping_add(1);
        let mut machine = Machine::this();
        machine.boot = vec![self.boot];
        machine.disk =
            if self.lies { PlayedDisk::on(self.disk.clone(), &Arc::new(Liar)) } else { Arc::new(self.disk.clone()) };
        Server::start_on(config(self.dir.path()), machine).await.map_err(|error| error.to_string())
    }

    /// One relay's life, up to the cut.
    async fn round(&mut self, dice: &dyn Random) -> Result<(), String> {
        if below(dice, 3) == 0 {
            // Not even the start comes to its end.
            self.disk.cut_after(below(dice, 30));
            let outcome = self.start().await;
            if outcome.is_err() && !self.disk.is_off() {
                return Err(format!("it does not start: {:?}", outcome.err()));
            }
            drop(outcome);
            self.disk = self.disk.power_cut(dice);
        }
        let server = self.start().await?;
        let founder = Principal::Founder { home: self.home, invite: None };
        let hub = connect(&target(&server), founder, &key(1), PATIENCE).await.map_err(|e| e.to_string())?;
        hub.grant(key(2).public(), Rights::PHONE).await.map_err(|e| e.to_string())?;
        let member = Principal::Member { home: self.home };
        let phone = connect(&target(&server), member, &key(2), PATIENCE).await.map_err(|e| e.to_string())?;
        self.verify(&hub, &phone).await?;
        self.disk.cut_after(below(dice, 2000));
        self.work(&hub, &phone).await?;
        drop(server);
        self.disk = self.disk.power_cut(dice);
        Ok(())
    }

    /// Clients work side by side until the power is gone.
    async fn work(&mut self, hub: &Connection, phone: &Connection) -> Result<(), String> {
        let Promised { log, inbox, films } = &mut self.promised;
        let mut ids: Vec<_> = (0..2).map(|_| stream()).collect();
        let old: Vec<_> = films.iter().filter(|(_, film)| film.dropped == Dropped::No).map(|(id, _)| *id).collect();
        ids.extend(old.last());
        let (mut putting, rest): (Vec<_>, Vec<_>) = {
            for id in &ids {
                films.entry(*id).or_default();
            }
            films.iter_mut().partition(|(id, _)| ids.contains(id))
        };
        let writing = putting.iter_mut().map(|(id, film)| put_segments(hub, **id, film));
        let (puts, logged, sent, dropped) = in_time(async {
            tokio::join!(join_all(writing), append(hub, phone, log), send(hub, phone, inbox), drop_films(hub, rest),)
        })
        .await;
        // Nothing else than the missing power may be in the way.
        let refusals = puts.into_iter().chain([logged, sent, dropped]).flatten();
        match (self.disk.is_off(), refusals.collect::<Vec<_>>()) {
            (true, _) => Ok(()),
            (false, refusals) => Err(format!("the relay refused to work: {refusals:?}")),
        }
    }

    async fn verify(&mut self, hub: &Connection, phone: &Connection) -> Result<(), String> {
        let Promised { log, inbox, films } = &mut self.promised;
        let usage = hub.usage().await.map_err(|e| e.to_string())?;
        let found = entries(hub.read_log(usage.log_first, false).await.unwrap()).await;
        verify_numbered("log", log, usage.log_first, usage.log_head, &found)?;
        let found = entries(hub.read_inbox(1, false).await.unwrap()).await;
        let first = found.first().map_or(usage.inbox_head + 1, |(seq, _)| *seq);
        verify_numbered("inbox", inbox, first, usage.inbox_head, &found)?;
        let mut stored = 0;
        for (id, film) in films.iter_mut() {
            let mut there = BTreeMap::new();
            for (index, put) in &film.segments {
                let got = match in_time(phone.get(*id, *index, 0)).await {
                    Ok(mut reader) => Ok(read_all(&mut reader).await.map_err(|e| format!("segment {index}: {e}"))?),
                    Err(error) => Err(error.refusal()),
                };
                match got {
                    Ok(bytes) if bytes == body(*index, length(*index)) => {
                        stored += (bytes.len() as u64).max(8192);
                        there.insert(*index, Put::Promised);
                    }
                    Ok(bytes) => return Err(format!("segment {index} has {} other bytes", bytes.len())),
                    Err(Some(Code::NotFound | Code::Gone)) if *put == Put::Begun || film.dropped != Dropped::No => {}
                    Err(code) => return Err(format!("segment {index} was {put:?}, and is refused: {code:?}")),
                }
            }
            let promised = film.segments.values().filter(|put| **put == Put::Promised).count();
            match film.dropped {
                Dropped::No => {}
                Dropped::Promised if !there.is_empty() => return Err("a dropped stream came back".into()),
                Dropped::Asked if !there.is_empty() && there.len() < promised => {
                    return Err("half a stream was dropped".into());
                }
                _ if there.is_empty() => film.dropped = Dropped::Promised,
                _ => film.dropped = Dropped::No,
            }
            film.segments = there;
        }
        films.retain(|_, film| film.dropped == Dropped::Promised || !film.segments.is_empty());
        // The quota counts what is there and nothing else; each entry of log and inbox has some bytes beside its own.
        let kept = (usage.log_first..=usage.log_head).chain(first..=usage.inbox_head);
        let entries: u64 = kept.clone().map(|seq| entry(seq).len() as u64).sum();
        let entry_count = kept.count() as u64;
        let counted = usage.stored_bytes - entries;
        if counted < stored || counted > stored + entry_count * 80 {
            return Err(format!("{counted} bytes of segments are counted, {stored} are there"));
        }
        Ok(())
    }
}

fn verify_numbered(
    what: &str,
    list: &mut Numbered,
    first: u64,
    head: u64,
    found: &[(u64, Vec<u8>)],
) -> Result<(), String> {
    if head < list.head || head > list.head + 1 {
        return Err(format!("{what}: the head is {head}, {} were acknowledged", list.head));
    }
    if first <= list.forgotten || first > list.forgetting.max(list.forgotten) + 1 {
        return Err(format!("{what}: it begins at {first}, {} were forgotten", list.forgotten));
    }
    let wanted: Vec<_> = (first..=head).map(|seq| (seq, entry(seq))).collect();
    if found != wanted {
        return Err(format!("{what}: {} entries from {first} to {head} are not as they were", found.len()));
    }
    *list = Numbered { head, forgotten: first - 1, forgetting: first - 1 };
    Ok(())
}

/// Puts segments until that fails: why. Every third one breaks off once and is gone on with.
async fn put_segments(hub: &Connection, id: StreamId, film: &mut Film) -> Option<String> {
    let first = film.segments.last_key_value().map_or(0, |(last, _)| last + 1);
    for index in first.. {
        film.segments.insert(index, Put::Begun);
        let bytes = body(index, length(index));
        let outcome = async {
            if index % 3 == 2 {
                break_off(hub, id, index, &bytes).await?;
            }
            // What the power left of it is gone on with, too.
            let resumes = index % 3 == 2 || index % 2 == 0 || index == first;
            let mut writer = hub.put(id, index, keep(), resumes).await?;
            let from = writer.offset();
            writer.write(bytes.slice(usize::try_from(from).unwrap()..)).await?;
            writer.finish().await.map(|stored| (from, stored))
        };
        match outcome.await {
            Ok((from, stored)) => {
                assert_eq!(stored, bytes.len() as u64);
                film.resumed += from;
            }
            Err(error) => return Some(error.to_string()),
        }
        film.segments.insert(index, Put::Promised);
    }
    None
}

/// Writes the first half of a segment, and breaks off when the relay has it.
async fn break_off(hub: &Connection, id: StreamId, index: u64, bytes: &Bytes) -> Result<(), ClientError> {
    let half = bytes.len() / 2;
    let mut writer = hub.put(id, index, keep(), true).await?;
    let from = usize::try_from(writer.offset()).unwrap();
    if from < half {
        writer.write(bytes.slice(from..half)).await?;
        let mut reader = hub.get(id, index, 0).await?;
        // Where the power has gone it waits in vain, and nothing is concluded from that.
        while reader.offset() < half as u64
            && let Ok(Ok(Some(_))) = tokio::time::timeout(BRIEF, reader.read()).await
        {}
    }
    Ok(())
}

async fn append(hub: &Connection, phone: &Connection, log: &mut Numbered) -> Option<String> {
    loop {
        for _ in 0..5 {
            if let Err(error) = hub.append(log.head + 1, entry(log.head + 1)).await {
                return Some(error.to_string());
            }
            log.head += 1;
        }
        log.forgetting = log.head - 3;
        if let Err(error) = phone.ack_log(log.forgetting).await {
            return Some(error.to_string());
        }
        log.forgotten = log.forgetting;
    }
}

async fn send(hub: &Connection, phone: &Connection, inbox: &mut Numbered) -> Option<String> {
    loop {
        for _ in 0..4 {
            if let Err(error) = phone.send(entry(inbox.head + 1)).await {
                return Some(error.to_string());
            }
            inbox.head += 1;
        }
        inbox.forgetting = inbox.head - 2;
        if let Err(error) = hub.ack_inbox(inbox.forgetting).await {
            return Some(error.to_string());
        }
        inbox.forgotten = inbox.forgetting;
    }
}

async fn drop_films(hub: &Connection, films: Vec<(&StreamId, &mut Film)>) -> Option<String> {
    for (id, film) in films.into_iter().filter(|(_, film)| film.dropped == Dropped::No) {
        film.dropped = Dropped::Asked;
        if let Err(error) = hub.drop_stream(*id).await {
            return Some(error.to_string());
        }
        film.dropped = Dropped::Promised;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_any_power_cut() {
    let rounds = std::env::var("PRIVET_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40_u64);
    let mut world = World::new(false);
    for round in 0..rounds {
        let dice = SeededRandom::new(&round.to_be_bytes());
        if let Err(error) = world.round(&dice).await {
            panic!("round {round}: {error}");
        }
    }
    // That something was at stake.
    let Promised { log, films, .. } = &world.promised;
    assert!(log.head > 5 * rounds && films.len() > 5);
    assert!(films.values().map(|film| film.resumed).sum::<u64>() > 0, "nothing was gone on with");
}

/// The control: a disk that says it synced the directories of the bodies and did not.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_its_directories_is_noticed() {
    let mut world = World::new(true);
    for round in 0..200_u64 {
        let dice = SeededRandom::new(&round.to_be_bytes());
        if let Err(error) = world.round(&dice).await {
            assert!(error.contains("was Promised"), "noticed as something else: {error}");
            return;
        }
    }
    panic!("it was not noticed");
}

#[derive(Debug)]
struct Liar;

impl Between for Liar {
    fn sync_directory(&self, path: &Path) -> io::Result<bool> {
        Ok(path.components().all(|part| part.as_os_str() != "bodies"))
    }
}
