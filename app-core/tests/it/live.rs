//! Live: pictures as they are made, the verdict at each segment's end, gaps told, nothing broken shown.

use std::time::{Duration, Instant};

use privet_app_core::{Client, CoreError, Gap, GapReason, Live, LiveFormat, LiveItem, Trust, TrustAlert};
use privet_home::{EndReason, PhoneMessage, StreamKind};
use privet_relay_client::Retention;

use crate::common::camera::{AVCC, fragment, init, now, sample};
use crate::common::hub::TestStream;
use crate::common::{self, Home, until};

/// Opens a live view; the hub starts its stream when it is asked.
async fn view(home: &Home, phone: &Client, format: LiveFormat, buffer_ms: u32) -> (Live, TestStream) {
    let camera = home.hub.camera.lock().unwrap().id;
    let id = camera.to_string();
    until("the camera", async || phone.cameras().await.ok().filter(|c| !c.is_empty())).await;
    let (live, stream) = tokio::join!(phone.open_live(&id, format, buffer_ms), async {
        loop {
            if let (_, PhoneMessage::Watch { camera: wanted, lease_ms, .. }) = home.hub.heard().await {
                assert!(wanted == camera && lease_ms >= 10_000);
                return home.hub.begin_stream(StreamKind::Live).await;
            }
        }
    });
    (live.unwrap(), stream)
}

async fn put(home: &Home, stream: &mut TestStream) {
    let blob = home.hub.seal(stream);
    home.hub.put(stream, stream.next - 1, Retention::Pass, blob).await;
}

/// Items up to (and with) the one that `last` takes; Idle is passed over.
async fn items(live: &Live, mut last: impl FnMut(&LiveItem) -> bool) -> Vec<LiveItem> {
    let mut items = Vec::new();
    let deadline = Instant::now() + common::PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "waited in vain after {} items: {:?}", items.len(), items.last());
        let item = live.next(1000).await.unwrap();
        if item == LiveItem::Idle {
            continue;
        }
        let done = last(&item);
        items.push(item);
        if done {
            return items;
        }
    }
}

fn verdict(item: &LiveItem) -> bool {
    matches!(item, LiveItem::Segment(_))
}

fn frames(items: &[LiveItem]) -> Vec<u64> {
    items.iter().filter_map(|i| if let LiveItem::Media { frame, .. } = i { Some(*frame) } else { None }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_come_as_they_are_made_and_are_verified_at_the_end() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 2000).await;

    // A segment under way: its pictures come before it ends.
    let mut out = Vec::new();
    let mut writer = home.hub.connection().put(stream.id, 0, Retention::Pass, false).await.unwrap();
    let mut running = home.hub.camera.lock().unwrap().begin(&mut stream.key, stream.id, 0, [0; 32], &mut out);
    for _ in 0..3 {
        home.hub.camera.lock().unwrap().picture(&mut running, &mut out);
        writer.write(std::mem::take(&mut out).into()).await.unwrap();
    }
    let first = items(&live, |item| matches!(item, LiveItem::Media { frame: 1002, .. })).await;
    let LiveItem::Format { codec, width, header, .. } = &first[0] else { panic!("{:?}", first[0]) };
    assert!(codec == "avc1.64001f" && *width == 1280 && header[..] == init());
    for item in &first[1..] {
        let LiveItem::Media { frame, key, trust, data, .. } = item else { panic!("{item:?}") };
        assert_eq!((trust, *key), (&Trust::Pending, *frame == 1000));
        assert_eq!(data[..], fragment(*frame, 4000).0);
    }
    let sealed = home.hub.camera.lock().unwrap().end(running, &mut out);
    writer.write(out.into()).await.unwrap();
    writer.finish().await.unwrap();
    let end = items(&live, verdict).await;
    let LiveItem::Segment(seen) = &end[0] else { panic!("{end:?}") };
    assert_eq!((seen.index, seen.first_frame, seen.last_frame), (0, 1000, 1002));
    let signer = home.hub.camera.lock().unwrap().evidence.public().unwrap().fingerprint();
    assert_eq!(seen.trust, Trust::Verified { signer, lease_until_ms: None });

    // The next ones, without a new format.
    stream.next = 1;
    stream.previous = sealed.digest;
    put(&home, &mut stream).await;
    let next = items(&live, verdict).await;
    assert_eq!(frames(&next), [1003, 1004, 1005, 1006, 1007]);
    assert!(!next.iter().any(|item| matches!(item, LiveItem::Format { .. } | LiveItem::Gap(_))), "{next:?}");
    assert!(phone.status().await.unwrap().alerts.is_empty());
    assert_eq!((live.stats().verified, live.stats().broken, live.stats().dropped), (2, 0, 0));

    live.stop();
    assert_eq!(live.next(60_000).await, Err(CoreError::Stopped));
    let unwatch = home.hub.heard().await.1;
    assert!(matches!(unwatch, PhoneMessage::Unwatch { .. } | PhoneMessage::Watch { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_viewer_starts_at_the_newest_key_frame_at_once() {
    let home = Home::start().await;
    let (first, second) = (home.phone("first").await, home.phone("second").await);
    let (_held, mut stream) = view(&home, &first, LiveFormat::AccessUnits, 60_000).await;
    for _ in 0..3 {
        put(&home, &mut stream).await;
    }
    let camera = home.hub.camera.lock().unwrap().id.to_string();
    until("the stream's key", async || {
        second.wait_synced(1000).await.unwrap();
        let status = second.status().await.unwrap();
        (status.position >= home.hub.home().head().seq).then_some(())
    })
    .await;
    let live = second.open_live(&camera, LiveFormat::AccessUnits, 2000).await.unwrap();
    let seen = items(&live, verdict).await;
    let LiveItem::Format { header, .. } = &seen[0] else { panic!("{:?}", seen[0]) };
    assert_eq!(header[..], *AVCC);
    assert_eq!(frames(&seen), [1010, 1011, 1012, 1013, 1014]);
    let LiveItem::Media { data, key: true, .. } = &seen[1] else { panic!("{:?}", seen[1]) };
    assert_eq!(data[..], sample(1010, 4000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_joins_while_somebody_watches_begins_with_its_first_key() {
    let home = Home::start().await;
    let first = home.phone("first").await;
    let (_held, mut stream) = view(&home, &first, LiveFormat::AccessUnits, 60_000).await;
    put(&home, &mut stream).await;
    put(&home, &mut stream).await;
    // What the relay has newest, the newcomer has no key for.
    home.hub.open_for_newcomers(StreamKind::Live, &mut stream);
    let second = home.phone("second").await;
    let camera = home.hub.camera.lock().unwrap().id.to_string();
    until("the camera", async || second.cameras().await.ok().filter(|cameras| !cameras.is_empty())).await;
    let live = second.open_live(&camera, LiveFormat::AccessUnits, 2000).await.unwrap();
    assert_eq!(live.next(300).await, Ok(LiveItem::Idle), "nothing that it could open, and nothing wrong");
    put(&home, &mut stream).await;
    let seen = items(&live, verdict).await;
    assert_eq!(frames(&seen), [1010, 1011, 1012, 1013, 1014]);
    assert_eq!((live.stats().verified, live.stats().broken), (1, 0));
    assert_eq!(second.status().await.unwrap().alerts, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_segment_shows_nothing_of_what_was_changed() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    put(&home, &mut stream).await;
    items(&live, verdict).await;

    // Flipped in the third picture: two are good so far, and then nothing more of it.
    let mut blob = home.hub.seal(&mut stream);
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    home.hub.put(&stream, 1, Retention::Pass, blob).await;
    let broken = items(&live, verdict).await;
    let LiveItem::Segment(seen) = broken.last().unwrap() else { panic!("{broken:?}") };
    assert!(seen.index == 1 && matches!(seen.trust, Trust::Broken { .. }));
    assert!(!frames(&broken).contains(&1009), "{:?}", frames(&broken));

    // Cut off: all pictures were authentic, but nobody signed for their end.
    let mut blob = home.hub.seal(&mut stream);
    blob.truncate(blob.len() - 10);
    home.hub.put(&stream, 2, Retention::Pass, blob).await;
    let cut = items(&live, verdict).await;
    let LiveItem::Segment(seen) = cut.last().unwrap() else { panic!("{cut:?}") };
    assert!(seen.index == 2 && matches!(seen.trust, Trust::Broken { .. }));

    // The next one is shown again; pictures of the broken one that were still queued are told as a gap.
    put(&home, &mut stream).await;
    let good = items(&live, verdict).await;
    let shown = frames(&cut);
    match &good[0] {
        LiveItem::Gap(gap) => assert_eq!((gap.reason, gap.to_seq), (GapReason::FailedVerification, 1015)),
        _ => assert_eq!(shown.last(), Some(&1014), "nothing was left unseen"),
    }
    assert_eq!(frames(&good), [1015, 1016, 1017, 1018, 1019]);
    let LiveItem::Segment(seen) = good.last().unwrap() else { panic!("{good:?}") };
    assert!(matches!(seen.trust, Trust::Verified { .. }));
    let alerts = phone.status().await.unwrap().alerts;
    let named = alerts.iter().filter(|(_, a)| matches!(a, TrustAlert::BrokenMedia { .. })).count();
    assert_eq!(named, 2, "{alerts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_because_the_connection_was_lost_is_no_lie_of_the_relay() {
    let home = Home::counting().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    put(&home, &mut stream).await;
    items(&live, verdict).await;

    // Lost between two segments: whoever comes again begins with the newest one, which was shown whole.
    until("the view to break off", async || {
        home.hub.let_follow(false).await;
        home.followed().await.filter(|followed| *followed == 0.0)
    })
    .await;
    home.hub.let_follow(true).await;
    until("the view to go on", async || home.followed().await.filter(|followed| *followed == 1.0)).await;
    put(&home, &mut stream).await;
    let seen = items(&live, verdict).await;
    assert_eq!(frames(&seen), [1005, 1006, 1007, 1008, 1009], "nothing is shown twice");
    assert_eq!((live.stats().verified, live.stats().broken), (2, 0));
    assert_eq!(phone.status().await.unwrap().alerts, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_goes_on_when_another_of_the_same_camera_is_closed() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    let camera = home.hub.camera.lock().unwrap().id.to_string();
    let other = phone.open_live(&camera, LiveFormat::Fmp4, 5000).await.unwrap();
    other.stop();
    phone.rename("first").await.unwrap();
    put(&home, &mut stream).await;
    items(&live, verdict).await;
    live.stop();
    // Only the end of the last one is told.
    let unwatched = async || loop {
        match home.hub.heard().await.1 {
            PhoneMessage::Unwatch { .. } => return true,
            PhoneMessage::Rename { name } if name == "second" => return false,
            _ => {}
        }
    };
    assert!(unwatched().await);
    phone.rename("second").await.unwrap();
    assert!(!unwatched().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_streams_segment_is_refused() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    let mut other = home.hub.begin_stream(StreamKind::Clip).await;
    let foreign = home.hub.seal(&mut other);
    home.hub.put(&stream, 0, Retention::Pass, foreign).await;
    stream.next = 1;
    stream.key.advance_to(1).unwrap();
    let broken = items(&live, verdict).await;
    assert_eq!(frames(&broken), [] as [u64; 0]);
    put(&home, &mut stream).await;
    assert_eq!(frames(&items(&live, verdict).await).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_viewer_loses_whole_runs_and_is_told() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 100).await;
    put(&home, &mut stream).await;
    until("the first segment to wait", async || (live.stats().verified >= 1).then_some(())).await;
    // Nobody takes it for longer than the buffer, and more comes.
    tokio::time::sleep(Duration::from_millis(150)).await;
    put(&home, &mut stream).await;
    until("the second one", async || (live.stats().verified >= 2).then_some(())).await;
    let seen = items(&live, |item| matches!(item, LiveItem::Media { frame: 1009, .. })).await;
    assert_eq!(frames(&seen), [1005, 1006, 1007, 1008, 1009]);
    let gap = seen.iter().find_map(|i| if let LiveItem::Gap(gap) = i { Some(gap) } else { None }).unwrap();
    assert_eq!((gap.from_seq, gap.to_seq, gap.reason), (1000, 1005, GapReason::SlowViewer));
    let at = |wanted: fn(&LiveItem) -> bool| seen.iter().position(wanted).unwrap();
    assert!(at(|i| matches!(i, LiveItem::Format { .. })) < at(|i| matches!(i, LiveItem::Media { .. })));
    assert_eq!(live.stats().dropped, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_says_when_it_goes_over_to_the_substream_and_back() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    for (substream, first) in [(false, 1000), (true, 1005), (false, 1010)] {
        home.hub.camera.lock().unwrap().substream = substream;
        put(&home, &mut stream).await;
        let seen = items(&live, verdict).await;
        let LiveItem::Format { substream: told, width, .. } = &seen[0] else { panic!("{:?}", seen[0]) };
        assert_eq!((*told, *width), (substream, if substream { 640 } else { 1280 }));
        assert_eq!(frames(&seen), (first..first + 5).collect::<Vec<u64>>());
        assert!(!seen.iter().any(|item| matches!(item, LiveItem::Gap(_))), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_goes_on_when_the_hub_starts_another_stream() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    put(&home, &mut stream).await;
    items(&live, verdict).await;
    home.hub.end_stream(&stream).await;
    let mut next = home.hub.begin_stream(StreamKind::Live).await;
    put(&home, &mut next).await;
    let seen = items(&live, verdict).await;
    assert_eq!(frames(&seen), [1005, 1006, 1007, 1008, 1009]);
    let LiveItem::Segment(verdict) = seen.last().unwrap() else { panic!("{seen:?}") };
    assert_eq!((verdict.stream.clone(), verdict.index), (next.id.to_string(), 0));

    let unknown = phone.open_live(&"00".repeat(16), LiveFormat::Fmp4, 100).await;
    assert!(matches!(unknown, Err(CoreError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_between_two_streams_is_told_for_the_reason_why_the_first_one_ended() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let (live, mut stream) = view(&home, &phone, LiveFormat::Fmp4, 5000).await;
    home.hub.camera.lock().unwrap().clock = Some(now());
    put(&home, &mut stream).await;
    items(&live, verdict).await;
    use {EndReason::*, GapReason::*};
    // Where the next stream begins: with pictures that were shown already, with the one that is due, or after some that nobody got.
    let seams = [
        (NobodyWatching, -2, Some(NewStream)),
        (NobodyWatching, 0, None),
        (NobodyWatching, 3, Some(NewStream)),
        (Rekeyed, -5, Some(NewStream)),
        (HubStopped, 7, Some(CameraRestart)),
        (CameraLost, -1, Some(CameraRestart)),
    ];
    for (reason, step, told) in seams {
        home.hub.end_stream_for(&stream, reason).await;
        let due = home.hub.camera.lock().unwrap().frame;
        let first = due.strict_add_signed(step);
        home.hub.camera.lock().unwrap().frame = first;
        stream = home.hub.begin_stream(StreamKind::Live).await;
        put(&home, &mut stream).await;
        let seen = items(&live, verdict).await;
        let gaps: Vec<Gap> =
            seen.iter().filter_map(|i| if let LiveItem::Gap(gap) = i { Some(*gap) } else { None }).collect();
        let expected = told.map(|reason| Gap { from_seq: due.min(first), to_seq: first, reason });
        assert_eq!(gaps, Vec::from_iter(expected), "{reason:?} {step}");
        assert_eq!(frames(&seen), (first..first + 5).collect::<Vec<u64>>());
    }
    assert_eq!(live.stats().verified, 7);
}
