//! Notifications: what a push service delivered, opened with two keys and nothing else, and where these keys come from.
//!
//! The app asks [`crate::Client::notification_keys`] once and puts them where its notification extension finds them (a shared
//! keychain group, say). The extension calls [`open_notification`]: no store, no network, no order.

use std::sync::Arc;

use privet_home::{Env, PhoneHome, PhoneMessage, PushSetup};
use privet_notice::{Notice, NoticeError, NotificationSecret};
use privet_protocol::cbor;
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, Store};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use zeroize::Zeroizing;

use crate::clock;
use crate::error::{CoreError, Result};
use crate::happening::{Words, severity, words};
use crate::state::{Core, home_error};

/// Where the key stands; it goes with everything else of the home when this phone is removed.
const KEY: &[u8] = b"core/notification-key";
const MAX_RECORD: usize = 256;
/// A notification that arrives so long after its event is late, whoever held it up.
const LATE_MS: i64 = 60_000;
/// The hub seals a notification when it gives it to the relay, which lets it go after a day. One that is older was kept to be
/// brought some other day, or a clock is wrong. The hour is for clocks that differ.
const STALE_MS: i64 = 25 * 3_600_000;

/// What a notification extension needs. Keep it like a password: it opens this phone's notifications.
#[derive(Clone, PartialEq, Eq)]
pub struct NotificationKeys {
    /// The phone's notification secret, 32 bytes.
    pub secret: Vec<u8>,
    /// The hub's identity key, 32 bytes.
    pub hub: Vec<u8>,
}

impl std::fmt::Debug for NotificationKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NotificationKeys")
    }
}

/// A notification, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The event's id: the same when it comes twice, and in the log. Give it to the system as the notification's id.
    pub event_id: String,
    /// What happened, in a few English words.
    pub title: String,
    /// More about it, in English; may be empty.
    pub body: String,
    /// Both on one line.
    pub text: String,
    /// `motion`, `camera-offline`, `camera-online`, `tampered`, `disk-nearly-full`, `relay-unreachable`, `relay-back`, or the name of
    /// a kind that this version does not know.
    pub kind: String,
    /// `info`, `warning` or `alarm`.
    pub severity: String,
    /// The home's name.
    pub home: String,
    /// The camera's name; empty when it is none of a camera's.
    pub camera: String,
    /// The camera's id.
    pub camera_id: Option<String>,
    /// The clip that shows it.
    pub clip_id: Option<String>,
    /// The zones it happened in.
    pub zones: Vec<String>,
    /// When it happened, by the hub's clock.
    pub at_ms: i64,
    /// Whether it comes late: say when it was.
    pub late: bool,
    /// Whether it is from another day: the hub made it more than 25 hours ago by the phone's clock, longer than a relay keeps
    /// one. A relay can keep one back and bring it when it likes. Alert nobody: show it without a sound, if at all.
    pub stale: bool,
    /// Rises with every notification to this phone.
    pub counter: u64,
    /// A very small JPEG, when there was room.
    pub picture: Option<Vec<u8>>,
}

/// Opens what a push service delivered; `now_ms` is the phone's clock. Needs neither a store nor a network, keeps nothing and holds no
/// lock; the same bytes open again, with the same `event_id`.
///
/// # Errors
/// [`CoreError::Tampered`] when it was not made by this home's hub for this phone, [`CoreError::Invalid`] when it is no
/// notification that this version knows, or the keys are none.
pub fn open_notification(keys: &NotificationKeys, payload: &[u8], now_ms: i64) -> Result<Notification> {
    Ok(in_words(open(keys, payload)?, now_ms))
}

/// Why there is no notification.
pub(crate) enum Unopened {
    /// By what came.
    Notice(NoticeError),
    /// By what is here.
    Core(CoreError),
}

impl From<CoreError> for Unopened {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl From<Unopened> for CoreError {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::Notice(error @ (NoticeError::NotForThisPhone | NoticeError::Forged)) => {
                Self::Tampered { reason: error.to_string() }
            }
            Unopened::Notice(error) => Self::Invalid { reason: error.to_string() },
            Unopened::Core(error) => error,
        }
    }
}

/// What the hub said.
pub(crate) fn open(keys: &NotificationKeys, payload: &[u8]) -> std::result::Result<Notice, Unopened> {
    let invalid = |what: &str| CoreError::Invalid { reason: format!("{what} has 32 bytes; ask the app for it again") };
    let secret = <[u8; 32]>::try_from(keys.secret.as_slice()).map(Zeroizing::new);
    let secret = NotificationSecret::from_bytes(*secret.map_err(|_| invalid("a notification secret"))?);
    let hub = <[u8; 32]>::try_from(keys.hub.as_slice()).map_err(|_| invalid("the hub's key"))?;
    privet_notice::open(&secret, &hub, payload).map_err(Unopened::Notice)
}

/// It, ready to be shown at `now_ms`.
pub(crate) fn in_words(notice: Notice, now_ms: i64) -> Notification {
    let (event, camera) = (notice.event, notice.camera);
    let Words { kind, title, body } = words(&event, &camera);
    let text = if body.is_empty() { title.clone() } else { format!("{title}: {body}") };
    Notification {
        event_id: event.id.to_string(),
        title,
        body,
        text,
        kind,
        severity: severity(&event).into(),
        home: notice.home,
        camera,
        camera_id: event.camera.map(|id| id.to_string()),
        clip_id: event.clip.map(|id| id.to_string()),
        zones: event.zones,
        at_ms: event.at.0,
        late: notice.late || now_ms.saturating_sub(event.at.0) > LATE_MS,
        stale: now_ms.saturating_sub(notice.sealed_at.0) > STALE_MS,
        counter: notice.counter,
        picture: notice.picture.map(|picture| picture.bytes.into_vec()),
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(with = "serde_bytes")]
    secret: [u8; 32],
    counter: u64,
}

/// The keys; made and told to the hub at the first call, in one commit.
pub(crate) async fn keys(core: &Arc<Core>) -> Result<NotificationKeys> {
    let store = core.store()?;
    let (keys, new) = core
        .with_home(move |home| {
            let hub = home.hub_identity().to_vec();
            if let Some(record) = load(&*store)? {
                return Ok((NotificationKeys { secret: record.secret.to_vec(), hub }, false));
            }
            let secret = NotificationSecret::generate(&SystemRandom);
            tell(home, &secret, 0)?;
            Ok((NotificationKeys { secret: secret.expose().to_vec(), hub }, true))
        })
        .await?;
    if new {
        core.outbox.notify_one();
    }
    Ok(keys)
}

/// Tells the hub the key once more, if there is one.
pub(crate) async fn repeat(core: &Arc<Core>) -> Result<()> {
    let store = core.store()?;
    core.with_home(move |home| match load(&*store)? {
        Some(record) => tell(home, &NotificationSecret::from_bytes(record.secret), record.counter),
        None => Ok(()),
    })
    .await?;
    core.outbox.notify_one();
    Ok(())
}

fn load(store: &dyn Store) -> Result<Option<Record>> {
    let Some(bytes) = store.get(KEY)?.map(Zeroizing::new) else { return Ok(None) };
    cbor::decode(&bytes, MAX_RECORD)
        .map(Some)
        .map_err(|e| CoreError::Damaged { reason: format!("the notification key: {e}") })
}

/// Keeps the key and tells the hub, in one commit.
fn tell(home: &mut PhoneHome, secret: &NotificationSecret, before: u64) -> Result<()> {
    let public = secret.public().map_err(|e| CoreError::Internal { reason: e.to_string() })?;
    let now = clock::now();
    // Of two setups the later one counts, also after this phone was paired anew.
    let counter = u64::try_from(now.0).unwrap_or(0).max(before + 1);
    let setup = PushSetup { notification_key: ByteBuf::from(public.as_bytes().to_vec()), counter };
    let record = Zeroizing::new(cbor::encode(&Record { secret: *secret.expose(), counter }));
    let mut batch = Batch::new();
    batch.put(KEY, record.to_vec());
    home.send(&PhoneMessage::SetPush(setup), batch, Env::new(now, &SystemRandom)).map_err(home_error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_home::{Happening, HomeEvent, HubHome, Tamper};
    use privet_notice::Notice;
    use privet_protocol::id::{CameraId, EventId};
    use privet_protocol::storage::MemoryStore;
    use privet_protocol::time::Timestamp;

    use super::*;

    const AT: i64 = 1_795_000_000_000;

    fn sealed(what: Happening, late: bool) -> (NotificationKeys, Vec<u8>) {
        let env = Env::new(Timestamp(AT), &SystemRandom);
        let hub = HubHome::create(Arc::new(MemoryStore::new()), "Hub", env).unwrap();
        let secret = NotificationSecret::from_bytes([3; 32]);
        let event = HomeEvent {
            id: EventId::from_bytes([1; 16]),
            at: Timestamp(AT),
            camera: Some(CameraId::from_bytes([2; 16])),
            what,
            clip: None,
            zones: vec!["path".into()],
        };
        let (home, camera) = ("Ann's home".into(), "Gate".into());
        let notice = Notice { event, home, camera, counter: 4, sealed_at: Timestamp(AT), late, picture: None };
        let bytes = privet_notice::seal(&notice, &secret.public().unwrap(), |m| hub.sign_notice(m)).unwrap();
        (NotificationKeys { secret: secret.expose().to_vec(), hub: hub.identity().to_vec() }, bytes)
    }

    #[test]
    fn a_notification_opens_with_the_keys_alone_and_as_often_as_it_comes() {
        let (keys, bytes) = sealed(Happening::Tampered { how: Tamper::Covered }, false);
        let opened = open_notification(&keys, &bytes, AT + 900).unwrap();
        assert_eq!(
            (opened.text.as_str(), opened.severity.as_str()),
            ("Gate is covered: something blocks its view", "alarm")
        );
        assert_eq!((opened.zones.as_slice(), opened.counter, opened.late), (["path".to_owned()].as_slice(), 4, false));
        assert_eq!(open_notification(&keys, &bytes, AT + 900), Ok(opened));
    }

    #[test]
    fn one_that_was_held_up_on_the_way_is_late() {
        let (keys, bytes) = sealed(Happening::Motion, false);
        assert!(!open_notification(&keys, &bytes, AT + 60_000).unwrap().late);
        assert!(open_notification(&keys, &bytes, AT + 3_600_000).unwrap().late);
        let (keys, bytes) = sealed(Happening::Motion, true);
        assert!(open_notification(&keys, &bytes, AT).unwrap().late, "the hub said so");
    }

    #[test]
    fn one_that_was_kept_for_another_day_is_stale() {
        let (keys, bytes) = sealed(Happening::Motion, false);
        let day_and_hour = 25 * 3_600_000;
        assert!(!open_notification(&keys, &bytes, AT + day_and_hour).unwrap().stale);
        assert!(open_notification(&keys, &bytes, AT + day_and_hour + 1).unwrap().stale);
        assert!(
            !open_notification(&keys, &bytes, AT - 10 * day_and_hour).unwrap().stale,
            "the phone's clock is behind"
        );
        assert!(open_notification(&keys, &bytes, i64::MAX).unwrap().stale);
    }

    #[test]
    fn what_is_not_the_hubs_for_this_phone_is_tampered_with() {
        let (keys, bytes) = sealed(Happening::Motion, false);
        let other = NotificationKeys { secret: vec![9; 32], ..keys.clone() };
        assert!(matches!(open_notification(&other, &bytes, AT), Err(CoreError::Tampered { .. })));
        let (another_home, _) = sealed(Happening::Motion, false);
        assert!(matches!(open_notification(&another_home, &bytes, AT), Err(CoreError::Tampered { .. })));
        assert!(matches!(open_notification(&keys, b"hello", AT), Err(CoreError::Invalid { .. })));
        let short = NotificationKeys { secret: vec![9; 31], ..keys };
        assert!(matches!(open_notification(&short, &bytes, AT), Err(CoreError::Invalid { .. })));
    }
}
