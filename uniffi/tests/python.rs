//! Generates the Python binding from the built library and runs `binding.py` with it: the version, the verdict on a really
//! sealed and exported clip, errors and callbacks across the border.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_segment::proof::Exporter;
use privet_segment::{
    ClockSource, EvidenceKey, Header, InitInfo, KnownCameras, Sealer, SegmentEnd, SegmentFacts, Session, StoredSegment,
    StreamKey, Track, UnitHead,
};

#[test]
fn the_python_binding_works() {
    assert!(
        Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()),
        "python3 is missing, and this test needs it: apt install python3"
    );
    let scratch = tempfile::tempdir().unwrap();
    let bindgen = Path::new(env!("CARGO_BIN_EXE_uniffi-bindgen"));
    let library = library(bindgen);
    let folder = scratch.path().join("binding");
    run(Command::new(bindgen).arg("generate").arg(&library).args(["--language", "python", "--out-dir"]).arg(&folder));
    std::fs::copy(&library, folder.join(library.file_name().unwrap())).unwrap();

    let clip = scratch.path().join("clip.mp4");
    let root = export(&clip);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binding.py");
    let told = run(Command::new("python3")
        .arg(script)
        .arg(&folder)
        .arg(&clip)
        .arg(root)
        .arg(scratch.path())
        .arg(env!("CARGO_PKG_VERSION")));
    assert!(told.contains("the binding works"), "{told}");
}

/// The cdylib that cargo built along with this test.
fn library(bindgen: &Path) -> PathBuf {
    let target = bindgen.parent().unwrap();
    let name = format!("{}privet_uniffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    [target.join("deps").join(&name), target.join(&name)]
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(|path| path.metadata().and_then(|about| about.modified()).unwrap())
        .expect("cargo builds the library with its tests")
}

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{command:?}:\n{}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}

/// Seals two segments, exports them, and names the key that vouches for them.
fn export(path: &Path) -> String {
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
            gap: None,
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
    data_encoding::HEXLOWER.encode(evidence.public().unwrap().as_bytes())
}

fn make_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}
