//! What the decoder gets: as little as detection needs. Pure: units in, orders out.
//!
//! Decoding is what detection costs, so it is rationed:
//! - A *whole* stream (the substream) is decoded but for pictures that nobody refers to. Units wait until one is due that is looked
//!   at and go to the decoder together: it wakes five times a second instead of fifteen, and nothing comes later for it.
//! - Of *key frames* (a main stream) only these are decoded while all is quiet, each as a trial. When the detector finds that one
//!   differs, the group before it and what came since are decoded after the fact, and everything from then on until it is quiet
//!   again. So the onset is found where it was. Once something has moved for a second, the last 1.4 s of each group are
//!   left out: the activity is known, and is held for longer than that. Where the beginning of a group shows nothing any more, key
//!   frames are enough to know whether it comes again, however long the activity is held.
//! - What waits for a picture that is looked at is left out with it.
//! - Groups longer than 4.5 s (smart codecs) have too few key frames for that; they are decoded whole.
//!
//! A trial may be decoded worse than it was sent (without the loop filter), so nothing that is looked at is built on it: whatever
//! wakes the decoder inside of a group that began with a trial, it gets the key frame again, as it was sent.

use std::collections::VecDeque;

use bytes::Bytes;

use super::MotionSettings;

/// Key frames further apart than this are too rare to find motion by.
pub(crate) const LONG_US: i64 = 4_500_000;
/// Decoding goes on for so long after the last picture with motion.
const CALM_US: i64 = 700_000;
/// What moves for so long is known: from then on not every picture is needed.
const SETTLED_US: i64 = 1_000_000;
/// So much of a group's end is left out then at the most.
const REST_US: i64 = 1_400_000;
/// And less than the detector holds an activity by so much, or it would fall apart: pictures are looked at only so often.
const BEFORE_HOLD_US: i64 = 600_000;
/// But its beginning is looked at for so long: what moves between pictures is what shows where it moves.
const BEGINNING_US: i64 = 550_000;
/// And for so long after the start, so that the detector learns the scene and its noise.
const LEARN_US: i64 = 2_500_000;
/// Units of groups that may be kept for a look back; a group of more is decoded as it comes.
const MAX_KEPT: usize = 12 << 20;
/// Units that wait for the next one that is looked at.
const MAX_BATCH: usize = 30;
/// Their bytes.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// A decoder that reorders holds a key frame back until so many more units have come.
const TAIL: usize = 5;

/// Which pictures of a stream are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// All that others refer to.
    Whole,
    /// Key frames, and more on suspicion.
    KeyFrames,
}

/// An access unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// NAL units with 4-byte lengths.
    pub data: Bytes,
    /// A decoder can start here.
    pub key: bool,
    /// Nobody refers to it.
    pub disposable: bool,
    /// When it shows.
    pub pts_us: i64,
}

/// What becomes of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Others refer to it.
    Reference,
    /// The detector looks at it.
    Look,
    /// The detector looks at it and forgets it again if it is suspicious. No picture that is looked at refers to it: those that
    /// may come right after it only push it out of a decoder that reorders.
    Try,
}

/// What the detector says of a picture, as far as decoding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// There is none.
    None,
    /// It was there a moment ago, and is held; nothing moves in this picture.
    Held,
    /// This picture shows it.
    Seen,
}

/// A unit for the decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is decoded.
    pub unit: Unit,
    /// What becomes of its picture.
    pub as_what: Use,
}

/// Microseconds between pictures that are looked at: a little less than the rate says, so that every third picture of 15 per
/// second is not missed by a rounding error.
pub(crate) fn interval_us(rate: f32) -> i64 {
    (950_000.0 / f64::from(rate.clamp(0.5, 30.0))) as i64
}

/// Decides what is decoded.
#[derive(Debug)]
pub struct Ration {
    portion: Portion,
    interval_us: i64,
    /// So much of a group's end may be left out.
    rest_us: i64,
    next_look_us: i64,
    /// Decoding everything up to here; presentation time.
    awake_until_us: i64,
    began_us: Option<i64>,
    /// Wait for the unit that is looked at.
    batch: Vec<Unit>,
    batch_bytes: usize,
    /// The group that a trial may make suspicious, and those after it; each begins with a key frame.
    groups: VecDeque<Vec<Unit>>,
    kept: usize,
    /// Units of the last group that the decoder has.
    given: usize,
    /// It has the last group's key frame as a trial only; so all of the group would have to be decoded again.
    on_trial: bool,
    /// The latest picture that the detector knows.
    looked_us: i64,
    last_key_us: i64,
    /// How long the last whole group was.
    group_us: i64,
    /// Since when something has been seen to move.
    active_since_us: Option<i64>,
    /// The latest picture that showed motion.
    seen_us: i64,
    /// Since that one a group's end was left out, so it wakes with a key frame to see whether motion goes on.
    rested: bool,
    /// Groups are too long for key frames alone.
    long: bool,
    /// Pictures come in another order than they are shown.
    reorders: bool,
    highest_us: i64,
}

impl Ration {
    /// A ration that gives as many pictures to look at as the settings say.
    pub fn new(portion: Portion, settings: &MotionSettings) -> Self {
        Self {
            portion,
            interval_us: interval_us(settings.pictures_per_second),
            rest_us: REST_US.min(settings.expert.hold_us() - BEFORE_HOLD_US),
            next_look_us: i64::MIN,
            awake_until_us: i64::MIN,
            began_us: None,
            batch: Vec::new(),
            batch_bytes: 0,
            groups: VecDeque::new(),
            kept: 0,
            given: 0,
            on_trial: false,
            looked_us: i64::MIN,
            last_key_us: i64::MIN,
            group_us: 0,
            active_since_us: None,
            seen_us: i64::MIN,
            rested: false,
            long: false,
            reorders: false,
            highest_us: i64::MIN,
        }
    }

    /// Key frames are too rare in this stream, so all of it is decoded.
    pub fn is_long(&self) -> bool {
        self.long
    }

    /// The next unit; the first one must be a key frame.
    pub fn take(&mut self, unit: Unit, out: &mut Vec<Order>) {
        if self.began_us.is_none() {
            self.began_us = Some(unit.pts_us);
            self.awake_until_us = unit.pts_us.saturating_add(LEARN_US);
        }
        self.reorders |= !unit.key && unit.pts_us < self.highest_us && self.highest_us - unit.pts_us < LONG_US;
        self.highest_us = unit.pts_us.max(if unit.key { i64::MIN } else { self.highest_us });
        if self.portion == Portion::Whole {
            return self.decode(unit, out);
        }
        let since_key = unit.pts_us.saturating_sub(self.last_key_us);
        if unit.key {
            self.long = self.long && since_key > LONG_US;
            self.group_us = since_key.clamp(0, LONG_US);
            self.last_key_us = unit.pts_us;
        }
        let awake = self.long || unit.pts_us < self.awake_until_us;
        if !self.keep(&unit) || (since_key > LONG_US && !unit.key) {
            // Longer than it may be: what is kept is decoded now, and the rest as it comes.
            if !std::mem::replace(&mut self.long, true) {
                // Awake, the decoder may still lack what rested, or all of a group that was on trial when something was seen late.
                return if awake { self.catch_up(out) } else { self.look_back(out) };
            }
        }
        match (awake, unit.key) {
            (true, _) if self.long => self.decode(unit, out),
            (true, false) if self.may_rest(unit.pts_us) => {
                self.leave_out(out);
                self.awake_until_us = if self.seen_us >= self.last_key_us {
                    self.rested = true;
                    // It wakes with the next key frame.
                    self.awake_until_us.max(self.next_key_us().saturating_add(CALM_US))
                } else {
                    unit.pts_us
                };
            }
            (true, _) => self.catch_up(out),
            (false, true) => {
                self.leave_out(out);
                self.given = 1;
                self.on_trial = true;
                self.next_look_us = unit.pts_us.saturating_add(self.interval_us);
                out.push(Order { unit, as_what: Use::Try });
            }
            (false, false) => {
                self.leave_out(out);
                if self.reorders && self.given < TAIL {
                    // Perhaps on top of a trial: its picture is for nobody.
                    self.given += 1;
                    out.push(Order { unit, as_what: Use::Reference });
                }
            }
        }
    }

    /// A trial showed that the key frame of this time differs from what was before: look back and stay awake.
    pub fn suspect(&mut self, pts_us: i64, out: &mut Vec<Order>) {
        let Some(latest) = self.groups.back().and_then(|group| group.last()).map(|unit| unit.pts_us) else { return };
        if self.portion != Portion::KeyFrames || self.long || latest < self.awake_until_us {
            return;
        }
        // The group that ends with this key frame is the first that is of interest.
        while self.groups.len() > 1 && self.groups[1].first().is_none_or(|key| key.pts_us < pts_us) {
            self.forget_group();
        }
        self.look_back(out);
        self.awake_until_us = latest.max(pts_us).saturating_add(CALM_US);
    }

    /// The detector looked at the picture of this time.
    pub fn saw(&mut self, pts_us: i64, motion: Motion) {
        self.looked_us = self.looked_us.max(pts_us);
        match motion {
            Motion::Seen => {
                self.awake_until_us = self.awake_until_us.max(pts_us.saturating_add(CALM_US));
                self.active_since_us.get_or_insert(pts_us);
                self.seen_us = pts_us;
                self.rested = false;
            }
            Motion::Held | Motion::None => {
                if motion == Motion::None {
                    self.active_since_us = None;
                }
                if self.rested && pts_us >= self.last_key_us {
                    // The key frame is like what was seen a rest ago: it is over, or stands still.
                    self.rested = false;
                    self.awake_until_us = self.awake_until_us.min(pts_us);
                }
            }
        }
    }

    /// This picture of an activity is not needed.
    fn may_rest(&self, pts_us: i64) -> bool {
        let settled = self.active_since_us.is_some_and(|since| pts_us.saturating_sub(since) >= SETTLED_US);
        let into_group = pts_us.saturating_sub(self.last_key_us);
        let rests = into_group >= (self.group_us - self.rest_us).max(BEGINNING_US);
        settled && self.rest_us > 0 && rests && pts_us < self.next_key_us()
    }

    /// When the next key frame should be there.
    fn next_key_us(&self) -> i64 {
        // Not each camera keeps its interval to the picture.
        self.last_key_us.saturating_add(self.group_us).saturating_add(self.interval_us / 2)
    }

    /// Everything that is kept goes to the decoder.
    fn look_back(&mut self, out: &mut Vec<Order>) {
        self.batch.clear();
        self.batch_bytes = 0;
        let groups = std::mem::take(&mut self.groups);
        self.kept = 0;
        let Some(first) = groups.front().and_then(|group| group.first()) else { return };
        // From key frames as they were sent, whatever was on trial before.
        self.on_trial = false;
        // The detector knows this key frame already, and perhaps more.
        self.next_look_us = first.pts_us.max(self.looked_us).saturating_add(self.interval_us);
        for unit in groups.iter().flatten() {
            self.decode(unit.clone(), out);
        }
        self.flush(out);
        // The group in progress can be looked back at again.
        if let Some(last) = groups.into_iter().next_back()
            && !self.long
        {
            self.kept = last.iter().map(|unit| unit.data.len()).sum();
            self.given = last.len();
            self.groups.push_back(last);
        }
    }

    /// The decoder gets what it does not have of the group in progress.
    fn catch_up(&mut self, out: &mut Vec<Order>) {
        let Some(group) = self.groups.pop_back() else { return };
        if std::mem::take(&mut self.on_trial) {
            // A picture of before was told to move only now, or the time leapt. The detector knows the key frame, or will know what
            // comes of it; the decoder needs it as it was sent.
            self.given = 0;
        }
        for unit in group.iter().skip(self.given) {
            self.decode(unit.clone(), out);
        }
        self.given = group.len();
        self.groups.push_back(group);
    }

    fn decode(&mut self, unit: Unit, out: &mut Vec<Order>) {
        let due = unit.pts_us >= self.next_look_us || self.next_look_us.saturating_sub(unit.pts_us) > 10_000_000;
        if unit.disposable && !due {
            return;
        }
        self.batch_bytes += unit.data.len();
        self.batch.push(unit);
        if due || self.batch.len() >= MAX_BATCH || self.batch_bytes >= MAX_BATCH_BYTES {
            self.flush(out);
        }
    }

    /// Gives the batch away. What is due of it is looked at.
    fn flush(&mut self, out: &mut Vec<Order>) {
        self.batch_bytes = 0;
        for unit in self.batch.drain(..) {
            let due = unit.pts_us >= self.next_look_us || self.next_look_us.saturating_sub(unit.pts_us) > 10_000_000;
            if due {
                self.next_look_us = unit.pts_us.saturating_add(self.interval_us);
                self.looked_us = self.looked_us.max(unit.pts_us);
            }
            // Which of reordered pictures is shown next is seen only when they are decoded: all may be looked at.
            out.push(Order { unit, as_what: if due || self.reorders { Use::Look } else { Use::Reference } });
        }
    }

    /// The picture that the batch waits for does not come to be looked at, and nothing else needs it.
    fn leave_out(&mut self, out: &mut Vec<Order>) {
        if self.reorders {
            // Which of them are looked at is seen only when they are decoded.
            return self.flush(out);
        }
        // What there is of an earlier group is not needed again; then all of this one is in the batch.
        self.given = self.given.saturating_sub(self.batch.len());
        self.batch.clear();
        self.batch_bytes = 0;
    }

    /// Keeps a unit for a look back: the group in progress and the one before. False when there is too much of it.
    fn keep(&mut self, unit: &Unit) -> bool {
        if self.long && !unit.key {
            return true;
        }
        if unit.key {
            while self.groups.len() > 1 {
                self.forget_group();
            }
            self.groups.push_back(Vec::new());
            self.given = 0;
            self.on_trial = false;
        }
        let Some(group) = self.groups.back_mut() else { return true };
        group.push(unit.clone());
        self.kept += unit.data.len();
        self.kept <= MAX_KEPT
    }

    fn forget_group(&mut self) {
        if let Some(group) = self.groups.pop_front() {
            self.kept -= group.iter().map(|unit| unit.data.len()).sum::<usize>();
        }
    }
}

#[cfg(test)]
#[path = "ration_tests.rs"]
mod tests;
