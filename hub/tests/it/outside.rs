//! Who outside the home's phones is told how things stand: a hub with a real camera beside a real MQTT broker, and its metrics read
//! by friends and by strangers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use privet_hub::config::Config;
use privet_hub::hub::Hub;
use privet_hub::metrics::{Numbers, text};
use privet_hub::outbox::Waiting;
use privet_hub::source::WorkerOptions;
use privet_hub::status::{Alarm, Board, CameraStatus, Vital};
use privet_hub::uplink::room::{Said, WakeRoom};
use privet_raw_camera::{Clip, Options, RawCamera};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common;
use crate::common::openmetrics::{parse, value};
use crate::mosquitto::{Listener, Mosquitto, within};

/// A port that nobody listens at now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A hub without a relay; `more` is the end of its configuration.
async fn hub(folder: &Path, metrics: SocketAddr, more: &str) -> Hub {
    let text = format!(
        "name = \"Test\"\ndata_dir = {:?}\n[relay]\nhost = \"127.0.0.1\"\nport = {}\npin = \"{}\"\n\
         [recording]\npre_roll_s = 2\npost_roll_s = 1\nmax_clip_s = 10\nfree_space_floor_mib = 16\n\
         [metrics]\nlisten = \"{metrics}\"\n{more}",
        folder.join("hub"),
        free_port(),
        "00".repeat(32),
    );
    let mut workers = WorkerOptions::default();
    workers.executable = PathBuf::from(env!("CARGO_BIN_EXE_privet-hub"));
    Hub::start(Config::parse(Path::new("hub.toml"), &text).unwrap(), workers).await.unwrap()
}

/// Everything that is answered to these bytes until the connection ends.
async fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = within("the endpoint", async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    // It may have answered and closed before all of a large request was taken.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = within("an answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// The page at this address.
async fn scrape(address: SocketAddr) -> String {
    let answer = ask(address, b"GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let (head, page) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    page.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_camera_sees_is_told_to_the_broker_and_counted_for_prometheus() {
    let Some(clips) = common::clip::clips() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broker = Mosquitto::open();
    let listener = Listener::when_up(broker.port).await;
    let camera = RawCamera::start(Options::new(Clip::open(&clips.join("car-detection.mp4"), 12).unwrap())).unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let more = format!(
        "[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n[[camera]]\nname = \"Front \\\"door\\\"\"\nurl = \"{}\"\n",
        broker.port,
        camera.url()
    );
    let hub = hub(folder.path(), metrics, &more).await;
    listener.until("the camera is online", |h| h.iter().any(|(t, (p, _))| t.ends_with("/online") && p == "ON")).await;
    listener.until("something moves", |h| h.iter().any(|(t, (p, _))| t.ends_with("/motion") && p == "ON")).await;

    let door = [("camera", "Front \"door\"")];
    let page = parse(&scrape(metrics).await);
    for (name, expected) in [("privet_camera_online", 1.0), ("privet_camera_motion", 1.0)] {
        assert_eq!(value(&page, name, &door), expected, "{name}");
    }
    assert!(value(&page, "privet_camera_frames_total", &door) > 0.0);
    assert!(value(&page, "privet_camera_events_total", &door) >= 1.0);
    assert!(value(&page, "privet_camera_last_picture_age_seconds", &door) >= 0.0);
    assert_eq!(value(&page, "privet_mqtt_connected", &[]), 1.0);
    assert_eq!(value(&page, "privet_relay_connected", &[]), 0.0);
    assert_eq!(value(&page, "privet_alarm", &[("kind", "no-room")]), 0.0);
    let status = hub.view().status().await.unwrap();
    assert_eq!(status.mqtt.unwrap().state, "connected");

    // Nobody moves before a camera that sends nothing.
    drop(camera);
    listener.until("it is offline", |h| h.iter().any(|(t, (p, _))| t.ends_with("/online") && p == "OFF")).await;
    listener.until("and nothing moves", |h| h.iter().any(|(t, (p, _))| t.ends_with("/motion") && p == "OFF")).await;
    let page = parse(&scrape(metrics).await);
    assert_eq!(value(&page, "privet_camera_online", &door), 0.0);
    assert_eq!(value(&page, "privet_camera_outages_total", &door), 1.0);
    hub.stop().await;
    listener.until("goodbye", |h| h.iter().any(|(t, (p, _))| t.ends_with("/availability") && p == "offline")).await;
    assert!(TcpStream::connect(metrics).await.is_err(), "the endpoint ends with the hub");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_broker_is_away_works_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let hub = hub(folder.path(), metrics, &format!("[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n", free_port())).await;
    let mqtt = within("the failure to be seen", async {
        loop {
            let mqtt = hub.view().status().await.unwrap().mqtt.unwrap();
            if mqtt.state == "waiting" {
                return mqtt;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(mqtt.why.unwrap().contains("check mqtt.host and mqtt.port"));
    assert_eq!(value(&parse(&scrape(metrics).await), "privet_mqtt_connected", &[]), 0.0);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_metrics_get_an_error_or_nothing_and_friends_go_on_reading() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let hub = hub(folder.path(), metrics, "").await;
    parse(&scrape(metrics).await);
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    let endless =
        [b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n".to_vec(), vec![b'a'; 1 << 20]]
            .concat();
    for (request, starts) in [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), "HTTP/1.1 404 "),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), "HTTP/1.1 404 "),
        (b"DELETE /metrics HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), "HTTP/1.1 405 "),
        (endless, "HTTP/1.1 405 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "HTTP/1.1 400 "),
        (b"GET /metrics HTTP/9.9\r\n\r\n".to_vec(), "HTTP/1.1 400 "),
        (b"GET /metrics HTTP/1.1\r\nA b: c\r\n\r\n".to_vec(), "HTTP/1.1 400 "),
        (long.into_bytes(), "HTTP/1.1 4"),
        (many.into_bytes(), "HTTP/1.1 4"),
        // Who wants HTTP/2 would not read an answer of HTTP/1: the connection is closed.
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), ""),
    ] {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let answer = ask(metrics, &request).await;
        // A large request may be cut off by a reset that overtakes the answer; it never gets the page.
        assert!(answer.starts_with(starts) || (answer.is_empty() && request.len() > 8 << 10), "{shown:?}: {answer}");
        assert!(!answer.contains("privet_"), "{shown:?}");
    }
    let head = ask(metrics, b"HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"), "{head}");

    // Many who connect and say nothing: no more are held than there is room for, and they are not held for ever.
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(metrics).await.unwrap());
    }
    within("there is room again", async {
        loop {
            let answer = ask(metrics, b"GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
            if let Some((_, page)) = answer.split_once("\r\n\r\n") {
                parse(page);
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    for mut stream in silent {
        let mut answer = Vec::new();
        let _ = within("the end of a silent connection", stream.read_to_end(&mut answer)).await;
        assert!(!String::from_utf8_lossy(&answer).contains("privet_"));
    }
    hub.stop().await;
}

#[test]
fn names_that_people_give_break_no_line_and_every_alarm_has_its_own() {
    let board = Board::new();
    board.raise(Alarm::NoRoom { cause: "full".into() });
    board.round_trip(Duration::from_millis(25));
    let said = |stored_bytes, log_entries| Said {
        stored_bytes,
        limit_bytes: 1000,
        log_entries,
        log_limit: Some(500),
        wakes: Some(WakeRoom { left: 7, limit: 600 }),
    };
    board.relay_said(0, said(100, 10));
    board.relay_said(3_600_000, said(200, 20));
    let waiting = Waiting { segments: 2, bytes: 3 << 20, oldest_ms: Some(1_000), given_up: 1 };
    let mut status = board.page("Home \"x\"\n", Duration::from_secs(7), waiting, 2, 5);
    let names = ["Door", "a\"} 1\nprivet_phones 99\n# EOF\n", "back\\slash\\", "Tür 庭 🚪", "{},=\" "];
    let camera = |name: &str| CameraStatus { name: name.into(), online: true, frames: 10, ..CameraStatus::default() };
    status.notices.waiting = 3;
    status.cameras = names.iter().map(|name| camera(name)).collect();
    let mut seen = Vital::default();
    seen.picture_us = Some(1_500_000);
    let mut vitals = vec![Vital::default(); names.len()];
    vitals[0] = seen;
    let page = parse(&text(Numbers { status, vitals, now_us: 2_000_000, now_ms: 3_500 }));
    for name in names {
        assert_eq!(value(&page, "privet_camera_frames_total", &[("camera", name)]), 10.0, "{name:?}");
    }
    assert_eq!(page["privet_camera_last_picture_age_seconds"].len(), 1, "no age before the first picture");
    assert_eq!(value(&page, "privet_camera_last_picture_age_seconds", &[("camera", "Door")]), 0.5);
    assert_eq!(value(&page, "privet_phones", &[]), 2.0);
    assert_eq!(value(&page, "privet_outbox_bytes", &[]), f64::from(3 << 20));
    assert_eq!(value(&page, "privet_outbox_oldest_age_seconds", &[]), 2.5);
    assert_eq!(value(&page, "privet_outbox_given_up_total", &[]), 1.0);
    assert_eq!(value(&page, "privet_relay_round_trip_seconds", &[]), 0.025);
    for (name, number) in [
        ("privet_relay_room_used_bytes", 200.0),
        ("privet_relay_room_limit_bytes", 1000.0),
        ("privet_relay_log_entries", 20.0),
        ("privet_relay_log_limit_entries", 500.0),
        ("privet_relay_wakes_left", 7.0),
        ("privet_relay_wakes_limit", 600.0),
    ] {
        assert_eq!(value(&page, name, &[]), number, "{name}");
    }
    // Hours at the rate of the last one.
    for (name, hours) in [("privet_relay_room_lasts_seconds", 8.0), ("privet_relay_log_lasts_seconds", 48.0)] {
        assert!((value(&page, name, &[]) - hours * 3600.0).abs() < 1.0, "{name}");
    }
    assert_eq!(value(&page, "privet_notices_waiting", &[]), 3.0);
    assert_eq!(value(&page, "privet_alarm", &[("kind", "no-room")]), 1.0);
    assert_eq!(page["privet_alarm"].len(), Alarm::KINDS.len());
    assert!(!page.contains_key("privet_mqtt_connected"), "no broker is configured");
}
