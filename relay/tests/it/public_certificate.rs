//! A relay with a certificate of a public authority, by configuration, and clients that have no pin but the system's authorities.
//! A client reads these from `SSL_CERT_FILE`, so each is a process of its own: this very test program, run again.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::Principal;
use privet_relay_client::{RelayTarget, Trust, connect};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::common::{PATIENCE, key};

const NAME: &str = "localhost";

/// What the client finds in its environment: host and port.
const TARGET: &str = "PRIVET_TEST_TARGET";

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str, above: Option<&Authority>) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = match above {
        Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Authority { certificate, issuer: Issuer::new(params, key) }
}

struct Relay {
    child: Child,
    address: SocketAddr,
}

impl Relay {
    /// The program, with a certificate that a root vouches for through one in between, as public authorities do it.
    fn start(dir: &Path, root: &Authority, name: &str, last_year: i32) -> Self {
        let between = authority("between", Some(root));
        let mut params = CertificateParams::new(vec![name.into()]).unwrap();
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &between.issuer).unwrap();
        let file = |file: &str, text: String| {
            let path = dir.join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let chain = file("fullchain.pem", leaf.pem() + &between.certificate.pem());
        let key = file("privkey.pem", key.serialize_pem());
        let data = dir.join("data");
        let mut here = (NAME, 0).to_socket_addrs().unwrap().next().unwrap();
        let config = file(
            "relay.toml",
            format!("listen = '{here}'\ndata = {data:?}\n[certificate]\nchain = {chain:?}\nkey = {key:?}\n"),
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_privet-relay"))
            .args(["run", "--config"])
            .arg(config)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        here = ready["listening"].as_str().unwrap().parse().unwrap();
        assert!(!data.join("identity.pem").exists(), "it makes no identity of its own");
        Self { child, address: here }
    }

    /// What a client says that trusts the authorities in this file.
    fn client(&self, authorities: &Path) -> String {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "public_certificate::a_client", "--ignored", "--nocapture"])
            .env("SSL_CERT_FILE", authorities)
            .env_remove("SSL_CERT_DIR")
            .env(TARGET, self.address.port().to_string())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = text.lines().find_map(|line| line.split_once("client: ")).expect("a client's word").1;
        said.replace(&self.address.port().to_string(), "PORT")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "a part of the test below, which runs it as a process with authorities of its own"]
async fn a_client() {
    let Ok(port) = std::env::var(TARGET) else { return };
    let target = RelayTarget { host: NAME.into(), port: port.parse().unwrap(), trust: Trust::WebPki };
    let principal = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    match connect(&target, principal, &key(1), PATIENCE).await {
        Ok(connection) => println!("\nclient: connected, {:?}", connection.append(1, b"first".to_vec()).await),
        Err(error) => println!("\nclient: {error} (again: {})", error.is_retryable()),
    }
}

#[test]
fn clients_without_a_pin_take_what_an_authority_vouches_for_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let root = authority("root", None);
    let trusted = |file: &str, text: String| -> PathBuf {
        let path = dir.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ours = trusted("ours.pem", root.certificate.pem());
    let others = trusted("others.pem", authority("other", None).certificate.pem());
    let none = trusted("none.pem", String::new());
    let relay = |name: &str, last_year| {
        let dir = tempfile::tempdir().unwrap();
        let relay = Relay::start(dir.path(), &root, name, last_year);
        (relay, dir)
    };
    let (good, _dir) = relay(NAME, 4000);
    assert_eq!(good.client(&ours), "connected, Ok(1)");
    for (said, expected) in [
        (good.client(&others), "no certificate authority that this machine trusts vouches for it (UnknownIssuer)"),
        (good.client(&none), "No CA certificates were loaded from the system; install the package ca-certificates"),
        (
            relay("relay.example.org", 4000).0.client(&ours),
            "certificate not valid for name \"localhost\"; certificate is only valid for DnsName(\"relay.example.org\")",
        ),
    ] {
        assert!(said.starts_with("the certificate of localhost:PORT is not trusted: "), "{said}");
        assert!(said.contains(expected) && said.ends_with("(again: false)"), "{said}");
    }
    // Whoever has a wrong clock is not told of somebody in between.
    let said = relay(NAME, 2001).0.client(&ours);
    assert!(
        said.starts_with("the certificate of localhost:PORT is not good at this machine's time (certificate expired: "),
        "{said}"
    );
    assert!(said.ends_with("this machine's clock is wrong (again: false)"), "{said}");
}
