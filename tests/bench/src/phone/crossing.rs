//! A picture's way from Rust into Kotlin: a live view of 20 kB pictures pulled on the JVM, and the processor time of the thread that pulls: one after
//! the other, and as they come, when the processor did other things in between. All of it is real: camera, hub, relay, the library, JNA. The Kotlin
//! part is `uniffi/tests/bench/Crossing.kt`, which `./dev bench phone` compiles.

use std::path::PathBuf;
use std::process::Command;

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, fake_camera};

use super::{BENCH, number};
use crate::figure::{Figure, Goal};
use crate::folder;

/// Where `./dev` says how the Kotlin part is started: one word a line.
const COMMAND: &str = "PRIVET_KOTLIN_CROSSING";
/// 30 pictures a second of 20 kB.
const CAMERA: &[&str] = &["--size", "1920x1080", "--fps", "30", "--kbps", "4800", "--gop", "30"];

pub(super) fn run() -> Result<Vec<Figure>, Trouble> {
    let Some(command) = std::env::var_os(COMMAND).map(PathBuf::from) else {
        return Err(Trouble::new(format!(
            "{COMMAND} names no command: run this as ./dev bench phone, which compiles the Kotlin part"
        )));
    };
    let folder = folder("phone-crossing")?;
    let mut house = House::build(&folder, Plan::default())?;
    let (_process, camera) = fake_camera(house.folder(), "bench", None, CAMERA)?;
    house.cameras.push(camera);
    house.start_relay()?;
    house.start_hub()?;
    // Good for as long as it is held.
    let invitation = house.invite()?;
    let said = Command::new(&command)
        .arg(folder.join("phone-kotlin"))
        .arg(invitation.code())
        .output()
        .map_err(|e| Trouble::new(format!("{}: {e}", command.display())))?;
    if !said.status.success() {
        return Err(Trouble::new(format!("the Kotlin part: {}", String::from_utf8_lossy(&said.stderr))));
    }
    let said: serde_json::Value =
        serde_json::from_slice(&said.stdout).map_err(|e| Trouble::new(format!("the Kotlin part said no JSON: {e}")))?;
    let case = format!("a live picture of {:.0} kB into Kotlin", number(&said, "mean_bytes")? / 1e3);
    let empty = "a call without one, as often".to_owned();
    let (in_a_row, singly) = (format!("{case}, one after the other"), format!("{case}, as they come"));
    let mut figures = Vec::new();
    for (way, case, goal) in [("in_a_row", in_a_row, Some(50.0)), ("singly", singly, None), ("empty", empty, None)] {
        let said = &said[way];
        let figure = |metric, value, unit| Figure::known(BENCH, &case, metric, value, unit);
        let median = figure("processor time, median", number(said, "p50_us")?, "us");
        figures.push(match goal {
            Some(goal) => median.with_goal(Goal::AtMost(goal)),
            None => median,
        });
        figures.push(figure("processor time, mean", number(said, "mean_us")?, "us"));
    }
    Ok(figures)
}
