//! Everything in the file, given out and taken in as records. They travel as the cloud backend stores them (SPEC
//! section 1), so this is what its codec makes of rows.
//!
//! A file is read as it was at one moment, by a connection of its own, beside a daemon if need be. It is written through
//! the store's writer, so no daemon can have it open.

mod read;
mod write;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::Connection;
use serde_json::Value;

use super::{
    OpenError, SqliteStore,
    lock::{FileLock, LockError},
    open::connect,
    schema, sweep,
    writer::Mode,
};
use crate::backend::{
    error::{BackendError, BackendErrorKind},
    store::{
        Result,
        transfer::{Batch, Kind, Record, Source, Target, Written},
    },
};

/// A file that is read for a move.
pub struct SqliteSource {
    conn: Arc<Mutex<Connection>>,
    in_use: bool,
}

impl SqliteSource {
    /// Opens an existing file. Blocking.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        if let Err(error) = std::fs::metadata(path) {
            return Err(OpenError::from_io(path, error));
        }
        let in_use = matches!(FileLock::take(path), Err(LockError::Held(_)));
        let sqlite = |error| OpenError::from_sqlite(path, error);
        let conn = connect(path, true).map_err(sqlite)?;
        let found = schema::version(&conn).map_err(sqlite)?;
        let (path, known) = (path.to_owned(), schema::VERSION);
        match found {
            found if found > known => return Err(OpenError::newer_schema(&path, found)),
            found if found < known => return Err(OpenError::OlderSchema { path, found, known }),
            _ => {}
        }
        // All of it as it is at this moment.
        let begun = conn.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;");
        begun.map_err(|error| OpenError::from_sqlite(&path, error))?;
        Ok(Self { conn: Arc::new(Mutex::new(conn)), in_use })
    }

    /// Whether a daemon had the file open.
    pub fn in_use(&self) -> bool {
        self.in_use
    }

    async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        let conn = Arc::clone(&self.conn);
        let asked = move || ask(&conn.lock().unwrap_or_else(PoisonError::into_inner));
        let panicked =
            |error| BackendError::new(BackendErrorKind::Unavailable, "the store is not available").because(error);
        tokio::task::spawn_blocking(asked).await.map_err(|error: tokio::task::JoinError| panicked(error))?
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn batch(&self, kind: Kind, from: Option<Value>) -> Result<Batch> {
        self.ask(move |conn| read::batch(conn, kind, from.as_ref())).await
    }

    async fn behind(&self, kind: Kind, last: &Record) -> Result<Value> {
        let last = last.clone();
        self.ask(move |conn| read::behind(conn, kind, &last)).await
    }
}

#[async_trait]
impl Target for SqliteStore {
    async fn put(&self, kind: Kind, records: Vec<Record>) -> Result<Written> {
        // What comes back under the id of a row that is only marked would be taken for that row, and go with it.
        sweep::finish(&self.inner).await?;
        self.inner.writer.call(Mode::Durable, move |tx| write::put(tx, kind, &records)).await
    }

    async fn adopt(&self, task: Record) -> Result<Written> {
        self.inner.writer.call(Mode::Durable, move |tx| write::adopt(tx, &task)).await
    }

    async fn finish(&self) -> Result<()> {
        self.inner.writer.call(Mode::Durable, |tx| write::sort_tasks(tx)).await
    }
}
