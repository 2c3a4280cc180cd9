//! What can go wrong between a client and its relay, by what the caller should do about it.

use data_encoding::HEXLOWER;
use privet_protocol::cbor::DecodeError;
use privet_protocol::relay::{ALPN, Code, Refusal, SolveError, VERSIONS, close, reset};

/// Why a call on a relay failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No relay answers there.
    #[error("no relay answers at {host}: {cause}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said.
        cause: String,
    },
    /// A relay answers, but it is not the pinned one. Never go on with it.
    #[error(
        "the relay's identity is {}, expected {}: either it was set up anew (pair again) or somebody stands in between",
        HEXLOWER.encode(found), HEXLOWER.encode(expected)
    )]
    WrongIdentity {
        /// The pin that was asked for.
        expected: [u8; 32],
        /// The pin of the relay that answered.
        found: [u8; 32],
    },
    /// The relay's certificate is not vouched for by a known authority.
    #[error("the certificate of {host} is not trusted: {cause}")]
    Untrusted {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The relay's certificate is not good at the time that this machine's clock shows.
    #[error(
        "the certificate of {host} is not good at this machine's time ({cause}): either the relay has to renew it or this machine's clock is wrong"
    )]
    OutOfDate {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The relay refused the hello or a request.
    #[error("the relay refused: {0}")]
    Refused(Refusal),
    /// The relay lets homes in by proof of work, and the work was not done.
    #[error("no home could be founded: {0}")]
    Work(#[from] SolveError),
    /// No answer in time.
    #[error("the relay did not answer in time")]
    Timeout,
    /// The connection is over.
    #[error("the connection to the relay is closed: {reason}")]
    Closed {
        /// Why, in words.
        reason: String,
        /// Whether the relay took this key's rights away: connecting again is of no use.
        revoked: bool,
    },
    /// The segment will not come whole: this follower was too slow for it, or its writer broke off.
    #[error("the relay gave up sending this segment: {reason}")]
    GaveUp {
        /// Why, in words.
        reason: &'static str,
    },
    /// The relay goes on in a version of the protocol that was not offered to it.
    #[error("the relay chose version {chosen} of the protocol, and this program speaks {:?}: update {}", VERSIONS, older(*chosen))]
    Version {
        /// The version that it chose.
        chosen: u16,
    },
    /// What answers there is no relay of this generation.
    #[error(
        "what answers at {host} does not speak {}: either no Privet relay is there (check host and port), or one of another generation \
         (update it, or this program)",
        String::from_utf8_lossy(ALPN)
    )]
    OtherProtocol {
        /// Host and port.
        host: String,
    },
    /// The relay said something that this protocol does not allow.
    #[error("the relay broke the protocol: {0}")]
    Protocol(String),
}

/// Which of the two is to be updated.
fn older(chosen: u16) -> &'static str {
    if VERSIONS.iter().all(|known| *known < chosen) { "this program" } else { "the relay" }
}

impl ClientError {
    /// Whether the same call can succeed later without anybody doing something first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout | Self::GaveUp { .. } => true,
            Self::Closed { revoked, .. } => !revoked,
            Self::Refused(refusal) => matches!(refusal.code, Code::Busy | Code::Storage | Code::Quota),
            Self::WrongIdentity { .. }
            | Self::Untrusted { .. }
            | Self::OutOfDate { .. }
            | Self::Work(_)
            | Self::Version { .. }
            | Self::OtherProtocol { .. }
            | Self::Protocol(_) => false,
        }
    }

    /// The code of the refusal, where it is one.
    pub fn refusal(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<quinn::ConnectionError> for ClientError {
    fn from(error: quinn::ConnectionError) -> Self {
        use quinn::ConnectionError as E;
        match error {
            E::TimedOut => Self::Closed { reason: "nothing was heard for too long".into(), revoked: false },
            E::LocallyClosed => Self::Closed { reason: "closed on this side".into(), revoked: false },
            E::ApplicationClosed(closed) => {
                let code = u32::try_from(closed.error_code.into_inner()).unwrap_or(u32::MAX);
                let reason = match code {
                    close::DONE => "the relay is done",
                    close::REFUSED => "the relay refused the hello",
                    close::REVOKED => "the rights of this key were taken away",
                    close::SHUTDOWN => "the relay shuts down",
                    close::LATE => "the hello came too late",
                    close::MALFORMED => "the relay says that this side broke the protocol",
                    close::REPLACED => return Self::Closed { reason: replaced(&closed.reason), revoked: false },
                    close::CURTAILED => "this key has fewer rights than before",
                    // A newer relay has reasons of its own.
                    _ => return Self::Closed { reason: unknown_reason(code, &closed.reason), revoked: false },
                };
                Self::Closed { reason: reason.into(), revoked: code == close::REVOKED }
            }
            other => Self::Closed { reason: other.to_string(), revoked: false },
        }
    }
}

/// Why the oldest connection of a key was closed; the relay says how many there may be.
fn replaced(words: &[u8]) -> String {
    let known = close::words(close::REPLACED);
    match own_words(words) {
        words if words.is_empty() || words == known => known.to_owned(),
        words => format!("{known}; the relay says: {words}"),
    }
}

fn unknown_reason(code: u32, words: &[u8]) -> String {
    let words = own_words(words);
    if words.is_empty() {
        format!("the relay closed it (code {code})")
    } else {
        format!("the relay closed it: {words} (code {code})")
    }
}

/// The relay's own words, as far as they can be shown.
fn own_words(words: &[u8]) -> String {
    String::from_utf8_lossy(words).chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
}

/// Characters of a relay's own words that are shown.
const MOST_WORDS: usize = 120;

impl From<quinn::ReadError> for ClientError {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::ConnectionLost(lost) => lost.into(),
            quinn::ReadError::Reset(code) => Self::GaveUp { reason: reset_reason(code) },
            other => Self::Protocol(other.to_string()),
        }
    }
}

impl From<quinn::WriteError> for ClientError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::ConnectionLost(lost) => lost.into(),
            quinn::WriteError::Stopped(code) => Self::GaveUp { reason: reset_reason(code) },
            other => Self::Protocol(other.to_string()),
        }
    }
}

fn reset_reason(code: quinn::VarInt) -> &'static str {
    match u32::try_from(code.into_inner()).unwrap_or(u32::MAX) {
        reset::CANCELLED => "the other side wants no more",
        reset::SKIPPED => "this follower was too slow for it",
        reset::BROKEN_OFF => "its writer broke off",
        reset::ANSWERED => "the relay answered before the end",
        reset::STORAGE => "the relay's storage failed",
        _ => "the relay did not say why",
    }
}
