//! What a camera's tables say about motion: `[camera.zones.NAME]`, `[camera.masks.NAME]`, `[camera.detector]`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Camera;
use crate::motion::{Expert, MAX_MASKS, MAX_ZONES, MotionSettings, Polygon, PolygonError, Zone};
use privet_config::Fault;

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "camera.sensitivity",
        "\"low\", \"medium\" or \"high\"; of the numbers of old, 1 to 3 are \"low\", 4 to 7 \"medium\", 8 to 10 \"high\"",
    ),
    ("camera.zones", "tables, `[camera.zones.NAME]`, 16 at most"),
    ("camera.zones.NAME", "a table with points, its name 1 to 32 characters and at most 64 bytes without a dot"),
    ("camera.zones.NAME.points", POINTS),
    ("camera.masks", "tables, `[camera.masks.NAME]`, 16 at most"),
    ("camera.masks.NAME", "a table with points, its name 1 to 32 characters without a dot"),
    ("camera.masks.NAME.points", POINTS),
    ("camera.detector", "a table, `[camera.detector]`, for experts"),
    ("camera.detector.threshold", "levels of brightness from 4 to 100"),
    ("camera.detector.area", "a part of the zone from 0.0001 to 0.5"),
    ("camera.detector.noise_factor", "a number from 2 to 20"),
    ("camera.detector.hold_ms", "milliseconds from 200 to 60000"),
    ("camera.detector.loiter_s", "seconds from 0 to 600"),
    ("camera.detector.onset", "1, 2 or 3 pictures of three"),
    ("camera.detector.tamper", "true or false"),
    ("camera.detector.decode", "\"all\" or \"key-frames\""),
];

const POINTS: &str = "3 to 32 points [[x, y], ..] round an area without crossing itself, x and y from 0 (left, top) to 1 (right, bottom)";

/// An outline as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outline {
    points: Vec<[f32; 2]>,
}

impl Outline {
    fn polygon(&self) -> Result<Polygon, PolygonError> {
        Polygon::new(self.points.clone())
    }
}

impl Camera {
    /// What the detector is told, if motion is looked for. Zones and masks are sorted by name.
    pub fn motion_settings(&self) -> Option<MotionSettings> {
        let zones = |outlines: &BTreeMap<String, Outline>| {
            let zone = |(name, outline): (&String, &Outline)| {
                outline.polygon().ok().map(|outline| Zone { name: name.clone(), outline })
            };
            outlines.iter().filter_map(zone).collect()
        };
        self.motion.then(|| MotionSettings {
            sensitivity: self.sensitivity,
            zones: zones(&self.zones),
            masks: zones(&self.masks),
            expert: self.detector,
            ..MotionSettings::default()
        })
    }

    /// The names of its zones, in the order of the detector's bits.
    pub fn zone_names(&self) -> Vec<String> {
        self.zones.keys().cloned().collect()
    }

    pub(super) fn motion_fault(&self) -> Option<Fault> {
        for (table, outlines, most) in [("zones", &self.zones, MAX_ZONES), ("masks", &self.masks, MAX_MASKS)] {
            let key = format!("camera.{table}");
            if outlines.len() > most {
                return Some(Fault::new(&key, format!("there {} times", outlines.len())));
            }
            for (name, outline) in outlines {
                let key = format!("{key}.{name}");
                let length = name.chars().count();
                if !(1..=32).contains(&length)
                    || name.len() > 64
                    || name.contains('.')
                    || name.contains(char::is_control)
                {
                    return Some(Fault::new(
                        &key,
                        format!("a name of {length} characters and {} bytes, {name:?}", name.len()),
                    ));
                }
                if let Err(e) = outline.polygon() {
                    return Some(Fault::new(&format!("{key}.points"), e.to_string()));
                }
            }
        }
        expert_fault(&self.detector)
    }
}

fn expert_fault(expert: &Expert) -> Option<Fault> {
    // All allowed values are exact in so few bits.
    let number = |value: u32| value as f32;
    let checks = [
        ("threshold", expert.threshold, 4.0..=100.0),
        ("area", expert.area, 0.0001..=0.5),
        ("noise_factor", expert.noise_factor, 2.0..=20.0),
        ("hold_ms", expert.hold_ms.map(number), 200.0..=60_000.0),
        ("loiter_s", expert.loiter_s.map(number), 0.0..=600.0),
        ("onset", expert.onset.map(f32::from), 1.0..=3.0),
    ];
    let wrong = checks.into_iter().find(|(_, value, range)| value.is_some_and(|value| !range.contains(&value)));
    wrong.map(|(key, value, _)| {
        Fault::new(&format!("camera.detector.{key}"), value.map_or_else(String::new, |value| value.to_string()))
    })
}

#[cfg(test)]
#[path = "motion_tests.rs"]
mod tests;
