//! A phone's notification key: made once, told to the hub in the group, and enough for an extension to open what is sealed to it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Home;
use privet_app_core::open_notification;
use privet_home::{Happening, HomeEvent};
use privet_notice::{Notice, NotificationKey, seal};
use privet_protocol::id::EventId;
use privet_protocol::time::Timestamp;

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_is_told_the_key_that_opens_its_notifications() {
    let home = Home::start().await;
    let phone = home.phone("ann").await;
    let keys = phone.notification_keys().await.unwrap();
    let (device, setup) = home.hub.heard_key().await;
    assert!(phone.devices().await.unwrap().iter().any(|d| d.this_device && d.id == device.to_string()));

    let at = Timestamp(1_795_000_000_000);
    let what = Happening::DiskNearlyFull { free_mib: 12 };
    let event = HomeEvent { id: EventId::from_bytes([1; 16]), at, camera: None, what, clip: None, zones: Vec::new() };
    let (name, camera) = ("Home".to_owned(), String::new());
    let notice = Notice { event, home: name, camera, counter: 1, sealed_at: at, late: false, picture: None };
    let key = NotificationKey::from_bytes(&setup.notification_key).unwrap();
    let sealed = seal(&notice, &key, |message| home.hub.home().sign_notice(message)).unwrap();

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
