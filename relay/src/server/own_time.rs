//! Own time, read from this machine's clocks and written down in the index. What it is: `lived`.

use std::sync::Arc;
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::{Clock, Timestamp};

use super::lived::{Dates, Lived, Pause, Reading};
use super::records::{TimeRecord, decode, time_key};
use crate::storage::Storage;

/// The clocks that the relay goes by.
pub(crate) struct OwnTime {
    machine: Clocks,
    lived: Lived,
    noted: tokio::sync::Mutex<TimeRecord>,
}

/// Those of the machine.
pub(crate) struct Clocks {
    pub(crate) boot: Vec<u8>,
    pub(crate) uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) wall: Arc<dyn Clock>,
}

impl OwnTime {
    /// Goes on where the last run of the relay ended.
    pub(crate) async fn resume(machine: Clocks, storage: &dyn Storage) -> Result<Self, StoreError> {
        // To begin anew by itself could delete what is not over: somebody has to want it.
        let unreadable = |error: StoreError| {
            let next = "`privet-relay check --repair` lets it begin anew with the time of day";
            StoreError::Damaged(format!("the note of how much time has passed; {next}: {error}"))
        };
        let noted = storage.get(time_key(storage.node())).await?;
        let noted: Option<TimeRecord> = noted.map(|value| decode(&value)).transpose().map_err(unreadable)?;
        let now = machine.read();
        let (lived, pause) = Lived::resume(noted.as_ref(), &now);
        if pause == Pause::Disbelieved {
            tracing::warn!(
                "the machine was off for an unlikely time by its clock: that does not count, and what is stored stays longer; check the clock"
            );
        }
        let note = lived.note(&now);
        write(storage, &note).await?;
        Ok(Self { machine, lived, noted: tokio::sync::Mutex::new(note) })
    }

    /// Own time: what is stored is dated by it and grows old by it.
    pub(crate) fn now(&self) -> Timestamp {
        self.lived.at((self.machine.uptime)())
    }

    /// The time of day, for whoever has a clock too: clients, certificates, push gateways, invites.
    pub(crate) fn wall(&self) -> Timestamp {
        self.machine.wall.now()
    }

    /// For a client that is told the time of day now.
    pub(crate) fn dates(&self) -> Dates {
        Dates { told: self.wall(), own: self.now() }
    }

    /// Writes down how far own time has come, if that is news.
    pub(crate) async fn note(&self, storage: &dyn Storage) -> Result<(), StoreError> {
        let mut noted = self.noted.lock().await;
        let now = self.machine.read();
        if let Some(by) = self.lived.step(&noted, &now) {
            tracing::warn!(
                seconds = by.as_secs(),
                "the machine's clock was set: what is stored grows old by the time that passes; if nobody set it, check the clock"
            );
        }
        if self.lived.is_due(&noted, &now) {
            let note = self.lived.note(&now);
            write(storage, &note).await?;
            *noted = note;
        }
        Ok(())
    }
}

impl Clocks {
    fn read(&self) -> Reading {
        Reading { boot: self.boot.clone(), uptime: (self.uptime)(), wall: self.wall.now() }
    }
}

async fn write(storage: &dyn Storage, note: &TimeRecord) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(time_key(storage.node()), cbor::encode(note));
    storage.commit(batch).await
}
