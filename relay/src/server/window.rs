//! How much may be on its way over a connection: while video goes over it, no more than its path holds, so that what is late is decided
//! late, and is not in a queue.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::priority;

/// Bytes on their way over a connection without video, to a client or to another node.
pub(crate) const SEND_WINDOW: u64 = 1024 * 1024;
/// How often what may be on its way is fitted to the path.
const FIT: Duration = Duration::from_millis(200);

/// Until this is dropped, no more is on its way over a connection than its path holds.
pub(crate) struct Fitted<'a> {
    connection: &'a quinn::Connection,
    /// How many there are of this connection.
    all: &'a AtomicUsize,
}

impl<'a> Fitted<'a> {
    pub(crate) fn open(connection: &'a quinn::Connection, all: &'a AtomicUsize) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        let window = Self { connection, all };
        window.fit();
        window
    }

    fn fit(&self) {
        self.connection.set_send_window(priority::send_window(self.connection.stats().path.cwnd));
    }

    /// Never ends.
    pub(crate) async fn keep_fitting(&self) {
        loop {
            tokio::time::sleep(FIT).await;
            self.fit();
        }
    }
}

impl Drop for Fitted<'_> {
    fn drop(&mut self) {
        if self.all.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.connection.set_send_window(SEND_WINDOW);
        }
    }
}
