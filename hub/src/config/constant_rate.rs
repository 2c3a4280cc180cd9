//! `[constant_rate]`: the hub sends as much whether something happens or not. Without the table it does not.

use std::time::Duration;

use privet_config::Fault;
use privet_segment::CELL_TAG;
use serde::Deserialize;

use super::fault_at;

/// Keys that are no numbers; the bounds of numbers are with the other ones.
pub(super) const KEYS: &[(&str, &str)] =
    &[("constant_rate", "a table, `[constant_rate]`"), ("constant_rate.live", "true or false")];

/// A cell may have so many bytes: a carrier has room for the longest segment, and the relay takes it as one.
const CELL: std::ops::RangeInclusive<u64> = 8_000..=4_000_000;
/// Bytes of a clip's notes without a picture, at most: 16 zones with long names, the heat and what an entry needs.
const NOTES: usize = 2_048;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// How much is sent, and how often.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ConstantRate {
    /// Kilobits a second for clips.
    pub kbit_s: u64,
    /// Milliseconds from one cell to the next.
    pub every_ms: u64,
    /// Seconds from one log entry to the next.
    pub entry_s: u64,
    /// Kibibytes of a log entry.
    pub entry_kib: u64,
    /// Hours that the relay keeps a cell.
    pub keep_h: u64,
    /// Whether phones can watch live, which the relay sees for as long as they do.
    pub live: bool,
}

impl Default for ConstantRate {
    fn default() -> Self {
        Self { kbit_s: 256, every_ms: 2_000, entry_s: 30, entry_kib: 4, keep_h: 24, live: false }
    }
}

impl ConstantRate {
    /// From one cell to the next.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms)
    }

    /// From one log entry to the next.
    pub fn entry_every(&self) -> Duration {
        Duration::from_secs(self.entry_s)
    }

    /// The time within which phones are told to expect an entry. Longer than it takes: one that waited behind others is old when it
    /// comes, and that alone should look like no relay that withholds.
    pub fn sign_every(&self) -> Duration {
        self.entry_every() * 4
    }

    /// Bytes that the messages of a log entry are padded to.
    pub fn entry_bytes(&self) -> usize {
        usize::try_from(self.entry_kib << 10).unwrap_or(usize::MAX)
    }

    /// Bytes that the picture in a clip's notes may have, so that they fit into an entry with the most zones there can be.
    pub fn picture_bytes(&self) -> usize {
        self.entry_bytes().saturating_sub(NOTES)
    }

    /// How long the relay is asked to keep a cell.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_h * 3_600)
    }

    /// Bytes that a cell has at the relay.
    pub fn cell_bytes(&self) -> u64 {
        self.kbit_s * self.every_ms / 8
    }

    /// Bytes that a cell holds.
    pub fn content_bytes(&self) -> usize {
        usize::try_from(self.cell_bytes()).unwrap_or(usize::MAX).saturating_sub(CELL_TAG)
    }

    /// What it costs: megabits a day from the hub to the relay, without what QUIC and IP add.
    pub fn up_mbit_a_day(&self) -> u64 {
        let cells = self.cell_bytes() * (DAY * 1000) / self.every_ms.max(1);
        (cells + self.entries_a_day()) * 8 / 1_000_000
    }

    /// What it costs each phone that reads the log: megabits a day from the relay.
    pub fn phone_mbit_a_day(&self) -> u64 {
        self.entries_a_day() * 8 / 1_000_000
    }

    /// What the relay keeps of it at a time, in bytes.
    pub fn kept_bytes(&self) -> u64 {
        self.cell_bytes() * (self.keep_h * 3_600_000) / self.every_ms.max(1)
    }

    /// The price in words.
    pub fn price(&self) -> String {
        let (up, down) = (self.up_mbit_a_day(), self.phone_mbit_a_day());
        let kept = self.kept_bytes() >> 20;
        format!("{up} Mb a day to the relay, {down} Mb a day to each phone, {kept} MiB kept at the relay")
    }

    fn entries_a_day(&self) -> u64 {
        (self.entry_kib << 10) * DAY / self.entry_s.max(1)
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        let bytes = self.cell_bytes();
        let allowed = "a rate with which a cell (kbit_s * every_ms / 8) has 8000 to 4000000 bytes";
        let wrong = fault_at("constant_rate.kbit_s", &format!("{} with cells of {bytes} bytes", self.kbit_s));
        (!CELL.contains(&bytes)).then(|| wrong.instead(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_is_what_is_sent() {
        let rate = ConstantRate::default();
        assert_eq!((rate.cell_bytes(), rate.content_bytes()), (64_000, 63_984));
        // 256 kbit/s for a day, and 2880 entries of 4 KiB.
        assert_eq!(rate.up_mbit_a_day(), 22_118 + 94);
        assert_eq!(rate.phone_mbit_a_day(), 94);
        assert_eq!(rate.kept_bytes(), 64_000 * 43_200);
        assert!(rate.fault().is_none());
        let slow = ConstantRate { kbit_s: 16, every_ms: 1_000, ..rate };
        assert!(slow.fault().is_some());
    }
}
