//! Notifications over the open connection, and the push target that the relay is to have. A relay that brings none is no reason to
//! end a session: everything else goes on, and the status says why.

use std::sync::Arc;
use std::time::Duration;

use privet_relay_client::{ClientError, Connection, LogItem, LogReader};

use super::SyncError;
use crate::error::CoreError;
use crate::events::TrustAlert;
use crate::notification;
use crate::push::{self, Unregistered};
use crate::state::Core;

/// What the status says of a relay that refuses.
pub(crate) const NO_WAKES: &str =
    "the relay brings no notifications; it may be older than this app and has to be updated (everything else works)";
/// After a passing trouble.
const AGAIN: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, SyncError>;

/// Runs until the connection is lost.
pub(super) async fn bring(core: &Arc<Core>, connection: &Connection) -> Outcome<ClientError> {
    loop {
        let Err(error) = follow(core, connection).await else { continue };
        let Trouble::Relay(error) = error else { return Err(error.into()) };
        if error.refusal().is_none() {
            return Err(error.into());
        }
        if error.is_retryable() {
            core.no_notifications(Some(format!("the relay brings no notifications now: {error}")));
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        tracing::info!(target: "privet::sync", %error, "the relay brings no notifications");
        core.no_notifications(Some(NO_WAKES.into()));
        // Another connection may lead to another relay; on this one it stays so.
        return std::future::pending().await;
    }
}

/// Why no notifications come.
enum Trouble {
    Relay(ClientError),
    Core(CoreError),
}

impl From<Trouble> for SyncError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Relay(error) => error.into(),
            Trouble::Core(error) => error.into(),
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Relay(error)
    }
}

impl From<CoreError> for Trouble {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl From<Unregistered> for Trouble {
    fn from(why: Unregistered) -> Self {
        match why {
            Unregistered::Relay(error) => Self::Relay(error),
            Unregistered::Here(error) => Self::Core(error),
        }
    }
}

/// Takes what comes, once somebody listens: a command that only asks for something must not swallow notifications. The hub is
/// told the key as soon as the relay shows that it can bring something.
async fn follow(core: &Arc<Core>, connection: &Connection) -> Result<(), Trouble> {
    connection.push_key().await?;
    core.no_notifications(None);
    notification::keys(core).await?;
    match push::renew(core, connection).await {
        // One that it has no gateway for, say: what comes over the connection comes all the same.
        Err(Unregistered::Relay(error)) if error.refusal().is_some() => {
            core.no_notifications(Some(format!("this phone is not woken while it is not connected: {error}")));
        }
        outcome => outcome?,
    }
    core.events.somebody_listens().await;
    // From the first that is left: those that a gateway took or that were acknowledged are gone.
    let mut reader = connection.read_wakes(1, true).await?;
    loop {
        if let LogItem::Entry { seq, bytes } = next(&mut reader).await? {
            take(core, bytes).await?;
            connection.ack_wakes(seq).await?;
        }
    }
}

async fn next(reader: &mut LogReader) -> Result<LogItem, Trouble> {
    match reader.next().await? {
        Some(item) => Ok(item),
        None => {
            Err(CoreError::Network { reason: "the relay ended the notifications".into(), retry_after_ms: None }.into())
        }
    }
}

/// Shows one. What can't be opened is let go of as well: it would come for ever.
async fn take(core: &Arc<Core>, payload: Vec<u8>) -> Result<(), Trouble> {
    let keys = notification::keys(core).await?;
    match push::take(core, keys, payload).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            tracing::debug!(target: "privet::sync", "a notification that was shown before");
            Ok(())
        }
        Err(CoreError::Tampered { reason } | CoreError::Invalid { reason }) => {
            core.alert(TrustAlert::ForgedNotice { why: reason });
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
