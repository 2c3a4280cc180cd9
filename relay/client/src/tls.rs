//! Who the relay has to be: a pinned key or a certificate that the platform trusts. TLS 1.3 only.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use privet_protocol::relay::ALPN;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
#[cfg(not(target_os = "android"))]
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::connect::Trust;

/// The configuration for one connection, and where a pin that did not fit is left.
pub(crate) fn config(trust: &Trust) -> Result<(ClientConfig, FoundPin), Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let found = FoundPin::default();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = match trust {
        Trust::Pin(pin) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinVerifier { pin: *pin, found: found.clone(), provider }))
            .with_no_client_auth(),
        #[cfg(not(target_os = "android"))]
        Trust::WebPki => builder.with_platform_verifier()?.with_no_client_auth(),
        // The platform's own verifier is Java there, and panics until the host has given it the virtual machine.
        #[cfg(target_os = "android")]
        Trust::WebPki => builder.with_root_certificates(android_roots::trusted()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok((config, found))
}

/// The pin of the relay that answered, when it is not the expected one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundPin(Arc<Mutex<Option<[u8; 32]>>>);

impl FoundPin {
    pub(crate) fn take(&self) -> Option<[u8; 32]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, pin: [u8; 32]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pin);
    }
}

/// Accepts exactly one public key, whatever else its certificate says; the handshake's signature is checked as always.
#[derive(Debug)]
struct PinVerifier {
    pin: [u8; 32],
    found: FoundPin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let mut pin = [0; 32];
        pin.copy_from_slice(digest(&SHA256, certificate.subject_public_key_info().as_ref()).as_ref());
        if pin == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        self.found.set(pin);
        Err(Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

/// The certificates that an Android trusts, from where it keeps them. What a person added, and what was taken back since the system's last
/// update, is not there.
#[cfg(any(test, target_os = "android"))]
mod android_roots {
    use std::path::Path;

    use rustls::RootCertStore;
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;

    /// Android 14 and later, and before.
    #[cfg(target_os = "android")]
    const FOLDERS: [&str; 2] = ["/apex/com.android.conscrypt/cacerts", "/system/etc/security/cacerts"];

    #[cfg(target_os = "android")]
    pub(super) fn trusted() -> RootCertStore {
        // Where there are none, no certificate is trusted, and the error of the handshake says so.
        FOLDERS
            .iter()
            .map(|folder| of(Path::new(folder)))
            .find(|roots| !roots.is_empty())
            .unwrap_or_else(RootCertStore::empty)
    }

    /// One certificate a file, with words for people before or after it; what can't be read is passed over.
    pub(super) fn of(folder: &Path) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        roots.add_parsable_certificates(files.filter_map(|file| CertificateDer::from_pem_file(file.path()).ok()));
        roots
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_an_android_trusts_is_read_from_its_files() {
        let folder = std::env::temp_dir().join(format!("privet-roots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let root = rcgen::generate_simple_self_signed(["root.example".into()]).unwrap();
        std::fs::write(folder.join("0a1b2c3d.0"), format!("{}Certificate:\n    words\n", root.cert.pem())).unwrap();
        std::fs::write(folder.join("broken.0"), "-----BEGIN CERTIFICATE-----\nnothing").unwrap();
        assert_eq!(android_roots::of(&folder).len(), 1);
        assert!(android_roots::of(&folder.join("none")).is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
