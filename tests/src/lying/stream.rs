//! What passes through: requests and answers, and followed segments; and where the lies are told.

use std::sync::Arc;

use privet_protocol::cbor;
use privet_protocol::relay::{Code, MAX_MESSAGE, Refusal, Request, Response, SegmentHead, frame, frame_length};
use quinn::{Connection, RecvStream, SendStream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Broken, Lie, Shared};

/// More than any segment of a test.
const MAX_BODY: usize = 64 << 20;

pub(super) async fn read_frame<T: DeserializeOwned>(from: &mut RecvStream) -> Result<Option<T>, Broken> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    let mut body = vec![0; frame_length(prefix)?];
    from.read_exact(&mut body).await?;
    Ok(Some(cbor::decode(&body, MAX_MESSAGE)?))
}

pub(super) async fn write_frame<T: Serialize>(to: &mut SendStream, message: &T) -> Result<(), Broken> {
    Ok(to.write_all(&frame(message)).await?)
}

/// Passes one request on, with its body, and its answers back. `lies` is there when a phone asks.
pub(super) async fn pass_request(
    mut to_client: SendStream,
    mut from_client: RecvStream,
    mut to_relay: SendStream,
    mut from_relay: RecvStream,
    lies: Option<Arc<Shared>>,
) -> Result<(), Broken> {
    let Some(mut request) = read_frame::<Request>(&mut from_client).await? else { return Ok(()) };
    // The phones' acknowledgements would count as the owner's here.
    if lies.is_some() && matches!(request, Request::AckLog { .. } | Request::AckStream { .. }) {
        write_frame(&mut to_client, &Response::Done).await?;
        let _ = to_client.finish();
        return Ok(());
    }
    if let Some(shared) = &lies
        && let Request::Get { index, .. } = &mut request
        && shared.lie() == Lie::SwapSegment
    {
        *index = if *index == 0 { 1 } else { *index - 1 };
        shared.told_one();
    }
    write_frame(&mut to_relay, &request).await?;
    let body = async {
        let copied = copy(&mut from_client, &mut to_relay).await;
        let _ = to_relay.finish();
        copied
    };
    let answers = async {
        let passed = match (&request, &lies) {
            (Request::ReadLog { .. }, Some(shared)) => pass_log(&mut from_relay, &mut to_client, shared).await,
            (Request::Get { .. }, Some(shared)) => pass_body(&mut from_relay, &mut to_client, shared).await,
            _ => copy(&mut from_relay, &mut to_client).await,
        };
        let _ = to_client.finish();
        passed
    };
    // When the client has what it wants it goes, and its request's end must not wait for its body.
    let (_, answered) = tokio::join!(body, answers);
    answered
}

/// Copies to the end; what is broken off on one side is broken off on the other, with the same code.
async fn copy(from: &mut RecvStream, to: &mut SendStream) -> Result<(), Broken> {
    loop {
        tokio::select! {
            chunk = from.read_chunk(64 << 10, true) => match chunk {
                Ok(Some(chunk)) => to.write_all(&chunk.bytes).await?,
                Ok(None) => return Ok(()),
                Err(quinn::ReadError::Reset(code)) => {
                    let _ = to.reset(code);
                    return Err(Broken);
                }
                Err(e) => return Err(e.into()),
            },
            stopped = to.stopped() => {
                if let Ok(Some(code)) = stopped {
                    let _ = from.stop(code);
                }
                return Err(Broken);
            }
        }
    }
}

async fn pass_log(from: &mut RecvStream, to: &mut SendStream, shared: &Shared) -> Result<(), Broken> {
    let mut before: Option<Vec<u8>> = None;
    let mut held: Option<Vec<u8>> = None;
    let mut missing = 0;
    let mut told = false;
    while let Some(response) = read_frame::<Response>(from).await? {
        let Response::Entry { seq, mut entry } = response else {
            let head = |head: u64| head.saturating_sub(missing);
            let response = match response {
                Response::CaughtUp { head: last } => Response::CaughtUp { head: head(last) },
                other => other,
            };
            write_frame(to, &response).await?;
            continue;
        };
        let mut seq = seq - missing;
        let lie = if told { Lie::None } else { shared.lie() };
        let original = entry.clone();
        match lie {
            Lie::ReplayEntry => match &before {
                Some(before) => entry.clone_from(before),
                None => {
                    before = Some(original);
                    write_frame(to, &Response::Entry { seq, entry }).await?;
                    continue;
                }
            },
            Lie::SwapEntries => match held.take() {
                None => {
                    // Held back until the next one has gone before it; that alone is a lie.
                    held = Some(entry);
                    shared.told_one();
                    continue;
                }
                Some(first) => {
                    write_frame(to, &Response::Entry { seq: seq - 1, entry }).await?;
                    entry = first;
                }
            },
            Lie::DropEntry => {
                missing += 1;
                told = true;
                shared.told_one();
                continue;
            }
            Lie::SkipEntry => {
                told = true;
                shared.told_one();
                continue;
            }
            Lie::WithholdEntries => {
                shared.told_one();
                missing += 1;
                continue;
            }
            Lie::FlipEntry => flip(&mut entry),
            Lie::CutEntry => entry.truncate(entry.len() / 2),
            _ => {
                before = Some(original);
                if held.take().is_some() {
                    seq = seq.max(1);
                }
                write_frame(to, &Response::Entry { seq, entry }).await?;
                continue;
            }
        }
        before = Some(original);
        told = true;
        shared.told_one();
        write_frame(to, &Response::Entry { seq, entry }).await?;
    }
    Ok(())
}

async fn pass_body(from: &mut RecvStream, to: &mut SendStream, shared: &Shared) -> Result<(), Broken> {
    let lie = shared.lie();
    if lie == Lie::WithholdSegment {
        shared.told_one();
        return write_frame(to, &Response::Refused(Refusal::new(Code::NotFound, "there is no such segment"))).await;
    }
    let Some(mut response) = read_frame::<Response>(from).await? else { return Ok(()) };
    let (Response::Body { length }, Lie::FlipSegment | Lie::CutSegment | Lie::ExtendSegment | Lie::FlipEverySegment) =
        (&mut response, lie)
    else {
        write_frame(to, &response).await?;
        return copy(from, to).await;
    };
    let mut body = from.read_to_end(MAX_BODY).await?;
    match lie {
        Lie::FlipSegment | Lie::FlipEverySegment => flip(&mut body),
        Lie::CutSegment => body.truncate(body.len() * 3 / 4),
        _ => body.extend_from_slice(&[0; 64]),
    }
    *length = Some(body.len() as u64);
    shared.told_one();
    write_frame(to, &response).await?;
    Ok(to.write_all(&body).await?)
}

/// Passes the segments of followed streams on, each on a stream of its own.
pub(super) async fn pass_segments(upstream: Connection, client: Connection, lies: Option<Arc<Shared>>) {
    let mut before: Option<Vec<u8>> = None;
    while let Ok(mut from) = upstream.accept_uni().await {
        let lie = lies.as_ref().map_or(Lie::None, |shared| shared.lie());
        let passed = match (&lies, lie) {
            (Some(shared), Lie::DropLive) => {
                shared.told_one();
                Ok(())
            }
            (Some(shared), Lie::FlipLive | Lie::ReplayLive | Lie::FlipEverySegment) => {
                lie_about_segment(&mut from, &client, shared, lie, &mut before).await
            }
            _ => {
                // On a task of its own: a segment is passed on while it is written, the next one may overtake it.
                let client = client.clone();
                tokio::spawn(async move {
                    let mut to = client.open_uni().await?;
                    let copied = copy(&mut from, &mut to).await;
                    let _ = to.finish();
                    copied
                });
                Ok(())
            }
        };
        if passed.is_err() && client.close_reason().is_some() {
            return;
        }
    }
}

async fn lie_about_segment(
    from: &mut RecvStream,
    client: &Connection,
    shared: &Shared,
    lie: Lie,
    before: &mut Option<Vec<u8>>,
) -> Result<(), Broken> {
    let Some(head) = read_frame::<SegmentHead>(from).await? else { return Ok(()) };
    let body = from.read_to_end(MAX_BODY).await?;
    let mut sent = body.clone();
    match (lie, before.replace(body)) {
        (Lie::ReplayLive, Some(before)) => {
            sent = before;
            shared.told_one();
        }
        (Lie::FlipLive | Lie::FlipEverySegment, _) => {
            flip(&mut sent);
            shared.told_one();
        }
        _ => {}
    }
    let mut to = client.open_uni().await?;
    write_frame(&mut to, &head).await?;
    to.write_all(&sent).await?;
    let _ = to.finish();
    Ok(())
}

/// Flips a bit in the middle.
fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}
