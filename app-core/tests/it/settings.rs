//! What a phone's owner wants to be disturbed for: asked for here, kept by the hub, and said back in the log.

use privet_app_core::{CameraSettings, CoreError, Event, Profile, QuietHours, Settings};
use privet_home::{PhoneMessage, Wishes};

use crate::common::camera::now;
use crate::common::{Home, until};

async fn with_camera(home: &Home, name: &str) -> (privet_app_core::Client, String) {
    let phone = home.phone(name).await;
    let camera = until("the camera", async || phone.cameras().await.unwrap().pop()).await;
    (phone, camera.id)
}

async fn wishes(home: &Home) -> Wishes {
    let (_, PhoneMessage::SetWishes(wishes)) = home.hub.heard().await else { panic!("another message") };
    wishes
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_confirmed_by_the_hub_and_stay() {
    let home = Home::start().await;
    let (phone, camera) = with_camera(&home, "ann").await;
    let state = phone.settings().await.unwrap();
    assert!(!state.known && state.pending.is_none());
    assert_eq!(state.kept.cameras, [CameraSettings::default_for(&camera)]);

    let mut settings = state.kept;
    settings.cameras[0].cooldown_s = 300;
    settings.cameras[0].zones = vec!["path".into()];
    settings.quiet = vec![QuietHours { days: 127, from_min: 22 * 60, to_min: 6 * 60 }];
    settings.time_zone = "Europe/Berlin".into();
    settings.away_only = true;
    phone.set_settings(settings.clone()).await.unwrap();
    let said = wishes(&home).await;
    assert_eq!((said.time_zone.as_str(), said.away_only, said.profile), ("Europe/Berlin", true, None));
    until("the news", async || phone.next_event(100).await.unwrap().filter(|e| *e == Event::WishesChanged)).await;
    let state = phone.settings().await.unwrap();
    settings.profile = Some(Profile::Home);
    assert_eq!((state.known, state.pending, &state.kept), (true, None, &settings));

    // What is as it should be is not said again; a profile that was only read is not either.
    phone.set_settings(settings.clone()).await.unwrap();
    phone.set_profile(Profile::Away).await.unwrap();
    assert_eq!(wishes(&home).await.profile, Some(Profile::Away));
    let until_ms = now().0 + 3_600_000;
    phone.snooze(Some(&camera), Some(until_ms)).await.unwrap();
    let said = wishes(&home).await;
    assert_eq!((said.profile, said.quiet.len(), said.away_only), (None, 1, true), "the rest stays");
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    let kept = phone.settings().await.unwrap().kept;
    assert_eq!((kept.profile, kept.cameras[0].snooze_until_ms), (Some(Profile::Away), Some(until_ms)));
    assert_eq!(kept.cameras[0].cooldown_s, 300);
    phone.snooze(None, None).await.unwrap();
    assert_eq!(phone.settings().await.unwrap().kept.cameras[0].snooze_until_ms, None);
    phone.set_settings(Settings::default()).await.unwrap();
    assert_eq!(phone.settings().await.unwrap().kept.cameras, [CameraSettings::default_for(&camera)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_phone_has_its_own_settings_and_the_profile_is_the_homes() {
    let home = Home::start().await;
    let ((ann, camera), (ben, _)) = (with_camera(&home, "ann").await, with_camera(&home, "ben").await);
    ann.snooze(Some(&camera), Some(now().0 + 60_000)).await.unwrap();
    ben.set_profile(Profile::Away).await.unwrap();
    until("the profile at the other phone", async || {
        (ann.settings().await.unwrap().kept.profile == Some(Profile::Away)).then_some(())
    })
    .await;
    assert!(ann.settings().await.unwrap().kept.cameras[0].snooze_until_ms.is_some());
    assert!(ben.settings().await.unwrap().kept.cameras[0].snooze_until_ms.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_impossible_is_refused_before_anything_is_sent() {
    let home = Home::start().await;
    let (phone, camera) = with_camera(&home, "ann").await;
    let refused = async |settings: Settings| match phone.set_settings(settings).await.unwrap_err() {
        CoreError::Invalid { reason } => reason,
        other => panic!("{other}"),
    };
    let zone = Settings { time_zone: "Mars/Olympus".into(), ..Settings::default() };
    assert!(refused(zone).await.starts_with("time_zone: 'Mars/Olympus'"));
    let long = CameraSettings { cooldown_s: 100_000, ..CameraSettings::default_for(&camera) };
    assert!(refused(Settings { cameras: vec![long], ..Settings::default() }).await.starts_with("camera 'Door': "));
    for until_ms in [0, now().0 - 1, i64::MAX] {
        assert!(matches!(phone.snooze(None, Some(until_ms)).await, Err(CoreError::Invalid { .. })), "{until_ms}");
    }
    let nobody = "00000000000000000000000000000000";
    assert!(matches!(phone.snooze(Some(nobody), None).await, Err(CoreError::NotFound { .. })));
    // The first that the hub hears is what was possible.
    phone.set_profile(Profile::Away).await.unwrap();
    assert_eq!(wishes(&home).await, Wishes { profile: Some(Profile::Away), ..Wishes::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_hub_does_not_answer_is_pending_and_takes_effect_when_it_is_back() {
    let home = Home::start().await;
    let (phone, camera) = with_camera(&home, "ann").await;
    home.hub.obeys(false);
    let until_ms = now().0 + 3_600_000;
    let error = phone.snooze(Some(&camera), Some(until_ms)).await.unwrap_err();
    assert!(matches!(error, CoreError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("sent; takes effect when the hub is back"), "{error}");
    phone.shut_down().await.unwrap();
    let phone = home.open("ann").await;
    let state = phone.settings().await.unwrap();
    assert_eq!(state.kept.cameras[0].snooze_until_ms, None);
    assert_eq!(state.pending.unwrap().cameras[0].snooze_until_ms, Some(until_ms));
    // The hub is back: the next change holds the one before.
    home.hub.obeys(true);
    phone.set_profile(Profile::Away).await.unwrap();
    let state = phone.settings().await.unwrap();
    assert_eq!((state.pending, state.kept.cameras[0].snooze_until_ms), (None, Some(until_ms)));
}
