//! What can go wrong, classed by what the caller can do about it. Every text names the thing, the cause and the next step.

use privet_protocol::id::{DeviceId, PairingId};
use privet_protocol::storage::StoreError;

use crate::policy::PolicyError;

/// Why a verb of the home failed. Nothing was changed, unless the store says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// The store failed.
    #[error("the home's state can't be kept: {0}")]
    Store(#[from] StoreError),
    /// The stored state can't be read; restore it or set the home up again.
    #[error("the home's stored state is damaged ({0}); pair again")]
    Damaged(String),
    /// There is a home in this store already.
    #[error("this store holds a home already; use another one, or remove it first")]
    Exists,
    /// No such member.
    #[error("device {0} is not a member of this home")]
    NotAMember(DeviceId),
    /// The hub can't remove itself.
    #[error("the hub can't be removed from its own home")]
    NotRemovable,
    /// This phone was removed; it can only pair again.
    #[error("this device was removed from the home; pair it again")]
    Removed,
    /// This phone's state does not fit the group any more; it must rejoin.
    #[error("this device's state does not fit the home any more; rejoin")]
    NeedsRejoin,
    /// A message or name is longer than allowed.
    #[error("{what} is {length} bytes long, {limit} are allowed")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Phones would refuse the message.
    #[error("phones would refuse what was to be said: {0}")]
    NotSayable(String),
    /// A device's name is empty or too long.
    #[error("a device's name has 1 to {limit} bytes, this one has {length}")]
    BadName {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The address can't be put into a QR code.
    #[error("the relay address '{0}' is not a host name of 1 to 255 characters without spaces")]
    BadAddress(String),
    /// The home has as many phones as it can have.
    #[error("the home has {limit} phones, more are not possible; remove one first")]
    Full {
        /// How many.
        limit: usize,
    },
    /// MLS refused, which it should not have.
    #[error("the group refused {0}")]
    Group(String),
}

/// Why a phone was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// No such pairing: it was never opened, or is long over.
    #[error("there is no pairing {0}; show a new QR code")]
    Unknown(PairingId),
    /// Its time is over.
    #[error("the QR code has expired; show a new one")]
    Expired,
    /// Another phone used it.
    #[error("the QR code was used by another device already; show a new one")]
    Used,
    /// It was tried too often.
    #[error("the QR code was tried too often with wrong data; show a new one")]
    TooManyAttempts,
    /// The request was not made with this QR code, or was changed on the way.
    #[error("the pairing request is forged or damaged ({attempts_left} attempts left)")]
    Forged {
        /// How many are left.
        attempts_left: u8,
    },
    /// The request was made with this QR code, but isn't acceptable.
    #[error("the pairing request is not acceptable: {cause} ({attempts_left} attempts left)")]
    Invalid {
        /// What is wrong.
        cause: String,
        /// How many attempts are left.
        attempts_left: u8,
    },
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// Why an inbox message was not taken. All but [`ReceiveError::Home`] are final: acknowledge the message and go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// It was taken before.
    #[error("the message was received before")]
    Seen,
    /// It belongs to a time the group has left. A phone that still has it in its outbox makes it anew when it has read the
    /// log.
    #[error("the message belongs to an earlier state of the group")]
    Stale,
    /// It was not made by a member, or was changed on the way.
    #[error("the message is forged or damaged: {0}")]
    Forged(String),
    /// A member made it, but may not.
    #[error("the message is not allowed: {0}")]
    Refused(#[from] PolicyError),
    /// It is no message of this protocol.
    #[error("the message is malformed: {0}")]
    Malformed(String),
    /// The group can't do what the message asks for.
    #[error("what the message asks for is not possible: {0}")]
    Impossible(HomeError),
    /// The home failed; try the same message again.
    #[error(transparent)]
    Home(HomeError),
}

/// Only what may be otherwise the next time is worth another try; anything else would block the inbox for ever.
impl From<HomeError> for ReceiveError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::Store(_) | HomeError::Damaged(_) => Self::Home(error),
            error => Self::Impossible(error),
        }
    }
}

impl From<StoreError> for ReceiveError {
    fn from(error: StoreError) -> Self {
        Self::Home(error.into())
    }
}

/// Why a phone did not become a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The QR code's time is over.
    #[error("the QR code has expired; ask the hub for a new one")]
    Expired,
    /// The answer was not made by the hub that showed the QR code, or was changed on the way. A later one may be good.
    #[error("the hub's answer is forged or damaged: {0}")]
    Forged(String),
    /// The answer comes from another hub than the QR code's.
    #[error("the answer comes from another hub than the one whose QR code was scanned")]
    WrongHub,
    /// The hub speaks a version this phone does not.
    #[error("the hub speaks version {0} of pairing; update this app")]
    Version(u8),
    /// The group the answer leads to is not one this phone may join.
    #[error("the home is not acceptable: {0}")]
    Refused(#[from] PolicyError),
    /// The phone's state failed.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl From<StoreError> for JoinError {
    fn from(error: StoreError) -> Self {
        Self::Home(error.into())
    }
}

impl From<StoreError> for AdmitError {
    fn from(error: StoreError) -> Self {
        Self::Home(error.into())
    }
}

/// What is wrong with a log entry. The phone's state is as before; the genuine entry can still be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// An entry that was taken before came again.
    #[error("the relay repeated entry {seq}")]
    Replayed {
        /// Its number.
        seq: u64,
    },
    /// Entries are missing before this one.
    #[error("the relay withheld entries: {expected} was due, {found} came")]
    Missing {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A genuine entry stands under a number that is not its own.
    #[error("the relay swapped entries: number {found} came as {expected}")]
    Swapped {
        /// The number it came under.
        expected: u64,
        /// Its own number.
        found: u64,
    },
    /// The entry is genuine, but another history led to it.
    #[error("entry {seq} belongs to another history of this home; rejoin")]
    Forked {
        /// Its number.
        seq: u64,
    },
    /// The entry was not made by the hub for this place, or was changed on the way.
    #[error("entry {seq} is forged or damaged: {cause}")]
    Forged {
        /// Its number.
        seq: u64,
        /// What does not fit.
        cause: String,
    },
    /// The entry is a member's or the hub's, but breaks the rules of the home.
    #[error("entry {seq} breaks the rules of the home: {cause}")]
    Refused {
        /// Its number.
        seq: u64,
        /// Which rule.
        cause: PolicyError,
    },
    /// The entry is genuine, but this phone's state does not fit it (a restored backup, or lost state): rejoin.
    #[error("this device's state does not fit entry {seq}; rejoin")]
    OutOfStep {
        /// Its number.
        seq: u64,
    },
    /// This phone was removed; it can only pair again.
    #[error("this device was removed from the home; pair it again")]
    Removed,
    /// The phone's state failed; try the same entry again.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl LogError {
    /// Whether [`crate::PhoneHome::rejoin`] is the way on.
    pub fn needs_rejoin(&self) -> bool {
        matches!(self, Self::Forked { .. } | Self::OutOfStep { .. })
    }
}

impl From<StoreError> for LogError {
    fn from(error: StoreError) -> Self {
        Self::Home(error.into())
    }
}
