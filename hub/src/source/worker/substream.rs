//! The camera's substream in its worker: a second RTSP session on a connection that the hub handed over, in a task of its own. Its
//! pictures only go to the decoder. When it ends, the main stream does not notice.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use retina::client::{
    Credentials, InitialTimestampPolicy, PacketItem, PlayOptions, Session, SessionGroup, SessionIdPolicy,
    SessionOptions, SetupOptions, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

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
    /// When it was whole, in microseconds of CLOCK_MONOTONIC.
    pub(super) mono_us: u64,
}

/// A session that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Substream {
    task: JoinHandle<()>,
    pictures: mpsc::Receiver<FromSubstream>,
}

impl Substream {
    /// Starts a session on the connection; within a `LocalSet`.
    pub(super) fn start(connection: SubConnection, settings: &ToWorker) -> Self {
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
        };
        let task = tokio::task::spawn_local(async move {
            let group = Arc::new(SessionGroup::default());
            let fault = match Box::pin(session(wanted, connection.socket, group.clone(), &out)).await {
                Ok(never) => match never {},
                Err(fault) => fault,
            };
            // As for the main stream: the camera is told before it is asked again.
            let _ = timeout(Duration::from_millis(300), group.await_teardown()).await;
            let _ = out.send(FromSubstream::Ended(fault)).await;
        });
        Self { task, pictures }
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
}

async fn session(
    wanted: Wanted,
    connection: std::os::fd::OwnedFd,
    group: Arc<SessionGroup>,
    out: &mpsc::Sender<FromSubstream>,
) -> Result<std::convert::Infallible, Fault> {
    let broken = |e: std::io::Error| Fault::Broken { phase: Phase::Starting, detail: e.to_string() };
    let intake = Intake::new(connection.try_clone().map_err(broken)?);
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

    let mut pictures =
        Pictures { codec, depacketizer: Depacketizer::new(codec, sets, 0, MAX_SUB_UNIT), format: None, stale: true };
    let (began, mut last_packet) = (Instant::now(), Instant::now());
    loop {
        let phase = if pictures.format.is_some() { Phase::Streaming } else { Phase::FirstFrame };
        let silent = last_packet.elapsed();
        if silent >= wanted.frozen_after {
            return Err(Fault::Frozen { seconds: whole_seconds(silent), phase });
        }
        if pictures.format.is_none() && began.elapsed() >= wanted.first_key {
            return Err(Fault::NoKeyFrame { seconds: whole_seconds(wanted.first_key) });
        }
        let Ok(item) = timeout(LOOK, intake.watch(playing.next())).await else { continue };
        match item.map_err(|Endless| endless(phase))? {
            None => return Err(Fault::Closed { phase }),
            Some(Err(e)) => return Err(fault_of(&e, phase)),
            Some(Ok(PacketItem::Rtp(packet))) if packet.stream_id() == video => {
                last_packet = Instant::now();
                let (mark, loss, timestamp) = (packet.mark(), packet.loss(), packet.timestamp().timestamp());
                let packet = Packet { payload: packet.payload(), timestamp, mark, loss };
                pictures.depacketizer.push(packet).map_err(|e| fault_of_packets(e, phase))?;
                pictures.pass_on(out, phase).await?;
            }
            Some(Ok(_)) => {}
        }
    }
}

/// Packets become pictures, from the first key frame on.
struct Pictures {
    codec: Codec,
    depacketizer: Depacketizer,
    format: Option<Format>,
    stale: bool,
}

impl Pictures {
    async fn pass_on(&mut self, out: &mpsc::Sender<FromSubstream>, phase: Phase) -> Result<(), Fault> {
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
                send(out, FromSubstream::Picture(SubPicture { data, key, disposable, ticks, mono_us: mono_us() }))
                    .await;
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
