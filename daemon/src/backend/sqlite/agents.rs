//! Rows of agents: registered by the build that made them, changed by deployments and people.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    error::{illegal, not_found},
    held::Held,
    names, rows,
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    backend::store::{
        AgentChange, Once, Result,
        alike::{agent_event as event, deploy_payload, towards},
        naming,
    },
    domain::{
        agent::{Agent, AgentStatus, Invocation, InvocationStatus, NewAgent},
        event::NewEvent,
        ids::{AgentId, ProjectId, TaskId},
        project::Priority,
        task::TaskType,
        transition,
    },
};

/// Writes the record of the agent that a build made. A build that runs again finds its own record:
/// what it says is updated, when it came and how it was used stays.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    project: &ProjectId,
    task: &tasks::Brief,
    agent: &NewAgent,
    deploy: bool,
) -> Result<NewEvent> {
    let status = if deploy { AgentStatus::Deploying } else { AgentStatus::Offline };
    let name = match read(tx.conn(), &agent.agent_id)? {
        Some(known) => known.display_name,
        None => names::give(tx.conn(), &naming::wanted(agent))?,
    };
    tx.sql(
        "INSERT INTO nexus_agents (agent_id, project_id, agent_name, description, category, version, status,
             deployment_type, capabilities, tools, prompt_path, code_path, created_at, updated_at, agent_dir,
             deployment_config, display_name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16)
         ON CONFLICT (agent_id) DO UPDATE SET project_id = ?2, agent_name = ?3, description = ?4, category = ?5,
             version = ?6, status = ?7, deployment_type = ?8, capabilities = ?9, tools = ?10, prompt_path = ?11,
             code_path = ?12, updated_at = ?13, agent_dir = ?14, deployment_config = ?15, error_message = NULL,
             display_name = ?16",
    )?
    .execute(params![
        agent.agent_id.as_str(),
        project.as_str(),
        agent.agent_name,
        agent.description,
        agent.category,
        agent.version,
        status.as_str(),
        agent.deployment_type,
        rows::list_json(&agent.capabilities)?,
        rows::list_json(&agent.tools)?,
        agent.prompt_path,
        agent.code_path,
        tx.now_text(),
        agent.agent_dir,
        rows::to_json_opt(agent.deployment_config.as_ref())?,
        name,
    ])?;
    super::tools::put_generated(tx, &agent.agent_id, project, &agent.generated_tools)?;
    if deploy {
        queue(tx, &agent.agent_id, agent.deployment_config.as_ref(), project, task.project_key, task.priority)?;
    }
    Ok(event(tx.now(), &agent.agent_id, &agent.agent_name, status))
}

/// Queues the deployment of an agent.
pub(crate) fn queue_deployment(
    tx: &mut Tx<'_>,
    agent: &Agent,
    project: &ProjectId,
    project_key: i64,
    priority: Priority,
) -> Result<TaskId> {
    queue(tx, &agent.agent_id, agent.deployment_config.as_ref(), project, project_key, priority)
}

fn queue(
    tx: &mut Tx<'_>,
    agent: &AgentId,
    config: Option<&Value>,
    project: &ProjectId,
    project_key: i64,
    priority: Priority,
) -> Result<TaskId> {
    let task_id = TaskId::generate();
    let payload = deploy_payload(project, agent, config, &task_id);
    let new = NewTask {
        task_id: &task_id,
        task_type: TaskType::DeployAgent,
        project_id: project,
        project_key,
        agent_id: Some(agent),
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

/// Writes what a deployment changes in an agent's record.
pub(crate) fn write_deployment(tx: &Tx<'_>, agent: &Agent) -> Result<()> {
    tx.sql(
        "UPDATE nexus_agents SET status = ?2, generation = ?3, deployed_at = ?4, updated_at = ?5, error_message = ?6,
             deployment_details = ?7, agentcore_runtime_arn = ?8, agentcore_runtime_alias = ?9, agentcore_region = ?10,
             agentcore_config = ?11
         WHERE agent_id = ?1",
    )?
    .execute(params![
        agent.agent_id.as_str(),
        agent.status.as_str(),
        rows::integer(agent.generation),
        agent.deployed_at.map(|at| at.to_string()),
        agent.updated_at.to_string(),
        agent.error_message,
        rows::to_json_opt(agent.deployment_details.as_ref())?,
        agent.agentcore_runtime_arn,
        agent.agentcore_runtime_alias,
        agent.agentcore_region,
        rows::to_json_opt(agent.agentcore_config.as_ref())?,
    ])?;
    Ok(())
}

/// Tells the project's stream of an agent's state; an agent without a project has no stream.
pub(crate) fn tell(tx: &mut Tx<'_>, agent: &Agent, error: Option<&str>) -> Result<()> {
    let Some(project) = &agent.project_id else { return Ok(()) };
    if tx.hot(project)?.is_none() {
        return Ok(());
    }
    let mut event = event(tx.now(), &agent.agent_id, &agent.agent_name, agent.status);
    if let Some(error) = error {
        event.fields.insert("error".into(), error.into());
    }
    tx.emit(project, vec![event])
}

/// `Store::set_agent_status`.
pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    id: &AgentId,
    status: AgentStatus,
    error: Option<&str>,
) -> Result<Option<Agent>> {
    let Some(mut agent) = read(tx.conn(), id)? else { return Ok(None) };
    let next = transition::agent(agent.status, towards(status)).map_err(|e| illegal(&e))?;
    if next != status {
        let event = "building";
        let state = agent.status.as_str();
        return Err(illegal(&transition::IllegalTransition { machine: "agent", state, event }));
    }
    let error = error.filter(|_| next == AgentStatus::Error);
    // Put into service anew: what runs was begun with the code of before.
    let anew = next == AgentStatus::Running;
    tx.sql(
        "UPDATE nexus_agents SET status = ?2, error_message = ?3, updated_at = ?4, generation = generation + ?5
         WHERE agent_id = ?1",
    )?
    .execute(params![id.as_str(), next.as_str(), error, tx.now_text(), anew])?;
    agent.generation += u64::from(anew);
    agent.status = next;
    agent.error_message = error.map(str::to_owned);
    agent.updated_at = tx.now();
    tell(tx, &agent, error)?;
    Ok(Some(agent))
}

/// `Store::update_agent`.
pub(crate) fn update(tx: &mut Tx<'_>, id: &AgentId, change: &AgentChange) -> Result<Option<Agent>> {
    let Some(agent) = read(tx.conn(), id)? else { return Ok(None) };
    let status = match change.status {
        Some(status) if status != agent.status => {
            let next = transition::agent(agent.status, towards(status)).map_err(|e| illegal(&e))?;
            if next != status {
                let (machine, state, event) = ("agent", agent.status.as_str(), "building");
                return Err(illegal(&transition::IllegalTransition { machine, state, event }));
            }
            Some(status)
        }
        _ => None,
    };
    // Who gives it another name means the one that is shown.
    let renamed = change.agent_name.as_ref().filter(|name| **name != agent.agent_name);
    let display_name = renamed.map(|name| names::give(tx.conn(), &naming::human(name))).transpose()?;
    tx.sql(
        "UPDATE nexus_agents SET agent_name = coalesce(?2, agent_name), description = coalesce(?3, description),
             category = coalesce(?4, category), version = coalesce(?5, version),
             capabilities = coalesce(?6, capabilities), tools = coalesce(?7, tools), status = coalesce(?8, status),
             error_message = CASE WHEN ?8 IS NULL THEN error_message END, updated_at = ?9,
             display_name = coalesce(?10, display_name)
         WHERE agent_id = ?1",
    )?
    .execute(params![
        id.as_str(),
        change.agent_name,
        change.description,
        change.category,
        change.version,
        rows::to_json_opt(change.capabilities.as_ref())?,
        rows::to_json_opt(change.tools.as_ref())?,
        status.map(AgentStatus::as_str),
        tx.now_text(),
        display_name,
    ])?;
    let changed = read(tx.conn(), id)?;
    if let (Some(agent), true) = (&changed, status.is_some()) {
        tell(tx, agent, None)?;
    }
    Ok(changed)
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
