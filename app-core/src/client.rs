//! The door: one phone in one home.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use privet_home::{PhoneMessage, Profile, StreamKind};
use privet_protocol::id::{CameraId, DeviceId, StreamId};
use privet_protocol::time::Timestamp;
use privet_push::PushTarget;
use privet_segment::{EvidenceKeys, EvidencePublicKey};
use tokio_util::sync::CancellationToken;

use crate::clip::{Clip, clip_info};
use crate::clip_notes;
use crate::error::{CoreError, Result};
use crate::events::{Event, EventListener};
use crate::happening::EventPage;
use crate::keys::KeyWrapper;
use crate::library::Place;
use crate::live::{self, Live, LiveFormat};
use crate::notification::{self, Notification, NotificationKeys};
use crate::pairing::{self, PairingOffer};
use crate::push::{self, PushInfo};
use crate::runtime;
use crate::settings::{self, Settings, SettingsState};
use crate::state::Core;
use crate::types::{Camera, ClipInfo, Config, Device, Page, Status, Thumbnail};
use crate::vault::{self, StoreKey};
use crate::waking;

/// Clips on one page at most.
const MAX_PAGE: u32 = 500;
/// How long a call waits for the relay.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the hub may take to remove a device.
const REMOVE: Duration = Duration::from_secs(30);

/// A phone's side of one home.
pub struct Client {
    /// Another one after each time in the background.
    pub(crate) core: Arc<RwLock<Arc<Core>>>,
    /// The store's key, to open it again.
    pub(crate) key: StoreKey,
    /// Held by whoever lets go of the store, or takes it.
    pub(crate) turning: Arc<tokio::sync::Mutex<()>>,
    /// The host let go of this client.
    pub(crate) dropped: CancellationToken,
}

impl Client {
    /// Opens the store in `config.storage_dir` and begins to sync if this phone is paired.
    ///
    /// # Errors
    /// [`CoreError::Busy`] when another process has it open, [`CoreError::Keystore`], [`CoreError::Storage`].
    pub async fn open(config: Config, keys: Arc<dyn KeyWrapper>) -> Result<Self> {
        runtime::run(async move {
            let (store, key) = vault::open(Path::new(&config.storage_dir), keys).await?;
            let core = waking::begin(config, store, Arc::default()).await?;
            Ok(Self {
                core: Arc::new(RwLock::new(core)),
                key,
                turning: Arc::default(),
                dropped: CancellationToken::new(),
            })
        })
        .await
    }

    /// Joins the home of `offer`; when this returns, the phone is a member. Its cameras follow within moments.
    ///
    /// # Errors
    /// [`CoreError::Pairing`] with how it failed and what to do.
    pub async fn pair(&self, offer: &PairingOffer) -> Result<()> {
        let (core, offer) = (self.core(), offer.clone());
        runtime::run(async move { pairing::pair(&core, &offer).await }).await
    }

    /// The cameras of the home.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`].
    pub async fn cameras(&self) -> Result<Vec<Camera>> {
        self.need_home()?;
        let core = self.core();
        let (trust, library) = (core.trust(), core.library());
        Ok(library
            .cameras()
            .iter()
            .map(|camera| Camera {
                id: camera.id.to_string(),
                name: camera.name.clone(),
                online: camera.online,
                width: camera.width,
                height: camera.height,
                codec: camera.codec.clone(),
                signer: trust.evidence_keys(&camera.id).first().map(EvidencePublicKey::fingerprint).unwrap_or_default(),
            })
            .collect())
    }

    /// Gives this phone another name, which all members see once the hub has told them. Durable when this returns; sent when the relay is in reach.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a name that is none.
    pub async fn rename(&self, name: &str) -> Result<()> {
        self.need_home()?;
        privet_home::check_name(name).map_err(|e| CoreError::Invalid { reason: e.to_string() })?;
        let (core, name) = (self.core(), name.to_owned());
        runtime::run(async move { core.tell_hub(PhoneMessage::Rename { name }).await }).await
    }

    /// Gives any device of the home another name, as [`Self::rename`] does to this one. A hub that is older than this library passes over a name for
    /// another device than this one.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a name that is none, [`CoreError::NotFound`].
    pub async fn rename_device(&self, device_id: &str, name: &str) -> Result<()> {
        self.need_home()?;
        privet_home::check_name(name).map_err(|e| CoreError::Invalid { reason: e.to_string() })?;
        let unknown = CoreError::NotFound { what: format!("device {device_id}") };
        let device: DeviceId = device_id.parse().map_err(|_| unknown.clone())?;
        let (core, name) = (self.core(), name.to_owned());
        runtime::run(async move {
            if !is_member(&core, device).await? {
                return Err(unknown);
            }
            let own = core.with_home(|home| Ok(home.device())).await? == device;
            let message = if own { PhoneMessage::Rename { name } } else { PhoneMessage::RenameDevice { device, name } };
            core.tell_hub(message).await
        })
        .await
    }

    /// The evidence public keys of a camera, newest first: the trust roots for its exported clips.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] when there is no such camera.
    pub fn trust_roots(&self, camera_id: &str) -> Result<Vec<Vec<u8>>> {
        let keys = self.core().trust().evidence_keys(&camera(camera_id)?);
        if keys.is_empty() {
            return Err(CoreError::NotFound { what: format!("camera {camera_id}") });
        }
        Ok(keys.iter().map(|key| key.as_bytes().to_vec()).collect())
    }

    /// Clips that start at or after `from_ms` and before `to_ms` by the hub's clock, newest first in the order in which the hub
    /// began them (its clock can be set back); of one camera or all.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for an id or a page token that is none.
    pub async fn clips(
        &self,
        camera_id: Option<&str>,
        from_ms: i64,
        to_ms: i64,
        page: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        self.need_home()?;
        let wanted = camera_id.map(camera).transpose()?;
        let below = page.map(parse_page).transpose()?;
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        let core = self.core();
        let library = core.library();
        let mut clips = library.clips(below, limit + 1, |record| {
            (from_ms..to_ms).contains(&record.started.0) && wanted.is_none_or(|wanted| record.camera == wanted)
        });
        let more = clips.len() > limit;
        clips.truncate(limit);
        let next = clips.last().filter(|_| more).map(|(id, record)| format!("{}:{id}", record.told_in));
        Ok(Page { clips: clips.iter().map(|(id, record)| clip_info(&core, *id, record)).collect(), next })
    }

    /// What is known of one clip.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] when there is no such clip.
    pub async fn clip(&self, clip_id: &str) -> Result<ClipInfo> {
        self.need_home()?;
        let (core, id) = (self.core(), self.clip_id(clip_id)?);
        let library = core.library();
        let record = library.stream(&id).ok_or_else(|| no_clip(clip_id))?;
        Ok(clip_info(&core, id, record))
    }

    /// Events at or after `from_ms` and before `to_ms` by the hub's clock, the one told last first (its clock can be set back); of one
    /// camera, or all and those of the hub itself. The newest 10 000 are remembered.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a page token that is none, [`CoreError::NotFound`] for an id that is none.
    pub async fn events(
        &self,
        camera_id: Option<&str>,
        from_ms: i64,
        to_ms: i64,
        page: Option<&str>,
        limit: u32,
    ) -> Result<EventPage> {
        self.need_home()?;
        let wanted = camera_id.map(camera).transpose()?;
        let below = page.map(|token| token.parse::<u64>().map_err(|_| no_page(token))).transpose()?;
        let limit = limit.clamp(1, MAX_PAGE) as usize;
        let core = self.core();
        let library = core.library();
        let mut events = library.diary.page(below, limit + 1, |event| {
            (from_ms..to_ms).contains(&event.at.0) && wanted.is_none_or(|wanted| event.camera == Some(wanted))
        });
        let more = events.len() > limit;
        events.truncate(limit);
        let next = events.last().filter(|_| more).map(|(seq, _)| seq.to_string());
        Ok(EventPage { events: events.iter().map(|(_, event)| library.event_info(event)).collect(), next })
    }

    /// The picture of a clip's moment of most motion; nothing while there is none here.
    ///
    /// # Errors
    /// [`CoreError::NotFound`] when there is no such clip, [`CoreError::Storage`].
    pub async fn thumbnail(&self, clip_id: &str) -> Result<Option<Thumbnail>> {
        self.need_home()?;
        let stream = self.clip_id(clip_id)?;
        let core = self.core();
        runtime::run(runtime::blocking(move || clip_notes::thumbnail(&*core.store()?, &stream))).await
    }

    /// Asks the hub to keep a clip whatever its age, or not any more, and waits for its word (10 s).
    ///
    /// # Errors
    /// [`CoreError::NotFound`]; [`CoreError::Timeout`] when the hub has not answered yet, and where the request waits for it.
    pub async fn pin(&self, clip_id: &str, pinned: bool) -> Result<()> {
        self.need_home()?;
        let stream = self.clip_id(clip_id)?;
        let core = self.core();
        runtime::run(async move { settings::pin(&core, stream, pinned).await }).await
    }

    /// What this phone's owner wants to be disturbed for, as the hub keeps it, and a change that it has not confirmed.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`].
    pub async fn settings(&self) -> Result<SettingsState> {
        self.need_home()?;
        Ok(settings::state(&self.core()))
    }

    /// Replaces the settings, and waits for the hub's word (10 s). The profile is said to the hub only when it is another one
    /// than is known.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] names the field that is impossible, [`CoreError::NotFound`] a camera that is not there; nothing was
    /// sent then. [`CoreError::Timeout`] when the hub has not answered yet: the change stands, is pending, and the text says where
    /// it waits.
    pub async fn set_settings(&self, settings: Settings) -> Result<()> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move { settings::set(&core, settings).await }).await
    }

    /// Nothing of this camera (`None`: of any) is told until then; `None` ends a snooze. Waits for the hub's word (10 s).
    ///
    /// # Errors
    /// Those of [`Client::set_settings`].
    pub async fn snooze(&self, camera_id: Option<&str>, until_ms: Option<i64>) -> Result<()> {
        self.need_home()?;
        let chosen = camera_id.map(camera).transpose()?;
        let core = self.core();
        runtime::run(async move { settings::snooze(&core, chosen, until_ms.map(Timestamp)).await }).await
    }

    /// Says for the whole home whether somebody is there, and waits for the hub's word (10 s).
    ///
    /// # Errors
    /// Those of [`Client::set_settings`].
    pub async fn set_profile(&self, profile: Profile) -> Result<()> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move { settings::set_profile(&core, profile).await }).await
    }

    /// From now on the relay wakes this phone there. Kept, sealed to the relay, and given to it again on every connection: also
    /// after the relay lost it or got another key. Makes the notification key if there is none. Call it at every start of the
    /// app: tokens change.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for a target that is none. [`CoreError::Network`] when the relay is out of reach, or brings no
    /// notifications: it gets the target when it can.
    pub async fn register_push(&self, target: PushTarget) -> Result<()> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move { push::register(&core, Some(target)).await }).await
    }

    /// From now on the relay wakes this phone nowhere; notifications come over its connection while it has one.
    ///
    /// # Errors
    /// [`CoreError::Network`] when the relay is out of reach: it is told when it is not.
    pub async fn unregister_push(&self) -> Result<()> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move { push::register(&core, None).await }).await
    }

    /// What the relay offers for waking this phone, and whether it has the target.
    ///
    /// # Errors
    /// [`CoreError::Network`] when the relay is out of reach, or brings no notifications.
    pub async fn push_info(&self) -> Result<PushInfo> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move {
            let connection = core.connection(CONNECT).await?;
            push::info(&core, &connection).await
        })
        .await
    }

    /// Takes what a push service delivered to the app itself: opens it and gives it, and tells [`Event::Notification`]. Nothing when
    /// somebody has had this one before, over the connection or through the service, and when it is stale
    /// ([`Notification::stale`]): then it is a [`crate::TrustAlert::StaleNotice`].
    ///
    /// # Errors
    /// Those of [`crate::open_notification`], and [`CoreError::Storage`].
    pub async fn take_notification(&self, payload: Vec<u8>) -> Result<Option<Notification>> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move { push::take(&core, payload).await }).await
    }

    /// The notification about this event was shown by an extension; it is not told again here.
    ///
    /// # Errors
    /// [`CoreError::Invalid`] for an id that is none, [`CoreError::Storage`].
    pub async fn notification_shown(&self, event_id: &str) -> Result<()> {
        self.need_home()?;
        let (core, event_id) = (self.core(), event_id.to_owned());
        runtime::run(async move { push::shown(&core, event_id).await }).await
    }

    /// Opens a finished clip; returns once its first segment is here and verified.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Network`], [`CoreError::Tampered`].
    pub async fn open_clip(&self, clip_id: &str) -> Result<Clip> {
        self.need_home()?;
        let stream: StreamId = clip_id.parse().map_err(|_| no_clip(clip_id))?;
        let core = self.core();
        runtime::run(Clip::open(core, stream)).await
    }

    /// Opens a live view; `buffer_ms` is how late its viewer may be before pictures are dropped.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Network`], [`CoreError::Timeout`] when the hub does not start it.
    pub async fn open_live(&self, camera_id: &str, format: LiveFormat, buffer_ms: u32) -> Result<Live> {
        self.need_home()?;
        let camera = camera(camera_id)?;
        let core = self.core();
        let buffer = Duration::from_millis(buffer_ms.into());
        runtime::run(async move { live::open(&core, camera, format, buffer).await }).await
    }

    /// The members of the home.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`].
    pub async fn devices(&self) -> Result<Vec<Device>> {
        let core = self.core();
        runtime::run(async move {
            core.with_home(|home| {
                let own = home.device();
                Ok(home
                    .members()
                    .iter()
                    .map(|member| Device {
                        id: member.device.to_string(),
                        name: member.name.clone(),
                        this_device: member.device == own,
                        added_ms: member.joined.0,
                        last_seen_ms: (member.last_seen.0 > 0).then_some(member.last_seen.0),
                        fingerprint: fingerprint(&member.identity),
                    })
                    .collect())
            })
            .await
        })
        .await
    }

    /// Asks the hub to remove a phone, and waits until it did.
    ///
    /// # Errors
    /// [`CoreError::NotFound`], [`CoreError::Timeout`] when the hub has not answered yet: the request still stands.
    pub async fn remove_device(&self, device_id: &str) -> Result<()> {
        let unknown = CoreError::NotFound { what: format!("device {device_id}") };
        let device: DeviceId = device_id.parse().map_err(|_| unknown.clone())?;
        let core = self.core();
        runtime::run(async move {
            let mut changes = core.changes();
            if !is_member(&core, device).await? {
                return Err(unknown);
            }
            core.tell_hub(PhoneMessage::RemoveDevice { device }).await?;
            let gone = tokio::time::timeout(REMOVE, async {
                loop {
                    changes.borrow_and_update();
                    match is_member(&core, device).await {
                        Ok(false) => return Ok(()),
                        // It was this phone.
                        Err(CoreError::Revoked) => return Ok(()),
                        Err(error) => return Err(error),
                        Ok(true) => {}
                    }
                    tokio::select! {
                        changed = changes.changed() => changed.map_err(|_| CoreError::Stopped)?,
                        () = core.stop.cancelled() => return Err(core.stopped()),
                    }
                }
            })
            .await;
            gone.unwrap_or_else(|_| Err(CoreError::timeout("the hub to remove the device; it will when it is online")))
        })
        .await
    }

    /// What this phone's notification extension needs for [`crate::open_notification`]. The first call makes the key and tells the
    /// hub, which seals notifications to it from then on.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`], [`CoreError::Storage`].
    pub async fn notification_keys(&self) -> Result<NotificationKeys> {
        let core = self.core();
        runtime::run(async move { notification::keys(&core).await }).await
    }

    /// Sixty digits that must be the same as the hub shows for this phone.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`].
    pub async fn safety_number(&self) -> Result<String> {
        let core = self.core();
        runtime::run(async move { core.with_home(|home| Ok(home.safety_number().to_string())).await }).await
    }

    /// Everything that a status page shows.
    ///
    /// # Errors
    /// [`CoreError::Stopped`] after [`Client::shut_down`].
    pub async fn status(&self) -> Result<Status> {
        let core = self.core();
        runtime::run(async move {
            core.store()?;
            let home = core
                .with_home(|home| {
                    let relay = format!("{}:{}", home.relay().host, home.relay().port);
                    let waiting = home.outbox().map_err(crate::state::home_error)?.len() as u64;
                    Ok((home.hub_name().to_owned(), home.home_id().to_string(), relay, home.position().seq, waiting))
                })
                .await;
            let paired = home.is_ok();
            let (hub_name, home_id, relay, position, outbox) = match home {
                Ok(home) => home,
                Err(CoreError::NotPaired | CoreError::Revoked) => Default::default(),
                Err(error) => return Err(error),
            };
            let (link, notes) = (core.link(), core.notes());
            Ok(Status {
                paired,
                removed: notes.removed,
                hub_name,
                home_id,
                relay,
                link: link.state,
                link_reason: link.reason,
                caught_up: link.caught_up,
                position,
                relay_head: notes.relay_head,
                hub_seen_ms: notes.hub_seen_ms,
                outbox,
                alerts: notes.alerts,
                cache_bytes: core.cache.bytes(),
                notifications: core.notifications_note(),
            })
        })
        .await
    }

    /// Waits until this phone has all that the relay has for it; false when it did not within `wait_ms`.
    ///
    /// # Errors
    /// [`CoreError::NotPaired`], [`CoreError::Revoked`], [`CoreError::Stopped`].
    pub async fn wait_synced(&self, wait_ms: u32) -> Result<bool> {
        self.need_home()?;
        let core = self.core();
        runtime::run(async move {
            let mut links = core.links();
            let wait = Duration::from_millis(wait_ms.into());
            let synced = tokio::select! {
                synced = tokio::time::timeout(wait, links.wait_for(|link| link.caught_up || core.no_home_error().is_some())) => synced.is_ok(),
                () = core.stop.cancelled() => return Err(core.stopped()),
            };
            match core.no_home_error() {
                Some(error) => Err(error),
                None => Ok(synced),
            }
        })
        .await
    }

    /// The next event, or nothing within `wait_ms`. Notifications are taken from the relay from the first call on, or while there is
    /// a listener; each is the relay's to forget when this gave it.
    ///
    /// # Errors
    /// [`CoreError::Stopped`] after [`Client::shut_down`].
    pub async fn next_event(&self, wait_ms: u32) -> Result<Option<Event>> {
        let events = self.core().events.clone();
        runtime::here(events.next(Duration::from_millis(wait_ms.into()))).await
    }

    /// Calls `listener` for every event from now on, from a thread of its own; `None` for nobody. A notification is the relay's to
    /// forget when the listener returned from it; without a listener they are left to the relay, which wakes this phone.
    pub fn set_listener(&self, listener: Option<Arc<dyn EventListener>>) {
        self.core().events.set_listener(listener);
    }

    /// The network changed or the app came to the foreground: try to connect now.
    pub fn network_changed(&self) {
        self.core().retry.notify_one();
    }

    fn clip_id(&self, text: &str) -> Result<StreamId> {
        let core = self.core();
        let known = |id: &StreamId| core.library().stream(id).is_some_and(|s| s.kind == StreamKind::Clip);
        text.parse().ok().filter(known).ok_or_else(|| no_clip(text))
    }

    pub(crate) fn core(&self) -> Arc<Core> {
        self.core.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn need_home(&self) -> Result<()> {
        self.core().no_home_error().map_or(Ok(()), Err)
    }
}

async fn is_member(core: &Arc<Core>, device: DeviceId) -> Result<bool> {
    core.with_home(move |home| Ok(home.members().iter().any(|member| member.device == device))).await
}

fn camera(id: &str) -> Result<CameraId> {
    id.parse().map_err(|_| CoreError::NotFound { what: format!("camera {id}") })
}

fn parse_page(token: &str) -> Result<Place> {
    token.split_once(':').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?))).ok_or_else(|| no_page(token))
}

fn no_page(token: &str) -> CoreError {
    CoreError::Invalid { reason: format!("'{token}' is not a page: pass what the page before named") }
}

fn no_clip(id: &str) -> CoreError {
    CoreError::NotFound { what: format!("clip {id}") }
}

/// The first 20 bytes of an identity key's hash, in groups of four digits.
fn fingerprint(identity: &[u8; 32]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, identity);
    let text = data_encoding::HEXLOWER.encode(hash.as_ref().get(..20).unwrap_or_default());
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
    groups.join(" ")
}
