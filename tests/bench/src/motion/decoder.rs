//! Decodes films as the hub does: one thread, one picture out for each unit in.

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use gstreamer_video::VideoFrameExt;
use privet_demo::Trouble;
use privet_hub::motion::Unfiltered;
use privet_hub::motion::scale::Plane;
use privet_raw_camera::clip::annex_b;
use rustix::time::{ClockId, clock_gettime};

use super::film::{Unit, ends, time};

/// `avdec_h264`, as the hub sets it up.
pub struct Decoder {
    pipeline: gst::Pipeline,
    source: AppSrc,
    sink: AppSink,
    /// Units given so far: the decoder's own time goes on when a film is looked back at.
    given: usize,
    /// Takes the loop filter out of frames.
    unfiltered: Unfiltered,
    /// Processor seconds spent on decoding.
    pub cpu_s: f64,
}

impl Decoder {
    /// A decoder that waits for a key frame.
    ///
    /// # Errors
    /// [`Trouble`] when GStreamer lacks a part.
    pub fn open() -> Result<Self, Trouble> {
        let text = "appsrc name=in is-live=true format=time max-bytes=0 \
                    caps=video/x-h264,stream-format=byte-stream,alignment=au \
                    ! avdec_h264 std-compliance=normal max-threads=1 ! appsink name=out sync=false";
        let pipeline = gst::parse::launch(text).map_err(|e| Trouble::new(format!("avdec_h264: {e}")))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| Trouble::new("no pipeline"))?;
        let (source, sink) = ends(&pipeline)?;
        pipeline.set_state(gst::State::Playing).map_err(|e| Trouble::new(format!("avdec_h264: {e}")))?;
        Ok(Self { pipeline, source, sink, given: 0, unfiltered: Unfiltered::default(), cpu_s: 0.0 })
    }

    /// The frame as the hub has it decoded on trial: without the loop filter, if it is a key frame.
    pub fn unfiltered(&mut self, unit: &Unit) -> Unit {
        // As it comes from a camera's worker.
        let lengths: Bytes =
            annex_b(&unit.data).flat_map(|nal| [&(nal.len() as u32).to_be_bytes(), nal].concat()).collect();
        let before = cpu_s();
        let rewritten = self.unfiltered.unit(&lengths);
        self.cpu_s += cpu_s() - before;
        Unit { key: unit.key, data: with_start_codes(&rewritten) }
    }

    /// Decodes the `n`-th frame and shows its brightness.
    ///
    /// # Errors
    /// [`Trouble`] when no picture comes out.
    pub fn show<T>(&mut self, n: usize, unit: &Unit, look: impl FnOnce(Plane<'_>) -> T) -> Result<T, Trouble> {
        let before = cpu_s();
        self.given += 1;
        let at = time(self.given);
        let mut buffer = gst::Buffer::from_slice(unit.data.clone());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(at);
            if !unit.key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        self.source.push_buffer(buffer).map_err(|e| Trouble::new(format!("avdec_h264: {e}")))?;
        let nothing = || Trouble::new(format!("avdec_h264 gave no picture for frame {n}"));
        let sample = self.sink.try_pull_sample(gst::ClockTime::from_seconds(20)).ok_or_else(nothing)?;
        self.cpu_s += cpu_s() - before;
        let info =
            sample.caps().and_then(|caps| gstreamer_video::VideoInfo::from_caps(caps).ok()).ok_or_else(nothing)?;
        let buffer = sample.buffer().filter(|buffer| buffer.pts() == Some(at)).ok_or_else(nothing)?;
        let frame = gstreamer_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).map_err(|_| nothing())?;
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let data = frame.plane_data(0).map_err(|_| nothing())?;
        let stride = frame.plane_stride().first().and_then(|&s| usize::try_from(s).ok()).ok_or_else(nothing)?;
        Ok(look(Plane { data, stride, width, height }))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// NAL units with 4-byte lengths as a decoder takes them without a configuration record.
fn with_start_codes(mut unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    while let Some((length, rest)) = unit.split_first_chunk::<4>() {
        let (nal, rest) = rest.split_at((u32::from_be_bytes(*length) as usize).min(rest.len()));
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
        unit = rest;
    }
    out
}

/// Processor seconds that this process has used, all threads together.
pub fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
