//! What the source tests share: a supervised camera and its events, waited for with a bound.

use std::path::PathBuf;
use std::time::Duration;

use privet_hub::source::{
    AccessUnit, CameraSettings, Format, OfflineReason, SourceEvent, SourceHandle, Track, WorkerOptions, spawn,
};
use privet_protocol::id::CameraId;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Long enough for a loaded machine; never waited for when all is well.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The real worker, with pauses that a test can wait for.
pub fn options() -> WorkerOptions {
    let mut options = WorkerOptions::default();
    options.executable = PathBuf::from(env!("CARGO_BIN_EXE_privet-hub"));
    options.shortest_pause = Duration::from_millis(100);
    options.longest_pause = Duration::from_millis(400);
    options
}

pub fn settings(url: &str) -> CameraSettings {
    CameraSettings::new(CameraId::from_bytes([7; 16]), "garden", url)
}

pub struct Watched {
    pub handle: SourceHandle,
    pub events: mpsc::Receiver<SourceEvent>,
}

impl Watched {
    pub fn new(settings: CameraSettings) -> Self {
        Self::with(settings, options())
    }

    pub fn with(settings: CameraSettings, options: WorkerOptions) -> Self {
        let (sender, events) = mpsc::channel(64);
        Self { handle: spawn(settings, options, sender), events }
    }

    /// The first event that `wanted` takes; those before it are gone.
    pub async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(SourceEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        loop {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => {
                    if matches!(event, SourceEvent::Offline { .. } | SourceEvent::Online { .. }) {
                        last = format!("{event:?}");
                    }
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                Ok(None) => panic!("the source ended while waiting for {what}; last: {last}"),
                Err(_) => panic!("no {what} within {PATIENCE:?}; last: {last}"),
            }
        }
    }

    pub async fn online(&mut self) -> Format {
        self.until("online", |event| match event {
            SourceEvent::Online { format } => Some(format),
            _ => None,
        })
        .await
    }

    pub async fn offline(&mut self) -> OfflineReason {
        self.until("offline", |event| match event {
            SourceEvent::Offline { reason, .. } => Some(reason),
            _ => None,
        })
        .await
    }

    pub async fn unit(&mut self, track: Track) -> AccessUnit {
        self.until("unit", |event| match event {
            SourceEvent::Unit(unit) if unit.track == track => Some(unit),
            _ => None,
        })
        .await
    }

    pub async fn units(&mut self, track: Track, count: usize) -> Vec<AccessUnit> {
        let mut units = Vec::new();
        while units.len() < count {
            units.push(self.unit(track).await);
        }
        units
    }
}

/// A clip beside the repository, or a loud word.
pub fn clip(name: &str) -> Option<privet_raw_camera::Clip> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/video").join(name);
    if !path.exists() {
        eprintln!("\n*** SKIPPED: the clip {} is missing; this test shows nothing without it ***\n", path.display());
        return None;
    }
    Some(privet_raw_camera::Clip::open(&path, 15).expect("a clip that can be read"))
}

/// The first seconds of the corridor in H.265, as a camera sends it: a key frame every two seconds, no B-frames.
pub fn h265_corridor() -> Option<privet_raw_camera::Clip> {
    clip("one-by-one-person-detection.mp4")?;
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/video/one-by-one-person-detection.mp4");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("corridor.h265");
    let run = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-t", "12", "-i"])
        .arg(&from)
        .args(["-an", "-vf", "scale=640:360", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params"])
        .arg("keyint=20:min-keyint=20:scenecut=0:bframes=0:log-level=none")
        .arg(&to)
        .status();
    if !run.is_ok_and(|status| status.success()) {
        eprintln!("\n*** SKIPPED: no ffmpeg that encodes H.265; a camera that sends it is not shown without ***\n");
        return None;
    }
    Some(privet_raw_camera::Clip::open(&to, 10).expect("a clip that can be read"))
}

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
