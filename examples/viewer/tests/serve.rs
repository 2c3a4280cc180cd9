//! `privet-viewer serve` as a process: who is let in, and what everybody else gets. The contract is
//! `docs/design/0019-viewer-page.md`; the device here is in no home.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const SECURITY: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; \
         font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

#[test]
fn nobody_gets_anything_without_the_session() {
    let viewer = Viewer::start();
    let own = viewer.origin();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/index.html"),
        ("GET", "/api/state"),
        ("GET", "/api/nothing"),
        ("POST", "/api/pair"),
        ("PUT", "/api/settings"),
        ("DELETE", "/api/state"),
        ("OPTIONS", "/api/pair"),
    ] {
        let answer = viewer.ask(method, path, &[("origin", &own)], b"");
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(answer.body.starts_with("This browser has no session here"), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(viewer.upgrade("/api/happenings", &[("origin", &own)]).status, 403);

    // A foreign name is turned away, whatever it brings, and uses nothing up.
    for host in ["evil.example".to_owned(), format!("evil.example:{}", viewer.port), "127.0.0.1".to_owned()] {
        assert_eq!(viewer.ask("GET", &viewer.start, &[("host", &host)], b"").status, 421, "{host}");
    }
    let wrong = format!("/start?token={}", "0".repeat(64));
    assert_eq!(viewer.ask("GET", &wrong, &[], b"").status, 403);

    let first = viewer.ask("GET", &viewer.start, &[], b"");
    assert_eq!((first.status, first.header("location")), (303, Some("/")));
    let cookie = first.header("set-cookie").unwrap();
    let (name, attributes) = cookie.split_once('=').unwrap();
    assert!(name.ends_with(&viewer.port.to_string()), "{name}");
    let (session, attributes) = attributes.split_once(';').unwrap();
    assert!(session.len() == 64 && !viewer.start.contains(session));
    let attributes: Vec<_> = attributes.split(';').map(str::trim).collect();
    assert_eq!(attributes, ["HttpOnly", "SameSite=Strict", "Path=/"]);

    let second = viewer.ask("GET", &viewer.start, &[], b"");
    assert_eq!((second.status, second.header("set-cookie")), (403, None));
    let wrong = format!("{name}={}", "0".repeat(64));
    assert_eq!(viewer.ask("GET", "/api/state", &[("cookie", &wrong)], b"").status, 403);
    let cookie = format!("{name}={session}");
    assert_eq!(viewer.ask("GET", "/api/state", &[("cookie", &cookie)], b"").status, 200);
    let localhost = format!("localhost:{}", viewer.port);
    assert_eq!(viewer.ask("GET", "/", &[("cookie", &cookie), ("host", &localhost)], b"").status, 200);
    assert_eq!(viewer.ask("GET", "/", &[("cookie", &cookie), ("host", "evil.example")], b"").status, 421);
}

#[test]
fn only_the_page_itself_changes_anything() {
    let viewer = Viewer::start();
    let (cookie, own) = (viewer.session(), viewer.origin());
    let json = ("content-type", "application/json");
    let junk = br#"{"code":"PRIVET1:junk"}"#;
    let elsewhere = format!("http://localhost:{}", viewer.port);
    for foreign in ["http://evil.example", "http://127.0.0.1:1", "null", &elsewhere] {
        let headers = [("cookie", cookie.as_str()), json, ("origin", foreign)];
        assert_eq!(viewer.ask("POST", "/api/pair", &headers, junk).status, 403, "{foreign}");
        for path in ["/api/happenings", "/api/live/aa"] {
            assert_eq!(viewer.upgrade(path, &[("cookie", &cookie), ("origin", foreign)]).status, 403, "{foreign}");
        }
    }
    assert_eq!(viewer.ask("POST", "/api/pair", &[("cookie", &cookie), json], junk).status, 403);
    assert_eq!(viewer.upgrade("/api/happenings", &[("cookie", &cookie)]).status, 403);
    assert_eq!(viewer.upgrade("/api/happenings", &[("cookie", &cookie), ("origin", &own)]).status, 101);

    let paged = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    let post =
        |path, kind, body: &[u8]| viewer.ask("POST", path, &[&paged[..], &[("content-type", kind)]].concat(), body);
    for path in ["/api/pair", "/api/offer"] {
        let answer = post(path, "application/json", junk);
        assert_eq!((answer.status, answer.json()["class"].as_str()), (400, Some("pairing")), "{}", answer.body);
    }
    let picture = post("/api/offer/picture", "image/png", b"no picture");
    assert_eq!((picture.status, picture.json()["class"].as_str()), (400, Some("pairing")));
    assert_eq!(post("/api/offer/picture", "image/gif", b"GIF89a").status, 415);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(post("/api/pair", kind, junk).status, 415, "{kind}");
    }
    for wrong in [&b"{"[..], b"{}", br#"{"code":1}"#, br#"{"code":"x","more":1}"#] {
        let answer = post("/api/pair", "application/json", wrong);
        assert_eq!((answer.status, answer.json()["class"].as_str()), (400, Some("arguments")), "{}", answer.body);
    }
    let large = serde_json::to_vec(&json!({"code": "A".repeat(64 * 1024)})).unwrap();
    assert_eq!(post("/api/pair", "application/json", &large).status, 413);
}

#[test]
fn a_device_in_no_home_says_so() {
    let viewer = Viewer::start();
    let cookie = viewer.session();
    let get = |path: &str| viewer.ask("GET", path, &[("cookie", &cookie)], b"");
    let page = get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("no-store"));

    let state = get("/api/state").json();
    let said = json!({"paired": state["paired"], "removed": state["removed"], "device_name": state["device_name"],
        "safety_number": state["safety_number"], "alerts": state["alerts"]});
    assert_eq!(
        said,
        json!({"paired": false, "removed": false, "device_name": "desk", "safety_number": null, "alerts": []})
    );
    for path in
        ["/api/cameras", "/api/devices", "/api/events", "/api/clips", "/api/settings", "/api/clips/aa/video.mp4"]
    {
        let answer = get(path);
        assert_eq!((answer.status, answer.json()["class"].as_str()), (409, Some("not-paired")), "{path}");
    }
    for (path, status, class) in [
        ("/api/nothing", 404, "not-found"),
        ("/nothing.html", 404, "not-found"),
        ("/api/pair", 405, "arguments"),
        ("/api/events?limit=many", 400, "arguments"),
        ("/api/clips?form=5", 400, "arguments"),
        ("/api/happenings", 400, "arguments"),
    ] {
        let answer = get(path);
        assert_eq!((answer.status, answer.json()["class"].as_str()), (status, Some(class)), "{path}");
    }
}

#[test]
fn sigterm_ends_it_with_a_page_open() {
    let mut viewer = Viewer::start();
    let (cookie, own) = (viewer.session(), viewer.origin());
    let mut page = viewer.upgrade("/api/happenings", &[("cookie", &cookie), ("origin", &own)]);
    assert_eq!(page.status, 101);
    kill_process(Pid::from_child(&viewer.child), Signal::TERM).unwrap();
    let status = viewer.ended();
    assert!(status.success(), "{status}");
    let mut rest = Vec::new();
    page.stream.read_to_end(&mut rest).unwrap();
    // Last comes a Close frame: FIN and opcode 8, and no contents.
    assert!(rest.ends_with(&[0x88, 0]), "{rest:?}");
}

/// A running `privet-viewer serve`.
struct Viewer {
    child: Child,
    port: u16,
    /// The path that lets one browser in.
    start: String,
    _home: TempDir,
}

impl Viewer {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_privet-viewer"))
            .args(["--json", "serve", "--name", "desk", "--home"])
            .arg(home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (said, line) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut viewer = Self { child, port: 0, start: String::new(), _home: home };
        let line: Value = serde_json::from_str(&line.recv_timeout(PATIENCE).unwrap()).unwrap();
        let address = line["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:").unwrap();
        let (port, path) = address.split_once('/').unwrap();
        (viewer.port, viewer.start) = (port.parse().unwrap(), format!("/{path}"));
        viewer
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The cookie of the one browser.
    fn session(&self) -> String {
        let answer = self.ask("GET", &self.start, &[], b"");
        let cookie = answer.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
        let own = format!("127.0.0.1:{}", self.port);
        let own = ("host", own.as_str());
        let host = headers.iter().find(|(name, _)| *name == "host").unwrap_or(&own);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host").chain([host]) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
        let answer = Answer::read(stream);
        for (name, value) in SECURITY {
            assert_eq!(answer.header(name), Some(value), "{method} {path}: {}", answer.status);
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{method} {path}");
        answer
    }

    fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let upgrade = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        self.ask("GET", path, &[headers, &upgrade].concat(), b"")
    }

    fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer; after an upgrade, its connection goes on.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    stream: TcpStream,
}

impl Answer {
    fn read(mut stream: TcpStream) -> Self {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, headers, body: String::new(), stream };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        answer.stream.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice");
        Some(value.1.as_str())
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }
}
