//! A relay that ends says where it goes on, and clients who know no other address of it come there by themselves. Nothing that was
//! acknowledged is lost, and live goes on.

use std::net::SocketAddr;

use crate::by_hand::{closed_in_words, raw, say, signed};
use crate::common::{House, PATIENCE, body, config, entries, in_time, keep, key, put, read_all, stream, target};
use crate::shared::Nodes;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{ALPN, Principal, Retention, Rights, close, frame};
use privet_relay::Server;
use privet_relay_client::{Connection, FollowEvent, Follower, From, Reconnect, RelayTarget, connect};

/// A client that comes again as hub and phone do, and knows one address.
struct Client {
    target: RelayTarget,
    principal: Principal,
    number: u8,
    reconnect: Reconnect,
    connection: Connection,
}

impl Client {
    async fn new(target: RelayTarget, principal: Principal, number: u8) -> Self {
        let connection = connect(&target, principal.clone(), &key(number), PATIENCE).await.unwrap();
        Self { target, principal, number, reconnect: Reconnect::default(), connection }
    }

    /// Comes again, once its connection is over.
    async fn come_again(&mut self) {
        in_time(self.connection.closed()).await;
        self.reconnect.lost(&self.target, &self.connection);
        tokio::time::sleep(self.reconnect.wait(&SystemRandom)).await;
        let key = key(self.number);
        let coming = self.reconnect.connect(&self.target, self.principal.clone(), &key, PATIENCE);
        self.connection = in_time(coming).await.unwrap();
    }
}

/// A hub and a phone that know this address only.
async fn family(target: RelayTarget, home: HomeId) -> (Client, Client) {
    let hub = Client::new(target.clone(), Principal::Founder { home, invite: None }, 1).await;
    hub.connection.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = Client::new(target, Principal::Member { home }, 2).await;
    (hub, phone)
}

/// The next segment that the follower gets, whole.
async fn segment(follower: &mut Follower) -> (u64, Vec<u8>) {
    loop {
        match in_time(follower.next()).await.unwrap() {
            Some(FollowEvent::Segment(mut reader)) => return (reader.index(), read_all(&mut reader).await.unwrap()),
            // Who serves the home from now on does not know what passed before.
            Some(FollowEvent::Skipped { .. }) => {}
            ended => panic!("no segment, but {ended:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_drained_node_go_on_at_another_though_they_know_its_address_only() {
    // With a home that this node serves, and with one that it leads its clients to.
    for served in [0, 1] {
        let mut nodes = Nodes::new(3).await;
        let (home, _) = nodes.home_of(served);
        let (mut hub, mut phone) = family(target(&nodes.servers[0]), home).await;
        hub.connection.append(1, b"before".to_vec()).await.unwrap();
        let (kept, live) = (stream(), stream());
        put(&hub.connection, kept, 0, keep(), body(1, 50_000)).await;
        let mut begun = hub.connection.put(kept, 1, keep(), true).await.unwrap();
        begun.write(body(2, 20_000)).await.unwrap();
        let mut follower = phone.connection.follow(live, From::Newest).await.unwrap();
        put(&hub.connection, live, 0, Retention::Pass, body(3, 30_000)).await;
        assert_eq!(segment(&mut follower).await, (0, body(3, 30_000).to_vec()));

        let drained = nodes.servers.remove(0);
        tokio::join!(drained.shutdown(), hub.come_again(), phone.come_again());
        drop((begun, follower));
        let there: Vec<_> = nodes.servers.iter().map(Server::address).collect();
        for client in [&hub, &phone] {
            let peer = client.connection.peer();
            assert!(there.contains(&peer), "{peer} is none of {there:?}");
        }

        let log = phone.connection.read_log(1, false).await.unwrap();
        assert_eq!(entries(log).await, [(1, b"before".to_vec())]);
        assert_eq!(hub.connection.append(2, b"after".to_vec()).await.unwrap(), 2);
        let mut rest = hub.connection.put(kept, 1, keep(), true).await.unwrap();
        let from = usize::try_from(rest.offset()).unwrap();
        rest.write(body(2, 60_000).slice(from..)).await.unwrap();
        assert_eq!(in_time(rest.finish()).await.unwrap(), 60_000);
        for (index, bytes) in [(0, body(1, 50_000)), (1, body(2, 60_000))] {
            assert_eq!(read_all(&mut phone.connection.get(kept, index, 0).await.unwrap()).await.unwrap(), bytes);
        }
        let mut follower = phone.connection.follow(live, From::Newest).await.unwrap();
        put(&hub.connection, live, 1, Retention::Pass, body(4, 30_000)).await;
        let mut newest = segment(&mut follower).await;
        if served == 1 {
            // Who serves the home was there before, and has what passed last.
            assert_eq!(newest, (0, body(3, 30_000).to_vec()));
            newest = segment(&mut follower).await;
        }
        assert_eq!(newest, (1, body(4, 30_000).to_vec()));
    }
}

/// An address that nobody gets by chance: ports below 32768 are given by name only, and of this machine's addresses one for each process.
fn elsewhere() -> SocketAddr {
    let [low, high, ..] = std::process::id().to_le_bytes();
    ([127, 83, high, low], 24_433).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_moves_to_another_address_takes_its_clients_along() {
    let dir = tempfile::tempdir().unwrap();
    let (mut here, mut there) = (config(dir.path()), config(dir.path()));
    there.listen = elsewhere();
    here.drain.to = vec![there.listen];
    let relay = Server::start(here).await.unwrap();
    let (mut hub, mut phone) = family(target(&relay), HomeId::generate(&SystemRandom)).await;
    hub.connection.append(1, b"before".to_vec()).await.unwrap();
    let kept = stream();
    put(&hub.connection, kept, 0, keep(), body(1, 50_000)).await;
    relay.shutdown().await;

    // The same data, with the identity in it.
    let relay = Server::start(there).await.unwrap();
    tokio::join!(hub.come_again(), phone.come_again());
    for client in [&hub, &phone] {
        assert_eq!(client.connection.peer(), relay.address());
    }
    let log = phone.connection.read_log(1, false).await.unwrap();
    assert_eq!(entries(log).await, [(1, b"before".to_vec())]);
    assert_eq!(read_all(&mut phone.connection.get(kept, 0, 0).await.unwrap()).await.unwrap(), body(1, 50_000));
    assert_eq!(hub.connection.append(2, b"after".to_vec()).await.unwrap(), 2);
    relay.shutdown().await;
}

#[tokio::test]
async fn what_is_said_at_the_end_stands_in_the_configuration_that_was_read_last() {
    let mut house = House::new().await;
    let (_endpoint, connection) = raw(&house, ALPN).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home: house.home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    let mut again = config(house.dir.path());
    again.drain.to = vec!["203.0.113.7:4433".parse().unwrap(), "[2001:db8::7]:4433".parse().unwrap()];
    again.drain.after_ms = 250;
    let later = house.server.reload(&again).unwrap();
    assert!(later.is_empty(), "{later:?}");
    house.server.shutdown().await;
    let said = "the relay ends: come again <1 after_ms=250 to=203.0.113.7:4433,[2001:db8::7]:4433>";
    assert_eq!(closed_in_words(&connection).await, (close::SHUTDOWN, said.to_owned()));
}
