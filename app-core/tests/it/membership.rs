//! Leaving and coming back: removal, a restored backup, a lying relay's log, a hub that is silent.

use std::path::Path;

use privet_app_core::{Client, CoreError, Event, LinkState, TrustAlert};
use privet_home::HubMessage;

use crate::common::{self, Home, until};

async fn wait_for(phone: &Client, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    until(what, async || phone.next_event(100).await.unwrap().filter(|event| wanted(event))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_phone_is_told_and_wiped_and_the_others_go_on() {
    let home = Home::start().await;
    let (lost, kept) = (home.phone("lost").await, home.phone("kept").await);
    home.hub.clip(1, |_, _| {}).await;
    let page = until("the clip", async || {
        let page = lost.clips(None, 0, i64::MAX, None, 10).await.unwrap();
        page.clips.first().is_some_and(|clip| clip.finished).then_some(page)
    })
    .await;
    lost.open_clip(&page.clips[0].id).await.unwrap().len().await.unwrap();
    assert!(lost.status().await.unwrap().cache_bytes > 0);

    let id = lost.devices().await.unwrap().iter().find(|d| d.this_device).unwrap().id.clone();
    kept.remove_device(&id).await.unwrap();
    assert!(kept.devices().await.unwrap().iter().all(|d| d.id != id));
    assert!(matches!(kept.remove_device(&id).await, Err(CoreError::NotFound { .. })));
    wait_for(&kept, "the news", |e| matches!(e, Event::DevicesChanged { what } if what.contains("removed"))).await;

    until("the end", async || lost.status().await.unwrap().removed.then_some(())).await;
    home.hub.clip(1, |_, _| {}).await;
    until("the new clip at the other phone", async || {
        (kept.clips(None, 0, i64::MAX, None, 10).await.unwrap().clips.len() == 2).then_some(())
    })
    .await;
    assert_eq!(lost.cameras().await.unwrap_err(), CoreError::Revoked);
    assert_eq!(lost.status().await.unwrap().cache_bytes, 0);
    lost.shut_down().await.unwrap();
    let lost = home.open("lost").await;
    assert_eq!(lost.clips(None, 0, i64::MAX, None, 10).await.unwrap_err(), CoreError::Revoked);
    assert!(lost.status().await.unwrap().removed);
    // It may come back by a new code.
    let offer = privet_app_core::PairingOffer::parse(&home.hub.invite().await.qr_text).unwrap();
    lost.pair(&offer).await.unwrap();
    assert!(!lost.status().await.unwrap().removed);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_stay_come_under_new_keys_and_miss_nothing() {
    let home = Home::start().await;
    let (lost, kept) = (home.phone("lost").await, home.phone("kept").await);
    let own = async |phone: &Client| phone.devices().await.unwrap().iter().find(|d| d.this_device).unwrap().id.clone();
    let (gone, stays) = (own(&lost).await.parse().unwrap(), own(&kept).await.parse().unwrap());
    let before = home.hub.home().capability_of(&stays).unwrap();
    home.hub.remove(gone).await;
    let after = until("the new key", async || {
        let hub = home.hub.home();
        let key = hub.capability_of(&stays).unwrap();
        (key != before && hub.left_behind().is_empty()).then_some(key)
    })
    .await;
    assert_eq!(home.hub.home().capabilities(), [after]);
    // The old one opens nothing any more; what is told now comes under the new one, also after a restart.
    home.hub.clip(1, |_, _| {}).await;
    let clips = async |phone: &Client, count: usize| {
        until("the clips", async || {
            let page = phone.clips(None, 0, i64::MAX, None, 10).await.unwrap();
            (page.clips.len() == count && page.clips.iter().all(|clip| clip.finished)).then_some(page)
        })
        .await
    };
    clips(&kept, 1).await;
    kept.shut_down().await.unwrap();
    let kept = home.open("kept").await;
    home.hub.clip(1, |_, _| {}).await;
    let page = clips(&kept, 2).await;
    kept.open_clip(&page.clips[0].id).await.unwrap().len().await.unwrap();
    assert_eq!(home.hub.home().capability_of(&stays), Some(after));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_removed_while_it_was_away_learns_it_from_the_group() {
    let home = Home::start().await;
    let (lost, kept) = (home.phone("lost").await, home.phone("kept").await);
    let own = async |phone: &Client| phone.devices().await.unwrap().iter().find(|d| d.this_device).unwrap().id.clone();
    let (id, other) = (own(&lost).await, own(&kept).await);
    until("the news of the other phone", async || {
        lost.devices().await.unwrap().iter().any(|d| d.id == other).then_some(())
    })
    .await;
    // What it has to say while it is kept out stays in its outbox.
    home.hub.lock_out().await;
    lost.network_changed();
    wait_for(&lost, "the refusal", |e| matches!(e, Event::Link { state: LinkState::Refused, .. })).await;
    let waiting = lost.status().await.unwrap().outbox;
    let wish = lost.remove_device(&other);
    assert!(tokio::time::timeout(std::time::Duration::ZERO, wish).await.is_err());
    until("its wish in the outbox", async || (lost.status().await.unwrap().outbox > waiting).then_some(())).await;
    lost.shut_down().await.unwrap();
    home.hub.remove(id.parse().unwrap()).await;
    home.hub.clip(1, |_, _| {}).await;

    // So it comes with something to say, which the relay does not take any more, and still hears the last that it may.
    let lost = home.open("lost").await;
    until("the removal", async || lost.status().await.unwrap().removed.then_some(())).await;
    assert_eq!(lost.clips(None, 0, i64::MAX, None, 10).await.unwrap_err(), CoreError::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_locks_a_phone_out_takes_nothing_from_it() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    home.hub.lock_out().await;
    phone.network_changed();
    wait_for(&phone, "the refusal", |e| matches!(e, Event::Link { state: LinkState::Refused, .. })).await;
    let status = phone.status().await.unwrap();
    assert!(status.paired && !status.removed, "only the group removes a phone: {status:?}");
    assert_eq!(phone.cameras().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_let_in_again() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    phone.shut_down().await.unwrap();
    copy(&home.dir.path().join("phone"), &home.dir.path().join("backup"));

    // Life goes on: keys are renewed, entries are read and acknowledged, and so gone.
    let phone = home.open("phone").await;
    assert!(phone.wait_synced(30_000).await.unwrap());
    for _ in 0..3 {
        let other = home.phone("guest").await;
        let id = other.devices().await.unwrap().iter().find(|d| d.this_device).unwrap().id.clone();
        home.hub.remove(id.parse().unwrap()).await;
        other.shut_down().await.unwrap();
        std::fs::remove_dir_all(home.dir.path().join("guest")).unwrap();
        std::fs::remove_file(home.dir.path().join("guest.key")).unwrap();
    }
    until("the phone to have everything", async || {
        (phone.status().await.unwrap().position == home.hub.home().head().seq).then_some(())
    })
    .await;
    phone.shut_down().await.unwrap();

    std::fs::remove_dir_all(home.dir.path().join("phone")).unwrap();
    copy(&home.dir.path().join("backup"), &home.dir.path().join("phone"));
    let phone = home.open("phone").await;
    wait_for(&phone, "the way back in", |event| *event == Event::Rejoined).await;
    home.hub.clip(1, |_, _| {}).await;
    until("a new clip", async || {
        let page = phone.clips(None, 0, i64::MAX, None, 10).await.unwrap();
        page.clips.first().filter(|clip| clip.finished).map(|clip| clip.id.clone())
    })
    .await;
    let status = phone.status().await.unwrap();
    assert!(status.paired && status.caught_up, "{status:?}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_away_catches_up_in_order() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    phone.shut_down().await.unwrap();
    for _ in 0..20 {
        home.hub.say(&[HubMessage::Heartbeat { every_s: 60 }]).await;
    }
    let guest = home.phone("guest").await;
    home.hub.clip(2, |_, _| {}).await;
    let phone = home.open("phone").await;
    assert!(phone.wait_synced(30_000).await.unwrap());
    let page = phone.clips(None, 0, i64::MAX, None, 10).await.unwrap();
    assert!(page.clips.len() == 1 && page.clips[0].finished);
    assert_eq!(phone.devices().await.unwrap().len(), 2);
    assert!(phone.status().await.unwrap().hub_seen_ms.is_some());
    assert_eq!(phone.status().await.unwrap().alerts, []);
    drop(guest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_gone_is_told_and_found_again() {
    let mut home = Home::start().await;
    let phone = home.phone("phone").await;
    let data = home.dir.path().join("relay");
    let port = home.relay.address().port();
    let stopped = std::mem::replace(&mut home.relay, common::start_relay(&home.dir.path().join("other")).await);
    stopped.shutdown().await;
    wait_for(&phone, "the link to go", |e| matches!(e, Event::Link { state: LinkState::Offline, reason: Some(_) }))
        .await;
    assert_eq!(phone.cameras().await.unwrap().len(), 1, "what is known can be shown");

    let mut config = privet_relay::Config::default();
    config.listen = (std::net::Ipv4Addr::LOCALHOST, port).into();
    config.data = data;
    let _again = privet_relay::Server::start(config).await.unwrap();
    phone.network_changed();
    wait_for(&phone, "the link to return", |e| matches!(e, Event::Link { state: LinkState::Relay, .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_clock_is_behind_is_not_silent_and_that_is_told_once_until_it_is_over() {
    let home = Home::start().await;
    let phone = home.phone("phone").await;
    let heartbeat = [HubMessage::Heartbeat { every_s: 1 }];
    home.hub.say(&heartbeat).await;
    until("the rhythm", async || (phone.status().await.unwrap().position == home.hub.home().head().seq).then_some(()))
        .await;
    phone.shut_down().await.unwrap();
    // Commands that live for a moment, each with what the hub said since the one before: what they tell, and what is remembered.
    let command = async |behind_s: i64| {
        home.hub.say_late(&heartbeat, behind_s).await;
        let phone = home.open("phone").await;
        assert!(phone.wait_synced(30_000).await.unwrap());
        // What was noticed was told before.
        let mut told = Vec::new();
        while let Some(event) = phone.next_event(0).await.unwrap() {
            told.extend(if let Event::TrustAlert(alert) = event { Some(alert) } else { None });
        }
        let remembered: Vec<_> = phone.status().await.unwrap().alerts.into_iter().map(|(_, alert)| alert).collect();
        phone.shut_down().await.unwrap();
        (told, remembered)
    };
    assert_eq!(command(0).await, (vec![], vec![]));
    let steps = [(3600, true), (3600, false), (3601, false), (3600, false), (0, false), (3600, true), (3600, false)];
    // By another hour: more than what was said of the clocks explains, so that is said as well.
    for (behind_s, tells) in steps.into_iter().chain([(7200, true), (7200, false)]) {
        let (told, remembered) = command(behind_s).await;
        assert_eq!(told.len(), usize::from(tells), "{behind_s} {told:?}");
        // One is remembered, the newest.
        assert!(told.is_empty() || told == remembered, "{told:?} {remembered:?}");
        let by = if behind_s == 7200 { 7190..=7200 } else { 3590..=3600 };
        let [TrustAlert::ClocksDiffer { by_s }] = remembered[..] else { panic!("{remembered:?}") };
        assert!(by.contains(&by_s), "{by_s}");
        assert!(remembered[0].to_string().contains("clock is behind"), "{remembered:?}");
    }
    // One that stays connected has nothing to add, until the hub really is silent.
    let phone = home.open("phone").await;
    wait_for(&phone, "the silence", |event| matches!(event, Event::TrustAlert(TrustAlert::Withheld { .. }))).await;
    let remembered: Vec<_> = phone.status().await.unwrap().alerts.into_iter().map(|(_, alert)| alert).collect();
    assert!(
        matches!(remembered[..], [TrustAlert::ClocksDiffer { by_s: 7190..=7200 }, TrustAlert::Withheld { .. }]),
        "{remembered:?}"
    );
}
