//! Which node serves which home: rendezvous hashing. Every node reckons it by itself from the same list, and comes to the same answer. A
//! node that goes moves only its own homes, a node that comes takes an equal share from each of the others.

use std::cmp::Reverse;
use std::fmt;
use std::net::SocketAddr;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use privet_protocol::id::HomeId;
use privet_protocol::random::{Random as _, SystemRandom};

/// A node, from its start to its end: another one after a restart, so that nothing is sent to what it was before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 16]);

impl NodeId {
    /// A new one, at random.
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes);
        Self(bytes)
    }

    /// The one of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// A node and where it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Which one.
    pub id: NodeId,
    /// Where it listens for other nodes.
    pub address: SocketAddr,
    /// Where clients reach it and no other.
    pub public: PublicAddresses,
}

/// Where clients reach one node, if that is known: a few addresses, the best first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicAddresses([Option<SocketAddr>; MOST]);

const MOST: usize = 2;

impl PublicAddresses {
    /// The most there are of one node: an address of each family.
    pub const MOST: usize = MOST;

    /// These addresses, as far as there is room. Port 0 stands for this one.
    pub(crate) fn new(places: impl IntoIterator<Item = SocketAddr>, port: u16) -> Self {
        let mut places = places.into_iter().map(|mut place| {
            if place.port() == 0 {
                place.set_port(port);
            }
            place
        });
        Self(std::array::from_fn(|_| places.next()))
    }

    /// Those that stand in this text, which another node may have written that knows more kinds of them.
    pub(crate) fn parse(text: &str) -> Self {
        let mut places = text.split(' ').filter_map(|place| place.parse::<SocketAddr>().ok());
        Self(std::array::from_fn(|_| places.next()))
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = SocketAddr> {
        self.0.into_iter().flatten()
    }
}

/// As other nodes read it.
impl fmt::Display for PublicAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.iter().enumerate() {
            write!(f, "{}{place}", if at > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// The nodes that serve now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring(Vec<Node>);

impl Ring {
    /// A ring of these nodes, each once, in whatever order.
    pub fn new(mut nodes: Vec<Node>) -> Self {
        nodes.sort_unstable();
        nodes.dedup_by_key(|node| node.id);
        Self(nodes)
    }

    /// The node that serves this home; `None` in an empty ring.
    pub fn owner(&self, home: HomeId) -> Option<Node> {
        // The id decides between equal weights, which nobody will ever see.
        self.0.iter().copied().max_by_key(|node| (weight(node.id, home), node.id))
    }

    /// All of them: the one that serves this home, then the one that would if that were gone, and so on.
    pub fn in_turn(&self, home: HomeId) -> Vec<Node> {
        let mut nodes = self.0.clone();
        nodes.sort_by_cached_key(|node| Reverse((weight(node.id, home), node.id)));
        nodes
    }

    /// All of them, by id.
    pub fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// Whether this node is one of them.
    pub fn has(&self, id: NodeId) -> bool {
        self.0.iter().any(|node| node.id == id)
    }
}

fn weight(node: NodeId, home: HomeId) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    hash.update(node.as_bytes());
    hash.update(home.as_bytes());
    let mut weight = [0; 32];
    weight.copy_from_slice(hash.finish().as_ref());
    weight
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use privet_protocol::random::SeededRandom;

    use super::*;

    const HOMES: usize = 4000;

    fn node(random: &SeededRandom, port: u16) -> Node {
        let mut id = [0; 16];
        random.fill(&mut id);
        Node { id: NodeId(id), address: ([127, 0, 0, 1], port).into(), public: PublicAddresses::default() }
    }

    fn nodes(random: &SeededRandom, count: u16) -> Vec<Node> {
        (0..count).map(|port| node(random, port)).collect()
    }

    fn homes(random: &SeededRandom) -> Vec<HomeId> {
        (0..HOMES).map(|_| HomeId::generate(random)).collect()
    }

    #[test]
    fn the_order_of_the_list_does_not_matter_and_an_empty_ring_has_no_owner() {
        let random = SeededRandom::new(b"order");
        let (list, homes) = (nodes(&random, 7), homes(&random));
        let ring = Ring::new(list.clone());
        let turned = Ring::new(list.iter().rev().chain(&list).copied().collect());
        assert_eq!(ring, turned);
        for home in homes {
            assert_eq!(ring.owner(home), turned.owner(home));
            assert_eq!(Ring::default().owner(home), None);
        }
    }

    #[test]
    fn a_node_that_goes_moves_its_own_homes_and_one_that_comes_takes_no_others() {
        let random = SeededRandom::new(b"moves");
        for count in 2..9 {
            let (list, homes) = (nodes(&random, count), homes(&random));
            let all = Ring::new(list.clone());
            for gone in &list {
                let rest = Ring::new(list.iter().copied().filter(|node| node != gone).collect());
                for home in &homes {
                    let (before, after) = (all.owner(*home).unwrap(), rest.owner(*home).unwrap());
                    // The same read the other way round: `gone` comes.
                    assert!(before == after || before == *gone, "{count} nodes: {before:?} became {after:?}");
                }
            }
        }
    }

    #[test]
    fn in_turn_means_that_each_follows_those_before_it_when_they_are_gone() {
        let random = SeededRandom::new(b"turn");
        let ring = Ring::new(nodes(&random, 5));
        for home in homes(&random) {
            let turn = ring.in_turn(home);
            for at in 0..turn.len() {
                let rest = Ring::new(turn[at..].to_vec());
                assert_eq!(rest.owner(home), Some(turn[at]));
            }
            assert_eq!(turn.len(), ring.nodes().len());
        }
        assert!(Ring::default().in_turn(HomeId::generate(&random)).is_empty());
    }

    #[test]
    fn public_addresses_are_read_as_they_are_written_and_a_newer_node_may_write_more() {
        let places = |text: &str| text.split(' ').map(|place| place.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let text = "203.0.113.7:4433 [2001:db8::7]:4433";
        let both = PublicAddresses::new(places("203.0.113.7:0 [2001:db8::7]:0"), 4433);
        assert_eq!((both.to_string().as_str(), PublicAddresses::parse(text)), (text, both));
        let one = PublicAddresses::new(places("203.0.113.7:1"), 4433);
        assert_eq!(one.iter().collect::<Vec<_>>(), places("203.0.113.7:1"));
        assert_eq!(PublicAddresses::parse("relay.example:1 203.0.113.7:1 wss://x"), one);
        assert_eq!(PublicAddresses::parse(&format!("{text} 203.0.113.9:1")), both);
        assert_eq!(PublicAddresses::parse(""), PublicAddresses::default());
        assert_eq!(PublicAddresses::default().to_string(), "");
    }

    #[test]
    fn every_node_has_its_share() {
        let random = SeededRandom::new(b"balance");
        for count in [1, 2, 3, 8, 16] {
            let ring = Ring::new(nodes(&random, count));
            let mut shares: HashMap<NodeId, usize> = HashMap::new();
            for home in homes(&random) {
                *shares.entry(ring.owner(home).unwrap().id).or_default() += 1;
            }
            let fair = HOMES / usize::from(count);
            assert_eq!(shares.len(), usize::from(count));
            // Six standard deviations of a binomial distribution, and the seed is fixed.
            let slack = 6.0 * (fair as f64).sqrt();
            for share in shares.values() {
                assert!((*share as f64 - fair as f64).abs() < slack, "{share} of {fair} with {count} nodes");
            }
        }
    }
}
