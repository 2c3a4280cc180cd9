//! Numbers for Prometheus, over HTTP: one page, read only, for whoever reaches the address. Nothing in it opens anything, but it
//! says when something moves; so it listens on the machine itself unless the owner says otherwise.
//!
//! Whoever connects gets little: a few connections at once, small requests, seconds of time, one answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::hub::View;

mod page;

pub use page::{Numbers, text};

/// Connections at once; others are closed.
const CONNECTIONS: usize = 8;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may last in all.
const LONGEST: Duration = Duration::from_secs(15);
/// Bytes of a request's head at most, and as many of an answer's at once; what hyper takes at least.
const HEAD: usize = 8 << 10;
/// Time until an address that can't be listened at is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// What the page is.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The endpoint; gone when this is dropped.
#[derive(Debug)]
pub struct Metrics {
    _task: AbortOnDropHandle<()>,
}

impl Metrics {
    /// Answers at `listen` from now on. Where that is not possible yet - an address that comes with the network, another program at
    /// the port - it is said, and tried again: cameras matter more than numbers.
    pub fn listen(listen: SocketAddr, view: View) -> Self {
        if !listen.ip().is_loopback() {
            tracing::warn!(%listen, "metrics can be read by whoever reaches this address; they say when something moves");
        }
        Self { _task: AbortOnDropHandle::new(tokio::spawn(serve(listen, view))) }
    }
}

async fn serve(listen: SocketAddr, view: View) {
    let listener = bind(listen).await;
    tracing::info!(address = %listener.local_addr().unwrap_or(listen), "metrics are at /metrics");
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Those that are open end with the endpoint.
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                let view = view.clone();
                open.spawn(async move {
                    answer(stream, view).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn bind(listen: SocketAddr) -> TcpListener {
    let mut told = false;
    loop {
        match TcpListener::bind(listen).await {
            Ok(listener) => return listener,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%listen, %error, "metrics can't be offered; check metrics.listen, it is tried again by itself");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, view: View) {
    let service = service_fn(move |request: Request<Incoming>| respond(request, view.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What a stranger does wrong is no news.
    let _ = timeout(LONGEST, connection).await;
}

async fn respond(request: Request<Incoming>, view: View) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(said(StatusCode::NOT_FOUND, PLAIN, "the page is /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = said(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match view.numbers().await {
        Ok(numbers) => said(StatusCode::OK, OPEN_METRICS, text(numbers)),
        Err(_) => said(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "the hub is stopping\n"),
    })
}

fn said(status: StatusCode, kind: HeaderValue, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
