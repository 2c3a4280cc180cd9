//! Which clips go, and how long the room lasts. Pure: told what there is, it says what is to be done.
//!
//! * By days and by bytes a clip is *forgotten*: here, at the relay, and the phones are told. That is what the owner asked for, so
//!   it also takes what the relay does not have yet.
//! * When the disk runs short, only the hub's own copy goes of what the relay has: nobody loses anything. What the relay has had
//!   and has no longer is forgotten then, and said to be, rather than that nothing new is recorded.
//!
//! Age and order are those of house time ([`super::calendar`]), so a clock that was wrong makes no clip old. The oldest goes first, a
//! pinned one never; pinned ones don't count against the bytes, so that they can't push out every new clip. What is left to go when
//! nothing may go is the newest: recording stops at the floor.

use std::time::Duration;

use privet_protocol::id::StreamId;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::HouseTime;

/// The rate is taken from the clips of so many days.
const RATE_DAYS: u32 = 7;
const DAY_MS: u64 = 86_400_000;
const DAY: Duration = Duration::from_secs(86_400);

/// What the owner wants kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A clip goes when it is so old.
    pub keep: Duration,
    /// All clips that are not pinned take at most so many bytes; `None`: as many as there is room for.
    pub keep_bytes: Option<u64>,
    /// So much room above the free-space floor is wanted, in bytes.
    pub room: u64,
}

/// A whole clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its id.
    pub stream: StreamId,
    /// When it began, by the wall clock.
    pub started: Timestamp,
    /// When it ended, by the wall clock.
    pub ended: Timestamp,
    /// When its age began to count: the order in which clips go.
    pub kept: HouseTime,
    /// How old it is.
    pub age: Duration,
    /// Bytes of its segments.
    pub bytes: u64,
    /// Somebody wants it kept.
    pub pinned: bool,
    /// The hub has its segments on its own disk.
    pub here: bool,
    /// The relay does not have all of it yet.
    pub waiting: bool,
    /// Who has it beside the hub.
    pub elsewhere: Elsewhere,
}

/// Who has a clip beside the hub, when nothing of it waits any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// The relay has all of it, or all phones took it there.
    Relay,
    /// The relay's time for it is over, or it never took all of it.
    Nowhere,
    /// The relay was not heard since the hub started.
    Unknown,
}

/// What is to be done about a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is no more, here and at the relay.
    Forget(StreamId),
    /// The hub's own copy goes.
    Thin(StreamId),
}

impl Policy {
    /// What goes, oldest first. `clips` are in any order; `room` are the bytes above the floor.
    pub fn removals(&self, clips: &[Whole], room: u64) -> Vec<Removal> {
        let mut free: Vec<&Whole> = clips.iter().filter(|clip| !clip.pinned).collect();
        free.sort_by_key(|clip| (clip.kept, clip.ended, clip.stream));
        let mut bytes: u64 = free.iter().map(|clip| clip.bytes).sum();
        let mut room = room;
        let mut removals = Vec::new();
        for clip in free {
            let old = clip.age >= self.keep;
            let too_many = self.keep_bytes.is_some_and(|limit| bytes > limit);
            let in_the_way = room < self.room && clip.here && !clip.waiting;
            let removal = match clip.elsewhere {
                _ if old || too_many => Removal::Forget(clip.stream),
                Elsewhere::Relay if in_the_way => Removal::Thin(clip.stream),
                Elsewhere::Nowhere if in_the_way => Removal::Forget(clip.stream),
                _ => continue,
            };
            if matches!(removal, Removal::Forget(_)) {
                bytes -= clip.bytes;
            }
            removals.push(removal);
            room = room.saturating_add(if clip.here { clip.bytes } else { 0 });
        }
        removals
    }

    /// How long the room lasts, if the next days are like the last ones.
    pub fn forecast(&self, clips: &[Whole], room: u64) -> Forecast {
        let days = DAY * RATE_DAYS;
        let recent = || clips.iter().filter(|clip| clip.age < days);
        let free_bytes: u64 = clips.iter().filter(|clip| !clip.pinned).map(|clip| clip.bytes).sum();
        // A clip that was cut by the window's edge counts whole: the window grows by its part.
        let span = recent().map(|clip| clip.age + clip.ended.since(clip.started).min(days)).max();
        let span_ms = span.map_or(0, millis);
        let recent_bytes: u64 = recent().map(|clip| clip.bytes).sum();
        // A rate of less than an hour says nothing about days.
        let bytes_per_day = (span_ms >= DAY_MS / 24)
            .then(|| {
                u64::try_from(u128::from(recent_bytes) * u128::from(DAY_MS) / u128::from(span_ms)).unwrap_or(u64::MAX)
            })
            .filter(|rate| *rate > 0);
        let left = self.keep_bytes.map_or(room, |limit| room.min(limit.saturating_sub(free_bytes)));
        let here: u64 = clips.iter().filter(|clip| clip.here && !clip.pinned).map(|clip| clip.bytes).sum();
        let days = |bytes: u64| bytes_per_day.map(|rate| bytes as f64 / rate as f64);
        let all = self.keep_bytes.map_or(room + here, |limit| limit.min(room + here));
        let keep_days = self.keep.as_secs_f64() / 86_400.0;
        Forecast {
            clips: clips.len() as u64,
            bytes: clips.iter().map(|clip| clip.bytes).sum(),
            pinned: clips.iter().filter(|clip| clip.pinned).count() as u64,
            pinned_bytes: clips.iter().filter(|clip| clip.pinned).map(|clip| clip.bytes).sum(),
            oldest_ms: clips.iter().map(|clip| clip.started.0).min(),
            bytes_per_day,
            lasts_days: days(left),
            keeps_days: days(all).map(|days| days.min(keep_days)),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The clips in figures, and how long the room lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Whole clips that are not forgotten.
    pub clips: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them are pinned.
    pub pinned: u64,
    /// Bytes of those.
    pub pinned_bytes: u64,
    /// When the oldest began, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// What a day took, of the last seven; absent before there was an hour of clips.
    pub bytes_per_day: Option<u64>,
    /// Days until the room or the limit is used up at this rate, and the oldest begin to go for the newest.
    pub lasts_days: Option<f64>,
    /// Days of clips that there are then at once.
    pub keeps_days: Option<f64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const NOW: HouseTime = HouseTime(1_800_000_000_000);

    fn clip(n: u8, days_ago: i64, bytes: u64) -> Whole {
        let ended = Timestamp(NOW.0 - days_ago * DAY_MS as i64);
        Whole {
            stream: StreamId::from_bytes([n; 16]),
            started: Timestamp(ended.0 - 20_000),
            ended,
            kept: HouseTime(ended.0),
            age: DAY * u32::try_from(days_ago).unwrap(),
            bytes,
            pinned: false,
            here: true,
            waiting: false,
            elsewhere: Elsewhere::Relay,
        }
    }

    fn policy() -> Policy {
        Policy { keep: Duration::from_secs(30 * 86_400), keep_bytes: Some(1_000), room: 100 }
    }

    fn id(n: u8) -> StreamId {
        StreamId::from_bytes([n; 16])
    }

    #[test]
    fn each_limit_takes_the_oldest_and_no_limit_takes_a_pinned_one() {
        let clips = [clip(3, 1, 600), clip(1, 31, 50), clip(2, 20, 600)];
        let all = policy();
        assert_eq!(all.removals(&clips, 1_000), [Removal::Forget(id(1)), Removal::Forget(id(2))]);
        let by_days = Policy { keep_bytes: None, ..all };
        assert_eq!(by_days.removals(&clips, 1_000), [Removal::Forget(id(1))]);
        // The disk: only the hub's copy, and only of what the relay has.
        let mut waiting = clips;
        waiting[2].waiting = true;
        assert_eq!(by_days.removals(&waiting, 10), [Removal::Forget(id(1)), Removal::Thin(id(3))]);
        assert_eq!(by_days.removals(&waiting, 50), [Removal::Forget(id(1))], "its bytes were enough");
        let pinned = clips.map(|clip| Whole { pinned: true, ..clip });
        assert_eq!(all.removals(&pinned, 0), []);
        // Pinned ones push nothing out.
        let mut one = clips;
        one[2].pinned = true;
        assert_eq!(all.removals(&one, 1_000), [Removal::Forget(id(1))]);
    }

    #[test]
    fn what_a_clock_said_that_was_wrong_makes_no_clip_older_than_another() {
        // Made yesterday, before the time server answered, and made today.
        let of_1970 = Whole { started: Timestamp(0), ended: Timestamp(20_000), ..clip(2, 1, 600) };
        let clips = [clip(3, 0, 600), of_1970, clip(1, 2, 600)];
        let limit = |limit| Policy { keep_bytes: Some(limit), ..policy() };
        assert_eq!(limit(1_900).removals(&clips, 1_000), []);
        assert_eq!(limit(1_200).removals(&clips, 1_000), [Removal::Forget(id(1))], "the oldest, not the one of 1970");
    }

    #[test]
    fn the_last_copy_is_never_taken_for_one_of_two() {
        let by_days = Policy { keep_bytes: None, ..policy() };
        let of = |elsewhere| [Whole { elsewhere, ..clip(1, 20, 50) }, clip(2, 10, 500)];
        let short = |elsewhere| by_days.removals(&of(elsewhere), 40);
        assert_eq!(short(Elsewhere::Relay), [Removal::Thin(id(1)), Removal::Thin(id(2))]);
        assert_eq!(short(Elsewhere::Nowhere), [Removal::Forget(id(1)), Removal::Thin(id(2))], "and that is said");
        assert_eq!(short(Elsewhere::Unknown), [Removal::Thin(id(2))]);
        assert_eq!(by_days.removals(&of(Elsewhere::Nowhere), 1_000), [], "there is room");
    }

    #[test]
    fn the_forecast_says_how_long_room_and_limit_last() {
        let clips: Vec<_> = (0..10).map(|n| clip(n, i64::from(n), 70)).collect();
        let none = Policy { keep_bytes: None, ..policy() };
        let forecast = none.forecast(&clips, 1_000);
        // Seven clips of the last days, the oldest of them six days old.
        assert_eq!((forecast.clips, forecast.bytes, forecast.bytes_per_day), (10, 700, Some(81)));
        assert!((forecast.lasts_days.unwrap() - 12.34).abs() < 0.1, "{forecast:?}");
        assert!((forecast.keeps_days.unwrap() - 20.98).abs() < 0.1, "{forecast:?}");
        let limited = policy().forecast(&clips, 1_000);
        assert!((limited.lasts_days.unwrap() - 3.7).abs() < 0.1, "{limited:?}");
        let short = Policy { keep: Duration::from_secs(5 * 86_400), ..policy() }.forecast(&clips, 1_000);
        assert!((short.keeps_days.unwrap() - 5.0).abs() < 1e-9, "{short:?}");
        let fresh = policy().forecast(&clips[..1], 1_000);
        assert_eq!((fresh.bytes_per_day, fresh.lasts_days), (None, None), "a minute says nothing about days");
        assert_eq!(policy().forecast(&[], 1_000), Forecast::default());
    }

    fn clips() -> impl Strategy<Value = Vec<Whole>> {
        let elsewhere = prop::sample::select(&[Elsewhere::Relay, Elsewhere::Nowhere, Elsewhere::Unknown][..]);
        let one = (0i64..60, any::<i64>(), 0u64..500, any::<[bool; 3]>(), elsewhere);
        prop::collection::vec(one, 0..40).prop_map(|all| {
            all.into_iter()
                .enumerate()
                .map(|(n, (days, ended, bytes, [pinned, here, waiting], elsewhere))| {
                    let n = u8::try_from(n).unwrap();
                    let ended = Timestamp(ended);
                    Whole { pinned, here: here || waiting, waiting, elsewhere, ended, ..clip(n, days, bytes) }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_left_is_within_the_limits_and_nothing_goes_that_need_not(
            clips in clips(), room in 0u64..500, limit in prop::option::of(0u64..5_000),
        ) {
            let policy = Policy { keep_bytes: limit, ..policy() };
            let removals = policy.removals(&clips, room);
            let gone = |stream: StreamId| removals.contains(&Removal::Forget(stream));
            let thinned = |stream: StreamId| removals.contains(&Removal::Thin(stream));
            let left: Vec<_> = clips.iter().filter(|c| !gone(c.stream)).collect();
            let free: u64 = left.iter().filter(|c| !c.pinned).map(|c| c.bytes).sum();
            prop_assert!(limit.is_none_or(|limit| free <= limit));
            prop_assert!(left.iter().all(|c| c.pinned || c.age < policy.keep));
            for clip in &clips {
                prop_assert!(!clip.pinned || (!gone(clip.stream) && !thinned(clip.stream)));
                prop_assert!(
                    !thinned(clip.stream) || (clip.here && !clip.waiting && clip.elsewhere == Elsewhere::Relay)
                );
            }
            // Oldest first: whatever was forgotten by the owner's word is not younger than anything unpinned that stayed.
            let in_the_way = |c: &Whole| c.here && !c.waiting && c.elsewhere == Elsewhere::Nowhere;
            let newest_gone = clips.iter().filter(|c| gone(c.stream) && !in_the_way(c)).map(|c| c.kept).max();
            let oldest_left = left.iter().filter(|c| !c.pinned).map(|c| c.kept).min();
            if let (Some(gone), Some(left)) = (newest_gone, oldest_left) {
                prop_assert!(gone <= left);
            }
            // One less would not have been enough.
            if let Some(Removal::Forget(last)) = removals.iter().rfind(|r| matches!(r, Removal::Forget(_))) {
                let last = clips.iter().find(|c| c.stream == *last).unwrap();
                let old = last.age >= policy.keep;
                let short = room < policy.room && in_the_way(last);
                prop_assert!(old || short || limit.is_some_and(|limit| free + last.bytes > limit));
            }
            // Doing it and looking again finds nothing more to do.
            let freed: u64 = clips
                .iter()
                .filter(|c| c.here && (gone(c.stream) || thinned(c.stream)))
                .map(|c| c.bytes)
                .sum();
            let after: Vec<_> =
                left.iter().map(|c| Whole { here: c.here && !thinned(c.stream), ..**c }).collect();
            prop_assert_eq!(policy.removals(&after, room + freed), vec![]);
        }
    }
}
