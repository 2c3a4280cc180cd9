//! Cameras that do wrong: each is noticed and named, comes back when it can, and never takes the others with it.

use std::time::Duration;

use privet_demo::house::Plan;
use privet_demo::process::{anonymous_kib, family, until};
use privet_tests::{House, SOON, alerts, live};

/// A house with a good camera called "good" and a raw one called "bad".
fn house() -> House {
    let mut house = House::new(Plan::default());
    house.add_garden("good", &["--moving", "2", "--every", "8", "--quiet", "4"]);
    house.add_raw("bad", &[]);
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    for camera in ["good", "bad"] {
        house.wait_for_camera(camera, "the camera's being online", |camera| camera["online"] == true);
    }
    house
}

/// The frames that came from a camera since the hub's start.
fn frames(house: &House, camera: &str) -> u64 {
    house.camera_status(camera)["frames"].as_u64().unwrap()
}

/// The good camera's frames keep coming while `what` happens.
fn others_go_on(house: &House, what: &str) {
    let before = frames(house, "good");
    until(&format!("pictures of the good camera while the other one {what}"), SOON, || {
        (frames(house, "good") >= before + 30).then_some(())
    })
    .unwrap();
    assert_eq!(house.camera_status("good")["outages"], 0);
}

#[test]
fn a_camera_that_dies_comes_back() {
    let mut house = House::with_garden(Plan::default());
    let phone = house.pair("phone").unwrap();
    house.wait_for_camera("garden", "the camera's being online", |camera| camera["online"] == true);
    house.camera(0).kill();
    let gone = house.wait_for_camera("garden", "the camera's being offline", |camera| camera["online"] == false);
    assert!(gone["why"].as_str().is_some_and(|why| !why.is_empty()), "{gone}");
    assert!(gone["retry_in_s"].is_u64(), "{gone}");
    // It comes back at the same address.
    let port = house.cameras[0].url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
    house.cameras.clear();
    house.add_garden("garden", &["--port", &port, "--moving", "2", "--every", "8", "--quiet", "1"]);
    house.wait_for_camera("garden", "the camera's coming back", |camera| camera["online"] == true);
    let (summary, _) = live(&phone, "garden", 3, &house.folder().join("back.mp4"));
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    house.wait_for_clips(&phone, None, 1);
    assert!(alerts(&phone).is_empty());
}

#[test]
fn a_frozen_camera_is_noticed_and_taken_up_again() {
    let mut house = house();
    house.camera(1).tell("freeze");
    let gone = house.wait_for_camera("bad", "the frozen camera's being noticed", |camera| camera["online"] == false);
    assert!(gone["why"].is_string(), "{gone}");
    others_go_on(&house, "is frozen");
    house.camera(1).tell("ok");
    house.wait_for_camera("bad", "the camera's coming back", |camera| camera["online"] == true);
}

#[test]
fn a_camera_whose_time_jumps_is_recorded_on() {
    let mut house = house();
    let phone = house.pair("phone").unwrap();
    for jump in ["jump-ahead", "jump-back"] {
        house.camera(1).tell(jump);
        let before = frames(&house, "bad");
        until("pictures after the jump", SOON, || (frames(&house, "bad") >= before + 60).then_some(())).unwrap();
        let (summary, _) = live(&phone, "bad", 3, &house.folder().join(format!("{jump}.mp4")));
        assert_eq!(summary["segments_broken"], 0, "{jump}: {summary}");
        assert!(summary["segments_verified"].as_u64() >= Some(1), "{jump}: {summary}");
        house.camera(1).tell("ok");
    }
    others_go_on(&house, "jumps");
}

#[test]
fn garbage_is_refused_and_the_camera_taken_up_again() {
    let mut house = house();
    for garbage in ["garbage-bytes", "garbage-text", "garbage-rtp", "garbage-nal", "drop", "reset"] {
        let outages = |house: &House| house.camera_status("bad")["outages"].as_u64().unwrap();
        let before = outages(&house);
        house.camera(1).tell(garbage);
        until(&format!("an outage by {garbage}"), SOON, || (outages(&house) > before).then_some(())).unwrap();
        house.camera(1).tell("ok");
        house.wait_for_camera("bad", "the camera's coming back", |camera| camera["online"] == true);
    }
    others_go_on(&house, "sends garbage");
}

/// What the hub may grow by while a camera sends without end, in KiB: it is never given what the worker refuses.
const HUB_GROWTH: u64 = 4 << 10;
/// What that camera's worker may: 4 MiB of something unfinished, in buffers that double and are copied as they do.
const WORKER_GROWTH: u64 = 16 << 10;

#[test]
fn an_access_unit_of_endless_fragments_does_not_grow_the_hub() {
    let house = sends_without_end("endless-fragment", "an access unit of more than 4194304 bytes");
    // The other camera was recorded on.
    let phone = house.pair("phone").unwrap();
    let clips = house.wait_for_clips(&phone, Some("good"), 1);
    house.fetch(&phone, &clips[0]);
}

#[test]
fn an_access_unit_of_endless_nal_units_does_not_grow_the_hub() {
    drop(sends_without_end("endless-nals", "an access unit of more than 4194304 bytes"));
}

#[test]
fn an_endless_message_does_not_grow_the_hub() {
    drop(sends_without_end("endless-message", "a message of more than 4194304 bytes"));
}

#[test]
fn an_answer_with_an_endless_header_does_not_grow_the_hub() {
    drop(sends_without_end("endless-header", "a message of more than 4194304 bytes"));
}

#[test]
fn an_answer_with_an_endless_body_does_not_grow_the_hub() {
    drop(sends_without_end("endless-body", "a message of more than 4194304 bytes"));
}

/// The bad camera sends `endless` until the hub says `why` it is offline; then it is good again.
fn sends_without_end(endless: &str, why: &str) -> House {
    let mut house = house();
    let hub = house.hub.as_ref().unwrap().id();
    let memory = || family(hub).into_iter().map(anonymous_kib).collect::<Vec<_>>();
    // Decoders start late and allocators warm up: only what comes after that is the camera's doing.
    let (mut before, mut quiet) = (memory(), 0);
    until("memory that grows no more", SOON, || {
        std::thread::sleep(Duration::from_secs(1));
        let now = memory();
        let still = now.len() == 3 && now.iter().zip(&before).all(|(now, before)| now.abs_diff(*before) < 64);
        quiet = if still { quiet + 1 } else { 0 };
        before = now;
        (quiet == 3).then_some(())
    })
    .unwrap();
    assert!(before.iter().all(|kib| *kib > 0), "NOT TESTED: a worker's memory can't be read here: {before:?}");
    house.camera(1).tell(endless);
    if endless == "endless-header" || endless == "endless-body" {
        // An answer needs a request, and that a new connection.
        house.camera(1).tell("hang-up");
    }
    let (mut highest_hub, mut highest_worker) = (0, 0);
    let said = until(&format!("{endless} being noticed"), SOON, || {
        for id in family(hub) {
            let highest = if id == hub { &mut highest_hub } else { &mut highest_worker };
            *highest = (*highest).max(anonymous_kib(id));
        }
        let camera = house.camera_status("bad");
        camera["why"].as_str().filter(|said| said.contains("more than")).map(str::to_owned)
    })
    .unwrap();
    eprintln!("{endless}: {before:?} KiB before, hub {highest_hub} KiB, a worker {highest_worker} KiB at most");
    assert!(said.contains(why), "{said}");
    assert!(highest_hub < before[0] + HUB_GROWTH, "{endless}: {before:?} KiB before, hub {highest_hub} KiB");
    let worker = before[1].max(before[2]);
    assert!(highest_worker < worker + WORKER_GROWTH, "{endless}: {before:?} KiB before, worker {highest_worker} KiB");
    others_go_on(&house, endless);
    house.camera(1).tell("ok");
    house.wait_for_camera("bad", "the camera's coming back", |camera| camera["online"] == true);
    // A worker for each camera, none left over.
    until("one worker a camera", SOON, || (family(hub).len() == 3).then_some(())).unwrap();
    house
}

#[test]
fn a_worker_that_is_killed_is_started_again_alone() {
    let house = house();
    let hub = house.hub.as_ref().unwrap().id();
    let workers: Vec<u32> = family(hub).into_iter().skip(1).collect();
    assert_eq!(workers.len(), 2);
    for worker in workers {
        let before = [frames(&house, "good"), frames(&house, "bad")];
        std::process::Command::new("kill").arg("-9").arg(worker.to_string()).status().unwrap();
        until("pictures of both cameras", SOON, || {
            let now = [frames(&house, "good"), frames(&house, "bad")];
            (now[0] >= before[0] + 30 && now[1] >= before[1] + 30).then_some(())
        })
        .unwrap();
    }
    assert!(house.hub.as_ref().is_some_and(|running| running.id() == hub));
}
