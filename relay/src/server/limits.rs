//! The limits that count now: those the relay was started with, or those of the last configuration that was read again.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Limits;

/// Shared by all that a limit bounds; each looks again every time, so that a new limit counts at once.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Limits>>);

impl Live {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(limits))))
    }

    pub(crate) fn now(&self) -> Arc<Limits> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
