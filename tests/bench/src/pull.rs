//! retina alone: pulls a camera, keeps nothing, and measures how old each access unit is when it is in hand.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use privet_demo::Trouble;
use privet_raw_camera::stamp::Stamp;
use retina::client::{PlayOptions, Session, SessionOptions, SetupOptions};
use retina::codec::{CodecItem, FrameFormat};
use rustix::time::{ClockId, clock_gettime};

/// Pulls `url` for so many seconds and returns the ages of its access units in microseconds.
///
/// # Errors
/// [`Trouble`] when the camera can't be pulled.
pub async fn ages(url: &str, wanted: Duration) -> Result<Vec<f64>, Trouble> {
    let wrong = |e: retina::Error| Trouble::new(format!("{url}: {e}"));
    let parsed = url.parse().map_err(|e| Trouble::new(format!("{url}: {e}")))?;
    let mut session = Session::describe(parsed, SessionOptions::default()).await.map_err(wrong)?;
    let format = SetupOptions::default().frame_format(FrameFormat::MP4);
    session.setup(0, format).await.map_err(wrong)?;
    let mut frames = session.play(PlayOptions::default()).await.map_err(wrong)?.demuxed().map_err(wrong)?;
    let started = Instant::now();
    let mut ages = Vec::new();
    while started.elapsed() < wanted {
        let Some(item) = frames.next().await else { break };
        if let CodecItem::VideoFrame(frame) = item.map_err(wrong)? {
            ages.extend(age_us(frame.data()));
        }
    }
    Ok(ages)
}

/// The hidden command `pull`.
pub fn main(url: &str, seconds: u64) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime
        .map_err(|e| Trouble::new(e.to_string()))
        .and_then(|r| r.block_on(ages(url, Duration::from_secs(seconds))))
    {
        Ok(_) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// How long ago the camera stamped this access unit.
fn age_us(access_unit: &[u8]) -> Option<f64> {
    let sent = Stamp::find(access_unit)?.mono_us;
    let now = clock_gettime(ClockId::Monotonic);
    let now = now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000;
    Some(now.checked_sub(sent)? as f64)
}

/// The value below which this share of the values lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
