//! `privet-relay doctor` on good and bad set-ups: every line says how it stands and, unless well, what to do.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use privet_relay::storage::Shared;
use privet_relay::{Config, Server};

use crate::common::postgres::Postgres;
use crate::common::s3::S3;
use crate::pages;

/// What it finds with this text as its configuration: exit code, and each thing with its verdicts and words.
fn doctor(dir: &Path, text: &str) -> (i32, Vec<(String, String, String)>) {
    let file = dir.join("relay.toml");
    fs::write(&file, text).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_privet-relay"));
        command.arg("doctor").arg("--config").arg(&file).args(more).env_remove("RUST_LOG").output().unwrap()
    };
    let (lines, json) = (run(&[]), run(&["--json"]));
    assert_eq!(lines.status.code(), json.status.code());
    let json: Vec<serde_json::Value> = serde_json::from_slice(&json.stdout).unwrap();
    let of = |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings: Vec<_> = json.iter().map(|f| (of(f, "what"), of(f, "verdict"), of(f, "words"))).collect();
    let lines_code = lines.status.code().unwrap();
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert_eq!(lines.lines().count(), findings.len(), "{lines}");
    for (line, (what, verdict, words)) in lines.lines().zip(&findings) {
        assert!(line.starts_with(verdict.as_str()) && line.contains(what.as_str()), "{line}");
        // Numbers, such as the room on the disk, may differ between two runs.
        let differs = ["room", "files", "connections", "nodes"].contains(&what.as_str());
        assert!(differs || line.ends_with(words.as_str()), "{line}");
    }
    (lines_code, findings)
}

fn find<'a>(findings: &'a [(String, String, String)], what: &str) -> Vec<(&'a str, &'a str)> {
    findings
        .iter()
        .filter(|(of, ..)| of == what)
        .map(|(_, verdict, words)| (verdict.as_str(), words.as_str()))
        .collect()
}

fn good(dir: &Path) -> String {
    format!("listen = '127.0.0.1:0'\ndata = {:?}\n[limits]\nfree_bytes = 0\nstored_bytes = 1048576\n", dir.join("data"))
}

#[test]
fn a_good_set_up_has_nothing_that_fails_and_is_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (code, findings) = doctor(dir.path(), &good(dir.path()));
    assert_eq!(code, 0, "{findings:?}");
    assert!(!dir.path().join("data").exists(), "it makes nothing");
    for what in ["config", "address", "identity", "data", "room", "clock"] {
        assert!(find(&findings, what).iter().all(|(verdict, _)| *verdict == "ok"), "{what}: {findings:?}");
        assert!(!find(&findings, what).is_empty(), "{what}: {findings:?}");
    }
    // What these say depends on the machine.
    assert_eq!((find(&findings, "files").len(), find(&findings, "buffers").len()), (1, 1));
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::set_permissions(dir.path().join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    let (code, findings) = doctor(dir.path(), &good(dir.path()));
    assert_eq!((code, find(&findings, "rights").len()), (0, 1), "{findings:?}");
    assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 0, "it leaves nothing");
}

#[test]
fn a_configuration_that_cant_be_used_is_told_with_its_line_and_the_machine_is_looked_at_still() {
    let dir = tempfile::tempdir().unwrap();
    let (code, findings) = doctor(dir.path(), "listen = 'everywhere'\n");
    let [(verdict, words)] = find(&findings, "config")[..] else { panic!("{findings:?}") };
    assert!((code, verdict) == (1, "fail") && words.contains("relay.toml:1: listen is 'everywhere'"), "{words}");
    assert_eq!(find(&findings, "clock").len(), 1);
    assert_eq!(find(&findings, "address").len(), 0);
}

#[test]
fn an_address_in_use_a_certificate_at_its_end_and_open_key_files_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(data.join("push.key"), [0; 32]).unwrap();
    fs::set_permissions(data.join("push.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let files = pages::certificate(dir.path(), 2001);
    let text = format!(
        "listen = '{}'\ndata = {data:?}\n[certificate]\nchain = {:?}\nkey = {:?}\n[limits]\nfree_bytes = {}\n[metrics]\nlisten = '0.0.0.0:0'\n",
        other.local_addr().unwrap(),
        files.chain,
        files.key,
        i64::MAX,
    );
    let (code, findings) = doctor(dir.path(), &text);
    assert_eq!(code, 1);
    for (what, verdict, words) in [
        ("address", "warn", "in use"),
        ("metrics", "warn", "whoever reaches"),
        ("certificate", "fail", "expired"),
        ("room", "fail", "make room"),
    ] {
        let found = find(&findings, what);
        assert!(found.len() == 1 && found[0].0 == verdict && found[0].1.contains(words), "{what}: {found:?}");
    }
    let rights = find(&findings, "rights");
    assert_eq!(rights.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), ["warn", "fail"], "{rights:?}");
    assert!(rights[1].1.contains("chmod go=") && rights[1].1.contains("push.key"), "{rights:?}");

    let gone = text.replace(&format!("listen = '{}'", other.local_addr().unwrap()), "listen = '192.0.2.1:4433'");
    let (_, findings) = doctor(dir.path(), &gone);
    assert!(find(&findings, "address")[0].0 == "fail" && find(&findings, "address")[0].1.contains("no address"));
    let nowhere = good(dir.path()).replace("/data\"", "/relay.toml\"");
    let (code, findings) = doctor(dir.path(), &nowhere);
    assert!(code == 1 && find(&findings, "data")[0].1.contains("is no directory"), "{findings:?}");
}

/// A good one with this in `[storage]`.
fn shared(dir: &Path, storage: &str) -> String {
    format!("{}[storage]\nkind = 'postgres'\n{storage}\n", good(dir))
}

/// Keeps things in the PostgreSQL that is reached like this, and bodies in a directory.
fn places(dir: &Path, reached: &str) -> String {
    format!("postgres = {reached:?}\nobjects = 'file://{}'", dir.join("objects").display())
}

/// The configuration of the last look.
fn config(dir: &Path) -> Config {
    Config::read(&dir.join("relay.toml")).unwrap()
}

/// One finding of this, with this verdict and these words.
fn says(findings: &[(String, String, String)], what: &str, verdict: &str, words: &str) {
    let found = find(findings, what);
    assert!(found.iter().any(|(is, said)| *is == verdict && said.contains(words)), "{what}, {words}: {findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_relays_share_is_looked_at_and_left_as_it_was() {
    let (dir, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    let text = shared(dir.path(), &places(dir.path(), &postgres.reached));
    let objects = dir.path().join("objects");
    let all_is_well = || {
        let (code, findings) = doctor(dir.path(), &text);
        assert_eq!(code, 0, "{findings:?}");
        for what in ["postgres", "tables", "clock", "connections", "objects", "room"] {
            let found = find(&findings, what);
            assert!(!found.is_empty() && found.iter().all(|(verdict, _)| *verdict == "ok"), "{what}: {findings:?}");
        }
        findings
    };
    let findings = all_is_well();
    says(&findings, "tables", "ok", "not there yet");
    says(&findings, "objects", "ok", "not there yet");
    assert_eq!(find(&findings, "clock").len(), 2, "this machine's and PostgreSQL's");
    assert_eq!(postgres.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0", "it makes nothing");
    assert!(!objects.exists(), "it makes nothing");

    drop(Shared::open(&config(dir.path()).storage).await.unwrap());
    let findings = all_is_well();
    says(&findings, "tables", "ok", "version 1");
    says(&findings, "objects", "ok", "written, read and removed");
    assert_eq!(fs::read_dir(&objects).unwrap().count(), 0, "it leaves nothing");
}

#[test]
fn a_database_that_is_away_or_closed_is_told_with_the_next_step_and_without_the_password() {
    const RIGHT: &str = "the-right-one-7";
    const WRONG: &str = "hunter-wrong-7";
    let (dir, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    postgres.ask("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    postgres.ask(&format!("CREATE ROLE guarded LOGIN PASSWORD '{RIGHT}'"));
    postgres.guard("guarded");
    let look = |password: &str| {
        let reached = postgres.reached.replace("user=privet", "user=guarded");
        let file = dir.path().join("postgres");
        fs::write(&file, format!("{reached} {password}\n")).unwrap();
        let storage = format!("postgres_file = {file:?}\nobjects = 'file://{}'", dir.path().join("objects").display());
        let (code, findings) = doctor(dir.path(), &shared(dir.path(), &storage));
        let secret = findings.iter().any(|(_, _, words)| words.contains(RIGHT) || words.contains(WRONG));
        assert!(!secret, "{findings:?}");
        (code, findings)
    };
    for password in [format!("password={WRONG}"), String::new()] {
        let (code, findings) = look(&password);
        assert_eq!(code, 1);
        says(&findings, "postgres", "fail", "user guarded");
        says(&findings, "postgres", "fail", "pg_hba.conf");
        // The rest is looked at all the same.
        says(&findings, "objects", "ok", "not there yet");
        assert_eq!(find(&findings, "tables").len(), 0);
    }

    let right = format!("password={RIGHT}");
    let (code, findings) = look(&right);
    assert_eq!(code, 1);
    says(&findings, "postgres", "ok", "durable");
    says(&findings, "tables", "fail", "GRANT CREATE ON SCHEMA public");
    postgres.ask("GRANT CREATE ON SCHEMA public TO guarded");
    let (code, findings) = look(&right);
    assert_eq!(code, 0, "{findings:?}");
    postgres.ask("CREATE TABLE entry (key bytea PRIMARY KEY, value bytea NOT NULL)");
    let (code, findings) = look(&right);
    assert_eq!(code, 1);
    says(&findings, "tables", "fail", "entry are another user's");

    postgres.stop();
    let (code, findings) = look(&right);
    assert_eq!(code, 1);
    says(&findings, "postgres", "fail", "see that it runs there");
    says(&findings, "objects", "ok", "not there yet");
    postgres.start_again();
    let nowhere = postgres.reached.replace("dbname=postgres", "dbname=nowhere");
    let (_, findings) = doctor(dir.path(), &shared(dir.path(), &places(dir.path(), &nowhere)));
    says(&findings, "postgres", "fail", "createdb");
}

#[test]
fn a_database_that_forgets_is_too_small_or_of_a_later_relay_is_found() {
    let (dir, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    postgres.ask("ALTER SYSTEM SET fsync = off");
    postgres.ask("ALTER SYSTEM SET max_connections = 12");
    postgres.ask("CREATE TABLE schema (version bigint NOT NULL)");
    postgres.ask("INSERT INTO schema (version) VALUES (99)");
    postgres.stop();
    postgres.start_again();
    let (code, findings) = doctor(dir.path(), &shared(dir.path(), &places(dir.path(), &postgres.reached)));
    assert_eq!(code, 1);
    says(&findings, "postgres", "fail", "fsync = on");
    says(&findings, "tables", "fail", "version 99");
    says(&findings, "connections", "warn", "max_connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_that_takes_nothing_is_told_without_its_keys() {
    const NOBODY: &str = "secret-of-nobody-7";
    let (dir, postgres, s3) = (tempfile::tempdir().unwrap(), Postgres::start(), S3::start().await);
    let mut storage = Config::default().storage;
    s3.keep_bodies(&mut storage);
    let (objects, endpoint) = (storage.objects.unwrap(), storage.s3_endpoint.unwrap());
    let look = |endpoint: &str, keys: &Path| {
        let text = format!(
            "postgres = {:?}\nobjects = {objects:?}\ns3_endpoint = {endpoint:?}\ns3_region = 'us-east-1'\ns3_keys = {keys:?}",
            postgres.reached,
        );
        doctor(dir.path(), &shared(dir.path(), &text))
    };
    let keys = storage.s3_keys.unwrap();
    let (code, findings) = look(&endpoint, &keys);
    assert_eq!(code, 0, "{findings:?}");
    says(&findings, "objects", "ok", "bucket bodies at 127.0.0.1");
    assert_eq!((find(&findings, "room").len(), s3.objects()), (0, 0));

    let wrong = dir.path().join("keys");
    fs::write(&wrong, format!("AKIAPRIVETTEST\n{NOBODY}\n")).unwrap();
    let (code, findings) = look(&endpoint, &wrong);
    assert_eq!(code, 1);
    says(&findings, "objects", "fail", "storage.s3_keys");
    let secret = |words: &str| words.contains("AKIAPRIVETTEST") || words.contains(NOBODY);
    assert!(!findings.iter().any(|(_, _, words)| secret(words)), "{findings:?}");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, findings) = look(&format!("http://me:{NOBODY}@{closed}"), &keys);
    assert_eq!(code, 1);
    says(&findings, "objects", "fail", "storage.s3_endpoint");
    assert!(!findings.iter().any(|(_, _, words)| secret(words)), "{findings:?}");

    let file = format!("postgres = {:?}\nobjects = 'file://{}'", postgres.reached, wrong.display());
    let (_, findings) = doctor(dir.path(), &shared(dir.path(), &file));
    says(&findings, "objects", "fail", "is no directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_looked_for_where_the_others_look_for_it() {
    let (dir, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    let free = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = free();
    let look = |address: SocketAddr, secret: &str| {
        let file = dir.path().join("secret");
        fs::write(&file, secret.repeat(40)).unwrap();
        let store = shared(dir.path(), &places(dir.path(), &postgres.reached));
        doctor(
            dir.path(),
            &format!("{store}[nodes]\nlisten = '{listen}'\naddress = '{address}'\nsecret_file = {file:?}\n"),
        )
    };
    let (_, findings) = look(free(), "s");
    says(&findings, "nodes", "warn", "nodes.address");
    let (code, findings) = look(listen, "s");
    assert_eq!(code, 0, "{findings:?}");
    says(&findings, "nodes", "ok", "which is free");
    says(&findings, "nodes", "ok", "no other one");

    let server = Server::start(config(dir.path())).await.unwrap();
    let (code, findings) = look(listen, "s");
    assert_eq!(code, 0, "{findings:?}");
    says(&findings, "nodes", "ok", &format!("answers at {listen}"));
    says(&findings, "nodes", "ok", "no other one");
    // One that says it is there and is not, and one that said so an hour ago for the last time.
    let gone = free();
    let rows =
        [(1, gone.to_string(), "now() + interval '1 hour'"), (2, "10.0.0.9:1".into(), "now() - interval '1 hour'")];
    for (id, address, heard) in rows {
        postgres.ask(&format!(
            "INSERT INTO node (id, address, version, identity, push_key, heard) SELECT decode(repeat('0{id}', 16), 'hex'), \
             '{address}', version, identity, push_key, {heard} FROM node LIMIT 1"
        ));
    }
    let (code, findings) = look(listen, "s");
    assert_eq!(code, 0, "the relay runs: {findings:?}");
    says(&findings, "nodes", "warn", &format!("{gone} says to PostgreSQL that it is there, and does not answer"));
    says(&findings, "nodes", "warn", "10.0.0.9:1 was heard of 60 min ago");
    let (code, findings) = look(listen, "another");
    assert_eq!(code, 1);
    says(&findings, "nodes", "fail", "another secret");
    server.shutdown().await;
}
