//! The events that the log told, newest kept: durable, bounded, each once.
//!
//! They stand in the order in which the hub told them, by the number of their log entry: its clock can be set back.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use privet_home::HomeEvent;
use privet_protocol::cbor;
use privet_protocol::id::EventId;
use privet_protocol::storage::{Batch, Store};

use crate::error::{CoreError, Result};

const EVENTS: &[u8] = b"core/event/";
const MAX_RECORD: usize = 16 * 1024;
/// More events than this are not remembered; the oldest go first.
const MAX_EVENTS: usize = 10_000;

/// The events.
#[derive(Default)]
pub(crate) struct Diary {
    events: BTreeMap<u64, HomeEvent>,
    places: HashMap<EventId, u64>,
}

impl Diary {
    /// What the store holds.
    pub(crate) fn load(store: &dyn Store) -> Result<Self> {
        let mut diary = Self::default();
        let mut from = EVENTS.to_vec();
        loop {
            let entries = store.scan(EVENTS, &from, 512)?;
            let Some((last, _)) = entries.last() else { return Ok(diary) };
            from = [last.as_slice(), &[0]].concat();
            for (key, value) in entries {
                let seq = key.get(EVENTS.len()..).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes);
                let seq = seq.ok_or_else(|| damaged(&"its name"))?;
                let event: HomeEvent = cbor::decode(&value, MAX_RECORD).map_err(|e| damaged(&e))?;
                diary.places.insert(event.id, seq);
                diary.events.insert(seq, event);
            }
        }
    }

    /// The writes that remember `event`, which entry `seq` of the log told.
    pub(crate) fn batch_for(&self, seq: u64, event: &HomeEvent) -> Batch {
        let mut batch = Batch::new();
        if let Some(surplus) = self.surplus(event) {
            batch.delete(key(surplus));
        }
        batch.put(key(self.place(seq, event)), cbor::encode(event));
        batch
    }

    /// Remembers `event`; whether it is a new one. Of one that is told again, the last word counts, in its old place.
    pub(crate) fn apply(&mut self, seq: u64, event: &HomeEvent) -> bool {
        if let Some(oldest) = self.surplus(event).and_then(|surplus| self.events.remove(&surplus)) {
            self.places.remove(&oldest.id);
        }
        let place = self.place(seq, event);
        self.places.insert(event.id, place);
        self.events.insert(place, event.clone()).is_none()
    }

    /// Up to `limit` events that `wanted` takes, the one told last first, below `below` (the number of a page's last one).
    pub(crate) fn page(
        &self,
        below: Option<u64>,
        limit: usize,
        wanted: impl Fn(&HomeEvent) -> bool,
    ) -> Vec<(u64, &HomeEvent)> {
        let end = below.map_or(Bound::Unbounded, Bound::Excluded);
        self.events
            .range((Bound::Unbounded, end))
            .rev()
            .filter(|(_, event)| wanted(event))
            .take(limit)
            .map(|(seq, event)| (*seq, event))
            .collect()
    }

    fn place(&self, seq: u64, event: &HomeEvent) -> u64 {
        self.places.get(&event.id).copied().unwrap_or(seq)
    }

    /// The place that a new event takes from the oldest one.
    fn surplus(&self, event: &HomeEvent) -> Option<u64> {
        let full = self.events.len() >= MAX_EVENTS && !self.places.contains_key(&event.id);
        self.events.keys().next().copied().filter(|_| full)
    }
}

fn key(seq: u64) -> Vec<u8> {
    [EVENTS, &seq.to_be_bytes()].concat()
}

fn damaged(cause: &dyn std::fmt::Display) -> CoreError {
    CoreError::Damaged { reason: format!("the record of an event: {cause}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_home::Happening;
    use privet_protocol::storage::MemoryStore;
    use privet_protocol::time::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn event(n: u32, at: i64) -> HomeEvent {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        let id = EventId::from_bytes(id);
        HomeEvent { id, at: Timestamp(at), camera: None, what: Happening::Motion, clip: None, zones: Vec::new() }
    }

    fn take(diary: &mut Diary, store: &MemoryStore, seq: u64, event: &HomeEvent) -> bool {
        store.commit(diary.batch_for(seq, event)).unwrap();
        diary.apply(seq, event)
    }

    fn all(diary: &Diary) -> Vec<(u64, HomeEvent)> {
        diary.page(None, usize::MAX, |_| true).into_iter().map(|(seq, event)| (seq, event.clone())).collect()
    }

    #[test]
    fn an_event_that_is_told_again_is_one_event_and_its_last_word_counts() {
        let (store, mut diary) = (MemoryStore::new(), Diary::default());
        assert!(take(&mut diary, &store, 4, &event(1, 10)));
        assert!(take(&mut diary, &store, 5, &event(2, 20)));
        assert!(!take(&mut diary, &store, 6, &event(1, 10)));
        let more = HomeEvent { zones: vec!["path".into()], ..event(1, 10) };
        assert!(!take(&mut diary, &store, 7, &more));
        assert_eq!(all(&diary), [(5, event(2, 20)), (4, more)]);
        assert_eq!(all(&Diary::load(&store).unwrap()), all(&diary));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (store, mut diary) = (MemoryStore::new(), Diary::default());
        let many = u32::try_from(MAX_EVENTS).unwrap() + 5;
        for n in 0..many {
            assert!(take(&mut diary, &store, n.into(), &event(n, 0)));
        }
        let again = Diary::load(&store).unwrap();
        assert_eq!(again.events.len(), MAX_EVENTS);
        assert_eq!(again.events.keys().next(), Some(&5));
        assert_eq!(again.places.len(), MAX_EVENTS);
        // One that went and is told again is new: nobody can tell any more.
        assert!(take(&mut diary, &store, many.into(), &event(0, 0)));
    }

    proptest! {
        /// Paging shows every event of the range once, the one told last first, whatever the page size and the clock do, and
        /// whatever is told meanwhile.
        #[test]
        fn pages_hold_every_event_once(times in prop::collection::vec(0i64..50, 0..60), limit in 1usize..9, from in 0i64..50, to in 0i64..60) {
            let mut diary = Diary::default();
            let mut seq = 0;
            for (n, at) in times.iter().enumerate() {
                seq += 1;
                diary.apply(seq, &event(n as u32, *at));
            }
            let wanted = |event: &HomeEvent| (from..to).contains(&event.at.0);
            let (mut seen, mut below) = (Vec::new(), None);
            loop {
                let page: Vec<_> = diary.page(below, limit, wanted).into_iter().map(|(seq, event)| (seq, event.clone())).collect();
                let Some((last, _)) = page.last() else { break };
                below = Some(*last);
                seen.extend(page.iter().map(|(_, event)| event.id));
                // A new one, and a word more about one that was seen.
                seq += 1;
                diary.apply(seq, &event(9000 + seq as u32, from));
                seq += 1;
                diary.apply(seq, &page[0].1);
            }
            let mut expected: Vec<_> = times.iter().enumerate()
                .filter(|(_, at)| (from..to).contains(at))
                .map(|(n, _)| event(n as u32, 0).id).collect();
            expected.reverse();
            prop_assert_eq!(seen, expected);
        }
    }
}
