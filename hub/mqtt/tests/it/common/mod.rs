//! A real mosquitto on a free port of the loopback, and somebody who listens to all that is said at it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use privet_mqtt::{Broker, Handle, House, LinkState, Mqtt, Snoozes, Timing, Topics};
use privet_protocol::id::CameraId;
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Long enough for a loaded machine; never waited for when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// A broker; it ends with this.
pub struct Mosquitto {
    folder: tempfile::TempDir,
    pub port: u16,
    config: String,
    child: Child,
}

impl Mosquitto {
    /// One that lets everybody in.
    pub fn open() -> Self {
        Self::with(|_| "allow_anonymous true\n".into())
    }

    /// One with a listener on a free port, configured by these lines, which may name files that they make in the folder.
    pub fn with(lines: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // As root it would otherwise become somebody who can't read the folder.
        let config = format!(
            "listener {port} 127.0.0.1\nuser root\npersistence false\nset_tcp_nodelay true\n{}",
            lines(folder.path())
        );
        let child = start(folder.path(), &config);
        Self { folder, port, config, child }
    }

    /// Gone as after a power cut; the port stays its own.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// There again, with nothing in its memory.
    pub fn start_again(&mut self) {
        self.child = start(self.folder.path(), &self.config);
    }

    /// The same under other rules.
    pub fn start_with(&mut self, rules: &str) {
        self.config = format!("listener {} 127.0.0.1\nuser root\npersistence false\n{rules}", self.port);
        self.start_again();
    }

    /// A file of the configuration's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn broker(&self) -> Broker {
        Broker::new("127.0.0.1", self.port, None)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `mosquitto` or says how to get it.
fn start(folder: &Path, config: &str) -> Child {
    let file = folder.join("mosquitto.conf");
    std::fs::write(&file, config).unwrap();
    let log = std::fs::File::create(folder.join("mosquitto.log")).unwrap();
    let program = program("mosquitto");
    let started = Command::new(&program)
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    started.unwrap_or_else(|e| panic!("{}: {e}", program.display()))
}

pub fn program(name: &str) -> PathBuf {
    // Debian has it where only root looks.
    let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin"];
    let found = found.iter().map(|folder| Path::new(folder).join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| {
        panic!("{name} is not installed and this test needs it: ./dev setup, or apt-get install mosquitto")
    })
}

/// A password file of mosquitto's.
pub fn password_file(folder: &Path, user: &str, password: &str) -> PathBuf {
    let file = folder.join("passwords");
    writeln!(std::fs::File::create(&file).unwrap(), "{user}:{password}").unwrap();
    let hashed = Command::new(program("mosquitto_passwd")).arg("-U").arg(&file).status().unwrap();
    assert!(hashed.success());
    file
}

/// Who hears all that is said: what stands at each topic, and how often something was said there.
pub struct Listener {
    pub client: AsyncClient,
    heard: Arc<Mutex<BTreeMap<String, (String, u32)>>>,
    news: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    pub async fn at(port: u16) -> Self {
        // The same name would put the one before out.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("listener-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5)).set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut events) = AsyncClient::new(options, 64);
        let (heard, news) = (Arc::new(Mutex::new(BTreeMap::<String, (String, u32)>::new())), Arc::new(Notify::new()));
        let (into, say) = (Arc::clone(&heard), Arc::clone(&news));
        client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
        let task = tokio::spawn(async move {
            // Whoever ends the broker looks for a new listener.
            while let Ok(event) = events.poll().await {
                if let Event::Incoming(Packet::Publish(said)) = event {
                    let payload = String::from_utf8(said.payload.to_vec()).unwrap();
                    let mut heard = into.lock().unwrap();
                    let times = heard.get(&said.topic).map_or(0, |(_, times)| *times);
                    heard.insert(said.topic, (payload, times + 1));
                    drop(heard);
                    say.notify_one();
                }
            }
        });
        Self { client, heard, news, task }
    }

    /// A listener at a broker that may still be starting.
    pub async fn when_up(port: u16) -> Self {
        within("the broker starts", async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        Self::at(port).await
    }

    /// Waits until this stands at the topic.
    pub async fn hears(&self, topic: &str, payload: &str) {
        self.until(&format!("{topic} is {payload}"), |heard| heard.get(topic).is_some_and(|(p, _)| p == payload)).await;
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&BTreeMap<String, (String, u32)>) -> bool) {
        let wait = async {
            while !holds(&self.heard.lock().unwrap()) {
                self.news.notified().await;
            }
        };
        if timeout(PATIENCE, wait).await.is_err() {
            panic!("waited in vain: {what}; heard: {:#?}", self.heard.lock().unwrap());
        }
    }

    pub fn heard(&self) -> BTreeMap<String, (String, u32)> {
        self.heard.lock().unwrap().clone()
    }

    pub async fn say(&self, topic: &str, payload: &str, retain: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Snoozes in memory, with a list of what was asked.
#[derive(Default)]
pub struct Book {
    pub kept: Mutex<BTreeMap<CameraId, Timestamp>>,
    pub asked: Mutex<Vec<(CameraId, Option<Timestamp>)>>,
    pub broken: bool,
}

#[async_trait]
impl Snoozes for Book {
    async fn set(&self, camera: CameraId, until: Option<Timestamp>) -> Result<(), String> {
        self.asked.lock().unwrap().push((camera, until));
        if self.broken {
            return Err("the disk is full".into());
        }
        match until {
            Some(until) => self.kept.lock().unwrap().insert(camera, until),
            None => self.kept.lock().unwrap().remove(&camera),
        };
        Ok(())
    }

    fn get(&self, camera: CameraId) -> Option<Timestamp> {
        self.kept.lock().unwrap().get(&camera).copied()
    }
}

/// 2026-11-21 08:33:20 UTC, and it stays so.
pub const NOW: Timestamp = Timestamp(1_795_250_000_000);

pub const DOOR: CameraId = CameraId::from_bytes([1; 16]);
pub const GARDEN: CameraId = CameraId::from_bytes([2; 16]);

pub fn house() -> House {
    house_of(&[(DOOR, "Door"), (GARDEN, "Garden #2")])
}

pub fn house_of(cameras: &[(CameraId, &str)]) -> House {
    let topics = Topics::new("privet", "homeassistant", "Cottage", "0123456789abcdef");
    House::new(topics, "Cottage", "0.1.0", cameras.iter().map(|(id, name)| (*id, (*name).to_owned())))
}

/// Short enough that a test need not wait long; nothing here depends on how short.
pub fn quick() -> Timing {
    Timing {
        answer: Duration::from_millis(500),
        keep_alive: Duration::from_secs(2),
        first_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
    }
}

pub fn spawn(broker: Broker, book: &Arc<Book>) -> Mqtt {
    spawn_for(broker, house(), book)
}

pub fn spawn_for(broker: Broker, house: House, book: &Arc<Book>) -> Mqtt {
    let timing = Timing { answer: Duration::from_secs(10), ..quick() };
    Mqtt::spawn(broker, house, book.clone(), Arc::new(|| NOW), Arc::new(SystemRandom), timing)
}

pub async fn state(handle: &Handle, what: &str, holds: impl Fn(&LinkState) -> bool) -> LinkState {
    let mut states = handle.state();
    within(what, async { states.wait_for(|state| holds(state)).await.unwrap().clone() }).await
}

/// What is logged in this process from the first call on, by whichever test.
pub fn logged() -> Arc<Mutex<Vec<u8>>> {
    #[derive(Clone)]
    struct Into(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Into {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let into = Into(Arc::clone(&log));
        tracing_subscriber::fmt()
            .with_writer(move || into.clone())
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .init();
        log
    });
    Arc::clone(&LOG)
}
