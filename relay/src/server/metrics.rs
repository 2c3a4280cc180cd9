//! The pages for whoever runs the relay: `/metrics` in numbers, `/health` and `/ready` in words. Nothing on them names a home, a key, a
//! stream or an address. Page: `docs/reference/relay-metrics.md`.

use std::fmt::Error;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use privet_numbers::{Endpoint, Page, Pages, Place};
use privet_protocol::storage::{Batch, StoreError};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::ready::Signs;
use super::records::BOOT_KEY;
use super::told::told;
use super::{Relay, WakeCounts};

/// The storage is written to see whether it can be, at most so often, however often anybody asks.
const PROBE_AGAIN: Duration = Duration::from_secs(2);

/// What the storage said when it was last written for this reason only.
pub(crate) struct Probe {
    at: Instant,
    outcome: Result<(), StoreError>,
}

/// Serves the pages from now on.
pub(crate) fn listen(listen: SocketAddr, relay: &Arc<Relay>) -> Endpoint {
    let place = Place { listen, key: "metrics.listen", tells: "how much this relay carries, and when" };
    Endpoint::listen(place, Door(Arc::downgrade(relay)))
}

/// The relay, as long as it is there: who looks at it does not keep its storage open.
struct Door(Weak<Relay>);

impl Pages for Door {
    const PATHS: &'static [&'static str] = &["/metrics", "/health", "/ready"];

    async fn page(&self, path: &str) -> Option<Page> {
        let Some(relay) = self.0.upgrade() else { return Some(Page::unwell("the relay is stopping\n")) };
        let board = Board(relay);
        match path {
            "/metrics" => Some(Page::numbers(board.numbers())),
            // Whoever gets this answer has it from a relay that runs.
            "/health" => Some(Page::well("up\n")),
            "/ready" => Some(board.ready().await),
            _ => None,
        }
    }
}

/// The relay, looked at now.
struct Board(Arc<Relay>);

impl Board {
    async fn ready(&self) -> Page {
        let relay = &self.0;
        let signs = Signs {
            leaving: relay.is_leaving(),
            nodes: relay.nodes.as_ref().is_none_or(|nodes| nodes.is_connected()),
            storage: self.probe().await,
            free_bytes: self.free_bytes(),
            least_free_bytes: relay.config.limits.free_bytes,
            validity: *relay.validity(),
            now: relay.wall(),
        };
        let faults = signs.faults();
        if faults.is_empty() { Page::well("ready\n") } else { Page::unwell(faults.join("\n") + "\n") }
    }

    /// Writes what is there anyway, and sees whether that works.
    async fn probe(&self) -> Result<(), StoreError> {
        let relay = &self.0;
        let mut probed = relay.probed.lock().await;
        if let Some(probe) = probed.as_ref().filter(|probe| probe.at.elapsed() < PROBE_AGAIN) {
            return probe.outcome.clone();
        }
        let outcome = match relay.storage.get(BOOT_KEY.to_vec()).await {
            Ok(boot) => {
                let mut batch = Batch::new();
                batch.put(BOOT_KEY, boot.unwrap_or_default());
                relay.storage.commit(batch).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            tracing::error!(error = told(error), "the storage can't be written");
        }
        *probed = Some(Probe { at: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    fn free_bytes(&self) -> Option<u64> {
        privet_store::free_bytes(&self.0.config.data).ok()
    }

    fn numbers(&self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Numbers { relay: Arc::clone(&self.0), free_bytes: self.free_bytes() }));
        let mut page = String::new();
        // Writing into a text can't fail.
        let _ = prometheus_client::encoding::text::encode(&mut page, &registry);
        page
    }
}

/// What the page of numbers is of.
#[derive(Debug)]
struct Numbers {
    relay: Arc<Relay>,
    free_bytes: Option<u64>,
}

impl Collector for Numbers {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.itself(&mut to)?;
        self.clients(&mut to)?;
        self.kept(&mut to)?;
        self.nodes(&mut to)?;
        self.wakes(&mut to)
    }
}

impl Numbers {
    fn itself(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let relay = &self.relay;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        version.encode(to.encode_descriptor("privet_relay", "The relay that says this", None, MetricType::Info)?)?;
        let up = relay.began.elapsed().as_secs_f64();
        gauge(to, "privet_relay_uptime_seconds", "Time since the relay started", up)?;
        if let Some(validity) = *relay.validity() {
            let help = "When the certificate of a public authority expires, in seconds since 1970";
            let until = validity.until.0 as f64 / 1000.0;
            gauge(to, "privet_relay_certificate_expiry_timestamp_seconds", help, until)?;
        }
        let homes = relay.home_count.load(Ordering::Relaxed);
        gauge(to, "privet_relay_homes", "Homes that were created here", homes as f64)?;
        gauge(to, "privet_relay_homes_in_memory", "Homes in memory", relay.tally.homes.now() as f64)
    }

    fn clients(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let tally = &self.relay.tally;
        let help = "What became of those who came";
        labelled(to, "privet_relay_newcomers", help, "outcome", ConstCounter::new, tally.newcomers.now())?;
        let handshakes = self.relay.handshakes() as f64;
        gauge(to, "privet_relay_handshakes", "Handshakes under way", handshakes)?;
        labelled(
            to,
            "privet_relay_hellos",
            "Hellos that were accepted",
            "kind",
            ConstCounter::new,
            tally.hellos.now(),
        )?;
        let help = "Connections that said hello and are there now";
        let number = |count: u64| ConstGauge::new(count as f64);
        labelled(to, "privet_relay_connections", help, "kind", number, tally.connections.now())?;
        labelled(to, "privet_relay_closed", "Connections that ended", "reason", ConstCounter::new, tally.closed.now())?;
        counter(to, "privet_relay_requests", "Requests of all kinds", tally.requests.now())?;
        let help = "Hellos and requests that were refused";
        labelled(to, "privet_relay_refused", help, "code", ConstCounter::new, tally.refused.now())?;
        let help = "Requests that led nowhere whose client had to wait before it could make another one in their place";
        counter(to, "privet_relay_held_back_requests", help, tally.held_back.now())?;
        gauge(to, "privet_relay_followers", "Streams that are followed now", tally.followers.now() as f64)?;
        let help = "Passing segments that a follower was too slow for";
        counter(to, "privet_relay_skipped_segments", help, tally.skipped.now())?;
        let help = "Pieces of segments that waited because their home had come to its bytes a second";
        let slowed = tally.slowed.now();
        labelled(to, "privet_relay_slowed_pieces", help, "direction", ConstCounter::new, slowed)?;
        let help = "Bytes of messages and bodies from clients";
        counter(to, "privet_relay_received_bytes", help, tally.received.now())?;
        counter(to, "privet_relay_sent_bytes", "Bytes of messages and bodies to clients", tally.sent.now())
    }

    fn kept(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let tally = &self.relay.tally;
        let help = "Bytes that homes keep which were read since the start: segments, log, inbox and wakes";
        gauge(to, "privet_relay_stored_bytes", help, tally.stored.now() as f64)?;
        let help = "Log entries that the same homes keep";
        gauge(to, "privet_relay_log_entries", help, tally.log_entries.now() as f64)?;
        let passing = self.relay.budget.used() as f64;
        gauge(to, "privet_relay_passing_bytes", "Memory that passing segments take", passing)?;
        if let Some(free) = self.free_bytes {
            gauge(to, "privet_relay_disk_free_bytes", "Bytes free on the disk of the data directory", free as f64)?;
        }
        let help = "Commits and bodies that the disk did not take";
        counter(to, "privet_relay_disk_failed", help, tally.disk_failed.now())?;
        let help = "Time until something was on the disk for certain";
        let mut family = to.encode_descriptor("privet_relay_disk_seconds", help, None, MetricType::Histogram)?;
        for (what, times) in [("commit", &tally.disk.commit), ("body", &tally.disk.body)] {
            times.encode(family.encode_family(&[("what", what)])?)?;
        }
        Ok(())
    }

    fn nodes(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let (relay, tally) = (&self.relay, &self.relay.tally);
        let nodes = relay.nodes.as_ref().map_or(1, |nodes| nodes.count());
        gauge(to, "privet_relay_nodes", "Relays that are one, as this one knows", nodes as f64)?;
        let help = "Connections whose home another node serves";
        gauge(to, "privet_relay_piped_connections", help, tally.piped.now() as f64)?;
        let help = "Live streams that come from other nodes for followers here";
        gauge(to, "privet_relay_pulled_streams", help, tally.pulled.now() as f64)?;
        let help = "Bytes carried between clients and other nodes";
        counter(to, "privet_relay_carried_bytes", help, tally.carried.now())
    }

    fn wakes(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let carriers = &self.relay.carriers;
        let WakeCounts { waiting, accepted, repeated, fetched, delivered, called, expired, .. } = carriers.counts.now();
        gauge(to, "privet_relay_wakes_waiting", "Wakes that wait, in the homes in memory", waiting as f64)?;
        let outcomes = [
            ("accepted", accepted),
            ("repeated", repeated),
            ("fetched", fetched),
            ("delivered", delivered),
            ("called", called),
            ("expired", expired),
        ];
        labelled(to, "privet_relay_wakes", "What became of wakes", "outcome", ConstCounter::new, outcomes.into_iter())?;
        let help = "What push gateways said to messages";
        let mut family = to.encode_descriptor("privet_relay_pushes", help, None, MetricType::Counter)?;
        for (gateway, outcome, count) in carriers.gateways.outcomes() {
            let labels = [("gateway", gateway), ("outcome", outcome)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), Error> {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// The name without `_total`, which is added.
fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}

/// A number for each value of a label. A counter's name is without `_total`, which is added.
fn labelled<M: EncodeMetric>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    number: fn(u64) -> M,
    values: impl Iterator<Item = (&'static str, u64)>,
) -> Result<(), Error> {
    let mut family = to.encode_descriptor(name, help, None, number(0).metric_type())?;
    for (of, value) in values {
        number(value).encode(family.encode_family(&[(label, of)])?)?;
    }
    Ok(())
}
