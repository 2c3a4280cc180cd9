//! A phone's notifications: its key, what comes over the connection, each once, and where the relay is to wake it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::camera::now;
use common::{Home, until};
use privet_app_core::{Client, CoreError, Event, Notification, PushTarget, TrustAlert, open_notification};
use privet_home::{Happening, HomeEvent, PushSetup};
use privet_notice::{Notice, NotificationKey, seal};
use privet_protocol::id::EventId;
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::relay::{Rights, Urgency};
use privet_protocol::time::Timestamp;

fn event(free_mib: u64, at: Timestamp) -> HomeEvent {
    let what = Happening::DiskNearlyFull { free_mib };
    HomeEvent { id: EventId::generate(&SystemRandom), at, camera: None, what, clip: None, zones: Vec::new() }
}

fn sealed(home: &Home, key: &PushSetup, event: &HomeEvent) -> Vec<u8> {
    let (name, camera) = ("Home".to_owned(), String::new());
    let notice =
        Notice { event: event.clone(), home: name, camera, counter: 1, sealed_at: now(), late: false, picture: None };
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
    for payload in [b"hello".to_vec(), changed, sealed(&home, &key, &told)] {
        wake(&home, payload).await;
    }
    assert_eq!(notified(&phone).await.event_id, told.id.to_string());
    let alerts = phone.status().await.unwrap().alerts;
    let [(_, TrustAlert::ForgedNotice { why })] = &alerts[..] else { panic!("{alerts:?}") };
    assert!(why.contains("changed on the way"), "{why}");
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
