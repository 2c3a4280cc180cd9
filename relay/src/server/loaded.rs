//! The homes in memory. Each is read once, by a task of its own that whoever comes for it waits for: nobody waits for the reading of another
//! one than his own, and who waits no longer takes nothing from those who come after him. A home may have much to read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privet_protocol::id::HomeId;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::wire::Failure;

pub(crate) struct Loaded<T>(Mutex<Places<T>>);

type Places<T> = HashMap<HomeId, Place<T>>;

enum Place<T> {
    There(Arc<T>),
    /// It is being read: what will come of that.
    Reading(watch::Receiver<Outcome<T>>),
}

/// What came of reading a home; nothing yet.
type Outcome<T> = Option<Result<Arc<T>, Failure>>;

impl<T> Default for Loaded<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Loaded<T> {
    /// A home that was read.
    pub(crate) fn there(&self, id: HomeId) -> Option<Arc<T>> {
        match self.places().get(&id) {
            Some(Place::There(there)) => Some(Arc::clone(there)),
            Some(Place::Reading(_)) | None => None,
        }
    }

    /// A home that exists: read from now on by one of `tasks`, unless somebody has read it or does so already. What can't be read stays to
    /// be read by whoever comes next.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        id: HomeId,
        tasks: &TaskTracker,
        read: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Failure>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<Arc<T>, Failure>> + Send + 'static,
    {
        let mut outcome = {
            let mut places = self.places();
            match places.get(&id) {
                Some(Place::There(there)) => return Ok(Arc::clone(there)),
                Some(Place::Reading(outcome)) => outcome.clone(),
                None => {
                    let (tell, outcome) = watch::channel(None);
                    places.insert(id, Place::Reading(outcome.clone()));
                    let unread = Unread { of: Arc::clone(self), id, settled: false };
                    tasks.spawn(unread.settle(read(), tell));
                    outcome
                }
            }
        };
        let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        // Without an outcome whoever read it is gone: it is read anew by the next.
        outcome.unwrap_or_else(|| Err(Failure::elsewhere()))
    }

    /// All that were read.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        let there = |place: &Place<T>| match place {
            Place::There(there) => Some(Arc::clone(there)),
            Place::Reading(_) => None,
        };
        self.places().values().filter_map(there).collect()
    }

    /// Whoever comes next for this home reads it anew, unless somebody has already.
    pub(crate) fn forget(&self, id: HomeId, home: &Arc<T>) {
        let mut places = self.places();
        if matches!(places.get(&id), Some(Place::There(there)) if Arc::ptr_eq(there, home)) {
            places.remove(&id);
        }
    }

    /// Whether this home was read, or is being read.
    pub(crate) fn is_known(&self, id: HomeId) -> bool {
        self.places().contains_key(&id)
    }

    /// A home that was read, for good, if nobody has it at hand and it may go. Nobody gets it meanwhile, and whoever comes next reads it anew.
    pub(crate) fn take_out(&self, id: HomeId, may_go: impl FnOnce(&T) -> bool) -> Option<Arc<T>> {
        let mut places = self.places();
        let goes = match places.get(&id) {
            Some(Place::There(there)) => Arc::strong_count(there) == 1 && may_go(there),
            Some(Place::Reading(_)) | None => false,
        };
        match goes.then(|| places.remove(&id)).flatten() {
            Some(Place::There(there)) => Some(there),
            Some(Place::Reading(_)) | None => None,
        }
    }

    fn places(&self) -> MutexGuard<'_, Places<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a home that is being read. Dropped before that is settled, it is free again.
struct Unread<T> {
    of: Arc<Loaded<T>>,
    id: HomeId,
    settled: bool,
}

impl<T> Unread<T> {
    async fn settle(mut self, reading: impl Future<Output = Result<Arc<T>, Failure>>, tell: watch::Sender<Outcome<T>>) {
        let outcome = reading.await;
        {
            let mut places = self.of.places();
            match &outcome {
                Ok(there) => drop(places.insert(self.id, Place::There(Arc::clone(there)))),
                Err(_) => drop(places.remove(&self.id)),
            }
        }
        self.settled = true;
        tell.send_replace(Some(outcome));
    }
}

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        if !self.settled {
            self.of.places().remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_home_is_read_once_and_nobody_waits_for_another_one() {
        let (large, small) = (HomeId::from_bytes([1; 16]), HomeId::from_bytes([2; 16]));
        let (homes, tasks) = (Arc::<Loaded<i32>>::default(), TaskTracker::new());
        let (end, ended) = oneshot::channel::<()>();
        let reading = homes.get(large, &tasks, || async {
            drop(ended.await);
            Ok(Arc::new(1))
        });
        // Whoever came first waits no longer: it is read on.
        assert!(reading.now_or_never().is_none());
        assert!(homes.there(large).is_none());

        let other = homes.get(small, &tasks, || async { Err(Failure::denied()) }).await;
        assert!(matches!(other, Err(Failure::Refused(_))));
        let other = homes.get(small, &tasks, || async { Ok(Arc::new(2)) }).await;
        assert!(other.is_ok_and(|home| *home == 2));

        let second = homes.get(large, &tasks, || async { Err(Failure::denied()) });
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(end.send(()), Ok(()));
        assert!(second.await.is_ok_and(|home| *home == 1), "it was read twice");
        assert!(homes.there(large).is_some_and(|home| *home == 1));

        homes.forget(large, &Arc::new(1));
        assert_eq!(homes.all().len(), 2);
        homes.there(large).into_iter().for_each(|there| homes.forget(large, &there));
        assert!(homes.there(large).is_none());
    }

    #[tokio::test]
    async fn a_home_that_somebody_has_at_hand_is_not_taken_out() {
        let home = HomeId::from_bytes([4; 16]);
        let (homes, tasks) = (Arc::<Loaded<i32>>::default(), TaskTracker::new());
        assert!(homes.take_out(home, |_| true).is_none() && !homes.is_known(home));
        let there = homes.get(home, &tasks, || async { Ok(Arc::new(1)) }).await;
        assert!(homes.take_out(home, |_| true).is_none() && there.is_ok());
        drop(there);
        // Who read it lets go of it in a task.
        tasks.close();
        tasks.wait().await;
        assert!(homes.take_out(home, |_| false).is_none() && homes.is_known(home));
        assert!(homes.take_out(home, |one| *one == 1).is_some() && !homes.is_known(home));
    }

    #[tokio::test]
    async fn a_home_whose_reading_came_to_no_end_is_read_anew() {
        let home = HomeId::from_bytes([3; 16]);
        let (homes, tasks) = (Arc::<Loaded<i32>>::default(), TaskTracker::new());
        let unread = Unread { of: Arc::clone(&homes), id: home, settled: false };
        let (tell, outcome) = watch::channel(None);
        homes.places().insert(home, Place::Reading(outcome));
        let waiting = homes.get(home, &tasks, || async { Ok(Arc::new(1)) });
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop((unread, tell));
        assert!(matches!(waiting.await, Err(Failure::Refused(_))));
        let again = homes.get(home, &tasks, || async { Ok(Arc::new(2)) }).await;
        assert!(again.is_ok_and(|home| *home == 2));
    }
}
