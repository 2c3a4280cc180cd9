//! Real clips through the real decoder, faster than they were filmed.
//!
//! one-by-one-person-detection.mp4 and car-detection.mp4 (Intel, CC-BY-4.0): people come one by one, with empty scenes between;
//! cars pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use privet_raw_camera::{Clip, synthetic};

use super::*;
use crate::motion::Sensitivity;

/// Every sample of a clip, decoded whole. Waits for the decoder, so that nothing is left out.
fn samples(clip: &Clip) -> Vec<MotionSample> {
    only_samples(sights(clip))
}

fn only_samples(sights: Vec<Sight>) -> Vec<MotionSample> {
    let sample = |sight| if let Sight::Sample(sample, _) = sight { Some(sample) } else { None };
    sights.into_iter().filter_map(sample).collect()
}

/// All that is seen in a clip that is decoded whole.
fn sights(clip: &Clip) -> Vec<Sight> {
    watched(clip, Portion::Whole, clip.reorders()).0
}

/// All that is seen in a clip, and how many pictures were decoded for it.
fn watched(clip: &Clip, portion: Portion, lenient: bool) -> (Vec<Sight>, u64) {
    let mut eyes = Eyes::open(&MotionSettings::default()).expect("GStreamer with avdec_h264");
    eyes.set_format(&format_of(clip), portion);
    watched_with(eyes, clip, lenient)
}

/// The same with eyes that know the clip's format.
fn watched_with(mut eyes: Eyes, clip: &Clip, lenient: bool) -> (Vec<Sight>, u64) {
    let mut receiver = eyes.sights().unwrap();
    let mut seen = Vec::new();
    for picture in &clip.pictures {
        eyes.look(unit_of(picture), picture.key, false, picture.show * 100 / 9);
        wait(&mut eyes, &mut receiver, &mut seen, lenient);
    }
    let decoded = eyes.desk.given.load(Ordering::Relaxed);
    assert_eq!(eyes.undecoded(), 0);
    (seen, decoded)
}

fn format_of(clip: &Clip) -> Format {
    let video = retina::codec::h264::parameters_from_sps_and_pps(&clip.sps, &clip.pps, Default::default()).unwrap();
    let (width, height) = video.pixel_dimensions();
    Format {
        codec: video.rfc6381_codec().into(),
        width,
        height,
        video_sample_entry: Bytes::new(),
        avcc: Bytes::copy_from_slice(video.extra_data()),
        audio: None,
        nominal_millifps: None,
    }
}

fn unit_of(picture: &privet_raw_camera::clip::Picture) -> Bytes {
    let mut unit = Vec::new();
    for nal in &picture.nals {
        unit.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
        unit.extend_from_slice(nal);
    }
    unit.into()
}

/// Until the decoder has nothing to do, with the worker's part: suspicions and samples go back to the eyes. When it
/// holds pictures back (B-frames) or gives none (garbage), only its queue tells.
fn wait(eyes: &mut Eyes, receiver: &mut mpsc::Receiver<Sight>, seen: &mut Vec<Sight>, lenient: bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        // In this order: what the decoder gave before it had nothing more to do is there to be received.
        let idle = eyes.source.current_level_buffers() == 0 && (lenient || eyes.desk.is_clear());
        let before = seen.len();
        while let Ok(sight) = receiver.try_recv() {
            match &sight {
                Sight::Suspicion { pts_us } => eyes.suspect(*pts_us),
                Sight::Sample(sample, motion) => eyes.saw(sample.pts_us, *motion),
                _ => {}
            }
            seen.push(sight);
        }
        if idle && seen.len() == before {
            return;
        }
        assert!(Instant::now() < deadline, "the decoder hangs");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn clip(name: &str) -> Option<Clip> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/video").join(name);
    if !path.exists() {
        eprintln!("\n*** SKIPPED: the clip {} is missing; this test shows nothing without it ***\n", path.display());
        return None;
    }
    Some(Clip::open(&path, 15).unwrap())
}

fn drawn(samples: &[MotionSample]) -> String {
    samples.iter().map(|sample| if sample.active { '#' } else { '.' }).collect()
}

fn seconds(sample: &MotionSample) -> f64 {
    sample.pts_us as f64 / 1e6
}

/// When people are in the picture, in seconds, read off the clip by eye.
const PRESENT: [(f64, f64); 6] = [(5.4, 19.5), (21.4, 44.6), (49.0, 69.5), (74.2, 86.8), (91.0, 119.5), (122.8, 135.8)];

#[test]
fn each_person_that_enters_is_found_and_the_empty_scene_is_quiet() {
    let Some(clip) = clip("one-by-one-person-detection.mp4") else { return };
    let samples = samples(&clip);
    eprintln!("{}", drawn(&samples));
    for (enters, leaves) in PRESENT {
        let onset = samples.iter().find(|s| s.active && (enters..leaves).contains(&seconds(s)));
        let after = onset.map(|sample| seconds(sample) - enters);
        assert!(
            after.is_some_and(|after| after < 1.5),
            "the person that enters at {enters} s is found after {after:?} s"
        );
    }
    // Two seconds of the detector's hold, and one for shadows and for the eye that read the times off.
    let nobody = |at: f64| PRESENT.iter().all(|(enters, leaves)| at < enters - 0.3 || at > leaves + 3.0);
    let wrong: Vec<_> = samples.iter().filter(|s| s.active && nobody(seconds(s))).map(seconds).collect();
    assert!(wrong.is_empty(), "motion in the empty scene at {wrong:?}");
    assert!(samples.iter().filter(|s| nobody(seconds(s))).count() > 25, "the clip has empty scenes");
    let rate = samples.len() as f64 / seconds(samples.last().unwrap());
    assert!((4.0..6.0).contains(&rate), "{rate} pictures looked at per second");
}

#[test]
fn each_activity_has_a_first_and_a_best_picture_and_nobody_is_accused() {
    let Some(clip) = clip("one-by-one-person-detection.mp4") else { return };
    let sights = sights(&clip);
    assert!(!sights.iter().any(|sight| matches!(sight, Sight::Tampered(_))), "nobody touched that camera");
    let pictures: Vec<_> = sights
        .iter()
        .filter_map(|sight| if let Sight::Picture(picture) = sight { Some(picture) } else { None })
        .collect();
    assert!(pictures.len() >= 8, "{pictures:?}");
    for pair in pictures.chunks(2) {
        assert!(!pair[0].last && pair.get(1).is_none_or(|best| best.last && best.pts_us >= pair[0].pts_us), "{pair:?}");
    }
    for picture in pictures {
        let read = image::load_from_memory(&picture.jpeg).unwrap();
        assert_eq!((read.width(), read.height()), (320, 180));
        assert!(!picture.small_jpeg.is_empty());
    }
    let with_heat =
        sights.iter().filter(|sight| matches!(sight, Sight::Sample(s, _) if s.heat.is_some() && s.zones == 1));
    assert!(with_heat.count() > 100);
}

#[test]
fn cars_that_pass_are_found() {
    let Some(clip) = clip("car-detection.mp4") else { return };
    let samples = samples(&clip);
    let line = drawn(&samples);
    eprintln!("{line}");
    assert!(samples.iter().filter(|sample| sample.active).count() > samples.len() / 4, "{line}");
}

#[test]
fn garbage_in_units_stops_nothing() {
    let mut clip = synthetic::clip(8, 6, 10, 10, 100);
    for picture in &mut clip.pictures[30..40] {
        for nal in &mut picture.nals {
            for (i, byte) in nal.iter_mut().enumerate().skip(1) {
                *byte = (i * 37 % 251) as u8 | 1;
            }
        }
    }
    let samples = only_samples(watched(&clip, Portion::Whole, true).0);
    assert!(samples.last().is_some_and(|last| seconds(last) > 9.0), "the decoder goes on after garbage");
}

/// Whether it is a key frame, its time in microseconds, its bytes.
type Unit = (bool, i64, Vec<u8>);

/// A ball that bounces, in H.265, as a worker gets it; made by the encoder of GStreamer's plugins of pictures of this kind.
fn h265_ball(pixels: &str) -> Option<(Bytes, Vec<Unit>)> {
    load().unwrap();
    let folder = PLUGIN_FOLDERS.iter().find(|folder| Path::new(folder).join(PLUGINS[0]).exists()).unwrap();
    for plugin in ["libgstvideotestsrc.so", "libgstx265.so"] {
        if let Err(e) = gst::Plugin::load_file(format!("{folder}/{plugin}")) {
            eprintln!("\n*** SKIPPED: {plugin} can't be loaded ({e}); H.265 is not shown without it ***\n");
            return None;
        }
    }
    let make = |name: &'static str| gst::ElementFactory::make(name);
    let pattern =
        make("videotestsrc").property("num-buffers", 90i32).property_from_str("pattern", "ball").build().unwrap();
    let raw = gst::Caps::builder("video/x-raw").field("format", pixels).field("width", 320i32).field("height", 240i32);
    let raw = raw.field("framerate", gst::Fraction::new(15, 1)).build();
    let size = make("capsfilter").property("caps", raw).build().unwrap();
    let encoder = make("x265enc").property("key-int-max", 30i32).property_from_str("tune", "zerolatency");
    let encoder = encoder.property_from_str("speed-preset", "ultrafast").build().unwrap();
    let parser = make("h265parse").build().unwrap();
    let coded = gst::Caps::builder("video/x-h265").field("stream-format", "hvc1").field("alignment", "au").build();
    let sink = AppSink::builder().caps(&coded).sync(false).build();
    let pipeline = gst::Pipeline::new();
    let elements = [&pattern, &size, &encoder, &parser, sink.upcast_ref()];
    pipeline.add_many(elements).unwrap();
    gst::Element::link_many(elements).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let (mut hvcc, mut units) = (Bytes::new(), Vec::new());
    while let Ok(sample) = sink.pull_sample() {
        let data = sample.caps().unwrap().structure(0).unwrap().get::<gst::Buffer>("codec_data").unwrap();
        hvcc = Bytes::copy_from_slice(&data.map_readable().unwrap());
        let buffer = sample.buffer().unwrap();
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let pts_us = units.len() as i64 * 66_667;
        units.push((key, pts_us, buffer.map_readable().unwrap().to_vec()));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    if units.is_empty() {
        eprintln!("\n*** SKIPPED: x265enc takes no {pixels}; such H.265 is not shown without it ***\n");
        return None;
    }
    Some((hvcc, units))
}

fn h265_format(hvcc: &Bytes) -> Format {
    Format {
        codec: "hvc1.1.6.L60.90".into(),
        width: 320,
        height: 240,
        video_sample_entry: Bytes::new(),
        avcc: hvcc.clone(),
        audio: None,
        nominal_millifps: None,
    }
}

/// Shows the units, `later_us` after their own time.
fn show(eyes: &mut Eyes, receiver: &mut mpsc::Receiver<Sight>, units: &[Unit], later_us: i64) -> Vec<Sight> {
    let mut seen = Vec::new();
    for (key, pts_us, unit) in units {
        eyes.look(Bytes::copy_from_slice(unit), *key, false, later_us + *pts_us);
        wait(eyes, receiver, &mut seen, false);
    }
    seen
}

/// Ten seconds of moving squares.
fn h264_squares() -> (Format, Vec<Unit>) {
    let clip = synthetic::clip(8, 6, 15, 15, 150);
    let unit = |p: &privet_raw_camera::clip::Picture| (p.key, p.show * 100 / 9, unit_of(p).to_vec());
    (format_of(&clip), clip.pictures.iter().map(unit).collect())
}

#[test]
fn h265_is_looked_at_too() {
    let Some((hvcc, units)) = h265_ball("I420") else { return };
    assert_eq!(units.len(), 90);
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&h265_format(&hvcc), Portion::Whole);
    let seen = show(&mut eyes, &mut receiver, &units, 0);
    assert!(seen.iter().any(|sight| matches!(sight, Sight::Sample(sample, _) if sample.active)), "the ball moves");
    assert!(seen.iter().any(|sight| matches!(sight, Sight::Picture(_))));
    assert_eq!(eyes.undecoded(), 0);
}

#[test]
fn with_key_frames_alone_each_person_is_found_and_the_empty_scene_costs_few_pictures() {
    let Some(clip) = corridor_of_a_camera(0) else { return };
    let (sights, decoded) = watched(&clip, Portion::KeyFrames, false);
    let suspicions = suspicions(&sights);
    let samples = only_samples(sights);
    eprintln!("{} of {} pictures decoded, {suspicions} suspicions", decoded, clip.pictures.len());
    eprintln!("{}", drawn(&samples));
    for (enters, leaves) in PRESENT {
        let onset = samples.iter().find(|s| s.active && (enters..leaves).contains(&seconds(s)));
        let after = onset.map(|sample| seconds(sample) - enters);
        // Two seconds more than with all pictures: a group, before whose key frame too little of them is to be seen.
        assert!(after.is_some_and(|after| after < 3.5), "the person of {enters} s is found after {after:?} s");
    }
    let back: Vec<_> =
        samples.windows(2).map(|pair| (pair[0].pts_us, pair[1].pts_us)).filter(|(a, b)| b <= a).collect();
    assert!(back.is_empty(), "the detector goes back in time: {back:?}");
    let nobody = |at: f64| PRESENT.iter().all(|(enters, leaves)| at < enters - 0.3 || at > leaves + 3.0);
    let wrong: Vec<_> = samples.iter().filter(|s| s.active && nobody(seconds(s))).map(seconds).collect();
    assert!(wrong.is_empty(), "motion in the empty scene at {wrong:?}");
}

#[test]
fn a_camera_that_sends_grey_without_colours_is_looked_at_too() {
    let Some(clip) = corridor(0, "gray") else { return };
    let sights = sights(&clip);
    let pictures: Vec<_> =
        sights.iter().filter_map(|s| if let Sight::Picture(p) = s { Some(p.jpeg.clone()) } else { None }).collect();
    assert!(pictures.len() > 5 && pictures.iter().all(|jpeg| image::load_from_memory(jpeg).is_ok()));
    let samples = only_samples(sights);
    for (enters, leaves) in PRESENT {
        let found = samples.iter().any(|s| s.active && (enters..leaves).contains(&seconds(s)));
        assert!(found, "the person of {enters} s; {}", drawn(&samples));
    }
}

/// The corridor as a camera sends it: a key frame every two seconds, so many B-frames between two other pictures.
fn corridor_of_a_camera(b_frames: u32) -> Option<Clip> {
    corridor(b_frames, "yuv420p")
}

/// The same in this pixel format.
fn corridor(b_frames: u32, pixels: &str) -> Option<Clip> {
    filmed(b_frames, pixels, "scale=640:360", 23, 140)
}

/// So many seconds of it through this filter, which says its size, in this quality (x264's `crf`).
fn filmed(b_frames: u32, pixels: &str, filter: &str, quality: u32, seconds: u32) -> Option<Clip> {
    clip("one-by-one-person-detection.mp4")?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/video/one-by-one-person-detection.mp4");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join(if b_frames == 0 { "corridor.h264" } else { "corridor.mp4" });
    let x264 = format!("keyint=20:min-keyint=20:scenecut=0:bframes={b_frames}:b-adapt=0:threads=1");
    let run = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&from)
        .args([
            "-an",
            "-vf",
            filter,
            "-t",
            &seconds.to_string(),
            "-pix_fmt",
            pixels,
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            &quality.to_string(),
            "-x264-params",
            &x264,
        ])
        .arg(&to)
        .status();
    if !run.is_ok_and(|status| status.success()) {
        eprintln!("\n*** SKIPPED: no ffmpeg that encodes H.264; key frames alone are not shown without it ***\n");
        return None;
    }
    Some(Clip::open(&to, 10).unwrap())
}

/// The corridor in the smallest size of which key frames on trial go without the loop filter.
fn large_corridor(seconds: u32) -> Option<Clip> {
    filmed(0, "yuv420p", "scale=1280:720", 23, seconds)
}

/// Five seconds of it, empty, again and again, with a sensor's noise at night and few bits for it, so that blocks have edges.
fn night(seconds: u32) -> Option<Clip> {
    filmed(0, "yuv420p", "trim=end=4.8,loop=-1:48,setpts=N/10/TB,scale=1280:720,noise=alls=12:allf=t", 34, seconds)
}

/// What is seen of a large clip when key frames on trial are decoded without the loop filter, and with it.
fn without_and_with_the_filter(clip: &Clip, settings: &MotionSettings) -> [(Vec<Sight>, u64); 2] {
    [true, false].map(|without| {
        let mut eyes = Eyes::open(settings).unwrap();
        eyes.set_format(&format_of(clip), Portion::KeyFrames);
        assert!(eyes.unfiltered.is_some());
        if !without {
            eyes.unfiltered = None;
        }
        watched_with(eyes, clip, false)
    })
}

fn suspicions(sights: &[Sight]) -> usize {
    sights.iter().filter(|sight| matches!(sight, Sight::Suspicion { .. })).count()
}

#[test]
fn a_trial_without_the_loop_filter_finds_the_same_people_at_the_same_time() {
    let Some(clip) = large_corridor(60) else { return };
    let seen = without_and_with_the_filter(&clip, &MotionSettings::default());
    let [(without, decoded_without), (with, decoded_with)] = seen;
    eprintln!(
        "{decoded_without} pictures decoded, {} suspicions; {decoded_with}, {}",
        suspicions(&without),
        suspicions(&with)
    );
    // From no filter to the filter and back each time somebody comes and goes: that is no motion.
    assert_eq!(suspicions(&without), suspicions(&with));
    let [without, with] = [without, with].map(only_samples);
    eprintln!("{}\n{}", drawn(&without), drawn(&with));
    for (enters, leaves) in PRESENT.into_iter().filter(|(enters, _)| *enters < 58.0) {
        let [without, with] = [&without, &with].map(|samples| {
            let onset = samples.iter().find(|s| s.active && (enters..leaves).contains(&seconds(s)));
            seconds(onset.unwrap_or_else(|| panic!("the person of {enters} s; {}", drawn(samples))))
        });
        // The next picture that is looked at.
        assert!((without - with).abs() < 0.25, "the person of {enters} s at {without} s, with the filter at {with} s");
        assert!(without - enters < 3.5, "the person of {enters} s at {without} s");
    }
    let nobody = |at: f64| PRESENT.iter().all(|(enters, leaves)| at < enters - 0.3 || at > leaves + 3.0);
    let wrong: Vec<_> = without.iter().filter(|s| s.active && nobody(seconds(s))).map(seconds).collect();
    assert!(wrong.is_empty(), "motion in the empty scene at {wrong:?}");
}

#[test]
fn at_night_a_trial_without_the_loop_filter_stays_as_quiet_as_one_with_it() {
    let Some(clip) = night(40) else { return };
    let settings = MotionSettings { sensitivity: Sensitivity::High, ..MotionSettings::default() };
    let [(without, decoded_without), (with, decoded_with)] = without_and_with_the_filter(&clip, &settings);
    assert_eq!((suspicions(&without), decoded_without), (suspicions(&with), decoded_with));
    let samples = only_samples(without);
    assert!(samples.iter().all(|sample| !sample.active), "{}", drawn(&samples));
    // A key frame every two seconds, and what the detector begins with.
    assert!(decoded_without < 26 + 20, "{decoded_without} of {} pictures decoded", clip.pictures.len());
}

#[test]
fn only_key_frames_on_trial_of_large_h264_go_without_the_loop_filter() {
    let Some(clip) = large_corridor(8) else { return };
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    eyes.set_format(&format_of(&clip), Portion::KeyFrames);
    let given = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = given.clone();
    let pad = eyes.chains[0].decoder.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        seen.lock().unwrap().push(info.buffer().unwrap().map_readable().unwrap().to_vec());
        gst::PadProbeReturn::Ok
    });
    watched_with(eyes, &clip, false);
    let given = given.lock().unwrap();
    let numbers: Vec<_> = given.iter().map(|data| clip.pictures.iter().position(|p| unit_of(p) == *data)).collect();
    // The detector learns the scene for 2.5 s, then comes a key frame on trial at 4 s, and one at 6 s, in which somebody has come: what
    // is decoded for that is as it was sent, from the key frame at 4 s on.
    let mut expected: Vec<_> = (0..25).map(Some).collect();
    expected.extend([None, None]);
    expected.extend((40..80).map(Some));
    // Of the last group its end is left out, and what nobody looked at yet is not there yet.
    assert!(numbers.contains(&Some(60)) && expected.starts_with(&numbers), "{numbers:?}");

    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    eyes.set_format(&h264_squares().0, Portion::KeyFrames);
    assert!(eyes.unfiltered.is_none(), "small");
}

#[test]
fn a_decoder_that_reorders_does_not_hold_a_key_frame_on_trial_back() {
    let Some(clip) = corridor_of_a_camera(2) else { return };
    assert!(clip.reorders());
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&format_of(&clip), Portion::KeyFrames);
    let (mut seen, mut trials, mut since_key) = (Vec::new(), 0, 0);
    // The corridor is empty for five seconds.
    for picture in clip.pictures.iter().filter(|picture| picture.show < 5 * 90_000) {
        let pts_us = picture.show * 100 / 9;
        since_key = if picture.key { 0 } else { since_key + 1 };
        eyes.look(unit_of(picture), picture.key, false, pts_us);
        let is_due = since_key == 4 && pts_us > 3_900_000;
        trials += u32::from(is_due);
        wait(&mut eyes, &mut receiver, &mut seen, !is_due);
    }
    assert_eq!(trials, 1);
    let last = only_samples(seen).last().map(|sample| sample.pts_us);
    assert!(last.is_some_and(|last| last > 3_900_000), "{last:?}");
}

#[test]
fn a_substream_of_another_codec_than_the_main_stream_comes_and_goes() {
    let Some((hvcc, h265)) = h265_ball("I420") else { return };
    let (format, h264) = h264_squares();
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    for (round, later_us) in [(0, 0), (1, 100_000_000), (2, 200_000_000)] {
        eyes.look_elsewhere();
        eyes.set_format(&format, Portion::Whole);
        let seen = only_samples(show(&mut eyes, &mut receiver, &h264, later_us));
        assert!(seen.len() > 30, "H.264, round {round}: {} pictures looked at", seen.len());
        eyes.look_elsewhere();
        eyes.set_format(&h265_format(&hvcc), Portion::Whole);
        let seen = only_samples(show(&mut eyes, &mut receiver, &h265, later_us + 50_000_000));
        assert!(seen.len() > 20, "H.265, round {round}: {} pictures looked at", seen.len());
    }
    // And without a word in between, as a camera that changes its codec would.
    eyes.set_format(&format, Portion::Whole);
    assert!(only_samples(show(&mut eyes, &mut receiver, &h264, 300_000_000)).len() > 30);
    assert_eq!((eyes.trouble(Instant::now()), eyes.undecoded()), (None, 0));
}

#[test]
fn pictures_of_ten_bits_are_told_and_nothing_is_started_anew_for_them() {
    let Some((hvcc, units)) = h265_ball("I420_10LE") else { return };
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&h265_format(&hvcc), Portion::Whole);
    let mut now = Instant::now();
    for round in 0..10 {
        assert!(show(&mut eyes, &mut receiver, &units, round * 10_000_000).is_empty());
        for _ in 0..60 {
            now += Duration::from_millis(100);
            let told = eyes.trouble(now);
            assert!(matches!(told, Some(Trouble::Told(text)) if text.contains("8 bits")), "{told:?}");
        }
    }
    assert_eq!((eyes.state, eyes.undecoded()), (State::Decoding, 0));
}

#[test]
fn after_an_error_in_the_pipeline_the_next_key_frame_is_looked_at() {
    let (format, units) = h264_squares();
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&format, Portion::Whole);
    show(&mut eyes, &mut receiver, &units[..20], 0);
    let error = gst::message::Error::builder(gst::CoreError::Failed, "for the test").src(&eyes.chains[0].decoder);
    eyes.pipeline.bus().unwrap().post(error.build()).unwrap();
    assert_eq!(eyes.trouble(Instant::now()), None);
    assert_eq!(eyes.state, State::WaitingForKey);
    let seen = only_samples(show(&mut eyes, &mut receiver, &units[20..], 0));
    // What was seen before the error may only be told now.
    let times: Vec<_> = seen.iter().map(|sample| sample.pts_us).filter(|at| *at > 1_300_000).collect();
    assert!(times.first() == Some(&2_000_000) && times.len() > 20, "{times:?}");
    assert_eq!(eyes.undecoded(), 1 + 10, "up to the next key frame");
}

#[test]
fn a_decoder_that_hangs_is_found_and_neither_asked_nor_waited_for() {
    let (format, units) = h264_squares();
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&format, Portion::Whole);
    show(&mut eyes, &mut receiver, &units[..15], 0);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let pad = eyes.chains[0].decoder.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = held.lock().unwrap().recv();
        gst::PadProbeReturn::Ok
    });
    for (key, pts_us, unit) in &units[15..60] {
        eyes.look(Bytes::copy_from_slice(unit), *key, false, *pts_us);
    }
    let (mut now, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    // The units that the pipeline takes before it stands still.
    while eyes.trouble(now).is_none() {
        assert!(Instant::now() < deadline, "nobody notices");
        now += Duration::from_millis(100);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(eyes.trouble(now), Some(Trouble::Over("hangs")));
    eyes.look_elsewhere();
    eyes.set_format(&format, Portion::Whole);
    assert_eq!(eyes.state, State::Hangs);
    drop(eyes);
    drop(release);
}

#[test]
fn a_stream_that_is_placed_earlier_on_the_time_is_looked_at_at_once() {
    let (format, units) = h264_squares();
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&format, Portion::Whole);
    show(&mut eyes, &mut receiver, &units[..60], 5_000_000);
    // Three seconds less than it would have been.
    let seen = only_samples(show(&mut eyes, &mut receiver, &units[60..75], 2_000_000));
    assert!(seen.iter().all(|sample| sample.pts_us < 7_000_000) && seen.len() >= 4, "{}", seen.len());
}
