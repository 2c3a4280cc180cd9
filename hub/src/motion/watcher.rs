//! Scales the decoder's pictures down and asks the detector; on the decoder's thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer_video::VideoFrameExt;
use tokio::sync::{Notify, mpsc};

use super::eyes::Sight;
use super::ration::{Motion, Use, interval_us};
use super::scale::{Plane, Small, shrink};
use super::thumbnail::{Album, Decoded, Snapshot};
use super::{Detector, MotionSettings, Verdict};
use crate::source::{MotionSample, Tamper};

/// Pictures that are wanted of the decoder at a time; it holds back far fewer.
const MAX_WISHES: usize = 512;

/// A picture that is wanted of the decoder.
#[derive(Clone, Copy, Debug)]
struct Wish {
    /// Its time as the decoder has it, which only goes forward.
    decoder_us: i64,
    /// Its time.
    pts_us: i64,
    as_what: Use,
}

/// What the two threads share.
#[derive(Debug, Default)]
pub(super) struct Desk {
    wishes: Mutex<VecDeque<Wish>>,
    /// Counts up with every stream that is looked at.
    pub(super) view: AtomicU32,
    /// Pictures that the decoder gave.
    pub(super) given: AtomicU64,
    /// Wanted ones that came to the detector, or that are `unfit`.
    pub(super) looked: AtomicU64,
    /// A picture is just being looked at.
    looking: AtomicBool,
    /// The last wanted one is of a kind that can't be looked at.
    pub(super) unfit: AtomicBool,
    /// Something was seen that can't wait until somebody asks.
    pub(super) news: Notify,
}

impl Desk {
    /// The picture of this time is wanted.
    pub(super) fn wish(&self, decoder_us: i64, pts_us: i64, as_what: Use) {
        let mut wishes = self.wishes();
        // With B-frames a picture is sent before others that show earlier.
        let place = wishes.iter().rposition(|wish| wish.decoder_us < decoder_us).map_or(0, |before| before + 1);
        wishes.insert(place, Wish { decoder_us, pts_us, as_what });
        if wishes.len() > MAX_WISHES {
            wishes.pop_front();
        }
    }

    /// What is on its way is not looked at any more, and the detector starts anew.
    pub(super) fn begin_anew(&self) {
        self.clear();
        self.view.fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing is wanted any more.
    pub(super) fn clear(&self) {
        self.wishes().clear();
    }

    /// Nothing waits for the decoder, and what it gave has been looked at.
    #[cfg(test)]
    pub(super) fn is_clear(&self) -> bool {
        // In this order: who looks says so before the wish is taken.
        self.wishes().is_empty() && !self.looking.load(Ordering::SeqCst)
    }

    /// The wish for the picture of this time; those before it did not come true.
    fn take(&self, decoder_us: i64) -> Option<Wish> {
        let mut wishes = self.wishes();
        while wishes.front().is_some_and(|wish| wish.decoder_us < decoder_us) {
            wishes.pop_front();
        }
        wishes.pop_front_if(|wish| wish.decoder_us == decoder_us)
    }

    fn wishes(&self) -> MutexGuard<'_, VecDeque<Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the pictures that are wanted.
pub(super) struct Watcher {
    settings: MotionSettings,
    desk: Arc<Desk>,
    view: u32,
    /// The last sample said that something moves.
    active: bool,
    detector: Detector,
    small: Small,
    /// Not before this time.
    next_us: i64,
    album: Album,
    /// Tampering that the worker's loop had no room for.
    untold: Option<Tamper>,
    sights: mpsc::Sender<Sight>,
}

impl Watcher {
    pub(super) fn new(settings: &MotionSettings, sights: mpsc::Sender<Sight>, desk: Arc<Desk>) -> Self {
        Self {
            settings: settings.clone(),
            desk,
            view: 0,
            active: false,
            detector: Detector::new(settings),
            small: Small::default(),
            next_us: i64::MIN,
            album: Album::default(),
            untold: None,
            sights,
        }
    }

    pub(super) fn see(&mut self, sample: &gst::Sample) {
        self.desk.looking.store(true, Ordering::SeqCst);
        self.look(sample);
        self.desk.looking.store(false, Ordering::SeqCst);
    }

    fn look(&mut self, sample: &gst::Sample) {
        self.desk.given.fetch_add(1, Ordering::Relaxed);
        let Some(buffer) = sample.buffer() else { return };
        let Some(decoder_us) = buffer.pts().and_then(|pts| i64::try_from(pts.useconds()).ok()) else { return };
        let Some(Wish { pts_us, as_what, .. }) = self.desk.take(decoder_us) else { return };
        let view = self.desk.view.load(Ordering::SeqCst);
        if view != self.view {
            self.view = view;
            self.begin(pts_us);
        }
        // With B-frames more is wanted than is looked at; a trial and what comes after it are always far enough apart.
        if pts_us < self.next_us && self.next_us - pts_us < 10_000_000 {
            return;
        }
        let Some(info) = sample.caps().and_then(|caps| gstreamer_video::VideoInfo::from_caps(caps).ok()) else {
            return;
        };
        // The first plane of every format that an 8-bit decoder gives is brightness.
        let unfit = info.format_info().depth().first() != Some(&8) || info.is_rgb();
        self.desk.unfit.store(unfit, Ordering::Relaxed);
        if unfit {
            self.desk.looked.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Ok(frame) = gstreamer_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info) else { return };
        let (Ok(data), Some(&stride)) = (frame.plane_data(0), frame.plane_stride().first()) else { return };
        let Ok(stride) = usize::try_from(stride) else { return };
        let plane = Plane { data, stride, width: frame.width() as usize, height: frame.height() as usize };
        shrink(plane, &mut self.small);
        self.desk.looked.fetch_add(1, Ordering::Relaxed);
        let verdict = match as_what {
            Use::Try => {
                // What the detector learns of a suspicious picture is forgotten: it comes again, in its place.
                let mut trial = self.detector.clone();
                let verdict = trial.look(&self.small, pts_us);
                if verdict.is_suspicious() {
                    self.send(Sight::Suspicion { pts_us });
                    return;
                }
                self.detector = trial;
                verdict
            }
            Use::Look | Use::Reference => self.detector.look(&self.small, pts_us),
        };
        self.next_us = pts_us.saturating_add(interval_us(self.settings.pictures_per_second));
        // Said once, so it must not get lost; and this thread must not wait for the loop, which may wait for it.
        self.untold = verdict.tamper.or(self.untold);
        self.untold = self.untold.take_if(|how| self.sights.try_send(Sight::Tampered(*how)).is_err());
        if verdict.tamper.is_some() {
            self.desk.news.notify_one();
        }
        let take = || Snapshot::take(&Decoded { luma: plane, chroma: chroma(&frame) });
        if let Some(picture) = self.album.see(pts_us, verdict.active, verdict.score, take) {
            self.send(Sight::Picture(picture));
        }
        let motion = verdict.motion();
        let Verdict { score, area, active, zones, heat, .. } = verdict;
        let quiet = !std::mem::replace(&mut self.active, active) && !active;
        let sample = Sight::Sample(MotionSample { pts_us, score, active, area, zones, heat }, motion);
        if quiet {
            self.leave(sample);
        } else {
            self.send(sample);
        }
    }

    /// Another stream: other noise, perhaps another part of the scene. What was going on is over.
    fn begin(&mut self, pts_us: i64) {
        self.detector = Detector::new(&self.settings);
        self.album = Album::default();
        self.next_us = i64::MIN;
        if std::mem::take(&mut self.active) {
            self.send(Sight::Sample(MotionSample { pts_us, ..MotionSample::default() }, Motion::None));
        }
    }

    fn send(&self, sight: Sight) {
        self.leave(sight);
        self.desk.news.notify_one();
    }

    /// For whoever looks next: being woken for each "nothing moves" costs as much as the detector.
    fn leave(&self, sight: Sight) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Grey, with a grid; a multiple of four wide, as GStreamer keeps its rows.
    fn sample(at_us: i64, light: u8) -> gst::Sample {
        let pixels: Vec<u8> = (0..320 * 180).map(|at| if at % 320 % 40 < 20 { 60 } else { 110 } + light).collect();
        let mut buffer = gst::Buffer::from_mut_slice(pixels);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_useconds(at_us as u64));
        let caps = gst::Caps::builder("video/x-raw").field("format", "GRAY8").field("width", 320i32);
        let caps = caps.field("height", 180i32).field("framerate", gst::Fraction::new(5, 1)).build();
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    #[test]
    fn a_key_frame_on_trial_in_another_light_is_looked_back_at() {
        gst::init().unwrap();
        let (sights, mut seen) = mpsc::channel(100);
        let desk = Arc::new(Desk::default());
        let mut watcher = Watcher::new(&MotionSettings::default(), sights, desk.clone());
        let mut show = |number: i64, light, as_what| {
            let at_us = number * 2_000_000;
            desk.wish(at_us, at_us, as_what);
            watcher.see(&sample(at_us, light));
            let mut told = Vec::new();
            while let Ok(sight) = seen.try_recv() {
                told.push(matches!(sight, Sight::Suspicion { pts_us } if pts_us == at_us));
            }
            told
        };
        for number in 1..5 {
            assert_eq!(show(number, 0, Use::Look), [false]);
        }
        assert_eq!(show(5, 0, Use::Try), [false], "nothing differs");
        // Whether a lamp was switched on or somebody came with it is to be seen between the two key frames.
        assert_eq!(show(6, 60, Use::Try), [true]);
        assert_eq!(show(7, 0, Use::Try), [false], "what was on trial is forgotten");
    }

    #[test]
    fn wishes_that_never_come_true_do_not_pile_up() {
        let desk = Desk::default();
        for wish in 0..2_000 {
            desk.wish(wish, wish, Use::Look);
        }
        assert_eq!(desk.wishes().len(), MAX_WISHES);
        assert!(desk.take(1_999).is_some() && desk.is_clear(), "the latest ones are kept");
    }
}
