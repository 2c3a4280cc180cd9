//! A home for the tests: a relay in this process, and a hub made of the real protocol pieces, driven by hand. No mocks.

pub mod camera;
pub mod hub;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use privet_app_core::{Client, Config, FileKeys, PairingOffer};
use privet_relay::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub use camera::TestCamera;
pub use hub::TestHub;

/// No wait of a test is longer; a quiet machine needs a hundredth.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A relay, a hub with one camera, and a folder for phones.
pub struct Home {
    pub relay: Server,
    pub hub: TestHub,
    pub dir: tempfile::TempDir,
}

impl Home {
    pub async fn start() -> Self {
        Self::with_relay(|_| {}).await
    }

    /// With a relay that is set up like this.
    pub async fn with_relay(set_up: impl FnOnce(&mut privet_relay::Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let relay = start_relay_with(&dir.path().join("relay"), set_up).await;
        let hub = TestHub::start(&relay).await;
        Self { relay, hub, dir }
    }

    /// With a relay that says how many streams are followed there.
    pub async fn counting() -> Self {
        Self::with_relay(|config| {
            let counting = privet_relay::Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap();
            config.metrics = counting.metrics;
        })
        .await
    }

    /// How many streams are followed at the relay now; of [`Home::counting`].
    pub async fn followed(&self) -> Option<f64> {
        let mut page = TcpStream::connect(self.relay.metrics()?).await.ok()?;
        page.write_all(b"GET /metrics HTTP/1.1\r\nHost: relay\r\n\r\n").await.ok()?;
        let mut text = String::new();
        page.read_to_string(&mut text).await.ok()?;
        text.lines().find_map(|line| line.strip_prefix("privet_relay_followers "))?.trim().parse().ok()
    }

    pub async fn open(&self, name: &str) -> Client {
        Client::open(self.config(name), keys(self.dir.path(), name)).await.unwrap()
    }

    pub fn config(&self, name: &str) -> Config {
        Config {
            storage_dir: self.dir.path().join(name).to_str().unwrap().into(),
            device_name: name.into(),
            cache_limit_mib: 64,
            app_version: "test".into(),
        }
    }

    /// A phone that is a member.
    pub async fn phone(&self, name: &str) -> Client {
        let client = self.open(name).await;
        let offer = PairingOffer::parse(&self.hub.invite().await.qr_text).unwrap();
        client.pair(&offer).await.unwrap();
        client
    }
}

pub fn keys(dir: &Path, name: &str) -> Arc<FileKeys> {
    Arc::new(FileKeys::new(dir.join(format!("{name}.key"))))
}

/// Waits until `check` gives something.
pub async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub async fn start_relay(data: &Path) -> Server {
    start_relay_with(data, |_| {}).await
}

async fn start_relay_with(data: &Path, set_up: impl FnOnce(&mut privet_relay::Config)) -> Server {
    let mut config = privet_relay::Config::default();
    config.listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    config.data = data.to_owned();
    set_up(&mut config);
    Server::start(config).await.unwrap()
}

pub fn relay_address(relay: &Server) -> privet_home::RelayAddress {
    privet_home::RelayAddress {
        host: relay.address().ip().to_string(),
        port: relay.address().port(),
        pin: Some(relay.pin()),
    }
}
