//! The homes in memory. Each is read once, by whoever comes first, and nobody waits for the reading of another one than his own: a home may
//! have much to read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use privet_protocol::id::HomeId;
use tokio::sync::OnceCell;

pub(crate) struct Loaded<T>(Mutex<Places<T>>);

type Places<T> = HashMap<HomeId, Arc<OnceCell<Arc<T>>>>;

impl<T> Default for Loaded<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Loaded<T> {
    /// A home that was read.
    pub(crate) fn there(&self, id: HomeId) -> Option<Arc<T>> {
        self.places().get(&id)?.get().cloned()
    }

    /// A home that exists: read now, unless somebody has read it or does so already. What was not read stays to be read by the next.
    pub(crate) async fn get<E, F>(&self, id: HomeId, read: impl FnOnce() -> F) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<Arc<T>, E>>,
    {
        let place = Arc::clone(self.places().entry(id).or_default());
        place.get_or_try_init(read).await.cloned()
    }

    /// All that were read.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.places().values().filter_map(|place| place.get().cloned()).collect()
    }

    /// Whoever comes next for this home reads it anew, unless somebody has already.
    pub(crate) fn forget(&self, id: HomeId, home: &Arc<T>) {
        let mut places = self.places();
        if places.get(&id).and_then(|place| place.get()).is_some_and(|there| Arc::ptr_eq(there, home)) {
            places.remove(&id);
        }
    }

    fn places(&self) -> MutexGuard<'_, Places<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let homes = Loaded::default();
        let (end, ended) = oneshot::channel::<()>();
        let reading = homes.get(large, || async { ended.await.map(|()| Arc::new(1)).map_err(|_| "it broke off") });
        tokio::pin!(reading);
        assert!(reading.as_mut().now_or_never().is_none());
        assert!(homes.there(large).is_none());

        let other = homes.get(small, || async { Err("it can't be read") }).now_or_never();
        assert_eq!(other, Some(Err("it can't be read")));
        let other = homes.get(small, || async { Ok::<_, &str>(Arc::new(2)) }).now_or_never();
        assert_eq!(other, Some(Ok(Arc::new(2))));

        let second = homes.get(large, || async { Err("it was read twice") });
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(end.send(()), Ok(()));
        assert_eq!(tokio::join!(reading, second), (Ok(Arc::new(1)), Ok(Arc::new(1))));
        assert_eq!(homes.there(large), Some(Arc::new(1)));

        homes.forget(large, &Arc::new(1));
        assert_eq!(homes.all().len(), 2);
        homes.there(large).into_iter().for_each(|there| homes.forget(large, &there));
        assert!(homes.there(large).is_none());
    }
}
