//! The homes in memory: read when somebody comes for one, founded, and let go when another node serves them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::relay::CapabilityKey;
use privet_protocol::storage::Batch;

use super::budget::Shares;
use super::home::Home;
use super::records::{self, HomeRecord, decode, home_key};
use super::wire::Failure;
use super::{Relay, connection, wake};
use crate::data::put_home_in_order;
use crate::storage::Storage;

impl Relay {
    /// Whether this node serves a home; one that is alone serves all.
    pub(crate) fn is_mine(&self, home: HomeId) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.is_mine(home))
    }

    /// A home that exists, in memory from now on. It may take long to read: that goes on, also when this is given up.
    pub(crate) async fn home(self: &Arc<Self>, id: HomeId) -> Result<Option<Arc<Home>>, Failure> {
        if !self.is_mine(id) {
            return Err(Failure::elsewhere());
        }
        match self.homes.there(id) {
            Some(home) if home.gone.is_cancelled() => self.homes.forget(id, &home),
            Some(home) => return Ok(Some(home)),
            None => {}
        }
        // Nothing is taken over for a home that is not there.
        if self.storage.get(home_key(id)).await?.is_none() {
            return Ok(None);
        }
        let relay = Arc::clone(self);
        let home = self.homes.get(id, &self.tasks, move || async move { relay.read(id).await }).await?;
        // When the nodes change, the homes in memory are looked through, and this one was perhaps not there yet.
        if !self.is_mine(id) {
            self.let_go(&home);
            return Err(Failure::elsewhere());
        }
        Ok(Some(home))
    }

    async fn read(&self, id: HomeId) -> Result<Arc<Home>, Failure> {
        let reading = async {
            let storage = self.storage.take_over(id).await?;
            // Read after it was taken over: nobody else changes it any more.
            let record = storage.get(home_key(id)).await?.ok_or_else(Failure::denied)?;
            self.load(id, decode(&record)?, storage).await
        };
        tokio::select! {
            home = reading => home,
            () = self.shutdown.cancelled() => Err(Failure::elsewhere()),
        }
    }

    async fn load(&self, id: HomeId, record: HomeRecord, storage: Arc<dyn Storage>) -> Result<Arc<Home>, Failure> {
        let left = match storage.node() {
            Some(_) => put_home_in_order(&*storage, id).await?,
            // That was done at the start, for all of them.
            None => Vec::new(),
        };
        let (limits, tally) = (Arc::clone(&self.limits), Arc::clone(&self.tally));
        let shares = Shares { passing: self.budget.share(), half_sent: self.half_sent.share() };
        let carriers = Arc::clone(&self.carriers);
        let home = Home::load(id, record, storage, limits, tally, shares, carriers).await?;
        left.into_iter().for_each(|place| home.take_in(place));
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.extract_if(.., |place| place.home == id).for_each(|place| home.take_in(place));
        drop(unfinished);
        self.resting.end(id);
        wake::resume(&home);
        Ok(home)
    }

    /// What this node knows of a home that another one serves: what is followed here.
    pub(crate) fn guest(&self, id: HomeId) -> Arc<Home> {
        let nobody = CapabilityKey([0; 32]);
        let record = HomeRecord::new(nobody, self.now());
        let (limits, tally) = (Arc::clone(&self.limits), Arc::clone(&self.tally));
        let shares = Shares { passing: self.budget.share(), half_sent: self.half_sent.share() };
        let (storage, carriers) = (Arc::clone(&self.storage), Arc::clone(&self.carriers));
        Arc::new(Home::empty(id, record, storage, limits, tally, shares, carriers))
    }

    /// Lets a home go that another node serves: its clients are told to come again, and nothing more of it is done here.
    pub(crate) fn let_go(&self, home: &Arc<Home>) {
        home.close(&self.moved(home.id));
        self.homes.forget(home.id, home);
    }

    /// The home, for its owner or one of its members. Homes that are not there answer like homes of others, and neither is
    /// read into memory for a stranger.
    pub(crate) async fn home_of(self: &Arc<Self>, id: HomeId, key: &CapabilityKey) -> Result<Arc<Home>, Failure> {
        let record = self.storage.get(home_key(id)).await?;
        let granted = self.storage.get(records::grant_key(id, key)).await?.is_some();
        let record: HomeRecord = decode(&record.ok_or_else(Failure::denied)?)?;
        if !granted && record.owner != *key {
            return Err(Failure::denied());
        }
        self.home(id).await?.ok_or_else(Failure::denied)
    }

    /// The home for its owner, created now if there is none and the operator allows it.
    pub(crate) async fn found(
        self: &Arc<Self>,
        id: HomeId,
        owner: CapabilityKey,
        invite: Option<String>,
    ) -> Result<Arc<Home>, Failure> {
        if self.storage.get(home_key(id)).await?.is_some() {
            let home = self.home_of(id, &owner).await?;
            return if home.owner == owner { Ok(home) } else { Err(Failure::denied()) };
        }
        let _founder = self.founder.lock().await;
        if let Some(home) = self.home(id).await? {
            return if home.owner == owner { Ok(home) } else { Err(Failure::denied()) };
        }
        let mut admission = self.admit(id, &owner, invite.clone()).await?;
        if self.home_count.load(Ordering::Relaxed) >= self.config.homes.most {
            return Err(connection::over_limit("homes"));
        }
        let record = HomeRecord::new(owner, self.now());
        let storage = self.storage.take_over(id).await?;
        // Of those who found it at once at two nodes, one has it.
        if storage.get(home_key(id)).await?.is_some() {
            return Err(Failure::elsewhere());
        }
        loop {
            let mut batch = Batch::new();
            batch.put(home_key(id), cbor::encode(&record));
            let made = match admission.used() {
                Some(used) => storage.commit_new(used, id.as_bytes().to_vec(), batch).await?,
                None => storage.commit(batch).await.map(|()| true)?,
            };
            if made {
                break;
            }
            // Another node has let a home in with it meanwhile. That was all of an invite; a token may be good for more.
            admission = self.admit(id, &owner, invite.clone()).await?;
        }
        self.home_count.fetch_add(1, Ordering::Relaxed);
        self.admitted(admission).await;
        let relay = Arc::clone(self);
        let load = move || async move { relay.load(id, record, storage).await };
        let home = self.homes.get(id, &self.tasks, load).await?;
        tracing::info!(homes = self.home_count.load(Ordering::Relaxed), "a home was created");
        Ok(home)
    }
}
