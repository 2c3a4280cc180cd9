//! What this phone's owner wants to be disturbed for: what the hub keeps, and a change that it has not confirmed yet.
//!
//! The phone sends its wishes whole (`SetWishes`), in one commit with the note that they were sent; the hub answers in the log with what
//! it keeps. Until then a change is pending, also over restarts. The home's profile is one for all phones: it is said only
//! when it is to change, so that no other change turns it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use privet_home::{CameraWish, Env, PhoneMessage, PhoneWishes, Profile, QuietHours, Wishes};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, DeviceId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::{CoreError, Result};
use crate::state::{Core, home_error};
use crate::types::LinkState;

const SETTINGS: &[u8] = b"core/settings";
const MAX_RECORD: usize = 512 * 1024;
/// How long the hub may take to confirm a change.
const CONFIRM: Duration = Duration::from_secs(10);
/// When the hub keeps something else than asked for so long, it was asked in vain.
const IN_VAIN: Duration = Duration::from_secs(60);
/// Longer than a year is no snooze.
const LONGEST_SNOOZE: Duration = Duration::from_secs(366 * 86_400);

/// What this phone's owner wants to be disturbed for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Camera by camera; one that is not here has [`CameraSettings::default_for`].
    pub cameras: Vec<CameraSettings>,
    /// Motion is told only while the home's profile is `Away`.
    pub away_only: bool,
    /// When motion is not told; at most 16.
    pub quiet: Vec<QuietHours>,
    /// The zone of the quiet hours (IANA, as `Europe/Berlin`); empty means UTC.
    pub time_zone: String,
    /// Whether somebody is at home: one word for all phones. Absent: not known, or to be left as it is.
    pub profile: Option<Profile>,
}

/// What is wanted of one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSettings {
    /// The camera.
    pub camera_id: String,
    /// Whether motion is told.
    pub notify: bool,
    /// Until when nothing of this camera is told.
    pub snooze_until_ms: Option<i64>,
    /// Seconds after a motion that was told in which no other one is; at most a day.
    pub cooldown_s: u32,
    /// Motion is told only from these zones; empty: from everywhere.
    pub zones: Vec<String>,
    /// Whether it is told that the camera is offline, back or tampered with.
    pub health: bool,
}

/// The settings as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsState {
    /// What the hub keeps for this phone; the defaults until it said so.
    pub kept: Settings,
    /// Whether the hub said so.
    pub known: bool,
    /// What was asked for and is not confirmed yet.
    pub pending: Option<Settings>,
}

impl CameraSettings {
    /// What a camera has that nothing was ever said about: motion and health are told, a minute of cooldown.
    pub fn default_for(camera_id: &str) -> Self {
        Self::new(camera_id.into(), CameraWish::default())
    }

    fn new(camera_id: String, wish: CameraWish) -> Self {
        Self {
            camera_id,
            notify: wish.notify,
            snooze_until_ms: wish.snooze_until.map(|until| until.0),
            cooldown_s: wish.cooldown_s,
            zones: wish.zones,
            health: wish.health,
        }
    }
}

/// What the log and this phone said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// What the hub keeps for this phone.
    kept: Option<Wishes>,
    /// The home's profile.
    profile: Option<Profile>,
    /// What this phone asked for and the hub has not confirmed.
    wanted: Option<Wishes>,
    /// When it asked.
    asked: Timestamp,
    /// How often the hub answered.
    answers: u64,
}

impl Asked {
    /// What the store holds.
    pub(crate) fn load(store: &dyn Store) -> Result<Self> {
        let Some(bytes) = store.get(SETTINGS)? else { return Ok(Self::default()) };
        cbor::decode(&bytes, MAX_RECORD)
            .map_err(|e| CoreError::Damaged { reason: format!("the record of the settings: {e}") })
    }

    /// The writes that keep it.
    pub(crate) fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        batch.put(SETTINGS, cbor::encode(self));
        batch
    }

    /// After the hub told `wishes`; `own` is this phone.
    pub(crate) fn after(&self, wishes: &PhoneWishes, own: DeviceId, now: Timestamp) -> Self {
        // Each word on wishes holds the home's profile as it is, whichever phone they are.
        let mut next = Self { profile: wishes.wishes.profile.or(self.profile), ..self.clone() };
        if wishes.device != own {
            return next;
        }
        next.answers += 1;
        let told = &wishes.wishes;
        let in_vain = now >= self.asked.after(IN_VAIN);
        next.wanted = self.wanted.clone().filter(|wanted| !granted(wanted, told) && !in_vain);
        next.kept = Some(Wishes { profile: None, ..told.clone() });
        next
    }

    /// After this phone asked for `wanted`.
    fn asking(&self, wanted: Wishes, now: Timestamp) -> Self {
        Self { wanted: Some(wanted), asked: now, ..self.clone() }
    }

    /// What a change begins with: what was asked for last. The profile is not said again.
    fn base(&self) -> Wishes {
        let base = self.wanted.as_ref().or(self.kept.as_ref()).cloned().unwrap_or_default();
        Wishes { profile: None, ..base }
    }

    fn state(&self, cameras: &[CameraId]) -> SettingsState {
        let of = |wishes: &Wishes, profile| {
            // Cameras that are there, and those that something was said about.
            let more = wishes.cameras.keys().filter(|id| !cameras.contains(id));
            let camera = |id: &CameraId| CameraSettings::new(id.to_string(), wishes.camera(id));
            Settings {
                cameras: cameras.iter().chain(more).map(camera).collect(),
                away_only: wishes.away_only,
                quiet: wishes.quiet.clone(),
                time_zone: wishes.time_zone.clone(),
                profile,
            }
        };
        SettingsState {
            kept: of(&self.kept.clone().unwrap_or_default(), self.profile),
            known: self.kept.is_some(),
            pending: self.wanted.as_ref().map(|wanted| of(wanted, wanted.profile.or(self.profile))),
        }
    }
}

/// Whether the hub, which tells `told`, keeps what was wanted.
fn granted(wanted: &Wishes, told: &Wishes) -> bool {
    let profile = wanted.profile.is_none_or(|profile| told.profile == Some(profile));
    let rest = |wishes: &Wishes| {
        let mut wishes = Wishes { profile: None, ..wishes.clone() };
        wishes.cameras.retain(|_, wish| *wish != CameraWish::default());
        wishes
    };
    profile && rest(wanted) == rest(told)
}

/// The settings as they stand.
pub(crate) fn state(core: &Core) -> SettingsState {
    let cameras: Vec<CameraId> = core.library().cameras().iter().map(|camera| camera.id).collect();
    core.asked().state(&cameras)
}

/// Asks for these settings and waits for the hub's word.
pub(crate) async fn set(core: &Arc<Core>, settings: Settings) -> Result<()> {
    let known: Vec<(CameraId, String)> = core.library().cameras().iter().map(|c| (c.id, c.name.clone())).collect();
    let asked = core.asked();
    let mut wishes = parse(&settings, &known, &asked.base())?;
    // What was read with the rest and is no news is not said again: another phone may have changed it meanwhile.
    wishes.profile = settings.profile.filter(|profile| asked.profile != Some(*profile));
    change(core, move |base| *base = wishes).await
}

/// Nothing of this camera (or of any) is told until then; absent: told again.
pub(crate) async fn snooze(core: &Arc<Core>, camera: Option<CameraId>, until: Option<Timestamp>) -> Result<()> {
    if let Some(until) = until {
        let now = clock::now();
        if until <= now || until > now.after(LONGEST_SNOOZE) {
            return Err(invalid(
                "snooze: it ends after now and within a year; to hear nothing for longer, switch the camera off",
            ));
        }
    }
    let cameras: Vec<CameraId> = core.library().cameras().iter().map(|camera| camera.id).collect();
    let chosen = match camera {
        Some(camera) if cameras.contains(&camera) => vec![camera],
        Some(camera) => return Err(CoreError::NotFound { what: format!("camera {camera}") }),
        None => cameras,
    };
    change(core, move |wishes| {
        for camera in chosen {
            let wish = CameraWish { snooze_until: until, ..wishes.camera(&camera) };
            set_wish(wishes, camera, wish);
        }
        if camera.is_none() && until.is_none() {
            // Also of cameras that are gone: they may come back.
            wishes.cameras.values_mut().for_each(|wish| wish.snooze_until = None);
        }
    })
    .await
}

/// Somebody is at home, or nobody: for all phones.
pub(crate) async fn set_profile(core: &Arc<Core>, profile: Profile) -> Result<()> {
    change(core, move |wishes| wishes.profile = Some(profile)).await
}

/// Asks the hub to keep a clip, or not any more, and waits for its word.
pub(crate) async fn pin(core: &Arc<Core>, clip: StreamId, pinned: bool) -> Result<()> {
    let unknown = || CoreError::NotFound { what: format!("clip {clip}") };
    let is = |core: &Core| {
        let library = core.library();
        let record = library.stream(&clip)?;
        Some(record.shows.as_ref().map(|shows| shows.pinned))
    };
    if is(core).ok_or_else(unknown)? == Some(pinned) {
        return Ok(());
    }
    core.tell_hub(PhoneMessage::PinClip { stream: clip, pinned }).await?;
    confirmed(core, if pinned { "to keep the clip" } else { "to let the clip go" }, |core| match is(core) {
        None => Some(Err(unknown())),
        Some(now) => (now == Some(pinned)).then_some(Ok(())),
    })
    .await
}

/// Changes the wishes, durably in one commit with the message to the hub, and waits for the hub's word.
async fn change(core: &Arc<Core>, change: impl FnOnce(&mut Wishes) + Send + 'static) -> Result<()> {
    let shared = core.clone();
    let asked = core
        .with_home(move |home| {
            // Under the home's lock, like the log's entries: nothing comes in between.
            let asked = shared.asked();
            let mut wanted = asked.base();
            change(&mut wanted);
            wanted.check().map_err(|e| invalid(&e.to_string()))?;
            let told = asked.kept.as_ref().map(|kept| Wishes { profile: asked.profile, ..kept.clone() });
            if asked.wanted.is_none() && told.is_some_and(|told| granted(&wanted, &told)) {
                return Ok(None);
            }
            let now = clock::now();
            let next = asked.asking(wanted.clone(), now);
            let message = PhoneMessage::SetWishes(wanted);
            home.send(&message, next.batch(), Env::new(now, &SystemRandom)).map_err(home_error)?;
            shared.set_asked(next);
            Ok(Some(asked.answers))
        })
        .await?;
    let Some(answers) = asked else { return Ok(()) };
    core.outbox.notify_one();
    core.touch();
    let outcome =
        confirmed(core, "to confirm the settings", |core| core.asked().wanted.is_none().then_some(Ok(()))).await;
    match outcome {
        Err(CoreError::Timeout { .. }) if core.asked().answers > answers => Err(CoreError::timeout(
            "the hub to keep these settings: it answered, but keeps others (too many changes at once, or another version?); see what it keeps and try again",
        )),
        outcome => outcome,
    }
}

/// Waits until `done` says so; when it does not in time, says where the message is.
async fn confirmed(core: &Arc<Core>, what: &str, done: impl Fn(&Core) -> Option<Result<()>>) -> Result<()> {
    let mut changes = core.changes();
    let waited = tokio::time::timeout(CONFIRM, async {
        loop {
            changes.borrow_and_update();
            if let Some(outcome) = done(core) {
                return outcome;
            }
            if let Some(error) = core.no_home_error() {
                return Err(error);
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| CoreError::Stopped)?,
                () = core.stop.cancelled() => return Err(core.stopped()),
            }
        }
    })
    .await;
    if let Ok(outcome) = waited {
        return outcome;
    }
    let waiting = core.with_home(|home| Ok(!home.outbox().map_err(home_error)?.is_empty())).await?;
    Err(CoreError::timeout(if waiting || core.link().state != LinkState::Relay {
        format!("the hub {what}: the relay is out of reach; kept here, sent when it is back")
    } else {
        format!("the hub {what}: sent; takes effect when the hub is back")
    }))
}

/// Settings as wishes; errors name the field.
fn parse(settings: &Settings, known: &[(CameraId, String)], before: &Wishes) -> Result<Wishes> {
    let mut wishes = Wishes { away_only: settings.away_only, ..Wishes::default() };
    for camera in &settings.cameras {
        let id: CameraId = camera.camera_id.parse().map_err(|e| invalid(&format!("cameras: {e}")))?;
        let name = known.iter().find(|(known, _)| *known == id).map(|(_, name)| name);
        if name.is_none() && !before.cameras.contains_key(&id) {
            return Err(CoreError::NotFound { what: format!("cameras: camera {id}") });
        }
        let wish = CameraWish {
            notify: camera.notify,
            snooze_until: camera.snooze_until_ms.map(Timestamp),
            cooldown_s: camera.cooldown_s,
            zones: camera.zones.clone(),
            health: camera.health,
        };
        let alone = Wishes { cameras: BTreeMap::from([(id, wish.clone())]), ..Wishes::default() };
        alone.check().map_err(|e| {
            invalid(&format!("camera '{}': {e}", name.map_or(camera.camera_id.as_str(), |name| name.as_str())))
        })?;
        if wishes.cameras.contains_key(&id) {
            return Err(invalid(&format!("cameras: camera {id} is there twice")));
        }
        wishes.cameras.insert(id, wish);
    }
    // The defaults need not be said.
    wishes.cameras.retain(|_, wish| *wish != CameraWish::default());
    wishes.check().map_err(|e| invalid(&format!("cameras: {e}")))?;
    wishes.quiet.clone_from(&settings.quiet);
    wishes.check().map_err(|e| invalid(&format!("quiet: {e}")))?;
    let zone = &settings.time_zone;
    if !zone.is_empty() && jiff::tz::TimeZone::get(zone).is_err() {
        let zone: String = zone.chars().take(64).collect();
        return Err(invalid(&format!(
            "time_zone: '{zone}' is no time zone that is known; use an IANA name, as 'Europe/Berlin', or nothing for UTC"
        )));
    }
    wishes.time_zone.clone_from(zone);
    wishes.check().map_err(|e| invalid(&format!("time_zone: {e}")))?;
    Ok(wishes)
}

fn set_wish(wishes: &mut Wishes, camera: CameraId, wish: CameraWish) {
    if wish == CameraWish::default() {
        wishes.cameras.remove(&camera);
    } else {
        wishes.cameras.insert(camera, wish);
    }
}

fn invalid(reason: &str) -> CoreError {
    CoreError::Invalid { reason: reason.into() }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
