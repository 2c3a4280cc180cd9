//! Events of the home: what happened, when, where. The log holds each one in full; a notification holds it once more, sealed
//! to one phone, under the same id.

use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounded::{self, NAME, REASON};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeEvent {
    /// Its id: the same in the log and in every notification.
    pub id: EventId,
    /// When it began, by the hub's clock.
    pub at: Timestamp,
    /// The camera it happened at; absent when it concerns the hub itself.
    #[serde(default)]
    pub camera: Option<CameraId>,
    /// What happened.
    pub what: Happening,
    /// The clip that shows it, if one is recorded.
    #[serde(default)]
    pub clip: Option<StreamId>,
    /// The camera's zones it happened in, by name; at most 32 names of 64 bytes. Empty without zones.
    #[serde(default, deserialize_with = "bounded::zones")]
    pub zones: Vec<String>,
}

impl HomeEvent {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.what.severity()
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub enum Happening {
    /// Something moves.
    Motion,
    /// No pictures come from the camera, for longer than the grace period.
    CameraOffline {
        /// Why, in words; at most 512 bytes.
        #[serde(deserialize_with = "bounded::text::<_, REASON>")]
        reason: String,
    },
    /// Pictures come again. Only after a `CameraOffline`.
    CameraOnline,
    /// Somebody or something keeps the camera from seeing what it should.
    Tampered {
        /// In which way.
        how: Tamper,
    },
    /// The hub's disk is nearly full.
    DiskNearlyFull {
        /// What is left, in MiB.
        free_mib: u64,
    },
    /// The home's room at the relay is nearly full: what is recorded soon stays at the hub only.
    RelayNearlyFull {
        /// What is left, in MiB.
        free_mib: u64,
    },
    /// The hub has no relay: phones learn of this one late, or through a push service.
    RelayUnreachable {
        /// Since when.
        since: Timestamp,
    },
    /// The relay is there again. Only after a `RelayUnreachable`.
    RelayBack,
    /// A kind, or a content of a known kind, that this version does not know. An interface shows its name.
    #[serde(skip)]
    Unknown {
        /// Its name, at most 64 bytes.
        kind: String,
    },
}

/// How a camera is kept from seeing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Tamper {
    /// Something stands before the lens.
    Covered,
    /// The picture is blurred.
    Defocused,
    /// It looks at another place.
    Moved,
}

/// How much an event matters, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Somebody should see to it.
    Warning,
    /// Somebody should see to it now.
    Alarm,
}

impl Happening {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Motion | Self::CameraOnline | Self::RelayBack | Self::Unknown { .. } => Severity::Info,
            Self::CameraOffline { .. }
            | Self::DiskNearlyFull { .. }
            | Self::RelayNearlyFull { .. }
            | Self::RelayUnreachable { .. } => Severity::Warning,
            Self::Tampered { .. } => Severity::Alarm,
        }
    }

    /// Whether it is about the health of the cameras and the hub, not about what a camera saw.
    pub fn is_health(&self) -> bool {
        !matches!(self, Self::Motion | Self::Unknown { .. })
    }
}

impl Serialize for Happening {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown { kind } => to.serialize_str(kind),
            known => Self::serialize(known, to),
        }
    }
}

impl<'de> Deserialize<'de> for Happening {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = ciborium::Value::deserialize(from)?;
        let kind = match &value {
            ciborium::Value::Text(kind) => kind.clone(),
            ciborium::Value::Map(fields) => match fields.as_slice() {
                [(ciborium::Value::Text(kind), _)] => kind.clone(),
                _ => return Err(de::Error::custom("a happening is a text, or a map of one")),
            },
            _ => return Err(de::Error::custom("a happening is a text, or a map of one")),
        };
        bounded::within("a happening's name", "bytes", kind.len(), NAME)?;
        // A newer hub may say more than this phone understands; the event as such is shown all the same.
        Ok(value.deserialized().map_or(Self::Unknown { kind }, |Known(happening)| happening))
    }
}

/// A happening of this version.
struct Known(Happening);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Happening::deserialize(from).map(Self)
    }
}
