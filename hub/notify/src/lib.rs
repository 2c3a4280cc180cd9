//! Who is woken for what. Page: `docs/design/0010-notifications.md`.
//!
//! * [`mod@decide`]: the rules, pure: one event, one phone's wishes, the time.
//! * [`quiet`]: quiet hours by time zone.
//! * [`grace`]: a camera or relay that is away is told of after a grace period, and as back only when it was.
//! * [`book`]: wishes, and the notices that wait, in the hub's store: an event's notices are put once, whatever fails between.
//!
//! Nothing here reads a clock, opens a connection or commits by itself: time goes in, a [`Step`] comes out, its caller makes it
//! durable together with what else it has to write, and whoever carries the notices says when one is [`Book::done`].

#![forbid(unsafe_code)]

pub mod book;
pub mod decide;
mod error;
pub mod grace;
mod limit;
pub mod quiet;
mod record;
mod waiting;

pub use book::{Book, Figures, Step, Taken, Wished};
pub use decide::{Before, Household, Silence, decide};
pub use error::BookError;
pub use grace::{Grace, Subject};
pub use waiting::{LATE, Waiting};
