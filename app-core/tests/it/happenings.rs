//! What happened at the home, what its clips show, and what is forgotten: from the hub's log into this phone's lists.

use privet_app_core::{Client, ClipInfo, CoreError, Event, Trust};
use privet_home::{ClipNotes, Happening, HomeEvent, HubMessage, Tamper, Thumbnail};
use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use serde_bytes::ByteBuf;

use crate::common::camera::now;
use crate::common::{Home, until};

async fn next(phone: &Client, wanted: impl Fn(&Event) -> bool) -> Event {
    until("an event", async || phone.next_event(100).await.unwrap().filter(|event| wanted(event))).await
}

async fn clips(phone: &Client) -> Vec<ClipInfo> {
    phone.clips(None, 0, i64::MAX, None, 100).await.unwrap().clips
}

fn event(camera: Option<CameraId>, at: Timestamp, what: Happening, zones: &[&str]) -> HomeEvent {
    let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
    HomeEvent { id: EventId::generate(&SystemRandom), at, camera, what, clip: None, zones }
}

fn notes(stream: StreamId, picture: &[u8]) -> ClipNotes {
    let thumbnail =
        Thumbnail { mime: "image/jpeg".into(), width: 320, height: 180, bytes: ByteBuf::from(picture.to_vec()) };
    let mut heat = [0; 256];
    heat[17] = 255;
    ClipNotes { stream, heat, thumbnail: Some(thumbnail), peak: now(), zones: vec!["path".into()], pinned: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_in_words_page_by_page_and_survive_a_restart() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    until("the camera", async || (phone.cameras().await.unwrap().len() == 1).then_some(())).await;
    let door = home.hub.camera.lock().unwrap().id;
    let tampered = event(Some(door), Timestamp(3_000), Happening::Tampered { how: Tamper::Covered }, &[]);
    let said = [
        event(Some(door), Timestamp(1_000), Happening::Motion, &["path", "drive"]),
        event(None, Timestamp(2_000), Happening::DiskNearlyFull { free_mib: 900 }, &[]),
        tampered.clone(),
        // The hub's clock was set back.
        event(Some(door), Timestamp(500), Happening::CameraOffline { reason: "no answer".into() }, &[]),
    ];
    home.hub.say(&said.clone().map(HubMessage::Event)).await;
    // Told again: it is one event.
    home.hub.say(&[HubMessage::Event(tampered)]).await;
    let Event::Happened(first) = next(&phone, |event| matches!(event, Event::Happened(_))).await else { panic!() };
    assert_eq!((first.title.as_str(), first.body.as_str()), ("Door: motion", "in path and drive"));
    assert_eq!((first.kind.as_str(), first.severity.as_str(), first.trust), ("motion", "info", Trust::Pending));
    assert_eq!((first.camera.as_str(), first.at_ms), ("Door", 1_000));

    let head = home.hub.home().head().seq;
    until("all", async || (phone.status().await.unwrap().position == head).then_some(())).await;
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    let whole = phone.events(None, 0, i64::MAX, None, 100).await.unwrap();
    let titles: Vec<_> = whole.events.iter().map(|event| event.title.as_str()).collect();
    let expected = ["Door is offline", "Door is covered", "the hub's disk is nearly full", "Door: motion"];
    assert_eq!((titles.as_slice(), whole.next), (expected.as_slice(), None));

    let (mut paged, mut page) = (Vec::new(), None);
    loop {
        let next = phone.events(None, 0, i64::MAX, page.as_deref(), 3).await.unwrap();
        paged.extend(next.events);
        page = next.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole.events);
    let camera = door.to_string();
    assert_eq!(phone.events(Some(&camera), 600, 3_000, None, 9).await.unwrap().events.len(), 1);
    assert!(matches!(phone.events(None, 0, 1, Some("x"), 9).await, Err(CoreError::Invalid { .. })));
    assert!(matches!(phone.events(Some("x"), 0, 1, None, 9).await, Err(CoreError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_has_what_the_hub_noted_and_can_be_pinned() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let clip = home.hub.clip(1, |_, _| {}).await;
    let id = clip.id.to_string();
    until("the clip", async || clips(&phone).await.first().filter(|clip| clip.finished).map(drop)).await;
    assert_eq!(phone.thumbnail(&id).await.unwrap(), None);
    assert_eq!(clips(&phone).await[0].notes, None);
    let picture = vec![0xd8; 19_999];
    home.hub.note(notes(clip.id, &picture)).await;
    next(&phone, |event| matches!(event, Event::ClipNotes { clip_id, .. } if *clip_id == id)).await;
    let shown = clips(&phone).await.remove(0).notes.unwrap();
    assert_eq!(
        (shown.heat[17], shown.zones, shown.pinned, shown.thumbnail),
        (255, vec!["path".to_owned()], false, true)
    );

    phone.pin(&id, true).await.unwrap();
    assert!(clips(&phone).await[0].notes.as_ref().unwrap().pinned);
    phone.pin(&id, true).await.unwrap();
    phone.pin(&id, false).await.unwrap();
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    assert!(!clips(&phone).await[0].notes.as_ref().unwrap().pinned);
    let thumbnail = phone.thumbnail(&id).await.unwrap().unwrap();
    assert_eq!((thumbnail.mime.as_str(), thumbnail.width, thumbnail.bytes), ("image/jpeg", 320, picture));
    let unknown = StreamId::generate(&SystemRandom).to_string();
    assert!(matches!(phone.thumbnail(&unknown).await, Err(CoreError::NotFound { .. })));
    assert!(matches!(phone.pin(&unknown, true).await, Err(CoreError::NotFound { .. })));
    assert!(matches!(phone.pin("nonsense", true).await, Err(CoreError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_clip_is_gone_from_the_list_and_the_cache() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (old, young) = (home.hub.clip(1, |_, _| {}).await, home.hub.clip(1, |_, _| {}).await);
    until("the clips", async || {
        let clips = clips(&phone).await;
        (clips.len() == 2 && clips.iter().all(|clip| clip.finished)).then_some(())
    })
    .await;
    home.hub.note(notes(old.id, b"jpeg")).await;
    for clip in [&old, &young] {
        assert!(phone.open_clip(&clip.id.to_string()).await.unwrap().verify().await.unwrap().ok);
    }
    let both = phone.status().await.unwrap().cache_bytes;
    home.hub.say(&[HubMessage::Forgotten { streams: vec![old.id] }]).await;
    let gone = Event::ClipsForgotten { clip_ids: vec![old.id.to_string()] };
    next(&phone, |event| *event == gone).await;
    assert_eq!(clips(&phone).await.iter().map(|clip| clip.id.clone()).collect::<Vec<_>>(), [young.id.to_string()]);
    let left = phone.status().await.unwrap().cache_bytes;
    assert!(0 < left && left < both, "{left} of {both}");
    assert!(!home.dir.path().join("ann/cache").join(old.id.to_string()).exists());
    assert!(matches!(phone.thumbnail(&old.id.to_string()).await, Err(CoreError::NotFound { .. })));
    assert!(matches!(phone.open_clip(&old.id.to_string()).await, Err(CoreError::NotFound { .. })));
    assert!(phone.open_clip(&young.id.to_string()).await.is_ok());
}
