//! What clients send; and, for whoever wants to see for themselves how little it says, a copy of it (`log.received`).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quinn::{Chunk, ReadError, ReadExactError, RecvStream, VarInt};

use super::tally::Tally;

/// Packets that are taken from QUIC at once.
const PACKETS: usize = 48;
/// Bytes that are handed on in one piece, and some, so that the disk is not asked for each packet.
pub(crate) const PIECE: usize = 256 * 1024;
/// How long bytes may wait for others.
const MOMENT: Duration = Duration::from_millis(10);

/// A stream from a client.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    /// How the stream ended, once it did. QUIC tells a reset once, and calls it an end when it is asked again: here it stays what it was.
    ended: Option<Result<(), ReadError>>,
    tally: Arc<Tally>,
    copy: Option<File>,
}

/// Bytes that came together, and whether they are the last ones. Without bytes there is nothing but the end.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) bytes: Bytes,
    pub(crate) ended: bool,
}

impl Received {
    /// A stream whose bytes are also written to a file of its own in `folder`, if there is one.
    pub(crate) fn new(stream: RecvStream, folder: Option<&Path>, tally: Arc<Tally>) -> Self {
        let copy = folder.and_then(|folder| match new_file(folder) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::error!(%error, folder = %folder.display(), "log.received can't be written; the copy is not complete");
                None
            }
        });
        Self { stream, ended: None, tally, copy }
    }

    /// The next bytes in order, at most `most`.
    pub(crate) async fn read_chunk(&mut self, most: usize) -> Result<Option<Chunk>, ReadError> {
        if let Some(ended) = &self.ended {
            return ended.clone().map(|()| None);
        }
        let chunk = self.stream.read_chunk(most, true).await;
        note(&mut self.ended, &chunk);
        if let Ok(Some(chunk)) = &chunk {
            self.keep(&chunk.bytes);
        }
        chunk
    }

    /// What has come and was not taken yet, at least one packet, in one piece and memory of its own: each reader of a passing segment is
    /// sent pieces, and what one costs has little to do with its length.
    pub(crate) async fn read_waiting(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut packets: [Bytes; PACKETS] = std::array::from_fn(|_| Bytes::new());
        let Some(read) = next(&mut self.stream, &mut self.ended, &mut packets).await? else { return Ok(None) };
        let mut bytes = BytesMut::with_capacity(packets.iter().take(read).map(Bytes::len).sum());
        gather(&mut bytes, &mut packets, read);
        let bytes = bytes.freeze();
        self.keep(&bytes);
        Ok(Some(bytes))
    }

    /// This, which was read before, and what comes after it in one piece: as many bytes as a disk takes gladly, or what has come within a
    /// moment. A reset among them is there for the next call. Memory is taken for what came, not for what could have come.
    pub(crate) async fn read_many(&mut self, first: Bytes) -> Gathered {
        let known = first.len();
        let (mut came, mut length) = (vec![first], known);
        let (stream, ended) = (&mut self.stream, &mut self.ended);
        let more = async {
            let mut packets: [Bytes; PACKETS] = std::array::from_fn(|_| Bytes::new());
            while length < PIECE {
                let Ok(Some(read)) = next(stream, ended, &mut packets).await else { return };
                length += packets.iter().take(read).map(Bytes::len).sum::<usize>();
                came.extend(packets.iter_mut().take(read).map(std::mem::take));
            }
        };
        let _ = tokio::time::timeout(MOMENT, more).await;
        let mut bytes = BytesMut::with_capacity(length);
        came.iter().for_each(|packet| bytes.extend_from_slice(packet));
        let bytes = bytes.freeze();
        self.keep(&bytes[known..]);
        Gathered { bytes, ended: self.ended == Some(Ok(())) }
    }

    /// Exactly as many bytes as `out` takes.
    pub(crate) async fn read_exact(&mut self, out: &mut [u8]) -> Result<(), ReadExactError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone().map_or_else(ReadExactError::ReadError, |()| ReadExactError::FinishedEarly(0)));
        }
        let read = self.stream.read_exact(out).await;
        match &read {
            Ok(()) => self.keep(out),
            Err(ReadExactError::FinishedEarly(_)) => self.ended = Some(Ok(())),
            Err(ReadExactError::ReadError(error)) => self.ended = Some(Err(error.clone())),
        }
        read
    }

    /// Wants no more.
    pub(crate) fn stop(&mut self, code: VarInt) {
        let _ = self.stream.stop(code);
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.tally.received.add(bytes.len() as u64);
        if let Some(file) = &mut self.copy
            && let Err(error) = file.write_all(bytes)
        {
            tracing::error!(%error, "log.received can't be written; the copy is not complete");
            self.copy = None;
        }
    }
}

fn new_file(folder: &Path) -> std::io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    File::create(folder.join(format!("{}-{number}", std::process::id())))
}

/// The packets that come next, as many as there are places for; none at the end.
async fn next(
    stream: &mut RecvStream,
    ended: &mut Option<Result<(), ReadError>>,
    packets: &mut [Bytes],
) -> Result<Option<usize>, ReadError> {
    if let Some(ended) = ended {
        return ended.clone().map(|()| None);
    }
    let read = stream.read_chunks(packets).await;
    note(ended, &read);
    read
}

/// Notes how the stream ended, where this says so.
fn note<T>(ended: &mut Option<Result<(), ReadError>>, read: &Result<Option<T>, ReadError>) {
    match read {
        Ok(Some(_)) => {}
        Ok(None) => *ended = Some(Ok(())),
        Err(error) => *ended = Some(Err(error.clone())),
    }
}

/// Packets hold on to the datagrams they came in: their bytes are taken out.
fn gather(bytes: &mut BytesMut, packets: &mut [Bytes], read: usize) {
    packets.iter_mut().take(read).for_each(|packet| bytes.extend_from_slice(&std::mem::take(packet)));
}
