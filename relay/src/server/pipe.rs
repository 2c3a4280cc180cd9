//! Carrying bytes from one stream to another, with everything that can be said of a stream: its end, its reset, and that nobody wants
//! more of it. At most one piece is held here; what waits beyond it waits where it comes from.

use privet_protocol::relay::reset;
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};

/// Bytes carried at once.
const PIECE: usize = 32 * 1024;

/// What became of a piece.
enum Sent {
    Whole,
    /// The receiver wants no more, or is gone.
    Stopped(Option<VarInt>),
    /// The sender gave up; what was not sent yet is not wanted any more.
    Reset(VarInt),
}

/// Carries all there is, telling `count` how much.
pub(crate) async fn carry(mut from: RecvStream, mut to: SendStream, count: impl Fn(u64)) {
    let stopped = to.stopped();
    tokio::pin!(stopped);
    loop {
        let chunk = tokio::select! {
            biased;
            code = &mut stopped => return stop(&mut from, code.ok().flatten()),
            chunk = from.read_chunk(PIECE, true) => chunk,
        };
        let bytes = match chunk {
            Ok(Some(chunk)) => chunk.bytes,
            Ok(None) => {
                let _ = to.finish();
                // Until it has arrived it must not be cut off.
                let _ = stopped.await;
                return;
            }
            Err(ReadError::Reset(code)) => return give_up(&mut to, code),
            Err(_) => return give_up(&mut to, VarInt::from_u32(reset::CANCELLED)),
        };
        let length = bytes.len() as u64;
        let sent = tokio::select! {
            biased;
            written = to.write_chunk(bytes) => match written {
                Ok(()) => Sent::Whole,
                Err(WriteError::Stopped(code)) => Sent::Stopped(Some(code)),
                Err(_) => Sent::Stopped(None),
            },
            code = broken_off(&mut from) => Sent::Reset(code),
        };
        match sent {
            Sent::Whole => count(length),
            Sent::Stopped(code) => return stop(&mut from, code),
            Sent::Reset(code) => return give_up(&mut to, code),
        }
    }
}

/// Resolves when the sender gives up its stream, and not when it ends it.
async fn broken_off(from: &mut RecvStream) -> VarInt {
    match from.received_reset().await {
        Ok(Some(code)) => code,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn stop(from: &mut RecvStream, code: Option<VarInt>) {
    let _ = from.stop(code.unwrap_or(VarInt::from_u32(reset::CANCELLED)));
}

fn give_up(to: &mut SendStream, code: VarInt) {
    let _ = to.reset(code);
}
