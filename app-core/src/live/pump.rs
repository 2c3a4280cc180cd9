//! Opening one segment as it arrives: bytes in, authenticated pieces out, the verdict last. A task of its own for each
//! segment, so that a lost packet of one holds up no other.

use std::sync::Arc;

use privet_protocol::id::StreamId;
use privet_relay_client::{ClientError, SegmentReader};
use privet_segment::{EvidencePublicKey, Header, Item, Opener, SegmentError, Statement, StreamKey, Verified};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::state::Core;

/// Pieces that wait for their turn; the relay waits with the rest.
const PIECES: usize = 64;

/// What a segment yields.
pub(super) enum Piece {
    /// Authentic under the stream's key; who made it is known only at the end.
    Item(Item),
    /// The verdict, with the evidence key that signed.
    End(Result<Box<(Verified<Statement>, EvidencePublicKey)>, SegmentError>),
    /// The rest does not come.
    Lost(ClientError),
}

/// Opens what `reader` reads. Dropping the receiver ends it.
pub(super) fn start(
    core: &Arc<Core>,
    stream: StreamId,
    key: Arc<StreamKey>,
    reader: SegmentReader,
    stop: &CancellationToken,
) -> mpsc::Receiver<Piece> {
    let (pieces, receiver) = mpsc::channel(PIECES);
    let (core, stop) = (core.clone(), stop.clone());
    let tracker = core.tasks.clone();
    tracker.spawn(async move {
        tokio::select! {
            last = run(&core, stream, &key, reader, &pieces) => {
                if let Some(last) = last {
                    let _ = pieces.send(last).await;
                }
            }
            () = pieces.closed() => {}
            () = stop.cancelled() => {}
        }
    });
    receiver
}

/// The last piece, unless nobody wants it.
async fn run(
    core: &Core,
    stream: StreamId,
    key: &StreamKey,
    mut reader: SegmentReader,
    pieces: &mpsc::Sender<Piece>,
) -> Option<Piece> {
    let mut opener = match Opener::new(key, Header { stream, index: reader.index() }) {
        Ok(opener) => opener,
        Err(error) => return Some(Piece::End(Err(error))),
    };
    loop {
        match reader.read().await {
            Ok(Some(bytes)) => opener.push(&bytes),
            // The opener itself says whether something is missing.
            Ok(None) => return Some(Piece::End(opener.finish(&*core.trust()).map(Box::new))),
            Err(error) => return Some(Piece::Lost(error)),
        }
        loop {
            match opener.next() {
                Ok(Some(item)) => pieces.send(Piece::Item(item)).await.ok()?,
                Ok(None) => break,
                Err(error) => return Some(Piece::End(Err(error))),
            }
        }
        if opener.ended() {
            return Some(Piece::End(opener.finish(&*core.trust()).map(Box::new)));
        }
    }
}
