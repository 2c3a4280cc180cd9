//! The numbers as one page of text: OpenMetrics 1.0, which Prometheus reads. Table: `docs/reference/metrics.md`.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::status::{Alarm, CameraStatus, Status, Vital};
use crate::uplink::room::RelayRoom;

/// What the page is of. All of it is read at one moment.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// What the owner can see too.
    pub status: Status,
    /// What is counted of each of the status's cameras.
    pub vitals: Vec<Vital>,
    /// The monotonic clock, in microseconds.
    pub now_us: u64,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: i64,
}

/// The page.
pub fn text(numbers: Numbers) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(numbers));
    let mut page = String::new();
    // Writing into a text can't fail.
    let _ = prometheus_client::encoding::text::encode(&mut page, &registry);
    page
}

/// A number of one camera, if there is one now.
type OfCamera<'a> = &'a dyn Fn(&CameraStatus, &Vital) -> Option<f64>;
/// What only grows.
type CountOfCamera = fn(&CameraStatus, &Vital) -> u64;

impl Collector for Numbers {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.hub(&mut to)?;
        self.cameras(&mut to)
    }
}

impl Numbers {
    fn hub(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let status = &self.status;
        let version = Info::new([("version", status.version.as_str())]);
        version.encode(to.encode_descriptor("privet_hub", "The hub that says this", None, MetricType::Info)?)?;
        gauge(to, "privet_hub_uptime_seconds", "Time since the hub started", status.up_s as f64)?;
        gauge(to, "privet_phones", "Phones in the home", status.phones as f64)?;
        let connected = f64::from(status.relay.state == "connected");
        gauge(to, "privet_relay_connected", "Whether the relay is connected", connected)?;
        if let Some(ms) = status.relay.round_trip_ms {
            gauge(to, "privet_relay_round_trip_seconds", "Round trip to the relay", ms / 1000.0)?;
        }
        if let Some(room) = &status.relay_room {
            let (stored, limit) = (room.stored_bytes as f64, room.limit_bytes as f64);
            gauge(to, "privet_relay_room_used_bytes", "Bytes that the relay keeps for the home", stored)?;
            gauge(to, "privet_relay_room_limit_bytes", "Bytes that the relay would keep for the home", limit)?;
            if let Some(days) = room.full_in_days {
                let help = "Time until the relay keeps no more, at the rate of the last days";
                gauge(to, "privet_relay_room_lasts_seconds", help, days * 86_400.0)?;
            }
            log_and_wakes(room, to)?;
        }
        let outbox = &status.outbox;
        gauge(
            to,
            "privet_outbox_segments",
            "Segments of clips that the relay does not have yet",
            outbox.segments as f64,
        )?;
        gauge(to, "privet_outbox_bytes", "Bytes of clips that the relay does not have yet", outbox.bytes as f64)?;
        let oldest = outbox.oldest_ms.map_or(0, |ms| self.now_ms.saturating_sub(ms).max(0));
        let help = "How long the oldest segment has waited for the relay; 0 if none waits";
        gauge(to, "privet_outbox_oldest_age_seconds", help, oldest as f64 / 1000.0)?;
        counter(
            to,
            "privet_outbox_given_up",
            "Segments that could not be delivered and were given up",
            outbox.given_up,
        )?;
        gauge(
            to,
            "privet_log_waiting_entries",
            "Log entries that the relay does not have yet",
            status.log_waiting as f64,
        )?;
        gauge(to, "privet_disk_room_bytes", "Bytes that clips may still take on the disk", status.room_bytes as f64)?;
        counter(to, "privet_live_records", "Live records handed to QUIC", status.live.records)?;
        let help = "Live segments dropped because the link was too slow or away";
        counter(to, "privet_live_dropped_segments", help, status.live.dropped_segments)?;
        if let Some(mqtt) = &status.mqtt {
            let connected = f64::from(mqtt.state == "connected");
            gauge(to, "privet_mqtt_connected", "Whether the MQTT broker is connected", connected)?;
        }
        let waiting = status.notices.waiting as f64;
        gauge(to, "privet_notices_waiting", "Notifications that the relay does not have yet", waiting)?;
        self.alarms(to)
    }

    /// Every kind of alarm, also those that do not stand: a rule can't be made of what is not there.
    fn alarms(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let standing = || self.status.alarms.iter().map(|alarm| alarm.kind.as_str());
        let known = Alarm::KINDS.into_iter();
        let other = standing().filter(|kind| !Alarm::KINDS.contains(kind));
        let mut family =
            to.encode_descriptor("privet_alarm", "Whether an alarm of this kind stands", None, MetricType::Gauge)?;
        for kind in known.chain(other) {
            let stands = f64::from(standing().any(|standing| standing == kind));
            ConstGauge::new(stands).encode(family.encode_family(&[("kind", kind)])?)?;
        }
        Ok(())
    }

    fn cameras(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let now_us = self.now_us;
        let gauges: [(&str, &str, OfCamera<'_>); 10] = [
            ("privet_camera_online", "Whether pictures come", &|c, _| Some(f64::from(c.online))),
            ("privet_camera_motion", "Whether an activity goes on", &|_, v| Some(f64::from(v.active))),
            ("privet_camera_recording", "Whether a clip is being recorded", &|c, _| Some(f64::from(c.recording))),
            ("privet_camera_viewers", "Phones that watch live", &|c, _| Some(c.viewers as f64)),
            (
                "privet_camera_substream_wanted",
                "Phones that watch live and whose link is too slow for the main stream",
                &|c, _| Some(c.want_substream as f64),
            ),
            ("privet_camera_substream_live", "Whether the live stream shows the substream", &|c, _| {
                Some(f64::from(c.live_substream))
            }),
            (
                "privet_camera_last_picture_age_seconds",
                "Time since the last picture; nothing before the first",
                &|_, v| v.picture_us.map(|at| now_us.saturating_sub(at) as f64 / 1e6),
            ),
            ("privet_camera_worker_memory_bytes", "Memory of the worker process", &|c, _| Some(c.worker_bytes as f64)),
            ("privet_camera_pre_roll_bytes", "Memory of the pre-roll", &|c, _| Some(c.pre_roll_bytes as f64)),
            ("privet_camera_notes", "Things about the camera that its owner should know", &|c, _| {
                Some(c.notes.len() as f64)
            }),
        ];
        for (name, help, number) in gauges {
            let mut family = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (camera, vital) in self.status.cameras.iter().zip(&self.vitals) {
                if let Some(number) = number(camera, vital) {
                    ConstGauge::new(number).encode(family.encode_family(&[("camera", camera.name.as_str())])?)?;
                }
            }
        }
        let counters: [(&str, &str, CountOfCamera); 6] = [
            ("privet_camera_frames", "Pictures received", |c, _| c.frames),
            ("privet_camera_events", "Activities", |_, v| v.events),
            ("privet_camera_tampers", "Times that the view was taken away", |_, v| v.tampered),
            ("privet_camera_outages", "Times that it went from online to offline", |c, _| c.outages),
            ("privet_camera_restarts", "Connections that ended or failed, each followed by a new worker", |_, v| {
                v.restarts
            }),
            ("privet_camera_lost_packets", "Packets lost on the way from the camera", |c, _| c.lost_packets),
        ];
        for (name, help, number) in counters {
            let mut family = to.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (camera, vital) in self.status.cameras.iter().zip(&self.vitals) {
                ConstCounter::new(number(camera, vital))
                    .encode(family.encode_family(&[("camera", camera.name.as_str())])?)?;
            }
        }
        Ok(())
    }
}

/// Log entries and wakes, where the relay says how many there may be.
fn log_and_wakes(room: &RelayRoom, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    if let Some(log) = &room.log {
        let help = "Log entries that the relay keeps for the home";
        gauge(to, "privet_relay_log_entries", help, log.entries as f64)?;
        let help = "Log entries that the relay would keep for the home";
        gauge(to, "privet_relay_log_limit_entries", help, log.limit as f64)?;
        if let Some(days) = log.full_in_days {
            let help = "Time until the relay keeps no more log entries, at the rate of the last days";
            gauge(to, "privet_relay_log_lasts_seconds", help, days * 86_400.0)?;
        }
    }
    if let Some(wakes) = &room.wakes {
        let help = "Wakes that the relay takes from the home now";
        gauge(to, "privet_relay_wakes_left", help, wakes.left as f64)?;
        let help = "Wakes that the relay takes from the home within an hour";
        gauge(to, "privet_relay_wakes_limit", help, wakes.limit as f64)?;
    }
    Ok(())
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), Error> {
    ConstGauge::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// The name without `_total`, which is added.
fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    ConstCounter::new(value).encode(to.encode_descriptor(name, help, None, MetricType::Counter)?)
}
