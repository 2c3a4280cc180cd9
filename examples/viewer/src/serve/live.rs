//! A live view for the page, over a WebSocket: words as text, pictures and sound as binary messages with a head of 40 bytes.
//!
//! Nothing is pulled before the socket took what came before, so a page that is too slow loses pictures as gaps in app-core's
//! ring, and never falls behind by more than that holds.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use privet_app_core::{Live, LiveFormat, LiveItem, Track, Trust};
use serde::Deserialize;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::answers::{self, Refusal};
use super::routes::Asked;
use super::{Server, socket};
use crate::latency;

/// How late the page may be before pictures are dropped.
const BUFFER_MS: u32 = 2000;
/// How long one wait for an item is.
const WAIT_MS: u32 = 60_000;
const HEAD: usize = 40;

/// What kind of view it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Au,
    Fmp4,
}

/// `WS /api/live/CAMERA`
pub async fn live(
    State(server): State<Arc<Server>>,
    Path(camera): Path<String>,
    Asked(kind): Asked<Kind>,
    asked: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = socket::upgrade(asked)?;
    let format = match kind.format {
        Format::Au => LiveFormat::AccessUnits,
        Format::Fmp4 => LiveFormat::Fmp4,
    };
    let open = server.sockets.token();
    Ok(upgrade.on_upgrade(move |socket| async move {
        show(socket, server, camera, format).await;
        drop(open);
    }))
}

/// Shows the camera until either side ends it.
async fn show(mut socket: WebSocket, server: Arc<Server>, camera: String, format: LiveFormat) {
    let opened = tokio::select! {
        opened = server.client.open_live(&camera, format, BUFFER_MS) => opened,
        () = socket::closed(&mut socket) => return,
        () = server.stop.cancelled() => return socket::close(socket).await,
    };
    // A page cannot see why a WebSocket was refused; so it is told on one.
    let reason = match opened {
        Ok(live) => match pour(&mut socket, &server, &live).await {
            Some(reason) => reason,
            None => return,
        },
        Err(error) => error.to_string(),
    };
    socket::send(&mut socket, end(&reason), &server.stop).await;
    socket::close(socket).await;
}

/// Sends what comes; why nothing more does, or nothing when the page is gone.
async fn pour(socket: &mut WebSocket, server: &Server, live: &Live) -> Option<String> {
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    each_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            item = live.next(WAIT_MS) => match item {
                Ok(LiveItem::End { reason }) => return Some(reason),
                Ok(item) => message(item, latency::wall_us() / 1000),
                Err(error) => return Some(error.to_string()),
            },
            _ = each_second.tick() => Some(socket::text(&answers::stats(&live.stats()))),
            () = socket::closed(socket) => return None,
            () = server.stop.cancelled() => return Some("the viewer was ended".into()),
        };
        if let Some(message) = message
            && !socket::send(socket, message, &server.stop).await
        {
            return None;
        }
    }
}

/// An item as the page is told it at `now_ms`.
fn message(item: LiveItem, now_ms: i64) -> Option<Message> {
    Some(match item {
        LiveItem::Format { codec, width, height, audio_codec, substream, header } => socket::text(&json!({
            "type": "format", "codec": codec, "width": width, "height": height, "audio_codec": audio_codec,
            "substream": substream, "header": data_encoding::BASE64.encode(&header)})),
        // None comes as broken; if one ever did, it would not be shown.
        LiveItem::Media { trust: Trust::Broken { .. }, .. } => return None,
        LiveItem::Media { track, pts_us, duration_us, capture_ms, frame, key, data, .. } => {
            let head = Head { track, key, duration_us, frame, pts_us, capture_ms, now_ms };
            Message::Binary(head.before(&data))
        }
        LiveItem::Gap(gap) => socket::text(&answers::gap(&gap)),
        LiveItem::Segment(seen) => socket::text(&answers::segment(&seen)),
        LiveItem::End { reason } => end(&reason),
        LiveItem::Idle => return None,
    })
}

fn end(reason: &str) -> Message {
    socket::text(&json!({"type": "end", "reason": reason}))
}

/// What stands before a picture or a piece of sound.
struct Head {
    track: Track,
    key: bool,
    duration_us: u32,
    frame: u64,
    pts_us: i64,
    capture_ms: i64,
    now_ms: i64,
}

impl Head {
    /// The table in `docs/design/0019-viewer-page.md`, and then the data.
    fn before(&self, data: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(HEAD + data.len());
        out.put_u8(match self.track {
            Track::Video => 0,
            Track::Audio => 1,
        });
        out.put_u8(u8::from(self.key));
        out.put_u16_le(0);
        out.put_u32_le(self.duration_us);
        out.put_u64_le(self.frame);
        out.put_i64_le(self.pts_us);
        out.put_i64_le(self.capture_ms);
        out.put_i64_le(self.now_ms);
        out.put_slice(data);
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::Value;

    use super::*;

    fn picture(trust: Trust) -> LiveItem {
        LiveItem::Media {
            track: Track::Video,
            pts_us: -2,
            duration_us: 0x0403_0201,
            capture_ms: 1_700_000_000_123,
            capture_us: 99,
            frame: 0x0807_0605_0403_0201,
            key: true,
            trust,
            data: Bytes::from_static(b"NAL"),
        }
    }

    fn spoken(message: Message) -> Value {
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    #[test]
    fn the_head_is_where_the_contract_says() {
        let Some(Message::Binary(bytes)) = message(picture(Trust::Pending), 5) else { panic!("it is binary") };
        assert_eq!(bytes.len(), HEAD + 3);
        assert_eq!(bytes[..4], [0, 1, 0, 0]);
        assert_eq!(bytes[4..8], [1, 2, 3, 4]);
        assert_eq!(bytes[8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[16..24], (-2i64).to_le_bytes());
        assert_eq!(bytes[24..32], 1_700_000_000_123i64.to_le_bytes());
        assert_eq!(bytes[32..40], 5i64.to_le_bytes());
        assert_eq!(bytes[40..], *b"NAL");
        let head =
            Head { track: Track::Audio, key: false, duration_us: 0, frame: 0, pts_us: 0, capture_ms: 0, now_ms: 0 };
        assert_eq!(head.before(b"")[..], [&[1u8][..], &[0; 39]].concat());
    }

    #[test]
    fn nothing_broken_is_shown_and_words_are_those_of_the_contract() {
        assert!(message(picture(Trust::Broken { why: "x".into() }), 0).is_none());
        assert!(message(LiveItem::Idle, 0).is_none());
        let format = LiveItem::Format {
            codec: "avc1.64001f".into(),
            width: 640,
            height: 360,
            audio_codec: None,
            substream: false,
            header: Bytes::from_static(&[1, 2, 255]),
        };
        let said = spoken(message(format, 0).unwrap());
        assert_eq!(
            (&said["type"], &said["header"], &said["audio_codec"]),
            (&json!("format"), &json!("AQL/"), &Value::Null)
        );
        let said = spoken(message(LiveItem::End { reason: "gone".into() }, 0).unwrap());
        assert_eq!(said, json!({"type": "end", "reason": "gone"}));
    }
}
