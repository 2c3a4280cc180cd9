//! The hub: cameras in, sealed segments out.
//!
//! Follow one video frame by going down the modules in this order: [`source`] (a sandboxed worker process pulls it from the
//! camera), [`media`] (it becomes a CMAF chunk), [`recorder`] (it joins the pre-roll, a clip, a live stream; it is sealed),
//! [`outbox`] (a clip's segment waits on disk), [`uplink`] (it goes to the relay). Beside that way: [`motion`] finds what is
//! worth a clip, [`notices`] tells phones of it, [`keys`] keeps secrets at rest, [`reserve`] room on the disk for the
//! state, [`status`] is what the owner can see, [`metrics`] and [`mqtt`] what other programs can, [`control`] is how the command line
//! talks to the running hub, [`hub`] puts it all together.

pub mod config;
pub mod control;
pub mod hub;
pub mod keys;
pub mod latency;
pub mod media;
pub mod metrics;
pub mod motion;
pub mod mqtt;
pub mod notices;
pub mod outbox;
pub mod recorder;
pub mod reserve;
pub mod source;
pub mod status;
pub mod time;
pub mod uplink;
