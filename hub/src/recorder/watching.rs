//! A camera's live stream: there while somebody watches, begun with the current group from its key frame. It shows the main stream,
//! or the substream while nobody wants more ([`super::feed`]).

use std::sync::Arc;

use bytes::Bytes;
use privet_home::{EndReason, Feed, StreamKind};

use super::event::{LivePart, LiveRecord, Output};
use super::feed::Place;
use super::ring::TimedUnit;
use super::writer::{Beginning, SealError, StreamWriter};
use super::{Recorder, ended, started};
use crate::source::{AccessUnit, AudioFormat, Format, SubstreamEvent, Track};

impl Recorder {
    /// Starts a live stream if somebody watches, none is there and there is a key frame to start with.
    pub(super) fn start_live(&mut self, out: &mut Vec<Output>) {
        if self.live.is_some() || self.leases.viewers() == 0 || self.format.is_none() {
            return;
        }
        let units: Vec<TimedUnit> = self.ring.from_last_key().flat_map(|g| g.units.iter().cloned()).collect();
        let Some(first) = units.first() else { return };
        let writer = StreamWriter::new(self.camera, StreamKind::Live, first, &*self.random);
        out.push(Output::Started(started(self.camera, &writer)));
        self.live = Some(writer);
        self.changeover.begin();
        for unit in &units {
            // A replay says nothing about delay.
            self.live_unit(unit, None, out);
        }
    }

    pub(super) fn live_unit(&mut self, unit: &TimedUnit, received_mono_us: Option<u64>, out: &mut Vec<Output>) {
        if self.live.is_none() {
            return;
        }
        let mut unit = unit.clone();
        if unit.unit.track == Track::Video {
            (unit.frame, unit.timing) = self.changeover.place(unit.frame, unit.timing);
        }
        if let Err(cause) = self.seal_live(&unit, received_mono_us, out) {
            self.live_failed(&cause, out);
        }
    }

    fn seal_live(
        &mut self,
        unit: &TimedUnit,
        received_mono_us: Option<u64>,
        out: &mut Vec<Output>,
    ) -> Result<(), SealError> {
        let mut bytes = Vec::with_capacity(unit.unit.data.len() + 2048);
        if self.live.as_ref().is_some_and(|w| w.open_index().is_none()) {
            if unit.unit.track == Track::Audio {
                return Ok(());
            }
            let session = self.session(unit.unit.received)?;
            let substream = self.changeover.shows(Feed::Substream);
            let format = if substream { &self.sub_format } else { &self.format };
            let Some((format, writer)) = format.as_ref().zip(self.live.as_mut()) else { return Ok(()) };
            let set_back = self.live_set_backs.is_some_and(|told| unit.set_backs > told);
            let beginning = Beginning {
                session: &session,
                format,
                substream,
                sequence: self.next_live,
                previous: writer.last_statement(),
                gap: self.outages.take_live(),
                set_back,
                first: unit,
            };
            writer.begin(&beginning, &mut bytes)?;
            self.next_live += 1;
            out.push(live_record(writer, LivePart::Begin, Bytes::new(), None));
        }
        let Some(writer) = self.live.as_mut() else { return Ok(()) };
        writer.unit(unit, &mut bytes)?;
        if !bytes.is_empty() {
            out.push(live_record(writer, LivePart::More, bytes.into(), received_mono_us));
        }
        Ok(())
    }

    /// Something of the camera's substream, which is only ever shown live.
    pub(super) fn substream(&mut self, event: SubstreamEvent, out: &mut Vec<Output>) {
        match event {
            SubstreamEvent::Format(format) => {
                self.sub_clock.reconnect(format.nominal_fps());
                // Sound is the main stream's.
                let audio = self.format.as_ref().and_then(|main| main.audio.clone());
                self.finish_sub_segment(out);
                self.sub_format = Some(Arc::new(Format { audio, ..format }));
            }
            SubstreamEvent::Unit(unit) => self.sub_unit(unit, out),
            SubstreamEvent::Ended => self.sub_gone(out),
        }
    }

    /// The main stream's sound is in another format: the substream's next segment says so.
    pub(super) fn sub_sound(&mut self, audio: Option<&AudioFormat>, out: &mut Vec<Output>) {
        let Some(sub) = self.sub_format.clone().filter(|sub| sub.audio.as_ref() != audio) else { return };
        self.finish_sub_segment(out);
        self.sub_format = Some(Arc::new(Format { audio: audio.cloned(), ..Format::clone(&sub) }));
    }

    /// There is no substream any more; the main stream is shown from its next key frame on.
    pub(super) fn sub_gone(&mut self, out: &mut Vec<Output>) {
        self.finish_sub_segment(out);
        self.sub_format = None;
        self.changeover.sub_gone();
    }

    fn sub_unit(&mut self, unit: AccessUnit, out: &mut Vec<Output>) {
        let Some(offset) = self.offset_us.filter(|_| self.sub_format.is_some()) else { return };
        let timing = self.sub_clock.next(unit.pts_us.saturating_add(offset), unit.key);
        if self.live.is_none() {
            return;
        }
        let (wanted, length) = (self.leases.feed(), unit.data.len());
        match self.changeover.sub_picture(wanted, unit.key, timing.dts_us, length, self.now_us) {
            Place::Nowhere => return,
            Place::Opens => self.finish_live_segment(out),
            Place::Joins => {}
        }
        let (frame, received_mono_us) = (unit.frame, unit.received_mono_us);
        let timed = TimedUnit { unit, timing, frame, set_backs: self.wall.so_far() };
        self.live_unit(&timed, Some(received_mono_us), out);
    }

    fn finish_sub_segment(&mut self, out: &mut Vec<Output>) {
        if self.changeover.shows(Feed::Substream) {
            self.finish_live_segment(out);
        }
    }

    pub(super) fn finish_live_segment(&mut self, out: &mut Vec<Output>) {
        let Some(writer) = self.live.as_mut() else { return };
        let Some(index) = writer.open_index() else { return };
        let mut bytes = Vec::new();
        match writer.finish(&mut bytes) {
            Ok(finished) => {
                self.live_set_backs = finished.map_or(self.live_set_backs, |finished| Some(finished.set_backs));
                out.push(Output::Live(LiveRecord {
                    stream: writer.stream(),
                    index,
                    part: LivePart::End,
                    bytes: bytes.into(),
                    received_mono_us: None,
                }));
            }
            Err(cause) => self.live_failed(&cause, out),
        }
    }

    fn live_failed(&mut self, cause: &SealError, out: &mut Vec<Output>) {
        tracing::error!(camera = %self.camera, %cause, "a live stream can't go on");
        if let Some(writer) = self.live.take() {
            out.push(Output::Ended(StreamKind::Live, ended(&writer, EndReason::Finished)));
        }
    }

    pub(super) fn end_unwatched(&mut self, out: &mut Vec<Output>) {
        if !self.leases.keep_stream() {
            self.end_live(EndReason::NobodyWatching, out);
        }
    }

    pub(super) fn end_live(&mut self, reason: EndReason, out: &mut Vec<Output>) {
        self.finish_live_segment(out);
        if let Some(writer) = self.live.take() {
            out.push(Output::Ended(StreamKind::Live, ended(&writer, reason)));
        }
    }
}

fn live_record(writer: &StreamWriter, part: LivePart, bytes: Bytes, received_mono_us: Option<u64>) -> Output {
    let index = writer.open_index().unwrap_or_default();
    Output::Live(LiveRecord { stream: writer.stream(), index, part, bytes, received_mono_us })
}
