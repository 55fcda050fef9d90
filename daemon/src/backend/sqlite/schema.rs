//! The tables, and how a file of an older version becomes one of this version.
//!
//! Columns carry SPEC.md's attribute names; timestamps are ISO text, maps and lists JSON text. Rows
//! are found by small integer keys, so that what belongs together lies together: a stage's key is
//! `project_key << 10 | stage_number`, an event row's `project_key << 28 | last seq`. Random ids live
//! only in indexes that are touched when a row is born and when it dies. Nothing that changes with
//! every stage is indexed.

use rusqlite::Connection;

/// Each entry takes the file one version up.
const MIGRATIONS: &[&str] = &[
    V1,
    include_str!("schema_v2.sql"),
    include_str!("schema_v3.sql"),
    include_str!("schema_v4.sql"),
    include_str!("schema_v5.sql"),
    include_str!("schema_v6.sql"),
    include_str!("schema_v7.sql"),
    include_str!("schema_v8.sql"),
];

/// The version that gave agents names.
const NAMES: i64 = 4;

/// The version this daemon writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whether the file has no tables yet.
pub(crate) fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}

/// Runs what is missing, each step in a transaction of its own.
pub(crate) fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    migrate_to(conn, VERSION)
}

/// As [`migrate`], and no further than to `version`.
pub(crate) fn migrate_to(conn: &mut Connection, last: i64) -> rusqlite::Result<()> {
    let from = version(conn)?;
    for (step, to) in MIGRATIONS.iter().zip(1_i64..).filter(|(_, to)| *to > from && *to <= last) {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        if to == NAMES {
            super::names::name_old(&tx)?;
        }
        tx.pragma_update(None, "user_version", to)?;
        tx.commit()?;
        tracing::info!(version = to, "the store's file has a new schema version");
    }
    Ok(())
}

const V1: &str = "
CREATE TABLE nexus_projects (
    project_key INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    status TEXT NOT NULL,
    control_status TEXT NOT NULL,
    -- the task that may work on it, and who holds its lease
    task_id TEXT,
    lease_worker TEXT,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    progress REAL NOT NULL DEFAULT 0,
    current_stage TEXT,
    updated_at TEXT NOT NULL,
    aggregated_metrics TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT,
    error_info TEXT,
    pause_requested_at TEXT,
    stop_requested_at TEXT,
    resume_from_stage TEXT,
    last_control_action TEXT,
    control_action_by TEXT,
    project_name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    user_name TEXT,
    priority INTEGER NOT NULL,
    tags TEXT,
    created_at TEXT NOT NULL,
    metrics TEXT,
    workflow TEXT NOT NULL
);
CREATE UNIQUE INDEX projects_id ON nexus_projects (project_id);
CREATE INDEX projects_created ON nexus_projects (created_at);
CREATE INDEX projects_user ON nexus_projects (user_id, created_at);
CREATE INDEX projects_status ON nexus_projects (status, created_at);

-- The long texts of a project, apart from the row that changes with every stage.
CREATE TABLE project_texts (
    project_key INTEGER PRIMARY KEY,
    requirement TEXT NOT NULL,
    deployment TEXT,
    -- name and requirement in lower case, for the search
    search_text TEXT NOT NULL
);

CREATE TABLE nexus_stages (
    stage_key INTEGER PRIMARY KEY,
    stage_name TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    started_at TEXT,
    completed_at TEXT,
    duration_seconds REAL,
    input_tokens INTEGER,
    output_tokens INTEGER,
    tool_calls INTEGER,
    error_message TEXT,
    display_name TEXT NOT NULL,
    display_name_en TEXT NOT NULL,
    agent_name TEXT,
    doc_path TEXT,
    agent_output_s3_ref TEXT,
    metrics TEXT,
    logs TEXT,
    generated_files TEXT,
    design_document TEXT,
    output_data TEXT,
    agent_output_content TEXT
);

CREATE TABLE nexus_tasks (
    task_key INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    task_type TEXT NOT NULL,
    project_id TEXT NOT NULL,
    project_key INTEGER NOT NULL,
    agent_id TEXT,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    retry_count INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT,
    worker_id TEXT,
    lease_epoch INTEGER NOT NULL DEFAULT 0,
    claimed_at TEXT,
    error_message TEXT,
    result TEXT,
    payload TEXT NOT NULL
);
CREATE UNIQUE INDEX tasks_id ON nexus_tasks (task_id);
CREATE INDEX tasks_project ON nexus_tasks (project_key);
CREATE INDEX tasks_status ON nexus_tasks (status);

CREATE TABLE project_events (
    event_key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    events TEXT NOT NULL
);

CREATE TABLE queue_messages (
    message_key INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    -- received and not given back; what a crash leaves behind is judged by it
    in_flight INTEGER NOT NULL DEFAULT 0,
    receive_count INTEGER NOT NULL DEFAULT 0,
    crash_points INTEGER NOT NULL DEFAULT 0,
    task_id TEXT,
    task_key INTEGER,
    sent_at TEXT NOT NULL,
    -- dead letters: why, since when, and whether the task is marked failed
    reason TEXT,
    settled INTEGER,
    -- none: the task's payload
    body TEXT
);
CREATE INDEX messages_unsettled ON queue_messages (queue) WHERE settled = 0;

CREATE TABLE nexus_agents (
    agent_key INTEGER PRIMARY KEY,
    agent_id TEXT NOT NULL,
    project_id TEXT,
    agent_name TEXT NOT NULL,
    description TEXT NOT NULL,
    category TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    deployment_type TEXT NOT NULL,
    agentcore_config TEXT,
    capabilities TEXT,
    tools TEXT,
    prompt_path TEXT,
    code_path TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deployed_at TEXT,
    agentcore_runtime_arn TEXT,
    agentcore_runtime_alias TEXT,
    agentcore_region TEXT,
    total_invocations INTEGER NOT NULL DEFAULT 0,
    successful_invocations INTEGER NOT NULL DEFAULT 0,
    failed_invocations INTEGER NOT NULL DEFAULT 0,
    avg_duration_ms REAL NOT NULL DEFAULT 0,
    last_invoked_at TEXT,
    error_message TEXT,
    agent_dir TEXT NOT NULL,
    deployment_config TEXT,
    deployment_details TEXT
);
CREATE UNIQUE INDEX agents_id ON nexus_agents (agent_id);
CREATE INDEX agents_project ON nexus_agents (project_id);
CREATE INDEX agents_status ON nexus_agents (status, created_at);
CREATE INDEX agents_category ON nexus_agents (category, created_at);
CREATE INDEX agents_created ON nexus_agents (created_at);

CREATE TABLE nexus_invocations (
    invocation_key INTEGER PRIMARY KEY,
    invocation_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    session_id TEXT,
    user_id TEXT NOT NULL,
    input_text TEXT NOT NULL,
    output_text TEXT,
    status TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    error_message TEXT,
    created_at TEXT NOT NULL,
    metadata TEXT
);
CREATE UNIQUE INDEX invocations_id ON nexus_invocations (invocation_id);
CREATE INDEX invocations_agent ON nexus_invocations (agent_id, created_at);
CREATE INDEX invocations_session ON nexus_invocations (session_id, created_at);
CREATE INDEX invocations_created ON nexus_invocations (created_at);

CREATE TABLE nexus_sessions (
    session_key INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    user_id TEXT,
    display_name TEXT,
    status TEXT NOT NULL,
    message_count INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    last_active_at TEXT NOT NULL,
    metadata TEXT
);
CREATE UNIQUE INDEX sessions_id ON nexus_sessions (session_id);
CREATE INDEX sessions_agent ON nexus_sessions (agent_id, last_active_at);

CREATE TABLE nexus_messages (
    message_key INTEGER PRIMARY KEY,
    session_key INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at TEXT NOT NULL,
    metadata TEXT
);
CREATE UNIQUE INDEX messages_id ON nexus_messages (session_key, message_id);
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_vendor_calls_a_deployment_by_moves_into_its_options() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate_to(&mut conn, 6).unwrap();
        for (id, arn, config) in [("agent_a", Some("arn:1"), Some(r#"{"agent_arn": "x"}"#)), ("agent_b", None, None)] {
            let sql = "INSERT INTO nexus_agents (agent_id, agent_name, display_name, description, category, version,
                    status, deployment_type, created_at, updated_at, agent_dir, agentcore_runtime_arn, agentcore_config)
                VALUES (?1, ?1, ?1, '', '', '1', 'offline', 'agentcore', ?2, ?2, 'agent', ?3, ?4)";
            conn.execute(sql, (id, "2026-01-01T00:00:00.000000Z", arn, config)).unwrap();
        }
        migrate(&mut conn).unwrap();
        let options = |id: &str| {
            let agent = super::super::agents::read(&conn, &id.parse().unwrap()).unwrap().unwrap();
            assert_eq!(agent.deployment.target, "agentcore");
            json!(agent.deployment.options)
        };
        assert_eq!(
            options("agent_a"),
            json!({"agentcore_runtime_arn": "arn:1", "agentcore_config": {"agent_arn": "x"}})
        );
        assert_eq!(options("agent_b"), json!({}));
    }
}
