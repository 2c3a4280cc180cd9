//! A home at a constant rate: clips arrive all the same, and what lies at the relay says nothing of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use privet_demo::film;
use privet_demo::house::Plan;
use privet_demo::process::until;
use privet_tests::{House, SOON, alerts};

const EVERY: Duration = Duration::from_millis(250);
/// 4800 kbit/s in cells of a quarter of a second: each is a file at the relay, too long for its index.
const CELL: u64 = 150_000;

fn plan() -> Plan {
    let tables = "[constant_rate]\nkbit_s = 4800\nevery_ms = 250\nentry_s = 1\nkeep_h = 1\n";
    Plan { hub_tables: tables.into(), ..Plan::default() }
}

/// The sizes of all bodies that the relay keeps, and how many there are.
fn bodies(folder: &Path) -> (BTreeSet<u64>, u64) {
    let (mut sizes, mut count) = (BTreeSet::new(), 0);
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        if about.is_file() {
            sizes.insert(about.len());
            count += 1;
        } else if entry.file_name() != "partial" {
            let (more, further) = bodies(&entry.path());
            sizes.extend(more);
            count += further;
        }
    }
    (sizes, count)
}

/// Waits for so many cells, and looks whether they are all alike and no more than there were beats since `began`, with
/// a hub that was started so many times: the first beat of each start comes at once.
fn cells(house: &House, began: Instant, starts: u128, wanted: u64) {
    let folder = house.relay_data().join("bodies");
    let (sizes, count) = until("cells at the relay", SOON, || {
        let found = bodies(&folder);
        (found.1 >= wanted).then_some(found)
    })
    .unwrap();
    assert_eq!(sizes, BTreeSet::from([CELL]));
    let beats = began.elapsed().as_millis() / EVERY.as_millis() + starts;
    assert!(u128::from(count) <= beats, "{count} cells in {beats} beats");
}

#[test]
fn a_clip_comes_in_cells_that_are_all_alike_and_opens_at_the_phone() {
    let began = Instant::now();
    let house = House::with_garden(plan());
    let phone = house.pair("phone").unwrap();
    let clips = house.wait_for_clips(&phone, None, 1);
    let id = clips.last().unwrap()["id"].as_str().unwrap();
    let saved = house.folder().join("clip.mp4");
    let said = until("the clip's last cell", SOON * 2, || {
        let said = phone.says(&["clip", id, "--out", saved.to_str().unwrap()]).ok()?.ok().ok()?;
        said.first().ok()
    })
    .unwrap();
    assert_eq!(said["verified"], true, "{said}");
    let shown = film::numbers(&saved).unwrap();
    assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{shown:?}");
    assert!(shown.pictures >= 15 * 6, "{shown:?}");
    cells(&house, began, 1, 1);
    assert!(alerts(&phone).is_empty(), "{:?}", alerts(&phone));

    let status = house.status();
    assert!(status["constant_rate"]["up_mbit_a_day"].as_u64() > Some(4800 * 86_400 / 1000), "{status}");
    // Nobody watches live, unless the owner allows that it is seen.
    assert_ne!(phone.says(&["live", "garden", "--seconds", "2"]).unwrap().code, 0);
}

#[test]
fn where_nothing_moves_the_relay_gets_the_same() {
    let mut house = House::new(plan());
    house.add_garden("garden", &["--moving", "0"]);
    house.start_relay().unwrap();
    let began = Instant::now();
    house.start_hub().unwrap();
    cells(&house, began, 1, 20);
    let waiting = house.status()["outbox"]["segments"].as_u64();
    assert_eq!(waiting, Some(0), "nothing was recorded");
    // It goes on with another carrier, and what was under way begins again.
    house.hub.take().unwrap().kill();
    house.start_hub().unwrap();
    cells(&house, began, 2, 40);
}
