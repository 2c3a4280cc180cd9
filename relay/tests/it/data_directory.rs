//! A data directory in which something was damaged: every damage is named and repaired, and nothing else is touched.

use std::collections::BTreeSet;

use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, Principal, Side};
use privet_protocol::storage::{Batch, Store as _};
use privet_relay::{DataDirectory, Finding, SegmentPlace, Server};
use privet_relay_client::connect;
use privet_store::{BlobName, Blobs, DiskStore};

use crate::common::{
    self, House, PATIENCE, body, code, config, entries, keep, key, put, put_small, read_all, stream, target, with_field,
};

fn record(kind: &[u8; 2], parts: &[&[u8]]) -> Vec<u8> {
    [&kind[..], &parts.concat()].concat()
}

/// Bytes of a segment that is too long for the index.
const FILE: usize = 200_000;

/// What the keys of a small segment's pieces begin with.
fn pieces(home: HomeId, stream: StreamId, index: u64) -> Vec<u8> {
    record(b"f/", &[home.as_bytes(), stream.as_bytes(), &index.to_be_bytes()])
}

fn piece(home: HomeId, stream: StreamId, index: u64, number: u16) -> Vec<u8> {
    [pieces(home, stream, index), number.to_be_bytes().to_vec()].concat()
}

fn name(home: HomeId, stream: StreamId, index: u64) -> BlobName {
    format!("{home}-{stream}-{index:016x}").parse().unwrap()
}

#[tokio::test]
async fn every_damage_is_named_and_repaired_and_nothing_else_is_touched() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (home, film, other, short) = (house.home, stream(), stream(), stream());
    for index in 0..5 {
        put(&hub, film, index, keep(), body(index, FILE)).await;
    }
    put(&hub, other, 0, keep(), body(9, FILE)).await;
    for index in 0..2 {
        put(&hub, short, index, keep(), body(index, FILE)).await;
    }
    hub.finish_stream(short, 2).await.unwrap();
    for seq in 1..=6 {
        hub.append(seq, vec![seq as u8; 50]).await.unwrap();
        phone.send(vec![seq as u8; 50]).await.unwrap();
    }
    let (good, bad) = (MailboxId::generate(&SystemRandom), MailboxId::generate(&SystemRandom));
    let until = hub.server_time().after(std::time::Duration::from_secs(600));
    for (mailbox, number) in [(good, 8), (bad, 9)] {
        hub.open_mailbox(mailbox, key(number).public(), until).await.unwrap();
        hub.post(mailbox, Side::Phone, b"one".to_vec()).await.unwrap();
        hub.post(mailbox, Side::Phone, b"two".to_vec()).await.unwrap();
    }
    let House { dir, server, owner, .. } = house;
    server.shutdown().await;

    let open = || DataDirectory::open(dir.path()).unwrap();
    let report = open().check(true).await.unwrap();
    assert_eq!((report.findings, report.homes, report.segments), (vec![], 1, 8));

    // Damage.
    let stranger = HomeId::generate(&SystemRandom);
    let grant = record(b"g/", &[home.as_bytes(), &[77; 32]]);
    let stray = record(b"l/", &[stranger.as_bytes(), &1_u64.to_be_bytes()]);
    let half = record(b"q/", &[home.as_bytes(), &[5; 32], &1_u64.to_be_bytes()]);
    {
        let blobs = Blobs::open(dir.path().join("bodies"), 0).unwrap();
        blobs.remove(&name(home, film, 0)).unwrap();
        let mut writer = blobs.write(&name(home, film, 1)).unwrap();
        writer.append(&body(1, 4999)).unwrap();
        writer.finish().unwrap();
        let mut writer = blobs.write(&name(home, film, 77)).unwrap();
        writer.append(b"nobody was promised this").unwrap();
        writer.finish().unwrap();
        blobs.write(&name(stranger, film, 0)).unwrap().append(b"of no home").unwrap();
        blobs.write(&name(home, film, 9)).unwrap().append(b"can go on").unwrap();
        let index = DiskStore::open(dir.path().join("index")).unwrap();
        let mut batch = Batch::new();
        batch.delete(record(b"l/", &[home.as_bytes(), &2_u64.to_be_bytes()]));
        batch.delete(record(b"i/", &[home.as_bytes(), &6_u64.to_be_bytes()]));
        batch.delete(record(b"s/", &[home.as_bytes(), other.as_bytes()]));
        let ends = record(b"s/", &[home.as_bytes(), short.as_bytes()]);
        let ended = with_field(&index.get(&ends).unwrap().unwrap(), "finished", Some(1.into()));
        batch.put(ends, ended);
        batch.delete(record(b"n/", &[bad.as_bytes(), b"p", &1_u64.to_be_bytes()]));
        batch.put(grant.clone(), b"not CBOR");
        batch.put(stray.clone(), index.get(&record(b"l/", &[home.as_bytes(), &3_u64.to_be_bytes()])).unwrap().unwrap());
        batch.put(half.clone(), b"not CBOR either");
        index.commit(batch).unwrap();
    }

    let segment = |stream, index| SegmentPlace { home, stream, index };
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let wanted = [
        Finding::MissingBody { segment: segment(film, 0) },
        Finding::WrongLength { segment: segment(film, 1), recorded: FILE as u64, found: 4999 },
        Finding::OrphanBody { file: name(home, film, 77).to_string(), length: 24 },
        Finding::LeftoverPartial { file: name(stranger, film, 0).to_string(), length: 10 },
        Finding::NoStream { segment: segment(other, 0) },
        Finding::BeyondEnd { segment: segment(short, 1), segments: 1 },
        Finding::BrokenList { home, list: "log", recorded: (1, 6), found: 5 },
        Finding::BrokenList { home, list: "inbox", recorded: (1, 6), found: 5 },
        Finding::BrokenMailbox { mailbox: bad },
        Finding::Unreadable { key: hex(&grant), repairable: true },
        Finding::StrayRecord { key: hex(&stray) },
        Finding::Unreadable { key: hex(&half), repairable: true },
    ];
    let text = |findings: &[Finding]| findings.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let looked = open().check(false).await.unwrap();
    assert_eq!(text(&looked.findings), text(&wanted));
    assert_eq!((looked.findings.len(), looked.repaired, looked.unfinished), (wanted.len(), false, 1));
    let repaired = open().check(true).await.unwrap();
    assert!(text(&repaired.findings) == text(&wanted) && repaired.repaired, "looking changed nothing");
    let after = open().check(false).await.unwrap();
    assert_eq!((after.findings, after.segments, after.unfinished), (vec![], 6, 1));

    let server = Server::start(config(dir.path())).await.unwrap();
    let founder = Principal::Founder { home, invite: None };
    let hub = connect(&target(&server), founder, &owner, PATIENCE).await.unwrap();
    let phone = connect(&target(&server), Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    for index in 2..5 {
        assert_eq!(read_all(&mut phone.get(film, index, 0).await.unwrap()).await.unwrap(), body(index, FILE));
    }
    assert_eq!(read_all(&mut phone.get(other, 0, 0).await.unwrap()).await.unwrap(), body(9, FILE));
    assert_eq!(phone.stat(short).await.unwrap().finished, Some(2), "what is there is before the end again");
    for index in 0..2 {
        assert_eq!(read_all(&mut phone.get(short, index, 0).await.unwrap()).await.unwrap(), body(index, FILE));
    }
    let log: Vec<_> = (3..=6).map(|seq| (seq, vec![seq as u8; 50])).collect();
    assert_eq!(entries(phone.read_log(3, false).await.unwrap()).await, log);
    assert_eq!(hub.usage().await.unwrap().log_first, 3);
    // The message that is gone had the last number: the others close up to it, and it is not given again.
    let inbox: Vec<_> = (1..=5).map(|seq| (seq + 1, vec![seq as u8; 50])).collect();
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, inbox);
    assert_eq!(phone.send(b"seven".to_vec()).await.unwrap(), 7);
    let guest = connect(&target(&server), Principal::Mailbox { mailbox: good }, &key(8), PATIENCE).await.unwrap();
    assert_eq!(common::entry(&mut guest.collect(good, Side::Phone, 1).await.unwrap()).await.1, b"one");
    assert!(connect(&target(&server), Principal::Mailbox { mailbox: bad }, &key(9), PATIENCE).await.is_err());
    let mut writer = hub.put(film, 9, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 9);
    writer.write(body(3, 100)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 109);
}

#[tokio::test]
async fn a_sum_that_is_not_that_of_the_log_is_named_and_put_right() {
    let house = House::new().await;
    let hub = house.hub().await;
    for seq in 1..=3 {
        hub.append(seq, vec![seq as u8; 500]).await.unwrap();
    }
    let stored = hub.usage().await.unwrap().stored_bytes;
    let House { dir, server, home, owner } = house;
    server.shutdown().await;
    let name = record(b"h/", &[home.as_bytes()]);
    let index = DiskStore::open(dir.path().join("index")).unwrap();
    let mut batch = Batch::new();
    let wrong = with_field(&index.get(&name).unwrap().unwrap(), "log_bytes", Some(77.into()));
    batch.put(name, wrong);
    index.commit(batch).unwrap();
    drop(index);

    let open = || DataDirectory::open(dir.path()).unwrap();
    let found = open().check(true).await.unwrap().findings;
    assert_eq!(found, [Finding::WrongSum { home, recorded: 77, found: stored }]);
    assert!(open().check(false).await.unwrap().findings.is_empty());
    let server = Server::start(config(dir.path())).await.unwrap();
    let founder = Principal::Founder { home, invite: None };
    let hub = connect(&target(&server), founder, &owner, PATIENCE).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().stored_bytes, stored);
}

#[tokio::test]
async fn what_belongs_to_a_home_whose_record_is_damaged_stays() {
    let house = House::new().await;
    let hub = house.hub().await;
    let film = stream();
    put(&hub, film, 0, keep(), body(1, FILE)).await;
    let small = put_small(house.dir.path(), &hub, film, 1, keep(), body(2, 5000)).await;
    hub.append(1, b"one".to_vec()).await.unwrap();
    let home = house.home;
    let House { dir, server, .. } = house;
    server.shutdown().await;
    let broken = record(b"h/", &[home.as_bytes()]);
    let mut batch = Batch::new();
    batch.put(broken.clone(), b"not CBOR");
    DiskStore::open(dir.path().join("index")).unwrap().commit(batch).unwrap();

    let finding = Finding::Unreadable { key: data_encoding::HEXLOWER.encode(&broken), repairable: false };
    for _ in 0..2 {
        let report = DataDirectory::open(dir.path()).unwrap().check(true).await.unwrap();
        let all = (vec![finding.clone()], small + 1);
        assert_eq!((report.findings, report.segments), all, "repairing changes nothing");
    }
    // Nor does a start.
    Server::start(config(dir.path())).await.unwrap().shutdown().await;
    let blobs = Blobs::open(dir.path().join("bodies"), 0).unwrap();
    assert_eq!(blobs.read(&name(home, film, 0)).unwrap().unwrap(), body(1, FILE));
    let index = DiskStore::open(dir.path().join("index")).unwrap();
    assert_eq!(index.get(&piece(home, film, small, 0)).unwrap().unwrap(), body(2, 5000));
}

#[tokio::test]
async fn bytes_of_small_segments_are_looked_at_by_a_check_and_not_by_a_start() {
    const LENGTH: usize = 40_000;
    let house = House::new().await;
    let hub = house.hub().await;
    let (home, film) = (house.home, stream());
    let mut small: Vec<u64> = Vec::new();
    for seed in 0..6 {
        let from = small.last().map_or(0, |last| last + 1);
        small.push(put_small(house.dir.path(), &hub, film, from, keep(), body(seed, LENGTH)).await);
    }
    let [none, short, torn, unknown, long, good] = small[..] else { panic!("six of them") };
    let House { dir, server, owner, .. } = house;
    server.shutdown().await;
    let open = || DataDirectory::open(dir.path()).unwrap();
    let report = open().check(false).await.unwrap();
    assert_eq!((report.findings, report.segments), (vec![], good + 1));

    // Damage: each has three pieces.
    let mut batch = Batch::new();
    (0..3).for_each(|number| batch.delete(piece(home, film, none, number)));
    batch.delete(piece(home, film, short, 2));
    batch.delete(piece(home, film, torn, 1));
    batch.delete(record(b"b/", &[home.as_bytes(), film.as_bytes(), &unknown.to_be_bytes()]));
    batch.put(piece(home, film, long, 3), b"more");
    DiskStore::open(dir.path().join("index")).unwrap().commit(batch).unwrap();

    // A start knows nothing of it, and whoever reads gets no other bytes than those that were acknowledged.
    let server = Server::start(config(dir.path())).await.unwrap();
    let founder = Principal::Founder { home, invite: None };
    let hub = connect(&target(&server), founder.clone(), &owner, PATIENCE).await.unwrap();
    for index in [none, short, torn] {
        // The reset may overtake the answer.
        let read = async { read_all(&mut hub.get(film, index, 0).await?).await };
        assert!(read.await.unwrap_err().is_retryable());
    }
    assert_eq!(read_all(&mut hub.get(film, long, 0).await.unwrap()).await.unwrap(), body(4, LENGTH));
    drop(hub);
    server.shutdown().await;

    let segment = |index| SegmentPlace { home, stream: film, index };
    let stray =
        |index, number| Finding::StrayRecord { key: data_encoding::HEXLOWER.encode(&piece(home, film, index, number)) };
    let wrong = |index, found| Finding::WrongLength { segment: segment(index), recorded: LENGTH as u64, found };
    let wanted = [
        Finding::MissingBody { segment: segment(none) },
        wrong(short, 32_000),
        wrong(torn, 16_000),
        stray(torn, 2),
        stray(unknown, 0),
        stray(unknown, 1),
        stray(unknown, 2),
        wrong(long, LENGTH as u64 + 4),
    ];
    let text = |findings: &[Finding]| findings.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    for repair in [false, true] {
        let found = open().check(repair).await.unwrap();
        assert_eq!((text(&found.findings), found.findings.len()), (text(&wanted), wanted.len()));
    }
    let after = open().check(false).await.unwrap();
    assert_eq!((after.findings, after.segments), (vec![], good + 1 - 5));
    {
        let index = DiskStore::open(dir.path().join("index")).unwrap();
        for gone in [none, short, torn, unknown, long] {
            assert!(index.scan(&pieces(home, film, gone), b"", 1).unwrap().is_empty());
        }
    }
    let server = Server::start(config(dir.path())).await.unwrap();
    let hub = connect(&target(&server), founder, &owner, PATIENCE).await.unwrap();
    assert_eq!(code(hub.get(film, short, 0).await), Code::NotFound);
    assert_eq!(read_all(&mut hub.get(film, good, 0).await.unwrap()).await.unwrap(), body(5, LENGTH));
}
