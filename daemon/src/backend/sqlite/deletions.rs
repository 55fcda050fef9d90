//! The records of deletions, and the store's id.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, rows, tx::Tx};
use crate::{
    backend::store::{Deletions, Result},
    domain::{
        deletion::{DeletedKind, Deletion, KEPT_FOR, Owned},
        time::Timestamp,
    },
};

const COLUMNS: &str = "kind, subject_id, name, deleted_at, owned";

fn row(row: &Row<'_>) -> rusqlite::Result<Deletion> {
    Ok(Deletion {
        kind: rows::word(row, 0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        deleted_at: rows::word(row, 3)?,
        owned: rows::json(row, 4)?,
    })
}

/// Writes the record of a deletion into the unit that deletes. One that has nothing outside of the store is settled
/// from the start.
pub(crate) fn record(tx: &Tx<'_>, deletion: &Deletion) -> Result<()> {
    let settled = (deletion.kind == DeletedKind::Session).then(|| tx.now_text());
    tx.sql(
        "INSERT OR REPLACE INTO deletions (kind, subject_id, name, deleted_at, owned, settled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        deletion.kind.as_str(),
        deletion.id,
        deletion.name,
        deletion.deleted_at.to_string(),
        rows::to_json(&deletion.owned)?,
        settled,
    ])?;
    Ok(())
}

pub(crate) fn read(conn: &Connection, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
    let mut find =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM deletions WHERE kind = ?1 AND subject_id = ?2"))?;
    Ok(find.query_row(params![kind.as_str(), id], row).optional()?)
}

pub(crate) fn open(conn: &Connection, limit: usize) -> Result<Vec<Deletion>> {
    let mut find = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM deletions WHERE settled_at IS NULL ORDER BY deletion_key LIMIT ?1"
    ))?;
    let found = find.query_map([rows::integer(limit as u64)], row)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn settle(tx: &mut Tx<'_>, kind: DeletedKind, id: &str) -> Result<()> {
    let Some(found) = read(tx.conn(), kind, id)? else { return Ok(()) };
    tx.sql("UPDATE deletions SET settled_at = ?3, owned = ?4 WHERE kind = ?1 AND subject_id = ?2")?
        .execute(params![kind.as_str(), id, tx.now_text(), rows::to_json::<Owned>(&found.owned.settled())?])?;
    Ok(())
}

/// Records that can matter no more.
pub(crate) fn clean(tx: &Tx<'_>) -> Result<u64> {
    let age = i64::try_from(KEPT_FOR.as_micros()).unwrap_or(i64::MAX);
    let cutoff = Timestamp::from_micros(tx.now().as_micros().saturating_sub(age)).to_string();
    Ok(tx.sql("DELETE FROM deletions WHERE settled_at < ?1")?.execute([cutoff])? as u64)
}

pub(crate) fn store_id(conn: &Connection) -> Result<String> {
    Ok(conn.query_row("SELECT value FROM store_facts WHERE name = 'store_id'", [], |row| row.get(0))?)
}

/// The same of a file that may be of an older version, which has none.
pub(crate) fn peek(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let there: bool =
        conn.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'store_facts')", [], |row| row.get(0))?;
    if !there {
        return Ok(None);
    }
    conn.query_row("SELECT value FROM store_facts WHERE name = 'store_id'", [], |row| row.get(0)).optional()
}

#[async_trait]
impl Deletions for SqliteStore {
    async fn identity(&self) -> Result<String> {
        self.ask(store_id).await
    }

    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        let id = id.to_owned();
        self.ask(move |conn| read(conn, kind, &id)).await
    }

    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>> {
        self.ask(move |conn| open(conn, limit)).await
    }

    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| settle(tx, kind, &id)).await
    }
}
