//! What a home's stream holds: kept segments, those being written, and the newest passing ones. Says what a follower at some
//! place gets next; who writes and who sends is elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_protocol::id::StreamId;
use privet_protocol::relay::{CapabilityKey, StreamState};
use privet_protocol::time::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::growing::{Growing, State};
use super::records::{SegmentRecord, StreamRecord};

pub(crate) struct Stream {
    pub(crate) id: StreamId,
    contents: Mutex<Contents>,
    changed: watch::Sender<u64>,
    /// Of a stream that was dropped: its files are gone, and it can be begun anew.
    pub(crate) removed: CancellationToken,
}

#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) kept: BTreeMap<u64, SegmentRecord>,
    pub(crate) growing: BTreeMap<u64, Arc<Growing>>,
    pub(crate) passing: VecDeque<Arc<Growing>>,
    pub(crate) finished: Option<u64>,
    pub(crate) acknowledged: BTreeSet<CapabilityKey>,
    pub(crate) gone_below: u64,
    /// When its last byte came, or it last changed otherwise.
    pub(crate) touched: Timestamp,
    /// Uploads that an earlier run of the relay left, and that nobody went on with so far.
    pub(crate) left: BTreeSet<u64>,
    /// What the index has of it, as far as its uploads are concerned.
    pub(crate) noted: Option<StreamRecord>,
    /// It has a record in the index.
    pub(crate) recorded: bool,
    pub(crate) dropped: bool,
}

/// Passing segments that stay: the one being written and the one before it.
const PASSING: usize = 2;

pub(crate) enum Next {
    Kept {
        index: u64,
        length: u64,
    },
    Growing {
        segment: Arc<Growing>,
        passing: bool,
    },
    Skip {
        to: u64,
    },
    Ended {
        segments: u64,
    },
    /// Nothing yet: something will change.
    Wait,
    Dropped,
}

/// What there was of a stream that was dropped: to be given back and removed.
pub(crate) struct Gone {
    pub(crate) kept: BTreeMap<u64, SegmentRecord>,
    pub(crate) growing: BTreeMap<u64, Arc<Growing>>,
    pub(crate) left: BTreeSet<u64>,
}

impl Stream {
    pub(crate) fn new(id: StreamId, now: Timestamp) -> Arc<Self> {
        Self::with(id, Contents { touched: now, ..Contents::default() })
    }

    pub(crate) fn recorded(id: StreamId, record: StreamRecord) -> Arc<Self> {
        let noted = Some(record.clone());
        Self::with(
            id,
            Contents {
                noted,
                finished: record.finished,
                acknowledged: record.acknowledged.into_iter().collect(),
                gone_below: record.gone_below,
                touched: record.touched,
                recorded: true,
                ..Contents::default()
            },
        )
    }

    fn with(id: StreamId, contents: Contents) -> Arc<Self> {
        let (contents, changed) = (Mutex::new(contents), watch::Sender::new(0));
        Arc::new(Self { id, contents, changed, removed: CancellationToken::new() })
    }

    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the contents and wakes the followers.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> T {
        let outcome = change(&mut self.contents());
        self.changed.send_modify(|version| *version += 1);
        outcome
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn followers(&self) -> usize {
        self.changed.receiver_count()
    }
}

impl Contents {
    pub(crate) fn record(&self) -> StreamRecord {
        StreamRecord {
            finished: self.finished,
            acknowledged: self.acknowledged.iter().copied().collect(),
            gone_below: self.gone_below,
            touched: self.touched,
            unfinished: self.growing.keys().copied().chain(self.left.iter().copied()).collect(),
        }
    }

    /// Whether there are kept segments that are not whole.
    pub(crate) fn has_unfinished(&self) -> bool {
        !self.growing.is_empty() || !self.left.is_empty()
    }

    /// Whether this one was here and is not any more. Of those that stay for longer than later ones it is not enough that those have gone.
    pub(crate) fn is_gone(&self, index: u64) -> bool {
        let unfinished = self.growing.contains_key(&index) || self.left.contains(&index);
        let there = unfinished || self.kept.contains_key(&index) || self.passing(index).is_some();
        index < self.gone_below && !there
    }

    /// Whether the index says that this upload was under way.
    pub(crate) fn is_noted(&self, index: u64) -> bool {
        self.noted.as_ref().is_some_and(|record| record.unfinished.contains(&index))
    }

    /// Takes in an upload that an earlier run of the relay left. Its last byte came at most a sweep after it was noted, or else just now.
    pub(crate) fn take_in(&mut self, index: u64, sweep: Duration, now: Timestamp) {
        let noted = self.noted.as_ref().filter(|record| record.unfinished.contains(&index));
        let touched = noted.map_or(now, |record| record.touched.after(sweep).min(now));
        self.touched = self.touched.max(touched);
        self.left.insert(index);
    }

    fn passing(&self, index: u64) -> Option<&Arc<Growing>> {
        self.passing.iter().find(|segment| segment.index == index)
    }

    /// A segment that is not whole on disk: being written, or passing.
    pub(crate) fn live(&self, index: u64) -> Option<(&Arc<Growing>, bool)> {
        let growing = self.growing.get(&index).map(|s| (s, false));
        growing.or_else(|| self.passing(index).map(|s| (s, true))).filter(|(s, _)| s.progress().state != State::Broken)
    }

    /// The first number there is that is not below this one. Asked by every follower at every change, so it looks at few segments, however
    /// many there are.
    fn first_from(&self, index: u64) -> Option<u64> {
        let kept = self.kept.range(index..).next().map(|(index, _)| *index);
        let growing = self.growing.range(index..).next().map(|(index, _)| *index);
        let passing = self.passing.iter().map(|segment| segment.index).filter(|number| *number >= index).min();
        [kept, growing, passing].into_iter().flatten().min()
    }

    pub(crate) fn newest(&self) -> Option<u64> {
        let kept = self.kept.last_key_value().map(|(index, _)| *index);
        let growing = self.growing.last_key_value().map(|(index, _)| *index);
        let passing = self.passing.iter().map(|segment| segment.index).max();
        [kept, growing, passing].into_iter().flatten().max()
    }

    /// One more than the highest number ever seen.
    pub(crate) fn next(&self) -> u64 {
        self.newest().map_or(0, |newest| newest + 1).max(self.gone_below)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest().is_none()
    }

    /// Whether nothing of it is kept: it passes, or has not begun.
    pub(crate) fn is_live(&self) -> bool {
        self.kept.is_empty() && !self.has_unfinished() && !self.recorded
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        self.kept.values().map(|s| s.length).sum()
    }

    pub(crate) fn state(&self) -> StreamState {
        StreamState {
            first: self.first_from(0).unwrap_or(self.gone_below),
            next: self.next(),
            finished: self.finished,
            bytes: self.stored_bytes(),
        }
    }

    /// What a follower that wants `index` gets.
    pub(crate) fn next_for(&self, index: u64) -> Next {
        if self.dropped {
            return Next::Dropped;
        }
        if let Some(record) = self.kept.get(&index) {
            return Next::Kept { index, length: record.length };
        }
        if let Some((segment, passing)) = self.live(index) {
            return Next::Growing { segment: Arc::clone(segment), passing };
        }
        let above = index.checked_add(1).and_then(|above| self.first_from(above));
        match (self.finished, above) {
            (Some(segments), _) if index >= segments => Next::Ended { segments },
            (Some(segments), above) => Next::Skip { to: above.unwrap_or(segments) },
            // Passing segments come in order; a kept one that is not there yet may still come.
            (None, Some(above)) if index < self.gone_below || !self.passing.is_empty() => Next::Skip { to: above },
            (None, None) if index < self.gone_below => Next::Skip { to: self.gone_below },
            _ => Next::Wait,
        }
    }

    /// Adds a passing segment; older ones than the two newest are forgotten, and with them their bytes.
    pub(crate) fn pass(&mut self, segment: Arc<Growing>) {
        self.passing.retain(|old| {
            let stays = old.index != segment.index;
            if !stays {
                old.end(State::Broken);
            }
            stays
        });
        self.passing.push_back(segment);
        while self.passing.len() > PASSING {
            if let Some(old) = self.passing.pop_front() {
                self.gone_below = self.gone_below.max(old.index + 1);
            }
        }
    }

    /// Nothing of it can be had any more, and nothing comes: what was there is whose it is that asks.
    pub(crate) fn drop_all(&mut self) -> Gone {
        self.dropped = true;
        for segment in self.growing.values().chain(&self.passing) {
            segment.end(State::Broken);
        }
        self.passing.clear();
        let (kept, growing) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.growing));
        Gone { kept, growing, left: std::mem::take(&mut self.left) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::budget::Budget;
    use super::*;

    fn passing(contents: &mut Contents, index: u64) {
        contents.pass(Growing::in_memory(index, 1, Budget::new(1000)));
    }

    #[test]
    fn a_follower_of_passing_segments_skips_what_is_gone() {
        let mut contents = Contents::default();
        assert!(matches!(contents.next_for(0), Next::Wait));
        for index in 0..5 {
            passing(&mut contents, index);
        }
        assert!(matches!(contents.next_for(0), Next::Skip { to: 3 }));
        assert!(matches!(contents.next_for(4), Next::Growing { passing: true, .. }));
        assert!(matches!(contents.next_for(5), Next::Wait));
        contents.finished = Some(5);
        assert!(matches!(contents.next_for(5), Next::Ended { segments: 5 }));
    }

    #[test]
    fn a_follower_of_kept_segments_waits_for_what_may_still_come() {
        let mut contents = Contents::default();
        contents.kept.insert(1, SegmentRecord { length: 9, until: Timestamp(9), small: false });
        assert!(matches!(contents.next_for(0), Next::Wait));
        contents.gone_below = 1;
        assert!(matches!(contents.next_for(0), Next::Skip { to: 1 }));
        contents.finished = Some(3);
        assert!(matches!(contents.next_for(2), Next::Skip { to: 3 }));
    }

    #[test]
    fn first_newest_and_next_are_those_of_all_kinds_together() {
        let mut contents = Contents::default();
        assert_eq!((contents.first_from(0), contents.newest(), contents.next()), (None, None, 0));
        for index in [3, 9] {
            contents.kept.insert(index, SegmentRecord { length: 9, until: Timestamp(9), small: false });
        }
        passing(&mut contents, 6);
        passing(&mut contents, 7);
        assert_eq!((contents.first_from(0), contents.newest(), contents.next()), (Some(3), Some(9), 10));
        assert_eq!(
            [4, 7, 8, 10, u64::MAX].map(|from| contents.first_from(from)),
            [Some(6), Some(7), Some(9), None, None]
        );
        assert!(matches!(contents.next_for(4), Next::Skip { to: 6 }));
        assert!(matches!(contents.next_for(u64::MAX), Next::Wait));
    }

    #[test]
    fn memory_is_given_back() {
        let budget = Budget::new(10);
        let mut contents = Contents::default();
        for index in 0..50 {
            let segment = Growing::in_memory(index, 1, Arc::clone(&budget));
            assert!(segment.push(&[0; 3]), "segment {index}");
            contents.pass(segment);
        }
        let greedy = Growing::in_memory(50, 1, Arc::clone(&budget));
        assert!(!greedy.push(&[0; 5]));
    }

    #[test]
    fn one_home_does_not_take_the_memory_of_the_others() {
        let whole = Budget::new(64 << 20);
        let (greedy, modest) = (whole.share(), whole.share());
        let fill = |share| {
            let segment = Growing::in_memory(0, 1, share);
            let pushed = (0..64).take_while(|_| segment.push(&vec![0; 1 << 20])).count();
            (pushed, segment)
        };
        let (pushed, held) = fill(greedy);
        assert_eq!(pushed, 16, "MiB: a quarter");
        assert_eq!(fill(modest).0, 16);
        drop(held);
        assert_eq!(whole.used(), 0);

        let small = Budget::new(3 << 20);
        assert_eq!(fill(small.share()).0, 3, "where there is little, one may have it");
        assert_eq!(small.used(), 0);
    }
}
