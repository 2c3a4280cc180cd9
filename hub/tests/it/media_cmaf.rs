//! Real clips, with B-frames and with AAC, become CMAF that ffprobe and ffmpeg read without a complaint, picture for picture
//! the same as the original.

use std::path::Path;
use std::process::Command;

use privet_hub::media::chunk::{Sample, write_chunk};
use privet_hub::media::init::{AudioTrack, Tracks, init_segment};
use privet_hub::media::timing::DecodeClock;
use privet_hub::media::{AUDIO_TRACK, VIDEO_TRACK};

use crate::common::clip::{self, Track};

fn has_ffmpeg() -> bool {
    let there = |tool: &str| Command::new(tool).arg("-version").output().is_ok_and(|o| o.status.success());
    if there("ffprobe") && there("ffmpeg") {
        return true;
    }
    eprintln!("\n!!! NOT TESTED: ffprobe and ffmpeg are missing; install the package ffmpeg\n");
    false
}

fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(tool).args(args).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?}: {complaints}");
    assert!(complaints.trim().is_empty(), "{tool} {args:?} complains: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

/// MD5 of every decoded picture, in the order of showing.
fn pictures(file: &Path) -> Vec<String> {
    let args =
        ["-v", "error", "-i", file.to_str().unwrap(), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let lines = run("ffmpeg", &args);
    lines.lines().filter(|l| !l.starts_with('#')).map(|l| l.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

struct Muxed {
    bytes: Vec<u8>,
    /// Where every key frame's chunk begins, after the init segment.
    groups: Vec<usize>,
    init: usize,
    /// Where on the clip's time line the file's begins.
    origin: i64,
}

fn mux(video: &Track, audio: Option<&Track>) -> Muxed {
    let visual = video.codec.visual().unwrap();
    let rate = audio.map(|a| u32::from(a.codec.audio().unwrap().sample_rate.integer()));
    let tracks = Tracks {
        video: &video.sample_entry,
        width: visual.width.into(),
        height: visual.height.into(),
        audio: audio.map(|a| AudioTrack { sample_entry: &a.sample_entry, sample_rate: rate.unwrap() }),
    };
    let mut bytes = init_segment(&tracks).unwrap();
    let init = bytes.len();
    let mut groups = Vec::new();
    let mut clock = DecodeClock::new(None);
    // As in the hub: streams start long after the camera has shown how far it reorders.
    for unit in &video.samples[..60] {
        clock.next(unit.pts_us - 3_600_000_000, unit.key);
    }
    clock.reconnect(None);
    let base = video.samples[0].pts_us;
    let origin = clock.clone().next(0, true).dts_us;
    let mut sound = audio.map(|a| a.samples.as_slice()).unwrap_or_default();
    let mut sequence = 0;
    let mut next = || {
        sequence += 1;
        sequence
    };
    for unit in &video.samples {
        while let Some((first, rest)) = sound.split_first().filter(|(s, _)| s.pts_us <= unit.pts_us) {
            let rate = i64::from(rate.unwrap());
            let sample = Sample {
                track: AUDIO_TRACK,
                sequence: next(),
                dts: u64::try_from(((first.pts_us - base - origin) * rate + 500_000) / 1_000_000).unwrap(),
                composition_offset: 0,
                duration: 1024,
                key: true,
            };
            write_chunk(&sample, &first.data, &mut bytes).unwrap();
            sound = rest;
        }
        if unit.key {
            groups.push(bytes.len());
        }
        let timing = clock.next(unit.pts_us - base, unit.key);
        let sample = Sample {
            track: VIDEO_TRACK,
            sequence: next(),
            dts: u64::try_from(timing.dts_us - origin).unwrap(),
            composition_offset: i32::try_from(timing.pts_us - timing.dts_us).unwrap(),
            duration: timing.duration_us,
            key: unit.key,
        };
        let before = bytes.len();
        let header = write_chunk(&sample, &unit.data, &mut bytes).unwrap();
        assert_eq!(&bytes[before + header..], unit.data);
    }
    Muxed { bytes, groups, init, origin }
}

#[test]
fn real_clips_play_picture_for_picture() {
    let Some(folder) = clip::clips() else { return };
    if !has_ffmpeg() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for (name, has_audio) in [("car-detection.mp4", true), ("one-by-one-person-detection.mp4", false)] {
        let source = folder.join(name);
        let (video, audio) = clip::read(&source);
        assert_eq!(audio.is_some(), has_audio, "{name}");
        let muxed = mux(&video, audio.as_ref());
        let whole = scratch.path().join(name);
        std::fs::write(&whole, &muxed.bytes).unwrap();
        assert_eq!(pictures(&whole), pictures(&source), "{name}: the pictures differ");

        let probe =
            ["-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0"];
        let listing = run("ffprobe", &[&probe[..], &[whole.to_str().unwrap()]].concat());
        assert!(listing.contains(&format!("h264,{}", video.samples.len())), "{name}: {listing}");
        if let Some(audio) = &audio {
            // Audio beyond the last video frame was not muxed.
            let packets =
                listing.lines().find_map(|l| l.strip_prefix("aac,")).unwrap().trim().parse::<usize>().unwrap();
            assert!(packets > 0 && packets <= audio.samples.len(), "{name}: {packets}");
        }
        let stamps = ["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
        let shown = run("ffprobe", &[&stamps[..], &[whole.to_str().unwrap()]].concat());
        for (line, unit) in shown.lines().zip(&video.samples) {
            let shown: f64 = line.trim_end_matches(',').parse().unwrap();
            let wanted = (unit.pts_us - video.samples[0].pts_us - muxed.origin) as f64 / 1e6;
            assert!((shown - wanted).abs() < 2e-6, "{name}: shown at {shown}, wanted {wanted}");
        }
    }
}

#[test]
fn every_group_plays_alone_after_the_init_segment() {
    let Some(folder) = clip::clips() else { return };
    if !has_ffmpeg() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (video, _) = clip::read(&folder.join("one-by-one-person-detection.mp4"));
    let muxed = mux(&video, None);
    assert!(muxed.groups.len() > 2, "the clip has several groups");
    let ends = muxed.groups.iter().skip(1).copied().chain([muxed.bytes.len()]);
    let mut shown = 0;
    for (begin, end) in muxed.groups.iter().zip(ends) {
        let alone = scratch.path().join("group.mp4");
        std::fs::write(&alone, [&muxed.bytes[..muxed.init], &muxed.bytes[*begin..end]].concat()).unwrap();
        shown += pictures(&alone).len();
    }
    assert_eq!(shown, video.samples.len());
}

#[test]
fn damaged_sample_entries_are_refused_and_never_panic() {
    let Some(folder) = clip::clips() else { return };
    let (video, audio) = clip::read(&folder.join("car-detection.mp4"));
    let audio = audio.unwrap();
    let make = |video: &[u8], audio: &[u8]| {
        init_segment(&Tracks {
            video,
            width: 768,
            height: 432,
            audio: Some(AudioTrack { sample_entry: audio, sample_rate: 48_000 }),
        })
    };
    make(&video.sample_entry, &audio.sample_entry).unwrap();
    make(&audio.sample_entry, &audio.sample_entry).unwrap_err();
    make(&video.sample_entry, &video.sample_entry).unwrap_err();
    for cut in 0..video.sample_entry.len() {
        make(&video.sample_entry[..cut], &audio.sample_entry).unwrap_err();
    }
    for cut in 0..audio.sample_entry.len() {
        make(&video.sample_entry, &audio.sample_entry[..cut]).unwrap_err();
    }
    for byte in 0..video.sample_entry.len() {
        let mut bent = video.sample_entry.clone();
        bent[byte] ^= 0xff;
        let _ = make(&bent, &audio.sample_entry);
    }
}
