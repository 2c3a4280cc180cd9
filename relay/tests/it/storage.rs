//! What every store promises, asked of each: on the disk of the machine, in PostgreSQL with a directory, and in PostgreSQL with a
//! server of the S3 protocol.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use privet_protocol::cbor;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::Principal;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use privet_relay::config::Policy;
use privet_relay::storage::{Body, Embedded, Shared, Storage};
use privet_relay::{Config, Server, check_shared};
use privet_relay_client::connect;
use privet_store::{BlobName, DiskStore, SystemDisk};
use serde::Serialize;

use crate::common::postgres::Postgres;
use crate::common::s3::S3;
use crate::common::{self, House, PATIENCE, body, files, keep, key, put, read_all, share, stream, target, until};

type Store = Arc<dyn Storage>;

/// The configuration of a relay with this data directory and this PostgreSQL.
pub fn shared(dir: &Path, postgres: &Postgres) -> Config {
    let mut config = common::config(dir);
    share(&mut config, &postgres.reached);
    config
}

pub async fn open(config: &Config) -> Store {
    Arc::new(Shared::open(&config.storage).await.unwrap())
}

pub fn name(text: &str) -> BlobName {
    text.parse().unwrap()
}

fn batch(puts: &[(&str, &str)], gone: &[&str]) -> Batch {
    let mut batch = Batch::new();
    puts.iter().for_each(|(key, value)| batch.put(*key, *value));
    gone.iter().for_each(|key| batch.delete(*key));
    batch
}

pub async fn whole(body: &dyn Body) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = body.read(all.len() as u64, 70_000).await.unwrap();
        if bytes.is_empty() {
            return all;
        }
        all.extend_from_slice(&bytes);
    }
}

async fn listed(store: &Store, prefix: &str) -> Vec<(String, u64, bool)> {
    let mut found: Vec<_> = store.bodies(prefix.into()).await.unwrap();
    found.sort_by(|a, b| (&a.name, a.partial).cmp(&(&b.name, b.partial)));
    found.into_iter().map(|body| (body.name.to_string(), body.length, body.partial)).collect()
}

/// Appends in pieces like those that come over the network.
pub async fn append(writer: &mut dyn privet_relay::storage::BodyWriter, bytes: &Bytes) {
    for from in (0..bytes.len()).step_by(50_000) {
        writer.append(bytes.slice(from..(from + 50_000).min(bytes.len()))).await.unwrap();
    }
}

/// Everything that both kinds promise; `again` opens the store anew, as another process would.
async fn keeps_its_promises<F: Future<Output = Store>>(store: Store, again: impl Fn(Store) -> F) {
    index(&store).await;
    new_entries(&store).await;
    let store = bodies(store, &again).await;
    let store = small(store, &again).await;
    let home = HomeId::generate(&SystemRandom);
    let mine = store.take_over(home).await.unwrap();
    mine.commit(batch(&[("of a home", "1")], &[])).await.unwrap();
    assert!(!mine.moved().is_cancelled());
    drop(mine);
    let store = again(store).await;
    assert_eq!(store.get(b"of a home".to_vec()).await.unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.get(b"b/2".to_vec()).await.unwrap(), Some(b"3".to_vec()));
}

async fn index(store: &Store) {
    assert_eq!(store.get(b"none".to_vec()).await.unwrap(), None);
    store.commit(batch(&[("a/1", ""), ("b/1", "1"), ("b/2", "2"), ("b/3", "3"), ("c", "4")], &[])).await.unwrap();
    assert_eq!(store.get(b"a/1".to_vec()).await.unwrap(), Some(Vec::new()));
    // Replaced, removed, and removed though never there: together.
    store.commit(batch(&[("b/2", "3")], &["b/3", "nothing"])).await.unwrap();
    let keys = |from: &'static str, limit| async move {
        let found = store.scan(b"b/".to_vec(), from.into(), limit).await.unwrap();
        found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(keys("", 9).await, ["b/1", "b/2"]);
    assert_eq!(keys("b/2", 9).await, ["b/2"]);
    assert_eq!(keys("", 1).await, ["b/1"]);
    // Bytes, not letters: order and ends are those of bytes.
    let mut odd = Batch::new();
    for key in [[0xfe, 0xff], [0xff, 0x00], [0xff, 0xff]] {
        odd.put(key, key);
    }
    store.commit(odd).await.unwrap();
    let found = store.scan(vec![0xff], Vec::new(), usize::MAX).await.unwrap();
    assert_eq!(found, [(vec![0xff, 0x00], vec![0xff, 0x00]), (vec![0xff, 0xff], vec![0xff, 0xff])]);
    let all = store.scan(Vec::new(), Vec::new(), usize::MAX).await.unwrap();
    assert!(all.is_sorted() && all.len() == 7, "{all:?}");
}

/// Of all who make the same entry at once one does, and nothing of the others' is there.
async fn new_entries(store: &Store) {
    let make = |number: u8| {
        let store = Arc::clone(store);
        async move {
            let (with, number_in_words) = (format!("with {number}"), number.to_string());
            let others = batch(&[(with.as_str(), "1"), ("last", number_in_words.as_str())], &["b/1"]);
            store.commit_new(b"the one".to_vec(), vec![number], others).await.unwrap()
        }
    };
    let makers: Vec<_> = (0..20).map(|number| tokio::spawn(make(number))).collect();
    let mut made = Vec::new();
    for (number, maker) in (0..).zip(makers) {
        if maker.await.unwrap() {
            made.push(number);
        }
    }
    let [made] = made[..] else { panic!("{made:?} made it") };
    assert_eq!(store.get(b"the one".to_vec()).await.unwrap(), Some(vec![made]));
    assert_eq!(store.get(b"last".to_vec()).await.unwrap(), Some(made.to_string().into_bytes()));
    assert_eq!(store.scan(b"with ".to_vec(), Vec::new(), 9).await.unwrap().len(), 1);
    assert_eq!(store.get(b"b/1".to_vec()).await.unwrap(), None);
    assert!(!make(99).await);
}

async fn bodies<F: Future<Output = Store>>(store: Store, again: &impl Fn(Store) -> F) -> Store {
    let bytes = body(1, 2_600_000);
    let film = name("film-1");
    assert!(store.body(film.clone()).await.unwrap().is_none());
    let mut writer = store.write_body(film.clone()).await.unwrap();
    append(&mut *writer, &bytes.slice(..1_700_001)).await;
    let reader = writer.reader();
    assert_eq!(whole(&*reader).await, bytes[..1_700_001], "a reader reads what was written so far");
    assert_eq!(writer.length(), 1_700_001);
    writer.leave().await.unwrap();
    assert_eq!(listed(&store, "film-").await, [("film-1".to_owned(), 1_700_001, true)]);
    assert!(store.body(film.clone()).await.unwrap().is_none(), "it is not whole");

    // The same reader goes on behind the next writer; another process goes on at the byte.
    let mut writer = store.write_body(film.clone()).await.unwrap();
    append(&mut *writer, &bytes.slice(1_700_001..1_800_000)).await;
    assert_eq!(whole(&*reader).await, bytes[..1_800_000]);
    writer.leave().await.unwrap();
    drop(reader);
    let store = again(store).await;
    let mut writer = store.write_body(film.clone()).await.unwrap();
    assert_eq!(writer.length(), 1_800_000);
    append(&mut *writer, &bytes.slice(1_800_000..)).await;
    assert_eq!(writer.finish().await.unwrap(), 2_600_000);
    let found = store.body(film.clone()).await.unwrap().unwrap();
    assert_eq!(whole(&*found).await, bytes);
    assert_eq!(found.read(1_048_570, 100).await.unwrap()[..6], bytes[1_048_570..1_048_576]);
    assert_eq!(found.read(2_600_000, 10).await.unwrap(), Bytes::new());

    // Begun anew, and again beside the whole one, which it replaces at its end.
    let mut writer = store.write_body(film.clone()).await.unwrap();
    assert_eq!(writer.length(), 0);
    append(&mut *writer, &bytes.slice(..100)).await;
    writer.clear().await.unwrap();
    assert_eq!(writer.length(), 0);
    append(&mut *writer, &bytes.slice(5..10)).await;
    assert_eq!(whole(&*writer.reader()).await, bytes[5..10]);
    assert_eq!(writer.finish().await.unwrap(), 5);
    assert_eq!(whole(&*store.body(film.clone()).await.unwrap().unwrap()).await, bytes[5..10]);

    // Nothing is a body, too.
    let empty = store.write_body(name("film-2")).await.unwrap();
    assert_eq!(empty.finish().await.unwrap(), 0);
    let mut partial = store.write_body(name("other")).await.unwrap();
    append(&mut *partial, &bytes.slice(..9)).await;
    partial.leave().await.unwrap();
    assert_eq!(listed(&store, "film-").await, [("film-1".to_owned(), 5, false), ("film-2".to_owned(), 0, false)]);
    assert_eq!(listed(&store, "").await.len(), 3);
    store.remove_partial(film.clone()).await.unwrap();
    assert!(store.body(film.clone()).await.unwrap().is_some(), "a whole one is left alone");
    for gone in ["film-1", "film-2", "other", "never-there"] {
        store.remove_body(name(gone)).await.unwrap();
    }
    assert!(listed(&store, "").await.is_empty());
    store
}

/// Small bodies, where the store takes any: they come and go with what a batch says of them.
async fn small<F: Future<Output = Store>>(store: Store, again: &impl Fn(Store) -> F) -> Store {
    let Some(most) = store.small_bodies() else { return store };
    let (home, film) = (HomeId::generate(&SystemRandom), StreamId::generate(&SystemRandom));
    let segment = |index: u64| name(&format!("{home}-{film}-{index:016x}"));
    let lengths = || (0..).zip([0, 1, 15_999, 16_000, 16_001, most]);
    for (index, length) in lengths() {
        let record = format!("small/{index}");
        let batch = batch(&[(record.as_str(), "1")], &[]);
        store.keep_small(segment(index), body(index, length), batch).await.unwrap();
    }
    let store = again(store).await;
    assert!(listed(&store, "").await.is_empty(), "none is a file");
    for (index, length) in lengths() {
        assert_eq!(store.get(format!("small/{index}").into()).await.unwrap(), Some(b"1".to_vec()));
        let found = store.body(segment(index)).await.unwrap().unwrap();
        assert_eq!(whole(&*found).await, body(index, length));
        for beyond in [length as u64, length as u64 + 1, u64::MAX] {
            assert_eq!(found.read(beyond, 10).await.unwrap(), Bytes::new());
        }
    }
    for (index, length) in lengths() {
        let record = format!("small/{index}");
        let mut gone = batch(&[], &[record.as_str()]);
        store.forget_small(&segment(index), length as u64, &mut gone);
        store.commit(gone).await.unwrap();
        assert!(store.body(segment(index)).await.unwrap().is_none());
    }
    assert!(store.scan(b"f/".to_vec(), Vec::new(), 1).await.unwrap().is_empty());
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn small_bodies_have_so_much_room_in_the_index_and_no_more() {
    /// As the relay writes it.
    #[derive(Serialize)]
    struct Record {
        length: u64,
        until: Timestamp,
        small: bool,
    }
    fn write(index: &Path, batch: Batch) {
        use privet_protocol::storage::Store as _;
        DiskStore::open(index).unwrap().commit(batch).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let (home, film) = (HomeId::generate(&SystemRandom), StreamId::generate(&SystemRandom));
    let key = |index: u64| [&b"b/"[..], home.as_bytes(), film.as_bytes(), &index.to_be_bytes()].concat();
    let record = |length: u64| cbor::encode(&Record { length, until: Timestamp(9), small: true });
    // Nine pieces each, and seven: as many as there may be.
    let last = 7281;
    let mut full = Batch::new();
    (0..last).for_each(|index| full.put(key(index), record(128 << 10)));
    full.put(key(last), record(100_000));
    write(&dir.path().join("index"), full);
    let open = || {
        let disk: Arc<dyn privet_store::Disk> = Arc::new(SystemDisk);
        Embedded::open(&disk, dir.path(), 0).unwrap()
    };

    let store = open();
    assert_eq!(store.small_bodies(), None);
    let segment = name(&format!("{home}-{film}-{last:016x}"));
    let mut gone = Batch::new();
    gone.delete(key(last));
    store.forget_small(&segment, 100_000, &mut gone);
    assert_eq!(store.small_bodies(), None, "it is there until that is durable");
    store.commit(gone).await.unwrap();
    assert_eq!(store.small_bodies(), Some(128 << 10));
    drop(store);
    let store = open();
    assert_eq!(store.small_bodies(), Some(128 << 10));
    let mut again = Batch::new();
    again.put(key(last), record(100_000));
    store.keep_small(segment, body(1, 100_000), again).await.unwrap();
    assert_eq!(store.small_bodies(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    let open = || -> Store {
        let disk: Arc<dyn privet_store::Disk> = Arc::new(SystemDisk);
        Arc::new(Embedded::open(&disk, dir.path(), 0).unwrap())
    };
    keeps_its_promises(open(), |store| {
        drop(store);
        std::future::ready(open())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_with_a_directory_keeps_its_promises() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let config = shared(dir.path(), &postgres);
    keeps_its_promises(open(&config).await, |_| open(&config)).await;
    let _removes_what_is_left = open(&config).await;
    let objects = dir.path().join("objects");
    until(|| async { files(&objects).is_empty() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_with_an_s3_server_keeps_its_promises() {
    let (postgres, s3) = (Postgres::start(), S3::start().await);
    let dir = tempfile::tempdir().unwrap();
    let mut config = shared(dir.path(), &postgres);
    s3.keep_bodies(&mut config.storage);
    keeps_its_promises(open(&config).await, |_| open(&config)).await;
    let removes_what_is_left = open(&config).await;
    until(|| async { s3.objects() == 0 }).await;
    drop(removes_what_is_left);
    // Who has the wrong keys gets nowhere, and what was refused is no object.
    std::fs::write(dir.path().join("keys"), "AKIAPRIVETTEST\nanother secret\n").unwrap();
    config.storage.s3_keys = Some(dir.path().join("keys"));
    let stranger = open(&config).await;
    let mut writer = stranger.write_body(name("film")).await.unwrap();
    writer.append(body(1, 10)).await.unwrap();
    assert!(matches!(writer.finish().await, Err(StoreError::Io(_))));
    assert_eq!(s3.objects(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gathers_of_a_home_s_uploads_is_bounded_and_all_of_it_is_there_in_the_end() {
    const UPLOADS: u64 = 24;
    const LENGTH: u64 = 900_000;
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&shared(dir.path(), &postgres)).await;
    let home = store.take_over(HomeId::generate(&SystemRandom)).await.unwrap();
    let film = |number: u64| (name(&format!("film-{number}")), body(number, LENGTH as usize));
    let mut writers = Vec::new();
    for number in 0..UPLOADS {
        let (name, bytes) = film(number);
        let mut writer = home.write_body(name).await.unwrap();
        append(&mut *writer, &bytes).await;
        assert_eq!(writer.length(), LENGTH);
        assert_eq!(whole(&*writer.reader()).await, bytes);
        writers.push(writer);
    }
    // None of them is worth an object by itself.
    let durable: u64 = listed(&home, "film-").await.iter().map(|(_, length, _)| length).sum();
    let gathers = UPLOADS * LENGTH - durable;
    assert!(gathers <= 16 << 20, "{gathers} bytes in memory");
    for (number, writer) in (0..).zip(writers) {
        assert_eq!(writer.finish().await.unwrap(), LENGTH);
        let (name, bytes) = film(number);
        assert_eq!(whole(&*store.body(name).await.unwrap().unwrap()).await, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_a_home_writes_nothing_for_it_any_more() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let config = shared(dir.path(), &postgres);
    let (one, other) = (open(&config).await, open(&config).await);
    let (home, apart) = (HomeId::generate(&SystemRandom), HomeId::generate(&SystemRandom));
    let before = one.take_over(home).await.unwrap();
    let elsewhere = one.take_over(apart).await.unwrap();
    before.commit(batch(&[("k", "before")], &[])).await.unwrap();
    let mut writer = before.write_body(name("film")).await.unwrap();
    writer.append(body(1, 100)).await.unwrap();

    let after = other.take_over(home).await.unwrap();
    let refused = before.commit(batch(&[("k", "late")], &["j"])).await;
    assert!(matches!(refused, Err(StoreError::Moved(_))), "{refused:?}");
    assert!(before.moved().is_cancelled() && !after.moved().is_cancelled() && !elsewhere.moved().is_cancelled());
    assert!(matches!(writer.finish().await, Err(StoreError::Moved(_))));
    assert!(matches!(before.remove_body(name("film")).await, Err(StoreError::Moved(_))));
    assert!(listed(&after, "film").await.is_empty());
    assert_eq!(after.get(b"k".to_vec()).await.unwrap(), Some(b"before".to_vec()));
    after.commit(batch(&[("k", "after")], &[])).await.unwrap();
    elsewhere.commit(batch(&[("other", "1")], &[])).await.unwrap();
    // Taken back, it is the first one's again, through a new handle.
    let again = one.take_over(home).await.unwrap();
    again.commit(batch(&[("k", "again")], &[])).await.unwrap();
    assert!(matches!(after.commit(batch(&[("k", "no")], &[])).await, Err(StoreError::Moved(_))));
    assert!(matches!(before.commit(batch(&[("k", "no")], &[])).await, Err(StoreError::Moved(_))));
    assert_eq!(one.get(b"k".to_vec()).await.unwrap(), Some(b"again".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_restarts_what_is_asked_waits() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&shared(dir.path(), &postgres)).await;
    store.commit(batch(&[("k", "1")], &[])).await.unwrap();
    postgres.stop();
    let asked = Arc::clone(&store);
    let get = tokio::spawn(async move { asked.get(b"k".to_vec()).await });
    let asked = Arc::clone(&store);
    let commit = tokio::spawn(async move { asked.commit(batch(&[("l", "2")], &[])).await });
    postgres.start_again();
    assert_eq!(get.await.unwrap().unwrap(), Some(b"1".to_vec()));
    commit.await.unwrap().unwrap();
    assert_eq!(store.get(b"l".to_vec()).await.unwrap(), Some(b"2".to_vec()));
}

/// PostgreSQL is killed again and again while one handle after the other counts on. What was confirmed is there; what was not is there
/// or not, and whoever goes on reads which.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_outlives_a_postgres_that_is_killed() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&shared(dir.path(), &postgres)).await;
    let home = HomeId::generate(&SystemRandom);
    let counting = tokio::spawn(async move {
        let (mut confirmed, mut taken_over) = (0_u64, 0);
        while taken_over < 100 && confirmed < 3000 {
            let Ok(mine) = store.take_over(home).await else { continue };
            taken_over += 1;
            let there = mine.get(b"count".to_vec()).await.unwrap();
            let mut count = there.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
            assert!(count == confirmed || count == confirmed + 1, "{count} is there, {confirmed} were confirmed");
            confirmed = count;
            while confirmed < 3000 {
                count += 1;
                let mut batch = Batch::new();
                batch.put(*b"count", count.to_be_bytes());
                if mine.commit(batch).await.is_err() {
                    break;
                }
                confirmed = count;
            }
        }
        confirmed
    });
    while !counting.is_finished() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        postgres.kill();
        postgres.start_again();
    }
    assert!(counting.await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_that_the_command_made_is_good_at_every_relay_and_for_one_home() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let mut config = shared(&dir.path().join("one"), &postgres);
    config.homes.policy = Policy::Invite;
    let file = dir.path().join("relay.toml");
    let (database, objects) = (config.storage.postgres.clone().unwrap(), config.storage.objects.clone().unwrap());
    let text = format!(
        "data = '/nowhere'\n[homes]\npolicy = 'invite'\n\
         [storage]\nkind = 'postgres'\npostgres = {database:?}\nobjects = {objects:?}\n"
    );
    std::fs::write(&file, text).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_privet-relay"));
        let output = command.arg("invite").args(arguments).arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    let list = || -> serde_json::Value { serde_json::from_str(&command(&["list", "--json"]).1).unwrap() };
    // Before any relay has run.
    let (code, words, said) = command(&["--note", "Aunt Ada"]);
    assert!(code == Some(0) && words.trim().len() == 26, "{said}");

    let mut other = config.clone();
    other.data = dir.path().join("other");
    other.storage.node = Some("other".into());
    let servers = [Server::start(config).await.unwrap(), Server::start(other).await.unwrap()];
    let bring = async |at: usize, invite: &str| {
        let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: Some(invite.to_owned()) };
        let outcome = connect(&target(&servers[at]), founder, &key(1), PATIENCE).await;
        outcome.map(drop).map_err(|error| error.to_string())
    };
    let refused = |outcome: Result<(), String>, text: &str| {
        let error = outcome.unwrap_err();
        assert!(error.contains(text), "{error}");
    };
    refused(bring(0, "not one of its invites").await, "takes new homes by invite");
    bring(1, words.trim()).await.unwrap();
    for at in [0, 1] {
        refused(bring(at, words.trim()).await, "was used already");
    }
    let (_, second, _) = command(&[]);
    let listed = list();
    assert_eq!((&listed["used"], &listed["open"]), (&1.into(), &1.into()), "{listed}");
    let id = |state: &str| {
        let mut invites = listed["invites"].as_array().unwrap().iter();
        invites.find(|invite| invite["state"] == state).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(command(&["revoke", &id("used")]).0, Some(1), "its home stays");
    assert_eq!(command(&["revoke", &id("open")[..8]]).0, Some(0));
    refused(bring(0, second.trim()).await, "takes new homes by invite");
    assert_eq!(command(&["revoke", &id("open")]).0, Some(1), "it is gone");
    assert_eq!(list()["invites"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_relay_goes_on_with_a_home_and_its_upload() {
    let postgres = Postgres::start();
    let dir = tempfile::tempdir().unwrap();
    let config = shared(dir.path(), &postgres);
    let server = Server::start(config.clone()).await.unwrap();
    let first = House { dir, server, home: HomeId::generate(&SystemRandom), owner: key(1) };
    let hub = first.hub().await;
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    let (film, bytes) = (stream(), body(1, 1_500_000));
    put(&hub, film, 0, keep(), bytes.clone()).await;
    let mut writer = hub.put(film, 1, keep(), true).await.unwrap();
    writer.write(bytes.slice(..700_000)).await.unwrap();
    until(|| async { hub.usage().await.unwrap().stored_bytes >= 2_200_000 }).await;
    let House { dir, server, home, owner } = first;
    server.shutdown().await;

    let server = Server::start(config.clone()).await.unwrap();
    let second = House { dir, server, home, owner };
    let hub = second.hub().await;
    assert_eq!(hub.usage().await.unwrap().log_head, 1);
    let mut writer = hub.put(film, 1, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 700_000);
    writer.write(bytes.slice(700_000..)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 1_500_000);
    for index in 0..2 {
        assert_eq!(read_all(&mut hub.get(film, index, 0).await.unwrap()).await.unwrap(), bytes);
    }
    assert!(check_shared(&config.storage, false).await.is_err(), "a relay is at work");
    drop(hub);
    second.server.shutdown().await;
    until(|| async { check_shared(&config.storage, false).await.is_ok_and(|report| report.findings.is_empty()) }).await;
    // What is gone from the objects is a loss, and named.
    std::fs::remove_dir_all(config.data.join("objects")).unwrap();
    let report = check_shared(&config.storage, true).await.unwrap();
    assert_eq!((report.findings.len(), report.repaired), (2, true));
    assert!(check_shared(&config.storage, false).await.unwrap().findings.is_empty());
}
