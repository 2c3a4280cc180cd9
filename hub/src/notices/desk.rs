//! What is decided about wishes and notices on the home's thread, in the commit of the verb that runs there.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use privet_home::{Also, Env, FromPhone, Happening, HomeError, HubHome, HubMessage, PhoneMessage, Severity};
use privet_notify::{Book, BookError, Step, Wished};
use privet_protocol::id::{DeviceId, StreamId};
use privet_protocol::relay::Urgency;
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;

use super::{NoticesError, NoticesHandle, Sealed};
use crate::outbox::Outbox;

/// The book, during one verb. What it `Desk::answer`s is durable when `Desk::settle` is told so.
pub struct Desk<'a> {
    notices: &'a NoticesHandle,
    book: MutexGuard<'a, Book>,
    step: Option<Step>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(notices: &'a NoticesHandle) -> Self {
        Self { notices, book: notices.book(), step: None }
    }

    /// What is said and kept about a phone's message, in the commit that takes it. `newcomer` is what a phone must be told that
    /// was let in again.
    pub(crate) fn answer(
        &mut self,
        from: &FromPhone,
        newcomer: &[HubMessage],
        now: Timestamp,
    ) -> Result<Also, HomeError> {
        let device = from.device;
        let mut also = Also::default();
        if from.rejoined {
            also.say.extend(newcomer.iter().cloned());
            also.say.push(HubMessage::Wishes(self.book.wishes(&device)));
        }
        match &from.message {
            Some(PhoneMessage::Paired) if self.book.may_change(device, now) => {
                also.say.push(HubMessage::Wishes(self.book.wishes(&device)));
            }
            Some(PhoneMessage::SetWishes(wishes)) => {
                match self.book.wish(device, wishes.clone(), &self.notices.cameras(), now) {
                    Ok(Wished::Kept(step, told)) => {
                        also.say.push(HubMessage::Wishes(told));
                        self.keep(step, &mut also);
                    }
                    Ok(Wished::Later(step)) => {
                        tracing::debug!(%device, "a phone changes its wishes too often: the last ones are looked at later");
                        self.keep(step, &mut also);
                    }
                    Err(error) => {
                        let error = impossible(error)?;
                        tracing::info!(%device, %error, "a phone's wishes are refused; the old ones stay");
                        also.say.push(HubMessage::Wishes(self.book.wishes(&device)));
                    }
                }
            }
            Some(PhoneMessage::SetPush(setup)) => match self.book.set_push(device, setup.clone()) {
                Ok(Some(step)) => self.keep(step, &mut also),
                Ok(None) => {}
                Err(error) => {
                    let error = impossible(error)?;
                    tracing::warn!(%device, %error, "a phone can't be woken");
                }
            },
            Some(PhoneMessage::RemoveDevice { .. }) => {
                if let Some(removed) = &from.removed {
                    also.extra.merge(self.forget(&removed.device)?);
                }
            }
            _ => {}
        }
        Ok(also)
    }

    /// Pins a clip, or lets it go, in the commit that takes the message; gives what is to be noted once that is durable. What a phone
    /// wants too often is not done, as each is told to everybody: it sees that it was not.
    pub(crate) fn pin(
        &mut self,
        device: DeviceId,
        outbox: &Outbox,
        stream: StreamId,
        pinned: bool,
        also: &mut Also,
        now: Timestamp,
    ) -> Result<Option<(StreamId, bool)>, HomeError> {
        if !self.book.may_change(device, now) {
            tracing::info!(%device, %stream, "a phone pins too often: left as it is");
            return Ok(None);
        }
        let Some((say, extra)) = outbox.pinning(stream, pinned)? else {
            tracing::debug!(%device, %stream, "a clip to be pinned is not there");
            return Ok(None);
        };
        also.say.extend(say);
        also.extra.merge(extra);
        Ok(Some((stream, pinned)))
    }

    /// What is to be committed so that nothing of a removed phone stays.
    pub(crate) fn forget(&mut self, device: &DeviceId) -> Result<Batch, HomeError> {
        let step = self.book.forget(device).map_err(broken)?;
        let batch = step.batch();
        self.step = Some(step);
        Ok(batch)
    }

    /// Whether the verb's commit is durable; false too when that is not known.
    pub(crate) fn settle(mut self, durable: bool) {
        if let Some(step) = self.step.take() {
            self.book.settle(step, durable);
        }
    }

    fn keep(&mut self, step: Step, also: &mut Also) {
        also.extra.merge(step.batch());
        self.step = Some(step);
    }
}

/// Looks at the wishes that came too soon after too many others, where the time is over.
pub(super) fn look_again(notices: &NoticesHandle, home: &mut HubHome, env: Env<'_>) -> Result<(), NoticesError> {
    let mut book = notices.book();
    while let Some(device) = book.overdue(env.now) {
        let (step, told, refused) = book.look_again(device, &notices.cameras(), env.now)?;
        if let Some(error) = refused {
            tracing::info!(%device, %error, "a phone's wishes are refused; the old ones stay");
        }
        let said = home.append(&[HubMessage::Wishes(told)], step.batch(), env);
        book.settle(step, said.is_ok());
        said?;
    }
    Ok(())
}

/// The oldest notices for a phone, sealed. What can't be sent any more is forgotten: those of a phone that left or wants none,
/// and one that does not fit, which the log has.
pub(super) fn seal(
    notices: &NoticesHandle,
    home: &HubHome,
    device: &DeviceId,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Sealed>, NoticesError> {
    let mut book = notices.book();
    let waiting = book.waiting_of(device, limit)?;
    let mut unfit = book.unfit();
    if !unfit.is_empty() {
        tracing::error!(
            count = unfit.len(),
            "stored notifications can't be read and are given up; the log has their events"
        );
    }
    let (Some(key), Some(to)) = (home.capability_of(device), book.key(device)) else {
        unfit.extend(waiting.iter().map(|(number, _)| *number));
        let step = book.done(&unfit)?;
        book.commit(step)?;
        return Ok(Vec::new());
    };
    let names: BTreeMap<_, _> = notices.0.board.cameras().into_iter().map(|camera| (camera.id, camera.name)).collect();
    let mut sealed = Vec::new();
    for (number, waiting) in waiting {
        let camera = waiting.event.camera.and_then(|id| names.get(&id)).map_or("", String::as_str);
        let notice = waiting.notice(home.name(), camera, now);
        match privet_notice::seal(&notice, &to, |message| home.sign_notice(message)) {
            Ok(payload) => {
                let id = home.wake_id(&waiting.event.id, device);
                sealed.push(Sealed { number, key, id, urgency: urgency(&waiting.event.what), payload });
            }
            Err(error) => {
                tracing::error!(event = %waiting.event.id, %error, "a notification can't be made; the log has the event");
                unfit.push(number);
            }
        }
    }
    if !unfit.is_empty() {
        let step = book.done(&unfit)?;
        book.commit(step)?;
    }
    Ok(sealed)
}

fn urgency(what: &Happening) -> Urgency {
    if matches!(what, Happening::Motion) || what.severity() == Severity::Alarm {
        Urgency::High
    } else {
        Urgency::Normal
    }
}

/// Why wishes are refused; a book that can't be used is no reason to refuse any.
fn impossible(error: BookError) -> Result<BookError, HomeError> {
    if matches!(error, BookError::Store(_) | BookError::Damaged(_)) { Err(broken(error)) } else { Ok(error) }
}

fn broken(error: BookError) -> HomeError {
    match error {
        BookError::Store(error) => error.into(),
        error => HomeError::Damaged(error.to_string()),
    }
}
