//! The way out at a constant rate: what the relay is sent, how much of it and when does not depend on what happens in the house.
//! Two beats, each with one call: a cell of the carrier ([`pacer`]), and a log entry of one size. What there is to be sent goes into
//! them; where there is nothing, cover does. Design: `docs/design/0018-constant-rate.md`.
//!
//! Nothing else is sent on account of what a camera sees: streams' ends and drops are told to nobody, phones are not woken.

pub mod pacer;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_home::{Carried, HubMessage, LogEntry, MAX_PLACED, SecretBytes};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, StoreError};
use privet_relay_client::{ClientError, Code, Connection, Retention};
use tokio::time::{Instant, MissedTickBehavior};

use self::pacer::{Arrived, Cell, Pacer};
use super::log::sign_of_life;
use super::{Uplink, UplinkError};
use crate::config::ConstantRate;
use crate::outbox::{AtRelay, Outbox};
use crate::status::Alarm;

/// How often the outbox is looked at, when there is room for more in the next cells.
const LOOK: Duration = Duration::from_millis(200);
/// How often what is told to nobody is settled.
const SETTLE: Duration = Duration::from_secs(2);
/// How often the group's keys are looked at.
const REFRESH: Duration = Duration::from_secs(1_800);
/// From one log entry to the next while a code for pairing is shown: that somebody pairs the relay sees anyway.
const PAIRING: Duration = Duration::from_millis(500);
/// An entry is made so long before it is sent that the disk's time does not show.
const AHEAD: Duration = Duration::from_millis(500);
/// Notices taken off the book at once.
const NOTICES: usize = 64;

/// A home's constant rate, over all its connections. Clones share it.
#[derive(Clone)]
pub struct Constant(Arc<Inner>);

struct Inner {
    rate: ConstantRate,
    pacer: Mutex<Pacer>,
    /// What the relay has and phones do not know yet.
    arrived: Mutex<VecDeque<Arrived>>,
}

impl Constant {
    /// At this rate, with nothing sent yet.
    pub fn new(rate: ConstantRate) -> Self {
        let pacer = Pacer::new(rate.content_bytes(), &SystemRandom);
        Self(Arc::new(Inner { rate, pacer: Mutex::new(pacer), arrived: Mutex::default() }))
    }

    /// The rate.
    pub fn rate(&self) -> &ConstantRate {
        &self.0.rate
    }

    /// Goes on in another carrier: a phone that was removed knows the key of this one, and so what in it is cover.
    pub fn begin_anew(&self) {
        self.pacer().begin_anew(&SystemRandom);
    }

    pub(super) fn pacer(&self) -> MutexGuard<'_, Pacer> {
        self.0.pacer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arrived(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        self.0.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next entry tells of: the oldest segments of one carrier, as many as an entry takes.
    fn next_told(&self) -> Vec<Arrived> {
        let arrived = self.arrived();
        let Some(first) = arrived.front().map(|first| first.carrier) else { return Vec::new() };
        arrived.iter().take_while(|one| one.carrier == first).take(MAX_PLACED).cloned().collect()
    }
}

/// Hands segments of the outbox to the pacer, whenever it has nearly none.
pub(super) async fn load(uplink: Uplink, constant: Constant) -> Result<(), UplinkError> {
    loop {
        let hungry = constant.pacer().is_hungry();
        let Some((number, pending)) = hungry.then(|| uplink.outbox.claim()).flatten() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        // The claim stays the pacer's over the connections of this run; a task that ends here gives it back.
        let claim = Claim { outbox: &uplink.outbox, number: Some(number) };
        let (outbox, segment) = (uplink.outbox.clone(), pending.clone());
        let read = tokio::task::spawn_blocking(move || outbox.read(&segment)).await;
        match read.map_err(|e| StoreError::Io(e.to_string()))? {
            Ok(bytes) if !bytes.is_empty() => {
                claim.keep();
                constant.pacer().load(number, pending, bytes);
            }
            read => {
                let why = read.err().map_or_else(|| "it is empty".into(), |error| error.to_string());
                tracing::error!(stream = %pending.stream, index = pending.index, %why, "a segment can't be read");
                claim.keep();
                stored(&uplink.outbox, number, None).await?;
            }
        }
    }
}

/// A claim that is given back unless somebody keeps it.
struct Claim<'a> {
    outbox: &'a Outbox,
    number: Option<u64>,
}

impl Claim<'_> {
    fn keep(mut self) {
        self.number = None;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.outbox.release(number);
        }
    }
}

/// Sends one cell at each beat. A beat that comes while the relay has not taken the last cell is left out.
pub(super) async fn cells(uplink: Uplink, constant: Constant, connection: Connection) -> Result<(), UplinkError> {
    let mut beat = tokio::time::interval(constant.rate().every());
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        beat.tick().await;
        let Some(cell) = constant.pacer().cell(&SystemRandom) else {
            tracing::error!("a cell could not be sealed");
            continue;
        };
        match send(&connection, &cell, uplink.relay_keeps).await {
            Ok(kept) => {
                uplink.board.clear_relay();
                let arrived = constant.pacer().stored(&cell, kept);
                constant.arrived().extend(arrived);
            }
            Err(UplinkError::Relay(ClientError::Refused(refusal))) => {
                uplink.board.raise(Alarm::Relay { cause: refusal.to_string() });
                // It will never take this one; anything else is tried again at the next beat, as a cover is.
                if matches!(refusal.code, Code::Conflict | Code::Gone | Code::TooLarge) {
                    tracing::error!(%refusal, "a carrier is given up");
                    constant.begin_anew();
                }
            }
            // Nor another one in the place of what it has: what is in the cell goes into the next carrier.
            Err(wrong @ UplinkError::Miscounted { .. }) => {
                uplink.board.raise(Alarm::Relay { cause: wrong.to_string() });
                tracing::error!(%wrong, "a carrier is given up");
                constant.begin_anew();
            }
            Err(error) => return Err(error),
        }
    }
}

async fn send(connection: &Connection, cell: &Cell, keep: Duration) -> Result<AtRelay, UplinkError> {
    // By the relay's clock from beginning to end: this machine's may be wrong.
    let since = connection.server_time();
    let until = since.after(keep.min(Duration::from_secs(connection.limits().retention_s)));
    let mut writer = connection.put(cell.carrier, cell.index, Retention::Keep { until }, true).await?;
    if writer.stored().is_none() {
        let at = usize::try_from(writer.offset()).unwrap_or(usize::MAX).min(cell.bytes.len());
        writer.write(cell.bytes.slice(at..)).await?;
    }
    let stored = writer.finish().await?;
    let length = cell.bytes.len() as u64;
    if stored == length { Ok(AtRelay::new(since, until)) } else { Err(UplinkError::Miscounted { stored, length }) }
}

/// Sends one log entry at each beat: what is to be said, or a sign of life.
pub(super) async fn entries(uplink: Uplink, constant: Constant, connection: Connection) -> Result<(), UplinkError> {
    let mut last = Instant::now();
    loop {
        let next = next_entry(&uplink, last, constant.rate().entry_every()).await;
        let entry = entry(&uplink, &constant).await?;
        tokio::time::sleep_until(next).await;
        last = next;
        // A conflict ends the connection; the next one begins with comparing the heads.
        connection.append(entry.seq, entry.bytes).await?;
        uplink.home.call(move |home, _| home.sent(entry.seq)).await??;
    }
}

/// Waits until the next entry has to be made, and gives when it has to be sent.
async fn next_entry(uplink: &Uplink, last: Instant, every: Duration) -> Instant {
    loop {
        let pairing = uplink.pairings.any();
        let wait = if pairing { PAIRING.min(every) } else { every };
        // What the machine slept through is not made good: that would be seen.
        let next = (last + wait).max(Instant::now());
        let made = next.checked_sub(AHEAD.min(wait / 2)).unwrap_or(next);
        if pairing || made <= Instant::now() + LOOK {
            tokio::time::sleep_until(made).await;
            return next;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The oldest entry that the relay does not have; if there is none, one is made.
async fn entry(uplink: &Uplink, constant: &Constant) -> Result<LogEntry, UplinkError> {
    loop {
        if let Some(entry) = uplink.home.call(|home, _| home.outbox(1, 1)).await??.into_iter().next() {
            return Ok(entry);
        }
        let told = constant.next_told();
        let message = message(&told).unwrap_or_else(|| sign_of_life(uplink));
        uplink.home.call(move |home, env| home.append(&[message], Batch::new(), env)).await??;
        // In this order: what phones were told of twice is the same twice.
        for one in told {
            stored(&uplink.outbox, one.number, Some(one.kept)).await?;
            constant.arrived().pop_front();
        }
    }
}

/// Where these segments are; nothing when there are none.
fn message(told: &[Arrived]) -> Option<HubMessage> {
    let first = told.first()?;
    Some(HubMessage::Carried(Box::new(Carried {
        carrier: first.carrier,
        key: SecretBytes::new(first.key.expose().to_vec()),
        cell: first.cell,
        placed: told.iter().map(|one| one.placed).collect(),
    })))
}

async fn stored(outbox: &Outbox, number: u64, kept: Option<AtRelay>) -> Result<(), UplinkError> {
    let outbox = outbox.clone();
    let stored = tokio::task::spawn_blocking(move || outbox.stored(number, kept)).await;
    Ok(stored.map_err(|e| StoreError::Io(e.to_string()))??)
}

/// Renews the group's keys and ends farewells when they are due.
pub(super) async fn refresh(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    let mut refresh = tokio::time::interval(REFRESH);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        refresh.tick().await;
        uplink.home.call(|home, env| home.refresh(env)).await??;
        uplink.see_off(&connection).await?;
    }
}

/// Settles here what the relay would be told otherwise: it never heard of these streams, and its own time ends their cells.
pub(super) async fn settle(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        uplink.board.round_trip(connection.round_trip());
        let outbox = uplink.outbox.clone();
        let settled = tokio::task::spawn_blocking(move || {
            outbox.drops().into_iter().try_for_each(|stream| outbox.dropped(stream))?;
            outbox.finishes().into_iter().try_for_each(|(stream, _)| outbox.finished(stream))
        });
        settled.await.map_err(|e| StoreError::Io(e.to_string()))??;
        for device in uplink.notices.expected().await? {
            let taken = uplink.notices.seal(device, NOTICES).await?.into_iter().map(|notice| notice.number);
            uplink.notices.done(taken.collect()).await?;
        }
        tokio::time::sleep(SETTLE).await;
    }
}
