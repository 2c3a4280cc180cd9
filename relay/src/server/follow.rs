//! Following a stream: each follower at its own pace, segment by segment, each on a QUIC stream of its own.
//!
//! Bytes go out as they come in. A follower that has not taken a passing segment some time after a newer one has begun loses
//! the rest of it and goes on with the newest: it is late by one segment at most, costs no memory beyond what all followers
//! share, and holds up nobody. So it is also with the end of one that was handed to the connection whole: newer ones go before it there, and
//! its turn might come when nobody wants it any more. Kept segments are never skipped: they are on disk, and while the storage is away it is waited for. The
//! followers of a home that has come to its bytes a second (`pace`) are slow in the same way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_protocol::id::StreamId;
use privet_protocol::relay::{Code, From, Response, SegmentHead, reset};
use privet_protocol::time::Timestamp;
use tokio::task::JoinSet;

use super::growing::{Cursor, Growing, Piece};
use super::home::Home;
use super::pace::{self, Lane};
use super::priority;
use super::segments::{Unsent, send_kept};
use super::stream::{Next, Stream};
use super::tally::Present;
use super::wire::{Answers, Failure};

/// For so long the storage may be away before a follower of what is kept is told, and has to come again.
const STORAGE_PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How much more patience there is with what was handed to the connection whole. It holds up nobody, and on a link that loses packets it may
/// come yet; much later no viewer shows it.
const FOR_THE_END: Duration = Duration::from_secs(1);
/// So many segments of a follower whose ends are under way are watched. They are as short-lived as its patience, and its connection holds few.
const LEAVING: usize = 16;

pub(crate) async fn follow(
    home: &Home,
    connection: &quinn::Connection,
    stream: StreamId,
    from: From,
    answers: &mut Answers,
    now: Timestamp,
) -> Result<(), Failure> {
    let place = home.follower()?;
    let stream = home.stream_or_begin(stream, now)?;
    let following = Present::follower(&home.tally);
    let late = part_of(home.limits().patience() / 2, place.number);
    let mut leaving = JoinSet::new();
    let outcome = send(home, connection, &stream, from, late, answers, &mut leaving).await;
    leaving.shutdown().await;
    drop(following);
    home.remove_if_idle(&stream);
    outcome
}

async fn send(
    home: &Home,
    connection: &quinn::Connection,
    stream: &Arc<Stream>,
    from: From,
    late: Duration,
    answers: &mut Answers,
    leaving: &mut JoinSet<()>,
) -> Result<(), Failure> {
    // Counts as a follower until the end, so that a stream that has not begun yet is not swept away.
    let mut changes = stream.changes();
    let first = match from {
        From::Newest => {
            let contents = stream.contents();
            contents.newest().unwrap_or_else(|| contents.next())
        }
        From::Index(index) => index,
    };
    let follow = answers.id();
    answers.send(&Response::Following { follow, first }).await?;

    let follower = Follower { home, connection, stream, follow, late, linked: answers.is_linked() };
    let mut index = first;
    loop {
        while leaving.try_join_next().is_some() {}
        changes.borrow_and_update();
        let next = stream.contents().next_for(index);
        match next {
            Next::Kept { index: kept, length } => {
                let mut out = follower.open(kept, priority::KEPT).await?;
                let stopped = answers.stopped();
                let sent = tokio::select! {
                    sent = follower.send_kept(kept, length, &mut out) => sent,
                    () = stopped => return Err(Failure::Lost),
                };
                match sent {
                    Ok(()) => out.finish(),
                    Err(Unsent::Gone) => {
                        // Gone from disk while it was read, or lost outside of this program.
                        out.reset(reset::STORAGE);
                        answers.send(&Response::Skipped { from: kept, to: kept + 1 }).await?;
                    }
                    Err(Unsent::Away(error)) => {
                        // It is there, and promised: its follower comes again for it.
                        out.reset(reset::STORAGE);
                        return Err(error.into());
                    }
                    // The follower did not want this one segment.
                    Err(Unsent::Unwanted(_)) if connection.close_reason().is_none() => {}
                    Err(Unsent::Unwanted(failure)) => return Err(failure),
                }
                index += 1;
            }
            Next::Growing { segment, passing } => {
                let sent = follower.send_growing(&segment, passing, answers, leaving).await?;
                // Who reads nothing does not read either that it is too slow, and must not keep what nobody else has any more.
                drop(segment);
                match sent {
                    Sent::Whole => index += 1,
                    Sent::TooSlow => {
                        home.tally.skipped.add(1);
                        let newest = stream.contents().newest().unwrap_or(index + 1).max(index + 1);
                        answers.send(&Response::Skipped { from: index, to: newest }).await?;
                        index = newest;
                    }
                    // Whoever writes it may start it anew; if it does not come back, that shows as a skip or a wait.
                    Sent::Broken => {}
                }
            }
            Next::Skip { to } => {
                answers.send(&Response::Skipped { from: index, to }).await?;
                index = to;
            }
            Next::Ended { segments } => return answers.send(&Response::Ended { segments }).await,
            Next::Dropped => return Err(Failure::refuse(Code::Gone, "the stream was dropped")),
            Next::Wait => {
                let stopped = answers.stopped();
                tokio::select! {
                    changed = changes.changed() => changed.map_err(|_| Failure::Lost)?,
                    () = stopped => return Err(Failure::Lost),
                }
            }
        }
    }
}

struct Follower<'a> {
    home: &'a Home,
    connection: &'a quinn::Connection,
    stream: &'a Arc<Stream>,
    follow: u64,
    /// How much later than its patience would have it a follower is too slow. Each has a time of its own: a thousand that read nothing do not
    /// all go on with the next segment in the same moment, in which the others would wait for them.
    late: Duration,
    /// Whether a node is in between, which has to know what goes first.
    linked: bool,
}

enum Sent {
    Whole,
    TooSlow,
    Broken,
}

impl Follower<'_> {
    async fn open(&self, index: u64, priority: i32) -> Result<Answers, Failure> {
        let mut out =
            Answers::new(self.connection.open_uni().await.map_err(|_| Failure::Lost)?, Arc::clone(&self.home.tally));
        out.set_priority(priority);
        if self.linked {
            out.announce_priority(priority).await?;
        }
        out.send(&SegmentHead { follow: self.follow, index }).await?;
        Ok(out)
    }

    /// Sends a kept segment. While the storage is away this waits, and goes on where it was.
    async fn send_kept(&self, index: u64, length: u64, out: &mut Answers) -> Result<(), Unsent> {
        let mut at = 0;
        let mut began = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let before = at;
            let sent = send_kept(self.home, self.stream, index, &mut at, length, out).await;
            if at > before {
                (began, pause) = (Instant::now(), FIRST_PAUSE);
            }
            match sent {
                Err(Unsent::Away(_)) if began.elapsed() < STORAGE_PATIENCE => {}
                sent => return sent,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if !self.stream.contents().kept.contains_key(&index) {
                return Err(Unsent::Gone);
            }
        }
    }

    async fn send_growing(
        &self,
        segment: &Arc<Growing>,
        passing: bool,
        answers: &Answers,
        leaving: &mut JoinSet<()>,
    ) -> Result<Sent, Failure> {
        let stopped = answers.stopped();
        let too_slow = async {
            match passing {
                true => self.too_slow(segment.index, Duration::ZERO).await,
                false => std::future::pending().await,
            }
        };
        tokio::pin!(stopped, too_slow);
        let mut out = tokio::select! {
            out = self.open(segment.index, segment.priority) => out?,
            () = &mut too_slow => return Ok(Sent::TooSlow),
            () = &mut stopped => return Err(Failure::Lost),
        };
        let mut cursor = Cursor::new(Arc::clone(segment), 0);
        loop {
            let piece = tokio::select! {
                biased;
                () = &mut stopped => return Err(Failure::Lost),
                piece = cursor.next() => piece,
                () = &mut too_slow => {
                    out.reset(reset::SKIPPED);
                    return Ok(Sent::TooSlow);
                }
            };
            match piece {
                Ok(Piece::Bytes(bytes)) => {
                    tokio::select! {
                        biased;
                        written = pace::send(self.home, &mut out, bytes, Lane::of(passing)) => match written {
                            Ok(()) => {}
                            // It did not want this one segment.
                            Err(_) if self.connection.close_reason().is_none() => return Ok(Sent::Whole),
                            Err(failure) => return Err(failure),
                        },
                        () = &mut stopped => return Err(Failure::Lost),
                        () = &mut too_slow => {
                            out.reset(reset::SKIPPED);
                            return Ok(Sent::TooSlow);
                        }
                    }
                }
                Ok(Piece::End) => {
                    if passing && leaving.len() < LEAVING {
                        leaving.spawn(out.finish_in_time(self.too_slow(segment.index, FOR_THE_END), reset::SKIPPED));
                    } else {
                        out.finish();
                    }
                    return Ok(Sent::Whole);
                }
                Ok(Piece::Broken) => {
                    out.reset(reset::BROKEN_OFF);
                    return Ok(Sent::Broken);
                }
                Err(_) => return Err(Failure::Reset(reset::STORAGE)),
            }
        }
    }

    /// Resolves its patience, and so much `more`, after a newer segment than this passing one has begun.
    fn too_slow(&self, index: u64, more: Duration) -> impl Future<Output = ()> + Send + use<> {
        let stream = Arc::clone(self.stream);
        let patience = self.home.limits().patience() + self.late + more;
        async move {
            let mut changes = stream.changes();
            while stream.contents().newest().is_none_or(|newest| newest <= index) {
                if changes.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
            tokio::time::sleep(patience).await;
        }
    }
}

/// The fractional part of the golden ratio, in 2^-32: its multiples lie as evenly as those of any number.
const GOLDEN: u32 = 0x9e37_79b9;

/// Of a span of time the part of the `number`th: any number of them one after the other are spread over it evenly.
fn part_of(span: Duration, number: u32) -> Duration {
    span.mul_f64(f64::from(number.wrapping_mul(GOLDEN)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_are_too_slow_one_after_the_other() {
        let span = Duration::from_millis(150);
        for first in [0, 7, u32::MAX - 100] {
            let mut moments: Vec<_> = (0..200).map(|number| part_of(span, first.wrapping_add(number))).collect();
            moments.sort();
            assert!(moments.iter().all(|moment| *moment <= span));
            let most = moments.windows(10).map(|ten| ten[9] - ten[0]).min();
            assert!(most > Some(Duration::from_millis(4)), "ten of 200 within {most:?}");
        }
        assert_eq!(part_of(Duration::ZERO, 9), Duration::ZERO);
    }
}
