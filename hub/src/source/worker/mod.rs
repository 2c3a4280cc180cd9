//! The worker process of one camera: `privet-hub camera-worker`. One worker, one connection to the main stream: it ends with it,
//! and the hub starts a fresh one, so nothing that a camera did outlives its connection.
//!
//! 1. Descriptor 0 is the socket to the hub, descriptor 1 the TCP connection to the camera, both made by the hub.
//! 2. It reads its settings, loads the decoder if motion is wanted, and shuts itself in (`sandbox`).
//! 3. It talks RTSP (`session`), joins packets to units (`depacketize`, `aac`), sets their time right (`anchor`) and
//!    passes them on (`sender`). Where there is a substream, the hub hands connections to it over (`orders`, `substream`), and its
//!    pictures are the ones that are looked at (`gaze`), and passed on too while the hub wants them (`passing`).
//! 4. When the connection ends, it says why and ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::LocalSet;
use zeroize::Zeroizing;

use super::frames::VERSION;
use super::frames::{self, HEADER, Header, Kind, MAX_BODY, Ready, ToWorker};

pub mod aac;
pub mod alignment;
pub mod anchor;
pub mod depacketize;

mod arrival;
mod formats;
mod gaze;
mod handover;
mod intake;
mod link;
mod memory;
mod orders;
mod passing;
mod proof;
mod sandbox;
mod sender;
mod session;
mod substream;

/// Runs the worker; what the subcommand `camera-worker` calls, before anything else of the hub is set up.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // To the hub's log: descriptor 2 is a pipe to it.
            eprintln!("camera worker: {e}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error("can't start: {0}; this subcommand is for the hub, not for people")]
    Start(io::Error),
    #[error("{0}")]
    Settings(#[from] frames::FrameError),
    #[error("can't shut itself in: {0}")]
    Sandbox(#[from] sandbox::SandboxError),
    #[error("the hub is gone: {0}")]
    Hub(io::Error),
}

fn run() -> Result<(), WorkerError> {
    sandbox::before_settings()?;
    let mut hub = StdUnixStream::from(taken(io::stdin().as_fd()).map_err(WorkerError::Start)?);
    let camera = taken(io::stdout().as_fd()).map_err(WorkerError::Start)?;
    // A stray print must reach neither hub nor camera.
    let nowhere = File::options().read(true).write(true).open("/dev/null").map_err(WorkerError::Start)?;
    rustix::stdio::dup2_stdin(&nowhere).map_err(|e| WorkerError::Start(e.into()))?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(|e| WorkerError::Start(e.into()))?;
    drop(nowhere);

    let settings = read_settings(&mut hub)?;
    let memory = memory::Meter::open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(WorkerError::Start)?;
    let socket = {
        let _guard = runtime.enter();
        hub.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(hub)).map_err(WorkerError::Hub)?
    };
    // The decoder's libraries must be there before files are out of reach.
    let eyes = settings.motion.as_ref().map(crate::motion::Eyes::open);
    let intake = intake::Intake::new(camera.try_clone().map_err(WorkerError::Start)?);
    handover::offer(camera);
    let lacking = sandbox::shut(settings.motion.is_some())?;
    let ready = frames::message(Kind::Ready, &Ready { version: VERSION, lacking });

    // The substream's session is a task of its own on the same thread.
    LocalSet::new().block_on(&runtime, async {
        let mut link = link::Link::new(socket, memory, intake);
        link.message(ready).map_err(WorkerError::Hub)?;
        if settings.prove {
            let proofs = proof::try_all();
            link.message(frames::message(Kind::Proof, &proofs)).map_err(WorkerError::Hub)?;
            return link.drain(Duration::from_secs(2)).await.map_err(WorkerError::Hub);
        }
        // Without a decoder there is still a picture to record and to watch.
        let eyes = eyes.and_then(|eyes| eyes.map_err(|e| link.note(no_decoder(&e))).ok());
        let end = Box::pin(session::run(&settings, &mut link, eyes)).await;
        match end {
            link::End::HubGone => Ok(()),
            link::End::Fault(fault) => {
                link.message(frames::message(Kind::Fault, &fault)).map_err(WorkerError::Hub)?;
                link.drain(Duration::from_secs(2)).await.map_err(WorkerError::Hub)
            }
        }
    })
}

fn no_decoder(error: &crate::motion::EyesError) -> String {
    format!("no motion detection: {error}; install gstreamer1.0-libav")
}

/// A private copy of a descriptor that every child process would inherit.
fn taken(shared: std::os::fd::BorrowedFd<'_>) -> io::Result<OwnedFd> {
    shared.try_clone_to_owned()
}

fn read_settings(hub: &mut StdUnixStream) -> Result<ToWorker, WorkerError> {
    hub.set_read_timeout(Some(Duration::from_secs(10))).map_err(WorkerError::Start)?;
    let mut head = [0; HEADER];
    hub.read_exact(&mut head).map_err(WorkerError::Start)?;
    let header = Header::parse(head)?;
    if header.kind != Kind::Settings {
        return Err(frames::FrameError::Kind(header.kind as u8).into());
    }
    let mut body = Zeroizing::new(vec![0; header.length.min(MAX_BODY)]);
    hub.read_exact(&mut body).map_err(WorkerError::Start)?;
    Ok(ToWorker::parse(&body)?)
}
