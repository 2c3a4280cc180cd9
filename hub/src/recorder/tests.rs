//! The recorder with simulated time: an hour takes as long as its cryptography does. What it seals is opened and verified with
//! the phone's code.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use mp4_atom::{Avc1, Avcc, Encode, Visual};
use privet_home::{ClipNotes, StreamKind};
use privet_protocol::id::{DeviceId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_segment::{Header, KnownCameras, Statement, StoredSegment, StreamKey, StreamSecret, Verified};

mod feeds;
mod modes;
mod notes;
mod sightings;
mod watching;

use super::*;
use crate::source::{Fault, MotionSample, OfflineReason, Phase, Picture, Tamper};

const CAMERA: CameraId = CameraId::from_bytes([3; 16]);
const PHONE: DeviceId = DeviceId::from_bytes([4; 16]);
/// Microseconds between pictures.
const STEP: u64 = 100_000;
/// Pictures in a group.
const GROUP: u64 = 20;

fn format(width: u16) -> Format {
    let visual = Visual { data_reference_index: 1, width, height: 480, frame_count: 1, depth: 24, ..Visual::default() };
    let avcc = Avcc {
        configuration_version: 1,
        avc_profile_indication: 66,
        avc_level_indication: 30,
        length_size: 4,
        ..Avcc::default()
    };
    let mut entry = Vec::new();
    Avc1 { visual, avcc, ..Avc1::default() }.encode(&mut entry).unwrap();
    Format {
        codec: "avc1.42001e".into(),
        width: width.into(),
        height: 480,
        video_sample_entry: entry.into(),
        avcc: Bytes::new(),
        audio: None,
        nominal_millifps: Some(10_000),
    }
}

fn settings() -> Settings {
    Settings {
        record: Record::Events,
        pre_roll: Duration::from_secs(5),
        pre_roll_bytes: 8 << 20,
        post_roll: Duration::from_secs(10),
        max_clip: Duration::from_secs(60),
        zones: vec!["gate".into(), "path".into()],
        picture_bytes: usize::MAX,
    }
}

/// A recorder, its camera, the time, and everything that came out.
struct World {
    recorder: Recorder,
    now: Moment,
    connected_us: u64,
    frame: u64,
    secrets: BTreeMap<StreamId, StreamSecret>,
    kinds: BTreeMap<StreamId, StreamKind>,
    segments: Vec<(StreamId, u64, Vec<u8>)>,
    ended: Vec<StreamEnded>,
    news: usize,
    sighted: Vec<Sighting>,
    notes: Vec<ClipNotes>,
    stopped: usize,
    durable: Chain,
    trust: KnownCameras,
}

impl World {
    fn new() -> Self {
        Self::after(Chain::default())
    }

    fn with(settings: Settings) -> Self {
        Self::made(Chain::default(), settings)
    }

    fn after(chain: Chain) -> Self {
        Self::made(chain, settings())
    }

    fn made(chain: Chain, settings: Settings) -> Self {
        let random = Arc::new(SeededRandom::new(b"recorder"));
        let evidence = EvidenceKey::generate(&*random).unwrap();
        let mut trust = KnownCameras::default();
        trust.set(CAMERA, vec![evidence.public().unwrap()]);
        let now = Moment { wall: Timestamp(1_800_000_000_000), mono_us: 50_000_000 };
        let durable = chain.reserve();
        let recorder = Recorder::new(CAMERA, evidence, durable.clone(), settings, random);
        Self {
            recorder,
            now,
            connected_us: 0,
            frame: 0,
            secrets: BTreeMap::new(),
            kinds: BTreeMap::new(),
            segments: Vec::new(),
            ended: Vec::new(),
            news: 0,
            sighted: Vec::new(),
            notes: Vec::new(),
            stopped: 0,
            durable,
            trust,
        }
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.recorder.handle(input, self.now, &mut out);
        for output in out {
            self.take(output);
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Started(started) => {
                self.secrets.insert(started.stream, StreamSecret::from_bytes(started.secret.expose()).unwrap());
                self.kinds.insert(started.stream, started.kind);
            }
            Output::Live(record) => {
                if record.part == LivePart::Begin {
                    self.segments.push((record.stream, record.index, Vec::new()));
                }
                let segment = self.segments.iter_mut().rfind(|s| s.0 == record.stream && s.1 == record.index).unwrap();
                segment.2.extend_from_slice(&record.bytes);
            }
            Output::Segment(segment) => {
                self.durable = segment.chain.clone();
                self.segments.push((segment.stream, segment.index, segment.bytes.to_vec()));
            }
            Output::Ended(_, ended) => self.ended.push(ended),
            Output::Camera(_) => self.news += 1,
            Output::Notes(notes) => self.notes.push(*notes),
            Output::Sighted(sighting) => self.sighted.push(sighting),
            Output::Reserve(chain) => self.durable = chain,
            Output::Stopped => self.stopped += 1,
        }
    }

    fn pass(&mut self, us: u64) {
        self.now.mono_us += us;
        self.now.wall = Timestamp(self.now.wall.0 + i64::try_from(us / 1000).unwrap());
    }

    fn online(&mut self, width: u16) {
        self.connected_us = self.now.mono_us;
        self.tell(Input::Source(SourceEvent::Online { format: format(width) }));
    }

    fn offline(&mut self) {
        let reason = OfflineReason::from(Fault::Closed { phase: Phase::Streaming });
        self.tell(Input::Source(SourceEvent::Offline { reason, retry_in: Duration::from_secs(1) }));
    }

    fn picture(&mut self, key: bool) {
        self.pass(STEP);
        let unit = AccessUnit {
            track: Track::Video,
            key,
            pts_us: i64::try_from(self.now.mono_us - self.connected_us).unwrap(),
            received: self.now.wall,
            received_mono_us: self.now.mono_us,
            frame: self.frame,
            data: Bytes::from(self.frame.to_be_bytes().repeat(50)),
            loss: 0,
        };
        self.frame += 1;
        self.tell(Input::Source(SourceEvent::Unit(unit)));
    }

    /// Whole groups.
    fn film(&mut self, groups: u64) {
        for place in 0..groups * GROUP {
            self.picture(place % GROUP == 0);
        }
    }

    fn motion(&mut self, active: bool) {
        let sample = MotionSample { score: 0.5, active, area: 0.2, ..MotionSample::default() };
        self.tell(Input::Source(SourceEvent::Motion(sample)));
    }

    fn moves_in(&mut self, zones: u32) {
        let sample = MotionSample { score: 0.5, active: true, area: 0.2, zones, ..MotionSample::default() };
        self.tell(Input::Source(SourceEvent::Motion(sample)));
    }

    fn onset(&mut self) {
        let (jpeg, small_jpeg) = (Bytes::from_static(b"large"), Bytes::from_static(b"small"));
        let picture = Picture { pts_us: 0, last: false, width: 320, height: 180, jpeg, small_jpeg };
        self.tell(Input::Source(SourceEvent::Picture(picture)));
    }

    fn motions(&self) -> Vec<&Sighting> {
        self.sighted.iter().filter(|s| matches!(s, Sighting::Motion { .. } | Sighting::MotionOver { .. })).collect()
    }

    fn watch(&mut self) {
        self.tell(Input::Watch { viewer: PHONE, lease: Duration::from_secs(30), feed: Feed::Main });
    }

    /// The whole segments of this kind, each opened and verified.
    fn verified(&self, kind: StreamKind) -> Vec<Verified<Statement>> {
        let whole = self.segments.iter().filter(|(stream, ..)| self.kinds[stream] == kind);
        whole
            .filter_map(|(stream, index, bytes)| {
                let mut key = StreamKey::from_secret(&self.secrets[stream]);
                key.advance_to(*index).unwrap();
                let expected = Header { stream: *stream, index: *index };
                let opened = StoredSegment::open(bytes.as_slice(), &key, expected, &self.trust).ok()?;
                opened.check().unwrap();
                Some(opened.statement().clone())
            })
            .collect()
    }

    fn streams_begun(&self, kind: StreamKind) -> Vec<StreamId> {
        self.kinds.iter().filter(|(_, k)| **k == kind).map(|(stream, _)| *stream).collect()
    }

    fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        let mut seen = Vec::new();
        for (stream, ..) in &self.segments {
            if self.kinds[stream] == kind && !seen.contains(stream) {
                seen.push(*stream);
            }
        }
        seen
    }
}

/// Frames are there once each, and each statement names the one before.
fn is_chain(statements: &[Verified<Statement>]) {
    for pair in statements.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].previous, pair[0].digest());
        assert!(pair[1].first_frame > pair[0].last_frame);
    }
}

#[test]
fn motion_makes_a_clip_with_pre_roll_and_post_roll_that_verifies() {
    let mut world = World::new();
    world.online(640);
    world.film(10);
    assert!(world.segments.is_empty(), "nothing leaves without motion");
    let moved = world.now;
    world.motion(true);
    assert_eq!(world.kinds.len(), 1);
    world.film(1);
    world.motion(false);
    world.film(7);
    assert_eq!(world.ended.len(), 1);
    let ended = &world.ended[0];
    assert_eq!(ended.reason, EndReason::Finished);
    let clips = world.verified(StreamKind::Clip);
    assert_eq!(clips.len() as u64, ended.segments);
    is_chain(&clips);
    assert_eq!(ended.last_statement, clips.last().unwrap().digest());
    let before = moved.wall.0 - clips[0].started.0;
    assert!((4_000..=8_000).contains(&before), "pre-roll of {before} ms");
    let after = clips.last().unwrap().ended.0 - moved.wall.0;
    assert!((10_000..=16_000).contains(&after), "{after} ms after the motion");
    assert!(clips.iter().all(|s| s.starts_with_key && s.frames == GROUP && s.last_frame - s.first_frame + 1 == GROUP));
}

#[test]
fn near_events_are_one_clip_far_ones_are_two_and_share_a_chain_without_repeating_a_frame() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    for quiet_groups in [2, 9, 9] {
        world.motion(true);
        world.film(1);
        world.motion(false);
        world.film(quiet_groups);
    }
    assert_eq!(world.streams(StreamKind::Clip).len(), 2);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    let second = clips.iter().find(|s| s.index == 0 && s.sequence > 0).unwrap();
    assert_eq!(second.gap.unwrap().reason, GapReason::NotRecorded);
}

#[test]
fn a_clip_that_goes_on_is_continued_in_a_new_one_without_losing_a_frame() {
    let mut world = World::new();
    world.online(640);
    world.film(1);
    for _ in 0..80 {
        world.motion(true);
        world.film(1);
    }
    world.motion(false);
    world.film(10);
    assert_eq!(world.streams(StreamKind::Clip).len(), 3);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    for pair in clips.windows(2) {
        assert_eq!(pair[1].first_frame, pair[0].last_frame + 1);
    }
}

#[test]
fn live_starts_at_the_group_s_key_frame_and_ends_with_its_lease() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    for place in 0..7 {
        world.picture(place == 0);
    }
    world.watch();
    // At once: the current group from its key frame, before any further picture.
    assert_eq!(world.segments.len(), 1);
    let first = world.segments[0].2.len();
    assert!(first > 7 * 400, "{first} bytes");
    for _ in 7..GROUP {
        world.picture(false);
    }
    world.film(13);
    world.watch();
    world.film(13);
    assert!(world.ended.is_empty());
    world.film(3);
    assert_eq!(world.ended.len(), 1);
    assert_eq!(world.ended[0].reason, EndReason::NobodyWatching);
    let live = world.verified(StreamKind::Live);
    assert_eq!(live.len() as u64, world.ended[0].segments);
    is_chain(&live);
    assert_eq!(live[0].previous, [0; 32]);
    assert_eq!(live[0].frames, GROUP);
}

#[test]
fn removal_of_a_member_moves_every_stream_to_a_new_key_and_the_picture_goes_on() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.watch();
    world.tell(Input::Watch {
        viewer: DeviceId::from_bytes([9; 16]),
        lease: Duration::from_secs(30),
        feed: Feed::Main,
    });
    world.motion(true);
    for place in 0..5 {
        world.picture(place == 0);
    }
    let before: Vec<StreamId> = world.kinds.keys().copied().collect();
    assert_eq!(before.len(), 2);
    world.tell(Input::Rekey { removed: Some(PHONE) });
    assert_eq!(world.ended.iter().filter(|e| e.reason == EndReason::Rekeyed).count(), 2);
    assert_eq!(world.recorder.watching().viewers, 1);
    world.film(3);
    for stream in &before {
        assert!(
            !world
                .segments
                .iter()
                .any(|(s, i, _)| s == stream && *i > world.ended.iter().find(|e| e.stream == *s).unwrap().segments)
        );
    }
    assert_eq!(world.recorder.open_streams().len(), 2);
    assert!(world.recorder.open_streams().iter().all(|s| !before.contains(&s.stream)));
    // Nothing of the clip is missing.
    let clips = world.verified(StreamKind::Clip);
    for pair in clips.windows(2) {
        assert!(pair[1].first_frame <= pair[0].last_frame + 1);
        assert_eq!(pair[1].previous, pair[0].digest());
    }
}

#[test]
fn an_outage_is_told_in_the_next_statement_and_a_parameter_change_starts_a_segment() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.watch();
    world.motion(true);
    world.film(1);
    world.offline();
    let lost = world.now.wall;
    world.pass(4_000_000);
    world.tell(Input::Tick);
    world.online(640);
    world.motion(true);
    world.film(2);
    world.tell(Input::Source(SourceEvent::Format(format(320))));
    world.film(2);
    world.tell(Input::Stop);
    for kind in [StreamKind::Live, StreamKind::Clip] {
        assert_eq!(world.streams(kind).len(), 1, "{kind:?} goes on");
        let statements = world.verified(kind);
        is_chain(&statements);
        let gaps: Vec<_> = statements.iter().filter_map(|s| s.gap).collect();
        assert_eq!(gaps.len(), 1, "{kind:?}");
        assert_eq!((gaps[0].reason, gaps[0].from), (GapReason::CameraLost, lost));
        assert!(gaps[0].until.0 - lost.0 >= 4_000);
        let parameters: Vec<_> = statements.iter().map(|s| s.parameters).collect();
        assert_ne!(parameters.first(), parameters.last());
    }
    assert_eq!(world.news, 4);
}

#[test]
fn a_camera_that_stays_away_ends_the_clip_but_not_the_wish_to_watch() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.watch();
    world.motion(true);
    world.film(1);
    world.offline();
    for _ in 0..12 {
        world.pass(1_000_000);
        world.tell(Input::Tick);
    }
    assert_eq!(world.ended.len(), 1);
    assert_eq!(world.ended[0].reason, EndReason::CameraLost);
    assert_eq!(world.recorder.watching().viewers, 1);
}

#[test]
fn without_room_clips_stop_the_chain_goes_back_to_what_is_durable_and_recording_resumes() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.motion(true);
    world.film(2);
    let durable = world.durable.clone();
    let kept = world.segments.len();
    // Two more are sealed, but never reach the disk.
    world.film(2);
    world.segments.truncate(kept);
    world.tell(Input::NoRoom { chain: durable.clone() });
    assert_eq!(world.stopped, 1, "it answers");
    world.motion(true);
    world.film(3);
    assert_eq!(world.segments.len(), kept, "nothing is recorded");
    world.tell(Input::Room { chain: durable });
    world.motion(true);
    world.film(2);
    world.tell(Input::Stop);
    let clips = world.verified(StreamKind::Clip);
    is_chain(&clips);
    assert!(clips.iter().any(|s| s.gap.is_some_and(|g| g.reason == GapReason::StorageFull)));
}

#[test]
fn numbers_go_on_after_a_restart_and_the_time_off_is_told() {
    let mut world = World::new();
    world.online(640);
    world.film(3);
    world.motion(true);
    world.film(3);
    let chain = world.durable.clone();
    let last = world.verified(StreamKind::Clip).pop().unwrap();
    let mut later = World::after(chain);
    later.pass(60_000_000);
    later.online(640);
    later.film(3);
    later.motion(true);
    later.film(1);
    later.tell(Input::Stop);
    let first = later.verified(StreamKind::Clip).remove(0);
    assert_eq!(first.sequence, last.sequence + 1);
    assert_eq!(first.previous, last.digest());
    assert!(first.first_frame > last.last_frame);
    assert_eq!(first.gap.unwrap().reason, GapReason::HubOff);
}

#[test]
fn a_clock_set_back_is_noted_and_not_fatal() {
    let mut world = World::new();
    world.online(640);
    world.film(2);
    world.watch();
    world.picture(true);
    world.now.wall = Timestamp(world.now.wall.0 - 3_600_000);
    for _ in 1..GROUP {
        world.picture(false);
    }
    world.film(2);
    world.tell(Input::Stop);
    let live = world.verified(StreamKind::Live);
    let noted: Vec<bool> = live.iter().map(|s| s.clock_stepped_back).collect();
    assert_eq!(noted.iter().filter(|n| **n).count(), 1, "{noted:?}");
    assert_eq!(live.len(), 4);
}

#[test]
fn a_clock_set_back_between_clips_in_a_pre_roll_or_over_a_restart_is_told_once() {
    let back = |world: &mut World| world.now.wall = Timestamp(world.now.wall.0 - 3_600_000);
    let clip = |world: &mut World| {
        world.motion(true);
        world.film(1);
        world.motion(false);
        world.film(9);
    };
    let mut world = World::new();
    world.online(640);
    world.film(3);
    clip(&mut world);
    // Between two clips, longer ago than the pre-roll.
    back(&mut world);
    world.film(20);
    clip(&mut world);
    // In the pre-roll, before anything of it is sealed.
    world.picture(true);
    back(&mut world);
    for _ in 1..GROUP {
        world.picture(false);
    }
    clip(&mut world);
    world.tell(Input::Stop);
    let first = world.verified(StreamKind::Clip);
    is_chain(&first);
    let noted: Vec<bool> = first.iter().map(|s| s.clock_stepped_back).collect();
    assert_eq!(noted.iter().filter(|n| **n).count(), 2, "{noted:?}");
    for told in first.iter().filter(|s| s.clock_stepped_back) {
        let gap = told.gap;
        assert!(gap.is_none_or(|gap| gap.until < gap.from || told.ended < told.started), "{gap:?}");
    }
    assert_eq!(first.iter().filter(|s| s.ended < s.started).count(), 1);
    // The next run begins before the last one ended.
    let mut later = World::after(world.durable.clone());
    later.now.wall = Timestamp(world.now.wall.0 - 7_200_000);
    later.online(640);
    later.film(3);
    clip(&mut later);
    later.tell(Input::Stop);
    let second = later.verified(StreamKind::Clip);
    let noted: Vec<bool> = second.iter().map(|s| s.clock_stepped_back).collect();
    assert!(noted[0] && !noted[1..].contains(&true), "{noted:?}");
    let gap = second[0].gap.unwrap();
    assert!(gap.reason == GapReason::HubOff && gap.until < gap.from, "{gap:?}");
}

#[test]
fn an_hour_without_motion_makes_nothing_and_stays_small() {
    let mut world = World::new();
    world.online(640);
    world.film(1800);
    assert!(world.segments.is_empty());
    assert!(world.recorder.pre_roll_bytes() < 100 * 400);
}

#[test]
fn holes_in_the_camera_s_count_stay_visible() {
    let mut world = World::new();
    world.online(640);
    world.film(1);
    world.watch();
    world.picture(true);
    world.frame += 5;
    world.picture(false);
    world.tell(Input::Stop);
    let live = world.verified(StreamKind::Live);
    let last = live.last().unwrap();
    assert_eq!((last.frames, last.last_frame - last.first_frame + 1), (2, 7));
}
