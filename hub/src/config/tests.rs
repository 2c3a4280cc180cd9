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
fn what_is_kept_of_a_camera_is_one_of_three_words() {
    assert_eq!(parse(GOOD).unwrap().cameras[1].record, Record::Events);
    for (word, record) in [("events", Record::Events), ("continuous", Record::Continuous), ("off", Record::Off)] {
        let text = GOOD.replace("motion = false", &format!("record = \"{word}\""));
        assert_eq!(parse(&text).unwrap().cameras[1].record, record);
    }
    let said = mistake("motion = false", "record = \"always\"");
    let allowed = "allowed: \"events\", \"continuous\" or \"off\"";
    assert!(said.contains(":18: camera.record") && said.contains(allowed), "{said}");
}

/// What a file says that is [`GOOD`] with one text put in the place of another.
fn mistake(good: &str, bad: &str) -> String {
    assert!(GOOD.contains(good), "{good}");
    refused(&GOOD.replacen(good, bad, 1))
}

#[test]
fn every_mistake_is_named_by_file_line_key_and_what_is_allowed() {
    // "hunter2" stands for what no error may repeat.
    for (good, bad, said) in [
        ("name = \"Cottage\"", "name = 5", ":2: name is 5; allowed: 1 to 64 characters, in quotes"),
        (
            "name = \"Cottage\"",
            "name = ''",
            ":2: name is a text of 0 characters; allowed: 1 to 64 characters, in quotes",
        ),
        (
            "name = \"Cottage\"",
            "name = \"a\\u0000b\"",
            ":2: name is a text with control characters; allowed: 1 to 64 characters, in quotes",
        ),
        (
            "name = \"Cottage\"",
            "nam = 'Cottage'",
            ":2: nam is not a key; allowed: name, data_dir, relay, recording, log, camera, constant_rate, notifications, mqtt, metrics, heartbeat_s",
        ),
        (
            "name = \"Cottage\"",
            "name = Cottage",
            ":2:8: not TOML at `name`: string values must be quoted, expected literal string; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "name = \"Cottage\"",
            "name: 'Cottage'",
            ":2:7: not TOML at `name`: key with no value, expected `=`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "name = \"Cottage\"",
            "name = 'a'\nname = 'b'",
            ":3:1: not TOML at `name`: duplicate key; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "name = \"Cottage\"",
            "heartbeat_s = 'often'",
            ":2: heartbeat_s is 'often'; allowed: a whole number from 1 to 86400",
        ),
        ("name = \"Cottage\"", "heartbeat_s = 0", ":2: heartbeat_s is 0; allowed: a whole number from 1 to 86400"),
        (
            "name = \"Cottage\"",
            "log = 'a=b=c'",
            r#":2: log is "a=b=c"; allowed: error, warn, info, debug, trace, or directives such as privet_hub=debug, in quotes"#,
        ),
        ("name = \"Cottage\"", "recording = 5", ":2: recording is 5; allowed: a table, `[recording]`"),
        (
            "name = \"Cottage\"",
            "recording.pre_roll_s = 61",
            ":2: recording.pre_roll_s is 61; allowed: a whole number from 0 to 60",
        ),
        (
            "name = \"Cottage\"",
            "recording = { max_clip_s = 1e3 }",
            ":2: recording.max_clip_s is 1e3; allowed: a whole number from 10 to 3600",
        ),
        (
            "name = \"Cottage\"",
            "recording.post_roll_s = -1",
            ":2: recording.post_roll_s is -1; allowed: a whole number from 1 to 300",
        ),
        (
            "name = \"Cottage\"",
            "recording.pre_roll = 5",
            ":2: recording.pre_roll is not a key; allowed: pre_roll_s, post_roll_s, max_clip_s, free_space_floor_mib, pre_roll_mib, keep_days, keep_gib, relay_keeps_days",
        ),
        ("data_dir = \"/tmp/privet\"", "data_dir = ''", ":3: data_dir is empty; allowed: a directory, in quotes"),
        ("data_dir = \"/tmp/privet\"", "data_dir = true", ":3: data_dir is true; allowed: a directory, in quotes"),
        (
            "host = \"relay.example.org\"",
            "",
            r#":5: relay.host is missing; allowed: a host name or an IP address in quotes, such as "relay.example.org"; the port goes to relay.port"#,
        ),
        (
            "host = \"relay.example.org\"",
            "host = ''",
            r#":6: relay.host is ""; allowed: a host name or an IP address in quotes, such as "relay.example.org"; the port goes to relay.port"#,
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'relay.example.org:4433'",
            r#":6: relay.host is "relay.example.org:4433"; allowed: a host name or an IP address in quotes, such as "relay.example.org"; the port goes to relay.port"#,
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'https://relay.example.org'",
            r#":6: relay.host is "https://relay.example.org"; allowed: a host name or an IP address in quotes, such as "relay.example.org"; the port goes to relay.port"#,
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\nport = 0",
            ":7: relay.port is 0; allowed: a whole number from 1 to 65535",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\nport = 70000",
            ":7: relay.port is 70000; allowed: a whole number from 1 to 65535",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\nport = '4433'",
            ":7: relay.port is '4433'; allowed: a whole number from 1 to 65535",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\nwebpki = true",
            ":7: relay.webpki is true beside a relay.pin; allowed: true or false; either relay.pin or relay.webpki = true",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\nwebpki = 'yes'",
            ":7: relay.webpki is 'yes'; allowed: true or false; either relay.pin or relay.webpki = true",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\ninvite = 12345",
            ":7: relay.invite is of type integer; allowed: a text in quotes: what the relay's operator gave you",
        ),
        (
            "host = \"relay.example.org\"",
            "host = 'h'\ninvite = ''",
            ":7: relay.invite is empty; allowed: a text in quotes: what the relay's operator gave you",
        ),
        (
            "00112233445566778899",
            "0011223344556677889g",
            r#":7: relay.pin is "0011223344556677889gaabbccddeeff00112233445566778899aabbccddeeff"; allowed: 64 hexadecimal digits in quotes, as `privet-relay` prints them at its start, or relay.webpki = true"#,
        ),
        (
            "00112233445566778899",
            "",
            r#":7: relay.pin is "aabbccddeeff00112233445566778899aabbccddeeff"; allowed: 64 hexadecimal digits in quotes, as `privet-relay` prints them at its start, or relay.webpki = true"#,
        ),
        ("pin = ", "pin_code = ", ":7: relay.pin_code is not a key; allowed: host, pin, webpki, invite, port"),
        (
            "pin = ",
            "# pin = ",
            ":5: relay.pin is missing; allowed: 64 hexadecimal digits in quotes, as `privet-relay` prints them at its start, or relay.webpki = true",
        ),
        (
            "[relay]",
            "[relays]",
            ":5: relays is not a key; allowed: name, data_dir, relay, recording, log, camera, constant_rate, notifications, mqtt, metrics, heartbeat_s",
        ),
        ("[relay]", "[[relay]]", ":5: relay is of type array; allowed: a table, `[relay]`, with host and pin"),
        (
            "[relay]",
            "[relay",
            ":5:7: not TOML at `[relay`: unclosed table, expected `]`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "[[camera]]",
            "[camera]",
            ":15:3: not TOML at `[[camera]]`: duplicate key; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "url = \"rtsp://192.168.1.20/stream1\"",
            "",
            r#":9: camera.url is missing; allowed: "rtsp://host[:port]/path", without user and password"#,
        ),
        (
            "rtsp://192.168.1.20/stream1",
            "rtsp://admin:hunter2@192.168.1.20/",
            ":11: camera.url is a URL with user and password; allowed: a URL without them",
        ),
        (
            "rtsp://192.168.1.20/stream1",
            "rtsps://192.168.1.20/",
            ":11: camera.url is rtsps; allowed: rtsp: cameras over TLS are not supported; keep the camera's network to itself",
        ),
        (
            "rtsp://192.168.1.20/stream1",
            "http://192.168.1.20/hunter2",
            r#":11: camera.url is another URL; allowed: "rtsp://host[:port]/path", without user and password"#,
        ),
        (
            "rtsp://192.168.1.20/stream1",
            "192.168.1.20/hunter2",
            r#":11: camera.url is no URL; allowed: "rtsp://host[:port]/path", without user and password"#,
        ),
        (
            "\"rtsp://192.168.1.20/stream1\"",
            "['rtsp://admin:hunter2@192.168.1.20/']",
            r#":11: camera.url is of type array; allowed: "rtsp://host[:port]/path", without user and password"#,
        ),
        (
            "url = \"rtsp://192.168.1.20/stream1\"",
            "url = \"rtsp://192.168.1.20/stream1\"\nsub_url = \"rtsp://admin:hunter2@192.168.1.20/stream2\"",
            ":12: camera.sub_url is a URL with user and password; allowed: a URL without them",
        ),
        (
            "url = \"rtsp://192.168.1.20/stream1\"",
            "url = \"rtsp://192.168.1.20/stream1\"\nsub_url = \"hunter2\"",
            ":12: camera.sub_url is no URL; allowed: \"rtsp://host[:port]/path\" of the camera's smaller stream",
        ),
        (
            "url = \"rtsp://192.168.1.20/stream1\"",
            "url = \"rtsp://192.168.1.20/stream1\"\nsub_url = \"rtsp://192.168.1.20/stream1\"",
            ":12: camera.sub_url is camera.url again; allowed: ",
        ),
        ("username = \"hub\"", "", ":9: camera.username is missing; allowed: a text in quotes, beside the password"),
        (
            "password = \"secret-word\"",
            "password = ['hunter2']",
            ":13: camera.password is of type array; allowed: a text in quotes; either password or password_file",
        ),
        (
            "password = \"secret-word\"",
            "password = hunter2",
            ":13:12: not TOML at `password`: string values must be quoted, expected literal string; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "password = \"secret-word\"",
            "password: hunter2",
            ":13:11: not TOML at `password`: key with no value, expected `=`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "password = \"secret-word\"",
            "password = ''",
            ":13: camera.password is empty; allowed: a text in quotes; either password or password_file",
        ),
        (
            "password = \"secret-word\"",
            "password = 'hunter2'\npassword_file = 'f'",
            ":14: camera.password_file is a second password; allowed: a file, relative to the configuration, whose first line is the password; either password or password_file",
        ),
        (
            "password = \"secret-word\"",
            "passwort = 'hunter2'",
            ":13: camera.passwort is not a key; allowed: name, url, sub_url, username, password, password_file, audio, motion, record, sensitivity, zones, masks, detector",
        ),
        (
            "name = \"Garden\"",
            "name = 'Door'",
            r#":16: camera.name is "Door" a second time; allowed: 1 to 64 characters in quotes, a name that no other camera has"#,
        ),
        (
            "name = \"Garden\"",
            "",
            ":15: camera.name is missing; allowed: 1 to 64 characters in quotes, a name that no other camera has",
        ),
        ("motion = false", "motion = 'no'", ":18: camera.motion is 'no'; allowed: true or false"),
        (
            "motion = false",
            "sensitivity = 11",
            ":18: camera.sensitivity is 11; allowed: \"low\", \"medium\" or \"high\"; of the numbers of old",
        ),
        (
            "motion = false",
            "sensitivity = 300",
            ":18: camera.sensitivity is 300; allowed: \"low\", \"medium\" or \"high\"; of the numbers of old",
        ),
        (
            "motion = false",
            "fps = 15",
            ":18: camera.fps is not a key; allowed: name, url, sub_url, username, password, password_file, audio, motion, record, sensitivity, zones, masks, detector",
        ),
    ] {
        let error = mistake(good, bad);
        assert!(error.starts_with(&format!("hub.toml{said}")), "{bad:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = refused("relay.host = 'h'\nrelay.webpki = true\ncamera = ['rtsp://hub:hunter2@h/']");
    assert!(error.starts_with("hub.toml:3: camera is of type array; allowed: tables, `[[camera]]`"), "{error}");
    assert!(refused("").starts_with("hub.toml:1: relay is missing; allowed: a table"), "{}", refused(""));
}

#[test]
fn a_password_never_shows() {
    let error = refused(&GOOD.replace("rtsp://192.168.1.21", "rtsp://admin:hunter2@192.168.1.21"));
    assert!(error.contains("camera.url") && !error.contains("hunter2"), "{error}");
    let config = parse(&GOOD.replace("[relay]", "[relay]\ninvite = \"come-in\"")).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret-word") && !shown.contains("come-in"), "{shown}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    let name = file.display().to_string();
    let said = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        Config::load(&file).unwrap_err().to_string().replace(&name, "hub.toml")
    };
    let missing = Config::load(&file).unwrap_err().to_string();
    let start = format!("{name}: can't be read: No such file or directory");
    assert!(missing.starts_with(&start) && missing.contains("allowed: a file of TOML"), "{missing}");
    let error = Config::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("can't be read: Is a directory"), "{error}");
    let error = said(b"log = 'info'\nname = 'H\xfctte'\n");
    assert!(error.starts_with("hub.toml:2:10: not TOML at `name`: not UTF-8 text; allowed: "), "{error}");
    let utf_16: Vec<u8> = "\u{feff}name = 'x'".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(said(&utf_16).starts_with("hub.toml:1:1: not TOML: not UTF-8 text; allowed: "));
    std::fs::write(&file, format!("\u{feff}{}", GOOD.replace('\n', "\r\n"))).unwrap();
    assert!(Config::load(&file).is_ok(), "a mark in front and the line ends of Windows are taken");
    let text = GOOD.replace("password = \"secret-word\"", "password_file = \"door.password\"");
    let start = format!("hub.toml:13: camera.password_file is {}", folder.path().join("door.password").display());
    let error = said(text.as_bytes());
    assert!(error.starts_with(&start) && error.contains("(No such file"), "{error}");
    assert!(error.contains("; allowed: a file, relative to the configuration, "), "{error}");
    std::fs::write(folder.path().join("door.password"), "\nword").unwrap();
    assert!(said(text.as_bytes()).contains("door.password (its first line is empty); allowed: "));
    std::fs::write(folder.path().join("door.password"), "word\nmore").unwrap();
    assert_eq!(Config::load(&file).unwrap().cameras[0].password().unwrap().as_str(), "word");
}

#[test]
fn every_key_is_known_to_the_errors() {
    for (text, table) in [
        ("x = 1", ""),
        ("[relay]\nx = 1", "relay."),
        ("[recording]\nx = 1", "recording."),
        ("[[camera]]\nx = 1", "camera."),
    ] {
        let error = toml::from_str::<Config>(text).unwrap_err();
        let keys = error.message().split_once("expected one of ").unwrap().1.replace('`', "");
        for key in keys.split(", ") {
            assert!(FORM.allowed(&format!("{table}{key}")).is_some(), "{table}{key}");
        }
    }
}
