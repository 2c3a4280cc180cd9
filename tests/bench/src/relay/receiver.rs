//! The least that taking clips over QUIC can be, as a process of its own: each request is a clip, which is written to a file that is
//! synced, and one byte says so. No names, no rights, no quotas, no index; nothing is shared between two clips, and a file is of use to
//! nobody after a power cut, because the folder is not synced. What it takes is the floor that transport and files set.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use privet_demo::Trouble;
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream};

use super::bare::{self, Bare};
use super::rounds::Client;
use super::trouble;

/// The hidden command that is the server.
const COMMAND: &str = "receiver";
/// Requests of a client that may be under way, as at the relay.
const REQUESTS: u32 = 16;
/// So much of a clip gathers before it is written, as at the relay.
const PIECE: usize = 256 * 1024;
/// Says that a clip is on the disk.
const DONE: u8 = 1;

/// Starts it, with its files in a folder that is made.
pub fn start(folder: &Path) -> Result<Bare, Trouble> {
    Bare::start(&[COMMAND.as_ref(), folder.as_os_str()], folder)
}

/// The hidden command `receiver`.
pub fn main(folder: PathBuf) -> ExitCode {
    bare::main(serve(folder.into()))
}

/// Somebody who sends it the same clip again and again.
pub struct Hub {
    _endpoint: Endpoint,
    connection: Connection,
    clip: Bytes,
}

impl Hub {
    /// Connects one.
    pub async fn connect(port: u16, clip: Bytes) -> Result<Self, Trouble> {
        let (endpoint, connection) = bare::connect(port).await?;
        Ok(Self { _endpoint: endpoint, connection, clip })
    }
}

impl Client for Hub {
    async fn round(&mut self) -> Result<(), Trouble> {
        let (mut send, mut receive) = self.connection.open_bi().await.map_err(trouble)?;
        send.write_chunk(self.clip.clone()).await.map_err(trouble)?;
        send.finish().map_err(trouble)?;
        let answer = receive.read_to_end(1).await.map_err(trouble)?;
        if answer != [DONE] {
            return Err(Trouble::new("the bare receiver did not keep a clip; its log says why"));
        }
        Ok(())
    }
}

// ---- the server

async fn serve(folder: Arc<Path>) -> Result<(), Trouble> {
    let endpoint = bare::listen(REQUESTS)?;
    let clips = Arc::new(AtomicU64::new(0));
    while let Some(hub) = endpoint.accept().await {
        tokio::spawn(take(hub, Arc::clone(&folder), Arc::clone(&clips)));
    }
    Ok(())
}

/// Takes a client's clips until it leaves.
async fn take(hub: Incoming, folder: Arc<Path>, clips: Arc<AtomicU64>) {
    let Ok(connection) = hub.await else { return };
    while let Ok((mut send, receive)) = connection.accept_bi().await {
        let file = folder.join(format!("clip-{}", clips.fetch_add(1, Ordering::Relaxed)));
        tokio::spawn(async move {
            match keep(receive, file).await {
                Ok(()) => answer(&mut send).await,
                // The client is not answered, and says so.
                Err(trouble) => eprintln!("{trouble}"),
            }
        });
    }
}

async fn answer(send: &mut SendStream) {
    // Who is gone by now misses nothing.
    if send.write_all(&[DONE]).await.is_ok() {
        let _ = send.finish();
    }
}

async fn keep(mut clip: RecvStream, path: PathBuf) -> Result<(), Trouble> {
    let mut file = blocking(move || File::create(path)).await?;
    let mut gathered: Vec<u8> = Vec::with_capacity(PIECE);
    while let Some(chunk) = clip.read_chunk(PIECE - gathered.len(), true).await.map_err(trouble)? {
        gathered.extend_from_slice(&chunk.bytes);
        if gathered.len() == PIECE {
            (file, gathered) = write(file, gathered).await?;
        }
    }
    blocking(move || {
        file.write_all(&gathered)?;
        file.sync_all()
    })
    .await
}

/// Writes what has gathered, and gives back file and room.
async fn write(mut file: File, mut gathered: Vec<u8>) -> Result<(File, Vec<u8>), Trouble> {
    blocking(move || {
        file.write_all(&gathered)?;
        gathered.clear();
        Ok((file, gathered))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(trouble)?.map_err(trouble)
}
