//! Pairings at the hub: opening one, and admitting the phone that comes with its code.

use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::PairingId;
use privet_protocol::random::secret;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::HubHome;
use super::state::{MemberState, Pairing, Phase, Rejoins, Window, pairing_key, pairings};
use super::work::{Change, Work};
use crate::Env;
use crate::crypto::{SecretBytes, sha256};
use crate::error::{AdmitError, HomeError};
use crate::group;
use crate::identity::Role;
use crate::log::LogEntry;
use crate::message::{HubMessage, Member};
use crate::pairing::{
    Answer, Invitation, Keys, MAX_ATTEMPTS, Offer, RelayAddress, Rendezvous, Request, RequestError, open_request,
    seal_answer,
};
use crate::record::load_record;

/// The most phones a home can have: the Welcome into a larger group would not fit into a log entry.
pub const MAX_PHONES: usize = 32;
/// How long a finished pairing is remembered, so that a phone that missed the answer can ask again.
const REMEMBER: Duration = Duration::from_secs(3600);

/// A phone became a member.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Goes into the mailbox's phone side, once the capability is granted.
    pub answer: Vec<u8>,
    /// The new member.
    pub member: Member,
    /// The phone's relay key: grant it a phone's rights before the answer is posted.
    pub capability: CapabilityKey,
    /// Log entries to append at the relay. Empty when this request was admitted before.
    pub entries: Vec<LogEntry>,
}

impl HubHome {
    /// Opens a pairing for `ttl` (ten minutes: [`crate::pairing::DEFAULT_TTL`]). It survives a restart.
    ///
    /// # Errors
    /// [`HomeError::BadAddress`] when the relay can't be put into a QR code.
    pub fn invite(&mut self, relay: &RelayAddress, ttl: Duration, env: Env<'_>) -> Result<Invitation, HomeError> {
        self.check_room()?;
        let id = PairingId::generate(env.random);
        let psk = secret(env.random);
        let until = env.now.after(ttl);
        let offer = Offer::new(id, psk.clone(), self.identity_fingerprint(), until, relay.clone())
            .ok_or_else(|| HomeError::BadAddress(relay.host.clone()))?;
        let pairing = Pairing {
            id,
            mailbox: offer.mailbox(),
            relay: relay.clone(),
            until: offer.until(),
            mailbox_key: SecretBytes::new(offer.mailbox_key().to_vec()),
            phase: Phase::Open { psk: SecretBytes::new(psk.to_vec()), attempts_left: MAX_ATTEMPTS },
        };
        let mut batch = Batch::new();
        for old in pairings(&self.store)?.into_iter().filter(|old| env.now >= old.until.after(REMEMBER)) {
            batch.delete(pairing_key(&old.id));
        }
        batch.put(pairing_key(&id), cbor::encode(&pairing));
        self.store.commit(batch)?;
        Ok(invitation(&offer))
    }

    /// The mailboxes to serve: those of open pairings, and those whose phone may still wait for its answer because the hub
    /// stopped between letting it in and answering.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn rendezvous(&self, now: Timestamp) -> Result<Vec<Rendezvous>, HomeError> {
        let served = pairings(&self.store)?.into_iter().filter(|p| now < p.until && !matches!(p.phase, Phase::Closed));
        let rendezvous = |p: Pairing| {
            Some(Rendezvous { pairing: p.id, mailbox: p.mailbox, mailbox_key: p.mailbox_key.key()?, until: p.until })
        };
        Ok(served.filter_map(rendezvous).collect())
    }

    /// Closes a pairing, whatever its state.
    ///
    /// # Errors
    /// [`HomeError::Store`].
    pub fn cancel(&mut self, pairing: PairingId) -> Result<(), HomeError> {
        let mut batch = Batch::new();
        batch.delete(pairing_key(&pairing));
        Ok(self.store.commit(batch)?)
    }

    /// Admits the phone that made this request, and appends to the log: the MLS key for the members, the commit, the joined
    /// member, and `snapshot` (what a newcomer must know, such as the cameras). The same request again gets the same answer.
    ///
    /// # Errors
    /// [`AdmitError`]; a wrong request costs an attempt.
    pub fn admit(
        &mut self,
        pairing: PairingId,
        request: &[u8],
        snapshot: &[HubMessage],
        env: Env<'_>,
    ) -> Result<Admitted, AdmitError> {
        let record: Pairing = load_record(&self.store, &pairing_key(&pairing))?.ok_or(AdmitError::Unknown(pairing))?;
        let (psk, attempts_left) = match &record.phase {
            Phase::Closed => return Err(AdmitError::TooManyAttempts),
            Phase::Used { .. } => return self.admitted_before(&record, request, env.now),
            Phase::Open { .. } if env.now >= record.until => return Err(AdmitError::Expired),
            Phase::Open { psk, attempts_left } => (psk.clone(), *attempts_left),
        };
        self.check_room()?;
        let psk = psk.key().ok_or_else(|| HomeError::Damaged("the pairing's key".into()))?;
        let keys = Keys::derive(&pairing, &psk);
        let attempts_left = attempts_left.saturating_sub(1);
        let refusal = match open_request(&keys, &pairing, request) {
            Err(RequestError::Forged) => AdmitError::Forged { attempts_left },
            Err(RequestError::Invalid(cause)) => AdmitError::Invalid { cause: cause.into(), attempts_left },
            Ok(opened) => match self.add(&record, &keys, opened, request, snapshot, env) {
                Err(AdmitError::Invalid { cause, .. }) => AdmitError::Invalid { cause, attempts_left },
                result => return result,
            },
        };
        self.burn(record, attempts_left)?;
        Err(refusal)
    }

    /// The commit itself.
    fn add(
        &mut self,
        record: &Pairing,
        keys: &Keys,
        request: Request,
        request_bytes: &[u8],
        snapshot: &[HubMessage],
        env: Env<'_>,
    ) -> Result<Admitted, AdmitError> {
        let ((answer, member), entries) = self.step(Batch::new(), env.now, |work| {
            let package = acceptable(work, &request).map_err(invalid)?;
            let pairing = &record.id;
            if !work.state.members.is_empty() {
                let key = SecretBytes::new(keys.mls.to_vec());
                work.say(&HubMessage::PskDelivery { pairing: *pairing, key })?;
            }
            let psk = group::keep_psk(work.provider, pairing.as_bytes(), keys.mls.as_ref())?;
            let change = Change { add: Some(package), psk: Some(psk), ..Change::default() };
            // A KeyPackage can be valid and still not fit, such as one whose keys another leaf has.
            let committed = work.commit(change).map_err(|error| match error {
                HomeError::Group(cause) => AdmitError::Invalid { cause, attempts_left: 0 },
                error => error.into(),
            })?;
            let welcome = committed.ok_or_else(|| HomeError::Group("an add without a welcome".into()))?;
            group::forget_psk(work.provider, pairing.as_bytes())?;

            let member = Member {
                device: request.device,
                name: request.name.clone(),
                identity: request.identity,
                joined: env.now,
                last_seen: env.now,
            };
            let rejoin_key = SecretBytes::generate(env.random);
            work.state.members.push(MemberState {
                member: member.clone(),
                capability: request.capability,
                next_capability: None,
                rejoin_key: rejoin_key.clone(),
                since_epoch: work.group.epoch().as_u64(),
                window: Window::default(),
                rejoins: Rejoins::default(),
            });
            let answer = Answer {
                home: work.state.home,
                generation: work.state.generation,
                hub: work.state.device,
                hub_name: work.state.name.clone(),
                hub_identity: work.state.identity_key()?.public(),
                position: work.state.head,
                members: work.state.members.iter().map(|m| m.member.clone()).collect(),
                rejoin_key,
                welcome,
            };
            let answer = seal_answer(keys, pairing, &answer, env.random);
            work.say(&HubMessage::Joined(member.clone()))?;
            snapshot.iter().try_for_each(|message| work.say(message))?;
            let phase =
                Phase::Used { request: sha256(&[request_bytes]), answer: answer.clone(), device: member.device };
            let record = Pairing { phase, ..record.clone() };
            work.batch.put(pairing_key(pairing), cbor::encode(&record));
            Ok::<_, AdmitError>((answer, member))
        })?;
        Ok(Admitted { answer, member, capability: request.capability, entries })
    }

    /// The answer that this request got the first time.
    fn admitted_before(&self, record: &Pairing, request: &[u8], now: Timestamp) -> Result<Admitted, AdmitError> {
        let Phase::Used { request: first, answer, device } = &record.phase else {
            return Err(AdmitError::Unknown(record.id));
        };
        if *first != sha256(&[request]) {
            return Err(AdmitError::Used);
        }
        if now >= record.until.after(REMEMBER) {
            return Err(AdmitError::Expired);
        }
        let member = self.state.member(device).ok_or(AdmitError::Used)?;
        Ok(Admitted {
            answer: answer.clone(),
            member: member.member.clone(),
            capability: member.capability,
            entries: Vec::new(),
        })
    }

    fn check_room(&self) -> Result<(), HomeError> {
        let phones = self.state.members.len() + self.state.absent.len();
        if phones < MAX_PHONES { Ok(()) } else { Err(HomeError::Full { limit: MAX_PHONES }) }
    }

    /// Writes down a failed attempt; after the last one the pairing is closed and its key forgotten.
    fn burn(&mut self, mut record: Pairing, left: u8) -> Result<(), HomeError> {
        match &mut record.phase {
            Phase::Open { attempts_left, .. } if left > 0 => *attempts_left = left,
            phase => *phase = Phase::Closed,
        }
        let mut batch = Batch::new();
        batch.put(pairing_key(&record.id), cbor::encode(&record));
        Ok(self.store.commit(batch)?)
    }
}

/// The request's KeyPackage, if it is this phone's and the phone is new.
fn acceptable(work: &Work<'_>, request: &Request) -> Result<openmls::prelude::KeyPackage, &'static str> {
    let (package, credential) = group::read_key_package(work.provider, &request.key_package)?;
    if credential.role != Role::Phone
        || credential.device != request.device
        || credential.identity != request.identity
        || credential.name != request.name
    {
        return Err("its key package names another device");
    }
    let known = work.state.members.iter().chain(&work.state.absent);
    for member in known.map(|m| &m.member) {
        if member.device == request.device || member.identity == request.identity {
            return Err("this device is a member already");
        }
    }
    if request.device == work.state.device {
        return Err("it names the hub as its device");
    }
    let keys: Vec<_> = work.state.members.iter().chain(&work.state.absent).map(|m| m.capability).collect();
    if keys.contains(&request.capability) || work.state.revocations.iter().any(|(_, key)| key == &request.capability) {
        return Err("its relay key is another device's");
    }
    Ok(package)
}

fn invalid(cause: &'static str) -> AdmitError {
    AdmitError::Invalid { cause: cause.into(), attempts_left: 0 }
}

fn invitation(offer: &Offer) -> Invitation {
    Invitation {
        qr_text: offer.to_text().to_string(),
        pairing: offer.pairing(),
        mailbox: offer.mailbox(),
        mailbox_key: offer.mailbox_key(),
        until: offer.until(),
    }
}
