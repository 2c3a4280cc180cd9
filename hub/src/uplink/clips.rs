//! Clips on their way: the outbox's segments, oldest first, each resumed where an earlier try broke off.

use std::time::Duration;

use privet_protocol::id::StreamId;
use privet_protocol::storage::StoreError;
use privet_relay_client::{ClientError, Code, Connection, Retention};

use super::home::Stopping;
use super::{Uplink, UplinkError};
use crate::outbox::{AtRelay, Mended, Pending};
use crate::status::Alarm;
use crate::time::moment;

/// Segments sent at the same time.
pub(super) const PARALLEL: usize = 3;
/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long to wait when the relay has no room.
const NO_ROOM: Duration = Duration::from_secs(30);
/// How often pinned clips are looked at.
const RENEW: Duration = Duration::from_secs(30);
/// Pinned clips that are put again between two looks at the most: new ones must not wait for old ones.
const RENEW_AT_ONCE: usize = 32;
/// Bytes handed to QUIC at once.
const PIECE: usize = 64 * 1024;

/// Sends one segment after the other.
pub(super) async fn send(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        let Some((number, pending)) = uplink.outbox.claim() else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let mut claim = Claim { uplink: &uplink, number, held: true };
        let outcome = send_one(&uplink, &connection, &pending).await;
        match outcome {
            Ok(kept) => {
                claim.done(Some(kept)).await?;
                uplink.board.clear_relay();
            }
            Err(UplinkError::Relay(ClientError::Refused(refusal))) => {
                uplink.board.raise(Alarm::Relay { cause: refusal.to_string() });
                uplink.board.relay_refused();
                match refusal.code {
                    // It will never take this one: its place is taken, its stream is closed, or it is too long.
                    Code::Conflict | Code::Gone | Code::TooLarge => {
                        tracing::error!(stream = %pending.stream, index = pending.index, %refusal, "a segment is given up");
                        claim.done(None).await?;
                    }
                    _ => {
                        drop(claim);
                        tokio::time::sleep(NO_ROOM).await;
                    }
                }
            }
            Err(UplinkError::Store(error)) => {
                tracing::error!(stream = %pending.stream, index = pending.index, %error, "a segment can't be read");
                claim.done(None).await?;
            }
            // That segment's own trouble: the connection is as good as before.
            Err(wrong @ UplinkError::Miscounted { .. }) => mend(claim, &pending, &wrong.to_string()).await?,
            Err(error) => return Err(error),
        }
    }
}

/// The relay has a segment otherwise than it was sent, and answers with that whenever it is put: it is to forget the segment's stream, and
/// gets it once more. If it does it again, the segment is given up there: this disk has it.
async fn mend(mut claim: Claim<'_>, pending: &Pending, wrong: &str) -> Result<(), UplinkError> {
    let (uplink, stream, index) = (claim.uplink, pending.stream, pending.index);
    let outbox = uplink.outbox.clone();
    let read = tokio::task::spawn_blocking(move || outbox.lengths(stream)).await;
    let mended = match read.unwrap_or_else(|panic| Err(StoreError::Io(panic.to_string()))) {
        Ok(Some(lengths)) => {
            let (outbox, keep) = (uplink.outbox.clone(), uplink.relay_keeps);
            uplink.home.call(move |_, _| outbox.send_again(stream, &lengths, keep, moment())).await?
        }
        Ok(None) => Ok(Mended::Never),
        Err(error) => Err(error),
    };
    match mended {
        Ok(Mended::Again) => {
            tracing::warn!(%stream, index, wrong, "the relay has a segment otherwise than it was sent; it is to forget the clip, and gets it again");
        }
        Ok(Mended::Later) => {
            drop(claim);
            tokio::time::sleep(LOOK).await;
        }
        Ok(Mended::Never) => {
            uplink.board.raise(Alarm::Relay { cause: wrong.into() });
            tracing::error!(%stream, index, wrong, "a segment is given up: the relay has it otherwise than it was sent, and the clip can't be sent again");
            claim.done(None).await?;
        }
        Err(error) => {
            tracing::error!(%stream, index, wrong, %error, "a clip that the relay has otherwise than it was sent can't be sent again; trying again");
            drop(claim);
            tokio::time::sleep(NO_ROOM).await;
        }
    }
    Ok(())
}

async fn send_one(uplink: &Uplink, connection: &Connection, pending: &Pending) -> Result<AtRelay, UplinkError> {
    // By the relay's clock from beginning to end: this machine's may be wrong.
    let since = connection.server_time();
    let keep = Duration::from_millis(pending.keep_ms).min(Duration::from_secs(connection.limits().retention_s));
    let until = since.after(keep);
    let mut writer = connection.put(pending.stream, pending.index, Retention::Keep { until }, true).await?;
    if writer.stored().is_none() {
        let outbox = uplink.outbox.clone();
        let segment = pending.clone();
        let bytes = tokio::task::spawn_blocking(move || outbox.read(&segment))
            .await
            .map_err(|e| StoreError::Io(e.to_string()))??;
        let mut at = usize::try_from(writer.offset()).unwrap_or(usize::MAX).min(bytes.len());
        while at < bytes.len() {
            let end = (at + PIECE).min(bytes.len());
            writer.write(bytes.slice(at..end)).await?;
            at = end;
        }
    }
    let stored = writer.finish().await?;
    if stored == pending.length {
        Ok(AtRelay::new(since, until))
    } else {
        Err(UplinkError::Miscounted { stored, length: pending.length })
    }
}

/// A segment being sent: given back when the try fails, also when the task is dropped.
struct Claim<'a> {
    uplink: &'a Uplink,
    number: u64,
    held: bool,
}

impl Claim<'_> {
    async fn done(&mut self, kept: Option<AtRelay>) -> Result<(), UplinkError> {
        let outbox = self.uplink.outbox.clone();
        let number = self.number;
        let stored = tokio::task::spawn_blocking(move || outbox.stored(number, kept)).await;
        stored.map_err(|e| StoreError::Io(e.to_string()))??;
        self.held = false;
        Ok(())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.held {
            self.uplink.outbox.release(self.number);
        }
    }
}

/// Puts pinned clips at the relay again before its time for them is over.
pub(super) async fn renew(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        // The relay's clock is one of two that say how old clips are.
        uplink.outbox.heard(connection.server_time(), moment());
        for stream in uplink.outbox.expiring(connection.server_time()).into_iter().take(RENEW_AT_ONCE) {
            // One that can't be put again keeps no other from it.
            match renew_one(&uplink, stream).await? {
                Ok(true) => tracing::info!(%stream, "a pinned clip is put at the relay again"),
                Ok(false) => tracing::debug!(%stream, "a pinned clip went before it was put at the relay again"),
                Err(error) => {
                    tracing::error!(%stream, %error, "a pinned clip can't be put at the relay again; trying again");
                }
            }
        }
        tokio::time::sleep(RENEW).await;
    }
}

async fn renew_one(uplink: &Uplink, stream: StreamId) -> Result<Result<bool, StoreError>, Stopping> {
    let outbox = uplink.outbox.clone();
    let read = tokio::task::spawn_blocking(move || outbox.lengths(stream)).await;
    let lengths = match read.unwrap_or_else(|panic| Err(StoreError::Io(panic.to_string()))) {
        Ok(Some(lengths)) => lengths,
        Ok(None) => {
            tracing::error!(%stream, "a pinned clip is gone from the disk; the relay keeps what it has for as long as it does");
            return Ok(Ok(false));
        }
        Err(error) => return Ok(Err(error)),
    };
    let (outbox, keep) = (uplink.outbox.clone(), uplink.relay_keeps);
    uplink.home.call(move |_, _| outbox.put_again(stream, &lengths, keep, moment())).await
}

/// Tells the relay which streams are no more, and which are whole, once it has all their segments.
pub(super) async fn finish(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    loop {
        for stream in uplink.outbox.drops() {
            match connection.drop_stream(stream).await {
                Ok(()) => {}
                Err(ClientError::Refused(refusal)) => {
                    tracing::warn!(%stream, %refusal, "the relay did not forget a stream; it is asked again");
                    tokio::time::sleep(NO_ROOM).await;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
            let outbox = uplink.outbox.clone();
            let done = tokio::task::spawn_blocking(move || outbox.dropped(stream)).await;
            done.map_err(|e| StoreError::Io(e.to_string()))??;
        }
        for (stream, segments) in uplink.outbox.finishes() {
            let told = match segments {
                Some(segments) => connection.finish_stream(stream, segments).await,
                // A live stream that a crash cut off: it has as many as the relay got.
                None => match connection.stat(stream).await {
                    Ok(state) => connection.finish_stream(stream, state.next).await,
                    Err(error) => Err(error),
                },
            };
            match told {
                Ok(()) => {}
                // It does not know the stream (any more), or knows its end already.
                Err(ClientError::Refused(refusal)) => {
                    tracing::debug!(%stream, %refusal, "the relay was not told a stream's end");
                    if matches!(refusal.code, Code::Busy | Code::Storage | Code::Quota) {
                        continue;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            let outbox = uplink.outbox.clone();
            let done = tokio::task::spawn_blocking(move || outbox.finished(stream)).await;
            done.map_err(|e| StoreError::Io(e.to_string()))??;
        }
        tokio::time::sleep(LOOK).await;
    }
}
