//! What outlives a crash: each phone's wishes and key, the home's snoozes, and the notices that wait to be handed on.
//!
//! Every change is a [`Step`]: what is to be written, and what is true afterwards. The caller commits the step's batch, in one
//! with what belongs to it (the log's entry of the event, the mark that a phone's message was taken), and [`Book::settle`]s.
//!
//! An event is one step: the notices of all phones, what the cooldowns need, and a mark that it was taken. Whoever does not
//! know whether that commit happened takes the event again: the mark makes the second time do nothing. A notice is removed when
//! its carrier has it; a carrier that is given one twice knows it by phone and event id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privet_home::{Happening, HomeEvent, PhoneWishes, Profile, PushSetup, Thumbnail, Wishes};
use privet_notice::NotificationKey;
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, DeviceId, EventId};
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;

use crate::decide::{Before, Household, decide};
use crate::error::{BookError, MAX_WISHES};
use crate::grace::Subject;
use crate::limit::Limit;
use crate::quiet;
use crate::record::{self, HOME, Home, OUT, PHONES, Phone, SEEN, Seen, out_key, phone_key, seen_key};
use crate::waiting::Waiting;

/// Notices that may wait for one phone; then its oldest go.
pub const MAX_WAITING: usize = 500;
/// Changes of its wishes that one phone may make within [`CHANGES_WITHIN`]; of those that come after, the last one is looked at
/// when that time is over.
pub const CHANGES: u32 = 30;
/// See [`CHANGES`].
pub const CHANGES_WITHIN: Duration = Duration::from_secs(60);
/// The longest snooze that is taken: more is a mistake of units.
pub const MAX_SNOOZE: Duration = Duration::from_secs(366 * 86_400);
/// How long it is remembered that an event was taken.
const REMEMBERED: Duration = Duration::from_secs(3 * 86_400);

/// A change that is not durable yet.
#[derive(Debug)]
#[must_use = "nothing changed before its batch is committed and it is settled"]
pub struct Step {
    batch: Batch,
    home: Home,
    phones: BTreeMap<DeviceId, Option<Phone>>,
    put: Vec<(u64, Out)>,
    gone: Vec<u64>,
}

impl Step {
    fn of(book: &Book) -> Self {
        let (batch, home) = (Batch::new(), book.home.clone());
        Self { batch, home, phones: BTreeMap::new(), put: Vec::new(), gone: Vec::new() }
    }

    /// What has to become durable for it, whole.
    pub fn batch(&self) -> Batch {
        self.batch.clone()
    }

    /// How many phones are told.
    pub fn told(&self) -> usize {
        self.put.len()
    }

    fn keep_home(&mut self) {
        self.batch.put(HOME, cbor::encode(&self.home));
    }

    fn keep(&mut self, device: DeviceId, phone: Phone) {
        self.batch.put(phone_key(&device), cbor::encode(&phone));
        self.phones.insert(device, Some(phone));
    }

    fn remove(&mut self, number: u64) {
        self.batch.delete(out_key(number));
        self.gone.push(number);
    }
}

/// What becomes of an event.
#[derive(Debug)]
pub enum Taken {
    /// It is new: it belongs into the log, in one commit with this.
    New(Step),
    /// It is known and has reached further zones.
    Further(Step),
    /// It is known.
    Known,
}

/// What becomes of a phone's wishes.
#[derive(Debug)]
pub enum Wished {
    /// They are kept; the phones are told.
    Kept(Step, PhoneWishes),
    /// Too many came before: they are looked at later, if none come after them.
    Later(Step),
}

/// What waits, in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Notices that wait.
    pub waiting: u64,
    /// When the event of the oldest happened.
    pub oldest: Option<Timestamp>,
}

/// What is known of a notice that waits without reading it.
#[derive(Clone, Copy, Debug)]
struct Out {
    device: DeviceId,
    /// Somebody took a camera's view away: there may be many of these.
    tampered: bool,
}

/// The book. One at a time over a store, with one owner, who settles a step before the next one begins.
pub struct Book {
    store: Arc<dyn Store>,
    home: Home,
    phones: BTreeMap<DeviceId, Phone>,
    /// The notices that wait, by number.
    out: BTreeMap<u64, Out>,
    /// Numbers under which no notice can be read: they are to be [`Self::done`].
    unfit: BTreeSet<u64>,
    changes: Limit,
    /// A commit failed, so what is in memory may be older than what is stored.
    stale: bool,
}

impl Book {
    /// What the store holds.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open(store: Arc<dyn Store>) -> Result<Self, BookError> {
        let (home, changes) = (Home::default(), Limit::new(CHANGES, CHANGES_WITHIN));
        let (phones, out, unfit) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut book = Self { store, home, phones, out, unfit, changes, stale: true };
        book.refresh()?;
        Ok(book)
    }

    // --- steps ---

    /// The step is durable, or it is not known whether it is: then the book is read again before the next one.
    pub fn settle(&mut self, step: Step, durable: bool) {
        if !durable {
            self.stale = true;
            return;
        }
        self.home = step.home;
        for (device, phone) in step.phones {
            match phone {
                Some(phone) => drop(self.phones.insert(device, phone)),
                None => {
                    self.phones.remove(&device);
                    self.changes.forget(&device);
                }
            }
        }
        self.out.extend(step.put);
        for number in &step.gone {
            self.out.remove(number);
            self.unfit.remove(number);
        }
    }

    /// Commits a step that nothing else belongs to, and settles it.
    ///
    /// # Errors
    /// [`BookError::Store`]; do the same again.
    pub fn commit(&mut self, step: Step) -> Result<(), BookError> {
        let committed = self.store.commit(step.batch());
        self.settle(step, committed.is_ok());
        Ok(committed?)
    }

    // --- wishes ---

    /// Keeps a phone's wishes. `cameras` are the hub's; one that was there when the kept wishes came may stand in them still.
    ///
    /// # Errors
    /// [`BookError`]; the old ones stay, and the phone is to be told them again.
    pub fn wish(
        &mut self,
        device: DeviceId,
        wishes: Wishes,
        cameras: &BTreeSet<CameraId>,
        now: Timestamp,
    ) -> Result<Wished, BookError> {
        self.refresh()?;
        if self.changes.take(device, now) {
            return self.keep_wishes(device, wishes, cameras, now);
        }
        let mut step = Step::of(self);
        step.keep(device, Phone { later: Some(wishes), ..self.phone(&device) });
        Ok(Wished::Later(step))
    }

    /// A phone whose wishes waited long enough to be looked at now: [`Self::look_again`].
    pub fn overdue(&self, now: Timestamp) -> Option<DeviceId> {
        let mut later = self.phones.iter().filter(|(_, phone)| phone.later.is_some());
        later.find(|(device, _)| !self.changes.is_over(device, now)).map(|(device, _)| *device)
    }

    /// Looks at the wishes of an [`Self::overdue`] phone; gives what the phones are to be told, which are its old ones when the
    /// new ones are impossible, and why they are.
    ///
    /// # Errors
    /// [`BookError::Store`], [`BookError::Damaged`].
    pub fn look_again(
        &mut self,
        device: DeviceId,
        cameras: &BTreeSet<CameraId>,
        now: Timestamp,
    ) -> Result<(Step, PhoneWishes, Option<BookError>), BookError> {
        self.refresh()?;
        self.changes.take(device, now);
        let wishes = self.phone(&device).later.unwrap_or_else(|| self.phone(&device).wishes);
        match self.keep_wishes(device, wishes, cameras, now) {
            Ok(Wished::Kept(step, told)) => Ok((step, told, None)),
            Ok(Wished::Later(step)) => Ok((step, self.wishes(&device), None)),
            Err(error @ (BookError::Store(_) | BookError::Damaged(_))) => Err(error),
            Err(error) => {
                let mut step = Step::of(self);
                step.keep(device, Phone { later: None, ..self.phone(&device) });
                Ok((step, self.wishes(&device), Some(error)))
            }
        }
    }

    fn keep_wishes(
        &self,
        device: DeviceId,
        wishes: Wishes,
        cameras: &BTreeSet<CameraId>,
        now: Timestamp,
    ) -> Result<Wished, BookError> {
        let before = self.phone(&device);
        wishes.check()?;
        if quiet::zone(&wishes.time_zone).is_none() {
            return Err(BookError::TimeZone(wishes.time_zone));
        }
        for (camera, wish) in &wishes.cameras {
            if !cameras.contains(camera) && !before.wishes.cameras.contains_key(camera) {
                return Err(BookError::Camera(*camera));
            }
            if wish.snooze_until.is_some_and(|until| until > now.after(MAX_SNOOZE)) {
                return Err(BookError::Snooze);
            }
        }
        let length = cbor::encode(&wishes).len();
        if length > MAX_WISHES {
            return Err(BookError::TooLarge(length));
        }
        let mut step = Step::of(self);
        if let Some(profile) = wishes.profile {
            step.home.away_profile = profile == Profile::Away;
        }
        let wishes = Wishes { profile: None, ..wishes };
        let told = PhoneWishes { device, wishes: Wishes { profile: Some(step.home.profile()), ..wishes.clone() } };
        step.keep_home();
        step.keep(device, Phone { wishes, later: None, ..before });
        Ok(Wished::Kept(step, told))
    }

    /// Counts a change of another kind that is told to all phones; false: this phone made too many, and it is to be left.
    pub fn may_change(&mut self, device: DeviceId, now: Timestamp) -> bool {
        self.changes.take(device, now)
    }

    /// The wishes kept for a phone, with the home's profile.
    pub fn wishes(&self, device: &DeviceId) -> PhoneWishes {
        let wishes = Wishes { profile: Some(self.profile()), ..self.phone(device).wishes };
        PhoneWishes { device: *device, wishes }
    }

    /// Whether somebody is at home.
    pub fn profile(&self) -> Profile {
        self.home.profile()
    }

    /// Keeps how a phone is woken. Nothing is to be done for a setup older than the kept one.
    ///
    /// # Errors
    /// [`BookError`]; the old one stays.
    pub fn set_push(&mut self, device: DeviceId, setup: PushSetup) -> Result<Option<Step>, BookError> {
        if !setup.notification_key.is_empty() && NotificationKey::from_bytes(&setup.notification_key).is_err() {
            return Err(BookError::Key);
        }
        self.refresh()?;
        let phone = self.phone(&device);
        if phone.push.as_ref().is_some_and(|kept| kept.counter >= setup.counter) {
            return Ok(None);
        }
        let mut step = Step::of(self);
        step.keep(device, Phone { push: Some(setup), ..phone });
        Ok(Some(step))
    }

    /// The key that notices to this phone are sealed to; nothing when it wants none.
    pub fn key(&self, device: &DeviceId) -> Option<NotificationKey> {
        let push = self.phones.get(device)?.push.as_ref()?;
        NotificationKey::from_bytes(&push.notification_key).ok()
    }

    /// A phone left: nothing of it stays.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn forget(&mut self, device: &DeviceId) -> Result<Step, BookError> {
        self.refresh()?;
        let mut step = Step::of(self);
        step.batch.delete(phone_key(device));
        step.phones.insert(*device, None);
        self.numbers_of(device).for_each(|number| step.remove(number));
        Ok(step)
    }

    // --- the whole home ---

    /// Until `until` nobody is told anything of this camera; `None` ends that.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn snooze(&mut self, camera: CameraId, until: Option<Timestamp>, now: Timestamp) -> Result<Step, BookError> {
        if until.is_some_and(|until| until > now.after(MAX_SNOOZE)) {
            return Err(BookError::Snooze);
        }
        self.refresh()?;
        let mut step = Step::of(self);
        step.home.snoozed.retain(|_, until| *until > now);
        match until {
            Some(until) => drop(step.home.snoozed.insert(camera, until)),
            None => drop(step.home.snoozed.remove(&camera)),
        }
        step.keep_home();
        Ok(step)
    }

    /// Until when nobody is told anything of which camera.
    pub fn snoozed(&self) -> &BTreeMap<CameraId, Timestamp> {
        &self.home.snoozed
    }

    /// Whether it was told that the disk is nearly full, and it was not [`Self::disk_recovered`] since.
    pub fn disk_told(&self) -> bool {
        self.home.disk_told
    }

    /// There is room again: the next time that there is none is told.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn disk_recovered(&mut self) -> Result<Step, BookError> {
        self.refresh()?;
        let mut step = Step::of(self);
        step.home.disk_told = false;
        step.keep_home();
        Ok(step)
    }

    /// Whether it was told that the room at the relay is nearly full, and it was not [`Self::relay_room_recovered`] since.
    pub fn relay_room_told(&self) -> bool {
        self.home.relay_room_told
    }

    /// There is room at the relay again: the next time that there is none is told.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn relay_room_recovered(&mut self) -> Result<Step, BookError> {
        self.refresh()?;
        let mut step = Step::of(self);
        step.home.relay_room_told = false;
        step.keep_home();
        Ok(step)
    }

    // --- events ---

    /// Takes an event: decides whom to tell and puts a notice for each. The same event again puts none, but for phones that
    /// were not told of it when it has reached further zones.
    ///
    /// # Errors
    /// [`BookError`]; take the event again.
    pub fn happened(
        &mut self,
        event: &HomeEvent,
        picture: Option<&Thumbnail>,
        now: Timestamp,
    ) -> Result<Taken, BookError> {
        self.refresh()?;
        let before: Option<Seen> = record::load(&*self.store, &seen_key(&event.id), "event")?;
        let known = before.is_some();
        let mut seen = before.unwrap_or(Seen { at: now, told: BTreeSet::new(), zones: BTreeSet::new() });
        let further = event.zones.iter().any(|zone| !seen.zones.contains(zone));
        if known && !further {
            return Ok(Taken::Known);
        }
        seen.zones.extend(event.zones.iter().cloned());

        let mut step = Step::of(self);
        let away = matches!(event.what, Happening::CameraOffline { .. } | Happening::RelayUnreachable { .. });
        let back = matches!(event.what, Happening::CameraOnline | Happening::RelayBack);
        change(&mut step.home.away, event.camera, away, back);
        if let (Happening::Motion, Some(camera)) = (&event.what, event.camera) {
            step.home.moved.insert(camera, None);
        }
        step.home.disk_told |= matches!(event.what, Happening::DiskNearlyFull { .. });
        step.home.relay_room_told |= matches!(event.what, Happening::RelayNearlyFull { .. });
        let snoozed_until = event.camera.and_then(|camera| self.home.snoozed.get(&camera).copied());
        let household = Household { profile: self.profile(), snoozed_until };
        let tampered = matches!(event.what, Happening::Tampered { .. });
        for (device, phone) in self.phones.iter().filter(|(device, _)| !seen.told.contains(device)) {
            let before = Before {
                motion: event.camera.and_then(|camera| phone.motion.get(&camera).copied()),
                away: phone.away.contains(&event.camera),
            };
            let reached = phone.push.as_ref().is_some_and(|push| !push.notification_key.is_empty());
            if !reached || decide(event, &phone.wishes, household, before, now).is_err() {
                continue;
            }
            let mut phone = phone.clone();
            phone.counter += 1;
            change(&mut phone.away, event.camera, away, back);
            if let (Happening::Motion, Some(camera)) = (&event.what, event.camera) {
                phone.motion.insert(camera, now);
            }
            let (device, counter, picture) = (*device, phone.counter, picture.cloned());
            let waiting = Waiting { device, counter, event: event.clone(), picture };
            step.batch.put(out_key(step.home.next), cbor::encode(&waiting));
            step.put.push((step.home.next, Out { device, tampered }));
            step.home.next += 1;
            step.keep(device, phone);
        }
        seen.told.extend(step.put.iter().map(|(_, out)| out.device));
        step.keep_home();
        step.batch.put(seen_key(&event.id), cbor::encode(&seen));
        self.thin_out(&mut step, &event.id, now)?;
        Ok(if known { Taken::Further(step) } else { Taken::New(step) })
    }

    /// Nothing moves at a camera any more; `None`: at no camera, because nobody looked meanwhile.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn motion_over(&mut self, camera: Option<CameraId>, last: Timestamp) -> Result<Step, BookError> {
        self.refresh()?;
        let mut step = Step::of(self);
        let moved = step.home.moved.iter_mut();
        moved.filter(|(id, _)| camera.is_none_or(|camera| camera == **id)).for_each(|(_, moved)| *moved = Some(last));
        step.keep_home();
        Ok(step)
    }

    /// Whether a motion that was told already was going on at a camera at that time: a clip that began then goes on with an
    /// earlier one, and is no event of its own.
    pub fn was_moving(&self, camera: &CameraId, at: Timestamp) -> bool {
        self.home.moved.get(camera).is_some_and(|last| last.is_none_or(|last| at < last))
    }

    /// What was told as away and is not back yet.
    pub fn away(&self) -> BTreeSet<Subject> {
        self.home.away.clone()
    }

    // --- notices ---

    /// The phones that notices wait for.
    pub fn expected(&self) -> BTreeSet<DeviceId> {
        self.out.values().map(|out| out.device).collect()
    }

    /// The notices that wait for a phone, at most `limit`, oldest first, with their numbers. One that can't be read holds up no
    /// other: its number is [`Self::unfit()`] then.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn waiting_of(&mut self, device: &DeviceId, limit: usize) -> Result<Vec<(u64, Waiting)>, BookError> {
        self.refresh()?;
        let mut waiting = Vec::new();
        for number in self.numbers_of(device).take(limit).collect::<Vec<_>>() {
            match self.notice(number) {
                Ok(Some(notice)) => waiting.push((number, notice)),
                Ok(None) | Err(BookError::Damaged(_)) => drop(self.unfit.insert(number)),
                Err(error) => return Err(error),
            }
        }
        Ok(waiting)
    }

    /// Numbers under which no notice can be read. Whoever carries notices says that they are [`Self::done`].
    pub fn unfit(&self) -> Vec<u64> {
        self.unfit.iter().copied().collect()
    }

    /// The notices that wait, oldest first, with their numbers.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn waiting(&self) -> Result<Vec<(u64, Waiting)>, BookError> {
        let numbered = |number| Ok((number, self.notice(number)?.ok_or(BookError::Damaged("notice"))?));
        self.out.keys().copied().map(numbered).collect()
    }

    /// What waits, in figures.
    pub fn figures(&self) -> Figures {
        let oldest = self.out.keys().next().and_then(|number| self.notice(*number).ok().flatten());
        Figures { waiting: self.out.len() as u64, oldest: oldest.map(|waiting| waiting.event.at) }
    }

    /// The carrier has these notices, or they can't be carried.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn done(&mut self, numbers: &[u64]) -> Result<Step, BookError> {
        self.refresh()?;
        let mut step = Step::of(self);
        numbers.iter().for_each(|number| step.remove(*number));
        Ok(step)
    }

    fn notice(&self, number: u64) -> Result<Option<Waiting>, BookError> {
        record::load(&*self.store, &out_key(number), "notice")
    }

    fn numbers_of(&self, device: &DeviceId) -> impl Iterator<Item = u64> {
        self.out.iter().filter(move |(_, out)| out.device == *device).map(|(number, _)| *number)
    }

    /// Forgets events that nobody takes again, and the oldest notices of a phone for which too many wait, those of tampering first.
    fn thin_out(&self, step: &mut Step, id: &EventId, now: Timestamp) -> Result<(), BookError> {
        // Ids are random: a stretch from the event's own on reaches every one in its turn.
        for (key, value) in self.store.scan(SEEN, &seen_key(id), 64)? {
            let seen: Seen = record::read(&value, "event")?;
            if now.since(seen.at) > REMEMBERED && key != seen_key(id) {
                step.batch.delete(key);
            }
        }
        for device in step.put.iter().map(|(_, out)| out.device).collect::<Vec<_>>() {
            let surplus = (self.numbers_of(&device).count() + 1).saturating_sub(MAX_WAITING);
            // Whoever plays with a camera's view pushes out no visitor: of many such notices the old ones say nothing new.
            let tampered = |number: &u64| self.out.get(number).is_some_and(|out| out.tampered);
            let (first, then): (Vec<u64>, Vec<u64>) = self.numbers_of(&device).partition(tampered);
            first.into_iter().chain(then).take(surplus).for_each(|number| step.remove(number));
        }
        Ok(())
    }

    fn phone(&self, device: &DeviceId) -> Phone {
        self.phones.get(device).cloned().unwrap_or_default()
    }

    fn refresh(&mut self) -> Result<(), BookError> {
        if !self.stale {
            return Ok(());
        }
        let home = record::load(&*self.store, HOME, "profile")?.unwrap_or_default();
        let (mut phones, mut out, mut unfit) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        record::scan(&*self.store, PHONES, |id, value| {
            let id: [u8; 16] = id.try_into().map_err(|_| BookError::Damaged("wishes"))?;
            phones.insert(DeviceId::from_bytes(id), record::read(value, "wishes")?);
            Ok(())
        })?;
        record::scan(&*self.store, OUT, |number, value| {
            let number = number.try_into().map(u64::from_be_bytes).map_err(|_| BookError::Damaged("notice"))?;
            match record::read::<Waiting>(value, "notice") {
                Ok(Waiting { device, event, .. }) => {
                    let tampered = matches!(event.what, Happening::Tampered { .. });
                    out.insert(number, Out { device, tampered });
                }
                // Of a newer version, say. The log has the event; the hub starts all the same.
                Err(_) => drop(unfit.insert(number)),
            }
            Ok(())
        })?;
        (self.home, self.phones, self.out, self.unfit, self.stale) = (home, phones, out, unfit, false);
        Ok(())
    }
}

impl Home {
    fn profile(&self) -> Profile {
        if self.away_profile { Profile::Away } else { Profile::Home }
    }
}

fn change(away: &mut BTreeSet<Subject>, subject: Subject, gone: bool, back: bool) {
    if gone {
        away.insert(subject);
    } else if back {
        away.remove(&subject);
    }
}
