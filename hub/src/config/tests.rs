#![allow(clippy::unwrap_used)]
use super::*;

const GOOD: &str = r#"
name = "Cottage"
data_dir = "/tmp/privet"

[relay]
host = "relay.example.org"
pin = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

[[camera]]
name = "Door"
url = "rtsp://192.168.1.20/stream1"
username = "hub"
password = "secret-word"

[[camera]]
name = "Garden"
url = "rtsp://192.168.1.21:8554/h264?channel=1"
motion = false
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("hub.toml"), text)
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_short_file_is_enough_and_defaults_work() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.cameras.len(), 2);
    assert_eq!(config.recording.pre_roll_s, 5);
    assert_eq!(config.relay.port, 4433);
    assert_eq!(config.relay_pin().unwrap()[1], 0x11);
    assert_eq!(config.cameras[0].password().unwrap().as_str(), "secret-word");
    assert!(!config.cameras[1].motion && config.cameras[1].audio);
}

#[test]
fn errors_name_file_line_key_and_what_is_allowed() {
    let error = refused(&GOOD.replace("motion = false", "sensitivity = 11"));
    assert_eq!(error, "hub.toml:18: camera.sensitivity is 11; allowed: 1 to 10");
    let error = refused(&GOOD.replace("pin = ", "pin_code = "));
    assert!(error.starts_with("hub.toml:7:1: unknown field `pin_code`, expected one of `host`, `port`"), "{error}");
    let error = refused(&GOOD.replace("00112233", "0011223g"));
    assert!(error.starts_with("hub.toml:7: relay.pin is 0011223g"), "{error}");
    let error = refused(&GOOD.replace("name = \"Garden\"", "name = \"Door\""));
    assert_eq!(error, "hub.toml:16: camera.name is Door; allowed: a name that no other camera has");
    let error = refused(&format!("heartbeat_s = \"often\"\n{GOOD}"));
    assert!(error.starts_with("hub.toml:1:15: invalid type: string \"often\", expected u64"), "{error}");
    let error = refused("name = \"x\"");
    assert!(error.contains("missing field `relay`"), "{error}");
    let error = refused("[relay]\nhost = \"h\"");
    assert!(error.starts_with("hub.toml:1: relay.pin is nothing; allowed: `pin ="), "{error}");
}

#[test]
fn a_password_never_shows() {
    let error = refused(&GOOD.replace("rtsp://192.168.1.21", "rtsp://admin:hunter2@192.168.1.21"));
    assert!(error.contains("camera.url") && !error.contains("hunter2"), "{error}");
    let config = parse(GOOD).unwrap();
    assert!(!format!("{config:?}").contains("secret-word"));
}

#[test]
fn a_missing_password_file_is_named_with_its_camera() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let text = GOOD.replace("password = \"secret-word\"", "password_file = \"door.password\"");
    std::fs::write(&file, &text).unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert!(error.contains("camera 1 ('Door')") && error.contains("door.password"), "{error}");
    std::fs::write(folder.path().join("door.password"), "word\nmore").unwrap();
    assert_eq!(Config::load(&file).unwrap().cameras[0].password().unwrap().as_str(), "word");
}
