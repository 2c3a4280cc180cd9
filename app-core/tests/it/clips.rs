//! Clips: listed, fetched, read at random, verified, exported; and refused when a relay changed them.

use privet_app_core::{Client, CoreError, Event, Page, Trust, TrustAlert, verify_file};
use privet_home::StreamKind;
use privet_relay_client::Code;

use crate::common::camera::{fragment, init};
use crate::common::hub::keep;
use crate::common::{Home, until};

async fn clips(phone: &Client) -> Page {
    phone.clips(None, i64::MIN, i64::MAX, None, 100).await.unwrap()
}

async fn finished(phone: &Client, count: usize) -> Page {
    until("the clips", async || {
        let page = clips(phone).await;
        (page.clips.iter().filter(|clip| clip.finished).count() == count).then_some(page)
    })
    .await
}

/// The MP4 of frames `from..to`.
fn mp4(from: u64, to: u64) -> Vec<u8> {
    (from..to).fold(init(), |mut out, frame| {
        out.extend(fragment(frame, 4000).0);
        out
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_is_fetched_verified_read_and_exported() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let stream = home.hub.clip(3, |_, _| {}).await;
    let page = finished(&phone, 1).await;
    let info = &page.clips[0];
    assert_eq!((info.id.clone(), info.segments, info.bytes), (stream.id.to_string(), Some(3), stream.bytes));
    assert_eq!((&info.trust, info.local), (&Trust::Pending, false));

    let clip = phone.open_clip(&info.id).await.unwrap();
    let expected = mp4(1000, 1015);
    assert_eq!(clip.len().await.unwrap(), expected.len() as u64);
    let mut read = Vec::new();
    loop {
        let more = clip.read(read.len() as u64, 5000).await.unwrap();
        if more.is_empty() {
            break;
        }
        read.extend(more);
    }
    assert!(read == expected, "the clip is one MP4: an init and every fragment once");
    for (offset, max) in [(0, 1), (7, 100), (20_000, 9_000), (expected.len() as u64 - 3, 100)] {
        let part = clip.read(offset, max).await.unwrap();
        assert!(!part.is_empty() && expected[offset as usize..].starts_with(&part), "at {offset}");
    }
    let blocking = std::thread::scope(|scope| scope.spawn(|| clip.read_at(100, 50).unwrap()).join().unwrap());
    assert_eq!(blocking, &expected[100..150]);

    let report = clip.verify().await.unwrap();
    assert!(report.ok && report.segments == 3 && report.frames_checked == 15 && report.problems.is_empty());
    let page = clips(&phone).await;
    assert!(
        page.clips[0].local
            && matches!(&page.clips[0].trust, Trust::Verified { signer, .. } if *signer == report.signer)
    );

    // Anyone can check the export; a changed one is found out.
    let (with, without) = (home.dir.path().join("with.mp4"), home.dir.path().join("without.mp4"));
    clip.export_to(&with, true).await.unwrap();
    clip.export_to(&without, false).await.unwrap();
    let file = std::fs::read(&with).unwrap();
    assert!(file.len() > std::fs::read(&without).unwrap().len());
    let roots = phone.trust_roots(&info.camera_id).unwrap();
    let told = verify_file(&with, &roots).unwrap();
    assert!(told.ok && told.signer_known && told.frames_checked == 15, "{told:?}");
    let mut changed = file.clone();
    let at = changed.windows(12).position(|w| w == b"picture 1007").unwrap();
    changed[at] ^= 1;
    std::fs::write(&with, changed).unwrap();
    assert!(!verify_file(&with, &roots).unwrap().ok);
    assert!(matches!(verify_file(&without, &roots), Err(CoreError::Tampered { .. })));

    // The relay was told and has forgotten it; the phone still has it, also offline.
    until("the relay to forget the clip", async || match home.hub.connection().stat(stream.id).await {
        Err(error) => error.refusal().filter(|code| matches!(code, Code::NotFound | Code::Gone)),
        Ok(state) => (state.bytes == 0).then_some(Code::Gone),
    })
    .await;
    drop(clip);
    phone.shut_down().await.unwrap();
    let phone = home.open("phone").await;
    let clip = phone.open_clip(&stream.id.to_string()).await.unwrap();
    assert!(clip.verify().await.unwrap().ok);
    assert_eq!(clip.progress().fetched_bytes, 0, "all from the cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cache_is_fetched_again() {
    let home = Home::start().await;
    let (phone, _other) = (home.phone("phone").await, home.phone("other").await);
    let stream = home.hub.clip(2, |_, _| {}).await;
    finished(&phone, 1).await;
    phone.open_clip(&stream.id.to_string()).await.unwrap().len().await.unwrap();
    // The other phone has not fetched it: the relay still has it.
    let path = home.dir.path().join("phone/cache").join(stream.id.to_string()).join("1.seg");
    let mut blob = std::fs::read(&path).unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    std::fs::write(&path, blob).unwrap();
    let clip = phone.open_clip(&stream.id.to_string()).await.unwrap();
    assert!(clip.verify().await.unwrap().ok);
    assert!(clip.progress().fetched_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_clip_is_named_and_yields_no_byte_of_it() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let flipped = home.hub.clip(3, |index, blob| {
        if index == 1 {
            let middle = blob.len() / 2;
            blob[middle] ^= 4;
        }
    });
    let flipped = flipped.await;
    let cut = home.hub.clip(2, |index, blob| {
        if index == 0 {
            blob.truncate(blob.len() - 100);
        }
    });
    let cut = cut.await;
    finished(&phone, 2).await;

    let clip = phone.open_clip(&flipped.id.to_string()).await.unwrap();
    let first = mp4(1000, 1005);
    assert_eq!(clip.read(0, 1 << 20).await.unwrap(), first, "what is good can be seen");
    let error = clip.read(first.len() as u64, 100).await.unwrap_err();
    assert!(matches!(&error, CoreError::Tampered { reason } if reason.contains("segment 1")), "{error}");
    let report = clip.verify().await.unwrap();
    assert!(!report.ok && !report.problems.is_empty());
    assert!(clip.export_to(home.dir.path().join("no.mp4"), true).await.is_err());
    assert!(!home.dir.path().join("no.mp4").exists());
    assert!(matches!(phone.open_clip(&cut.id.to_string()).await, Err(CoreError::Tampered { .. })));

    let status = phone.status().await.unwrap();
    for stream in [flipped.id, cut.id] {
        let named =
            |alert: &TrustAlert| matches!(alert, TrustAlert::BrokenMedia { stream: s, .. } if *s == stream.to_string());
        assert!(status.alerts.iter().any(|(_, alert)| named(alert)), "{:?}", status.alerts);
    }
    assert!(clips(&phone).await.clips.iter().all(|clip| clip.trust == Trust::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_that_was_withheld_shows_as_a_gap_before_the_next_one() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let open = async |id: String| {
        let clip = phone.open_clip(&id).await.unwrap();
        assert!(clip.verify().await.unwrap().ok);
        phone.status().await.unwrap().alerts
    };
    let first = home.hub.clip(1, |_, _| {}).await.id.to_string();
    let second = home.hub.clip(2, |_, _| {}).await.id.to_string();
    home.hub.record_in_secret();
    let third = home.hub.clip(1, |_, _| {}).await.id.to_string();
    let fourth = home.hub.clip(1, |_, _| {}).await.id.to_string();
    finished(&phone, 4).await;
    for id in [first, second, fourth] {
        assert_eq!(open(id).await, [], "the first has none before it, the others have the one before them");
    }
    let alerts = open(third.clone()).await;
    let missing = |alert: &TrustAlert| matches!(alert, TrustAlert::ClipMissing { clip, .. } if *clip == third);
    assert!(alerts.len() == 1 && missing(&alerts[0].1), "{alerts:?}");
    let listed = clips(&phone).await.clips.into_iter().find(|clip| clip.id == third).unwrap();
    assert!(matches!(listed.trust, Trust::Verified { .. }), "the clip itself is good: {:?}", listed.trust);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_clip_under_way_a_newcomer_has_what_follows() {
    let home = Home::start().await;
    let old = home.phone("old").await;
    home.hub.clip(1, |_, _| {}).await;
    let mut stream = home.hub.begin_stream(StreamKind::Clip).await;
    home.hub.seal_and_keep(&mut stream, 2).await;
    home.hub.open_for_newcomers(StreamKind::Clip, &mut stream);
    let new = home.phone("new").await;
    home.hub.seal_and_keep(&mut stream, 2).await;
    // Of this one nothing is left for a later phone.
    home.hub.open_for_newcomers(StreamKind::Clip, &mut stream);
    let late = home.phone("late").await;
    home.hub.end_stream(&stream).await;
    home.hub.open_for_newcomers_no_more();
    let next = home.hub.clip(1, |_, _| {}).await;
    finished(&old, 3).await;
    let page = finished(&new, 2).await;
    let info = &page.clips[1];
    assert_eq!((&info.id, info.segments, info.first_segment), (&stream.id.to_string(), Some(4), 2));

    let clip = new.open_clip(&info.id).await.unwrap();
    let expected = mp4(1015, 1025);
    assert_eq!(clip.len().await.unwrap(), expected.len() as u64);
    assert!(expected.starts_with(&clip.read(0, 1 << 20).await.unwrap()), "it begins with what the phone can open");
    let report = clip.verify().await.unwrap();
    assert!(report.ok && report.problems.is_empty(), "{report:?}");
    assert_eq!((report.first_segment, report.segments, report.frames_checked), (2, 2, 10));
    assert_eq!((clip.progress().ready, clip.progress().segments), (2, 2));
    assert!(clip.info().local && matches!(clip.info().trust, Trust::Verified { .. }));
    let file = home.dir.path().join("rest.mp4");
    clip.export_to(&file, true).await.unwrap();
    let told = verify_file(&file, &new.trust_roots(&info.camera_id).unwrap()).unwrap();
    assert!(told.ok && told.frames_checked == 10, "{told:?}");

    // Who was there before has all of it, though it was told again for the newcomers; who came too late has none of it.
    let whole = old.open_clip(&info.id).await.unwrap().verify().await.unwrap();
    assert!(whole.ok && (whole.first_segment, whole.segments) == (0, 4), "{whole:?}");
    assert_eq!(finished(&late, 1).await.clips[0].id, next.id.to_string());
    assert!(matches!(late.open_clip(&info.id).await, Err(CoreError::NotFound { .. })));
    for phone in [&old, &new, &late] {
        assert!(phone.open_clip(&next.id.to_string()).await.unwrap().verify().await.unwrap().ok);
        assert_eq!(phone.status().await.unwrap().alerts, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_in_the_wrong_place_are_refused() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    // The relay swaps two segments of one clip, and puts one of another clip into a third's place.
    let mut swapped = home.hub.begin_stream(StreamKind::Clip).await;
    let blobs = [home.hub.seal(&mut swapped), home.hub.seal(&mut swapped)];
    home.hub.put(&swapped, 0, keep(), blobs[1].clone()).await;
    home.hub.put(&swapped, 1, keep(), blobs[0].clone()).await;
    home.hub.end_stream(&swapped).await;
    let mut spliced = home.hub.begin_stream(StreamKind::Clip).await;
    let _own = home.hub.seal(&mut spliced);
    home.hub.put(&spliced, 0, keep(), blobs[0].clone()).await;
    home.hub.end_stream(&spliced).await;
    // The hub told of two segments; the relay has another last one (an earlier try of the same segment, say).
    let mut short = home.hub.begin_stream(StreamKind::Clip).await;
    let blob = home.hub.seal(&mut short);
    home.hub.put(&short, 0, keep(), blob).await;
    short.previous = [7; 32];
    home.hub.end_stream(&short).await;
    finished(&phone, 3).await;
    for stream in [&swapped, &spliced, &short] {
        let opened = phone.open_clip(&stream.id.to_string()).await;
        assert!(matches!(opened, Err(CoreError::Tampered { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clips_come_in_pages_and_tell_how_they_grow() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    for _ in 0..5 {
        home.hub.clip(1, |_, _| {}).await;
    }
    let all = finished(&phone, 5).await;
    assert_eq!(all.next, None);
    let mut seen = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let next = phone.clips(Some(&all.clips[0].camera_id), i64::MIN, i64::MAX, page.as_deref(), 2).await.unwrap();
        seen.extend(next.clips);
        page = next.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(seen, all.clips);
    assert!(matches!(phone.clips(None, 0, 1, Some("nonsense"), 2).await, Err(CoreError::Invalid { .. })));
    assert!(matches!(phone.open_clip("nonsense").await, Err(CoreError::NotFound { .. })));

    let growing = home.hub.begin_stream(StreamKind::Clip).await;
    until("the beginning", async || match phone.next_event(100).await.unwrap() {
        Some(Event::ClipStarted { clip_id, .. }) => (clip_id == growing.id.to_string()).then_some(()),
        _ => None,
    })
    .await;
    assert!(!clips(&phone).await.clips[0].finished);
    assert!(matches!(phone.open_clip(&growing.id.to_string()).await, Err(CoreError::NotFound { .. })));
}
