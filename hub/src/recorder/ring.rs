//! The pre-roll: the last seconds of video as the camera sent it, unsealed and in RAM, in groups of pictures.
//!
//! Promise: the first group starts with a key frame; what is kept never takes more than the bound given, whatever the camera
//! sends; the group now being filled is always there, so that a viewer can start at its key frame.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::media::timing::Timing;
use crate::source::{AccessUnit, Format};

/// A group longer than this is cut: the next part starts without a key frame. Bounds a segment.
pub const MAX_GROUP_BYTES: usize = 12 << 20;
/// The same as time.
pub const MAX_GROUP_US: i64 = 30_000_000;

/// An access unit with its place on the camera's time line.
#[derive(Clone, Debug)]
pub struct TimedUnit {
    /// The unit.
    pub unit: AccessUnit,
    /// Its place on the time line that goes on over reconnects, in microseconds.
    pub timing: Timing,
    /// The camera's frame number, counted over all its streams and restarts of the hub; for sound that of the last picture.
    pub frame: u64,
    /// How often the wall clock was set back before it came, since the hub's start.
    pub set_backs: u64,
}

/// A group of pictures: what becomes a segment.
#[derive(Clone, Debug)]
pub struct Group {
    /// What the camera sends.
    pub format: Arc<Format>,
    /// Whether it starts with a key frame; the later parts of a cut group don't.
    pub starts_with_key: bool,
    /// Its units in order of decoding.
    pub units: Vec<TimedUnit>,
    bytes: usize,
}

impl Group {
    fn begins_us(&self) -> i64 {
        self.units.first().map_or(i64::MAX, |u| u.timing.dts_us)
    }

    /// The number of its first frame.
    pub fn first_frame(&self) -> u64 {
        self.units.first().map_or(0, |u| u.frame)
    }
}

/// What a unit did to the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It belongs to the group that was open.
    Joined,
    /// It opened a new group.
    Opened,
    /// Nothing can be started with it: no key frame came yet.
    Dropped,
}

/// The groups of the last seconds.
#[derive(Debug)]
pub struct Ring {
    groups: VecDeque<Group>,
    format: Option<Arc<Format>>,
    /// The next picture must be a key frame of `format`.
    awaits_key: bool,
    keep_us: i64,
    max_bytes: usize,
    bytes: usize,
}

impl Ring {
    /// A ring that keeps `keep_us` microseconds, and never more than `max_bytes` (or one group).
    pub fn new(keep_us: i64, max_bytes: usize) -> Self {
        Self { groups: VecDeque::new(), format: None, awaits_key: true, keep_us, max_bytes, bytes: 0 }
    }

    /// From now on the camera sends this.
    pub fn set_format(&mut self, format: Arc<Format>) {
        self.format = Some(format);
        self.awaits_key = true;
    }

    /// Forgets everything: the camera is gone.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.bytes = 0;
        self.awaits_key = true;
    }

    /// Takes the next unit. Sound never opens a group.
    pub fn push(&mut self, unit: TimedUnit, is_video: bool) -> Pushed {
        let key = is_video && unit.unit.key;
        let Some(format) = self.format.clone().filter(|_| key || !self.awaits_key) else { return Pushed::Dropped };
        let full = is_video
            && self.groups.back().is_some_and(|group| {
                group.bytes + unit.unit.data.len() > MAX_GROUP_BYTES
                    || unit.timing.dts_us - group.begins_us() > MAX_GROUP_US
            });
        let pushed = if key || full {
            self.awaits_key = false;
            self.groups.push_back(Group { format, starts_with_key: key, units: Vec::new(), bytes: 0 });
            Pushed::Opened
        } else {
            Pushed::Joined
        };
        let now_us = unit.timing.dts_us;
        let length = unit.unit.data.len();
        let Some(group) = self.groups.back_mut() else { return Pushed::Dropped };
        group.bytes += length;
        group.units.push(unit);
        self.bytes += length;
        if pushed == Pushed::Opened {
            self.forget_before(now_us - self.keep_us);
        }
        self.forget_beyond();
        pushed
    }

    /// All groups, the one being filled last.
    pub fn groups(&self) -> impl DoubleEndedIterator<Item = &Group> {
        self.groups.iter()
    }

    /// The group being filled and, where it is a later part of a cut one, the parts before it: from a key frame on. Empty
    /// when there is no key frame to start with.
    pub fn from_last_key(&self) -> impl Iterator<Item = &Group> {
        let start = self.groups.iter().rposition(|g| g.starts_with_key).unwrap_or(self.groups.len());
        self.groups.range(start..)
    }

    /// Bytes of video held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops groups that end before `time_us`.
    fn forget_before(&mut self, time_us: i64) {
        // Parts of a cut group are of use only with their key frame, so they go together.
        while self.groups.iter().skip(1).find(|g| g.starts_with_key).is_some_and(|g| g.begins_us() <= time_us) {
            self.drop_first();
        }
    }

    fn forget_beyond(&mut self) {
        while self.groups.len() > 1 && self.bytes > self.max_bytes {
            self.drop_first();
        }
    }

    /// Drops the first group with all of its parts, but never the group being filled.
    fn drop_first(&mut self) {
        loop {
            if let Some(group) = self.groups.pop_front() {
                self.bytes -= group.bytes;
            }
            if self.groups.len() <= 1 || self.groups[0].starts_with_key {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use privet_protocol::time::Timestamp;

    use super::*;
    use crate::source::Track;

    fn format() -> Arc<Format> {
        Arc::new(Format {
            codec: "avc1.42001e".into(),
            width: 8,
            height: 8,
            video_sample_entry: Bytes::new(),
            avcc: Bytes::new(),
            audio: None,
            nominal_millifps: None,
        })
    }

    fn unit(at_s: i64, key: bool, bytes: usize) -> TimedUnit {
        let unit = AccessUnit {
            track: Track::Video,
            key,
            pts_us: 0,
            received: Timestamp(0),
            received_mono_us: 0,
            frame: 0,
            data: Bytes::from(vec![0; bytes]),
            loss: 0,
        };
        let timing = Timing { dts_us: at_s * 1_000_000, pts_us: at_s * 1_000_000, duration_us: 1_000_000 };
        TimedUnit { unit, timing, frame: u64::try_from(at_s).unwrap_or(0), set_backs: 0 }
    }

    fn firsts(ring: &Ring) -> Vec<u64> {
        ring.groups().map(Group::first_frame).collect()
    }

    #[test]
    fn it_starts_with_a_key_frame_and_keeps_the_time_asked_for() {
        let mut ring = Ring::new(5_000_000, 1 << 20);
        assert_eq!(ring.push(unit(0, true, 1), true), Pushed::Dropped, "no format yet");
        ring.set_format(format());
        assert_eq!(ring.push(unit(0, false, 1), true), Pushed::Dropped);
        for at in 0..20 {
            ring.push(unit(at, at % 2 == 0, 1), true);
        }
        assert_eq!(firsts(&ring), [12, 14, 16, 18]);
        assert_eq!(ring.from_last_key().count(), 1);
    }

    #[test]
    fn memory_is_bounded_even_without_key_frames() {
        let mut ring = Ring::new(5_000_000, 20 << 20);
        ring.set_format(format());
        ring.push(unit(0, true, 1 << 20), true);
        for at in 1..200 {
            ring.push(unit(at / 10, false, 1 << 20), true);
            assert!(ring.bytes() <= (20 << 20) + MAX_GROUP_BYTES, "{} bytes", ring.bytes());
        }
        // The key frame had to go, so nobody can start before the next one.
        assert_eq!(ring.from_last_key().count(), 0);
        ring.push(unit(30, true, 1), true);
        assert_eq!(ring.from_last_key().count(), 1);
    }

    #[test]
    fn a_group_without_end_is_cut_and_its_parts_stay_together() {
        let mut ring = Ring::new(5_000_000, 1 << 30);
        ring.set_format(format());
        for at in 0..70 {
            ring.push(unit(at, at == 0, 1), true);
        }
        assert_eq!(firsts(&ring), [0, 31, 62]);
        assert_eq!(ring.from_last_key().count(), 3);
        ring.push(unit(70, true, 1), true);
        ring.push(unit(80, true, 1), true);
        assert_eq!(firsts(&ring), [70, 80]);
    }
}
