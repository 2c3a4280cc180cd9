#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn reread(frame: &[u8]) -> Result<FromWorker, FrameError> {
    let header = Header::parse(*frame.first_chunk().unwrap())?;
    parse(header, Bytes::copy_from_slice(&frame[HEADER..]))
}

fn unit_frame(data: &[u8], key: bool) -> Vec<u8> {
    let mut frame = vec![0; HEADER + UNIT_HEAD];
    frame.extend_from_slice(data);
    fill_unit_head(&mut frame, Track::Video, key, -33_000, 7, 99, 3);
    frame
}

#[test]
fn a_unit_arrives_as_it_was_sent() {
    let data = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41];
    let FromWorker::Unit(unit) = reread(&unit_frame(&data, true)).unwrap() else { panic!("not a unit") };
    assert_eq!(unit.data, &data[..]);
    assert_eq!((unit.key, unit.pts_us, unit.received_mono_us, unit.frame, unit.loss), (true, -33_000, 7, 99, 3));
}

#[test]
fn a_unit_of_the_substream_says_so_and_is_never_sound() {
    let mut frame = unit_frame(&[0, 0, 0, 1, 0x65], true);
    let FromWorker::Unit(unit) = reread(&frame).unwrap() else { panic!("not a unit") };
    assert!(!unit.substream);
    mark_substream(&mut frame);
    let FromWorker::Unit(unit) = reread(&frame).unwrap() else { panic!("not a unit") };
    assert!(unit.substream && unit.key);
    frame[1] |= AUDIO;
    assert!(matches!(reread(&frame), Err(FrameError::Body { kind: Kind::Unit, .. })));
    assert!(reread(&sub_units(true)).is_err(), "an order is nothing that a worker says");
    assert_eq!(parse_sub_units(&sub_units(true)[HEADER..]), Ok(true));
}

#[test]
fn lengths_inside_a_unit_must_add_up() {
    for data in [&[0, 0, 0, 9, 1][..], &[0, 0, 0, 0], &[0, 0, 0, 1, 7, 7], &[1]] {
        assert!(matches!(reread(&unit_frame(data, true)), Err(FrameError::Body { kind: Kind::Unit, .. })), "{data:?}");
    }
}

#[test]
fn a_length_beyond_the_cap_is_refused_before_any_memory_is_taken() {
    let claim = |kind: u8, length: u32| {
        let l = length.to_be_bytes();
        Header::parse([kind, 0, 0, 0, l[0], l[1], l[2], l[3]])
    };
    assert!(matches!(claim(4, u32::MAX), Err(FrameError::TooLong { kind: Kind::Unit, .. })));
    assert!(claim(4, MAX_UNIT_BODY as u32).is_ok());
    for kind in [1, 2, 3, 5, 6, 7, 8, 12, 16, 19] {
        assert!(matches!(claim(kind, MAX_BODY as u32 + 1), Err(FrameError::TooLong { .. })));
    }
    assert_eq!(claim(77, 0), Err(FrameError::Kind(77)));
}

#[test]
fn text_from_a_worker_is_one_bounded_line() {
    let fault =
        Fault::Garbage { phase: Phase::Streaming, detail: format!("bad\u{1b}[31m{}\nsecond", "x".repeat(5000)) };
    let FromWorker::Fault(Fault::Garbage { detail, .. }) = reread(&message(Kind::Fault, &fault)).unwrap() else {
        panic!("not that fault")
    };
    assert!(detail.starts_with("bad [31mx"));
    assert_eq!(detail.chars().count(), 400);
}

#[test]
fn settings_come_back_and_are_refused_from_a_worker() {
    let settings = ToWorker {
        version: VERSION,
        url: "rtsp://192.0.2.1/x".into(),
        username: Some("u".into()),
        password: Some("p".into()),
        audio: true,
        motion: Some(MotionSettings::default()),
        substream: false,
        frozen_ms: 4000,
        first_key_ms: 1,
        answer_ms: 1,
        prove: false,
    };
    let frame = settings.to_frame();
    let again = ToWorker::parse(&frame[HEADER..]).unwrap();
    assert_eq!((again.url.as_str(), again.password.as_deref()), ("rtsp://192.0.2.1/x", Some("p")));
    assert!(matches!(reread(&frame), Err(FrameError::Body { kind: Kind::Settings, .. })));
}

#[test]
fn a_sample_out_of_range_is_refused() {
    let heat = Some(Box::new([7; 256]));
    let sample = |score| MotionSample { pts_us: 5, score, active: true, area: 0.5, zones: 5, heat: heat.clone() };
    assert_eq!(reread(&motion(&sample(0.25))).unwrap(), FromWorker::Motion(sample(0.25)));
    for score in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
        assert!(reread(&motion(&sample(score))).is_err());
    }
}

#[test]
fn a_heat_map_has_256_fields_or_is_not_there() {
    let mut frame = motion(&MotionSample { heat: Some(Box::new([1; 256])), ..MotionSample::default() });
    frame.pop();
    frame[7] = frame[7].wrapping_sub(1);
    assert!(matches!(
        parse(
            Header { kind: Kind::Motion, flags: 0, length: frame.len() - HEADER },
            Bytes::from(frame.split_off(HEADER))
        ),
        Err(FrameError::Body { kind: Kind::Motion, .. })
    ));
}

#[test]
fn tampering_is_told_by_its_kind() {
    for how in [Tamper::Covered, Tamper::Defocused, Tamper::Moved] {
        assert_eq!(reread(&tampered(how)).unwrap(), FromWorker::Tampered(how));
    }
    let mut frame = tampered(Tamper::Moved);
    frame[HEADER] = 9;
    assert!(reread(&frame).is_err());
}

#[test]
fn a_picture_arrives_whole_and_never_larger_than_agreed() {
    let of = |large, small| Picture {
        pts_us: 8,
        last: true,
        width: 320,
        height: 180,
        jpeg: Bytes::from(vec![1; large]),
        small_jpeg: Bytes::from(vec![2; small]),
    };
    for (large, small) in [(MAX_JPEG, MAX_SMALL_JPEG), (1, 0)] {
        let frame = picture(&of(large, small)).unwrap();
        assert_eq!(reread(&frame).unwrap(), FromWorker::Picture(of(large, small)));
    }
    assert!(picture(&of(MAX_JPEG + 1, 0)).is_none() && picture(&of(0, 5)).is_none());
    // A worker that lies: more than the small picture may have behind the first, and a length beyond the end.
    let frame = picture(&of(100, 1_000)).unwrap();
    for length in [0_u32, 1_101, 20_001, u32::MAX] {
        let mut frame = frame.clone();
        frame[HEADER + 12..HEADER + 16].copy_from_slice(&length.to_be_bytes());
        assert!(matches!(reread(&frame), Err(FrameError::Body { kind: Kind::Picture, .. })), "{length}");
    }
    let grown = picture(&of(MAX_JPEG, MAX_SMALL_JPEG)).unwrap();
    let mut lying = grown.clone();
    lying[HEADER + 12..HEADER + 16].copy_from_slice(&1_u32.to_be_bytes());
    assert!(reread(&lying).is_err(), "a small picture of 21999 bytes");
}
