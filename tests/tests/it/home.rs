//! A family's days: pairing, live, clips, several phones and cameras, a lost phone, a phone that was away.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use privet_demo::film;
use privet_demo::house::Plan;
use privet_demo::process::until;
use privet_tests::{House, SOON, alerts, live};

#[test]
fn a_phone_pairs_watches_and_fetches_a_clip_picture_by_picture() {
    let house = House::with_garden(Plan::default());
    let phone = house.pair("phone").unwrap();
    house.wait_for_camera("garden", "the camera's being online", |camera| camera["online"] == true);

    let saved = house.folder().join("live.mp4");
    let (summary, lines) = live(&phone, "garden", 5, &saved);
    assert!(summary["segments_verified"].as_u64() >= Some(3), "{summary}");
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    assert!(lines.iter().all(|line| line["kind"] != "gap"), "{lines:?}");
    let shown = film::numbers(&saved).unwrap();
    assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{shown:?}");
    assert_eq!(summary["frames_written"].as_u64(), Some(shown.pictures));

    let clips = house.wait_for_clips(&phone, None, 1);
    let (said, saved) = house.fetch(&phone, clips.last().unwrap());
    let shown = film::numbers(&saved).unwrap();
    assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{shown:?}");
    assert_eq!(said["frames"].as_u64(), Some(shown.pictures));
    // The box moved for two of eight seconds; before and after it three seconds are kept.
    assert!(shown.pictures >= 15 * 6, "{shown:?}");

    // The exported file proves itself to a stranger who has nothing but the camera's key, and only whole.
    let camera = phone.says(&["cameras"]).unwrap().first().unwrap();
    let root = camera["roots"][0].as_str().unwrap();
    let stranger = house.phone("stranger");
    let verify = |file: &str| stranger.says(&["verify", file, "--root", root]).unwrap();
    assert_eq!(verify(saved.to_str().unwrap()).first().unwrap()["ok"], true);
    let mut bytes = std::fs::read(&saved).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let forged = house.folder().join("forged.mp4");
    std::fs::write(&forged, bytes).unwrap();
    assert_eq!(verify(forged.to_str().unwrap()).code, 6);
    assert!(alerts(&phone).is_empty());
}

#[test]
fn two_phones_see_three_cameras_each_its_own() {
    let mut house = House::new(Plan::default());
    let cameras = ["garden", "door", "street"];
    house.add_garden(cameras[0], &["--every", "10", "--moving", "2", "--quiet", "4"]);
    house.add_garden(cameras[1], &["--every", "10", "--moving", "2", "--quiet", "4", "--b-frames", "2"]);
    house.add_garden(cameras[2], &["--every", "10", "--moving", "2", "--quiet", "4", "--audio"]);
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let phones = [house.pair("anna").unwrap(), house.pair("ben").unwrap()];
    for camera in cameras {
        house.wait_for_camera(camera, "the camera's being online", |camera| camera["online"] == true);
    }
    thread::scope(|scope| {
        for phone in &phones {
            let folder = house.folder();
            // Both at once; each looks at one camera after the other.
            scope.spawn(move || {
                for camera in cameras {
                    let saved = folder.join(format!("{}-{camera}.mp4", phone.name()));
                    let (summary, _) = live(phone, camera, 4, &saved);
                    assert_eq!(summary["segments_broken"], 0, "{summary}");
                    assert!(summary["segments_verified"].as_u64() >= Some(2), "{summary}");
                    assert!(film::numbers(&saved).unwrap().breaks.is_empty());
                    assert_eq!(film::contents(&saved).unwrap().audio, camera == "street");
                }
            });
        }
    });
    for phone in &phones {
        for camera in cameras {
            let clips = house.wait_for_clips(phone, Some(camera), 1);
            let (_, saved) = house.fetch(phone, clips.last().unwrap());
            let shown = film::numbers(&saved).unwrap();
            assert_eq!((shown.breaks.len(), shown.unreadable), (0, 0), "{camera}: {shown:?}");
        }
        assert!(alerts(phone).is_empty());
    }
}

#[test]
fn a_removed_phone_reads_nothing_new_and_the_others_go_on() {
    let house = House::with_garden(Plan::default());
    let (kept, lost) = (house.pair("kept").unwrap(), house.pair("lost").unwrap());
    let before = house.wait_for_clips(&lost, None, 1);
    assert_eq!(kept.says(&["devices"]).unwrap().lines.len(), 2);

    kept.says(&["remove", "lost"]).unwrap().ok().unwrap();
    let phones = house.hub_says(&["phones", "list"]).unwrap().ok().unwrap();
    assert!(phones.out.contains("kept") && !phones.out.contains("lost"), "{}", phones.out);
    let seen: BTreeSet<String> = before.iter().map(|clip| clip["id"].as_str().unwrap().to_owned()).collect();

    // The other one sees what comes after; the lost one is refused, live and clips alike, and learns of nothing new.
    let after = until("a clip made after the removal", SOON * 2, || {
        kept.clips(None).unwrap().into_iter().find(|clip| !seen.contains(clip["id"].as_str().unwrap()))
    })
    .unwrap();
    house.fetch(&kept, &after);
    let refused = lost.says(&["live", "garden", "--seconds", "2"]).unwrap();
    assert!([4, 5].contains(&refused.code), "{refused:?}");
    let status = lost.says(&["status"]).unwrap().first().unwrap();
    // It was away when it happened; the relay lets it read so far that it learns why.
    assert_eq!(status["removed"], true, "{status}");
    let known = lost.says(&["clips"]).unwrap();
    assert!(!known.out.contains(after["id"].as_str().unwrap()), "{known:?}");
    let fetched = lost.says(&["clip", after["id"].as_str().unwrap(), "--out", "/dev/null"]).unwrap();
    assert_ne!(fetched.code, 0, "{fetched:?}");
    let saved = house.folder().join("kept.mp4");
    let (summary, _) = live(&kept, "garden", 3, &saved);
    assert_eq!(summary["segments_broken"], 0);
}

#[test]
fn a_phone_that_was_away_over_many_epochs_catches_up() {
    let house = House::with_garden(Plan::default());
    let away = house.pair("away").unwrap();
    let position =
        |phone: &privet_demo::house::Phone| phone.says(&["status"]).unwrap().first().unwrap()["position"].as_u64();
    let before = position(&away);
    // Phones come and go: every join and every removal is an epoch.
    for round in 0..6 {
        let name = format!("guest-{round}");
        let guest = house.pair(&name).unwrap();
        assert!(guest.says(&["cameras"]).unwrap().out.contains("garden"));
        let phones = house.hub_says(&["phones", "list"]).unwrap().ok().unwrap();
        let id = phones.out.split(&name).next().unwrap().rsplit("\"id\":\"").next().unwrap()[..32].to_owned();
        house.hub_says(&["phones", "remove", &id]).unwrap().ok().unwrap();
    }
    let clips = house.wait_for_clips(&away, None, 2);
    for clip in &clips {
        house.fetch(&away, clip);
    }
    assert!(position(&away) >= before.map(|p| p + 12));
    assert!(alerts(&away).is_empty(), "{:?}", alerts(&away));
    assert_eq!(away.says(&["devices"]).unwrap().lines.len(), 1);
}

#[test]
fn the_relay_may_go_and_come_back() {
    let mut house = House::with_garden(Plan::default());
    let phone = house.pair("phone").unwrap();
    house.wait_for_clips(&phone, None, 1);
    house.relay.take().unwrap().stop(Duration::from_secs(10)).unwrap();
    // While it is away clips are made, and wait on the hub's disk.
    let waiting = until("segments that wait in the outbox", SOON, || {
        let status = house.status();
        let waits = status["outbox"]["segments"].as_u64()? >= 8 && status["relay"]["state"] != "connected";
        (waits && status["relay"]["why"].is_string()).then_some(status)
    })
    .unwrap();
    assert!(waiting["relay"]["next"].is_string(), "{waiting}");
    until("the phone's saying why it is alone", SOON, || {
        let alone = phone.says(&["status", "--wait", "15"]).ok()?.first().ok()?;
        alone["link_reason"].is_string().then_some(())
    })
    .unwrap();
    house.start_relay().unwrap();
    until("an empty outbox", SOON, || (house.status()["outbox"]["segments"] == 0).then_some(())).unwrap();
    for clip in house.wait_for_clips(&phone, None, 3) {
        let (_, saved) = house.fetch(&phone, &clip);
        assert!(film::numbers(&saved).unwrap().breaks.is_empty());
    }
    assert!(alerts(&phone).is_empty());
}
