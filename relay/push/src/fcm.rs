//! Firebase Cloud Messaging, HTTP v1: a data message with an opaque payload, under an OAuth token that a service account's key is
//! exchanged for. The token is kept until shortly before its end, and renewed once when it is refused.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64;
use privet_protocol::relay::Urgency;
use privet_protocol::time::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use crate::gateway::{Gateway, Message, Outcome, SetupError};
use crate::http::{Answer, Http, HttpSettings, common};
use crate::target::PushTarget;
use crate::token::TokenKey;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// What FCM takes in a message's data, keys and values together.
const MAX_DATA: usize = 4096;
/// A token is renewed this long before its end.
const MARGIN: Duration = Duration::from_secs(300);
/// After a failed renewal, the next one waits this long.
const PAUSE: Duration = Duration::from_secs(10);

/// Of FCM's code words: the token was made for another project.
const OTHER_PROJECT: &str = "SENDER_ID_MISMATCH";
/// The project lacks what the token's own platform asks for.
const AUTH_OF_TARGET: &str = "THIRD_PARTY_AUTH_ERROR";

/// How FCM is reached.
#[derive(Clone)]
pub struct FcmSettings {
    /// The service account's key file, JSON, as the Firebase console gives it.
    pub service_account: Zeroizing<Vec<u8>>,
    /// Where messages go: `https://fcm.googleapis.com`, or something that speaks like it.
    pub endpoint: String,
}

impl fmt::Debug for FcmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FcmSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct ServiceAccount {
    project_id: String,
    client_email: String,
    #[serde(deserialize_with = "wiped")]
    private_key: Zeroizing<String>,
    #[serde(default)]
    private_key_id: String,
    token_uri: String,
}

/// The gateway.
pub struct Fcm {
    http: Http,
    send: Url,
    token_uri: Url,
    account: String,
    key: TokenKey,
    key_id: String,
    token: Mutex<Kept>,
}

/// What is known of the token.
#[derive(Default)]
struct Kept {
    token: Option<Token>,
    /// The last failed renewal: when, and why.
    failed: Option<(Timestamp, Outcome)>,
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    ends: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(deserialize_with = "wiped")]
    access_token: Zeroizing<String>,
    expires_in: u64,
}

/// A text that is wiped when dropped.
fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

impl Fcm {
    /// The gateway of a Firebase project.
    ///
    /// # Errors
    /// [`SetupError`] names what is wrong with the file or the endpoint.
    pub fn new(settings: &FcmSettings, http: &HttpSettings) -> Result<Self, SetupError> {
        const FILE: &str = "service_account";
        // The parser's own words may repeat the file's.
        let account: ServiceAccount = serde_json::from_slice(&settings.service_account).map_err(|_| {
            SetupError::new(
                FILE,
                "is no service account key: JSON with project_id, client_email, private_key and token_uri",
            )
        })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
        if account.project_id.is_empty() || !account.project_id.chars().all(plain) {
            return Err(SetupError::new(FILE, "has no project id"));
        }
        let base = https("endpoint", &settings.endpoint)?;
        let send = base
            .join(&format!("/v1/projects/{}/messages:send", account.project_id))
            .map_err(|_| SetupError::new("endpoint", "is no address that a path can follow"))?;
        Ok(Self {
            http: Http::new(http)?,
            send,
            token_uri: https(FILE, &account.token_uri)?,
            key: TokenKey::rsa(FILE, account.private_key.as_bytes())?,
            key_id: account.private_key_id,
            account: account.client_email,
            token: Mutex::default(),
        })
    }

    /// A token that is not `refused`, which was refused a moment ago.
    async fn token(&self, refused: Option<&Token>, now: Timestamp) -> Result<Token, Outcome> {
        let mut kept = self.token.lock().await;
        if let Some(token) = &kept.token {
            let is_refused = refused.is_some_and(|refused| *refused.text == *token.text);
            if !is_refused && token.ends > now.after(MARGIN) {
                return Ok(token.clone());
            }
        }
        if let Some((at, outcome)) = &kept.failed
            && at.after(PAUSE) > now
            && *at <= now
        {
            return Err(outcome.clone());
        }
        match self.renew(now).await {
            Ok(token) => {
                *kept = Kept { token: Some(token.clone()), failed: None };
                Ok(token)
            }
            Err(outcome) => {
                kept.failed = Some((now, outcome.clone()));
                Err(outcome)
            }
        }
    }

    async fn renew(&self, now: Timestamp) -> Result<Token, Outcome> {
        let issued = now.0 / 1000;
        let claims = json!({
            "iss": self.account, "scope": SCOPE, "aud": self.token_uri.as_str(), "iat": issued, "exp": issued + 3600,
        });
        let assertion = self
            .key
            .sign(json!({ "typ": "JWT", "kid": self.key_id }), &claims)
            .ok_or_else(|| Outcome::Misconfigured("the service account's key can't sign".into()))?;
        let body = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answer = self.http.post(self.token_uri.clone(), headers, body.into_bytes()).await?;
        if let Some(outcome) = common(&answer) {
            return Err(outcome);
        }
        if answer.status != 200 {
            let json = answer.json();
            let said = word(&json["error"]);
            let text = format!("no token for the service account: status {}, {said}", answer.status);
            return Err(Outcome::Misconfigured(text));
        }
        let token: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| Outcome::RetryAfter(Duration::ZERO, "the token endpoint's answer holds no token".into()))?;
        if token.access_token.is_empty() || !token.access_token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Outcome::RetryAfter(Duration::ZERO, "the token endpoint's answer holds no token".into()));
        }
        let life = Duration::from_secs(token.expires_in.min(24 * 3600));
        // Of a token that lives shorter than the margin, half its life is used.
        let ends = now.after(life.max(MARGIN + life / 2));
        Ok(Token { text: token.access_token, ends })
    }

    async fn send(&self, token: &Token, body: &[u8]) -> Result<Answer, Outcome> {
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", *token.text))
            .map_err(|_| Outcome::Misconfigured("the token can't stand in a header".into()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.post(self.send.clone(), headers, body.to_vec()).await
    }
}

#[async_trait]
impl Gateway for Fcm {
    fn takes(&self, target: &PushTarget) -> bool {
        matches!(target, PushTarget::Fcm { .. })
    }

    fn room(&self) -> usize {
        // The key `b` and the payload in base64.
        (MAX_DATA - 1) / 4 * 3
    }

    async fn push(&self, target: &PushTarget, message: &Message<'_>, now: Timestamp) -> Outcome {
        let PushTarget::Fcm { token: registration } = target else {
            return Outcome::Rejected("not a target of FCM".into());
        };
        if message.payload.len() > self.room() {
            return Outcome::Rejected(format!("{} bytes, FCM takes {}", message.payload.len(), self.room()));
        }
        let body = request(registration, message, now).to_string().into_bytes();
        let exchange = async {
            let mut token = self.token(None, now).await?;
            let mut answer = self.send(&token, &body).await?;
            if answer.status == 401 && code(&answer.json()) != AUTH_OF_TARGET {
                token = self.token(Some(&token), now).await?;
                answer = self.send(&token, &body).await?;
            }
            Ok(answer)
        };
        exchange.await.map_or_else(|outcome: Outcome| outcome, |answer| judge(&answer))
    }
}

fn request(registration: &str, message: &Message<'_>, now: Timestamp) -> Value {
    let priority = match message.urgency {
        Urgency::High => "HIGH",
        Urgency::Normal => "NORMAL",
    };
    let mut android = json!({ "priority": priority, "ttl": format!("{}s", message.seconds_left(now)) });
    // FCM keeps four collapse keys for a phone that is away and forgets the rest: only what carries nothing may collapse.
    if message.payload.is_empty() {
        android["collapse_key"] = "wake".into();
    }
    json!({ "message": {
        "token": registration,
        "data": { "b": BASE64.encode(message.payload) },
        "android": android,
    } })
}

fn judge(answer: &Answer) -> Outcome {
    if let Some(outcome) = common(answer) {
        return outcome;
    }
    let json = answer.json();
    let error = &json["error"];
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let code = code(&json);
    let names_token = || {
        let violations = details.iter().filter_map(|detail| detail["fieldViolations"].as_array()).flatten();
        violations.into_iter().any(|violation| violation["field"] == "message.token")
    };
    match answer.status {
        200..300 if json["name"].is_string() => Outcome::Delivered,
        200..300 => Outcome::RetryAfter(Duration::ZERO, "its answer names no message".into()),
        400 if names_token() => Outcome::TargetGone,
        400 | 413 => Outcome::Rejected(format!("status {}, {}", answer.status, word(&error["status"]))),
        // Of one token and not of the account: the operator is not called for what a phone can bring about, and no mistake in the
        // configuration forgets every phone.
        401 if code == AUTH_OF_TARGET => {
            Outcome::Rejected(format!("status 401, {code}: no credentials for its platform"))
        }
        403 if code == OTHER_PROJECT => Outcome::Rejected(format!("status 403, {code}: a token of another project")),
        401 => Outcome::Misconfigured("the service account's fresh token is refused".into()),
        404 if code == "UNREGISTERED" => Outcome::TargetGone,
        410 => Outcome::TargetGone,
        status => {
            let said = if code.is_empty() { word(&error["status"]) } else { code };
            Outcome::Misconfigured(format!("status {status}, {said}; check project, permissions and endpoint"))
        }
    }
}

/// FCM's own code word, empty when there is none.
fn code(json: &Value) -> &str {
    let details = json["error"]["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    details.iter().find(|detail| detail["errorCode"].is_string()).map_or("", |detail| word(&detail["errorCode"]))
}

/// A code word of an answer; nothing else of it is repeated, for it may hold anything.
fn word(value: &Value) -> &str {
    let known =
        |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    value.as_str().filter(known).unwrap_or("without a code")
}

pub(crate) fn https(what: &'static str, text: &str) -> Result<Url, SetupError> {
    let url = Url::parse(text).map_err(|e| SetupError::new(what, format!("is no address: {e}")))?;
    if url.scheme() != "https" || !url.has_host() || !url.username().is_empty() || url.password().is_some() {
        return Err(SetupError::new(what, "is not an https address without a user"));
    }
    Ok(url)
}

impl fmt::Debug for Fcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fcm").field("send", &self.send.as_str()).finish_non_exhaustive()
    }
}
