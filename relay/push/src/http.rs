//! HTTPS to a gateway: bounded in bytes and time, no redirects, no proxies, no cookies.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_platform_verifier::Verifier;
use url::{Host, Url};

use crate::gateway::{Outcome, SetupError};
use crate::reach::{NoPublicAddress, PublicOnly, is_public};

/// The longest answer that is read.
const MAX_ANSWER: usize = 16 * 1024;
/// The longest cause that is told, in characters.
const MAX_CAUSE: usize = 200;
/// How long a connection without work is kept.
const IDLE: Duration = Duration::from_secs(60);
/// The same where phones chose the servers: there may be as many of these as there are phones.
const STRANGERS_IDLE: Duration = Duration::from_secs(3);
/// The longest wait that a gateway may ask for.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// How gateways are reached.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Authorities that are trusted besides those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Whether a phone's Web Push endpoint may have an address that is not public.
    pub private_addresses: bool,
    /// How long one exchange may take, connecting included.
    pub patience: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { authorities: Vec::new(), private_addresses: false, patience: Duration::from_secs(10) }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    strangers: bool,
    public_only: bool,
    patience: Duration,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Duration,
    /// At most [`MAX_ANSWER`] bytes of it; none of a success at an address that others chose.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Http {
    /// A client for addresses that the operator chose.
    pub(crate) fn new(settings: &HttpSettings) -> Result<Self, SetupError> {
        Self::with(settings, false, false)
    }

    /// A client for addresses that others chose.
    pub(crate) fn for_strangers(settings: &HttpSettings) -> Result<Self, SetupError> {
        Self::with(settings, true, !settings.private_addresses)
    }

    fn with(settings: &HttpSettings, strangers: bool, public_only: bool) -> Result<Self, SetupError> {
        let fail = |e: &dyn std::error::Error| SetupError::new("authorities", format!("can't be used: {e}"));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(settings.authorities.clone(), Arc::clone(&provider))
            .map_err(|e| fail(&e))?;
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| fail(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .https_only(true)
            .http2_max_header_list_size(16 * 1024)
            .pool_max_idle_per_host(if strangers { 1 } else { 4 })
            .pool_idle_timeout(if strangers { STRANGERS_IDLE } else { IDLE })
            .user_agent("privet-relay");
        if public_only {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        let client = client.build().map_err(|e| fail(&e.without_url()))?;
        Ok(Self { client, strangers, public_only, patience: settings.patience })
    }

    /// Sends one POST; an [`Outcome`] when there is no answer to it.
    pub(crate) async fn post(&self, url: Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Outcome> {
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            _ => None,
        };
        if self.public_only && literal.is_some_and(|address| !is_public(address)) {
            return Err(Outcome::Rejected("the endpoint's address is not a public one".into()));
        }
        let deadline = tokio::time::Instant::now() + self.patience;
        let sent = self.client.post(url).headers(headers).body(body).send();
        let mut response = match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let cause = if self.strangers { class(&error).into() } else { cause(&error) };
                return Err(Outcome::RetryAfter(Duration::ZERO, cause));
            }
            Err(_) => return Err(Outcome::RetryAfter(Duration::ZERO, "no answer came in time".into())),
        };
        let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
        let mut body = Vec::new();
        if self.strangers && (200..300).contains(&status) {
            // It was taken; who goes on talking would only hold up those who wait for their turn.
            return Ok(Answer { status, retry_after, body });
        }
        // The status has been said: a body that is late, broken off or endless takes nothing of it back.
        while body.len() < MAX_ANSWER {
            let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await else { break };
            body.extend_from_slice(chunk.get(..MAX_ANSWER - body.len()).unwrap_or(&chunk));
        }
        Ok(Answer { status, retry_after, body })
    }
}

/// What is said for an answer that every gateway means alike: `None` when it has to be looked at.
pub(crate) fn common(answer: &Answer) -> Option<Outcome> {
    let status = answer.status;
    match status {
        300..400 => {
            let text = format!("it redirects (status {status}), which is not followed; check its address");
            Some(Outcome::RetryAfter(answer.retry_after, text))
        }
        429 | 500.. => Some(Outcome::RetryAfter(answer.retry_after, format!("it answered with status {status}"))),
        _ => None,
    }
}

/// `Retry-After` in seconds; as a date it is not used by any of these gateways and means "later".
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(MAX_WAIT)
}

/// What went wrong at an address that others chose: they choose as well what stands in its certificate or its answer, so nothing
/// of that is repeated.
fn class(error: &reqwest::Error) -> &'static str {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<NoPublicAddress>() {
            return "the endpoint's name has no public address";
        }
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return match tls {
                rustls::Error::InvalidCertificate(_) => "its certificate is not accepted",
                _ => "it does not speak TLS as it should",
            };
        }
        // An error of the system that only wraps another one names the other one's cause as its own.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    if error.is_connect() { "it can't be connected to" } else { "it does not speak HTTP as it should" }
}

/// What went wrong, without the address: an endpoint is a secret.
fn cause(error: &reqwest::Error) -> String {
    let what = if error.is_connect() { "it can't be connected to" } else { "it does not speak HTTP as it should" };
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    // The innermost cause is the system's, TLS's or HTTP's and knows no path.
    if std::ptr::eq(deepest, error as &dyn std::error::Error) {
        return what.into();
    }
    format!("{what}: {}", deepest.to_string().chars().take(MAX_CAUSE).collect::<String>())
}
