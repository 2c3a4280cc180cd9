//! Moving to a new key at the relay, which this phone made when it heard that somebody was removed (`PhoneHome::next_capability`).
//! Until the hub has let the new key in, and for as long as anything still waits under the old one, all goes on under the old one.

use std::sync::Arc;
use std::time::Duration;

use privet_home::Env;
use privet_protocol::random::SystemRandom;
use privet_relay_client::{ClientKey, Connection, LogItem, Principal, connect};

use super::{CONNECT, SyncError, target};
use crate::clock;
use crate::push::{self, Unregistered};
use crate::state::{Core, home_error};

/// How long after the key was made, or since it was tried in vain, it is tried again, at first and at most. A hub that knows of no
/// new keys lets none in, ever.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

/// Moves, once there is somewhere to move to. The session under the old key goes on until the hub takes that away.
pub(super) async fn keep(core: &Arc<Core>, connection: &Connection) -> SyncError {
    loop {
        let moved = match next(core, connection).await {
            Ok(moved) => moved,
            Err(error) => return error,
        };
        if moved {
            core.outbox.notify_one();
        }
        core.new_key.notified().await;
    }
}

/// Tries the next key until it is this phone's; false when there is none.
async fn next(core: &Arc<Core>, connection: &Connection) -> Result<bool, SyncError> {
    let mut pause = PAUSE[0];
    loop {
        if core.with_home(|home| Ok(home.next_capability().is_none())).await? {
            return Ok(false);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE[1]);
        if core.link().caught_up && !waits(connection).await? && is_at_home(core).await? {
            let now = clock::now();
            let verb = move |home: &mut privet_home::PhoneHome| {
                home.move_capability(Env::new(now, &SystemRandom)).map_err(home_error)
            };
            return Ok(core.with_home(verb).await?.is_some());
        }
    }
}

/// Whether notifications wait under the old key: they would be lost with it.
async fn waits(connection: &Connection) -> Result<bool, SyncError> {
    let mut reader = connection.read_wakes(1, false).await?;
    match reader.next().await {
        Ok(item) => Ok(matches!(item, Some(LogItem::Entry { .. }))),
        // A relay that wakes nobody.
        Err(error) if error.refusal().is_some() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the relay lets the next key in, and wakes this phone under it from now on.
async fn is_at_home(core: &Arc<Core>) -> Result<bool, SyncError> {
    let there = core.with_home(|home| Ok((target(home.relay()), home.home_id(), home.next_capability()))).await?;
    let (target, home, Some(seed)) = there else { return Ok(false) };
    let key = ClientKey::from_seed(&seed)?;
    let Ok(connection) = connect(&target, Principal::Member { home }, &key, CONNECT).await else { return Ok(false) };
    let registered = match push::renew(core, &connection).await {
        Ok(()) => true,
        // What the relay refuses now it refused under the old key as well, unless it passes.
        Err(Unregistered::Relay(error)) => error.refusal().is_some() && !error.is_retryable(),
        Err(Unregistered::Here(_)) => false,
    };
    connection.leave().await;
    Ok(registered)
}
