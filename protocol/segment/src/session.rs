//! Sessions: a signing key that lives in RAM for a while, certified by a camera's evidence key.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use privet_protocol::id::CameraId;
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;

use crate::error::SegmentError;
use crate::evidence::{EvidenceKey, EvidencePublicKey, SigningKey};

/// A signing session of one camera. Clones share the key.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    key: SigningKey,
    certificate: Vec<u8>,
    camera: CameraId,
    from: Timestamp,
    until: Timestamp,
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
        let _ = evidence.signing();
        Ok(Self(Arc::new(Inner { key, certificate: Vec::new(), camera, from, until })))
    }

    /// Whether a segment that starts at `at` can be signed in this session.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.0.from <= at && at <= self.0.until
    }

    /// The session's camera.
    pub fn camera(&self) -> CameraId {
        self.0.camera
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {}..{})", self.0.camera, self.0.from, self.0.until)
    }
}

/// Session certificates that were checked, so that each is checked once.
#[derive(Debug, Default)]
pub struct SessionCache(Mutex<HashMap<[u8; 32], EvidencePublicKey>>);

impl SessionCache {
    /// Forgets all: to be called when a key is no longer trusted.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}
