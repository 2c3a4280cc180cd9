//! One worker process and what it says, from start to end.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use bytes::Bytes;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, UnixStream, unix::pipe};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};

use super::connect::Target;
use super::frames::{self, Connection, FromWorker, HEADER, Header, Proof, ToWorker, VERSION};
use super::process::{WorkerProcess, in_words, turn_to_start};
use super::substream::HandedConnection;
use super::{CameraSettings, OfflineReason, Phase, WorkerOptions};

/// A worker's last words that are kept for the log.
const LAST_WORDS: usize = 2048;
/// How long a worker may take to end by itself.
const FAREWELL: Duration = Duration::from_millis(500);
/// A camera may have given up on a connection that said nothing for so long.
const STALE: Duration = Duration::from_secs(3);
/// More than its own limit allows: it lies, or the limit does not hold.
const MAX_MEMORY: u64 = 700 << 20;

/// What comes from a worker.
#[derive(Debug)]
pub(super) enum Watch {
    /// It said this.
    Said(FromWorker),
    /// It is over.
    Ended(OfflineReason),
}

/// A running worker.
#[derive(Debug)]
pub(super) struct Attempt {
    process: WorkerProcess,
    socket: UnixStream,
    stderr: Option<pipe::Receiver>,
    last_words: Vec<u8>,
    hung_after: Duration,
    phase: Phase,
    incoming: Incoming,
    /// Until it is ready, others wait.
    turn: Option<OwnedSemaphorePermit>,
}

/// What is read of the next frame so far; kept here so that reading can be interrupted.
#[derive(Debug)]
enum Incoming {
    Header { bytes: [u8; HEADER], have: usize },
    Body { header: Header, bytes: Vec<u8> },
}

impl Incoming {
    const START: Self = Self::Header { bytes: [0; HEADER], have: 0 };
}

impl Attempt {
    /// Connects to the camera and starts a worker on the connection; it looks for motion if that is wanted and `decoding`.
    pub(super) async fn start(
        camera: &CameraSettings,
        options: &WorkerOptions,
        decoding: bool,
    ) -> Result<Self, OfflineReason> {
        let target = Target::parse(&camera.url)?;
        let (mut connection, mut address) = target.connect().await?;
        // Not before the connection: a camera that is not there must keep no other from its turn.
        let since = Instant::now();
        let turn = turn_to_start().await;
        if since.elapsed() > STALE {
            (connection, address) = target.connect().await?;
        }
        let settings = ToWorker {
            version: VERSION,
            url: target.url_at(address.ip()),
            username: camera.username.clone(),
            password: camera.password.as_ref().map(|password| password.as_str().to_owned()),
            audio: camera.audio,
            motion: camera.motion.clone().filter(|_| decoding),
            substream: decoding && camera.motion.is_some() && camera.sub_url.is_some(),
            frozen_ms: millis(options.frozen_after),
            first_key_ms: millis(options.first_key_frame),
            answer_ms: millis(options.answer),
            prove: false,
        };
        Ok(Self { turn, ..Self::with(connection, &settings, options).await? })
    }

    async fn with(camera: OwnedFd, settings: &ToWorker, options: &WorkerOptions) -> Result<Self, OfflineReason> {
        let no_worker =
            |e: std::io::Error| OfflineReason::NoWorker { detail: format!("{}: {e}", options.executable.display()) };
        let (ours, theirs) = StdUnixStream::pair().map_err(no_worker)?;
        ours.set_nonblocking(true).map_err(no_worker)?;
        let (process, stderr) =
            WorkerProcess::start(options.executable.clone(), theirs.into(), camera).await.map_err(no_worker)?;
        let stderr = stderr.and_then(|stderr| pipe::Receiver::from_owned_fd(stderr.into()).ok());
        let mut socket = UnixStream::from_std(ours).map_err(no_worker)?;
        let frame = settings.to_frame();
        // A worker that can't even take these ends the attempt below, with its last words.
        let _ = timeout(options.hung_after, socket.write_all(&frame)).await;
        Ok(Self {
            process,
            socket,
            stderr,
            last_words: Vec::new(),
            hung_after: options.hung_after,
            phase: Phase::Starting,
            incoming: Incoming::START,
            turn: None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The next that the worker says; may be dropped while it waits.
    pub(super) async fn next(&mut self) -> Watch {
        let hung = sleep(self.hung_after);
        tokio::pin!(hung);
        loop {
            tokio::select! {
                said = read_frame(&mut self.socket, &mut self.incoming) => return match said {
                    Ok(Some(said)) => self.heard(said),
                    Ok(None) => Watch::Ended(self.post_mortem().await),
                    Err(e) => {
                        self.process.kill();
                        Watch::Ended(OfflineReason::Misbehaved { detail: e.to_string() })
                    }
                },
                () = &mut hung => {
                    self.process.kill();
                    return Watch::Ended(OfflineReason::Hung { phase: self.phase });
                }
                () = read_words(&mut self.stderr, &mut self.last_words) => {}
            }
        }
    }

    fn heard(&mut self, said: FromWorker) -> Watch {
        match &said {
            FromWorker::Ready(_) => self.turn = None,
            FromWorker::Phase(phase) => self.phase = *phase,
            FromWorker::Fault(fault) => return Watch::Ended(OfflineReason::Camera(fault.clone())),
            FromWorker::Health(health) if health.memory > MAX_MEMORY => {
                self.process.kill();
                return Watch::Ended(OfflineReason::OutOfMemory { phase: self.phase });
            }
            _ => {}
        }
        Watch::Said(said)
    }

    /// Gives the worker a connection to the camera's substream. A worker that does not take it has other troubles, which show.
    pub(super) async fn hand_over(&mut self, connection: &HandedConnection) {
        let frame = Connection { url: connection.url.clone() }.to_frame();
        self.order(&frame, &[connection.socket.as_fd()]).await;
    }

    /// Tells the worker whether units are wanted at once.
    pub(super) async fn say_prompt(&mut self, prompt: bool) {
        self.order(&frames::prompt(prompt), &[]).await;
    }

    /// Tells the worker whether the substream's units are wanted.
    pub(super) async fn say_sub_units(&mut self, wanted: bool) {
        self.order(&frames::sub_units(wanted), &[]).await;
    }

    async fn order(&mut self, frame: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let told = self.socket.async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut beside = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() {
                beside.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            let sent = sendmsg(&self.socket, &[IoSlice::new(frame)], &mut beside, SendFlags::DONTWAIT)?;
            // So few bytes go whole or not at all into a socket that a worker reads before all else.
            if sent == frame.len() { Ok(()) } else { Err(std::io::ErrorKind::WriteZero.into()) }
        });
        if !matches!(timeout(self.hung_after, told).await, Ok(Ok(()))) {
            self.process.kill();
        }
    }

    /// Tells the worker to go, gives it a moment to say TEARDOWN to the camera, and sees to it that it is gone.
    pub(super) async fn farewell(mut self) {
        let _ = self.socket.shutdown().await;
        let _ = timeout(FAREWELL, self.process.end()).await;
    }

    /// The worker closed its socket without a word: why?
    async fn post_mortem(&mut self) -> OfflineReason {
        let _ = timeout(FAREWELL, self.process.end()).await;
        let all_words = async {
            while self.stderr.is_some() {
                read_words(&mut self.stderr, &mut self.last_words).await;
            }
        };
        let _ = timeout(FAREWELL, all_words).await;
        let words = String::from_utf8_lossy(&self.last_words);
        let how = self.process.ended().map_or_else(|| "it does not end".to_owned(), in_words);
        let phase = self.phase;
        if words.contains("memory allocation of") || words.contains("Cannot allocate memory") {
            return OfflineReason::OutOfMemory { phase };
        }
        let last = last_word(&words);
        OfflineReason::Crashed { phase, how: last.map_or(how.clone(), |last| format!("{how}: {last}")) }
    }
}

/// Starts a worker that tries to break out, and returns what it tried. For tests.
///
/// # Errors
/// [`OfflineReason`] when no worker can be started or it says nothing.
pub async fn prove_sandbox(
    options: &WorkerOptions,
    decoding: bool,
) -> Result<(Vec<Proof>, Vec<String>), OfflineReason> {
    let no_worker = |e: std::io::Error| OfflineReason::NoWorker { detail: e.to_string() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(no_worker)?;
    let address = listener.local_addr().map_err(no_worker)?;
    let camera = tokio::net::TcpStream::connect(address).await.and_then(tokio::net::TcpStream::into_std);
    let settings = ToWorker {
        version: VERSION,
        url: "rtsp://127.0.0.1/".into(),
        username: None,
        password: None,
        audio: false,
        motion: decoding.then(Default::default),
        substream: false,
        frozen_ms: 1000,
        first_key_ms: 1000,
        answer_ms: 1000,
        prove: true,
    };
    let mut attempt = Attempt::with(camera.map_err(no_worker)?.into(), &settings, options).await?;
    let mut lacking = Vec::new();
    loop {
        match attempt.next().await {
            Watch::Said(FromWorker::Ready(ready)) => lacking = ready.lacking,
            Watch::Said(FromWorker::Proof(proofs)) => return Ok((proofs, lacking)),
            Watch::Said(_) => {}
            Watch::Ended(reason) => return Err(reason),
        }
    }
}

/// A whole frame, or `None` when the worker closed its end between or inside frames.
async fn read_frame(
    socket: &mut UnixStream,
    incoming: &mut Incoming,
) -> Result<Option<FromWorker>, frames::FrameError> {
    loop {
        let read = match incoming {
            Incoming::Header { bytes, have } => {
                let read = socket.read(&mut bytes[*have..]).await;
                if let Ok(read) = &read {
                    *have += read;
                    if *have == HEADER {
                        let header = Header::parse(*bytes)?;
                        *incoming = Incoming::Body { header, bytes: Vec::with_capacity(header.length) };
                    }
                }
                read
            }
            Incoming::Body { header, bytes } if bytes.len() < header.length => {
                let missing = (header.length - bytes.len()) as u64;
                (&mut *socket).take(missing).read_buf(bytes).await
            }
            Incoming::Body { header, bytes } => {
                let said = frames::parse(*header, Bytes::from(std::mem::take(bytes)));
                *incoming = Incoming::START;
                return said.map(Some);
            }
        };
        match read {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

/// What a worker's last output says about its death: the panic with its message, or the last line.
fn last_word(words: &str) -> Option<String> {
    let mut lines = words.lines();
    let panic = lines.by_ref().find(|line| line.contains("panicked at"));
    let text = match panic {
        Some(panic) => format!("{panic} {}", lines.next().unwrap_or_default()),
        None => words.lines().last().unwrap_or_default().to_owned(),
    };
    Some(frames::tame(&text)).filter(|line| !line.is_empty())
}

/// Reads what the worker prints; keeps the end of it.
async fn read_words(stderr: &mut Option<pipe::Receiver>, last_words: &mut Vec<u8>) {
    let Some(pipe) = stderr else { return std::future::pending().await };
    let mut words = [0; 1024];
    match pipe.read(&mut words).await {
        Ok(0) | Err(_) => *stderr = None,
        Ok(read) => {
            last_words.extend_from_slice(&words[..read]);
            let surplus = last_words.len().saturating_sub(LAST_WORDS);
            last_words.drain(..surplus);
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use privet_protocol::id::CameraId;

    use super::*;

    #[tokio::test]
    async fn workers_start_a_few_at_a_time_and_one_that_is_gone_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("never-ready");
        std::fs::write(&executable, "#!/bin/sh\nexec /bin/sleep 600\n").unwrap();
        std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
        let options = WorkerOptions { executable, ..WorkerOptions::default() };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("rtsp://{}/", listener.local_addr().unwrap());
        let camera = CameraSettings::new(CameraId::from_bytes([1; 16]), "garden", url);

        let cores = std::thread::available_parallelism().unwrap().get();
        let start = |patience| timeout(patience, Attempt::start(&camera, &options, false));
        let long = Duration::from_secs(20);
        let mut starting = Vec::new();
        for _ in 0..cores {
            starting.push(start(long).await.unwrap().unwrap());
        }
        assert!(start(Duration::from_millis(200)).await.is_err(), "one too many");
        starting.pop();
        assert!(start(long).await.unwrap().is_ok());
    }
}
