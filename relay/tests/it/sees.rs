//! What a relay keeps and says, compared with `docs/reference/relay-sees.md`: the program with everything a home does, then its data
//! directory and its log, read by whoever runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use ciborium::Value;
use data_encoding::{BASE64, HEXLOWER};
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Retention, Rights, Side, Urgency};
use privet_protocol::storage::Store as _;
use privet_protocol::time::Timestamp;
use privet_push::{PushKey, PushTarget};
use privet_relay_client::{From, RelayTarget, Trust, connect};
use privet_store::DiskStore;
use rcgen::{KeyPair, PublicKeyData as _};

use crate::common::{self, PATIENCE, body, in_time, keep, key, put, put_small, stream};

const INVITE: &str = "an invite that is long enough";

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/relay-sees.md")).unwrap()
}

/// The rows of the table under this heading, each as its cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = page();
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).expect("a heading");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words in backticks.
fn words(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What must not be in the log.
struct Names {
    home: HomeId,
    streams: [StreamId; 3],
    mailbox: MailboxId,
}

/// A phone whose push server is not there.
fn asleep() -> PushTarget {
    let key = KeyPair::generate().unwrap();
    PushTarget::WebPush {
        endpoint: "https://127.0.0.1:9/up/secret-endpoint".into(),
        p256dh: key.der_bytes().to_vec(),
        auth: vec![3; 16],
    }
}

/// Everything a home does, so that something of each kind is left behind.
async fn live(target: &RelayTarget, data: &Path) -> Names {
    let names = Names {
        home: HomeId::generate(&SystemRandom),
        streams: [stream(), stream(), stream()],
        mailbox: MailboxId::generate(&SystemRandom),
    };
    let [kept, live, begun] = names.streams;
    let founder = Principal::Founder { home: names.home, invite: Some(INVITE.into()) };
    let hub = connect(target, founder, &key(1), PATIENCE).await.unwrap();
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = connect(target, Principal::Member { home: names.home }, &key(2), PATIENCE).await.unwrap();
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    phone.send(b"a message".to_vec()).await.unwrap();
    put(&hub, kept, 0, keep(), body(1, 200_000)).await;
    put_small(data, &hub, kept, 1, keep(), body(4, 5000)).await;
    let mut follower = phone.follow(live, From::Index(0)).await.unwrap();
    put(&hub, live, 0, Retention::Pass, body(2, 20_000)).await;
    in_time(follower.next()).await.unwrap();
    let mut unfinished = hub.put(begun, 0, keep(), true).await.unwrap();
    unfinished.write(body(3, 10_000)).await.unwrap();
    let soon = Timestamp::from(SystemTime::now()).after(Duration::from_secs(600));
    hub.open_mailbox(names.mailbox, key(5).public(), soon).await.unwrap();
    let guest = connect(target, Principal::Mailbox { mailbox: names.mailbox }, &key(5), PATIENCE).await.unwrap();
    guest.post(names.mailbox, Side::Hub, b"hello".to_vec()).await.unwrap();
    let relay = PushKey::from_bytes(&phone.push_key().await.unwrap().key).unwrap();
    phone.set_push(relay.seal(&asleep(), &key(2).public()).unwrap()).await.unwrap();
    hub.wake(key(2).public(), [1; 16], b"wake up".to_vec(), Urgency::High, soon).await.unwrap();
    // One who may not, and one who says nothing that can be understood.
    let stranger = Principal::Member { home: names.home };
    connect(target, stranger, &key(9), PATIENCE).await.unwrap_err();
    names
}

/// The program, run until this has happened to it: what it wrote to its log, with these lines in `[log]`.
async fn log_of(dir: &Path, lines: &str) -> (Names, String) {
    let config = dir.join("relay.toml");
    let text = format!(
        "listen = '127.0.0.1:0'\ndata = {:?}\n[homes]\npolicy = 'invite'\ninvites = [{INVITE:?}]\n\
         [limits]\nfree_bytes = 0\nsweep_s = 1\nwake_patience_ms = 0\n[push.web_push]\nsubject = 'mailto:ops@relay.example'\nallow_private = true\n\
         [metrics]\nlisten = '127.0.0.1:0'\n[log]\n{lines}\n",
        dir.join("data")
    );
    fs::write(&config, text).unwrap();
    let log = dir.join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_privet-relay"))
        .args(["run", "--config"])
        .arg(&config)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let pin = HEXLOWER.decode(ready["pin"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    let target = RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) };
    let names = live(&target, &dir.join("data")).await;
    let invited =
        Command::new(env!("CARGO_BIN_EXE_privet-relay")).args(["invite", "--config"]).arg(&config).output().unwrap();
    assert!(invited.status.success(), "{invited:?}");
    common::until(|| async {
        let log = fs::read_to_string(&log).unwrap();
        log.contains("a push gateway took no message") && log.contains("wakes since the start")
    })
    .await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success());
    (names, fs::read_to_string(&log).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_disk_and_in_the_log_is_what_the_page_says() {
    let dir = tempfile::tempdir().unwrap();
    let (names, log) = log_of(dir.path(), "").await;
    let data = dir.path().join("data");
    records_are_documented(&data);
    files_are_documented(&data);
    let Names { home, streams, mailbox } = names;
    let ids =
        [home.as_bytes(), streams[0].as_bytes(), streams[1].as_bytes(), streams[2].as_bytes(), mailbox.as_bytes()];
    let keys = [1, 2, 5, 9].map(|number| key(number).public().0);
    let all = ids.iter().map(|id| id.to_vec()).chain(keys.iter().map(|key| key.to_vec()));
    let log_below = log.to_lowercase();
    for secret in all {
        for written in [HEXLOWER.encode(&secret), BASE64.encode(&secret), format!("{secret:?}")] {
            assert!(!log_below.contains(&written.to_lowercase()), "{written} in {log}");
        }
    }
    assert!(!log.contains("secret-endpoint") && !log.contains(INVITE), "{log}");
    assert_eq!(addresses(&log), [""; 0]);
}

/// The lines with an address of a client.
fn addresses(log: &str) -> Vec<&str> {
    // The relay's own address for metrics is nobody's.
    log.lines().filter(|line| line.contains("127.0.0.1") && !line.contains("metrics are served")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_name_addresses_only_where_these_are_wanted() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (_, silent) = log_of(dirs[0].path(), "filter = 'trace'").await;
    assert_eq!(addresses(&silent), [""; 0]);
    // Without this, the line above would say nothing.
    let (_, all) = log_of(dirs[1].path(), "filter = 'trace'\naddresses = true").await;
    assert!(addresses(&all).iter().any(|line| line.contains("quinn")), "{}", all.len());
}

fn records_are_documented(data: &Path) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let index = DiskStore::open(data.join("index")).unwrap();
    for (key, value) in index.scan(b"", b"", usize::MAX).unwrap() {
        let kind = if key == b"boot" { "boot".to_owned() } else { String::from_utf8(key[..2].to_vec()).unwrap() };
        let raw = ["f/", "v/", "boot"].contains(&kind.as_str());
        let fields = found.entry(kind).or_default();
        if raw {
            // Bytes of a segment, or that are an id, and no record.
            continue;
        }
        if let Ok(Value::Map(map)) = ciborium::from_reader::<Value, _>(value.as_slice()) {
            fields.extend(map.into_iter().map(|(name, _)| name.into_text().unwrap()));
        }
    }
    let said: BTreeMap<String, BTreeSet<String>> = table("On the disk: records")
        .into_iter()
        .map(|row| (words(&row[0]).into_iter().next().unwrap(), words(&row[2])))
        .collect();
    assert_eq!(found, said);
}

fn files_are_documented(data: &Path) {
    let mut files = Vec::new();
    files_in(data, &mut files);
    let said: BTreeSet<String> = table("On the disk: files").iter().flat_map(|row| words(&row[0])).collect();
    let mut found = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(data).unwrap().to_str().unwrap();
        let place = match name.split('/').collect::<Vec<_>>()[..] {
            ["bodies", "partial", _] => "bodies/partial/".to_owned(),
            ["bodies", _, _] => "bodies/".to_owned(),
            ["invites", _] => "invites/".to_owned(),
            _ => name.to_owned(),
        };
        found.insert(place);
    }
    assert_eq!(found, said);
}

fn files_in(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() { files_in(&entry.path(), files) } else { files.push(entry.path()) }
    }
}

#[test]
fn every_line_that_the_source_logs_by_default_is_on_the_page_with_its_level() {
    let said: BTreeSet<(String, String)> = table("In the log")
        .into_iter()
        .map(|row| (row[1].clone(), words(&row[0]).into_iter().next().unwrap()))
        .collect();
    let (mut sources, mut found) = (Vec::new(), BTreeSet::new());
    for folder in ["src", "push/src", "../numbers/src", "../store/src"] {
        files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        for level in ["info", "warn", "error"] {
            for call in text.split(&format!("tracing::{level}!(")).skip(1) {
                // The words are the first text that the call ends after.
                let texts: Vec<&str> = call.split('"').collect();
                let last = texts.iter().skip(2).step_by(2).position(|after| after.trim_start().starts_with(')'));
                let last = last.unwrap_or_else(|| panic!("{}: {call}", source.display()));
                found.insert((level.to_owned(), texts[2 * last + 1].to_owned()));
            }
        }
    }
    assert_eq!(found, said);
}
