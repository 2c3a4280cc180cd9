//! The error, both ways: a foreign key wrapper throws it too.

use privet_app_core::{CoreError as Core, PairingFailure};

/// Why a call failed; the variant says what the app should do. See `docs/reference/app-core.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum CoreError {
    /// Pairing failed.
    #[error("pairing failed: {reason}")]
    Pairing {
        /// How, for the app.
        kind: PairingFailureKind,
        /// How, for people.
        reason: String,
    },
    /// Not paired yet.
    #[error("this phone is not paired with a home")]
    NotPaired,
    /// Something did not pass verification.
    #[error("not verified: {reason}")]
    Tampered {
        /// What.
        reason: String,
    },
    /// No relay.
    #[error("offline: {reason}")]
    Network {
        /// Why.
        reason: String,
        /// When the library tries again.
        retry_after_ms: Option<u64>,
    },
    /// No such thing.
    #[error("not found: {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The store failed.
    #[error("store: {reason}")]
    Storage {
        /// Why.
        reason: String,
    },
    /// No room is left: free space, then try again.
    #[error("no room is left: {reason}")]
    StorageFull {
        /// Where.
        reason: String,
    },
    /// What is in the store can't be right: restore it, or `start_over` and pair again.
    #[error("the store is damaged: {reason}; restore it, or start over and pair again")]
    Damaged {
        /// What does not fit.
        reason: String,
    },
    /// A newer version of the app wrote the store: update.
    #[error("{reason}; update the app")]
    NewerStore {
        /// Which, and what is known.
        reason: String,
    },
    /// The store's key is lost: `start_over` and pair again. A key wrapper throws it where its platform says so.
    #[error("the key of the store is lost: {reason}; start over and pair again")]
    KeyLost {
        /// What was found.
        reason: String,
    },
    /// The keystore refused: ask again.
    #[error("keystore: {reason}")]
    Keystore {
        /// Why.
        reason: String,
        /// Whether a person pressed cancel.
        user_cancelled: bool,
    },
    /// Removed from the home.
    #[error("this phone was removed from the home")]
    Revoked,
    /// Another process has the store.
    #[error("the store is in use by another process")]
    Busy,
    /// Not in time.
    #[error("no answer in time: {what}")]
    Timeout {
        /// What was waited for.
        what: String,
    },
    /// The app is in the background: say `foreground` first.
    #[error("the app is in the background, and its store is closed")]
    Background,
    /// Stopped.
    #[error("stopped")]
    Stopped,
    /// An argument can't be used.
    #[error("{reason}")]
    Invalid {
        /// Which, and what is allowed.
        reason: String,
    },
    /// A defect.
    #[error("internal: {reason}")]
    Internal {
        /// What was seen.
        reason: String,
    },
}

/// How pairing failed, for the app's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PairingFailureKind {
    /// Not a code of ours.
    NotPrivet,
    /// Another version.
    Version,
    /// Damaged.
    Damaged,
    /// Too old.
    Expired,
    /// Used or withdrawn.
    Used,
    /// The relay has another key.
    OtherRelay,
    /// The relay can't be reached.
    RelayUnreachable,
    /// The hub does not answer.
    HubSilent,
    /// The answer is not the hub's.
    Forged,
    /// The hub said no.
    Refused,
    /// This store belongs to a home.
    AlreadyPaired,
    /// A newer kind.
    Other,
}

impl From<&PairingFailure> for PairingFailureKind {
    fn from(failure: &PairingFailure) -> Self {
        match failure {
            PairingFailure::NotPrivet => Self::NotPrivet,
            PairingFailure::Version { .. } => Self::Version,
            PairingFailure::Damaged { .. } => Self::Damaged,
            PairingFailure::Expired { .. } => Self::Expired,
            PairingFailure::Used => Self::Used,
            PairingFailure::OtherRelay { .. } => Self::OtherRelay,
            PairingFailure::RelayUnreachable { .. } => Self::RelayUnreachable,
            PairingFailure::HubSilent { .. } => Self::HubSilent,
            PairingFailure::Forged { .. } => Self::Forged,
            PairingFailure::Refused { .. } => Self::Refused,
            PairingFailure::AlreadyPaired { .. } => Self::AlreadyPaired,
            _ => Self::Other,
        }
    }
}

impl From<Core> for CoreError {
    fn from(error: Core) -> Self {
        match error {
            Core::Pairing(failure) => Self::Pairing { kind: (&failure).into(), reason: failure.to_string() },
            Core::NotPaired => Self::NotPaired,
            Core::Tampered { reason } => Self::Tampered { reason },
            Core::Network { reason, retry_after_ms } => Self::Network { reason, retry_after_ms },
            Core::NotFound { what } => Self::NotFound { what },
            Core::Storage { reason } => Self::Storage { reason },
            Core::StorageFull { reason } => Self::StorageFull { reason },
            Core::Damaged { reason } => Self::Damaged { reason },
            Core::NewerStore { reason } => Self::NewerStore { reason },
            Core::KeyLost { reason } => Self::KeyLost { reason },
            Core::Background => Self::Background,
            Core::Keystore { reason, user_cancelled } => Self::Keystore { reason, user_cancelled },
            Core::Revoked => Self::Revoked,
            Core::Busy => Self::Busy,
            Core::Timeout { what } => Self::Timeout { what },
            Core::Stopped => Self::Stopped,
            Core::Invalid { reason } => Self::Invalid { reason },
            other => Self::Internal { reason: other.to_string() },
        }
    }
}

/// What a foreign key wrapper threw.
impl From<CoreError> for Core {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Keystore { reason, user_cancelled } => Self::Keystore { reason, user_cancelled },
            CoreError::KeyLost { reason } => Self::KeyLost { reason },
            other => Self::Keystore { reason: other.to_string(), user_cancelled: false },
        }
    }
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CoreError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Internal { reason: error.reason }
    }
}
