//! `bench notify`: from a box's appearing before the camera to the notification on a phone, through relay and open connection; all
//! real processes on this machine. The camera says when the box appears, the phone's clock is the same.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, fake_camera};
use privet_demo::process::until;

use crate::figure::{Figure, Goal};
use crate::folder;
use crate::pull::percentile;

const BENCH: &str = "notify";
/// So often the box crosses.
const CROSSINGS: usize = 20;
/// Seconds from one crossing to the next.
const EVERY_S: u64 = 8;

/// All figures of this benchmark.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run() -> Result<Vec<Figure>, Trouble> {
    let folder = folder(BENCH)?;
    // Short, so that each crossing is an event of its own.
    let mut house = House::build(&folder, Plan { pre_roll_s: 1, post_roll_s: 2, ..Plan::default() })?;
    let every = EVERY_S.to_string();
    let words = [
        "--size",
        "1920x1080",
        "--kbps",
        "4000",
        "--sub",
        "640x360",
        "--say-crossings",
        "--moving",
        "2",
        "--every",
        &every,
        "--quiet",
        "12",
    ];
    let (mut process, camera) = fake_camera(house.folder(), "bench", None, &words)?;
    house.cameras.push(camera);
    house.start_relay()?;
    house.start_hub()?;
    let phone = house.pair("bench")?;
    until("the camera's being online", Duration::from_secs(15), || {
        let cameras = phone.says(&["cameras"]).ok()?.ok().ok()?;
        cameras.lines.into_iter().find(|camera| camera["online"] == true)
    })?;
    phone.says(&["settings", "set", "--camera", "all", "cooldown=0"])?.ok()?;
    let mut follower = phone.start(&["events", "--follow", "--limit", "0"])?;

    let (mut told, mut missed) = (Vec::new(), 0_u32);
    let bound = Instant::now() + Duration::from_secs((CROSSINGS as u64 + 4) * EVERY_S);
    while told.len() < CROSSINGS && Instant::now() < bound {
        let crossing = process.wait_for(Duration::from_secs(60), |line| line["crossing_at_ms"].is_i64())?;
        let at = crossing["crossing_at_ms"].as_i64().unwrap_or(0);
        if age_ms(at) > 1_000 {
            continue;
        }
        let notification = follower.wait_for(Duration::from_secs(EVERY_S - 1), |line| {
            line["kind"] == "notification" && line["at_ms"].as_i64() >= Some(at)
        });
        match notification {
            Ok(_) => told.push(age_ms(at) as f64),
            Err(_) => missed += 1,
        }
    }
    let count = told.len();
    let case = format!("box before the camera to notification on the phone, 360p substream, {count} times");
    let figure = |metric, value| Figure::known(BENCH, &case, metric, value, "ms");
    Ok(vec![
        figure("p50", percentile(&mut told, 0.5)),
        figure("p95", percentile(&mut told, 0.95)).with_goal(Goal::AtMost(1_000.0)),
        Figure::known(BENCH, "crossings that were told", "count", count as f64, "")
            .with_goal(Goal::AtLeast(CROSSINGS as f64)),
        Figure::known(BENCH, "crossings that were not told", "count", f64::from(missed), "")
            .with_goal(Goal::AtMost(0.0)),
    ])
}

fn age_ms(at_ms: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_sub(at_ms)
}
