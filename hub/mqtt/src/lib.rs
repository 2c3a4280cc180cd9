//! The home's cameras at an MQTT broker, as Home Assistant finds them by itself. Page: `docs/guide/home-assistant.md`, why:
//! `docs/design/0013-mqtt-and-metrics.md`.
//!
//! 1. The hub describes the home ([`House`]) and the [`Broker`], and starts [`Mqtt`], which keeps a connection for ever.
//! 2. A new connection leaves a last will ("offline"), says who is there ([`topics`], in Home Assistant's discovery), then every
//!    state. All of it is retained: who comes later sees it too.
//! 3. What the hub tells through a [`Handle`] changes the house; the connection says what differs from what it said.
//! 4. A number of minutes at a camera's `snooze/set` goes to [`Snoozes`], and what holds then comes back as a state.
//! 5. When Home Assistant starts, or the connection is a new one, it begins again at 2.
//!
//! It knows no hub. A broker that is away, hangs or talks nonsense costs a log line and some memory that does not grow.

#![forbid(unsafe_code)]

pub mod house;
pub mod link;
pub mod snooze;
pub mod topics;

mod broker;
mod discovery;
mod error;
mod session;

pub use broker::{Broker, Login};
pub use error::{BrokerError, LinkError};
pub use house::{House, HubNews, Message, News};
pub use link::{Handle, LinkState, Mqtt, Snoozes, Timing};
pub use topics::Topics;
