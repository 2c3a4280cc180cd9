//! Scenes as a camera sends them: H.264 from x264, kept under `target/` so that the next run need not encode again.

use std::fs;
use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use privet_demo::Trouble;

use super::cutout::Cutout;
use super::scene::{FPS, Scene};
use super::stage::Stage;

/// Frames from key frame to key frame: two seconds.
pub const GOP: usize = 2 * FPS;
/// Everything that draws and encodes a scene: when any of it changes, films that were kept before are not taken.
const RECIPE: [&[u8]; 16] = [
    include_bytes!("film.rs"),
    include_bytes!("stage.rs"),
    include_bytes!("scene.rs"),
    include_bytes!("place.rs"),
    include_bytes!("cutout.rs"),
    include_bytes!("random.rs"),
    include_bytes!("../../clips/room.jpg"),
    include_bytes!("../../clips/road.jpg"),
    include_bytes!("../../clips/walker-1.jpg"),
    include_bytes!("../../clips/walker-2.jpg"),
    include_bytes!("../../clips/walker-3.jpg"),
    include_bytes!("../../clips/walker-4.jpg"),
    include_bytes!("../../clips/walker-5.jpg"),
    include_bytes!("../../clips/walker-6.jpg"),
    include_bytes!("../../clips/car-1.jpg"),
    include_bytes!("../../clips/car-2.jpg"),
];

/// Which of a camera's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// 1920x1080.
    Main,
    /// 640x360.
    Sub,
}

/// How a camera spends its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// As many as the picture needs.
    Vbr,
    /// The same each second: 2 Mb/s, or 256 kb/s.
    Cbr,
}

/// An encoded scene.
pub struct Film {
    pub units: Vec<Unit>,
}

/// A frame: Annex B.
pub struct Unit {
    pub key: bool,
    pub data: Vec<u8>,
}

impl Stream {
    pub fn size(self) -> (usize, usize) {
        match self {
            Self::Main => (1920, 1080),
            Self::Sub => (640, 360),
        }
    }
}

/// Where films are kept: beside the program, under the build's folder.
///
/// # Errors
/// [`Trouble`] when it can't be made.
pub fn folder() -> Result<PathBuf, Trouble> {
    let program = std::env::current_exe().map_err(|e| Trouble::new(e.to_string()))?;
    let target = program.ancestors().nth(2).unwrap_or(Path::new("target"));
    let folder = target.join("motion-scenes");
    fs::create_dir_all(&folder).map_err(|e| Trouble::new(format!("{}: {e}", folder.display())))?;
    Ok(folder)
}

/// Makes sure that the film is in the folder; says where.
///
/// # Errors
/// [`Trouble`] when it can't be encoded or written.
pub fn make(folder: &Path, scene: &Scene, cast: &[Cutout], stream: Stream, rate: Rate) -> Result<PathBuf, Trouble> {
    let start = format!("{}-{}-{stream:?}-{rate:?}-", scene.kind.replace([' ', ','], "-"), scene.seed);
    let path = folder.join(format!("{start}{}.units", recipe(scene, stream, rate)));
    if path.exists() {
        return Ok(path);
    }
    // The same film after another recipe: nobody will ask for it again.
    for old in fs::read_dir(folder).into_iter().flatten().flatten() {
        if old.file_name().to_string_lossy().starts_with(&start) {
            let _ = fs::remove_file(old.path());
        }
    }
    let units = encode(scene, cast, stream, rate)?;
    let mut bytes = Vec::new();
    for unit in &units {
        bytes.push(u8::from(unit.key));
        bytes.extend_from_slice(&(unit.data.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&unit.data);
    }
    // Under another name first: a run that is stopped leaves no half film.
    let part = path.with_extension("part");
    let failed = |e: std::io::Error| Trouble::new(format!("{}: {e}", path.display()));
    fs::write(&part, bytes).map_err(failed)?;
    fs::rename(&part, &path).map_err(failed)?;
    Ok(path)
}

/// Stands for everything that a film comes from: the scene, the code that draws it, the encoder.
fn recipe(scene: &Scene, stream: Stream, rate: Rate) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in RECIPE {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    let x264 = gst::Registry::get().find_plugin("x264").map(|plugin| plugin.version());
    hasher.update(format!("{scene:?} {stream:?} {rate:?} {} {x264:?}", gst::version_string()).as_bytes());
    hasher.finalize().to_hex()[..12].to_owned()
}

impl Film {
    /// Reads a film that [`make`] made.
    ///
    /// # Errors
    /// [`Trouble`] when it is none.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let bytes = fs::read(path).map_err(|e| Trouble::new(format!("{}: {e}", path.display())))?;
        let (mut rest, mut units) = (bytes.as_slice(), Vec::new());
        while let Some((head, tail)) = rest.split_at_checked(5) {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let Some((data, tail)) = tail.split_at_checked(length) else { break };
            units.push(Unit { key: head[0] == 1, data: data.to_vec() });
            rest = tail;
        }
        if !rest.is_empty() || units.is_empty() {
            return Err(Trouble::new(format!("{} is damaged: remove it and run again", path.display())));
        }
        Ok(Self { units })
    }
}

fn encode(scene: &Scene, cast: &[Cutout], stream: Stream, rate: Rate) -> Result<Vec<Unit>, Trouble> {
    let (width, height) = stream.size();
    let bits = match (rate, stream) {
        (Rate::Vbr, _) => "pass=qual quantizer=25".into(),
        (Rate::Cbr, Stream::Main) => format!("pass=cbr bitrate={} vbv-buf-capacity=1000", 2_000),
        (Rate::Cbr, Stream::Sub) => format!("pass=cbr bitrate={} vbv-buf-capacity=1000", 256),
    };
    let text = format!(
        "appsrc name=in format=time block=true max-bytes=0 max-buffers=4 \
         caps=video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1 \
         ! x264enc {bits} speed-preset=superfast tune=zerolatency key-int-max={GOP} threads=1 \
         option-string=scenecut=0:min-keyint={GOP} \
         ! video/x-h264,profile=main,stream-format=byte-stream,alignment=au ! appsink name=out sync=false max-buffers=0"
    );
    let failed = |e: gst::glib::Error| Trouble::new(format!("x264 through GStreamer: {e}"));
    let pipeline = gst::parse::launch(&text).map_err(failed)?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| Trouble::new("no pipeline"))?;
    let (source, sink) = ends(&pipeline)?;
    pipeline.set_state(gst::State::Playing).map_err(|e| Trouble::new(format!("x264: {e}")))?;
    let mut stage = Stage::new(scene, cast, width, height)?;
    let mut units = Vec::new();
    for n in 0..scene.frames() {
        let mut frame = vec![128u8; width * height * 3 / 2];
        stage.draw(n, &mut frame[..width * height]);
        let mut buffer = gst::Buffer::from_mut_slice(frame);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(time(n));
            buffer.set_duration(gst::ClockTime::from_useconds(1_000_000 / FPS as u64));
        }
        source.push_buffer(buffer).map_err(|e| Trouble::new(format!("x264: {e}")))?;
        while let Some(sample) = sink.try_pull_sample(gst::ClockTime::ZERO) {
            units.extend(unit(&sample));
        }
    }
    source.end_of_stream().map_err(|e| Trouble::new(format!("x264: {e}")))?;
    while let Ok(sample) = sink.pull_sample() {
        units.extend(unit(&sample));
    }
    let _ = pipeline.set_state(gst::State::Null);
    if units.len() != scene.frames() {
        return Err(Trouble::new(format!("x264 gave {} of {} frames of {}", units.len(), scene.frames(), scene.kind)));
    }
    Ok(units)
}

fn unit(sample: &gst::Sample) -> Option<Unit> {
    let buffer = sample.buffer()?;
    let data = buffer.map_readable().ok()?.to_vec();
    Some(Unit { key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT), data })
}

/// When the `n`-th frame is shown.
pub fn time(n: usize) -> gst::ClockTime {
    gst::ClockTime::from_useconds(n as u64 * 1_000_000 / FPS as u64)
}

/// The elements named `in` and `out`.
pub fn ends(pipeline: &gst::Pipeline) -> Result<(AppSrc, AppSink), Trouble> {
    let source = pipeline.by_name("in").and_then(|e| e.downcast::<AppSrc>().ok());
    let sink = pipeline.by_name("out").and_then(|e| e.downcast::<AppSink>().ok());
    source.zip(sink).ok_or_else(|| Trouble::new("GStreamer's app plugin is missing"))
}
