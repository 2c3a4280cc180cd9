//! Whether one phone is told of one event. No clock, no store: the same question has the same answer.

use std::time::Duration;

use privet_home::{Happening, HomeEvent, Profile, Wishes};
use privet_protocol::time::Timestamp;

use crate::quiet;

/// Why a phone is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Its owner does not want to hear this of this camera.
    Off,
    /// The camera is snoozed, for this phone or for all.
    Snoozed,
    /// Somebody is at home.
    AtHome,
    /// These are its quiet hours.
    Quiet,
    /// It happened in none of the wanted zones.
    OtherZone,
    /// It was told of the same camera moments ago.
    Cooldown,
    /// It was not told that this was away, so it is not told that it is back.
    NotMissed,
}

/// What holds for the whole home.
#[derive(Clone, Copy, Debug)]
pub struct Household {
    /// Whether somebody is at home.
    pub profile: Profile,
    /// Until when nobody is told anything of the event's camera.
    pub snoozed_until: Option<Timestamp>,
}

/// What a phone was told before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before {
    /// When it was last told of motion at the event's camera.
    pub motion: Option<Timestamp>,
    /// Whether it was told that the event's camera (or the relay) is away.
    pub away: bool,
}

/// Whether a phone with these wishes is told of `event` at `now`.
///
/// # Errors
/// [`Silence`]: why it is not.
pub fn decide(
    event: &HomeEvent,
    wishes: &Wishes,
    household: Household,
    before: Before,
    now: Timestamp,
) -> Result<(), Silence> {
    let back = matches!(event.what, Happening::CameraOnline | Happening::RelayBack);
    if back {
        // Who was worried is relieved, whatever was wished meanwhile.
        return if before.away { Ok(()) } else { Err(Silence::NotMissed) };
    }
    let Some(camera) = event.camera else { return Ok(()) };
    let wish = wishes.camera(&camera);
    let wanted = if event.what.is_health() { wish.health } else { wish.notify };
    if !wanted {
        return Err(Silence::Off);
    }
    let mut snoozes = wish.snooze_until.into_iter().chain(household.snoozed_until);
    if snoozes.any(|until| now < until) {
        return Err(Silence::Snoozed);
    }
    if event.what.is_health() {
        return Ok(());
    }
    if wishes.away_only && household.profile == Profile::Home {
        return Err(Silence::AtHome);
    }
    // The zone was known when the wishes were taken; one that is gone since silences nothing.
    if quiet::zone(&wishes.time_zone).is_some_and(|zone| quiet::is_quiet(&wishes.quiet, &zone, now)) {
        return Err(Silence::Quiet);
    }
    if !wish.zones.is_empty() && !event.zones.iter().any(|zone| wish.zones.contains(zone)) {
        return Err(Silence::OtherZone);
    }
    let cooldown = Duration::from_secs(wish.cooldown_s.into());
    // A clock that was set back makes no cooldown endless: the last time lies in the future then.
    if before.motion.is_some_and(|last| last <= now && now < last.after(cooldown)) {
        return Err(Silence::Cooldown);
    }
    Ok(())
}
