//! The blind relay (`docs/design/0005-relay.md`): it stores and forwards sealed bytes for homes it knows nothing about.
//!
//! * [`Server`] is the relay, in process or inside the program `privet-relay`.
//! * [`Config`] is everything that can be set, with the limits that bound what anybody can make it do.
//! * [`Identity`] is the key that clients pin.
//! * [`doctor`] looks at the machine for what stands in a relay's way.
//! * [`Machine`] is what it takes from the machine: clock and disk.
//! * [`DataDirectory`] is what it keeps, while it does not run: to be checked and backed up.
//! * [`Invites`] are how an operator lets homes in.
//! * [`lines`] is what becomes a line of the log.
//! * [`nodes`] is what makes many relays one.
//! * [`storage`] is the seam to where state and bodies are kept.

#![forbid(unsafe_code)]

pub mod config;
mod data;
pub mod doctor;
mod gateways;
mod identity;
mod invites;
pub mod lines;
mod machine;
pub mod nodes;
mod server;
pub mod storage;
mod tokens;

pub use config::{Config, ConfigError};
pub use data::{BackedUp, DataDirectory, DataError, Finding, Report, SegmentPlace, check_shared};
pub use gateways::PushError;
pub use identity::{Identity, IdentityError};
pub use invites::{Invite, InviteError, InviteState, Invites};
pub use machine::Machine;
pub use server::{Server, ServerError, WakeCounts};
