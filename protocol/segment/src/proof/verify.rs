//! Checking an exported file, with nothing but public keys.

use std::collections::HashMap;

use bytes::Bytes;
use privet_protocol::id::CameraId;
use privet_protocol::time::Timestamp;

use super::format::{self, SegmentProof};
use crate::assemble::Assembler;
use crate::chain::{Chain, Link};
use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::media::{InitInfo, Track, UnitHead};
use crate::record::{self, Kind};
use crate::session::{CheckedSession, SessionCache};
use crate::statement::{Gap, Statement};
use crate::trailer::check_entries;
use crate::tree::{Entries, Entry};

/// What a check of an exported file found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Who signed.
    pub signers: Vec<Signer>,
    /// Segments in the file.
    pub segments: u32,
    /// Start of the first segment.
    pub from: Option<Timestamp>,
    /// End of the last one.
    pub until: Option<Timestamp>,
    /// Video frames whose bytes are what was signed.
    pub frames: u64,
    /// Bytes of the MP4 that are what was signed.
    pub media_bytes: u64,
    /// Where something is missing, told by the hub or not.
    pub gaps: Vec<Missing>,
    /// Segments whose statement says that the hub's clock was set back.
    pub clock_set_back: u32,
    /// Every check that failed.
    pub failures: Vec<Failure>,
}

impl VerifyReport {
    /// Everything in the file is what trusted keys signed. Something may be missing: see [`Self::gaps`].
    pub fn is_authentic(&self) -> bool {
        self.failures.is_empty() && self.segments > 0
    }
}

/// One who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer {
    /// The camera.
    pub camera: CameraId,
    /// Its evidence key.
    pub key: EvidencePublicKey,
    /// The caller trusts this key for this camera.
    pub trusted: bool,
}

/// A place where something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The hub told of an outage before this segment.
    Told {
        /// Position in the file.
        segment: u32,
        /// The outage.
        gap: Gap,
    },
    /// Segments that the camera signed are not in the file.
    LeftOut {
        /// Position in the file of the segment after the hole.
        segment: u32,
        /// How many.
        count: u64,
    },
    /// Frames were lost before they could be signed.
    Frames {
        /// Position in the file of the segment with the hole, or after it.
        segment: u32,
        /// How many.
        count: u64,
    },
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment} of the file: {cause}")]
pub struct Failure {
    /// Position in the file.
    pub segment: u32,
    /// What failed.
    pub cause: SegmentError,
}

/// Checks an exported file. A signer that `trust` does not know is named in the report, and is a failure.
///
/// # Errors
/// [`SegmentError::Statement`] when the file has no readable proof at its end.
pub fn verify_mp4(file: &[u8], trust: &dyn EvidenceKeys) -> Result<VerifyReport, SegmentError> {
    let unreadable = |why| SegmentError::Statement { what: "proof", why };
    let (media, proof) = format::split(file).ok_or(unreadable("the file does not end with one"))?;
    let segments = format::parse(proof).ok_or(unreadable("not in its one form"))?;
    let mut check = Check {
        report: VerifyReport::default(),
        trust,
        sessions: SessionCache::default(),
        chains: HashMap::new(),
        media,
        init: &[],
    };
    for segment in &segments {
        check.segment(segment);
        check.report.segments += 1;
    }
    if !check.media.is_empty() {
        check.fail(SegmentError::TrailingBytes);
    }
    Ok(check.report)
}

struct Check<'a> {
    report: VerifyReport,
    trust: &'a dyn EvidenceKeys,
    sessions: SessionCache,
    chains: HashMap<CameraId, (Chain, u64)>,
    /// Media not yet looked at.
    media: &'a [u8],
    /// The init segment in force.
    init: &'a [u8],
}

impl<'a> Check<'a> {
    fn fail(&mut self, cause: SegmentError) {
        self.report.failures.push(Failure { segment: self.report.segments, cause });
    }

    fn segment(&mut self, proof: &SegmentProof<'a>) {
        let Some(entries) = Entries::from_bytes(proof.entries) else {
            return self.fail(SegmentError::Statement { what: "proof", why: "a list of leaves that is none" });
        };
        let statement = self.statement(proof).and_then(|statement| {
            check_entries(&entries, &statement)?;
            Ok(statement)
        });
        // Even without a good statement the media are walked, so that the segments after it are found.
        let failures = self.report.failures.len();
        let walked = self.records(proof, &entries);
        let statement = match statement {
            Ok(statement) => statement,
            Err(cause) => return self.fail(cause),
        };
        self.place(&statement);
        match walked {
            Ok(walked) => {
                self.report.frames += walked.frames;
                self.report.media_bytes += walked.media_bytes;
                if let Err(cause) = walked.assembler.tally.check(&statement)
                    && self.report.failures.len() == failures
                {
                    self.fail(cause);
                }
            }
            Err(cause) => self.fail(cause),
        }
    }

    /// The statement, if its signatures hold; and whether its signer is trusted.
    fn statement(&mut self, proof: &SegmentProof<'_>) -> Result<Statement, SegmentError> {
        let session = CheckedSession::verify(proof.certificate, Some(&self.sessions))?;
        let statement = session.statement(proof.statement)?;
        let certificate = &session.certificate;
        let trusted = certificate.trusted(self.trust);
        let signer = Signer { camera: certificate.camera, key: certificate.evidence, trusted };
        if !self.report.signers.contains(&signer) {
            self.report.signers.push(signer);
        }
        if !trusted {
            self.fail(SegmentError::UnknownCamera { camera: certificate.camera });
        }
        Ok(statement)
    }

    /// Where the statement stands among the others.
    fn place(&mut self, statement: &Statement) {
        let segment = self.report.segments;
        let (chain, last_frame) = self.chains.entry(statement.camera).or_default();
        let lost_between = statement.first_frame.saturating_sub(last_frame.saturating_add(1));
        let link = chain.accept(statement);
        *last_frame = statement.last_frame;
        let mut missing = |what| self.report.gaps.push(what);
        match link {
            Ok(Link::First) => {}
            Ok(Link::Next) if lost_between == 0 => {}
            Ok(Link::Next) => missing(Missing::Frames { segment, count: lost_between }),
            Ok(Link::Missing(count)) => missing(Missing::LeftOut { segment, count }),
            Err(cause) => self.fail(cause),
        }
        self.report.clock_set_back += u32::from(statement.clock_stepped_back);
        if let Some(gap) = statement.gap {
            self.report.gaps.push(Missing::Told { segment, gap });
        }
        let span = (statement.last_frame - statement.first_frame.min(statement.last_frame)).saturating_add(1);
        if statement.frames > 0 && span > statement.frames {
            self.report.gaps.push(Missing::Frames { segment, count: span - statement.frames });
        }
        self.report.from.get_or_insert(statement.started);
        self.report.until = Some(statement.ended);
    }

    /// Makes every record of the segment again from heads and media, and holds it against its leaf.
    fn records(&mut self, proof: &SegmentProof<'a>, entries: &Entries) -> Result<Walked, SegmentError> {
        let malformed = |why| SegmentError::Statement { what: "proof", why };
        let mut walked = Walked { assembler: Assembler::new(), frames: 0, media_bytes: 0 };
        let (mut heads, mut old_init, media_before) = (proof.heads, self.init, self.media);
        let mut unit = Unit { video: false, good: false };
        let (mut in_init, mut intact, mut init_length) = (true, true, 0);
        for index in 0..entries.len() {
            let Entry { kind, length, leaf } = entries.get(index).ok_or(malformed("a record of unknown kind"))?;
            let head_length = match kind {
                Kind::Init => InitInfo::parse(heads).ok_or(malformed("an init segment's head that is none"))?.1,
                Kind::Unit => UnitHead::LENGTH,
                Kind::More => 0,
                Kind::Trailer | Kind::Padding => return Err(malformed("a record that is no media")),
            };
            let (head, rest) = heads.split_at_checked(head_length).ok_or(malformed("too few heads"))?;
            heads = rest;
            in_init &= kind != Kind::Unit;
            let from_file = !in_init || proof.init;
            let source = if from_file { &mut self.media } else { &mut old_init };
            let media_length = length.checked_sub(head_length).ok_or(malformed("a record shorter than its head"))?;
            let Some((media, rest)) = source.split_at_checked(media_length) else {
                *source = &[];
                return Err(SegmentError::Truncated { record: index as u32 });
            };
            *source = rest;
            init_length += if in_init { media_length } else { 0 };
            let plaintext = [&record::head(kind, length)[..], head, media].concat();
            let good = blake3::hash(&plaintext) == leaf;
            if kind == Kind::Unit {
                walked.frames += unit.good_frames();
                let video = UnitHead::parse(head).is_some_and(|head| head.track == Track::Video);
                unit = Unit { video, good: true };
            }
            unit.good &= good;
            walked.media_bytes += if good && from_file { media_length as u64 } else { 0 };
            if !good {
                self.fail(SegmentError::Forged { record: index as u32 });
            }
            intact &= good;
            if intact {
                walked.assembler.take(kind, Bytes::from(plaintext).slice(record::HEAD..))?;
            }
        }
        walked.frames += unit.good_frames();
        if !heads.is_empty() {
            return Err(malformed("too many heads"));
        }
        if proof.init {
            self.init = media_before.get(..init_length).unwrap_or_default();
        }
        Ok(walked)
    }
}

/// What the media of one segment amount to.
struct Walked {
    assembler: Assembler,
    frames: u64,
    media_bytes: u64,
}

struct Unit {
    video: bool,
    good: bool,
}

impl Unit {
    fn good_frames(&self) -> u64 {
        u64::from(self.video && self.good)
    }
}
