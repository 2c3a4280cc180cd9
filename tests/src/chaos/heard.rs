//! What a phone knows, by its own word.

use std::collections::{BTreeMap, BTreeSet};

use privet_demo::Trouble;
use privet_demo::house::{Phone, text};
use privet_demo::process::{Said, until};

use super::ledger::Told;
use super::{CAMERAS, MANY};
use crate::SOON;

/// What a phone rightly warns of while a hub is dead or the machine is too busy: something is late, nothing is lost.
const LATENESS: [&str; 3] = ["no sign of the hub for ", "the hub's messages arrive ", "live pictures of stream "];

/// What a phone says that it knows, once it is up to date.
pub(super) fn hear(phone: &Phone) -> Result<Told, Trouble> {
    let mut last = String::new();
    until(&format!("{}'s being up to date", phone.name()), SOON, || {
        match phone.says(&["status"]).and_then(Said::first) {
            Ok(status) if status["caught_up"] == true => return Some(()),
            Ok(status) => last = status.to_string(),
            Err(trouble) => last = trouble.to_string(),
        }
        None
    })
    .map_err(|trouble| Trouble::new(format!("{trouble}; it said {last}")))?;
    let mut told = Told { alerts: warnings(phone)?, ..Told::default() };
    for clip in phone.says(&["clips", "--limit", MANY])?.ok()?.lines {
        if clip["finished"] != true {
            continue;
        }
        let id = text(&clip, "id")?;
        if clip["local"] == true && clip["trust"] == "verified" {
            told.verified.insert(id.clone());
        }
        told.clips.insert(id, clip["segments"].as_u64().unwrap_or(0));
    }
    // They come newest first.
    for event in phone.says(&["events", "--limit", MANY])?.ok()?.lines.iter().rev() {
        let id = text(event, "id")?;
        if event["what"] == "motion" && event["camera"] == CAMERAS[0].0 {
            told.motions.insert(id.clone());
        }
        told.events.push(id);
    }
    Ok(told)
}

/// What a phone warns of, but for what is only late.
pub(super) fn warnings(phone: &Phone) -> Result<Vec<String>, Trouble> {
    let status = phone.says(&["status"])?.first()?;
    let alerts = status["alerts"].as_array().cloned().unwrap_or_default();
    let words = alerts.iter().filter_map(|alert| alert["what"].as_str());
    Ok(words.filter(|what| !LATENESS.iter().any(|late| what.starts_with(late))).map(str::to_owned).collect())
}

/// What two phones that are up to date know differently.
pub(super) fn differences(one: &Told, other: &Told) -> Vec<String> {
    let mut found = Vec::new();
    let clips = |told: &BTreeMap<String, u64>| told.iter().map(|clip| format!("{clip:?}")).collect::<BTreeSet<_>>();
    for clip in clips(&one.clips).symmetric_difference(&clips(&other.clips)) {
        found.push(format!("clip {clip}: only one of two phones knows it like this"));
    }
    if one.events != other.events {
        found.push(format!("events: one phone knows {:?}, the other one {:?}", one.events, other.events));
    }
    found.extend(other.alerts.iter().map(|alert| format!("the other phone warns: {alert}")));
    found
}
