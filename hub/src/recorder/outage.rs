//! Outages become gap statements; a wall clock that is set back is noticed.

use std::time::Duration;

use privet_protocol::time::Timestamp;
use privet_segment::{Gap, GapReason};

use super::event::Moment;

/// A wall clock may fall behind the monotonic one by so much before it counts as set back.
const TOLERANCE_MS: i64 = 1_000;

/// What is to be said about missing pictures at the next segment, for the live and the recorded statements each.
#[derive(Debug, Default)]
pub struct Outages {
    live: State,
    recorded: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    None,
    /// Begun, not over.
    Open { from: Timestamp, reason: GapReason },
    /// Over, not yet told.
    Over(Gap),
}

impl State {
    fn begin(&mut self, from: Timestamp, reason: GapReason) {
        *self = match std::mem::take(self) {
            // Two outages without a segment between them are one; the first cause is the one to name.
            Self::Open { from, reason } | Self::Over(Gap { from, reason, .. }) => Self::Open { from, reason },
            Self::None => Self::Open { from, reason },
        };
    }

    fn end(&mut self, until: Timestamp) {
        if let Self::Open { from, reason } = *self {
            *self = Self::Over(Gap { from, until, reason });
        }
    }

    fn take(&mut self) -> Option<Gap> {
        match *self {
            Self::Over(gap) => {
                *self = Self::None;
                Some(gap)
            }
            _ => None,
        }
    }
}

impl Outages {
    /// The hub was off since its last recorded segment.
    pub fn after_restart(recorded_until: Option<Timestamp>) -> Self {
        let recorded = recorded_until.map_or(State::None, |from| State::Open { from, reason: GapReason::HubOff });
        Self { live: State::None, recorded }
    }

    /// No pictures come from now on.
    pub fn begin(&mut self, from: Timestamp, reason: GapReason) {
        self.live.begin(from, reason);
        self.recorded.begin(from, reason);
    }

    /// They come again.
    pub fn end(&mut self, until: Timestamp) {
        self.live.end(until);
        self.recorded.end(until);
    }

    /// Nothing can be recorded from now on.
    pub fn begin_recorded(&mut self, from: Timestamp, reason: GapReason) {
        self.recorded.begin(from, reason);
    }

    /// It can again.
    pub fn end_recorded(&mut self, until: Timestamp) {
        self.recorded.end(until);
    }

    /// What the next live segment says.
    pub fn take_live(&mut self) -> Option<Gap> {
        self.live.take()
    }

    /// What the next recorded segment says. The first one of a clip says at least that nothing was recorded since the last,
    /// even if the clock was `set_back` to before that.
    pub fn take_recorded(
        &mut self,
        started: Timestamp,
        last: Option<Timestamp>,
        first: bool,
        set_back: bool,
    ) -> Option<Gap> {
        self.recorded.end(started);
        let between = last.filter(|last| first && (*last < started || set_back));
        self.recorded
            .take()
            .or_else(|| between.map(|from| Gap { from, until: started, reason: GapReason::NotRecorded }))
    }
}

/// Watches the wall clock against the monotonic one, from one unit of the camera to the next: what was set back between two
/// units is told by the segment with the later one, whenever that is sealed.
#[derive(Debug, Default)]
pub struct WallClock {
    last: Option<Moment>,
    set_backs: u64,
}

impl WallClock {
    /// How often the wall clock was set back until a unit came, `at` that moment.
    pub fn set_backs(&mut self, at: Moment) -> u64 {
        if let Some(last) = self.last.replace(at) {
            let passed_ms = i64::try_from(at.mono_us.saturating_sub(last.mono_us) / 1000).unwrap_or(i64::MAX);
            self.set_backs +=
                u64::from(earlier(at.wall, last.wall.after(Duration::from_millis(passed_ms.unsigned_abs()))));
        }
        self.set_backs
    }

    /// How often it had been set back when the last unit came.
    pub fn so_far(&self) -> u64 {
        self.set_backs
    }
}

/// Whether it is earlier by more than clocks and units in their queues differ anyway.
pub fn earlier(wall: Timestamp, expected: Timestamp) -> bool {
    wall.0 < expected.0.saturating_sub(TOLERANCE_MS)
}
