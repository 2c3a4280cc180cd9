//! What of all that is seen is an event of the home. Pure: sightings and time go in, events come out.
//!
//! Motion and tampering are events as they are seen. A camera or relay that is away is one after a grace period, and its return
//! only when its absence was told. A disk that runs full, or the room at the relay, is told once, and again only after there was room. A view that is taken away
//! and given back again and again is told less and less often.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use privet_home::{Happening, HomeEvent, Tamper};
use privet_notify::{Grace, Subject};
use privet_protocol::id::{CameraId, EventId};
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;

use crate::recorder::{Moment, Sighting};
use crate::uplink::room::RelayRoom;

/// An event, and a picture of it.
pub type Happened = (HomeEvent, Option<Bytes>);

/// How long the same tampering of a camera is not told again, for the first time and at most: a branch before the lens, or somebody
/// who plays with it, must not push out of sight what else happens. After so long without any the next one is told at once.
const TAMPER_PAUSE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(3_600)];

/// How long what may last.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without pictures from a camera.
    pub offline: Duration,
    /// Without a relay.
    pub relay: Duration,
    /// Bytes above the free-space floor below which the disk is nearly full; 0: never.
    pub disk_margin: u64,
}

/// The state of all that is watched.
#[derive(Debug)]
pub struct Watch {
    cameras: Grace,
    relay: Grace,
    disk_margin: u64,
    disk_told: bool,
    relay_room_told: bool,
    tampered: HashMap<(CameraId, Tamper), Tampered>,
}

/// A camera's tampering of one kind, by the clock that does not jump.
#[derive(Debug)]
struct Tampered {
    told: Timestamp,
    pause: Duration,
    seen: Timestamp,
}

/// What the room on the disk, or at the relay, means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// Nothing new.
    Same,
    /// It is nearly full, and that is to be told.
    Low(Box<HomeEvent>),
    /// It still is, and was told, perhaps by an earlier run.
    Still,
    /// There is room again.
    Recovered,
}

impl Watch {
    /// What begins to be watched at `now`: cameras and relay are away until they are heard of. `away` and `disk_told` are what
    /// an earlier run told.
    pub fn new(
        patience: Patience,
        away: BTreeSet<Subject>,
        disk_told: bool,
        cameras: impl IntoIterator<Item = CameraId>,
        now: Moment,
    ) -> Self {
        let (relay, told): (BTreeSet<Subject>, _) = away.into_iter().partition(Option::is_none);
        let mut watch = Self {
            cameras: Grace::new(patience.offline, told),
            relay: Grace::new(patience.relay, relay),
            disk_margin: patience.disk_margin,
            disk_told,
            relay_room_told: false,
            tampered: HashMap::new(),
        };
        for camera in cameras {
            watch.cameras.lost(Some(camera), "no picture came since the hub started", steady(now));
        }
        watch.relay.lost(None, "", steady(now));
        watch
    }

    /// With what an earlier run told of the room at the relay.
    #[must_use]
    pub fn relay_room_told(mut self, told: bool) -> Self {
        self.relay_room_told = told;
        self
    }

    /// Something was seen at a camera.
    pub fn sighted(
        &mut self,
        camera: CameraId,
        sighting: Sighting,
        now: Moment,
        random: &dyn Random,
    ) -> Option<Happened> {
        let of = |id, at, what| HomeEvent { id, at, camera: Some(camera), what, clip: None, zones: Vec::new() };
        match sighting {
            Sighting::Motion { event, at, clip, zones, small_jpeg } => {
                Some((HomeEvent { clip, zones, ..of(event, at, Happening::Motion) }, small_jpeg))
            }
            Sighting::MotionOver { .. } => None,
            Sighting::Tampered { event, at, how } => {
                self.tells(camera, how, steady(now)).then(|| (of(event, at, Happening::Tampered { how }), None))
            }
            Sighting::Online { at } => {
                let back = self.cameras.found(Some(camera))?;
                Some((of(EventId::generate(random), at, back), None))
            }
            Sighting::Offline { reason, .. } => {
                self.cameras.lost(Some(camera), &reason, steady(now));
                None
            }
        }
    }

    /// Whether this tampering is told.
    fn tells(&mut self, camera: CameraId, how: Tamper, now: Timestamp) -> bool {
        let [first, longest] = TAMPER_PAUSE;
        match self.tampered.get_mut(&(camera, how)) {
            Some(last) if now.since(last.seen) < longest => {
                last.seen = now;
                let due = now.since(last.told) >= last.pause;
                if due {
                    (last.told, last.pause) = (now, (last.pause * 2).min(longest));
                }
                due
            }
            _ => {
                self.tampered.insert((camera, how), Tampered { told: now, pause: first, seen: now });
                true
            }
        }
    }

    /// There is a connection to the relay, or there is none.
    pub fn relay(&mut self, connected: bool, now: Moment, random: &dyn Random) -> Option<Happened> {
        if !connected {
            self.relay.lost(None, "", steady(now));
            return None;
        }
        let back = self.relay.found(None)?;
        Some((hub_event(back, now, random), None))
    }

    /// The disk has so much room above its floor of `floor` bytes.
    pub fn room(&mut self, room: u64, floor: u64, now: Moment, random: &dyn Random) -> Room {
        if !self.disk_told && room < self.disk_margin {
            self.disk_told = true;
            let free_mib = room.saturating_add(floor) >> 20;
            Room::Low(Box::new(hub_event(Happening::DiskNearlyFull { free_mib }, now, random)))
        } else if self.disk_told && room >= self.disk_margin.saturating_mul(2) {
            self.disk_told = false;
            Room::Recovered
        } else if self.disk_told {
            Room::Still
        } else {
            Room::Same
        }
    }

    /// The home has this room at the relay.
    pub fn relay_room(&mut self, room: &RelayRoom, now: Moment, random: &dyn Random) -> Room {
        if !self.relay_room_told && room.is_short() {
            self.relay_room_told = true;
            let what = Happening::RelayNearlyFull { free_mib: room.free_mib() };
            Room::Low(Box::new(hub_event(what, now, random)))
        } else if self.relay_room_told && room.is_ample() {
            self.relay_room_told = false;
            Room::Recovered
        } else if self.relay_room_told {
            Room::Still
        } else {
            Room::Same
        }
    }

    /// What has been away for too long by now.
    pub fn pass(&mut self, now: Moment, random: &dyn Random) -> Vec<Happened> {
        let due = [self.cameras.due(steady(now)), self.relay.due(steady(now))].concat();
        let event = |(camera, what)| {
            let what = match what {
                // The grace period ran on the steady clock; people read the other one.
                Happening::RelayUnreachable { since } => {
                    Happening::RelayUnreachable { since: Timestamp(now.wall.0 - (steady(now).0 - since.0)) }
                }
                what => what,
            };
            (HomeEvent { camera, ..hub_event(what, now, random) }, None)
        };
        due.into_iter().map(event).collect()
    }

    /// How long until [`Self::pass`] has something.
    pub fn due_in(&self, now: Moment) -> Option<Duration> {
        let next = self.cameras.next().into_iter().chain(self.relay.next()).min()?;
        Some(next.since(steady(now)))
    }
}

fn hub_event(what: Happening, now: Moment, random: &dyn Random) -> HomeEvent {
    HomeEvent { id: EventId::generate(random), at: now.wall, camera: None, what, clip: None, zones: Vec::new() }
}

/// A time that does not jump when the clock is set, as it is on small boxes some time after their start.
fn steady(now: Moment) -> Timestamp {
    Timestamp(i64::try_from(now.mono_us / 1000).unwrap_or(i64::MAX))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
