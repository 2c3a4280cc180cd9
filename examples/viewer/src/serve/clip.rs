//! A clip for the page: as a video to seek in, as a verdict, and as a file with its proof.
//!
//! What is asked for first decides the answer: a byte that is not what the camera signed is a refusal, not a broken film. Where
//! it comes later, the connection breaks off, and asking for that place again is refused.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::Stream;
use futures::stream::try_unfold;
use privet_app_core::{CoreError, VerifyReport};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Server;
use super::answers::{self, Answer, Refusal};
use super::film::Film;
use super::range::{Wanted, wanted};
use crate::run::Failure;
use crate::say::utc;

/// How much of an export is read at once.
const CHUNK: usize = 64 * 1024;
/// How many of them wait for the browser.
const CHUNKS: usize = 2;

/// `GET /api/clips/ID/video.mp4`
pub async fn video(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let film = server.films.open(&server.client, &id).await?;
    let length = film.length();
    let tag = value(&format!("\"{}-{length}\"", film.clip().info().id))?;
    let (status, from, to) = match range(&headers, &tag, length) {
        Wanted::All => (StatusCode::OK, 0, length - 1),
        Wanted::Part { from, to } => (StatusCode::PARTIAL_CONTENT, from, to),
        Wanted::Outside => {
            let mut response =
                Refusal::wrong(StatusCode::RANGE_NOT_SATISFIABLE, "the clip is not that long").into_response();
            response.headers_mut().insert(header::CONTENT_RANGE, value(&format!("bytes */{length}"))?);
            return Ok(response);
        }
    };
    let first = film.piece(from, to - from + 1).await?;
    let mime = HeaderValue::from_static(film.clip().mime());
    let mut response =
        (status, Body::from_stream(pour(film, first, from, to + 1, server.stop.clone()))).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, mime);
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::ETAG, tag);
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from + 1));
    if status == StatusCode::PARTIAL_CONTENT {
        out.insert(header::CONTENT_RANGE, value(&format!("bytes {from}-{to}/{length}"))?);
    }
    Ok(response)
}

/// `GET /api/clips/ID/report`
pub async fn report(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Answer {
    let report = match server.films.open(&server.client, &id).await {
        Ok(film) => film.clip().verify().await?,
        // A clip whose first segment is not what was signed does not open; that is what there is to report.
        Err(CoreError::Tampered { reason }) => VerifyReport { problems: vec![reason], ..VerifyReport::default() },
        Err(error) => return Err(error.into()),
    };
    Ok(Json(answers::report(&report)))
}

/// `GET /api/clips/ID/export.mp4`
pub async fn export(State(server): State<Arc<Server>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let film = server.films.open(&server.client, &id).await?;
    // All of it is verified before the first byte goes.
    film.clip().len().await?;
    let info = film.clip().info();
    let name = format!("privet-{}-{}.mp4", utc(info.start_ms), info.id.get(..8).unwrap_or_default());
    let name = name.replace(' ', "T").replace(':', "-");
    let body = Body::from_stream(exported(film, server.stop.clone())?);
    let mut response = ([(header::CONTENT_TYPE, "video/mp4")], body).into_response();
    let disposition = value(&format!("attachment; filename=\"{name}\""))?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// What these headers want; everything when what they continue is something else by now.
fn range(headers: &HeaderMap, tag: &HeaderValue, length: u64) -> Wanted {
    if headers.get(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::All;
    }
    wanted(headers.get(header::RANGE).and_then(|value| value.to_str().ok()), length)
}

fn value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|error| Failure::Other(error.to_string()))
}

/// The film's bytes from `at` to `end`, as they are taken; `first` is their beginning.
fn pour(
    film: Arc<Film>,
    first: Bytes,
    at: u64,
    end: u64,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Bytes, CoreError>> + Send + 'static {
    try_unfold((film, stop, first, at), move |(film, stop, first, at)| async move {
        if at >= end {
            return Ok(None);
        }
        let piece = if first.is_empty() {
            tokio::select! {
                piece = film.piece(at, end - at) => piece?,
                () = stop.cancelled() => return Err(CoreError::Stopped),
            }
        } else {
            first
        };
        let next = at + piece.len() as u64;
        Ok(Some((piece, (film, stop, Bytes::new(), next))))
    })
}

/// The exported file. It goes through a pipe: decrypted video is not to lie on a disk on its way to the browser.
fn exported(
    film: Arc<Film>,
    stop: CancellationToken,
) -> Result<impl Stream<Item = Result<Bytes, CoreError>> + Send + 'static, Failure> {
    let failed = |error: std::io::Error| Failure::Other(format!("a pipe for the export: {error}"));
    let (read, write) = std::io::pipe().map_err(failed)?;
    let read = pipe::Receiver::from_owned_fd(read.into()).map_err(failed)?;
    let (chunks, taken) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        let export = async {
            let path = format!("/dev/fd/{}", write.as_raw_fd());
            let exported = film.clip().export_to(path, true).await;
            // The pipe ends when this end of it is gone too.
            drop(write);
            exported
        };
        let (exported, ()) = tokio::join!(export, pump(read, &chunks));
        if let Err(error) = exported {
            let _ = chunks.send(Err(error)).await;
        }
    });
    Ok(try_unfold((taken, stop), |(mut taken, stop)| async move {
        let chunk = tokio::select! {
            chunk = taken.recv() => chunk,
            () = stop.cancelled() => return Err(CoreError::Stopped),
        };
        match chunk {
            Some(chunk) => Ok(Some((chunk?, (taken, stop)))),
            None => Ok(None),
        }
    }))
}

/// Moves what comes out of a pipe, until its end or until nobody takes it.
///
/// Not before the first bytes were read is the pipe let go of: whoever opens one to write waits for a reader, and would hold a thread
/// of app-core for ever if there was none any more.
async fn pump(mut read: pipe::Receiver, chunks: &mpsc::Sender<Result<Bytes, CoreError>>) {
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match read.read_buf(&mut chunk).await {
            Ok(0) => return,
            Ok(_) => {
                if chunks.send(Ok(chunk.freeze())).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = chunks.send(Err(CoreError::Storage { reason: error.to_string() })).await;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_continues_only_the_same_film() {
        let tag = HeaderValue::from_static("\"aa-100\"");
        let asked = |if_range: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=10-"));
            if let Some(known) = if_range {
                headers.insert(header::IF_RANGE, HeaderValue::from_static(known));
            }
            range(&headers, &tag, 100)
        };
        let part = Wanted::Part { from: 10, to: 99 };
        assert_eq!((asked(None), asked(Some("\"aa-100\""))), (part, part));
        assert_eq!((asked(Some("\"aa-99\"")), asked(Some("W/\"aa-100\""))), (Wanted::All, Wanted::All));
    }
}
