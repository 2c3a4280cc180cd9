//! A whole house with a bad link in it: nobody sees a broken picture, nobody falls ever further behind, and nobody's bad link
//! costs anybody else a picture. Needs root for the links (`privet-link`); without it these tests are skipped, and say so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use privet_demo::house::{Phone, Plan};
use privet_demo::process::run;
use privet_link::{CENTRE, Centre, Conditions, Link, Loss, Namespace, Rate};
use privet_tests::{House, SOON, live};
use serde_json::Value;

const FPS: u64 = 15;
const SECONDS: u64 = 24;
/// Pictures from one key frame to the next, where there is no substream.
const GOP: u64 = 30;
const CAMERA: &str = "door";

/// A camera's film: 15 pictures a second, so many kb/s, a key frame every so many pictures.
fn film(folder: &Path, name: &str, size: &str, kbps: u32, gop: u64) -> PathBuf {
    let film = folder.join(name).with_extension("h264");
    let picture = format!("testsrc2=size={size}:rate=15:duration=20,noise=alls=5:allf=t,format=yuv420p");
    let rate = format!("{kbps}k");
    let x264 = format!("aud=0:sliced-threads=0:scenecut=0:keyint={gop}:min-keyint={gop}:bframes=0:repeat-headers=1");
    #[rustfmt::skip]
    let words = [
        "-v", "error", "-y", "-f", "lavfi", "-i", &picture,
        "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-tune", "zerolatency",
        "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate, "-x264-params", &x264, "-f", "h264", film.to_str().unwrap(),
    ];
    run(Path::new("ffmpeg"), &words, Duration::from_secs(120)).unwrap().ok().unwrap();
    film
}

/// A house whose relay is in the centre, and its hub and camera at `hub_at`.
fn house(centre: &Centre, hub_at: &Namespace) -> House {
    let mut house = House::new(Plan { relay_host: CENTRE, ..Plan::default() });
    let film = film(house.folder(), "door", "1280x720", 1200, GOP);
    centre.namespace().enter(|| house.start_relay().unwrap()).unwrap();
    let house = hub_at.enter(move || {
        house.add_raw(CAMERA, &["--file", film.to_str().unwrap(), "--fps", "15"]);
        house.cameras[0].motion = false;
        house.start_hub().unwrap();
        house
    });
    house.unwrap()
}

/// A house in the centre whose camera has a substream of 0.2 Mb/s beside its 2.4 Mb/s.
fn house_with_substream(centre: &Centre) -> House {
    let mut house = House::new(Plan { relay_host: CENTRE, ..Plan::default() });
    let large = film(house.folder(), "door", "1280x720", 2400, 15);
    let small = film(house.folder(), "door-sub", "320x180", 200, 15);
    let house = centre.namespace().enter(move || {
        house.start_relay().unwrap();
        house.add_raw("door-sub", &["--file", small.to_str().unwrap(), "--fps", "15"]);
        let sub = house.cameras.pop().unwrap();
        house.add_raw(CAMERA, &["--file", large.to_str().unwrap(), "--fps", "15"]);
        house.cameras[0].sub_url = Some(sub.url);
        // The test picture never stands still.
        house.cameras[0].lines = "record = \"off\"".into();
        house.start_hub().unwrap();
        house
    });
    house.unwrap()
}

/// A phone at `at` that is paired and knows that the camera is there.
fn phone(house: &mut House, at: &Namespace, name: &str) -> Phone {
    house.wait_for_camera(CAMERA, "the camera's being online", |camera| camera["online"] == true);
    at.enter(move || house.pair(name).unwrap()).unwrap()
}

/// What a phone at `at` says of a live view: the summary, and everything before it.
fn watch(at: &Namespace, phone: &Phone) -> (Value, Vec<Value>) {
    let file = phone.folder().with_extension("mp4");
    at.enter(|| live(phone, CAMERA, SECONDS, &file)).unwrap()
}

fn loses_nothing(view: &(Value, Vec<Value>)) {
    let (summary, said) = view;
    assert_eq!(summary["gaps"], 0, "{summary} {said:?}");
    loses_nothing_once_it_is_there(view);
}

/// Who comes at the end of a segment has all of it to fetch while the next one goes first, and is waited for `limits.patience_ms` then: on
/// a bad link that one may lack its last pictures. No other does.
fn loses_nothing_once_it_is_there((summary, said): &(Value, Vec<Value>)) {
    let of = |kind: &'static str| said.iter().filter(move |line| line["kind"] == kind);
    let number = |value: &Value| value.as_u64().unwrap();
    let first_whole = number(&of("segment").next().expect("a whole segment")["first_frame"]);
    assert!(of("gap").all(|gap| number(&gap["to"]) <= first_whole), "{summary} {said:?}");
    let in_gaps: u64 = of("gap").map(|gap| number(&gap["to"]) - number(&gap["from"])).sum();
    assert_eq!(summary["frames_missed"], in_gaps, "{summary} {said:?}");
    assert!(of("gap").count() <= 1 && in_gaps < GOP, "{summary} {said:?}");
    assert_eq!(summary["segments_broken"], 0, "{summary} {said:?}");
    assert!(summary["frames"].as_u64().unwrap() >= FPS * SECONDS * 2 / 3, "{summary}");
    assert!(summary["segments_verified"].as_u64().unwrap() >= SECONDS / 3, "{summary}");
}

/// The picture goes on, each is seconds old at the most, and what is not shown is told; nothing shown is broken.
fn goes_on((summary, said): &(Value, Vec<Value>)) {
    assert_eq!(summary["latency_clock"], "monotonic", "{summary}");
    let oldest = summary["latency_ms"]["max"].as_f64().expect("pictures newer than the view");
    assert!(oldest < 6000.0, "a picture was {oldest} ms old: {summary}");
    let gaps: Vec<u64> = said
        .iter()
        .filter(|line| line["kind"] == "gap")
        .map(|gap| gap["to"].as_u64().unwrap() - gap["from"].as_u64().unwrap())
        .collect();
    assert!(!gaps.is_empty(), "the link is too slow for this: {summary}");
    assert!(gaps.iter().all(|pictures| *pictures < 8 * FPS), "{gaps:?}");
    assert!(summary["frames"].as_u64().unwrap() >= FPS * SECONDS / 5, "{summary}");
    let alerts: Vec<_> = said.iter().filter(|line| line["kind"] == "alert").collect();
    assert!(alerts.is_empty(), "a slow link is no attack: {alerts:?}");
}

fn good() -> Conditions {
    Conditions::delay(Duration::from_millis(10))
}

/// Half of what the camera sends.
fn slow() -> Conditions {
    Conditions::delay(Duration::from_millis(20)).with_rate(Some(Rate::mbit(0.6)))
}

fn link(centre: &mut Centre, both: Conditions) -> Link {
    centre.link(both, both, 11).unwrap()
}

#[test]
fn a_phone_on_a_lossy_link_loses_no_picture() {
    let Some(mut centre) = Centre::or_skip("a phone on a lossy link") else { return };
    let lossy = Conditions::delay(Duration::from_millis(20)).with_loss(Loss::Each(0.02));
    let link = link(&mut centre, lossy);
    let mut house = house(&centre, centre.namespace());
    let phone = phone(&mut house, link.namespace(), "lossy");
    loses_nothing_once_it_is_there(&watch(link.namespace(), &phone));
    assert!(link.down().lost > 0 && link.up().lost > 0);
}

#[test]
fn a_phone_on_a_link_slower_than_the_video_goes_on_and_its_neighbour_loses_nothing() {
    let Some(mut centre) = Centre::or_skip("a phone on a slow link") else { return };
    let (slow, good) = (link(&mut centre, slow()), link(&mut centre, good()));
    let mut house = house(&centre, centre.namespace());
    let slow_phone = phone(&mut house, slow.namespace(), "slow");
    let good_phone = phone(&mut house, good.namespace(), "good");
    let (of_good, of_slow) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(slow.namespace(), &slow_phone));
        (watch(good.namespace(), &good_phone), watching.join().unwrap())
    });
    loses_nothing(&of_good);
    goes_on(&of_slow);
}

#[test]
fn a_hub_whose_way_up_is_slower_than_its_video_goes_on() {
    let Some(mut centre) = Centre::or_skip("a hub on a slow link") else { return };
    let link = link(&mut centre, slow());
    let mut house = house(&centre, link.namespace());
    let phone = phone(&mut house, centre.namespace(), "phone");
    goes_on(&watch(centre.namespace(), &phone));
}

#[test]
fn live_goes_over_to_the_substream_where_the_link_is_too_slow_and_back_where_it_is_not() {
    let Some(mut centre) = Centre::or_skip("live on the substream") else { return };
    let narrow = Conditions::delay(Duration::from_millis(20)).with_rate(Some(Rate::mbit(1.0)));
    let link = link(&mut centre, narrow);
    let mut house = house_with_substream(&centre);
    let phone = phone(&mut house, link.namespace(), "narrow");
    let file = phone.folder().with_extension("mp4");
    let words = ["live", CAMERA, "--out", file.to_str().unwrap()];
    let mut view = link.namespace().enter(|| phone.start(&words).unwrap()).unwrap();

    let is = |line: &Value, substream: bool| line["kind"] == "format" && line["substream"] == substream;
    let first = view.wait_for(SOON, |line| line["kind"] == "format").unwrap();
    assert!(is(&first, false), "it begins with the main stream: {first}");
    let small = view.wait_for(SOON, |line| is(line, true)).unwrap();
    assert!(small["width"].as_u64() < first["width"].as_u64(), "{first} {small}");
    house.wait_for_camera(CAMERA, "the substream's being live", |camera| {
        camera["live_substream"] == true && camera["want_substream"] == 1
    });

    // Nothing but a trial tells that the link holds more now; it has to be good for a while first.
    link.change(good(), good());
    let back = view.wait_for(SOON * 3, |line| is(line, false)).unwrap();
    assert_eq!(back["width"], first["width"]);
    let mut verified = 0;
    let stayed = view.wait_for(SOON, |line| {
        assert!(!is(line, true), "it goes over again: {line}");
        verified += u64::from(line["kind"] == "segment" && line["trust"] == "verified");
        verified == 8
    });
    stayed.unwrap();
    house.wait_for_camera(CAMERA, "the main stream's being live", |camera| camera["live_substream"] == false);

    view.signal("INT");
    let summary = view.wait_for(SOON, |line| line["kind"] == "summary").unwrap();
    assert_eq!(summary["segments_broken"], 0, "{summary}");
    assert_eq!(summary["latency_clock"], "monotonic", "{summary}");
    let oldest = summary["latency_ms"]["max"].as_f64().expect("pictures newer than the view");
    assert!(oldest < 3000.0, "a picture was {oldest} ms old: {summary}");
}
