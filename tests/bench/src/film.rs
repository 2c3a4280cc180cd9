//! What the cameras of the benchmarks send: H.264 High with a key frame every 2 s, a sensor's noise, made here by x264.

use std::path::{Path, PathBuf};
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::process::run;

/// What is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// 1080p15, 2.5 Mb/s: a test picture that moves all the time.
    Moving,
    /// 1080p15, 2.5 Mb/s: nothing but noise moves.
    Quiet,
    /// The same as 360p15, 400 kb/s.
    QuietSmall,
    /// The same as 360p5, 200 kb/s.
    QuietSmallSlow,
    /// 1080p15, 2.5 Mb/s, a minute: something crosses the picture for six seconds.
    TenthMoving,
}

impl Scene {
    /// Name, size, kbit/s, seconds.
    fn plan(self) -> (&'static str, &'static str, u32, u32) {
        match self {
            Self::Moving => ("moving", "1920x1080", 2500, 20),
            Self::Quiet => ("quiet", "1920x1080", 2500, 20),
            Self::QuietSmall => ("quiet-small", "640x360", 400, 20),
            Self::QuietSmallSlow => ("quiet-small-slow", "640x360", 200, 20),
            Self::TenthMoving => ("tenth", "1920x1080", 2500, 60),
        }
    }

    /// Frames a second.
    pub fn fps(self) -> u32 {
        if self == Self::QuietSmallSlow { 5 } else { 15 }
    }
}

/// The film as Annex B, made in `folder`.
///
/// # Errors
/// [`Trouble`] when ffmpeg is not there or can't encode H.264.
pub fn make(folder: &Path, scene: Scene) -> Result<PathBuf, Trouble> {
    let (name, size, kbps, seconds) = scene.plan();
    let fps = scene.fps();
    let film = folder.join(format!("{name}.h264"));
    let to = film.to_string_lossy();
    let picture = format!("testsrc2=size={size}:rate={fps}:duration={seconds}");
    let still = format!("select='eq(n,0)',loop={}:1:0,setpts=N/{fps}/TB", fps * seconds);
    let noise = "noise=alls=5:allf=t,format=yuv420p";
    // Somebody: light, taller than wide, from the left to the right.
    let somebody = format!("color=c=white:s=160x320:rate={fps}:duration={seconds}");
    let graph = match scene {
        Scene::Moving => format!("{picture},{noise}"),
        Scene::Quiet | Scene::QuietSmall | Scene::QuietSmallSlow => format!("{picture},{still},{noise}"),
        Scene::TenthMoving => format!(
            "{picture},{still}[scene];{somebody}[somebody];\
             [scene][somebody]overlay=x='(t-30)*280':y=500:enable='between(t,30,36)',{noise}"
        ),
    };
    let rate = format!("{kbps}k");
    let seconds = seconds.to_string();
    let gop = 2 * fps;
    let x264 = format!("aud=0:sliced-threads=0:scenecut=0:keyint={gop}:min-keyint={gop}:bframes=0:repeat-headers=1");
    #[rustfmt::skip]
    let words = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &graph, "-t", &seconds,
        "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-tune", "zerolatency",
        "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate, "-x264-params", &x264, "-f", "h264", &to,
    ];
    run(Path::new("ffmpeg"), &words, Duration::from_secs(600))?.ok().map_err(|e| e.during("ffmpeg"))?;
    Ok(film)
}
