//! Becoming a member, and every way in which it can fail.

use privet_app_core::{Client, CoreError, Event, PairingFailure, PairingOffer};
use privet_home::{Offer, PhoneMessage};

use crate::common::{self, Home, PATIENCE, keys, until};

fn failure(error: CoreError) -> PairingFailure {
    match error {
        CoreError::Pairing(failure) => failure,
        other => panic!("not a failure of pairing: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_pairs_lists_and_comes_back() {
    let home = Home::start().await;
    let phone = home.open("phone").await;
    assert_eq!(phone.cameras().await.unwrap_err(), CoreError::NotPaired);
    let offer = PairingOffer::parse(&home.hub.invite().await.qr_text).unwrap();
    phone.pair(&offer).await.unwrap();

    let cameras = until("the camera", async || phone.cameras().await.ok().filter(|c| !c.is_empty())).await;
    assert_eq!(cameras[0].name, "Door");
    assert_eq!(cameras[0].signer, home.hub.camera.lock().unwrap().evidence.public().unwrap().fingerprint());
    assert_eq!(phone.trust_roots(&cameras[0].id).unwrap().len(), 1);
    let devices = phone.devices().await.unwrap();
    assert!(devices.len() == 1 && devices[0].this_device && devices[0].name == "phone");
    let number = home.hub.home().safety_number(devices[0].id.parse().unwrap()).unwrap();
    assert_eq!(phone.safety_number().await.unwrap(), number.to_string());

    // A second phone: the first is told.
    let other = home.phone("other").await;
    until("two members", async || phone.devices().await.ok().filter(|d| d.len() == 2)).await;
    until("the news", async || match phone.next_event(100).await.unwrap() {
        Some(Event::DevicesChanged { what }) if what.contains("other") => Some(()),
        _ => None,
    })
    .await;
    other.shut_down().await.unwrap();

    // The same phone, started anew, needs no pairing and no hub.
    phone.shut_down().await.unwrap();
    assert_eq!(phone.cameras().await.unwrap_err(), CoreError::Stopped);
    let phone = home.open("phone").await;
    assert_eq!(phone.cameras().await.unwrap().len(), 1);
    assert!(phone.wait_synced(30_000).await.unwrap());
    let again = PairingOffer::parse(&home.hub.invite().await.qr_text).unwrap();
    assert!(matches!(failure(phone.pair(&again).await.unwrap_err()), PairingFailure::AlreadyPaired { .. }));
    assert_eq!(phone.status().await.unwrap().alerts, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_pairing_has_its_name() {
    let home = Home::start().await;
    let parse = |text: &str| failure(PairingOffer::parse(text).unwrap_err());
    assert_eq!(parse("https://example.org"), PairingFailure::NotPrivet);
    let invitation = home.hub.invite().await;
    let mut damaged = invitation.qr_text.clone();
    damaged.truncate(damaged.len() - 3);
    assert!(matches!(parse(&damaged), PairingFailure::Damaged { .. }));

    // Used by someone else.
    let _first = home.phone("first").await;
    let used = home.hub.invite().await;
    home.hub.close(&used).await;
    let second = home.open("second").await;
    let offer = PairingOffer::parse(&used.qr_text).unwrap();
    assert_eq!(failure(second.pair(&offer).await.unwrap_err()), PairingFailure::Used);

    // A relay with another key.
    let stranger = common::start_relay(&home.dir.path().join("stranger")).await;
    let mut address = home.hub.address.clone();
    address.port = stranger.address().port();
    let qr = home.hub.home().invite(&address, PATIENCE, common::hub::env()).unwrap().qr_text;
    let offer = PairingOffer::parse(&qr).unwrap();
    assert!(matches!(failure(second.pair(&offer).await.unwrap_err()), PairingFailure::OtherRelay { .. }));

    // No relay at all.
    address.port = {
        let port = stranger.address().port();
        stranger.shutdown().await;
        port
    };
    let qr = home.hub.home().invite(&address, PATIENCE, common::hub::env()).unwrap().qr_text;
    let offer = PairingOffer::parse(&qr).unwrap();
    assert!(matches!(failure(second.pair(&offer).await.unwrap_err()), PairingFailure::RelayUnreachable { .. }));

    // An expired code.
    let expired = home.hub.home().invite(&home.hub.address, std::time::Duration::ZERO, common::hub::env()).unwrap();
    assert!(Offer::parse(&expired.qr_text, common::camera::now()).is_err());
    assert!(matches!(parse(&expired.qr_text), PairingFailure::Expired { .. }));

    // After all that, the phone can still pair.
    let offer = PairingOffer::parse(&invitation.qr_text).unwrap();
    second.pair(&offer).await.unwrap();
    assert_eq!(home.hub.said.lock().await.recv().await.unwrap().1, PhoneMessage::Paired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_leaves_nothing_locked() {
    let home = Home::start().await;
    let phone = home.open("phone").await;
    let offer = PairingOffer::parse(&home.hub.invite().await.qr_text).unwrap();
    {
        let pairing = phone.pair(&offer);
        tokio::pin!(pairing);
        assert!(futures_once(&mut pairing).await.is_none(), "it can't be done at the first poll");
    }
    until("the pairing to end by itself", async || phone.devices().await.ok()).await;
    phone.shut_down().await.unwrap();
}

/// Polls once.
async fn futures_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(out) => std::task::Poll::Ready(Some(out)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_one_processs_and_its_values_are_sealed() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let second = Client::open(home.config("phone"), keys(home.dir.path(), "phone")).await;
    assert_eq!(second.err().unwrap(), CoreError::Busy);
    phone.shut_down().await.unwrap();

    // Another key does not open it; the right one does.
    let wrong = Client::open(home.config("phone"), keys(home.dir.path(), "wrong")).await;
    assert!(matches!(wrong.err().unwrap(), CoreError::KeyLost { .. }));
    let phone = home.open("phone").await;
    assert_eq!(phone.devices().await.unwrap().len(), 1);
    phone.shut_down().await.unwrap();

    // Nothing readable lies on the disk.
    let mut stack = vec![home.dir.path().join("phone")];
    let mut looked_at = 0;
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked_at += bytes.len();
        for secret in [&b"Test house"[..], b"Door", b"avc1.64001f"] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{} holds plaintext", path.display());
        }
    }
    assert!(looked_at > 0);
}
