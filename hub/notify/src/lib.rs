//! Who is woken for what. Page: `docs/design/0010-notifications.md`.
//!
//! * [`decide`]: the rules, pure: one event, one phone's wishes, the time.
//! * [`quiet`]: quiet hours by time zone.
//! * [`grace`]: a camera or relay that is away is told of after a grace period, and as back only when it was.
//! * [`book`]: wishes, and the notices that wait, in the hub's store: an event's notices are put once, whatever fails between.
//!
//! Nothing here reads a clock or opens a connection: time goes in, notices come out, and whoever carries them says when one is
//! [`Book::done`].

#![forbid(unsafe_code)]

pub mod book;
pub mod decide;
pub mod grace;
pub mod quiet;

pub use book::{Book, BookError, LATE, Waiting};
pub use decide::{Before, Silence, decide};
pub use grace::{Grace, Subject};
