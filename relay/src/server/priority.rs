//! Which streams of a connection go first, and how much of them may wait in it.
//!
//! Answers and log entries go before video: they are short, and a notification must not wait for a picture. Of live segments the
//! newest goes first, whichever stream it belongs to; what is on disk can wait for all of them.

/// Answers, log and inbox entries.
pub(crate) const ANSWER: i32 = i32::MAX;
/// Segments on disk that are followed: newer than what is fetched, but they don't spoil.
pub(crate) const KEPT: i32 = 0;
/// Segments that are fetched.
pub(crate) const BULK: i32 = -1;

/// A live segment that was the `begun`th of its home to begin.
pub(crate) fn live(begun: u32) -> i32 {
    i32::try_from(begun).unwrap_or(ANSWER - 1).clamp(KEPT + 1, ANSWER - 1)
}

const KIB: u64 = 1024;

/// Bytes that may be on their way to a client that follows, whose congestion window is `congestion`: what the path holds and a
/// little more, so that what is late is decided late, and that a fast path far away is still filled.
pub(crate) fn send_window(congestion: u64) -> u64 {
    (congestion + congestion / 4).clamp(64 * KIB, 1024 * KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_goes_before_older_and_all_of_it_between_answers_and_what_is_kept() {
        let order = [BULK, KEPT, live(0), live(2), live(3), live(u32::MAX), ANSWER];
        assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
    }

    #[test]
    fn a_slow_path_costs_little_memory_and_a_fast_one_is_filled() {
        assert_eq!(send_window(0), 64 * KIB);
        assert_eq!(send_window(200 * KIB), 250 * KIB);
        assert_eq!(send_window(u64::MAX / 2), 1024 * KIB);
    }
}
