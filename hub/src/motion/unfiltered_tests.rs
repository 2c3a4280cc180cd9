//! Streams of x264, and what a decoder that is told to leave the filter out makes of them.
//!
//! Made with `ffmpeg -f lavfi -i testsrc2=size=96x64:rate=15:duration=0.4,noise=alls=8:allf=t,format=yuv420p -c:v libx264 -crf 36`, and
//! `-profile:v baseline -slices 2` (no arithmetic coding), `-profile:v high -bf 0 -weightp 2 -refs 3`, `-profile:v main -bf 2` and
//! `-profile:v high -bf 0 -flags +ilme+ildct -x264-params tff=1`; the hashes are of `ffmpeg -skip_loop_filter all -f rawvideo`.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use aws_lc_rs::digest::{Context as Digest, SHA256};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use gstreamer_video::{VideoFrameExt, VideoFrameRef, VideoInfo};
use h264_reader::nal::slice::SliceHeader;
use privet_raw_camera::clip::annex_b;
use proptest::prelude::*;

use super::*;

const BASELINE: &[u8] = include_bytes!("../../tests/h264/baseline.h264");
const HIGH: &[u8] = include_bytes!("../../tests/h264/high.h264");
const REORDERED: &[u8] = include_bytes!("../../tests/h264/reordered.h264");
const INTERLACED: &[u8] = include_bytes!("../../tests/h264/interlaced.h264");

#[test]
fn what_is_decoded_is_what_a_decoder_without_the_filter_makes_of_the_stream() {
    for (name, film, expected) in [
        ("baseline", BASELINE, "9a80389ad49fdc9081ed02f65e5f2a7e41f5901283253bc74ab15df7dc3094cd"),
        ("high", HIGH, "bd1fd9c0b0553bdee200a71da6b5a16d4b091d88db573dc2d93c089183331361"),
        ("reordered", REORDERED, "ed3fcb36819857107c5d6555d030508ec717fb2e9d75417730374e0631cbaf1a"),
        ("interlaced", INTERLACED, "cacca0035cb13b700fbcd324f16878a73495fb0f8e018cd206983596400932bf"),
    ] {
        let filtered = decoded(&units(film));
        assert_ne!(filtered, expected, "{name}: the filter makes a difference");
        assert_eq!(decoded(&rewritten(film)), expected, "{name}");
    }
}

#[test]
fn a_slice_says_the_same_but_for_the_filter() {
    let before = Unfiltered::new(&record(HIGH)).unwrap();
    for (old, new) in units(HIGH).iter().zip(rewritten(HIGH)) {
        let (Some(mut old), Some(new)) = (header(&before, old), header(&before, &new)) else { continue };
        assert_eq!((old.disable_deblocking_filter_idc, new.disable_deblocking_filter_idc), (0, 1));
        old.disable_deblocking_filter_idc = 1;
        assert_eq!(format!("{old:?}"), format!("{new:?}"));
    }
}

#[test]
fn a_unit_is_taken_whole_and_its_other_parts_stay() {
    let all: Vec<u8> = units(HIGH).concat();
    let one_by_one: Vec<u8> = rewritten(HIGH).concat();
    let mut unfiltered = Unfiltered::new(&record(HIGH)).unwrap();
    assert_eq!(unfiltered.unit(&Bytes::from(all)), one_by_one);
    let access_unit_delimiter = Bytes::from_static(&[0, 0, 0, 2, 9, 0xf0]);
    assert_eq!(unfiltered.unit(&access_unit_delimiter), access_unit_delimiter);
}

#[test]
fn what_is_unfiltered_already_stays_as_it_is() {
    let mut unfiltered = Unfiltered::new(&record(BASELINE)).unwrap();
    for unit in rewritten(BASELINE) {
        let unit = Bytes::from(unit);
        assert_eq!(unfiltered.unit(&unit), unit);
    }
}

#[test]
fn a_record_that_is_none_gives_nothing() {
    assert!(Unfiltered::new(&[]).is_none());
    assert!(Unfiltered::new(&[1, 100, 0, 31, 0xff, 0xe1, 0, 200, 1]).is_none());
    let mut two_byte_lengths = record(HIGH);
    two_byte_lengths[4] = 0xfd;
    assert!(Unfiltered::new(&two_byte_lengths).is_none());
}

proptest! {
    /// A camera can send anything.
    #[test]
    fn garbage_goes_through_or_is_another_unit(
        at in 0_usize..4096, with in proptest::collection::vec(any::<u8>(), 0..24), cut in 0_usize..4096,
    ) {
        let mut unfiltered = Unfiltered::new(&record(INTERLACED)).unwrap();
        for unit in units(INTERLACED) {
            let mut unit = unit;
            let at = at % unit.len();
            for (byte, with) in unit.iter_mut().skip(at).zip(&with) {
                *byte ^= with;
            }
            unit.truncate(unit.len() - cut % unit.len() / 2);
            let longer = unfiltered.unit(&Bytes::from(unit.clone())).len();
            prop_assert!(longer <= unit.len() * 3 / 2 + 64);
        }
    }

    /// Bit by bit, and eight at once: the same.
    #[test]
    fn bits_are_copied_from_any_place_to_any_place(
        bytes in proptest::collection::vec(any::<u8>(), 1..64), begin in 0_usize..512, end in 0_usize..512, before in 0_usize..16,
    ) {
        let length = bytes.len() * 8;
        let (begin, end) = ((begin % length).min(end % length), (begin % length).max(end % length));
        let mut out = Bits { bytes: Vec::new(), filled: 0 };
        (0..before).for_each(|_| out.push(true));
        out.copy(&bytes, begin, end).unwrap();
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        for at in begin..end {
            prop_assert_eq!(bit(&out.bytes, before + at - begin), bit(&bytes, at));
        }
        prop_assert_eq!(out.bytes.len(), (before + end - begin).div_ceil(8));
    }
}

/// The NAL units of an Annex B stream, each with its length.
fn units(film: &[u8]) -> Vec<Vec<u8>> {
    annex_b(film).map(|nal| [&u32::try_from(nal.len()).unwrap().to_be_bytes(), nal].concat()).collect()
}

fn rewritten(film: &[u8]) -> Vec<Vec<u8>> {
    let mut unfiltered = Unfiltered::new(&record(film)).unwrap();
    units(film).into_iter().map(|unit| unfiltered.unit(&Bytes::from(unit)).to_vec()).collect()
}

/// ISO/IEC 14496-15, 5.3.3.1.
fn record(film: &[u8]) -> Vec<u8> {
    let units = units(film);
    let set = |kind: u8| units.iter().find(|unit| unit[4] & 31 == kind).unwrap();
    let (sps, pps) = (set(7), set(8));
    [&[1, sps[5], sps[6], sps[7], 0xff, 0xe1], &sps[2..], &[1], &pps[2..]].concat()
}

fn header(unfiltered: &Unfiltered, unit: &[u8]) -> Option<SliceHeader> {
    let header = NalHeader::new(unit[4]).unwrap();
    matches!(header.nal_unit_type().id(), 1 | 5).then(|| {
        let rbsp = decode_nal(&unit[4..]).unwrap();
        SliceHeader::from_bits(&unfiltered.sets, &mut BitReader::new(&*rbsp), header).unwrap().0
    })
}

/// SHA-256 of all pictures, planes one after the other, in hexadecimal.
fn decoded(units: &[Vec<u8>]) -> String {
    super::super::eyes::load().expect("GStreamer with avdec_h264 and h264parse");
    let text = "appsrc name=in format=time caps=video/x-h264,stream-format=byte-stream,alignment=nal ! h264parse ! avdec_h264 \
                max-threads=1 ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(text).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source: AppSrc = pipeline.by_name("in").unwrap().downcast().unwrap();
    let sink: AppSink = pipeline.by_name("out").unwrap().downcast().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for unit in units {
        source.push_buffer(gst::Buffer::from_slice([&[0, 0, 0, 1], &unit[4..]].concat())).unwrap();
    }
    source.end_of_stream().unwrap();
    let mut hash = Digest::new(&SHA256);
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(20)) {
        let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let frame = VideoFrameRef::from_buffer_ref_readable(sample.buffer().unwrap(), &info).unwrap();
        for (plane, (width, height)) in [(96, 64), (48, 32), (48, 32)].into_iter().enumerate() {
            let stride = usize::try_from(frame.plane_stride()[plane]).unwrap();
            let data = frame.plane_data(u32::try_from(plane).unwrap()).unwrap();
            data.chunks(stride).take(height).for_each(|row| hash.update(&row[..width]));
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
