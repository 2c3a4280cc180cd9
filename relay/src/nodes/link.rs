//! What nodes say to each other. One connection for each client that came to another node than its home's: what is said of a
//! connection (who it is, that it was revoked, what goes first, how much waits) is said of exactly one client.
//!
//! 1. The asking node opens a stream with an [`Opening`]: its proof, and for whom it comes. The other one answers [`Opened`].
//! 2. Each stream of the client is one on the link: a [`Head`] first, with the number that the client knows its stream by.
//! 3. Each stream towards the client is one on the link: its priority first, as four bytes.

use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::relay::{CapabilityKey, HelloAnswer, Principal};
use serde::{Deserialize, Serialize};

/// The longest [`Opening`] and [`Opened`].
pub(crate) const MAX_OPENING: usize = 8192;

/// The first message of a link.
#[derive(Serialize, Deserialize)]
pub(crate) struct Opening {
    /// That it comes from a node, on this connection.
    #[serde(with = "serde_bytes")]
    pub(crate) proof: [u8; 32],
    pub(crate) behalf: Behalf,
}

/// For whom a node comes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Behalf {
    /// A client that proved itself there.
    Client(Client),
    /// Followers there that may follow a home's streams: each is asked for by itself.
    Puller { home: HomeId },
}

/// A client that proved itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) principal: Principal,
    pub(crate) key: CapabilityKey,
    /// Of the protocol, that both sides speak.
    pub(crate) version: u16,
}

/// The answer to an [`Opening`].
#[derive(Serialize, Deserialize)]
pub(crate) enum Opened {
    /// What the client would have been answered here.
    Answer(HelloAnswer),
    /// The home is not served here, as far as this node knows.
    Elsewhere,
}

/// How a stream on a link begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Head {
    /// A request of the client, which knows its stream by this number; its bytes follow as they came.
    Request { stream: u64 },
    /// Asks whether the client may follow this stream from its newest segment at the node where it is. Answer: [`MayFollow`].
    MayFollow { stream: StreamId },
}

/// The answer to [`Head::MayFollow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MayFollow {
    /// It may, and nothing of the stream is kept: one copy for all followers there will do.
    Live,
    /// Ask as if there were no node in between.
    Ask,
}
