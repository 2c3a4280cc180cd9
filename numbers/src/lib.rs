//! Pages of text over HTTP/1.1, read only, for whoever reaches the address: what a program counts, and whether it is well.
//!
//! * [`Pages`] is what a program answers with; [`Page`] is one answer.
//! * [`Endpoint`] serves them at one address until it is dropped. It never holds up the program: an address that is not there yet, or
//!   that another program has, is said once and tried again.
//!
//! Whoever connects gets little: a few connections at once, small requests, seconds of time, one answer.

#![forbid(unsafe_code)]

mod endpoint;

use hyper::StatusCode;

pub use endpoint::{Endpoint, Place};

/// What a program answers with.
pub trait Pages: Send + Sync + 'static {
    /// The paths there are, such as `/metrics`. Whoever asks for another one is told these.
    const PATHS: &'static [&'static str];

    /// The page at this path, as of now; `None` for a path that is not in [`Pages::PATHS`].
    fn page(&self, path: &str) -> impl Future<Output = Option<Page>> + Send;
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    status: StatusCode,
    kind: &'static str,
    text: String,
}

impl Page {
    /// Numbers as OpenMetrics 1.0 text.
    pub fn numbers(text: String) -> Self {
        Self { status: StatusCode::OK, kind: "application/openmetrics-text; version=1.0.0; charset=utf-8", text }
    }

    /// Words, answered with 200: all is well.
    pub fn well(text: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, kind: PLAIN, text: text.into() }
    }

    /// Words, answered with 503: why it is not well.
    pub fn unwell(text: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, kind: PLAIN, text: text.into() }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
