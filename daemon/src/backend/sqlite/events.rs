//! Project events: one row for those of a step, keyed by project and last number, so that a step
//! costs one insert beside the rows of its neighbours.

use async_trait::async_trait;
use rusqlite::{Connection, params};

#[cfg(feature = "aws")]
use serde::Deserialize as _;

use super::{
    SqliteStore,
    error::{fenced, not_found},
    state::Hot,
    tx::Tx,
    writer::Mode,
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{Events, Origin, Result},
    },
    domain::{
        event::{NewEvent, ProjectEvent, Told},
        ids::ProjectId,
        task::Lease,
        time::Timestamp,
    },
};

/// Bits of an event key below the project's.
const SEQ_BITS: u32 = 28;
const SEQ_MASK: i64 = (1 << SEQ_BITS) - 1;
/// Events kept of a project that is under way; older ones go when this many more have come.
const KEPT: u64 = 10_000;
/// How often the limit is looked at, in events.
const TRIM_EVERY: u64 = 1_024;

/// First and last possible event key of a project.
pub(crate) const fn key_range(project_key: i64) -> (i64, i64) {
    (project_key << SEQ_BITS, (project_key << SEQ_BITS) | SEQ_MASK)
}

/// The number in an event key.
pub(crate) const fn seq_of(event_key: i64) -> u64 {
    (event_key & SEQ_MASK).unsigned_abs()
}

pub(crate) fn event_key(project_key: i64, seq: u64) -> Result<i64> {
    match i64::try_from(seq) {
        Ok(seq) if seq <= SEQ_MASK => Ok((project_key << SEQ_BITS) | seq),
        _ => Err(BackendError::new(BackendErrorKind::Invalid, "the project has more events than can be numbered")),
    }
}

/// Writes events as one row; answers the last number.
pub(crate) fn write(conn: &Connection, hot: Hot, now: Timestamp, new: &[Told]) -> Result<u64> {
    let last = hot.seq + new.len() as u64;
    let key = event_key(hot.key, last)?;
    let text = serde_json::to_string(new)?;
    conn.prepare_cached("INSERT INTO project_events (event_key, at, events) VALUES (?1, ?2, ?3)")?.execute(params![
        key,
        now.as_micros(),
        text
    ])?;
    if hot.seq / TRIM_EVERY != last / TRIM_EVERY && last > KEPT {
        let (low, _) = key_range(hot.key);
        conn.prepare_cached("DELETE FROM project_events WHERE event_key BETWEEN ?1 AND ?2")?
            .execute([low, event_key(hot.key, last - KEPT)?])?;
    }
    Ok(last)
}

/// Whether these are events as a row has them.
#[cfg(feature = "aws")]
pub(crate) fn is_readable(events: &serde_json::Value) -> bool {
    Vec::<Told>::deserialize(events).is_ok()
}

pub(crate) fn append(tx: &mut Tx<'_>, project: &ProjectId, lease: Option<&Lease>, events: &[NewEvent]) -> Result<()> {
    if tx.hot(project)?.is_none() {
        return Err(not_found("project"));
    }
    if let Some(lease) = lease
        && (lease.project_id != *project || !super::projects::holds(tx, lease)?)
    {
        return Err(fenced());
    }
    tx.emit(project, events.to_vec())
}

pub(crate) fn after(conn: &Connection, id: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>> {
    let mut rows = conn.prepare_cached(
        "SELECT e.event_key, e.events FROM nexus_projects p JOIN project_events e
           ON e.event_key BETWEEN (p.project_key << 28) + ?2 AND (p.project_key << 28) + 268435455
         WHERE p.project_id = ?1 ORDER BY e.event_key",
    )?;
    let from = i64::try_from(after.saturating_add(1)).unwrap_or(SEQ_MASK).min(SEQ_MASK);
    let mut rows = rows.query(params![id.as_str(), from])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let last = seq_of(row.get(0)?);
        let stored: Vec<Told> = match serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default()) {
            Ok(stored) => stored,
            Err(error) => {
                super::rows::skipped("project_events", id.as_str(), &error);
                continue;
            }
        };
        for event in Told::numbered_to(last, stored, id).filter(|event| event.seq > after) {
            if found.len() >= limit {
                return Ok(found);
            }
            found.push(event);
        }
    }
    Ok(found)
}

#[async_trait]
impl Events for SqliteStore {
    async fn append_events(&self, project: &ProjectId, origin: Origin<'_>, events: Vec<NewEvent>) -> Result<()> {
        let project = project.clone();
        let lease = match origin {
            Origin::Lease(lease) => Some(lease.clone()),
            Origin::Daemon => None,
        };
        self.write_as(Mode::Deferred, move |tx| append(tx, &project, lease.as_ref(), &events)).await
    }

    async fn events_after(&self, project: &ProjectId, after: u64, limit: usize) -> Result<Vec<ProjectEvent>> {
        let project = project.clone();
        self.ask(move |conn| self::after(conn, &project, after, limit)).await
    }
}
