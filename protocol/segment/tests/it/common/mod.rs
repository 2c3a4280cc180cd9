//! A small world for the tests: keys, one camera, media made from a seed.
// `tests/memory.rs` takes little of it.
#![allow(dead_code)]

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::{Random, SeededRandom};
use privet_protocol::time::Timestamp;
use privet_segment::{
    ClockSource, EvidenceKey, EvidenceKeys, Header, InitInfo, Item, KnownCameras, Opener, SealedSegment, Sealer,
    SegmentEnd, SegmentError, SegmentFacts, Session, Statement, StreamKey, StreamSecret, Track, UnitHead, Verified,
};

pub const START: i64 = 1_790_000_000_000;

pub struct World {
    pub random: SeededRandom,
    pub evidence: EvidenceKey,
    pub session: Session,
    pub camera: CameraId,
    pub stream: StreamId,
    pub secret: StreamSecret,
    pub trust: KnownCameras,
}

/// What was put into a segment, to compare what comes out with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub info: InitInfo,
    pub init: Vec<u8>,
    pub units: Vec<(UnitHead, Vec<u8>)>,
}

impl Media {
    pub fn mp4(&self) -> Vec<u8> {
        let mut mp4 = self.init.clone();
        mp4.extend(self.units.iter().flat_map(|(_, chunk)| chunk));
        mp4
    }

    pub fn items(&self) -> Vec<Item> {
        let init = Item::Init { info: self.info.clone(), segment: self.init.clone().into() };
        let units = self.units.iter().map(|(head, chunk)| Item::Unit { head: *head, chunk: chunk.clone().into() });
        std::iter::once(init).chain(units).collect()
    }
}

pub struct Sealed {
    pub header: Header,
    pub facts: SegmentFacts,
    pub media: Media,
    pub blob: Vec<u8>,
    pub result: SealedSegment,
}

impl World {
    pub fn new(seed: &str) -> Self {
        let random = SeededRandom::new(seed.as_bytes());
        let evidence = EvidenceKey::generate(&random).unwrap();
        let camera = CameraId::generate(&random);
        let (from, until) = (Timestamp(START), Timestamp(START + 86_400_000));
        let session = Session::certify(&evidence, camera, from, until, &random).unwrap();
        let stream = StreamId::generate(&random);
        let secret = StreamKey::generate(&random).to_secret();
        let mut trust = KnownCameras::default();
        trust.set(camera, vec![evidence.public().unwrap()]);
        Self { random, evidence, session, camera, stream, secret, trust }
    }

    pub fn key(&self) -> StreamKey {
        StreamKey::from_secret(&self.secret)
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        bytes
    }

    pub fn facts(&self, index: u64, previous: [u8; 32]) -> SegmentFacts {
        SegmentFacts {
            stream: self.stream,
            index,
            camera: self.camera,
            sequence: 100 + index,
            first_frame: 1000 + index * 100,
            started: Timestamp(START + 1000 * i64::try_from(index).unwrap()),
            clock: ClockSource::Synchronized,
            previous,
            gap: None,
            starts_with_key: true,
        }
    }

    /// Media with one unit for each size; every third is sound.
    pub fn media(&self, first_frame: u64, sizes: &[usize]) -> Media {
        let info = InitInfo {
            codec: "avc1.64001f".into(),
            width: 1280,
            height: 720,
            timescale: 90_000,
            audio_codec: Some("mp4a.40.2".into()),
            audio_timescale: Some(16_000),
            substream: false,
        };
        let mut frame = first_frame;
        let mut units = Vec::new();
        for (at, &size) in sizes.iter().enumerate() {
            let track = if at % 3 == 2 { Track::Audio } else { Track::Video };
            let header_len = size.min(60) as u32;
            let head = UnitHead {
                track,
                key: at == 0 || track == Track::Audio,
                frame: if track == Track::Video { frame } else { 0 },
                pts_us: at as i64 * 66_667 - 5,
                duration_us: 66_667,
                captured: Timestamp(START + at as i64 * 67),
                captured_us: 5_000_000 + at as u64,
                header_len,
                length: size as u32,
            };
            frame += u64::from(track == Track::Video);
            units.push((head, self.bytes(size)));
        }
        Media { info, init: vec![7; 700], units }
    }

    pub fn seal(&self, index: u64, previous: [u8; 32], sizes: &[usize]) -> Sealed {
        let facts = self.facts(index, previous);
        let media = self.media(facts.first_frame, sizes);
        self.seal_media(facts, media)
    }

    pub fn seal_media(&self, facts: SegmentFacts, media: Media) -> Sealed {
        let mut blob = Vec::new();
        let mut sealer = Sealer::begin(&mut self.key(), &self.session, facts.clone(), &mut blob).unwrap();
        sealer.init(&media.info, &media.init, &mut blob).unwrap();
        for (head, chunk) in &media.units {
            sealer.unit(head, chunk, sample(head, chunk), &mut blob).unwrap();
        }
        let ended = Timestamp(facts.started.0 + 1000);
        let result = sealer.finish(SegmentEnd { ended, clock_stepped_back: false }, &mut blob).unwrap();
        Sealed { header: Header { stream: facts.stream, index: facts.index }, facts, media, blob, result }
    }

    /// Opens in pieces of `step` bytes: the items before the first error, and how it ended.
    pub fn open(
        &self,
        header: Header,
        blob: &[u8],
        step: usize,
    ) -> (Vec<Item>, Result<Verified<Statement>, SegmentError>) {
        let mut items = Vec::new();
        let mut opener = match Opener::new(&self.key(), header) {
            Ok(opener) => opener,
            Err(error) => return (items, Err(error)),
        };
        for piece in blob.chunks(step) {
            opener.push(piece);
            loop {
                match opener.next() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(error) => return (items, Err(error)),
                }
            }
        }
        let verdict = opener.finish(&self.trust).map(|(statement, signer)| {
            assert_eq!(self.trust.evidence_keys(&statement.camera), [signer], "the key that signed is told");
            statement
        });
        (items, verdict)
    }
}

pub fn sample<'a>(head: &UnitHead, chunk: &'a [u8]) -> &'a [u8] {
    if head.track == Track::Video { &chunk[head.header_len as usize..] } else { &[] }
}
