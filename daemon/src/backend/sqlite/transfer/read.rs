//! Rows to records, in the order of their keys. A place is the key of a row.
//!
//! Rows that are marked to be removed (see `sweep`) are gone for everybody, so they do not move either.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use crate::{
    backend::{
        aws::dynamodb::{
            codec::{Record as _, StoredProject, StoredTask},
            transfer::{lacks, record},
            value,
        },
        error::not_found,
        sqlite::{events, rows, sessions::ALIVE, tools},
        store::{
            Result,
            transfer::{Batch, Kind, Record},
        },
    },
    domain::{
        agent::Invocation,
        ids::{ProjectId, WorkerId},
        time::Timestamp,
    },
};

/// Rows of one batch.
const PAGE: usize = 200;

type Read = fn(&Row<'_>) -> Result<Record>;

/// The rows of a kind behind a key: the key first, then the columns.
fn query(kind: Kind) -> Option<(String, Read)> {
    let (sql, read): (String, Read) = match kind {
        Kind::Projects => (
            format!(
                "SELECT {}, p.lease_epoch, (SELECT max(event_key) FROM project_events WHERE event_key
                     BETWEEN p.project_key << 28 AND (p.project_key << 28) + 268435455)
                 FROM nexus_projects p JOIN project_texts x USING (project_key)
                 WHERE p.project_key > ?1 ORDER BY p.project_key LIMIT ?2",
                rows::PROJECT
            ),
            project,
        ),
        Kind::Stages => (
            format!(
                "SELECT {}, (SELECT project_id FROM nexus_projects p WHERE p.project_key = stage_key >> 10)
                 FROM nexus_stages WHERE stage_key > ?1 ORDER BY stage_key LIMIT ?2",
                rows::STAGE
            ),
            |row| {
                let id: ProjectId = rows::word(row, 22)?;
                Ok(record(&rows::stage(row, &id)?.to_item()?))
            },
        ),
        Kind::Events => (
            "SELECT event_key, at, events, (SELECT project_id FROM nexus_projects p WHERE p.project_key = event_key >> 28)
             FROM project_events WHERE event_key > ?1
                 AND NOT EXISTS (SELECT 1 FROM doomed_projects d WHERE d.project_key = event_key >> 28)
             ORDER BY event_key LIMIT ?2"
                .to_owned(),
            event,
        ),
        Kind::Agents => (
            format!("SELECT {}, agent_key FROM nexus_agents WHERE agent_key > ?1 ORDER BY agent_key LIMIT ?2", rows::AGENT),
            |row| Ok(record(&rows::agent(row)?.to_item()?)),
        ),
        Kind::Tools => (
            format!("SELECT {}, code, tool_key FROM nexus_tools WHERE tool_key > ?1 ORDER BY tool_key LIMIT ?2", tools::TOOL),
            |row| {
                let mut told = record(&tools::tool(row)?.to_item()?);
                if let Some(code) = row.get::<_, Option<String>>(15)? {
                    told.insert("code".into(), code.into());
                }
                Ok(told)
            },
        ),
        Kind::Sessions => (
            format!(
                "SELECT {}, (SELECT max(message_id) FROM nexus_messages m WHERE m.session_key = s.session_key), session_key
                 FROM nexus_sessions s WHERE session_key > ?1{ALIVE} ORDER BY session_key LIMIT ?2",
                rows::SESSION
            ),
            |row| {
                let mut told = record(&rows::session(row)?.to_item()?);
                if let Some(last) = row.get::<_, Option<String>>(9)? {
                    told.insert("last_message_id".into(), last.into());
                }
                Ok(told)
            },
        ),
        Kind::Messages => (
            format!(
                "SELECT {}, m.message_key FROM nexus_messages m JOIN nexus_sessions s USING (session_key)
                 WHERE m.message_key > ?1{ALIVE} ORDER BY m.message_key LIMIT ?2",
                rows::MESSAGE
            ),
            |row| Ok(record(&rows::message(row)?.to_item()?)),
        ),
        Kind::Invocations => (
            "SELECT invocation_id, agent_id, session_id, user_id, input_text, output_text, status, duration_ms,
                 input_tokens, output_tokens, error_message, created_at, metadata, invocation_key
             FROM nexus_invocations i WHERE invocation_key > ?1
                 AND NOT EXISTS (SELECT 1 FROM doomed_agents d
                     WHERE d.agent_id = i.agent_id AND i.invocation_key <= d.last_invocation)
             ORDER BY invocation_key LIMIT ?2"
                .to_owned(),
            |row| Ok(record(&invocation(row)?.to_item()?)),
        ),
        Kind::Figures => (
            "SELECT kind, day, good, bad, spent, place FROM
                 (SELECT *, row_number() OVER (ORDER BY kind, day) AS place FROM day_figures)
             WHERE place > ?1 ORDER BY place LIMIT ?2"
                .to_owned(),
            figures,
        ),
        Kind::Answers => (
            "SELECT once_key, fingerprint, answer, created_at, place FROM
                 (SELECT *, row_number() OVER (ORDER BY once_key) AS place FROM idempotency_keys
                  WHERE answer IS NOT NULL)
             WHERE place > ?1 ORDER BY place LIMIT ?2"
                .to_owned(),
            answer,
        ),
        Kind::DeadLetters => (
            "SELECT queue, priority, coalesce(reason, ''),
                 coalesce(body, (SELECT payload FROM nexus_tasks t WHERE t.task_key = queue_messages.task_key), ''),
                 message_key
             FROM queue_messages WHERE message_key > ?1 AND queue LIKE '%dlq' ORDER BY message_key LIMIT ?2"
                .to_owned(),
            dead_letter,
        ),
        Kind::Tasks => (
            format!(
                "SELECT {}, agent_id, lease_epoch, task_key FROM nexus_tasks WHERE task_key > ?1
                 ORDER BY task_key LIMIT ?2",
                rows::TASK
            ),
            task,
        ),
        Kind::Files => return None,
    };
    Some((sql, read))
}

/// Which column of the query is the key.
fn key_column(kind: Kind, columns: usize) -> usize {
    match kind {
        Kind::Projects => 26,
        Kind::Stages | Kind::Events => 0,
        _ => columns.saturating_sub(1),
    }
}

fn project(row: &Row<'_>) -> Result<Record> {
    let last: Option<i64> = row.get(29)?;
    let project = rows::project(row)?;
    let stored = StoredProject {
        // The figures by day move, too.
        counted: project.completed_at,
        project,
        revision: 1,
        event_seq: last.map_or(0, events::seq_of),
        lease_worker: None,
        lease_epoch: row.get(28)?,
        last_step: None,
        stated: None,
        stated_revision: None,
        other_sums: serde_json::Map::new(),
    };
    Ok(record(&stored.to_item()?))
}

fn event(row: &Row<'_>) -> Result<Record> {
    let (key, micros): (i64, i64) = (row.get(0)?, row.get(1)?);
    let project: ProjectId = rows::word(row, 3)?;
    let events: Value = rows::json(row, 2)?;
    Ok(Record::from_iter([
        ("project_id".to_owned(), project.as_str().into()),
        ("seq".to_owned(), events::seq_of(key).into()),
        ("at".to_owned(), Timestamp::from_micros(micros).to_string().into()),
        ("events".to_owned(), events),
    ]))
}

fn invocation(row: &Row<'_>) -> Result<Invocation> {
    Ok(Invocation {
        invocation_id: rows::word(row, 0)?,
        agent_id: rows::word(row, 1)?,
        session_id: rows::word_opt(row, 2)?,
        user_id: row.get(3)?,
        input_text: row.get(4)?,
        output_text: row.get(5)?,
        status: rows::word(row, 6)?,
        duration_ms: rows::count(row, 7)?,
        input_tokens: rows::count(row, 8)?,
        output_tokens: rows::count(row, 9)?,
        error_message: row.get(10)?,
        created_at: rows::word(row, 11)?,
        metadata: rows::json_opt(row, 12)?,
        tool_names: Vec::new(),
    })
}

fn figures(row: &Row<'_>) -> Result<Record> {
    let told = json!({
        "kind": row.get::<_, String>(0)?,
        "day": row.get::<_, String>(1)?,
        "good": rows::count(row, 2)?,
        "bad": rows::count(row, 3)?,
        "spent_ms": row.get::<_, f64>(4)?,
    });
    told.as_object().cloned().ok_or_else(|| lacks("kind"))
}

fn answer(row: &Row<'_>) -> Result<Record> {
    let told = json!({
        "key": row.get::<_, String>(0)?,
        "fingerprint": row.get::<_, String>(1)?,
        "answer": rows::json_opt::<Value>(row, 2)?,
        "created_at": row.get::<_, String>(3)?,
    });
    told.as_object().cloned().ok_or_else(|| lacks("key"))
}

fn dead_letter(row: &Row<'_>) -> Result<Record> {
    let told = json!({
        "queue": row.get::<_, String>(0)?,
        "priority": row.get::<_, i64>(1)?,
        "reason": row.get::<_, String>(2)?,
        "body": row.get::<_, String>(3)?,
        "id": row.get::<_, i64>(4)?.to_string(),
    });
    told.as_object().cloned().ok_or_else(|| lacks("queue"))
}

fn task(row: &Row<'_>) -> Result<Record> {
    let task = rows::task(row)?;
    // Nobody holds a lease in the next place.
    let worker: Option<WorkerId> = task.worker_id.clone();
    let stored = StoredTask::of(task, rows::word_opt(row, 14)?, row.get(15)?);
    let mut item = stored.to_item()?;
    if let Some(worker) = worker {
        item.insert("worker_id".into(), value::text(worker.as_str()));
    }
    Ok(record(&item))
}

pub(super) fn batch(conn: &Connection, kind: Kind, from: Option<&Value>) -> Result<Batch> {
    let Some((sql, read)) = query(kind) else { return Ok(Batch::default()) };
    let mut statement = conn.prepare_cached(&sql)?;
    let column = key_column(kind, statement.column_count());
    let after = from.and_then(Value::as_i64).unwrap_or(i64::MIN);
    let mut found = statement.query(params![after, rows::integer(PAGE as u64)])?;
    let (mut batch, mut count, mut last) = (Batch::default(), 0, after);
    while let Some(row) = found.next()? {
        (count, last) = (count + 1, row.get(column)?);
        match read(row) {
            Ok(record) => batch.records.push(record),
            Err(error) => {
                let why = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                batch.unreadable.push(format!("{}, row {last}: {error}{why}", kind.name()));
            }
        }
    }
    batch.next = (count == PAGE).then(|| last.into());
    Ok(batch)
}

pub(super) fn behind(conn: &Connection, kind: Kind, last: &Record) -> Result<Value> {
    let text = |name: &str| last.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let whole = |name: &str| last.get(name).and_then(Value::as_i64).ok_or_else(|| lacks(name));
    let key = |sql: &str, id: &str| -> Result<i64> {
        let found = conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?;
        found.ok_or_else(|| not_found("record"))
    };
    let project = || key("SELECT project_key FROM nexus_projects WHERE project_id = ?1", text("project_id")?);
    let place = match kind {
        Kind::Projects => project()?,
        Kind::Stages => (project()? << 10) | whole("stage_number")?,
        Kind::Events => (project()? << 28) | whole("seq")?,
        Kind::Agents => key("SELECT agent_key FROM nexus_agents WHERE agent_id = ?1", text("agent_id")?)?,
        Kind::Tools => key("SELECT tool_key FROM nexus_tools WHERE tool_id = ?1", text("tool_id")?)?,
        Kind::Sessions => key("SELECT session_key FROM nexus_sessions WHERE session_id = ?1", text("session_id")?)?,
        Kind::Messages => {
            let sql = "SELECT message_key FROM nexus_messages JOIN nexus_sessions USING (session_key)
                       WHERE session_id = ?1 AND message_id = ?2";
            let ids = [text("session_id")?, text("message_id")?];
            let found = conn.prepare_cached(sql)?.query_row(ids, |row| row.get(0)).optional()?;
            found.ok_or_else(|| not_found("record"))?
        }
        Kind::Invocations => {
            key("SELECT invocation_key FROM nexus_invocations WHERE invocation_id = ?1", text("invocation_id")?)?
        }
        Kind::Tasks => key("SELECT task_key FROM nexus_tasks WHERE task_id = ?1", text("task_id")?)?,
        // Few: again from the start.
        Kind::Figures | Kind::Answers | Kind::DeadLetters | Kind::Files => return Ok(Value::Null),
    };
    Ok(place.into())
}
