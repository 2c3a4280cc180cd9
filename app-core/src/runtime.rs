//! The library's own runtime. Whatever async call a host makes, the work runs here to its end: a foreign future that is
//! dropped, or an executor that is no tokio at all, leaves nothing half done.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{CoreError, Result};

/// A worker that runs a task can have the next one in its own queue while the other sleeps; a nudge so often wakes it.
const NUDGE: Duration = Duration::from_millis(10);

/// Threads that run tasks. Only they, and the listeners' threads, wake a host's futures and call a host's objects.
const WORKERS: usize = 2;

/// The runtime's handle.
pub(crate) fn handle() -> Result<Handle> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .thread_name("privet")
                .enable_all()
                .build()
                .map_err(|e| e.to_string())
        })
        .as_ref()
        .map(|runtime| runtime.handle().clone())
        .map_err(|e| CoreError::internal(format!("no runtime: {e}")))
}

/// Runs `work` on the runtime; its end is awaited, but dropping this future does not stop it.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    handle()?.spawn(work).await.unwrap_or_else(|e| Err(ended_early(&e)))
}

/// Runs blocking `work` (the store, cryptography) off the async workers; it always runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let runtime = handle()?;
    // By way of a worker, so that it is a worker that wakes the host: see `settle`.
    run(async move { runtime.spawn_blocking(work).await.unwrap_or_else(|e| Err(ended_early(&e))) }).await
}

/// A thread outside of the runtime that calls a host's object, counted for as long as this lives.
pub(crate) struct InHost(());

impl InHost {
    /// To be made before the thread is, so that no moment is missed, and dropped by it when it is done with the host's object.
    pub(crate) fn enter() -> Self {
        presence().threads += 1;
        Self(())
    }
}

impl Drop for InHost {
    fn drop(&mut self) {
        presence().threads -= 1;
        LEFT.notify_all();
    }
}

/// Who is in the host's code, beside the workers.
struct Presence {
    threads: usize,
    /// Somebody holds the workers: two who did would each wait for those that the other has.
    settling: bool,
}

static PRESENCE: Mutex<Presence> = Mutex::new(Presence { threads: 0, settling: false });
static LEFT: Condvar = Condvar::new();

fn presence() -> MutexGuard<'static, Presence> {
    PRESENCE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to hold the workers.
struct Settling(());

impl Drop for Settling {
    fn drop(&mut self) {
        presence().settling = false;
        LEFT.notify_all();
    }
}

/// Waits until no thread of this library is in the host's code, for at most `within`; whether it came to that. These are the
/// runtime's workers and the threads of listeners, which end when their client is shut down and they have taken what it told.
///
/// To be called when every [`crate::Client`] is shut down and before the host's interpreter goes: Python (before 3.14) kills a
/// thread that returns to it after its end, and the process with it.
pub fn settle(within: Duration) -> bool {
    let Ok(runtime) = handle() else { return true };
    let begin = Instant::now();
    let left = move || within.saturating_sub(begin.elapsed());
    // The listeners first: what they call of the library wakes them by way of a worker.
    let (mut present, _) = LEFT
        .wait_timeout_while(presence(), left(), |present| present.threads > 0 || present.settling)
        .unwrap_or_else(PoisonError::into_inner);
    if present.threads > 0 || present.settling {
        return false;
    }
    present.settling = true;
    drop(present);
    let _settling = Settling(());

    let here = Arc::new((Mutex::new(0), Condvar::new()));
    let all = |count: &mut usize| *count < WORKERS;
    for _ in 0..WORKERS {
        let here = Arc::clone(&here);
        // Each worker comes to this once, because it is held here until all have come.
        runtime.spawn(async move {
            let (count, changed) = &*here;
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            changed.notify_all();
            drop(changed.wait_timeout_while(count, left(), all));
        });
    }
    let (count, changed) = &*here;
    let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
    while *count < WORKERS && !left().is_zero() {
        let wait = changed.wait_timeout_while(count, NUDGE.min(left()), all);
        let (woken, pause) = wait.unwrap_or_else(PoisonError::into_inner);
        count = woken;
        if pause.timed_out() {
            runtime.spawn(async {});
        }
    }
    *count >= WORKERS
}

/// Waits for `work` from a thread that belongs to no runtime (a player's loader thread).
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    not_async()?;
    handle()?.block_on(work)
}

/// Like [`block_on`], but a runtime is only entered when there is nothing `ready`.
pub(crate) fn block_on_unless<T, W: Future<Output = Result<T>>>(
    ready: impl FnOnce() -> Result<Option<T>>,
    work: impl FnOnce() -> W,
) -> Result<T> {
    not_async()?;
    match ready()? {
        Some(item) => Ok(item),
        None => block_on(work()),
    }
}

fn not_async() -> Result<()> {
    if Handle::try_current().is_ok() {
        return Err(CoreError::Invalid {
            reason: "a blocking call was made on an async thread; use its async twin".into(),
        });
    }
    Ok(())
}

/// Polls `work` where the caller is, on whatever executor: for waits that may be dropped without losing what they waited
/// for. Only timers and wake-ups belong to the runtime.
pub(crate) async fn here<T>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    Entered { runtime: handle()?, work: Box::pin(work) }.await
}

struct Entered<F> {
    runtime: Handle,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        self.work.as_mut().poll(context)
    }
}

fn ended_early(error: &tokio::task::JoinError) -> CoreError {
    CoreError::internal(format!("a task ended early: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Barrier, mpsc};

    use super::*;
    use crate::events::{Event, EventListener, Events};

    /// No wait of a test is longer.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Says when it is called, returns when it may, and says when it goes.
    struct Slow {
        called: mpsc::SyncSender<()>,
        may_return: Mutex<mpsc::Receiver<()>>,
        gone: Arc<AtomicBool>,
    }

    impl EventListener for Slow {
        fn on_event(&self, _: Event) {
            self.called.send(()).unwrap();
            let _ = self.may_return.lock().unwrap().recv();
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            self.gone.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_settles_waits_for_a_listener_that_is_slow() {
        let (called, calls) = mpsc::sync_channel(1);
        let (release, may_return) = mpsc::channel();
        let gone = Arc::new(AtomicBool::new(false));
        let events = Events::default();
        let slow = Slow { called, may_return: Mutex::new(may_return), gone: gone.clone() };
        events.set_listener(Some(Arc::new(slow)));
        events.tell(Event::CamerasChanged);
        calls.recv_timeout(PATIENCE).unwrap();
        events.close();
        assert!(!settle(Duration::from_millis(50)), "it is in the host's code");
        assert!(!gone.load(Ordering::SeqCst));
        drop(release);
        assert!(settle(PATIENCE));
        // The host's object went with its thread.
        assert!(gone.load(Ordering::SeqCst));
    }

    #[test]
    fn many_who_settle_at_once_don_t_hold_each_other_up() {
        const MANY: usize = 8;
        let begin = Barrier::new(MANY);
        // Nobody leaves before the last round, or the others would wait for ever.
        let one = || {
            let mut settled = 0;
            for _ in 0..20 {
                begin.wait();
                settled += u32::from(settle(PATIENCE));
            }
            settled
        };
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..MANY).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(all, [20; MANY]);
    }
}
