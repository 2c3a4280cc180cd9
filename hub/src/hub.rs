//! The running hub: everything started in the right order, and brought to an end in the right order.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use privet_home::{EndReason, Env, HomeError, HubHome, HubMessage, RelayAddress, StreamKind};
use privet_notify::{Book, BookError};
use privet_protocol::id::CameraId;
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::storage::{Batch, Store, StoreError};
use privet_relay_client::{Connection, RelayTarget, Trust};
use privet_segment::SegmentError;
use privet_store::{Blobs, DiskStore, SealedStore, free_bytes};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::{Camera, Config, ConstantRate, days};
use crate::control::{Control, ControlError};
use crate::keys::{KeyError, camera_identity, hub_key};
use crate::metrics::{Metrics, Numbers};
use crate::mqtt::{Link, MqttStatus};
use crate::notices::task::Feeds;
use crate::notices::watch::Patience;
use crate::notices::{self, NoticesError, NoticesHandle};
use crate::outbox::Outbox;
use crate::outbox::keeper::{Keeper, KeeperHandle};
use crate::recorder::task::{RecorderHandle, Recorders, Sinks};
use crate::recorder::{Input, Record, Recorder, Settings, Sighting};
use crate::reserve::{RESERVE, Reserve, ReservedStore};
use crate::source::{CameraSettings, SourceHandle, WorkerOptions};
use crate::status::{Board, ConstantStatus, NoticesStatus, Status};
use crate::time::{mono_us, wall};
use crate::uplink::Uplink;
use crate::uplink::constant::Constant;
use crate::uplink::home::{HomeHandle, Stopping};
use crate::uplink::inbox;
use crate::uplink::live::LiveSender;
use crate::uplink::pairing::Pairings;

/// Events of a camera that may wait for its recorder.
const EVENTS: usize = 256;
/// How long the end waits for the relay to take what was said last.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why the hub could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The data directory can't be used.
    #[error("the data directory {} can't be used: {cause}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The state on disk can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The home can't be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A camera's key can't be used.
    #[error(transparent)]
    Evidence(#[from] SegmentError),
    /// The socket for the command line can't be made.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The MQTT broker can't be spoken to as the configuration says.
    #[error(transparent)]
    Broker(#[from] privet_mqtt::BrokerError),
    /// Wishes and notifications can't be used.
    #[error(transparent)]
    Notices(#[from] NoticesError),
    /// It is being stopped.
    #[error(transparent)]
    Stopping(#[from] Stopping),
}

impl From<BookError> for HubError {
    fn from(error: BookError) -> Self {
        Self::Notices(error.into())
    }
}

/// A running hub.
pub struct Hub {
    config: Arc<Config>,
    started_us: u64,
    board: Board,
    outbox: Outbox,
    home: HomeHandle,
    recorders: Recorders,
    keepers: [KeeperHandle; 2],
    sightings: Option<mpsc::UnboundedSender<(CameraId, Sighting)>>,
    telling: Option<JoinHandle<()>>,
    uplink: Uplink,
    connection: watch::Receiver<Option<Connection>>,
    sources: Vec<SourceHandle>,
    recording: Vec<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
    control: Option<Control>,
    mqtt: Option<Link>,
    metrics: Option<Metrics>,
}

impl Hub {
    /// Starts the hub. It works when this returns; the relay and the cameras are connected to in the background.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn start(config: Config, workers: WorkerOptions) -> Result<Self, HubError> {
        let config = Arc::new(config);
        let started_us = mono_us();
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let opening = Arc::clone(&config);
        let opened = tokio::task::spawn_blocking(move || open(&opening)).await;
        let Opened { store, outbox, mut home, book, reserve } = opened.map_err(|e| StoreError::Io(e.to_string()))??;

        let board = Board::new();
        let recorders = Recorders::default();
        let rendezvous = home.rendezvous(wall())?;
        let constant = config.constant_rate.clone().map(Constant::new);
        if let Some(constant) = &constant {
            tracing::info!(price = %constant.rate().price(), "constant rate");
            home.pad_messages(constant.rate().entry_bytes());
        }
        let home = HomeHandle::spawn(home).map_err(|e| StoreError::Io(e.to_string()))?;
        let (connections, connection) = watch::channel(None);
        let live = LiveSender::new(connection.clone(), board.clone());
        let mut policy = config.recording.policy();
        // What is told of as nearly full must have a chance to end.
        policy.room = policy.room.max(config.notifications.disk_margin().saturating_mul(2));
        let relay_keeps = days(config.recording.relay_keeps_days);
        // A clip that is in cells is at the relay for as long as they are.
        let relay_keeps = constant.as_ref().map_or(relay_keeps, |constant| constant.rate().keep().min(relay_keeps));
        let keeps = policy.keep.min(relay_keeps);
        let mut tasks = Vec::new();
        let mut keep = |reserve| {
            let parts = (outbox.clone(), home.clone(), recorders.clone(), board.clone());
            let (keeper, handle, queue) = Keeper::new(parts.0, parts.1, parts.2, parts.3, keeps, policy, reserve);
            tasks.push(tokio::spawn(keeper.run(queue)));
            handle
        };
        let keepers = [keep(Some(reserve)), keep(None)];
        let (sightings, seen) = mpsc::unbounded_channel();
        let (notices, happened) = NoticesHandle::new(home.clone(), book, board.clone());
        let pairings = Pairings::default();
        rendezvous.into_iter().for_each(|one| pairings.resume(one));

        let mut hub = Self {
            uplink: Uplink {
                target: RelayTarget {
                    host: config.relay.host.clone(),
                    port: config.relay.port,
                    trust: config.relay_pin().map_or(Trust::WebPki, Trust::Pin),
                },
                invite: config.relay.invite.clone(),
                home: home.clone(),
                store,
                outbox: outbox.clone(),
                recorders: recorders.clone(),
                notices,
                pairings,
                board: board.clone(),
                heartbeat: constant.as_ref().map_or(config.heartbeat(), |constant| constant.rate().sign_every()),
                relay_keeps: keeps,
                constant,
            },
            config,
            started_us,
            board,
            outbox,
            home,
            recorders,
            keepers,
            sightings: Some(sightings),
            telling: None,
            connection,
            sources: Vec::new(),
            recording: Vec::new(),
            tasks,
            control: None,
            mqtt: None,
            metrics: None,
        };
        for camera in hub.config.cameras.clone() {
            hub.add_camera(&camera, &workers, live.clone(), Arc::clone(&random)).await?;
        }
        let telling = hub.telling(random);
        hub.telling = Some(tokio::spawn(notices::task::run(telling, Feeds { sightings: seen, happened })));
        let cameras = HubMessage::Cameras(hub.board.cameras());
        hub.home.call(move |home, env| home.append(&[cameras], Batch::new(), env)).await??;
        hub.tasks.push(tokio::spawn(hub.uplink.clone().run(connections)));
        let id = hub.home.call(|home, _| home.home_id()).await?;
        hub.mqtt = Link::start(&hub.config, id, &hub.board, Arc::new(hub.uplink.notices.clone()))?;
        hub.metrics = hub.config.metrics.as_ref().map(|metrics| Metrics::listen(metrics.listen, hub.view()));
        hub.control = Some(Control::listen(&hub.config.data_dir, hub.view())?);
        Ok(hub)
    }

    async fn add_camera(
        &mut self,
        camera: &Camera,
        workers: &WorkerOptions,
        live: LiveSender,
        random: Arc<dyn Random>,
    ) -> Result<(), HubError> {
        let (store, outbox, name) = (self.uplink.store.clone(), self.outbox.clone(), camera.name.clone());
        let made = tokio::task::spawn_blocking(move || {
            let identity = camera_identity(&*store, &name, &SystemRandom)?;
            let chain = outbox.reserve(identity.id, None)?;
            Ok::<_, KeyError>((identity, chain))
        });
        let (identity, chain) = made.await.map_err(|e| StoreError::Io(e.to_string()))??;
        let id = identity.id;
        self.board.add_camera(id, &camera.name, identity.evidence.public()?);
        let recording = &self.config.recording;
        let settings = Settings {
            record: camera.record,
            pre_roll: Duration::from_secs(recording.pre_roll_s.into()),
            pre_roll_bytes: (recording.pre_roll_mib as usize) << 20,
            post_roll: Duration::from_secs(recording.post_roll_s.into()),
            max_clip: Duration::from_secs(recording.max_clip_s.into()),
            zones: camera.zone_names(),
            picture_bytes: self.config.constant_rate.as_ref().map_or(usize::MAX, ConstantRate::picture_bytes),
        };
        let recorder = Recorder::new(id, identity.evidence, chain, settings, random);
        let (events, source) = mpsc::channel(EVENTS);
        let (handle, inputs) = RecorderHandle::channel();
        self.recorders.add(id, handle);
        let [keeper, announcer] = self.keepers.clone();
        let (board, recorders) = (self.board.clone(), self.recorders.clone());
        let Some(sightings) = self.sightings.clone() else { return Err(Stopping.into()) };
        let camera = crate::source::spawn(settings_of(id, camera), workers.clone(), events);
        let (prompt, sub_units) = (camera.prompt(), camera.sub_units());
        let sinks = Sinks { keeper, announcer, live, sightings, board, recorders, prompt, sub_units };
        self.recording.push(tokio::spawn(crate::recorder::task::run(id, recorder, source, inputs, sinks)));
        self.sources.push(camera);
        Ok(())
    }

    /// Who tells phones what happens, and needs to know what and when.
    fn telling(&self, random: Arc<dyn Random>) -> notices::task::Task {
        let (recording, notifications) = (&self.config.recording, &self.config.notifications);
        notices::task::Task {
            notices: self.uplink.notices.clone(),
            outbox: self.outbox.clone(),
            board: self.board.clone(),
            patience: Patience {
                offline: notifications.offline_grace(),
                relay: notifications.relay_grace(),
                disk_margin: notifications.disk_margin(),
            },
            floor: recording.free_space_floor_mib << 20,
            post_roll: Duration::from_secs(recording.post_roll_s.into()),
            connection: self.connection.clone(),
            random,
        }
    }

    /// What the command line and tests can do.
    pub fn view(&self) -> View {
        View {
            config: Arc::clone(&self.config),
            started_us: self.started_us,
            uplink: self.uplink.clone(),
            connection: self.connection.clone(),
            mqtt: self.mqtt.as_ref().map(Link::handle),
        }
    }

    /// Ends everything: clips are finished and durable, streams are told to be over, workers are gone.
    pub async fn stop(mut self) {
        drop((self.control.take(), self.metrics.take()));
        let goodbye = self.mqtt.take().map(|mqtt| tokio::spawn(mqtt.stop()));
        for (_, recorder) in self.recorders.all() {
            recorder.send(Input::Stop);
        }
        for task in self.recording.drain(..) {
            let _ = task.await;
        }
        for source in self.sources.drain(..) {
            source.stop().await;
        }
        for keeper in &self.keepers {
            keeper.flush().await;
        }
        // Nobody says anything any more: what was said is told, and the task ends.
        drop(self.sightings.take());
        if let Some(telling) = self.telling.take() {
            let _ = telling.await;
        }
        if self.connection.borrow().is_some() {
            let _ = tokio::time::timeout(LAST_WORDS, self.said()).await;
        }
        if let Some(goodbye) = goodbye {
            let _ = goodbye.await;
        }
        let connection = self.connection.borrow().clone();
        for task in self.tasks.drain(..) {
            task.abort();
            let _ = task.await;
        }
        if let Some(connection) = connection {
            connection.leave().await;
        }
    }

    /// Waits until the relay has the log.
    async fn said(&self) {
        while let Ok(Ok(entries)) = self.home.call(|home, _| home.outbox(1, 1)).await {
            if entries.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What can be asked of a running hub from the side.
#[derive(Clone)]
pub struct View {
    config: Arc<Config>,
    started_us: u64,
    uplink: Uplink,
    connection: watch::Receiver<Option<Connection>>,
    mqtt: Option<privet_mqtt::Handle>,
}

impl View {
    /// The page.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn status(&self) -> Result<Status, Stopping> {
        let uplink = &self.uplink;
        let (phones, waiting) = uplink
            .home
            .call(|home, _| (home.members().len(), home.outbox(1, 10_000).map_or(0, |entries| entries.len())))
            .await?;
        let up = Duration::from_micros(mono_us().saturating_sub(self.started_us));
        let figures = uplink.notices.figures().await?;
        let mut page = uplink.board.page(&self.config.name, up, uplink.outbox.waiting(), phones as u64, waiting as u64);
        page.notices = NoticesStatus { waiting: figures.waiting, oldest_ms: figures.oldest.map(|at| at.0) };
        page.constant_rate = self.config.constant_rate.as_ref().map(|rate| ConstantStatus {
            up_mbit_a_day: rate.up_mbit_a_day(),
            phone_mbit_a_day: rate.phone_mbit_a_day(),
            kept_bytes: rate.kept_bytes(),
        });
        page.mqtt = self.mqtt.as_ref().map(MqttStatus::of);
        Ok(page)
    }

    /// The page, and what is counted beside it.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn numbers(&self) -> Result<Numbers, Stopping> {
        let status = self.status().await?;
        let counted = self.uplink.board.vitals();
        let of = |id: &str| id.parse().ok().and_then(|id: CameraId| counted.get(&id).copied()).unwrap_or_default();
        let vitals = status.cameras.iter().map(|camera| of(&camera.id)).collect();
        Ok(Numbers { status, vitals, now_us: mono_us(), now_ms: wall().0 })
    }

    /// The home.
    pub fn home(&self) -> &HomeHandle {
        &self.uplink.home
    }

    /// What phones wish, and what they are told.
    pub fn notices(&self) -> &NoticesHandle {
        &self.uplink.notices
    }

    /// QR codes.
    pub fn pairings(&self) -> &Pairings {
        &self.uplink.pairings
    }

    /// The relay as phones are told.
    pub fn relay_address(&self) -> RelayAddress {
        let relay = &self.config.relay;
        RelayAddress { host: relay.host.clone(), port: relay.port, pin: self.config.relay_pin() }
    }

    /// Removes a phone; true when it was one, and whether the relay knows already.
    ///
    /// # Errors
    /// [`crate::uplink::UplinkError`].
    pub async fn remove(
        &self,
        device: privet_protocol::id::DeviceId,
    ) -> Result<Option<bool>, crate::uplink::UplinkError> {
        if !inbox::remove(&self.uplink, device).await? {
            return Ok(None);
        }
        let connection = self.connection.borrow().clone();
        let Some(connection) = connection else { return Ok(Some(false)) };
        // Without a connection, or when this one breaks, the next one begins with it.
        Ok(Some(self.uplink.see_off(&connection).await.is_ok()))
    }
}

struct Opened {
    store: Arc<dyn Store>,
    outbox: Outbox,
    home: HubHome,
    book: Book,
    reserve: Reserve,
}

/// Opens the state on disk, or makes it, and brings to an end what a crash cut off.
fn open(config: &Config) -> Result<Opened, HubError> {
    let folder = &config.data_dir;
    let unusable = |e: std::io::Error| HubError::Folder { folder: folder.clone(), cause: e.to_string() };
    if !folder.is_dir() {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let reserve = Reserve::at(folder);
    if free_bytes(folder)? < RESERVE && reserve.give() {
        tracing::error!("the disk is full: the home's state goes on in the room that was kept back for it");
    }
    let disk = DiskStore::open(folder.join("state"))?;
    let key = hub_key(folder, credentials.as_deref(), &SystemRandom)?;
    let disk = ReservedStore::new(disk, folder, reserve.clone());
    let store: Arc<dyn Store> = Arc::new(SealedStore::new(disk, &key)?);
    let env = Env::new(wall(), &SystemRandom);
    let mut home = match HubHome::load(Arc::clone(&store))? {
        Some(home) => home,
        None => HubHome::create(Arc::clone(&store), &config.name, env)?,
    };
    let blobs = Blobs::open(folder.join("clips"), config.recording.free_space_floor_mib << 20)?;
    let outbox = Outbox::open(Arc::clone(&store), blobs)?;
    let mut book = Book::open(Arc::clone(&store))?;
    let events = event_cameras(config, &*store)?;
    let pre_roll_ms = i64::from(config.recording.pre_roll_s) * 1000;
    for (stream, open) in outbox.open_streams() {
        // Before its end is said, after which nobody knows of it any more.
        let event = (open.kind == StreamKind::Clip && events.contains(&open.camera))
            .then(|| notices::recall::event_of(&book, stream, &open, pre_roll_ms));
        if let Some(event) = event.flatten() {
            notices::tell(&mut home, env, &mut book, &event, None)?;
        }
        if let Some((ended, extra)) = outbox.end(stream, EndReason::HubStopped, None) {
            tracing::info!(%stream, segments = ended.segments, "a stream that was cut off is brought to its end");
            home.append(&[HubMessage::StreamEnded(ended)], extra, env)?;
            outbox.ended(stream, true);
        }
    }
    for notes in outbox.unnoted() {
        let stream = notes.stream;
        if let Some((message, extra)) = outbox.note(notes) {
            home.append(&[message], extra, env)?;
            outbox.noted(stream);
        }
    }
    let nothing_moves = book.motion_over(None, env.now)?;
    book.commit(nothing_moves)?;
    Ok(Opened { store, outbox, home, book, reserve })
}

/// The cameras whose clips are made of events.
fn event_cameras(config: &Config, store: &dyn Store) -> Result<BTreeSet<CameraId>, HubError> {
    let cameras = config.cameras.iter().filter(|camera| camera.record == Record::Events);
    cameras.map(|camera| Ok(camera_identity(store, &camera.name, &SystemRandom)?.id)).collect()
}

fn settings_of(id: CameraId, camera: &Camera) -> CameraSettings {
    let mut settings = CameraSettings::new(id, camera.name.clone(), camera.url.clone());
    settings.sub_url.clone_from(&camera.sub_url);
    settings.username.clone_from(&camera.username);
    settings.password = camera.password();
    settings.audio = camera.audio;
    settings.motion = camera.motion_settings();
    settings
}
