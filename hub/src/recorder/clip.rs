//! When a clip begins and ends. Pure: told what the detector saw and what time it is, it says what to do.
//!
//! Motion starts a clip; motion within the post-roll extends it, so near events are one clip. A clip ends at the first group
//! border after its post-roll, so that the next one's pre-roll repeats nothing; where borders are far apart, it ends anyway.
//! A clip that goes on and on is continued in a new one.

/// How far a clip may outlast its post-roll while it waits for a group border, in microseconds.
const BORDER_WAIT_US: u64 = 5_000_000;

/// How long clips are, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipTimes {
    /// After the last motion.
    pub post_roll_us: u64,
    /// The longest one.
    pub max_us: u64,
}

/// What to do with the clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Stay,
    /// End it.
    End,
    /// End it and go on in a new one.
    Renew,
}

/// The state of a camera's clip.
#[derive(Debug)]
pub struct ClipPlan {
    times: ClipTimes,
    running: Option<Running>,
    moving: bool,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    began_us: u64,
    last_motion_us: u64,
}

impl ClipPlan {
    /// No clip.
    pub fn new(times: ClipTimes) -> Self {
        Self { times, running: None, moving: false }
    }

    /// The detector's verdict about one picture. True when a clip begins.
    pub fn motion(&mut self, active: bool, now_us: u64) -> bool {
        self.moving = active;
        match &mut self.running {
            Some(running) if active => {
                running.last_motion_us = now_us;
                false
            }
            None if active => {
                self.running = Some(Running { began_us: now_us, last_motion_us: now_us });
                true
            }
            _ => false,
        }
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
        let Some(running) = self.running else { return Verdict::Stay };
        if !self.moving && now_us >= running.last_motion_us.saturating_add(self.times.post_roll_us) {
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
        let Some(running) = self.running else { return false };
        let wait = if camera_lost { 0 } else { BORDER_WAIT_US };
        let end = running.last_motion_us.saturating_add(self.times.post_roll_us).saturating_add(wait);
        let over = (camera_lost || !self.moving) && now_us >= end;
        if over {
            self.running = None;
        }
        over
    }

    /// The camera is gone: nothing moves until the detector says so again.
    pub fn camera_lost(&mut self) {
        self.moving = false;
    }

    /// There is no clip any more, for another reason than motion.
    pub fn abort(&mut self) {
        self.running = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn plan() -> ClipPlan {
        ClipPlan::new(ClipTimes { post_roll_us: 10 * S, max_us: 60 * S })
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
        plan.camera_lost();
        assert!(!plan.overdue(9 * S, true));
        assert!(plan.overdue(10 * S, true));
    }
}
