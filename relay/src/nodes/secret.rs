//! How nodes know each other: by a secret that all of them have and nobody else. The one that is asked proves itself in the TLS
//! handshake with a key made from it, the one that asks by a code over that same handshake, which is worthless on any other connection.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use zeroize::Zeroizing;

/// The application protocol between nodes.
pub(crate) const ALPN: &[u8] = b"privet-node/1";
const EXPORTER_LABEL: &[u8] = b"EXPORTER-privet-relay-node-v1";
/// The shortest secret, in bytes: what `openssl rand -hex 32` makes is longer.
const LEAST: usize = 32;
/// The longest, in bytes.
const MOST: u64 = 4096;
/// What the certificate of a node says; nobody looks at it.
pub(crate) const NAME: &str = "privet-relay-node";

/// What all nodes of one relay share. Never shown.
#[derive(Clone)]
pub struct ClusterSecret {
    asks: hmac::Key,
    /// PKCS #8.
    key: Arc<Zeroizing<Vec<u8>>>,
}

impl ClusterSecret {
    /// The secret in this file: any text of at least 32 bytes, the white space around it aside.
    ///
    /// # Errors
    /// What is wrong with the file, in words that do not repeat it.
    pub fn read(file: &Path) -> Result<Self, String> {
        let mut bytes = Zeroizing::new(Vec::new());
        std::fs::File::open(file)
            .and_then(|open| open.take(MOST + 1).read_to_end(&mut bytes))
            .map_err(|e| format!("can't be read: {e}"))?;
        if bytes.len() as u64 > MOST {
            return Err(format!("is longer than {MOST} bytes"));
        }
        Self::from_bytes(bytes.trim_ascii())
    }

    /// The secret of these bytes.
    ///
    /// # Errors
    /// When they are fewer than 32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() < LEAST {
            return Err(format!(
                "holds {} bytes, {LEAST} are the least; `openssl rand -hex 32` makes some",
                bytes.len()
            ));
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let asks = hmac::sign(&secret, b"privet relay nodes, who asks v1");
        let seed = hmac::sign(&secret, b"privet relay nodes, who is asked v1");
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref())
            .and_then(|pair| pair.to_pkcs8v1().map_err(KeyRejected::from))
            .map_err(|e| format!("makes no key: {e}"))?;
        let key = Arc::new(Zeroizing::new(key.as_ref().to_vec()));
        Ok(Self { asks: hmac::Key::new(hmac::HMAC_SHA256, asks.as_ref()), key })
    }

    /// What the asking node shows on this connection.
    pub(crate) fn proof(&self, connection: &quinn::Connection) -> Option<[u8; 32]> {
        let tag = hmac::sign(&self.asks, &exporter(connection)?);
        tag.as_ref().try_into().ok()
    }

    /// Whether whoever asks on this connection has the secret.
    pub(crate) fn is_proven(&self, connection: &quinn::Connection, proof: &[u8; 32]) -> bool {
        exporter(connection).is_some_and(|exporter| hmac::verify(&self.asks, &exporter, proof).is_ok())
    }

    pub(crate) fn server(&self) -> Result<QuicServerConfig, String> {
        let pair = self.pair()?;
        let certificate = CertificateParams::new(vec![NAME.into()])
            .and_then(|params| params.self_signed(&pair))
            .map_err(|e| e.to_string())?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.to_vec()));
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
            .map_err(|e| e.to_string())?;
        tls.alpn_protocols = vec![ALPN.to_vec()];
        QuicServerConfig::try_from(tls).map_err(|e| e.to_string())
    }

    pub(crate) fn client(&self) -> Result<QuicClientConfig, String> {
        let expected = self.pair()?.subject_public_key_info();
        let verifier = Arc::new(SameSecret { expected, provider: provider() });
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        QuicClientConfig::try_from(tls).map_err(|e| e.to_string())
    }

    fn pair(&self) -> Result<KeyPair, String> {
        KeyPair::try_from(&PrivatePkcs8KeyDer::from(self.key.as_slice())).map_err(|e| e.to_string())
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecret").finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn exporter(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").ok()?;
    Some(exporter)
}

/// Accepts the key that is made from the secret, and no other; the handshake's signature is checked as always.
#[derive(Debug)]
struct SameSecret {
    /// SubjectPublicKeyInfo, DER.
    expected: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SameSecret {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if certificate.subject_public_key_info().as_ref() == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_secret_makes_the_same_key_and_another_one_another() {
        let spki = |secret: &[u8]| ClusterSecret::from_bytes(secret).unwrap().pair().unwrap().subject_public_key_info();
        assert_eq!(spki(&[1; 32]), spki(&[1; 32]));
        assert_ne!(spki(&[1; 32]), spki(&[2; 32]));
    }

    #[test]
    fn a_short_secret_is_refused_and_white_space_is_not_counted_nor_anything_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, format!("{}\n \n", "s".repeat(31))).unwrap();
        let error = ClusterSecret::read(&file).unwrap_err();
        assert!(error.contains("31 bytes") && !error.contains("sss"), "{error}");
        std::fs::write(&file, format!("{}\n", "s".repeat(32))).unwrap();
        let secret = ClusterSecret::read(&file).unwrap();
        assert_eq!(format!("{secret:?}"), "ClusterSecret { .. }");
        assert!(ClusterSecret::read(&dir.path().join("absent")).unwrap_err().contains("can't be read"));
    }
}
