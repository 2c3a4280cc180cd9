//! Both sides of the lying relay's TLS: an identity for its clients, a login at the real relay.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::HEXLOWER;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{
    ALPN, CapabilityKey, EXPORTER_LABEL, Hello, HelloAnswer, Principal, Signature, VERSIONS, hello_signing_input,
};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint, IdleTimeout, TransportConfig, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs::default_provider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::Broken;
use super::stream::{read_frame, write_frame};

/// The capability key under which the lying relay owns the home.
pub(super) struct Key(Ed25519KeyPair);

impl Key {
    pub(super) fn generate() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn public(&self) -> CapabilityKey {
        CapabilityKey(self.0.public_key().as_ref().try_into().unwrap())
    }
}

/// A server configuration with a fresh identity, and the pin that names it.
pub(super) fn server() -> (quinn::ServerConfig, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
    let parsed = rustls::server::ParsedCertificate::try_from(certificate.der()).unwrap();
    let pin = HEXLOWER.encode(digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(Arc::new(transport()));
    (config, pin)
}

/// Logs in at the real relay as the home's owner.
pub(super) async fn login(
    relay: SocketAddr,
    home: HomeId,
    key: &Key,
) -> Result<(Endpoint, Connection, HelloAnswer), Broken> {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(Arc::new(default_provider()))))
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(Arc::new(transport()));
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connection = endpoint.connect_with(config, relay, "localhost").map_err(|_| Broken)?.await?;

    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").map_err(|_| Broken)?;
    let principal = Principal::Founder { home, invite: None };
    let signed = key.0.sign(&hello_signing_input(&exporter, &principal, &key.public()));
    let signature = Signature(signed.as_ref().try_into().map_err(|_| Broken)?);
    let hello = Hello { versions: VERSIONS.to_vec(), principal, key: key.public(), signature };
    let (mut to_relay, mut from_relay) = connection.open_bi().await?;
    write_frame(&mut to_relay, &hello).await?;
    let _ = to_relay.finish();
    let answer = read_frame(&mut from_relay).await?.ok_or(Broken)?;
    Ok((endpoint, connection, answer))
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(64))
        .max_concurrent_uni_streams(VarInt::from_u32(64))
        .keep_alive_interval(Some(Duration::from_secs(5)))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(30_000))));
    transport
}

/// The real relay's identity is of no interest here.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
