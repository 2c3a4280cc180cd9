//! Small segments: their bytes go into the index in the commit of their record, and nobody who puts, reads or forgets one notices. On the
//! disk of the relay only: PostgreSQL has no bodies.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use privet_protocol::id::StreamId;
use privet_protocol::relay::{Code, From, Retention};
use privet_protocol::storage::Store as _;
use privet_protocol::time::Timestamp;
use privet_relay::{DataDirectory, Machine};
use privet_relay_client::{ClientError, Connection, FollowEvent, Follower};
use privet_store::{DiskStore, MemoryDisk};

use crate::common::{House, body, code, in_time, keep, put, put_small, read_all, stream};

/// The longest that one may be.
const LONGEST: usize = 128 << 10;
/// What a segment counts as in its home's quota, at least.
const COUNTED: u64 = 8192;

/// How many pieces of small segments the index has, and that all that is there fits together. While no relay runs.
async fn pieces(data: &Path) -> usize {
    let report = DataDirectory::open(data).unwrap().check(false).await.unwrap();
    assert_eq!(report.findings, []);
    DiskStore::open(data.join("index")).unwrap().scan(b"f/", b"", usize::MAX).unwrap().len()
}

async fn read(connection: &Connection, id: StreamId, index: u64, offset: usize) -> Vec<u8> {
    read_all(&mut connection.get(id, index, offset as u64).await.unwrap()).await.unwrap()
}

/// The next segment that comes: its number and its bytes.
async fn follow(follower: &mut Follower) -> (u64, Vec<u8>) {
    match in_time(follower.next()).await.unwrap().expect("it ended") {
        FollowEvent::Segment(mut segment) => (segment.index(), read_all(&mut segment).await.unwrap()),
        other => panic!("not a segment: {other:?}"),
    }
}

#[tokio::test]
async fn one_that_comes_at_once_is_no_file_and_is_read_like_any_other_after_a_restart_too() {
    let house = House::new().await;
    let hub = house.hub().await;
    let id = stream();
    let mut kept: Vec<(u64, usize)> = Vec::new();
    for length in [0, 1, 15_999, 16_000, 16_001, 40_000] {
        let from = kept.last().map_or(0, |(last, _)| last + 1);
        let index = put_small(house.dir.path(), &hub, id, from, keep(), body(9, length)).await;
        kept.push((index, length));
    }
    let whole = async |hub: &Connection| {
        for (index, length) in &kept {
            assert_eq!(hub.get(id, *index, 0).await.unwrap().length(), Some(*length as u64));
            for offset in [0, length / 3, *length] {
                assert_eq!(read(hub, id, *index, offset).await, body(9, *length)[offset..], "{length} from {offset}");
            }
            assert_eq!(code(hub.get(id, *index, *length as u64 + 1).await), Code::NotFound);
        }
    };
    whole(&hub).await;
    let usage = hub.usage().await.unwrap();
    drop(hub);
    let house = house.restart().await;
    let hub = house.hub().await;
    whole(&hub).await;
    assert_eq!(hub.usage().await.unwrap(), usage);
    // Who puts one again is told at once that it is there.
    for (index, length) in &kept {
        assert_eq!(put(&hub, id, *index, keep(), body(1, 10)).await, *length as u64);
        assert_eq!(hub.put(id, *index, keep(), true).await.unwrap().stored(), Some(*length as u64));
    }
    whole(&hub).await;
}

#[tokio::test]
async fn followers_get_them_whole_and_in_order() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    let lengths = [0, 1, 20_000, LONGEST, LONGEST + 1, 300_000, 5];
    let mut early = phone.follow(id, From::Index(0)).await.unwrap();
    for (index, length) in (0..).zip(lengths) {
        // It is followed from before its first byte on.
        let (stored, followed) = tokio::join!(put(&hub, id, index, keep(), body(index, length)), follow(&mut early));
        assert_eq!((stored, followed), (length as u64, (index, body(index, length).to_vec())));
    }
    hub.finish_stream(id, lengths.len() as u64).await.unwrap();
    assert!(matches!(in_time(early.next()).await.unwrap(), Some(FollowEvent::Ended { segments: 7 })));
    let mut late = phone.follow(id, From::Index(0)).await.unwrap();
    for (index, length) in (0..).zip(lengths) {
        assert_eq!(follow(&mut late).await, (index, body(index, length).to_vec()));
    }
}

#[tokio::test]
async fn an_upload_of_which_nothing_has_come_is_begun_by_whoever_comes_next() {
    let house = House::new().await;
    let id = stream();
    // The connection breaks without a word: the relay thinks that it still stands.
    let lost = house.hub().await;
    let writer = lost.put(id, 0, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 0);
    std::mem::forget((writer, lost));
    let hub = house.hub().await;
    let mut writer = in_time(hub.put(id, 0, keep(), true)).await.unwrap();
    assert_eq!((writer.offset(), writer.stored()), (0, None));
    writer.write(body(0, 5000)).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), 5000);

    for _ in 0..3 {
        drop(in_time(hub.put(id, 1, keep(), true)).await.unwrap());
    }
    assert_eq!(put(&hub, id, 1, keep(), body(1, 5000)).await, 5000);
    drop(in_time(hub.put(id, 2, keep(), true)).await.unwrap());
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 3 * COUNTED, "one that was begun counts");
    drop(hub);
    let house = house.restart().await;
    let hub = house.hub().await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 2 * COUNTED, "nothing had come");
    let mut writer = in_time(hub.put(id, 2, keep(), true)).await.unwrap();
    assert_eq!((writer.offset(), writer.stored()), (0, None));
    writer.write(body(2, 5000)).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), 5000);
    for index in 0..3 {
        assert_eq!(read(&hub, id, index, 0).await, body(index, 5000));
    }
    drop(hub);
    let House { dir, server, .. } = house;
    server.shutdown().await;
    pieces(dir.path()).await;
}

#[tokio::test]
async fn what_is_dropped_acknowledged_or_expired_leaves_no_bytes_in_the_index() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let hands = Arc::clone(&clock);
    let house = House::with_clock(|_| {}, Arc::new(move || Timestamp(hands.load(Ordering::Relaxed)))).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let [dropped, read_by_all, expired, stays] = [stream(), stream(), stream(), stream()];
    let until = |ms: i64| Retention::Keep { until: Timestamp(1_000_000 + ms) };
    for (id, ms) in [(dropped, 90_000), (read_by_all, 90_000), (expired, 10_000), (stays, 90_000)] {
        let last = put_small(house.dir.path(), &hub, id, 0, until(ms), body(1, 40_000)).await;
        hub.finish_stream(id, last + 1).await.unwrap();
    }
    hub.drop_stream(dropped).await.unwrap();
    phone.ack_stream(read_by_all).await.unwrap();
    clock.fetch_add(20_000, Ordering::Relaxed);
    house.server.sweep().await;
    assert_eq!(code(phone.stat(dropped).await), Code::NotFound);
    assert_eq!(code(phone.stat(read_by_all).await), Code::NotFound);
    assert_eq!(code(phone.get(expired, 0, 0).await), Code::Gone);
    assert_eq!(hub.usage().await.unwrap().stored_bytes, hub.stat(stays).await.unwrap().bytes);
    let House { dir, server, .. } = house;
    server.shutdown().await;
    assert_eq!(pieces(dir.path()).await, 3, "those of one segment");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_stream_is_dropped_while_it_becomes_durable_goes_with_it() {
    let house = House::new().await;
    let hub = house.hub().await;
    for moment in 0..60 {
        let id = stream();
        let putting = async {
            let mut writer = hub.put(id, 0, keep(), false).await?;
            writer.write(body(1, 20_000)).await?;
            writer.finish().await
        };
        let dropping = async {
            // At another moment of it each time.
            for _ in 0..moment * 10 {
                tokio::task::yield_now().await;
            }
            hub.drop_stream(id).await
        };
        let (stored, dropped): (Result<u64, ClientError>, _) = in_time(async { tokio::join!(putting, dropping) }).await;
        dropped.unwrap();
        match stored {
            Ok(length) => assert_eq!(length, 20_000),
            Err(error) => assert_eq!(error.refusal(), Some(Code::Gone), "{error}"),
        }
        // It may have begun when the other one had gone.
        hub.drop_stream(id).await.unwrap();
        assert_eq!(hub.usage().await.unwrap().stored_bytes, 0, "moment {moment}");
    }
    drop(hub);
    let House { dir, server, .. } = house;
    server.shutdown().await;
    assert_eq!(pieces(dir.path()).await, 0);
}

#[tokio::test]
async fn a_full_disk_refuses_them_like_all_others_and_what_is_there_is_read() {
    let disk = MemoryDisk::new();
    let mut machine = Machine::this();
    machine.disk = Arc::new(disk.clone());
    let house = House::on(machine, |_| {}).await;
    let hub = house.hub().await;
    let id = stream();
    let lengths = [5000, 200_000];
    for (index, length) in (0..).zip(lengths) {
        put(&hub, id, index, keep(), body(index, length)).await;
    }
    let before = hub.usage().await.unwrap().stored_bytes;
    disk.set_free_bytes(0);
    for (index, length) in (2..).zip(lengths) {
        let mut writer = hub.put(id, index, keep(), index % 2 == 0).await.unwrap();
        let refused = match writer.write(body(index, length)).await {
            Ok(()) => in_time(writer.finish()).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(refused.refusal(), Some(Code::Storage), "{refused}");
        assert!(refused.is_retryable(), "{refused}");
    }
    assert_eq!(hub.usage().await.unwrap().stored_bytes, before);
    for (index, length) in (0..).zip(lengths) {
        assert_eq!(read(&hub, id, index, 0).await, body(index, length));
    }
    disk.set_free_bytes(1 << 40);
    for (index, length) in (2..).zip(lengths) {
        assert_eq!(put(&hub, id, index, keep(), body(index, length)).await, length as u64);
        assert_eq!(read(&hub, id, index, 0).await, body(index, length));
    }
}
