//! The one error type of this library, classed by what its host should do: scan again, retry, free space, update, begin anew, give up.

use privet_protocol::storage::StoreError;

/// Short for results of this library.
pub type Result<T> = std::result::Result<T, CoreError>;

/// Why a call failed. Fields are called `reason` and `what` because `message` clashes in Kotlin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// Pairing failed; the failure says how and what to do.
    #[error("pairing failed: {0}")]
    Pairing(PairingFailure),
    /// This phone belongs to no home yet. Pair it.
    #[error("this phone is not paired with a home: scan the QR code that `privet-hub pair` shows")]
    NotPaired,
    /// Something did not pass verification. Never show it; say so.
    #[error("not verified: {reason}")]
    Tampered {
        /// What failed, and where.
        reason: String,
    },
    /// The relay can't be reached or the connection broke. Try again.
    #[error("offline: {reason}")]
    Network {
        /// Which host, and why.
        reason: String,
        /// When the library itself tries again; absent when it does not.
        retry_after_ms: Option<u64>,
    },
    /// There is no such camera, clip or device (any more).
    #[error("not found: {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The store can't be read or written. Try again, or restore.
    #[error("store: {reason}")]
    Storage {
        /// What the system said.
        reason: String,
    },
    /// No room is left. Nothing was lost and nothing was written: free space, then try again.
    #[error("no room is left: {reason}")]
    StorageFull {
        /// Where, and what the system said.
        reason: String,
    },
    /// What is in the store can't be right. Restore it, or begin anew ([`crate::start_over`]) and pair again.
    #[error("the store is damaged: {reason}; restore it, or start over and pair again")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// A newer version of the app wrote the store. Update the app.
    #[error("{reason}; update the app")]
    NewerStore {
        /// Which version wrote it, and which is known.
        reason: String,
    },
    /// The key of the store is lost: the keystore was reset, or its file is gone. What the store holds can't be read by anybody: begin
    /// anew ([`crate::start_over`]) and pair again. A [`crate::KeyWrapper`] says so itself where its platform does.
    #[error("the key of the store is lost: {reason}; start over and pair again")]
    KeyLost {
        /// What was found.
        reason: String,
    },
    /// The platform's keystore refused. Ask again.
    #[error("keystore: {reason}")]
    Keystore {
        /// What it said.
        reason: String,
        /// Whether a person pressed cancel.
        user_cancelled: bool,
    },
    /// The home removed this phone. Its keys are wiped; pair again to come back.
    #[error("this phone was removed from the home")]
    Revoked,
    /// Another process has the store open.
    #[error("the store is in use by another process")]
    Busy,
    /// It did not happen in time. Try again.
    #[error("no answer in time: {what}")]
    Timeout {
        /// What was waited for.
        what: String,
    },
    /// The app said that it is in the background: say [`crate::Client::foreground`] first.
    #[error("the app is in the background, and its store is closed")]
    Background,
    /// Stopped by the caller.
    #[error("stopped")]
    Stopped,
    /// An argument can't be used.
    #[error("{reason}")]
    Invalid {
        /// Which, and what is allowed.
        reason: String,
    },
    /// A defect of this library. Report it.
    #[error("internal: {reason}")]
    Internal {
        /// What was seen.
        reason: String,
    },
}

/// How pairing failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingFailure {
    /// The text is not a QR code of Privet.
    #[error("this is not a Privet pairing code; scan the one that `privet-hub pair` shows")]
    NotPrivet,
    /// It is one of another version.
    #[error("the code is of version {found}, which this app does not know; update the older one of app and hub")]
    Version {
        /// The code's version, as it stands there.
        found: String,
    },
    /// It was damaged on its way.
    #[error("the code is damaged ({reason}); scan it again")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// Its ten minutes are over.
    #[error("the code expired {}; make a new one with `privet-hub pair`", ago(*ago_s))]
    Expired {
        /// Seconds since then.
        ago_s: u64,
    },
    /// Someone used it already, or the hub closed it.
    #[error(
        "the code was used already or withdrawn; if that was not you, look at the hub's list of phones, then make a new one"
    )]
    Used,
    /// What is at that address can't show that it is the relay of the code.
    #[error(
        "what answers at {relay} can't show that it is the code's relay: a wrong address, a new relay, or someone in between ({found})"
    )]
    OtherRelay {
        /// Its address.
        relay: String,
        /// The key that was found, or what is wrong with its certificate.
        found: String,
    },
    /// The relay can't be reached.
    #[error("the relay {relay} can't be reached: {reason}")]
    RelayUnreachable {
        /// Its address.
        relay: String,
        /// Why.
        reason: String,
    },
    /// The hub does not answer.
    #[error("the hub did not answer within {waited_s} s; is it running and online?")]
    HubSilent {
        /// How long was waited.
        waited_s: u64,
    },
    /// The answer does not come from the hub of the code.
    #[error("the answer is not from the hub that showed the code: {reason}")]
    Forged {
        /// What does not fit.
        reason: String,
    },
    /// The hub said no.
    #[error("the hub refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// This store already belongs to a home.
    #[error("this phone already belongs to the home '{hub}'; use another storage folder for another home")]
    AlreadyPaired {
        /// That hub's name.
        hub: String,
    },
}

/// A code is good for minutes: one that seems to be days old says more of the clock than of the code.
fn ago(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => format!("{seconds} s ago"),
        days => format!("{days} days ago by this device's clock, which may be wrong: look at it first"),
    }
}

impl From<PairingFailure> for CoreError {
    fn from(failure: PairingFailure) -> Self {
        Self::Pairing(failure)
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) => Self::Busy,
            StoreError::Full(reason) => Self::StorageFull { reason },
            StoreError::Damaged(reason) => Self::Damaged { reason },
            other => Self::Storage { reason: other.to_string() },
        }
    }
}

impl CoreError {
    /// For a failed file operation on `path`.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let reason = format!("{}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::StorageFull { reason },
            _ => Self::Storage { reason },
        }
    }

    pub(crate) fn internal(reason: impl std::fmt::Display) -> Self {
        Self::Internal { reason: reason.to_string() }
    }

    pub(crate) fn timeout(what: impl Into<String>) -> Self {
        Self::Timeout { what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_seems_to_be_years_old_makes_one_look_at_the_clock() {
        let text = |ago_s| PairingFailure::Expired { ago_s }.to_string();
        assert_eq!(text(40), "the code expired 40 s ago; make a new one with `privet-hub pair`");
        assert!(
            text(3 * 365 * 86_400).contains("1095 days ago by this device's clock, which may be wrong"),
            "{}",
            text(1 << 30)
        );
    }
}
