//! Decodes a camera's access units and lets the detector look at some of the pictures. Runs in the worker process.
//!
//! The [`ration`](super::ration) says what is decoded, GStreamer decodes on its own thread, the [`watcher`](super::watcher) looks.
//! The queue before the decoder is short: when decoding can't keep up, units are left out up to the next key frame. What goes
//! wrong with it, the [`watchdog`](super::watchdog) finds: it is started anew, and when that does not help, or it hangs,
//! [`Eyes::trouble`] says that it is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use tokio::sync::mpsc;

use super::MotionSettings;
use super::ration::{Motion, Order, Portion, Ration, Unit, Use};
use super::unfiltered::Unfiltered;
use super::watchdog::{Finding, Progress, Watchdog};
use super::watcher::{Desk, Watcher};
use crate::motion::Decode;
use crate::source::{Format, MotionSample, Picture, Tamper};

/// Units that may wait for the decoder: a look back at two groups, and what comes meanwhile.
const MAX_WAITING: u64 = 200;
/// Their bytes.
const MAX_WAITING_BYTES: u64 = 32 << 20;
/// A picture of a whole stream that shows so much before the latest one does not come from reordering: the stream was placed
/// anew on the time.
const BACK_US: i64 = 1_500_000;
/// The decoder's clock begins here, so that no picture's time is negative there.
const DECODER_START_US: i64 = 10_000_000;
/// What may wait for the worker's loop.
const MAX_SIGHTS: usize = 64;
/// From this width on a key frame on trial is decoded without the loop filter. One of the detector's pixels is then at least seven of
/// the picture's wide. At the edge of a block the filter takes from one side what it gives to the other, which a mean of so many
/// pixels hardly sees; of a smaller picture it is the mean of one side, and there is little to be saved.
const UNFILTERED_FROM: u32 = 1280;
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
const PLUGINS: &[&str] = &["libgstcoreelements.so", "libgstapp.so", "libgstlibav.so"];

/// The decoder can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EyesError(String);

/// What comes out.
#[derive(Debug)]
pub(crate) enum Sight {
    /// The detector's word about one picture, for the hub and for [`Eyes::saw`].
    Sample(MotionSample, Motion),
    /// The view was taken away.
    Tampered(Tamper),
    /// A picture of an activity.
    Picture(Picture),
    /// A key frame on trial differs from what was before: for [`Eyes::suspect`], not for the hub.
    Suspicion { pts_us: i64 },
}

/// What an owner should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It goes on as well as it can.
    Told(&'static str),
    /// Nothing will be looked at any more in this process.
    Over(&'static str),
}

/// Decoder and detector.
pub(crate) struct Eyes {
    pipeline: gst::Pipeline,
    /// Of H.264 and of H.265; at most one of them is in the pipeline.
    chains: [Chain; 2],
    sink: gst::Element,
    /// Which one is.
    linked: Option<usize>,
    /// Of the chain that is.
    source: AppSrc,
    sights: Option<mpsc::Receiver<Sight>>,
    undecoded: u64,
    state: State,
    settings: MotionSettings,
    portion: Portion,
    /// Takes the loop filter out of key frames on trial.
    unfiltered: Option<Unfiltered>,
    ration: Ration,
    orders: Vec<Order>,
    desk: Arc<Desk>,
    /// The decoder's time less the picture's: a look back goes on at the decoder.
    shift_us: i64,
    highest_us: i64,
    /// The latest unit's time, as it came.
    latest_us: i64,
    watchdog: Watchdog,
    /// Units given to the decoder.
    pushed: u64,
    /// Pictures that were wanted of it.
    wished: u64,
}

/// What one codec needs. A source of its own, because what it was told of one codec keeps it from linking to the other. No parser:
/// units come whole, with the parameters beside them.
struct Chain {
    media: &'static str,
    source: AppSrc,
    decoder: gst::Element,
}

impl Chain {
    fn new(media: &'static str, decoder: &'static str) -> Result<Self, EyesError> {
        let source = make("appsrc")?;
        // Without these two a decoder holds back up to four pictures (measured: 272 ms at 15 fps).
        source.set_property("is-live", true);
        let decoder = make(decoder)?;
        decoder.set_property_from_str("std-compliance", "normal");
        decoder.set_property("max-threads", 1i32);
        source.set_property_from_str("format", "time");
        source.set_property("max-bytes", 0u64);
        source.set_property("max-buffers", MAX_WAITING * 2);
        let source: AppSrc = source.downcast().map_err(|_| EyesError("appsrc is none".into()))?;
        Ok(Self { media, source, decoder })
    }

    fn elements(&self) -> [&gst::Element; 2] {
        [self.source.upcast_ref(), &self.decoder]
    }
}

fn make(element: &'static str) -> Result<gst::Element, EyesError> {
    gst::ElementFactory::make(element).build().map_err(failed(element))
}

fn failed(what: &'static str) -> impl Fn(gst::glib::BoolError) -> EyesError {
    move |e| EyesError(format!("{what}: {}", e.message))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No format yet, or one that can't be decoded.
    Idle,
    /// Units are left out until a key frame.
    WaitingForKey,
    Decoding,
    /// The decoder can't be had.
    Broken,
    /// It goes on and on without a picture that can be looked at.
    Useless,
    /// It hangs; whoever asks it for anything waits for ever.
    Hangs,
}

impl Eyes {
    /// Loads the libraries and builds the pipeline; before the sandbox closes.
    pub(crate) fn open(settings: &MotionSettings) -> Result<Self, EyesError> {
        load()?;
        // Which one is needed is known only when the sandbox is closed.
        let chains = [Chain::new(H264, "avdec_h264")?, Chain::new(H265, "avdec_h265")?];
        let sink = make("appsink")?;
        sink.set_property("sync", false);
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink).map_err(failed("pipeline"))?;

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
        Ok(Self {
            pipeline,
            source: chains[0].source.clone(),
            chains,
            sink: sink.upcast(),
            linked: None,
            sights: Some(receiver),
            undecoded: 0,
            state: State::Idle,
            settings: settings.clone(),
            portion: Portion::Whole,
            unfiltered: None,
            ration: Ration::new(Portion::Whole, settings),
            orders: Vec::new(),
            desk,
            shift_us: DECODER_START_US,
            highest_us: i64::MIN,
            latest_us: i64::MIN,
            watchdog: Watchdog::default(),
            pushed: 0,
            wished: 0,
        })
    }

    /// Where comes out what was seen; once. That nothing moves, still, is there without anybody being woken.
    pub(crate) fn sights(&mut self) -> Option<mpsc::Receiver<Sight>> {
        self.sights.take()
    }

    /// Waits until something is among the sights that can't wait. May be dropped.
    pub(crate) async fn news(&self) {
        self.desk.news.notified().await;
    }

    /// The units that follow are in this format, and so much of them is decoded, unless the settings say otherwise.
    pub(crate) fn set_format(&mut self, format: &Format, portion: Portion) {
        if self.is_over() {
            return;
        }
        let (index, stream_format) = match format.codec.get(..4) {
            Some("avc1") => (0, "avc"),
            Some("hvc1") => (1, "hvc1"),
            Some("hev1") => (1, "hev1"),
            _ => {
                self.state = State::Idle;
                return;
            }
        };
        let caps = gst::Caps::builder(self.chains[index].media)
            .field("stream-format", stream_format)
            .field("alignment", "au")
            .field("codec_data", gst::Buffer::from_slice(format.avcc.clone()))
            .field("width", i32::try_from(format.width).unwrap_or(i32::MAX))
            .field("height", i32::try_from(format.height).unwrap_or(i32::MAX))
            .build();
        if self.linked != Some(index) && !self.unlink() {
            return;
        }
        // Before linking, which asks the source what it will send.
        self.chains[index].source.set_caps(Some(&caps));
        if self.linked.is_none() && self.link(index).is_err() {
            self.state = State::Broken;
            return;
        }
        let is_large_h264 = self.chains[index].media == H264 && format.width >= UNFILTERED_FROM;
        self.unfiltered = if is_large_h264 { Unfiltered::new(&format.avcc) } else { None };
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

    /// Takes the other codec's chain out. False when that can't be done.
    fn unlink(&mut self) -> bool {
        let Some(old) = self.linked else { return true };
        if !self.stop() {
            return false;
        }
        // The pipeline does not stop what is not in it any more; what is removed also loses its links.
        if self.pipeline.remove_many(self.chains[old].elements()).is_err() {
            self.state = State::Broken;
            return false;
        }
        self.linked = None;
        true
    }

    /// Puts this codec's chain before the sink.
    fn link(&mut self, index: usize) -> Result<(), gst::glib::BoolError> {
        let chain = &self.chains[index];
        let [source, decoder] = chain.elements();
        self.pipeline.add_many([source, decoder])?;
        gst::Element::link_many([source, decoder, &self.sink])?;
        self.source = chain.source.clone();
        self.linked = Some(index);
        Ok(())
    }

    /// What follows is of another stream: what is on its way is not looked at any more, and the detector starts anew.
    pub(crate) fn look_elsewhere(&mut self) {
        if !self.is_over() {
            self.state = State::Idle;
            self.desk.begin_anew();
            // Also gives back the pictures that the decoder holds.
            self.stop();
        }
    }

    /// The next unit of the stream; the decoder gets it if the ration says so.
    pub(crate) fn look(&mut self, data: Bytes, key: bool, disposable: bool, pts_us: i64) {
        match self.state {
            State::WaitingForKey if key => {
                self.state = State::Decoding;
                self.latest_us = i64::MIN;
                self.ration = Ration::new(self.portion, &self.settings);
            }
            State::Decoding => {}
            _ => {
                self.undecoded += 1;
                return;
            }
        }
        if self.portion == Portion::Whole && self.latest_us > pts_us.saturating_add(BACK_US) {
            // Else nothing would be looked at until the time is again what it was.
            self.desk.begin_anew();
            self.ration = Ration::new(self.portion, &self.settings);
            // The decoder's clock goes on.
            self.shift_us = self.shift_us.saturating_add(self.latest_us - pts_us + 40_000);
            self.latest_us = i64::MIN;
        }
        self.latest_us = self.latest_us.max(pts_us);
        let mut orders = std::mem::take(&mut self.orders);
        self.ration.take(Unit { data, key, disposable, pts_us }, &mut orders);
        self.decode(&mut orders);
        self.orders = orders;
    }

    /// The detector looked at the picture of this time.
    pub(crate) fn saw(&mut self, pts_us: i64, motion: Motion) {
        self.ration.saw(pts_us, motion);
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

    /// What an owner should know. To be asked a few times a second: it also looks after the decoder.
    pub(crate) fn trouble(&mut self, now: Instant) -> Option<Trouble> {
        if !self.is_over() {
            self.look_after(now);
        }
        match self.state {
            State::Broken => Some(Trouble::Over("can't be set up for this stream")),
            State::Useless => Some(Trouble::Over("gives no picture of this stream")),
            State::Hangs => Some(Trouble::Over("hangs")),
            _ if self.desk.unfit.load(Ordering::Relaxed) => Some(Trouble::Told(
                "no motion detection: the camera sends pictures of more than 8 bits; set its codec to H.264, or to H.265 of 8 \
                 bits (Main, not Main 10)",
            )),
            _ if self.ration.is_long() => Some(Trouble::Told(
                "key frames are so far apart that all pictures are decoded to find motion, which costs many times more: \
                 set the camera's I-frame interval to 2 s, switch off H.264+/Smart codec, or give the hub a sub_url",
            )),
            _ => None,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Broken | State::Useless | State::Hangs)
    }

    fn look_after(&mut self, now: Instant) {
        let waiting = self.source.current_level_buffers();
        let given = self.desk.given.load(Ordering::Relaxed);
        let finding = self.watchdog.look(
            Progress {
                waiting,
                done: self.pushed.saturating_sub(waiting).saturating_add(given),
                wished: self.wished,
                looked: self.desk.looked.load(Ordering::Relaxed),
            },
            now,
        );
        // Also takes away what nobody reads: nothing bounds the bus.
        let error = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match finding {
            Finding::Hangs => self.state = State::Hangs,
            Finding::Useless => self.state = State::Useless,
            Finding::LostItsWay => self.recover(),
            Finding::Well if error.is_some() && self.state != State::Idle => self.recover(),
            Finding::Well => {}
        }
    }

    fn decode(&mut self, orders: &mut Vec<Order>) {
        if self.source.current_level_buffers() > MAX_WAITING || self.source.current_level_bytes() > MAX_WAITING_BYTES {
            self.undecoded += orders.len() as u64;
            self.state = State::WaitingForKey;
            orders.clear();
        }
        // Handed over in one piece: the decoder's thread wakes once.
        let mut buffers = gst::BufferList::new_sized(orders.len());
        for Order { unit, as_what } in orders.drain(..) {
            let mut decoder_us = unit.pts_us.saturating_add(self.shift_us);
            if unit.key && decoder_us <= self.highest_us {
                self.shift_us = self.shift_us.saturating_add(self.highest_us - decoder_us + 1_000_000);
                decoder_us = unit.pts_us.saturating_add(self.shift_us);
            }
            self.highest_us = self.highest_us.max(decoder_us);
            if as_what != Use::Reference {
                self.desk.wish(decoder_us, unit.pts_us, as_what);
                self.wished += 1;
            }
            let data = match &mut self.unfiltered {
                // What is looked at is never built on it (see the ration), so nothing drifts. The decoder is the same, and keeps none
                // of it: what follows is decoded as if the trial had not been.
                Some(unfiltered) if as_what == Use::Try => unfiltered.unit(&unit.data),
                _ => unit.data,
            };
            let mut buffer = gst::Buffer::from_slice(data);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(u64::try_from(decoder_us).ok().map(gst::ClockTime::from_useconds));
                if !unit.key {
                    buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
            }
            if let Some(buffers) = buffers.get_mut() {
                buffers.add(buffer);
            }
        }
        let pushed = buffers.len() as u64;
        if pushed > 0 && self.source.push_buffer_list(buffers).is_err() {
            return self.recover();
        }
        self.pushed += pushed;
    }

    /// After a decoder's error the pipeline refuses everything until it is restarted.
    fn recover(&mut self) {
        self.undecoded += 1;
        self.desk.clear();
        // From the very beginning: in between, a decoder keeps what it stumbled over.
        if self.stop() {
            let restarted = self.pipeline.set_state(gst::State::Playing);
            self.state = if restarted.is_ok() { State::WaitingForKey } else { State::Broken };
        }
    }

    /// Stops the pipeline. False, and the state says why, when that can't be done: stopping waits for a decoder that hangs.
    fn stop(&mut self) -> bool {
        if self.watchdog.stalls(Instant::now()) {
            self.state = State::Hangs;
        } else if self.pipeline.set_state(gst::State::Null).is_err() {
            self.state = State::Broken;
        } else {
            return true;
        }
        false
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        if self.state == State::Hangs || !self.stop() {
            // Its thread goes with the process, which has to say first why it ends.
            std::mem::forget(self.pipeline.clone());
        }
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
