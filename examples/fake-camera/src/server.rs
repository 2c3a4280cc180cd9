//! The RTSP server: one mount, Digest authentication, H.264 and, if wanted, AAC.
//!
//! Every connection gets a pipeline of its own. (A shared one would be sought by each new client's PLAY, and the others would
//! lose frames.) The frame counter and the scene follow the time since the server's start, so a viewer that comes back finds the
//! counter where it would be, as with a real camera; within one connection no number is left out.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::gst_rtsp::RTSPAuthMethod;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_video::{self as video, VideoFrameExt};

use crate::pattern::{self, Luma};
use crate::pictures::{Frames, PictureError};
use crate::scene::{Garden, Motion};
use crate::stamp::Stamp;

/// What the camera is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The TCP port; 0 for any free one.
    pub port: u16,
    /// The address to listen on.
    pub address: String,
    /// The path of the mount, without slash.
    pub path: String,
    /// User and password; nothing for a camera that lets everyone in.
    pub credentials: Option<(String, String)>,
    /// The caption in the picture.
    pub name: String,
    /// Width and height in pixels; of a file, its own.
    pub size: (u32, u32),
    /// Frames a second; of a file, its own.
    pub fps: u32,
    /// Kilobits a second.
    pub kbps: u32,
    /// Frames from key frame to key frame.
    pub gop: u32,
    /// B-frames between two others.
    pub b_frames: u32,
    /// Whether to add an AAC track with a tick every second.
    pub audio: bool,
    /// The file to play in a loop instead of the garden.
    pub file: Option<PathBuf>,
    /// When the box in the garden moves.
    pub motion: Motion,
    /// Sensor noise in levels.
    pub noise: u8,
    /// A second, smaller stream of the same scene, at the path with `-sub` behind it; of a film there is none.
    pub sub: Option<(u32, u32)>,
}

/// Kilobits a second of the second stream.
const SUB_KBPS: u32 = 400;

/// Why there is no camera.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start: {0}. Is it installed whole?")]
    Start(#[from] gst::glib::Error),
    /// A plugin is missing.
    #[error("GStreamer's element '{element}' is missing. Install the package {package}")]
    Missing {
        /// The element.
        element: &'static str,
        /// The package with it on Debian and Ubuntu.
        package: &'static str,
    },
    /// The port is taken, or the address is not ours.
    #[error("can't listen on {address}:{port}. Is the port taken? --port 0 takes any free one")]
    Listen {
        /// The address.
        address: String,
        /// The port.
        port: u16,
    },
    /// The file can't be played.
    #[error(transparent)]
    File(#[from] PictureError),
}

/// A running server; it stops when dropped.
pub struct Server {
    main_loop: gst::glib::MainLoop,
    server: rtsp::RTSPServer,
    settings: Settings,
    start: Instant,
}

impl Server {
    /// Starts listening. Frames flow once [`Server::run`] is called.
    ///
    /// # Errors
    /// [`ServerError`], which names what is missing or taken.
    pub fn start(mut settings: Settings) -> Result<Self, ServerError> {
        gst::init()?;
        need_elements(&settings)?;
        if let Some(file) = &settings.file {
            let frames = Frames::open(file)?;
            settings.size = frames.size();
            settings.fps = frames.fps();
        }
        let main_loop = gst::glib::MainLoop::new(None, false);
        let server = rtsp::RTSPServer::new();
        server.set_address(&settings.address);
        server.set_service(&settings.port.to_string());
        let start = Instant::now();
        let streams = [Some(settings.clone()), sub_of(&settings)];
        let factories: Vec<_> =
            streams.into_iter().flatten().map(|stream| (stream.path.clone(), mount(stream, start))).collect();
        if let Some((user, password)) = &settings.credentials {
            let auth = digest(user, password);
            factories.iter().for_each(|(_, factory)| admit(factory));
            server.set_auth(Some(&auth));
        }
        if let Some(mounts) = server.mount_points() {
            for (path, factory) in factories {
                mounts.add_factory(&format!("/{path}"), factory);
            }
        }
        let taken = || ServerError::Listen { address: settings.address.clone(), port: settings.port };
        server.attach(None).map_err(|_| taken())?;
        settings.port = u16::try_from(server.bound_port()).map_err(|_| taken())?;
        Ok(Self { main_loop, server, settings, start })
    }

    /// The camera's URL.
    pub fn url(&self) -> String {
        format!("rtsp://{}:{}/{}", self.settings.address, self.settings.port, self.settings.path)
    }

    /// The URL of the second stream, where there is one.
    pub fn sub_url(&self) -> Option<String> {
        sub_of(&self.settings).map(|sub| format!("rtsp://{}:{}/{}", sub.address, sub.port, sub.path))
    }

    /// Says on a thread of its own when the box begins to cross the picture, as it does.
    pub fn on_crossing(&self, say: impl Fn(SystemTime) + Send + 'static) {
        let (motion, start) = (self.settings.motion, self.start);
        std::thread::spawn(move || {
            for begin in motion.begins() {
                std::thread::sleep((start + begin).saturating_duration_since(Instant::now()));
                say(SystemTime::now());
            }
        });
    }

    /// The settings as they are in force: with the port and, of a file, its size and rate.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Serves until the process ends.
    pub fn run(&self) {
        let _ = &self.server;
        self.main_loop.run();
    }
}

fn need_elements(settings: &Settings) -> Result<(), ServerError> {
    let mut needed = vec![
        ("videotestsrc", "gstreamer1.0-plugins-base"),
        ("x264enc", "gstreamer1.0-plugins-ugly"),
        ("h264parse", "gstreamer1.0-plugins-bad"),
        ("rtph264pay", "gstreamer1.0-plugins-good"),
    ];
    if settings.audio {
        needed.push(("voaacenc", "gstreamer1.0-plugins-bad"));
        needed.push(("rtpmp4gpay", "gstreamer1.0-plugins-good"));
    }
    match needed.into_iter().find(|(element, _)| gst::ElementFactory::find(element).is_none()) {
        Some((element, package)) => Err(ServerError::Missing { element, package }),
        None => Ok(()),
    }
}

/// The pipeline in GStreamer's own words, as `gst-launch-1.0` would take it.
fn launch_line(settings: &Settings) -> String {
    let Settings { size: (width, height), fps, kbps, gop, b_frames, .. } = settings;
    // Without B-frames as live cameras do it; with them, the encoder may look ahead. The RTP payloader asks for constrained
    // baseline, which has no B-frames, unless the profile is named.
    let (profile, tune) = if *b_frames == 0 {
        ("constrained-baseline", "tune=zerolatency sliced-threads=false".to_string())
    } else {
        ("main", format!("bframes={b_frames} b-adapt=false rc-lookahead=0 sync-lookahead=0 mb-tree=false"))
    };
    let video = format!(
        "videotestsrc name=scene is-live=true pattern=black \
         ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
         ! x264enc speed-preset=ultrafast threads=1 bitrate={kbps} vbv-buf-capacity=1000 key-int-max={gop} \
           option-string=scenecut=0:keyint={gop}:min-keyint={gop} {tune} \
         ! video/x-h264,profile={profile} ! h264parse name=parse ! video/x-h264,stream-format=avc,alignment=au \
         ! rtph264pay name=pay0 pt=96 config-interval=-1"
    );
    let audio = "audiotestsrc is-live=true wave=ticks volume=0.3 ! audio/x-raw,rate=16000,channels=1 \
                 ! voaacenc bitrate=32000 ! aacparse ! rtpmp4gpay name=pay1 pt=97";
    if settings.audio { format!("( {video} {audio} )") } else { format!("( {video} )") }
}

/// The second stream's settings.
fn sub_of(settings: &Settings) -> Option<Settings> {
    let size = settings.sub.filter(|_| settings.file.is_none())?;
    let path = format!("{}-sub", settings.path);
    let (gop, kbps) = (settings.fps, SUB_KBPS);
    Some(Settings { size, path, gop, kbps, b_frames: 0, audio: false, sub: None, ..settings.clone() })
}

fn mount(settings: Settings, start: Instant) -> rtsp::RTSPMediaFactory {
    let factory = rtsp::RTSPMediaFactory::new();
    factory.set_launch(&launch_line(&settings));
    factory.set_latency(0);
    factory.connect_media_configure(move |_, media| configure(media, &settings, start));
    factory
}

fn digest(user: &str, password: &str) -> rtsp::RTSPAuth {
    let auth = rtsp::RTSPAuth::new();
    auth.set_supported_methods(RTSPAuthMethod::Digest);
    let token = rtsp::RTSPToken::builder().field("media.factory.role", "user").build();
    auth.add_digest(user, password, &token);
    auth
}

/// Lets who knows the password see this stream, and nobody else.
fn admit(factory: &rtsp::RTSPMediaFactory) {
    let role = gst::Structure::builder("user")
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&role);
}

/// Puts the scene into the frames and the stamp into the access units of a new connection's pipeline.
fn configure(media: &rtsp::RTSPMedia, settings: &Settings, start: Instant) {
    let Some(bin) = media.element().downcast::<gst::Bin>().ok() else { return };
    let pad = |name: &str| bin.by_name(name).and_then(|element| element.static_pad("src"));
    let numbers = Arc::new(Mutex::new(Numbers::default()));
    if let Some(pad) = pad("scene") {
        let mut painter = Painter::new(settings, start);
        let numbers = Arc::clone(&numbers);
        let painter = Mutex::new(move |info: &mut gst::PadProbeInfo<'_>| {
            if let Some(buffer) = info.buffer_mut() {
                let pts = buffer.pts();
                let frame = painter.paint(buffer.make_mut());
                lock(&numbers).came_in(pts, frame);
            }
        });
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            lock(&painter)(info);
            gst::PadProbeReturn::Ok
        });
    }
    if let Some(pad) = pad("parse") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer()
                && let Some(frame) = lock(&numbers).goes_out(buffer.pts())
                && let Some(stamped) = stamp(buffer, frame)
            {
                info.data = Some(gst::PadProbeData::Buffer(stamped));
            }
            gst::PadProbeReturn::Ok
        });
    }
}

fn stamp(buffer: &gst::BufferRef, frame: u64) -> Option<gst::Buffer> {
    let us = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_micros();
    let stamp = Stamp { frame, us: u64::try_from(us).ok()? };
    let mut stamped = gst::Buffer::from_mut_slice(stamp.insert(buffer.map_readable().ok()?.as_slice()));
    let flags = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
    buffer.copy_into(stamped.get_mut()?, flags, ..).ok()?;
    Some(stamped)
}

/// Which frame an encoded picture is. The encoder shifts all times by the same amount and, with B-frames, changes the order.
#[derive(Default)]
struct Numbers {
    waiting: Vec<(u64, u64)>,
    shift: Option<u64>,
}

impl Numbers {
    fn came_in(&mut self, pts: Option<gst::ClockTime>, frame: u64) {
        if let Some(pts) = pts {
            self.waiting.push((pts.nseconds(), frame));
            // The encoder holds a few frames; what is older was dropped on the way.
            let old = self.waiting.len().saturating_sub(64);
            self.waiting.drain(..old);
        }
    }

    fn goes_out(&mut self, pts: Option<gst::ClockTime>) -> Option<u64> {
        let pts = pts?.nseconds();
        let first = self.waiting.first()?.0;
        let shift = *self.shift.get_or_insert(pts.saturating_sub(first));
        let at =
            self.waiting.iter().position(|(waiting, _)| waiting.abs_diff(pts.saturating_sub(shift)) < 1_000_000)?;
        Some(self.waiting.remove(at).1)
    }
}

/// Paints one connection's frames.
struct Painter {
    info: Option<video::VideoInfo>,
    garden: Garden,
    file: Option<Frames>,
    name: String,
    fps: u32,
    start: Instant,
    next: Option<u64>,
}

impl Painter {
    fn new(settings: &Settings, start: Instant) -> Self {
        let (width, height) = settings.size;
        Self {
            info: video::VideoInfo::builder(video::VideoFormat::I420, width, height).build().ok(),
            garden: Garden::new(width as usize, height as usize, settings.noise, settings.motion),
            file: settings.file.as_ref().and_then(|file| Frames::open(file).ok()),
            name: settings.name.clone(),
            fps: settings.fps,
            start,
            next: None,
        }
    }

    /// Paints the next frame and says its number.
    fn paint(&mut self, buffer: &mut gst::BufferRef) -> u64 {
        let frame = self.next.unwrap_or_else(|| {
            let ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(0);
            ms * u64::from(self.fps) / 1000
        });
        self.next = Some(frame + 1);
        let Some(info) = &self.info else { return frame };
        let Ok(mut picture) = video::VideoFrameRef::from_buffer_ref_writable(buffer, info) else { return frame };
        let strides = [0, 1, 2].map(|plane| picture.plane_stride()[plane] as usize);
        let (width, height) = (info.width() as usize, info.height() as usize);
        let from_file = self.file.as_mut().and_then(|file| file.next_looping().ok());
        for (plane, stride) in strides.into_iter().enumerate() {
            let rows = if plane == 0 { height } else { height.div_ceil(2) };
            let columns = if plane == 0 { width } else { width.div_ceil(2) };
            let Ok(samples) = picture.plane_data_mut(plane as u32) else { continue };
            if let Some(shown) = &from_file {
                shown.copy_plane(plane, samples, stride, columns, rows);
            } else if plane > 0 {
                tint(plane, samples, stride, rows);
            }
            if plane == 0 {
                let mut luma = Luma { samples, stride, width, height };
                if from_file.is_none() {
                    let at = Duration::from_millis(frame * 1000 / u64::from(self.fps.max(1)));
                    self.garden.draw(&mut luma, at);
                }
                pattern::burn(&mut luma, frame, &self.name);
            }
        }
        frame
    }
}

/// Sky above, hedge below.
fn tint(plane: usize, samples: &mut [u8], stride: usize, rows: usize) {
    for (y, row) in samples.chunks_mut(stride.max(1)).enumerate().take(rows) {
        row.fill(match (plane, y < rows / 3) {
            (1, true) => 150,
            (1, false) => 108,
            (_, true) => 112,
            (_, false) => 116,
        });
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
