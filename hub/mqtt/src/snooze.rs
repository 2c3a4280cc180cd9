//! The snooze of a camera, as home automation sets it: minutes from now. What is no such number is refused by name.

use std::time::Duration;

use privet_protocol::time::Timestamp;

/// The longest snooze, in minutes: a week. Whoever is away for longer wants the profile "away", not a snooze.
pub const LONGEST: u32 = 7 * 24 * 60;
/// What of a payload an error repeats.
const SHOWN: usize = 40;

/// Why a snooze was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snooze {found} is not a number of minutes from 0 (none) to {LONGEST}; nothing was changed")]
pub struct BadSnooze {
    found: String,
}

/// The time that a payload asks for; none if it ends the snooze.
///
/// # Errors
/// [`BadSnooze`].
pub fn asked(payload: &[u8]) -> Result<Option<Duration>, BadSnooze> {
    let bad = || BadSnooze { found: format!("{:?}", String::from_utf8_lossy(&payload[..payload.len().min(SHOWN)])) };
    let text = std::str::from_utf8(payload).map_err(|_| bad())?.trim();
    // Home Assistant sends "30", its templates "30.0".
    let digits = text.strip_suffix(".0").unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    let minutes: u32 = digits.parse().map_err(|_| bad())?;
    match minutes {
        0 => Ok(None),
        1..=LONGEST => Ok(Some(Duration::from_secs(u64::from(minutes) * 60))),
        _ => Err(bad()),
    }
}

/// Minutes from `now` to the end of a snooze, the one that has begun counted whole; 0 without one or after its end.
pub fn minutes_left(until: Option<Timestamp>, now: Timestamp) -> u64 {
    until.map_or(0, |until| until.since(now).as_millis().div_ceil(60_000) as u64)
}

/// The end of a snooze as Home Assistant reads times, or `None` as it reads that there is none.
pub fn end(until: Option<Timestamp>, now: Timestamp) -> String {
    let end = until.filter(|until| *until > now).and_then(|until| jiff::Timestamp::from_millisecond(until.0).ok());
    end.map_or_else(|| "None".into(), |end| end.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_a_number_of_minutes_that_somebody_could_mean_is_taken() {
        assert_eq!(asked(b"30").unwrap(), Some(Duration::from_secs(1800)));
        assert_eq!(asked(b" 30.0\n").unwrap(), Some(Duration::from_secs(1800)));
        assert_eq!(asked(b"10080").unwrap(), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(asked(b"0").unwrap(), None);
        for bad in [
            "",
            "-5",
            "+5",
            "10081",
            "99999999999999999999",
            "1e3",
            "NaN",
            "inf",
            "12.5",
            "ten",
            "0x10",
            "30 min",
            "{}",
            "٣",
        ] {
            let error = asked(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains("0 (none) to 10080"), "{error}");
        }
        let error = asked(&[0xff; 100_000]).unwrap_err().to_string();
        assert!(error.len() < 300, "an error stays short: {}", error.len());
        assert!(!asked(b"\x1b[2Jboo").unwrap_err().to_string().contains('\u{1b}'));
    }

    #[test]
    fn the_minute_that_has_begun_counts_and_an_end_that_is_past_is_none() {
        let now = Timestamp(1_795_250_000_000);
        let at = |seconds: i64| Some(Timestamp(now.0 + seconds * 1000));
        assert_eq!(minutes_left(None, now), 0);
        assert_eq!(minutes_left(at(-1), now), 0);
        assert_eq!(minutes_left(at(1), now), 1);
        assert_eq!(minutes_left(at(60), now), 1);
        assert_eq!(minutes_left(at(61), now), 2);
        assert_eq!(end(at(60), now), "2026-11-21T08:34:20Z");
        assert_eq!(end(at(0), now), "None");
        assert_eq!(end(Some(Timestamp(i64::MAX)), now), "None");
    }
}
