//! The power goes while a home does all that `power_cut.rs` does not look at: rights come and go, streams are finished and acknowledged,
//! phones are woken and say where, mailboxes open, fill and close, homes come with invites or with a token. Each answer is held against
//! what the next relay says; what was asked for and not answered may have happened or not, and is one of the two.
//!
//! `PRIVET_POWER_CUTS=500` lets it go as often; a round's number is its seed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use ciborium::Value;
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::random::{Random, SeededRandom, SystemRandom};
use privet_protocol::relay::{Code, Principal, Rights, Side, Urgency};
use privet_protocol::storage::Store as _;
use privet_push::PushKey;
use privet_relay::config::Policy;
use privet_relay::{Config, Machine, Server};
use privet_relay_client::{ClientError, Connection, LogItem, connect};
use privet_store::{DiskStore, MemoryDisk};
use tempfile::TempDir;

use crate::common::{PATIENCE, body, config, entries, in_time, keep, key, stream, target};
use crate::gateway::subscriber::Subscriber;

/// Of a key that may only write into the inbox: it holds nothing back.
const WRITER: Rights = Rights { log: false, segments: false, inbox: true, log_upto: None };
/// Keys whose rights come and go.
const KEYS: [u8; 3] = [10, 11, 12];
/// Of the phone that says where it is woken.
const SLEEPER: u8 = 13;
/// How often it may say so at once.
const TARGETS_AT_ONCE: u32 = 10;
const INVITES: usize = 64;
const TOKEN: &str = "a-token-that-is-long-enough-for-everybody";

/// What was answered last, and what was asked for since.
#[derive(Clone, Copy, Debug)]
struct Known<T> {
    was: T,
    asked: Option<T>,
}

impl<T: Copy + PartialEq + Debug> Known<T> {
    fn new(was: T) -> Self {
        Self { was, asked: None }
    }

    /// Asks for something: nothing is known until that is answered.
    async fn ask(
        &mut self,
        wanted: T,
        request: impl Future<Output = Result<(), ClientError>>,
    ) -> Result<(), ClientError> {
        self.asked = Some(wanted);
        in_time(request).await?;
        *self = Self::new(wanted);
        Ok(())
    }

    fn find(&mut self, what: &str, found: T) -> Result<(), String> {
        if found != self.was && Some(found) != self.asked {
            return Err(format!("{what}: {found:?}, was {self:?}"));
        }
        *self = Self::new(found);
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Film {
    Open,
    Finished,
    Gone,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Mailbox {
    Absent,
    /// With so many messages.
    Open(u64),
    Closed,
}

struct World {
    dir: TempDir,
    disk: MemoryDisk,
    boot: u8,
    home: HomeId,
    rights: BTreeMap<u8, Known<bool>>,
    films: BTreeMap<StreamId, Known<Film>>,
    /// Whether a wake waits for the phone, by its number.
    wakes: BTreeMap<u64, Known<bool>>,
    mailboxes: BTreeMap<MailboxId, Known<Mailbox>>,
    /// Whether a home came with this invite. The first one is the home's own.
    guests: Vec<(HomeId, Known<bool>)>,
    /// Whether homes come with a token instead, which is good for just as many.
    by_token: bool,
    /// Where the sleeper is woken: nowhere, or at this one of what it said.
    woken_at: Known<usize>,
    said: Vec<Vec<u8>>,
    said_at_once: u32,
    answered: u64,
}

fn below(dice: &dyn Random, limit: u64) -> u64 {
    let mut bytes = [0; 8];
    dice.fill(&mut bytes);
    u64::from_be_bytes(bytes) % limit
}

fn invite(number: usize) -> String {
    format!("an invite that is long enough, number {number}")
}

fn wake_id(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

impl World {
    fn new(by_token: bool) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            disk: MemoryDisk::new(),
            boot: 0,
            home: HomeId::generate(&SystemRandom),
            rights: KEYS.into_iter().map(|number| (number, Known::new(false))).collect(),
            films: BTreeMap::new(),
            wakes: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            guests: Vec::new(),
            by_token,
            woken_at: Known::new(0),
            said: Vec::new(),
            said_at_once: 0,
            answered: 0,
        }
    }

    /// What a home brings, the home itself or one of its guests.
    fn words(&self, number: usize) -> String {
        if self.by_token { TOKEN.to_owned() } else { invite(number) }
    }

    /// The token is good for so many homes from now on.
    fn let_token_be_good_for(&self, homes: usize) {
        std::fs::write(self.dir.path().join("tokens"), format!("{TOKEN} {homes}\n")).unwrap();
    }

    /// Homes that are there for certain; the home itself is, or is about to be.
    fn homes(&self) -> usize {
        1 + self.guests.iter().filter(|(_, known)| known.was).count()
    }

    async fn start(&mut self) -> Result<Server, String> {
        self.boot = self.boot.wrapping_add(1);
        let mut machine = Machine::this();
        machine.boot = vec![self.boot];
        machine.disk = Arc::new(self.disk.clone());
        let mut config = config(self.dir.path());
        config.push =
            Config::parse("relay.toml", "[push.web_push]\nsubject = 'mailto:ops@relay.example'\n").unwrap().push;
        if self.by_token {
            config.homes.policy = Policy::Token;
            config.homes.token_file = Some(self.dir.path().join("tokens"));
            self.let_token_be_good_for(self.homes());
        } else {
            config.homes.policy = Policy::Invite;
            config.homes.invites = (0..INVITES).map(invite).collect();
        }
        config.limits.wakes_per_s = 1_000_000;
        config.limits.wakes_per_h = 1_000_000;
        config.limits.key_connections = 64;
        Server::start_on(config, machine).await.map_err(text)
    }

    /// One relay's life, up to the cut.
    async fn round(&mut self, dice: &dyn Random) -> Result<(), String> {
        let server = self.start().await?;
        let founder = Principal::Founder { home: self.home, invite: Some(self.words(0)) };
        let hub = connect(&target(&server), founder, &key(1), PATIENCE).await.map_err(text)?;
        hub.grant(key(2).public(), Rights::PHONE).await.map_err(text)?;
        let member = Principal::Member { home: self.home };
        let phone = connect(&target(&server), member.clone(), &key(2), PATIENCE).await.map_err(text)?;
        hub.grant(key(SLEEPER).public(), WRITER).await.map_err(text)?;
        let sleeper = connect(&target(&server), member, &key(SLEEPER), PATIENCE).await.map_err(text)?;
        self.said_at_once = 0;
        self.verify(&server, &hub, &phone).await?;
        self.disk.cut_after(below(dice, 400));
        let refused = loop {
            if let Err(error) = self.step(dice, &server, [&hub, &phone, &sleeper]).await {
                break error;
            }
            self.answered += 1;
        };
        if !self.disk.is_off() {
            return Err(format!("the relay refused to work: {refused}"));
        }
        drop(server);
        self.disk = self.disk.power_cut(dice);
        self.look_where_it_is_woken()
    }

    async fn step(
        &mut self,
        dice: &dyn Random,
        server: &Server,
        [hub, phone, sleeper]: [&Connection; 3],
    ) -> Result<(), ClientError> {
        match below(dice, 7) {
            0 => {
                let number = KEYS[below(dice, KEYS.len() as u64) as usize];
                let (known, key) = (self.rights.get_mut(&number).unwrap(), key(number).public());
                if known.was {
                    known.ask(false, hub.revoke(key)).await
                } else {
                    known.ask(true, hub.grant(key, WRITER)).await
                }
            }
            1 => self.film(hub, phone).await,
            2 => self.wake(hub, phone).await,
            3 | 4 => self.mailbox(hub).await,
            5 => self.guest(server).await,
            _ => self.move_on(sleeper).await,
        }
    }

    /// Finishes a stream, acknowledges one that is finished, or begins another one.
    async fn film(&mut self, hub: &Connection, phone: &Connection) -> Result<(), ClientError> {
        match self.films.iter_mut().find(|(_, film)| film.was != Film::Gone) {
            Some((id, film)) if film.was == Film::Open => film.ask(Film::Finished, hub.finish_stream(*id, 1)).await,
            Some((id, film)) => film.ask(Film::Gone, phone.ack_stream(*id)).await,
            None => {
                let id = stream();
                let mut writer = hub.put(id, 0, keep(), false).await?;
                writer.write(body(7, 5000)).await?;
                in_time(writer.finish()).await?;
                self.films.insert(id, Known::new(Film::Open));
                Ok(())
            }
        }
    }

    /// Wakes the phone, or lets it acknowledge all that waits.
    async fn wake(&mut self, hub: &Connection, phone: &Connection) -> Result<(), ClientError> {
        let waiting = self.wakes.values().filter(|wake| wake.was).count();
        if waiting < 4 {
            let number = self.wakes.last_key_value().map_or(1, |(last, _)| last + 1);
            let wake = self.wakes.entry(number).or_insert(Known::new(false));
            let until = hub.server_time().after(Duration::from_secs(3600));
            let payload = number.to_be_bytes().to_vec();
            return wake.ask(true, hub.wake(key(2).public(), wake_id(number), payload, Urgency::Normal, until)).await;
        }
        let mut reader = phone.read_wakes(1, false).await?;
        let mut last = 0;
        while let Some(item) = in_time(reader.next()).await? {
            if let LogItem::Entry { seq, .. } = item {
                last = seq;
            }
        }
        for wake in self.wakes.values_mut().filter(|wake| wake.was) {
            wake.asked = Some(false);
        }
        in_time(phone.ack_wakes(last)).await?;
        for wake in self.wakes.values_mut().filter(|wake| wake.was) {
            *wake = Known::new(false);
        }
        Ok(())
    }

    /// Opens a mailbox, leaves messages in it, and closes it.
    async fn mailbox(&mut self, hub: &Connection) -> Result<(), ClientError> {
        match self.mailboxes.iter_mut().find(|(_, mailbox)| mailbox.was != Mailbox::Closed) {
            Some((id, mailbox)) => match mailbox.was {
                Mailbox::Open(3) => mailbox.ask(Mailbox::Closed, hub.close_mailbox(*id)).await,
                Mailbox::Open(count) => {
                    let message = count.to_be_bytes().to_vec();
                    let posting = async { hub.post(*id, Side::Hub, message).await.map(drop) };
                    mailbox.ask(Mailbox::Open(count + 1), posting).await
                }
                _ => {
                    let until = hub.server_time().after(Duration::from_secs(3000));
                    mailbox.ask(Mailbox::Open(0), hub.open_mailbox(*id, key(5).public(), until)).await
                }
            },
            None => {
                self.mailboxes.insert(MailboxId::generate(&SystemRandom), Known::new(Mailbox::Absent));
                Ok(())
            }
        }
    }

    /// Another home comes with the next invite.
    async fn guest(&mut self, server: &Server) -> Result<(), ClientError> {
        let last = self.guests.len();
        if last + 1 >= INVITES {
            return Ok(());
        }
        if self.guests.last().is_none_or(|(_, known)| known.was) {
            self.guests.push((HomeId::generate(&SystemRandom), Known::new(false)));
        }
        if self.by_token {
            self.let_token_be_good_for(self.homes() + 1);
        }
        let words = self.words(self.guests.len());
        let Some((home, known)) = self.guests.last_mut() else { return Ok(()) };
        let founder = Principal::Founder { home: *home, invite: Some(words) };
        let coming = async { connect(&target(server), founder, &key(6), PATIENCE).await.map(drop) };
        known.ask(true, coming).await
    }

    /// The sleeper says that it is woken somewhere else, or nowhere.
    async fn move_on(&mut self, sleeper: &Connection) -> Result<(), ClientError> {
        if self.said_at_once == TARGETS_AT_ONCE {
            return Ok(());
        }
        self.said_at_once += 1;
        let at = self.woken_at.was;
        if at > 0 && at.is_multiple_of(3) {
            return self.woken_at.ask(0, sleeper.set_push(Vec::new())).await;
        }
        let relay = PushKey::from_bytes(&in_time(sleeper.push_key()).await?.key).unwrap();
        let next = self.said.len() + 1;
        let subscriber = Subscriber::new(format!("https://push.example/{next}"));
        let sealed = relay.seal(&subscriber.target, &key(SLEEPER).public()).unwrap();
        self.said.push(sealed.clone());
        self.woken_at.ask(next, sleeper.set_push(sealed)).await
    }

    /// No relay gives a target away again: what the next one would find in the index.
    fn look_where_it_is_woken(&mut self) -> Result<(), String> {
        let index = DiskStore::open_in(Arc::new(self.disk.clone()), self.dir.path().join("index")).map_err(text)?;
        let record = [&b"t/"[..], self.home.as_bytes(), &key(SLEEPER).public().0].concat();
        let found = match index.get(&record).map_err(text)? {
            None => Vec::new(),
            Some(record) => {
                let record: Value = ciborium::from_reader(&record[..]).map_err(text)?;
                let mut fields = record.into_map().unwrap().into_iter();
                let (_, target) = fields.find(|(name, _)| name.as_text() == Some("target")).unwrap();
                target.into_bytes().unwrap()
            }
        };
        let at = match found.is_empty() {
            true => 0,
            false => 1 + self.said.iter().position(|said| *said == found).ok_or("a target that nobody said")?,
        };
        self.woken_at.find("where a phone is woken", at)
    }

    async fn verify(&mut self, server: &Server, hub: &Connection, phone: &Connection) -> Result<(), String> {
        let let_in = |outcome: Result<Connection, ClientError>| match outcome {
            Ok(_) => Ok(true),
            Err(error) if error.refusal() == Some(Code::Denied) => Ok(false),
            Err(error) => Err(error.to_string()),
        };
        for (number, known) in &mut self.rights {
            let member = Principal::Member { home: self.home };
            let found = let_in(connect(&target(server), member, &key(*number), PATIENCE).await)?;
            known.find("rights", found)?;
        }
        for (id, film) in &mut self.films {
            let found = match in_time(phone.stat(*id)).await {
                Ok(state) if state.finished == Some(1) => Film::Finished,
                Ok(state) if state.next == 1 => Film::Open,
                Ok(state) => return Err(format!("a stream is {state:?}")),
                Err(error) if matches!(error.refusal(), Some(Code::NotFound | Code::Gone)) => Film::Gone,
                Err(error) => return Err(error.to_string()),
            };
            let asked = film.asked;
            film.find("a stream", found)?;
            if found == Film::Finished {
                // It may be acknowledged for certain and not be gone yet.
                film.asked = asked.filter(|asked| *asked == Film::Gone);
            }
        }
        let found = entries(phone.read_wakes(1, false).await.map_err(text)?).await;
        let found: Vec<u64> =
            found.iter().map(|(_, bytes)| u64::from_be_bytes(bytes[..].try_into().unwrap())).collect();
        for (number, wake) in &mut self.wakes {
            let times = found.iter().filter(|found| *found == number).count();
            if times > 1 {
                return Err(format!("wake {number} is there {times} times"));
            }
            wake.find(&format!("wake {number}"), times == 1)?;
        }
        for (id, mailbox) in &mut self.mailboxes {
            mailbox.find("a mailbox", look_into(hub, *id).await?)?;
        }
        // Of those who came with an invite the last few: the others were looked at before.
        let count = self.guests.len();
        for (number, (home, known)) in self.guests.iter_mut().enumerate().skip(count.saturating_sub(3)) {
            let again = Principal::Founder { home: *home, invite: None };
            let found = let_in(connect(&target(server), again, &key(6), PATIENCE).await)?;
            known.find(&format!("guest {number}"), found)?;
            if found && !self.by_token {
                let thief =
                    Principal::Founder { home: HomeId::generate(&SystemRandom), invite: Some(invite(number + 1)) };
                if let_in(connect(&target(server), thief, &key(7), PATIENCE).await)? {
                    return Err(format!("invite {} let two homes in", number + 1));
                }
            }
        }
        if self.by_token {
            // What it was used for stays used, and no more of it than that: the next one comes with one more.
            self.let_token_be_good_for(self.homes());
            let thief = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: Some(TOKEN.to_owned()) };
            if let_in(connect(&target(server), thief, &key(7), PATIENCE).await)? {
                return Err(format!("a token good for {} homes let one more in", self.homes()));
            }
        }
        Ok(())
    }
}

/// What a mailbox is, and that its messages are those that were left there.
async fn look_into(hub: &Connection, id: MailboxId) -> Result<Mailbox, String> {
    let mut reader = hub.collect(id, Side::Hub, 1).await.map_err(text)?;
    let mut count = 0;
    loop {
        match in_time(reader.next()).await {
            Ok(Some(LogItem::Entry { bytes, .. })) if bytes == u64::to_be_bytes(count) => count += 1,
            Ok(Some(LogItem::CaughtUp { .. })) => return Ok(Mailbox::Open(count)),
            Ok(other) => return Err(format!("a mailbox holds {other:?} after {count} messages")),
            Err(error) => {
                return match error.refusal() {
                    Some(Code::NotFound) => Ok(Mailbox::Absent),
                    Some(Code::Gone) => Ok(Mailbox::Closed),
                    _ => Err(error.to_string()),
                };
            }
        }
    }
}

/// So many rounds, and what was at stake.
async fn live_through(mut world: World, rounds: u64) -> World {
    for round in 0..rounds {
        let dice = SeededRandom::new(&[b"rest".as_slice(), &round.to_be_bytes()].concat());
        if let Err(error) = world.round(&dice).await {
            panic!("round {round}: {error}");
        }
    }
    assert!(world.answered > 10 * rounds, "{}", world.answered);
    world
}

fn rounds() -> u64 {
    std::env::var("PRIVET_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_answer_survives_any_power_cut_as_well() {
    let world = live_through(World::new(false), rounds()).await;
    assert!(world.films.len() > 3 && world.wakes.len() > 5 && world.mailboxes.len() > 2 && world.guests.len() > 2);
    assert!(world.said.len() > 5, "{}", world.said.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_as_many_homes_as_it_is_good_for_through_any_power_cut() {
    let world = live_through(World::new(true), rounds() / 2).await;
    assert!(world.guests.len() > 2, "{}", world.guests.len());
}
