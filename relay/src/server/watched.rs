//! The storage, watched: how long it takes until something is durable, and how often that fails.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use privet_protocol::id::HomeId;
use privet_protocol::storage::{Batch, Entry, StoreError};
use privet_store::{BlobInfo, BlobName};
use prometheus_client::metrics::histogram::Histogram;
use tokio_util::sync::CancellationToken;

use super::tally::Tally;
use crate::storage::{Body, BodyWriter, Storage};

/// A storage whose durable writes are counted.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) tally: Arc<Tally>,
}

#[async_trait]
impl Storage for Watched {
    async fn get(&self, key: Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(key).await
    }

    async fn scan(&self, prefix: Vec<u8>, from: Vec<u8>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(prefix, from, limit).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        let outcome = self.inner.commit(batch).await;
        count(&self.tally, &self.tally.disk.commit, began, &outcome);
        outcome
    }

    async fn commit_new(&self, key: Vec<u8>, value: Vec<u8>, batch: Batch) -> Result<bool, StoreError> {
        let began = Instant::now();
        let outcome = self.inner.commit_new(key, value, batch).await;
        count(&self.tally, &self.tally.disk.commit, began, &outcome);
        outcome
    }

    async fn write_body(&self, name: BlobName) -> Result<Box<dyn BodyWriter>, StoreError> {
        let inner = self.inner.write_body(name).await?;
        Ok(Box::new(Writer { inner, tally: Arc::clone(&self.tally) }))
    }

    fn small_bodies(&self) -> Option<usize> {
        self.inner.small_bodies()
    }

    async fn keep_small(&self, name: BlobName, bytes: Bytes, batch: Batch) -> Result<(), StoreError> {
        let began = Instant::now();
        let outcome = self.inner.keep_small(name, bytes, batch).await;
        count(&self.tally, &self.tally.disk.commit, began, &outcome);
        outcome
    }

    fn forget_small(&self, name: &BlobName, length: u64, batch: &mut Batch) {
        self.inner.forget_small(name, length, batch);
    }

    async fn body(&self, name: BlobName) -> Result<Option<Arc<dyn Body>>, StoreError> {
        self.inner.body(name).await
    }

    async fn remove_body(&self, name: BlobName) -> Result<(), StoreError> {
        self.inner.remove_body(name).await
    }

    async fn remove_partial(&self, name: BlobName) -> Result<(), StoreError> {
        self.inner.remove_partial(name).await
    }

    async fn bodies(&self, prefix: String) -> Result<Vec<BlobInfo>, StoreError> {
        self.inner.bodies(prefix).await
    }

    async fn take_over(&self, home: HomeId) -> Result<Arc<dyn Storage>, StoreError> {
        let inner = self.inner.take_over(home).await?;
        Ok(Arc::new(Self { inner, tally: Arc::clone(&self.tally) }))
    }

    fn moved(&self) -> CancellationToken {
        self.inner.moved()
    }

    fn node(&self) -> Option<&str> {
        self.inner.node()
    }
}

struct Writer {
    inner: Box<dyn BodyWriter>,
    tally: Arc<Tally>,
}

#[async_trait]
impl BodyWriter for Writer {
    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn reader(&self) -> Arc<dyn Body> {
        self.inner.reader()
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let outcome = self.inner.append(bytes).await;
        if outcome.is_err() {
            self.tally.disk_failed.add(1);
        }
        outcome
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.inner.clear().await
    }

    async fn leave(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.leave().await
    }

    async fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        let began = Instant::now();
        let outcome = self.inner.finish().await;
        count(&self.tally, &self.tally.disk.body, began, &outcome);
        outcome
    }
}

fn count<T>(tally: &Tally, times: &Histogram, began: Instant, outcome: &Result<T, StoreError>) {
    match outcome {
        Ok(_) => times.observe(began.elapsed().as_secs_f64()),
        Err(_) => tally.disk_failed.add(1),
    }
}
