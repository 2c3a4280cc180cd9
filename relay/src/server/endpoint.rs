//! The UDP socket, TLS and what bounds strangers: addresses are validated, newcomers are limited per network and as a whole, and few
//! handshakes are computed at a time, those of all networks in turn.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use privet_protocol::relay::ALPN;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, Incoming, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::door::Lines;
use super::quota::Entry;
use super::tally::Newcomer;
use super::{Handshake, Relay, ServerError, connection};
use crate::identity::Identity;

/// Bytes of socket buffer to ask for; the system gives what it allows. With the usual 208 KiB bursts are lost.
pub(crate) const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// Handshakes under way, or waiting for their turn, beyond which every newcomer has to prove its address first.
const RETRY_ABOVE: usize = 64;
/// Handshakes that are computed at the same time, for each core. A handshake costs as much as hundreds of packets, and its first half is
/// computed in one go under a lock that every packet passes: with many at once the video of those who are connected would wait for all.
const COMPUTED: usize = 4;
/// For so long at most a handshake counts as computed; who takes longer is far away, or silent, and costs nothing meanwhile. So one core
/// begins at least 400 handshakes a second, however many of them are never ended.
const COMPUTING: Duration = Duration::from_millis(10);
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn bind(address: SocketAddr, identity: Identity) -> Result<Endpoint, ServerError> {
    let failed = |cause: String| ServerError::Listen { address, cause };
    let after_restart = after_restart(identity.key.secret_der());
    let config = server_config(identity).map_err(failed)?;
    let socket = UdpSocket::bind(address).map_err(|e| failed(e.to_string()))?;
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    Endpoint::new(after_restart, Some(config), socket, Arc::new(TokioRuntime)).map_err(|e| failed(e.to_string()))
}

/// What newcomers meet: this identity, and the bounds on strangers.
pub(crate) fn server_config(identity: Identity) -> Result<quinn::ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(identity.chain, identity.key))
        .map_err(|e| e.to_string())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(|e| e.to_string())?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    // Strangers' first packets wait in bounded memory: at most 8 MiB in all.
    config
        .transport_config(Arc::new(transport()))
        .max_incoming(1024)
        .incoming_buffer_size(64 * 1024)
        .incoming_buffer_size_total(8 * 1024 * 1024);
    Ok(config)
}

/// A relay that was killed is asked on, by clients that do not know, over connections it has forgotten. With keys that outlive it
/// the next relay can tell them so at their first packet (stateless reset, RFC 9000 section 10.3); without, they would wait half
/// a minute for their idle timeout.
fn after_restart(secret: &[u8]) -> EndpointConfig {
    let derive = |label: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), label);
    let reset = derive(b"privet relay stateless reset v1");
    let ids = derive(b"privet relay connection ids v1");
    let ids = ids.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref())));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    privet_congestion::set_up(&mut transport);
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(30_000))))
        // One stream and little memory until the hello was accepted.
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(1024 * 1024))
        .receive_window(VarInt::from_u32(64 * 1024))
        .send_window(64 * 1024)
        .datagram_receive_buffer_size(None);
    transport
}

/// Accepts connections until the relay shuts down.
pub(crate) async fn run(relay: Arc<Relay>, endpoint: Endpoint) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let turns = Arc::new(Semaphore::new(COMPUTED * cores));
    let mut waiting = Lines::new();
    loop {
        tokio::select! {
            () = relay.shutdown.cancelled() => return,
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return };
                let connections = endpoint.open_connections() + waiting.len();
                if let Some(admitted) = admit(&relay, incoming, connections)
                    && let Some(crowded) = waiting.join(admitted.guest.address, admitted)
                {
                    crowded.leave_unanswered(&relay);
                }
            }
            turn = Arc::clone(&turns).acquire_owned(), if !waiting.is_empty() => {
                if let (Ok(turn), Some(admitted)) = (turn, waiting.pop()) {
                    let greeted = relay.serving.track_future(greet(Arc::clone(&relay), admitted, turn));
                    relay.tasks.spawn(greeted);
                }
            }
        }
    }
}

/// A newcomer that was let in, and counts from now on.
struct Admitted {
    incoming: Incoming,
    handshake: Handshake,
    guest: Guest,
}

impl Admitted {
    /// Who hears nothing asks again after a second, by QUIC itself, and more and more seldom; who is refused may ask again at once.
    fn leave_unanswered(self, relay: &Relay) {
        relay.tally.newcomers.add(Newcomer::Crowded);
        self.incoming.ignore();
    }
}

/// A connection of a network, until dropped. A stranger until it said hello.
pub(crate) struct Guest {
    relay: Arc<Relay>,
    address: IpAddr,
    stranger: bool,
}

impl Guest {
    /// It said hello.
    pub(crate) fn said_hello(&mut self) {
        if std::mem::replace(&mut self.stranger, false) {
            self.relay.networks().know(self.address);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.relay.networks().leave(self.address, self.stranger);
    }
}

/// Lets a newcomer in, sends it back to prove its address, or turns it away.
fn admit(relay: &Arc<Relay>, incoming: Incoming, connections: usize) -> Option<Admitted> {
    let address = incoming.remote_address();
    if relay.config.log.addresses {
        tracing::debug!(%address, "a newcomer");
    }
    if relay.draining.is_cancelled() {
        turn_away(relay, incoming, Newcomer::Leaving);
        return None;
    }
    if connections as u64 >= relay.limits.now().connections {
        tracing::warn!(connections, "full: a newcomer was turned away");
        turn_away(relay, incoming, Newcomer::Full);
        return None;
    }
    let proven = incoming.remote_address_validated();
    let entry = match !proven && relay.handshakes() > RETRY_ABOVE {
        true => Entry::AskAgain,
        false => relay.networks().admit(address.ip(), proven, Instant::now()),
    };
    if entry == Entry::AskAgain {
        relay.tally.newcomers.add(Newcomer::AskedAgain);
        // Stateless. A newcomer that can't be asked again is turned away.
        if let Err(error) = incoming.retry() {
            error.into_incoming().refuse();
        }
        return None;
    }
    if entry == Entry::TooMany {
        turn_away(relay, incoming, Newcomer::TooOften);
        return None;
    }
    let guest = Guest { relay: Arc::clone(relay), address: address.ip(), stranger: true };
    // Counted here, not when its turn comes: many may come before that.
    Some(Admitted { incoming, handshake: relay.handshake(), guest })
}

fn turn_away(relay: &Relay, incoming: Incoming, why: Newcomer) {
    relay.tally.newcomers.add(why);
    incoming.refuse();
}

async fn greet(relay: Arc<Relay>, Admitted { incoming, handshake, guest }: Admitted, turn: OwnedSemaphorePermit) {
    if relay.draining.is_cancelled() {
        return turn_away(&relay, incoming, Newcomer::Leaving);
    }
    let Some(connection) = shake_hands(incoming, turn).await else {
        return relay.tally.newcomers.add(Newcomer::Failed);
    };
    drop(handshake);
    relay.tally.newcomers.add(Newcomer::Connected);
    connection::serve(Arc::clone(&relay), connection.clone(), guest).await;
    relay.tally.ended(&connection);
}

/// The next one's turn comes when this handshake is ended or waits for its client.
async fn shake_hands(incoming: Incoming, turn: OwnedSemaphorePermit) -> Option<quinn::Connection> {
    let mut connecting = incoming.accept().ok()?;
    let shaken = tokio::time::timeout(COMPUTING, &mut connecting).await;
    drop(turn);
    match shaken {
        Ok(shaken) => shaken.ok(),
        Err(_) => tokio::time::timeout(HANDSHAKE_PATIENCE, connecting).await.ok()?.ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_congestion::ForVideo;
    use privet_protocol::id::HomeId;
    use privet_protocol::relay::Principal;
    use privet_relay_client::{ClientKey, RelayTarget, Trust, connect};

    use super::*;

    #[tokio::test]
    async fn bbr_decides_how_fast_a_client_is_sent_to() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity::open(dir.path()).unwrap();
        let trust = Trust::Pin(identity.pin());
        let endpoint = bind(([127, 0, 0, 1], 0).into(), identity).unwrap();
        let port = endpoint.local_addr().unwrap().port();
        let coming = tokio::spawn(async move {
            let target = RelayTarget { host: "127.0.0.1".into(), port, trust };
            let (key, home) = (ClientKey::from_seed(&[1; 32]).unwrap(), HomeId::from_bytes([1; 16]));
            connect(&target, Principal::Member { home }, &key, HANDSHAKE_PATIENCE).await
        });
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        assert!(connection.congestion_state().into_any().is::<ForVideo>());
        coming.abort();
    }
}
