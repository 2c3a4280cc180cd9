//! Which of the camera's two streams its live stream shows, and how the pictures of both become one row. Pure.
//!
//! 1. While all who watch want the substream, and it comes, the live stream shows it; else the main stream.
//! 2. It changes over at a key frame of the stream that comes next, so nobody has to wait for a picture, and that begins a segment.
//! 3. The row goes on: frames are counted on without a hole, and decode times rise, whatever the two streams count and say.

use privet_home::Feed;

use super::ring::{MAX_GROUP_BYTES, MAX_GROUP_US};
use crate::media::timing::Timing;

/// A substream without a picture for so long is none. Its worker says so earlier, as a rule.
const SILENT_US: u64 = 5_000_000;

/// What becomes of a picture of the substream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is not shown.
    Nowhere,
    /// It belongs to the open segment.
    Joins,
    /// It opens a segment.
    Opens,
}

/// The state of one live stream, and what is known of the substream.
#[derive(Debug, Default)]
pub(super) struct Changeover {
    shown: Feed,
    /// When the substream's last picture came; none while there is no substream.
    came_us: Option<u64>,
    /// Where the substream's open segment begins, and its bytes so far.
    segment: (i64, usize),
    /// The last frame's number and decode time in the row.
    last: Option<(u64, i64)>,
    /// The next frame is of another stream than the last one.
    changed: bool,
    /// What makes the number of a frame its number in the row, wrapping.
    shift: u64,
}

impl Changeover {
    /// A new live stream begins, with the main stream.
    pub(super) fn begin(&mut self) {
        *self = Self { came_us: self.came_us, ..Self::default() };
    }

    /// Whether that is shown now.
    pub(super) fn shows(&self, feed: Feed) -> bool {
        self.shown == feed
    }

    /// The main stream begins a group, with a `key` frame unless it was cut: whether that begins a segment of the live stream.
    pub(super) fn main_opens(&mut self, wanted: Feed, key: bool, now_us: u64) -> bool {
        if self.shown == Feed::Main {
            return true;
        }
        let comes = self.came_us.is_some_and(|came| now_us.saturating_sub(came) < SILENT_US);
        if !key || (wanted == Feed::Substream && comes) {
            return false;
        }
        self.turn(Feed::Main);
        true
    }

    /// A picture of the substream of so many `bytes`.
    pub(super) fn sub_picture(&mut self, wanted: Feed, key: bool, dts_us: i64, bytes: usize, now_us: u64) -> Place {
        self.came_us = Some(now_us);
        match self.shown {
            Feed::Main if key && wanted == Feed::Substream => self.turn(Feed::Substream),
            Feed::Main => return Place::Nowhere,
            Feed::Substream => {}
        }
        let (since_us, so_far) = self.segment;
        // A group without end is cut, as the main stream's.
        let full = so_far + bytes > MAX_GROUP_BYTES || dts_us.saturating_sub(since_us) > MAX_GROUP_US;
        if key || full {
            self.segment = (dts_us, bytes);
            return Place::Opens;
        }
        self.segment.1 += bytes;
        Place::Joins
    }

    /// The substream is gone.
    pub(super) fn sub_gone(&mut self) {
        self.came_us = None;
    }

    /// Number and time in the row of a picture that is shown.
    pub(super) fn place(&mut self, frame: u64, mut timing: Timing) -> (u64, Timing) {
        let changed = std::mem::take(&mut self.changed);
        if let Some((last, last_dts_us)) = self.last {
            if changed {
                self.shift = last.wrapping_add(1).wrapping_sub(frame);
            }
            // Within one stream they rise anyway.
            let least = last_dts_us.saturating_add(1);
            if timing.dts_us < least {
                timing = Timing { dts_us: least, pts_us: timing.pts_us.max(least), ..timing };
            }
        }
        let frame = frame.wrapping_add(self.shift);
        self.last = Some((frame, timing.dts_us));
        (frame, timing)
    }

    fn turn(&mut self, feed: Feed) {
        (self.shown, self.changed) = (feed, true);
    }
}

#[cfg(test)]
mod tests {
    use super::Feed::{Main, Substream};
    use super::*;

    const S: u64 = 1_000_000;

    fn at(dts_us: i64) -> Timing {
        Timing { dts_us, pts_us: dts_us, duration_us: 1 }
    }

    #[test]
    fn it_changes_at_the_key_frame_of_what_comes_next() {
        let mut live = Changeover::default();
        assert!(live.main_opens(Substream, true, 0), "there is nothing else yet");
        assert_eq!(live.sub_picture(Substream, false, 0, 1, 0), Place::Nowhere);
        assert_eq!(live.sub_picture(Main, true, 0, 1, 0), Place::Nowhere);
        assert_eq!(live.sub_picture(Substream, true, 0, 1, 0), Place::Opens);
        assert_eq!(live.sub_picture(Substream, false, 0, 1, 0), Place::Joins);
        assert!(!live.main_opens(Substream, true, S) && live.shows(Substream));
        assert_eq!(live.sub_picture(Main, true, 0, 1, S), Place::Opens, "until the main stream is there");
        assert!(!live.main_opens(Main, false, S), "a cut group has no key frame");
        assert!(live.main_opens(Main, true, S) && live.shows(Main));
        assert_eq!(live.sub_picture(Main, false, 0, 1, S), Place::Nowhere);
    }

    #[test]
    fn a_substream_that_is_gone_or_silent_makes_way() {
        let mut live = Changeover::default();
        assert_eq!(live.sub_picture(Substream, true, 0, 1, 0), Place::Opens);
        assert!(!live.main_opens(Substream, true, 4 * S));
        assert!(live.main_opens(Substream, true, 5 * S));
        assert_eq!(live.sub_picture(Substream, true, 0, 1, 6 * S), Place::Opens);
        live.sub_gone();
        assert!(live.main_opens(Substream, true, 6 * S));
    }

    #[test]
    fn a_group_of_the_substream_without_end_is_cut() {
        let mut live = Changeover::default();
        live.sub_picture(Substream, true, 0, 1, 0);
        assert_eq!(live.sub_picture(Substream, false, MAX_GROUP_US, 1, 0), Place::Joins);
        assert_eq!(live.sub_picture(Substream, false, MAX_GROUP_US + 1, 1, 0), Place::Opens);
        assert_eq!(live.sub_picture(Substream, false, MAX_GROUP_US + 2, MAX_GROUP_BYTES - 1, 0), Place::Joins);
        assert_eq!(live.sub_picture(Substream, false, MAX_GROUP_US + 3, 1, 0), Place::Opens);
    }

    #[test]
    fn the_row_is_the_main_streams_until_something_changes_and_then_goes_on_without_a_hole() {
        let mut live = Changeover::default();
        assert_eq!(live.place(1000, at(100)), (1000, at(100)));
        assert_eq!(live.place(1003, at(200)), (1003, at(200)), "a hole of the camera's stays one");
        live.sub_picture(Substream, true, 0, 1, 0);
        assert_eq!(live.place(7, at(150)), (1004, at(201)));
        assert_eq!(live.place(8, at(300)), (1005, at(300)));
        assert_eq!(live.place(10, at(400)), (1007, at(400)), "and one of the substream's too");
        assert!(live.main_opens(Main, true, 0));
        assert_eq!(live.place(1200, at(500)), (1008, at(500)));
        assert_eq!(live.place(1201, at(600)), (1009, at(600)));
        live.begin();
        assert_eq!(live.place(1202, at(50)), (1202, at(50)), "another live stream");
    }
}
