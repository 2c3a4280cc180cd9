//! Where segments lie that the hub sent at a constant rate: in cells of a carrier. Remembered for the newest only; the relay keeps
//! cells for a day or so, and what was fetched is in the cache.
//!
//! Kept in memory and, under `core/carried/`, in the store, like the rest of the library.

use std::collections::{BTreeSet, HashMap};

use privet_home::{Carried, SecretBytes};
use privet_protocol::cbor;
use privet_protocol::id::StreamId;
use privet_protocol::storage::{Batch, Store};
use privet_segment::CarrierKey;
use serde::{Deserialize, Serialize};

use crate::error::{CoreError, Result};

const CARRIED: &[u8] = b"core/carried/";
/// A record that is longer than this is damaged.
const MAX_RECORD: usize = 1024;
/// More places than this are not remembered; those told first go first.
const MAX_PLACES: usize = 20_000;
/// A cell holds no more than this.
pub(crate) const MAX_CELL: u32 = 8 << 20;

/// A segment's place.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct InCarrier {
    /// The carrier's stream at the relay.
    pub(crate) carrier: StreamId,
    key: SecretBytes,
    /// Bytes that a cell holds.
    pub(crate) cell: u32,
    /// The segment's first byte, in what all cells hold.
    pub(crate) at: u64,
    /// Its bytes.
    pub(crate) length: u64,
    /// The number of the log entry that told of it.
    told_in: u64,
}

impl InCarrier {
    /// The carrier's key; nothing when the hub told none.
    pub(crate) fn key(&self) -> Option<CarrierKey> {
        CarrierKey::from_bytes(self.key.expose())
    }
}

/// What is told in one order, so that the first told go first.
type Told = (u64, StreamId, u64);

/// All places.
#[derive(Default)]
pub(crate) struct Places {
    places: HashMap<(StreamId, u64), InCarrier>,
    told: BTreeSet<Told>,
}

impl Places {
    /// What the store holds.
    pub(crate) fn load(store: &dyn Store) -> Result<Self> {
        let mut places = Self::default();
        for (key, value) in store.scan(CARRIED, CARRIED, usize::MAX)? {
            let (stream, index) = place_of(&key).ok_or_else(|| damaged(&"its name"))?;
            places.insert(stream, index, cbor::decode(&value, MAX_RECORD).map_err(|e| damaged(&e))?);
        }
        Ok(places)
    }

    /// Where segment `index` of `stream` lies.
    pub(crate) fn of(&self, stream: &StreamId, index: u64) -> Option<InCarrier> {
        self.places.get(&(*stream, index)).cloned()
    }

    /// Whether clips of this home come in carriers, as far as is known here.
    pub(crate) fn any(&self) -> bool {
        !self.places.is_empty()
    }

    /// The writes that entry `seq` of the log asks for.
    pub(crate) fn batch_for(&self, seq: u64, carried: &Carried) -> Batch {
        let mut batch = Batch::new();
        for (_, stream, index) in self.told.iter().take(self.surplus(carried)) {
            batch.delete(key(stream, *index));
        }
        for (stream, index, place) in places(seq, carried) {
            batch.put(key(&stream, index), cbor::encode(&place));
        }
        batch
    }

    /// Takes it over.
    pub(crate) fn apply(&mut self, seq: u64, carried: &Carried) {
        for _ in 0..self.surplus(carried) {
            let Some((_, stream, index)) = self.told.pop_first() else { break };
            self.places.remove(&(stream, index));
        }
        for (stream, index, place) in places(seq, carried) {
            self.insert(stream, index, place);
        }
    }

    fn surplus(&self, carried: &Carried) -> usize {
        (self.places.len() + carried.placed.len()).saturating_sub(MAX_PLACES)
    }

    fn insert(&mut self, stream: StreamId, index: u64, place: InCarrier) {
        self.told.insert((place.told_in, stream, index));
        if let Some(before) = self.places.insert((stream, index), place)
            && self.places.get(&(stream, index)).is_some_and(|now| now.told_in != before.told_in)
        {
            self.told.remove(&(before.told_in, stream, index));
        }
    }
}

fn places(seq: u64, carried: &Carried) -> impl Iterator<Item = (StreamId, u64, InCarrier)> {
    carried.placed.iter().map(move |placed| {
        let place = InCarrier {
            carrier: carried.carrier,
            key: carried.key.clone(),
            cell: carried.cell,
            at: placed.at,
            length: placed.length,
            told_in: seq,
        };
        (placed.stream, placed.index, place)
    })
}

fn key(stream: &StreamId, index: u64) -> Vec<u8> {
    [CARRIED, stream.as_bytes(), &index.to_be_bytes()].concat()
}

fn place_of(key: &[u8]) -> Option<(StreamId, u64)> {
    let (stream, index) = key.strip_prefix(CARRIED)?.split_first_chunk()?;
    Some((StreamId::from_bytes(*stream), u64::from_be_bytes(index.try_into().ok()?)))
}

fn damaged(cause: &dyn std::fmt::Display) -> CoreError {
    CoreError::Damaged { reason: format!("the record of a place in a carrier: {cause}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_home::Placed;
    use privet_protocol::storage::MemoryStore;

    use super::*;

    fn stream(n: u8) -> StreamId {
        StreamId::from_bytes([n; 16])
    }

    fn carried(carrier: u8, placed: &[(u8, u64, u64)]) -> Carried {
        let placed =
            placed.iter().map(|(of, index, at)| Placed { stream: stream(*of), index: *index, at: *at, length: 10 });
        let key = SecretBytes::new(vec![carrier; 32]);
        Carried { carrier: stream(carrier), key, cell: 100, placed: placed.collect() }
    }

    #[test]
    fn the_last_word_about_a_segment_counts_also_after_a_restart() {
        let (store, mut places) = (MemoryStore::new(), Places::default());
        assert!(!places.any());
        for (seq, told) in [(1, carried(9, &[(1, 0, 5), (1, 1, 15)])), (2, carried(8, &[(1, 1, 70)]))] {
            store.commit(places.batch_for(seq, &told)).unwrap();
            places.apply(seq, &told);
        }
        for places in [places, Places::load(&store).unwrap()] {
            let at = |index| places.of(&stream(1), index).map(|place| (place.carrier, place.at));
            assert_eq!((at(0), at(1), at(2)), (Some((stream(9), 5)), Some((stream(8), 70)), None));
            assert_eq!(places.of(&stream(1), 1).unwrap().key().unwrap().expose(), &[8; 32]);
            assert_eq!(places.told.len(), 2);
            assert!(places.any());
        }
    }
}
