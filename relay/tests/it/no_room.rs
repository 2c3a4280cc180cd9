//! A disk that is full: what would be kept is refused and nothing acknowledged is lost, what is there is read, live goes on, and all goes
//! on once there is room. A relay sees that come; but in most tests here nobody tells it how little is left, as under a quota: what fails
//! is what the system refuses, wherever the relay is at that moment. (A hub's clips: `tests/tests/it/faults.rs`.)

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Code, From, Retention};
use privet_relay::{Config, DataDirectory, Machine, Server};
use privet_relay_client::{ClientError, Connection, FollowEvent, SegmentWriter};
use privet_store::SystemDisk;

use crate::common::{
    self, House, body, config, entries, in_time, is_shared, keep, key, on_disk, put, read_all, stream, until,
};
use crate::played_disk::{Between, PlayedDisk};
use crate::space::{Disk, inside_namespace};

/// Bytes that the machine says are free, whatever is.
const FREE: u64 = 1 << 40;

/// A relay that can be started again and again.
struct Setup {
    config: Config,
    quota: Arc<Quota>,
}

impl Setup {
    async fn start(&self) -> Server {
        let mut machine = Machine::this();
        machine.disk = PlayedDisk::on(SystemDisk, &self.quota);
        Server::start_on(self.config.clone(), machine).await.unwrap()
    }

    async fn house(&self) -> House {
        let (dir, server) = (tempfile::tempdir().unwrap(), self.start().await);
        House { dir, server, home: HomeId::generate(&SystemRandom), owner: key(1) }
    }

    async fn restart(&self, house: House) -> House {
        let House { dir, server, home, owner } = house;
        server.shutdown().await;
        House { dir, server: self.start().await, home, owner }
    }
}

/// On the machine's own disk, which says that there is room for everything.
#[derive(Debug, Default)]
struct Quota(Mutex<Option<Step>>);

/// What a file system may refuse for want of room, and a tmpfs does not: it needs none for it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Step {
    Rename,
    SyncFile,
    SyncDirectory,
}

impl Quota {
    /// From now on there is no room for this.
    fn refuse(&self, step: Option<Step>) {
        *self.0.lock().unwrap() = step;
    }

    fn allow(&self, step: Step) -> io::Result<()> {
        if *self.0.lock().unwrap() == Some(step) { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Between for Quota {
    fn rename(&self) -> io::Result<()> {
        self.allow(Step::Rename)
    }

    fn sync_file(&self) -> io::Result<()> {
        self.allow(Step::SyncFile)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<bool> {
        self.allow(Step::SyncDirectory).map(|()| true)
    }

    fn free_bytes(&self) -> Option<u64> {
        Some(FREE)
    }
}

/// Writes the rest of a segment, which is refused because the disk is full.
async fn refused(mut writer: SegmentWriter, bytes: Bytes) {
    let error = match in_time(writer.write(bytes)).await {
        Ok(()) => in_time(writer.finish()).await.unwrap_err(),
        Err(error) => error,
    };
    is_full(&error);
}

fn is_full(error: &ClientError) {
    assert_eq!(error.refusal(), Some(Code::Storage), "{error}");
    assert!(error.is_retryable() && error.to_string().contains("the relay's disk is full"), "{error}");
}

/// A kept segment is there: fetched, and followed.
async fn reads(phone: &Connection, film: StreamId, index: u64, bytes: &Bytes) {
    let got = read_all(&mut phone.get(film, index, 0).await.unwrap()).await.unwrap();
    assert!(got == *bytes, "{} of {} bytes", got.len(), bytes.len());
    let mut follower = phone.follow(film, From::Index(index)).await.unwrap();
    match in_time(follower.next()).await.unwrap() {
        Some(FollowEvent::Segment(mut reader)) => assert!(read_all(&mut reader).await.unwrap() == *bytes),
        other => panic!("not a segment: {other:?}"),
    }
}

/// Live goes on: who follows gets every segment whole.
async fn films(hub: &Connection, phone: &Connection) {
    let live = stream();
    let mut follower = phone.follow(live, From::Newest).await.unwrap();
    for index in 0..3 {
        put(hub, live, index, Retention::Pass, body(index, 50_000)).await;
        match in_time(follower.next()).await.unwrap() {
            Some(FollowEvent::Segment(mut reader)) => {
                assert_eq!(reader.index(), index);
                assert!(read_all(&mut reader).await.unwrap() == body(index, 50_000));
            }
            other => panic!("not a segment: {other:?}"),
        }
    }
}

/// With an object store in a directory, that is what has no room.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_into_a_full_disk_is_refused_and_goes_on_when_there_is_room() {
    if !inside_namespace("no_room::an_upload_into_a_full_disk_is_refused_and_goes_on_when_there_is_room") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("small");
    let disk = Disk::mount(&place, 64);
    let mut config = config(dir.path());
    // What notes the time would write into the index.
    config.limits.sweep_s = 3600;
    if is_shared() {
        config.storage.objects = Some(format!("file://{}", place.join("objects").display()));
    } else {
        config.data = place;
    }
    let setup = Setup { config, quota: Arc::default() };
    let house = setup.house().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (film, other) = (stream(), stream());
    let (kept, half, last) = (body(1, 300_000), body(2, 4_400_000), body(3, 200_000));
    put(&hub, film, 0, keep(), kept.clone()).await;
    let mut writer = hub.put(other, 0, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 0);
    writer.write(half.slice(..400_000)).await.unwrap();
    until(async || hub.usage().await.unwrap().stored_bytes >= 700_000).await;

    disk.fill(0);
    refused(writer, half.slice(400_000..)).await;
    match hub.put(film, 1, keep(), false).await {
        Ok(writer) => refused(writer, last.clone()).await,
        Err(error) => is_full(&error),
    }
    reads(&phone, film, 0, &kept).await;
    films(&hub, &phone).await;
    if is_shared() {
        hub.append(1, b"the index is elsewhere".to_vec()).await.unwrap();
    }

    disk.clear();
    let mut writer = hub.put(other, 0, keep(), true).await.unwrap();
    let from = usize::try_from(writer.offset()).unwrap();
    // What gathers for an object is in memory, and not promised.
    assert!(is_shared() || from >= 400_000, "{from}");
    writer.write(half.slice(from..)).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), 4_400_000);
    assert_eq!(put(&hub, film, 1, keep(), last.clone()).await, 200_000);
    let stored = 300_000 + 4_400_000 + 200_000;
    let counted = async |hub: &Connection| {
        let usage = hub.usage().await.unwrap();
        assert!((stored..stored + 1000).contains(&usage.stored_bytes), "{usage:?}");
    };
    counted(&hub).await;

    let house = setup.restart(house).await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    for (film, index, bytes) in [(film, 0, &kept), (film, 1, &last), (other, 0, &half)] {
        reads(&phone, film, index, bytes).await;
    }
    counted(&hub).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_disk_fills_in_the_middle_of_a_commit_has_what_it_acknowledged_after_a_restart() {
    let test = "no_room::an_index_whose_disk_fills_in_the_middle_of_a_commit_has_what_it_acknowledged_after_a_restart";
    if !on_disk(test, "PostgreSQL's disk, which is its own business") {
        return;
    }
    if !inside_namespace(test) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("small");
    let disk = Disk::mount(&place, 32);
    let mut config = config(dir.path());
    (config.data, config.limits.sweep_s) = (place, 3600);
    let setup = Setup { config, quota: Arc::default() };
    let house = setup.house().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (film, kept) = (stream(), body(1, 300_000));
    put(&hub, film, 0, keep(), kept.clone()).await;
    let entry = |seq: u64| body(seq, 20_000).to_vec();
    for seq in 1..=3 {
        hub.append(seq, entry(seq)).await.unwrap();
    }

    disk.fill(0);
    // Pages that were there already may be enough for some.
    let mut acknowledged = 3;
    let error = loop {
        match in_time(hub.append(acknowledged + 1, entry(acknowledged + 1))).await {
            Ok(head) => acknowledged = head,
            Err(error) => break error,
        }
        assert!(acknowledged < 1000, "it never fills");
    };
    is_full(&error);
    reads(&phone, film, 0, &kept).await;
    films(&hub, &phone).await;
    // Nobody knows what the disk has of it: nothing more is written until the index is opened again.
    disk.clear();
    is_full(&in_time(hub.append(acknowledged + 1, entry(acknowledged + 1))).await.unwrap_err());

    let house = setup.restart(house).await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    reads(&phone, film, 0, &kept).await;
    let head = hub.usage().await.unwrap().log_head;
    assert!(head == acknowledged || head == acknowledged + 1, "{head}, and {acknowledged} were acknowledged");
    let wanted: Vec<_> = (1..=head).map(|seq| (seq, entry(seq))).collect();
    assert!(entries(phone.read_log(1, false).await.unwrap()).await == wanted);
    assert_eq!(hub.append(head + 1, entry(head + 1)).await.unwrap(), head + 1);
    put(&hub, film, 1, keep(), kept.clone()).await;
    reads(&phone, film, 1, &kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_last_step_of_a_segment_keeps_nothing_of_it_and_takes_it_later() {
    const TEST: &str = "a_disk_that_is_full_at_the_last_step_of_a_segment_keeps_nothing_of_it_and_takes_it_later";
    if !on_disk(
        TEST,
        "the steps that end a file; objects have others, of which `an_upload_into_a_full_disk...` meets one",
    ) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let setup = Setup { config: config(dir.path()), quota: Arc::default() };
    let house = setup.house().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let film = stream();
    // Too long for the index.
    let bytes = |index| body(index, 200_000);
    put(&hub, film, 0, keep(), bytes(0)).await;
    for (step, index) in [Step::Rename, Step::SyncFile, Step::SyncDirectory].into_iter().zip(1..) {
        setup.quota.refuse(Some(step));
        refused(hub.put(film, index, keep(), false).await.unwrap(), bytes(index)).await;
        assert_eq!(common::code(phone.get(film, index, 0).await), Code::NotFound, "{step:?}");
        reads(&phone, film, 0, &bytes(0)).await;
        films(&hub, &phone).await;
        assert_eq!(hub.append(index, b"the index has room".to_vec()).await.unwrap(), index);
        setup.quota.refuse(None);
        put(&hub, film, index, keep(), bytes(index)).await;
    }
    assert!((800_000..801_000).contains(&hub.usage().await.unwrap().stored_bytes));

    let house = setup.restart(house).await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    for index in 0..4 {
        reads(&phone, film, index, &bytes(index)).await;
    }
    assert_eq!(hub.usage().await.unwrap().log_head, 3);
    drop((hub, phone));
    house.server.shutdown().await;
    let report = DataDirectory::open(dir.path()).unwrap().check(false).await.unwrap();
    assert_eq!((report.findings, report.segments, report.unfinished), (vec![], 4, 0));
}

/// The disk is not full: the relay leaves so much free that it is not.
#[tokio::test]
async fn a_disk_with_too_little_room_left_takes_nothing_to_keep_and_all_else_goes_on() {
    const TEST: &str = "a_disk_with_too_little_room_left_takes_nothing_to_keep_and_all_else_goes_on";
    if !on_disk(TEST, "`limits.free_bytes` is about the disk of the data directory") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut setup = Setup { config: config(dir.path()), quota: Arc::default() };
    let house = setup.house().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let (film, kept) = (stream(), body(1, 300_000));
    put(&hub, film, 0, keep(), kept.clone()).await;
    drop((hub, phone));

    setup.config.limits.free_bytes = 2 * FREE;
    let house = setup.restart(house).await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    // A file, and one that may go into the index.
    for (film, index, length) in [(film, 1, 200_000), (stream(), 0, 1000)] {
        refused(hub.put(film, index, keep(), false).await.unwrap(), body(1, length)).await;
    }
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 300_000);
    reads(&phone, film, 0, &kept).await;
    films(&hub, &phone).await;
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    drop((hub, phone));

    setup.config.limits.free_bytes = 0;
    let house = setup.restart(house).await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    put(&hub, film, 1, keep(), kept.clone()).await;
    for index in 0..2 {
        reads(&phone, film, index, &kept).await;
    }
    assert_eq!(hub.usage().await.unwrap().log_head, 1);
}
