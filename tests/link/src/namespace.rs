//! A network namespace without a name: it lasts as long as somebody holds it, and none is left over by a test that was killed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use thiserror::Error;

/// Why there is no bad link here.
#[derive(Debug, Error)]
pub enum LinkError {
    /// This program may not make namespaces or devices.
    #[error(
        "{what} can't be made: {cause}. Bad links need root, /dev/net/tun, and the packages iproute2 and util-linux"
    )]
    NotAllowed {
        /// What it wanted.
        what: &'static str,
        /// What the system said.
        cause: String,
    },
    /// Setting up the network failed.
    #[error("'{command}' failed: {cause}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        cause: String,
    },
}

/// A network of its own. Clones share it.
#[derive(Debug, Clone)]
pub struct Namespace(Arc<File>);

impl Namespace {
    /// A network with nothing but its loopback.
    ///
    /// # Errors
    /// [`LinkError::NotAllowed`] when this program may not make one.
    pub fn new() -> Result<Self, LinkError> {
        let refused = |cause: String| LinkError::NotAllowed { what: "a network namespace", cause };
        let mut holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| refused(format!("unshare: {e}")))?;
        // It answers once it is in its namespace; from then on the file keeps the namespace.
        let answered = holder.stdin.as_mut().zip(holder.stdout.as_mut()).is_some_and(|(stdin, stdout)| {
            let mut answer = String::new();
            writeln!(stdin, "there").is_ok() && BufReader::new(stdout).read_line(&mut answer).is_ok_and(|n| n > 0)
        });
        let file = File::open(format!("/proc/{}/ns/net", holder.id()));
        drop(holder.stdin.take());
        let said = holder.wait_with_output().map_err(|e| refused(e.to_string()))?;
        if !answered {
            return Err(refused(String::from_utf8_lossy(&said.stderr).trim().to_owned()));
        }
        let namespace = Self(Arc::new(file.map_err(|e| refused(e.to_string()))?));
        // Without IPv6 the system sends no packets of its own. A kernel that has none has no such files either.
        for which in ["all", "default"] {
            let file = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
            namespace.enter(|| drop(std::fs::write(file, "1")))?;
        }
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Runs `run` on a thread inside. Sockets it opens, and threads and processes it starts, are inside too, and stay there.
    ///
    /// # Errors
    /// [`LinkError::NotAllowed`] when this program may not go there.
    ///
    /// # Panics
    /// When `run` does.
    pub fn enter<T: Send>(&self, run: impl FnOnce() -> T + Send) -> Result<T, LinkError> {
        let inside = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.move_here()?;
                    Ok(run())
                })
                .join()
        });
        inside.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A tokio runtime whose threads are inside. Only what is spawned on it is: `block_on` runs on the caller's thread.
    ///
    /// # Errors
    /// [`LinkError::NotAllowed`] when it can't be made.
    pub fn runtime(&self) -> Result<tokio::runtime::Runtime, LinkError> {
        let here = self.clone();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_start(move || {
                // A thread that can't would open its sockets elsewhere: they would reach nobody.
                if let Err(trouble) = here.move_here() {
                    eprintln!("privet-link: {trouble}");
                }
            })
            .build()
            .map_err(|e| LinkError::NotAllowed { what: "a runtime", cause: e.to_string() })
    }

    fn move_here(&self) -> Result<(), LinkError> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| LinkError::NotAllowed { what: "the way into a network namespace", cause: e.to_string() })
    }

    /// Runs `ip` inside.
    pub(crate) fn ip(&self, words: &str) -> Result<(), LinkError> {
        let failed = |cause: String| LinkError::Command { command: format!("ip {words}"), cause };
        let said = self.enter(|| Command::new("ip").args(words.split(' ')).output())?;
        let said = said.map_err(|e| LinkError::NotAllowed { what: "a network", cause: format!("ip: {e}") })?;
        if said.status.success() {
            Ok(())
        } else {
            Err(failed(String::from_utf8_lossy(&said.stderr).trim().to_owned()))
        }
    }
}
