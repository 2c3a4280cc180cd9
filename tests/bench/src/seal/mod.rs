//! `bench seal`: what sealing and opening cost beyond the primitives they are made of, on one core.
//!
//! Rates are by the thread's CPU time, so a busy machine blurs them less. A ratio is the median over rounds that measure the
//! limit and the real thing one after the other.

mod limit;
mod mls;
mod subject;

use privet_segment::Track;
use rustix::time::{ClockId, clock_gettime};

use crate::figure::{Figure, Goal};
use limit::Limit;
use subject::Subject;

/// Bytes of a sealed segment.
const SEALED: usize = 1 << 20;
/// Bytes of media in it, as much as fits: what both the limit and the real thing go through.
const SEGMENT: usize = SEALED - 4096;
/// Bytes of a record.
const RECORD: usize = 1 << 16;
/// What a socket gives at once.
const READ: usize = 1 << 16;
const ROUNDS: usize = 61;
/// Segments a round.
const REPEAT: usize = 4;

/// All figures of this benchmark.
pub fn run() -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut limit = Limit::new(SEGMENT, RECORD);

    // Sound has no access-unit hash: sealing proper, through the same code.
    let mut proper = Subject::new(Track::Audio, SEGMENT, RECORD);
    let (bare, sealed) = compare(|| limit.seal(false), || proper.seal());
    figures.extend(pair("seal, BLAKE3 + AES-256-GCM", &bare, &sealed));
    let (_, mls) = compare(|| 0.0, mls::sender());
    let faster = Figure::known("seal", "seal", "rate against MLS messages of 64 KiB", mid(&mls) / mid(&sealed), "x");
    figures.push(Figure::known("seal", "MLS application messages of 64 KiB", "rate", rate(mid(&mls)), "GB/s"));
    figures.push(faster.with_goal(Goal::AtLeast(10.0)));

    let mut video = Subject::new(Track::Video, SEGMENT, RECORD);
    let (bare, sealed) = compare(|| limit.seal(true), || video.seal());
    figures.extend(pair("seal, with SHA-256 of the access units", &bare, &sealed));

    let (bare, opened) = compare(|| limit.open(false), || proper.read_stored());
    figures.extend(pair("open and verify", &bare, &opened));
    let (bare, opened) = compare(|| limit.open(true), || video.verify_stored());
    figures.extend(pair("open and verify, with SHA-256", &bare, &opened));
    let pieces = "open and verify, from pieces of 64 KiB";
    let (bare, opened) = compare(|| limit.open_pieces(READ), || proper.open_pieces(READ));
    figures.extend(pair(pieces, &bare, &opened));
    let (bare, opened) = compare(|| limit.open(false), || proper.open_pieces(READ));
    // Against primitives that need not put the records together: known, not asked.
    let literal = mid(&ratios(&bare, &opened));
    figures.push(Figure::known("seal", pieces, "rate against the primitives in place", literal, "x"));
    let (bare, opened) = compare(|| limit.open(true), || video.open_pieces(READ));
    figures.extend(pair("open and verify, from pieces, with SHA-256", &bare, &opened));

    let (mut empty, sealed_before) = (Subject::new(Track::Video, 0, RECORD), Subject::new(Track::Video, 0, RECORD));
    let (sealed, opened) = compare(|| empty.seal(), || sealed_before.verify_stored());
    figures.push(Figure::known("seal", "fixed cost of a segment", "seal", mid(&sealed) * 1e6, "us"));
    figures.push(Figure::known("seal", "fixed cost of a segment", "open and verify", mid(&opened) * 1e6, "us"));
    let (copied, _) = compare(|| limit.copy(), || 0.0);
    figures.push(Figure::known("seal", "copying 1 MiB once", "time", mid(&copied) * 1e6, "us"));

    figures.extend(memory());
    figures
}

/// Peak memory of one long segment against a short one, sealed and opened as a stream.
fn memory() -> Option<Figure> {
    let short = subject::streaming_peak(SEALED, RECORD)?;
    let long = subject::streaming_peak(64 * SEALED, RECORD)?;
    let growth = long.saturating_sub(short) as f64 / f64::from(1 << 20);
    let figure = Figure::known("seal", "streaming 64 MiB against 1 MiB", "growth of the peak", growth, "MiB");
    Some(figure.with_goal(Goal::AtMost(0.5)))
}

fn pair(case: &str, bare: &[f64], real: &[f64]) -> [Figure; 3] {
    [
        Figure::known("seal", format!("{case}: the primitives alone"), "rate", rate(mid(bare)), "GB/s"),
        Figure::known("seal", case, "rate", rate(mid(real)), "GB/s"),
        Figure::known("seal", case, "rate against the primitives", mid(&ratios(bare, real)), "x")
            .with_goal(Goal::AtLeast(0.75)),
    ]
}

fn ratios(bare: &[f64], real: &[f64]) -> Vec<f64> {
    bare.iter().zip(real).map(|(bare, real)| bare / real).collect()
}

/// Seconds a segment, round by round, of two things by turns.
fn compare(mut one: impl FnMut() -> f64, mut other: impl FnMut() -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut round = || {
        let ones: f64 = (0..REPEAT).map(|_| one()).sum();
        let others: f64 = (0..REPEAT).map(|_| other()).sum();
        (ones / REPEAT as f64, others / REPEAT as f64)
    };
    let _warm = round();
    (0..ROUNDS).map(|_| round()).unzip()
}

fn mid(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// GB a second for the seconds a segment takes.
fn rate(seconds: f64) -> f64 {
    SEGMENT as f64 / seconds / 1e9
}

/// CPU seconds of this thread that `work` takes.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = clock_gettime(ClockId::ThreadCPUTime);
    let result = work();
    let end = clock_gettime(ClockId::ThreadCPUTime);
    std::hint::black_box(result);
    (end.tv_sec - start.tv_sec) as f64 + (end.tv_nsec - start.tv_nsec) as f64 / 1e9
}
