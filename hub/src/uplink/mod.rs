//! The way out: one connection to the relay, made again for ever, and everything that goes over it.
//!
//! * [`home`]: the one owner of the group and the log.
//! * [`live`]: live segments, as they are made.
//! * [`clips`]: the outbox, oldest first, resumed where it broke off.
//! * [`constant`]: log and outbox at a constant rate, instead of all that has to do with what happens.
//! * [`log`]: entries in order; signs of life.
//! * [`inbox`]: what phones ask for, and what is done about it.
//! * [`notices`]: what wakes phones.
//! * [`pairing`]: one mailbox per QR code.
//! * [`room`]: how much the relay still takes.
//!
//! On every new connection the relay's view is put right before anything else: revoked keys, granted keys, the log's head.

pub mod clips;
pub mod constant;
pub mod home;
pub mod inbox;
pub mod live;
pub mod log;
pub mod notices;
pub mod pairing;
pub mod room;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use privet_home::{Env, HeadCheck, HubHome};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::Store;
use privet_relay_client::{CapabilityKey, ClientError, ClientKey, Code, Connection, Reconnect, RelayTarget, Rights};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::constant::Constant;
use self::home::HomeHandle;
use self::pairing::Pairings;
use crate::notices::NoticesHandle;
use crate::outbox::Outbox;
use crate::recorder::Input;
use crate::recorder::task::Recorders;
use crate::status::{Alarm, Board};

/// How long an attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that held so long was a good one: the next wait is short again.
const GOOD: Duration = Duration::from_secs(30);
/// How often the group may be made anew because of what a relay says.
const RENEW_PAUSE: Duration = Duration::from_secs(600);

/// What the way out needs.
#[derive(Clone)]
pub struct Uplink {
    /// The relay.
    pub target: RelayTarget,
    /// The operator's invite or token.
    pub invite: Option<String>,
    /// The home.
    pub home: HomeHandle,
    /// The state on disk.
    pub store: Arc<dyn Store>,
    /// Clips.
    pub outbox: Outbox,
    /// Recorders, for what phones ask.
    pub recorders: Recorders,
    /// What phones wish, and what they are to be told.
    pub notices: NoticesHandle,
    /// QR codes that wait for a phone.
    pub pairings: Pairings,
    /// What the owner sees.
    pub board: Board,
    /// The time between signs of life.
    pub heartbeat: Duration,
    /// How long the relay is asked to keep a clip.
    pub relay_keeps: Duration,
    /// The constant rate, if what is sent shall not depend on what happens.
    pub constant: Option<Constant>,
}

/// Why a connection came to its end.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The relay or the way to it.
    #[error(transparent)]
    Relay(#[from] ClientError),
    /// The relay's log and the hub's don't fit together, again.
    #[error("{0}, and the group was made anew for this not long ago: the relay lies or loses data")]
    Forked(String),
    /// The home's state.
    #[error(transparent)]
    Home(#[from] privet_home::HomeError),
    /// The outbox.
    #[error(transparent)]
    Store(#[from] privet_protocol::storage::StoreError),
    /// Wishes and notices.
    #[error(transparent)]
    Notices(privet_notify::BookError),
    /// The relay has something otherwise than it was sent.
    #[error("it stored {stored} bytes of something that has {length}")]
    Miscounted {
        /// Bytes that it says it has.
        stored: u64,
        /// Bytes that it was to have.
        length: u64,
    },
    /// The hub stops.
    #[error(transparent)]
    Stopping(#[from] home::Stopping),
}

impl UplinkError {
    /// Whether somebody must do something before it can work.
    fn needs_somebody(&self) -> bool {
        match self {
            Self::Relay(error) => !error.is_retryable(),
            Self::Forked(_) => true,
            Self::Home(_) | Self::Store(_) | Self::Notices(_) | Self::Miscounted { .. } | Self::Stopping(_) => false,
        }
    }
}

impl Uplink {
    /// Connects, works, and connects again, until the hub stops.
    pub async fn run(self, connection: watch::Sender<Option<Connection>>) {
        let address = format!("{}:{}", self.target.host, self.target.port);
        let mut reconnect = Reconnect::default();
        loop {
            self.board.relay(&address, "connecting", None, None);
            let began = tokio::time::Instant::now();
            let Err(error) = self.once(&address, &mut reconnect, &connection).await;
            connection.send_replace(None);
            if matches!(error, UplinkError::Stopping(_)) {
                return;
            }
            if began.elapsed() > GOOD {
                reconnect.reset();
            }
            let wait = reconnect.wait(&SystemRandom);
            let state = if error.needs_somebody() { "refused" } else { "waiting" };
            let next = format!("tries again in {:.0} s; clips wait on the disk meanwhile", wait.as_secs_f64().ceil());
            tracing::warn!(relay = %address, why = %error, wait_s = wait.as_secs(), "no connection to the relay");
            self.board.relay(&address, state, Some(error.to_string()), Some(next));
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(
        &self,
        address: &str,
        reconnect: &mut Reconnect,
        out: &watch::Sender<Option<Connection>>,
    ) -> Result<Infallible, UplinkError> {
        let (id, seed) = self.home.call(|home, _| (home.home_id(), home.capability())).await?;
        let key = ClientKey::from_seed(&seed)?;
        let works = |part: f64| {
            let done = format!("{:.0} %", part * 100.0);
            tracing::info!(relay = %address, %done, "works for the relay, which takes new homes by proof of work");
            let next =
                format!("works, because the relay takes new homes by proof of work: {done} of the usual work is done");
            self.board.relay(address, "connecting", None, Some(next));
        };
        let connection = reconnect.found(&self.target, id, self.invite.clone(), &key, CONNECT, works).await?;
        let Err(error) = self.work(address, &connection, out).await;
        // Before it is closed on this side: then it would no longer say what the relay said.
        reconnect.lost(&self.target, &connection);
        connection.close();
        Err(error)
    }

    /// Does everything there is to do over a connection, until it is lost or fails.
    async fn work(
        &self,
        address: &str,
        connection: &Connection,
        out: &watch::Sender<Option<Connection>>,
    ) -> Result<Infallible, UplinkError> {
        self.put_right(connection).await?;
        self.board.relay(address, "connected", None, None);
        tracing::info!(relay = %address, "connected to the relay");
        out.send_replace(Some(connection.clone()));

        let mut work: JoinSet<Result<(), UplinkError>> = JoinSet::new();
        work.spawn(log::camera_news(self.clone()));
        work.spawn(inbox::follow(self.clone(), connection.clone()));
        work.spawn(clips::renew(self.clone(), connection.clone()));
        match &self.constant {
            Some(constant) => {
                work.spawn(constant::load(self.clone(), constant.clone()));
                work.spawn(constant::cells(self.clone(), constant.clone(), connection.clone()));
                work.spawn(constant::entries(self.clone(), constant.clone(), connection.clone()));
                work.spawn(constant::refresh(self.clone(), connection.clone()));
                work.spawn(constant::settle(self.clone(), connection.clone()));
            }
            None => {
                work.spawn(log::send(self.clone(), connection.clone()));
                work.spawn(log::heartbeats(self.clone(), connection.clone()));
                for _ in 0..clips::PARALLEL {
                    work.spawn(clips::send(self.clone(), connection.clone()));
                }
                work.spawn(clips::finish(self.clone(), connection.clone()));
                work.spawn(notices::send(self.clone(), connection.clone()));
            }
        }
        work.spawn(pairing::serve(self.clone(), connection.clone()));
        work.spawn(room::watch(self.clone(), connection.clone()));
        Err(tokio::select! {
            error = connection.closed() => error.into(),
            Some(ended) = work.join_next() => match ended {
                Ok(Err(error)) => error,
                Ok(Ok(())) => ClientError::Protocol("a part of the uplink ended".into()).into(),
                Err(panic) => ClientError::Protocol(format!("a part of the uplink failed: {panic}")).into(),
            },
        })
    }

    /// Makes the relay's view of the home the hub's: who may come in, and where the log stands.
    async fn put_right(&self, connection: &Connection) -> Result<(), UplinkError> {
        let head = connection.usage().await?.log_head;
        match self.home.call(move |home, _| home.check_head(head)).await? {
            HeadCheck::InStep => {}
            HeadCheck::RelayBehind { from } => tracing::info!(from, "the relay lacks log entries"),
            HeadCheck::RelayLost { relay_head, acknowledged } => {
                let cause = format!("the relay's log stands at {relay_head}, though it acknowledged {acknowledged}");
                self.renew(relay_head, cause).await?;
            }
            HeadCheck::RolledBack { relay_head, hub_head } => {
                let cause = format!("the relay's log stands at {relay_head}, this hub's only at {hub_head}");
                self.renew(relay_head, cause).await?;
            }
        }
        let over = |home: &mut HubHome, env: Env<'_>| {
            let over = home.revocations().into_iter().filter(|key| home.farewell(key, env.now).is_none());
            let next: Vec<_> = home.next_capabilities().collect();
            (over.collect::<Vec<_>>(), home.capabilities(), next)
        };
        let (over, members, next) = self.home.call(over).await?;
        // In this order, because the relay counts keys: what has no use goes first, and members go before those who left.
        self.retire(connection).await?;
        for key in over {
            self.revoke(connection, key).await?;
        }
        for key in members.into_iter().filter(|key| !next.contains(key)) {
            self.let_in(connection, key).await?;
        }
        for key in next {
            self.offer(connection, key).await?;
        }
        self.see_off(connection).await
    }

    /// Gives a member's key its rights at the relay, and takes them again when the phone was removed meanwhile. Where there is no
    /// room for the key, farewells end for it.
    async fn let_in(&self, connection: &Connection, key: CapabilityKey) -> Result<(), UplinkError> {
        while let Err(error) = connection.grant(key, Rights::PHONE).await {
            let farewell = if error.refusal() == Some(Code::Quota) {
                self.home.call(|home, _| home.revocations().first().copied()).await?
            } else {
                None
            };
            let Some(farewell) = farewell else { return Err(error.into()) };
            self.end_farewell(connection, farewell).await?;
        }
        if !self.home.call(move |home, _| home.capabilities().contains(&key)).await? {
            self.revoke(connection, key).await?;
        }
        Ok(())
    }

    /// Lets in the key that a phone is about to move to. Where the relay has no room for it, the phone stays with the one it has.
    async fn offer(&self, connection: &Connection, key: CapabilityKey) -> Result<(), UplinkError> {
        let is_wanted = move |home: &mut HubHome, _: Env<'_>| home.capabilities().contains(&key);
        if !self.home.call(is_wanted).await? {
            return Ok(());
        }
        match connection.grant(key, Rights::PHONE).await {
            Ok(()) => {}
            Err(error) if error.refusal() == Some(Code::Quota) => {
                tracing::info!(why = %error, "a phone keeps its key at the relay: there is no room for a new one");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if !self.home.call(is_wanted).await? {
            self.revoke(connection, key).await?;
        }
        Ok(())
    }

    /// Revokes the keys that phones moved away from.
    async fn retire(&self, connection: &Connection) -> Result<(), UplinkError> {
        for key in self.home.call(|home, _| home.left_behind()).await? {
            match connection.revoke(key).await {
                Ok(()) => {}
                // The relay lost it.
                Err(error) if error.refusal() == Some(Code::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            self.home.call(move |home, _| home.forget_left_behind(&key)).await??;
        }
        Ok(())
    }

    /// Takes every removed phone the rights that it should not have: all but its farewell's, and all when that is over. Again and
    /// again, because the one that removed it may not have had a connection that lasted.
    pub(crate) async fn see_off(&self, connection: &Connection) -> Result<(), UplinkError> {
        for key in self.home.call(|home, _| home.revocations()).await? {
            self.revoke(connection, key).await?;
        }
        Ok(())
    }

    /// Makes the group anew after a log that does not fit: a restored backup, or a relay that lost its data. A relay that
    /// lies about its head can cause no more than this, and not again and again.
    async fn renew(&self, relay_head: u64, cause: String) -> Result<(), UplinkError> {
        if !self.board.may_renew(RENEW_PAUSE) {
            return Err(UplinkError::Forked(cause));
        }
        tracing::error!(%cause, "the group is made anew");
        self.home.call(move |home, env| home.renew(relay_head, env)).await??;
        self.board.raise(Alarm::Renewed { cause });
        for (_, recorder) in self.recorders.all() {
            recorder.send(Input::Rekey { removed: None });
        }
        Ok(())
    }

    /// Takes a removed phone's key its rights at the relay; for some days all but reading the log up to the entry that
    /// removed it, so that a phone that was away finds it. A relay that has no room for that gives it none.
    pub(crate) async fn revoke(&self, connection: &Connection, key: CapabilityKey) -> Result<(), UplinkError> {
        if let Some(upto) = self.home.call(move |home, env| home.farewell(&key, env.now)).await? {
            match connection.grant(key, Rights::farewell(upto)).await {
                Ok(()) => return Ok(()),
                Err(error) if error.refusal() == Some(Code::Quota) => {
                    tracing::warn!(why = %error, "a removed phone may not find out that it was");
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.end_farewell(connection, key).await
    }

    async fn end_farewell(&self, connection: &Connection, key: CapabilityKey) -> Result<(), UplinkError> {
        match connection.revoke(key).await {
            Ok(()) => {}
            // It never had any.
            Err(error) if matches!(error.refusal(), Some(Code::NotFound)) => {}
            Err(error) => return Err(error.into()),
        }
        self.home.call(move |home, _| home.revoked(&key)).await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
