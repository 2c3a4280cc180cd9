//! What is kept of a camera in each mode.

use super::*;

fn with(record: Record) -> World {
    let mut world = World::with(Settings { record, ..settings() });
    world.online(640);
    world
}

#[test]
fn without_a_break_clips_follow_each_other_from_the_first_key_frame_without_a_hole() {
    let mut world = with(Record::Continuous);
    world.film(95);
    world.motion(true);
    world.film(1);
    world.motion(false);
    world.film(9);
    world.tell(Input::Stop);
    // 210 seconds in clips of 60.
    assert_eq!(world.streams(StreamKind::Clip).len(), 4);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    assert_eq!(clips.iter().map(|s| s.frames).sum::<u64>(), 105 * GROUP, "every picture is there");
    for pair in clips.windows(2) {
        assert_eq!(pair[1].first_frame, pair[0].last_frame + 1);
        assert!(pair[1].starts_with_key && pair[1].gap.is_none());
    }
    let lengths: Vec<_> = world.ended.iter().map(|e| e.ended.0 - e.started.0).collect();
    assert!(lengths[..3].iter().all(|ms| (58_000..=62_000).contains(ms)), "{lengths:?}");
    let [Sighting::Motion { clip: Some(clip), event, .. }, ..] = world.motions()[..] else { panic!() };
    assert!(world.streams(StreamKind::Clip).contains(clip));
    assert_ne!(event.as_bytes(), clip.as_bytes(), "the clip did not begin with it");
}

#[test]
fn without_a_break_an_outage_shorter_than_the_post_roll_is_within_a_clip_and_a_longer_one_between_two() {
    let mut world = with(Record::Continuous);
    for away_s in [4, 30] {
        world.film(5);
        world.offline();
        for _ in 0..away_s {
            world.pass(1_000_000);
            world.tell(Input::Tick);
        }
        world.online(640);
    }
    world.film(5);
    world.tell(Input::Stop);
    let reasons: Vec<_> = world.ended.iter().map(|e| e.reason).collect();
    assert_eq!(reasons, [EndReason::CameraLost, EndReason::HubStopped]);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    let gaps: Vec<_> = clips.iter().filter_map(|s| s.gap).map(|g| g.reason).collect();
    assert_eq!(gaps, [GapReason::CameraLost, GapReason::CameraLost]);
}

#[test]
fn without_a_break_nothing_is_begun_without_room_and_it_goes_on_at_a_key_frame_when_there_is_some() {
    let mut world = with(Record::Continuous);
    world.film(3);
    let durable = world.durable.clone();
    world.segments.retain(|s| s.1 < durable.recorded);
    world.tell(Input::NoRoom { chain: durable.clone() });
    let kept = world.segments.len();
    world.film(40);
    assert_eq!(world.segments.len(), kept);
    world.tell(Input::Room { chain: durable });
    world.film(3);
    world.tell(Input::Stop);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    assert!(clips.iter().any(|s| s.gap.is_some_and(|g| g.reason == GapReason::StorageFull)));
}

#[test]
fn while_motion_can_not_be_looked_for_clips_of_events_follow_each_other_until_the_first_verdict() {
    let mut world = with(Record::Events);
    world.film(3);
    world.tell(Input::Source(SourceEvent::Blind { pause: Duration::from_secs(600) }));
    assert!(world.streams(StreamKind::Clip).is_empty());
    world.film(40);
    world.motion(false);
    world.film(20);
    assert!(world.ended.iter().all(|ended| ended.reason == EndReason::Finished), "{:?}", world.ended);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    assert_eq!(world.ended.len(), world.streams(StreamKind::Clip).len(), "none goes on");
    assert_eq!(world.ended.len(), 2, "80 seconds in clips of 60");
    let frames = clips.iter().map(|s| s.frames).sum::<u64>();
    assert!((40 * GROUP..45 * GROUP).contains(&frames), "{frames}");
    assert!(world.motions().is_empty());
}

#[test]
fn off_keeps_nothing_but_shows_live_and_tells_what_moves() {
    let mut world = with(Record::Off);
    world.film(5);
    world.motion(true);
    world.onset();
    world.film(1);
    world.motion(false);
    world.watch();
    world.film(10);
    assert!(world.streams(StreamKind::Clip).is_empty());
    assert_eq!(world.streams(StreamKind::Live).len(), 1);
    assert!(matches!(world.motions()[..], [Sighting::Motion { clip: None, .. }, Sighting::MotionOver { .. }]));
}
