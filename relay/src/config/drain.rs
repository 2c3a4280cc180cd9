//! Where clients go when the relay ends, and what may stand in `[drain]`.

use std::net::SocketAddr;

use privet_config::Fault;
use privet_protocol::relay::Farewell;
use serde::Deserialize;

/// Where clients are sent when the relay ends. To the other nodes without the table, where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Drain {
    /// Where the same relay is reached then, the best first.
    pub to: Vec<SocketAddr>,
    /// How long clients wait before they go there.
    pub after_ms: u64,
}

impl Drain {
    pub(super) fn fault(&self) -> Option<Fault> {
        fault_of("drain.to", &self.to, Farewell::MOST)
            .or_else(|| self.to.iter().find(|place| place.port() == 0).map(|place| not_an_address("drain.to", place)))
    }
}

/// What is wrong with addresses that clients are told, of which there may be so many.
pub(super) fn fault_of(key: &str, places: &[SocketAddr], most: usize) -> Option<Fault> {
    if places.len() > most {
        return Some(Fault::new(key, format!("a list of {} addresses", places.len())));
    }
    let place = places.iter().find(|place| place.ip().is_unspecified() || place.ip().is_multicast())?;
    Some(not_an_address(key, place))
}

fn not_an_address(key: &str, place: &SocketAddr) -> Fault {
    Fault::new(key, format!("a list with \"{place}\""))
}

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("drain", "a table, `[drain]`"),
    (
        "drain.to",
        "a list of at most four IP addresses with ports in quotes, such as [\"203.0.113.7:4433\"], at which clients reach the same relay",
    ),
];
