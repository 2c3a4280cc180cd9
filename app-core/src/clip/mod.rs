//! A finished recording with random access: fetched segment by segment, verified before a byte of it is handed out.
//!
//! The clip is one fragmented MP4: the first segment's init, then every segment's fragments. Segments are fetched in order
//! in the background ([`load`]); whoever needs one that is not there yet waits for it, bounded, or gets the reason.
//!
//! Of a clip that was being recorded when this phone joined, the phone has the key from some segment on: here, that is the
//! clip's first one.

mod in_carrier;
mod load;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use privet_protocol::id::StreamId;
use privet_segment::StoredSegment;
use privet_segment::proof::Exporter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{CoreError, Result};
use crate::library::{Ended, StreamRecord};
use crate::runtime;
use crate::state::Core;
use crate::types::{ClipInfo, ClipNotes, Outage, Trust, VerifyReport};

/// The most that one read returns.
const MAX_READ: usize = 4 << 20;
/// Segments that are kept open for reading.
const OPEN: usize = 3;

/// How far a clip was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FetchProgress {
    /// Segments that are here and verified.
    pub ready: u64,
    /// Segments of the clip that this phone can open.
    pub segments: u64,
    /// Bytes that came over the network for this view of it.
    pub fetched_bytes: u64,
    /// Sealed bytes of the whole clip.
    pub total_bytes: u64,
}

/// A clip. Dropping it ends its fetching.
pub struct Clip {
    inner: Arc<Inner>,
}

/// A segment opened for reading.
type Opened = Arc<StoredSegment<Bytes>>;

struct Inner {
    core: Arc<Core>,
    stream: StreamId,
    record: StreamRecord,
    ended: Ended,
    /// The first segment that this phone has the key of.
    first: u64,
    parts: Mutex<Vec<Part>>,
    loading: tokio::sync::Mutex<()>,
    opened: Mutex<Vec<(u64, Opened)>>,
    progress: watch::Sender<FetchProgress>,
    stop: CancellationToken,
}

/// A verified segment's place in the clip.
#[derive(Clone)]
struct Part {
    /// Where its bytes begin in the clip.
    offset: u64,
    /// How many of its own first bytes are left out: an init segment like the one before.
    skip: u64,
    /// How many of its bytes are in the clip.
    length: u64,
    parameters: [u8; 32],
    digest: [u8; 32],
    signer: String,
}

impl Clip {
    /// Opens the clip `stream`: returns once its first segment is verified; the rest follows.
    pub(crate) async fn open(core: Arc<Core>, stream: StreamId) -> Result<Self> {
        let record = core.library().stream(&stream).filter(|r| r.kind == privet_home::StreamKind::Clip).cloned();
        let Some(record) = record else { return Err(CoreError::NotFound { what: format!("clip {stream}") }) };
        let Some(ended) = record.ended.clone() else {
            return Err(CoreError::NotFound { what: format!("the end of clip {stream}: it is still being recorded") });
        };
        let first = record.first_segment();
        let segments = ended.segments.saturating_sub(first);
        let progress = FetchProgress { segments, total_bytes: ended.bytes, ..FetchProgress::default() };
        let stop = core.stop.child_token();
        let inner = Arc::new(Inner {
            core,
            stream,
            record,
            ended,
            first,
            parts: Mutex::default(),
            loading: tokio::sync::Mutex::new(()),
            opened: Mutex::default(),
            progress: watch::Sender::new(progress),
            stop,
        });
        let clip = Self { inner: inner.clone() };
        inner.load_next().await?;
        let tasks = inner.core.tasks.clone();
        tasks.spawn(async move {
            while !inner.complete() {
                if let Err(error) = inner.load_next().await {
                    // Whoever reads on tries again and is told.
                    tracing::debug!(target: "privet::clip", %error, "fetching paused");
                    break;
                }
            }
        });
        Ok(clip)
    }

    /// What is known of the clip now.
    pub fn info(&self) -> ClipInfo {
        let inner = &self.inner;
        let mut info = clip_info(&inner.core, inner.stream, &inner.record);
        if inner.complete() {
            info.trust = inner.trust();
            info.local = inner.core.cache.has_all(&inner.stream, inner.first..inner.ended.segments);
        }
        info
    }

    /// Its length in bytes, once all of it is here and verified.
    ///
    /// # Errors
    /// Why not all of it could be fetched or verified.
    pub async fn len(&self) -> Result<u64> {
        let inner = self.inner.clone();
        runtime::run(async move {
            inner.load_all().await?;
            Ok(inner.length())
        })
        .await
    }

    /// What it is: always `video/mp4`.
    pub fn mime(&self) -> &'static str {
        "video/mp4"
    }

    /// How far it was fetched.
    pub fn progress(&self) -> FetchProgress {
        *self.inner.progress.borrow()
    }

    /// Up to `max` verified bytes from `offset` on; empty at the end. Waits for what is not here yet.
    ///
    /// # Errors
    /// [`CoreError::Tampered`] when a byte on the way is not what was signed, [`CoreError::Network`] and
    /// [`CoreError::NotFound`] when it can't be fetched, [`CoreError::Stopped`].
    pub async fn read(&self, offset: u64, max: u32) -> Result<Vec<u8>> {
        let inner = self.inner.clone();
        runtime::run(async move { inner.read(offset, max as usize).await }).await
    }

    /// The blocking twin of [`Clip::read`], for a player's loader thread.
    ///
    /// # Errors
    /// As [`Clip::read`]; [`CoreError::Invalid`] on an async thread.
    pub fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>> {
        runtime::block_on(self.read(offset, max))
    }

    /// Waits until the bytes of this range are here.
    ///
    /// # Errors
    /// As [`Clip::read`].
    pub async fn prefetch(&self, offset: u64, bytes: u64) -> Result<()> {
        let inner = self.inner.clone();
        runtime::run(async move {
            while inner.length() < offset.saturating_add(bytes) && !inner.complete() {
                inner.load_next().await?;
            }
            Ok(())
        })
        .await
    }

    /// Checks every byte against what the camera signed.
    ///
    /// # Errors
    /// Why not all of it could be fetched. What does not hold is in the report.
    pub async fn verify(&self) -> Result<VerifyReport> {
        let inner = self.inner.clone();
        runtime::run(async move { inner.verify().await }).await
    }

    /// Writes the clip to `path`: a plain MP4, with `with_evidence` followed by the proof that anyone can check.
    ///
    /// # Errors
    /// As [`Clip::read`], and [`CoreError::Storage`] when the file can't be written. A file that stood there is replaced only
    /// by a whole one.
    pub async fn export_to(&self, path: impl Into<PathBuf>, with_evidence: bool) -> Result<()> {
        let (inner, path) = (self.inner.clone(), path.into());
        runtime::run(async move { inner.export(path, with_evidence).await }).await
    }

    /// Ends all fetching; waiting calls return at once.
    pub fn stop(&self) {
        self.inner.stop.cancel();
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    fn parts(&self) -> MutexGuard<'_, Vec<Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn length(&self) -> u64 {
        self.parts().last().map_or(0, |part| part.offset + part.length)
    }

    fn complete(&self) -> bool {
        self.first + self.parts().len() as u64 >= self.ended.segments
    }

    fn trust(&self) -> Trust {
        let signer = self.parts().first().map(|part| part.signer.clone()).unwrap_or_default();
        Trust::Verified { signer, lease_until_ms: None }
    }

    async fn load_all(&self) -> Result<()> {
        while !self.complete() {
            self.load_next().await?;
        }
        Ok(())
    }

    async fn read(&self, offset: u64, max: usize) -> Result<Vec<u8>> {
        while self.length() <= offset && !self.complete() {
            self.load_next().await?;
        }
        let place = {
            let parts = self.parts();
            let at = parts.partition_point(|part| part.offset + part.length <= offset);
            parts.get(at).map(|part| {
                (self.first + at as u64, part.skip + (offset - part.offset), part.offset + part.length - offset)
            })
        };
        let Some((index, from, left)) = place else { return Ok(Vec::new()) };
        let segment = self.opened(index).await?;
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(max).min(MAX_READ);
        runtime::blocking(move || {
            let mut buffer = vec![0; length];
            let mut filled = 0;
            while filled < length {
                match segment.read_mp4(from + filled as u64, &mut buffer[filled..]).map_err(|e| tampered(index, &e))? {
                    0 => break,
                    more => filled += more,
                }
            }
            buffer.truncate(filled);
            Ok(buffer)
        })
        .await
    }

    async fn verify(&self) -> Result<VerifyReport> {
        let mut report = VerifyReport {
            signer_known: true,
            first_segment: self.first,
            time_claim_ms: self.record.started.0,
            ..Default::default()
        };
        for index in self.first..self.ended.segments {
            let outcome = async {
                while self.first + (self.parts().len() as u64) <= index {
                    self.load_next().await?;
                }
                let segment = self.opened(index).await?;
                runtime::blocking(move || segment.check().map(|()| segment).map_err(|e| tampered(index, &e))).await
            }
            .await;
            let segment = match outcome {
                Ok(segment) => segment,
                Err(CoreError::Tampered { reason }) => {
                    report.problems.push(reason);
                    break;
                }
                Err(error) => return Err(error),
            };
            let statement = segment.statement();
            if index == self.first {
                report.time_claim_ms = statement.started.0;
                report.signer = segment.signer().fingerprint();
            }
            report.time_end_ms = statement.ended.0;
            report.segments += 1;
            report.frames_checked += statement.frames;
            report.gaps.extend(statement.gap.map(Outage::from));
            report.clock_set_back += u32::from(statement.clock_stepped_back);
            report.chain.push(data_encoding::HEXLOWER.encode(&statement.digest()));
        }
        report.ok = report.problems.is_empty() && self.first + report.segments == self.ended.segments;
        report.signer_known = !report.signer.is_empty();
        Ok(report)
    }

    async fn export(&self, path: PathBuf, with_evidence: bool) -> Result<()> {
        self.load_all().await?;
        if path.metadata().is_ok_and(|about| !about.is_file()) {
            // A pipe or a device can't be replaced.
            return self.write_export(&path, with_evidence).await;
        }
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let outcome = self.write_export(&partial, with_evidence).await;
        match outcome {
            Ok(()) => std::fs::rename(&partial, &path).map_err(|e| CoreError::file(&path, &e)),
            Err(error) => {
                let _ = std::fs::remove_file(&partial);
                Err(error)
            }
        }
    }

    async fn write_export(&self, path: &std::path::Path, with_evidence: bool) -> Result<()> {
        let mut file = Some(std::fs::File::create(path).map_err(|e| CoreError::file(path, &e))?);
        let mut exporter = Some(Exporter::default());
        for index in self.first..self.ended.segments {
            let segment = self.opened(index).await?;
            let (mut out_file, mut out_exporter, path) = (file.take(), exporter.take(), path.to_owned());
            (file, exporter) = runtime::blocking(move || {
                let mut out = Vec::new();
                if let Some(exporter) = &mut out_exporter {
                    exporter.add(&segment, &mut out).map_err(|e| tampered(index, &e))?;
                }
                write(&mut out_file, &out, &path)?;
                Ok((out_file, out_exporter))
            })
            .await?;
        }
        let path = path.to_owned();
        runtime::blocking(move || {
            let mut out = Vec::new();
            if let Some(exporter) = exporter.filter(|_| with_evidence) {
                exporter.finish(&mut out).map_err(|e| CoreError::Tampered { reason: e.to_string() })?;
            }
            write(&mut file, &out, &path)?;
            let whole = |file: std::fs::File| if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) };
            file.map_or(Ok(()), whole).map_err(|e| CoreError::file(&path, &e))
        })
        .await
    }
}

fn write(file: &mut Option<std::fs::File>, bytes: &[u8], path: &std::path::Path) -> Result<()> {
    use std::io::Write;
    file.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(|e| CoreError::file(path, &e))
}

fn tampered(segment: u64, error: &privet_segment::SegmentError) -> CoreError {
    CoreError::Tampered { reason: format!("segment {segment}: {error}") }
}

/// A clip as lists show it.
pub(crate) fn clip_info(core: &Core, stream: StreamId, record: &StreamRecord) -> ClipInfo {
    let ended = record.ended.as_ref();
    ClipInfo {
        id: stream.to_string(),
        camera_id: record.camera.to_string(),
        start_ms: record.started.0,
        duration_ms: ended
            .map_or(0, |ended| u64::try_from(ended.ended.since(record.started).as_millis()).unwrap_or(u64::MAX)),
        bytes: ended.map_or(0, |ended| ended.bytes),
        segments: ended.map(|ended| ended.segments),
        first_segment: record.first_segment(),
        finished: ended.is_some(),
        local: ended.is_some_and(|ended| core.cache.has_all(&stream, record.first_segment()..ended.segments)),
        trust: match &record.verified {
            Some(signer) => Trust::Verified { signer: signer.clone(), lease_until_ms: None },
            None => Trust::Pending,
        },
        notes: record.shows.as_ref().map(|shows| ClipNotes {
            heat: shows.heat.to_vec(),
            peak_ms: shows.peak.0,
            zones: shows.zones.clone(),
            pinned: shows.pinned,
            thumbnail: shows.thumbnail,
        }),
    }
}
