//! This client and relays that end: it goes where they say if the same relay is there, once, and by the name otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{ALPN, Farewell, Hello, close, frame};
use privet_relay_client::{ClientKey, Connection, Principal, Reconnect, RelayTarget};
use quinn::VarInt;
use rcgen::KeyPair;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::played::{door, welcome};

const PATIENCE: Duration = Duration::from_secs(20);
const HOME: HomeId = HomeId::from_bytes([1; 16]);

/// A relay with this key that welcomes everybody. It ends its first connections, each with one of these reasons; later ones last. Also
/// who came.
fn relay(key: &KeyPair, reasons: Vec<String>) -> (RelayTarget, UnboundedReceiver<Principal>) {
    let (endpoint, target) = door(ALPN, key);
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
    (target, who)
}

async fn serve(connection: quinn::Connection, came: UnboundedSender<Principal>, reason: Option<String>) {
    let (mut send, mut receive) = connection.accept_bi().await.unwrap();
    let said = receive.read_to_end(1 << 16).await.unwrap();
    let _ = came.send(cbor::decode::<Hello>(&said[4..], 1 << 16).unwrap().principal);
    send.write_all(&frame(&welcome(1))).await.unwrap();
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
