//! Rows to domain values, and values to columns.

use std::{
    error::Error,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::{
    Row, params_from_iter,
    types::{Type, Value as Sql},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    backend::store::{Page, Result},
    domain::{
        agent::{Agent, Deployment, Invocation},
        ids::ProjectId,
        project::{Priority, Project, ProjectSummary},
        session::{Message, Session},
        stage::Stage,
        task::Task,
    },
};

static UNREADABLE: AtomicU64 = AtomicU64::new(0);

/// Rows left out of lists so far.
pub(crate) fn unreadable() -> u64 {
    UNREADABLE.load(Ordering::Relaxed)
}

/// Counts and logs a row that a list leaves out.
pub(crate) fn skipped(table: &str, id: &str, error: &(dyn Error + 'static)) {
    UNREADABLE.fetch_add(1, Ordering::Relaxed);
    metrics::counter!(crate::telemetry::names::STORE_UNREADABLE_ROWS).increment(1);
    tracing::error!(table, id, error, "a stored row cannot be read and is left out");
}

fn bad(column: usize, error: impl Into<Box<dyn Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// A text column that is parsed: ids, statuses, timestamps.
pub(crate) fn word<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error| bad(column, error))
}

/// Likewise, or NULL.
pub(crate) fn word_opt<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>>,
{
    match row.get_ref(column)?.as_str_or_null()? {
        Some(text) => text.parse().map(Some).map_err(|error| bad(column, error)),
        None => Ok(None),
    }
}

/// A JSON column, or NULL.
pub(crate) fn json_opt<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(text) => serde_json::from_str(text).map(Some).map_err(|error| bad(column, error)),
        None => Ok(None),
    }
}

/// A JSON column; NULL is the default.
pub(crate) fn json<T: DeserializeOwned + Default>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    Ok(json_opt(row, column)?.unwrap_or_default())
}

/// A value as JSON text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// A value as JSON text, none as NULL.
pub(crate) fn to_json_opt<T: Serialize>(value: Option<&T>) -> Result<Option<String>> {
    value.map(to_json).transpose()
}

/// A list as JSON text, an empty one as NULL.
pub(crate) fn list_json<T: Serialize>(list: &[T]) -> Result<Option<String>> {
    if list.is_empty() { Ok(None) } else { to_json(list).map(Some) }
}

/// SQLite's integers are signed.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.max(0).unsigned_abs())
}

/// Columns for [`project`]; needs `nexus_projects p` and `project_texts x`.
pub(crate) const PROJECT: &str = "p.project_id, p.project_name, p.status, x.requirement, p.user_id, p.user_name, \
     p.priority, p.tags, p.progress, p.current_stage, p.error_info, p.created_at, p.updated_at, p.started_at, \
     p.completed_at, p.metrics, p.control_status, p.pause_requested_at, p.stop_requested_at, p.resume_from_stage, \
     p.last_control_action, p.control_action_by, p.aggregated_metrics, p.workflow, x.deployment, p.task_id, \
     p.project_key, x.assessment";

pub(crate) fn project(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        project_id: word(row, 0)?,
        project_name: row.get(1)?,
        status: word(row, 2)?,
        requirement: row.get(3)?,
        user_id: row.get(4)?,
        user_name: row.get(5)?,
        priority: Priority::clamped(row.get(6)?),
        tags: json(row, 7)?,
        progress: row.get(8)?,
        current_stage: row.get(9)?,
        error_info: json_opt(row, 10)?,
        created_at: word(row, 11)?,
        updated_at: word(row, 12)?,
        started_at: word_opt(row, 13)?,
        completed_at: word_opt(row, 14)?,
        metrics: json_opt(row, 15)?,
        control_status: word(row, 16)?,
        pause_requested_at: word_opt(row, 17)?,
        stop_requested_at: word_opt(row, 18)?,
        resume_from_stage: row.get(19)?,
        last_control_action: row.get(20)?,
        control_action_by: row.get(21)?,
        aggregated_metrics: json(row, 22)?,
        workflow: row.get(23)?,
        deployment: json_opt(row, 24)?,
        task_id: word_opt(row, 25)?,
        assessment: json(row, 27)?,
    })
}

/// Columns for [`summary`]; needs `nexus_projects p`.
pub(crate) const SUMMARY: &str = "p.project_id, p.project_name, p.status, p.progress, p.current_stage, p.created_at, \
     p.updated_at";

pub(crate) fn summary(row: &Row<'_>) -> rusqlite::Result<ProjectSummary> {
    Ok(ProjectSummary {
        project_id: word(row, 0)?,
        project_name: row.get(1)?,
        status: word(row, 2)?,
        progress: row.get(3)?,
        current_stage: row.get(4)?,
        created_at: word(row, 5)?,
        updated_at: word(row, 6)?,
    })
}

pub(crate) const STAGE: &str = "stage_key, stage_name, display_name, display_name_en, status, agent_name, started_at, \
     completed_at, duration_seconds, input_tokens, output_tokens, tool_calls, output_data, error_message, logs, \
     doc_path, agent_output_content, agent_output_s3_ref, generated_files, design_document, metrics, attempt";

pub(crate) fn stage(row: &Row<'_>, project_id: &ProjectId) -> rusqlite::Result<Stage> {
    let tokens = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(|n| n.max(0).unsigned_abs()));
    Ok(Stage {
        project_id: project_id.clone(),
        stage_number: super::stages::number_of(row.get(0)?),
        stage_name: row.get(1)?,
        display_name: row.get(2)?,
        display_name_en: row.get(3)?,
        status: word(row, 4)?,
        agent_name: row.get(5)?,
        started_at: word_opt(row, 6)?,
        completed_at: word_opt(row, 7)?,
        duration_seconds: row.get(8)?,
        input_tokens: tokens(9)?,
        output_tokens: tokens(10)?,
        tool_calls: tokens(11)?,
        output_data: json_opt(row, 12)?,
        error_message: row.get(13)?,
        logs: json(row, 14)?,
        doc_path: row.get(15)?,
        agent_output_content: row.get(16)?,
        agent_output_s3_ref: row.get(17)?,
        generated_files: json(row, 18)?,
        design_document: json_opt(row, 19)?,
        metrics: json_opt(row, 20)?,
        attempt: row.get(21)?,
    })
}

pub(crate) const TASK: &str = "task_id, task_type, project_id, status, priority, payload, result, error_message, \
     retry_count, created_at, started_at, completed_at, worker_id, updated_at";

pub(crate) fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        task_id: word(row, 0)?,
        task_type: word(row, 1)?,
        project_id: word(row, 2)?,
        status: word(row, 3)?,
        priority: Priority::clamped(row.get(4)?),
        payload: json(row, 5)?,
        result: json_opt(row, 6)?,
        error_message: row.get(7)?,
        retry_count: row.get(8)?,
        created_at: word(row, 9)?,
        started_at: word_opt(row, 10)?,
        completed_at: word_opt(row, 11)?,
        worker_id: word_opt(row, 12)?,
        updated_at: word(row, 13)?,
    })
}

pub(crate) const AGENT: &str = "agent_id, project_id, agent_name, description, category, version, status, \
     deployment_type, deployment_options, capabilities, tools, prompt_path, code_path, created_at, updated_at, \
     deployed_at, total_invocations, \
     successful_invocations, failed_invocations, avg_duration_ms, last_invoked_at, error_message, agent_dir, \
     deployment_config, deployment_details, generation, display_name, assessment, \
     file_hashes";

pub(crate) fn agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        agent_id: word(row, 0)?,
        project_id: word_opt(row, 1)?,
        agent_name: row.get(2)?,
        description: row.get(3)?,
        category: row.get(4)?,
        version: row.get(5)?,
        status: word(row, 6)?,
        deployment: Deployment { target: row.get(7)?, options: json(row, 8)? },
        capabilities: json(row, 9)?,
        tools: json(row, 10)?,
        prompt_path: row.get(11)?,
        code_path: row.get(12)?,
        created_at: word(row, 13)?,
        updated_at: word(row, 14)?,
        deployed_at: word_opt(row, 15)?,
        total_invocations: count(row, 16)?,
        successful_invocations: count(row, 17)?,
        failed_invocations: count(row, 18)?,
        avg_duration_ms: row.get(19)?,
        last_invoked_at: word_opt(row, 20)?,
        error_message: row.get(21)?,
        agent_dir: row.get(22)?,
        deployment_config: json_opt(row, 23)?,
        deployment_details: json_opt(row, 24)?,
        generation: count(row, 25)?,
        display_name: row.get(26)?,
        assessment: json(row, 27)?,
        files: json(row, 28)?,
    })
}

pub(crate) const SESSION: &str = "session_id, agent_id, user_id, display_name, status, message_count, created_at, \
     last_active_at, metadata";

pub(crate) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        session_id: word(row, 0)?,
        agent_id: word(row, 1)?,
        user_id: row.get(2)?,
        display_name: row.get(3)?,
        status: word(row, 4)?,
        message_count: count(row, 5)?,
        created_at: word(row, 6)?,
        last_active_at: word(row, 7)?,
        metadata: json_opt(row, 8)?,
    })
}

/// Columns for [`message`]; needs `nexus_messages m` and `nexus_sessions s`.
pub(crate) const MESSAGE: &str = "s.session_id, m.message_id, m.role, m.content, m.created_at, m.metadata";

pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        session_id: word(row, 0)?,
        message_id: word(row, 1)?,
        role: word(row, 2)?,
        content: row.get(3)?,
        created_at: word(row, 4)?,
        metadata: json_opt(row, 5)?,
    })
}

/// Writes an invocation's row, above every key that a deletion under way has marked.
pub(crate) fn insert_invocation(tx: &super::tx::Tx<'_>, invocation: &Invocation) -> Result<()> {
    let next = "1 + max((SELECT coalesce(max(invocation_key), 0) FROM nexus_invocations),
        (SELECT coalesce(max(last_invocation), 0) FROM doomed_agents))";
    let keys = [("invocation_key", next)];
    NewRow { into: "INSERT INTO nexus_invocations", keys: &keys, ..NewRow::default() }.write(tx, invocation).map(drop)
}

/// A row that is made of a thing's JSON: each field is the column of its name. For what is written seldom.
#[derive(Default)]
pub(crate) struct NewRow<'r> {
    /// The statement, as far as the columns.
    pub(crate) into: &'r str,
    /// Columns that SQL makes.
    pub(crate) keys: &'r [(&'r str, &'r str)],
    /// Columns that are no fields.
    pub(crate) beside: &'r [(&'r str, Value)],
    /// Fields that are no columns.
    pub(crate) without: &'r [&'r str],
    /// What follows the values.
    pub(crate) then: &'r str,
}

/// Columns that hold any JSON; of the others text stands as it is.
const DOCUMENTS: [&str; 6] = ["metrics", "output_data", "design_document", "result", "schema", "metadata"];

impl NewRow<'_> {
    /// Answers how many rows it made.
    pub(crate) fn write(&self, tx: &super::tx::Tx<'_>, thing: &impl Serialize) -> Result<usize> {
        let fields = match serde_json::to_value(thing)? {
            Value::Object(fields) => fields,
            _ => return Err(super::error::invalid("only an object is a row")),
        };
        let mut columns: Vec<&str> = self.keys.iter().map(|(name, _)| *name).collect();
        let mut values: Vec<String> = self.keys.iter().map(|(_, sql)| (*sql).to_owned()).collect();
        let mut params = Vec::new();
        let fields = fields.iter().filter(|(name, _)| !self.without.contains(&name.as_str()));
        let beside = self.beside.iter().map(|(name, value)| (*name, value));
        for (name, value) in fields.map(|(name, value)| (name.as_str(), value)).chain(beside) {
            columns.push(name);
            params.push(column(name, value)?);
            values.push(format!("?{}", params.len()));
        }
        let sql = format!("{} ({}) VALUES ({}) {}", self.into, columns.join(", "), values.join(", "), self.then);
        Ok(tx.sql(&sql)?.execute(params_from_iter(params))?)
    }
}

fn column(name: &str, value: &Value) -> Result<Sql> {
    Ok(match value {
        Value::Null => Sql::Null,
        Value::Array(items) if items.is_empty() => Sql::Null,
        value if DOCUMENTS.contains(&name) => Sql::Text(to_json(value)?),
        Value::String(text) => Sql::Text(text.clone()),
        Value::Bool(flag) => Sql::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => Sql::Integer(integer(whole)),
            (None, Some(whole)) => Sql::Integer(whole),
            (None, None) => Sql::Real(number.as_f64().unwrap_or_default()),
        },
        Value::Array(_) | Value::Object(_) => Sql::Text(to_json(value)?),
    })
}

/// A page without rows.
pub(crate) fn empty_page<T>() -> Page<T> {
    Page { items: Vec::new(), total: 0, next_cursor: None }
}
