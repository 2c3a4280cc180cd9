//! Waking phones that are not connected (`docs/design/0011-wake-and-push.md`).
//!
//! * [`PushTarget`] says where a phone is woken. It is a secret of the phone and the relay: [`PushKey::seal`] seals it to the
//!   relay, [`PushSecret::open`] opens it there.
//! * With the feature `gateways`: [`Gateway`] is what carries a sealed [`Message`] to a phone, and [`Fcm`], [`WebPush`] and
//!   [`Apns`] are the three there are. Each says with an [`Outcome`] what became of the message.
//!
//! Nothing in here knows what a message says: payloads are opaque.

#![forbid(unsafe_code)]

mod seal;
mod target;

pub use seal::{PushKey, PushSecret, SealError};
pub use target::{PushTarget, TargetError};

#[cfg(feature = "gateways")]
mod apns;
#[cfg(feature = "gateways")]
mod fcm;
#[cfg(feature = "gateways")]
mod gateway;
#[cfg(feature = "gateways")]
mod http;
#[cfg(feature = "gateways")]
mod reach;
#[cfg(feature = "gateways")]
mod token;
#[cfg(feature = "gateways")]
mod web_push;

#[cfg(feature = "gateways")]
pub use {
    apns::{Apns, ApnsSettings},
    fcm::{Fcm, FcmSettings},
    gateway::{Gateway, Message, Outcome, SetupError},
    http::HttpSettings,
    web_push::{WebPush, WebPushSettings},
};
