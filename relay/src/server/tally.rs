//! What the relay counts, of all homes together. No number tells homes, phones or addresses apart, so that whoever reads them learns
//! nothing that the operator could not see of the machine as a whole. Page: `docs/reference/relay-metrics.md`.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use privet_protocol::relay::{Code, close};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use quinn::{ConnectionError, VarInt};

/// Everything that is counted from the start on, and what is there now.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What became of those who came.
    pub(crate) newcomers: Family<Newcomer>,
    /// Connections after their hello, now.
    pub(crate) connections: Family<Kind>,
    /// Hellos that were accepted.
    pub(crate) hellos: Family<Kind>,
    /// Connections that ended.
    pub(crate) closed: Family<Closed>,
    /// Requests of every kind.
    pub(crate) requests: Count,
    /// Hellos and requests that were refused.
    pub(crate) refused: Family<Code>,
    /// Requests that led nowhere, one too many of them on their connection, whose place was not free at once.
    pub(crate) held_back: Count,
    /// Streams followed now.
    pub(crate) followers: Count,
    /// Segments that a follower was too slow for.
    pub(crate) skipped: Count,
    /// Pieces of segments that waited because their home had come to its bytes a second.
    pub(crate) slowed: Family<Direction>,
    /// Bytes of messages and bodies from clients.
    pub(crate) received: Count,
    /// The same to clients.
    pub(crate) sent: Count,
    /// What the homes keep that were read since the start, in bytes.
    pub(crate) stored: Level,
    /// Entries in their logs.
    pub(crate) log_entries: Level,
    /// Homes in memory.
    pub(crate) homes: Count,
    /// Connections whose home another node serves.
    pub(crate) piped: Count,
    /// Live streams that come from other nodes for followers here.
    pub(crate) pulled: Count,
    /// Bytes carried between clients and other nodes.
    pub(crate) carried: Count,
    /// How long the disk took.
    pub(crate) disk: Times,
    /// Commits and bodies that could not be made durable.
    pub(crate) disk_failed: Count,
}

/// A label and its values, all of which are told, also those that were never counted.
pub(crate) trait Label: Copy + PartialEq + 'static {
    /// The values and their names on the page.
    const ALL: &'static [(Self, &'static str)];
}

/// What became of a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newcomer {
    Connected,
    /// As many connections as there may be.
    Full,
    /// It has to prove its address first.
    AskedAgain,
    /// Too many of its network, there or within a short time.
    TooOften,
    /// Too many wait for their turn, most of them of its network: it was not answered.
    Crowded,
    /// The relay is about to end.
    Leaving,
    /// The handshake failed or took too long.
    Failed,
}

impl Label for Newcomer {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Connected, "connected"),
        (Self::Full, "full"),
        (Self::AskedAgain, "asked_again"),
        (Self::TooOften, "too_often"),
        (Self::Crowded, "crowded"),
        (Self::Leaving, "leaving"),
        (Self::Failed, "failed"),
    ];
}

/// Whom a connection acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Owner,
    Member,
    Mailbox,
}

impl Label for Kind {
    const ALL: &'static [(Self, &'static str)] =
        &[(Self::Owner, "owner"), (Self::Member, "member"), (Self::Mailbox, "mailbox")];
}

/// Which way a segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a hub.
    Received,
    /// To a reader.
    Sent,
}

impl Label for Direction {
    const ALL: &'static [(Self, &'static str)] = &[(Self::Received, "received"), (Self::Sent, "sent")];
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The client closed it.
    Client,
    /// Nothing was heard for too long.
    Timeout,
    /// It broke in another way.
    Lost,
    /// The relay closed it, for a reason of [`close`].
    Relay(u32),
}

impl Label for Closed {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Client, "client"),
        (Self::Timeout, "timeout"),
        (Self::Lost, "lost"),
        (Self::Relay(close::REFUSED), "refused"),
        (Self::Relay(close::REVOKED), "revoked"),
        (Self::Relay(close::SHUTDOWN), "shutdown"),
        (Self::Relay(close::LATE), "late"),
        (Self::Relay(close::MALFORMED), "malformed"),
        (Self::Relay(close::REPLACED), "replaced"),
        (Self::Relay(close::CURTAILED), "curtailed"),
    ];
}

impl Label for Code {
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Version, "version"),
        (Self::Denied, "denied"),
        (Self::NotFound, "not_found"),
        (Self::Gone, "gone"),
        (Self::Conflict, "conflict"),
        (Self::TooLarge, "too_large"),
        (Self::Quota, "quota"),
        (Self::Busy, "busy"),
        (Self::Malformed, "malformed"),
        (Self::Storage, "storage"),
    ];
}

impl Tally {
    /// Closes a connection for a reason of [`close`], and counts that, unless it is over already: closed once more, it would no
    /// longer say that the client closed it. Without `words` the client is told those of the reason.
    pub(crate) fn close(&self, connection: &quinn::Connection, reason: u32, words: &[u8]) {
        let words = if words.is_empty() { close::words(reason).as_bytes() } else { words };
        if connection.close_reason().is_none() {
            self.closed.add(Closed::Relay(reason));
            connection.close(VarInt::from_u32(reason), words);
        }
    }

    /// Counts a connection that is over. One that the relay closed was counted then.
    pub(crate) fn ended(&self, connection: &quinn::Connection) {
        match connection.close_reason() {
            Some(ConnectionError::LocallyClosed) => {}
            Some(ConnectionError::ApplicationClosed(_)) => self.closed.add(Closed::Client),
            Some(ConnectionError::TimedOut) => self.closed.add(Closed::Timeout),
            _ => self.closed.add(Closed::Lost),
        }
    }
}

/// A number that grows, and may shrink where it says how many are there now.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much is there now.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicI64);

impl Level {
    pub(crate) fn rise(&self, by: u64) {
        self.0.fetch_add(i64::try_from(by).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn fall(&self, by: u64) {
        self.0.fetch_sub(i64::try_from(by).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// A count for each value of a label.
#[derive(Debug)]
pub(crate) struct Family<L>(Vec<Count>, PhantomData<L>);

impl<L: Label> Default for Family<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| Count::default()).collect(), PhantomData)
    }
}

impl<L: Label> Family<L> {
    pub(crate) fn add(&self, label: L) {
        if let Some(count) = self.of(label) {
            count.add(1);
        }
    }

    /// Every name and its count.
    pub(crate) fn now(&self) -> impl Iterator<Item = (&'static str, u64)> {
        L::ALL.iter().zip(&self.0).map(|((_, name), count)| (*name, count.now()))
    }

    fn of(&self, label: L) -> Option<&Count> {
        L::ALL.iter().position(|(known, _)| *known == label).and_then(|at| self.0.get(at))
    }
}

/// Counts one that is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Present {
    tally: Arc<Tally>,
    of: Of,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Connection(Kind),
    Follower,
    Home,
    Piped,
    Pulled,
}

impl Present {
    /// A client that said hello.
    pub(crate) fn connection(tally: &Arc<Tally>, kind: Kind) -> Self {
        tally.hellos.add(kind);
        Self::new(tally, Of::Connection(kind))
    }

    /// One that follows a stream.
    pub(crate) fn follower(tally: &Arc<Tally>) -> Self {
        Self::new(tally, Of::Follower)
    }

    /// A home in memory.
    pub(crate) fn home(tally: &Arc<Tally>) -> Self {
        Self::new(tally, Of::Home)
    }

    /// A client whose home another node serves.
    pub(crate) fn piped(tally: &Arc<Tally>) -> Self {
        Self::new(tally, Of::Piped)
    }

    /// A stream that comes from another node.
    pub(crate) fn pulled(tally: &Arc<Tally>) -> Self {
        Self::new(tally, Of::Pulled)
    }

    fn new(tally: &Arc<Tally>, of: Of) -> Self {
        let present = Self { tally: Arc::clone(tally), of };
        if let Some(count) = present.count() {
            count.add(1);
        }
        present
    }

    fn count(&self) -> Option<&Count> {
        match self.of {
            Of::Connection(kind) => self.tally.connections.of(kind),
            Of::Follower => Some(&self.tally.followers),
            Of::Home => Some(&self.tally.homes),
            Of::Piped => Some(&self.tally.piped),
            Of::Pulled => Some(&self.tally.pulled),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some(Count(count)) = self.count() {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How long it took to make things durable, in seconds.
#[derive(Debug)]
pub(crate) struct Times {
    /// A batch in the index.
    pub(crate) commit: Histogram,
    /// A body that is whole.
    pub(crate) body: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        // From half a millisecond, a good disk, to four seconds, a disk that fails.
        let times = || Histogram::new(exponential_buckets(0.0005, 2.0, 14));
        Self { commit: times(), body: times() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_counted_until_it_goes_and_what_came_stays_counted() {
        let tally = Arc::new(Tally::default());
        let (one, two) = (Present::connection(&tally, Kind::Owner), Present::connection(&tally, Kind::Member));
        drop(one);
        let of = |family: &Family<Kind>| family.now().map(|(_, count)| count).collect::<Vec<_>>();
        assert_eq!((of(&tally.connections), of(&tally.hellos)), (vec![0, 1, 0], vec![1, 1, 0]));
        drop(two);
        assert_eq!(of(&tally.connections), [0, 0, 0]);
    }

    #[test]
    fn every_reason_of_the_relay_has_a_name() {
        for reason in close::DONE + 1..=close::CURTAILED {
            assert!(Closed::ALL.iter().any(|(known, _)| *known == Closed::Relay(reason)), "{reason}");
        }
    }
}
