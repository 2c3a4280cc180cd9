//! The camera: access units as long as those of a film and of a smaller one, its substream, made at their pace, each with its number
//! and the time it was made.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use privet_demo::Trouble;
use tokio::sync::mpsc;

/// One clock for all: sender and receiver are the same process.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it runs.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// How long the access units of a film and of its substream are.
#[derive(Clone, Debug)]
pub struct Records {
    /// Groups, each of which begins with a key frame.
    groups: Arc<Vec<Vec<usize>>>,
    /// Those of the substream, which begin at the same time.
    small: Arc<Vec<Vec<usize>>>,
    fps: u32,
}

/// An access unit on its way.
#[derive(Clone, Debug)]
pub struct Record {
    /// The group it belongs to.
    pub group: u64,
    /// It begins its group.
    pub first: bool,
    /// It ends its group.
    pub last: bool,
    /// What is sent.
    pub bytes: Bytes,
    /// What is sent instead of it where the substream is wanted.
    pub small: Bytes,
}

/// An access unit that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Counted from the first one that was made.
    pub number: u64,
    /// By the source's clock.
    pub made: Duration,
    /// It is the substream's.
    pub small: bool,
}

/// Length of all, number, time in microseconds, whose it is.
const HEAD: usize = 4 + 8 + 8 + 1;

impl Records {
    /// Those of Annex B films with one slice a picture, and as many pictures from key frame to key frame.
    ///
    /// # Errors
    /// [`Trouble`] when one can't be read or has no key frame.
    pub fn of_films(film: &Path, small: &Path, fps: u32) -> Result<Self, Trouble> {
        let groups = |film: &Path| {
            let bytes = fs::read(film).map_err(|e| Trouble::new(format!("{}: {e}", film.display())))?;
            let groups = groups(&bytes);
            if groups.is_empty() {
                return Err(Trouble::new(format!("{} has no key frame", film.display())));
            }
            Ok(Arc::new(groups))
        };
        Ok(Self { groups: groups(film)?, small: groups(small)?, fps })
    }
}

/// The lengths of access units, from key frame to key frame.
fn groups(film: &[u8]) -> Vec<Vec<usize>> {
    const SLICE: u8 = 1;
    const KEY_SLICE: u8 = 5;
    let starts: Vec<usize> = film.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    // Parameter sets belong to the picture after them.
    let mut begun = 0;
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(film.len());
        let kind = film.get(start + 3).map_or(0, |byte| byte & 0x1f);
        if kind == KEY_SLICE {
            groups.push(Vec::new());
        }
        if kind == SLICE || kind == KEY_SLICE {
            if let Some(group) = groups.last_mut() {
                group.push(end - begun);
            }
            begun = end;
        }
    }
    groups
}

/// Plays to all who subscribed.
#[derive(Debug)]
pub struct Source {
    records: Records,
    clock: Clock,
    to: Vec<mpsc::UnboundedSender<Record>>,
}

impl Source {
    /// A source that nobody sees yet.
    pub fn new(records: Records, clock: Clock) -> Self {
        Self { records, clock, to: Vec::new() }
    }

    /// What is played, from its beginning to its end. Nothing is lost by taking it late.
    pub fn subscribe(&mut self) -> mpsc::UnboundedReceiver<Record> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.to.push(sender);
        receiver
    }

    /// Plays whole groups for about so long, says when each record of them was made, and plays on for the time `after` them: what
    /// is late meets what came later.
    pub async fn play(self, long: Duration, after: Duration) -> Vec<Duration> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / self.records.fps);
        let (mut made, mut counted) = (Vec::new(), None);
        let groups = self.records.groups.iter().cycle().zip(self.records.small.iter().cycle());
        for (number, (group, small)) in (0..).zip(groups) {
            let played = Duration::from_secs(1) / self.records.fps * made.len() as u32;
            if played >= long {
                counted.get_or_insert(made.len());
            }
            if played >= long + after {
                break;
            }
            for (n, length) in group.iter().enumerate() {
                beat.tick().await;
                let now = self.clock.now();
                let bytes = encode(made.len() as u64, now, *length, false);
                let small = encode(made.len() as u64, now, small.get(n).copied().unwrap_or(HEAD), true);
                let record = Record { group: number, first: n == 0, last: n + 1 == group.len(), bytes, small };
                for to in &self.to {
                    // One that gave up says why itself.
                    let _ = to.send(record.clone());
                }
                made.push(now);
            }
        }
        made.truncate(counted.unwrap_or(usize::MAX));
        made
    }
}

fn encode(number: u64, made: Duration, length: usize, small: bool) -> Bytes {
    let length = length.max(HEAD);
    let mut bytes = BytesMut::with_capacity(length);
    bytes.put_u32(length as u32);
    bytes.put_u64(number);
    bytes.put_u64(made.as_micros() as u64);
    bytes.put_u8(small.into());
    bytes.resize(length, 0x55);
    bytes.freeze()
}

/// Finds the records in bytes as they come.
#[derive(Debug, Default)]
pub struct Parser {
    buffer: BytesMut,
}

impl Parser {
    /// Takes bytes, and gives the records that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Arrived> {
        self.buffer.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(mut head) = self.buffer.get(..HEAD) {
            let length = (head.get_u32() as usize).max(HEAD);
            if self.buffer.len() < length {
                break;
            }
            let (number, made) = (head.get_u64(), Duration::from_micros(head.get_u64()));
            whole.push(Arrived { number, made, small: head.get_u8() != 0 });
            let _ = self.buffer.split_to(length);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_however_the_bytes_come() {
        let small = |n: u64| n % 2 == 1;
        let encoded = |n: u64| encode(n, Duration::from_secs(n), 100 + n as usize * 37, small(n));
        let all: Vec<u8> = (0..5).flat_map(encoded).collect();
        let wanted: Vec<Arrived> =
            (0..5).map(|number| Arrived { number, made: Duration::from_secs(number), small: small(number) }).collect();
        for piece in [1, 7, 100, 10_000] {
            let mut parser = Parser::default();
            let records: Vec<Arrived> = all.chunks(piece).flat_map(|bytes| parser.push(bytes)).collect();
            assert_eq!(records, wanted, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_film_falls_into_groups_with_their_parameter_sets() {
        let unit = |kind: u8, length: usize| [&[0, 0, 1, kind][..], &vec![0xaa; length - 4]].concat();
        let film = [unit(7, 10), unit(8, 6), unit(5, 100), unit(1, 20), unit(1, 30), unit(7, 10), unit(5, 90)].concat();
        assert_eq!(groups(&film), [vec![116, 20, 30], vec![100]]);
    }
}
