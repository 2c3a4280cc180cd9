//! The hub's side of MQTT: what the board says goes to the broker, and snoozes come back. Everything else is `privet-mqtt`'s.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use privet_mqtt::{BrokerError, Handle, House, HubNews, LinkState, Mqtt, News as Told, Snoozes, Timing, Topics};
use privet_protocol::id::{CameraId, HomeId};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;

use crate::config::Config;
use crate::notices::NoticesHandle;
use crate::status::{Board, News};
use crate::time::wall;

/// The connection to the broker and what feeds it.
#[derive(Debug)]
pub struct Link {
    mqtt: Mqtt,
    feeder: AbortOnDropHandle<()>,
}

/// How it stands with the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MqttStatus {
    /// Host and port.
    pub broker: String,
    /// `connecting`, `connected`, or `waiting` for the next try.
    pub state: String,
    /// Why it is not connected.
    pub why: Option<String>,
}

#[async_trait]
impl Snoozes for NoticesHandle {
    async fn set(&self, camera: CameraId, until: Option<Timestamp>) -> Result<(), String> {
        self.set_snooze(camera, until).await.map_err(|e| e.to_string())
    }

    fn get(&self, camera: CameraId) -> Option<Timestamp> {
        self.snoozed(camera)
    }
}

impl Link {
    /// Keeps the broker informed from now on, if the configuration names one. The cameras are on the board already.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn start(
        config: &Config,
        home: HomeId,
        board: &Board,
        snoozes: Arc<dyn Snoozes>,
    ) -> Result<Option<Self>, BrokerError> {
        let Some(wanted) = &config.mqtt else { return Ok(None) };
        let topics = Topics::new(&wanted.base_topic, &wanted.discovery_prefix, &config.name, &hub_id(home));
        let cameras = board.cameras().into_iter().map(|camera| (camera.id, camera.name));
        let house = House::new(topics, &config.name, env!("CARGO_PKG_VERSION"), cameras);
        let random = Arc::new(SystemRandom);
        let mqtt = Mqtt::spawn(wanted.broker()?, house, snoozes, Arc::new(wall), random, Timing::default());
        let feeder = AbortOnDropHandle::new(tokio::spawn(feed(board.clone(), mqtt.handle())));
        Ok(Some(Self { mqtt, feeder }))
    }

    /// A way to ask how it stands.
    pub fn handle(&self) -> Handle {
        self.mqtt.handle()
    }

    /// Says goodbye; takes three seconds at most.
    pub async fn stop(self) {
        drop(self.feeder);
        self.mqtt.stop().await;
    }
}

impl MqttStatus {
    /// As it is now.
    pub fn of(handle: &Handle) -> Self {
        let (state, why) = match &*handle.state().borrow() {
            LinkState::Connecting => ("connecting", None),
            LinkState::Connected => ("connected", None),
            LinkState::Waiting { why } => ("waiting", Some(why.to_string())),
        };
        Self { broker: handle.address(), state: state.into(), why }
    }
}

/// What tells this hub from others at the broker. Not the home's id itself: that is how the relay knows the home, and no broker's business.
fn hub_id(home: HomeId) -> String {
    let hash = digest(&SHA256, &[b"privet mqtt hub", home.as_bytes().as_slice()].concat());
    data_encoding::HEXLOWER.encode(hash.as_ref().get(..8).unwrap_or_default())
}

async fn feed(board: Board, handle: Handle) {
    let mut news = board.news();
    // What happened before, and between the two lines as well.
    board.situation().into_iter().for_each(|news| tell(&handle, news));
    loop {
        match news.recv().await {
            Ok(news) => tell(&handle, news),
            // The end of things is what counts, and what came last says it.
            Err(RecvError::Lagged(_)) => board.situation().into_iter().for_each(|news| tell(&handle, news)),
            Err(RecvError::Closed) => return,
        }
    }
}

fn tell(handle: &Handle, news: News) {
    match news {
        News::Motion { camera, on } => handle.camera(camera, Told::Motion(on)),
        News::Online { camera, on } => handle.camera(camera, Told::Online(on)),
        News::Tampered { camera } => handle.camera(camera, Told::Tampered),
        News::Relay(connected) => handle.hub(HubNews::Relay(connected)),
        News::Problem(stands) => handle.hub(HubNews::Problem(stands)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_does_not_learn_how_the_relay_knows_the_home() {
        let home = HomeId::from_bytes([7; 16]);
        let id = hub_id(home);
        assert_eq!(id.len(), 16);
        assert!(!home.to_string().contains(&id));
        assert_ne!(id, hub_id(HomeId::from_bytes([8; 16])));
    }
}
