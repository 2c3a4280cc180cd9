//! Moves inputs to a recorder and its outputs to where they belong. No decision is made here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use privet_home::{StreamKind, StreamStarted};
use privet_protocol::id::CameraId;
use tokio::sync::mpsc;

use super::{Input, Output, Recorder, Sighting};
use crate::outbox::keeper::{Keep, KeeperHandle};
use crate::source::{Prompt, SourceEvent, SubUnits};
use crate::status::Board;
use crate::time::{moment, mono_us};
use crate::uplink::live::LiveSender;

/// How often a recorder is told that time passed.
const TICK: Duration = Duration::from_millis(500);

/// How the rest of the hub speaks to a camera's recorder. Never blocks.
#[derive(Clone, Debug)]
pub struct RecorderHandle(mpsc::UnboundedSender<Input>);

impl RecorderHandle {
    /// A handle and its other end.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Input>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Tells the recorder.
    pub fn send(&self, input: Input) {
        // A recorder that is gone has been stopped.
        let _ = self.0.send(input);
    }

    /// The recorder is gone: what it was told last may never have been heard.
    pub fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// All recorders of the hub, and the streams they have open.
#[derive(Clone, Debug, Default)]
pub struct Recorders {
    handles: Arc<Mutex<BTreeMap<CameraId, RecorderHandle>>>,
    open: Arc<Mutex<BTreeMap<CameraId, Vec<StreamStarted>>>>,
}

impl Recorders {
    /// Adds a camera's recorder.
    pub fn add(&self, camera: CameraId, recorder: RecorderHandle) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).insert(camera, recorder);
    }

    /// The recorder of a camera.
    pub fn of(&self, camera: CameraId) -> Option<RecorderHandle> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).get(&camera).cloned()
    }

    /// Every recorder.
    pub fn all(&self) -> Vec<(CameraId, RecorderHandle)> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.iter().map(|(camera, recorder)| (*camera, recorder.clone())).collect()
    }

    /// The streams that are open, with the keys of their next segments.
    pub fn open_streams(&self) -> Vec<StreamStarted> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }

    fn set_open(&self, camera: CameraId, streams: Vec<StreamStarted>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(camera, streams);
    }
}

/// Where a recorder's outputs go.
#[derive(Clone)]
pub struct Sinks {
    /// Clips and announcements of clips.
    pub keeper: KeeperHandle,
    /// Announcements of live streams, which must not wait for a disk that writes clips.
    pub announcer: KeeperHandle,
    /// Live records.
    pub live: LiveSender,
    /// What somebody may have to be told of. Their rate is bounded by the recorder.
    pub sightings: mpsc::UnboundedSender<(CameraId, Sighting)>,
    /// What the owner can see.
    pub board: Board,
    /// Where open streams are listed.
    pub recorders: Recorders,
    /// Told whether somebody watches.
    pub prompt: Prompt,
    /// Told whether the substream's units are needed.
    pub sub_units: SubUnits,
}

/// Runs a recorder until it is stopped.
pub async fn run(
    camera: CameraId,
    mut recorder: Recorder,
    mut source: mpsc::Receiver<SourceEvent>,
    mut inputs: mpsc::UnboundedReceiver<Input>,
    sinks: Sinks,
) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut out = Vec::new();
    let mut substream = false;
    loop {
        let hurry = recorder.due_us().map(|due| Duration::from_micros(due.saturating_sub(mono_us())));
        let input = tokio::select! {
            biased;
            input = inputs.recv() => input.unwrap_or(Input::Stop),
            event = source.recv() => match event {
                Some(event) => {
                    sinks.board.source(camera, &event);
                    Input::Source(event)
                }
                None => Input::Stop,
            },
            _ = tick.tick() => Input::Tick,
            () = tokio::time::sleep(hurry.unwrap_or_default()), if hurry.is_some() => Input::Tick,
        };
        let stop = matches!(input, Input::Stop);
        let asked = matches!(input, Input::Watch { .. } | Input::Unwatch { .. });
        let ticked = matches!(input, Input::Tick);
        recorder.handle(input, moment(), &mut out);
        let changed = out.iter().any(|o| !matches!(o, Output::Live(_)) || begins(o));
        for output in out.drain(..) {
            deliver(camera, output, &sinks);
        }
        if changed {
            sinks.recorders.set_open(camera, recorder.open_streams());
        }
        if changed || asked || ticked {
            let watching = recorder.watching();
            sinks.prompt.set(watching.viewers > 0);
            sinks.sub_units.set(recorder.wants_substream());
            sinks.board.recording(camera, recorder.recording(), watching, recorder.pre_roll_bytes());
            if std::mem::replace(&mut substream, watching.substream) != watching.substream {
                tracing::info!(%camera, ?watching, "the live stream changed over");
            }
        }
        if stop {
            return;
        }
    }
}

fn begins(output: &Output) -> bool {
    matches!(output, Output::Live(record) if record.part == super::LivePart::Begin)
}

fn deliver(camera: CameraId, output: Output, sinks: &Sinks) {
    match output {
        Output::Started(started) => match started.kind {
            StreamKind::Live => sinks.announcer.keep(Keep::Started(started)),
            StreamKind::Clip => sinks.keeper.keep(Keep::Started(started)),
        },
        Output::Live(record) => sinks.live.send(record),
        Output::Segment(segment) => sinks.keeper.keep(Keep::Segment(segment)),
        Output::Ended(StreamKind::Live, ended) => {
            sinks.live.end(ended.stream, ended.segments);
            sinks.announcer.keep(Keep::Ended(StreamKind::Live, ended));
        }
        Output::Ended(StreamKind::Clip, ended) => sinks.keeper.keep(Keep::Ended(StreamKind::Clip, ended)),
        Output::Notes(notes) => sinks.keeper.keep(Keep::Notes(notes)),
        Output::Camera(news) => sinks.board.camera_news(camera, news),
        Output::Sighted(sighting) => {
            sinks.board.sighted(camera, &sighting);
            // Whoever told people is gone only when the hub stops.
            drop(sinks.sightings.send((camera, sighting)));
        }
        Output::Reserve(chain) => sinks.keeper.keep(Keep::Reserve(camera, chain)),
        Output::Stopped => sinks.keeper.keep(Keep::Stopped(camera)),
    }
}
