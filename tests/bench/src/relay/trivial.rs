//! The least that a fan-out over QUIC can be, as a process of its own: the first to connect is the producer, all others get what it
//! sends. No names, no rights, no bounds, nothing is remembered; a follower that is too slow loses records in silence.
//!
//! It takes the records over QUIC as the relay does: otherwise the relay would be compared, where there is one follower, with
//! something that does half the work. It hands on whole records, from one buffer for all and without copying, on one stream a segment.

use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use privet_demo::Trouble;
use quinn::{Connection, Endpoint, Incoming, SendStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::bare::{self, Bare, connect};
use super::records::{RECORD, Reader, Record, Tally};
use super::trouble;

/// The hidden command that is the server.
const COMMAND: &str = "trivial-fanout";
/// Pieces that may wait for the slowest follower: four seconds' worth.
const WAITING: usize = 128;

/// Starts it, with its log in a folder that is made.
pub fn start(folder: &Path) -> Result<Bare, Trouble> {
    Bare::start(&[COMMAND], folder)
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
    bare::main(serve())
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
    // Records come and go on streams of one way only.
    let endpoint = bare::listen(0)?;
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
