//! How fast may be sent what: BBR, which does not take a lost packet for a full path, with what video needs of it.
//!
//! Video comes in bursts, a picture each, and leaves the path empty in between. Where one packet of a picture was lost, BBR as `quinn` has it
//! lets no more go for a round trip than was on its way at that moment (packet conservation): nearly nothing, so that the next picture, and
//! the lost packet itself, wait for round trips over an empty path. Here as much may go as the path is known to hold.

#![forbid(unsafe_code)]

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Bbr, BbrConfig, Controller, ControllerFactory, ControllerMetrics};
use quinn::{AckFrequencyConfig, MtuDiscoveryConfig, TransportConfig, VarInt};
use quinn_proto::RttEstimator;

/// Bytes on their way before anything is known of the path. quinn's 240 kB are two seconds of a link of 1 Mb/s.
const INITIAL_WINDOW: u64 = 64 * 1024;

/// For so long the other end may hold back that it has something.
const ACK_DELAY: Duration = Duration::from_millis(5);

/// What both ends of a connection between a relay and its clients have in common: how fast they send, how soon they hear of a loss, and how
/// they find out how long a packet may be.
pub fn set_up(transport: &mut TransportConfig) {
    // What is lost at the end of a picture is sent again after a round trip and what the other end may wait before it says what it has: 25 ms
    // if it is not asked for less (draft-ietf-quic-ack-frequency).
    let mut acknowledged = AckFrequencyConfig::default();
    acknowledged.max_ack_delay(Some(ACK_DELAY)).reordering_threshold(VarInt::from_u32(1));
    // Two probes on nearly every path, 1326 and 1452, instead of four: each costs what a packet of video does.
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(1452).minimum_change(64);
    transport
        .congestion_controller_factory(congestion())
        .ack_frequency_config(Some(acknowledged))
        .initial_mtu(1200)
        .mtu_discovery_config(Some(discovery));
}

/// For connections over which video goes, from hubs, to phones and between nodes. Cubic loses the picture at 2 % packet loss, BBR does not
/// (docs/design/0005-relay.md).
pub fn congestion() -> Arc<dyn ControllerFactory + Send + Sync> {
    let mut bbr = BbrConfig::default();
    bbr.initial_window(INITIAL_WINDOW);
    Arc::new(Factory(Arc::new(bbr)))
}

struct Factory(Arc<BbrConfig>);

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, _now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(ForVideo { bbr: Bbr::new(Arc::clone(&self.0), current_mtu), round_trip: Duration::ZERO })
    }
}

/// BBR that lets go at least what the path holds.
#[derive(Clone)]
pub struct ForVideo {
    bbr: Bbr,
    /// The shortest so far.
    round_trip: Duration,
}

impl ForVideo {
    /// What is on its way when the path is full and nothing waits: the rate that BBR found, for a round trip.
    fn path_holds(&self) -> u64 {
        path_holds(self.bbr.metrics().pacing_rate.unwrap_or(0), self.round_trip)
    }
}

impl Controller for ForVideo {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.bbr.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.round_trip = rtt.min();
        self.bbr.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_acked: Option<u64>) {
        self.bbr.on_end_acks(now, in_flight, app_limited, largest_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, persistent: bool, lost_bytes: u64) {
        self.bbr.on_congestion_event(now, sent, persistent, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.bbr.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.bbr.window().max(self.path_holds())
    }

    fn metrics(&self) -> ControllerMetrics {
        let mut metrics = self.bbr.metrics();
        metrics.congestion_window = self.window();
        metrics
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Bytes that are on their way at so many bits a second.
fn path_holds(bits_per_s: u64, round_trip: Duration) -> u64 {
    let bytes = u128::from(bits_per_s) * round_trip.as_micros() / 8_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(initial_window: u64) -> Box<dyn Controller> {
        let mut bbr = BbrConfig::default();
        bbr.initial_window(initial_window);
        Arc::new(Factory(Arc::new(bbr))).build(Instant::now(), 1200)
    }

    #[test]
    fn a_path_holds_its_rate_for_a_round_trip() {
        let ms = Duration::from_millis;
        assert_eq!(path_holds(0, ms(40)), 0, "nothing is known yet");
        assert_eq!(path_holds(8_000_000, Duration::ZERO), 0);
        assert_eq!(path_holds(1_000_000, ms(40)), 5_000);
        assert_eq!(path_holds(20_000_000, ms(150)), 375_000);
        assert_eq!(path_holds(u64::MAX, Duration::from_secs(1 << 30)), u64::MAX);
    }

    #[test]
    fn it_begins_as_it_is_told_to_and_a_loss_says_nothing_of_the_path() {
        let mut control = begun(INITIAL_WINDOW);
        assert_eq!((control.window(), control.initial_window()), (INITIAL_WINDOW, INITIAL_WINDOW));
        let now = Instant::now();
        control.on_sent(now, 1200, 1);
        control.on_congestion_event(now, now, true, 1200);
        control.on_mtu_update(1452);
        assert_eq!(control.window(), INITIAL_WINDOW);
        assert_eq!(control.metrics().congestion_window, INITIAL_WINDOW);
    }
}
