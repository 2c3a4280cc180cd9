//! What the cameras of the benchmarks send: 1080p at 15 frames a second and 2.5 Mb/s, with noise, made here by x264.

use std::path::{Path, PathBuf};
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::process::run;

/// Frames a second.
pub const FPS: u32 = 15;

/// The film as Annex B, made in `folder`.
///
/// # Errors
/// [`Trouble`] when ffmpeg is not there or can't encode H.264.
pub fn make(folder: &Path) -> Result<PathBuf, Trouble> {
    let film = folder.join("camera.h264");
    let name = film.to_string_lossy();
    let scene = format!("testsrc2=size=1920x1080:rate={FPS}:duration=20");
    let x264 = "aud=0:sliced-threads=0:scenecut=0:keyint=30:min-keyint=30:bframes=0:repeat-headers=1";
    #[rustfmt::skip]
    let words = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &scene, "-vf", "noise=alls=5:allf=t,format=yuv420p",
        "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-tune", "zerolatency",
        "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-x264-params", x264, "-f", "h264", &name,
    ];
    run(Path::new("ffmpeg"), &words, Duration::from_secs(300))?.ok().map_err(|e| e.during("ffmpeg"))?;
    Ok(film)
}
