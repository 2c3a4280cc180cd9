//! What this phone knows of its home beside the group: the cameras, the streams with their keys, what clips show and what
//! happened (`diary`).
//!
//! Kept in memory and, under `core/`, in the sealed store. A log entry changes both: [`Library::batch_for`] gives the writes
//! that become durable in the same commit as the entry's position, [`Library::apply`] changes the memory afterwards.
//!
//! Streams stand in the order in which the hub began them, which is their [`Place`] in its log: its clock can be set back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;

use privet_home::{CameraInfo, CameraState, ClipNotes, EndReason, HomeEvent, HubMessage, SecretBytes, StreamKind};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use privet_segment::{EvidencePublicKey, KnownCameras, StreamKey, StreamSecret};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::carried::Places;
use crate::clip_notes::{self, MAX_THUMBNAILS, Shows};
use crate::diary::Diary;
use crate::error::{CoreError, Result};
use crate::events::Event;
use crate::happening::EventInfo;
use crate::types::Trust;

/// Everything this module writes starts with this.
const PREFIX: &[u8] = b"core/";
const CAMERAS: &[u8] = b"core/cameras";
const EVIDENCE: &[u8] = b"core/evidence";
const STREAMS: &[u8] = b"core/stream/";
/// A record that is longer than this is damaged.
const MAX_RECORD: usize = 256 * 1024;
/// More clips than this are not remembered; the oldest go first.
const MAX_CLIPS: usize = 20_000;
/// How many ends of live streams are remembered: several of each camera.
const LIVE_ENDS: usize = 1024;

/// Where a stream stands among the others: the log entry that told of it first, and its id.
pub(crate) type Place = (u64, StreamId);

/// A stream and its key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    pub(crate) camera: CameraId,
    pub(crate) kind: StreamKind,
    pub(crate) secret: SecretBytes,
    /// By the hub's clock, which may go back: for people, not for the order.
    pub(crate) started: Timestamp,
    /// The number of the log entry that told of it first.
    #[serde(default)]
    pub(crate) told_in: u64,
    pub(crate) ended: Option<Ended>,
    /// The signer, once every segment was fetched and checked here.
    pub(crate) verified: Option<String>,
    /// What it shows, once the hub said.
    #[serde(default)]
    pub(crate) shows: Option<Shows>,
}

impl StreamRecord {
    /// The stream's key.
    pub(crate) fn key(&self) -> Result<StreamKey> {
        StreamSecret::from_bytes(self.secret.expose())
            .map(|secret| StreamKey::from_secret(&secret))
            .ok_or_else(|| damaged("stream", &"its key"))
    }

    /// The first segment that the key opens: what is before it was recorded before this phone joined, or joined again.
    pub(crate) fn first_segment(&self) -> u64 {
        StreamSecret::from_bytes(self.secret.expose()).map_or(0, |secret| secret.index)
    }
}

/// How a stream ended, as the hub said in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) segments: u64,
    pub(crate) ended: Timestamp,
    pub(crate) reason: EndReason,
    #[serde(with = "serde_bytes")]
    pub(crate) last_statement: [u8; 32],
    pub(crate) bytes: u64,
}

/// The cameras and streams.
#[derive(Default)]
pub(crate) struct Library {
    cameras: Vec<CameraInfo>,
    /// The evidence keys of every camera there ever was: clips outlive cameras.
    evidence: BTreeMap<CameraId, Vec<ByteBuf>>,
    streams: HashMap<StreamId, StreamRecord>,
    clips: BTreeSet<Place>,
    /// The clips whose thumbnail is in the store.
    thumbnails: BTreeSet<Place>,
    /// How the last live streams ended, since this process began; what is known of them else is forgotten with their keys.
    live_ends: VecDeque<(StreamId, EndReason)>,
    pub(crate) diary: Diary,
    pub(crate) carried: Places,
}

impl Library {
    /// What the store holds.
    pub(crate) fn load(store: &dyn Store) -> Result<Self> {
        let mut library = Self::default();
        if let Some(bytes) = store.get(CAMERAS)? {
            library.cameras = cbor::decode(&bytes, MAX_RECORD).map_err(|e| damaged("cameras", &e))?;
        }
        if let Some(bytes) = store.get(EVIDENCE)? {
            library.evidence = cbor::decode(&bytes, MAX_RECORD).map_err(|e| damaged("camera's keys", &e))?;
        }
        library.diary = Diary::load(store)?;
        library.carried = Places::load(store)?;
        let mut from = STREAMS.to_vec();
        loop {
            let entries = store.scan(STREAMS, &from, 512)?;
            let Some((last, _)) = entries.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            for (key, value) in entries {
                let id: [u8; 16] = key
                    .get(STREAMS.len()..)
                    .and_then(|id| id.try_into().ok())
                    .ok_or_else(|| damaged("stream", &"its name"))?;
                let record: StreamRecord = cbor::decode(&value, MAX_RECORD).map_err(|e| damaged("stream", &e))?;
                library.insert(StreamId::from_bytes(id), record);
            }
        }
        Ok(library)
    }

    /// The writes that forget everything of this module.
    pub(crate) fn wipe(store: &dyn Store) -> Result<Batch> {
        let mut batch = Batch::new();
        for (key, _) in store.scan(PREFIX, b"", usize::MAX)? {
            batch.delete(key);
        }
        Ok(batch)
    }

    /// The writes that `message`, which is entry `seq` of the log, asks for.
    pub(crate) fn batch_for(&self, seq: u64, message: &HubMessage) -> Batch {
        let mut batch = Batch::new();
        match message {
            HubMessage::Cameras(cameras) => {
                batch.put(CAMERAS, cbor::encode(cameras));
                batch.put(EVIDENCE, cbor::encode(&self.evidence_with(cameras)));
            }
            HubMessage::CameraState { camera, state } => {
                let mut cameras = self.cameras.clone();
                set_state(&mut cameras, camera, state);
                batch.put(CAMERAS, cbor::encode(&cameras));
            }
            HubMessage::Event(event) => batch.merge(self.diary.batch_for(seq, event)),
            HubMessage::Carried(carried) => batch.merge(self.carried.batch_for(seq, carried)),
            message => {
                for (id, record) in self.stream_changes(seq, message) {
                    let thumbnail =
                        record.as_ref().and_then(|record| record.shows.as_ref()).is_some_and(|s| s.thumbnail);
                    match record {
                        Some(record) => batch.put(stream_key(&id), cbor::encode(&record)),
                        None => batch.delete(stream_key(&id)),
                    }
                    if !thumbnail {
                        batch.delete(clip_notes::key(&id));
                    }
                }
                if let HubMessage::ClipNotes(notes) = message
                    && let Some(thumbnail) = &notes.thumbnail
                    && self.is_clip(&notes.stream)
                {
                    batch.put(clip_notes::key(&notes.stream), cbor::encode(thumbnail));
                }
            }
        }
        batch
    }

    /// Takes `message`, which is entry `seq` of the log, over and says what the host should hear about it.
    pub(crate) fn apply(&mut self, seq: u64, message: &HubMessage) -> Vec<Event> {
        match message {
            HubMessage::Cameras(cameras) => {
                self.evidence = self.evidence_with(cameras);
                self.cameras.clone_from(cameras);
                vec![Event::CamerasChanged]
            }
            HubMessage::CameraState { camera, state } => {
                set_state(&mut self.cameras, camera, state);
                vec![Event::CameraState { camera_id: camera.to_string(), online: *state == CameraState::Online }]
            }
            HubMessage::Event(event) => {
                let new = self.diary.apply(seq, event);
                let told = new.then(|| Event::Happened(Box::new(self.event_info(event))));
                told.into_iter().collect()
            }
            HubMessage::Carried(carried) => {
                self.carried.apply(seq, carried);
                Vec::new()
            }
            HubMessage::Renamed { name, .. } => {
                vec![Event::DevicesChanged { what: format!("a device is called '{name}' now") }]
            }
            message => {
                let changes = self.stream_changes(seq, message);
                if changes.is_empty() {
                    return Vec::new();
                }
                let mut told = Vec::new();
                if let HubMessage::StreamEnded(ended) = message
                    && !self.is_clip(&ended.stream)
                {
                    self.live_ends.truncate(LIVE_ENDS - 1);
                    self.live_ends.push_front((ended.stream, ended.reason));
                }
                if let HubMessage::Forgotten { .. } = message {
                    told.push(Event::ClipsForgotten {
                        clip_ids: changes.iter().map(|(id, _)| id.to_string()).collect(),
                    });
                }
                for (id, record) in changes {
                    match record {
                        Some(record) => self.insert(id, record),
                        None => self.forget(&id),
                    }
                }
                told.extend(self.stream_event(message));
                told
            }
        }
    }

    /// The writes that remember a clip as verified; the memory is changed at once.
    pub(crate) fn mark_verified(&mut self, id: &StreamId, signer: &str) -> Batch {
        let mut batch = Batch::new();
        if let Some(record) = self.streams.get_mut(id) {
            record.verified = Some(signer.to_owned());
            batch.put(stream_key(id), cbor::encode(record));
        }
        batch
    }

    /// The cameras.
    pub(crate) fn cameras(&self) -> &[CameraInfo] {
        &self.cameras
    }

    /// The evidence keys trusted for each camera.
    pub(crate) fn known_cameras(&self) -> KnownCameras {
        let mut known = KnownCameras::default();
        for (camera, keys) in &self.evidence {
            known.set(*camera, keys.iter().filter_map(|key| EvidencePublicKey::from_bytes(key).ok()).collect());
        }
        known
    }

    /// The camera with this id.
    pub(crate) fn camera(&self, id: &CameraId) -> Option<&CameraInfo> {
        self.cameras.iter().find(|camera| camera.id == *id)
    }

    /// `event` as lists show it.
    pub(crate) fn event_info(&self, event: &HomeEvent) -> EventInfo {
        let camera = event.camera.and_then(|id| self.camera(&id)).map_or("", |camera| &camera.name);
        EventInfo::new(event, camera)
    }

    /// The stream with this id.
    pub(crate) fn stream(&self, id: &StreamId) -> Option<&StreamRecord> {
        self.streams.get(id)
    }

    /// The live stream of `camera` that started last.
    pub(crate) fn live_of(&self, camera: &CameraId) -> Option<(StreamId, &StreamRecord)> {
        self.streams
            .iter()
            .filter(|(_, record)| record.kind == StreamKind::Live && record.camera == *camera && record.ended.is_none())
            .max_by_key(|(id, record)| (record.told_in, **id))
            .map(|(id, record)| (*id, record))
    }

    /// How a live stream that this phone knew ended, unless many did since.
    pub(crate) fn live_end(&self, stream: &StreamId) -> Option<EndReason> {
        self.live_ends.iter().find(|(id, _)| id == stream).map(|(_, reason)| *reason)
    }

    /// Up to `limit` clips that `wanted` takes, the last begun first, below `below` (the place of a page's last clip).
    pub(crate) fn clips(
        &self,
        below: Option<Place>,
        limit: usize,
        wanted: impl Fn(&StreamRecord) -> bool,
    ) -> Vec<(StreamId, &StreamRecord)> {
        let end = below.map_or(Bound::Unbounded, Bound::Excluded);
        self.clips
            .range((Bound::Unbounded, end))
            .rev()
            .filter_map(|(_, id)| self.streams.get(id).map(|record| (*id, record)))
            .filter(|(_, record)| wanted(record))
            .take(limit)
            .collect()
    }

    /// Whether a clip whose first statement names `previous` follows one that is known here. Nothing when that can't be said:
    /// no earlier clip of its camera is known, or the one before it has not ended yet as far as this phone was told.
    pub(crate) fn follows(&self, stream: &StreamId, previous: &[u8; 32]) -> Option<bool> {
        let record = self.streams.get(stream)?;
        let named = |other: &StreamRecord| other.ended.as_ref().is_some_and(|ended| ended.last_statement == *previous);
        let before = self
            .clips
            .range(..(record.told_in, *stream))
            .rev()
            .filter_map(|(_, id)| self.streams.get(id))
            .filter(|other| other.camera == record.camera);
        if before.clone().any(named) {
            return Some(true);
        }
        before.clone().next()?.ended.as_ref().map(|_| false)
    }

    fn evidence_with(&self, cameras: &[CameraInfo]) -> BTreeMap<CameraId, Vec<ByteBuf>> {
        let mut evidence = self.evidence.clone();
        evidence.extend(cameras.iter().map(|camera| (camera.id, camera.evidence.clone())));
        evidence
    }

    fn stream_changes(&self, seq: u64, message: &HubMessage) -> Vec<(StreamId, Option<StreamRecord>)> {
        match message {
            // Told again for a newcomer, with a later key: this phone has the whole one.
            HubMessage::StreamStarted(started) if self.streams.contains_key(&started.stream) => Vec::new(),
            HubMessage::StreamStarted(started) => {
                let record = StreamRecord {
                    camera: started.camera,
                    kind: started.kind,
                    secret: started.secret.clone(),
                    started: started.started,
                    told_in: seq,
                    ended: None,
                    verified: None,
                    shows: None,
                };
                let mut changes = vec![(started.stream, Some(record))];
                if started.kind == StreamKind::Clip && self.clips.len() >= MAX_CLIPS {
                    let surplus = self.clips.len() + 1 - MAX_CLIPS;
                    changes.extend(self.clips.iter().take(surplus).map(|(_, id)| (*id, None)));
                }
                changes
            }
            HubMessage::StreamEnded(ended) => match self.streams.get(&ended.stream) {
                // A live stream that ended can't be followed any more: its key goes.
                Some(record) if record.kind == StreamKind::Live => vec![(ended.stream, None)],
                // A clip of which nothing was recorded, or nothing after this phone joined (again), is none.
                Some(record) if ended.segments <= record.first_segment() => vec![(ended.stream, None)],
                Some(record) => {
                    let mut record = record.clone();
                    record.started = ended.started;
                    record.ended = Some(Ended {
                        segments: ended.segments,
                        ended: ended.ended,
                        reason: ended.reason,
                        last_statement: ended.last_statement,
                        bytes: ended.bytes,
                    });
                    vec![(ended.stream, Some(record))]
                }
                None => Vec::new(),
            },
            HubMessage::ClipNotes(notes) => self.notes_changes(notes),
            HubMessage::Forgotten { streams } => {
                let known: BTreeSet<&StreamId> = streams.iter().filter(|id| self.streams.contains_key(id)).collect();
                known.into_iter().map(|id| (*id, None)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn notes_changes(&self, notes: &ClipNotes) -> Vec<(StreamId, Option<StreamRecord>)> {
        let Some(record) = self.streams.get(&notes.stream).filter(|record| record.kind == StreamKind::Clip) else {
            return Vec::new();
        };
        let place = (record.told_in, notes.stream);
        let mut shows = Shows::from(notes);
        // The picture of a moment that is over does not go away, though a later word may leave it out.
        shows.thumbnail |= self.thumbnails.contains(&place);
        let mut changes = vec![(notes.stream, Some(StreamRecord { shows: Some(shows), ..record.clone() }))];
        if notes.thumbnail.is_some() && !self.thumbnails.contains(&place) && self.thumbnails.len() >= MAX_THUMBNAILS {
            // Also when this clip is the oldest one: the next that comes takes its place.
            changes.extend(self.thumbnails.first().and_then(|(_, oldest)| {
                let mut record = self.streams.get(oldest)?.clone();
                record.shows.as_mut()?.thumbnail = false;
                Some((*oldest, Some(record)))
            }));
        }
        changes
    }

    fn is_clip(&self, id: &StreamId) -> bool {
        self.streams.get(id).is_some_and(|record| record.kind == StreamKind::Clip)
    }

    fn stream_event(&self, message: &HubMessage) -> Option<Event> {
        match message {
            HubMessage::StreamStarted(started) if started.kind == StreamKind::Clip => Some(Event::ClipStarted {
                clip_id: started.stream.to_string(),
                camera_id: started.camera.to_string(),
                at_ms: started.started.0,
                trust: Trust::Pending,
            }),
            HubMessage::StreamEnded(ended) => self.streams.get(&ended.stream).map(|record| Event::ClipReady {
                clip_id: ended.stream.to_string(),
                camera_id: record.camera.to_string(),
            }),
            HubMessage::ClipNotes(notes) => self.streams.get(&notes.stream).map(|record| Event::ClipNotes {
                clip_id: notes.stream.to_string(),
                camera_id: record.camera.to_string(),
            }),
            _ => None,
        }
    }

    fn insert(&mut self, id: StreamId, record: StreamRecord) {
        self.forget(&id);
        if record.kind == StreamKind::Clip {
            self.clips.insert((record.told_in, id));
        }
        if record.shows.as_ref().is_some_and(|shows| shows.thumbnail) {
            self.thumbnails.insert((record.told_in, id));
        }
        self.streams.insert(id, record);
    }

    fn forget(&mut self, id: &StreamId) {
        if let Some(record) = self.streams.remove(id) {
            self.clips.remove(&(record.told_in, *id));
            self.thumbnails.remove(&(record.told_in, *id));
        }
    }
}

fn set_state(cameras: &mut [CameraInfo], id: &CameraId, state: &CameraState) {
    if let Some(camera) = cameras.iter_mut().find(|camera| camera.id == *id) {
        camera.online = *state == CameraState::Online;
    }
}

fn stream_key(id: &StreamId) -> Vec<u8> {
    [STREAMS, id.as_bytes()].concat()
}

fn damaged(what: &str, cause: &dyn std::fmt::Display) -> CoreError {
    CoreError::Damaged { reason: format!("the record of a {what}: {cause}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_home::{StreamEnded, StreamStarted};
    use privet_protocol::storage::MemoryStore;
    use proptest::prelude::*;

    use super::*;

    fn id(n: u32) -> StreamId {
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&n.to_be_bytes());
        StreamId::from_bytes(bytes)
    }

    fn started(n: u32, at: i64, kind: StreamKind) -> HubMessage {
        HubMessage::StreamStarted(StreamStarted {
            stream: id(n),
            camera: CameraId::from_bytes([1; 16]),
            kind,
            secret: SecretBytes::new(vec![0; 40]),
            started: Timestamp(at),
        })
    }

    fn ended(n: u32, at: i64) -> HubMessage {
        HubMessage::StreamEnded(StreamEnded {
            stream: id(n),
            segments: 3,
            started: Timestamp(at),
            ended: Timestamp(at + 15_000),
            reason: EndReason::Finished,
            last_statement: [5; 32],
            bytes: 4_000,
        })
    }

    /// Gives it the next number of a log that has nothing but streams.
    fn take(library: &mut Library, store: &MemoryStore, message: &HubMessage) -> Vec<Event> {
        let seq = library.streams.values().map(|record| record.told_in).max().unwrap_or(0) + 1;
        store.commit(library.batch_for(seq, message)).unwrap();
        library.apply(seq, message)
    }

    #[test]
    fn what_the_log_said_is_there_after_a_restart() {
        let store = MemoryStore::new();
        let mut library = Library::default();
        take(&mut library, &store, &started(1, 100, StreamKind::Clip));
        take(&mut library, &store, &started(2, 200, StreamKind::Live));
        take(&mut library, &store, &started(3, 300, StreamKind::Clip));
        assert!(matches!(take(&mut library, &store, &ended(1, 100))[..], [Event::ClipReady { .. }]));
        let again = Library::load(&store).unwrap();
        assert_eq!(again.stream(&id(1)).unwrap().ended.as_ref().unwrap().segments, 3);
        assert!(again.live_of(&CameraId::from_bytes([1; 16])).is_some());
        assert!(take(&mut library, &store, &ended(2, 200)).is_empty(), "the end of a live stream is no clip");
        let again = Library::load(&store).unwrap();
        assert!(again.stream(&id(2)).is_none(), "its key is gone");
        assert_eq!(again.clips.len(), 2);
        store.commit(Library::wipe(&store).unwrap()).unwrap();
        assert!(Library::load(&store).unwrap().streams.is_empty());
    }

    #[test]
    fn the_clip_before_is_the_one_that_was_begun_before_whatever_the_clock_says() {
        let (store, mut library) = (MemoryStore::new(), Library::default());
        // The hub's clock is set back after the second clip; each ends with a statement of its own.
        for (n, at) in [(1, 9_000_000), (2, 9_100_000), (3, 5_000_000), (4, 5_100_000)] {
            take(&mut library, &store, &started(n, at, StreamKind::Clip));
            let HubMessage::StreamEnded(end) = ended(n, at) else { unreachable!() };
            let end = StreamEnded { last_statement: [n as u8; 32], ..end };
            take(&mut library, &store, &HubMessage::StreamEnded(end));
        }
        for library in [&library, &Library::load(&store).unwrap()] {
            assert_eq!(library.follows(&id(1), &[99; 32]), None, "nothing is known before the first");
            for n in 2..=4_u8 {
                assert_eq!(library.follows(&id(n.into()), &[n - 1; 32]), Some(true), "clip {n}");
                assert_eq!(library.follows(&id(n.into()), &[99; 32]), Some(false), "clip {n}");
            }
            let listed: Vec<StreamId> = library.clips(None, 9, |_| true).iter().map(|(id, _)| *id).collect();
            assert_eq!(listed, [id(4), id(3), id(2), id(1)]);
        }
    }

    #[test]
    fn a_clip_that_is_told_again_for_a_newcomer_keeps_its_key_and_its_place() {
        let (store, mut library) = (MemoryStore::new(), Library::default());
        let again = |n, first: u64| {
            let HubMessage::StreamStarted(told) = started(n, 100, StreamKind::Clip) else { unreachable!() };
            let secret = SecretBytes::new([&first.to_be_bytes()[..], &[7; 32]].concat());
            HubMessage::StreamStarted(StreamStarted { secret, ..told })
        };
        take(&mut library, &store, &started(1, 100, StreamKind::Clip));
        take(&mut library, &store, &started(2, 200, StreamKind::Clip));
        assert_eq!(take(&mut library, &store, &again(1, 2)), []);
        let record = library.stream(&id(1)).unwrap();
        assert_eq!((record.first_segment(), record.told_in), (0, 1));
        // A newcomer opens what is left of a clip, and has none when nothing is left.
        for (n, first) in [(3, 2), (4, 3)] {
            take(&mut library, &store, &again(n, first));
            take(&mut library, &store, &ended(n, 100));
        }
        let again = Library::load(&store).unwrap();
        assert_eq!(again.stream(&id(3)).unwrap().first_segment(), 2);
        assert!(again.stream(&id(4)).is_none() && library.stream(&id(4)).is_none());
    }

    proptest! {
        /// Paging shows every clip of the range once, the last begun first, whatever the page size and the clock do.
        #[test]
        fn pages_hold_every_clip_once(times in prop::collection::vec(0i64..50, 0..60), limit in 1usize..9, from in 0i64..50, to in 0i64..60) {
            let mut library = Library::default();
            let mut seq = 0;
            let mut tell = |library: &mut Library, message: &HubMessage| {
                seq += 1;
                library.apply(seq, message);
            };
            for (n, at) in times.iter().enumerate() {
                tell(&mut library, &started(1000 - n as u32, *at, StreamKind::Clip));
            }
            let mut seen = Vec::new();
            let mut below = None;
            loop {
                let page = library.clips(below, limit, |record| (from..to).contains(&record.started.0));
                let Some((last, record)) = page.last() else { break };
                below = Some((record.told_in, *last));
                seen.extend(page.iter().map(|(id, _)| *id));
                // What begins and ends meanwhile changes nothing below.
                tell(&mut library, &started(5000 + seen.len() as u32, from, StreamKind::Clip));
                let first = *seen.first().unwrap();
                let HubMessage::StreamEnded(end) = ended(0, 0) else { unreachable!() };
                tell(&mut library, &HubMessage::StreamEnded(StreamEnded { stream: first, ..end }));
            }
            let mut expected: Vec<_> = times.iter().enumerate()
                .filter(|(_, at)| (from..to).contains(at))
                .map(|(n, _)| id(1000 - n as u32)).collect();
            expected.reverse();
            prop_assert_eq!(seen, expected);
        }
    }
}
