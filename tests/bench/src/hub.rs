//! `bench hub`: what each further 1080p15, 2.5 Mb/s camera costs the hub and its workers together, without detection; and what retina's
//! own pull of the same camera costs in the same run.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, raw_camera};
use privet_demo::process::{Process, cpu, pss_kib, until};

use crate::figure::{Figure, Goal};
use crate::{film, folder};

/// Cameras beyond the first.
const FURTHER: usize = 4;
const SECONDS: u64 = 20;
const BENCH: &str = "hub";

/// What the hub and its workers used.
struct Use {
    /// Share of a core.
    core: f64,
    /// MiB without the pre-roll.
    mib: f64,
    /// Pre-roll, MiB.
    pre_roll_mib: f64,
}

/// All figures of this benchmark.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run() -> Result<Vec<Figure>, Trouble> {
    let folder = folder(BENCH)?;
    let film = film::make(&folder)?;
    let film = film.to_string_lossy();
    let mut house = House::build(&folder, Plan { pre_roll_s: 5, ..Plan::default() })?;
    house.start_relay()?;
    let mut processes = Vec::new();
    let mut add = |house: &mut House| -> Result<String, Trouble> {
        let name = format!("camera-{}", house.cameras.len());
        let (process, mut camera) = raw_camera(&folder, &name, &["--file", &film, "--fps", "15"])?;
        (camera.name, camera.motion) = (name, false);
        let url = camera.url.clone();
        processes.push(process);
        house.cameras.push(camera);
        Ok(url)
    };
    let url = add(&mut house)?;
    let one = measure(&mut house)?;
    for _ in 0..FURTHER {
        add(&mut house)?;
    }
    let all = measure(&mut house)?;
    let retina = retina_alone(&folder, &url)?;

    let each = |all: f64, one: f64| (all - one) / FURTHER as f64;
    let case = format!("each of {FURTHER} further cameras");
    let further = each(all.core, one.core) * 100.0;
    Ok(vec![
        Figure::known(BENCH, case.clone(), "processor", further, "% of a core").with_goal(Goal::AtMost(0.5)),
        Figure::known(BENCH, case.clone(), "memory without pre-roll", each(all.mib, one.mib), "MiB")
            .with_goal(Goal::AtMost(12.0)),
        Figure::known(BENCH, case, "pre-roll", each(all.pre_roll_mib, one.pre_roll_mib), "MiB"),
        Figure::known(BENCH, "the first camera and the hub itself", "processor", one.core * 100.0, "% of a core"),
        Figure::known(BENCH, "the first camera and the hub itself", "memory without pre-roll", one.mib, "MiB"),
        Figure::known(BENCH, "retina's own pull of the same camera", "processor", retina * 100.0, "% of a core"),
        Figure::known(BENCH, "each further camera against retina's own pull", "ratio", further / (retina * 100.0), "x"),
    ])
}

/// Starts the hub with the cameras that there are, and measures it once all of them send and the pre-roll is full.
fn measure(house: &mut House) -> Result<Use, Trouble> {
    if let Some(mut hub) = house.hub.take() {
        hub.stop(Duration::from_secs(10))?;
    }
    house.start_hub()?;
    let id = house.hub.as_ref().map_or(0, Process::id);
    let status = |house: &House| house.hub_says(&["status"]).ok()?.first().ok();
    until("all cameras' being online, with a full pre-roll", Duration::from_secs(60), || {
        let status = status(house)?;
        let cameras = status["cameras"].as_array()?;
        let full = |camera: &serde_json::Value| camera["online"] == true && camera["frames"].as_u64() > Some(15 * 8);
        (cameras.len() == house.cameras.len() && cameras.iter().all(full)).then_some(())
    })?;
    let (before, since) = (cpu(id), Instant::now());
    thread::sleep(Duration::from_secs(SECONDS));
    let core = (cpu(id).saturating_sub(before)).as_secs_f64() / since.elapsed().as_secs_f64();
    let pre_roll: u64 = status(house)
        .and_then(|status| {
            Some(status["cameras"].as_array()?.iter().filter_map(|c| c["pre_roll_bytes"].as_u64()).sum())
        })
        .unwrap_or(0);
    let pre_roll_mib = pre_roll as f64 / (1 << 20) as f64;
    Ok(Use { core, mib: pss_kib(id)? as f64 / 1024.0 - pre_roll_mib, pre_roll_mib })
}

/// The share of a core that a process takes which only pulls the camera.
fn retina_alone(folder: &Path, url: &str) -> Result<f64, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::new(e.to_string()))?;
    let seconds = (SECONDS + 10).to_string();
    let pull = Process::start("retina", &own, &["pull", url, &seconds], &folder.join("pull.log"))?;
    thread::sleep(Duration::from_secs(3));
    let (before, since) = (cpu(pull.id()), Instant::now());
    thread::sleep(Duration::from_secs(SECONDS));
    Ok((cpu(pull.id()).saturating_sub(before)).as_secs_f64() / since.elapsed().as_secs_f64())
}
