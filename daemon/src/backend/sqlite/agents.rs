//! Rows of agents: registered by the build that made them, changed by deployments and people.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    SqliteStore,
    error::not_found,
    held::Held,
    names,
    rows::{self, NewRow},
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    backend::store::{Agents, KeptAnswer, Result, alike::deploy_payload, naming},
    domain::{
        agent::{Agent, AgentChange, AgentStatus, Invocation, InvocationStatus, NewAgent},
        change::agent as change,
        event::NewEvent,
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
        task::TaskType,
    },
};

/// Registers the agent that a build made, and queues its deployment if that is asked for. Answers what is told.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    task: &tasks::Brief,
    new: &NewAgent,
    deploy: bool,
) -> Result<NewEvent> {
    let known = read(tx.conn(), &new.agent_id)?;
    let shown = match &known {
        Some(known) => known.display_name.clone(),
        None => names::give(tx.conn(), &naming::wanted(new))?,
    };
    let agent = change::registered(new, known.as_ref(), project, shown, deploy, tx.now());
    put(tx, &agent)?;
    super::tools::put_generated(tx, &new.agent_id, project, &new.generated_tools)?;
    if deploy {
        queue_deployment(tx, &agent, project, task.project_key, task.priority)?;
    }
    Ok(change::told(&agent, None, tx.now()))
}

/// Queues the deployment of an agent.
pub(crate) fn queue_deployment(
    tx: &mut Tx<'_>,
    agent: &Agent,
    project: &ProjectId,
    project_key: i64,
    priority: Priority,
) -> Result<TaskId> {
    let task_id = TaskId::generate();
    let payload = deploy_payload(project, &agent.agent_id, agent.deployment_config.as_ref(), &task_id);
    let new = NewTask {
        task_id: &task_id,
        task_type: TaskType::DeployAgent,
        project_id: project,
        project_key,
        agent_id: Some(&agent.agent_id),
        priority,
        payload,
    };
    tasks::insert(tx, &new)?;
    Ok(task_id)
}

pub(crate) fn read(conn: &Connection, id: &AgentId) -> Result<Option<Agent>> {
    let mut find = conn.prepare_cached(&format!("SELECT {} FROM nexus_agents WHERE agent_id = ?1", rows::AGENT))?;
    Ok(find.query_row([id.as_str()], rows::agent).optional()?)
}

/// Writes an agent's record and tells its project's stream; an agent without a project has no stream.
pub(crate) fn write(tx: &mut Tx<'_>, agent: &Agent, told: Option<NewEvent>) -> Result<()> {
    put(tx, agent)?;
    match (&agent.project_id, told) {
        (Some(project), Some(told)) if tx.hot(project)?.is_some() => tx.emit(project, vec![told]),
        _ => Ok(()),
    }
}

/// Fields that stand in one column together.
const ASSESSMENT: [&str; 3] = ["coverage", "not_served", "acceptance"];

/// Writes an agent's record, new or known. The figures of a known one are moved by its invocations only.
pub(crate) fn put(tx: &Tx<'_>, agent: &Agent) -> Result<()> {
    let document = |document: &Option<Value>| document.as_ref().map(rows::to_json).transpose().map(Value::from);
    let beside = [
        ("deployment_type", agent.deployment.target.as_str().into()),
        ("deployment_options", rows::to_json(&agent.deployment.options)?.into()),
        ("deployment_config", document(&agent.deployment_config)?),
        ("deployment_details", document(&agent.deployment_details)?),
        ("assessment", serde_json::to_value(&agent.assessment)?),
        ("file_hashes", rows::to_json(&agent.files)?.into()),
    ];
    NewRow {
        into: "INSERT INTO nexus_agents",
        without: &ASSESSMENT,
        beside: &beside,
        then: "ON CONFLICT (agent_id) DO UPDATE SET project_id = excluded.project_id, agent_name = excluded.agent_name,
             display_name = excluded.display_name, description = excluded.description, category = excluded.category,
             version = excluded.version, status = excluded.status, deployment_type = excluded.deployment_type,
             deployment_options = excluded.deployment_options, capabilities = excluded.capabilities,
             tools = excluded.tools, prompt_path = excluded.prompt_path, code_path = excluded.code_path,
             updated_at = excluded.updated_at, deployed_at = excluded.deployed_at,
             generation = excluded.generation, error_message = excluded.error_message, agent_dir = excluded.agent_dir,
             deployment_config = excluded.deployment_config, deployment_details = excluded.deployment_details,
             assessment = excluded.assessment, file_hashes = excluded.file_hashes",
        ..NewRow::default()
    }
    .write(tx, agent)
    .map(drop)
}

pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    id: &AgentId,
    status: AgentStatus,
    error: Option<&str>,
) -> Result<Option<Agent>> {
    let Some(mut agent) = read(tx.conn(), id)? else { return Ok(None) };
    let told = change::set_status(&mut agent, status, error, tx.now())?;
    write(tx, &agent, Some(told))?;
    Ok(Some(agent))
}

pub(crate) fn update(tx: &mut Tx<'_>, id: &AgentId, wanted: &AgentChange) -> Result<Option<Agent>> {
    let Some(mut agent) = read(tx.conn(), id)? else { return Ok(None) };
    // Who gives it another name means the one that is shown.
    let renamed = change::renamed(&agent, wanted);
    let shown = renamed.map(|name| names::give(tx.conn(), &naming::human(name))).transpose()?;
    let told = change::update(&mut agent, wanted, shown.as_deref(), tx.now())?;
    write(tx, &agent, told)?;
    Ok(Some(agent))
}

pub(crate) fn adopt(tx: &mut Tx<'_>, agent: &Agent) -> Result<Agent> {
    if let Some(known) = read(tx.conn(), &agent.agent_id)? {
        return Ok(known);
    }
    let display_name = names::give(tx.conn(), &naming::human(&agent.agent_name))?;
    let now = tx.now();
    let adopted = Agent { display_name, created_at: now, updated_at: now, ..agent.clone() };
    put(tx, &adopted)?;
    Ok(adopted)
}

pub(crate) fn record_invocation(
    tx: &mut Tx<'_>,
    held: &Held,
    invocation: &Invocation,
    idempotency: Option<&KeptAnswer>,
) -> Result<()> {
    let mut known = tx.sql("SELECT 1 FROM nexus_agents WHERE agent_id = ?1")?;
    if !known.exists([invocation.agent_id.as_str()])? {
        return Err(not_found("agent"));
    }
    rows::insert_invocation(tx, invocation)?;
    let good = i64::from(invocation.status == InvocationStatus::Success);
    // The mean moves by the new value's share; columns on the right are those before the change.
    tx.sql(
        "UPDATE nexus_agents SET
             avg_duration_ms = avg_duration_ms + (?3 - avg_duration_ms) / (total_invocations + 1),
             total_invocations = total_invocations + 1,
             successful_invocations = successful_invocations + ?2,
             failed_invocations = failed_invocations + 1 - ?2,
             last_invoked_at = max(coalesce(last_invoked_at, ''), ?4)
         WHERE agent_id = ?1",
    )?
    .execute(params![
        invocation.agent_id.as_str(),
        good,
        rows::integer(invocation.duration_ms),
        invocation.created_at.to_string()
    ])?;
    super::tools::count_use(tx, &invocation.agent_id, &invocation.tool_names)?;
    super::idempotency::end(tx, held, idempotency)
}

#[async_trait]
impl Agents for SqliteStore {
    async fn agent(&self, id: &AgentId) -> Result<Option<Agent>> {
        let id = id.clone();
        self.ask(move |conn| read(conn, &id)).await
    }

    async fn set_agent_status(
        &self,
        id: &AgentId,
        status: AgentStatus,
        error: Option<String>,
    ) -> Result<Option<Agent>> {
        let id = id.clone();
        self.write(move |tx| set_status(tx, &id, status, error.as_deref())).await
    }

    async fn adopt_agent(&self, agent: Agent) -> Result<Agent> {
        self.write(move |tx| adopt(tx, &agent)).await
    }

    async fn update_agent(&self, id: &AgentId, change: AgentChange) -> Result<Option<Agent>> {
        let id = id.clone();
        self.write(move |tx| update(tx, &id, &change)).await
    }

    async fn record_invocation(&self, invocation: Invocation, idempotency: Option<KeptAnswer>) -> Result<()> {
        let held = Arc::clone(&self.inner.held);
        self.write(move |tx| record_invocation(tx, &held, &invocation, idempotency.as_ref())).await
    }
}
