//! The door of a relay that a test plays: its identity and its welcome; what it does behind that is the test's.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use privet_protocol::relay::{HelloAnswer, Limits};
use privet_protocol::time::Timestamp;
use privet_relay_client::{RelayTarget, Trust};
use quinn::Endpoint;
use quinn::crypto::rustls::QuicServerConfig;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::PrivateKeyDer;

/// A port on loopback where a relay with this key speaks `alpn`, and how a client is told of it.
pub fn door(alpn: &[u8], key: &KeyPair) -> (Endpoint, RelayTarget) {
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(key).unwrap();
    let parsed = rustls::server::ParsedCertificate::try_from(certificate.der()).unwrap();
    let pin = digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref().try_into().unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    tls.alpn_protocols = vec![alpn.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    (endpoint, RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) })
}

/// What a relay that speaks this version of the protocol says to everybody.
pub fn welcome(version: u16) -> HelloAnswer {
    let limits = Limits { streams: 16, segment_bytes: 1 << 20, stored_bytes: 1 << 30, retention_s: 3600 };
    HelloAnswer::Welcome { version, limits, now: Timestamp(1_795_000_000_000) }
}
