//! Being woken: where the relay sends what the hub has for this phone, and which notifications its owner was shown.
//!
//! The target is sealed to the relay's push key for this phone, kept here, and given to the relay on every connection: the
//! same bytes while the relay's key is the same, so that a relay that lost it has it again and one that has it writes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use privet_protocol::cbor;
use privet_protocol::id::EventId;
use privet_protocol::storage::{Batch, Store};
use privet_push::{PushKey, PushTarget};
use privet_relay_client::{ClientError, Code, Connection};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::clock;
use crate::error::{CoreError, Result};
use crate::events::{Event, TrustAlert};
use crate::notification::{self, Notification, Unopened};
use crate::runtime;
use crate::state::Core;
use crate::sync::client_error;

const PUSH: &[u8] = b"core/push";
const SHOWN: &[u8] = b"core/shown";
const MAX_RECORD: usize = 64 * 1024;
/// Of so many notifications it is known that they were shown; the hub keeps no more waiting than that.
const MAX_SHOWN: usize = 1_000;

/// What the relay offers for waking this phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushInfo {
    /// The VAPID public key to subscribe to Web Push with: an uncompressed P-256 point. None when the relay has no Web Push.
    pub vapid: Option<Vec<u8>>,
    /// Through what this phone asked to be woken: `fcm`, `web_push` or `apns`.
    pub target: Option<String>,
    /// Whether the relay has it.
    pub registered: bool,
}

/// Where this phone wants to be woken.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Push {
    target: Option<PushTarget>,
    /// The target as the relay gets it, and the relay's key that it was sealed to; empty: nowhere.
    sealed: ByteBuf,
    sealed_to: ByteBuf,
    /// The key of this phone at the relay that it was sealed for.
    #[serde(default)]
    sealed_for: ByteBuf,
    /// The relay has it.
    registered: bool,
}

impl Push {
    fn load(store: &dyn Store) -> Result<Option<Self>> {
        let Some(bytes) = store.get(PUSH)? else { return Ok(None) };
        cbor::decode(&bytes, MAX_RECORD)
            .map(Some)
            .map_err(|e| CoreError::Damaged { reason: format!("the record of the push target: {e}") })
    }

    async fn keep(self, core: &Arc<Core>) -> Result<()> {
        let core = core.clone();
        runtime::blocking(move || {
            let mut batch = Batch::new();
            batch.put(PUSH, cbor::encode(&self));
            Ok(core.store()?.commit(batch)?)
        })
        .await
    }
}

/// From now on this phone is woken there, or nowhere; given to the relay at once, or when it is reached.
pub(crate) async fn register(core: &Arc<Core>, target: Option<PushTarget>) -> Result<()> {
    if let Some(target) = &target {
        target.check().map_err(|e| CoreError::Invalid { reason: format!("push target: {e}") })?;
        notification::keys(core).await?;
    }
    let _one_at_a_time = core.registering.lock().await;
    let before = load(core).await?;
    if before.as_ref().is_none_or(|before| before.target != target) {
        if before.is_none() && target.is_none() {
            return Ok(());
        }
        Push { target, ..Push::default() }.keep(core).await?;
    }
    match core.link().connection {
        Some(connection) => {
            let outcome = hand_over(core, &connection).await;
            // What passes is tried again beside the connection's other work; what was said of the target before holds no more.
            let passes = matches!(&outcome, Err(Unregistered::Relay(error)) if error.is_retryable());
            if passes || core.notifications_note().is_some() {
                core.target_waits.notify_one();
            }
            outcome.map_err(Unregistered::into_core)
        }
        None => Err(CoreError::Network {
            reason: "kept on this phone; the relay gets it when it is reached".into(),
            retry_after_ms: None,
        }),
    }
}

/// What the relay offers.
pub(crate) async fn info(core: &Arc<Core>, connection: &Connection) -> Result<PushInfo> {
    let key = connection.push_key().await.map_err(|e| Unregistered::Relay(e).into_core())?;
    let push = load(core).await?.unwrap_or_default();
    Ok(PushInfo {
        vapid: key.vapid,
        target: push.target.as_ref().map(|target| target.kind().into()),
        registered: push.target.is_some()
            && push.registered
            && push.sealed_to.as_slice() == key.key.as_slice()
            && push.sealed_for.as_slice() == connection.key().0.as_slice(),
    })
}

/// Why the relay does not have the target.
pub(crate) enum Unregistered {
    Relay(ClientError),
    Here(CoreError),
}

impl Unregistered {
    fn into_core(self) -> CoreError {
        match self {
            Self::Relay(error) if error.refusal() == Some(Code::Denied) => {
                CoreError::Network { reason: format!("{}: {error}", crate::sync::NO_WAKES), retry_after_ms: None }
            }
            Self::Relay(error) if error.refusal().is_some() => CoreError::Network {
                reason: format!(
                    "the relay did not take the push target; notifications come over the connection: {error}"
                ),
                retry_after_ms: None,
            },
            Self::Relay(error) => client_error(&error),
            Self::Here(error) => error,
        }
    }
}

impl From<CoreError> for Unregistered {
    fn from(error: CoreError) -> Self {
        Self::Here(error)
    }
}

impl From<ClientError> for Unregistered {
    fn from(error: ClientError) -> Self {
        Self::Relay(error)
    }
}

/// Gives the relay what it should have. Nothing when this phone never asked to be woken.
pub(crate) async fn renew(core: &Arc<Core>, connection: &Connection) -> std::result::Result<(), Unregistered> {
    let _one_at_a_time = core.registering.lock().await;
    hand_over(core, connection).await
}

async fn hand_over(core: &Arc<Core>, connection: &Connection) -> std::result::Result<(), Unregistered> {
    let Some(mut push) = load(core).await? else { return Ok(()) };
    let Some(target) = &push.target else {
        if !push.registered {
            connection.set_push(Vec::new()).await?;
            push.registered = true;
            push.keep(core).await?;
        }
        return Ok(());
    };
    let key = PushKey::from_bytes(&connection.push_key().await?.key).map_err(|e| {
        Unregistered::Here(CoreError::Network { reason: format!("the relay's push key: {e}"), retry_after_ms: None })
    })?;
    // Of this connection, not of the home: while a phone moves to another key it has two.
    let member = connection.key();
    let known = push.sealed_to.as_slice() == key.as_bytes().as_slice();
    if !known || push.sealed_for.as_slice() != member.0.as_slice() {
        let sealed = key.seal(target, &member).map_err(|e| CoreError::Invalid { reason: e.to_string() })?;
        push = Push {
            sealed: sealed.into(),
            sealed_to: key.as_bytes().to_vec().into(),
            sealed_for: member.0.to_vec().into(),
            registered: false,
            target: push.target,
        };
        push.clone().keep(core).await?;
    }
    let outcome = connection.set_push(push.sealed.to_vec()).await;
    let registered = match &outcome {
        Ok(()) => true,
        // One that has ended, or that the relay has no gateway for any more.
        Err(error) if error.refusal().is_some() && !error.is_retryable() => false,
        Err(_) => push.registered,
    };
    if push.registered != registered {
        push.registered = registered;
        push.keep(core).await?;
    }
    Ok(outcome?)
}

async fn load(core: &Arc<Core>) -> Result<Option<Push>> {
    let core = core.clone();
    runtime::blocking(move || Push::load(&*core.store()?)).await
}

/// The notifications that were shown, by event; the oldest are forgotten first.
#[derive(Default, Serialize, Deserialize)]
struct Shown(VecDeque<EventId>);

impl Shown {
    /// One that can't be read is empty: at worst something is shown twice, which is better than never.
    fn load(store: &dyn Store) -> Result<Self> {
        Ok(store.get(SHOWN)?.and_then(|bytes| cbor::decode(&bytes, MAX_RECORD).ok()).unwrap_or_default())
    }

    fn add(&mut self, event: EventId) {
        if self.0.len() >= MAX_SHOWN {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }
}

/// Opens what came as a notification: nothing when somebody had it already, or when it is so old that only a relay that plays
/// tricks, or a wrong clock, brings it. Such a one disturbs nobody.
async fn look(core: &Arc<Core>, payload: Vec<u8>) -> std::result::Result<Option<(EventId, Notification)>, Unopened> {
    let (shared, keys) = (core.clone(), notification::keys(core).await?);
    let came = runtime::blocking(move || {
        let notice = match notification::open(&keys, &payload) {
            Ok(notice) => notice,
            Err(why) => return Ok(Err(why)),
        };
        if Shown::load(&*shared.store()?)?.0.contains(&notice.event.id) {
            return Ok(Ok(None));
        }
        let (event, made, now) = (notice.event.id, notice.sealed_at, clock::now());
        let notification = notification::in_words(notice, now.0);
        if notification.stale {
            shared.alert(TrustAlert::StaleNotice { by_s: now.since(made).as_secs() });
            return Ok(Ok(None));
        }
        Ok(Ok(Some((event, notification))))
    });
    came.await?
}

/// Opens a notification for whoever gave it, who so has it, and tells it as an event; nothing when somebody had it before.
pub(crate) async fn take(core: &Arc<Core>, payload: Vec<u8>) -> Result<Option<Notification>> {
    let Some((event, notification)) = look(core, payload).await? else { return Ok(None) };
    core.events.offer(event, &told(&notification));
    note(core, event).await?;
    Ok(Some(notification))
}

/// Opens a notification that the relay brought and tells it; returns when somebody has it and that is durable, and the relay
/// may forget it. A process that ends before is brought it again.
pub(crate) async fn bring(core: &Arc<Core>, payload: Vec<u8>) -> std::result::Result<(), Unopened> {
    if let Some((event, notification)) = look(core, payload).await? {
        // Taken before it is noted: a crash in between shows it again, under the same id, rather than never.
        core.events.hand(event, &told(&notification)).await;
        note(core, event).await?;
    }
    Ok(())
}

/// A notification was shown by somebody else: the extension that a push service woke.
pub(crate) async fn shown(core: &Arc<Core>, event_id: String) -> Result<()> {
    note(core, event_id.parse().map_err(|e| CoreError::Invalid { reason: format!("{e}") })?).await
}

fn told(notification: &Notification) -> Event {
    Event::Notification(Box::new(notification.clone()))
}

/// Notes that a notification was shown.
async fn note(core: &Arc<Core>, event: EventId) -> Result<()> {
    let core = core.clone();
    runtime::blocking(move || {
        let _one_at_a_time = core.noting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let store = core.store()?;
        let mut shown = Shown::load(&*store)?;
        if shown.0.contains(&event) {
            return Ok(());
        }
        shown.add(event);
        let mut batch = Batch::new();
        batch.put(SHOWN, cbor::encode(&shown));
        Ok(store.commit(batch)?)
    })
    .await
}
