//! What is past its time, found in bites by the readers: the writer is asked for nothing but the deletions.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{SqliteStore, rows, tx::Tx};
use crate::{
    backend::store::{Aged, AgedKind, PastTime, Result},
    domain::{
        ids::{ProjectId, SessionId},
        time::Timestamp,
    },
};

/// Things of one bite.
const BITE: usize = 200;

/// What is marked to be removed (see `sweep`) is gone already.
pub(crate) fn find(conn: &Connection, kind: AgedKind, before: Timestamp, from: Option<&Value>) -> Result<Aged> {
    // An id, its time, and the place behind it; in the order of a key or an index.
    let sql = match kind {
        // A project that has an agent is its agent's code.
        AgedKind::Projects => {
            "SELECT project_id, coalesce(completed_at, updated_at), project_key, '' FROM nexus_projects p
             WHERE project_key > ?2 AND status IN ('completed', 'failed', 'cancelled')
                 AND coalesce(completed_at, updated_at) < ?1
                 AND NOT EXISTS (SELECT 1 FROM nexus_agents a WHERE a.project_id = p.project_id)
             ORDER BY project_key LIMIT ?4"
        }
        AgedKind::Sessions => {
            "SELECT session_id, last_active_at, session_key, '' FROM nexus_sessions s
             WHERE session_key > ?2 AND last_active_at < ?1
                 AND NOT EXISTS (SELECT 1 FROM doomed_agents d
                     WHERE d.agent_id = s.agent_id AND s.session_key <= d.last_session)
             ORDER BY session_key LIMIT ?4"
        }
        AgedKind::Invocations => {
            "SELECT invocation_id, created_at, invocation_key, created_at FROM nexus_invocations i
             WHERE created_at < ?1 AND (created_at, invocation_key) > (?3, ?2)
                 AND NOT EXISTS (SELECT 1 FROM doomed_agents d
                     WHERE d.agent_id = i.agent_id AND i.invocation_key <= d.last_invocation)
             ORDER BY created_at, invocation_key LIMIT ?4"
        }
    };
    let place = |at: usize| from.and_then(|from| from.get(at));
    let key = place(0).and_then(Value::as_i64).unwrap_or(i64::MIN);
    let time = place(1).and_then(Value::as_str).unwrap_or_default();
    let mut find = conn.prepare_cached(sql)?;
    // `?3` is of one of them only.
    let bite = rows::integer(BITE as u64);
    let mut found = match kind {
        AgedKind::Invocations => find.query(params![before.to_string(), key, time, bite])?,
        _ => find.query(params![before.to_string(), key, "", bite])?,
    };
    let (mut items, mut last) = (Vec::new(), Value::Null);
    while let Some(row) = found.next()? {
        last = json!([row.get::<_, i64>(2)?, row.get::<_, String>(3)?]);
        items.push((row.get(0)?, rows::word(row, 1)?));
    }
    let next = (items.len() == BITE).then_some(last);
    Ok(Aged { items, next })
}

/// Whether a project has ended before then, and has no agent.
pub(crate) fn is_past(conn: &Connection, id: &ProjectId, before: Timestamp) -> Result<bool> {
    let mut find = conn.prepare_cached(
        "SELECT 1 FROM nexus_projects p WHERE project_id = ?1 AND status IN ('completed', 'failed', 'cancelled')
             AND coalesce(completed_at, updated_at) < ?2
             AND NOT EXISTS (SELECT 1 FROM nexus_agents a WHERE a.project_id = p.project_id)",
    )?;
    Ok(find.exists(params![id.as_str(), before.to_string()])?)
}

/// Whether a session was used last before then.
pub(crate) fn is_unused(conn: &Connection, id: &SessionId, before: Timestamp) -> Result<bool> {
    let mut find = conn.prepare_cached("SELECT 1 FROM nexus_sessions WHERE session_id = ?1 AND last_active_at < ?2")?;
    Ok(find.exists(params![id.as_str(), before.to_string()])?)
}

pub(crate) fn delete_invocations(tx: &mut Tx<'_>, ids: &[String]) -> Result<u64> {
    let mut deleted = 0;
    for id in ids {
        deleted += tx.sql("DELETE FROM nexus_invocations WHERE invocation_id = ?1")?.execute([id])? as u64;
    }
    Ok(deleted)
}

#[async_trait]
impl PastTime for SqliteStore {
    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        self.ask(move |conn| find(conn, kind, before, from.as_ref())).await
    }
}
