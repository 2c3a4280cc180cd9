//! Numbers for Prometheus, over HTTP: one page, read only, for whoever reaches the address. Nothing in it opens anything, but it
//! says when something moves; so it listens on the machine itself unless the owner says otherwise.

use std::net::SocketAddr;

use privet_numbers::{Endpoint, Page, Pages, Place};

use crate::hub::View;

mod page;

pub use page::{Numbers, text};

/// The endpoint; gone when this is dropped.
#[derive(Debug)]
pub struct Metrics {
    _endpoint: Endpoint,
}

impl Metrics {
    /// Answers at `listen` from now on, or as soon as that is possible: cameras matter more than numbers.
    pub fn listen(listen: SocketAddr, view: View) -> Self {
        let place = Place { listen, key: "metrics.listen", tells: "camera names and when something moves" };
        Self { _endpoint: Endpoint::listen(place, view) }
    }
}

impl Pages for View {
    const PATHS: &'static [&'static str] = &["/metrics"];

    async fn page(&self, path: &str) -> Option<Page> {
        (path == "/metrics").then_some(())?;
        Some(match self.numbers().await {
            Ok(numbers) => Page::numbers(text(numbers)),
            Err(_) => Page::unwell("the hub is stopping\n"),
        })
    }
}
