//! A camera as the hub's sealing side sees it: an evidence key, a session, and pictures made from a counter.

use privet_home::CameraInfo;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_segment::{
    ClockSource, EvidenceKey, InitInfo, SealedSegment, Sealer, SegmentEnd, SegmentFacts, Session, StreamKey, Track,
    UnitHead,
};

pub fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

pub fn make_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}

/// What every decoder configuration here is.
pub const AVCC: &[u8] = b"\x01\x64\x00\x1fconfiguration";

/// An init segment with the boxes a reader looks for.
pub fn init() -> Vec<u8> {
    let entry = make_box(b"avc1", &[&[0; 78][..], &make_box(b"avcC", AVCC)].concat());
    let stsd = make_box(b"stsd", &[&[0; 8][..], &entry].concat());
    let trak = make_box(b"trak", &make_box(b"mdia", &make_box(b"minf", &make_box(b"stbl", &stsd))));
    [make_box(b"ftyp", b"iso6"), make_box(b"moov", &trak)].concat()
}

/// The sample of frame `frame`: telling, so that a leak of it would be found.
pub fn sample(frame: u64, size: usize) -> Vec<u8> {
    let word = format!("picture {frame} ");
    let body: Vec<u8> = word.bytes().cycle().take(size).collect();
    [&(size as u32).to_be_bytes()[..], &body].concat()
}

/// A fragment and where its sample begins.
pub fn fragment(frame: u64, size: usize) -> (Vec<u8>, u32) {
    let moof = make_box(b"moof", &[0; 40]);
    let sample = sample(frame, size);
    let chunk = [moof.clone(), make_box(b"mdat", &sample)].concat();
    (chunk, moof.len() as u32 + 8)
}

pub struct TestCamera {
    pub id: CameraId,
    pub name: String,
    pub evidence: EvidenceKey,
    pub session: Session,
    pub frame: u64,
    pub sequence: u64,
    pub unit_size: usize,
    pub frames_per_segment: u64,
    /// Its pictures are the substream's.
    pub substream: bool,
    /// When its next picture comes, where that must not depend on how fast the test is; they are 40 ms apart then.
    pub clock: Option<Timestamp>,
}

/// A segment under way.
pub struct Running {
    sealer: Sealer,
    first: u64,
    next: u64,
}

impl TestCamera {
    pub fn new(name: &str) -> Self {
        let (evidence, id) = (EvidenceKey::generate(&SystemRandom).unwrap(), CameraId::generate(&SystemRandom));
        let (from, until) = (Timestamp(now().0 - 60_000), Timestamp(now().0 + 3_600_000));
        let session = Session::certify(&evidence, id, from, until, &SystemRandom).unwrap();
        Self {
            id,
            name: name.into(),
            evidence,
            session,
            frame: 1000,
            sequence: 1,
            unit_size: 4000,
            frames_per_segment: 5,
            substream: false,
            clock: None,
        }
    }

    pub fn info(&self) -> CameraInfo {
        CameraInfo {
            id: self.id,
            name: self.name.clone(),
            online: true,
            width: 1280,
            height: 720,
            codec: "avc1.64001f".into(),
            evidence: vec![serde_bytes::ByteBuf::from(self.evidence.public().unwrap().as_bytes().to_vec())],
        }
    }

    pub fn begin(
        &mut self,
        key: &mut StreamKey,
        stream: StreamId,
        index: u64,
        previous: [u8; 32],
        out: &mut Vec<u8>,
    ) -> Running {
        let facts = SegmentFacts {
            stream,
            index,
            camera: self.id,
            sequence: self.sequence,
            first_frame: self.frame,
            started: now(),
            clock: ClockSource::System,
            previous,
            gap: None,
            starts_with_key: true,
        };
        self.sequence += 1;
        let mut sealer = Sealer::begin(key, &self.session, facts, out).unwrap();
        let info = InitInfo {
            codec: "avc1.64001f".into(),
            width: if self.substream { 640 } else { 1280 },
            height: if self.substream { 360 } else { 720 },
            timescale: 90_000,
            audio_codec: None,
            audio_timescale: None,
            substream: self.substream,
        };
        sealer.init(&info, &init(), out).unwrap();
        Running { sealer, first: self.frame, next: self.frame }
    }

    pub fn picture(&mut self, running: &mut Running, out: &mut Vec<u8>) {
        let frame = running.next;
        let (chunk, header_len) = fragment(frame, self.unit_size);
        let head = UnitHead {
            track: Track::Video,
            key: frame == running.first,
            frame,
            pts_us: frame as i64 * 40_000,
            duration_us: 40_000,
            captured: self.clock.unwrap_or_else(now),
            captured_us: 0,
            header_len,
            length: chunk.len() as u32,
        };
        running.sealer.unit(&head, &chunk, &chunk[header_len as usize..], out).unwrap();
        running.next += 1;
        self.frame = running.next;
        self.clock = self.clock.map(|clock| Timestamp(clock.0 + 40));
    }

    pub fn end(&mut self, running: Running, out: &mut Vec<u8>) -> SealedSegment {
        let end = SegmentEnd { ended: now(), clock_stepped_back: false };
        running.sealer.finish(end, out).unwrap()
    }

    /// A whole segment.
    pub fn segment(
        &mut self,
        key: &mut StreamKey,
        stream: StreamId,
        index: u64,
        previous: [u8; 32],
    ) -> (Vec<u8>, SealedSegment) {
        let mut out = Vec::new();
        let mut running = self.begin(key, stream, index, previous, &mut out);
        for _ in 0..self.frames_per_segment {
            self.picture(&mut running, &mut out);
        }
        let sealed = self.end(running, &mut out);
        (out, sealed)
    }
}
