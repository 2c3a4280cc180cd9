//! What became of wakes, in numbers. No number tells homes or phones apart.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What became of wakes since the relay started, of all homes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakeCounts {
    /// They wait now, in homes that were read since the start.
    pub waiting: u64,
    /// Taken from hubs.
    pub accepted: u64,
    /// Hubs said them again.
    pub repeated: u64,
    /// Phones acknowledged them.
    pub fetched: u64,
    /// Gateways took them whole.
    pub delivered: u64,
    /// Empty messages that gateways took in place of wakes that are too long for them.
    pub called: u64,
    /// Their time was over.
    pub expired: u64,
    /// Times that a gateway would not take a message now.
    pub delayed: u64,
    /// Messages that a gateway will never take.
    pub rejected: u64,
    /// Times that a gateway would take nothing before the operator has changed something.
    pub misconfigured: u64,
    /// Push targets dropped, for nobody is there any more.
    pub targets_gone: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    waiting: AtomicI64,
    accepted: AtomicU64,
    repeated: AtomicU64,
    fetched: AtomicU64,
    delivered: AtomicU64,
    called: AtomicU64,
    expired: AtomicU64,
    delayed: AtomicU64,
    rejected: AtomicU64,
    misconfigured: AtomicU64,
    targets_gone: AtomicU64,
    told: Mutex<WakeCounts>,
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Counts {
    pub(crate) fn now(&self) -> WakeCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WakeCounts {
            waiting: u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(0),
            accepted: read(&self.accepted),
            repeated: read(&self.repeated),
            fetched: read(&self.fetched),
            delivered: read(&self.delivered),
            called: read(&self.called),
            expired: read(&self.expired),
            delayed: read(&self.delayed),
            rejected: read(&self.rejected),
            misconfigured: read(&self.misconfigured),
            targets_gone: read(&self.targets_gone),
        }
    }

    /// Writes the numbers to the log, unless they are those of the last time.
    pub(crate) fn tell(&self) {
        let now = self.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == now {
            return;
        }
        *told = now;
        let WakeCounts { waiting, accepted, repeated, fetched, delivered, called, .. } = now;
        let WakeCounts { expired, delayed, rejected, misconfigured, targets_gone, .. } = now;
        tracing::info!(
            target: "privet_relay::wakes",
            waiting, accepted, repeated, fetched, delivered, called, expired, delayed, rejected, misconfigured, targets_gone,
            "wakes since the start"
        );
    }

    pub(crate) fn waiting(&self, by: i64) {
        self.waiting.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self) {
        self.waiting(1);
        add(&self.accepted, 1);
    }

    pub(crate) fn repeated(&self) {
        add(&self.repeated, 1);
    }

    pub(crate) fn fetched(&self, by: u64) {
        add(&self.fetched, by);
    }

    pub(crate) fn delivered(&self) {
        add(&self.delivered, 1);
    }

    pub(crate) fn called(&self) {
        add(&self.called, 1);
    }

    pub(crate) fn expired(&self, by: u64) {
        add(&self.expired, by);
    }

    pub(crate) fn delayed(&self) {
        add(&self.delayed, 1);
    }

    pub(crate) fn rejected(&self) {
        add(&self.rejected, 1);
    }

    pub(crate) fn misconfigured(&self) {
        add(&self.misconfigured, 1);
    }

    pub(crate) fn target_gone(&self) {
        add(&self.targets_gone, 1);
    }
}
