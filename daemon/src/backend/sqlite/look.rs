//! A look at the file beside a daemon that may have it open: nothing is locked, changed or brought up to date.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use rusqlite::Connection;
use serde_json::Value;

use super::{OpenError, SqliteStore, aged, deletions, open::connect, schema};
use crate::{
    backend::{
        data_folder::Records,
        store::{Aged, AgedKind, PastTime, Result},
    },
    domain::{
        deletion::{DeletedKind, Deletion},
        time::Timestamp,
    },
};

pub struct SqliteLook(Mutex<Connection>);

impl SqliteStore {
    /// The id of the store in a file, without opening that as a store; none in one of an older version. Blocking.
    pub fn peek_identity(path: &Path) -> std::result::Result<Option<String>, OpenError> {
        let sqlite = |error| OpenError::from_sqlite(path, error);
        let conn = connect(path, true).map_err(sqlite)?;
        deletions::peek(&conn).map_err(sqlite)
    }
}

impl SqliteLook {
    /// Opens an existing file of this version. Blocking.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        if let Err(error) = std::fs::metadata(path) {
            return Err(OpenError::from_io(path, error));
        }
        let sqlite = |error| OpenError::from_sqlite(path, error);
        let conn = connect(path, true).map_err(sqlite)?;
        let (found, known) = (schema::version(&conn).map_err(sqlite)?, schema::VERSION);
        let path = path.to_owned();
        match found {
            found if found > known => Err(OpenError::newer_schema(&path, found)),
            found if found < known => Err(OpenError::OlderSchema { path, found, known }),
            _ => Ok(Self(Mutex::new(conn))),
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        ask(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn identity(&self) -> Result<String> {
        self.ask(deletions::store_id)
    }

    pub fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>> {
        self.ask(|conn| deletions::open(conn, limit))
    }
}

#[async_trait]
impl Records for SqliteLook {
    async fn knows(&self, kind: DeletedKind, id: &str) -> Result<bool> {
        let sql = match kind {
            DeletedKind::Project => "SELECT EXISTS (SELECT 1 FROM nexus_projects WHERE project_id = ?1)",
            DeletedKind::Agent => "SELECT EXISTS (SELECT 1 FROM nexus_agents WHERE agent_id = ?1)",
            DeletedKind::Session => "SELECT EXISTS (SELECT 1 FROM nexus_sessions WHERE session_id = ?1)",
        };
        self.ask(|conn| Ok(conn.prepare_cached(sql)?.query_row([id], |row| row.get(0))?))
    }

    async fn recorded(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>> {
        self.ask(|conn| deletions::read(conn, kind, id))
    }
}

#[async_trait]
impl PastTime for SqliteLook {
    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        self.ask(|conn| aged::find(conn, kind, before, from.as_ref()))
    }
}
