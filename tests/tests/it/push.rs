//! Somebody walks through the garden while the phone sleeps: a real relay brings it to a push gateway that speaks the real
//! protocol, and what the gateway gets is opened as a notification extension does it, with two keys and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use privet_app_core::{Client, Config, FileKeys, Notification, NotificationKeys, PushTarget, open_notification};
use privet_demo::house::{Phone, Plan};
use privet_demo::process::until;
use privet_tests::clock::Clock;
use privet_tests::{House, SOON};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::gateway::{Reply, Seen, Server as Gateway, service_account, status};

/// FCM.
#[derive(Default)]
struct Fcm {
    /// It takes nothing.
    away: AtomicBool,
    /// What the clock of the house shows beyond the real time.
    ahead_ms: AtomicI64,
    /// What came, when, and whether it was taken.
    came: Mutex<Vec<(Value, i64, bool)>>,
}

impl Fcm {
    fn answer(&self, seen: &Seen) -> Reply {
        if seen.path == "/token" {
            return status(200, r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#);
        }
        let taken = !self.away.load(Ordering::SeqCst);
        self.came.lock().unwrap().push((seen.json(), self.now_ms(), taken));
        if taken { status(200, r#"{"name":"projects/test-project/messages/0:1"}"#) } else { status(503, "") }
    }

    fn now_ms(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        i64::try_from(real).unwrap() + self.ahead_ms.load(Ordering::SeqCst)
    }

    /// What came for this phone, taken or not, opened as it came.
    fn opened(&self, sleeper: &Sleeper, taken: bool) -> Vec<Notification> {
        let came = self.came.lock().unwrap();
        let its = came.iter().filter(|(json, _, was)| json["message"]["token"] == *sleeper.token && *was == taken);
        let open = |(json, now_ms, _): &(Value, i64, bool)| {
            let payload = BASE64.decode(json["message"]["data"]["b"].as_str().unwrap().as_bytes()).unwrap();
            open_notification(&sleeper.keys, &payload, *now_ms).unwrap()
        };
        its.map(open).collect()
    }
}

/// A phone that sleeps: what FCM and its notification extension know of it.
struct Sleeper {
    token: String,
    keys: NotificationKeys,
}

/// The relay's settings for this gateway.
fn tables(folder: &Path, gateway: &Gateway) -> String {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = file("authority.pem", &gateway.authority_pem);
    let account = file("account.json", &service_account(gateway).0);
    let url = gateway.url("");
    format!("[push]\nauthorities = {authority:?}\n[push.fcm]\nservice_account = {account:?}\nendpoint = {url:?}\n")
}

/// Registers the phone for pushes and lets it sleep.
async fn put_to_sleep(phone: &Phone) -> Sleeper {
    let config = Config {
        storage_dir: phone.folder().join("data").to_string_lossy().into_owned(),
        device_name: phone.name().to_owned(),
        cache_limit_mib: 64,
        app_version: "test".into(),
    };
    let client = Client::open(config, Arc::new(FileKeys::new(phone.folder().join("wrap.key")))).await.unwrap();
    assert!(client.wait_synced(20_000).await.unwrap());
    let token = format!("token-of-{}", phone.name());
    client.register_push(PushTarget::Fcm { token: token.clone() }).await.unwrap();
    let keys = client.notification_keys().await.unwrap();
    client.shut_down().await.unwrap();
    Sleeper { token, keys }
}

fn ids(notifications: &[Notification]) -> BTreeSet<String> {
    notifications.iter().map(|notification| notification.event_id.clone()).collect()
}

#[test]
fn after_an_hour_without_the_gateway_everything_comes_once_and_is_said_to_be_late() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let fcm = Arc::new(Fcm::default());
    let answers = fcm.clone();
    let gateway = runtime.block_on(Gateway::start(&["h2", "http/1.1"], move |seen| answers.answer(seen)));
    // The clock leaps; the relay says so when it sweeps, and goes on by the time that passes.
    let relay_tables = tables(folder.path(), &gateway);
    let mut house = House::new(Plan { relay_tables, relay_limits: "sweep_s = 1\n".into(), ..Plan::default() });
    let words = ["--sub", "320x180", "--say-crossings", "--moving", "2", "--quiet", "6", "--every", "10"];
    house.add_garden("garden", &words);
    let mut clock = Clock::new(house.folder());
    house.relay_environment = clock.environment();
    house.hub_environment = clock.environment();
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    let sleepers = ["anna", "ben"].map(|name| {
        let phone = house.pair(name).unwrap();
        let said = phone.says(&["settings", "set", "--camera", "all", "cooldown=0"]).unwrap().first().unwrap();
        assert!(said["pending"].is_null(), "the hub did not confirm: {said}");
        runtime.block_on(put_to_sleep(&phone))
    });
    let all = |taken: bool| sleepers.each_ref().map(|sleeper| fcm.opened(sleeper, taken));

    let in_time = |n: &Notification| n.kind == "motion" && n.camera == "garden" && n.picture.is_some() && !n.late;
    until("a notification for each phone", SOON * 2, || {
        all(true).iter().all(|taken| taken.iter().any(in_time)).then_some(())
    })
    .unwrap();

    fcm.away.store(true, Ordering::SeqCst);
    let before = fcm.now_ms();
    let later = |line: &Value| line["crossing_at_ms"].as_i64().is_some_and(|at| at > before + 20_000);
    house.camera(0).wait_for(SOON * 3, later).unwrap();
    until("each phone's notifications being refused", SOON * 2, || {
        all(false).iter().all(|refused| !refused.is_empty()).then_some(())
    })
    .unwrap();
    let leap = fcm.now_ms();
    clock.set(3_600);
    fcm.ahead_ms.store(3_600_000, Ordering::SeqCst);
    let after = fcm.now_ms();
    fcm.away.store(false, Ordering::SeqCst);

    let held_up = |n: &&Notification| (before..leap).contains(&n.at_ms);
    until("what was held up", SOON * 2, || {
        let (taken, refused) = (all(true), all(false));
        let both = taken.iter().zip(&refused);
        both.into_iter()
            .all(|(taken, refused)| taken.iter().filter(held_up).count() >= 2 && ids(taken).is_superset(&ids(refused)))
            .then_some(())
    })
    .unwrap();
    // One of the new hour comes last: by then nothing came twice.
    until("one of the new hour", SOON * 2, || {
        all(true).iter().all(|taken| taken.iter().any(|n| n.at_ms > after && !n.late)).then_some(())
    })
    .unwrap();
    for taken in all(true) {
        assert!(taken.iter().filter(held_up).all(|n| n.late && !n.stale), "{taken:?}");
        assert_eq!(ids(&taken).len(), taken.len(), "each once: {taken:?}");
    }
    drop(house);
    drop(gateway);
}
