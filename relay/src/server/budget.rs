//! Memory that many share: who takes what of it, and who makes way when all of it is taken.
//!
//! A whole has shares, one for each home (or, of hellos, one for each). When all of the whole is taken, whoever holds most loses its oldest
//! to whoever holds less: however many take what they may, another one has as much as each of them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// Memory for passing segments, for requests or for hellos that are not whole: of all, or the share of it that one home may have.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    /// What this is a share of.
    whole: Option<Arc<Budget>>,
    /// Of the whole: its shares.
    shares: Mutex<Vec<Weak<Budget>>>,
    /// Of a share: what is in it.
    holders: Mutex<Holders>,
}

/// What holds bytes of a share.
pub(crate) trait Holder: Send + Sync {
    /// Gives all of them back for good; `false` when it had none.
    fn lose(&self) -> bool;
}

/// Holders, oldest first, and some places of those that are gone.
#[derive(Debug, Default)]
struct Holders {
    list: VecDeque<Weak<dyn Holder>>,
    /// At this length it is looked which are gone.
    tidy_at: usize,
}

/// One home may have one of so many parts of the whole ...
const PARTS: u64 = 4;
/// ... but at least so much, in bytes, where the whole is small.
const LEAST_SHARE: u64 = 8 << 20;

impl Holders {
    fn add(&mut self, holder: Weak<dyn Holder>) {
        if self.list.len() >= self.tidy_at {
            self.list.retain(|holder| holder.strong_count() > 0);
            self.tidy_at = 16 + 2 * self.list.len();
        }
        self.list.push_back(holder);
    }
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit: limit.into(), ..Self::default() })
    }

    /// One home's share of this. What it takes is taken of the whole too.
    pub(crate) fn share(self: &Arc<Self>) -> Arc<Self> {
        let share = Arc::new(Self { whole: Some(Arc::clone(self)), ..Self::default() });
        let mut shares = self.shares();
        shares.retain(|share| share.strong_count() > 0);
        shares.push(Arc::downgrade(&share));
        share
    }

    fn shares(&self) -> MutexGuard<'_, Vec<Weak<Budget>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on as much; what is there stays.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes there now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn limit(&self) -> u64 {
        match &self.whole {
            None => self.limit.load(Ordering::Relaxed),
            Some(whole) => (whole.limit() / PARTS).max(LEAST_SHARE),
        }
    }

    /// Takes so many bytes; `false` when there are not so many, also when those who hold more have made way.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let limit = self.limit();
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .is_ok();
        let Some(whole) = self.whole.as_ref().filter(|_| taken) else { return taken };
        while !whole.take(bytes) {
            if !whole.make_room(self.used()) {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
        }
        true
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        if let Some(whole) = &self.whole {
            whole.give_back(bytes);
        }
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes the oldest of whoever holds most, if that is more than this.
    fn make_room(&self, held: u64) -> bool {
        let largest = self.shares().iter().filter_map(Weak::upgrade).max_by_key(|share| share.used());
        largest.is_some_and(|share| share.used() > held && share.lose_oldest())
    }

    fn lose_oldest(&self) -> bool {
        self.holders().list.iter().filter_map(Weak::upgrade).any(|holder| holder.lose())
    }

    /// From now on this takes of it, and may have to make way.
    pub(crate) fn add<H: Holder + 'static>(&self, holder: &Arc<H>) {
        let holder: Weak<H> = Arc::downgrade(holder);
        self.holders().add(holder);
    }

    /// Nothing yet of this; what is taken is given back when it is dropped.
    pub(crate) fn hold(self: &Arc<Self>) -> Part {
        let held = Arc::new(Held { budget: Arc::clone(self), bytes: Mutex::new(Some(0)), lost: Notify::new() });
        self.add(&held);
        Part(held)
    }
}

/// A part of a budget, until dropped.
#[derive(Debug)]
pub(crate) struct Part(Arc<Held>);

#[derive(Debug)]
struct Held {
    budget: Arc<Budget>,
    /// None once they were taken for another.
    bytes: Mutex<Option<u64>>,
    /// Tells whoever has the part.
    lost: Notify,
}

impl Part {
    /// Takes more; `false` when there is not so much, or when what was there was taken for another.
    pub(crate) fn more(&mut self, bytes: u64) -> bool {
        let Part(held) = self;
        if !held.budget.take(bytes) {
            return false;
        }
        if let Some(all) = &mut *held.bytes() {
            *all += bytes;
            return true;
        }
        held.budget.give_back(bytes);
        false
    }

    /// Resolves when another one needed it who holds less: what it was taken for is to be given up. May be dropped and called again.
    pub(crate) async fn lost(&self) {
        self.0.lost.notified().await;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Held {
    fn bytes(&self) -> MutexGuard<'_, Option<u64>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many they were.
    fn give_back(&self) -> u64 {
        let bytes = self.bytes().take().unwrap_or(0);
        self.budget.give_back(bytes);
        bytes
    }
}

impl Holder for Held {
    fn lose(&self) -> bool {
        if self.bytes().is_none_or(|bytes| bytes == 0) {
            return false;
        }
        let had = self.give_back() > 0;
        self.lost.notify_one();
        had
    }
}

/// One home's shares of what all homes have together.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Of the memory for passing segments.
    pub(crate) passing: Arc<Budget>,
    /// Of that for requests of which not everything has come.
    pub(crate) half_sent: Arc<Budget>,
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::super::growing::{Cursor, Growing, Piece, State};
    use super::*;

    const MIB: usize = 1 << 20;

    /// A passing segment of up to so many MiB, and how many found room.
    fn fill(share: &Arc<Budget>, mib: usize) -> (Arc<Growing>, usize) {
        let segment = Growing::in_memory(0, 1, Arc::clone(share));
        let pushed = (0..mib).take_while(|_| segment.push(&vec![7; MIB])).count();
        (segment, pushed)
    }

    #[tokio::test]
    async fn however_many_take_what_they_may_another_one_has_as_much_as_each_of_them() {
        let whole = Budget::new(64 * MIB as u64);
        let greedy: Vec<_> = (0..4).map(|_| whole.share()).collect();
        let held: Vec<Vec<_>> = greedy.iter().map(|share| (0..16).map(|_| fill(share, 1)).collect()).collect();
        assert!(held.iter().flatten().all(|(_, pushed)| *pushed == 1), "each has its quarter");
        assert_eq!(whole.used(), 64 * MIB as u64);

        let modest = whole.share();
        let (segment, pushed) = fill(&modest, 16);
        assert!((12..=13).contains(&pushed), "{pushed} MiB, a fifth");
        assert!(whole.used() <= 64 * MIB as u64);
        assert!(greedy.iter().all(|share| share.used() >= 12 * MIB as u64), "nobody lost more than that takes");
        for (oldest_first, share) in held.iter().zip(&greedy) {
            let states: Vec<_> = oldest_first.iter().map(|(segment, _)| segment.progress().state).collect();
            let lost = states.iter().filter(|state| **state == State::Broken).count();
            assert_eq!((16 - lost) * MIB, share.used() as usize);
            assert!(states[..lost].iter().all(|state| *state == State::Broken), "the oldest go: {states:?}");
            let (first, _) = &oldest_first[0];
            assert!(!first.push(&[1]), "what was lost is lost");
            assert!(matches!(Cursor::new(Arc::clone(first), 0).next().await, Ok(Piece::Broken)));
        }
        // Who holds as much as the others is refused, and takes nothing from them.
        let before: Vec<_> = greedy.iter().map(|share| share.used()).collect();
        assert!(!segment.push(&vec![7; 2 * MIB]));
        assert_eq!(greedy.iter().map(|share| share.used()).collect::<Vec<_>>(), before);
        drop((held, segment));
        assert_eq!((whole.used(), modest.used()), (0, 0));
    }

    #[test]
    fn of_what_is_half_sent_whoever_holds_most_gives_up_its_oldest_for_whoever_holds_less() {
        let whole = Budget::new(64 * MIB as u64);
        let greedy: Vec<_> = (0..4).map(|_| whole.share()).collect();
        let mut held: Vec<Vec<Part>> = Vec::new();
        for share in &greedy {
            let mut parts: Vec<Part> = (0..16).map(|_| share.hold()).collect();
            assert!(parts.iter_mut().all(|part| part.more(MIB as u64)));
            held.push(parts);
        }
        assert!(!greedy[0].hold().more(1), "a quarter, and no more");

        let modest = whole.share();
        let mut parts: Vec<Part> = (0..12).map(|_| modest.hold()).collect();
        assert!(parts.iter_mut().all(|part| part.more(MIB as u64)), "a fifth");
        assert_eq!(whole.used(), 64 * MIB as u64);
        for (parts, share) in held.iter_mut().zip(&greedy) {
            let lost: Vec<bool> = parts.iter().map(|part| part.lost().now_or_never().is_some()).collect();
            assert_eq!(lost.iter().filter(|lost| !**lost).count() * MIB, share.used() as usize);
            assert!(lost.is_sorted_by(|before, after| before >= after), "the oldest go: {lost:?}");
            assert!(lost[0] && !parts[0].more(1), "what was lost is lost");
        }
        drop((held, parts));
        assert_eq!((whole.used(), modest.used()), (0, 0));
        assert!(greedy.iter().all(|share| share.used() == 0), "nothing is given back twice");
    }

    #[test]
    fn where_each_has_a_share_of_its_own_the_longest_makes_way_for_a_new_one() {
        let whole = Budget::new(16 * 4096);
        let mut long: Vec<Part> = (0..16).map(|_| whole.share().hold()).collect();
        assert!(long.iter_mut().all(|part| part.more(4096)));
        let mut short = whole.share().hold();
        assert!(short.more(300) && short.lost().now_or_never().is_none());
        assert_eq!(long.iter().filter(|part| part.lost().now_or_never().is_some()).count(), 1);
        drop((long, short));
        assert_eq!(whole.used(), 0);
    }

    #[test]
    fn holders_that_are_gone_take_no_place_for_long() {
        let share = Budget::new(10).share();
        for index in 0..10_000 {
            Growing::in_memory(index, 1, Arc::clone(&share));
            share.hold();
        }
        assert!(share.holders().list.len() <= 16);
    }
}
