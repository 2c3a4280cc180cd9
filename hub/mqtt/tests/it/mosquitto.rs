//! Against a real mosquitto: what Home Assistant finds, what comes back from it, and what remains when either end goes away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use privet_mqtt::{HubNews, LinkError, LinkState, News};

use crate::common::*;

const AVAILABLE: &str = "privet/cottage_01234567/availability";
const DOOR_TOPIC: &str = "privet/door_01010101";

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_finds_the_cameras_and_sees_what_happens() {
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let mqtt = spawn(broker.broker(), &Arc::default());
    let handle = mqtt.handle();
    listener.hears(AVAILABLE, "online").await;
    let node = "privet_hub_0123456789abcdef";
    let door = "01".repeat(16);
    let motion = format!("homeassistant/binary_sensor/{node}/privet_{door}_motion/config");
    let number = format!("homeassistant/number/{node}/privet_{door}_snooze/config");
    listener
        .until("both cameras and the hub are announced", |h| h.keys().filter(|t| t.ends_with("/config")).count() == 12)
        .await;
    let heard = listener.heard();
    assert!(heard[&motion].0.contains("\"device_class\":\"motion\"") && heard[&number].0.contains("/snooze/set"));
    listener.hears(&format!("{DOOR_TOPIC}/motion"), "OFF").await;

    handle.camera(DOOR, News::Online(true));
    handle.camera(DOOR, News::Motion(true));
    handle.camera(GARDEN, News::Tampered);
    handle.hub(HubNews::Relay(true));
    handle.hub(HubNews::Problem(true));
    listener.hears(&format!("{DOOR_TOPIC}/online"), "ON").await;
    listener.hears(&format!("{DOOR_TOPIC}/motion"), "ON").await;
    listener.hears("privet/garden_2_02020202/tamper", "ON").await;
    listener.hears("privet/cottage_01234567/relay", "ON").await;
    listener.hears("privet/cottage_01234567/problem", "ON").await;
    handle.camera(DOOR, News::Motion(false));
    listener.hears(&format!("{DOOR_TOPIC}/motion"), "OFF").await;

    // Who comes later sees all of it: it is retained.
    let later = Listener::when_up(broker.port).await;
    later.hears("privet/garden_2_02020202/tamper", "ON").await;
    later.until("all is retained", |heard| heard.len() == 12 + 3 + 10).await;

    // Home Assistant starts: everything is said again.
    later.say("homeassistant/status", "online", false).await;
    later.until("it is announced again", |heard| heard[&motion].1 >= 2 && heard[&number].1 >= 2).await;
    later.until("with its states", |heard| heard[&format!("{DOOR_TOPIC}/motion")].1 >= 2).await;
    mqtt.stop().await;
    later.hears(AVAILABLE, "offline").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_says_offline_for_a_hub_that_was_killed() {
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let mqtt = spawn(broker.broker(), &Arc::default());
    listener.hears(AVAILABLE, "online").await;
    // Its connection breaks without a goodbye, as a killed process's does.
    drop(mqtt);
    listener.hears(AVAILABLE, "offline").await;
    let _again = spawn(broker.broker(), &Arc::default());
    listener.hears(AVAILABLE, "online").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_is_set_from_outside_and_what_holds_is_told_back() {
    let log = logged();
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let book = Arc::new(Book::default());
    let mqtt = spawn(broker.broker(), &book);
    let (set, minutes) = (format!("{DOOR_TOPIC}/snooze/set"), format!("{DOOR_TOPIC}/snooze"));
    listener.hears(&minutes, "0").await;
    listener.say(&set, "30", false).await;
    listener.hears(&minutes, "30").await;
    listener.hears(&format!("{minutes}/until"), "2026-11-21T09:03:20Z").await;
    let until = NOW.after(Duration::from_secs(1800));
    assert_eq!(*book.asked.lock().unwrap(), [(DOOR, Some(until))]);

    // What nobody can mean changes nothing, is named in the log, and the control goes back to what holds.
    for bad in ["-5", "100000", "soon", ""] {
        let before = listener.heard()[&minutes].1;
        listener.say(&set, bad, false).await;
        listener.until(&format!("{bad:?} is answered"), |heard| heard[&minutes].1 > before).await;
    }
    listener.say("privet/attic_00000000/snooze/set", "30", false).await;
    listener.hears(&minutes, "30").await;
    assert_eq!(book.asked.lock().unwrap().len(), 1);
    let said = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(said.contains(r#"the snooze "-5" is not a number of minutes from 0 (none) to 10080"#), "{said}");

    // A phone, or anyone else, ends it: that is told without being asked.
    book.kept.lock().unwrap().clear();
    mqtt.handle().snoozes_changed();
    listener.hears(&minutes, "0").await;
    listener.hears(&format!("{minutes}/until"), "None").await;
    listener.say(&set, "5", false).await;
    listener.hears(&minutes, "5").await;
    listener.say(&set, "0", false).await;
    listener.hears(&minutes, "0").await;
    assert_eq!(book.asked.lock().unwrap().last(), Some(&(DOOR, None)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_snooze_is_not_set_anew_by_each_connection() {
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let set = format!("{DOOR_TOPIC}/snooze/set");
    listener.say(&set, "30", true).await;
    listener.hears(&set, "30").await;
    let book = Arc::new(Book::default());
    let _mqtt = spawn(broker.broker(), &book);
    // Another's comes behind the retained one.
    listener.hears("privet/garden_2_02020202/snooze", "0").await;
    listener.say("privet/garden_2_02020202/snooze/set", "7", false).await;
    listener.hears("privet/garden_2_02020202/snooze", "7").await;
    let cameras: Vec<_> = book.asked.lock().unwrap().iter().map(|(camera, _)| *camera).collect();
    assert_eq!(cameras, [GARDEN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_that_cannot_be_kept_is_not_shown_as_if_it_were() {
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let book = Arc::new(Book { broken: true, ..Book::default() });
    let _mqtt = spawn(broker.broker(), &book);
    let minutes = format!("{DOOR_TOPIC}/snooze");
    listener.hears(&minutes, "0").await;
    listener.say(&format!("{minutes}/set"), "30", false).await;
    listener.until("what holds is told again", |heard| heard[&minutes].1 >= 2).await;
    assert_eq!(listener.heard()[&minutes].0, "0");
    assert_eq!(book.asked.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_empty_is_told_everything_again() {
    let mut broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let mqtt = spawn(broker.broker(), &Arc::default());
    let handle = mqtt.handle();
    handle.camera(DOOR, News::Online(true));
    listener.hears(&format!("{DOOR_TOPIC}/online"), "ON").await;
    drop(listener);
    broker.kill();
    let away = state(&handle, "the loss is noticed", |s| matches!(s, LinkState::Waiting { .. })).await;
    assert!(
        matches!(away, LinkState::Waiting { why: LinkError::Closed { .. } | LinkError::Unreachable { .. } }),
        "{away:?}"
    );
    // Nobody waits for the broker: what happens meanwhile is kept as it is in the end.
    for _ in 0..10_000 {
        handle.camera(DOOR, News::Motion(true));
        handle.camera(DOOR, News::Motion(false));
    }
    handle.camera(GARDEN, News::Online(true));
    broker.start_again();
    let listener = Listener::when_up(broker.port).await;
    listener.hears("privet/garden_2_02020202/online", "ON").await;
    listener.hears(&format!("{DOOR_TOPIC}/motion"), "OFF").await;
    listener.until("all of it", |heard| heard.len() == 12 + 3 + 10).await;
    state(&handle, "connected again", |s| *s == LinkState::Connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_the_hub_has_no_more_is_forgotten_by_home_assistant_and_nobody_elses_is() {
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let other = "homeassistant/binary_sensor/privet_hub_another/x/config";
    listener.say(other, "{}", true).await;
    let first = spawn(broker.broker(), &Arc::default());
    let of = |camera: &str| {
        let id = camera.repeat(16);
        format!("homeassistant/binary_sensor/privet_hub_0123456789abcdef/privet_{id}_motion/config")
    };
    listener.until("both are there", |heard| heard.contains_key(&of("01")) && heard.contains_key(&of("02"))).await;
    listener.hears(AVAILABLE, "online").await;
    first.stop().await;
    listener.hears(AVAILABLE, "offline").await;

    let _second = spawn_for(broker.broker(), house_of(&[(DOOR, "Door")]), &Arc::default());
    listener.hears(&of("02"), "").await;
    // Who comes later finds the one, and what is not this hub's.
    let later = Listener::when_up(broker.port).await;
    let left = |heard: &BTreeMap<String, (String, u32)>| {
        heard.iter().filter(|(topic, (payload, _))| topic.ends_with("/config") && !payload.is_empty()).count()
    };
    later.until("the door, the hub and another's are left", |h| left(h) == 7 + 1 && h.contains_key(other)).await;
}
