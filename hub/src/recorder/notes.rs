//! What a clip shows, gathered while it is made: where something moved, in which zones, when most, and a picture of that moment.
//!
//! The worker sends an activity's best picture when the activity ends, which can be after the clip's end: a clip that was cut
//! off waits for it, but not long, and not when it can't come any more. Every clip with a segment gets its notes once.

use std::collections::VecDeque;

use privet_home::{ClipNotes, Thumbnail};
use privet_protocol::id::StreamId;
use privet_protocol::time::Timestamp;
use serde_bytes::ByteBuf;

use super::event::Output;
use super::sighting::names;
use crate::source::{HEAT_FIELDS, MotionSample, Picture};

/// How long the notes of a clip wait for the picture of an activity that goes on, in microseconds.
const PICTURE_WAIT_US: u64 = 15_000_000;

/// Where on the camera's time line something is, and what the clock said then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    /// On the time line, in microseconds.
    pub(super) line_us: i64,
    /// By the wall clock.
    pub(super) wall: Timestamp,
}

/// Writes the notes of one camera's clips.
#[derive(Debug)]
pub(super) struct NoteTaker {
    /// Names of the zones; bit `n` of a verdict is the `n`-th.
    zones: Vec<String>,
    /// A picture with more bytes is left out.
    picture_bytes: usize,
    /// Something moves: a picture is still to come.
    active: bool,
    /// The most of the activity that goes on.
    most: f32,
    /// The picture of an onset that came before its clip.
    early: Option<Shot>,
    writing: Option<Draft>,
    ended: VecDeque<Draft>,
}

/// A clip's notes as far as they are known.
#[derive(Debug)]
struct Draft {
    stream: StreamId,
    from: Instant,
    /// Where it ended; none while it is made.
    until: Option<Instant>,
    /// When it waits no longer, by the monotonic clock.
    due_us: u64,
    heat: Box<[u32; HEAT_FIELDS]>,
    zones: u32,
    /// The strongest verdict and when it was.
    peak: Option<(f32, Timestamp)>,
    onset: Option<Shot>,
    /// The best picture so far, and how strong its activity was.
    best: Option<(f32, Shot)>,
}

#[derive(Clone, Debug)]
struct Shot {
    at: Instant,
    picture: Picture,
}

impl NoteTaker {
    pub(super) fn new(zones: Vec<String>, picture_bytes: usize) -> Self {
        Self { zones, picture_bytes, active: false, most: 0.0, early: None, writing: None, ended: VecDeque::new() }
    }

    /// A clip begins with a picture of `from`.
    pub(super) fn begin(&mut self, stream: StreamId, from: Instant) {
        let onset = self.early.take().filter(|early| early.at.line_us >= from.line_us);
        self.writing = Some(Draft {
            stream,
            from,
            until: None,
            due_us: 0,
            heat: Box::new([0; HEAT_FIELDS]),
            zones: 0,
            peak: None,
            onset,
            best: None,
        });
    }

    /// The detector's verdict about the picture of `at`.
    pub(super) fn sample(&mut self, sample: &MotionSample, at: Instant) {
        self.active = sample.active;
        if !sample.active {
            return;
        }
        self.most = self.most.max(sample.score);
        let Some(draft) = &mut self.writing else { return };
        draft.zones |= sample.zones;
        if let Some(heat) = &sample.heat {
            draft.heat.iter_mut().zip(heat.iter()).for_each(|(sum, field)| *sum = sum.saturating_add((*field).into()));
        }
        if draft.peak.is_none_or(|(most, _)| sample.score > most) {
            draft.peak = Some((sample.score, at.wall));
        }
    }

    /// A picture of an activity, of `at`.
    pub(super) fn picture(&mut self, picture: Picture, at: Instant, out: &mut Vec<Output>) {
        let shot = Shot { at, picture };
        if shot.picture.last {
            let most = std::mem::take(&mut self.most);
            self.active = false;
            for draft in self.ended.iter_mut().chain(&mut self.writing).filter(|draft| draft.covers(at)) {
                if draft.best.as_ref().is_none_or(|(before, _)| most > *before) {
                    draft.best = Some((most, shot.clone()));
                }
            }
            // Nothing more comes for those that waited.
            self.tell_ended(out);
        } else {
            match &mut self.writing {
                Some(draft) if draft.covers(at) => drop(draft.onset.get_or_insert(shot)),
                _ => self.early = Some(shot),
            }
        }
    }

    /// The clip is over, its end told already; `until` belongs to it no more.
    pub(super) fn end(&mut self, until: Instant, now_us: u64, out: &mut Vec<Output>) {
        let Some(draft) = self.writing.take() else { return };
        let due_us = now_us.saturating_add(PICTURE_WAIT_US);
        self.ended.push_back(Draft { until: Some(until), due_us, ..draft });
        if !self.active {
            self.tell_ended(out);
        }
    }

    /// No picture comes any more: the camera is gone, or nothing more is kept.
    pub(super) fn lost(&mut self, out: &mut Vec<Output>) {
        (self.active, self.most, self.early) = (false, 0.0, None);
        self.tell_ended(out);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now_us: u64, out: &mut Vec<Output>) {
        while let Some(draft) = self.ended.pop_front_if(|draft| now_us >= draft.due_us) {
            out.push(Output::Notes(draft.into_notes(&self.zones, self.picture_bytes)));
        }
    }

    fn tell_ended(&mut self, out: &mut Vec<Output>) {
        let (zones, most) = (&self.zones, self.picture_bytes);
        out.extend(self.ended.drain(..).map(|draft| Output::Notes(draft.into_notes(zones, most))));
    }
}

impl Draft {
    fn covers(&self, at: Instant) -> bool {
        at.line_us >= self.from.line_us && self.until.is_none_or(|until| at.line_us < until.line_us)
    }

    fn into_notes(self, zones: &[String], most: usize) -> Box<ClipNotes> {
        let until = self.until.map_or(self.from.wall, |until| until.wall).max(self.from.wall);
        let best = self.best.map(|(_, shot)| shot);
        // The picture of most motion; without one its beginning.
        let peak = best.as_ref().map(|shot| shot.at.wall).or(self.peak.map(|(_, at)| at));
        let shown = best.or(self.onset);
        let peak = peak.or(shown.as_ref().map(|shot| shot.at.wall)).unwrap_or(self.from.wall);
        Box::new(ClipNotes {
            stream: self.stream,
            heat: relative(&self.heat),
            thumbnail: shown.filter(|shot| shot.picture.jpeg.len() <= most).map(|shot| Thumbnail {
                mime: "image/jpeg".into(),
                width: shot.picture.width,
                height: shot.picture.height,
                bytes: ByteBuf::from(shot.picture.jpeg.to_vec()),
            }),
            peak: peak.clamp(self.from.wall, until),
            zones: names(zones, self.zones),
            pinned: false,
        })
    }
}

/// The fields relative to the hottest one; what moved at all is never 0.
fn relative(heat: &[u32; HEAT_FIELDS]) -> [u8; HEAT_FIELDS] {
    let hottest = u64::from(heat.iter().copied().max().unwrap_or(0).max(1));
    heat.map(|sum| u8::try_from((u64::from(sum) * 255).div_ceil(hottest)).unwrap_or(u8::MAX))
}
