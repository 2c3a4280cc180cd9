//! What happens inside, for the host's own log: lines of this library and its parts, on a thread of its own, never more than the host takes.
//!
//! Lines hold no secrets; they do hold addresses and ids. A host that is slow loses lines, and is told how many.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::error::{CoreError, Result};
use crate::runtime::InHost;

/// Lines that wait for the host.
const WAITING: usize = 1024;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// Takes lines.
pub trait LogSink: Send + Sync {
    /// A line, and which part says it.
    fn log(&self, level: LogLevel, target: String, line: String);
}

/// Gives every line of at least this level to `sink` from now on; `None` for nobody, and then its thread ends. One for the whole process.
///
/// # Errors
/// [`CoreError::Invalid`] where the process has a subscriber of `tracing` of its own: it gets the lines already.
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>, least: LogLevel) -> Result<()> {
    let mut state = lock();
    if !state.installed {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToSink)).map_err(|_| {
            CoreError::Invalid {
                reason: "this process has a subscriber of `tracing` already: it gets the lines".into(),
            }
        })?;
        state.installed = true;
    }
    state.sink = sink.map(|sink| {
        let (lines, mut waiting) = mpsc::channel::<Line>(WAITING);
        let in_host = InHost::enter();
        std::thread::spawn(move || {
            // Declared first to be dropped last: letting go of the sink calls the host.
            let _in_host = in_host;
            let sink = sink;
            while let Some(Line { level, target, text }) = waiting.blocking_recv() {
                sink.log(level, target, text);
            }
        });
        Sink { least, lines, lost: 0 }
    });
    Ok(())
}

struct State {
    installed: bool,
    sink: Option<Sink>,
}

struct Sink {
    least: LogLevel,
    lines: mpsc::Sender<Line>,
    lost: u64,
}

struct Line {
    level: LogLevel,
    target: String,
    text: String,
}

static STATE: Mutex<State> = Mutex::new(State { installed: false, sink: None });

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ToSink;

impl<S: Subscriber> Layer<S> for ToSink {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("privet") && level(*metadata.level()).is_some()
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let Some(level) = level(*event.metadata().level()) else { return };
        if lock().sink.as_ref().is_none_or(|sink| level > sink.least) {
            return;
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        let target = event.metadata().target().to_owned();
        if let Some(sink) = &mut lock().sink {
            if sink.lost > 0 {
                let _ = write!(text.0, " ({} lines before this one were lost: the log was too slow)", sink.lost);
            }
            match sink.lines.try_send(Line { level, target, text: text.0 }) {
                Ok(()) => sink.lost = 0,
                Err(_) => sink.lost += 1,
            }
        }
    }
}

fn level(level: Level) -> Option<LogLevel> {
    match level {
        Level::ERROR => Some(LogLevel::Error),
        Level::WARN => Some(LogLevel::Warn),
        Level::INFO => Some(LogLevel::Info),
        Level::DEBUG => Some(LogLevel::Debug),
        Level::TRACE => None,
    }
}

/// An event as one line: its message, then its fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let fields = std::mem::take(&mut self.0);
            let _ = write!(self.0, "{value:?}");
            self.0.push_str(&fields);
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc as std_mpsc;
    use std::time::Duration;

    use super::*;

    struct Lines(std_mpsc::SyncSender<(LogLevel, String, String)>);

    impl LogSink for Lines {
        fn log(&self, level: LogLevel, target: String, line: String) {
            let _ = self.0.send((level, target, line));
        }
    }

    #[test]
    fn lines_of_this_library_come_whole_and_others_do_not() {
        let (sender, lines) = std_mpsc::sync_channel(16);
        set_log_sink(Some(Arc::new(Lines(sender))), LogLevel::Info).unwrap();
        tracing::debug!(target: "privet::test", "too little");
        tracing::warn!(target: "quinn::test", "another's");
        tracing::warn!(target: "privet::test", of = 3, why = %"told", "something is odd");
        // Other tests of this process may log as well.
        let ours = |line: &(LogLevel, String, String)| line.1 == "privet::test";
        let (level, target, line) =
            std::iter::from_fn(|| lines.recv_timeout(Duration::from_secs(30)).ok()).find(ours).unwrap();
        assert_eq!(
            (level, target.as_str(), line.as_str()),
            (LogLevel::Warn, "privet::test", "something is odd of=3 why=told")
        );
        set_log_sink(None, LogLevel::Info).unwrap();
        tracing::warn!(target: "privet::test", "nobody hears this");
        // Its thread ends, and the sink goes with it.
        assert!(!lines.iter().any(|line| ours(&line)));
    }
}
