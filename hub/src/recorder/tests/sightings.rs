//! What is told of a camera, when, and how often.

use privet_protocol::id::EventId;

use super::*;

fn zones(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn event_of(sighting: &Sighting) -> EventId {
    match sighting {
        Sighting::Motion { event, .. } | Sighting::MotionOver { event, .. } | Sighting::Tampered { event, .. } => {
            *event
        }
        other => panic!("{other:?} has no event"),
    }
}

#[test]
fn an_activity_is_told_once_with_its_clip_its_picture_and_its_zones_and_once_when_it_is_over() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    // The worker sends the picture of the onset right before the verdict.
    world.onset();
    assert!(world.motions().is_empty());
    let began = world.now.wall;
    world.moves_in(0b10);
    let clip = world.streams_begun(StreamKind::Clip)[0];
    let event = EventId::from_bytes(*clip.as_bytes());
    let small_jpeg = Some(Bytes::from_static(b"small"));
    let expected = Sighting::Motion {
        event,
        at: began,
        clip: Some(clip),
        zones: zones(&["path"]),
        small_jpeg: small_jpeg.clone(),
    };
    assert_eq!(world.motions(), [&expected]);
    world.film(1);
    world.moves_in(0b10);
    world.onset();
    assert_eq!(world.motions().len(), 1, "nothing is new");
    world.moves_in(0b101);
    let more = Sighting::Motion { event, at: began, clip: Some(clip), zones: zones(&["gate", "path"]), small_jpeg };
    assert_eq!(world.motions(), [&expected, &more], "a bit without a zone is nothing");
    let last = world.now.wall;
    world.motion(false);
    world.film(4);
    world.motion(true);
    world.motion(false);
    assert_eq!(world.motions().len(), 2, "near activities are one event");
    let last = Timestamp(last.0 + 8_000);
    world.film(6);
    assert_eq!(world.motions()[2..], [&Sighting::MotionOver { event, at: last }]);
    world.film(10);
    world.motion(true);
    world.pass(400_000);
    world.tell(Input::Tick);
    assert_eq!(world.motions().len(), 4);
    assert_ne!(event_of(world.motions()[3]), event);
}

#[test]
fn news_wait_for_their_picture_but_not_long() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.motion(true);
    assert!(world.motions().is_empty());
    let due = world.recorder.due_us().unwrap();
    assert_eq!(due - world.now.mono_us, 400_000);
    world.pass(399_999);
    world.tell(Input::Tick);
    assert!(world.motions().is_empty());
    world.pass(1);
    world.tell(Input::Tick);
    assert!(matches!(world.motions()[..], [Sighting::Motion { small_jpeg: None, .. }]));
    assert_eq!(world.recorder.due_us(), None);

    // One that comes in time is told at once; at the end nothing is left untold.
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.motion(true);
    world.onset();
    assert!(matches!(world.motions()[..], [Sighting::Motion { small_jpeg: Some(_), .. }]));
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.motion(true);
    world.tell(Input::Stop);
    assert!(matches!(world.motions()[..], [Sighting::Motion { small_jpeg: None, .. }]));
}

#[test]
fn a_camera_s_coming_and_going_is_told_when_it_changes() {
    let mut world = World::new();
    world.offline();
    world.offline();
    world.online(640);
    world.online(640);
    world.film(1);
    world.motion(true);
    world.offline();
    world.offline();
    world.pass(10_000_000);
    world.tell(Input::Tick);
    let told: Vec<_> = world.sighted.iter().filter(|s| !matches!(s, Sighting::Motion { .. })).collect();
    let [
        Sighting::Offline { reason, .. },
        Sighting::Online { .. },
        Sighting::Offline { at, .. },
        Sighting::MotionOver { at: over, .. },
    ] = told[..]
    else {
        panic!("{told:?}")
    };
    assert!(!reason.is_empty());
    assert_eq!((at.0 + 10_000, *over), (world.now.wall.0, *at));
}

#[test]
fn tampering_is_told_and_a_worker_that_repeats_itself_is_not_listened_to() {
    let mut world = World::new();
    world.online(640);
    for how in [Tamper::Covered, Tamper::Covered, Tamper::Moved, Tamper::Covered] {
        world.tell(Input::Source(SourceEvent::Tampered { how }));
    }
    world.pass(60_000_000);
    world.tell(Input::Source(SourceEvent::Tampered { how: Tamper::Covered }));
    let told: Vec<_> = world.sighted.iter().filter(|s| matches!(s, Sighting::Tampered { .. })).collect();
    let hows = |s: &&Sighting| if let Sighting::Tampered { how, .. } = s { *how } else { unreachable!() };
    use privet_home::Tamper::{Covered, Moved};
    assert_eq!(told.iter().map(hows).collect::<Vec<_>>(), [Covered, Moved, Covered]);
    assert_ne!(event_of(told[0]), event_of(told[2]));
}

#[test]
fn without_zones_none_is_named_and_an_activity_within_a_clip_has_an_id_of_its_own() {
    let mut world = World::with(Settings { zones: Vec::new(), ..settings() });
    world.online(640);
    world.film(2);
    world.moves_in(u32::MAX);
    world.onset();
    let clip = world.streams_begun(StreamKind::Clip)[0];
    let Sighting::Motion { zones, clip: Some(shown), .. } = world.motions()[0] else { panic!() };
    assert!(zones.is_empty() && *shown == clip);
    world.motion(false);
    // Over, but the clip waits for a key frame.
    for _ in 0..105 {
        world.picture(false);
    }
    world.motion(true);
    world.onset();
    let [_, Sighting::MotionOver { .. }, Sighting::Motion { event, clip: Some(shown), .. }] = world.motions()[..]
    else {
        panic!("{:?}", world.motions())
    };
    assert_eq!(*shown, clip);
    assert_ne!(event.as_bytes(), clip.as_bytes());
}
