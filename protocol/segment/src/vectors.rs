//! Test vectors: files under `vectors/` that any other implementation can be held against, checked here. Remake them with
//! `cargo test -p privet-segment -- --ignored make_vectors`; ECDSA is randomized, so signatures differ from run to run.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_protocol::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::proof::{Exporter, verify_mp4};
use crate::session::CheckedSession;
use crate::*;

#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
struct RatchetVector {
    chain: String,
    from: u64,
    to: u64,
    chain_at_to: String,
    header: String,
    key: String,
    nonce_prefix: String,
    mask_key: String,
    commitment: String,
}

#[derive(Serialize, Deserialize)]
struct SegmentVector {
    /// Index u64 and chain key, as a message carries them.
    stream_secret: String,
    evidence_public_key: String,
    evidence_fingerprint: String,
    /// Content of each media record.
    records: Vec<String>,
    mp4: String,
    root: String,
    access_units: String,
    session_certificate: String,
    statement: String,
    statement_digest: String,
    blob: String,
}

#[derive(Serialize, Deserialize)]
struct RefusedVector {
    what: String,
    blob: String,
    error: String,
}

#[derive(Serialize, Deserialize)]
struct ProofVector {
    evidence_public_key: String,
    camera: String,
    file: String,
    segments: u32,
    frames: u64,
    media_bytes: u64,
    /// Flipping the lowest bit of this byte of the file is found with this failure.
    damaged: Vec<(usize, String)>,
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

fn write<T: Serialize>(name: &str, value: &T) {
    let mut text = serde_json::to_string_pretty(value).unwrap();
    text.push('\n');
    std::fs::write(path(name), text).unwrap();
}

fn ratchet_vector(chain: [u8; 32], from: u64, header: Header) -> RatchetVector {
    let secret = [&from.to_be_bytes()[..], &chain].concat();
    let key = StreamKey::from_secret(&StreamSecret::from_bytes(&secret).unwrap());
    let mut moved = StreamKey::from_secret(&key.to_secret());
    moved.advance_to(header.index).unwrap();
    let secrets = key.segment(header).unwrap();
    RatchetVector {
        chain: hex(chain),
        from,
        to: header.index,
        chain_at_to: hex(&moved.to_secret().to_bytes()[8..]),
        header: hex(header.to_bytes()),
        key: hex(secrets.key),
        nonce_prefix: hex(secrets.nonce_prefix),
        mask_key: hex(secrets.mask),
        commitment: hex(secrets.commitment),
    }
}

/// A camera with a stream of three small segments.
fn segments() -> (EvidencePublicKey, CameraId, StreamSecret, Vec<(Header, Vec<u8>)>) {
    let random = SeededRandom::new(b"segment vectors 1");
    let evidence = EvidenceKey::generate(&random).unwrap();
    let camera = CameraId::generate(&random);
    let start = Timestamp(1_790_000_000_000);
    let session = Session::certify(&evidence, camera, start, Timestamp(start.0 + 1000), &random).unwrap();
    let stream = StreamId::generate(&random);
    let mut key = StreamKey::generate(&random);
    let secret = key.to_secret();
    let (audio_codec, audio_timescale) = (Some("mp4a.40.2".to_owned()), Some(48_000));
    let info = InitInfo {
        codec: "avc1.4d401e".into(),
        width: 640,
        height: 360,
        timescale: 90_000,
        audio_codec,
        audio_timescale,
        substream: false,
    };
    let (mut previous, mut blobs) = ([0; 32], Vec::new());
    for index in 0..3u64 {
        let gap = Gap { from: Timestamp(start.0 - 9), until: start, reason: GapReason::CameraLost };
        let facts = SegmentFacts {
            stream,
            index,
            camera,
            sequence: 40 + index,
            first_frame: 7 + 2 * index,
            started: Timestamp(start.0 + index as i64),
            clock: ClockSource::System,
            previous,
            gap: (index == 0).then_some(gap),
            starts_with_key: true,
        };
        let mut blob = Vec::new();
        let mut sealer = Sealer::begin(&mut key, &session, facts, &mut blob).unwrap();
        sealer.init(&info, b"ftyp and moov", &mut blob).unwrap();
        for (at, track) in [Track::Video, Track::Audio, Track::Video].into_iter().enumerate() {
            let video = track == Track::Video;
            let chunk = format!("moof and mdat {index}.{at}: sample").into_bytes();
            let sample = if video { &chunk[14..] } else { &[] };
            let head = UnitHead {
                track,
                key: at < 2,
                frame: if video { 7 + 2 * index + at as u64 / 2 } else { 0 },
                pts_us: at as i64 * 20_000 - 10,
                duration_us: 20_000,
                captured: Timestamp(start.0 + index as i64),
                captured_us: 1000 + at as u64,
                header_len: 14,
                length: chunk.len() as u32,
            };
            sealer.unit(&head, &chunk, sample, &mut blob).unwrap();
        }
        let ended = Timestamp(start.0 + index as i64 + 1);
        previous = sealer.finish(SegmentEnd { ended, clock_stepped_back: index == 1 }, &mut blob).unwrap().digest;
        blobs.push((Header { stream, index }, blob));
    }
    (evidence.public().unwrap(), camera, secret, blobs)
}

fn trust(camera: CameraId, key: EvidencePublicKey) -> KnownCameras {
    let mut trust = KnownCameras::default();
    trust.set(camera, vec![key]);
    trust
}

/// What both readers say about it; they must agree that it is refused.
fn error(blob: &[u8], key: &StreamKey, header: Header, trust: &KnownCameras) -> String {
    assert!(verify(blob, key, header, trust).is_err());
    let mut opener = Opener::new(key, header).unwrap();
    opener.push(blob);
    while let Ok(Some(_)) = opener.next() {}
    format!("{:?}", opener.finish(trust).unwrap_err())
}

#[test]
#[ignore = "writes the vector files"]
fn make_vectors() {
    std::fs::create_dir_all(path("")).unwrap();
    let header = |index| Header { stream: StreamId::from_bytes(*b"0123456789abcdef"), index };
    let chain = |byte| [byte; 32];
    write(
        "ratchet.json",
        &[
            ratchet_vector(chain(0), 0, header(0)),
            ratchet_vector(chain(0), 0, header(1)),
            ratchet_vector(chain(0xa5), 7, header(1000)),
        ],
    );
    let (evidence, camera, secret, blobs) = segments();
    let (trust, key) = (trust(camera, evidence), StreamKey::from_secret(&secret));
    let (mut file, mut exporter, mut segments) = (Vec::new(), Exporter::default(), Vec::new());
    for (header, blob) in &blobs {
        let stored = StoredSegment::open(blob, &key, *header, &trust).unwrap();
        let mut mp4 = vec![0; stored.mp4_len() as usize];
        assert_eq!(stored.read_mp4(0, &mut mp4).unwrap(), mp4.len());
        segments.push(SegmentVector {
            stream_secret: hex(secret.to_bytes().as_ref()),
            evidence_public_key: hex(evidence.as_bytes()),
            evidence_fingerprint: evidence.fingerprint(),
            records: (0..stored.records()).map(|record| hex(stored.record(record).unwrap())).collect(),
            mp4: hex(mp4),
            root: hex(stored.statement().root),
            access_units: hex(stored.statement().access_units),
            session_certificate: hex(&stored.trailer().certificate),
            statement: hex(&stored.trailer().statement),
            statement_digest: hex(stored.statement().digest()),
            blob: hex(blob),
        });
        exporter.add(&stored, &mut file).unwrap();
    }
    exporter.finish(&mut file).unwrap();
    write("segments.json", &segments);
    write("refused.json", &refused(&blobs, &key, &trust));
    let report = verify_mp4(&file, &trust).unwrap();
    let damaged = [0, 20, 120, 200].map(|at| (at, first_failure(&file, at, &trust)));
    write(
        "proof.json",
        &ProofVector {
            evidence_public_key: hex(evidence.as_bytes()),
            camera: camera.to_string(),
            segments: report.segments,
            frames: report.frames,
            media_bytes: report.media_bytes,
            file: hex(file),
            damaged: damaged.to_vec(),
        },
    );
}

fn first_failure(file: &[u8], at: usize, trust: &KnownCameras) -> String {
    let mut file = file.to_vec();
    file[at] ^= 1;
    format!("{:?}", verify_mp4(&file, trust).unwrap().failures.first().unwrap())
}

fn refused(blobs: &[(Header, Vec<u8>)], key: &StreamKey, trust: &KnownCameras) -> Vec<RefusedVector> {
    let (header, blob) = &blobs[0];
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut blob = blob.clone();
        change(&mut blob);
        blob
    };
    let cases = [
        ("another version", changed(&|blob| blob[0] = 2)),
        ("another stream", changed(&|blob| blob[1] ^= 1)),
        ("the next segment", blobs[1].1.clone()),
        (
            "the next segment under this header",
            changed(&|blob| blob.splice(25.., blobs[1].1[25..].to_vec()).for_each(drop)),
        ),
        ("a flipped length", changed(&|blob| blob[28] ^= 1)),
        ("a flipped final flag", changed(&|blob| blob[25] ^= 0x80)),
        ("a flipped ciphertext", changed(&|blob| blob[40] ^= 1)),
        ("a flipped last tag", changed(&|blob| *blob.last_mut().unwrap() ^= 1)),
        ("cut in the first record", changed(&|blob| blob.truncate(30))),
        ("cut in the last record", changed(&|blob| blob.truncate(blob.len() - 1))),
        ("no bytes", Vec::new()),
        ("one byte more", changed(&|blob| blob.push(0))),
        ("twice", changed(&|blob| blob.extend_from_within(..))),
    ];
    let refused = |(what, blob): (&str, Vec<u8>)| RefusedVector {
        what: what.to_owned(),
        error: error(&blob, key, *header, trust),
        blob: hex(blob),
    };
    cases.into_iter().map(refused).collect()
}

#[test]
fn the_ratchet_holds() {
    for vector in read::<Vec<RatchetVector>>("ratchet.json") {
        let header = Header::parse(&unhex(&vector.header)).unwrap();
        let chain = unhex(&vector.chain).try_into().unwrap();
        assert_eq!(ratchet_vector(chain, vector.from, header), vector);
    }
}

#[test]
fn the_segments_open() {
    for vector in read::<Vec<SegmentVector>>("segments.json") {
        let blob = unhex(&vector.blob);
        let header = Header::parse(&blob).unwrap();
        let key = StreamKey::from_secret(&StreamSecret::from_bytes(&unhex(&vector.stream_secret)).unwrap());
        let evidence = EvidencePublicKey::from_bytes(&unhex(&vector.evidence_public_key)).unwrap();
        assert_eq!(evidence.fingerprint(), vector.evidence_fingerprint);
        let certificate = unhex(&vector.session_certificate);
        let session = CheckedSession::verify(&certificate, None).unwrap();
        let trust = trust(session.certificate.camera, evidence);
        verify(&blob, &key, header, &trust).unwrap();
        let stored = StoredSegment::open(&blob, &key, header, &trust).unwrap();
        let records: Vec<String> = (0..stored.records()).map(|record| hex(stored.record(record).unwrap())).collect();
        assert_eq!(records, vector.records);
        let mut mp4 = vec![0; stored.mp4_len() as usize];
        assert_eq!(stored.read_mp4(0, &mut mp4).unwrap(), mp4.len());
        assert_eq!(hex(mp4), vector.mp4);
        let statement = stored.statement();
        assert_eq!((hex(statement.root), hex(statement.access_units)), (vector.root, vector.access_units));
        assert_eq!(hex(statement.digest()), vector.statement_digest);
        assert_eq!(**statement, session.statement(&unhex(&vector.statement)).unwrap());
    }
}

/// Everything but signatures is deterministic: sealing the same media again gives the same keys, records and hashes.
#[test]
fn the_sealer_still_makes_them() {
    let (evidence, camera, secret, blobs) = segments();
    let (trust, key) = (trust(camera, evidence), StreamKey::from_secret(&secret));
    let vectors = read::<Vec<SegmentVector>>("segments.json");
    assert_eq!(vectors.len(), blobs.len());
    for ((header, blob), vector) in blobs.iter().zip(vectors) {
        let stored = StoredSegment::open(blob, &key, *header, &trust).unwrap();
        assert_eq!(hex(stored.statement().digest()), vector.statement_digest, "the whole signed statement is the same");
        let known = unhex(&vector.blob);
        assert_eq!(blob.len(), known.len());
        // Header and media records: 25 bytes, then five records up to the trailer.
        let media: usize = vector.records.iter().map(|content| content.len() / 2 + 24).sum();
        assert_eq!(hex(&blob[..25 + media]), hex(&known[..25 + media]));
    }
}

#[test]
fn the_refused_are_refused() {
    let segment = &read::<Vec<SegmentVector>>("segments.json")[0];
    let header = Header::parse(&unhex(&segment.blob)).unwrap();
    let key = StreamKey::from_secret(&StreamSecret::from_bytes(&unhex(&segment.stream_secret)).unwrap());
    let camera = CheckedSession::verify(&unhex(&segment.session_certificate), None).unwrap().certificate.camera;
    let trust = trust(camera, EvidencePublicKey::from_bytes(&unhex(&segment.evidence_public_key)).unwrap());
    for vector in read::<Vec<RefusedVector>>("refused.json") {
        assert_eq!(error(&unhex(&vector.blob), &key, header, &trust), vector.error, "{}", vector.what);
    }
}

#[test]
fn the_proof_holds() {
    let vector: ProofVector = read("proof.json");
    let evidence = EvidencePublicKey::from_bytes(&unhex(&vector.evidence_public_key)).unwrap();
    let trust = trust(vector.camera.parse().unwrap(), evidence);
    let file = unhex(&vector.file);
    let report = verify_mp4(&file, &trust).unwrap();
    assert!(report.is_authentic(), "{report:?}");
    assert_eq!(
        (report.segments, report.frames, report.media_bytes),
        (vector.segments, vector.frames, vector.media_bytes)
    );
    for (at, failure) in vector.damaged {
        assert_eq!(first_failure(&file, at, &trust), failure);
    }
}
