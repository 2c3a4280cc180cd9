//! The real thing: whole segments through the public verbs of `privet-segment`.
#![expect(clippy::expect_used, reason = "a benchmark whose subject fails has nothing to report")]

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::time::Timestamp;
use privet_segment::{
    ClockSource, EvidenceKey, Header, InitInfo, KnownCameras, Opener, Sealer, SegmentEnd, SegmentFacts, Session,
    StoredSegment, StreamKey, StreamSecret, Track, UnitHead, verify,
};

use super::timed;

/// A record's content beside the unit's bytes: record head 4, unit head 46.
const HEADS: usize = 50;
/// `moof` and the header of `mdat`.
const CHUNK_HEADER: usize = 120;

pub(super) struct Subject {
    secret: StreamSecret,
    session: Session,
    facts: SegmentFacts,
    info: InitInfo,
    units: Vec<(UnitHead, Vec<u8>)>,
    trust: KnownCameras,
    blob: Vec<u8>,
    mp4: Vec<u8>,
}

impl Subject {
    /// A segment of `length` bytes in units that each fill one record, the last one perhaps less.
    pub(super) fn new(track: Track, length: usize, record: usize) -> Self {
        let (random, start) = (SystemRandom, Timestamp(1_800_000_000_000));
        let evidence = EvidenceKey::generate(&random).expect("an evidence key");
        let camera = CameraId::generate(&random);
        let until = Timestamp(start.0 + 3_600_000);
        let session = Session::certify(&evidence, camera, start, until, &random).expect("a session");
        let mut trust = KnownCameras::default();
        trust.set(camera, vec![evidence.public().expect("a public key")]);
        let facts = SegmentFacts {
            stream: StreamId::generate(&random),
            index: 0,
            camera,
            sequence: 0,
            first_frame: 0,
            started: start,
            clock: ClockSource::System,
            previous: [0; 32],
            gap: None,
            starts_with_key: true,
        };
        let info = InitInfo {
            codec: "avc1.64001f".into(),
            width: 1920,
            height: 1080,
            timescale: 90_000,
            audio_codec: None,
            audio_timescale: None,
            substream: false,
        };
        let units = (0..length).step_by(record).enumerate().map(|(frame, at)| {
            let chunk = record.min(length - at) - HEADS;
            let mut bytes = vec![0; chunk];
            random.fill(&mut bytes);
            let head = UnitHead {
                track,
                key: true,
                frame: frame as u64,
                pts_us: 0,
                duration_us: 0,
                captured: start,
                captured_us: 0,
                header_len: CHUNK_HEADER as u32,
                length: chunk as u32,
            };
            (head, bytes)
        });
        let secret = StreamKey::generate(&random).to_secret();
        let units = units.collect();
        let mut subject =
            Self { secret, session, facts, info, units, trust, blob: Vec::new(), mp4: vec![0; length + 4096] };
        subject.seal();
        subject
    }

    /// Seals the segment into a buffer that is used again.
    pub(super) fn seal(&mut self) -> f64 {
        let mut key = StreamKey::from_secret(&self.secret);
        let Self { session, facts, info, units, blob, .. } = self;
        blob.clear();
        timed(|| {
            let mut sealer = Sealer::begin(&mut key, session, facts.clone(), blob).expect("begins");
            sealer.init(info, &[0; 700], blob).expect("seals the init segment");
            for (head, chunk) in units {
                let sample = if head.track == Track::Video { &chunk[CHUNK_HEADER..] } else { &[] };
                sealer.unit(head, chunk, sample, blob).expect("seals a unit");
            }
            sealer.finish(end(facts), blob).expect("seals the end")
        })
    }

    /// Opens it as a socket would give it, piece by piece, and verifies it.
    pub(super) fn open_pieces(&self, piece: usize) -> f64 {
        let key = StreamKey::from_secret(&self.secret);
        timed(|| {
            let mut opener = Opener::new(&key, self.header()).expect("opens");
            for piece in self.blob.chunks(piece) {
                opener.push(piece);
                drain(&mut opener);
            }
            opener.finish(&self.trust).expect("is signed")
        })
    }

    /// Opens a stored segment, as a clip is opened, and reads its MP4 from start to end.
    pub(super) fn read_stored(&mut self) -> f64 {
        let key = StreamKey::from_secret(&self.secret);
        let mut mp4 = std::mem::take(&mut self.mp4);
        let seconds = timed(|| {
            let stored = StoredSegment::open(&self.blob, &key, self.header(), &self.trust).expect("is signed");
            stored.read_mp4(0, &mut mp4).expect("is authentic")
        });
        self.mp4 = mp4;
        seconds
    }

    /// Opens a stored segment and checks every byte of it, the hash of the access units too.
    pub(super) fn verify_stored(&self) -> f64 {
        let key = StreamKey::from_secret(&self.secret);
        timed(|| verify(&self.blob, &key, self.header(), &self.trust).expect("is signed"))
    }

    fn header(&self) -> Header {
        Header { stream: self.facts.stream, index: self.facts.index }
    }
}

fn drain(opener: &mut Opener) {
    while let Some(item) = opener.next().expect("is authentic") {
        std::hint::black_box(item);
    }
}

/// The most memory the process held while a segment of `length` bytes went through sealer and opener, unit by unit.
/// Nothing where the system does not tell.
pub(super) fn streaming_peak(length: usize, record: usize) -> Option<usize> {
    let one = Subject::new(Track::Video, record, record);
    let (head, chunk) = one.units.first()?;
    let key = StreamKey::from_secret(&one.secret);
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    let mut out = Vec::new();
    let mut sealer =
        Sealer::begin(&mut StreamKey::from_secret(&one.secret), &one.session, one.facts.clone(), &mut out).ok()?;
    let mut opener = Opener::new(&key, one.header()).ok()?;
    sealer.init(&one.info, &[0; 700], &mut out).ok()?;
    let mut pass = |out: &mut Vec<u8>| {
        opener.push(out);
        out.clear();
        while opener.next().ok()?.is_some() {}
        Some(())
    };
    for frame in 0..length / record {
        let head = UnitHead { frame: frame as u64, ..*head };
        sealer.unit(&head, chunk, &chunk[CHUNK_HEADER..], &mut out).ok()?;
        pass(&mut out)?;
    }
    sealer.finish(end(&one.facts), &mut out).ok()?;
    pass(&mut out)?;
    opener.finish(&one.trust).ok()?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib << 10)
}

fn end(facts: &SegmentFacts) -> SegmentEnd {
    SegmentEnd { ended: facts.started, clock_stepped_back: false }
}
