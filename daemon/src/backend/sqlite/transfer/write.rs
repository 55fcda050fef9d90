//! Records to rows. What is there already stays as it is.

use rusqlite::{OptionalExtension as _, params};
use serde_json::Value;

use crate::{
    backend::{
        aws::dynamodb::{
            codec::{Reader, Record as _, StoredProject, StoredTask},
            transfer::{item, lacks, project_of},
        },
        sqlite::{
            agents, events, names, projects,
            rows::{self, NewRow},
            sessions, stages,
            tx::{Outgoing, Tx},
        },
        store::{
            Result,
            transfer::{Kind, Record, Written, being_deleted},
        },
    },
    domain::{
        agent::{Agent, Invocation},
        deletion::DeletedKind,
        ids::{AgentId, ProjectId},
        queue::QueueName,
        session::{Message, Session},
        stage::Stage,
        time::Timestamp,
        tool::Tool,
    },
};

/// What became of one record.
enum Became {
    Written,
    Present,
    Orphaned,
}

impl Became {
    /// By the number of rows that an insert made.
    const fn of(rows: usize) -> Self {
        if rows == 0 { Self::Present } else { Self::Written }
    }
}

pub(super) fn put(tx: &mut Tx<'_>, kind: Kind, records: &[Record]) -> Result<Written> {
    // The figures move by themselves: what moves now is not counted a second time.
    let silenced = if kind == Kind::Invocations { silence(tx)? } else { None };
    let written = all(tx, kind, records);
    // Also when a record was refused: what was written before it is committed.
    if let Some(trigger) = silenced {
        tx.conn().execute_batch(&trigger)?;
    }
    written
}

fn all(tx: &mut Tx<'_>, kind: Kind, records: &[Record]) -> Result<Written> {
    let mut sum = Written::default();
    for record in records {
        match one(tx, kind, record)? {
            Became::Written => sum.written += 1,
            Became::Present => sum.present += 1,
            Became::Orphaned => sum.orphaned += 1,
        }
    }
    Ok(sum)
}

/// Takes the trigger that counts invocations away, within this transaction; answers what brings it back.
fn silence(tx: &Tx<'_>) -> Result<Option<String>> {
    let find = "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = 'invocation_recorded'";
    let sql: Option<String> = tx.conn().query_row(find, [], |row| row.get(0)).optional()?;
    if sql.is_some() {
        tx.conn().execute_batch("DROP TRIGGER main.invocation_recorded")?;
    }
    Ok(sql)
}

fn one(tx: &mut Tx<'_>, kind: Kind, record: &Record) -> Result<Became> {
    let item = item(record);
    match kind {
        Kind::Projects => project(tx, &StoredProject::from_item(&item)?),
        Kind::Stages => stage(tx, &Stage::from_item(&item)?),
        Kind::Events => event(tx, record),
        Kind::Agents => agent(tx, &Agent::from_item(&item)?, item.contains_key("display_name")),
        Kind::Tools => tool(tx, &Tool::from_item(&item)?, Reader(&item).text("code").as_deref()),
        Kind::Sessions => session(tx, &Session::from_item(&item)?),
        Kind::Messages => message(tx, &Message::from_item(&item)?),
        Kind::Invocations => invocation(tx, &Invocation::from_item(&item)?),
        Kind::Figures => figures(tx, record),
        Kind::Answers => answer(tx, record),
        Kind::DeadLetters => dead_letter(tx, record),
        Kind::Tasks => task(tx, &StoredTask::from_item(&item)?),
        Kind::Files => Ok(Became::Present),
    }
}

fn key_of(tx: &Tx<'_>, id: &ProjectId) -> Result<Option<i64>> {
    let mut find = tx.sql("SELECT project_key FROM nexus_projects WHERE project_id = ?1")?;
    Ok(find.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

/// Refuses a thing of the id of one that was deleted and of which something still lies on this machine.
fn check_deleted(tx: &Tx<'_>, kind: DeletedKind, id: &str) -> Result<()> {
    let mut find = tx.sql("SELECT 1 FROM deletions WHERE kind = ?1 AND subject_id = ?2 AND settled_at IS NULL")?;
    if find.exists([kind.as_str(), id])? { Err(being_deleted(kind, id)) } else { Ok(()) }
}

fn project(tx: &Tx<'_>, stored: &StoredProject) -> Result<Became> {
    let p = &stored.project;
    if key_of(tx, &p.project_id)?.is_some() {
        return Ok(Became::Present);
    }
    check_deleted(tx, DeletedKind::Project, p.project_id.as_str())?;
    let row = NewRow {
        into: "INSERT INTO nexus_projects",
        keys: &[("project_key", projects::NEXT_KEY)],
        beside: &[("lease_epoch", stored.lease_epoch.into())],
        without: &["requirement", "deployment", "coverage", "not_served", "acceptance"],
        ..NewRow::default()
    };
    row.write(tx, p)?;
    projects::insert_texts(tx, tx.conn().last_insert_rowid(), p)?;
    Ok(Became::Written)
}

fn stage(tx: &Tx<'_>, s: &Stage) -> Result<Became> {
    let Some(project) = key_of(tx, &s.project_id)? else { return Ok(Became::Orphaned) };
    let number = i64::from(s.stage_number);
    if s.stage_name.is_empty() {
        return Err(lacks("stage_name"));
    }
    if !(1..=stages::MOST as i64).contains(&number) {
        return Err(lacks("stage_number"));
    }
    let row = NewRow {
        into: "INSERT OR IGNORE INTO nexus_stages",
        beside: &[("stage_key", stages::key(project, number).into())],
        without: &["project_id", "stage_number"],
        ..NewRow::default()
    };
    row.write(tx, s).map(Became::of)
}

fn event(tx: &Tx<'_>, record: &Record) -> Result<Became> {
    let Some(project) = key_of(tx, &project_of(record)?)? else { return Ok(Became::Orphaned) };
    let seq = record.get("seq").and_then(Value::as_u64).ok_or_else(|| lacks("seq"))?;
    let time = record.get("at").and_then(Value::as_str).and_then(|text| text.parse().ok());
    let time: Timestamp = time.ok_or_else(|| lacks("at"))?;
    let told = record.get("events").ok_or_else(|| lacks("events"))?;
    if !events::is_readable(told) {
        return Err(lacks("events"));
    }
    let rows = tx
        .sql("INSERT OR IGNORE INTO project_events (event_key, at, events) VALUES (?1, ?2, ?3)")?
        .execute(params![events::event_key(project, seq)?, time.as_micros(), told.to_string()])?;
    Ok(Became::of(rows))
}

fn agent(tx: &Tx<'_>, a: &Agent, named: bool) -> Result<Became> {
    let mut find = tx.sql("SELECT 1 FROM nexus_agents WHERE agent_id = ?1")?;
    if find.exists([a.agent_id.as_str()])? {
        return Ok(Became::Present);
    }
    check_deleted(tx, DeletedKind::Agent, a.agent_id.as_str())?;
    agents::put(tx, a)?;
    if named {
        names::keep(tx.conn(), &a.display_name)?;
    }
    Ok(Became::Written)
}

fn tool(tx: &Tx<'_>, t: &Tool, code: Option<&str>) -> Result<Became> {
    let beside = [("code", code.into())];
    NewRow { into: "INSERT OR IGNORE INTO nexus_tools", beside: &beside, ..NewRow::default() }
        .write(tx, t)
        .map(Became::of)
}

fn session(tx: &Tx<'_>, s: &Session) -> Result<Became> {
    let keys = [("session_key", sessions::NEXT_KEY)];
    NewRow { into: "INSERT OR IGNORE INTO nexus_sessions", keys: &keys, ..NewRow::default() }
        .write(tx, s)
        .map(Became::of)
}

fn message(tx: &Tx<'_>, m: &Message) -> Result<Became> {
    let mut find = tx.sql("SELECT session_key FROM nexus_sessions WHERE session_id = ?1")?;
    let session: Option<i64> = find.query_row([m.session_id.as_str()], |row| row.get(0)).optional()?;
    let Some(session) = session else { return Ok(Became::Orphaned) };
    let row = NewRow {
        into: "INSERT OR IGNORE INTO nexus_messages",
        beside: &[("session_key", session.into())],
        without: &["session_id"],
        ..NewRow::default()
    };
    row.write(tx, m).map(Became::of)
}

fn invocation(tx: &Tx<'_>, i: &Invocation) -> Result<Became> {
    let mut find = tx.sql("SELECT 1 FROM nexus_invocations WHERE invocation_id = ?1")?;
    if find.exists([i.invocation_id.as_str()])? {
        return Ok(Became::Present);
    }
    rows::insert_invocation(tx, i)?;
    Ok(Became::Written)
}

fn figures(tx: &Tx<'_>, record: &Record) -> Result<Became> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let number = |name: &str| record.get(name).and_then(Value::as_f64).unwrap_or(0.0).max(0.0);
    let whole = |name: &str| record.get(name).and_then(Value::as_i64).unwrap_or(0).max(0);
    let rows = tx
        .sql("INSERT OR IGNORE INTO day_figures (day, kind, good, bad, spent) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![text("day")?, text("kind")?, whole("good"), whole("bad"), number("spent_ms")])?;
    Ok(Became::of(rows))
}

fn answer(tx: &Tx<'_>, record: &Record) -> Result<Became> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let created: Timestamp = text("created_at")?.parse().map_err(|_| lacks("created_at"))?;
    let answer = record.get("answer").ok_or_else(|| lacks("answer"))?;
    let rows = tx
        .sql(
            "INSERT OR IGNORE INTO idempotency_keys (once_key, fingerprint, answer, created_at)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![text("key")?, text("fingerprint")?, answer.to_string(), created.to_string()])?;
    Ok(Became::of(rows))
}

/// The same letter is known by its words: ids are the queue's own.
fn dead_letter(tx: &mut Tx<'_>, record: &Record) -> Result<Became> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let queue = QueueName::ALL.into_iter().find(|queue| record.get("queue").is_some_and(|name| name == queue.as_str()));
    let (queue, body, reason) = (queue.ok_or_else(|| lacks("queue"))?, text("body")?, text("reason")?);
    let known = "SELECT 1 FROM queue_messages WHERE queue = ?1 AND body = ?2 AND reason = ?3";
    if tx.sql(known)?.exists([queue.as_str(), body, reason])? {
        return Ok(Became::Present);
    }
    let priority = record.get("priority").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok()).unwrap_or(3);
    tx.send(&Outgoing { queue, priority: priority.clamp(1, 5), task: None, body: Some(body) })?;
    // What it was of has failed where it comes from.
    tx.sql("UPDATE queue_messages SET reason = ?1, settled = 1 WHERE message_key = last_insert_rowid()")?
        .execute([reason])?;
    Ok(Became::Written)
}

fn task(tx: &Tx<'_>, stored: &StoredTask) -> Result<Became> {
    let t = &stored.task;
    let Some(project) = key_of(tx, &t.project_id)? else { return Ok(Became::Orphaned) };
    let row = NewRow {
        into: "INSERT OR IGNORE INTO nexus_tasks",
        beside: &[
            ("project_key", project.into()),
            ("agent_id", stored.agent_id.as_ref().map(AgentId::as_str).into()),
            ("lease_epoch", stored.epoch.into()),
            ("claimed_at", t.started_at.map(|at| at.to_string()).into()),
            // Also where there is none.
            ("payload", Value::String(t.payload.to_string())),
        ],
        without: &["payload"],
        ..NewRow::default()
    };
    row.write(tx, t).map(Became::of)
}

/// A task for a project that names one that is over, or none.
pub(super) fn adopt(tx: &mut Tx<'_>, record: &Record) -> Result<Written> {
    let stored = StoredTask::from_item(&item(record))?;
    let written = all(tx, Kind::Tasks, std::slice::from_ref(record))?;
    if written.written > 0 {
        tx.sql(
            "UPDATE nexus_projects SET task_id = ?2
             WHERE project_id = ?1 AND status IN ('pending', 'queued', 'building')",
        )?
        .execute([stored.task.project_id.as_str(), stored.task.task_id.as_str()])?;
    }
    Ok(written)
}

/// Lists show tasks in the order of their keys, which is that of their birth.
pub(super) fn sort_tasks(tx: &Tx<'_>) -> Result<()> {
    let unsorted = "SELECT EXISTS (SELECT 1 FROM
        (SELECT created_at, lag(created_at) OVER (ORDER BY task_key) AS before FROM nexus_tasks)
        WHERE before > created_at)";
    if !tx.conn().query_row(unsorted, [], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    tx.conn().execute_batch(
        "CREATE TEMP TABLE ranks (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
         INSERT INTO ranks SELECT task_key, row_number() OVER (ORDER BY created_at, task_key) FROM nexus_tasks;
         UPDATE nexus_tasks SET task_key = -(SELECT new FROM ranks WHERE old = task_key);
         UPDATE nexus_tasks SET task_key = -task_key;
         UPDATE queue_messages SET task_key = (SELECT new FROM ranks WHERE old = task_key) WHERE task_key IS NOT NULL;
         DROP TABLE ranks;",
    )?;
    Ok(())
}
