//! Rows of agents: registered by the build that made them, changed by deployments and people.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::not_found,
    held::Held,
    names, rows,
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    backend::store::{Once, Result, alike::deploy_payload, naming},
    domain::{
        agent::{Agent, AgentChange, AgentStatus, Invocation, InvocationStatus, NewAgent},
        change::agent as change,
        event::NewEvent,
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
        task::TaskType,
        time::Timestamp,
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

/// `Store::agent`.
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

/// Writes an agent's record, new or known. The figures of a known one are moved by its invocations only.
pub(crate) fn put(tx: &Tx<'_>, agent: &Agent) -> Result<()> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    tx.sql(&format!(
        "INSERT INTO nexus_agents ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
         ON CONFLICT (agent_id) DO UPDATE SET project_id = ?2, agent_name = ?3, description = ?4, category = ?5,
             version = ?6, status = ?7, deployment_type = ?8, agentcore_config = ?9, capabilities = ?10, tools = ?11,
             prompt_path = ?12, code_path = ?13, updated_at = ?15, deployed_at = ?16, agentcore_runtime_arn = ?17,
             agentcore_runtime_alias = ?18, agentcore_region = ?19, error_message = ?25, agent_dir = ?26,
             deployment_config = ?27, deployment_details = ?28, generation = ?29, display_name = ?30",
        rows::AGENT
    ))?
    .execute(params![
        agent.agent_id.as_str(),
        agent.project_id.as_ref().map(ProjectId::as_str),
        agent.agent_name,
        agent.description,
        agent.category,
        agent.version,
        agent.status.as_str(),
        agent.deployment_type,
        rows::to_json_opt(agent.agentcore_config.as_ref())?,
        rows::list_json(&agent.capabilities)?,
        rows::list_json(&agent.tools)?,
        agent.prompt_path,
        agent.code_path,
        agent.created_at.to_string(),
        agent.updated_at.to_string(),
        time(agent.deployed_at),
        agent.agentcore_runtime_arn,
        agent.agentcore_runtime_alias,
        agent.agentcore_region,
        rows::integer(agent.total_invocations),
        rows::integer(agent.successful_invocations),
        rows::integer(agent.failed_invocations),
        agent.avg_duration_ms,
        time(agent.last_invoked_at),
        agent.error_message,
        agent.agent_dir,
        rows::to_json_opt(agent.deployment_config.as_ref())?,
        rows::to_json_opt(agent.deployment_details.as_ref())?,
        rows::integer(agent.generation),
        agent.display_name,
    ])?;
    Ok(())
}

/// `Store::set_agent_status`.
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

/// `Store::update_agent`.
pub(crate) fn update(tx: &mut Tx<'_>, id: &AgentId, wanted: &AgentChange) -> Result<Option<Agent>> {
    let Some(mut agent) = read(tx.conn(), id)? else { return Ok(None) };
    // Who gives it another name means the one that is shown.
    let renamed = change::renamed(&agent, wanted);
    let shown = renamed.map(|name| names::give(tx.conn(), &naming::human(name))).transpose()?;
    let told = change::update(&mut agent, wanted, shown.as_deref(), tx.now())?;
    write(tx, &agent, told)?;
    Ok(Some(agent))
}

/// `Store::record_invocation`.
pub(crate) fn record_invocation(
    tx: &mut Tx<'_>,
    held: &Held,
    invocation: &Invocation,
    once: Option<&Once>,
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
    super::once::end(tx, held, once)
}
