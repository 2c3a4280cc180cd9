//! How often something happened in the last hour, counted by the minute: as much memory for one as for a million. Pure.

use privet_protocol::time::Timestamp;

/// Minutes of an hour.
const MINUTES: i64 = 60;

/// What happened in this minute and in the 59 before it.
#[derive(Debug, Clone)]
pub(crate) struct LastHour {
    /// Each minute's at its number modulo sixty.
    counts: [u64; MINUTES as usize],
    /// The newest minute that was looked at.
    newest: i64,
}

impl LastHour {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { counts: [0; MINUTES as usize], newest: minute(now) }
    }

    /// How many more may happen now, where `limit` may in an hour.
    pub(crate) fn left(&mut self, limit: u64, now: Timestamp) -> u64 {
        self.move_on(now);
        limit.saturating_sub(self.counts.iter().sum())
    }

    /// One more happened.
    pub(crate) fn add(&mut self, now: Timestamp) {
        self.move_on(now);
        self.counts[place(self.newest)] += 1;
    }

    /// After how many minutes at most there is one left, where `limit` may happen in an hour.
    pub(crate) fn minutes_until_next(&mut self, limit: u64, now: Timestamp) -> i64 {
        self.move_on(now);
        let mut counted: u64 = self.counts.iter().sum();
        for minutes in 0..MINUTES {
            if counted < limit {
                return minutes;
            }
            // The oldest minute goes first; it stands where the next one will.
            counted -= self.counts[place(self.newest + minutes + 1)];
        }
        MINUTES
    }

    /// Forgets what is an hour old.
    fn move_on(&mut self, now: Timestamp) {
        let now = minute(now);
        for over in (self.newest + 1..=now).take(self.counts.len()) {
            self.counts[place(over)] = 0;
        }
        self.newest = self.newest.max(now);
    }
}

fn minute(now: Timestamp) -> i64 {
    now.0.div_euclid(60_000)
}

fn place(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(MINUTES)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp(1_800_000_000_000 + minutes * 60_000)
    }

    #[test]
    fn what_happened_counts_for_an_hour() {
        let mut hour = LastHour::new(at(0));
        assert_eq!((hour.left(3, at(0)), hour.minutes_until_next(3, at(0))), (3, 0));
        hour.add(at(0));
        hour.add(at(10));
        hour.add(at(10));
        assert_eq!((hour.left(3, at(10)), hour.minutes_until_next(3, at(10))), (0, 50));
        assert_eq!((hour.left(4, at(10)), hour.minutes_until_next(4, at(10))), (1, 0));
        assert_eq!(
            (hour.left(2, at(10)), hour.minutes_until_next(2, at(10))),
            (0, 60),
            "a smaller limit counts at once"
        );
        assert_eq!((hour.left(3, at(59)), hour.minutes_until_next(3, at(59))), (0, 1));
        assert_eq!((hour.left(3, at(60)), hour.minutes_until_next(3, at(60))), (1, 0));
        hour.add(at(60));
        assert_eq!((hour.left(3, at(60)), hour.minutes_until_next(3, at(60))), (0, 10));
        assert_eq!(hour.left(3, at(70)), 2);
        assert_eq!(hour.left(3, at(100_000)), 3);
    }

    #[test]
    fn time_that_stands_still_or_goes_back_gives_nothing_back() {
        let mut hour = LastHour::new(at(0));
        hour.add(at(0));
        hour.add(at(-100));
        assert_eq!((hour.left(2, at(-100)), hour.left(2, at(59))), (0, 0));
        assert_eq!(hour.left(2, at(60)), 2);
    }
}
