//! A push gateway in this process: HTTPS under an authority of its own, answering as it is told and keeping what it saw.
// The relay and the whole system are tested with it too, and none takes all of it.
#![allow(dead_code)]

pub mod subscriber;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aws_lc_rs::encoding::Pkcs8V1Der;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use bytes::Bytes;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub version: Version,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16, Vec<(&'static str, String)>, String),
    /// No answer, ever.
    Hang,
    /// This status, and then no body.
    HangAfter(u16),
    /// This status, and a body without end.
    Endless(u16),
}

pub fn status(status: u16, body: &str) -> Reply {
    Reply::Status(status, Vec::new(), body.into())
}

type Handler = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A gateway that listens until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub authority: CertificateDer<'static>,
    pub authority_pem: String,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    handler: Mutex<Arc<Handler>>,
    seen: Mutex<Vec<Seen>>,
    nonsense: AtomicBool,
}

impl Server {
    pub async fn start(alpn: &[&str], handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            handler: Mutex::new(Arc::new(Box::new(handler) as Handler)),
            seen: Mutex::default(),
            nonsense: AtomicBool::new(false),
        });
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&state)));
        let authority_pem = authority.pem();
        Self { address, authority: authority.der().clone(), authority_pem, state, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Answers like this from now on.
    pub fn answer(&self, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        *self.state.handler.lock().unwrap() = Arc::new(Box::new(handler));
    }

    /// From the next connection on, what is said after the handshake is not HTTP.
    pub fn talk_nonsense(&self) {
        self.state.nonsense.store(true, Ordering::Relaxed);
    }

    /// What came since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }

    /// What came since the last time, which stays.
    pub fn look<T>(&self, at: impl FnOnce(&[Seen]) -> T) -> T {
        at(&self.state.seen.lock().unwrap())
    }

    pub fn count(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        connections.spawn(async move {
            let Ok(mut stream) = tls.accept(tcp).await else { return };
            if state.nonsense.load(Ordering::Relaxed) {
                let _ = stream.write_all(b"220 mail.example ESMTP ready\r\n").await;
                let _ = stream.shutdown().await;
                return;
            }
            let service = service_fn(|request| serve(Arc::clone(&state), request));
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let (parts, body) = request.into_parts();
    // A request that broke off half-way never came.
    let Ok(body) = body.collect().await.map(|collected| collected.to_bytes()) else {
        return Ok(Response::builder().status(400).body(Answer::Whole(None)).unwrap());
    };
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str()).to_owned();
    let seen = Seen { path, headers: parts.headers, body, version: parts.version };
    let handler = Arc::clone(&state.handler.lock().unwrap());
    let reply = handler(&seen);
    state.seen.lock().unwrap().push(seen);
    let (status, headers, body) = match reply {
        Reply::Status(status, headers, body) => (status, headers, Answer::Whole(Some(body.into()))),
        Reply::Hang => std::future::pending().await,
        Reply::HangAfter(status) => (status, Vec::new(), Answer::Never),
        Reply::Endless(status) => (status, Vec::new(), Answer::Endless),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(body).unwrap())
}

enum Answer {
    Whole(Option<Bytes>),
    Never,
    Endless,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Never => Poll::Pending,
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 4096]))))),
        }
    }
}

/// The header and claims of a signed token, its signature checked.
pub fn verified(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).expect("the signature");
    let (header, claims) = signed.split_once('.').unwrap();
    let part = |text: &str| serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()).unwrap();
    (part(header), part(claims))
}

pub fn verified_es256(token: &str, public: &[u8]) -> (Value, Value) {
    let (header, claims) = verified(token, &ECDSA_P256_SHA256_FIXED, public);
    assert_eq!(header["alg"], "ES256");
    (header, claims)
}

pub fn verified_rs256(token: &str, public: &[u8]) -> (Value, Value) {
    let (header, claims) = verified(token, &RSA_PKCS1_2048_8192_SHA256, public);
    assert_eq!(header["alg"], "RS256");
    (header, claims)
}

/// A service account's key file for this gateway, and the public key to it.
pub fn service_account(server: &Server) -> (String, Vec<u8>) {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = aws_lc_rs::encoding::AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let file = serde_json::json!({
        "type": "service_account",
        "project_id": "test-project",
        "client_email": "relay@test-project.iam.gserviceaccount.com",
        "private_key_id": "key-7",
        "private_key": pem(der.as_ref()),
        "token_uri": server.url("/token"),
    });
    (file.to_string(), key.public_key().as_ref().to_vec())
}

pub fn pem(pkcs8: &[u8]) -> String {
    let text = BASE64.encode(pkcs8);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// A P-256 key in PEM, and its public point.
pub fn p256() -> (String, Vec<u8>) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    (key.serialize_pem(), key.public_key_raw().to_vec())
}
