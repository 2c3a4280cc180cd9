//! The records of bodies in PostgreSQL: of what objects a body is made.
//!
//! An object is in `waste` before it exists, and leaves it in the transaction that makes it a part of a body; a body's objects go
//! back there in the transaction that forgets the body. So every object there is has a record, whatever broke off where, and nothing
//! has to be looked for in the object store.

use privet_protocol::storage::StoreError;
use privet_store::{BlobInfo, BlobName};
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use super::fence::{self, Fence};
use super::pool::{Pool, Trouble, patiently};

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its place in the body, in bytes.
    pub(super) start: u64,
    /// In bytes.
    pub(super) length: u64,
    pub(super) object: String,
}

/// The parts of a body, in order; `None` where there is no such body.
pub(super) async fn chunks(pool: &Pool, name: &BlobName, whole: bool) -> Result<Option<Vec<Chunk>>, StoreError> {
    let rows = patiently!(try_chunks(pool, name, whole))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut chunks = Vec::new();
    let mut end = 0;
    for row in rows {
        // A body without parts is one row of nothing.
        let Some(object) = column::<Option<String>>(&row, 2)? else { continue };
        let (start, length) = (count(&row, 0)?, count(&row, 1)?);
        if start != end {
            return Err(StoreError::Damaged(format!("{name}: nothing is recorded of its bytes from {end} to {start}")));
        }
        end += length;
        chunks.push(Chunk { start, length, object });
    }
    Ok(Some(chunks))
}

async fn try_chunks(pool: &Pool, name: &BlobName, whole: bool) -> Result<Vec<Row>, Trouble> {
    let mut connected = pool.get().await?;
    let sql = "SELECT chunk.start, chunk.length, chunk.object FROM body LEFT JOIN chunk ON chunk.body = body.id \
        WHERE body.name = $1 AND body.whole = $2 ORDER BY chunk.start";
    let name = name.as_str();
    Ok(connected.client()?.query_typed(sql, &[(&name, Type::TEXT), (&whole, Type::BOOL)]).await?)
}

/// Says that an object of this name is about to be made.
pub(super) async fn announce(pool: &Pool, object: &str) -> Result<(), StoreError> {
    patiently!(try_announce(pool, object))
}

async fn try_announce(pool: &Pool, object: &str) -> Result<(), Trouble> {
    let mut connected = pool.get().await?;
    let sql = "INSERT INTO waste (object, doomed) VALUES ($1, false) ON CONFLICT (object) DO NOTHING";
    connected.client()?.execute_typed(sql, &[(&object, Type::TEXT)]).await?;
    Ok(())
}

/// Appends a chunk to a partial body, and makes it whole where that was all of it.
pub(super) async fn append(
    pool: &Pool,
    fence: Option<&Fence>,
    name: &BlobName,
    chunk: Option<&Chunk>,
    whole: bool,
) -> Result<(), StoreError> {
    patiently!(try_append(pool, fence, name, chunk, whole))
}

async fn try_append(
    pool: &Pool,
    fence: Option<&Fence>,
    name: &BlobName,
    chunk: Option<&Chunk>,
    whole: bool,
) -> Result<(), Trouble> {
    let mut connected = pool.get().await?;
    let transaction = connected.client()?.transaction().await?;
    fence::hold(fence, &transaction).await?;
    let name = name.as_str();
    let sql = "INSERT INTO body (name, whole) VALUES ($1, false) \
        ON CONFLICT (name, whole) DO UPDATE SET name = EXCLUDED.name RETURNING id";
    let body: i64 = transaction.query_typed_one(sql, &[(&name, Type::TEXT)]).await?.try_get(0)?;
    if let Some(chunk) = chunk {
        add(&transaction, body, chunk).await?;
    }
    if whole {
        // What was whole before under this name was promised to nobody, or it would not be written again.
        forget(&transaction, name, true).await?;
        let sql = "UPDATE body SET whole = true WHERE id = $1";
        transaction.execute_typed(sql, &[(&body, Type::INT8)]).await?;
    }
    fence::commit(fence, transaction).await
}

async fn add(transaction: &Transaction<'_>, body: i64, chunk: &Chunk) -> Result<(), Trouble> {
    let (start, length) = (signed(chunk.start)?, signed(chunk.length)?);
    let sql = "DELETE FROM waste WHERE object = $1 AND NOT doomed";
    let announced = transaction.execute_typed(sql, &[(&chunk.object, Type::TEXT)]).await?;
    let sql = "INSERT INTO chunk (body, start, length, object) SELECT $1, $2, $3, $4 \
        WHERE $2 = (SELECT COALESCE(sum(length), 0) FROM chunk WHERE body = $1)";
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] =
        [(&body, Type::INT8), (&start, Type::INT8), (&length, Type::INT8), (&chunk.object, Type::TEXT)];
    let added = transaction.execute_typed(sql, &values).await?;
    if announced != 1 || added != 1 {
        let text =
            "somebody else wrote or removed this body meanwhile; it is begun anew, or gone on with at its length";
        return Err(StoreError::Io(text.into()).into());
    }
    Ok(())
}

/// Forgets a body: the partial one, and with `whole_too` the whole one.
pub(super) async fn remove(
    pool: &Pool,
    fence: Option<&Fence>,
    name: &BlobName,
    whole_too: bool,
) -> Result<(), StoreError> {
    patiently!(try_remove(pool, fence, name, whole_too))
}

async fn try_remove(pool: &Pool, fence: Option<&Fence>, name: &BlobName, whole_too: bool) -> Result<(), Trouble> {
    let mut connected = pool.get().await?;
    let transaction = connected.client()?.transaction().await?;
    fence::hold(fence, &transaction).await?;
    forget(&transaction, name.as_str(), false).await?;
    if whole_too {
        forget(&transaction, name.as_str(), true).await?;
    }
    fence::commit(fence, transaction).await
}

/// Takes a body's record away; its objects are doomed.
async fn forget(transaction: &Transaction<'_>, name: &str, whole: bool) -> Result<(), Trouble> {
    let sql = "WITH gone AS (DELETE FROM chunk USING body WHERE chunk.body = body.id AND body.name = $1 AND body.whole = $2 \
        RETURNING chunk.object) INSERT INTO waste (object, doomed) SELECT object, true FROM gone";
    transaction.execute_typed(sql, &[(&name, Type::TEXT), (&whole, Type::BOOL)]).await?;
    let sql = "DELETE FROM body WHERE name = $1 AND whole = $2";
    transaction.execute_typed(sql, &[(&name, Type::TEXT), (&whole, Type::BOOL)]).await?;
    Ok(())
}

/// A body in a listing, and the objects it is made of where they were asked for.
pub(super) struct Listed {
    pub(super) info: BlobInfo,
    pub(super) chunks: Vec<Chunk>,
}

/// Every body whose name begins with `prefix`.
pub(super) async fn list(pool: &Pool, prefix: &str) -> Result<Vec<Listed>, StoreError> {
    let rows = patiently!(try_list(pool, prefix))?;
    let mut found: Vec<Listed> = Vec::new();
    let mut last = None;
    for row in rows {
        let id: i64 = column(&row, 0)?;
        if last != Some(id) {
            last = Some(id);
            let name: String = column(&row, 1)?;
            let name = name.parse().map_err(|_| StoreError::Damaged("a body's name can't be one".into()))?;
            let partial = !column::<bool>(&row, 2)?;
            found.push(Listed { info: BlobInfo { name, length: 0, partial }, chunks: Vec::new() });
        }
        let (Some(body), Some(object)) = (found.last_mut(), column::<Option<String>>(&row, 5)?) else { continue };
        let chunk = Chunk { start: count(&row, 3)?, length: count(&row, 4)?, object };
        body.info.length += chunk.length;
        body.chunks.push(chunk);
    }
    Ok(found)
}

async fn try_list(pool: &Pool, prefix: &str) -> Result<Vec<Row>, Trouble> {
    let mut connected = pool.get().await?;
    let sql = "SELECT body.id, body.name, body.whole, chunk.start, chunk.length, chunk.object \
        FROM body LEFT JOIN chunk ON chunk.body = body.id \
        WHERE body.name >= $1 AND starts_with(body.name, $1) AND ($2 = '' OR body.name < $2) \
        ORDER BY body.id, chunk.start";
    // Names are of a few characters of ASCII, all below this one.
    let end = if prefix.is_empty() { String::new() } else { format!("{prefix}\u{7f}") };
    Ok(connected.client()?.query_typed(sql, &[(&prefix, Type::TEXT), (&end, Type::TEXT)]).await?)
}

/// Objects that can be removed now, in order, those behind `after` only. What was announced and never came, or came and was not taken up,
/// is doomed after a day.
pub(super) async fn doomed(pool: &Pool, after: &str, most: i64) -> Result<Vec<String>, StoreError> {
    let rows = patiently!(try_doomed(pool, after, most))?;
    rows.iter().map(|row| column(row, 0)).collect()
}

async fn try_doomed(pool: &Pool, after: &str, most: i64) -> Result<Vec<Row>, Trouble> {
    let mut connected = pool.get().await?;
    let client = connected.client()?;
    let sql = "UPDATE waste SET doomed = true WHERE NOT doomed AND since < now() - interval '1 day'";
    client.execute_typed(sql, &[]).await?;
    let sql = "SELECT object FROM waste WHERE doomed AND object > $1 ORDER BY object LIMIT $2";
    Ok(client.query_typed(sql, &[(&after, Type::TEXT), (&most, Type::INT8)]).await?)
}

/// Forgets objects that are removed.
pub(super) async fn removed(pool: &Pool, objects: &[String]) -> Result<(), StoreError> {
    patiently!(try_removed(pool, objects))
}

async fn try_removed(pool: &Pool, objects: &[String]) -> Result<(), Trouble> {
    let mut connected = pool.get().await?;
    let sql = "DELETE FROM waste WHERE doomed AND object = ANY($1)";
    connected.client()?.execute_typed(sql, &[(&objects, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

fn column<T: for<'a> tokio_postgres::types::FromSql<'a>>(row: &Row, place: usize) -> Result<T, StoreError> {
    row.try_get(place).map_err(|e| StoreError::Damaged(format!("PostgreSQL: a record of a body: {e}")))
}

fn count(row: &Row, place: usize) -> Result<u64, StoreError> {
    let number: i64 = column(row, place)?;
    u64::try_from(number).map_err(|_| StoreError::Damaged("PostgreSQL: a body has a part of a negative place".into()))
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Io("a body is too long".into()))
}
