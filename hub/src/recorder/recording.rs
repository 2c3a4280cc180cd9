//! A camera's clip: the pre-roll and what follows, sealed a bit at a time so that live pictures never wait for it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use privet_home::{EndReason, StreamKind};

use super::event::{ClipSegment, Output};
use super::notes::Instant;
use super::outage::earlier;
use super::ring::{Group, TimedUnit};
use super::writer::{Beginning, SealError, StreamWriter};
use super::{Recorder, ended, started};
use crate::source::{Format, Track};

/// Bytes of a clip sealed at most before the next input is looked at: a pre-roll must not hold up live pictures.
pub(super) const AT_ONCE: usize = 512 << 10;

/// A clip being made: its writer, the open segment's bytes, and units that are still to be sealed.
pub(super) struct Clip {
    pub(super) writer: StreamWriter,
    blob: Vec<u8>,
    backlog: VecDeque<Waiting>,
}

/// A unit on its way into a clip.
struct Waiting {
    unit: TimedUnit,
    format: Arc<Format>,
    /// It begins a group, and so a segment.
    opens: bool,
}

impl Recorder {
    /// Starts a clip with the pre-roll; false when that is not possible now.
    pub(super) fn start_clip(&mut self, out: &mut Vec<Output>) -> bool {
        if !self.may_record || self.format.is_none() || self.clip.is_some() {
            return false;
        }
        let after = self.recorded_frame;
        // What an earlier clip holds already is not repeated, and a clip begins with a key frame.
        let groups: Vec<_> = self
            .ring
            .groups()
            .skip_while(|g| !g.starts_with_key || after.is_some_and(|after| g.first_frame() <= after))
            .cloned()
            .collect();
        let Some(first) = groups.first().and_then(|g| g.units.first()) else {
            // The whole ring is in the last clip: the new one begins at the next border.
            return self.ring.groups().next().is_some();
        };
        self.new_clip(first, out);
        self.take_in(&groups);
        true
    }

    /// Starts a clip at the group border where the ring stands now.
    pub(super) fn open_clip(&mut self, out: &mut Vec<Output>) {
        if !self.may_record {
            return;
        }
        let first = self.ring.groups().next_back().and_then(|g| g.units.first()).cloned();
        if let Some(first) = first {
            self.new_clip(&first, out);
        }
    }

    pub(super) fn new_clip(&mut self, first: &TimedUnit, out: &mut Vec<Output>) {
        let writer = StreamWriter::new(self.camera, StreamKind::Clip, first, &*self.random);
        out.push(Output::Started(started(self.camera, &writer)));
        self.notes.begin(writer.stream(), Instant { line_us: first.timing.dts_us, wall: first.unit.received });
        self.clip = Some(Clip { writer, blob: Vec::new(), backlog: VecDeque::new() });
    }

    pub(super) fn clip_unit(&mut self, unit: &TimedUnit, opens: bool, out: &mut Vec<Output>) {
        let Some(format) = self.format.clone() else { return };
        if self.clip.is_none() && self.plan.running() && self.may_record && opens && unit.unit.key {
            self.new_clip(unit, out);
        }
        if let Some(clip) = self.clip.as_mut() {
            clip.backlog.push_back(Waiting { unit: unit.clone(), format, opens });
        }
    }

    /// Whole groups go into the clip.
    pub(super) fn take_in(&mut self, groups: &[Group]) {
        let Some(clip) = self.clip.as_mut() else { return };
        for group in groups {
            let waiting = |(place, unit): (usize, &TimedUnit)| Waiting {
                unit: unit.clone(),
                format: Arc::clone(&group.format),
                opens: place == 0,
            };
            clip.backlog.extend(group.units.iter().enumerate().map(waiting));
        }
    }

    /// Seals what waits for the clip, about `limit` bytes of it.
    pub(super) fn seal_backlog(&mut self, limit: usize, out: &mut Vec<Output>) {
        let mut sealed = 0;
        while sealed < limit {
            let Some(next) = self.clip.as_mut().and_then(|clip| clip.backlog.pop_front()) else { return };
            sealed += next.unit.unit.data.len();
            if next.opens {
                self.finish_clip_segment(out);
            }
            if let Err(cause) = self.seal_clip(&next.unit, &next.format) {
                self.clip_failed(&cause, out);
            }
        }
    }

    fn seal_clip(&mut self, unit: &TimedUnit, format: &Arc<Format>) -> Result<(), SealError> {
        let session = self.session(unit.unit.received)?;
        let Some(clip) = self.clip.as_mut() else { return Ok(()) };
        if clip.writer.open_index().is_none() {
            if unit.unit.track == Track::Audio {
                return Ok(());
            }
            let set_back = match (self.recorded_set_backs, self.chain.recorded_until) {
                (Some(told), _) => unit.set_backs > told,
                // The last statement was made before a restart: only its end tells.
                (None, Some(until)) => earlier(unit.unit.received, until),
                (None, None) => false,
            };
            // A clip that goes on where the last one ended has no gap before it.
            let goes_on = self.recorded_frame.is_some_and(|last| unit.frame <= last.saturating_add(1));
            let beginning = Beginning {
                session: &session,
                format,
                substream: false,
                sequence: self.chain.recorded,
                previous: self.chain.previous,
                gap: self.outages.take_recorded(
                    unit.unit.received,
                    self.chain.recorded_until,
                    clip.writer.segments() == 0 && !goes_on,
                    set_back,
                ),
                set_back,
                first: unit,
            };
            clip.writer.begin(&beginning, &mut clip.blob)?;
        }
        clip.writer.unit(unit, &mut clip.blob)?;
        if unit.unit.track == Track::Video {
            self.recorded_frame = Some(unit.frame);
        }
        Ok(())
    }

    pub(super) fn finish_clip_segment(&mut self, out: &mut Vec<Output>) {
        let Some(clip) = self.clip.as_mut() else { return };
        match clip.writer.finish(&mut clip.blob) {
            Ok(None) => {}
            Ok(Some(finished)) => {
                self.chain.recorded = finished.sequence.saturating_add(1);
                self.chain.previous = finished.digest;
                self.chain.recorded_until = Some(finished.ended);
                self.recorded_set_backs = Some(finished.set_backs);
                out.push(Output::Segment(ClipSegment {
                    stream: clip.writer.stream(),
                    index: finished.index,
                    bytes: Bytes::from(std::mem::take(&mut clip.blob)),
                    chain: self.chain.clone(),
                }));
            }
            Err(cause) => self.clip_failed(&cause, out),
        }
    }

    fn clip_failed(&mut self, cause: &SealError, out: &mut Vec<Output>) {
        tracing::error!(camera = %self.camera, %cause, "a clip can't go on");
        self.plan.abort();
        if let Some(clip) = self.clip.take() {
            out.push(Output::Ended(StreamKind::Clip, ended(&clip.writer, EndReason::Finished)));
            self.notes.end(Instant { line_us: self.last_us, wall: clip.writer.ended() }, self.now_us, out);
        }
    }

    pub(super) fn end_clip(&mut self, reason: EndReason, out: &mut Vec<Output>) {
        self.seal_backlog(usize::MAX, out);
        self.finish_clip_segment(out);
        if let Some(clip) = self.clip.take() {
            out.push(Output::Ended(StreamKind::Clip, ended(&clip.writer, reason)));
            // At a border the first picture of what follows stands there already.
            let until = Instant { line_us: self.last_us, wall: clip.writer.ended() };
            self.notes.end(until, self.now_us, out);
        }
    }
}
