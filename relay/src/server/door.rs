//! Who is next at the door. Newcomers wait in a line for each network, and one of each network is let in in turn: whoever sends many lets
//! its own wait, and nobody else's. Pure and bounded.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::quota::network;

/// Newcomers that wait, of all networks together: as many as even one core lets in within two seconds.
const MOST: usize = 512;

/// Those who wait.
#[derive(Debug)]
pub(crate) struct Lines<T> {
    lines: HashMap<u64, VecDeque<T>>,
    /// Networks of which somebody waits, the one whose turn is next in front.
    turns: VecDeque<u64>,
    waiting: usize,
}

impl<T> Lines<T> {
    pub(crate) fn new() -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }

    /// Lets one more wait. Where that is one too many, somebody has to go, and is given back: the last of the longest line.
    #[must_use]
    pub(crate) fn join(&mut self, address: IpAddr, newcomer: T) -> Option<T> {
        let network = network(address);
        let line = self.lines.entry(network).or_default();
        if line.is_empty() {
            self.turns.push_back(network);
        }
        line.push_back(newcomer);
        self.waiting += 1;
        if self.waiting <= MOST {
            return None;
        }
        let longest = self.lines.iter().max_by_key(|(_, line)| line.len()).map(|(network, _)| *network)?;
        self.take(longest, VecDeque::pop_back)
    }

    /// The next one, whose network has to wait for all others then.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let network = self.turns.pop_front()?;
        let newcomer = self.take(network, VecDeque::pop_front);
        if self.lines.contains_key(&network) {
            self.turns.push_back(network);
        }
        newcomer
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    fn take(&mut self, network: u64, end: fn(&mut VecDeque<T>) -> Option<T>) -> Option<T> {
        let line = self.lines.get_mut(&network)?;
        let newcomer = end(line)?;
        self.waiting -= 1;
        if line.is_empty() {
            self.lines.remove(&network);
            self.turns.retain(|turn| *turn != network);
        }
        Some(newcomer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(network: u8) -> IpAddr {
        [10, 0, 0, network].into()
    }

    #[test]
    fn networks_take_turns_and_each_keeps_its_order() {
        let mut lines = Lines::new();
        for (network, newcomer) in [(1, "a1"), (1, "a2"), (1, "a3"), (2, "b1"), (3, "c1"), (2, "b2")] {
            assert_eq!(lines.join(address(network), newcomer), None);
        }
        assert_eq!(lines.len(), 6);
        let order: Vec<_> = std::iter::from_fn(|| lines.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(lines.is_empty() && lines.lines.is_empty() && lines.turns.is_empty());
    }

    #[test]
    fn who_sends_too_many_loses_its_own() {
        let mut lines = Lines::new();
        assert_eq!((0..MOST).filter_map(|number| lines.join(address(1), number)).count(), 0);
        assert_eq!(lines.join(address(1), MOST), Some(MOST), "its last one, which is the one that comes");
        assert_eq!(lines.join(address(2), 7), Some(MOST - 1), "room for another network");
        assert_eq!((lines.pop(), lines.pop(), lines.pop()), (Some(0), Some(7), Some(1)));
        assert_eq!(lines.len(), MOST - 3);
    }

    #[test]
    fn ever_so_many_networks_take_no_more_room() {
        let mut lines = Lines::new();
        let mut gone = 0;
        for number in 0..10_000_u32 {
            gone += usize::from(lines.join(std::net::Ipv4Addr::from_bits(number).into(), number).is_some());
        }
        assert_eq!((lines.len(), lines.lines.len(), lines.turns.len(), gone), (MOST, MOST, MOST, 10_000 - MOST));
        assert_eq!(std::iter::from_fn(|| lines.pop()).count(), MOST);
    }
}
