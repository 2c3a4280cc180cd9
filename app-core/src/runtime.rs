//! The library's own runtime. Whatever async call a host makes, the work runs here to its end: a foreign future that is
//! dropped, or an executor that is no tokio at all, leaves nothing half done.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{CoreError, Result};

/// The runtime's handle.
pub(crate) fn handle() -> Result<Handle> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            Builder::new_multi_thread()
                .worker_threads(2)
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
    handle()?.spawn_blocking(work).await.unwrap_or_else(|e| Err(ended_early(&e)))
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
