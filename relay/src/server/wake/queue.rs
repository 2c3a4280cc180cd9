//! What waits for one phone, and what is to be done about it next: a pure struct, fed with time and with what gateways said.
//! Nothing in here is durable; `wake` and `carry` write first and then say so here.

use std::collections::BTreeMap;
use std::time::Duration;

use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use privet_push::PushTarget;

use crate::server::records::{Stage, WakeId};

/// The first pause after a gateway would not take a message; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The least pause when the relay's operator has to change something.
const MISCONFIGURED_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// When it came.
    pub(crate) at: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) urgency: Urgency,
    pub(crate) stage: Stage,
    /// Bytes of the payload.
    pub(crate) payload: usize,
    /// Bytes that the home's account holds for it.
    pub(crate) stored: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing, until something changes.
    Idle,
    /// Nothing, until something changes or this time has come.
    Wait(Timestamp),
    /// Their time is over.
    Expired(Vec<u64>),
    /// A gateway takes this one whole.
    Push(u64),
    /// These are longer than the gateway's room: one empty message calls the phone to fetch them.
    Call(Vec<u64>),
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Where the phone is woken.
    target: Option<PushTarget>,
    /// The target that its gateway said is gone. Not kept over a restart: one try too many is cheaper than a record.
    gone: Option<PushTarget>,
    /// Counts targets, so that what is said of an old one is not held against a new one.
    generation: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Ids of wakes that were accepted, by the wake's number, until their time is over.
    remembered: BTreeMap<u64, (WakeId, Timestamp)>,
    followers: usize,
    followed_since: Timestamp,
    failures: u32,
    paused_at: Timestamp,
    pause: Duration,
    /// Whether a task works on this queue.
    pub(crate) carried: bool,
}

impl Queue {
    pub(crate) fn target(&self) -> Option<(&PushTarget, u64)> {
        self.target.as_ref().map(|target| (target, self.generation))
    }

    /// Says where the phone is woken from now on. A target that is the same as before changes nothing.
    pub(crate) fn set_target(&mut self, target: Option<PushTarget>) -> bool {
        if self.target == target {
            return false;
        }
        if target.is_some() {
            self.gone = None;
        }
        self.target = target;
        self.generation += 1;
        // It is tried at once, but only a success ends the doubling: else new names for what fails would be tried without end.
        self.pause = Duration::ZERO;
        true
    }

    /// The gateway says that the target is no more.
    pub(crate) fn lose_target(&mut self) {
        let gone = self.target.clone();
        self.set_target(None);
        self.gone = gone;
    }

    /// Whether the gateway said so of this one, the last that there was.
    pub(crate) fn is_gone(&self, target: &PushTarget) -> bool {
        self.gone.as_ref() == Some(target)
    }

    pub(crate) fn add(&mut self, seq: u64, wake: Waiting) {
        self.waiting.insert(seq, wake);
    }

    /// Forgets a wake: what the home's account held for it.
    pub(crate) fn remove(&mut self, seq: u64) -> Option<Waiting> {
        self.waiting.remove(&seq)
    }

    pub(crate) fn wake(&self, seq: u64) -> Option<Waiting> {
        self.waiting.get(&seq).copied()
    }

    pub(crate) fn mark(&mut self, seq: u64, stage: Stage) {
        if let Some(wake) = self.waiting.get_mut(&seq) {
            wake.stage = stage;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn numbers_upto(&self, upto: u64) -> Vec<u64> {
        self.waiting.range(..=upto).map(|(seq, _)| *seq).collect()
    }

    pub(crate) fn expired(&self, now: Timestamp) -> Vec<u64> {
        self.waiting.iter().filter(|(_, wake)| wake.until <= now).map(|(seq, _)| *seq).collect()
    }

    /// When the first of those that wait, or that are remembered, has expired.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        let waiting = self.waiting.values().map(|wake| wake.until);
        waiting.chain(self.remembered.values().map(|(_, until)| *until)).min()
    }

    /// Those that the gateway of an earlier target would not take.
    pub(crate) fn refused(&self) -> Vec<u64> {
        self.waiting.iter().filter(|(_, wake)| wake.stage == Stage::Refused).map(|(seq, _)| *seq).collect()
    }

    // --- ids ---

    pub(crate) fn remember(&mut self, seq: u64, id: WakeId, until: Timestamp) {
        self.remembered.insert(seq, (id, until));
    }

    /// The ids that may be forgotten: their time is over, or `most` newer ones are remembered.
    pub(crate) fn forgettable(&self, now: Timestamp, most: usize) -> Vec<(u64, WakeId)> {
        let too_many = self.remembered.len().saturating_sub(most);
        let over =
            |(place, (_, (_, until))): &(usize, (&u64, &(WakeId, Timestamp)))| *place < too_many || *until <= now;
        self.remembered.iter().enumerate().filter(over).map(|(_, (seq, (id, _)))| (*seq, *id)).collect()
    }

    pub(crate) fn forget_ids(&mut self, seqs: &[(u64, WakeId)]) {
        for (seq, _) in seqs {
            self.remembered.remove(seq);
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = WakeId> + '_ {
        self.remembered.values().map(|(id, _)| *id)
    }

    // --- the open connection ---

    pub(crate) fn follow(&mut self, now: Timestamp) {
        if self.followers == 0 {
            self.followed_since = now;
        }
        self.followers += 1;
    }

    /// A follower has taken something: it lives, and has its patience anew for the rest.
    pub(crate) fn follow_on(&mut self, now: Timestamp) {
        self.followed_since = now;
    }

    pub(crate) fn unfollow(&mut self) {
        self.followers = self.followers.saturating_sub(1);
    }

    // --- gateways ---

    /// The gateway said "not now". `asked` is the time that it asked for; `chance` spreads many phones.
    pub(crate) fn pause(&mut self, generation: u64, asked: Duration, chance: u8, now: Timestamp) {
        if generation != self.generation {
            return;
        }
        let doubled =
            FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let spread = doubled * u32::from(chance) / 512;
        self.paused_at = now;
        self.pause = (doubled + spread).max(asked);
    }

    /// Nothing will be taken until the operator has changed something.
    pub(crate) fn pause_misconfigured(&mut self, generation: u64, chance: u8, now: Timestamp) {
        self.pause(generation, MISCONFIGURED_PAUSE, chance, now);
    }

    /// The gateway took something.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
        self.pause = Duration::ZERO;
    }

    /// What is to be done now. `room` is what the target's gateway carries whole, nothing where there is no gateway for it;
    /// `patience` is how long a follower has to acknowledge what it was sent.
    pub(crate) fn next(&mut self, room: Option<usize>, patience: Duration, now: Timestamp) -> Step {
        // A clock that was set back makes no pause longer than it was.
        self.followed_since = self.followed_since.min(now);
        self.paused_at = self.paused_at.min(now);
        let expired = self.expired(now);
        if !expired.is_empty() {
            return Step::Expired(expired);
        }
        let Some(room) = room.filter(|_| self.target.is_some()) else { return Step::Idle };
        let paused_until = self.paused_at.after(self.pause);
        let mut first: Option<(bool, u64, Timestamp)> = None;
        let mut earliest: Option<Timestamp> = None;
        for (seq, wake) in &mut self.waiting {
            if wake.stage != Stage::Waiting {
                continue;
            }
            wake.at = wake.at.min(now);
            let shown =
                if self.followers > 0 { wake.at.max(self.followed_since).after(patience) } else { Timestamp(i64::MIN) };
            let due = paused_until.max(shown);
            earliest = Some(earliest.map_or(due, |other| other.min(due)));
            let rank = (wake.urgency != Urgency::High, *seq, due);
            if due <= now && first.is_none_or(|first| rank < first) {
                first = Some(rank);
            }
        }
        let Some((_, seq, _)) = first else { return earliest.map_or(Step::Idle, Step::Wait) };
        let is_long = |seq: &u64| self.waiting.get(seq).is_some_and(|wake| wake.payload > room);
        if !is_long(&seq) {
            return Step::Push(seq);
        }
        let waits = |wake: &Waiting| wake.stage == Stage::Waiting;
        Step::Call(self.waiting.iter().filter(|(seq, wake)| is_long(seq) && waits(wake)).map(|(seq, _)| *seq).collect())
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
