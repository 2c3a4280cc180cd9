//! app-core for Kotlin, Swift and Python: annotations and conversions, no logic. The API in words:
//! `docs/reference/app-core.md`; how an app uses it: `docs/guide/write-an-app.md`.
//!
//! Names avoid what the languages can't have: no `close` (Kotlin's AutoCloseable), no error field called `message`.

mod client;
mod data;
mod error;
mod media;
mod platform;
mod values;
mod wishes;

pub use client::{Client, PairingOffer};
pub use data::Data;
pub use error::{CoreError, PairingFailureKind};
pub use media::{Clip, Live, LiveItem};
pub use platform::{EventListener, FileKeys, KeyWrapper, LogLevel, LogSink, set_log_sink};
pub use values::*;
pub use wishes::*;

uniffi::setup_scaffolding!();

/// This library's version.
#[uniffi::export]
pub fn version() -> String {
    privet_app_core::version().into()
}

/// Waits until no thread of this library, listeners' included, is in the host's code, for at most `within_ms`; whether it came to
/// that. For Python, at its end, when every client is shut down: see [`privet_app_core::settle`].
#[uniffi::export]
pub fn settle(within_ms: u32) -> bool {
    privet_app_core::settle(std::time::Duration::from_millis(within_ms.into()))
}

/// Removes everything of a phone in a storage folder, so that it can pair anew: where the store is damaged, or its key is lost.
///
/// # Errors
/// [`CoreError::Busy`] while a client has it open, [`CoreError::Storage`].
#[uniffi::export]
pub fn start_over(storage_dir: String) -> Result<(), CoreError> {
    Ok(privet_app_core::start_over(storage_dir)?)
}

/// Checks an exported clip. Trust roots are evidence public keys, 65 bytes each. Needs no pairing.
///
/// # Errors
/// [`CoreError::Tampered`] when it has no readable proof, [`CoreError::Storage`], [`CoreError::Invalid`].
#[uniffi::export]
#[expect(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]
pub fn verify_file(path: String, trust_roots: Vec<Vec<u8>>) -> Result<VerifyReport, CoreError> {
    Ok(privet_app_core::verify_file(path, &trust_roots)?.into())
}

/// Checks an exported clip in memory, like [`verify_file`].
///
/// # Errors
/// As [`verify_file`].
#[uniffi::export]
#[expect(clippy::needless_pass_by_value, reason = "what crosses the border is owned")]
pub fn verify_bytes(data: Data, trust_roots: Vec<Vec<u8>>) -> Result<VerifyReport, CoreError> {
    Ok(privet_app_core::verify_bytes(&data.0, &trust_roots)?.into())
}
