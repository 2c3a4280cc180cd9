//! Segments: put, keep, pass, get, follow while written, resume, forget.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use privet_protocol::id::StreamId;
use privet_protocol::relay::{Code, From, Retention, Rights};
use privet_protocol::time::Timestamp;
use privet_relay::Config;
use privet_relay_client::{Connection, FollowEvent, Follower, SegmentReader};
use tokio::sync::watch;

use crate::common::{self, House, body, code, in_time, keep, key, put, read_all, stream, until};
use crate::{openmetrics, pages};

async fn segment(follower: &mut Follower) -> SegmentReader {
    match in_time(follower.next()).await.unwrap().expect("it ended") {
        FollowEvent::Segment(segment) => segment,
        other => panic!("not a segment: {other:?}"),
    }
}

#[tokio::test]
async fn a_kept_segment_comes_back_whole_or_from_any_byte_and_survives_a_restart() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    let bytes = body(1, 700_000);
    assert_eq!(put(&hub, id, 0, keep(), bytes.clone()).await, 700_000);
    assert_eq!(put(&hub, id, 0, keep(), body(9, 10)).await, 700_000, "a whole one is answered at once");
    put(&hub, id, 1, keep(), body(2, 0)).await;

    let house = house.restart().await;
    drop((hub, phone));
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    for offset in [0, 1, 65_536, 699_999, 700_000] {
        let mut reader = phone.get(id, 0, offset).await.unwrap();
        assert_eq!(reader.length(), Some(700_000));
        assert_eq!(read_all(&mut reader).await.unwrap(), bytes[usize::try_from(offset).unwrap()..]);
    }
    assert_eq!(read_all(&mut phone.get(id, 1, 0).await.unwrap()).await.unwrap(), Vec::<u8>::new());
    assert_eq!(code(phone.get(id, 0, 700_001).await), Code::NotFound);
    assert_eq!(code(phone.get(id, 2, 0).await), Code::NotFound);
    assert_eq!(code(phone.get(stream(), 0, 0).await), Code::NotFound);
    let state = phone.stat(id).await.unwrap();
    assert_eq!((state.first, state.next, state.finished, state.bytes), (0, 2, None, 700_000));
    hub.finish_stream(id, 2).await.unwrap();
    assert_eq!(code(hub.finish_stream(id, 3).await), Code::Conflict);
    let mut writer = hub.put(id, 2, keep(), false).await.unwrap();
    writer.write(body(1, 10)).await.unwrap();
    assert_eq!(code(writer.finish().await), Code::Conflict);
}

#[tokio::test]
async fn an_upload_goes_on_at_the_byte_where_it_broke_off() {
    let house = House::new().await;
    let id = stream();
    let bytes = body(3, 900_000);
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mut follower = phone.follow(id, From::Index(0)).await.unwrap();

    let mut writer = hub.put(id, 0, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 0);
    writer.write(bytes.slice(..300_000)).await.unwrap();
    let mut followed = segment(&mut follower).await;
    let mut got = Vec::new();
    while got.len() < 300_000 {
        got.extend_from_slice(&in_time(followed.read()).await.unwrap().unwrap());
    }
    // The connection breaks without a word: the relay thinks that it still stands.
    std::mem::forget(writer);
    std::mem::forget(hub);

    let hub = house.hub().await;
    let mut writer = in_time(hub.put(id, 0, keep(), true)).await.unwrap();
    assert_eq!(writer.offset(), 300_000);
    writer.write(bytes.slice(300_000..500_000)).await.unwrap();
    while got.len() < 500_000 {
        got.extend_from_slice(&in_time(followed.read()).await.unwrap().unwrap());
    }
    drop((writer, follower, followed));

    // The relay restarts in between.
    let house = house.restart().await;
    let hub = house.hub().await;
    let mut writer = hub.put(id, 0, keep(), true).await.unwrap();
    assert_eq!(writer.offset(), 500_000);
    writer.write(bytes.slice(500_000..)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), 900_000);
    let writer = hub.put(id, 0, keep(), true).await.unwrap();
    assert_eq!(writer.stored(), Some(900_000));
    assert_eq!(writer.finish().await.unwrap(), 900_000);
    let phone = house.try_phone(2).await.unwrap();
    assert_eq!(read_all(&mut phone.get(id, 0, 0).await.unwrap()).await.unwrap(), bytes);
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 900_000);
}

#[tokio::test]
async fn followers_get_bytes_while_they_are_written() {
    let house = House::new().await;
    let hub = house.hub().await;
    for retention in [Retention::Pass, keep()] {
        let id = stream();
        let mut phones = Vec::new();
        for number in 2..6 {
            phones.push(house.phone(&hub, number).await);
        }
        let mut followers = Vec::new();
        for phone in &phones {
            followers.push(phone.follow(id, From::Newest).await.unwrap());
        }
        for index in 0..4 {
            let bytes = body(index, 50_000);
            let mut writer = hub.put(id, index, retention, false).await.unwrap();
            let mut readers = Vec::new();
            for chunk in 0..5 {
                let part = bytes.slice(chunk * 10_000..(chunk + 1) * 10_000);
                writer.write(part.clone()).await.unwrap();
                for (number, follower) in followers.iter_mut().enumerate() {
                    if chunk == 0 {
                        let reader = segment(follower).await;
                        assert_eq!(reader.index(), index);
                        readers.push(reader);
                    }
                    // Before the next part is written, every follower has this one.
                    let mut got = Vec::new();
                    while got.len() < part.len() {
                        got.extend_from_slice(&in_time(readers[number].read()).await.unwrap().unwrap());
                    }
                    assert_eq!(got, part);
                }
            }
            assert_eq!(writer.finish().await.unwrap(), 50_000);
            for reader in &mut readers {
                assert_eq!(in_time(reader.read()).await.unwrap(), None);
            }
        }
        hub.finish_stream(id, 4).await.unwrap();
        for follower in &mut followers {
            assert!(matches!(in_time(follower.next()).await.unwrap(), Some(FollowEvent::Ended { segments: 4 })));
            assert!(in_time(follower.next()).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn who_comes_late_starts_at_the_first_byte_of_the_newest_segment() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    for index in 0..5 {
        put(&hub, id, index, Retention::Pass, body(index, 1000)).await;
    }
    let mut writer = hub.put(id, 5, Retention::Pass, false).await.unwrap();
    writer.write(body(5, 600)).await.unwrap();
    until(async || phone.stat(id).await.unwrap().next == 6).await;

    let mut follower = phone.follow(id, From::Newest).await.unwrap();
    let mut newest = segment(&mut follower).await;
    assert_eq!((newest.index(), follower.first()), (5, 5));
    let mut early = phone.follow(id, From::Index(0)).await.unwrap();
    assert!(matches!(in_time(early.next()).await.unwrap(), Some(FollowEvent::Skipped { from: 0, to: 4 })));
    assert_eq!(read_all(&mut segment(&mut early).await).await.unwrap(), body(4, 1000));

    writer.finish().await.unwrap();
    assert_eq!(read_all(&mut newest).await.unwrap(), body(5, 600));
    assert_eq!(read_all(&mut segment(&mut early).await).await.unwrap(), body(5, 600));
    let bodies = if common::is_shared() { "objects" } else { "bodies/partial" };
    assert_eq!(house.dir.path().join(bodies).read_dir().unwrap().count(), 0, "nothing passes over the disk");
}

/// Writes passing segments, each when the one before it has been read whole.
async fn film(hub: &Connection, id: StreamId, segments: u64, mut read: watch::Receiver<u64>) {
    for index in 0..segments {
        let mut writer = hub.put(id, index, Retention::Pass, false).await.unwrap();
        for _ in 0..8 {
            writer.write(body(index, 32 * 1024)).await.unwrap();
        }
        in_time(writer.finish()).await.unwrap();
        in_time(read.wait_for(|read| *read > index)).await.expect("the quick follower failed");
    }
    hub.finish_stream(id, segments).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_follower_loses_old_segments_whole_and_stalls_nobody() {
    let house = House::with(|config| {
        config.limits.patience_ms = 20;
        config.limits.memory_bytes = 2 << 20;
        config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
    })
    .await;
    let hub = house.hub().await;
    let (quick, slow) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    let id = stream();
    const SEGMENTS: u64 = 60;
    let mut quick = quick.follow(id, From::Index(0)).await.unwrap();
    let mut slow = slow.follow(id, From::Index(0)).await.unwrap();

    // Whoever has read a segment before the next one begins is late for none, however short the relay's patience is: it gets all of them.
    let (whole, read) = watch::channel(0);
    let quick = tokio::spawn(async move {
        for index in 0..SEGMENTS {
            let mut reader = segment(&mut quick).await;
            assert_eq!(reader.index(), index);
            assert_eq!(read_all(&mut reader).await.unwrap().len(), 256 * 1024);
            whole.send_replace(index + 1);
        }
        assert!(matches!(in_time(quick.next()).await.unwrap(), Some(FollowEvent::Ended { segments: SEGMENTS })));
    });
    film(&hub, id, SEGMENTS, read).await;
    quick.await.unwrap();
    // Sooner or later the relay sees that the other one reads nothing.
    until(async || {
        let Some(metrics) = house.server.metrics() else { return false };
        let samples = openmetrics::parse(&pages::page(metrics, "/metrics").await.1);
        openmetrics::value(&samples, "privet_relay_skipped_segments_total", &[]) > 0.0
    })
    .await;

    // The slow one has read nothing so far.
    let (mut seen, mut skipped, mut broken) = (0, 0, 0);
    let mut next = 0;
    loop {
        match in_time(slow.next()).await.unwrap().unwrap() {
            FollowEvent::Segment(mut reader) => match read_all(&mut reader).await {
                Ok(bytes) => {
                    assert!(bytes == (0..8).flat_map(|_| body(reader.index(), 32 * 1024)).collect::<Vec<_>>());
                    seen += 1;
                }
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    broken += 1;
                }
            },
            FollowEvent::Skipped { from, to } => {
                assert!(from >= next && to > from, "{from}..{to} after {next}");
                next = to;
                skipped += to - from;
            }
            FollowEvent::Ended { segments } => {
                assert_eq!(segments, SEGMENTS);
                break;
            }
        }
    }
    println!("{seen} whole, {broken} broken off, {skipped} skipped");
    assert!(skipped > 0 && seen > 0);
    assert!(seen + skipped >= SEGMENTS && skipped >= broken);
}

#[tokio::test]
async fn a_stream_goes_when_every_reader_acknowledged_it() {
    let house = House::new().await;
    let hub = house.hub().await;
    let (one, two) = (house.phone(&hub, 2).await, house.phone(&hub, 3).await);
    hub.grant(key(4).public(), Rights { log: true, ..Rights::default() }).await.unwrap();
    let id = stream();
    put(&hub, id, 0, keep(), body(1, 1000)).await;
    hub.finish_stream(id, 1).await.unwrap();
    one.ack_stream(id).await.unwrap();
    one.ack_stream(id).await.unwrap();
    assert_eq!(two.stat(id).await.unwrap().bytes, 1000);
    let house = house.restart().await;
    let (hub, two) = (house.hub().await, house.try_phone(3).await.unwrap());
    two.ack_stream(id).await.unwrap();
    assert_eq!(code(two.stat(id).await), Code::NotFound);
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 0);

    // Who is removed is waited for no longer.
    put(&hub, id, 0, keep(), body(1, 1000)).await;
    hub.finish_stream(id, 1).await.unwrap();
    two.ack_stream(id).await.unwrap();
    hub.grant(key(2).public(), Rights::farewell(1)).await.unwrap();
    assert_eq!(code(two.stat(id).await), Code::NotFound);
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    put(&hub, id, 0, keep(), body(1, 1000)).await;
    hub.finish_stream(id, 1).await.unwrap();
    two.ack_stream(id).await.unwrap();
    two.stat(id).await.unwrap();
    hub.revoke(key(2).public()).await.unwrap();
    assert_eq!(code(two.stat(id).await), Code::NotFound);

    put(&hub, id, 0, keep(), body(1, 1000)).await;
    let mut follower = two.follow(id, From::Index(1)).await.unwrap();
    hub.drop_stream(id).await.unwrap();
    assert_eq!(code(in_time(follower.next()).await), Code::Gone);
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 0);
}

#[tokio::test]
async fn segments_expire() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let hands = Arc::clone(&clock);
    let house = House::with_clock(|_| {}, Arc::new(move || Timestamp(hands.load(Ordering::Relaxed)))).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    for index in 0..3 {
        let until = Timestamp(1_010_000 + 10_000 * i64::try_from(index).unwrap());
        put(&hub, id, index, Retention::Keep { until }, body(index, 1000)).await;
    }
    clock.fetch_add(20_000, Ordering::Relaxed);
    house.server.sweep().await;
    assert_eq!(code(phone.get(id, 1, 0).await), Code::Gone);
    assert_eq!(read_all(&mut phone.get(id, 2, 0).await.unwrap()).await.unwrap(), body(2, 1000));
    let mut follower = phone.follow(id, From::Index(0)).await.unwrap();
    assert!(matches!(in_time(follower.next()).await.unwrap(), Some(FollowEvent::Skipped { from: 0, to: 2 })));
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 8192, "no segment counts less");
    drop(follower);
    hub.finish_stream(id, 3).await.unwrap();
    clock.fetch_add(1_000_000, Ordering::Relaxed);
    house.server.sweep().await;
    house.server.sweep().await;
    assert_eq!(hub.usage().await.unwrap().streams, 0);
}

#[tokio::test]
async fn quotas_hold_and_give_back() {
    let house = House::with(|config| {
        config.limits.stored_bytes = 2 << 20;
        config.limits.segment_bytes = 1 << 20;
        config.limits.memory_bytes = 1 << 20;
        config.limits.streams = 2;
    })
    .await;
    let hub = house.hub().await;
    let (one, two) = (stream(), stream());
    let too_large = |retention| {
        let hub = hub.clone();
        async move {
            let mut writer = hub.put(one, 0, retention, false).await.unwrap();
            let mut outcome = Ok(());
            for _ in 0..20 {
                outcome = writer.write(body(0, 100_000)).await;
                if outcome.is_err() {
                    break;
                }
            }
            match outcome {
                Ok(()) => code(in_time(writer.finish()).await),
                Err(error) => error.refusal().unwrap(),
            }
        }
    };
    assert_eq!(too_large(keep()).await, Code::TooLarge);
    hub.drop_stream(one).await.unwrap();
    assert!(matches!(too_large(Retention::Pass).await, Code::TooLarge | Code::Busy));
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 0);

    put(&hub, one, 1, keep(), body(1, 1 << 20)).await;
    put(&hub, one, 2, keep(), body(2, (1 << 20) - 9000)).await;
    let mut writer = hub.put(two, 0, keep(), false).await.unwrap();
    let refused = match writer.write(body(3, 9001)).await {
        Ok(()) => in_time(writer.finish()).await.map(|_| ()),
        refused => refused,
    };
    assert_eq!(code(refused), Code::Quota);
    put(&hub, two, 0, keep(), body(3, 9000)).await;
    let writer = hub.put(stream(), 0, keep(), false).await.unwrap();
    assert_eq!(code(in_time(writer.finish()).await), Code::Quota);
    hub.drop_stream(one).await.unwrap();
    put(&hub, stream(), 0, keep(), body(4, 1 << 20)).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_while_it_is_written_gives_back_what_it_took_and_no_more() {
    let house = House::new().await;
    let hub = house.hub().await;
    let other = stream();
    put(&hub, other, 0, keep(), body(1, 500_000)).await;
    for round in 0..6 {
        let id = stream();
        put(&hub, id, 0, keep(), body(2, 100_000)).await;
        let mut writer = hub.put(id, 1, keep(), round % 2 == 0).await.unwrap();
        writer.write(body(3, 200_000)).await.unwrap();
        until(async || hub.usage().await.unwrap().stored_bytes == 800_000).await;
        hub.drop_stream(id).await.unwrap();
        assert_eq!(hub.usage().await.unwrap().stored_bytes, 500_000, "round {round}");
        // It goes on as if nothing had happened, or it is gone.
        if round < 4 {
            let refused = match writer.write(body(4, 10_000)).await {
                Ok(()) => in_time(writer.finish()).await.map(|_| ()),
                refused => refused,
            };
            assert_eq!(code(refused), Code::Gone);
        }
        assert_eq!(hub.usage().await.unwrap().stored_bytes, 500_000, "round {round}");
        assert_eq!(code(hub.stat(id).await), Code::NotFound);
    }
    const TEST: &str = "a_stream_that_is_dropped_while_it_is_written_gives_back_what_it_took_and_no_more";
    if common::on_disk(TEST, "that no file is left; what it gives back is tested") {
        assert_eq!(house.dir.path().join("bodies/partial").read_dir().unwrap().count(), 0, "a file was left");
    }
    let house = house.restart().await;
    let hub = house.hub().await;
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 500_000);
    assert_eq!(read_all(&mut hub.get(other, 0, 0).await.unwrap()).await.unwrap(), body(1, 500_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_given_up_a_moment_after_its_bytes_never_counts_as_whole() {
    const UPLOADS: u64 = 40;
    let house = House::new().await;
    let hub = house.hub().await;
    let id = stream();
    for index in 0..UPLOADS {
        let mut writer = hub.put(id, index, keep(), index % 2 == 0).await.unwrap();
        writer.write(body(index, 3000)).await.unwrap();
        // At another moment of it each time.
        for _ in 0..index * 20 {
            tokio::task::yield_now().await;
        }
        drop(writer);
    }
    // A relay that ends lets what was begun come to its end.
    let house = house.restart().await;
    let hub = house.hub().await;
    for index in 0..UPLOADS {
        let mut writer = hub.put(id, index, keep(), true).await.unwrap();
        assert_eq!(writer.stored(), None, "segment {index}");
        let from = usize::try_from(writer.offset()).unwrap();
        writer.write(body(index, 5000).slice(from..)).await.unwrap();
        assert_eq!(in_time(writer.finish()).await.unwrap(), 5000);
        assert_eq!(read_all(&mut hub.get(id, index, 0).await.unwrap()).await.unwrap(), body(index, 5000));
    }
}

#[tokio::test]
async fn a_stream_that_was_dropped_can_be_written_anew_at_once() {
    let house = House::new().await;
    let hub = house.hub().await;
    let id = stream();
    for round in 0..5 {
        let mut old = hub.put(id, 0, keep(), true).await.unwrap();
        assert_eq!(old.offset(), 0, "round {round}");
        old.write(body(round, 50_000)).await.unwrap();
        hub.drop_stream(id).await.unwrap();
        put(&hub, id, 0, keep(), body(round + 10, 70_000)).await;
        drop(old);
        assert_eq!(read_all(&mut hub.get(id, 0, 0).await.unwrap()).await.unwrap(), body(round + 10, 70_000));
        hub.drop_stream(id).await.unwrap();
    }
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_finished_while_its_first_segment_becomes_durable_stays_finished() {
    const STREAMS: u64 = 40;
    let house = House::new().await;
    let hub = house.hub().await;
    let ids: Vec<_> = (0..STREAMS).map(|_| stream()).collect();
    for (moment, id) in ids.iter().enumerate() {
        let mut writer = hub.put(*id, 0, keep(), true).await.unwrap();
        writer.write(body(1, 1000)).await.unwrap();
        let (stored, finished) = in_time(async {
            tokio::join!(writer.finish(), async {
                // At another moment of it each time.
                for _ in 0..moment {
                    tokio::task::yield_now().await;
                }
                hub.finish_stream(*id, 1).await
            })
        })
        .await;
        stored.unwrap();
        finished.unwrap();
    }
    let house = house.restart().await;
    let hub = house.hub().await;
    for id in ids {
        assert_eq!(hub.stat(id).await.unwrap().finished, Some(1));
    }
}

#[tokio::test]
async fn a_home_has_no_more_tiny_segments_than_large_ones() {
    const MOST: u64 = (1 << 20) / 8192;
    let house = House::with(|config| config.limits.stored_bytes = 1 << 20).await;
    let hub = house.hub().await;
    let id = stream();
    for index in 0..MOST {
        put(&hub, id, index, keep(), body(index, 1)).await;
    }
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 1 << 20);
    let writer = hub.put(id, MOST, keep(), false).await.unwrap();
    assert_eq!(code(in_time(writer.finish()).await), Code::Quota);
    let state = hub.stat(id).await.unwrap();
    assert_eq!((state.next, state.bytes), (MOST, MOST), "what was refused left nothing, and a length is told as it is");

    let house = house.restart().await;
    assert_eq!(house.hub().await.usage().await.unwrap().stored_bytes, 1 << 20);
    let hub = house.hub().await;
    hub.drop_stream(id).await.unwrap();
    assert_eq!(hub.usage().await.unwrap().stored_bytes, 0);
}

#[tokio::test]
async fn every_wait_can_be_dropped_and_taken_up_again() {
    let house = House::new().await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let id = stream();
    let mut follower = phone.follow(id, From::Newest).await.unwrap();
    let mut log = phone.read_log(1, true).await.unwrap();
    let blink = Duration::from_micros(50);

    let work = async {
        let mut writer = hub.put(id, 0, keep(), false).await.unwrap();
        for part in 0..200 {
            // Dropped or not, the bytes are taken once.
            if let Ok(written) = tokio::time::timeout(blink, writer.write(body(part, 20_000))).await {
                written.unwrap();
            }
        }
        assert_eq!(writer.finish().await.unwrap(), 4_000_000);
        for seq in 1..=50 {
            hub.append(seq, vec![seq as u8; 5000]).await.unwrap();
        }
        hub.finish_stream(id, 1).await.unwrap();
    };
    let read = async {
        let mut reader = loop {
            if let Ok(event) = tokio::time::timeout(blink, follower.next()).await {
                match event.unwrap().unwrap() {
                    FollowEvent::Segment(reader) => break reader,
                    other => panic!("{other:?}"),
                }
            }
        };
        let mut got = Vec::new();
        loop {
            match tokio::time::timeout(blink, reader.read()).await {
                Ok(Ok(Some(bytes))) => got.extend_from_slice(&bytes),
                Ok(Ok(None)) => break,
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => {}
            }
        }
        assert!(got == (0..200).flat_map(|part| body(part, 20_000)).collect::<Vec<_>>());
        let mut next = 1;
        while next <= 50 {
            if let Ok(item) = tokio::time::timeout(blink, log.next()).await
                && let Some(privet_relay_client::LogItem::Entry { seq, bytes }) = item.unwrap()
            {
                assert_eq!((seq, bytes), (next, vec![next as u8; 5000]));
                next += 1;
            }
        }
    };
    in_time(async { tokio::join!(work, read) }).await;
    assert!(matches!(in_time(follower.next()).await.unwrap(), Some(FollowEvent::Ended { segments: 1 })));
}
