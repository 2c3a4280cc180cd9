#![allow(clippy::unwrap_used)]
use privet_protocol::storage::MemoryStore;

use super::*;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn camera(n: u8) -> CameraId {
    CameraId::from_bytes([n; 16])
}

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

fn told(device: DeviceId, wishes: Wishes, profile: Profile) -> PhoneWishes {
    PhoneWishes { device, wishes: Wishes { profile: Some(profile), ..wishes } }
}

fn quiet(n: u16) -> Wishes {
    Wishes { quiet: vec![QuietHours { days: 127, from_min: n, to_min: 0 }], ..Wishes::default() }
}

#[test]
fn a_change_is_pending_until_the_hub_keeps_it_also_over_a_restart() {
    let store = MemoryStore::new();
    let asked = Asked::load(&store).unwrap();
    let state = asked.state(&[camera(1)]);
    assert!(!state.known && state.pending.is_none());
    assert_eq!(state.kept.cameras, [CameraSettings::default_for(&camera(1).to_string())]);

    let asked = asked.asking(quiet(60), NOW);
    store.commit(asked.batch()).unwrap();
    let asked = Asked::load(&store).unwrap();
    assert_eq!(asked.state(&[]).pending.unwrap().quiet, quiet(60).quiet);
    // Another phone's wishes are not this one's, but the home's profile is.
    let asked = asked.after(&told(device(2), quiet(60), Profile::Away), device(1), NOW);
    assert!(asked.state(&[]).pending.is_some() && !asked.state(&[]).known);
    assert_eq!(asked.state(&[]).kept.profile, Some(Profile::Away));
    // The answer to an earlier change.
    let asked = asked.after(&told(device(1), quiet(30), Profile::Away), device(1), NOW);
    assert!(asked.state(&[]).pending.is_some() && asked.state(&[]).known);
    let asked = asked.after(&told(device(1), quiet(60), Profile::Away), device(1), NOW);
    let state = asked.state(&[]);
    assert_eq!((state.kept.quiet, state.pending), (quiet(60).quiet, None));
}

#[test]
fn what_the_hub_refused_is_not_pending_for_ever() {
    let asked = Asked::default().asking(quiet(60), NOW);
    let other = told(device(1), quiet(30), Profile::Home);
    assert!(asked.after(&other, device(1), NOW.after(IN_VAIN / 2)).wanted.is_some());
    let later = asked.after(&other, device(1), NOW.after(IN_VAIN));
    assert_eq!((later.wanted, later.kept.unwrap().quiet), (None, quiet(30).quiet));
}

#[test]
fn a_profile_is_granted_only_when_it_is_the_homes() {
    let asked = Asked::default().asking(Wishes { profile: Some(Profile::Away), ..Wishes::default() }, NOW);
    let still = asked.after(&told(device(1), Wishes::default(), Profile::Home), device(1), NOW);
    assert_eq!(still.state(&[]).pending.unwrap().profile, Some(Profile::Away));
    let done = asked.after(&told(device(1), Wishes::default(), Profile::Away), device(1), NOW);
    assert!(done.wanted.is_none());
    // Another change does not say it again.
    assert_eq!(done.base().profile, None);
    assert_eq!(asked.base().profile, None);
}

#[test]
fn a_wish_that_says_the_default_is_granted_by_its_absence() {
    let wanted = Wishes { cameras: BTreeMap::from([(camera(1), CameraWish::default())]), ..Wishes::default() };
    assert!(granted(&wanted, &Wishes::default()) && granted(&Wishes::default(), &wanted));
    let other = CameraWish { notify: false, ..CameraWish::default() };
    let other = Wishes { cameras: BTreeMap::from([(camera(1), other)]), ..Wishes::default() };
    assert!(!granted(&wanted, &other));
}

#[test]
fn impossible_settings_are_refused_by_the_name_of_their_field() {
    let known = [(camera(1), "Gate".to_owned())];
    let good = CameraSettings::default_for(&camera(1).to_string());
    let check = |settings: &Settings| parse(settings, &known, &Wishes::default());
    let with = |camera: CameraSettings| Settings { cameras: vec![camera], ..Settings::default() };
    assert_eq!(check(&with(good.clone())).unwrap(), Wishes::default(), "what is default is not said");

    let hours =
        |days, from_min, to_min| Settings { quiet: vec![QuietHours { days, from_min, to_min }], ..Settings::default() };
    let zone = |zone: &str| Settings { time_zone: zone.into(), ..Settings::default() };
    let mistakes = [
        (with(CameraSettings { cooldown_s: 90_000, ..good.clone() }), "camera 'Gate': a cooldown of 90000 s"),
        (with(CameraSettings { zones: vec![String::new()], ..good.clone() }), "camera 'Gate': '' is no name of a zone"),
        (with(CameraSettings { zones: vec!["z".into(); 33], ..good.clone() }), "camera 'Gate': wishes hold at most 32"),
        (with(CameraSettings::default_for("gate")), "cameras: camera id 'gate' is not 32 hexadecimal digits"),
        (with(CameraSettings::default_for(&camera(9).to_string())), "not found: cameras: camera 0909"),
        (Settings { cameras: vec![good.clone(), good.clone()], ..Settings::default() }, "is there twice"),
        (hours(0, 0, 60), "quiet: quiet hours 0 to 60 on days 0b0"),
        (hours(1, 1440, 60), "quiet: "),
        (hours(1, 0, 1441), "quiet: "),
        (
            Settings { quiet: vec![QuietHours { days: 1, from_min: 0, to_min: 1 }; 17], ..Settings::default() },
            "at most 16",
        ),
        (zone("Europe/Berln"), "time_zone: 'Europe/Berln' is no time zone"),
        (zone(&"x".repeat(300)), "time_zone: 'xxx"),
    ];
    for (settings, says) in mistakes {
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(error.len() < 250, "{error}");
    }
    for name in ["", "Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"] {
        assert_eq!(check(&zone(name)).unwrap().time_zone, name);
    }
    // A camera that is gone keeps what was said of it.
    let gone = CameraWish { notify: false, ..CameraWish::default() };
    let before = Wishes { cameras: BTreeMap::from([(camera(9), gone.clone())]), ..Wishes::default() };
    let settings = with(CameraSettings { notify: false, ..CameraSettings::default_for(&camera(9).to_string()) });
    assert_eq!(parse(&settings, &known, &before).unwrap().camera(&camera(9)), gone);
}
