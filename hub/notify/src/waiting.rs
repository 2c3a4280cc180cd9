//! A notice while it waits.

use std::time::Duration;

use privet_home::{Happening, HomeEvent, Thumbnail};
use privet_notice::Notice;
use privet_protocol::id::DeviceId;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A notice that is sealed so long after its event says that it is late.
pub const LATE: Duration = Duration::from_secs(60);

/// A notice that waits for its carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Whom it wakes.
    pub device: DeviceId,
    /// Rises with every notice to that phone.
    pub counter: u64,
    /// What it says.
    pub event: HomeEvent,
    /// A very small picture of it.
    #[serde(default)]
    pub picture: Option<Thumbnail>,
}

impl Waiting {
    /// What is sealed at `now`, with the names of home and camera. A reason or zones that are too long for a notification are
    /// cut: the log has them whole.
    pub fn notice(&self, home: &str, camera: &str, now: Timestamp) -> Notice {
        let mut event = self.event.clone();
        event.zones.truncate(4);
        if let Happening::CameraOffline { reason } = &mut event.what {
            *reason = reason.chars().take(64).collect();
        }
        let late = now.since(event.at) > LATE;
        let [home, camera] = [home, camera].map(str::to_owned);
        Notice { event, home, camera, counter: self.counter, sealed_at: now, late, picture: self.picture.clone() }
    }
}
