//! The one place that prints. Data goes to stdout, talk to stderr.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::run::Failure;

/// How items are printed.
pub struct Say {
    json: bool,
}

impl Say {
    /// For people, or for machines.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// An item of data: as JSON, or as `text`.
    pub fn item(&self, item: &impl Serialize, text: impl FnOnce() -> String) {
        let line = if self.json {
            serde_json::to_string(item).unwrap_or_else(|e| json!({ "error": e.to_string() }).to_string())
        } else {
            text()
        };
        // Nobody reads any more: nothing is left to do for them.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// A word to the person in front of it.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Something failed: says it and gives the exit code of its class.
    pub fn failed(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let line = json!({ "error": failure.to_string(), "class": failure.class(), "exit": failure.exit() });
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        self.note(&format!("privet-viewer: {failure}"));
        ExitCode::from(failure.exit())
    }

    /// For work that may take longer than two seconds.
    pub fn progress(&self, what: impl Into<String>) -> Progress {
        Progress { what: what.into(), started: Instant::now(), shown: None, terminal: std::io::stderr().is_terminal() }
    }
}

/// Tells on stderr how far something is, from its third second on.
pub struct Progress {
    what: String,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// How far it is, in words.
    pub fn at(&mut self, how_far: &str) {
        let every = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        if self.started.elapsed() < Duration::from_secs(2) || self.shown.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        self.shown = Some(Instant::now());
        let (start, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let _ = write!(std::io::stderr(), "{start}{}: {how_far}{end}", self.what);
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() && self.terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}

/// A time for people: UTC, to the second.
pub fn utc(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_the_calendars() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(951_827_696_000), "2000-02-29 12:34:56Z");
        assert_eq!(utc(1_795_132_800_000), "2026-11-20 00:00:00Z");
    }
}
