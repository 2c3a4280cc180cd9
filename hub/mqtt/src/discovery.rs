//! Who is there, in Home Assistant's words: its MQTT discovery, one message an entity, which every version of it reads.
//! <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>

use privet_protocol::id::CameraId;
use serde_json::{Map, Value, json};

use crate::house::{Camera, House, Message};
use crate::snooze::LONGEST;

/// All entities: the hub's first, since the cameras name it.
pub(crate) fn announcements(house: &House) -> Vec<Message> {
    let mut all =
        vec![hub_entity(house, "relay", "Relay", "connectivity"), hub_entity(house, "problem", "Problem", "problem")];
    for (id, camera) in &house.cameras {
        all.extend(camera_entities(house, *id, camera));
    }
    all
}

fn hub_entity(house: &House, state: &str, name: &str, class: &str) -> Message {
    let topics = &house.topics;
    let device = json!({
        "identifiers": [topics.node()],
        "name": house.name,
        "manufacturer": "Privet",
        "model": "Hub",
        "sw_version": house.version,
    });
    let own = json!({
        "name": name,
        "device_class": class,
        "entity_category": "diagnostic",
        "state_topic": topics.hub(state),
    });
    let object = format!("{}_{state}", topics.node());
    entity(house, "binary_sensor", &object, &device, &[], own)
}

fn camera_entities(house: &House, id: CameraId, camera: &Camera) -> Vec<Message> {
    let topics = &house.topics;
    let at = |state: &str| topics.camera(&camera.key, state);
    let object = |state: &str| format!("privet_{id}_{state}");
    let device = json!({
        "identifiers": [format!("privet_{id}")],
        "name": camera.name,
        "manufacturer": "Privet",
        "model": "Camera",
        "sw_version": house.version,
        "via_device": topics.node(),
    });
    // A camera without pictures sees nothing move: then "unavailable" is the truth, not "clear".
    let while_online = [json!({ "topic": at("online"), "payload_available": "ON", "payload_not_available": "OFF" })];
    vec![
        entity(
            house,
            "binary_sensor",
            &object("online"),
            &device,
            &[],
            json!({
                "name": "Online", "device_class": "connectivity", "entity_category": "diagnostic", "state_topic": at("online"),
            }),
        ),
        entity(
            house,
            "binary_sensor",
            &object("motion"),
            &device,
            &while_online,
            json!({ "name": "Motion", "device_class": "motion", "state_topic": at("motion") }),
        ),
        entity(
            house,
            "binary_sensor",
            &object("tamper"),
            &device,
            &while_online,
            json!({
                "name": "Tamper", "device_class": "tamper", "entity_category": "diagnostic", "state_topic": at("tamper"),
            }),
        ),
        entity(
            house,
            "number",
            &object("snooze"),
            &device,
            &[],
            json!({
                "name": "Snooze", "device_class": "duration", "unit_of_measurement": "min", "icon": "mdi:bell-sleep",
                "min": 0, "max": LONGEST, "step": 1, "mode": "box",
                "state_topic": at("snooze"), "command_topic": at("snooze/set"), "qos": 1,
            }),
        ),
        entity(
            house,
            "sensor",
            &object("snoozed_until"),
            &device,
            &[],
            json!({ "name": "Snoozed until", "device_class": "timestamp", "state_topic": at("snooze/until") }),
        ),
    ]
}

/// What all entities say, beside their own.
fn entity(house: &House, component: &str, object: &str, device: &Value, also: &[Value], own: Value) -> Message {
    let topics = &house.topics;
    let mut available = vec![json!({ "topic": topics.availability() })];
    available.extend_from_slice(also);
    let mut said = match own {
        Value::Object(own) => own,
        _ => Map::new(),
    };
    said.insert("unique_id".into(), object.into());
    said.insert("availability".into(), available.into());
    said.insert("availability_mode".into(), "all".into());
    said.insert("device".into(), device.clone());
    said.insert("origin".into(), json!({ "name": "Privet", "sw_version": house.version }));
    Message::new(topics.discovery(component, object), Value::Object(said).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::topics::Topics;

    fn announced(name: &str) -> BTreeMap<String, Value> {
        let topics = Topics::new("privet", "homeassistant", "Cottage", "0123456789abcdef");
        let house = House::new(topics, "Cottage", "0.1.0", [(CameraId::from_bytes([1; 16]), name.to_owned())]);
        let of = |m: Message| (m.topic, serde_json::from_slice(&m.payload).unwrap());
        announcements(&house).into_iter().map(of).collect()
    }

    #[test]
    fn a_motion_sensor_is_announced_as_home_assistant_reads_it() {
        let id = "01".repeat(16);
        let node = "privet_hub_0123456789abcdef";
        let all = announced("Front \"door\"\n/#");
        assert_eq!(all.len(), 7);
        let motion = &all[&format!("homeassistant/binary_sensor/{node}/privet_{id}_motion/config")];
        let topic = "privet/front_door_01010101";
        assert_eq!(
            *motion,
            json!({
                "name": "Motion",
                "device_class": "motion",
                "state_topic": format!("{topic}/motion"),
                "unique_id": format!("privet_{id}_motion"),
                "availability": [
                    { "topic": "privet/cottage_01234567/availability" },
                    { "topic": format!("{topic}/online"), "payload_available": "ON", "payload_not_available": "OFF" },
                ],
                "availability_mode": "all",
                "device": {
                    "identifiers": [format!("privet_{id}")],
                    "name": "Front \"door\"\n/#",
                    "manufacturer": "Privet",
                    "model": "Camera",
                    "sw_version": "0.1.0",
                    "via_device": node,
                },
                "origin": { "name": "Privet", "sw_version": "0.1.0" },
            })
        );
    }

    #[test]
    fn what_home_assistant_demands_of_every_entity_is_there() {
        let all = announced("Garden");
        let mut unique: Vec<_> = all.values().map(|e| e["unique_id"].as_str().unwrap().to_owned()).collect();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), all.len(), "each entity has an id of its own");
        for (topic, entity) in &all {
            let parts: Vec<_> = topic.split('/').collect();
            assert_eq!((parts.len(), parts[0], parts[4]), (5, "homeassistant", "config"), "{topic}");
            assert!(["binary_sensor", "number", "sensor"].contains(&parts[1]), "{topic}");
            for id in &parts[2..4] {
                assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{topic}");
            }
            assert_eq!(parts[3], entity["unique_id"], "{topic}");
            assert!(entity["state_topic"].as_str().unwrap().starts_with("privet/"), "{entity}");
        }
        let number = all.iter().find(|(topic, _)| topic.contains("/number/")).unwrap().1;
        assert_eq!(number["command_topic"], "privet/garden_01010101/snooze/set");
        assert_eq!((&number["min"], &number["max"]), (&json!(0), &json!(10_080)));
    }
}
