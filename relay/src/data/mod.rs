//! A data directory while no relay runs on it: looking whether it is in order, and copying it. Opening it takes the same lock as a
//! relay does, so that neither meets the other.

mod backup;
mod check;
mod index;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use privet_protocol::id::HomeId;
use privet_protocol::storage::StoreError;
use serde::Serialize;

pub use backup::BackedUp;
use check::examine_home;
pub(crate) use check::{Depth, examine};
pub use check::{Finding, SegmentPlace};

use crate::machine::Machine;
use crate::storage::{Embedded, INDEX, Shared, Storage};

/// Why a data directory can't be looked at, or copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No relay has kept anything there.
    #[error("{}: no relay has kept anything here; is it the `data` of the configuration?", .0.display())]
    Absent(PathBuf),
    /// A relay runs on it.
    #[error("{}: a relay runs on it, or another check or backup; stop it first", .0.display())]
    InUse(PathBuf),
    /// It can't be read, or not be repaired.
    #[error("{}: {cause}", directory.display())]
    Storage {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        cause: StoreError,
    },
    /// It is not in order, so no copy of it was made.
    #[error("{}: {found} things do not fit together, so nothing was copied; `privet-relay check` names them", directory.display())]
    Inconsistent {
        /// The directory.
        directory: PathBuf,
        /// How many.
        found: usize,
    },
    /// What is kept in a store that relays share is not copied by a relay.
    #[error(
        "PostgreSQL and the object store are backed up with their own tools: pg_dump, after it a copy of the objects; and the key files of `data` once (docs/design/0015-relay-shared-store.md)"
    )]
    Shared,
    /// A backup can't be written.
    #[error("{}: {cause}", path.display())]
    Copy {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What a check found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What does not fit together.
    pub findings: Vec<Finding>,
    /// Whether that was repaired; what can't be is still there.
    pub repaired: bool,
    /// Homes there are.
    pub homes: u64,
    /// Kept segments that are there.
    pub segments: u64,
    /// Uploads that can go on where they broke off.
    pub unfinished: u64,
}

/// A data directory that no relay runs on.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    storage: Embedded,
    boot: Vec<u8>,
}

impl DataDirectory {
    /// Opens a data directory, and holds it until dropped. Blocks.
    ///
    /// # Errors
    /// [`DataError::InUse`] while a relay runs on it, [`DataError::Absent`] when there is none, [`DataError::Storage`] when its
    /// index is damaged.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        // Opening would make what is not there.
        if !path.join(INDEX).is_dir() {
            return Err(DataError::Absent(path.to_owned()));
        }
        let Machine { disk, boot, .. } = Machine::this();
        match Embedded::open(&disk, path, 0) {
            Ok(storage) => Ok(Self { path: path.to_owned(), storage, boot }),
            Err(StoreError::Busy(_)) => Err(DataError::InUse(path.to_owned())),
            Err(cause) => Err(DataError::Storage { directory: path.to_owned(), cause }),
        }
    }

    /// Looks at every record and every file, and with `repair` puts in order what does not fit together.
    ///
    /// # Errors
    /// [`DataError::Storage`] when something can't be read or written.
    pub async fn check(&self, repair: bool) -> Result<Report, DataError> {
        let fail = |cause| DataError::Storage { directory: self.path.clone(), cause };
        look(&self.storage, &self.boot, repair).await.map_err(fail)
    }
}

/// Looks at every record and every body in the store that relays share, while none of them runs, and with `repair` puts in order
/// what does not fit together.
///
/// # Errors
/// [`DataError::InUse`] while a relay is connected to it, [`DataError::Storage`] when something can't be read or written.
pub async fn check_shared(settings: &crate::config::Storage, repair: bool) -> Result<Report, DataError> {
    let fail = |cause| DataError::Storage { directory: SHARED.into(), cause };
    let storage = match Shared::open_to_check(settings).await {
        Ok(storage) => storage,
        Err(StoreError::Busy(_)) => return Err(DataError::InUse(SHARED.into())),
        Err(cause) => return Err(fail(cause)),
    };
    look(&storage, &Machine::this().boot, repair).await.map_err(fail)
}

/// What stands where a data directory is named.
const SHARED: &str = "PostgreSQL";

async fn look(storage: &dyn Storage, boot: &[u8], repair: bool) -> Result<Report, StoreError> {
    let examined = examine(storage, boot, Depth::Everything).await?;
    let mut report = Report {
        findings: examined.findings.clone(),
        repaired: false,
        homes: examined.homes,
        segments: examined.segments,
        unfinished: examined.unfinished.len() as u64,
    };
    if repair && !report.findings.is_empty() {
        examined.repair(storage, boot).await?;
        report.repaired = true;
    }
    Ok(report)
}

/// What is there when a relay starts.
pub(crate) struct InOrder {
    /// Homes.
    pub(crate) homes: u64,
    /// Uploads that can go on where they broke off.
    pub(crate) unfinished: Vec<SegmentPlace>,
}

/// Puts in order what a crash can leave, and tells the log what was repaired. How every relay starts.
pub(crate) async fn put_in_order(storage: &Arc<dyn Storage>, boot: &[u8]) -> Result<InOrder, StoreError> {
    if storage.node().is_some() {
        // Other relays may be at work: each puts the homes in order that it takes over.
        let mut homes = 0;
        crate::server::scan_all(&**storage, b"h/".to_vec(), |_| {
            homes += 1;
            Ok(())
        })
        .await?;
        return Ok(InOrder { homes, unfinished: Vec::new() });
    }
    let mut examined = examine(&**storage, boot, Depth::Segments).await?;
    let in_order = InOrder { homes: examined.homes, unfinished: std::mem::take(&mut examined.unfinished) };
    let (lost, left) = tell(&examined);
    tracing::info!(lost, removed = left, unfinished = in_order.unfinished.len(), "index and files were compared");
    examined.repair(&**storage, boot).await?;
    Ok(in_order)
}

/// The same for one home, which was taken over: its uploads that can go on where they broke off.
pub(crate) async fn put_home_in_order(storage: &dyn Storage, home: HomeId) -> Result<Vec<SegmentPlace>, StoreError> {
    let mut examined = examine_home(storage, home).await?;
    let unfinished = std::mem::take(&mut examined.unfinished);
    tell(&examined);
    examined.mend(storage).await?;
    Ok(unfinished)
}

/// Tells the log what was found: how much was lost, and how much is left over.
fn tell(examined: &check::Examined) -> (usize, usize) {
    let (lost, left): (Vec<_>, Vec<_>) = examined.findings.iter().partition(|finding| finding.is_loss());
    // By default the log says of what kind, not whose; `privet-relay check`, before the start, names each.
    for finding in lost.iter().take(MOST_NAMED) {
        tracing::error!(kind = finding.kind(), "something was lost outside of this program");
        tracing::debug!(%finding, "lost");
    }
    for finding in left.iter().take(MOST_NAMED) {
        tracing::debug!(%finding, "left over");
    }
    (lost.len(), left.len())
}

const MOST_NAMED: usize = 100;
