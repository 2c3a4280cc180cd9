//! A WebSocket of the page: what is sent never outlives the server, and what the page says is only that it is gone.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::answers::Refusal;

/// The page has nothing to say here.
const MAX_HEARD: usize = 4096;

/// An upgrade that was asked for, or why it is none.
pub fn upgrade(asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Result<WebSocketUpgrade, Refusal> {
    let upgrade = asked.map_err(|error| Refusal::wrong(StatusCode::BAD_REQUEST, error.body_text()))?;
    Ok(upgrade.max_message_size(MAX_HEARD).max_frame_size(MAX_HEARD))
}

/// A value as a message.
pub fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

/// Sends, as slowly as the page takes it; false when the page or this server goes.
pub async fn send(socket: &mut WebSocket, message: Message, stop: &CancellationToken) -> bool {
    tokio::select! {
        sent = socket.send(message) => sent.is_ok(),
        () = stop.cancelled() => false,
    }
}

/// Waits until the page is gone. May be dropped and begun anew.
pub async fn closed(socket: &mut WebSocket) {
    // After its good-bye comes nothing but the end; until then ours is on its way.
    while let Some(Ok(_)) = socket.recv().await {}
}

/// Says good-bye, if the page still takes it at once.
pub async fn close(mut socket: WebSocket) {
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), socket.send(Message::Close(None))).await;
}
