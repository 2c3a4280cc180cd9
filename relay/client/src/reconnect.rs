//! Coming again after a connection was lost. Without a word of the relay: by its name, after a second, then two, up to a minute. A relay
//! that ends may say at which addresses it goes on ([`Farewell`]): these are tried first, once, a moment later; if nobody answers there, the
//! name counts again, and so it does after the next connection. Nothing of it is ever written down.
//!
//! The relay is not trusted with it. Whoever answers at an address has to prove, as always, that it is the relay of the same
//! [`RelayTarget`]; an address that nobody could mean, or that is nearer to this machine than the relay itself, is not tried; and a relay
//! that sends its clients on and on is met at the pace of [`Backoff`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use privet_protocol::id::HomeId;
use privet_protocol::random::Random;
use privet_protocol::relay::{Farewell, Principal};

use crate::backoff::{Backoff, part};
use crate::connect::{ADDRESS_PATIENCE, ClientKey, RelayTarget, connect, connect_at};
use crate::connection::Connection;
use crate::error::ClientError;
use crate::found::found;

/// So long at most a client waits besides what it was told, at random: all of them are told at the same moment.
const SPREAD: Duration = Duration::from_millis(500);
/// How long all told addresses together are tried.
const PATIENCE: Duration = Duration::from_secs(6);
/// So many times in a row it goes where it was told at once.
const MOVES: u32 = 3;

/// When and where one client comes again to its relay: after each connection that is over [`Reconnect::lost`], then
/// [`Reconnect::wait`], then [`Reconnect::connect`] or [`Reconnect::found`].
#[derive(Debug, Default)]
pub struct Reconnect {
    backoff: Backoff,
    told: Option<Told>,
    /// How many times it went where it was told since a connection was good.
    moves: u32,
}

/// Where this relay said that it goes on.
#[derive(Debug)]
struct Told {
    target: RelayTarget,
    after: Duration,
    places: Vec<SocketAddr>,
}

impl Reconnect {
    /// Connects where the relay said that it goes on, if it did before the last wait; otherwise, or if that fails, like [`connect`].
    ///
    /// # Errors
    /// Those of [`connect`]; that nobody was where the relay said is none.
    pub async fn connect(
        &mut self,
        target: &RelayTarget,
        principal: Principal,
        key: &ClientKey,
        timeout: Duration,
    ) -> Result<Connection, ClientError> {
        if let Some(connection) = Box::pin(self.go_on(target, &principal, key)).await {
            return Ok(connection);
        }
        connect(target, principal, key, timeout).await
    }

    /// The same for who founds `home` or is its owner again, like [`found`]. Nothing is founded where the relay said: a home that is not
    /// there has been founded elsewhere.
    ///
    /// # Errors
    /// Those of [`found`].
    pub async fn found(
        &mut self,
        target: &RelayTarget,
        home: HomeId,
        invite: Option<String>,
        key: &ClientKey,
        timeout: Duration,
        progress: impl FnMut(f64) + Send,
    ) -> Result<Connection, ClientError> {
        if let Some(connection) = Box::pin(self.go_on(target, &Principal::Member { home }, key)).await {
            return Ok(connection);
        }
        found(target, home, invite, key, timeout, progress).await
    }

    /// The connection to `target` is over, and was not closed on this side: remembers for the next attempt what the relay said at the end.
    pub fn lost(&mut self, target: &RelayTarget, connection: &Connection) {
        self.told = connection.farewell().and_then(|farewell| Told::new(target, &farewell, connection.peer()));
    }

    /// How long to wait before the next attempt: what the relay said and a moment more, otherwise between half and all of a step that
    /// doubles each time.
    pub fn wait(&mut self, random: &dyn Random) -> Duration {
        let step = self.backoff.next(random);
        match &self.told {
            Some(told) if self.moves < MOVES => {
                self.moves += 1;
                told.after + SPREAD.mul_f64(part(random))
            }
            _ => {
                self.told = None;
                step
            }
        }
    }

    /// The last connection was a good one: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.backoff.reset();
        self.moves = 0;
    }

    /// Tries, once, where the relay said.
    async fn go_on(&mut self, target: &RelayTarget, principal: &Principal, key: &ClientKey) -> Option<Connection> {
        let told = self.told.take().filter(|told| told.target == *target)?;
        let principal = match principal {
            Principal::Founder { home, .. } => Principal::Member { home: *home },
            other => other.clone(),
        };
        let tried = async {
            for place in told.places {
                let attempt = connect_at(target, place, principal.clone(), key);
                if let Ok(Ok(connection)) = tokio::time::timeout(ADDRESS_PATIENCE, attempt).await {
                    return Some(connection);
                }
            }
            None
        };
        tokio::time::timeout(PATIENCE, tried).await.ok().flatten()
    }
}

impl Told {
    /// What of a farewell is worth a try for a client that was connected to `peer`; `None` where nothing is.
    fn new(target: &RelayTarget, farewell: &Farewell, peer: SocketAddr) -> Option<Self> {
        let from = peer.ip().to_canonical();
        // A peer that was reached can be anywhere.
        let reach = Reach::of(from).unwrap_or(Reach::Anywhere);
        let is_good =
            |place: &&SocketAddr| place.port() != 0 && Reach::of(place.ip()).is_some_and(|needed| needed <= reach);
        let mut places: Vec<_> = farewell.to().iter().filter(is_good).copied().collect();
        // What this machine can speak it has just spoken. Among the same, the relay's order stays.
        places.sort_by_key(|place| place.ip().to_canonical().is_ipv4() != from.is_ipv4());
        if places.is_empty() { None } else { Some(Self { target: target.clone(), after: farewell.after(), places }) }
    }
}

/// From where an address can be reached, the farthest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Anywhere,
    /// From its own network.
    Network,
    /// From its own machine.
    Machine,
}

impl Reach {
    /// `None` for an address that no relay can have.
    fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            address if address.is_loopback() => Some(Self::Machine),
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(v4: Ipv4Addr) -> Option<Self> {
        let [first, second, ..] = v4.octets();
        // Of carriers, for their customers (RFC 6598).
        let shared = first == 100 && (64..128).contains(&second);
        match first {
            0 | 224.. => None,
            _ if v4.is_private() || v4.is_link_local() || shared => Some(Self::Network),
            _ => Some(Self::Anywhere),
        }
    }

    fn of_v6(v6: Ipv6Addr) -> Option<Self> {
        if v6.is_unique_local() || v6.is_unicast_link_local() {
            return Some(Self::Network);
        }
        let [first, second, ..] = v6.segments();
        // Nothing that carries an IPv4 address on to where that leads (6to4, Teredo).
        let carries = first == 0x2002 || (first == 0x2001 && second == 0);
        if (first & 0xe000) == 0x2000 && !carries { Some(Self::Anywhere) } else { None }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::random::SeededRandom;

    use super::*;
    use crate::connect::Trust;

    fn target(port: u16) -> RelayTarget {
        RelayTarget { host: "relay.example".into(), port, trust: Trust::WebPki }
    }

    /// What a client that was connected to `peer` makes of these addresses.
    fn chosen(peer: &str, places: &[&str]) -> Vec<String> {
        let farewell = Farewell::new(0, places.iter().map(|place| place.parse().unwrap())).unwrap();
        let told = Told::new(&target(4433), &farewell, SocketAddr::new(peer.parse().unwrap(), 4433));
        told.map_or_else(Vec::new, |told| told.places.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_that_make_no_sense_are_not_tried() {
        for peer in ["198.51.100.1", "192.168.1.5", "127.0.0.1", "::1", "fd00::1"] {
            for nowhere in [
                "203.0.113.7:0",
                "0.0.0.0:4433",
                "0.1.2.3:4433",
                "224.0.0.251:4433",
                "240.0.0.1:4433",
                "255.255.255.255:4433",
                "[::]:4433",
                "[::ffff:0.0.0.0]:4433",
                "[ff02::1]:4433",
                "[64:ff9b::a00:1]:4433",
                "[2002:a00:1::]:4433",
                "[2001::1]:4433",
            ] {
                assert_eq!(chosen(peer, &[nowhere]), [""; 0], "{nowhere} from {peer}");
            }
        }
    }

    #[test]
    fn a_relay_far_away_sends_nobody_into_his_own_network_and_one_there_not_into_his_own_machine() {
        let (machine, network) = (
            ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"],
            [
                "10.0.0.1:1",
                "172.16.0.1:1",
                "192.168.1.1:1",
                "169.254.1.1:1",
                "100.64.0.1:1",
                "[fd00::7]:1",
                "[fe80::7]:1",
            ],
        );
        for place in machine {
            for (peer, many) in [("198.51.100.1", 0), ("2001:db8::1", 0), ("10.0.0.9", 0), ("127.0.0.1", 1), ("::1", 1)]
            {
                assert_eq!(chosen(peer, &[place]).len(), many, "{place} from {peer}");
            }
        }
        for place in network {
            for (peer, many) in [("198.51.100.1", 0), ("2001:db8::1", 0), ("10.0.0.9", 1), ("fd00::9", 1), ("::1", 1)] {
                assert_eq!(chosen(peer, &[place]).len(), many, "{place} from {peer}");
            }
        }
        for peer in ["198.51.100.1", "2001:db8::1", "10.0.0.9", "127.0.0.1"] {
            assert_eq!(chosen(peer, &["203.0.113.7:4433"]), ["203.0.113.7:4433"], "{peer}");
        }
    }

    #[test]
    fn addresses_of_the_kind_that_worked_go_first_and_the_relays_order_stays_otherwise() {
        let places = ["[2001:db8::7]:1", "203.0.113.7:2", "127.0.0.1:3", "[2001:db8::8]:4"];
        assert_eq!(chosen("198.51.100.1", &places), [places[1], places[0], places[3]]);
        assert_eq!(chosen("2001:db8::1", &places), [places[0], places[3], places[1]]);
    }

    #[test]
    fn it_goes_where_it_is_told_at_once_but_not_again_and_again() {
        let random = SeededRandom::new(b"reconnect");
        let farewell = Farewell::new(2000, ["203.0.113.7:4433".parse().unwrap()]).unwrap();
        let peer = "198.51.100.1:4433".parse().unwrap();
        let mut reconnect = Reconnect::default();
        for _ in 0..2 {
            for _ in 0..MOVES {
                reconnect.told = Told::new(&target(4433), &farewell, peer);
                let wait = reconnect.wait(&random);
                assert!((farewell.after()..=farewell.after() + SPREAD).contains(&wait), "{wait:?}");
                assert!(reconnect.told.is_some());
            }
            reconnect.told = Told::new(&target(4433), &farewell, peer);
            let wait = reconnect.wait(&random);
            assert!(wait > farewell.after() + SPREAD, "the fourth step of the backoff: {wait:?}");
            assert!(reconnect.told.is_none(), "by the name");
            reconnect.reset();
        }
        assert!(reconnect.wait(&random) <= Duration::from_secs(1));
    }

    #[test]
    fn clients_that_are_told_the_same_come_at_different_moments() {
        let random = SeededRandom::new(b"spread");
        let farewell = Farewell::new(0, ["203.0.113.7:4433".parse().unwrap()]).unwrap();
        let mut waits: Vec<_> = (0..100)
            .map(|_| {
                let told = Told::new(&target(4433), &farewell, "198.51.100.1:4433".parse().unwrap());
                Reconnect { told, ..Reconnect::default() }.wait(&random)
            })
            .collect();
        waits.sort_unstable();
        let (first, last) = (waits[0], waits[waits.len() - 1]);
        assert!(last <= SPREAD && last - first > SPREAD / 2, "{first:?} to {last:?}");
        waits.dedup();
        assert!(waits.len() > 90, "{}", waits.len());
    }
}
