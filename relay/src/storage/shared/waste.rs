//! Objects that belong to no body any more, or never came to: removed soon after, whichever relay made them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use privet_protocol::storage::StoreError;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Inner, manifest};

/// Looked for at least so often: another relay may have left some.
const EVERY: Duration = Duration::from_secs(600);
/// At once. A request to an S3 server takes up to so many.
const PAGE: i64 = 1000;

/// Removes those that are there, and then as they come, until the store is closed.
pub(super) async fn remove_for_ever(store: Weak<Inner>, waste: Arc<Notify>, ended: CancellationToken) {
    let mut after = String::new();
    loop {
        let Some(open) = store.upgrade() else { return };
        if remove(&open, &mut after).await.is_err() {
            tracing::warn!("objects of bodies that were removed can't be removed; it is tried again");
        }
        drop(open);
        tokio::select! {
            () = ended.cancelled() => return,
            () = waste.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Removes what can be removed, from the first object behind `after` on, and then from the very first. What can't be is passed over, and
/// tried again when its turn comes: it stands in no other's way.
async fn remove(store: &Inner, after: &mut String) -> Result<(), StoreError> {
    let mut some_stay = false;
    loop {
        let objects = manifest::doomed(&store.pool, after, PAGE).await?;
        let Some(last) = objects.last().cloned() else {
            let from_the_first = std::mem::take(after).is_empty();
            if some_stay {
                return Err(StoreError::Io("some objects can't be removed".into()));
            }
            if from_the_first {
                return Ok(());
            }
            continue;
        };
        let asked = objects.len();
        // Passed over also when none of them can be removed, or the objects are away.
        *after = last;
        let removed = store.objects.remove(objects).await?;
        manifest::removed(&store.pool, &removed).await?;
        some_stay |= removed.len() < asked;
    }
}
