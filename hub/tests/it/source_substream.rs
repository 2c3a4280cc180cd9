//! Motion on the camera's substream, through the real worker process: found there, told at the main stream's time, and whatever
//! the substream does, not a picture of the main stream is lost.
//!
//! one-by-one-person-detection.mp4 (Intel, CC-BY-4.0): a corridor that is empty for five seconds; car-detection.mp4: cars all the time.

use std::time::Duration;

use privet_hub::motion::MotionSettings;
use privet_hub::source::{AccessUnit, CameraSettings, MotionSample, Picture, SourceEvent, SubstreamEvent, Track};
use privet_raw_camera::{Fault, Options, RawCamera};

use crate::source_support::{Watched, clip, h265_corridor, options, settings};

fn looked_at(main: &RawCamera, sub_url: String) -> CameraSettings {
    let mut camera = settings(&main.url());
    camera.audio = false;
    camera.sub_url = Some(sub_url);
    camera.motion = Some(MotionSettings::default());
    camera
}

/// What is told, with the check that the main stream has no hole.
struct Seen {
    watched: Watched,
    next_frame: Option<u64>,
    main_us: i64,
}

enum Told {
    Sample(MotionSample),
    Picture(Picture),
    Notes(Vec<String>),
    Substream(SubstreamEvent),
    Unit,
}

impl Seen {
    async fn new(camera: CameraSettings) -> Self {
        let mut options = options();
        options.answer = Duration::from_secs(3);
        let mut watched = Watched::with(camera, options);
        watched.online().await;
        Self { watched, next_frame: None, main_us: 0 }
    }

    async fn next(&mut self) -> Told {
        let event = self.watched.until("anything", Some).await;
        match event {
            SourceEvent::Unit(unit) if unit.track == Track::Video => {
                assert!(self.next_frame.is_none_or(|next| next == unit.frame), "a hole in the main stream");
                assert_eq!(unit.loss, 0);
                self.next_frame = Some(unit.frame + 1);
                self.main_us = unit.pts_us;
                Told::Unit
            }
            SourceEvent::Motion(sample) => Told::Sample(sample),
            SourceEvent::Picture(picture) => Told::Picture(picture),
            SourceEvent::Health(health) => Told::Notes(health.notes),
            SourceEvent::Substream(event) => Told::Substream(event),
            SourceEvent::Offline { reason, .. } => panic!("offline: {reason}"),
            _ => Told::Unit,
        }
    }

    async fn sample(&mut self) -> MotionSample {
        loop {
            if let Told::Sample(sample) = self.next().await {
                return sample;
            }
        }
    }

    /// Until the notes say (or no longer say) that there is no substream.
    async fn note(&mut self, there: bool) -> Option<String> {
        loop {
            if let Told::Notes(notes) = self.next().await {
                let note = notes.into_iter().find(|note| note.contains("substream"));
                if note.is_some() == there {
                    return note;
                }
            }
        }
    }

    async fn substream(&mut self) -> SubstreamEvent {
        loop {
            if let Told::Substream(event) = self.next().await {
                return event;
            }
        }
    }

    /// So many units of the substream without a hole; the first one is a key frame after its format.
    async fn sub_units(&mut self, count: usize) -> Vec<AccessUnit> {
        let SubstreamEvent::Format(format) = self.substream().await else { panic!("units without a format") };
        assert!(format.width > 0 && format.audio.is_none());
        let mut units: Vec<AccessUnit> = Vec::new();
        while units.len() < count {
            let SubstreamEvent::Unit(unit) = self.substream().await else { panic!("not a unit") };
            assert!(units.last().is_none_or(|last| last.frame + 1 == unit.frame), "a hole in the substream");
            assert!((unit.pts_us - self.main_us).abs() < 2_500_000, "{} and {}", unit.pts_us, self.main_us);
            units.push(unit);
        }
        assert!(units[0].key && units[0].track == Track::Video);
        units
    }

    async fn main_goes_on_to(&mut self, pts_us: i64) {
        while self.main_us < pts_us {
            self.next().await;
        }
    }
}

#[tokio::test]
async fn motion_is_found_on_the_substream_and_told_at_the_main_streams_time() {
    let (Some(cars), Some(corridor)) = (clip("car-detection.mp4"), clip("one-by-one-person-detection.mp4")) else {
        return;
    };
    // The cars of the main stream would be found at once, if it were decoded.
    let main = RawCamera::start(Options { speed: 1.5, silent: true, ..Options::new(cars) }).unwrap();
    let sub = RawCamera::start(Options { speed: 1.5, silent: true, ..Options::new(corridor) }).unwrap();
    let mut seen = Seen::new(looked_at(&main, sub.url())).await;
    let (mut line, mut samples) = (String::new(), 0);
    let onset = loop {
        let sample = seen.sample().await;
        samples += 1;
        line.push(if sample.active { '#' } else { '.' });
        let apart = sample.pts_us - seen.main_us;
        assert!((-2_500_000..500_000).contains(&apart), "{} us at the main stream's {}", sample.pts_us, seen.main_us);
        if sample.active {
            break sample;
        }
    };
    eprintln!("{line}");
    // The substream began a moment after the main stream.
    assert!((5_200_000..9_000_000).contains(&onset.pts_us), "found at {} us", onset.pts_us);
    assert!(samples > 15, "{samples} pictures looked at");
    let picture = loop {
        if let Told::Picture(picture) = seen.next().await {
            break picture;
        }
    };
    assert_eq!((picture.width, picture.height), (320, 180));
    assert_eq!(seen.note(false).await, None);
}

#[tokio::test]
async fn a_substream_that_refuses_is_told_and_the_main_stream_is_looked_at_instead() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let main = RawCamera::start(Options::synthetic()).unwrap();
    let mut seen = Seen::new(looked_at(&main, format!("rtsp://{nobody}/sub"))).await;
    let note = seen.note(true).await.unwrap();
    assert!(note.contains("refuses the connection") && note.contains("main stream"), "{note}");
    seen.sample().await;

    let sub = RawCamera::start(Options { fault: Some((Fault::NotFound, 0)), ..Options::synthetic() }).unwrap();
    let mut seen = Seen::new(looked_at(&main, sub.url())).await;
    let note = seen.note(true).await.unwrap();
    assert!(note.contains("404"), "{note}");
    seen.sample().await;
    // And the other way round: it comes back without anybody's doing.
    sub.clear_fault();
    seen.note(false).await;
    assert!(sub.playing() == 1);
    seen.sample().await;
}

/// The substream fails while it plays: not one picture of the main stream is missing, detection goes on, and it comes back.
async fn fails(fault: Fault, what_it_plays: Options) {
    let main = RawCamera::start(Options::synthetic()).unwrap();
    let sub = RawCamera::start(what_it_plays).unwrap();
    let mut seen = Seen::new(looked_at(&main, sub.url())).await;
    seen.sample().await;
    assert_eq!(sub.playing(), 1);
    sub.set_fault(fault);
    let note = seen.note(true).await.unwrap();
    eprintln!("{fault:?}: {note}");
    let since = seen.main_us;
    while seen.sample().await.pts_us < since + 500_000 {}
    sub.clear_fault();
    seen.note(false).await;
    let since = seen.main_us;
    while seen.sample().await.pts_us < since + 500_000 {}
    seen.main_goes_on_to(since + 1_000_000).await;
    assert_eq!(main.accepted(), 1, "the connection to the main stream was left alone");
}

macro_rules! fails {
    ($($name:ident: $fault:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            fails(Fault::$fault, Options::synthetic()).await;
        }
    )*};
}

fails! {
    closing: Drop,
    stopping: Freeze,
    stopping_within_a_picture: StopWithin,
    garbage_in_packets: GarbageNal,
    garbage_in_place_of_packets: GarbageBytes,
    a_fragment_without_end: EndlessFragment,
    a_message_without_end: EndlessMessage,
}

#[tokio::test]
async fn a_substream_of_another_codec_than_the_main_stream_is_looked_at_and_so_is_the_main_stream_without_it() {
    let Some(corridor) = h265_corridor() else { return };
    fails(Fault::Drop, Options::new(corridor)).await;
}

#[tokio::test]
async fn a_substream_that_changes_its_size_or_its_clock_is_looked_at_all_the_same() {
    let main = RawCamera::start(Options::synthetic()).unwrap();
    let sub = RawCamera::start(Options::synthetic()).unwrap();
    let mut seen = Seen::new(looked_at(&main, sub.url())).await;
    seen.sample().await;
    for fault in [Fault::ParameterChange, Fault::JumpAhead] {
        sub.set_fault(fault);
        let since = seen.main_us + 2_000_000;
        let sample = loop {
            let sample = seen.sample().await;
            if sample.pts_us > since {
                break sample;
            }
        };
        assert!((sample.pts_us - seen.main_us).abs() < 2_500_000, "{fault:?}: {} and {}", sample.pts_us, seen.main_us);
    }
    assert_eq!(sub.accepted(), 1);
    assert_eq!(seen.note(false).await, None);
}

#[tokio::test]
async fn the_substreams_units_come_while_they_are_wanted_and_only_then() {
    let main = RawCamera::start(Options::synthetic()).unwrap();
    let sub = RawCamera::start(Options::synthetic()).unwrap();
    let mut seen = Seen::new(looked_at(&main, sub.url())).await;
    for _ in 0..50 {
        assert!(!matches!(seen.next().await, Told::Substream(_)), "nobody wants them");
    }
    let wanted = seen.watched.handle.sub_units();
    wanted.set(true);
    let first = seen.sub_units(20).await;

    // Its session ends and comes again: that is told, a hole is left, and motion and main stream do not mind.
    sub.set_fault(Fault::Drop);
    loop {
        if let SubstreamEvent::Ended = seen.substream().await {
            break;
        }
    }
    sub.clear_fault();
    let again = seen.sub_units(10).await;
    assert!(again[0].frame > first[19].frame + 1, "{} after {}", again[0].frame, first[19].frame);

    // What is on the way comes, then nothing more.
    wanted.set(false);
    let since = seen.main_us;
    seen.main_goes_on_to(since + 2_000_000).await;
    for _ in 0..50 {
        assert!(!matches!(seen.next().await, Told::Substream(_)), "nobody wants them any more");
    }
    assert_eq!(main.accepted(), 1);
}
