//! What phones ask for, and what is done about it.

use std::time::Duration;

use privet_home::{FromPhone, HomeError, PhoneMessage, ReceiveError};
use privet_protocol::id::DeviceId;
use privet_protocol::storage::{Batch, Store};
use privet_relay_client::{Code, Connection, LogItem};

use super::{Uplink, UplinkError, pairing};
use crate::recorder::Input;
use crate::recorder::task::Recorders;
use crate::status::Alarm;

/// The next inbox message to take.
const NEXT: &[u8] = b"hub/inbox-next";

/// Takes messages as they come, for ever.
pub(super) async fn follow(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    let mut next = next_number(&*uplink.store)?;
    let mut reader = connection.read_inbox(next, true).await?;
    loop {
        let item = match reader.next().await {
            Ok(Some(item)) => item,
            Ok(None) => {
                reader = connection.read_inbox(next, true).await?;
                continue;
            }
            // The relay let messages go by before the hub came: phones ask again for what they want.
            Err(error) if error.refusal() == Some(Code::Gone) => {
                next = connection.usage().await?.inbox_head + 1;
                tracing::warn!(next, "messages of phones expired at the relay before they were read");
                reader = connection.read_inbox(next, true).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let LogItem::Entry { seq, bytes } = item else { continue };
        take(&uplink, &connection, seq, bytes).await?;
        next = seq + 1;
        connection.ack_inbox(seq).await?;
    }
}

pub(super) async fn take(
    uplink: &Uplink,
    connection: &Connection,
    seq: u64,
    bytes: Vec<u8>,
) -> Result<(), UplinkError> {
    let (recorders, notices, outbox) = (uplink.recorders.clone(), uplink.notices.clone(), uplink.outbox.clone());
    let newcomer = pairing::snapshot(uplink);
    let received = uplink
        .home
        .call(move |home, env| {
            let mut desk = notices.desk();
            let mut pin = None;
            // In one commit with the mark: the message is not read again, so what it wants must not be left for later.
            let received = home.receive_with(&bytes, env, |from| {
                let mut also = desk.answer(from, &newcomer, env.now)?;
                if let Some(PhoneMessage::PinClip { stream, pinned }) = from.message {
                    pin = desk.pin(from.device, &outbox, stream, pinned, &mut also, env.now)?;
                }
                also.extra.put(NEXT, (seq + 1).to_be_bytes());
                Ok(also)
            });
            desk.settle(received.is_ok());
            match (&received, pin) {
                (Ok(_), Some((stream, pinned))) => outbox.set_pinned(stream, pinned),
                (Err(_), Some((stream, _))) => outbox.refresh_pin(stream),
                (_, None) => {}
            }
            if let Ok(FromPhone { removed: Some(removed), .. }) = &received {
                // Here, because the message is not read again: this connection may end before the verb's answer is looked at.
                rekey(&recorders, removed.device);
            }
            received
        })
        .await?;
    match received {
        Ok(from) => act(uplink, connection, from).await,
        Err(ReceiveError::Home(error)) => Err(error.into()),
        // Final: it is never taken, and must not be read again.
        Err(error) => {
            tracing::debug!(seq, %error, "a message of a phone was not taken");
            let store = uplink.store.clone();
            let commit = tokio::task::spawn_blocking(move || {
                let mut batch = Batch::new();
                batch.put(NEXT, (seq + 1).to_be_bytes());
                store.commit(batch)
            });
            commit.await.map_err(|e| privet_protocol::storage::StoreError::Io(e.to_string()))??;
            Ok(())
        }
    }
}

async fn act(uplink: &Uplink, connection: &Connection, from: FromPhone) -> Result<(), UplinkError> {
    let viewer = from.device;
    if let Some(seq) = from.forked {
        let cause = format!("a phone was shown another history of this home from entry {seq} on");
        uplink.board.raise(Alarm::Relay { cause });
    }
    match from.message {
        Some(PhoneMessage::Watch { camera, .. }) if uplink.constant.as_ref().is_some_and(|c| !c.rate().live) => {
            tracing::info!(%camera, device = %viewer, "nobody watches live: constant_rate.live is off");
        }
        Some(PhoneMessage::Watch { camera, lease_ms, feed }) => {
            if let Some(recorder) = uplink.recorders.of(camera) {
                recorder.send(Input::Watch { viewer, lease: Duration::from_millis(lease_ms.into()), feed });
            }
        }
        Some(PhoneMessage::Unwatch { camera }) => {
            if let Some(recorder) = uplink.recorders.of(camera) {
                recorder.send(Input::Unwatch { viewer });
            }
        }
        // Done already; if this connection ends first, the next one takes the key its rights.
        Some(PhoneMessage::RemoveDevice { device }) => match from.removed {
            Some(_) => {
                if let Some(constant) = &uplink.constant {
                    constant.begin_anew();
                }
                uplink.see_off(connection).await?;
            }
            None => tracing::info!(%device, "a device to be removed is not a member"),
        },
        Some(PhoneMessage::Paired) => {
            tracing::info!(device = %viewer, "a phone is in");
            uplink.pairings.arrived(viewer);
        }
        // If this connection ends first, the next one begins with it.
        Some(PhoneMessage::NewRelayKey { key }) => uplink.offer(connection, key).await?,
        Some(PhoneMessage::UsesRelayKey { .. }) => {
            tracing::debug!(device = %viewer, "a phone has a new key at the relay")
        }
        // Done already, in the commit that took them.
        Some(PhoneMessage::SetWishes(_) | PhoneMessage::SetPush(_) | PhoneMessage::PinClip { .. }) => {}
        Some(message) => tracing::debug!(device = %viewer, ?message, "a phone's message needs nothing done"),
        None => {}
    }
    Ok(())
}

/// Removes a phone from the home and moves all streams to new keys; whether it was a member. Its keys at the relay are still to be
/// revoked ([`Uplink::see_off`]).
pub(crate) async fn remove(uplink: &Uplink, device: DeviceId) -> Result<bool, UplinkError> {
    let (recorders, notices) = (uplink.recorders.clone(), uplink.notices.clone());
    let removed = uplink
        .home
        .call(move |home, env| {
            let mut desk = notices.desk();
            let forgotten = desk.forget(&device)?;
            let removed = home.remove(device, None, forgotten, env);
            desk.settle(removed.is_ok());
            if removed.is_ok() {
                // Here, because whoever asked may be gone before the answer.
                rekey(&recorders, device);
            }
            removed
        })
        .await?;
    match removed {
        Ok(_) => {
            if let Some(constant) = &uplink.constant {
                constant.begin_anew();
            }
            Ok(true)
        }
        Err(HomeError::NotAMember(_) | HomeError::NotRemovable) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Moves all streams to keys that a removed phone does not get.
fn rekey(recorders: &Recorders, removed: DeviceId) {
    for (_, recorder) in recorders.all() {
        recorder.send(Input::Rekey { removed: Some(removed) });
    }
    tracing::info!(device = %removed, "a phone was removed; all streams get new keys");
}

fn next_number(store: &dyn Store) -> Result<u64, UplinkError> {
    let bytes = store.get(NEXT)?;
    Ok(bytes.and_then(|b| b.try_into().ok()).map_or(1, u64::from_be_bytes))
}
