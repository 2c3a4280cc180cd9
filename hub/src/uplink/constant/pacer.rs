//! What the next cell holds. Time is not known here: whoever asks for a cell at each tick gets one, of the same size as all
//! others and in the same stream as it would be if nothing had ever happened.
//!
//! A cell that was asked for stays the same until the relay has it, so no place is sealed twice. A carrier has a fixed number of
//! cells, whatever they hold; a segment that is under way when its carrier is full begins again in the next one.

use std::collections::VecDeque;

use bytes::Bytes;
use privet_home::Placed;
use privet_protocol::id::StreamId;
use privet_protocol::random::Random;
use privet_segment::CarrierKey;

use crate::outbox::{AtRelay, Pending};

/// Cells of a carrier. The smallest (`config::ConstantRate`) has room for the longest segment in them.
pub const CELLS: u64 = 4_096;

/// A record for the relay.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The carrier.
    pub carrier: StreamId,
    /// Its place in it.
    pub index: u64,
    /// Its bytes, sealed.
    pub bytes: Bytes,
}

/// A segment that the relay has whole.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its number in the outbox.
    pub number: u64,
    /// The carrier that it is in.
    pub carrier: StreamId,
    /// The carrier's key.
    pub key: CarrierKey,
    /// Bytes that a cell of it holds.
    pub cell: u32,
    /// Where.
    pub placed: Placed,
    /// How long the relay keeps it: its first cell goes first.
    pub kept: AtRelay,
}

/// What waits to be put into cells, and the carrier they are of.
#[derive(Debug)]
pub struct Pacer {
    /// Bytes that a cell holds.
    content: usize,
    carrier: StreamId,
    key: CarrierKey,
    /// The next cell's place.
    next: u64,
    /// The cell that the relay does not have yet.
    out: Option<Cell>,
    loads: VecDeque<Load>,
}

/// A segment on its way into cells.
#[derive(Debug)]
struct Load {
    number: u64,
    pending: Pending,
    bytes: Bytes,
    /// Where in the carrier its first byte is, once that is in a cell.
    at: Option<u64>,
    /// Bytes that are in cells.
    taken: usize,
    /// How long the relay keeps the first of these.
    kept: Option<AtRelay>,
}

impl Pacer {
    /// With nothing waiting.
    pub fn new(content: usize, random: &dyn Random) -> Self {
        Self {
            content: content.max(1),
            carrier: StreamId::generate(random),
            key: CarrierKey::generate(random),
            next: 0,
            out: None,
            loads: VecDeque::new(),
        }
    }

    /// Whether there is less than two cells hold: then the next segment should be handed in.
    pub fn is_hungry(&self) -> bool {
        self.loads.iter().map(|load| load.bytes.len() - load.taken).sum::<usize>() < 2 * self.content
    }

    /// A segment to be sent.
    pub fn load(&mut self, number: u64, pending: Pending, bytes: Bytes) {
        self.loads.push_back(Load { number, pending, bytes, at: None, taken: 0, kept: None });
    }

    /// The record to be sent now: the one before, if the relay does not have it. `None` only if it can't be sealed.
    pub fn cell(&mut self, random: &dyn Random) -> Option<Cell> {
        if let Some(out) = &self.out {
            return Some(out.clone());
        }
        if self.next == CELLS {
            self.begin_anew(random);
        }
        let mut content = Vec::with_capacity(self.content);
        let from = self.next * self.content as u64;
        for load in &mut self.loads {
            let room = self.content - content.len();
            if room == 0 {
                break;
            }
            let left = load.bytes.len() - load.taken;
            if left == 0 {
                continue;
            }
            load.at.get_or_insert(from + content.len() as u64);
            let taken = left.min(room);
            content.extend_from_slice(&load.bytes[load.taken..load.taken + taken]);
            load.taken += taken;
        }
        let bytes = self.key.seal(self.next, &content, self.content)?.into();
        let cell = Cell { carrier: self.carrier, index: self.next, bytes };
        self.next += 1;
        self.out = Some(cell.clone());
        Some(cell)
    }

    /// The relay has the cell, and keeps it for this time: the segments that it now has whole.
    pub fn stored(&mut self, cell: &Cell, kept: AtRelay) -> Vec<Arrived> {
        if self.out.take_if(|out| (out.carrier, out.index) == (cell.carrier, cell.index)).is_none() {
            // It went on in another carrier meanwhile.
            return Vec::new();
        }
        for load in self.loads.iter_mut().filter(|load| load.at.is_some()) {
            load.kept.get_or_insert(kept);
        }
        let mut arrived = Vec::new();
        while self.loads.front().is_some_and(|load| load.at.is_some() && load.taken == load.bytes.len()) {
            let Some(load) = self.loads.pop_front() else { break };
            let placed = Placed {
                stream: load.pending.stream,
                index: load.pending.index,
                at: load.at.unwrap_or_default(),
                length: load.bytes.len() as u64,
            };
            let (carrier, key, kept) = (self.carrier, self.key.clone(), load.kept.unwrap_or(kept));
            let cell = u32::try_from(self.content).unwrap_or(u32::MAX);
            arrived.push(Arrived { number: load.number, carrier, key, cell, placed, kept });
        }
        arrived
    }

    /// The relay never takes the cell, or a phone was removed, which knows this carrier's key: goes on in another one.
    pub fn begin_anew(&mut self, random: &dyn Random) {
        self.carrier = StreamId::generate(random);
        self.key = CarrierKey::generate(random);
        (self.next, self.out) = (0, None);
        for load in &mut self.loads {
            (load.at, load.taken, load.kept) = (None, 0, None);
        }
    }
}

#[cfg(test)]
#[path = "pacer_tests.rs"]
mod tests;
