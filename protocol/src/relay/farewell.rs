//! What a relay says when it ends: words for people, and behind them, for programs, where to go on and after how long.
//!
//! It is the reason that comes with the code [`close::SHUTDOWN`]:
//!
//! ```text
//! the relay ends: come again <1 after_ms=250 to=203.0.113.7:4433,[2001:db8::7]:4433>
//! ```
//!
//! A client from before reads the words; words of a relay from before, and whatever else is none of this, lead nowhere in particular: a
//! client goes by the name then, as always. The `1` is the version of what follows it, and fields that it does not know are ignored. The
//! last character says that nothing was cut off. Whether a client goes where it is told is its own choice: whoever answers there has to
//! prove that it is the same relay.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::close;

/// The version of what is said for programs.
const VERSION: &str = "1";

/// Where a relay that ends sends its clients: one address at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Farewell {
    after_ms: u64,
    to: Vec<SocketAddr>,
}

impl Farewell {
    /// The most addresses there are in one.
    pub const MOST: usize = 4;
    /// The longest time that it lets a client wait, in milliseconds.
    pub const MAX_AFTER_MS: u64 = 60_000;
    /// The longest one, in bytes.
    pub const MAX_LENGTH: usize = 256;

    /// Sends clients to these addresses, the best first, after so many milliseconds. What is more than [`Farewell::MOST`] or
    /// [`Farewell::MAX_AFTER_MS`] is left out, and of an address all but IP address and port. `None` where there is no address.
    pub fn new(after_ms: u64, to: impl IntoIterator<Item = SocketAddr>) -> Option<Self> {
        let mut places = Vec::with_capacity(Self::MOST);
        for place in to {
            // A scope of IPv6 says something on one machine only.
            let place = SocketAddr::new(place.ip(), place.port());
            if places.len() < Self::MOST && !places.contains(&place) {
                places.push(place);
            }
        }
        if places.is_empty() { None } else { Some(Self { after_ms: after_ms.min(Self::MAX_AFTER_MS), to: places }) }
    }

    /// What the reason of a close with [`close::SHUTDOWN`] says; `None` where that is nowhere in particular.
    pub fn parse(reason: &[u8]) -> Option<Self> {
        if reason.len() > Self::MAX_LENGTH {
            return None;
        }
        let (_words, told) = std::str::from_utf8(reason).ok()?.strip_suffix('>')?.rsplit_once('<')?;
        let mut fields = told.split(' ');
        if fields.next() != Some(VERSION) {
            return None;
        }
        let (mut after_ms, mut to): (u64, Vec<SocketAddr>) = (0, Vec::new());
        for field in fields {
            match field.split_once('=') {
                Some(("after_ms", number)) => after_ms = number.parse().ok()?,
                // A newer relay may know other kinds of addresses.
                Some(("to", list)) => to = list.split(',').filter_map(|place| place.parse().ok()).collect(),
                _ => {}
            }
        }
        Self::new(after_ms, to)
    }

    /// How long to wait before going there.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }

    /// The addresses, the best first.
    pub fn to(&self) -> &[SocketAddr] {
        &self.to
    }
}

/// As it is said.
impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{VERSION} after_ms={} to=", close::words(close::SHUTDOWN), self.after_ms)?;
        for (at, place) in self.to.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{place}")?;
        }
        f.write_str(">")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const SAID: &str = "the relay ends: come again <1 after_ms=250 to=203.0.113.7:4433,[2001:db8::7]:4433>";

    fn places(text: &str) -> Vec<SocketAddr> {
        text.split(' ').map(|place| place.parse().unwrap()).collect()
    }

    fn parsed(text: &str) -> Option<(u64, Vec<SocketAddr>)> {
        Farewell::parse(text.as_bytes()).map(|farewell| (farewell.after_ms, farewell.to))
    }

    #[test]
    fn it_is_said_as_the_page_shows_it_and_understood_again() {
        let farewell = Farewell::new(250, places("203.0.113.7:4433 [2001:db8::7]:4433")).unwrap();
        assert_eq!(farewell.to_string(), SAID);
        assert_eq!(Farewell::parse(SAID.as_bytes()), Some(farewell.clone()));
        assert_eq!(farewell.after(), Duration::from_millis(250));
    }

    #[test]
    fn words_alone_lead_nowhere_in_particular_and_so_does_what_is_cut_off() {
        for code in 0..9 {
            assert_eq!(parsed(close::words(code)), None);
        }
        for length in 0..SAID.len() {
            assert_eq!(parsed(&SAID[..length]), None, "{length}");
        }
        for text in [
            "<>",
            "<1>",
            "< 1 to=203.0.113.7:1>",
            "<1 to=>",
            "<1 to=relay.example:1>",
            "<2 to=203.0.113.7:1>",
            "<1 after_ms=soon to=203.0.113.7:1>",
            "<1 after_ms=99999999999999999999 to=203.0.113.7:1>",
            "<1 to=203.0.113.7:1> and more",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
        let long = format!("{} <1 to=203.0.113.7:1>", "x".repeat(Farewell::MAX_LENGTH));
        assert_eq!(parsed(&long), None);
        assert_eq!(Farewell::parse(b"\xff <1 to=203.0.113.7:1>"), None);
    }

    #[test]
    fn what_a_newer_relay_adds_is_ignored_and_what_is_too_much_left_out() {
        let known = (0, places("203.0.113.7:1"));
        assert_eq!(parsed("<1 to=203.0.113.7:1 spread_ms=9 hurry>"), Some(known.clone()));
        assert_eq!(parsed("<1 to=relay.example:1,203.0.113.7:1,203.0.113.7:1>"), Some(known));
        let five = "203.0.113.1:1 203.0.113.2:1 203.0.113.3:1 203.0.113.4:1 203.0.113.5:1";
        let (after_ms, to) = parsed(&format!("<1 after_ms=60001 to={}>", five.replace(' ', ","))).unwrap();
        assert_eq!((after_ms, to), (Farewell::MAX_AFTER_MS, places(five)[..Farewell::MOST].to_vec()));
        let scoped = places("[fe80::1%3]:1");
        assert_eq!(Farewell::new(0, scoped).unwrap().to(), places("[fe80::1]:1"));
        assert_eq!(Farewell::new(9, []), None);
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood_and_bounded(
            after_ms in any::<u64>(),
            to in prop::collection::vec(any::<SocketAddr>(), 1..9),
        ) {
            let farewell = Farewell::new(after_ms, to).unwrap();
            let said = farewell.to_string();
            prop_assert!(said.len() <= Farewell::MAX_LENGTH, "{} bytes", said.len());
            prop_assert_eq!(Farewell::parse(said.as_bytes()), Some(farewell));
            prop_assert!(said.starts_with(close::words(close::SHUTDOWN)));
        }

        #[test]
        fn no_bytes_do_any_harm(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            at in 0..SAID.len(),
            byte in any::<u8>(),
        ) {
            let mut flipped = SAID.as_bytes().to_vec();
            flipped[at] = byte;
            for bytes in [noise, flipped] {
                if let Some(farewell) = Farewell::parse(&bytes) {
                    prop_assert!((1..=Farewell::MOST).contains(&farewell.to().len()));
                    prop_assert!(farewell.after() <= Duration::from_millis(Farewell::MAX_AFTER_MS));
                }
            }
        }
    }
}
