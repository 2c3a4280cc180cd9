//! What comes from the camera: how much, and when it is fetched.
//!
//! retina gathers a message until it is complete and knows no limit; a camera that never completes one would fill the worker's
//! memory, so what came since the last whole one is counted.
//!
//! Being woken for each packet costs more than reading it. While nobody is in a hurry, packets gather in the kernel until
//! [`Intake::fetch`].

use std::cell::Cell;
use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::Poll;

use futures::FutureExt;
use tokio::task::coop::consume_budget;

use super::handover;

/// What gathers in the kernel before the worker is woken all the same, in bytes: a quarter of a second of a camera of 2 Mb/s.
const GATHERED: u32 = 64 << 10;

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
    prompt: Cell<bool>,
    /// The kernel lets packets gather.
    gathering: Cell<bool>,
    since_us: Cell<Option<u64>>,
}

impl Intake {
    /// `connection` is a second descriptor of the connection that retina reads. Prompt at first.
    pub(super) fn new(connection: OwnedFd) -> Self {
        Self {
            connection,
            mark: Cell::new(0),
            prompt: Cell::new(true),
            gathering: Cell::new(false),
            since_us: Cell::new(None),
        }
    }

    /// Whether every packet is wanted at once.
    pub(super) fn set_prompt(&self, prompt: bool) {
        self.prompt.set(prompt);
        if prompt {
            self.fetch();
        }
    }

    /// All there was is read, at `now_us` of CLOCK_MONOTONIC: what comes now may gather, if nobody is in a hurry.
    pub(super) fn drained(&self, now_us: u64) {
        if !self.prompt.get() && !self.gathering.get() {
            // Where the kernel refuses, each packet wakes as before.
            self.gathering.set(handover::wake_from(&self.connection, GATHERED).is_ok());
        }
        self.since_us.set(self.gathering.get().then_some(now_us));
    }

    /// Since when what is read now was gathering; `None` when it was to be read at once.
    pub(super) fn since_us(&self) -> Option<u64> {
        self.since_us.get()
    }

    /// Whoever waits for what gathered is woken now, or by the next packet where nothing did.
    pub(super) fn fetch(&self) {
        if self.gathering.take() {
            // It was settable a moment ago.
            let _ = handover::wake_from(&self.connection, 1);
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    struct Pair {
        camera: TcpStream,
        worker: TcpStream,
        intake: Intake,
    }

    impl Pair {
        fn new() -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let camera = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let worker = listener.accept().unwrap().0;
            let intake = Intake::new(worker.try_clone().unwrap().into());
            Self { camera, worker, intake }
        }

        /// Waits until the kernel has so many bytes of the camera's for the worker.
        fn arrived(&self, bytes: u64) {
            let since = std::time::Instant::now();
            while self.intake.received() < bytes {
                assert!(since.elapsed().as_secs() < 20, "{} of {bytes} bytes", self.intake.received());
                std::thread::yield_now();
            }
        }

        fn wakes(&self) -> bool {
            let mut polled = [PollFd::new(&self.worker, PollFlags::IN)];
            poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
        }
    }

    #[test]
    fn packets_gather_until_they_are_fetched() {
        let mut pair = Pair::new();
        pair.camera.write_all(&[0; 100]).unwrap();
        pair.arrived(100);
        pair.intake.drained(1);
        assert!(pair.wakes(), "at first every packet wakes");

        pair.intake.set_prompt(false);
        pair.intake.drained(1);
        assert!(!pair.wakes(), "nobody is in a hurry");
        pair.intake.fetch();
        assert!(pair.wakes());

        pair.intake.drained(1);
        assert!(!pair.wakes());
        pair.intake.set_prompt(true);
        assert!(pair.wakes(), "somebody came to watch");
        pair.intake.drained(1);
        assert!(pair.wakes(), "and is in a hurry");
    }

    #[test]
    fn much_wakes_at_once_and_so_does_the_end() {
        let mut pair = Pair::new();
        pair.intake.set_prompt(false);
        pair.intake.drained(1);
        pair.camera.write_all(&vec![0; GATHERED as usize]).unwrap();
        pair.arrived(GATHERED.into());
        assert!(pair.wakes());

        let pair = Pair::new();
        pair.intake.set_prompt(false);
        pair.intake.drained(1);
        drop(pair.camera.shutdown(std::net::Shutdown::Write));
        let mut polled = [PollFd::new(&pair.worker, PollFlags::IN)];
        assert_eq!(poll(&mut polled, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap(), 1);
    }
}
