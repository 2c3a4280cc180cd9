//! The tables in PostgreSQL, and which version of them is there.
//!
//! | table | what it is |
//! |---|---|
//! | `entry` | the index: its keys, in byte order, and values |
//! | `lease` | which node has a home, and how many times it was taken over |
//! | `body` | the bodies by name: at most one partial and one whole one of each |
//! | `chunk` | of what objects a body is made, in order |
//! | `waste` | objects that belong to no body: `doomed` ones go now, others are being written, or were when their relay ended |

use privet_protocol::storage::StoreError;
use tokio_postgres::types::Type;

use super::pool::{Pool, Trouble, patiently};

/// Of the tables below.
pub(super) const VERSION: i64 = 1;

/// The tables, each of which a relay has to own: it makes those that are missing.
pub(super) const NAMES: [&str; 6] = ["schema", "entry", "lease", "body", "chunk", "waste"];

const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS schema (version bigint NOT NULL);
CREATE TABLE IF NOT EXISTS entry (key bytea PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE IF NOT EXISTS lease (home bytea PRIMARY KEY, node text NOT NULL, term bigint NOT NULL);
CREATE TABLE IF NOT EXISTS body (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    whole boolean NOT NULL,
    UNIQUE (name, whole)
);
CREATE TABLE IF NOT EXISTS chunk (
    body bigint NOT NULL REFERENCES body,
    start bigint NOT NULL,
    length bigint NOT NULL,
    object text NOT NULL,
    PRIMARY KEY (body, start)
);
CREATE TABLE IF NOT EXISTS waste (
    object text PRIMARY KEY,
    doomed boolean NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS waste_doomed ON waste (object) WHERE doomed;
"#;

/// Two relays that start at the same time do not make the same table twice. The number is this project's own.
const LOCK: &str = "SELECT pg_advisory_xact_lock(5784223014)";

/// Makes the tables where there are none, and refuses those that this version does not know, and a PostgreSQL that forgets.
pub(super) async fn prepare(pool: &Pool) -> Result<(), StoreError> {
    patiently!(try_prepare(pool))
}

async fn try_prepare(pool: &Pool) -> Result<(), Trouble> {
    let mut connected = pool.get().await?;
    let transaction = connected.client()?.transaction().await?;
    let fsync = transaction.query_typed_one("SELECT current_setting('fsync') = 'on'", &[]).await?;
    if !fsync.try_get::<_, bool>(0)? {
        let text =
            "PostgreSQL: fsync is off, so what it confirms is not durable; set fsync = on in its postgresql.conf";
        return Err(StoreError::Io(text.into()).into());
    }
    transaction.batch_execute(LOCK).await?;
    transaction.batch_execute(TABLES).await?;
    let found = transaction.query_typed_opt("SELECT max(version) FROM schema", &[]).await?;
    let found: Option<i64> = found.map(|row| row.try_get(0)).transpose()?.flatten();
    match found {
        None => {
            let version: i64 = VERSION;
            transaction.execute_typed("INSERT INTO schema (version) VALUES ($1)", &[(&version, Type::INT8)]).await?;
        }
        Some(VERSION) => {}
        Some(other) => {
            let text = format!(
                "PostgreSQL: the tables are of version {other}, this relay knows {VERSION}; start the version of the relay that made them, or a later one"
            );
            return Err(StoreError::Damaged(text).into());
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Whether a relay uses the tables now, or another one than this process.
pub(super) async fn is_used_by(pool: &Pool, application: &str) -> Result<bool, StoreError> {
    patiently!(try_is_used_by(pool, application))
}

async fn try_is_used_by(pool: &Pool, application: &str) -> Result<bool, Trouble> {
    let mut connected = pool.get().await?;
    let sql =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)";
    let found = connected.client()?.query_typed_one(sql, &[(&application, Type::TEXT)]).await?;
    Ok(found.try_get(0)?)
}
