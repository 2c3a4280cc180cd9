//! Who goes from one view of a camera to another, and who is gone.

use super::*;

#[test]
fn who_is_back_in_a_moment_sees_the_stream_go_on_and_who_is_not_ends_it() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.watch();
    world.film(1);
    for _ in 0..3 {
        // The word of the view that is closed may come after that of the one that is opened, which is then said again.
        world.watch();
        world.tell(Input::Unwatch { viewer: PHONE });
        assert_eq!(world.recorder.watching().viewers, 0);
        world.film(1);
        world.watch();
        assert_eq!(world.recorder.watching().viewers, 1);
        world.film(3);
    }
    assert!(world.ended.is_empty());
    world.tell(Input::Unwatch { viewer: PHONE });
    world.film(4);
    assert_eq!(world.ended.iter().map(|e| e.reason).collect::<Vec<_>>(), [EndReason::NobodyWatching]);
    assert_eq!(world.streams(StreamKind::Live).len(), 1, "nobody had to be told another key");
    let live = world.verified(StreamKind::Live);
    is_chain(&live);
    for pair in live.windows(2) {
        assert_eq!(pair[1].first_frame, pair[0].last_frame + 1);
    }
}

#[test]
fn who_was_removed_keeps_nothing() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.watch();
    world.film(1);
    world.tell(Input::Unwatch { viewer: PHONE });
    world.tell(Input::Rekey { removed: Some(PHONE) });
    assert_eq!(world.streams(StreamKind::Live).len(), 1);
    assert_eq!(world.ended.iter().map(|e| e.reason).collect::<Vec<_>>(), [EndReason::Rekeyed]);
    // Somebody else left while the stream was kept for who looked last: it is not begun anew for nobody.
    world.watch();
    world.tell(Input::Unwatch { viewer: PHONE });
    world.tell(Input::Rekey { removed: Some(DeviceId::from_bytes([9; 16])) });
    assert_eq!(world.streams(StreamKind::Live).len(), 2);
    assert!(world.recorder.open_streams().is_empty());
}
