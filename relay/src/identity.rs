//! Who the relay is: a key made at the first run and pinned by its clients, or a certificate of a public authority.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use privet_protocol::time::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::CertificateFiles;

/// A certificate chain and its key.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pin: [u8; 32],
    validity: Option<Validity>,
}

/// When a certificate is good, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// Why the relay has no identity.
#[derive(Debug, thiserror::Error)]
#[error("identity {path}: {cause}")]
pub struct IdentityError {
    path: PathBuf,
    cause: String,
}

impl IdentityError {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

const KEY: &str = "identity.pem";

impl Identity {
    /// The identity in `directory`, made now if there is none. Its key file is readable by its owner only.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and the cause.
    pub fn open(directory: &Path) -> Result<Self, IdentityError> {
        let path = directory.join(KEY);
        let fail = |cause: String| IdentityError { path: path.clone(), cause };
        std::fs::create_dir_all(directory).map_err(|e| fail(e.to_string()))?;
        let pem = match std::fs::read_to_string(&path) {
            Ok(pem) => pem,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => make_key(directory).map_err(fail)?,
            Err(e) => return Err(fail(e.to_string())),
        };
        let key = KeyPair::from_pem(&pem).map_err(|e| fail(e.to_string()))?;
        // The certificate is made anew at every start: only its key is the identity.
        let certificate = CertificateParams::new(vec!["privet-relay".into()])
            .and_then(|params| params.self_signed(&key))
            .map_err(|e| fail(e.to_string()))?;
        let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(|e| fail(e.into()))?;
        Self::with(vec![certificate.der().clone()], der).map_err(fail)
    }

    /// The certificate in these files.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and the cause.
    pub fn read(files: &CertificateFiles) -> Result<Self, IdentityError> {
        let fail = |path: &Path, cause: String| IdentityError { path: path.to_owned(), cause };
        let said = |error: PemError| match error {
            PemError::NoItemsFound => "it holds no private key".into(),
            PemError::Io(error) => error.to_string(),
            other => other.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(&files.chain)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| fail(&files.chain, said(e)))?;
        if chain.is_empty() {
            return Err(fail(&files.chain, "it holds no certificate".into()));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| fail(&files.key, said(e)))?;
        let mut identity = Self::with(chain, key).map_err(|cause| fail(&files.chain, cause))?;
        identity.validity = Some(validity(&identity.chain).map_err(|cause| fail(&files.chain, cause))?);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        CertifiedKey::from_der(identity.chain.clone(), identity.key.clone_key(), &provider)
            .map_err(|e| fail(&files.key, format!("not the key of the first certificate: {e}")))?;
        Ok(identity)
    }

    /// What clients pin: SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub fn pin(&self) -> [u8; 32] {
        self.pin
    }

    /// When the certificate of a public authority is good; `None` for the relay's own, which clients know by its key.
    pub(crate) fn validity(&self) -> Option<Validity> {
        self.validity
    }

    fn with(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let first = chain.first().ok_or("the file holds no certificate")?;
        let parsed = ParsedCertificate::try_from(first).map_err(|e| e.to_string())?;
        let mut pin = [0; 32];
        pin.copy_from_slice(digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref());
        Ok(Self { chain, key, pin, validity: None })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("pin", &self.pin).finish_non_exhaustive()
    }
}

/// Of the first certificate.
fn validity(chain: &[CertificateDer<'static>]) -> Result<Validity, String> {
    let first = chain.first().ok_or("the file holds no certificate")?;
    let (_, parsed) = X509Certificate::from_der(first).map_err(|e| e.to_string())?;
    let ms = |seconds: i64| Timestamp(seconds.saturating_mul(1000));
    let validity = parsed.validity();
    Ok(Validity { from: ms(validity.not_before.timestamp()), until: ms(validity.not_after.timestamp()) })
}

fn make_key(directory: &Path) -> Result<String, String> {
    let pem = KeyPair::generate().map_err(|e| e.to_string())?.serialize_pem();
    write_new(directory, KEY, pem.as_bytes()).map_err(|e| e.to_string())?;
    Ok(pem)
}

/// Writes a secret beside its place and moves it there whole: a crash leaves no half key. Readable by its owner only.
pub(crate) fn write_new(directory: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    let _ = std::fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, directory.join(name))?;
    std::fs::File::open(directory)?.sync_all()
}
