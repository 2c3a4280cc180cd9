//! The push gateways that the configuration names, and the relay's own push key. Key files are read here and never shown.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::random::{SystemRandom, secret};
use privet_protocol::time::Timestamp;
use privet_push::{
    Apns, ApnsSettings, Fcm, FcmSettings, Gateway, HttpSettings, Message, Outcome, PushSecret, PushTarget, SetupError,
    WebPush, WebPushSettings,
};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::config::Push;
use crate::identity::write_new;

/// Messages under way at one gateway.
const TURNS: usize = 32;
/// Messages under way at one push server, where phones choose these: one that hangs holds up its own phones first.
const TURNS_OF_ORIGIN: usize = 4;
/// The longest key file.
const MAX_FILE: u64 = 64 * 1024;
/// Of each gateway's troubles, one in this time is written to the log.
const QUIET: Duration = Duration::from_secs(60);

const PUSH_KEY: &str = "push.key";
const VAPID_KEY: &str = "vapid.pem";

/// Why push can't be set up. No text in it repeats a secret.
#[derive(Debug, thiserror::Error)]
#[error("{key} is {found}")]
pub struct PushError {
    /// The key of the configuration, such as `push.fcm.service_account`, or the file in the data directory.
    pub key: String,
    /// What was found there.
    pub found: String,
}

/// Every gateway there is.
pub(crate) struct Gateways {
    secret: PushSecret,
    lines: Vec<Line>,
    vapid: Option<Vec<u8>>,
}

/// A gateway and who may use it when.
pub(crate) struct Line {
    kind: &'static str,
    gateway: Box<dyn Gateway>,
    turns: Semaphore,
    /// Of the servers that something is under way to, or waits for its turn.
    origins: Mutex<HashMap<String, Arc<Semaphore>>>,
    trouble: Mutex<Trouble>,
    outcomes: [AtomicU64; OUTCOMES.len()],
}

/// What a gateway may say, by its name on the page of metrics.
const OUTCOMES: [&str; 5] = ["taken", "delayed", "rejected", "misconfigured", "target_gone"];

/// It is one's turn for as long as this lives.
#[must_use]
pub(crate) struct Turn<'a>(
    #[expect(dead_code)] Option<OwnedSemaphorePermit>,
    #[expect(dead_code)] Option<SemaphorePermit<'a>>,
);

#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
    untold: u64,
}

impl Gateways {
    /// The gateways of a configuration. The push key, and the VAPID key where the configuration names none, are in `data`, made now
    /// if they are not there.
    ///
    /// # Errors
    /// [`PushError`] names the key and what is wrong with what stands there.
    pub(crate) fn open(push: &Push, data: &Path) -> Result<Self, PushError> {
        let (lines, vapid) = lines(push, Some(data))?;
        Ok(Self { secret: push_secret(data)?, lines, vapid })
    }

    /// Sees whether the gateways of a configuration can be used, and makes nothing.
    ///
    /// # Errors
    /// Those of [`Gateways::open`].
    pub(crate) fn check(push: &Push) -> Result<(), PushError> {
        lines(push, None).map(drop)
    }

    /// What targets are opened with.
    pub(crate) fn secret(&self) -> &PushSecret {
        &self.secret
    }

    /// What phones subscribe to Web Push with.
    pub(crate) fn vapid(&self) -> Option<&[u8]> {
        self.vapid.as_deref()
    }

    /// The gateway for this target.
    pub(crate) fn line(&self, target: &PushTarget) -> Option<&Line> {
        self.lines.iter().find(|line| line.gateway.takes(target))
    }

    /// What each gateway said to messages so far: its kind, the outcome, how often.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let of = |line: &Line, at: usize| line.outcomes[at].load(Ordering::Relaxed);
        self.lines
            .iter()
            .flat_map(move |line| OUTCOMES.iter().enumerate().map(move |(at, name)| (line.kind, *name, of(line, at))))
    }

    /// The kinds there are.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.lines.iter().map(|line| line.kind).collect()
    }
}

impl Line {
    fn new(kind: &'static str, gateway: impl Gateway + 'static) -> Self {
        let (turns, origins) = (Semaphore::new(TURNS), Mutex::default());
        Self {
            kind,
            gateway: Box::new(gateway),
            turns,
            origins,
            trouble: Mutex::default(),
            outcomes: Default::default(),
        }
    }

    /// The longest payload that goes through whole.
    pub(crate) fn room(&self) -> usize {
        self.gateway.room()
    }

    /// Waits until it is this target's turn: at its server first, so that who waits there takes no turn of the gateway.
    pub(crate) async fn turn(&self, target: &PushTarget) -> Turn<'_> {
        let of_origin = match self.gateway.origin(target) {
            Some(origin) => self.origin(origin).acquire_owned().await.ok(),
            None => None,
        };
        Turn(of_origin, self.turns.acquire().await.ok())
    }

    fn origin(&self, origin: String) -> Arc<Semaphore> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(origins.entry(origin).or_insert_with(|| Arc::new(Semaphore::new(TURNS_OF_ORIGIN))))
    }

    pub(crate) async fn push(&self, target: &PushTarget, message: &Message<'_>, now: Timestamp) -> Outcome {
        let outcome = self.gateway.push(target, message, now).await;
        let at = match outcome {
            Outcome::Delivered => 0,
            Outcome::RetryAfter(..) => 1,
            Outcome::Rejected(_) => 2,
            Outcome::Misconfigured(_) => 3,
            Outcome::TargetGone => 4,
        };
        self.outcomes[at].fetch_add(1, Ordering::Relaxed);
        self.report(&outcome);
        outcome
    }

    /// Troubles repeat, for every phone and every try: one a minute is told, and how many were not.
    fn report(&self, outcome: &Outcome) {
        let (Outcome::RetryAfter(_, reason) | Outcome::Rejected(reason) | Outcome::Misconfigured(reason)) = outcome
        else {
            return;
        };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.told.is_some_and(|told| told.elapsed() < QUIET) {
            trouble.untold += 1;
            return;
        }
        let more = std::mem::take(&mut trouble.untold);
        trouble.told = Some(Instant::now());
        let gateway = self.kind;
        match outcome {
            Outcome::Misconfigured(_) => {
                tracing::error!(
                    gateway,
                    reason,
                    more,
                    "a push gateway takes nothing until its configuration is changed"
                );
            }
            Outcome::Rejected(_) => tracing::warn!(gateway, reason, more, "a push gateway refused a message"),
            _ => tracing::warn!(gateway, reason, more, "a push gateway took no message; it is tried again"),
        }
    }
}

/// The gateways and the VAPID public key. Without `data` no key is made.
fn lines(push: &Push, data: Option<&Path>) -> Result<(Vec<Line>, Option<Vec<u8>>), PushError> {
    let mut http = HttpSettings { patience: Duration::from_millis(push.patience_ms), ..HttpSettings::default() };
    if let Some(file) = &push.authorities {
        let pem = read("push.authorities", file)?;
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        http.authorities = authorities.unwrap_or_default();
        if http.authorities.is_empty() {
            return Err(in_file("push.authorities", file, "holds no certificates"));
        }
    }
    let mut lines = Vec::new();
    let mut vapid = None;
    if let Some(fcm) = &push.fcm {
        let settings = FcmSettings {
            service_account: read("push.fcm.service_account", &fcm.service_account)?,
            endpoint: fcm.endpoint.clone(),
        };
        let gateway = Fcm::new(&settings, &http).map_err(|e| match e.what {
            "service_account" => in_file("push.fcm.service_account", &fcm.service_account, &e.cause),
            _ => in_value("push.fcm", &fcm.endpoint, &e),
        })?;
        lines.push(Line::new("fcm", gateway));
    }
    if let Some(web_push) = &push.web_push {
        let file = web_push.vapid_key.clone().or_else(|| data.map(|data| data.join(VAPID_KEY)));
        let pem = match (&file, &web_push.vapid_key, data) {
            (Some(file), Some(_), _) => read("push.web_push.vapid_key", file)?,
            (Some(file), None, Some(data)) => kept(data, file, new_p256)?,
            // Only looked at: a key that would be made.
            _ => new_p256().map(Zeroizing::new).map_err(|found| PushError { key: VAPID_KEY.into(), found })?,
        };
        let settings = WebPushSettings { vapid_key: pem, subject: web_push.subject.clone() };
        let http = HttpSettings { private_addresses: web_push.allow_private, ..http.clone() };
        let gateway = WebPush::new(&settings, &http).map_err(|e| match (e.what, &file) {
            ("vapid_key", Some(file)) => in_file("push.web_push.vapid_key", file, &e.cause),
            _ => in_value("push.web_push", &web_push.subject, &e),
        })?;
        vapid = Some(gateway.public_key().to_vec());
        lines.push(Line::new("web_push", gateway));
    }
    if let Some(apns) = &push.apns {
        let settings = ApnsSettings {
            key: read("push.apns.key", &apns.key)?,
            key_id: apns.key_id.clone(),
            team_id: apns.team_id.clone(),
            endpoint: apns.endpoint.clone(),
            sandbox_endpoint: apns.sandbox_endpoint.clone(),
        };
        let gateway = Apns::new(&settings, &http).map_err(|e| match e.what {
            "key" => in_file("push.apns.key", &apns.key, &e.cause),
            "key_id" => in_value("push.apns", &apns.key_id, &e),
            "team_id" => in_value("push.apns", &apns.team_id, &e),
            "sandbox_endpoint" => in_value("push.apns", &apns.sandbox_endpoint, &e),
            _ => in_value("push.apns", &apns.endpoint, &e),
        })?;
        lines.push(Line::new("apns", gateway));
    }
    Ok((lines, vapid))
}

fn in_file(key: &str, file: &Path, cause: &str) -> PushError {
    PushError { key: key.into(), found: format!("{}, which {cause}", file.display()) }
}

fn in_value(table: &str, value: &str, error: &SetupError) -> PushError {
    PushError { key: format!("{table}.{}", error.what), found: format!("{value:?}, which {}", error.cause) }
}

fn read(key: &str, file: &Path) -> Result<Zeroizing<Vec<u8>>, PushError> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(|e| in_file(key, file, &format!("can't be read: {e}")))?;
    Ok(bytes)
}

fn push_secret(data: &Path) -> Result<PushSecret, PushError> {
    let file: PathBuf = data.join(PUSH_KEY);
    let bytes = kept(data, &file, || Ok(secret(&SystemRandom).to_vec()))?;
    let wrong =
        || in_file(PUSH_KEY, &file, "is no push key of 32 bytes; phones set push up again after it was removed");
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| wrong())?);
    PushSecret::from_bytes(&bytes).map_err(|_| wrong())
}

/// The relay's own key in `file`, made now if it is not there, readable by its owner only.
fn kept(
    data: &Path,
    file: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, String>,
) -> Result<Zeroizing<Vec<u8>>, PushError> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if file.exists() {
        return read(&name, file);
    }
    let failed = |cause: String| in_file(&name, file, &format!("can't be made: {cause}"));
    let bytes = Zeroizing::new(make().map_err(failed)?);
    std::fs::create_dir_all(data).and_then(|()| write_new(data, &name, &bytes)).map_err(|e| failed(e.to_string()))?;
    Ok(bytes)
}

fn new_p256() -> Result<Vec<u8>, String> {
    KeyPair::generate().map(|key| key.serialize_pem().into_bytes()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(endpoint: &str) -> PushTarget {
        PushTarget::WebPush { endpoint: endpoint.into(), p256dh: vec![4; 65], auth: vec![0; 16] }
    }

    #[tokio::test]
    async fn a_server_that_hangs_takes_few_of_the_turns() {
        let settings =
            WebPushSettings { vapid_key: new_p256().unwrap().into(), subject: "mailto:ops@relay.example".into() };
        let line = Line::new("web_push", WebPush::new(&settings, &HttpSettings::default()).unwrap());
        let mut held = Vec::new();
        for phone in 0..TURNS_OF_ORIGIN {
            held.push(line.turn(&at(&format!("https://slow.example/{phone}"))).await);
        }
        let (slow, other) = (at("https://slow.example/more"), at("https://other.example/"));
        let mut waits = std::pin::pin!(line.turn(&slow));
        for _ in 0..2 * TURNS {
            tokio::select! {
                biased;
                _ = waits.as_mut() => panic!("a turn too many"),
                _turn = line.turn(&other) => {}
            }
        }
        held.pop();
        let fifth = waits.await;
        drop((held, fifth));
        drop(line.turn(&other).await);
        assert_eq!(line.origins.lock().unwrap().len(), 1, "those that nothing is under way to are forgotten");
    }
}
