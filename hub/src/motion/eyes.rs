//! Decodes a camera's access units and lets the detector look at some of the pictures. Runs in the worker process.
//!
//! GStreamer decodes on its own thread. The queue before it is short: when decoding can't keep up, units are left out up to the
//! next key frame. If it fails or hangs, the video goes on without motion detection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::VideoFrameExt;
use tokio::sync::mpsc;

use super::scale::{Plane, Small, shrink};
use super::thumbnail::{Album, Decoded, Snapshot};
use super::{Detector, MotionSettings, Verdict};
use crate::source::{Format, MotionSample, Picture, Tamper};

/// Units that may wait for the decoder: two seconds.
const MAX_WAITING: u64 = 30;
/// What may wait for the worker's loop.
const MAX_SIGHTS: usize = 32;
const H264: &str = "video/x-h264";
const H265: &str = "video/x-h265";
/// Where distributions keep GStreamer's plugins; the first that exists.
const PLUGIN_FOLDERS: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/gstreamer-1.0",
    "/usr/lib/aarch64-linux-gnu/gstreamer-1.0",
    "/usr/lib64/gstreamer-1.0",
    "/usr/lib/gstreamer-1.0",
];
/// The plugins that hold the few elements needed. Nothing else is loaded, no registry is read or written.
const PLUGINS: &[&str] = &["libgstcoreelements.so", "libgstapp.so", "libgstvideoparsersbad.so", "libgstlibav.so"];

/// The decoder can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EyesError(String);

/// What comes out.
#[derive(Debug)]
pub(crate) enum Sight {
    /// The detector's word about one picture.
    Sample(MotionSample),
    /// The view was taken away.
    Tampered(Tamper),
    /// A picture of an activity.
    Picture(Picture),
}

/// Decoder and detector.
pub(crate) struct Eyes {
    pipeline: gst::Pipeline,
    source: AppSrc,
    decoders: Decoders,
    /// Whose parser and decoder are in the pipeline.
    linked: Option<&'static str>,
    /// Counts up with every stream that is looked at.
    view: Arc<AtomicU32>,
    sights: Option<mpsc::Receiver<Sight>>,
    undecoded: Arc<AtomicU64>,
    state: State,
}

/// Parser and decoder of each codec; those that are not needed are not in the pipeline.
struct Decoders {
    h264: [gst::Element; 2],
    h265: [gst::Element; 2],
    sink: gst::Element,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No format yet, or one that can't be decoded.
    Idle,
    /// Units are left out until a key frame.
    WaitingForKey,
    Decoding,
    /// The decoder gave up.
    Broken,
}

impl Eyes {
    /// Loads the libraries and builds the pipeline; before the sandbox closes.
    pub(crate) fn open(settings: &MotionSettings) -> Result<Self, EyesError> {
        let failed = |what: &'static str| move |e: gst::glib::BoolError| EyesError(format!("{what}: {}", e.message));
        load()?;
        let make = |element: &'static str| gst::ElementFactory::make(element).build().map_err(failed(element));
        let source = make("appsrc")?;
        let sink = make("appsink")?;
        // Which one is needed is known only when the sandbox is closed.
        let h264 = [make("h264parse")?, make("avdec_h264")?];
        let h265 = [make("h265parse")?, make("avdec_h265")?];
        // Without these two a decoder holds back up to four pictures (measured: 272 ms at 15 fps).
        source.set_property("is-live", true);
        for [_, decoder] in [&h264, &h265] {
            decoder.set_property_from_str("std-compliance", "normal");
            decoder.set_property("max-threads", 1i32);
        }
        source.set_property_from_str("format", "time");
        source.set_property("max-bytes", 0u64);
        source.set_property("max-buffers", MAX_WAITING * 2);
        sink.set_property("sync", false);
        sink.set_property("max-buffers", 2u32);
        sink.set_property("drop", true);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, &sink]).map_err(failed("pipeline"))?;

        let source: AppSrc = source.downcast().map_err(|_| EyesError("appsrc is none".into()))?;
        let sink: AppSink = sink.downcast().map_err(|_| EyesError("appsink is none".into()))?;
        let (sights, receiver) = mpsc::channel(MAX_SIGHTS);
        let undecoded = Arc::new(AtomicU64::new(0));
        let view = Arc::new(AtomicU32::new(0));
        let mut watcher = Watcher::new(settings, sights, view.clone());
        sink.set_callbacks(
            AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    if let Ok(sample) = sink.pull_sample() {
                        watcher.see(&sample);
                    }
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        let decoders = Decoders { h264, h265, sink: sink.upcast() };
        Ok(Self {
            pipeline,
            source,
            decoders,
            linked: None,
            view,
            sights: Some(receiver),
            undecoded,
            state: State::Idle,
        })
    }

    /// Where comes out what was seen; once.
    pub(crate) fn sights(&mut self) -> Option<mpsc::Receiver<Sight>> {
        self.sights.take()
    }

    /// The units that follow are in this format.
    pub(crate) fn set_format(&mut self, format: &Format) {
        if self.state == State::Broken {
            return;
        }
        let (media, stream_format) = match format.codec.get(..4) {
            Some("avc1") => (H264, "avc"),
            Some("hvc1") => (H265, "hvc1"),
            Some("hev1") => (H265, "hev1"),
            _ => {
                self.state = State::Idle;
                return;
            }
        };
        if self.linked != Some(media) && self.link(media).is_err() {
            self.state = State::Broken;
            return;
        }
        let caps = gst::Caps::builder(media)
            .field("stream-format", stream_format)
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(format.avcc.clone()))
            .field("width", i32::try_from(format.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(format.height).unwrap_or(i32::MAX))
            .build();
        self.source.set_caps(Some(&caps));
        self.state = match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => State::WaitingForKey,
            Err(_) => State::Broken,
        };
    }

    /// Puts parser and decoder of this codec between source and sink.
    fn link(&mut self, media: &'static str) -> Result<(), gst::glib::BoolError> {
        let Decoders { h264, h265, sink } = &self.decoders;
        let [parser, decoder] = if media == H264 { h264 } else { h265 };
        if self.linked.take().is_some() {
            let [old_parser, old_decoder] = if media == H264 { h265 } else { h264 };
            self.pipeline
                .set_state(gst::State::Null)
                .map_err(|_| gst::glib::bool_error!("the pipeline does not stop"))?;
            self.pipeline.remove_many([old_parser, old_decoder])?;
        }
        self.pipeline.add_many([parser, decoder])?;
        gst::Element::link_many([self.source.upcast_ref(), parser, decoder, sink])?;
        self.linked = Some(media);
        Ok(())
    }

    /// What follows is of another stream: what is on its way is not looked at any more, and the detector starts anew.
    pub(crate) fn look_elsewhere(&mut self) {
        if self.state != State::Broken {
            self.state = State::Idle;
            self.view.fetch_add(1, Ordering::SeqCst);
            // Also gives back the pictures that the decoder holds.
            if self.pipeline.set_state(gst::State::Null).is_err() {
                self.state = State::Broken;
            }
        }
    }

    /// Gives a unit to the decoder, if it has room.
    pub(crate) fn look(&mut self, unit: &[u8], key: bool, disposable: bool, pts_us: i64) {
        match self.state {
            State::WaitingForKey if key => self.state = State::Decoding,
            State::Decoding => {}
            _ => {
                self.undecoded.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let waiting = self.source.current_level_buffers();
        if waiting > MAX_WAITING / 2 && disposable {
            return;
        }
        if waiting > MAX_WAITING {
            self.undecoded.fetch_add(1, Ordering::Relaxed);
            self.state = State::WaitingForKey;
            return;
        }
        let mut buffer = gst::Buffer::from_slice(unit.to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(u64::try_from(pts_us).ok().map(gst::ClockTime::from_useconds));
            if !key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        if self.source.push_buffer(buffer).is_err() {
            self.recover();
        }
    }

    /// Units and pictures that were not looked at although they should have been.
    pub(crate) fn undecoded(&self) -> u64 {
        self.undecoded.load(Ordering::Relaxed)
    }

    /// After a decoder's error the pipeline refuses everything until it is restarted.
    fn recover(&mut self) {
        self.undecoded.fetch_add(1, Ordering::Relaxed);
        let restarted =
            self.pipeline.set_state(gst::State::Ready).and_then(|_| self.pipeline.set_state(gst::State::Playing));
        self.state = if restarted.is_ok() { State::WaitingForKey } else { State::Broken };
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Scales the decoder's pictures down and asks the detector; on the decoder's thread.
struct Watcher {
    settings: MotionSettings,
    /// The stream that is looked at, and the one of the last picture.
    view: Arc<AtomicU32>,
    last_view: u32,
    /// The last sample said that something moves.
    active: bool,
    detector: Detector,
    small: Small,
    interval_us: i64,
    next_us: i64,
    album: Album,
    sights: mpsc::Sender<Sight>,
}

impl Watcher {
    fn new(settings: &MotionSettings, sights: mpsc::Sender<Sight>, view: Arc<AtomicU32>) -> Self {
        let rate = f64::from(settings.pictures_per_second.clamp(0.5, 30.0));
        Self {
            settings: settings.clone(),
            view,
            last_view: 0,
            active: false,
            detector: Detector::new(settings),
            small: Small::default(),
            // A little less, so that every third picture of 15 per second is not missed by a rounding error.
            interval_us: (950_000.0 / rate) as i64,
            next_us: i64::MIN,
            album: Album::default(),
            sights,
        }
    }

    fn see(&mut self, sample: &gst::Sample) {
        let Some(buffer) = sample.buffer() else { return };
        let Some(pts_us) = buffer.pts().and_then(|pts| i64::try_from(pts.useconds()).ok()) else { return };
        let view = self.view.load(Ordering::SeqCst);
        if view != self.last_view {
            self.last_view = view;
            self.begin(pts_us);
        }
        if pts_us < self.next_us && self.next_us - pts_us < 10_000_000 {
            return;
        }
        let Some(info) = sample.caps().and_then(|caps| gstreamer_video::VideoInfo::from_caps(caps).ok()) else {
            return;
        };
        // The first plane of every format that an 8-bit decoder gives is brightness.
        if info.format_info().depth().first() != Some(&8) || info.is_rgb() {
            return;
        }
        let Ok(frame) = gstreamer_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info) else { return };
        let (Ok(data), Some(&stride)) = (frame.plane_data(0), frame.plane_stride().first()) else { return };
        let Ok(stride) = usize::try_from(stride) else { return };
        self.next_us = pts_us + self.interval_us;
        let plane = Plane { data, stride, width: frame.width() as usize, height: frame.height() as usize };
        shrink(plane, &mut self.small);
        let verdict = self.detector.look(&self.small, pts_us);
        if let Some(how) = verdict.tamper {
            self.send(Sight::Tampered(how));
        }
        let take = || Snapshot::take(&Decoded { luma: plane, chroma: chroma(&frame) });
        if let Some(picture) = self.album.see(pts_us, verdict.active, verdict.score, take) {
            self.send(Sight::Picture(picture));
        }
        let Verdict { score, area, active, zones, heat, .. } = verdict;
        self.active = active;
        self.send(Sight::Sample(MotionSample { pts_us, score, active, area, zones, heat }));
    }

    /// Another stream: other noise, perhaps another part of the scene. What was going on is over.
    fn begin(&mut self, pts_us: i64) {
        self.detector = Detector::new(&self.settings);
        self.album = Album::default();
        self.next_us = i64::MIN;
        if std::mem::take(&mut self.active) {
            self.send(Sight::Sample(MotionSample { pts_us, ..MotionSample::default() }));
        }
    }

    fn send(&self, sight: Sight) {
        // Full: the worker's loop is behind; the next verdict says what this one would have.
        let _ = self.sights.try_send(sight);
    }
}

/// The colour planes, where there are two of 8 bits.
fn chroma<'a>(frame: &'a gstreamer_video::VideoFrameRef<&gst::BufferRef>) -> Option<[Plane<'a>; 2]> {
    let info = frame.format_info();
    if !info.is_yuv() || frame.n_planes() != 3 {
        return None;
    }
    let plane = |index: u32| {
        let data = frame.plane_data(index).ok()?;
        let stride = usize::try_from(*frame.plane_stride().get(index as usize)?).ok()?;
        let (width, height) = (frame.comp_width(index) as usize, frame.comp_height(index) as usize);
        Some(Plane { data, stride, width, height })
    };
    Some([plane(1)?, plane(2)?])
}

fn load() -> Result<(), EyesError> {
    let folder = PLUGIN_FOLDERS
        .iter()
        .find(|folder| std::path::Path::new(folder).join(PLUGINS[0]).exists())
        .ok_or_else(|| EyesError(format!("no GStreamer plugins in {}", PLUGIN_FOLDERS.join(", "))))?;
    gst::init().map_err(|e| EyesError(e.to_string()))?;
    for plugin in PLUGINS {
        gst::Plugin::load_file(format!("{folder}/{plugin}")).map_err(|e| EyesError(e.to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "eyes_tests.rs"]
mod tests;
