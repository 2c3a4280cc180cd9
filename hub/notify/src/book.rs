//! What outlives a crash: each phone's wishes and key, and the notices that wait to be handed on.
//!
//! An event is taken in one commit: the notices of all phones, what the cooldowns need, and a mark that it was taken. Whoever
//! does not know whether that commit happened takes the event again: the mark makes the second time do nothing. A notice is
//! removed when its carrier has it; a carrier that is given one twice knows it by phone and event id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privet_home::{Happening, HomeEvent, PhoneWishes, Profile, PushSetup, WishError, Wishes};
use privet_notice::{Notice, NotificationKey};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, DeviceId, EventId};
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::{Before, decide};
use crate::grace::Subject;
use crate::quiet;

/// Notices that may wait for one phone; then its oldest go.
pub const MAX_WAITING: usize = 500;
/// Changes of its wishes that one phone may make within [`CHANGES_WITHIN`].
pub const CHANGES: u32 = 30;
/// See [`CHANGES`].
pub const CHANGES_WITHIN: Duration = Duration::from_secs(60);
/// A notice that is sealed so long after its event says that it is late.
pub const LATE: Duration = Duration::from_secs(60);
/// How long it is remembered that an event was taken.
const REMEMBERED: Duration = Duration::from_secs(3 * 86_400);
const MAX_RECORD: usize = 256 * 1024;

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// The store failed; do the same again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record can't be read.
    #[error("the stored {0} can't be read; wishes are asked of the phones again when it is removed")]
    Damaged(&'static str),
    /// The wishes are impossible.
    #[error(transparent)]
    Wishes(#[from] WishError),
    /// Nobody knows this time zone.
    #[error("there is no time zone '{0}'; use a name like Europe/Berlin")]
    TimeZone(String),
    /// A phone changes its wishes too often.
    #[error("a phone may change its wishes {CHANGES} times a minute; try again in a minute")]
    TooOften,
    /// A notification key that is none.
    #[error("the phone's notification key is none")]
    Key,
}

/// A notice that waits for its carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Whom it wakes.
    pub device: DeviceId,
    /// Rises with every notice to that phone.
    pub counter: u64,
    /// What it says.
    pub event: HomeEvent,
}

impl Waiting {
    /// What is sealed at `now`, with the names of home and camera. A reason or zones that are too long for a notification are
    /// cut: the log has them whole.
    pub fn notice(&self, home: &str, camera: &str, now: Timestamp) -> Notice {
        let mut event = self.event.clone();
        event.zones.truncate(4);
        if let Happening::CameraOffline { reason } = &mut event.what {
            *reason = reason.chars().take(64).collect();
        }
        let late = now.since(event.at) > LATE;
        let [home, camera] = [home, camera].map(str::to_owned);
        Notice { event, home, camera, counter: self.counter, sealed_at: now, late, picture: None }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Phone {
    wishes: Wishes,
    push: Option<PushSetup>,
    counter: u64,
    motion: BTreeMap<CameraId, Timestamp>,
    away: BTreeSet<Subject>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Home {
    away_profile: bool,
    next: u64,
    away: BTreeSet<Subject>,
}

/// The book. One at a time over a store.
pub struct Book {
    store: Arc<dyn Store>,
    home: Home,
    phones: BTreeMap<DeviceId, Phone>,
    changes: BTreeMap<DeviceId, (Timestamp, u32)>,
    /// A commit failed, so what is in memory may be older than what is stored.
    stale: bool,
}

impl Book {
    /// What the store holds.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open(store: Arc<dyn Store>) -> Result<Self, BookError> {
        let mut book =
            Self { store, home: Home::default(), phones: BTreeMap::new(), changes: BTreeMap::new(), stale: true };
        book.refresh()?;
        Ok(book)
    }

    /// Keeps a phone's wishes and gives what the phones are to be told.
    ///
    /// # Errors
    /// [`BookError`]; the old ones stay.
    pub fn set_wishes(&mut self, device: DeviceId, wishes: Wishes, now: Timestamp) -> Result<PhoneWishes, BookError> {
        let (since, count) = self.changes.get(&device).copied().unwrap_or((now, 0));
        // A clock that was set back begins anew.
        let within = since <= now && now < since.after(CHANGES_WITHIN);
        let (since, count) = if within { (since, count) } else { (now, 0) };
        if count >= CHANGES {
            return Err(BookError::TooOften);
        }
        self.changes.insert(device, (since, count + 1));
        wishes.check()?;
        if quiet::zone(&wishes.time_zone).is_none() {
            return Err(BookError::TimeZone(wishes.time_zone));
        }
        self.refresh()?;
        let mut home = self.home.clone();
        if let Some(profile) = wishes.profile {
            home.away_profile = profile == Profile::Away;
        }
        let mut phone = self.phone(&device);
        phone.wishes = Wishes { profile: None, ..wishes };
        let mut batch = Batch::new();
        batch.put(HOME, cbor::encode(&home));
        batch.put(phone_key(&device), cbor::encode(&phone));
        self.commit(batch)?;
        self.home = home;
        self.phones.insert(device, phone);
        Ok(self.wishes(&device))
    }

    /// The wishes kept for a phone, with the home's profile.
    pub fn wishes(&self, device: &DeviceId) -> PhoneWishes {
        let wishes = Wishes { profile: Some(self.profile()), ..self.phone(device).wishes };
        PhoneWishes { device: *device, wishes }
    }

    /// Whether somebody is at home.
    pub fn profile(&self) -> Profile {
        if self.home.away_profile { Profile::Away } else { Profile::Home }
    }

    /// Keeps how a phone is woken. An older setup than the kept one changes nothing.
    ///
    /// # Errors
    /// [`BookError`]; the old one stays.
    pub fn set_push(&mut self, device: DeviceId, setup: PushSetup) -> Result<(), BookError> {
        if !setup.notification_key.is_empty() && NotificationKey::from_bytes(&setup.notification_key).is_err() {
            return Err(BookError::Key);
        }
        self.refresh()?;
        let mut phone = self.phone(&device);
        if phone.push.as_ref().is_some_and(|kept| kept.counter >= setup.counter) {
            return Ok(());
        }
        phone.push = Some(setup);
        let mut batch = Batch::new();
        batch.put(phone_key(&device), cbor::encode(&phone));
        self.commit(batch)?;
        self.phones.insert(device, phone);
        Ok(())
    }

    /// The key that notices to this phone are sealed to; nothing when it wants none.
    pub fn key(&self, device: &DeviceId) -> Option<NotificationKey> {
        let push = self.phones.get(device)?.push.as_ref()?;
        NotificationKey::from_bytes(&push.notification_key).ok()
    }

    /// A phone left: nothing of it stays.
    ///
    /// # Errors
    /// [`BookError::Store`].
    pub fn forget(&mut self, device: &DeviceId) -> Result<(), BookError> {
        self.refresh()?;
        let mut batch = Batch::new();
        batch.delete(phone_key(device));
        for (number, waiting) in self.waiting()? {
            if waiting.device == *device {
                batch.delete(out_key(number));
            }
        }
        self.commit(batch)?;
        self.phones.remove(device);
        Ok(())
    }

    /// Takes an event: decides whom to tell and puts a notice for each; gives how many. The same event again puts none.
    ///
    /// # Errors
    /// [`BookError::Store`]; take the event again.
    pub fn happened(&mut self, event: &HomeEvent, now: Timestamp) -> Result<usize, BookError> {
        self.refresh()?;
        if self.store.get(&seen_key(&event.id))?.is_some() {
            return Ok(0);
        }
        let (mut home, mut phones, mut batch) = (self.home.clone(), self.phones.clone(), Batch::new());
        let profile = self.profile();
        let away = matches!(event.what, Happening::CameraOffline { .. } | Happening::RelayUnreachable { .. });
        let back = matches!(event.what, Happening::CameraOnline | Happening::RelayBack);
        change(&mut home.away, event.camera, away, back);
        let mut told = 0;
        for (device, phone) in &mut phones {
            let before = Before {
                motion: event.camera.and_then(|camera| phone.motion.get(&camera).copied()),
                away: phone.away.contains(&event.camera),
            };
            let reached = phone.push.as_ref().is_some_and(|push| !push.notification_key.is_empty());
            let verdict = decide(event, &phone.wishes, profile, before, now);
            if !reached || verdict.is_err() {
                continue;
            }
            phone.counter += 1;
            change(&mut phone.away, event.camera, away, back);
            if let (Happening::Motion, Some(camera)) = (&event.what, event.camera) {
                phone.motion.insert(camera, now);
            }
            let waiting = Waiting { device: *device, counter: phone.counter, event: event.clone() };
            batch.put(out_key(home.next), cbor::encode(&waiting));
            home.next += 1;
            batch.put(phone_key(device), cbor::encode(phone));
            told += 1;
        }
        batch.put(HOME, cbor::encode(&home));
        batch.put(seen_key(&event.id), cbor::encode(&now));
        self.thin_out(&mut batch, &event.id, now)?;
        self.commit(batch)?;
        (self.home, self.phones) = (home, phones);
        Ok(told)
    }

    /// What was told as away and is not back yet.
    pub fn away(&self) -> BTreeSet<Subject> {
        self.home.away.clone()
    }

    /// The notices that wait, oldest first, with their numbers.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn waiting(&self) -> Result<Vec<(u64, Waiting)>, BookError> {
        let mut waiting = Vec::new();
        for (key, value) in self.store.scan(OUT, b"", usize::MAX)? {
            let number = key.get(OUT.len()..).and_then(|n| n.try_into().ok()).map(u64::from_be_bytes);
            let number = number.ok_or(BookError::Damaged("notice"))?;
            waiting.push((number, cbor::decode(&value, MAX_RECORD).map_err(|_| BookError::Damaged("notice"))?));
        }
        Ok(waiting)
    }

    /// The carrier has this notice.
    ///
    /// # Errors
    /// [`BookError::Store`]; then it waits on, and the carrier is given it again.
    pub fn done(&mut self, number: u64) -> Result<(), BookError> {
        let mut batch = Batch::new();
        batch.delete(out_key(number));
        self.commit(batch)
    }

    /// Forgets events that nobody takes again, and the oldest notices of a phone for which too many wait.
    fn thin_out(&self, batch: &mut Batch, id: &EventId, now: Timestamp) -> Result<(), BookError> {
        // Ids are random: a stretch from the event's own on reaches every one in its turn.
        for (key, value) in self.store.scan(SEEN, &seen_key(id), 64)? {
            let at: Timestamp = cbor::decode(&value, 64).map_err(|_| BookError::Damaged("event"))?;
            if now.since(at) > REMEMBERED {
                batch.delete(key);
            }
        }
        let mut numbers: BTreeMap<DeviceId, Vec<u64>> = BTreeMap::new();
        for (number, waiting) in self.waiting()? {
            numbers.entry(waiting.device).or_default().push(number);
        }
        for numbers in numbers.values() {
            let surplus = (numbers.len() + 1).saturating_sub(MAX_WAITING);
            numbers.iter().take(surplus).for_each(|number| batch.delete(out_key(*number)));
        }
        Ok(())
    }

    fn phone(&self, device: &DeviceId) -> Phone {
        self.phones.get(device).cloned().unwrap_or_default()
    }

    fn commit(&mut self, batch: Batch) -> Result<(), BookError> {
        self.store.commit(batch).inspect_err(|_| self.stale = true)?;
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), BookError> {
        if !self.stale {
            return Ok(());
        }
        let home = match self.store.get(HOME)? {
            Some(bytes) => cbor::decode(&bytes, MAX_RECORD).map_err(|_| BookError::Damaged("profile"))?,
            None => Home::default(),
        };
        let mut phones = BTreeMap::new();
        for (key, value) in self.store.scan(PHONES, b"", usize::MAX)? {
            let id: Option<[u8; 16]> = key.get(PHONES.len()..).and_then(|id| id.try_into().ok());
            let phone = cbor::decode(&value, MAX_RECORD).map_err(|_| BookError::Damaged("wishes"))?;
            phones.insert(DeviceId::from_bytes(id.ok_or(BookError::Damaged("wishes"))?), phone);
        }
        (self.home, self.phones, self.stale) = (home, phones, false);
        Ok(())
    }
}

fn change(away: &mut BTreeSet<Subject>, subject: Subject, gone: bool, back: bool) {
    if gone {
        away.insert(subject);
    } else if back {
        away.remove(&subject);
    }
}

fn phone_key(device: &DeviceId) -> Vec<u8> {
    [PHONES, device.as_bytes()].concat()
}

fn out_key(number: u64) -> Vec<u8> {
    [OUT, &number.to_be_bytes()].concat()
}

fn seen_key(event: &EventId) -> Vec<u8> {
    [SEEN, event.as_bytes()].concat()
}

const HOME: &[u8] = b"notify/home";
const PHONES: &[u8] = b"notify/phone/";
const OUT: &[u8] = b"notify/out/";
const SEEN: &[u8] = b"notify/seen/";
