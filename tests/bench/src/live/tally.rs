//! What arrived, when, and what a viewer made of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::source::{Arrived, Clock};
use crate::figure::Figure;
use crate::pull::percentile;

/// A picture that stands for longer than this is frozen.
const FROZEN: Duration = Duration::from_secs(1);

/// Notes what arrives. Clones share it.
#[derive(Clone, Debug)]
pub struct Tally {
    clock: Clock,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Number and time of each record.
    arrived: Vec<(u64, Duration)>,
    /// Those of the substream.
    small: u64,
    dropped: u64,
}

impl Tally {
    /// Nothing has arrived.
    pub fn new(clock: Clock) -> Self {
        Self { clock, noted: Arc::default() }
    }

    /// These have arrived now.
    pub fn arrived(&self, records: &[Arrived]) {
        let now = self.clock.now();
        let mut noted = self.noted();
        noted.arrived.extend(records.iter().map(|record| (record.number, now)));
        noted.small += records.iter().filter(|record| record.small).count() as u64;
    }

    /// So many segments won't arrive, or not to their end.
    pub fn dropped(&self, segments: u64) {
        self.noted().dropped += segments;
    }

    /// What came of records that were made at these times; of later ones nothing is said.
    pub fn outcome(&self, made: &[Duration]) -> Outcome {
        let noted = self.noted();
        let substream = noted.small as f64 * 100.0 / noted.arrived.len().max(1) as f64;
        Outcome { substream, ..Outcome::of(made, &noted.arrived, noted.dropped) }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a viewer saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Of the records that arrived: half were not older.
    pub p50_ms: f64,
    /// 95 of a hundred were not older.
    pub p95_ms: f64,
    /// 99 of a hundred were not older.
    pub p99_ms: f64,
    /// None was older.
    pub oldest_ms: f64,
    /// Per cent of all records.
    pub arrived: f64,
    /// Per cent of those that arrived: the substream's.
    pub substream: f64,
    /// The longest time without a newer picture.
    pub longest_still_s: f64,
    /// All times together in which a picture stood for more than a second.
    pub frozen_s: f64,
    /// Segments that were cut or left out.
    pub dropped: u64,
}

impl Outcome {
    fn of(made: &[Duration], arrived: &[(u64, Duration)], dropped: u64) -> Self {
        let mut first: BTreeMap<u64, Duration> = BTreeMap::new();
        for (number, at) in arrived.iter().filter(|(number, _)| *number < made.len() as u64) {
            first.entry(*number).or_insert(*at);
        }
        let of_made = made.iter().zip(0..).filter_map(|(made, number)| Some((made, first.get(&number)?)));
        let mut ages: Vec<f64> = of_made.map(|(made, at)| at.saturating_sub(*made).as_secs_f64() * 1000.0).collect();

        // The picture moves on with each record that is newer than all before it.
        let mut by_time: Vec<(Duration, u64)> = first.iter().map(|(number, at)| (*at, *number)).collect();
        by_time.sort_unstable();
        let mut shown = None;
        let mut moved = made.first().copied().unwrap_or_default();
        let mut stills = Vec::new();
        for (at, number) in by_time {
            if shown.is_none_or(|shown| number > shown) {
                shown = Some(number);
                stills.push(at.saturating_sub(moved));
                moved = at;
            }
        }
        // Up to the end of what was made.
        stills.push(made.last().copied().unwrap_or_default().saturating_sub(moved));
        let frozen: Duration = stills.iter().filter(|still| **still > FROZEN).sum();
        Self {
            p50_ms: percentile(&mut ages, 0.5),
            p95_ms: percentile(&mut ages, 0.95),
            p99_ms: percentile(&mut ages, 0.99),
            oldest_ms: percentile(&mut ages, 1.0),
            arrived: first.len() as f64 * 100.0 / made.len().max(1) as f64,
            substream: 0.0,
            longest_still_s: stills.iter().max().copied().unwrap_or_default().as_secs_f64(),
            frozen_s: frozen.as_secs_f64(),
            dropped,
        }
    }

    /// The heading of a table of [`Outcome::row`]s.
    pub fn heading() -> &'static str {
        "| loss, round trip, rate | over | p50 ms | p95 ms | p99 ms | oldest ms | arrived | of the substream | longest still | frozen | segments dropped |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    }

    /// As a row of a Markdown table.
    pub fn row(&self, cell: &str, carrier: &str) -> String {
        format!(
            "| {cell} | {carrier} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} % | {:.0} % | {:.1} s | {:.1} s | {} |",
            self.p50_ms,
            self.p95_ms,
            self.p99_ms,
            self.oldest_ms,
            self.arrived,
            self.substream,
            self.longest_still_s,
            self.frozen_s,
            self.dropped
        )
    }

    /// As figures without goals.
    pub fn figures(&self, bench: &'static str, case: &str) -> Vec<Figure> {
        [
            ("p50 of all", self.p50_ms, "ms"),
            ("p95 of all", self.p95_ms, "ms"),
            ("p99 of all", self.p99_ms, "ms"),
            ("oldest of all", self.oldest_ms, "ms"),
            ("arrived", self.arrived, "%"),
            ("of the substream", self.substream, "%"),
            ("longest still of all", self.longest_still_s, "s"),
            ("frozen of all", self.frozen_s, "s"),
            ("segments dropped", self.dropped as f64, ""),
        ]
        .into_iter()
        .map(|(metric, value, unit)| Figure::known(bench, case, metric, value, unit))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_viewer_waits_while_nothing_newer_comes() {
        let made: Vec<Duration> = (0..50).map(|n| MS * 100 * n).collect();
        // 20 ms late; from 10 to 29 nothing, then 25 out of order, and nothing after 39.
        let mut arrived: Vec<(u64, Duration)> =
            (0..10).chain(30..40).map(|n| (n, made[n as usize] + MS * 20)).collect();
        arrived.push((25, made[35]));
        arrived.push((3, made[36]));
        arrived.push((50, made[40]));
        let outcome = Outcome::of(&made, &arrived, 2);
        assert_eq!((outcome.p50_ms, outcome.oldest_ms, outcome.dropped), (20.0, 1000.0, 2));
        assert!((outcome.arrived - 42.0).abs() < 1e-9);
        assert!((outcome.longest_still_s - 2.1).abs() < 1e-9, "{outcome:?}");
        assert!((outcome.frozen_s - 2.1).abs() < 1e-9, "the end is still for 0.98 s only: {outcome:?}");
    }

    #[test]
    fn nothing_at_all_is_frozen_from_beginning_to_end() {
        let made: Vec<Duration> = (0..50).map(|n| MS * 100 * n).collect();
        let outcome = Outcome::of(&made, &[], 0);
        assert!(outcome.p99_ms.is_nan());
        assert!((outcome.frozen_s - 4.9).abs() < 1e-9, "{outcome:?}");
    }
}
