#![allow(clippy::unwrap_used)]
use super::*;

fn refused(text: &str) -> String {
    Config::parse("relay.toml", text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(Config::parse("relay.toml", "").unwrap(), Config::default());
    assert_eq!(Config::parse("relay.toml", "\u{feff}# with a mark in front\r\n").unwrap(), Config::default());
}

#[test]
fn every_mistake_is_named_by_file_line_key_and_what_is_allowed() {
    // "hunter2" stands for what no error may repeat.
    for (text, said) in [
        (
            "data = '/tmp'\nlisten = 'everywhere'",
            r#":2: listen is 'everywhere'; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        (
            "listen = 'localhost:4433'",
            r#":1: listen is 'localhost:4433'; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        (
            "listen = '[::]'",
            r#":1: listen is '[::]'; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        (
            "listen = 4433",
            r#":1: listen is 4433; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        (
            "[listen]\nport = 1",
            r#":1: listen is of type table; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        (
            "listen = '[::]:70000'",
            r#":1: listen is '[::]:70000'; allowed: an IP address and a UDP port in quotes, such as "[::]:4433" or "0.0.0.0:4433""#,
        ),
        ("data = 5", ":1: data is 5; allowed: a directory, in quotes"),
        ("data = ''", ":1: data is empty; allowed: a directory, in quotes"),
        ("date = '/tmp'", ":1: date is not a key; allowed: listen, data, certificate, homes, limits, log"),
        (
            "data = '/tmp'\n[limit]\nkeys = 3",
            ":2: limit is not a key; allowed: listen, data, certificate, homes, limits, log",
        ),
        (
            "data = '/tmp'\n[limits]\n  stored = 3",
            ":3: limits.stored is not a key; allowed: stored_bytes, segment_bytes, free_bytes",
        ),
        ("limits.stored = 3", ":1: limits.stored is not a key; allowed: stored_bytes, segment_bytes, free_bytes"),
        ("limits = 3", ":1: limits is 3; allowed: a table, `[limits]`"),
        ("[[limits]]\nkeys = 3", ":1: limits is [[limits]]; allowed: a table, `[limits]`"),
        (
            "\n[limits]\nhello_ms = 1",
            ":3: limits.hello_ms is 1; allowed: a whole number from 100 to 9223372036854775807",
        ),
        ("limits = { keys = 0 }", ":1: limits.keys is 0; allowed: a whole number from 1 to 9223372036854775807"),
        ("[limits]\nkeys = -1", ":2: limits.keys is -1; allowed: a whole number from 1 to 9223372036854775807"),
        ("[limits]\nkeys = 1.5", ":2: limits.keys is 1.5; allowed: a whole number from 1 to 9223372036854775807"),
        ("[limits]\nkeys = '64'", ":2: limits.keys is '64'; allowed: a whole number from 1 to 9223372036854775807"),
        (
            "[limits]\nconnects_per_s = 4294967296",
            ":2: limits.connects_per_s is 4294967296; allowed: a whole number from 1 to 4294967295",
        ),
        (
            "[limits]\nstored_bytes = 99999999999999999999",
            ":2: limits.stored_bytes is 99999999999999999999; allowed: a whole number from 1048576 to 9223372036854775807",
        ),
        (
            "[limits]\nstored_bytes = 4 GiB",
            ":2:16: not TOML at `stored_bytes`: string values must be quoted, expected literal string; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "[homes]\npolicy = 'invites'",
            r#":2: homes.policy is 'invites'; allowed: "open", "invite", "token" with homes.token_file, or "proof-of-work""#,
        ),
        (
            "[homes]\npolicy = 'token'",
            r#":2: homes.policy is "token", and no file of tokens is named; allowed: "open", "invite", "token" with"#,
        ),
        (
            "[homes]\npolicy = 'proof-of-work'\nwork_bits = 29",
            ":3: homes.work_bits is 29; allowed: a whole number from 1 to 28",
        ),
        (
            "[homes]\ninvites = ['hunter2']",
            ":2: homes.invites is a list with a text of 7 characters; allowed: a list of texts of at least 16 characters each",
        ),
        (
            "[homes]\ninvites = 'hunter2 hunter2 hunter2'",
            ":2: homes.invites is of type string; allowed: a list of texts of at least 16 characters each",
        ),
        (
            "[homes]\ninvites = ['hunter2 hunter2 hunter2', 3]",
            ":2: homes.invites is of type array; allowed: a list of texts of at least 16 characters each",
        ),
        ("[homes]\nmost = true", ":2: homes.most is true; allowed: a whole number from 0 to 9223372036854775807"),
        (
            "[certificate]\nchain = 'c.pem'",
            ":1: certificate.key is missing; allowed: a PEM file in quotes: the private key of the first certificate in chain",
        ),
        ("certificate = 'c.pem'", ":1: certificate is 'c.pem'; allowed: a table, `[certificate]`, with chain and key"),
        (
            "[log]\nfilter = 'a=b=c'",
            r#":2: log.filter is "a=b=c"; allowed: error, warn, info, debug, trace, or directives such as privet_relay=debug, in quotes"#,
        ),
        (
            "[log]\nfilter = ''",
            r#":2: log.filter is ""; allowed: error, warn, info, debug, trace, or directives such as privet_relay=debug, in quotes"#,
        ),
        ("[log]\nformat = 'xml'", r#":2: log.format is 'xml'; allowed: "text" or "json""#),
        ("[log]\naddresses = 'yes'", ":2: log.addresses is 'yes'; allowed: true or false"),
        ("[log]\nreceived = ''", ":2: log.received is empty; allowed: a directory, in quotes"),
        ("metrics = true", ":1: metrics is true; allowed: a table, `[metrics]`"),
        ("[metrics]\nlisten = 9465", ":2: metrics.listen is 9465; allowed: an address with a port in quotes"),
        ("[metrics]\nport = 9465", ":2: metrics.port is not a key; allowed: listen"),
        (
            "[drain]\nto = ['relay.example:4433']",
            ":2: drain.to is ['relay.example:4433']; allowed: a list of at most four IP addresses with ports in quotes",
        ),
        ("[drain]\nto = '203.0.113.7:4433'", ":2: drain.to is '203.0.113.7:4433'; allowed: a list of at most four"),
        ("[drain]\nto = ['[::]:4433']", ":2: drain.to is a list with \"[::]:4433\"; allowed: a list of at most four"),
        ("[drain]\nto = ['224.0.0.1:4433']", ":2: drain.to is a list with \"224.0.0.1:4433\"; allowed: a list of"),
        ("[drain]\nto = ['203.0.113.7:0']", ":2: drain.to is a list with \"203.0.113.7:0\"; allowed: a list of"),
        (
            "drain = { to = ['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1', '10.0.0.5:1'] }",
            ":1: drain.to is a list of 5 addresses; allowed: a list of at most four",
        ),
        ("[drain]\nafter_ms = 60001", ":2: drain.after_ms is 60001; allowed: a whole number from 0 to 60000"),
        ("[drain]\nat = 1", ":2: drain.at is not a key; allowed: to, after_ms"),
        ("[limits]\ndrain_s = 3601", ":2: limits.drain_s is 3601; allowed: a whole number from 0 to 3600"),
        ("push = true", ":1: push is true; allowed: a table, `[push]`"),
        ("[push]\ngcm = 1", ":2: push.gcm is not a key; allowed: authorities, fcm, web_push, apns, patience_ms"),
        ("[push]\npatience_ms = 1", ":2: push.patience_ms is 1; allowed: a whole number from 100 to 60000"),
        (
            "[push.fcm]\nendpoint = 'https://x'",
            ":1: push.fcm.service_account is missing; allowed: a JSON file in quotes: the key of a service account",
        ),
        (
            "[push.fcm]\nservice_account = 'x'\nurl = 'x'",
            ":3: push.fcm.url is not a key; allowed: service_account, endpoint",
        ),
        ("[push.web_push]\nsubject = 5", ":2: push.web_push.subject is 5; allowed: \"mailto:\" and an address"),
        (
            "[push.apns]\nkey = 'x'\nkey_id = 'x'",
            ":1: push.apns.team_id is missing; allowed: the team's id in quotes: ten letters and digits",
        ),
        (
            "data = /tmp",
            ":1:8: not TOML at `data`: string values must be quoted, expected literal string; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "data '/tmp'",
            ":1:6: not TOML at `data`: key with no value, expected `=`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "data = '/tmp",
            ":1:13: not TOML at `data`: invalid literal string, expected `'`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "data = 'a'\ndata = 'b'",
            ":2:1: not TOML at `data`: duplicate key; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "[log]\n[homes]\n[log]",
            ":3:2: not TOML at `[log]`: duplicate key; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "[limits\nkeys = 3",
            ":1:8: not TOML at `[limits`: unclosed table, expected `]`; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "{\"listen\": \"[::]:4433\"}",
            ":1:1: not TOML: invalid key-value pair, expected key; allowed: lines `key = value` and `[table]`, each once",
        ),
        (
            "listen: '[::]:4433'",
            ":1:9: not TOML at `listen`: key with no value, expected `=`; allowed: lines `key = value` and `[table]`, each once",
        ),
    ] {
        let error = refused(text);
        assert!(error.starts_with(&format!("relay.toml{said}")), "{text:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn every_key_is_known_to_the_errors() {
    let keys = |text: &str| {
        let error = toml::from_str::<Config>(text).unwrap_err();
        let listed = error.message().split_once("expected one of ").unwrap().1.replace('`', "");
        listed.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    for table in ["", "homes", "limits", "log", "push", "push.web_push", "push.apns", "storage"] {
        let (text, dot) = if table.is_empty() { ("x = 1".into(), "") } else { (format!("{table}.x = 1"), ".") };
        for key in keys(&text) {
            let key = format!("{table}{dot}{key}");
            assert!(FORM.allowed(&key).is_some(), "{key}");
        }
    }
}

#[test]
fn the_page_says_of_every_limit_what_it_is_and_its_least() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/relay-config.md");
    let page = std::fs::read_to_string(page).unwrap();
    let amount = |text: &str| {
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let of: u64 = match unit {
            "" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "hour" => 3600,
            "days" => 24 * 3600,
            other => panic!("{other}"),
        };
        number.parse::<u64>().unwrap() * of
    };
    let config = Config::default();
    for (key, of, range) in RANGES {
        let Some(limit) = key.strip_prefix("limits.") else { continue };
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| `{limit}` | ")));
        let mut cells = row.unwrap_or_else(|| panic!("{limit} is not on the page")).split(" | ");
        let said = (amount(cells.next().unwrap()), amount(cells.next().unwrap()));
        assert_eq!(said, (of(&config), *range.start()), "{limit}");
    }
}

#[test]
fn metrics_are_nowhere_without_their_table_and_on_this_machine_with_it() {
    assert_eq!(Config::parse("relay.toml", "").unwrap().metrics, None);
    let metrics = Config::parse("relay.toml", "[metrics]").unwrap().metrics.unwrap();
    assert_eq!(metrics.listen.to_string(), "127.0.0.1:9465");
}

#[test]
fn what_a_running_relay_does_not_take_is_named() {
    let running = Config::default();
    let later = |text: &str| running.needs_restart(&Config::parse("relay.toml", text).unwrap());
    assert_eq!(later(""), [""; 0]);
    assert_eq!(later("[certificate]\nchain = 'c'\nkey = 'k'\n[limits]\nkeys = 3\nmemory_bytes = 1048576"), [""; 0]);
    assert_eq!(later("[drain]\nto = ['203.0.113.7:4433']\nafter_ms = 5"), [""; 0]);
    for (text, key) in [
        ("listen = '[::]:1'", "listen"),
        ("data = '/x'", "data"),
        ("[homes]\nmost = 1", "homes"),
        ("[limits]\nfree_bytes = 1", "limits.free_bytes"),
        ("[push]\npatience_ms = 100", "push"),
        ("[log]\naddresses = true", "log"),
        ("[metrics]", "metrics"),
        ("[storage]\nnode = 'other'", "storage"),
    ] {
        assert_eq!(later(text), [key], "{text}");
    }
}

#[test]
fn a_shared_store_is_named_whole_or_refused_and_its_password_is_not_repeated() {
    let postgres = "[storage]\nkind = 'postgres'\n";
    for (text, start) in [
        ("[storage]\nkind = 'redb'".to_owned(), ":2: storage.kind is 'redb'; allowed: \"embedded\" or \"postgres\""),
        ("[storage]\npostgres = 'host=db'".to_owned(), ":1: storage.kind is \"embedded\"; allowed: \"postgres\", as"),
        (format!("{postgres}objects = 'file:///o'"), ":1: storage.postgres is missing; allowed: a connection string"),
        (
            format!("{postgres}postgres = 'host=db'\npostgres_file = '/f'\nobjects = 'file:///o'"),
            ":3: storage.postgres is there beside postgres_file; allowed: ",
        ),
        (
            format!("{postgres}postgres = 'host=db password=my hunter2'\nobjects = 'file:///o'"),
            ":3: storage.postgres is no connection string; allowed: ",
        ),
        (format!("{postgres}postgres = ['hunter2']"), ":3: storage.postgres is of type array; allowed: "),
        (format!("{postgres}postgres = 'host=db'"), ":1: storage.objects is missing; allowed: \"file:///\" and"),
        (
            format!("{postgres}postgres = 'host=db'\nobjects = 'file://o'"),
            ":4: storage.objects is \"file://o\"; allowed: ",
        ),
        (
            format!("{postgres}postgres = 'host=db'\nobjects = 's3:///o'"),
            ":4: storage.objects is \"s3:///o\"; allowed: ",
        ),
        (
            format!("{postgres}postgres = 'host=db'\nobjects = 's3://b'\ns3_endpoint = 'db:9000'"),
            ":5: storage.s3_endpoint is \"db:9000\"; allowed: an http or https address",
        ),
        (
            format!("{postgres}postgres_connections = 1\npostgres = 'host=db'\nobjects = 's3://b'"),
            ":3: storage.postgres_connections is 1; allowed: a whole number from 2 to 1000",
        ),
    ] {
        let error = refused(&text);
        assert!(error.starts_with(&format!("relay.toml{start}")), "{text:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let text = format!("{postgres}postgres = 'host=db password=hunter2'\nobjects = 's3://bucket/a/b/'");
    let config = Config::parse("relay.toml", &text).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let place = ObjectsPlace::Bucket { bucket: "bucket".into(), prefix: Some("a/b".into()) };
    assert_eq!(config.storage.objects_place(), Ok(place));
}

#[test]
fn where_clients_reach_a_node_is_an_address_or_two() {
    let text = |public: &str| {
        format!(
            "[storage]\nkind = 'postgres'\npostgres = 'host=db'\nobjects = 's3://b'\n[nodes]\nlisten = '10.0.0.1:4434'\n\
             address = '10.0.0.1:4434'\nsecret_file = '/s'\npublic_addresses = {public}\n"
        )
    };
    let nodes = |public: &str| Config::parse("relay.toml", &text(public)).unwrap().nodes.unwrap();
    assert!(nodes("[]").public_addresses.is_empty());
    assert_eq!(nodes("['203.0.113.7:4433', '[2001:db8::7]:0']").public_addresses.len(), 2);
    for (public, found) in [
        ("['0.0.0.0:4433']", "a list with \"0.0.0.0:4433\""),
        ("['203.0.113.7']", "['203.0.113.7']"),
        ("['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']", "a list of 3 addresses"),
    ] {
        let error = refused(&text(public));
        let start =
            format!("relay.toml:9: nodes.public_addresses is {found}; allowed: a list of at most two IP addresses");
        assert!(error.starts_with(&start), "{error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("relay.toml");
    let name = file.display().to_string();
    let said = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        Config::read(&file).unwrap_err().to_string().replace(&name, "relay.toml")
    };
    let missing = Config::read(&file).unwrap_err().to_string();
    let start = format!("{name}: can't be read: No such file or directory");
    assert!(missing.starts_with(&start) && missing.contains("allowed: a file of TOML"), "{missing}");
    let folder = Config::read(dir.path()).unwrap_err().to_string();
    assert!(folder.contains("can't be read: Is a directory"), "{folder}");
    let error = said(b"data = '/tmp'\nlisten = '\xff\xfe'\n");
    assert!(error.starts_with("relay.toml:2:11: not TOML at `listen`: not UTF-8 text"), "{error}");
    let utf_16: Vec<u8> = "\u{feff}data = 'x'".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(said(&utf_16).starts_with("relay.toml:1:1: not TOML: not UTF-8 text; allowed: "));
    let error = said("\u{feff}\r\nlisten = 5\r\n".as_bytes());
    assert!(error.starts_with("relay.toml:2: listen is 5; allowed: an IP address"), "{error}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("relay.toml");
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&file, format!("[certificate]\nchain = {chain:?}\nkey = {key:?}\n")).unwrap();
    let check = |line: usize, what: &str, path: &Path, cause: &str| {
        let error = Config::read(&file).unwrap_err().to_string();
        let start = format!("{}:{line}: {what} is {} (", file.display(), path.display());
        assert!(error.starts_with(&start) && error.contains(cause), "{error}");
        assert!(error.contains("); allowed: a PEM file in quotes: "), "{error}");
    };
    check(2, "certificate.chain", &chain, "No such file");
    std::fs::write(&chain, "nothing").unwrap();
    check(2, "certificate.chain", &chain, "holds no certificate");
    let mine = rcgen::generate_simple_self_signed(vec!["relay.test".into()]).unwrap();
    std::fs::write(&chain, mine.cert.pem()).unwrap();
    check(3, "certificate.key", &key, "No such file");
    std::fs::write(&key, "nothing").unwrap();
    check(3, "certificate.key", &key, "no private key");
    let other = rcgen::KeyPair::generate().unwrap();
    std::fs::write(&key, other.serialize_pem()).unwrap();
    check(3, "certificate.key", &key, "not the key of the first certificate");
    std::fs::write(&key, mine.signing_key.serialize_pem()).unwrap();
    assert!(Config::read(&file).is_ok());
}

#[test]
fn push_that_cannot_be_set_up_is_named_by_line_key_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (file, key) = (dir.path().join("relay.toml"), dir.path().join("key"));
    let said = |text: &str, held: &str| {
        std::fs::write(&key, held).unwrap();
        std::fs::write(&file, text.replace("KEY", key.to_str().unwrap())).unwrap();
        let error = Config::read(&file).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        error.replace(file.to_str().unwrap(), "relay.toml").replace(key.to_str().unwrap(), "KEY")
    };
    let p256 = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let apns = |key_id: &str, more: &str| {
        format!("[push.apns]\nkey = 'KEY'\nkey_id = '{key_id}'\nteam_id = 'ABCDEFGHIJ'\n{more}")
    };
    for (text, held, start) in [
        (
            "[push.fcm]\nservice_account = '/does/not/exist'".to_owned(),
            "",
            "relay.toml:2: push.fcm.service_account is /does/not/exist, which can't be read: No such file",
        ),
        (
            "[push.fcm]\nservice_account = 'KEY'".to_owned(),
            "{\"private_key\": \"hunter2\"}",
            "relay.toml:2: push.fcm.service_account is KEY, which is no service account key: JSON with project_id",
        ),
        (
            "[push.web_push]\nvapid_key = 'KEY'\nsubject = 'mailto:a@b'".to_owned(),
            "hunter2",
            "relay.toml:2: push.web_push.vapid_key is KEY, which holds no private key (PEM",
        ),
        (
            "[push.web_push]\nsubject = 'me'".to_owned(),
            "",
            "relay.toml:2: push.web_push.subject is \"me\", which is neither mailto: with an address nor https:; allowed: \"mailto:\"",
        ),
        (
            apns("ABC", ""),
            &p256,
            "relay.toml:3: push.apns.key_id is \"ABC\", which is not ten letters and digits; allowed: the key's id",
        ),
        (
            apns("ABCDEFGHIJ", "endpoint = 'http://apple.example'"),
            &p256,
            "relay.toml:5: push.apns.endpoint is \"http://apple.example\", which is not an https address",
        ),
        (apns("ABCDEFGHIJ", ""), "hunter2", "relay.toml:2: push.apns.key is KEY, which holds no private key"),
        (
            "[push]\nauthorities = 'KEY'".to_owned(),
            "hunter2",
            "relay.toml:2: push.authorities is KEY, which holds no certificates; allowed: a PEM file",
        ),
    ] {
        let error = said(&text, held);
        assert!(error.starts_with(start), "{error}");
    }
    std::fs::write(&key, &p256).unwrap();
    std::fs::write(&file, "[push.web_push]\nsubject = 'mailto:a@b'\n").unwrap();
    assert!(Config::read(&file).is_ok());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "looking makes nothing");
}

#[test]
fn one_of_many_needs_a_store_that_they_share_and_an_address_that_they_reach() {
    let with = |storage: &str, nodes: &str| {
        let text = format!("{storage}\n[nodes]\nlisten = '0.0.0.0:4434'\nsecret_file = '/s'\n{nodes}\n");
        Config::parse("relay.toml", &text).map_err(|error| error.to_string())
    };
    let shared = "[storage]\nkind = 'postgres'\npostgres = 'host=/run/postgresql'\nobjects = 'file:///objects'";
    let good = with(shared, "address = '10.0.0.1:4434'").unwrap().nodes.unwrap();
    assert_eq!((good.heartbeat_ms, good.lifetime_ms), (1000, 5000));
    assert!(with("", "address = '10.0.0.1:4434'").unwrap_err().contains("nodes"));
    assert!(with(shared, "address = '0.0.0.0:4434'").unwrap_err().contains("nodes.address"));
    let hasty = "address = '10.0.0.1:4434'\nlifetime_ms = 2000";
    assert!(with(shared, hasty).unwrap_err().contains("nodes.lifetime_ms"));
}
