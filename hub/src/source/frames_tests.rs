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
    for kind in [1, 2, 3, 5, 6, 7, 8, 16] {
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
    let sample = |score| MotionSample { pts_us: 5, score, active: true, area: 0.5 };
    assert_eq!(reread(&motion(&sample(0.25))).unwrap(), FromWorker::Motion(sample(0.25)));
    for score in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
        assert!(reread(&motion(&sample(score))).is_err());
    }
}
