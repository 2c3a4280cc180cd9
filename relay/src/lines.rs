//! What becomes a line of the log. Only what Privet's own code says: the libraries below it name addresses of clients when something goes
//! wrong (quinn does where a datagram can't be sent), so their lines are written with `log.addresses` only, whatever the filter lets through.

use tracing::{Dispatch, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::config::{Log, LogFormat};

/// Where lines go that `log` and `filter` let through: to `writer`, with colours if `colours`. The filter in `log` is not looked at.
pub fn to<W>(log: &Log, filter: EnvFilter, writer: W, colours: bool) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let all = log.addresses;
    let ours = filter_fn(move |line| all || is_ours(line));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    match log.format {
        LogFormat::Text => Dispatch::new(lines.finish().with(ours)),
        LogFormat::Json => Dispatch::new(lines.json().finish().with(ours)),
    }
}

/// Every crate of Privet is called so.
fn is_ours(line: &Metadata<'_>) -> bool {
    line.target().starts_with("privet_")
}
