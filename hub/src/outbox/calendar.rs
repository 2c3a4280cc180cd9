//! Time as it passes in the house: what the age of clips is counted in. Pure.
//!
//! A wall clock can't count it. A box without a battery for its clock starts in 1970 or in the year of its image, and leaps when a
//! time server answers; a wrong hand sets the year; another system left the clock in local time. So the hub counts by itself, by
//! the clock that nobody sets, while it runs. Only for how long it did *not* run there is nobody else to ask than the wall clock:
//!
//! * Nothing is taken from it before it has gone on evenly for an hour.
//! * Up to two days it is believed by itself.
//! * More, up to a year, only when the relay's clock agreed with it before the pause, agrees with it now, and it has gone on evenly
//!   for a day. So the wall clock can't make clips old by itself, and the relay can't at all.
//!
//! What is not believed is not counted: then clips stay longer, never shorter. House time itself is the time that the hub ran, and
//! never leaps or goes back, so it also says which clip is the older one. A pause is kept beside it with its place: it makes
//! older what was there before it, and nothing that was made between the restart and the moment at which the pause was believed.

use std::time::Duration;

use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::recorder::Moment;

/// A running clock that gains or loses more than this between two looks was set.
const STEP_MS: i64 = 60_000;
/// For so long a clock has to have gone on evenly before anything is taken from it.
const SETTLED: Duration = Duration::from_secs(3_600);
/// Pauses up to this are believed without a witness.
const PAUSE_MS: i64 = 2 * DAY_MS;
/// No pause is longer than this: a clock that says so was wrong before it.
const LONGEST_MS: i64 = 366 * DAY_MS;
/// For so long a clock that tells of a long pause has to have gone on evenly.
const TRIAL: Duration = Duration::from_secs(86_400);
/// Clocks that differ by no more agree.
const AGREE_MS: i64 = 3_600_000;
/// A count that is not newer than this is not written again.
const SAVE: Duration = Duration::from_secs(600);
/// Pauses that are kept apart.
const MAX_PAUSES: usize = 24;
const DAY_MS: i64 = 86_400_000;

/// A point in house time, in milliseconds. It began as the wall clock was when the hub first counted, and means nothing outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HouseTime(pub i64);

impl HouseTime {
    /// The time `by` later.
    pub fn after(self, by: Duration) -> Self {
        Self(Timestamp(self.0).after(by).0)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Timestamp(self.0).since(Timestamp(earlier.0))
    }
}

/// A moment at which house time and wall clock stood side by side: pauses are what the wall clock gained since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    house: HouseTime,
    wall: Timestamp,
    /// The relay's clock agreed.
    agreed: bool,
}

/// Time that passed while the hub did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    /// What is dated later was made after it, perhaps.
    at: HouseTime,
    ms: i64,
}

/// What outlives a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    house: HouseTime,
    anchor: Anchor,
    pauses: Vec<Pause>,
}

/// Counts house time.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// House time at `base_us` of this run.
    house: HouseTime,
    base_us: u64,
    /// Something is dated so, so it is not earlier.
    newest: HouseTime,
    anchor: Option<Anchor>,
    /// Oldest first.
    pauses: Vec<Pause>,
    /// The anchor is of this run, so that a step of its clock is none of a pause.
    anchored_here: bool,
    last: Option<Moment>,
    even_since_us: u64,
    /// What the relay's clock said, and when.
    relay: Option<(Timestamp, u64)>,
    /// The house time of what is durable; none in this run yet.
    saved: Option<HouseTime>,
    unsaved: bool,
}

impl Calendar {
    /// Goes on from what an earlier run kept. `newest` is the youngest thing that is dated in house time, `ended` when the newest
    /// clip ended by the wall clock: the first count of all does not begin much later.
    pub fn new(saved: Option<Count>, newest: Option<HouseTime>, ended: Option<Timestamp>) -> Self {
        let newest = newest.unwrap_or(HouseTime(i64::MIN));
        let house = match (&saved, ended) {
            (Some(count), _) => count.house,
            (None, Some(ended)) => HouseTime(ended.0.saturating_add(PAUSE_MS)),
            (None, None) => HouseTime(i64::MAX),
        };
        let (anchor, pauses) = saved.map(|count| (count.anchor, count.pauses)).unzip();
        Self { house, newest, anchor, pauses: pauses.unwrap_or_default(), ..Self::default() }
    }

    /// Takes the clocks as they are now, and gives the house time.
    pub fn pass(&mut self, now: Moment) -> HouseTime {
        let Some(last) = self.last else { return self.begin(now) };
        if now.mono_us < last.mono_us {
            // Somebody else was faster.
            return self.counted(last);
        }
        self.last = Some(now);
        let ran_ms = millis(now.mono_us.saturating_sub(last.mono_us));
        let step = now.wall.0.saturating_sub(last.wall.0).saturating_sub(ran_ms);
        if step.saturating_abs() > STEP_MS {
            tracing::warn!(by_s = step / 1000, "the clock was set; clips are none the older or younger for it");
            self.even_since_us = now.mono_us;
            if let (Some(anchor), true) = (&mut self.anchor, self.anchored_here) {
                *anchor = Anchor { wall: Timestamp(anchor.wall.0.saturating_add(step)), agreed: false, ..*anchor };
                self.unsaved = true;
            }
        }
        self.take_pause(now);
        self.counted(now)
    }

    /// The relay's clock, as heard on a connection.
    pub fn heard(&mut self, relay: Timestamp, now: Moment) {
        self.relay = Some((relay, now.mono_us));
    }

    /// The relay's clock now; `None` when it was not heard in this run.
    pub fn relay(&self, now: Moment) -> Option<Timestamp> {
        let (relay, heard_us) = self.relay?;
        Some(relay.after(Duration::from_micros(now.mono_us.saturating_sub(heard_us))))
    }

    /// How old is what is dated so, as of the last look.
    pub fn age(&self, kept: HouseTime) -> Duration {
        let ran = self.latest().unwrap_or(self.house).since(kept);
        let pauses = self.pauses.iter().filter(|pause| pause.at > kept).map(|pause| pause.ms.unsigned_abs());
        ran.saturating_add(Duration::from_millis(pauses.fold(0, u64::saturating_add)))
    }

    /// The house time of the last look.
    pub fn latest(&self) -> Option<HouseTime> {
        self.last.map(|last| self.counted(last))
    }

    /// What is to be made durable now, if anything is.
    pub fn due(&self) -> Option<Count> {
        let (house, anchor) = (self.latest()?, self.anchor?);
        let fresh = |saved| house.since(saved) < SAVE;
        (self.unsaved || !self.saved.is_some_and(fresh)).then(|| Count { house, anchor, pauses: self.pauses.clone() })
    }

    /// This is durable.
    pub fn saved(&mut self, count: &Count) {
        (self.saved, self.unsaved) = (Some(count.house), false);
    }

    fn begin(&mut self, now: Moment) -> HouseTime {
        (self.last, self.base_us, self.even_since_us) = (Some(now), now.mono_us, now.mono_us);
        if self.anchor.is_none() {
            self.house = self.house.min(HouseTime(now.wall.0));
        }
        self.house = self.house.max(self.newest);
        if self.anchor.is_none() {
            self.anchor_at(now, false);
        }
        self.house
    }

    fn counted(&self, now: Moment) -> HouseTime {
        self.house.after(Duration::from_micros(now.mono_us.saturating_sub(self.base_us)))
    }

    /// Counts a pause that can be believed by now.
    fn take_pause(&mut self, now: Moment) {
        let Some(anchor) = self.anchor else { return };
        let house = self.counted(now);
        let gained = now.wall.0.saturating_sub(anchor.wall.0);
        let pause = gained.saturating_sub(house.0.saturating_sub(anchor.house.0));
        let even = Duration::from_micros(now.mono_us.saturating_sub(self.even_since_us));
        let agrees = |relay: Timestamp| relay.0.saturating_sub(now.wall.0).saturating_abs() <= AGREE_MS;
        let agreed = self.relay(now).is_some_and(agrees);
        if even < SETTLED || pause < -AGREE_MS {
            // Behind what was believed before: it is wrong now, or it was then. No new beginning either, or the way back were a pause.
            return;
        }
        if pause > PAUSE_MS && (!agreed || even < TRIAL) {
            return;
        }
        if (STEP_MS..=PAUSE_MS).contains(&pause) || (anchor.agreed && (STEP_MS..=LONGEST_MS).contains(&pause)) {
            self.pauses.push(Pause { at: anchor.house, ms: pause });
            if self.pauses.len() > MAX_PAUSES {
                // The two oldest become one, at the place of the first: what lies between stays longer.
                let second = self.pauses.remove(1);
                if let Some(first) = self.pauses.first_mut() {
                    first.ms = first.ms.saturating_add(second.ms);
                }
            }
            self.unsaved = true;
        }
        self.anchor_at(now, agreed || (anchor.agreed && pause <= PAUSE_MS));
    }

    fn anchor_at(&mut self, now: Moment, agreed: bool) {
        self.unsaved |= self.anchor.is_none_or(|anchor| anchor.agreed != agreed);
        self.anchor = Some(Anchor { house: self.counted(now), wall: now.wall, agreed });
        self.anchored_here = true;
    }
}

fn millis(us: u64) -> i64 {
    i64::try_from(us / 1000).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
