//! What a camera's events are to the rest of the hub: sightings that somebody may be told of. Pure, like the recorder it is part of.
//!
//! Activities of one camera that follow each other within the post-roll are one event; it is told when it begins, again when
//! it reaches another zone, and once when it is over. The worker sends the picture of an onset beside the verdict; the event
//! waits a moment for it, so that a notification has a picture, but never long. However a worker behaves, the rate is bounded.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use privet_home::Tamper;
use privet_protocol::id::{EventId, StreamId};
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;

use super::clip::SILENCE_US;
use super::event::{Moment, Output};
use crate::source::{MotionSample, Picture};

/// How long the news of a motion waits for its picture, in microseconds.
const PICTURE_WAIT_US: u64 = 400_000;
/// How old the picture that came before its verdict may be, in microseconds.
const PICTURE_AGE_US: u64 = 2_000_000;
/// The same tampering is not told again before this, in microseconds.
const TAMPER_PAUSE_US: u64 = 60_000_000;
/// Bytes of a reason at most: what a message of the home takes.
const MAX_REASON: usize = 512;

/// Something seen at a camera. `Debug` says nothing of the picture.
#[derive(Clone, PartialEq, Eq)]
pub enum Sighting {
    /// An activity begins, or reaches another zone: then the same `event` again with all zones so far. Told when the picture of
    /// the onset is there, at most 400 ms after the verdict.
    Motion {
        /// Its id. That of the clip when the activity started one, so that a hub which finds a clip cut off by a crash can
        /// name the event again.
        event: EventId,
        /// When it began.
        at: Timestamp,
        /// The clip that shows it, if one is being made.
        clip: Option<StreamId>,
        /// The zones it was in, by name. Empty when the camera has none.
        zones: Vec<String>,
        /// A picture of the onset that fits a notification.
        small_jpeg: Option<Bytes>,
    },
    /// Nothing moved for as long as the post-roll.
    MotionOver {
        /// The event.
        event: EventId,
        /// When something moved last.
        at: Timestamp,
    },
    /// Somebody or something took the camera's view away.
    Tampered {
        /// A new id.
        event: EventId,
        /// When that was seen.
        at: Timestamp,
        /// In which way.
        how: Tamper,
    },
    /// Pictures come.
    Online {
        /// Since when.
        at: Timestamp,
    },
    /// No pictures come any more, or none came at all since the hub's start.
    Offline {
        /// Since when.
        at: Timestamp,
        /// Why, in words; at most 512 bytes.
        reason: String,
    },
}

impl fmt::Debug for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Motion { event, at, clip, zones, small_jpeg } => {
                let picture = small_jpeg.as_ref().map_or(0, Bytes::len);
                write!(f, "Motion({event} at {} clip {clip:?} in {zones:?}, picture of {picture} bytes)", at.0)
            }
            Self::MotionOver { event, at } => write!(f, "MotionOver({event} at {})", at.0),
            Self::Tampered { event, at, how } => write!(f, "Tampered({event} at {}: {how:?})", at.0),
            Self::Online { at } => write!(f, "Online(at {})", at.0),
            Self::Offline { at, reason } => write!(f, "Offline(at {}: {reason})", at.0),
        }
    }
}

/// What is going on before one camera.
#[derive(Debug)]
pub(super) struct Lookout {
    /// Names of the zones; bit `n` of a verdict is the `n`-th.
    zones: Vec<String>,
    /// How long after its last motion an event is over.
    hold_us: u64,
    event: Option<Event>,
    /// The picture of an onset whose verdict is still to come, and when it came.
    early: Option<(u64, Bytes)>,
    online: Option<bool>,
    tampered_us: BTreeMap<crate::source::Tamper, u64>,
}

/// An activity, from its onset until nothing moved for a while.
#[derive(Debug)]
struct Event {
    id: EventId,
    began: Timestamp,
    began_us: u64,
    last: Timestamp,
    last_us: u64,
    moving: bool,
    clip: Option<StreamId>,
    zones: u32,
    /// The zones that were told; none before it was told at all.
    told: Option<u32>,
    small_jpeg: Option<Bytes>,
}

impl Lookout {
    pub(super) fn new(zones: Vec<String>, hold_us: u64) -> Self {
        Self { zones, hold_us, event: None, early: None, online: None, tampered_us: BTreeMap::new() }
    }

    /// The detector's verdict about one picture. `clip` is the clip being made, and whether this verdict started it.
    pub(super) fn sample(
        &mut self,
        sample: &MotionSample,
        clip: Option<(StreamId, bool)>,
        now: Moment,
        random: &dyn Random,
        out: &mut Vec<Output>,
    ) {
        self.pass(now, out);
        if !sample.active {
            if let Some(event) = &mut self.event {
                event.moving = false;
            }
            return;
        }
        let early = self.early.take().filter(|(came, _)| now.mono_us.saturating_sub(*came) <= PICTURE_AGE_US);
        let event = self.event.get_or_insert_with(|| Event {
            id: match clip {
                Some((stream, true)) => EventId::from_bytes(*stream.as_bytes()),
                _ => EventId::generate(random),
            },
            began: now.wall,
            began_us: now.mono_us,
            last: now.wall,
            last_us: now.mono_us,
            moving: true,
            clip: clip.map(|(stream, _)| stream),
            zones: 0,
            told: None,
            small_jpeg: early.map(|(_, jpeg)| jpeg),
        });
        event.moving = true;
        (event.last, event.last_us) = (now.wall, now.mono_us);
        event.zones |= sample.zones & known(&self.zones);
        self.tell(now, out);
    }

    /// A picture of an activity came.
    pub(super) fn picture(&mut self, picture: &Picture, now: Moment, out: &mut Vec<Output>) {
        if picture.last || picture.small_jpeg.is_empty() {
            return;
        }
        match &mut self.event {
            Some(event) if event.told.is_none() => {
                event.small_jpeg = Some(picture.small_jpeg.clone());
                self.tell(now, out);
            }
            Some(_) => {}
            None => self.early = Some((now.mono_us, picture.small_jpeg.clone())),
        }
    }

    /// The view was taken away.
    pub(super) fn tampered(
        &mut self,
        how: crate::source::Tamper,
        now: Moment,
        random: &dyn Random,
        out: &mut Vec<Output>,
    ) {
        let last = self.tampered_us.get(&how);
        if last.is_some_and(|last| now.mono_us.saturating_sub(*last) < TAMPER_PAUSE_US) {
            return;
        }
        self.tampered_us.insert(how, now.mono_us);
        let event = EventId::generate(random);
        out.push(Output::Sighted(Sighting::Tampered { event, at: now.wall, how: how.into() }));
    }

    /// Pictures come.
    pub(super) fn online(&mut self, now: Moment, out: &mut Vec<Output>) {
        if self.online.replace(true) != Some(true) {
            out.push(Output::Sighted(Sighting::Online { at: now.wall }));
        }
    }

    /// None come: nothing moves until the detector says so again.
    pub(super) fn offline(&mut self, reason: &str, now: Moment, out: &mut Vec<Output>) {
        self.early = None;
        if let Some(event) = &mut self.event {
            event.moving = false;
        }
        if self.online.replace(false) != Some(false) {
            let end = reason.floor_char_boundary(MAX_REASON);
            out.push(Output::Sighted(Sighting::Offline { at: now.wall, reason: reason[..end].to_owned() }));
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.tell(now, out);
        let over = |e: &mut Event| {
            let hold = if e.moving { self.hold_us.max(SILENCE_US) } else { self.hold_us };
            now.mono_us >= e.last_us.saturating_add(hold)
        };
        if let Some(event) = self.event.take_if(over) {
            out.push(Output::Sighted(Sighting::MotionOver { event: event.id, at: event.last }));
        }
    }

    /// The hub stops: what waits for its picture is told without.
    pub(super) fn stop(&mut self, out: &mut Vec<Output>) {
        self.tell(Moment { wall: Timestamp(0), mono_us: u64::MAX }, out);
    }

    /// When [`Self::pass`] has something to tell at the latest, by the monotonic clock, where that is soon.
    pub(super) fn due_us(&self) -> Option<u64> {
        let waiting = self.event.as_ref().filter(|event| event.told.is_none())?;
        Some(waiting.began_us.saturating_add(PICTURE_WAIT_US))
    }

    /// Tells what is new about the event.
    fn tell(&mut self, now: Moment, out: &mut Vec<Output>) {
        let Some(event) = &mut self.event else { return };
        let ready = match event.told {
            None => event.small_jpeg.is_some() || now.mono_us >= event.began_us.saturating_add(PICTURE_WAIT_US),
            Some(told) => event.zones & !told != 0,
        };
        if !ready {
            return;
        }
        event.told = Some(event.zones);
        out.push(Output::Sighted(Sighting::Motion {
            event: event.id,
            at: event.began,
            clip: event.clip,
            zones: names(&self.zones, event.zones),
            small_jpeg: event.small_jpeg.clone(),
        }));
    }
}

impl From<crate::source::Tamper> for Tamper {
    fn from(how: crate::source::Tamper) -> Self {
        match how {
            crate::source::Tamper::Covered => Self::Covered,
            crate::source::Tamper::Defocused => Self::Defocused,
            crate::source::Tamper::Moved => Self::Moved,
        }
    }
}

/// The bits that have a name.
fn known(zones: &[String]) -> u32 {
    u32::try_from(zones.len()).ok().and_then(|count| 1u32.checked_shl(count)).map_or(u32::MAX, |next| next - 1)
}

/// The names of the zones in a verdict.
pub(super) fn names(zones: &[String], bits: u32) -> Vec<String> {
    zones.iter().take(32).enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, name)| name.clone()).collect()
}
