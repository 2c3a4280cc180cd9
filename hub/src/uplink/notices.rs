//! Notices on their way: sealed to their phones, and gone from here once the relay has them. Each phone's in order; the phones side
//! by side, so that none waits for another's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use privet_protocol::id::DeviceId;
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, Code, Connection, Refusal};
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
    let mut pauses = Pauses::default();
    loop {
        let expected = uplink.notices.expected().await?;
        let now = Instant::now();
        let ready = pauses.ready(&expected, now);
        match pauses.cause() {
            Some(cause) => uplink.board.raise(Alarm::Notices { cause: cause.to_owned() }),
            None => uplink.board.clear_notices(),
        }
        if ready.is_empty() {
            let next = pauses.next();
            tokio::select! {
                () = uplink.notices.more() => {}
                () = tokio::time::sleep_until(next.unwrap_or(now)), if next.is_some() => {}
            }
            continue;
        }
        let rounds = ready.into_iter().map(|device| {
            let (uplink, connection) = (&uplink, &connection);
            // The relay drops a wake by its own clock.
            let until = connection.server_time().after(WORTH);
            async move { (device, round(uplink, connection, device, until).await) }
        });
        let rounds: Vec<_> =
            futures::stream::iter(rounds.collect::<Vec<_>>()).buffer_unordered(PARALLEL).collect().await;
        for (device, outcome) in rounds {
            match outcome? {
                None => pauses.taken(&device),
                Some(refusal) => pauses.refused(device, refusal, Instant::now()),
            }
        }
    }
}

/// Phones whose notices wait because the relay refused one, and why that is somebody's business. Time goes in.
#[derive(Debug, Default)]
struct Pauses(BTreeMap<DeviceId, Pause>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
    /// What an operator can do something about.
    cause: Option<String>,
}

impl Pauses {
    /// The phones that can be tried now, of those that notices wait for. One that nothing waits for is forgotten.
    fn ready(&mut self, expected: &BTreeSet<DeviceId>, now: Instant) -> Vec<DeviceId> {
        self.0.retain(|device, _| expected.contains(device));
        let may = |device: &&DeviceId| self.0.get(device).is_none_or(|pause| pause.until <= now);
        expected.iter().filter(may).copied().collect()
    }

    /// The relay took what there was for a phone.
    fn taken(&mut self, device: &DeviceId) {
        self.0.remove(device);
    }

    /// The relay takes no more for a phone now: twice as long a pause as before.
    fn refused(&mut self, device: DeviceId, refusal: Refusal, now: Instant) {
        let length = self.0.get(&device).map_or(PAUSE[0], |pause| (pause.length * 2).min(PAUSE[1]));
        // As many as may wait do wait for a phone that is away: it takes them when it is back. Or the home had as many as it may have
        // within an hour. Either passes, and no operator has to do anything.
        let cause = (refusal.code != Code::Quota).then(|| refusal.to_string());
        self.0.insert(device, Pause { until: now + length, length, cause });
    }

    /// When a pause is over.
    fn next(&self) -> Option<Instant> {
        self.0.values().map(|pause| pause.until).min()
    }

    /// Why the relay does not take notifications.
    fn cause(&self) -> Option<&str> {
        self.0.values().find_map(|pause| pause.cause.as_deref())
    }
}

/// Hands over some of a phone's notices. Gives why the relay takes no more of them now.
async fn round(
    uplink: &Uplink,
    connection: &Connection,
    device: DeviceId,
    until: Timestamp,
) -> Result<Option<Refusal>, UplinkError> {
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
                    refused = Some(refusal);
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: DeviceId = DeviceId::from_bytes([1; 16]);
    const BEN: DeviceId = DeviceId::from_bytes([2; 16]);

    fn refusal(code: Code) -> Refusal {
        Refusal::new(code, "not now")
    }

    #[test]
    fn a_phone_that_is_refused_is_tried_less_and_less_often_and_no_other_one() {
        let (mut pauses, both, mut now) = (Pauses::default(), BTreeSet::from([ANN, BEN]), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            pauses.refused(ANN, refusal(Code::Busy), now);
            assert_eq!(pauses.ready(&both, now), [BEN]);
            assert_eq!(pauses.next(), Some(now + Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            assert_eq!(pauses.ready(&both, now), [ANN, BEN]);
        }
        assert!(pauses.cause().is_some_and(|cause| cause.contains("not now")));
        pauses.taken(&ANN);
        assert_eq!((pauses.cause(), pauses.next()), (None, None));
    }

    #[test]
    fn the_alarm_stands_only_while_it_has_a_cause() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        pauses.refused(ANN, refusal(Code::Storage), now);
        pauses.refused(BEN, refusal(Code::Quota), now);
        assert!(pauses.cause().is_some());
        // Ann's phone is removed, or its notices went: nobody is refused anything any more that concerns the operator.
        assert_eq!(pauses.ready(&BTreeSet::from([BEN]), now), []);
        assert_eq!(pauses.cause(), None, "a phone that is away for long is no fault of the relay");
        assert!(pauses.next().is_some(), "it is tried again all the same");
    }
}
