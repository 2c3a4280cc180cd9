//! `bench latency`: one 1080p camera, relay, hub and viewer as real processes on this machine; retina alone pulls the same camera at
//! the same time.

use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, raw_camera};
use privet_demo::process::until;

use crate::figure::{Figure, Goal};
use crate::pull::{ages, percentile};
use crate::{film, folder};

const SECONDS: u64 = 30;
const BENCH: &str = "latency";

/// All figures of this benchmark.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run() -> Result<Vec<Figure>, Trouble> {
    let folder = folder(BENCH)?;
    let film = film::make(&folder, film::Scene::Moving)?;
    let mut house = House::build(&folder, Plan::default())?;
    let (_process, mut camera) = raw_camera(&folder, "bench", &["--file", &film.to_string_lossy(), "--fps", "15"])?;
    camera.motion = false;
    let url = camera.url.clone();
    house.cameras.push(camera);
    house.start_relay()?;
    house.start_hub()?;
    let phone = house.pair("bench")?;
    until("the camera's being online", Duration::from_secs(15), || {
        let cameras = phone.says(&["cameras"]).ok()?.ok().ok()?;
        cameras.lines.into_iter().find(|camera| camera["online"] == true)
    })?;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|e| Trouble::new(e.to_string()))?;
    let floor = runtime.spawn(async move { ages(&url, Duration::from_secs(SECONDS)).await });
    let seconds = SECONDS.to_string();
    let words = ["live", "bench", "--sei-latency", "--seconds", &seconds];
    let said = phone.says_within(&words, Duration::from_secs(SECONDS + 30))?.ok()?;
    let mut floor = runtime.block_on(floor).map_err(|e| Trouble::new(e.to_string()))??;
    let status = house.hub_says(&["status"])?.first()?;

    let summary = said.lines.iter().find(|line| line["kind"] == "summary");
    let summary = summary.ok_or_else(|| Trouble::new(format!("the viewer gave no summary: {}", said.out)))?;
    let ms = |kind: &str, which: &str| summary[kind][which].as_f64().unwrap_or(f64::NAN);
    let hub_ms = |which: &str| status["delay"][which].as_f64().map_or(f64::NAN, |us| us / 1000.0);
    let figure = |case: &str, metric, value| Figure::known(BENCH, case, metric, value, "ms");
    Ok(vec![
        figure("hub: access unit received to record handed to QUIC", "p50", hub_ms("p50_us")),
        figure("hub: access unit received to record handed to QUIC", "p99", hub_ms("p99_us"))
            .with_goal(Goal::AtMost(2.0)),
        figure("camera's packet to decrypted access unit in the viewer", "p50", ms("sei_latency_ms", "p50"))
            .with_goal(Goal::AtMost(10.0)),
        figure("camera's packet to decrypted access unit in the viewer", "p99", ms("sei_latency_ms", "p99"))
            .with_goal(Goal::AtMost(40.0)),
        figure("hub received to decrypted access unit in the viewer", "p50", ms("latency_ms", "p50")),
        figure("hub received to decrypted access unit in the viewer", "p99", ms("latency_ms", "p99")),
        figure("floor: retina alone, the same camera, the same time", "p50", percentile(&mut floor, 0.5) / 1000.0),
        figure("floor: retina alone, the same camera, the same time", "p99", percentile(&mut floor, 0.99) / 1000.0),
    ])
}
