//! What happens, told to every page that is open.
//!
//! One task takes app-core's events and hands each to all pages. It takes none while no page is there: app-core keeps them
//! meanwhile, and the relay keeps the notifications, so the next page gets them. A page that is too slow is told how many it missed.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::response::Response;
use privet_app_core::{Client, Event};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError, error::SendError};
use tokio_util::sync::CancellationToken;

use super::answers::{self, Refusal};
use super::{Server, socket};

/// How many events a page may be behind.
const BEHIND: usize = 256;
/// How long one wait for an event is.
const WAIT_MS: u32 = 60_000;

/// Who is to be told.
pub struct Happenings {
    lines: broadcast::Sender<Utf8Bytes>,
    /// A page came.
    came: Notify,
}

impl Happenings {
    /// Nobody yet.
    pub fn new() -> Self {
        Self { lines: broadcast::Sender::new(BEHIND), came: Notify::new() }
    }

    /// Takes events and tells them, until `stop` or the client's end.
    pub async fn pull(&self, client: &Client, stop: &CancellationToken) {
        while self.somebody(stop).await {
            let event = tokio::select! {
                event = client.next_event(WAIT_MS) => event,
                () = stop.cancelled() => return,
            };
            let line = match event {
                Ok(Some(event)) => line(&event),
                Ok(None) => None,
                Err(_) => return,
            };
            let Some(mut waiting) = line.map(|line| Utf8Bytes::from(line.to_string())) else { continue };
            // The last page may have gone since: then it is the next one's.
            while let Err(SendError(back)) = self.lines.send(waiting) {
                waiting = back;
                if !self.somebody(stop).await {
                    return;
                }
            }
        }
    }

    fn come(&self) -> broadcast::Receiver<Utf8Bytes> {
        let lines = self.lines.subscribe();
        self.came.notify_one();
        lines
    }

    /// Waits until a page is there; false when the server goes.
    async fn somebody(&self, stop: &CancellationToken) -> bool {
        while self.lines.receiver_count() == 0 {
            tokio::select! {
                () = self.came.notified() => {}
                () = stop.cancelled() => return false,
            }
        }
        !stop.is_cancelled()
    }
}

/// `WS /api/happenings`
pub async fn happenings(
    State(server): State<Arc<Server>>,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = socket::upgrade(asked)?;
    // From now on, not from when the socket stands: nothing is lost in between.
    let lines = server.happenings.come();
    let open = server.sockets.token();
    Ok(upgrade.on_upgrade(move |socket| async move {
        tell(socket, lines, server.stop.clone()).await;
        drop(open);
    }))
}

async fn tell(mut socket: WebSocket, mut lines: broadcast::Receiver<Utf8Bytes>, stop: CancellationToken) {
    loop {
        let line = tokio::select! {
            line = lines.recv() => match line {
                Ok(line) => Message::Text(line),
                Err(RecvError::Lagged(count)) => socket::text(&missed(count)),
                Err(RecvError::Closed) => break,
            },
            () = socket::closed(&mut socket) => return,
            () = stop.cancelled() => break,
        };
        if !socket::send(&mut socket, line, &stop).await {
            break;
        }
    }
    socket::close(socket).await;
}

fn missed(count: u64) -> Value {
    json!({"type": "missed", "count": count})
}

/// An event for the page; nothing for one that this version of the page does not know.
fn line(event: &Event) -> Option<Value> {
    Some(match event {
        Event::ClipStarted { clip_id, camera_id, at_ms, trust } => json!({"type": "clip_started", "clip_id": clip_id,
            "camera_id": camera_id, "at_ms": at_ms, "trust": answers::trust(trust)}),
        Event::ClipReady { clip_id, camera_id } => {
            json!({"type": "clip_ready", "clip_id": clip_id, "camera_id": camera_id})
        }
        Event::Happened(event) => json!({"type": "happened", "event": answers::event(event)}),
        Event::ClipNotes { clip_id, camera_id } => {
            json!({"type": "clip_notes", "clip_id": clip_id, "camera_id": camera_id})
        }
        Event::ClipsForgotten { clip_ids } => json!({"type": "clips_forgotten", "clip_ids": clip_ids}),
        Event::WishesChanged => json!({"type": "wishes_changed"}),
        Event::Notification(told) => json!({"type": "notification", "notification": answers::notification(told)}),
        Event::Link { state, reason } => json!({"type": "link", "state": answers::link(*state), "why": reason}),
        Event::CameraState { camera_id, online } => {
            json!({"type": "camera_state", "camera_id": camera_id, "online": online})
        }
        Event::CamerasChanged => json!({"type": "cameras_changed"}),
        Event::DevicesChanged { what } => json!({"type": "devices_changed", "what": what}),
        Event::TrustAlert(alert) => json!({"type": "trust_alert", "what": alert.to_string()}),
        Event::Rejoined => json!({"type": "rejoined"}),
        Event::Removed => json!({"type": "removed"}),
        Event::Missed { count } => missed(*count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_app_core::{LinkState, Trust};

    use super::*;

    #[test]
    fn events_are_told_under_the_names_of_the_contract() {
        let started =
            Event::ClipStarted { clip_id: "c".into(), camera_id: "k".into(), at_ms: 5, trust: Trust::Pending };
        assert_eq!(
            line(&started).unwrap(),
            json!({"type": "clip_started", "clip_id": "c", "camera_id": "k", "at_ms": 5, "trust": {"state": "pending"}})
        );
        let link = Event::Link { state: LinkState::Refused, reason: None };
        assert_eq!(line(&link).unwrap(), json!({"type": "link", "state": "refused", "why": null}));
        assert_eq!(line(&Event::Missed { count: 3 }).unwrap(), json!({"type": "missed", "count": 3}));
    }

    #[tokio::test]
    async fn every_page_gets_every_line_and_one_that_lags_is_told_so() {
        let happenings = Happenings::new();
        let (mut quick, mut slow) = (happenings.come(), happenings.come());
        for number in 0..=BEHIND {
            happenings.lines.send(number.to_string().into()).unwrap();
            assert_eq!(quick.recv().await.unwrap().as_str(), number.to_string());
        }
        assert!(matches!(slow.recv().await, Err(RecvError::Lagged(1))));
        assert_eq!(slow.recv().await.unwrap().as_str(), "1");
    }

    fn at_once<F: Future>(future: F) -> Option<F::Output> {
        futures::FutureExt::now_or_never(future)
    }

    #[tokio::test]
    async fn nothing_is_taken_while_no_page_is_there() {
        let (happenings, stop) = (Happenings::new(), CancellationToken::new());
        let mut waits = std::pin::pin!(happenings.somebody(&stop));
        assert_eq!(at_once(waits.as_mut()), None);
        let page = happenings.come();
        assert_eq!(at_once(waits.as_mut()), Some(true));
        drop(page);
        // The word that it came may still lie there, and is not taken for a page.
        assert_eq!(at_once(happenings.somebody(&stop)), None);
        stop.cancel();
        assert!(!happenings.somebody(&stop).await);
    }
}
