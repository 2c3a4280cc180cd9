#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x1e, 0x99];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const P: &[u8] = &[0x41, 0x9a, 0x11];
const B: &[u8] = &[0x01, 0x9e, 0x11];
const SEI: &[u8] = &[0x06, 5, 1, 7, 0x80];

fn h264() -> Depacketizer {
    Depacketizer::new(Codec::H264, ParameterSets::default(), 8, 1 << 16)
}

fn packet(payload: &[u8], timestamp: i64, mark: bool) -> Packet<'_> {
    Packet { payload, timestamp, mark, loss: 0 }
}

fn nals(picture: &Picture, head: usize) -> Vec<Vec<u8>> {
    let mut rest = &picture.data[head..];
    let mut out = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        out.push(after[..length].to_vec());
        rest = &after[length..];
    }
    assert!(rest.is_empty());
    out
}

fn feed(d: &mut Depacketizer, packets: &[(&[u8], i64, bool)]) -> Vec<Picture> {
    let mut out = Vec::new();
    for (payload, timestamp, mark) in packets {
        d.push(packet(payload, *timestamp, *mark)).unwrap();
        out.extend(std::iter::from_fn(|| d.pop()));
    }
    out
}

#[test]
fn a_key_frame_and_its_followers() {
    let mut d = h264();
    let out =
        feed(&mut d, &[(SPS, 0, false), (PPS, 0, false), (SEI, 0, false), (IDR, 0, true), (P, 9, true), (B, 4, true)]);
    assert_eq!(
        out.iter().map(|p| (p.key, p.disposable, p.timestamp)).collect::<Vec<_>>(),
        [(true, false, 0), (false, false, 9), (false, true, 4)]
    );
    assert_eq!(nals(&out[0], 8), [SEI, IDR]);
    assert!(out[0].new_parameters && !out[1].new_parameters);
    assert_eq!((d.parameters().sps.as_slice(), d.parameters().pps.as_slice()), (SPS, PPS));
    assert!(d.quirks().is_empty());
}

#[test]
fn fragments_are_joined_with_their_header() {
    let mut d = h264();
    let out =
        feed(&mut d, &[(&[0x7c, 0x85, 1, 2], 0, false), (&[0x7c, 0x05, 3], 0, false), (&[0x7c, 0x45, 4], 0, true)]);
    assert_eq!(nals(&out[0], 8), [[0x65, 1, 2, 3, 4]]);
    assert!(out[0].key);
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut stap = vec![24];
    for nal in [SPS, PPS, IDR] {
        stap.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        stap.extend_from_slice(nal);
    }
    let mut d = h264();
    let out = feed(&mut d, &[(&stap, 0, true)]);
    assert_eq!(nals(&out[0], 8), [IDR]);
    assert!(d.parameters().complete(Codec::H264));
    for torn in [&stap[..4], &[24, 0, 0, 1][..], &[24, 0xff, 0xff, 1], &[24, 1]] {
        assert!(matches!(d.push(packet(torn, 1, false)), Err(DepacketizeError::Malformed(_))), "{torn:?}");
    }
}

#[test]
fn v380_annex_b_in_one_packet() {
    let stream = [SPS, &[0, 0, 0, 1], PPS, &[0, 0, 1], IDR, &[0, 0]].concat();
    let mut d = h264();
    let out = feed(&mut d, &[(&stream, 0, true)]);
    assert_eq!(nals(&out[0], 8), [IDR]);
    assert_eq!((d.parameters().sps.as_slice(), d.parameters().pps.as_slice()), (SPS, PPS));
    assert_eq!(d.quirks(), [Quirk::AnnexB]);
}

#[test]
fn tapo_tc70_marks_its_parameter_sets() {
    let mut d = h264();
    let out = feed(&mut d, &[(SPS, 0, true), (PPS, 0, true), (IDR, 0, true), (P, 1, true)]);
    assert_eq!(out.len(), 2);
    assert!(out[0].key && out[0].new_parameters);
    assert_eq!(d.quirks(), [Quirk::EarlyMarker]);
}

#[test]
fn sei_with_the_marker_waits_for_its_picture() {
    let mut d = h264();
    let out = feed(&mut d, &[(SEI, 0, true), (IDR, 0, true)]);
    assert_eq!(out.len(), 1);
    assert_eq!(nals(&out[0], 8), [SEI, IDR]);
}

#[test]
fn parameter_sets_with_an_earlier_timestamp_join_their_picture() {
    let mut d = h264();
    let out = feed(&mut d, &[(SPS, 0, false), (PPS, 0, false), (IDR, 5, true)]);
    assert_eq!((out.len(), out[0].timestamp), (1, 5));
    assert_eq!(d.quirks(), [Quirk::EarlyTimestamp]);
}

#[test]
fn without_a_marker_the_next_timestamp_ends_a_unit() {
    let mut d = h264();
    let out = feed(&mut d, &[(IDR, 0, false), (P, 1, false), (P, 2, false)]);
    assert_eq!(out.iter().map(|p| p.timestamp).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn loss_inside_a_unit_drops_it_and_is_told_with_the_next() {
    let mut d = h264();
    feed(&mut d, &[(&[0x7c, 0x85, 1, 2], 0, false)]);
    d.push(Packet { loss: 2, ..packet(&[0x7c, 0x05, 3], 0, false) }).unwrap();
    d.push(packet(&[0x7c, 0x45, 4], 0, true)).unwrap();
    assert!(d.pop().is_none());
    let out = feed(&mut d, &[(P, 1, true), (P, 2, true)]);
    assert_eq!(out.iter().map(|p| p.loss).collect::<Vec<_>>(), [2, 0]);
}

#[test]
fn loss_of_a_beginning_drops_the_rest() {
    let mut d = h264();
    feed(&mut d, &[(IDR, 0, true)]);
    d.push(Packet { loss: 1, ..packet(&[0x7c, 0x05, 3], 5, false) }).unwrap();
    d.push(packet(&[0x7c, 0x45, 4], 5, true)).unwrap();
    assert!(d.pop().is_none());
    let out = feed(&mut d, &[(P, 6, true)]);
    assert_eq!((out.len(), out[0].loss), (1, 1));
}

#[test]
fn a_unit_without_end_trips_the_cap_and_memory_stays() {
    let mut d = h264();
    let body = [&[0x7c, 0x05][..], &[0xaa; 1398]].concat();
    d.push(packet(&[0x7c, 0x85, 1], 0, false)).unwrap();
    let error = (0..1000).find_map(|_| d.push(packet(&body, 0, false)).err());
    assert_eq!(error, Some(DepacketizeError::TooBig { limit: 1 << 16 }));
    assert!(d.unit.is_none());
    // many small NAL units
    let error = (0..100_000).find_map(|_| d.push(packet(&[0x61; 64], 1, false)).err());
    assert_eq!(error, Some(DepacketizeError::TooBig { limit: 1 << 16 }));
}

#[test]
fn what_is_no_video_is_refused() {
    let mut d = h264();
    for (payload, mark) in
        [(&[][..], false), (&[0xe5, 1], false), (&[0x1e, 1], false), (&[0x7c], false), (&[0x7c, 5, 1], true)]
    {
        assert!(matches!(d.push(packet(payload, 0, mark)), Err(DepacketizeError::Malformed(_))), "{payload:?}");
    }
    d.push(packet(&[0x7c, 0x85, 1], 0, false)).unwrap();
    assert!(d.push(packet(&[0x7c, 0x85, 1], 0, false)).is_err());
    d.push(packet(&[0x7c, 0x85, 1], 0, false)).unwrap();
    assert!(d.push(packet(P, 0, false)).is_err());
    d.push(packet(&[0x7c, 0x85, 1], 0, false)).unwrap();
    assert!(d.push(packet(P, 9, false)).is_err());
    assert_eq!(feed(&mut d, &[(IDR, 10, true)]).len(), 1, "goes on after all that");
}

#[test]
fn h265_units_fragments_and_aggregates() {
    let (vps, sps, pps): (&[u8], &[u8], &[u8]) = (&[0x40, 1, 9], &[0x42, 1, 1], &[0x44, 1, 9]);
    let mut d = Depacketizer::new(Codec::H265, ParameterSets::default(), 0, 1 << 16);
    let mut aggregate = vec![48 << 1, 1];
    for nal in [vps, sps, pps] {
        aggregate.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        aggregate.extend_from_slice(nal);
    }
    let out = feed(
        &mut d,
        &[
            (&aggregate, 0, false),
            (&[49 << 1, 1, 0x80 | 19, 1, 2], 0, false),
            (&[49 << 1, 1, 0x40 | 19, 3], 0, true),
            (&[1 << 1, 1, 7], 1, true),
            (&[0, 1, 7], 2, true),
        ],
    );
    assert_eq!(nals(&out[0], 0), [[19 << 1, 1, 1, 2, 3]]);
    assert_eq!(
        out.iter().map(|p| (p.key, p.disposable)).collect::<Vec<_>>(),
        [(true, false), (false, false), (false, true)]
    );
    assert!(d.parameters().complete(Codec::H265));
}

#[test]
fn an_h265_picture_of_a_lower_temporal_layer_is_not_disposable_whatever_its_kind_says() {
    // Three layers.
    let sets = ParameterSets { vps: vec![0x40, 1, 9], sps: vec![0x42, 1, 2 << 1 | 1], pps: vec![0x44, 1, 9] };
    let mut d = Depacketizer::new(Codec::H265, sets, 0, 1 << 16);
    // TRAIL_N of the lowest and the middle layer, TSA_N of the highest.
    let out = feed(&mut d, &[(&[0, 1, 7], 0, true), (&[0, 2, 7], 1, true), (&[2 << 1, 3, 7], 2, true)]);
    assert_eq!(out.iter().map(|p| p.disposable).collect::<Vec<_>>(), [false, false, true]);
}
