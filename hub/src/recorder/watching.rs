//! A camera's live stream: there while somebody watches, begun with the current group from its key frame.

use bytes::Bytes;
use privet_home::{EndReason, StreamKind};

use super::event::{LivePart, LiveRecord, Output};
use super::ring::TimedUnit;
use super::writer::{Beginning, SealError, StreamWriter};
use super::{Recorder, ended, started};
use crate::source::Track;

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
        for unit in &units {
            // A replay says nothing about delay.
            self.live_unit(unit, None, out);
        }
    }

    pub(super) fn live_unit(&mut self, unit: &TimedUnit, received_mono_us: Option<u64>, out: &mut Vec<Output>) {
        if self.live.is_none() {
            return;
        }
        if let Err(cause) = self.seal_live(unit, received_mono_us, out) {
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
            let Some((format, writer)) = self.format.as_ref().zip(self.live.as_mut()) else { return Ok(()) };
            let set_back = self.live_set_backs.is_some_and(|told| unit.set_backs > told);
            let beginning = Beginning {
                session: &session,
                format,
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
        if self.leases.viewers() == 0 {
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
