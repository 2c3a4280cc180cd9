//! Cameras blink and relays restart: only what is away for longer than the grace period is told, and only what was told as
//! away is told as back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use privet_home::Happening;
use privet_protocol::id::CameraId;
use privet_protocol::time::Timestamp;

/// A camera, or with `None` the relay.
pub type Subject = Option<CameraId>;

/// What is away, since when, and what of it was told. Time goes in, happenings come out.
#[derive(Debug)]
pub struct Grace {
    period: Duration,
    away: BTreeMap<Subject, Away>,
    told: BTreeSet<Subject>,
}

#[derive(Debug)]
struct Away {
    since: Timestamp,
    reason: String,
}

impl Grace {
    /// With this period; `told` is what an earlier run told as away ([`crate::Book::away`]).
    pub fn new(period: Duration, told: BTreeSet<Subject>) -> Self {
        Self { period, away: BTreeMap::new(), told }
    }

    /// It is away. Again and again is the same as once, but the newest reason counts.
    pub fn lost(&mut self, subject: Subject, reason: &str, now: Timestamp) {
        let away = self.away.entry(subject).or_insert_with(|| Away { since: now, reason: String::new() });
        // As much as the log takes, cut where a character ends.
        away.reason = reason
            .chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= 512).then_some(c)
            })
            .collect();
    }

    /// It is there; gives what is to be told, if its absence was.
    pub fn found(&mut self, subject: Subject) -> Option<Happening> {
        self.away.remove(&subject);
        let back = if subject.is_some() { Happening::CameraOnline } else { Happening::RelayBack };
        self.told.remove(&subject).then_some(back)
    }

    /// What has been away for longer than the period by now and was not told yet.
    pub fn due(&mut self, now: Timestamp) -> Vec<(Subject, Happening)> {
        let (period, told) = (self.period, &mut self.told);
        let over = self.away.iter().filter(|(_, away)| now >= away.since.after(period));
        over.filter(|(subject, _)| told.insert(**subject))
            .map(|(subject, away)| {
                let camera = || Happening::CameraOffline { reason: away.reason.clone() };
                let relay = Happening::RelayUnreachable { since: away.since };
                (*subject, subject.map_or(relay, |_| camera()))
            })
            .collect()
    }

    /// When [`Self::due`] has something next.
    pub fn next(&self) -> Option<Timestamp> {
        let open = self.away.iter().filter(|(subject, _)| !self.told.contains(*subject));
        open.map(|(_, away)| away.since.after(self.period)).min()
    }
}
