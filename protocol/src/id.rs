//! Random 128-bit names. None says anything about whom or what it names; each has its own type so that a stream can't be
//! passed where a camera is meant.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} id '{text}' is not 32 hexadecimal digits")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(#[serde(with = "serde_bytes")] [u8; 16]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A new random id.
            pub fn generate(random: &dyn Random) -> Self {
                let mut bytes = [0; 16];
                random.fill(&mut bytes);
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, ":{}"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                HEXLOWER_PERMISSIVE
                    .decode(text.as_bytes())
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| IdError { kind: $kind, text: text.chars().take(64).collect() })
            }
        }
    };
}

id!(
    /// A home as the relay knows it.
    HomeId, "home"
);
id!(
    /// A camera, as the home and the evidence name it. Random, so that it names no person and no place.
    CameraId, "camera"
);
id!(
    /// A stream: a run of segments under one stream key. A clip is a finished stream and has its id.
    StreamId, "stream"
);
id!(
    /// A member device of the home: the hub or a phone.
    DeviceId, "device"
);
id!(
    /// A rendezvous mailbox at the relay.
    MailboxId, "mailbox"
);
id!(
    /// One pairing: one QR code.
    PairingId, "pairing"
);
id!(
    /// An event of the home: a motion, an outage. A notification and the log's entry about the same event have the same id.
    EventId, "event"
);
