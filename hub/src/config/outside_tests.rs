#![allow(clippy::unwrap_used)]
use super::super::{Config, ConfigError, FORM};

const START: &str = "relay.host = 'h'\nrelay.webpki = true\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(std::path::Path::new("hub.toml"), &format!("{START}{text}"))
}

#[test]
fn without_their_tables_nobody_is_told_anything_and_with_them_little_is_needed() {
    let config = parse("").unwrap();
    assert!(config.mqtt.is_none() && config.metrics.is_none());
    let config = parse("[metrics]\n[mqtt]\nhost = 'ha'").unwrap();
    assert_eq!(config.metrics.unwrap().listen.to_string(), "127.0.0.1:9464");
    let mqtt = config.mqtt.unwrap();
    assert_eq!(
        (mqtt.port(), mqtt.base_topic.as_str(), mqtt.discovery_prefix.as_str()),
        (1883, "privet", "homeassistant")
    );
    assert_eq!(parse("[mqtt]\nhost = 'ha'\ntls = true").unwrap().mqtt.unwrap().port(), 8883);
    assert_eq!(parse("[mqtt]\nhost = 'ha'\ntls = true\nport = 1884").unwrap().mqtt.unwrap().port(), 1884);
    let config = parse("[metrics]\nlisten = '[::]:9000'").unwrap();
    assert_eq!(config.metrics.unwrap().listen.to_string(), "[::]:9000");
}

#[test]
fn every_mistake_is_named_by_line_key_and_what_is_allowed() {
    // "hunter2" stands for what no error may repeat.
    for (text, said) in [
        ("[mqtt]\nport = 1883", "3: mqtt.host is missing; allowed: a host name"),
        ("[mqtt]\nhost = ''", "4: mqtt.host is \"\"; allowed: a host name"),
        ("[mqtt]\nhost = 'mqtt://ha'", "4: mqtt.host is \"mqtt://ha\"; allowed: a host name"),
        ("[mqtt]\nhost = 'me:hunter2@ha'", "4: mqtt.host is a text with @; allowed: a host name"),
        ("[mqtt]\nhost = 'ha'\nport = 0", "5: mqtt.port is 0; allowed: a whole number from 1 to 65535"),
        ("[mqtt]\nhost = 'ha'\nport = '1883'", "5: mqtt.port is '1883'; allowed: a whole number"),
        ("[mqtt]\nhost = 'ha'\ntls = 'yes'", "5: mqtt.tls is 'yes'; allowed: true or false"),
        ("[mqtt]\nhost = 'ha'\nca = 'ca.pem'", "5: mqtt.ca is there without mqtt.tls = true; allowed: a PEM file"),
        ("[mqtt]\nhost = 'ha'\npassword_file = 'f'", "3: mqtt.username is missing; allowed: a text in quotes"),
        ("[mqtt]\nhost = 'ha'\nusername = ''", "5: mqtt.username is empty or too long; allowed: a text"),
        (
            "[mqtt]\nhost = 'ha'\npassword = 'hunter2'",
            "5: mqtt.password is not a key; allowed: host, tls, ca, username",
        ),
        ("[mqtt]\nhost = 'ha'\nbase_topic = 'a/#'", "5: mqtt.base_topic is \"a/#\"; allowed: 1 to 128 characters"),
        ("[mqtt]\nhost = 'ha'\nbase_topic = '/a'", "5: mqtt.base_topic is \"/a\"; allowed"),
        ("[mqtt]\nhost = 'ha'\nbase_topic = ''", "5: mqtt.base_topic is \"\"; allowed"),
        ("[mqtt]\nhost = 'ha'\ndiscovery_prefix = '$SYS'", "5: mqtt.discovery_prefix is \"$SYS\"; allowed"),
        ("mqtt = 'hunter2'", "3: mqtt is of type string; allowed: a table, `[mqtt]`, with host"),
        ("[metrics]\nlisten = 9464", "4: metrics.listen is 9464; allowed: an address with a port"),
        ("[metrics]\nlisten = '127.0.0.1'", "4: metrics.listen is '127.0.0.1'; allowed: an address with a port"),
        ("[metrics]\nport = 9464", "4: metrics.port is not a key; allowed: listen"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("hub.toml:{said}")), "{text:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn the_password_comes_from_a_file_or_from_systemd_and_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let load = |more: &str| {
        std::fs::write(&file, format!("{START}[mqtt]\nhost = 'ha'\n{more}")).unwrap();
        Config::load(&file)
    };
    let error = load("username = 'hub'\npassword_file = 'mqtt.password'").unwrap_err().to_string();
    assert!(error.contains(":6: mqtt.password_file is ") && error.contains("No such file"), "{error}");
    std::fs::write(folder.path().join("mqtt.password"), "hunter2\nmore").unwrap();
    let config = load("username = 'hub'\npassword_file = 'mqtt.password'").unwrap();
    assert_eq!(config.mqtt.as_ref().unwrap().password.as_str(), "hunter2");
    let shown = format!("{config:?} {:?}", config.mqtt.as_ref().unwrap().broker().unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");

    let mut mqtt = load("username = 'hub'").unwrap().mqtt.unwrap();
    std::fs::write(folder.path().join("privet-mqtt-password"), "from-systemd").unwrap();
    mqtt.read_files(&file, Some(folder.path())).map_err(|_| ()).unwrap();
    assert_eq!(mqtt.password.as_str(), "from-systemd");

    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    let error = load("tls = true\nca = 'ca.pem'").unwrap_err().to_string();
    assert!(error.contains(":6: mqtt.ca is refused") && error.contains("holds no certificate"), "{error}");
}

#[test]
fn every_key_is_known_to_the_errors() {
    for table in ["mqtt", "metrics"] {
        let error = toml::from_str::<Config>(&format!("[{table}]\nx = 1")).unwrap_err();
        let keys = error.message().replace('`', "");
        let keys = keys.split_once("expected ").unwrap().1.trim_start_matches("one of ");
        for key in keys.split(", ") {
            assert!(FORM.allowed(&format!("{table}.{key}")).is_some(), "{table}.{key}");
        }
    }
}
