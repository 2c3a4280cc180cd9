//! A relay that lies: each lie is noticed and named, and no wrong picture is ever shown.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use privet_app_core::{Client, Config, Event, FileKeys, PairingOffer, Status, TrustAlert};
use privet_demo::film;
use privet_demo::house::{Phone, Plan, RelayAt};
use privet_demo::process::until;
use privet_tests::lying::{Lie, LyingRelay};
use privet_tests::{House, SOON, alerts};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A house whose hub and phones take the lying relay for theirs.
struct Deceived {
    house: House,
    relay: LyingRelay,
    _runtime: Runtime,
}

fn deceived() -> Deceived {
    let runtime = Runtime::new().unwrap();
    // All connections come to the real relay under one key.
    let plan = Plan { relay_limits: "key_connections = 64\nhome_connections = 128\n".into(), ..Plan::default() };
    let mut house = House::new(plan);
    house.add_garden("garden", &["--moving", "2", "--every", "8", "--quiet", "4"]);
    let behind = house.start_relay().unwrap();
    let relay = {
        let _inside = runtime.enter();
        LyingRelay::start(SocketAddr::from((Ipv4Addr::LOCALHOST, behind.port)))
    };
    house.front = Some(RelayAt { port: relay.address().port(), pin: relay.pin().to_owned() });
    house.start_hub().unwrap();
    Deceived { house, relay, _runtime: runtime }
}

impl Deceived {
    /// Tells the phone one lie until it shows an alert with one of these words.
    fn lie_is_named(&self, phone: &Phone, lie: Lie, words: &[&str]) {
        let before = alerts(phone).len();
        self.relay.tell(lie);
        let mut shown = Vec::new();
        until(&format!("{lie:?} being noticed"), SOON, || {
            shown = alerts(phone);
            let new = shown.get(before.min(shown.len())..)?;
            new.iter().any(|alert| words.iter().any(|word| alert.contains(word))).then_some(())
        })
        .unwrap_or_else(|trouble| panic!("{trouble}; told {} times; alerts: {shown:?}", self.relay.told()));
        assert!(self.relay.told() > 0);
        self.relay.tell(Lie::None);
    }
}

#[test]
fn lies_about_the_log_are_noticed_and_named() {
    let deceived = deceived();
    for (lie, words) in [
        (Lie::ReplayEntry, &["replayed", "Replayed"][..]),
        (Lie::SwapEntries, &["order", "missing", "left out", "replayed", "not made by"]),
        (Lie::DropEntry, &["order", "missing", "left out", "another history", "not made"]),
        (Lie::SkipEntry, &["order", "missing", "left out"]),
        (Lie::FlipEntry, &["not made by"]),
        (Lie::CutEntry, &["not made by"]),
    ] {
        // A phone of its own for each lie: what follows a lie it was told is another matter.
        let phone = deceived.house.pair(&format!("{lie:?}")).unwrap();
        assert!(alerts(&phone).is_empty());
        deceived.lie_is_named(&phone, lie, words);
    }
}

#[test]
fn a_withheld_log_is_noticed() {
    let deceived = deceived();
    let phone = deceived.house.phone("phone");
    let config = Config {
        storage_dir: phone.folder().to_string_lossy().into_owned(),
        device_name: "phone".into(),
        cache_limit_mib: 64,
        app_version: "test".into(),
    };
    std::fs::create_dir_all(phone.folder()).unwrap();
    let keys = Arc::new(FileKeys::new(phone.folder().join("wrap.key")));
    let invitation = deceived.house.invite().unwrap();
    Runtime::new().unwrap().block_on(async {
        // Silence takes time to notice, so this phone is one that stays on.
        let client = Client::open(config, keys).await.unwrap();
        client.pair(&PairingOffer::parse(invitation.code()).unwrap()).await.unwrap();
        assert!(client.wait_synced(20_000).await.unwrap());
        // It has to know the hub's rhythm first.
        let heard = client.status().await.unwrap().position;
        wait_for(&client, |event, status| event.is_none() && status.position >= heard + 4).await;
        deceived.relay.tell(Lie::WithholdEntries);
        let withheld = |event: &Event| matches!(event, Event::TrustAlert(TrustAlert::Withheld { .. }));
        wait_for(&client, |event, _| event.is_some_and(withheld)).await;
        assert!(deceived.relay.told() > 0);
        client.shut_down().await.unwrap();
    });
}

/// Takes events until one, or the state when there is none, is as `wanted`.
async fn wait_for(client: &Client, wanted: impl Fn(Option<&Event>, &Status) -> bool) {
    let until = Instant::now() + SOON * 3;
    loop {
        let event = client.next_event(500).await.unwrap();
        let status = client.status().await.unwrap();
        if wanted(event.as_ref(), &status) {
            return;
        }
        assert!(Instant::now() < until, "waited in vain; {status:?}");
    }
}

#[test]
fn lies_about_clips_are_refused_and_the_truth_is_taken() {
    let deceived = deceived();
    let house = &deceived.house;
    let phone = house.pair("phone").unwrap();
    for lie in [Lie::FlipSegment, Lie::CutSegment, Lie::SwapSegment, Lie::ExtendSegment, Lie::WithholdSegment] {
        let known = phone.clips(None).unwrap().len();
        let clips = house.wait_for_clips(&phone, None, known + 1);
        deceived.relay.tell(lie);
        let id = clips[0]["id"].as_str().unwrap();
        let film = house.folder().join("never.mp4");
        let said = phone.says(&["clip", id, "--out", film.to_str().unwrap()]).unwrap();
        assert!(deceived.relay.told() > 0, "{lie:?}");
        let wanted: &[i32] = if lie == Lie::WithholdSegment { &[5, 6, 7] } else { &[5, 6] };
        assert!(wanted.contains(&said.code), "{lie:?}: {said:?}");
        assert!(!film.exists(), "{lie:?} left a film");
        assert!(!said.err.trim().is_empty(), "{lie:?} was not named");
        eprintln!("{lie:?}: {}", said.err.trim());
        // Told the truth, the phone takes it: a lie costs time, not the clip.
        deceived.relay.tell(Lie::None);
        let (_, film) = house.fetch(&phone, &clips[0]);
        assert!(film::numbers(&film).unwrap().breaks.is_empty());
    }
}

#[test]
fn lies_about_live_pictures_show_as_broken_or_missing_and_never_as_pictures() {
    let deceived = deceived();
    let house = &deceived.house;
    let phone = house.pair("phone").unwrap();
    house.wait_for_camera("garden", "the camera's being online", |camera| camera["online"] == true);
    for lie in [Lie::FlipLive, Lie::ReplayLive, Lie::DropLive] {
        let film = house.folder().join(format!("{lie:?}.mp4"));
        let words = ["live", "garden", "--seconds", "8", "--out", film.to_str().unwrap()];
        deceived.relay.tell(lie);
        let said = phone.says_within(&words, SOON).unwrap();
        assert!(deceived.relay.told() > 0, "{lie:?}");
        let noticed = |line: &Value| line["trust"] == "broken" || line["kind"] == "gap";
        let summary = said.lines.iter().find(|line| line["kind"] == "summary");
        let starved = summary.is_some_and(|summary| summary["segments_verified"] == 0) || said.code != 0;
        assert!(said.lines.iter().any(noticed) || starved, "{lie:?} was not noticed: {said:?}");
        // What got into the film is true: every picture follows the one before it, or a gap was told.
        if film.exists() && std::fs::metadata(&film).unwrap().len() > 0 {
            let shown = film::numbers(&film);
            let gaps = said.lines.iter().filter(|line| noticed(line)).count();
            assert!(shown.is_err() || shown.is_ok_and(|n| n.unreadable == 0 && n.breaks.len() <= gaps), "{lie:?}");
        }
        deceived.relay.tell(Lie::None);
    }
    let (summary, _) = privet_tests::live(&phone, "garden", 3, &house.folder().join("truth.mp4"));
    assert_eq!(summary["segments_broken"], 0, "{summary}");
}
