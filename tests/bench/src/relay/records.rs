//! The stream that is fanned out: records of one length, made at one pace, each with the time it was made; and what became of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::sync::mpsc::UnboundedSender;

use crate::pull::percentile;

/// Bytes of a record.
pub const RECORD: usize = 16 * 1024;

/// A record on its way.
#[derive(Clone, Debug)]
pub struct Record {
    /// The segment it belongs to.
    pub segment: u64,
    /// It begins its segment.
    pub first: bool,
    /// It ends its segment.
    pub last: bool,
    /// What is sent.
    pub bytes: Bytes,
}

/// Makes so many records a second, and a segment of each second, until nobody takes them.
pub async fn produce(rate: u32, tally: Tally, to: UnboundedSender<Record>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / rate);
    let rate = u64::from(rate);
    let mut number = 0;
    loop {
        beat.tick().await;
        let (segment, place) = (number / rate, number % rate);
        let record = Record { segment, first: place == 0, last: place + 1 == rate, bytes: tally.make() };
        if to.send(record).is_err() {
            return;
        }
        number += 1;
    }
}

/// Notes what is made and what arrives, by one clock. Clones share it.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    /// Bytes of a record.
    record: usize,
    began: Instant,
    made_us: Mutex<Vec<u64>>,
    arrivals: Mutex<Vec<Arrival>>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    made_us: u64,
    at_us: u64,
}

/// What the followers had.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Of the records made within the time, the share that arrived.
    pub delivered: f64,
    /// Bytes that arrived within the time, at all followers together.
    pub bytes: f64,
    /// Half of the records were not older when their last byte was read.
    pub p50_ms: f64,
    /// 99 of a hundred were not older.
    pub p99_ms: f64,
}

impl Tally {
    /// Nothing was made, and the clock begins.
    pub fn start() -> Self {
        Self::of(RECORD)
    }

    /// The same for records of so many bytes.
    pub fn of(record: usize) -> Self {
        let (made_us, arrivals) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Noted { record, began: Instant::now(), made_us, arrivals }))
    }

    /// What its clock shows.
    pub fn now_us(&self) -> u64 {
        self.0.began.elapsed().as_micros() as u64
    }

    /// What came of records from one time to another, at so many followers.
    pub fn outcome(&self, from_us: u64, to_us: u64, followers: usize) -> Outcome {
        let within = |at_us: u64| (from_us..to_us).contains(&at_us);
        let made = lock(&self.0.made_us).iter().filter(|made_us| within(**made_us)).count();
        let arrivals = lock(&self.0.arrivals);
        let arrived = arrivals.iter().filter(|arrival| within(arrival.at_us)).count();
        let of_made = arrivals.iter().filter(|arrival| within(arrival.made_us));
        let mut ages: Vec<f64> = of_made.map(|a| a.at_us.saturating_sub(a.made_us) as f64 / 1000.0).collect();
        Outcome {
            delivered: ages.len() as f64 / (made * followers).max(1) as f64,
            bytes: (arrived * self.0.record) as f64,
            p50_ms: percentile(&mut ages, 0.5),
            p99_ms: percentile(&mut ages, 0.99),
        }
    }

    fn make(&self) -> Bytes {
        let now_us = self.now_us();
        lock(&self.0.made_us).push(now_us);
        let mut bytes = BytesMut::with_capacity(self.0.record);
        bytes.put_u64(now_us);
        bytes.resize(self.0.record, 0x55);
        bytes.freeze()
    }

    fn arrived(&self, made_us: u64) {
        let at_us = self.now_us();
        lock(&self.0.arrivals).push(Arrival { made_us, at_us });
    }
}

/// Finds the records in a segment's bytes as they come.
#[derive(Debug)]
pub struct Reader {
    tally: Tally,
    head: [u8; HEAD],
    /// Bytes of the current record so far.
    at: usize,
}

impl Reader {
    /// Before a segment's first byte.
    pub fn new(tally: Tally) -> Self {
        Self { tally, head: [0; HEAD], at: 0 }
    }

    /// Takes bytes, and notes the records that are whole with them.
    pub fn push(&mut self, mut bytes: &[u8]) {
        let record = self.tally.0.record;
        while !bytes.is_empty() {
            let (some, rest) = bytes.split_at(bytes.len().min(record - self.at));
            for (place, byte) in self.head.iter_mut().skip(self.at).zip(some) {
                *place = *byte;
            }
            self.at += some.len();
            bytes = rest;
            if self.at == record {
                self.at = 0;
                self.tally.arrived(u64::from_be_bytes(self.head));
            }
        }
    }
}

/// The time it was made.
const HEAD: usize = 8;

fn lock<T>(noted: &Mutex<T>) -> MutexGuard<'_, T> {
    noted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_however_the_bytes_come() {
        for piece in [1, 7, 1200, RECORD, 40_000] {
            let tally = Tally::start();
            let all: Vec<u8> = (0..3).flat_map(|_| tally.make()).collect();
            let mut reader = Reader::new(tally.clone());
            all.chunks(piece).for_each(|bytes| reader.push(bytes));
            let found: Vec<u64> = lock(&tally.0.arrivals).iter().map(|arrival| arrival.made_us).collect();
            assert_eq!(found, *lock(&tally.0.made_us), "in pieces of {piece}");
        }
    }

    #[test]
    fn what_did_not_arrive_counts() {
        let tally = Tally::start();
        lock(&tally.0.made_us).extend([5, 10, 20, 30]);
        let arrivals = [(5, 6), (10, 1010), (20, 3020), (10, 2010)].map(|(made_us, at_us)| Arrival { made_us, at_us });
        lock(&tally.0.arrivals).extend(arrivals);
        let outcome = tally.outcome(10, 2500, 2);
        assert_eq!((outcome.delivered, outcome.bytes), (0.5, 2.0 * RECORD as f64));
        assert_eq!((outcome.p50_ms, outcome.p99_ms), (2.0, 3.0));
    }
}
