//! One connection to the broker, from its greeting to its end. The packets are `rumqttc`'s; what is said when is decided here.
//!
//! Everything goes out with quality of service 0: after any doubt the connection is made anew and all of it is said again, so an
//! acknowledgement would tell nothing that matters. Nothing is waited for without a bound.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use privet_protocol::id::CameraId;
use rumqttc::mqttbytes::{Error as PacketError, QoS};
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::broker::Stream;
use crate::error::LinkError;
use crate::house::{Message, Said};
use crate::link::{Shared, Timing, stopped};
use crate::snooze;

/// The largest packet that is taken: commands are some bytes, but others may write where they stand.
const MAX_IN: usize = 1 << 20;
/// The largest packet that is sent.
const MAX_OUT: usize = 256 << 10;
/// Bytes that are collected before they are written.
const WRITE: usize = 64 << 10;
/// How a greeting begins.
const CONNACK: u8 = 0x20;
/// How often it is looked whether minutes passed and the broker still answers.
const TICK: Duration = Duration::from_secs(1);

/// A connection that greeted and was greeted.
pub(crate) struct Session<'a> {
    io: Box<dyn Stream>,
    shared: &'a Shared,
    timing: Timing,
    input: BytesMut,
    output: BytesMut,
    said: Said,
    announced: BTreeSet<String>,
    heard: Instant,
    asked: Instant,
}

impl<'a> Session<'a> {
    /// Greets the broker.
    pub(crate) async fn open(shared: &'a Shared, timing: Timing) -> Result<Self, LinkError> {
        let silent = |doing| LinkError::Silent { doing };
        let io = timeout(timing.answer, shared.broker.connect()).await;
        let io = io.map_err(|_| LinkError::Unreachable { cause: "no answer".into() })??;
        let now = Instant::now();
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let announced = shared.house().announcements().into_iter().map(|message| message.topic).collect();
        let said = Said::default();
        let mut session = Self { io, shared, timing, input, output, said, announced, heard: now, asked: now };
        session.put(&Packet::Connect(session.greeting()))?;
        session.flush().await?;
        match timeout(timing.answer, session.first()).await.map_err(|_| silent("a greeting"))? {
            Ok(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. })) => Ok(session),
            Ok(Packet::ConnAck(ConnAck { code, .. })) => Err(match code {
                ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => LinkError::Login,
                other => LinkError::Refused { cause: format!("{other:?}") },
            }),
            Ok(other) => Err(LinkError::NotMqtt { cause: format!("{} in place of a greeting", kind(&other)) }),
            Err(LinkError::Closed { cause }) => {
                let cause = if cause.is_empty() { "without a greeting".into() } else { cause };
                Err(LinkError::Closed { cause: format!("{cause}; check mqtt.port and mqtt.tls") })
            }
            Err(error) => Err(error),
        }
    }

    /// Tells what there is to tell until the connection breaks, or `stop` says that the hub ends.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), LinkError> {
        let topics = self.shared.house().topics().clone();
        let filters = topics.filters();
        let mut subscribe = Subscribe::new_many(filters.map(|path| SubscribeFilter { path, qos: QoS::AtLeastOnce }));
        subscribe.pkid = 1;
        self.put(&Packet::Subscribe(subscribe))?;
        let mut tick = interval(TICK.min(self.timing.keep_alive / 4));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.tell().await?;
            self.flush().await?;
            tokio::select! {
                () = stopped(&mut stop) => return self.part(&topics.availability()).await,
                packet = receive(&mut self.io, &mut self.input) => {
                    self.heard = Instant::now();
                    self.packet(packet?, &topics.birth())?;
                    // What came in the same bytes.
                    while let Some(packet) = parse(&mut self.input)? {
                        self.packet(packet, &topics.birth())?;
                    }
                }
                () = self.shared.changed() => {}
                _ = tick.tick() => self.keep_alive()?,
            }
        }
    }

    fn greeting(&self) -> Connect {
        let house = self.shared.house();
        let mut connect = Connect::new(house.topics().node());
        connect.keep_alive = u16::try_from(self.timing.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX);
        connect.last_will = Some(LastWill::new(house.topics().availability(), "offline", QoS::AtLeastOnce, true));
        if let Some(login) = &self.shared.broker.login {
            connect.set_login(login.username.as_str(), login.password.as_str());
        }
        connect
    }

    /// What is due.
    async fn tell(&mut self) -> Result<(), LinkError> {
        let due = {
            let house = self.shared.house();
            for camera in self.shared.take_settled() {
                self.said.forget_snooze(&house, camera);
            }
            self.said.due(&house, |camera| self.shared.snoozes.get(camera), self.shared.clock.now())
        };
        for message in due {
            self.publish(message)?;
            if self.output.len() >= WRITE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn publish(&mut self, message: Message) -> Result<(), LinkError> {
        let mut publish = Publish::new(message.topic, QoS::AtMostOnce, message.payload);
        publish.retain = true;
        self.put(&Packet::Publish(publish))
    }

    fn packet(&mut self, packet: Packet, birth: &str) -> Result<(), LinkError> {
        match packet {
            Packet::Publish(publish) => {
                if publish.qos == QoS::ExactlyOnce {
                    return Err(LinkError::NotMqtt { cause: "a quality of service that was not asked for".into() });
                }
                if publish.qos == QoS::AtLeastOnce {
                    self.put(&Packet::PubAck(PubAck::new(publish.pkid)))?;
                }
                self.message(&publish, birth)?;
            }
            Packet::SubAck(answer) => {
                if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                    let filters = self.shared.house().topics().filters().join(", ");
                    tracing::warn!(
                        "the broker does not let the hub listen, so snoozes may not come through; allow its user to read {filters}"
                    );
                }
            }
            Packet::PingResp => {}
            other => return Err(LinkError::NotMqtt { cause: format!("{} from a broker", kind(&other)) }),
        }
        Ok(())
    }

    fn message(&mut self, publish: &Publish, birth: &str) -> Result<(), LinkError> {
        if publish.topic == birth {
            // A retained one is old: everything was said at this connection's start.
            if publish.payload.as_ref() == b"online" && !publish.retain {
                self.said.forget();
            }
            return Ok(());
        }
        if self.shared.house().topics().is_discovery(&publish.topic) {
            let gone = publish.retain && !publish.payload.is_empty() && !self.announced.contains(&publish.topic);
            // A camera that the hub had once: nothing retained is how it is forgotten.
            return if gone { self.publish(Message::new(publish.topic.clone(), "")) } else { Ok(()) };
        }
        self.command(publish);
        Ok(())
    }

    fn command(&mut self, publish: &Publish) {
        let Some(camera) = self.shared.house().snoozed(&publish.topic) else {
            return self.refuse(&format!("{:?} names no camera of this hub", shown(&publish.topic)), None);
        };
        if publish.retain {
            // It was meant for the moment it was sent; each new connection would snooze the camera again.
            return self.refuse("a retained snooze was left alone; publish it without retain", None);
        }
        match snooze::asked(&publish.payload) {
            Ok(minutes) => {
                let until = minutes.map(|minutes| self.shared.clock.now().after(minutes));
                if !self.shared.ask(camera, until) {
                    self.refuse("too many snoozes at once; this one was left alone", Some(camera));
                }
            }
            Err(error) => self.refuse(&error.to_string(), Some(camera)),
        }
    }

    /// Says why nothing was done, and what holds, so that a control that was moved goes back.
    fn refuse(&mut self, why: &str, camera: Option<CameraId>) {
        if let Some(unsaid) = self.shared.may_log() {
            tracing::warn!(unsaid, "mqtt: {why}");
        }
        if let Some(camera) = camera {
            self.said.forget_snooze(&self.shared.house(), camera);
        }
    }

    fn keep_alive(&mut self) -> Result<(), LinkError> {
        let keep_alive = self.timing.keep_alive;
        if self.heard.elapsed() > keep_alive + keep_alive / 2 {
            return Err(LinkError::Silent { doing: "a sign of life" });
        }
        if self.asked.elapsed() >= keep_alive / 2 {
            self.asked = Instant::now();
            self.put(&Packet::PingReq)?;
        }
        Ok(())
    }

    /// The hub ends: the broker is told before it would find out.
    async fn part(mut self, availability: &str) -> Result<(), LinkError> {
        self.publish(Message::new(availability.to_owned(), "offline"))?;
        self.put(&Packet::Disconnect)?;
        self.flush().await?;
        // What was written is with the system; the broker may be gone already.
        let _ = timeout(self.timing.answer, self.io.shutdown()).await;
        Ok(())
    }

    /// The first packet. Another protocol is known by its first byte: to wait until what it sends makes a packet could take long.
    async fn first(&mut self) -> Result<Packet, LinkError> {
        while self.input.is_empty() {
            if self.io.read_buf(&mut self.input).await.map_err(|e| closed(&e))? == 0 {
                return Err(LinkError::Closed { cause: String::new() });
            }
        }
        if self.input.first() != Some(&CONNACK) {
            return Err(LinkError::NotMqtt { cause: "what came first is no greeting".into() });
        }
        let packet = receive(&mut self.io, &mut self.input).await;
        self.heard = Instant::now();
        packet
    }

    fn put(&mut self, packet: &Packet) -> Result<(), LinkError> {
        let put = packet.write(&mut self.output, MAX_OUT);
        put.map(|_| ()).map_err(|e| LinkError::Refused { cause: format!("what the hub has to say does not fit: {e}") })
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        if self.output.is_empty() {
            return Ok(());
        }
        let write = async {
            self.io.write_all(&self.output).await?;
            self.io.flush().await
        };
        let written =
            timeout(self.timing.answer, write).await.map_err(|_| LinkError::Silent { doing: "room to write" })?;
        written.map_err(|e| closed(&e))?;
        self.output.clear();
        Ok(())
    }
}

/// The next packet. Nothing is lost when this is dropped while it waits.
async fn receive(io: &mut Box<dyn Stream>, input: &mut BytesMut) -> Result<Packet, LinkError> {
    loop {
        if let Some(packet) = parse(input)? {
            return Ok(packet);
        }
        match io.read_buf(input).await {
            Ok(0) => return Err(LinkError::Closed { cause: String::new() }),
            Ok(_) => {}
            Err(error) => return Err(closed(&error)),
        }
    }
}

fn parse(input: &mut BytesMut) -> Result<Option<Packet>, LinkError> {
    match Packet::read(input, MAX_IN) {
        Ok(packet) => Ok(Some(packet)),
        Err(PacketError::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(LinkError::NotMqtt { cause: error.to_string() }),
    }
}

fn closed(error: &std::io::Error) -> LinkError {
    LinkError::Closed { cause: error.to_string() }
}

/// What a packet is, without what is in it.
fn kind(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "a connect",
        Packet::ConnAck(_) => "a second greeting",
        Packet::Publish(_) => "a message",
        Packet::Subscribe(_) | Packet::Unsubscribe(_) => "a subscription",
        Packet::PingReq | Packet::PingResp => "a ping",
        Packet::Disconnect => "a disconnect",
        _ => "an acknowledgement of nothing",
    }
}

fn shown(topic: &str) -> String {
    topic.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The packets are another's code: whatever a broker sends, it must come back from them.
        #[test]
        fn no_bytes_of_a_broker_bring_the_parser_down(
            kind: u8, length in 0u8..64, body in proptest::collection::vec(any::<u8>(), 0..96),
        ) {
            let mut input = BytesMut::from([&[kind, length][..], &body].concat().as_slice());
            let before = input.len();
            while let Ok(Some(_)) = parse(&mut input) {}
            prop_assert!(input.len() <= before);
        }
    }

    #[test]
    fn a_packet_that_is_too_large_is_refused_by_its_header() {
        let mut input = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
        assert!(matches!(parse(&mut input), Err(LinkError::NotMqtt { .. })));
    }
}
