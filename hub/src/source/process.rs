//! Starting a worker process and making sure that it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep;

/// How often an ending worker is looked at; it takes a few milliseconds.
const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

/// A worker process. Dropping it kills it and waits for it, which takes a killed process no time.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    status: Option<ExitStatus>,
}

impl WorkerProcess {
    /// Starts `executable camera-worker` with these descriptors and an empty environment.
    pub(super) async fn start(
        executable: PathBuf,
        hub: OwnedFd,
        camera: OwnedFd,
    ) -> io::Result<(Self, Option<ChildStderr>)> {
        let (answer, started) = oneshot::channel();
        starter().send(Order { executable, hub, camera, answer }).map_err(|_| io::ErrorKind::BrokenPipe)?;
        let mut child = started.await.map_err(|_| io::ErrorKind::BrokenPipe)??;
        let stderr = child.stderr.take();
        Ok((Self { child, status: None }, stderr))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Resolves when it has ended.
    pub(super) async fn end(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            sleep(LOOK).await;
        }
    }

    /// Ends it now.
    pub(super) fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An exit status in words.
pub(super) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(6)) => "aborted".into(),
        (None, Some(9)) => "killed".into(),
        (None, Some(11)) => "segmentation fault".into(),
        (None, signal) => format!("signal {}", signal.unwrap_or(0)),
    }
}

/// The turn to start a worker, to be kept until it is ready. Each loads a decoder's libraries; with dozens at a time on a small
/// processor none would be ready before it is taken for one that hangs.
pub(super) async fn turn_to_start() -> Option<OwnedSemaphorePermit> {
    static TURNS: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let turns = TURNS.get_or_init(|| Arc::new(Semaphore::new(cores()))).clone();
    // It is never closed.
    turns.acquire_owned().await.ok()
}

struct Order {
    executable: PathBuf,
    hub: OwnedFd,
    camera: OwnedFd,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// A thread that lives as long as the hub: workers ask the kernel to die with the *thread* that started them, and a thread of
/// the runtime may end before the hub does.
fn starter() -> mpsc::Sender<Order> {
    static STARTER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    STARTER
        .get_or_init(|| {
            let (sender, orders) = mpsc::channel::<Order>();
            let spawned =
                std::thread::Builder::new().name("worker-starter".into()).stack_size(256 << 10).spawn(move || {
                    for order in orders {
                        let child = Command::new(&order.executable)
                            .arg("camera-worker")
                            .env_clear()
                            .current_dir("/")
                            // Not reached by a Ctrl-C that is meant for the hub: the hub ends its workers in order.
                            .process_group(0)
                            .stdin(order.hub)
                            .stdout(order.camera)
                            .stderr(Stdio::piped())
                            .spawn();
                        // Nobody waits for it any more: the child is killed, not left behind.
                        if let Err(Ok(mut child)) = order.answer.send(child) {
                            let _ = child.kill();
                            let _ = child.wait();
                        }
                    }
                });
            if let Err(e) = spawned {
                tracing::error!(error = %e, "can't start the thread that starts camera workers");
            }
            sender
        })
        .clone()
}
