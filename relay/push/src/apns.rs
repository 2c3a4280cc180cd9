//! The Apple Push Notification service: HTTP/2, under a token that the team's key signs anew every 40 minutes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use crate::fcm::https;
use crate::gateway::{Gateway, Message, Outcome, SetupError};
use crate::http::{Answer, Http, HttpSettings, common};
use crate::target::PushTarget;
use crate::token::TokenKey;

/// What APNs takes as a message.
const MAX_BODY: usize = 4096;
/// Apple asks for a new token at least every hour and refuses more than one in twenty minutes.
const RENEW: Duration = Duration::from_secs(40 * 60);
const LEAST: Duration = Duration::from_secs(20 * 60);

/// How APNs is reached.
#[derive(Clone)]
pub struct ApnsSettings {
    /// The key file (`.p8`) of the developer account.
    pub key: Zeroizing<Vec<u8>>,
    /// The key's id, ten characters.
    pub key_id: String,
    /// The team's id, ten characters.
    pub team_id: String,
    /// Where messages go: `https://api.push.apple.com`.
    pub endpoint: String,
    /// Where messages for development builds go: `https://api.sandbox.push.apple.com`.
    pub sandbox_endpoint: String,
}

impl fmt::Debug for ApnsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApnsSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The gateway.
pub struct Apns {
    http: Http,
    endpoint: Url,
    sandbox: Url,
    key: TokenKey,
    key_id: String,
    team_id: String,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    issued: Timestamp,
}

impl Apns {
    /// The gateway of a developer account.
    ///
    /// # Errors
    /// [`SetupError`] names what is wrong with which setting.
    pub fn new(settings: &ApnsSettings, http: &HttpSettings) -> Result<Self, SetupError> {
        let id = |what, text: &str| {
            let good = text.len() == 10 && text.bytes().all(|b| b.is_ascii_alphanumeric());
            if good { Ok(text.to_owned()) } else { Err(SetupError::new(what, "is not ten letters and digits")) }
        };
        Ok(Self {
            http: Http::new(http)?,
            endpoint: https("endpoint", &settings.endpoint)?,
            sandbox: https("sandbox_endpoint", &settings.sandbox_endpoint)?,
            key: TokenKey::p256("key", &settings.key)?,
            key_id: id("key_id", &settings.key_id)?,
            team_id: id("team_id", &settings.team_id)?,
            token: Mutex::default(),
        })
    }

    /// The token, signed anew when it is old, or when it was `refused` and Apple takes a new one already.
    async fn token(&self, refused: bool, now: Timestamp) -> Option<Token> {
        let mut kept = self.token.lock().await;
        let most = if refused { LEAST } else { RENEW };
        if let Some(token) = &*kept
            && token.issued <= now
            && now.since(token.issued) < most
        {
            return Some(token.clone());
        }
        let claims = json!({ "iss": self.team_id, "iat": now.0 / 1000 });
        let text = Zeroizing::new(self.key.sign(json!({ "kid": self.key_id }), &claims)?);
        *kept = Some(Token { text, issued: now });
        kept.clone()
    }

    async fn send(&self, url: &Url, headers: &HeaderMap, token: &Token, body: &[u8]) -> Result<Answer, Outcome> {
        let mut headers = headers.clone();
        let mut bearer = HeaderValue::from_str(&format!("bearer {}", *token.text))
            .map_err(|_| Outcome::Misconfigured("the token can't stand in a header".into()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        self.http.post(url.clone(), headers, body.to_vec()).await
    }
}

#[async_trait]
impl Gateway for Apns {
    fn takes(&self, target: &PushTarget) -> bool {
        matches!(target, PushTarget::Apns { .. })
    }

    fn room(&self) -> usize {
        (MAX_BODY - body(&[]).len()) / 4 * 3
    }

    async fn push(&self, target: &PushTarget, message: &Message<'_>, now: Timestamp) -> Outcome {
        let PushTarget::Apns { token: device, topic, sandbox } = target else {
            return Outcome::Rejected("not a target of APNs".into());
        };
        if message.payload.len() > self.room() {
            return Outcome::Rejected(format!("{} bytes, APNs takes {}", message.payload.len(), self.room()));
        }
        let base = if *sandbox { &self.sandbox } else { &self.endpoint };
        let Ok(url) = base.join(&format!("/3/device/{device}")) else {
            return Outcome::Misconfigured("the endpoint is no address that a path can follow".into());
        };
        let Some(headers) = headers(topic, message, now) else {
            return Outcome::Rejected("the topic can't stand in a header".into());
        };
        let body = body(message.payload);
        let cant_sign = || Outcome::Misconfigured("the key can't sign".into());
        let exchange = async {
            let token = self.token(false, now).await.ok_or_else(cant_sign)?;
            let mut answer = self.send(&url, &headers, &token, &body).await?;
            if matches!(answer.status, 401 | 403) && reason(&answer) != "TopicDisallowed" {
                let renewed = self.token(true, now).await.ok_or_else(cant_sign)?;
                if *renewed.text != *token.text {
                    answer = self.send(&url, &headers, &renewed, &body).await?;
                }
            }
            Ok(answer)
        };
        exchange.await.map_or_else(|outcome: Outcome| outcome, |answer| judge(&answer))
    }
}

/// With `mutable-content` the app's extension gets the message before anything is shown; what is shown when it fails is the app's
/// text of this name, and says nothing.
fn body(payload: &[u8]) -> Vec<u8> {
    let aps = json!({ "alert": { "loc-key": "privet.event" }, "mutable-content": 1, "sound": "default" });
    json!({ "aps": aps, "b": BASE64.encode(payload) }).to_string().into_bytes()
}

fn headers(topic: &str, message: &Message<'_>, now: Timestamp) -> Option<HeaderMap> {
    let priority = match message.urgency {
        Urgency::High => "10",
        Urgency::Normal => "5",
    };
    let expiration = now.0 / 1000 + i64::try_from(message.seconds_left(now)).ok()?;
    let mut headers = HeaderMap::new();
    headers.insert("apns-topic", HeaderValue::from_str(topic).ok()?);
    headers.insert("apns-push-type", HeaderValue::from_static("alert"));
    headers.insert("apns-priority", HeaderValue::from_static(priority));
    headers.insert("apns-expiration", HeaderValue::from_str(&expiration.to_string()).ok()?);
    headers.insert("apns-collapse-id", HeaderValue::from_str(message.name).ok()?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Some(headers)
}

fn reason(answer: &Answer) -> String {
    let json = answer.json();
    let known = |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    json["reason"].as_str().filter(known).unwrap_or("no reason given").to_owned()
}

fn judge(answer: &Answer) -> Outcome {
    if let Some(outcome) = common(answer) {
        return outcome;
    }
    let (status, reason) = (answer.status, reason(answer));
    let text = format!("status {status}, {reason}");
    match (status, reason.as_str()) {
        (200..300, _) => Outcome::Delivered,
        (410, _) | (400, "BadDeviceToken" | "DeviceTokenNotForTopic") => Outcome::TargetGone,
        (400 | 413, _) | (_, "TopicDisallowed") => Outcome::Rejected(text),
        _ => Outcome::Misconfigured(format!("{text}; check key, key id, team id and endpoint")),
    }
}

impl fmt::Debug for Apns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apns").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}
