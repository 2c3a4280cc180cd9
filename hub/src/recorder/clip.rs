//! When a clip begins and ends. Pure: told what the detector saw and what time it is, it says what to do.
//!
//! Motion starts a clip; motion within the post-roll extends it, so near events are one clip. A clip ends at the first group
//! border after its post-roll, so that the next one's pre-roll repeats nothing; where borders are far apart, it ends anyway.
//! A clip that goes on and on is continued in a new one. Recording without a break is one clip after the other, each continued
//! at a border; it ends when the camera stays away. A detector that fell silent while something moved keeps no clip going.

use serde::{Deserialize, Serialize};

/// How far a clip may outlast its post-roll while it waits for a group border, in microseconds.
const BORDER_WAIT_US: u64 = 5_000_000;
/// A detector that says nothing for so long sees nothing move, in microseconds. Twice the longest group, because with key frames
/// only there is a verdict a group.
pub(super) const SILENCE_US: u64 = 2 * super::ring::MAX_GROUP_US as u64;

/// What is kept of a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// Clips of what moves.
    #[default]
    Events,
    /// Everything, as clips that follow each other without a hole.
    Continuous,
    /// Nothing. It can be watched live, and what moves is told.
    Off,
}

/// How long clips are, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipTimes {
    /// After the last motion; also how long a camera may be away within a clip.
    pub post_roll_us: u64,
    /// The longest one.
    pub max_us: u64,
}

/// What to do with the clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Stay,
    /// Begin one here.
    Begin,
    /// End it.
    End,
    /// End it and go on in a new one.
    Renew,
}

/// The state of a camera's clip.
#[derive(Debug)]
pub struct ClipPlan {
    times: ClipTimes,
    record: Record,
    running: Option<Running>,
    moving: bool,
    looked_us: u64,
    /// Nobody looks for motion, so everything may be an event.
    blind: bool,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    began_us: u64,
    /// The last motion; when everything is recorded, when the camera was lost.
    last_us: u64,
}

impl ClipPlan {
    /// No clip.
    pub fn new(times: ClipTimes, record: Record) -> Self {
        Self { times, record, running: None, moving: false, looked_us: 0, blind: false }
    }

    /// The detector's verdict about one picture. True when a clip begins.
    pub fn motion(&mut self, active: bool, now_us: u64) -> bool {
        self.moving = active;
        self.looked_us = now_us;
        self.blind = false;
        match (self.record, &mut self.running) {
            (Record::Events, Some(running)) if active => {
                running.last_us = now_us;
                false
            }
            (Record::Events, None) if active => {
                self.running = Some(Running { began_us: now_us, last_us: now_us });
                true
            }
            _ => false,
        }
    }

    /// Motion can't be looked for: until the next verdict, what clips of events are made of is kept without a break.
    pub fn blind(&mut self) {
        self.blind = true;
    }

    /// Whether the detector last saw something move.
    pub fn moving(&self) -> bool {
        self.moving
    }

    /// Whether a clip is running.
    pub fn running(&self) -> bool {
        self.running.is_some()
    }

    /// A group border: the right moment to end.
    pub fn at_border(&mut self, now_us: u64) -> Verdict {
        let Some(running) = self.running else {
            if !self.keeps_all() {
                return Verdict::Stay;
            }
            self.running = Some(Running { began_us: now_us, last_us: now_us });
            return Verdict::Begin;
        };
        let quiet = !self.keeps_all() && !self.moving;
        if quiet && now_us >= running.last_us.saturating_add(self.times.post_roll_us) {
            self.running = None;
            Verdict::End
        } else if now_us >= running.began_us.saturating_add(self.times.max_us) {
            self.running = Some(Running { began_us: now_us, ..running });
            Verdict::Renew
        } else {
            Verdict::Stay
        }
    }

    /// Time passes: whether the clip must end without a border. A camera that stopped sending is not moving.
    pub fn overdue(&mut self, now_us: u64, camera_lost: bool) -> bool {
        if now_us.saturating_sub(self.looked_us) >= SILENCE_US {
            self.moving = false;
        }
        let Some(running) = self.running else { return false };
        let wait = if camera_lost { 0 } else { BORDER_WAIT_US };
        let end = running.last_us.saturating_add(self.times.post_roll_us).saturating_add(wait);
        let quiet = !self.keeps_all() && !self.moving;
        let over = (camera_lost || quiet) && now_us >= end;
        if over {
            self.running = None;
        }
        over
    }

    /// The camera is gone: nothing moves until the detector says so again.
    pub fn camera_lost(&mut self, now_us: u64) {
        self.moving = false;
        let keeps_all = self.keeps_all();
        if let Some(running) = self.running.as_mut().filter(|_| keeps_all) {
            running.last_us = now_us;
        }
    }

    /// There is no clip any more, for another reason than motion.
    pub fn abort(&mut self) {
        self.running = None;
    }

    fn keeps_all(&self) -> bool {
        match self.record {
            Record::Continuous => true,
            Record::Events => self.blind,
            Record::Off => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn plan_of(record: Record) -> ClipPlan {
        ClipPlan::new(ClipTimes { post_roll_us: 10 * S, max_us: 60 * S }, record)
    }

    fn plan() -> ClipPlan {
        plan_of(Record::Events)
    }

    #[test]
    fn near_events_are_one_clip_and_far_ones_two() {
        let mut plan = plan();
        assert!(plan.motion(true, S));
        assert!(!plan.motion(false, 2 * S));
        assert!(!plan.motion(true, 9 * S), "within the post-roll");
        assert!(!plan.motion(false, 10 * S));
        assert_eq!(plan.at_border(18 * S), Verdict::Stay);
        assert_eq!(plan.at_border(19 * S), Verdict::End);
        assert!(plan.motion(true, 20 * S));
    }

    #[test]
    fn it_does_not_end_while_something_moves_but_is_renewed() {
        let mut plan = plan();
        plan.motion(true, 0);
        assert_eq!(plan.at_border(30 * S), Verdict::Stay);
        assert_eq!(plan.at_border(60 * S), Verdict::Renew);
        assert_eq!(plan.at_border(90 * S), Verdict::Stay);
        assert_eq!(plan.at_border(120 * S), Verdict::Renew);
    }

    #[test]
    fn without_borders_it_ends_anyway() {
        let mut plan = plan();
        plan.motion(true, 0);
        plan.motion(false, S);
        assert!(!plan.overdue(14 * S, false));
        assert!(plan.overdue(15 * S, false));
        assert!(!plan.running());
    }

    #[test]
    fn a_lost_camera_ends_it_at_the_post_roll_even_if_something_moved_last() {
        let mut plan = plan();
        plan.motion(true, 0);
        plan.camera_lost(S);
        assert!(!plan.overdue(9 * S, true));
        assert!(plan.overdue(10 * S, true));
    }

    #[test]
    fn a_detector_that_fell_silent_while_something_moved_keeps_no_clip_going() {
        let mut plan = plan();
        plan.motion(true, 0);
        assert!(!plan.overdue(59 * S, false));
        assert_eq!(plan.at_border(59 * S), Verdict::Stay);
        assert!(plan.overdue(60 * S, false));
    }

    #[test]
    fn without_a_break_one_clip_follows_the_other_and_only_a_camera_that_stays_away_ends_it() {
        let mut plan = plan_of(Record::Continuous);
        assert!(!plan.motion(true, 0) && !plan.running(), "it begins with a key frame");
        assert_eq!(plan.at_border(S), Verdict::Begin);
        plan.motion(false, 2 * S);
        assert_eq!(plan.at_border(60 * S), Verdict::Stay);
        assert!(!plan.overdue(60 * S, false));
        assert_eq!(plan.at_border(61 * S), Verdict::Renew);
        assert_eq!(plan.at_border(120 * S), Verdict::Stay);
        assert_eq!(plan.at_border(121 * S), Verdict::Renew);
        plan.camera_lost(130 * S);
        assert!(!plan.overdue(139 * S, true));
        assert!(plan.overdue(140 * S, true));
        assert_eq!(plan.at_border(200 * S), Verdict::Begin);
    }

    #[test]
    fn while_nobody_looks_for_motion_everything_is_kept_until_the_first_verdict() {
        let mut plan = plan();
        assert_eq!(plan.at_border(S), Verdict::Stay);
        plan.blind();
        assert_eq!(plan.at_border(2 * S), Verdict::Begin);
        assert!(!plan.overdue(30 * S, false));
        assert_eq!(plan.at_border(62 * S), Verdict::Renew);
        plan.camera_lost(70 * S);
        assert!(!plan.overdue(72 * S, true));
        assert_eq!(plan.at_border(73 * S), Verdict::Stay, "a new worker, that has said nothing yet");
        assert!(!plan.motion(false, 90 * S));
        assert_eq!(plan.at_border(91 * S), Verdict::End);
        assert_eq!(plan.at_border(92 * S), Verdict::Stay);
        let mut off = plan_of(Record::Off);
        off.blind();
        assert_eq!(off.at_border(S), Verdict::Stay);
    }

    #[test]
    fn off_keeps_nothing() {
        let mut plan = plan_of(Record::Off);
        assert!(!plan.motion(true, 0));
        assert_eq!(plan.at_border(S), Verdict::Stay);
        assert!(plan.moving() && !plan.running() && !plan.overdue(100 * S, true));
    }
}
