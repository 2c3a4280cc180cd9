//! The push gateways of the relay, and what may stand in `[push]`.

use std::path::PathBuf;

use serde::Deserialize;

/// The push gateways. One that is not named is not there: its phones are reached by their open connection only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Push {
    /// Certificates of authorities (PEM) that gateways may be vouched for by, besides those of the system: for a push server of
    /// one's own.
    pub authorities: Option<PathBuf>,
    /// How long one exchange with a gateway may take.
    pub patience_ms: u64,
    /// Firebase Cloud Messaging.
    pub fcm: Option<FcmFiles>,
    /// Web Push, as UnifiedPush has it.
    pub web_push: Option<WebPushFiles>,
    /// The Apple Push Notification service.
    pub apns: Option<ApnsFiles>,
}

impl Default for Push {
    fn default() -> Self {
        Self { authorities: None, patience_ms: 10_000, fcm: None, web_push: None, apns: None }
    }
}

/// A Firebase project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FcmFiles {
    /// The service account's key file, JSON.
    pub service_account: PathBuf,
    /// Where messages go.
    #[serde(default = "fcm_endpoint")]
    pub endpoint: String,
}

/// Who the relay is to Web Push servers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebPushFiles {
    /// The VAPID key file, PEM; without one, the relay makes a key in its data directory.
    pub vapid_key: Option<PathBuf>,
    /// Where the operator of a push server reaches the operator of this relay.
    pub subject: String,
    /// Whether a push server may have an address that is not public.
    #[serde(default)]
    pub allow_private: bool,
}

/// An account of Apple's developer program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApnsFiles {
    /// The key file, `.p8`.
    pub key: PathBuf,
    /// The key's id.
    pub key_id: String,
    /// The team's id.
    pub team_id: String,
    /// Where messages go.
    #[serde(default = "apns_endpoint")]
    pub endpoint: String,
    /// Where messages for development builds go.
    #[serde(default = "apns_sandbox")]
    pub sandbox_endpoint: String,
}

fn fcm_endpoint() -> String {
    "https://fcm.googleapis.com".into()
}

fn apns_endpoint() -> String {
    "https://api.push.apple.com".into()
}

fn apns_sandbox() -> String {
    "https://api.sandbox.push.apple.com".into()
}

const ENDPOINT: &str = "an https address in quotes, without a user; only for a gateway that speaks like the real one";

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("push", "a table, `[push]`"),
    ("push.authorities", "a PEM file in quotes: certificates of authorities that vouch for push servers of one's own"),
    ("push.fcm", "a table, `[push.fcm]`, with service_account"),
    ("push.fcm.service_account", "a JSON file in quotes: the key of a service account of the Firebase project"),
    ("push.fcm.endpoint", ENDPOINT),
    ("push.web_push", "a table, `[push.web_push]`, with subject"),
    ("push.web_push.vapid_key", "a PEM file in quotes: a P-256 key; without one the relay makes its own"),
    (
        "push.web_push.subject",
        "\"mailto:\" and an address, or an https address: where this relay's operator is reached",
    ),
    ("push.web_push.allow_private", "true or false"),
    ("push.apns", "a table, `[push.apns]`, with key, key_id and team_id"),
    ("push.apns.key", "a .p8 file in quotes: the key for push notifications of the developer account"),
    ("push.apns.key_id", "the key's id in quotes: ten letters and digits"),
    ("push.apns.team_id", "the team's id in quotes: ten letters and digits"),
    ("push.apns.endpoint", ENDPOINT),
    ("push.apns.sandbox_endpoint", ENDPOINT),
];
