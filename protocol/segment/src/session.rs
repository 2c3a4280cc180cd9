//! Sessions: a signing key that lives in RAM for a while, certified by a camera's evidence key. So the evidence key, which may
//! sit in a TPM, signs once a session and not once a segment.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use privet_protocol::id::CameraId;
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;

use crate::cbor::{Reader, Writer};
use crate::cose::{self, Content, Signed};
use crate::error::SegmentError;
use crate::evidence::{EvidenceKey, EvidenceKeys, EvidencePublicKey, SigningKey, Verifier};
use crate::statement::{Statement, sha256};

/// A signing session of one camera. Clones share the key; the last one wipes it.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    key: SigningKey,
    bytes: Vec<u8>,
    certificate: Certificate,
}

impl Session {
    /// A new session key, certified for `camera` and segments that start from `from` until `until`.
    ///
    /// # Errors
    /// [`SegmentError::Crypto`] when the library or the source of randomness fails.
    pub fn certify(
        evidence: &EvidenceKey,
        camera: CameraId,
        from: Timestamp,
        until: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, SegmentError> {
        let key = SigningKey::generate(random)?;
        let certificate = Certificate { camera, evidence: evidence.public()?, session: key.public()?, from, until };
        let bytes = cose::sign(evidence.signing(), Content::Certificate, certificate.encode())?;
        Ok(Self(Arc::new(Inner { key, bytes, certificate })))
    }

    /// Whether a segment that starts at `at` can be signed in this session.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.0.certificate.covers(at)
    }

    /// The session's camera.
    pub fn camera(&self) -> CameraId {
        self.0.certificate.camera
    }

    pub(crate) fn sign(&self, statement: &mut Statement) -> Result<Vec<u8>, SegmentError> {
        cose::sign(&self.0.key, Content::Statement, statement.encode())
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Certificate { camera, from, until, .. } = &self.0.certificate;
        write!(f, "Session({camera:?}, {from}..{until})")
    }
}

/// What the evidence key says about a session key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) camera: CameraId,
    pub(crate) evidence: EvidencePublicKey,
    session: EvidencePublicKey,
    from: Timestamp,
    until: Timestamp,
}

/// Version of the certificate's fields.
const VERSION: u64 = 1;

/// A certificate that its evidence key signed, with its session key ready for use.
#[derive(Debug)]
pub(crate) struct CheckedSession {
    pub(crate) certificate: Certificate,
    key: Verifier,
}

impl CheckedSession {
    /// The session, signed by the evidence key it names. Whether that key is to be trusted is another question.
    pub(crate) fn verify(bytes: &[u8], cache: Option<&SessionCache>) -> Result<Arc<Self>, SegmentError> {
        let name = cache.map(|cache| (cache, sha256(bytes)));
        if let Some(known) = name.as_ref().and_then(|(cache, name)| cache.get(name)) {
            return Ok(known);
        }
        let signed = Signed::parse(Content::Certificate, bytes)?;
        let certificate = Certificate::decode(signed.payload())
            .ok_or(SegmentError::Statement { what: "session certificate", why: "not in its one form" })?;
        signed.verify(&certificate.evidence.verifier()?)?;
        let checked = Arc::new(Self { key: certificate.session.verifier()?, certificate });
        if let Some((cache, name)) = name {
            cache.insert(name, checked.clone());
        }
        Ok(checked)
    }

    /// The statement, signed in this session.
    pub(crate) fn statement(&self, bytes: &[u8]) -> Result<Statement, SegmentError> {
        let signed = Signed::parse(Content::Statement, bytes)?;
        signed.verify(&self.key)?;
        let statement = Statement::decode(signed.payload())
            .ok_or(SegmentError::Statement { what: "statement", why: "not in its one form" })?;
        if statement.camera != self.certificate.camera {
            return Err(SegmentError::Certificate { why: "it is for another camera" });
        }
        if !self.certificate.covers(statement.started) {
            return Err(SegmentError::Certificate { why: "it is for another time" });
        }
        Ok(statement)
    }
}

impl Certificate {
    /// The key behind it is trusted for its camera.
    pub(crate) fn trusted(&self, trust: &dyn EvidenceKeys) -> bool {
        trust.evidence_keys(&self.camera).contains(&self.evidence)
    }

    fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.until
    }

    fn encode(&self) -> Vec<u8> {
        let mut map = Writer::default();
        map.map(6);
        map.key(1).uint(VERSION);
        map.key(2).bytes(self.camera.as_bytes());
        map.key(3).bytes(self.evidence.as_bytes());
        map.key(4).bytes(self.session.as_bytes());
        map.key(5).int(self.from.0);
        map.key(6).int(self.until.0);
        map.finish()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut map = Reader::new(bytes);
        if map.map()? != 6 || map.key(1)?.uint()? != VERSION {
            return None;
        }
        let certificate = Self {
            camera: CameraId::from_bytes(map.key(2)?.array_of()?),
            evidence: EvidencePublicKey::from_bytes(map.key(3)?.bytes()?).ok()?,
            session: EvidencePublicKey::from_bytes(map.key(4)?.bytes()?).ok()?,
            from: Timestamp(map.key(5)?.int()?),
            until: Timestamp(map.key(6)?.int()?),
        };
        map.is_empty().then_some(certificate)
    }
}

/// Session certificates whose signature was checked, by their SHA-256, so that each is checked once. It says nothing about
/// which evidence keys are trusted, so it never needs clearing.
#[derive(Debug, Default)]
pub struct SessionCache(Mutex<HashMap<[u8; 32], Arc<CheckedSession>>>);

impl SessionCache {
    /// Certificates remembered; a full cache starts anew.
    const LIMIT: usize = 256;

    fn get(&self, name: &[u8; 32]) -> Option<Arc<CheckedSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn insert(&self, name: [u8; 32], session: Arc<CheckedSession>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::LIMIT {
            known.clear();
        }
        known.insert(name, session);
    }
}
