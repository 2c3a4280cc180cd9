//! A clip's way to the relay, its second one when it is pinned, and its end.

use bytes::Bytes;
use privet_home::{EndReason, SecretBytes, StreamKind, StreamStarted};
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::time::Timestamp;
use privet_relay_client::Retention;

use super::*;
use crate::outbox::Mended;
use crate::outbox::retention::Elsewhere;
use crate::recorder::chain::Chain;
use crate::recorder::{ClipSegment, Moment};
use crate::time::moment;
use crate::uplink::clips;

pub(super) const STREAM: StreamId = StreamId::from_bytes([5; 16]);

/// A whole clip of three segments of 100 bytes.
pub(super) fn make(outbox: &Outbox, store: &dyn Store) {
    let camera = CameraId::from_bytes([1; 16]);
    let secret = SecretBytes::new([0; 40]);
    let started = StreamStarted { stream: STREAM, camera, kind: StreamKind::Clip, secret, started: wall() };
    store.commit(outbox.announce(&started)).unwrap();
    outbox.announced(&started);
    for index in 0..3 {
        let chain = Chain { recorded: index + 1, recorded_until: Some(wall()), ..Chain::default() };
        let bytes = Bytes::from(vec![u8::try_from(index).unwrap(); 100]);
        let segment = ClipSegment { stream: STREAM, index, bytes, chain };
        outbox.keep(&segment, Duration::from_secs(3600), moment()).unwrap();
    }
    let (_, batch) = outbox.end(STREAM, EndReason::Finished, None).unwrap();
    store.commit(batch).unwrap();
    outbox.ended(STREAM, false);
}

/// Until the relay knows all that it is to know.
pub(super) async fn settled(outbox: &Outbox) {
    while outbox.waiting().segments > 0 || !outbox.finishes().is_empty() || !outbox.drops().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Puts so much of a segment at the relay that it takes it for whole.
pub(super) async fn put_short(connection: &Connection, stream: StreamId, index: u64, bytes: usize) {
    let until = connection.server_time().after(Duration::from_secs(3600));
    let mut writer = connection.put(stream, index, Retention::Keep { until }, false).await.unwrap();
    writer.write(Bytes::from(vec![1; bytes])).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), bytes as u64);
}

#[tokio::test]
async fn what_the_relay_has_otherwise_than_it_was_sent_holds_up_nothing_and_is_sent_again() {
    let world = World::new(100).await;
    let outbox = &world.uplink.outbox;
    make(outbox, &*world.uplink.store);
    let connection = world.connect().await;
    put_short(&connection, STREAM, 1, 40).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(clips::send(world.uplink.clone(), connection.clone()));
    tasks.spawn(clips::finish(world.uplink.clone(), connection.clone()));
    within("the clip at the relay", settled(outbox)).await;
    let there = connection.stat(STREAM).await.unwrap();
    assert_eq!((there.bytes, there.finished, there.next), (300, Some(3), 3));
    assert_eq!(outbox.waiting().given_up, 0);
    assert!(tasks.try_join_next().is_none(), "the connection goes on");
    world.end().await;
}

#[tokio::test]
async fn what_the_relay_has_otherwise_a_second_time_is_given_up_and_counts_as_here_only() {
    let world = World::new(100).await;
    let outbox = &world.uplink.outbox;
    make(outbox, &*world.uplink.store);
    let lengths = outbox.lengths(STREAM).unwrap().unwrap();
    let again = outbox.send_again(STREAM, &lengths, Duration::from_secs(3600), moment());
    assert_eq!(again, Ok(Mended::Again));
    outbox.dropped(STREAM).unwrap();
    let connection = world.connect().await;
    put_short(&connection, STREAM, 1, 40).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(clips::send(world.uplink.clone(), connection.clone()));
    tasks.spawn(clips::finish(world.uplink.clone(), connection.clone()));
    within("the rest of the clip at the relay", settled(outbox)).await;
    assert_eq!((connection.stat(STREAM).await.unwrap().bytes, outbox.waiting().given_up), (240, 1));
    assert_eq!(outbox.clips(moment())[0].elsewhere, Elsewhere::Nowhere, "this is the last whole one");
    assert!(tasks.try_join_next().is_none(), "the connection goes on");
    world.end().await;
}

#[tokio::test]
async fn a_pinned_clip_is_kept_for_longer_at_the_relay_and_a_forgotten_one_is_gone_there_too() {
    let world = World::new(100).await;
    let uplink = &world.uplink;
    let outbox = &uplink.outbox;
    make(outbox, &*uplink.store);
    let connection = world.connect().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(clips::send(uplink.clone(), connection.clone()));
    tasks.spawn(clips::finish(uplink.clone(), connection.clone()));
    within("the clip at the relay", settled(outbox)).await;
    let first = connection.stat(STREAM).await.unwrap();
    assert_eq!((first.bytes, first.finished, first.next), (300, Some(3), 3));

    let pinning = outbox.clone();
    assert!(uplink.home.call(move |home, env| pinning.pin(home, env, STREAM, true)).await.unwrap().unwrap());
    // All of it by the relay's clock.
    let relay = connection.server_time();
    assert!(outbox.expiring(relay).is_empty(), "it is there for an hour, and was put just now");
    let later = relay.after(Duration::from_secs(13 * 3600));
    assert_eq!(outbox.expiring(later), [STREAM]);
    let lengths = outbox.lengths(STREAM).unwrap().unwrap();
    assert_eq!(lengths, [100, 100, 100]);
    let keep = Duration::from_secs(2 * 86_400);
    assert!(outbox.put_again(STREAM, &lengths, keep, moment()).unwrap());
    within("the clip at the relay again", settled(outbox)).await;
    assert_eq!(connection.stat(STREAM).await.unwrap(), first);
    assert!(outbox.expiring(later).is_empty(), "the relay took the new time");
    assert_eq!(outbox.waiting().given_up, 0);

    let forgetting = outbox.clone();
    let forgotten = uplink.home.call(move |home, env| {
        forgetting.pin(home, env, STREAM, false)?;
        forgetting.forget(home, env, &[STREAM])
    });
    let leftovers = forgotten.await.unwrap().unwrap();
    assert_eq!(leftovers.clips(), 1);
    outbox.sweep(leftovers).unwrap();
    within("the end of the clip", settled(outbox)).await;
    let gone = connection.stat(STREAM).await.unwrap_err();
    assert_eq!(gone.refusal(), Some(Code::NotFound), "{gone}");
    assert_eq!(Blobs::open(world.folder.path().join("blobs"), 0).unwrap().list().unwrap(), []);
    assert!(outbox.expiring(Timestamp(i64::MAX)).is_empty());
}

#[tokio::test]
async fn how_long_the_relay_has_a_clip_goes_by_the_relay_s_clock_alone() {
    let world = World::new(100).await;
    let outbox = &world.uplink.outbox;
    make(outbox, &*world.uplink.store);
    let connection = world.connect().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(clips::send(world.uplink.clone(), connection.clone()));
    tasks.spawn(clips::finish(world.uplink.clone(), connection.clone()));
    tasks.spawn(clips::renew(world.uplink.clone(), connection.clone()));
    // This machine's clock has not been set yet.
    let now = Moment { wall: Timestamp(0), ..moment() };
    within("the clip at the relay", settled(outbox)).await;
    within("the relay's clock", async {
        while outbox.clips(now)[0].elsewhere != Elsewhere::Relay {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let over = Moment { mono_us: now.mono_us + 3_700_000_000, ..now };
    assert_eq!(outbox.clips(over)[0].elsewhere, Elsewhere::Nowhere, "its hour there is over");
    world.end().await;
}
