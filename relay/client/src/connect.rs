//! Making an authenticated connection: find the address, check who answers, prove who asks.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use privet_protocol::relay::{
    CapabilityKey, EXPORTER_LABEL, Hello, HelloAnswer, Principal, Signature, VERSIONS, hello_signing_input,
};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt};

use crate::connection::Connection;
use crate::error::ClientError;
use crate::frames::{FrameReader, FrameWriter};
use crate::tls;

/// How to tell that a relay is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// SHA-256 of its certificate's SubjectPublicKeyInfo.
    Pin([u8; 32]),
    /// A certificate for its host name that the platform trusts.
    WebPki,
}

/// Where a relay is and who it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTarget {
    /// Host name or address.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// How to tell that it is the right one.
    pub trust: Trust,
}

impl RelayTarget {
    /// The host without the brackets that an IPv6 address may stand in.
    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for RelayTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') && !self.host.starts_with('[') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A capability key with its secret: Ed25519.
pub struct ClientKey(Ed25519KeyPair);

impl ClientKey {
    /// The key that this seed stands for.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] when the cryptographic library refuses the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, ClientError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|e| ClientError::Protocol(format!("not a seed for an Ed25519 key: {e}")))
    }

    /// What the relay knows it by.
    pub fn public(&self) -> CapabilityKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        CapabilityKey(key)
    }

    fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        Signature(signature)
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientKey").field(&self.public()).finish()
    }
}

/// Connects, checks the relay's identity and says hello, all within `timeout`.
///
/// # Errors
/// [`ClientError`]: unreachable, the wrong relay, refused, or too slow.
pub async fn connect(
    target: &RelayTarget,
    principal: Principal,
    key: &ClientKey,
    timeout: Duration,
) -> Result<Connection, ClientError> {
    tokio::time::timeout(timeout, connect_to_any(target, principal, key)).await.map_err(|_| ClientError::Timeout)?
}

/// The same at one address, wherever it is: whoever answers there has to be the relay that the target says.
pub(crate) async fn connect_at(
    target: &RelayTarget,
    address: SocketAddr,
    principal: Principal,
    key: &ClientKey,
) -> Result<Connection, ClientError> {
    let (endpoint, connection) = handshake(target, target.bare_host(), address).await?;
    hello(endpoint, connection, principal, key).await
}

/// Before one address is given up for the next.
pub(crate) const ADDRESS_PATIENCE: Duration = Duration::from_secs(3);

async fn connect_to_any(
    target: &RelayTarget,
    principal: Principal,
    key: &ClientKey,
) -> Result<Connection, ClientError> {
    let unreachable = |cause: String| ClientError::Unreachable { host: target.to_string(), cause };
    let bare = target.bare_host();
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((bare, target.port)).await.map_err(|e| unreachable(e.to_string()))?.collect();
    let mut last = unreachable("the name has no address".into());
    for (tried, address) in addresses.iter().enumerate() {
        let attempt = handshake(target, bare, *address);
        let outcome = if tried + 1 < addresses.len() {
            tokio::time::timeout(ADDRESS_PATIENCE, attempt).await.unwrap_or(Err(ClientError::Timeout))
        } else {
            attempt.await
        };
        match outcome {
            Ok((endpoint, connection)) => return hello(endpoint, connection, principal, key).await,
            // Whoever stands at one address with a wrong identity is worth telling, whatever the others do.
            Err(
                error @ (ClientError::WrongIdentity { .. }
                | ClientError::Untrusted { .. }
                | ClientError::OutOfDate { .. }),
            ) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn handshake(
    target: &RelayTarget,
    host: &str,
    address: SocketAddr,
) -> Result<(Endpoint, quinn::Connection), ClientError> {
    let unreachable = |cause: String| ClientError::Unreachable { host: target.to_string(), cause };
    let untrusted = |cause: String| ClientError::Untrusted { host: target.to_string(), cause };
    let (tls, found) = tls::config(&target.trust).map_err(|e| match target.trust {
        Trust::WebPki => untrusted(format!("{e}; install the package ca-certificates, or use the relay's pin")),
        Trust::Pin(_) => ClientError::Protocol(e.to_string()),
    })?;
    let crypto = QuicClientConfig::try_from(tls).map_err(|e| ClientError::Protocol(e.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));

    let socket = udp_socket(address).map_err(|e| unreachable(e.to_string()))?;
    let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
        .map_err(|e| unreachable(e.to_string()))?;
    let connecting = endpoint.connect_with(config, address, host).map_err(|e| unreachable(e.to_string()))?;
    match connecting.await {
        Ok(connection) => Ok((endpoint, connection)),
        Err(error) => Err(match (&target.trust, found.take(), certificate_fault(&error)) {
            (Trust::Pin(expected), Some(found), _) => ClientError::WrongIdentity { expected: *expected, found },
            (Trust::WebPki, _, Some(Fault::Time(cause))) => ClientError::OutOfDate { host: target.to_string(), cause },
            (Trust::WebPki, _, Some(Fault::Trust(cause))) => untrusted(cause),
            _ if speaks_otherwise(&error) => ClientError::OtherProtocol { host: target.to_string() },
            _ => unreachable(error.to_string()),
        }),
    }
}

async fn hello(
    endpoint: Endpoint,
    connection: quinn::Connection,
    principal: Principal,
    key: &ClientKey,
) -> Result<Connection, ClientError> {
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, b"")
        .map_err(|_| ClientError::Protocol("the TLS library exports no keying material".into()))?;
    let public = key.public();
    let signature = key.sign(&hello_signing_input(&exporter, &principal, &public));
    let hello = Hello { versions: VERSIONS.to_vec(), principal, key: public, signature };

    let (send, receive) = connection.open_bi().await?;
    let mut writer = FrameWriter::new(send);
    writer.message(&hello).await?;
    writer.finish().await?;
    match FrameReader::new(receive).message().await? {
        Some(HelloAnswer::Welcome { version, limits, now }) if VERSIONS.contains(&version) => {
            Ok(Connection::new(endpoint, connection, public, limits, now))
        }
        Some(HelloAnswer::Welcome { version, .. }) => Err(ClientError::Version { chosen: version }),
        Some(HelloAnswer::Refused(refusal)) => Err(ClientError::Refused(refusal)),
        None => Err(ClientError::Protocol("the relay did not answer the hello".into())),
    }
}

/// Segments that may come at once on streams of their own.
const SEGMENT_STREAMS: u32 = 32;

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    privet_congestion::set_up(&mut transport);
    transport
        .keep_alive_interval(Some(Duration::from_secs(10)))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(30_000))))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(SEGMENT_STREAMS))
        .stream_receive_window(VarInt::from_u32(1024 * 1024))
        .receive_window(VarInt::from_u32(8 * 1024 * 1024))
        .send_window(4 * 1024 * 1024)
        .datagram_receive_buffer_size(None);
    transport
}

/// Bytes of socket buffer to ask for; the system gives what it allows.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

fn udp_socket(peer: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr =
        if peer.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    // Smaller buffers only cost speed.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    Ok(socket)
}

/// Whether the two found no protocol that both speak: TLS alert 120, whichever side sent it.
fn speaks_otherwise(error: &quinn::ConnectionError) -> bool {
    let code = match error {
        quinn::ConnectionError::TransportError(error) => u64::from(error.code),
        quinn::ConnectionError::ConnectionClosed(closed) => u64::from(closed.error_code),
        _ => return false,
    };
    code == 0x100 + 120
}

/// What is wrong with a certificate, in words.
#[derive(Debug)]
enum Fault {
    /// It is not good now, by this machine's clock.
    Time(String),
    /// Anything else: whose it is, and who vouches for that.
    Trust(String),
}

/// What is wrong with the certificate, in words for whoever has to mend it; nothing if it is not about that.
fn certificate_fault(error: &quinn::ConnectionError) -> Option<Fault> {
    let quinn::ConnectionError::TransportError(error) = error else { return None };
    let reason = error.reason.trim_start_matches("invalid peer certificate: ");
    // TLS alerts 42..=48 are about certificates (RFC 8446 section 6); QUIC carries alert n as 0x100 + n.
    match u64::from(error.code).checked_sub(0x100)? {
        45 => Some(Fault::Time(reason.to_owned())),
        48 => {
            Some(Fault::Trust(format!("no certificate authority that this machine trusts vouches for it ({reason})")))
        }
        42..=47 => Some(Fault::Trust(reason.to_owned())),
        // An authority of the same name with another key, or a relay without the certificate's key.
        51 => Some(Fault::Trust(format!("its signature is wrong ({reason})"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_lc_rs::digest::{SHA256, digest};
    use privet_congestion::ForVideo;
    use privet_protocol::relay::ALPN;
    use quinn::crypto::rustls::QuicServerConfig;
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    /// A relay's end of QUIC, and its certificate, which is good in these years.
    fn relay(years: std::ops::Range<i32>) -> (Endpoint, rustls_pki_types::CertificateDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut tls =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], private)
                .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
        (Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap(), certificate)
    }

    #[tokio::test]
    async fn bbr_decides_how_fast_a_relay_is_sent_to() {
        let (relay, certificate) = relay(1975..4096);
        let parsed = rustls::server::ParsedCertificate::try_from(&certificate).unwrap();
        let pin = digest(&SHA256, parsed.subject_public_key_info().as_ref()).as_ref().try_into().unwrap();
        let address = relay.local_addr().unwrap();
        let target = RelayTarget { host: "127.0.0.1".into(), port: address.port(), trust: Trust::Pin(pin) };
        let (came, accepted) =
            tokio::join!(handshake(&target, "127.0.0.1", address), async { relay.accept().await.unwrap().await });
        let (_endpoint, connection) = came.unwrap();
        assert!(connection.congestion_state().into_any().is::<ForVideo>());
        drop(accepted);
    }

    /// Whom a client trusts.
    #[derive(Clone, Copy)]
    enum Roots {
        Own,
        OfTheSameName,
        None,
    }

    /// What a client finds wrong with a relay's certificate that is good in these years.
    async fn fault(years: std::ops::Range<i32>, trusted: Roots) -> Option<Fault> {
        let (relay, own) = relay(years);
        let (_other, another) = self::relay(1975..4096);
        let mut roots = rustls::RootCertStore::empty();
        match trusted {
            Roots::Own => roots.add(own).unwrap(),
            Roots::OfTheSameName => roots.add(another).unwrap(),
            Roots::None => {}
        }
        let mut tls =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let connecting = client.connect_with(config, relay.local_addr().unwrap(), "localhost").unwrap();
        let (came, _) = tokio::join!(connecting, async { relay.accept().await.unwrap().await });
        certificate_fault(&came.err()?)
    }

    #[tokio::test]
    async fn a_certificate_of_another_time_is_told_apart_from_a_strangers() {
        assert!(fault(1975..4096, Roots::Own).await.is_none());
        for years in [2001..2002, 4000..4096] {
            assert!(matches!(fault(years.clone(), Roots::Own).await, Some(Fault::Time(_))), "{years:?}");
        }
        for strangers in [Roots::OfTheSameName, Roots::None] {
            assert!(matches!(fault(1975..4096, strangers).await, Some(Fault::Trust(_))));
        }
    }
}
