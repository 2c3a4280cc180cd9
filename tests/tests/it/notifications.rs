//! Somebody walks through the garden: whose phone says so, how often, and what happens when a part fails at that moment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use privet_demo::house::{Phone, Plan};
use privet_demo::process::{Process, until};
use privet_tests::clock::Clock;
use privet_tests::{House, SOON};
use serde_json::Value;

/// A camera with a substream in front of which a box crosses every so many seconds, and says so.
fn garden(every: &str) -> House {
    let mut house = House::new(Plan::default());
    let words = ["--sub", "320x180", "--say-crossings", "--moving", "2", "--quiet", "6", "--every", every];
    house.add_garden("garden", &words);
    house.start_relay().unwrap();
    house
}

/// A phone that is told of every crossing.
fn eager(house: &House, name: &str) -> Phone {
    let phone = house.pair(name).unwrap();
    set(&phone, &["--camera", "all", "cooldown=0"]);
    phone
}

/// Changes a phone's settings and waits until the hub keeps them.
fn set(phone: &Phone, words: &[&str]) {
    let said = phone.says(&[&["settings", "set"], words].concat()).unwrap().first().unwrap();
    assert!(said["pending"].is_null(), "the hub did not confirm: {said}");
}

/// A phone that shows what it is told, for as long as this is held.
struct Follower {
    process: Process,
    saved: PathBuf,
    lines: Vec<Value>,
}

impl Follower {
    fn of(house: &House, phone: &Phone) -> Self {
        let saved = house.folder().join(format!("{}-pictures", phone.name()));
        let process = phone.start(&["events", "--follow", "--save", saved.to_str().unwrap()]).unwrap();
        Self { process, saved, lines: Vec::new() }
    }

    /// Waits for the next line of this kind; what comes before it is kept.
    fn next(&mut self, kind: &str) -> Value {
        let lines = &mut self.lines;
        self.process
            .wait_for(SOON * 2, |line| {
                lines.push(line.clone());
                line["kind"] == kind
            })
            .unwrap()
    }

    /// The ids of all that was shown of this kind, in order.
    fn ids(&self, kind: &str) -> Vec<String> {
        let shown = self.lines.iter().filter(|line| line["kind"] == kind);
        shown.map(|line| line["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Waits until the box begins to cross, and gives when.
fn crossing(house: &mut House) -> i64 {
    let camera = house.camera(0);
    // Crossings of the past may still stand in the pipe.
    let mut last = None;
    let asked = Instant::now();
    loop {
        let line = camera.wait_for(SOON, |line| line["crossing_at_ms"].is_i64()).unwrap();
        last = line["crossing_at_ms"].as_i64().or(last);
        if asked.elapsed() > Duration::from_millis(50) {
            return last.unwrap();
        }
    }
}

fn camera_is_there(house: &House) {
    house.wait_for_camera("garden", "the camera's being online", |camera| camera["online"] == true);
}

#[test]
fn a_crossing_is_told_once_on_each_of_two_phones_with_a_picture_and_stands_in_the_list() {
    let mut house = garden("20");
    house.start_hub().unwrap();
    let phones = [eager(&house, "anna"), eager(&house, "ben")];
    camera_is_there(&house);
    let mut followers = phones.each_ref().map(|phone| Follower::of(&house, phone));
    let mut told: Vec<BTreeSet<String>> = vec![BTreeSet::new(); 2];
    // Two in a row: when the second is told, no other one came for the first.
    for _ in 0..2 {
        let at = crossing(&mut house);
        for (follower, told) in followers.iter_mut().zip(&mut told) {
            let notification = loop {
                let notification = follower.next("notification");
                // One from before, when this phone was not looking.
                if notification["at_ms"].as_i64().unwrap() >= at {
                    break notification;
                }
            };
            assert_eq!((&notification["what"], &notification["camera"]), (&"motion".into(), &"garden".into()));
            assert_eq!(notification["late"], false, "{notification}");
            assert!(notification["clip"].is_string(), "{notification}");
            let picture = notification["saved"].as_str().expect("a picture");
            assert!(PathBuf::from(picture).starts_with(&follower.saved));
            let bytes = std::fs::read(picture).unwrap();
            assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.len() <= 1_250, "{} bytes", bytes.len());
            assert!(told.insert(notification["id"].as_str().unwrap().to_owned()), "told twice: {notification}");
        }
    }
    for (follower, told) in followers.iter_mut().zip(&told) {
        let ids = follower.ids("notification");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "one came twice: {ids:?}");
        assert!(told.iter().all(|id| ids.contains(id)));
    }
    assert_eq!(told[0], told[1], "both were told of the same");
    drop(followers);
    // The log tells them in full, with the clip and its thumbnail.
    let list = phones[0].says(&["events", "--limit", "50"]).unwrap().ok().unwrap();
    let listed: BTreeSet<String> =
        list.lines.iter().filter_map(|event| event["id"].as_str().map(str::to_owned)).collect();
    assert!(told[0].is_subset(&listed), "{told:?} of {list:?}");
    until("a clip with its picture", SOON, || {
        let clips = phones[0].clips(None).ok()?;
        clips.into_iter().find(|clip| clip["thumbnail"] == true && clip["peak_ms"].is_i64())
    })
    .unwrap();
}

#[test]
fn a_snoozed_phone_is_silent_and_the_list_goes_on() {
    let mut house = garden("12");
    house.start_hub().unwrap();
    let (awake, asleep) = (eager(&house, "awake"), eager(&house, "asleep"));
    let said = asleep.says(&["snooze", "garden", "1h"]).unwrap().first().unwrap();
    assert!(said["kept"]["cameras"][0]["snooze_until_ms"].is_i64(), "{said}");
    camera_is_there(&house);
    // What was told before the snooze was kept is shown now, and not looked at.
    let before = crossing(&mut house);
    let mut followers = [Follower::of(&house, &awake), Follower::of(&house, &asleep)];
    let mut events = BTreeSet::new();
    while events.len() < 2 {
        let event = followers[1].next("event");
        if event["at_ms"].as_i64() > Some(before + 5_000) {
            events.insert(event["id"].as_str().unwrap().to_owned());
        }
    }
    while !events.iter().all(|id| followers[0].ids("notification").contains(id)) {
        followers[0].next("notification");
    }
    let told = followers[1].ids("notification");
    assert!(events.iter().all(|id| !told.contains(id)), "{told:?} of {events:?}");
    drop(followers);

    // Awake again, it is told again.
    let said = asleep.says(&["snooze", "all", "off"]).unwrap().first().unwrap();
    assert!(said["kept"]["cameras"][0]["snooze_until_ms"].is_null(), "{said}");
    let mut follower = Follower::of(&house, &asleep);
    let at = crossing(&mut house);
    while follower.next("notification")["at_ms"].as_i64() < Some(at) {}
}

/// How many notifications wait in the hub because there is no relay.
fn waiting(house: &House) -> u64 {
    house.status()["notices"]["waiting"].as_u64().unwrap()
}

#[test]
fn a_hub_that_dies_between_detection_and_push_tells_it_all_the_same_and_once() {
    let mut house = garden("15");
    house.start_hub().unwrap();
    let phone = eager(&house, "phone");
    camera_is_there(&house);
    house.relay.take().unwrap().stop(Duration::from_secs(10)).unwrap();
    let before = waiting(&house);
    let at = crossing(&mut house);
    until("a notification that waits", SOON, || (waiting(&house) > before).then_some(())).unwrap();
    house.hub.take().unwrap().kill();
    // The box is across after two seconds; a hub that starts before takes where it was for the scene.
    std::thread::sleep(Duration::from_millis(2_500));
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let mut follower = Follower::of(&house, &phone);
    let mut first = follower.next("notification");
    while first["at_ms"].as_i64() < Some(at) {
        first = follower.next("notification");
    }
    let id = first["id"].as_str().unwrap().to_owned();
    // Until something else happens.
    let after = crossing(&mut house);
    while follower.next("notification")["at_ms"].as_i64() < Some(after) {}
    let ids = follower.ids("notification");
    assert_eq!(ids.iter().filter(|other| **other == id).count(), 1, "{ids:?}");
    let events = follower.ids("event");
    assert_eq!(events.iter().filter(|other| **other == id).count(), 1, "once in the log too: {events:?}");
}

#[test]
fn after_an_hour_without_the_relay_all_is_told_and_said_to_be_late() {
    let mut house = garden("10");
    let mut clock = Clock::new(house.folder());
    house.hub_environment = clock.environment();
    house.start_hub().unwrap();
    let phone = eager(&house, "phone");
    camera_is_there(&house);
    house.relay.take().unwrap().stop(Duration::from_secs(10)).unwrap();
    let count = until("three notifications that wait", SOON * 2, || Some(waiting(&house)).filter(|n| *n >= 3)).unwrap();
    clock.set(3_600);
    house.start_relay().unwrap();
    let mut follower = Follower::of(&house, &phone);
    let mut late = BTreeSet::new();
    while (late.len() as u64) < count {
        let notification = follower.next("notification");
        if notification["late"] == true {
            assert!(late.insert(notification["id"].as_str().unwrap().to_owned()), "twice: {notification}");
        }
    }
}
