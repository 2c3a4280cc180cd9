//! An end of a QUIC connection without Privet's protocol on it: the same TLS, congestion control, windows and sockets as relay and
//! client have, because these decide most of what a byte costs.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use privet_demo::Trouble;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use super::trouble;

/// Whatever its certificate says, the server is called this.
pub const NAME: &str = "relay";

/// An endpoint on this machine, at a free port. Must be called within a tokio runtime.
pub fn endpoint(server: Option<ServerConfig>) -> Result<Endpoint, Trouble> {
    let socket = socket(Ipv4Addr::LOCALHOST)?;
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime)).map_err(trouble)
}

/// A socket at this address, with the relay's buffers.
pub fn socket(address: Ipv4Addr) -> Result<UdpSocket, Trouble> {
    let socket = UdpSocket::bind((address, 0)).map_err(trouble)?;
    // Smaller buffers only cost speed.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    Ok(socket)
}

/// A client that trusts whoever answers.
pub fn client_config(alpn: &[u8]) -> Result<ClientConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(trouble)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    // The relay's clients begin every connection from nothing.
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(trouble)?;
    let mut transport = transport();
    transport
        .keep_alive_interval(Some(Duration::from_secs(10)))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(32))
        .send_window(4 * 1024 * 1024);
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// A server with a certificate that it made itself, whose clients may have so many requests under way.
pub fn server_config(alpn: &[u8], requests: u32) -> Result<ServerConfig, Trouble> {
    let made = rcgen::generate_simple_self_signed(vec![NAME.into()]).map_err(trouble)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()))
        .map_err(trouble)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(trouble)?;
    let mut transport = transport();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(requests))
        .max_concurrent_uni_streams(VarInt::from_u32(16))
        .send_window(1024 * 1024);
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// What both ends have in common. Segmentation offload is on, as it is with quinn and the relay.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    privet_congestion::set_up(&mut transport);
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(30_000))))
        .stream_receive_window(VarInt::from_u32(1024 * 1024))
        .receive_window(VarInt::from_u32(8 * 1024 * 1024))
        .datagram_receive_buffer_size(None);
    transport
}

/// Takes any certificate, and checks the handshake's signature as always: it is part of what a connection costs.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
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
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The relay's own figures.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
