//! Carrying bytes from one stream to another, with everything that can be said of a stream: its end, its reset, and that nobody wants
//! more of it. At most one piece is held here; what waits beyond it waits where it comes from.
//!
//! A reset goes on when the piece before it has gone. (To wait for it beside the writing, with `received_reset`, leaves a reader behind
//! in quinn 0.11 that wakes nobody and goes with the connection only.)

use privet_protocol::relay::reset;
use quinn::{ReadError, RecvStream, VarInt, WriteError};

use super::wire::Outgoing;

/// Bytes carried at once.
const PIECE: usize = 32 * 1024;

/// Carries all there is, telling `count` how much.
pub(crate) async fn carry(mut from: RecvStream, mut to: Outgoing, count: impl Fn(u64)) {
    let stopped = to.stopped();
    tokio::pin!(stopped);
    loop {
        let chunk = tokio::select! {
            biased;
            code = &mut stopped => return stop(&mut from, &mut to, code.ok().flatten()),
            chunk = from.read_chunk(PIECE, true) => chunk,
        };
        let bytes = match chunk {
            Ok(Some(chunk)) => chunk.bytes,
            Ok(None) => {
                to.finish();
                // Until it has arrived it must not be cut off.
                let _ = stopped.await;
                return;
            }
            Err(ReadError::Reset(code)) => return to.give_up(code),
            // Given up when it is dropped.
            Err(_) => return,
        };
        let length = bytes.len() as u64;
        match to.write_chunk(bytes).await {
            Ok(()) => count(length),
            Err(WriteError::Stopped(code)) => return stop(&mut from, &mut to, Some(code)),
            Err(_) => return stop(&mut from, &mut to, None),
        }
    }
}

/// Nobody wants more of it, for this reason.
fn stop(from: &mut RecvStream, to: &mut Outgoing, code: Option<VarInt>) {
    let code = code.unwrap_or(VarInt::from_u32(reset::CANCELLED));
    let _ = from.stop(code);
    to.give_up(code);
}
