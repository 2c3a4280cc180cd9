//! What is noted of a clip, and when that is told.

use super::*;

impl World {
    fn pts(&self) -> i64 {
        i64::try_from(self.now.mono_us - self.connected_us).unwrap()
    }

    /// The detector sees something of this strength, in the upper left field.
    fn sees(&mut self, score: f32, zones: u32, heat: u8) {
        let mut fields = Box::new([0; 256]);
        fields[0] = heat;
        fields[1] = heat / 2;
        let sample = MotionSample { pts_us: self.pts(), score, active: true, area: 0.2, zones, heat: Some(fields) };
        self.tell(Input::Source(SourceEvent::Motion(sample)));
    }

    fn shot(&mut self, age_us: i64, last: bool, jpeg: &'static str) {
        let picture = Picture {
            pts_us: self.pts() - age_us,
            last,
            width: 320,
            height: 180,
            jpeg: Bytes::from_static(jpeg.as_bytes()),
            small_jpeg: Bytes::new(),
        };
        self.tell(Input::Source(SourceEvent::Picture(picture)));
    }

    fn thumbnails(&self) -> Vec<Option<&str>> {
        let shown = |notes: &ClipNotes| notes.thumbnail.as_ref().map(|t| t.bytes.as_slice().to_owned());
        let all: Vec<_> = self.notes.iter().map(shown).collect();
        let known = ["onset", "first", "second", "best"];
        all.iter()
            .map(|bytes| bytes.as_ref().map(|bytes| *known.iter().find(|k| k.as_bytes() == bytes.as_slice()).unwrap()))
            .collect()
    }
}

#[test]
fn a_clip_s_notes_come_once_after_its_end_with_the_picture_of_the_strongest_activity() {
    let mut world = World::new();
    world.online(640);
    world.film(4);
    world.shot(0, false, "onset");
    world.sees(0.2, 0b01, 40);
    world.film(1);
    let peak = world.now.wall;
    world.sees(0.9, 0b10, 200);
    world.film(1);
    world.shot(2_000_000, true, "best");
    world.motion(false);
    world.film(2);
    world.sees(0.4, 0b01, 10);
    world.film(1);
    world.shot(0, true, "second");
    world.motion(false);
    assert!(world.notes.is_empty(), "the clip goes on");
    world.film(9);
    assert_eq!(world.ended.len(), 1);
    let [notes] = &world.notes[..] else { panic!("{:?}", world.notes) };
    assert_eq!(notes.stream, world.ended[0].stream);
    assert_eq!(notes.zones, ["gate", "path"]);
    assert_eq!((notes.heat[0], notes.heat[1], notes.heat[2]), (255, 128, 0));
    assert_eq!(notes.peak, peak);
    let thumbnail = notes.thumbnail.as_ref().unwrap();
    assert_eq!((thumbnail.mime.as_str(), thumbnail.width, thumbnail.height), ("image/jpeg", 320, 180));
    assert_eq!(world.thumbnails(), [Some("best")]);
    assert!(!notes.pinned);
}

#[test]
fn a_clip_that_is_cut_while_something_moves_waits_for_its_picture_but_not_long() {
    // Cut by its length: the activity's best picture comes afterwards and was of the first clip.
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.shot(0, false, "onset");
    for _ in 0..31 {
        world.sees(0.5, 0, 10);
        world.film(1);
    }
    assert_eq!((world.ended.len(), world.notes.len()), (1, 0));
    world.shot(20_000_000, true, "best");
    world.motion(false);
    assert_eq!(world.thumbnails(), [Some("best")]);
    world.film(9);
    assert_eq!(world.thumbnails(), [Some("best"), None], "the second clip has none of its own");

    // The activity goes on for longer than that: its beginning must do.
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.shot(0, false, "onset");
    for _ in 0..37 {
        world.sees(0.5, 0, 10);
        world.film(1);
    }
    assert_eq!((world.ended.len(), world.notes.len()), (1, 0));
    world.sees(0.5, 0, 10);
    world.film(2);
    assert_eq!(world.thumbnails(), [Some("onset")]);
    assert_eq!(world.notes[0].stream, world.ended[0].stream);
}

#[test]
fn notes_come_without_waiting_when_no_picture_can_come() {
    let began = |world: &mut World| {
        world.online(640);
        world.film(3);
        world.shot(0, false, "onset");
        world.sees(0.5, 0, 10);
        world.film(2);
    };
    let mut stopped = World::new();
    began(&mut stopped);
    stopped.tell(Input::Stop);
    assert_eq!(stopped.thumbnails(), [Some("onset")]);

    let mut lost = World::new();
    began(&mut lost);
    lost.offline();
    lost.pass(11_000_000);
    lost.tell(Input::Tick);
    assert_eq!((lost.ended.len(), lost.thumbnails()), (1, vec![Some("onset")]));

    let mut full = World::new();
    began(&mut full);
    full.shot(0, true, "best");
    full.motion(false);
    let chain = full.durable.clone();
    full.tell(Input::NoRoom { chain });
    assert_eq!(full.thumbnails(), [Some("best")]);
}

#[test]
fn a_clip_in_which_nothing_moves_has_notes_too_and_a_worker_s_impossible_times_stay_within_it() {
    let mut world = World::with(Settings { record: Record::Continuous, ..settings() });
    world.online(640);
    world.film(31);
    let [notes] = &world.notes[..] else { panic!("{:?}", world.notes) };
    assert_eq!((notes.heat, notes.peak), ([0; 256], world.ended[0].started));
    assert!(notes.thumbnail.is_none() && notes.zones.is_empty());
    let sample = MotionSample { pts_us: i64::MIN / 4, score: 1.0, active: true, ..MotionSample::default() };
    world.tell(Input::Source(SourceEvent::Motion(sample)));
    world.shot(i64::MIN / 4, true, "best");
    world.motion(false);
    world.film(31);
    assert!((world.ended[1].started..=world.ended[1].ended).contains(&world.notes[1].peak));
}
