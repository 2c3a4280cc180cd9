//! Founding a home: with the operator's word, with none, or with work, as the relay asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use privet_protocol::id::HomeId;
use privet_protocol::relay::{Challenge, Principal, Solution, solve};

use crate::connect::{ClientKey, RelayTarget, connect};
use crate::connection::Connection;
use crate::error::ClientError;

/// A challenge that grew too old while it was solved is followed by another one, so often at most.
const CHALLENGES: usize = 3;
/// How often the caller is told how far the work is.
const TELL: Duration = Duration::from_secs(2);

/// Connects as the one who founds `home`, or is its owner again; `invite` is what the relay's operator gave. A relay that lets homes in
/// by proof of work says so, is worked for, and is asked again. Work that takes longer than two seconds is told of every two seconds:
/// `progress` hears which part of the usual work is done, which may well be more than 1. Each attempt to connect takes `timeout` at
/// most, the work as long as it takes. Dropped, it works no longer.
///
/// # Errors
/// Those of [`connect`], and [`ClientError::Work`] when the relay asks for more than anybody should do.
pub async fn found(
    target: &RelayTarget,
    home: HomeId,
    invite: Option<String>,
    key: &ClientKey,
    timeout: Duration,
    mut progress: impl FnMut(f64) + Send,
) -> Result<Connection, ClientError> {
    let mut words = invite;
    let mut challenges = 0;
    loop {
        let refusal = match connect(target, Principal::Founder { home, invite: words }, key, timeout).await {
            Err(ClientError::Refused(refusal)) => refusal,
            outcome => return outcome,
        };
        let Some(challenge) = refusal.challenge.filter(|_| challenges < CHALLENGES) else {
            return Err(ClientError::Refused(refusal));
        };
        challenges += 1;
        words = Some(work(challenge, &mut progress).await?.to_string());
    }
}

async fn work(challenge: Challenge, progress: &mut (impl FnMut(f64) + Send)) -> Result<Solution, ClientError> {
    let work = Arc::new(Work::default());
    let _dropped = BreakOff(Arc::clone(&work));
    let doing = Arc::clone(&work);
    let mut solving = tokio::task::spawn_blocking(move || {
        solve(&challenge, |part| {
            doing.part.store(part.to_bits(), Ordering::Relaxed);
            !doing.over.load(Ordering::Relaxed)
        })
    });
    loop {
        match tokio::time::timeout(TELL, &mut solving).await {
            Ok(Ok(solved)) => return Ok(solved?),
            Ok(Err(error)) => return Err(ClientError::Protocol(format!("the relay's challenge: {error}"))),
            Err(_) => progress(f64::from_bits(work.part.load(Ordering::Relaxed))),
        }
    }
}

/// Work under way on a thread of its own.
#[derive(Default)]
struct Work {
    /// The bits of the part that is done.
    part: AtomicU64,
    over: AtomicBool,
}

struct BreakOff(Arc<Work>);

impl Drop for BreakOff {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
