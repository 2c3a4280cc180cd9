//! Decodes a camera's access units and lets the detector look at some of the pictures. Runs in the worker process.
//!
//! The [`ration`](super::ration) says what is decoded, GStreamer decodes on its own thread, the [`watcher`](super::watcher) looks.
//! The queue before the decoder is short: when decoding can't keep up, units are left out up to the next key frame. If it fails or
//! hangs, the video goes on without motion detection, and [`Eyes::trouble`] says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use tokio::sync::mpsc;

use super::MotionSettings;
use super::ration::{Order, Portion, Ration, Unit, Use};
use super::unfiltered::Unfiltered;
use super::watcher::{Desk, Watcher};
use crate::motion::Decode;
use crate::source::{Format, MotionSample, Picture, Tamper};

/// Units that may wait for the decoder: a look back at two groups, and what comes meanwhile.
const MAX_WAITING: u64 = 200;
/// A decoder that gave nothing for so long, although units wait, hangs.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// The decoder's clock begins here, so that no picture's time is negative there.
const DECODER_START_US: i64 = 10_000_000;
/// What may wait for the worker's loop.
const MAX_SIGHTS: usize = 64;
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
    /// A key frame on trial differs from what was before: for [`Eyes::suspect`], not for the hub.
    Suspicion { pts_us: i64 },
}

/// Decoder and detector.
pub(crate) struct Eyes {
    pipeline: gst::Pipeline,
    source: AppSrc,
    decoders: Decoders,
    /// Whose parser and decoder are in the pipeline.
    linked: Option<&'static str>,
    sights: Option<mpsc::Receiver<Sight>>,
    undecoded: u64,
    state: State,
    settings: MotionSettings,
    portion: Portion,
    /// Takes the loop filter out of H.264.
    unfiltered: Option<Unfiltered>,
    ration: Ration,
    orders: Vec<Order>,
    desk: Arc<Desk>,
    /// The decoder's time less the picture's: a look back goes on at the decoder.
    shift_us: i64,
    highest_us: i64,
    /// Pictures that the decoder had given when it was last seen to give any.
    given: (u64, Option<Instant>),
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
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, &sink]).map_err(failed("pipeline"))?;

        let source: AppSrc = source.downcast().map_err(|_| EyesError("appsrc is none".into()))?;
        let sink: AppSink = sink.downcast().map_err(|_| EyesError("appsink is none".into()))?;
        let (sights, receiver) = mpsc::channel(MAX_SIGHTS);
        let desk = Arc::new(Desk::default());
        let mut watcher = Watcher::new(settings, sights, desk.clone());
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
            sights: Some(receiver),
            undecoded: 0,
            state: State::Idle,
            settings: settings.clone(),
            portion: Portion::Whole,
            unfiltered: None,
            ration: Ration::new(Portion::Whole, settings.pictures_per_second),
            orders: Vec::new(),
            desk,
            shift_us: DECODER_START_US,
            highest_us: i64::MIN,
            given: (0, None),
        })
    }

    /// Where comes out what was seen; once.
    pub(crate) fn sights(&mut self) -> Option<mpsc::Receiver<Sight>> {
        self.sights.take()
    }

    /// The units that follow are in this format, and so much of them is decoded, unless the settings say otherwise.
    pub(crate) fn set_format(&mut self, format: &Format, portion: Portion) {
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
        let caps = gst::Caps::builder(media)
            .field("stream-format", stream_format)
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(format.avcc.clone()))
            .field("width", i32::try_from(format.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(format.height).unwrap_or(i32::MAX))
            .build();
        // Before linking: a source that has other caps links to nothing else.
        self.source.set_caps(Some(&caps));
        if self.linked != Some(media) && self.link(media).is_err() {
            self.state = State::Broken;
            return;
        }
        self.unfiltered = if media == H264 { Unfiltered::new(&format.avcc) } else { None };
        self.portion = match self.settings.expert.decode {
            Some(Decode::All) => Portion::Whole,
            Some(Decode::KeyFrames) => Portion::KeyFrames,
            None => portion,
        };
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
            self.desk.clear();
            self.desk.view.fetch_add(1, Ordering::SeqCst);
            // Also gives back the pictures that the decoder holds.
            if self.pipeline.set_state(gst::State::Null).is_err() {
                self.state = State::Broken;
            }
        }
    }

    /// The next unit of the stream; the decoder gets it if the ration says so.
    pub(crate) fn look(&mut self, data: Bytes, key: bool, disposable: bool, pts_us: i64) {
        match self.state {
            State::WaitingForKey if key => {
                self.state = State::Decoding;
                self.ration = Ration::new(self.portion, self.settings.pictures_per_second);
            }
            State::Decoding => {}
            _ => {
                self.undecoded += 1;
                return;
            }
        }
        let mut orders = std::mem::take(&mut self.orders);
        self.ration.take(Unit { data, key, disposable, pts_us }, &mut orders);
        self.decode(&mut orders);
        self.orders = orders;
    }

    /// The detector looked at the picture of this time.
    pub(crate) fn saw(&mut self, pts_us: i64, active: bool) {
        self.ration.saw(pts_us, active);
    }

    /// The key frame of this time differs from what was before it.
    pub(crate) fn suspect(&mut self, pts_us: i64) {
        if self.state == State::Decoding {
            let mut orders = std::mem::take(&mut self.orders);
            self.ration.suspect(pts_us, &mut orders);
            self.decode(&mut orders);
            self.orders = orders;
        }
    }

    /// Units that should have been decoded and were not.
    pub(crate) fn undecoded(&self) -> u64 {
        self.undecoded
    }

    /// What an owner should know.
    pub(crate) fn trouble(&mut self, now: Instant) -> Option<&'static str> {
        let given = self.desk.given.load(Ordering::Relaxed);
        let waits = self.state == State::Decoding && self.source.current_level_buffers() > 0;
        let (before, since) = &mut self.given;
        if given != *before || !waits {
            (*before, *since) = (given, None);
        }
        let hangs = waits && now.duration_since(*since.get_or_insert(now)) > HANGS_AFTER;
        match self.state {
            State::Broken => Some("no motion detection: the decoder gave up; restart the hub"),
            _ if hangs => Some("no motion detection: the decoder hangs; the video goes on without it"),
            _ if self.ration.is_long() => Some(
                "key frames are so far apart that all pictures are decoded to find motion, which costs many times more: \
                 set the camera's I-frame interval to 2 s, switch off H.264+/Smart codec, or give the hub a sub_url",
            ),
            _ => None,
        }
    }

    fn decode(&mut self, orders: &mut Vec<Order>) {
        if self.source.current_level_buffers() > MAX_WAITING {
            self.undecoded += orders.len() as u64;
            self.state = State::WaitingForKey;
            orders.clear();
        }
        for Order { unit, as_what } in orders.drain(..) {
            let mut decoder_us = unit.pts_us.saturating_add(self.shift_us);
            if unit.key && decoder_us <= self.highest_us {
                self.shift_us = self.shift_us.saturating_add(self.highest_us - decoder_us + 1_000_000);
                decoder_us = unit.pts_us.saturating_add(self.shift_us);
            }
            self.highest_us = self.highest_us.max(decoder_us);
            if as_what != Use::Reference {
                self.desk.wish(decoder_us, unit.pts_us, as_what);
            }
            let data = match &mut self.unfiltered {
                Some(unfiltered) => unfiltered.unit(&unit.data),
                None => unit.data,
            };
            let mut buffer = gst::Buffer::from_slice(data);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(u64::try_from(decoder_us).ok().map(gst::ClockTime::from_useconds));
                if !unit.key {
                    buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
            }
            if self.source.push_buffer(buffer).is_err() {
                return self.recover();
            }
        }
    }

    /// After a decoder's error the pipeline refuses everything until it is restarted.
    fn recover(&mut self) {
        self.undecoded += 1;
        self.desk.clear();
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

pub(super) fn load() -> Result<(), EyesError> {
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
