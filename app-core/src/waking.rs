//! When a client has its store and when not: from its opening to its end, but for the time in which the app is in the background.
//!
//! A system that freezes an app must find nothing that others wait for, least of all the lock of a file: iOS kills who holds one in a shared
//! place, and a notification extension would wait for it. So [`Client::background`] ends what is under way, and when it returns the store is
//! closed. Its key stays in memory, so that [`Client::foreground`] needs no keystore, and nobody is asked for a finger.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use privet_protocol::storage::Store;

use crate::cache::Cache;
use crate::client::Client;
use crate::error::{CoreError, Result};
use crate::events::Events;
use crate::runtime;
use crate::state::Core;
use crate::sync;
use crate::types::Config;
use crate::vault;

/// How long `shut_down` waits for what is under way.
const SHUT_DOWN: Duration = Duration::from_secs(10);
/// How long the relay's word that it knows may take.
const LEAVE: Duration = Duration::from_millis(500);
/// How often is looked whether the last call has let go of the store.
const LOOK: Duration = Duration::from_millis(5);

/// Begins to sync over an open store.
pub(crate) async fn begin(config: Config, store: Arc<dyn Store>, events: Arc<Events>) -> Result<Arc<Core>> {
    let core = runtime::blocking(move || {
        let cache =
            Cache::open(&Path::new(&config.storage_dir).join("cache"), u64::from(config.cache_limit_mib) << 20)?;
        Core::new(config, store, cache, events)
    })
    .await?;
    let core = Arc::new(core);
    core.tasks.spawn(sync::run(core.clone()));
    Ok(core)
}

/// Removes everything of a phone in a storage folder: keys, home, clips. The cure where the store is damaged or its key is lost; after it the phone
/// pairs like a new one, and is to be removed from the home under its old name.
///
/// # Errors
/// [`CoreError::Busy`] while a client has it open, [`CoreError::Storage`].
pub fn start_over(storage_dir: impl AsRef<Path>) -> Result<()> {
    vault::remove(storage_dir.as_ref())
}

impl Client {
    /// The app goes to the background: ends what is under way, clips and live views too, and lets go of the store, within `within_ms`. When
    /// this returns without an error no transaction is open, no file and no lock is held. Until [`Client::foreground`] calls answer
    /// [`CoreError::Background`]; events that were told can be taken all the same.
    ///
    /// # Errors
    /// [`CoreError::Timeout`] when something held on to the store: it lets go as soon as it can. [`CoreError::Stopped`] after
    /// [`Client::shut_down`].
    pub async fn background(&self, within_ms: u32) -> Result<()> {
        let turning = self.turning.clone().lock_owned().await;
        let core = self.core();
        match core.store() {
            Ok(_) => core.background.store(true, Ordering::Release),
            Err(CoreError::Background) => return Ok(()),
            Err(error) => return Err(error),
        }
        runtime::run(async move {
            let outcome = let_go(&core, Duration::from_millis(within_ms.into())).await;
            drop(turning);
            outcome
        })
        .await
    }

    /// The app is in the foreground: opens the store again, if it was let go of, and connects at once.
    ///
    /// # Errors
    /// [`CoreError::Busy`] while another process has the store, [`CoreError::Stopped`] after [`Client::shut_down`], [`CoreError::Storage`] and
    /// its like.
    pub async fn foreground(&self) -> Result<()> {
        let turning = self.turning.clone().lock_owned().await;
        let before = self.core();
        match before.store() {
            Ok(_) => {
                before.retry.notify_one();
                return Ok(());
            }
            Err(CoreError::Background) => {}
            Err(error) => return Err(error),
        }
        let (slot, key, dropped) = (self.core.clone(), self.key.clone(), self.dropped.clone());
        runtime::run(async move {
            let (config, events) = (before.config.clone(), before.events.clone());
            let dir = config.storage_dir.clone();
            let store = runtime::blocking(move || vault::reopen(Path::new(&dir), &key)).await?;
            let core = begin(config, store, events).await?;
            *slot.write().unwrap_or_else(PoisonError::into_inner) = core.clone();
            if dropped.is_cancelled() {
                // Nobody is there any more who could end it.
                shut_down(&core).await?;
            }
            drop(turning);
            Ok(())
        })
        .await
    }

    /// Ends everything, durable and with no lock held. Calls made afterwards answer [`CoreError::Stopped`].
    ///
    /// # Errors
    /// [`CoreError::Timeout`] when something did not end in time; the store is let go of all the same.
    pub async fn shut_down(&self) -> Result<()> {
        let turning = self.turning.clone().lock_owned().await;
        let core = self.core();
        core.background.store(false, Ordering::Release);
        runtime::run(async move {
            let outcome = shut_down(&core).await;
            drop(turning);
            outcome
        })
        .await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // First, so that what is just being opened again sees it, or is seen here.
        self.dropped.cancel();
        let core = self.core();
        // Clips and live views of this client end with it.
        core.stop.cancel();
        if let Ok(runtime) = runtime::handle() {
            runtime.spawn(async move {
                let _ = shut_down(&core).await;
            });
        }
    }
}

async fn shut_down(core: &Arc<Core>) -> Result<()> {
    let outcome = let_go(core, SHUT_DOWN).await;
    core.events.close();
    outcome
}

async fn let_go(core: &Arc<Core>, within: Duration) -> Result<()> {
    let deadline = tokio::time::Instant::now() + within;
    let connection = core.link().connection;
    core.stop.cancel();
    core.tasks.close();
    let ended = tokio::time::timeout_at(deadline, core.tasks.wait()).await;
    if let Some(connection) = connection {
        let _ = tokio::time::timeout_at(deadline.min(tokio::time::Instant::now() + LEAVE), connection.leave()).await;
    }
    let store = {
        let core = core.clone();
        runtime::blocking(move || Ok(core.let_go())).await?
    };
    let closed = tokio::time::timeout_at(deadline, async {
        while store.as_ref().is_some_and(|store| store.strong_count() > 0) {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await;
    ended.and(closed).map_err(|_| CoreError::timeout("what is under way to end"))
}
