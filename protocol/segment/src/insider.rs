//! An insider: a member of the home knows the stream key, so it can seal records that open. What it can't do is sign. These
//! tests craft such blobs from the crate's own pieces.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_protocol::time::Timestamp;

use crate::record::{self, Kind, RecordCipher, WORD};
use crate::trailer::Trailer;
use crate::tree::Entries;
use crate::*;

struct Insider {
    key: StreamKey,
    header: Header,
    trust: KnownCameras,
    session: Session,
    facts: SegmentFacts,
    /// The honest segment's records: kind and content.
    records: Vec<(Kind, Vec<u8>)>,
    trailer: Trailer,
}

fn info() -> InitInfo {
    let (audio_codec, audio_timescale) = (None, None);
    InitInfo {
        codec: "avc1.42c01e".into(),
        width: 2,
        height: 2,
        timescale: 90_000,
        audio_codec,
        audio_timescale,
        substream: false,
    }
}

fn unit(length: u32) -> UnitHead {
    UnitHead {
        track: Track::Video,
        key: true,
        frame: 0,
        pts_us: 0,
        duration_us: 0,
        captured: Timestamp(0),
        captured_us: 0,
        header_len: 8,
        length,
    }
}

impl Insider {
    fn new() -> Self {
        let random = SeededRandom::new(b"insider");
        let camera = CameraId::generate(&random);
        let evidence = EvidenceKey::generate(&random).unwrap();
        let session = Session::certify(&evidence, camera, Timestamp(0), Timestamp(10), &random).unwrap();
        let mut trust = KnownCameras::default();
        trust.set(camera, vec![evidence.public().unwrap()]);
        let key = StreamKey::generate(&random);
        let facts = SegmentFacts {
            stream: StreamId::generate(&random),
            index: 0,
            camera,
            sequence: 0,
            first_frame: 0,
            started: Timestamp(5),
            clock: ClockSource::Unknown,
            previous: [0; 32],
            gap: None,
            starts_with_key: true,
        };
        let header = Header { stream: facts.stream, index: 0 };
        let mut blob = Vec::new();
        let mut sealer =
            Sealer::begin(&mut StreamKey::from_secret(&key.to_secret()), &session, facts.clone(), &mut blob).unwrap();
        sealer.init(&info(), &[1; 100], &mut blob).unwrap();
        sealer.unit(&unit(1000), &[2; 1000], &[2; 992], &mut blob).unwrap();
        sealer.finish(SegmentEnd { ended: Timestamp(6), clock_stepped_back: false }, &mut blob).unwrap();
        let (records, trailer) = take_apart(&key, header, &blob);
        Self { key, header, trust, session, facts, records, trailer }
    }

    /// Seals these records and this trailer under the real key.
    fn craft(&self, records: &[(Kind, Vec<u8>)], trailer: &Trailer) -> Vec<u8> {
        let mut records = records.to_vec();
        records.push((Kind::Trailer, trailer.encode()));
        self.seal(&records, 0)
    }

    fn seal(&self, records: &[(Kind, Vec<u8>)], padding: u8) -> Vec<u8> {
        let mut cipher = RecordCipher::new(&self.key.segment(self.header).unwrap()).unwrap();
        let mut blob = self.header.to_bytes().to_vec();
        for (at, (kind, content)) in records.iter().enumerate() {
            let start = blob.len();
            blob.extend_from_slice(&[0; WORD]);
            blob.extend_from_slice(&record::head(*kind, content.len()));
            blob.extend_from_slice(content);
            let last = at + 1 == records.len();
            if last {
                blob.extend_from_slice(&[0, padding]);
            }
            cipher.seal(at as u32, last, &mut blob, start).unwrap();
        }
        blob
    }

    /// Both readers refuse it; the error of the streaming one.
    fn refused(&self, blob: &[u8]) -> SegmentError {
        let stored = StoredSegment::open(blob, &self.key, self.header, &self.trust).and_then(|stored| stored.check());
        assert!(stored.is_err(), "random access believes it");
        let mut opener = Opener::new(&self.key, self.header).unwrap();
        opener.push(blob);
        loop {
            match opener.next() {
                Ok(Some(_)) => {}
                Ok(None) => return opener.finish(&self.trust).unwrap_err(),
                Err(error) => return error,
            }
        }
    }
}

fn take_apart(key: &StreamKey, header: Header, blob: &[u8]) -> (Vec<(Kind, Vec<u8>)>, Trailer) {
    let mut cipher = RecordCipher::new(&key.segment(header).unwrap()).unwrap();
    let (mut records, mut trailer, mut at, mut done) = (Vec::new(), Vec::new(), Header::LENGTH, false);
    for record in 0.. {
        if done {
            break;
        }
        let word = blob[at..].first_chunk().copied().unwrap();
        let (length, last) = cipher.unmask(record, word).unwrap();
        at += WORD;
        let mut plaintext = vec![0; length - record::TAG];
        let plain = cipher.open_into(record, last, &blob[at..at + length], &mut plaintext).unwrap();
        match plain.kind {
            Kind::Trailer => trailer.extend_from_slice(plain.content),
            Kind::Padding => {}
            kind => records.push((kind, plain.content.to_vec())),
        }
        at += length;
        done = last;
    }
    (records, Trailer::decode(&trailer).unwrap())
}

fn entries(records: &[(Kind, Vec<u8>)]) -> Entries {
    let mut entries = Entries::default();
    for (kind, content) in records {
        let head = record::head(*kind, content.len());
        entries.push(head, blake3::hash(&[&head[..], content].concat()).as_bytes());
    }
    entries
}

#[test]
fn the_honest_parts_put_together_again_open() {
    let insider = Insider::new();
    let blob = insider.craft(&insider.records, &insider.trailer);
    verify(&blob, &insider.key, insider.header, &insider.trust).unwrap();
}

#[test]
fn other_media_do_not_fit_the_signed_root() {
    let insider = Insider::new();
    let mut records = insider.records.clone();
    *records[1].1.last_mut().unwrap() ^= 1;
    let root = SegmentError::HashMismatch { what: "root of the records" };
    let honest_list = insider.craft(&records, &insider.trailer);
    assert_eq!(insider.refused(&honest_list), root);
    let stored = StoredSegment::open(&honest_list, &insider.key, insider.header, &insider.trust).unwrap();
    assert_eq!(stored.record(1).unwrap_err(), SegmentError::Forged { record: 1 });
    assert_eq!(stored.read_mp4(200, &mut [0; 10]).unwrap_err(), SegmentError::Forged { record: 1 });
    let own_list = Trailer { entries: entries(&records), ..insider.trailer.clone() };
    assert_eq!(insider.refused(&insider.craft(&records, &own_list)), root);
}

#[test]
fn fewer_records_than_signed_are_noticed() {
    let insider = Insider::new();
    let records = insider.records[..1].to_vec();
    let trailer = Trailer { entries: entries(&records), ..insider.trailer.clone() };
    let error = insider.refused(&insider.craft(&records, &trailer));
    assert_eq!(error, SegmentError::HashMismatch { what: "number of records" });
}

#[test]
fn a_statement_for_another_key_is_refused() {
    let mut insider = Insider::new();
    insider.key = StreamKey::generate(&SeededRandom::new(b"another key"));
    let blob = insider.craft(&insider.records, &insider.trailer);
    assert_eq!(insider.refused(&blob), SegmentError::KeyCommitment);
}

#[test]
fn a_statement_for_another_place_is_refused() {
    let mut insider = Insider::new();
    insider.header.index = 1;
    let blob = insider.craft(&insider.records, &insider.trailer);
    assert_eq!(insider.refused(&blob), SegmentError::WrongIndex { expected: 1, found: 0 });
    insider.header = Header { stream: StreamId::from_bytes([1; 16]), index: 0 };
    let blob = insider.craft(&insider.records, &insider.trailer);
    assert!(matches!(insider.refused(&blob), SegmentError::WrongStream { .. }));
}

#[test]
fn own_keys_sign_for_no_camera() {
    let insider = Insider::new();
    let random = SeededRandom::new(b"own key");
    let evidence = EvidenceKey::generate(&random).unwrap();
    let camera = insider.facts.camera;
    let session = Session::certify(&evidence, camera, Timestamp(0), Timestamp(10), &random).unwrap();
    let mut key = StreamKey::from_secret(&insider.key.to_secret());
    let mut blob = Vec::new();
    let mut sealer = Sealer::begin(&mut key, &session, insider.facts.clone(), &mut blob).unwrap();
    sealer.init(&info(), &[1; 100], &mut blob).unwrap();
    sealer.finish(SegmentEnd { ended: Timestamp(6), clock_stepped_back: false }, &mut blob).unwrap();
    assert_eq!(insider.refused(&blob), SegmentError::UnknownCamera { camera });
    // The camera's certificate with the own session's signature.
    let (records, own) = take_apart(&insider.key, insider.header, &blob);
    let mixed = Trailer { certificate: insider.trailer.certificate.clone(), ..own };
    let error = insider.refused(&insider.craft(&records, &mixed));
    assert_eq!(error, SegmentError::BadSignature { what: "statement" });
}

#[test]
fn a_certificate_is_no_statement_and_the_other_way_round() {
    let insider = Insider::new();
    let Trailer { statement, certificate, entries } = insider.trailer.clone();
    for (statement, certificate) in [(certificate.clone(), certificate.clone()), (statement.clone(), statement)] {
        let trailer = Trailer { statement, certificate, entries: entries.clone() };
        let error = insider.refused(&insider.craft(&insider.records, &trailer));
        assert!(matches!(error, SegmentError::Statement { why: "signed as something else", .. }), "{error:?}");
    }
}

#[test]
fn every_bit_of_statement_and_certificate_matters() {
    let insider = Insider::new();
    for which in 0..2 {
        let length = if which == 0 { insider.trailer.statement.len() } else { insider.trailer.certificate.len() };
        for at in 0..length {
            let mut trailer = insider.trailer.clone();
            let bytes = if which == 0 { &mut trailer.statement } else { &mut trailer.certificate };
            bytes[at] ^= 1 << (at % 8);
            insider.refused(&insider.craft(&insider.records, &trailer));
        }
    }
}

#[test]
fn records_out_of_order_are_malformed() {
    let insider = Insider::new();
    let [init, unit] = &insider.records[..] else { panic!("one init segment, one unit") };
    let more = (Kind::More, vec![1]);
    let padding = (Kind::Padding, vec![0; 9]);
    for (records, record) in [
        (vec![unit.clone(), init.clone()], 0),
        (vec![init.clone(), init.clone()], 1),
        (vec![init.clone(), more.clone()], 1),
        (vec![init.clone(), unit.clone(), more], 2),
        (vec![init.clone(), padding.clone(), unit.clone()], 2),
        (vec![padding, init.clone(), unit.clone()], 0),
        (vec![init.clone(), unit.clone(), (Kind::Padding, vec![1])], 2),
    ] {
        let error = insider.refused(&insider.craft(&records, &insider.trailer));
        assert!(matches!(error, SegmentError::Malformed { record: at, .. } if at == record), "{error:?}");
    }
}

#[test]
fn the_end_is_a_trailer_with_zeros_behind_it() {
    let insider = Insider::new();
    let mut records = insider.records.clone();
    assert!(matches!(insider.refused(&insider.seal(&records, 0)), SegmentError::Malformed { record: 1, .. }));
    records.push((Kind::Trailer, insider.trailer.encode()));
    assert!(matches!(insider.refused(&insider.seal(&records, 1)), SegmentError::Malformed { record: 2, .. }));
}

#[test]
fn the_sealer_refuses_what_it_can_not_mean() {
    let insider = Insider::new();
    let key = || StreamKey::from_secret(&insider.key.to_secret());
    let mut out = Vec::new();
    let mut facts = insider.facts.clone();
    facts.started = Timestamp(11);
    let late = Sealer::begin(&mut key(), &insider.session, facts.clone(), &mut out);
    assert_eq!(late.unwrap_err(), SegmentError::SessionExpired);
    facts.index = MAX_SEGMENTS;
    facts.started = Timestamp(1);
    let end = Sealer::begin(&mut key(), &insider.session, facts, &mut out);
    assert_eq!(end.unwrap_err(), SegmentError::StreamExhausted { limit: MAX_SEGMENTS });
    assert!(out.is_empty());
    let mut moved = key();
    let mut sealer = Sealer::begin(&mut moved, &insider.session, insider.facts.clone(), &mut out).unwrap();
    assert_eq!(moved.index(), 1, "the step is erased");
    let again = Sealer::begin(&mut moved, &insider.session, insider.facts.clone(), &mut out);
    assert_eq!(again.unwrap_err(), SegmentError::KeyErased { index: 0, oldest: 1 }, "no nonce is used twice");
    let length = out.len();
    assert!(matches!(sealer.unit(&unit(10), &[2; 10], &[2; 2], &mut out), Err(SegmentError::Order(_))));
    sealer.init(&info(), &[1; 100], &mut out).unwrap();
    assert!(matches!(sealer.init(&info(), &[1; 100], &mut out), Err(SegmentError::Order(_))));
    let differs = sealer.unit(&unit(10), &[2; 10], &[3; 2], &mut out);
    assert_eq!(differs.unwrap_err(), SegmentError::HashMismatch { what: "sample in the chunk" });
    let delta = UnitHead { key: false, ..unit(10) };
    assert!(matches!(sealer.unit(&delta, &[2; 10], &[2; 2], &mut out), Err(SegmentError::Order(_))));
    assert!(matches!(sealer.unit(&unit(11), &[2; 10], &[2; 2], &mut out), Err(SegmentError::Order(_))));
    sealer.unit(&unit(10), &[2; 10], &[2; 2], &mut out).unwrap();
    assert!(matches!(sealer.unit(&unit(10), &[2; 10], &[2; 2], &mut out), Err(SegmentError::Order(_))));
    let huge = vec![0; MAX_UNIT + 1];
    assert!(matches!(sealer.unit(&unit(10), &huge, &[], &mut out), Err(SegmentError::TooLarge { .. })));
    assert!(out.len() > length);
}

#[test]
fn a_head_that_promises_much_costs_nothing() {
    let insider = Insider::new();
    let mut records = insider.records[..1].to_vec();
    records.push((Kind::Unit, [&unit(MAX_UNIT as u32).to_bytes()[..], &[0; 10]].concat()));
    let error = insider.refused(&insider.craft(&records, &insider.trailer));
    assert!(matches!(error, SegmentError::Malformed { record: 2, .. }), "{error:?}");
    records[1].1[42..46].copy_from_slice(&u32::MAX.to_be_bytes());
    let error = insider.refused(&insider.craft(&records, &insider.trailer));
    assert!(matches!(error, SegmentError::Malformed { record: 1, .. }), "{error:?}");
}

/// The fuzz targets' own entrances, on seeds and on noise made from them.
#[test]
fn the_fuzz_entrances_run() {
    use privet_protocol::random::Random;
    let insider = Insider::new();
    let random = SeededRandom::new(b"noise");
    let (Trailer { statement, certificate, .. }, trailer) = (insider.trailer.clone(), insider.trailer.encode());
    let payload = statement.get(60..).unwrap_or_default().to_vec();
    let record =
        [&[1, 0, 90, 0][..], &insider.records[0].1[..90], &[2, 0, 46, 0], &insider.records[1].1[..46]].concat();
    for seed in [statement, certificate, trailer, payload, record, Vec::new(), vec![0xff; 300]] {
        for at in 0..200 {
            let mut data = seed.clone();
            let mut noise = [0; 3];
            random.fill(&mut noise);
            if at > 0 && !data.is_empty() {
                let place = usize::from(u16::from_be_bytes([noise[0], noise[1]])) % data.len();
                data[place] = noise[2];
            }
            fuzzing::wire(&data);
            fuzzing::records(&data);
            fuzzing::signed(&data);
            fuzzing::proof(&data);
        }
    }
}
