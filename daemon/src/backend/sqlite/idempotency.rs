//! Requests that may come twice: what was answered to the first is kept beside what it created.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, held::Held, rows, tx::Tx};
use crate::backend::{
    error::{BackendError, BackendErrorKind},
    store::{IdempotencyKeys, KeptAnswer, KeyRecord, Result},
};

pub(crate) fn read(conn: &Connection, key: &str) -> Result<Option<KeyRecord>> {
    let mut find = conn.prepare_cached("SELECT fingerprint, answer FROM idempotency_keys WHERE once_key = ?1")?;
    let found =
        find.query_row([key], |row| Ok(KeyRecord { fingerprint: row.get(0)?, answer: rows::json_opt(row, 1)? }));
    Ok(found.optional()?)
}

/// Refuses a key that is taken already. Called before the unit's first write.
pub(crate) fn check(tx: &Tx<'_>, idempotency: Option<&KeptAnswer>) -> Result<()> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    match read(tx.conn(), &idempotency.key)? {
        None => Ok(()),
        Some(_) => Err(BackendError::new(BackendErrorKind::Repeated, "the request was answered already")),
    }
}

/// Keeps the answer of this unit.
pub(crate) fn keep(tx: &Tx<'_>, idempotency: Option<&KeptAnswer>) -> Result<()> {
    let Some(idempotency) = idempotency else { return Ok(()) };
    tx.sql(
        "INSERT INTO idempotency_keys (once_key, fingerprint, answer, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (once_key) DO UPDATE SET answer = excluded.answer, fingerprint = excluded.fingerprint",
    )?
    .execute(params![
        idempotency.key,
        idempotency.fingerprint,
        rows::to_json(&idempotency.answer)?,
        tx.now_text()
    ])?;
    Ok(())
}

/// Keeps the answer of what was begun. A holder that was stopped for longer than his key lasted may find it another's, or
/// answered: then that stays.
pub(crate) fn end(tx: &Tx<'_>, held: &Held, idempotency: Option<&KeptAnswer>) -> Result<()> {
    let Some((idempotency, holder)) =
        idempotency.and_then(|idempotency| Some((idempotency, idempotency.holder.as_ref()?)))
    else {
        check(tx, idempotency)?;
        return keep(tx, idempotency);
    };
    let answered = read(tx.conn(), &idempotency.key)?.is_some_and(|known| known.answer.is_some());
    if answered || held.is_anothers_key(&idempotency.key, holder) {
        crate::backend::store::alike::key_was_lost();
        return Ok(());
    }
    keep(tx, Some(idempotency))
}

/// Who holds a key that has no answer is known in memory only: the key of a request that ended
/// without a word, and could not even be given back, is free when its time is over.
pub(crate) fn begin(
    tx: &Tx<'_>,
    held: &Held,
    (key, fingerprint): (&str, &str),
    (holder, lasts): (&str, Duration),
) -> Result<Option<KeyRecord>> {
    let known = read(tx.conn(), key)?;
    if known.as_ref().is_some_and(|known| known.answer.is_some()) || !held.take_key(key, holder, lasts) {
        let worked_on = KeyRecord { fingerprint: fingerprint.to_owned(), answer: None };
        return Ok(Some(known.unwrap_or(worked_on)));
    }
    tx.sql(
        "INSERT INTO idempotency_keys (once_key, fingerprint, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (once_key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at",
    )?
    .execute(params![key, fingerprint, tx.now_text()])?;
    Ok(None)
}

pub(crate) fn abandon(tx: &Tx<'_>, key: &str) -> Result<()> {
    tx.sql("DELETE FROM idempotency_keys WHERE once_key = ?1 AND answer IS NULL")?.execute([key])?;
    Ok(())
}

/// What was begun by a process that is gone will never be answered.
pub(crate) fn forget_unfinished(conn: &Connection) -> rusqlite::Result<usize> {
    conn.execute("DELETE FROM idempotency_keys WHERE answer IS NULL", [])
}

/// Removes some of what is older than a day; answers how many.
pub(crate) fn clean(tx: &Tx<'_>) -> Result<u64> {
    let day = 86_400_000_000;
    let cutoff = crate::domain::time::Timestamp::from_micros(tx.now().as_micros().saturating_sub(day)).to_string();
    Ok(tx
        .sql(
            "DELETE FROM idempotency_keys WHERE once_key IN
             (SELECT once_key FROM idempotency_keys WHERE created_at < ?1 LIMIT 100)",
        )?
        .execute([cutoff])? as u64)
}

#[async_trait]
impl IdempotencyKeys for SqliteStore {
    async fn key_record(&self, key: &str) -> Result<Option<KeyRecord>> {
        let key = key.to_owned();
        self.ask(move |conn| read(conn, &key)).await
    }

    async fn take_key(&self, key: &str, fingerprint: &str, holder: &str, lasts: Duration) -> Result<Option<KeyRecord>> {
        let (key, fingerprint, holder) = (key.to_owned(), fingerprint.to_owned(), holder.to_owned());
        let held = Arc::clone(&self.inner.held);
        self.write(move |tx| begin(tx, &held, (&key, &fingerprint), (&holder, lasts))).await
    }

    async fn extend_key(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool> {
        Ok(self.inner.held.extend_key(key, holder, lasts))
    }

    async fn release_key(&self, key: &str, holder: &str) -> Result<()> {
        // Free at once, also when the row cannot be deleted now: nobody holds it, so the next request takes it over.
        if !self.inner.held.release_key(key, holder) {
            return Ok(());
        }
        let (key, held) = (key.to_owned(), Arc::clone(&self.inner.held));
        self.write(move |tx| if held.is_held(&key) { Ok(()) } else { abandon(tx, &key) }).await
    }
}
