//! When the nodes change: homes that are another node's now are let go, and wakes that waited at a node that is gone go on here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, StoreError};
use tokio::sync::{Semaphore, watch};

use super::Relay;
use super::home::{Home, scan_all};
use super::records::{self, home_key};
use super::told::told;
use crate::nodes::View;

/// How often it is looked for homes that turned out to be out of date. A write to one says so; its clients wait for nothing else.
const LOOK: Duration = Duration::from_millis(250);

/// Of so many homes at a time it is found out whether they are still served here.
const AT_ONCE: usize = 8;

/// Lets homes go and takes wakes up, until the relay shuts down.
pub(super) async fn follow(relay: Arc<Relay>) {
    let mut views = relay.nodes.as_ref().map(|nodes| nodes.views());
    let mut known = views.as_mut().map(|views| views.borrow_and_update().clone());
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        tokio::select! {
            () = relay.shutdown.cancelled() => return,
            () = changed(&mut views) => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        let view = views.as_mut().map(|views| views.borrow_and_update().clone());
        let moved = view.as_ref().map(|view| &view.ring) != known.as_ref().map(|view| &view.ring);
        let doubted = view.as_ref().map(|view| view.doubts) != known.as_ref().map(|view| view.doubts);
        for home in relay.homes.all() {
            if home.gone.is_cancelled() || (moved && !relay.is_mine(home.id)) {
                relay.let_go(&home);
            }
        }
        if doubted {
            relay.tasks.spawn(make_all_sure(Arc::clone(&relay), Arc::clone(&turns)));
        }
        if moved {
            // Others may have changed what is another one's from now on, or was.
            relay.resting.end_all();
            let nodes = view.as_ref().map_or(0, |view| view.ring.nodes().len());
            tracing::info!(nodes, "the nodes have changed");
            relay.tasks.spawn(resume_wakes(Arc::clone(&relay)));
        }
        known = view;
    }
}

async fn changed(views: &mut Option<watch::Receiver<View>>) {
    if let Some(views) = views
        && views.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Finds out of every home in memory whether it is still served here, whoever of them takes long.
async fn make_all_sure(relay: Arc<Relay>, turns: Arc<Semaphore>) {
    for home in relay.homes.all() {
        let turn = tokio::select! {
            () = relay.shutdown.cancelled() => return,
            turn = Arc::clone(&turns).acquire_owned() => turn,
        };
        relay.tasks.spawn(async move {
            make_sure(&home).await;
            drop(turn);
        });
    }
}

/// Finds out whether another node has served the home meanwhile: what is there is written again, which fails then.
async fn make_sure(home: &Home) {
    let book = home.book.lock().await;
    let mut batch = Batch::new();
    batch.put(home_key(home.id), cbor::encode(&book.record));
    match home.storage.commit(batch).await {
        Ok(()) | Err(StoreError::Moved { .. }) => {}
        Err(error) => {
            tracing::error!(error = told(&error), "whether a home is still served here can't be found out");
            home.gone.cancel();
        }
    }
}

/// Wakes that waited when a relay ended go on, though nobody may come: their homes are read into memory.
pub(super) async fn resume_wakes(relay: Arc<Relay>) {
    let mut waiting = BTreeSet::new();
    let scanned = scan_all(&*relay.storage, b"q/".to_vec(), |(key, _)| {
        let home = HomeId::from_bytes(records::id_at(&key, 2)?);
        if relay.is_mine(home) {
            waiting.insert(home);
        }
        Ok(())
    })
    .await;
    if let Err(error) = scanned {
        tracing::error!(error = told(&error), "wakes that waited can't be looked for");
    }
    for id in waiting {
        if !relay.shutdown.is_cancelled() && relay.is_mine(id) && relay.home(id).await.is_err() && relay.is_mine(id) {
            tracing::error!("a home whose wakes wait can't be read");
        }
    }
}
