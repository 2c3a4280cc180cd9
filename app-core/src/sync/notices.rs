//! Notifications over the open connection, and the push target that the relay is to have. A relay that brings none is no reason to
//! end a session: everything else goes on, and the status says why.

use std::sync::Arc;
use std::time::Duration;

use privet_notice::NoticeError;
use privet_relay_client::{ClientError, Connection, LogItem, LogReader};

use super::SyncError;
use crate::error::CoreError;
use crate::events::TrustAlert;
use crate::notification::{self, Unopened};
use crate::push::{self, Unregistered};
use crate::state::Core;

/// What the status says of a relay that refuses.
pub(crate) const NO_WAKES: &str =
    "the relay brings no notifications; it may be older than this app and has to be updated (everything else works)";
/// After a passing trouble.
const AGAIN: Duration = Duration::from_secs(10);
/// The first pause after the relay could not take the push target; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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

/// Takes what comes, while somebody listens: a command that only asks for something must not swallow notifications. The hub is
/// told the key as soon as the relay shows that it can bring something.
async fn follow(core: &Arc<Core>, connection: &Connection) -> Result<(), Trouble> {
    connection.push_key().await?;
    core.no_notifications(None);
    notification::keys(core).await?;
    tokio::select! {
        trouble = keep_registered(core, connection) => Err(trouble),
        trouble = take_while_wanted(core, connection) => Err(trouble),
    }
}

/// Gives the relay the push target, again after what passes and when it is asked for; until that can't go on.
async fn keep_registered(core: &Arc<Core>, connection: &Connection) -> Trouble {
    let (mut told, mut pause) = (false, FIRST_PAUSE);
    loop {
        let again = match push::renew(core, connection).await {
            Ok(()) => {
                if told {
                    core.no_notifications(None);
                }
                (told, pause) = (false, FIRST_PAUSE);
                None
            }
            // One that it has no gateway for, say: what comes over the connection comes all the same.
            Err(Unregistered::Relay(error)) if error.refusal().is_some() => {
                core.no_notifications(Some(format!("this phone is not woken while it is not connected: {error}")));
                told = true;
                error.is_retryable().then_some(pause)
            }
            Err(why) => return why.into(),
        };
        let Some(wait) = again else {
            core.target_waits.notified().await;
            continue;
        };
        pause = (pause * 2).min(LONGEST_PAUSE);
        let _ = tokio::time::timeout(wait, core.target_waits.notified()).await;
    }
}

/// Takes what the relay has while somebody listens. Otherwise nothing is read: to a relay a phone that reads is one that is told.
async fn take_while_wanted(core: &Arc<Core>, connection: &Connection) -> Trouble {
    loop {
        core.events.somebody_listens().await;
        tokio::select! {
            biased;
            // First: what somebody has is noted, even by who listens no more.
            outcome = take_all(core, connection) => if let Err(trouble) = outcome { return trouble },
            () = core.events.nobody_listens() => {}
        }
    }
}

async fn take_all(core: &Arc<Core>, connection: &Connection) -> Result<(), Trouble> {
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

/// Shows one; returns when somebody has it. What can't be opened is let go of as well: it would come for ever.
async fn take(core: &Arc<Core>, payload: Vec<u8>) -> Result<(), Trouble> {
    match push::bring(core, payload).await {
        Ok(()) => Ok(()),
        // That is no lie. The log has the event.
        Err(Unopened::Notice(error @ NoticeError::Version(_))) => {
            core.no_notifications(Some(format!("not all notifications can be shown: {error}")));
            Ok(())
        }
        Err(Unopened::Notice(error)) => {
            core.alert(TrustAlert::ForgedNotice { why: error.to_string() });
            Ok(())
        }
        Err(Unopened::Core(error)) => Err(error.into()),
    }
}
