//! The live stream changes over to the camera's substream and back.

use super::*;
use crate::source::{AudioFormat, SubstreamEvent};

impl World {
    fn wants(&mut self, viewer: DeviceId, feed: Feed) {
        self.tell(Input::Watch { viewer, lease: Duration::from_secs(30), feed });
    }

    fn substream(&mut self, event: SubstreamEvent) {
        self.tell(Input::Source(SourceEvent::Substream(event)));
    }

    /// Whole groups of the main stream, with the substream beside it, whose key frames are elsewhere.
    fn film_both(&mut self, groups: u64) {
        for place in 0..groups * GROUP {
            self.picture(place % GROUP == 0);
            let unit = AccessUnit {
                track: Track::Video,
                key: place % GROUP == GROUP / 2,
                pts_us: i64::try_from(self.now.mono_us - self.connected_us).unwrap() - 30_000,
                received: self.now.wall,
                received_mono_us: self.now.mono_us,
                frame: self.frame + 77,
                data: Bytes::from_static(&[0, 0, 0, 1, 0x65]),
                loss: 0,
            };
            self.substream(SubstreamEvent::Unit(unit));
        }
    }

    /// Each whole segment of this kind: its statement, and whether it shows the substream, which is the narrower one.
    fn shown(&self, kind: StreamKind) -> (Vec<Verified<Statement>>, Vec<bool>) {
        let whole = self.segments.iter().filter(|(stream, ..)| self.kinds[stream] == kind);
        whole
            .filter_map(|(stream, index, bytes)| {
                let mut key = StreamKey::from_secret(&self.secrets[stream]);
                key.advance_to(*index).unwrap();
                let expected = Header { stream: *stream, index: *index };
                let opened = StoredSegment::open(bytes.as_slice(), &key, expected, &self.trust).ok()?;
                opened.check().unwrap();
                let info = opened.init_info();
                assert_eq!(info.substream, info.width == 320);
                Some((opened.statement().clone(), info.substream))
            })
            .unzip()
    }
}

fn watched() -> World {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.wants(PHONE, Feed::Main);
    world.substream(SubstreamEvent::Format(format(320)));
    world.film_both(2);
    world
}

/// The order in which the two were shown.
fn turns(mut shown: Vec<bool>) -> Vec<bool> {
    shown.dedup();
    shown
}

#[test]
fn a_viewer_gets_the_substream_and_the_main_stream_again_in_one_row() {
    let mut world = watched();
    assert!(!world.recorder.wants_substream());
    world.wants(PHONE, Feed::Substream);
    assert!(world.recorder.wants_substream());
    world.film_both(3);
    let watching = Watching { viewers: 1, want_substream: 1, substream: true };
    assert_eq!(world.recorder.watching(), watching);
    world.wants(PHONE, Feed::Main);
    assert_eq!(world.recorder.watching(), Watching { want_substream: 0, ..watching });
    assert!(world.recorder.wants_substream(), "until the main stream has its key frame");
    world.film_both(3);
    assert!(!world.recorder.wants_substream());
    world.tell(Input::Stop);
    assert_eq!(world.streams(StreamKind::Live).len(), 1, "nobody has to be told a key");
    let (live, shown) = world.shown(StreamKind::Live);
    is_chain(&live);
    for pair in live.windows(2) {
        assert_eq!(pair[1].first_frame, pair[0].last_frame + 1);
    }
    assert!(live.iter().all(|s| s.starts_with_key && s.last_frame - s.first_frame + 1 == s.frames));
    assert_eq!(turns(shown), [false, true, false]);
}

#[test]
fn nobody_gets_less_than_wanted() {
    let mut world = watched();
    let other = DeviceId::from_bytes([9; 16]);
    world.wants(PHONE, Feed::Substream);
    world.wants(other, Feed::Main);
    world.film_both(2);
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false]);
    world.tell(Input::Unwatch { viewer: other });
    world.film_both(2);
    world.wants(other, Feed::Main);
    world.film_both(2);
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false, true, false]);
}

#[test]
fn without_a_substream_the_main_stream_is_shown() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.wants(PHONE, Feed::Substream);
    world.film(3);
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false], "there is none");
    world.substream(SubstreamEvent::Format(format(320)));
    world.film_both(3);
    world.substream(SubstreamEvent::Ended);
    world.wants(PHONE, Feed::Substream);
    world.film(3);
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false, true, false], "it is gone");
    world.substream(SubstreamEvent::Format(format(320)));
    world.film_both(2);
    world.offline();
    world.pass(2_000_000);
    world.online(640);
    world.wants(PHONE, Feed::Substream);
    world.film(3);
    world.tell(Input::Stop);
    let (live, shown) = world.shown(StreamKind::Live);
    is_chain(&live);
    assert_eq!(turns(shown), [false, true, false, true, false]);
}

#[test]
fn clips_are_of_the_main_stream_whatever_is_watched() {
    let mut world = watched();
    world.wants(PHONE, Feed::Substream);
    world.film_both(1);
    world.motion(true);
    world.film_both(4);
    world.tell(Input::Stop);
    let (clips, shown) = world.shown(StreamKind::Clip);
    is_chain(&clips);
    assert!(clips.len() >= 4 && !shown.contains(&true));
    assert!(clips.iter().all(|s| s.frames == GROUP && s.last_frame - s.first_frame + 1 == GROUP));
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false, true]);
}

#[test]
fn a_new_key_begins_with_the_main_stream_and_the_substream_follows() {
    let mut world = watched();
    world.wants(PHONE, Feed::Substream);
    world.film_both(2);
    world.tell(Input::Rekey { removed: None });
    world.film_both(2);
    world.tell(Input::Stop);
    assert_eq!(world.streams(StreamKind::Live).len(), 2);
    assert_eq!(turns(world.shown(StreamKind::Live).1), [false, true, false, true]);
}

#[test]
fn the_substreams_segments_say_the_sound_that_the_main_stream_has_now() {
    let mut world = watched();
    world.wants(PHONE, Feed::Substream);
    world.film_both(2);
    let audio = AudioFormat { codec: "mp4a.40.2".into(), sample_entry: Bytes::new(), sample_rate: 16_000, channels: 1 };
    world.tell(Input::Source(SourceEvent::Format(Format { audio: Some(audio.clone()), ..format(640) })));
    assert_eq!(world.recorder.sub_format.as_ref().and_then(|format| format.audio.clone()), Some(audio));
    assert!(world.recorder.live.as_ref().is_some_and(|live| live.open_index().is_none()), "the next one says so");
}
