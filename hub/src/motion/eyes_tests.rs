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
