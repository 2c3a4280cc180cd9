//! How much the camera sent since it last sent something whole. retina gathers a message until it is complete and knows no limit;
//! a camera that never completes one would fill the worker's memory.

use std::cell::Cell;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::Poll;

use futures::FutureExt;
use tokio::task::coop::consume_budget;

use super::handover;

/// What one RTSP message may take, in bytes. Real answers have 2 KiB and interleaved packets at most 64 KiB; what waits in the
/// kernel is counted too.
pub(super) const MAX_MESSAGE: u64 = 4 << 20;

/// Of the 128 reads that tokio allows a task before it must yield, so many are given away, and the count is looked at every eighth
/// read: a read from a fast liar brings up to half a mebibyte, and the buffer it goes to doubles.
const READS_GIVEN_AWAY: usize = 120;

/// Something has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endless;

/// Counts on the connection to the camera.
#[derive(Debug)]
pub(super) struct Intake {
    connection: OwnedFd,
    /// Received bytes when the last whole message was taken.
    mark: Cell<u64>,
}

impl Intake {
    /// `connection` is a second descriptor of the connection that retina reads.
    pub(super) fn new(connection: OwnedFd) -> Self {
        Self { connection, mark: Cell::new(0) }
    }

    /// Waits for `whole`, something that retina gives when it has all of it, and looks at the count whenever it has read all there
    /// was and has nothing to give. Where the kernel does not count, the worker's memory limit alone holds.
    pub(super) async fn watch<T>(&self, whole: impl Future<Output = T>) -> Result<T, Endless> {
        let mut whole = pin!(whole);
        poll_fn(|context| {
            for _ in 0..READS_GIVEN_AWAY {
                if consume_budget().now_or_never().is_none() {
                    break;
                }
            }
            match whole.as_mut().poll(context) {
                Poll::Ready(whole) => {
                    self.mark.set(self.received());
                    Poll::Ready(Ok(whole))
                }
                Poll::Pending if self.received().saturating_sub(self.mark.get()) > MAX_MESSAGE => {
                    Poll::Ready(Err(Endless))
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn received(&self) -> u64 {
        handover::received_bytes(&self.connection).unwrap_or(0)
    }
}
