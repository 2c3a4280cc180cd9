//! The other end: decodes a film and reads back what the camera burned into it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as app;
use gstreamer_video::{self as video, VideoFrameExt};

use crate::pattern;

/// Why a film can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// GStreamer has no way to read it.
    #[error("can't decode {file}: {cause}")]
    Decode {
        /// The film.
        file: PathBuf,
        /// What GStreamer says.
        cause: String,
    },
    /// There are no more frames.
    #[error("{file} has no more frames")]
    End {
        /// The film.
        file: PathBuf,
    },
}

/// The decoded frames of a film, in the order in which they are shown, as fast as they are asked for.
pub struct Frames {
    file: PathBuf,
    pipeline: gst::Pipeline,
    sink: app::AppSink,
    size: (u32, u32),
    fps: u32,
}

impl Frames {
    /// Opens a film.
    ///
    /// # Errors
    /// [`PictureError::Decode`] when it is no film, or needs a decoder that is not here.
    pub fn open(file: &Path) -> Result<Self, PictureError> {
        let decode = |cause: String| PictureError::Decode { file: file.to_path_buf(), cause };
        gst::init().map_err(|e| decode(e.to_string()))?;
        let pipeline = gst::parse::launch(
            "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=I420 ! appsink name=sink sync=false max-buffers=4",
        )
        .map_err(|e| decode(e.to_string()))?
        .downcast::<gst::Pipeline>()
        .map_err(|_| decode("no pipeline".into()))?;
        if let Some(source) = pipeline.by_name("file") {
            source.set_property("location", file.to_string_lossy().as_ref());
        }
        let sink = pipeline
            .by_name("sink")
            .and_then(|sink| sink.downcast::<app::AppSink>().ok())
            .ok_or_else(|| decode("no sink".into()))?;
        let mut frames = Self { file: file.to_path_buf(), pipeline, sink, size: (0, 0), fps: 15 };
        frames.pipeline.set_state(gst::State::Paused).map_err(|_| decode(frames.cause()))?;
        let first = frames.sink.try_pull_preroll(gst::ClockTime::from_seconds(10));
        let first = first.ok_or_else(|| decode(frames.cause()))?;
        let info = first.caps().and_then(|caps| video::VideoInfo::from_caps(caps).ok());
        let info = info.ok_or_else(|| decode("it holds no pictures".into()))?;
        frames.size = (info.width(), info.height());
        let rate = info.fps();
        if rate.numer() > 0 {
            frames.fps = u32::try_from((rate.numer() + rate.denom() / 2) / rate.denom()).unwrap_or(15).max(1);
        }
        frames.pipeline.set_state(gst::State::Playing).map_err(|_| decode(frames.cause()))?;
        Ok(frames)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Frames a second, rounded.
    pub fn fps(&self) -> u32 {
        self.fps
    }

    /// The next frame, or nothing at the end.
    ///
    /// # Errors
    /// [`PictureError::Decode`] when the film is damaged here.
    pub fn next_frame(&mut self) -> Result<Option<Picture>, PictureError> {
        match self.sink.try_pull_sample(gst::ClockTime::from_seconds(10)) {
            Some(sample) => {
                let buffer = sample.buffer_owned();
                let info = sample.caps().and_then(|caps| video::VideoInfo::from_caps(caps).ok());
                let frame = buffer.zip(info).and_then(|(buffer, info)| {
                    let shown_at = buffer.pts().map(|pts| Duration::from_nanos(pts.nseconds()));
                    let frame = video::VideoFrame::from_buffer_readable(buffer, &info).ok()?;
                    Some(Picture { frame, shown_at: shown_at.unwrap_or_default() })
                });
                frame.map(Some).ok_or_else(|| self.decode_error())
            }
            None if self.sink.is_eos() => Ok(None),
            None => Err(self.decode_error()),
        }
    }

    /// The next frame; after the last one the first.
    ///
    /// # Errors
    /// [`PictureError`] when there is none at all.
    pub fn next_looping(&mut self) -> Result<Picture, PictureError> {
        if let Some(picture) = self.next_frame()? {
            return Ok(picture);
        }
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        self.pipeline.seek_simple(flags, gst::ClockTime::ZERO).map_err(|_| self.decode_error())?;
        self.next_frame()?.ok_or_else(|| PictureError::End { file: self.file.clone() })
    }

    /// Every frame's burned-in number, in the order in which they are shown; `None` for a frame that shows none.
    ///
    /// # Errors
    /// [`PictureError`] when the film can't be decoded whole.
    pub fn numbers(&mut self) -> Result<Vec<Option<u64>>, PictureError> {
        let mut numbers = Vec::new();
        while let Some(picture) = self.next_frame()? {
            numbers.push(picture.number());
        }
        Ok(numbers)
    }

    fn decode_error(&self) -> PictureError {
        PictureError::Decode { file: self.file.clone(), cause: self.cause() }
    }

    fn cause(&self) -> String {
        let error = self.pipeline.bus().and_then(|bus| {
            let message = bus.pop_filtered(&[gst::MessageType::Error])?;
            match message.view() {
                gst::MessageView::Error(e) => Some(e.error().to_string()),
                _ => None,
            }
        });
        error.unwrap_or_else(|| "no frame came within ten seconds".into())
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// One decoded frame.
pub struct Picture {
    frame: video::VideoFrame<video::video_frame::Readable>,
    shown_at: Duration,
}

impl Picture {
    /// When it is shown, from the film's start.
    pub fn shown_at(&self) -> Duration {
        self.shown_at
    }

    /// The number burned into it.
    pub fn number(&self) -> Option<u64> {
        let stride = usize::try_from(*self.frame.plane_stride().first()?).ok()?;
        pattern::read(self.frame.plane_data(0).ok()?, stride, self.frame.width() as usize)
    }

    /// The picture as RGB, row by row, for an image file: width, height, samples.
    pub fn rgb(&self) -> Option<(u32, u32, Vec<u8>)> {
        let (width, height) = (self.frame.width(), self.frame.height());
        let planes = [0, 1, 2].map(|plane| self.frame.plane_data(plane).unwrap_or_default());
        let strides = [0, 1, 2].map(|plane: usize| self.frame.plane_stride().get(plane).map_or(0, |s| *s as usize));
        let mut rgb = Vec::with_capacity((width * height * 3) as usize);
        for y in 0..height as usize {
            for x in 0..width as usize {
                let luma = f32::from(*planes[0].get(y * strides[0] + x)?) - 16.0;
                let u = f32::from(*planes[1].get(y / 2 * strides[1] + x / 2)?) - 128.0;
                let v = f32::from(*planes[2].get(y / 2 * strides[2] + x / 2)?) - 128.0;
                // BT.709, limited range.
                let luma = luma * 1.164;
                rgb.extend([luma + 1.793 * v, luma - 0.213 * u - 0.533 * v, luma + 2.112 * u].map(|c| c as u8));
            }
        }
        Some((width, height, rgb))
    }

    /// Copies a plane into another picture of the same size.
    pub(crate) fn copy_plane(&self, plane: usize, out: &mut [u8], stride: usize, columns: usize, rows: usize) {
        let Ok(samples) = self.frame.plane_data(plane as u32) else { return };
        let own = self.frame.plane_stride().get(plane).map_or(0, |s| *s as usize);
        if own == 0 || stride == 0 {
            return;
        }
        for (from, to) in samples.chunks(own).zip(out.chunks_mut(stride)).take(rows) {
            let columns = columns.min(from.len()).min(to.len());
            to[..columns].copy_from_slice(&from[..columns]);
        }
    }
}
