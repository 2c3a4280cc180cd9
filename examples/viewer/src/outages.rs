//! Times of which a camera's pictures are missing, as verification found them declared: for machines and for people.

use privet_app_core::{Outage, OutageReason};
use serde_json::{Value, json};

use crate::say::utc;

/// For machines.
pub fn items(gaps: &[Outage]) -> Vec<Value> {
    let item = |gap: &Outage| json!({"from_ms": gap.from_ms, "until_ms": gap.until_ms, "reason": slug(gap.reason)});
    gaps.iter().map(item).collect()
}

/// For people: a line for each, each on a new line.
pub fn note(gaps: &[Outage]) -> String {
    let line = |gap: &Outage| {
        let why = match gap.reason {
            OutageReason::HubOff => "the hub was off",
            OutageReason::CameraLost => "the camera was out of reach",
            OutageReason::Damaged => "what came from the camera was damaged",
            OutageReason::StorageFull => "the hub had no room",
            OutageReason::NotRecorded => "nothing was to be recorded",
        };
        format!("\nno pictures from {} to {}: {why}", utc(gap.from_ms), utc(gap.until_ms))
    };
    gaps.iter().map(line).collect()
}

fn slug(reason: OutageReason) -> &'static str {
    match reason {
        OutageReason::HubOff => "hub-off",
        OutageReason::CameraLost => "camera-lost",
        OutageReason::Damaged => "damaged",
        OutageReason::StorageFull => "storage-full",
        OutageReason::NotRecorded => "not-recorded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outage_has_its_times_and_its_reason() {
        let gap = |from_ms, reason| Outage { from_ms, until_ms: from_ms + 90_000, reason };
        let gaps = [gap(0, OutageReason::HubOff), gap(3_600_000, OutageReason::StorageFull)];
        let said = note(&gaps);
        let lines: Vec<&str> = said.lines().skip(1).collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].contains(&utc(0)) && lines[0].contains(&utc(90_000)), "{said}");
        assert!(lines[0].ends_with("the hub was off") && lines[1].ends_with("the hub had no room"), "{said}");
        assert_eq!(items(&gaps)[1], json!({"from_ms": 3_600_000, "until_ms": 3_690_000, "reason": "storage-full"}));
        assert_eq!(note(&[]), "");
    }
}
