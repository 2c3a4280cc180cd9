//! One look at a camera: what `privet-hub camera test URL` shows.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Watch};
use super::frames::FromWorker;
use super::{CameraSettings, Format, OfflineReason, Track, WorkerOptions};

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
    /// Sound units that came.
    pub audio_units: u64,
    /// Packets lost.
    pub lost_packets: u64,
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
    #[error("the camera answers, but sent no key frame within {} s; lower its I-frame interval or listen longer", .0.as_secs())]
    Timeout(Duration),
}

/// Connects once through a sandboxed worker, listens for at most `listen` (less, when two key frames have come) and says what is
/// there.
///
/// # Errors
/// [`ProbeError`] when there is no video to report about.
pub async fn probe(
    camera: CameraSettings,
    options: WorkerOptions,
    listen: Duration,
) -> Result<ProbeReport, ProbeError> {
    let begun = Instant::now();
    let deadline = begun + listen;
    let mut attempt = match timeout_at(deadline, Attempt::start(&camera, &options, true)).await {
        Ok(attempt) => attempt?,
        Err(_) => return Err(ProbeError::Timeout(listen)),
    };
    let mut seen = Seen::default();
    loop {
        match timeout_at(deadline, attempt.next()).await {
            Err(_) => break,
            Ok(Watch::Ended(reason)) if seen.frames < 2 => return Err(reason.into()),
            Ok(Watch::Ended(reason)) => {
                seen.notes.push(format!("the connection ended while probing: {reason}"));
                break;
            }
            Ok(Watch::Said(said)) => {
                if seen.take(said, begun) {
                    break;
                }
            }
        }
    }
    seen.report(listen)
}

#[derive(Default)]
struct Seen {
    format: Option<Format>,
    first_key: Option<Duration>,
    frames: u32,
    bytes: u64,
    first_pts: i64,
    highest_pts: i64,
    keys: Vec<i64>,
    b_frames: bool,
    audio_units: u64,
    lost_packets: u64,
    notes: Vec<String>,
}

impl Seen {
    /// True when enough is seen.
    fn take(&mut self, said: FromWorker, begun: Instant) -> bool {
        match said {
            FromWorker::Ready(ready) => self.notes.extend(ready.lacking),
            FromWorker::Format(format) => self.format = Some(format),
            FromWorker::Health(health) => {
                self.lost_packets = health.lost_packets;
                for note in health.notes {
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                }
            }
            FromWorker::Unit(unit) if unit.track == Track::Audio => self.audio_units += 1,
            FromWorker::Unit(unit) => {
                if self.frames == 0 {
                    self.first_key = Some(begun.elapsed());
                    self.first_pts = unit.pts_us;
                    self.highest_pts = unit.pts_us;
                }
                if unit.key {
                    self.keys.push(unit.pts_us);
                }
                self.b_frames |= unit.pts_us < self.highest_pts;
                self.highest_pts = self.highest_pts.max(unit.pts_us);
                self.frames += 1;
                // The last frame's duration is not known yet, so its bytes do not count either.
                if self.keys.len() < 3 {
                    self.bytes += unit.data.len() as u64;
                }
                return self.keys.len() >= 3 && begun.elapsed() > Duration::from_secs(3);
            }
            _ => {}
        }
        false
    }

    fn report(self, listen: Duration) -> Result<ProbeReport, ProbeError> {
        let (Some(format), Some(first_key_frame)) = (self.format, self.first_key) else {
            return Err(ProbeError::Timeout(listen));
        };
        let span = (self.highest_pts - self.first_pts).max(1) as f64 / 1e6;
        let key_span = self.keys.first().zip(self.keys.last()).map(|(first, last)| last - first).unwrap_or(0);
        let gaps = self.keys.len().saturating_sub(1) as u64;
        let counted_span = self.keys.get(2).map_or(span, |third| (third - self.first_pts).max(1) as f64 / 1e6);
        Ok(ProbeReport {
            format,
            fps: if self.frames > 1 { (f64::from(self.frames - 1) / span) as f32 } else { 0.0 },
            bits_per_second: if self.frames > 1 { (self.bytes as f64 * 8.0 / counted_span) as u64 } else { 0 },
            first_key_frame,
            key_frame_interval: u64::try_from(key_span)
                .ok()
                .filter(|_| gaps > 0)
                .map(|us| Duration::from_micros(us / gaps)),
            b_frames: self.b_frames,
            audio_units: self.audio_units,
            lost_packets: self.lost_packets,
            notes: self.notes,
        })
    }
}
