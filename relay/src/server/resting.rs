//! Homes that nobody uses leave memory. What is known of one then is when something of it expires, and what it counts as: it is read again
//! when somebody comes, or when its time has come, and rests on. So memory is a matter of how many homes are used, not of how much is kept.
//!
//! What is in memory only must not be lost by it: a home with uploads that are not whole stays, one with wakes within the last hour, which
//! are counted, and one with streams that only pass, until the sweep forgets these.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_protocol::id::HomeId;
use privet_protocol::time::Timestamp;

use super::home::{Counted, Home};
use super::{Relay, sweep};

/// A home that nobody used for so long may rest.
const IDLE: Duration = Duration::from_secs(600);
/// At least so often one that rests is looked at, whatever is known of it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The homes that rest.
#[derive(Default)]
pub(crate) struct Resting(Mutex<HashMap<HomeId, Rest>>);

struct Rest {
    /// When something of it expires.
    until: Timestamp,
    _counted: Counted,
}

impl Resting {
    /// Whether nothing of this home has to be done yet.
    pub(super) fn rests(&self, id: HomeId, now: Timestamp) -> bool {
        self.homes().get(&id).is_some_and(|rest| now < rest.until)
    }

    /// It is in memory.
    pub(super) fn end(&self, id: HomeId) {
        self.homes().remove(&id);
    }

    /// What is known of them may not be so any more: the next sweep looks at each.
    pub(super) fn end_all(&self) {
        drop(std::mem::take(&mut *self.homes()));
    }

    fn begin(&self, id: HomeId, until: Timestamp, counted: Counted) {
        self.homes().insert(id, Rest { until, _counted: counted });
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<HomeId, Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Lets a home go from memory that was just swept, if nobody uses it.
    pub(super) async fn let_rest(&self, home: Arc<Home>, now: Timestamp) {
        if !is_idle(&home, now) {
            return;
        }
        let Ok(due) = sweep::due(&home, now).await else { return };
        let id = home.id;
        drop(home);
        let gone = self.homes.take_out(id, |home| {
            let idle = is_idle(home, now);
            if idle {
                self.resting.begin(id, due.min(now.after(LONGEST)), Counted::of(home));
            }
            idle
        });
        // It may be large: nobody waits for another home meanwhile.
        drop(gone);
    }
}

fn is_idle(home: &Home, now: Timestamp) -> bool {
    let unused = now.since(home.used()) >= IDLE && !home.is_connected();
    let may = unused && home.uploads.load(Ordering::Relaxed) == 0 && !home.was_woken(now);
    may && home.streams().values().all(|stream| {
        let contents = stream.contents();
        contents.recorded && contents.passing.is_empty() && !contents.has_unfinished()
    })
}
