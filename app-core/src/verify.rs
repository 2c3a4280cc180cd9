//! Judging an exported clip: for anyone who has the file and the camera's public key; no pairing, no relay.

use std::path::Path;

use privet_protocol::id::CameraId;
use privet_segment::proof::{self, Missing};
use privet_segment::{EvidenceKeys, EvidencePublicKey, SegmentError};

use crate::error::{CoreError, Result};
use crate::types::VerifyReport;

/// Longer files are refused: the check holds the whole file.
const MAX_FILE: u64 = 4 << 30;

/// Checks the exported clip at `path`. `roots` are evidence public keys (65 bytes each); without any, everything else is
/// checked and the signer is reported as unknown.
///
/// # Errors
/// [`CoreError::Storage`] when the file can't be read, [`CoreError::Tampered`] when it has no readable proof,
/// [`CoreError::Invalid`] for a root that is no key.
pub fn verify_file(path: impl AsRef<Path>, roots: &[Vec<u8>]) -> Result<VerifyReport> {
    let path = path.as_ref();
    let about = std::fs::metadata(path).map_err(|e| CoreError::file(path, &e))?;
    if about.len() > MAX_FILE {
        return Err(CoreError::Invalid {
            reason: format!(
                "{}: {} bytes are more than the {MAX_FILE} that are checked at once",
                path.display(),
                about.len()
            ),
        });
    }
    verify_bytes(&std::fs::read(path).map_err(|e| CoreError::file(path, &e))?, roots)
}

/// Checks an exported clip in memory, like [`verify_file`].
///
/// # Errors
/// As [`verify_file`].
pub fn verify_bytes(file: &[u8], roots: &[Vec<u8>]) -> Result<VerifyReport> {
    let roots: Vec<EvidencePublicKey> = roots
        .iter()
        .map(|root| EvidencePublicKey::from_bytes(root))
        .collect::<std::result::Result<_, SegmentError>>()
        .map_err(|_| CoreError::Invalid {
            reason: "a trust root is an evidence public key: 65 bytes that start with 04".into(),
        })?;
    let found = proof::verify_mp4(file, &Roots(roots)).map_err(|e| CoreError::Tampered { reason: e.to_string() })?;
    Ok(report(&found))
}

/// The same keys for whatever camera: the file says which camera it was, and the root who vouches for it.
struct Roots(Vec<EvidencePublicKey>);

impl EvidenceKeys for Roots {
    fn evidence_keys(&self, _camera: &CameraId) -> Vec<EvidencePublicKey> {
        self.0.clone()
    }
}

fn report(found: &proof::VerifyReport) -> VerifyReport {
    let mut problems: Vec<String> = found.failures.iter().map(ToString::to_string).collect();
    problems.extend(found.gaps.iter().filter_map(|gap| match gap {
        Missing::LeftOut { segment, count } => {
            Some(format!("{count} segments before segment {segment} are not in this file"))
        }
        Missing::Frames { segment, count } => {
            Some(format!("{count} frames of segment {segment} were lost before it was signed"))
        }
        _ => None,
    }));
    VerifyReport {
        ok: found.is_authentic(),
        signer: found.signers.iter().map(|signer| signer.key.fingerprint()).collect::<Vec<_>>().join(", "),
        signer_known: !found.signers.is_empty() && found.signers.iter().all(|signer| signer.trusted),
        chain: Vec::new(),
        segments: found.segments.into(),
        first_segment: 0,
        frames_checked: found.frames,
        gaps: found
            .gaps
            .iter()
            .filter_map(|gap| match gap {
                Missing::Told { gap, .. } => Some((*gap).into()),
                _ => None,
            })
            .collect(),
        clock_set_back: found.clock_set_back,
        time_claim_ms: found.from.map_or(0, |at| at.0),
        time_end_ms: found.until.map_or(0, |at| at.0),
        problems,
    }
}
