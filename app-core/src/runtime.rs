//! The library's own runtime. Whatever async call a host makes, the work runs here to its end: a foreign future that is
//! dropped, or an executor that is no tokio at all, leaves nothing half done.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{CoreError, Result};

/// Threads that run tasks. Only they wake a host's futures and call a host's objects.
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

/// Waits until no thread of this library is in the host's code, for at most `within`; whether it came to that.
///
/// To be called when every [`crate::Client`] is shut down and before the host's interpreter goes: Python (before 3.14) kills a
/// thread that returns to it after its end, and the process with it.
pub fn settle(within: Duration) -> bool {
    let Ok(runtime) = handle() else { return true };
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
            drop(changed.wait_timeout_while(count, within, all));
        });
    }
    let (count, changed) = &*here;
    let count = count.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, _) = changed.wait_timeout_while(count, within, all).unwrap_or_else(PoisonError::into_inner);
    *count >= WORKERS
}

/// Waits for `work` from a thread that belongs to no runtime (a player's loader thread).
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    if Handle::try_current().is_ok() {
        return Err(CoreError::Invalid {
            reason: "a blocking call was made on an async thread; use its async twin".into(),
        });
    }
    handle()?.block_on(work)
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
