//! The camera's substream in its worker: a second RTSP session on a connection that the hub handed over, in a task of its own. Its
//! pictures go to the decoder, and to the hub while somebody watches them. When it ends, the main stream does not notice.
//!
//! While nobody watches it, its packets gather in the kernel until [`Substream::fetch`]: one wake-up for a picture instead of one
//! for each of its packets.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use retina::client::{
    Credentials, InitialTimestampPolicy, PacketItem, PlayOptions, Playing, Session, SessionGroup, SessionIdPolicy,
    SessionOptions, SetupOptions, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::arrival::Arrivals;
use super::depacketize::{Codec, Depacketizer, Packet, Picture};
use super::intake::{Endless, Intake, MAX_MESSAGE};
use super::link::{fault_of, mono_us};
use super::orders::SubConnection;
use super::session::{Tracks, fault_of_packets, whole_seconds};
use super::{formats, handover};
use crate::source::frames::{self, ToWorker};
use crate::source::{Fault, Format, Phase};

/// Pictures that may wait for the worker's loop.
const MAX_WAITING: usize = 32;
/// The largest access unit: a substream is small, and [`MAX_WAITING`] of them must be far from the worker's limit.
const MAX_SUB_UNIT: usize = 1 << 20;
/// How often silence is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Packets taken before the worker's loop has its turn.
const BATCH: usize = 64;

/// What comes from the substream, in order.
#[derive(Debug)]
pub(super) enum FromSubstream {
    /// The pictures that follow are in this format; the next one is a key frame.
    Format(Format),
    /// One access unit.
    Picture(SubPicture),
    /// It is over; nothing follows.
    Ended(Fault),
}

/// An access unit of the substream.
#[derive(Debug)]
pub(super) struct SubPicture {
    /// NAL units with 4-byte lengths.
    pub(super) data: Vec<u8>,
    pub(super) key: bool,
    pub(super) disposable: bool,
    /// RTP timestamp.
    pub(super) ticks: i64,
    /// When it came, in microseconds of CLOCK_MONOTONIC.
    pub(super) mono_us: u64,
}

/// A session that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Substream {
    task: JoinHandle<()>,
    intake: Option<Rc<Intake>>,
    pictures: mpsc::Receiver<FromSubstream>,
}

impl Substream {
    /// Starts a session on the connection; within a `LocalSet`. `prompt` says whether somebody waits for its pictures.
    pub(super) fn start(connection: SubConnection, settings: &ToWorker, prompt: Rc<Cell<bool>>) -> Self {
        let (out, pictures) = mpsc::channel(MAX_WAITING);
        let wanted = Wanted {
            url: connection.url,
            credentials: settings
                .username
                .clone()
                .map(|username| Credentials { username, password: settings.password.clone().unwrap_or_default() }),
            answer: Duration::from_millis(settings.answer_ms.into()),
            frozen_after: settings.frozen_after(),
            first_key: Duration::from_millis(settings.first_key_ms.into()),
            prompt,
        };
        let intake = connection.socket.try_clone().map(|second| Rc::new(Intake::new(second)));
        let kept = intake.as_ref().ok().cloned();
        let task = tokio::task::spawn_local(async move {
            let group = Arc::new(SessionGroup::default());
            let fault = match intake {
                Err(e) => Fault::Broken { phase: Phase::Starting, detail: e.to_string() },
                Ok(intake) => {
                    let Err(fault) = Box::pin(session(wanted, connection.socket, intake, group.clone(), &out)).await;
                    fault
                }
            };
            // As for the main stream: the camera is told before it is asked again.
            let _ = timeout(Duration::from_millis(300), group.await_teardown()).await;
            let _ = out.send(FromSubstream::Ended(fault)).await;
        });
        Self { task, intake: kept, pictures }
    }

    /// What gathered is read now.
    pub(super) fn fetch(&self) {
        if let Some(intake) = &self.intake {
            intake.fetch();
        }
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> FromSubstream {
        match self.pictures.recv().await {
            Some(next) => next,
            // Only when the task panicked, which says why on the worker's last words.
            None => FromSubstream::Ended(Fault::Closed { phase: Phase::Streaming }),
        }
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Wanted {
    url: String,
    credentials: Option<Credentials>,
    answer: Duration,
    frozen_after: Duration,
    first_key: Duration,
    prompt: Rc<Cell<bool>>,
}

async fn session(
    wanted: Wanted,
    connection: std::os::fd::OwnedFd,
    intake: Rc<Intake>,
    group: Arc<SessionGroup>,
    out: &mpsc::Sender<FromSubstream>,
) -> Result<std::convert::Infallible, Fault> {
    let url = wanted.url.parse().map_err(|_| Fault::Garbage { phase: Phase::Starting, detail: "URL".into() })?;
    let options = SessionOptions::default()
        .session_id(SessionIdPolicy::UseFirst)
        .user_agent("Privet".to_owned())
        .session_group(group)
        .creds(wanted.credentials);
    let asked = handover::lend(connection, Session::describe(url, options));
    let mut session = answered(&intake, wanted.answer, Phase::Describe, asked).await?;
    let (video, codec) = Tracks::video(&session)?;
    let sets = formats::from_sdp(session.streams()[video].parameters());
    let tcp = SetupOptions::default().transport(Transport::Tcp(Default::default()));
    answered(&intake, wanted.answer, Phase::Setup, Box::pin(session.setup(video, tcp))).await?;
    let play = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let mut playing = Box::pin(answered(&intake, wanted.answer, Phase::Play, Box::pin(session.play(play))).await?);

    let mut pictures = Pictures {
        video,
        codec,
        depacketizer: Depacketizer::new(codec, sets, 0, MAX_SUB_UNIT),
        arrivals: Arrivals::default(),
        format: None,
        stale: true,
        last_packet: Instant::now(),
    };
    let began = Instant::now();
    loop {
        let phase = pictures.phase();
        let silent = pictures.last_packet.elapsed();
        if silent >= wanted.frozen_after {
            return Err(Fault::Frozen { seconds: whole_seconds(silent), phase });
        }
        if pictures.format.is_none() && began.elapsed() >= wanted.first_key {
            return Err(Fault::NoKeyFrame { seconds: whole_seconds(wanted.first_key) });
        }
        if pictures.format.is_some() {
            // What gathers is fetched five times a second, so a change is soon seen here.
            intake.set_prompt(wanted.prompt.get());
        }
        pictures.take_what_came(&mut playing, &intake, out).await?;
    }
}

/// Packets become pictures, from the first key frame on.
struct Pictures {
    video: usize,
    codec: Codec,
    depacketizer: Depacketizer,
    arrivals: Arrivals,
    format: Option<Format>,
    stale: bool,
    last_packet: Instant,
}

impl Pictures {
    fn phase(&self) -> Phase {
        if self.format.is_some() { Phase::Streaming } else { Phase::FirstFrame }
    }

    /// Waits for a packet, for [`LOOK`] at the most, and takes those that are there with it.
    async fn take_what_came(
        &mut self,
        playing: &mut Pin<Box<Session<Playing>>>,
        intake: &Intake,
        out: &mpsc::Sender<FromSubstream>,
    ) -> Result<(), Fault> {
        let Ok(item) = timeout(LOOK, intake.watch(playing.next())).await else { return Ok(()) };
        let mut item = item.map_err(|Endless| endless(self.phase()))?;
        for _ in 0..BATCH {
            self.take(item, intake, out).await?;
            item = match playing.next().now_or_never() {
                Some(next) => next,
                None => {
                    intake.drained(mono_us());
                    return Ok(());
                }
            };
        }
        self.take(item, intake, out).await
    }

    async fn take(
        &mut self,
        item: Option<Result<PacketItem, retina::Error>>,
        intake: &Intake,
        out: &mpsc::Sender<FromSubstream>,
    ) -> Result<(), Fault> {
        let phase = self.phase();
        match item {
            None => Err(Fault::Closed { phase }),
            Some(Err(e)) => Err(fault_of(&e, phase)),
            Some(Ok(PacketItem::Rtp(packet))) if packet.stream_id() == self.video => {
                self.last_packet = Instant::now();
                let (mark, loss, timestamp) = (packet.mark(), packet.loss(), packet.timestamp().timestamp());
                let packet = Packet { payload: packet.payload(), timestamp, mark, loss };
                self.depacketizer.push(packet).map_err(|e| fault_of_packets(e, phase))?;
                self.pass_on(intake, out, phase).await
            }
            Some(Ok(_)) => Ok(()),
        }
    }

    async fn pass_on(&mut self, intake: &Intake, out: &mpsc::Sender<FromSubstream>, phase: Phase) -> Result<(), Fault> {
        while let Some(picture) = self.depacketizer.pop() {
            self.stale |= picture.new_parameters;
            if picture.key && self.stale {
                if !self.depacketizer.parameters().complete(self.codec) {
                    return Err(Fault::NoParameters);
                }
                let format = formats::video(self.codec, self.depacketizer.parameters(), None)
                    .map_err(|e| Fault::Garbage { phase, detail: frames::tame(&e) })?;
                self.stale = false;
                if self.format.as_ref() != Some(&format) {
                    self.format = Some(format.clone());
                    send(out, FromSubstream::Format(format)).await;
                }
            }
            if self.format.is_some() {
                let Picture { data, key, disposable, timestamp: ticks, .. } = picture;
                // 90 kHz (RFC 6184 section 8.2.1, RFC 7798 section 7.1).
                let mono_us = self.arrivals.place(ticks.saturating_mul(100) / 9, mono_us(), intake.since_us());
                send(out, FromSubstream::Picture(SubPicture { data, key, disposable, ticks, mono_us })).await;
            }
        }
        Ok(())
    }
}

async fn send(out: &mpsc::Sender<FromSubstream>, next: FromSubstream) {
    // The receiver goes with this task.
    let _ = out.send(next).await;
}

async fn answered<T>(
    intake: &Intake,
    longest: Duration,
    phase: Phase,
    answer: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, Fault> {
    match timeout(longest, intake.watch(answer)).await {
        Err(_) => Err(Fault::Frozen { seconds: whole_seconds(longest), phase }),
        Ok(Err(Endless)) => Err(endless(phase)),
        Ok(Ok(answer)) => answer.map_err(|e| fault_of(&e, phase)),
    }
}

fn endless(phase: Phase) -> Fault {
    Fault::TooBig { what: "a message".into(), limit: MAX_MESSAGE, phase }
}
