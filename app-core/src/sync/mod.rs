//! Keeps this phone in step with its home: connects, follows the log, sends what waits, tries again without end.
//!
//! `session` is one connection, `notices` what it brings beside the log, `relay_key` the move to another key; `silence` decides, without a clock of its own, when the hub was silent for too long.

mod notices;
mod relay_key;
mod session;
mod silence;

pub(crate) use notices::NO_WAKES;
pub(crate) use silence::Signs;

use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_protocol::random::SystemRandom;
use privet_relay_client::{ClientError, ClientKey, Code, Connection, Principal, Reconnect, RelayTarget, Trust};

use crate::error::CoreError;
use crate::events::TrustAlert;
use crate::state::{Core, Link};
use crate::types::LinkState;

/// How long one try to connect may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Runs until the client is shut down.
pub(crate) async fn run(core: Arc<Core>) {
    let mut reconnect = Reconnect::default();
    while !core.stop.is_cancelled() {
        // Why the last try failed stays to be seen until this one has an outcome.
        let before = core.link().reason.clone();
        set(&core, LinkState::Connecting, before, None);
        let outcome = tokio::select! {
            outcome = once(&core, &mut reconnect) => outcome,
            () = core.stop.cancelled() => break,
        };
        let (state, reason, followed) = match outcome {
            Ok(lost) => (LinkState::Offline, lost.to_string(), core.link().caught_up),
            Err(SyncError::NoHome(why)) => {
                set(&core, LinkState::Offline, Some(why.to_string()), None);
                tokio::select! {
                    () = core.retry.notified() => continue,
                    () = core.stop.cancelled() => break,
                }
            }
            Err(SyncError::Refused(reason)) => (LinkState::Refused, reason, false),
            Err(SyncError::Link(reason)) => (LinkState::Offline, reason, core.link().caught_up),
        };
        if followed {
            reconnect.reset();
        }
        let wait = reconnect.wait(&SystemRandom);
        set(&core, state, Some(reason), Some(Instant::now() + wait));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = core.retry.notified() => {}
            () = core.stop.cancelled() => break,
        }
    }
    set(&core, LinkState::Offline, Some("shut down".into()), None);
}

/// Why a round of the sync ended.
enum SyncError {
    /// There is nothing to connect to.
    NoHome(CoreError),
    /// The relay does not let this phone in.
    Refused(String),
    /// Anything that passes.
    Link(String),
}

impl From<ClientError> for SyncError {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refusal) if refusal.code == Code::Denied => Self::Refused(refused()),
            ClientError::Closed { revoked: true, .. } => Self::Refused(refused()),
            other => Self::Link(other.to_string()),
        }
    }
}

impl From<CoreError> for SyncError {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::NotPaired | CoreError::Revoked | CoreError::Stopped | CoreError::Background => {
                Self::NoHome(error)
            }
            other => Self::Link(other.to_string()),
        }
    }
}

fn refused() -> String {
    "the relay does not let this phone in: it was removed from the home, or the relay keeps it out".into()
}

/// One connection, from its making to its loss.
async fn once(core: &Arc<Core>, reconnect: &mut Reconnect) -> Result<ClientError, SyncError> {
    let (target, home, seed) =
        core.with_home(|home| Ok((target(home.relay()), home.home_id(), home.capability()))).await?;
    let key = ClientKey::from_seed(&seed)?;
    let connection = match reconnect.connect(&target, Principal::Member { home }, &key, CONNECT).await {
        Ok(connection) => connection,
        Err(error) => {
            if matches!(error, ClientError::WrongIdentity { .. } | ClientError::Untrusted { .. }) {
                core.alert(TrustAlert::OtherRelay { why: error.to_string() });
            }
            return Err(error.into());
        }
    };
    let outcome = session::run(core, connection.clone()).await;
    if !matches!(outcome, Err(SyncError::NoHome(_))) {
        reconnect.lost(&target, &connection);
    }
    let has_moved = matches!(outcome, Err(SyncError::Refused(_)))
        && core.with_home(move |home| Ok(*home.capability() != *seed)).await?;
    if has_moved {
        // The hub took the old key away, as it should; this phone comes again under the new one.
        return Err(SyncError::Link("this phone has a new key at the relay".into()));
    }
    outcome
}

/// How the relay at `address` is reached and recognized.
pub(crate) fn target(address: &privet_home::RelayAddress) -> RelayTarget {
    RelayTarget { host: address.host.clone(), port: address.port, trust: address.pin.map_or(Trust::WebPki, Trust::Pin) }
}

fn set(core: &Core, state: LinkState, reason: Option<String>, retry_at: Option<Instant>) {
    core.set_link(Link { state, reason, connection: None, caught_up: false, retry_at });
}

fn connected(core: &Core, connection: &Connection) {
    core.set_link(Link {
        state: LinkState::Relay,
        reason: None,
        connection: Some(connection.clone()),
        caught_up: false,
        retry_at: None,
    });
}

/// A relay's failure as the host sees it.
pub(crate) fn client_error(error: &ClientError) -> CoreError {
    match error {
        ClientError::Refused(refusal) if matches!(refusal.code, Code::NotFound | Code::Gone) => {
            CoreError::NotFound { what: refusal.reason.clone() }
        }
        other => CoreError::Network { reason: other.to_string(), retry_after_ms: None },
    }
}
