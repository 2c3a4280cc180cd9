//! Streams of x264, and what a decoder that is told to leave the filter out makes of their key frames.
//!
//! Made with `ffmpeg -f lavfi -i testsrc2=size=96x64:rate=15:duration=0.4,noise=alls=8:allf=t,format=yuv420p -c:v libx264 -crf 36
//! -x264-params keyint=3:min-keyint=3:scenecut=0:bframes=0:weightp=0:ref=1`, and `-profile:v baseline` with `:slices=2` (no
//! arithmetic coding), `-profile:v high` with `:deblock=-2,3`, and `-profile:v main -flags +ilme+ildct` with `:tff=1`. The two that
//! are called bare were `baseline` and `high` without `deblock`; `deblocking_filter_control_present_flag` and the fields that it
//! stands for were taken out of them, and ffmpeg makes the same pictures of them as before. The hashes are of `ffmpeg
//! -skip_loop_filter all -skip_frame nokey -f rawvideo`.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use proptest::prelude::*;

use super::*;

const BASELINE: &[u8] = include_bytes!("../../../tests/h264/baseline.h264");
const HIGH: &[u8] = include_bytes!("../../../tests/h264/high.h264");
const INTERLACED: &[u8] = include_bytes!("../../../tests/h264/interlaced.h264");
const BARE_HIGH: &[u8] = include_bytes!("../../../tests/h264/bare-high.h264");
const BARE_BASELINE: &[u8] = include_bytes!("../../../tests/h264/bare-baseline.h264");

/// Each with the hash of its two key frames, unfiltered.
const FILMS: [(&str, &[u8], &str); 5] = [
    ("baseline", BASELINE, "56f073f343e9791d8a114743299cf3bf88ce05489b940138e9902160239a8254"),
    ("high", HIGH, "23e1685f0d4d6a643e8833ecb530ad8594090e0111e300390a29a9f93102e4b6"),
    ("interlaced", INTERLACED, "d789dbf175c53f9aae7fc064ff9cdf17deb321447034d5822b98b878caebc6e3"),
    ("bare high", BARE_HIGH, "23e1685f0d4d6a643e8833ecb530ad8594090e0111e300390a29a9f93102e4b6"),
    ("bare baseline", BARE_BASELINE, "56f073f343e9791d8a114743299cf3bf88ce05489b940138e9902160239a8254"),
];

#[test]
fn key_frames_are_decoded_as_by_a_decoder_that_leaves_the_filter_out() {
    for (name, film, expected) in FILMS {
        let film = Film::of(film);
        let mut unfiltered = film.unfiltered();
        let as_sent: Vec<Bytes> = film.keys().collect();
        let rewritten: Vec<Bytes> = film.keys().map(|key| unfiltered.unit(&key)).collect();
        assert_ne!(hash(&film.decoded(&as_sent).concat()), expected, "{name}: the filter makes a difference");
        assert_eq!(hash(&film.decoded(&rewritten).concat()), expected, "{name}");
    }
}

#[test]
fn what_comes_as_it_was_sent_is_decoded_as_if_nothing_had_been_on_trial_before() {
    for (name, film, _) in FILMS {
        let film = Film::of(film);
        let mut unfiltered = film.unfiltered();
        // Each group after its key frame was on trial, as in a look back, and another trial after it.
        let (mut units, mut is_trial) = (Vec::new(), Vec::new());
        for group in film.units.chunks(3) {
            let trial = unfiltered.unit(&group[0]);
            assert_ne!(trial, group[0], "{name}");
            units.push(trial.clone());
            units.extend_from_slice(group);
            units.push(trial);
            is_trial.extend([true, false, false, false, true]);
        }
        let mut pictures = film.decoded(&units);
        assert_eq!(pictures.len(), units.len(), "{name}");
        let mut is_trial = is_trial.into_iter();
        pictures.retain(|_| !is_trial.next().unwrap());
        assert!(pictures == film.decoded(&film.units), "{name}: a trial left something behind");
    }
}

#[test]
fn pictures_that_refer_to_others_and_what_is_no_slice_stay_as_they_are() {
    for (name, film, _) in FILMS {
        let film = Film::of(film);
        let mut unfiltered = film.unfiltered();
        for unit in film.units.iter().filter(|unit| !is_key(unit)) {
            assert_eq!(unfiltered.unit(unit), *unit, "{name}");
        }
        let key = film.keys().next().unwrap();
        let other = |unit: &Bytes| -> Vec<Vec<u8>> { nals(unit).filter(|nal| nal[0] & 31 == 6).collect() };
        assert!(!other(&key).is_empty(), "{name}: x264 says who it is");
        assert_eq!(other(&unfiltered.unit(&key)), other(&key), "{name}");
    }
    let access_unit_delimiter = Bytes::from_static(&[0, 0, 0, 2, 9, 0xf0]);
    assert_eq!(Film::of(HIGH).unfiltered().unit(&access_unit_delimiter), access_unit_delimiter);
}

#[test]
fn what_is_unfiltered_already_stays_as_it_is() {
    for (name, film, _) in FILMS {
        let film = Film::of(film);
        for key in film.keys() {
            let once = film.unfiltered().unit(&key);
            assert_ne!(once, key, "{name}");
            assert_eq!(film.unfiltered().unit(&once), once, "{name}");
        }
    }
}

#[test]
fn parameter_sets_may_come_with_the_units() {
    for (name, film, _) in FILMS {
        let film = Film::of(film);
        let key = film.keys().next().unwrap();
        let with_sets = Bytes::from([&with_length(&film.sps)[..], &with_length(&film.pps)[..], &key[..]].concat());
        let rewritten = Unfiltered::default().unit(&with_sets);
        let expected = film.unfiltered().unit(&key);
        assert!(rewritten != with_sets && rewritten.ends_with(&expected), "{name}");
        assert_eq!(Unfiltered::default().unit(&key), key, "{name}: nothing is known");
    }
}

#[test]
fn a_camera_s_parameter_set_is_not_replaced_by_ours() {
    let film = Film::of(BARE_HIGH);
    let key = film.keys().next().unwrap();
    let mut unfiltered = film.unfiltered();
    let ours = unfiltered.unit(&key);
    // A camera whose second parameter set has the id that ours would have.
    assert_ne!(ours, key);
    unfiltered.unit(&ours);
    assert_eq!(unfiltered.unit(&key), key);
}

#[test]
fn a_picture_is_taken_whole_or_not_at_all() {
    let film = Film::of(BASELINE);
    let key = film.keys().next().unwrap();
    let slices: Vec<_> = nals(&key).filter(|nal| nal[0] & 31 == 5).collect();
    assert_eq!(slices.len(), 2);
    // Data in partitions, an auxiliary picture, another view, a slice of another kind, of an unknown parameter set, nothing at all.
    for other in [&[2, 0x80][..], &[19, 0x80], &[20, 0x80], &[5, 0b1010_0000], &[0x65, 0b1011_0110], &[0x65], &[]] {
        let unit = Bytes::from([with_length(&slices[0]), with_length(other)].concat());
        assert_eq!(film.unfiltered().unit(&unit), unit, "{other:?}");
    }
    let torn = key.slice(..key.len() - 1);
    assert_eq!(film.unfiltered().unit(&torn), torn);
}

#[test]
fn a_record_that_is_none_gives_nothing() {
    assert!(Unfiltered::new(&[]).is_none());
    assert!(Unfiltered::new(&[1, 100, 0, 31, 0xff, 0xe1, 0, 200, 1]).is_none());
    let mut two_byte_lengths = Film::of(HIGH).record;
    two_byte_lengths[4] = 0xfd;
    assert!(Unfiltered::new(&two_byte_lengths).is_none());
}

proptest! {
    /// A camera can send anything.
    #[test]
    fn damaged_units_stay_as_they_are_or_are_other_units(
        film in 0_usize..FILMS.len(), at in 0_usize..4096, with in proptest::collection::vec(any::<u8>(), 0..24), cut in 0_usize..4096,
    ) {
        let film = Film::of(FILMS[film].1);
        let mut unfiltered = film.unfiltered();
        for unit in &film.units {
            // Most of the bytes are a message of x264's: slices' headers are wanted.
            let (mut slice, at) = (nals(unit).last().unwrap(), at % 48);
            for (byte, with) in slice.iter_mut().skip(at).zip(&with) {
                *byte ^= with;
            }
            slice.truncate(slice.len() - cut % slice.len() / 2);
            let unit = Bytes::from(with_length(&slice));
            let out = unfiltered.unit(&unit);
            prop_assert!(out == unit || is_well_formed(&out), "{out:?}");
            prop_assert!(out.len() <= unit.len() * 2 + 64);
        }
    }

    #[test]
    fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Unfiltered::new(&bytes);
        let mut record = Film::of(INTERLACED).record;
        for (byte, with) in record.iter_mut().skip(8).zip(&bytes) {
            *byte ^= with;
        }
        if let Some(mut unfiltered) = Unfiltered::new(&record) {
            let unit = Film::of(INTERLACED).units[0].clone();
            let out = unfiltered.unit(&unit);
            prop_assert!(out == unit || is_well_formed(&out));
        }
    }

    #[test]
    fn any_bytes_are_a_unit_or_stay_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..32) {
        let mut unfiltered = Film::of(BARE_HIGH).unfiltered();
        let unit = Bytes::from(bytes.clone());
        let out = unfiltered.unit(&unit);
        prop_assert!(out == unit || is_well_formed(&out));
        let unit = Bytes::from(with_length(&[&[0x60 | kind][..], &bytes[..]].concat()));
        let out = unfiltered.unit(&unit);
        prop_assert!(out == unit || is_well_formed(&out));
    }
}

/// A stream as a camera's worker has it.
struct Film {
    sps: Vec<u8>,
    pps: Vec<u8>,
    record: Vec<u8>,
    /// Without parameter sets.
    units: Vec<Bytes>,
}

impl Film {
    fn of(annex_b: &[u8]) -> Self {
        let starts: Vec<usize> = (0..annex_b.len()).filter(|at| annex_b[*at..].starts_with(&[0, 0, 1])).collect();
        let ends = starts.iter().skip(1).copied().chain([annex_b.len()]);
        let (mut sps, mut pps, mut units, mut unit) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut has_picture = false;
        for (start, end) in starts.iter().zip(ends) {
            let nal = &annex_b[start + 3..end];
            // The next start code may have one zero byte more.
            let nal = nal.strip_suffix(&[0]).unwrap_or(nal);
            let kind = nal[0] & 31;
            let is_slice = kind == SLICE || kind == IDR;
            // The first macroblock of a picture is number 0.
            if has_picture && (!is_slice || nal[1] & 0x80 != 0) {
                units.push(Bytes::from(std::mem::take(&mut unit)));
                has_picture = false;
            }
            has_picture |= is_slice;
            match kind {
                SPS => sps = nal.to_vec(),
                PPS => pps = nal.to_vec(),
                _ => unit.extend(with_length(nal)),
            }
        }
        units.push(Bytes::from(unit));
        assert!(units.len() == 6 && is_key(&units[0]) && is_key(&units[3]));
        // ISO/IEC 14496-15, 5.3.3.1.
        let head = [1, sps[1], sps[2], sps[3], 0xff, 0xe1];
        let record = [&head[..], &with_length(&sps)[2..], &[1][..], &with_length(&pps)[2..]].concat();
        Self { sps, pps, record, units }
    }

    fn unfiltered(&self) -> Unfiltered {
        Unfiltered::new(&self.record).unwrap()
    }

    fn keys(&self) -> impl Iterator<Item = Bytes> {
        self.units.iter().filter(|unit| is_key(unit)).cloned()
    }

    /// The pictures that the hub's decoder makes of these units, planes one after the other.
    fn decoded(&self, units: &[Bytes]) -> Vec<Vec<u8>> {
        super::super::eyes::load().expect("GStreamer with avdec_h264");
        let text = "appsrc name=in is-live=true format=time ! avdec_h264 std-compliance=normal max-threads=1 \
                    ! appsink name=out sync=false";
        let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
        let source: AppSrc = pipeline.by_name("in").unwrap().downcast().unwrap();
        let sink: AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(self.record.clone()))
            .field("width", 96i32)
            .field("height", 64i32)
            .build();
        source.set_caps(Some(&caps));
        pipeline.set_state(gst::State::Playing).unwrap();
        for (number, unit) in (0..).zip(units) {
            let mut buffer = gst::Buffer::from_slice(unit.clone());
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(number * 67));
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        let mut pictures = Vec::new();
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(20)) {
            let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
            let frame = VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
            let mut picture = Vec::new();
            for (plane, (width, height)) in [(0_usize, (96, 64)), (1, (48, 32)), (2, (48, 32))] {
                let stride = usize::try_from(frame.plane_stride()[plane]).unwrap();
                let data = frame.plane_data(u32::try_from(plane).unwrap()).unwrap();
                data.chunks(stride).take(height).for_each(|row| picture.extend_from_slice(&row[..width]));
            }
            pictures.push(picture);
        }
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(pictures.len(), units.len());
        pictures
    }
}

fn with_length(nal: &[u8]) -> Vec<u8> {
    [&u32::try_from(nal.len()).unwrap().to_be_bytes(), nal].concat()
}

/// The NAL units of a well-formed unit.
fn nals(mut unit: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(move || {
        let (length, rest) = unit.split_first_chunk::<4>()?;
        let (nal, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        unit = rest;
        Some(nal.to_vec())
    })
}

fn is_well_formed(mut unit: &[u8]) -> bool {
    while let Some((length, rest)) = unit.split_first_chunk::<4>() {
        let Some((_, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { return false };
        unit = rest;
    }
    unit.is_empty()
}

fn is_key(unit: &[u8]) -> bool {
    nals(unit).any(|nal| nal[0] & 31 == IDR)
}

/// In hexadecimal.
fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}
