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
    loop {
        let Some(open) = store.upgrade() else { return };
        if remove(&open).await.is_err() {
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

async fn remove(store: &Inner) -> Result<(), StoreError> {
    loop {
        let objects = manifest::doomed(&store.pool, PAGE).await?;
        if objects.is_empty() {
            return Ok(());
        }
        let asked = objects.len();
        let removed = store.objects.remove(objects).await?;
        manifest::removed(&store.pool, &removed).await?;
        if removed.len() < asked {
            // Some can't be removed; they would be asked for again and again.
            return Err(StoreError::Io("some objects can't be removed".into()));
        }
    }
}
