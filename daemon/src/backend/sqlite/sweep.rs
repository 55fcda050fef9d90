//! Removing many rows without keeping anybody waiting: a mark makes them gone for everybody at once, and then they go in
//! small bites between the requests of others, also after a restart. Afterwards the file gives free pages back, in bites
//! as well.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Inner, tx::Tx, writer::Mode};
use crate::{
    backend::store::Result,
    domain::{
        deletion::Deletion,
        ids::{AgentId, SessionId},
        time::Timestamp,
    },
};

/// How long one bite may take.
const BITE: Duration = Duration::from_millis(3);
/// Rows between two looks at the clock.
const ROWS: u32 = 40;
/// Rest after a bite, in times of what it took: the writer belongs to others.
const REST: u32 = 4;
const LEAST_REST: Duration = Duration::from_millis(4);
/// Rows that are removed at once, without a mark.
pub(crate) const FEW: u64 = 200;
/// Free pages that a file keeps for what comes next: 4 MB.
const SPARE_PAGES: i64 = 1_000;

/// Whether so few rows hang on the agent that they can go at once.
pub(crate) fn is_small(tx: &Tx<'_>, agent: &AgentId) -> Result<bool> {
    let mut count = tx.sql(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM nexus_invocations WHERE agent_id = ?1 LIMIT ?2))
             + (SELECT count(*) FROM (SELECT 1 FROM nexus_sessions s LEFT JOIN nexus_messages m USING (session_key)
                WHERE s.agent_id = ?1 LIMIT ?2))",
    )?;
    let found: i64 = count.query_row(params![agent.as_str(), super::rows::integer(FEW + 1)], |row| row.get(0))?;
    Ok(found.unsigned_abs() <= FEW)
}

/// Makes the agent's sessions, messages and invocations gone for everybody. Rows that come later, of an agent of the
/// same id, have higher keys and stay.
pub(crate) fn doom_agent(tx: &Tx<'_>, agent: &AgentId) -> Result<()> {
    tx.sql(
        "INSERT OR REPLACE INTO doomed_agents (agent_id, last_session, last_invocation)
         VALUES (?1, (SELECT coalesce(max(session_key), 0) FROM nexus_sessions),
             (SELECT coalesce(max(invocation_key), 0) FROM nexus_invocations))",
    )?
    .execute([agent.as_str()])?;
    Ok(())
}

/// Up to where the rows of an agent are of an earlier one of its id, which was deleted and is being removed: session and
/// invocation.
pub(crate) fn mark_of(tx: &Tx<'_>, agent: &AgentId) -> Result<(i64, i64)> {
    let mut find = tx.sql("SELECT last_session, last_invocation FROM doomed_agents WHERE agent_id = ?1")?;
    let mark = find.query_row([agent.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(mark.unwrap_or_default())
}

/// What a doomed agent had: sessions, messages, invocations. Those up to the mark were an earlier one's.
pub(crate) fn rows_of(conn: &Connection, agent: &AgentId, mark: (i64, i64)) -> Result<(u64, u64, u64)> {
    let sessions =
        "SELECT count(*), coalesce(sum(message_count), 0) FROM nexus_sessions s JOIN doomed_agents d USING (agent_id)
         WHERE agent_id = ?1 AND session_key <= last_session AND session_key > ?2";
    let (sessions, messages): (i64, i64) =
        conn.query_row(sessions, params![agent.as_str(), mark.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let invocations = "SELECT count(*) FROM nexus_invocations i JOIN doomed_agents d USING (agent_id)
         WHERE agent_id = ?1 AND invocation_key <= last_invocation AND invocation_key > ?2";
    let invocations: i64 = conn.query_row(invocations, params![agent.as_str(), mark.1], |row| row.get(0))?;
    Ok((sessions.unsigned_abs(), messages.unsigned_abs(), invocations.unsigned_abs()))
}

/// Removes a session: its row at once, its messages in bites. Answers how many those are.
pub(crate) fn doom_session(tx: &mut Tx<'_>, id: &SessionId) -> Result<Option<u64>> {
    let mut find = tx.sql(
        "SELECT session_key, (SELECT count(*) FROM nexus_messages m WHERE m.session_key = s.session_key), display_name
         FROM nexus_sessions s WHERE session_id = ?1
             AND NOT EXISTS (SELECT 1 FROM doomed_agents d WHERE d.agent_id = s.agent_id AND s.session_key <= d.last_session)",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let found: Option<(i64, i64, Option<String>)> = find.query_row([id.as_str()], read).optional()?;
    drop(find);
    let Some((key, messages, name)) = found else { return Ok(None) };
    let record = Deletion::session(id.as_str(), name.as_deref().unwrap_or_default(), tx.now());
    super::deletions::record(tx, &record)?;
    let messages = messages.unsigned_abs();
    if messages <= FEW {
        return super::sessions::delete_by_key(tx, key).map(Some);
    }
    tx.sql("DELETE FROM nexus_sessions WHERE session_key = ?1")?.execute([key])?;
    tx.sql("INSERT OR IGNORE INTO doomed_sessions (session_key) VALUES (?1)")?.execute([key])?;
    Ok(Some(messages))
}

/// Removes the events of a project that is gone: at once when they are few, else in bites.
pub(crate) fn doom_events(tx: &Tx<'_>, project_key: i64) -> Result<()> {
    let (low, high) = super::events::key_range(project_key);
    let mut count =
        tx.sql("SELECT count(*) FROM (SELECT 1 FROM project_events WHERE event_key BETWEEN ?1 AND ?2 LIMIT ?3)")?;
    let found: i64 = count.query_row(params![low, high, super::rows::integer(FEW + 1)], |row| row.get(0))?;
    if found.unsigned_abs() <= FEW {
        tx.sql("DELETE FROM project_events WHERE event_key BETWEEN ?1 AND ?2")?.execute([low, high])?;
    } else {
        tx.sql("INSERT OR IGNORE INTO doomed_projects (project_key) VALUES (?1)")?.execute([project_key])?;
    }
    Ok(())
}

/// One bite of what is doomed; whether there is more.
fn bite(tx: &mut Tx<'_>) -> Result<bool> {
    let begun = Instant::now();
    while begun.elapsed() < BITE {
        if !nibble(tx)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A few rows; whether there were any.
fn nibble(tx: &Tx<'_>) -> Result<bool> {
    let session: Option<i64> =
        tx.sql("SELECT session_key FROM doomed_sessions LIMIT 1")?.query_row([], |row| row.get(0)).optional()?;
    if let Some(session) = session {
        if messages(tx, session)? == 0 {
            tx.sql("DELETE FROM doomed_sessions WHERE session_key = ?1")?.execute([session])?;
        }
        return Ok(true);
    }
    let project: Option<i64> =
        tx.sql("SELECT project_key FROM doomed_projects LIMIT 1")?.query_row([], |row| row.get(0)).optional()?;
    if let Some(project) = project {
        let (low, high) = super::events::key_range(project);
        let gone = tx
            .sql(
                "DELETE FROM project_events WHERE event_key IN
                     (SELECT event_key FROM project_events WHERE event_key BETWEEN ?1 AND ?2 LIMIT ?3)",
            )?
            .execute(params![low, high, ROWS])?;
        if gone == 0 {
            tx.sql("DELETE FROM doomed_projects WHERE project_key = ?1")?.execute([project])?;
        }
        return Ok(true);
    }
    let doomed: Option<(String, i64, i64)> = tx
        .sql("SELECT agent_id, last_session, last_invocation FROM doomed_agents LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((agent, last_session, last_invocation)) = doomed else { return Ok(false) };
    let mut find =
        tx.sql("SELECT session_key FROM nexus_sessions WHERE agent_id = ?1 AND session_key <= ?2 LIMIT 1")?;
    let session: Option<i64> = find.query_row(params![agent, last_session], |row| row.get(0)).optional()?;
    if let Some(session) = session {
        if messages(tx, session)? < ROWS as usize {
            tx.sql("DELETE FROM nexus_sessions WHERE session_key = ?1")?.execute([session])?;
        }
        return Ok(true);
    }
    let gone = tx
        .sql(
            "DELETE FROM nexus_invocations WHERE invocation_key IN
                 (SELECT invocation_key FROM nexus_invocations WHERE agent_id = ?1 AND invocation_key <= ?2 LIMIT ?3)",
        )?
        .execute(params![agent, last_invocation, ROWS])?;
    if gone == 0 {
        tx.sql("DELETE FROM doomed_agents WHERE agent_id = ?1")?.execute([&agent])?;
    }
    Ok(true)
}

fn messages(tx: &Tx<'_>, session: i64) -> Result<usize> {
    Ok(tx
        .sql(
            "DELETE FROM nexus_messages WHERE message_key IN
                 (SELECT message_key FROM nexus_messages WHERE session_key = ?1 LIMIT ?2)",
        )?
        .execute(params![session, ROWS])?)
}

/// How far the events of ended projects are cleaned: what ended before is clean already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    ended: String,
    project_key: i64,
}

/// One bite of old events of ended projects from the mark on; answers how many rows went, and whether there is more. The
/// last row of a project stays: its number must not be given again.
pub(crate) fn clean_events(tx: &mut Tx<'_>, older_than: Duration) -> Result<(u64, bool)> {
    let age = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
    let cutoff = Timestamp::from_micros(tx.now().as_micros().saturating_sub(age)).to_string();
    let begun = Instant::now();
    let mut mark = tx.state.cleaned.clone();
    if mark.ended > cutoff {
        // The clock was set back, or more is to be kept than before.
        mark = Mark::default();
    }
    let mut rows = 0;
    let mut more = true;
    while more && begun.elapsed() < BITE {
        let next: Option<(String, i64)> = tx
            .sql(
                "SELECT completed_at, project_key FROM nexus_projects
                 WHERE completed_at IS NOT NULL AND completed_at < ?3 AND completed_at >= ?1
                     AND (completed_at, project_key) > (?1, ?2)
                 ORDER BY completed_at, project_key LIMIT 1",
            )?
            .query_row(params![mark.ended, mark.project_key, cutoff], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((ended, project_key)) = next else {
            more = false;
            break;
        };
        let (low, high) = super::events::key_range(project_key);
        rows += tx
            .sql(
                "DELETE FROM project_events WHERE event_key BETWEEN ?1 AND ?2
                     AND event_key < (SELECT max(event_key) FROM project_events WHERE event_key BETWEEN ?1 AND ?2)
                     AND (SELECT status FROM nexus_projects WHERE project_key = ?3)
                         IN ('completed', 'failed', 'cancelled')",
            )?
            .execute(params![low, high, project_key])? as u64;
        mark = Mark { ended, project_key };
    }
    tx.state.cleaned = mark;
    Ok((rows, more))
}

/// One bite of giving free pages back; whether there is more.
fn shrink(tx: &mut Tx<'_>) -> Result<bool> {
    let conn = tx.conn();
    let mode: i64 = conn.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    if mode != super::open::INCREMENTAL {
        return Ok(false);
    }
    let begun = Instant::now();
    while begun.elapsed() < BITE {
        let free: i64 = conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if free <= SPARE_PAGES {
            return Ok(false);
        }
        conn.execute_batch("PRAGMA incremental_vacuum(16)")?;
    }
    Ok(true)
}

/// The rest that others get after a bite that was answered after `took`.
pub(crate) async fn rest(took: Duration) {
    tokio::time::sleep((took * REST).max(LEAST_REST).min(Duration::from_millis(200))).await;
}

/// Removes what is doomed and gives free pages back, unless that is under way.
pub(crate) fn start(inner: &Arc<Inner>) {
    if inner.sweeping.swap(true, Ordering::AcqRel) {
        // Whoever sweeps looks once more before it ends.
        inner.sweep_again.store(true, Ordering::Release);
        return;
    }
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        loop {
            let done = sweep(&inner).await;
            let Some(inner) = inner.upgrade() else { return };
            if let Err(error) = done {
                tracing::debug!(%error, "rows of deleted records could not be removed; the next sweep tries again");
            } else if inner.sweep_again.swap(false, Ordering::AcqRel) {
                continue;
            }
            inner.sweeping.store(false, Ordering::Release);
            return;
        }
    });
}

/// Removes all that is doomed, without a rest: for whoever has the file alone.
#[cfg(feature = "aws")]
pub(crate) async fn finish(inner: &Inner) -> Result<()> {
    while inner.writer.call(Mode::Loose, bite).await? {}
    Ok(())
}

async fn sweep(inner: &Weak<Inner>) -> Result<()> {
    for act in [bite, shrink] {
        loop {
            let Some(inner) = inner.upgrade() else { return Ok(()) };
            let begun = Instant::now();
            // Not durable by itself: what is lost is done again, and it shares the commits of others.
            let more = inner.writer.call(Mode::Loose, act).await?;
            drop(inner);
            if !more {
                break;
            }
            rest(begun.elapsed()).await;
        }
    }
    Ok(())
}
