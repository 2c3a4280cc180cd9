//! A client made by hand, so that it may say what Privet's own never would.

pub mod half_sent;

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use privet_protocol::cbor;
use privet_protocol::relay::{ALPN, EXPORTER_LABEL, Hello, Principal, Signature, hello_signing_input};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connection, ConnectionError, Endpoint, EndpointConfig, Runtime as _, TokioRuntime,
    TransportConfig, UdpPoller, VarInt,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::common::{House, in_time, key};

/// A connection on which nothing was said yet.
pub async fn raw(house: &House, alpn: &[u8]) -> Result<(Endpoint, Connection), ConnectionError> {
    raw_with(house, config(alpn)).await
}

/// The same, of a client that is set up like this.
pub async fn raw_with(house: &House, config: ClientConfig) -> Result<(Endpoint, Connection), ConnectionError> {
    raw_at(house.server.address(), config).await
}

/// The same to the relay at this address.
pub async fn raw_at(server: SocketAddr, config: ClientConfig) -> Result<(Endpoint, Connection), ConnectionError> {
    come([127, 0, 0, 1], server, config).await
}

/// A connection of another network.
pub async fn raw_from(address: [u8; 4], house: &House) -> Result<(Endpoint, Connection), ConnectionError> {
    come(address, house.server.address(), config(ALPN)).await
}

async fn come(
    address: [u8; 4],
    server: SocketAddr,
    config: ClientConfig,
) -> Result<(Endpoint, Connection), ConnectionError> {
    let endpoint = Endpoint::client((address, 0).into()).unwrap();
    let connection = endpoint.connect_with(config, server, "relay").unwrap().await?;
    Ok((endpoint, connection))
}

/// Of a client with hardly any room for what comes.
pub fn narrow(alpn: &[u8]) -> ClientConfig {
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(4096)).receive_window(VarInt::from_u32(16 * 1024));
    let mut config = config(alpn);
    config.transport_config(Arc::new(transport));
    config
}

/// An endpoint that begins handshakes and hears nothing of what is answered.
pub fn deaf() -> Endpoint {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = Arc::new(Deaf(TokioRuntime.wrap_udp_socket(socket).unwrap()));
    Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime)).unwrap()
}

/// Of a client that trusts anyone.
pub fn config(alpn: &[u8]) -> ClientConfig {
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.to_vec()];
    ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// A hello that is as it should be: on this connection, for whom it says, with the key of this seed.
pub fn signed(connection: &Connection, principal: Principal, seed: u8) -> Hello {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    assert_eq!(pair.public_key().as_ref(), key(seed).public().0);
    let input = hello_signing_input(&exporter, &principal, &key(seed).public());
    let mut signature = [0; 64];
    signature.copy_from_slice(pair.sign(&input).as_ref());
    Hello { versions: vec![1], principal, key: key(seed).public(), signature: Signature(signature) }
}

/// Says something on a new stream, and reads the answer.
pub async fn say(connection: &Connection, bytes: &[u8]) -> Vec<u8> {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let _ = send.write_all(bytes).await;
    let _ = send.finish();
    in_time(receive.read_to_end(1 << 20)).await.unwrap_or_default()
}

/// The first message of an answer.
pub fn answer<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    cbor::decode(&bytes[4..], 1 << 20).unwrap()
}

/// The next message of an answer that goes on.
pub async fn next_answer<T: serde::de::DeserializeOwned>(receive: &mut quinn::RecvStream) -> T {
    let mut prefix = [0; 4];
    in_time(receive.read_exact(&mut prefix)).await.unwrap();
    let mut body = vec![0; u32::from_be_bytes(prefix) as usize];
    in_time(receive.read_exact(&mut body)).await.unwrap();
    cbor::decode(&body, 1 << 20).unwrap()
}

/// Why the relay closes the connection.
pub async fn closed_with(connection: &Connection) -> u32 {
    closed_in_words(connection).await.0
}

/// The same with the words that come with it.
pub async fn closed_in_words(connection: &Connection) -> (u32, String) {
    match in_time(connection.closed()).await {
        ConnectionError::ApplicationClosed(closed) => {
            let words = String::from_utf8(closed.reason.to_vec()).unwrap();
            (u32::try_from(closed.error_code.into_inner()).unwrap(), words)
        }
        other => panic!("{other:?}"),
    }
}

#[derive(Debug)]
struct Deaf(Arc<dyn AsyncUdpSocket>);

impl AsyncUdpSocket for Deaf {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }
    fn poll_recv(&self, _: &mut Context<'_>, _: &mut [IoSliceMut<'_>], _: &mut [RecvMeta]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Trusts anyone: these tests are about what the relay accepts.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
