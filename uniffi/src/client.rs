//! The client and the pairing offer.

use std::sync::Arc;

use privet_app_core as core;

use crate::error::CoreError;
use crate::media::{Clip, Live};
use crate::platform::{EventListener, ForeignKeys, ForeignListener, KeyWrapper};
use crate::values::{Camera, ClipInfo, Config, Device, Event, LiveFormat, Page, Status};
use crate::wishes::{
    EventPage, Notification, NotificationKeys, Profile, PushInfo, PushTarget, Settings, SettingsState, Thumbnail,
};

/// What a QR code says, checked but not used.
#[derive(uniffi::Object)]
pub struct PairingOffer(core::PairingOffer);

#[uniffi::export]
impl PairingOffer {
    /// Reads the text of a QR code. No network.
    #[uniffi::constructor]
    #[expect(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]
    pub fn parse(qr: String) -> Result<Arc<Self>, CoreError> {
        Ok(Arc::new(Self(core::PairingOffer::parse(&qr)?)))
    }

    /// Fingerprint of the hub's identity.
    pub fn hub_fingerprint(&self) -> String {
        self.0.hub_fingerprint().into()
    }

    /// Address of the relay.
    pub fn relay(&self) -> String {
        self.0.relay().into()
    }

    /// Until when the code is good.
    pub fn expires_ms(&self) -> i64 {
        self.0.expires_ms()
    }
}

/// A phone's side of one home.
#[derive(uniffi::Object)]
pub struct Client(core::Client);

#[uniffi::export]
impl Client {
    /// Opens the store and begins to sync.
    #[uniffi::constructor]
    pub async fn open(config: Config, keys: Arc<dyn KeyWrapper>) -> Result<Arc<Self>, CoreError> {
        Ok(Arc::new(Self(core::Client::open(config.into(), Arc::new(ForeignKeys(keys))).await?)))
    }

    /// Calls `listener` for every event, or nobody.
    pub fn set_listener(&self, listener: Option<Arc<dyn EventListener>>) {
        self.0.set_listener(listener.map(|l| Arc::new(ForeignListener(l)) as Arc<dyn core::EventListener>));
    }

    /// The next event, or nothing.
    pub async fn next_event(&self, wait_ms: u32) -> Result<Option<Event>, CoreError> {
        Ok(self.0.next_event(wait_ms).await?.map(Into::into))
    }

    /// The app goes to the background: when this returns, no file and no lock is held.
    pub async fn background(&self, within_ms: u32) -> Result<(), CoreError> {
        Ok(self.0.background(within_ms).await?)
    }

    /// The app is in the foreground: opens the store again, without the keystore.
    pub async fn foreground(&self) -> Result<(), CoreError> {
        Ok(self.0.foreground().await?)
    }

    /// The network changed.
    pub fn network_changed(&self) {
        self.0.network_changed();
    }

    /// Ends everything, with no lock held.
    pub async fn shut_down(&self) -> Result<(), CoreError> {
        Ok(self.0.shut_down().await?)
    }

    /// Joins the home of `offer`.
    pub async fn pair(&self, offer: Arc<PairingOffer>) -> Result<(), CoreError> {
        Ok(self.0.pair(&offer.0).await?)
    }

    /// Sixty digits that the hub must show too.
    pub async fn safety_number(&self) -> Result<String, CoreError> {
        Ok(self.0.safety_number().await?)
    }

    /// The members of the home.
    pub async fn devices(&self) -> Result<Vec<Device>, CoreError> {
        Ok(self.0.devices().await?.into_iter().map(Into::into).collect())
    }

    /// Gives this phone another name.
    pub async fn rename(&self, name: String) -> Result<(), CoreError> {
        Ok(self.0.rename(&name).await?)
    }

    /// Gives any device of the home another name.
    pub async fn rename_device(&self, device_id: String, name: String) -> Result<(), CoreError> {
        Ok(self.0.rename_device(&device_id, &name).await?)
    }

    /// Asks the hub to remove a phone, and waits until it did.
    pub async fn remove_device(&self, device_id: String) -> Result<(), CoreError> {
        Ok(self.0.remove_device(&device_id).await?)
    }

    /// The cameras of the home.
    pub async fn cameras(&self) -> Result<Vec<Camera>, CoreError> {
        Ok(self.0.cameras().await?.into_iter().map(Into::into).collect())
    }

    /// The evidence public keys of a camera: trust roots for `verify_file`.
    #[expect(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]
    pub fn trust_roots(&self, camera_id: String) -> Result<Vec<Vec<u8>>, CoreError> {
        Ok(self.0.trust_roots(&camera_id)?)
    }

    /// Clips of a time range, newest first.
    pub async fn clips(
        &self,
        camera_id: Option<String>,
        from_ms: i64,
        to_ms: i64,
        page: Option<String>,
        limit: u32,
    ) -> Result<Page, CoreError> {
        Ok(self.0.clips(camera_id.as_deref(), from_ms, to_ms, page.as_deref(), limit).await?.into())
    }

    /// What is known of one clip.
    pub async fn clip(&self, clip_id: String) -> Result<ClipInfo, CoreError> {
        Ok(self.0.clip(&clip_id).await?.into())
    }

    /// What happened in a time range, the one told last first.
    pub async fn events(
        &self,
        camera_id: Option<String>,
        from_ms: i64,
        to_ms: i64,
        page: Option<String>,
        limit: u32,
    ) -> Result<EventPage, CoreError> {
        Ok(self.0.events(camera_id.as_deref(), from_ms, to_ms, page.as_deref(), limit).await?.into())
    }

    /// The picture of a clip's moment of most motion.
    pub async fn thumbnail(&self, clip_id: String) -> Result<Option<Thumbnail>, CoreError> {
        Ok(self.0.thumbnail(&clip_id).await?.map(Into::into))
    }

    /// Asks the hub to keep a clip, or not any more.
    pub async fn pin(&self, clip_id: String, pinned: bool) -> Result<(), CoreError> {
        Ok(self.0.pin(&clip_id, pinned).await?)
    }

    /// What this phone's owner wants to be disturbed for.
    pub async fn settings(&self) -> Result<SettingsState, CoreError> {
        Ok(self.0.settings().await?.into())
    }

    /// Replaces the settings, and waits for the hub's word.
    pub async fn set_settings(&self, settings: Settings) -> Result<(), CoreError> {
        Ok(self.0.set_settings(settings.into()).await?)
    }

    /// Nothing of this camera, or of any, is told until then.
    pub async fn snooze(&self, camera_id: Option<String>, until_ms: Option<i64>) -> Result<(), CoreError> {
        Ok(self.0.snooze(camera_id.as_deref(), until_ms).await?)
    }

    /// Says for the whole home whether somebody is there.
    pub async fn set_profile(&self, profile: Profile) -> Result<(), CoreError> {
        Ok(self.0.set_profile(profile.into()).await?)
    }

    /// From now on the relay wakes this phone there.
    pub async fn register_push(&self, target: PushTarget) -> Result<(), CoreError> {
        Ok(self.0.register_push(target.into()).await?)
    }

    /// From now on the relay wakes this phone nowhere.
    pub async fn unregister_push(&self) -> Result<(), CoreError> {
        Ok(self.0.unregister_push().await?)
    }

    /// What the relay offers for waking this phone.
    pub async fn push_info(&self) -> Result<PushInfo, CoreError> {
        Ok(self.0.push_info().await?.into())
    }

    /// What a notification extension needs.
    pub async fn notification_keys(&self) -> Result<NotificationKeys, CoreError> {
        Ok(self.0.notification_keys().await?.into())
    }

    /// Takes what a push service delivered to the app itself; nothing when it was told before.
    pub async fn take_notification(&self, payload: Vec<u8>) -> Result<Option<Notification>, CoreError> {
        Ok(self.0.take_notification(payload).await?.map(Into::into))
    }

    /// An extension showed this one.
    pub async fn notification_shown(&self, event_id: String) -> Result<(), CoreError> {
        Ok(self.0.notification_shown(&event_id).await?)
    }

    /// Opens a finished clip.
    pub async fn open_clip(&self, clip_id: String) -> Result<Arc<Clip>, CoreError> {
        Ok(Arc::new(Clip(self.0.open_clip(&clip_id).await?)))
    }

    /// Opens a live view.
    pub async fn open_live(
        &self,
        camera_id: String,
        format: LiveFormat,
        buffer_ms: u32,
    ) -> Result<Arc<Live>, CoreError> {
        Ok(Arc::new(Live(self.0.open_live(&camera_id, format.into(), buffer_ms).await?)))
    }

    /// Everything that a status page shows.
    pub async fn status(&self) -> Result<Status, CoreError> {
        Ok(self.0.status().await?.into())
    }

    /// Waits until this phone has all that the relay has for it.
    pub async fn wait_synced(&self, wait_ms: u32) -> Result<bool, CoreError> {
        Ok(self.0.wait_synced(wait_ms).await?)
    }
}
