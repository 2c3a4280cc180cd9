//! The hub's side of a camera's worker: starts it, believes nothing it says unchecked, ends it when it dies, hangs or grows, and
//! tries again for ever. One task a camera; a camera's trouble stays in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::time::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Watch};
use super::backoff::Backoff;
use super::breaker::Breaker;
use super::frames::{FromWorker, SubstreamNews, Unit};
use super::substream::{Passage, Substream};
use super::{AccessUnit, CameraSettings, OfflineReason, SourceEvent, SubstreamEvent, Track};

/// More frames than a worker can have dropped: half a day at 30 per second.
pub(super) const MAX_HOLE: u64 = 1_300_000;

/// Video for so long makes the camera a good one again.
const GOOD: Duration = Duration::from_secs(30);

/// So many things are said about a camera on one connection; an honest worker knows a dozen.
const MAX_TOLD: usize = 32;

/// How workers are started and watched. The default is right for the hub; tests shorten times.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The program that has the subcommand `camera-worker`.
    pub executable: PathBuf,
    /// The first pause between attempts; doubles up to `longest_pause`.
    pub shortest_pause: Duration,
    /// The longest pause between attempts.
    pub longest_pause: Duration,
    /// A camera that sends no video for so long is frozen.
    pub frozen_after: Duration,
    /// A camera that sends no key frame for so long after PLAY is given up for this attempt.
    pub first_key_frame: Duration,
    /// A camera that does not answer a request for so long is given up for this attempt.
    pub answer: Duration,
    /// A worker that says nothing for so long hangs; it has a heartbeat of one second.
    pub hung_after: Duration,
    /// After a third bad end within an hour, workers are started without a decoder for so long; doubles up to
    /// `longest_blind` with each further one.
    pub first_blind: Duration,
    /// The longest time without a decoder.
    pub longest_blind: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            executable: PathBuf::from("/proc/self/exe"),
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            frozen_after: Duration::from_secs(4),
            first_key_frame: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            hung_after: Duration::from_secs(5),
            first_blind: Duration::from_secs(600),
            longest_blind: Duration::from_secs(24 * 3600),
        }
    }
}

/// A supervised camera. Dropping it ends the worker.
#[derive(Debug)]
pub struct SourceHandle {
    task: JoinHandle<()>,
    pid: Arc<AtomicU32>,
    stop: CancellationToken,
    prompt: Prompt,
    sub_units: SubUnits,
}

/// Says whether a camera's units are wanted at once, as they are at first, or may come a few at a time and up to a fifth of a
/// second late, which costs less.
#[derive(Clone, Debug)]
pub struct Prompt(Arc<watch::Sender<bool>>);

impl Prompt {
    /// Holds from now on, for connections to come too.
    pub fn set(&self, prompt: bool) {
        self.0.send_if_modified(|now| std::mem::replace(now, prompt) != prompt);
    }
}

/// Says whether the units of the camera's substream are wanted too; at first they are not. They come where there is a substream,
/// which is where motion is looked for on one.
#[derive(Clone, Debug)]
pub struct SubUnits(Arc<watch::Sender<bool>>);

impl SubUnits {
    /// Holds from now on, for connections to come too.
    pub fn set(&self, wanted: bool) {
        self.0.send_if_modified(|now| std::mem::replace(now, wanted) != wanted);
    }
}

impl SourceHandle {
    /// Where it is said whether units are wanted at once.
    pub fn prompt(&self) -> Prompt {
        self.prompt.clone()
    }

    /// Where it is said whether the substream's units are wanted.
    pub fn sub_units(&self) -> SubUnits {
        self.sub_units.clone()
    }

    /// Ends the worker and waits until it is gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.task).await;
    }

    /// The worker's process id while there is one.
    pub fn worker_pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|&pid| pid != 0)
    }
}

impl Drop for SourceHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Watches over the camera for ever: events go to `events`. Must be called within a tokio runtime. Ends when the handle is dropped
/// or the receiver is. While `events` is full nothing is read from the worker, which then drops up to a key frame.
pub fn spawn(camera: CameraSettings, options: WorkerOptions, events: mpsc::Sender<SourceEvent>) -> SourceHandle {
    let pid = Arc::new(AtomicU32::new(0));
    let stop = CancellationToken::new();
    let (prompt, wanted_prompt) = watch::channel(true);
    let (sub_units, wanted_sub_units) = watch::channel(false);
    let supervisor = Supervisor {
        backoff: Backoff::new(options.shortest_pause, options.longest_pause, GOOD),
        breaker: Breaker::new(options.first_blind, options.longest_blind),
        bad_end: None,
        camera,
        options,
        events,
        pid: pid.clone(),
        stop: stop.clone(),
        prompt: wanted_prompt,
        sub_units: wanted_sub_units,
        next_frame: 0,
    };
    let task = tokio::spawn(supervisor.run());
    SourceHandle { task, pid, stop, prompt: Prompt(Arc::new(prompt)), sub_units: SubUnits(Arc::new(sub_units)) }
}

struct Supervisor {
    camera: CameraSettings,
    options: WorkerOptions,
    events: mpsc::Sender<SourceEvent>,
    backoff: Backoff,
    breaker: Breaker,
    /// What opened the breaker.
    bad_end: Option<String>,
    pid: Arc<AtomicU32>,
    stop: CancellationToken,
    prompt: watch::Receiver<bool>,
    sub_units: watch::Receiver<bool>,
    /// The camera's next video frame, over all connections.
    next_frame: u64,
}

/// The receiver is gone or the handle is: nobody wants to know any more.
struct NobodyListens;

impl Supervisor {
    async fn run(mut self) {
        loop {
            let (reason, good) = match Box::pin(self.connection()).await {
                Ok(ended) => ended,
                Err(NobodyListens) => return,
            };
            let mut random = [0; 2];
            SystemRandom.fill(&mut random);
            let retry_in = self.backoff.pause(good, reason.is_credentials(), u16::from_be_bytes(random));
            tracing::warn!(camera = %self.camera.id, name = self.camera.name, %reason, ?retry_in, "camera offline");
            if self.send(SourceEvent::Offline { reason, retry_in }).await.is_err() {
                return;
            }
            tokio::select! {
                () = sleep(retry_in) => {}
                () = self.stop.cancelled() => return,
                () = self.events.closed() => return,
            }
        }
    }

    async fn send(&self, event: SourceEvent) -> Result<(), NobodyListens> {
        tokio::select! {
            sent = self.events.send(event) => sent.map_err(|_| NobodyListens),
            () = self.stop.cancelled() => Err(NobodyListens),
        }
    }

    /// One connection from its beginning to its end; how it ended, and how long there was video.
    async fn connection(&mut self) -> Result<(OfflineReason, Duration), NobodyListens> {
        let decoding = self.camera.motion.is_some() && self.breaker.allows(Instant::now());
        let started = tokio::select! {
            started = Attempt::start(&self.camera, &self.options, decoding) => started,
            () = self.stop.cancelled() => return Err(NobodyListens),
        };
        let mut attempt = match started {
            Ok(attempt) => attempt,
            Err(reason) => return Ok((reason, Duration::ZERO)),
        };
        self.pid.store(attempt.pid(), Ordering::Relaxed);
        let ended = self.listen(&mut attempt, decoding).await;
        attempt.farewell().await;
        self.pid.store(0, Ordering::Relaxed);
        if let Ok((reason, good)) = &ended
            && decoding
            && self.breaker.ended(reason.may_be_decoder(), *good, Instant::now())
        {
            self.bad_end = Some(reason.to_string());
        }
        ended
    }

    async fn listen(
        &mut self,
        attempt: &mut Attempt,
        decoding: bool,
    ) -> Result<(OfflineReason, Duration), NobodyListens> {
        let first_frame = self.next_frame;
        let mut online_since: Option<Instant> = None;
        // A new format waits for its key frame; until then nothing is passed on.
        let mut awaiting_key = true;
        let mut told: BTreeSet<String> = BTreeSet::new();
        let sub_url = self.camera.sub_url.as_deref().filter(|_| decoding);
        let blind = self.breaker.open().filter(|_| self.camera.motion.is_some() && !decoding);
        let mut substream = Substream::new(sub_url, &self.options);
        let mut passage = Passage::default();
        // Each worker has to be told.
        self.prompt.mark_changed();
        self.sub_units.mark_changed();
        loop {
            let watch = tokio::select! {
                watch = attempt.next() => watch,
                connection = substream.next() => {
                    attempt.hand_over(&connection).await;
                    continue;
                }
                prompt = next(&mut self.prompt) => {
                    attempt.say_prompt(prompt).await;
                    continue;
                }
                wanted = next(&mut self.sub_units) => {
                    attempt.say_sub_units(wanted).await;
                    continue;
                }
                () = over(blind.map(|(until, _)| until)) => {
                    let good = online_since.map_or(Duration::ZERO, |since| since.elapsed());
                    return Ok((OfflineReason::MotionAgain, good));
                }
                () = self.stop.cancelled() => return Err(NobodyListens),
                () = self.events.closed() => return Err(NobodyListens),
            };
            let said = match watch {
                Watch::Said(said) => said,
                Watch::Ended(reason) => {
                    return Ok((reason, online_since.map_or(Duration::ZERO, |since| since.elapsed())));
                }
            };
            let wrong = |detail: &str| OfflineReason::Misbehaved { detail: detail.to_owned() };
            let event = match said {
                FromWorker::Ready(ready) => {
                    for lack in news(&mut told, &ready.lacking) {
                        tracing::warn!(camera = %self.camera.id, lack, "the camera worker's protection is not whole");
                    }
                    continue;
                }
                FromWorker::Phase(_) | FromWorker::Fault(_) | FromWorker::Proof(_) => continue,
                FromWorker::Substream(news) => {
                    let over = matches!(news, SubstreamNews::Ended(_)) && passage.end();
                    substream.heard(news);
                    if !over {
                        continue;
                    }
                    SourceEvent::Substream(SubstreamEvent::Ended)
                }
                FromWorker::SubFormat(_) if online_since.is_none() => {
                    return Ok((wrong("a substream before the main stream"), Duration::ZERO));
                }
                FromWorker::SubFormat(format) => {
                    passage.begin();
                    SourceEvent::Substream(SubstreamEvent::Format(format))
                }
                FromWorker::Format(format) => {
                    awaiting_key = true;
                    if online_since.is_none() {
                        online_since = Some(Instant::now());
                        substream.begin();
                        tracing::info!(camera = %self.camera.id, name = self.camera.name, ?format, "camera online");
                        self.send(SourceEvent::Online { format }).await?;
                        let Some((_, pause)) = blind else { continue };
                        SourceEvent::Blind { pause }
                    } else {
                        SourceEvent::Format(format)
                    }
                }
                FromWorker::Unit(_) if online_since.is_none() => {
                    return Ok((wrong("a unit before its format"), Duration::ZERO));
                }
                FromWorker::Unit(unit) if unit.substream => match passage.unit(&unit) {
                    Ok(true) => SourceEvent::Substream(SubstreamEvent::Unit(self.dated(unit))),
                    Ok(false) => continue,
                    Err(detail) => return Ok((wrong(detail), Duration::ZERO)),
                },
                FromWorker::Unit(unit) => {
                    if unit.track == Track::Video {
                        let frame = first_frame.saturating_add(unit.frame);
                        if !(self.next_frame..self.next_frame.saturating_add(MAX_HOLE)).contains(&frame) {
                            return Ok((wrong("frame numbers that go back or leap"), Duration::ZERO));
                        }
                        self.next_frame = frame + 1;
                        // The format's own key frame may have been dropped on the way.
                        awaiting_key &= !unit.key;
                    }
                    if awaiting_key {
                        continue;
                    }
                    SourceEvent::Unit(self.dated(unit))
                }
                FromWorker::Motion(_) if online_since.is_none() => continue,
                FromWorker::Tampered(_) | FromWorker::Picture(_) if online_since.is_none() => continue,
                FromWorker::Motion(sample) => SourceEvent::Motion(sample),
                FromWorker::Tampered(how) => SourceEvent::Tampered { how },
                FromWorker::Picture(picture) => SourceEvent::Picture(picture),
                FromWorker::Health(mut health) => {
                    health.notes.extend(substream.note());
                    health.notes.extend(blind.map(|(_, pause)| self.blind_note(pause)));
                    for note in news(&mut told, &health.notes) {
                        tracing::warn!(camera = %self.camera.id, name = self.camera.name, note, "about the camera");
                    }
                    SourceEvent::Health(health)
                }
            };
            self.send(event).await?;
        }
    }

    /// What an owner should know of a worker that does not decode.
    fn blind_note(&self, pause: Duration) -> String {
        let why = self.bad_end.as_deref().unwrap_or("unknown");
        let minutes = pause.as_secs().div_ceil(60);
        format!(
            "motion is not looked for, for {minutes} min in all: its decoder seems to end the camera's worker again and again \
             (last: {why}); recording does not wait for motion meanwhile; update GStreamer's libav plugin, or set the camera to \
             plain H.264"
        )
    }

    /// The unit with the wall-clock time that belongs to its reception. The worker's word counts only as far as it can be true.
    fn dated(&self, unit: Unit) -> AccessUnit {
        let now_us = mono_us();
        let received_mono_us = unit.received_mono_us.clamp(now_us.saturating_sub(10_000_000), now_us);
        let age = Duration::from_micros(now_us - received_mono_us);
        let received = SystemTime::now().checked_sub(age).map_or(Timestamp::default(), Timestamp::from);
        // For sound and picture the camera's own count was made from the worker's already.
        let frame = if unit.substream { unit.frame } else { self.next_frame.saturating_sub(1) };
        AccessUnit {
            track: unit.track,
            key: unit.key,
            pts_us: unit.pts_us,
            received,
            received_mono_us,
            frame,
            data: unit.data,
            loss: unit.loss,
        }
    }
}

/// What was not said yet on this connection; nothing once a lot was: a worker that was taken over must not fill the log.
fn news(told: &mut BTreeSet<String>, words: &[String]) -> Vec<String> {
    let mut new = Vec::new();
    for word in words {
        if told.len() < MAX_TOLD && told.insert(word.clone()) {
            new.push(word.clone());
        }
    }
    new
}

/// Waits for another word.
async fn next(word: &mut watch::Receiver<bool>) -> bool {
    match word.changed().await {
        Ok(()) => *word.borrow_and_update(),
        // Nobody can say another one.
        Err(_) => std::future::pending().await,
    }
}

/// Waits until then, or for ever.
async fn over(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn mono_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_alternates_its_words_says_each_once_and_only_so_many() {
        let mut told = BTreeSet::new();
        let words = |from: usize| (from..from + 16).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(news(&mut told, &words(0)).len(), 16);
        assert!(news(&mut told, &words(0)).is_empty());
        let said: usize = (0..1000).map(|n| news(&mut told, &words(n)).len()).sum();
        assert_eq!(said, MAX_TOLD - 16);
    }
}
