//! Getting a clip's segments: from the cache, or from the relay with resume; each is checked whole, and against the one
//! before it, before it counts. Only when all of them did is the relay told that this phone needs them no longer.

use std::time::Duration;

use bytes::Bytes;
use privet_relay_client::{ClientError, Code};
use privet_segment::{Header, StoredSegment};

use super::{FetchProgress, Inner, OPEN, Opened, Part, tampered};
use crate::clock;
use crate::error::{CoreError, Result};
use crate::events::TrustAlert;
use crate::mp4;
use crate::runtime;
use crate::sync::client_error;

/// How long to wait for a connection.
pub(super) const CONNECTION: Duration = Duration::from_secs(15);
/// How long a transfer may stand still.
pub(super) const STANDSTILL: Duration = Duration::from_secs(20);
/// How often a broken transfer is resumed without any progress in between.
const TRIES: u32 = 3;
/// How long to wait for a segment that the hub is still sending.
const ARRIVAL: Duration = Duration::from_secs(10);
/// A clip that ended this long ago may be wholly unknown to the relay yet.
const RECENT: Duration = Duration::from_secs(60);
/// The same where clips come at a constant rate.
const CARRIED: Duration = Duration::from_secs(86_400);
/// A sealed segment is never longer than this.
pub(super) const MAX_SEGMENT: u64 = 256 << 20;

impl Inner {
    /// Gets and checks the next segment, unless someone else just did.
    pub(super) async fn load_next(&self) -> Result<()> {
        let before = self.parts().len();
        let _one_at_a_time = tokio::select! {
            guard = self.loading.lock() => guard,
            () = self.stop.cancelled() => return Err(CoreError::Stopped),
        };
        if self.parts().len() > before || self.complete() {
            return Ok(());
        }
        let index = self.first + before as u64;
        let loaded = tokio::select! {
            loaded = self.load(index) => loaded,
            () = self.stop.cancelled() => return Err(CoreError::Stopped),
        };
        if let Err(CoreError::Tampered { reason }) = &loaded {
            self.core.alert(TrustAlert::BrokenMedia {
                stream: self.stream.to_string(),
                segment: index,
                why: reason.clone(),
            });
        }
        let part = loaded?;
        let signer = part.signer.clone();
        self.parts().push(part);
        self.progress.send_modify(|progress| progress.ready = before as u64 + 1);
        if self.complete() {
            self.core.mark_verified(self.stream, signer).await?;
            self.acknowledge().await;
        }
        Ok(())
    }

    /// Segment `index`, open for reading; fetched again when the cache had to let go of it.
    pub(super) async fn opened(&self, index: u64) -> Result<Opened> {
        {
            let mut opened = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(at) = opened.iter().position(|(held, _)| *held == index) {
                let held = opened.remove(at);
                let segment = held.1.clone();
                opened.push(held);
                return Ok(segment);
            }
        }
        let segment = self.get(index, false).await?;
        let mut opened = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if opened.len() == OPEN {
            opened.remove(0);
        }
        opened.push((index, segment.clone()));
        Ok(segment)
    }

    async fn load(&self, index: u64) -> Result<Part> {
        let segment = self.get(index, true).await?;
        let before = self.parts().last().cloned();
        let (camera, last, ended) = (self.record.camera, index + 1 == self.ended.segments, self.ended.last_statement);
        let previous = segment.statement().previous;
        let part = runtime::blocking(move || {
            let statement = segment.statement();
            let broken = |why: &str| CoreError::Tampered { reason: format!("segment {index}: {why}") };
            if statement.camera != camera {
                return Err(broken("it was made by another camera"));
            }
            if before.as_ref().is_some_and(|before| before.digest != statement.previous) {
                return Err(broken("it does not follow the segment before it"));
            }
            if last && statement.digest() != ended {
                return Err(broken("it is not the clip's last one, as the hub told it"));
            }
            let parameters = statement.parameters;
            let skip = if before.as_ref().is_some_and(|before| before.parameters == parameters) {
                init_length(&segment).map_err(|e| tampered(index, &e))?
            } else {
                0
            };
            Ok(Part {
                offset: before.map_or(0, |before| before.offset + before.length),
                skip,
                length: segment.mp4_len() - skip,
                parameters,
                digest: statement.digest(),
                signer: segment.signer().fingerprint(),
            })
        })
        .await?;
        // The camera's recordings are one chain, over the clips' borders too.
        if index == 0 && self.core.library().follows(&self.stream, &previous) == Some(false) {
            self.core.alert(TrustAlert::ClipMissing { clip: self.stream.to_string(), camera: camera.to_string() });
        }
        Ok(part)
    }

    /// Opens segment `index`, with `check` also every byte of it. What the cache holds is only a try.
    async fn get(&self, index: u64, check: bool) -> Result<Opened> {
        if let Some(blob) = self.core.cache.read(&self.stream, index) {
            match self.open(index, blob, check).await {
                Ok(segment) => return Ok(segment),
                Err(error) => {
                    tracing::warn!(target: "privet::clip", %error, "a cached segment is damaged: fetching it again");
                    self.core.cache.remove(&self.stream, index);
                }
            }
        }
        let resumed = self.core.cache.partial(&self.stream, index) > 0;
        let blob = self.fetch(index).await?;
        match self.open(index, blob, check).await {
            Err(CoreError::Tampered { .. }) if resumed => {
                self.core.cache.remove(&self.stream, index);
                let blob = self.fetch(index).await?;
                self.open(index, blob, check).await
            }
            other => other,
        }
        .inspect_err(|_| self.core.cache.remove(&self.stream, index))
    }

    async fn open(&self, index: u64, blob: Bytes, check: bool) -> Result<Opened> {
        let (record, stream, trust) = (self.record.clone(), self.stream, self.core.trust());
        runtime::blocking(move || {
            let key = record.key()?;
            let segment = StoredSegment::open(blob, &key, Header { stream, index }, &*trust)
                .and_then(|segment| if check { segment.check().map(|()| segment) } else { Ok(segment) });
            segment.map(std::sync::Arc::new).map_err(|e| tampered(index, &e))
        })
        .await
    }

    /// Fetches segment `index` into the cache, from where an earlier try broke off.
    async fn fetch(&self, index: u64) -> Result<Bytes> {
        let mut tries = 0;
        let asked = tokio::time::Instant::now();
        loop {
            let before = self.core.cache.partial(&self.stream, index);
            match self.transfer(index, before).await {
                Ok(blob) => return Ok(blob),
                Err(TransferError::Final(error)) => return Err(error),
                Err(TransferError::Absent(error)) => {
                    if !self.on_its_way().await {
                        return Err(error);
                    }
                    if asked.elapsed() > ARRIVAL {
                        let reason =
                            format!("segment {index} of clip {} is still on its way from the hub", self.stream);
                        let retry_after_ms = u64::try_from(ARRIVAL.as_millis()).ok();
                        return Err(CoreError::Network { reason, retry_after_ms });
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(TransferError::Broken(error)) => {
                    if self.core.cache.partial(&self.stream, index) > before {
                        tries = 0;
                    }
                    tries += 1;
                    if tries >= TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(200) * tries).await;
                }
            }
        }
    }

    /// Whether what the relay lacks may still come: a clip is told of before all of it is sent.
    async fn on_its_way(&self) -> bool {
        // At a constant rate clips take their time, and the relay knows nothing of them.
        if self.core.library().carried.any() {
            return clock::now().since(self.ended.ended) < CARRIED;
        }
        let Ok(connection) = self.core.connection(CONNECTION).await else { return false };
        match connection.stat(self.stream).await {
            Ok(state) => state.finished.is_none(),
            Err(_) => clock::now().since(self.ended.ended) < RECENT,
        }
    }

    async fn transfer(&self, index: u64, offset: u64) -> std::result::Result<Bytes, TransferError> {
        let place = self.core.library().carried.of(&self.stream, index);
        let offset = match place {
            Some(place) => match self.transfer_carried(index, offset, &place).await {
                // Cells go early, and what was here of it went too; it may lie there in the open.
                Err(TransferError::Absent(_)) => 0,
                other => return other,
            },
            None => offset,
        };
        let connection = self.core.connection(CONNECTION).await.map_err(TransferError::Final)?;
        let got = tokio::time::timeout(STANDSTILL, connection.get(self.stream, index, offset)).await;
        let mut reader = got.unwrap_or(Err(ClientError::Timeout)).map_err(|e| self.transfer_error(index, &e))?;
        let mut partial = self.core.cache.partial_file(&self.stream, index).map_err(TransferError::Final)?;
        loop {
            let read = tokio::time::timeout(STANDSTILL, reader.read()).await.unwrap_or(Err(ClientError::Timeout));
            match read.map_err(|e| self.transfer_error(index, &e))? {
                Some(bytes) if reader.offset() <= MAX_SEGMENT => {
                    partial.append(&bytes).map_err(TransferError::Final)?;
                    self.progress.send_modify(|progress: &mut FetchProgress| {
                        progress.fetched_bytes += bytes.len() as u64;
                    });
                }
                Some(_) => {
                    self.core.cache.drop_partial(&self.stream, index);
                    let reason = format!("segment {index}: the relay sends more than a segment can have");
                    return Err(TransferError::Final(CoreError::Tampered { reason }));
                }
                None => break,
            }
        }
        let blob = partial.contents().map_err(TransferError::Final)?;
        self.core.cache.finish(&self.stream, index, partial).map_err(TransferError::Final)?;
        Ok(blob)
    }

    pub(super) fn transfer_error(&self, index: u64, error: &ClientError) -> TransferError {
        match error {
            ClientError::Refused(refusal) if matches!(refusal.code, Code::Gone | Code::NotFound) => {
                self.core.cache.drop_partial(&self.stream, index);
                TransferError::Absent(CoreError::NotFound {
                    what: format!(
                        "segment {index} of clip {}: it is neither on this phone nor at the relay any more",
                        self.stream
                    ),
                })
            }
            ClientError::Refused(refusal) if refusal.code != Code::Busy => TransferError::Final(client_error(error)),
            // A resume past the end or a protocol error: start over.
            ClientError::Protocol(_) => {
                self.core.cache.drop_partial(&self.stream, index);
                TransferError::Broken(client_error(error))
            }
            _ => TransferError::Broken(client_error(error)),
        }
    }

    /// All of it is here, durable and verified: the relay may forget it.
    async fn acknowledge(&self) {
        if !self.core.cache.has_all(&self.stream, self.first..self.ended.segments) {
            return;
        }
        // The relay does not know that there is a clip in the cells, and is not to learn it.
        if self.core.library().carried.of(&self.stream, self.first).is_some() {
            return;
        }
        let Ok(connection) = self.core.connection(Duration::ZERO).await else { return };
        if let Err(error) = connection.ack_stream(self.stream).await {
            tracing::debug!(target: "privet::clip", %error, "the relay was not told that this clip is here");
        }
    }
}

pub(super) enum TransferError {
    /// Trying again may help.
    Broken(CoreError),
    /// The relay does not have it: not any more, or not yet.
    Absent(CoreError),
    /// It does not.
    Final(CoreError),
}

/// How long the init segment at the start of a segment's MP4 is.
fn init_length(segment: &StoredSegment<Bytes>) -> std::result::Result<u64, privet_segment::SegmentError> {
    let mut at = 0;
    let mut head = [0; 8];
    while at + 8 <= segment.mp4_len() {
        let mut filled = 0;
        while filled < head.len() {
            match segment.read_mp4(at + filled as u64, &mut head[filled..])? {
                0 => return Ok(0),
                more => filled += more,
            }
        }
        let (length, kind) = mp4::box_head(&head);
        if length < 8 {
            break;
        }
        at += length;
        if &kind == b"moov" {
            return Ok(at.min(segment.mp4_len()));
        }
    }
    Ok(0)
}
