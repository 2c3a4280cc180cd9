//! What the app supplies: a keystore, someone who listens, and a log.

use std::sync::Arc;

use privet_app_core as core;

use crate::error::CoreError;
use crate::values::{Event, same};

/// The platform's keystore. Called off the main thread, with 32-byte secrets only.
#[uniffi::export(rust, foreign)]
#[async_trait::async_trait]
pub trait KeyWrapper: Send + Sync {
    /// The secret in a form that only this device can turn back.
    async fn wrap(&self, label: String, secret: Vec<u8>) -> Result<Vec<u8>, CoreError>;
    /// The secret that was wrapped.
    async fn unwrap(&self, label: String, blob: Vec<u8>) -> Result<Vec<u8>, CoreError>;
}

/// Takes events as they happen, on a thread of its own.
#[uniffi::export(foreign)]
pub trait EventListener: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: Event);
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What a person may want to know.
    Info,
    /// What a developer may.
    Debug,
}

same!(LogLevel => core::LogLevel { Error, Warn, Info, Debug });
same!(core::LogLevel => LogLevel { Error, Warn, Info, Debug });

/// Takes lines of the log, on a thread of its own.
#[uniffi::export(foreign)]
pub trait LogSink: Send + Sync {
    /// A line, and which part says it.
    fn log(&self, level: LogLevel, target: String, line: String);
}

/// Gives every line of at least this level to `sink`, or to nobody; one for the whole process.
///
/// # Errors
/// [`CoreError::Invalid`] where the lines go elsewhere already.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>, least: LogLevel) -> Result<(), CoreError> {
    let sink = sink.map(|sink| Arc::new(ForeignSink(sink)) as Arc<dyn core::LogSink>);
    Ok(core::set_log_sink(sink, least.into())?)
}

/// A foreign log as app-core sees it.
struct ForeignSink(Arc<dyn LogSink>);

impl core::LogSink for ForeignSink {
    fn log(&self, level: core::LogLevel, target: String, line: String) {
        self.0.log(level.into(), target, line);
    }
}

/// A foreign keystore as app-core sees it.
pub(crate) struct ForeignKeys(pub(crate) Arc<dyn KeyWrapper>);

#[async_trait::async_trait]
impl core::KeyWrapper for ForeignKeys {
    async fn wrap(&self, label: String, secret: Vec<u8>) -> core::Result<Vec<u8>> {
        Ok(self.0.wrap(label, secret).await?)
    }

    async fn unwrap(&self, label: String, blob: Vec<u8>) -> core::Result<Vec<u8>> {
        Ok(self.0.unwrap(label, blob).await?)
    }
}

/// A foreign listener as app-core sees it.
pub(crate) struct ForeignListener(pub(crate) Arc<dyn EventListener>);

impl core::EventListener for ForeignListener {
    fn on_event(&self, event: core::Event) {
        self.0.on_event(event.into());
    }
}

/// A key wrapper whose key is in a file, for laptops and tests.
#[derive(uniffi::Object)]
pub struct FileKeys(core::FileKeys);

#[uniffi::export]
impl FileKeys {
    /// The wrapper whose key is in `path`; made at the first wrap.
    #[uniffi::constructor]
    pub fn new(path: String) -> Arc<Self> {
        Arc::new(Self(core::FileKeys::new(path)))
    }
}

#[uniffi::export]
#[async_trait::async_trait]
impl KeyWrapper for FileKeys {
    async fn wrap(&self, label: String, secret: Vec<u8>) -> Result<Vec<u8>, CoreError> {
        Ok(core::KeyWrapper::wrap(&self.0, label, secret).await?)
    }

    async fn unwrap(&self, label: String, blob: Vec<u8>) -> Result<Vec<u8>, CoreError> {
        Ok(core::KeyWrapper::unwrap(&self.0, label, blob).await?)
    }
}
