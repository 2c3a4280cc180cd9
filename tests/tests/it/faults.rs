//! What goes wrong round the house: full disks, wrong clocks, a relay that is away, cameras with all their features.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use privet_demo::film;
use privet_demo::house::{Phone, Plan};
use privet_demo::process::until;
use privet_tests::clock::Clock;
use privet_tests::space::{Disk, inside_namespace};
use privet_tests::{House, SOON, alerts, live};
use serde_json::Value;

/// A house whose camera "garden" makes a clip every few seconds, however long its motion lasts; nothing runs yet.
fn busy_house(plan: Plan) -> House {
    let mut house = House::new(Plan { pre_roll_s: 1, post_roll_s: 1, max_clip_s: 10, ..plan });
    house.add_garden("garden", &["--moving", "2", "--every", "8", "--quiet", "2"]);
    house
}

/// The text of an alarm of the hub, while it stands.
fn alarm(status: &Value, kind: &str) -> Option<String> {
    let alarms = status["alarms"].as_array().unwrap();
    alarms.iter().find(|alarm| alarm["kind"] == kind).map(|alarm| alarm["text"].as_str().unwrap().to_owned())
}

/// Waits until the hub's state is as `wanted`.
fn wait_for_hub<T>(house: &House, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
    let mut last = Value::Null;
    until(what, SOON, || {
        last = house.status();
        wanted(&last)
    })
    .unwrap_or_else(|trouble| panic!("{trouble}; the hub is {last}"))
}

fn ids(clips: &[Value]) -> BTreeSet<String> {
    clips.iter().map(|clip| clip["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the phone has `count` finished clips that are not among `known`.
fn wait_for_new_clips(phone: &Phone, known: &BTreeSet<String>, count: usize) -> Vec<Value> {
    until(&format!("{count} new clips"), SOON * 2, || {
        let mut clips = phone.clips(None).unwrap();
        clips.retain(|clip| !known.contains(clip["id"].as_str().unwrap()));
        (clips.len() >= count).then_some(clips)
    })
    .unwrap()
}

/// The first clip of a phone that joined while the house was recording: of one that was under way it gets what followed.
fn fetch_first_clip(house: &House, phone: &Phone) {
    let clip = house.wait_for_clips(phone, None, 1).pop().unwrap();
    let (said, saved) = house.fetch(phone, &clip);
    assert_eq!(said["first_segment"], clip["first_segment"], "{said} {clip}");
    let part = clip["segments"].as_u64().unwrap() - clip["first_segment"].as_u64().unwrap();
    assert_eq!(said["segments"].as_u64(), Some(part), "{said} {clip}");
    let shown = film::numbers(&saved).unwrap();
    assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{clip} {shown:?}");
    verified(phone, &saved);
}

/// What a stranger finds out about a film with nothing but the key of the house's first camera.
fn verified(phone: &Phone, film: &Path) -> Value {
    let camera = phone.says(&["cameras"]).unwrap().first().unwrap();
    let words = ["verify", film.to_str().unwrap(), "--root", camera["roots"][0].as_str().unwrap()];
    let said = phone.says(&words).unwrap().first().unwrap();
    assert_eq!(said["ok"], true, "{said}");
    said
}

/// Waits until the phone has everything that the hub said.
fn wait_until_caught_up(phone: &Phone) {
    until("the phone's being up to date", SOON, || {
        let status = phone.says(&["status"]).ok()?.first().ok()?;
        (status["caught_up"] == true).then_some(())
    })
    .unwrap();
}

#[test]
fn a_full_disk_stops_recording_and_nothing_else() {
    if !inside_namespace("faults::a_full_disk_stops_recording_and_nothing_else") {
        return;
    }
    let mut house = busy_house(Plan::default());
    let disk = Disk::mount(&house.folder().join("hub"), 128);
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let (phone, watcher) = (house.pair("phone").unwrap(), house.pair("watcher").unwrap());
    let before = house.wait_for_clips(&phone, None, 1);
    let mut watching = watcher.start(&["live", "garden"]).unwrap();
    let mut seen = |count: u32| {
        for _ in 0..count {
            let wanted = |line: &Value| line["kind"] == "segment" || line["kind"] == "gap";
            let line = watching.wait_for(SOON, wanted).unwrap();
            assert_eq!(line["trust"], "verified", "{line}");
        }
    };
    seen(2);

    disk.fill(0);
    let said = wait_for_hub(&house, "the alarm and the end of recording", |status| {
        let quiet = status["cameras"][0]["recording"] == false;
        alarm(status, "no-room").filter(|_| quiet)
    });
    assert!(said.contains("recording is stopped") && said.contains("free space"), "{said}");
    // The clip under way was the last: what is there when the hub has said all of it is what there is for as long as this lasts.
    wait_for_hub(&house, "the last clip's being told", |status| {
        (status["outbox"]["segments"] == 0 && status["log_waiting"] == 0).then_some(())
    });
    wait_until_caught_up(&phone);
    let known = ids(&phone.clips(None).unwrap());
    // Who watches goes on watching without a hole, and others may begin to.
    seen(10);
    let (summary, _) = live(&phone, "garden", 5, &house.folder().join("full.mp4"));
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    assert!(summary["segments_verified"].as_u64() >= Some(3), "{summary}");
    seen(2);
    let still =
        wait_for_hub(&house, "the hub's being connected", |s| (s["relay"]["state"] == "connected").then(|| s.clone()));
    assert!(alarm(&still, "no-room").is_some(), "{still}");
    // That it is nearly full stands beside it where there was time to say so.
    let others = still["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["kind"] != "disk");
    assert_eq!((others.count(), &still["cameras"][0]["recording"]), (1, &Value::Bool(false)), "{still}");
    wait_until_caught_up(&phone);
    assert_eq!(ids(&phone.clips(None).unwrap()), known, "nothing is recorded meanwhile");

    // It also dies and starts without room.
    watching.kill();
    house.hub.take().unwrap().kill();
    house.start_hub().unwrap();
    wait_for_hub(&house, "the alarm after a start without room", |status| alarm(status, "no-room"));
    let (summary, _) = live(&phone, "garden", 3, &house.folder().join("full.mp4"));
    assert_eq!(summary["segments_broken"], 0, "{summary}");

    disk.clear();
    wait_for_hub(&house, "the alarm's end", |status| alarm(status, "no-room").is_none().then_some(()));
    let after = wait_for_new_clips(&phone, &known, 2);
    // The first one says why something is missing before it.
    let (_, saved) = house.fetch(&phone, after.last().unwrap());
    let told = verified(&phone, &saved);
    // The hub was also killed meanwhile: one outage with the later reason.
    assert!(!told["gaps"].as_array().unwrap().is_empty(), "{told}");
    for clip in before.iter().chain(&after) {
        let (said, saved) = house.fetch(&phone, clip);
        let shown = film::numbers(&saved).unwrap();
        assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{clip} {shown:?}");
        assert_eq!(said["frames"].as_u64(), Some(shown.pictures), "{clip}");
    }

    // The group is whole: phones come in, before and after a restart.
    let guest = house.pair("guest").unwrap();
    fetch_first_clip(&house, &guest);
    house.hub.take().unwrap().stop(Duration::from_secs(20)).unwrap();
    house.start_hub().unwrap();
    let late = house.pair("late").unwrap();
    let known = ids(&phone.clips(None).unwrap());
    house.fetch(&phone, &wait_for_new_clips(&phone, &known, 1)[0]);
    fetch_first_clip(&house, &late);
    for phone in [&phone, &guest, &late] {
        assert_eq!(alerts(phone), Vec::<String>::new());
    }
    assert_eq!(house.status()["outbox"]["given_up"], 0);
}

#[test]
fn a_relay_without_room_gets_the_clips_when_it_has_some_again() {
    if !inside_namespace("faults::a_relay_without_room_gets_the_clips_when_it_has_some_again") {
        return;
    }
    let mut house = busy_house(Plan { relay_free_bytes: 32 << 20, ..Plan::default() });
    let disk = Disk::mount(&house.folder().join("relay"), 64);
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let phone = house.pair("phone").unwrap();
    let before = house.wait_for_clips(&phone, None, 1);
    // No room for clips, but for what the home says to itself: live goes on.
    disk.fill(24 << 20);
    let waiting = wait_for_hub(&house, "clips that wait, and why", |status| {
        let waits = status["outbox"]["segments"].as_u64() >= Some(4);
        alarm(status, "relay").filter(|_| waits && status["relay"]["state"] == "connected")
    });
    assert!(waiting.contains("the relay's disk is full") && waiting.contains("ask its operator"), "{waiting}");
    let (summary, _) = live(&phone, "garden", 3, &house.folder().join("live.mp4"));
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    // No room for anything: the hub says why it waits.
    disk.fill(0);
    wait_for_hub(&house, "a word on why nothing is delivered", |status| {
        let why = status["relay"]["why"].as_str()?;
        (why.contains("disk is full") && status["relay"]["next"].is_string()).then_some(())
    });
    assert_eq!(house.status()["cameras"][0]["online"], true);

    disk.clear();
    wait_for_hub(&house, "an empty outbox", |status| {
        let empty = status["outbox"]["segments"] == 0 && status["log_waiting"] == 0;
        (empty && status["alarms"].as_array().is_some_and(Vec::is_empty)).then_some(())
    });
    wait_until_caught_up(&phone);
    for clip in before.iter().chain(&wait_for_new_clips(&phone, &ids(&before), 2)) {
        let (said, saved) = house.fetch(&phone, clip);
        assert_eq!(said["frames"].as_u64(), Some(film::numbers(&saved).unwrap().pictures), "{clip}");
    }
    assert_eq!(house.status()["outbox"]["given_up"], 0);
    assert_eq!(alerts(&phone), Vec::<String>::new());
}

/// A command of a phone whose disk is full ends, and says why.
fn without_room(phone: &Phone, words: &[&str]) {
    let said = phone.says(words).unwrap();
    assert_eq!(said.code, 8, "{words:?} {said:?}");
    assert!(said.err.contains("no room is left"), "{words:?} {said:?}");
}

#[test]
fn a_phone_without_room_says_so_and_loses_nothing() {
    if !inside_namespace("faults::a_phone_without_room_says_so_and_loses_nothing") {
        return;
    }
    let mut house = busy_house(Plan::default());
    let disk = Disk::mount(house.phone("phone").folder(), 64);
    house.start_relay().unwrap();
    house.start_hub().unwrap();

    // A phone that can't keep its keys has not joined, and the code is as good as before.
    disk.fill(0);
    let mut invitation = house.invite().unwrap();
    let phone = house.phone("phone");
    without_room(&phone, &["pair", invitation.code(), "--name", phone.name()]);
    disk.clear();
    phone.pair(invitation.code()).unwrap().ok().unwrap();
    invitation.joined().unwrap();
    let other = house.pair("other").unwrap();
    let before = house.wait_for_clips(&phone, None, 1);
    house.fetch(&phone, &before[0]);

    // It fills while the phone follows, which goes on when there is room again.
    let known = ids(&other.clips(None).unwrap());
    let mut following = phone.start(&["events", "--follow"]).unwrap();
    following.wait_for(SOON, |line| line["kind"] == "event").unwrap();
    disk.fill(0);
    let meanwhile = ids(&wait_for_new_clips(&other, &known, 2));
    disk.clear();
    let mut missing = meanwhile.clone();
    following
        .wait_for(SOON * 2, |line| {
            missing.remove(line["clip"].as_str().unwrap_or_default());
            missing.is_empty()
        })
        .unwrap_or_else(|trouble| panic!("{trouble}; nothing was told of {missing:?}"));

    // It dies without room, and is started: what it had is there, and what can't be kept says why.
    disk.fill(0);
    following.kill();
    // As soon as there is something new: the hub gives a sign of life every two seconds.
    let had = until("the phone's word on its disk", SOON, || {
        let had = phone.says(&["--wait", "2", "clips"]).ok()?;
        had.err.contains("no room is left").then_some(had)
    })
    .unwrap();
    assert_eq!(had.code, 0, "{had:?}");
    assert!(ids(&had.lines).is_superset(&meanwhile), "{had:?}");
    without_room(&phone, &["--wait", "2", "snooze", "all", "1h"]);
    house.fetch(&phone, &before[0]);
    let lately = wait_for_new_clips(&other, &ids(&had.lines), 1);

    disk.clear();
    wait_until_caught_up(&phone);
    for clip in phone.clips(None).unwrap().iter().take(3).chain(&lately).chain(&before) {
        let (_, saved) = house.fetch(&phone, clip);
        verified(&phone, &saved);
    }
    phone.says(&["snooze", "all", "1h"]).unwrap().ok().unwrap();
    assert_eq!(alerts(&phone), Vec::<String>::new());
}

#[test]
fn a_clock_set_back_is_told_and_recording_goes_on() {
    let mut house = busy_house(Plan::default());
    let mut clock = Clock::new(house.folder());
    house.hub_environment = clock.environment();
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let phone = house.pair("phone").unwrap();
    let before = house.wait_for_clips(&phone, None, 1);
    let mut watching = phone.start(&["live", "garden"]).unwrap();
    let mut seen = |count: u32| {
        for _ in 0..count {
            let line = watching.wait_for(SOON, |line| line["kind"] == "segment" || line["kind"] == "gap").unwrap();
            assert_eq!(line["trust"], "verified", "{line}");
        }
    };
    seen(2);

    clock.set(-3600);
    seen(4);
    watching.kill();
    // Clips from then on have the new time: the one under way has both.
    let (middle, after) = until("clips from before, over and after the step", SOON * 2, || {
        let clips = phone.clips(None).unwrap();
        let after: Vec<Value> =
            clips.iter().filter(|clip| clip["start_ms"].as_i64() < Some(clock.now_ms() + 600_000)).cloned().collect();
        let over: Vec<Value> = clips.iter().filter(|clip| !after.contains(clip)).cloned().collect();
        (after.len() >= 2).then_some((over, after))
    })
    .unwrap();
    let checked = |clips: &[Value]| -> u64 {
        let mut told = 0;
        for clip in clips {
            let (said, saved) = house.fetch(&phone, clip);
            let shown = film::numbers(&saved).unwrap();
            assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{clip} {shown:?}");
            let stranger = verified(&phone, &saved);
            assert_eq!(said["clock_set_back"], stranger["clock_set_back"], "{said} {stranger}");
            told += said["clock_set_back"].as_u64().unwrap();
        }
        told
    };
    assert_eq!(checked(&before), 0, "{before:?}");
    // One statement says it, whichever clip it is in.
    assert_eq!(checked(&middle) + checked(&after), 1, "{middle:?} {after:?}");
    // Each clip is there once, newest first: those that the clock calls older by an hour were made later.
    let all = phone.clips(None).unwrap();
    assert_eq!(ids(&all).len(), all.len());
    let starts: Vec<i64> = all.iter().map(|clip| clip["start_ms"].as_i64().unwrap()).collect();
    let (newer, older) = starts.split_at(starts.iter().take_while(|start| **start < clock.now_ms() + 600_000).count());
    assert!(newer.len() >= 2 && !older.is_empty(), "{starts:?}");
    assert!(newer.iter().all(|newer| older.iter().all(|older| newer < older)), "{starts:?}");
    assert!([newer, older].iter().all(|part| part.is_sorted_by(|a, b| a >= b)), "{starts:?}");

    // A restart, the clock going back once more while the hub is off.
    house.hub.take().unwrap().kill();
    clock.set(-3600);
    house.start_hub().unwrap();
    let known = ids(&phone.clips(None).unwrap());
    let new = until("a clip after the restart", SOON * 2, || {
        let clips = phone.clips(None).unwrap();
        let mut new = clips.into_iter().filter(|clip| !known.contains(clip["id"].as_str().unwrap()));
        new.find(|clip| clip["start_ms"].as_i64() < Some(clock.now_ms() + 600_000))
    })
    .unwrap();
    let (said, _) = house.fetch(&phone, &new);
    let told = said["gaps"].as_array().unwrap();
    assert!(told.iter().any(|gap| gap["reason"] == "hub-off"), "{said}");
    // The phone says that the clocks differ, once each of live pictures and of the log; it takes no clip for missing and the hub
    // for silent at most while that was off.
    let alerts = alerts(&phone);
    let told = |text: &str| alerts.iter().filter(|alert| alert.contains(text)).count();
    assert!(told("a clock is wrong") >= 1, "{alerts:?}");
    assert!((1..=2).contains(&told("the hub's clock is behind")), "{alerts:?}");
    assert!(told("no sign of the hub") <= 1, "{alerts:?}");
    assert_eq!(told("is missing here"), 0, "{alerts:?}");
    assert_eq!(house.status()["alarms"], serde_json::json!([]));
}

#[test]
fn a_phone_whose_clock_is_years_off_watches_and_verifies() {
    const YEARS: i64 = 5 * 365 * 86_400;
    let mut house = busy_house(Plan::default());
    let mut clock = Clock::new(house.folder());
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let mut phone = house.pair("phone").unwrap();
    phone.environment = clock.environment();
    let film = house.folder().join("live.mp4");
    let sees = |phone: &Phone| {
        let (summary, _) = live(phone, "garden", 3, &film);
        assert!(summary["segments_verified"].as_u64() >= Some(1), "{summary}");
        assert_eq!(summary["segments_broken"], 0, "{summary}");
        let clip = house.wait_for_clips(phone, None, 1).remove(0);
        let (_, saved) = house.fetch(phone, &clip);
        verified(phone, &saved);
    };
    sees(&phone);

    for (name, shift) in [("ahead", YEARS), ("behind", -2 * YEARS)] {
        clock.set(shift);
        sees(&phone);
        let mut new = house.phone(name);
        new.environment = clock.environment();
        let said = new.pair(house.invite().unwrap().code()).unwrap();
        if shift > 0 {
            assert_eq!(said.code, 3, "{said:?}");
            assert!(
                said.err.contains("expired") && said.err.contains("this device's clock, which may be wrong"),
                "{said:?}"
            );
        } else {
            said.ok().unwrap();
            sees(&new);
        }
    }
    // What it says of it is about clocks.
    let alerts = alerts(&phone);
    assert!(alerts.iter().any(|alert| alert.contains("live pictures")), "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.contains("clock")), "{alerts:?}");
}

#[test]
fn an_hour_without_the_relay_loses_nothing() {
    let mut house = busy_house(Plan::default());
    let mut clock = Clock::new(house.folder());
    house.hub_environment = clock.environment();
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let (phone, away) = (house.pair("phone").unwrap(), house.pair("away").unwrap());
    house.wait_for_clips(&phone, None, 1);
    let away_since = ids(&away.clips(None).unwrap());

    house.relay.take().unwrap().stop(Duration::from_secs(10)).unwrap();
    // Every ten minutes some segments more; in the middle the power fails.
    let mut waiting = 0;
    for sixth in 0..6 {
        waiting = wait_for_hub(&house, "more segments that wait", |status| {
            let now = status["outbox"]["segments"].as_u64()?;
            (now >= waiting + 4).then_some(now)
        });
        if sixth == 2 {
            house.hub.take().unwrap().kill();
            house.start_hub().unwrap();
        }
        clock.set(600);
    }
    let status = wait_for_hub(&house, "a word on the relay", |status| {
        (status["relay"]["why"].is_string() && status["relay"]["state"] != "connected").then(|| status.clone())
    });
    let outbox = &status["outbox"];
    assert!(outbox["segments"].as_u64() >= Some(waiting) && outbox["bytes"].as_u64() > Some(0), "{outbox}");
    // By its clock the oldest has been waiting for the whole hour.
    assert!(clock.now_ms() - outbox["oldest_ms"].as_i64().unwrap() >= 3_600_000, "{outbox}");
    assert!(status["relay"]["next"].as_str().is_some_and(|next| next.contains("clips wait on the disk")), "{status}");
    assert_eq!(house.hub_says(&["status"]).unwrap().code, 0);

    house.start_relay().unwrap();
    wait_for_hub(&house, "an empty outbox", |status| {
        (status["outbox"]["segments"] == 0 && status["log_waiting"] == 0).then_some(())
    });
    let status = house.status();
    assert_eq!((&status["outbox"]["given_up"], &status["alarms"]), (&0.into(), &serde_json::json!([])), "{status}");
    wait_until_caught_up(&phone);
    wait_until_caught_up(&away);
    // Each clip once, the same on both phones, and every statement of the camera in them, none missing in between.
    let all = phone.clips(None).unwrap();
    let known = ids(&all);
    assert_eq!(known.len(), all.len());
    let got = ids(&away.clips(None).unwrap());
    assert!(known.is_subset(&got), "{known:?} {got:?}");
    assert!(got.difference(&away_since).count() >= 3, "{got:?}");
    let segments: u64 = all.iter().map(|clip| clip["segments"].as_u64().unwrap()).sum();
    assert!(segments >= waiting, "{segments} of {waiting}");
    for clip in &all {
        for phone in [&phone, &away] {
            let (said, saved) = house.fetch(phone, clip);
            let shown = film::numbers(&saved).unwrap();
            assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{clip} {shown:?}");
            assert_eq!(said["frames"].as_u64(), Some(shown.pictures), "{clip}");
            assert_eq!(said["segments"], clip["segments"], "{clip}");
        }
    }
    for phone in [&phone, &away] {
        assert_eq!(alerts(phone), Vec::<String>::new());
    }
}

/// What ffprobe reads of a film: for each track its kind, and its packets' decoding times.
fn probed(film: &Path) -> Vec<(String, Vec<f64>)> {
    let probe = |words: &[&str]| -> Value {
        let mut command = std::process::Command::new("ffprobe");
        let output = command.args(["-v", "error", "-of", "json"]).args(words).arg(film).output().expect("ffprobe");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{}: {said}", film.display());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let streams = probe(&["-show_streams"]);
    let packets = probe(&["-show_packets"]);
    let track = |stream: &Value| {
        let own = packets["packets"].as_array().unwrap().iter().filter(|p| p["stream_index"] == stream["index"]);
        let times = own.map(|packet| packet["dts_time"].as_str().unwrap().parse().unwrap()).collect();
        (stream["codec_name"].as_str().unwrap().to_owned(), times)
    };
    streams["streams"].as_array().unwrap().iter().map(track).collect()
}

#[test]
fn b_frames_and_sound_play_live_and_as_a_clip() {
    let mut house = House::new(Plan { pre_roll_s: 2, post_roll_s: 2, max_clip_s: 10, ..Plan::default() });
    house.add_garden("garden", &["--moving", "2", "--every", "8", "--quiet", "2", "--b-frames", "2", "--audio"]);
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let phone = house.pair("phone").unwrap();
    house.wait_for_camera("garden", "the camera's being online", |camera| camera["online"] == true);
    let live_film = house.folder().join("live.mp4");
    let (summary, _) = live(&phone, "garden", 5, &live_film);
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    let clip = house.wait_for_clips(&phone, None, 1).pop().unwrap();
    let (said, clip_film) = house.fetch(&phone, &clip);
    for (film, frames) in [(live_film, &summary["frames_written"]), (clip_film, &said["frames"])] {
        let shown = film::numbers(&film).unwrap();
        assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{shown:?}");
        let tracks = probed(&film);
        let codecs: Vec<&str> = tracks.iter().map(|(codec, _)| codec.as_str()).collect();
        assert_eq!(codecs, ["h264", "aac"], "{}", film.display());
        for (codec, times) in &tracks {
            assert!(times.is_sorted_by(|a, b| a < b), "{}: {codec} {times:?}", film.display());
        }
        let (video, audio) = (&tracks[0].1, &tracks[1].1);
        assert_eq!((frames.as_u64(), shown.pictures), (Some(video.len() as u64), video.len() as u64));
        // Both tracks are about as long: no sound is lost on the way.
        let length = |times: &[f64]| times[times.len() - 1] - times[0];
        assert!((length(video) - length(audio)).abs() < 1.5, "{} {}", length(video), length(audio));
    }
}
