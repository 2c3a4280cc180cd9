//! The QUIC client that hub and phone share. The protocol: `docs/reference/relay-protocol.md`.
//!
//! * [`connect()`] makes an authenticated [`Connection`] to a relay that is who the [`RelayTarget`] says.
//! * [`found()`] does the same for who founds a home, and works for it where the relay asks for work.
//! * Every verb of the protocol is a method of [`Connection`]; long answers are pulled from [`LogReader`],
//!   [`SegmentReader`] and [`Follower`], long bodies are pushed into a [`SegmentWriter`].
//! * Every `next`, `read` and `write` may be dropped and called again without losing or repeating a byte. A request that is
//!   dropped before its answer may or may not have been carried out; all of them can be repeated.
//! * [`Reconnect`] says when to come again, and goes on where a relay that ended said; [`ClientError::is_retryable`] says whether to.

#![forbid(unsafe_code)]

mod backoff;
mod connect;
mod connection;
mod error;
mod follow;
mod found;
mod frames;
mod log;
mod reconnect;
mod segment;
mod tls;

pub use connect::{ClientKey, RelayTarget, Trust, connect};
pub use connection::{Connection, PushKey};
pub use error::ClientError;
pub use follow::{FollowEvent, Follower};
pub use found::found;
pub use log::{LogItem, LogReader};
pub use privet_protocol::relay::{
    CapabilityKey, Code, From, Limits, Principal, Refusal, Retention, Rights, Side, StreamState, Urgency, Usage,
};
pub use reconnect::Reconnect;
pub use segment::{SegmentReader, SegmentWriter};
