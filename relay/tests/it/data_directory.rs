//! A data directory in which something was damaged: every damage is named and repaired, and nothing else is touched.

use std::collections::BTreeSet;

use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Side};
use privet_protocol::storage::{Batch, Store as _};
use privet_relay::{DataDirectory, Finding, SegmentPlace, Server};
use privet_relay_client::connect;
use privet_store::{BlobName, Blobs, DiskStore};

use crate::common::{
    self, House, PATIENCE, body, config, entries, keep, key, put, read_all, stream, target, with_field,
};

fn record(kind: &[u8; 2], parts: &[&[u8]]) -> Vec<u8> {
    [&kind[..], &parts.concat()].concat()
}

fn name(home: HomeId, stream: StreamId, index: u64) -> BlobName {
    format!("{home}-{stream}-{index:016x}").parse().unwrap()
}

#[tokio::test]
async fn every_damage_is_named_and_repaired_and_nothing_else_is_touched() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (home, film, other) = (house.home, stream(), stream());
    for index in 0..5 {
        put(&hub, film, index, keep(), body(index, 5000)).await;
    }
    put(&hub, other, 0, keep(), body(9, 5000)).await;
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
    assert_eq!((report.findings, report.homes, report.segments), (vec![], 1, 6));

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
        Finding::WrongLength { segment: segment(film, 1), recorded: 5000, found: 4999 },
        Finding::OrphanBody { file: name(home, film, 77).to_string(), length: 24 },
        Finding::LeftoverPartial { file: name(stranger, film, 0).to_string(), length: 10 },
        Finding::NoStream { segment: segment(other, 0) },
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
    assert_eq!((after.findings, after.segments, after.unfinished), (vec![], 4, 1));

    let server = Server::start(config(dir.path())).await.unwrap();
    let founder = Principal::Founder { home, invite: None };
    let hub = connect(&target(&server), founder, &owner, PATIENCE).await.unwrap();
    let phone = connect(&target(&server), Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    for index in 2..5 {
        assert_eq!(read_all(&mut phone.get(film, index, 0).await.unwrap()).await.unwrap(), body(index, 5000));
    }
    assert_eq!(read_all(&mut phone.get(other, 0, 0).await.unwrap()).await.unwrap(), body(9, 5000));
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
    put(&hub, film, 0, keep(), body(1, 5000)).await;
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
        assert_eq!((report.findings, report.segments), (vec![finding.clone()], 1), "repairing changes nothing");
    }
    // Nor does a start.
    Server::start(config(dir.path())).await.unwrap().shutdown().await;
    let blobs = Blobs::open(dir.path().join("bodies"), 0).unwrap();
    assert_eq!(blobs.read(&name(home, film, 0)).unwrap().unwrap(), body(1, 5000));
}
