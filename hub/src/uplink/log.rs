//! The log on its way to the relay, in order, and the signs of life in it.

use std::time::Duration;

use privet_home::{CameraState, HubMessage};
use privet_protocol::storage::Batch;
use privet_relay_client::Connection;

use super::{Uplink, UplinkError};

/// Entries taken from the outbox at once.
const PAGE: usize = 64;
/// How often the group's keys are looked at; the home itself knows when they are due.
const REFRESH: Duration = Duration::from_secs(1800);

/// Sends what the relay does not have yet, and what is appended from then on.
pub(super) async fn send(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        let entries = uplink.home.call(|home, _| home.outbox(1, PAGE)).await??;
        let Some(last) = entries.last().map(|e| e.seq) else {
            uplink.home.grew().await;
            continue;
        };
        for entry in entries {
            // A conflict ends the connection; the next one begins with comparing the heads.
            connection.append(entry.seq, entry.bytes).await?;
        }
        uplink.home.call(move |home, _| home.sent(last)).await??;
    }
}

/// Signs of life while connected, so that a withheld tail is noticed; new keys and the end of farewells when they are due.
pub(super) async fn heartbeats(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    let mut beat = tokio::time::interval(uplink.heartbeat);
    let mut refresh = tokio::time::interval(REFRESH);
    for timer in [&mut beat, &mut refresh] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            _ = beat.tick() => {
                uplink.board.round_trip(connection.round_trip());
                let heartbeat = sign_of_life(&uplink);
                uplink.home.call(|home, env| home.append(&[heartbeat], Batch::new(), env)).await??;
                // Not at once when a phone moved: what was sent to wake it before then has reached it.
                uplink.retire(&connection).await?;
            }
            _ = refresh.tick() => {
                uplink.home.call(|home, env| home.refresh(env)).await??;
                uplink.see_off(&connection).await?;
            }
        }
    }
}

/// Says when the next one comes, so that a phone knows from its first one on how long silence is normal.
pub(super) fn sign_of_life(uplink: &Uplink) -> HubMessage {
    HubMessage::Heartbeat { every_s: u32::try_from(uplink.heartbeat.as_secs()).unwrap_or(u32::MAX).max(1) }
}

/// Tells the members when cameras come, go or change.
pub(super) async fn camera_news(uplink: Uplink) -> Result<(), UplinkError> {
    loop {
        let fresh = uplink.board.take_fresh();
        if fresh.is_empty() {
            uplink.board.camera_news_wait().await;
            continue;
        }
        let all = uplink.board.cameras();
        let mut messages = Vec::new();
        for camera in all.iter().filter(|c| fresh.contains(&c.id)) {
            let state = if camera.online {
                CameraState::Online
            } else {
                CameraState::Offline { reason: "the camera does not answer".into() }
            };
            messages.push(HubMessage::CameraState { camera: camera.id, state });
        }
        messages.push(HubMessage::Cameras(all));
        uplink.home.call(move |home, env| home.append(&messages, Batch::new(), env)).await??;
    }
}
