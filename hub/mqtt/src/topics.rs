//! Where everything stands at the broker. People's names become parts of topics here and nowhere else: what a topic must not hold
//! (`/`, `+`, `#`, control characters) never comes through, and two cameras whose names look alike stay two.

use privet_protocol::id::CameraId;

/// Letters of a name that a topic shows at most.
const SLUG: usize = 32;
/// Hexadecimal digits of an id behind a name.
const SHORT_ID: usize = 8;

/// The topics of one hub.
#[derive(Clone, Debug)]
pub struct Topics {
    base: String,
    discovery: String,
    hub: String,
    node: String,
}

impl Topics {
    /// The topics below `base` of the hub called `name`; `hub_id` tells it from any other hub at the broker, in letters and digits.
    pub fn new(base: &str, discovery: &str, name: &str, hub_id: &str) -> Self {
        let id: String = hub_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let short: String = id.chars().take(SHORT_ID).collect();
        Self {
            base: base.to_owned(),
            discovery: discovery.to_owned(),
            hub: key(name, &short),
            node: format!("privet_hub_{id}"),
        }
    }

    /// What the hub is called by other devices, and the part of the discovery topics that all of it share.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// `online` while the hub is there; the broker says `offline` for it when it is gone.
    pub fn availability(&self) -> String {
        format!("{}/{}/availability", self.base, self.hub)
    }

    /// A state of the hub.
    pub fn hub(&self, state: &str) -> String {
        format!("{}/{}/{state}", self.base, self.hub)
    }

    /// A state of a camera.
    pub fn camera(&self, camera: &CameraKey, state: &str) -> String {
        format!("{}/{}/{state}", self.base, camera.key)
    }

    /// Where snoozes are asked for: of every camera below the base.
    pub fn snooze_filter(&self) -> String {
        format!("{}/+/snooze/set", self.base)
    }

    /// Which camera's snooze this topic sets, as [`CameraKey`] names it.
    pub fn snoozed<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let key = topic.strip_prefix(&self.base)?.strip_prefix('/')?.strip_suffix("/snooze/set")?;
        (!key.contains('/')).then_some(key)
    }

    /// Where an entity is announced: `component` is Home Assistant's name for what it is.
    pub fn discovery(&self, component: &str, object: &str) -> String {
        format!("{}/{component}/{}/{object}/config", self.discovery, self.node)
    }

    /// Where everything of this hub is announced, of now and of earlier.
    pub fn discovery_filter(&self) -> String {
        self.discovery("+", "+")
    }

    /// Whether an entity of this hub is or was announced at this topic.
    pub fn is_discovery(&self, topic: &str) -> bool {
        let rest = topic.strip_prefix(&self.discovery).and_then(|rest| rest.strip_prefix('/'));
        let parts = rest.map(|rest| rest.split('/').collect::<Vec<_>>());
        matches!(parts.as_deref(), Some([_, node, _, "config"]) if *node == self.node)
    }

    /// Everything that the hub listens to.
    pub fn filters(&self) -> [String; 3] {
        [self.snooze_filter(), self.birth(), self.discovery_filter()]
    }

    /// Where Home Assistant says that it starts.
    pub fn birth(&self) -> String {
        format!("{}/status", self.discovery)
    }
}

/// What a camera is called in topics: what is readable of its name, and the beginning of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraKey {
    key: String,
}

impl CameraKey {
    /// The camera `id`, called `name`; `taken` are those that other cameras have.
    pub fn new(id: CameraId, name: &str, taken: impl Fn(&str) -> bool) -> Self {
        let id = id.to_string();
        let short = key(name, &id[..SHORT_ID]);
        Self { key: if taken(&short) { key(name, &id) } else { short } }
    }

    /// As it stands in topics.
    pub fn as_str(&self) -> &str {
        &self.key
    }
}

/// `garden_gate_5a1b2c3d` from "Garden: gate!".
fn key(name: &str, id: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
        if slug.len() >= SLUG {
            break;
        }
    }
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() { id.to_owned() } else { format!("{slug}_{id}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_camera_is_called_its_topics_are_safe_and_its_own() {
        let id = CameraId::from_bytes([0x5a; 16]);
        let free = |_: &str| false;
        for (name, expected) in [
            ("Garden: gate!", "garden_gate_5a5a5a5a"),
            ("../../#", "5a5a5a5a"),
            ("+/+", "5a5a5a5a"),
            ("Tür", "t_r_5a5a5a5a"),
            ("庭", "5a5a5a5a"),
            ("a\u{0}b\nc", "a_b_c_5a5a5a5a"),
            ("   ", "5a5a5a5a"),
            ("", "5a5a5a5a"),
        ] {
            assert_eq!(CameraKey::new(id, name, free).as_str(), expected, "{name:?}");
        }
        let long = CameraKey::new(id, &"x".repeat(10_000), free);
        assert_eq!(long.as_str().len(), SLUG + 1 + SHORT_ID);
        let second = CameraKey::new(id, "Gate", |key| key == "gate_5a5a5a5a");
        assert_eq!(second.as_str(), format!("gate_{id}"));
    }

    #[test]
    fn only_topics_of_this_hub_set_a_snooze() {
        let topics = Topics::new("our/privet", "homeassistant", "Cottage", "0123456789abcdef");
        let key = CameraKey::new(CameraId::from_bytes([1; 16]), "Door", |_| false);
        let set = topics.camera(&key, "snooze/set");
        assert_eq!(set, "our/privet/door_01010101/snooze/set");
        assert_eq!(topics.snoozed(&set), Some("door_01010101"));
        for other in [
            "our/privet/snooze/set",
            "our/privet/a/b/snooze/set",
            "privet/door/snooze/set",
            "our/privet/door/snooze",
            "",
        ] {
            assert_eq!(topics.snoozed(other), None, "{other}");
        }
        assert_eq!(topics.snooze_filter(), "our/privet/+/snooze/set");
        assert_eq!(topics.availability(), "our/privet/cottage_01234567/availability");
        assert_eq!(topics.birth(), "homeassistant/status");
        assert!(topics.is_discovery(&topics.discovery("sensor", "privet_x")));
        assert!(!topics.is_discovery("homeassistant/sensor/privet_hub_another/x/config"));
        assert!(!topics.is_discovery("homeassistant/sensor/privet_hub_0123456789abcdef/x/y/config"));
    }
}
