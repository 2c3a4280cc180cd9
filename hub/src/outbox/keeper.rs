//! Writes clips into the outbox, one thing after the other, and watches the room on the disk.
//!
//! When the disk is full (or too slow by far) recording stops: the stream under way is ended with what is durable of it, every
//! recorder is told, an alarm is raised. When there is room again and every recorder has answered, so that nothing of before
//! is on its way any more, recording goes on. The state of the home keeps the room below the floor for itself, and a
//! [`Reserve`] against others, so keys and messages still work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use privet_home::{ClipNotes, EndReason, HomeError, HubMessage, StreamEnded, StreamKind, StreamStarted};
use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::storage::StoreError;
use tokio::sync::mpsc;

use super::Outbox;
use super::archive::Leftovers;
use super::retention::{Policy, Removal};
use crate::recorder::chain::Chain;
use crate::recorder::task::Recorders;
use crate::recorder::{ClipSegment, Input};
use crate::reserve::Reserve;
use crate::status::{Alarm, Board};
use crate::time::{moment, mono_us};
use crate::uplink::home::{HomeHandle, Stopping};

/// Segments that wait in memory for a slow disk may take so many bytes.
const MAX_QUEUED: u64 = 96 << 20;
/// Recording resumes when there is so much room above the floor.
const RESUME_ROOM: u64 = 32 << 20;
/// Clips that go between two looks at the most: new ones must not wait for old ones.
const AT_ONCE: usize = 32;
/// How often the room is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often clips are looked at while there is room, in microseconds.
const RETAIN_US: u64 = 30_000_000;

/// What is to be kept, in order.
#[derive(Debug)]
pub enum Keep {
    /// A clip or a live stream begins.
    Started(StreamStarted),
    /// A clip's segment is whole.
    Segment(ClipSegment),
    /// A segment of this stream was dropped before it came here.
    Overrun(StreamId),
    /// What a clip shows; after its end.
    Notes(Box<ClipNotes>),
    /// A stream is over.
    Ended(StreamKind, StreamEnded),
    /// A camera needs more numbers.
    Reserve(CameraId, Chain),
    /// A camera's recorder has heard that there is no room.
    Stopped(CameraId),
    /// Answer when everything before this is done.
    Flush(tokio::sync::oneshot::Sender<()>),
}

/// Where recorders hand in what is to be kept. Never blocks.
#[derive(Clone, Debug)]
pub struct KeeperHandle {
    queue: mpsc::UnboundedSender<Keep>,
    queued: Arc<AtomicU64>,
}

impl KeeperHandle {
    /// Hands in; a segment is refused, and its stream given up, when too much waits already.
    pub fn keep(&self, what: Keep) {
        let what = match what {
            Keep::Segment(segment) => {
                let length = segment.bytes.len() as u64;
                if self.queued.load(Ordering::Relaxed) + length > MAX_QUEUED {
                    Keep::Overrun(segment.stream)
                } else {
                    self.queued.fetch_add(length, Ordering::Relaxed);
                    Keep::Segment(segment)
                }
            }
            what => what,
        };
        // The keeper outlives the recorders.
        let _ = self.queue.send(what);
    }

    /// Waits until all that was handed in is done.
    pub async fn flush(&self) {
        let (done, wait) = tokio::sync::oneshot::channel();
        self.keep(Keep::Flush(done));
        let _ = wait.await;
    }
}

/// The keeper's state.
pub struct Keeper {
    outbox: Outbox,
    home: HomeHandle,
    recorders: Recorders,
    board: Board,
    relay_keeps: Duration,
    policy: Policy,
    /// When clips are looked at next, by the clock that does not jump.
    retain_us: u64,
    queued: Arc<AtomicU64>,
    /// The one that keeps clips looks after the room; the other one only announces live streams.
    reserve: Option<Reserve>,
    full: bool,
    /// Recorders that were told so and have not answered, with how often: what they hand in was made before.
    stopping: BTreeMap<CameraId, u32>,
    /// Recorders that could not be told how it stands.
    untold: BTreeSet<CameraId>,
    /// Ends that could not be announced yet.
    late: Vec<(StreamId, EndReason)>,
    /// Notes that could not be told yet.
    late_notes: Vec<ClipNotes>,
}

impl Keeper {
    /// A keeper and the queue that feeds it.
    pub fn new(
        outbox: Outbox,
        home: HomeHandle,
        recorders: Recorders,
        board: Board,
        relay_keeps: Duration,
        policy: Policy,
        reserve: Option<Reserve>,
    ) -> (Self, KeeperHandle, mpsc::UnboundedReceiver<Keep>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicU64::new(0));
        let handle = KeeperHandle { queue, queued: Arc::clone(&queued) };
        let keeper = Self {
            outbox,
            home,
            recorders,
            board,
            relay_keeps,
            policy,
            retain_us: 0,
            queued,
            reserve,
            full: false,
            stopping: BTreeMap::new(),
            untold: BTreeSet::new(),
            late: Vec::new(),
            late_notes: Vec::new(),
        };
        (keeper, handle, receiver)
    }

    /// Keeps until every handle is gone.
    pub async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Keep>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                what = queue.recv() => match what {
                    Some(what) => self.take(what).await,
                    None => return,
                },
                _ = look.tick() => self.look().await,
            };
            if step.is_err() {
                return;
            }
        }
    }

    async fn take(&mut self, what: Keep) -> Result<(), Stopping> {
        match what {
            Keep::Started(started) => {
                if started.kind == StreamKind::Clip && self.full {
                    // Its recorder does not know yet, or has not been told.
                    if !self.stopping.contains_key(&started.camera) {
                        self.tell_one(started.camera).await;
                    }
                    return Ok(());
                }
                self.announce(started).await
            }
            Keep::Segment(segment) => {
                self.queued.fetch_sub(segment.bytes.len() as u64, Ordering::Relaxed);
                self.segment(segment).await
            }
            Keep::Overrun(stream) => {
                if self.is_open(stream) {
                    let cause = StoreError::Full("the disk can't keep up with the cameras".into());
                    self.no_room(&cause).await?;
                }
                Ok(())
            }
            Keep::Ended(kind, ended) => {
                let told = (kind == StreamKind::Live).then_some(ended.clone());
                self.end(ended.stream, ended.reason, told).await
            }
            Keep::Notes(notes) => self.note(*notes).await,
            Keep::Reserve(camera, chain) => {
                let outbox = self.outbox.clone();
                if let Err(error) = blocking(move || outbox.reserve(camera, Some(&chain))).await {
                    tracing::error!(%camera, %error, "frame numbers could not be reserved; trying again");
                }
                Ok(())
            }
            Keep::Stopped(camera) => {
                if let Some(answers) = self.stopping.get_mut(&camera) {
                    *answers -= 1;
                    if *answers == 0 {
                        self.stopping.remove(&camera);
                    }
                }
                Ok(())
            }
            Keep::Flush(done) => {
                let _ = done.send(());
                Ok(())
            }
        }
    }

    async fn announce(&mut self, started: StreamStarted) -> Result<(), Stopping> {
        let extra = self.outbox.announce(&started);
        let message = HubMessage::StreamStarted(started.clone());
        match self.home.call(move |home, env| home.append(&[message], extra, env)).await? {
            Ok(_) => self.outbox.announced(&started),
            // Nobody will know the stream, so its segments are not kept either.
            Err(error) => {
                tracing::error!(stream = %started.stream, %error, "a stream could not be announced");
                self.board.raise(Alarm::State { cause: error.to_string() });
                if started.kind == StreamKind::Clip {
                    self.no_room(&StoreError::Io(error.to_string())).await?;
                }
            }
        }
        Ok(())
    }

    async fn segment(&mut self, segment: ClipSegment) -> Result<(), Stopping> {
        if self.full || !self.is_open(segment.stream) {
            return Ok(());
        }
        let outbox = self.outbox.clone();
        let keep = self.relay_keeps;
        match blocking(move || outbox.keep(&segment, keep, moment())).await {
            Ok(()) => Ok(()),
            Err(error) => self.no_room(&error).await,
        }
    }

    fn is_open(&self, stream: StreamId) -> bool {
        self.outbox.open_streams().iter().any(|(open, _)| *open == stream)
    }

    async fn end(&mut self, stream: StreamId, reason: EndReason, told: Option<StreamEnded>) -> Result<(), Stopping> {
        let Some((ended, extra)) = self.outbox.end(stream, reason, told.as_ref()) else { return Ok(()) };
        let message = HubMessage::StreamEnded(ended);
        match self.home.call(move |home, env| home.append(&[message], extra, env)).await? {
            Ok(_) => self.outbox.ended(stream, false),
            Err(error) => {
                tracing::error!(%stream, %error, "the end of a stream could not be announced; trying again");
                self.late.push((stream, reason));
            }
        }
        Ok(())
    }

    async fn note(&mut self, notes: ClipNotes) -> Result<(), Stopping> {
        let stream = notes.stream;
        if self.is_open(stream) {
            // Its end could not be said yet.
            self.late_notes.push(notes);
            return Ok(());
        }
        let (outbox, told) = (self.outbox.clone(), notes.clone());
        let said = self.home.call(move |home, env| {
            let Some((message, extra)) = outbox.note(told) else { return Ok(()) };
            home.append(&[message], extra, env)?;
            outbox.noted(stream);
            Ok::<_, HomeError>(())
        });
        if let Err(error) = said.await? {
            tracing::error!(%stream, %error, "a clip's notes could not be told; trying again");
            self.late_notes.push(notes);
        }
        Ok(())
    }

    /// Lets clips go that are too old, too many, or in the way.
    async fn retain(&mut self, room: u64) -> Result<(), Stopping> {
        let now = moment();
        self.outbox.pass(now);
        let counting = self.outbox.clone();
        if let Err(error) = blocking(move || counting.keep_count()).await {
            tracing::warn!(%error, "the count of time can't be kept; trying again");
        }
        let clips = self.outbox.clips(now);
        self.board.set_clips(self.policy.forecast(&clips, room));
        let removals = self.policy.removals(&clips, room);
        let more = removals.len() > AT_ONCE;
        self.retain_us = if more { 0 } else { now.mono_us.saturating_add(RETAIN_US) };
        let (mut forgotten, mut thinned) = (Vec::new(), Vec::new());
        for removal in removals.into_iter().take(AT_ONCE) {
            match removal {
                Removal::Forget(stream) => forgotten.push(stream),
                Removal::Thin(stream) => thinned.push(stream),
            }
        }
        if !forgotten.is_empty() {
            let outbox = self.outbox.clone();
            match self.home.call(move |home, env| outbox.forget(home, env, &forgotten)).await? {
                Ok(gone) => {
                    tracing::info!(clips = gone.clips(), "the oldest clips are forgotten");
                    self.sweep(gone).await;
                }
                Err(error) => tracing::error!(%error, "old clips could not be forgotten; trying again"),
            }
        }
        if !thinned.is_empty() {
            let outbox = self.outbox.clone();
            match self.home.call(move |_, _| outbox.thin(&thinned)).await? {
                Ok(gone) => {
                    tracing::info!(clips = gone.clips(), "clips that the relay has make room on the disk");
                    self.sweep(gone).await;
                }
                Err(error) => tracing::error!(%error, "clips could not make room on the disk; trying again"),
            }
        }
        Ok(())
    }

    /// Removes files here, not on the home's thread: on a slow disk that takes long, and phones wait for that one.
    async fn sweep(&self, gone: Leftovers) {
        let outbox = self.outbox.clone();
        if let Err(error) = blocking(move || outbox.sweep(gone)).await {
            tracing::error!(%error, "files of clips that are no more could not be removed; the next start does it");
        }
    }

    /// A segment could not be kept: every clip ends with what is durable, and nothing is recorded until there is room.
    async fn no_room(&mut self, error: &StoreError) -> Result<(), Stopping> {
        tracing::error!(%error, "clips can't be kept: recording stops until there is room");
        self.board.raise(Alarm::NoRoom { cause: error.to_string() });
        self.full = true;
        let clips: Vec<StreamId> = self
            .outbox
            .open_streams()
            .into_iter()
            .filter(|(_, open)| open.kind == StreamKind::Clip)
            .map(|(stream, _)| stream)
            .collect();
        for stream in clips {
            self.end(stream, EndReason::NoRoom, None).await?;
        }
        self.tell_all().await;
        Ok(())
    }

    /// Looks after what could not be done before.
    async fn look(&mut self) -> Result<(), Stopping> {
        for (stream, reason) in std::mem::take(&mut self.late) {
            self.end(stream, reason, None).await?;
        }
        for notes in std::mem::take(&mut self.late_notes) {
            self.note(notes).await?;
        }
        let Some(reserve) = self.reserve.clone() else { return Ok(()) };
        for camera in std::mem::take(&mut self.untold) {
            self.tell_one(camera).await;
        }
        // One that is gone answers no more, and hands in nothing either.
        self.stopping.retain(|camera, _| self.recorders.of(*camera).is_some_and(|recorder| !recorder.is_gone()));
        let all_know = self.stopping.is_empty() && self.untold.is_empty();
        let outbox = self.outbox.clone();
        let known = blocking(move || outbox.room()).await;
        // What is not known is no reason to let anything go.
        if let Ok(room) = known
            && (room < self.policy.room || mono_us() >= self.retain_us)
        {
            self.retain(room).await?;
        }
        let room = known.unwrap_or(0);
        if self.full && room >= RESUME_ROOM && all_know {
            tracing::info!("there is room again: recording goes on");
            self.full = false;
            self.board.clear_room();
            self.tell_all().await;
        } else if !self.full && room == 0 {
            let error = StoreError::Full("the free-space floor is reached".into());
            self.no_room(&error).await?;
        }
        self.board.set_room(room);
        if room >= RESUME_ROOM && !reserve.is_kept() {
            // Without it the state lives on the floor alone; the next look tries again.
            if let Err(error) = blocking(move || reserve.keep()).await {
                tracing::warn!(%error, "no room could be kept back for the home's state");
            }
        }
        Ok(())
    }

    async fn tell_all(&mut self) {
        for (camera, _) in self.recorders.all() {
            self.tell_one(camera).await;
        }
    }

    /// Tells a camera's recorder whether there is room, and where its chain stands.
    async fn tell_one(&mut self, camera: CameraId) {
        let Some(recorder) = self.recorders.of(camera) else { return };
        let outbox = self.outbox.clone();
        match blocking(move || outbox.chain(camera)).await {
            Ok(chain) if self.full => {
                *self.stopping.entry(camera).or_default() += 1;
                recorder.send(Input::NoRoom { chain });
            }
            Ok(chain) => recorder.send(Input::Room { chain }),
            Err(error) => {
                tracing::error!(%camera, %error, "a camera's chain can't be read: trying again");
                self.untold.insert(camera);
            }
        }
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(StoreError::Io(panic.to_string())),
    }
}

#[cfg(test)]
mod tests;
