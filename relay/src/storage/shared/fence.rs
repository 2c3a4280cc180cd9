//! Whose turn it is to write what is a home's. Taking a home over raises its term; a commit for an earlier term fails.
//!
//! A commit looks at the term under a lock that taking over waits for. So whoever has taken a home over finds everything that was
//! ever committed for it, and nothing is added to that by others. That also settles the commits of which nobody knows whether they
//! were done, because the connection was lost before the answer: the handle gives the home up, and the next one reads what is there.

use privet_protocol::id::HomeId;
use privet_protocol::storage::StoreError;
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use super::pool::{Pool, Trouble, patiently};

/// A home that this handle may write for, while its term lasts.
#[derive(Debug)]
pub(super) struct Fence {
    home: HomeId,
    term: i64,
    pub(super) moved: CancellationToken,
}

impl Fence {
    /// Takes the home over from whoever has it.
    pub(super) async fn take_over(pool: &Pool, home: HomeId, node: &str) -> Result<Self, StoreError> {
        let term = patiently!(raise(pool, home, node))?;
        Ok(Self { home, term, moved: CancellationToken::new() })
    }

    /// Fails unless the term lasts; then it lasts until the transaction ends.
    async fn hold(&self, transaction: &Transaction<'_>) -> Result<(), Trouble> {
        if self.moved.is_cancelled() {
            return Err(moved().into());
        }
        // FOR SHARE: FOR KEY SHARE would let the term be raised.
        let sql = "SELECT term FROM lease WHERE home = $1 AND term = $2 FOR SHARE";
        let home: &[u8] = self.home.as_bytes();
        let found = transaction.query_typed_opt(sql, &[(&home, Type::BYTEA), (&self.term, Type::INT8)]).await?;
        if found.is_none() {
            self.moved.cancel();
            return Err(moved().into());
        }
        Ok(())
    }
}

async fn raise(pool: &Pool, home: HomeId, node: &str) -> Result<i64, Trouble> {
    let mut connected = pool.get().await?;
    let sql = "INSERT INTO lease (home, node, term) VALUES ($1, $2, 1) \
        ON CONFLICT (home) DO UPDATE SET node = EXCLUDED.node, term = lease.term + 1 RETURNING term";
    let home: &[u8] = home.as_bytes();
    let row = connected.client()?.query_typed_one(sql, &[(&home, Type::BYTEA), (&node, Type::TEXT)]).await?;
    Ok(row.try_get(0)?)
}

/// Fails unless the fence, if there is one, lasts.
pub(super) async fn hold(fence: Option<&Fence>, transaction: &Transaction<'_>) -> Result<(), Trouble> {
    match fence {
        Some(fence) => fence.hold(transaction).await,
        None => Ok(()),
    }
}

/// Commits. Where the outcome is not known, or not waited for, the home is given up.
pub(super) async fn commit(fence: Option<&Fence>, transaction: Transaction<'_>) -> Result<(), Trouble> {
    let mut uncertain = Uncertain(fence);
    match transaction.commit().await {
        Ok(()) => {
            uncertain.0 = None;
            Ok(())
        }
        // Whatever the error: it says nothing of whether PostgreSQL had done it before.
        Err(error) => Err(Trouble::Final(match fence {
            Some(_) => StoreError::Moved(format!("PostgreSQL went away in the middle of a commit: {error}")),
            None => super::pool::failed(&error),
        })),
    }
}

/// A commit whose outcome is not known.
struct Uncertain<'a>(Option<&'a Fence>);

impl Drop for Uncertain<'_> {
    fn drop(&mut self) {
        if let Some(fence) = self.0 {
            fence.moved.cancel();
        }
    }
}

fn moved() -> StoreError {
    StoreError::Moved("another node has taken it over, or it is read anew here".into())
}
