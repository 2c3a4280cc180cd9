//! Where a phone is woken.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest token or endpoint, in bytes.
const MAX_TEXT: usize = 1000;

/// Where a phone is woken. Whoever knows it can disturb its owner, so it is shown to nobody but the relay, and its `Debug`
/// names only the kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushTarget {
    /// Through Firebase Cloud Messaging.
    Fcm {
        /// The app's registration token.
        token: String,
    },
    /// Through a push server of RFC 8030, as UnifiedPush has them.
    WebPush {
        /// The https address that takes messages for this phone.
        endpoint: String,
        /// The subscription's public key: an uncompressed P-256 point, 65 bytes.
        #[serde(with = "serde_bytes")]
        p256dh: Vec<u8>,
        /// The subscription's authentication secret: 16 bytes.
        #[serde(with = "serde_bytes")]
        auth: Vec<u8>,
    },
    /// Through the Apple Push Notification service.
    Apns {
        /// The device token, in hexadecimal.
        token: String,
        /// The app's bundle id.
        topic: String,
        /// Whether the app was built for development.
        sandbox: bool,
    },
}

/// Why something is no push target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// An empty token, or one that is too long or holds anything but visible ASCII.
    #[error("the token is not 1 to 1000 visible ASCII characters; register the app for push again")]
    Token,
    /// Not an address that a push server may have.
    #[error("the endpoint is not an https address of at most 1000 visible ASCII characters; subscribe again")]
    Endpoint,
    /// Not a public key of a subscription.
    #[error("p256dh is not an uncompressed P-256 point of 65 bytes; subscribe again")]
    PublicKey,
    /// Not an authentication secret.
    #[error("auth is not 16 bytes; subscribe again")]
    Auth,
    /// Not a bundle id.
    #[error("the topic is not a bundle id of letters, digits, dots and hyphens")]
    Topic,
}

impl PushTarget {
    /// Whether it is well formed; not whether anybody is there.
    ///
    /// # Errors
    /// [`TargetError`] names what is not.
    pub fn check(&self) -> Result<(), TargetError> {
        let visible = |text: &str| (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        match self {
            Self::Fcm { token } => visible(token).then_some(()).ok_or(TargetError::Token),
            Self::WebPush { endpoint, p256dh, auth } => {
                let host = endpoint.strip_prefix("https://").unwrap_or_default();
                if !visible(endpoint) || !host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') {
                    return Err(TargetError::Endpoint);
                }
                if p256dh.len() != 65 || p256dh.first() != Some(&4) {
                    return Err(TargetError::PublicKey);
                }
                if auth.len() == 16 { Ok(()) } else { Err(TargetError::Auth) }
            }
            Self::Apns { token, topic, .. } => {
                if !visible(token) || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(TargetError::Token);
                }
                let part_of_id = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
                let good = (1..=255).contains(&topic.len()) && topic.bytes().all(part_of_id);
                good.then_some(()).ok_or(TargetError::Topic)
            }
        }
    }

    /// Its kind, for logs: `"fcm"`, `"web_push"` or `"apns"`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Fcm { .. } => "fcm",
            Self::WebPush { .. } => "web_push",
            Self::Apns { .. } => "apns",
        }
    }
}

impl fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushTarget({}, ..)", self.kind())
    }
}
