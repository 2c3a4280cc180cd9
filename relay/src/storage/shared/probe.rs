//! What a doctor asks of the store that relays share. Nothing is made or changed in it but one object, which is removed again; what the
//! answers mean is decided in `doctor`. No answer holds a password or a key.

use std::error::Error as _;
use std::time::SystemTime;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::time::Timestamp;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::objects::{Act, Cause, Objects};
use super::pool::{APPLICATION, CONNECT, is_passing, said};
use super::schema;
use crate::config::Storage as Settings;

/// What a doctor calls itself to PostgreSQL.
const DOCTOR: &str = "privet-relay-doctor";

/// Why PostgreSQL can't be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unasked {
    pub(crate) why: Why,
    /// What was said, by it or by the system.
    pub(crate) said: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nobody answers there, or it is about to start or to end.
    Away,
    /// It does not prove by a certificate that it is the right one.
    Unproven,
    /// It does not let this user in.
    Refused,
    /// It has no database of this name.
    NoDatabase,
    /// It has no connection left.
    Full,
    /// Anything else.
    Other,
}

impl Unasked {
    fn other(said: impl Into<String>) -> Self {
        Self { why: Why::Other, said: said.into() }
    }

    /// Nothing came for too long.
    pub(crate) fn silent() -> Self {
        Self { why: Why::Away, said: "no answer in time".into() }
    }
}

impl From<tokio_postgres::Error> for Unasked {
    fn from(error: tokio_postgres::Error) -> Self {
        let cause = error.source().map(ToString::to_string);
        let is = |states: &[SqlState]| error.code().is_some_and(|code| states.contains(code));
        let why = if is(&[SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION])
            || cause.as_deref() == Some("password missing")
        {
            Why::Refused
        } else if is(&[SqlState::INVALID_CATALOG_NAME]) {
            Why::NoDatabase
        } else if is(&[SqlState::TOO_MANY_CONNECTIONS]) {
            Why::Full
        } else if error.code().is_none() && error.to_string().contains("TLS") {
            Why::Unproven
        } else if is_passing(&error) {
            Why::Away
        } else {
            Why::Other
        };
        Self { why, said: said(&error) }
    }
}

/// What PostgreSQL says of itself, of the tables, and of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// 150004 is 15.4.
    pub(crate) version: i32,
    pub(crate) fsync: bool,
    pub(crate) full_page_writes: bool,
    /// It takes no writes.
    pub(crate) standby: bool,
    /// By so much its clock is ahead of this machine's, in milliseconds ...
    pub(crate) ahead_ms: i64,
    /// ... with as much doubt: half of the time that the answer took.
    pub(crate) doubt_ms: i64,
    /// Connections that relays may have, all together.
    pub(crate) room: i64,
    /// Where tables are made; none where the search path leads nowhere.
    pub(crate) schema: Option<String>,
    /// Whether this user may make tables there.
    pub(crate) may_make: bool,
    /// Whether there are tables.
    pub(crate) made: bool,
    /// Which version of them is there, and which one this program knows.
    pub(crate) tables: Option<i64>,
    pub(crate) known: i64,
    /// Those of them that this user does not own, or may not read and write.
    pub(crate) barred: Vec<String>,
}

/// Where PostgreSQL is asked, and as whom.
pub(crate) fn place(settings: &Settings) -> String {
    settings.connection().map_or_else(|_| "PostgreSQL".into(), |config| shown(&config))
}

fn shown(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| match host {
        // A password with an `@` that is not escaped ends up here.
        Host::Tcp(host) => {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            format!("{}:{port}", host.rsplit('@').next().unwrap_or_default())
        }
        Host::Unix(folder) => folder.display().to_string(),
    });
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let hosts: Vec<_> = if config.get_hosts().is_empty() { addresses.collect() } else { hosts.collect() };
    let user = config.get_user().unwrap_or("this system's user");
    let database = config.get_dbname().or(config.get_user()).unwrap_or("that of the user");
    format!("{}, database {database}, user {user}", hosts.join(" or "))
}

/// A connection of a doctor's own.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Unasked> {
    let mut config = settings.connection().map_err(Unasked::other)?;
    config.application_name(DOCTOR);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    let tls = super::tls(&config, settings).map_err(|e| Unasked { why: Why::Unproven, said: e.to_string() })?;
    let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
    // Ends with its client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

const ABOUT: &str = "SELECT current_setting('server_version_num')::int4, current_setting('fsync') = 'on', \
    current_setting('full_page_writes') = 'on', pg_is_in_recovery(), current_schema()::text, \
    COALESCE(has_schema_privilege(current_schema()::text, 'CREATE'), false), \
    (extract(epoch FROM clock_timestamp()) * 1000)::int8";
/// What a server, a role and a database let in, and how many others are there. -1 is any number.
const ROOM: &str = "SELECT current_setting('max_connections')::int8 \
    - current_setting('superuser_reserved_connections')::int8 \
    - COALESCE(current_setting('reserved_connections', true), '0')::int8, \
    (SELECT rolconnlimit::int8 FROM pg_roles WHERE rolname = current_user), \
    (SELECT datconnlimit::int8 FROM pg_database WHERE datname = current_database()), \
    (SELECT count(*) FROM pg_stat_activity \
        WHERE datid IS NOT NULL AND COALESCE(application_name, '') NOT IN ($1, $2))";
/// A relay makes tables and an index that are missing, which takes their owner also where none is.
const BARRED: &str = "SELECT wanted.name FROM unnest($1) AS wanted (name) \
    JOIN pg_class ON pg_class.oid = to_regclass(wanted.name) \
    WHERE NOT (pg_has_role(pg_class.relowner, 'USAGE') AND has_table_privilege(pg_class.oid, 'SELECT') \
        AND has_table_privilege(pg_class.oid, 'INSERT') AND has_table_privilege(pg_class.oid, 'UPDATE') \
        AND has_table_privilege(pg_class.oid, 'DELETE')) ORDER BY wanted.name";

/// Asks PostgreSQL about everything; `more` are tables of others that a relay has to own, where they are there.
pub(crate) async fn ask(client: &Client, more: &[&str]) -> Result<Told, Unasked> {
    let began = Timestamp::from(SystemTime::now());
    let about = client.query_typed_one(ABOUT, &[]).await?;
    let ended = Timestamp::from(SystemTime::now());
    let theirs: i64 = about.try_get(6)?;
    let doubt_ms = (ended.0 - began.0).max(0) / 2;

    let room = client.query_typed_one(ROOM, &[(&APPLICATION, Type::TEXT), (&DOCTOR, Type::TEXT)]).await?;
    let (server, others): (i64, i64) = (room.try_get(0)?, room.try_get(3)?);
    let bounds: [Option<i64>; 2] = [room.try_get(1)?, room.try_get(2)?];
    let bounds = bounds.into_iter().flatten().filter(|bound| *bound >= 0);

    let names: Vec<&str> = schema::NAMES.iter().chain(more).copied().collect();
    let barred = client.query_typed(BARRED, &[(&names, Type::TEXT_ARRAY)]).await?;
    let barred = barred.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    let made: bool = client.query_typed_one("SELECT to_regclass('schema') IS NOT NULL", &[]).await?.try_get(0)?;
    let tables: Option<i64> = match made && !barred.iter().any(|name| name == "schema") {
        true => client.query_typed_one("SELECT max(version) FROM schema", &[]).await?.try_get(0)?,
        false => None,
    };
    Ok(Told {
        version: about.try_get(0)?,
        fsync: about.try_get(1)?,
        full_page_writes: about.try_get(2)?,
        standby: about.try_get(3)?,
        ahead_ms: theirs - began.0 - doubt_ms,
        doubt_ms,
        room: bounds.fold(server - others, i64::min),
        schema: about.try_get(4)?,
        may_make: about.try_get(5)?,
        made,
        tables,
        known: schema::VERSION,
        barred,
    })
}

/// Writes an object where the bodies are, reads it and removes it: its name, and what of this failed.
pub(crate) async fn try_out(settings: &Settings) -> (String, Vec<(Act, Cause)>) {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    let name = format!("privet-relay-doctor-{}", HEXLOWER.encode(&bytes[..8]));
    let tried = match Objects::open_to_look(settings) {
        Ok(objects) => objects.try_out(&name, Bytes::copy_from_slice(&bytes)).await,
        // Of an address that can't be one, say: nothing was asked yet.
        Err(_) => vec![(Act::Write, Cause::Other("it can't be set up like this".into()))],
    };
    (name, tried)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_is_shown_without_its_password() {
        for (text, place) in [
            ("postgres://relay:s3cret@db.example/privet", "db.example:5432, database privet, user relay"),
            ("postgres://relay:s3c@s3cret@db.example:6000/privet", "db.example:6000, database privet, user relay"),
            ("host=/run/postgresql user=relay password=s3cret", "/run/postgresql, database relay, user relay"),
            ("host=a,b port=1,2 dbname=d user=u password='s3cret'", "a:1 or b:2, database d, user u"),
        ] {
            assert_eq!(shown(&text.parse().unwrap()), place);
        }
    }
}
