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

/// Every sample of a clip. Waits for the decoder, so that nothing is left out.
fn samples(clip: &Clip) -> Vec<MotionSample> {
    let sample = |sight| if let Sight::Sample(sample) = sight { Some(sample) } else { None };
    sights(clip).into_iter().filter_map(sample).collect()
}

/// All that is seen in a clip.
fn sights(clip: &Clip) -> Vec<Sight> {
    let mut eyes = Eyes::open(&MotionSettings::default()).expect("GStreamer with avdec_h264 and h264parse");
    let mut receiver = eyes.sights().unwrap();
    let video = retina::codec::h264::parameters_from_sps_and_pps(&clip.sps, &clip.pps, Default::default()).unwrap();
    let (width, height) = video.pixel_dimensions();
    eyes.set_format(&Format {
        codec: video.rfc6381_codec().into(),
        width,
        height,
        video_sample_entry: Bytes::new(),
        avcc: Bytes::copy_from_slice(video.extra_data()),
        audio: None,
        nominal_millifps: None,
    });
    let mut samples = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(120);
    for picture in &clip.pictures {
        let mut unit = Vec::new();
        for nal in &picture.nals {
            unit.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
            unit.extend_from_slice(nal);
        }
        while eyes.source.current_level_buffers() > MAX_WAITING / 4 {
            assert!(Instant::now() < deadline, "the decoder hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
        eyes.look(&unit, picture.key, false, picture.show * 100 / 9);
        samples.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
    }
    while eyes.source.current_level_buffers() > 0 {
        assert!(Instant::now() < deadline, "the decoder hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    samples.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
    assert_eq!(eyes.undecoded(), 0);
    samples
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
    let with_heat = sights.iter().filter(|sight| matches!(sight, Sight::Sample(s) if s.heat.is_some() && s.zones == 1));
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
    let samples = samples(&clip);
    assert!(samples.last().is_some_and(|last| seconds(last) > 9.0), "the decoder goes on after garbage");
}

/// Whether it is a key frame, its time in microseconds, its bytes.
type Unit = (bool, i64, Vec<u8>);

/// A ball that bounces, in H.265, as a worker gets it; made by the encoder of GStreamer's plugins.
fn h265_ball() -> Option<(Bytes, Vec<Unit>)> {
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
    let raw = gst::Caps::builder("video/x-raw").field("format", "I420").field("width", 320i32).field("height", 240i32);
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
    Some((hvcc, units))
}

#[test]
fn h265_is_looked_at_too() {
    let Some((hvcc, units)) = h265_ball() else { return };
    assert_eq!(units.len(), 90);
    let mut eyes = Eyes::open(&MotionSettings::default()).unwrap();
    let mut receiver = eyes.sights().unwrap();
    eyes.set_format(&Format {
        codec: "hvc1.1.6.L60.90".into(),
        width: 320,
        height: 240,
        video_sample_entry: Bytes::new(),
        avcc: hvcc,
        audio: None,
        nominal_millifps: None,
    });
    let mut seen = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    for (key, pts_us, unit) in &units {
        while eyes.source.current_level_buffers() > MAX_WAITING / 4 {
            assert!(Instant::now() < deadline, "the decoder hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
        eyes.look(unit, *key, false, *pts_us);
        seen.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
    }
    let last = |seen: &[Sight]| {
        seen.iter().rev().find_map(|sight| if let Sight::Sample(sample) = sight { Some(sample.pts_us) } else { None })
    };
    while last(&seen).is_none_or(|pts_us| pts_us < 5_000_000) {
        assert!(Instant::now() < deadline, "only up to {:?} us", last(&seen));
        seen.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(seen.iter().any(|sight| matches!(sight, Sight::Sample(sample) if sample.active)), "the ball moves");
    assert!(seen.iter().any(|sight| matches!(sight, Sight::Picture(_))));
    assert_eq!(eyes.undecoded(), 0);
}
