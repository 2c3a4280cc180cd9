//! QR codes that wait for a phone: one mailbox at the relay each.
//!
//! The order matters: the phone becomes a member in the home's state first, then its key is granted rights, then the log goes out,
//! and only then is it answered. A connection lost in between changes nothing: on the next one the mailbox is read again from
//! its first message, and the same request gets the same answer. The mailbox closes when the phone has said in the log's
//! language that it is in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_home::{AdmitError, Env, HomeError, HubHome, HubMessage, Invitation, RelayAddress, Rendezvous};
use privet_protocol::id::{DeviceId, PairingId};
use privet_relay_client::{ClientKey, Code, Connection, LogItem, Side};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::home::{HomeHandle, Stopping};
use super::log::sign_of_life;
use super::{Uplink, UplinkError};
use crate::time::wall;

/// What happens with a QR code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairingEvent {
    /// The relay holds its mailbox: a phone can come.
    Ready,
    /// Somebody tried and was refused.
    Refused {
        /// Why.
        cause: String,
        /// Whether it can be tried again.
        over: bool,
    },
    /// A phone is a member.
    Joined {
        /// Its id.
        device: DeviceId,
        /// Its name.
        name: String,
        /// The number to compare.
        safety_number: Option<String>,
    },
    /// The phone follows the log.
    Arrived {
        /// Its id.
        device: DeviceId,
    },
    /// Its time is over.
    Expired,
}

/// The QR codes of this run. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Pairings(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: Mutex<BTreeMap<PairingId, Open>>,
    opened: Notify,
    arrivals: Notify,
}

#[derive(Debug)]
struct Open {
    rendezvous: Rendezvous,
    listener: Option<mpsc::UnboundedSender<PairingEvent>>,
    /// Mailbox messages up to this one were admitted or refused.
    tried: u64,
    joined: Option<DeviceId>,
    arrived: bool,
}

impl Pairings {
    /// Shows a new QR code: what it says, and what happens with it.
    ///
    /// # Errors
    /// [`HomeError`] when the home can't keep it; [`Stopping`].
    pub async fn open(
        &self,
        home: &HomeHandle,
        relay: RelayAddress,
        ttl: Duration,
    ) -> Result<Result<(Invitation, mpsc::UnboundedReceiver<PairingEvent>), HomeError>, Stopping> {
        let invitation = match home.call(move |home, env| home.invite(&relay, ttl, env)).await? {
            Ok(invitation) => invitation,
            Err(error) => return Ok(Err(error)),
        };
        let (listener, events) = mpsc::unbounded_channel();
        self.add((&invitation).into(), Some(listener));
        Ok(Ok((invitation, events)))
    }

    /// Whether any code waits for its phone.
    pub fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// A QR code of an earlier run that is still good, or whose phone waits for its answer.
    pub fn resume(&self, rendezvous: Rendezvous) {
        self.add(rendezvous, None);
    }

    /// Nobody looks at the QR code any more: it is worth nothing from now on.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn cancel(&self, home: &HomeHandle, pairing: PairingId) -> Result<(), Stopping> {
        let used = self.lock().get(&pairing).is_none_or(|o| o.joined.is_some());
        // A phone that is in already still has to fetch its answer.
        if !used {
            self.lock().remove(&pairing);
            if let Err(error) = home.call(move |home, _| home.cancel(pairing)).await? {
                tracing::warn!(%error, "a pairing could not be cancelled; it ends by itself");
            }
            self.0.arrivals.notify_waiters();
        }
        Ok(())
    }

    /// A phone said that it is in.
    pub(super) fn arrived(&self, device: DeviceId) {
        for open in self.lock().values_mut().filter(|o| o.joined == Some(device)) {
            open.arrived = true;
            open.tell(PairingEvent::Arrived { device });
        }
        self.0.arrivals.notify_waiters();
    }

    fn add(&self, rendezvous: Rendezvous, listener: Option<mpsc::UnboundedSender<PairingEvent>>) {
        let open = Open { listener, tried: 0, joined: None, arrived: false, rendezvous };
        self.lock().insert(open.rendezvous.pairing, open);
        self.0.opened.notify_one();
    }

    fn with<R>(&self, pairing: PairingId, look: impl FnOnce(&mut Open) -> R) -> Option<R> {
        self.lock().get_mut(&pairing).map(look)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PairingId, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn tell(&self, event: PairingEvent) {
        if let Some(listener) = &self.listener {
            // Whoever asked may be gone.
            let _ = listener.send(event);
        }
    }
}

/// Serves every open pairing on this connection.
pub(super) async fn serve(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    let mut served = Vec::new();
    let mut tasks: JoinSet<Result<(), UplinkError>> = JoinSet::new();
    loop {
        let open: Vec<Rendezvous> = uplink.pairings.lock().values().map(|o| o.rendezvous.clone()).collect();
        for rendezvous in open {
            if !served.contains(&rendezvous.pairing) {
                served.push(rendezvous.pairing);
                tasks.spawn(serve_one(uplink.clone(), connection.clone(), rendezvous));
            }
        }
        tokio::select! {
            () = uplink.pairings.0.opened.notified() => {}
            Some(ended) = tasks.join_next() => match ended {
                Ok(Ok(())) => {}
                // What the relay refuses about one mailbox does not concern the rest.
                Ok(Err(UplinkError::Relay(error))) if error.refusal().is_some() => {
                    tracing::warn!(%error, "a pairing ended early");
                }
                Ok(Err(error)) => return Err(error),
                Err(panic) => tracing::error!(%panic, "a pairing failed"),
            },
        }
    }
}

async fn serve_one(uplink: Uplink, connection: Connection, rendezvous: Rendezvous) -> Result<(), UplinkError> {
    let pairing = rendezvous.pairing;
    let left = rendezvous.until.since(wall());
    let outcome = tokio::select! {
        outcome = meet(&uplink, &connection, &rendezvous) => outcome,
        () = tokio::time::sleep(left) => Ok(()),
        () = cancelled(&uplink.pairings, pairing) => Ok(()),
    };
    if let Err(UplinkError::Relay(error)) = &outcome
        && error.refusal().is_none()
    {
        // The connection broke: the next one goes on here.
        return outcome;
    }
    let over = uplink.pairings.lock().remove(&pairing);
    if let Some(open) = over.filter(|o| o.joined.is_none()) {
        open.tell(match &outcome {
            Ok(()) => PairingEvent::Expired,
            Err(error) => PairingEvent::Refused { cause: error.to_string(), over: true },
        });
    }
    match connection.close_mailbox(rendezvous.mailbox).await {
        Err(error) if error.refusal().is_none() => Err(error.into()),
        _ => outcome,
    }
}

/// Waits for a phone, lets it in, and waits until it has arrived.
pub(super) async fn meet(uplink: &Uplink, connection: &Connection, rendezvous: &Rendezvous) -> Result<(), UplinkError> {
    let pairings = &uplink.pairings;
    let pairing = rendezvous.pairing;
    let key = ClientKey::from_seed(&rendezvous.mailbox_key)?.public();
    match connection.open_mailbox(rendezvous.mailbox, key, rendezvous.until).await {
        Ok(()) => {}
        // An earlier connection opened it.
        Err(error) if error.refusal() == Some(Code::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    let _ = pairings.with(pairing, |open| open.tell(PairingEvent::Ready));
    let mut requests = connection.collect(rendezvous.mailbox, Side::Hub, 1).await?;
    while let Some(item) = requests.next().await? {
        let LogItem::Entry { seq, bytes } = item else { continue };
        let admitted_before = pairings.with(pairing, |open| open.joined.is_some()).unwrap_or(false);
        if !admitted_before && pairings.with(pairing, |open| seq <= open.tried).unwrap_or(false) {
            continue;
        }
        let snapshot = snapshot(uplink);
        let admit = move |home: &mut HubHome, env: Env<'_>| {
            let admitted = home.admit(pairing, &bytes, &snapshot, env)?;
            let number = home.safety_number(admitted.member.device);
            Ok::<_, AdmitError>((admitted, number))
        };
        let admitted = uplink.home.call(admit).await?;
        // Not before: a connection that ended meanwhile must ask again, or a member would never be answered. Nor when the store
        // failed, which may have kept it.
        if !matches!(admitted, Err(AdmitError::Home(_))) {
            let _ = pairings.with(pairing, |open| open.tried = open.tried.max(seq));
        }
        let (admitted, number) = match admitted {
            Ok(admitted) => admitted,
            Err(AdmitError::Home(error)) => return Err(error.into()),
            Err(error) => {
                let over = !matches!(
                    error,
                    AdmitError::Forged { attempts_left: 1.. } | AdmitError::Invalid { attempts_left: 1.., .. }
                );
                tracing::warn!(%error, "a pairing request was refused");
                let _ = pairings.with(pairing, |open| {
                    open.tell(PairingEvent::Refused { cause: error.to_string(), over: over && !admitted_before });
                });
                if over && !admitted_before {
                    return Ok(());
                }
                continue;
            }
        };
        let (device, name) = (admitted.member.device, admitted.member.name);
        let _ = pairings.with(pairing, |open| {
            if open.joined.replace(device).is_none() {
                tracing::info!(%device, "a phone was let in");
                let safety_number = number.map(|n| n.to_string());
                open.tell(PairingEvent::Joined { device, name, safety_number });
            }
        });
        uplink.let_in(connection, admitted.capability).await?;
        log_is_out(uplink).await?;
        connection.post(rendezvous.mailbox, Side::Phone, admitted.answer).await?;
        arrived(pairings, pairing).await;
        return Ok(());
    }
    Ok(())
}

/// What a newcomer must know: the cameras, the streams that are open, from their next segment on, and the hub's rhythm.
pub(super) fn snapshot(uplink: &Uplink) -> Vec<HubMessage> {
    let streams = uplink.recorders.open_streams().into_iter().map(HubMessage::StreamStarted);
    [HubMessage::Cameras(uplink.board.cameras()), sign_of_life(uplink)].into_iter().chain(streams).collect()
}

/// Waits until the relay has the whole log.
async fn log_is_out(uplink: &Uplink) -> Result<(), UplinkError> {
    while !uplink.home.call(|home, _| home.outbox(1, 1)).await??.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn arrived(pairings: &Pairings, pairing: PairingId) {
    loop {
        let arrival = pairings.0.arrivals.notified();
        if pairings.with(pairing, |open| open.arrived).unwrap_or(true) {
            return;
        }
        arrival.await;
    }
}

async fn cancelled(pairings: &Pairings, pairing: PairingId) {
    loop {
        let arrival = pairings.0.arrivals.notified();
        if pairings.with(pairing, |_| ()).is_none() {
            return;
        }
        arrival.await;
    }
}
