//! `privet-relay doctor` on good and bad set-ups: every line says how it stands and, unless well, what to do.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

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
        assert!(["room", "files"].contains(&what.as_str()) || line.ends_with(words.as_str()), "{line}");
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
