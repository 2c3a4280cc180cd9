//! The least that a fan-out over QUIC can be, as a process of its own: the first to connect is the producer, all others get what it
//! sends. No names, no rights, no bounds, nothing is remembered; a follower that is too slow loses records in silence.
//!
//! It takes the records over QUIC as the relay does: otherwise the relay would be compared, where there is one follower, with
//! something that does half the work. It hands on whole records, from one buffer for all and without copying, on one stream a segment.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use privet_demo::Trouble;
use privet_demo::process::Process;
use quinn::{Connection, Endpoint, Incoming, SendStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::records::{RECORD, Reader, Record, Tally};
use super::{PATIENCE, peer, runtime, trouble};

/// The hidden command that is the server.
const COMMAND: &str = "trivial-fanout";
const ALPN: &[u8] = b"trivial";
/// Pieces that may wait for the slowest follower: four seconds' worth.
const WAITING: usize = 128;
const READY: Duration = Duration::from_secs(10);

/// The server's process. It ends when this is dropped.
pub struct Fanout {
    process: Process,
    port: u16,
}

impl Fanout {
    /// Starts it, with its log in a folder that is made.
    pub fn start(folder: &Path) -> Result<Self, Trouble> {
        std::fs::create_dir_all(folder).map_err(trouble)?;
        let own = std::env::current_exe().map_err(trouble)?;
        let mut process = Process::start("the trivial fan-out", &own, &[COMMAND], &folder.join("trivial.log"))?;
        let line = process.line(READY)?;
        let port = line.trim().parse().map_err(|_| Trouble::new(format!("'{line}' is no port")))?;
        Ok(Self { process, port })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Connects a producer and its followers, and sends what comes.
pub async fn begin(
    port: u16,
    followers: usize,
    records: UnboundedReceiver<Record>,
    tally: &Tally,
) -> Result<JoinHandle<Result<(), Trouble>>, Trouble> {
    let producer = connect(port).await?;
    for _ in 0..followers {
        tokio::spawn(follow(connect(port).await?, tally.clone()));
    }
    Ok(tokio::spawn(publish(producer, records)))
}

/// The hidden command `trivial-fanout`.
pub fn main() -> ExitCode {
    // When the bench is killed, its end of this pipe closes, and nobody is left behind.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    match runtime().and_then(|runtime| runtime.block_on(serve())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

// ---- the server

#[derive(Clone, Debug)]
enum Piece {
    /// A segment begins with this record.
    First(Bytes),
    Next(Bytes),
    /// The segment is over.
    End,
}

async fn serve() -> Result<(), Trouble> {
    let endpoint = peer::endpoint(Some(peer::server_config(ALPN)?))?;
    println!("{}", endpoint.local_addr().map_err(trouble)?.port());
    let (to, _) = broadcast::channel(WAITING);
    let Some(producer) = endpoint.accept().await else { return Ok(()) };
    tokio::spawn(take(producer.await.map_err(trouble)?, to.clone()));
    while let Some(follower) = endpoint.accept().await {
        tokio::spawn(feed(follower, to.subscribe()));
    }
    Ok(())
}

/// Takes the producer's segments, one after the other, until it leaves.
async fn take(producer: Connection, to: Sender<Piece>) {
    while let Ok(mut segment) = producer.accept_uni().await {
        let mut begun = false;
        let mut record = vec![0_u8; RECORD];
        while segment.read_exact(&mut record).await.is_ok() {
            let bytes = Bytes::from(std::mem::replace(&mut record, vec![0; RECORD]));
            let piece = if begun { Piece::Next(bytes) } else { Piece::First(bytes) };
            begun = true;
            // Nobody may follow yet.
            let _ = to.send(piece);
        }
        let _ = to.send(Piece::End);
    }
}

/// Sends a follower what comes, until it leaves.
async fn feed(follower: Incoming, mut pieces: Receiver<Piece>) -> Option<()> {
    let connection = follower.await.ok()?;
    let mut open: Option<SendStream> = None;
    loop {
        match pieces.recv().await {
            Ok(Piece::First(bytes)) => {
                let stream = open.insert(connection.open_uni().await.ok()?);
                stream.write_chunk(bytes).await.ok()?;
            }
            Ok(Piece::Next(bytes)) => {
                if let Some(stream) = &mut open {
                    stream.write_chunk(bytes).await.ok()?;
                }
            }
            Ok(Piece::End) => {
                if let Some(mut stream) = open.take() {
                    stream.finish().ok()?;
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

// ---- its clients

async fn connect(port: u16) -> Result<(Endpoint, Connection), Trouble> {
    let endpoint = peer::endpoint(None)?;
    let address = ([127, 0, 0, 1], port).into();
    let connecting = endpoint.connect_with(peer::client_config(ALPN)?, address, peer::NAME).map_err(trouble)?;
    let connection = tokio::time::timeout(PATIENCE, connecting).await.map_err(trouble)?.map_err(trouble)?;
    Ok((endpoint, connection))
}

async fn publish(
    (_endpoint, connection): (Endpoint, Connection),
    mut records: UnboundedReceiver<Record>,
) -> Result<(), Trouble> {
    let mut open: Option<SendStream> = None;
    while let Some(record) = records.recv().await {
        if record.first {
            open = Some(connection.open_uni().await.map_err(trouble)?);
        }
        if let Some(stream) = &mut open {
            stream.write_chunk(record.bytes).await.map_err(trouble)?;
        }
        if record.last
            && let Some(mut stream) = open.take()
        {
            stream.finish().map_err(trouble)?;
        }
    }
    Ok(())
}

/// Until the connection ends.
async fn follow((_endpoint, connection): (Endpoint, Connection), tally: Tally) {
    while let Ok(mut segment) = connection.accept_uni().await {
        let mut reader = Reader::new(tally.clone());
        while let Ok(Some(chunk)) = segment.read_chunk(usize::MAX, true).await {
            reader.push(&chunk.bytes);
        }
    }
}
