//! `bench live-start` and `bench pairing`: how long a person waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_app_core::{Client, Config, FileKeys, LiveFormat, LiveItem, PairingOffer, Track};
use privet_demo::Trouble;
use privet_demo::house::{House, Plan, raw_camera};
use privet_demo::process::{Process, until};

use crate::figure::{Figure, Goal};
use crate::pull::percentile;
use crate::{film, folder};

const ROUNDS: usize = 10;

/// All figures of `bench live-start`.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn live() -> Result<Vec<Figure>, Trouble> {
    let (house, _camera) = house("live-start")?;
    runtime()?.block_on(async {
        let client = client(&house, "watcher").await?;
        pair(&house, &client).await?;
        let camera = first_camera(&client).await?;
        let mut waits = Vec::new();
        for _ in 0..ROUNDS {
            let asked = Instant::now();
            let live = client.open_live(&camera, LiveFormat::Fmp4, 2000).await.map_err(core)?;
            loop {
                if let LiveItem::Media { track: Track::Video, key: true, .. } = live.next(1000).await.map_err(core)? {
                    break;
                }
            }
            waits.push(asked.elapsed().as_secs_f64() * 1000.0);
            live.stop();
            // The next round asks anew, once the hub has ended this one.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        client.shut_down().await.map_err(core)?;
        Ok(figures("live-start", "asked for to first key frame decrypted", waits, 300.0))
    })
}

/// All figures of `bench pairing`.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn pairing() -> Result<Vec<Figure>, Trouble> {
    let (house, _camera) = house("pairing")?;
    runtime()?.block_on(async {
        let mut waits = Vec::new();
        for round in 0..ROUNDS {
            let client = client(&house, &format!("phone-{round}")).await?;
            waits.push(pair(&house, &client).await?);
            client.shut_down().await.map_err(core)?;
        }
        Ok(figures("pairing", "text of the code to list of cameras", waits, 1000.0))
    })
}

fn figures(bench: &'static str, case: &str, mut waits: Vec<f64>, most: f64) -> Vec<Figure> {
    let p50 = percentile(&mut waits, 0.5);
    let max = percentile(&mut waits, 1.0);
    vec![
        Figure::known(bench, case, "p50", p50, "ms"),
        Figure::known(bench, case, "longest of 10", max, "ms").with_goal(Goal::AtMost(most)),
    ]
}

/// Pairs, and says how long it took until the list of cameras was there, in milliseconds.
async fn pair(house: &House, client: &Client) -> Result<f64, Trouble> {
    let invitation = house.invite()?;
    let asked = Instant::now();
    let offer = PairingOffer::parse(invitation.code()).map_err(|e| Trouble::new(e.to_string()))?;
    client.pair(&offer).await.map_err(core)?;
    first_camera(client).await?;
    Ok(asked.elapsed().as_secs_f64() * 1000.0)
}

/// The first camera of the list, once there is one.
async fn first_camera(client: &Client) -> Result<String, Trouble> {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(camera) = client.cameras().await.map_err(core)?.into_iter().next() {
            return Ok(camera.id);
        }
        if Instant::now() > until {
            return Err(Trouble::new("no list of cameras came within 15 s"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn client(house: &House, name: &str) -> Result<Client, Trouble> {
    let home = house.folder().join(name);
    std::fs::create_dir_all(&home).map_err(|e| Trouble::new(e.to_string()))?;
    let config = Config {
        storage_dir: home.join("data").to_string_lossy().into_owned(),
        device_name: name.into(),
        cache_limit_mib: 64,
        app_version: env!("CARGO_PKG_VERSION").into(),
    };
    Client::open(config, Arc::new(FileKeys::new(home.join("wrap.key")))).await.map_err(core)
}

fn house(name: &str) -> Result<(House, Process), Trouble> {
    let folder = folder(name)?;
    let film = film::make(&folder, film::Scene::Moving)?;
    let mut house = House::build(&folder, Plan::default())?;
    let (process, mut camera) = raw_camera(&folder, "bench", &["--file", &film.to_string_lossy(), "--fps", "15"])?;
    camera.motion = false;
    house.cameras.push(camera);
    house.start_relay()?;
    house.start_hub()?;
    until("the camera's being online", Duration::from_secs(15), || {
        let status = house.hub_says(&["status"]).ok()?.first().ok()?;
        (status["cameras"][0]["frames"].as_u64() > Some(60)).then_some(())
    })?;
    Ok((house, process))
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Runtime::new().map_err(|e| Trouble::new(e.to_string()))
}

fn core(error: privet_app_core::CoreError) -> Trouble {
    Trouble::new(error.to_string())
}
