//! A phone's notifications: its key, what comes over the connection, each once, and where the relay is to wake it.

use std::sync::Arc;

use privet_app_core::{
    Client, CoreError, Event, EventListener, Notification, PushTarget, TrustAlert, open_notification,
};
use privet_home::{Happening, HomeEvent, PushSetup};
use privet_notice::{Notice, NotificationKey, seal};
use privet_protocol::id::EventId;
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::relay::{Rights, Urgency};
use privet_protocol::time::Timestamp;

use crate::common::camera::now;
use crate::common::{Home, until};

fn event(free_mib: u64, at: Timestamp) -> HomeEvent {
    let what = Happening::DiskNearlyFull { free_mib };
    HomeEvent { id: EventId::generate(&SystemRandom), at, camera: None, what, clip: None, zones: Vec::new() }
}

fn sealed(home: &Home, key: &PushSetup, event: &HomeEvent) -> Vec<u8> {
    sealed_at(home, key, event, now())
}

fn sealed_at(home: &Home, key: &PushSetup, event: &HomeEvent, sealed_at: Timestamp) -> Vec<u8> {
    let (name, camera) = ("Home".to_owned(), String::new());
    let notice = Notice { event: event.clone(), home: name, camera, counter: 1, sealed_at, late: false, picture: None };
    let key = NotificationKey::from_bytes(&key.notification_key).unwrap();
    seal(&notice, &key, |message| home.hub.home().sign_notice(message)).unwrap()
}

/// As the hub does it, for the only phone there is.
async fn wake(home: &Home, payload: Vec<u8>) {
    let [phone] = home.hub.home().capabilities()[..] else { panic!("one phone") };
    let mut id = [0; 16];
    SystemRandom.fill(&mut id);
    let until = Timestamp(now().0 + 3_600_000);
    home.hub.connection().wake(phone, id, payload, Urgency::High, until).await.unwrap();
}

async fn notified(phone: &Client) -> Notification {
    let next = async || match phone.next_event(100).await.unwrap() {
        Some(Event::Notification(notification)) => Some(*notification),
        _ => None,
    };
    until("a notification", next).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_is_told_the_key_that_opens_its_notifications() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let keys = phone.notification_keys().await.unwrap();
    let (device, setup) = home.hub.heard_key().await;
    assert!(phone.devices().await.unwrap().iter().any(|d| d.this_device && d.id == device.to_string()));
    let at = Timestamp(1_795_000_000_000);
    let sealed = sealed(&home, &setup, &event(12, at));

    // The same keys after a restart, and nothing but them is needed.
    assert_eq!(phone.notification_keys().await.unwrap(), keys);
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    assert_eq!(phone.notification_keys().await.unwrap(), keys);
    phone.shut_down().await.unwrap();
    drop(home);
    let opened = open_notification(&keys, &sealed, at.0).unwrap();
    assert_eq!(opened.text, "the hub's disk is nearly full: 12 MiB are left");
    assert_eq!((opened.severity.as_str(), opened.late), ("warning", false));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_come_over_the_connection_each_once() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    // Nobody asked for the key.
    let (_, key) = home.hub.heard_key().await;
    let (first, second) = (event(1, now()), event(2, now()));
    for told in [&first, &first, &second] {
        wake(&home, sealed(&home, &key, told)).await;
    }
    assert_eq!(notified(&phone).await.body, "1 MiB are left");
    assert_eq!(notified(&phone).await.body, "2 MiB are left");
    // Through a push service as well, into the app or its extension.
    assert_eq!(phone.take_notification(sealed(&home, &key, &first)).await.unwrap(), None);
    let (third, fourth) = (event(3, now()), event(4, now()));
    let taken = phone.take_notification(sealed(&home, &key, &third)).await.unwrap().unwrap();
    assert_eq!((taken.event_id.clone(), taken.late), (third.id.to_string(), false));
    assert_eq!(notified(&phone).await, taken);
    phone.notification_shown(&fourth.id.to_string()).await.unwrap();
    phone.shut_down().await.unwrap();

    let fifth = event(5, Timestamp(now().0 - 3_600_000));
    for told in [&first, &third, &fourth, &fifth] {
        wake(&home, sealed(&home, &key, told)).await;
    }
    let phone = home.open("ann").await;
    let late = notified(&phone).await;
    assert_eq!((late.event_id.as_str(), late.late), (fifth.id.to_string().as_str(), true));
    assert!(matches!(phone.notification_shown("x").await, Err(CoreError::Invalid { .. })));
    assert!(matches!(phone.take_notification(b"x".to_vec()).await, Err(CoreError::Invalid { .. })));
    assert_eq!(phone.status().await.unwrap().notifications, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_wait_until_somebody_listens() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (_, key) = home.hub.heard_key().await;
    let told = event(1, now());
    wake(&home, sealed(&home, &key, &told)).await;
    phone.shut_down().await.unwrap();
    // A command that only asks for something.
    let phone = home.open("ann").await;
    assert!(phone.wait_synced(30_000).await.unwrap());
    assert_eq!(phone.push_info().await.unwrap().target, None);
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    assert_eq!(notified(&phone).await.event_id, told.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_makes_up_is_an_alert_and_holds_nothing_up() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (_, key) = home.hub.heard_key().await;
    let told = event(1, now());
    let mut changed = sealed(&home, &key, &told);
    *changed.last_mut().unwrap() ^= 1;
    // Of those that come within a minute one is told.
    for payload in [changed, b"\x01hello".to_vec(), sealed(&home, &key, &told)] {
        wake(&home, payload).await;
    }
    assert_eq!(notified(&phone).await.event_id, told.id.to_string());
    let alerts = phone.status().await.unwrap().alerts;
    let [(_, TrustAlert::ForgedNotice { why })] = &alerts[..] else { panic!("{alerts:?}") };
    assert!(why.contains("changed on the way"), "{why}");
    assert_eq!(phone.status().await.unwrap().notifications, None);
    // What a later hub makes is none: this app is to be updated.
    wake(&home, b"\x02later".to_vec()).await;
    until("the note", async || phone.status().await.unwrap().notifications.filter(|why| why.contains("update it")))
        .await;
    assert_eq!(phone.status().await.unwrap().alerts, alerts);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_brings_on_another_day_disturbs_nobody() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (_, key) = home.hub.heard_key().await;
    let (old, told) = (event(1, now()), event(2, now()));
    let made = Timestamp(now().0 - 26 * 3_600_000);
    let old = sealed_at(&home, &key, &old, made);
    wake(&home, old.clone()).await;
    wake(&home, sealed(&home, &key, &told)).await;
    assert_eq!(notified(&phone).await.event_id, told.id.to_string());
    let alerts = phone.status().await.unwrap().alerts;
    assert!(matches!(alerts[..], [(_, TrustAlert::StaleNotice { by_s: 93_600.. })]), "{alerts:?}");
    assert_eq!(phone.take_notification(old.clone()).await.unwrap(), None);
    assert!(open_notification(&phone.notification_keys().await.unwrap(), &old, now().0).unwrap().stale);
}

/// Says what it is called for, and returns when it may.
struct Slow {
    called: std::sync::mpsc::Sender<Event>,
    may_return: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl EventListener for Slow {
    fn on_event(&self, event: Event) {
        if matches!(event, Event::Notification(_)) {
            self.called.send(event).unwrap();
            let _ = self.may_return.lock().unwrap().recv();
        }
    }
}

fn slow() -> (Arc<Slow>, std::sync::mpsc::Receiver<Event>, std::sync::mpsc::Sender<()>) {
    let (called, calls) = std::sync::mpsc::channel();
    let (release, may_return) = std::sync::mpsc::channel();
    (Arc::new(Slow { called, may_return: may_return.into() }), calls, release)
}

async fn called(calls: &std::sync::mpsc::Receiver<Event>) -> String {
    match until("a call", async || calls.try_recv().ok()).await {
        Event::Notification(notification) => notification.event_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_nobody_took_comes_again() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let (_, key) = home.hub.heard_key().await;
    let (first, second, third) = (event(1, now()), event(2, now()), event(3, now()));
    let (listener, calls, release) = slow();
    phone.set_listener(Some(listener));
    wake(&home, sealed(&home, &key, &first)).await;
    assert_eq!(called(&calls).await, first.id.to_string());
    // The process ends while the host looks at it.
    phone.shut_down().await.unwrap();
    drop(phone);
    let phone = home.open("ann").await;
    let (listener, calls, release_first) = slow();
    phone.set_listener(Some(listener));
    assert_eq!(called(&calls).await, first.id.to_string());
    drop((release, release_first));
    // The next one comes when it is noted that the first was taken.
    wake(&home, sealed(&home, &key, &second)).await;
    assert_eq!(called(&calls).await, second.id.to_string());

    // With nobody to take them they are left to the relay, for whoever listens next.
    phone.set_listener(None);
    wake(&home, sealed(&home, &key, &third)).await;
    assert!(phone.wait_synced(30_000).await.unwrap());
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    let (listener, calls, release) = slow();
    drop(release);
    phone.set_listener(Some(listener));
    let mut come = called(&calls).await;
    if come == second.id.to_string() {
        // The listener was taken back while it had this one.
        come = called(&calls).await;
    }
    assert_eq!(come, third.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_the_relay_has_no_gateway_for_is_refused_in_words_and_the_connection_brings_all() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let wrong = PushTarget::Fcm { token: String::new() };
    assert!(matches!(phone.register_push(wrong).await, Err(CoreError::Invalid { .. })));
    assert_eq!(phone.push_info().await.unwrap().target, None);
    let error = phone.register_push(PushTarget::Fcm { token: "token".into() }).await.unwrap_err();
    assert!(matches!(&error, CoreError::Network { reason, .. } if reason.contains("no gateway")), "{error}");
    let (_, key) = home.hub.heard_key().await;
    phone.shut_down().await.unwrap();
    // It is offered again, and refused again.
    let phone = home.open("ann").await;
    until("the note", async || phone.status().await.unwrap().notifications.filter(|why| why.contains("no gateway")))
        .await;
    let info = phone.push_info().await.unwrap();
    assert_eq!((info.target.as_deref(), info.registered), (Some("fcm"), false));
    let told = event(1, now());
    wake(&home, sealed(&home, &key, &told)).await;
    assert_eq!(notified(&phone).await.event_id, told.id.to_string());
    phone.unregister_push().await.unwrap();
    assert_eq!(phone.push_info().await.unwrap().target, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_to_wake_is_told_of_and_everything_else_works() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    // Everything but that, as with a relay that does not know it yet.
    let [key] = home.hub.home().capabilities()[..] else { panic!("one phone") };
    let all_but = Rights { log_upto: Some(u64::MAX), ..Rights::PHONE };
    home.hub.connection().grant(key, all_but).await.unwrap();
    until("the note", async || {
        phone.network_changed();
        phone.status().await.unwrap().notifications.filter(|why| why.contains("the relay brings no notifications"))
    })
    .await;
    let target = PushTarget::Fcm { token: "token".into() };
    until("a clear refusal", async || match phone.register_push(target.clone()).await.unwrap_err() {
        CoreError::Network { reason, .. } => reason.contains("the relay brings no notifications").then_some(()),
        other => panic!("{other}"),
    })
    .await;
    home.hub.clip(1, |_, _| {}).await;
    let clip = until("a clip", async || {
        phone.clips(None, 0, i64::MAX, None, 9).await.unwrap().clips.pop().filter(|clip| clip.finished)
    })
    .await;
    assert!(phone.open_clip(&clip.id).await.unwrap().verify().await.unwrap().ok);
    phone.set_profile(privet_app_core::Profile::Away).await.unwrap();

    // The relay is updated: the target that was kept is offered to it.
    home.hub.connection().grant(key, Rights::PHONE).await.unwrap();
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    until("the offer", async || phone.status().await.unwrap().notifications.filter(|why| why.contains("no gateway")))
        .await;
    assert_eq!(phone.push_info().await.unwrap().target.as_deref(), Some("fcm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_registered_and_one_that_the_relay_can_t_take_now_is_offered_again() {
    let web_push = privet_relay::config::WebPushFiles {
        vapid_key: None,
        subject: "mailto:ops@relay.example".into(),
        allow_private: false,
    };
    let home = Home::with_relay(|config| config.push.web_push = Some(web_push)).await;
    let phone = home.phone("ann").await;
    let target = |number: u32| PushTarget::WebPush {
        endpoint: format!("https://push.example/up/{number}"),
        p256dh: [[4].as_slice(), &[7; 64]].concat(),
        auth: vec![6; 16],
    };
    let info = phone.push_info().await.unwrap();
    assert_eq!((info.vapid.map(|key| key.len()), info.target, info.registered), (Some(65), None, false));
    phone.register_push(target(0)).await.unwrap();
    let registered = async || {
        let info = phone.push_info().await.unwrap();
        assert_eq!(info.target.as_deref(), Some("web_push"));
        info.registered.then_some(())
    };
    assert_eq!(registered().await, Some(()));

    // An app that says another one with every breath is told to wait, and need not ask again itself.
    let mut refused = None;
    for number in 1..100 {
        if let Err(error) = phone.register_push(target(number)).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("the relay's limit");
    assert!(matches!(&refused, CoreError::Network { reason, .. } if reason.contains("more slowly")), "{refused}");
    until("the target is registered", registered).await;
    until("no note", async || phone.status().await.unwrap().notifications.is_none().then_some(())).await;
    phone.unregister_push().await.ok();
    assert_eq!(phone.push_info().await.unwrap().target, None);
}
