//! The listener: bounded in connections, bytes and time, and patient with its address.

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
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::{PLAIN, Page, Pages};

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

/// Where to listen, and what the log says about it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The address.
    pub listen: SocketAddr,
    /// The key of the configuration that says so, such as `metrics.listen`.
    pub key: &'static str,
    /// What whoever reaches the address learns, such as `when something moves`.
    pub tells: &'static str,
}

/// Serves pages; gone when this is dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: watch::Receiver<Option<SocketAddr>>,
    _task: AbortOnDropHandle<()>,
}

impl Endpoint {
    /// Answers at this place from now on. Where that is not possible yet - an address that comes with the network, another program at
    /// the port - it is said, and tried again.
    pub fn listen(place: Place, pages: impl Pages) -> Self {
        if !place.listen.ip().is_loopback() {
            let Place { listen, tells, .. } = place;
            tracing::warn!(%listen, tells, "metrics can be read by whoever reaches this address");
        }
        let (bound, address) = watch::channel(None);
        Self { address, _task: AbortOnDropHandle::new(tokio::spawn(serve(place, pages, bound))) }
    }

    /// Where it listens, with the real port when the configuration said 0; `None` while it can't.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.borrow()
    }
}

async fn serve<P: Pages>(place: Place, pages: P, bound: watch::Sender<Option<SocketAddr>>) {
    let listener = bind(place).await;
    let address = listener.local_addr().unwrap_or(place.listen);
    bound.send_replace(Some(address));
    tracing::info!(%address, paths = ?P::PATHS, "metrics are served");
    let pages = Arc::new(pages);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Those that are open end with the endpoint.
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
                let pages = Arc::clone(&pages);
                open.spawn(async move {
                    answer(stream, pages).await;
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

async fn bind(Place { listen, key, .. }: Place) -> TcpListener {
    let mut told = false;
    loop {
        match TcpListener::bind(listen).await {
            Ok(listener) => return listener,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%listen, %error, "metrics can't be offered; check {key}, it is tried again by itself");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn answer<P: Pages>(stream: TcpStream, pages: Arc<P>) {
    let service = service_fn(move |request: Request<Incoming>| respond(request, Arc::clone(&pages)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What a stranger does wrong is no news.
    let _ = timeout(LONGEST, connection).await;
}

async fn respond<P: Pages>(request: Request<Incoming>, pages: Arc<P>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if !P::PATHS.contains(&path) {
        return Ok(said(not_found(P::PATHS)));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = said(error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into()));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(said(pages.page(path).await.unwrap_or_else(|| not_found(P::PATHS))))
}

fn not_found(paths: &[&str]) -> Page {
    let verb = if paths.len() == 1 { "the page is" } else { "the pages are" };
    error(StatusCode::NOT_FOUND, format!("{verb} {}\n", paths.join(", ")))
}

fn error(status: StatusCode, text: String) -> Page {
    Page { status, kind: PLAIN, text }
}

fn said(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.text.into()));
    *response.status_mut() = page.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    response
}
