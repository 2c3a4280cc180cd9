//! Web Push (RFC 8030), as UnifiedPush distributors speak it: the message is encrypted to the subscription (RFC 8291), and the relay
//! says who it is by VAPID (RFC 8292).

mod encrypt;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use data_encoding::BASE64URL_NOPAD;
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use crate::gateway::{Gateway, Message, Outcome, SetupError};
use crate::http::{Answer, Http, HttpSettings, common};
use crate::target::PushTarget;
use crate::token::TokenKey;

/// How long a VAPID token holds; RFC 8292 allows a day.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);

/// Who the relay is to push servers.
#[derive(Clone)]
pub struct WebPushSettings {
    /// The VAPID key: P-256, PEM (PKCS #8).
    pub vapid_key: Zeroizing<Vec<u8>>,
    /// Where a push server's operator reaches the relay's: `mailto:` or `https:`.
    pub subject: String,
}

impl fmt::Debug for WebPushSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebPushSettings").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// The gateway.
pub struct WebPush {
    http: Http,
    key: TokenKey,
    public: Vec<u8>,
    subject: String,
}

impl WebPush {
    /// The gateway with a VAPID key.
    ///
    /// # Errors
    /// [`SetupError`] names what is wrong with which setting.
    pub fn new(settings: &WebPushSettings, http: &HttpSettings) -> Result<Self, SetupError> {
        let subject = &settings.subject;
        let reachable = subject.strip_prefix("mailto:").is_some_and(|address| address.contains('@'))
            || Url::parse(subject).is_ok_and(|url| url.scheme() == "https");
        if !reachable {
            return Err(SetupError::new("subject", "is neither mailto: with an address nor https:"));
        }
        let key = TokenKey::p256("vapid_key", &settings.vapid_key)?;
        let public = key.public_point();
        Ok(Self { http: Http::for_strangers(http)?, key, public, subject: subject.clone() })
    }

    /// The VAPID public key that phones subscribe with: an uncompressed P-256 point, 65 bytes.
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn headers(&self, url: &Url, message: &Message<'_>, now: Timestamp) -> Option<HeaderMap> {
        let ends = now.after(TOKEN_LIFE).0 / 1000;
        let claims = json!({ "aud": url.origin().ascii_serialization(), "exp": ends, "sub": self.subject });
        let token = self.key.sign(json!({ "typ": "JWT" }), &claims)?;
        let urgency = match message.urgency {
            Urgency::High => "high",
            Urgency::Normal => "normal",
        };
        let vapid = format!("vapid t={token}, k={}", BASE64URL_NOPAD.encode(&self.public));
        let mut headers = HeaderMap::new();
        let mut authorization = HeaderValue::from_str(&vapid).ok()?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert("ttl", HeaderValue::from(message.seconds_left(now)));
        headers.insert("urgency", HeaderValue::from_static(urgency));
        headers.insert("topic", HeaderValue::from_str(message.name).ok()?);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        Some(headers)
    }
}

#[async_trait]
impl Gateway for WebPush {
    fn takes(&self, target: &PushTarget) -> bool {
        matches!(target, PushTarget::WebPush { .. })
    }

    fn room(&self) -> usize {
        encrypt::ROOM
    }

    fn origin(&self, target: &PushTarget) -> Option<String> {
        let PushTarget::WebPush { endpoint, .. } = target else { return None };
        Url::parse(endpoint).ok().map(|url| url.origin().ascii_serialization())
    }

    async fn push(&self, target: &PushTarget, message: &Message<'_>, now: Timestamp) -> Outcome {
        let PushTarget::WebPush { endpoint, p256dh, auth } = target else {
            return Outcome::Rejected("not a target of Web Push".into());
        };
        let Some(url) = Url::parse(endpoint).ok().filter(|url| url.scheme() == "https" && url.has_host()) else {
            return Outcome::Rejected("the endpoint is no https address".into());
        };
        let Some(headers) = self.headers(&url, message, now) else {
            return Outcome::Misconfigured("the VAPID key can't sign".into());
        };
        let mut salt = [0; 16];
        SystemRandom.fill(&mut salt);
        let body = PrivateKey::generate(&ECDH_P256)
            .ok()
            .and_then(|key| encrypt::encrypt(message.payload, (p256dh, auth), (&key, salt), encrypt::BODY));
        let Some(body) = body else {
            return Outcome::Rejected("the subscription's key is none, or the payload is too long".into());
        };
        self.http.post(url, headers, body).await.map_or_else(|outcome| outcome, |answer| judge(&answer))
    }
}

fn judge(answer: &Answer) -> Outcome {
    if let Some(outcome) = common(answer) {
        return outcome;
    }
    match answer.status {
        200..300 => Outcome::Delivered,
        404 | 410 => Outcome::TargetGone,
        // Its server knows the subscription under another key; that is this target's matter and not the operator's.
        401 | 403 => {
            Outcome::Rejected(format!("status {}: the VAPID key is not that of the subscription", answer.status))
        }
        status => Outcome::Rejected(format!("status {status}")),
    }
}

impl fmt::Debug for WebPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebPush").field("subject", &self.subject).finish_non_exhaustive()
    }
}
