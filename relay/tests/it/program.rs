//! The program itself: its words, its exit codes, and `kill -9` in a loop with everything acknowledged still there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::relay::{Principal, Rights};
use privet_protocol::time::Timestamp;
use privet_relay::Invites;
use privet_relay_client::{Connection, RelayTarget, Trust, connect};

use crate::common::{PATIENCE, body, entries, in_time, keep, key, put, read_all, stream};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_privet-relay"));
    command.env_remove("RUST_LOG").env_remove("PRIVET_RELAY_CONFIG");
    command
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

struct Running {
    child: Child,
    target: RelayTarget,
    port: u16,
}

impl Running {
    fn start(config: &Path, port: u16) -> Self {
        let mut child = program()
            .args(["run", "--config", config.to_str().unwrap(), "--listen", &format!("127.0.0.1:{port}")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let pin = HEXLOWER.decode(ready["pin"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
        Self { child, target: RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) }, port }
    }

    fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port
    }
}

fn write_config(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("relay.toml");
    let text = format!(
        "data = {:?}\n[limits]\nfree_bytes = 0\nconnects_per_s = 1000\nrequests_per_s = 10000\n",
        dir.join("data").to_str().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn it_says_what_is_wrong_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let config = config.to_str().unwrap();
    let good = output(&["config", "check", "--config", config]);
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().ends_with("relay.toml: good\n"));

    let wrong = dir.path().join("wrong.toml");
    std::fs::write(&wrong, "data = '/tmp'\nlisten = 'everywhere'\n").unwrap();
    let wrong = wrong.to_str().unwrap();
    let bad = output(&["config", "check", "--config", wrong]);
    assert_eq!(bad.status.code(), Some(3));
    assert!(bad.stdout.is_empty());
    let text = String::from_utf8(bad.stderr).unwrap();
    assert!(text.contains("wrong.toml:2: listen is 'everywhere'; allowed: an IP address and a UDP port"), "{text}");
    let bad = output(&["config", "check", "--config", wrong, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!((bad.status.code(), &json["ok"]), (Some(3), &false.into()));
    assert_eq!(output(&["run", "--config", "/does/not/exist.toml"]).status.code(), Some(3));
    let bad = output(&["run", "--listen", "localhost:4433"]);
    let text = String::from_utf8(bad.stderr).unwrap();
    assert!(bad.status.code() == Some(2) && text.contains("an IP address and a UDP port, such as [::]:4433"), "{text}");
    assert_eq!(output(&["walk"]).status.code(), Some(2));
    let taken = output(&["run", "--config", config, "--data", "/proc/nowhere"]);
    assert_eq!(taken.status.code(), Some(5), "{taken:?}");
}

#[test]
fn its_identity_is_made_once_and_kept_to_itself() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let config = config.to_str().unwrap();
    let pin = String::from_utf8(output(&["identity", "--config", config]).stdout).unwrap();
    assert_eq!(pin.trim().len(), 64);
    assert_eq!(String::from_utf8(output(&["identity", "--config", config]).stdout).unwrap(), pin);
    let json: serde_json::Value =
        serde_json::from_slice(&output(&["identity", "--config", config, "--json"]).stdout).unwrap();
    assert_eq!(json["pin"], pin.trim());
    let mode = std::fs::metadata(dir.path().join("data/identity.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let relay = Running::start(Path::new(config), 0);
    let Trust::Pin(running) = relay.target.trust else { unreachable!() };
    assert_eq!(HEXLOWER.encode(&running), pin.trim());
    let second = output(&["run", "--config", config]);
    assert_eq!(second.status.code(), Some(5), "the storage is in use");
    relay.kill();
}

#[tokio::test]
async fn it_ends_in_order_when_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut relay = Running::start(&write_config(dir.path()), 0);
    let principal = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let hub = connect(&relay.target, principal, &key(1), PATIENCE).await.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(relay.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let reason = in_time(hub.closed()).await.to_string();
    assert!(reason.contains("shuts down"), "{reason}");
    let status = tokio::task::spawn_blocking(move || relay.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

/// What the relay acknowledged.
#[derive(Default)]
struct Promised {
    log: u64,
    inbox: u64,
    segments: Vec<(StreamId, u64, usize)>,
}

/// Works until the relay is gone.
async fn work(hub: Connection, phone: Connection, promised: &mut Promised) {
    let id = stream();
    for index in 0.. {
        if hub.append(promised.log + 1, vec![7; 500]).await.is_err() {
            return;
        }
        promised.log += 1;
        if index < 100 {
            if phone.send(vec![8; 300]).await.is_err() {
                return;
            }
            promised.inbox += 1;
        }
        // Every other one is too long for the index and a file.
        let length = 10_000 + usize::try_from(index).unwrap() * 777 + usize::try_from(index % 2).unwrap() * 150_000;
        let Ok(mut writer) = hub.put(id, index, keep(), index % 2 == 0).await else { return };
        if writer.write(body(index, length)).await.is_err() || writer.finish().await.is_err() {
            return;
        }
        promised.segments.push((id, index, length));
    }
}

async fn verify(hub: &Connection, phone: &Connection, promised: &mut Promised) {
    let log = entries(phone.read_log(1, false).await.unwrap()).await;
    // The last request may have been carried out without its answer having come.
    assert!([promised.log, promised.log + 1].contains(&(log.len() as u64)), "{} of {}", log.len(), promised.log);
    assert!(log.iter().enumerate().all(|(at, (seq, bytes))| *seq == at as u64 + 1 && *bytes == [7; 500]));
    promised.log = log.len() as u64;
    let inbox = entries(hub.read_inbox(1, false).await.unwrap()).await;
    let read = inbox.last().map_or(promised.inbox, |(seq, _)| *seq);
    assert!([promised.inbox, promised.inbox + 1].contains(&read), "{read} of {}", promised.inbox);
    promised.inbox = read;
    hub.ack_inbox(read).await.unwrap();
    for (stream, index, length) in &promised.segments {
        let mut reader = phone.get(*stream, *index, 0).await.unwrap();
        assert_eq!(read_all(&mut reader).await.unwrap(), body(*index, *length), "{index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_killed_relay_are_told_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let relay = Running::start(&config, 0);
    let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
    let relay = Running::start(&config, relay.kill());
    // Told, not timed out: the words are those of a stateless reset.
    let error = hub.usage().await.unwrap_err().to_string();
    assert!(error.contains("reset by peer"), "{error}");
    relay.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_keeps_what_it_acknowledged() {
    let rounds = std::env::var("PRIVET_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let home = HomeId::generate(&SystemRandom);
    let mut promised = Promised::default();
    let mut port = 0;
    for round in 0..rounds {
        let relay = Running::start(&config, port);
        let founder = Principal::Founder { home, invite: None };
        let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
        hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
        let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
        verify(&hub, &phone, &mut promised).await;
        let mut byte = [0; 1];
        SystemRandom.fill(&mut byte);
        let moment = Duration::from_millis(20 + u64::from(byte[0]));
        let killer = tokio::task::spawn_blocking(move || {
            std::thread::sleep(moment);
            relay.kill()
        });
        // A dead relay says nothing: the work ends when the killing is done.
        let before = promised.segments.len();
        tokio::select! {
            () = work(hub.clone(), phone.clone(), &mut promised) => {}
            killed = killer => port = killed.unwrap(),
        }
        if port == 0 {
            panic!("round {round}: the relay refused to work");
        }
        println!("round {round}: {} segments more", promised.segments.len() - before);
    }
    let relay = Running::start(&config, port);
    let hub = connect(&relay.target, Principal::Founder { home, invite: None }, &key(1), PATIENCE).await.unwrap();
    let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    verify(&hub, &phone, &mut promised).await;
    assert!(promised.segments.len() > 10);
    let partial = dir.path().join("data/bodies/partial").read_dir().unwrap().count();
    assert!(partial <= rounds, "{partial} unfinished files");
    relay.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_brings_back_what_was_acknowledged() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let (data, to) = (dir.path().join("data"), dir.path().join("backup"));
    let home = HomeId::generate(&SystemRandom);
    let founder = Principal::Founder { home, invite: None };
    let relay = Running::start(&config, 0);
    let hub = connect(&relay.target, founder.clone(), &key(1), PATIENCE).await.unwrap();
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    let id = stream();
    let mut promised = Promised { log: 5, inbox: 5, segments: Vec::new() };
    for index in 0..5 {
        hub.append(index + 1, vec![7; 500]).await.unwrap();
        phone.send(vec![8; 300]).await.unwrap();
        let length = if index % 2 == 0 { 10_000 } else { 200_000 };
        put(&hub, id, index, keep(), body(index, length)).await;
        promised.segments.push((id, index, length));
    }

    let backup = || output(&["backup", to.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"]);
    let refused = backup();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(5) && text.contains("a relay runs on it"), "{text}");
    let pin = relay.target.trust;
    relay.kill();
    let made = backup();
    assert!(made.status.success(), "{made:?}");
    let json: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(json["bytes"].as_u64().unwrap() > 430_000, "{json}");
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!dir.path().join("backup.unfinished").exists());
    let again = backup();
    let text = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(1) && text.contains("is there already"), "{text}");

    // The disk is lost, another one has the copy.
    std::fs::remove_dir_all(&data).unwrap();
    assert!(Command::new("cp").arg("-a").args([&to, &data]).status().unwrap().success());
    let relay = Running::start(&config, 0);
    assert_eq!(relay.target.trust, pin, "phones know it again");
    let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
    let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    verify(&hub, &phone, &mut promised).await;
    relay.kill();

    let lost = find_body(&data);
    std::fs::remove_file(lost).unwrap();
    std::fs::remove_dir_all(&to).unwrap();
    let refused = backup();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && text.contains("1 things do not fit together"), "{text}");
    assert!(!to.exists());
}

/// The file of any segment that has one.
fn find_body(data: &Path) -> std::path::PathBuf {
    let directories = std::fs::read_dir(data.join("bodies")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = directories.filter(|path| !path.ends_with("partial")).flat_map(|path| path.read_dir().unwrap());
    files.next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_and_repairs_while_no_relay_runs() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let data = dir.path().join("data");
    let check = |more: &[&str]| output(&[&["check", "--config", config.to_str().unwrap()][..], more].concat());
    let absent = check(&[]);
    let text = String::from_utf8(absent.stderr).unwrap();
    assert!(absent.status.code() == Some(5) && text.contains("no relay has kept anything here"), "{text}");
    assert!(!data.exists(), "looking makes nothing");

    let relay = Running::start(&config, 0);
    let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
    put(&hub, stream(), 0, keep(), body(1, 200_000)).await;
    put(&hub, stream(), 0, keep(), body(1, 200_000)).await;
    let running = check(&["--repair"]);
    let text = String::from_utf8(running.stderr).unwrap();
    assert!(running.status.code() == Some(5) && text.contains("a relay runs on it"), "{text}");
    relay.kill();

    let good = check(&[]);
    assert!(good.status.success(), "{good:?}");
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!(text, "1 homes, 2 segments, 0 unfinished uploads, 0 things that do not fit\n");
    let body = find_body(&data);
    std::fs::write(&body, b"short").unwrap();
    let bad = check(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!((bad.status.code(), json["findings"].as_array().unwrap().len()), (Some(1), 1), "{json}");
    assert_eq!(json["findings"][0]["kind"], "wrong-length");
    assert_eq!((&json["findings"][0]["recorded"], &json["findings"][0]["found"]), (&200_000.into(), &5.into()));
    assert!(body.exists(), "looking changes nothing");
    let repaired = check(&["--repair"]);
    let text = String::from_utf8(repaired.stdout).unwrap();
    assert!(repaired.status.success() && text.contains("5 bytes, 200000 were acknowledged (repaired;"), "{text}");
    assert!(!body.exists() && check(&[]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_lets_one_home_in_until_it_ends_or_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let text = std::fs::read_to_string(&config).unwrap() + "[homes]\npolicy = \"invite\"\n";
    std::fs::write(&config, text).unwrap();
    let relay = Running::start(&config, 0);
    let command = |arguments: &[&str]| {
        let made = output(&[&["invite"][..], arguments, &["--config", config.to_str().unwrap()]].concat());
        (made.status.code(), String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap())
    };
    let list = || -> serde_json::Value { serde_json::from_str(&command(&["list", "--json"]).1).unwrap() };
    let found = async |relay: &Running, invite: Option<&str>| {
        let principal = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: invite.map(str::to_owned) };
        connect(&relay.target, principal, &key(1), PATIENCE).await.map(drop).map_err(|error| error.to_string())
    };
    let refused = |outcome: Result<(), String>, text: &str| {
        let error = outcome.unwrap_err();
        assert!(error.contains(text), "{error}");
    };

    refused(found(&relay, None).await, "takes new homes by invite");
    refused(found(&relay, Some("not one of its invites")).await, "takes new homes by invite");
    // Made while the relay runs.
    let (code, words, said) = command(&["--note", "Aunt Ada"]);
    assert!(code == Some(0) && words.trim().len() == 26 && said.contains("good for one home, 7 days long"), "{said}");
    found(&relay, Some(words.trim())).await.unwrap();
    refused(found(&relay, Some(words.trim())).await, "was used already");
    let made: serde_json::Value = serde_json::from_str(&command(&["--json", "--days", "1"]).1).unwrap();
    let (second, id) = (made["invite"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(made["until"].as_i64().unwrap() - made["made"].as_i64().unwrap(), 24 * 3600 * 1000);
    let data = dir.path().join("data");
    let old = Invites::of(&data).make("", Duration::from_secs(1), Timestamp(0), &SystemRandom).await.unwrap().0;
    refused(found(&relay, Some(&old)).await, "has ended");
    let listed = list();
    assert_eq!((&listed["used"], &listed["open"], &listed["ended"]), (&1.into(), &1.into(), &1.into()), "{listed}");
    let used = listed["invites"].as_array().unwrap().iter().find(|invite| invite["state"] == "used").unwrap();
    assert_eq!(used["note"], "Aunt Ada");
    assert_eq!(command(&["revoke", used["id"].as_str().unwrap()]).0, Some(1), "its home stays");
    assert_eq!(command(&["revoke", &id[..8]]).0, Some(0));
    refused(found(&relay, Some(second)).await, "takes new homes by invite");
    assert_eq!(command(&["revoke", id]).0, Some(1), "it is gone");

    // The words are nowhere; and a note that a crash prevented is made up for.
    let mut files = std::fs::read_dir(data.join("invites")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| std::fs::read_to_string(path).unwrap().contains("Ada")).unwrap();
    let mut note: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(!note.to_string().contains(words.trim()));
    note["used"] = serde_json::Value::Null;
    std::fs::write(&file, note.to_string()).unwrap();
    assert_eq!(list()["used"], 0);
    let relay = Running::start(&config, relay.kill());
    assert_eq!(list()["used"], 1);
    refused(found(&relay, Some(words.trim())).await, "was used already");
    relay.kill();
}

#[test]
fn an_invite_without_a_data_directory_says_which_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("not-there");
    for command in [&["invite"][..], &["invite", "list"]] {
        let refused = output(&[command, &["--data", data.to_str().unwrap()]].concat());
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(5), "{said}");
        assert!(said.contains(data.to_str().unwrap()) && said.contains("start the relay once"), "{said}");
        assert!(!data.exists());
    }
}
