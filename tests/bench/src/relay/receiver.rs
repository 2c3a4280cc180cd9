//! The least that taking clips over QUIC can be, as a process of its own: each request is a clip, which is written to a file that is
//! synced, and one byte says so. No names, no rights, no quotas; what it takes is a floor, and there are two ([`Keeping`]): that of
//! transport and files, where a file is of use to nobody after a power cut, because neither its name nor what it is was synced; and that
//! of clips that are still there then.

use std::fs::File;
use std::io::{self, Write as _};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use privet_demo::Trouble;
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream};
use tokio::sync::oneshot;

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

/// What is synced before a clip is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Keeping {
    /// Its file.
    Files,
    /// Its file, then the folder that names it and a line in an index: one sync of each for all clips that wait for one.
    Durable,
}

/// Starts it, with its files in a folder that is made.
pub fn start(folder: &Path, keeping: Keeping) -> Result<Bare, Trouble> {
    let keeping = match keeping {
        Keeping::Files => "files",
        Keeping::Durable => "durable",
    };
    Bare::start(&[COMMAND.as_ref(), folder.as_os_str(), keeping.as_ref()], folder)
}

/// The hidden command `receiver`.
pub fn main(folder: PathBuf, keeping: Keeping) -> ExitCode {
    bare::main(serve(folder, keeping))
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

async fn serve(folder: PathBuf, keeping: Keeping) -> Result<(), Trouble> {
    let endpoint = bare::listen(REQUESTS)?;
    let index = match keeping {
        Keeping::Files => None,
        Keeping::Durable => Some(Index::open(&folder).map_err(trouble)?),
    };
    let kept = Arc::new(Kept { folder, clips: AtomicU64::new(0), index });
    while let Some(hub) = endpoint.accept().await {
        tokio::spawn(take(hub, Arc::clone(&kept)));
    }
    Ok(())
}

/// All that clips share.
struct Kept {
    folder: PathBuf,
    clips: AtomicU64,
    index: Option<Index>,
}

/// Takes a client's clips until it leaves.
async fn take(hub: Incoming, kept: Arc<Kept>) {
    let Ok(connection) = hub.await else { return };
    while let Ok((mut send, receive)) = connection.accept_bi().await {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            match keep(receive, &kept).await {
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

async fn keep(mut clip: RecvStream, kept: &Kept) -> Result<(), Trouble> {
    let number = kept.clips.fetch_add(1, Ordering::Relaxed);
    let path = kept.folder.join(format!("clip-{number}"));
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
    .await?;
    match &kept.index {
        Some(index) => index.note(number).await,
        None => Ok(()),
    }
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

/// Where durable clips are written down, by a thread of its own.
struct Index(mpsc::Sender<Line>);

/// A clip, and who waits until it is written down.
type Line = (u64, oneshot::Sender<()>);

impl Index {
    fn open(folder: &Path) -> io::Result<Self> {
        let (names, mut lines) = (File::open(folder)?, File::create(folder.join("index"))?);
        let (waiting, come) = mpsc::channel::<Line>();
        thread::spawn(move || {
            while let Ok(first) = come.recv() {
                // Whoever came while the last syncs ran shares these.
                let all: Vec<Line> = iter::once(first).chain(come.try_iter()).collect();
                let written: Vec<u8> = all.iter().flat_map(|(clip, _)| clip.to_be_bytes()).collect();
                let synced = lines.write_all(&written).and_then(|()| lines.sync_data()).and_then(|()| names.sync_all());
                if let Err(error) = synced {
                    eprintln!("the index: {error}");
                    return;
                }
                for (_, wait) in all {
                    // Who is gone by now misses nothing.
                    let _ = wait.send(());
                }
            }
        });
        Ok(Self(waiting))
    }

    /// Returns when the clip's name and its line are durable.
    async fn note(&self, clip: u64) -> Result<(), Trouble> {
        let (wait, written) = oneshot::channel();
        self.0.send((clip, wait)).map_err(trouble)?;
        written.await.map_err(trouble)
    }
}
