//! Becoming a member by QR code. The story is in `docs/reference/pairing.md`; here is the phone's half of it:
//!
//! 1. The relay is recognized by the pin in the code, and the code's own key opens the rendezvous mailbox.
//! 2. The request (made with the code's secret) goes to the hub's side, the answer is awaited on the phone's.
//! 3. An answer that is not the hub's is passed over: the real one may follow.

use std::sync::Arc;
use std::time::Duration;

use privet_home::{Env, JoinAttempt, JoinError, Offer, OfferError, PhoneHome, PhoneMessage};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, ClientKey, Code, Connection, LogItem, Principal, Side, connect};

use crate::clock;
use crate::error::{CoreError, PairingFailure, Result};
use crate::runtime;
use crate::state::{Core, home_error};
use crate::sync::target;

/// How long the relay may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the hub may take to answer.
const HUB: Duration = Duration::from_secs(30);
/// How long the first look at the home may take before the phone counts as paired anyway.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// What a QR code says, checked but not used.
#[derive(Clone)]
pub struct PairingOffer {
    text: zeroize::Zeroizing<String>,
    relay: String,
    until: Timestamp,
    hub: String,
}

impl std::fmt::Debug for PairingOffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PairingOffer(relay {}, until {})", self.relay, self.until)
    }
}

impl PairingOffer {
    /// Reads the text of a QR code. No network.
    ///
    /// # Errors
    /// [`CoreError::Pairing`] with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let now = clock::now();
        let offer = Offer::parse(text.trim(), now).map_err(|e| offer_failure(&e, now))?;
        let relay = offer.relay();
        Ok(Self {
            text: zeroize::Zeroizing::new(text.trim().to_owned()),
            relay: format!("{}:{}", relay.host, relay.port),
            until: offer.until(),
            hub: offer.hub_fingerprint().to_string(),
        })
    }

    /// Fingerprint of the hub's identity.
    pub fn hub_fingerprint(&self) -> &str {
        &self.hub
    }

    /// Address of the relay.
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// Until when the code is good.
    pub fn expires_ms(&self) -> i64 {
        self.until.0
    }
}

/// Joins the home of `offer` and hands it to the sync.
pub(crate) async fn pair(core: &Arc<Core>, offer: &PairingOffer) -> Result<()> {
    if let Ok(hub) = core.with_home(|home| Ok(home.hub_name().to_owned())).await {
        return Err(PairingFailure::AlreadyPaired { hub }.into());
    }
    let now = clock::now();
    let offer = Offer::parse(&offer.text, now).map_err(|e| offer_failure(&e, now))?;
    let relay = format!("{}:{}", offer.relay().host, offer.relay().port);
    let failed = |error: ClientError| relay_failure(&relay, &error);

    let key = ClientKey::from_seed(&offer.mailbox_key()).map_err(failed)?;
    let principal = Principal::Mailbox { mailbox: offer.mailbox() };
    let connection = connect(&target(offer.relay()), principal, &key, CONNECT).await.map_err(failed)?;

    let home = ask(core, offer, &connection).await.map_err(|error| match error {
        AskError::Relay(error) => failed(error),
        AskError::Core(error) => error,
    })?;
    connection.close();

    core.joined(home);
    core.tell_hub(PhoneMessage::Paired).await?;
    let mut links = core.links();
    // The phone is paired now, whether or not the first look comes in time.
    let _ = tokio::time::timeout(FIRST_LOOK, links.wait_for(|link| link.caught_up)).await;
    Ok(())
}

enum AskError {
    Relay(ClientError),
    Core(CoreError),
}

impl From<ClientError> for AskError {
    fn from(error: ClientError) -> Self {
        Self::Relay(error)
    }
}

impl From<CoreError> for AskError {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

async fn ask(core: &Arc<Core>, offer: Offer, connection: &Connection) -> std::result::Result<PhoneHome, AskError> {
    let mailbox = offer.mailbox();
    let mut answers = connection.collect(mailbox, Side::Phone, 1).await?;
    let mut attempt = attempt(core, offer).await?;
    connection.post(mailbox, Side::Hub, attempt.request().to_vec()).await?;

    let deadline = tokio::time::Instant::now() + HUB;
    let mut forged = None;
    loop {
        let item = tokio::select! {
            item = tokio::time::timeout_at(deadline, answers.next()) => item,
            () = core.stop.cancelled() => return Err(core.stopped().into()),
        };
        let Ok(item) = item else {
            return Err(CoreError::from(forged.unwrap_or(PairingFailure::HubSilent { waited_s: HUB.as_secs() })).into());
        };
        match item? {
            Some(LogItem::Entry { bytes, .. }) => {
                let (back, outcome) = complete(attempt, bytes).await?;
                attempt = back;
                match outcome {
                    Ok(home) => return Ok(home),
                    Err(JoinError::Forged(reason)) => forged = Some(PairingFailure::Forged { reason }),
                    Err(JoinError::WrongHub) => {
                        forged = Some(PairingFailure::Forged { reason: JoinError::WrongHub.to_string() });
                    }
                    Err(error) => return Err(join_failure(error).into()),
                }
            }
            Some(LogItem::CaughtUp { .. }) => {}
            None => return Err(CoreError::from(PairingFailure::Used).into()),
        }
    }
}

/// The attempt with this code: the one that was under way when this phone was killed (the hub answers the same request
/// once and for all), or a new one.
async fn attempt(core: &Arc<Core>, offer: Offer) -> Result<JoinAttempt> {
    let (store, name) = (core.home_store()?, core.config.device_name.clone());
    runtime::blocking(move || {
        if let Some(attempt) = JoinAttempt::load(store.clone()).map_err(home_error)? {
            let (_, keys) = attempt.rendezvous().map_err(home_error)?;
            if keys.mailbox == offer.mailbox() {
                return Ok(attempt);
            }
        }
        let begun = PhoneHome::begin(&offer, &name, store, Env::new(clock::now(), &SystemRandom));
        Ok(begun.map_err(join_failure)?.0)
    })
    .await
}

async fn complete(
    mut attempt: JoinAttempt,
    answer: Vec<u8>,
) -> Result<(JoinAttempt, std::result::Result<PhoneHome, JoinError>)> {
    runtime::blocking(move || {
        let outcome = attempt.complete(&answer, Env::new(clock::now(), &SystemRandom));
        Ok((attempt, outcome))
    })
    .await
}

fn offer_failure(error: &OfferError, now: Timestamp) -> CoreError {
    match error {
        OfferError::NotPrivet => PairingFailure::NotPrivet,
        OfferError::Version(found) => PairingFailure::Version { found: found.clone() },
        OfferError::Expired { until } => PairingFailure::Expired { ago_s: now.since(*until).as_secs() },
        other => PairingFailure::Damaged { reason: other.to_string() },
    }
    .into()
}

fn join_failure(error: JoinError) -> CoreError {
    match error {
        JoinError::Expired => PairingFailure::Expired { ago_s: 0 }.into(),
        JoinError::Version(found) => PairingFailure::Version { found: found.to_string() }.into(),
        JoinError::Forged(_) | JoinError::WrongHub => PairingFailure::Forged { reason: error.to_string() }.into(),
        JoinError::Refused(cause) => PairingFailure::Refused { reason: cause.to_string() }.into(),
        JoinError::Home(error) => home_error(error),
        other => PairingFailure::Refused { reason: other.to_string() }.into(),
    }
}

fn relay_failure(relay: &str, error: &ClientError) -> CoreError {
    let relay = relay.to_owned();
    match error {
        ClientError::WrongIdentity { .. } | ClientError::Untrusted { .. } => {
            PairingFailure::OtherRelay { relay, found: error.to_string() }
        }
        ClientError::Closed { revoked: true, .. } => PairingFailure::Used,
        ClientError::Refused(refusal) => match refusal.code {
            Code::Gone | Code::Denied | Code::NotFound => PairingFailure::Used,
            _ => PairingFailure::RelayUnreachable { relay, reason: error.to_string() },
        },
        other => PairingFailure::RelayUnreachable { relay, reason: other.to_string() },
    }
    .into()
}
