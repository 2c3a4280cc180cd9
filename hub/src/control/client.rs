//! The command line's end of the socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{Answer, Request, socket};

/// Why the hub did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no hub is running here ({}: {cause}); start it with: privet-hub run", socket.display())]
    NotRunning {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// It is not ours to ask.
    #[error("the hub's socket {} belongs to somebody else; run this as the user that runs the hub", socket.display())]
    NotAllowed {
        /// The socket.
        socket: PathBuf,
    },
    /// It hung up.
    #[error("the hub hung up: {0}")]
    HungUp(String),
}

/// A question to the running hub, and its answers.
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Asks the hub of this data directory.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ask(data_dir: &Path, request: &Request) -> Result<Self, ClientError> {
        let socket = socket(data_dir);
        let mut stream = UnixStream::connect(&socket).map_err(|e| match e.kind() {
            std::io::ErrorKind::PermissionDenied => ClientError::NotAllowed { socket: socket.clone() },
            _ => ClientError::NotRunning { socket: socket.clone(), cause: e.to_string() },
        })?;
        let hung_up = |e: &dyn std::fmt::Display| ClientError::HungUp(e.to_string());
        let mut line = serde_json::to_vec(request).map_err(|e| hung_up(&e))?;
        line.push(b'\n');
        stream.write_all(&line).map_err(|e| hung_up(&e))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The next answer; `None` when there are no more.
    ///
    /// # Errors
    /// [`ClientError::HungUp`].
    pub fn answer(&mut self) -> Result<Option<Answer>, ClientError> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_str(&line).map(Some).map_err(|e| ClientError::HungUp(e.to_string())),
            Err(e) => Err(ClientError::HungUp(e.to_string())),
        }
    }
}
