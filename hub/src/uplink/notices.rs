//! Notices on their way: sealed to their phones, and gone from here once the relay has them. Each phone's in order; the phones side
//! by side, so that none waits for another's.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use privet_protocol::id::DeviceId;
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, Code, Connection};
use tokio::time::Instant;

use super::{Uplink, UplinkError};
use crate::notices::NoticesError;
use crate::status::Alarm;

/// For how long a phone is tried to be woken for something; the log has it for longer.
const WORTH: Duration = Duration::from_secs(24 * 3600);
/// Notices sealed for a phone at once.
const AT_ONCE: usize = 8;
/// Phones that are woken at the same time.
const PARALLEL: usize = 8;
/// How long a phone's notices wait after the relay refused one, for the first time and at most.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Hands over what waits, and what comes from then on.
pub(super) async fn send(uplink: Uplink, connection: Connection) -> Result<(), UplinkError> {
    // The relay drops a wake by its own clock, and this machine's may be set meanwhile.
    let (relay, began) = (connection.server_time(), Instant::now());
    let mut pauses: BTreeMap<DeviceId, Pause> = BTreeMap::new();
    loop {
        let expected = uplink.notices.expected().await?;
        pauses.retain(|device, _| expected.contains(device));
        let now = Instant::now();
        let ready = expected.iter().copied().filter(|device| pauses.get(device).is_none_or(|pause| pause.until <= now));
        let rounds = ready.map(|device| {
            let (uplink, connection) = (&uplink, &connection);
            let until = relay.after(began.elapsed()).after(WORTH);
            async move { (device, round(uplink, connection, device, until).await) }
        });
        let rounds: Vec<_> =
            futures::stream::iter(rounds.collect::<Vec<_>>()).buffer_unordered(PARALLEL).collect().await;
        if rounds.is_empty() {
            let next = pauses.values().map(|pause| pause.until).min();
            tokio::select! {
                () = uplink.notices.more() => {}
                () = tokio::time::sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
            continue;
        }
        let mut refused = None;
        for (device, outcome) in rounds {
            match outcome? {
                None => drop(pauses.remove(&device)),
                Some(cause) => {
                    let length = pauses.get(&device).map_or(PAUSE[0], |pause| (pause.length * 2).min(PAUSE[1]));
                    pauses.insert(device, Pause { until: Instant::now() + length, length });
                    refused = Some(cause);
                }
            }
        }
        match refused {
            Some(cause) => uplink.board.raise(Alarm::Notices { cause }),
            None if pauses.is_empty() => uplink.board.clear_notices(),
            None => {}
        }
    }
}

struct Pause {
    until: Instant,
    length: Duration,
}

/// Hands over some of a phone's notices. Gives why the relay takes no more of them now.
async fn round(
    uplink: &Uplink,
    connection: &Connection,
    device: DeviceId,
    until: Timestamp,
) -> Result<Option<String>, UplinkError> {
    let (mut taken, mut refused, mut lost) = (Vec::new(), None, None);
    for notice in uplink.notices.seal(device, AT_ONCE).await? {
        match connection.wake(notice.key, notice.id, notice.payload, notice.urgency, until).await {
            Ok(()) => taken.push(notice.number),
            Err(ClientError::Refused(refusal)) => match refusal.code {
                // The next try would be refused as well; the log has the event.
                Code::TooLarge | Code::Malformed | Code::Conflict | Code::Gone => {
                    tracing::error!(%device, %refusal, "the relay will never take a notification: it is given up");
                    taken.push(notice.number);
                }
                _ => {
                    tracing::warn!(%device, %refusal, "the relay takes no notification for a phone now");
                    refused = Some(refusal.to_string());
                    break;
                }
            },
            Err(error) => {
                lost = Some(error);
                break;
            }
        }
    }
    // What the relay has is gone from here, even when the connection ended after it.
    uplink.notices.done(taken).await?;
    lost.map_or(Ok(refused), |error| Err(error.into()))
}

impl From<NoticesError> for UplinkError {
    fn from(error: NoticesError) -> Self {
        match error {
            NoticesError::Home(error) => error.into(),
            NoticesError::Stopping(error) => error.into(),
            NoticesError::Book(error) => Self::Notices(error),
        }
    }
}
