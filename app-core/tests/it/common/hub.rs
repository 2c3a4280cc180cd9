//! A hub made of `HubHome`, the sealer and the relay client: what `privet-hub` does, without cameras and by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use privet_home::{
    ClipNotes, EndReason, Env, HubHome, HubMessage, Invitation, PhoneMessage, PhoneWishes, PolicyError, Profile,
    PushSetup, ReceiveError, RelayAddress, SecretBytes, StreamEnded, StreamKind, StreamStarted, Wishes,
};
use privet_protocol::id::{DeviceId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;
use privet_relay::Server;
use privet_relay_client::{
    ClientKey, Connection, LogItem, Principal, RelayTarget, Retention, Rights, Side, Trust, connect,
};
use privet_segment::StreamKey;
use tokio::sync::mpsc;

use super::TestCamera;
use super::camera::now;

pub struct TestHub {
    shared: Arc<Shared>,
    pub address: RelayAddress,
    pub camera: Mutex<TestCamera>,
    pub said: tokio::sync::Mutex<mpsc::UnboundedReceiver<(DeviceId, PhoneMessage)>>,
    /// The digest of the last clip's last statement: the next clip goes on from it.
    recorded: Mutex<[u8; 32]>,
}

struct Shared {
    home: Mutex<HubHome>,
    connection: Connection,
    uploading: tokio::sync::Mutex<()>,
    snapshot: Mutex<Vec<HubMessage>>,
    /// Whether what phones ask for (removals, wishes, pins) is done.
    obeys: std::sync::atomic::AtomicBool,
    profile: Mutex<Profile>,
    /// What clips show, as it was told last.
    notes: Mutex<HashMap<StreamId, ClipNotes>>,
}

/// A stream that the hub makes.
pub struct TestStream {
    pub id: StreamId,
    pub key: StreamKey,
    pub next: u64,
    pub previous: [u8; 32],
    pub started: Timestamp,
    pub bytes: u64,
}

impl TestStream {
    fn new(key: StreamKey) -> Self {
        Self { id: StreamId::generate(&SystemRandom), key, next: 0, previous: [0; 32], started: now(), bytes: 0 }
    }
}

pub fn env() -> Env<'static> {
    Env::new(now(), &SystemRandom)
}

impl TestHub {
    pub async fn start(relay: &Server) -> Self {
        let home = HubHome::create(Arc::new(MemoryStore::new()), "Test house", env()).unwrap();
        let address = super::relay_address(relay);
        let target =
            RelayTarget { host: address.host.clone(), port: address.port, trust: Trust::Pin(address.pin.unwrap()) };
        let key = ClientKey::from_seed(&home.capability()).unwrap();
        let founder = Principal::Founder { home: home.home_id(), invite: None };
        let connection = connect(&target, founder, &key, Duration::from_secs(10)).await.unwrap();
        let camera = TestCamera::new("Door");
        let shared = Arc::new(Shared {
            home: Mutex::new(home),
            connection,
            uploading: tokio::sync::Mutex::default(),
            snapshot: Mutex::new(vec![HubMessage::Cameras(vec![camera.info()])]),
            obeys: true.into(),
            profile: Mutex::new(Profile::Home),
            notes: Mutex::default(),
        });
        let (tx, said) = mpsc::unbounded_channel();
        tokio::spawn(shared.clone().inbox(tx));
        let hub = Self { shared, address, camera: Mutex::new(camera), said: said.into(), recorded: Mutex::default() };
        let cameras = hub.shared.snapshot.lock().unwrap().clone();
        hub.say(&cameras).await;
        hub
    }

    pub fn home(&self) -> MutexGuard<'_, HubHome> {
        self.shared.home.lock().unwrap()
    }

    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Tells the phones something.
    pub async fn say(&self, messages: &[HubMessage]) {
        self.home().append(messages, Batch::new(), env()).unwrap();
        self.shared.upload().await;
    }

    /// The same by a clock that is behind by so many seconds.
    pub async fn say_late(&self, messages: &[HubMessage], behind_s: i64) {
        let at = Env::new(Timestamp(now().0 - behind_s * 1000), &SystemRandom);
        self.home().append(messages, Batch::new(), at).unwrap();
        self.shared.upload().await;
    }

    /// Opens a pairing and serves it.
    pub async fn invite(&self) -> Invitation {
        let invitation = self.home().invite(&self.address, Duration::from_secs(600), env()).unwrap();
        let key = ClientKey::from_seed(&invitation.mailbox_key).unwrap();
        self.connection().open_mailbox(invitation.mailbox, key.public(), invitation.until).await.unwrap();
        tokio::spawn(self.shared.clone().serve(invitation.clone()));
        invitation
    }

    pub async fn close(&self, invitation: &Invitation) {
        self.connection().close_mailbox(invitation.mailbox).await.unwrap();
    }

    pub async fn remove(&self, device: DeviceId) {
        self.shared.remove(device, None).await;
    }

    /// Does what a lying relay would: keeps all phones out, though the group has removed none.
    pub async fn lock_out(&self) {
        let keys = self.shared.home.lock().unwrap().capabilities();
        for key in keys {
            self.shared.connection.revoke(key).await.unwrap();
        }
    }

    /// The relay closes the connections of phones that may follow no streams any more; or lets all phones follow again.
    pub async fn let_follow(&self, may: bool) {
        let keys = self.shared.home.lock().unwrap().capabilities();
        for key in keys {
            self.shared.connection.grant(key, Rights { segments: may, ..Rights::PHONE }).await.unwrap();
        }
    }

    /// What a phone said, passing over what is said on its own.
    pub async fn heard(&self) -> (DeviceId, PhoneMessage) {
        let mut said = self.said.lock().await;
        loop {
            let message = tokio::time::timeout(super::PATIENCE, said.recv()).await.unwrap().unwrap();
            if !matches!(
                message.1,
                PhoneMessage::Paired
                    | PhoneMessage::Receipt { .. }
                    | PhoneMessage::SetPush(_)
                    | PhoneMessage::NewRelayKey { .. }
                    | PhoneMessage::UsesRelayKey { .. }
            ) {
                return message;
            }
        }
    }

    /// The notification key that a phone sends.
    pub async fn heard_key(&self) -> (DeviceId, PushSetup) {
        let mut said = self.said.lock().await;
        loop {
            let message = tokio::time::timeout(super::PATIENCE, said.recv()).await.unwrap().unwrap();
            if let (device, PhoneMessage::SetPush(setup)) = message {
                return (device, setup);
            }
        }
    }

    /// From now on what phones ask for is heard and not done, or done again.
    pub fn obeys(&self, obeys: bool) {
        self.shared.obeys.store(obeys, std::sync::atomic::Ordering::Relaxed);
    }

    /// Tells what a clip shows.
    pub async fn note(&self, notes: ClipNotes) {
        self.shared.notes.lock().unwrap().insert(notes.stream, notes.clone());
        self.say(&[HubMessage::ClipNotes(Box::new(notes))]).await;
    }

    pub async fn begin_stream(&self, kind: StreamKind) -> TestStream {
        let key = StreamKey::generate(&SystemRandom);
        let stream = TestStream { previous: self.goes_on(kind), ..TestStream::new(key) };
        let camera = self.camera.lock().unwrap().id;
        let secret = SecretBytes::new(stream.key.to_secret().to_bytes().to_vec());
        let started = StreamStarted { stream: stream.id, camera, kind, secret, started: stream.started };
        self.say(&[HubMessage::StreamStarted(started)]).await;
        stream
    }

    fn goes_on(&self, kind: StreamKind) -> [u8; 32] {
        if kind == StreamKind::Clip { *self.recorded.lock().unwrap() } else { [0; 32] }
    }

    /// Records a clip of which no phone ever hears.
    pub fn record_in_secret(&self) {
        let mut secret = TestStream {
            previous: self.goes_on(StreamKind::Clip),
            ..TestStream::new(StreamKey::generate(&SystemRandom))
        };
        self.seal(&mut secret);
        *self.recorded.lock().unwrap() = secret.previous;
    }

    pub async fn end_stream(&self, stream: &TestStream) {
        self.end_stream_for(stream, EndReason::Finished).await;
    }

    /// The same, for this reason.
    pub async fn end_stream_for(&self, stream: &TestStream, reason: EndReason) {
        if stream.next > 0 {
            *self.recorded.lock().unwrap() = stream.previous;
        }
        self.connection().finish_stream(stream.id, stream.next).await.unwrap();
        let ended = StreamEnded {
            stream: stream.id,
            segments: stream.next,
            started: stream.started,
            ended: now(),
            reason,
            last_statement: stream.previous,
            bytes: stream.bytes,
        };
        self.say(&[HubMessage::StreamEnded(ended)]).await;
    }

    /// Seals the stream's next segment.
    pub fn seal(&self, stream: &mut TestStream) -> Vec<u8> {
        let index = stream.next;
        let (blob, sealed) = self.camera.lock().unwrap().segment(&mut stream.key, stream.id, index, stream.previous);
        stream.next += 1;
        stream.previous = sealed.digest;
        stream.bytes += sealed.length;
        blob
    }

    /// Makes the stream's next segments, which the relay keeps.
    pub async fn seal_and_keep(&self, stream: &mut TestStream, segments: u64) {
        for _ in 0..segments {
            let index = stream.next;
            let blob = self.seal(stream);
            self.put(stream, index, keep(), blob).await;
        }
    }

    /// From now on newcomers are told of this stream, with the key from its next segment on.
    pub fn open_for_newcomers(&self, kind: StreamKind, stream: &mut TestStream) {
        self.open_for_newcomers_no_more();
        stream.key.advance_to(stream.next).unwrap();
        let secret = SecretBytes::new(stream.key.to_secret().to_bytes().to_vec());
        let camera = self.camera.lock().unwrap().id;
        let started = StreamStarted { stream: stream.id, camera, kind, secret, started: stream.started };
        self.shared.snapshot.lock().unwrap().push(HubMessage::StreamStarted(started));
    }

    pub fn open_for_newcomers_no_more(&self) {
        self.shared.snapshot.lock().unwrap().retain(|message| !matches!(message, HubMessage::StreamStarted(_)));
    }

    pub async fn put(&self, stream: &TestStream, index: u64, retention: Retention, blob: Vec<u8>) {
        let mut writer = self.connection().put(stream.id, index, retention, false).await.unwrap();
        writer.write(blob.into()).await.unwrap();
        writer.finish().await.unwrap();
    }

    /// A whole clip; `tamper` may change a sealed segment on its way.
    pub async fn clip(&self, segments: u64, mut tamper: impl FnMut(u64, &mut Vec<u8>)) -> TestStream {
        let mut stream = self.begin_stream(StreamKind::Clip).await;
        for index in 0..segments {
            let mut blob = self.seal(&mut stream);
            tamper(index, &mut blob);
            self.put(&stream, index, keep(), blob).await;
        }
        self.end_stream(&stream).await;
        stream
    }
}

pub fn keep() -> Retention {
    Retention::Keep { until: Timestamp(now().0 + 3_600_000) }
}

impl Shared {
    /// Everything that waits, in order.
    async fn upload(&self) {
        let _one_at_a_time = self.uploading.lock().await;
        loop {
            let waiting = self.home.lock().unwrap().outbox(0, 64).unwrap();
            let Some(last) = waiting.last().map(|entry| entry.seq) else { return };
            for entry in waiting {
                self.connection.append(entry.seq, entry.bytes).await.unwrap();
            }
            self.home.lock().unwrap().sent(last).unwrap();
        }
    }

    async fn serve(self: Arc<Self>, invitation: Invitation) {
        let mut requests = self.connection.collect(invitation.mailbox, Side::Hub, 1).await.unwrap();
        while let Ok(Some(item)) = requests.next().await {
            let LogItem::Entry { bytes, .. } = item else { continue };
            let snapshot = self.snapshot.lock().unwrap().clone();
            let admitted = self.home.lock().unwrap().admit(invitation.pairing, &bytes, &snapshot, env());
            let Ok(admitted) = admitted else { continue };
            self.connection.grant(admitted.capability, Rights::PHONE).await.unwrap();
            self.upload().await;
            self.connection.post(invitation.mailbox, Side::Phone, admitted.answer).await.unwrap();
        }
    }

    async fn remove(&self, device: DeviceId, by: Option<DeviceId>) {
        let removed = self.home.lock().unwrap().remove(device, by, Batch::new(), env()).unwrap();
        self.upload().await;
        // As the hub does it: it may still find its removal in the log.
        let upto = self.home.lock().unwrap().farewell(&removed.capability, env().now).unwrap();
        self.connection.grant(removed.capability, Rights::farewell(upto)).await.unwrap();
    }

    async fn obey(&self, device: DeviceId, message: &PhoneMessage) {
        let answer = match message {
            PhoneMessage::RemoveDevice { device: gone } => return self.remove(*gone, Some(device)).await,
            PhoneMessage::SetWishes(wishes) => {
                let mut profile = self.profile.lock().unwrap();
                *profile = wishes.profile.unwrap_or(*profile);
                let wishes = Wishes { profile: Some(*profile), ..wishes.clone() };
                HubMessage::Wishes(PhoneWishes { device, wishes })
            }
            PhoneMessage::PinClip { stream, pinned } => {
                let mut notes = self.notes.lock().unwrap();
                let Some(notes) = notes.get_mut(stream) else { return };
                notes.pinned = *pinned;
                HubMessage::ClipNotes(Box::new(notes.clone()))
            }
            _ => return,
        };
        self.home.lock().unwrap().append(&[answer], Batch::new(), env()).unwrap();
        self.upload().await;
    }

    /// As the hub does it: lets a phone's new key in, and takes the old one away once it is left behind.
    async fn relay_key(&self, message: &PhoneMessage) {
        let (known, behind) = {
            let home = self.home.lock().unwrap();
            (home.capabilities(), home.left_behind())
        };
        if let PhoneMessage::NewRelayKey { key } = message
            && known.contains(key)
        {
            self.connection.grant(*key, Rights::PHONE).await.unwrap();
        }
        for key in behind {
            self.connection.revoke(key).await.unwrap();
            self.home.lock().unwrap().forget_left_behind(&key).unwrap();
        }
    }

    async fn inbox(self: Arc<Self>, said: mpsc::UnboundedSender<(DeviceId, PhoneMessage)>) {
        let mut inbox = self.connection.read_inbox(1, true).await.unwrap();
        while let Ok(Some(item)) = inbox.next().await {
            let LogItem::Entry { seq, bytes } = item else { continue };
            let received = self.home.lock().unwrap().receive(&bytes, Batch::new(), env());
            self.connection.ack_inbox(seq).await.unwrap();
            match received {
                Ok(received) => {
                    if received.rejoined {
                        let snapshot = self.snapshot.lock().unwrap().clone();
                        self.home.lock().unwrap().append(&snapshot, Batch::new(), env()).unwrap();
                    }
                    self.upload().await;
                    let Some(message) = received.message else { continue };
                    self.relay_key(&message).await;
                    if self.obeys.load(std::sync::atomic::Ordering::Relaxed) {
                        self.obey(received.device, &message).await;
                    }
                    let _ = said.send((received.device, message));
                }
                // A phone that was removed may have had a message on the way.
                Err(ReceiveError::Seen | ReceiveError::Stale | ReceiveError::Refused(PolicyError::NotAMember)) => {}
                Err(error) => panic!("the hub could not take a message: {error}"),
            }
        }
    }
}
