//! The home's one owner: a thread that holds [`HubHome`] and carries out one verb after the other, each of which blocks until the
//! disk has it. Everybody else hands verbs in.

use std::sync::Arc;

use privet_home::{Env, HubHome};
use privet_protocol::random::{Random, SystemRandom};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::time::wall;

type Verb = Box<dyn FnOnce(&mut HubHome, Env<'_>) + Send>;

/// A handle to the home. Clones share it.
#[derive(Clone)]
pub struct HomeHandle {
    verbs: mpsc::UnboundedSender<Verb>,
    appended: Arc<Notify>,
}

/// The home's owner is gone: the hub is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub is stopping")]
pub struct Stopping;

impl HomeHandle {
    /// Gives the home to a thread of its own, which ends with the last handle.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn spawn(mut home: HubHome) -> std::io::Result<Self> {
        let (verbs, mut queue) = mpsc::unbounded_channel::<Verb>();
        let appended = Arc::new(Notify::new());
        let grew = Arc::clone(&appended);
        std::thread::Builder::new().name("home".into()).spawn(move || {
            while let Some(verb) = queue.blocking_recv() {
                let head = home.head().seq;
                let random: &dyn Random = &SystemRandom;
                verb(&mut home, Env::new(wall(), random));
                if home.head().seq != head {
                    grew.notify_one();
                }
            }
        })?;
        Ok(Self { verbs, appended })
    }

    /// Carries out a verb and waits for what it gives.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn call<R: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut HubHome, Env<'_>) -> R + Send + 'static,
    ) -> Result<R, Stopping> {
        let (answer, result) = oneshot::channel();
        let verb: Verb = Box::new(move |home, env| drop(answer.send(verb(home, env))));
        self.verbs.send(verb).map_err(|_| Stopping)?;
        result.await.map_err(|_| Stopping)
    }

    /// Waits until something was appended to the log since the last call.
    pub async fn grew(&self) {
        self.appended.notified().await;
    }
}
