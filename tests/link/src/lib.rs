//! Bad links to test on, where the kernel has no `netem`.
//!
//! - [`Shaper`]: what becomes of each packet of one direction. Pure: time and chance are passed in.
//! - [`Namespace`]: a network of its own, which is gone when the last who uses it is; leaves nothing behind.
//! - [`Centre`]: the namespace where relay and hub run, at [`CENTRE`]; each [`Link`] leads from it to a namespace where a
//!   phone runs. In between are two TUN devices and a thread that carries packets from one to the other as the shapers say,
//!   so that QUIC and TCP both go through a real path of 1500-byte packets.
//!
//! Needs Linux, root (or CAP_NET_ADMIN and CAP_SYS_ADMIN), `/dev/net/tun`, and the programs `ip`, `unshare` and `cat`.

#![forbid(unsafe_code)]

mod centre;
mod namespace;
mod pump;
mod shaper;

pub use centre::{CENTRE, Centre, Link};
pub use namespace::{LinkError, Namespace};
pub use pump::Counts;
pub use shaper::{Conditions, Fate, Loss, Rate, Shaper};
