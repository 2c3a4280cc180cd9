//! What people type about notifications: durations, quiet hours, `key=value`; and the settings in words.

use privet_app_core::{Camera, CameraSettings, Profile, QuietHours, Settings, SettingsState};
use serde_json::{Value, json};

use crate::run::Failure;
use crate::say::utc;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const KEYS: &str = "profile, away-only, quiet, time-zone; with --camera also notify, health, cooldown, zones";

/// Seconds of `30s`, `10m`, `2h`, `1d` or a row of them (`1h30m`).
pub fn duration(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::Arguments(format!("'{text}' is no duration: say it as 30s, 10m, 2h, 1d or 1h30m"));
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(digits);
        let length = match unit.chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        seconds = number.checked_mul(length).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = unit.get(1..).unwrap_or_default();
    }
    if seconds == 0 { Err(wrong()) } else { Ok(seconds) }
}

/// Whether these `key=value` can be said at all, of a camera or not; nothing else is needed to know.
pub fn check(of_camera: bool, pairs: &[String]) -> Result<(), Failure> {
    let cameras = vec![CameraSettings::default_for("")];
    let mut settings = Settings { cameras, ..Settings::default() };
    change(&mut settings, if of_camera { &[0] } else { &[] }, pairs)
}

/// Changes `settings` as these `key=value` say; of these cameras, by index.
pub fn change(settings: &mut Settings, cameras: &[usize], pairs: &[String]) -> Result<(), Failure> {
    // Several `quiet=` add up; the first replaces what was there.
    let mut quiet: Option<Vec<QuietHours>> = None;
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::Arguments(format!("'{pair}' is not KEY=VALUE; keys: {KEYS}")));
        };
        let key = key.trim().replace('_', "-");
        let value = value.trim();
        match key.as_str() {
            "profile" => {
                settings.profile = Some(match value {
                    "home" => Profile::Home,
                    "away" => Profile::Away,
                    _ => return Err(Failure::Arguments(format!("profile={value}: it is home or away"))),
                });
            }
            "away-only" => settings.away_only = switch(&key, value)?,
            "time-zone" => settings.time_zone = if value == "utc" { String::new() } else { value.into() },
            "quiet" if value == "none" => quiet = Some(Vec::new()),
            "quiet" => {
                let hours = value.split(',').map(|text| quiet_hours(text.trim())).collect::<Result<Vec<_>, _>>()?;
                quiet.get_or_insert_default().extend(hours);
            }
            "notify" | "health" | "cooldown" | "zones" => {
                if cameras.is_empty() {
                    return Err(Failure::Arguments(format!(
                        "{key} is a camera's: say which with --camera NAME, or --camera all"
                    )));
                }
                for index in cameras {
                    if let Some(camera) = settings.cameras.get_mut(*index) {
                        change_camera(camera, &key, value)?;
                    }
                }
            }
            _ => return Err(Failure::Arguments(format!("there is no setting '{key}'; there are: {KEYS}"))),
        }
    }
    settings.quiet = quiet.unwrap_or_else(|| settings.quiet.clone());
    Ok(())
}

fn change_camera(camera: &mut CameraSettings, key: &str, value: &str) -> Result<(), Failure> {
    match key {
        "notify" => camera.notify = switch(key, value)?,
        "health" => camera.health = switch(key, value)?,
        "cooldown" if value == "0" => camera.cooldown_s = 0,
        "cooldown" => {
            camera.cooldown_s = u32::try_from(duration(value)?)
                .map_err(|_| Failure::Arguments(format!("cooldown={value}: at most a day")))?;
        }
        _ if value == "all" => camera.zones.clear(),
        _ => camera.zones = value.split(',').map(|zone| zone.trim().to_owned()).collect(),
    }
    Ok(())
}

fn switch(key: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        _ => Err(Failure::Arguments(format!("{key}={value}: it is on or off"))),
    }
}

/// `22:00-06:00`, or on some days only: `mon-fri 22:00-06:00`, `sat 13:00-15:00`.
fn quiet_hours(text: &str) -> Result<QuietHours, Failure> {
    let wrong = |why: String| {
        Failure::Arguments(format!(
            "quiet={text}: {why}; say it as 22:00-06:00, 'mon-fri 22:00-06:00', several with commas, or none"
        ))
    };
    let (days, hours) = text.rsplit_once(' ').unwrap_or(("", text));
    let (from, to) = hours.split_once('-').ok_or_else(|| wrong(format!("'{hours}' is no time from-to")))?;
    let minute = |time: &str, last: u16| {
        let (hour, minute) = time.split_once(':')?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok().filter(|minute| *minute < 60)?);
        let of_day = hour.checked_mul(60)? + minute;
        (of_day <= last).then_some(of_day)
    };
    let from_min = minute(from, 1439).ok_or_else(|| wrong(format!("'{from}' is no time from 00:00 to 23:59")))?;
    let to_min = minute(to, 1440).ok_or_else(|| wrong(format!("'{to}' is no time from 00:00 to 24:00")))?;
    if from_min == to_min {
        return Err(wrong("they begin and end at the same time; a whole day is 00:00-24:00".into()));
    }
    let day = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        DAYS.iter()
            .position(|day| *day == name)
            .ok_or_else(|| wrong(format!("'{name}' is no day ({})", DAYS.join(", "))))
    };
    let days = match days.trim() {
        "" => 0b111_1111,
        range => match range.split_once('-') {
            None => 1 << day(range)?,
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                // From friday to monday goes over the week's end.
                (0..7).filter(|n| (n + 7 - first) % 7 <= (last + 7 - first) % 7).fold(0, |days, n| days | 1 << n)
            }
        },
    };
    Ok(QuietHours { days, from_min, to_min })
}

/// Quiet hours as they are typed.
fn quiet_text(hours: &QuietHours) -> String {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let on = |day: usize| hours.days >> day & 1 == 1;
    let named: Vec<&str> = DAYS.iter().enumerate().filter(|(n, _)| on(*n)).map(|(_, name)| *name).collect();
    let days = if named.len() == 7 { String::new() } else { format!("{} ", named.join("+")) };
    format!("{days}{}-{}", time(hours.from_min), time(hours.to_min))
}

/// The settings for machines.
pub fn as_json(settings: &Settings, cameras: &[Camera]) -> Value {
    let quiet: Vec<_> = settings
        .quiet
        .iter()
        .map(|hours| json!({"days": hours.days, "from_min": hours.from_min, "to_min": hours.to_min}))
        .collect();
    let each: Vec<_> = settings
        .cameras
        .iter()
        .map(|camera| {
            json!({"id": camera.camera_id, "name": name(cameras, &camera.camera_id), "notify": camera.notify, "health": camera.health,
                "snooze_until_ms": camera.snooze_until_ms, "cooldown_s": camera.cooldown_s, "zones": camera.zones})
        })
        .collect();
    json!({"profile": profile(settings), "away_only": settings.away_only, "quiet": quiet, "time_zone": settings.time_zone,
        "cameras": each})
}

/// The settings for people.
pub fn as_text(state: &SettingsState, cameras: &[Camera], now_ms: i64) -> String {
    let settings = state.pending.as_ref().unwrap_or(&state.kept);
    let zone = if settings.time_zone.is_empty() { "UTC" } else { &settings.time_zone };
    let quiet: Vec<String> = settings.quiet.iter().map(quiet_text).collect();
    let quiet = if quiet.is_empty() { "none".into() } else { format!("{} ({zone})", quiet.join(", ")) };
    let mut text = format!(
        "profile {}, motion told {}\nquiet hours: {quiet}",
        profile(settings).unwrap_or("home (not confirmed yet)"),
        if settings.away_only { "only while away" } else { "at home and away" },
    );
    for camera in &settings.cameras {
        let snooze = camera.snooze_until_ms.filter(|until| *until > now_ms);
        let on = |on| if on { "on" } else { "off" };
        text.push_str(&format!(
            "\n{:<20} notify {:<3} health {:<3} cooldown {} s, zones {}{}",
            name(cameras, &camera.camera_id),
            on(camera.notify),
            on(camera.health),
            camera.cooldown_s,
            if camera.zones.is_empty() { "all".into() } else { camera.zones.join(", ") },
            snooze.map(|until| format!(", snoozed until {}", utc(until))).unwrap_or_default()
        ));
    }
    if state.pending.is_some() {
        text.push_str("\n(asked for; the hub has not confirmed it yet)");
    } else if !state.known {
        text.push_str("\n(the defaults: nothing was ever changed)");
    }
    text
}

fn profile(settings: &Settings) -> Option<&'static str> {
    settings.profile.map(|profile| match profile {
        Profile::Home => "home",
        Profile::Away => "away",
    })
}

fn name<'a>(cameras: &'a [Camera], id: &'a str) -> &'a str {
    cameras.iter().find(|camera| camera.id == id).map_or(id, |camera| &camera.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_what_they_say() {
        let good = [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400)];
        for (text, seconds) in good {
            assert_eq!(duration(text).unwrap(), seconds);
        }
        for text in ["", "0s", "10", "h", "-5m", "5 m", "1y", "9999999999999999999d", "ten", "5m5", "1ü"] {
            assert!(duration(text).unwrap_err().to_string().contains("is no duration"), "{text}");
        }
    }

    #[test]
    fn quiet_hours_are_read_as_they_are_shown() {
        let read = |text| quiet_hours(text).unwrap();
        assert_eq!(read("22:00-06:00"), QuietHours { days: 127, from_min: 1320, to_min: 360 });
        assert_eq!(read("mon-fri 22:00-06:00").days, 0b001_1111);
        assert_eq!(read("fri-mon 00:00-24:00").days, 0b111_0001);
        assert_eq!(read("Sun 13:00-15:30"), QuietHours { days: 64, from_min: 780, to_min: 930 });
        assert_eq!(quiet_text(&read("sat-sun 22:00-06:00")), "sat+sun 22:00-06:00");
        assert_eq!(quiet_text(&read("7:05-8:00")), "07:05-08:00");
    }

    #[test]
    fn what_is_set_is_set_and_nothing_else() {
        let mut settings = Settings {
            cameras: vec![CameraSettings::default_for("a"), CameraSettings::default_for("b")],
            ..Settings::default()
        };
        let before = settings.clone();
        let pairs = |pairs: &[&str]| pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>();
        change(&mut settings, &[1], &pairs(&["notify=off", "cooldown=5m", "zones=path, drive"])).unwrap();
        assert_eq!(settings.cameras[0], before.cameras[0]);
        let second = &settings.cameras[1];
        assert_eq!((second.notify, second.cooldown_s, second.zones.len()), (false, 300, 2));
        let more =
            ["quiet=22:00-06:00", "quiet=sat 13:00-15:00", "time_zone=Europe/Berlin", "away-only=on", "profile=away"];
        change(&mut settings, &[], &pairs(&more)).unwrap();
        assert_eq!((settings.quiet.len(), settings.away_only, settings.profile), (2, true, Some(Profile::Away)));
        change(&mut settings, &[], &pairs(&["quiet=none", "time-zone=utc"])).unwrap();
        assert_eq!((settings.quiet.len(), settings.time_zone.as_str()), (0, ""));
        change(&mut settings, &[0, 1], &pairs(&["zones=all", "cooldown=0"])).unwrap();
        assert!(settings.cameras.iter().all(|camera| camera.zones.is_empty() && camera.cooldown_s == 0));
    }

    #[test]
    fn typical_mistakes_are_named_with_what_would_be_right() {
        let mistakes = [
            ("notify", "'notify' is not KEY=VALUE; keys: profile"),
            ("notify=off", "notify is a camera's: say which with --camera NAME, or --camera all"),
            ("profile=out", "profile=out: it is home or away"),
            ("away-only=1", "away-only=1: it is on or off"),
            ("snooze=1h", "there is no setting 'snooze'; there are: profile"),
            ("quiet=22-6", "'22' is no time from 00:00 to 23:59"),
            ("quiet=22:00", "'22:00' is no time from-to"),
            ("quiet=25:00-06:00", "'25:00' is no time"),
            ("quiet=22:00-06:61", "'06:61' is no time"),
            ("quiet=mo-fr 22:00-06:00", "'mo' is no day (mon, tue"),
            ("quiet=22:00-22:00", "a whole day is 00:00-24:00"),
            ("cooldown=5", "cooldown is a camera's"),
        ];
        for (pair, says) in mistakes {
            let mut settings = Settings::default();
            let failure = change(&mut settings, &[], &[pair.to_owned()]).unwrap_err();
            assert!(failure.to_string().contains(says), "{pair}: {failure}");
            assert_eq!(check(false, &[pair.to_owned()]).unwrap_err().to_string(), failure.to_string());
            assert_eq!(failure.exit(), 2);
        }
    }
}
