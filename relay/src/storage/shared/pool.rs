//! Connections to PostgreSQL, each used by one piece of work at a time. What fails because PostgreSQL was away is tried again for a
//! while: its restart is a pause.

use std::error::Error as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::storage::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// For so long PostgreSQL may be away before what needs it fails.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one attempt to connect may take, where the connection string says nothing else.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// A connection over which nothing comes back for so long is dead.
const SILENCE: Duration = Duration::from_secs(15);

/// What each connection is set to. A transaction that its relay left hanging holds its home's lease: PostgreSQL ends it. Who
/// set `synchronous_commit` to something stronger keeps that.
const SETTINGS: &str = "SET idle_in_transaction_session_timeout = '10s'; SET statement_timeout = '60s'; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// PostgreSQL is away, or wants it to be tried again: surely nothing was done.
    Away(tokio_postgres::Error),
    /// To try again would not help, or not be right.
    Final(StoreError),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        if is_passing(&error) { Self::Away(error) } else { Self::Final(failed(&error)) }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

pub(super) fn is_passing(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code),
        None => error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>()),
    }
}

/// In words, without what PostgreSQL quotes of the values.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

pub(super) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let text = format!("PostgreSQL: {}", said(error));
    if error.code() == Some(&SqlState::DISK_FULL) { StoreError::Full(text) } else { StoreError::Io(text) }
}

/// How long something is tried again.
pub(super) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { until: Instant::now() + PATIENCE, pause: FIRST_PAUSE }
    }

    /// Waits before the next try; fails when there is none.
    pub(super) async fn after(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        match trouble {
            Trouble::Final(error) => Err(error),
            Trouble::Away(error) if Instant::now() >= self.until => Err(failed(&error)),
            Trouble::Away(_) => {
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Ok(())
            }
        }
    }
}

/// Does the work, which makes a future anew at each try, until it is done or patience is over.
macro_rules! patiently {
    ($work:expr) => {{
        let mut patience = $crate::storage::shared::pool::Patience::new();
        loop {
            match $work.await {
                Ok(done) => break Ok(done),
                Err(trouble) => {
                    if let Err(error) = patience.after(trouble).await {
                        break Err(error);
                    }
                }
            }
        }
    }};
}
pub(super) use patiently;

/// The connections of one relay.
pub(super) struct Pool {
    config: Config,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Client>>,
    places: Semaphore,
}

impl Pool {
    /// Up to `most` connections as `config` says.
    pub(super) fn new(mut config: Config, tls: rustls::ClientConfig, most: usize) -> Self {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(config.get_keepalives_idle().min(SILENCE));
        Self { config, tls: MakeRustlsConnect::new(tls), idle: Mutex::default(), places: Semaphore::new(most) }
    }

    /// A connection for one piece of work.
    pub(super) async fn get(&self) -> Result<Connected<'_>, Trouble> {
        let place = self.places.acquire().await.map_err(|e| StoreError::Io(e.to_string()))?;
        loop {
            let Some(client) = self.idle().pop() else { break };
            if !client.is_closed() {
                return Ok(Connected { client: Some(client), pool: self, _place: place });
            }
        }
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // Ends with its client. What becomes of it, whoever asks over it is told.
        tokio::spawn(async move { drop(connection.await) });
        client.batch_execute(SETTINGS).await?;
        Ok(Connected { client: Some(client), pool: self, _place: place })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What relays call themselves to PostgreSQL.
pub(crate) const APPLICATION: &str = "privet-relay";

/// A connection, until dropped.
pub(super) struct Connected<'a> {
    client: Option<Client>,
    pool: &'a Pool,
    _place: SemaphorePermit<'a>,
}

impl Connected<'_> {
    /// To ask over it.
    pub(super) fn client(&mut self) -> Result<&mut Client, Trouble> {
        // It is there until it is dropped.
        self.client.as_mut().ok_or_else(|| Trouble::Final(StoreError::Io("a connection was given back".into())))
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|client| !client.is_closed()) {
            self.pool.idle().push(client);
        }
    }
}
