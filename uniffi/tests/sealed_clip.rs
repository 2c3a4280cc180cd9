//! Seals and exports a clip with known contents, holds it against the library's own verdict, and leaves it for the suites in Python and Kotlin
//! (`PRIVET_SEALED_CLIP`, which `./dev test` sets): `clip.mp4` and, hexadecimal, the key that vouches for it in `root.hex`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_segment::proof::Exporter;
use privet_segment::{
    ClockSource, EvidenceKey, Gap, GapReason, Header, InitInfo, KnownCameras, Sealer, SegmentEnd, SegmentFacts,
    Session, StoredSegment, StreamKey, Track, UnitHead,
};

#[test]
fn a_sealed_clip_is_left_for_the_other_languages() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sealed-clip");
    std::fs::create_dir_all(&folder).unwrap();
    let clip = folder.join("clip.mp4");
    let root = export(&clip);
    let report = privet_uniffi::verify_file(clip.to_string_lossy().into_owned(), vec![root.clone()]).unwrap();
    assert!(report.ok && report.signer_known, "{report:?}");
    assert_eq!((report.segments, report.frames_checked), (2, 10));
    assert_eq!((report.gaps.len(), report.gaps[0].reason), (1, privet_uniffi::OutageReason::CameraLost));
    std::fs::write(folder.join("root.hex"), data_encoding::HEXLOWER.encode(&root)).unwrap();
}

/// Seals two segments, exports them, and gives the key that vouches for them.
fn export(path: &Path) -> Vec<u8> {
    let (camera, stream) = (CameraId::generate(&SystemRandom), StreamId::generate(&SystemRandom));
    let evidence = EvidenceKey::generate(&SystemRandom).unwrap();
    let start = 1_790_000_000_000;
    let session =
        Session::certify(&evidence, camera, Timestamp(start), Timestamp(start + 60_000), &SystemRandom).unwrap();
    let secret = StreamKey::generate(&SystemRandom).to_secret();
    let mut trust = KnownCameras::default();
    trust.set(camera, vec![evidence.public().unwrap()]);

    let mut key = StreamKey::from_secret(&secret);
    let (mut exporter, mut file, mut previous) = (Exporter::default(), Vec::new(), [0; 32]);
    for index in 0..2 {
        let mut blob = Vec::new();
        let first = 1000 + index * 5;
        let facts = SegmentFacts {
            stream,
            index,
            camera,
            sequence: 1 + index,
            first_frame: first,
            started: Timestamp(start + index as i64 * 1000),
            clock: ClockSource::System,
            previous,
            // The camera was away before the second one.
            gap: (index == 1).then_some(Gap {
                from: Timestamp(start + 400),
                until: Timestamp(start + 1000),
                reason: GapReason::CameraLost,
            }),
            starts_with_key: true,
        };
        let mut sealer = Sealer::begin(&mut key, &session, facts, &mut blob).unwrap();
        let info = InitInfo {
            codec: "avc1.64001f".into(),
            width: 640,
            height: 360,
            timescale: 90_000,
            audio_codec: None,
            audio_timescale: None,
            substream: false,
        };
        let init = [make_box(b"ftyp", b"iso6"), make_box(b"moov", b"movie")].concat();
        sealer.init(&info, &init, &mut blob).unwrap();
        for frame in first..first + 5 {
            let sample = format!("\0\0\0\x0cpicture {frame}").into_bytes();
            let moof = make_box(b"moof", b"fragment");
            let chunk = [moof.clone(), make_box(b"mdat", &sample)].concat();
            let head = UnitHead {
                track: Track::Video,
                key: frame == first,
                frame,
                pts_us: frame as i64 * 40_000,
                duration_us: 40_000,
                captured: Timestamp(start),
                captured_us: 0,
                header_len: moof.len() as u32 + 8,
                length: chunk.len() as u32,
            };
            sealer.unit(&head, &chunk, &sample, &mut blob).unwrap();
        }
        let end = SegmentEnd { ended: Timestamp(start + index as i64 * 1000 + 1000), clock_stepped_back: false };
        previous = sealer.finish(end, &mut blob).unwrap().digest;
        let stored =
            StoredSegment::open(blob, &StreamKey::from_secret(&secret), Header { stream, index }, &trust).unwrap();
        exporter.add(&stored, &mut file).unwrap();
    }
    exporter.finish(&mut file).unwrap();
    std::fs::write(path, file).unwrap();
    evidence.public().unwrap().as_bytes().to_vec()
}

fn make_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}
