//! This client and relays that end: it goes where they say if the same relay is there, once, and by the name otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{ALPN, Farewell, Hello, HelloAnswer, Limits, close, frame};
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientKey, Connection, Principal, Reconnect, RelayTarget, Trust};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, VarInt};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::PrivateKeyDer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PATIENCE: Duration = Duration::from_secs(20);
const HOME: HomeId = HomeId::from_bytes([1; 16]);

/// A relay with this key that welcomes everybody. It ends its first connections, each with one of these reasons; later ones last. Also
/// who came.
fn relay(key: &KeyPair, reasons: Vec<String>) -> (RelayTarget, UnboundedReceiver<Principal>) {
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
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = endpoint.local_addr().unwrap().port();
    let (came, who) = unbounded_channel();
    tokio::spawn(async move {
        let mut reasons = reasons.into_iter();
        while let Some(incoming) = endpoint.accept().await {
            // A client that does not trust this relay ends the handshake.
            if let Ok(connection) = incoming.await {
                tokio::spawn(serve(connection, came.clone(), reasons.next()));
            }
        }
    });
    (RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) }, who)
}

async fn serve(connection: quinn::Connection, came: UnboundedSender<Principal>, reason: Option<String>) {
    let (mut send, mut receive) = connection.accept_bi().await.unwrap();
    let said = receive.read_to_end(1 << 16).await.unwrap();
    let _ = came.send(cbor::decode::<Hello>(&said[4..], 1 << 16).unwrap().principal);
    let limits = Limits { streams: 16, segment_bytes: 1 << 20, stored_bytes: 1 << 30, retention_s: 3600 };
    let welcome = HelloAnswer::Welcome { version: 1, limits, now: Timestamp(1_795_000_000_000) };
    send.write_all(&frame(&welcome)).await.unwrap();
    send.finish().unwrap();
    if let Some(reason) = reason {
        // Once the client goes on to its first request.
        let _request = connection.accept_bi().await;
        connection.close(VarInt::from_u32(close::SHUTDOWN), reason.as_bytes());
    }
    connection.closed().await;
}

/// What a relay says that goes on there.
fn going_on_at(place: &RelayTarget) -> String {
    let place = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
    Farewell::new(0, [place]).unwrap().to_string()
}

fn nowhere() -> String {
    close::words(close::SHUTDOWN).to_owned()
}

async fn come(reconnect: &mut Reconnect, target: &RelayTarget) -> Connection {
    let key = ClientKey::from_seed(&[3; 32]).unwrap();
    reconnect.found(target, HOME, Some("an invite".into()), &key, PATIENCE, |_| {}).await.unwrap()
}

/// Works until the relay ends the connection, which is the one to this relay.
async fn lose(reconnect: &mut Reconnect, target: &RelayTarget, connection: Connection) {
    assert!(connection.usage().await.is_err());
    tokio::time::timeout(PATIENCE, connection.closed()).await.unwrap();
    reconnect.lost(target, &connection);
    // How long that is, its own tests say.
    let _ = reconnect.wait(&SystemRandom);
}

fn founder() -> Principal {
    Principal::Founder { home: HOME, invite: Some("an invite".into()) }
}

#[tokio::test]
async fn the_same_relay_elsewhere_is_gone_to_once_and_nothing_is_founded_there() {
    let key = KeyPair::generate().unwrap();
    let (there, mut who_came_there) = relay(&key, vec![nowhere()]);
    let (known, mut who_came) = relay(&key, vec![going_on_at(&there)]);
    let mut reconnect = Reconnect::default();
    let connection = come(&mut reconnect, &known).await;
    assert_eq!((connection.peer().port(), who_came.recv().await), (known.port, Some(founder())));
    lose(&mut reconnect, &known, connection).await;
    let connection = come(&mut reconnect, &known).await;
    assert_eq!(connection.peer().port(), there.port);
    assert_eq!(who_came_there.recv().await, Some(Principal::Member { home: HOME }));
    lose(&mut reconnect, &known, connection).await;
    let connection = come(&mut reconnect, &known).await;
    assert_eq!((connection.peer().port(), who_came.recv().await), (known.port, Some(founder())));
}

#[tokio::test]
async fn a_stranger_at_the_address_hears_nothing_and_the_name_counts() {
    let (key, another) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let (stranger, mut who_came) = relay(&another, Vec::new());
    let (known, _) = relay(&key, vec![going_on_at(&stranger)]);
    let mut reconnect = Reconnect::default();
    let connection = come(&mut reconnect, &known).await;
    lose(&mut reconnect, &known, connection).await;
    let connection = come(&mut reconnect, &known).await;
    assert_eq!(connection.peer().port(), known.port);
    assert!(who_came.try_recv().is_err(), "nobody said hello to a stranger");
}

#[tokio::test]
async fn what_one_relay_said_is_nothing_to_another() {
    let key = KeyPair::generate().unwrap();
    let (there, _) = relay(&key, Vec::new());
    let (known, _) = relay(&key, vec![going_on_at(&there)]);
    let (other, _) = relay(&key, Vec::new());
    let mut reconnect = Reconnect::default();
    let connection = come(&mut reconnect, &known).await;
    lose(&mut reconnect, &known, connection).await;
    assert_eq!(come(&mut reconnect, &other).await.peer().port(), other.port);
    assert_eq!(come(&mut reconnect, &known).await.peer().port(), known.port, "and it is forgotten");
}
