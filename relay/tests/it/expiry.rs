//! What is stored goes when its time has passed, and not before, whatever the wall clock shows.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use privet_protocol::id::{MailboxId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Retention, Side, Urgency};
use privet_protocol::time::Timestamp;
use privet_relay::{Machine, Server};
use privet_relay_client::{Connection, connect};

use crate::common::{self, House, PATIENCE, body, config, entries, in_time, key, put, read_all, stream, until};

const START: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const TEN_YEARS: i64 = 3650 * DAY;

/// The clocks of a machine, moved by hand.
#[derive(Clone)]
struct Hands {
    wall: Arc<AtomicI64>,
    uptime: Arc<AtomicI64>,
    boot: Arc<AtomicU8>,
}

impl Hands {
    fn new() -> Self {
        Self { wall: Arc::new(START.into()), uptime: Arc::new(HOUR.into()), boot: Arc::default() }
    }

    fn machine(&self) -> Machine {
        let (wall, uptime) = (Arc::clone(&self.wall), Arc::clone(&self.uptime));
        let mut machine = Machine::this();
        machine.clock = Arc::new(move || Timestamp(wall.load(Ordering::Relaxed)));
        machine.uptime = Arc::new(move || Duration::from_millis(uptime.load(Ordering::Relaxed).unsigned_abs()));
        machine.boot = vec![self.boot.load(Ordering::Relaxed)];
        machine
    }

    /// Somebody sets the wall clock.
    fn set(&self, by: i64) {
        self.wall.fetch_add(by, Ordering::Relaxed);
    }

    fn pass(&self, time: i64) {
        self.set(time);
        self.uptime.fetch_add(time, Ordering::Relaxed);
    }

    /// The machine goes off, and comes back after so long by its wall clock.
    async fn off(&self, house: House, time: i64) -> House {
        let change = || {
            self.set(time);
            self.uptime.store(MINUTE, Ordering::Relaxed);
            self.boot.fetch_add(1, Ordering::Relaxed);
        };
        self.again(house, change).await
    }

    async fn restart(&self, house: House) -> House {
        self.again(house, || ()).await
    }

    /// The relay ends, this changes, and it starts again.
    async fn again(&self, house: House, change: impl FnOnce()) -> House {
        let House { dir, server, home, owner } = house;
        server.shutdown().await;
        change();
        let server = Server::start_on(config(dir.path()), self.machine()).await.unwrap();
        House { dir, server, home, owner }
    }
}

/// One of each kind that expires.
struct Stored {
    film: StreamId,
    mailbox: MailboxId,
}

async fn store(hub: &Connection, phone: &Connection) -> Stored {
    let stored = Stored { film: stream(), mailbox: MailboxId::generate(&SystemRandom) };
    let after = |time: i64| hub.server_time().after(Duration::from_millis(time.unsigned_abs()));
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    phone.send(b"a message".to_vec()).await.unwrap();
    put(hub, stored.film, 0, Retention::Keep { until: after(7 * DAY) }, body(1, 5000)).await;
    hub.open_mailbox(stored.mailbox, key(9).public(), after(HOUR)).await.unwrap();
    hub.post(stored.mailbox, Side::Phone, b"hello".to_vec()).await.unwrap();
    hub.wake(key(2).public(), [1; 16], b"wake up".to_vec(), Urgency::High, after(DAY)).await.unwrap();
    stored
}

/// Which are there: mailbox, wake, segment, log, inbox.
async fn there(house: &House, stored: &Stored) -> [bool; 5] {
    house.server.sweep().await;
    let (hub, phone) = (house.hub().await, house.try_phone(2).await.unwrap());
    let guest = connect(&house.target(), Principal::Mailbox { mailbox: stored.mailbox }, &key(9), PATIENCE).await;
    let film = match phone.get(stored.film, 0, 0).await {
        Ok(mut reader) => read_all(&mut reader).await.unwrap() == body(1, 5000),
        Err(_) => false,
    };
    [
        guest.is_ok(),
        !entries(phone.read_wakes(1, false).await.unwrap()).await.is_empty(),
        film,
        hub.usage().await.unwrap().log_first == 1,
        !entries(hub.read_inbox(1, false).await.unwrap()).await.is_empty(),
    ]
}

#[tokio::test]
async fn a_leap_of_ten_years_deletes_nothing_and_time_that_passes_does() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |config| config.limits.key_connections = 16).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let stored = store(&hub, &phone).await;
    hands.set(TEN_YEARS);
    assert_eq!(there(&house, &stored).await, [true; 5]);

    // Those who said hello before the leap mean another day than those who came after it, and both mean a length of time.
    let late = house.hub().await;
    let (early_film, late_film) = (stream(), stream());
    for (hub, film) in [(&hub, early_film), (&late, late_film)] {
        let until = hub.server_time().after(Duration::from_secs(2 * 3600));
        put(hub, film, 0, Retention::Keep { until }, body(2, 100)).await;
    }
    let films = async || {
        house.server.sweep().await;
        let mut there = Vec::new();
        for film in [early_film, late_film] {
            there.push(phone.get(film, 0, 0).await.is_ok());
        }
        there
    };
    assert_eq!(films().await, [true; 2]);
    hands.set(-TEN_YEARS);
    assert_eq!(there(&house, &stored).await, [true; 5]);
    hands.set(-TEN_YEARS);
    assert_eq!(films().await, [true; 2]);

    hands.pass(59 * MINUTE);
    assert_eq!(there(&house, &stored).await, [true; 5]);
    hands.pass(2 * MINUTE);
    assert_eq!(there(&house, &stored).await, [false, true, true, true, true]);
    assert_eq!(films().await, [true; 2]);
    hands.pass(HOUR);
    assert_eq!(films().await, [false; 2]);
    hands.pass(DAY);
    assert_eq!(there(&house, &stored).await, [false, false, true, true, true]);
    hands.pass(6 * DAY);
    assert_eq!(there(&house, &stored).await, [false, false, false, true, true]);
    hands.pass(23 * DAY);
    assert_eq!(there(&house, &stored).await, [false; 5]);
}

#[tokio::test]
async fn time_goes_on_through_restarts_and_what_a_clock_says_of_a_long_pause_does_not_count() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |_| {}).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let stored = store(&hub, &phone).await;
    drop((hub, phone));
    // The machine was off, and its clock is wrong when it comes back.
    let house = hands.off(house, TEN_YEARS).await;
    assert_eq!(there(&house, &stored).await, [true; 5]);
    let house = hands.off(house, -20 * 365 * DAY).await;
    assert_eq!(there(&house, &stored).await, [true; 5]);
    // The relay alone was off for a day, and the clock was set meanwhile.
    let house = hands
        .again(house, || {
            hands.pass(DAY + HOUR);
            hands.set(-5 * DAY);
        })
        .await;
    assert_eq!(there(&house, &stored).await, [false, false, true, true, true]);
    let mut house = hands.off(house, 6 * DAY).await;
    assert_eq!(there(&house, &stored).await, [false, false, true, true, true], "six days are too many");
    // Two are believed.
    for _ in 0..3 {
        house = hands.off(house, 2 * DAY).await;
    }
    assert_eq!(there(&house, &stored).await, [false, false, false, true, true]);
}

/// The lengths of the uploads that are not whole.
fn uploads(house: &House) -> Vec<u64> {
    if common::is_shared() {
        let sql = "SELECT COALESCE(sum(chunk.length), 0) FROM body LEFT JOIN chunk ON chunk.body = body.id \
            WHERE NOT body.whole GROUP BY body.id";
        return asked(house, sql).iter().map(|length| length.parse().unwrap()).collect();
    }
    let files = std::fs::read_dir(house.dir.path().join("bodies/partial")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).collect()
}

/// What PostgreSQL says of this relay's store.
fn asked(house: &House, sql: &str) -> Vec<String> {
    common::ask(&config(house.dir.path()), sql)
}

/// Of a store with objects: none is left, and none is waited for.
async fn all_objects_go(house: &House) {
    if common::is_shared() {
        let objects = house.dir.path().join("objects");
        let left = || (common::files(&objects).len(), asked(house, "SELECT object FROM waste").len());
        until(|| async { left() == (0, 0) }).await;
    }
}

/// Goes on with an upload up to this length, then the hub is gone.
async fn upload(house: &House, film: StreamId, to: usize) {
    let hub = house.hub().await;
    let keep = Retention::Keep { until: hub.server_time().after(Duration::from_secs(20 * 24 * 3600)) };
    let mut writer = hub.put(film, 0, keep, true).await.unwrap();
    let from = usize::try_from(writer.offset()).unwrap();
    writer.write(body(1, to).slice(from..)).await.unwrap();
    until(|| async { hub.usage().await.unwrap().stored_bytes >= to as u64 }).await;
    drop((writer, hub));
    until(|| async { uploads(house) == [to as u64] }).await;
}

#[tokio::test]
async fn an_unfinished_upload_goes_a_day_after_its_last_byte_through_restarts_too() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |_| {}).await;
    let film = stream();
    let there = async |house: &House| {
        house.server.sweep().await;
        uploads(house).len() == 1
    };
    upload(&house, film, 10_000).await;
    hands.pass(23 * HOUR);
    hands.set(TEN_YEARS);
    assert!(there(&house).await);
    // The last byte counts, not the first.
    upload(&house, film, 20_000).await;
    hands.pass(23 * HOUR);
    assert!(there(&house).await);
    let house = hands.restart(house).await;
    assert!(there(&house).await);
    hands.pass(2 * HOUR);
    // Who sweeps may find the writer still there that has just gone.
    until(|| async { !there(&house).await }).await;
    let hub = house.hub().await;
    until(|| async {
        house.server.sweep().await;
        hub.usage().await.unwrap().streams == 0
    })
    .await;

    // Gone on with after a restart, it has its day anew, though the relay dies before it sweeps.
    upload(&house, film, 10_000).await;
    assert!(there(&house).await);
    hands.pass(23 * HOUR);
    let house = hands.restart(house).await;
    upload(&house, film, 20_000).await;
    let House { dir, server, home, owner } = house;
    drop(server);
    // It lets go of its files a moment later.
    let server = in_time(async {
        loop {
            match Server::start_on(config(dir.path()), hands.machine()).await {
                Ok(server) => break server,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    let house = House { dir, server, home, owner };
    hands.pass(23 * HOUR);
    assert!(there(&house).await);
    hands.pass(2 * HOUR);
    until(|| async { !there(&house).await }).await;
    assert_eq!(house.hub().await.usage().await.unwrap().stored_bytes, 0);
    all_objects_go(&house).await;
}

/// The file of a kept segment that is too long for the index.
fn body_of(house: &House, film: StreamId) -> PathBuf {
    if common::is_shared() {
        let sql = "SELECT chunk.object FROM body JOIN chunk ON chunk.body = body.id WHERE body.name LIKE";
        let objects = asked(house, &format!("{sql} '%{film}%'"));
        return house.dir.path().join("objects").join(objects.first().expect("an object"));
    }
    let mut files = common::files(&house.dir.path().join("bodies")).into_iter();
    files.find(|file| file.to_str().unwrap().contains(&film.to_string())).expect("a body")
}

#[tokio::test]
async fn what_can_not_be_forgotten_holds_nothing_else_up() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |_| {}).await;
    let hub = house.hub().await;
    let phone = house.phone(&hub, 2).await;
    let mut films = [stream(), stream(), stream()];
    films.sort();
    let an_hour = Retention::Keep { until: hub.server_time().after(Duration::from_secs(3600)) };
    for film in films {
        put(&hub, film, 0, an_hour, body(1, 200_000)).await;
    }
    hub.append(1, b"an entry".to_vec()).await.unwrap();
    phone.send(b"a message".to_vec()).await.unwrap();
    // A file that can't be removed.
    let stuck = body_of(&house, films[0]);
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir_all(stuck.join("not a file")).unwrap();
    hands.pass(31 * DAY);
    house.server.sweep().await;
    let usage = hub.usage().await.unwrap();
    assert_eq!((usage.stored_bytes, usage.log_first), (0, 2));
    assert!(entries(hub.read_inbox(1, false).await.unwrap()).await.is_empty());
    if common::is_shared() {
        // Objects are removed a moment later; the one that can't be is tried again and again.
        let stuck = stuck.strip_prefix(house.dir.path().join("objects")).unwrap().to_str().unwrap().to_owned();
        until(|| async { asked(&house, "SELECT object FROM waste") == [stuck.as_str()] }).await;
    } else {
        let left = bodies(&house);
        assert!(left.iter().all(|name| name.contains(&films[0].to_string())), "{left:?}");
    }
}

/// The names of what is there of kept segments.
fn bodies(house: &House) -> Vec<String> {
    let folders = std::fs::read_dir(house.dir.path().join("bodies")).unwrap().map(|folder| folder.unwrap().path());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn an_upload_goes_on_though_a_later_segment_has_gone() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |_| {}).await;
    let film = stream();
    upload(&house, film, 10_000).await;
    let hub = house.hub().await;
    let until = hub.server_time().after(Duration::from_secs(3600));
    put(&hub, film, 1, Retention::Keep { until }, body(2, 10_000)).await;
    hands.pass(2 * HOUR);
    house.server.sweep().await;
    assert_eq!(hub.stat(film).await.unwrap().bytes, 0, "the later one has gone");
    upload(&house, film, 20_000).await;
    let until = hub.server_time().after(Duration::from_secs(20 * 24 * 3600));
    let writer = in_time(hub.put(film, 0, Retention::Keep { until }, true)).await.unwrap();
    assert_eq!(writer.offset(), 20_000);
    assert_eq!(in_time(writer.finish()).await.unwrap(), 20_000);
    assert_eq!(read_all(&mut hub.get(film, 0, 0).await.unwrap()).await.unwrap(), body(1, 20_000));
}

#[tokio::test]
async fn a_stream_that_somebody_writes_is_not_idle() {
    let hands = Hands::new();
    let house = House::on(hands.machine(), |_| {}).await;
    let hub = house.hub().await;
    let film = stream();
    let mut writer = hub.put(film, 0, Retention::Pass, false).await.unwrap();
    writer.write(body(1, 10_000)).await.unwrap();
    until(|| async { hub.stat(film).await.is_ok_and(|state| state.next == 1) }).await;
    hands.pass(HOUR);
    house.server.sweep().await;
    assert_eq!(hub.stat(film).await.unwrap().next, 1);
    assert_eq!(in_time(writer.finish()).await.unwrap(), 10_000);
    assert_eq!(read_all(&mut hub.get(film, 0, 0).await.unwrap()).await.unwrap(), body(1, 10_000));
    until(|| async {
        house.server.sweep().await;
        hub.stat(film).await.is_err()
    })
    .await;
}
