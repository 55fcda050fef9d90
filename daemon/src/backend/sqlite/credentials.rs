//! Keys and sessions of callers.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, rows, tx::Tx};
use crate::{
    backend::store::{CredentialClass, CredentialRecord, Credentials, Result},
    domain::time::Timestamp,
};

const RECORD: &str = "credential_id, revision, ends_at, last_used_at, record";
/// Sessions that one clean-up removes.
const MOST_CLEANED: u32 = 1_000;

fn record(class: CredentialClass, row: &Row<'_>) -> rusqlite::Result<CredentialRecord> {
    Ok(CredentialRecord {
        class,
        id: row.get(0)?,
        revision: rows::count(row, 1)?,
        ends: rows::word_opt(row, 2)?,
        last_used: rows::word_opt(row, 3)?,
        record: rows::json(row, 4)?,
    })
}

fn read(conn: &Connection, class: CredentialClass, id: &str) -> Result<Option<CredentialRecord>> {
    let sql = format!("SELECT {RECORD} FROM credentials WHERE class = ?1 AND credential_id = ?2");
    let mut find = conn.prepare_cached(&sql)?;
    Ok(find.query_row([class.as_str(), id], |row| record(class, row)).optional()?)
}

fn keep(tx: &Tx<'_>, new: &CredentialRecord, from: Option<u64>) -> Result<bool> {
    let ends = new.ends.map(|at| at.to_string());
    let (class, revision, text) = (new.class.as_str(), rows::integer(new.revision), rows::to_json(&new.record)?);
    let changed = match from {
        Some(from) => tx
            .sql(
                "UPDATE credentials SET revision = ?3, ends_at = ?4, record = ?5
                 WHERE class = ?1 AND credential_id = ?2 AND revision = ?6",
            )?
            .execute(params![class, new.id, revision, ends, text, rows::integer(from)])?,
        None => tx
            .sql(
                "INSERT INTO credentials (class, credential_id, revision, ends_at, record) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![class, new.id, revision, ends, text])?,
    };
    Ok(changed == 1)
}

/// Removes some of the sessions whose time is over; answers how many.
pub(crate) fn clean(tx: &Tx<'_>) -> Result<u64> {
    let mut gone = tx.sql(
        "DELETE FROM credentials WHERE class = 'session' AND credential_id IN
         (SELECT credential_id FROM credentials WHERE class = 'session' AND ends_at < ?1 LIMIT ?2)",
    )?;
    Ok(gone.execute(params![tx.now_text(), MOST_CLEANED])? as u64)
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn credential(&self, class: CredentialClass, id: &str) -> Result<Option<CredentialRecord>> {
        let id = id.to_owned();
        self.ask(move |conn| read(conn, class, &id)).await
    }

    async fn keys(&self) -> Result<Vec<CredentialRecord>> {
        self.ask(|conn| {
            let sql = format!("SELECT {RECORD} FROM credentials WHERE class = 'key' ORDER BY credential_id");
            let mut find = conn.prepare_cached(&sql)?;
            let found = find.query_map([], |row| record(CredentialClass::Key, row))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn keep_credential(&self, new: CredentialRecord, from: Option<u64>) -> Result<bool> {
        self.write(move |tx| keep(tx, &new, from)).await
    }

    async fn remove_credential(&self, class: CredentialClass, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |tx| {
            let mut gone = tx.sql("DELETE FROM credentials WHERE class = ?1 AND credential_id = ?2")?;
            Ok(gone.execute([class.as_str(), &id])? == 1)
        })
        .await
    }

    async fn note_uses(&self, uses: Vec<(CredentialClass, String, Timestamp)>) -> Result<()> {
        self.write(move |tx| {
            for (class, id, at) in &uses {
                tx.sql(
                    "UPDATE credentials SET last_used_at = ?3
                     WHERE class = ?1 AND credential_id = ?2 AND (last_used_at IS NULL OR last_used_at < ?3)",
                )?
                .execute(params![class.as_str(), id, at.to_string()])?;
            }
            Ok(())
        })
        .await
    }
}
