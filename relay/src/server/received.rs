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
const PIECE: usize = 256 * 1024;
/// How long bytes may wait for others.
const MOMENT: Duration = Duration::from_millis(10);

/// A stream from a client.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    tally: Arc<Tally>,
    copy: Option<File>,
    /// What came in place of more bytes, for whoever asks for them: QUIC tells it once, and says afterwards that the stream has ended.
    failed: Option<ReadError>,
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
        Self { stream, tally, copy, failed: None }
    }

    /// The next bytes in order, at most `most`.
    pub(crate) async fn read_chunk(&mut self, most: usize) -> Result<Option<Chunk>, ReadError> {
        let chunk = self.stream.read_chunk(most, true).await?;
        if let Some(chunk) = &chunk {
            self.keep(&chunk.bytes);
        }
        Ok(chunk)
    }

    /// What has come and was not taken yet, at least one packet, in one piece and memory of its own: each reader of a passing segment is
    /// sent pieces, and what one costs has little to do with its length.
    pub(crate) async fn read_waiting(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut packets: [Bytes; PACKETS] = std::array::from_fn(|_| Bytes::new());
        let Some(read) = self.stream.read_chunks(&mut packets).await? else { return Ok(None) };
        let mut bytes = BytesMut::with_capacity(packets.iter().take(read).map(Bytes::len).sum());
        gather(&mut bytes, &mut packets, read);
        let bytes = bytes.freeze();
        self.keep(&bytes);
        Ok(Some(bytes))
    }

    /// What comes next, many packets in one piece: as many bytes as a disk takes gladly, or what has come within a moment.
    pub(crate) async fn read_many(&mut self) -> Result<Gathered, ReadError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut packets: [Bytes; PACKETS] = std::array::from_fn(|_| Bytes::new());
        let Some(read) = self.stream.read_chunks(&mut packets).await? else {
            return Ok(Gathered { bytes: Bytes::new(), ended: true });
        };
        let mut bytes = BytesMut::with_capacity(PIECE);
        gather(&mut bytes, &mut packets, read);
        let (stream, failed, mut ended) = (&mut self.stream, &mut self.failed, false);
        let more = async {
            while bytes.len() < PIECE {
                match stream.read_chunks(&mut packets).await {
                    Ok(Some(read)) => gather(&mut bytes, &mut packets, read),
                    Ok(None) => {
                        ended = true;
                        return;
                    }
                    Err(error) => {
                        *failed = Some(error);
                        return;
                    }
                }
            }
        };
        let _ = tokio::time::timeout(MOMENT, more).await;
        let bytes = bytes.freeze();
        self.keep(&bytes);
        Ok(Gathered { bytes, ended })
    }

    /// Exactly as many bytes as `out` takes.
    pub(crate) async fn read_exact(&mut self, out: &mut [u8]) -> Result<(), ReadExactError> {
        self.stream.read_exact(out).await?;
        self.keep(out);
        Ok(())
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

/// Packets hold on to the datagrams they came in: their bytes are taken out.
fn gather(bytes: &mut BytesMut, packets: &mut [Bytes], read: usize) {
    packets.iter_mut().take(read).for_each(|packet| bytes.extend_from_slice(&std::mem::take(packet)));
}
