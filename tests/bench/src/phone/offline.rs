//! A phone that was off for a month: what it takes until it knows what happened, in one go and in two.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_app_core::{Client, Config, FileKeys, PairingOffer};
use privet_demo::Trouble;
use privet_demo::house::{House, Plan};
use privet_home::{Env, Happening, HomeEvent, HubHome, HubMessage, RelayAddress};
use privet_protocol::id::EventId;
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientKey, Connection, LogItem, Principal, RelayTarget, Rights, Side, Trust, connect};
use serde_json::json;

use super::{BENCH, core, cpu_ms, number, part, runtime};
use crate::figure::{Figure, Goal};
use crate::folder;

/// Messages of thirty days: two hundred a day, most of them of clips and events.
const MESSAGES: usize = 6_000;
/// Commits of as many days: one a day, because the hub renews its keys where something was sent.
const COMMITS: usize = 30;
/// So many may be known and not be durable yet: what waits to be written, and what is taken at once.
const UNSETTLED: u64 = 2 * 64;
/// How long a wait may be.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run() -> Result<Vec<Figure>, Trouble> {
    let folder = folder("phone-offline")?;
    // A month is said in some seconds.
    let limits = "requests_per_s = 100000".to_owned();
    let mut house = House::build(&folder, Plan { relay_limits: limits, ..Plan::default() })?;
    let at = house.start_relay()?;
    let (whole, halves) = (folder.join("whole"), folder.join("halves"));
    let head = runtime()?.block_on(async {
        let mut hub = Hub::found(at.port, &at.pin).await?;
        for phone in [&whole, &halves] {
            hub.pair(phone).await?;
        }
        hub.month().await
    })?;

    let words = |phone: &Path| phone.to_string_lossy().into_owned();
    let once = part(&["catch-up", &words(&whole)])?;
    let half = head / 2;
    let first = part(&["catch-up", &words(&halves), "--until", &half.to_string()])?;
    let second = part(&["catch-up", &words(&halves)])?;
    for said in [&once, &second] {
        if number(said, "position")? < head as f64 {
            return Err(Trouble::new(format!("the log ends at {head}, and the phone has {said}")));
        }
    }
    let case = format!("{MESSAGES} messages and {COMMITS} commits behind");
    let broken_off = format!("{case}, killed at half of them and begun again");
    let figure = |case: &str, metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
    Ok(vec![
        figure(&case, "processor time", number(&once, "cpu_ms")?, "ms").with_goal(Goal::AtMost(1_000.0)),
        figure(&case, "wall time", number(&once, "wall_ms")?, "ms"),
        figure(&case, "times progress was told", number(&once, "steps")?, ""),
        figure(&broken_off, "processor time", number(&first, "cpu_ms")? + number(&second, "cpu_ms")?, "ms"),
        figure(&broken_off, "entries that the second run began after", number(&second, "began_at")?, "")
            .with_goal(Goal::AtLeast(half.saturating_sub(UNSETTLED) as f64)),
    ])
}

/// In a process of its own: pairs.
pub(super) fn pair(folder: &Path, code: &str) -> Result<serde_json::Value, Trouble> {
    runtime()?.block_on(async {
        let client = open(folder).await?;
        client.pair(&PairingOffer::parse(code).map_err(core)?).await.map_err(core)?;
        client.wait_synced(PATIENCE.as_millis() as u32).await.map_err(core)?;
        client.shut_down().await.map_err(core)?;
        Ok(json!({}))
    })
}

/// In a process of its own: follows the log to its end, or is killed when it has so many entries.
pub(super) fn catch_up(folder: &Path, until: Option<u64>) -> Result<serde_json::Value, Trouble> {
    let (began, before) = (Instant::now(), cpu_ms());
    runtime()?.block_on(async {
        let client = open(folder).await?;
        let began_at = client.status().await.map_err(core)?.position;
        let (mut position, mut steps) = (began_at, 0);
        loop {
            let synced = client.wait_synced(20).await.map_err(core)?;
            let status = client.status().await.map_err(core)?;
            steps += u32::from(status.position > position);
            position = status.position;
            if synced || until.is_some_and(|until| position >= until) {
                break;
            }
            if began.elapsed() > PATIENCE {
                return Err(Trouble::new(format!("it came to {position} of {} within a minute", status.relay_head)));
            }
        }
        let said = json!({
            "cpu_ms": cpu_ms() - before, "wall_ms": began.elapsed().as_secs_f64() * 1e3, "began_at": began_at,
            "position": position, "steps": steps,
        });
        if until.is_some() {
            // As if it were killed: nothing is shut down.
            println!("{said}");
            std::process::exit(0);
        }
        client.shut_down().await.map_err(core)?;
        Ok(said)
    })
}

async fn open(folder: &Path) -> Result<Client, Trouble> {
    let config = Config {
        storage_dir: folder.to_string_lossy().into_owned(),
        device_name: "bench".into(),
        cache_limit_mib: 16,
        app_version: "bench".into(),
    };
    Client::open(config, Arc::new(FileKeys::new(folder.with_extension("key")))).await.map_err(core)
}

/// A hub without cameras.
struct Hub {
    home: HubHome,
    relay: RelayAddress,
    connection: Connection,
}

impl Hub {
    async fn found(port: u16, pin: &str) -> Result<Self, Trouble> {
        let pin = data_encoding::HEXLOWER.decode(pin.as_bytes()).ok().and_then(|pin| pin.try_into().ok());
        let pin: [u8; 32] = pin.ok_or_else(|| Trouble::new("the relay's pin is none"))?;
        let relay = RelayAddress { host: "127.0.0.1".into(), port, pin: Some(pin) };
        let home = HubHome::create(Arc::new(MemoryStore::new()), "A month", env(now())).map_err(any)?;
        let key = ClientKey::from_seed(&home.capability()).map_err(any)?;
        let target = RelayTarget { host: relay.host.clone(), port, trust: Trust::Pin(pin) };
        let founder = Principal::Founder { home: home.home_id(), invite: None };
        let connection = connect(&target, founder, &key, PATIENCE).await.map_err(any)?;
        Ok(Self { home, relay, connection })
    }

    /// Lets a phone in, which is a process of its own.
    async fn pair(&mut self, folder: &Path) -> Result<(), Trouble> {
        let invitation = self.home.invite(&self.relay, PATIENCE, env(now())).map_err(any)?;
        let key = ClientKey::from_seed(&invitation.mailbox_key).map_err(any)?;
        self.connection.open_mailbox(invitation.mailbox, key.public(), invitation.until).await.map_err(any)?;
        let words = ["pair".to_owned(), folder.to_string_lossy().into_owned(), invitation.qr_text.clone()];
        let phone = tokio::task::spawn_blocking(move || part(&words.each_ref().map(String::as_str)));
        let mut requests = self.connection.collect(invitation.mailbox, Side::Hub, 1).await.map_err(any)?;
        let request = loop {
            match requests.next().await.map_err(any)? {
                Some(LogItem::Entry { bytes, .. }) => break bytes,
                Some(_) => {}
                None => return Err(Trouble::new("the mailbox was closed")),
            }
        };
        let admitted = self.home.admit(invitation.pairing, &request, &[], env(now())).map_err(any)?;
        self.connection.grant(admitted.capability, Rights::PHONE).await.map_err(any)?;
        self.upload().await?;
        self.connection.post(invitation.mailbox, Side::Phone, admitted.answer).await.map_err(any)?;
        phone.await.map_err(any)??;
        Ok(())
    }

    /// Says what a hub says in thirty days; gives the number of the last entry.
    async fn month(&mut self) -> Result<u64, Trouble> {
        let day = Duration::from_secs(86_400);
        let began = Timestamp(now().0 - 30 * day.as_millis() as i64);
        for number in 0..COMMITS {
            let at = began.after(day * number as u32);
            for _ in 0..MESSAGES / COMMITS {
                self.home.append(&[happened(at)], Batch::new(), env(at)).map_err(any)?;
            }
            self.home.refresh(env(at)).map_err(any)?;
            self.upload().await?;
        }
        Ok(self.home.head().seq)
    }

    async fn upload(&mut self) -> Result<(), Trouble> {
        loop {
            let waiting = self.home.outbox(0, 256).map_err(any)?;
            let Some(last) = waiting.last().map(|entry| entry.seq) else { return Ok(()) };
            // One after the other: the relay takes an entry only after the one before it.
            for entry in waiting {
                self.connection.append(entry.seq, entry.bytes).await.map_err(any)?;
            }
            self.home.sent(last).map_err(any)?;
        }
    }
}

/// What a hub says most.
fn happened(at: Timestamp) -> HubMessage {
    let what = Happening::RelayBack;
    let id = EventId::generate(&SystemRandom);
    HubMessage::Event(HomeEvent { id, at, camera: None, what, clip: None, zones: Vec::new() })
}

fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

fn env(at: Timestamp) -> Env<'static> {
    Env::new(at, &SystemRandom)
}

fn any(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(error.to_string())
}
