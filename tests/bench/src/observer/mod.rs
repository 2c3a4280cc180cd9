//! `bench observer`: how well somebody who sees what a relay sees (when bytes come, how many, how many go back) guesses when something
//! moves in a house, without and with a constant rate. 0.5 is guessing blindly.
//!
//! - [`simulated`]: a month of minutes with the hub's own pacer;
//! - [`tap`]: real houses (relay, hub, camera; all of them processes) with a tap between hub and relay; a box crosses the picture in
//!   half of the windows, which ones is chance. All houses run at the same time;
//! - [`mod@guess`]: the observer, who learns from one half of the windows which are which.

mod guess;
mod simulated;
mod tap;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use guess::{Auc, Window, guess};
use privet_demo::Trouble;
use privet_demo::house::{House, Plan, RelayAt, fake_camera};
use privet_demo::process::until;
use tap::{Packet, Tap};

use crate::figure::{Figure, Goal};
use crate::folder;

const BENCH: &str = "observer";
/// Houses of each kind.
const HOUSES: usize = 2;
/// From one window to the next; the box crosses at the beginning, or does not.
const WINDOW_S: f64 = 5.0;
const MOVING_S: f64 = 1.5;
/// Seconds before the first window that counts: the camera comes, the phone is paired, the detector learns the picture.
const QUIET_S: f64 = 60.0;
/// What is seen in a window goes into the features of so many before it and after it: a clip is sent when it is over.
const BEFORE: usize = 1;
const AFTER: usize = 4;
/// The most bytes within a part of a window are a feature: so long is a part.
const PART_S: f64 = 0.25;
const GOAL: f64 = 0.55;
/// A cell of 32 kB and an entry, each second.
const CONSTANT: &str = "[constant_rate]\nkbit_s = 256\nevery_ms = 1000\nentry_s = 1\n";

/// All figures of this benchmark, from so many windows.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run(windows: usize) -> Result<Vec<Figure>, Trouble> {
    let mut figures = Vec::new();
    for (constant, name) in [(false, "off"), (true, "on")] {
        let case = format!("a month of minutes, simulated, constant rate {name}");
        figures.extend(rows(&case, constant, guess(&[simulated::month(constant)])));
    }
    let folder = folder(BENCH)?;
    let each = windows.div_ceil(HOUSES).max(20);
    let minutes = (QUIET_S + (each + AFTER) as f64 * WINDOW_S) / 60.0;
    eprintln!("{BENCH}: {} houses at the same time, about {:.0} min ...", 2 * HOUSES, minutes + 1.0);
    let watched: Vec<(bool, Result<Vec<Window>, Trouble>)> = std::thread::scope(|scope| {
        let kinds = [false, true].into_iter().flat_map(|constant| (0..HOUSES).map(move |number| (constant, number)));
        let houses: Vec<_> = kinds
            .map(|(constant, number)| {
                let place = folder.join(format!("{}-{number}", if constant { "on" } else { "off" }));
                (constant, scope.spawn(move || watch(&place, constant, number, each)))
            })
            .collect();
        let fell = || Err(Trouble::new("a house fell"));
        houses.into_iter().map(|(constant, house)| (constant, house.join().unwrap_or_else(|_| fell()))).collect()
    });
    let mut kinds = [Vec::new(), Vec::new()];
    for (constant, windows) in watched {
        kinds[usize::from(constant)].push(windows?);
    }
    for ((constant, name), places) in [(false, "off"), (true, "on")].into_iter().zip(kinds) {
        let count: usize = places.iter().map(Vec::len).sum();
        let case = format!("{count} windows of {WINDOW_S} s, real, constant rate {name}");
        figures.extend(rows(&case, constant, guess(&places)));
    }
    let _ = std::fs::remove_dir_all(&folder);
    Ok(figures)
}

fn rows(case: &str, constant: bool, auc: Auc) -> [Figure; 3] {
    let figure = |metric, value| Figure::known(BENCH, case, metric, value, "");
    let goal = if constant { Goal::AtMost(GOAL) } else { Goal::Known };
    [
        figure("AUC", auc.auc).with_goal(goal),
        figure("AUC, 2.5 % of draws are below", auc.low),
        figure("AUC, 2.5 % of draws are above", auc.high),
    ]
}

/// Runs a house and gives its windows.
fn watch(folder: &Path, constant: bool, number: usize, windows: usize) -> Result<Vec<Window>, Trouble> {
    let tables = if constant { CONSTANT } else { "" };
    let plan = Plan { pre_roll_s: 1, post_roll_s: 1, hub_tables: tables.into(), ..Plan::default() };
    let mut house = House::build(folder, plan)?;
    let (every, moving, quiet) = (WINDOW_S.to_string(), MOVING_S.to_string(), QUIET_S.to_string());
    let seed = (100 + number).to_string();
    #[rustfmt::skip]
    let words = [
        "--size", "320x180", "--kbps", "300", "--gop", "15", "--say-crossings", "--by-chance", &seed,
        "--moving", &moving, "--every", &every, "--quiet", &quiet,
    ];
    let (mut process, camera) = fake_camera(house.folder(), "observed", None, &words)?;
    house.cameras.push(camera);
    let relay = house.start_relay()?;
    let tap = Tap::start(relay.port)?;
    house.front = Some(RelayAt { port: tap.port(), pin: relay.pin });
    house.start_hub()?;
    // A phone, so that there is somebody to wake; it is away.
    let phone = house.pair("away")?;
    phone.says(&["settings", "set", "--camera", "all", "cooldown=0"])?.ok()?;
    until("the camera's being online", Duration::from_secs(30), || {
        let status = house.hub_says(&["status"]).ok()?.first().ok()?;
        (status["cameras"][0]["online"] == true).then_some(())
    })?;

    let bound = Instant::now() + Duration::from_secs_f64(QUIET_S + (windows + AFTER) as f64 * WINDOW_S);
    let mut crossings = Vec::new();
    while let Some(left) = bound.checked_duration_since(Instant::now()) {
        // Its time is over when none comes any more.
        let Ok(line) = process.wait_for(left, |line| line["crossing_at_ms"].is_i64()) else { break };
        crossings.extend(line["crossing_at_ms"].as_i64().map(|ms| ms as f64 / 1000.0));
    }
    if !process.is_running() {
        return Err(Trouble::new("the camera ended before its time"));
    }
    let first = *crossings.first().ok_or_else(|| Trouble::new("nothing moved at all"))?;
    let packets = tap.seen();
    // What each window shows by itself; its features are also those of the windows around it.
    let alone: Vec<[f64; 6]> = (0..windows + AFTER)
        .map(|at| {
            let begin = first + at as f64 * WINDOW_S;
            seen(&packets, begin..begin + WINDOW_S)
        })
        .collect();
    let window = |at: usize| {
        let begin = first + at as f64 * WINDOW_S;
        let motion = crossings.iter().any(|crossing| (crossing - begin).abs() < WINDOW_S / 2.0);
        Window { features: alone[at - BEFORE..=at + AFTER].concat(), motion }
    };
    // Chance may have left out the first crossings: the last windows were not seen then.
    let last = packets.last().map_or(first, |packet| packet.at_s);
    let whole = |at: &usize| first + (at + AFTER + 1) as f64 * WINDOW_S <= last;
    let counted: Vec<Window> = (BEFORE..windows).filter(whole).map(window).collect();
    if counted.len() < windows / 2 {
        return Err(Trouble::new(format!("only {} of {windows} windows were seen", counted.len())));
    }
    Ok(counted)
}

/// What is seen in a span of time: bytes and packets up and down, long packets up, and the most bytes up in a part of it.
fn seen(packets: &[Packet], span: Range<f64>) -> [f64; 6] {
    let from = packets.partition_point(|packet| packet.at_s < span.start);
    let to = packets.partition_point(|packet| packet.at_s < span.end);
    let mut parts = vec![0.0_f64; (WINDOW_S / PART_S) as usize + 1];
    let mut seen = [0.0; 6];
    for packet in &packets[from..to] {
        let bytes = packet.bytes as f64;
        let [up_bytes, up, down_bytes, down, long, _] = &mut seen;
        if packet.up {
            *up_bytes += bytes;
            *up += 1.0;
            *long += f64::from(u8::from(packet.bytes > 1000));
            if let Some(part) = parts.get_mut(((packet.at_s - span.start) / PART_S) as usize) {
                *part += bytes;
            }
        } else {
            *down_bytes += bytes;
            *down += 1.0;
        }
    }
    seen[5] = parts.into_iter().fold(0.0, f64::max);
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_what_came_within_it() {
        let packet = |at_s, up, bytes| Packet { at_s, up, bytes };
        let packets =
            [packet(9.9, true, 5), packet(10.0, true, 1200), packet(10.1, true, 100), packet(10.2, false, 60)];
        let packets = [&packets[..], &[packet(12.0, true, 900), packet(15.0, true, 7)]].concat();
        assert_eq!(seen(&packets, 10.0..15.0), [2200.0, 3.0, 60.0, 1.0, 1.0, 1300.0]);
    }
}
